"""What `nitroproxy verify` makes of receipts: good ones in all forms, wrong ones, and those that curl has kept."""
import base64
import json
import pathlib
import re
import subprocess
import tempfile

import pytest
from harness.chain import NITROPROXY, Chain
from harness.origin import echo, pattern
from harness.receipts import WANT, chain, receipt_of  # noqa: F401
from harness.servers import nginx
from harness.verify import run, verdict
from reference_receipt import read


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
