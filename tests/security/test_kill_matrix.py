"""
Whoever dies at whatever stage of an exchange: stage x victim x way in. After each of them

  - the client has a definite answer: a status of ours, or a message that is visibly cut; never a whole 200;
  - the origin has seen the request once at most, for it is a POST;
  - once the victim is back the next request succeeds, without a restart of the others;
  - the survivors hold no more descriptors than before, and the pools no connection.
"""
import os
import pathlib
import socket
import tempfile
import threading
import time

import pytest
from harness.chain import NITROPROXY, Chain
from harness.client import Cut
from harness.origin import pattern
from harness.servers import BlackHole
from harness.sockets import reset
from harness.trunks import counter
from harness.until import wait_until

BODY = b"order" * 200
ANSWER = pattern(20_000)
BACK_WITHIN = 10  # seconds until descriptors are back to what they were


class Silent:
    """A service that accepts and says nothing: a handshake, or a raw tunnel, that waits. Or one that never stops."""

    def __init__(self, echo=False, pours=False):
        self.echo, self.pours, self.sockets = echo, pours, []
        self.accepted = threading.Event()
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.authority = "localhost:%d" % self.listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                sock, _ = self.listener.accept()
            except OSError:
                return
            self.sockets.append(sock)
            if self.echo:
                sock.sendall(sock.recv(100))
            self.accepted.set()
            try:
                while self.pours:
                    sock.sendall(pattern(100_000))
            except OSError:
                pass

    def reset(self):
        for sock in self.sockets:
            reset(sock)

    def close(self):
        self.listener.close()
        self.reset()


class Scene:
    """One exchange up to a stage, from which it does not go on by itself."""

    def __init__(self, stage, front, origin):
        self.stage, self.front, self.origin = stage, front, origin
        self.reached, self.die = threading.Event(), threading.Event()
        raw = stage.startswith("raw")
        self.silent = Silent(echo=raw, pours=stage == "raw bulk") if raw or stage == "handshake" else None
        self.hole = BlackHole() if stage == "CONNECT awaited" else None
        self.url = origin.serve(self._serve)

    def _serve(self, connection, _request):
        if self.stage == "request body":
            connection.read_exactly(len(BODY) // 2)
        else:
            connection.read_body()
        head = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n" % len(ANSWER)
        if self.stage == "response head":
            connection.send(head)
        elif self.stage == "response body":
            connection.send(head + b"\r\n" + ANSWER[:10_000])
        elif self.stage == "between requests":
            connection.send(head + b"\r\n" + ANSWER)
        self.reached.set()
        if self.stage == "between requests":
            threading.Thread(target=self._end, args=(connection,), daemon=True).start()
            return
        self._end(connection)

    def _end(self, connection):
        self.die.wait(20)
        connection.open = False
        reset(connection.socket)

    def begin(self):
        self.client = self.front.connect()
        target = f"https://{self.silent.authority}/" if self.silent else self.url
        head = f"POST /{target} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(BODY)}\r\n\r\n".encode()
        if self.stage == "request head":
            self.client.send(head[:-10])
            self.rest = head[-10:] + BODY
            return
        if self.hole:
            authority = f"127.0.0.1:{self.hole.port}"
            self.client.send(f"CONNECT {authority} HTTP/1.1\r\nHost: {authority}\r\n\r\n".encode())
            time.sleep(0.1)  # for the tunnel to be asked; that it dials nobody can tell
            return
        if self.stage.startswith("raw"):
            self.client.send(b"CONNECT %s HTTP/1.1\r\nHost: %s\r\n\r\nping" % ((self.silent.authority.encode(),) * 2))
            assert self.client.response("CONNECT").status == 200
            assert self.client.read_exactly(4) == b"ping"
            return
        self.client.send(head + (BODY[:len(BODY) // 2] if self.stage == "request body" else BODY))
        assert (self.silent.accepted if self.silent else self.reached).wait(20)
        if self.stage == "response body":
            self.response = self.client.head()
            assert self.response.status == 200
            self.client.read_exactly(1)
        if self.stage == "between requests":
            assert self.client.response().body == ANSWER

    def outcome(self):
        """What the client gets in the end."""
        if self.stage.startswith("raw"):
            return self.raw_end()
        if self.stage == "response body":
            try:
                self.client.read_exactly(len(ANSWER) - 1)
            except Cut:
                return "cut"
            return "whole"
        if self.stage == "request head":
            self.client.send(self.rest)
        if self.stage == "between requests":
            self.client.send_request("GET", f"/{self.origin.url}/bytes/7")
        response = self.client.response()
        assert response.status == 200 or response.error
        return response.status

    def raw_end(self):
        try:
            while self.client.socket.recv(1 << 16):
                pass
            return "ended"
        except ConnectionResetError:
            return "reset"

    def close(self):
        self.die.set()
        self.client.close()
        if self.silent:
            self.silent.close()
        if self.hole:
            self.hole.close()


STAGES = ["request head", "handshake", "request body", "response awaited", "response head", "response body",
          "between requests", "CONNECT awaited", "raw tunnel", "raw bulk"]
VICTIMS = ["enclave", "tunnel", "origin"]


def expected(stage, victim):
    if stage.startswith("raw"):
        return {"reset"}
    if stage == "response body":
        return {"cut"}
    if stage == "between requests":
        return {200}
    return {502, 503, 504}


def held(process):
    """Its descriptors, but for the pipes for bulk: those are kept for the next one."""
    count = 0
    for fd in os.listdir(f"/proc/{process.pid}/fd"):
        try:
            count += not os.readlink(f"/proc/{process.pid}/fd/{fd}").startswith("pipe:")
        except FileNotFoundError:
            pass
    return count


def descriptors(chain):
    return {role: held(p) for role, p in chain.processes.items() if p.running()}


def assert_back(chain, before):
    end = time.monotonic() + BACK_WITHIN
    while any(n > before[role] for role, n in descriptors(chain).items()):
        assert time.monotonic() < end, f"before {before}, still {descriptors(chain)}"
        time.sleep(0.05)


GAUGES = ("client_connections", "upstream_connections", "upstream_idle", "enclave_connections", "enclave_idle")


def pools(chain):
    """What host and enclave say that they hold; this question's own connection included."""
    lines = chain.front.get("/metrics").body.decode().splitlines()
    return {line.partition(" ")[0]: float(line.rpartition(" ")[2]) for line in lines
            if not line.startswith("#") and any(f"nitroproxy_{gauge}" in line for gauge in GAUGES)}


def assert_pools_empty(chain):
    end = time.monotonic() + BACK_WITHIN
    while sum((now := pools(chain)).values()) != 1:
        assert time.monotonic() < end, f"still held: {now}"
        time.sleep(0.1)


def assert_trunks_up(chain):
    """They are dialled again by themselves after a death, and are among the descriptors that are counted."""
    if os.environ.get("NITROPROXY_TRUNK") != "false":
        for role in ("host", "enclave"):
            wait_until(lambda r=role: counter(chain.front, "trunk_up", r) == 1, f"{role} has no trunk", BACK_WITHIN)


@pytest.fixture(scope="module")
def chain(workdir, pki):
    """One chain for all: what a death leaves behind in the survivors adds up and shows."""
    if not NITROPROXY:
        pytest.skip("NITROPROXY does not name the executable")
    chain = Chain(pathlib.Path(tempfile.mkdtemp(dir=workdir)), pki,
                  enclave={"timeouts_pool_idle": "300ms"},
                  host={"timeouts_pool_idle": "300ms", "host_proxy_max_retries": "2",
                        "host_proxy_retry_delay": "10ms"})
    yield chain
    chain.stop()


@pytest.mark.parametrize("way", ["host", "enclave"])
@pytest.mark.parametrize("victim", VICTIMS)
@pytest.mark.parametrize("stage", STAGES)
def test_killed(chain, origin, stage, victim, way):
    if way == "enclave" and victim == "enclave":
        pytest.skip("the client's own peer is gone: nothing is left to judge")
    if stage in ("request head", "CONNECT awaited") and victim == "origin":
        pytest.skip("nobody has spoken to the origin yet")
    for front in (chain.front, chain.inner):
        assert front.get(f"{origin.url}/bytes/7").status == 200
    assert_pools_empty(chain)
    assert_trunks_up(chain)
    before = descriptors(chain)
    scene = Scene(stage, chain.front if way == "host" else chain.inner, origin)
    scene.begin()
    if victim == "origin":
        scene.die.set()
        if scene.silent:
            scene.silent.reset()
        time.sleep(0.05)
    else:
        chain.processes[victim].kill()
    late = stage == "between requests"  # the next request comes when the victim is back
    if late and victim != "origin":
        chain.start(victim)
    started = time.monotonic()
    outcome = scene.outcome()
    took = time.monotonic() - started
    if not late and victim != "origin":
        chain.start(victim)
    assert outcome in expected(stage, victim)
    assert took < 5
    assert len(origin.seen(scene.url)) <= 1
    for front in (chain.front, chain.inner):
        assert front.get(f"{origin.url}/bytes/7").body == pattern(7)
    scene.close()
    assert_back(chain, before)
    assert_pools_empty(chain)
