"""Receipts: what they say of an exchange, read by another implementation, and what `nitroproxy verify` makes of them."""
import base64
import hashlib
import json
import pathlib
import re
import ssl
import subprocess
import tempfile
import threading
import time

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, utils
from harness.chain import NITROPROXY, Chain
from harness.origin import Origin, echo, pattern
from harness.servers import nginx
from harness.verify import run, verdict
from reference_verifier import decode, encode_bytes

WANT = [("X-Nitroproxy-Want-Receipt", "1")]
FIELD = b"x-nitroproxy-receipt"
NOTHING = hashlib.sha256(b"").hexdigest()


@pytest.fixture(scope="module")
def chain(workdir, pki):
    if not NITROPROXY:
        pytest.skip("NITROPROXY does not name the executable")
    shared = Chain(pathlib.Path(tempfile.mkdtemp(dir=workdir)), pki,
                   enclave={"nsm": "software", "receipts": "true", "limits_attestation_rate": 1000,
                            "allow_plain_http": "true"})
    yield shared
    shared.stop()


@pytest.fixture(scope="module")
def evidence(chain, tmp_path_factory):
    """Arguments for `verify`: the document of this enclave with its claims."""
    directory = tmp_path_factory.mktemp("evidence")
    (directory / "root").write_bytes(chain.front.get("/attestation/root").body)
    parts = json.loads(chain.front.get(f"/attestation?nonce={'5a' * 16}", [("Accept", "application/json")]).body)
    (directory / "document").write_bytes(base64.b64decode(parts["document"]))
    (directory / "claims").write_text(parts["claims"])
    return ["--root", directory / "root", "--file", directory / "document", "--claims", directory / "claims",
            "--nonce", "5a" * 16, "--any-pcrs"]


def of_fields(fields):
    return [value for name, value in fields if name.lower() == FIELD]


def receipt_of(answer):
    """The one receipt of an answer, in its trailers or, of an empty one, in its head."""
    found = of_fields(answer.trailers) + of_fields(answer.fields)
    assert len(found) == 1, f"{len(found)} receipts"
    assert re.fullmatch(rb":[A-Za-z0-9+/]+=*:", found[0])
    return base64.b64decode(found[0][1:-1], validate=True)


def read(receipt):
    """By another implementation: the payload, its signature verified."""
    envelope, end = decode(receipt)
    protected, unprotected, payload, signature = envelope
    assert end == len(receipt) and protected == bytes.fromhex("a1013822") and unprotected == {} and len(signature) == 96
    said, end = decode(payload)
    assert end == len(payload)
    key = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP384R1(), said["key"])
    signed = b"\x84\x6aSignature1" + encode_bytes(protected) + b"\x40" + encode_bytes(payload)
    der = utils.encode_dss_signature(int.from_bytes(signature[:48], "big"), int.from_bytes(signature[48:], "big"))
    key.verify(der, signed, ec.ECDSA(hashes.SHA384()))
    spki = key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    return said, hashlib.sha256(spki).hexdigest()


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


# ---- the verifier ----

@pytest.fixture(scope="module")
def exchange(chain, origin, tmp_path_factory):
    """One exchange in files: receipt, bodies, and the URL that was asked."""
    origin.handle("/echo", echo)
    directory = tmp_path_factory.mktemp("exchange")
    answer = chain.front.request("POST", f"{origin.url}/echo?q=1", WANT, body=b"question")
    (directory / "receipt").write_bytes(receipt_of(answer))
    (directory / "request").write_bytes(b"question")
    (directory / "response").write_bytes(answer.body)
    (directory / "url").write_text(f"{origin.url}/echo?q=1")
    return directory


@pytest.fixture(scope="module")
def shown(exchange):
    return ["--receipt", exchange / "receipt", "--target", (exchange / "url").read_text(), "--request-body", exchange / "request",
            "--body", exchange / "response"]


def test_verified(evidence, shown, exchange, pki):
    result = verdict(*evidence, *shown)
    assert result["verdict"] == "accepted"
    assert (result["checks"]["receipt"], result["checks"]["exchange"]) == ("ok", "ok")
    said, _ = read((exchange / "receipt").read_bytes())
    told = result["receipt"]
    for name in "path", "peer", "request", "response":
        assert told[name] == said[name].hex()
    for name in "time", "status", "method", "target", "tls", "cipher":
        assert told[name] == said[name]
    done = run(*evidence, *shown)
    assert done.returncode == 0 and done.stdout.decode().endswith("\naccepted\n")
    assert f"exchange    POST {said['target']}, answered with 200 at 2" in done.stdout.decode()
    assert f"peer        {said['peer'].hex()}\n" in done.stdout.decode()


def test_not_asked(evidence, exchange):
    result = verdict(*evidence, "--receipt", exchange / "receipt")
    assert (result["checks"]["receipt"], result["checks"]["exchange"]) == ("ok", "not asked")
    assert verdict(*evidence)["checks"]["receipt"] == "not asked"


def test_forms(evidence, exchange):
    """As bytes, base64, field value, field line, and in a whole dump of head and trailers."""
    receipt = (exchange / "receipt").read_bytes()
    text = base64.b64encode(receipt)
    for form in (receipt, text, text + b"\n", b":" + text + b":", b":" + text + b":\r\n",
                 b"x-nitroproxy-receipt: :" + text + b":\r\n",
                 b"HTTP/1.1 200 OK\r\nX-Nitroproxy-Receipt: :AAAA:\r\nX: y\r\n\r\nX-Nitroproxy-Receipt::" + text + b":\r\n"):
        assert verdict(*evidence, "--receipt", "-", stdin=form)["verdict"] == "accepted"
    for form in b"", b"x", b"::", b"HTTP/1.1 200 OK\r\n\r\n", text[:-4], b"X-Nitroproxy-Receipt:\r\n", b":" + text:
        assert verdict(*evidence, "--receipt", "-", stdin=form)["reason"] in ("encoding", "envelope")


@pytest.mark.parametrize("what, reason", [("request", "receipt_request"), ("response", "receipt_response")])
def test_tampered_body(evidence, shown, exchange, tmp_path, what, reason):
    body = (exchange / what).read_bytes()
    for other in b"", body[:-1], body + b"\n", body[:-1] + bytes([body[-1] ^ 1]):
        (tmp_path / "body").write_bytes(other)
        args = [tmp_path / "body" if arg == exchange / what else arg for arg in shown]
        result = verdict(*evidence, *args)
        assert result["reason"] == reason and result["checks"]["exchange"] == "failed" and "receipt" not in result


def test_other_target(evidence, exchange):
    args = [*evidence, "--receipt", exchange / "receipt", "--target"]
    url = (exchange / "url").read_text()
    for same in url, url.replace("https://localhost", "HTTPS://LOCALHOST"):
        assert verdict(*args, same)["verdict"] == "accepted"
    for other in (url + "x", url.replace("?q=1", ""), url.replace("/echo", "/Echo"), url.replace("https:", "http:"),
                  url.replace("localhost", "127.0.0.1"), re.sub(r":\d+/", "/", url)):
        assert verdict(*args, other)["reason"] == "receipt_target"


def test_flipped_bits(evidence, exchange):
    """One bit of some bytes, all over the receipt; tests/unit/nsm/test_receipt.c does every byte."""
    receipt = (exchange / "receipt").read_bytes()
    reasons = set()
    for at in range(3, len(receipt), len(receipt) // 24):
        changed = receipt[:at] + bytes([receipt[at] ^ 1 << at % 8]) + receipt[at + 1:]
        reasons.add(verdict(*evidence, "--receipt", "-", stdin=changed)["reason"])
    assert "receipt_signature" in reasons and "receipt_key" in reasons
    assert reasons <= {"encoding", "envelope", "receipt", "receipt_key", "receipt_signature"}


def test_other_enclaves(start_chain, evidence, origin, exchange, tmp_path):
    """A receipt by a key that these claims do not name; and claims that name none."""
    other = start_chain(enclave={"nsm": "software", "receipts": "true"})
    answer = other.front.get(f"{origin.url}/bytes/5", WANT)
    result = verdict(*evidence, "--receipt", "-", stdin=receipt_of(answer))
    assert result["reason"] == "receipt_key" and result["checks"]["receipt"] == "failed"
    without = start_chain(enclave={"nsm": "software"})
    (tmp_path / "root").write_bytes(without.front.get("/attestation/root").body)
    result = verdict("--url", without.front.url, "--any-pcrs", "--root", tmp_path / "root", "--receipt",
                     exchange / "receipt")
    assert result["reason"] == "receipt_key" and "claims no key" in result["message"]


def test_claims_first(evidence, shown, exchange):
    """A receipt proves nothing when the document does not."""
    args = [*evidence[:6], "--nonce", "00" * 16, "--any-pcrs", *shown]
    result = verdict(*args)
    assert result["reason"] == "nonce" and result["checks"]["receipt"] == "not reached"


def test_usage(evidence, exchange):
    receipt = ["--receipt", exchange / "receipt"]
    for args in (["--body", "x", *evidence], ["--target", "https://a/", *evidence],
                 [*receipt, "--file", "x", "--any-nonce", "--any-pcrs"],
                 [*receipt, "--body", "-", "--request-body", "-", *evidence],
                 ["--receipt", "/nonexistent", *evidence], [*receipt, "--body", "/nonexistent", *evidence],
                 [*receipt, "--target", "ftp://x", *evidence], [*receipt, "--target", "x", *evidence],
                 [*receipt, "--url", "https://x", "--any-pcrs", "--forward", "tcp:127.0.0.1:0"]):
        assert run(*args).returncode == 2, args


# ---- with what people have ----

def test_curl(chain, evidence, pki, tmp_path):
    """As the manual says: curl keeps head and trailers in one file. The service is nginx."""
    (tmp_path / "a").write_bytes(pattern(200000))
    server, (port,) = nginx(tmp_path, tmp_path, [(pki.good, "TLSv1.3")])
    subprocess.run(["curl", "-sS", "-H", "X-Nitroproxy-Want-Receipt: 1", "-D", tmp_path / "head", "-o", tmp_path / "body",
                    f"{chain.front.url}/https://localhost:{port}/a"], check=True, timeout=30)
    result = verdict(*evidence, "--receipt", tmp_path / "head", "--body", tmp_path / "body", "--target",
                     f"https://localhost:{port}/a")
    assert result["verdict"] == "accepted"
    assert (tmp_path / "body").read_bytes() == pattern(200000)
    server.stop()


def test_in_one_go(chain, evidence, exchange, shown):
    """The document fetched for it, in place of one in a file."""
    result = verdict("--url", chain.front.url, "--any-pcrs", "--root", evidence[1], *shown)
    assert result["verdict"] == "accepted"


def test_through_the_ingress(workdir, pki, origin):
    """A client anywhere, whose TLS ends in the enclave: nothing changes."""
    if not NITROPROXY:
        pytest.skip("NITROPROXY does not name the executable")
    directory = pathlib.Path(tempfile.mkdtemp(dir=workdir))
    socket = f"unix:{directory}/ingress.sock"
    chain = Chain(directory, pki, enclave={"nsm": "software", "receipts": "true", "ingress_enclave_listen": socket},
                  host={"ingress_listen": "tcp:127.0.0.1:0", "ingress_enclave": socket})
    port = chain.host.wait_line(r"msg=listen what=ingress address=tcp:127\.0\.0\.1:(\d+)").group(1)
    (directory / "root").write_bytes(chain.front.get("/attestation/root").body)
    subprocess.run(["curl", "-sSk", "-H", "X-Nitroproxy-Want-Receipt: 1", "-D", directory / "head", "-o",
                    directory / "body", f"https://127.0.0.1:{port}/{origin.url}/bytes/70000"], check=True, timeout=30)
    result = verdict("--url", f"https://127.0.0.1:{port}", "--any-pcrs", "--root", directory / "root",
                     "--receipt", directory / "head", "--body", directory / "body", "--target",
                     f"{origin.url}/bytes/70000")
    assert result["verdict"] == "accepted" and result["checks"]["channel"] == "ok"
    assert (directory / "body").read_bytes() == pattern(70000)
    chain.stop()
