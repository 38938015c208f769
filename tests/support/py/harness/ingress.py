"""A chain whose enclave ends TLS for clients anywhere, with all that passes the host on the way recorded."""
import hashlib
import json
import os
import pathlib
import re
import socket
import ssl
import subprocess
import tempfile
import threading

from cryptography import x509
from cryptography.hazmat.primitives import serialization

from .chain import NITROPROXY, Chain
from .client import Client, Front
from .process import SANITIZERS, Process
from .sockets import accept_each


def carry(a, b, seen):
    """What comes from a goes to b, and is kept."""
    try:
        while data := a.recv(65536):
            seen.append(data)
            b.sendall(data)
        b.shutdown(socket.SHUT_WR)
    except (OSError, ssl.SSLError):
        for end in a, b:
            try:
                end.shutdown(socket.SHUT_RDWR)  # a close alone would not wake the other thread
            except OSError:
                pass


class Between:
    """Stands before a listener: take(connection) gives both ends to join; all that passes is kept."""

    def __init__(self, listener, take):
        self.listener, self.take, self.seen = listener, take, []
        accept_each(listener, self._join)

    def _join(self, client):
        try:
            a, b = self.take(client)
        except (OSError, ssl.SSLError):
            client.close()
            return
        other = threading.Thread(target=carry, args=(b, a, self.seen), daemon=True)
        other.start()
        carry(a, b, self.seen)
        other.join()
        a.close()
        b.close()

    @property
    def bytes(self):
        return b"".join(self.seen)

    @property
    def url(self):
        return f"https://127.0.0.1:{self.listener.getsockname()[1]}"


def dial(path):
    s = socket.socket(socket.AF_UNIX)
    try:
        s.connect(str(path))
    except OSError:
        s.close()
        raise
    return s


def unix_listener(path):
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(path))
    listener.listen(64)
    return listener


class Ingress:
    """A chain whose enclave has an ingress; between it and the host all bytes are recorded."""

    def __init__(self, workdir, pki, **enclave):
        directory = pathlib.Path(tempfile.mkdtemp(dir=workdir))
        inner, outer = directory / "ingress.sock", directory / "wire.sock"
        self.wire = Between(unix_listener(outer), lambda client: (client, dial(inner)))
        self.chain = Chain(directory, pki,
                           enclave={"nsm": "software", "ingress_enclave_listen": f"unix:{inner}",
                                    "limits_attestation_rate": 1000, **enclave},
                           host={"ingress_listen": "tcp:127.0.0.1:0", "ingress_enclave": f"unix:{outer}"})
        found = self.chain.host.wait_line(r"msg=listen what=ingress address=tcp:127\.0\.0\.1:(\d+)")
        self.port = int(found.group(1))
        self.url = f"https://127.0.0.1:{self.port}"
        self.root = directory / "root.der"
        self.root.write_bytes(self.chain.front.get("/attestation/root").body)
        self.forwarders = []

    def verify(self, *args, url=None):
        done = subprocess.run([NITROPROXY, "verify", "--url", url or self.url, "--any-pcrs", "--root", self.root,
                               "--json", *args], capture_output=True, timeout=60, env={**os.environ, **SANITIZERS})
        assert done.returncode in (0, 1), done.stderr
        return json.loads(done.stdout)

    def forward(self, url=None):
        """A running forwarder, as something that HTTP clients can use."""
        process = Process("forwarder", [NITROPROXY, "verify", "--url", url or self.url, "--any-pcrs", "--root",
                                        self.root, "--forward", "tcp:127.0.0.1:0"])
        self.forwarders.append(process)
        port = process.wait_line(r"msg=forwarding from=tcp:127\.0\.0\.1:(\d+)").group(1)
        return Front(int(port))

    def keys(self):
        """Of the enclave, in the order in which they came into force."""
        return [re.search("sha256=([0-9a-f]{64})", line).group(1)
                for line in self.chain.enclave.matching('msg="ingress key" sha256=')]

    def stop(self):
        for process in self.forwarders:
            process.stop()
        self.chain.stop()
        self.wire.listener.close()


def secure(port, minimum=ssl.TLSVersion.TLSv1_3, maximum=ssl.TLSVersion.TLSv1_3):
    """A TLS client that believes any certificate, as no client should."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.minimum_version, context.maximum_version = minimum, maximum
    client = Client(port)
    client.socket = context.wrap_socket(client.socket)
    return client


def key_of(client):
    """SHA-256 of the SubjectPublicKeyInfo of the certificate that was shown."""
    certificate = x509.load_der_x509_certificate(client.socket.getpeercert(binary_form=True))
    spki = certificate.public_key().public_bytes(serialization.Encoding.DER,
                                                 serialization.PublicFormat.SubjectPublicKeyInfo)
    return hashlib.sha256(spki).hexdigest()


def claimed_key(client):
    client.send_request("GET", "/attestation/claims")
    return re.search(rb"ingress-key-sha256: ([0-9a-f]{64})\n", client.response().body).group(1).decode()
