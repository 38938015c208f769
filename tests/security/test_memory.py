"""
The n-th allocation fails, for n from the first one of an exchange to the last, in each role, under load (fault 18;
fail_alloc.c). The process says so and ends, at once and with a status of its own; nobody is given half an answer as a
whole one, no order is done twice; a new process serves.

NP_LONG=1 tries every single n.
"""
import mmap
import os
import struct
import subprocess
import threading

import pytest
from harness.chain import NITROPROXY, is_sanitized
from harness.client import Cut

SHIM = os.environ.get("NP_FAIL_ALLOC")
OUT_OF_MEMORY = 71  # MEM_EXHAUSTED_STATUS of base/mem.h
TRIES = 1 << 30 if os.environ.get("NP_LONG") == "1" else 60
CLIENTS = 4
BODY = b"order" * 2000

pytestmark = [
    pytest.mark.skipif(not SHIM or not os.path.exists(SHIM), reason="NP_FAIL_ALLOC does not name fail_alloc.so"),
    pytest.mark.skipif(bool(NITROPROXY) and is_sanitized(NITROPROXY), reason="a sanitizer has an allocator of its own")]


class Countdown:
    """The shim's number, shared with the process that runs under it."""

    def __init__(self, path):
        path.write_bytes(struct.pack("q", -1))
        with open(path, "r+b") as file:
            self.map = mmap.mmap(file.fileno(), 8)

    def set(self, n):
        self.map[:] = struct.pack("q", n)

    def get(self):
        return struct.unpack("q", self.map[:])[0]


@pytest.fixture(params=["host", "enclave", "tunnel"])
def scene(request, start_chain, tmp_path):
    """A chain without pools, so that each exchange does all there is to do, with one role under the shim."""
    chain = start_chain(host={"host_proxy_max_retries": "0", "timeouts_pool_idle": "1ms"},
                        enclave={"limits_pool_idle": "0"})
    role, countdown = request.param, Countdown(tmp_path / "left")
    chain.settings["host"]["port"] = chain.front.port
    chain.processes[role].stop()

    def start():
        countdown.set(-1)
        return chain.start(role, env={"LD_PRELOAD": SHIM, "FAIL_ALLOC": str(tmp_path / "left")})

    start()
    return chain, countdown, role, start


def orders(chain, origin, url, count):
    """That many at a time; each a (status, body), None when there was no answer or a cut one."""
    answers, lock = [], threading.Lock()

    def one():
        try:
            answer = chain.front.request("POST", url, [], BODY)
            got = answer.status, answer.body
        except (Cut, OSError):
            got = None
        with lock:
            answers.append(got)

    threads = [threading.Thread(target=one) for _ in range(count)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    return answers


def ends(process):
    """Where a library can do without what it was refused, it is the next allocation that ends the process."""
    try:
        process.popen.wait(1)
    except subprocess.TimeoutExpired:
        return False
    return True


def test_the_nth_allocation_fails(scene, origin):
    chain, countdown, role, start = scene
    whole = b"w" * 30_000

    def handler(connection, _request):
        connection.read_body()
        connection.reply(200, [], whole)

    url = origin.serve(handler)
    assert orders(chain, origin, url, CLIENTS) == [(200, whole)] * CLIENTS
    countdown.set(1 << 40)
    assert orders(chain, origin, url, CLIENTS) == [(200, whole)] * CLIENTS
    needed = (1 << 40) - countdown.get()
    assert needed > 20, "the shim does not count"
    deaths = 0
    for n in range(0, needed, max(1, needed // TRIES)):
        seen = len(origin.seen(url))
        process = chain.processes[role]
        countdown.set(n)
        answers = orders(chain, origin, url, CLIENTS)
        dead = countdown.get() == 0 and ends(process)
        countdown.set(-1)
        assert len(origin.seen(url)) - seen <= CLIENTS, n
        for answer in answers:
            assert answer is None or answer[0] in (500, 502, 503, 504) or answer == (200, whole), n
        if dead:
            assert process.wait() == OUT_OF_MEMORY, (n, process.tail())
            assert process.matching("out of memory")
            process.killed = True
            deaths += 1
            start()
        assert orders(chain, origin, url, 1) == [(200, whole)], n
    assert deaths > 10
