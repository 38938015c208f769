"""The fixtures of the ingress's tests; imported by name."""
import pytest

from .chain import NITROPROXY
from .ingress import Ingress
from .origin import Origin


@pytest.fixture(scope="module")
def app():
    """An application in the enclave: plain HTTP on loopback."""
    service = Origin(None, host="127.0.0.1")
    yield service
    service.close()


@pytest.fixture
def start(workdir, pki):
    """start(**settings of the enclave) gives an Ingress, which is stopped behind the test."""
    if not NITROPROXY:
        pytest.skip("NITROPROXY does not name the executable")
    started = []

    def start_one(**enclave):
        started.append(Ingress(workdir, pki, **enclave))
        return started[-1]

    yield start_one
    for ingress in started:
        ingress.stop()
