/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the wsbridge authors */
/* How a target is written, and a service's options. */
#include "unit.h"

#include <stdio.h>
#include <string.h>

#include "upstream/service.h"

struct good {
    const char *text;
    enum target_kind kind;
    const char *shown; /* host for a name, address for an address */
    uint16_t port;
};

static const struct good good[] = {
    {"db.example:5432", TARGET_NAME, "db.example", 5432},
    {"localhost:5901", TARGET_NAME, "localhost", 5901},
    {"my_host-1.:22", TARGET_NAME, "my_host-1.", 22},
    {"a1:65535", TARGET_NAME, "a1", 65535},
    {"127.0.0.1:1", TARGET_ADDR, "127.0.0.1:1", 1},
    {"[::1]:5900", TARGET_ADDR, "[::1]:5900", 5900},
    {"[2001:db8::5]:80", TARGET_ADDR, "[2001:db8::5]:80", 80},
    {"unix:/run/x.sock", TARGET_ADDR, "unix:/run/x.sock", 0},
    {"unix:@name", TARGET_ADDR, "unix:@name", 0},
    {"builtin:echo", TARGET_ECHO, NULL, 0},
    {"builtin:discard", TARGET_DISCARD, NULL, 0},
};

static void test_targets(void **state)
{
    struct arena *a = arena_new(0);
    for (size_t i = 0; i < ARRAY_LEN(good); i++) {
        char mem[256], shown[ADDR_TEXT_MAX];
        struct strbuf why;
        struct target t;
        strbuf_init(&why, mem, sizeof(mem));
        if (!target_parse(a, slice_of(good[i].text), &t, &why))
            fail_msg("%s: %s", good[i].text, mem);
        assert_int_equal(t.kind, good[i].kind);
        assert_string_equal(t.text, good[i].text);
        assert_int_equal(t.port, good[i].port);
        if (t.kind == TARGET_NAME)
            assert_string_equal(t.host, good[i].shown);
        if (t.kind == TARGET_ADDR)
            assert_string_equal(addr_format(&t.addr, shown), good[i].shown);
    }
    arena_free(a);
}

static const struct {
    const char *text, *why;
} bad[] = {
    {"", "the target is empty: write host:port"},
    {"5901", "a target needs a host: write 127.0.0.1:5901"},
    {"host", "\"host\" has no port: write host:port"},
    {"[::1]", "\"[::1]\" has no port: write host:port"},
    {"host:0", "\"host:0\" has no port: write host:port"},
    {"host:65536", "\"host:65536\" is not host:port with a port from 1 to 65535"},
    {"host:80x", "\"host:80x\" is not host:port with a port from 1 to 65535"},
    {"host:", "\"host:\" is not host:port with a port from 1 to 65535"},
    {":80", "\":80\" is not host:port with a port from 1 to 65535"},
    {"::1:5900", "write an IPv6 address in brackets: [::1]:5900"},
    {"[fe80::zz]:80", "\"fe80::zz\" is not an IPv6 address"},
    {"10.0.0.300:80", "\"10.0.0.300\" is not an IP address"},
    {"10.1:80", "\"10.1\" is not an IP address"},
    {"host..example:80", "\"host..example\" is not a host name"},
    {"*:80", "\"*\" is not a host name"},
    {"user@host:80", "\"user@host\" is not a host name"},
    {"tcp://host:80", "write host:port without \"tcp://\""},
    {"http://host", "write host:port without \"http://\""},
    {"unix:", "unix: is followed by a path from the root, or by @ and an abstract name"},
    {"unix:run/x", "unix: is followed by a path from the root, or by @ and an abstract name"},
    {"builtin:ecko", "no builtin \"ecko\": there are builtin:echo and builtin:discard"},
    {"builtin:", "no builtin \"\": there are builtin:echo and builtin:discard"},
};

static void refused(struct slice text, const char *reason)
{
    struct arena *a = arena_new(0);
    char mem[512];
    struct strbuf why;
    struct target t;
    strbuf_init(&why, mem, sizeof(mem));
    if (target_parse(a, text, &t, &why))
        fail_msg("taken: " SLICE_FMT, SLICE_ARG(text));
    assert_string_equal(mem, reason);
    arena_free(a);
}

static void test_targets_refused(void **state)
{
    char longer[300];
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        refused(slice_of(bad[i].text), bad[i].why);
    memset(longer, 'a', sizeof(longer));
    for (size_t i = 50; i < 256; i += 50)
        longer[i] = '.';
    memcpy(longer + 254, ":80", 3);
    refused((struct slice){longer, 257}, "the host name is longer than 253 characters");
    memcpy(longer, "unix:/", 6);
    refused((struct slice){longer, 200}, "the path of a unix socket has at most 107 characters");
}

/* --- the table -----------------------------------------------------------------------------------------------------
 */

static void collect(void *arg, struct slice text)
{
    strbuf_put(arg, text);
}

static size_t read_services(const char *yaml, struct service *out, char *text, size_t cap)
{
    static struct arena *a;
    arena_free(a);
    a = arena_new(0);
    struct cfg_load *l = cfg_load_new(a);
    const struct cfg_node *n = cfg_load_text(l, "t.yaml", slice_of(yaml));
    struct strbuf b;
    strbuf_init(&b, text, cap);
    if (n)
        cfg_read(l, &service_table, cfg_node_get(n, "s") ? cfg_node_get(n, "s") : n, out);
    size_t errors = cfg_error_count(l);
    cfg_errors_print(l, false, collect, &b);
    cfg_load_free(l);
    return errors;
}

static void test_table(void **state)
{
    struct service s;
    char text[4096];
    assert_int_equal(
        read_services("to: 127.0.0.1:80\nsubprotocols: [mqtt, binary]\nconnect_timeout: 3s\nlimits: {message: 1MiB}\n",
                      &s, text, sizeof(text)),
        0);
    assert_int_equal(s.to.kind, TARGET_ADDR);
    assert_int_equal(s.subprotocols.n, 2);
    assert_string_equal(s.subprotocols.v[0], "mqtt");
    assert_true(s.connect_timeout == 3.0);
    assert_int_equal(s.limits.message, 1 << 20);

    assert_int_equal(read_services("s: builtin:echo\n", &s, text, sizeof(text)), 0); /* the short form */
    assert_int_equal(s.to.kind, TARGET_ECHO);
    assert_true(s.connect_timeout == 0);
}

static void test_table_errors(void **state)
{
    struct service s;
    char text[4096];
    assert_int_equal(read_services("to: tcp://host:80\n", &s, text, sizeof(text)), 1);
    assert_non_null(strstr(text, "t.yaml:1:5: error: "));
    assert_non_null(strstr(text, "write host:port without \"tcp://\""));
    assert_int_equal(read_services("subprotocols: [mqtt]\n", &s, text, sizeof(text)), 1); /* no `to` */
    assert_int_equal(read_services("to: {host: a}\n", &s, text, sizeof(text)), 1);
    assert_int_equal(read_services("to: a:1\nsubprotocols: [mqtt, \"a b\", \"\", mqtt]\n", &s, text, sizeof(text)), 3);
    assert_non_null(strstr(text, "\"a b\" cannot be the name of a subprotocol"));
    assert_non_null(strstr(text, "subprotocol \"mqtt\" is given twice"));
    assert_int_equal(read_services("to: a:1\nconnect_timeout: 0s\n", &s, text, sizeof(text)), 1);
}

static void test_effective(void **state)
{
    struct service s;
    char text[4096], out[4096];
    struct strbuf b;
    assert_int_equal(read_services("to: \"[::1]:80\"\n", &s, text, sizeof(text)), 0);
    strbuf_init(&b, out, sizeof(out));
    cfg_print_effective(&service_table, &s, collect, &b);
    if (!strstr(out, "to: \"[::1]:80\""))
        fail_msg("%s", out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_targets),      cmocka_unit_test(test_targets_refused), cmocka_unit_test(test_table),
        cmocka_unit_test(test_table_errors), cmocka_unit_test(test_effective),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
