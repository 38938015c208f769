"""What is too much: long URLs, big heads, many fields, many connections; refused at the limit, served below it."""
import hashlib
import resource
import socket
import threading

import pytest


def get(front, target, fields=b""):
    return front.raw(b"GET %s HTTP/1.1\r\nHost: x\r\n%s\r\n" % (target.encode(), fields))


@pytest.fixture
def small(start_chain):
    limits = {"limits_url_length": "500", "limits_header_bytes": "2000", "limits_header_count": "20"}
    return start_chain(host=limits, enclave=limits)


def fronts(chain):
    return (chain.front, chain.inner)


def test_url_length(small, origin):
    for front in fronts(small):
        target = f"/{origin.url}/echo?"
        assert get(front, target + "a" * (500 - len(target))).status == 200
        answer = get(front, target + "a" * (501 - len(target)))
        assert (answer.status, answer.error) == (414, "http_request_error")
        assert get(front, target + "a" * 100_000).status == 414


def test_length_of_a_target_field(small, origin):
    for front in fronts(small):
        url = f"{origin.url}/echo?" + "a" * 600
        assert get(front, "/", b"X-Target-URL: %s\r\n" % url.encode()).status == 414


def test_head_size(small, origin):
    for front in fronts(small):
        target = f"/{origin.url}/bytes/1"
        line = len(f"GET {target} HTTP/1.1\r\nHost: x\r\nX: \r\n\r\n")
        assert get(front, target, b"X: %s\r\n" % (b"a" * (2000 - line))).status == 200
        answer = get(front, target, b"X: %s\r\n" % (b"a" * (2001 - line)))
        assert (answer.status, answer.error) == (431, "http_request_error")
        assert get(front, target, b"X: %s\r\n" % (b"a" * 200_000)).status == 431


def test_field_count(small, origin):
    for front in fronts(small):
        target = f"/{origin.url}/bytes/1"
        assert get(front, target, b"X: a\r\n" * 19).status == 200
        answer = get(front, target, b"X: a\r\n" * 20)
        assert (answer.status, answer.error) == (431, "http_request_error")


def test_everything_at_its_default_limit(front, origin):
    """A head as big as the defaults let in crosses all hops, though each adds to it."""
    fields = b"".join(b"X-%02d: %s\r\n" % (i, b"a" * 200) for i in range(96))
    answer = get(front, f"/{origin.url}/echo?" + "b" * 8000, fields)
    assert answer.status == 200
    assert sum(n.startswith(b"X-") for n, _ in origin.requests[-1].fields) == 96


def test_connections_beyond_the_limit_wait(start_chain, origin):
    """They are not refused: they are accepted when others have gone."""
    for role in ("host", "enclave"):
        chain = start_chain(**{role: {"limits_connections": "3"}})
        front = chain.front if role == "host" else chain.inner
        clients = [front.connect() for _ in range(5)]
        for c in clients:
            c.send_request("GET", f"/{origin.url}/bytes/2")
        for c in clients[:3]:
            assert c.response().status == 200
        for c in clients[:2]:
            c.close()
        for c in clients[3:]:
            assert c.response().status == 200
        for c in clients:
            c.close()


def test_connections_to_one_service(start_chain, origin):
    chain = start_chain(enclave={"limits_connections_per_target": "2"})
    go_on = threading.Event()

    def handler(connection, _request):
        assert go_on.wait(20)
        connection.reply(200, [], b"ok")

    url = origin.serve(handler)
    clients = [chain.front.connect() for _ in range(2)]
    for c in clients:
        c.send_request("GET", f"/{url}")
    origin.wait_for(lambda o: len(o.seen(url)) == 2)
    answer = chain.front.get(url)
    assert (answer.status, answer.error) == (503, "connection_limit_reached")
    assert int(answer.get("Retry-After")) >= 1
    go_on.set()
    for c in clients:
        assert c.response().body == b"ok"
        c.close()
    assert chain.front.get(url).status == 200


def test_connections_to_the_enclave(start_chain, origin):
    chain = start_chain(host={"limits_enclave_connections": "1"})
    go_on = threading.Event()

    def handler(connection, _request):
        assert go_on.wait(20)
        connection.reply(200, [], b"ok")

    url = origin.serve(handler)
    with chain.front.connect() as client:
        client.send_request("GET", f"/{url}")
        origin.wait_for(lambda o: o.seen(url))
        answer = chain.front.get(f"{origin.url}/bytes/1")
        assert (answer.status, answer.error) == (503, "connection_limit_reached")
        go_on.set()
        assert client.response().body == b"ok"
    assert chain.front.get(f"{origin.url}/bytes/1").status == 200


def test_requests_a_second(start_chain):
    chain = start_chain(host={"limits_client_rate": "5"})
    statuses = [chain.front.get("/health?probe") for _ in range(20)]
    refused = [a for a in statuses if a.status == 429]
    assert 5 <= len(statuses) - len(refused) < 15
    assert all(a.get("Retry-After") and a.error == "http_request_denied" for a in refused)


def test_probes_are_answered_whatever_others_may(start_chain, origin):
    """`host --health` has no password and Prometheus no Proxy-Authorization; an app that is busy is no reason, either."""
    digest = hashlib.pbkdf2_hmac("sha256", b"password", b"saltsaltsalt", 1000)
    chain = start_chain(host={"limits_client_rate": "1",
                              "access_auth": f"user:pbkdf2-sha256:1000:{b'saltsaltsalt'.hex()}:{digest.hex()}"})
    for path in ("/health", "/health/live", "/metrics") * 3:
        assert chain.front.get(path).status == 200
    for target in ("/health?x", "/attestation/claims", f"{origin.url}/metrics"):
        assert chain.front.get(target).status in (407, 429)
    assert chain.front.get("/metrics", [("X-Target-URL", f"{origin.url}/bytes/1")]).status in (407, 429)
    assert chain.front.request("POST", "/metrics", [], b"x").status in (407, 429)


@pytest.mark.parametrize("role", ["host", "enclave"])
def test_who_has_no_descriptors_says_so_itself(start_chain, origin, role):
    apart = {"trunk": "false"}  # a strand needs no descriptor
    chain = start_chain(host={"host_proxy_max_retries": "0", **apart}, enclave=apart)
    front = chain.front if role == "host" else chain.inner
    with front.connect() as client:
        client.send_request("GET", "/health/live")
        assert client.response().status == 200
        process = chain.processes[role]
        _, hard = resource.prlimit(process.pid, resource.RLIMIT_NOFILE)
        resource.prlimit(process.pid, resource.RLIMIT_NOFILE, (process.descriptors(), hard))
        client.send_request("GET", f"/{origin.url}/bytes/1")
        answer = client.response()
    assert (answer.status, answer.error) == (503, "connection_limit_reached")
    assert f'details="{role}: ' in answer.get("Proxy-Status")


def test_descriptors_run_out(start_chain, origin):
    """accept fails with EMFILE: the listener waits, does not spin, and serves again when there are some."""
    chain = start_chain()
    host = chain.host
    assert chain.front.get(f"{origin.url}/bytes/2").status == 200
    limit = host.descriptors() + 10
    # The soft limit alone: the role had raised it to the hard one.
    _, hard = resource.prlimit(host.pid, resource.RLIMIT_NOFILE)
    resource.prlimit(host.pid, resource.RLIMIT_NOFILE, (limit, hard))
    clients = []
    for _ in range(30):
        client = chain.front.connect()
        client.socket.settimeout(0.2)
        clients.append(client)
    served = 0
    for client in clients:
        client.send_request("GET", "/health/live")
        try:
            served += client.response().status == 200
        except (socket.timeout, OSError):
            break
    assert 0 < served < 30
    used = host.cpu_seconds()
    with pytest.raises(TimeoutError):
        clients[-1].socket.settimeout(1)
        clients[-1].socket.recv(1)
    assert host.cpu_seconds() - used < 0.3
    for client in clients:
        client.close()
    assert chain.front.get(f"{origin.url}/bytes/2").status == 200
