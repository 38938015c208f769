"""Attestation documents by a root of our own, made with Python's cryptography: what an NSM does, in thirty lines."""
import datetime

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, utils
from cryptography.x509.oid import NameOID


def encode(value):
    """Shortest CBOR of None, ints from 0, bytes, text, lists and dicts."""
    def head(kind, number):
        if number < 24:
            return bytes([kind << 5 | number])
        size = next(n for n in range(4) if number < 1 << (8 << n))
        return bytes([kind << 5 | 24 + size]) + number.to_bytes(1 << size, "big")

    if value is None:
        return b"\xf6"
    if isinstance(value, int):
        return head(0, value)
    if isinstance(value, bytes):
        return head(2, len(value)) + value
    if isinstance(value, str):
        return head(3, len(value.encode())) + value.encode()
    if isinstance(value, list):
        return head(4, len(value)) + b"".join(map(encode, value))
    return head(5, len(value)) + b"".join(encode(k) + encode(v) for k, v in value.items())


class Signer:
    """root -> instance -> leaf, valid for an hour from that time (seconds since 1970)."""

    def __init__(self, at):
        self.at, names = at, ["root", "instance", "leaf"]
        keys = [ec.generate_private_key(ec.SECP384R1()) for _ in names]
        self.key, self.chain = keys[2], []
        for i, name in enumerate(names):
            above, is_ca = max(i - 1, 0), i < 2
            start = datetime.datetime.utcfromtimestamp(at)
            named = lambda text: x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])
            usage = dict.fromkeys(["content_commitment", "key_encipherment", "data_encipherment", "key_agreement",
                                   "crl_sign", "encipher_only", "decipher_only"], False)
            cert = (x509.CertificateBuilder().subject_name(named(name)).issuer_name(named(names[above]))
                    .public_key(keys[i].public_key()).serial_number(x509.random_serial_number())
                    .not_valid_before(start).not_valid_after(start + datetime.timedelta(hours=1))
                    .add_extension(x509.BasicConstraints(is_ca, 1 - i if is_ca else None), True)
                    .add_extension(x509.KeyUsage(digital_signature=not is_ca, key_cert_sign=is_ca, **usage), True)
                    .sign(keys[above], hashes.SHA384()))
            self.chain.append(cert.public_bytes(serialization.Encoding.DER))

    def document(self, **fields):
        payload = encode({"module_id": "i-0123", "digest": "SHA384", "timestamp": self.at * 1000,
                          "pcrs": {n: bytes([n + 1]) * 48 for n in range(3)}, "certificate": self.chain[2],
                          "cabundle": self.chain[:2], "public_key": None, "user_data": None, "nonce": None,
                          **fields})
        protected = bytes.fromhex("a1013822")
        der = self.key.sign(encode(["Signature1", protected, b"", payload]), ec.ECDSA(hashes.SHA384()))
        signature = b"".join(n.to_bytes(48, "big") for n in utils.decode_dss_signature(der))
        return encode([protected, {}, payload, signature])
