/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the wsbridge authors */
/*
 * A representation, ready to be sent, and the answer to a GET or HEAD for it: preconditions (RFC 9110, section 13),
 * ranges (section 14), and the fields that describe it. Where the bytes come from is not asked here.
 */
#ifndef WSBRIDGE_SERVE_CONTENT_H
#define WSBRIDGE_SERVE_CONTENT_H

#include "serve/body.h"

#define CONTENT_ETAG_MAX 64

struct content {
    struct body_source source;   /* a file is owned: content_answer takes it */
    char etag[CONTENT_ETAG_MAX]; /* strong, with its quotes */
    bool has_modified;
    int64_t modified;     /* unix seconds */
    const char *type;     /* Content-Type */
    const char *encoding; /* Content-Encoding, or NULL */
    const char *policy;   /* Content-Security-Policy, or NULL */
    bool vary;            /* another Accept-Encoding may be answered otherwise */
    double cache;         /* seconds; below one: no-cache */
};

/* Ends the exchange. */
void content_answer(struct content *c, struct http_exchange *x);

#endif
