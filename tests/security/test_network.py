"""
Names that do not resolve, resolve late or to something else, and networks that swallow packets: faults 9 and 24. The
tunnel has a network of its own here, with our name server and our services in it.
"""
import socket
import threading
import time

import pytest
from harness import network
from harness.chain import NITROPROXY
from harness.client import Cut
from harness.sockets import accept_each
from harness.until import wait_until

pytestmark = pytest.mark.skipif(not network.available(), reason="for root, with network namespaces and iptables")

SHORT = {"timeouts_dns": "4s", "timeouts_connect": "3s", "timeouts_tunnel_idle": "700ms"}


class Service:
    """Answers each connection with its own local address, or as told; in the tunnel's network."""

    def __init__(self, pid, addresses=("127.0.0.1",), talk=None):
        self.sockets, self.accepted = [], []
        self.talk = talk or (lambda s: s.sendall(s.getsockname()[0].encode()))
        with network.Inside(pid):
            first = socket.create_server((addresses[0], 0), backlog=512)
            self.port = first.getsockname()[1]
            self.sockets = [first] + [socket.create_server((a, self.port), backlog=512) for a in addresses[1:]]
        for listener in self.sockets:
            accept_each(listener, self._one)

    def _one(self, connection):
        self.accepted.append(connection.getsockname()[0])
        with connection:
            self.talk(connection)

    def close(self):
        for listener in self.sockets:
            listener.close()


class Lab:
    def __init__(self, start_chain, directory, **settings):
        chain = start_chain(start=False, enclave={"timeouts_tunnel_connect": "20s"},
                            host={"host_proxy_max_retries": "0"}, tunnel={**SHORT, **settings})
        normal, chain.binary = chain.binary, network.isolated(directory, NITROPROXY)
        chain.start("tunnel")
        chain.binary = normal
        for role in ("enclave", "host"):
            chain.start(role)
        self.chain, self.pid = chain, chain.tunnel.pid
        self.dns = network.Dns(self.pid)
        self.service = Service(self.pid)

    def connect(self, authority):
        client = self.chain.front.connect()
        client.send(f"CONNECT {authority} HTTP/1.1\r\nHost: {authority}\r\n\r\n".encode())
        return client

    def ask(self, name, port=None):
        """(status, error, what the service said, seconds)"""
        started = time.monotonic()
        with self.connect(f"{name}:{port or self.service.port}") as client:
            answer = client.response("CONNECT")
            said = client.read_to_end().decode() if answer.status == 200 else answer.details
            return answer.status, answer.error, said, time.monotonic() - started

    def close(self):
        self.dns.close()
        self.service.close()


@pytest.fixture
def lab(start_chain, tmp_path):
    made = Lab(start_chain, tmp_path)
    yield made
    made.close()


# ---- names ----

def test_what_a_name_server_says_is_what_the_client_hears(lab):
    """No (502) and silence (504) are kept apart, and both are the tunnel's to say."""
    lab.dns.names.update({"ok.test": ["127.0.0.1"], "failing.test": network.SERVFAIL, "silent.test": None,
                          "empty.test": [], "denied.test": ["10.9.8.7"]})
    for name, expected in (("ok.test", (200, None)), ("gone.test", (502, "dns_error")),
                           ("failing.test", (502, "dns_error")), ("empty.test", (502, "dns_error")),
                           ("silent.test", (504, "dns_timeout")), ("denied.test", (403, "destination_ip_prohibited"))):
        status, error, said, _ = lab.ask(name)
        assert (name, status, error) == (name, *expected)
        assert status == 200 or said.startswith("tunnel: ")


def test_a_dead_name_server_and_a_new_one(lab):
    lab.dns.names["ok.test"] = ["127.0.0.1"]
    lab.dns.close()
    status, error, _, took = lab.ask("ok.test")
    assert (status, error) == (502, "dns_error") and took < 1
    lab.dns = network.Dns(lab.pid)
    lab.dns.names["ok.test"] = ["127.0.0.1"]
    assert lab.ask("ok.test")[0] == 200


def test_slow_names_delay_nobody_else(lab):
    """Thirty that wait for their name, and one in the middle of them that does not."""
    lab.dns.names.update({f"slow{i}.test": None for i in range(30)})
    lab.dns.names["quick.test"] = ["127.0.0.1"]
    slow = [lab.connect(f"slow{i}.test:{lab.service.port}") for i in range(30)]
    deadline = time.monotonic() + 5
    while len({name for name, _ in lab.dns.queries}) < 30:
        assert time.monotonic() < deadline, "not all names were asked for"
        time.sleep(0.01)
    status, _, said, took = lab.ask("quick.test")
    assert (status, said) == (200, "127.0.0.1")
    assert took < 1
    for client in slow:
        assert client.response("CONNECT").status == 504
        client.close()


def test_the_first_addresses_are_dead(lab):
    """
    A refusal is followed by the next address at once; silence by one more each 250 ms, beside those that are still
    tried (RFC 8305). glibc puts 127.0.1.x before 127.0.2.x: it has more bits in common with 127.0.0.1 (RFC 6724).
    """
    service = Service(lab.pid, ("127.0.2.1",))
    for i in (1, 2, 3):
        network.drop_address(lab.pid, f"127.0.1.{i}")
    lab.dns.names.update({"refused.test": ["127.0.1.9", "127.0.1.8", "127.0.2.1"],
                          "silent.test": ["127.0.1.1", "127.0.2.1"],
                          "silence.test": ["127.0.1.1", "127.0.1.2", "127.0.1.3", "127.0.2.1"],
                          "dead.test": ["127.0.1.1", "127.0.1.9"]})
    for name, least, most in (("refused.test", 0, 0.25), ("silent.test", 0.25, 0.5), ("silence.test", 0.75, 1)):
        tries = [lab.ask(name, service.port) for _ in range(6)]
        assert {(status, said) for status, _, said, _ in tries} == {(200, "127.0.2.1")}
        quickest = min(took for _, _, _, took in tries)  # the others say how busy this machine is
        assert least <= quickest < most, (name, quickest)
    assert lab.ask("dead.test", service.port)[:2] == (504, "connection_timeout")
    service.close()


def test_fifty_addresses(lab):
    """Some of them allowed, some not: those that are not are not dialled, whatever their place in the list."""
    lab.dns.names["many.test"] = [f"10.0.0.{i}" for i in range(1, 20)] + ["127.0.0.1"] + \
                                 [f"192.168.0.{i}" for i in range(1, 8)]
    assert lab.ask("many.test")[:3] == (200, None, "127.0.0.1")
    lab.dns.names["none.test"] = [f"10.0.0.{i}" for i in range(1, 28)]
    assert lab.ask("none.test")[:2] == (403, "destination_ip_prohibited")


def test_what_was_judged_is_what_is_dialled(lab):
    """Rebinding: a name server that changes its mind between question and connection is asked once."""
    turns = iter(["127.0.0.1", "10.0.0.1"] * 100)
    lab.dns.names["rebinding.test"] = lambda: [next(turns)]
    for _ in range(10):
        before = len(lab.dns.queries)
        status, error, said, _ = lab.ask("rebinding.test")
        assert (status, error, said) == (200, None, "127.0.0.1") or (status, error) == (403, "destination_ip_prohibited")
        assert sorted(kind for _, kind in lab.dns.queries[before:]) == [network.A, network.AAAA]
    assert set(lab.service.accepted) <= {"127.0.0.1"}


# ---- packets that vanish ----

@pytest.mark.parametrize("stage", ["quiet", "bulk"])
def test_half_open(lab, stage):
    """The service's machine is gone without FIN or RST: the idle limit ends it, and nothing is left behind."""
    go = threading.Event()

    def talk(s):
        s.sendall(b"hello")
        go.wait(20)
        if stage == "bulk":
            try:
                s.sendall(b"x" * 1_000_000)
            except OSError:
                pass
        s.settimeout(20)
        try:
            s.recv(1)
        except OSError:
            pass

    service = Service(lab.pid, talk=talk)
    lab.dns.names["there.test"] = ["127.0.0.1"]
    assert lab.ask("there.test")[0] == 200
    before = lab.chain.tunnel.descriptors()
    with lab.connect(f"there.test:{service.port}") as client:
        assert client.response("CONNECT").status == 200
        assert client.read_exactly(5) == b"hello"
        network.drop_port(lab.pid, service.port)
        go.set()
        started = time.monotonic()
        if stage == "bulk":
            client.send(b"y" * 100_000)
        with pytest.raises((ConnectionResetError, Cut)):
            client.socket.settimeout(10)
            if not client.socket.recv(1):
                raise AssertionError("a clean end")
        assert time.monotonic() - started < 5
    wait_until(lambda: lab.chain.tunnel.descriptors() <= before, "descriptors are left")
    assert network.connections(lab.pid, service.port) == 0
    assert lab.ask("there.test")[0] == 200
    assert lab.ask("there.test", service.port)[:2] == (504, "connection_timeout")
    service.close()
