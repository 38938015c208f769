"""A receipt read without anything of ours: CBOR by reference_verifier.py, the signature by cryptography."""
import hashlib

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, utils
from reference_verifier import decode, encode_bytes


def read(receipt):
    """By another implementation: the payload, its signature verified."""
    envelope, end = decode(receipt)
    protected, unprotected, payload, signature = envelope
    assert end == len(receipt) and protected == bytes.fromhex("a1013822") and unprotected == {} and len(signature) == 96
    said, end = decode(payload)
    assert end == len(payload)
    key = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP384R1(), said["key"])
    signed = b"\x84\x6aSignature1" + encode_bytes(protected) + b"\x40" + encode_bytes(payload)
    der = utils.encode_dss_signature(int.from_bytes(signature[:48], "big"), int.from_bytes(signature[48:], "big"))
    key.verify(der, signed, ec.ECDSA(hashes.SHA384()))
    spki = key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    return said, hashlib.sha256(spki).hexdigest()
