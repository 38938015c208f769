"""The origin that all contenders talk to, with its certificates, in the benchmark's private directory."""
import os
import subprocess
import tempfile

from contender import OTHERS, wait_port

HOST, TLS, FRESH, RSA, RSA_FRESH, PLAIN = "localhost", 9443, 9444, 9445, 9446, 9080

NGINX = """{load} worker_processes 1; daemon off; pid {d}/{n}.pid; error_log {d}/{n}.err;
events {{ worker_connections 20000; }}
"""


def nginx_text(bench, name, body, stream=False):
    load = f"load_module {bench.stream_module};" if stream and bench.stream_module else ""
    path = f"{bench.dir}/{name}.conf"
    with open(path, "w", encoding="ascii") as f:
        f.write(NGINX.format(d=bench.dir, n=name, load=load) + body)
    return path


class Bench:
    """The private directory, the certificates and the origin."""
    keep_upstream = True  # contenders may keep their connections to the origin
    origin_port = TLS

    def __init__(self, binary, loads):
        self.binary, self.loads = binary, loads

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
