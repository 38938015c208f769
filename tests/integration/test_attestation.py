"""`nitroproxy verify` on the real documents: its verdicts, its exit status, and two other verifiers' opinions."""
import base64
import hashlib
import json
import os
import pathlib
import random
import shutil
import subprocess

import pytest
from harness.chain import NITROPROXY
from harness.verify import run, verdict

TESTS = pathlib.Path(os.environ.get("NP_TESTS", pathlib.Path(__file__).parent.parent))
DATA = TESTS / "data" / "attestation"
MANIFEST = json.loads((DATA / "MANIFEST.json").read_text())
DOCUMENTS = {entry["file"]: entry for entry in MANIFEST["documents"]}
AT = 1668034321
PCR0 = DOCUMENTS["veracruz_doc.cbor"]["pcrs"]["0"]
FREE = ["--any-nonce", "--any-pcrs"]

pytestmark = pytest.mark.skipif(not NITROPROXY, reason="NITROPROXY does not name the executable")


def load(name):
    content = (DATA / name).read_bytes()
    return base64.b64decode(content) if name.endswith(".b64") else content


@pytest.mark.parametrize("entry", MANIFEST["documents"], ids=lambda entry: entry["file"])
def test_manifest(entry):
    content = (DATA / entry["file"]).read_bytes()
    assert hashlib.sha256(content).hexdigest() == entry["sha256"]
    args = ["--file", DATA / entry["file"], *FREE]
    assert verdict(*args)["reason"] == "expired"  # now
    at = ["--at", entry.get("verify_at_epoch", AT)]
    if entry["expect_at_doc_time"] == "reject":
        assert verdict(*args, *at)["reason"] == "signature"
        return
    if entry["debug_mode"]:
        assert verdict(*args, *at)["reason"] == "debug_mode"
        at.append("--allow-debug")
    result = verdict(*args, *at)
    assert result["verdict"] == "accepted"
    document = result["document"]
    assert document["module_id"] == entry["module_id"]
    assert document["timestamp"] == entry["timestamp_ms"]
    assert document["debug"] == entry["debug_mode"]
    assert {n: v for n, v in document["pcrs"].items() if v.strip("0")} == entry["pcrs"]
    for field in "user_data", "nonce", "public_key":
        assert len(document[field] or "") == 2 * entry[field + "_len"]


def test_table():
    done = run("--file", DATA / "veracruz_doc.cbor", "--any-nonce", "--pcr0", PCR0, "--at", "2022-11-09T22:52:01Z")
    assert done.returncode == 0
    lines = done.stdout.decode().splitlines()
    assert [line.split()[0:2] for line in lines[:4]] == [["syntax", "ok"], ["chain", "ok"], ["signature", "ok"],
                                                         ["pcrs", "ok"]]
    assert f"PCR0       {PCR0}" in lines
    assert lines[-1] == "accepted"
    done = run("--file", DATA / "veracruz_doc.cbor", "--any-nonce", "--pcr0", PCR0, "--at", 1)
    assert done.returncode == 1
    assert "refused (not_yet_valid): certificate 1 of 5" in done.stdout.decode()


def test_one_bit():
    """One bit of document, nonce, PCR, claims or policy is enough."""
    document = load("veracruz_doc.cbor")
    nonce = verdict("--at", AT, *FREE, stdin=document)["document"]["nonce"]
    good = ["--at", AT, "--nonce", nonce, "--pcr0", PCR0]
    assert verdict(*good, stdin=document)["verdict"] == "accepted"
    flip = lambda text: f"{int(text[0], 16) ^ 1:x}{text[1:]}"
    assert verdict("--at", AT, "--nonce", flip(nonce), "--pcr0", PCR0, stdin=document)["reason"] == "nonce"
    assert verdict("--at", AT, "--nonce", nonce, "--pcr0", flip(PCR0), stdin=document)["reason"] == "pcr"
    position = document.index(bytes.fromhex(nonce))
    changed = document[:position] + bytes([document[position] ^ 1]) + document[position + 1:]
    assert verdict(*good, stdin=changed)["reason"] == "signature"


def test_forms(tmp_path):
    document = load("veracruz_doc.cbor")
    args = ["--at", AT, *FREE]
    lines = base64.encodebytes(document)
    assert verdict(*args, stdin=lines)["verdict"] == "accepted"
    assert verdict(*args, stdin=b"\xd2" + document)["verdict"] == "accepted"  # tagged
    for bad in b"", b"no document", lines[:-8], document + b"\0", document[:-1], document * 2:
        assert verdict(*args, stdin=bad)["reason"] in ("encoding", "envelope")
    other = tmp_path / "root.pem"
    pem = (TESTS.parent / "config" / "aws_nitro_root_g1.pem").read_text()
    other.write_text(pem)
    assert verdict(*args, "--root", other, stdin=document)["verdict"] == "accepted"


def test_max_age():
    args = ["--file", DATA / "veracruz_doc.cbor", *FREE]
    assert verdict(*args, "--at", AT + 299, "--max-age", "5m")["verdict"] == "accepted"
    assert verdict(*args, "--at", AT + 300, "--max-age", "5m")["reason"] == "age"


CLAIMS = """nitroproxy-claims: 2
version: 1.0
binary-sha256: -
policy-sha256: {policy}
trust-store-sha256: -
config-sha256: -
ingress-key-sha256: -
receipt-key-sha256: -
"""


@pytest.fixture(scope="module")
def signer():
    pytest.importorskip("cryptography", reason="python3-cryptography is not installed")
    import reference_signer

    return reference_signer.Signer(AT)


@pytest.fixture
def bound(signer, tmp_path):
    """Gives arguments and document, whose user_data is the digest of these claims (or of others)."""
    (tmp_path / "root.der").write_bytes(signer.chain[0])

    def make(claims, digest_of=None):
        (tmp_path / "claims").write_text(claims)
        user_data = hashlib.sha256((digest_of or claims).encode()).digest()
        args = ["--root", tmp_path / "root.der", "--at", AT, "--any-nonce", "--pcr2", "03" * 48,
                "--claims", tmp_path / "claims"]
        return args, signer.document(user_data=user_data)
    return make


def test_claims(bound, tmp_path):
    policy = tmp_path / "policy"
    policy.write_text("allow GET https://example.com/")
    claims = CLAIMS.format(policy=hashlib.sha256(policy.read_bytes()).hexdigest())
    args, document = bound(claims)
    result = verdict(*args, "--policy", policy, stdin=document)
    assert result["verdict"] == "accepted"
    assert set(result["checks"].values()) == {"ok", "not asked"} and result["checks"]["files"] == "ok"
    assert f"policy      {claims.split()[7]}" in run(*args, stdin=document).stdout.decode()

    policy.write_text("allow GET https://example.org/")
    result = verdict(*args, "--policy", policy, stdin=document)
    assert result["reason"] == "claimed_file"
    assert (result["checks"]["claims"], result["checks"]["files"]) == ("ok", "failed")
    assert verdict(*args, "--config", policy, stdin=document)["reason"] == "claimed_file"  # none is claimed
    assert run(*args, "--policy", "/nonexistent", stdin=document).returncode == 2


def test_claims_not_bound(bound):
    claims = CLAIMS.format(policy="-")
    args, document = bound(claims, digest_of=claims.replace("1.0", "1.1"))
    result = verdict(*args, stdin=document)
    assert result["reason"] == "claims" and result["checks"]["claims"] == "failed"
    assert "document" not in result


def test_claims_unknown(bound):
    """Bound, but not of a form we know how to read."""
    for text in CLAIMS.format(policy="-").replace(": 2\n", ": 3\n", 1), "x", CLAIMS.format(policy="0" * 63), "":
        args, document = bound(text)
        assert verdict(*args, stdin=document)["reason"] == "claims"


def test_other_root(signer):
    """What another root vouches for is good for those alone who ask for that root."""
    assert verdict("--at", AT, *FREE, stdin=signer.document())["reason"] == "root"


@pytest.mark.parametrize("args", [
    [], ["--any-nonce"], ["--any-pcrs"], ["--nonce", "00"], ["--nonce", "0", "--any-pcrs"],
    ["--nonce", "zz", "--any-pcrs"], ["--nonce", "00", "--any-nonce", "--any-pcrs"],
    ["--any-nonce", "--pcr0", "00", "--any-pcrs"], ["--any-nonce", "--pcr32", "00"], [*FREE, "--at", "tomorrow"],
    [*FREE, "--at", ""], [*FREE, "--max-age", "0"], [*FREE, "--max-age", "-1"], [*FREE, "--max-age", "5x"],
    [*FREE, "--file", "/nonexistent"], [*FREE, "--root", "/dev/null"], [*FREE, "--policy", "/dev/null"],
    [*FREE, "--frobnicate"], [*FREE, "extra"], [*FREE, "--file"],
])
def test_usage(args):
    done = run(*args, stdin=load("veracruz_doc.cbor"))
    assert done.returncode == 2
    assert done.stderr.startswith(b"nitroproxy verify: ") and done.stdout == b""


def test_help():
    done = run("--help")
    assert done.returncode == 0
    assert all(len(line) <= 80 for line in done.stdout.decode().splitlines())


def mutants(document, count, seed):
    """The document with a byte changed, dropped, doubled, or two pieces exchanged; always the same ones."""
    dice = random.Random(seed)
    for _ in range(count):
        at, n = dice.randrange(len(document)), dice.choice([1, 1, 1, 2, 8, 100])
        kind = dice.choice(["flip", "flip", "set", "drop", "double", "move"])
        if kind == "flip":
            yield document[:at] + bytes([document[at] ^ 1 << dice.randrange(8)]) + document[at + 1:]
        elif kind == "set":
            yield document[:at] + bytes([dice.choice([0, 0x7f, 0x80, 0xff])]) + document[at + 1:]
        elif kind == "drop":
            yield document[:at] + document[at + n:]
        elif kind == "double":
            yield document[:at + n] + document[at:]
        else:
            yield document[:at] + document[at + n:at + 2 * n] + document[at:at + n] + document[at + 2 * n:]


def test_against_reference():
    """What ours accepts OpenSSL accepts too; what only ours refuses, it refuses for its form."""
    pytest.importorskip("cryptography", reason="python3-cryptography is not installed")
    import reference_verifier

    tried = 0
    for name, entry in DOCUMENTS.items():
        at, document = entry.get("verify_at_epoch", AT), load(name)
        for mutant in [document, *mutants(document, 25, name)]:
            ours = verdict(*FREE, "--allow-debug", "--at", at, stdin=mutant)
            try:
                theirs = reference_verifier.verify(mutant, at)
            except reference_verifier.Refused:
                assert ours["verdict"] == "refused"
            else:
                if ours["verdict"] == "accepted":
                    assert ours["document"]["pcrs"] == {str(n): v.hex() for n, v in theirs["pcrs"].items()}
                else:
                    assert ours["reason"] in ("encoding", "envelope", "field")
            tried += 1
    assert tried == 26 * len(DOCUMENTS)


CLOCK = r"""
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>
int clock_gettime(clockid_t id, struct timespec *t)
{
	if (id != CLOCK_REALTIME)
		return (int)syscall(SYS_clock_gettime, id, t);
	*t = (struct timespec){atoll(getenv("AT")), 0};
	return 0;
}
"""

ATTEST = r"""
const fs = require('fs'), { attestEnclave } = require('@evervault/attestation-bindings');
const [cert, ...documents] = process.argv.slice(1).map((name) => fs.readFileSync(name));
console.log(JSON.stringify(documents.map((d) => attestEnclave(cert, [], d))));
"""


def test_against_evervault(tmp_path):
    """Evervault's verifier (Rust, npm) on the document that binds a certificate's key, and on mutants of it.

    Needs node, a C compiler, and NP_NODE_MODULES: a directory where
    `npm install @evervault/attestation-bindings` was run. It takes no time, so its clock is set.
    """
    modules = os.environ.get("NP_NODE_MODULES")
    if not modules or not shutil.which("node") or not shutil.which("cc"):
        pytest.skip("needs node, cc and NP_NODE_MODULES with @evervault/attestation-bindings")
    (tmp_path / "clock.c").write_text(CLOCK)
    clock = tmp_path / "clock.so"
    subprocess.run(["cc", "-shared", "-fPIC", "-o", clock, tmp_path / "clock.c"], check=True)
    at, document = DOCUMENTS["evervault_ga_doc.b64"]["verify_at_epoch"], load("evervault_ga_doc.b64")
    all_of_them = [document, *mutants(document, 60, "evervault")]
    files = []
    for i, mutant in enumerate(all_of_them):
        files.append(tmp_path / str(i))
        files[-1].write_bytes(mutant)
    done = subprocess.run(["node", "-e", ATTEST, DATA / "evervault_ga_tls_cert.der", *files], capture_output=True,
                          cwd=modules, timeout=120, check=True,
                          env={**os.environ, "AT": str(at), "LD_PRELOAD": str(clock)})
    theirs = json.loads(done.stdout.splitlines()[-1])
    assert theirs[0] is True
    for mutant, their_verdict in zip(all_of_them, theirs):
        ours = verdict(*FREE, "--allow-debug", "--at", at, stdin=mutant)
        if their_verdict:
            assert ours["verdict"] == "accepted" or ours["reason"] in ("encoding", "envelope", "field")
        else:
            assert ours["verdict"] == "refused"
