"""Each stage has its time: 408 for the client's, 504 for everything behind the proxy. The others are far away."""
import signal
import socket
import threading
import time

import pytest
from harness.client import Cut

SHORT = 0.3
SETTING = "300ms"


@pytest.fixture
def timed():
    """Its use as a context asserts that the stage took its time and not much more."""
    class Timed:
        def __enter__(self):
            self.start = time.monotonic()

        def __exit__(self, kind, *_):
            took = time.monotonic() - self.start
            assert kind or SHORT * 0.8 <= took < 5, f"took {took:.1f} s"

    return Timed()


def fronts(chain):
    return (chain.front, chain.inner)


def both(**settings):
    return {"host": settings, "enclave": settings}


def test_head_that_never_ends(start_chain, timed, origin):
    for front in fronts(start_chain(**both(timeouts_client_header=SETTING))):
        with front.connect() as client, timed:
            client.send(b"GET / HTTP/1.1\r\nHo")
            answer = client.response()
            assert (answer.status, answer.error) == (408, "http_request_error")
            assert client.at_end()
        assert front.get(f"{origin.url}/bytes/1").status == 200


def test_head_that_trickles(start_chain):
    """A byte now and then does not prolong it."""
    front = start_chain(**both(timeouts_client_header=SETTING)).front
    stop = threading.Event()
    with front.connect() as client:
        def trickle():
            while not stop.wait(0.02):
                try:
                    client.send(b"X")
                except OSError:
                    return

        thread = threading.Thread(target=trickle)
        client.send(b"GET / HTTP/1.1\r\nHost: x\r\nX")
        thread.start()
        assert client.response().status == 408
        stop.set()
        thread.join()


def test_connection_without_a_request(start_chain, timed):
    for front in fronts(start_chain(**both(timeouts_client_header=SETTING, timeouts_client_idle=SETTING))):
        with front.connect() as client, timed:
            assert client.at_end()


def test_body_that_stops(start_chain, timed, origin):
    gone = threading.Semaphore(0)

    def handler(connection, _request):
        try:
            connection.read_body()
        except EOFError:
            gone.release()
            raise

    for front in fronts(start_chain(**both(timeouts_body_stall=SETTING))):
        with front.connect() as client, timed:
            client.send(f"POST /{origin.serve(handler)} HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nabc".encode())
            answer = client.response()
            assert (answer.status, answer.error) == (408, "http_request_error")
        assert gone.acquire(timeout=10)


def test_no_response(start_chain, timed, origin):
    for front in fronts(start_chain(enclave={"timeouts_response_header": SETTING})):
        with timed:
            answer = front.get(origin.serve(lambda connection, _request: connection.wait_gone()))
        assert (answer.status, answer.error) == (504, "http_response_timeout")
        assert answer.details.startswith("service: ")


def test_a_post_is_not_sent_again_when_it_times_out(start_chain, origin):
    chain = start_chain(enclave={"timeouts_response_header": SETTING})
    url = origin.serve(lambda connection, _request: connection.wait_gone())
    assert chain.front.request("POST", url, [], b"x").status == 504
    assert len(origin.seen(url)) == 1


def test_response_that_stops(start_chain, timed, origin):
    def handler(connection, _request):
        connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc")
        connection.wait_gone()

    for front in fronts(start_chain(enclave={"timeouts_response_stall": SETTING})):
        with pytest.raises(Cut), timed:
            front.get(origin.serve(handler))


class Silent:
    """Accepts and says nothing."""

    def __init__(self):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = "https://localhost:%d/" % self.listener.getsockname()[1]


def test_a_client_that_reads_slowly_is_not_one_that_stopped(start_chain, origin):
    """What it takes is progress, though the kernel's buffers have room again only from time to time."""
    chain = start_chain(enclave={"timeouts_response_stall": "4s"})
    with chain.inner.connect() as client:
        client.send_request("GET", f"/{origin.url}/bytes/30000000")
        until = time.monotonic() + 8
        while time.monotonic() < until:
            assert client.socket.recv(16_000)
            time.sleep(0.2)  # this client's own pace
        assert not chain.enclave.matching("error=write_timeout")


def test_silent_handshake(start_chain, timed):
    service = Silent()
    for front in fronts(start_chain(enclave={"timeouts_tls_handshake": SETTING})):
        with timed:
            answer = front.get(service.url)
        assert (answer.status, answer.error) == (504, "connection_timeout")
        assert answer.details.startswith("service: ")
    service.listener.close()


def test_service_that_does_not_accept(start_chain, timed):
    """Its queue is full: the connection is neither made nor refused."""
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen(0)
    port = listener.getsockname()[1]
    waiting = []
    for _ in range(4):
        s = socket.socket()
        s.setblocking(False)
        s.connect_ex(("127.0.0.1", port))
        waiting.append(s)
    for front in fronts(start_chain(tunnel={"timeouts_connect": SETTING})):
        with timed:
            answer = front.get(f"https://127.0.0.1:{port}/")
        assert (answer.status, answer.error) == (504, "connection_timeout")
    for s in waiting:
        s.close()
    listener.close()


def test_tunnel_that_does_not_answer(start_chain, workdir, timed):
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(workdir / "silent.sock"))
    listener.listen(10)
    chain = start_chain(enclave={"tunnel": f"unix:{workdir}/silent.sock", "timeouts_tunnel_connect": SETTING})
    for front in fronts(chain):
        with timed:
            answer = front.get("https://localhost:1/")
        assert (answer.status, answer.error) == (504, "connection_timeout")
        assert answer.details.startswith("tunnel: ")
    listener.close()


def test_enclave_that_is_stopped(start_chain, timed, origin):
    """Seen in time, and all is well when it goes on."""
    chain = start_chain(host={"timeouts_enclave_connect": SETTING})
    chain.enclave.signal(signal.SIGSTOP)
    try:
        with timed:
            answer = chain.front.get("/health")
        assert answer.status == 503
        assert b'"kind":"timeout","hop":"enclave"' in answer.body
    finally:
        chain.enclave.signal(signal.SIGCONT)
    assert chain.front.get(f"{origin.url}/bytes/1").status == 200


def test_raw_tunnel_without_a_byte(start_chain, timed):
    service = Silent()
    authority = service.url.split("/")[2]
    for front in fronts(start_chain(**both(timeouts_tunnel_idle=SETTING))):
        with front.connect() as client, timed:
            client.send(f"CONNECT {authority} HTTP/1.1\r\nHost: {authority}\r\n\r\n".encode())
            assert client.response("CONNECT").status == 200
            assert client.at_end()
    service.listener.close()


def test_client_that_does_not_read(start_chain, timed, origin):
    """The service is let go in time; nothing piles up in between."""
    gone = threading.Event()

    def handler(connection, _request):
        try:
            connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n")
            while True:
                connection.send(bytes(1 << 20))
        except OSError:
            gone.set()

    for front in fronts(start_chain(**both(timeouts_response_stall=SETTING))):
        gone.clear()
        with front.connect(receive_buffer=4096) as client, timed:
            client.send_request("GET", f"/{origin.serve(handler)}")
            assert gone.wait(15)
