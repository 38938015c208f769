"""
Certificate chains, each with one thing in it: the classes that x509-limbo and BetterTLS try, made here. cases() gives
(label, names a host and a time, PEM of leaf and intermediates, PEM of roots).
"""
import datetime
import ipaddress
from dataclasses import dataclass, field

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID as Purpose
from cryptography.x509.oid import NameOID

NOW = datetime.datetime(2026, 6, 1)
DAY = datetime.timedelta(days=1)
HOST = "www.example.com"
ODD = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.3.6.1.4.1.99999.1"), b"\x05\x00")


def keys():
    """Made once: RSA keys take their time."""
    rsa_key = rsa.generate_private_key
    return {"p256": ec.generate_private_key(ec.SECP256R1()), "p384": ec.generate_private_key(ec.SECP384R1()),
            "p521": ec.generate_private_key(ec.SECP521R1()), "p224": ec.generate_private_key(ec.SECP224R1()),
            "k256": ec.generate_private_key(ec.SECP256K1()), "ed25519": ed25519.Ed25519PrivateKey.generate(),
            "rsa1024": rsa_key(65537, 1024), "rsa2048": rsa_key(65537, 2048), "rsa3072": rsa_key(65537, 3072),
            "rsa2048e3": rsa_key(3, 2048)}


KEYS = keys()


def usage(certs=True, signs=False, crl=True, encipher=False):
    return x509.KeyUsage(digital_signature=signs, content_commitment=False, key_encipherment=encipher,
                         data_encipherment=False, key_agreement=False, key_cert_sign=certs, crl_sign=crl,
                         encipher_only=False, decipher_only=False)


def dn(text, *more):
    attributes = [x509.NameAttribute(NameOID.COMMON_NAME, text)] if text else []
    return x509.Name(attributes + [x509.NameAttribute(oid, value) for oid, value in more])


def general(name):
    if isinstance(name, x509.GeneralName):
        return name
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName._init_without_validation(name)


def san(*names):
    return x509.SubjectAlternativeName([general(n) for n in names])


def constraints(permit=None, exclude=None):
    def trees(names):
        out = []
        for n in names:
            out.append(x509.IPAddress(ipaddress.ip_network(n)) if "/" in n else
                       x509.DirectoryName(x509.Name([x509.NameAttribute(NameOID.ORGANIZATION_NAME, n[2:])]))
                       if n.startswith("O=") else x509.RFC822Name._init_without_validation(n[6:])
                       if n.startswith("email:") else x509.DNSName._init_without_validation(n))
        return out
    return x509.NameConstraints(trees(permit) if permit else None, trees(exclude) if exclude else None)


@dataclass
class Cert:
    """What stands in a certificate. Extensions: (value, critical) or None for none of that kind."""
    subject: x509.Name
    key: str = "p256"
    ca: object = None        # (BasicConstraints, critical)
    usage: object = None
    purposes: object = None
    names: object = None
    constraints: object = None
    extra: list = field(default_factory=list)
    start: datetime.datetime = NOW - 100 * DAY
    end: datetime.datetime = NOW + 100 * DAY
    serial: int = None
    key_ids: bool = True
    hash: object = field(default_factory=hashes.SHA256)
    authority: object = None  # an AuthorityKeyIdentifier that is wrong
    issuer: x509.Name = None  # a name that is not the issuer's


def root(**how):
    return Cert(**{"subject": dn("root"), "ca": (x509.BasicConstraints(True, None), True),
                   "usage": (usage(), True), "key": "p384", **how})


def middle(label="middle", **how):
    return Cert(**{"subject": dn(label), "ca": (x509.BasicConstraints(True, None), True),
                   "usage": (usage(), True), "key": "p521" if label == "middle" else "rsa2048", **how})


def leaf(**how):
    return Cert(**{"subject": dn("leaf"), "ca": (x509.BasicConstraints(False, None), True),
                   "usage": (usage(certs=False, signs=True, crl=False), True),
                   "purposes": (x509.ExtendedKeyUsage([Purpose.SERVER_AUTH]), False),
                   "names": (san(HOST), False), **how})


serials = iter(range(1000, 1 << 30))


def sign(cert, issuer):
    key, issuer_key = KEYS[cert.key], KEYS[issuer.key]
    builder = (x509.CertificateBuilder().subject_name(cert.subject).issuer_name(cert.issuer or issuer.subject)
               .public_key(key.public_key()).not_valid_before(cert.start).not_valid_after(cert.end)
               .serial_number(cert.serial or next(serials)))
    if cert.key_ids:
        builder = builder.add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), False)
        builder = builder.add_extension(
            cert.authority or x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key()), False)
    for extension in (cert.ca, cert.usage, cert.purposes, cert.names, cert.constraints, *cert.extra):
        if extension:
            builder = builder.add_extension(*extension)
    algorithm = None if issuer.key == "ed25519" else cert.hash
    return builder.sign(issuer_key, algorithm)


def chain(*certs, drop=()):
    """Root first. The PEM of what a server sends, leaf first, and that of the root."""
    signed = [sign(c, certs[max(i - 1, 0)]) for i, c in enumerate(certs)]
    sent = [c for i, c in reversed(list(enumerate(signed))) if i > 0 and i not in drop] or signed
    pem = [c.public_bytes(serialization.Encoding.PEM) for c in sent]
    return b"".join(pem), signed[0].public_bytes(serialization.Encoding.PEM)


def ca(path_length=None, critical=True):
    return x509.BasicConstraints(True, path_length), critical


def eku(*purposes, critical=False):
    return x509.ExtendedKeyUsage(list(purposes)), critical


def cases():
    """(label, host, chain PEM, root PEM); all are judged at NOW."""
    made = []

    def add(label, *certs, host=HOST, drop=()):
        made.append((label, host, *chain(*certs, drop=drop)))

    def with_leaf(label, host=HOST, **how):
        add(label, root(), middle(), leaf(**how), host=host)

    with_leaf("plain")
    add("without intermediate", root(), leaf())
    add("two intermediates", root(), middle("outer"), middle(), leaf())
    add("intermediate not sent", root(), middle(), leaf(), drop=(1,))
    add("self-signed leaf that is the root", leaf(key="p384"))
    add("self-signed CA as leaf", root(names=(san(HOST), False)))
    label_of_length = {n: [middle(f"m{i}") for i in range(n)] for n in (3, 5, 7, 8)}
    for n, middles in label_of_length.items():
        add(f"{n} intermediates", root(), *middles, leaf())
    names(with_leaf)
    wildcards(with_leaf)
    addresses(with_leaf)
    times(add)
    authority(add)
    path_lengths(add)
    purposes(add)
    usages(add)
    name_constraints(add)
    odd_extensions(add)
    algorithms(add)
    serial_numbers(add)
    identifiers(add)
    return made


def names(with_leaf):
    for label, sans, host in [
            ("no SAN, CN matches", None, HOST), ("SAN of another", ("other.example.com",), HOST),
            ("CN matches, SAN does not", ("other.example.com",), HOST), ("capitals in the SAN", ("WWW.Example.COM",), HOST),
            ("second SAN", ("a.example.com", HOST), HOST), ("parent's name", ("example.com",), HOST),
            ("child's name", ("a.www.example.com",), HOST), ("suffix without a dot", ("w.example.com",), "ww.example.com"),
            ("trailing dot in the SAN", ("www.example.com.",), HOST), ("leading dot in the SAN", (".example.com",), HOST),
            ("NUL in the SAN", ("www.example.com\0.evil.test",), HOST), ("space in the SAN", ("www.example.com ",), HOST),
            ("empty SAN name", ("",), HOST), ("SAN with a port", ("www.example.com:443",), HOST),
            ("SAN with a scheme", ("https://www.example.com",), HOST), ("single label", ("localhost",), "localhost"),
            ("underscore", ("a_b.example.com",), "a_b.example.com"), ("A-label", ("xn--bcher-kva.example",), "xn--bcher-kva.example"),
            ("50 names, last matches", (*(f"n{i}.example.com" for i in range(49)), HOST), HOST)]:
        subject = dn(HOST if "CN" in label else "leaf")
        with_leaf(label, host=host, subject=subject, names=sans and (san(*sans), False))
    with_leaf("URI SAN alone", names=(x509.SubjectAlternativeName(
        [x509.UniformResourceIdentifier(f"https://{HOST}/")]), False))
    with_leaf("email SAN alone", names=(x509.SubjectAlternativeName([x509.RFC822Name(f"a@{HOST}")]), False))
    with_leaf("directory SAN alone", names=(x509.SubjectAlternativeName([x509.DirectoryName(dn(HOST))]), False))
    with_leaf("critical SAN", names=(san(HOST), True))
    with_leaf("empty subject, critical SAN", subject=dn(None), names=(san(HOST), True))
    with_leaf("empty subject, SAN not critical", subject=dn(None), names=(san(HOST), False))


def wildcards(with_leaf):
    for pattern, host in [
            ("*.example.com", HOST), ("*.example.com", "example.com"), ("*.example.com", "a.www.example.com"),
            ("*.EXAMPLE.com", HOST), ("w*.example.com", HOST), ("*w.example.com", HOST), ("w*w.example.com", HOST),
            ("www.*.com", HOST), ("*.*.com", HOST), ("*", "localhost"), ("*.com", "example.com"), ("*", HOST),
            ("**.example.com", HOST), ("*.xn--bcher-kva.example", "a.xn--bcher-kva.example"),
            ("xn--*.example.com", "xn--bcher-kva.example.com"), ("*.example.com", "xn--bcher-kva.example.com"),
            ("*.example.com.", HOST), ("*example.com", HOST), ("www*", "www")]:
        with_leaf(f"wildcard {pattern} for {host}", host=host, names=(san(pattern), False))


def addresses(with_leaf):
    for label, sans, host in [
            ("IPv4", ("192.0.2.1",), "192.0.2.1"), ("other IPv4", ("192.0.2.2",), "192.0.2.1"),
            ("IPv6", ("2001:db8::1",), "2001:db8::1"), ("other IPv6", ("2001:db8::2",), "2001:db8::1"),
            ("IPv4 as a DNS name", (x509.DNSName("192.0.2.1"),), "192.0.2.1"),
            ("IPv6 as a DNS name", (x509.DNSName("2001:db8::1"),), "2001:db8::1"),
            ("name for an address", (HOST,), "192.0.2.1"), ("address for a name", ("192.0.2.1",), HOST),
            ("mapped for IPv4", ("::ffff:192.0.2.1",), "192.0.2.1"), ("wildcard for an address", ("*.0.2.1",), "192.0.2.1"),
            ("name and address", (HOST, "192.0.2.1"), "192.0.2.1")]:
        with_leaf(f"address: {label}", host=host, names=(san(*sans), False))
    with_leaf("address: in the CN", host="192.0.2.1", subject=dn("192.0.2.1"), names=None)


def times(add):
    past = {"start": NOW - 50 * DAY, "end": NOW - DAY}
    future = {"start": NOW + DAY, "end": NOW + 50 * DAY}
    for label, how in (("past", past), ("future", future), ("first second", {"start": NOW}),
                       ("last second", {"end": NOW}), ("generalized time", {"end": datetime.datetime(2051, 1, 1)}),
                       ("before 1970", {"start": datetime.datetime(1951, 1, 1)})):
        add(f"time: leaf, {label}", root(), middle(), leaf(**how))
        add(f"time: intermediate, {label}", root(), middle(**how), leaf())
        add(f"time: root, {label}", root(**how), middle(), leaf())


def authority(add):
    for which in ("intermediate", "root"):
        def add_ca(label, which=which, **how):
            add(f"CA: {which} {label}", root(**(how if which == "root" else {})),
                middle(**(how if which == "intermediate" else {})), leaf())
        add_ca("without basicConstraints", ca=None)
        add_ca("with CA:FALSE", ca=(x509.BasicConstraints(False, None), True))
        add_ca("with basicConstraints not critical", ca=ca(critical=False))
        add_ca("without basicConstraints and keyUsage", ca=None, usage=None)
    add("CA: leaf with CA:TRUE", root(), middle(), leaf(ca=ca()))
    add("CA: leaf with CA:TRUE and keyCertSign", root(), middle(), leaf(ca=ca(), usage=(usage(signs=True), True)))
    add("CA: leaf without basicConstraints", root(), middle(), leaf(ca=None))
    add("CA: leaf signs a leaf", root(), middle(), leaf(subject=dn("first")), leaf(key="rsa2048"))
    add("CA: issuer's name is another", root(), middle(), leaf(issuer=dn("somebody")))
    add("CA: signature by another key", root(), middle(), Cert(**{**vars(leaf()), "issuer": dn("middle")}), drop=())


def path_lengths(add):
    for length in (0, 1, 2):
        for middles in range(4):
            inner = [middle(f"m{i}") for i in range(middles)]
            add(f"pathlen {length} in the root, {middles} intermediates", root(ca=ca(length)), *inner, leaf())
            if inner:
                inner[0].ca = ca(length)
                add(f"pathlen {length} in the first of {middles} intermediates", root(), *inner, leaf())
    add("pathlen 0, a self-issued one below", root(), middle("m", ca=ca(0)),
        middle("m", key="p256"), leaf(key="p384"))
    add("pathlen grows again", root(), middle("a", ca=ca(1)), middle("b", ca=ca(5)), middle("c"), leaf())


def purposes(add):
    server, client, any_ = Purpose.SERVER_AUTH, Purpose.CLIENT_AUTH, Purpose.ANY_EXTENDED_KEY_USAGE
    sets = {"none": None, "server": eku(server), "client": eku(client), "both": eku(client, server), "any": eku(any_),
            "critical server": eku(server, critical=True), "critical client": eku(client, critical=True),
            "code signing": eku(Purpose.CODE_SIGNING), "OCSP signing": eku(Purpose.OCSP_SIGNING)}
    for label, value in sets.items():
        add(f"EKU: leaf, {label}", root(), middle(), leaf(purposes=value))
        add(f"EKU: intermediate, {label}", root(), middle(purposes=value), leaf())
        add(f"EKU: outer intermediate, {label}", root(), middle("outer", purposes=value), middle(), leaf())
        add(f"EKU: root, {label}", root(purposes=value), middle(), leaf())


def usages(add):
    for label, value in (("none", None), ("signs only", (usage(certs=False, signs=True, crl=False), True)),
                         ("enciphers only", (usage(certs=False, crl=False, encipher=True), True)),
                         ("CRLs only", (usage(certs=False), True)), ("certificates", (usage(), True)),
                         ("certificates, not critical", (usage(), False)),
                         ("signs and certificates", (usage(signs=True), True))):
        add(f"keyUsage: leaf, {label}", root(), middle(), leaf(usage=value))
        add(f"keyUsage: intermediate, {label}", root(), middle(usage=value), leaf())
        add(f"keyUsage: root, {label}", root(usage=value), middle(), leaf())


def name_constraints(add):
    rows = [
        ("permits the name", constraints(["example.com"]), (HOST,), HOST),
        ("permits the very name", constraints([HOST]), (HOST,), HOST),
        ("permits another", constraints(["example.org"]), (HOST,), HOST),
        ("permits one of two", constraints(["example.org", "example.com"]), (HOST,), HOST),
        ("permits a longer name", constraints(["a.www.example.com"]), (HOST,), HOST),
        ("permits by suffix, not by label", constraints(["ample.com"]), (HOST,), HOST),
        ("excludes the name", constraints(None, ["example.com"]), (HOST,), HOST),
        ("excludes another", constraints(None, ["example.org"]), (HOST,), HOST),
        ("excludes a longer name", constraints(None, ["a.www.example.com"]), (HOST,), HOST),
        ("permits, then excludes", constraints(["example.com"], ["www.example.com"]), (HOST,), HOST),
        ("capitals", constraints(["EXAMPLE.COM"]), (HOST,), HOST),
        ("leading dot", constraints([".example.com"]), (HOST,), HOST),
        ("leading dot, name itself", constraints([".example.com"]), ("example.com",), "example.com"),
        ("wildcard inside", constraints(["example.com"]), ("*.example.com",), HOST),
        ("wildcard that reaches out", constraints(["www.example.com"]), ("*.example.com",), HOST),
        ("wildcard meets an exclusion", constraints(None, ["www.example.com"]), ("*.example.com",), "a.example.com"),
        ("second name is not permitted", constraints(["example.com"]), (HOST, "evil.test"), HOST),
        ("second name is excluded", constraints(None, ["evil.test"]), (HOST, "evil.test"), HOST),
        ("address permitted", constraints(["192.0.2.0/24"]), ("192.0.2.1",), "192.0.2.1"),
        ("address not permitted", constraints(["198.51.100.0/24"]), ("192.0.2.1",), "192.0.2.1"),
        ("address excluded", constraints(None, ["192.0.2.0/24"]), ("192.0.2.1",), "192.0.2.1"),
        ("IPv6 permitted", constraints(["2001:db8::/32"]), ("2001:db8::1",), "2001:db8::1"),
        ("IPv6 not permitted", constraints(["2001:db9::/32"]), ("2001:db8::1",), "2001:db8::1"),
        ("address under a rule for names", constraints(["example.com"]), ("192.0.2.1",), "192.0.2.1"),
        ("name under a rule for addresses", constraints(["192.0.2.0/24"]), (HOST,), HOST),
        ("all IPv4 excluded", constraints(None, ["0.0.0.0/0"]), ("192.0.2.1",), "192.0.2.1"),
        ("empty permitted name", constraints([""]), (HOST,), HOST),
        ("everything excluded", constraints(None, [""]), (HOST,), HOST),
        ("rule for mail", constraints(["email:example.org"]), (HOST,), HOST),
        ("rule for mail, excluded", constraints(None, ["email:example.org"]), (HOST,), HOST)]
    for label, value, sans, host in rows:
        for critical in (True, False):
            add(f"constraints: {label}, {'critical' if critical else 'not critical'}", root(),
                middle(constraints=(value, critical)), leaf(names=(san(*sans), False)), host=host)
        add(f"constraints: {label}, two above", root(), middle("outer", constraints=(value, True)), middle(),
            leaf(names=(san(*sans), False)), host=host)
        add(f"constraints: {label}, in the root", root(constraints=(value, True)), middle(),
            leaf(names=(san(*sans), False)), host=host)
    for label, organisation in (("permitted", "good"), ("not permitted", "bad")):
        add(f"constraints: organisation {label}", root(), middle(constraints=(constraints(["O=good"]), True)),
            leaf(subject=x509.Name([x509.NameAttribute(NameOID.ORGANIZATION_NAME, organisation)])))
    add("constraints: in the leaf", root(), middle(), leaf(constraints=(constraints(["example.com"]), True)))


def odd_extensions(add):
    for critical in (False, True):
        word = "critical" if critical else "not critical"
        add(f"unknown extension: leaf, {word}", root(), middle(), leaf(extra=[(ODD, critical)]))
        add(f"unknown extension: intermediate, {word}", root(), middle(extra=[(ODD, critical)]), leaf())
        add(f"unknown extension: root, {word}", root(extra=[(ODD, critical)]), middle(), leaf())
    policy = x509.CertificatePolicies([x509.PolicyInformation(x509.ObjectIdentifier("1.2.3.4"), None)])
    add("policies: critical in the leaf", root(), middle(), leaf(extra=[(policy, True)]))
    add("policies: required explicitly", root(), middle(extra=[(x509.PolicyConstraints(0, None), True)]), leaf())
    add("policies: anyPolicy inhibited", root(), middle(extra=[(x509.InhibitAnyPolicy(0), True)]), leaf())
    add("OCSP must staple", root(), middle(), leaf(extra=[(x509.TLSFeature([x509.TLSFeatureType.status_request]), False)]))


def algorithms(add):
    for key in KEYS:
        add(f"key: leaf {key}", root(), middle(), leaf(key=key))
        add(f"key: intermediate {key}", root(), middle(key=key), leaf())
        add(f"key: root {key}", root(key=key), middle(), leaf())
    for label, algorithm in (("SHA-1", hashes.SHA1()), ("SHA-224", hashes.SHA224()), ("SHA-384", hashes.SHA384()),
                             ("SHA-512", hashes.SHA512()), ("SHA3-256", hashes.SHA3_256())):
        for key in ("rsa2048", "p384"):
            if (label, key) == ("SHA3-256", "rsa2048"):
                continue
            add(f"hash: {label} by {key} under the leaf", root(), middle(key=key), leaf(hash=algorithm))
            add(f"hash: {label} by {key} under the intermediate", root(key=key), middle(hash=algorithm), leaf())
            add(f"hash: {label} by {key} under the root", root(key=key, hash=algorithm), middle(), leaf())


def serial_numbers(add):
    for label, number in (("1", 1), ("20 octets", 1 << 158), ("20 octets, top bit clear", (1 << 159) - 1)):
        add(f"serial: leaf, {label}", root(), middle(), leaf(serial=number))
        add(f"serial: intermediate, {label}", root(), middle(serial=number), leaf())


def identifiers(add):
    wrong = x509.AuthorityKeyIdentifier(b"\x11" * 20, None, None)
    add("key ids: none in the leaf", root(), middle(), leaf(key_ids=False))
    add("key ids: none in the intermediate", root(), middle(key_ids=False), leaf())
    add("key ids: none in the root", root(key_ids=False), middle(), leaf())
    add("key ids: leaf names another issuer key", root(), middle(), leaf(authority=wrong))
    add("key ids: intermediate names another issuer key", root(), middle(authority=wrong), leaf())
    add("key ids: by name and number alone", root(), middle(), leaf(authority=x509.AuthorityKeyIdentifier(
        None, [x509.DirectoryName(dn("root"))], 77)))
