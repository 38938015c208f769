"""A TLS service whose every byte the test decides: one thread a connection, one Python function a path."""
import hashlib
import itertools
import json
import socket
import ssl
import threading
from dataclasses import dataclass, field

from .client import Fields

TIMEOUT = 60


PERIOD = hashlib.sha512(b"pattern").digest() * 1024 + b"odd"  # so long that no block or record is its multiple


def pattern(count):
    """count bytes, the same for everybody who asks; a piece that is lost, doubled or moved shows."""
    return (PERIOD * (count // len(PERIOD) + 1))[:count]


def pattern_pieces(count):
    """The same, in pieces of 1 MiB or so."""
    piece = PERIOD * 16
    for at in range(0, count, len(piece)):
        yield piece[:count - at]


def tls_context(leaf, minimum=ssl.TLSVersion.TLSv1_3, maximum=ssl.TLSVersion.TLSv1_3):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version, context.maximum_version = minimum, maximum
    context.load_cert_chain(leaf.cert_file, leaf.key_file)
    return context


@dataclass
class Request(Fields):
    """As it arrived: the head's exact bytes, and fields in their order."""
    head: bytes
    method: str
    target: str
    fields: list
    connection: int  # a number that differs for each connection
    body: bytes = b""
    trailers: list = field(default_factory=list)


class Connection:
    def __init__(self, origin, sock, number):
        self.origin, self.socket, self.number = origin, sock, number
        self.buffer = b""
        self.request = None
        self.open = True

    # ---- bytes ----

    def fill(self):
        try:
            more = self.socket.recv(262144)
        except (ConnectionError, ssl.SSLError, OSError):
            more = b""
        self.origin.count_received(len(more))
        self.buffer += more
        return bool(more)

    def read_until(self, end):
        while end not in self.buffer:
            if not self.fill():
                raise EOFError
        part, _, self.buffer = self.buffer.partition(end)
        return part

    def read_exactly(self, count):
        while len(self.buffer) < count:
            if not self.fill():
                raise EOFError
        part, self.buffer = self.buffer[:count], self.buffer[count:]
        return part

    def send(self, data):
        self.socket.sendall(data)

    def wait_gone(self):
        """Returns when the other side has closed."""
        while self.fill():
            pass

    def end(self):
        """close_notify, then FIN: an end that nobody can have forged."""
        self.open = False
        if isinstance(self.socket, ssl.SSLSocket):
            self.socket.settimeout(2)
            try:
                self.socket = self.socket.unwrap()
            except (OSError, ValueError):
                pass
        self.socket.close()

    def cut(self):
        """FIN without close_notify: what somebody on the way can do."""
        self.open = False
        self.socket.close()

    # ---- messages ----

    def body_parts(self):
        """The request's body piece by piece."""
        request = self.request
        coding, length = request.get("Transfer-Encoding"), request.get("Content-Length")
        if coding:
            assert coding == "chunked" and length is None
            while size := int(self.read_until(b"\r\n"), 16):
                yield self.read_exactly(size)
                assert self.read_exactly(2) == b"\r\n"
            while line := self.read_until(b"\r\n"):
                name, _, value = line.partition(b":")
                request.trailers.append((name, value.strip()))
        remaining = int(length or 0)
        while remaining:
            if not self.buffer and not self.fill():
                raise EOFError
            part, self.buffer = self.buffer[:remaining], self.buffer[remaining:]
            remaining -= len(part)
            yield part

    def read_body(self):
        self.request.body = b"".join(self.body_parts())
        return self.request.body

    def reply(self, status=200, fields=(), body=b"", reason="Fine"):
        lines = [f"HTTP/1.1 {status} {reason}", *(f"{n}: {v}" for n, v in fields), f"Content-Length: {len(body)}"]
        self.send("\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body)


class Halfway:
    """For handlers: a body that stops in its middle, at `reached`, until it may `go_on`."""

    def __init__(self):
        self.reached, self.go_on = threading.Event(), threading.Event()

    def stop(self):
        self.reached.set()
        assert self.go_on.wait(20)

    def read_body(self, connection, size):
        got = b""
        for part in connection.body_parts():
            got += part
            if len(got) > size // 2 and not self.reached.is_set():
                self.stop()
        return got


class Origin:
    """context None: plain TCP. greeting: what is sent before anything has come, as no HTTP service would."""

    def __init__(self, context, host="localhost", greeting=b""):
        self.context, self.host, self.greeting = context, host, greeting
        self.requests = []
        self.connections = 0
        self.handshakes = 0
        self.received = 0  # bytes behind TLS
        self._lock = threading.Condition()
        self._paths = {}
        self._numbers = itertools.count(1)
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=512)
        self.port = self._listener.getsockname()[1]
        self.authority = f"{host}:{self.port}"
        self.url = f"{'https' if context else 'http'}://{self.authority}"
        self.handle("/echo", echo)
        self.handle("/sha256", sha256)
        threading.Thread(target=self._accept, daemon=True).start()

    # ---- for tests ----

    def handle(self, path, handler):
        self._paths[path] = handler

    def serve(self, handler):
        """A URL of its own for handler(connection, request)."""
        path = f"/case{next(self._numbers)}"
        self.handle(path, handler)
        return self.url + path

    def seen(self, url):
        """The requests that came for a URL."""
        path = url.removeprefix(self.url)
        return [r for r in list(self.requests) if r.target == path]

    def wait_for(self, condition, timeout=30):
        """Until condition(self) holds; looked at whenever something has arrived."""
        with self._lock:
            assert self._lock.wait_for(lambda: condition(self), timeout), "the origin waited in vain"

    def close(self):
        self._listener.close()

    # ---- threads ----

    def count_received(self, count):
        with self._lock:
            self.received += count
            self._lock.notify_all()

    def _note(self, request):
        with self._lock:
            self.requests.append(request)
            self._lock.notify_all()

    def _accept(self):
        for number in itertools.count(1):
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            sock.settimeout(TIMEOUT)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with self._lock:
                self.connections += 1
                self._lock.notify_all()
            threading.Thread(target=self._serve, args=(sock, number), daemon=True).start()

    def _serve(self, sock, number):
        connection = Connection(self, sock, number)
        try:
            if self.context:
                connection.socket = self.context.wrap_socket(sock, server_side=True)
            self.handshakes += 1
            connection.send(self.greeting)
            while connection.open:
                self._one(connection)
        except (EOFError, OSError, ValueError):
            pass
        finally:
            connection.socket.close()

    def _one(self, connection):
        head = connection.read_until(b"\r\n\r\n")
        first, _, rest = head.partition(b"\r\n")
        method, target, version = first.decode("latin-1").split(" ")
        assert version == "HTTP/1.1"
        fields = [(n, v.strip(b" ")) for n, _, v in (line.partition(b":") for line in rest.split(b"\r\n"))]
        request = connection.request = Request(head, method, target, fields, connection.number)
        self._note(request)
        path = target.partition("?")[0]
        if path.startswith("/bytes/"):
            handler = send_bytes
        else:
            handler = self._paths.get(path, not_found)
        handler(connection, request)


# ---- paths that every origin has ----

def echo(connection, request):
    """What arrived, as JSON."""
    body = connection.read_body()
    answer = {"method": request.method, "target": request.target,
              "fields": [[n.decode("latin-1"), v.decode("latin-1")] for n, v in request.fields],
              "body": body.decode("latin-1"),
              "trailers": [[n.decode("latin-1"), v.decode("latin-1")] for n, v in request.trailers]}
    connection.reply(200, [("Content-Type", "application/json")], json.dumps(answer).encode())


def sha256(connection, _request):
    """The digest of what was uploaded."""
    digest, total = hashlib.sha256(), 0
    for part in connection.body_parts():
        digest.update(part)
        total += len(part)
    connection.reply(200, [], f"{total} {digest.hexdigest()}".encode())


def send_bytes(connection, request):
    """/bytes/N: pattern(N)."""
    connection.read_body()
    count = int(request.target.removeprefix("/bytes/").partition("?")[0])
    if count <= 1 << 20:
        connection.reply(200, [], pattern(count) if request.method != "HEAD" else b"")
        return
    connection.send(f"HTTP/1.1 200 Fine\r\nContent-Length: {count}\r\n\r\n".encode())
    for piece in pattern_pieces(count):
        connection.send(piece)


def not_found(connection, _request):
    connection.read_body()
    connection.reply(404, [], b"")
