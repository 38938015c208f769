"""System calls that fail, are interrupted, or take a few bytes at a time: at most one exchange is lost, and no byte."""
import hashlib
import os
import ssl

import pytest
from harness.client import Cut
from harness.faults import NO_RETRIES, ROLES, plain_build, traced
from harness.origin import pattern

SHORT_WRITES = os.environ.get("NP_SHORT_WRITES", "")


def start_with(chain, role, binary, **how):
    chain.processes[role].stop()
    normal, chain.binary = chain.binary, binary
    chain.settings[role]["sandbox"] = "off"  # an injected error is a call with number -1 to the filter
    chain.start(role, **how)
    chain.binary = normal


@plain_build
@pytest.mark.parametrize("role,inject", [
    ("tunnel", "connect:error=ECONNREFUSED:when=1+3"),
    ("tunnel", "connect:error=ETIMEDOUT:when=1+3"),
    ("tunnel", "socket:error=ENOBUFS:when=5+4"),
    ("enclave", "connect:error=ECONNREFUSED:when=2+3"),
    ("enclave", "accept4:error=EMFILE:when=2+2"),
    ("enclave", "accept4:error=ECONNABORTED:when=2+2"),
    ("enclave", "accept4:error=EINTR:when=1+2"),
    ("host", "connect:error=EAGAIN:when=1+2"),
    ("host", "connect:error=EINTR:when=1+4"),
    ("host", "accept4:error=ENFILE:when=2+2"),
    ("host", "accept4:error=ENOBUFS:when=2+2"),
    ("host", "epoll_ctl:error=ENOSPC:when=12+7"),  # the first ones are libuv's own, which ends without them
    ("host", "setsockopt:error=EINVAL"),
])
def test_calls_that_fail(start_chain, origin, tmp_path, role, inject):
    """A failed call is a failed exchange at most, and never the end."""
    # Where it is not the first call that fails, a trunk would spare that call.
    one_by_one = {} if "when=1" in inject else {"trunk": "false"}
    chain = start_chain(host={**NO_RETRIES, **one_by_one, "timeouts_pool_idle": "1ms"},
                        enclave={**one_by_one, "limits_pool_idle": "0"})
    start_with(chain, role, traced(tmp_path, inject))
    statuses = []
    for i in range(12):
        try:
            answer = chain.front.request("POST", f"{origin.url}/sha256", [], b"x" * i)
            assert answer.status != 200 or answer.body == b"%d %s" % (i, hashlib.sha256(b"x" * i).hexdigest().encode())
            statuses.append(answer.status)
        except (Cut, ConnectionError):
            statuses.append(None)
    assert set(statuses) <= {200, 502, 503, 504, None} and 200 in statuses
    assert chain.processes[role].running()
    assert "(INJECTED)" in (tmp_path / "trace").read_text()


@plain_build
@pytest.mark.parametrize("call,when", [("recvfrom", "3+5"), ("write", "3+5"), ("sendto", "3+5"), ("sendmsg", "1+2"),
                                       ("epoll_wait", "3+5"), ("poll", "3+2")])
def test_interrupted_calls(start_chain, origin, tmp_path, call, when):
    """EINTR now and then, in every role: not a byte is lost."""
    chain = start_chain()
    for role in ("tunnel", "enclave", "host"):
        (tmp_path / role).mkdir()
        start_with(chain, role, traced(tmp_path / role, f"{call}:error=EINTR:when={when}"))
    body = pattern(200_000)
    answer = chain.front.request("POST", f"{origin.url}/sha256", [], body)
    assert answer.body == b"%d %s" % (len(body), hashlib.sha256(body).hexdigest().encode())
    assert chain.front.get(f"{origin.url}/bytes/200000").body == body
    assert any("(INJECTED)" in (tmp_path / role / "trace").read_text() for role in ROLES)


@plain_build
@pytest.mark.skipif(not os.path.exists(SHORT_WRITES), reason="NP_SHORT_WRITES does not name short_writes.so")
def test_short_writes(start_chain, origin):
    """The kernel takes a few bytes at a time from every role (short_writes.c): not one is lost, doubled or moved."""
    chain = start_chain(start=False)
    for role in ("tunnel", "enclave", "host"):
        chain.start(role, env={"LD_PRELOAD": SHORT_WRITES})
    body = pattern(1_500_000)
    digest = b"%d %s" % (len(body), hashlib.sha256(body).hexdigest().encode())
    for front in (chain.front, chain.inner):
        assert front.request("POST", f"{origin.url}/sha256", [], body).body == digest
        assert front.get(f"{origin.url}/bytes/1500000").body == body
        with front.connect() as client:  # raw, and in bulk: spliced
            client.send(f"CONNECT {origin.authority} HTTP/1.1\r\nHost: {origin.authority}\r\n\r\n".encode())
            assert client.response("CONNECT").status == 200
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
            with context.wrap_socket(client.socket, server_hostname="localhost") as secure:
                secure.sendall(b"GET /bytes/1500000 HTTP/1.1\r\nHost: x\r\n\r\n")
                got = b""
                while not got.endswith(body[-100:]) or len(got) < len(body):
                    got += secure.recv(65536) or pytest.fail("cut")
                assert got.partition(b"\r\n\r\n")[2] == body
