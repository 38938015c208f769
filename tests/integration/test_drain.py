"""How the roles end: what runs is finished, nothing new is begun, and a second signal means now."""
import os
import signal
import threading

import pytest
from harness.client import Cut
from harness.origin import pattern
from harness.process import Process
from harness.trunks import trunk_chain

ROLES = ["host", "enclave", "tunnel"]


@pytest.fixture
def held(origin):
    """A URL whose answer has begun and ends when the test says so."""
    class Held:
        def __init__(self):
            self.go_on = threading.Event()
            self.url = origin.serve(self.answer)

        def answer(self, connection, _request):
            connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 200000\r\n\r\n" + pattern(100_000))
            assert self.go_on.wait(20)
            connection.send(pattern(200_000)[100_000:])

    holder = Held()
    yield holder
    holder.go_on.set()


def begin(front, url):
    client = front.connect()
    client.send_request("GET", f"/{url}")
    return client, client.head()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("role", ROLES)
def test_what_runs_is_finished(start_chain, held, role, number):
    chain = start_chain()
    client, answer = begin(chain.front, held.url)
    process = chain.processes[role]
    process.signal(number)
    process.wait_line("msg=drain")
    held.go_on.set()
    assert client.body(answer).body == pattern(200_000)
    assert process.wait() == 0
    client.close()


@pytest.mark.parametrize("role", ROLES)
def test_idle_means_at_once(start_chain, origin, role):
    """Idle connections, kept by clients and pools, hold nobody up."""
    chain = start_chain()
    with chain.front.connect() as client:
        client.send_request("GET", f"/{origin.url}/bytes/5")
        assert client.response().status == 200
        process = chain.processes[role]
        process.signal(signal.SIGTERM)
        assert process.wait(10) == 0


@pytest.mark.skipif(os.environ.get("NITROPROXY_TRUNK") == "false",
                    reason="without a trunk nobody tells that he wants to go")
@pytest.mark.parametrize("role", ["tunnel", "enclave"])
def test_under_load_it_is_over_as_soon(start_chain, origin, role):
    """What leaves a trunk is not used again: requests that keep coming do not hold up who wants to go."""
    chain = trunk_chain(start_chain, **{role: {"timeouts_drain": "60s"}})
    sizes, over, busy = (1, 10, 1000, 20_000), threading.Event(), threading.Semaphore(0)

    def client(size):
        while not over.is_set():
            chain.front.get(f"{origin.url}/bytes/{size}")
            busy.release()

    crowd = [threading.Thread(target=client, args=(size,)) for size in sizes]
    try:
        for thread in crowd:
            thread.start()
        for _ in range(40):
            assert busy.acquire(timeout=20)
        chain.processes[role].signal(signal.SIGTERM)
        assert chain.processes[role].wait(30) == 0
    finally:
        over.set()
        for thread in crowd:
            thread.join()
    assert chain.processes[role].matching("msg=stop detail=.everything had ended")


def test_no_new_connections_while_draining(start_chain, held):
    chain = start_chain()
    client, answer = begin(chain.front, held.url)
    chain.host.signal(signal.SIGTERM)
    chain.host.wait_line("msg=drain")
    with pytest.raises(ConnectionRefusedError):
        for _ in range(1000):  # the first ones may still have got into the kernel's queue
            with chain.front.connect() as late:
                assert late.at_end()
    held.go_on.set()
    client.body(answer)
    assert client.at_end()
    client.close()


@pytest.mark.parametrize("role", ROLES)
def test_second_signal(start_chain, held, role):
    chain = start_chain()
    client, answer = begin(chain.front, held.url)
    process = chain.processes[role]
    process.signal(signal.SIGTERM)
    process.wait_line("msg=drain")
    process.signal(signal.SIGTERM)
    assert process.wait(10) == 0
    with pytest.raises(Cut):
        client.body(answer)
    client.close()


@pytest.mark.parametrize("role", ROLES)
def test_time_to_drain_is_limited(start_chain, held, role):
    chain = start_chain(**{role: {"timeouts_drain": "200ms"}})
    client, answer = begin(chain.front, held.url)
    process = chain.processes[role]
    process.signal(signal.SIGTERM)
    assert process.wait(10) == 0
    with pytest.raises(Cut):
        client.body(answer)
    client.close()


def test_stop_before_anything(start_chain):
    start_chain()  # and stopped by the fixture


def test_a_socket_left_behind_is_replaced(start_chain):
    """kill -9 leaves unix sockets; the next start takes them over. One that is served is not taken away."""
    chain = start_chain()
    chain.enclave.kill()
    chain.start("enclave")
    second = Process("second", [chain.binary, "enclave", f"--listen={chain.sockets['enclave']}"])
    assert second.wait() == 1
    assert second.matching("level=error")
    assert chain.front.get("/health").status == 200
