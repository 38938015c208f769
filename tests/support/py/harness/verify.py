"""`nitroproxy verify`, as the tests run it."""
import json
import os
import subprocess

from harness.chain import NITROPROXY
from harness.process import SANITIZERS


def run(*args, stdin=b"", binary=NITROPROXY):
    return subprocess.run([binary, "verify", *map(str, args)], input=stdin, capture_output=True, timeout=60,
                          env={**os.environ, **SANITIZERS})


def verdict(*args, stdin=b"", binary=NITROPROXY):
    """The parsed JSON; exit status and verdict must agree."""
    done = run("--json", *args, stdin=stdin, binary=binary)
    assert done.returncode in (0, 1), done.stderr
    result = json.loads(done.stdout)
    assert (result["verdict"] == "accepted") == (result["reason"] == "none") == (done.returncode == 0)
    return result
