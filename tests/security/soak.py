#!/usr/bin/env python3
"""
Mixed churn through a chain for a while, and what it leaves: `soak.py [SECONDS]` (60 is the short form of CI, 1800 the
long one). Gets, uploads, chunked bodies, errors, clients that vanish, CONNECT, slow readers; every few seconds the
memory and the descriptors of each role are noted. At the end the slopes of the second half must be flat: at their rate
that half added less than 512 KiB and eight descriptors, once what was learnt in the first half (pools, sessions,
malloc's arenas) is there. Exit status 0 or 1.

Whoever churns pauses while a sample is taken, so that what is counted is what stays, not what happens to be in flight.
"""
import os
import pathlib
import random
import sys
import tempfile
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "support" / "py"))

from harness.chain import Chain  # noqa: E402
from harness.origin import Origin, pattern, tls_context  # noqa: E402
from harness.pki import Pki  # noqa: E402

WORKERS = 8
KIB_IN_SECOND_HALF = 512
DESCRIPTORS_IN_SECOND_HALF = 8


class Soak:
    def __init__(self, directory):
        self.origin = Origin(tls_context(Pki(directory).good))
        pki_root = directory / "root.pem"
        self.chain = Chain(directory, type("P", (), {"root_file": pki_root}))
        self.stop = threading.Event()
        self.going = threading.Event()
        self.idle = threading.Semaphore(0)  # one for each that has paused
        self.done, self.wrong = 0, []
        self.lock = threading.Lock()
        self.dead = self.origin.serve(lambda connection, _request: connection.cut())

    # ---- what clients do ----

    def get(self, front, rng):
        size = rng.choice([0, 7, 5_000, 200_000])
        assert front.get(f"{self.origin.url}/bytes/{size}").body == pattern(size)

    def upload(self, front, rng):
        body = pattern(rng.choice([1, 70_000]))
        assert front.request("POST", f"{self.origin.url}/sha256", [], body).status == 200

    def keep_alive(self, front, rng):
        with front.connect() as client:
            for _ in range(rng.randrange(1, 20)):
                client.send_request("GET", f"/{self.origin.url}/bytes/100")
                assert client.response().body == pattern(100)

    def vanish(self, front, rng):
        with front.connect() as client:
            client.send_request("GET", f"/{self.origin.url}/bytes/{rng.choice([7, 2_000_000])}")
            if rng.random() < 0.5:
                client.head()

    def nonsense(self, front, _rng):
        with front.connect() as client:
            client.send(b"GET / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n")
            assert client.response().status == 400

    def refused(self, front, _rng):
        assert front.get("https://127.0.0.1:1/").status == 502

    def cut_off(self, front, _rng):
        assert front.get(self.dead).status == 502

    def connect(self, front, _rng):
        with front.connect() as client:
            client.send(f"CONNECT {self.origin.authority} HTTP/1.1\r\nHost: {self.origin.authority}\r\n\r\n".encode())
            assert client.response("CONNECT").status == 200
            client.send(b"no TLS")

    def work(self, seed):
        rng = random.Random(seed)
        acts = [self.get, self.upload, self.keep_alive, self.vanish, self.nonsense, self.refused, self.cut_off,
                self.connect]
        while not self.stop.is_set():
            if not self.going.is_set():
                self.idle.release()
                self.going.wait()
            act = rng.choice(acts)
            try:
                act(rng.choice([self.chain.front, self.chain.inner]), rng)
            except Exception as wrong:  # whatever it is, it is counted and the churn goes on
                with self.lock:
                    self.wrong.append(f"{act.__name__}: {wrong!r}")
            with self.lock:
                self.done += 1

    # ---- what it costs ----

    def sample(self):
        self.going.clear()
        for _ in range(WORKERS):
            self.idle.acquire()
        self.settle()
        now = {}
        for role, process in self.chain.processes.items():
            with open(f"/proc/{process.pid}/status") as status:
                memory = next(int(line.split()[1]) for line in status if line.startswith("VmRSS"))
            now[role] = memory, process.descriptors()
        self.going.set()
        return now

    def settle(self):
        """What clients have left is put away: until descriptors stay the same for a while, at most two seconds."""
        before = None
        for _ in range(10):
            time.sleep(0.2)
            now = [process.descriptors() for process in self.chain.processes.values()]
            if now == before:
                return
            before = now

    def run(self, seconds):
        threads = [threading.Thread(target=self.work, args=(seed,), daemon=True) for seed in range(WORKERS)]
        samples, start = [], time.monotonic()
        self.going.set()
        for t in threads:
            t.start()
        while (at := time.monotonic() - start) < seconds:
            samples.append((at, self.sample()))
            time.sleep(min(5, seconds / 40))
        self.stop.set()
        for t in threads:
            t.join()
        return samples


def slope(points):
    """Of the line nearest to all points (least squares), for ten seconds."""
    n = len(points)
    mean_x, mean_y = sum(x for x, _ in points) / n, sum(y for _, y in points) / n
    spread = sum((x - mean_x) ** 2 for x, _ in points)
    return 10 * sum((x - mean_x) * (y - mean_y) for x, y in points) / spread


def main():
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 60
    if not os.environ.get("NITROPROXY"):
        sys.exit("NITROPROXY must name the executable")
    good = True
    with tempfile.TemporaryDirectory(prefix="np-soak-") as directory:
        soak = Soak(pathlib.Path(directory))
        samples = soak.run(seconds)
        late = samples[len(samples) // 2:]
        for role in soak.chain.processes:
            memory = slope([(at, now[role][0]) for at, now in late])
            descriptors = slope([(at, now[role][1]) for at, now in late])
            tens = seconds / 2 / 10
            flat = memory * tens < KIB_IN_SECOND_HALF and descriptors * tens < DESCRIPTORS_IN_SECOND_HALF
            good = good and flat
            print(f"figure: soak {role:8} {samples[-1][1][role][0]:6} KiB {memory:+8.1f} KiB/10s   {samples[-1][1][role][1]:4} "
                  f"descriptors {descriptors:+6.2f}/10s   {'flat' if flat else 'GROWS'}")
        print(f"figure: soak {soak.done} acts in {seconds:.0f} s, {len(soak.wrong)} went wrong")
        for wrong in soak.wrong[:10]:
            print("  ", wrong)
        soak.chain.stop()
    sys.exit(0 if good and not soak.wrong and soak.done > 5 * seconds else 1)


if __name__ == "__main__":
    main()
