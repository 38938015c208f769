"""
No two spellings of one target get different verdicts, through the whole chain: forms of naming it, spellings of host,
port and path at random (the seed is fixed; NP_SEED tries another). What is denied stays denied however it is written:
400 or 403, and the service is not even dialled. What is allowed is allowed, or 400, but never 403.
"""
import os
import random
import urllib.parse

import pytest
from harness.chain import NITROPROXY

SEED = int(os.environ.get("NP_SEED", "1"))
COUNT = 300
FULL_WIDTH = {chr(c): chr(c - 0x21 + 0xff01) for c in range(0x21, 0x7f)}


# ---- spellings ----

def odd(pick, share, ways, usual):
    """One oddity at a time does most of the harm: two in one request are mostly nonsense to everybody."""
    return pick.choice(ways) if pick.random() < share else usual


def spell_letters(text, pick, ways):
    """Each letter as it is or in one of the ways."""
    return "".join(pick.choice(ways)(c) if c.isalnum() and pick.random() < 0.5 else c for c in text)


def percent(c):
    return "".join(f"%{byte:02x}" for byte in c.encode())


def spell_name(name, pick):
    spelled = spell_letters(name, pick, pick.choice([[str.upper], [str.upper, FULL_WIDTH.get], [percent, str.upper]]))
    return spelled + odd(pick, 0.3, [".", "\u3002", ".."], "")


def spell_ipv4(pick):
    return pick.choice(["127.0.0.1", "127.0.0.1.", "2130706433", "0177.0.0.1", "0x7f.0.0.1", "0x7f000001", "127.1",
                        "127.0.1", "017700000001", "127.0.0.01", "127.000.000.001", "[::ffff:127.0.0.1]",
                        "[::ffff:7f00:1]", "[0:0:0:0:0:ffff:7f00:0001]", "[::FFFF:7F00:1]", "[64:ff9b::7f00:1]",
                        "[2002:7f00:1::]", "１２７.0.0.1", "127%2e0.0.1", "127\u30020\u30020\u30021", "[127.0.0.1]",
                        "[::ffff:127.0.0.1%25lo]"])


def spell_port(port, pick):
    return odd(pick, 0.1, [f"0{port}", f"000{port}", f"{port + 65536}", f"{port} ", f"+{port}", hex(port),
                           f"{port}%20"], f"{port}")


def spell_path(path, pick):
    for _ in range(pick.choice([0, 1, 1, 2])):
        path = pick.choice([
            lambda p: spell_letters(p, pick, [percent]), lambda p: "/." + p, lambda p: "/x/.." + p,
            lambda p: "/%2e" + p, lambda p: "/x/%2E%2e" + p, lambda p: "/" + p, lambda p: p.replace("/", "%2f", 2),
            lambda p: p.replace("/", "\\"), lambda p: p + "/", lambda p: p + "/x", lambda p: p + "?a=/b",
            lambda p: p + ";a=b", lambda p: p + "%00", lambda p: p.replace("%", "%25"), lambda p: p + "/../y"])(path)
    return path


def request(host, port, path, pick):
    """One of the forms, as bytes."""
    scheme = pick.choice(["https", "https", "HTTPS", "hTTps"])
    user = odd(pick, 0.1, ["user@", "example.com@", "a:b@"], "")
    authority = f"{user}{host}:{port}"
    url = f"{scheme}:{odd(pick, 0.1, ['/', '///', chr(92) * 2], '//')}{authority}{path}"
    lines = pick.choice([
        f"GET /{url} HTTP/1.1\r\nHost: x\r\n", f"GET {url} HTTP/1.1\r\nHost: {host}:{port}\r\n",
        f"GET / HTTP/1.1\r\nHost: x\r\nX-Target-URL: {url}\r\n",
        f"CONNECT {authority} HTTP/1.1\r\nHost: {authority}\r\n"])
    return (lines + "Connection: close\r\n\r\n").encode()


# ---- the chain ----

@pytest.fixture
def verdicts(start_chain, origin):
    """verdicts(policy, paths): [(what was sent, status)] of both ways in, and how often the service was dialled."""
    if not NITROPROXY:
        pytest.skip("NITROPROXY does not name the executable")

    def run(paths, tunnel=None, **enclave):
        chain = start_chain(enclave=enclave, tunnel=tunnel or {})
        pick, before, out = random.Random(SEED), origin.connections, []
        for i in range(COUNT):
            host = spell_name("localhost", pick) if pick.random() < 0.7 else spell_ipv4(pick)
            data = request(host, spell_port(origin.port, pick), spell_path(pick.choice(paths), pick), pick)
            with (chain.front, chain.inner)[i % 2].connect() as client:
                client.send(data)
                out.append((data, client.head().status))
        return out, origin.connections - before

    return run


def statuses(out):
    return {status: sum(s == status for _, s in out) for status in {s for _, s in out}}


def test_a_denied_host_by_any_name(verdicts, origin):
    out, dialled = verdicts(["/bytes/3"], policy_deny=[f"localhost:{origin.port}", f"127.0.0.1:{origin.port}"])
    assert set(statuses(out)) <= {400, 403}, [o for o in out if o[1] not in (400, 403)]
    assert dialled == 0
    assert statuses(out)[403] > COUNT / 10  # and not all of it was nonsense


def test_the_tunnel_alone_denies_it_as_well(verdicts):
    out, dialled = verdicts(["/bytes/3"], tunnel={"allow": ["other.test:443"]})
    assert set(statuses(out)) <= {400, 403}
    assert dialled == 0
    assert statuses(out)[403] > COUNT / 10


def test_an_allowed_host_by_any_name(verdicts, origin):
    out, dialled = verdicts(["/bytes/3"], policy_allow=[f"localhost:{origin.port}", f"127.0.0.1:{origin.port}"])
    names = [(data, status) for data, status in out if b"localhost" in data.lower()]
    assert 403 not in statuses(names), [o for o in names if o[1] == 403]
    assert dialled > 0 and statuses(out)[200] > COUNT / 20


def canonical(target):
    """As a server might read it that decodes once, takes both slashes for one, and resolves dots."""
    path = urllib.parse.unquote(target.partition("?")[0]).replace("\\", "/")
    out = []
    for segment in path.split("/"):
        segment = segment.partition(";")[0].partition("\0")[0]
        if segment == "..":
            del out[-1:]
        elif segment not in ("", "."):
            out.append(segment)
    return "/" + "/".join(out)


def test_a_denied_path_by_any_spelling(verdicts, origin):
    seen = len(origin.requests)
    out, _ = verdicts(["/secret", "/secret/x", "/bytes/3"], policy_default="allow",
                      policy_deny=[f"localhost:{origin.port}/secret", f"127.0.0.1:{origin.port}/secret", "*:* CONNECT"])
    arrived = [r.target for r in origin.requests[seen:]]
    assert arrived and not [t for t in arrived if canonical(t).split("/")[1] == "secret"]
    assert statuses(out)[403] > COUNT / 20
