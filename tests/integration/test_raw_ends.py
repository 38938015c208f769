"""How a raw connection ends: each direction by itself, and what breaks off is told as broken, over whatever carries it."""
import socket
import threading

import pytest
from harness.origin import pattern
from harness.raw import Peer, answer_behind_the_end, connect, ending, read_exactly
from harness.sockets import reset


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
