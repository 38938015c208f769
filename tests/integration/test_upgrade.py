"""101, and WebSocket over it or over CONNECT: the connection becomes raw, or the answer is an ordinary one."""
import asyncio
import socket
import ssl

import websockets
from harness.origin import pattern, tls_context
from harness.raw import connect


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
