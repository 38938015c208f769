"""Nitroproxy as a contender, in the forms that are measured."""
import http.client
import os
import re
import socket
import time

from contender import Peer, children
from origin import HOST


class Ours(Peer):
    """Roles tell when they are ready, as they tell systemd."""

    def __init__(self, bench, name):
        super().__init__(bench, name)
        self.ready_ms, self.leaders = {}, {}  # by role: how long its start took, and the process it began as

    def begin(self, role, *argv):
        path = f"{self.bench.dir}/{role}.ready"
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as told:
            told.bind(path)
            told.settimeout(10)
            started = time.monotonic()
            self.spawn(self.bench.binary, role, *argv, "--log-level", "error", NOTIFY_SOCKET=path)
            while told.recv(100) != b"READY=1":
                pass
            self.ready_ms[role] = (time.monotonic() - started) * 1e3
        os.unlink(path)
        self.leaders[role] = self.processes[-1].pid

    def role_pids(self, role):
        return children(self.leaders[role])


class Nitroproxy(Ours):
    """Three processes over unix sockets; inside: the app speaks to the enclave's own listener."""
    inside = False
    more = []  # settings of the enclave
    trust_origin = True

    def start(self):
        d = self.bench.dir
        roots = ["--ca-file", f"{d}/ca.pem"] if self.trust_origin else []
        pool = [] if self.bench.keep_upstream else ["--limits-pool-idle", "0"]
        self.begin("tunnel", "--listen", f"unix:{d}/t", "--allow-cidr", "127.0.0.0/8")
        self.begin("enclave", "--listen", f"unix:{d}/e", "--http-listen", "tcp:127.0.0.1:9001",
                   "--tunnel", f"unix:{d}/t", *roots, *pool, *self.more)
        if not self.inside:
            self.begin("host", "--listen", "tcp:127.0.0.1:9000", "--enclave", f"unix:{d}/e")

    def metric(self, name):
        """One of the enclave's."""
        c = http.client.HTTPConnection("127.0.0.1", 9001, timeout=10)
        c.request("GET", "/metrics")
        text = c.getresponse().read().decode()
        c.close()
        return int(re.search(rf'(?m)^nitroproxy_{name}{{role="enclave"}} (\d+)$', text).group(1))

    def url(self, path, port):
        return f"http://127.0.0.1:{9001 if self.inside else 9000}/https://{HOST}:{port}{path}"


class Inside(Nitroproxy):
    inside = True


class SystemsRoots(Nitroproxy):
    """As it is installed: to read the system's roots is half of the enclave's start."""
    trust_origin = False


class ReceiptsOn(Nitroproxy):
    """Gives receipts, but nobody asks."""
    more = ["--receipts", "--nsm", "software"]


class Receipts(ReceiptsOn):
    """Everybody asks."""
    asks = ["-H", "X-Nitroproxy-Want-Receipt: 1"]


class Tunnel(Ours):
    port, way = 9060, "tunnel"

    def start(self):
        self.begin("tunnel", "--listen", "tcp:127.0.0.1:9060", "--allow-cidr", "127.0.0.0/8")
