"""Other people's servers: nginx and OpenSSL's; and a port where nobody ever answers."""
import os
import shutil
import socket

from .process import Process

NGINX = shutil.which("nginx", path=os.environ.get("PATH", "") + ":/usr/sbin")


def nginx(directory, root, sites):
    """
    One nginx that serves the files of `root` at several ports: sites is a list of (leaf, protocols). Returns the
    process and the ports. The sockets are bound here and inherited, which nginx can since it upgrades itself so.
    """
    listeners = [socket.create_server(("127.0.0.1", 0)) for _ in sites]
    ports = [s.getsockname()[1] for s in listeners]
    servers = "".join(f"""
        server {{
            listen 127.0.0.1:{port} ssl;
            ssl_certificate {leaf.cert_file};
            ssl_certificate_key {leaf.key_file};
            ssl_protocols {protocols};
            root {root};
            location = /protocol {{ return 200 $ssl_protocol; }}
            location = /redirect {{ return 302 https://elsewhere.test/; }}
            location = /upload {{ client_max_body_size 0; return 200 "$request_method $http_content_length"; }}
        }}""" for port, (leaf, protocols) in zip(ports, sites))
    temporary = "".join(f"{what}_temp_path {directory}/nginx-{what};"
                        for what in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
    config = directory / "nginx.conf"
    user = "user root;" if os.getuid() == 0 else ""  # else its worker may not read what is ours
    config.write_text(f"""
        daemon off; worker_processes 1; {user} pid {directory}/nginx.pid; error_log stderr notice;
        events {{}}
        http {{ access_log off; default_type application/octet-stream; {temporary} {servers} }}""")
    process = Process("nginx", [NGINX, "-p", directory, "-e", "stderr", "-c", config],
                      env={"NGINX": "".join(f"{s.fileno()};" for s in listeners)},
                      pass_fds=[s.fileno() for s in listeners])
    for s in listeners:
        s.close()
    process.wait_line("start worker process ")
    return process, ports


def s_server(leaf, *options):
    """`openssl s_server -www`: a page about the connection on any path. Returns the process and its port."""
    process = Process("s_server", ["openssl", "s_server", "-accept", "127.0.0.1:0", "-www", "-cert", leaf.cert_file,
                                   "-cert_chain", leaf.cert_file, "-key", leaf.key_file, *options])
    return process, int(process.wait_line(r"ACCEPT .*:(\d+)").group(1))


class BlackHole:
    """A listener whose queue is full: the kernel drops further SYNs, so that connecting to it never ends."""

    def __init__(self):
        self.listener = socket.socket()
        self.listener.bind(("127.0.0.1", 0))
        self.listener.listen(0)
        self.port = self.listener.getsockname()[1]
        self.fillers = []
        for _ in range(3):
            filler = socket.socket()
            filler.setblocking(False)
            filler.connect_ex(("127.0.0.1", self.port))
            self.fillers.append(filler)

    def close(self):
        for s in [self.listener, *self.fillers]:
            s.close()
