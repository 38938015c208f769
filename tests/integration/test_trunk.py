"""Trunks: many exchanges on one connection, bulk on one of its own, and all as it is without."""
import concurrent.futures
import hashlib
import socket
import threading

import pytest
from harness.origin import Halfway, pattern
from harness.sockets import accept_each, reset
from harness.trunks import UP, connections, counter, echoed, trunk_chain, wait_trunk
from harness.until import wait_until

SIZES = (0, 1, 100, 16_384, 32_767, 32_768, 32_769, 65_536, 70_000, 300_000, 3_000_000)
ENTRIES = ["host", "enclave"]


@pytest.fixture(scope="module")
def trunks(workdir, pki):
    """A chain of which both trunks are up, shared by tests that end none."""
    made = []

    def start(**settings):
        from harness.chain import Chain
        directory = workdir / "trunks"
        directory.mkdir()
        made.append(Chain(directory, pki, **settings))
        return made[0]

    yield trunk_chain(start)
    made[0].stop()


@pytest.fixture(params=ENTRIES)
def entry(request, trunks):
    return trunks.front if request.param == "host" else trunks.inner


def digest_of(body):
    return b"%d %s" % (len(body), hashlib.sha256(body).hexdigest().encode())


class Accepted:
    """How many connections each address has, compared with what it was."""

    def __init__(self, chain):
        self.chain = chain
        self.before = self.now()

    def now(self):
        return [connections(self.chain.sockets[role]) for role in ("enclave", "tunnel")]

    def more(self):
        return [n - b for n, b in zip(self.now(), self.before)]


def test_it_is_up(trunks, origin):
    """One connection each, beside that on which the host hears the enclave's log; and metrics say so."""
    assert trunks.front.get(f"{origin.url}/bytes/7").body == pattern(7)
    wait_until(lambda: Accepted(trunks).now() == [2, 1], lambda: Accepted(trunks).now())
    for role in ("host", "enclave"):
        wait_until(lambda r=role: counter(trunks.front, "trunk_up", r) == 1, f"{role}: no trunk is up")


def test_fifty_at_a_time_on_one_connection(trunks, entry, origin):
    """Of all sizes, up and down, byte by byte."""
    everybody = threading.Barrier(50)

    def one(i):
        with entry.connect() as client:
            everybody.wait(30)
            for size in (SIZES[i % len(SIZES)], SIZES[(i * 7 + 3) % len(SIZES)]):
                client.send_request("GET", f"/{origin.url}/bytes/{size}")
                if client.response().body != pattern(size):
                    return False
                body = b"%d." % i + pattern(size)
                client.send_request("POST", f"/{origin.url}/sha256", [], body)
                if client.response().body != digest_of(body):
                    return False
        return True

    with concurrent.futures.ThreadPoolExecutor(50) as pool:
        assert all(pool.map(one, range(50)))


def test_fifty_small_ones_share(trunks, entry, origin):
    """All are under way at the same time, and no connection was made for any."""
    everybody = threading.Barrier(51)
    accepted = Accepted(trunks)

    def handler(connection, request):
        body = connection.read_body()
        everybody.wait(30)
        everybody.wait(30)
        connection.reply(200, [], body)

    url = origin.serve(handler)
    with concurrent.futures.ThreadPoolExecutor(50) as pool:
        answers = [pool.submit(entry.request, "POST", url, [], b"%d" % i) for i in range(50)]
        everybody.wait(30)
        during = accepted.more()
        everybody.wait(30)
        assert [a.result().body for a in answers] == [b"%d" % i for i in range(50)]
    assert during == [0, 0]


@pytest.mark.parametrize("way", ["down", "up"])
@pytest.mark.parametrize("role", ENTRIES)
def test_bulk_gets_a_lane(start_chain, origin, role, way):
    """Where there is more than a window twice, there is one connection more on each hop; the bytes are the same."""
    size = 5_000_000
    half = Halfway()

    def down(connection, _request):
        connection.send(f"HTTP/1.1 200 Fine\r\nContent-Length: {size}\r\n\r\n".encode())
        connection.send(pattern(size)[:size - 1])
        half.stop()
        connection.send(pattern(size)[size - 1:])

    def up(connection, _request):
        connection.reply(200, [], digest_of(half.read_body(connection, size)))

    chain = trunk_chain(start_chain)
    entry = chain.front if role == "host" else chain.inner
    wait_until(lambda: Accepted(chain).now() == [2, 1], lambda: Accepted(chain).now())
    accepted = Accepted(chain)
    hops = [1, 1] if role == "host" else [0, 1]
    url = origin.serve(down if way == "down" else up)
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        answer = pool.submit(entry.get, url) if way == "down" else pool.submit(
            entry.request, "PUT", url, [], pattern(size))
        assert half.reached.wait(20)
        wait_until(lambda: accepted.more() == hops, lambda: f"{accepted.more()}, not {hops}")
        half.go_on.set()
        body = answer.result().body
    assert body == (pattern(size) if way == "down" else digest_of(pattern(size)))
    # Strands and lanes are in the pools now, and are used again.
    assert entry.get(f"{origin.url}/bytes/5000000").body == pattern(5_000_000)
    assert entry.get(f"{origin.url}/bytes/100").body == pattern(100)
    assert accepted.more() == hops


def several(host, enclave, tunnel):
    counts = {"host": host, "enclave": enclave, "tunnel": tunnel}
    return {role: {"workers": n} for role, n in counts.items()}


@pytest.mark.parametrize("workers,up", [((1, 3, 1), (3, 3)), ((2, 3, 4), (4, 6)), ((3, 1, 2), (3, 2))],
                         ids=["1-3-1", "2-3-4", "3-1-2"])
def test_every_worker_has_one(start_chain, origin, workers, up):
    """From all of one role together at least one to each of the next; and bulk finds its trunk, whoever accepts it."""
    chain = start_chain(**several(*workers))
    for role, trunks in zip(("host", "enclave"), up):
        wait_until(lambda r=role, n=trunks: counter(chain.front, "trunk_up", r) == n,
                   lambda r=role: f"{counter(chain.front, 'trunk_up', r)} are up")
    assert echoed(chain.front, origin, 12, pattern(1_000_000))
    for role in ("host", "enclave"):
        wait_until(lambda r=role: counter(chain.front, "trunk_lanes_total", r) == 12,
                   lambda r=role: f"{counter(chain.front, 'trunk_lanes_total', r)} lanes of {r}")
    assert not chain.enclave.matching("no trunk with that key") + chain.host.matching("no trunk with that key")


def test_what_is_small_gets_none(trunks, entry, origin):
    lanes = [counter(trunks.front, "trunk_lanes_total", role) for role in ("host", "enclave")]
    for _ in range(40):  # of 20 000 bytes and more some would stand before a full window, now and then
        assert entry.get(f"{origin.url}/bytes/8000").body == pattern(8_000)
        assert entry.request("POST", f"{origin.url}/sha256", [], pattern(8_000)).body == digest_of(pattern(8_000))
    assert lanes == [counter(trunks.front, "trunk_lanes_total", role) for role in ("host", "enclave")]


def test_a_slow_reader_slows_nobody(trunks, entry, origin):
    """A client that takes nothing of its answer, with or without a lane, and neighbours on the same trunk."""
    stalled = [threading.Event() for _ in range(4)]

    def handler(connection, request):
        connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 100000000\r\n\r\n")
        connection.socket.settimeout(1)
        try:
            while True:
                connection.send(pattern(100_000))
        except OSError:
            stalled[int(request.target.partition("?")[2])].set()

    url = origin.serve(handler)
    slow = [entry.connect(receive_buffer=4096) for _ in stalled]
    for i, client in enumerate(slow):
        client.send_request("GET", f"/{url}?{i}")
        client.head()
    for event in stalled:
        assert event.wait(20)
    for size in (10, 100_000, 5_000_000):
        assert entry.get(f"{origin.url}/bytes/{size}").body == pattern(size)
    for client in slow:
        client.close()


def test_a_slow_upload_slows_nobody(trunks, entry, origin):
    """A service that does not read what is sent to it."""
    go_on, began = threading.Event(), threading.Event()

    def handler(connection, _request):
        began.set()
        assert go_on.wait(30)
        connection.reply(200, [], digest_of(connection.read_body()))

    url = origin.serve(handler)
    body = pattern(20_000_000)
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        answer = pool.submit(entry.request, "PUT", url, [], body)
        assert began.wait(20)
        for size in (10, 100_000, 5_000_000):
            assert entry.get(f"{origin.url}/bytes/{size}").body == pattern(size)
        go_on.set()
        assert answer.result().body == digest_of(body)


# ---- who has none ---------------------------------------------------------------------------------------------------

OFF = {"trunk": "false"}
MIXED = {
    "host off": {"host": OFF},
    "enclave off": {"enclave": OFF},
    "tunnel off": {"tunnel": OFF},
    "host and tunnel off": {"host": OFF, "tunnel": OFF},
    "all off": {"host": OFF, "enclave": OFF, "tunnel": OFF},
    "two hosts": {"host": {"workers": 2}},
    "two enclaves": {"enclave": {"workers": 2}},
    "two tunnels": {"tunnel": {"workers": 2}},
    "two of all": {role: {"workers": 2} for role in ("host", "enclave", "tunnel")},
    "few connections": {role: {"limits_connections": 20} for role in ("host", "enclave", "tunnel")},
    "a trunk of few strands": {role: {"limits_connections": 40} for role in ("host", "enclave", "tunnel")},
}


@pytest.mark.parametrize("settings", MIXED.values(), ids=MIXED)
def test_mixed(start_chain, origin, settings):
    """Whoever wants none, or cannot have one: all is served, beyond what a trunk carries, too."""
    chain = start_chain(**{role: dict(s) for role, s in settings.items()})
    sizes = (0, 10, 100_000, 1_000_000)
    at_a_time = 8 if "connections" in str(settings) else 24

    def one(i):
        front = chain.front if i % 2 else chain.inner
        body = pattern(sizes[i % 4])
        return (front.get(f"{origin.url}/bytes/{len(body)}").body == body and
                front.request("POST", f"{origin.url}/sha256", [], body).body == digest_of(body))

    with concurrent.futures.ThreadPoolExecutor(at_a_time) as pool:
        assert all(pool.map(one, range(72)))
    assert chain.front.get("/health").status == 200


def test_who_comes_and_goes_at_the_limit(start_chain, origin):
    """A trunk's strands are all used, their clients leave and others come in the same moment: it holds."""
    chain = trunk_chain(start_chain, enclave={"limits_connections": 40}, host={"host_proxy_max_retries": "0"})
    url = origin.serve(lambda connection, _request: connection.wait_gone())
    crowd, size = [], chain.host.strands
    assert 16 <= size <= 20, size  # half of what was free: the harness's own question may have been there still
    for turn in range(12):
        for client in crowd:
            reset(client.socket)
        crowd = [chain.front.connect() for _ in range(size)]
        for client in crowd:
            client.send_request("GET", f"/{url}")
        origin.wait_for(lambda o, n=(turn + 1) * size: len(o.seen(url)) >= n)
    for client in crowd:
        reset(client.socket)
    assert chain.front.get(f"{origin.url}/bytes/7").body == pattern(7)
    assert counter(chain.front, "trunk_lost_total", "host") == 0, chain.enclave.matching("trunk ended")


# ---- CONNECT over strands, beyond what test_connect.py asks of every way in -------------------------------------------

def test_many_raw_ones_at_a_time(trunks, entry):
    """Both ways, bulk and not, each with a half-close; all on the same trunk."""
    def talk(s):
        with s:
            got = b""
            while more := s.recv(65536):
                got += more
                s.sendall(more)
            s.sendall(hashlib.sha256(got).digest())

    def one(i):
        body = b"%d." % i + pattern(SIZES[i % len(SIZES)])
        with entry.connect() as client:
            client.send(f"CONNECT {authority} HTTP/1.1\r\nHost: {authority}\r\n\r\n".encode())
            assert client.response("CONNECT").status == 200

            def send():
                client.send(body)
                client.socket.shutdown(socket.SHUT_WR)

            sender = threading.Thread(target=send)
            sender.start()
            good = client.read_to_end() == body + hashlib.sha256(body).digest()
            sender.join()
            return good

    with socket.create_server(("127.0.0.1", 0), backlog=64) as listener:
        authority = "localhost:%d" % listener.getsockname()[1]
        accept_each(listener, talk)
        with concurrent.futures.ThreadPoolExecutor(22) as pool:
            assert all(pool.map(one, range(44)))


def test_what_was_dialled_before_it_was_up_is_replaced(start_chain, origin):
    """Busy from the first second on, an application ends up with strands all the same."""
    chain = start_chain(host=UP, enclave=UP)
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        assert all(a.status == 200 for a in pool.map(chain.front.get, [f"{origin.url}/bytes/7"] * 40))
    wait_trunk(chain.enclave, "tunnel.sock")
    wait_trunk(chain.host, "enclave.sock")
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        assert all(a.status == 200 for a in pool.map(chain.front.get, [f"{origin.url}/bytes/7"] * 40))
    wait_until(lambda: Accepted(chain).now() == [2, 1], lambda: Accepted(chain).now())
