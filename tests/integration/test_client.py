# SPDX-License-Identifier: MIT
# Copyright (c) 2026 the wsbridge authors
"""The test client itself, against another's server (Debian's websockify), so that a mistake shared by our client and our
server cannot hide."""

import shutil
import subprocess
import threading

import pytest
from harness import Backend, free_port, listening_ports, wait_for
from wsclient import BINARY, FrameReader, ProtocolViolation, WebSocket, frame, frame_head, xor

pytestmark = pytest.mark.skipif(not shutil.which("websockify"), reason="websockify is not installed")


@pytest.fixture
def websockify(tmp_path):
    def echo(conn):
        while data := conn.sock.recv(65536):
            conn.sock.sendall(data)

    backend = Backend(serve=echo)
    port = free_port()
    log = open(tmp_path / "websockify.log", "wb")
    process = subprocess.Popen(["websockify", f"127.0.0.1:{port}", backend.target], stdout=log, stderr=log)
    wait_for(lambda: port in listening_ports(), 15, "websockify")
    yield ("127.0.0.1", port)
    process.terminate()
    process.wait(10)
    backend.close()


def test_another_server_understands_us(websockify):
    ws = WebSocket(websockify).open("/websockify", protocols="binary")
    assert ws.subprotocol == "binary"
    payloads = [b"x", b"y" * 125, b"z" * 126, bytes(range(256)) * 300]

    def send():
        for p in payloads:
            ws.send_frame(BINARY, p)

    sender = threading.Thread(target=send)
    sender.start()
    whole = b"".join(payloads)
    assert ws.recv_bytes(len(whole)) == whole
    sender.join()
    ws.send_close(1000, "done")
    assert ws.recv_close()[0] == 1000
    ws.close()


def test_masking():
    assert xor(b"", b"abcd") == b""
    for n in (1, 3, 4, 5, 1000, 65537):
        data = bytes(i * 7 & 255 for i in range(n))
        assert xor(data, b"\x01\x20\x03\xff") == bytes(b ^ b"\x01\x20\x03\xff"[i % 4] for i, b in enumerate(data))


def test_frame_of_the_rfc():
    """RFC 6455, section 5.7: a single-frame masked text message."""
    assert frame(1, "Hello", mask=bytes.fromhex("37fa213d")) == bytes.fromhex("818537fa213d7f9f4d5158")


@pytest.mark.parametrize(
    "data, what",
    [
        (b"\xc2\x00", "reserved"),
        (b"\x83\x00", "opcode"),
        (b"\x82\x80\0\0\0\0", "masked"),
        (b"\x82\x7e\x00\x05hello", "shortest"),
        (b"\x82\x7f\0\0\0\0\0\0\x00\x05hello", "shortest"),
        (b"\x09\x00", "control"),
        (frame_head(9, 126, masked=False), "control"),
    ],
)
def test_reader_is_strict(data, what):
    r = FrameReader()
    r.feed(data)
    with pytest.raises(ProtocolViolation, match=what):
        r.next()


def test_reader_takes_single_bytes():
    r = FrameReader()
    wire = frame(2, b"q" * 300, masked=False) + frame(9, b"p", masked=False)
    got = []
    for i in range(len(wire)):
        r.feed(wire[i : i + 1])
        if f := r.next():
            got.append((f.opcode, len(f.payload)))
    assert got == [(2, 300), (9, 1)]
