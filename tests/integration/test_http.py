# SPDX-License-Identifier: MIT
# Copyright (c) 2026 the wsbridge authors
"""HTTP/1.1 on the wire: what is refused, with which status, and that a refusal closes the connection (because after it
nobody can say where the next request begins); keep-alive, pipelining, heads in small pieces, HEAD, slow clients."""

import random
import time

import pytest
from wsclient import Eof


@pytest.fixture
def site(bridge, tmp_path):
    www = tmp_path / "www"
    www.mkdir()
    (www / "index.html").write_text("<h1>index</h1>")
    (www / "a.txt").write_text("content of a")
    (www / "b.txt").write_text("content of b")
    return bridge(
        services={"echo": {"to": "builtin:echo"}},
        routes=[{"path": "/", "files": str(www)}, {"path": "/ws", "service": "echo"}],
        limits={"request_header": "8KiB"},
    )


H = b"Host: localhost\r\n"

REFUSALS = [
    # What the request line may not be.
    (400, "bare LF ends the request line", b"GET / HTTP/1.1\n" + H + b"\r\n"),
    (400, "bare LF ends a field", b"GET / HTTP/1.1\r\nHost: x\n\r\n"),
    (400, "bare LF ends the head", b"GET / HTTP/1.1\r\nHost: x\r\n\n"),
    (400, "bare CR in a value", b"GET / HTTP/1.1\r\nHost: x\r\nA: b\rc\r\n\r\n"),
    (400, "two spaces", b"GET  / HTTP/1.1\r\n" + H + b"\r\n"),
    (400, "tab", b"GET\t/ HTTP/1.1\r\n" + H + b"\r\n"),
    (400, "no version", b"GET /\r\n" + H + b"\r\n"),
    (400, "space behind the version", b"GET / HTTP/1.1 \r\n" + H + b"\r\n"),
    (400, "lower-case protocol", b"GET / http/1.1\r\n" + H + b"\r\n"),
    (400, "junk for a version", b"GET / HTTP/x.y\r\n" + H + b"\r\n"),
    (400, "method is no token", b"G@T / HTTP/1.1\r\n" + H + b"\r\n"),
    (400, "empty method", b" / HTTP/1.1\r\n" + H + b"\r\n"),
    (400, "target without slash", b"GET index.html HTTP/1.1\r\n" + H + b"\r\n"),
    (400, "control character in the target", b"GET /\x01 HTTP/1.1\r\n" + H + b"\r\n"),
    (400, "NUL in the target", b"GET /\0 HTTP/1.1\r\n" + H + b"\r\n"),
    (400, "DEL in the target", b"GET /\x7f HTTP/1.1\r\n" + H + b"\r\n"),
    (400, "binary noise", bytes([0x16, 3, 1, 2, 0, 1, 0, 1, 0xFC, 3, 3]) + b"\r\n\r\n"),
    (505, "HTTP/2.0", b"GET / HTTP/2.0\r\n" + H + b"\r\n"),
    (505, "HTTP/2 preface", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
    (505, "HTTP/3.0", b"GET / HTTP/3.0\r\n" + H + b"\r\n"),
    (505, "HTTP/0.9 in words", b"GET / HTTP/0.9\r\n" + H + b"\r\n"),
    (405, "CONNECT", b"CONNECT example.org:443 HTTP/1.1\r\nHost: example.org:443\r\n\r\n"),
    # Fields.
    (400, "folded field", b"GET / HTTP/1.1\r\n" + H + b"A: b\r\n c\r\n\r\n"),
    (400, "folded with tab", b"GET / HTTP/1.1\r\n" + H + b"A: b\r\n\tc\r\n\r\n"),
    (400, "space before the first field", b"GET / HTTP/1.1\r\n Host: x\r\n\r\n"),
    (400, "space before the colon", b"GET / HTTP/1.1\r\nHost : localhost\r\n\r\n"),
    (400, "tab before the colon", b"GET / HTTP/1.1\r\n" + H + b"A\t: b\r\n\r\n"),
    (400, "no colon", b"GET / HTTP/1.1\r\n" + H + b"nothing\r\n\r\n"),
    (400, "empty name", b"GET / HTTP/1.1\r\n" + H + b": b\r\n\r\n"),
    (400, "name is no token", b"GET / HTTP/1.1\r\n" + H + b"A(b): c\r\n\r\n"),
    (400, "NUL in a value", b"GET / HTTP/1.1\r\n" + H + b"A: b\0c\r\n\r\n"),
    (400, "control character in a value", b"GET / HTTP/1.1\r\n" + H + b"A: b\x07c\r\n\r\n"),
    (400, "DEL in a value", b"GET / HTTP/1.1\r\n" + H + b"A: b\x7f\r\n\r\n"),
    (400, "no Host", b"GET / HTTP/1.1\r\n\r\n"),
    (400, "two Hosts", b"GET / HTTP/1.1\r\n" + H + H + b"\r\n"),
    (400, "two different Hosts", b"GET / HTTP/1.1\r\n" + H + b"Host: b\r\n\r\n"),
    (400, "Host with a list", b"GET / HTTP/1.1\r\nHost: a, b\r\n\r\n"),
    (400, "Host with userinfo", b"GET / HTTP/1.1\r\nHost: user@a\r\n\r\n"),
    (400, "Host with a path", b"GET / HTTP/1.1\r\nHost: a/b\r\n\r\n"),
    (400, "Host with a wrong port", b"GET / HTTP/1.1\r\nHost: a:99999\r\n\r\n"),
    (400, "Host with words for a port", b"GET / HTTP/1.1\r\nHost: a:http\r\n\r\n"),
    (400, "Host with an open bracket", b"GET / HTTP/1.1\r\nHost: [::1\r\n\r\n"),
    # Framing of bodies.
    (400, "length and chunked", b"POST / HTTP/1.1\r\n" + H + b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n"),
    (400, "two lengths", b"POST / HTTP/1.1\r\n" + H + b"Content-Length: 3\r\nContent-Length: 4\r\n\r\n"),
    (400, "a list of lengths", b"POST / HTTP/1.1\r\n" + H + b"Content-Length: 3, 4\r\n\r\n"),
    (400, "negative length", b"POST / HTTP/1.1\r\n" + H + b"Content-Length: -1\r\n\r\n"),
    (400, "signed length", b"POST / HTTP/1.1\r\n" + H + b"Content-Length: +1\r\n\r\n"),
    (400, "hexadecimal length", b"POST / HTTP/1.1\r\n" + H + b"Content-Length: 0x1\r\n\r\n"),
    (400, "length beyond 64 bits", b"POST / HTTP/1.1\r\n" + H + b"Content-Length: 18446744073709551616\r\n\r\n"),
    (400, "empty length", b"POST / HTTP/1.1\r\n" + H + b"Content-Length:\r\n\r\n"),
    (501, "unknown transfer coding", b"POST / HTTP/1.1\r\n" + H + b"Transfer-Encoding: gzip, chunked\r\n\r\n"),
    # Sizes.
    (414, "target too long", b"GET /" + b"a" * 9000 + b" HTTP/1.1\r\n" + H + b"\r\n"),
    (414, "target without an end", b"GET /" + b"a" * 20000),
    (431, "field too long", b"GET / HTTP/1.1\r\n" + H + b"A: " + b"b" * 9000 + b"\r\n\r\n"),
    (431, "field without an end", b"GET / HTTP/1.1\r\n" + H + b"A: " + b"b" * 20000),
    (431, "too many fields", b"GET / HTTP/1.1\r\n" + H + b"a: b\r\n" * 120 + b"\r\n"),
]


@pytest.mark.parametrize("status, why, data", REFUSALS, ids=[f"{s}-{w}" for s, w, _ in REFUSALS])
def test_refused(site, status, why, data):
    w = site.wire()
    w.send(data)
    r = w.response()
    assert r.status == status, r
    assert r.get("connection", "").lower() == "close"
    assert r.body.strip(), "a refusal says why"
    w.expect_end(reset_ok=len(data) > 8192)


@pytest.mark.parametrize("status, why, data", REFUSALS[:4] + REFUSALS[21:40], ids=lambda v: str(v)[:40])
def test_refused_in_single_bytes(site, status, why, data):
    """The same verdict whatever the packets; wrong bytes are refused as soon as they are seen."""
    w = site.wire()
    try:
        w.send_cut(data, 1)
    except OSError:
        pass  # answered and closed before all was sent
    assert w.response().status == status


def test_wrong_bytes_are_refused_before_the_head_is_complete(site):
    w = site.wire()
    w.send(b"GET / HTTP/1.1\r\nHost : x")
    assert w.response(timeout=3).status == 400


def test_unknown_methods(site):
    for method in ("POST", "PUT", "DELETE", "PATCH", "TRACE", "PROPFIND"):
        r = site.get("/a.txt", method=method, headers={"Content-Length": "0"})
        assert r.status in (405, 501), r
        if r.status == 405:
            allow = [m.strip() for m in r.get("allow").split(",")]
            assert "GET" in allow and "HEAD" in allow


def test_request_without_host_in_http10(site):
    w = site.wire()
    w.send("GET /a.txt HTTP/1.0\r\n\r\n")
    r = w.response()
    assert r.status == 200 and r.body == b"content of a"
    w.expect_end()


def test_http10_keep_alive(site):
    w = site.wire()
    for _ in range(3):
        r = w.request("/a.txt", version="HTTP/1.0", headers={"Connection": "keep-alive"})
        assert r.status == 200 and r.get("connection", "").lower() == "keep-alive"


def test_connection_close_is_obeyed(site):
    w = site.wire()
    r = w.request("/a.txt", headers={"Connection": "close"})
    assert r.body == b"content of a"
    assert r.get("connection") == "close"
    w.expect_end()


def test_empty_lines_before_a_request(site):
    w = site.wire()
    w.send(b"\r\nGET /a.txt HTTP/1.1\r\n" + H + b"\r\n")
    assert w.response().body == b"content of a"


def test_absolute_form(site):
    w = site.wire()
    r = w.request(f"http://localhost:{site.port}/a.txt", host=f"localhost:{site.port}")
    assert r.body == b"content of a"
    assert w.request("http://localhost").status == 200


def test_options(site):
    r = site.get("*", method="OPTIONS")
    assert r.status in (200, 204, 405)


# --- one connection, many requests ------------------------------------------------------------------------------------


def test_keep_alive(site):
    w = site.wire()
    for i in range(50):
        name = "ab"[i & 1]
        assert w.request(f"/{name}.txt").body == f"content of {name}".encode()


def test_pipelining(site):
    w = site.wire()
    names = [random.choice("ab") for _ in range(200)]
    w.send("".join(f"GET /{n}.txt HTTP/1.1\r\nHost: localhost\r\n\r\n" for n in names))
    for n in names:
        assert w.response().body == f"content of {n}".encode()


def test_pipelining_in_random_pieces(site):
    w = site.wire()
    names = [random.choice("ab") for _ in range(50)]
    data = "".join(f"GET /{n}.txt HTTP/1.1\r\nHost: localhost\r\n\r\n" for n in names).encode()
    w.send_cut(data, lambda: random.choice([1, 2, 3, 50, 400]))
    for n in names:
        assert w.response().body == f"content of {n}".encode()


def test_pipelined_requests_after_a_bad_one_are_not_served(site):
    w = site.wire()
    w.send(b"GET /a.txt HTTP/1.1\r\n" + H + b"\r\nGET / HTTP/1.1\nbad\n\nGET /b.txt HTTP/1.1\r\n" + H + b"\r\n")
    assert w.response().body == b"content of a"
    assert w.response().status == 400
    w.expect_end(reset_ok=True)


def test_errors_of_files_keep_the_connection(site):
    w = site.wire()
    assert w.request("/missing").status == 404
    assert w.request("/a.txt").status == 200


def test_head(site):
    w = site.wire()
    r = w.request("/a.txt", method="HEAD")
    assert r.status == 200 and r.get("content-length") == "12"
    assert w.request("/b.txt").body == b"content of b", "no body came behind HEAD"
    r = w.request("/missing", method="HEAD")
    assert r.status == 404
    assert w.request("/a.txt").body == b"content of a"


def test_a_body_is_not_taken_for_a_request(site):
    """A GET with a body: the body is skipped or the connection ends; it is never parsed as a request."""
    for head in (b"Content-Length: 40\r\n", b"Transfer-Encoding: chunked\r\n"):
        w = site.wire()
        inner = b"GET /b.txt HTTP/1.1\r\nHost: localhost\r\n\r\n"[:40].ljust(40)
        body = inner if b"Length" in head else b"28\r\n" + inner + b"\r\n0\r\n\r\n"
        w.send(b"GET /a.txt HTTP/1.1\r\n" + H + head + b"\r\n" + body + b"GET /b.txt HTTP/1.1\r\n" + H + b"\r\n")
        first = w.response()
        assert first.status in (200, 400, 413), first
        try:
            rest = w.take_all(3)
        except (ConnectionResetError, TimeoutError):
            rest = bytes(w.buf)
        assert rest.count(b"HTTP/1.1 ") <= 1


def test_expect_continue(site):
    w = site.wire()
    w.send(b"POST /a.txt HTTP/1.1\r\n" + H + b"Expect: 100-continue\r\nContent-Length: 5\r\n\r\n")
    assert w.response().status in (405, 413, 417)


def test_server_says_no_version(site):
    r = site.get("/a.txt")
    assert not any(c.isdigit() for c in r.get("server", ""))
    assert r.get("date", "").endswith(" GMT")
    assert r.get("x-powered-by") is None


def test_half_closed_client_still_gets_its_answer(site):
    w = site.wire()
    w.send(b"GET /a.txt HTTP/1.1\r\n" + H + b"\r\n")
    w.shut_write()
    assert w.response().body == b"content of a"
    w.expect_end()


# --- slowness ---------------------------------------------------------------------------------------------------------


def test_head_one_byte_at_a_time(site):
    w = site.wire()
    w.send_cut(b"GET /a.txt HTTP/1.1\r\nX: " + b"y" * 300 + b"\r\n" + H + b"\r\n", 1)
    assert w.response().body == b"content of a"


def test_slow_head_is_408(bridge):
    br = bridge(to="builtin:echo", timeouts={"handshake": "1s"})
    w = br.wire()
    began = time.monotonic()
    w.send("GET / HTTP/1.1\r\nHost: ")
    r = w.response(timeout=5)
    assert r.status == 408 and r.get("connection") == "close"
    assert 0.8 < time.monotonic() - began < 3
    w.expect_end()


def test_trickling_a_head_gains_no_time(bridge):
    br = bridge(to="builtin:echo", timeouts={"handshake": "1s"})
    w = br.wire()
    began = time.monotonic()
    w.sock.settimeout(0.1)
    w.send("GET / HTTP/1.1\r\nX: ")
    while time.monotonic() - began < 4:
        try:
            w.send("y")
            time.sleep(0.1)
            if w.sock.recv(1, 0x40 | 0x2):  # MSG_DONTWAIT | MSG_PEEK
                break
        except BlockingIOError:
            continue
        except OSError:
            break
    assert time.monotonic() - began < 3


def test_silent_client_is_let_go(bridge):
    br = bridge(to="builtin:echo", timeouts={"handshake": "1s"})
    w = br.wire()
    began = time.monotonic()
    try:
        w.take_all(5)
    except (Eof, ConnectionResetError):
        pass
    assert 0.8 < time.monotonic() - began < 3


def test_idle_keep_alive_is_let_go(bridge, tmp_path):
    (tmp_path / "www").mkdir()
    (tmp_path / "www" / "x").write_text("x")
    br = bridge(to="builtin:echo", files=str(tmp_path / "www"), timeouts={"handshake": "1s"})
    w = br.wire()
    assert w.request("/x").status == 200
    w.take_all(20)


def test_small_request_header_limit(bridge):
    br = bridge(to="builtin:echo", limits={"request_header": "1KiB"})
    assert br.get("/", headers={"X": "y" * 2000}).status == 431
    assert br.get("/" + "x" * 2000).status == 414
    assert br.upgrade(headers={"X": "y" * 700}).status == 101


def test_a_tls_hello_on_a_clear_port(site):
    """The log says what it is: the client cannot read the answer."""
    w = site.wire()
    w.send(b"\x16\x03\x01\x00\xf4\x01\x00")
    assert w.response().status == 400
    w.expect_end(reset_ok=True)
    assert "a TLS hello came to a port that speaks clear HTTP" in site.wait_log("request_refused")[0]


def test_a_refused_head_request_gets_no_body(site):
    """The length of the text is told, the text is not sent (RFC 9110, section 9.3.2)."""
    w = site.wire()
    w.send(b"HEAD /%2e%2e%2fx HTTP/1.1\r\n" + H + b"\r\n")
    head = w.take_until(b"\r\n\r\n")
    assert b" 400 " in head and b"Content-Length: 0" not in head
    w.expect_end()
