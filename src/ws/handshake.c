/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the wsbridge authors */
/*
 * The server's half of the opening handshake: is this request one, what proves that we understood it, and which
 * subprotocol is spoken. Every rule is one line of ws_handshake_check, in the order in which the first broken one is
 * answered: what the client must know to do better (the version) comes before what it did wrong.
 */
#include "ws/handshake.h"

/* SHA1() and EVP_sha1() of OpenSSL 3 look their algorithm up by name in each call, which is ten times the work of the
 * hash and the largest single part of a new connection. The calls below are deprecated, but not that. */
#define OPENSSL_SUPPRESS_DEPRECATED
#include <openssl/sha.h>

#include "base/base64.h"
#include "http/chars.h"

#define KEY_BYTES 16

/* RFC 6455, section 1.3: no server that does not mean WebSocket would put this behind a key. */
static const char guid[] = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

bool ws_handshake_wanted(const struct http_head *h)
{
    return http_field_has_token(h, "upgrade", "websocket");
}

static bool key_ok(struct slice key)
{
    uint8_t nonce[KEY_BYTES];
    size_t got;

    return key.n == BASE64_LEN(KEY_BYTES) && base64_decode(key, nonce, sizeof(nonce), &got) && got == KEY_BYTES;
}

static bool accept_make(struct slice key, char accept[WS_ACCEPT_LEN + 1])
{
    uint8_t digest[SHA_DIGEST_LENGTH];
    SHA_CTX sha;

    _Static_assert(BASE64_LEN(SHA_DIGEST_LENGTH) == WS_ACCEPT_LEN, "RFC 6455, section 4.2.2");
    if (!SHA1_Init(&sha) || !SHA1_Update(&sha, key.p, key.n) || !SHA1_Update(&sha, guid, sizeof(guid) - 1) ||
        !SHA1_Final(digest, &sha))
        return false;
    base64_encode(digest, sizeof(digest), accept);
    accept[WS_ACCEPT_LEN] = '\0';
    return true;
}

static int refuse(int status, const char *text, const char **why)
{
    *why = text;
    return status;
}

int ws_handshake_check(const struct http_head *h, struct ws_handshake *out, const char **why)
{
    const struct http_field *version, *key;

    if (h->method != HTTP_GET)
        return refuse(405, "a WebSocket handshake is a GET request", why);
    if (h->minor < 1)
        return refuse(400, "a WebSocket handshake needs HTTP/1.1", why);
    if (!ws_handshake_wanted(h) || !h->upgrade)
        return refuse(400, "Connection does not name upgrade, or Upgrade websocket", why);
    /* Bytes behind the head are frames; a body would be read as some. */
    if (h->content_length || h->chunked)
        return refuse(400, "a WebSocket handshake has no body", why);

    if (http_field_count(h, "sec-websocket-version") > 1)
        return refuse(400, "more than one Sec-WebSocket-Version", why);
    version = http_field_find(h, "sec-websocket-version");
    if (!version || !slice_eq(version->value, SLICE(WS_VERSION)))
        return refuse(426, "only WebSocket version 13 is spoken here", why);

    if (http_field_count(h, "sec-websocket-key") != 1)
        return refuse(400, "not exactly one Sec-WebSocket-Key", why);
    key = http_field_find(h, "sec-websocket-key");
    if (!key_ok(key->value))
        return refuse(400, "Sec-WebSocket-Key is not 16 bytes in base64", why);
    if (!accept_make(key->value, out->accept))
        return refuse(500, "SHA-1 is not available", why);
    return 0;
}

/* --- subprotocols ------------------------------------------------------------------------------------------------- */

/* Walks the offered names. Begin with all zero. */
struct offers {
    size_t field;
    struct slice rest;
};

static bool offer_next(const struct http_head *h, struct offers *o, struct slice *name)
{
    for (;;) {
        while (slice_cut(&o->rest, ',', name)) {
            *name = slice_trim(*name);
            if (name->n)
                return true;
        }
        while (o->field < h->n_fields && !slice_eq_nocase(h->fields[o->field].name, SLICE("sec-websocket-protocol")))
            o->field++;
        if (o->field == h->n_fields)
            return false;
        o->rest = h->fields[o->field++].value;
    }
}

static bool offered(const struct http_head *h, struct slice want, struct slice *found)
{
    struct offers o = {0};

    while (offer_next(h, &o, found)) {
        if (slice_eq(*found, want))
            return true;
    }
    return false;
}

bool ws_subprotocol_choose(const struct http_head *h, const char *const *allowed, size_t n, struct slice *out)
{
    struct offers o = {0};
    struct slice name, first = {0};

    *out = (struct slice){0};
    while (offer_next(h, &o, &name)) {
        if (!http_all_are(name, HTTP_TOKEN))
            return false;
        if (!first.n && !slice_eq(name, SLICE("base64")))
            first = name;
    }
    if (n == 0) {
        *out = offered(h, SLICE("binary"), &name) ? name : first;
        return true;
    }
    for (size_t i = 0; i < n; i++) {
        if (offered(h, slice_of(allowed[i]), &name)) {
            *out = slice_of(allowed[i]);
            return true;
        }
    }
    return true;
}
