"""The image behind another back-end than ours: what passes here is not an agreement of vsockd with itself."""
import concurrent.futures
import hashlib

import pytest

import vm
from harness.origin import pattern


@pytest.fixture
def chain(directory, make_image):
    if reason := vm.missing("vhost-device-vsock"):
        pytest.skip(reason)
    image, _ = make_image(tunnel="vsock:2:5001")  # it knows the host by CID 2 alone, not by Nitro's 3
    chain = vm.EmulatedChain(directory, image, backend=vm.VhostDeviceVsock)
    chain.wait_ready()
    yield chain
    chain.stop()


def test_requests(chain, origin):
    def get(count):
        return chain.front.get(f"{origin.url}/bytes/{count}")

    assert hashlib.sha256(get(4 << 20).body).digest() == hashlib.sha256(pattern(4 << 20)).digest()
    body = pattern(3 << 20)
    answer = chain.front.request("POST", f"{origin.url}/sha256", body=body).body.decode()
    assert answer == f"{len(body)} {hashlib.sha256(body).hexdigest()}"
    with concurrent.futures.ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(lambda i: get(1000 + i), range(20)))
    assert all(a.status == 200 and a.body == pattern(1000 + i) for i, a in enumerate(answers))
    assert chain.front.get("/health").status == 200
