"""A service whose certificate or TLS version is not right is not spoken to: 502, and no byte of the request."""
import ssl

import pytest
from harness.origin import Origin, tls_context
from harness.servers import nginx, s_server

WRONG = {
    "wrong_name": "name",
    "expired": "expired",
    "not_yet_valid": "not valid before",
    "self_signed": "",
    "unknown_root": "",
    "no_intermediate": "",
    "slow": "exponent of more than 64 bits",
}


@pytest.fixture(scope="module")
def wrong_origins(pki):
    origins = {label: Origin(tls_context(getattr(pki, label))) for label in WRONG}
    yield origins
    for service in origins.values():
        service.close()


@pytest.mark.parametrize("label", WRONG)
def test_wrong_certificate(front, wrong_origins, label):
    service = wrong_origins[label]
    answer = front.request("POST", f"{service.url}/echo", [("Cookie", "secret=1")], b"secret body")
    assert (answer.status, answer.error) == (502, "tls_certificate_error")
    assert answer.details.startswith("service: ")
    assert WRONG[label] in answer.details
    assert answer.get("Content-Type") == "application/problem+json"
    assert service.connections > 0
    assert (service.received, service.requests) == (0, [])


@pytest.mark.parametrize("label", WRONG)
def test_wrong_certificate_of_nginx(front, workdir, pki, label):
    """What each origin's reason is does not depend on our Python service."""
    root = workdir / "empty"
    root.mkdir(exist_ok=True)
    process, (port,) = nginx(workdir, root, [(getattr(pki, label), "TLSv1.3")])
    try:
        answer = front.get(f"https://localhost:{port}/protocol")
        assert (answer.status, answer.error) == (502, "tls_certificate_error")
    finally:
        process.stop()


def test_an_address_must_stand_in_the_certificate_as_one(front, pki, workdir):
    service = Origin(tls_context(pki.wrong_name), host="127.0.0.1")
    answer = front.get(f"{service.url}/echo")
    assert (answer.status, answer.error) == (502, "tls_certificate_error")
    assert service.received == 0
    service.close()


def test_only_tls_1_2(front, pki):
    service = Origin(tls_context(pki.good, ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_2))
    answer = front.get(f"{service.url}/echo")
    assert answer.status == 502
    assert answer.error in ("tls_protocol_error", "tls_alert_received")
    assert "version" in answer.details
    assert (service.handshakes, service.received) == (0, 0)
    service.close()


def test_nginx_with_only_tls_1_2(front, workdir, pki):
    process, (port,) = nginx(workdir, workdir, [(pki.good, "TLSv1.2")])
    try:
        answer = front.get(f"https://localhost:{port}/protocol")
        assert (answer.status, answer.error) == (502, "tls_protocol_error")
    finally:
        process.stop()


def test_openssl_with_only_tls_1_2(front, pki):
    process, port = s_server(pki.good, "-tls1_2")
    try:
        answer = front.get(f"https://localhost:{port}/")
        assert (answer.status, answer.error) == (502, "tls_protocol_error")
    finally:
        process.kill()


def test_tls_1_2_where_it_is_allowed(start_chain, workdir, pki):
    process, ports = nginx(workdir, workdir, [(pki.good, "TLSv1.2"), (pki.rsa, "TLSv1.2"), (pki.good, "TLSv1.3")])
    chain = start_chain(enclave={"tls_min_version": "TLSv1.2"})
    answers = [chain.front.get(f"https://localhost:{port}/protocol").body for port in ports]
    assert answers == [b"TLSv1.2", b"TLSv1.2", b"TLSv1.3"]
    process.stop()


def test_a_service_that_speaks_no_tls(front):
    service = Origin(None, greeting=b"220 mail.test ESMTP\r\n")
    answer = front.get(f"https://{service.authority}/echo")
    assert (answer.status, answer.error) == (502, "tls_protocol_error")
    assert service.requests == []
    service.close()


def test_verification_off_is_loud(start_chain, wrong_origins):
    chain = start_chain(enclave={"tls_verify_certificates": "false"})
    assert chain.enclave.matching(r"level=warn .*msg=insecure .*certificate")
    for front in (chain.front, chain.inner):
        for label in WRONG:
            answer = front.get(f"{wrong_origins[label].url}/bytes/10")
            if label == "slow":  # what it costs does not depend on what is believed
                assert (answer.status, answer.error) == (502, "tls_certificate_error")
                continue
            assert answer.status == 200
            assert answer.get("X-Nitroproxy-Insecure")
    health = chain.front.get("/health")
    assert b'"mode":"insecure"' in health.body


def test_connect_carries_the_clients_own_tls(front, wrong_origins):
    """Whom the client trusts behind CONNECT is its own decision."""
    service = wrong_origins["self_signed"]
    with front.connect() as client:
        client.send(f"CONNECT {service.authority} HTTP/1.1\r\nHost: {service.authority}\r\n\r\n".encode())
        assert client.response("CONNECT").status == 200
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        with context.wrap_socket(client.socket, server_hostname="localhost") as secure:
            assert secure.version() == "TLSv1.3"
