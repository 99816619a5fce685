# SPDX-License-Identifier: MIT
# Copyright (c) 2026 the wsbridge authors
"""TERM drains: no new clients, Close 1001 to each session, exit 0. A second TERM, or INT, stops at once."""

import os
import signal
import time

import pytest
from wsclient import Wire


def test_term_without_sessions(bridge):
    br = bridge(to="builtin:echo")
    began = time.monotonic()
    br.term()
    assert br.wait() == 0
    assert time.monotonic() - began < 2


def test_term_closes_each_session(bridge, backend):
    b = backend()
    br = bridge(to=b.target, timeouts={"drain": "10s"})
    socks = [br.ws() for _ in range(20)]
    conns = [b.accept() for _ in socks]
    for c in conns:
        c.send(b"before")
    time.sleep(0.3)  # what is still on its way when the signal comes may be lost
    began = time.monotonic()
    br.term()
    for ws in socks:
        got = []
        code, reason = ws.recv_close(data=got)
        assert code == 1001 and reason
        assert b"".join(got) == b"before", "what the backend had sent comes first"
        ws.send_close(1001)
        ws.expect_end()
    for c in conns:
        assert c.recv_all() == b""
        c.close()
    assert br.wait() == 0
    assert time.monotonic() - began < 8
    assert len(br.log_lines(r" session .*code=1001.*closed_by=wsbridge")) == 20


def test_term_refuses_new_clients(bridge, backend):
    b = backend()
    br = bridge(to=b.target, timeouts={"drain": "5s", "close": "4s"})
    ws = br.ws()
    b.accept()
    idle = br.wire()
    time.sleep(0.1)
    br.term()
    assert ws.recv_close()[0] == 1001
    idle.expect_end(3)
    with pytest.raises(OSError):
        w = Wire(br.address, timeout=1)
        w.request()
    ws.send_close()
    ws.close()
    for c in b.conns:
        c.close()
    assert br.wait() == 0


def test_the_client_may_still_send_until_it_closes(bridge, backend):
    b = backend()
    br = bridge(to=b.target)
    ws = br.ws()
    conn = b.accept()
    br.term()
    assert ws.recv_close()[0] == 1001
    ws.binary(b"my last words")
    ws.send_close(1001)
    assert conn.recv_all() == b"my last words"
    conn.close()
    ws.expect_end()
    assert br.wait() == 0


def test_clients_that_do_not_answer_are_let_go(bridge, backend):
    """timeouts.close for each, timeouts.drain for all."""
    b = backend()
    br = bridge(to=b.target, timeouts={"close": "1s", "drain": "30s"})
    for _ in range(5):
        br.ws()
    began = time.monotonic()
    br.term()
    assert br.wait() == 0
    assert 0.5 < time.monotonic() - began < 5


def test_drain_has_an_end(bridge, backend):
    """Clients that neither read nor answer, with long deadlines of their own: drain cuts them off, and that is still a
    good end."""
    b = backend()
    br = bridge(to=b.target, timeouts={"close": "60s", "drain": "1s", "write_stall": "60s"})
    ws = br.ws(rcvbuf=4096)
    conn = b.accept()
    conn.sock.setblocking(False)
    try:
        while True:
            conn.sock.send(b"x" * 65536)
    except BlockingIOError:
        pass
    began = time.monotonic()
    br.term()
    assert br.wait() == 0
    assert 0.5 < time.monotonic() - began < 5
    ws.close()


@pytest.mark.parametrize("second", [signal.SIGTERM, signal.SIGINT])
def test_second_signal_stops_at_once(bridge, backend, second):
    b = backend()
    br = bridge(to=b.target, timeouts={"close": "60s", "drain": "60s"})
    br.ws()
    br.term()
    time.sleep(0.3)
    assert br.process.poll() is None
    began = time.monotonic()
    br.process.send_signal(second)
    assert br.wait() == 0
    assert time.monotonic() - began < 2


def test_int_stops_at_once(bridge, backend):
    b = backend()
    br = bridge(to=b.target, timeouts={"close": "60s", "drain": "60s"})
    br.ws()
    began = time.monotonic()
    br.process.send_signal(signal.SIGINT)
    assert br.wait() == 0
    assert time.monotonic() - began < 2


def test_term_while_connecting(bridge, black_hole):
    br = bridge(to=black_hole.target, timeouts={"connect": "20s", "drain": "2s"})
    w = br.wire()
    w.send("GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
           "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")
    time.sleep(0.2)
    br.term()
    assert br.wait(10) == 0


def test_term_during_a_download(bridge, tmp_path):
    """A file on its way is finished."""
    www = tmp_path / "www"
    www.mkdir()
    (www / "big").write_bytes(b"b" * (8 << 20))
    br = bridge(to="builtin:echo", files=str(www), timeouts={"drain": "15s"})
    w = br.wire(rcvbuf=16384)
    w.send("GET /big HTTP/1.1\r\nHost: a\r\n\r\n")
    time.sleep(0.2)
    br.term()
    time.sleep(0.2)
    assert len(w.response(timeout=15).body) == 8 << 20
    w.expect_end()
    assert br.wait() == 0


def test_sigpipe_and_other_signals_do_no_harm(bridge):
    br = bridge(to="builtin:echo")
    ws = br.ws()
    br.process.send_signal(signal.SIGPIPE)
    time.sleep(0.1)
    ws.text("here")
    assert ws.recv_message().payload == b"here"


def test_term_under_load(bridge, backend):
    def chat(conn):
        while data := conn.sock.recv(65536):
            conn.sock.sendall(data)

    b = backend(serve=chat)
    br = bridge(to=b.target)
    socks = [br.ws() for _ in range(10)]
    for ws in socks:
        ws.binary(os.urandom(50000))
    br.term()
    for ws in socks:
        assert ws.recv_close(data=[])[0] == 1001
        ws.send_close(1001)
    assert br.wait() == 0
