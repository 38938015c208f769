"""packaging/examples: each way of sending a request, through a real chain to a real service."""
import importlib.util
import os
import pathlib
import subprocess
import sys

import pytest

from harness.chain import NITROPROXY
from harness.process import Process

EXAMPLES = pathlib.Path(__file__).parents[2] / "packaging" / "examples"

pytestmark = pytest.mark.skipif(not NITROPROXY, reason="NITROPROXY does not name the executable")


@pytest.fixture(scope="module")
def service(tmp_path_factory):
    ca = tmp_path_factory.mktemp("examples") / "ca.pem"
    process = Process("origin", [NITROPROXY, "demo", "--serve-origin", "tcp:127.0.0.1:0", "--origin-ca", ca])
    port = process.wait_line(r"https://localhost:(\d+) is up").group(1)
    yield f"https://localhost:{port}", ca
    process.signal(15)
    process.wait()


@pytest.fixture
def chain(service, start_chain):
    return start_chain(enclave={"ca_file": str(service[1])})


def run(program, chain, *args):
    env = {**os.environ, "NITROPROXY_URL": f"http://127.0.0.1:{chain.front.port}", "PYTHONDONTWRITEBYTECODE": "1"}
    return subprocess.run([*program, *map(str, args)], capture_output=True, text=True, timeout=60, env=env)


PROGRAMS = [[sys.executable, EXAMPLES / "secure_http_client.py"], [EXAMPLES / "secure_http_client.sh"]]


@pytest.mark.parametrize("program", PROGRAMS, ids=["python", "shell"])
def test_all_three_ways(program, service, chain):
    url, ca = service
    result = run(program, chain, f"{url}/bytes/1234", ca)
    assert result.returncode == 0, result.stderr
    assert result.stdout.count("200 1234 bytes") == 3


@pytest.mark.parametrize("program", PROGRAMS, ids=["python", "shell"])
def test_failure_is_told(program, service, chain):
    url, _ = service
    result = run(program, chain, f"{url}/get")  # CONNECT does not know the CA
    assert result.returncode != 0 and "certificate" in result.stderr


@pytest.fixture
def client(chain):
    spec = importlib.util.spec_from_file_location("secure_http_client", EXAMPLES / "secure_http_client.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    with module.SecureHttpClient(f"http://127.0.0.1:{chain.front.port}/") as c:
        c.module = module
        yield c


def test_client_class(client, service):
    url, _ = service
    assert client.healthy()
    assert client.get(f"{url}/get", params={"q": "a b&c"}).json()["url"] == f"{url.replace('localhost', '127.0.0.1')}/get?q=a+b%26c"
    answer = client.post(f"{url}/post", json={"n": 1}, headers={"X-Own": "yes"}).json()
    assert answer["json"] == {"n": 1}
    assert answer["headers"]["X-Own"] == "yes" and "X-Target-URL" not in answer["headers"]
    assert client.put(f"{url}/put", data=b"x").json()["method"] == "PUT"
    assert client.delete(f"{url}/anything").json()["method"] == "DELETE"
    assert client.get(f"{url}/status/404").status_code == 404  # the service's own answer is no exception


def test_client_class_tells_the_proxys_errors(client):
    with pytest.raises(client.module.ProxyError) as e:
        client.get("https://169.254.169.254/latest/meta-data")
    assert (e.value.kind, e.value.hop, e.value.response.status_code) == ("address_denied", "tunnel", 403)
    with pytest.raises(ValueError):
        client.get("http://localhost/")
