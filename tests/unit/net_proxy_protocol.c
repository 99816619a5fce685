/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the wsbridge authors */
/*
 * The PROXY protocol codec: both versions, every refusal, every prefix, and writing read back.
 */
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>

#include "net/proxy_protocol.h"

#define SIG "\r\n\r\n\0\r\nQUIT\n"
#define BYTES(literal) (const uint8_t *)(literal), sizeof(literal) - 1

static enum proxy_result parse(const void *p, size_t n, struct proxy_header *h, size_t *used)
{
    const char *why;
    /* An exact copy on the heap, so that the sanitizer sees a read past the end. */
    uint8_t *copy = malloc(n ? n : 1);
    enum proxy_result r;

    assert_non_null(copy);
    memcpy(copy, p, n);
    r = proxy_parse(copy, n, h, used, &why);
    assert_true((r == PROXY_BAD) == (why != NULL));
    free(copy);
    /* Views again, into memory that stays. */
    assert_int_equal(proxy_parse(p, n, h, used, &why), r);
    return r;
}

static const char *text(const struct ip_port *a)
{
    static char buf[2][ADDR_TEXT_MAX];
    static int turn;

    turn ^= 1;
    return ip_port_format(a, buf[turn]);
}

static void v1_accepts(void **state)
{
    static const struct {
        const char *line, *src, *dst;
    } ok[] = {
        {"PROXY TCP4 192.0.2.1 198.51.100.7 5000 443\r\n", "192.0.2.1:5000", "198.51.100.7:443"},
        {"PROXY TCP4 255.255.255.255 255.255.255.255 65535 65535\r\n", "255.255.255.255:65535",
         "255.255.255.255:65535"},
        {"PROXY TCP4 0.0.0.0 0.0.0.0 0 0\r\n", "0.0.0.0", "0.0.0.0"},
        {"PROXY TCP6 2001:db8::1 ::1 1 2\r\n", "[2001:db8::1]:1", "[::1]:2"},
        {"PROXY TCP6 ::ffff:192.0.2.1 ::1 1 2\r\n", "192.0.2.1:1", "[::1]:2"},
        {"PROXY TCP6 ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535\r\n",
         "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535", "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535"},
    };
    struct proxy_header h;
    size_t used;
    char more[256];

    for (size_t i = 0; i < ARRAY_LEN(ok); i++) {
        size_t n = strlen(ok[i].line);

        for (size_t k = 0; k < n; k++)
            assert_int_equal(parse(ok[i].line, k, &h, &used), PROXY_MORE);
        snprintf(more, sizeof(more), "%sGET / HTTP/1.1\r\n", ok[i].line);
        assert_int_equal(parse(more, strlen(more), &h, &used), PROXY_DONE);
        assert_int_equal(used, n);
        assert_int_equal(h.version, 1);
        assert_false(h.local);
        assert_string_equal(text(&h.src), ok[i].src);
        assert_string_equal(text(&h.dst), ok[i].dst);
    }
}

static void v1_unknown_names_nobody(void **state)
{
    struct proxy_header h;
    size_t used;

    assert_int_equal(parse(BYTES("PROXY UNKNOWN\r\n"), &h, &used), PROXY_DONE);
    assert_int_equal(used, 15);
    assert_int_equal(h.src.family, IP_NONE);
    assert_int_equal(parse(BYTES("PROXY UNKNOWN anything at all, even 1.2.3.4 5\r\nX"), &h, &used), PROXY_DONE);
    assert_int_equal(used, 47);
    assert_int_equal(h.src.family, IP_NONE);
}

static void v1_refuses(void **state)
{
    static const char *const lines[] = {
        "PROXY \r\n",
        "PROXY TCP4\r\n",
        "PROXY TCP5 192.0.2.1 192.0.2.2 1 2\r\n",
        "PROXY tcp4 192.0.2.1 192.0.2.2 1 2\r\n",
        "PROXY UNKNOWNX\r\n",
        "PROXY  TCP4 192.0.2.1 192.0.2.2 1 2\r\n",
        "PROXY TCP4 192.0.2.1  192.0.2.2 1 2\r\n",
        "PROXY TCP4 192.0.2.1 192.0.2.2 1 2 \r\n",
        "PROXY TCP4 192.0.2.1 192.0.2.2 1 2 3\r\n",
        "PROXY TCP4 192.0.2.1 192.0.2.2 1\r\n",
        "PROXY TCP4 192.0.2.1 192.0.2.2 1 65536\r\n",
        "PROXY TCP4 192.0.2.1 192.0.2.2 01 2\r\n",
        "PROXY TCP4 192.0.2.1 192.0.2.2 +1 2\r\n",
        "PROXY TCP4 192.0.2.1 192.0.2.2 -1 2\r\n",
        "PROXY TCP4 192.0.2.1 192.0.2.2 1 x\r\n",
        "PROXY TCP4 192.0.2.256 192.0.2.2 1 2\r\n",
        "PROXY TCP4 192.0.2 192.0.2.2 1 2\r\n",
        "PROXY TCP4 192.0.02.1 192.0.2.2 1 2\r\n",
        "PROXY TCP4 ::1 ::1 1 2\r\n",
        "PROXY TCP6 192.0.2.1 ::1 1 2\r\n",
        "PROXY TCP6 [::1] ::1 1 2\r\n",
        "PROXY TCP6 fe80::1%lo ::1 1 2\r\n",
        "PROXY TCP4 192.0.2.1 192.0.2.2 1 2\n",
        "PROXY TCP4 192.0.2.1 192.0.2.2 1 2\rX",
        "PROXY UNKNOWN ......................................................................................... 107!",
    };
    struct proxy_header h;
    size_t used;

    for (size_t i = 0; i < ARRAY_LEN(lines); i++)
        if (parse(lines[i], strlen(lines[i]), &h, &used) != PROXY_BAD)
            fail_msg("accepted: %s", lines[i]);
    assert_int_equal(parse(BYTES("PROXY TCP4 192.0.2.1\0 192.0.2.2 1 2\r\n"), &h, &used), PROXY_BAD);
}

static void v1_is_107_bytes_at_most(void **state)
{
    char line[120];
    struct proxy_header h;
    size_t used;

    memset(line, '.', sizeof(line));
    memcpy(line, "PROXY UNKNOWN ", 14);
    line[105] = '\r';
    line[106] = '\n';
    assert_int_equal(parse(line, 107, &h, &used), PROXY_DONE);
    line[105] = '.';
    line[106] = '\r';
    line[107] = '\n';
    assert_int_equal(parse(line, 106, &h, &used), PROXY_MORE);
    assert_int_equal(parse(line, 107, &h, &used), PROXY_BAD);
    assert_int_equal(parse(line, 108, &h, &used), PROXY_BAD);
}

static void absent_is_not_bad(void **state)
{
    static const char *const other[] = {"GET / HTTP/1.1\r\n", "POST / HTTP/1.1\r\n", "PROPFIND /", "PROXY/", "\r\nGET",
                                        "\r\n\r\nGET / ",     "\x16\x03\x01",        "proxy TCP4"};
    struct proxy_header h;
    size_t used;

    for (size_t i = 0; i < ARRAY_LEN(other); i++)
        assert_int_equal(parse(other[i], strlen(other[i]), &h, &used), PROXY_ABSENT);
    assert_int_equal(parse("", 0, &h, &used), PROXY_MORE);
}

/* Builds a v2 header: command and family as given, then the payload. */
static size_t v2(uint8_t *out, uint8_t command, uint8_t family, const void *payload, size_t n)
{
    memcpy(out, SIG, 12);
    out[12] = command;
    out[13] = family;
    out[14] = (uint8_t)(n >> 8);
    out[15] = (uint8_t)n;
    memcpy(out + 16, payload, n);
    return 16 + n;
}

#define INET4 "\xc0\x00\x02\x01\xc6\x33\x64\x07\x13\x88\x01\xbb"
#define INET6                                                                                                          \
    "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01"                                                                       \
    "\0\0\0\0\0\0\0\0\0\0\xff\xff\xc6\x33\x64\x07\x13\x88\x01\xbb"

static void v2_accepts_each_family(void **state)
{
    uint8_t buf[512];
    uint8_t unix_block[216] = {0};
    struct proxy_header h;
    size_t used;
    size_t n = v2(buf, 0x21, 0x11, INET4, 12);

    for (size_t k = 0; k < n; k++)
        assert_int_equal(parse(buf, k, &h, &used), PROXY_MORE);
    buf[n] = 'X';
    assert_int_equal(parse(buf, n + 1, &h, &used), PROXY_DONE);
    assert_int_equal(used, n);
    assert_int_equal(h.version, 2);
    assert_string_equal(text(&h.src), "192.0.2.1:5000");
    assert_string_equal(text(&h.dst), "198.51.100.7:443");

    n = v2(buf, 0x21, 0x21, INET6, 36);
    assert_int_equal(parse(buf, n, &h, &used), PROXY_DONE);
    assert_string_equal(text(&h.src), "[2001:db8::1]:5000");
    assert_string_equal(text(&h.dst), "198.51.100.7:443"); /* mapped */

    memcpy(unix_block, "/run/client", 11);
    memcpy(unix_block + 108, "\0abstract", 9);
    n = v2(buf, 0x21, 0x31, unix_block, 216);
    assert_int_equal(parse(buf, n, &h, &used), PROXY_DONE);
    assert_int_equal(h.src.family, IP_UNIX);
    assert_true(slice_eq(h.unix_src, SLICE("/run/client")));
    assert_true(slice_eq(h.unix_dst, SLICE("\0abstract")));

    memset(unix_block, 'p', 216); /* a path that fills its field has no terminator */
    n = v2(buf, 0x21, 0x31, unix_block, 216);
    assert_int_equal(parse(buf, n, &h, &used), PROXY_DONE);
    assert_int_equal(h.unix_src.n, 108);

    /* UNSPEC and datagrams name nobody, but their TLVs count. */
    n = v2(buf, 0x21, 0x00, "\x02\x00\x01h", 4);
    assert_int_equal(parse(buf, n, &h, &used), PROXY_DONE);
    assert_int_equal(h.src.family, IP_NONE);
    assert_true(slice_eq(h.authority, SLICE("h")));
    n = v2(buf, 0x21, 0x12, INET4 "\x02\x00\x01h", 16);
    assert_int_equal(parse(buf, n, &h, &used), PROXY_DONE);
    assert_int_equal(h.src.family, IP_NONE);
    assert_true(slice_eq(h.authority, SLICE("h")));
}

static void v2_local_is_skipped_unseen(void **state)
{
    static const uint8_t families[] = {0x00, 0x11, 0x21, 0x31, 0xff};
    uint8_t buf[64];
    struct proxy_header h;
    size_t used;

    for (size_t i = 0; i < sizeof(families); i++) {
        size_t n = v2(buf, 0x20, families[i], "junk!", 5);

        assert_int_equal(parse(buf, n, &h, &used), PROXY_DONE);
        assert_int_equal(used, n);
        assert_true(h.local);
        assert_int_equal(h.src.family, IP_NONE);
    }
}

static void v2_refuses(void **state)
{
    static const struct {
        uint8_t command, family;
        const char *payload;
        size_t n;
    } no[] = {
        {0x22, 0x11, INET4, 12},
        {0x11, 0x11, INET4, 12},
        {0x31, 0x11, INET4, 12},
        {0x01, 0x11, INET4, 12},
        {0x21, 0x41, INET4, 12},
        {0x21, 0x13, INET4, 12},
        {0x21, 0x10, INET4, 12},
        {0x21, 0x01, INET4, 12},
        {0x21, 0x11, INET4, 11},
        {0x21, 0x21, INET6, 35},
        {0x21, 0x31, INET6, 36},
        {0x21, 0x12, INET4, 3},
        {0x21, 0x11, INET4 "\x01", 13},
        {0x21, 0x11, INET4 "\x01\x00", 14},
        {0x21, 0x11, INET4 "\x01\x00\x02h", 16},
        {0x21, 0x11,
         INET4 "\x03\x00\x03"
               "abc",
         18}, /* checksum of three bytes */
        {0x21, 0x11,
         INET4 "\x03\x00\x04"
               "abcd",
         19},                                                       /* wrong checksum */
        {0x21, 0x11, INET4 "\x20\x00\x04\x01\0\0\0", 19},           /* SSL block without its verify field */
        {0x21, 0x11, INET4 "\x20\x00\x07\x01\0\0\0\0\x21\x00", 22}, /* half a sub-TLV */
        {0x21, 0x11, INET4 "\x20\x00\x08\x01\0\0\0\0\x21\x00\x01", 23},
    };
    uint8_t buf[512];
    uint8_t id[3 + 12 + 129] = INET4 "\x05\x00\x81";
    struct proxy_header h;
    size_t used;

    for (size_t i = 0; i < ARRAY_LEN(no); i++) {
        size_t n = v2(buf, no[i].command, no[i].family, no[i].payload, no[i].n);

        if (parse(buf, n, &h, &used) != PROXY_BAD)
            fail_msg("row %zu was accepted", i);
    }
    assert_int_equal(parse(buf, v2(buf, 0x21, 0x11, id, sizeof(id)), &h, &used), PROXY_BAD);
    /* Refused as soon as it is seen: the command byte, the length. */
    assert_int_equal(parse(BYTES(SIG "\x23"), &h, &used), PROXY_BAD);
    assert_int_equal(parse(BYTES(SIG "\x21\x11\x3f\xf1"), &h, &used), PROXY_BAD);
    assert_int_equal(parse(BYTES(SIG "\x21\x11\x3f\xf0"), &h, &used), PROXY_MORE);
}

static void v2_reads_tlvs(void **state)
{
    static const char tlvs[] = INET4 "\x01\x00\x02h2"
                                     "\x02\x00\x0b"
                                     "example.org"
                                     "\x04\x00\x03\0\0\0"
                                     "\x05\x00\x03"
                                     "id7"
                                     "\xea\x00\x02zz"
                                     "\x04\x00\x00"
                                     "\x20\x00\x1e\x03\0\0\0\0"
                                     "\x21\x00\x07"
                                     "TLSv1.3"
                                     "\x7f\x00\x00"
                                     "\x22\x00\x03"
                                     "bob"
                                     "\x23\x00\x03"
                                     "AES";
    uint8_t buf[512];
    struct proxy_header h;
    struct slice rest;
    struct slice value;
    uint8_t type;
    size_t used;
    int count = 0;

    assert_int_equal(parse(buf, v2(buf, 0x21, 0x11, tlvs, sizeof(tlvs) - 1), &h, &used), PROXY_DONE);
    assert_true(slice_eq(h.alpn, SLICE("h2")));
    assert_true(slice_eq(h.authority, SLICE("example.org")));
    assert_true(slice_eq(h.unique_id, SLICE("id7")));
    assert_true(h.ssl.present);
    assert_int_equal(h.ssl.client, PROXY_SSL_USED | PROXY_SSL_CERT_CONN);
    assert_int_equal(h.ssl.verify, 0);
    assert_true(slice_eq(h.ssl.version, SLICE("TLSv1.3")));
    assert_true(slice_eq(h.ssl.cn, SLICE("bob")));
    assert_true(slice_eq(h.ssl.cipher, SLICE("AES")));
    rest = h.tlvs;
    while (proxy_tlv_next(&rest, &type, &value))
        count++;
    assert_int_equal(count, 7);
}

static void crc_is_the_known_one(void **state)
{
    /* CRC-32C of "123456789" is e3069283 (RFC 3720 tables); here through a header made by hand with its sum computed
     * bit by bit, independently of the code's table. */
    uint8_t buf[64];
    struct proxy_header h;
    size_t used;
    size_t n = v2(buf, 0x21, 0x11, INET4 "\x03\x00\x04\0\0\0\0", 19);
    uint32_t crc = 0xffffffff;

    for (size_t i = 0; i < n; i++) {
        crc ^= buf[i];
        for (int b = 0; b < 8; b++)
            crc = crc >> 1 ^ (crc & 1 ? 0x82f63b78 : 0);
    }
    crc = ~crc;
    for (int i = 0; i < 4; i++)
        buf[n - 4 + (size_t)i] = (uint8_t)(crc >> (24 - 8 * i));
    assert_int_equal(parse(buf, n, &h, &used), PROXY_DONE);
    assert_true(h.crc);
    buf[20] ^= 1;
    assert_int_equal(parse(buf, n, &h, &used), PROXY_BAD);
}

static struct ip_port ip(const char *z)
{
    struct addr a;
    struct ip_port out;

    assert_true(addr_parse_ip_port(slice_of(z), &a));
    addr_to_ip_port(&a, &out);
    return out;
}

static void v1_writes(void **state)
{
    struct proxy_header h = {.src = ip("192.0.2.1:5000"), .dst = ip("198.51.100.7:443")};
    uint8_t out[PROXY_V1_MAX + 1];
    size_t n = proxy_write_v1(&h, out, sizeof(out));

    assert_true(slice_eq((struct slice){(char *)out, n}, SLICE("PROXY TCP4 192.0.2.1 198.51.100.7 5000 443\r\n")));
    h.dst = ip("[2001:db8::1]:443");
    n = proxy_write_v1(&h, out, sizeof(out));
    assert_true(
        slice_eq((struct slice){(char *)out, n}, SLICE("PROXY TCP6 ::ffff:192.0.2.1 2001:db8::1 5000 443\r\n")));
    h.src.family = IP_UNIX;
    n = proxy_write_v1(&h, out, sizeof(out));
    assert_true(slice_eq((struct slice){(char *)out, n}, SLICE("PROXY UNKNOWN\r\n")));
    assert_int_equal(proxy_write_v1(&h, out, 10), 0);
}

static void v2_writes_what_it_reads(void **state)
{
    struct proxy_header h = {
        .version = 2,
        .src = ip("[2001:db8::9]:5000"),
        .dst = ip("[::1]:443"),
        .alpn = SLICE("http/1.1"),
        .authority = SLICE("vnc.example.org"),
        .unique_id = SLICE("4711"),
        .ssl = {.present = true,
                .client = 7,
                .verify = 1,
                .version = SLICE("TLSv1.3"),
                .cipher = SLICE("C"),
                .cn = SLICE("alice")},
        .crc = true,
    };
    struct proxy_header back;
    uint8_t out[512];
    size_t used;
    size_t n = proxy_write_v2(&h, out, sizeof(out));

    assert_true(n > 0);
    assert_int_equal(parse(out, n, &back, &used), PROXY_DONE);
    assert_int_equal(used, n);
    assert_string_equal(text(&back.src), "[2001:db8::9]:5000");
    assert_string_equal(text(&back.dst), "[::1]:443");
    assert_true(slice_eq(back.alpn, h.alpn));
    assert_true(slice_eq(back.authority, h.authority));
    assert_true(slice_eq(back.unique_id, h.unique_id));
    assert_int_equal(back.ssl.client, 7);
    assert_int_equal(back.ssl.verify, 1);
    assert_true(slice_eq(back.ssl.cn, h.ssl.cn));
    assert_true(back.crc);
    for (size_t cap = 0; cap < n; cap++)
        assert_int_equal(proxy_write_v2(&h, out, cap), 0);

    h.local = true;
    n = proxy_write_v2(&h, out, sizeof(out));
    assert_int_equal(n, 16);
    assert_int_equal(parse(out, n, &back, &used), PROXY_DONE);
    assert_true(back.local);

    h.local = false;
    h.src.family = h.dst.family = IP_UNIX;
    h.unix_src = SLICE("/tmp/x");
    n = proxy_write_v2(&h, out, sizeof(out));
    assert_int_equal(parse(out, n, &back, &used), PROXY_DONE);
    assert_true(slice_eq(back.unix_src, h.unix_src));
    assert_int_equal(back.unix_dst.n, 0);

    h.unique_id = (struct slice){(char *)out, 129};
    assert_int_equal(proxy_write_v2(&h, out, sizeof(out)), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(v1_accepts),
        cmocka_unit_test(v1_unknown_names_nobody),
        cmocka_unit_test(v1_refuses),
        cmocka_unit_test(v1_is_107_bytes_at_most),
        cmocka_unit_test(absent_is_not_bad),
        cmocka_unit_test(v2_accepts_each_family),
        cmocka_unit_test(v2_local_is_skipped_unseen),
        cmocka_unit_test(v2_refuses),
        cmocka_unit_test(v2_reads_tlvs),
        cmocka_unit_test(crc_is_the_known_one),
        cmocka_unit_test(v1_writes),
        cmocka_unit_test(v2_writes_what_it_reads),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
