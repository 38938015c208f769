"""
A service whose TLS goes wrong behind a good handshake (fault 35): the test seals the records itself, with the keys of
a real OpenSSL connection, and so sends what no library would. Whatever it is: a body that is whole, or visibly cut
within the time limits; bounded work, no growth, and the next request is served.
"""
import hashlib
import hmac
import os
import socket
import struct
import threading
import time

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM, ChaCha20Poly1305
from harness.chain import NITROPROXY, is_sanitized
from harness.client import Cut
from harness.origin import Origin, pattern, tls_context

ALERT, HANDSHAKE, DATA = 21, 22, 23
BODY = pattern(5000)
HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n"
KEY_UPDATE = b"\x18\0\0\1\0"
SHORT = {"timeouts_response_stall": "1s", "timeouts_response_header": "1s"}
SANITIZED = bool(NITROPROXY) and is_sanitized(NITROPROXY)


def expand(secret, label, length, digest):
    """HKDF-Expand-Label of RFC 8446 section 7.1; one block is enough."""
    info = struct.pack("!HB", length, 6 + len(label)) + b"tls13 " + label + b"\0"
    return hmac.new(secret, info + b"\1", digest).digest()[:length]


class Sealer:
    """Writes records of its own into a connection whose handshake OpenSSL has done, from the first one on."""

    def __init__(self, connection, keylog):
        suite, _, _ = connection.socket.cipher()
        digest = hashlib.sha384 if suite.endswith("SHA384") else hashlib.sha256
        with open(keylog) as lines:
            secret = bytes.fromhex([line.split()[2] for line in lines if line.startswith("SERVER_TRAFFIC_SECRET_0")][-1])
        chacha = "CHACHA20" in suite
        key = expand(secret, b"key", 16 if "AES_128" in suite else 32, digest)
        self.aead = ChaCha20Poly1305(key) if chacha else AESGCM(key)
        self.iv = int.from_bytes(expand(secret, b"iv", 12, digest), "big")
        self.raw = socket.socket(fileno=os.dup(connection.socket.fileno()))
        self.raw.settimeout(30)
        self.sequence = 0

    def record(self, kind, content, padding=0):
        inner = content + bytes([kind]) + bytes(padding)
        head = b"\x17\x03\x03" + struct.pack("!H", len(inner) + 16)
        nonce = (self.iv ^ self.sequence).to_bytes(12, "big")
        self.sequence += 1
        return head + self.aead.encrypt(nonce, inner, head)

    def send(self, kind, content, padding=0):
        self.raw.sendall(self.record(kind, content, padding))


def ticket(number):
    body = struct.pack("!II", 7200, number) + b"\x08" + struct.pack("!Q", number) + b"\0\x40" + os.urandom(64) + b"\0\0"
    return b"\x04" + struct.pack("!I", len(body))[1:] + body


def endless(make):
    """make(sealer, number): the records of one turn, again and again until the other side goes, 100 MB at the most."""
    def run(sealer):
        sealer.send(DATA, HEAD + BODY[:10])
        number = sent = 0
        try:
            while sent < 100_000_000:
                batch = b"".join(make(sealer, number + i) for i in range(200))
                sealer.raw.sendall(batch)
                number, sent = number + 200, sent + len(batch)
        except OSError:
            pass
    return run


def then(*parts):
    """The head and a first piece, then these records."""
    def run(sealer):
        sealer.send(DATA, HEAD + BODY[:10])
        for part in parts:
            part(sealer)
    return run


def rest(sealer):
    sealer.send(DATA, BODY[10:])


def bytewise(sealer):
    for i in range(10, 5000, 100):
        sealer.raw.sendall(b"".join(sealer.record(DATA, BODY[at:at + 1]) for at in range(i, min(i + 100, 5000))))


def raw(data):
    return lambda sealer: sealer.raw.sendall(data)


def records(kind, content, count=1, padding=0):
    return lambda sealer: sealer.raw.sendall(b"".join(sealer.record(kind, content, padding) for _ in range(count)))


def flipped(sealer):
    record = bytearray(sealer.record(DATA, BODY[10:]))
    record[-1] ^= 1
    sealer.raw.sendall(bytes(record))


CASES = {  # name: (what the service does, what the client may get)
    "as it should be": (then(rest), {"whole"}),
    "one byte a record": (then(bytewise), {"whole"}),
    "padding": (then(records(DATA, b"", 3, padding=16000), rest), {"whole", "cut"}),
    "a few empty records": (then(records(DATA, b"", 3), rest), {"whole", "cut"}),
    "20 tickets": (then(lambda s: [s.send(HANDSHAKE, ticket(i)) for i in range(20)], rest), {"whole"}),
    "a ticket in two records": (then(lambda s: (s.send(HANDSHAKE, ticket(1)[:20]), s.send(HANDSHAKE, ticket(1)[20:])), rest),
                                {"whole", "cut"}),
    "endless empty records": (endless(lambda s, _n: s.record(DATA, b"")), {"cut"}),
    "endless padding": (endless(lambda s, _n: s.record(DATA, b"", 16000)), {"cut"}),
    "endless tickets": (endless(lambda s, n: s.record(HANDSHAKE, ticket(n))), {"cut"}),
    "endless warnings": (endless(lambda s, _n: s.record(ALERT, b"\x01\x5a")), {"cut"}),
    "KeyUpdate": (then(records(HANDSHAKE, KEY_UPDATE), rest), {"cut"}),
    "endless KeyUpdates": (endless(lambda s, _n: s.record(HANDSHAKE, KEY_UPDATE)), {"cut"}),
    "another ServerHello": (then(records(HANDSHAKE, b"\x02\0\0\x26\x03\x03" + bytes(36))), {"cut"}),
    "HelloRequest": (then(records(HANDSHAKE, b"\0\0\0\0"), rest), {"cut"}),
    "a request for a certificate": (then(records(HANDSHAKE, b"\x0d\0\0\3\0\0\0"), rest), {"cut"}),
    "endless handshake message": (endless(lambda s, n: s.record(HANDSHAKE, b"\x04\xff\xff\xff" if n == 0 else bytes(16000))),
                                  {"cut"}),
    "fatal alert": (then(records(ALERT, b"\x02\x50"), rest), {"cut"}),
    "close_notify too early": (then(records(ALERT, b"\x01\0"), rest), {"cut"}),
    "half an alert": (then(records(ALERT, b"\x01"), rest), {"cut"}),
    "record without content type": (then(lambda s: s.send(0, b"")), {"cut"}),
    "unknown content type": (then(records(99, b"x"), rest), {"cut"}),
    "a flipped bit": (then(flipped), {"cut"}),
    "a record again": (then(lambda s: s.raw.sendall(2 * s.record(DATA, BODY[10:20]))), {"cut"}),
    "records out of order": (then(lambda s: s.raw.sendall(b"".join([s.record(DATA, BODY[10:]), s.record(DATA, b"")][::-1]))),
                             {"cut"}),
    "record over its size": (then(raw(b"\x17\x03\x03\xff\xff" + bytes(65535))), {"cut"}),
    "ChangeCipherSpec": (then(raw(b"\x14\x03\x03\0\1\1"), rest), {"cut", "whole"}),
    "endless ChangeCipherSpec": (endless(lambda _s, _n: b"\x14\x03\x03\0\1\1"), {"cut"}),
    "plain text": (then(raw(BODY)), {"cut"}),
    "noise": (then(raw(os.urandom(5000))), {"cut"}),
}


@pytest.fixture(scope="module")
def service(pki, tmp_path_factory):
    """An origin without tickets of its own: the first record behind the handshake is ours."""
    keylog = tmp_path_factory.mktemp("tls") / "keys"
    context = tls_context(pki.good)
    context.num_tickets = 0
    context.keylog_filename = str(keylog)
    made = Origin(context)
    made.keylog = keylog
    yield made
    made.close()


@pytest.fixture(scope="module")
def chain_short(workdir, pki):
    from harness.chain import Chain
    import pathlib
    import tempfile
    if not NITROPROXY:
        pytest.skip("NITROPROXY does not name the executable")
    made = Chain(pathlib.Path(tempfile.mkdtemp(dir=workdir)), pki, host={**SHORT, "host_proxy_max_retries": "0"},
                 enclave={**SHORT, "limits_pool_idle": "0"})
    yield made
    made.stop()


@pytest.mark.parametrize("name", CASES)
def test_behind_a_good_handshake(chain_short, service, origin, name):
    chain, (does, allowed) = chain_short, CASES[name]
    assert chain.front.get(f"{origin.url}/bytes/7").body == pattern(7)
    memory, cpu = chain.enclave.rss(), chain.enclave.cpu_seconds()
    over = threading.Event()

    def handler(connection, _request):
        connection.open = False
        sealer = Sealer(connection, service.keylog)
        try:
            does(sealer)
            over.wait(10)
        except OSError:
            pass
        finally:
            sealer.raw.close()

    started = time.monotonic()
    with chain.front.connect() as client:
        client.send_request("GET", f"/{service.serve(handler)}")
        try:
            response = client.response()
            outcome = "whole" if response.status == 200 and response.body == BODY else "cut" if response.status == 502 \
                else f"{response.status} with {len(response.body)} bytes"
        except Cut:
            outcome = "cut"
        # Beside it somebody else is served.
        assert chain.front.get(f"{origin.url}/bytes/7").body == pattern(7)
    over.set()
    assert outcome in allowed
    assert time.monotonic() - started < 8
    assert SANITIZED or chain.enclave.cpu_seconds() - cpu < 4
    # What was freed stays with AddressSanitizer, up to 256 MiB of it.
    assert chain.enclave.rss() - memory < (300 << 20 if SANITIZED else 6 << 20)
    assert chain.enclave.running() and chain.inner.get(f"{origin.url}/bytes/7").body == pattern(7)
