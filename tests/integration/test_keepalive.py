"""Connections that carry more than one exchange: the client's, the one to the enclave, the ones to services."""
import re
import threading
import time

import pytest
from harness.origin import Origin, pattern, tls_context


@pytest.fixture
def fresh(pki):
    """A service of this test's own, whose connections can be counted."""
    service = Origin(tls_context(pki.good))
    yield service
    service.close()


def get(client, url, expected):
    client.send_request("GET", f"/{url}")
    answer = client.response()
    assert answer.status == 200
    assert answer.body == expected


def test_one_connection_all_the_way(front, fresh):
    with front.connect() as client:
        for size in (0, 1, 100_000, 3):
            get(client, f"{fresh.url}/bytes/{size}", pattern(size))
    assert (fresh.connections, fresh.handshakes) == (1, 1)


def test_connections_are_shared_by_clients(front, fresh):
    for _ in range(5):
        assert front.get(f"{fresh.url}/bytes/9").body == pattern(9)
    assert fresh.connections == 1


def test_pipelined_requests_are_answered_in_order(front, fresh):
    """The first is the slowest; the others wait their turn."""
    def slow(connection, _request):
        assert go_on.wait(20)
        connection.reply(200, [], b"slow")

    go_on = threading.Event()
    fresh.handle("/slow", slow)
    sizes = [3, 70_000, 0, 1, 12]
    with front.connect() as client:
        client.send(f"GET /{fresh.url}/slow HTTP/1.1\r\nHost: x\r\n\r\n".encode() +
                    b"".join(f"GET /{fresh.url}/bytes/{n} HTTP/1.1\r\nHost: x\r\n\r\n".encode() for n in sizes))
        fresh.wait_for(lambda o: o.requests)
        assert len(fresh.requests) == 1
        go_on.set()
        assert client.response().body == b"slow"
        assert [client.response().body for _ in sizes] == [pattern(n) for n in sizes]


def test_pipelined_bodies(front, fresh):
    bodies = [b"one", b"", b"GET / HTTP/1.1\r\n\r\n", b"x" * 100_000]
    with front.connect() as client:
        client.send(b"".join(b"POST /%s/sha256 HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s" %
                             (fresh.url.encode(), len(b), b) for b in bodies))
        assert [int(client.response().body.split()[0]) for _ in bodies] == [len(b) for b in bodies]


@pytest.mark.parametrize("version, connection, kept", [
    ("1.1", None, True), ("1.1", "close", False), ("1.0", None, False), ("1.0", "keep-alive", True),
    ("1.1", "Close", False), ("1.1", "x, close", False),
])
def test_who_keeps_a_connection(front, fresh, version, connection, kept):
    line = f"Connection: {connection}\r\n" if connection else ""
    request = f"GET /{fresh.url}/bytes/5 HTTP/{version}\r\nHost: x\r\n{line}\r\n".encode()
    with front.connect() as client:
        client.send(request)
        answer = client.response()
        assert answer.body == pattern(5)
        if kept:
            client.send(request)
            assert client.response().body == pattern(5)
        else:
            assert answer.get("Connection") == "close"
            assert client.at_end()


def figure(chain, name):
    text = chain.inner.get("/metrics").body.decode()
    return int(re.search(rf'(?m)^nitroproxy_{name}{{role="enclave"}} (\d+)$', text).group(1))


def test_the_next_connection_is_opened_ahead(start_chain, fresh):
    """Two at a time for the first time: the third finds one that has its handshake behind it, and lies idle till then."""
    def slow(connection, _request):
        assert go_on.wait(20)
        connection.reply(200, [], b"slow")

    chain, go_on = start_chain(), threading.Event()
    fresh.handle("/slow", slow)
    clients = [chain.front.connect() for _ in range(2)]
    for c in clients:
        c.send_request("GET", f"/{fresh.url}/slow")
        fresh.wait_for(lambda o: len(o.requests) == clients.index(c) + 1)
    end = time.monotonic() + 20
    while figure(chain, "upstream_idle") != 1:
        assert time.monotonic() < end
    assert (fresh.connections, figure(chain, "upstream_ahead_total")) == (3, 1)
    assert chain.front.request("POST", f"{fresh.url}/sha256", [], b"x").status == 200
    assert sorted(r.connection for r in fresh.requests) == [1, 2, 3]
    assert figure(chain, "upstream_ahead_used_total") == 1
    go_on.set()
    for c in clients:
        assert c.response().body == b"slow"
        c.close()


def close_when_idle(connection, _request):
    """Answers, promises to stay, and goes: what a service does whose idle time is over."""
    connection.reply(200, [], b"ok")
    connection.cut()


def test_a_pooled_connection_that_died_is_no_error(front, fresh):
    """Noticed while idle or only when used, a GET is answered all the same."""
    fresh.handle("/die", close_when_idle)
    for _ in range(10):
        assert front.get(f"{fresh.url}/die").body == b"ok"


def dies_on_reuse(fresh, seen):
    """The first request of each connection is answered, the second one is read and the connection ends."""
    served = set()

    def handler(connection, request):
        body = connection.read_body()
        if connection.number in served:
            seen.append((request.method, body))
            connection.cut()
            return
        served.add(connection.number)
        connection.reply(200, [], b"fine")

    fresh.handle("/stale", handler)
    return f"{fresh.url}/stale"


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE", "OPTIONS"])
def test_stale_connection_and_idempotent_method(front, fresh, method):
    """Sent again on a new connection: doing it twice is doing it once."""
    seen = []
    url = dies_on_reuse(fresh, seen)
    assert front.request("GET", url).body == b"fine"
    body = b"put" if method == "PUT" else None
    with front.connect() as client:
        client.send_request(method, f"/{url}", [], body)
        assert client.response(method).status == 200
    assert seen == [(method, body or b"")]


@pytest.mark.parametrize("method", ["POST", "PATCH", "BREW"])
def test_stale_connection_and_other_methods(front, fresh, method):
    """May have been done: never sent again."""
    seen = []
    url = dies_on_reuse(fresh, seen)
    assert front.request("GET", url).body == b"fine"
    answer = front.request(method, url, [], b"order")
    assert answer.status == 502
    assert answer.error in ("connection_terminated", "http_response_incomplete")
    assert seen == [(method, b"order")]
    assert len(fresh.seen(url)) == 2


def test_a_fresh_connection_that_dies_is_not_tried_again(front, fresh):
    fresh.handle("/die", lambda connection, _request: connection.cut())
    assert front.get(f"{fresh.url}/die").status == 502
    assert len(fresh.requests) == 1


def test_idle_connections_end(start_chain, fresh):
    chain = start_chain(enclave={"timeouts_pool_idle": "50ms"}, host={"timeouts_client_idle": "50ms"})
    ended = threading.Event()

    def handler(connection, _request):
        connection.reply(200, [], b"ok")
        connection.wait_gone()
        ended.set()

    fresh.handle("/idle", handler)
    with chain.front.connect() as client:
        get(client, f"{fresh.url}/idle", b"ok")
        assert ended.wait(20)
        assert client.at_end()


def test_sessions_are_resumed(start_chain, fresh):
    """A new connection to a service that is known costs no full handshake."""
    chain = start_chain(enclave={"limits_pool_idle": "0"})
    for _ in range(4):
        assert chain.front.get(f"{fresh.url}/bytes/5").status == 200
    assert fresh.connections == 4
    text = chain.inner.get("/metrics").body.decode()
    assert 'nitroproxy_tls_full_total{role="enclave"} 1\n' in text
    assert 'nitroproxy_tls_resumed_total{role="enclave"} 3\n' in text
