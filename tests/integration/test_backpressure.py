# SPDX-License-Identifier: MIT
# Copyright (c) 2026 the wsbridge authors
"""Neither a client that does not read nor a backend that does not read makes memory grow, the program's own (measured as
anonymous resident pages) or the kernel's; and when they read again, every byte is there."""

import socket
import threading
import time

import pytest
from harness import SANITIZED, MiB, Pattern, measures_memory, scale
from wsclient import BINARY, CLOSE, FrameReader, frame

KiB = 1024


class Pusher(threading.Thread):
    """Sends `total` bytes of a pattern through `send`, and counts."""

    def __init__(self, send, total, wrap=lambda b: b, piece=MiB // 2):
        super().__init__(daemon=True)
        self.send, self.total, self.wrap, self.piece = send, total, wrap, piece
        self.pattern = Pattern(11)
        self.sent = 0
        self.error = None
        self.start()

    def run(self):
        try:
            while self.sent < self.total:
                data = self.pattern.give(min(self.piece, self.total - self.sent))
                self.send(self.wrap(data))
                self.sent += len(data)
        except OSError as e:
            self.error = e

    def stuck(self, seconds=0.6, timeout=20):
        """Waits until nothing has moved for a while; returns what had been sent."""
        deadline = time.monotonic() + timeout
        last, since = -1, time.monotonic()
        while time.monotonic() < deadline:
            if self.sent != last:
                last, since = self.sent, time.monotonic()
            elif time.monotonic() - since > seconds:
                return last
            time.sleep(0.02)
        raise AssertionError("never came to rest")


def tcp_memory():
    """Bytes of kernel memory in all TCP sockets of this network namespace."""
    with open("/proc/net/sockstat") as f:
        for line in f:
            if line.startswith("TCP:"):
                return int(line.split()[line.split().index("mem") + 1]) * 4096
    raise AssertionError("no TCP line")


def read_all(ws, total, pattern, timeout=60):
    deadline = time.monotonic() + timeout
    got = 0
    while got < total:
        f = ws.recv_frame(deadline - time.monotonic())
        if f.opcode < CLOSE:
            pattern.check(f.payload)
            got += len(f.payload)
        else:
            assert f.opcode != CLOSE, ws.close_of(f)


@pytest.mark.parametrize("buffer", ["64KiB", "1MiB"])
def test_client_that_does_not_read(bridge, backend, buffer):
    total = scale(256 * MiB)
    b = backend()
    br = bridge(to=b.target, limits={"buffer": buffer})
    warm = br.ws()
    b.accept()
    ws = br.ws(rcvbuf=64 * KiB)
    conn = b.accept()
    warm.text("x")
    before = br.rss()
    pusher = Pusher(conn.sock.sendall, total)
    conn.sock.settimeout(120)
    sent = pusher.stuck()
    assert sent < total, "everything was taken although nobody read"
    grown = br.rss() - before
    if not SANITIZED:
        assert grown <= (64 if buffer == "64KiB" else 1024) * KiB + 128 * KiB, f"grew by {grown // KiB} KiB"
    read_all(ws, total, Pattern(11))
    pusher.join(10)
    assert pusher.error is None and pusher.sent == total
    if not SANITIZED:
        assert br.rss() - before <= 2 * (64 if buffer == "64KiB" else 1024) * KiB + 512 * KiB
    # And it goes on as if nothing had happened.
    conn.send(b"after")
    assert ws.recv_bytes(5) == b"after"


@pytest.mark.parametrize("buffer", ["64KiB", "1MiB"])
def test_backend_that_does_not_read(bridge, backend, buffer):
    total = scale(256 * MiB)
    b = backend(rcvbuf=64 * KiB)
    br = bridge(to=b.target, limits={"buffer": buffer}, timeouts={"ping": "1h"})
    warm = br.ws()
    b.accept()
    ws = br.ws()
    conn = b.accept()
    warm.text("x")
    before = br.rss()
    mask = b"\0\0\0\0"
    pusher = Pusher(ws.sock.sendall, total, lambda d: frame(BINARY, d, mask=mask))
    ws.sock.settimeout(120)
    sent = pusher.stuck()
    assert sent < total
    grown = br.rss() - before
    if not SANITIZED:
        assert grown <= (64 if buffer == "64KiB" else 1024) * KiB + 128 * KiB, f"grew by {grown // KiB} KiB"
    check = Pattern(11)
    got = 0
    conn.sock.settimeout(30)
    while got < total:
        data = conn.sock.recv(MiB)
        assert data
        check.check(data)
        got += len(data)
    pusher.join(10)
    assert pusher.error is None and pusher.sent == total


def test_echo_that_is_not_read(bridge):
    total = scale(64 * MiB)
    br = bridge(to="builtin:echo", timeouts={"ping": "1h"})
    ws = br.ws(rcvbuf=64 * KiB)
    ws.text("warm")
    ws.recv_message()
    before = br.rss()
    pusher = Pusher(ws.sock.sendall, total, lambda d: frame(BINARY, d))
    ws.sock.settimeout(60)
    assert pusher.stuck() < total
    if not SANITIZED:
        assert br.rss() - before <= 256 * KiB
    read_all(ws, total, Pattern(11))
    pusher.join(10)
    assert pusher.error is None


def test_one_stalled_client_does_not_hold_the_others(bridge, backend):
    b = backend()
    br = bridge(to=b.target, process={"workers": 1})
    slow = br.ws(rcvbuf=16 * KiB)
    pusher = Pusher(b.accept().sock.sendall, 64 * MiB)
    pusher.stuck()
    quick = br.ws()
    conn = b.accept()
    began = time.monotonic()
    for _ in range(100):
        conn.send(b"tick")
        assert quick.recv_bytes(4) == b"tick"
    assert time.monotonic() - began < 3
    assert slow.sock.fileno() >= 0


@measures_memory
@pytest.mark.timeout(120)
def test_200_slow_readers_hold_little_of_the_kernels_memory(bridge, backend):
    """TCP_NOTSENT_LOWAT: what waits for a client that does not read stays with the backend. A naive bridge lets the
    kernel queue megabytes for each. Measured is wsbridge's send side; what the backend's own socket and the receive
    buffer towards it hold is bounded by the small sockets given to the backend."""
    n = 200
    b = backend(sndbuf=16 * KiB)
    br = bridge(to=b.target)
    # Megabytes of receive buffer, as a browser has them.
    clients, conns = [], []
    for _ in range(n):
        clients.append(br.ws())
        conns.append(b.accept())
    time.sleep(0.3)
    own = br.rss()
    for c in conns:
        c.sock.setblocking(False)
    deadline = time.monotonic() + 15
    sent = [0] * n
    quiet_since = time.monotonic()
    while time.monotonic() < deadline and time.monotonic() - quiet_since < 1:
        moved = False
        for i, c in enumerate(conns):
            try:
                sent[i] += c.sock.send(b"s" * 65536)
                moved = True
            except BlockingIOError:
                pass
        if moved:
            quiet_since = time.monotonic()
        else:
            time.sleep(0.02)
    # Bytes in the send queues of wsbridge's client sockets.
    queued = send_queues(br.port)
    assert len(queued) >= n
    # TCP_NOTSENT_LOWAT bounds what is not sent; what is in flight depends on the peer's window: here the clients' receive
    # buffers take their share and the rest must not be in our queue.
    assert sum(queued) / len(queued) < 512 * KiB, f"{sum(queued) // len(queued)} bytes in each send queue"
    grown = br.rss() - own
    assert grown < n * 96 * KiB, f"own memory grew by {grown // n // KiB} KiB for each slow reader"


def send_queues(port):
    """Bytes in the send queue of each established socket with that local port."""
    found = []
    for name in ("tcp", "tcp6"):
        with open(f"/proc/net/{name}") as f:
            next(f)
            for line in f:
                parts = line.split()
                if parts[3] == "01" and int(parts[1].rsplit(":", 1)[1], 16) == port:
                    found.append(int(parts[4].split(":")[0], 16))
    return found


def test_a_thousand_pings_to_a_client_that_does_not_read(bridge, backend):
    """Pongs are answers to what the client sends: they must not pile up for one that sends and never reads."""
    br = bridge(to="builtin:discard", timeouts={"write_stall": "30s"})
    ws = br.ws(rcvbuf=4 * KiB)
    ws.text("x")
    before = br.rss()
    ws.sock.settimeout(2)
    data = frame(9, b"p" * 125) * 500
    sent = 0
    try:
        while sent < scale(64 * MiB):
            ws.sock.sendall(data)
            sent += len(data)
    except socket.timeout:
        pass  # it stopped reading from us: as good
    if not SANITIZED:
        assert br.rss() - before <= 512 * KiB


def test_files_to_a_client_that_does_not_read(bridge, tmp_path):
    www = tmp_path / "www"
    www.mkdir()
    size = scale(64 * MiB)
    with open(www / "big", "wb") as f:
        f.truncate(size)
    br = bridge(to="builtin:echo", files=str(www))
    br.get("/none")
    before = br.rss()
    w = br.wire(rcvbuf=16 * KiB)
    w.send("GET /big HTTP/1.1\r\nHost: localhost\r\n\r\n")
    time.sleep(1)
    if not SANITIZED:
        assert br.rss() - before <= 512 * KiB
    r = w.response(timeout=30)
    assert len(r.body) == size


def test_reader_of_frames_is_not_the_limit():
    """The client library keeps up: otherwise these tests would measure it and not the bridge."""
    r = FrameReader()
    data = frame(BINARY, b"x" * 65000, masked=False) * 100
    began = time.monotonic()
    r.feed(data)
    n = 0
    while r.next():
        n += 1
    assert n == 100 and time.monotonic() - began < 2
