#!/usr/bin/env python3
"""How a Python program sends its requests through nitroproxy: three ways, and when to take which.

    NITROPROXY_URL=http://127.0.0.1:8080 ./secure_http_client.py https://api.example.com/v1/status

 1. proxies=         requests asks for CONNECT and does TLS itself: nobody on the way reads anything, and the
                     enclave decides by host and port alone.
 2. path             http://PROXY/https://api.example.com/..: the enclave does TLS, and its policy sees paths
                     and methods. For clients that know no proxies.
 3. X-Target-URL     the same with the target in a field: SecureHttpClient below.

With 2 and 3 the request is plain HTTP as far as the host. Where the host must not read it, take 1, or run the
program inside the enclave and give it the enclave's own listener.
"""
import os
import sys

import requests

PROXY = os.environ.get("NITROPROXY_URL", "http://127.0.0.1:8080")


class ProxyError(requests.RequestException):
    """The proxy answered in place of the service."""

    def __init__(self, response):
        problem = response.json()
        self.kind = problem.get("kind")  # "tls_certificate", "denied", "dns" ..
        self.hop = problem.get("hop")    # where it went wrong: host, enclave, tunnel or service
        super().__init__(f"{response.status_code} at the {self.hop}: {problem.get('detail')}", response=response)


class SecureHttpClient:
    """A requests.Session whose requests leave through the enclave; certificates are checked there.

    with SecureHttpClient() as client:
        user = client.get("https://api.example.com/users/7").json()
        client.post("https://api.example.com/users", json={"name": "Ada"})
    """

    def __init__(self, proxy=PROXY, timeout=30):
        self.proxy = proxy.rstrip("/")
        self.timeout = timeout
        self.session = requests.Session()
        self.session.trust_env = False  # HTTP_PROXY shall not send requests for the proxy through another one

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.session.close()

    def request(self, method, url, headers=None, **options):
        if not url.startswith("https://"):
            raise ValueError("only https:// targets are carried")
        options.setdefault("timeout", self.timeout)
        options.setdefault("allow_redirects", False)  # a redirect names a service, not this proxy
        # requests would put the query's parameters behind the proxy's path, where they mean nothing.
        target = requests.Request(method, url, params=options.pop("params", None)).prepare().url
        response = self.session.request(method, self.proxy, headers={**(headers or {}), "X-Target-URL": target},
                                        **options)
        if response.headers.get("Content-Type") == "application/problem+json" and "Proxy-Status" in response.headers:
            raise ProxyError(response)
        return response

    def get(self, url, **options):
        return self.request("GET", url, **options)

    def post(self, url, **options):
        return self.request("POST", url, **options)

    def put(self, url, **options):
        return self.request("PUT", url, **options)

    def delete(self, url, **options):
        return self.request("DELETE", url, **options)

    def healthy(self):
        """Do host, enclave and tunnel all answer?"""
        return self.session.get(f"{self.proxy}/health", timeout=self.timeout).ok


def through_connect(url, ca_file=None):
    """TLS from here to the service; ca_file only if the service's CA is not one that requests knows."""
    return requests.get(url, proxies={"https": PROXY}, verify=ca_file or True, timeout=30)


def by_path(url):
    return requests.get(f"{PROXY}/{url}", timeout=30)


def by_field(url):
    with SecureHttpClient() as client:
        return client.get(url)


def main(url, ca_file=None):
    for name, response in (("proxies=", through_connect(url, ca_file)), ("path", by_path(url)),
                           ("X-Target-URL", by_field(url))):
        print(f"{name:13} {response.status_code} {len(response.content)} bytes")


if __name__ == "__main__":
    if len(sys.argv) not in (2, 3):
        sys.exit("usage: secure_http_client.py URL [CA_FILE]")
    try:
        main(*sys.argv[1:])
    except requests.RequestException as e:
        sys.exit(f"secure_http_client: {e}")
