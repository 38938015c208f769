"""What every pytest suite shares: a directory, certificates, the origin, and the logs in the report of a failure."""
import pathlib
import shutil
import tempfile

import pytest

from harness import process
from harness.origin import Origin, tls_context
from harness.pki import Pki

TAIL = 60  # lines of each process's log in the report of a failure


def pytest_runtest_setup(item):
    item.log_starts = {p: len(p.lines) for p in process.everything}


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    """A failure shows what each process logged during the test."""
    report = (yield).get_result()
    if report.failed:
        for p in process.everything:
            if lines := p.lines[item.log_starts.get(p, 0):][-TAIL:]:
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
def origin(pki):
    """The service that tests give their handlers to: TLS 1.3, a good certificate for localhost."""
    service = Origin(tls_context(pki.good))
    yield service
    service.close()
