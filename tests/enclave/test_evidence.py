"""Evidence of the emulated enclave, fetched through the host: right in all but the signature, which nobody made.

What a signature covers is shown by the software NSM (tests/integration/test_attestation_endpoint.py) and by AWS's own
documents (tests/unit/nsm); here it is that the measurements of `nitroproxy image build` are what the NSM of a booted
image reports, that nonce, policy and TLS key come out in the document, and that the verifier sees each other bit.
"""
import base64
import concurrent.futures
import json
import os
import pathlib
import re
import tempfile

import pytest

import vm
from conftest import enclave_config
from harness.verify import run, verdict

RULE = "denied.example:443/v1/ GET"
POLICY = f"mode enforce\ndefault allow\ndeny {RULE}\n"


@pytest.fixture(scope="module")
def image(workdir, pki, emulator):
    """With a policy of its own, so that there is something to tell from another."""
    config = enclave_config()
    config["policy"].update(deny=[RULE])
    return vm.build_image(workdir, config, pki.root_file)


@pytest.fixture(scope="module")
def chain(workdir, image):
    directory = pathlib.Path(tempfile.mkdtemp(dir=workdir))
    chain = vm.EmulatedChain(directory, image[0], host={"ingress_listen": "tcp:127.0.0.1:0",
                                                        "ingress_enclave": f"hybrid:{directory}/v:5443"})
    found = chain.host.wait_line(r"msg=listen what=ingress address=tcp:127\.0\.0\.1:(\d+)")
    chain.ingress = f"https://127.0.0.1:{found.group(1)}"
    chain.wait_ready()
    yield chain
    chain.stop()


@pytest.fixture(scope="module")
def measured(image):
    """--pcr0 .. --pcr2 as `nitroproxy image build` printed them."""
    return [word for i in range(3) for word in (f"--pcr{i}", image[1][f"PCR{i}"])]


@pytest.fixture
def policy(tmp_path):
    (tmp_path / "policy").write_text(POLICY)
    return tmp_path / "policy"


def flip(data, bit):
    return data[:bit // 8] + bytes([data[bit // 8] ^ 1 << bit % 8]) + data[bit // 8 + 1:]


def flip_hex(text, bit):
    return flip(bytes.fromhex(text), bit).hex()


def fetch(chain, nonce):
    """Document and claims, as one answer brings them."""
    answer = chain.front.get(f"/attestation?nonce={nonce}", [("Accept", "application/json")])
    assert answer.status == 200, answer.body
    parts = json.loads(answer.body)
    return base64.b64decode(parts["document"], validate=True), parts["claims"]


def test_accepted_when_told_so(chain, measured, policy):
    """The whole way: nonce, host, vsock, NSM, and back; measurements, claims and policy are those of the build."""
    done = run("--url", chain.front.url, "--allow-unsigned", *measured, "--policy", policy)
    assert done.returncode == 0, done.stdout + done.stderr
    lines = done.stdout.decode().splitlines()
    rows = {line.split()[0]: line[11:23].rstrip() for line in lines[:lines.index("")]}
    assert {name: how for name, how in rows.items() if how != "not asked"} == {
        "syntax": "ok", "chain": "NOT CHECKED", "signature": "NOT CHECKED", "pcrs": "ok", "nonce": "ok", "time": "ok",
        "claims": "ok", "files": "ok"}
    assert lines[-1].startswith("accepted UNSIGNED") and b"WARNING" in done.stderr
    result = verdict("--url", chain.front.url, "--allow-unsigned", *measured)
    assert result["insecure"] == ["unsigned"]


def test_refused_otherwise(chain, measured):
    done = run("--url", chain.front.url, *measured)
    assert done.returncode == 1 and b"refused (envelope)" in done.stdout


def test_no_forwarding_to_anybody(chain, measured):
    done = run("--url", chain.ingress, "--allow-unsigned", *measured, "--forward", "tcp:127.0.0.1:0")
    assert done.returncode == 2 and not done.stdout


def test_the_ingress_ends_in_there(chain, measured):
    """The key that ends TLS on the host's port is the one that the enclave's claims name."""
    result = verdict("--url", chain.ingress, "--allow-unsigned", *measured)
    assert (result["verdict"], result["checks"]["channel"]) == ("accepted", "ok")
    assert verdict("--url", chain.ingress, *measured)["reason"] == "envelope"


def test_one_bit_of_what_is_asked_for(chain, measured, policy):
    """Each PCR, the nonce, the policy."""
    nonce = os.urandom(32).hex()
    document, claims = fetch(chain, nonce)
    (policy.parent / "claims").write_text(claims)

    def ask(*args, nonce=nonce):
        return verdict("--allow-unsigned", "--nonce", nonce, "--claims", policy.parent / "claims", *args,
                       stdin=document)["reason"]

    assert ask(*measured, "--policy", policy) == "none"
    for index in 1, 3, 5:
        for bit in range(0, 384, 47):
            assert ask(*measured[:index], flip_hex(measured[index], bit), *measured[index + 1:]) == "pcr"
    for bit in range(0, 256, 17):
        assert ask(*measured, nonce=flip_hex(nonce, bit)) == "nonce"
    for other in ("deny", "allow"), ("443", "444"), ("/v1/", "/v2/"), ("GET", "PUT"), ("example", "examplf"):
        policy.write_text(POLICY.replace(*other))
        assert ask(*measured, "--policy", policy) == "claimed_file"


def free_bytes(document):
    """Where the form lets a value be another one and nobody can know: the module's name and the time."""
    name = re.search(rb"\x69module_id(?:[\x60-\x77]|\x78.)", document, re.S).end()
    time = document.index(b"\x69timestamp\x1b") + 11
    return {*range(name, document.index(b"\x66digest")), *range(time, time + 8)}


def test_one_bit_of_the_document(chain, measured, tmp_path):
    """One of every byte: envelope, lengths, field names, PCRs, nonce, digest of the claims, and the empty signature."""
    nonce = os.urandom(32).hex()
    document, claims = fetch(chain, nonce)
    (tmp_path / "claims").write_text(claims)
    held = ["--allow-unsigned", "--nonce", nonce, *measured, "--claims", tmp_path / "claims",
            *(word for i in range(3, 16) for word in (f"--pcr{i}", "00" * 48))]

    def ask(document):
        return verdict(*held, stdin=document, binary=vm.STATIC)["verdict"]

    assert ask(document) == "accepted"
    covered = [at for at in range(len(document)) if at not in free_bytes(document)]
    assert len(covered) > 1000 and len(document) - len(covered) < 40
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        answers = pool.map(lambda at: ask(flip(document, 8 * at + at % 8)), covered)
        assert [at for at, answer in zip(covered, answers) if answer != "refused"] == []


def test_a_replayed_document(chain, measured):
    """An old one does not answer a new nonce."""
    old, _ = fetch(chain, os.urandom(32).hex())
    assert verdict("--allow-unsigned", "--nonce", os.urandom(32).hex(), *measured, stdin=old)["reason"] == "nonce"
