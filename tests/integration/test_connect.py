"""CONNECT: how it is answered, every byte of both sides, many one after another, and what is no target."""
import signal
import socket
import threading

import pytest
from harness.origin import pattern
from harness.raw import Peer, answer_behind_the_end, connect, read_exactly


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
