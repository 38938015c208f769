"""Connections that become raw: what is at both ends of a CONNECT, and how they see it end."""
import socket
import threading


class Peer:
    """A TCP service behind CONNECT: talk(socket) in a thread a connection."""

    def __init__(self, talk):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.authority = "localhost:%d" % self.listener.getsockname()[1]
        self.talk = talk
        self.done = threading.Event()
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        connection, _ = self.listener.accept()
        connection.settimeout(20)
        with connection:
            self.talk(connection)
        self.done.set()
        self.listener.close()


def connect(front, authority, early=b""):
    client = front.connect()
    client.send(f"CONNECT {authority} HTTP/1.1\r\nHost: {authority}\r\n\r\n".encode() + early)
    return client


def read_exactly(sock, count):
    """So many bytes, or as many as there are."""
    data = b""
    while len(data) < count and (more := sock.recv(count - len(data))):
        data += more
    return data


def answer_behind_the_end(s):
    got = b""
    while more := s.recv(65536):
        got += more
    s.sendall(b"%d" % len(got))


def ending(sock):
    """Reads on: "end" for a FIN, "reset" for a RST; what came before is thrown away."""
    try:
        while sock.recv(1 << 20):
            pass
    except ConnectionResetError:
        return "reset"
    return "end"
