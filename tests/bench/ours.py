"""Nitroproxy as a contender, in the forms that are measured."""
from contender import Peer, wait_port
from origin import HOST


class Nitroproxy(Peer):
    """Three processes over unix sockets; inside: the app speaks to the enclave's own listener."""
    inside = False
    more = []  # settings of the enclave

    def start(self):
        d, binary = self.bench.dir, self.bench.binary
        quiet = ["--log-level", "error"]
        pool = [] if self.bench.keep_upstream else ["--limits-pool-idle", "0"]
        self.spawn(binary, "tunnel", "--listen", f"unix:{d}/t", "--allow-cidr", "127.0.0.0/8", *quiet)
        self.spawn(binary, "enclave", "--listen", f"unix:{d}/e", "--http-listen", "tcp:127.0.0.1:9001",
                   "--tunnel", f"unix:{d}/t", "--ca-file", f"{d}/ca.pem", *pool, *quiet, *self.more)
        self.spawn(binary, "host", "--listen", "tcp:127.0.0.1:9000", "--enclave", f"unix:{d}/e", *quiet)
        for address in (f"{d}/t", f"{d}/e", ("127.0.0.1", 9000), ("127.0.0.1", 9001)):
            wait_port(address)
        if self.inside:  # the host has no part in it
            self.__dict__["processes"], host = self.processes[:2], self.processes[2]
            host.terminate()
            host.wait()

    def url(self, path, port):
        return f"http://127.0.0.1:{9001 if self.inside else 9000}/https://{HOST}:{port}{path}"


class Inside(Nitroproxy):
    inside = True


class ReceiptsOn(Nitroproxy):
    """Gives receipts, but nobody asks."""
    more = ["--receipts", "--nsm", "software"]


class Receipts(ReceiptsOn):
    """Everybody asks."""
    asks = ["-H", "X-Nitroproxy-Want-Receipt: 1"]


class Tunnel(Peer):
    port, way = 9060, "tunnel"

    def start(self):
        self.spawn(self.bench.binary, "tunnel", "--listen", "tcp:127.0.0.1:9060", "--allow-cidr", "127.0.0.0/8",
                   "--log-level", "error")
        wait_port(("127.0.0.1", 9060))
