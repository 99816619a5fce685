/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the wsbridge authors */
/*
 * Origin policy: which pages may open a WebSocket here. A browser lets any page try, sends the user's cookies along and
 * does not ask us first; the Origin header is all that tells a foreign page from our own (RFC 6455, section 10.2).
 *
 *   no Origin                               OK: no browser sends it, and whoever forges requests can forge this too
 *   several Origin fields                   MALFORMED, whatever the policy is
 *   nothing like SCHEME://... or "null"     MALFORMED, whatever the policy is
 *   `any`                                   OK
 *   "null", or a scheme but http and https  FOREIGN: a sandboxed page, a file, an extension
 *   http or https, but badly written        MALFORMED
 *   anything else                           as `same` and the patterns say
 */
#include "route/route.h"

/* A token, "://" and visible characters: what a browser, a web view or an extension may say about itself, and no list
 * of origins. */
static bool looks_like_origin(struct slice s)
{
    if (slice_eq(s, SLICE("null")))
        return true;
    size_t scheme = 0;
    while (scheme < s.n && (((s.p[scheme] | 0x20) >= 'a' && (s.p[scheme] | 0x20) <= 'z') ||
                            (scheme && ((s.p[scheme] >= '0' && s.p[scheme] <= '9') || s.p[scheme] == '+' ||
                                        s.p[scheme] == '-' || s.p[scheme] == '.'))))
        scheme++;
    if (scheme == 0 || s.n - scheme < 3 || memcmp(s.p + scheme, "://", 3) != 0)
        return false;
    for (size_t i = scheme; i < s.n; i++)
        if (s.p[i] <= ' ' || s.p[i] > '~' || s.p[i] == ',')
            return false;
    return true;
}

static bool is_web(struct slice s)
{
    size_t n = (size_t)MAX_OF(slice_find(s, ':'), 0);
    struct slice scheme = {s.p, n};
    return slice_eq_nocase(scheme, SLICE("http")) || slice_eq_nocase(scheme, SLICE("https"));
}

enum origin_verdict route_check_origin(const struct route *r, const struct http_head *h, bool secure,
                                       const struct http_authority *authority)
{
    const struct http_field *field = http_field_find(h, "Origin");
    if (!field)
        return ORIGIN_OK;
    if (http_field_count(h, "Origin") > 1 || !looks_like_origin(field->value))
        return ORIGIN_MALFORMED;
    if (r->origin_any)
        return ORIGIN_OK;
    struct http_origin origin;
    if (!http_origin_parse(field->value, &origin))
        return is_web(field->value) ? ORIGIN_MALFORMED : ORIGIN_FOREIGN;
    if (r->origin_same && authority->host.n && http_origin_is_same(&origin, secure, authority))
        return ORIGIN_OK;
    for (size_t i = 0; i < r->origins.n; i++)
        if (http_origin_matches(&origin, slice_of(r->origins.v[i])))
            return ORIGIN_OK;
    return ORIGIN_FOREIGN;
}
