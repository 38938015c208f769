"""What people run today: the peers, and who is compared with whom."""
import os
import shutil
import time

from contender import Peer, wait_port
from origin import HOST, PLAIN, nginx_text
from ours import Inside, Nitroproxy, Receipts, ReceiptsOn, SystemsRoots, Tunnel


def nginx_tls(bench, port):
    reuse = "keepalive 512;" if bench.keep_upstream else ""
    return (reuse, f"""proxy_http_version 1.1; proxy_set_header Connection "{'' if reuse else 'close'}";
        proxy_set_header Host {HOST}:{port}; proxy_ssl_verify on; proxy_ssl_name {HOST};
        proxy_ssl_server_name on; proxy_ssl_trusted_certificate {bench.dir}/ca.pem; proxy_ssl_protocols TLSv1.3;
        proxy_request_buffering off; client_max_body_size 0; proxy_max_temp_file_size 0;""")


class Nginx(Peer):
    """One process that does it all."""
    port = 9010

    def start(self):
        b = self.bench
        reuse, tls = nginx_tls(b, b.origin_port)
        self.spawn("nginx", "-c", nginx_text(b, "n1", f"""http {{ access_log off; keepalive_requests 100000000;
            upstream o {{ server 127.0.0.1:{b.origin_port}; {reuse} }}
            server {{ listen 127.0.0.1:9010; location / {{ proxy_pass https://o; {tls} }} }} }}"""))
        wait_port(("127.0.0.1", 9010))


class Nginx3(Peer):
    """The same three hops: HTTP to a unix socket, TLS client, TCP relay."""
    port = 9020

    def start(self):
        b, d = self.bench, self.bench.dir
        reuse, tls = nginx_tls(b, b.origin_port)
        self.spawn("nginx", "-c", nginx_text(b, "n3t", f"""stream {{ server {{ listen unix:{d}/n3t;
            proxy_pass 127.0.0.1:{b.origin_port}; }} }}""", stream=True))
        self.spawn("nginx", "-c", nginx_text(b, "n3e", f"""http {{ access_log off; keepalive_requests 100000000;
            upstream o {{ server unix:{d}/n3t; {reuse} }}
            server {{ listen unix:{d}/n3e; location / {{ proxy_pass https://o; {tls} }} }} }}"""))
        self.spawn("nginx", "-c", nginx_text(b, "n3h", f"""http {{ access_log off; keepalive_requests 100000000;
            upstream e {{ server unix:{d}/n3e; keepalive 512; }}
            server {{ listen 127.0.0.1:9020; location / {{ proxy_pass http://e; proxy_http_version 1.1;
            proxy_set_header Connection ""; proxy_request_buffering off; client_max_body_size 0;
            proxy_max_temp_file_size 0; }} }} }}"""))
        for address in (f"{d}/n3t", f"{d}/n3e", ("127.0.0.1", 9020)):
            wait_port(address)

    def __exit__(self, *args):
        super().__exit__(*args)
        for name in ("n3t", "n3e"):
            if os.path.exists(f"{self.bench.dir}/{name}"):
                os.unlink(f"{self.bench.dir}/{name}")


HAPROXY = """global
  maxconn 9900
  nbthread 1
  ssl-server-verify required
defaults
  timeout connect 5s
  timeout client 60s
  timeout server 60s
"""


def haproxy_text(bench, name, body):
    path = f"{bench.dir}/{name}.cfg"
    with open(path, "w", encoding="ascii") as f:
        f.write(HAPROXY + body)
    return path


class Haproxy(Peer):
    port = 9030

    def start(self):
        b = self.bench
        reuse = "http-reuse always" if b.keep_upstream else "http-reuse never\n  option httpclose"
        self.spawn("haproxy", "-db", "-f", haproxy_text(b, "h1", f"""listen l
  mode http
  bind 127.0.0.1:9030
  {reuse}
  http-request set-header Host {HOST}:{b.origin_port}
  server o 127.0.0.1:{b.origin_port} ssl verify required ca-file {b.dir}/ca.pem sni str({HOST}) verifyhost {HOST}
"""))
        wait_port(("127.0.0.1", 9030))


class Haproxy3(Peer):
    port = 9040

    def start(self):
        b, d = self.bench, self.bench.dir
        reuse = "http-reuse always" if b.keep_upstream else "http-reuse never\n  option http-server-close"
        self.spawn("haproxy", "-db", "-f", haproxy_text(b, "h3t", f"""listen l
  mode tcp
  bind unix@{d}/h3t
  server o 127.0.0.1:{b.origin_port}
"""))
        self.spawn("haproxy", "-db", "-f", haproxy_text(b, "h3e", f"""listen l
  mode http
  bind unix@{d}/h3e
  {reuse}
  http-request set-header Host {HOST}:{b.origin_port}
  server o unix@{d}/h3t ssl verify required ca-file {d}/ca.pem sni str({HOST}) verifyhost {HOST}
"""))
        self.spawn("haproxy", "-db", "-f", haproxy_text(b, "h3h", f"""listen l
  mode http
  bind 127.0.0.1:9040
  http-reuse always
  server e unix@{d}/h3e
"""))
        for address in (f"{d}/h3t", f"{d}/h3e", ("127.0.0.1", 9040)):
            wait_port(address)


class NginxStream(Peer):
    """A bare relay, for the tunnel's workload."""
    port, way = 9050, "bare"

    def start(self):
        self.spawn("nginx", "-c", nginx_text(self.bench, "ns", f"""stream {{ server {{ listen 127.0.0.1:9050;
            proxy_pass 127.0.0.1:{PLAIN}; }} }}""", stream=True))
        wait_port(("127.0.0.1", 9050))


class Socat(Peer):
    """Likewise, with a process a connection."""
    port, way = 9055, "bare"

    def start(self):
        self.spawn("socat", "-b65536", "TCP-LISTEN:9055,bind=127.0.0.1,reuseaddr,fork,backlog=128,nodelay",
                   f"TCP:127.0.0.1:{PLAIN},nodelay")
        wait_port(("127.0.0.1", 9055))

    def settle(self):
        """A child's time is its parent's once that has waited for it."""
        for _ in range(500):
            if len(self.pids()) == 1:
                return
            time.sleep(0.01)  # nothing tells when somebody else's children are gone
        raise RuntimeError("socat's children do not end")


class Squid(Peer):
    port = 9070

    def start(self):
        b = self.bench
        path = f"{b.dir}/squid.conf"
        with open(path, "w", encoding="ascii") as f:
            f.write(f"http_port 127.0.0.1:9070\nhttp_access allow all\ncache deny all\ncache_log {b.dir}/squid.log\n"
                    f"access_log none\npid_filename none\ncoredump_dir {b.dir}\nworkers 1\n"
                    f"cache_effective_user proxy\nshutdown_lifetime 0 seconds\n")
        self.spawn("squid", "-N", "-n", f"bench{os.getpid()}", "-f", path)
        wait_port(("127.0.0.1", 9070))


class Tinyproxy(Peer):
    port = 9075

    def start(self):
        path = f"{self.bench.dir}/tinyproxy.conf"
        with open(path, "w", encoding="ascii") as f:
            f.write("Port 9075\nListen 127.0.0.1\nMaxClients 1000\nLogLevel Critical\nTimeout 60\n")
        self.spawn("tinyproxy", "-d", "-c", path)
        wait_port(("127.0.0.1", 9075))


HTTP = [("nitroproxy", Nitroproxy, None), ("nitroproxy-in", Inside, None), ("nginx", Nginx, "nginx"),
        ("nginx3", Nginx3, "nginx"), ("haproxy", Haproxy, "haproxy"), ("haproxy3", Haproxy3, "haproxy")]
RELAY = [("nitroproxy-tunnel", Tunnel, None), ("nginx-stream", NginxStream, "nginx"),
         ("socat", Socat, "socat")]
CONNECT = [("nitroproxy", Nitroproxy, None), ("squid", Squid, "squid"), ("tinyproxy", Tinyproxy, "tinyproxy")]
RECEIPTS = [("nitroproxy", Nitroproxy, None), ("nitroproxy-on", ReceiptsOn, None), ("nitroproxy-asked", Receipts, None)]
POOL = [("nitroproxy", Nitroproxy, None)]
START = [("nitroproxy", SystemsRoots, None)]
KINDS = {"pool": POOL, "start": START, "receipts": RECEIPTS, "http": HTTP, "relay": RELAY, "connect": CONNECT}


def contenders(bench, load):
    bench.keep_upstream, bench.origin_port = load.keep_upstream, load.port

    def is_there(kind, tool):
        if kind in (Nginx3, NginxStream) and not bench.stream_module:
            return False  # Debian: libnginx-mod-stream
        return not tool or shutil.which(tool) or shutil.which(tool, path="/usr/sbin")
    return [kind(bench, name) for name, kind, tool in KINDS[load.kind] if is_there(kind, tool)]
