"""`nitroproxy demo`: a whole run by itself, reports, failures and what they advise, the origin it can serve."""
import json
import os
import pathlib
import pty
import re
import signal
import ssl
import subprocess
import time
import urllib.request
import xml.etree.ElementTree

import pytest

from harness.chain import NITROPROXY
from harness.origin import Origin, tls_context
from harness.process import Process

CHECKS = ["get", "post", "headers", "lookup", "concurrent", "row", "forms", "connect", "download", "upload",
          "chunked", "certificate", "denied"]
STAGES = ["connect", "proxy", "enclave", "tunnel", "tls", "service", "body"]

pytestmark = pytest.mark.skipif(not NITROPROXY, reason="NITROPROXY does not name the executable")


def demo(*args, timeout=120, **env):
    return subprocess.run([NITROPROXY, "demo", *map(str, args)], capture_output=True, text=True, timeout=timeout,
                          env={**os.environ, **env})


def children_of(pid):
    return [int(p) for p in pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def gone(pid):
    """Ended: not there, or only waiting to be reaped by somebody else."""
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "Z"
    except FileNotFoundError:
        return True


def wait_for(condition, seconds=20):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it never came true"
        time.sleep(0.02)


@pytest.fixture(scope="module")
def local(tmp_path_factory):
    """One run of --local with all reports, in a temporary directory of its own."""
    directory = tmp_path_factory.mktemp("demo")
    scratch = directory / "tmp"
    scratch.mkdir()
    reports = [directory / f"r.{kind}" for kind in ("txt", "json", "html", "xml")]
    link = pathlib.Path(f"/tmp/npd{os.getpid()}")  # the path of a unix socket has at most 107 bytes
    link.symlink_to(scratch.resolve())
    begun = time.monotonic()
    try:
        # What the environment says about the roles is not for the demo's own processes.
        result = demo("--local", *(f"--report={r}" for r in reports), TMPDIR=str(link), ENCLAVE_CID="3",
                      NITROPROXY_POLICY_DENY="*:*", DEBUG_MODE="true", NITROPROXY_HOST_PROXY_LISTEN="tcp:*:1")
    finally:
        link.unlink()
    result.seconds = time.monotonic() - begun
    result.reports = {r.suffix[1:]: r.read_text() for r in reports if r.exists()}
    result.left = list(scratch.iterdir())
    return result


def test_local_passes_and_leaves_nothing(local, sanitized):
    assert local.returncode == 0, local.stdout + local.stderr
    assert "13 of 13 checks passed" in local.stdout
    assert local.stderr == ""
    assert local.left == []
    if not sanitized:
        assert local.seconds < 20


def test_no_colour_and_no_progress_without_a_terminal(local):
    assert "\033" not in local.stdout and "\r" not in local.stdout


def test_json_report(local):
    report = json.loads(local.reports["json"])
    assert report["schema"] == 1 and report["local"] and report["traced"]
    assert report["summary"] == {"passed": 13, "failed": 0, "skipped": 0}
    assert [c["id"] for c in report["checks"]] == CHECKS
    assert report["tls"]["enclave"]["protocol"] == report["tls"]["client"]["protocol"] == "TLSv1.3"
    assert report["tls"]["enclave"]["subject"] == "CN=origin.demo.test"
    checks = {c["id"]: c for c in report["checks"]}
    assert checks["download"]["bytes"] == 64 << 20 and re.fullmatch("[0-9a-f]{64}", checks["download"]["sha256"])
    assert checks["upload"]["bytes"] == 16 << 20
    assert checks["certificate"]["status"] == 502 and checks["denied"]["status"] == 403
    first = checks["get"]["stages_ms"]
    assert list(first) == STAGES
    for stage in ("enclave", "tunnel", "tls", "service"):
        assert first[stage] > 0, stage
    assert sum(first.values()) <= checks["get"]["ms"]
    assert len(report["latency"]["samples_ms"]) == 300
    spans = report["concurrent_ms"]
    assert len(spans) == 10
    assert max(a for a, _ in spans) < min(b for _, b in spans), "they did not all overlap"


def test_other_reports(local):
    suite = xml.etree.ElementTree.fromstring(local.reports["xml"])
    assert suite.get("tests") == "13" and suite.get("failures") == "0"
    assert [c.get("name") for c in suite.iter("testcase")] == CHECKS
    assert "All 13 checks passed" in local.reports["html"]
    assert local.reports["txt"].splitlines()[0] == local.stdout.splitlines()[0]


def test_killed_demo_takes_its_processes_along(tmp_path):
    process = subprocess.Popen([NITROPROXY, "demo", "--local"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_for(lambda: len(children_of(process.pid)) == 3)
        children = children_of(process.pid)
        cmdline = pathlib.Path(f"/proc/{children[0]}/cmdline")
        wait_for(lambda: b"unix:" in cmdline.read_bytes())  # until it is more than a fork
        directory = next(a.split(b"unix:")[1] for a in cmdline.read_bytes().split(b"\0") if b"unix:" in a)
    finally:
        process.kill()
        process.wait()
    for pid in children:
        wait_for(lambda pid=pid: gone(pid))
    directory = pathlib.Path(os.fsdecode(directory)).parent
    for file in directory.iterdir():  # nobody was left to do it
        file.unlink()
    directory.rmdir()


def test_interrupted_demo_cleans_up():
    process = subprocess.Popen([NITROPROXY, "demo", "--local"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    wait_for(lambda: len(children_of(process.pid)) == 3)
    children = children_of(process.pid)
    cmdline = pathlib.Path(f"/proc/{children[0]}/cmdline")
    wait_for(lambda: b"unix:" in cmdline.read_bytes())
    socket = next(a for a in cmdline.read_bytes().split(b"\0") if b"unix:" in a)
    process.send_signal(signal.SIGINT)
    assert process.wait(30) == 2
    assert all(gone(pid) for pid in children)
    assert not pathlib.Path(os.fsdecode(socket.split(b"unix:")[1])).parent.exists()


def test_nothing_to_check():
    result = demo("--proxy", "http://127.0.0.1:1")
    assert result.returncode == 2
    assert "http://127.0.0.1:1 is not reached" in result.stderr and "--proxy" in result.stderr


@pytest.mark.parametrize("args, says", [(["--report", "r.pdf"], ".html"), (["--proxy", "nonsense:x:y"], "nonsense"),
                                        (["--endpoint", "ftp://x"], "https://"), (["--locla"], "--local")])
def test_wrong_arguments(args, says):
    result = demo(*args)
    assert result.returncode == 2 and says in result.stderr


def serve(ca):
    process = Process("origin", [NITROPROXY, "demo", "--serve-origin", "tcp:127.0.0.1:0", "--origin-ca", ca])
    return process, int(process.wait_line(r"https://localhost:(\d+) is up").group(1))


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    """--serve-origin: (port, file of its CA)."""
    ca = tmp_path_factory.mktemp("served") / "ca.pem"
    process, port = serve(ca)
    yield port, ca
    process.signal(signal.SIGTERM)
    assert process.wait() == 0


@pytest.fixture
def stranger(tmp_path):
    """The port of an origin whose CA nobody knows."""
    process, port = serve(tmp_path / "ca.pem")
    yield port
    process.signal(signal.SIGTERM)
    assert process.wait() == 0


def test_served_origin(served):
    port, ca = served
    context = ssl.create_default_context(cafile=ca)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    with urllib.request.urlopen(f"https://localhost:{port}/get?a=1", context=context) as answer:
        assert json.load(answer)["args"] == {"a": "1"}
    request = urllib.request.Request(f"https://127.0.0.1:{port}/post", data=b'{"b": 2}')
    with urllib.request.urlopen(request, context=context) as answer:
        assert json.load(answer)["json"] == {"b": 2}


def test_chain_of_ones_own(served, stranger, start_chain, tmp_path):
    """Against proxies that run already: what was not told is not claimed, and the rest passes."""
    port, ca = served
    chain = start_chain(enclave={"ca_file": str(ca)})
    report = tmp_path / "r.json"
    result = demo("--proxy", f"http://127.0.0.1:{chain.front.port}", "--endpoint", f"https://localhost:{port}",
                  "--ca-file", ca, "--refused-endpoint", f"https://localhost:{stranger}/get", "--report", report,
                  "--demo-concurrent-requests", 3)
    assert result.returncode == 0, result.stdout
    told = json.loads(report.read_text())
    assert not told["traced"] and not told["local"] and told["tls"]["enclave"] is None
    assert "only with the setting trace" in result.stdout
    first = told["checks"][0]["stages_ms"]
    assert first["tunnel"] == first["tls"] == 0 and first["proxy"] > 0


def test_failures_name_hop_and_remedy(served, start_chain, tmp_path):
    port, _ = served
    chain = start_chain(enclave={"policy_deny": [f"localhost:{port}/post"]})
    report = tmp_path / "r.json"
    result = demo("--proxy", f"http://127.0.0.1:{chain.front.port}", "--endpoint", f"https://localhost:{port}",
                  "--refused-endpoint", f"https://localhost:{port}", "--report", report)
    assert result.returncode == 1
    checks = {c["id"]: c for c in json.loads(report.read_text())["checks"]}
    assert (checks["get"]["hop"], checks["get"]["verdict"]) == ("service", "failed")
    assert "tls.ca_file" in checks["get"]["remedy"]
    assert checks["post"]["hop"] == "enclave" and "policy.allow" in checks["post"]["remedy"]
    assert "--ca-file" in checks["connect"]["remedy"]
    assert checks["certificate"]["verdict"] == "passed"


def test_certificates_believed_is_a_failure(served, start_chain, tmp_path):
    port, ca = served
    chain = start_chain(enclave={"tls_verify_certificates": "false", "trace": "true"}, host={"trace": "true"})
    report = tmp_path / "r.json"
    result = demo("--proxy", f"http://127.0.0.1:{chain.front.port}", "--endpoint", f"https://localhost:{port}",
                  "--ca-file", ca, "--refused-endpoint", f"https://localhost:{port}/get",
                  "--denied-endpoint", f"https://localhost:{port}/get", "--report", report)
    assert result.returncode == 1
    checks = {c["id"]: c for c in json.loads(report.read_text())["checks"]}
    assert json.loads(report.read_text())["tls"]["enclave"]["verified"] is False
    assert checks["certificate"]["verdict"] == "failed" and "verify_certificates" in checks["certificate"]["remedy"]
    assert checks["denied"]["verdict"] == "failed" and "policy.allow" in checks["denied"]["remedy"]


@pytest.fixture
def foreign(pki):
    """A service that echoes as httpbin does, and is not ours."""
    def answer(connection, document):
        connection.reply(200, [("Content-Type", "application/json")], json.dumps(document).encode())

    def fields(request):
        return {n.decode(): v.decode() for n, v in request.fields}

    def post(connection, request):
        text = connection.read_body().decode()
        document = json.loads(text) if request.get("Content-Type") == "application/json" else None
        answer(connection, {"data": text, "json": document})

    def delayed(connection, _):
        time.sleep(1)
        answer(connection, {})

    service = Origin(tls_context(pki.good))
    service.handle("/get", lambda c, r: answer(c, {"url": "x"}))
    service.handle("/post", post)
    service.handle("/headers", lambda c, r: answer(c, {"headers": fields(r)}))
    service.handle("/delay/1", delayed)
    service.handle("/v1/me", lambda c, r: answer(c, {"name": "Ada"}))
    service.answer, service.fields = answer, fields
    yield service
    service.close()


def check_foreign(chain, foreign, report, *args):
    result = demo("--proxy", f"http://127.0.0.1:{chain.front.port}", "--endpoint", foreign.url,
                  "--endpoint", f"{foreign.url}/v1/me", "--report", report, *args)
    return result, {c["id"]: c for c in json.loads(report.read_text())["checks"]}


def test_other_peoples_service(foreign, stranger, start_chain, pki, tmp_path):
    result, checks = check_foreign(start_chain(), foreign, tmp_path / "r.json", "--ca-file", pki.root_file,
                                   "--refused-endpoint", f"https://localhost:{stranger}")
    assert result.returncode == 0, result.stdout
    assert checks["lookup"]["detail"] == 'the answer\'s "name" is "Ada"'
    assert checks["download"]["bytes"] == 102400 and "twice" in checks["download"]["detail"]
    assert len(foreign.seen(f"{foreign.url}/get")) < 60, "it was hammered"
    assert any(r.get("Transfer-Encoding") == "chunked" for r in foreign.seen(f"{foreign.url}/post"))


def test_service_that_answers_wrongly(foreign, start_chain, tmp_path):
    """Each answer is looked at, not only its status."""
    foreign.handle("/headers", lambda c, r: foreign.answer(
        c, {"headers": {**foreign.fields(r), "X-Demo-Long": "0123"}}))
    foreign.handle("/post", lambda c, r: (c.read_body(), foreign.answer(c, {"data": "other", "json": {"answer": 41}})))
    foreign.handle("/get", lambda c, r: c.reply(200, [], b"[1]"))
    foreign.handle("/v1/me", lambda c, r: foreign.answer(c, {"nothing": "known"}))
    foreign.handle("/delay/1", lambda c, r: c.reply(500, [], b""))
    result, checks = check_foreign(start_chain(), foreign, tmp_path / "r.json", "--demo-refused-endpoints=")
    assert result.returncode == 1
    for name in ("get", "post", "headers", "lookup", "concurrent", "upload", "chunked"):
        assert checks[name]["verdict"] == "failed" and checks[name]["remedy"], name
    assert "X-Demo-Long" in checks["headers"]["detail"]
    assert checks["concurrent"]["hop"] == "service" and "500" in checks["concurrent"]["detail"]


def in_terminal(*args, **env):
    """Standard output and error on a terminal: what stands there in the end."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen([NITROPROXY, "demo", *args], stdout=theirs, stderr=theirs, stdin=subprocess.DEVNULL,
                               env={**os.environ, **env})
    os.close(theirs)
    seen = b""
    while True:
        try:
            seen += os.read(ours, 65536)
        except OSError:  # the other end is closed
            break
    os.close(ours)
    return process.wait(60), seen.decode()


def test_terminal_has_progress_and_colour():
    status, seen = in_terminal("--local", NO_COLOR="")
    assert status == 0, seen
    assert "\r\033[K  1/13  GET" in seen and "\r\033[K  13/13  " in seen
    assert "\033[32mpass\033[0m" in seen
    assert seen.rindex("\033[K") < seen.index("nitroproxy "), "the progress line is cleared before the report"


def test_no_color_is_honoured(served, start_chain):
    port, _ = served
    chain = start_chain()
    status, seen = in_terminal("--proxy", f"http://127.0.0.1:{chain.front.port}", "--endpoint",
                               f"https://localhost:{port}", NO_COLOR="1")
    assert status == 1 and "FAIL" in seen
    assert not re.search(r"\033\[\d*m", seen)


def test_trace_is_told_only_where_it_is_set(served, start_chain):
    port, ca = served
    headers = {"X-Nitroproxy-Trace": "1"}

    def ask(chain):
        url = f"http://127.0.0.1:{chain.front.port}/https://localhost:{port}/headers"
        with urllib.request.urlopen(urllib.request.Request(url, headers=headers)) as answer:
            return answer.headers, json.load(answer)["headers"]

    off = start_chain(enclave={"ca_file": str(ca)})
    fields, seen = ask(off)
    assert "Server-Timing" not in fields and "X-Nitroproxy-TLS" not in fields
    assert not any(name.lower() == "x-nitroproxy-trace" for name in seen)
    off.stop()

    on = start_chain(enclave={"ca_file": str(ca), "trace": "true"}, host={"trace": "true"})
    fields, seen = ask(on)
    assert not any(name.lower() == "x-nitroproxy-trace" for name in seen)
    timing = ", ".join(fields.get_all("Server-Timing"))
    assert re.findall(r"(\w+);dur=", timing) == ["enclave", "tunnel", "tls", "service", "host"]
    assert fields["X-Nitroproxy-TLS"].startswith("TLSv1.3; cipher=")
    fields, _ = ask(on)  # on the pooled connection
    assert re.findall(r"(\w+);dur=", ", ".join(fields.get_all("Server-Timing"))) == ["enclave", "service", "host"]
