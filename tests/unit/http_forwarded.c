/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the wsbridge authors */
/*
 * The client's true address: one table of requests, their peer, and who they are.
 */
#include "unit.h"

#include <stdio.h>

#include "http/forwarded.h"

static struct ip_port ip(const char *z)
{
    struct addr a;
    struct ip_port out = {.family = IP_UNIX};

    if (strcmp(z, "unix") == 0)
        return out;
    assert_true(addr_parse_ip(slice_of(z), 0, &a));
    addr_to_ip_port(&a, &out);
    return out;
}

/* Fields as "name: value\n" lines. */
static void head_of(const char *text, struct http_head *h)
{
    struct slice rest = slice_of(text);
    struct slice line;

    memset(h, 0, sizeof(*h));
    while (slice_cut(&rest, '\n', &line)) {
        ptrdiff_t colon = slice_find(line, ':');

        if (colon < 0)
            continue;
        h->fields[h->n_fields++] = (struct http_field){
            .name = {line.p, (size_t)colon},
            .value = slice_trim((struct slice){line.p + colon + 1, line.n - (size_t)colon - 1}),
        };
    }
}

static enum forwarded_result read_text(const char *peer, const char *text, unsigned accept, struct forwarded *out)
{
    static const char *const nets[] = {"127.0.0.1", "10.0.0.0/8", "::1", "2001:db8:ff::/48"};
    struct cidr v[ARRAY_LEN(nets)];
    struct forwarded_trust t = {.v = v, .n = ARRAY_LEN(nets), .unix_peers = true};
    struct ip_port who = ip(peer);
    static struct http_head h;
    enum forwarded_result r;

    for (size_t i = 0; i < ARRAY_LEN(nets); i++)
        assert_true(cidr_parse(slice_of(nets[i]), &v[i]));
    head_of(text, &h);
    r = forwarded_read(&h, &who, &t, accept, out);
    assert_true((r == FORWARDED_BAD) == (out->why != NULL));
    return r;
}

static void finds_the_client(void **state)
{
    static const struct {
        const char *peer, *head;
        const char *client; /* NULL: none; "none": FORWARDED_NONE; "bad": refused */
    } rows[] = {
        /* Nobody trusted, nothing said. */
        {"192.0.2.1", "X-Forwarded-For: 1.2.3.4", "none"},
        {"192.0.2.1", "Forwarded: garbage \"", "none"},
        {"127.0.0.1", "Host: x", "none"},
        {"127.0.0.1", "X-Forwarded-For:", "none"},
        {"127.0.0.1", "X-Forwarded-For: ,, ,", "none"},
        {"127.0.0.1", "Forwarded:", "none"},
        {"127.0.0.1", "Forwarded: , ;", "none"},
        /* One hop, each way to write it. */
        {"127.0.0.1", "X-Forwarded-For: 192.0.2.9", "192.0.2.9"},
        {"unix", "X-Forwarded-For: 192.0.2.9", "192.0.2.9"},
        {"::1", "x-forwarded-for: 192.0.2.9:4000", "192.0.2.9:4000"},
        {"::1", "X-Forwarded-For: 2001:db8::7", "[2001:db8::7]"},
        {"::1", "X-Forwarded-For: [2001:db8::7]", "[2001:db8::7]"},
        {"::1", "X-Forwarded-For: [2001:db8::7]:80", "[2001:db8::7]:80"},
        {"::1", "X-Forwarded-For: ::ffff:192.0.2.9", "192.0.2.9"},
        {"127.0.0.1", "Forwarded: for=192.0.2.9", "192.0.2.9"},
        {"127.0.0.1", "Forwarded: For=\"192.0.2.9:4000\"", "192.0.2.9:4000"},
        {"127.0.0.1", "Forwarded: for=192.0.2.9:4000", "192.0.2.9:4000"},
        {"127.0.0.1", "Forwarded: for=\"[2001:db8::7]:80\"", "[2001:db8::7]:80"},
        {"127.0.0.1", "Forwarded: for=\"[2001:db8::7]:_p\"", "[2001:db8::7]"},
        {"127.0.0.1", "Forwarded: by=_me;for=192.0.2.9;x=\"a,b;\\\"c\"", "192.0.2.9"},
        {"127.0.0.1", "Forwarded: ;; for=192.0.2.9 ; by=x ,", "192.0.2.9"},
        /* From the right: what the client wrote itself does not count, not even when it is broken. */
        {"127.0.0.1", "X-Forwarded-For: 8.8.8.8, 192.0.2.9", "192.0.2.9"},
        {"127.0.0.1", "X-Forwarded-For: \"><script>, 192.0.2.9", "192.0.2.9"},
        {"127.0.0.1", "X-Forwarded-For: 127.0.0.1\nX-Forwarded-For: 192.0.2.9", "192.0.2.9"},
        {"127.0.0.1", "X-Forwarded-For: 8.8.8.8, 192.0.2.9, 10.1.1.1, 10.2.2.2", "192.0.2.9"},
        {"127.0.0.1", "X-Forwarded-For: 8.8.8.8\nX-Forwarded-For: 192.0.2.9,10.1.1.1", "192.0.2.9"},
        {"127.0.0.1", "Forwarded: for=8.8.8.8, for=192.0.2.9", "192.0.2.9"},
        {"127.0.0.1", "Forwarded: for=8.8.8.8\nForwarded: for=192.0.2.9, for=10.0.0.1", "192.0.2.9"},
        /* All of them trusted: the leftmost is as far as anybody knows. */
        {"127.0.0.1", "X-Forwarded-For: 10.1.1.1, 10.2.2.2", "10.1.1.1"},
        /* Hidden: the last one known. */
        {"127.0.0.1", "X-Forwarded-For: unknown", NULL},
        {"127.0.0.1", "Forwarded: for=_hidden", NULL},
        {"127.0.0.1", "Forwarded: for=\"_hidden:80\"", NULL},
        {"127.0.0.1", "Forwarded: proto=https", NULL},
        {"127.0.0.1", "X-Forwarded-For: 8.8.8.8, unknown, 10.2.2.2", "10.2.2.2"},
        {"127.0.0.1", "Forwarded: for=8.8.8.8, proto=http, for=10.2.2.2", "10.2.2.2"},
        /* Broken where it counts. */
        {"127.0.0.1", "X-Forwarded-For: 8.8.8.8, nobody", "bad"},
        {"127.0.0.1", "X-Forwarded-For: 192.0.2.9:", "bad"},
        {"127.0.0.1", "X-Forwarded-For: 192.0.2.9:65536", "bad"},
        {"127.0.0.1", "X-Forwarded-For: 192.0.2.09", "bad"},
        {"127.0.0.1", "X-Forwarded-For: [192.0.2.9]", "bad"},
        {"127.0.0.1", "X-Forwarded-For: [::1", "bad"},
        {"127.0.0.1", "X-Forwarded-For: []", "bad"},
        {"127.0.0.1", "X-Forwarded-For: [::1]x", "bad"},
        {"127.0.0.1", "X-Forwarded-For: [[::1]]", "bad"},
        {"127.0.0.1", "X-Forwarded-For: fe80::1%lo", "bad"},
        {"127.0.0.1", "X-Forwarded-For: for=192.0.2.9", "bad"},
        {"127.0.0.1", "Forwarded: for", "bad"},
        {"127.0.0.1", "Forwarded: for=", "bad"},
        {"127.0.0.1", "Forwarded: for=\"\"", "bad"},
        {"127.0.0.1", "Forwarded: for=192.0.2.9;for=192.0.2.8", "bad"},
        {"127.0.0.1", "Forwarded: for=\"192.0.2.9", "bad"},
        {"127.0.0.1", "Forwarded: for=\"192.0.2.9\\\"", "bad"},
        {"127.0.0.1", "Forwarded: for=\"192.0.2\\.9\"", "bad"},
        {"127.0.0.1", "Forwarded: for=192.0.2.9 by=x", "bad"},
        {"127.0.0.1", "Forwarded: for =192.0.2.9", "bad"},
        {"127.0.0.1", "Forwarded: =x", "bad"},
        /* A client's open quote must not swallow what the proxy appends unseen: it is refused. */
        {"127.0.0.1", "Forwarded: for=\"8.8.8.8, for=192.0.2.9", "bad"},
        /* Both forms. */
        {"127.0.0.1", "Forwarded: for=192.0.2.9\nX-Forwarded-For: 192.0.2.9:77", "192.0.2.9:77"},
        {"127.0.0.1", "Forwarded: for=192.0.2.9;proto=https\nX-Forwarded-Proto: https", "192.0.2.9"},
        {"127.0.0.1", "Forwarded: for=8.8.8.8\nX-Forwarded-For: 192.0.2.9", "bad"},
        {"127.0.0.1", "Forwarded: for=_x\nX-Forwarded-For: 192.0.2.9", "bad"},
        {"127.0.0.1", "Forwarded: proto=http\nX-Forwarded-Proto: https", "bad"},
        {"127.0.0.1", "Forwarded: host=a\nX-Forwarded-Host: b", "bad"},
    };
    struct forwarded f;
    char text[ADDR_TEXT_MAX];

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        enum forwarded_result r = read_text(rows[i].peer, rows[i].head, FORWARDED_BOTH, &f);
        const char *got = r == FORWARDED_NONE  ? "none"
                          : r == FORWARDED_BAD ? "bad"
                          : f.has_client       ? ip_port_format(&f.client, text)
                                               : "(hidden)";

        if (strcmp(got, rows[i].client ? rows[i].client : "(hidden)") != 0)
            fail_msg("%s gives %s", rows[i].head, got);
    }
}

static void follows_the_hop(void **state)
{
    static const struct {
        const char *head;
        int secure; /* -1: not told */
        const char *host;
        uint16_t port;
    } rows[] = {
        {"X-Forwarded-Proto: https", 1, NULL, 0},
        {"X-Forwarded-Proto: WSS", 1, NULL, 0},
        {"X-Forwarded-Proto: http", 0, NULL, 0},
        {"X-Forwarded-Proto: ws", 0, NULL, 0},
        {"X-Forwarded-Proto: tcp", -1, NULL, 0},
        {"X-Forwarded-Host: example.org:8443", -1, "example.org", 8443},
        /* The proxy appends: the client's own word is on the left. */
        {"X-Forwarded-For: 192.0.2.9\nX-Forwarded-Proto: https, http", 0, NULL, 0},
        {"X-Forwarded-Proto: https, http", 0, NULL, 0},
        {"X-Forwarded-Host: evil, good", -1, "good", 0},
        /* Two proxies: the outer one's word is the second from the right. */
        {"X-Forwarded-For: 192.0.2.9, 10.1.1.1\nX-Forwarded-Proto: https, http", 1, NULL, 0},
        /* Two proxies, one of which sets rather than appends. */
        {"X-Forwarded-For: 192.0.2.9, 10.1.1.1\nX-Forwarded-Proto: https", 1, NULL, 0},
        {"Forwarded: for=8.8.8.8;proto=https;host=evil, for=192.0.2.9;proto=http;host=good", 0, "good", 0},
        {"Forwarded: for=192.0.2.9;proto=https;host=\"good:81\", for=10.1.1.1;proto=http;host=inner", 1, "good", 81},
        {"Forwarded: for=192.0.2.9, for=10.1.1.1;proto=https", -1, NULL, 0},
        {"Forwarded: for=192.0.2.9\nX-Forwarded-Proto: https\nX-Forwarded-Host: h", 1, "h", 0},
    };
    struct forwarded f;

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        assert_int_equal(read_text("127.0.0.1", rows[i].head, FORWARDED_BOTH, &f), FORWARDED_OK);
        if ((f.has_secure ? (int)f.secure : -1) != rows[i].secure)
            fail_msg("%s: wrong scheme", rows[i].head);
        if (f.has_host != (rows[i].host != NULL) ||
            (f.has_host && (!slice_eq(f.host.host, slice_of(rows[i].host)) || f.host.port != rows[i].port)))
            fail_msg("%s: wrong host", rows[i].head);
    }
    assert_int_equal(read_text("127.0.0.1", "X-Forwarded-Host: a b", FORWARDED_BOTH, &f), FORWARDED_BAD);
    assert_int_equal(read_text("127.0.0.1", "Forwarded: host=\"u@h\"", FORWARDED_BOTH, &f), FORWARDED_BAD);
}

static void listens_to_the_named_form_alone(void **state)
{
    const char *both = "Forwarded: for=8.8.8.8\nX-Forwarded-For: 192.0.2.9";
    struct forwarded f;
    char text[ADDR_TEXT_MAX];

    assert_int_equal(read_text("127.0.0.1", both, FORWARDED_X, &f), FORWARDED_OK);
    assert_string_equal(ip_format(&f.client, text), "192.0.2.9");
    assert_int_equal(read_text("127.0.0.1", both, FORWARDED_RFC7239, &f), FORWARDED_OK);
    assert_string_equal(ip_format(&f.client, text), "8.8.8.8");
    assert_int_equal(read_text("127.0.0.1", both, 0, &f), FORWARDED_NONE);
}

static void bounds_the_walk(void **state)
{
    char text[4096];
    struct forwarded f;
    char buf[ADDR_TEXT_MAX];
    int n = snprintf(text, sizeof(text), "X-Forwarded-For: 192.0.2.9");

    for (int i = 0; i < 31; i++)
        n += snprintf(text + n, sizeof(text) - (size_t)n, ", 10.0.0.%d", i);
    assert_int_equal(read_text("127.0.0.1", text, FORWARDED_BOTH, &f), FORWARDED_OK);
    assert_string_equal(ip_format(&f.client, buf), "192.0.2.9");
    n += snprintf(text + n, sizeof(text) - (size_t)n, ", 10.0.0.31");
    assert_int_equal(read_text("127.0.0.1", text, FORWARDED_BOTH, &f), FORWARDED_BAD);
    /* A flood from the client to the left of its own address changes nothing. */
    n += snprintf(text + n, sizeof(text) - (size_t)n, ", 192.0.2.8");
    assert_int_equal(read_text("127.0.0.1", text, FORWARDED_BOTH, &f), FORWARDED_OK);
    assert_string_equal(ip_format(&f.client, buf), "192.0.2.8");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(finds_the_client),
        cmocka_unit_test(follows_the_hop),
        cmocka_unit_test(listens_to_the_named_form_alone),
        cmocka_unit_test(bounds_the_walk),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
