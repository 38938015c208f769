"""Connections that become raw: CONNECT, and 101 for WebSocket; every byte of both sides, and both ends."""
import asyncio
import signal
import socket
import ssl
import threading

import pytest
import websockets
from harness.origin import pattern, tls_context
from harness.sockets import reset


class Peer:
    """A TCP service behind CONNECT: talk(socket) in a thread a connection."""

    def __init__(self, talk):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.authority = "localhost:%d" % self.listener.getsockname()[1]
        self.talk = talk
        self.done = threading.Event()
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        connection, _ = self.listener.accept()
        connection.settimeout(20)
        with connection:
            self.talk(connection)
        self.done.set()
        self.listener.close()


def connect(front, authority, early=b""):
    client = front.connect()
    client.send(f"CONNECT {authority} HTTP/1.1\r\nHost: {authority}\r\n\r\n".encode() + early)
    return client


def read_exactly(sock, count):
    data = b""
    while len(data) < count and (more := sock.recv(count - len(data))):
        data += more
    return data


def test_connect_is_answered_without_framing(front):
    peer = Peer(lambda s: s.recv(1))
    with connect(front, peer.authority) as client:
        answer = client.response("CONNECT")
        assert answer.status == 200
        assert answer.all("Content-Length") == answer.all("Transfer-Encoding") == []


def test_bytes_right_behind_connect_arrive(front):
    peer = Peer(lambda s: s.sendall(read_exactly(s, 5)[::-1]))
    with connect(front, peer.authority, early=b"early") as client:
        assert client.response("CONNECT").status == 200
        assert client.read_exactly(5) == b"ylrae"
        assert client.at_end()


def test_a_service_that_speaks_first(front):
    peer = Peer(lambda s: (s.sendall(b"220 hello"), s.recv(1)))
    with connect(front, peer.authority) as client:
        client.response("CONNECT")
        assert client.read_exactly(9) == b"220 hello"


def test_half_close_of_the_client(front):
    """The client ends its side; the service still answers all it got."""
    def talk(s):
        got = b""
        while more := s.recv(65536):
            got += more
        s.sendall(b"%d" % len(got))

    peer = Peer(talk)
    with connect(front, peer.authority) as client:
        client.response("CONNECT")
        client.send(pattern(500_000))
        client.socket.shutdown(socket.SHUT_WR)
        assert client.read_to_end() == b"500000"


def test_half_close_of_the_service(front):
    """The service ends its side; what the client still sends arrives."""
    got = []

    def talk(s):
        s.sendall(b"bye")
        s.shutdown(socket.SHUT_WR)
        got.append(read_exactly(s, 400_000))

    peer = Peer(talk)
    with connect(front, peer.authority) as client:
        client.response("CONNECT")
        assert client.read_to_end() == b"bye"
        client.send(pattern(400_000))
        client.socket.shutdown(socket.SHUT_WR)
        assert peer.done.wait(20)
    assert got == [pattern(400_000)]


def test_bulk_both_ways_at_once(front):
    size = 20_000_000

    def talk(s):
        sender = threading.Thread(target=s.sendall, args=(pattern(size),))
        sender.start()
        received.append(read_exactly(s, size))
        sender.join()

    received = []
    peer = Peer(talk)
    with connect(front, peer.authority) as client:
        client.response("CONNECT")
        sender = threading.Thread(target=client.send, args=(pattern(size),))
        sender.start()
        chunks, total = [client.buffer], len(client.buffer)
        while total < size and (more := client.socket.recv(1 << 20)):
            chunks.append(more)
            total += len(more)
        sender.join()
        assert b"".join(chunks) == pattern(size)
        assert peer.done.wait(20)
    assert received == [pattern(size)]


def test_a_client_that_vanishes_ends_the_services_connection(front):
    ended = threading.Event()

    def talk(s):
        while s.recv(100):
            pass
        ended.set()

    peer = Peer(talk)
    client = connect(front, peer.authority)
    client.response("CONNECT")
    client.close()
    assert ended.wait(20)


@pytest.mark.parametrize("target, status", [
    ("localhost", 400), ("localhost:0", 400), ("localhost:65536", 400), ("localhost:80x", 400), (":443", 400),
    ("user@localhost:443", 400), ("https://localhost:443/", 400), ("/https://localhost/", 400),
])
def test_connect_to_what_is_no_target(front, target, status):
    answer = front.raw(f"CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n\r\n".encode())
    assert answer.status == status


def test_connect_to_a_closed_port(front):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    answer = front.raw(f"CONNECT localhost:{port} HTTP/1.1\r\nHost: localhost:{port}\r\n\r\n".encode())
    assert (answer.status, answer.error) == (502, "connection_refused")


# ---- what carries the bytes between host and enclave ----

class HybridVsock:
    """A guest's unix socket, as Firecracker has one: no half-close, an end either way closes both."""

    def __init__(self, path, enclave):
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(str(path))
        self.listener.listen()
        self.enclave = enclave
        self.accepted = 0
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        while True:
            try:
                near, _ = self.listener.accept()
            except OSError:
                return
            self.accepted += 1
            assert read_exactly(near, 13) == b"CONNECT 5000\n"
            far = socket.socket(socket.AF_UNIX)
            far.connect(self.enclave)
            near.sendall(b"OK 1024\n")
            for pair in ((near, far), (far, near)):
                threading.Thread(target=self._pump, args=pair, daemon=True).start()

    @staticmethod
    def _pump(source, sink):
        try:
            while piece := source.recv(65536):
                sink.sendall(piece)
        except OSError:
            pass
        for end in (source, sink):
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass


def answer_behind_the_end(s):
    got = b""
    while more := s.recv(65536):
        got += more
    s.sendall(b"%d" % len(got))


@pytest.fixture
def start_hybrid(start_chain, tmp_path):
    """start_hybrid(trunk): a chain whose host finds the enclave over hybrid vsock, and that."""
    guests = []

    def start(trunk):
        chain = start_chain(start=False, enclave={"trunk": trunk}, host={
            "enclave": f"hybrid:{tmp_path}/v:5000", "host_proxy_enclave_log": "false", "trunk": trunk,
            "logging_level": "debug"})
        guest = HybridVsock(tmp_path / "v", chain.sockets["enclave"].removeprefix("unix:"))
        guests.append(guest)
        for role in ("tunnel", "enclave", "host"):
            chain.start(role)
        if trunk == "true":
            chain.host.wait_line(r"msg=trunk to=hybrid:")
        return chain, guest

    yield start
    for guest in guests:
        guest.listener.close()


@pytest.mark.parametrize("trunk", ["true", "false"])
def test_over_hybrid_vsock(start_hybrid, trunk):
    """
    What cannot half-close still carries each direction's end. One connection carries all: as a trunk, or one CONNECT
    after another in frames; nothing gets a lane, whatever its size.
    """
    chain, guest = start_hybrid(trunk)
    for size in (5, 300_000, 7):
        peer = Peer(answer_behind_the_end)
        with connect(chain.front, peer.authority, early=b"12345") as client:
            client.response("CONNECT")
            client.send(pattern(size))
            client.socket.shutdown(socket.SHUT_WR)
            assert client.read_to_end() == b"%d" % (size + 5)
    assert guest.accepted == 1


# ---- what breaks off is told as broken ----

def ending(sock):
    """Reads on: "end" for a FIN, "reset" for a RST; what came before is thrown away."""
    try:
        while sock.recv(1 << 20):
            pass
    except ConnectionResetError:
        return "reset"
    return "end"


@pytest.fixture(params=["host", "enclave", "hybrid", "hybrid apart"])
def any_front(request, chain, start_hybrid):
    """.. and the host's proxy over hybrid vsock: raw bytes are a strand's there, or without a trunk stay in frames."""
    if "hybrid" in request.param:
        return start_hybrid("false" if "apart" in request.param else "true")[0].front
    return chain.front if request.param == "host" else chain.inner


@pytest.mark.parametrize("size", [10, 5_000_000], ids=["quiet", "bulk"])
@pytest.mark.parametrize("end", ["end", "reset"])
def test_how_the_service_ends_is_how_the_client_sees_it_end(any_front, end, size):
    """A reset is not a clean end, or half a download would be taken for the whole; and an end is no reset."""
    def talk(s):
        s.sendall(pattern(size))
        read_exactly(s, 1)
        if end == "reset":
            reset(s)

    peer = Peer(talk)
    with connect(any_front, peer.authority) as client:
        client.response("CONNECT")
        client.read_exactly(size)
        client.send(b"x")
        assert ending(client.socket) == end


@pytest.mark.parametrize("size", [10, 5_000_000], ids=["quiet", "bulk"])
@pytest.mark.parametrize("end", ["end", "reset"])
def test_how_the_client_ends_is_how_the_service_sees_it_end(any_front, end, size):
    seen = []

    def talk(s):
        read_exactly(s, size)
        s.sendall(b"x")
        seen.append(ending(s))

    peer = Peer(talk)
    client = connect(any_front, peer.authority)
    client.response("CONNECT")
    client.send(pattern(size))
    client.read_exactly(1)
    reset(client.socket) if end == "reset" else client.close()
    assert peer.done.wait(20)
    assert seen == [end]


def test_silence_is_a_break_for_both(start_chain):
    idle = {"timeouts_tunnel_idle": "300ms"}
    chain = start_chain(host=idle, enclave=idle, tunnel=idle)
    for front in (chain.front, chain.inner):
        seen = []
        peer = Peer(lambda s, seen=seen: seen.append(ending(s)))
        with connect(front, peer.authority) as client:
            client.response("CONNECT")
            assert ending(client.socket) == "reset"
        assert peer.done.wait(20)
        assert seen == ["reset"]


def test_a_cut_body_without_a_length_is_reset(front, origin):
    """An HTTP/1.0 client has nothing but the connection's end to tell a body's by."""
    for expected in ("end", "reset"):
        arrived = threading.Event()

        def handler(connection, _request, expected=expected, arrived=arrived):
            connection.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n")
            arrived.wait(20)
            connection.send(b"0\r\n\r\n") if expected == "end" else connection.cut()

        with front.connect() as client:
            client.send(f"GET /{origin.serve(handler)} HTTP/1.0\r\nHost: x\r\n\r\n".encode())
            answer = client.head()
            assert (answer.status, answer.get("Content-Length")) == (200, None)
            assert client.read_exactly(5) == b"hello"
            arrived.set()
            assert ending(client.socket) == expected


def test_many_one_after_another(start_chain):
    """A connection that a CONNECT has taken for itself is given up with it: their number has no effect."""
    chain = start_chain(host={"limits_enclave_connections": 2}, enclave={"limits_connections": 3})
    for i in range(20):
        peer = Peer(answer_behind_the_end)
        with connect(chain.front, peer.authority) as client:
            assert client.response("CONNECT").status == 200
            client.send(pattern(i))
            client.socket.shutdown(socket.SHUT_WR)
            assert client.read_to_end() == b"%d" % i


@pytest.mark.parametrize("role", ["host", "enclave", "tunnel"])
def test_cut_in_the_middle(start_chain, role):
    """Both ends see that it broke (but for what the kernel ends for a dead neighbour); what is restarted carries on."""
    seen = []

    def talk(s):
        s.sendall(pattern(100_000))
        seen.append(ending(s))

    chain = start_chain()
    peer = Peer(talk)
    with connect(chain.front, peer.authority, early=b"x") as client:
        client.response("CONNECT")
        assert client.read_exactly(100_000) == pattern(100_000)
        chain.processes[role].kill()
        assert role == "host" or ending(client.socket) == "reset"
        assert role != "host" or client.at_end()
        assert peer.done.wait(20)
    assert role == "tunnel" or seen == ["reset"]
    chain.start(role)
    again = Peer(lambda s: s.sendall(b"hello"))
    with connect(chain.front, again.authority) as client:
        client.response("CONNECT")
        assert client.read_to_end() == b"hello"


@pytest.mark.parametrize("role", ["host", "enclave", "tunnel"])
def test_drain_lets_it_end(start_chain, role):
    """A stop waits for a tunnel that is in use, in bulk too, and takes no new one."""
    chain = start_chain()
    size = 3_000_000
    peer = Peer(lambda s: s.sendall(read_exactly(s, size)))
    with connect(chain.front, peer.authority) as client:
        client.response("CONNECT")
        client.send(pattern(size)[:1_000_000])
        process = chain.processes[role]
        process.signal(signal.SIGTERM)
        process.wait_line("msg=drain")
        client.send(pattern(size)[1_000_000:])
        assert client.read_exactly(size) == pattern(size)
        assert client.at_end()
    assert process.wait() == 0


# ---- 101 ----

def upgrade_request(url):
    return (f"GET /{url} HTTP/1.1\r\nHost: x\r\nConnection: Upgrade, X-Mine\r\nUpgrade: echo/1\r\nX-Mine: 1\r\n"
            "\r\n").encode()


def test_upgrade(front, origin):
    def handler(connection, request):
        assert request.get("Upgrade") == "echo/1"
        assert request.get("Connection").lower() == "upgrade"
        assert request.all("X-Mine") == []
        connection.send(b"HTTP/1.1 101 Switching\r\nConnection: upgrade\r\nUpgrade: echo/1\r\n\r\nfirst")
        while connection.buffer or connection.fill():
            connection.send(connection.buffer.upper())
            connection.buffer = b""
        connection.send(b"last")
        connection.end()

    with front.connect() as client:
        client.send(upgrade_request(origin.serve(handler)) + b"early")
        answer = client.response()
        assert (answer.status, answer.get("Upgrade"), answer.get("Connection").lower()) == (101, "echo/1", "upgrade")
        assert client.read_exactly(10) == b"firstEARLY"
        client.send(b"abc")
        assert client.read_exactly(3) == b"ABC"
        client.socket.shutdown(socket.SHUT_WR)
        assert client.read_to_end() == b"last"


def test_upgrade_declined(front, origin):
    """An ordinary answer, and the connection goes on."""
    with front.connect() as client:
        client.send(upgrade_request(f"{origin.url}/bytes/10"))
        assert client.response().body == pattern(10)
        client.send_request("GET", f"/{origin.url}/bytes/11")
        assert client.response().body == pattern(11)


def test_switching_unasked_is_refused(front, origin):
    url = origin.serve(lambda c, _r: c.send(b"HTTP/1.1 101 Switching\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n"))
    answer = front.get(url)
    assert (answer.status, answer.error) == (502, "http_upgrade_failed")


def test_websocket(front, pki):
    """A real WebSocket client and server, the client's TLS being the enclave's."""
    async def echo(socket_, *_):
        async for message in socket_:
            await socket_.send(message)

    async def talk():
        context = tls_context(pki.good)
        async with websockets.serve(echo, "127.0.0.1", 0, ssl=context, max_size=None) as server:
            port = server.sockets[0].getsockname()[1]
            uri = f"ws://127.0.0.1:{front.port}/https://localhost:{port}/chat"
            async with websockets.connect(uri, max_size=None) as client:
                for message in ("hello", pattern(1_000_000), "", "end"):
                    await client.send(message)
                    assert await client.recv() == message

    asyncio.run(asyncio.wait_for(talk(), 30))


def test_websocket_through_connect(front, pki):
    """The same with the client's own TLS: the proxy is asked for a tunnel."""
    async def echo(socket_, *_):
        async for message in socket_:
            await socket_.send(message)

    async def talk():
        async with websockets.serve(echo, "127.0.0.1", 0, ssl=tls_context(pki.good)) as server:
            port = server.sockets[0].getsockname()[1]
            client = await asyncio.to_thread(connect, front, f"localhost:{port}")
            await asyncio.to_thread(client.response, "CONNECT")
            client.socket.setblocking(False)
            context = ssl.create_default_context(cafile=pki.root_file)
            async with websockets.connect(f"wss://localhost:{port}/", sock=client.socket, ssl=context,
                                          server_hostname="localhost") as ws:
                await ws.send("hello")
                assert await ws.recv() == "hello"

    asyncio.run(asyncio.wait_for(talk(), 30))
