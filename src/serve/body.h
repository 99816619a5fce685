/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the wsbridge authors */
/*
 * Bodies that are pulled: the whole of a file or of a piece of memory, one range of it, or several as
 * multipart/byteranges (RFC 9110, section 14.6).
 */
#ifndef WSBRIDGE_SERVE_BODY_H
#define WSBRIDGE_SERVE_BODY_H

#include "http/exchange.h"
#include "http/fields.h"

/* Where bytes come from: a file, or memory that outlives every body (fd -1). */
struct body_source {
    int fd;
    const char *memory;
    uint64_t size;
};

#define BODY_BOUNDARY_LEN 32

/* One range; {0, size - 1} or n == 0 with an empty source means all. Takes src->fd when it succeeds. NULL when out of
 * memory. */
struct http_body *body_new(const struct body_source *src, uint64_t first, uint64_t length);

/* Several: each part gets a head with `type` and its Content-Range. Writes the boundary (and a terminator) that the
 * Content-Type must name. Takes src->fd when it succeeds. NULL when out of memory. */
struct http_body *body_new_multipart(const struct body_source *src, const struct http_range *ranges, size_t n,
                                     const char *type, char boundary[BODY_BOUNDARY_LEN + 1]);

#endif
