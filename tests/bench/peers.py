"""The contenders, and the origin that all of them talk to."""
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time

CONTENDER, OTHERS = "0", "1"  # cores
TICKS = os.sysconf("SC_CLK_TCK")
HOST, TLS, FRESH, RSA, RSA_FRESH, PLAIN = "localhost", 9443, 9444, 9445, 9446, 9080


def children(pid):
    """pid and all below it: nginx and squid work in child processes."""
    found = [pid]
    for p in found:
        try:
            with open(f"/proc/{p}/task/{p}/children", encoding="ascii") as f:
                found += [int(c) for c in f.read().split()]
        except OSError:
            pass
    return found


def cpu_seconds(pids):
    """Also of children that are over and were waited for: socat has one a connection."""
    total = 0
    for pid in pids:
        try:
            with open(f"/proc/{pid}/stat", encoding="ascii") as f:
                fields = f.read().rsplit(")", 1)[1].split()
            total += sum(int(ticks) for ticks in fields[11:15])
        except OSError:
            pass
    return total / TICKS


def rss_kib(pids, peak=True):
    total = 0
    for pid in pids:
        try:
            with open(f"/proc/{pid}/status", encoding="ascii") as f:
                total += next(int(line.split()[1]) for line in f
                              if line.startswith("VmHWM" if peak else "VmRSS"))
        except (OSError, StopIteration):
            pass
    return total


def wait_port(address):
    for _ in range(500):
        s = socket.socket(socket.AF_UNIX if isinstance(address, str) else socket.AF_INET)
        try:
            s.connect(address)
            return
        except OSError:
            time.sleep(0.01)  # nothing tells when somebody else's server is ready
        finally:
            s.close()
    raise RuntimeError(f"nobody listens on {address}")


class Peer:
    """A contender: its processes run while the with-block does."""
    port = 9000
    way = "connect"  # how raw.c asks it for the origin; bare: there is one place it leads to
    asks = []  # fields of every request, as curl and wrk take them

    def __init__(self, bench, name):
        self.bench, self.name, self.processes = bench, name, []

    def url(self, path, port=TLS):
        return f"http://127.0.0.1:{self.port}{path}"

    def spawn(self, *argv):
        log = open(f"{self.bench.dir}/{self.name}.log", "ab")
        p = subprocess.Popen(["taskset", "-c", CONTENDER, *argv], stdout=log, stderr=log)
        log.close()
        self.processes.append(p)

    def pids(self):
        return [c for p in self.processes for c in children(p.pid)]

    def settle(self):
        """Before its CPU time is read: what it has done is counted."""

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        for p in self.processes:
            p.send_signal(signal.SIGTERM)
        for p in self.processes:
            try:
                p.wait(10)
            except subprocess.TimeoutExpired:
                p.kill()
                p.wait()
        self.processes = []


class Nitroproxy(Peer):
    """Three processes over unix sockets; inside: the app speaks to the enclave's own listener."""
    inside = False
    more = []  # settings of the enclave

    def start(self):
        d, binary = self.bench.dir, self.bench.binary
        quiet = ["--log-level", "error"]
        pool = [] if self.bench.keep_upstream else ["--limits-pool-idle", "0"]
        self.spawn(binary, "tunnel", "--listen", f"unix:{d}/t", "--allow-cidr", "127.0.0.0/8", *quiet)
        self.spawn(binary, "enclave", "--listen", f"unix:{d}/e", "--http-listen", "tcp:127.0.0.1:9001",
                   "--tunnel", f"unix:{d}/t", "--ca-file", f"{d}/ca.pem", *pool, *quiet, *self.more)
        self.spawn(binary, "host", "--listen", "tcp:127.0.0.1:9000", "--enclave", f"unix:{d}/e", *quiet)
        for address in (f"{d}/t", f"{d}/e", ("127.0.0.1", 9000), ("127.0.0.1", 9001)):
            wait_port(address)
        if self.inside:  # the host has no part in it
            self.__dict__["processes"], host = self.processes[:2], self.processes[2]
            host.terminate()
            host.wait()

    def url(self, path, port=TLS):
        return f"http://127.0.0.1:{9001 if self.inside else 9000}/https://{HOST}:{port}{path}"


class Inside(Nitroproxy):
    inside = True


class ReceiptsOn(Nitroproxy):
    """Gives receipts, but nobody asks."""
    more = ["--receipts", "--nsm", "software"]


class Receipts(ReceiptsOn):
    """Everybody asks."""
    asks = ["-H", "X-Nitroproxy-Want-Receipt: 1"]


NGINX = """{load} worker_processes 1; daemon off; pid {d}/{n}.pid; error_log {d}/{n}.err;
events {{ worker_connections 20000; }}
"""


def nginx_text(bench, name, body, stream=False):
    load = f"load_module {bench.stream_module};" if stream and bench.stream_module else ""
    path = f"{bench.dir}/{name}.conf"
    with open(path, "w", encoding="ascii") as f:
        f.write(NGINX.format(d=bench.dir, n=name, load=load) + body)
    return path


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
        reuse = "http-reuse always" if b.keep_upstream else "http-reuse never"
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


class Tunnel(Peer):
    port, way = 9060, "tunnel"

    def start(self):
        self.spawn(self.bench.binary, "tunnel", "--listen", "tcp:127.0.0.1:9060", "--allow-cidr", "127.0.0.0/8",
                   "--log-level", "error")
        wait_port(("127.0.0.1", 9060))


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
KINDS = {"receipts": RECEIPTS, "http": HTTP, "relay": RELAY, "connect": CONNECT}


class Bench:
    """The private directory, the certificates and the origin."""
    keep_upstream = True  # contenders may keep their connections to the origin
    origin_port = TLS

    def __init__(self, binary, loads):
        self.binary, self.loads = binary, loads

    def contenders(self, load):
        self.keep_upstream, self.origin_port = load.keep_upstream, load.port
        def is_there(kind, tool):
            if kind in (Nginx3, NginxStream) and not self.stream_module:
                return False  # Debian: libnginx-mod-stream
            return not tool or shutil.which(tool) or shutil.which(tool, path="/usr/sbin")
        return [kind(self, name) for name, kind, tool in KINDS[load.kind] if is_there(kind, tool)]

    def openssl(self, *argv):
        subprocess.run(["openssl", *argv], cwd=self.dir, check=True, stderr=subprocess.DEVNULL)

    def certificates(self):
        with open(f"{self.dir}/leaf.ext", "w", encoding="ascii") as f:
            f.write(f"subjectAltName=DNS:{HOST}\nbasicConstraints=CA:FALSE\n"
                    "keyUsage=digitalSignature\nextendedKeyUsage=serverAuth\n")
        kinds = {"ec": ["ec", "-pkeyopt", "ec_paramgen_curve:P-256"], "rsa": ["rsa:2048"]}
        for kind, key in kinds.items():
            self.openssl("req", "-x509", "-newkey", *key, "-nodes", "-keyout", f"{kind}-ca.key", "-out",
                         f"{kind}-ca.pem", "-subj", f"/CN=bench {kind}", "-days", "30", "-addext",
                         "keyUsage=critical,keyCertSign")
            self.openssl("req", "-newkey", *key, "-nodes", "-keyout", f"{kind}.key", "-out", f"{kind}.csr", "-subj",
                         f"/CN={HOST}")
            self.openssl("x509", "-req", "-in", f"{kind}.csr", "-CA", f"{kind}-ca.pem", "-CAkey", f"{kind}-ca.key",
                         "-CAcreateserial", "-days", "20", "-extfile", "leaf.ext", "-out", f"{kind}.pem")
        with open(f"{self.dir}/ca.pem", "wb") as out:
            for kind in kinds:
                with open(f"{self.dir}/{kind}-ca.pem", "rb") as f:
                    out.write(f.read())

    def origin(self):
        def server(port, kind, tickets):
            return (f"server {{ listen 127.0.0.1:{port} ssl; ssl_certificate {self.dir}/{kind}.pem;"
                    f"ssl_certificate_key {self.dir}/{kind}.key; ssl_protocols TLSv1.3; ssl_session_tickets {tickets};"
                    f"root {self.dir}/www; location /put {{ dav_methods PUT; client_max_body_size 0; }} }}")
        os.makedirs(f"{self.dir}/www/put")
        os.chmod(self.dir, 0o755)
        for name, size in (("1k", 1 << 10), ("16m", 16 << 20), ("1g", 1 << 30)):
            with open(f"{self.dir}/www/{name}", "wb") as f:
                f.truncate(size)
        conf = nginx_text(self, "origin", f"""user root; http {{ access_log off; keepalive_requests 100000000; sendfile on;
            client_body_temp_path {self.dir}/body;
            server {{ listen 127.0.0.1:{PLAIN}; root {self.dir}/www;
                location /put {{ dav_methods PUT; client_max_body_size 0; }} }}
            {server(TLS, 'ec', 'on')} {server(FRESH, 'ec', 'off')}
            {server(RSA, 'rsa', 'on')} {server(RSA_FRESH, 'rsa', 'off')} }}""")
        self.origin_process = subprocess.Popen(["taskset", "-c", OTHERS, "nginx", "-c", conf])
        for port in (PLAIN, TLS, FRESH, RSA, RSA_FRESH):
            wait_port(("127.0.0.1", port))

    def __enter__(self):
        self.temp = tempfile.TemporaryDirectory(prefix="npb", dir="/dev/shm" if os.path.isdir("/dev/shm") else None)
        self.dir = self.temp.name
        found = [p for p in ("/usr/lib/nginx/modules/ngx_stream_module.so",) if os.path.exists(p)]
        self.stream_module = found[0] if found else ""
        self.certificates()
        self.origin()
        return self

    def __exit__(self, *_):
        self.origin_process.terminate()
        self.origin_process.wait()
        self.temp.cleanup()
