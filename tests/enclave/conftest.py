"""What the enclave tests share. Each skips with the reason where what it boots is not here."""
import json
import pathlib
import shutil
import sys
import tempfile

import pytest

sys.path[:0] = [str(pathlib.Path(__file__).parent.parent / "support" / "py"), str(pathlib.Path(__file__).parent)]

import vm  # noqa: E402
from vm import enclave_config  # noqa: E402
from harness import client, process  # noqa: E402
from harness.origin import Origin, tls_context  # noqa: E402
from harness.pki import Pki  # noqa: E402

client.TIMEOUT = 60  # an emulated CPU on a busy machine
TAIL = 60  # lines of each process's log in the report of a failure
FIGURES = []


def pytest_runtest_setup(item):
    item.log_starts = {p: len(p.lines) for p in process.everything}


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    report = (yield).get_result()
    if report.failed:
        for p in process.everything:
            if lines := p.lines[item.log_starts.get(p, 0):][-TAIL:]:
                report.sections.append((f"log of {p.name}, pid {p.pid}", "\n".join(lines)))


def figure(text):
    """What was measured, said at the end whether the test passes or not; dev.sh test repeats such lines."""
    FIGURES.append(text)


def pytest_terminal_summary(terminalreporter):
    for text in FIGURES:
        terminalreporter.write_line(f"figure: {text}")


@pytest.fixture(scope="session")
def workdir():
    """Short, for the paths of unix sockets have at most 107 bytes."""
    path = pathlib.Path(tempfile.mkdtemp(prefix="np-"))
    yield path
    for p in process.everything:
        if p.running():
            p.kill()
    shutil.rmtree(path)


@pytest.fixture
def directory(workdir):
    return pathlib.Path(tempfile.mkdtemp(dir=workdir))


@pytest.fixture(scope="session")
def pki(workdir):
    return Pki(workdir)


@pytest.fixture(scope="session")
def origin(pki):
    service = Origin(tls_context(pki.good))
    yield service
    service.close()


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
