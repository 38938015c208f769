#!/usr/bin/python3
"""
Run inside a User-Mode Linux guest: roles of nitroproxy on real AF_VSOCK, and the cases that go through them.

    roles.py loopback DIRECTORY    tunnel, enclave and host in this guest, on CID 1: all cases
    roles.py parent DIRECTORY      tunnel and host here, on CID 3; the enclave is CID 16: all cases, then a restart
    roles.py enclave DIRECTORY     the enclave here, on CID 16, until the parent says that it is done; twice
    roles.py emulated DIRECTORY    as parent, but the enclave is an image in an emulator: heartbeat and a few cases

Guests share the machine's file system: files in DIRECTORY are how they tell each other.
"""
import concurrent.futures
import fcntl
import hashlib
import json
import os
import pathlib
import re
import socket
import struct
import subprocess
import sys
import threading
import time

TREE = pathlib.Path(__file__).parents[2]
sys.path.insert(0, str(TREE / "tests" / "support" / "py"))

from harness import client  # noqa: E402
from harness.client import Front  # noqa: E402
from harness.origin import Origin, pattern, pattern_pieces, tls_context  # noqa: E402
from harness.process import Process, everything  # noqa: E402
from harness.trunks import echoed  # noqa: E402

NITROPROXY = os.environ["NP_STATIC"]
LOOPBACK, PARENT, ENCLAVE = 1, 3, 16
directory = pathlib.Path(sys.argv[2])
client.TIMEOUT = 180  # one CPU for the roles, the clients and the service, on a machine that may be busy
PATIENCE = ["--timeouts-drain=1s", *(f"--timeouts-{name}=120s" for name in (
    "client-header", "response-header", "tunnel-connect", "tls-handshake"))]


class Leaf:
    cert_file, key_file = directory / "good.pem", directory / "good.key"


def start(role, *options):
    process = Process(role, [NITROPROXY, role, *options])
    process.wait_line("msg=ready")
    return process


def start_enclave(tunnel, *more):
    return start("enclave", "--listen=vsock:any:5000", f"--tunnel=vsock:{tunnel}:5001",
                 f"--ca-file={directory}/root.pem", *PATIENCE, *more)


class Parent:
    def __init__(self, enclave, *more):
        """more: options of the tunnel."""
        self.origin = Origin(tls_context(Leaf), host="127.0.0.1")  # the static binary resolves no names
        self.tunnel = start("tunnel", "--listen=vsock:any:5001", "--allow-cidr=127.0.0.0/8", "--timeouts-drain=1s",
                            "--timeouts-tunnel-request=60s", *more)
        self.host = start("host", "--port=0", f"--enclave=vsock:{enclave}:5000", *PATIENCE)
        self.front = Front(int(self.host.wait_line(r"what=http address=tcp:127\.0\.0\.1:(\d+)").group(1)))

    def lanes(self, role):
        """How often bulk has been given a connection of its own."""
        found = re.search(rf'nitroproxy_trunk_lanes_total{{role="{role}"}} (\d+)', self.front.get("/metrics").body.decode())
        return int(found[1]) if found else 0  # the enclave's come a moment later

    def get(self, count):
        return self.front.get(f"{self.origin.url}/bytes/{count}")

    def stop(self):
        self.host.stop()
        self.tunnel.stop()


def case(name, function, *arguments):
    began = time.monotonic()
    function(*arguments)
    print(f"case {name}: {time.monotonic() - began:.2f} s", flush=True)


# ---- cases --------------------------------------------------------------------------------------------------------

def wait_until_up(p, timeout=30):
    until = time.monotonic() + timeout
    while time.monotonic() < until:
        if p.front.get("/health").status == 200:
            return
        time.sleep(0.05)
    raise AssertionError(p.front.get("/health").body)


def health(p):
    wait_until_up(p)
    hops = json.loads(p.front.get("/health").body)["hops"]
    assert hops["enclave"]["state"] == hops["enclave"]["detail"]["hops"]["tunnel"]["state"] == "ok"


def forms(p):
    answer = p.get(100000)
    assert (answer.status, answer.body) == (200, pattern(100000)), (answer.status, answer.details)
    body = pattern(3 << 20)
    answer = p.front.request("POST", f"{p.origin.url}/sha256", body=body).body.decode()
    assert answer == f"{len(body)} {hashlib.sha256(body).hexdigest()}"
    done = subprocess.run(["curl", "-sS", "-x", p.front.url, "--cacert", str(directory / "root.pem"),
                           f"{p.origin.url}/bytes/1000"], capture_output=True, check=True)
    assert done.stdout == pattern(1000)


def large(p, count=256 << 20):
    """Down, by digest: the client holds none of it."""
    expected, got, received = hashlib.sha256(), hashlib.sha256(), 0
    for piece in pattern_pieces(count):
        expected.update(piece)
    with p.front.connect() as c:
        c.send_request("GET", f"/{p.origin.url}/bytes/{count}")
        assert c.head().status == 200
        while received < count:
            piece = c.buffer or c.socket.recv(1 << 20)
            assert piece, f"ended behind {received} bytes"
            c.buffer = b""
            got.update(piece)
            received += len(piece)
    assert got.digest() == expected.digest()
    for role in (p.host, p.tunnel):
        assert role.peak_rss() < 32 << 20, role.name


def many(p, count=200):
    with concurrent.futures.ThreadPoolExecutor(count) as pool:
        answers = list(pool.map(lambda i: p.get(1000 + i), range(count)))
    assert all(a.status == 200 and a.body == pattern(1000 + i) for i, a in enumerate(answers))


def bulk(p, count=12):
    """Of several workers: a lane that one has accepted is handed to the one who has its trunk."""
    assert echoed(p.front, p.origin, count, pattern(1 << 20), 120)
    until = time.monotonic() + 30
    while (lanes := [p.lanes(role) for role in ("host", "enclave")]) != [count, count]:
        assert time.monotonic() < until, f"{lanes} lanes"
        time.sleep(0.05)


def half_close(p):
    """Through a CONNECT tunnel the client's end of sending arrives as such, and the answer still comes."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]

        def serve():
            peer, _ = listener.accept()
            with peer:
                data = b""
                while piece := peer.recv(65536):
                    data += piece
                peer.sendall(hashlib.sha256(data).hexdigest().encode())

        threading.Thread(target=serve, daemon=True).start()
        with p.front.connect() as c:
            c.send_request("CONNECT", f"127.0.0.1:{port}", host=f"127.0.0.1:{port}")
            assert c.response("CONNECT").status == 200
            c.send(pattern(500000))
            c.socket.shutdown(socket.SHUT_WR)
            assert c.read_to_end() == hashlib.sha256(pattern(500000)).hexdigest().encode()


def reset(p):
    """A port of the service where nobody listens: said at once, with the hop that knows."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    began = time.monotonic()
    answer = p.front.get(f"https://127.0.0.1:{port}/")
    assert (answer.status, answer.error) == (502, "connection_refused")
    assert time.monotonic() - began < 1.5, "that is vsock's own time limit: the reset got lost"


# ---- who does what ------------------------------------------------------------------------------------------------

def all_cases(p):
    case("health", health, p)
    case("forms", forms, p)
    case("half-close", half_close, p)
    case("reset", reset, p)
    case("200 at a time", many, p)
    case("256 MiB", large, p)


def loopback():
    enclave = start_enclave(LOOPBACK)
    p = Parent(LOOPBACK)
    all_cases(p)
    p.stop()
    enclave.stop()
    enclave = start_enclave(LOOPBACK, "--workers=2")
    p = Parent(LOOPBACK, "--workers=2")
    case("health of two workers each", health, p)
    case("12 of 1 MiB at a time", bulk, p)
    p.stop()
    enclave.stop()


def own_cid(cid):
    with open("/dev/vsock", "rb") as device:
        got = struct.unpack("I", fcntl.ioctl(device, 0x7B9, b"\0\0\0\0"))[0]
    assert got == cid, f"this guest is CID {got}"


def parent():
    own_cid(PARENT)
    p = Parent(ENCLAVE)
    all_cases(p)
    stop, good = threading.Event(), []

    def load():
        while not stop.is_set():
            try:
                if p.get(5000).body == pattern(5000):
                    good.append(time.monotonic())
            except OSError:
                pass
            time.sleep(0.01)

    threads = [threading.Thread(target=load) for _ in range(4)]
    for thread in threads:
        thread.start()
    time.sleep(0.3)
    (directory / "restart").touch()  # the enclave process is killed and started again, under load
    while not (directory / "restarted").exists():
        time.sleep(0.02)
    back = time.monotonic()
    while not [t for t in good if t > back]:
        assert time.monotonic() < back + 20, "the host did not find the enclave again"
        time.sleep(0.02)
    print(f"case restart under load: found again after {[t for t in good if t > back][0] - back:.2f} s", flush=True)
    stop.set()
    for thread in threads:
        thread.join()
    (directory / "done").touch()
    p.stop()


def enclave():
    own_cid(ENCLAVE)
    process = start_enclave(PARENT)
    while not (directory / "restart").exists():
        time.sleep(0.02)
    process.kill()
    process = start_enclave(PARENT)
    (directory / "restarted").touch()
    while not (directory / "done").exists():
        time.sleep(0.02)
    process.stop()


def emulated():
    own_cid(PARENT)
    beats = []
    listener = socket.socket(socket.AF_VSOCK)
    listener.bind((socket.VMADDR_CID_ANY, 9000))
    listener.listen()
    p = Parent(ENCLAVE)
    (directory / "parent-ready").touch()
    peer, (cid, _) = listener.accept()
    with peer:
        beats.append((cid, peer.recv(16)))
        peer.sendall(beats[0][1])
    assert beats == [(ENCLAVE, b"\xb7")]
    print("case heartbeat from CID 16", flush=True)
    case("health", health, p)
    case("forms", forms, p)
    case("half-close", half_close, p)
    answer = p.front.get("/attestation?nonce=" + bytes(range(16)).hex())
    assert answer.status == 200
    (directory / "document").write_bytes(answer.body)
    p.stop()


try:
    {"loopback": loopback, "parent": parent, "enclave": enclave, "emulated": emulated}[sys.argv[1]]()
except BaseException:
    for process in everything:
        print(f"---- {process.name}, status {process.popen.poll()} ----\n{process.tail(20)}", flush=True)
        process.kill()
    raise
