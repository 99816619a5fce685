# SPDX-License-Identifier: MIT
# Copyright (c) 2026 the wsbridge authors
"""Limits: descriptors run out and come back, limits.connections, limits.message, the start's raising of the soft limit."""

import resource
import socket
import time

import pytest
from harness import measures_memory, wait_for
from wsclient import BINARY, CONTINUATION, TEXT, Eof, WebSocket, frame, frame_head


def works(br, timeout=1.0):
    try:
        with WebSocket(br.address, timeout=timeout) as ws:
            ws.open()
            ws.text("x")
            return ws.recv_message(timeout).payload == b"x"
    except (OSError, TimeoutError, AssertionError, Eof):
        return False


def test_accept_pauses_without_descriptors_and_goes_on(bridge):
    """At the limit it neither spins nor dies; it says so once; as soon as there is room it goes on by itself."""
    br = bridge(to="builtin:echo", open_files=80, process={"workers": 1})
    socks = []
    for _ in range(120):
        s = socket.create_connection((br.host, br.port), timeout=5)
        socks.append(s)
    time.sleep(0.5)
    assert br.process.poll() is None
    assert br.descriptors() >= 70
    before = br.cpu()
    time.sleep(1)
    assert br.cpu() - before < 0.3, "it spins on accept"
    said = br.log_lines(r"accept_paused|paus")
    assert 1 <= len(said) <= 3, br.log()
    for s in socks:
        s.close()
    wait_for(lambda: works(br), 10, "accept to go on")


def test_sessions_live_through_it(bridge, backend):
    b = backend()
    br = bridge(to=b.target, open_files=80, process={"workers": 1})
    ws = br.ws()
    conn = b.accept()
    socks = [socket.create_connection((br.host, br.port), timeout=5) for _ in range(120)]
    time.sleep(0.3)
    for _ in range(20):
        ws.binary(b"up")
        assert conn.recv_bytes(2) == b"up"
        conn.send(b"down")
        assert ws.recv_bytes(4) == b"down"
    for s in socks:
        s.close()


def test_no_descriptor_for_the_backend(bridge, backend):
    """The client is accepted but there is none left for its backend: that one request is refused."""
    b = backend()
    br = bridge(to=b.target, open_files=60, process={"workers": 1})
    kept, statuses = [], []
    for _ in range(40):
        ws = WebSocket(br.address, timeout=2)
        kept.append(ws)
        try:
            statuses.append(ws.open(check=False, timeout=0.3).status)
        except (OSError, TimeoutError, Eof):
            statuses.append(None)
    assert statuses[0] == 101
    assert all(s in (101, 502, 503, None) for s in statuses), statuses
    for ws in kept:
        ws.close()
    wait_for(lambda: WebSocket(br.address).open(check=False, timeout=2).status == 101, 10, "room again", pause=0.2)


def test_soft_limit_is_raised(bridge):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    br = bridge(to="builtin:echo", prefix=["prlimit", f"--nofile=64:{hard}"])
    with open(f"/proc/{br.pid}/limits") as f:
        line = next(x for x in f if x.startswith("Max open files"))
    assert int(line.split()[3]) > 64


def test_connections(bridge):
    br = bridge(to="builtin:echo", limits={"connections": 10})
    socks = [br.ws() for _ in range(10)]
    r = None
    with WebSocket(br.address, timeout=2) as ws:
        try:
            r = ws.open(check=False, timeout=1)
        except (TimeoutError, OSError):
            pass
        assert r is None or r.status == 503, r
    for ws in socks:
        ws.text("inside")
        assert ws.recv_message().payload == b"inside"
    for ws in socks[:5]:
        ws.finish()
    wait_for(lambda: works(br), 5, "room for another")


def test_connections_over_all_workers(bridge):
    br = bridge(to="builtin:echo", limits={"connections": 8}, process={"workers": 4})
    got = 0
    for _ in range(30):
        ws = br.socket(timeout=2)
        try:
            if ws.open(check=False, timeout=0.3).status == 101:
                got += 1
        except (TimeoutError, OSError, Eof):
            pass
    assert got == 8


# --- limits.message -----------------------------------------------------------------------------------------------------


def too_big(ws):
    code, reason = ws.recv_close(data=[])
    assert code == 1009 and reason
    ws.send_close(1009)
    ws.expect_end()


@pytest.mark.parametrize("to", ["builtin:echo", "builtin:discard", "tcp"])
def test_message(bridge, backend, to):
    b = backend(serve=lambda c: c.take_all()) if to == "tcp" else None
    br = bridge(to=b.target if b else to, limits={"message": "10KiB"})
    ws = br.ws()
    ws.binary(b"x" * 10240)
    ws.binary(b"x" * 10240)
    ws.send_frame(9, b"?")
    while ws.recv_frame().opcode != 10:
        pass
    ws.binary(b"x" * 10241)
    too_big(ws)


def test_message_by_announcement(bridge):
    """The header is enough; the payload is not waited for."""
    br = bridge(to="builtin:echo", limits={"message": "10KiB"})
    ws = br.ws()
    ws.send(frame_head(BINARY, 1 << 40) + b"mask")
    assert ws.recv_close(3)[0] == 1009


def test_message_in_fragments(bridge):
    br = bridge(to="builtin:discard", limits={"message": "10KiB"})
    ws = br.ws()
    ws.send(frame(TEXT, "x" * 5000, fin=False) + frame(CONTINUATION, "x" * 5000, fin=False))
    assert ws.silent(0.2)
    ws.send(frame(CONTINUATION, "x" * 241))
    too_big(ws)


def test_message_of_a_route(bridge):
    br = bridge(
        services={"s": {"to": "builtin:echo"}},
        routes=[{"path": "/", "service": "s"}, {"path": "/small", "service": "s", "limits": {"message": "1KiB"}}],
    )
    ws = br.ws("/")
    ws.binary(b"x" * 5000)
    assert len(ws.recv_message().payload) == 5000
    ws = br.ws("/small")
    ws.binary(b"x" * 5000)
    too_big(ws)


def test_many_workers(bridge):
    br = bridge(to="builtin:echo", process={"workers": 8})
    for i in range(64):
        ws = br.ws()
        ws.text(str(i))
        assert ws.recv_message().payload == str(i).encode()


@pytest.mark.parametrize("files", range(6, 13))
def test_too_few_descriptors_to_start(bridge, files):
    """Either it starts, or it says what is missing."""
    br = bridge(to="builtin:echo", open_files=files, process={"workers": 2}, wait=False)
    wait_for(lambda: br.process.poll() is not None or br.log_lines(" listening "))
    if br.process.poll() is None:
        return
    br.stopped = True
    assert br.process.returncode in (1, 77), br.process.returncode
    assert br.log_lines("^wsbridge: "), br.log()


@measures_memory
def test_memory_that_runs_out_under_load(bridge):
    """Some are refused, everybody else stays, and it goes on when there is memory again."""
    br = bridge(to="builtin:echo", process={"workers": 1})
    opened = [br.ws() for _ in range(20)]
    with open(f"/proc/{br.pid}/status") as f:
        data = 1024 * int(next(line for line in f if line.startswith("VmData")).split()[1])
    resource.prlimit(br.pid, resource.RLIMIT_DATA, (data + 64 * 1024, resource.RLIM_INFINITY))
    refused = 0
    while refused < 10 and len(opened) < 2000:
        ws = br.socket(timeout=2)
        try:
            ok = ws.open(check=False, timeout=2).status == 101
        except (OSError, Eof, TimeoutError):
            ok = False
        if ok:
            opened.append(ws)
        else:
            refused += 1
            ws.close()
    assert refused == 10
    for ws in opened[:20]:
        ws.text("still here")
        assert ws.recv_message().payload == b"still here"
    resource.prlimit(br.pid, resource.RLIMIT_DATA, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    wait_for(lambda: works(br), message="memory to be used again")
