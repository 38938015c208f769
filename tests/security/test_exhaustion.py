"""Descriptors or memory run out, one role at a time: definite answers, and all is well once there is enough again."""
import hashlib
import resource
import threading
import time

import pytest
from harness.client import Cut
from harness.faults import NO_RETRIES, ROLES, plain_build, served

OUT_OF_MEMORY = 71  # the exit status: MEM_EXHAUSTED_STATUS of base/mem.h


@plain_build
@pytest.mark.parametrize("role", ROLES)
def test_descriptors_run_out(start_chain, origin, role):
    """No spin, no end; what cannot be served now waits or is refused, and later all is well."""
    chain = start_chain(host=NO_RETRIES)
    assert served(chain.front, origin)
    process = chain.processes[role]
    resource.prlimit(process.pid, resource.RLIMIT_NOFILE, (process.descriptors() + 6, 20_000))
    results, lock = [], threading.Lock()

    def one():
        try:
            with chain.front.connect() as client:
                client.socket.settimeout(3)
                client.send_request("POST", f"/{origin.url}/sha256", [], b"x" * 100)
                status = client.response().status
        except (Cut, OSError):
            status = None
        with lock:
            results.append(status)

    threads = [threading.Thread(target=one) for _ in range(100)]
    cpu = process.cpu_seconds()
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    time.sleep(0.5)
    assert process.cpu_seconds() - cpu < 2
    assert process.running()
    assert set(results) <= {200, 502, 503, 504, None} and 200 in results
    resource.prlimit(process.pid, resource.RLIMIT_NOFILE, (20_000, 20_000))
    assert served(chain.front, origin, within=5)


@plain_build
@pytest.mark.parametrize("role", ROLES)
def test_memory_runs_out(start_chain, origin, role):
    """It says so and ends; nobody is given half an answer as a whole one, and a new one serves."""
    chain = start_chain(host=NO_RETRIES)
    assert served(chain.front, origin)
    process = chain.processes[role]
    with open(f"/proc/{process.pid}/statm") as statm:
        size = int(statm.read().split()[0]) * 4096
    resource.prlimit(process.pid, resource.RLIMIT_AS, (size + (2 << 20), resource.RLIM_INFINITY))
    front, wholes = chain.front, []

    def one():
        try:
            with front.connect() as client:
                client.socket.settimeout(5)
                client.send_request("POST", f"/{origin.url}/sha256", [], b"y" * 500_000)
                answer = client.response()
                if answer.status == 200:
                    wholes.append(answer.body)
        except (Cut, OSError):
            pass

    for _ in range(3):
        threads = [threading.Thread(target=one) for _ in range(150)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
    assert set(wholes) <= {b"500000 " + hashlib.sha256(b"y" * 500_000).hexdigest().encode()}
    if process.running():  # it held out: the limits on connections are what is meant to keep it from there
        resource.prlimit(process.pid, resource.RLIMIT_AS, (resource.RLIM_INFINITY,) * 2)
    else:
        assert process.wait() == OUT_OF_MEMORY
        assert process.matching("out of memory")
        process.killed = True
        chain.start(role)
    assert served(chain.front, origin, within=5)
