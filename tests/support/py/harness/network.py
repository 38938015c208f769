"""
A network of a test's own: a process with its own loopback interface, resolver configuration and packet filter, sockets
of ours inside it, and a name server that says what the test wants. For root alone.
"""
import ctypes
import ipaddress
import os
import shutil
import socket
import struct
import subprocess
import threading
import time

CLONE_NEWNET = 0x40000000
A, AAAA = 1, 28
NXDOMAIN, SERVFAIL = 3, 2

SCRIPT = """#!/bin/sh
# In namespaces of its own: {setup}
ip link set lo up
mount --bind "{directory}/resolv.conf" /etc/resolv.conf
mount --bind "{directory}/nsswitch.conf" /etc/nsswitch.conf
exec "{binary}" "$@"
"""


def available():
    if os.geteuid() != 0 or not all(map(shutil.which, ("unshare", "nsenter", "iptables", "ip"))):
        return False
    probe = "ip link set lo up && iptables -A INPUT -p tcp --dport 9 -j DROP"
    return subprocess.run(["unshare", "-nm", "sh", "-c", probe], capture_output=True).returncode == 0


def isolated(directory, binary):
    """An executable that is ours, alone with a loopback interface whose port 53 is the only name server."""
    (directory / "resolv.conf").write_text("nameserver 127.0.0.1\noptions timeout:1 attempts:2\n")
    (directory / "nsswitch.conf").write_text("hosts: dns\n")
    inner, outer = directory / "inner", directory / "isolated"
    inner.write_text(SCRIPT.format(setup="unshare -nm", directory=directory, binary=binary))
    outer.write_text(f'#!/bin/sh\nexec unshare -nm "{inner}" "$@"\n')
    for script in (inner, outer):
        script.chmod(0o755)
    return str(outer)


class Inside:
    """with Inside(pid): the thread's new sockets belong to the network of that process."""

    def __init__(self, pid):
        self.there = f"/proc/{pid}/ns/net"

    @staticmethod
    def _enter(fd):
        assert ctypes.CDLL(None, use_errno=True).setns(fd, CLONE_NEWNET) == 0, os.strerror(ctypes.get_errno())
        os.close(fd)

    def __enter__(self):
        self.home = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
        self._enter(os.open(self.there, os.O_RDONLY))

    def __exit__(self, *_):
        self._enter(self.home)


def drop_port(pid, port):
    """From now on packets from and to a port vanish: no FIN, no RST, no ICMP."""
    for flag in ("--dport", "--sport"):
        subprocess.run(["nsenter", "-t", str(pid), "-n", "iptables", "-A", "INPUT", "-p", "tcp", flag, str(port),
                        "-j", "DROP"], check=True)


def connections(pid, port):
    """How many TCP connections to a port that process's network has."""
    done = subprocess.run(["nsenter", "-t", str(pid), "-n", "ss", "-Htn", f"dport = :{port}"], check=True,
                          capture_output=True, text=True)
    return len(done.stdout.splitlines())


class Dns:
    """
    Answers on UDP port 53. names["a.test"]: a list of addresses, a response code, or None for silence; or a function
    that gives one of these, called once a query.
    """

    def __init__(self, pid):
        self.names, self.queries, self.delay = {}, [], {}
        with Inside(pid):
            self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 53))
        threading.Thread(target=self._serve, daemon=True).start()

    def close(self):
        """A port nobody listens on: the kernel refuses."""
        try:
            self.socket.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.socket.close()

    def _serve(self):
        while True:
            try:
                query, client = self.socket.recvfrom(2048)
            except OSError:
                return
            if query:
                threading.Thread(target=self._answer, args=(query, client), daemon=True).start()

    def _answer(self, query, client):
        name, at = [], 12
        while query[at]:
            name.append(query[at + 1:at + 1 + query[at]].decode())
            at += 1 + query[at]
        kind = struct.unpack_from("!H", query, at + 1)[0]
        question = query[12:at + 5]
        name = ".".join(name).lower()
        self.queries.append((name, kind))
        what = self.names.get(name, NXDOMAIN)
        if callable(what):
            what = what()
        time.sleep(self.delay.get(name, 0))
        if what is None:
            return
        code = what if isinstance(what, int) else 0
        found = [] if isinstance(what, int) else [ipaddress.ip_address(a) for a in what]
        found = [a for a in found if (a.version == 4) == (kind == A) and kind in (A, AAAA)]
        records = b"".join(b"\xc0\x0c" + struct.pack("!HHIH", kind, 1, 0, len(a.packed)) + a.packed for a in found)
        head = query[:2] + struct.pack("!HHHHH", 0x8180 | code, 1, len(found), 0, 0)
        try:
            self.socket.sendto(head + question + records, client)
        except OSError:
            pass


def drop_address(pid, address):
    """Nobody is at that address any more: connecting to it never ends."""
    subprocess.run(["nsenter", "-t", str(pid), "-n", "iptables", "-A", "INPUT", "-d", address, "-j", "DROP"],
                   check=True)
