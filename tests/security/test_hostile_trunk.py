"""
Trunks whose other side is not ours: a host that breaks each rule of lib/net/bundle.h in front of a real enclave. What is
carried may be lost; nobody else notices, nothing grows, and nothing hangs. test_hostile_tunnel.py: behind it.
"""
import os
import socket
import struct
import threading
import time

import pytest
from harness.chain import NITROPROXY, is_sanitized
from harness.frames import DATA as F_DATA, END as F_END, ERROR as F_ERROR, PING as F_PING
from harness.frames import RESPONSE, TRUNK, Frames, frame, request
from harness.origin import pattern
from harness.trunks import (CLOSE, CREDIT, DATA, END, LEAVE, MOVE, MOVED, OPEN, PING, PONG, RESET,
                            read_strand_frame, strand_frame)
from harness.until import wait_until

SANITIZED = bool(NITROPROXY) and is_sanitized(NITROPROXY)
WINDOW = 32768


def get(url):
    return request(f"GET /{url} HTTP/1.1\r\nHost: x\r\n\r\n".encode()) + frame(F_END)


def post(url, length):
    return request(f"POST /{url} HTTP/1.1\r\nHost: x\r\nContent-Length: {length}\r\n\r\n".encode())


class Host(Frames):
    """A connection to the enclave that says it is a trunk, or a lane of one."""

    def __init__(self, chain, key=None, strand=0):
        super().__init__(chain)
        self.key = os.urandom(16) if key is None else key
        self.send(frame(TRUNK, self.key + struct.pack("!I", strand)))
        kind, self.answer = self.frame()
        self.taken = kind == TRUNK
        assert self.taken or kind == F_ERROR
        self.strands = struct.unpack("!II", self.answer)[0] if self.taken else 0

    def is_closed(self):
        """Whether the enclave closes now, whatever it says before."""
        try:
            while self.socket.recv(65536):
                pass
        except ConnectionResetError:
            pass
        except TimeoutError:
            return False
        return True

    def read_answer(self, strand, lane=None):
        """All frames of net/frame.h that come on a strand, until one that is END or ERROR; then their kinds and bytes."""
        data, source = b"", self.socket
        while True:
            if source is lane:
                data += source.recv(65536)
            else:
                kind, at, _, payload = read_strand_frame(source)
                assert at in (0, strand)
                data += payload
                if kind == MOVED:
                    source = lane
                assert kind in (DATA, CREDIT, MOVE, MOVED, CLOSE)
            frames, rest = [], data
            while len(rest) >= 5:
                length, kind = struct.unpack("!IB", rest[:5])
                if len(rest) < 5 + length:
                    break
                frames.append((kind, rest[5:5 + length]))
                rest = rest[5 + length:]
                if kind in (F_END, F_ERROR):
                    return frames


class Beside:
    """A good exchange on a connection of its own that is half done while something is attacked."""

    def __init__(self, chain, origin):
        self.url = origin.serve(lambda connection, _request: connection.reply(200, [], connection.read_body()))
        self.origin = origin
        self.host = Frames(chain)
        self.host.send(post(self.url, 5) + frame(F_DATA, b"or"))
        origin.wait_for(lambda o: o.seen(self.url))

    def assert_served(self):
        with self.host:
            self.host.send(frame(F_DATA, b"der") + frame(F_END))
            kind, head = self.host.frame()
            assert kind == RESPONSE and head.startswith(b"HTTP/1.1 200 ")


@pytest.fixture
def beside(chain, origin):
    """Before and behind each attack the enclave serves, its own host's trunk too."""
    other = Beside(chain, origin)
    yield other
    other.assert_served()
    for front in (chain.front, chain.inner):
        assert front.get(f"{origin.url}/bytes/70000").body == pattern(70_000)
    assert chain.enclave.running()


def test_it_is_understood(chain, origin, beside):
    """What the attacks are made of works when it is put together as it should be; by two strands at a time."""
    with Host(chain) as host:
        assert host.taken and host.strands >= 16
        for first in (1, 3):
            host.send(strand_frame(OPEN, first) + strand_frame(OPEN, first + 1) +
                      strand_frame(DATA, first, get(f"{origin.url}/bytes/5")))
            frames = host.read_answer(first)
            assert frames[0][1].startswith(b"HTTP/1.1 200 ") and frames[1] == (F_DATA, pattern(5))
            host.send(strand_frame(CLOSE, first))
            assert read_strand_frame(host.socket)[:2] == (CLOSE, first)
            host.send(strand_frame(DATA, first + 1, get(f"{origin.url}/bytes/6")))
            assert host.read_answer(first + 1)[1] == (F_DATA, pattern(6))
            host.send(strand_frame(CLOSE, first + 1))
            assert read_strand_frame(host.socket)[:2] == (CLOSE, first + 1)
        host.send(strand_frame(PING))
        assert read_strand_frame(host.socket)[0] == PONG
        host.send(strand_frame(LEAVE))


def data(strand, count):
    return strand_frame(DATA, strand, b"x" * count)


BROKEN = {
    "OPEN of strand 0": strand_frame(OPEN, 0),
    "OPEN twice": strand_frame(OPEN, 1) * 2,
    "OPEN backwards": strand_frame(OPEN, 2) + strand_frame(OPEN, 1),
    "OPEN of half the circle": strand_frame(OPEN, 1 << 31 | 1),
    "OPEN with a length": strand_frame(OPEN, 1, length=1),
    "DATA of strand 0": data(0, 1),
    "DATA of no strand": data(1, 1),
    "DATA of a later strand": strand_frame(OPEN, 1) + data(2, 1),
    "DATA of nothing": strand_frame(OPEN, 1) + data(1, 0),
    "DATA longer than a frame": strand_frame(OPEN, 1) + strand_frame(DATA, 1, length=65536),
    "DATA of 16 MiB": strand_frame(OPEN, 1) + strand_frame(DATA, 1, length=0xffffff),
    "DATA beyond the window": strand_frame(OPEN, 1) + data(1, WINDOW + 1),
    "DATA behind END": strand_frame(OPEN, 1) + strand_frame(END, 1) + data(1, 1),
    "DATA behind CLOSE of 16 MiB": strand_frame(OPEN, 1) + strand_frame(CLOSE, 1) + strand_frame(DATA, 1, length=0xffffff),
    "DATA behind MOVED": strand_frame(OPEN, 1) + strand_frame(MOVED, 1) + data(1, 1),
    "CREDIT of nothing": strand_frame(OPEN, 1) + strand_frame(CREDIT, 1),
    "CREDIT of no strand": strand_frame(CREDIT, 1, length=1),
    "CREDIT of strand 0": strand_frame(CREDIT, 0, length=1),
    "CREDIT beyond the window": strand_frame(OPEN, 1) + strand_frame(CREDIT, 1, length=1),
    "CREDIT of 16 MiB": strand_frame(OPEN, 1) + strand_frame(CREDIT, 1, length=0xffffff),
    "END twice": strand_frame(OPEN, 1) + strand_frame(END, 1) * 2,
    "END with a length": strand_frame(OPEN, 1) + strand_frame(END, 1, length=1),
    "END of no strand": strand_frame(END, 1),
    "END of strand 0": strand_frame(END, 0),
    "CLOSE twice": strand_frame(OPEN, 1) + strand_frame(CLOSE, 1) * 2,
    "RESET behind CLOSE": strand_frame(OPEN, 1) + strand_frame(CLOSE, 1) + strand_frame(RESET, 1),
    "MOVE from who dials": strand_frame(OPEN, 1) + strand_frame(MOVE, 1),
    "MOVED twice": strand_frame(OPEN, 1) + strand_frame(MOVED, 1) * 2,
    "MOVED behind END": strand_frame(OPEN, 1) + strand_frame(END, 1) + strand_frame(MOVED, 1),
    "MOVED of no strand": strand_frame(MOVED, 1),
    "LEAVE of a strand": strand_frame(OPEN, 1) + strand_frame(LEAVE, 1),
    "PING of a strand": strand_frame(OPEN, 1) + strand_frame(PING, 1),
    "PING with a length": strand_frame(PING, 0, length=1),
    **{f"type {kind} of strand {strand}": strand_frame(OPEN, 1) + strand_frame(kind, strand)
       for kind in (0, 12, 128, 255) for strand in (0, 1)},
    "frames of net/frame.h": frame(F_PING) * 20,
    "a trunk in a trunk": frame(TRUNK, bytes(20)),
    "HTTP": b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_rule_is_broken(chain, beside, name):
    """That trunk ends; the others never notice."""
    with Host(chain) as host:
        assert host.taken
        host.send(BROKEN[name])
        assert host.is_closed()


def test_noise(chain, beside):
    for _ in range(50):
        with Host(chain) as host:
            try:
                host.send(strand_frame(OPEN, 1) + os.urandom(3000))
            except OSError:
                pass


def test_a_good_conversation_cut_at_every_byte(chain, origin, beside):
    whole = strand_frame(OPEN, 1) + strand_frame(DATA, 1, get(f"{origin.url}/bytes/5")) + strand_frame(CLOSE, 1)
    descriptors = chain.enclave.descriptors()
    for n in range(len(whole)):
        with Host(chain) as host:
            assert host.taken
            host.send(whole[:n])
    wait_until(lambda: chain.enclave.descriptors() <= descriptors + 4, "descriptors are left")


# ---- too much of what is allowed ---------------------------------------------------------------------------------------

@pytest.fixture
def bounded(chain):
    """.. and it has grown by little; a sanitizer has memory of its own."""
    before = chain.enclave.rss()
    yield
    if not SANITIZED:
        assert chain.enclave.rss() - before < 24 << 20


def flood(host, piece, times, patience=2):
    """Sends without reading; where the enclave does not listen to one that does not listen, or has closed, it ends."""
    host.socket.settimeout(patience)
    try:
        for _ in range(times):
            host.send(piece)
    except OSError:
        pass


def test_pings_whose_answers_nobody_reads(chain, origin, bounded, beside):
    with Host(chain) as host:
        flood(host, strand_frame(PING) * 8000, 300)
        assert chain.front.get(f"{origin.url}/bytes/7").body == pattern(7)


@pytest.mark.parametrize("last", [CLOSE, RESET])
@pytest.mark.parametrize("more", [b"", frame(F_PING), b"\0\0\0"], ids=["empty", "ping", "half a frame"])
def test_strands_that_come_and_go(chain, origin, bounded, beside, last, more):
    """.. without end, and nothing that is said on them is read."""
    with Host(chain) as host:
        for start in range(1, 60_001, 1000):
            flood(host, b"".join(strand_frame(OPEN, i) + (strand_frame(DATA, i, more) if more else b"") +
                                 strand_frame(last, i) for i in range(start, start + 1000)), 1)
        assert chain.front.get(f"{origin.url}/bytes/7").body == pattern(7)


def test_one_strand_too_many(chain, beside):
    with Host(chain) as host:
        flood(host, b"".join(strand_frame(OPEN, i) for i in range(1, host.strands + 2)), 1)
        assert host.is_closed()


def test_as_many_strands_as_there_may_be(chain, origin, bounded, beside):
    """They say nothing, or half of something."""
    with Host(chain) as host:
        count = min(host.strands, 1000)
        host.send(b"".join(strand_frame(OPEN, i) + strand_frame(DATA, i, b"\0\0") for i in range(1, count + 1)))
        assert chain.front.get(f"{origin.url}/bytes/7").body == pattern(7)
        host.send(strand_frame(PING))
        assert read_strand_frame(host.socket)[0] == PONG


@pytest.mark.parametrize("credit", [False, True], ids=["no credit", "credit"])
def test_answers_that_nobody_reads(chain, origin, bounded, beside, credit):
    """Forty of 50 MB; with credit for as much as the rules allow it is the carrier that stands."""
    url = f"{origin.url}/bytes/50000000"
    with Host(chain) as host:
        for i in range(1, 41):
            host.send(strand_frame(OPEN, i) + strand_frame(DATA, i, get(url)))
        assert chain.front.get(f"{origin.url}/bytes/3000000").body == pattern(3_000_000)
        if credit:
            flood(host, b"".join(strand_frame(CREDIT, i, length=16384) for i in range(1, 41)), 1)
            assert chain.front.get(f"{origin.url}/bytes/3000000").body == pattern(3_000_000)


def test_uploads_that_nobody_takes(chain, origin, bounded, beside):
    """A service that reads nothing, and a host that sends whatever windows there are."""
    go_on = threading.Event()
    url = origin.serve(lambda connection, _request: go_on.wait(30))
    with Host(chain) as host:
        for i in range(1, 31):
            host.send(strand_frame(OPEN, i) + strand_frame(DATA, i, post(url, 50_000_000)))
        origin.wait_for(lambda o: len(o.seen(url)) == 30)
        end = time.monotonic() + 3
        room = dict.fromkeys(range(1, 31), WINDOW - len(post(url, 50_000_000)))
        host.socket.settimeout(0.3)
        try:
            while time.monotonic() < end:
                for i in [i for i, left in room.items() if left >= 8005]:
                    host.send(strand_frame(DATA, i, frame(F_DATA, pattern(8000))))
                    room[i] -= 8005
                kind, strand, length, _ = read_strand_frame(host.socket)
                if kind == CREDIT:
                    room[strand] += length
        except TimeoutError:
            pass  # no window is open any more
        assert chain.front.get(f"{origin.url}/bytes/7").body == pattern(7)
        go_on.set()


# ---- lanes ---------------------------------------------------------------------------------------------------------------

def test_a_lane_that_was_not_asked_for(chain, origin, beside):
    """.. is one all the same: both sides go over to it."""
    with Host(chain) as host:
        host.send(strand_frame(OPEN, 1))
        with Host(chain, host.key, 1) as lane:
            assert lane.taken
            host.send(strand_frame(MOVED, 1))
            lane.send(get(f"{origin.url}/bytes/5"))
            frames = host.read_answer(1, lane.socket)
            assert frames[1] == (F_DATA, pattern(5))


def test_lanes_that_are_none(chain, origin, beside):
    descriptors = chain.enclave.descriptors()
    with Host(chain) as host, Host(chain) as other:
        host.send(strand_frame(OPEN, 1))
        with Host(chain, os.urandom(16), 1) as lane:
            assert not lane.taken and lane.is_closed()
        with Host(chain, host.key, 2) as lane:
            assert lane.is_closed()
        with Host(chain, other.key, 1) as lane:
            assert lane.is_closed()
        with Host(chain, host.key, 1) as lane, Host(chain, host.key, 1) as second:
            assert lane.taken and second.is_closed()
            host.send(strand_frame(MOVED, 1))
            lane.send(get(f"{origin.url}/bytes/5"))
            assert host.read_answer(1, lane.socket)[1] == (F_DATA, pattern(5))
    wait_until(lambda: chain.enclave.descriptors() <= descriptors + 4, "descriptors are left")


@pytest.mark.parametrize("way", ["before MOVED", "behind MOVED", "in the middle", "of the answer"])
def test_a_lane_that_is_closed_early(chain, origin, beside, way):
    """The end of a lane alone proves nothing: what had not come is not taken for whole."""
    url = origin.serve(lambda connection, _request: connection.reply(200, [], connection.read_body()))
    descriptors = chain.enclave.descriptors()
    with Host(chain) as host:
        host.send(strand_frame(OPEN, 1))
        lane = Host(chain, host.key, 1)
        if way == "behind MOVED":
            host.send(strand_frame(MOVED, 1))
        elif way == "in the middle":
            host.send(strand_frame(MOVED, 1))
            lane.send(post(url, 100) + frame(F_DATA, b"x" * 50))
            origin.wait_for(lambda o: o.seen(url))
        elif way == "of the answer":
            host.send(strand_frame(MOVED, 1))
            lane.send(get(f"{origin.url}/bytes/50000000"))
            lane.socket.recv(1)
        lane.socket.close()
        assert chain.front.get(f"{origin.url}/bytes/7").body == pattern(7)
        host.send(strand_frame(PING))
        while (kind := read_strand_frame(host.socket)[0]) != PONG:
            assert kind in (MOVED, DATA, CREDIT, CLOSE, RESET, MOVE)
    assert all(r.body == b"" for r in origin.seen(url))
    wait_until(lambda: chain.enclave.descriptors() <= descriptors + 4, "descriptors are left")


# ---- trunks ----------------------------------------------------------------------------------------------------------------

def test_a_key_that_is_taken(chain, beside):
    with Host(chain) as host, Host(chain, host.key) as again:
        assert host.taken and not again.taken and again.is_closed()
        host.send(strand_frame(PING))
        assert read_strand_frame(host.socket)[0] == PONG


def test_many_trunks(chain, origin, beside):
    """Each is promised half of what is left; when that is little there are no more, and who comes without is served."""
    descriptors = chain.enclave.descriptors()
    hosts = [Host(chain) for _ in range(60)]
    taken = [h for h in hosts if h.taken]
    assert 0 < len(taken) < 20
    assert chain.front.get(f"{origin.url}/bytes/7").body == pattern(7)
    late = Beside(chain, origin)
    late.assert_served()
    for host in hosts:
        host.socket.close()
    wait_until(lambda: chain.enclave.descriptors() <= descriptors + 4, "descriptors are left")
    with Host(chain) as host:
        assert host.taken and host.strands == max(h.strands for h in taken)


def test_hellos_that_are_cut(chain, beside):
    hello = frame(TRUNK, bytes(20))
    for n in range(len(hello)):
        with socket.socket(socket.AF_UNIX) as s:
            s.connect(chain.sockets["enclave"].removeprefix("unix:"))
            s.sendall(hello[:n])
    for _ in range(200):  # whole, and nobody waits for the answer
        with socket.socket(socket.AF_UNIX) as s:
            s.connect(chain.sockets["enclave"].removeprefix("unix:"))
            s.sendall(frame(TRUNK, os.urandom(16) + bytes(4)))
