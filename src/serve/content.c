/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the wsbridge authors */
/*
 * Preconditions, then ranges, then the answer: the order of RFC 9110, section 13.2.2. A field that we cannot read is
 * treated as if it were not there, except that it never makes an answer fresher or smaller than without it.
 */
#include "serve/content.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#include "base/clock.h"

#define FIELDS_MAX 16

/* The fields of an answer and the memory of those that are written here. */
struct answer {
    size_t n;
    struct http_field fields[FIELDS_MAX];
    char cache[48];
    char modified[HTTP_DATE_MAX];
    char range[80];
    char multipart[48 + BODY_BOUNDARY_LEN];
};

static void answer_add(struct answer *a, struct slice name, const char *value)
{
    assert(a->n < FIELDS_MAX);
    a->fields[a->n++] = (struct http_field){name, slice_of(value)};
}

/* What every answer about a representation carries, 304 and 416 included. */
static void answer_begin(struct answer *a, const struct content *c)
{
    a->n = 0;
    answer_add(a, SLICE("ETag"), c->etag);
    if (c->has_modified)
        answer_add(a, SLICE("Last-Modified"), http_date_format(c->modified, a->modified));
    if (c->cache >= 1)
        snprintf(a->cache, sizeof(a->cache), "max-age=%.0f", c->cache);
    else
        snprintf(a->cache, sizeof(a->cache), "no-cache");
    answer_add(a, SLICE("Cache-Control"), a->cache);
    if (c->vary)
        answer_add(a, SLICE("Vary"), "Accept-Encoding");
    answer_add(a, SLICE("X-Content-Type-Options"), "nosniff");
}

static void answer_describe(struct answer *a, const struct content *c, const char *type)
{
    answer_add(a, SLICE("Content-Type"), type);
    answer_add(a, SLICE("Accept-Ranges"), "bytes");
    if (c->encoding)
        answer_add(a, SLICE("Content-Encoding"), c->encoding);
    if (c->policy) {
        answer_add(a, SLICE("Content-Security-Policy"), c->policy);
        answer_add(a, SLICE("Referrer-Policy"), "no-referrer");
        /* An isolated page gets a clock fine enough to measure a round trip. */
        answer_add(a, SLICE("Cross-Origin-Opener-Policy"), "same-origin");
        answer_add(a, SLICE("Cross-Origin-Embedder-Policy"), "require-corp");
    }
}

/* The list may be spread over several fields of the same name. */
static bool etag_listed(const struct http_head *h, const char *name, const char *etag, bool weak)
{
    struct slice wanted = slice_of(name);
    for (size_t i = 0; i < h->n_fields; i++)
        if (slice_eq_nocase(h->fields[i].name, wanted) && http_etag_in_list(h->fields[i].value, slice_of(etag), weak))
            return true;
    return false;
}

/* False when the field is missing, doubled or no date. */
static bool date_field(const struct http_head *h, const char *name, int64_t *date)
{
    return http_field_count(h, name) == 1 && http_date_parse(http_field_find(h, name)->value, date);
}

/* 200 to go on, 304 or 412. */
static int check_preconditions(const struct content *c, const struct http_head *h)
{
    int64_t date;
    if (http_field_find(h, "If-Match")) {
        if (!etag_listed(h, "If-Match", c->etag, false))
            return 412;
    } else if (c->has_modified && date_field(h, "If-Unmodified-Since", &date) && c->modified > date) {
        return 412;
    }
    if (http_field_find(h, "If-None-Match"))
        return etag_listed(h, "If-None-Match", c->etag, true) ? 304 : 200;
    if (c->has_modified && date_field(h, "If-Modified-Since", &date) && c->modified <= date)
        return 304;
    return 200;
}

/* Whether If-Range, if there is one, still names this very representation. */
static bool if_range_holds(const struct content *c, const struct http_head *h)
{
    const struct http_field *f = http_field_find(h, "If-Range");
    if (!f)
        return true;
    if (http_field_count(h, "If-Range") != 1)
        return false;
    if (slice_eq(f->value, slice_of(c->etag)))
        return true;
    /* A date is a strong validator only once its second is over: before that the file may change again unseen. */
    int64_t date;
    int64_t now = (int64_t)(clock_wall_ms() / 1000);
    return c->has_modified && http_date_parse(f->value, &date) && date == c->modified && c->modified < now;
}

static enum http_range_result choose_ranges(const struct content *c, const struct http_head *h,
                                            struct http_range ranges[HTTP_RANGES_MAX], size_t *n)
{
    if (h->method != HTTP_GET || http_field_count(h, "Range") != 1 || !if_range_holds(c, h))
        return HTTP_RANGE_NONE;
    enum http_range_result res = http_range_parse(http_field_find(h, "Range")->value, c->source.size, ranges, n);
    /* Content-Encoding would then speak of the multipart framing, and clients disagree about it: send all. */
    if (res == HTTP_RANGE_OK && *n > 1 && c->encoding)
        return HTTP_RANGE_NONE;
    return res;
}

/* An answer without a body of its own. Gives the source back. */
static void answer_short(struct content *c, struct http_exchange *x, int status, struct answer *a)
{
    if (c->source.fd >= 0)
        close(c->source.fd);
    c->source.fd = -1;
    if (status == 304)
        x->ops->respond(x, status, a->fields, a->n, NULL);
    else if (status == 416)
        x->ops->reply(x, status, a->fields, a->n, SLICE("The file is shorter than the range asked for.\n"));
    else if (status == 412)
        x->ops->reply(x, status, a->fields, a->n, SLICE("The file is not the one the request was made for.\n"));
    else
        x->ops->reply(x, 503, NULL, 0, SLICE("Out of memory, try again later.\n"));
}

static void answer_body(struct content *c, struct http_exchange *x, struct answer *a, const struct http_range *ranges,
                        size_t n)
{
    struct http_body *body;
    if (n == 0) {
        answer_describe(a, c, c->type);
        body = body_new(&c->source, 0, c->source.size);
    } else if (n == 1) {
        answer_describe(a, c, c->type);
        snprintf(a->range, sizeof(a->range), "bytes %" PRIu64 "-%" PRIu64 "/%" PRIu64, ranges[0].first, ranges[0].last,
                 c->source.size);
        answer_add(a, SLICE("Content-Range"), a->range);
        body = body_new(&c->source, ranges[0].first, ranges[0].last - ranges[0].first + 1);
    } else {
        char boundary[BODY_BOUNDARY_LEN + 1] = "";
        body = body_new_multipart(&c->source, ranges, n, c->type, boundary);
        snprintf(a->multipart, sizeof(a->multipart), "multipart/byteranges; boundary=%s", boundary);
        answer_describe(a, c, a->multipart);
    }
    if (body)
        x->ops->respond(x, n ? 206 : 200, a->fields, a->n, body);
    else
        answer_short(c, x, 503, a);
}

void content_answer(struct content *c, struct http_exchange *x)
{
    struct answer a;
    answer_begin(&a, c);
    int status = check_preconditions(c, x->head);
    if (status != 200) {
        answer_short(c, x, status, &a);
        return;
    }
    struct http_range ranges[HTTP_RANGES_MAX];
    size_t n = 0;
    enum http_range_result res = choose_ranges(c, x->head, ranges, &n);
    if (res == HTTP_RANGE_UNSATISFIABLE) {
        snprintf(a.range, sizeof(a.range), "bytes */%" PRIu64, c->source.size);
        answer_add(&a, SLICE("Content-Range"), a.range);
        answer_short(c, x, 416, &a);
        return;
    }
    answer_body(c, x, &a, ranges, res == HTTP_RANGE_OK ? n : 0);
}
