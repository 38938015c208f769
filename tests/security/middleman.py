"""
Those who stand where they should not, for test_tls.sh. Prints "port N".

    middleman.py downgrade PORT     passes a connection on to 127.0.0.1:PORT, but hides from the server that the client
                                    speaks TLS 1.3
    middleman.py cut CERT KEY       a service: /FRAMING/whole answers 1000 bytes and ends properly, /FRAMING/cut
                                    half of them (framed as "close": all) and ends as anybody on the way could
"""
import pathlib
import socket
import sys
import threading

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "support" / "py"))

from harness.origin import Origin, tls_context  # noqa: E402

SUPPORTED_VERSIONS = b"\x00\x2b\x00\x05\x04\x03\x04\x03\x03"  # TLS 1.3 and TLS 1.2, as mbedTLS offers them


def pump(source, sink):
    try:
        while data := source.recv(65536):
            sink.sendall(data)
        sink.shutdown(socket.SHUT_WR)
    except OSError:
        pass


def downgrade(client, port):
    hello = b""
    while len(hello) < 5 or len(hello) < 5 + int.from_bytes(hello[3:5], "big"):
        hello += client.recv(65536)
    if SUPPORTED_VERSIONS in hello:
        print("downgraded", flush=True)
    # An extension nobody knows is passed over.
    hello = hello.replace(SUPPORTED_VERSIONS, b"\xfa\xfa" + SUPPORTED_VERSIONS[2:])
    server = socket.create_connection(("127.0.0.1", port))
    server.sendall(hello)
    threading.Thread(target=pump, args=(server, client), daemon=True).start()
    pump(client, server)


def answer(connection, request):
    _, framing, end = request.target.split("/")
    body = b"x" * 1000
    if framing == "length":
        head, message = b"Content-Length: 1000\r\n", body
    elif framing == "chunked":
        head, message = b"Transfer-Encoding: chunked\r\n", b"3e8\r\n" + body + b"\r\n0\r\n\r\n"
    else:
        head, message = b"Connection: close\r\n", body
    if end == "cut" and framing != "close":
        message = message[:500]
    connection.send(b"HTTP/1.1 200 OK\r\n" + head + b"\r\n" + message)
    connection.end() if end == "whole" else connection.cut()


def main():
    if sys.argv[1] == "downgrade":
        listener = socket.create_server(("127.0.0.1", 0))
        print("port", listener.getsockname()[1], flush=True)
        while True:
            client, _ = listener.accept()
            threading.Thread(target=downgrade, args=(client, int(sys.argv[2])), daemon=True).start()

    class Leaf:
        cert_file, key_file = sys.argv[2:4]

    origin = Origin(tls_context(Leaf))
    for framing in ("length", "chunked", "close"):
        for end in ("whole", "cut"):
            origin.handle(f"/{framing}/{end}", answer)
    print("port", origin.port, flush=True)
    threading.Event().wait()


main()
