"""
Our verifier, OpenSSL's and GnuTLS's on the same few hundred chains (x509_cases.py). Where they disagree, the reason
stands below: one that is not there fails, and so does one that no chain has any more.
"""
import calendar
import concurrent.futures
import os
import pathlib
import shutil
import subprocess

import pytest
import x509_cases as x509
from harness.chain import NITROPROXY

FAKETIME = next(iter(pathlib.Path("/usr/lib").glob("*/faketime/libfaketime.so.1")), None)
AT = str(calendar.timegm(x509.NOW.timetuple()))

# ours, OpenSSL's, GnuTLS's: A accepts, r refuses. The longest beginning of a label that is there counts.
STRICTER = {  # we refuse what another accepts
    "self-signed CA as leaf": "a CA certificate is no server's",
    "no SAN, CN matches": "a common name is not enough (RFC 6125)",
    "empty subject, SAN not critical": "RFC 5280 section 4.1.2.6; OpenSSL likewise",
    "wildcard w*.": "a star stands for a whole label (RFC 6125 section 6.4.3)",
    "wildcard *w.": "likewise",
    "CA: root": "a root says that it is a CA, as OpenSSL wants it",
    "CA: leaf with CA:TRUE": "a CA certificate is no server's",
    "EKU: root": "what a root is not for, nothing below it is",
    "EKU: leaf, any": "anyExtendedKeyUsage names no purpose; OpenSSL likewise",
    "keyUsage: leaf": "TLS 1.3 needs a signature, and a server does not sign certificates",
    "constraints: leading dot": "no such form in RFC 5280 section 4.2.1.10; closed",
    "constraints: wildcard meets an exclusion": "the wildcard covers an excluded name",
    "constraints: organisation not permitted": "GnuTLS does not look at directory names",
    "constraints: in the leaf": "RFC 5280 section 4.2.1.10: in CA certificates only",
    "policies:": "mbedTLS does not know them, and they are critical: closed",
    "key:": "RSA of 2048 to 8192 bits, P-256, P-384, P-521",
    "hash:": "SHA-256, SHA-384, SHA-512",
}
LAXER = {  # we accept what another refuses
    "self-signed leaf that is the root": "pinned: byte for byte in the trust store, as with OpenSSL",
    "time:": "RFC 5280 section 4.1.2.5: the period includes its last second; OpenSSL's does not",
    "CA: intermediate with basicConstraints not critical": "-x509_strict alone minds; RFC 5280 section 6.1 does not, "
                                                           "and roots in use are so",
    "CA: root with basicConstraints not critical": "likewise",
    "pathlen 0, a self-issued one below": "RFC 5280 section 4.2.1.9: self-issued ones do not count; GnuTLS counts them",
    "keyUsage: intermediate, none": "-x509_strict alone minds; RFC 5280 section 6.1.4 (n): if present",
    "keyUsage: root, none": "likewise, and roots in use are so",
    "constraints: address under a rule for names": "a rule is for names of its form (RFC 5280 section 4.2.1.10)",
    "key ids:": "they help to find a path and prove nothing; -x509_strict alone minds",
}


def runs(*command, **env):
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, env={**os.environ, **env})
    assert done.returncode in (0, 1, 2), done.stderr
    return done.returncode == 0, (done.stdout + done.stderr).strip()


def judge(directory, number, case):
    _, host, chain, root = case
    sent, trusted, leaf = (directory / f"{number}.{what}" for what in ("chain", "root", "leaf"))
    end = b"-----END CERTIFICATE-----\n"
    sent.write_bytes(chain)
    trusted.write_bytes(root)
    leaf.write_bytes(chain.partition(end)[0] + end)
    by = "-verify_ip" if host[0].isdigit() or ":" in host else "-verify_hostname"
    verdicts = {
        "ours": runs(NITROPROXY, "verify-chain", "--ca", trusted, "--host", host, "--at", AT, sent),
        "openssl": runs("openssl", "verify", "-x509_strict", "-purpose", "sslserver", "-attime", AT, "-no-CApath",
                        "-no-CAstore", "-CAfile", trusted, "-untrusted", sent, by, host, leaf),
    }
    if FAKETIME and shutil.which("certtool"):
        verdicts["gnutls"] = runs(
            "certtool", "--verify", "--load-ca-certificate", trusted, "--infile", sent,
            "--verify-purpose=1.3.6.1.5.5.7.3.1", f"--verify-hostname={host}",
            LD_PRELOAD=str(FAKETIME), FAKETIME=f"@{x509.NOW}", TZ="UTC")
    return verdicts


@pytest.fixture(scope="module")
def verdicts(tmp_path_factory):
    if not NITROPROXY:
        pytest.skip("NITROPROXY does not name the executable")
    directory = tmp_path_factory.mktemp("x509")
    cases = x509.cases()
    assert len(cases) > 300 and len({label for label, *_ in cases}) == len(cases)
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        judged = pool.map(lambda i: judge(directory, i, cases[i]), range(len(cases)))
        return {case[0]: verdict for case, verdict in zip(cases, judged)}


def explanation(table, label):
    return max((p for p in table if label.startswith(p)), key=len, default=None)


def disagreements(verdicts, ours_accepts):
    for label, by in verdicts.items():
        if by["ours"][0] is ours_accepts and any(ok is not ours_accepts for ok, _ in by.values()):
            yield label, by


@pytest.mark.parametrize("table,ours_accepts", [(LAXER, True), (STRICTER, False)], ids=["laxer", "stricter"])
def test_every_disagreement_is_explained(verdicts, table, ours_accepts):
    used, wrong = set(), []
    for label, by in disagreements(verdicts, ours_accepts):
        why = explanation(table, label)
        used.add(why)
        if not why:
            wrong.append(f"{label}: {by}")
    assert not wrong, "\n".join(wrong)
    if "gnutls" in next(iter(verdicts.values())):
        assert used == set(table)


def test_most_of_it_is_agreed(verdicts):
    """The judges judge: each of them accepts and refuses a good part, and they mostly say the same."""
    for judge_ in next(iter(verdicts.values())):
        accepted = sum(by[judge_][0] for by in verdicts.values())
        assert 0.3 < accepted / len(verdicts) < 0.8, judge_
    unanimous = sum(len({ok for ok, _ in by.values()}) == 1 for by in verdicts.values())
    assert unanimous / len(verdicts) > 0.75


def test_a_refusal_has_a_reason(verdicts):
    for label, by in verdicts.items():
        ok, said = by["ours"]
        assert said == "accepted" if ok else said.startswith("refused: ") and len(said) > 20, label
