"""
Slow clients and many: each costs little, and the others are served as ever.

NP_LONG=1 makes the crowds as large as they are in production (10 000 idle clients, 2 000 slow ones).
"""
import os
import resource
import socket
import statistics
import time

import pytest
from harness.client import Cut
from harness.faults import NO_RETRIES, plain_build, served
from harness.origin import pattern
from harness.servers import BlackHole
from harness.until import wait_until

LONG = os.environ.get("NP_LONG") == "1"


def test_a_client_that_half_closes_is_answered(start_chain, origin):
    chain = start_chain()
    for front in (chain.front, chain.inner):
        with front.connect() as client:
            client.send_request("POST", f"/{origin.url}/sha256", [], b"abc")
            client.socket.shutdown(socket.SHUT_WR)
            assert client.response().status == 200
    cpu = sum(p.cpu_seconds() for p in chain.processes.values())
    time.sleep(1)
    assert sum(p.cpu_seconds() for p in chain.processes.values()) - cpu < 0.2


def latency(front, origin, count):
    """The median time of a request, in seconds."""
    times = []
    with front.connect() as client:
        for _ in range(count):
            started = time.monotonic()
            client.send_request("GET", f"/{origin.url}/bytes/7")
            assert client.response().body == pattern(7)
            times.append(time.monotonic() - started)
    return statistics.median(times)


def test_slow_clients(start_chain, origin):
    """Heads and bodies that come a byte a second: the others are served, the slow ones are told 408 and go."""
    count = 2000 if LONG else 300
    slow = {"timeouts_client_header": "3s", "timeouts_body_stall": "3s"}
    chain = start_chain(host=slow, enclave=slow)
    for front in (chain.front, chain.inner):
        assert served(front, origin)
        clients = []
        for i in range(count):
            client = front.connect()
            client.send(b"GET / HTTP/1.1\r\nHost: x\r\nX-Slow: " if i % 2 else
                        f"POST /{origin.url}/sha256 HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nx".encode())
            clients.append(client)
        assert latency(front, origin, 50) < 0.25
        statuses = []
        for client in clients:
            try:
                statuses.append(client.response().status)
            except (Cut, ConnectionError):
                statuses.append(None)
            client.close()
        assert set(statuses) <= {408, 504}, {s: statuses.count(s) for s in set(statuses)}
        assert served(front, origin)


@plain_build
def test_idle_clients(start_chain, origin):
    """Each costs little memory and nobody else any time."""
    count = 9_000 if LONG else 1500
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    if hard < count + 1000:
        pytest.skip(f"{hard} descriptors are not enough")
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    chain = start_chain()
    assert served(chain.front, origin)
    before = chain.host.rss()
    descriptors = chain.host.descriptors()
    clients = [chain.front.connect() for _ in range(count)]
    for client in clients[::10]:  # every tenth has been served once
        client.send_request("GET", f"/{origin.url}/bytes/7")
        assert client.response().status == 200
    wait_until(lambda: chain.host.descriptors() >= descriptors + count - 10, "not all were accepted")
    each = (chain.host.rss() - before) / count
    print(f"{each:.0f} bytes a client")
    assert each < 8192
    assert latency(chain.front, origin, 50) < 0.05
    for client in clients:
        client.close()
    wait_until(lambda: chain.host.descriptors() <= descriptors + 2, "descriptors are left")
    assert served(chain.front, origin)


def test_flood_to_a_black_hole(start_chain, origin):
    """Hundreds who wait for a dead service slow nobody down who wants a living one."""
    chain = start_chain(tunnel={"timeouts_connect": "4s"}, enclave={"timeouts_tunnel_connect": "12s"}, host=NO_RETRIES)
    rounds, front = 2000 if LONG else 300, chain.front

    def measured():
        """The median time of a request, and the processes' CPU time for all of them: this asks nobody for a quiet machine."""
        before = sum(p.cpu_seconds() for p in chain.processes.values())
        median = latency(front, origin, rounds)
        return median, sum(p.cpu_seconds() for p in chain.processes.values()) - before

    assert served(front, origin)
    latency(front, origin, 50)
    calm, calm_cpu = measured()
    hole, sockets = BlackHole(), chain.tunnel.descriptors()
    clients = []
    for _ in range(300):
        client = front.connect()
        client.send_request("GET", f"/https://127.0.0.1:{hole.port}/")
        clients.append(client)
    wait_until(lambda: chain.tunnel.descriptors() >= sockets + 300, "not all are being connected")
    flooded, flooded_cpu = measured()
    print(f"median {calm * 1e6:.0f} us, with the flood {flooded * 1e6:.0f} us: {flooded / calm - 1:+.1%}")
    assert flooded_cpu < calm_cpu * (1.1 if LONG else 1.5) + 0.05
    assert flooded < (calm * 1.1 + 0.0005 if LONG else 0.5)  # the dead service is waited for 4 s
    assert {client.response().status for client in clients} == {504}
    for client in clients:
        client.close()
    hole.close()
    assert served(front, origin)
