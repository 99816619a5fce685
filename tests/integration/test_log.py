# SPDX-License-Identifier: MIT
# Copyright (c) 2026 the wsbridge authors
"""What is written down: one access record for each session and each request, as text or JSON, with bytes that clients
chose escaped and what may be a secret left out."""

import json
import re
import stat
import time

import pytest
from harness import wait_for
from wsclient import BINARY, TEXT

FIELDS = [
    "id",
    "peer",
    "listener",
    "path",
    "service",
    "backend",
    "subprotocol",
    "seconds",
    "bytes_up",
    "bytes_down",
    "messages_up",
    "messages_down",
    "code",
    "closed_by",
    "reason",
]


def pairs(line):
    """key=value of a text line."""
    return {k: v.strip('"') for k, v in re.findall(r'(\w+)=("(?:[^"\\]|\\.)*"|\S+)', line)}


def json_lines(br):
    return [json.loads(line) for line in br.log().splitlines() if line.strip()]


def a_session(br, b, protocols=None):
    ws = br.ws("/some/path?token=hunter2", protocols=protocols)
    conn = b.accept()
    ws.binary(b"x" * 100)
    ws.text("y" * 10)
    conn.recv_bytes(110)
    conn.send(b"z" * 1000)
    ws.recv_bytes(1000)
    ws.send_close(4321, "enough")
    conn.recv_all()
    conn.close()
    ws.recv_close()
    ws.expect_end()


def test_text_record_of_a_session(bridge, backend):
    b = backend()
    br = bridge(services={"desk": {"to": b.target, "subprotocols": ["mqtt"]}}, routes=[{"path": "/some", "service": "desk"}])
    a_session(br, b, "mqtt")
    (line,) = br.wait_log(r" session .*closed_by=")
    got = pairs(line)
    assert set(FIELDS) <= set(got), sorted(set(FIELDS) - set(got))
    assert got["path"] == "/some/path"
    assert got["service"] == "desk"
    assert got["backend"] == b.target
    assert got["subprotocol"] == "mqtt"
    assert got["bytes_up"] == "110" and got["messages_up"] == "2"
    assert got["bytes_down"] == "1000" and int(got["messages_down"]) >= 1
    assert got["code"] == "4321" and got["closed_by"] == "client"
    assert got["peer"].startswith("127.0.0.1:")
    assert got["listener"] == "test"
    assert 0 <= float(got["seconds"]) < 10


def test_json_record_of_a_session(bridge, backend):
    b = backend()
    br = bridge(
        services={"desk": {"to": b.target}},
        routes=[{"path": "/", "service": "desk"}],
        log={"format": "json"},
    )
    a_session(br, b)
    wait_for(lambda: [r for r in json_lines(br) if r.get("event") == "session"], 5, "the record")
    (r,) = [r for r in json_lines(br) if r.get("event") == "session"]
    assert r["bytes_up"] == 110 and r["bytes_down"] == 1000
    assert r["code"] == 4321 and isinstance(r["seconds"], float)
    assert set(FIELDS) <= set(r)


def test_every_line_of_a_json_log_is_json(bridge, tmp_path):
    (tmp_path / "www").mkdir()
    br = bridge(to="builtin:echo", files=str(tmp_path / "www"), log={"format": "json", "level": "debug"})
    br.get("/x")
    br.get('/%22%0a{}[]"quoted"')
    br.get("/", headers={"User-Agent": 'a"b\\c'})
    br.ws().close()
    with br.wire() as w:
        w.send(b"\x00\xff\r\n\r\n")
        w.response()
    time.sleep(0.2)
    br.stop()
    for r in json_lines(br):
        assert isinstance(r, dict) and r.get("event") and (r.get("time") or r.get("ts")) and r.get("level"), r


def test_request_record(bridge, tmp_path):
    www = tmp_path / "www"
    www.mkdir()
    (www / "a.txt").write_text("12345")
    br = bridge(to="builtin:echo", files=str(www))
    br.get("/a.txt?password=hunter2")
    br.get("/missing")
    br.wait_log(r" request .*", count=2)
    first, second = (pairs(x) for x in br.log_lines(r" request "))
    assert first["status"] == "200" and first["path"] == "/a.txt" and first["method"] == "GET"
    assert second["status"] == "404"
    assert "peer" in first and "seconds" in first and first["id"] != second["id"]


def test_refused_requests_are_recorded(bridge):
    br = bridge(to="builtin:echo")
    br.get("/", headers={"A ": "b"})
    br.wait_log(r"status=400")
    br.upgrade(origin="http://evil.example")
    br.wait_log(r"status=403")


def test_no_secrets(bridge, backend, tmp_path):
    """Queries, cookies and authorization may be keys to the house."""
    b = backend()
    br = bridge(to=b.target, log={"level": "debug"})
    secrets = {"Authorization": "Basic c2VjcmV0MQ==", "Cookie": "session=secret2", "X-Token": "secret3"}
    ws = br.ws("/p?token=secret4&access_token=secret5", headers=secrets)
    ws.binary(b"secret6")
    b.accept().recv_bytes(7)
    ws.close()
    br.get("/q?token=secret4", headers=secrets)
    br.upgrade("/p?token=secret4", headers=secrets, version="12")
    br.upgrade("/p?token=secret4", headers=secrets, origin="http://evil.example")
    time.sleep(0.3)
    br.stop()
    text = br.log()
    for s in ("secret2", "secret3", "secret4", "secret5", "secret6", "c2VjcmV0MQ"):
        assert s not in text, text


NASTY = [
    ("/%0d%0afake=line", "\nfake=line"),
    ("/%1b[31mred", "\x1b"),
    ("/%22quote", None),
    ("/%e2%80%ae", None),
    ("/a%20b%3Dc", None),
    ("/" + "A" * 3000, None),
]


@pytest.mark.parametrize("target, never", NASTY, ids=[t[:20] for t, _ in NASTY])
@pytest.mark.parametrize("form", ["text", "json"])
def test_nasty_paths(bridge, target, never, form):
    br = bridge(to="builtin:echo", log={"format": form})
    r = br.upgrade(target)
    time.sleep(0.2)
    br.stop()
    text = br.log()
    if never:
        assert never not in text
    assert all(c == "\n" or (c.isprintable()) for c in text if ord(c) < 0x80), repr(text)
    if form == "json":
        json_lines(br)
    assert r.status in (101, 400)


def test_nasty_header_bytes(bridge):
    br = bridge(to="builtin:echo", log={"level": "debug"})
    with br.wire() as w:
        w.send(b"GET /\x9b\xff HTTP/1.1\r\nHost: a\r\nX: \xff\xfe\x80\r\n\r\n")
        w.response()
    br.upgrade(origin="http://\xff\xfe")
    time.sleep(0.1)
    br.stop()
    with open(br.log_path, "rb") as f:
        f.read().decode("utf-8")  # the log stays UTF-8


def test_one_record_for_each_of_many(bridge, backend):
    """Lines of several workers never mix, and none is missing."""
    b = backend(serve=lambda c: c.close())
    br = bridge(to=b.target, process={"workers": 4})
    n = 200
    for _ in range(n):
        ws = br.ws()
        ws.recv_close()
        ws.send_close()
        ws.expect_end()
        ws.close()
    br.clients.clear()
    br.wait_log(r" session .*closed_by=", count=n)
    records = [pairs(x) for x in br.log_lines(r" session ")]
    assert len(records) == n
    assert len({r["id"] for r in records}) == n


def test_access_off(bridge):
    br = bridge(to="builtin:echo", log={"access": False})
    br.ws().finish()
    time.sleep(0.2)
    assert not br.log_lines(r" session .*closed_by=")


def test_level(bridge):
    br = bridge(to="builtin:echo", log={"level": "error", "access": False})
    br.ws().finish()
    br.upgrade(version="12")
    br.stop()
    assert br.log() == ""


def test_to_a_file(bridge, tmp_path):
    path = tmp_path / "access.log"
    br = bridge(to="builtin:echo", log={"to": f"file:{path}"})
    br.ws().finish()
    wait_for(lambda: path.exists() and " session " in path.read_text(), 5, "the record in the file")
    assert not stat.S_IMODE(path.stat().st_mode) & 0o007, "logs are not for everybody"


def test_file_that_cannot_be_opened(bridge, tmp_path):
    br = bridge(to="builtin:echo", log={"to": "file:/nonexistent/folder/log"}, wait=False)
    assert br.wait(5) in (1, 77, 78)
    assert "/nonexistent/folder/log" in br.log()
    br.stopped = True


def test_start_says_what_is_served(bridge):
    br = bridge(
        services={"desk": {"to": "builtin:echo"}, "two": {"to": "127.0.0.1:1"}},
        routes=[{"path": "/a", "service": "desk"}, {"path": "/b", "service": "two"}],
    )
    time.sleep(0.1)
    text = br.log()
    assert str(br.port) in text
    assert "/a" in text and "/b" in text and "127.0.0.1:1" in text


def test_end_codes(bridge, backend):
    """The first reason wins and is the only one."""
    b = backend()
    br = bridge(to=b.target)
    ws = br.ws()
    conn = b.accept()
    ws.send_frame(3, b"")
    ws.recv_close()
    ws.close()
    conn.close()
    (line,) = br.wait_log(r" session .*closed_by=")
    got = pairs(line)
    assert got["code"] == "1002" and got["closed_by"] == "client" or got["closed_by"] == "wsbridge"
    assert got["reason"] != "-"


def test_opcodes_are_counted_as_messages(bridge):
    br = bridge(to="builtin:echo")
    ws = br.ws()
    ws.send_frame(TEXT, "a", fin=False)
    ws.send_frame(0, "b")
    ws.send_frame(BINARY, b"c")
    ws.send_frame(9, b"ping is no message")
    for _ in range(3):
        ws.recv_frame()
    ws.finish()
    (line,) = br.wait_log(r" session .*closed_by=")
    assert pairs(line)["messages_up"] == "2" and pairs(line)["bytes_up"] == "3"
