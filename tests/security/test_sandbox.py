"""The sandbox of each role as the kernel sees it, and every path through a role that might be stopped by it."""
import json
import re
import signal

import pytest
from harness.chain import NITROPROXY, flags, is_sanitized
from harness.client import Front
from harness.origin import pattern
from harness.process import Process
from harness.until import wait_until

ROLES = ("host", "enclave", "tunnel")

pytestmark = pytest.mark.skipif(not NITROPROXY or is_sanitized(NITROPROXY),
                                reason="a sanitizer's own calls cannot be let through: run it on a release build")


def kernel_says(process):
    with open(f"/proc/{process.pid}/status") as status:
        return dict(re.findall(r"(?m)^(\w+):\s*(.*)$", status.read()))


def test_every_role_is_confined(chain):
    for role in ROLES:
        process = chain.processes[role]
        status = kernel_says(process)
        assert status["Seccomp"] == "2"
        assert status["NoNewPrivs"] == "1"
        limits = open(f"/proc/{process.pid}/limits").read()
        assert re.search(r"Max core file size\s+0\s+0", limits)
        assert process.matching("msg=sandbox mode=enforce")


def test_health_tells(chain):
    host = json.loads(chain.front.get("/health").body)
    for document in (host, host["hops"]["enclave"]["detail"]):
        assert document["security"]["sandbox"]["mode"] == "enforce"
    locked = kernel_says(chain.enclave)["VmLck"] != "0 kB"
    assert host["hops"]["enclave"]["detail"]["security"]["sandbox"]["memory_locked"] == locked


@pytest.mark.parametrize("mode", ["log", "off"])
def test_it_can_be_switched_off_and_says_so(start_chain, origin, mode):
    chain = start_chain(**{role: {"sandbox": mode} for role in ROLES})
    assert chain.front.get(f"{origin.url}/bytes/7").status == 200
    for role in ROLES:
        assert kernel_says(chain.processes[role])["Seccomp"] == ("2" if mode == "log" else "0")
        assert chain.processes[role].matching(f'warn .*sandbox is {mode}')
    assert json.loads(chain.front.get("/health").body)["security"]["sandbox"]["mode"] == mode


def test_logs_rotate_and_are_reopened(start_chain, origin, tmp_path):
    """Renaming, truncating and opening happen within the sandbox."""
    files = {role: tmp_path / role / "log" for role in ROLES}
    for file in files.values():
        file.parent.mkdir()
    chain = start_chain(start=False, **{role: {"logging_file": file, "logging_max_size": "4KB",
                                               "logging_backup_count": "2"} for role, file in files.items()})
    chain.settings["enclave"]["limits_pool_idle"] = 0  # so that the tunnel has something to tell
    for role in ("tunnel", "enclave", "host"):
        chain.processes[role] = Process(role, [NITROPROXY, role, *flags(chain.settings[role])])
        wait_until(lambda f=files[role]: f.exists() and "msg=ready" in f.read_text(), f"{role} is not ready")
    port = re.search(r"what=http address=tcp:127.0.0.1:(\d+)", files["host"].read_text()).group(1)
    chain.front = Front(int(port))
    for _ in range(60):
        assert chain.front.get(f"{origin.url}/bytes/7", [("Connection", "close")]).status == 200
    for role in ROLES:
        wait_until(lambda f=files[role]: f.with_name("log.2").exists(), f"{role} did not rotate")
        assert files[role].stat().st_size <= 4096
        files[role].rename(files[role].with_name("moved"))
        chain.processes[role].signal(signal.SIGUSR1)
        wait_until(files[role].exists, f"{role} did not open its log again")
    assert chain.front.get(f"{origin.url}/bytes/7").status == 200


def test_names_that_do_and_do_not_exist(start_chain, origin):
    """The resolver's files, sockets and modules, in its threads."""
    chain = start_chain(tunnel={"timeouts_dns": "2s"}, enclave={"timeouts_tunnel_connect": "4s"})
    for name in ("localhost", "does-not-exist.invalid", "does-not-exist", "other.localhost"):
        answer = chain.inner.get(f"https://{name}:{origin.port}/bytes/7")
        assert answer.status in (200, 502, 504)
    assert chain.front.get(f"{origin.url}/bytes/7").status == 200


def test_next_hops_by_name(start_chain, origin, workdir):
    """A role that has to look up where the next one is has the resolver too."""
    chain = start_chain(start=False, tunnel={"listen": "tcp:127.0.0.1:0"}, enclave={"listen": "tcp:127.0.0.1:0"})
    tunnel = chain.start("tunnel").wait_line(r"what=tunnel address=tcp:127\.0\.0\.1:(\d+)").group(1)
    chain.settings["enclave"]["tunnel"] = f"tcp:localhost:{tunnel}"
    frames = chain.start("enclave").wait_line(r"what=frames address=tcp:127\.0\.0\.1:(\d+)").group(1)
    chain.settings["host"]["enclave"] = f"tcp:localhost:{frames}"
    chain.start("host")
    assert chain.front.get(f"{origin.url}/bytes/70000").body == pattern(70000)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_ends_in_order(start_chain, origin, number):
    chain = start_chain()
    assert chain.front.get(f"{origin.url}/bytes/7").status == 200
    for role in ROLES:
        chain.processes[role].signal(number)
        assert chain.processes[role].wait() == 0
