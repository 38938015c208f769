"""What the files of this directory share. Everything that runs the three roles skips without the executable."""
import pathlib
import sys
import tempfile

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "support" / "py"))

from harness.chain import NITROPROXY, Chain, is_sanitized  # noqa: E402
# Fixtures and hooks are found by being names here.
from harness.fixtures import (  # noqa: E402, F401
    origin, pki, pytest_runtest_makereport, pytest_runtest_setup, workdir)


@pytest.fixture(scope="session")
def sanitized():
    return is_sanitized(NITROPROXY)


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
