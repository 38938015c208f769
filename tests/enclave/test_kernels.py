"""Images with other kernels than the tests' own: Debian's, which is modules for the most part, and AWS's files."""
import json
import pathlib
import subprocess
import tempfile

import pytest

import vm
from harness.chain import NITROPROXY
from harness.origin import pattern
from test_image import attestation, pcr_in

AWS_CMDLINE = "reboot=k panic=30 pci=off nomodules console=ttyS0 random.trust_cpu=on root=/dev/ram0"


@pytest.fixture
def boot(directory, pki, origin):
    chains = []

    def start(*kernel, **qemu):
        image, measurements = vm.build_image(directory, vm.enclave_config(), pki.root_file, kernel=kernel)
        chain = vm.EmulatedChain(directory, image, **qemu)
        chains.append(chain)
        chain.wait_ready()
        assert chain.heartbeat.beats == [b"\xb7"]
        assert chain.front.get(f"{origin.url}/bytes/100000").body == pattern(100000)
        document = attestation(chain)
        for index in (0, 1, 2):
            assert pcr_in(document, index) == measurements[f"PCR{index}"]
        return chain, image

    yield start
    for chain in chains:
        chain.stop()


def test_debian(boot, emulator):
    """Its modules are loaded by our init in the order in which they need each other, the NSM's last."""
    if reason := vm.missing("linux.deb"):
        pytest.skip(reason)
    chain, _ = boot("--kernel-deb", vm.VM / "linux.deb", memory=192, acpi=True)
    names = [line.split("name=")[1] for line in chain.enclave.matching("msg=module name=")]
    assert names == ["00-virtio_mmio.ko", "01-vsock.ko", "02-vmw_vsock_virtio_transport_common.ko",
                     "03-vmw_vsock_virtio_transport.ko", "04-nsm.ko"]
    chain.enclave.wait_line("msg=entropy from=nsm bytes=256")
    assert not chain.enclave.matching("msg=module .*error=")


def test_files_as_aws_has_them(boot, emulator, directory):
    """
    A directory of the shape of AWS's: bzImage, cmdline, nsm.ko. The kernel is ours, for AWS's cannot be had here; the
    command line is theirs, with a word that no kernel knows and that therefore becomes an argument of init.
    """
    blobs = pathlib.Path(tempfile.mkdtemp(dir=directory))
    (blobs / "bzImage").write_bytes((vm.VM / "bzImage").read_bytes())
    (blobs / "cmdline").write_text(AWS_CMDLINE)
    (blobs / "nsm.ko").write_bytes(b"of another kernel")
    chain, image = boot("--blobs", blobs)
    described = json.loads(subprocess.run([NITROPROXY, "image", "describe", image], check=True,
                                          capture_output=True).stdout)
    assert described["Cmdline"] == AWS_CMDLINE
    assert image.read_bytes().count(b"of another kernel") == 1
    chain.enclave.wait_line(r"msg=module error=\w+ detail=\"cannot load 00-nsm.ko")
