/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the wsbridge authors */
/*
 * Close codes, all 65,536 of them, and what we write: headers, control frames and Close frames.
 */
#include "unit.h"

#include "ws/close.h"
#include "ws/frame.h"

static void close_codes(void **state)
{
    static const uint16_t ok[] = {1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014};
    size_t next = 0;

    for (unsigned code = 0; code <= 65535; code++) {
        bool want = code >= 3000 && code <= 4999;

        if (next < ARRAY_LEN(ok) && code == ok[next]) {
            want = true;
            next++;
        }
        assert_int_equal(ws_close_code_ok(code), want);
    }
    assert_int_equal(next, ARRAY_LEN(ok));
}

static void headers_take_the_shortest_form(void **state)
{
    static const struct {
        uint64_t payload;
        size_t length;
        uint8_t bytes[10];
    } cases[] = {
        {0, 2, {0x82, 0}},
        {1, 2, {0x82, 1}},
        {125, 2, {0x82, 125}},
        {126, 4, {0x82, 126, 0, 126}},
        {0x1234, 4, {0x82, 126, 0x12, 0x34}},
        {65535, 4, {0x82, 126, 0xff, 0xff}},
        {65536, 10, {0x82, 127, 0, 0, 0, 0, 0, 1, 0, 0}},
        {0x123456789abcdef0, 10, {0x82, 127, 0x12, 0x34, 0x56, 0x78, 0x9a, 0xbc, 0xde, 0xf0}},
        {INT64_MAX, 10, {0x82, 127, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}},
    };
    uint8_t buf[32], untouched[32];
    const uint32_t mask = 0x04030201;

    memset(untouched, 0xaa, sizeof(untouched));
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        size_t length = cases[i].length;

        memset(buf, 0xaa, sizeof(buf));
        assert_int_equal(ws_encode_header(buf + 20, WS_BINARY, true, false, cases[i].payload), length);
        assert_memory_equal(buf + 20 - length, cases[i].bytes, length);
        assert_memory_equal(buf, untouched, 20 - length);
        assert_memory_equal(buf + 20, untouched, 12);

        memset(buf, 0xaa, sizeof(buf));
        assert_int_equal(ws_encode_client_header(buf + 20, WS_BINARY, true, cases[i].payload, mask), length + 4);
        assert_int_equal(buf[20 - length - 4 + 1], cases[i].bytes[1] | 0x80);
        assert_memory_equal(buf + 20 - length - 4 + 2, cases[i].bytes + 2, length - 2);
        assert_memory_equal(buf + 16, &mask, 4);
        assert_memory_equal(buf, untouched, 20 - length - 4);
        assert_memory_equal(buf + 20, untouched, 12);
    }
}

static void header_bits(void **state)
{
    uint8_t buf[WS_SERVER_HEADER_MAX];
    uint8_t *end = buf + sizeof(buf);

    assert_int_equal(ws_encode_header(end, WS_TEXT, false, false, 5), 2);
    assert_int_equal(end[-2], 0x01);
    assert_int_equal(ws_encode_header(end, WS_TEXT, true, true, 5), 2);
    assert_int_equal(end[-2], 0xc1);
    assert_int_equal(ws_encode_header(end, WS_CONTINUATION, true, false, 5), 2);
    assert_int_equal(end[-2], 0x80);
    assert_int_equal(end[-1], 5);
}

static void control_frames(void **state)
{
    uint8_t payload[200], out[2 + WS_CONTROL_MAX + 1];

    for (size_t i = 0; i < sizeof(payload); i++)
        payload[i] = (uint8_t)i;
    for (size_t n = 0; n <= sizeof(payload); n++) {
        size_t kept = n > 125 ? 125 : n;

        memset(out, 0xaa, sizeof(out));
        assert_int_equal(ws_encode_control(out, WS_PONG, payload, n), 2 + kept);
        assert_int_equal(out[0], 0x8a);
        assert_int_equal(out[1], kept);
        assert_memory_equal(out + 2, payload, kept);
        assert_int_equal(out[2 + kept], 0xaa);
    }
    assert_int_equal(ws_encode_control(out, WS_PING, NULL, 0), 2);
    assert_int_equal(out[0], 0x89);
}

static void close_frames(void **state)
{
    uint8_t out[2 + WS_CONTROL_MAX];
    char reason[200];

    assert_int_equal(ws_encode_close(out, 1000, "backend ended"), 2 + 2 + 13);
    assert_memory_equal(out,
                        "\x88\x0f\x03\xe8"
                        "backend ended",
                        17);
    assert_int_equal(ws_encode_close(out, 1011, ""), 4);
    assert_memory_equal(out, "\x88\x02\x03\xf3", 4);
    assert_int_equal(ws_encode_close(out, 1011, NULL), 4);
    assert_int_equal(ws_encode_close(out, WS_CLOSE_NO_STATUS, "nobody sees this"), 2);
    assert_memory_equal(out, "\x88\x00", 2);

    /* Cut to 123 bytes, never inside a character: four-byte characters behind 0 to 3 letters. */
    for (size_t shift = 0; shift < 4; shift++) {
        size_t kept = shift + (123 - shift) / 4 * 4;

        memset(reason, 'x', shift);
        for (size_t i = shift; i + 4 < sizeof(reason); i += 4)
            memcpy(reason + i, "\xf0\x9f\x98\x80", 5);
        assert_int_equal(ws_encode_close(out, 1001, reason), 4 + kept);
        assert_int_equal(out[1], 2 + kept);
        assert_memory_equal(out + 4, reason, kept);
    }
    memset(reason, 'y', sizeof(reason));
    reason[123] = '\0';
    assert_int_equal(ws_encode_close(out, 1001, reason), 127);
    reason[123] = 'y';
    reason[199] = '\0';
    assert_int_equal(ws_encode_close(out, 1001, reason), 127);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(close_codes),  cmocka_unit_test(headers_take_the_shortest_form),
        cmocka_unit_test(header_bits),  cmocka_unit_test(control_frames),
        cmocka_unit_test(close_frames),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
