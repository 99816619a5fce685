/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the wsbridge authors */
/*
 * Targets, authorities and origins. Everything here decides who is let in or which file is read, so each text has one
 * meaning or none: what two readers could take for different things (an encoded slash, a dot segment, a port with
 * leading zeros) is refused and not repaired.
 */
#include "http/url.h"

#include "base/addr.h"
#include "base/utf8.h"

#define HOST_MAX 253

void http_url_split(struct slice target, struct http_url *out)
{
    ptrdiff_t mark = slice_find(target, '?');
    size_t n = mark < 0 ? target.n : (size_t)mark;
    out->path = n > 0 ? (struct slice){target.p, n} : SLICE("/");
    out->query = mark < 0 ? SLICE("") : (struct slice){target.p + n + 1, target.n - n - 1};
}

/* --- percent encoding --- */

static int hex(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    char l = (char)(c | 0x20);
    return l >= 'a' && l <= 'f' ? l - 'a' + 10 : -1;
}

/* Takes one byte, encoded or not, off the front; false on a bad or truncated escape. */
static bool next_byte(struct slice *s, char *out)
{
    size_t used = 1;
    *out = s->p[0];
    if (*out == '%') {
        int high = s->n > 2 ? hex(s->p[1]) : -1;
        int low = s->n > 2 ? hex(s->p[2]) : -1;
        if (high < 0 || low < 0)
            return false;
        *out = (char)(high << 4 | low);
        used = 3;
    }
    s->p += used;
    s->n -= used;
    return true;
}

/* Whether a decoded text is UTF-8 without control characters. */
static bool is_clean(struct slice s)
{
    while (s.n > 0) {
        uint32_t code;
        size_t n = utf8_next(s, &code);
        if (n == 0 || utf8_is_control(code))
            return false;
        s.p += n;
        s.n -= n;
    }
    return true;
}

static void strbuf_rewind(struct strbuf *b, size_t n)
{
    b->n = n;
    if (b->cap > 0)
        b->p[n] = '\0';
}

/* Whether the segment that ends `path` is "." or "..". */
static bool ends_in_dots(struct slice path)
{
    size_t n = 0;
    while (n < path.n && path.p[path.n - 1 - n] == '.')
        n++;
    return (n == 1 || n == 2) && n < path.n && path.p[path.n - 1 - n] == '/';
}

static bool path_decode(struct slice raw, struct strbuf *out, size_t start)
{
    if (raw.n == 0 || raw.p[0] != '/')
        return false;
    while (raw.n > 0) {
        struct slice done = {out->p + start, out->n - start};
        bool escaped = raw.p[0] == '%';
        char c;
        if (!next_byte(&raw, &c) || c == '\\' || (escaped && c == '/'))
            return false;
        if (c == '/' && ends_in_dots(done))
            return false;
        if (c != '/' || done.n == 0 || done.p[done.n - 1] != '/')
            strbuf_char(out, c);
        if (out->cut)
            return false;
    }
    struct slice all = {out->p + start, out->n - start};
    return !ends_in_dots(all) && is_clean(all);
}

bool http_path_decode(struct slice raw, struct strbuf *out)
{
    size_t start = out->n;
    bool ok = !out->cut && path_decode(raw, out, start);
    if (!ok)
        strbuf_rewind(out, start);
    return ok;
}

/* --- queries --- */

static bool query_byte(struct slice *s, char *out)
{
    if (s->p[0] != '+')
        return next_byte(s, out);
    *out = ' ';
    s->p++;
    s->n--;
    return true;
}

static bool query_name_is(struct slice raw, const char *name)
{
    char c;
    for (; raw.n > 0; name++) {
        if (!query_byte(&raw, &c) || *name == '\0' || c != *name)
            return false;
    }
    return *name == '\0';
}

static bool query_decode(struct slice raw, struct strbuf *out)
{
    size_t start = out->n;
    bool ok = !out->cut;
    while (ok && raw.n > 0) {
        char c;
        ok = query_byte(&raw, &c);
        if (ok)
            strbuf_char(out, c);
        ok = ok && !out->cut;
    }
    ok = ok && is_clean((struct slice){out->p + start, out->n - start});
    if (!ok)
        strbuf_rewind(out, start);
    return ok;
}

bool http_query_get(struct slice query, const char *name, struct strbuf *out)
{
    struct slice piece, key;
    while (slice_cut(&query, '&', &piece)) {
        if (piece.n == 0)
            continue;
        struct slice value = piece;
        (void)slice_cut(&value, '=', &key); /* value.p is NULL when there was no '=' */
        if (query_name_is(key, name))
            return query_decode(value, out);
    }
    return false;
}

/* --- authorities and origins --- */

static bool is_host_char(char c)
{
    char l = (char)(c | 0x20);
    return (l >= 'a' && l <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
}

/* A name or IPv4 address; one dot at the end is the root and allowed. */
static bool is_host_name(struct slice s)
{
    if (s.n == 0 || s.n > HOST_MAX)
        return false;
    for (size_t i = 0; i < s.n; i++) {
        bool dot = s.p[i] == '.' && i > 0 && s.p[i - 1] != '.';
        if (!dot && !is_host_char(s.p[i]))
            return false;
    }
    return true;
}

static bool is_ipv6(struct slice s)
{
    struct addr a;
    return slice_find(s, ':') >= 0 && slice_find(s, '%') < 0 && addr_parse_ip(s, 0, &a);
}

bool http_authority_parse(struct slice text, struct http_authority *out)
{
    struct slice host;
    uint16_t port = 0;
    if (!addr_split_host_port(text, &host, &port))
        return false;
    bool bracketed = text.p[0] == '[';
    /* Port 0 cannot be told from none. A port that was given is behind a colon that ends the host. */
    bool given = text.n > host.n + (bracketed ? 2 : 0);
    if ((given && port == 0) || !(bracketed ? is_ipv6(host) : is_host_name(host)))
        return false;
    out->host = host;
    out->port = port;
    return true;
}

static uint16_t default_port(bool secure)
{
    return secure ? 443 : 80;
}

static bool is_https(struct slice scheme)
{
    return slice_eq_nocase(scheme, SLICE("https"));
}

/* Cuts "scheme://" off; only http and https. */
static bool cut_scheme(struct slice *text, struct slice *scheme)
{
    struct slice rest = *text;
    if (!slice_cut(&rest, ':', scheme) || !slice_starts(rest, SLICE("//")))
        return false;
    if (!is_https(*scheme) && !slice_eq_nocase(*scheme, SLICE("http")))
        return false;
    *text = (struct slice){rest.p + 2, rest.n - 2};
    return true;
}

/* An origin, with "*." before the host if `wild` is not NULL; *wild says whether it was there. */
static bool origin_parse(struct slice text, struct http_origin *out, bool *wild)
{
    struct http_authority a;
    if (!cut_scheme(&text, &out->scheme))
        return false;
    if (wild) {
        *wild = slice_starts(text, SLICE("*."));
        if (*wild)
            text = (struct slice){text.p + 2, text.n - 2};
        if (*wild && text.n > 0 && text.p[0] == '[') /* an address has no subdomains */
            return false;
    }
    if (!http_authority_parse(text, &a))
        return false;
    out->host = a.host;
    out->port = a.port ? a.port : default_port(is_https(out->scheme));
    return true;
}

void http_authority_put(struct strbuf *out, const struct http_authority *a)
{
    strbuf_printf(out, slice_find(a->host, ':') >= 0 ? "[" SLICE_FMT "]" : SLICE_FMT, SLICE_ARG(a->host));
    if (a->port)
        strbuf_printf(out, ":%u", a->port);
}

bool http_origin_parse(struct slice text, struct http_origin *out)
{
    return origin_parse(text, out, NULL);
}

bool http_origin_is_same(const struct http_origin *o, bool secure, const struct http_authority *a)
{
    uint16_t port = a->port ? a->port : default_port(secure);
    return is_https(o->scheme) == secure && o->port == port && a->host.n > 0 && slice_eq_nocase(o->host, a->host);
}

bool http_origin_pattern_ok(struct slice pattern)
{
    struct http_origin o;
    bool wild;
    return origin_parse(pattern, &o, &wild);
}

bool http_origin_matches(const struct http_origin *o, struct slice pattern)
{
    struct http_origin p;
    bool wild;
    if (!origin_parse(pattern, &p, &wild) || p.port != o->port || is_https(p.scheme) != is_https(o->scheme))
        return false;
    if (!wild)
        return slice_eq_nocase(o->host, p.host);
    size_t extra = o->host.n > p.host.n ? o->host.n - p.host.n : 0;
    return extra >= 2 && o->host.p[extra - 1] == '.' && slice_ends_nocase(o->host, p.host);
}
