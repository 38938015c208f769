"""The enclave's clock follows a PTP device: the real one's system calls, in the guest, as its first process."""
import datetime
import re
import time

import pytest

import vm
from harness.origin import pattern


@pytest.fixture
def boot(directory, workdir, make_image):
    chains = []

    def start(ahead=None, options=()):
        """ahead: milliseconds by which the PTP clock is ahead of the guest's; None: it begins in 1970."""
        image, _ = make_image(files=str(vm.app_directory(workdir)))
        words = "rdinit=/bin/ptp" + (f" ptp_ahead={ahead}" if ahead is not None else "")
        chain = vm.EmulatedChain(directory, image, options=options, append=words)
        chains.append(chain)
        chain.enclave.wait_line("^ptp: |role=enclave msg=ready", 240)
        if said := chain.enclave.matching("^ptp: this kernel makes no clock"):
            pytest.skip(f"{said[0]}; one that deps.sh --enclave-tests has built does")
        chain.wait_ready()
        return chain

    yield start
    for chain in chains:
        chain.stop()


def gauge(chain, name):
    found = re.search(rf'^nitroproxy_{name}{{role="enclave"}} (\S+)$', chain.front.get("/metrics").body.decode(), re.M)
    return float(found.group(1)) if found else None


def test_far_ahead(boot, origin):
    """Stepped at once; and looked at again half a minute later, from within the sandbox."""
    chain = boot(ahead=5000)
    stepped = chain.enclave.wait_line(r"msg=clock detail=\"stepped to the hypervisor's time\" by_ms=(\d+)")
    assert abs(int(stepped.group(1)) - 5000) < 1000
    vm.wait_for(lambda: gauge(chain, "clock_steps_total") == 1, "metrics")
    assert abs(gauge(chain, "clock_offset_seconds") - 5) < 1
    assert chain.front.get(f"{origin.url}/bytes/10").body == pattern(10)
    vm.wait_for(lambda: abs(gauge(chain, "clock_offset_seconds")) < 1, "the second look", 60)
    assert (gauge(chain, "clock_in_step"), gauge(chain, "clock_steps_total")) == (1, 1)


def test_a_little_behind(boot):
    """Within a second it is slewed, not stepped."""
    chain = boot(ahead=-400)
    vm.wait_for(lambda: gauge(chain, "clock_in_step") == 1, "metrics")
    assert -0.9 < gauge(chain, "clock_offset_seconds") < -0.1
    assert gauge(chain, "clock_steps_total") == 0
    assert not chain.enclave.matching("msg=clock")


def test_a_machine_that_wakes_in_another_year(boot, origin):
    """Its own clock is nonsense, the hypervisor's is right: certificates can be judged after all."""
    base = datetime.datetime(1970, 3, 1, tzinfo=datetime.timezone.utc).timestamp()
    chain = boot(ahead=int(time.time() - base) * 1000, options=["-rtc", "base=1970-03-01"])
    chain.enclave.wait_line(r"msg=clock detail=\"stepped")
    assert chain.front.get(f"{origin.url}/bytes/10").body == pattern(10)


def test_a_hypervisor_in_another_year(boot, origin):
    """PTP says 1971: followed, for there is nobody else to believe; so no certificate is."""
    chain = boot(ahead=-int(time.time() - 400 * 86400) * 1000)
    response = chain.front.get(f"{origin.url}/bytes/10")
    assert response.status == 500 and "clock cannot be right" in response.details


def test_a_time_that_the_kernel_refuses(boot):
    """PTP says that the epoch began seconds ago, before which the machine was up: said, and seen in the metrics."""
    chain = boot()
    chain.enclave.wait_line(r"msg=clock error=\w+ detail=\"the clock cannot be set")
    vm.wait_for(lambda: gauge(chain, "clock_in_step") == 0, "metrics")
    assert (gauge(chain, "clock_good"), gauge(chain, "clock_steps_total")) == (1, 0)
