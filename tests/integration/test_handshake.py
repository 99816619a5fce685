# SPDX-License-Identifier: MIT
# Copyright (c) 2026 the wsbridge authors
"""The opening handshake: RFC 6455 sections 4.1 and 4.2, subprotocols, origins. A refused upgrade never touches the
backend, says a true status and why in one line, and ends the connection."""

import pytest
from harness import free_port
from wsclient import PING, PONG, TEXT, WebSocket, accept_for, frame, new_key, upgrade_head

RFC_KEY = "dGhlIHNhbXBsZSBub25jZQ=="


@pytest.fixture
def echo(bridge):
    return bridge(to="builtin:echo")


def test_the_example_of_the_rfc(echo):
    ws = echo.socket()
    r = ws.open("/chat", key=RFC_KEY, check=False)
    assert r.status == 101
    assert r.all("sec-websocket-accept") == ["s3pPLMBiTxaQ9kYGzzhZRbK+xOo="]
    assert r.get("upgrade") == "websocket"
    assert r.get("connection").lower() == "upgrade"
    assert r.get("sec-websocket-extensions") is None
    assert r.get("sec-websocket-protocol") is None
    assert r.get("content-length") is None and r.get("transfer-encoding") is None


@pytest.mark.parametrize(
    "parts",
    [
        dict(upgrade="WebSocket"),
        dict(upgrade="WEBSOCKET"),
        dict(upgrade="h2c, websocket"),
        dict(connection="keep-alive, Upgrade"),
        dict(connection="UPGRADE"),
        dict(connection="keep-alive", headers=[("Connection", "upgrade")]),
        dict(headers=[("Sec-WebSocket-Extensions", "permessage-unheard-of; x=1")]),
        dict(headers=[("sec-websocket-PROTOCOL", "")]),
        dict(host="example.org:8080"),
        dict(host="[::1]:6080"),
        dict(path="http://localhost/absolute"),
        dict(path="/?token=a%20b&c"),
        dict(headers=[("Content-Length", "0")]),
        dict(headers=[("Cookie", "a=b"), ("User-Agent", "x (y; z)")]),
    ],
    ids=str,
)
def test_taken(echo, parts):
    ws = echo.ws(parts.pop("path", "/"), **parts)
    ws.text("hello")
    assert ws.recv_message() == (TEXT, b"hello")


@pytest.mark.parametrize(
    "status, parts",
    [
        (400, dict(key="")),
        (400, dict(key="AAAA")),
        (400, dict(key="dGhlIHNhbXBsZSBub25jZQ")),
        (400, dict(key="dGhlIHNhbXBsZSBub25jZQ==AAAA")),
        (400, dict(key="dGhlIHNhbXBsZSBub25j!Q==")),
        (400, dict(key=RFC_KEY, headers=[("Sec-WebSocket-Key", RFC_KEY)])),
        (400, dict(connection="keep-alive")),
        (400, dict(connection=None)),
        (400, dict(http="HTTP/1.0", headers=[])),
        (426, dict(version="12")),
        (426, dict(version="8")),
        (426, dict(version="14")),
        (426, dict(version="0")),
        (405, dict(method="POST", headers=[("Content-Length", "0")])),
        (400, dict(host=None)),
        (400, dict(protocols="bad name")),
        (400, dict(protocols="a/b")),
        (400, dict(protocols="binary, \x80")),
    ],
    ids=str,
)
def test_refused(bridge, backend, status, parts):
    b = backend()
    br = bridge(to=b.target)
    ws = br.socket()
    r = ws.open("/", check=False, **parts)
    assert r.status == status, r
    assert r.body.count(b"\n") <= 1 and len(r.body) > 3, r.body
    if status == 426:
        assert r.all("sec-websocket-version") == ["13"]
    ws.expect_end()
    assert b.untouched()


@pytest.mark.parametrize("version", [None, "", "thirteen", "13, 8", "013", "+13"])
def test_version_must_be_plain_13(echo, version):
    r = echo.upgrade(version=version)
    assert r.status in (400, 426), r
    if r.status == 426:
        assert r.all("sec-websocket-version") == ["13"]


def test_two_versions(echo):
    assert echo.upgrade(headers=[("Sec-WebSocket-Version", "13")]).status in (400, 426)


def test_missing_key(echo):
    with echo.wire() as w:
        w.send("GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\r\n")
        assert w.response().status == 400
        w.expect_end()


def test_plain_get_where_only_websockets_are(bridge):
    br = bridge(services={"s": {"to": "builtin:echo"}}, routes=[{"path": "/ws", "service": "s"}])
    r = br.get("/ws")
    assert r.status == 426
    assert r.get("sec-websocket-version") == "13"
    assert r.get("upgrade", "websocket") == "websocket"


def test_no_route(bridge, backend):
    b = backend()
    br = bridge(services={"s": {"to": b.target}}, routes=[{"path": "/ws", "service": "s"}])
    assert br.upgrade("/wsx").status == 404
    assert br.upgrade("/").status == 404
    assert br.upgrade("/w").status == 404
    assert b.untouched()
    assert br.upgrade("/ws").status == 101
    assert br.upgrade("/ws/below").status == 101


def test_upgrade_on_a_route_of_files(bridge, tmp_path):
    (tmp_path / "www").mkdir()
    br = bridge(routes=[{"path": "/", "files": str(tmp_path / "www")}])
    assert 400 <= br.upgrade("/").status < 500


# --- routes by path and host ------------------------------------------------------------------------------------------


def test_longest_path_and_best_host(bridge, backend):
    names = ["default", "deep", "exact", "wild", "wilder", "exactdeep"]
    targets = {n: backend(serve=lambda c, n=n: c.sock.sendall(n.encode())) for n in names}
    br = bridge(
        services={n: {"to": t.target} for n, t in targets.items()},
        routes=[
            {"path": "/", "service": "default"},
            {"path": "/a/b", "service": "deep"},
            {"host": "*.example.org", "path": "/", "service": "wild"},
            {"host": "*.x.example.org", "path": "/", "service": "wilder"},
            {"host": "www.example.org", "path": "/", "service": "exact"},
            {"host": "www.example.org", "path": "/a", "service": "exactdeep"},
        ],
    )

    def where(path, host):
        ws = br.socket()
        ws.open(path, host=host)
        return ws.recv_message().payload.decode()

    assert where("/", "localhost") == "default"
    assert where("/a", "localhost") == "default"
    assert where("/a/b", "localhost") == "deep"
    assert where("/a/b/c", "other:99") == "deep"
    assert where("/a/bc", "localhost") == "default"
    assert where("/", "www.example.org") == "exact"
    assert where("/", "WWW.Example.ORG:8080") == "exact"
    assert where("/a/z", "www.example.org") == "exactdeep"
    assert where("/", "foo.example.org") == "wild"
    assert where("/a/b", "foo.example.org") == "wild", "any host rule beats a route without one"
    assert where("/", "foo.x.example.org") == "wilder"
    assert where("/", "example.org") == "default", "a wildcard does not match the bare name"


# --- subprotocols -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "offered, chosen",
    [
        (None, None),
        ("binary", "binary"),
        ("mqtt, binary", "binary"),
        ("mqtt,binary", "binary"),
        ("mqtt ,  binary", "binary"),
        ("mqtt", "mqtt"),
        ("v1.x, v2.x", "v1.x"),
        ("base64", None),
        ("base64, binary", "binary"),
        ("base64,mqtt", "mqtt"),
    ],
)
def test_default_choice(echo, offered, chosen):
    assert echo.ws(protocols=offered).subprotocol == chosen


def test_offers_in_several_fields(echo):
    ws = echo.ws(protocols="mqtt", headers=[("Sec-WebSocket-Protocol", "binary")])
    assert ws.subprotocol == "binary"
    assert ws.answer.all("sec-websocket-protocol") == ["binary"]


@pytest.mark.parametrize(
    "offered, chosen",
    [("mqttv3.1, mqtt", "mqtt"), ("mqttv3.1", "mqttv3.1"), ("binary", None), (None, None), ("MQTT", None)],
)
def test_choice_of_a_service(bridge, offered, chosen):
    br = bridge(
        services={"broker": {"to": "builtin:echo", "subprotocols": ["mqtt", "mqttv3.1"]}},
        routes=[{"path": "/mqtt", "service": "broker"}],
    )
    assert br.ws("/mqtt", protocols=offered).subprotocol == chosen


# --- origins ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "origin, host, ok",
    [
        (None, "localhost", True),
        ("http://localhost", "localhost", True),
        ("http://localhost:80", "localhost", True),
        ("http://LOCALHOST", "localhost", True),
        ("http://localhost:6080", "localhost:6080", True),
        ("http://[::1]:6080", "[::1]:6080", True),
        ("http://localhost:6080", "localhost:6081", False),
        ("http://localhost:6080", "localhost", False),
        ("https://localhost", "localhost", False),
        ("https://localhost:80", "localhost", False),
        ("http://evil.example", "localhost", False),
        ("http://localhost.evil.example", "localhost", False),
        ("http://evil.example/localhost", "localhost", False),
        ("http://localhost@evil.example", "localhost", False),
        ("null", "localhost", False),
        ("", "localhost", False),
        ("localhost", "localhost", False),
        ("http://", "localhost", False),
        ("http://localhost/", "localhost", False),
        ("http://localhost http://localhost", "localhost", False),
        ("file://", "localhost", False),
        ("http://localhost:99999", "localhost", False),
        ("http://localhost:", "localhost", False),
    ],
)
def test_same_origin(bridge, backend, origin, host, ok):
    b = backend()
    br = bridge(to=b.target)
    r = br.upgrade(host=host, origin=origin)
    if ok:
        assert r.status == 101, r
    else:
        assert r.status in (403, 400) and (r.status == 403 or "://" not in origin or origin.count("//") != 1), r
        assert b.untouched()


def test_refused_origins_are_403(echo):
    for origin in ("http://evil.example", "null", "http://localhost/", "not an origin"):
        assert echo.upgrade(origin=origin).status == 403, origin


def test_refused_origin_is_named_in_the_log(echo):
    """With what it was held against: behind a proxy the two differ for reasons that only both of them show."""
    assert echo.upgrade(host="app.example:8080", origin="https://app.example:8080").status == 403
    line = echo.wait_log("session_refused")[0]
    assert "origin=https://app.example:8080" in line and "own=http://app.example:8080" in line, line
    assert echo.upgrade(host="[::1]:80", origin="http://evil.example\x7f").status == 400
    assert echo.upgrade(host="[::1]:81", origin="http://[::1]:80").status == 403
    assert "own=http://[::1]:81" in echo.wait_log("session_refused", count=2)[-1]


def test_doubled_origin(echo):
    r = echo.upgrade(origin="http://localhost", headers=[("Origin", "http://localhost")])
    assert r.status in (400, 403)


def test_list_of_origins(bridge):
    br = bridge(
        services={"s": {"to": "builtin:echo"}},
        routes=[{"path": "/", "service": "s", "origins": ["https://app.example.com", "https://*.example.org", "same"]}],
    )

    def status(origin):
        return br.upgrade(origin=origin).status

    assert status("https://app.example.com") == 101
    assert status("https://app.example.com:443") == 101
    assert status("https://a.example.org") == 101
    assert status("https://a.b.example.org") == 101
    assert status("http://localhost") == 101
    assert status(None) == 101
    assert status("https://example.org") == 403
    assert status("http://a.example.org") == 403
    assert status("https://a.example.org:8443") == 403
    assert status("https://aexample.org") == 403
    assert status("https://app.example.com.evil.example") == 403
    assert status("null") == 403


def test_a_list_without_same_leaves_same_out(bridge):
    br = bridge(
        services={"s": {"to": "builtin:echo"}},
        routes=[{"path": "/", "service": "s", "origins": ["https://app.example.com"]}],
    )
    assert br.upgrade(origin="http://localhost").status == 403


def test_any_origin_warns(bridge):
    br = bridge(services={"s": {"to": "builtin:echo"}}, routes=[{"path": "/", "service": "s", "origins": "any"}])
    assert br.upgrade(origin="http://evil.example").status == 101
    assert br.upgrade(origin="null").status == 101
    br.wait_log(r"(?i)warn.*origin")


# --- bytes and packets ------------------------------------------------------------------------------------------------


def test_head_one_byte_at_a_time(echo):
    ws = echo.ws(cut=1, headers=[("X-Filler", "y" * 200)])
    ws.text("still here")
    assert ws.recv_message().payload == b"still here"


def test_frames_in_the_packet_of_the_handshake(echo):
    early = frame(TEXT, "one") + frame(PING, b"p") + frame(TEXT, "two", fin=False) + frame(0, " three")
    ws = echo.ws(early=early)
    got = []
    while len(got) < 2:
        f = ws.recv_frame()
        if f.opcode == PONG:
            assert f.payload == b"p"
        else:
            got.append(f.payload)
            if not f.fin:
                got[-1] += ws.recv_frame().payload
    assert got == [b"one", b"two three"]


def test_half_a_frame_in_the_packet_of_the_handshake(echo):
    data = frame(TEXT, "cut anywhere")
    for cut in range(1, len(data)):
        with WebSocket(echo.address) as ws:
            ws.open(early=data[:cut])
            ws.send(data[cut:])
            assert ws.recv_message().payload == b"cut anywhere"


def test_early_frames_wait_for_the_backend(bridge, backend):
    b = backend()
    br = bridge(to=b.target)
    ws = br.socket()
    ws.send(upgrade_head(key=RFC_KEY) + frame(2, b"before the answer"))
    assert b.accept().recv_bytes(17) == b"before the answer"
    assert ws.response().get("sec-websocket-accept") == accept_for(RFC_KEY)


def test_more_early_bytes_than_a_head_may_have(bridge, backend):
    """What comes behind the head does not count as head."""
    b = backend()
    br = bridge(to=b.target)
    payload = bytes(range(256)) * 1024
    ws = br.socket()
    ws.send(upgrade_head(key=new_key()) + frame(2, payload))
    assert b.accept().recv_bytes(len(payload)) == payload
    assert ws.response().status == 101


def test_upgrade_after_another_request_on_the_connection(bridge, tmp_path):
    (tmp_path / "www").mkdir()
    (tmp_path / "www" / "a.txt").write_text("file")
    br = bridge(files=str(tmp_path / "www"), to="builtin:echo")
    ws = br.socket()
    assert ws.request("/a.txt").body == b"file"
    ws.open("/")
    ws.text("now a socket")
    assert ws.recv_message().payload == b"now a socket"


def test_client_gone_before_the_answer(bridge, backend):
    """Nothing to test but that the program lives and the backend is let go."""
    b = backend()
    br = bridge(to=b.target)
    for _ in range(20):
        w = br.wire()
        w.send(upgrade_head(key=new_key()))
        w.reset()
    assert br.upgrade().status == 101


def test_listening_on_ipv6(bridge):
    from harness import has_ipv6

    if not has_ipv6():
        pytest.skip("no IPv6 here")
    br = bridge(host="::1", port=free_port("::1"), to="builtin:echo")
    ws = br.ws(host=f"[::1]:{br.port}", origin=f"http://[::1]:{br.port}")
    ws.text("six")
    assert ws.recv_message().payload == b"six"
