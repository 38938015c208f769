#!/usr/bin/python3
"""
PID 1 of a User-Mode Linux whose root file system is the machine's own: brings up vsock and lo, runs a command, ends.

    inside.py MODULES STATUS-FILE COMMAND...
"""
import ctypes
import errno
import fcntl
import os
import pathlib
import resource
import socket
import struct
import subprocess
import sys
import traceback

MODULES = ("vsock", "vmw_vsock_virtio_transport_common", "vsock_loopback", "vmw_vsock_virtio_transport")
SYS_FINIT_MODULE, RB_POWER_OFF, SIOCSIFFLAGS, IFF_UP_RUNNING = 313, 0x4321FEDC, 0x8914, 0x41

libc = ctypes.CDLL(None, use_errno=True)


def check(result, what):
    if result != 0:
        raise OSError(ctypes.get_errno(), what)


def prepare(modules):
    for kind, at in (("proc", "/proc"), ("sysfs", "/sys"), ("devtmpfs", "/dev"), ("tmpfs", "/run")):
        if libc.mount(kind.encode(), at.encode(), kind.encode(), 0, None) != 0:
            assert ctypes.get_errno() == errno.EBUSY, at  # the kernel has mounted it itself
        if at == "/dev":  # the machine's own need not have had a console
            console = os.open("/dev/console", os.O_RDWR)
            for descriptor in (0, 1, 2):
                os.dup2(console, descriptor)
    for name in MODULES:
        with open(modules / f"{name}.ko", "rb") as module:
            check(libc.syscall(SYS_FINIT_MODULE, module.fileno(), b"", 0), name)
    with socket.socket() as s:
        fcntl.ioctl(s, SIOCSIFFLAGS, struct.pack("16sH14x", b"lo", IFF_UP_RUNNING))
    resource.setrlimit(resource.RLIMIT_NOFILE, (65536, 65536))


def main():
    modules, status, *command = sys.argv[1:]
    code = 99
    try:
        prepare(pathlib.Path(modules))
        code = subprocess.call(command)
    except (OSError, AssertionError):
        traceback.print_exc()
    finally:
        pathlib.Path(status).write_text(str(code))
        os.sync()
        libc.reboot(RB_POWER_OFF)


main()
