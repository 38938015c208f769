"""README's commands, taken out of README and run: what they show must be so. A command that is added there and has
no rule here fails; so does a rule without a command."""
import json
import os
import pathlib
import re
import shlex
import subprocess

import pytest
from harness.chain import NITROPROXY
from harness.origin import pattern

TREE = pathlib.Path(__file__).parents[2]
README = (TREE / "README.md").read_text(encoding="utf-8")
COMMANDS = ("curl ", "nitroproxy ", "./")
BODY = pattern(4321)


def commands():
    """Indented lines and table cells that begin like a command; what stands behind five blanks is a remark."""
    found = []
    for line in README.splitlines():
        if line.startswith("    "):
            found.append(re.split(r" {5,}", line.strip())[0])
        elif line.startswith("|"):
            found += [cell for cell in re.findall(r"`([^`]+)`", line) if not re.fullmatch(r"nitroproxy \w+", cell)]
    return list(dict.fromkeys(c for c in found if c.startswith(COMMANDS)))


def run(command, timeout=60):
    return subprocess.run(command, shell=True, capture_output=True, text=True, timeout=timeout, cwd=TREE, check=False)


def ours(command):
    return command.replace("nitroproxy ", NITROPROXY + " ", 1)


@pytest.fixture(scope="module")
def site(origin):
    origin.handle("/v1/x", lambda connection, request: connection.reply(body=BODY))
    return origin.url


def sends(command, chain, site, pki, tmp_path):
    """The same command, to this test's proxy and service."""
    words = shlex.split(command.replace("https://api.example.com", site)
                        .replace("http://localhost:8080", chain.front.url)
                        .replace("http://127.0.0.1:8080", chain.front.url))
    done = subprocess.run([words[0], "-sS", "-m", "20", "--cacert", str(pki.root_file), *words[1:]],
                          capture_output=True, check=False, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    if command.endswith("/health"):
        assert json.loads(done.stdout)["status"] == "ok"
    elif "-o" in words:
        assert (tmp_path / words[words.index("-o") + 1]).read_bytes() == BODY
    else:
        assert done.stdout == BODY


def is_understood(command, chain, site, pki, tmp_path):
    """A role's command line, checked without opening what it names: there is no vsock here."""
    done = run(ours(command) + " --check-config")
    assert done.returncode == 0, done.stderr


def explains_itself(command, chain, site, pki, tmp_path):
    """Its words are there, its example's placeholders are not: the flags must be ones that its help lists."""
    name = shlex.split(command)[1]
    text = run(f"{NITROPROXY} {name} --help")
    for flag in re.findall(r"--[a-z0-9-]+", command):
        known = flag.rstrip("012") if flag.startswith("--pcr") else flag
        assert known in text.stdout + text.stderr, f"{name} --help does not know {flag}"


def is_a_script(command, chain, site, pki, tmp_path):
    script = shlex.split(command)[0]
    assert os.access(TREE / script, os.X_OK)
    assert run(f"{script} --help").returncode == 0


def demo_runs(command, chain, site, pki, tmp_path):
    report = tmp_path / "r.html"
    done = run(ours(command).replace("r.html", str(report)), timeout=120)
    assert done.returncode == 0, done.stdout
    assert "<!doctype html>" in report.read_text(encoding="utf-8")[:20].lower()


RULES = {  # the beginning of a command, and what becomes of it
    "curl ": sends,
    "nitroproxy tunnel ": is_understood,
    "nitroproxy enclave ": is_understood,
    "nitroproxy host ": is_understood,
    "nitroproxy demo --local": demo_runs,
    "nitroproxy verify ": explains_itself,
    "nitroproxy verify-chain ": explains_itself,
    "nitroproxy image ": explains_itself,
    "./packaging/dev.sh": is_a_script,  # `local` and `test` are what CI itself runs
    "./packaging/build.sh": is_a_script,
    "./packaging/deploy.sh": is_a_script,
}


def rule_of(command):
    return max((r for r in RULES if command.startswith(r)), key=len, default=None)


@pytest.mark.parametrize("command", commands())
def test_command(command, chain, site, pki, tmp_path):
    rule = rule_of(command)
    assert rule, "README shows a command that no rule here runs"
    RULES[rule](command, chain, site, pki, tmp_path)


def test_every_rule_is_used():
    assert {rule_of(c) for c in commands()} == set(RULES)


def test_python_snippet(chain, site, pki, monkeypatch):
    code = re.search(r"```python\n(.*?)```", README, re.S).group(1)
    code = code.replace("https://api.example.com", site).replace("http://localhost:8080", chain.front.url)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(pki.root_file))
    code = re.sub(r"^requests\.get", "bodies += requests.get", code, flags=re.M)
    code = re.sub(r"^(bodies \+= .*?\))(\s|$)", r"\1.content,\2", code, flags=re.M)
    scope = {"bodies": ()}
    exec(code, scope)  # noqa: S102 - it is our own README
    assert list(scope["bodies"]) == [BODY, BODY]


def test_policy_is_understood(tmp_path):
    policy = re.search(r"```json\n(.*?)```", README, re.S).group(1)
    (tmp_path / "c.json").write_text(policy, encoding="utf-8")
    assert run(f"{NITROPROXY} enclave --config {tmp_path}/c.json --check-config").returncode == 0


def test_links():
    missing = [link for link in re.findall(r"\]\(([^)#:]+)\)", README) if not (TREE / link).exists()]
    assert not missing
