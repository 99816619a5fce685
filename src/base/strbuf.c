/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the wsbridge authors */
/*
 * The string builder. Invariant: n < cap and p[n] is NUL, or cap is 0 and nothing is ever written. Once something was
 * cut, whatever is added later is dropped too: a text with a hole in the middle is worse than a short one.
 */
#include "base/strbuf.h"

#include <stdarg.h>
#include <stdio.h>

void strbuf_init(struct strbuf *b, char *mem, size_t cap)
{
    *b = (struct strbuf){.p = mem, .cap = cap};
    if (cap > 0)
        mem[0] = '\0';
}

void strbuf_put(struct strbuf *b, struct slice s)
{
    if (s.n == 0)
        return;
    size_t room = b->cap > 0 && !b->cut ? b->cap - 1 - b->n : 0;
    size_t take = MIN_OF(s.n, room);
    if (take < s.n)
        b->cut = true;
    if (take == 0)
        return;
    memcpy(b->p + b->n, s.p, take);
    b->n += take;
    b->p[b->n] = '\0';
}

void strbuf_str(struct strbuf *b, const char *z)
{
    strbuf_put(b, slice_of(z));
}

void strbuf_char(struct strbuf *b, char c)
{
    if (b->cut || b->n + 1 >= b->cap) {
        b->cut = true;
        return;
    }
    b->p[b->n++] = c;
    b->p[b->n] = '\0';
}

void strbuf_printf(struct strbuf *b, const char *fmt, ...)
{
    if (b->cut)
        return;
    size_t room = b->cap - b->n; /* with the terminator; 0 only when cap is 0 */
    va_list args;
    va_start(args, fmt);
    int n = vsnprintf(room > 0 ? b->p + b->n : NULL, room, fmt, args);
    va_end(args);
    if (n < 0) {
        if (room > 0)
            b->p[b->n] = '\0';
        b->cut = true;
    } else if ((size_t)n >= room) {
        b->n = b->cap > 0 ? b->cap - 1 : 0;
        b->cut = n > 0;
    } else {
        b->n += (size_t)n;
    }
}
