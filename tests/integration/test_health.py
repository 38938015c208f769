"""/health names the hop that fails; /metrics can be read by Prometheus; the logs of the three roles fit together."""
import json
import re
import socket
import struct

import pytest
from harness.origin import pattern
from harness.sockets import accept_each, unix_listener


def health(front):
    answer = front.get("/health")
    assert answer.get("Content-Type") == "application/json"
    document = json.loads(answer.body)
    assert (document["status"] == "ok") == (answer.status == 200)
    assert answer.status in (200, 503)
    return answer.status, document


def test_all_is_well(chain):
    status, document = health(chain.front)
    assert status == 200
    assert document["role"] == "host"
    assert re.fullmatch(r"\d+\.\d+\.\d+", document["version"])
    assert document["uptime_s"] >= 0
    assert (document["security"]["mode"], document["security"]["insecure"]) == ("secure", [])
    enclave = document["hops"]["enclave"]
    assert enclave["state"] == "ok"
    assert enclave["detail"]["hops"]["tunnel"]["state"] == "ok"
    assert enclave["detail"]["tls"]["min_version"] == "TLSv1.3"
    assert health(chain.inner)[1]["role"] == "enclave"


def members(value, path=""):
    if not isinstance(value, dict):
        return {path}
    return set().union(*(members(v, f"{path}.{k}") for k, v in value.items())) if value else {path}


def test_the_host_tells_all_that_the_enclave_does(start_chain):
    """Nothing passes but what health_report.c knows: a member that is new here is missing there."""
    chain = start_chain(enclave={"nsm": "software"})
    chain.enclave.wait_line("msg=attestation ")
    own, told = health(chain.inner)[1], health(chain.front)[1]["hops"]["enclave"]["detail"]
    empty = {".hops.tunnel.detail.errors"}
    assert members(own) - empty == members(told) - empty


def test_live_needs_nobody(start_chain):
    chain = start_chain()
    chain.enclave.kill()
    answer = chain.front.get("/health/live")
    assert (answer.status, json.loads(answer.body)) == (200, {"status": "ok"})


def test_the_enclave_is_gone(start_chain):
    chain = start_chain()
    assert health(chain.front)[0] == 200
    chain.enclave.kill()
    status, document = health(chain.front)
    assert status == 503
    assert document["hops"]["enclave"]["state"] == "failed"
    assert document["hops"]["enclave"]["last_error"]["hop"] == "enclave"
    chain.start("enclave")
    assert health(chain.front)[0] == 200


def test_the_tunnel_is_gone(start_chain):
    chain = start_chain()
    chain.tunnel.kill()
    for front in (chain.front, chain.inner):
        status, document = health(front)
        assert status == 503
    enclave = health(chain.front)[1]["hops"]["enclave"]
    assert enclave["state"] == "ok"
    assert enclave["detail"]["hops"]["tunnel"]["state"] == "failed"
    assert enclave["detail"]["hops"]["tunnel"]["last_error"]["hop"] == "tunnel"


class Liar:
    """Stands in the enclave's or the tunnel's place and says of itself whatever it likes."""

    PING, PONG = 6, 7

    def __init__(self, address, status, framed=True):
        self.status, self.framed = status, framed
        self.listener = unix_listener(address)
        accept_each(self.listener, self._serve)

    def _serve(self, connection):
        with connection.makefile("rwb") as peer:
            while self.framed and len(header := peer.read(5)) == 5:
                length, kind = struct.unpack(">IB", header)
                peer.read(length)
                if kind == self.PING:
                    peer.write(struct.pack(">IB", len(self.status), self.PONG) + self.status)
                    peer.flush()
            if not self.framed:  # the tunnel: one question a connection
                peer.read(struct.unpack(">I", peer.read(4))[0])
                peer.write(struct.pack(">I", len(self.status)) + self.status)


@pytest.mark.parametrize("status, readable", [
    (b'{"status":"ok","role":"enclave","hops":{"host":{"state":"ok"}},"security":{"mode":"secure"}}', True),
    (b'{"status":"ok","__proto__":{},"security":{"insecure":["\\u001b[2J<script>"]}}', True),
    (b'{"status":"ok"},"status":"ok","x":{"y":1}', False),
    (b'{"status":"ok"}},"security":{"mode":"secure"', False),
    (b'{"status":"ok","role":"enclave', False), (b'{"status":"ok","status":"failed"}', False),
    (b'{"status":"ok","version":"0.1.0\\"},\\"x\\":\\""}', False), (b'{"status":"ok","uptime_s":{}}', False),
    (b"", False), (b"\0", False), (b"\xff" * 100, False), (b"[" * 16000, False), (b'{"a":' * 2000, False),
    (b'{"status":"ok","x":"' + b"x" * 16000 + b'"}', True),
])
def test_an_enclave_that_lies(start_chain, status, readable):
    """It may say that it is well. It cannot change what the host says, nor what the page is."""
    chain = start_chain(start=False)
    liar = Liar(chain.sockets["enclave"], status)
    chain.start("host")
    code, document = health(chain.front)
    liar.listener.close()
    assert set(document) == {"status", "role", "version", "uptime_s", "security", "hops"}
    assert document["role"] == "host" and document["security"]["mode"] == "secure"
    assert list(document["hops"]) == ["enclave"]
    enclave = document["hops"]["enclave"]
    assert (code, enclave["state"]) == ((200, "ok") if readable else (503, "failed"))
    assert ("detail" in enclave) == readable
    if readable:
        assert not set(enclave["detail"]) - {"status", "role", "security"}
        assert "hops" not in enclave["detail"]
    else:
        assert (enclave["last_error"]["kind"], enclave["last_error"]["hop"]) == ("protocol", "enclave")
    assert not chain.host.matching("script|proto__")


@pytest.mark.parametrize("status, readable", [
    (b'{"status":"ok","version":"0.1.0","role":"enclave","policy":{"mode":"enforce"}}', True),
    (b'{"status":"ok","uptime":-1}', False), (b'{"status":"ok","errors":{"dns":"many"}}', False),
    (b'{"status":"connected","open":1}', False),
])
def test_a_tunnel_that_lies(start_chain, status, readable):
    """The same for what apps in the enclave, and the host behind them, are told of the tunnel."""
    chain = start_chain(start=False)
    liar = Liar(chain.sockets["tunnel"], status, framed=False)
    chain.start("enclave")
    code, document = health(chain.inner)
    liar.listener.close()
    tunnel = document["hops"]["tunnel"]
    assert (code, document["role"]) == (200 if readable else 503, "enclave")
    assert tunnel.get("detail") == ({"status": "ok", "version": "0.1.0"} if readable else None)


def test_head_and_other_methods(chain):
    assert chain.front.request("HEAD", "/health/live").status == 200
    assert chain.front.request("POST", "/health", [], b"x").status in (404, 405)
    assert chain.front.request("OPTIONS", "*").status == 204


def test_a_target_is_not_health(chain, origin):
    """A service's own /health is the service's."""
    origin.handle("/health", lambda connection, _request: connection.reply(200, [], b"theirs"))
    assert chain.front.get(f"{origin.url}/health").body == b"theirs"


# ---- metrics ----

LINE = re.compile(r'([a-z_]+)(\{[a-z]+="[^"]*"(?:,[a-z]+="[^"]*")*\})? ([0-9.e+-]+)')


def metrics(front):
    answer = front.get("/metrics")
    assert answer.get("Content-Type").startswith("text/plain; version=0.0.4")
    samples, types = {}, {}
    for line in answer.body.decode().splitlines():
        if line.startswith("# TYPE "):
            _, _, name, kind = line.split(" ")
            assert name not in types, f"{name} is declared twice"
            types[name] = kind
        elif not line.startswith("# HELP "):
            match = LINE.fullmatch(line)
            assert match, line
            family = re.sub(r"_(bucket|sum|count)$", "", match.group(1))
            assert match.group(1) in types or types.get(family) == "histogram", line
            assert match.group(1) + (match.group(2) or "") not in samples, f"{line} stands twice"
            samples[match.group(1) + (match.group(2) or "")] = float(match.group(3))
    return samples


def test_metrics_count(start_chain, origin):
    chain = start_chain()
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    chain.front.get(f"{origin.url}/bytes/1000")
    chain.front.request("POST", f"{origin.url}/sha256", [], pattern(500))
    chain.front.get(f"https://localhost:{port}/")
    for role, front in (("host", chain.front), ("enclave", chain.inner)):
        samples = metrics(front)
        assert samples[f'nitroproxy_requests_total{{role="{role}",code="2xx"}}'] == 2
        assert samples[f'nitroproxy_requests_total{{role="{role}",code="5xx"}}'] == 1
        errors = samples.get(f'nitroproxy_errors_total{{role="{role}",kind="refused",hop="service"}}')
        assert errors == (1 if role == "enclave" else None)  # for the host it was an answer like others
        assert samples[f'nitroproxy_request_bytes_total{{role="{role}"}}'] == 500
        assert samples[f'nitroproxy_response_bytes_total{{role="{role}"}}'] >= 1000
        prefix = f'nitroproxy_request_duration_seconds_bucket{{role="{role}"'  # the host shows both roles
        buckets = [v for k, v in samples.items() if k.startswith(prefix)]
        assert buckets == sorted(buckets)
        assert buckets[-1] == samples[f'nitroproxy_request_duration_seconds_count{{role="{role}"}}'] == 3


def test_metrics_do_not_grow_with_targets(start_chain):
    chain = start_chain()
    chain.front.get("https://localhost:1/")
    before = len(metrics(chain.front))
    for port in range(2, 30):
        chain.front.get(f"https://localhost:{port}/{port}")
    assert len(metrics(chain.front)) == before


# ---- logs ----

def test_a_line_for_each_exchange(start_chain, origin):
    chain = start_chain()
    chain.front.request("POST", f"{origin.url}/sha256", [("Authorization", "s3cr3t")], b"pa55word")
    pattern_ = r"msg=exchange id=([0-9a-f]{16}) method=POST target=(\S+) status=200 up=8 "
    host, enclave = (p.wait_line(pattern_) for p in (chain.host, chain.enclave))
    assert host.groups() == enclave.groups()
    assert host.group(2) == origin.authority
    for process in chain.processes.values():
        assert not process.matching("s3cr3t|pa55word|/sha256")
