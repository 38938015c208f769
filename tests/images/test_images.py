"""Images and packages made for real: minutes of work, so only on request (dev.sh test --suite images).

The base image of the Dockerfiles comes from debootstrap and the machine's own Debian archive; buildah stands in for
Docker, without a daemon.  Packages are installed in a tree made the same way."""
import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

TESTS = Path(os.environ.get("NP_TESTS", Path(__file__).parent.parent))
TREE = TESTS.parent
BUILDAH = {**os.environ, "BUILDAH_ISOLATION": "chroot", "STORAGE_DRIVER": "vfs", "SOURCE_DATE_EPOCH": "1700000000"}


def missing():
    if os.environ.get("NP_IMAGES") != "1":
        return "takes minutes: dev.sh test --suite images"
    if os.getuid() != 0:
        return "chroot needs root"
    tools = [t for t in ("buildah", "debootstrap", "rpm", "rpmbuild") if not shutil.which(t)]
    return f"not installed: {' '.join(tools)}" if tools else None


pytestmark = pytest.mark.skipif(missing() is not None, reason=str(missing()))


def run(*args, timeout=1500, **more):
    result = subprocess.run([str(a) for a in args], capture_output=True, text=True, timeout=timeout,
                            env=more.pop("env", BUILDAH), **more)
    assert result.returncode == 0, f"{args}\n{result.stdout[-3000:]}\n{result.stderr[-5000:]}"
    return result.stdout


@pytest.fixture(scope="session")
def debian(tmp_path_factory):
    """A minimal Debian 12 that takes packages from where this machine does."""
    targets = run("apt-get", "indextargets", "--format", "$(SITE) $(LABEL)", "Created-By: Packages")
    site = re.search(r"^(\S+) Debian$", targets, re.M).group(1)
    root = tmp_path_factory.mktemp("debian") / "root"
    run("debootstrap", "--variant=minbase", "bookworm", root, site)
    (root / "etc/apt/sources.list").unlink()
    for part in ("sources.list.d", "apt.conf.d"):
        for file in Path("/etc/apt", part).iterdir():
            if file.suffix in (".sources", ".list", "") and (part == "sources.list.d" or file.name.startswith("99")):
                shutil.copy(file, root / "etc/apt" / part)
    yield root
    shutil.rmtree(root)


@pytest.fixture(scope="session")
def sources(tmp_path_factory):
    """The files of the repository alone, so that nothing of this checkout's build is used or touched."""
    copy = tmp_path_factory.mktemp("sources")
    for name in run("git", "ls-files", "--cached", "--others", "--exclude-standard", cwd=TREE).splitlines():
        if (TREE / name).is_file():
            (copy / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(TREE / name, copy / name)
    cache = Path(os.environ["NITROPROXY"]).parent / "CMakeCache.txt"
    (copy / ".deps").symlink_to(re.search(r"^NP_DEPS:\w+=(.*)$", cache.read_text(), re.M).group(1))
    return copy


# ---- images -----------------------------------------------------------------------------------------------------------

@pytest.fixture(scope="session")
def base(debian, sources):
    name = re.search(r"^ARG BASE=(\S+)$", (sources / "enclave.Dockerfile").read_text(), re.M).group(1)
    container = run("buildah", "from", "scratch").strip()
    run("buildah", "add", "-q", container, debian, "/")
    run("buildah", "commit", "-q", container, name)
    run("buildah", "rm", container)
    yield name
    run("buildah", "rmi", "-f", name)


def build(sources, dockerfile, tag, image_format):
    run("buildah", "build", "--pull=never", "--layers=false", "--format", image_format, "--timestamp",
        BUILDAH["SOURCE_DATE_EPOCH"], "-f", dockerfile, "-t", tag, ".", cwd=sources)
    image = json.loads(run("buildah", "inspect", "--type", "image", tag))
    return image["FromImageDigest"], image["Docker"]["config"]  # buildah shows either format so


class Files:
    """The files of an image, mounted."""

    def __init__(self, tag):
        self.container = run("buildah", "from", "--pull=never", tag).strip()
        self.root = Path(run("buildah", "mount", self.container).strip())

    def names(self):
        return {str(p.relative_to(self.root)) for p in self.root.rglob("*") if not p.is_dir()}

    def run(self, *args):
        return subprocess.run(["buildah", "run", self.container, "--", *args], capture_output=True, text=True, env=BUILDAH)

    def close(self):
        run("buildah", "rm", self.container)


def test_the_enclave_image_is_three_files_and_reproducible(base, sources):
    first, config = build(sources, "enclave.Dockerfile", "np-test-enclave:1", "oci")
    again, _ = build(sources, "enclave.Dockerfile", "np-test-enclave:2", "oci")
    print("digests", first, again)
    assert first == again
    assert config["Entrypoint"] == ["/usr/bin/nitroproxy", "enclave", "--config", "/etc/nitroproxy/enclave.json"]
    files = Files("np-test-enclave:1")
    assert files.names() - {"run/.containerenv"} == {"usr/bin/nitroproxy", "etc/nitroproxy/enclave.json",
                                                     "etc/ssl/certs/ca-certificates.crt"}
    assert "INTERP" not in run("readelf", "-lW", files.root / "usr/bin/nitroproxy")
    assert files.run("/usr/bin/nitroproxy", "--version").stdout.startswith("nitroproxy ")
    assert "--http-listen" in files.run("/usr/bin/nitroproxy", "enclave", "--help").stdout
    files.close()
    run("buildah", "rmi", "-f", "np-test-enclave:1", "np-test-enclave:2")


def test_the_host_image_is_small_and_not_root(base, sources):
    _, config = build(sources, "host.Dockerfile", "np-test-host", "docker")
    assert config["User"] == "65532:65532"
    assert config["Healthcheck"]["Test"] == ["CMD", "/usr/bin/nitroproxy", "host", "--health"]
    files = Files("np-test-host")
    assert not [n for n in files.names() if n.endswith(("/sh", "/bash", "/apt"))]
    assert sum(p.stat().st_size for p in files.root.rglob("*") if p.is_file()) < 12 << 20
    sick = files.run("/usr/bin/nitroproxy", "host", "--health")
    assert sick.returncode == 1 and "Connection refused" in sick.stderr
    for role in ("host", "tunnel"):
        check = files.run("/usr/bin/nitroproxy", role, "--check-config")
        assert check.returncode == 0 and "is valid" in check.stdout
    files.close()
    run("buildah", "rmi", "-f", "np-test-host")


# ---- packages ---------------------------------------------------------------------------------------------------------

@pytest.fixture(scope="session")
def shipped(sources):
    run(sources / "packaging/build.sh", "packages", "--no-deps")
    run(sources / "packaging/build.sh", "artifacts", "--no-deps")
    return sources / "build"


def inside(root, *args):
    """As on a machine of that tree: with /proc, where the demo finds its own program."""
    return run("unshare", "--mount", "sh", "-c", 'mount -t proc proc "$0/proc" && exec chroot "$0" "$@"', root, *args)


@pytest.fixture
def clean(debian, tmp_path):
    root = tmp_path / "root"
    run("cp", "-a", "--reflink=auto", debian, root)
    yield root
    shutil.rmtree(root)


def test_the_deb_installs_upgrades_and_leaves(shipped, clean, tmp_path):
    deb, = shipped.glob("nitroproxy_*.deb")
    newer = tmp_path / "newer"
    run("dpkg-deb", "-R", deb, newer)
    control = newer / "DEBIAN/control"
    control.write_text(re.sub(r"^Version: .*", "Version: 99.0", control.read_text(), flags=re.M))
    config = newer / "etc/nitroproxy/config.json"
    config.write_text(config.read_text() + "// the newer default\n")
    sums = newer / "DEBIAN/md5sums"
    sums.unlink(missing_ok=True)
    run("dpkg-deb", "--root-owner-group", "-b", newer, clean / "newer.deb")
    shutil.copy(deb, clean / "first.deb")

    inside(clean, "dpkg", "-i", "/first.deb")
    assert inside(clean, "nitroproxy", "--version").startswith("nitroproxy ")
    installed = clean / "etc/nitroproxy/config.json"
    assert "valid" in inside(clean, "nitroproxy", "host", "--check-config", "--config", "/etc/nitroproxy/config.json")
    demo = inside(clean, "nitroproxy", "demo", "--local")
    print(demo[-1500:])
    mine = installed.read_text() + "// mine\n"
    installed.write_text(mine)

    inside(clean, "dpkg", "-i", "--force-confdef", "--force-confold", "/newer.deb")
    assert installed.read_text() == mine
    assert (clean / "etc/nitroproxy/config.json.dpkg-dist").read_text().endswith("// the newer default\n")

    inside(clean, "dpkg", "-r", "nitroproxy")
    assert not (clean / "usr/bin/nitroproxy").exists() and installed.read_text() == mine
    inside(clean, "dpkg", "-P", "nitroproxy")
    left = [p for p in clean.rglob("*nitroproxy*") if "var/cache" not in str(p)]
    assert not left


def test_the_rpm_installs_upgrades_and_leaves(shipped, clean, tmp_path):
    rpm, = shipped.glob("nitroproxy-*.rpm")
    requires = run("rpm", "-qpR", rpm)
    assert not re.search(r"GLIBC_2\.(3[5-9]|[4-9]\d)", requires), "Amazon Linux 2023 has 2.34"
    assert not re.search(r"^lib(uv|jansson|idn2|mbed)", requires, re.M)
    into = ("rpm", "--root", clean, "--nodeps", "--nosignature")  # the tree's libc is not in rpm's books
    run(*into, "-i", rpm)
    assert inside(clean, "nitroproxy", "--version").startswith("nitroproxy ")
    installed = clean / "etc/nitroproxy/config.json"
    mine = installed.read_text() + "// mine\n"
    installed.write_text(mine)
    run(*into, "-U", "--replacepkgs", "--oldpackage", rpm)
    assert installed.read_text() == mine
    run(*into, "-e", "nitroproxy")
    assert not (clean / "usr/bin/nitroproxy").exists()
    assert (clean / "etc/nitroproxy/config.json.rpmsave").read_text() == mine


def test_artifacts_are_complete(shipped):
    directory, = (p for p in shipped.glob("nitroproxy-*") if p.is_dir())
    names = {p.name for p in directory.iterdir()}
    assert {"nitroproxy", "nitroproxy-enclave", "config.json", "enclave.json", "deploy.sh", "systemd", "logrotate", "licences",
            "monitoring", "LICENSE", "README-DEPLOYMENT", "SHA256SUMS"} <= names
    run("sha256sum", "--quiet", "--check", "SHA256SUMS", cwd=directory)
    assert len((directory / "SHA256SUMS").read_text().splitlines()) == sum(p.is_file() for p in directory.rglob("*")) - 1
    assert "INTERP" not in run("readelf", "-lW", directory / "nitroproxy-enclave")
    assert "Type:                              DYN" in run("readelf", "-h", directory / "nitroproxy-enclave")  # static-pie
    assert run(directory / "nitroproxy-enclave", "enclave", "--help").startswith("Usage")
    needed = re.findall(r"NEEDED.*\[(.*)\]", run("readelf", "-d", directory / "nitroproxy"))
    assert all(n.startswith(("libc.so", "ld-linux")) for n in needed)
    bom = json.loads((directory / "licences/nitroproxy-enclave/sbom.cdx.json").read_text())
    assert "glibc" in {c["name"] for c in bom["components"]}
