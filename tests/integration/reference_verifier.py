"""A second verifier of attestation documents, written from AWS's text with Python's cryptography (OpenSSL).

It shares nothing with ours and is lax where the form is concerned (any CBOR that makes sense will do), so that
the two can be held against each other: what ours accepts, this one must accept too.
"""
import datetime
import hashlib

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, utils

AWS_ROOT = "641a0321a3e244efe456463195d606317ed7cdcc3c1756e09893f3c68f79bb5b"
SKEW = datetime.timedelta(minutes=5)


class Refused(Exception):
    pass


def decode(data, at=0):
    """One CBOR item: (value, where it ends). Definite lengths of any form."""
    kind, info = data[at] >> 5, data[at] & 31
    at += 1
    if kind == 7:
        return {20: False, 21: True, 22: None}[info], at
    if info < 24:
        number = info
    elif info < 28:
        size = 1 << (info - 24)
        number, at = int.from_bytes(data[at:at + size], "big"), at + size
    else:
        raise Refused("length form")
    if kind == 0:
        return number, at
    if kind == 1:
        return -1 - number, at
    if kind in (2, 3):
        if at + number > len(data):
            raise Refused("cut string")
        content = data[at:at + number]
        return (content if kind == 2 else content.decode()), at + number
    if kind == 4:
        items = []
        for _ in range(number):
            item, at = decode(data, at)
            items.append(item)
        return items, at
    if kind == 5:
        pairs = {}
        for _ in range(number):
            key, at = decode(data, at)
            pairs[key], at = decode(data, at)
        return pairs, at
    return decode(data, at)  # a tag is what it marks


def encode_bytes(content):
    n = len(content)
    head = bytes([0x40 | n]) if n < 24 else bytes([0x58, n]) if n < 256 else b"\x59" + n.to_bytes(2, "big")
    return head + content


def check_chain(certificates, at):
    parsed = [x509.load_der_x509_certificate(der) for der in certificates]
    if hashlib.sha256(certificates[0]).hexdigest() != AWS_ROOT:
        raise Refused("root")
    for i, cert in enumerate(parsed):
        if not cert.not_valid_before - SKEW <= at <= cert.not_valid_after:
            raise Refused("validity")
        is_leaf = i == len(parsed) - 1
        constraints = cert.extensions.get_extension_for_class(x509.BasicConstraints).value
        usage = cert.extensions.get_extension_for_class(x509.KeyUsage).value
        if constraints.ca == is_leaf or not (usage.digital_signature if is_leaf else usage.key_cert_sign):
            raise Refused("constraints")
        if not is_leaf and constraints.path_length is not None and len(parsed) - 2 - i > constraints.path_length:
            raise Refused("path length")
        if i:
            issuer = parsed[i - 1]
            if cert.issuer != issuer.subject:
                raise Refused("issuer")
            issuer.public_key().verify(cert.signature, cert.tbs_certificate_bytes, ec.ECDSA(hashes.SHA384()))
    return parsed[-1].public_key()


def verify(document, at):
    """The fields of a document that is good at that time (seconds since 1970); raises Refused if it is not."""
    try:
        (protected, _, payload, signature), end = decode(document)
        if end != len(document) or decode(protected)[0] != {1: -35} or len(signature) != 96:
            raise Refused("envelope")
        fields, _ = decode(payload)
        key = check_chain([*fields["cabundle"], fields["certificate"]],
                          datetime.datetime.utcfromtimestamp(at))
        signed = b"\x84\x6aSignature1" + encode_bytes(protected) + b"\x40" + encode_bytes(payload)
        r, s = (int.from_bytes(part, "big") for part in (signature[:48], signature[48:]))
        key.verify(utils.encode_dss_signature(r, s), signed, ec.ECDSA(hashes.SHA384()))
        return fields
    except Refused:
        raise
    except (InvalidSignature, ValueError, KeyError, IndexError, TypeError, AttributeError, RecursionError,
            x509.ExtensionNotFound) as error:
        raise Refused(type(error).__name__) from error
