"""Machines for the enclave: QEMU's nitro-enclave machine, User-Mode Linux, and the vsock between them."""
import ctypes
import json
import mmap
import os
import pathlib
import shutil
import socket
import subprocess
import tempfile
import threading
import time

from harness.chain import NITROPROXY, flags
from harness.client import Front
from harness.process import Process

TREE = pathlib.Path(__file__).parents[2]
VM = pathlib.Path(os.environ.get("NITROPROXY_VM") or
                  pathlib.Path(os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache") / "nitroproxy" / "vm")
STATIC = os.environ.get("NP_STATIC", "")  # the binary that the image gets
VSOCKD = os.environ.get("NP_VSOCKD", "")
GUEST = pathlib.Path(os.environ.get("NP_GUEST", ""))  # where the programs are that only run inside
PARENT, ENCLAVE = 3, 16  # CIDs

HOW = "./packaging/deps.sh --enclave-tests installs or builds it"


def missing(*names):
    """Why a test cannot run, or None."""
    for name in names:
        if not (VM / name).exists():
            return f"no {VM / name}: {HOW}"
    if not pathlib.Path(STATIC).is_file():
        return f"no static nitroproxy ({STATIC or 'NP_STATIC'}): cmake --preset static && cmake --build --preset static"
    return None


# ---- vsock --------------------------------------------------------------------------------------------------------

class Vsockd(Process):
    """The device behind the guests' vsock; guests: CID -> the unix socket that stands for this machine, or None."""

    def __init__(self, directory, guests):
        self.directory = directory
        argv = [VSOCKD, "-v"]
        for cid, uds in guests.items():
            argv += ["--guest", f"cid={cid},socket={self.control(cid)}" + (f",uds={uds}" if uds else "")]
        super().__init__("vsockd", argv)
        for cid in guests:
            wait_for(self.control(cid).exists, "vsockd listens")

    def control(self, cid):
        return self.directory / f"c{cid}"


class VhostDeviceVsock(Process):
    """
    The same by rust-vmm's back-end: somebody else's reading of the specification. What it has not: CID 3 as this
    machine, half-closed streams, resets, and packets above 32 KiB, which its buffer size keeps the guest from sending.
    """

    def __init__(self, directory, guests):
        self.directory = directory
        argv = [VM / "vhost-device-vsock"]
        for cid, uds in guests.items():
            argv += ["--vm", f"guest-cid={cid},uds-path={uds},socket={self.control(cid)},tx-buffer-size=32768"]
        super().__init__("vhost-device-vsock", argv)
        for cid in guests:
            wait_for(self.control(cid).exists, "vhost-device-vsock listens")

    def control(self, cid):
        return self.directory / f"c{cid}"

    def stop(self):
        self.kill()


def wait_for(condition, what, timeout=20):
    event = threading.Event()
    for _ in range(int(timeout / 0.01)):
        if condition():
            return
        event.wait(0.01)
    raise AssertionError(f"in vain: {what}")


class Heartbeat:
    """What nitro-cli does behind run-enclave: takes B7 on port 9000 and gives it back."""

    def __init__(self, uds):
        self.beats = []
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(f"{uds}_9000")
        self._listener.listen(8)
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        while True:
            try:
                beat, _ = self._listener.accept()
            except OSError:
                return
            with beat:
                byte = beat.recv(16)
                self.beats.append(byte)
                beat.sendall(byte)

    def close(self):
        self._listener.close()


# ---- the emulated enclave -----------------------------------------------------------------------------------------

def enclave_config(**enclave):
    """The shipped configuration of the image, with settings of its enclave section changed."""
    text = (TREE / "config" / "enclave.json").read_text()
    config = json.loads("\n".join(line for line in text.splitlines() if not line.strip().startswith("//")))
    config["enclave"].update(enclave)
    return config


def build_image(directory, config, ca_file, app=None, options=(), kernel=("--kernel", VM / "bzImage")):
    """packaging/eif/build.sh; the image and its measurements."""
    work = pathlib.Path(tempfile.mkdtemp(dir=directory))
    (work / "config.json").write_text(json.dumps(config))
    argv = [TREE / "packaging/eif/build.sh", "--binary", STATIC, *kernel,
            "--config", work / "config.json", "--ca-file", ca_file, "--output", work / "enclave.eif"]
    if app:
        argv += ["--app", app]
    if options:
        argv += ["--", *options]
    done = subprocess.run(list(map(str, argv)), check=True, capture_output=True, text=True)
    return work / "enclave.eif", json.loads(done.stdout)["Measurements"]


def app_directory(directory):
    """A file system with the tests' programs for the guest in it."""
    root = pathlib.Path(tempfile.mkdtemp(dir=directory))
    (root / "bin").mkdir()
    for name in ("app", "ptp", "aws_init"):
        shutil.copy(GUEST / f"enclave_{name}", root / "bin" / name)
    return root


def tsc_khz():
    """How fast the CPU counts its cycles (rdtsc), by the clock."""
    code = mmap.mmap(-1, mmap.PAGESIZE, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
    code.write(bytes.fromhex("0f31 48c1e220 4809d0 c3"))  # rdtsc; shl rdx, 32; or rax, rdx; ret
    rdtsc = ctypes.CFUNCTYPE(ctypes.c_uint64)(ctypes.addressof(ctypes.c_char.from_buffer(code)))
    cycles, began = rdtsc(), time.monotonic_ns()
    time.sleep(0.05)
    return (rdtsc() - cycles) * 1_000_000 // (time.monotonic_ns() - began)


class Qemu(Process):
    """
    An image in QEMU's nitro-enclave machine, emulated: no KVM needed. Its console is the log.

    On a busy machine the emulator runs when it is let, and a kernel that tests its timers against each other finds
    them broken: it panics or, without the old timer (acpi), tries for ever. So it is told not to, and how fast the
    CPU counts. What QEMU adds to the kernel's command line is not measured.

    acpi: for Debian's kernels, which find no virtio device otherwise.
    append: more for the kernel's command line.
    """

    def __init__(self, image, control, memory=128, options=(), acpi=False, append=""):
        machine = "nitro-enclave,vsock=c,id=i-0abcdef-enc0123456789" + (",acpi=on" if acpi else "")
        words = f"no_timer_check tsc_early_khz={tsc_khz()} tsc=reliable {append}"
        super().__init__("enclave", [
            VM / "qemu-nitro", "-L", "/usr/share/qemu", "-L", "/usr/share/seabios",
            "-M", machine, "-accel", "tcg", "-cpu", "max", "-smp", "1",
            "-m", f"{memory}M", "-display", "none", "-nodefaults", "-no-user-config", "-serial", "stdio", "-no-reboot",
            "-chardev", f"socket,id=c,path={control}", "-kernel", image, "-append", words.strip(), *options])


# ---- User-Mode Linux ----------------------------------------------------------------------------------------------

class Uml(Process):
    """
    A Linux kernel as a process whose root file system is this machine's: a test inside sees what a test outside
    sees, but has vsock of its own. command runs as a child of PID 1 (inside.py) and its status is the result.
    """

    LOADER = b"/lib64/ld-linux-x86-64.so.2\0"

    def __init__(self, directory, name, command, control=None, memory=512, env=None):
        self.status_file = directory / f"{name}.status"
        script = directory / f"{name}.sh"
        environment = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "PYTHONDONTWRITEBYTECODE": "1", **(env or {})}
        exports = "".join(f"export {k}='{v}'\n" for k, v in environment.items())
        script.write_text(f"#!/bin/sh\n{exports}exec {TREE}/tests/enclave/inside.py {VM}/uml "
                          f"{self.status_file} {' '.join(map(str, command))}\n")
        script.chmod(0o755)
        argv = [self.prepare(directory), f"mem={memory}M", "rootfstype=hostfs", "rw", f"init={script}",
                f"uml_dir={directory}/uml", f"umid={name}", "con0=null,fd:1", "con=null", "quiet"]
        if control:
            argv.append(f"virtio_uml.device={control}:19")
        super().__init__(f"uml {name}", argv, env={"LD_LIBRARY_PATH": str(self.library), "HOME": str(directory)})

    def prepare(self, directory):
        """
        linux.uml wants a newer C library than this machine may have. It must be started as a program, not through
        the loader, so its loader's path is overwritten in a copy, which leaves room for 27 bytes: hence /tmp itself.
        """
        self.library = pathlib.Path(tempfile.mkdtemp(prefix="u", dir="/tmp"))
        for name in ("ld.so", "libc.so.6"):
            (self.library / name).symlink_to(VM / "uml" / name)
        path = f"{self.library}/ld.so".encode()
        assert len(path) < len(self.LOADER), path
        program = (VM / "uml" / "linux").read_bytes()
        assert program.count(self.LOADER) == 1
        copy = directory / "linux"
        if not copy.exists():
            copy.write_bytes(program.replace(self.LOADER, path.ljust(len(self.LOADER), b"\0")))
            copy.chmod(0o755)
        return copy

    def result(self, timeout=120):
        """The command's exit status; UML's own says nothing."""
        try:
            self.popen.wait(timeout)
        except subprocess.TimeoutExpired:
            self.kill()
        shutil.rmtree(self.library)
        assert self.status_file.exists(), f"{self.name} did not get through:\n{self.tail(80)}"
        return int(self.status_file.read_text())


# ---- all of it ----------------------------------------------------------------------------------------------------

class EmulatedChain:
    """host and tunnel on this machine, the enclave in QEMU; hybrid vsock between them."""

    def __init__(self, directory, image, cid=ENCLAVE, start=True, tunnel=None, host=None, backend=Vsockd, **qemu):
        self.directory, self.image, self.backend, self.qemu = directory, image, backend, qemu
        self.uds = directory / "v"
        self.tunnel = self.host = None
        self.tunnel_settings = {"listen": f"hybrid:{self.uds}:5001", "allow_cidr": "127.0.0.0/8", **(tunnel or {})}
        self.host_settings = {"port": 0, "enclave": f"hybrid:{self.uds}:5000", **(host or {})}
        self.heartbeat = Heartbeat(self.uds)
        self.start_enclave(cid)
        if start:
            self.start_host()

    def start_enclave(self, cid=ENCLAVE):
        self.vsockd = self.backend(self.directory, {cid: self.uds})
        self.enclave = Qemu(self.image, self.vsockd.control(cid), **self.qemu)

    def start_host(self):
        self.tunnel = Process("tunnel", [NITROPROXY, "tunnel", *flags(self.tunnel_settings)])
        self.tunnel.wait_line("msg=ready")
        self.host = Process("host", [NITROPROXY, "host", *flags(self.host_settings)])
        self.host.wait_line("msg=ready")
        self.front = Front(int(self.host.wait_line(r"what=http address=tcp:127\.0\.0\.1:(\d+)").group(1)))

    def wait_ready(self, timeout=240):
        self.enclave.wait_line(r"role=enclave msg=ready", timeout)

    def stop_enclave(self):
        self.enclave.kill()
        self.vsockd.stop()

    def stop(self):
        self.heartbeat.close()
        if self.host:
            self.host.stop()
        self.stop_enclave()
        if self.tunnel:
            self.tunnel.stop()
