# SPDX-License-Identifier: MIT
# Copyright (c) 2026 the wsbridge authors
"""Backends that speak TLS: verified by default, and a failure is a 502 whose reason is in the log."""

import os
import ssl
import time

import pytest
from harness import free_port
from tlsparts import Program, client_context, needs, wss
from wsclient import Eof


@pytest.fixture
def tls_backend(backend, ca):
    """A TLS server that echoes what comes; .seen has the subject of each client certificate."""

    def make(pair=None, client_ca=None, most=None, **how):
        c = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        c.load_cert_chain(*(pair or ca.localhost))
        if client_ca:
            c.verify_mode = ssl.CERT_REQUIRED
            c.load_verify_locations(client_ca)
        if most:
            c.maximum_version = most
            c.minimum_version = ssl.TLSVersion.TLSv1
            c.set_ciphers("ALL:@SECLEVEL=0")
        names = []
        c.sni_callback = lambda sock, name, context: names.append(name)

        def serve(conn):
            with c.wrap_socket(conn.sock, server_side=True) as s:
                b.seen.append(s.getpeercert())
                while True:
                    data = s.recv(65536)
                    if not data:
                        return
                    s.sendall(data)

        b = backend(serve=serve, **how)
        b.seen, b.names = [], names
        return b

    return make


def settings(to, tls, **keys):
    return {"services": {"s": {"to": to, "tls": tls}}, "routes": [{"path": "/", "service": "s"}], **keys}


def echoes(w, data=b"hello"):
    w.binary(data)
    assert w.recv_bytes(len(data)) == data


def refused(b, why, status=502):
    r = b.upgrade()
    assert r.status == status, r
    (line,) = b.wait_log("connect_failed")
    assert why in line, line


def test_a_verified_backend(bridge, tls_backend, ca):
    t = tls_backend()
    b = bridge(**settings(f"localhost:{t.port}", {"ca": ca.cert}))
    w = b.ws()
    echoes(w)
    echoes(w, os.urandom(1 << 20))
    assert t.names == ["localhost"]
    w.send_close()
    w.recv_close()
    assert b.wait_log("access session .*code=1000")


def test_an_address_is_checked_against_the_certificates_addresses(bridge, tls_backend, ca):
    t = tls_backend()
    b = bridge(**settings(t.target, {"ca": ca.cert}))
    echoes(b.ws())
    named = tls_backend(ca.make("names.test", ["DNS:names.test"]))
    refused(bridge(**settings(named.target, {"ca": ca.cert})), "IP address mismatch")


def test_the_backends_end_is_a_close_with_everything_before_it(bridge, backend, ca):
    c = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    c.load_cert_chain(*ca.localhost)

    def serve(conn):
        with c.wrap_socket(conn.sock, server_side=True) as s:
            s.sendall(b"x" * 300000)
            s.unwrap()

    t = backend(serve=serve)
    b = bridge(**settings(t.target, {"ca": ca.cert}))
    w = b.ws()
    assert w.recv_bytes(300000) == b"x" * 300000
    w.recv_close()
    assert b.wait_log("access session .*code=1000")


def test_an_unknown_authority_is_a_502(bridge, tls_backend):
    refused(bridge(**settings(tls_backend().target, True)), "certificate verify failed: unable to get local issuer")


def test_another_name_is_a_502(bridge, tls_backend, ca):
    t = tls_backend()
    refused(bridge(**settings(t.target, {"ca": ca.cert, "server_name": "other.test"})), "hostname mismatch")


def test_an_ended_certificate_is_a_502(bridge, tls_backend, ca):
    t = tls_backend(ca.make("ended", ["IP:127.0.0.1"], days=-1))
    refused(bridge(**settings(t.target, {"ca": ca.cert})), "certificate has expired")


def test_verification_can_be_switched_off(bridge, tls_backend):
    echoes(bridge(**settings(tls_backend().target, {"verify": False})).ws())


def test_old_versions_are_refused(bridge, tls_backend, ca):
    t = tls_backend(most=ssl.TLSVersion.TLSv1_1)
    refused(bridge(**settings(t.target, {"ca": ca.cert})), "TLS: ")


def test_min_version_counts(bridge, tls_backend, ca):
    t = tls_backend(most=ssl.TLSVersion.TLSv1_2)
    echoes(bridge(**settings(t.target, {"ca": ca.cert})).ws())
    refused(bridge(**settings(t.target, {"ca": ca.cert, "min_version": "1.3"})), "TLS: ")


def test_our_own_certificate(bridge, tls_backend, ca):
    cert, key = ca.make("bridge", usage="clientAuth")
    t = tls_backend(client_ca=ca.cert)
    echoes(bridge(**settings(t.target, {"ca": ca.cert, "cert": cert, "key": key})).ws())
    assert ((("commonName", "bridge"),),) == t.seen[0]["subject"]


def test_a_backend_without_tls_is_a_502(bridge, backend):
    t = backend(serve=lambda conn: conn.send(b"SSH-2.0-hello\r\n") or conn.take_all())
    refused(bridge(**settings(t.target, True)), "wrong version number")


def test_a_backend_that_hangs_up_is_a_502(bridge, backend):
    t = backend(serve=lambda conn: None)
    refused(bridge(**settings(t.target, True)), "TLS: ")


def test_a_stalled_handshake_is_a_504(bridge, backend):
    t = backend()
    b = bridge(**settings(t.target, True, timeouts={"connect": "500ms"}))
    began = time.monotonic()
    refused(b, "the TLS handshake was not over within 0.5 s", 504)
    assert time.monotonic() - began < 3


def test_a_client_that_leaves_during_the_handshake(bridge, backend):
    t = backend()
    b = bridge(**settings(t.target, True))
    w = b.socket()
    w.send(b"GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
           b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")  # fmt: skip
    conn = t.accept()
    assert conn.take(3)[0] == 0x16
    w.close()
    with pytest.raises((Eof, ConnectionResetError)):
        while True:
            conn.fill()
    b.wait_log("access request .*status=499")


@pytest.mark.parametrize("abstract", [False, True])
def test_unix_sockets(bridge, tls_backend, ca, tmp_path, abstract):
    name = f"wsbridge-test-{os.getpid()}"
    path = str(tmp_path / "s")
    t = tls_backend(unix="\0" + name if abstract else path)
    b = bridge(**settings(f"unix:@{name}" if abstract else f"unix:{path}", {"ca": ca.cert, "server_name": "localhost"}))
    echoes(b.ws())


def test_tls_on_both_sides(bridge, tls_backend, ca):
    t = tls_backend()
    cert, key = ca.localhost
    b = bridge(
        listeners=[{"address": f"127.0.0.1:{(port := free_port())}", "tls": {"cert": cert, "key": key}}],
        port=port,
        **settings(t.target, {"ca": ca.cert}),
    )
    w = wss(b, client_context(ca))
    data = os.urandom(3 << 20)
    for at in range(0, len(data), 1 << 16):
        w.binary(data[at : at + (1 << 16)])
    assert w.recv_bytes(len(data)) == data


@needs("stunnel")
def test_stunnel(bridge, backend, ca, tmp_path):
    port = free_port()
    echo = backend(serve=lambda conn: [conn.send(conn.take(5)), conn.take_all()])
    conf = tmp_path / "stunnel.conf"
    conf.write_text(
        f"foreground = yes\npid =\nsyslog = no\n[t]\naccept = 127.0.0.1:{port}\nconnect = {echo.target}\n"
        f"cert = {ca.localhost[0]}\nkey = {ca.localhost[1]}\n"
    )
    p = Program(["stunnel", str(conf)], port, log=tmp_path / "stunnel.log")
    try:
        b = bridge(**settings(f"127.0.0.1:{port}", {"ca": ca.cert}))
        echoes(b.ws())
    finally:
        p.stop()


def test_openssl_s_server(bridge, ca, tmp_path):
    port = free_port()
    p = Program(["openssl", "s_server", "-accept", f"127.0.0.1:{port}", "-cert", ca.localhost[0], "-key", ca.localhost[1],
                 "-rev", "-quiet"], port, log=tmp_path / "s_server.log")  # fmt: skip
    try:
        b = bridge(**settings(f"127.0.0.1:{port}", {"ca": ca.cert}))
        w = b.ws()
        w.binary(b"abc\n")
        assert w.recv_bytes(4) == b"cba\n"
    finally:
        p.stop()
