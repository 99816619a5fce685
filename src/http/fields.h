/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the wsbridge authors */
/*
 * The small grammars of HTTP: dates, ranges, entity tags, content negotiation, status phrases (RFC 9110). Pure.
 */
#ifndef WSBRIDGE_HTTP_FIELDS_H
#define WSBRIDGE_HTTP_FIELDS_H

#include "base/strbuf.h"

const char *http_status_phrase(int status); /* "Not Found"; "Unknown" for what we never send */

#define HTTP_DATE_MAX 30
const char *http_date_format(int64_t unix_seconds,
                             char *buf); /* IMF-fixdate, 29 characters and terminator; returns buf */
MUST_CHECK bool http_date_parse(struct slice s, int64_t *unix_seconds); /* IMF-fixdate, RFC 850 and asctime forms */

/* Range: bytes=... (RFC 9110 section 14.1.2) against a representation of `size` bytes. */
#define HTTP_RANGES_MAX 16
struct http_range {
    uint64_t first;
    uint64_t last; /* inclusive, < size */
};
enum http_range_result {
    HTTP_RANGE_NONE, /* absent, malformed, another unit, or more than HTTP_RANGES_MAX or overlapping many: answer 200 */
    HTTP_RANGE_OK,   /* *n ranges, in the order asked */
    HTTP_RANGE_UNSATISFIABLE, /* answer 416 */
};
enum http_range_result http_range_parse(struct slice value, uint64_t size, struct http_range out[HTTP_RANGES_MAX],
                                        size_t *n);

/* Whether `etag` (quoted, maybe W/) is in an If-None-Match or If-Match list; "*" matches all. `weak` compares weakly.
 */
bool http_etag_in_list(struct slice list, struct slice etag, bool weak);

/* Quality (0 to 1000) of a content coding by Accept-Encoding; -1 when not mentioned (and no "*"). */
int http_accept_encoding(struct slice value, const char *coding);

#endif
