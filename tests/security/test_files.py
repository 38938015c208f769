"""Files that are not what they should be: a socket's path that is taken, roots that change or are empty."""
import socket
import subprocess

import pytest
from harness.chain import NITROPROXY
from harness.faults import served


def listen_at(path):
    return subprocess.Popen([NITROPROXY, "tunnel", f"--listen=unix:{path}"], stderr=subprocess.PIPE, text=True)


def ends_with_complaint(popen, what):
    _, complaint = popen.communicate(timeout=20)
    assert popen.returncode == 1 and what in complaint, complaint


def test_a_stale_socket_is_replaced(tmp_path):
    stale = socket.socket(socket.AF_UNIX)
    stale.bind(str(tmp_path / "s"))
    stale.close()
    popen = listen_at(tmp_path / "s")
    assert any("msg=ready" in line for line in iter(popen.stderr.readline, ""))
    popen.terminate()
    popen.communicate(timeout=20)
    assert popen.returncode == 0 and not (tmp_path / "s").exists()


def test_a_socket_in_use_is_not_taken_over(tmp_path):
    with socket.socket(socket.AF_UNIX) as used:
        used.bind(str(tmp_path / "s"))
        used.listen()
        ends_with_complaint(listen_at(tmp_path / "s"), "in use")
    assert (tmp_path / "s").exists()


@pytest.mark.parametrize("kind", ["file", "directory", "symlink to a file", "dangling symlink"])
def test_what_is_no_socket_is_left_alone(tmp_path, kind):
    path, other = tmp_path / "s", tmp_path / "other"
    if kind == "file":
        path.write_text("precious")
    elif kind == "directory":
        path.mkdir()
    else:
        if kind == "symlink to a file":
            other.write_text("precious")
        path.symlink_to(other)
    ends_with_complaint(listen_at(path), "no socket")
    assert path.is_symlink() or path.exists()
    assert not other.exists() or other.read_text() == "precious"


def test_a_directory_that_is_not_there(tmp_path):
    ends_with_complaint(listen_at(tmp_path / "no" / "s"), "No such file")


def test_roots_are_read_once(start_chain, origin, pki, tmp_path):
    """A store replaced while the enclave runs changes nothing: what is trusted was measured and printed at start."""
    store = tmp_path / "roots.pem"
    store.write_bytes(pki.root_file.read_bytes())
    chain = start_chain(enclave={"ca_file": store, "limits_pool_idle": "0"})
    assert served(chain.front, origin)
    store.write_bytes(b"")
    assert served(chain.front, origin)


def test_no_roots_is_no_enclave(tmp_path):
    empty = tmp_path / "roots.pem"
    empty.write_bytes(b"")
    done = subprocess.run([NITROPROXY, "enclave", f"--listen=unix:{tmp_path}/e", f"--tunnel=unix:{tmp_path}/t",
                           f"--ca-file={empty}"], capture_output=True, text=True, timeout=20)
    assert done.returncode != 0 and "roots.pem" in done.stderr
