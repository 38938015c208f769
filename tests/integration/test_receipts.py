"""Receipts: what they say of an exchange, read by another implementation, and where there is none."""
import hashlib
import re
import ssl
import subprocess
import threading
import time

import pytest
from harness.chain import NITROPROXY
from harness.origin import Origin, echo, pattern
from harness.receipts import FIELD, WANT, chain, of_fields, receipt_of  # noqa: F401
from harness.servers import nginx
from reference_receipt import read

NOTHING = hashlib.sha256(b"").hexdigest()


def leaf_sha256(leaf):
    pem = leaf.cert_file.read_text().partition("-----END CERTIFICATE-----")
    return hashlib.sha256(ssl.PEM_cert_to_DER_cert(pem[0] + pem[1])).digest()


# ---- what stands in one ----

def test_says_what_happened(chain, front, origin, pki):
    """Each of its fields, over a body in both directions; the key is the one that the claims name."""
    origin.handle("/echo", echo)
    before = time.time() * 1000
    answer = front.request("POST", f"{origin.url}/echo?a=b", WANT, body=b"x" * 100000)
    after = time.time() * 1000
    assert answer.status == 200 and answer.get("Transfer-Encoding") == "chunked"
    assert b"X-Nitroproxy-Receipt" in answer.all("Trailer")
    said, key = read(receipt_of(answer))
    assert list(said) == ["v", "key", "tls", "path", "peer", "time", "cipher", "method", "status", "target", "request",
                          "response"]
    assert (said["v"], said["method"], said["status"], said["target"]) == (1, "POST", 200, origin.url)
    assert (said["tls"], said["cipher"]) == ("TLSv1.3", "TLS_AES_256_GCM_SHA384")  # Python's first choice
    assert said["peer"] == leaf_sha256(pki.good)
    assert before - 1 <= said["time"] <= after
    assert said["path"] == hashlib.sha256(b"/echo?a=b").digest()
    assert said["request"] == hashlib.sha256(b"x" * 100000).digest()
    assert said["response"] == hashlib.sha256(answer.body).digest()
    assert f"receipt-key-sha256: {key}\n" in chain.inner.get("/attestation/claims").body.decode()
    arrived = origin.seen(f"{origin.url}/echo?a=b")[-1]
    assert not arrived.all("X-Nitroproxy-Want-Receipt")


@pytest.mark.parametrize("size", [1, 65535, 65536, 65537, 3000000])
def test_sizes(front, origin, size):
    answer = front.get(f"{origin.url}/bytes/{size}", WANT)
    assert answer.body == pattern(size)
    said, _ = read(receipt_of(answer))
    assert said["response"] == hashlib.sha256(answer.body).digest()
    assert said["request"].hex() == NOTHING


@pytest.mark.parametrize("method, status, length", [("HEAD", 200, 5), ("GET", 204, None), ("GET", 304, None),
                                                    ("GET", 200, 0), ("DELETE", 404, 0)])
def test_without_a_body(front, origin, method, status, length):
    """There is nothing to wait for: the receipt stands in the head, and the length stays."""
    fields = f"Content-Length: {length}\r\n" if length is not None else ""
    url = origin.serve(lambda c, r: c.send(f"HTTP/1.1 {status} Fine\r\n{fields}\r\n".encode()))
    answer = front.request(method, url, WANT)
    assert answer.status == status and len(of_fields(answer.fields)) == 1
    assert not answer.all("Trailer") and answer.get("Content-Length") == (None if length is None else str(length))
    said, _ = read(receipt_of(answer))
    assert (said["method"], said["status"], said["response"].hex()) == (method, status, NOTHING)


def test_chunked_with_trailers(front, origin):
    """Chunks are no content; the service's own trailers arrive, but not one that poses as ours."""
    url = origin.serve(lambda c, r: c.send(
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nX-Nitroproxy-Receipt: :AAAA:\r\n\r\n"
        b"3\r\nabc\r\n4\r\ndefg\r\n0\r\nX-Sum: 1\r\nX-Nitroproxy-Receipt: :AAAA:\r\n\r\n"))
    answer = front.get(url, WANT)
    assert (b"X-Sum", b"1") in answer.trailers and answer.body == b"abcdefg"
    said, _ = read(receipt_of(answer))
    assert said["response"] == hashlib.sha256(b"abcdefg").digest()


def test_upload_in_chunks(front, origin):
    origin.handle("/echo", echo)
    with front.connect() as client:
        client.send(f"POST /{origin.url}/echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n"
                    "X-Nitroproxy-Want-Receipt: 1\r\n\r\n3\r\none\r\n".encode())
        client.send(b"5\r\n, two\r\n0\r\n\r\n")
        said, _ = read(receipt_of(client.response()))
    assert said["request"] == hashlib.sha256(b"one, two").digest()


def test_answered_early(front, origin):
    """What the service did not wait for is not said to have arrived."""
    def refuse(connection, _request):
        connection.reply(413, [("Connection", "close")], b"too big")
        connection.end()

    url = origin.serve(refuse)
    with front.connect() as client:
        client.send(f"POST /{url} HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n"
                    "X-Nitroproxy-Want-Receipt: 1\r\n\r\nonly this".encode())
        answer = client.response()
    said, _ = read(receipt_of(answer))
    assert (said["status"], said["request"], answer.body) == (413, None, b"too big")


def test_plain_http(front):
    """Nothing proves who has answered, and the receipt says so."""
    service = Origin(None)
    service.handle("/", lambda c, r: c.reply(200, [], b"plain"))
    said, _ = read(receipt_of(front.get(service.url + "/", WANT)))
    assert said["target"] == service.url.removesuffix("/")
    assert (said["tls"], said["cipher"], said["peer"]) == (None, None, None)
    service.close()


def test_pooled_resumed_and_tls12(start_chain, pki, tmp_path):
    """The certificate is told of a connection that is used again, of one that was resumed, and under TLS 1.2."""
    (tmp_path / "page").write_bytes(b"page")
    server, ports = nginx(tmp_path, tmp_path, [(pki.good, "TLSv1.3"), (pki.rsa, "TLSv1.2")])
    fresh = start_chain(enclave={"nsm": "software", "receipts": "true", "tls_min_version": "1.2",
                                 "limits_pool_idle": 0, "trace": "true"})
    pooled = start_chain(enclave={"nsm": "software", "receipts": "true"})
    told = []
    for chain in fresh, fresh, pooled, pooled:
        answer = chain.inner.get(f"https://localhost:{ports[0]}/page", [*WANT, ("X-Nitroproxy-Trace", "1")])
        said, _ = read(receipt_of(answer))
        assert said["peer"] == leaf_sha256(pki.good) and said["response"] == hashlib.sha256(b"page").digest()
        told.append(answer.get("X-Nitroproxy-TLS"))
    assert "resumed" in told[1] and "resumed" not in told[0]
    assert 'upstream_reused_total{role="enclave"} 1' in pooled.inner.get("/metrics").body.decode()
    assert 'receipts_total{role="enclave"} 2' in pooled.inner.get("/metrics").body.decode()
    said, _ = read(receipt_of(fresh.inner.get(f"https://localhost:{ports[1]}/page", WANT)))
    assert (said["tls"], said["peer"]) == ("TLSv1.2", leaf_sha256(pki.rsa))
    assert re.fullmatch("TLS_ECDHE_RSA_WITH_[A-Z0-9_]+", said["cipher"])
    server.stop()


# ---- where there is none ----

def test_only_for_who_asks(front, origin):
    for fields in [], [("X-Nitroproxy-Want-Receipt", "0")], [("X-Nitroproxy-Want-Receipt", "yes")]:
        answer = front.get(f"{origin.url}/bytes/10", fields)
        assert answer.get("Content-Length") == "10" and not of_fields(answer.fields)


def test_off_by_default(start_chain, origin):
    """Asked for or not: no receipt, no key, the length as it was, and the service hears nothing of it."""
    origin.handle("/echo", echo)
    chain = start_chain(enclave={"nsm": "software"})
    for way in chain.front, chain.inner:
        answer = way.get(f"{origin.url}/echo", WANT)
        assert answer.get("Content-Length") and not answer.all("Trailer")
        assert not of_fields(answer.fields) and not answer.trailers
        assert "want-receipt" not in answer.body.decode().lower()
    assert b"receipt-key-sha256: -\n" in chain.front.get("/attestation/claims").body
    assert "receipts_total" not in chain.inner.get("/metrics").body.decode()


@pytest.mark.skipif(not NITROPROXY, reason="NITROPROXY does not name the executable")
def test_needs_somebody_to_vouch(tmp_path):
    done = subprocess.run([NITROPROXY, "enclave", f"--listen=unix:{tmp_path}/s", "--receipts", "--nsm=off"],
                          capture_output=True, timeout=30)
    assert done.returncode != 0 and b"receipts: there is no Nitro Security Module" in done.stderr + done.stdout


def test_own_answers(front, origin):
    """The proxy does not testify for itself."""
    for url in f"{origin.url.replace('localhost', 'wrong.invalid')}/", "/health", "https://localhost:1/":
        answer = front.get(url, WANT)
        assert not of_fields(answer.fields) and not answer.trailers


def test_connect(front, origin):
    with front.connect() as client:
        client.send_request("CONNECT", origin.authority, WANT, host=origin.authority)
        answer = client.response("CONNECT")
        assert answer.status == 200 and not of_fields(answer.fields) and not answer.all("Trailer")


@pytest.mark.parametrize("head", [b"Content-Length: 100", b"Transfer-Encoding: chunked", b"X-Till: end"])
def test_cut(front, origin, head):
    """What broke off is not testified to, and does not look whole."""
    arrived = threading.Event()

    def cut(connection, _request):
        connection.send(b"HTTP/1.1 200 OK\r\n" + head + b"\r\n\r\n" + b"5\r\nhalf \r\n")
        arrived.wait(30)
        connection.cut()

    with front.connect() as client:
        client.send_request("GET", f"/{origin.serve(cut)}", WANT)
        assert client.head().get("Transfer-Encoding") == "chunked"
        arrived.set()
        rest = client.read_to_end()
    assert FIELD not in rest.lower() and not rest.endswith(b"0\r\n\r\n")


def test_http10(front, origin):
    """No place for trailers; the body arrives as ever."""
    with front.connect() as client:
        client.send(f"GET /{origin.url}/bytes/10 HTTP/1.0\r\nX-Nitroproxy-Want-Receipt: 1\r\n\r\n".encode())
        answer = client.read_to_end()
    assert answer.endswith(b"\r\n\r\n" + pattern(10)) and b"x-nitroproxy-receipt:" not in answer.lower()


def test_the_connection_lives_on(front, origin):
    with front.connect() as client:
        for size in 10, 0, 100000, 20:
            client.send_request("GET", f"/{origin.url}/bytes/{size}", WANT)
            answer = client.response()
            said, _ = read(receipt_of(answer))
            assert said["response"] == hashlib.sha256(pattern(size)).digest()
