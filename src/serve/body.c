/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the wsbridge authors */
/*
 * A body is a row of parts, each a piece of the source or of text of its own (the heads between ranges); pull goes
 * through them in order. The length is fixed when the body is made: a file that shrinks meanwhile makes pull fail, so
 * the client sees a broken connection and not a wrong end; one that grows is cut.
 */
#include "serve/body.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/random.h"

struct part {
    bool text;      /* from `text`, else from the source */
    uint64_t first; /* offset in either */
    uint64_t length;
};

#define PARTS_MAX (2 * HTTP_RANGES_MAX + 1)
#define PART_HEAD_MAX 320 /* delimiter, type and range of one part */

struct body {
    struct http_body base;
    struct body_source src;
    size_t n;
    size_t at;     /* current part */
    uint64_t done; /* bytes of it that have left */
    char *text;    /* behind the struct, in the same allocation */
    struct part parts[];
};

static ssize_t read_source(const struct body *b, uint64_t offset, uint8_t *p, size_t n)
{
    if (b->src.fd < 0) {
        memcpy(p, b->src.memory + offset, n);
        return (ssize_t)n;
    }
    ssize_t got;
    do {
        got = pread(b->src.fd, p, n, (off_t)offset);
    } while (got < 0 && errno == EINTR);
    return got > 0 ? got : -1; /* 0: the file has shrunk below what we promised */
}

static ssize_t body_pull(struct http_body *base, uint8_t *p, size_t cap)
{
    struct body *b = container_of(base, struct body, base);
    while (b->at < b->n && b->done == b->parts[b->at].length) {
        b->at++;
        b->done = 0;
    }
    if (b->at == b->n)
        return 0;
    const struct part *part = &b->parts[b->at];
    size_t n = (size_t)MIN_OF(part->length - b->done, (uint64_t)cap);
    ssize_t got = (ssize_t)n;
    if (part->text)
        memcpy(p, b->text + part->first + b->done, n);
    else if (n > 0)
        got = read_source(b, part->first + b->done, p, n);
    if (got > 0)
        b->done += (uint64_t)got;
    return got;
}

static void body_free(struct http_body *base)
{
    struct body *b = container_of(base, struct body, base);
    if (b->src.fd >= 0)
        close(b->src.fd);
    free(b);
}

static struct body *body_alloc(const struct body_source *src, size_t parts, size_t text)
{
    struct body *b = calloc(1, sizeof(*b) + parts * sizeof(b->parts[0]) + text);
    if (!b)
        return NULL;
    b->base.pull = body_pull;
    b->base.free = body_free;
    b->src = *src;
    b->text = (char *)&b->parts[parts];
    return b;
}

static void body_add(struct body *b, bool text, uint64_t first, uint64_t length)
{
    b->parts[b->n++] = (struct part){text, first, length};
    b->base.length += length;
}

struct http_body *body_new(const struct body_source *src, uint64_t first, uint64_t length)
{
    assert(first <= src->size && length <= src->size - first);
    struct body *b = body_alloc(src, 1, 0);
    if (!b)
        return NULL;
    body_add(b, false, first, length);
    return &b->base;
}

/* Random, so that nobody can put it into a file beforehand. */
static void make_boundary(char out[BODY_BOUNDARY_LEN + 1])
{
    uint8_t raw[BODY_BOUNDARY_LEN / 2];
    random_bytes(raw, sizeof(raw));
    for (size_t i = 0; i < sizeof(raw); i++) {
        out[2 * i] = "0123456789abcdef"[raw[i] >> 4];
        out[2 * i + 1] = "0123456789abcdef"[raw[i] & 15];
    }
    out[BODY_BOUNDARY_LEN] = '\0';
}

struct http_body *body_new_multipart(const struct body_source *src, const struct http_range *ranges, size_t n,
                                     const char *type, char boundary[BODY_BOUNDARY_LEN + 1])
{
    assert(n <= HTTP_RANGES_MAX);
    size_t cap = (n + 1) * PART_HEAD_MAX;
    struct body *b = body_alloc(src, PARTS_MAX, cap);
    if (!b)
        return NULL;
    make_boundary(boundary);
    struct strbuf text;
    strbuf_init(&text, b->text, cap);
    for (size_t i = 0; i < n; i++) {
        size_t from = text.n;
        strbuf_printf(&text,
                      "%s--%s\r\nContent-Type: %s\r\n"
                      "Content-Range: bytes %" PRIu64 "-%" PRIu64 "/%" PRIu64 "\r\n\r\n",
                      i ? "\r\n" : "", boundary, type, ranges[i].first, ranges[i].last, src->size);
        body_add(b, true, from, text.n - from);
        body_add(b, false, ranges[i].first, ranges[i].last - ranges[i].first + 1);
    }
    size_t from = text.n;
    strbuf_printf(&text, "\r\n--%s--\r\n", boundary);
    body_add(b, true, from, text.n - from);
    assert(!text.cut);
    return &b->base;
}
