"""The forms a target is named in, the clients people have, both ways in: always the same bytes."""
import subprocess

import pytest
import requests
from harness.origin import Origin, pattern
from harness.servers import nginx, s_server

BODY = pattern(300_001)


@pytest.fixture(scope="module")
def site(workdir, pki):
    """nginx over TLS 1.3 with a file of odd bytes at /body, once with a P-256 key and once with RSA."""
    root = workdir / "www"
    root.mkdir()
    (root / "body").write_bytes(BODY)
    process, ports = nginx(workdir, root, [(pki.good, "TLSv1.3"), (pki.rsa, "TLSv1.3")])
    yield [f"https://localhost:{port}" for port in ports]
    process.stop()


def curl(*args):
    done = subprocess.run(["curl", "-sS", "-m", "30", "--fail", *map(str, args)], capture_output=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("key", [0, 1], ids=["p256", "rsa"])
def test_same_bytes_whatever_the_form(front, site, pki, key):
    url = site[key] + "/body"
    merged = url.replace("//", "/")
    proxies = {"https": front.url, "http": front.url}
    bodies = {
        "direct": curl("--cacert", pki.root_file, url),
        "path style": curl(f"{front.url}/{url}"),
        "path style, slashes merged": curl(f"{front.url}/{merged}"),
        "X-Target-URL": curl("-H", f"X-Target-URL: {url}", front.url),
        "X-Target-URL on some path": curl("-H", f"X-Target-URL: {url}", f"{front.url}/any/path?x"),
        "absolute form": curl("--request-target", url, "-H", f"Host: {url.split('/')[2]}", front.url),
        "CONNECT": curl("-x", front.url, "--cacert", pki.root_file, url),
        "requests, CONNECT": requests.get(url, proxies=proxies, verify=str(pki.root_file), timeout=30).content,
        "requests, path style": requests.get(f"{front.url}/{url}", timeout=30).content,
    }
    assert [form for form, body in bodies.items() if body != BODY] == []


def test_the_origin_speaks_tls_1_3_with_the_enclave(front, site):
    assert curl(f"{front.url}/{site[0]}/protocol") == b"TLSv1.3"


def test_openssl_s_server(front, pki):
    process, port = s_server(pki.good, "-tls1_3")
    try:
        page = curl(f"{front.url}/https://localhost:{port}/")
        assert b"New, TLSv1.3, Cipher is TLS_AES_128_GCM_SHA256" in page
    finally:
        process.kill()


@pytest.mark.parametrize("host", ["127.0.0.1", "LOCALHOST", "localhost"])
def test_names_and_addresses(front, site, host):
    """An address is checked against the certificate's address, a name in capitals is the same name."""
    url = site[0].replace("localhost", host) + "/body"
    assert front.get(url).body == BODY


def test_path_and_query_arrive_as_they_were_written(front, origin):
    for target in ("/echo", "/echo?", "/echo?a=b%2Fc&d=/e//f?g", "/echo?q=%e4%F6"):
        answer = front.get(origin.url + target)
        assert answer.status == 200
        assert origin.requests[-1].target == target


def test_a_url_without_a_path_asks_for_the_root(front, origin):
    front.get(origin.url)
    assert origin.requests[-1].target == "/"
    front.get(origin.url + "?x=1")
    assert origin.requests[-1].target == "/?x=1"


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PROPFIND", "BREW", "get"])
def test_every_method(front, origin, method):
    body = None if method in ("GET", "OPTIONS", "get") else b"a body"
    answer = front.request(method, f"{origin.url}/echo", [], body)
    assert answer.status == 200
    assert origin.requests[-1].method == method
    assert origin.requests[-1].body == (body or b"")


def test_target_field_never_leaves(front, origin):
    front.request("GET", "/some/path", [("X-Target-URL", f"{origin.url}/echo")])
    request = origin.requests[-1]
    assert request.target == "/echo"
    assert request.all("X-Target-URL") == []
    assert request.get("Host") == origin.authority


def test_both_forms_must_agree(front, origin):
    count = len(origin.requests)
    same = front.get(f"{origin.url}/echo", [("X-Target-URL", f"{origin.url}/echo")])
    assert same.status == 200
    different = front.get(f"{origin.url}/echo", [("X-Target-URL", f"{origin.url}/other")])
    assert (different.status, different.error) == (400, "http_request_error")
    assert len(origin.requests) == count + 1


def test_plain_http_is_refused_with_an_explanation(front):
    answer = front.get("http://localhost:1/")
    assert (answer.status, answer.error) == (403, "http_request_denied")
    assert "https://" in answer.details


def test_plain_http_where_it_is_allowed(start_chain):
    plain = Origin(None)
    chain = start_chain(enclave={"allow_plain_http": "true"})
    for front in (chain.front, chain.inner):
        assert front.get(f"{plain.url}/bytes/1000").body == pattern(1000)
    plain.close()


def test_redirects_are_the_clients_business(front, site):
    answer = front.get(f"{site[0]}/redirect")
    assert answer.status == 302
    assert answer.get("Location") == "https://elsewhere.test/"
