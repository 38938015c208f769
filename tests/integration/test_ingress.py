"""TLS that ends in the enclave: what the host sees of it, who is refused, and what is served behind it."""
import asyncio
import base64
import concurrent.futures
import hashlib
import json
import os
import re
import socket
import ssl
import threading
import time

import pytest
import websockets
from harness.chain import NITROPROXY
from harness.client import Client
from harness.ingress import Between, Ingress, claimed_key, key_of, secure
from harness.ingress_fixtures import app, start  # noqa: F401
from harness.origin import pattern, tls_context
from harness.until import wait_until

SECRET = b"what-only-client-and-enclave-know"


@pytest.fixture(scope="module")
def to_app(workdir, pki, app):
    if not NITROPROXY:
        pytest.skip("NITROPROXY does not name the executable")
    ingress = Ingress(workdir, pki, ingress_app=f"tcp:127.0.0.1:{app.port}")
    yield ingress
    ingress.stop()


@pytest.fixture(scope="module")
def to_proxy(workdir, pki):
    if not NITROPROXY:
        pytest.skip("NITROPROXY does not name the executable")
    ingress = Ingress(workdir, pki)
    yield ingress
    ingress.stop()


@pytest.fixture(scope="module")
def app_front(to_app):
    return to_app.forward()


@pytest.fixture(scope="module")
def proxy_front(to_proxy):
    return to_proxy.forward()


# ---- the channel ----

def test_verified(to_app):
    result = to_app.verify()
    assert result["verdict"] == "accepted" and result["checks"]["channel"] == "ok"


def test_host_sees_tls_records_only(to_app, app_front, app):
    """Everything that passes through the host, both ways: whole TLS records from the first byte to the last."""
    with app_front.connect() as client:
        client.send_request("POST", "/echo", [("X-Secret", SECRET.decode())], SECRET)
        answer = json.loads(client.response().body)
    assert answer["body"] == SECRET.decode() and ["X-Secret", SECRET.decode()] in answer["fields"]
    time.sleep(0.2)
    assert len(to_app.wire.bytes) > 1000
    for word in SECRET, b"HTTP/1.1", b"/attestation", b"nonce", b"X-Secret":
        assert word not in to_app.wire.bytes
    assert not to_app.chain.host.matching(SECRET.decode()) and not to_app.chain.enclave.matching(SECRET.decode())


def test_man_in_the_middle(to_app, pki):
    """TLS that ends at somebody else's key, and everything behind it the real enclave's: refused."""
    context = tls_context(pki.good)
    man = Between(socket.create_server(("127.0.0.1", 0)),
                  lambda client: (context.wrap_socket(client, server_side=True), secure(to_app.port).socket))
    result = to_app.verify(url=man.url)
    assert (result["verdict"], result["reason"]) == ("refused", "channel")
    assert result["checks"]["claims"] == "ok" and result["checks"]["channel"] == "failed"
    assert b"/attestation?nonce=" in man.seen[0]  # it did read the question, and the enclave answered it
    man.listener.close()


def test_man_in_the_middle_comes_later(start, pki, app):
    """The forwarder has verified the enclave; then its address leads to somebody else. Nothing is sent there."""
    ingress = start(ingress_app=f"tcp:127.0.0.1:{app.port}")
    context, lead_astray = tls_context(pki.good), threading.Event()

    def take(client):
        if lead_astray.is_set():
            return context.wrap_socket(client, server_side=True), secure(ingress.port).socket
        return client, socket.create_connection(("127.0.0.1", ingress.port))

    man = Between(socket.create_server(("127.0.0.1", 0)), take)
    front = ingress.forward(url=man.url)
    assert front.request("POST", "/echo", body=b"x").status == 200
    man.seen.clear()
    lead_astray.set()
    answer = front.request("POST", "/echo", [("X-Secret", SECRET.decode())], SECRET)
    assert answer.status == 502 and "another key" in json.loads(answer.body)["detail"]
    assert b"/attestation?nonce=" in man.bytes and SECRET not in man.bytes
    man.listener.close()


def test_no_older_tls(to_app):
    with pytest.raises(ssl.SSLError):
        secure(to_app.port, ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_2)


def test_no_resumption(to_app):
    """A resumed session would show no key."""
    with secure(to_app.port) as client:
        client.send_request("GET", "/health/live")
        client.response()
        assert not client.socket.session.has_ticket


def test_what_is_not_tls(to_app):
    for garbage in b"GET / HTTP/1.1\r\n\r\n", b"", b"\x16\x03\x01\xff\xff" + bytes(65535), os.urandom(500):
        with Client(to_app.port) as client:
            client.send(garbage)
            client.socket.shutdown(socket.SHUT_WR)
            client.read_to_end()
    assert to_app.verify()["verdict"] == "accepted"


def test_handshakes_that_stall(start):
    ingress = start(timeouts_tls_handshake="1s")
    clients = [Client(ingress.port) for _ in range(20)]
    for client in clients:
        client.read_to_end()
        client.close()
    assert len(ingress.chain.enclave.matching("no TLS handshake from the client in time")) == 20
    assert ingress.verify()["verdict"] == "accepted"


def test_enclave_is_away(start):
    ingress = start()
    ingress.chain.enclave.stop()
    with Client(ingress.port) as client:
        assert client.at_end()
    answer = ingress.chain.front.get("/metrics").body.decode()
    assert re.search(r"^nitroproxy_\w*ingress_accepted_total\S* 1$", answer, re.M), answer


# ---- an application in the enclave ----

def test_app(app_front, app):
    answer = app_front.request("POST", "/echo?q=1", [("X-Mine", "1"), ("X-Forwarded-Proto", "gopher")], b"hello")
    echoed = json.loads(answer.body)
    fields = {name.lower(): value for name, value in echoed["fields"]}
    assert (echoed["method"], echoed["target"], echoed["body"]) == ("POST", "/echo?q=1", "hello")
    assert (fields["host"], fields["x-mine"], fields["x-forwarded-proto"]) == ("proxy.test", "1", "https")
    assert "nitroproxy-enclave" in fields["via"] and "connection" not in fields


@pytest.mark.parametrize("target", ["/https://127.0.0.1:1/", "/http:/127.0.0.1/", "/health", "/metrics", "/a/../b"])
def test_app_paths_are_its_own(app_front, app, target):
    """Nothing that an application is asked makes its enclave a proxy."""
    with app_front.connect() as client:
        client.send_request("GET", target, [("X-Target-URL", "https://127.0.0.1:1/")])
        assert client.response().status == 404
    assert app.requests[-1].target == target


def test_app_is_no_proxy(app_front):
    answer = app_front.raw(b"CONNECT 127.0.0.1:1 HTTP/1.1\r\nHost: 127.0.0.1:1\r\n\r\n")
    assert answer.status == 405


def test_attestation_is_the_enclaves(to_app, app_front, app):
    before = len(app.requests)
    claims = app_front.get("/attestation/claims")
    assert claims.body.startswith(b"nitroproxy-claims: ") and to_app.keys()[-1].encode() in claims.body
    assert len(app.requests) == before


def test_app_streams(app_front, app):
    """Each piece arrives before the next is made."""
    turn = threading.Semaphore(0)

    def handler(connection, _request):
        connection.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        for _ in range(5):
            connection.send(b"5\r\npiece\r\n")
            assert turn.acquire(timeout=20)
        connection.send(b"0\r\n\r\n")

    url = app.serve(handler)
    with app_front.connect() as client:
        client.send_request("GET", url.removeprefix(app.url))
        client.head()
        for _ in range(5):
            assert re.fullmatch(rb"[0-9a-f]+", client.read_until(b"\r\n")) and client.read_exactly(5) == b"piece"
            client.read_exactly(2)
            turn.release()
        assert client.read_exactly(5) == b"0\r\n\r\n"


def test_app_bulk(app_front):
    size = 20_000_000
    assert app_front.get(f"/bytes/{size}").body == pattern(size)
    answer = app_front.request("POST", "/sha256", body=pattern(size))
    assert answer.body.decode() == f"{size} {hashlib.sha256(pattern(size)).hexdigest()}"


def test_app_websocket(start, app):
    async def echo(socket_, *_):
        async for message in socket_:
            await socket_.send(message)

    async def talk():
        async with websockets.serve(echo, "127.0.0.1", 0, max_size=None) as server:
            port = server.sockets[0].getsockname()[1]
            ingress = await asyncio.to_thread(start, ingress_app=f"tcp:127.0.0.1:{port}")
            front = await asyncio.to_thread(ingress.forward)
            async with websockets.connect(f"ws://127.0.0.1:{front.port}/chat", max_size=None) as client:
                for message in ("hello", pattern(1_000_000), "", "end"):
                    await client.send(message)
                    assert await client.recv() == message

    asyncio.run(asyncio.wait_for(talk(), 60))


def test_app_is_away(start):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    ingress = start(ingress_app=f"tcp:127.0.0.1:{port}")
    answer = ingress.forward().get("/x")
    assert (answer.status, answer.error) == (502, "connection_refused")


def test_app_many_at_once(app_front, app):
    with concurrent.futures.ThreadPoolExecutor(20) as pool:
        bodies = list(pool.map(lambda n: app_front.get(f"/bytes/{n}").body, range(1000, 1100)))
    assert bodies == [pattern(n) for n in range(1000, 1100)]


# ---- the proxy itself ----

def test_proxy(proxy_front, origin):
    """Anywhere a client may be, its request leaves the enclave as TLS to the service."""
    assert proxy_front.get(f"{origin.url}/bytes/1000").body == pattern(1000)


def test_proxy_connect(proxy_front, pki, origin):
    with proxy_front.connect() as client:
        client.send(f"CONNECT {origin.authority} HTTP/1.1\r\nHost: {origin.authority}\r\n\r\n".encode())
        assert client.response("CONNECT").status == 200
        context = ssl.create_default_context(cafile=pki.root_file)
        client.socket = context.wrap_socket(client.socket, server_hostname="localhost")
        client.send_request("GET", "/bytes/1000", host="localhost")
        assert client.response().body == pattern(1000)


def test_proxy_keeps_its_state_to_itself(proxy_front):
    assert [proxy_front.get(path).status for path in ("/health", "/metrics", "/health/live")] == [404, 404, 200]


def test_proxy_asks_who_it_is(start, origin):
    salt = b"saltsaltsaltsalt"
    digest = hashlib.pbkdf2_hmac("sha256", b"password", salt, 1000)
    ingress = start(access_auth=f"user:pbkdf2-sha256:1000:{salt.hex()}:{digest.hex()}")
    with secure(ingress.port) as client:
        for password, status in ("wrong", 407), ("password", 200):
            given = base64.b64encode(f"user:{password}".encode()).decode()
            client.send_request("GET", f"/{origin.url}/bytes/10", [("Proxy-Authorization", f"Basic {given}")])
            assert client.response().status == status


# ---- keys ----

def test_rotation(start, app):
    """A connection goes on under its key, whose documents name it; new ones get the new key; then the old one ends."""
    ingress = start(ingress_app=f"tcp:127.0.0.1:{app.port}", ingress_rotate="3s", ingress_overlap="2s")
    old = secure(ingress.port)
    first = key_of(old)
    assert claimed_key(old) == first == ingress.keys()[0]
    ingress.chain.enclave.wait_line('msg="ingress key"', start=1 + next(
        n for n, line in enumerate(ingress.chain.enclave.lines) if 'msg="ingress key"' in line))
    second = ingress.keys()[1]
    assert first != second
    with secure(ingress.port) as new:
        assert key_of(new) == claimed_key(new) == second
    assert claimed_key(old) == first
    assert f"ingress-key-sha256: {second}\n" in ingress.chain.front.get("/attestation/claims").body.decode()
    assert ingress.verify()["verdict"] == "accepted"
    assert old.at_end()
    old.close()


def test_forwarder_follows_rotation(start, app):
    ingress = start(ingress_app=f"tcp:127.0.0.1:{app.port}", ingress_rotate="1s", ingress_overlap="1s")
    front = ingress.forward()
    for _ in range(8):
        assert front.get("/bytes/10").body == pattern(10)
        time.sleep(0.5)
    assert len(ingress.keys()) >= 3


def test_exchange_outlives_its_key(start, app):
    """What runs when the overlap is over still comes to its end."""
    ingress = start(ingress_app=f"tcp:127.0.0.1:{app.port}", ingress_rotate="1s", ingress_overlap="1s")
    release = threading.Event()

    def handler(connection, _request):
        connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nfirst")
        assert release.wait(30)
        connection.send(b"later")

    url = app.serve(handler)
    with secure(ingress.port) as client:
        client.send_request("GET", url.removeprefix(app.url))
        client.head()
        assert client.read_exactly(5) == b"first"
        deadline = time.monotonic() + 20
        while len(ingress.keys()) < 5 and time.monotonic() < deadline:
            time.sleep(0.1)
        release.set()
        assert client.read_exactly(5) == b"later"
        assert client.at_end()


def test_a_handshake_that_outlasts_its_key(start, app):
    """Nobody is served under a key that is over, whoever began when it was not."""
    ingress = start(ingress_app=f"tcp:127.0.0.1:{app.port}", ingress_rotate="1s", ingress_overlap="1s")
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    tls = context.wrap_bio(incoming, outgoing)
    began_with, done = len(ingress.keys()), False
    with socket.create_connection(("127.0.0.1", ingress.port), timeout=20) as s:
        while not done:
            try:
                tls.do_handshake()
                done = True  # but for what is still in `outgoing`: our Finished
            except ssl.SSLWantReadError:
                s.sendall(outgoing.read())
                incoming.write(s.recv(65536))
        wait_until(lambda: len(ingress.keys()) >= began_with + 3, "keys do not follow each other")
        tls.write(b"GET /bytes/10 HTTP/1.1\r\nHost: x\r\n\r\n")
        s.sendall(outgoing.read())
        try:
            while data := s.recv(65536):
                incoming.write(data)
        except ConnectionResetError:
            pass
        incoming.write_eof()
        try:
            answer = tls.read()
        except (ssl.SSLEOFError, ssl.SSLZeroReturnError):
            answer = b""
        assert answer == b""
    assert ingress.chain.enclave.running()


def test_end_with_connections_open(start, app):
    """All roles end cleanly (Ingress.stop sees to that) while clients hold idle connections."""
    ingress = start(ingress_app=f"tcp:127.0.0.1:{app.port}")
    clients = [secure(ingress.port) for _ in range(5)]
    clients[0].send_request("GET", "/bytes/10")
    assert clients[0].response().body == pattern(10)
    stalled = Client(ingress.port)
    ingress.chain.enclave.stop()
    for client in [*clients, stalled]:
        assert client.at_end()
        client.close()
