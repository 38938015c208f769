"""Fields on their way through: what stays on its connection, what is added, and all else as it was."""
import re

import pytest

OURS = {"via", "host", "content-length", "transfer-encoding"}


def send(front, origin, fields, method="GET", body=None):
    """The request as the service saw it."""
    answer = front.request(method, f"{origin.url}/echo", fields, body)
    assert answer.status == 200, answer.body
    return origin.requests[-1]


def own_via(front, origin):
    """What the proxies call themselves, in the order of the request's way."""
    return b", ".join(send(front, origin, []).all("Via")).decode().split(", ")


def get_with(front, origin, head):
    """The client's view of a response with these fields."""
    url = origin.serve(lambda connection, _request: connection.send(
        b"HTTP/1.1 200 OK\r\n" + head + b"Content-Length: 2\r\n\r\nok"))
    answer = front.get(url)
    assert (answer.status, answer.body) == (200, b"ok")
    return answer


@pytest.mark.parametrize("name, value", [
    ("Proxy-Authorization", "Basic c2VjcmV0"), ("Proxy-Connection", "keep-alive"), ("Keep-Alive", "timeout=5"),
    ("TE", "trailers"), ("X-Target-URL", None), ("Proxy-Authenticate", "Basic"), ("Connection", "keep-alive"),
])
def test_hop_by_hop_request_fields_stay(front, origin, name, value):
    value = value or f"{origin.url}/echo"
    seen = send(front, origin, [(name, value), ("X-Other", "stays")])
    assert seen.all(name) in ([], [b"close"])
    assert seen.get("X-Other") == "stays"


@pytest.mark.parametrize("connection", ["X-Mine", "close, x-mine", "keep-alive,X-MINE , other"])
def test_fields_named_in_connection_stay(front, origin, connection):
    seen = send(front, origin, [("Connection", connection), ("X-Mine", "1"), ("x-mine", "2"), ("X-Theirs", "3")])
    assert seen.all("X-Mine") == []
    assert seen.get("X-Theirs") == "3"


@pytest.mark.parametrize("name", ["Host", "Content-Length", "Cookie", "Authorization", "Cache-Control", "Content-Type"])
def test_connection_cannot_take_out_what_is_meant_for_the_service(front, origin, name):
    fields = [("Connection", name)] + [(name, "kept")] * (name not in ("Host", "Content-Length"))
    seen = send(front, origin, fields, "POST", b"body")
    assert seen.get(name) == {"Host": origin.authority, "Content-Length": "4"}.get(name, "kept")
    assert seen.body == b"body"


def test_hop_by_hop_response_fields_stay(front, origin):
    answer = get_with(front, origin, b"Connection: X-Mine\r\nX-Mine: 1\r\nKeep-Alive: timeout=9\r\n"
                                     b"Proxy-Authenticate: Basic\r\nProxy-Connection: close\r\nX-Theirs: 2\r\n")
    names = {n.lower() for n, _ in answer.fields}
    assert names.isdisjoint({b"x-mine", b"keep-alive", b"proxy-authenticate", b"proxy-connection"})
    assert answer.get("X-Theirs") == "2"


def test_via_both_ways(front, chain, origin):
    via = own_via(front, origin)
    assert len(via) == (2 if front is chain.front else 1)
    assert all(re.fullmatch(r"1\.1 nitroproxy-[a-z]+-[0-9a-f]{16}", one) for one in via)
    back = get_with(front, origin, b"Via: 1.0 theirs\r\n")
    assert b", ".join(back.all("Via")).startswith(b"1.0 theirs, 1.1 ")
    assert send(front, origin, [("Via", "1.1 before")]).all("Via")[0].startswith(b"1.1 before")


def test_a_request_that_comes_back_is_a_loop(front, origin):
    for one in own_via(front, origin):
        answer = front.request("GET", f"{origin.url}/echo", [("Via", f"1.1 other, {one}")])
        assert (answer.status, answer.error) == (508, "proxy_loop_detected")


def test_a_target_that_is_the_proxy_itself(start_chain, pki):
    """host -> enclave -> tunnel -> host: seen after one round."""
    chain = start_chain(enclave={"allow_plain_http": "true"})
    answer = chain.front.get(f"http://127.0.0.1:{chain.front.port}/http://127.0.0.1:{chain.front.port}/health")
    assert (answer.status, answer.error) == (508, "proxy_loop_detected")


def test_duplicates_and_order(front, origin):
    fields = [("X-A", "1"), ("Accept", "a"), ("X-B", "2"), ("X-A", "3"), ("Accept", "b"), ("x-a", "4")]
    seen = send(front, origin, fields)
    arrived = [(n.decode(), v.decode()) for n, v in seen.fields if n.lower().decode() not in OURS]
    assert arrived == fields


def test_host_stands_first_and_is_the_target(front, origin):
    seen = send(front, origin, [("X-A", "1")])
    assert seen.fields[0] == (b"Host", origin.authority.encode())
    assert len(seen.all("Host")) == 1


def test_cookies_are_never_merged(front, origin):
    answer = get_with(front, origin, b"Set-Cookie: a=1; Expires=Wed, 01 Jan 2031 00:00:00 GMT\r\nX-Mid: x\r\n"
                                     b"Set-Cookie: b=2, c\r\nset-cookie: a=3\r\n")
    assert answer.all("Set-Cookie") == [b"a=1; Expires=Wed, 01 Jan 2031 00:00:00 GMT", b"b=2, c", b"a=3"]
    assert [n for n, _ in answer.fields][:4] == [b"Set-Cookie", b"X-Mid", b"Set-Cookie", b"set-cookie"]


@pytest.mark.parametrize("value", ["\xe4\xf6\xfc", "\x80\xff", "caf\u00c3\u00a9", "a\tb", '"q\\"uoted"', "a  b", ""])
def test_values_survive(front, origin, value):
    assert send(front, origin, [("X-Value", value)]).get("X-Value") == value
    assert get_with(front, origin, b"X-Value: %s\r\n" % value.encode("latin-1")).get("X-Value") == value


def test_reason_and_unknown_status_survive(front, origin):
    url = origin.serve(lambda connection, _request: connection.reply(299, [], b"x", reason="Quite \xfcnusual"))
    answer = front.get(url)
    assert (answer.status, answer.reason) == (299, b"Quite \xfcnusual")


def test_max_forwards(front, origin):
    count = len(origin.requests)
    for method in ("OPTIONS", "TRACE"):
        answer = front.request(method, f"{origin.url}/echo", [("Max-Forwards", "0")])
        assert answer.status in (200, 204, 404, 405)
    assert len(origin.requests) == count
    front.request("OPTIONS", f"{origin.url}/echo", [("Max-Forwards", "7")])
    assert int(origin.requests[-1].get("Max-Forwards")) in (5, 6)
    assert send(front, origin, [("Max-Forwards", "0")]).get("Max-Forwards") == "0"  # means nothing to a GET
