"""Services that answer wrongly: 502, and nothing of the answer, nor of what comes behind it, reaches a client."""
import pytest
from harness.client import Cut

OK = b"HTTP/1.1 200 OK\r\n"

BAD = {
    "two lengths": OK + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\nabc",
    "length and chunked": OK + b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n\r\n",
    "list of lengths": OK + b"Content-Length: 2, 3\r\n\r\nabc",
    "length with a plus": OK + b"Content-Length: +2\r\n\r\nab",
    "huge length": OK + b"Content-Length: 18446744073709551618\r\n\r\nab",
    "unknown coding": OK + b"Transfer-Encoding: gzip\r\n\r\nab",
    "chunked twice": OK + b"Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n",
    "HTTP/0.9": b"<html>hello</html>",
    "HTTP/2.0": b"HTTP/2.0 200 OK\r\n\r\n",
    "status of two digits": b"HTTP/1.1 20 OK\r\n\r\n",
    "status of four digits": b"HTTP/1.1 2000 OK\r\n\r\n",
    "status 099": b"HTTP/1.1 099 OK\r\nContent-Length: 0\r\n\r\n",
    "no status": b"HTTP/1.1 \r\n\r\n",
    "space before the colon": OK + b"Content-Length : 2\r\n\r\nab",
    "folded line": OK + b"X: a\r\n b\r\nContent-Length: 2\r\n\r\nab",
    "NUL in a value": OK + b"X: a\0b\r\nContent-Length: 2\r\n\r\nab",
    "bare CR in a value": OK + b"X: a\rb\r\nContent-Length: 2\r\n\r\nab",
    "no colon": OK + b"X\r\nContent-Length: 2\r\n\r\nab",
    "a TLS alert in clear": b"\x15\x03\x01\x00\x02\x02\x28",
}


@pytest.mark.parametrize("what", BAD)
def test_bad_answer(front, origin, what):
    def handler(connection, _request):
        connection.send(BAD[what])
        connection.end()

    with front.connect() as client:
        client.send_request("GET", f"/{origin.serve(handler)}")
        answer = client.response()
        assert (answer.status, answer.error) == (502, "http_protocol_error")
        assert answer.details.startswith("service: ")
        client.send_request("GET", f"/{origin.url}/bytes/10")
        assert client.response().status == 200


def test_a_head_that_is_too_big(front, origin):
    def handler(connection, _request):
        connection.send(OK + b"X: " + b"a" * 60000 + b"\r\nContent-Length: 0\r\n\r\n")

    answer = front.get(origin.serve(handler))
    assert (answer.status, answer.error) == (502, "http_response_header_section_size")


def test_too_many_fields(front, origin):
    def handler(connection, _request):
        connection.send(OK + b"X: a\r\n" * 500 + b"Content-Length: 0\r\n\r\n")

    assert front.get(origin.serve(handler)).status == 502


@pytest.mark.parametrize("head, method", [
    (b"HTTP/1.1 204 No Content\r\n\r\n", "GET"),
    (b"HTTP/1.1 304 Not Modified\r\n\r\n", "GET"),
    (b"HTTP/1.1 200 OK\r\nContent-Length: 80\r\n\r\n", "HEAD"),
])
def test_a_body_where_none_can_be_goes_nowhere(front, origin, head, method):
    """It must not be taken for the answer to the next request, whoever sends that."""
    poison = b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison"
    url = origin.serve(lambda connection, _request: connection.send(head + poison))
    with front.connect() as client:
        client.send_request(method, f"/{url}")
        assert client.response(method).body == b""
        for _ in range(3):
            client.send_request("GET", f"/{origin.url}/bytes/4")
            assert client.response().body != b"poison"


def test_bytes_behind_a_whole_answer_go_nowhere(front, origin):
    poison = b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison"

    def handler(connection, _request):
        connection.send(OK + b"Content-Length: 2\r\n\r\nok" + poison)

    with front.connect() as client:
        client.send_request("GET", f"/{origin.serve(handler)}")
        assert client.response().body == b"ok"
        for _ in range(3):
            client.send_request("GET", f"/{origin.url}/bytes/4")
            assert client.response().body != b"poison"


@pytest.mark.parametrize("body", [b"xyz\r\n", b"5\nhello\r\n0\r\n\r\n", b"5\r\nhelloX\r\n0\r\n\r\n",
                                  b"10000000000000005\r\nhello\r\n", b"-1\r\n"])
def test_bad_chunks_are_cut(front, origin, body):
    def handler(connection, _request):
        connection.send(OK + b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n" + body)
        connection.end()

    try:
        answer = front.get(origin.serve(handler))
    except Cut:
        return
    assert (answer.status, answer.error) == (502, "http_protocol_error")
