"""tunnel, enclave and host of one test, joined by unix sockets, with TCP ports that the kernel chose."""
import os
import pathlib

from .client import Front
from .process import Process

NITROPROXY = os.environ.get("NITROPROXY")


def is_sanitized(binary):
    content = pathlib.Path(binary).read_bytes()
    return b"__asan_init" in content or b"__tsan_init" in content


def flags(settings):
    """{"timeouts_drain": "1s"} -> ["--timeouts-drain=1s"]; a list gives the flag once an item."""
    out = []
    for key, value in settings.items():
        for item in value if isinstance(value, (list, tuple)) else [value]:
            out.append(f"--{key.replace('_', '-')}={item}")
    return out


class Chain:
    """tunnel, enclave, host: the settings of each beside those that every test needs."""

    def __init__(self, directory, pki, tunnel=None, enclave=None, host=None, binary=NITROPROXY, start=True):
        self.binary = binary
        self.sockets = {role: f"unix:{directory}/{role}.sock" for role in ("tunnel", "enclave")}
        self.settings = {
            "tunnel": {"listen": self.sockets["tunnel"], "allow_cidr": ["127.0.0.0/8", "::1/128"], **(tunnel or {})},
            "enclave": {"listen": self.sockets["enclave"], "http_listen": "tcp:127.0.0.1:0",
                        "tunnel": self.sockets["tunnel"], "ca_file": pki.root_file, **(enclave or {})},
            "host": {"port": 0, "enclave": self.sockets["enclave"], **(host or {})},
        }
        for settings in self.settings.values():
            settings.setdefault("workers", 1)  # whatever machine the tests run on
        self.processes = {}
        if start:
            for role in self.settings:
                self.start(role)

    def command(self, role):
        return [self.binary, role, *flags(self.settings[role])]

    def start(self, role, **how):
        """Returns when the role says that it is ready."""
        process = Process(role, self.command(role), **how)
        self.processes[role] = process
        process.wait_line(r"msg=ready")
        if self.settings[role].get("http_listen") or role == "host":
            port = process.wait_line(r"msg=listen what=http address=tcp:127\.0\.0\.1:(\d+)").group(1)
            front = Front(int(port))
            if role == "host":
                self.front = front
            else:
                self.inner = front
        return process

    @property
    def tunnel(self):
        return self.processes["tunnel"]

    @property
    def enclave(self):
        return self.processes["enclave"]

    @property
    def host(self):
        return self.processes["host"]

    def stop(self):
        """Each ends with status 0 and nothing from a sanitizer; all are gone whatever is wrong."""
        complaints = []
        for role in ("host", "enclave", "tunnel"):
            if role in self.processes:
                try:
                    self.processes[role].stop()
                except AssertionError as wrong:
                    complaints.append(str(wrong))
        assert not complaints, "\n\n".join(complaints)
