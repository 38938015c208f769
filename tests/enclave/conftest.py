"""What the enclave tests share. Each skips with the reason where what it boots is not here."""
import json
import pathlib
import sys
import tempfile

import pytest

sys.path[:0] = [str(pathlib.Path(__file__).parent.parent / "support" / "py"), str(pathlib.Path(__file__).parent)]

import vm  # noqa: E402
from vm import enclave_config  # noqa: E402
from harness import client  # noqa: E402
# Fixtures and hooks are found by being names here.
from harness.fixtures import (  # noqa: E402, F401
    origin, pki, pytest_runtest_makereport, pytest_runtest_setup, workdir)

client.TIMEOUT = 60  # an emulated CPU on a busy machine
FIGURES = []


def figure(text):
    """What was measured, said at the end whether the test passes or not; dev.sh test repeats such lines."""
    FIGURES.append(text)


def pytest_terminal_summary(terminalreporter):
    for text in FIGURES:
        terminalreporter.write_line(f"figure: {text}")


@pytest.fixture
def directory(workdir):
    return pathlib.Path(tempfile.mkdtemp(dir=workdir))


@pytest.fixture(scope="session")
def emulator():
    if reason := vm.missing("qemu-nitro", "bzImage"):
        pytest.skip(reason)


@pytest.fixture(scope="session")
def uml():
    if reason := vm.missing("uml/linux"):
        pytest.skip(reason)


@pytest.fixture(scope="session")
def make_image(workdir, pki, emulator):
    """make_image(files=DIR, options=[..], **settings): an image of the shipped configuration, and its measurements."""
    made = {}

    def make(files=None, options=(), **enclave):
        key = json.dumps([files, options, enclave])
        if key not in made:
            made[key] = vm.build_image(workdir, enclave_config(**enclave), pki.root_file, files, options)
        return made[key]

    return make
