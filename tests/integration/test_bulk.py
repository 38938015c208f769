"""
A body much larger than any memory it could be kept in, down and up: the same digest, and no role grew with it.

A sanitizer's bookkeeping is most of a process's memory, and slow: there the body is smaller and memory is not looked
at. NITROPROXY_RELEASE names a binary without sanitizers, for which both are as they are meant to be.
"""
import hashlib
import os
import socket
import threading

import pytest
from harness.chain import NITROPROXY, Chain, is_sanitized
from harness.origin import pattern_pieces

MIB = 1 << 20
RSS_LIMIT = 32 * MIB
BINARY = os.environ.get("NITROPROXY_RELEASE") or NITROPROXY


@pytest.fixture(scope="module")
def fast():
    return not is_sanitized(BINARY)


@pytest.fixture(scope="module")
def size(fast):
    return 1024 * MIB if fast else 256 * MIB


@pytest.fixture(scope="module")
def digest(size):
    """What every transfer has to come to."""
    return hash_of(pattern_pieces(size))


@pytest.fixture(params=["host", "enclave"])
def front(request, workdir, pki, fast):
    """Through new processes, for the peak of memory is a process's for its life."""
    directory = workdir / f"bulk{len(os.listdir(workdir))}"
    directory.mkdir()
    chain = Chain(directory, pki, binary=BINARY)
    yield chain.front if request.param == "host" else chain.inner
    peaks = {role: p.peak_rss() for role, p in chain.processes.items()}
    chain.stop()
    if fast:
        assert all(peak < RSS_LIMIT for peak in peaks.values()), peaks


def hash_of(pieces):
    digest = hashlib.sha256()
    for piece in pieces:
        digest.update(piece)
    return digest.hexdigest()


def received(client, count):
    """The next count bytes, as they come."""
    while count:
        piece = client.buffer[:count] or client.socket.recv(min(MIB, count))
        client.buffer = client.buffer[len(piece):]
        assert piece, f"cut {count} bytes before the end"
        count -= len(piece)
        yield piece


def send_all(client, size):
    for piece in pattern_pieces(size):
        client.send(piece)


def test_down(front, origin, size, digest):
    with front.connect() as client:
        client.send_request("GET", f"/{origin.url}/bytes/{size}")
        answer = client.head()
        assert answer.get("Content-Length") == str(size)
        assert hash_of(received(client, size)) == digest


def test_up(front, origin, size, digest):
    with front.connect() as client:
        client.send(f"PUT /{origin.url}/sha256 HTTP/1.1\r\nHost: x\r\nContent-Length: {size}\r\n\r\n".encode())
        send_all(client, size)
        assert client.response().body == f"{size} {digest}".encode()


def test_through_connect(front, size, digest):
    """Raw bytes both ways at once."""
    def echo(listener):
        connection, _ = listener.accept()
        with connection:
            while piece := connection.recv(MIB):
                connection.sendall(piece)

    with socket.create_server(("127.0.0.1", 0)) as listener, front.connect() as client:
        authority = "localhost:%d" % listener.getsockname()[1]
        threading.Thread(target=echo, args=(listener,), daemon=True).start()
        client.send(f"CONNECT {authority} HTTP/1.1\r\nHost: {authority}\r\n\r\n".encode())
        assert client.response("CONNECT").status == 200
        sender = threading.Thread(target=send_all, args=(client, size))
        sender.start()
        assert hash_of(received(client, size)) == digest
        sender.join()


def test_a_client_that_does_not_read_stops_the_service(front, origin, fast):
    """Back-pressure from end to end: what the service can send is what fits into buffers between, not what it has."""
    sent = [0]
    stalled = threading.Event()

    def handler(connection, _request):
        connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n")
        connection.socket.settimeout(1)
        try:
            for piece in pattern_pieces(1_000_000_000):
                for at in range(0, len(piece), 16384):
                    connection.send(piece[at:at + 16384])
                    sent[0] += 16384
        except OSError:  # nothing could be written for a second
            stalled.set()

    with front.connect(receive_buffer=4096) as client:
        client.send_request("GET", f"/{origin.serve(handler)}")
        client.head()
        assert stalled.wait(60)
        assert sent[0] < 50 * MIB
