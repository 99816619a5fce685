/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the wsbridge authors */
/*
 * A string builder over memory of the caller's, never longer than it, always NUL-terminated (when cap > 0). What does
 * not fit is cut and `cut` says so: a caller that must not lose text checks it once, at the end.
 */
#ifndef WSBRIDGE_BASE_STRBUF_H
#define WSBRIDGE_BASE_STRBUF_H

#include "base/slice.h"

struct strbuf {
    char *p;
    size_t cap; /* with the terminator */
    size_t n;   /* without it */
    bool cut;
};

void strbuf_init(struct strbuf *b, char *mem, size_t cap);
void strbuf_put(struct strbuf *b, struct slice s);
void strbuf_str(struct strbuf *b, const char *z);
void strbuf_char(struct strbuf *b, char c);
void strbuf_printf(struct strbuf *b, const char *fmt, ...) PRINTF_LIKE(2, 3);

static inline struct slice strbuf_slice(const struct strbuf *b)
{
    return (struct slice){b->p, b->n};
}

#endif
