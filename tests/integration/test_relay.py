# SPDX-License-Identifier: MIT
# Copyright (c) 2026 the wsbridge authors
"""What the bridge is for: bytes arrive as they were sent, both ways, in any pieces, and nothing is lost at the end,
whoever ends and however."""

import random
import selectors
import socket
import threading
import time

import pytest
from harness import MiB, Pattern, abort_on_close, scale
from wsclient import BINARY, CLOSE, CONTINUATION, PING, TEXT, Eof, close_payload, frame, frame_head, xor


@pytest.fixture
def pair(bridge, backend):
    """An open session: (WebSocket, the backend's connection, the bridge)."""
    b = backend()
    br = bridge(to=b.target)
    ws = br.ws()
    return ws, b.accept(), br


# --- identity -----------------------------------------------------------------------------------------------------------


class Session:
    """Both ends of one session in one event loop: the client sends its stream in random frames cut at random places, the
    backend sends its own in random writes; each compares what it gets with what the other gives."""

    def __init__(self, seed, ws, back, size):
        self.rng = random.Random(seed)
        self.client = ws.sock
        self.back = back.sock
        self.reader = ws.reader
        self.up_out, self.up_in = Pattern(seed), Pattern(seed)
        self.down_out, self.down_in = Pattern(seed + 1), Pattern(seed + 1)
        self.size = size
        self.client_queue = bytearray()
        self.back_queue = b""
        self.in_message = False
        for s in (self.client, self.back):
            s.setblocking(False)

    def next_client_bytes(self):
        """A random run of frames, with pings between them now and then."""
        r = self.rng
        out = self.client_queue
        while len(out) < 65536 and self.up_out.at < self.size:
            top = r.choice([1, 10, 125, 126, 1000, 5000, 65535, 70000])
            n = min(r.randrange(0, top + 1), self.size - self.up_out.at)
            data = self.up_out.give(n)
            last = self.up_out.at == self.size
            fin = last or r.random() < 0.6
            out += frame(CONTINUATION if self.in_message else BINARY, data, fin=fin, mask=r.randbytes(4))
            self.in_message = not fin
            if r.random() < 0.05:
                out += frame(PING, r.randbytes(r.randrange(126)), mask=r.randbytes(4))

    def client_writes(self):
        if len(self.client_queue) < 65536:
            self.next_client_bytes()
        if not self.client_queue:
            return False
        n = self.rng.choice([1, 7, 100, 1448, 16384, 65536, 1 << 20])
        sent = self.client.send(self.client_queue[:n])
        del self.client_queue[:sent]
        return True

    def client_reads(self):
        self.reader.feed(self.client.recv(self.rng.choice([1000, 65536, 1 << 18])))
        while f := self.reader.next():
            if f.opcode in (BINARY, CONTINUATION, TEXT):
                self.down_in.check(f.payload)
            elif f.opcode == PING:
                self.client_queue += frame(10, f.payload) if not self.client_queue else b""
            else:
                assert f.opcode != CLOSE, f

    def back_writes(self):
        if not self.back_queue:
            if self.down_out.at == self.size:
                return False
            n = self.rng.choice([1, 50, 1000, 4096, 65536, 262144])
            self.back_queue = memoryview(self.down_out.give(min(n, self.size - self.down_out.at)))
        self.back_queue = self.back_queue[self.back.send(self.back_queue) :]
        return True

    def back_reads(self):
        self.up_in.check(self.back.recv(self.rng.choice([1000, 65536, 1 << 18])))

    def done(self):
        return self.up_in.at == self.size and self.down_in.at == self.size


def run_sessions(sessions, timeout):
    sel = selectors.DefaultSelector()
    RW = selectors.EVENT_READ | selectors.EVENT_WRITE
    for s in sessions:
        sel.register(s.client, RW, (s, s.client_reads, s.client_writes))
        sel.register(s.back, RW, (s, s.back_reads, s.back_writes))
    left = set(sessions)
    deadline = time.monotonic() + timeout
    while left:
        assert time.monotonic() < deadline, (
            f"{len(left)} sessions stuck, the first at up {next(iter(left)).up_in.at}, down {next(iter(left)).down_in.at}"
        )
        for key, events in sel.select(1):
            s, reads, writes = key.data
            try:
                if events & selectors.EVENT_READ:
                    reads()
                if events & selectors.EVENT_WRITE and not writes():
                    sel.modify(key.fileobj, selectors.EVENT_READ, key.data)
            except BlockingIOError:
                pass
            if s in left and s.done():
                left.discard(s)
    sel.close()


@pytest.mark.timeout(240)
def test_200_sessions_at_once(bridge, backend):
    """64 MiB each way in total, over 200 sessions that are all open at the same time."""
    b = backend()
    br = bridge(to=b.target)
    n = 200
    size = scale(64 * MiB) // n + 1
    sessions = []
    for i in range(n):
        ws = br.ws()
        sessions.append(Session(i * 2, ws, b.accept(), size))
    run_sessions(sessions, 180)
    for s in sessions:
        s.client.setblocking(True)
        s.client.close()
    assert br.process.poll() is None


@pytest.mark.timeout(240)
def test_64_mib_each_way_in_one_session(bridge, backend):
    b = backend()
    br = bridge(to=b.target)
    ws = br.ws()
    run_sessions([Session(99, ws, b.accept(), scale(64 * MiB))], 180)


@pytest.mark.parametrize("buffer", ["4KiB", "16KiB", "1MiB"])
def test_identity_with_other_buffers(bridge, backend, buffer):
    b = backend()
    br = bridge(to=b.target, limits={"buffer": buffer})
    sessions = [Session(i * 2, br.ws(), b.accept(), scale(2 * MiB)) for i in range(4)]
    run_sessions(sessions, 60)


def test_identity_through_small_sockets(bridge, backend):
    """Kernel buffers so small that nearly every write is a short one."""
    b = backend(rcvbuf=2048, sndbuf=2048)
    br = bridge(to=b.target)
    sessions = [Session(i * 2, br.ws(rcvbuf=2048, sndbuf=2048), b.accept(), scale(MiB)) for i in range(8)]
    run_sessions(sessions, 60)


def test_a_message_larger_than_every_buffer(pair):
    """It is streamed: the backend gets its beginning while its end has not been sent."""
    ws, conn, _ = pair
    out, into = Pattern(5), Pattern(5)
    total = 8 * MiB
    mask = b"\x12\x34\x56\x78"
    ws.send(frame_head(BINARY, total) + mask)
    for _ in range(total // (MiB // 2)):
        ws.send(xor(out.give(MiB // 2), mask))
        into.check(conn.recv_bytes(MiB // 2))


def test_first_bytes_do_not_wait(pair):
    ws, conn, _ = pair
    ws.send(frame_head(BINARY, 1000000) + b"\0\0\0\0" + b"abc")
    assert conn.recv_bytes(3, timeout=2) == b"abc"
    conn.send(b"x")
    assert ws.recv_message(timeout=2).payload == b"x"


def test_text_from_the_client_binary_to_it(pair):
    ws, conn, _ = pair
    ws.text("grüße")
    assert conn.recv_bytes(7) == "grüße".encode()
    conn.send(b"\xff\xfe")
    assert ws.recv_message() == (BINARY, b"\xff\xfe")


def test_empty_messages_are_nothing(pair):
    ws, conn, _ = pair
    for _ in range(10):
        ws.binary(b"")
        ws.text("")
    ws.binary(b"x")
    assert conn.recv_bytes(1) == b"x"


def test_many_small_frames_become_few_writes(bridge, backend):
    """Not a promise of a number, but one write for each of 10,000 frames would be a bug."""
    b = backend()
    br = bridge(to=b.target)
    ws = br.ws()
    conn = b.accept()
    ws.send(b"".join(frame(BINARY, b"k") for _ in range(10000)))
    time.sleep(0.3)
    reads = 0
    got = 0
    while got < 10000:
        got += len(conn.sock.recv(65536))
        reads += 1
    assert reads < 100


def test_round_trips_are_quick(pair):
    """No Nagle, no timer between the two sides."""
    ws, conn, _ = pair
    began = time.monotonic()
    for i in range(200):
        ws.binary(b"ping")
        conn.send(conn.recv_bytes(4))
        assert ws.recv_message().payload == b"ping"
    assert time.monotonic() - began < 5, "a Nagle delay is 40 ms, 200 of them 8 s"


@pytest.mark.parametrize("ends", [False, True])
@pytest.mark.parametrize("size", [10, 100_000, 3_000_000])
def test_urgent_bytes_stay_in_their_place(pair, size, ends):
    """A telnet server's urgent byte is one of its bytes, in bulk too; reads and splices end before it, and what comes
    behind it does not wait for more, not even when the end follows at once."""
    ws, conn, _ = pair
    parts = [random.Random(i).randbytes(size) for i in range(3)]
    want = b"".join(data + b"!behind" for data in parts)

    def speak():
        for data in parts:
            conn.send(data)
            conn.sock.send(b"!", socket.MSG_OOB)
            conn.send(b"behind")
        if ends:
            conn.sock.shutdown(socket.SHUT_WR)

    speaker = threading.Thread(target=speak)
    speaker.start()
    assert ws.recv_bytes(len(want)) == want
    speaker.join()
    if ends:
        assert ws.recv_close()[0] == 1000


def test_a_backend_that_speaks_first(bridge, backend):
    b = backend(serve=lambda c: (c.send(b"RFB 003.008\n"), c.take(1)))
    br = bridge(to=b.target)
    for _ in range(20):
        ws = br.ws()
        assert ws.recv_bytes(12) == b"RFB 003.008\n"
        ws.close()


def test_sessions_come_and_go(bridge, backend):
    """A thousand short ones leave nothing behind."""
    b = backend(serve=lambda c: c.send(c.take(4)))
    br = bridge(to=b.target)
    for i in range(scale(1000)):
        ws = br.socket()
        ws.open(early=frame(BINARY, b"ping"))
        assert ws.recv_bytes(4) == b"ping"
        assert ws.recv_close()[0] == 1000
        ws.send_close()
        ws.expect_end()
        ws.close()
        br.clients.clear()
        if i == 20:
            before = br.descriptors()
    time.sleep(0.2)
    assert br.descriptors() <= before + 2


# --- ends ---------------------------------------------------------------------------------------------------------------


def test_backend_ends(pair):
    """Everything it sent comes first, then Close 1000 with a reason."""
    ws, conn, br = pair
    data = Pattern(3)
    for _ in range(4):
        conn.send(data.give(MiB // 4))
    conn.close()
    got = []
    code, reason = ws.recv_close(data=got)
    Pattern(3).check(b"".join(got))
    assert sum(map(len, got)) == MiB
    assert code == 1000 and reason
    ws.send_close()
    ws.expect_end()
    assert br.wait_log(r"closed_by=backend")


def test_backend_ends_at_once(bridge, backend):
    """Accepts, says a word, is gone, perhaps before the 101 has left."""
    b = backend(serve=lambda c: c.send(b"bye"))
    br = bridge(to=b.target)
    for _ in range(50):
        ws = br.ws()
        got = []
        assert ws.recv_close(data=got)[0] == 1000
        assert b"".join(got) == b"bye"
        ws.close()


def test_backend_ends_while_the_client_does_not_read(bridge, backend):
    b = backend()
    br = bridge(to=b.target)
    ws = br.ws(rcvbuf=4096)
    conn = b.accept()
    total = 4 * MiB
    data = Pattern(4)

    def send():
        for _ in range(total // (MiB // 2)):
            conn.send(data.give(MiB // 2))
        conn.close()

    t = threading.Thread(target=send)
    t.start()
    time.sleep(0.5)
    got = []
    assert ws.recv_close(data=got, timeout=30)[0] == 1000
    t.join()
    whole = b"".join(got)
    assert len(whole) == total
    Pattern(4).check(whole)


def test_backend_half_closes_and_still_listens(pair):
    """Its EOF makes Close 1000; what the client says until its own Close still reaches it."""
    ws, conn, _ = pair
    conn.send(b"last words")
    conn.shut_write()
    got = []
    assert ws.recv_close(data=got)[0] == 1000
    assert b"".join(got) == b"last words"
    ws.binary(b"and mine")
    ws.text(" too")
    ws.send_close()
    assert conn.recv_all() == b"and mine too"
    ws.expect_end()


def test_client_close_is_flushed_to_the_backend(pair):
    """All of it, then FIN, not RST."""
    ws, conn, br = pair
    data = Pattern(6)
    total = 3 * MiB

    def send():
        for _ in range(total // (MiB // 4)):
            ws.binary(data.give(MiB // 4))
        ws.send_close(1000, "done")

    t = threading.Thread(target=send)
    t.start()
    time.sleep(0.3)
    got = conn.recv_all(20)
    t.join()
    assert len(got) == total
    Pattern(6).check(got)
    conn.close()
    assert ws.recv_close()[0] == 1000
    ws.expect_end()
    assert br.wait_log(r"closed_by=client")


def test_client_close_in_the_last_packet(pair):
    ws, conn, _ = pair
    ws.send(frame(BINARY, b"one") + frame(BINARY, b"two", fin=False) + frame(CLOSE, close_payload(1001)))
    assert conn.recv_all() == b"onetwo"
    conn.close()
    assert ws.recv_close()[0] == 1001
    ws.expect_end()


def test_close_and_fin_at_once(pair):
    ws, conn, _ = pair
    ws.send(frame(BINARY, b"all of it") + frame(CLOSE, close_payload(1000)))
    ws.shut_write()
    assert conn.recv_all() == b"all of it"
    conn.close()
    assert ws.recv_close()[0] == 1000
    ws.expect_end()


def test_client_ends_without_close(pair):
    """Treated as a Close that has no answer; what it had sent is delivered, and it is recorded as 1006."""
    ws, conn, br = pair
    ws.binary(b"x" * 300000)
    ws.shut_write()
    assert conn.recv_all() == b"x" * 300000
    conn.close()
    assert br.wait_log(r"code=1006")


def test_client_ends_inside_a_frame(pair):
    ws, conn, br = pair
    ws.send(frame_head(BINARY, 100) + b"\0\0\0\0" + b"half")
    ws.shut_write()
    assert conn.recv_all() == b"half"
    assert br.wait_log(r"code=1006")


def test_client_vanishes(pair):
    """RST: nothing more can be delivered to it; the backend is let go."""
    ws, conn, br = pair
    ws.binary(b"hello")
    assert conn.recv_bytes(5) == b"hello"
    ws.reset()
    try:
        assert conn.recv_all(5) == b""
    except ConnectionResetError:
        pass
    assert br.wait_log(r"code=1006")


def test_client_vanishes_while_the_backend_sends(pair):
    ws, conn, br = pair
    ws.sock.settimeout(5)

    def send():
        try:
            while True:
                conn.sock.sendall(b"y" * 65536)
        except OSError:
            pass

    t = threading.Thread(target=send)
    t.start()
    ws.sock.recv(1000)
    ws.reset()
    t.join(10)
    assert not t.is_alive(), "the backend was never told"
    assert br.wait_log(r"code=1006")


def test_backend_resets(pair):
    ws, conn, br = pair
    ws.binary(b"hello")
    assert conn.recv_bytes(5) == b"hello"
    conn.reset()
    code, reason = ws.recv_close()
    assert code == 1011 and reason
    ws.send_close(1011)
    ws.expect_end()
    assert br.wait_log(r"code=1011.*closed_by=backend")


def test_backend_resets_after_its_last_bytes(pair):
    """What had arrived before the RST is still delivered."""
    ws, conn, _ = pair
    conn.send(b"important")
    assert ws.recv_bytes(9) == b"important"
    conn.reset()
    assert ws.recv_close()[0] == 1011


def test_backend_resets_because_it_did_not_read(pair):
    """A server that closes with unread input sends RST after its answer; the answer must not be lost if it had come."""
    ws, conn, _ = pair
    ws.binary(b"never read")
    time.sleep(0.1)
    conn.send(b"answer")
    got = [ws.recv_bytes(6)]
    conn.close()
    assert ws.recv_close(data=got)[0] in (1000, 1011)
    assert b"".join(got) == b"answer"


def test_both_end_at_once(bridge, backend):
    b = backend()
    br = bridge(to=b.target)
    for _ in range(30):
        ws = br.ws()
        conn = b.accept()
        conn.send(b"tail")
        threading.Thread(target=conn.close).start()
        ws.send_close()
        got = []
        assert ws.recv_close(data=got)[0] == 1000
        ws.expect_end()
        ws.close()


def test_backend_data_after_the_clients_close_is_dropped(pair):
    ws, conn, _ = pair
    ws.send_close(1000)
    assert conn.recv_all() == b""
    try:
        conn.send(b"late" * 1000)
    except OSError:
        pass
    conn.close()
    assert ws.recv_close(data=[])[0] == 1000
    ws.expect_end()


def test_client_that_never_answers_our_close(bridge, backend):
    b = backend()
    br = bridge(to=b.target, timeouts={"close": "500ms"})
    ws = br.ws()
    b.accept().close()
    began = time.monotonic()
    assert ws.recv_close()[0] == 1000
    ws.expect_end()
    assert 0.3 < time.monotonic() - began < 3


def test_close_goes_ahead_of_what_is_not_read(bridge, backend):
    """A client that does not read cannot hold a session for longer than the deadlines say."""
    b = backend()
    br = bridge(to=b.target, timeouts={"close": "500ms", "write_stall": "1s"})
    ws = br.ws(rcvbuf=4096)
    conn = b.accept()
    conn.sock.setblocking(False)
    try:
        while True:
            conn.sock.send(b"z" * 65536)
    except BlockingIOError:
        pass
    ws.send_close()
    br.wait_log(r" session .*closed_by=", timeout=8)


# --- unix sockets -------------------------------------------------------------------------------------------------------


def test_unix_backend(bridge, backend, tmp_path):
    b = backend(unix=str(tmp_path / "back.sock"))
    br = bridge(to=b.target)
    ws = br.ws()
    conn = b.accept()
    ws.binary(b"up")
    assert conn.recv_bytes(2) == b"up"
    conn.send(b"down")
    assert ws.recv_bytes(4) == b"down"
    conn.close()
    assert ws.recv_close()[0] == 1000


def test_unix_backend_identity(bridge, backend, tmp_path):
    b = backend(unix=str(tmp_path / "back.sock"))
    br = bridge(to=b.target)
    run_sessions([Session(i * 2, br.ws(), b.accept(), scale(4 * MiB)) for i in range(4)], 60)


def test_unix_abstract_backend(bridge):
    name = f"\0wsbridge-test-{time.monotonic_ns()}"
    s = socket.socket(socket.AF_UNIX)
    s.bind(name)
    s.listen(5)
    br = bridge(to=f"unix:@{name[1:]}")
    ws = br.ws()
    conn, _ = s.accept()
    conn.sendall(b"abstract")
    assert ws.recv_bytes(8) == b"abstract"
    conn.close()
    s.close()


def test_unix_listener(bridge, backend, tmp_path):
    b = backend()
    path = str(tmp_path / "front.sock")
    br = bridge(
        listeners=[{"name": "local", "address": f"unix:{path}", "mode": "0660"}],
        services={"s": {"to": b.target}},
        routes=[{"path": "/", "service": "s"}],
    )
    import os
    import stat

    assert stat.S_IMODE(os.stat(path).st_mode) == 0o660
    run_sessions([Session(i * 2, br.ws(), b.accept(), scale(MiB)) for i in range(4)], 60)
    br.stop()
    assert not os.path.exists(path), "the socket file is taken away at the end"


def test_unix_listener_replaces_a_stale_file(bridge, tmp_path):
    path = str(tmp_path / "front.sock")
    old = socket.socket(socket.AF_UNIX)
    old.bind(path)
    old.close()  # the file stays, nobody listens
    br = bridge(
        listeners=[{"address": f"unix:{path}"}],
        services={"s": {"to": "builtin:echo"}},
        routes=[{"path": "/", "service": "s"}],
        wait=False,
    )
    from harness import wait_for

    def works():
        try:
            return br.ws()
        except OSError:
            return None

    ws = wait_for(works, 5, "the new listener")
    ws.text("x")
    assert ws.recv_message().payload == b"x"


def test_reset_with_linger_from_the_backend_during_a_flood(bridge, backend):
    b = backend()
    br = bridge(to=b.target)
    for _ in range(10):
        ws = br.ws()
        conn = b.accept()
        abort_on_close(conn.sock)
        ws.binary(b"q" * 200000)
        conn.send(b"w" * 200000)
        conn.close()
        got = []
        try:
            assert ws.recv_close(data=got)[0] == 1011
        except (Eof, ConnectionResetError):
            pytest.fail("no Close came")
        ws.close()
