"""Signals to a role: stopped and continued, SIGHUP, and a second one during a drain."""
import signal

import pytest
from harness.faults import NO_RETRIES, ROLES, served
from harness.origin import pattern


def test_stopped_enclave_is_a_timeout_and_its_late_answer_is_nobodys(start_chain, origin):
    short = {"timeouts_response_header": "300ms", "timeouts_tunnel_connect": "200ms", "timeouts_tls_handshake": "200ms"}
    chain = start_chain(host={**NO_RETRIES, **short, "timeouts_enclave_connect": "300ms"}, enclave=short,
                        tunnel={"timeouts_dns": "100ms", "timeouts_connect": "100ms"})
    assert served(chain.front, origin)
    chain.enclave.signal(signal.SIGSTOP)
    # The host gives the enclave five seconds more than the enclave has, for it can say which hop was slow.
    answer = chain.front.get(f"{origin.url}/bytes/8")
    assert answer.status == 504
    chain.enclave.signal(signal.SIGCONT)
    for size in range(9, 30):
        assert chain.front.get(f"{origin.url}/bytes/{size}").body == pattern(size)


def test_hangup_changes_nothing(start_chain, origin):
    chain = start_chain()
    for role in ROLES:
        chain.processes[role].signal(signal.SIGHUP)
    assert served(chain.front, origin)


@pytest.mark.parametrize("first", [signal.SIGTERM, signal.SIGINT])
def test_a_second_signal_ends_at_once(start_chain, origin, first):
    chain = start_chain()
    url = origin.serve(lambda connection, _request: connection.wait_gone())
    with chain.front.connect() as client:
        client.send_request("POST", f"/{url}", [], b"x")
        origin.wait_for(lambda o: o.seen(url))
        chain.host.signal(first)
        chain.host.wait_line("msg=drain")
        assert chain.host.running()
        chain.host.signal(signal.SIGTERM)
        assert chain.host.wait(5) == 0
