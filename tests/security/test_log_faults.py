"""A log that takes nothing more: a full disk, a closed stderr, a reader that stops. Service goes on without it."""
import os
import subprocess
import time

import pytest
from harness.chain import NITROPROXY, flags
from harness.client import Cut
from harness.faults import ROLES, served
from harness.origin import pattern
from harness.process import Process
from harness.until import wait_until


def metric(front, name):
    for line in front.get("/metrics").body.decode().splitlines():
        if line.startswith(name) and not line.startswith("#"):
            return float(line.rsplit(" ", 1)[1])
    raise KeyError(name)


def _try(act):
    try:
        return act()
    except (AssertionError, OSError, Cut):
        return False


@pytest.mark.parametrize("role", ROLES)
def test_full_disk_under_the_log(start_chain, origin, role):
    """/dev/full answers each write with ENOSPC. Service goes on, and the lost lines are counted."""
    chain = start_chain(start=False)
    process = {}
    for r in ("tunnel", "enclave", "host"):
        if r == role:
            process[r] = None
        chain.start(r)
    chain.processes[role].stop()
    settings = {**chain.settings[role], "logging_file": "/dev/full"}
    if role == "host":
        settings["port"] = chain.front.port
    if role == "enclave":
        settings["http_listen"] = f"tcp:127.0.0.1:{chain.inner.port}"
    chain.processes[role] = Process(role, [NITROPROXY, role, *flags(settings)])
    wait_until(lambda: _try(lambda: served(chain.front, origin)), "not served")
    if role != "tunnel":
        front = chain.front if role == "host" else chain.inner
        assert metric(front, "nitroproxy_log_dropped_total") > 3


def test_stderr_closed(start_chain, origin):
    """The first socket must not become descriptor 2: a client would be sent the log."""
    chain = start_chain()
    port = chain.front.port
    for role in ("host", "enclave"):
        chain.processes[role].stop()
        settings = {**chain.settings[role], "logging_level": "debug"}
        settings["port" if role == "host" else "http_listen"] = \
            port if role == "host" else f"tcp:127.0.0.1:{chain.inner.port}"
        chain.processes[role] = Process(role, [NITROPROXY, role, *flags(settings)],
                                        preexec_fn=lambda: [os.close(fd) for fd in (0, 1, 2)])
    wait_until(lambda: _try(lambda: served(chain.front, origin)), "not served")
    for _ in range(20):
        assert chain.front.get(f"{origin.url}/bytes/70000").body == pattern(70000)
        assert chain.inner.get(f"{origin.url}/bytes/70000").body == pattern(70000)


def test_reader_of_the_log_stops_reading(start_chain, origin):
    """A pipe that is full: lines are lost, nobody waits."""
    chain = start_chain()
    read_end, write_end = os.pipe()
    chain.host.stop()
    settings = {**chain.settings["host"], "port": chain.front.port, "logging_level": "debug"}
    popen = subprocess.Popen([NITROPROXY, "host", *flags(settings)], stderr=write_end)
    os.close(write_end)
    try:
        wait_until(lambda: _try(lambda: served(chain.front, origin)), "not served")
        for _ in range(600):
            started = time.monotonic()
            assert chain.front.get(f"{origin.url}/bytes/7").status == 200
            assert time.monotonic() - started < 2
        assert metric(chain.front, "nitroproxy_log_dropped_total") > 0
    finally:
        popen.terminate()
        assert popen.wait(20) == 0
        os.close(read_end)
    chain.processes.pop("host")
