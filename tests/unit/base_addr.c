/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the wsbridge authors */
/*
 * Addresses and blocks of them: every text that is taken comes back from formatting, and everything else is refused.
 */
#include "unit.h"

#include <arpa/inet.h>
#include <string.h>

#include "base/addr.h"

static void ip_and_port_round_trip(void **state)
{
    static const char *const good[] = {
        "192.0.2.1:80",       "0.0.0.0:1",      "255.255.255.255:65535", "[::]:443",
        "[2001:db8::1]:5900", "[fe80::1%1]:80", "[1:2:3:4:5:6:7:8]:1",
    };
    char buf[ADDR_TEXT_MAX];
    for (size_t i = 0; i < ARRAY_LEN(good); i++) {
        struct addr a, b;
        struct ip_port ip;
        assert_true(addr_parse_ip_port(slice_of(good[i]), &a));
        assert_string_equal(addr_format(&a, buf), good[i]);
        addr_to_ip_port(&a, &ip);
        assert_string_equal(ip_port_format(&ip, buf), good[i]);
        assert_true(addr_from_ip_port(&ip, &b));
        assert_int_equal(a.len, b.len);
        assert_memory_equal(&a.u, &b.u, a.len);
    }
    struct addr a;
    assert_true(addr_parse_ip_port(SLICE("[fe80::1%lo]:80"), &a));
    assert_string_equal(addr_format(&a, buf), "[fe80::1%1]:80");
    assert_true(addr_parse_ip_port(SLICE("[2001:DB8:0:0:0:0:0:1]:80"), &a));
    assert_string_equal(addr_format(&a, buf), "[2001:db8::1]:80");
    assert_true(addr_parse_ip_port(SLICE("192.0.2.1:0"), &a)); /* a port that nobody named is not told */
    assert_string_equal(addr_format(&a, buf), "192.0.2.1");
}

static void wrong_addresses_are_refused(void **state)
{
    static const char *const bad[] = {
        "",
        "192.0.2.1",
        "192.0.2.1:",
        "192.0.2.1:080",
        "192.0.2.1:65536",
        "192.0.2.1:-1",
        ":80",
        "192.0.2:80",
        "192.0.2.01:80",
        "192.0.2.256:80",
        "192.0.2.1.1:80",
        "0x7f.0.0.1:80",
        "localhost:80",
        "2001:db8::1:80",
        "[2001:db8::1]",
        "[2001:db8::1]80",
        "[2001:db8::1:80",
        "2001:db8::1]:80",
        "[192.0.2.1]:80",
        "[]:80",
        "[::%]:80",
        "[::1%nosuchif0]:80",
        "[fe80::1%0]:80",
        "[fe80::1%01]:80",
        "[[::1]]:80",
        " 192.0.2.1:80",
        "192.0.2.1:80 ",
        "192.0.2.1 :80",
        "[:::]:80",
        "[12345::]:80",
        "[::1%averyveryverylongname]:80",
    };
    struct addr a;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        if (addr_parse_ip_port(slice_of(bad[i]), &a))
            fail_msg("taken: %s", bad[i]);
    }
    assert_false(addr_parse_ip_port((struct slice){"1.2.3.4\0:80", 11}, &a));
    assert_false(addr_parse_ip((struct slice){NULL, 0}, 1, &a));
    assert_true(addr_parse_ip(SLICE("::1"), 9, &a));
    assert_true(addr_parse_ip(SLICE("[::1]"), 9, &a));
    assert_int_equal(ntohs(a.u.in6.sin6_port), 9);
    assert_false(addr_parse_ip(SLICE("[::1]:9"), 9, &a));
    assert_false(addr_parse_ip(SLICE("[1.2.3.4]"), 9, &a));
}

static void host_and_port_split(void **state)
{
    static const struct {
        const char *text, *host;
        int port; /* -1: none given, -2: refused */
    } cases[] = {
        {"localhost:5901", "localhost", 5901},
        {"localhost", "localhost", -1},
        {"[::1]:22", "::1", 22},
        {"[::1]", "::1", -1},
        {"[fe80::1%eth0]:1", "fe80::1%eth0", 1},
        {"a:0", "a", 0},
        {"", NULL, -2},
        {":80", NULL, -2},
        {"a:", NULL, -2},
        {"a:080", NULL, -2},
        {"a:65536", NULL, -2},
        {"a:b", NULL, -2},
        {"a:1:2", NULL, -2},
        {"::1", NULL, -2},
        {"[::1", NULL, -2},
        {"::1]:1", NULL, -2},
        {"[::1]x", NULL, -2},
        {"[::1]:", NULL, -2},
        {"[]", NULL, -2},
        {"[a]:1", NULL, -2},
        {"a]:1", NULL, -2},
        {"[[::1]:1", NULL, -2},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct slice host = SLICE("untouched");
        uint16_t port = 4242;
        bool ok = addr_split_host_port(slice_of(cases[i].text), &host, &port);
        if (ok != (cases[i].port != -2))
            fail_msg("%s", cases[i].text);
        assert_true(slice_eq(host, ok ? slice_of(cases[i].host) : SLICE("untouched")));
        assert_int_equal(port, cases[i].port >= 0 ? cases[i].port : 4242);
    }
}

static void unix_paths(void **state)
{
    struct addr a;
    char buf[ADDR_TEXT_MAX], path[120];
    assert_true(addr_parse_unix(SLICE("/run/x.sock"), &a));
    assert_string_equal(a.u.un.sun_path, "/run/x.sock");
    assert_string_equal(addr_format(&a, buf), "unix:/run/x.sock");
    assert_true(addr_parse_unix(SLICE("@name"), &a));
    assert_int_equal(a.len, offsetof(struct sockaddr_un, sun_path) + 5);
    assert_int_equal(a.u.un.sun_path[0], 0);
    assert_string_equal(addr_format(&a, buf), "unix:@name");
    memset(path, 'p', sizeof(path));
    assert_true(addr_parse_unix((struct slice){path, 107}, &a));
    assert_int_equal(strlen(addr_format(&a, buf)), 5 + 107);
    assert_false(addr_parse_unix((struct slice){path, 108}, &a));
    path[0] = '@';
    assert_true(addr_parse_unix((struct slice){path, 108}, &a));
    assert_int_equal(strlen(addr_format(&a, buf)), 5 + 108);
    assert_false(addr_parse_unix((struct slice){path, 109}, &a));
    assert_false(addr_parse_unix(SLICE(""), &a));
    assert_false(addr_parse_unix(SLICE("@"), &a));
    assert_false(addr_parse_unix((struct slice){"/a\0b", 4}, &a));
    a = (struct addr){.len = sizeof(sa_family_t), .u.sa.sa_family = AF_UNIX}; /* what accept(2) tells of a client */
    assert_string_equal(addr_format(&a, buf), "unix");
    struct ip_port ip;
    addr_to_ip_port(&a, &ip);
    assert_int_equal(ip.family, IP_UNIX);
    assert_string_equal(ip_port_format(&ip, buf), "unix");
    assert_false(addr_from_ip_port(&ip, &a));
    a = (struct addr){0};
    assert_string_equal(addr_format(&a, buf), "-");
}

static struct ip_port ip_of(const char *text)
{
    struct addr a;
    struct ip_port ip;
    assert_true(addr_parse_ip(slice_of(text), 0, &a));
    addr_to_ip_port(&a, &ip);
    return ip;
}

static void mapped_addresses_become_ipv4(void **state)
{
    char buf[ADDR_TEXT_MAX];
    struct ip_port a = ip_of("::ffff:192.0.2.7"), b = ip_of("192.0.2.7");
    assert_int_equal(a.family, IP_V4);
    assert_true(ip_equal(&a, &b));
    assert_string_equal(ip_format(&a, buf), "192.0.2.7");
    b.port = 9;
    assert_true(ip_equal(&a, &b));
    b = ip_of("192.0.2.8");
    assert_false(ip_equal(&a, &b));
    a = ip_of("fe80::1%1");
    b = ip_of("fe80::1%2");
    assert_false(ip_equal(&a, &b));
    assert_string_equal(ip_format(&a, buf), "fe80::1%1");
    a = ip_of("::1");
    b = ip_of("0.0.0.1");
    assert_false(ip_equal(&a, &b));
    assert_true(sizeof(struct ip_port) <= 24);
}

static void blocks_match(void **state)
{
    static const struct {
        const char *block, *ip;
        bool match;
    } cases[] = {
        {"10.0.0.0/8", "10.255.0.1", true},
        {"10.0.0.0/8", "11.0.0.0", false},
        {"0.0.0.0/0", "255.1.2.3", true},
        {"0.0.0.0/0", "::1", false},
        {"::/0", "::1", true},
        {"::/0", "1.2.3.4", false},
        {"192.0.2.1", "192.0.2.1", true},
        {"192.0.2.1", "192.0.2.0", false},
        {"192.0.2.128/25", "192.0.2.127", false},
        {"192.0.2.128/25", "192.0.2.200", true},
        {"2001:db8::/33", "2001:db8:7fff::1", true},
        {"2001:db8::/33", "2001:db8:8000::1", false},
        {"::1", "::1", true},
        {"::1/128", "::2", false},
        {"::ffff:10.0.0.0/104", "10.1.2.3", true},
        {"::ffff:10.0.0.0/104", "11.1.2.3", false},
        {"10.0.0.0/31", "10.0.0.1", true},
        {"10.0.0.0/31", "10.0.0.2", false},
        {"::ffff:0.0.0.0/96", "10.0.0.2", true},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct cidr c;
        struct ip_port ip = ip_of(cases[i].ip);
        assert_true(cidr_parse(slice_of(cases[i].block), &c));
        if (cidr_match(&c, &ip) != cases[i].match)
            fail_msg("%s %s", cases[i].block, cases[i].ip);
    }
    static const char *const bad[] = {"",
                                      "/8",
                                      "10.0.0.0/",
                                      "10.0.0.0/33",
                                      "10.0.0.1/8",
                                      "10.0.0.0/08",
                                      "10.0.0.0/-1",
                                      "10.0.0.0/8/8",
                                      "::1/129",
                                      "2001:db8::1/32",
                                      "[::1]",
                                      "fe80::%1/64",
                                      "10.0.0/8",
                                      "x/8",
                                      "10.0.0.0 /8"};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct cidr c;
        if (cidr_parse(slice_of(bad[i]), &c))
            fail_msg("taken: %s", bad[i]);
    }
    struct ip_port unix_peer = {.family = IP_UNIX};
    struct cidr any;
    assert_true(cidr_parse(SLICE("0.0.0.0/0"), &any));
    assert_false(cidr_match(&any, &unix_peer));
}

static void listeners_collide(void **state)
{
    static const struct {
        const char *a, *b;
        bool collide;
    } cases[] = {
        {"127.0.0.1:80", "127.0.0.1:80", true},
        {"127.0.0.1:80", "127.0.0.1:81", false},
        {"127.0.0.1:80", "127.0.0.2:80", false},
        {"0.0.0.0:80", "127.0.0.1:80", true},
        {"0.0.0.0:80", "0.0.0.0:80", true},
        {"0.0.0.0:80", "127.0.0.1:81", false},
        {"[::]:80", "[::]:80", true},
        {"[::]:80", "[::1]:80", true},
        {"[::1]:80", "[::1]:80", true},
        {"[::1]:80", "[::2]:80", false},
        {"[::1]:80", "127.0.0.1:80", false},
        {"[::1]:80", "0.0.0.0:80", false},
        {"[::]:80", "127.0.0.1:80", true},
        {"[::]:80", "0.0.0.0:80", false}, /* the one that parts them */
        {"unix:/a", "unix:/a", true},
        {"unix:/a", "unix:/b", false},
        {"unix:/a", "[::]:80", false},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct addr v[2];
        const char *text[] = {cases[i].a, cases[i].b};
        for (size_t j = 0; j < 2; j++)
            assert_true(strncmp(text[j], "unix:", 5) ? addr_parse_ip_port(slice_of(text[j]), &v[j])
                                                     : addr_parse_unix(slice_of(text[j] + 5), &v[j]));
        if (addr_collide(&v[0], &v[1]) != cases[i].collide || addr_collide(&v[1], &v[0]) != cases[i].collide)
            fail_msg("%s and %s", text[0], text[1]);
    }
}

static void loopback_addresses(void **state)
{
    static const struct {
        const char *text;
        bool is;
    } cases[] = {
        {"127.0.0.1:80", true}, {"127.255.0.9:1", true}, {"[::1]:80", true},  {"128.0.0.1:80", false},
        {"0.0.0.0:80", false},  {"[::]:80", false},      {"[::2]:80", false},
    };
    struct addr a;

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        assert_true(addr_parse_ip_port(slice_of(cases[i].text), &a));
        assert_int_equal(addr_is_loopback(&a), cases[i].is);
    }
    assert_true(addr_parse_unix(slice_of("/run/x"), &a));
    assert_false(addr_is_loopback(&a));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(loopback_addresses),
        cmocka_unit_test(ip_and_port_round_trip),
        cmocka_unit_test(wrong_addresses_are_refused),
        cmocka_unit_test(host_and_port_split),
        cmocka_unit_test(unix_paths),
        cmocka_unit_test(mapped_addresses_become_ipv4),
        cmocka_unit_test(blocks_match),
        cmocka_unit_test(listeners_collide),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
