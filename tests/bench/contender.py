"""What each contender is: processes on a core of their own, and what /proc says of them."""
import os
import signal
import socket
import subprocess
import time

CONTENDER, OTHERS = "0", "1"  # cores
TICKS = os.sysconf("SC_CLK_TCK")


def children(pid):
    """pid and all below it: nginx and squid work in child processes."""
    found = [pid]
    for p in found:
        try:
            with open(f"/proc/{p}/task/{p}/children", encoding="ascii") as f:
                found += [int(c) for c in f.read().split()]
        except OSError:
            pass
    return found


def cpu_seconds(pids):
    """Also of children that are over and were waited for: socat has one a connection."""
    total = 0
    for pid in pids:
        try:
            with open(f"/proc/{pid}/stat", encoding="ascii") as f:
                fields = f.read().rsplit(")", 1)[1].split()
            total += sum(int(ticks) for ticks in fields[11:15])
        except OSError:
            pass
    return total / TICKS


def rss_kib(pids, peak=True):
    total = 0
    for pid in pids:
        try:
            with open(f"/proc/{pid}/status", encoding="ascii") as f:
                total += next(int(line.split()[1]) for line in f
                              if line.startswith("VmHWM" if peak else "VmRSS"))
        except (OSError, StopIteration):
            pass
    return total


def wait_port(address):
    for _ in range(500):
        s = socket.socket(socket.AF_UNIX if isinstance(address, str) else socket.AF_INET)
        try:
            s.connect(address)
            return
        except OSError:
            time.sleep(0.01)  # nothing tells when somebody else's server is ready
        finally:
            s.close()
    raise RuntimeError(f"nobody listens on {address}")


class Peer:
    """A contender: its processes run while the with-block does."""
    port = 9000
    way = "connect"  # how raw.c asks it for the origin; bare: there is one place it leads to
    asks = []  # fields of every request, as curl and wrk take them

    def __init__(self, bench, name):
        self.bench, self.name, self.processes = bench, name, []

    def url(self, path, port):
        return f"http://127.0.0.1:{self.port}{path}"

    def spawn(self, *argv, **variables):
        """The core is inherited: taskset would add its own millisecond to a start."""
        everywhere = os.sched_getaffinity(0)
        with open(f"{self.bench.dir}/{self.name}.log", "ab") as log:
            os.sched_setaffinity(0, {int(CONTENDER)})
            try:
                self.processes.append(subprocess.Popen(argv, stdout=log, stderr=log, env={**os.environ, **variables}))
            finally:
                os.sched_setaffinity(0, everywhere)

    def pids(self):
        return [c for p in self.processes for c in children(p.pid)]

    def settle(self):
        """Before its CPU time is read: what it has done is counted."""

    def __enter__(self):
        try:
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_):
        self.stop()

    def stop(self):
        for p in self.processes:
            p.send_signal(signal.SIGTERM)
        for p in self.processes:
            try:
                p.wait(10)
            except subprocess.TimeoutExpired:
                p.kill()
                p.wait()
        self.processes = []
