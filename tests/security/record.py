"""
Everything that crosses a unix socket, written down: `record.py LISTEN DIAL FILE` passes connections on and appends
to FILE all bytes of both directions, each direction of each connection as one piece, so that nothing that is searched
for is torn by what ran beside it. Pieces are written when the connection ends or on SIGTERM.
"""
import pathlib
import signal
import socket
import sys
import threading

listen, dial, file = sys.argv[1:4]
pieces = []
lock = threading.Lock()


def pump(source, sink, piece):
    try:
        while data := source.recv(65536):
            with lock:
                piece.extend(data)
            sink.sendall(data)
        sink.shutdown(socket.SHUT_WR)
    except OSError:
        pass


def serve(client):
    server = socket.socket(socket.AF_UNIX)
    try:
        server.connect(dial)
    except OSError:
        client.close()
        return
    both = bytearray(), bytearray()
    with lock:
        pieces.extend(both)
    threading.Thread(target=pump, args=(client, server, both[0]), daemon=True).start()
    threading.Thread(target=pump, args=(server, client, both[1]), daemon=True).start()


def save(*_):
    with lock:
        pathlib.Path(file).write_bytes(b"\n--\n".join(pieces))
    sys.exit(0)


signal.signal(signal.SIGTERM, save)
listener = socket.socket(socket.AF_UNIX)
listener.bind(listen)
listener.listen(128)
print("ready", flush=True)
while True:
    connection, _ = listener.accept()
    serve(connection)
