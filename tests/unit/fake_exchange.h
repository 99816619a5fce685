/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the wsbridge authors */
/*
 * An http_exchange without a connection: the request is read from text by the real parser, and the answer is recorded,
 * its body pulled to the end in pieces of odd size.
 */
#ifndef WSBRIDGE_TESTS_FAKE_EXCHANGE_H
#define WSBRIDGE_TESTS_FAKE_EXCHANGE_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "unit.h"

#include "http/exchange.h"

struct fake_exchange {
    struct http_exchange x;
    struct http_head head;
    char request[20000];
    char path[20000];
    /* the answer */
    unsigned ends; /* must be one */
    int status;
    size_t n_fields;
    char names[24][64];
    char values[24][4096];
    uint64_t length; /* as promised */
    size_t n_body;
    char *body;
    bool body_failed;
    size_t pull_at_most;            /* stop after so many bytes, like a client that goes away; 0: pull all */
    void (*before_pull)(void *arg); /* between head and body, or NULL */
    void *arg;
};

static inline void fake_record(struct fake_exchange *f, int status, const struct http_field *fields, size_t n)
{
    f->ends++;
    f->status = status;
    f->n_fields = n;
    for (size_t i = 0; i < n; i++) {
        snprintf(f->names[i], sizeof(f->names[i]), "%.*s", SLICE_ARG(fields[i].name));
        snprintf(f->values[i], sizeof(f->values[i]), "%.*s", SLICE_ARG(fields[i].value));
        assert_null(memchr(fields[i].value.p, '\n', fields[i].value.n));
    }
}

static inline void fake_reply(struct http_exchange *x, int status, const struct http_field *fields, size_t n,
                              struct slice text)
{
    struct fake_exchange *f = container_of(x, struct fake_exchange, x);
    fake_record(f, status, fields, n);
    f->length = text.n;
    f->n_body = text.n;
    f->body = malloc(text.n + 1);
    memcpy(f->body, text.p, text.n);
    f->body[text.n] = '\0';
}

static inline void fake_respond(struct http_exchange *x, int status, const struct http_field *fields, size_t n,
                                struct http_body *body)
{
    struct fake_exchange *f = container_of(x, struct fake_exchange, x);
    fake_record(f, status, fields, n);
    f->length = body ? body->length : 0;
    f->body = malloc((size_t)f->length + 1);
    if (f->before_pull)
        f->before_pull(f->arg);
    size_t limit = f->pull_at_most ? f->pull_at_most : SIZE_MAX;
    uint8_t piece[777];
    while (body && f->head.method != HTTP_HEAD && f->n_body < limit) {
        ssize_t got = body->pull(body, piece, 1 + (f->n_body * 31 + 100) % sizeof(piece));
        f->body_failed = got < 0;
        if (got <= 0)
            break;
        assert_true(f->n_body + (size_t)got <= f->length);
        memcpy(f->body + f->n_body, piece, (size_t)got);
        f->n_body += (size_t)got;
    }
    f->body[f->n_body] = '\0';
    if (body)
        body->free(body);
}

static inline int fake_accept(struct http_exchange *x, const struct http_field *fields, size_t n,
                              struct http_accepted *out)
{
    struct fake_exchange *f = container_of(x, struct fake_exchange, x);
    fake_record(f, 101, fields, n);
    return -1;
}

static inline void fake_abort(struct http_exchange *x)
{
    struct fake_exchange *f = container_of(x, struct fake_exchange, x);
    f->ends++;
    f->status = 0;
}

/* `lines`: the header fields, each with its CRLF. False when the parser or the path decoder refuses the request, so
 * that it would never be an exchange. */
static inline bool fake_request(struct fake_exchange *f, const char *method, const char *target, const char *lines)
{
    static const struct http_exchange_ops ops = {fake_reply, fake_respond, fake_accept, fake_abort};
    memset(f, 0, sizeof(*f));
    int n = snprintf(f->request, sizeof(f->request), "%s %s HTTP/1.1\r\nHost: here.test:6080\r\n%s\r\n", method, target,
                     lines);
    struct http_parser parser;
    struct http_bad bad;
    size_t used;
    http_parser_init(&parser, sizeof(f->request));
    if (http_head_parse(&parser, f->request, (size_t)n, &f->head, &used, &bad) != HTTP_PARSE_DONE)
        return false;
    f->x.ops = &ops;
    f->x.head = &f->head;
    http_url_split(f->head.target, &f->x.url);
    struct strbuf path;
    strbuf_init(&path, f->path, sizeof(f->path));
    if (!http_path_decode(f->x.url.path, &path))
        return false;
    f->x.path = strbuf_slice(&path);
    return http_authority_parse(f->head.authority, &f->x.authority);
}

static inline void fake_free(struct fake_exchange *f)
{
    free(f->body);
    f->body = NULL;
}

/* The value of a field of the answer, or NULL; fails the test when it is there twice. */
static inline const char *fake_field(const struct fake_exchange *f, const char *name)
{
    const char *found = NULL;
    for (size_t i = 0; i < f->n_fields; i++) {
        if (strcasecmp(f->names[i], name) != 0)
            continue;
        assert_null(found);
        found = f->values[i];
    }
    return found;
}

#endif
