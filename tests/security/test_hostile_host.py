"""
A host that is not ours, in front of a real enclave (fault 26): it speaks the frames of lib/net/frame.h as it likes.
After each attack the enclave still serves, no order was done that was not whole, and it has grown by nothing.
"""
import os
import resource
import socket
import time

import pytest
from harness.chain import NITROPROXY, is_sanitized
from harness.frames import (DATA, END, ERROR, LOG, METRICS, PING, PONG, REQUEST, REQUEST_RAW, RESPONSE, RESPONSE_RAW,
                            WATCH, Frames, frame, request)
from harness.origin import pattern

SANITIZED = bool(NITROPROXY) and is_sanitized(NITROPROXY)


class Host(Frames):
    def read_to_end(self):
        got = b""
        try:
            while more := self.socket.recv(65536):
                got += more
        except ConnectionResetError:
            pass
        return got


@pytest.fixture
def order(origin):
    """The head of a POST that the service would count, and how often it has come."""
    url = origin.serve(lambda connection, _request: (connection.read_body(), connection.reply(200, [], b"done")))

    class Order:
        head = f"POST /{url} HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\n".encode()
        chunked = f"POST /{url} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n".encode()

        @staticmethod
        def whole():
            return sum(r.body == b"order" for r in origin.seen(url))

        @staticmethod
        def seen():
            return len(origin.seen(url))

    return Order


def test_it_is_understood(chain, order):
    """What the attacks are made of works when it is put together as it should be."""
    with Host(chain) as host:
        for _ in range(2):
            host.send(request(order.head) + frame(DATA, b"order") + frame(END))
            kind, head = host.frame()
            assert kind == RESPONSE and head.startswith(b"HTTP/1.1 200 ")
            assert host.frame() == (DATA, b"done")
            assert host.frame()[0] == END
        host.send(frame(PING))
        assert host.frame()[0] == PONG
    assert order.whole() == 2


def attacks(order):
    whole = request(order.head) + frame(DATA, b"order") + frame(END)
    return {
        # name: (bytes, orders that may be done)
        "DATA first": (frame(DATA, b"x"), 0),
        "END first": (frame(END), 0),
        "ERROR first": (frame(ERROR, b"io\nhost\nx"), 0),
        **{f"{name} from the host": (frame(kind, b"x" if kind != RESPONSE else b"HTTP/1.1 200 OK\r\n\r\n"), 0)
           for name, kind in (("RESPONSE", RESPONSE), ("PONG", PONG), ("LOG", LOG), ("METRICS", METRICS),
                              ("RESPONSE_RAW", RESPONSE_RAW))},
        **{f"type {kind}": (frame(kind, b"x"), 0) for kind in (0, 13, 128, 255)},
        "REQUEST without an id": (frame(REQUEST, b"1234"), 0),
        "REQUEST of nothing": (frame(REQUEST), 0),
        "REQUEST of an id alone": (request(b""), 0),
        "REQUEST of 4 GiB": (frame(REQUEST, b"x", length=0xffffffff), 0),
        "REQUEST over its cap": (frame(REQUEST, b"x", length=1 << 20), 0),
        "PING with a payload": (frame(PING, b"x"), 0),
        "DATA of nothing": (request(order.head) + frame(DATA) + frame(END), 0),
        "DATA over its cap": (request(order.chunked) + frame(DATA, b"x", length=65537), 0),
        "DATA behind END": (whole + frame(DATA, b"more"), 1),
        "END twice": (whole + frame(END), 1),
        "REQUEST in a REQUEST": (request(order.head) + request(order.head), 0),
        "PING in a REQUEST": (request(order.head) + frame(PING), 0),
        "less body than it says": (request(order.head) + frame(DATA, b"ord") + frame(END), 0),
        "more body than it says": (request(order.head) + frame(DATA, b"order and more") + frame(END), 0),
        "ERROR in the middle": (request(order.head) + frame(DATA, b"ord") + frame(ERROR, b"io\nhost\nx"), 0),
        "REQUEST_RAW of a POST": (request(order.head, REQUEST_RAW) + frame(DATA, b"order") + frame(END), 1),
        "head that is a response": (request(b"HTTP/1.1 200 OK\r\n\r\n") + frame(END), 0),
        "head with bare LF": (request(order.head.replace(b"\r\n", b"\n")) + frame(END), 0),
        "head with two lengths": (request(order.head.replace(b"\r\n\r\n", b"\r\nContent-Length: 6\r\n\r\n")) +
                                  frame(DATA, b"order") + frame(END), 0),
        "two heads in one": (request(order.head + order.head) + frame(DATA, b"order") + frame(END), 0),
        "trailer that frames": (request(order.chunked) + frame(DATA, b"ord") + frame(END, b"Content-Length: 5\r\n\r\n"), 0),
        "trailers that are none": (request(order.chunked) + frame(DATA, b"ord") + frame(END, b"no colon\r\n\r\n"), 0),
        "noise": (os.urandom(4096), 0),
        "HTTP": (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", 0),
    }


NAMES = list(attacks(type("", (), {"head": b"", "chunked": b""})))


@pytest.mark.parametrize("name", NAMES)
def test_out_of_order(chain, origin, order, name):
    """The connection is ended, or answered as what it is; nobody else notices."""
    data, allowed = attacks(order)[name]
    with Host(chain) as other:  # one that waits in the middle of a good request meanwhile
        other.send(request(order.head) + frame(DATA, b"or"))
        with Host(chain) as host:
            host.send(data)
            try:
                host.socket.shutdown(socket.SHUT_WR)
            except OSError:
                pass
            got = host.read_to_end()
            assert b"200" not in got[:20] or allowed
        other.send(frame(DATA, b"der") + frame(END))
        assert other.frame()[1].startswith(b"HTTP/1.1 200 ")
    assert order.whole() <= 1 + allowed
    assert chain.front.get(f"{origin.url}/bytes/7").body == pattern(7)


def test_cut_at_every_byte(chain, origin, order):
    whole = request(order.head) + frame(DATA, b"order") + frame(END)
    for n in range(len(whole)):
        with Host(chain) as host:
            host.send(whole[:n])
    time.sleep(0.2)
    assert order.whole() <= len(frame(END))  # its length was told: what lacks its END alone was whole at the service
    assert chain.front.get(f"{origin.url}/bytes/7").body == pattern(7)


@pytest.mark.skipif(SANITIZED, reason="a sanitizer has memory of its own")
def test_one_that_never_reads(chain, origin):
    """Twenty answers of 50 MB that nobody takes: each costs its buffers and no more, and pings cost nothing."""
    assert chain.front.get(f"{origin.url}/bytes/7").status == 200
    before = chain.enclave.rss()
    hosts = [Host(chain) for _ in range(20)]
    for host in hosts:
        host.send(request(f"GET /{origin.url}/bytes/50000000 HTTP/1.1\r\nHost: x\r\n\r\n".encode()) + frame(END))
    flood = Host(chain)
    flood.socket.settimeout(1)
    try:
        for _ in range(2000):
            flood.send(frame(PING) * 1000)
    except OSError:
        pass  # it does not listen to one that does not listen
    time.sleep(0.5)
    assert chain.front.get(f"{origin.url}/bytes/7").body == pattern(7)
    assert chain.enclave.rss() - before < 20 << 20
    for host in [*hosts, flood]:
        host.socket.close()
    end = time.monotonic() + 10
    while chain.enclave.rss() - before > 8 << 20 and time.monotonic() < end:
        time.sleep(0.1)
    assert chain.front.get(f"{origin.url}/bytes/7").body == pattern(7)


def test_thousands_of_connections(start_chain, origin):
    """Beyond limits.connections they wait; those that are there are served; afterwards all is as it was."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    chain = start_chain(enclave={"limits_connections": "100"})
    assert chain.front.get(f"{origin.url}/bytes/7").status == 200  # this connection is in the host's pool
    descriptors = chain.enclave.descriptors()
    hosts = []
    for _ in range(3000):
        host = socket.socket(socket.AF_UNIX)
        host.setblocking(False)
        try:
            host.connect(chain.sockets["enclave"].removeprefix("unix:"))
        except BlockingIOError:  # the queue is full
            host.close()
            break
        hosts.append(host)
    assert len(hosts) > 99
    assert chain.enclave.descriptors() <= descriptors + 105
    assert chain.front.get(f"{origin.url}/bytes/7").status == 200
    cpu = chain.enclave.cpu_seconds()
    time.sleep(0.5)
    assert chain.enclave.cpu_seconds() - cpu < 0.3
    for host in hosts:
        host.close()
    end = time.monotonic() + 10
    while chain.enclave.descriptors() > descriptors + 2:
        assert time.monotonic() < end, "descriptors are left"
        time.sleep(0.05)
    assert chain.inner.get(f"{origin.url}/bytes/7").status == 200


def test_what_it_is_told_holds_no_secret(start_chain, origin):
    """All that the enclave tells about itself, at its most talkative, while an app inside fails in every way."""
    chain = start_chain(enclave={"logging_level": "debug"})
    chain.host.stop()  # who asks last to hear of the enclave is the one that does
    secret = "marker-7d1c"
    with Host(chain) as host:
        host.send(frame(WATCH))
        url = f"{origin.url}/{secret}-path?{secret}=1"
        fields = [("Cookie", f"{secret}-cookie"), (f"X-{secret}", "name"), ("Authorization", f"Basic {secret}")]
        assert chain.inner.request("POST", url, fields, secret.encode()).status == 404
        for bad in (f"https://localhost:1/{secret}", f"https://10.0.0.1/{secret}", f"{origin.url}#{secret}"):
            chain.inner.request("POST", bad, fields, secret.encode())
        with chain.inner.connect() as client:
            client.send(f"GET /{secret} {secret} HTTP/1.1\r\n{secret}\r\n\r\n".encode())
            client.response()
        kinds, told = set(), b""
        deadline = time.monotonic() + 15
        while not (kinds >= {LOG, METRICS} and told.count(b"msg=exchange") >= 3) and time.monotonic() < deadline:
            kind, payload = host.frame()
            kinds.add(kind)
            told += payload
        assert kinds == {LOG, METRICS} and b"msg=exchange" in told
        assert secret.encode() not in told
