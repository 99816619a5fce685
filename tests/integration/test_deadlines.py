# SPDX-License-Identifier: MIT
# Copyright (c) 2026 the wsbridge authors
"""Every deadline of the design's table, with short times: that it strikes, when, with which code and reason, and that
life (bytes, pongs) puts it off. The deadlines of request heads are in test_http.py, those of connecting in
test_connect.py."""

import time

import pytest
from harness import MiB
from wsclient import BINARY, CLOSE, PING, PONG, Eof, frame


def seconds_until_close(ws, timeout=10):
    began = time.monotonic()
    code, reason = ws.recv_close(timeout, data=[])
    return time.monotonic() - began, code, reason


@pytest.fixture
def session(bridge, backend):
    """session(timeouts...) gives (ws, conn, br)."""

    def make(auto_pong=True, rcvbuf=None, **timeouts):
        b = backend()
        br = bridge(to=b.target, timeouts=timeouts)
        ws = br.ws(auto_pong=auto_pong, rcvbuf=rcvbuf)
        return ws, b.accept(), br

    return make


# --- idle ---------------------------------------------------------------------------------------------------------------


def test_idle(session):
    ws, conn, br = session(idle="1s")
    took, code, reason = seconds_until_close(ws)
    assert code == 1001 and "idle" in reason.lower()
    assert 0.8 < took < 2.5
    ws.send_close(1001)
    ws.expect_end()
    with pytest.raises((Eof, ConnectionResetError)):
        conn.recv_bytes(1)
    br.wait_log(r"code=1001.*closed_by=wsbridge")


def test_pongs_are_no_use_of_the_session(session):
    """Answering pings keeps the connection known alive, but nobody uses it: idle counts on."""
    ws, conn, br = session(idle="1500ms", ping="300ms", pong="1s")
    took, code, _ = seconds_until_close(ws)
    assert code == 1001 and 1.2 < took < 3


@pytest.mark.parametrize("who", ["client", "backend"])
def test_bytes_either_way_put_idle_off(session, who):
    ws, conn, br = session(idle="1s")
    began = time.monotonic()
    while time.monotonic() - began < 2.5:
        time.sleep(0.3)
        if who == "client":
            ws.binary(b"x")
        else:
            conn.send(b"x")
            assert ws.recv_bytes(1) == b"x"
    took, code, _ = seconds_until_close(ws)
    assert code == 1001 and 0.6 < took < 2


def test_idle_unlimited(session):
    ws, conn, br = session(idle="unlimited", ping="off")
    assert ws.silent(1.5)


# --- ping and pong ------------------------------------------------------------------------------------------------------


def test_ping_comes_and_is_answered(session):
    ws, conn, br = session(ping="500ms", pong="500ms", auto_pong=False)
    began = time.monotonic()
    for i in range(4):
        f = ws.recv_frame(3)
        assert f.opcode == PING
        ws.send_frame(PONG, f.payload)
    assert 1.5 < time.monotonic() - began < 4
    ws.binary(b"alive")
    assert conn.recv_bytes(5) == b"alive"


def test_no_pong(session):
    ws, conn, br = session(ping="400ms", pong="600ms", auto_pong=False)
    assert ws.recv_frame(3).opcode == PING
    began = time.monotonic()
    f = ws.recv_frame(4)
    assert f.opcode == CLOSE
    code, reason = ws.close_of(f)
    assert code in (1001, 1011) and reason
    assert 0.4 < time.monotonic() - began < 2


def test_any_byte_counts_as_life(session):
    """A busy client that answers no ping is alive all the same."""
    ws, conn, br = session(ping="400ms", pong="400ms", auto_pong=False)
    began = time.monotonic()
    while time.monotonic() - began < 2.5:
        ws.binary(b"x")
        conn.recv_bytes(1)
        time.sleep(0.1)
    assert not any(f.opcode == CLOSE for f in drain_frames(ws))


def drain_frames(ws):
    got = []
    ws.sock.settimeout(0.1)
    try:
        while True:
            got.append(ws.recv_frame(0.1))
    except TimeoutError:
        return got


def test_pong_clock_stops_while_reads_are_paused(session):
    """The pong may wait behind data that we do not take because the backend does not read."""
    ws, conn, br = session(ping="400ms", pong="600ms", write_stall="30s", auto_pong=False)
    ws.sock.setblocking(False)
    sent = 0
    data = frame(BINARY, b"x" * 65536)
    quiet = 0
    rest = b""
    while quiet < 10:
        try:
            rest = rest or data
            n = ws.sock.send(rest)
            rest = rest[n:]
            sent += n
            quiet = 0
        except BlockingIOError:
            quiet += 1
            time.sleep(0.05)
    time.sleep(2)
    assert not any(f.opcode == CLOSE for f in drain_frames(ws))


def test_pings_between_the_pieces_of_a_large_message(session):
    """Data flows down all the time: a ping may come between two frames, never inside one."""
    ws, conn, br = session(ping="200ms", pong="5s")
    began = time.monotonic()
    while time.monotonic() - began < 1.5:
        conn.send(b"z" * 100000)
        assert ws.recv_bytes(100000) == b"z" * 100000


# --- write stall --------------------------------------------------------------------------------------------------------


def fill(sock, data):
    """Sends until the other side takes no more for a while."""
    sock.setblocking(False)
    sent, quiet = 0, 0
    while quiet < 6:
        try:
            n = sock.send(data[sent % len(data) :])
            sent += n
            quiet = 0
        except BlockingIOError:
            quiet += 1
            time.sleep(0.05)
    return sent


def test_client_does_not_read(session):
    ws, conn, br = session(write_stall="1s", ping="1h", rcvbuf=16384)
    fill(conn.sock, b"q" * MiB)
    began = time.monotonic()
    br.wait_log(r" session .*closed_by=", timeout=6)
    assert time.monotonic() - began < 4


def test_backend_does_not_read(session):
    ws, conn, br = session(write_stall="1s", ping="1h")
    fill(ws.sock, frame(BINARY, b"q" * 65536))
    began = time.monotonic()
    ws.sock.setblocking(True)
    code, reason = ws.recv_close(6)
    assert code == 1011 and reason
    assert time.monotonic() - began < 4
    br.wait_log(r"code=1011")


def test_a_slow_reader_is_no_stalled_one(session):
    """As long as something is taken now and then, the stall deadline begins anew."""
    ws, conn, br = session(write_stall="1s", ping="1h", rcvbuf=65536)
    fill(conn.sock, b"q" * MiB)
    ws.sock.settimeout(1)
    began = time.monotonic()
    while time.monotonic() - began < 3:
        assert ws.sock.recv(1 << 18), "closed"
        time.sleep(0.2)
    assert not br.log_lines(r" session .*closed_by=")


# --- lifetime, close ----------------------------------------------------------------------------------------------------


def test_lifetime(session):
    ws, conn, br = session(lifetime="1s")
    began = time.monotonic()
    code = None
    while time.monotonic() - began < 3:
        conn.send(b"busy")
        f = ws.recv_frame()
        if f.opcode == CLOSE:
            code, reason = ws.close_of(f)
            break
        time.sleep(0.05)
    assert code == 1008 and reason
    assert 0.8 < time.monotonic() - began < 2.5
    br.wait_log(r"code=1008")


def test_peer_that_never_closes(session):
    """timeouts.close after our Close the connection ends whatever the peer does, even one that keeps talking."""
    ws, conn, br = session(lifetime="500ms", close="700ms")
    took, code, _ = seconds_until_close(ws)
    assert code == 1008
    began = time.monotonic()
    try:
        while time.monotonic() - began < 5:
            ws.binary(b"still talking" * 100)
            time.sleep(0.05)
    except OSError:
        pass
    assert 0.4 < time.monotonic() - began < 3


def test_backend_that_never_ends(session):
    """After the client's Close the backend got its FIN; it has timeouts.close to end, then it is let go."""
    ws, conn, br = session(close="700ms")
    ws.send_close()
    assert conn.recv_all() == b""
    br.wait_log(r" session .*closed_by=client", timeout=5)


# --- per route, per service ---------------------------------------------------------------------------------------------


def test_a_route_and_a_service_override(bridge):
    br = bridge(
        timeouts={"idle": "1h"},
        services={"a": {"to": "builtin:echo", "timeouts": {"idle": "500ms"}}, "b": {"to": "builtin:echo"}},
        routes=[
            {"path": "/a", "service": "a"},
            {"path": "/a/long", "service": "a", "timeouts": {"idle": "1h"}},
            {"path": "/b", "service": "b"},
            {"path": "/b/short", "service": "b", "timeouts": {"idle": "500ms"}},
        ],
    )
    stay = [br.ws("/a/long"), br.ws("/b")]
    for path in ("/a", "/b/short"):
        took, code, _ = seconds_until_close(br.ws(path))
        assert code == 1001 and took < 2, path
    for ws in stay:
        assert ws.silent(0.3)


def test_no_deadline_wakes_an_idle_process(bridge):
    """Nothing polls: a hundred idle sessions use no processor."""
    br = bridge(to="builtin:echo")
    for _ in range(100):
        br.ws()
    time.sleep(0.3)
    before = br.cpu()
    time.sleep(2)
    assert br.cpu() - before < 0.1
