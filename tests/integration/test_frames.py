# SPDX-License-Identifier: MIT
# Copyright (c) 2026 the wsbridge authors
"""RFC 6455 section 5 to the letter, seen from the wire: every length form, masks, reserved bits and opcodes,
fragmentation with control frames between, UTF-8 as it streams, close codes, and what each violation is answered with."""

import random
import struct

import pytest
from wsclient import (
    BINARY,
    CLOSE,
    CONTINUATION,
    PING,
    PONG,
    TEXT,
    Eof,
    WebSocket,
    close_payload,
    frame,
    frame_head,
)

LENGTHS = [0, 1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 33, 63, 64, 65, 124, 125, 126, 127, 128, 1000, 4095, 4096, 4097]
LENGTHS += [16384, 65534, 65535, 65536, 65537, 100000, 131072, 262145, 1048576]


@pytest.fixture
def echo(bridge):
    return bridge(to="builtin:echo")


def fails_with(br, data, code, before=()):
    """Sending data is answered by Close with that code, and then the connection ends."""
    with WebSocket(br.address) as ws:
        ws.open()
        for m in before:
            ws.send(m)
        ws.send(data)
        seen = []
        got, reason = ws.recv_close(data=seen)
        assert got == code, f"{got} {reason!r}"
        assert reason, "a Close of ours says why"
        ws.send_close(code)
        try:
            ws.expect_end()
        except ConnectionResetError:
            raise AssertionError("reset after the Close: it might have been destroyed in flight") from None
        return reason, seen


# --- what goes through ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("opcode", [TEXT, BINARY])
def test_every_length(echo, opcode):
    ws = echo.ws()
    for n in LENGTHS:
        payload = bytes(random.choices(b"abcdefghijklmnop", k=min(n, 997))) * (n // 997 + 1)
        payload = payload[:n]
        ws.send_frame(opcode, payload)
        m = ws.recv_message()
        assert m.opcode == opcode and m.payload == payload, n


@pytest.mark.parametrize("mask", [b"\0\0\0\0", b"\xff\xff\xff\xff", b"\x01\x02\x03\x04", b"\0\0\0\x01"])
def test_masks(echo, mask):
    ws = echo.ws()
    data = bytes(range(256)) * 5
    for n in (1, 2, 3, 5, 8, 13, 127, 1280):
        ws.binary(data[:n], mask=mask)
        assert ws.recv_message().payload == data[:n]


def test_each_cut_of_a_frame(echo):
    """A frame with each header form in two packets, cut at every place in its header and after."""
    ws = echo.ws()
    for n in (5, 126, 65536):
        data = frame(BINARY, b"k" * n)
        for cut in range(1, 20):
            if cut >= len(data):
                break
            ws.send(data[:cut])
            ws.send(data[cut:])
            assert len(ws.recv_message().payload) == n


def test_one_byte_at_a_time(echo):
    ws = echo.ws()
    ws.send_cut(frame(TEXT, "hello") + frame(PING, b"ping") + frame(TEXT, "w" * 200), 1)
    # What came in pieces is echoed in pieces; a pong may stand between any two of them.
    text, pongs = b"", []
    while len(text) < 205 or not pongs:
        f = ws.recv_frame()
        if f.opcode == PONG:
            pongs.append(f.payload)
        else:
            text += f.payload
    assert text == b"hello" + b"w" * 200 and pongs == [b"ping"]


def test_many_frames_in_one_packet(echo):
    ws = echo.ws()
    ws.send(b"".join(frame(TEXT, f"m{i}") for i in range(2000)))
    for i in range(2000):
        assert ws.recv_message().payload == f"m{i}".encode()


def test_fragments(echo):
    ws = echo.ws()
    ws.text("a", fin=False)
    ws.send_frame(CONTINUATION, "b", fin=False)
    ws.send_frame(CONTINUATION, "c")
    assert ws.recv_message() == (TEXT, b"abc")
    ws.binary(b"", fin=False)
    for _ in range(10):
        ws.send_frame(CONTINUATION, b"", fin=False)
    ws.send_frame(CONTINUATION, b"")
    assert ws.recv_message() == (BINARY, b"")
    ws.binary(b"", fin=False)
    ws.send_frame(CONTINUATION, b"x")
    assert ws.recv_message() == (BINARY, b"x")


def test_control_between_fragments(echo):
    ws = echo.ws()
    ws.text("one", fin=False)
    ws.send_frame(PING, b"between")
    ws.send_frame(PONG, b"unasked")
    ws.send_frame(CONTINUATION, "two")
    pongs, parts = [], []
    while not pongs or not parts or not parts[-1].fin:
        f = ws.recv_frame()
        if f.opcode == PONG:
            pongs.append(f.payload)
        else:
            parts.append(f)
    assert pongs == [b"between"]
    assert b"".join(f.payload for f in parts) == b"onetwo"


def test_many_fragments_stay_cheap(echo):
    """An endless message of empty and tiny fragments costs no memory and ends well."""
    ws = echo.ws()
    ws.binary(b"", fin=False)
    n = 5000
    ws.send(frame(CONTINUATION, b"x", fin=False) * n)
    ws.send(frame(CONTINUATION, b""))
    assert ws.recv_message().payload == b"x" * n


@pytest.mark.parametrize("n", [0, 1, 124, 125])
def test_pong_carries_the_pings_bytes(echo, n):
    ws = echo.ws()
    payload = bytes(i & 255 for i in range(n))
    ws.send_frame(PING, payload)
    f = ws.recv_frame()
    assert (f.opcode, f.payload) == (PONG, payload)


def test_unasked_pongs_are_taken(echo):
    ws = echo.ws()
    ws.send_frame(PONG, b"nobody asked")
    ws.text("fine")
    assert ws.recv_message().payload == b"fine"


def test_ping_flood_is_bounded(bridge, backend):
    """A newer ping may replace an unsent pong; the last one is always answered."""
    b = backend()
    br = bridge(to=b.target)
    ws = br.ws()
    for i in range(20):
        ws.send(b"".join(frame(PING, struct.pack("!I", i * 500 + k)) for k in range(500)))
    last = struct.pack("!I", 9999)
    while True:
        f = ws.recv_frame()
        assert f.opcode == PONG
        if f.payload == last:
            return


# --- violations -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name, data",
    [
        ("not masked", frame(TEXT, "hello", masked=False)),
        ("control not masked", frame(PING, b"", masked=False)),
        ("empty not masked", frame(BINARY, b"", masked=False)),
        ("rsv1", frame(TEXT, "x", rsv=4)),
        ("rsv2", frame(TEXT, "x", rsv=2)),
        ("rsv3", frame(BINARY, b"x", rsv=1)),
        ("rsv on a ping", frame(PING, b"x", rsv=4)),
        ("rsv on a continuation", frame(TEXT, "x", fin=False) + frame(CONTINUATION, "x", rsv=4)),
        ("opcode 3", frame(3, b"x")),
        ("opcode 7", frame(7, b"")),
        ("opcode 11", frame(11, b"")),
        ("opcode 15", frame(15, b"")),
        ("ping of 126", frame(PING, b"x" * 126)),
        ("close of 126", frame(CLOSE, close_payload(1000, "x" * 124))),
        ("ping in fragments", frame(PING, b"x", fin=False)),
        ("close in fragments", frame(CLOSE, close_payload(1000), fin=False)),
        ("continuation of nothing", frame(CONTINUATION, b"x")),
        ("continuation after the end", frame(TEXT, "x") + frame(CONTINUATION, b"x")),
        ("text inside text", frame(TEXT, "x", fin=False) + frame(TEXT, "y")),
        ("binary inside text", frame(TEXT, "x", fin=False) + frame(BINARY, b"y")),
        ("16 bits where 7 do", frame(BINARY, b"x" * 125, form=16)),
        ("16 bits for nothing", frame(BINARY, b"", form=16)),
        ("64 bits where 16 do", frame(BINARY, b"x" * 126, form=64)),
        ("64 bits where 7 do", frame(BINARY, b"x", form=64)),
        ("top bit of a length", frame_head(BINARY, 1 << 63, form=64) + b"abcd"),
        ("close of one byte", frame(CLOSE, b"\x03")),
        ("close 0", frame(CLOSE, close_payload(0))),
        ("close 999", frame(CLOSE, close_payload(999))),
        ("close 1004", frame(CLOSE, close_payload(1004))),
        ("close 1005", frame(CLOSE, close_payload(1005))),
        ("close 1006", frame(CLOSE, close_payload(1006))),
        ("close 1015", frame(CLOSE, close_payload(1015))),
        ("close 1016", frame(CLOSE, close_payload(1016))),
        ("close 2999", frame(CLOSE, close_payload(2999))),
        ("close 5000", frame(CLOSE, close_payload(5000))),
        ("close 65535", frame(CLOSE, close_payload(65535))),
    ],
)
def test_protocol_error(echo, name, data):
    fails_with(echo, data, 1002)


def test_violations_close_the_backend(bridge, backend):
    b = backend()
    br = bridge(to=b.target)
    ws = br.ws()
    conn = b.accept()
    ws.binary(b"fine")
    assert conn.recv_bytes(4) == b"fine"
    ws.send_frame(3, b"wrong")
    assert ws.recv_close()[0] == 1002
    with pytest.raises((Eof, ConnectionResetError)):
        conn.recv_bytes(1)


def test_input_after_a_violation_is_discarded(echo):
    """Else the kernel answers it with RST, which destroys the Close on its way."""
    with WebSocket(echo.address) as ws:
        ws.open()
        ws.send(frame(7, b"") + random.randbytes(200000))
        assert ws.recv_close()[0] == 1002


BAD_UTF8 = [
    b"\x80",
    b"\xff",
    b"\xc0\xaf",
    b"\xe0\x80\xaf",
    b"\xed\xa0\x80",
    b"\xed\xbf\xbf",
    b"\xf4\x90\x80\x80",
    b"\xf8\x88\x80\x80\x80",
    b"hello \xe4",
    b"\xc3(",
    b"\xf0\x9f\x98",
]


@pytest.mark.parametrize("bad", BAD_UTF8, ids=lambda b: b.hex())
def test_text_that_is_not_utf8(echo, bad):
    fails_with(echo, frame(TEXT, bad), 1007)


@pytest.mark.parametrize("bad", BAD_UTF8, ids=lambda b: b.hex())
def test_binary_may_be_anything(echo, bad):
    ws = echo.ws()
    ws.binary(bad)
    assert ws.recv_message().payload == bad


@pytest.mark.parametrize("bad", BAD_UTF8[:5], ids=lambda b: b.hex())
def test_close_reason_that_is_not_utf8(echo, bad):
    ws = echo.ws()
    ws.send_frame(CLOSE, close_payload(1000, bad))
    assert ws.recv_close()[0] in (1002, 1007)


def test_utf8_fails_fast(echo):
    """The wrong byte is enough: neither the end of the frame nor of the message is waited for."""
    ws = echo.ws()
    ws.send(frame_head(TEXT, 1000) + b"\0\0\0\0" + b"abc\xff")
    assert ws.recv_close(data=[])[0] == 1007
    ws = echo.ws()
    ws.text("abc", fin=False)
    ws.send_frame(CONTINUATION, b"\xed\xa0", fin=False)
    assert ws.recv_close(data=[])[0] == 1007


def test_characters_across_fragments(echo):
    text = "κόσμε 😀 ぜ\u0000\U0010ffff\ufeff"
    data = text.encode()
    ws = echo.ws()
    for cut in range(len(data) + 1):
        ws.send_frame(TEXT, data[:cut], fin=False)
        ws.send_frame(PING, b"\xff")
        ws.send_frame(CONTINUATION, data[cut:])
        got = []
        while True:
            f = ws.recv_frame()
            if f.opcode != PONG:
                got.append(f.payload)
                if f.fin:
                    break
        assert b"".join(got) == data
    ws.send_cut(frame(TEXT, data), 1)
    assert ws.recv_message().payload == data


def test_text_that_ends_inside_a_character(echo):
    fails_with(echo, frame(TEXT, b"abc", fin=False) + frame(CONTINUATION, b"\xe2\x82"), 1007)


# --- close ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("code", [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 3999, 4000, 4999])
def test_close_is_echoed(echo, code):
    ws = echo.ws()
    assert ws.finish(code, "good bye")[0] == code


def test_close_without_a_code(echo):
    ws = echo.ws()
    ws.send_frame(CLOSE)
    assert ws.recv_close()[0] in (1005, 1000)
    ws.expect_end()


def test_longest_close(echo):
    assert echo.ws().finish(4000, "r" * 123)[0] == 4000


def test_nothing_after_our_close_is_heard(echo):
    ws = echo.ws()
    ws.send(frame(CLOSE, close_payload(1000)) + frame(TEXT, "too late") + frame(3, b"nonsense"))
    assert ws.recv_close()[0] == 1000
    ws.expect_end(reset_ok=True)


def test_close_between_fragments(echo):
    ws = echo.ws()
    ws.text("never ", fin=False)
    ws.send_close(1000)
    assert ws.recv_close(data=[])[0] == 1000
    ws.expect_end()


def test_server_ends_first(echo):
    """After both Closes it is the server that closes the connection."""
    ws = echo.ws()
    ws.send_close()
    assert ws.recv_close()[0] == 1000
    assert ws.expect_end() < 1.5


# --- discard ----------------------------------------------------------------------------------------------------------


def test_discard(bridge):
    br = bridge(to="builtin:discard")
    ws = br.ws()
    ws.binary(b"x" * 1000000)
    ws.text("y")
    ws.send_frame(PING, b"alive")
    assert ws.recv_frame() == (True, 0, PONG, b"alive")
    assert ws.finish()[0] == 1000
