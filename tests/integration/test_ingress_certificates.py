"""The ingress with a certificate from files, and with clients that have to show one."""
import hashlib
import json
import pathlib
import shutil
import ssl
import subprocess
import tempfile
import time

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.x509.oid import ExtendedKeyUsageOID
from harness.chain import NITROPROXY
from harness.client import Client, Front
from harness.ingress import Ingress, claimed_key, key_of, secure
from harness.ingress_fixtures import app, start  # noqa: F401
from harness.origin import pattern
from harness.pki import DAY, NOW, Issuer, name, new_key, pem
from harness.process import Process
from harness.until import wait_until


def spki(certificate):
    public = certificate.public_key().public_bytes(serialization.Encoding.DER,
                                                   serialization.PublicFormat.SubjectPublicKeyInfo)
    return hashlib.sha256(public).hexdigest()


# ---- a certificate from files ----

class Files:
    """Where the enclave finds certificate and key; put() replaces both, as an ACME client would."""

    def __init__(self, workdir):
        self.directory = pathlib.Path(tempfile.mkdtemp(dir=workdir))
        self.certificate, self.key = self.directory / "tls.pem", self.directory / "tls.key"

    def put(self, leaf, key=None):
        for source, target in ((key or leaf).key_file, self.key), (leaf.cert_file, self.certificate):
            fresh = target.with_suffix(".new")
            shutil.copy(source, fresh)
            fresh.rename(target)

    def settings(self):
        return {"ingress_certificate": self.certificate, "ingress_key": self.key}


@pytest.fixture
def files(workdir, pki):
    where = Files(workdir)
    where.put(pki.good)
    return where


def known(port, pki):
    """A client that asks for a name and a chain, as any browser does."""
    context = ssl.create_default_context(cafile=pki.root_file)
    client = Client(port)
    client.socket = context.wrap_socket(client.socket, server_hostname="localhost")
    return client


def leaf_of(leaf):
    return x509.load_pem_x509_certificate(leaf.cert_file.read_bytes())


@pytest.mark.parametrize("kind", ["good", "rsa"])
def test_a_certificate_that_clients_know(start, files, pki, app, kind):
    """Good for clients without attestation, and bound to the document for those with it."""
    files.put(getattr(pki, kind))
    ingress = start(ingress_app=f"tcp:127.0.0.1:{app.port}", **files.settings())
    with known(ingress.port, pki) as client:
        client.send_request("GET", "/bytes/1000")
        assert client.response().body == pattern(1000)
    assert ingress.keys() == [spki(leaf_of(getattr(pki, kind)))]
    assert ingress.verify()["checks"]["channel"] == "ok"
    assert ingress.chain.enclave.matching("msg=warning.*ingress.key is a file")
    assert ingress.chain.enclave.matching('msg="ingress key".*from=file')


def test_replaced_files(start, files, pki, app):
    """New connections get the new certificate; an old one goes on under its own until the overlap is over."""
    ingress = start(ingress_app=f"tcp:127.0.0.1:{app.port}", ingress_rotate="1s", ingress_overlap="2s",
                    **files.settings())
    old = known(ingress.port, pki)
    first, second = spki(leaf_of(pki.good)), spki(leaf_of(pki.rsa))
    assert key_of(old) == claimed_key(old) == first
    time.sleep(2.5)
    assert ingress.keys() == [first]  # looked at again, and still the same
    files.put(pki.rsa)
    wait_until(lambda: len(ingress.keys()) == 2, "in vain: the new key")
    assert ingress.keys()[1] == second
    with known(ingress.port, pki) as new:
        assert key_of(new) == claimed_key(new) == second
    assert claimed_key(old) == first
    assert ingress.verify()["verdict"] == "accepted"
    assert old.at_end()
    old.close()


def test_files_that_do_not_fit(start, files, pki, app):
    """The enclave says so and goes on with what it has."""
    ingress = start(ingress_app=f"tcp:127.0.0.1:{app.port}", ingress_rotate="1s", **files.settings())
    files.put(pki.rsa, key=pki.good)
    ingress.chain.enclave.wait_line('msg="ingress key".*not the key of the certificate')
    files.key.unlink()
    ingress.chain.enclave.wait_line('msg="ingress key".*cannot open')
    with known(ingress.port, pki) as client:
        assert key_of(client) == spki(leaf_of(pki.good))
    files.put(pki.rsa)
    wait_until(lambda: len(ingress.keys()) == 2, "in vain: the pair that fits")


@pytest.mark.parametrize("settings, says", [
    ({"ingress_certificate": "{good.cert_file}"}, "one is set without the other"),
    ({"ingress_key": "{good.key_file}"}, "one is set without the other"),
    ({"ingress_certificate": "{good.cert_file}", "ingress_key": "{rsa.key_file}"}, "not the key of the certificate"),
    ({"ingress_certificate": "/nonexistent", "ingress_key": "{rsa.key_file}"}, "cannot open"),
    ({"ingress_certificate": "{good.key_file}", "ingress_key": "{good.key_file}"}, "server certificate"),
    ({"ingress_client_ca": "/nonexistent"}, "/nonexistent: No such file"),
    ({"ingress_client_ca": "{good.key_file}"}, "certificate"),
    ({"ingress_forward_client": "true"}, "ingress.client_ca"),
])
def test_bad_settings(pki, settings, says):
    flags = [f"--{key.replace('_', '-')}={value.format(good=pki.good, rsa=pki.rsa)}" for key, value in settings.items()]
    done = subprocess.run([NITROPROXY, "enclave", "--nsm=software", "--listen=tcp:127.0.0.1:0", "--http-listen=",
                           "--ingress-enclave-listen=tcp:127.0.0.1:0", f"--ca-file={pki.root_file}", *flags],
                          capture_output=True, timeout=20)
    assert done.returncode in (1, 2) and says.encode() in done.stderr, done.stderr


# ---- certificates of clients ----

class Guest:
    """A client's certificate with its chain and key."""

    SUBJECT = "a-name-that-nobody-needs-to-know"

    def __init__(self, directory, label, issuer, chain=(), purposes=(ExtendedKeyUsageOID.CLIENT_AUTH,),
                 start=NOW - DAY, end=NOW + DAY, kind="p256"):
        key = new_key(kind)
        extensions = [(x509.BasicConstraints(ca=False, path_length=None), True)]
        if purposes:
            extensions.append((x509.ExtendedKeyUsage(purposes), False))
        self.certificate = issuer.sign(name(self.SUBJECT), key.public_key(), start, end, *extensions)
        self.cert_file, self.key_file = directory / f"{label}.pem", directory / f"{label}.key"
        self.cert_file.write_bytes(pem(self.certificate, *chain))
        self.key_file.write_bytes(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
                                                    serialization.NoEncryption()))


class Guests:
    def __init__(self, directory):
        root = Issuer("clients' root")
        middle = Issuer("clients' intermediate", root)
        stranger = Issuer("another root")
        self.ca_file = directory / "clients.pem"
        self.ca_file.write_bytes(pem(root.certificate))
        chain = (middle.certificate,)
        server, client = ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH
        self.direct = Guest(directory, "direct", root)
        self.good = Guest(directory, "good", middle, chain)
        self.rsa = Guest(directory, "rsa", middle, chain, kind="rsa")
        self.both = Guest(directory, "both", middle, chain, purposes=(server, client))
        self.expired = Guest(directory, "expired", middle, chain, start=NOW - 9 * DAY, end=NOW - DAY)
        self.not_yet = Guest(directory, "not-yet", middle, chain, start=NOW + DAY, end=NOW + 9 * DAY)
        self.server = Guest(directory, "server", middle, chain, purposes=(server,))
        self.anything = Guest(directory, "anything", middle, chain, purposes=None)
        self.stranger = Guest(directory, "stranger", stranger, (stranger.certificate,))
        self.no_intermediate = Guest(directory, "no-intermediate", middle)


@pytest.fixture(scope="module")
def guests(workdir):
    return Guests(pathlib.Path(tempfile.mkdtemp(dir=workdir)))


@pytest.fixture(scope="module")
def closed(workdir, pki, app, guests):
    """An ingress that lets in whom it knows, and tells the application who that is."""
    if not NITROPROXY:
        pytest.skip("NITROPROXY does not name the executable")
    ingress = Ingress(workdir, pki, ingress_app=f"tcp:127.0.0.1:{app.port}", ingress_client_ca=guests.ca_file,
                      ingress_forward_client="true")
    yield ingress
    ingress.stop()


def arrive(port, guest):
    """A TLS client with that certificate; what is wrong with it comes out at the first read."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    if guest:
        context.load_cert_chain(guest.cert_file, guest.key_file)
    client = Client(port)
    client.socket = context.wrap_socket(client.socket)
    return client


def echo(client, fields=()):
    client.send_request("GET", "/echo", list(fields))
    return json.loads(client.response().body)["fields"]


def client_keys(fields):
    return [value for field, value in fields if field.lower() == "x-nitroproxy-client-key"]


@pytest.mark.parametrize("who", ["good", "direct", "rsa", "both"])
def test_whom_it_knows(closed, guests, who):
    guest = getattr(guests, who)
    with arrive(closed.port, guest) as client:
        assert client_keys(echo(client)) == [spki(guest.certificate)]
        assert client_keys(echo(client)) == [spki(guest.certificate)]  # of each request


@pytest.mark.parametrize("who, alert", [
    (None, "CERTIFICATE_REQUIRED"), ("expired", "CERTIFICATE_EXPIRED"), ("not_yet", "CERTIFICATE_EXPIRED"),
    ("server", "UNSUPPORTED_CERTIFICATE"), ("anything", "UNSUPPORTED_CERTIFICATE"), ("stranger", "UNKNOWN_CA"),
    ("no_intermediate", "UNKNOWN_CA"),
])
def test_whom_it_does_not_know(closed, guests, app, who, alert):
    """Told why in TLS's own words; nothing of the request goes anywhere, and no name into any log."""
    before = len(app.requests)
    guest = who and getattr(guests, who)
    client = arrive(closed.port, guest)
    with pytest.raises(ssl.SSLError) as refused:
        client.send_request("GET", "/echo")
        client.response()
    client.close()
    assert alert in refused.value.reason, refused.value.reason
    closed.chain.enclave.wait_line(r'msg="connection refused" error=tls_certificate hop=client')
    for process in closed.chain.enclave, closed.chain.host:
        assert not process.matching(Guest.SUBJECT)
    assert len(app.requests) == before


def test_the_host_does_not_see_who_comes(start, guests, app):
    """TLS 1.3 sends a client's certificate encrypted; the log, which the host reads, does not tell either."""
    ingress = start(ingress_app=f"tcp:127.0.0.1:{app.port}", ingress_client_ca=guests.ca_file)
    with arrive(ingress.port, guests.good) as client:
        assert client_keys(echo(client)) == []  # not asked to tell
    time.sleep(0.2)
    der = guests.good.certificate.public_bytes(serialization.Encoding.DER)
    assert len(ingress.wire.bytes) > 2000
    for secret in Guest.SUBJECT.encode(), der[:100], der[-64:]:
        assert secret not in ingress.wire.bytes
    for process in ingress.chain.enclave, ingress.chain.host:
        assert not process.matching(f"{Guest.SUBJECT}|{spki(guests.good.certificate)}")


def test_nobody_names_himself(closed, start, guests, app):
    """What a client says under the name of the field never arrives, with and without certificates of clients."""
    forged = [("X-Nitroproxy-Client-Key", "0" * 64), ("x-nitroproxy-client-key", "1" * 64)]
    with arrive(closed.port, guests.good) as client:
        assert client_keys(echo(client, forged)) == [spki(guests.good.certificate)]
    open_to_all = start(ingress_app=f"tcp:127.0.0.1:{app.port}")
    with secure(open_to_all.port) as client:
        assert client_keys(echo(client, forged)) == []


def test_verify_and_forward(closed, guests):
    """Whoever verifies has to be known, too."""
    own = ["--client-certificate", guests.good.cert_file, "--client-key", guests.good.key_file]
    assert closed.verify(*own)["checks"]["channel"] == "ok"
    done = subprocess.run([NITROPROXY, "verify", "--url", closed.url, "--any-pcrs", "--root", closed.root],
                          capture_output=True, timeout=30)
    assert done.returncode == 2 and b"certificate_required" in done.stderr
    process = Process("forwarder", [NITROPROXY, "verify", "--url", closed.url, "--any-pcrs", "--root", closed.root, *own,
                                    "--forward", "tcp:127.0.0.1:0"])
    front = Front(int(process.wait_line(r"msg=forwarding from=tcp:127\.0\.0\.1:(\d+)").group(1)))
    assert front.get("/bytes/100000").body == pattern(100000)
    process.stop()


def test_verify_usage(guests):
    for args in (["--url", "http://127.0.0.1:1", "--client-certificate", "x", "--client-key", "x"],
                 ["--url", "https://127.0.0.1:1", "--client-certificate", "x"],
                 ["--url", "https://127.0.0.1:1", "--client-key", "x"],
                 ["--url", "https://127.0.0.1:1", "--client-certificate", "/nonexistent", "--client-key", "x"],
                 ["--url", "https://127.0.0.1:1", "--client-certificate", guests.good.cert_file, "--client-key",
                  guests.direct.key_file]):
        done = subprocess.run([NITROPROXY, "verify", "--any-pcrs", *map(str, args)], capture_output=True, timeout=20)
        assert done.returncode == 2 and done.stderr.startswith(b"nitroproxy verify: ")
