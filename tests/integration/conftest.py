"""What the files of this directory share. Everything that runs the three roles skips without the executable."""
import os
import pathlib
import shutil
import sys
import tempfile

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "support" / "py"))

from harness import process  # noqa: E402
from harness.chain import NITROPROXY, Chain, is_sanitized  # noqa: E402
from harness.origin import Origin, tls_context  # noqa: E402
from harness.pki import Pki  # noqa: E402

TAIL = 60  # lines of each process's log in the report of a failure


def pytest_runtest_setup(item):
    item.log_starts = {p: len(p.lines) for p in process.everything}


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    """A failure shows what each process logged during the test."""
    report = (yield).get_result()
    if report.failed:
        for p in process.everything:
            lines = p.lines[item.log_starts.get(p, 0):][-TAIL:]
            if lines:
                report.sections.append((f"log of {p.name}, pid {p.pid}", "\n".join(lines)))


@pytest.fixture(scope="session")
def workdir():
    """Short, for the paths of unix sockets have at most 107 bytes."""
    path = pathlib.Path(tempfile.mkdtemp(prefix="np-"))
    yield path
    for p in process.everything:
        if p.running():
            p.kill()
    shutil.rmtree(path)


@pytest.fixture(scope="session")
def pki(workdir):
    return Pki(workdir)


@pytest.fixture(scope="session")
def sanitized():
    return is_sanitized(NITROPROXY)


@pytest.fixture(scope="session")
def origin(pki):
    """The service that tests give their handlers to: TLS 1.3, a good certificate for localhost."""
    service = Origin(tls_context(pki.good))
    yield service
    service.close()


@pytest.fixture
def start_chain(workdir, pki):
    """start_chain(tunnel={..}, enclave={..}, host={..}): a chain of this test's own."""
    if not NITROPROXY:
        pytest.skip("NITROPROXY does not name the executable")
    chains = []

    def start(**settings):
        directory = pathlib.Path(tempfile.mkdtemp(dir=workdir))
        chain = Chain(directory, pki, **settings)
        chains.append(chain)
        return chain

    yield start
    for chain in chains:
        chain.stop()


@pytest.fixture(scope="module")
def chain(workdir, pki):
    """The chain with default settings that the tests of one file share."""
    if not NITROPROXY:
        pytest.skip("NITROPROXY does not name the executable")
    shared = Chain(pathlib.Path(tempfile.mkdtemp(dir=workdir)), pki)
    yield shared
    shared.stop()


@pytest.fixture(params=["host", "enclave"])
def front(request, chain):
    """Both ways in: the host's proxy, and the listener for apps inside the enclave."""
    return chain.front if request.param == "host" else chain.inner
