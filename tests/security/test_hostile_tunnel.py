"""
Trunks whose other side is not ours: a tunnel that breaks each rule of lib/net/bundle.h behind a real enclave. Requests may
be lost; they end in time and say where, nothing grows, and a good tunnel behind it is used as if nothing had been.
"""
import json
import os
import pathlib
import socket
import struct
import threading
import time

import pytest
from harness.chain import NITROPROXY, is_sanitized
from harness.client import Cut
from harness.frames import TRUNK, frame
from harness.origin import pattern
from harness.sockets import accept_each, exactly, unix_listener
from harness.trunks import (CLOSE, CREDIT, DATA, END, LEAVE, MOVE, MOVED, OPEN, PING, PONG, RESET,
                            read_strand_frame, strand_frame)
from harness.until import wait_until

SANITIZED = bool(NITROPROXY) and is_sanitized(NITROPROXY)


def message(value):
    text = value if isinstance(value, bytes) else json.dumps(value).encode()
    return struct.pack("!I", len(text)) + text


def strands(count, workers=1):
    return message({"status": "ok", "strands": count, "workers": workers})


class Tunnel:
    """Speaks to each connection as `talk` likes: talk(tunnel, socket, request), in a thread a connection."""

    def __init__(self, address, talk):
        self.path, self.talk = address.removeprefix("unix:"), talk
        self.connections, self.trunks = [], 0
        self.listener = unix_listener(address)
        accept_each(self.listener, self._serve)

    def _serve(self, s):
        self.connections.append(s)
        try:
            request = json.loads(exactly(s, struct.unpack("!I", exactly(s, 4))[0]))
            trunk = request.get("type") == "trunk"
            self.trunks += trunk and not request["strand"]
            self.talk(self, s, request)
        except (OSError, EOFError, ValueError):
            pass

    def end(self):
        pathlib.Path(self.path).unlink()
        for s in (self.listener, *self.connections):
            try:
                s.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            s.close()


def hold(s):
    while s.recv(65536):
        pass


def answer(data):
    """This to a trunk's hello, and silence to everything."""
    def talk(_tunnel, s, request):
        if request.get("type") == "trunk":
            s.sendall(data)
        hold(s)
    return talk


def closes(_tunnel, s, _request):
    s.close()


HELLOS = {
    "silence": answer(b""),
    "closed": closes,
    "noise": answer(os.urandom(2000)),
    "a length of 4 GiB": answer(b"\xff\xff\xff\xff"),
    "a length of nothing": answer(b"\0\0\0\0"),
    "no JSON": answer(message(b"strands")),
    "no strands": answer(message({"status": "ok"})),
    "0 strands": answer(strands(0)),
    "1 strand": answer(strands(1)),
    "-1 strands": answer(strands(-1)),
    "too many strands to count": answer(strands(1 << 40)),
    "strands of text": answer(message({"status": "ok", "strands": "7"})),
    "4294967295 strands": answer(strands(0xffffffff)),
    "-1 workers": answer(strands(100, -1)),
    "workers of text": answer(strands(100, "7")),
    "an error": answer(message({"status": "error", "message": "no", "kind": "denied"})),
    "connected": answer(message({"status": "connected"})),
    "half an answer": answer(strands(100)[:-3]),
    "frames": answer(frame(TRUNK, struct.pack("!II", 100, 1))),
}


def carrier(act, count=0xffffffff, workers=1):
    """A trunk that is up, and then act(socket); anything else is met with silence."""
    def talk(_tunnel, s, request):
        if request.get("type") != "trunk" or request["strand"]:
            hold(s)
        s.sendall(strands(count, workers))
        act(s)
        hold(s)
    return talk


def at_once(data):
    return carrier(lambda s: s.sendall(data))


def to_each(kinds, then=b""):
    """When a strand is opened, these frames of it."""
    def act(s):
        while True:
            kind, strand, _, _ = read_strand_frame(s)
            if kind == OPEN:
                s.sendall(b"".join(k(strand) for k in kinds) + then)
            elif kind == PING:
                s.sendall(strand_frame(PONG))
    return carrier(act)


def of(kind, payload=b"", length=None):
    return lambda strand: strand_frame(kind, strand, payload, length)


REFUSED = message({"status": "error", "message": "no", "kind": "refused", "hop": "service"})

CARRIERS = {
    "silence": at_once(b""),
    "noise": at_once(os.urandom(4000)),
    "OPEN": at_once(strand_frame(OPEN, 1)),
    "DATA of no strand": at_once(strand_frame(DATA, 1, b"x")),
    "CREDIT of no strand": at_once(strand_frame(CREDIT, 1, length=1)),
    "PINGs": carrier(lambda s: [s.sendall(strand_frame(PING) * 8000) for _ in range(50)]),
    "LEAVE": at_once(strand_frame(LEAVE)),
    "closed": carrier(lambda s: s.close()),
    "DATA beyond the window": to_each([of(DATA, b"x" * 60_000)]),
    "CREDIT beyond the window": to_each([of(CREDIT, length=0xffffff)]),
    "nonsense as an answer": to_each([of(DATA, os.urandom(500))]),
    "END": to_each([of(END)]),
    "CLOSE": to_each([of(CLOSE)]),
    "RESET": to_each([of(RESET)]),
    "MOVE": to_each([of(MOVE)]),
    "MOVE often": to_each([of(MOVE)] * 1000),
    "MOVED": to_each([of(MOVED)]),
    "MOVE and MOVED": to_each([of(MOVE), of(MOVED)]),
    "refused and never closed": to_each([of(DATA, REFUSED)]),
    "connected, then nothing": to_each([of(DATA, message({"status": "connected"}))]),
    "LEAVE at each": to_each([], strand_frame(LEAVE)),
    "another one": to_each([lambda strand: strand_frame(RESET, strand + 1)]),
}

SHORT = {"timeouts_tunnel_connect": "400ms", "timeouts_tls_handshake": "400ms", "timeouts_drain": "1s",
         "timeouts_response_header": "1s", "limits_pool_idle": "0"}


@pytest.mark.parametrize("kind, name", [("hello", n) for n in HELLOS] + [("carrier", n) for n in CARRIERS])
def test_a_tunnel_that_is_none_of_ours(start_chain, origin, kind, name):
    """Requests end in an error that says where, in time; behind it nothing is left but a good tunnel's trunk."""
    chain = start_chain(start=False, enclave={**SHORT, "logging_level": "debug"})
    bad = Tunnel(chain.sockets["tunnel"], HELLOS[name] if kind == "hello" else CARRIERS[name])
    chain.start("enclave")
    for _ in range(6):
        began = time.monotonic()
        reply = chain.inner.get(f"{origin.url}/bytes/7")
        assert reply.status in (502, 503, 504), name
        assert reply.details.startswith(("tunnel: ", "service: ")), reply.details
        assert time.monotonic() - began < 3
    bad.end()
    chain.start("tunnel")
    wait_until(lambda: chain.inner.get(f"{origin.url}/bytes/7").status == 200, "no request is served")
    assert chain.inner.get(f"{origin.url}/bytes/3000000").body == pattern(3_000_000)
    assert chain.enclave.running()


def test_strands_that_are_never_given_back(start_chain, origin):
    """A tunnel that closes none of what we have closed: it may keep so many, and then there are connections."""
    chain = start_chain(start=False, enclave=SHORT)
    bad = Tunnel(chain.sockets["tunnel"], to_each([of(DATA, REFUSED)]))
    chain.start("enclave")
    wait_until(lambda: bad.trunks == 1, "no trunk was asked for")
    before = chain.enclave.rss()
    statuses = []
    with chain.inner.connect() as client:
        while len(statuses) < (500 if SANITIZED else 10_000) and 504 not in statuses[-1:]:
            client.send_request("GET", f"/{origin.url}/bytes/7")
            statuses.append(client.response().status)
    assert set(statuses[:-1]) == {502} and bad.trunks == 1
    if not SANITIZED:
        assert statuses[-1] == 504, "the strands are without a limit"  # a connection, which it meets with silence
        assert chain.enclave.rss() - before < 16 << 20
    bad.end()
    chain.start("tunnel")
    wait_until(lambda: chain.inner.get(f"{origin.url}/bytes/7").status == 200, "no request is served")


def test_more_workers_than_anybody_has(start_chain, origin):
    """As many trunks as that would make: there are sixteen and no more, and they are used and let go like one."""
    chain = start_chain(start=False, enclave=SHORT)
    bad = Tunnel(chain.sockets["tunnel"], carrier(hold, workers=0xffffffff))
    chain.start("enclave")
    wait_until(lambda: bad.trunks == 16, lambda: f"{bad.trunks} trunks were asked for")
    descriptors = chain.enclave.descriptors()
    for _ in range(4):
        assert chain.inner.get(f"{origin.url}/bytes/7").status == 504
    assert bad.trunks == 16 and chain.enclave.descriptors() <= descriptors + 2
    bad.end()
    chain.start("tunnel")
    wait_until(lambda: chain.inner.get(f"{origin.url}/bytes/7").status == 200, "no request is served")


def test_trunks_that_are_left_and_never_end(start_chain, origin):
    """LEAVE at the first strand of each, which is never closed: there are a few of these and no more."""
    chain = start_chain(start=False, enclave=SHORT)
    bad = Tunnel(chain.sockets["tunnel"], to_each([of(DATA, REFUSED)], strand_frame(LEAVE)))
    chain.start("enclave")
    seen = []
    end = time.monotonic() + 3.5
    while time.monotonic() < end:
        chain.inner.get(f"{origin.url}/bytes/7")
        seen.append(bad.trunks)
        time.sleep(0.02)
    assert 2 < seen[-1] < 12
    bad.end()
    chain.start("tunnel")
    wait_until(lambda: chain.inner.get(f"{origin.url}/bytes/7").status == 200, "no request is served")


def test_an_answer_that_is_cut_with_its_lane(start_chain, origin):
    """
    Bulk over a real tunnel that somebody stands in front of: the lane ends early, and the client sees a cut body. That is
    a matter of time limits: an end of a lane has no meaning before the carrier has told how the strand ends.
    """
    chain = start_chain(start=False, enclave={"timeouts_response_stall": "2s"}, tunnel={"timeouts_drain": "1s"})
    path = chain.sockets["tunnel"].removeprefix("unix:")
    lanes = []

    def pump(source, sink, limit):
        moved = 0
        try:
            while (piece := source.recv(65536)) and moved < limit:
                sink.sendall(piece)
                moved += len(piece)
        except OSError:
            pass
        for s in (source, sink):
            try:
                s.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def talk(_tunnel, s, request):
        real = socket.socket(socket.AF_UNIX)
        real.connect(path)
        real.sendall(message(request))
        lane = request.get("type") == "trunk" and request["strand"]
        if lane:
            lanes.append(s)
        threading.Thread(target=pump, args=(s, real, 1 << 60), daemon=True).start()
        pump(real, s, 1_000_000 if lane else 1 << 60)

    chain.start("tunnel")
    between = Tunnel(chain.sockets["tunnel"] + ".between", talk)
    chain.settings["enclave"]["tunnel"] = chain.sockets["tunnel"] + ".between"
    chain.start("enclave")
    wait_until(lambda: between.trunks == 1, "no trunk was asked for")
    assert chain.inner.get(f"{origin.url}/bytes/7").body == pattern(7)
    with chain.inner.connect() as client:
        client.send_request("GET", f"/{origin.url}/bytes/20000000")
        head = client.head()
        with pytest.raises(Cut):
            client.body(head)
    assert lanes
    assert chain.inner.get(f"{origin.url}/bytes/7").body == pattern(7)
    between.end()
