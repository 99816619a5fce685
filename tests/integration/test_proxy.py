# SPDX-License-Identifier: MIT
# Copyright (c) 2026 the wsbridge authors
"""The PROXY protocol, in and out, by hand and with HAProxy on both sides."""

import socket
import ssl
import struct
import time

import pytest
from harness import free_port
from tlsparts import Program, client_context, needs, wss
from wsclient import WebSocket, dial

SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"


def v1(src="192.0.2.7", dst="198.51.100.1", sport=4711, dport=443, family="TCP4"):
    return f"PROXY {family} {src} {dst} {sport} {dport}\r\n".encode()


def tlv(kind, value):
    return struct.pack("!BH", kind, len(value)) + value


def v2(address=b"", command=1, family=0x11, tlvs=b"", length=None):
    body = address + tlvs
    return SIGNATURE + struct.pack("!BBH", 0x20 | command, family, len(body) if length is None else length) + body


def inet(src="192.0.2.7", dst="198.51.100.1", sport=4711, dport=443):
    return socket.inet_aton(src) + socket.inet_aton(dst) + struct.pack("!HH", sport, dport)


def inet6(src="2001:db8::7", dst="2001:db8::1", sport=4711, dport=443):
    return socket.inet_pton(socket.AF_INET6, src) + socket.inet_pton(socket.AF_INET6, dst) + struct.pack("!HH", sport, dport)


def listening(bridge, mode="required", trusted=("127.0.0.1",), tls=None, to="builtin:echo", service=None, **keys):
    port = free_port()
    entry = {"name": "in", "address": f"127.0.0.1:{port}", "proxy_protocol": mode, "trusted_proxies": list(trusted)}
    if tls:
        entry["tls"] = {"cert": tls.localhost[0], "key": tls.localhost[1]}
    return bridge(
        listeners=[entry],
        services={"s": {"to": to, **(service or {})}},
        routes=[{"path": "/", "service": "s"}],
        port=port,
        **keys,
    )


def talk(b, header=b"", cut=None):
    """A WebSocket behind a PROXY header; gives the peer that the record names."""
    w = b.socket()
    if cut:
        w.send_cut(header, cut, 0.001)
    else:
        w.send(header)
    w.open("/")
    w.binary(b"hello")
    assert w.recv_message().payload == b"hello"
    w.send_close()
    w.recv_close()
    w.close()
    (line,) = b.wait_log("access session")
    return line.split("peer=")[1].split()[0].strip('"')


def turned_away(b, data, why, shut=False):
    w = b.wire()
    w.send(data)
    if shut:
        w.shut_write()
    w.expect_end(reset_ok=True)
    b.wait_log(rf"proxy_refused peer=127\.0\.0\.1:\d+ listener=in why=.*{why}")


# --- in ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "header, peer",
    [
        (v1(), "192.0.2.7:4711"),
        (v1("2001:db8::7", "2001:db8::1", family="TCP6"), "[2001:db8::7]:4711"),
        (v2(inet()), "192.0.2.7:4711"),
        (v2(inet6(), family=0x21), "[2001:db8::7]:4711"),
        (v2(inet6("::ffff:192.0.2.9", "::1"), family=0x21), "192.0.2.9:4711"),
        (v2(inet(), tlvs=tlv(0xEE, b"unknown") + tlv(4, bytes(300)) + tlv(2, b"example.org")), "192.0.2.7:4711"),
        (v2(b"/run/a".ljust(108, b"\0") + b"/run/b".ljust(108, b"\0"), family=0x31), "unix"),
    ],
    ids=["v1-ipv4", "v1-ipv6", "v2-ipv4", "v2-ipv6", "v2-mapped", "v2-tlvs", "v2-unix"],
)
@pytest.mark.parametrize("cut", [None, 1])
def test_the_header_names_the_client(bridge, header, peer, cut):
    assert talk(listening(bridge), header, cut) == peer


@pytest.mark.parametrize(
    "header",
    [b"PROXY UNKNOWN\r\n", v2(command=0, family=0), v2(inet(), command=0), v2(b"", family=0), v2(inet(), family=0x12)],
    ids=["v1-unknown", "v2-local", "v2-local-with-address", "v2-unspec", "v2-datagram"],
)
def test_a_header_without_a_client_leaves_the_connections_own(bridge, header):
    assert talk(listening(bridge), header).startswith("127.0.0.1:")


def test_the_request_may_come_in_the_same_packet(bridge):
    b = listening(bridge)
    w = b.socket()
    w.send(v2(inet()) + b"GET /x HTTP/1.1\r\nHost: a\r\n\r\n")
    assert w.response().status == 426
    assert b.wait_log("access request .*peer=192.0.2.7:4711")


def test_tls_behind_the_header(bridge, ca):
    b = listening(bridge, tls=ca)
    for header in (v1(), v2(inet(), tlvs=tlv(4, bytes(2000)))):
        w = wss(b, client_context(ca), before=header)
        w.binary(b"hello")
        assert w.recv_message().payload == b"hello"
        w.send_close()
        w.close()
    assert len(b.wait_log("access session .*peer=192.0.2.7:4711 .*tls=TLS", count=2)) == 2


def test_optional_takes_both(bridge, ca):
    assert talk(listening(bridge, "optional"), v1()) == "192.0.2.7:4711"
    assert talk(listening(bridge, "optional")).startswith("127.0.0.1:")
    b = listening(bridge, "optional", tls=ca)
    wss(b, client_context(ca))
    wss(b, client_context(ca), before=v2(inet()))


def test_what_begins_like_a_header_is_not_eaten(bridge):
    """POST begins with the P of PROXY, byte by byte."""
    b = listening(bridge, "optional")
    w = b.wire()
    w.send_cut(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n", 1, 0.002)
    assert w.response().status == 426
    w = b.wire()
    w.send_cut(b"\r\nGET /x HTTP/1.1\r\nHost: a\r\n\r\n", 1, 0.002)
    assert w.response().status in (400, 426)


def test_optional_from_a_stranger_is_no_header(bridge):
    b = listening(bridge, "optional", trusted=["192.0.2.1"])
    w = b.wire()
    w.send(v1())
    assert w.response().status == 400
    assert talk(b).startswith("127.0.0.1:")


def test_required_from_a_stranger_is_closed(bridge):
    b = listening(bridge, trusted=["192.0.2.1"])
    turned_away(b, v1(), "not one of trusted_proxies")


@pytest.mark.parametrize(
    "data",
    [
        b"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
        b"\x16\x03\x01",
        b"PROXY TCP4 300.1.1.1 1.1.1.1 1 1\r\n",
        b"PROXY TCP4 192.0.2.7 198.51.100.1 1 65536\r\n",
        b"PROXY TCP9 " + b"x" * 200,
        b"PROXY " + b"x" * 110,
        SIGNATURE + b"\x31\x11\0\x0c" + inet(),
        SIGNATURE + b"\x22\x11\0\x0c" + inet(),
        v2(inet()[:8]),
        v2(inet(), tlvs=b"\x02\x00\xff"),
        v2(inet(), tlvs=tlv(3, b"\0\0\0\0")),
        v2(b"", length=0xFFFF),
    ],
)
def test_broken_headers_are_closed_with_the_cause(bridge, data):
    turned_away(listening(bridge), data, ".")


def test_an_end_inside_the_header(bridge):
    b = listening(bridge)
    turned_away(b, v2(inet())[:20], "ended inside", shut=True)
    w = b.wire()  # a health check says nothing, and nothing is said of it
    w.close()
    time.sleep(0.2)
    assert len(b.log_lines("proxy_refused")) == 1


def test_a_slow_header_ends_at_the_deadline(bridge):
    b = listening(bridge)
    silent, slow = b.wire(), b.wire()
    slow.send(v1()[:10])
    began = time.monotonic()
    silent.expect_end(reset_ok=True)
    slow.expect_end(reset_ok=True)
    assert 2 < time.monotonic() - began < 5
    assert b.wait_log("no PROXY header came within 3 s") and b.wait_log("not whole within 3 s")
    spare = listening(bridge, "optional").wire()
    assert spare.silent(3.5)


def test_unix_peers_are_trusted_by_name(bridge, tmp_path):
    path = str(tmp_path / "in.sock")
    for trusted, good in ((["unix"], True), (["127.0.0.1"], False)):
        b = bridge(
            listeners=[{"name": "in", "address": f"unix:{path}", "proxy_protocol": "required", "trusted_proxies": trusted}],
            services={"s": {"to": "builtin:echo"}},
            routes=[{"path": "/", "service": "s"}],
        )
        b.wait_log("listening ")
        if good:
            assert talk(b, v1()) == "192.0.2.7:4711"
        else:
            w = b.wire()
            w.expect_end(reset_ok=True)
            b.wait_log("proxy_refused peer=unix")
        b.stop()


# --- out --------------------------------------------------------------------------------------------------------------


def parse_v2(conn):
    head = conn.take(16)
    assert head[:12] == SIGNATURE and head[12] == 0x21
    body = conn.take(struct.unpack("!H", head[14:16])[0])
    size = {0x00: 0, 0x11: 12, 0x21: 36, 0x31: 216}[head[13]]
    address, rest, found = body[:size], body[size:], {}
    while rest:
        kind, n = struct.unpack("!BH", rest[:3])
        found[kind] = rest[3 : 3 + n]
        rest = rest[3 + n :]
    return head[13], address, found


def test_v1_out(bridge, backend):
    t = backend()
    b = bridge(services={"s": {"to": t.target, "proxy_protocol": "v1"}}, routes=[{"path": "/", "service": "s"}])
    w = b.ws()
    conn = t.accept()
    source = w.sock.getsockname()
    assert conn.take_until(b"\r\n") == f"PROXY TCP4 127.0.0.1 127.0.0.1 {source[1]} {b.port}\r\n".encode()
    w.binary(b"hello")
    assert conn.take(5) == b"hello"


def test_v2_out_says_what_came_in(bridge, backend, ca):
    t = backend()
    b = listening(bridge, tls=ca, to=t.target, service={"proxy_protocol": "v2"})
    w = wss(b, client_context(ca), before=v2(inet6(), family=0x21), host="example.org:8443")
    family, address, found = parse_v2(t.accept())
    assert family == 0x21 and address == inet6()
    assert found[2] == b"example.org:8443"
    assert len(found[5]) == 32
    client, verify = struct.unpack("!BI", found[0x20][:5])
    assert client == 1 and verify != 0
    assert b"TLSv1.3" in found[0x20] and w.sock.cipher()[0].encode() in found[0x20]
    other = wss(b, client_context(ca), before=v2(inet()))
    assert parse_v2(t.accept())[2][5] != found[5]
    assert other


def test_v2_out_names_the_client_certificate(bridge, backend, ca):
    t = backend()
    pair = ca.make("alice", usage="clientAuth")
    port = free_port()
    b = bridge(
        listeners=[{"address": f"127.0.0.1:{port}", "tls": {
            "cert": ca.localhost[0], "key": ca.localhost[1], "client_ca": ca.cert, "client_auth": "required"}}],
        services={"s": {"to": t.target, "proxy_protocol": "v2"}}, routes=[{"path": "/", "service": "s"}], port=port)  # fmt: skip
    c = client_context(ca, *pair)
    c.set_alpn_protocols(["http/1.1"])
    wss(b, c)
    family, address, found = parse_v2(t.accept())
    client, verify = struct.unpack("!BI", found[0x20][:5])
    assert family == 0x11 and client & 1 and client & 6 and verify == 0
    assert tlv(0x22, b"alice") in found[0x20]
    assert found[1] == b"http/1.1"


def test_out_over_a_unix_socket(bridge, backend, tmp_path):
    t = backend(unix=str(tmp_path / "b.sock"))
    b = bridge(services={"s": {"to": t.target, "proxy_protocol": "v2"}}, routes=[{"path": "/", "service": "s"}])
    w = b.ws()
    family, address, _ = parse_v2(t.accept())
    assert family == 0x11 and address[:4] == socket.inet_aton("127.0.0.1")
    assert w


def test_a_client_on_a_unix_socket(bridge, backend, tmp_path):
    t = backend()
    b = bridge(
        listeners=[{"address": f"unix:{tmp_path}/in.sock"}],
        services={"one": {"to": t.target, "proxy_protocol": "v1"}, "two": {"to": t.target, "proxy_protocol": "v2"}},
        routes=[{"path": "/1", "service": "one"}, {"path": "/2", "service": "two"}],
    )
    b.wait_log("listening ")
    b.ws("/1")
    assert t.accept().take_until(b"\r\n") == b"PROXY UNKNOWN\r\n"
    b.ws("/2")
    family, address, _ = parse_v2(t.accept())
    assert family in (0x00, 0x31)


def test_the_header_goes_before_tls(bridge, backend, ca):
    c = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    c.load_cert_chain(*ca.localhost)
    headers = []

    def serve(conn):
        first = b""
        while not first.endswith(b"\r\n"):
            first += conn.sock.recv(1)
        headers.append(first)
        with c.wrap_socket(conn.sock, server_side=True) as s:
            s.sendall(s.recv(100))
            s.recv(1)

    t = backend(serve=serve)
    b = bridge(services={"s": {"to": t.target, "proxy_protocol": "v1", "tls": {"ca": ca.cert}}},
               routes=[{"path": "/", "service": "s"}])  # fmt: skip
    w = b.ws()
    w.binary(b"hello")
    assert w.recv_message().payload == b"hello"
    assert headers[0].startswith(b"PROXY TCP4 127.0.0.1 ")


def test_a_backend_that_hangs_up_on_the_header(bridge, backend):
    t = backend(serve=lambda conn: None)
    b = bridge(services={"s": {"to": t.target, "proxy_protocol": "v1"}}, routes=[{"path": "/", "service": "s"}])
    r = b.upgrade()
    assert r.status in (101, 502)  # a header that the kernel took is sent


# --- real parts -------------------------------------------------------------------------------------------------------


def haproxy(tmp_path, sections):
    conf = tmp_path / "haproxy.cfg"
    conf.write_text(
        "global\n    log stderr local0\ndefaults\n    mode tcp\n    timeout connect 5s\n    timeout client 30s\n    timeout server 30s\n"
        + sections
    )
    port = int(sections.split("bind 127.0.0.1:")[1].split()[0])
    return Program(["haproxy", "-db", "-f", str(conf)], port, log=str(tmp_path / "haproxy.log"))


@needs("haproxy")
@pytest.mark.parametrize("send", ["send-proxy", "send-proxy-v2", "send-proxy-v2-ssl-cn"])
def test_haproxy_in_front(bridge, ca, tmp_path, send):
    b = listening(bridge)
    front = free_port()
    pem = tmp_path / "both.pem"
    pem.write_text(open(ca.localhost[0]).read() + open(ca.localhost[1]).read())
    p = haproxy(
        tmp_path,
        f"frontend f\n    bind 127.0.0.1:{front} ssl crt {pem}\n    default_backend b\n"
        f"backend b\n    server s 127.0.0.1:{b.port} {send}\n",
    )
    try:
        s = client_context(ca).wrap_socket(dial(("127.0.0.1", front)), server_hostname="localhost")
        source = s.getsockname()
        w = WebSocket(s).open("/")
        w.binary(b"hello")
        assert w.recv_message().payload == b"hello"
        w.send_close()
        w.close()
        assert b.wait_log(f"access session .*peer=127.0.0.1:{source[1]} ")
    finally:
        p.stop()


@needs("haproxy")
def test_haproxy_checks_are_not_clients(bridge, tmp_path):
    """LOCAL connections of its health checks."""
    b = listening(bridge)
    front = free_port()
    p = haproxy(
        tmp_path,
        f"frontend f\n    bind 127.0.0.1:{front}\n    default_backend b\n"
        f"backend b\n    server s 127.0.0.1:{b.port} send-proxy-v2 check inter 100ms\n",
    )
    try:
        time.sleep(1)
        with WebSocket(("127.0.0.1", front)) as w:
            w.open("/")
        assert not b.log_lines("proxy_refused .*(signature|begin|broken)")
    finally:
        p.stop()


@needs("haproxy")
@pytest.mark.parametrize("version", ["v1", "v2"])
def test_haproxy_behind(bridge, backend, tmp_path, version):
    """HAProxy accepts our header and hands it on to a server that shows it."""
    t = backend()
    middle = free_port()
    p = haproxy(
        tmp_path,
        f"frontend f\n    bind 127.0.0.1:{middle} accept-proxy\n    default_backend b\n"
        f"backend b\n    server s {t.target} send-proxy\n",
    )
    try:
        b = bridge(services={"s": {"to": f"127.0.0.1:{middle}", "proxy_protocol": version}},
                   routes=[{"path": "/", "service": "s"}])  # fmt: skip
        w = b.ws()
        w.binary(b"hello")
        conn = t.accept()
        header = conn.take_until(b"\r\n")
        assert header == f"PROXY TCP4 127.0.0.1 127.0.0.1 {w.sock.getsockname()[1]} {b.port}\r\n".encode()
        assert conn.take(5) == b"hello"
    finally:
        p.stop()
