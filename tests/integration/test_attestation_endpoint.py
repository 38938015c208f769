"""Documents over a nonce, asked for at the enclave and through the host, and what `nitroproxy verify` makes of them."""
import base64
import concurrent.futures
import hashlib
import http.server
import json
import os
import pathlib
import subprocess
import tempfile
import threading

import pytest
from harness.chain import NITROPROXY, Chain
from harness.verify import run, verdict

NONCE = bytes(range(32)).hex()
NO_NSM = pytest.mark.skipif(os.path.exists("/dev/nsm"), reason="there is a real NSM here")


@pytest.fixture(scope="module")
def chain(workdir, pki):
    """With the software NSM and a policy of its own."""
    if not NITROPROXY:
        pytest.skip("NITROPROXY does not name the executable")
    directory = pathlib.Path(tempfile.mkdtemp(dir=workdir))
    policy = directory / "policy"
    policy.write_text("# what may go out\nmode enforce\ndefault deny\nallow  localhost:*\n")
    shared = Chain(directory, pki,
                   enclave={"nsm": "software", "policy_file": policy, "limits_attestation_rate": 500})
    shared.policy = policy
    yield shared
    shared.stop()


@pytest.fixture(scope="module")
def root(chain, tmp_path_factory):
    """The certificate of the software NSM's root."""
    answer = chain.front.get("/attestation/root")
    assert (answer.status, answer.get("Content-Type")) == (200, "application/pkix-cert")
    path = tmp_path_factory.mktemp("root") / "root.der"
    path.write_bytes(answer.body)
    return path


def pcr0():
    """The software NSM measures the executable: SHA-384 of its SHA-256."""
    with open(NITROPROXY, "rb") as binary:
        return hashlib.sha384(hashlib.sha256(binary.read()).digest()).hexdigest()


def flip(data, bit):
    return data[:bit // 8] + bytes([data[bit // 8] ^ 1 << bit % 8]) + data[bit // 8 + 1:]


# ---- the endpoint ----

def test_document(front, root):
    """CBOR by default; its nonce is ours, its user_data the digest of the claims."""
    answer = front.get(f"/attestation?nonce={NONCE}")
    assert (answer.status, answer.get("Content-Type")) == (200, "application/cbor")
    assert answer.get("Cache-Control") == "no-store"
    claims = front.get("/attestation/claims")
    assert (claims.status, claims.get("Content-Type")) == (200, "text/plain; charset=utf-8")
    result = verdict("--nonce", NONCE, "--pcr0", pcr0(), "--root", root, stdin=answer.body)
    assert result["verdict"] == "accepted"
    assert result["document"]["nonce"] == NONCE
    assert result["document"]["user_data"] == hashlib.sha256(claims.body).hexdigest()


def test_json(front, root, tmp_path):
    answer = front.get(f"/attestation?nonce={NONCE}", [("Accept", "application/json")])
    assert (answer.status, answer.get("Content-Type")) == (200, "application/json")
    parts = json.loads(answer.body)
    (tmp_path / "claims").write_text(parts["claims"])
    result = verdict("--nonce", NONCE, "--any-pcrs", "--root", root, "--claims", tmp_path / "claims",
                     stdin=base64.b64decode(parts["document"], validate=True))
    assert result["checks"]["claims"] == "ok"


def test_each_document_is_new(front, root):
    """Cached ones would be alike to the byte, signature and time included."""
    documents = {front.get(f"/attestation?nonce={NONCE}").body for _ in range(3)}
    assert len(documents) == 3


def test_claims_say_what_is_in_force(chain):
    text = chain.front.get("/attestation/claims").body.decode()
    claims = dict(line.split(": ") for line in text.splitlines())
    health = json.loads(chain.inner.get("/health").body)
    assert claims["version"] == health["version"]
    assert claims["policy-sha256"] == health["policy"]["sha256"]
    assert claims["trust-store-sha256"] == health["tls"]["trust_sha256"]
    assert claims["ingress-key-sha256"] == "-"
    with open(NITROPROXY, "rb") as binary:
        assert claims["binary-sha256"] == hashlib.sha256(binary.read()).hexdigest()
    flags = [arg for arg in chain.enclave.popen.args[1:]]
    shown = subprocess.run([NITROPROXY, *flags, "--print-config=json"], capture_output=True, check=True)
    assert claims["config-sha256"] == hashlib.sha256(shown.stdout).hexdigest()


def test_software_is_marked(chain):
    health = json.loads(chain.inner.get("/health").body)
    assert health["security"]["mode"] == "insecure"
    assert any("nsm is software" in why for why in health["security"]["insecure"])
    assert health["attestation"] == {"nsm": "software", "module": "nitroproxy-software-nsm", "debug": False}
    assert chain.enclave.matching("msg=insecure.*nsm is software")


@pytest.mark.parametrize("query, says", [
    ("", "16 to 64"), ("?nonce=", "0 hexadecimal digits"), (f"?nonce={NONCE[:30]}", "30 hexadecimal digits"),
    (f"?nonce={NONCE * 2}00", "130 hexadecimal digits"), (f"?nonce={NONCE[:-1]}x", "hexadecimal"),
    (f"?nonce={NONCE}&x=1", "hexadecimal"), (f"?once={NONCE}", "16 to 64"),
])
def test_bad_nonce(front, query, says):
    answer = front.get(f"/attestation{query}")
    assert answer.status == 400 and says in json.loads(answer.body)["detail"]


def test_other_paths_and_methods(front):
    assert front.get("/attestation/").status == 404
    assert front.get("/attestation/claims?x").status == 400
    assert front.get("/attestations").status == 404
    assert front.request("POST", f"/attestation?nonce={NONCE}", body=b"x").status == 405
    assert front.request("HEAD", "/attestation/claims").status == 405


def test_nonce_lengths(front, root):
    for size in (16, 17, 64):
        nonce = os.urandom(size).hex()
        document = front.get(f"/attestation?nonce={nonce}").body
        assert verdict("--nonce", nonce, "--any-pcrs", "--root", root, stdin=document)["verdict"] == "accepted"


def test_many_at_once(chain, root):
    """Each gets the document over its own nonce, though there is one NSM for all."""
    nonces = [os.urandom(20).hex() for _ in range(40)]
    with concurrent.futures.ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(lambda n: chain.front.get(f"/attestation?nonce={n}"), nonces))
    for nonce, answer in zip(nonces, answers):
        assert answer.status == 200 and bytes.fromhex(nonce) in answer.body


def test_clients_that_go_before_the_answer(chain):
    for _ in range(10):
        client = chain.front.connect()
        client.send_request("GET", f"/attestation?nonce={NONCE}")
        client.close()
    assert chain.front.get(f"/attestation?nonce={NONCE}").status == 200


def test_rate_limit(start_chain):
    chain = start_chain(enclave={"nsm": "software", "limits_attestation_rate": 2})
    answers = [chain.front.get(f"/attestation?nonce={NONCE}") for _ in range(10)]
    statuses = [a.status for a in answers]
    assert statuses[0] == 200 and 429 in statuses
    refused = answers[statuses.index(429)]
    assert int(refused.get("Retry-After")) >= 1 and refused.error == "http_request_denied"
    assert chain.front.get("/attestation/claims").status == 200


@NO_NSM
def test_without_nsm(start_chain):
    chain = start_chain()
    answer = chain.front.get(f"/attestation?nonce={NONCE}")
    assert answer.status == 501 and "no Nitro Security Module" in json.loads(answer.body)["detail"]
    assert chain.front.get("/attestation/root").status == 404
    assert json.loads(chain.inner.get("/health").body)["attestation"] == {"nsm": "none"}
    assert run("--url", chain.front.url, "--any-pcrs").returncode == 2


@NO_NSM
def test_device_must_be_there_when_asked_for():
    done = subprocess.run([NITROPROXY, "enclave", "--nsm", "device", "--listen", "tcp:127.0.0.1:0"],
                          capture_output=True, timeout=20)
    assert done.returncode == 1 and b"nsm" in done.stderr


def test_software_not_by_environment():
    done = subprocess.run([NITROPROXY, "enclave", "--check-config"], capture_output=True, timeout=20,
                          env={**os.environ, "NITROPROXY_NSM": "software"})
    assert done.returncode == 2 and b"not taken from the environment" in done.stderr


# ---- verify --url ----

def test_url(front, chain, root):
    """Document and claims in one answer; the policy is compared by what it means, not by its spelling."""
    result = verdict("--url", front.url, "--pcr0", pcr0(), "--root", root, "--policy", chain.policy,
                     "--binary", NITROPROXY)
    assert result["verdict"] == "accepted"
    assert result["checks"] == {"syntax": "ok", "chain": "ok", "signature": "ok", "pcrs": "ok", "nonce": "ok",
                                "time": "ok", "claims": "ok", "channel": "not asked", "files": "ok",
                               "receipt": "not asked", "exchange": "not asked"}
    done = run("--url", front.url, "--pcr0", pcr0(), "--root", root)
    assert done.returncode == 0 and done.stdout.rstrip().endswith(b"accepted")


def test_url_trust_store_and_config(chain, pki, root, tmp_path):
    shown = subprocess.run([*chain.enclave.popen.args, "--print-config=json"], capture_output=True, check=True)
    (tmp_path / "config").write_bytes(shown.stdout)
    args = ["--url", chain.front.url, "--any-pcrs", "--root", root]
    assert verdict(*args, "--trust-store", pki.root_file, "--config", tmp_path / "config")["verdict"] == "accepted"
    (tmp_path / "config").write_bytes(shown.stdout + b"\n")
    assert verdict(*args, "--config", tmp_path / "config")["reason"] == "claimed_file"
    assert verdict(*args, "--trust-store", tmp_path / "config")["reason"] == "claimed_file"


def test_url_with_a_nonce(front, root):
    result = verdict("--url", front.url, "--nonce", NONCE, "--any-pcrs", "--root", root)
    assert result["document"]["nonce"] == NONCE


def test_refused_for_one_bit(chain, root, tmp_path):
    """Of the PCR, the policy, the nonce, and each byte of the document."""
    good = pcr0()
    args = ["--url", chain.front.url, "--root", root]
    for bit in 0, 200, 383:
        assert verdict(*args, "--pcr0", flip(bytes.fromhex(good), bit).hex())["reason"] == "pcr"
    other = tmp_path / "policy"
    other.write_text(chain.policy.read_text().replace("localhost", "localhosu"))
    assert verdict(*args, "--pcr0", good, "--policy", other)["reason"] == "claimed_file"
    document = chain.front.get(f"/attestation?nonce={NONCE}").body
    held = ["--pcr0", good, "--root", root, "--nonce"]
    assert verdict(*held, NONCE, stdin=document)["verdict"] == "accepted"
    for bit in 0, 131, 255:
        assert verdict(*held, flip(bytes.fromhex(NONCE), bit).hex(), stdin=document)["reason"] == "nonce"
    bits = range(0, 8 * len(document), 8 * len(document) // 240)
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        answers = pool.map(lambda bit: verdict(*held, NONCE, stdin=flip(document, bit))["verdict"], bits)
        assert [bit for bit, answer in zip(bits, answers) if answer != "refused"] == []


def test_aws_root_is_the_default(chain):
    assert verdict("--url", chain.front.url, "--any-pcrs")["reason"] == "root"


@pytest.mark.parametrize("args", [
    ["--url", "ftp://x"], ["--url", "http://127.0.0.1:1/path"], ["--url", "http://127.0.0.1:1"], ["--url", ""],
    ["--url", "http://127.0.0.1:1", "--any-nonce"], ["--url", "http://127.0.0.1:1", "--nonce", "00"],
    ["--url", "http://127.0.0.1:1", "--file", "x"], ["--url", "http://127.0.0.1:1", "--claims", "x"],
    ["--forward", "127.0.0.1:0"], ["--url", "http://127.0.0.1:1", "--forward", "127.0.0.1:0"],
])
def test_url_usage(args):
    done = run(*args, "--any-pcrs")
    assert done.returncode == 2 and done.stderr.startswith(b"nitroproxy verify: ") and not done.stdout


def answering(body, status=200):
    """A service that answers the question with this body."""
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


@pytest.mark.parametrize("body", [
    b"", b"{}", b"[]", b'{"document":"AA=="}', b'{"document":"?","claims":"x"}', b'{"document":1,"claims":2}',
    b'{"claims":"x"', b"x" * 70000, json.dumps({"document": "AA==", "claims": "x" * 2000}).encode(),
    json.dumps({"document": base64.b64encode(bytes(20000)).decode(), "claims": "x"}).encode(),
])
def test_answers_that_are_none(body):
    server = answering(body)
    done = run("--url", f"http://127.0.0.1:{server.server_port}", "--any-pcrs")
    server.shutdown()
    assert done.returncode == 2 and done.stderr.startswith(b"nitroproxy verify: asking for evidence: ")


def test_replayed_answer(chain, root):
    """Somebody plays an enclave with an old answer of a real one."""
    old = chain.front.get(f"/attestation?nonce={NONCE}", [("Accept", "application/json")]).body
    server = answering(old)
    result = verdict("--url", f"http://127.0.0.1:{server.server_port}", "--any-pcrs", "--root", root)
    server.shutdown()
    assert result["reason"] == "nonce"


def test_exchanged_claims(chain, root):
    parts = json.loads(chain.front.get(f"/attestation?nonce={NONCE}", [("Accept", "application/json")]).body)
    parts["claims"] = parts["claims"].replace("version: ", "version: 9")
    server = answering(json.dumps(parts).encode())
    result = verdict("--url", f"http://127.0.0.1:{server.server_port}", "--any-pcrs", "--root", root, "--nonce", NONCE)
    server.shutdown()
    assert result["reason"] == "claims"
