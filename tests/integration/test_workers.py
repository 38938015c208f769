"""Several workers in each role: the same answers as from one, and the end of one is nobody else's."""
import collections
import os
import pathlib
import re
import signal
import subprocess
import tempfile
import threading
import time

import pytest
import requests
from harness.chain import NITROPROXY, Chain
from harness.client import Cut
from harness.origin import pattern
from harness.process import Process
from harness.until import wait_until

ROLES = ["host", "enclave", "tunnel"]
COUNT = 4
READY = r"msg=worker state=ready worker=(\d+) worker_pid=(\d+)"


def crew(**more):
    """Settings for start_chain: all roles with COUNT workers, and what a test wants beside that."""
    return {role: {"workers": COUNT, **more.get(role, {})} for role in ROLES}


@pytest.fixture(scope="module")
def chain(workdir, pki):
    if not NITROPROXY:
        pytest.skip("NITROPROXY does not name the executable")
    shared = Chain(pathlib.Path(tempfile.mkdtemp(dir=workdir)), pki, **crew())
    yield shared
    shared.stop()


def workers(process):
    """The pid of each worker, the one started last."""
    pids, mine = {}, rf"role={process.name} {READY}"  # the host's log has the enclave's lines, too
    for line in process.matching(mine):
        number, pid = re.search(mine, line).groups()
        pids[int(number)] = int(pid)
    return [pids[number] for number in sorted(pids)]


def gone(pid):
    """Over, or at least not running any more."""
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except (FileNotFoundError, ProcessLookupError):
        return True


def metric(front, name, role, labels=""):
    text = front.get("/metrics").body.decode()
    found = re.search(rf'(?m)^nitroproxy_{name}{{role="{role}"{labels}}} (\d+)$', text)
    return int(found.group(1))


def answered(front):
    return metric(front, "requests_total", "host", ',code="2xx"')


# ---- nothing is different ----

@pytest.mark.parametrize("way", ["front", "inner"])
def test_same_bytes_whatever_the_form(chain, origin, pki, way):
    front = getattr(chain, way)
    url, want = f"{origin.url}/bytes/300001", pattern(300_001)
    for _ in range(2 * COUNT):
        assert front.get(url).body == want
        assert front.request("GET", "/", [("X-Target-URL", url)]).body == want
        assert front.request("POST", f"{origin.url}/echo", body=want[:5000]).status == 200
        with front.connect() as client:
            client.send_request("GET", url, host=url.split("/")[2])
            assert client.response().body == want
        tunnelled = requests.get(url, proxies={"https": front.url}, verify=str(pki.root_file), timeout=30)
        assert tunnelled.content == want


@pytest.mark.parametrize("role", ROLES)
def test_there_are_as_many_as_asked_for(chain, role):
    pids = workers(chain.processes[role])
    assert len(set(pids)) == COUNT
    for pid in pids:
        stat = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        assert int(stat[1]) == chain.processes[role].pid


def connections(pids, port):
    """How many of those that were made to the port each of the processes has."""
    rows = [line.split() for line in pathlib.Path("/proc/net/tcp").read_text().splitlines()[1:]]
    accepted = {f"socket:[{row[9]}]" for row in rows if int(row[1].split(":")[1], 16) == port and row[3] == "01"}
    return [sum(os.readlink(link) in accepted for link in pathlib.Path(f"/proc/{pid}/fd").iterdir()) for pid in pids]


@pytest.mark.parametrize("role", ["host", "enclave"])
def test_connections_spread_evenly(chain, role):
    """Over TCP to both, and each worker gets as many as any other, but for those that came while it was busy."""
    front, pids = (chain.front if role == "host" else chain.inner), workers(chain.processes[role])
    wait_until(lambda: sum(connections(pids, front.port)) == 0, "connections of other tests stay")
    clients = [front.connect() for _ in range(10 * COUNT)]
    wait_until(lambda: sum(connections(pids, front.port)) == len(clients), "not all connections were accepted")
    spread = connections(pids, front.port)
    for client in clients:
        client.close()
    assert min(spread) >= 4 and max(spread) <= 20, spread  # 10 each, unless the machine is very busy


def test_metrics_are_whole(chain, origin):
    """Whoever answers: what all have counted, and never less than before."""
    before, last = answered(chain.front), 0
    for _ in range(20):
        assert chain.front.get(f"{origin.url}/bytes/10").status == 200
    for _ in range(3 * COUNT):
        now = answered(chain.front)
        assert now >= last
        last = now
    wait_until(lambda: answered(chain.front) >= before + 20 + 3 * COUNT, "some are missing")
    assert metric(chain.front, "workers", "host") == COUNT
    wait_until(lambda: metric(chain.front, "workers", "enclave") == COUNT, "the enclave's metrics do not come")


def test_each_line_of_the_enclave_reaches_the_host_once(chain, origin):
    def ids(process):
        found = (re.search(r"role=enclave msg=exchange id=(\w+)", line) for line in list(process.lines))
        return collections.Counter(match.group(1) for match in found if match)

    for _ in range(3 * COUNT):
        chain.front.get(f"{origin.url}/bytes/10")
    wait_until(lambda: ids(chain.host) == ids(chain.enclave), "the two logs differ")
    assert len(ids(chain.host)) >= 3 * COUNT and set(ids(chain.host).values()) == {1}


def test_a_rate_is_not_one_for_each_worker(start_chain):
    chain = start_chain(**crew(host={"limits_client_rate": 5}))
    began = time.monotonic()
    statuses = [chain.front.get("/health?probe").status for _ in range(8 * COUNT)]
    allowed = 5 + 5 * (time.monotonic() - began) + 1
    assert set(statuses) == {200, 429}
    assert statuses.count(200) <= allowed


# ---- one dies ----

class Load:
    """Clients that ask again and again, each time on a connection of its own."""

    def __init__(self, front, url, clients=4):
        self.front, self.url = front, url
        self.over = threading.Event()
        self.ends = collections.Counter()
        self.lock = threading.Lock()
        self.threads = [threading.Thread(target=self.run) for _ in range(clients)]
        for thread in self.threads:
            thread.start()

    def run(self):
        while not self.over.is_set():
            try:
                response = self.front.get(self.url)
                end = response.status if len(response.body) else "empty"
            except (Cut, ConnectionError):
                end = "cut"
            except TimeoutError:
                end = "hung"
            with self.lock:
                self.ends[end] += 1

    def count(self):
        with self.lock:
            return sum(self.ends.values())

    def more(self, count):
        target = self.count() + count
        wait_until(lambda: self.count() >= target, f"the load has stopped: {self.ends}", 60)

    def stop(self):
        self.over.set()
        for thread in self.threads:
            thread.join(30)
        return self.ends


@pytest.mark.parametrize("role", ROLES)
def test_a_worker_that_dies_is_replaced(start_chain, origin, role):
    chain = start_chain(**crew())
    process = chain.processes[role]
    load = Load(chain.front, f"{origin.url}/bytes/1000")
    load.more(50)
    before, victims = answered(chain.front), workers(process)
    for number in (1, 0):  # worker 0 has more to do than others
        start = len(process.lines)
        os.kill(victims[number], signal.SIGKILL)
        process.wait_line(rf"msg=worker state=ended worker={number} worker_pid={victims[number]} status=137 next=start",
                          start=start)
        load.more(20)
        assert answered(chain.front) >= before
        process.wait_line(rf"msg=worker state=ready worker={number} ", start=start)
        load.more(20)
    ends = load.stop()
    assert set(ends) <= {200, 502, 503, 504, "cut"}, ends
    assert ends[200] > 0.8 * sum(ends.values()), ends
    now = workers(process)
    assert len(set(now)) == COUNT and victims[0] not in now and victims[1] not in now
    assert answered(chain.front) >= ends[200]
    if role != "tunnel":
        wait_until(lambda: metric(chain.front, "worker_restarts_total", role) == 2, "the restarts are not counted")
        wait_until(lambda: metric(chain.front, "workers", role) == COUNT, "not all serve")


def test_what_cannot_start_ends(workdir):
    """Said once, with the status of one process, and nothing stays behind."""
    missing = workdir / "no such file"
    process = Process("enclave", [NITROPROXY, "enclave", f"--listen=unix:{workdir}/x.sock",
                                  f"--workers={COUNT}", f"--ca-file={missing}"])
    assert process.wait() == 1
    assert len(process.matching("level=error role=enclave msg=start")) == 1
    assert not (workdir / "x.sock").exists()


@pytest.mark.parametrize("more", ["--ingress-enclave-listen=unix:/tmp/unused.sock", "--nsm=software",
                                  "--receipts=true"])
def test_where_there_can_only_be_one(more):
    done = subprocess.run([NITROPROXY, "enclave", "--check-config", "--workers=2", more],
                          capture_output=True, text=True)
    assert done.returncode == 2 and "workers: is 2, must be 1 or auto" in done.stderr
    done = subprocess.run([NITROPROXY, "enclave", "--check-config", "--workers=auto", more],
                          capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


# ---- signals ----

@pytest.fixture
def held(origin):
    """A URL whose answer has begun and ends when the test says so."""
    go_on = threading.Event()

    def answer(connection, _request):
        connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 200000\r\n\r\n" + pattern(100_000))
        assert go_on.wait(20)
        connection.send(pattern(200_000)[100_000:])

    answer.url, answer.go_on = origin.serve(answer), go_on
    yield answer
    go_on.set()


def begin(front, url):
    client = front.connect()
    client.send_request("GET", f"/{url}")
    return client, client.head()


@pytest.mark.parametrize("role", ROLES)
def test_all_are_drained(start_chain, held, role):
    """A terminal's or systemd's signal reaches workers beside the supervisor's: that is no second one."""
    chain = start_chain(**crew())
    process = chain.processes[role]
    pids = workers(process)
    begun = [begin(chain.front, held.url) for _ in range(COUNT)]
    for pid in [*pids, process.pid, *pids]:
        os.kill(pid, signal.SIGTERM)
    process.wait_line("msg=drain")
    held.go_on.set()
    for client, answer in begun:
        assert client.body(answer).body == pattern(200_000)
        client.close()
    assert process.wait() == 0
    assert all(gone(pid) for pid in pids)


def test_no_new_connections_while_draining(start_chain, held):
    chain = start_chain(**crew())
    client, answer = begin(chain.front, held.url)
    chain.host.signal(signal.SIGTERM)
    chain.host.wait_line("msg=drain")
    with pytest.raises(ConnectionError):
        for _ in range(1000):
            with chain.front.connect() as late:
                assert late.at_end()
    held.go_on.set()
    client.body(answer)
    client.close()


def test_second_signal_means_now(start_chain, held):
    chain = start_chain(**crew())
    client, answer = begin(chain.front, held.url)
    chain.host.signal(signal.SIGTERM)
    chain.host.wait_line("msg=drain")
    chain.host.signal(signal.SIGTERM)
    assert chain.host.wait(10) == 0
    with pytest.raises(Cut):
        client.body(answer)
    client.close()


def test_a_supervisor_that_dies_takes_its_workers_along(start_chain):
    chain = start_chain(**crew())
    pids = workers(chain.host)
    chain.host.kill()
    wait_until(lambda: all(gone(pid) for pid in pids), "workers without a supervisor")


def test_a_log_that_was_moved_is_opened_anew_by_all(start_chain, tmp_path):
    log = tmp_path / "host.log"
    process = None
    chain = start_chain(**crew())
    port = chain.front.port
    chain.host.signal(signal.SIGTERM)
    assert chain.host.wait() == 0
    process = Process("host", [chain.binary, "host", f"--port={port}", f"--enclave={chain.sockets['enclave']}",
                               f"--workers={COUNT}", f"--logging-file={log}"])
    wait_until(lambda: log.exists() and "msg=ready" in log.read_text(), "it is not ready")
    pids = [int(pid) for _, pid in re.findall(READY, log.read_text())]
    log.rename(tmp_path / "moved.log")
    process.signal(signal.SIGHUP)  # nothing
    process.signal(signal.SIGUSR1)

    def opened(pid):
        try:
            links = [os.readlink(f"/proc/{pid}/fd/{fd}") for fd in os.listdir(f"/proc/{pid}/fd")]
        except FileNotFoundError:  # one was closed between the two
            return False
        return str(log) in links and str(tmp_path / "moved.log") not in links

    try:
        assert len(pids) == COUNT
        wait_until(lambda: all(opened(pid) for pid in [process.pid, *pids]), "not all have opened the log anew")
    finally:
        process.stop()


# ---- an application beside them ----

def kernel_says(pid):
    return dict(re.findall(r"(?m)^(\w+):\s*(.*)$", pathlib.Path(f"/proc/{pid}/status").read_text()))


def test_the_sandbox_holds_workers_and_not_the_application(start_chain, sanitized, origin):
    if sanitized:
        pytest.skip("a sanitizer's own calls cannot be let through: run it on a release build")
    chain = start_chain(enclave={"enclave_app": ["/bin/sleep", "1000"]})
    app = int(chain.enclave.wait_line(r"msg=app state=started app_pid=(\d+)").group(1))
    (worker,) = workers(chain.enclave)
    assert chain.front.get(f"{origin.url}/bytes/10").body == pattern(10)
    assert kernel_says(worker)["Seccomp"] == "2" and kernel_says(worker)["NoNewPrivs"] == "1"
    wait_until(lambda: kernel_says(app)["Name"] == "sleep", "the application does not run")
    assert kernel_says(app)["Seccomp"] == "0" and kernel_says(app)["NoNewPrivs"] == "0"
    assert chain.enclave.matching("msg=sandbox mode=enforce")
    chain.enclave.signal(signal.SIGTERM)
    assert chain.enclave.wait() == 0
    assert gone(app) and gone(worker)


def test_the_application_is_kept_running_and_stopped(start_chain):
    chain = start_chain(enclave={"enclave_app": ["/bin/sleep", "1000"], "workers": 2})
    pattern_started = r"msg=app state=started app_pid=(\d+)"
    app = int(chain.enclave.wait_line(pattern_started).group(1))
    start = len(chain.enclave.lines)
    os.kill(app, signal.SIGKILL)
    chain.enclave.wait_line("msg=app state=ended status=137 next=start", start=start)
    app = int(chain.enclave.wait_line(pattern_started, start=start).group(1))
    wait_until(lambda: metric(chain.inner, "app_restarts_total", "enclave") == 1, "the restart is not counted")
    chain.enclave.signal(signal.SIGTERM)
    assert chain.enclave.wait() == 0
    assert gone(app)


def test_the_application_is_the_end(start_chain):
    chain = start_chain(enclave={"enclave_app": ["/bin/sh", "-c", "exit 3"], "enclave_app_once": "true"})
    assert chain.enclave.wait() == 0
    assert chain.enclave.matching('msg=drain detail="the application has ended"')
