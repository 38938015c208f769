"""Receipts, as the tests ask for them and find them in answers; the chain that gives them is imported by name."""
import base64
import pathlib
import re
import tempfile

import pytest

from .chain import NITROPROXY, Chain

WANT = [("X-Nitroproxy-Want-Receipt", "1")]
FIELD = b"x-nitroproxy-receipt"


@pytest.fixture(scope="module")
def chain(workdir, pki):
    if not NITROPROXY:
        pytest.skip("NITROPROXY does not name the executable")
    shared = Chain(pathlib.Path(tempfile.mkdtemp(dir=workdir)), pki,
                   enclave={"nsm": "software", "receipts": "true", "limits_attestation_rate": 1000,
                            "allow_plain_http": "true"})
    yield shared
    shared.stop()


def of_fields(fields):
    return [value for name, value in fields if name.lower() == FIELD]


def receipt_of(answer):
    """The one receipt of an answer, in its trailers or, of an empty one, in its head."""
    found = of_fields(answer.trailers) + of_fields(answer.fields)
    assert len(found) == 1, f"{len(found)} receipts"
    assert re.fullmatch(rb":[A-Za-z0-9+/]+=*:", found[0])
    return base64.b64decode(found[0][1:-1], validate=True)
