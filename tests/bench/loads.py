"""The workloads: what is asked of a contender, and what it costs it."""
import re
import socket
import statistics
import subprocess
import threading
import time

import contender
import origin


def load_tool(*argv):
    return subprocess.run(["taskset", "-c", contender.OTHERS, *argv], capture_output=True, text=True,
                          check=False).stdout


class Load:
    kind, keep_upstream, port, figure = "http", True, origin.TLS, "cpu_us"

    def __init__(self, name, title, **more):
        self.name, self.title = name, title
        self.group = name.split(".")[0]
        self.__dict__.update(more)

    def run(self, bench, peer, quick):
        self.warm(bench, peer)
        peer.settle()
        pids = peer.pids()  # now that it has served, all that serve are there

        def cpu(of):
            peer.settle()
            return contender.cpu_seconds(of)
        figures = self.work(bench, peer, 1 if quick else self.seconds, cpu, pids, cpu(pids))
        figures["peak_mib"] = contender.rss_kib(pids) / 1024
        return figures

    def warm(self, bench, peer):
        """A request: some listen before those processes are there that will serve."""
        load_tool("curl", "-s", "-o", "/dev/null", *peer.asks, peer.url("/1k", self.port))


class Requests(Load):
    """Small answers: CPU microseconds a request, with wrk."""
    seconds, path, keep_client = 4, "/1k", True

    def wrk(self, peer, seconds):
        close = [] if self.keep_client else ["-H", "Connection: close"]
        out = load_tool("wrk", "-t1", f"-c{self.clients}", f"-d{seconds}", "--latency", "--timeout", "10s", *close,
                        *peer.asks, peer.url(self.path, self.port))
        got = re.search(r"(\d+) requests in ([\d.]+)(m?)s", out)
        if not got or "Non-2xx" in out:
            raise RuntimeError(f"{peer.name}: {out}")
        tail = re.search(r"99%\s+([\d.]+)(us|ms|s)", out)
        scale = {"us": 1e-3, "ms": 1, "s": 1e3}[tail.group(2)]
        return int(got.group(1)), float(got.group(2)), float(tail.group(1)) * scale

    def warm(self, bench, peer):
        self.wrk(peer, 1)

    def work(self, bench, peer, seconds, cpu, pids, before):
        n, took, p99 = self.wrk(peer, seconds)
        return {"cpu_us": (cpu(pids) - before) / n * 1e6, "per_s": n / took, "p99_ms": p99}


class Download(Load):
    """Large answers: CPU seconds a GiB."""
    figure, seconds = "cpu_s_gib", 1

    def work(self, bench, peer, seconds, cpu, pids, before):
        started, total, threads = time.monotonic(), [0], []

        def fetch():
            url = peer.url(self.path, self.port)
            n = load_tool("curl", "-s", "-o", "/dev/null", "-w", "%{size_download}", *peer.asks, url)
            total[0] += int(n or 0)
        for _ in range(self.streams):
            threads.append(threading.Thread(target=fetch))
            threads[-1].start()
        for t in threads:
            t.join()
        took, gib = time.monotonic() - started, total[0] / (1 << 30)
        if total[0] != self.streams * self.size:
            raise RuntimeError(f"{peer.name}: {total[0]} bytes came")
        return {"cpu_s_gib": (cpu(pids) - before) / gib, "gib_per_s": gib / took}


class Upload(Load):
    figure, seconds = "cpu_s_gib", 1

    def work(self, bench, peer, seconds, cpu, pids, before):
        source = f"{bench.dir}/256m"
        with open(source, "wb") as f:
            f.truncate(256 << 20)
        started = time.monotonic()
        status = load_tool("curl", "-s", "-o", "/dev/null", "-w", "%{http_code}", "-H", "Expect:", "-T", source,
                           *peer.asks, peer.url("/put/x", self.port))
        took = time.monotonic() - started
        if status not in ("201", "204"):
            raise RuntimeError(f"{peer.name}: status {status}")
        return {"cpu_s_gib": (cpu(pids) - before) * 4, "gib_per_s": 0.25 / took}


# ---- the tunnel alone, and CONNECT ------------------------------------------------------------------------------------

class Raw(Load):
    """Raw connections to the plain origin through a relay, a tunnel or a CONNECT proxy: raw.c."""
    @staticmethod
    def tool(bench, name, *argv):
        """Connections, bytes, seconds."""
        out = subprocess.run(["taskset", "-c", contender.OTHERS, f"{bench.loads}/bench_{name}", *map(str, argv)],
                             stdout=subprocess.PIPE, text=True, check=True).stdout
        return [float(figure) for figure in out.split()]

    def ask(self, bench, peer, *what):
        return self.tool(bench, "raw", peer.way, peer.port, origin.PLAIN, *what)

    def warm(self, bench, peer):
        self.ask(bench, peer, "churn", "/1k", 1, 0)


class RawBulk(Raw):
    """verb: get or put."""
    figure, seconds = "cpu_s_gib", 1

    def work(self, bench, peer, seconds, cpu, pids, before):
        _, _, took = self.ask(bench, peer, self.verb, self.path, self.streams, self.size)
        gib = self.streams * self.size / (1 << 30)
        return {"cpu_s_gib": (cpu(pids) - before) / gib, "gib_per_s": gib / took}


class RawConnects(Raw):
    """Open, one small request, close: CPU microseconds a connection."""
    seconds = 3

    def churn(self, bench, peer, seconds):
        return self.ask(bench, peer, "churn", "/1k", 16, seconds)

    def work(self, bench, peer, seconds, cpu, pids, before):
        count, _, took = self.churn(bench, peer, seconds)
        return {"cpu_us": (cpu(pids) - before) / count * 1e6, "per_s": count / took}


class Strands(RawConnects):
    """Our tunnel is asked as the enclave asks it, over a trunk: strands.c."""
    def churn(self, bench, peer, seconds):
        if peer.way != "tunnel":
            return super().churn(bench, peer, seconds)
        return self.tool(bench, "strands", peer.port, origin.PLAIN, "/1k", 16, seconds)


# ---- memory, and the start --------------------------------------------------------------------------------------------

def rss_at_rest(pids):
    """What was needed under load and is given back a moment later is not what an idle connection costs."""
    rss = [contender.rss_kib(pids, peak=False)]
    while len(rss) < 15 and (len(rss) < 4 or rss[-1] < rss[-3]):
        time.sleep(1)
        rss.append(contender.rss_kib(pids, peak=False))
    return rss[-1]


def door(url):
    """Port and target, for connections made here."""
    port, target = re.match(r"http://127\.0\.0\.1:(\d+)(.*)", url).groups()
    return int(port), target.encode()


class Idle(Requests):
    """Idle clients: bytes of RSS each, and what the others still get."""
    figure, clients, idle = "rss_bytes", 64, 9800

    def work(self, bench, peer, seconds, cpu, pids, before):
        import resource
        resource.setrlimit(resource.RLIMIT_NOFILE, (20000, max(20000, resource.getrlimit(resource.RLIMIT_NOFILE)[1])))
        n, took, _ = self.wrk(peer, seconds)
        alone = n / took
        rss, held = rss_at_rest(pids), []
        port, target = door(peer.url("/1k", self.port))
        for i in range(self.idle):
            # Several source addresses: one has not enough ports for the rounds that follow each other.
            s = socket.create_connection(("127.0.0.1", port), source_address=(f"127.0.0.{2 + i % 8}", 0))
            s.sendall(b"GET %s HTTP/1.1\r\nHost: localhost\r\n\r\n" % target)
            if not s.recv(65536):
                raise RuntimeError(f"{peer.name}: closed connection {i}")
            held.append(s)
        each = (rss_at_rest(pids) - rss) * 1024 / self.idle
        before = cpu(pids)
        n, took, p99 = self.wrk(peer, seconds)
        figures = {"rss_bytes": each, "rate_kept": n / took / alone, "p99_ms": p99}
        for s in held:
            s.close()
        return figures


class Pooled(Load):
    """TLS connections that wait in the pool for the next request: bytes of the enclave's RSS each."""
    figure, seconds, count = "rss_bytes", 1, 200

    def uploads(self, peer, count):
        """At a time: each lacks its last byte until all have a connection of their own."""
        port, target = door(peer.url("/put/x", self.port))
        held = [socket.create_connection(("127.0.0.1", port), timeout=30) for _ in range(count)]
        for s in held:
            s.sendall(b"PUT %s HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\r\n1" % target)
        self.until(peer, "upstream_connections", count)
        for s in held:
            s.sendall(b"2")
        for s in held:
            if not re.match(rb"HTTP/1.1 20[14] ", s.recv(65536)):
                raise RuntimeError(f"{peer.name}: an upload failed")
            s.close()
        self.until(peer, "upstream_idle", count)

    @staticmethod
    def until(peer, gauge, count):
        late = time.monotonic() + 30
        while (now := peer.metric(gauge)) < count:
            if time.monotonic() > late:
                raise RuntimeError(f"{peer.name}: {gauge} is {now}, not {count}")
            time.sleep(0.02)  # a gauge tells nobody that it has changed

    def warm(self, bench, peer):
        self.uploads(peer, 1)  # what the first connection brings along is not what each costs

    def work(self, bench, peer, seconds, cpu, pids, before):
        enclave = peer.role_pids("enclave")
        had, rss = peer.metric("upstream_idle"), rss_at_rest(enclave)
        self.uploads(peer, self.count)
        more = rss_at_rest(enclave) - rss
        self.until(peer, "upstream_idle", self.count)  # nor has any been closed meanwhile
        pooled = peer.metric("upstream_idle") - had
        return {"rss_bytes": more * 1024 / pooled, "pooled": pooled}


class Start(Load):
    """Each role in turn: milliseconds from before fork until it says that it is ready; MiB of RSS once all have."""
    figure, roles, times = "enclave_ms", ("tunnel", "enclave", "host"), 9

    def run(self, bench, peer, quick):
        starts = []
        for _ in range(2 if quick else self.times):
            peer.stop()
            peer.start()
            rss = {f"{role}_mib": contender.rss_kib(peer.role_pids(role), peak=False) / 1024 for role in self.roles}
            starts.append({**{f"{role}_ms": peer.ready_ms[role] for role in self.roles}, **rss})
        return {figure: statistics.median(s[figure] for s in starts) for figure in starts[0]}


def fresh(name, title, port):
    return Requests(name, title, keep_upstream=False, port=port, clients=16)


ALL = [
    *(Requests(f"W1.c{c}", f"1 KiB GET, keep-alive, {c} clients", clients=c) for c in (1, 16, 64, 256)),
    Download("W2.1x1g", "1 GiB down", streams=1, path="/1g", size=1 << 30),
    Download("W2.64x16m", "64 x 16 MiB down", streams=64, path="/16m", size=16 << 20),
    Upload("W3.256m", "256 MiB up"),
    fresh("W4.p256.full", "a new TLS connection a request, P-256 chain, full handshake", origin.FRESH),
    fresh("W4.p256.resume", "likewise, resumed", origin.TLS),
    fresh("W4.rsa.full", "a new TLS connection a request, RSA-2048 chain, full handshake", origin.RSA_FRESH),
    fresh("W4.rsa.resume", "likewise, resumed", origin.RSA),
    RawBulk("W5.1x1g", "the tunnel alone, 1 GiB down", kind="relay", verb="get", streams=1, path="/1g", size=1 << 30),
    RawBulk("W5.64x16m", "the tunnel alone, 64 x 16 MiB", kind="relay", verb="get", streams=64, path="/16m",
            size=16 << 20),
    RawBulk("W5.up", "the tunnel alone, 256 MiB up", kind="relay", verb="put", streams=1, path="/put/x",
            size=256 << 20),
    RawBulk("W5.up64x16m", "the tunnel alone, 64 x 16 MiB up", kind="relay", verb="put", streams=64, path="/put/x",
            size=16 << 20),
    RawConnects("W5.connects", "the tunnel alone, connect, 1 KiB, close", kind="relay"),
    Strands("W5.strands", "likewise, over a trunk, as it is from the enclave", kind="relay"),
    RawBulk("W6.1x1g", "CONNECT, 1 GiB down", kind="connect", verb="get", streams=1, path="/1g", size=1 << 30),
    RawConnects("W6.connects", "CONNECT, 1 KiB, close", kind="connect"),
    Idle("W7.idle", "9 800 idle clients"),
    Pooled("W7.pooled", "200 idle TLS connections to the origin in the enclave's pool", kind="pool"),
    Requests("W8.c16", "1 KiB GET with a receipt, 16 clients", kind="receipts", clients=16),
    Download("W8.1x1g", "1 GiB down with a receipt", kind="receipts", streams=1, path="/1g", size=1 << 30),
    Upload("W8.up", "256 MiB up with a receipt", kind="receipts"),
    Start("W9.start", "each role's start until it is ready, and its RSS then", kind="start"),
]
