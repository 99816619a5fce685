/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the wsbridge authors */
/*
 * One request, whatever the HTTP version. The front makes it and gives it to worker_env.dispatch; whoever handles it
 * ends it with exactly one of reply, respond, accept or abort, at once or later. Until then the views in it stay valid.
 * Types only: no code.
 */
#ifndef WSBRIDGE_HTTP_EXCHANGE_H
#define WSBRIDGE_HTTP_EXCHANGE_H

#include <sys/types.h>

#include "base/addr.h"
#include "http/head.h"
#include "http/url.h"

struct stream;
struct http_exchange;

/* A body that the front pulls as fast as the client takes it. The front calls free exactly once: at the end, or when
 * the client is gone. */
struct http_body {
    uint64_t length; /* of the whole body; always known */
    /* Up to `cap` bytes into p; the count, 0 only at the end, -1 when the source failed (the connection is then
     * aborted). Never blocks for long. */
    ssize_t (*pull)(struct http_body *b, uint8_t *p, size_t cap);
    void (*free)(struct http_body *b);
};

/* What passes to the caller of accept: the stream, and the pooled buffer with bytes that came behind the request head.
 */
struct http_accepted {
    struct stream *stream; /* owned now; its owner must be set before the loop goes on */
    uint8_t *buf;          /* pooled, or NULL when nothing is waiting */
    size_t cap;
    size_t head; /* [head, tail) is waiting input */
    size_t tail;
    size_t preface_len;
    uint8_t preface[512]; /* bytes to write before anything else: the HTTP/1.1 101 head; nothing for HTTP/2 */
};

struct http_exchange_ops {
    /* A complete short answer; `text` is copied. Content-Type is text/plain unless `fields` has one. */
    void (*reply)(struct http_exchange *x, int status, const struct http_field *fields, size_t n, struct slice text);
    /* A streamed answer; takes `body` (NULL: none). For HEAD the body is not pulled but its length is sent. */
    void (*respond)(struct http_exchange *x, int status, const struct http_field *fields, size_t n,
                    struct http_body *body);
    /* Agrees to the upgrade: fills *out. Returns 0, or -1 when it cannot be done any more: the exchange is over then
     * all the same. */
    int (*accept)(struct http_exchange *x, const struct http_field *fields, size_t n, struct http_accepted *out);
    /* No answer: the connection is reset. */
    void (*abort)(struct http_exchange *x);
};

/* Set by a handler that answers later, told when the client went away first: the exchange is over when gone returns,
 * and must not be touched after it. */
struct http_exchange_owner {
    void (*gone)(struct http_exchange_owner *o);
};

struct http_exchange {
    const struct http_exchange_ops *ops;
    struct http_exchange_owner *owner;
    const struct http_head *head;
    struct http_url url;
    struct slice path;               /* decoded and checked by http_path_decode, NUL-terminated */
    struct http_authority authority; /* host empty when the request named none */
    struct ip_port peer;
    struct ip_port local;
    bool secure;                    /* came over TLS, or a trusted proxy says so */
    const struct stream *transport; /* what it came on, for questions (tls/stream.h); gone after accept */
    uint64_t id; /* unique in the process; the same id on every log line of this request and its session */
    const struct listener_settings *listener; /* which listener it came from; owned by the snapshot */
    struct ref *snapshot; /* the configuration it began with; handlers that outlive the exchange take their own hold */
    double started;       /* loop time of the request's first byte, seconds */
};

#endif
