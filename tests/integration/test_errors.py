"""What a client is told when something goes wrong: status, Proxy-Status (RFC 9209), a problem document (RFC 9457)."""
import json
import socket

import pytest


def closed_port():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return taken.getsockname()[1]


def assert_problem(answer, status, error, hop):
    assert (answer.status, answer.error) == (status, error)
    problem = json.loads(answer.body)
    assert answer.get("Content-Type") == "application/problem+json"
    assert (problem["status"], problem["hop"]) == (status, hop)
    assert problem["title"].encode() == answer.reason
    assert answer.details == (f"{hop}: " if hop else "") + problem["detail"]
    assert answer.get("Cache-Control") == "no-store"
    return problem


def test_no_such_name(front):
    answer = front.get("https://no-such-name.invalid/")
    if answer.status == 504:  # a machine whose name server does not answer
        assert_problem(answer, 504, "dns_timeout", "tunnel")
    else:
        assert_problem(answer, 502, "dns_error", "tunnel")


def test_nobody_listens(front):
    problem = assert_problem(front.get(f"https://localhost:{closed_port()}/"), 502, "connection_refused", "service")
    assert problem["kind"] == "refused"


@pytest.mark.parametrize("address", [
    "10.0.0.1", "10.0.0.1.", "169.254.169.254", "[fd00:ec2::254]", "192.168.1.1", "100.64.0.1", "0.0.0.0", "198.18.0.1", "192.0.0.1",
    "192.0.2.1", "[2001:db8::1]", "[::ffff:10.0.0.1]", "[64:ff9b::a00:1]", "[2002:a00:1::]", "224.0.0.1",
    "255.255.255.255", "[fe80::1]", "[ff02::1]", "[::]",
])
def test_special_addresses_are_not_dialled(front, address):
    answer = front.get(f"https://{address}/")
    assert (answer.status, answer.error) == (403, "destination_ip_prohibited")


@pytest.mark.parametrize("address", ["2130706433", "0177.0.0.1", "0x7f.0.0.1", "127.1", "0x7f000001",
                                     "017700000001"])
def test_addresses_in_disguise_are_refused(front, address):
    answer = front.get(f"https://{address}/")
    assert answer.status in (400, 403)


def test_the_tunnels_allow_list(start_chain, origin):
    chain = start_chain(tunnel={"allow": ["allowed.test:443", f"localhost:{origin.port}"]})
    for front in (chain.front, chain.inner):
        assert front.get(f"{origin.url}/bytes/1").status == 200
        assert_problem(front.get("https://other.test/"), 403, "http_request_denied", "tunnel")


def test_the_enclaves_policy(start_chain, origin):
    """Judged in the enclave: the tunnel is not asked, and CONNECT is judged by name and port."""
    rule = f"localhost:{origin.port}/bytes/ GET"
    chain = start_chain(enclave={"policy_allow": rule, "policy_deny": f"localhost:{origin.port}/bytes/7"})
    before = origin.connections
    for front in (chain.front, chain.inner):
        for method, path in [("GET", "/echo"), ("POST", "/bytes/1"), ("GET", "/bytes/7")]:
            answer = front.request(method, origin.url + path)
            assert_problem(answer, 403, "http_request_denied", "enclave")
        assert_problem(front.get("https://example.test/"), 403, "http_request_denied", "enclave")
    assert origin.connections == before
    assert chain.front.get(f"{origin.url}/bytes/1").status == 200


def test_the_service_closes_without_an_answer(front, origin):
    url = origin.serve(lambda connection, _request: connection.end())
    assert_problem(front.get(url), 502, "connection_terminated", "service")


def test_the_service_resets(front, origin):
    def reset(connection, _request):
        connection.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        connection.cut()

    answer = front.get(origin.serve(reset))
    assert answer.status == 502
    assert answer.error in ("connection_terminated", "http_response_incomplete")


def test_an_error_leaves_the_clients_connection_usable(front, origin):
    with front.connect() as client:
        for _ in range(3):
            client.send_request("GET", f"/https://localhost:{closed_port()}/")
            assert client.response().status == 502
            client.send_request("GET", f"/{origin.url}/bytes/3")
            assert client.response().status == 200


def test_head_gets_the_error_without_its_body(front, origin):
    with front.connect() as client:
        client.send_request("HEAD", f"/https://localhost:{closed_port()}/")
        answer = client.response("HEAD")
        assert (answer.status, answer.error) == (502, "connection_refused")
        client.send_request("GET", f"/{origin.url}/bytes/3")
        assert client.response().status == 200


def test_no_target(front):
    answer = front.get("/")
    assert_problem(answer, 404, "destination_not_found", "client")
    assert "X-Target-URL" in answer.details


def test_what_a_peer_wrote_is_not_repeated(front):
    """No byte of a request's or a response's choosing stands in our answers."""
    answer = front.request("GET", "/https://localhost:99999/", [("X-Secret", "s3cr3t")])
    assert answer.status == 400
    assert b"99999" not in answer.body and b"s3cr3t" not in answer.body
