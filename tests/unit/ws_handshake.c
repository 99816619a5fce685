/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the wsbridge authors */
/*
 * The opening handshake over heads that the real parser has parsed: each rule broken alone, spellings that must pass,
 * and the choice of a subprotocol.
 */
#include "unit.h"

#include <stdio.h>

#include "ws/handshake.h"

static char text[4096];
static struct http_head head;

/* `lines`: header lines, each with its CRLF. */
static void parse(const char *request_line, const char *lines)
{
    struct http_parser p;
    struct http_bad bad;
    size_t used;
    int n = snprintf(text, sizeof(text), "%s\r\nHost: h\r\n%s\r\n", request_line, lines);

    assert_true(n > 0 && n < (int)sizeof(text));
    http_parser_init(&p, sizeof(text));
    assert_int_equal(http_head_parse(&p, text, n, &head, &used, &bad), HTTP_PARSE_DONE);
}

#define GET "GET /chat HTTP/1.1"
#define UPGRADE "Upgrade: websocket\r\nConnection: Upgrade\r\n"
#define VERSION "Sec-WebSocket-Version: 13\r\n"
#define KEY "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"

static int check(const char *request_line, const char *lines, struct ws_handshake *out)
{
    const char *why = NULL;
    int status;

    parse(request_line, lines);
    memset(out, 0, sizeof(*out));
    status = ws_handshake_check(&head, out, &why);
    assert_int_equal(status == 0, why == NULL);
    return status;
}

static void the_example_of_the_rfc(void **state)
{
    struct ws_handshake out;

    assert_int_equal(check(GET, UPGRADE VERSION KEY, &out), 0);
    assert_string_equal(out.accept, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
}

static void spellings_that_pass(void **state)
{
    static const char *const good[] = {
        "UPGRADE: WebSocket\r\nCONNECTION: uPgRaDe\r\n" VERSION KEY,
        "upgrade: websocket\r\nconnection: keep-alive, Upgrade\r\n" VERSION KEY,
        "Upgrade: h2c, websocket\r\nConnection: keep-alive\r\nConnection:Upgrade\r\n" VERSION KEY,
        UPGRADE "sec-websocket-version:13\r\nsec-websocket-key:dGhlIHNhbXBsZSBub25jZQ==  \r\n",
        UPGRADE "SEC-WEBSOCKET-VERSION: \t13\t\r\n" KEY,
        UPGRADE VERSION KEY "Content-Length: 0\r\n",
        UPGRADE VERSION KEY "Origin: null\r\nSec-WebSocket-Extensions: permessage-deflate\r\nX: y\r\n",
        UPGRADE VERSION "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n",
    };
    struct ws_handshake out;

    for (size_t i = 0; i < ARRAY_LEN(good); i++) {
        if (check(GET, good[i], &out) != 0)
            fail_msg("%s", good[i]);
        assert_int_equal(strlen(out.accept), WS_ACCEPT_LEN);
    }
}

static void each_rule_broken_alone(void **state)
{
    static const struct {
        int status;
        const char *request_line;
        const char *lines;
    } cases[] = {
        {405, "POST /chat HTTP/1.1", UPGRADE VERSION KEY},
        {405, "HEAD /chat HTTP/1.1", UPGRADE VERSION KEY},
        {405, "BREW /chat HTTP/1.1", UPGRADE VERSION KEY},
        {400, "GET /chat HTTP/1.0", UPGRADE VERSION KEY},

        {400, GET, "Upgrade: websocket\r\n" VERSION KEY},
        {400, GET, "Upgrade: websocket\r\nConnection: keep-alive\r\n" VERSION KEY},
        {400, GET, "Upgrade: websocket\r\nConnection: upgraded, no-upgrade\r\n" VERSION KEY},
        {400, GET, "Upgrade: websockets\r\nConnection: Upgrade\r\n" VERSION KEY},
        {400, GET, "Connection: Upgrade\r\n" VERSION KEY},
        {400, GET, UPGRADE VERSION KEY "Content-Length: 5\r\n"},
        {400, GET, UPGRADE VERSION KEY "Transfer-Encoding: chunked\r\n"},

        {426, GET, UPGRADE KEY},
        {426, GET, UPGRADE "Sec-WebSocket-Version: 8\r\n" KEY},
        {426, GET, UPGRADE "Sec-WebSocket-Version: 14\r\n" KEY},
        {426, GET, UPGRADE "Sec-WebSocket-Version: 013\r\n" KEY},
        {426, GET, UPGRADE "Sec-WebSocket-Version: 13, 8\r\n" KEY},
        {426, GET, UPGRADE "Sec-WebSocket-Version: 1 3\r\n" KEY},
        {426, GET, UPGRADE "Sec-WebSocket-Version: 13x\r\n" KEY},
        {426, GET, UPGRADE "Sec-WebSocket-Version:\r\n" KEY},
        {426, GET, UPGRADE "Sec-WebSocket-Version: 8\r\n"}, /* the version is said before the key is missed */
        {400, GET, UPGRADE VERSION VERSION KEY},
        {400, GET, UPGRADE VERSION "Sec-WebSocket-Version: 8\r\n" KEY},

        {400, GET, UPGRADE VERSION},
        {400, GET, UPGRADE VERSION KEY KEY},
        {400, GET, UPGRADE VERSION KEY "sec-websocket-key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"},
        {400, GET, UPGRADE VERSION "Sec-WebSocket-Key:\r\n"},
        {400, GET, UPGRADE VERSION "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=\r\n"},
        {400, GET, UPGRADE VERSION "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ\r\n"},
        {400, GET, UPGRADE VERSION "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZR==\r\n"}, /* spare bits set */
        {400, GET, UPGRADE VERSION "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZTE=\r\n"}, /* 17 bytes */
        {400, GET, UPGRADE VERSION "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZTEy\r\n"}, /* 18 bytes */
        {400, GET, UPGRADE VERSION "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25j\r\n"},     /* 15 bytes */
        {400, GET, UPGRADE VERSION "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZTEyMzQ1\r\n"},
        {400, GET, UPGRADE VERSION "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25j*Q==\r\n"},
        {400, GET, UPGRADE VERSION "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25_-Q==\r\n"},
        {400, GET, UPGRADE VERSION "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub2 jZQ==\r\n"},
        {400, GET, UPGRADE VERSION "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==, dGhlIHNhbXBsZSBub25jZQ==\r\n"},
    };
    struct ws_handshake out;

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        int status = check(cases[i].request_line, cases[i].lines, &out);

        if (status != cases[i].status)
            fail_msg("%s | %s: %d, not %d", cases[i].request_line, cases[i].lines, status, cases[i].status);
    }
}

static void who_asks_for_a_websocket(void **state)
{
    static const struct {
        bool wanted;
        const char *lines;
    } cases[] = {
        {true, "Upgrade: websocket\r\n"},
        {true, "Upgrade: WEBSOCKET\r\n"},
        {true, "Upgrade: h2c , websocket\r\n"},
        {true, "Upgrade: h2c\r\nUpgrade: websocket\r\n"},
        {false, ""},
        {false, "Upgrade:\r\n"},
        {false, "Upgrade: h2c\r\n"},
        {false, "Upgrade: websocket2\r\n"},
        {false, "Upgrade: web socket\r\n"},
        {false, "X-Upgrade: websocket\r\n"},
        {false, "Connection: websocket\r\n"},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        parse(GET, cases[i].lines);
        assert_int_equal(ws_handshake_wanted(&head), cases[i].wanted);
    }
}

#define OFFER "Sec-WebSocket-Protocol:"

static void subprotocols(void **state)
{
    static const struct {
        const char *lines;
        const char *allowed[3];
        const char *chosen; /* NULL: a bad offer */
    } cases[] = {
        {"", {NULL}, ""},
        {OFFER " binary\r\n", {NULL}, "binary"},
        {OFFER "base64,binary\r\n", {NULL}, "binary"},
        {OFFER "mqtt,binary\r\n", {NULL}, "binary"},
        {OFFER "mqtt,amqp\r\n", {NULL}, "mqtt"},
        {OFFER " \tmqtt \t, amqp\r\n", {NULL}, "mqtt"},
        {OFFER "base64\r\n", {NULL}, ""},
        {OFFER "base64, base64\r\n", {NULL}, ""},
        {OFFER "base64, mqtt\r\n", {NULL}, "mqtt"},
        {OFFER "Base64\r\n", {NULL}, "Base64"},
        {OFFER "Binary, x\r\n", {NULL}, "Binary"},
        {OFFER "mqtt\r\n" OFFER "binary\r\n", {NULL}, "binary"},
        {OFFER "\r\n", {NULL}, ""},
        {OFFER ",, ,\r\n", {NULL}, ""},
        {OFFER ",, mqtt ,\r\n", {NULL}, "mqtt"},
        {"X: binary\r\n", {NULL}, ""},
        {"sec-websocket-protocol: binary\r\n", {NULL}, "binary"},
        {OFFER "!#$%&'*+-.^_`|~09azAZ\r\n", {NULL}, "!#$%&'*+-.^_`|~09azAZ"},

        {"", {"mqtt"}, ""},
        {OFFER "mqtt\r\n", {"mqtt"}, "mqtt"},
        {OFFER "binary\r\n", {"mqtt"}, ""},
        {OFFER "mqttv3.1, mqtt\r\n", {"mqtt", "mqttv3.1"}, "mqtt"},
        {OFFER "mqttv3.1\r\n" OFFER "x,mqtt\r\n", {"mqtt", "mqttv3.1"}, "mqtt"},
        {OFFER "mqttv3.1\r\n", {"mqtt", "mqttv3.1"}, "mqttv3.1"},
        {OFFER "MQTT\r\n", {"mqtt"}, ""},
        {OFFER "mqtt2\r\n", {"mqtt"}, ""},
        {OFFER "base64\r\n", {"base64"}, "base64"},
        {OFFER "binary,base64\r\n", {"base64", "binary"}, "base64"},

        {OFFER "a b\r\n", {NULL}, NULL},
        {OFFER "a, b/c\r\n", {NULL}, NULL},
        {OFFER "binary, \"x\"\r\n", {NULL}, NULL},
        {OFFER "binary, x;y\r\n", {"binary"}, NULL},
        {OFFER "a\xc3\xa4\r\n", {NULL}, NULL},
        {OFFER "binary\r\n" OFFER "a b\r\n", {NULL}, NULL},
        {OFFER "(x)\r\n", {NULL}, NULL},
        {OFFER "x=y\r\n", {NULL}, NULL},
    };
    struct slice out;

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        size_t n = 0;
        bool ok;

        while (n < ARRAY_LEN(cases[i].allowed) && cases[i].allowed[n])
            n++;
        parse(GET, cases[i].lines);
        ok = ws_subprotocol_choose(&head, cases[i].allowed, n, &out);
        if (ok != (cases[i].chosen != NULL))
            fail_msg("%s: %d", cases[i].lines, ok);
        if (ok && !slice_eq(out, slice_of(cases[i].chosen)))
            fail_msg("%s: \"" SLICE_FMT "\"", cases[i].lines, SLICE_ARG(out));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_example_of_the_rfc),   cmocka_unit_test(spellings_that_pass),
        cmocka_unit_test(each_rule_broken_alone),   cmocka_unit_test(subprotocols),
        cmocka_unit_test(who_asks_for_a_websocket),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
