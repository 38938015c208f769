"""Parts of the chain die while it works: nothing hangs, nothing is doubled, and it heals without a restart."""
import concurrent.futures
import threading

import pytest
from harness.client import Cut
from harness.origin import pattern

RETRIES = {"host_proxy_max_retries": "2", "host_proxy_retry_delay": "10ms"}


def test_enclave_gone_and_back(start_chain, origin):
    chain = start_chain(host=RETRIES)
    assert chain.front.get(f"{origin.url}/bytes/7").status == 200
    chain.enclave.kill()
    answer = chain.front.get(f"{origin.url}/bytes/7")
    assert answer.status in (502, 503)
    assert answer.details.startswith("enclave: ")
    chain.start("enclave")
    assert chain.front.get(f"{origin.url}/bytes/7").body == pattern(7)


def test_a_request_waits_for_an_enclave_that_restarts(start_chain, origin):
    chain = start_chain(host={"host_proxy_max_retries": "100", "host_proxy_retry_delay": "20ms"})
    chain.enclave.kill()
    with concurrent.futures.ThreadPoolExecutor() as pool:
        answer = pool.submit(chain.front.request, "POST", f"{origin.url}/sha256", [], b"x" * 1000)
        chain.start("enclave")
        assert answer.result().status == 200


@pytest.mark.parametrize("role", ["enclave", "tunnel"])
def test_killed_in_the_middle_of_an_answer(start_chain, origin, role):
    """The client sees a cut body, never a short one that looks whole."""
    def handler(connection, _request):
        connection.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3e8\r\n" + pattern(1000) + b"\r\n")
        connection.wait_gone()

    chain = start_chain(host=RETRIES)
    with chain.front.connect() as client:
        client.send_request("GET", f"/{origin.serve(handler)}")
        client.head()
        chunks = client.chunks()
        assert next(chunks) == pattern(1000)
        chain.processes[role].kill()
        with pytest.raises(Cut):
            next(chunks)
    chain.start(role)
    assert chain.front.get(f"{origin.url}/bytes/7").status == 200


def test_killed_before_an_answer(start_chain, origin):
    """A POST that may have been done is not sent again, whatever the retries."""
    chain = start_chain(host={"host_proxy_max_retries": "20", "host_proxy_retry_delay": "10ms"})
    url = origin.serve(lambda connection, _request: connection.wait_gone())
    with chain.front.connect() as client:
        client.send_request("POST", f"/{url}", [], b"order")
        origin.wait_for(lambda o: o.seen(url))
        chain.enclave.kill()
        chain.start("enclave")
        assert client.response().status == 502
    assert len(origin.seen(url)) == 1


def test_tunnel_gone_and_back(start_chain, origin):
    chain = start_chain()
    for front in (chain.front, chain.inner):
        assert front.get(f"{origin.url}/bytes/7").status == 200
    chain.tunnel.kill()
    for front in (chain.front, chain.inner):
        answer = front.get(f"{origin.url}/bytes/7")
        assert answer.status in (502, 503)
        assert answer.details.startswith("tunnel: ")
    chain.start("tunnel")
    for front in (chain.front, chain.inner):
        assert front.get(f"{origin.url}/bytes/7").status == 200


def test_enclave_restarts_under_load(start_chain, origin):
    """Every request is answered; each POST that got its answer was done once, each that did not at most once."""
    chain = start_chain(host={"host_proxy_max_retries": "5", "host_proxy_retry_delay": "50ms"})
    done = {}
    lock = threading.Lock()

    def order(connection, _request):
        number = int(connection.read_body())
        with lock:
            done[number] = done.get(number, 0) + 1
        connection.reply(200, [], b"%d" % number)

    url = origin.serve(order)
    stop = threading.Event()
    answers = {}

    def client(start):
        number = start
        while not stop.is_set():
            number += 1
            try:
                answer = chain.front.request("POST", url, [], b"%d" % number)
                with lock:
                    answers[number] = (answer.status, answer.body)
            except Cut:
                with lock:
                    answers[number] = (None, b"")

    def count(status):
        with lock:
            return sum(s == status for s, _ in answers.values())

    threads = [threading.Thread(target=client, args=(i * 1_000_000,)) for i in range(16)]
    for t in threads:
        t.start()
    try:
        origin.wait_for(lambda o: count(200) > 100)
        for _ in range(3):
            chain.enclave.kill()
            chain.start("enclave")
            before = count(200)
            origin.wait_for(lambda o, n=before: count(200) > n + 100)
    finally:
        stop.set()
        for t in threads:
            t.join()
    statuses = {status for status, _ in answers.values()}
    assert statuses <= {200, 502, 503, None}
    assert all(body == b"%d" % n for n, (status, body) in answers.items() if status == 200)
    assert set(done.values()) == {1}
    assert chain.front.get("/health").status == 200


def test_200_at_a_time(front, origin):
    """All at once, on as many connections, each with its own body; nobody gets another's."""
    everybody = threading.Barrier(200)

    def one(i):
        with front.connect() as client:
            everybody.wait(30)
            for size in (i, 5_000 + i):
                client.send_request("POST", f"/{origin.url}/echo200", [], b"%d." % i * size)
                if client.response().body != b"%d." % i * size:
                    return False
        return True

    def handler(connection, _request):
        connection.reply(200, [], connection.read_body())

    origin.handle("/echo200", handler)
    with concurrent.futures.ThreadPoolExecutor(200) as pool:
        assert all(pool.map(one, range(200)))


def test_clients_that_vanish_leave_nothing(start_chain, origin):
    """Descriptors of all roles are what they were when each client has gone in the middle of something."""
    chain = start_chain(enclave={"limits_pool_idle": "0"}, host={"timeouts_pool_idle": "10ms"})
    gone = threading.Semaphore(0)

    def handler(connection, _request):
        connection.send(b"HTTP/1.1 200 OK\r\n\r\n")
        try:
            while True:
                connection.send(pattern(10_000))
        except OSError:
            gone.release()

    assert chain.front.get(f"{origin.url}/bytes/1").status == 200
    url = origin.serve(handler)
    before = None
    for _ in range(3):
        clients = [chain.front.connect() for _ in range(8)]
        for client in clients:
            client.send_request("GET", f"/{url}")
            client.head()
        for client in clients:
            client.close()
        for _ in clients:
            assert gone.acquire(timeout=20)
        chain.front.get("/health")
        now = [p.descriptors() for p in chain.processes.values()]
        before = before or now
        assert all(n <= b + 4 for n, b in zip(now, before)), (before, now)
