"""
Somebody edits the frames between host and enclave, as the host's owner can: cuts them, doubles them, flips their bits,
forges their lengths, puts noise in their place; while others are being served on the same way.
"""
import hashlib
import os
import socket
import threading

import pytest
from harness.client import Cut
from harness.faults import NO_RETRIES, SANITIZED, served
from harness.origin import pattern
from harness.sockets import accept_each, unix_listener


class Editor:
    """Stands on the socket between host and enclave: what the host's owner can do."""

    def __init__(self, path, dial, edit):
        self.dial, self.edit = dial, edit
        self.listener = unix_listener(path)
        accept_each(self.listener, self._join)

    def _join(self, client):
        server = socket.socket(socket.AF_UNIX)
        server.connect(self.dial)
        threading.Thread(target=self._pump, args=(client, server, "up"), daemon=True).start()
        self._pump(server, client, "down")

    def _pump(self, source, sink, way):
        try:
            while data := source.recv(65536):
                for piece in self.edit(data, way):
                    sink.sendall(piece)
            sink.shutdown(socket.SHUT_WR)
        except OSError:
            source.close()
            sink.close()

    def close(self):
        self.listener.close()


@pytest.fixture
def edited(start_chain):
    editors = []

    def start(edit, **settings):
        chain = start_chain(start=False, **settings)
        path = chain.sockets["enclave"].removeprefix("unix:")
        chain.settings["host"]["enclave"] = f"unix:{path}.edited"
        editors.append(Editor(path + ".edited", path, edit))
        for role in ("tunnel", "enclave", "host"):
            chain.start(role)
        return chain

    yield start
    for editor in editors:
        editor.close()


@pytest.mark.parametrize("size", [1, 3, 7])
def test_frames_cut_at_every_byte(edited, origin, size):
    chain = edited(lambda data, _way: [data[i:i + size] for i in range(0, len(data), size)])
    body = pattern(3000)
    answer = chain.front.request("POST", f"{origin.url}/sha256", [("X-A", "b")], body)
    assert answer.body == b"3000 " + hashlib.sha256(body).hexdigest().encode()
    assert chain.front.get(f"{origin.url}/bytes/3000").body == body


class Neighbour:
    """An answer that is on its way while others are broken."""

    def __init__(self, front, origin):
        self.go, sent = threading.Event(), threading.Event()

        def handler(connection, _request):
            connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n" + pattern(1000))
            sent.set()
            self.go.wait(30)
            connection.send(pattern(100_000)[1000:])

        self.client = front.connect()
        self.client.send_request("GET", f"/{origin.serve(handler)}")
        assert sent.wait(10) and self.client.head().status == 200
        self.client.read_exactly(1000)

    def assert_whole(self):
        self.go.set()
        assert self.client.read_exactly(99_000) == pattern(100_000)[1000:]
        self.client.close()

    def assert_whole_or_cut(self):
        """Nothing but what was sent, and the client sees whether it is all."""
        self.go.set()
        got = b""
        try:
            while len(got) < 99_000:
                got += self.client.read_exactly(1)
                got, self.client.buffer = got + self.client.buffer, b""
        except Cut:
            pass
        assert got == pattern(100_000)[1000:1000 + len(got)]
        self.client.close()


FLIPS = (0, 3, 4, 9, 13, 40)  # of the length, the type, the id, the head


@pytest.mark.parametrize("trunk", ["false", "true"], ids=["apart", "trunk"])
@pytest.mark.parametrize("way", ["up", "down"])
@pytest.mark.parametrize("what", ["huge length", "zero length", "unknown type", "cut", "twice", "noise",
                                  *(f"flipped byte {at}" for at in FLIPS)])
def test_frames_that_are_wrong(edited, origin, what, way, trunk):
    """
    That connection is dropped; the others, and the next one, never notice; nothing is allocated for a claim. A trunk takes
    all that it carries with it, in a way that clients see; the next request is served.
    """
    armed = threading.Event()
    change = {
        "huge length": lambda d: b"\xff\xff\xff\xff" + d[4:],
        "zero length": lambda d: b"\0\0\0\0" + d[4:],
        "unknown type": lambda d: d[:4] + b"\xee" + d[5:],
        **{f"flipped byte {at}": lambda d, at=at: d[:at] + bytes([d[at] ^ 0x80]) + d[at + 1:] if len(d) > at else b"\x80"
           for at in FLIPS},
        "cut": lambda d: d[:len(d) // 2],
        "twice": lambda d: d + d,
        "noise": lambda d: os.urandom(len(d)),
    }[what]

    def edit(data, direction):
        if direction == way and armed.is_set():
            armed.clear()
            return [change(data)]
        return [data]

    # A frame that is awaited in vain is a matter of time limits, short ones here.
    short = {"timeouts_body_stall": "500ms", "timeouts_response_header": "500ms", "timeouts_response_stall": "60s",
             "timeouts_tunnel_connect": "500ms", "timeouts_tls_handshake": "500ms", "timeouts_drain": "1s"}
    chain = edited(edit, host={**NO_RETRIES, **short, "trunk": trunk, "logging_level": "debug"}, enclave=short,
                   tunnel={"timeouts_dns": "200ms", "timeouts_connect": "200ms"})
    if trunk == "true":
        chain.host.wait_line("msg=trunk to=")
    assert served(chain.front, origin)
    memory = {role: chain.processes[role].rss() for role in ("host", "enclave")}
    neighbour = Neighbour(chain.front, origin)
    for i in range(1 if what == "cut" else 2):  # it costs the time limits each time
        url = origin.serve(lambda connection, _request: (connection.read_body(), connection.reply(200, [], b"done")))
        armed.set()
        try:
            answer = chain.front.request("POST", url, [], b"order %d" % i)
            assert answer.status in (200, 400, 500, 502, 503, 504)
            assert answer.status != 200 or answer.body == b"done"
        except Cut:
            pass
        armed.clear()
        # Whoever owns the host can send an order twice, by a client if not by frames.
        assert len(origin.seen(url)) <= (2 if what == "twice" else 1)
        assert served(chain.front, origin)
    neighbour.assert_whole() if trunk == "false" else neighbour.assert_whole_or_cut()
    for role in ("host", "enclave"):
        assert chain.processes[role].rss() < memory[role] + (64 << 20 if SANITIZED else 4 << 20)
