"""`dev.sh enclave --once`, behind its builds."""
import os
import subprocess

from conftest import figure
from vm import STATIC, TREE, VSOCKD
from harness.chain import NITROPROXY


def test_every_step_is_as_it_should(emulator):
    done = subprocess.run([TREE / "tests/enclave/show.py", "--once"], capture_output=True, text=True, timeout=400,
                          env={**os.environ, "NITROPROXY": NITROPROXY, "NP_STATIC": STATIC, "NP_VSOCKD": VSOCKD})
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("  ok: ") == 7
    for line in done.stdout.splitlines():
        if " s  " in line:
            figure(f"dev.sh enclave: {line.strip()}")
