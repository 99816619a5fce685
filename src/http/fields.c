/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the wsbridge authors */
/*
 * The small grammars: status phrases, ranges, entity tags, content codings. Dates are in dates.c. What is malformed is
 * treated as absent, as RFC 9110 asks: none of these fields is worth refusing a request for.
 */
#include "http/fields.h"

const char *http_status_phrase(int status)
{
    static const struct {
        int status;
        const char *phrase;
    } phrases[] = {
        {100, "Continue"},
        {101, "Switching Protocols"},
        {200, "OK"},
        {201, "Created"},
        {202, "Accepted"},
        {204, "No Content"},
        {206, "Partial Content"},
        {301, "Moved Permanently"},
        {302, "Found"},
        {303, "See Other"},
        {304, "Not Modified"},
        {307, "Temporary Redirect"},
        {308, "Permanent Redirect"},
        {400, "Bad Request"},
        {401, "Unauthorized"},
        {403, "Forbidden"},
        {404, "Not Found"},
        {405, "Method Not Allowed"},
        {406, "Not Acceptable"},
        {408, "Request Timeout"},
        {409, "Conflict"},
        {410, "Gone"},
        {411, "Length Required"},
        {412, "Precondition Failed"},
        {413, "Content Too Large"},
        {414, "URI Too Long"},
        {415, "Unsupported Media Type"},
        {416, "Range Not Satisfiable"},
        {417, "Expectation Failed"},
        {421, "Misdirected Request"},
        {426, "Upgrade Required"},
        {428, "Precondition Required"},
        {429, "Too Many Requests"},
        {431, "Request Header Fields Too Large"},
        {500, "Internal Server Error"},
        {501, "Not Implemented"},
        {502, "Bad Gateway"},
        {503, "Service Unavailable"},
        {504, "Gateway Timeout"},
        {505, "HTTP Version Not Supported"},
    };
    for (size_t i = 0; i < ARRAY_LEN(phrases); i++) {
        if (phrases[i].status == status)
            return phrases[i].phrase;
    }
    return "Unknown";
}

/* --- ranges --- */

/* Digits of any length, at least one; what is larger than 64 bits is the largest number, for a range may well end far
 * behind any file. */
static bool position_parse(struct slice s, uint64_t *out)
{
    if (slice_to_u64(s, UINT64_MAX, out))
        return true;
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] < '0' || s.p[i] > '9')
            return false;
    }
    *out = UINT64_MAX;
    return s.n > 0;
}

enum spec { SPEC_BAD, SPEC_OUTSIDE, SPEC_INSIDE };

/* One "first-last", "first-" or "-suffix". */
static enum spec spec_parse(struct slice s, uint64_t size, struct http_range *out)
{
    struct slice first;
    uint64_t n;
    if (!slice_cut(&s, '-', &first) || !s.p)
        return SPEC_BAD;
    if (first.n == 0) {
        /* The end of nothing is satisfiable, but no Content-Range can say so: as if it had not been asked. */
        if (!position_parse(s, &n) || (n > 0 && size == 0))
            return SPEC_BAD;
        *out = (struct http_range){n < size ? size - n : 0, size - 1};
        return n > 0 ? SPEC_INSIDE : SPEC_OUTSIDE;
    }
    out->last = UINT64_MAX;
    if (!position_parse(first, &out->first) || (s.n > 0 && !position_parse(s, &out->last)) || out->last < out->first)
        return SPEC_BAD;
    if (out->first >= size)
        return SPEC_OUTSIDE;
    out->last = MIN_OF(out->last, size - 1);
    return SPEC_INSIDE;
}

/* RFC 9110, section 14.2: more than two overlapping ranges are an attack or a broken client. */
static bool overlaps_many(const struct http_range *r, size_t n)
{
    size_t overlapping = 0;
    for (size_t i = 0; i < n; i++) {
        bool hit = false;
        for (size_t k = 0; k < n && !hit; k++)
            hit = k != i && r[i].first <= r[k].last && r[k].first <= r[i].last;
        overlapping += hit;
    }
    return overlapping > 2;
}

enum http_range_result http_range_parse(struct slice value, uint64_t size, struct http_range out[HTTP_RANGES_MAX],
                                        size_t *n)
{
    struct slice unit, piece;
    size_t asked = 0;
    *n = 0;
    value = slice_trim(value);
    if (!slice_cut(&value, '=', &unit) || !slice_eq_nocase(unit, SLICE("bytes")))
        return HTTP_RANGE_NONE;
    while (slice_cut(&value, ',', &piece)) {
        piece = slice_trim(piece);
        if (piece.n == 0) /* an empty member of a list counts for nothing */
            continue;
        if (++asked > HTTP_RANGES_MAX)
            return HTTP_RANGE_NONE;
        enum spec s = spec_parse(piece, size, &out[*n]);
        if (s == SPEC_BAD)
            return HTTP_RANGE_NONE;
        *n += s == SPEC_INSIDE;
    }
    if (asked == 0 || overlaps_many(out, *n))
        return HTTP_RANGE_NONE;
    return *n > 0 ? HTTP_RANGE_OK : HTTP_RANGE_UNSATISFIABLE;
}

/* --- entity tags --- */

/* Takes one tag off the front: "..." or W/"...". The part in quotes (with them) goes to *opaque. */
static bool tag_cut(struct slice *rest, struct slice *opaque, bool *is_weak)
{
    *is_weak = slice_starts(*rest, SLICE("W/"));
    size_t at = *is_weak ? 2 : 0;
    if (at >= rest->n || rest->p[at] != '"')
        return false;
    size_t end = at + 1;
    while (end < rest->n && rest->p[end] != '"') {
        unsigned char c = (unsigned char)rest->p[end++];
        if (c <= 0x20 || c == 0x7f)
            return false;
    }
    if (end == rest->n)
        return false;
    *opaque = (struct slice){rest->p + at, end + 1 - at};
    rest->p += end + 1;
    rest->n -= end + 1;
    return true;
}

/* Skips white space and commas; whether there was a comma. */
static bool separator_cut(struct slice *rest)
{
    bool comma = false;
    *rest = slice_trim(*rest);
    while (rest->n > 0 && rest->p[0] == ',') {
        comma = true;
        *rest = slice_trim((struct slice){rest->p + 1, rest->n - 1});
    }
    return comma;
}

bool http_etag_in_list(struct slice list, struct slice etag, bool weak)
{
    struct slice want, have;
    bool want_weak, have_weak;
    list = slice_trim(list);
    if (slice_eq(list, SLICE("*")))
        return true;
    if (!tag_cut(&etag, &want, &want_weak) || etag.n > 0)
        return false;
    separator_cut(&list);
    while (list.n > 0) {
        if (!tag_cut(&list, &have, &have_weak))
            return false;
        if (slice_eq(want, have) && (weak || (!want_weak && !have_weak)))
            return true;
        if (!separator_cut(&list) && list.n > 0)
            return false;
    }
    return false;
}

/* --- content codings --- */

/* "0", "0.5", "1.000": thousandths; -1 when malformed. */
static int quality_parse(struct slice s)
{
    if (s.n == 0 || s.n > 5 || (s.p[0] != '0' && s.p[0] != '1') || (s.n > 1 && s.p[1] != '.'))
        return -1;
    int q = (s.p[0] - '0') * 1000;
    int unit = 100;
    for (size_t i = 2; i < s.n; i++, unit /= 10) {
        if (s.p[i] < '0' || s.p[i] > '9')
            return -1;
        q += (s.p[i] - '0') * unit;
    }
    return q <= 1000 ? q : -1;
}

/* The quality in the parameters of one member; -1 when malformed. */
static int member_quality(struct slice params)
{
    struct slice param;
    int q = 1000;
    while (slice_cut(&params, ';', &param)) {
        param = slice_trim(param);
        if (param.n < 2 || (param.p[0] | 0x20) != 'q' || param.p[1] != '=')
            continue;
        q = quality_parse((struct slice){param.p + 2, param.n - 2});
        if (q < 0)
            return -1;
    }
    return q;
}

int http_accept_encoding(struct slice value, const char *coding)
{
    struct slice member, name, want = slice_of(coding);
    int any = -1;
    while (slice_cut(&value, ',', &member)) {
        struct slice params = member;
        (void)slice_cut(&params, ';', &name);
        name = slice_trim(name);
        int q = member_quality(params);
        if (slice_eq_nocase(name, want) && q >= 0)
            return q;
        if (slice_eq(name, SLICE("*")) && any < 0)
            any = q;
    }
    return any;
}
