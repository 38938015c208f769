"""What is shipped around the binary agrees with the binary: documents, completions, units, monitoring, health check."""
import gzip
import json
import os
import re
import shutil
import socket
import subprocess
import time
from pathlib import Path

import pytest

TESTS = Path(os.environ.get("NP_TESTS", Path(__file__).parent.parent))
PACKAGING = TESTS.parent / "packaging"
NITROPROXY = os.environ["NITROPROXY"]
BUILD = Path(NITROPROXY).parent
ROLES = ("host", "enclave", "tunnel", "demo")
ENVIRONMENT = {k: v for k, v in os.environ.items() if not k.startswith("NITROPROXY")}


def run(*args, **more):
    return subprocess.run([str(a) for a in args], capture_output=True, text=True, timeout=120, env=ENVIRONMENT, **more)


def tool(name):
    if not shutil.which(name):
        pytest.skip(f"{name} is not installed")
    return name


def help_options(*command):
    text = run(NITROPROXY, *command, "--help").stdout
    return set(re.findall(r"^ +(?:-\w, )?(?:--[\w-]+, )?(--[a-z][\w-]*)", text, re.M)) | set(
        re.findall(r"^ +(?:-\w, )?(--[a-z][\w-]*),", text, re.M))


def commands():
    return re.findall(r"^  ([a-z][\w-]*) ", run(NITROPROXY, "--help").stdout, re.M)


def page(name):
    return gzip.decompress((BUILD / name).read_bytes()).decode().replace("\\-", "-")


# ---- documents --------------------------------------------------------------------------------------------------------

def test_the_man_page_has_every_option():
    sections = re.split(r"^\.SS nitroproxy ", page("nitroproxy.1.gz"), flags=re.M)[1:]
    by_command = {section.split("\n", 1)[0].replace("\\", ""): section for section in sections}
    assert set(commands()) == by_command.keys()
    for command in (*ROLES, "verify", "image"):
        options = help_options(command, *(["build"] if command == "image" else []))
        assert len(options) > 5
        missing = {o for o in options if not re.search(re.escape(o) + r"(?![\w-])", by_command[command])}
        assert not missing, f"{command}: {missing}"


def test_the_man_page_of_settings_has_every_setting():
    text = page("nitroproxy-config.5.gz")
    config = json.loads(run(NITROPROXY, "host", "--print-config=json").stdout)
    for section, value in config.items():
        for path in [section] if not isinstance(value, dict) else [f"{section}.{key}" for key in value]:
            assert f"\\fB{path}\\fR" in text
            assert f"NITROPROXY_{path.upper().replace('.', '_')}" in text


def test_man_pages_are_valid():
    tool("man")
    for name in ("nitroproxy.1.gz", "nitroproxy-config.5.gz"):
        result = subprocess.run(["man", "--warnings", "-E", "UTF-8", "-l", str(BUILD / name)], text=True, timeout=60,
                                capture_output=True, env={**ENVIRONMENT, "MANWIDTH": "100", "LC_ALL": "C.UTF-8"})
        assert result.stderr == ""
        assert "@" not in re.sub(r"\S+@\S+\.\S+", "", result.stdout)  # a directive that was not replaced


# ---- completion -------------------------------------------------------------------------------------------------------

def bash_completes(*words):
    script = f'. "{BUILD}/nitroproxy.bash"; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _nitroproxy; printf "%s\\n" "${{COMPREPLY[@]}}"'
    result = run("bash", "-c", script, "bash", "nitroproxy", *words, cwd=TESTS.parent)
    assert result.stderr == ""
    return set(result.stdout.split())


def test_bash_completes_commands_options_and_values():
    assert set(commands()) <= bash_completes("")
    assert help_options("verify") - {"--pcr0"} <= bash_completes("verify", "--")
    assert help_options("image", "build") <= bash_completes("image", "build", "--")
    for role in ROLES[:3]:
        assert help_options(role) <= bash_completes(role, "--")
    assert bash_completes("host", "--log-level", "d") == {"debug"}
    assert bash_completes("host", "--log-level", "=", "d") == {"debug"}
    assert "config/config.json" in bash_completes("host", "--config", "config/c")
    assert bash_completes("host", "--port", "") == set()  # a number is not to be guessed
    assert "--no-enclave-debug-mode" in bash_completes("host", "--no-")


def test_zsh_is_told_of_every_option():
    tool("zsh")
    for role in ROLES[:3]:
        # zsh's own _arguments works only while completing; what it would be given is what counts.
        script = f"""_arguments() {{ if [[ $1 == -C ]]; then state=options line=({role}); return 1; fi; print -l -- "$@" }}
                     source "{BUILD}/_nitroproxy" """
        result = run("zsh", "-f", "-c", script)
        assert result.stderr == ""
        specs = result.stdout.splitlines()
        assert all(re.match(r"\*?-[\w-]+(=-?)?\[.*\](:.*)?$", spec) for spec in specs)
        assert help_options(role) <= {re.match(r"\*?([\w-]+)", spec).group(1) for spec in specs}


# ---- units ------------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("role", ["host", "tunnel"])
def test_units_are_hardened(role):
    tool("systemd-analyze")
    result = run("systemd-analyze", "security", "--offline=true", "--no-pager", PACKAGING / f"systemd/nitroproxy-{role}.service")
    score = re.search(r"Overall exposure level.*: ([\d.]+)", result.stdout)
    assert score, result.stderr
    print(score.group(0))
    assert float(score.group(1)) < 2.0


def unit(name):
    return dict(re.findall(r"^(\w+)=(.*)$", (PACKAGING / "systemd" / name).read_text(), re.M))


def test_the_shipped_settings_open_nothing_that_the_unit_may_not():
    shown = run(NITROPROXY, "host", "--config", TESTS.parent / "config/config.json", "--print-config=json").stdout
    assert json.loads(shown)["ingress"]["listen"] == ""


@pytest.mark.parametrize("role, others", [("host", []), ("tunnel", []), ("host", ["ingress"])])
def test_the_service_runs_as_its_unit_says(role, others, tmp_path):
    """
    The unit's command line with the sockets, the credential and the watchdog that systemd would give. What it opened
    itself instead of the sockets it was given would fail: the address is not this machine's.
    """
    service, sockets = unit(f"nitroproxy-{role}.service"), [unit(f"nitroproxy-{name}.socket") for name in (role, *others)]
    assert all(socket.get("Service", f"nitroproxy-{role}.service") == f"nitroproxy-{role}.service" for socket in sockets)
    assert service["Type"] == "notify" and service["DynamicUser"] == "yes" and int(service["WatchdogSec"]) > 0
    shutil.copy(TESTS.parent / "config/config.json", tmp_path / "config.json")
    command = service["ExecStart"].replace("/usr/bin/nitroproxy", NITROPROXY).replace("%d", str(tmp_path)).split()
    assert run(*service["ExecStartPre"].replace("/usr/bin/nitroproxy", NITROPROXY)
               .replace("%d", str(tmp_path)).split()).returncode == 0
    told = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    told.bind(str(tmp_path / "notify"))
    told.settimeout(20)
    listeners = [socket.socket(socket.AF_UNIX) for _ in sockets]
    for i, listener in enumerate(listeners):
        listener.bind(str(tmp_path / f"listener{i}"))
        listener.listen()
    moved = " ".join(f"{3 + i}<&{10 + listener.fileno()}" for i, listener in enumerate(listeners))
    away = " ".join(f"{10 + listener.fileno()}<&{listener.fileno()}" for listener in listeners)
    shell = f'exec {away}; exec {moved}; export LISTEN_PID=$$ WATCHDOG_PID=$$; exec "$@"'
    process = subprocess.Popen(["bash", "-c", shell, "bash", *command], pass_fds=[s.fileno() for s in listeners],
                               env={**ENVIRONMENT, "NOTIFY_SOCKET": str(tmp_path / "notify"),
                                    "LISTEN_FDS": str(len(listeners)),
                                    "LISTEN_FDNAMES": ":".join(s["FileDescriptorName"] for s in sockets),
                                    "NITROPROXY_INGRESS_LISTEN": "tcp:192.0.2.1:8443" if others else "",
                                    "WATCHDOG_USEC": "400000"},
                               stderr=subprocess.PIPE, text=True)
    try:
        assert told.recv(100) == b"READY=1"
        assert told.recv(100) == b"WATCHDOG=1"
        process.terminate()
        while (word := told.recv(100)) != b"STOPPING=1":
            assert word == b"WATCHDOG=1"
        assert process.wait(timeout=20) == 0
    finally:
        process.kill()
        log = process.communicate()[1]
    assert log.count("from=systemd") == len(listeners)


# ---- health and monitoring --------------------------------------------------------------------------------------------

@pytest.fixture(scope="module")
def trio(tmp_path_factory):
    base = tmp_path_factory.mktemp("t")
    roles = (("tunnel", "--listen", f"unix:{base}/tunnel.sock"),
             ("enclave", "--listen", f"unix:{base}/enclave.sock", "--tunnel", f"unix:{base}/tunnel.sock",
              "--http-listen", f"unix:{base}/http.sock"),
             ("host", "--listen", f"unix:{base}/host.sock", "--enclave", f"unix:{base}/enclave.sock"))
    processes = [subprocess.Popen([NITROPROXY, *args], stderr=subprocess.DEVNULL, env=ENVIRONMENT) for args in roles]
    try:
        deadline = time.monotonic() + 30
        while health(base).returncode != 0:
            assert time.monotonic() < deadline
            time.sleep(0.1)
        yield base
    finally:
        for process in processes:
            process.terminate()
        for process in processes:
            process.wait(timeout=20)


def health(base, *more):
    return run(NITROPROXY, "host", "--health", "--listen", f"unix:{base}/host.sock", *more)


def test_health_check_of_the_binary(trio, tmp_path):
    well = health(trio)
    assert well.returncode == 0 and json.loads(well.stdout)["status"] == "ok" and well.stderr == ""
    nobody = health(tmp_path)
    assert nobody.returncode == 1 and "No such file" in nobody.stderr
    assert health(trio, "--prot", "1").returncode == 2
    assert run(NITROPROXY, "host", "--health", "--port", "0").returncode == 1
    with subprocess.Popen([NITROPROXY, "host", "--listen", f"unix:{tmp_path}/host.sock", "--enclave", "unix:/nonexistent"],
                          stderr=subprocess.DEVNULL, env=ENVIRONMENT) as lonely:
        while not (tmp_path / "host.sock").exists():
            time.sleep(0.02)
        ill = health(tmp_path)
        lonely.terminate()
    assert ill.returncode == 1 and json.loads(ill.stdout)["status"] == "failed"


def exported(path):
    result = run("curl", "-sf", "--unix-socket", path, "http://localhost/metrics")
    names = {}
    for name, kind in re.findall(r"^# TYPE (\w+) (\w+)$", result.stdout, re.M):
        for suffix in ("_bucket", "_sum", "_count") if kind == "histogram" else ("",):
            names[name + suffix] = kind
    return names


def test_monitoring_uses_metrics_that_exist(trio):
    names = {**exported(trio / "host.sock"), **exported(trio / "http.sock")}
    assert len(names) > 15
    for file in ("alerts.yml", "grafana-dashboard.json"):
        used = set(re.findall(r"\bnitroproxy_\w+", (PACKAGING / "monitoring" / file).read_text()))
        assert len(used) > 5 and used <= names.keys(), used - names.keys()
    agent = json.loads((PACKAGING / "monitoring/amazon-cloudwatch-agent.json").read_text())
    processor = agent["logs"]["metrics_collected"]["prometheus"]["emf_processor"]
    assert processor["metric_unit"].keys() <= names.keys()
    for declaration in processor["metric_declaration"]:
        for selector in declaration["metric_selectors"]:
            assert any(re.search(selector, name) for name in names), selector


def test_prometheus_takes_the_rules(tmp_path):
    tool("promtool")
    for args in (("check", "rules", "alerts.yml"), ("test", "rules", "alerts.test.yml"), ("check", "config", "prometheus.yml"),
                 ("check", "config", "prometheus-cloudwatch.yml")):
        result = run("promtool", *args, cwd=PACKAGING / "monitoring")
        assert result.returncode == 0, result.stdout + result.stderr
    # The dashboard's expressions, as rules: that parses them.
    board = json.loads((PACKAGING / "monitoring/grafana-dashboard.json").read_text())
    rules = [{"record": f"panel:{p['id']}:{t['refId']}", "expr": t["expr"].replace("$__rate_interval", "5m")}
             for p in board["panels"] for t in p["targets"]]
    (tmp_path / "board.yml").write_text(json.dumps({"groups": [{"name": "board", "rules": rules}]}))
    result = run("promtool", "check", "rules", tmp_path / "board.yml")
    assert result.returncode == 0, result.stdout + result.stderr


# ---- scripts, lists ---------------------------------------------------------------------------------------------------

def test_scripts_pass_shellcheck():
    tool("shellcheck")
    scripts = [p for p in PACKAGING.rglob("*") if p.is_file()
               and (p.suffix == ".sh" or p.read_bytes()[:40].startswith((b"#!/bin/sh", b"#!/bin/bash", b"# shellcheck shell=")))]
    assert len(scripts) >= 10
    result = run("shellcheck", "-x", *scripts, cwd=PACKAGING.parent)
    assert result.returncode == 0, result.stdout


def test_what_is_linked_in_is_listed_with_its_licence(tmp_path):
    deps = re.search(r"^NP_DEPS:\w+=(.*)$", (BUILD / "CMakeCache.txt").read_text(), re.M).group(1)
    for kind, more in (("package", set()), ("static", {"glibc"})):
        result = run(PACKAGING / "sbom.sh", "--kind", kind, "--deps", deps, "--version", "1.2.3", NITROPROXY, tmp_path / kind)
        assert result.returncode == 0, result.stderr
        bom = json.loads((tmp_path / kind / "sbom.cdx.json").read_text())
        assert (bom["bomFormat"], bom["specVersion"], bom["metadata"]["component"]["version"]) == ("CycloneDX", "1.5", "1.2.3")
        names = {c["name"] for c in bom["components"]}
        assert names == {"mbedtls", "llhttp", "libuv", "jansson", "libidn2", "libunistring", "libgcc"} | more
        assert set(bom["dependencies"][0]["dependsOn"]) == {c["bom-ref"] for c in bom["components"]}
        for component in bom["components"]:
            assert component["version"] and component["licenses"][0]["expression"]
            assert len((tmp_path / kind / "licenses" / component["name"]).read_text()) > 500


def test_build_says_what_is_missing(tmp_path):
    """On a machine with the tools of a POSIX system and no builder of images, `docker` says what to install."""
    for name in ("bash", "env", "dirname", "sed", "git", "cat"):
        if found := shutil.which(name):  # git is not on every machine
            (tmp_path / name).symlink_to(found)
    result = subprocess.run([PACKAGING / "build.sh", "docker"], env={"PATH": str(tmp_path)}, capture_output=True, text=True)
    assert result.returncode == 1
    assert "buildah" in result.stderr
