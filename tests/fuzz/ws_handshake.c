/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the wsbridge authors */
/*
 * The opening handshake over any header lines behind a good request line, and the choice of a subprotocol with and
 * without a list. What is accepted must be what the RFC lets be accepted, asked again here the long way.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "ws/handshake.h"

#define CHECK(x)                                                                                                       \
    do {                                                                                                               \
        if (!(x)) {                                                                                                    \
            fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #x);                                                    \
            abort();                                                                                                   \
        }                                                                                                              \
    } while (0)

static void check_accepted(const struct http_head *h, const struct ws_handshake *hs)
{
    const struct http_field *key = http_field_find(h, "Sec-WebSocket-Key");

    CHECK(h->method == HTTP_GET && h->minor == 1 && ws_handshake_wanted(h));
    CHECK(http_field_count(h, "Sec-WebSocket-Key") == 1 && http_field_count(h, "Sec-WebSocket-Version") == 1);
    CHECK(http_field_has_token(h, "Connection", "Upgrade"));
    CHECK(key->value.n == 24 && key->value.p[22] == '=' && key->value.p[23] == '=');
    for (size_t i = 0; i < 22; i++)
        CHECK(strchr("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/", key->value.p[i]));
    CHECK(strchr("AQgw", key->value.p[21]));
    CHECK(strlen(hs->accept) == WS_ACCEPT_LEN && hs->accept[27] == '=');
}

static void check_chosen(const struct http_head *h, struct slice chosen)
{
    static const char *const lists[] = {"mqtt", "base64", "x"};
    struct slice out;

    CHECK(!slice_eq(chosen, SLICE("base64")));
    for (size_t i = 0; i < chosen.n; i++)
        CHECK(chosen.p[i] > ' ' && chosen.p[i] != ',' && chosen.p[i] != 0x7f);
    for (size_t n = 1; n <= ARRAY_LEN(lists); n++) {
        CHECK(ws_subprotocol_choose(h, lists, n, &out));
        CHECK(out.n == 0 || slice_eq(out, slice_of(lists[0])) || slice_eq(out, slice_of(lists[1])) ||
              slice_eq(out, slice_of(lists[2])));
        CHECK(out.n == 0 || http_field_has_token(h, "Sec-WebSocket-Protocol", n == 1 ? "mqtt" : out.p));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char line[] = "GET / HTTP/1.1\r\nHost: h\r\n";
    static struct http_head head;
    struct http_parser p;
    struct http_bad bad;
    struct ws_handshake hs;
    const char *why = NULL;
    size_t used, n = sizeof(line) - 1 + size + 4;
    char *text = malloc(n);
    int status;

    if (!text)
        return 0;
    memcpy(text, line, sizeof(line) - 1);
    if (size)
        memcpy(text + sizeof(line) - 1, data, size);
    memcpy(text + n - 4, "\r\n\r\n", 4);
    http_parser_init(&p, 65536);
    if (http_head_parse(&p, text, n, &head, &used, &bad) == HTTP_PARSE_DONE) {
        status = ws_handshake_check(&head, &hs, &why);
        CHECK(status == 0 || ((status == 400 || status == 426) && why));
        if (status == 0)
            check_accepted(&head, &hs);
        if (ws_subprotocol_choose(&head, NULL, 0, &hs.subprotocol))
            check_chosen(&head, hs.subprotocol);
    }
    free(text);
    return 0;
}
