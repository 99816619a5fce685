/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the wsbridge authors */
/*
 * Writes HTTP/1.1 response heads. Pure. Adds Date, Server ("wsbridge") and Connection; never a body.
 */
#ifndef WSBRIDGE_HTTP_WRITE_H
#define WSBRIDGE_HTTP_WRITE_H

#include "base/strbuf.h"
#include "http/head.h"

struct http_response {
    int status;
    bool keep_alive; /* Connection: keep-alive only to HTTP/1.0, close when false */
    bool http10;     /* the request was HTTP/1.0 */
    bool has_length;
    uint64_t content_length; /* written when has_length */
    int64_t date;            /* unix seconds */
    const struct http_field *fields;
    size_t n_fields;
};

/* A status 101 gets no Date, Content-Length or Connection of its own. False when it does not fit, or when a field holds
 * CR, LF or NUL. */
MUST_CHECK bool http_write_head(struct strbuf *out, const struct http_response *r);

#endif
