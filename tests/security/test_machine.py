"""
What an enclave asks of the machine under it, answered wrongly: entropy, the security module, the clock. Without entropy
there is no enclave; a module that fails costs the document alone; a wrong clock makes no certificate good.
"""
import os
import pathlib
import subprocess
import threading
import time

import pytest
from harness.faults import plain_build, served, traced

BAD_NSM = os.environ.get("NP_BAD_NSM", "")


@plain_build
def test_no_entropy(tmp_path, pki):
    """Keys from nowhere would be worse than no enclave."""
    binary = traced(tmp_path, "getrandom:error=EIO")
    done = subprocess.run([binary, "enclave", f"--listen=unix:{tmp_path}/e", f"--tunnel=unix:{tmp_path}/t",
                           f"--ca-file={pki.root_file}"], capture_output=True, text=True, timeout=20)
    assert done.returncode == 1 and "no cryptography" in done.stderr


@plain_build
@pytest.mark.skipif(not os.path.exists(BAD_NSM), reason="NP_BAD_NSM does not name bad_nsm.so")
@pytest.mark.parametrize("how", ["error", "short", "garbage", "other", "long", "slow"])
def test_a_security_module_that_fails(start_chain, origin, how):
    """There is no document, and nobody else notices (bad_nsm.c stands for the device)."""
    chain = start_chain(enclave={"sandbox": "off"})
    assert served(chain.front, origin)
    chain.enclave.stop()
    chain.settings["enclave"]["nsm"] = "device"
    chain.start("enclave", env={"LD_PRELOAD": BAD_NSM, "NSM_FAULT": how})
    asked = []
    thread = threading.Thread(target=lambda: asked.append(chain.front.get(f"/attestation?nonce={'00' * 20}")))
    thread.start()
    started = time.monotonic()
    assert served(chain.front, origin) and served(chain.inner, origin)
    assert time.monotonic() - started < 1.5
    thread.join(10)
    assert asked and asked[0].status == 503 and asked[0].error
    assert b"garbage" not in asked[0].body
    assert chain.enclave.running() and served(chain.front, origin)


def faketime_library():
    found = list(pathlib.Path("/usr/lib").glob("*/faketime/libfaketime.so.1"))
    return found[0] if found else None


@plain_build
@pytest.mark.skipif(not faketime_library(), reason="faketime is not installed")
def test_the_clock_jumps(start_chain, origin, tmp_path):
    """Certificates are judged by the time it is now; timers run by the monotonic clock and do not notice."""
    stamp = tmp_path / "time"
    stamp.write_text("+0d\n")
    chain = start_chain(enclave={"limits_pool_idle": "0", "sandbox": "off"})  # the library reads its file again and again
    chain.enclave.stop()
    chain.start("enclave", env={"LD_PRELOAD": str(faketime_library()), "FAKETIME_TIMESTAMP_FILE": str(stamp),
                                "FAKETIME_NO_CACHE": "1", "FAKETIME_DONT_FAKE_MONOTONIC": "1", "DONT_FAKE_MONOTONIC": "1"})
    assert served(chain.front, origin)
    for offset, status in (("+40d", 502), ("-1h", 200), ("+40d", 502), ("+0d", 200)):
        stamp.write_text(offset + "\n")
        started = time.monotonic()
        answer = chain.front.get(f"{origin.url}/bytes/7")
        assert (offset, answer.status) == (offset, status)
        assert status == 200 or answer.error in ("tls_certificate_error", "proxy_internal_error")
        assert time.monotonic() - started < 2


@plain_build
@pytest.mark.skipif(not faketime_library(), reason="faketime is not installed")
def test_the_clock_was_never_set(start_chain, origin):
    chain = start_chain(enclave={"sandbox": "off"})
    chain.enclave.stop()
    chain.start("enclave", env={"LD_PRELOAD": str(faketime_library()), "FAKETIME": "@1970-01-01 00:00:10",
                                "FAKETIME_DONT_FAKE_MONOTONIC": "1", "DONT_FAKE_MONOTONIC": "1"})
    seen = len(origin.requests)
    answer = chain.front.get(f"{origin.url}/bytes/7")
    assert answer.status in (500, 502, 503)
    assert len(origin.requests) == seen
