"""Bodies in every framing, as they come and as they go, and what may not have one."""
import json
import subprocess
import threading

import pytest
from harness.client import Cut
from harness.origin import pattern
from harness.servers import nginx


def chunked(*pieces, trailers=b""):
    return b"".join(b"%x\r\n%s\r\n" % (len(p), p) for p in pieces) + b"0\r\n" + trailers + b"\r\n"


@pytest.mark.parametrize("size", [0, 1, 16384, 16385, 1_000_003])
def test_download_with_a_length(front, origin, size):
    answer = front.get(f"{origin.url}/bytes/{size}")
    assert answer.get("Content-Length") == str(size)
    assert answer.body == pattern(size)


@pytest.mark.parametrize("size", [0, 1, 16384, 16385, 1_000_003])
def test_upload_with_a_length(front, origin, size):
    url = f"{origin.url}/echo"
    answer = front.request("POST", url, [], pattern(size))
    assert answer.status == 200
    assert origin.requests[-1].body == pattern(size)
    assert origin.requests[-1].get("Content-Length") == str(size)


def test_a_request_without_a_body_gets_no_framing(front, origin):
    front.get(f"{origin.url}/echo")
    assert origin.requests[-1].all("Content-Length") == []
    assert origin.requests[-1].all("Transfer-Encoding") == []


def test_upload_in_chunks_with_trailers(front, origin):
    with front.connect() as client:
        client.send(f"POST /{origin.url}/echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n"
                    "Trailer: X-Sum\r\n\r\n".encode())
        client.send(chunked(b"one", b"two" * 20000, b"3", trailers=b"X-Sum: abc\r\nX-Sum: def\r\n"))
        answer = json.loads(client.response().body)
    assert answer["body"] == "one" + "two" * 20000 + "3"
    assert answer["trailers"] == [["X-Sum", "abc"], ["X-Sum", "def"]]
    assert origin.requests[-1].get("Transfer-Encoding") == "chunked"


def test_download_in_chunks_with_trailers(front, origin):
    def handler(connection, _request):
        connection.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n")
        connection.send(chunked(b"a" * 70000, b"b", trailers=b"X-Sum: abc\r\n"))

    answer = front.get(origin.serve(handler))
    assert answer.body == b"a" * 70000 + b"b"
    assert answer.trailers == [(b"X-Sum", b"abc")]


def test_chunk_extensions_are_dropped(front, origin):
    def handler(connection, _request):
        connection.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        connection.send(b'3;a=b;c="d"\r\nabc\r\n0;last\r\n\r\n')

    assert front.get(origin.serve(handler)).body == b"abc"


def test_body_that_ends_with_the_connection(front, origin):
    def handler(connection, _request):
        connection.send(b"HTTP/1.1 200 OK\r\n\r\n" + pattern(100_000))
        connection.end()

    assert front.get(origin.serve(handler)).body == pattern(100_000)


def test_without_close_notify_such_a_body_is_cut(front, origin):
    """Somebody on the way may have ended the connection; a client has to see that."""
    def handler(connection, _request):
        connection.send(b"HTTP/1.1 200 OK\r\n\r\n" + pattern(100_000))
        connection.cut()

    try:
        answer = front.get(origin.serve(handler))
    except Cut:
        return
    assert (answer.status, answer.error) == (502, "http_response_incomplete")


CUT = {
    "one byte less": (b"Content-Length: 1000\r\n", pattern(999)),
    "in a chunk": (b"Transfer-Encoding: chunked\r\n", b"3e8\r\n" + pattern(999)),
    "before the last chunk": (b"Transfer-Encoding: chunked\r\n", chunked(pattern(1000))[:-5]),
    "before the trailers' end": (b"Transfer-Encoding: chunked\r\n", chunked(pattern(1000))[:-2]),
}


@pytest.mark.parametrize("how", ["end", "cut"])
@pytest.mark.parametrize("where", CUT)
def test_cut_short_is_cut_for_the_client_too(front, origin, where, how):
    """Where the end is seen before anything was passed on, the answer is a 502."""
    def handler(connection, _request):
        head, sent = CUT[where]
        connection.send(b"HTTP/1.1 200 OK\r\n" + head + b"\r\n" + sent)
        getattr(connection, how)()

    try:
        answer = front.get(origin.serve(handler))
    except Cut:
        return
    assert (answer.status, answer.error) == (502, "http_response_incomplete")


def test_a_whole_body_needs_no_close_notify(front, origin):
    def handler(connection, _request):
        connection.reply(200, [], pattern(50_000))
        connection.cut()

    assert front.get(origin.serve(handler)).body == pattern(50_000)


def test_an_http_1_0_client_gets_the_end_of_the_connection(front, origin):
    def handler(connection, _request):
        connection.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunked(pattern(5000)))

    with front.connect() as client:
        client.send(f"GET /{origin.serve(handler)} HTTP/1.0\r\nHost: x\r\n\r\n".encode())
        answer = client.response()
        assert answer.all("Transfer-Encoding") == []
        assert answer.body == pattern(5000)
        assert client.at_end()


def test_an_http_1_0_service(front, origin):
    def handler(connection, _request):
        connection.send(b"HTTP/1.0 200 OK\r\nServer: old\r\n\r\n" + pattern(5000))
        connection.end()

    with front.connect() as client:
        url = origin.serve(handler)
        for _ in range(2):  # the client's own connection goes on
            client.send_request("GET", f"/{url}")
            assert client.response().body == pattern(5000)


@pytest.mark.parametrize("length", [None, 0, 12345])
def test_head(front, origin, length):
    def handler(connection, _request):
        line = b"" if length is None else b"Content-Length: %d\r\n" % length
        connection.send(b"HTTP/1.1 200 OK\r\nETag: x\r\n" + line + b"\r\n")

    with front.connect() as client:
        client.send_request("HEAD", f"/{origin.serve(handler)}")
        answer = client.response("HEAD")
        assert answer.status == 200
        assert answer.get("Content-Length") == (None if length is None else str(length))
        client.send_request("GET", f"/{origin.url}/bytes/5")
        assert client.response().body == pattern(5)


@pytest.mark.parametrize("status", [204, 304])
def test_answers_without_a_body(front, origin, status):
    def handler(connection, _request):
        length = b"Content-Length: 77\r\n" if status == 304 else b""
        connection.send(b"HTTP/1.1 %d Thing\r\nETag: x\r\n%s\r\n" % (status, length))

    with front.connect() as client:
        client.send_request("GET", f"/{origin.serve(handler)}")
        answer = client.response()
        assert (answer.status, answer.body) == (status, b"")
        client.send_request("GET", f"/{origin.url}/bytes/5")
        assert client.response().body == pattern(5)


def test_nothing_is_decompressed(front, origin):
    coded = bytes.fromhex("1f8b08000000000000034bcc4a4d010068c4c16c04000000")

    def handler(connection, _request):
        connection.reply(200, [("Content-Encoding", "gzip"), ("Vary", "Accept-Encoding")], coded)

    answer = front.get(origin.serve(handler), [("Accept-Encoding", "gzip, br")])
    assert answer.body == coded
    assert answer.get("Content-Encoding") == "gzip"
    assert origin.requests[-1].get("Accept-Encoding") == "gzip, br"
    front.get(f"{origin.url}/echo")
    assert origin.requests[-1].all("Accept-Encoding") == []


def test_download_arrives_piece_by_piece(front, origin):
    """Nothing waits for the end of a body: the next piece is sent when the one before has been read."""
    go_on = threading.Semaphore(0)

    def handler(connection, _request):
        connection.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        for i in range(5):
            piece = b"piece %d" % i
            connection.send(b"%x\r\n%s\r\n" % (len(piece), piece))
            assert go_on.acquire(timeout=20)
        connection.send(b"0\r\n\r\n")

    with front.connect() as client:
        client.send_request("GET", f"/{origin.serve(handler)}")
        client.head()
        for i, chunk in enumerate(client.chunks()):
            assert chunk == b"piece %d" % i
            go_on.release()
        assert i == 4


def test_upload_arrives_piece_by_piece(front, origin):
    arrived = threading.Semaphore(0)

    def handler(connection, _request):
        for _ in connection.body_parts():
            arrived.release()
        connection.reply()

    with front.connect() as client:
        client.send(f"POST /{origin.serve(handler)} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n".encode())
        for i in range(5):
            client.send(b"1\r\n%d\r\n" % i)
            assert arrived.acquire(timeout=20)
        client.send(b"0\r\n\r\n")
        assert client.response().status == 200


def test_both_directions_at_once(front, origin):
    """A service that answers each piece before the next one comes."""
    def handler(connection, _request):
        connection.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        for part in connection.body_parts():
            connection.send(b"%x\r\n%s\r\n" % (len(part), part.upper()))
        connection.send(b"0\r\n\r\n")

    with front.connect() as client:
        client.send(f"POST /{origin.serve(handler)} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n".encode())
        client.send(b"3\r\nabc\r\n")
        client.head()
        answers = client.chunks()
        for piece in (b"abc", b"def", b"ghi"):
            assert next(answers) == piece.upper()
            client.send(b"3\r\ndef\r\n" if piece == b"abc" else b"3\r\nghi\r\n" if piece == b"def" else b"0\r\n\r\n")
        assert list(answers) == []


def test_one_byte_at_a_time(front, origin):
    """Where a message is cut into segments means nothing."""
    request = f"POST /{origin.url}/echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n".encode()
    with front.connect() as client:
        for byte in request + chunked(b"abc", b"defgh", trailers=b"T: 1\r\n"):
            client.send(bytes([byte]))
        assert json.loads(client.response().body)["body"] == "abcdefgh"


def test_answer_before_the_upload_ends(front, origin):
    """The answer reaches the client though the service reads no further, and the rest of the body goes nowhere."""
    def handler(connection, _request):
        connection.send(b"HTTP/1.1 413 Too much\r\nContent-Length: 3\r\nConnection: close\r\n\r\nno!")
        connection.end()

    with front.connect() as client:
        client.send(f"POST /{origin.serve(handler)} HTTP/1.1\r\nHost: x\r\nContent-Length: 100000000\r\n\r\n".encode())
        client.send(b"x" * 10000)
        answer = client.response()
        assert (answer.status, answer.body) == (413, b"no!")


def test_answer_during_a_big_upload(front, origin):
    """A client that writes all it has before it reads still gets the early answer."""
    def handler(connection, _request):
        for number, _ in enumerate(connection.body_parts()):
            if number == 3:
                break
        connection.reply(403, [("Connection", "close")], b"enough")
        connection.wait_gone()

    with front.connect() as client:
        client.send(f"POST /{origin.serve(handler)} HTTP/1.1\r\nHost: x\r\nContent-Length: 3000000\r\n\r\n".encode())
        try:
            client.send(pattern(3_000_000))
        except (BrokenPipeError, ConnectionResetError):
            pass
        answer = client.response()
        assert (answer.status, answer.body) == (403, b"enough")


@pytest.fixture(scope="module")
def upload_url(workdir, pki):
    """nginx that reads a body whole and throws it away."""
    process, (port,) = nginx(workdir, workdir, [(pki.good, "TLSv1.3")])
    yield f"https://localhost:{port}/upload"
    process.stop()


@pytest.mark.parametrize("size", [0, 1000, 3_000_000])
@pytest.mark.parametrize("framing", ["length", "chunked"])
def test_curl_uploads_to_nginx(front, upload_url, size, framing):
    """curl asks with Expect: 100-continue before a big body; nginx answers that."""
    fields = ["-H", "Transfer-Encoding: chunked"] if framing == "chunked" else []
    done = subprocess.run(["curl", "-sS", "-m", "30", "-X", "PUT", "--data-binary", "@-", *fields,
                           "-w", " %{http_code} %{num_connects}", f"{front.url}/{upload_url}"],
                          input=pattern(size), capture_output=True)
    length = str(size) if framing == "length" else ""
    assert done.stdout.decode() == f"PUT {length} 200 1", done.stderr
