/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the wsbridge authors */
/*
 * HTTP/1.1 request heads, strictly (RFC 9112). Pure: bytes in, a table of views out. What is refused, and with which
 * status, is in the table at the top of head.c; every refusal closes the connection, because framing can no longer be
 * trusted.
 *
 * One parser serves one connection. Call http_head_parse with all bytes received so far, from the first byte of the
 * request; the parser remembers how far it has looked, so a head that comes one byte at a time costs one pass. The
 * views point into `buf`: they are good until those bytes move.
 */
#ifndef WSBRIDGE_HTTP_HEAD_H
#define WSBRIDGE_HTTP_HEAD_H

#include "base/slice.h"

#define HTTP_FIELDS_MAX 100

enum http_method { HTTP_GET, HTTP_HEAD, HTTP_POST, HTTP_PUT, HTTP_DELETE, HTTP_OPTIONS, HTTP_CONNECT, HTTP_OTHER };

struct http_field {
    struct slice name;  /* as received; compare without case */
    struct slice value; /* without surrounding white space */
};

struct http_head {
    struct slice method_text;
    enum http_method method;
    struct slice target; /* origin-form always: of absolute-form the part behind the authority ("/" if empty; "?query"
                            if it has no path), or "*" for OPTIONS. http_url_split reads all of them. */
    struct slice authority; /* the Host value or the absolute-form's authority; empty for HTTP/1.0 without Host */
    unsigned minor;         /* HTTP/1.minor: 0 or 1 */
    bool keep_alive;        /* by version and Connection */
    bool upgrade;           /* Connection has the token "upgrade" */
    bool chunked;           /* Transfer-Encoding: chunked */
    bool expect_continue;
    uint64_t content_length; /* 0 when there is none */
    size_t n_fields;
    struct http_field fields[HTTP_FIELDS_MAX];
};

/* Positions, never pointers: the bytes may move between two calls. */
struct http_parser {
    size_t seen;     /* bytes already looked at */
    size_t max;      /* bytes a head may have (limits.request_header) */
    size_t mark;     /* where the method, target or version being read begins */
    uint16_t fields; /* field lines begun */
    uint8_t state;
    uint8_t blank; /* empty lines before the request line */
    uint8_t major; /* of the version */
};

enum http_parse { HTTP_PARSE_MORE, HTTP_PARSE_DONE, HTTP_PARSE_BAD };

struct http_bad {
    int status;      /* 400, 405 (CONNECT), 414, 431, 501, 505 */
    const char *why; /* one sentence for the answer and the log; static */
};

static inline void http_parser_init(struct http_parser *p, size_t max)
{
    *p = (struct http_parser){.max = max};
}

/* DONE: *used is the length of the head with its empty line. Empty lines before the request line (at most two CRLF) are
 * skipped. BAD: *bad is filled. Wrong bytes are refused as soon as they are seen, not when the head is complete.
 * MORE: n is less than max, so there is always room for more. *head is filled by DONE alone. After DONE the parser is
 * ready for the next request; after BAD the connection is over. */
MUST_CHECK enum http_parse http_head_parse(struct http_parser *p, const char *buf, size_t n, struct http_head *head,
                                           size_t *used, struct http_bad *bad);

/* The first field of that name, or NULL; and how many there are. */
const struct http_field *http_field_find(const struct http_head *h, const char *name);
size_t http_field_count(const struct http_head *h, const char *name);

/* Whether one of the comma-separated members of all fields of that name is `token` (no case; parameters not looked at).
 */
bool http_field_has_token(const struct http_head *h, const char *name, const char *token);

#endif
