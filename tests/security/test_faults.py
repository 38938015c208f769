"""
What goes wrong around a process: descriptors, disks, memory, clocks, signals, sockets, slow and many peers. After
each fault the same oracle: definite answers, nothing twice, descriptors back, the next request is served.

NP_LONG=1 makes the crowds as large as they are in production (10 000 idle clients, 2 000 slow ones).
"""
import hashlib
import os
import pathlib
import resource
import shutil
import signal
import socket
import ssl
import statistics
import subprocess
import threading
import time

import pytest
from harness.chain import NITROPROXY, flags, is_sanitized
from harness.client import Cut
from harness.origin import pattern
from harness.process import Process
from harness.servers import BlackHole
from harness.sockets import accept_each, unix_listener
from harness.until import wait_until

LONG = os.environ.get("NP_LONG") == "1"
BAD_NSM = os.environ.get("NP_BAD_NSM", "")
SHORT_WRITES = os.environ.get("NP_SHORT_WRITES", "")
SANITIZED = NITROPROXY and is_sanitized(NITROPROXY)
ROLES = ("host", "enclave", "tunnel")
OUT_OF_MEMORY = 71  # the exit status: MEM_EXHAUSTED_STATUS of base/mem.h
NO_RETRIES = {"host_proxy_max_retries": "0"}

plain_build = pytest.mark.skipif(bool(SANITIZED), reason="a sanitizer has memory, descriptors and calls of its own")


def served(front, origin, within=2):
    """The next request works, at the latest after `within` seconds."""
    end = time.monotonic() + within
    while True:
        answer = front.get(f"{origin.url}/bytes/7")
        if answer.status == 200 and answer.body == pattern(7):
            return True
        assert time.monotonic() < end, (answer.status, answer.details)
        time.sleep(0.05)


def metric(front, name):
    for line in front.get("/metrics").body.decode().splitlines():
        if line.startswith(name) and not line.startswith("#"):
            return float(line.rsplit(" ", 1)[1])
    raise KeyError(name)


def traced(directory, inject):
    """An executable that is ours under strace, which makes a system call fail: CALL:error=ERRNO[:when=FIRST+STEP]."""
    if not shutil.which("strace"):
        pytest.skip("strace is not installed")
    script = directory / "traced"
    script.write_text(f'#!/bin/sh\nexec strace -f -D -qq -o "{directory}/trace" -e trace={inject.split(":")[0]} '
                      f'-e inject={inject} "{NITROPROXY}" "$@"\n')
    script.chmod(0o755)
    return str(script)


def start_with(chain, role, binary, **how):
    chain.processes[role].stop()
    normal, chain.binary = chain.binary, binary
    chain.settings[role]["sandbox"] = "off"  # an injected error is a call with number -1 to the filter
    chain.start(role, **how)
    chain.binary = normal


# ---- signals --------------------------------------------------------------------------------------------------------

def test_stopped_enclave_is_a_timeout_and_its_late_answer_is_nobodys(start_chain, origin):
    short = {"timeouts_response_header": "300ms", "timeouts_tunnel_connect": "200ms", "timeouts_tls_handshake": "200ms"}
    chain = start_chain(host={**NO_RETRIES, **short, "timeouts_enclave_connect": "300ms"}, enclave=short,
                        tunnel={"timeouts_dns": "100ms", "timeouts_connect": "100ms"})
    assert served(chain.front, origin)
    chain.enclave.signal(signal.SIGSTOP)
    # The host gives the enclave five seconds more than the enclave has, for it can say which hop was slow.
    answer = chain.front.get(f"{origin.url}/bytes/8")
    assert answer.status == 504
    chain.enclave.signal(signal.SIGCONT)
    for size in range(9, 30):
        assert chain.front.get(f"{origin.url}/bytes/{size}").body == pattern(size)


def test_hangup_changes_nothing(start_chain, origin):
    chain = start_chain()
    for role in ROLES:
        chain.processes[role].signal(signal.SIGHUP)
    assert served(chain.front, origin)


@pytest.mark.parametrize("first", [signal.SIGTERM, signal.SIGINT])
def test_a_second_signal_ends_at_once(start_chain, origin, first):
    chain = start_chain()
    url = origin.serve(lambda connection, _request: connection.wait_gone())
    with chain.front.connect() as client:
        client.send_request("POST", f"/{url}", [], b"x")
        origin.wait_for(lambda o: o.seen(url))
        chain.host.signal(first)
        chain.host.wait_line("msg=drain")
        assert chain.host.running()
        chain.host.signal(signal.SIGTERM)
        assert chain.host.wait(5) == 0


# ---- logs -----------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("role", ROLES)
def test_full_disk_under_the_log(start_chain, origin, role):
    """/dev/full answers each write with ENOSPC. Service goes on, and the lost lines are counted."""
    chain = start_chain(start=False)
    process = {}
    for r in ("tunnel", "enclave", "host"):
        if r == role:
            process[r] = None
        chain.start(r)
    chain.processes[role].stop()
    settings = {**chain.settings[role], "logging_file": "/dev/full"}
    if role == "host":
        settings["port"] = chain.front.port
    if role == "enclave":
        settings["http_listen"] = f"tcp:127.0.0.1:{chain.inner.port}"
    chain.processes[role] = Process(role, [NITROPROXY, role, *flags(settings)])
    wait_until(lambda: _try(lambda: served(chain.front, origin)), "not served")
    if role != "tunnel":
        front = chain.front if role == "host" else chain.inner
        assert metric(front, "nitroproxy_log_dropped_total") > 3


def _try(act):
    try:
        return act()
    except (AssertionError, OSError, Cut):
        return False


def test_stderr_closed(start_chain, origin):
    """The first socket must not become descriptor 2: a client would be sent the log."""
    chain = start_chain()
    port = chain.front.port
    for role in ("host", "enclave"):
        chain.processes[role].stop()
        settings = {**chain.settings[role], "logging_level": "debug"}
        settings["port" if role == "host" else "http_listen"] = \
            port if role == "host" else f"tcp:127.0.0.1:{chain.inner.port}"
        chain.processes[role] = Process(role, [NITROPROXY, role, *flags(settings)],
                                        preexec_fn=lambda: [os.close(fd) for fd in (0, 1, 2)])
    wait_until(lambda: _try(lambda: served(chain.front, origin)), "not served")
    for _ in range(20):
        assert chain.front.get(f"{origin.url}/bytes/70000").body == pattern(70000)
        assert chain.inner.get(f"{origin.url}/bytes/70000").body == pattern(70000)


def test_reader_of_the_log_stops_reading(start_chain, origin):
    """A pipe that is full: lines are lost, nobody waits."""
    chain = start_chain()
    read_end, write_end = os.pipe()
    chain.host.stop()
    settings = {**chain.settings["host"], "port": chain.front.port, "logging_level": "debug"}
    popen = subprocess.Popen([NITROPROXY, "host", *flags(settings)], stderr=write_end)
    os.close(write_end)
    try:
        wait_until(lambda: _try(lambda: served(chain.front, origin)), "not served")
        for _ in range(600):
            started = time.monotonic()
            assert chain.front.get(f"{origin.url}/bytes/7").status == 200
            assert time.monotonic() - started < 2
        assert metric(chain.front, "nitroproxy_log_dropped_total") > 0
    finally:
        popen.terminate()
        assert popen.wait(20) == 0
        os.close(read_end)
    chain.processes.pop("host")


# ---- descriptors, memory, calls that fail ---------------------------------------------------------------------------

@plain_build
@pytest.mark.parametrize("role", ROLES)
def test_descriptors_run_out(start_chain, origin, role):
    """No spin, no end; what cannot be served now waits or is refused, and later all is well."""
    chain = start_chain(host=NO_RETRIES)
    assert served(chain.front, origin)
    process = chain.processes[role]
    resource.prlimit(process.pid, resource.RLIMIT_NOFILE, (process.descriptors() + 6, 20_000))
    results, lock = [], threading.Lock()

    def one():
        try:
            with chain.front.connect() as client:
                client.socket.settimeout(3)
                client.send_request("POST", f"/{origin.url}/sha256", [], b"x" * 100)
                status = client.response().status
        except (Cut, OSError):
            status = None
        with lock:
            results.append(status)

    threads = [threading.Thread(target=one) for _ in range(100)]
    cpu = process.cpu_seconds()
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    time.sleep(0.5)
    assert process.cpu_seconds() - cpu < 2
    assert process.running()
    assert set(results) <= {200, 502, 503, 504, None} and 200 in results
    resource.prlimit(process.pid, resource.RLIMIT_NOFILE, (20_000, 20_000))
    assert served(chain.front, origin, within=5)


@plain_build
@pytest.mark.parametrize("role,inject", [
    ("tunnel", "connect:error=ECONNREFUSED:when=1+3"),
    ("tunnel", "connect:error=ETIMEDOUT:when=1+3"),
    ("tunnel", "socket:error=ENOBUFS:when=5+4"),
    ("enclave", "connect:error=ECONNREFUSED:when=2+3"),
    ("enclave", "accept4:error=EMFILE:when=2+2"),
    ("enclave", "accept4:error=ECONNABORTED:when=2+2"),
    ("enclave", "accept4:error=EINTR:when=1+2"),
    ("host", "connect:error=EAGAIN:when=1+2"),
    ("host", "connect:error=EINTR:when=1+4"),
    ("host", "accept4:error=ENFILE:when=2+2"),
    ("host", "accept4:error=ENOBUFS:when=2+2"),
    ("host", "epoll_ctl:error=ENOSPC:when=12+7"),  # the first ones are libuv's own, which ends without them
    ("host", "setsockopt:error=EINVAL"),
])
def test_calls_that_fail(start_chain, origin, tmp_path, role, inject):
    """A failed call is a failed exchange at most, and never the end."""
    # Where it is not the first call that fails, a trunk would spare that call.
    one_by_one = {} if "when=1" in inject else {"trunk": "false"}
    chain = start_chain(host={**NO_RETRIES, **one_by_one, "timeouts_pool_idle": "1ms"},
                        enclave={**one_by_one, "limits_pool_idle": "0"})
    start_with(chain, role, traced(tmp_path, inject))
    statuses = []
    for i in range(12):
        try:
            answer = chain.front.request("POST", f"{origin.url}/sha256", [], b"x" * i)
            assert answer.status != 200 or answer.body == b"%d %s" % (i, hashlib.sha256(b"x" * i).hexdigest().encode())
            statuses.append(answer.status)
        except (Cut, ConnectionError):
            statuses.append(None)
    assert set(statuses) <= {200, 502, 503, 504, None} and 200 in statuses
    assert chain.processes[role].running()
    assert "(INJECTED)" in (tmp_path / "trace").read_text()


@plain_build
@pytest.mark.parametrize("call,when", [("recvfrom", "3+5"), ("write", "3+5"), ("sendto", "3+5"), ("sendmsg", "1+2"),
                                       ("epoll_wait", "3+5"), ("poll", "3+2")])
def test_interrupted_calls(start_chain, origin, tmp_path, call, when):
    """EINTR now and then, in every role: not a byte is lost."""
    chain = start_chain()
    for role in ("tunnel", "enclave", "host"):
        (tmp_path / role).mkdir()
        start_with(chain, role, traced(tmp_path / role, f"{call}:error=EINTR:when={when}"))
    body = pattern(200_000)
    answer = chain.front.request("POST", f"{origin.url}/sha256", [], body)
    assert answer.body == b"%d %s" % (len(body), hashlib.sha256(body).hexdigest().encode())
    assert chain.front.get(f"{origin.url}/bytes/200000").body == body
    assert any("(INJECTED)" in (tmp_path / role / "trace").read_text() for role in ROLES)


@plain_build
@pytest.mark.skipif(not os.path.exists(SHORT_WRITES), reason="NP_SHORT_WRITES does not name short_writes.so")
def test_short_writes(start_chain, origin):
    """The kernel takes a few bytes at a time from every role (short_writes.c): not one is lost, doubled or moved."""
    chain = start_chain(start=False)
    for role in ("tunnel", "enclave", "host"):
        chain.start(role, env={"LD_PRELOAD": SHORT_WRITES})
    body = pattern(1_500_000)
    digest = b"%d %s" % (len(body), hashlib.sha256(body).hexdigest().encode())
    for front in (chain.front, chain.inner):
        assert front.request("POST", f"{origin.url}/sha256", [], body).body == digest
        assert front.get(f"{origin.url}/bytes/1500000").body == body
        with front.connect() as client:  # raw, and in bulk: spliced
            client.send(f"CONNECT {origin.authority} HTTP/1.1\r\nHost: {origin.authority}\r\n\r\n".encode())
            assert client.response("CONNECT").status == 200
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
            with context.wrap_socket(client.socket, server_hostname="localhost") as secure:
                secure.sendall(b"GET /bytes/1500000 HTTP/1.1\r\nHost: x\r\n\r\n")
                got = b""
                while not got.endswith(body[-100:]) or len(got) < len(body):
                    got += secure.recv(65536) or pytest.fail("cut")
                assert got.partition(b"\r\n\r\n")[2] == body


@plain_build
def test_no_entropy(tmp_path, pki):
    """Keys from nowhere would be worse than no enclave."""
    binary = traced(tmp_path, "getrandom:error=EIO")
    done = subprocess.run([binary, "enclave", f"--listen=unix:{tmp_path}/e", f"--tunnel=unix:{tmp_path}/t",
                           f"--ca-file={pki.root_file}"], capture_output=True, text=True, timeout=20)
    assert done.returncode == 1 and "no cryptography" in done.stderr


@plain_build
@pytest.mark.parametrize("role", ROLES)
def test_memory_runs_out(start_chain, origin, role):
    """It says so and ends; nobody is given half an answer as a whole one, and a new one serves."""
    chain = start_chain(host=NO_RETRIES)
    assert served(chain.front, origin)
    process = chain.processes[role]
    with open(f"/proc/{process.pid}/statm") as statm:
        size = int(statm.read().split()[0]) * 4096
    resource.prlimit(process.pid, resource.RLIMIT_AS, (size + (2 << 20), resource.RLIM_INFINITY))
    front, wholes = chain.front, []

    def one():
        try:
            with front.connect() as client:
                client.socket.settimeout(5)
                client.send_request("POST", f"/{origin.url}/sha256", [], b"y" * 500_000)
                answer = client.response()
                if answer.status == 200:
                    wholes.append(answer.body)
        except (Cut, OSError):
            pass

    for _ in range(3):
        threads = [threading.Thread(target=one) for _ in range(150)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
    assert set(wholes) <= {b"500000 " + hashlib.sha256(b"y" * 500_000).hexdigest().encode()}
    if process.running():  # it held out: the limits on connections are what is meant to keep it from there
        resource.prlimit(process.pid, resource.RLIMIT_AS, (resource.RLIM_INFINITY,) * 2)
    else:
        assert process.wait() == OUT_OF_MEMORY
        assert process.matching("out of memory")
        process.killed = True
        chain.start(role)
    assert served(chain.front, origin, within=5)


# ---- the security module ----

@plain_build
@pytest.mark.skipif(not os.path.exists(BAD_NSM), reason="NP_BAD_NSM does not name bad_nsm.so")
@pytest.mark.parametrize("how", ["error", "short", "garbage", "other", "long", "slow"])
def test_a_security_module_that_fails(start_chain, origin, how):
    """There is no document, and nobody else notices (bad_nsm.c stands for the device)."""
    chain = start_chain(enclave={"sandbox": "off"})
    assert served(chain.front, origin)
    chain.enclave.stop()
    chain.settings["enclave"]["nsm"] = "device"
    chain.start("enclave", env={"LD_PRELOAD": BAD_NSM, "NSM_FAULT": how})
    asked = []
    thread = threading.Thread(target=lambda: asked.append(chain.front.get(f"/attestation?nonce={'00' * 20}")))
    thread.start()
    started = time.monotonic()
    assert served(chain.front, origin) and served(chain.inner, origin)
    assert time.monotonic() - started < 1.5
    thread.join(10)
    assert asked and asked[0].status == 503 and asked[0].error
    assert b"garbage" not in asked[0].body
    assert chain.enclave.running() and served(chain.front, origin)


# ---- clocks ---------------------------------------------------------------------------------------------------------

def faketime_library():
    found = list(pathlib.Path("/usr/lib").glob("*/faketime/libfaketime.so.1"))
    return found[0] if found else None


@plain_build
@pytest.mark.skipif(not faketime_library(), reason="faketime is not installed")
def test_the_clock_jumps(start_chain, origin, tmp_path):
    """Certificates are judged by the time it is now; timers run by the monotonic clock and do not notice."""
    stamp = tmp_path / "time"
    stamp.write_text("+0d\n")
    chain = start_chain(enclave={"limits_pool_idle": "0", "sandbox": "off"})  # the library reads its file again and again
    chain.enclave.stop()
    chain.start("enclave", env={"LD_PRELOAD": str(faketime_library()), "FAKETIME_TIMESTAMP_FILE": str(stamp),
                                "FAKETIME_NO_CACHE": "1", "FAKETIME_DONT_FAKE_MONOTONIC": "1", "DONT_FAKE_MONOTONIC": "1"})
    assert served(chain.front, origin)
    for offset, status in (("+40d", 502), ("-1h", 200), ("+40d", 502), ("+0d", 200)):
        stamp.write_text(offset + "\n")
        started = time.monotonic()
        answer = chain.front.get(f"{origin.url}/bytes/7")
        assert (offset, answer.status) == (offset, status)
        assert status == 200 or answer.error in ("tls_certificate_error", "proxy_internal_error")
        assert time.monotonic() - started < 2


@plain_build
@pytest.mark.skipif(not faketime_library(), reason="faketime is not installed")
def test_the_clock_was_never_set(start_chain, origin):
    chain = start_chain(enclave={"sandbox": "off"})
    chain.enclave.stop()
    chain.start("enclave", env={"LD_PRELOAD": str(faketime_library()), "FAKETIME": "@1970-01-01 00:00:10",
                                "FAKETIME_DONT_FAKE_MONOTONIC": "1", "DONT_FAKE_MONOTONIC": "1"})
    seen = len(origin.requests)
    answer = chain.front.get(f"{origin.url}/bytes/7")
    assert answer.status in (500, 502, 503)
    assert len(origin.requests) == seen


# ---- sockets that are there already ---------------------------------------------------------------------------------

def listen_at(path):
    return subprocess.Popen([NITROPROXY, "tunnel", f"--listen=unix:{path}"], stderr=subprocess.PIPE, text=True)


def ends_with_complaint(popen, what):
    _, complaint = popen.communicate(timeout=20)
    assert popen.returncode == 1 and what in complaint, complaint


def test_a_stale_socket_is_replaced(tmp_path):
    stale = socket.socket(socket.AF_UNIX)
    stale.bind(str(tmp_path / "s"))
    stale.close()
    popen = listen_at(tmp_path / "s")
    assert any("msg=ready" in line for line in iter(popen.stderr.readline, ""))
    popen.terminate()
    popen.communicate(timeout=20)
    assert popen.returncode == 0 and not (tmp_path / "s").exists()


def test_a_socket_in_use_is_not_taken_over(tmp_path):
    with socket.socket(socket.AF_UNIX) as used:
        used.bind(str(tmp_path / "s"))
        used.listen()
        ends_with_complaint(listen_at(tmp_path / "s"), "in use")
    assert (tmp_path / "s").exists()


@pytest.mark.parametrize("kind", ["file", "directory", "symlink to a file", "dangling symlink"])
def test_what_is_no_socket_is_left_alone(tmp_path, kind):
    path, other = tmp_path / "s", tmp_path / "other"
    if kind == "file":
        path.write_text("precious")
    elif kind == "directory":
        path.mkdir()
    else:
        if kind == "symlink to a file":
            other.write_text("precious")
        path.symlink_to(other)
    ends_with_complaint(listen_at(path), "no socket")
    assert path.is_symlink() or path.exists()
    assert not other.exists() or other.read_text() == "precious"


def test_a_directory_that_is_not_there(tmp_path):
    ends_with_complaint(listen_at(tmp_path / "no" / "s"), "No such file")


# ---- files that change under it -------------------------------------------------------------------------------------

def test_roots_are_read_once(start_chain, origin, pki, tmp_path):
    """A store replaced while the enclave runs changes nothing: what is trusted was measured and printed at start."""
    store = tmp_path / "roots.pem"
    store.write_bytes(pki.root_file.read_bytes())
    chain = start_chain(enclave={"ca_file": store, "limits_pool_idle": "0"})
    assert served(chain.front, origin)
    store.write_bytes(b"")
    assert served(chain.front, origin)


def test_no_roots_is_no_enclave(tmp_path):
    empty = tmp_path / "roots.pem"
    empty.write_bytes(b"")
    done = subprocess.run([NITROPROXY, "enclave", f"--listen=unix:{tmp_path}/e", f"--tunnel=unix:{tmp_path}/t",
                           f"--ca-file={empty}"], capture_output=True, text=True, timeout=20)
    assert done.returncode != 0 and "roots.pem" in done.stderr


# ---- frames that somebody edits -------------------------------------------------------------------------------------

class Editor:
    """Stands on the socket between host and enclave: what the host's owner can do."""

    def __init__(self, path, dial, edit):
        self.dial, self.edit = dial, edit
        self.listener = unix_listener(path)
        accept_each(self.listener, self._join)

    def _join(self, client):
        server = socket.socket(socket.AF_UNIX)
        server.connect(self.dial)
        threading.Thread(target=self._pump, args=(client, server, "up"), daemon=True).start()
        self._pump(server, client, "down")

    def _pump(self, source, sink, way):
        try:
            while data := source.recv(65536):
                for piece in self.edit(data, way):
                    sink.sendall(piece)
            sink.shutdown(socket.SHUT_WR)
        except OSError:
            source.close()
            sink.close()

    def close(self):
        self.listener.close()


@pytest.fixture
def edited(start_chain):
    editors = []

    def start(edit, **settings):
        chain = start_chain(start=False, **settings)
        path = chain.sockets["enclave"].removeprefix("unix:")
        chain.settings["host"]["enclave"] = f"unix:{path}.edited"
        editors.append(Editor(path + ".edited", path, edit))
        for role in ("tunnel", "enclave", "host"):
            chain.start(role)
        return chain

    yield start
    for editor in editors:
        editor.close()


@pytest.mark.parametrize("size", [1, 3, 7])
def test_frames_cut_at_every_byte(edited, origin, size):
    chain = edited(lambda data, _way: [data[i:i + size] for i in range(0, len(data), size)])
    body = pattern(3000)
    answer = chain.front.request("POST", f"{origin.url}/sha256", [("X-A", "b")], body)
    assert answer.body == b"3000 " + hashlib.sha256(body).hexdigest().encode()
    assert chain.front.get(f"{origin.url}/bytes/3000").body == body


class Neighbour:
    """An answer that is on its way while others are broken."""

    def __init__(self, front, origin):
        self.go, sent = threading.Event(), threading.Event()

        def handler(connection, _request):
            connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n" + pattern(1000))
            sent.set()
            self.go.wait(30)
            connection.send(pattern(100_000)[1000:])

        self.client = front.connect()
        self.client.send_request("GET", f"/{origin.serve(handler)}")
        assert sent.wait(10) and self.client.head().status == 200
        self.client.read_exactly(1000)

    def assert_whole(self):
        self.go.set()
        assert self.client.read_exactly(99_000) == pattern(100_000)[1000:]
        self.client.close()

    def assert_whole_or_cut(self):
        """Nothing but what was sent, and the client sees whether it is all."""
        self.go.set()
        got = b""
        try:
            while len(got) < 99_000:
                got += self.client.read_exactly(1)
                got, self.client.buffer = got + self.client.buffer, b""
        except Cut:
            pass
        assert got == pattern(100_000)[1000:1000 + len(got)]
        self.client.close()


FLIPS = (0, 3, 4, 9, 13, 40)  # of the length, the type, the id, the head


@pytest.mark.parametrize("trunk", ["false", "true"], ids=["apart", "trunk"])
@pytest.mark.parametrize("way", ["up", "down"])
@pytest.mark.parametrize("what", ["huge length", "zero length", "unknown type", "cut", "twice", "noise",
                                  *(f"flipped byte {at}" for at in FLIPS)])
def test_frames_that_are_wrong(edited, origin, what, way, trunk):
    """
    That connection is dropped; the others, and the next one, never notice; nothing is allocated for a claim. A trunk takes
    all that it carries with it, in a way that clients see; the next request is served.
    """
    armed = threading.Event()
    change = {
        "huge length": lambda d: b"\xff\xff\xff\xff" + d[4:],
        "zero length": lambda d: b"\0\0\0\0" + d[4:],
        "unknown type": lambda d: d[:4] + b"\xee" + d[5:],
        **{f"flipped byte {at}": lambda d, at=at: d[:at] + bytes([d[at] ^ 0x80]) + d[at + 1:] if len(d) > at else b"\x80"
           for at in FLIPS},
        "cut": lambda d: d[:len(d) // 2],
        "twice": lambda d: d + d,
        "noise": lambda d: os.urandom(len(d)),
    }[what]

    def edit(data, direction):
        if direction == way and armed.is_set():
            armed.clear()
            return [change(data)]
        return [data]

    # A frame that is awaited in vain is a matter of time limits, short ones here.
    short = {"timeouts_body_stall": "500ms", "timeouts_response_header": "500ms", "timeouts_response_stall": "60s",
             "timeouts_tunnel_connect": "500ms", "timeouts_tls_handshake": "500ms", "timeouts_drain": "1s"}
    chain = edited(edit, host={**NO_RETRIES, **short, "trunk": trunk, "logging_level": "debug"}, enclave=short,
                   tunnel={"timeouts_dns": "200ms", "timeouts_connect": "200ms"})
    if trunk == "true":
        chain.host.wait_line("msg=trunk to=")
    assert served(chain.front, origin)
    memory = {role: chain.processes[role].rss() for role in ("host", "enclave")}
    neighbour = Neighbour(chain.front, origin)
    for i in range(1 if what == "cut" else 2):  # it costs the time limits each time
        url = origin.serve(lambda connection, _request: (connection.read_body(), connection.reply(200, [], b"done")))
        armed.set()
        try:
            answer = chain.front.request("POST", url, [], b"order %d" % i)
            assert answer.status in (200, 400, 500, 502, 503, 504)
            assert answer.status != 200 or answer.body == b"done"
        except Cut:
            pass
        armed.clear()
        # Whoever owns the host can send an order twice, by a client if not by frames.
        assert len(origin.seen(url)) <= (2 if what == "twice" else 1)
        assert served(chain.front, origin)
    neighbour.assert_whole() if trunk == "false" else neighbour.assert_whole_or_cut()
    for role in ("host", "enclave"):
        assert chain.processes[role].rss() < memory[role] + (64 << 20 if SANITIZED else 4 << 20)


# ---- slow and many --------------------------------------------------------------------------------------------------

def test_a_client_that_half_closes_is_answered(start_chain, origin):
    chain = start_chain()
    for front in (chain.front, chain.inner):
        with front.connect() as client:
            client.send_request("POST", f"/{origin.url}/sha256", [], b"abc")
            client.socket.shutdown(socket.SHUT_WR)
            assert client.response().status == 200
    cpu = sum(p.cpu_seconds() for p in chain.processes.values())
    time.sleep(1)
    assert sum(p.cpu_seconds() for p in chain.processes.values()) - cpu < 0.2


def latency(front, origin, count):
    """The median time of a request, in seconds."""
    times = []
    with front.connect() as client:
        for _ in range(count):
            started = time.monotonic()
            client.send_request("GET", f"/{origin.url}/bytes/7")
            assert client.response().body == pattern(7)
            times.append(time.monotonic() - started)
    return statistics.median(times)


def test_slow_clients(start_chain, origin):
    """Heads and bodies that come a byte a second: the others are served, the slow ones are told 408 and go."""
    count = 2000 if LONG else 300
    slow = {"timeouts_client_header": "3s", "timeouts_body_stall": "3s"}
    chain = start_chain(host=slow, enclave=slow)
    for front in (chain.front, chain.inner):
        assert served(front, origin)
        clients = []
        for i in range(count):
            client = front.connect()
            client.send(b"GET / HTTP/1.1\r\nHost: x\r\nX-Slow: " if i % 2 else
                        f"POST /{origin.url}/sha256 HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nx".encode())
            clients.append(client)
        assert latency(front, origin, 50) < 0.25
        statuses = []
        for client in clients:
            try:
                statuses.append(client.response().status)
            except (Cut, ConnectionError):
                statuses.append(None)
            client.close()
        assert set(statuses) <= {408, 504}, {s: statuses.count(s) for s in set(statuses)}
        assert served(front, origin)


@plain_build
def test_idle_clients(start_chain, origin):
    """Each costs little memory and nobody else any time."""
    count = 9_000 if LONG else 1500
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    if hard < count + 1000:
        pytest.skip(f"{hard} descriptors are not enough")
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    chain = start_chain()
    assert served(chain.front, origin)
    before = chain.host.rss()
    descriptors = chain.host.descriptors()
    clients = [chain.front.connect() for _ in range(count)]
    for client in clients[::10]:  # every tenth has been served once
        client.send_request("GET", f"/{origin.url}/bytes/7")
        assert client.response().status == 200
    wait_until(lambda: chain.host.descriptors() >= descriptors + count - 10, "not all were accepted")
    each = (chain.host.rss() - before) / count
    print(f"{each:.0f} bytes a client")
    assert each < 8192
    assert latency(chain.front, origin, 50) < 0.05
    for client in clients:
        client.close()
    wait_until(lambda: chain.host.descriptors() <= descriptors + 2, "descriptors are left")
    assert served(chain.front, origin)


def test_flood_to_a_black_hole(start_chain, origin):
    """Hundreds who wait for a dead service slow nobody down who wants a living one."""
    chain = start_chain(tunnel={"timeouts_connect": "4s"}, enclave={"timeouts_tunnel_connect": "12s"}, host=NO_RETRIES)
    rounds, front = 2000 if LONG else 300, chain.front

    def measured():
        """The median time of a request, and the processes' CPU time for all of them: this asks nobody for a quiet machine."""
        before = sum(p.cpu_seconds() for p in chain.processes.values())
        median = latency(front, origin, rounds)
        return median, sum(p.cpu_seconds() for p in chain.processes.values()) - before

    assert served(front, origin)
    latency(front, origin, 50)
    calm, calm_cpu = measured()
    hole, sockets = BlackHole(), chain.tunnel.descriptors()
    clients = []
    for _ in range(300):
        client = front.connect()
        client.send_request("GET", f"/https://127.0.0.1:{hole.port}/")
        clients.append(client)
    wait_until(lambda: chain.tunnel.descriptors() >= sockets + 300, "not all are being connected")
    flooded, flooded_cpu = measured()
    print(f"median {calm * 1e6:.0f} us, with the flood {flooded * 1e6:.0f} us: {flooded / calm - 1:+.1%}")
    assert flooded_cpu < calm_cpu * (1.1 if LONG else 1.5) + 0.05
    assert flooded < (calm * 1.1 + 0.0005 if LONG else 0.5)  # the dead service is waited for 4 s
    assert {client.response().status for client in clients} == {504}
    for client in clients:
        client.close()
    hole.close()
    assert served(front, origin)
