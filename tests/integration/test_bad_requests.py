"""Requests that two readers could take for different ones: refused, and the connection ends; nothing goes out."""
import pytest

CHUNKED = b"Transfer-Encoding: chunked\r\n"
LENGTH = b"Content-Length: 5\r\n"


def framed(fields, body=b"hello", version=b"1.1", line=None):
    return lambda target: ((line or b"POST %s HTTP/" + version) % target + b"\r\nHost: x\r\n" + fields + b"\r\n" + body)


def chunks(body, fields=b""):
    return framed(CHUNKED + fields, body)


def plain(line, fields=b"Host: x\r\n"):
    return lambda target: line.replace(b"TARGET", target) + b"\r\n" + fields + b"\r\n"


# Refused from their head alone: nothing of them may reach a service. {what: (bytes, status)}
BAD_HEADS = {
    # framing
    "length and chunked": (framed(LENGTH + CHUNKED, b"0\r\n\r\n"), 400),
    "chunked and length": (framed(CHUNKED + LENGTH, b"0\r\n\r\n"), 400),
    "two lengths": (framed(LENGTH + b"Content-Length: 6\r\n"), 400),
    "list of lengths": (framed(b"Content-Length: 5, 6\r\n"), 400),
    "length with a plus": (framed(b"Content-Length: +5\r\n"), 400),
    "negative length": (framed(b"Content-Length: -5\r\n"), 400),
    "length with a space in it": (framed(b"Content-Length: 5 5\r\n"), 400),
    "length in hex": (framed(b"Content-Length: 0x5\r\n"), 400),
    "huge length": (framed(b"Content-Length: 18446744073709551621\r\n"), 400),
    "empty length": (framed(b"Content-Length:\r\n"), 400),
    "chunked twice": (framed(CHUNKED + CHUNKED, b"0\r\n\r\n"), 400),
    "chunked, identity": (framed(b"Transfer-Encoding: chunked, identity\r\n", b"0\r\n\r\n"), 400),
    "chunked, chunked": (framed(b"Transfer-Encoding: chunked, chunked\r\n", b"0\r\n\r\n"), 400),
    "identity": (framed(b"Transfer-Encoding: identity\r\n"), 400),
    "quoted chunked": (framed(b'Transfer-Encoding: "chunked"\r\n', b"0\r\n\r\n"), 400),
    "chunked behind a vertical tab": (framed(b"Transfer-Encoding: \x0bchunked\r\n", b"0\r\n\r\n"), 400),
    "xchunked": (framed(b"Transfer-Encoding: xchunked\r\n", b"0\r\n\r\n"), 400),
    "empty coding": (framed(b"Transfer-Encoding:\r\n", b"0\r\n\r\n"), 400),
    "chunked with HTTP/1.0": (framed(CHUNKED, b"0\r\n\r\n", b"1.0"), 400),
    # lines
    "bare LF": (lambda t: b"GET %s HTTP/1.1\nHost: x\n\n" % t, 400),
    "bare LF in a head": (lambda t: b"GET %s HTTP/1.1\r\nHost: x\nX: y\r\n\r\n" % t, 400),
    "bare CR in a value": (lambda t: b"GET %s HTTP/1.1\r\nHost: x\r\nX: a\rb\r\n\r\n" % t, 400),
    "NUL in a value": (lambda t: b"GET %s HTTP/1.1\r\nHost: x\r\nX: a\0b\r\n\r\n" % t, 400),
    "folded line": (lambda t: b"GET %s HTTP/1.1\r\nHost: x\r\nX: a\r\n b\r\n\r\n" % t, 400),
    "folded first line": (lambda t: b"GET %s HTTP/1.1\r\n X: a\r\nHost: x\r\n\r\n" % t, 400),
    "space before the colon": (framed(b"Content-Length : 5\r\n"), 400),
    "tab before the colon": (framed(b"Transfer-Encoding\t: chunked\r\n"), 400),
    "no colon": (lambda t: b"GET %s HTTP/1.1\r\nHost: x\r\nX\r\n\r\n" % t, 400),
    "empty name": (lambda t: b"GET %s HTTP/1.1\r\nHost: x\r\n: a\r\n\r\n" % t, 400),
    "name that is no token": (lambda t: b"GET %s HTTP/1.1\r\nHost: x\r\nX(y): a\r\n\r\n" % t, 400),
    "name with bytes over 0x7f": (lambda t: b"GET %s HTTP/1.1\r\nHost: x\r\nX\xe4: a\r\n\r\n" % t, 400),
    # request line
    "HTTP/0.9": (lambda t: b"GET %s\r\n\r\n" % t, 400),
    "HTTP/0.9 that says so": (plain(b"GET TARGET HTTP/0.9"), 505),
    "HTTP/1.2": (plain(b"GET TARGET HTTP/1.2"), 505),
    "HTTP/2.0": (plain(b"GET TARGET HTTP/2.0"), 505),
    "HTTP/11": (plain(b"GET TARGET HTTP/11"), 400),
    "http/1.1": (plain(b"GET TARGET http/1.1"), 400),
    "two spaces": (plain(b"GET  TARGET HTTP/1.1"), 400),
    "tab for a space": (plain(b"GET\tTARGET HTTP/1.1"), 400),
    "space in the target": (plain(b"GET TARGET x HTTP/1.1"), 400),
    "space behind the version": (plain(b"GET TARGET HTTP/1.1 "), 400),
    "control byte in the target": (plain(b"GET TARGET\x01 HTTP/1.1"), 400),
    "fragment": (plain(b"GET TARGET#part HTTP/1.1"), 400),
    "method that is no token": (plain(b"G(T TARGET HTTP/1.1"), 400),
    "PRI of HTTP/2": (lambda _: b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505),
    "a TLS ClientHello": (lambda _: b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\0" * 100, 400),
    # Host
    "no Host": (plain(b"GET TARGET HTTP/1.1", b""), 400),
    "two Hosts": (plain(b"GET TARGET HTTP/1.1", b"Host: x\r\nHost: x\r\n"), 400),
    "Host with a path": (plain(b"GET TARGET HTTP/1.1", b"Host: x/y\r\n"), 400),
    "Host with a user": (plain(b"GET TARGET HTTP/1.1", b"Host: u@x\r\n"), 400),
}

# Refused where they went wrong, with a part of the message already on its way.
BAD_BODIES = {
    "size that is none": chunks(b"xyz\r\nhello\r\n0\r\n\r\n"),
    "size with a sign": chunks(b"+5\r\nhello\r\n0\r\n\r\n"),
    "negative size": chunks(b"-5\r\nhello\r\n0\r\n\r\n"),
    "size with 0x": chunks(b"0x5\r\nhello\r\n0\r\n\r\n"),
    "size with a space before it": chunks(b" 5\r\nhello\r\n0\r\n\r\n"),
    "empty size": chunks(b"\r\nhello\r\n0\r\n\r\n"),
    "size over 2^64": chunks(b"10000000000000005\r\nhello\r\n0\r\n\r\n"),
    "no CRLF behind the data": chunks(b"5\r\nhelloX\r\n0\r\n\r\n"),
    "bare LF behind the size": chunks(b"5\nhello\r\n0\r\n\r\n"),
    "bare LF behind the data": chunks(b"5\r\nhello\n0\r\n\r\n"),
    "extension with a bare LF": chunks(b"5;a\nb\r\nhello\r\n0\r\n\r\n"),
    "endless extension": chunks(b"5;" + b"a" * 70000 + b"\r\nhello\r\n0\r\n\r\n"),
    "trailer with a length": chunks(b"5\r\nhello\r\n0\r\nContent-Length: 9\r\n\r\n"),
    "trailer with a coding": chunks(b"5\r\nhello\r\n0\r\nTransfer-Encoding: chunked\r\n\r\n"),
    "trailer with a Host": chunks(b"5\r\nhello\r\n0\r\nHost: evil\r\n\r\n"),
    "trailer without a colon": chunks(b"5\r\nhello\r\n0\r\nX\r\n\r\n"),
}

BAD_TARGETS = [
    "https://user@localhost/", "https://user:pw@localhost/", "https:///path", "https://", "https://:443/",
    "https://localhost:0/", "https://localhost:65536/", "https://localhost:84616/", "https://localhost:80x/",
    "https://localhost:-1/", "https://localhost:+443/", "https://localhost: 443/", "https://local%2fhost/",
    "https://localhost%00/", "https://[::1/", "https://[::1]x/", "https://[::g]/", "https://lo calhost/",
    "https://localhost\\@evil/", "ftp://localhost/", "https://a..b/", "https://" + "a" * 300 + "/",
]


@pytest.fixture
def untouched(origin, front):
    """The service is the same before and after; so is the way to it."""
    before = len(origin.requests)
    yield f"/{origin.url}/echo".encode()
    assert len(origin.requests) == before
    assert front.get(f"{origin.url}/bytes/10").status == 200


@pytest.mark.parametrize("what", BAD_HEADS)
def test_bad_head(front, untouched, what):
    request, status = BAD_HEADS[what]
    answer = front.raw_closed(request(untouched))
    assert (answer.status, answer.error) == (status, "http_request_error")
    assert answer.get("Connection") == "close"


@pytest.mark.parametrize("what", BAD_HEADS)
def test_nothing_behind_a_bad_head_is_a_request(front, untouched, what):
    """What a smuggler would put there."""
    request, status = BAD_HEADS[what]
    answer = front.raw_closed(request(untouched) + b"GET %s HTTP/1.1\r\nHost: x\r\n\r\n" % untouched)
    assert answer.status == status


@pytest.mark.parametrize("what", BAD_BODIES)
def test_bad_body(front, origin, what):
    """The service sees a body that is cut, and no second request."""
    whole = []

    def handler(connection, _request):
        whole.append(connection.read_body())
        connection.reply()

    url = origin.serve(handler)
    request = BAD_BODIES[what](f"/{url}".encode())
    answer = front.raw_closed(request + f"GET /{origin.url}/smuggled HTTP/1.1\r\nHost: x\r\n\r\n".encode())
    assert (answer.status, answer.error) == (400, "http_request_error")
    assert front.get(f"{origin.url}/bytes/10").status == 200
    assert whole == []
    assert origin.seen(f"{origin.url}/smuggled") == []


@pytest.mark.parametrize("target", BAD_TARGETS)
@pytest.mark.parametrize("form", ["path", "absolute", "field"])
def test_bad_target(front, target, form):
    if form == "field":
        request = f"GET / HTTP/1.1\r\nHost: x\r\nX-Target-URL: {target}\r\n\r\n"
    else:
        request = f"GET {'/' * (form == 'path')}{target} HTTP/1.1\r\nHost: localhost\r\n\r\n"
    answer = front.raw(request.encode("latin-1"))
    assert answer.status == (404 if form == "path" and target.startswith("ftp:") else 400), answer.body
    assert "Host field" not in answer.details


def test_absolute_form_and_host_must_agree(front, origin):
    answer = front.raw(f"GET {origin.url}/echo HTTP/1.1\r\nHost: other.test\r\n\r\n".encode())
    assert answer.status == 400
    answer = front.raw(f"GET {origin.url}/bytes/1 HTTP/1.1\r\nHost: {origin.authority}\r\nConnection: close\r\n"
                          "\r\n".encode())
    assert answer.status == 200


def test_a_bad_request_in_a_pipeline_ends_it(front, origin):
    """Those in front of it are answered, it is refused, those behind it were never there."""
    good = f"GET /{origin.url}/bytes/3 HTTP/1.1\r\nHost: x\r\n\r\n".encode()
    before = len(origin.requests)
    with front.connect() as client:
        client.send(good + good + b"GET / HTTP/1.1\r\nHost: x\r\nX : y\r\n\r\n" + good)
        assert [client.response().status for _ in range(3)] == [200, 200, 400]
        assert client.at_end()
    assert len(origin.requests) == before + 2


def test_a_body_that_looks_like_a_request_is_a_body(front, origin):
    inner = f"GET /{origin.url}/smuggled HTTP/1.1\r\nHost: x\r\n\r\n".encode()
    assert front.request("POST", f"{origin.url}/echo", [], inner).status == 200
    assert origin.requests[-1].body == inner
    assert origin.seen(f"{origin.url}/smuggled") == []


def test_an_upload_that_is_cut_is_not_completed(front, origin):
    """The client goes in the middle of its body: the service must not take the part for the whole."""
    whole = []

    def handler(connection, _request):
        whole.append(connection.read_body())

    for framing in (b"Content-Length: 100\r\n", CHUNKED):
        url = origin.serve(handler)
        with front.connect() as client:
            client.send(b"POST /%s HTTP/1.1\r\nHost: x\r\n%s\r\n5\r\nhello\r\n" % (url.encode(), framing))
            origin.wait_for(lambda o, url=url: o.seen(url))
        assert front.get(f"{origin.url}/bytes/10").status == 200
    assert whole == []
