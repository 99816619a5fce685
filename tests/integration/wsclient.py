# SPDX-License-Identifier: MIT
# Copyright (c) 2026 the wsbridge authors
"""A WebSocket and HTTP client over a plain socket, for tests that want a say in every byte.

It does what it is told, right or wrong: any head, any mask or none, any length form, frames cut anywhere, half-close,
reset, slow reading. What it receives it checks strictly, because the other end is what is tested: a server frame that
is masked, has reserved bits or a length in a longer form than needed is a failure of the test.

Three floors: the functions build and mask frames; `Wire` is a socket with a receive buffer; `WebSocket` speaks frames
over a Wire. `FrameReader` alone parses a byte stream into frames, for tests that run their own event loop.
"""

import base64
import hashlib
import os
import random
import socket
import struct
import time
from collections import namedtuple

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10
GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
TIMEOUT = 10.0

Frame = namedtuple("Frame", "fin rsv opcode payload")
Message = namedtuple("Message", "opcode payload")


class Eof(Exception):
    """The peer ended its side in an orderly way while more was expected."""


class ProtocolViolation(AssertionError):
    """The server sent what RFC 6455 forbids."""


# --- frames ---------------------------------------------------------------------------------------------------------


def xor(data, mask):
    """data with the four bytes of mask over it, at the speed of big integers."""
    n = len(data)
    if n == 0:
        return b""
    key = mask * ((n + 3) // 4)
    return (int.from_bytes(data, "little") ^ int.from_bytes(key[:n], "little")).to_bytes(n, "little")


def frame_head(opcode, n, fin=True, rsv=0, masked=True, form=None):
    """The first bytes of a frame up to the mask. form: 7, 16 or 64 forces a length form, minimal or not."""
    first = (0x80 if fin else 0) | rsv << 4 | opcode
    bit = 0x80 if masked else 0
    if form == 7 or (form is None and n < 126):
        return struct.pack("!BB", first, bit | n)
    if form == 16 or (form is None and n < 65536):
        return struct.pack("!BBH", first, bit | 126, n)
    return struct.pack("!BBQ", first, bit | 127, n)


def frame(opcode, payload=b"", fin=True, rsv=0, mask=None, masked=True, form=None, announce=None):
    """A whole client frame. mask: four bytes, random when None. announce: a length that is not the payload's."""
    if isinstance(payload, str):
        payload = payload.encode()
    n = len(payload) if announce is None else announce
    head = frame_head(opcode, n, fin, rsv, masked, form)
    if not masked:
        return head + bytes(payload)
    mask = random.randbytes(4) if mask is None else mask
    return head + mask + xor(payload, mask)


def close_payload(code=None, reason=""):
    if code is None:
        return b""
    return struct.pack("!H", code) + (reason.encode() if isinstance(reason, str) else reason)


def accept_for(key):
    return base64.b64encode(hashlib.sha1(key.encode() + GUID).digest()).decode()


class FrameReader:
    """Bytes of a server in, frames out; strict."""

    def __init__(self):
        self.buf = bytearray()

    def feed(self, data):
        self.buf += data

    def next(self):
        """One frame, or None when it is not complete yet."""
        buf = self.buf
        if len(buf) < 2:
            return None
        fin, rsv, opcode = buf[0] >> 7, buf[0] >> 4 & 7, buf[0] & 15
        if rsv:
            raise ProtocolViolation(f"server set reserved bits {rsv:03b}")
        if opcode not in (CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG):
            raise ProtocolViolation(f"server sent opcode {opcode}")
        if buf[1] & 0x80:
            raise ProtocolViolation("server masked a frame")
        n, at = buf[1] & 0x7F, 2
        if n == 126:
            if len(buf) < 4:
                return None
            n, at = struct.unpack_from("!H", buf, 2)[0], 4
            if n < 126:
                raise ProtocolViolation("length not in its shortest form")
        elif n == 127:
            if len(buf) < 10:
                return None
            n, at = struct.unpack_from("!Q", buf, 2)[0], 10
            if n < 65536:
                raise ProtocolViolation("length not in its shortest form")
        if opcode >= CLOSE and (not fin or n > 125):
            raise ProtocolViolation("control frame fragmented or too long")
        if len(buf) < at + n:
            return None
        payload = bytes(memoryview(buf)[at : at + n])
        del buf[: at + n]
        return Frame(bool(fin), rsv, opcode, payload)


# --- a socket with a receive buffer -----------------------------------------------------------------------------------


class Response:
    def __init__(self, head, body=b""):
        lines = head.decode("latin-1").split("\r\n")
        self.version, self.status, self.reason = (lines[0].split(" ", 2) + [""])[:3]
        self.status = int(self.status)
        self.fields = []
        for line in lines[1:]:
            name, _, value = line.partition(":")
            self.fields.append((name.lower(), value.strip()))
        self.body = body
        self.head = head

    def all(self, name):
        return [v for n, v in self.fields if n == name.lower()]

    def get(self, name, default=None):
        found = self.all(name)
        return found[0] if found else default

    def __repr__(self):
        return f"<{self.status} {self.reason} {self.fields} {self.body[:200]!r}>"


def dial(address, timeout=TIMEOUT, rcvbuf=None, sndbuf=None, source=None):
    """address: (host, port) or the path of a unix socket."""
    unix = isinstance(address, str)
    family = socket.AF_UNIX if unix else socket.AF_INET6 if ":" in address[0] else socket.AF_INET
    s = socket.socket(family, socket.SOCK_STREAM)
    if rcvbuf:  # before connect: it decides the window scale
        s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, rcvbuf)
    if sndbuf:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, sndbuf)
    if source:
        s.bind(source)
    s.settimeout(timeout)
    s.connect(address)
    if not unix:
        s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return s


class Wire:
    def __init__(self, address, timeout=TIMEOUT, **options):
        self.sock = address if isinstance(address, socket.socket) else dial(address, timeout, **options)
        self.sock.settimeout(timeout)
        self.buf = bytearray()
        self.ended = False

    # Sending.

    def send(self, data):
        self.sock.sendall(data.encode("latin-1") if isinstance(data, str) else data)

    def send_cut(self, data, sizes, pause=0.0):
        """In pieces of the given sizes (a number, or a function that gives one), each its own packet as far as TCP goes."""
        at = 0
        while at < len(data):
            n = sizes() if callable(sizes) else sizes
            self.sock.sendall(data[at : at + n])
            at += n
            if pause:
                time.sleep(pause)

    # Receiving.

    def fill(self, deadline=None):
        """One recv into the buffer; raises Eof, ConnectionResetError or TimeoutError."""
        if deadline is not None:
            left = deadline - time.monotonic()
            if left <= 0:
                raise TimeoutError("deadline")
            self.sock.settimeout(left)
        try:
            data = self.sock.recv(1 << 18)
        except socket.timeout:
            raise TimeoutError(f"nothing came; {len(self.buf)} bytes waiting: {bytes(self.buf[:80])!r}") from None
        if not data:
            self.ended = True
            raise Eof(f"end of stream; {len(self.buf)} bytes waiting: {bytes(self.buf[:80])!r}")
        self.buf += data

    def take(self, n, timeout=TIMEOUT):
        deadline = time.monotonic() + timeout
        while len(self.buf) < n:
            self.fill(deadline)
        out = bytes(self.buf[:n])
        del self.buf[:n]
        return out

    def take_until(self, mark, timeout=TIMEOUT):
        """Up to and with mark."""
        deadline = time.monotonic() + timeout
        seen = 0
        while True:
            at = self.buf.find(mark, max(0, seen - len(mark)))
            if at >= 0:
                out = bytes(self.buf[: at + len(mark)])
                del self.buf[: at + len(mark)]
                return out
            seen = len(self.buf)
            self.fill(deadline)

    def take_all(self, timeout=TIMEOUT):
        """Everything until the peer's orderly end."""
        deadline = time.monotonic() + timeout
        try:
            while True:
                self.fill(deadline)
        except Eof:
            out = bytes(self.buf)
            self.buf.clear()
            return out

    def expect_end(self, timeout=TIMEOUT, reset_ok=False):
        """The peer ends without sending anything more. Returns the seconds it took."""
        began = time.monotonic()
        try:
            rest = self.take_all(timeout)
        except ConnectionResetError:
            if not reset_ok:
                raise
            rest = bytes(self.buf)
        assert rest == b"", f"unexpected bytes before the end: {rest[:200]!r}"
        return time.monotonic() - began

    def silent(self, seconds):
        """Nothing comes, not even an end, for that long."""
        assert not self.buf, f"bytes waiting: {bytes(self.buf[:80])!r}"
        try:
            self.fill(time.monotonic() + seconds)
        except TimeoutError:
            return True
        except (Eof, ConnectionResetError):
            return False
        return False

    def response(self, method="GET", timeout=TIMEOUT):
        """One HTTP response, its body by Content-Length, or to the end of the stream without one."""
        head = self.take_until(b"\r\n\r\n", timeout)[:-4]
        r = Response(head)
        if method == "HEAD" or r.status in (101, 204, 304) or r.status < 200:
            return r
        length = r.get("content-length")
        r.body = self.take(int(length), timeout) if length is not None else self.take_all(timeout)
        return r

    def request(self, target="/", method="GET", headers=(), version="HTTP/1.1", host="localhost", timeout=TIMEOUT):
        lines = [f"{method} {target} {version}"]
        if host is not None:
            lines.append(f"Host: {host}")
        lines += [f"{k}: {v}" for k, v in (headers.items() if isinstance(headers, dict) else headers)]
        self.send("\r\n".join(lines) + "\r\n\r\n")
        return self.response(method, timeout)

    # Ending.

    def shut_write(self):
        self.sock.shutdown(socket.SHUT_WR)

    def reset(self):
        """RST instead of FIN."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()

    def close(self):
        self.sock.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


# --- WebSocket --------------------------------------------------------------------------------------------------------


def upgrade_head(
    path="/",
    host="localhost",
    key=None,
    version="13",
    upgrade="websocket",
    connection="Upgrade",
    protocols=None,
    origin=None,
    headers=(),
    method="GET",
    http="HTTP/1.1",
):
    """The bytes of an opening handshake. None for a part leaves it out."""
    lines = [f"{method} {path} {http}"]
    for name, value in (
        ("Host", host),
        ("Upgrade", upgrade),
        ("Connection", connection),
        ("Sec-WebSocket-Key", key),
        ("Sec-WebSocket-Version", version),
        ("Sec-WebSocket-Protocol", protocols),
        ("Origin", origin),
    ):
        if value is not None:
            lines.append(f"{name}: {value}")
    lines += [f"{k}: {v}" for k, v in (headers.items() if isinstance(headers, dict) else headers)]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


def new_key():
    return base64.b64encode(os.urandom(16)).decode()


class WebSocket(Wire):
    """auto_pong answers pings inside recv_message and recv_close; the low-level recv_frame never does."""

    def __init__(self, address, timeout=TIMEOUT, auto_pong=True, **options):
        super().__init__(address, timeout, **options)
        self.auto_pong = auto_pong
        self.reader = FrameReader()
        self.answer = None
        self.subprotocol = None

    def open(self, path="/", early=b"", cut=None, check=True, timeout=TIMEOUT, **parts):
        """The opening handshake. early: bytes sent in the same packet behind it. With check the answer must be a right
        101; without it, the Response is returned whatever it is."""
        key = parts.pop("key", None)
        key = new_key() if key is None else key
        data = upgrade_head(path, key=key, **parts) + early
        if cut:
            self.send_cut(data, cut)
        else:
            self.send(data)
        r = self.answer = self.response(timeout=timeout)
        if r.status == 101:
            self.reader.feed(self.buf)
            self.buf.clear()
        if not check:
            return r
        assert r.status == 101, f"upgrade refused: {r}"
        assert r.get("upgrade", "").lower() == "websocket", r
        assert "upgrade" in r.get("connection", "").lower(), r
        assert r.all("sec-websocket-accept") == [accept_for(key)], r
        self.subprotocol = r.get("sec-websocket-protocol")
        return self

    # Sending.

    def send_frame(self, opcode, payload=b"", **how):
        self.send(frame(opcode, payload, **how))

    def text(self, s, **how):
        self.send_frame(TEXT, s, **how)

    def binary(self, data, **how):
        self.send_frame(BINARY, data, **how)

    def send_close(self, code=1000, reason=""):
        self.send_frame(CLOSE, close_payload(code, reason))

    # Receiving.

    def recv_frame(self, timeout=TIMEOUT):
        deadline = time.monotonic() + timeout
        while True:
            f = self.reader.next()
            if f:
                return f
            try:
                self.fill(deadline)
            except Eof:
                raise Eof(f"end of stream; frame bytes waiting: {bytes(self.reader.buf[:80])!r}") from None
            self.reader.feed(self.buf)
            self.buf.clear()

    def recv_message(self, timeout=TIMEOUT):
        """The next whole data message; a Close in its place is a failure."""
        deadline = time.monotonic() + timeout
        opcode, parts = None, []
        while True:
            f = self.recv_frame(deadline - time.monotonic())
            if f.opcode == PING and self.auto_pong:
                self.send_frame(PONG, f.payload)
            elif f.opcode == CLOSE:
                raise AssertionError(f"Close {self.close_of(f)} instead of a message")
            elif f.opcode in (TEXT, BINARY, CONTINUATION):
                if (f.opcode == CONTINUATION) != (opcode is not None):
                    raise ProtocolViolation("fragments out of order")
                opcode = opcode or f.opcode
                parts.append(f.payload)
                if f.fin:
                    return Message(opcode, b"".join(parts))

    def recv_bytes(self, n, timeout=TIMEOUT):
        """n bytes of data payload, whatever the messages they come in."""
        deadline = time.monotonic() + timeout
        parts, got = [], 0
        while got < n:
            parts.append(self.recv_message(deadline - time.monotonic()).payload)
            got += len(parts[-1])
        assert got == n, f"{got} bytes came, {n} expected"
        return b"".join(parts)

    @staticmethod
    def close_of(f):
        if not f.payload:
            return (1005, "")
        if len(f.payload) < 2:
            raise ProtocolViolation("Close with one byte")
        code = struct.unpack("!H", f.payload[:2])[0]
        if not (1000 <= code <= 1003 or 1007 <= code <= 1014 or 3000 <= code <= 4999):
            raise ProtocolViolation(f"close code {code} on the wire")
        return (code, f.payload[2:].decode("utf-8"))

    def recv_close(self, timeout=TIMEOUT, data=None):
        """(code, reason) of the server's Close. data: a list that collects the payload before it; without it, data is a
        failure."""
        deadline = time.monotonic() + timeout
        while True:
            f = self.recv_frame(deadline - time.monotonic())
            if f.opcode == CLOSE:
                return self.close_of(f)
            if f.opcode == PING and self.auto_pong:
                self.send_frame(PONG, f.payload)
            elif f.opcode in (TEXT, BINARY, CONTINUATION):
                assert data is not None, f"data before the Close: {f.payload[:80]!r}"
                data.append(f.payload)

    def finish(self, code=1000, reason="", timeout=TIMEOUT):
        """Closes as a browser does and waits for the server's end. Returns the server's (code, reason)."""
        self.send_close(code, reason)
        got = self.recv_close(timeout, data=[])
        self.expect_end(timeout)
        self.close()
        return got
