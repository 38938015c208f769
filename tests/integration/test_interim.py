"""1xx answers, Expect: 100-continue, and clients that know neither."""
import threading


def test_interim_answers_pass(front, origin):
    def handler(connection, _request):
        connection.send(b"HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\n"
                        b"HTTP/1.1 102 Processing\r\n\r\n")
        connection.reply(200, [], b"end")

    answer = front.get(origin.serve(handler))
    assert [i.status for i in answer.interim] == [103, 102]
    assert answer.interim[0].get("Link") == "</a.css>"
    assert (answer.status, answer.body) == (200, b"end")


def test_interim_answers_come_at_once(front, origin):
    go_on = threading.Event()

    def handler(connection, _request):
        connection.send(b"HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\n")
        assert go_on.wait(20)
        connection.reply()

    with front.connect() as client:
        client.send_request("GET", f"/{origin.serve(handler)}")
        assert client.head().status == 103
        go_on.set()
        assert client.response().status == 200


def test_an_http_1_0_client_gets_none(front, origin):
    def handler(connection, _request):
        connection.send(b"HTTP/1.1 103 Early Hints\r\n\r\n")
        connection.reply(200, [], b"end")

    with front.connect() as client:
        client.send(f"GET /{origin.serve(handler)} HTTP/1.0\r\nHost: x\r\n\r\n".encode())
        assert client.head().status == 200


def test_expect_is_the_services_to_answer(front, origin):
    """The client sends its body only when the service has asked for it."""
    def handler(connection, request):
        assert request.get("Expect") == "100-continue"
        connection.send(b"HTTP/1.1 100 Continue\r\n\r\n")
        connection.reply(200, [], connection.read_body())

    with front.connect() as client:
        client.send(f"PUT /{origin.serve(handler)} HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n"
                    "Expect: 100-continue\r\n\r\n".encode())
        assert client.head().status == 100
        client.send(b"body")
        assert client.response().body == b"body"


def test_expectation_refused(front, origin):
    """A final answer instead: the body is never sent, and the service sees none."""
    url = origin.serve(lambda connection, _request: connection.reply(401, [("WWW-Authenticate", "Basic")], b"no"))
    before = origin.received
    with front.connect() as client:
        client.send(f"PUT /{url} HTTP/1.1\r\nHost: x\r\nContent-Length: 4000\r\n"
                    "Expect: 100-continue\r\n\r\n".encode())
        answer = client.response()
        assert (answer.status, answer.body) == (401, b"no")
    assert origin.received - before == len(origin.seen(url)[0].head) + 4


def test_a_service_that_says_nothing_to_an_expectation(front, origin):
    """A client that sends its body unasked after a while is not held up."""
    url = f"{origin.url}/echo"
    with front.connect() as client:
        client.send(f"PUT /{url} HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n".encode())
        origin.wait_for(lambda o: o.requests and o.requests[-1].get("Expect"))
        client.send(b"body")
        assert client.response().status == 200
    assert origin.requests[-1].body == b"body"


def test_a_flood_of_interim_answers_ends(front, origin):
    """Each gives the service its time anew, so there must be an end to them."""
    def handler(connection, _request):
        while True:
            connection.send(b"HTTP/1.1 102 Processing\r\n\r\n")

    answer = front.get(origin.serve(handler))
    assert (answer.status, answer.error) == (502, "http_protocol_error")
    assert len(answer.interim) <= 100
