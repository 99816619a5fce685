/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the wsbridge authors */
/*
 * Request targets (RFC 3986, RFC 9112 section 3.2), authorities and origins (RFC 6454). Pure.
 */
#ifndef WSBRIDGE_HTTP_URL_H
#define WSBRIDGE_HTTP_URL_H

#include "base/strbuf.h"

struct http_url {
    struct slice path;  /* raw, begins with '/' */
    struct slice query; /* raw, without '?'; empty when there is none */
};

/* A target as http_head_parse leaves it: the path of "?query" is "/". */
void http_url_split(struct slice target, struct http_url *out);

/* The path decoded once, for matching and for files. Refused (false): bad or truncated %, NUL and control characters,
 * "%2F", '\\' raw or encoded, a "." or ".." segment in any spelling, invalid UTF-8, or no room. Doubled slashes are
 * folded to one. */
MUST_CHECK bool http_path_decode(struct slice raw, struct strbuf *out);

/* The first value of `name` in a query, percent- and plus-decoded and appended to `out`. False, and `out` as it was,
 * when absent or malformed: a bad or truncated %, a control character, invalid UTF-8, or no room. */
MUST_CHECK bool http_query_get(struct slice query, const char *name, struct strbuf *out);

/* Authority "host[:port]" as in Host. `host` keeps its brackets off. port 0: none given. Refused: userinfo, an empty
 * host, one longer than 253 bytes or with anything but letters, digits, '-', '_' and single dots (no IPv6 zone, no
 * percent), an empty port, port 0, leading zeros. */
struct http_authority {
    struct slice host;
    uint16_t port;
};
MUST_CHECK bool http_authority_parse(struct slice text, struct http_authority *out);
void http_authority_put(struct strbuf *out, const struct http_authority *a); /* as it is parsed, brackets and all */

/* Origin header: one serialized origin "scheme://host[:port]" with scheme http or https. "null" and everything else:
 * false. port is filled with the scheme's default. */
struct http_origin {
    struct slice scheme;
    struct slice host;
    uint16_t port;
};
MUST_CHECK bool http_origin_parse(struct slice text, struct http_origin *out);

/* Same origin as a request that came over `secure` transport with that authority: scheme, host (no case) and port. */
bool http_origin_is_same(const struct http_origin *o, bool secure, const struct http_authority *a);

/* `pattern`: an origin, or one whose host begins with "*." (one label or more; not the bare host). Checked at load by
 * http_origin_pattern_ok. */
MUST_CHECK bool http_origin_pattern_ok(struct slice pattern);
bool http_origin_matches(const struct http_origin *o, struct slice pattern);

#endif
