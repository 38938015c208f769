#!/usr/bin/python3
"""
`dev.sh enclave`: builds the enclave image, boots it in QEMU's nitro-enclave machine and sends requests of this
machine's curl through it, with everything said on the way.

    curl -> host =vsock= the image, nitroproxy its first process =vsock= tunnel -> a service, TLS 1.3 only

    show.py [--once]        without --once all stays up until Ctrl-C

The environment names what was built: NITROPROXY, NP_STATIC, NP_VSOCKD.
"""
import json
import os
import pathlib
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time

sys.path[:0] = [str(pathlib.Path(__file__).parent.parent / "support" / "py")]

import vm  # noqa: E402
from harness import process  # noqa: E402
from harness.chain import NITROPROXY  # noqa: E402
from harness.origin import Origin, pattern, tls_context  # noqa: E402
from harness.pki import Pki  # noqa: E402

failures = 0


def run(*command):
    """Shows it as a shell would take it, and what came of it."""
    print("$", shlex.join(map(str, command)))
    done = subprocess.run(list(map(str, command)), capture_output=True)
    text = (done.stdout + done.stderr).decode(errors="replace").rstrip("\n")
    print("  " + "\n".join(text.splitlines()[:24]).replace("\n", "\n  "))
    return done


def due(right, what):
    global failures
    failures += not right
    print(f"  {'ok' if right else 'FAILED'}: {what}\n", flush=True)


def boot(directory, image):
    """Each step's time since the emulator was started."""
    began = time.monotonic()

    def step(what):
        print(f"  {time.monotonic() - began:5.2f} s  {what}", flush=True)

    chain = vm.EmulatedChain(directory, image)
    chain.enclave.wait_line(r"msg=start .*pid=1\b", 240)
    step("nitroproxy runs as process 1 of the image")
    vm.wait_for(lambda: chain.heartbeat.beats, "the heartbeat", 60)
    step(f"heartbeat: {chain.heartbeat.beats[0].hex()} came from the enclave to port 9000 and was answered")
    chain.wait_ready()
    step("ready")
    return chain, step


def requests(chain, origin, pki, measurements):
    front = chain.front.url
    done = run("curl", "-sS", f"{front}/{origin.url}/bytes/100000", "-o", "/dev/null", "-w",
               "%{http_code} %{size_download}")
    due(done.stdout == b"200 100000", "GET: the enclave speaks TLS to the service")
    done = run("curl", "-sS", "--data-binary", "@" + str(chain.directory / "posted"), f"{front}/{origin.url}/sha256")
    due(done.stdout.startswith(b"1048576 "), "POST of 1 MiB, its digest by the service")
    done = run("curl", "-sS", "-x", front, "--cacert", pki.root_file, f"{origin.url}/bytes/64",
               "-o", "/dev/null", "-w", "%{http_code}")
    due(done.stdout == b"200", "CONNECT: TLS by curl itself")
    done = run("curl", "-sS", f"{front}/health")
    due(json.loads(done.stdout)["status"] == "ok", "every hop is well")
    pcrs = [word for i in range(3) for word in (f"--pcr{i}", measurements[f"PCR{i}"])]
    done = run(NITROPROXY, "verify", "--url", front, *pcrs)
    due(done.returncode == 1, "the emulated NSM signs nothing, and is refused for that")
    done = run(NITROPROXY, "verify", "--url", front, *pcrs, "--allow-unsigned")
    due(done.returncode == 0, "but its PCRs are those that the build of the image printed")


def main():
    if reason := vm.missing("qemu-nitro", "bzImage"):
        sys.exit(f"show.py: error: {reason}")
    work = pathlib.Path(tempfile.mkdtemp(prefix="np-"))
    try:
        pki = Pki(work)
        directory = work / "v"
        directory.mkdir()
        (directory / "posted").write_bytes(pattern(1 << 20))
        image, measurements = vm.build_image(work, vm.enclave_config(), pki.root_file)
        print(f"image: {image.stat().st_size} bytes")
        for name, value in measurements.items():
            print(f"  {name:13} {value}")
        origin = Origin(tls_context(pki.good))
        print("boot:", flush=True)
        chain, step = boot(directory, image)
        answer = chain.front.get(f"{origin.url}/bytes/10")
        step(f"first answer through it: {answer.status}")
        due(answer.body == pattern(10), "host -> vsock -> enclave -> vsock -> tunnel -> TLS 1.3")
        requests(chain, origin, pki, measurements)
        print("the enclave's console:\n  " + "\n  ".join(line[:160] for line in chain.enclave.lines[:14]))
        if "--once" not in sys.argv:
            print(f"up until Ctrl-C: curl {chain.front.url}/{origin.url}/bytes/10", flush=True)
            signal.sigwait({signal.SIGINT, signal.SIGTERM})
        chain.stop()
        origin.close()
    finally:
        for p in process.everything:
            if p.running():
                p.kill()
        shutil.rmtree(work)
    if failures:
        sys.exit(f"show.py: error: {failures} of the above went wrong")


main()
