/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the wsbridge authors */
/* Origin policy: who may open a WebSocket, by every kind of Origin and policy. */
#include "unit.h"

#include <stdio.h>

#include "route/route.h"

enum { OK = ORIGIN_OK, FOREIGN = ORIGIN_FOREIGN, MALFORMED = ORIGIN_MALFORMED };

static const char *const patterns[] = {"https://app.example.org", "https://*.wild.example", "http://dev.test:3000"};

static struct route make_route(const char *policy)
{
    struct route r = {.path = "/"};
    r.origin_same = strstr(policy, "same") != NULL;
    r.origin_any = strstr(policy, "any") != NULL;
    if (strstr(policy, "list"))
        r.origins = (struct cfg_strings){.n = ARRAY_LEN(patterns), .v = (const char **)patterns};
    return r;
}

/* `lines`: the header fields of the request besides Host. */
static enum origin_verdict check(const char *policy, bool secure, const char *host, const char *lines)
{
    static const char *const words[] = {"same", "any"}; /* stand in the list and match nothing by themselves */
    struct route r = make_route(policy);
    if (!r.origins.n)
        r.origins = (struct cfg_strings){.n = ARRAY_LEN(words), .v = (const char **)words};
    char text[1000];
    int n = snprintf(text, sizeof(text), "GET / HTTP/1.1\r\nHost: %s\r\n%s\r\n", host, lines);
    struct http_parser parser;
    struct http_head head;
    struct http_bad bad;
    struct http_authority authority;
    size_t used;
    http_parser_init(&parser, sizeof(text));
    assert_int_equal(http_head_parse(&parser, text, (size_t)n, &head, &used, &bad), HTTP_PARSE_DONE);
    assert_true(http_authority_parse(head.authority, &authority));
    return route_check_origin(&r, &head, secure, &authority);
}

static void test_same(void **state)
{
    static const struct {
        bool secure;
        const char *host;
        const char *origin;
        int want;
    } cases[] = {
        {false, "desk.test", "http://desk.test", OK},
        {false, "desk.test", "http://desk.test:80", OK},
        {false, "desk.test:80", "http://desk.test", OK},
        {false, "desk.test:6080", "http://desk.test:6080", OK},
        {false, "Desk.TEST:6080", "http://desk.test:6080", OK},
        {true, "desk.test", "https://desk.test", OK},
        {true, "desk.test:443", "https://desk.test", OK},
        {true, "desk.test:8443", "https://desk.test:8443", OK},
        {false, "[::1]:6080", "http://[::1]:6080", OK},
        {false, "127.0.0.1:6080", "http://127.0.0.1:6080", OK},
        {false, "desk.test", "https://desk.test", FOREIGN}, /* another scheme */
        {true, "desk.test", "http://desk.test", FOREIGN},
        {false, "desk.test:443", "https://desk.test", FOREIGN}, /* the port alone is not it */
        {true, "desk.test:80", "http://desk.test", FOREIGN},
        {false, "desk.test", "http://desk.test:6080", FOREIGN},
        {false, "desk.test:6080", "http://desk.test", FOREIGN},
        {false, "desk.test:6080", "http://desk.test:6081", FOREIGN},
        {false, "desk.test", "http://evil.test", FOREIGN},
        {false, "desk.test", "http://desk.test.evil.test", FOREIGN},
        {false, "desk.test", "http://evil-desk.test", FOREIGN},
        {false, "desk.test", "http://a.desk.test", FOREIGN},
        {false, "a.desk.test", "http://desk.test", FOREIGN},
        {false, "localhost:6080", "http://127.0.0.1:6080", FOREIGN}, /* names are compared, not what they mean */
        {false, "desk.test", "http://desk", FOREIGN},
        {false, "desk.test", "null", FOREIGN},
        {false, "desk.test", "file://", FOREIGN},
        {false, "desk.test", "chrome-extension://abcdef", FOREIGN},
        {false, "desk.test", "ws://desk.test", FOREIGN},
        {false, "desk.test", "http://app.example.org", FOREIGN},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char line[200];
        snprintf(line, sizeof(line), "Origin: %s\r\n", cases[i].origin);
        int got = check("same", cases[i].secure, cases[i].host, line);
        if (got != cases[i].want)
            fail_msg("%s for %s: %d", cases[i].origin, cases[i].host, got);
    }
}

static void test_list(void **state)
{
    static const struct {
        const char *origin;
        int want;
    } cases[] = {
        {"https://app.example.org", OK},
        {"https://app.example.org:443", OK},
        {"https://a.wild.example", OK},
        {"https://a.b.wild.example", OK},
        {"http://dev.test:3000", OK},
        {"http://app.example.org", FOREIGN},
        {"https://app.example.org:8443", FOREIGN},
        {"https://example.org", FOREIGN},
        {"https://wild.example", FOREIGN}, /* the bare name is not below itself */
        {"https://evilwild.example", FOREIGN},
        {"https://a.wild.example.evil.test", FOREIGN},
        {"http://a.wild.example", FOREIGN},
        {"http://dev.test", FOREIGN},
        {"http://desk.test", FOREIGN}, /* its own, but `same` is not in the list */
        {"null", FOREIGN},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char line[200];
        snprintf(line, sizeof(line), "Origin: %s\r\n", cases[i].origin);
        int got = check("list", false, "desk.test", line);
        if (got != cases[i].want)
            fail_msg("%s: %d", cases[i].origin, got);
    }
    assert_int_equal(check("same list", false, "desk.test", "Origin: http://desk.test\r\n"), OK);
    assert_int_equal(check("same list", false, "desk.test", "Origin: https://app.example.org\r\n"), OK);
    assert_int_equal(check("same list", false, "desk.test", "Origin: https://evil.test\r\n"), FOREIGN);
}

static void test_no_origin_passes(void **state)
{
    assert_int_equal(check("same", false, "desk.test", ""), OK);
    assert_int_equal(check("list", false, "desk.test", ""), OK);
    assert_int_equal(check("", false, "desk.test", ""), OK);
    assert_int_equal(check("", false, "desk.test", "Sec-WebSocket-Origin: http://evil.test\r\n"), OK);
    assert_int_equal(check("", false, "desk.test", "Origin: http://desk.test\r\n"), FOREIGN); /* an empty list */
}

static void test_any(void **state)
{
    static const char *const ok[] = {"http://evil.test", "https://x.test:1",          "null",
                                     "file://",          "moz-extension://0a1b-2c3d", "capacitor://localhost"};
    for (size_t i = 0; i < ARRAY_LEN(ok); i++) {
        char line[200];
        snprintf(line, sizeof(line), "Origin: %s\r\n", ok[i]);
        assert_int_equal(check("any", false, "desk.test", line), OK);
    }
}

/* Refused whatever the policy is. */
static void test_malformed(void **state)
{
    static const char *const lines[] = {
        "Origin: http://desk.test\r\nOrigin: http://desk.test\r\n",
        "Origin: http://desk.test\r\norigin: null\r\n",
        "Origin: http://desk.test, http://evil.test\r\n",
        "Origin: http://desk.test http://evil.test\r\n",
        "Origin: \r\n",
        "Origin: desk.test\r\n",
        "Origin: //desk.test\r\n",
        "Origin: ://desk.test\r\n",
        "Origin: 1http://desk.test\r\n",
        "Origin: http:/desk.test\r\n",
        "Origin: http:desk.test\r\n",
        "Origin: *\r\n",
        "Origin: NULL\r\n",
        "Origin: undefined\r\n",
        "Origin: http://d\xc3\xa9sk.test\r\n",
    };
    static const char *const policies[] = {"same", "list", "any", ""};
    for (size_t i = 0; i < ARRAY_LEN(lines); i++)
        for (size_t k = 0; k < ARRAY_LEN(policies); k++)
            if (check(policies[k], false, "desk.test", lines[i]) != ORIGIN_MALFORMED)
                fail_msg("%s (%s)", lines[i], policies[k]);
    static const char *const web[] = {
        "Origin: http://desk.test/\r\n",
        "Origin: http://desk.test/path\r\n",
        "Origin: http://user@desk.test\r\n",
        "Origin: http://desk.test:\r\n",
        "Origin: http://desk.test:99999\r\n",
        "Origin: http://\r\n",
        "Origin: http://desk.test?q\r\n",
        "Origin: http://desk.test#f\r\n",
        "Origin: http://:80\r\n",
        "Origin: http://desk.test:80:80\r\n",
        "Origin: http://[::1\r\n",
    };
    for (size_t i = 0; i < ARRAY_LEN(web); i++)
        if (check("same list", false, "desk.test", web[i]) != ORIGIN_MALFORMED)
            fail_msg("%s", web[i]);
}

/* HTTP/1.0 may come without Host: nothing is the same as nothing. */
static void test_no_authority(void **state)
{
    struct route r = make_route("same");
    struct http_authority none = {SLICE(""), 0};
    struct http_head head = {.n_fields = 1};
    head.fields[0] = (struct http_field){SLICE("Origin"), SLICE("http://desk.test")};
    assert_int_equal(route_check_origin(&r, &head, false, &none), ORIGIN_FOREIGN);
    head.n_fields = 0;
    assert_int_equal(route_check_origin(&r, &head, false, &none), ORIGIN_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_same), cmocka_unit_test(test_list),      cmocka_unit_test(test_no_origin_passes),
        cmocka_unit_test(test_any),  cmocka_unit_test(test_malformed), cmocka_unit_test(test_no_authority),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
