"""Certificates made for a test run: a root, an intermediate, and leaves that are right or wrong in one way."""
import datetime
import ipaddress
import math

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

NOW = datetime.datetime.utcnow()
DAY = datetime.timedelta(days=1)


def new_key(kind="p256"):
    if kind == "rsa":
        return rsa.generate_private_key(public_exponent=65537, key_size=2048)
    if kind == "slow":
        return slow_rsa_key()
    return ec.generate_private_key(ec.SECP256R1())


def slow_rsa_key():
    """An RSA key as good as any, whose public exponent makes its signatures as dear to check as to make."""
    own = rsa.generate_private_key(public_exponent=65537, key_size=2048).private_numbers()
    e, order = (1 << 2000) + 1, (own.p - 1) * (own.q - 1)
    while math.gcd(e, order) != 1:
        e += 2
    d = pow(e, -1, order)
    return rsa.RSAPrivateNumbers(
        own.p, own.q, d, rsa.rsa_crt_dmp1(d, own.p), rsa.rsa_crt_dmq1(d, own.q), rsa.rsa_crt_iqmp(own.p, own.q),
        rsa.RSAPublicNumbers(e, own.p * own.q)).private_key()


def name(text):
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def pem(*certificates):
    return b"".join(c.public_bytes(serialization.Encoding.PEM) for c in certificates)


class Issuer:
    """A CA: its certificate and its key."""

    def __init__(self, subject, parent=None, path_length=None):
        self.key = new_key()
        self.subject = name(subject)
        self.certificate = (parent or self).sign(
            self.subject, self.key.public_key(), NOW - 30 * DAY, NOW + 30 * DAY,
            (x509.BasicConstraints(ca=True, path_length=path_length), True),
            (x509.KeyUsage(digital_signature=False, content_commitment=False, key_encipherment=False,
                           data_encipherment=False, key_agreement=False, key_cert_sign=True, crl_sign=True,
                           encipher_only=False, decipher_only=False), True))

    def sign(self, subject, public_key, start, end, *extensions):
        builder = (x509.CertificateBuilder().subject_name(subject).issuer_name(self.subject).public_key(public_key)
                   .serial_number(x509.random_serial_number()).not_valid_before(start).not_valid_after(end))
        for extension, critical in extensions:
            builder = builder.add_extension(extension, critical)
        return builder.sign(self.key, hashes.SHA256())


class Leaf:
    """A server's certificate with its chain and key, as two files."""

    def __init__(self, directory, label, issuer, chain=(), kind="p256", names=("localhost",),
                 addresses=("127.0.0.1", "::1"), start=NOW - DAY, end=NOW + 10 * DAY):
        key = new_key(kind)
        subject = name(names[0])
        alternatives = [x509.DNSName(n) for n in names] + [x509.IPAddress(ipaddress.ip_address(a)) for a in addresses]
        extensions = ((x509.BasicConstraints(ca=False, path_length=None), True),
                      (x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), False),
                      (x509.SubjectAlternativeName(alternatives), False))
        if issuer is None:  # signs itself
            issuer = Issuer.__new__(Issuer)
            issuer.key, issuer.subject = key, subject
        certificate = issuer.sign(subject, key.public_key(), start, end, *extensions)
        self.cert_file = directory / f"{label}.pem"
        self.key_file = directory / f"{label}.key"
        self.cert_file.write_bytes(pem(certificate, *chain))
        self.key_file.write_bytes(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
                                                    serialization.NoEncryption()))


class Pki:
    def __init__(self, directory):
        root = Issuer("test root")
        middle = Issuer("test intermediate", root, path_length=0)
        stranger = Issuer("unknown root")
        chain = (middle.certificate,)
        self.root_file = directory / "root.pem"
        self.root_file.write_bytes(pem(root.certificate))

        def leaf(label, issuer=middle, chain=chain, **how):
            return Leaf(directory, label, issuer, chain, **how)

        self.good = leaf("good")
        self.rsa = leaf("rsa", kind="rsa")
        self.slow = leaf("slow", kind="slow")
        self.wrong_name = leaf("wrong-name", names=("other.test",), addresses=("127.0.0.9",))
        self.expired = leaf("expired", start=NOW - 9 * DAY, end=NOW - DAY)
        self.not_yet_valid = leaf("not-yet-valid", start=NOW + DAY)
        self.self_signed = leaf("self-signed", issuer=None, chain=())
        self.unknown_root = leaf("unknown-root", issuer=stranger, chain=(stranger.certificate,))
        self.no_intermediate = leaf("no-intermediate", chain=())
