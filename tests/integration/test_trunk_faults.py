"""Trunks that break, end or are left: what ran on them fails as with connections of its own, and the next one comes up."""
import concurrent.futures
import signal
import socket
import threading
import time

import pytest
from harness.client import Cut
from harness.origin import Halfway, pattern
from harness.trunks import counter, trunk_chain, wait_trunk
from harness.until import wait_until

RETRIES = {"host_proxy_max_retries": "5", "host_proxy_retry_delay": "50ms"}
NEXT = {"enclave": ("host", "enclave.sock"), "tunnel": ("enclave", "tunnel.sock")}  # whose trunk leads to it


class Load:
    """POSTs without end by several clients, each with a number, and how often the service has had each."""

    def __init__(self, front, origin, clients=12):
        self.front, self.done, self.answers = front, {}, {}
        self.lock, self.over = threading.Lock(), threading.Event()
        self.origin, self.url = origin, origin.serve(self.order)
        self.threads = [threading.Thread(target=self.client, args=(i * 1_000_000,)) for i in range(clients)]
        for t in self.threads:
            t.start()

    def order(self, connection, _request):
        body = connection.read_body()
        number = int(body.partition(b".")[0])
        with self.lock:
            self.done[number] = self.done.get(number, 0) + 1
        connection.reply(200, [], b"%d" % number)

    def client(self, number):
        while not self.over.is_set():
            number += 1
            body = b"%d." % number + pattern(100_000 if number % 10 == 0 else 10)
            try:
                answer = self.front.request("POST", self.url, [], body)
                outcome = (answer.status, answer.body)
            except (Cut, ConnectionError):
                outcome = (None, b"")
            with self.lock:
                self.answers[number] = outcome

    def good(self):
        with self.lock:
            return sum(status == 200 for status, _ in self.answers.values())

    def wait_more(self, count=60):
        wanted = self.good() + count
        self.origin.wait_for(lambda _: self.good() >= wanted)

    def end(self):
        self.over.set()
        for t in self.threads:
            t.join()

    def assert_right(self):
        """Each that was answered was done once, each that was not at most once; and no answer is another's."""
        assert {status for status, _ in self.answers.values()} <= {200, 502, 503, None}
        assert all(body == b"%d" % n for n, (status, body) in self.answers.items() if status == 200)
        assert set(self.done.values()) == {1}


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM], ids=["killed", "told to end"])
@pytest.mark.parametrize("role", ["enclave", "tunnel"])
def test_restarted_under_load(start_chain, origin, role, number):
    """The next requests are served, nothing is done twice, and a new trunk comes up and is used."""
    chain = trunk_chain(start_chain, host=RETRIES, **{role: {"timeouts_drain": "2s"}})
    dialler, socket_name = NEXT[role]
    load = Load(chain.front, origin)
    try:
        for _ in range(2):
            load.wait_more()
            process = chain.processes[role]
            start = len(chain.processes[dialler].lines)
            if number == signal.SIGKILL:
                process.kill()
            else:
                process.signal(number)
                assert process.wait() == 0
            chain.start(role)
            wait_trunk(chain.processes[dialler], socket_name, start)
            load.wait_more()
    finally:
        load.end()
    load.assert_right()
    if number == signal.SIGTERM and role == "enclave":  # a tunnel's time is over before its busy connections are
        assert counter(chain.front, "trunk_lost_total", dialler) == 0
    wait_until(lambda: counter(chain.front, "trunk_up", dialler) == 1, "no trunk is up")


@pytest.mark.parametrize("role", ["host", "enclave", "tunnel"])
@pytest.mark.parametrize("way", ["down", "up"])
def test_drain_completes_what_is_long(start_chain, origin, role, way):
    """Bulk with a lane, and a conversation without one, that were under way when the signal came."""
    chain = trunk_chain(start_chain, tunnel={"timeouts_drain": "20s"})
    size = 8_000_000
    body = pattern(size)
    half = Halfway()

    def down(connection, _request):
        connection.send(f"HTTP/1.1 200 Fine\r\nContent-Length: {size}\r\n\r\n".encode() + body[:size // 2])
        half.stop()
        connection.send(body[size // 2:])

    def up(connection, _request):
        connection.reply(200, [], b"whole" if half.read_body(connection, size) == body else b"wrong")

    url = origin.serve(down if way == "down" else up)
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        answer = pool.submit(chain.front.get, url) if way == "down" else pool.submit(
            chain.front.request, "PUT", url, [], body)
        assert half.reached.wait(20)
        process = chain.processes[role]
        process.signal(signal.SIGTERM)
        process.wait_line("msg=drain")
        half.go_on.set()
        assert answer.result().body == (body if way == "down" else b"whole")
        assert process.wait() == 0


@pytest.mark.parametrize("role", ["host", "enclave", "tunnel"])
def test_the_last_bytes_of_a_drain_arrive(start_chain, origin, role):
    """The end of an answer and the end of the process, in the same moment."""
    chain = trunk_chain(start_chain)
    go_on = threading.Event()

    def handler(connection, _request):
        connection.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n5\r\nhello\r\n")
        assert go_on.wait(20)
        connection.send(b"5\r\nworld\r\n0\r\n\r\n")
        connection.end()

    with chain.front.connect() as client:
        client.send_request("GET", f"/{origin.serve(handler)}")
        assert client.head().status == 200
        client.read_until(b"hello\r\n")
        process = chain.processes[role]
        process.signal(signal.SIGTERM)
        process.wait_line("msg=drain")
        go_on.set()
        assert b"".join(client.chunks()) == b"world"
        assert process.wait() == 0


@pytest.mark.parametrize("role", ["host", "enclave", "tunnel"])
@pytest.mark.parametrize("way", ["down", "up"])
def test_the_last_bytes_of_a_raw_one_arrive(start_chain, role, way):
    """A CONNECT of which one direction has ended before."""
    chain = trunk_chain(start_chain)
    go_on, got = threading.Event(), []

    def service():
        connection, _ = listener.accept()
        connection.settimeout(20)
        with connection:
            assert connection.recv(1) == b"x"
            if way == "up":
                connection.shutdown(socket.SHUT_WR)
            else:
                assert connection.recv(1) == b""
                connection.sendall(b"hello")
                assert go_on.wait(20)
                connection.sendall(b"world")
                return
            data = b""
            while more := connection.recv(100):
                data += more
            got.append(data)

    with socket.create_server(("127.0.0.1", 0)) as listener, chain.front.connect() as client:
        thread = threading.Thread(target=service)
        thread.start()
        authority = "localhost:%d" % listener.getsockname()[1]
        client.send(f"CONNECT {authority} HTTP/1.1\r\nHost: {authority}\r\n\r\nx".encode())
        assert client.response("CONNECT").status == 200
        process = chain.processes[role]
        if way == "down":
            client.socket.shutdown(socket.SHUT_WR)
            assert client.read_exactly(5) == b"hello"
        else:
            assert client.at_end()
        process.signal(signal.SIGTERM)
        process.wait_line("msg=drain")
        go_on.set()
        if way == "down":
            assert client.read_to_end() == b"world"
        else:
            client.send(b"last words")
            client.socket.shutdown(socket.SHUT_WR)
        assert process.wait() == 0
        thread.join(20)
        assert way == "down" or got == [b"last words"]


@pytest.mark.parametrize("role", ["enclave", "tunnel"])
@pytest.mark.parametrize("size", [100_000, 3_000_000], ids=["strand", "lane"])
def test_a_post_that_was_cut_is_not_done_twice(start_chain, origin, role, size):
    """The trunk breaks in the middle of the body, and when it was whole: whatever the retries, it is not sent again."""
    chain = trunk_chain(start_chain, host={"host_proxy_max_retries": "20", "host_proxy_retry_delay": "10ms"})
    seen = threading.Semaphore(0)

    def never_answered(connection, _request):
        connection.read_body()
        seen.release()
        connection.wait_gone()

    url = origin.serve(never_answered)
    with chain.front.connect() as whole, chain.front.connect() as half:
        whole.send_request("POST", f"/{url}", [], pattern(size))
        assert seen.acquire(timeout=20)
        half.send(f"POST /{url} HTTP/1.1\r\nHost: x\r\nContent-Length: {size}\r\n\r\n".encode() + pattern(size // 2))
        origin.wait_for(lambda o: len(o.seen(url)) == 2)
        chain.processes[role].kill()
        chain.start(role)
        for client in (whole, half):
            try:
                assert client.response().status in (502, 503)
            except Cut:
                pass
    assert chain.front.get(f"{origin.url}/bytes/7").body == pattern(7)
    assert len(origin.seen(url)) == 2


@pytest.mark.parametrize("role", ["enclave", "tunnel"])
def test_a_cut_answer_is_seen_as_cut(start_chain, origin, role):
    """Of many on one trunk, with lanes and without: what came is right, and nobody takes it for the whole."""
    chain = trunk_chain(start_chain)

    def handler(connection, request):
        size = int(request.target.partition("?")[2])
        connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 9000000\r\n\r\n" + pattern(9_000_000)[:size])
        connection.wait_gone()

    url = origin.serve(handler)
    sizes = (1, 20_000, 60_000, 500_000, 4_000_000) * 2
    clients = [chain.front.connect() for _ in sizes]
    for size, client in zip(sizes, clients):
        client.send_request("GET", f"/{url}?{size}")
        assert client.head().status == 200
        assert client.read_exactly(size) == pattern(size)
    chain.processes[role].kill()
    for client in clients:
        with pytest.raises(Cut):
            client.read_exactly(1)
        client.close()
    chain.start(role)
    assert chain.front.get(f"{origin.url}/bytes/7").body == pattern(7)


def test_who_reads_nothing_of_much(start_chain, origin, sanitized):
    """Sixty answers of 50 MB at a time, of which the clients take nothing: each costs its buffers, lane or not."""
    chain = trunk_chain(start_chain)
    assert chain.front.get(f"{origin.url}/bytes/7").status == 200
    before = {role: p.peak_rss() for role, p in chain.processes.items()}
    clients = [chain.front.connect(receive_buffer=4096) for _ in range(60)]
    for client in clients:
        client.send_request("GET", f"/{origin.url}/bytes/50000000")
    for client in clients:
        assert client.head().status == 200
    assert chain.front.get(f"{origin.url}/bytes/3000000").body == pattern(3_000_000)
    for client in clients:
        client.close()
    grown = {role: p.peak_rss() - before[role] for role, p in chain.processes.items()}
    if not sanitized:
        assert all(g < 60 * 400_000 for g in grown.values()), grown
    assert chain.front.get(f"{origin.url}/bytes/7").body == pattern(7)


def test_stopped_and_woken(start_chain, origin):
    """An enclave that stands still for a while, as one does in a pause of its virtual machine, is no broken trunk."""
    chain = trunk_chain(start_chain)
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        chain.enclave.signal(signal.SIGSTOP)
        answers = [pool.submit(chain.front.request, "POST", f"{origin.url}/sha256", [], pattern(200_000))
                   for _ in range(8)]
        time.sleep(0.5)  # not for anything to happen: that nothing does
        chain.enclave.signal(signal.SIGCONT)
        assert {a.result().status for a in answers} == {200}
    assert counter(chain.front, "trunk_lost_total", "host") == 0
