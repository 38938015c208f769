"""An HTTP/1.1 client that hides nothing: raw bytes out, and answers parsed strictly or not at all."""
import re
import socket
from dataclasses import dataclass, field

TIMEOUT = 10  # seconds for anything that should come


class Cut(Exception):
    """The message ended before its framing said so."""


class Fields:
    """What a head's `fields` say."""

    def all(self, name):
        return [value for n, value in self.fields if n.lower() == name.lower().encode()]

    def get(self, name):
        """The one value of a field, as text; None without it; more than one is an error."""
        values = self.all(name)
        assert len(values) <= 1, f"{name} stands {len(values)} times in {self.fields}"
        return values[0].decode("latin-1") if values else None


@dataclass
class Response(Fields):
    status: int
    reason: bytes
    fields: list
    body: bytes = b""
    trailers: list = field(default_factory=list)
    interim: list = field(default_factory=list)

    @property
    def error(self):
        """The error token of Proxy-Status (RFC 9209); None when there is none."""
        match = re.search(r"error=([a-z_]+)", self.get("Proxy-Status") or "")
        return match and match.group(1)

    @property
    def details(self):
        match = re.search(r'details="((?:[^"\\]|\\.)*)"', self.get("Proxy-Status") or "")
        return match and re.sub(r"\\(.)", r"\1", match.group(1))


def parse_fields(block):
    fields = []
    for line in block.split(b"\r\n"):
        name, colon, value = line.partition(b":")
        assert colon and re.fullmatch(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+", name), f"not a field: {line!r}"
        assert b"\n" not in value and b"\r" not in value and b"\0" not in value
        fields.append((name, value.strip(b" \t")))
    return fields


class Client:
    """One connection. A message that is cut raises Cut; a malformed one fails the test."""

    def __init__(self, port, family=socket.AF_INET, address="127.0.0.1", receive_buffer=None):
        self.socket = socket.socket(family, socket.SOCK_STREAM)
        self.socket.settimeout(TIMEOUT)
        if receive_buffer:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.socket.connect((address, port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.buffer = b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.socket.close()

    def send(self, data):
        self.socket.sendall(data)

    def send_request(self, method, target, fields=(), body=None, host="proxy.test"):
        lines = [f"{method} {target} HTTP/1.1", f"Host: {host}", *(f"{n}: {v}" for n, v in fields)]
        if body is not None:
            lines.append(f"Content-Length: {len(body)}")
        self.send("\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + (body or b""))

    # ---- reading ----

    def fill(self):
        try:
            more = self.socket.recv(65536)
        except ConnectionResetError:
            more = b""
        self.buffer += more
        return bool(more)

    def read_until(self, end):
        while end not in self.buffer:
            if not self.fill():
                raise Cut(f"the connection ended behind {self.buffer[:200]!r}")
        part, _, self.buffer = self.buffer.partition(end)
        return part

    def read_exactly(self, count):
        while len(self.buffer) < count:
            if not self.fill():
                raise Cut(f"the connection ended {count - len(self.buffer)} bytes too early")
        part, self.buffer = self.buffer[:count], self.buffer[count:]
        return part

    def read_to_end(self):
        while self.fill():
            pass
        rest, self.buffer = self.buffer, b""
        return rest

    def at_end(self):
        """Whether the proxy closes now without another byte."""
        return not self.buffer and not self.fill()

    def head(self):
        """A head as it comes, 1xx too."""
        first, _, rest = self.read_until(b"\r\n\r\n").partition(b"\r\n")
        match = re.fullmatch(rb"HTTP/1\.1 (\d{3}) ([^\r\n]*)", first)
        assert match, f"not a status line: {first!r}"
        return Response(int(match.group(1)), match.group(2), parse_fields(rest) if rest else [])

    def chunks(self):
        """The chunks of a body one by one; trailers are left in self.trailers."""
        while size := int(re.fullmatch(rb"[0-9a-fA-F]+", self.read_until(b"\r\n")).group(0), 16):
            yield self.read_exactly(size)
            assert self.read_exactly(2) == b"\r\n"
        self.trailers = []
        while line := self.read_until(b"\r\n"):
            self.trailers += parse_fields(line)

    def body(self, response, method="GET"):
        if method == "HEAD" or response.status in (204, 304) or (method == "CONNECT" and response.status == 200):
            return response
        coding = response.get("Transfer-Encoding")
        if coding is not None:
            assert coding == "chunked" and not response.all("Content-Length")
            response.body = b"".join(self.chunks())
            response.trailers = self.trailers
        elif response.get("Content-Length") is not None:
            response.body = self.read_exactly(int(response.get("Content-Length")))
        else:
            response.body = self.read_to_end()
        return response

    def response(self, method="GET"):
        interim = []
        while (response := self.head()).status < 200 and response.status != 101:
            interim.append(response)
        response.interim = interim
        return self.body(response, method) if response.status != 101 else response


class Front:
    """Where apps send their requests: the host's port, or the enclave's own."""

    def __init__(self, port):
        self.port = port
        self.url = f"http://127.0.0.1:{port}"

    def connect(self, **how):
        return Client(self.port, **how)

    def request(self, method, url, fields=(), body=None):
        """One request in path style on a connection of its own."""
        with self.connect() as client:
            client.send_request(method, f"/{url}" if url.startswith("http") else url, fields, body)
            return client.response(method)

    def get(self, url, fields=()):
        return self.request("GET", url, fields)

    def raw(self, data):
        """Sends bytes as they are; the first answer."""
        with self.connect() as client:
            client.send(data)
            return client.response()

    def raw_closed(self, data):
        """The same, and the proxy has to close behind its answer."""
        with self.connect() as client:
            client.send(data)
            response = client.response()
            assert client.at_end(), f"more came behind {response}"
            return response
