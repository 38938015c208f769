"""Certificates for test_tls.sh: `zoo.py DIRECTORY` writes root.pem, and LABEL.pem with LABEL.key for each kind."""
import pathlib
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "support" / "py"))

from cryptography import x509  # noqa: E402
from cryptography.hazmat.primitives import hashes, serialization  # noqa: E402
from cryptography.hazmat.primitives.asymmetric import ec, rsa  # noqa: E402
from cryptography.x509.oid import ExtendedKeyUsageOID as Eku  # noqa: E402
from harness.pki import DAY, NOW, Issuer, name, pem  # noqa: E402

CA = (x509.BasicConstraints(ca=True, path_length=None), True)
NO_CA = (x509.BasicConstraints(ca=False, path_length=None), True)
SERVER = (x509.ExtendedKeyUsage([Eku.SERVER_AUTH]), False)


def usage(sign_certificates):
    return (x509.KeyUsage(digital_signature=not sign_certificates, content_commitment=False, key_encipherment=False,
                          data_encipherment=False, key_agreement=False, key_cert_sign=sign_certificates,
                          crl_sign=False, encipher_only=False, decipher_only=False), True)


def names(*texts):
    return (x509.SubjectAlternativeName([x509.DNSName(t) for t in texts]), False)


def new_key(kind):
    if kind.startswith("rsa"):
        return rsa.generate_private_key(65537, int(kind[3:]))
    return ec.generate_private_key({"p256": ec.SECP256R1(), "p384": ec.SECP384R1(), "p521": ec.SECP521R1(),
                                    "k1": ec.SECP256K1()}[kind])


class Ca:
    """A certificate that signs others, with extensions as given."""

    def __init__(self, subject, parent, *extensions):
        self.subject, self.key, self.parent = name(subject), new_key("p256"), parent
        self.certificate = parent.sign(self.subject, self.key.public_key(), NOW - DAY, NOW + DAY, *extensions)

    sign = Issuer.sign
    chain = property(lambda self: [self.certificate, *getattr(self.parent, "chain", [])])


def write(directory, label, issuer, *extensions, kind="p256", start=NOW - DAY, end=NOW + DAY, digest=None,
          subject="localhost"):
    key = new_key(kind)
    if issuer is None:
        issuer = Ca.__new__(Ca)
        issuer.key, issuer.subject, issuer.parent, issuer.certificate = key, name(subject), None, None
        chain = []
    else:
        chain = getattr(issuer, "chain", [])
    if digest:
        builder = (x509.CertificateBuilder().subject_name(name(subject)).issuer_name(issuer.subject)
                   .public_key(key.public_key()).serial_number(7).not_valid_before(start).not_valid_after(end))
        for extension, critical in extensions:
            builder = builder.add_extension(extension, critical)
        certificate = builder.sign(issuer.key, digest)
    else:
        certificate = issuer.sign(name(subject), key.public_key(), start, end, *extensions)
    (directory / f"{label}.pem").write_bytes(pem(certificate, *chain))
    (directory / f"{label}.key").write_bytes(key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))


def write_version_1(directory, root):
    """No extensions at all, which only OpenSSL still makes: a leaf, named by its CN."""
    (directory / "root.key").write_bytes(root.key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))
    at = {"cwd": directory, "check": True, "capture_output": True}
    subprocess.run(["openssl", "req", "-new", "-nodes", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
                    "-keyout", "version-1.key", "-out", "csr", "-subj", "/CN=localhost"], **at)
    subprocess.run(["openssl", "x509", "-req", "-in", "csr", "-CA", "root.pem", "-CAkey", "root.key", "-days", "1",
                    "-set_serial", "1", "-out", "version-1.pem"], **at)


def main():
    out = pathlib.Path(sys.argv[1])
    root, stranger = Issuer("zoo root"), Issuer("stranger")
    (out / "root.pem").write_bytes(pem(root.certificate))
    (out / "stranger-root.pem").write_bytes(pem(stranger.certificate))
    good = (NO_CA, SERVER, usage(False), names("localhost"))
    middle = Ca("middle", root, CA, usage(True))

    def leaf(label, issuer=middle, *extensions, **how):
        write(out, label, issuer, *(extensions or good), **how)

    # fine
    leaf("good")
    for kind in ("rsa2048", "p384", "p521"):
        leaf(f"good-{kind}", kind=kind)
    leaf("good-two-middles", Ca("second", middle, CA, usage(True)))
    leaf("good-wildcard", middle, NO_CA, SERVER, names("*.example.test"))
    leaf("good-name-constraint",
         Ca("constrained", root, CA, usage(True),
            (x509.NameConstraints([x509.DNSName("localhost")], None), False)))
    # about names
    leaf("wrong-name", middle, NO_CA, SERVER, names("other.test"))
    leaf("common-name-only", middle, NO_CA, SERVER)
    leaf("address-as-name", middle, NO_CA, SERVER, names("127.0.0.1"))
    leaf("wildcard-too-wide", middle, NO_CA, SERVER, names("*"))
    leaf("wildcard-in-part", middle, NO_CA, SERVER, names("local*"))
    leaf("embedded-zero", middle, NO_CA, SERVER, (x509.SubjectAlternativeName(
        [x509.DNSName("localhost\0.evil.test")]), False))
    leaf("name-constraint-broken",
         Ca("constrained elsewhere", root, CA, usage(True),
            (x509.NameConstraints([x509.DNSName("other.test")], None), False)))
    leaf("name-excluded",
         Ca("excluding", root, CA, usage(True), (x509.NameConstraints(None, [x509.DNSName("localhost")]), False)))
    # about time
    leaf("expired", start=NOW - 9 * DAY, end=NOW - DAY)
    leaf("not-yet-valid", start=NOW + DAY, end=NOW + 2 * DAY)
    # about trust
    leaf("self-signed", None)
    leaf("unknown-root", stranger)
    leaf("no-intermediate")
    (out / "no-intermediate.pem").write_bytes((out / "no-intermediate.pem").read_bytes().split(b"-----END")[0] +
                                              b"-----END CERTIFICATE-----\n")
    leaf("signed-by-a-leaf", Ca("leaf that signs", root, NO_CA, SERVER, names("localhost")))
    leaf("signed-without-right", Ca("without keyCertSign", root, CA, usage(False)))
    leaf("signed-for-clients", Ca("for clients", root, CA, usage(True), (x509.ExtendedKeyUsage([Eku.CLIENT_AUTH]), False)))
    leaf("path-too-long", Ca("second", Ca("path length 0", root, (x509.BasicConstraints(True, 0), True), usage(True)),
                             CA, usage(True)))
    # about what it is for
    leaf("for-clients", middle, NO_CA, (x509.ExtendedKeyUsage([Eku.CLIENT_AUTH]), False), names("localhost"))
    leaf("leaf-as-ca", middle, CA, SERVER, usage(True), names("localhost"))
    leaf("critical-unknown", middle, *good, (x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4.5"), b"\5\0"), True))
    write_version_1(out, root)
    # about algorithms
    leaf("rsa1024", kind="rsa1024")
    leaf("secp256k1", kind="k1")
    leaf("sha1", middle, *good, digest=hashes.SHA1())


main()
