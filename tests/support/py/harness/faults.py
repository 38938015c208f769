"""What tests of faults share: whom they befall, the oracle, calls that are made to fail."""
import shutil
import time

import pytest

from .chain import NITROPROXY, is_sanitized
from .origin import pattern

SANITIZED = bool(NITROPROXY) and is_sanitized(NITROPROXY)
ROLES = ("host", "enclave", "tunnel")
NO_RETRIES = {"host_proxy_max_retries": "0"}

plain_build = pytest.mark.skipif(SANITIZED, reason="a sanitizer has memory, descriptors and calls of its own")


def served(front, origin, within=2):
    """The next request works, at the latest after `within` seconds."""
    end = time.monotonic() + within
    while True:
        answer = front.get(f"{origin.url}/bytes/7")
        if answer.status == 200 and answer.body == pattern(7):
            return True
        assert time.monotonic() < end, (answer.status, answer.details)
        time.sleep(0.05)


def traced(directory, inject):
    """An executable that is ours under strace, which makes a system call fail: CALL:error=ERRNO[:when=FIRST+STEP]."""
    if not shutil.which("strace"):
        pytest.skip("strace is not installed")
    script = directory / "traced"
    script.write_text(f'#!/bin/sh\nexec strace -f -D -qq -o "{directory}/trace" -e trace={inject.split(":")[0]} '
                      f'-e inject={inject} "{NITROPROXY}" "$@"\n')
    script.chmod(0o755)
    return str(script)
