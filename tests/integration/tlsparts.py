# SPDX-License-Identifier: MIT
# Copyright (c) 2026 the wsbridge authors
"""Certificates made on the spot, and clients that speak TLS: what test_tls, test_proxy and the others share."""

import os
import shutil
import socket
import ssl
import subprocess
import time

import pytest
from harness import wait_for
from wsclient import TIMEOUT, WebSocket, Wire, dial


def openssl(*args, stdin=None):
    r = subprocess.run(["openssl", *map(str, args)], input=stdin, capture_output=True, text=True, timeout=60)
    assert r.returncode == 0, r.stderr
    return r.stdout


def needs(program):
    """For tests against real parts: `make test-deps` installs them."""
    return pytest.mark.skipif(not shutil.which(program), reason=f"{program} is not installed")


class Authority:
    """A CA in a folder, and what it signs."""

    def __init__(self, folder, name="Test CA"):
        self.folder = str(folder)
        os.makedirs(self.folder, exist_ok=True)
        self.cert = os.path.join(self.folder, "ca.pem")
        self.key = os.path.join(self.folder, "ca.key")
        openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", 30,
                "-subj", f"/CN={name}", "-keyout", self.key, "-out", self.cert,
                "-addext", "keyUsage=critical,keyCertSign,cRLSign")  # fmt: skip

    def make(self, name, names=None, kind="ec", days=30, usage="serverAuth", passphrase=None):
        """(cert, key) files. days may be negative: ended."""
        cert, key, csr, ext = (os.path.join(self.folder, f"{name}.{x}") for x in ("pem", "key", "csr", "ext"))
        algorithm = ["-newkey", "rsa:2048"] if kind == "rsa" else ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]
        protect = ["-passout", f"pass:{passphrase}"] if passphrase else ["-nodes"]
        openssl("req", "-new", *algorithm, *protect, "-subj", f"/CN={name}", "-keyout", key, "-out", csr)
        with open(ext, "w") as f:
            f.write(f"extendedKeyUsage={usage}\n")
            if names is not None:
                f.write("subjectAltName=" + ",".join(names) + "\n")
        when = ["-days", days]
        if days < 0:
            when = ["-not_before", "20200101000000Z", "-not_after", "20200201000000Z"]
            if "-not_before" not in subprocess.run(["openssl", "x509", "-help"], capture_output=True, text=True).stderr:
                return self._ended(cert, key, csr, ext)
        openssl("x509", "-req", "-in", csr, "-CA", self.cert, "-CAkey", self.key, "-CAcreateserial", "-out", cert,
                "-extfile", ext, *when)  # fmt: skip
        return cert, key

    def _ended(self, cert, key, csr, ext):
        """OpenSSL 3.0 sets dates with `openssl ca` alone."""
        index = os.path.join(self.folder, f"index-{time.monotonic_ns()}")
        conf = index + ".conf"
        open(index, "w").close()
        with open(conf, "w") as f:
            f.write(
                f"[ca]\ndefault_ca=d\n[d]\ndatabase={index}\nnew_certs_dir={self.folder}\nrand_serial=yes\n"
                "default_md=sha256\npolicy=p\ncopy_extensions=none\n[p]\ncommonName=supplied\n"
            )
        openssl("ca", "-batch", "-config", conf, "-cert", self.cert, "-keyfile", self.key, "-in", csr, "-out", cert,
                "-extfile", ext, "-startdate", "20200101000000Z", "-enddate", "20200201000000Z", "-notext")  # fmt: skip
        return cert, key


@pytest.fixture(scope="module")
def ca(tmp_path_factory):
    """One for a file of tests; .localhost is a pair for this machine."""
    a = Authority(tmp_path_factory.mktemp("ca"))
    a.localhost = a.make("localhost", ["DNS:localhost", "IP:127.0.0.1"])
    return a


def client_context(authority, cert=None, key=None, least=None, most=None):
    c = ssl.create_default_context(cafile=authority.cert)
    if cert:
        c.load_cert_chain(cert, key)
    if least:
        c.minimum_version = least
    if most:
        c.maximum_version = most
    return c


def secure(address, context, name="localhost", before=b"", **how):
    """A TLS socket; `before` goes first, in clear."""
    s = dial(address, **how)
    if before:
        s.sendall(before)
    return context.wrap_socket(s, server_hostname=name)


def wss(b, context, path="/", name="localhost", before=b"", session=None, **parts):
    """An open WebSocket over TLS; ends with the bridge."""
    s = dial(b.address)
    if before:
        s.sendall(before)
    w = WebSocket(context.wrap_socket(s, server_hostname=name, session=session))
    b.clients.append(w)
    return w.open(path, **parts)


def https(b, context, target="/", name="localhost", **how):
    with Wire(secure(b.address, context, name)) as w:
        return w.request(target, **how)


class Program:
    """A real part: started, waited for until it listens on `port` (or `path` exists), ended with the test."""

    def __init__(self, args, port=None, path=None, log=None):
        self.log = log
        out = open(log, "wb") if log else subprocess.DEVNULL
        self.process = subprocess.Popen(args, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT)
        if log:
            out.close()

        def up():
            assert self.process.poll() is None, f"{args[0]} ended: {self.text()}"
            if path:
                return os.path.exists(path)
            with socket.socket() as s:
                return s.connect_ex(("127.0.0.1", port)) == 0

        if port or path:
            wait_for(up, TIMEOUT, f"{args[0]} to listen")

    def text(self):
        if not self.log:
            return ""
        with open(self.log, errors="backslashreplace") as f:
            return f.read()

    def stop(self):
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait(10)
