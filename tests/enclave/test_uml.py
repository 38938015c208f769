"""All three roles on real AF_VSOCK, in guests of User-Mode Linux; the cases are in roles.py, which runs inside."""
import subprocess

import pytest

import vm
from conftest import figure
from harness.chain import NITROPROXY
from test_image import pcr_in


@pytest.fixture
def start_guest(directory, pki, uml):
    for name in ("root.pem", "good.pem", "good.key"):
        (directory / name).write_bytes((pki.root_file.parent / name).read_bytes())

    def start(what, control=None, memory=512):
        return vm.Uml(directory, what, ["/usr/bin/python3", vm.TREE / "tests/enclave/roles.py", what, directory],
                      control, memory, env={"NP_STATIC": vm.STATIC})

    return start


def passed(guest, timeout=400):
    status = guest.result(timeout)
    for line in guest.matching("^case "):
        figure(f"{guest.name}, {line}")
    assert status == 0, guest.tail(100)


def test_one_guest(start_guest):
    """(A) host, enclave and tunnel over vsock's loopback."""
    passed(start_guest("loopback"))


def test_parent_and_enclave(start_guest, directory):
    """(B) CIDs as on an instance: the parent is 3, the enclave 16."""
    vsockd = vm.Vsockd(directory, {vm.PARENT: None, vm.ENCLAVE: None})
    enclave = start_guest("enclave", vsockd.control(vm.ENCLAVE), 256)
    parent = start_guest("parent", vsockd.control(vm.PARENT))
    passed(parent)
    passed(enclave)
    vsockd.stop()


def test_parent_and_image(start_guest, directory, make_image):
    """(D) the parent in User-Mode Linux, CID 3; the image in the emulated enclave, CID 16, with its NSM."""
    image, measurements = make_image()
    vsockd = vm.Vsockd(directory, {vm.PARENT: None, vm.ENCLAVE: None})
    parent = start_guest("emulated", vsockd.control(vm.PARENT))
    vm.wait_for((directory / "parent-ready").exists, "the parent listens", 60)
    enclave = vm.Qemu(image, vsockd.control(vm.ENCLAVE))
    passed(parent)
    enclave.kill()
    vsockd.stop()
    document = (directory / "document").read_bytes()
    for index in (0, 1, 2):
        assert pcr_in(document, index) == measurements[f"PCR{index}"]
    assert subprocess.run([NITROPROXY, "verify", "--any-nonce", "--any-pcrs"], input=document,
                          capture_output=True).returncode == 1
