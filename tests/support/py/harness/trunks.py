"""Trunks seen from outside: who has how many connections, and that one is up."""
import concurrent.futures
import re
import struct
import threading

from .sockets import exactly

UP = {"logging_level": "debug"}  # a role that logs when its trunk is up


def connections(address):
    """How many connections have been made to a unix socket and not been closed by whoever took them."""
    path = address.removeprefix("unix:")
    with open("/proc/net/unix") as lines:
        fields = [line.split() for line in lines]
    return sum(len(f) == 8 and f[7] == path and f[5] == "03" for f in fields)  # not the listener itself


def wait_trunk(process, which="", start=0):
    """Until the trunk is up that `process`, which logs with UP, dials: its strands. start: the line from which on."""
    return int(process.wait_line(rf"msg=trunk to=\S*{which} strands=(\d+)", start=start)[1])


def trunk_chain(start_chain, **settings):
    """A chain of which both trunks are up; `strands` of a role: what its trunk may carry at a time."""
    for role in ("host", "enclave"):
        settings[role] = {**UP, **settings.get(role, {})}
    chain = start_chain(**settings)
    chain.enclave.strands = wait_trunk(chain.enclave, "tunnel.sock")
    chain.host.strands = wait_trunk(chain.host, "enclave.sock")
    return chain


def counter(front, name, role):
    """A number of /metrics."""
    text = front.get("/metrics").body.decode()
    values = re.findall(rf'^nitroproxy_{name}{{role="{role}"}} (\S+)$', text, re.MULTILINE)
    assert len(values) == 1, f"{name} of {role} stands {len(values)} times in\n{text}"
    return float(values[0])


def echoed(front, origin, count, body, timeout=30):
    """Whether a body comes back whole, from so many exchanges of which none ends before all have sent theirs."""
    all_here = threading.Barrier(count)

    def handler(connection, _request):
        got = connection.read_body()
        all_here.wait(timeout)
        connection.reply(200, [], got)

    url = origin.serve(handler)
    with concurrent.futures.ThreadPoolExecutor(count) as pool:
        answers = [pool.submit(front.request, "POST", url, [], body) for _ in range(count)]
        return all(answer.result().body == body for answer in answers)


# ---- for who speaks it himself: net/bundle.h ---------------------------------------------------------------------------

OPEN, CREDIT, END, CLOSE, RESET, MOVE, MOVED, DATA, LEAVE, PING, PONG = range(1, 12)


def strand_frame(kind, strand=0, payload=b"", length=None):
    """length: what it says, whatever there is."""
    length = len(payload) if length is None else length
    return struct.pack("!II", kind << 24 | length, strand) + payload


def read_strand_frame(sock):
    """kind, strand, length, payload"""
    head, strand = struct.unpack("!II", exactly(sock, 8))
    kind, length = head >> 24, head & 0xffffff
    return kind, strand, length, exactly(sock, length) if kind == DATA else b""
