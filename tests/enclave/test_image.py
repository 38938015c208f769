"""The shipped image boots as an enclave, and requests of this machine's curl go through it."""
import concurrent.futures
import hashlib
import json
import os
import pathlib
import re
import socket
import subprocess
import tempfile
import threading
import time

import pytest

import vm
from harness.chain import NITROPROXY
from conftest import enclave_config, figure
from harness.origin import Origin, pattern, tls_context


@pytest.fixture(scope="module")
def chain(workdir, make_image, origin):
    """One boot that most cases share; prints how long it takes from nothing to the first answer."""
    image, _ = make_image()
    began = time.monotonic()
    chain = vm.EmulatedChain(pathlib.Path(tempfile.mkdtemp(dir=workdir)), image)
    chain.wait_ready()
    ready = time.monotonic()
    assert chain.front.get(f"{origin.url}/bytes/10").body == pattern(10)
    figure(f"from the start of the emulator to ready {ready - began:.2f} s, "
           f"to the first proxied answer {time.monotonic() - began:.2f} s")
    yield chain
    chain.stop()


def curl(*arguments):
    done = subprocess.run(["curl", "-sS", "--max-time", "30", *map(str, arguments)], capture_output=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


# ---- boot ----

def test_heartbeat(chain):
    assert chain.heartbeat.beats == [b"\xb7"]


def test_init_has_done_its_work(chain):
    chain.enclave.wait_line(r"msg=entropy from=nsm bytes=256")
    chain.enclave.wait_line(r"msg=start .*pid=1\b")
    assert not chain.enclave.matching(r"msg=init .*(error|cannot)")


def test_health(chain):
    response = chain.front.get("/health")
    health = json.loads(response.body)
    assert (response.status, health["status"]) == (200, "ok")
    enclave = health["hops"]["enclave"]
    assert enclave["state"] == "ok" and enclave["detail"]["hops"]["tunnel"]["state"] == "ok"


def test_logs_and_metrics_reach_the_host(chain, origin):
    """In production there is no console: what the enclave logs and counts comes over vsock."""
    chain.front.get(f"{origin.url}/bytes/10")
    chain.host.wait_line(r"role=enclave msg=start .*pid=1\b")
    chain.host.wait_line(r"role=enclave msg=exchange .*status=200")

    def counted():
        text = chain.front.get("/metrics").body.decode()
        assert text.count("# TYPE nitroproxy_requests_total ") == 1
        found = re.search(r'nitroproxy_requests_total\{role="enclave",code="2xx"\} (\d+)', text)
        return found and int(found.group(1)) > 0 and 'nitroproxy_clock_good{role="enclave"} 1' in text

    vm.wait_for(counted, "the enclave's metrics")


# ---- requests ----

def test_get_in_every_form(chain, origin, pki):
    url = f"{origin.url}/bytes/300000"
    digest = hashlib.sha256(pattern(300000)).hexdigest()
    forms = [(f"{chain.front.url}/{url}",), ("-H", f"X-Target-URL: {url}", chain.front.url + "/"),
             ("-x", chain.front.url, "--cacert", pki.root_file, url)]  # the last one is CONNECT
    for form in forms:
        assert hashlib.sha256(curl(*form)).hexdigest() == digest


def test_post(chain, origin, workdir):
    body = workdir / "body"
    body.write_bytes(pattern(3 << 20))
    answer = curl("--data-binary", f"@{body}", f"{chain.front.url}/{origin.url}/sha256")
    assert answer.decode() == f"{3 << 20} {hashlib.sha256(pattern(3 << 20)).hexdigest()}"


def test_a_service_that_is_not_who_it_says(chain, pki):
    service = Origin(tls_context(pki.expired))
    response = chain.front.get(service.url + "/")
    service.close()
    assert (response.status, response.error) == (502, "tls_certificate_error")
    assert not service.requests


def test_many_at_a_time(chain, origin):
    """As many as an emulated CPU can do handshakes for; 200 are in test_uml.py."""
    with concurrent.futures.ThreadPoolExecutor(50) as pool:
        answers = list(pool.map(lambda i: chain.front.get(f"{origin.url}/bytes/{1000 + i}"), range(50)))
    assert [len(a.body) for a in answers] == [1000 + i for i in range(50)]


def test_a_large_body(chain, origin):
    count = 4 << 20  # 256 MiB are in test_uml.py: here each instruction of AES is emulated
    assert hashlib.sha256(chain.front.get(f"{origin.url}/bytes/{count}").body).digest() == \
        hashlib.sha256(pattern(count)).digest()


# ---- attestation ----

def attestation(chain, nonce=bytes(range(16))):
    answer = chain.front.get(f"/attestation?nonce={nonce.hex()}")
    assert answer.status == 200, answer.body
    return answer.body


def verify(document, *arguments):
    return subprocess.run([NITROPROXY, "verify", *arguments], input=document, capture_output=True)


def pcr_in(document, index):
    """PCR n of the map in the payload: its key, then 48 bytes."""
    key = bytes([index]) if index < 24 else bytes([0x18, index])
    found = re.search(re.escape(b"\x64pcrs") + rb"(\xb0|\xb8.)", document, re.S)
    at = document.index(key + b"\x58\x30", found.end())
    return document[at + len(key) + 2:][:48].hex()


def test_measurements_are_what_the_nsm_reports(chain, make_image):
    document = attestation(chain)
    _, measurements = make_image()
    for index in (0, 1, 2):
        assert pcr_in(document, index) == measurements[f"PCR{index}"]


def test_the_verifier_refuses_the_emulator(chain, make_image):
    """QEMU's document is right in all but the signature, which nobody made."""
    _, measurements = make_image()
    nonce = os.urandom(16)
    pcrs = [word for i in (0, 1, 2) for word in (f"--pcr{i}", measurements[f"PCR{i}"])]
    done = verify(attestation(chain, nonce), "--nonce", nonce.hex(), *pcrs)
    assert done.returncode == 1
    assert b"ES384" in done.stdout + done.stderr


def test_signed_image(directory, make_image):
    """PCR8 is the signer's."""
    key, certificate = directory / "key.pem", directory / "certificate.pem"
    subprocess.run(["openssl", "ecparam", "-name", "secp384r1", "-genkey", "-noout", "-out", key], check=True)
    subprocess.run(["openssl", "req", "-x509", "-new", "-key", key, "-sha384", "-subj", "/CN=signer", "-out",
                    certificate], check=True)
    image, measurements = make_image(options=["--signing-certificate", str(certificate), "--private-key", str(key)])
    chain = vm.EmulatedChain(directory, image)
    try:
        chain.wait_ready()
        assert pcr_in(attestation(chain), 8) == measurements["PCR8"] != "00" * 48
    finally:
        chain.stop()


# ---- reproducible ----

def test_two_builds_are_one(workdir, pki, emulator):
    images = []
    for mask in (0o022, 0o077):
        before = os.umask(mask)
        directory = pathlib.Path(tempfile.mkdtemp(dir=workdir))
        os.umask(before)
        images.append(vm.build_image(directory, enclave_config(), pki.root_file, vm.app_directory(directory)))
        time.sleep(1.1)  # another second in every time stamp
    assert images[0][0].read_bytes() == images[1][0].read_bytes()
    assert images[0][1] == images[1][1]


# ---- less than it should have ----

@pytest.mark.parametrize("memory", [512, 64, 40])
def test_memory(directory, make_image, origin, memory):
    """64 MiB is the least that Nitro gives an enclave. In 36 it still serves; in 35 the image does not unpack."""
    image, _ = make_image()
    chain = vm.EmulatedChain(directory, image, memory=memory)
    try:
        chain.wait_ready()
        with concurrent.futures.ThreadPoolExecutor(5) as pool:
            answers = list(pool.map(lambda _: chain.front.get(f"{origin.url}/bytes/100000"), range(20)))
        assert all(a.body == pattern(100000) for a in answers)
    finally:
        chain.stop()


def test_a_clock_that_cannot_be_right(directory, make_image, origin):
    image, _ = make_image()
    chain = vm.EmulatedChain(directory, image, options=["-rtc", "base=1970-03-01"])
    try:
        chain.wait_ready()
        before = len(origin.requests)
        response = chain.front.get(f"{origin.url}/echo")
        assert response.status == 500 and "clock cannot be right" in response.details
        assert len(origin.requests) == before
        assert json.loads(chain.front.get("/health").body)["hops"]["enclave"]["state"] == "ok"
    finally:
        chain.stop()


def test_restart_under_load_with_another_cid(directory, make_image, origin):
    image, _ = make_image()
    chain = vm.EmulatedChain(directory, image)
    stop, good, bad = threading.Event(), [], []

    def load():
        while not stop.is_set():
            try:
                answer = chain.front.get(f"{origin.url}/bytes/5000")
                (good if answer.status == 200 and answer.body == pattern(5000) else bad).append(time.monotonic())
            except OSError:
                bad.append(time.monotonic())

    try:
        chain.wait_ready()
        threads = [threading.Thread(target=load) for _ in range(8)]
        for thread in threads:
            thread.start()
        vm.wait_for(lambda: len(good) > 20, "requests")
        chain.stop_enclave()
        chain.start_enclave(cid=17)
        chain.wait_ready()
        back = time.monotonic()
        vm.wait_for(lambda: [t for t in good if t > back], "requests through the enclave's successor")
        settled = len([t for t in good if t > back])
        vm.wait_for(lambda: len([t for t in good if t > back]) > settled + 20, "more of them")
        assert not [t for t in bad if t > back + 2]
    finally:
        stop.set()
        for thread in threads:
            thread.join()
        chain.stop()


# ---- an application inside ----

class Wiretap:
    """What the tunnel's host can see: stands where the enclave looks for the tunnel and passes everything on."""

    def __init__(self, path, to):
        self.seen = b""
        self._lock = threading.Lock()
        self._to = to
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(path))
        self._listener.listen(64)
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                a, _ = self._listener.accept()
            except OSError:
                return
            b = socket.socket(socket.AF_UNIX)
            b.connect(str(self._to))
            for ends in ((a, b), (b, a)):
                threading.Thread(target=self._pass, args=ends, daemon=True).start()

    def _pass(self, source, sink):
        try:
            while data := source.recv(65536):
                with self._lock:
                    self.seen += data
                sink.sendall(data)
            sink.shutdown(socket.SHUT_WR)
        except OSError:
            pass


SECRET = "a-secret-of-the-application"


@pytest.fixture
def start_with_app(directory, workdir, make_image, origin):
    """start_with_app(**settings): an enclave with the application, and a wiretap on the way to the tunnel."""
    chains = []

    def start(*arguments, **settings):
        image, _ = make_image(files=str(vm.app_directory(workdir)), app=["/bin/app", f"{origin.url}/echo", *arguments],
                              app_env=[f"APP_SECRET={SECRET}"], **settings)
        chain = vm.EmulatedChain(directory, image, tunnel={"listen": f"unix:{directory}/tunnel"})
        chain.tap = Wiretap(f"{chain.uds}_5001", directory / "tunnel")
        chains.append(chain)
        return chain

    yield start
    for chain in chains:
        chain.stop()


def test_application_inside(start_with_app, origin):
    """It reaches the service by HTTP_PROXY; all that passes the host is TLS."""
    before = len(origin.requests)
    chain = start_with_app()
    origin.wait_for(lambda o: len(o.requests) > before + 2)
    request = origin.requests[-1]
    assert request.get("X-Secret") == SECRET
    assert request.get("X-User") == "1000"
    chain.enclave.wait_line("app: status 200, orphan collected")
    assert re.search(rb"\x16\x03[\x01\x03]..\x01", chain.tap.seen, re.S), "no ClientHello was seen"
    assert str(origin.port).encode() in chain.tap.seen
    for text in (SECRET.encode(), b"GET /echo", b"X-User"):
        assert text not in chain.tap.seen


def test_application_that_ends_is_started_again(start_with_app):
    chain = start_with_app("1")
    for pause in (250, 500):
        chain.enclave.wait_line(rf"msg=app state=ended status=0 next=start pause_ms={pause}\b")
    assert chain.enclave.running()


def test_application_whose_end_is_the_enclaves(start_with_app):
    chain = start_with_app("2", app_once=True)
    chain.enclave.wait_line(r"msg=drain .*the application has ended")
    chain.enclave.wait_line(r"msg=init .*the machine ends")
    assert chain.enclave.wait(20) == 0


def test_under_another_init(directory, workdir, make_image, origin):
    """AWS's has mounted and said that we are up: neither is done twice. What it leaves out is."""
    image, _ = make_image(files=str(vm.app_directory(workdir)))
    chain = vm.EmulatedChain(directory, image, append="rdinit=/bin/aws_init")
    try:
        chain.wait_ready()
        assert not chain.enclave.matching(r"msg=start .*pid=1\b")
        assert not chain.enclave.matching("msg=(init|heartbeat|module) ")
        chain.enclave.wait_line("msg=entropy from=nsm bytes=256")
        chain.enclave.wait_line(r"msg=listen what=http address=tcp:127\.0\.0\.1:8080")
        assert chain.front.get(f"{origin.url}/bytes/100000").body == pattern(100000)
        assert chain.heartbeat.beats == [b"\xb7"]
    finally:
        chain.stop()
