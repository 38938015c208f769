"""deploy.sh and enclave-life on an instance that is made of a directory and of stand-ins for nitro-cli and
systemctl, which write down how they were called.  The binary, its settings and its /health are real."""
import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest

TESTS = Path(os.environ.get("NP_TESTS", Path(__file__).parent.parent))
PACKAGING = TESTS.parent / "packaging"
NITROPROXY = os.environ["NITROPROXY"]

SYSTEMCTL = """#!/bin/sh
case "$*" in *is-active*|*is-enabled*) eval "unit=\\${$#}"; grep -qx "$unit" "$STUBS/active"; exit ;; esac
echo "systemctl $*" >>"$STUBS/calls"
case "$*" in "$(cat "$STUBS/fail")") exit 1 ;; esac
"""
RECORD = '#!/bin/sh\necho "${0##*/} $*" >>"$STUBS/calls"\n'
NITRO_CLI = """#!/bin/sh
echo "nitro-cli $*" >>"$STUBS/calls"
case $1 in
run-enclave) touch "$STUBS/running" ;;
terminate-enclave) rm -f "$STUBS/running" ;;
describe-enclaves)
	echo '['
	echo '  {
    "EnclaveName": "another",
    "EnclaveID": "i-1-enc1",
    "EnclaveCID": 99,
    "State": "RUNNING"
  }'
	if [ -e "$STUBS/running" ]; then echo '  ,{
    "EnclaveName": "nitroproxy",
    "EnclaveID": "i-1-enc2",
    "EnclaveCID": 20,
    "State": "RUNNING",
    "Flags": "NONE"
  }'; fi
	echo ']' ;;
esac
"""


class Instance:
    def __init__(self, base):
        self.base, self.root, self.build, self.stubs = base, base / "root", base / "build", base / "stubs"
        for directory in (self.root / "dev", self.root / "sys/fs/cgroup/memory", self.root / "etc/nitro_enclaves",
                          self.build, self.stubs):
            directory.mkdir(parents=True)
        (self.root / "dev/nitro_enclaves").touch()
        self.allocator = self.root / "etc/nitro_enclaves/allocator.yaml"
        self.allocator.write_text("---\n# ours\nmemory_mib: 512\ncpu_count: 2\n")
        for name, text in (("systemctl", SYSTEMCTL), ("nitro-cli", NITRO_CLI), ("systemd-sysusers", RECORD),
                           ("systemd-tmpfiles", RECORD)):
            (self.stubs / name).write_text(text)
            (self.stubs / name).chmod(0o755)
        for name in ("active", "fail", "calls"):
            (self.stubs / name).touch()
        shutil.copy(NITROPROXY, self.build / "nitroproxy")
        for name in ("systemd", "logrotate"):
            shutil.copytree(PACKAGING / name, self.build / name)
        shutil.copy(PACKAGING / "deploy.sh", self.build)
        (self.build / "nitroproxy.eif").write_bytes(b"x" * 4096)
        self.configure()
        self.processes = []

    def configure(self, cid=20, memory=1024, ingress=""):
        (self.build / "config.json").write_text(
            '{"enclave": {"cid": %d, "memory_mb": %d, "cpu_count": 4}, "ingress": {"listen": "%s"},\n'
            ' "host_proxy": {"listen": "unix:%s/host.sock", "enclave": "unix:%s/enclave.sock"}}\n'
            % (cid, memory, ingress, self.base, self.base))

    def environment(self):
        clean = {k: v for k, v in os.environ.items() if not k.startswith("NITROPROXY")}
        return {**clean, "PATH": f"{self.stubs}:{os.environ['PATH']}", "STUBS": str(self.stubs)}

    def deploy(self, *args):
        (self.stubs / "calls").write_text("")
        return subprocess.run([self.build / "deploy.sh", "--root", self.root, *args], env=self.environment(),
                              capture_output=True, text=True, timeout=120)

    def calls(self):
        return (self.stubs / "calls").read_text().splitlines()

    def files(self):
        return {p.relative_to(self.root): (p.read_bytes(), p.stat().st_mode) for p in self.root.rglob("*") if p.is_file()}

    def start(self):
        """Tunnel, enclave and host for real: what the units would have started."""
        s = self.base
        for role, *args in (("tunnel", "--listen", f"unix:{s}/tunnel.sock"),
                            ("enclave", "--listen", f"unix:{s}/enclave.sock", "--tunnel", f"unix:{s}/tunnel.sock"),
                            ("host", "--config", self.build / "config.json")):
            log = open(s / f"{role}.log", "wb")
            self.processes.append(subprocess.Popen([NITROPROXY, role, *args], stdout=log, stderr=log,
                                                   env=self.environment()))

    def stop(self):
        for process in self.processes:
            process.terminate()
        for process in self.processes:
            process.wait(timeout=20)


@pytest.fixture
def instance(tmp_path_factory):
    it = Instance(tmp_path_factory.mktemp("d"))
    yield it
    it.stop()


def test_dry_run_tells_all_and_does_nothing(instance):
    before = instance.files()
    run = instance.deploy("--dry-run")
    assert run.returncode == 0, run.stderr
    assert instance.files() == before
    assert all(call.startswith("systemctl cat") for call in instance.calls())
    for step in ("/usr/bin/nitroproxy", "config.json", "nitroproxy.eif", "restart nitro-enclaves-allocator.service",
                 "start nitroproxy-enclave.service", "host --health", "dry run: nothing was changed"):
        assert step in run.stdout


def test_an_ingress_gets_its_socket(instance):
    instance.configure(ingress="tcp:*:8443")
    run = instance.deploy("--dry-run")
    assert run.returncode == 0, run.stderr
    assert "/etc/systemd/system/nitroproxy-ingress.socket.d/listen.conf\n" in run.stdout
    steps = [line.strip() for line in run.stdout.splitlines() if "systemctl" in line]
    assert any("enable" in step and "nitroproxy-ingress.socket" in step for step in steps)
    assert any("restart" in step and "nitroproxy-ingress.socket" in step for step in steps)


def test_deploys_and_changes_nothing_the_second_time(instance):
    instance.start()
    run = instance.deploy("--wait", "20")
    assert run.returncode == 0, run.stdout + run.stderr
    assert '"status":"ok"' in run.stdout
    assert instance.allocator.read_text() == "---\n# ours\nmemory_mib: 1024\ncpu_count: 4\n"
    root = instance.root
    assert (root / "usr/bin/nitroproxy").stat().st_mode & 0o777 == 0o755
    assert (root / "etc/nitroproxy/config.json").stat().st_mode & 0o777 == 0o640
    assert (root / "var/lib/nitroproxy/nitroproxy.eif").stat().st_size == 4096
    drop_ins = root / "etc/systemd/system"
    assert f"ListenStream={instance.base}/host.sock\n" in (drop_ins / "nitroproxy-host.socket.d/listen.conf").read_text()
    assert "ListenStream=vsock::5001\n" in (drop_ins / "nitroproxy-tunnel.socket.d/listen.conf").read_text()
    calls = instance.calls()
    order = ["systemctl stop nitroproxy-enclave.service", "systemctl restart nitro-enclaves-allocator.service",
             "systemd-sysusers nitroproxy.conf", "systemctl daemon-reload", "systemctl start nitroproxy-tunnel.service",
             "systemctl start nitroproxy-enclave.service", "systemctl start nitroproxy-host.service"]
    assert [c for c in calls if c in order] == order

    before = instance.files()
    run = instance.deploy("--wait", "20")
    assert run.returncode == 0, run.stdout + run.stderr
    assert instance.files() == before
    assert "systemctl restart nitro-enclaves-allocator.service" not in instance.calls()


@pytest.mark.parametrize("spoil,says", [
    (lambda i: (i.root / "dev/nitro_enclaves").unlink(), "--enclave-options Enabled=true"),
    (lambda i: i.configure(cid=3), "0 to 3 have fixed meanings"),
    (lambda i: (i.build / "nitroproxy.eif").write_bytes(bytes(300 << 20)), "wants that much"),
    (lambda i: (i.build / "nitroproxy.eif").unlink(), "the enclave's image"),
    (lambda i: (i.build / "SHA256SUMS").write_text("0" * 64 + "  deploy.sh\n"), "sha256sum -c"),
    (lambda i: (i.stubs / "fail").write_text("cat nitro-enclaves-allocator.service"), "aws-nitro-enclaves-cli"),
])
def test_refuses_an_instance_that_cannot(instance, spoil, says):
    spoil(instance)
    before = instance.files()
    run = instance.deploy()
    assert run.returncode == 1
    assert says in run.stderr
    assert instance.files() == before


@pytest.mark.parametrize("fail", ["", "start nitroproxy-enclave.service"])
def test_goes_back_when_a_step_fails(instance, fail):
    old = instance.root / "usr/bin/nitroproxy"
    old.parent.mkdir(parents=True)
    old.write_text("the version before")
    (instance.stubs / "active").write_text("nitroproxy-host.service\n")
    (instance.stubs / "fail").write_text(fail)  # or nothing listens, so /health fails
    before = instance.files()
    run = instance.deploy("--wait", "1")
    assert run.returncode == 1
    assert instance.files() == before
    calls = instance.calls()
    assert "systemctl start nitroproxy-enclave.service" in calls  # it got that far
    back = calls.index("systemctl stop nitroproxy-enclave.service nitroproxy-host.service nitroproxy-host.socket "
                       "nitroproxy-tunnel.service nitroproxy-tunnel.socket")
    assert calls[back + 1:back + 4] == ["systemctl daemon-reload", "systemctl restart nitro-enclaves-allocator.service",
                                        "systemctl enable nitroproxy-host.service"]
    assert calls[-1] == "systemctl start nitroproxy-host.service"
    assert "systemctl disable nitroproxy-enclave.service" in calls


@pytest.fixture
def life(instance):
    (instance.stubs / "nitroproxy").symlink_to(NITROPROXY)
    process = subprocess.Popen([PACKAGING / "systemd/enclave-life", "image.eif", instance.build / "config.json"],
                               env={**instance.environment(), "ENCLAVE_LIFE_PERIOD": "0.2"}, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 20
    while not (instance.stubs / "running").exists() and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.05)
    yield process
    if process.poll() is None:
        process.kill()
    process.wait()


RUN = "nitro-cli run-enclave --eif-path image.eif --enclave-name nitroproxy --enclave-cid 20 --memory 1024 --cpu-count 4"


def test_the_enclave_is_terminated_with_its_unit(instance, life):
    assert RUN in instance.calls()
    life.send_signal(signal.SIGTERM)
    assert life.wait(timeout=20) == 0
    assert instance.calls()[-1] == "nitro-cli terminate-enclave --enclave-id i-1-enc2"


def test_an_enclave_that_is_gone_ends_its_unit(instance, life):
    (instance.stubs / "running").unlink()
    assert life.wait(timeout=20) == 1
    assert "the enclave is gone" in life.stderr.read()
    assert not any("i-1-enc1" in call for call in instance.calls())  # somebody else's
