/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the wsbridge authors */
/*
 * Log lines. Keys and event names are ours; values are anybody's. escape() is the only way a value gets into a line: it
 * goes unit by unit (one UTF-8 character or one wrong byte), so a cut never falls inside an escape, and what could move
 * a terminal's cursor, forge a second line or turn the reading direction comes out as an escape.
 *
 * Invariant: TAIL_MAX bytes are always left for the end of the line.
 */
#include "obs/line.h"

#include <math.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/strbuf.h"
#include "base/utf8.h"

#define TAIL_MAX 16    /* ,"cut":true} and the line feed */
#define VALUE_MAX 1536 /* one value shall not push the others out */
#define UNIT_MAX 16

static const char cut_mark[] = "...";

/* Format characters that change how the text around them is shown: zero width, direction, line separators, BOM. */
static bool is_deceiving(uint32_t code)
{
    return (code >= 0x200b && code <= 0x200f) || (code >= 0x2028 && code <= 0x202e) ||
           (code >= 0x2060 && code <= 0x206f) || code == 0xfeff;
}

/* The letter of a short escape that C and JSON share, or 0. */
static char short_escape(uint32_t code)
{
    switch (code) {
    case '"':
    case '\\':
        return (char)code;
    case '\n':
        return 'n';
    case '\r':
        return 'r';
    case '\t':
        return 't';
    default:
        return 0;
    }
}

/* Escapes the first unit of `s` (not empty) into `out` (UNIT_MAX). The bytes used up; *n is the bytes written. */
static size_t escape_unit(struct slice s, enum log_format format, char *out, size_t *n)
{
    uint32_t code;
    size_t used = utf8_next(s, &code);
    bool wrong = used == 0;
    if (wrong) {
        used = 1;
        code = (unsigned char)s.p[0];
    }
    char letter = wrong ? 0 : short_escape(code);
    if (letter) {
        out[0] = '\\';
        out[1] = letter;
        *n = 2;
    } else if (!wrong && !utf8_is_control(code) && !is_deceiving(code)) {
        memcpy(out, s.p, used);
        *n = used;
    } else if (format == LOG_JSON) {
        *n = (size_t)snprintf(out, UNIT_MAX, "\\u%04x", (unsigned)(code & 0xffff));
    } else {
        for (size_t i = 0; i < used; i++)
            snprintf(out + 4 * i, 5, "\\x%02x", (unsigned)(unsigned char)s.p[i]);
        *n = 4 * used;
    }
    return used;
}

/* Appends `s` escaped while b->n stays within `limit`; the bytes of `s` used up. */
static size_t escape(struct strbuf *b, struct slice s, enum log_format format, size_t limit)
{
    char unit[UNIT_MAX];
    size_t at = 0;
    while (at < s.n && !b->cut) {
        size_t n;
        size_t used = escape_unit((struct slice){s.p + at, s.n - at}, format, unit, &n);
        if (b->n + n > limit)
            break;
        strbuf_put(b, (struct slice){unit, n});
        at += used;
    }
    return at;
}

static bool needs_quotes(struct slice s)
{
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];
        if (c <= ' ' || c == '"' || c == '\\' || c >= 0x7f)
            return true;
    }
    return s.n == 0;
}

void log_escape_text(struct strbuf *out, struct slice s)
{
    if (!needs_quotes(s)) {
        strbuf_put(out, s);
        return;
    }
    strbuf_char(out, '"');
    escape(out, s, LOG_TEXT, SIZE_MAX);
    strbuf_char(out, '"');
}

void log_escape_json(struct strbuf *out, struct slice s)
{
    strbuf_char(out, '"');
    escape(out, s, LOG_JSON, SIZE_MAX);
    strbuf_char(out, '"');
}

/* A text value, cut to what a value may have and the line still holds. False when it was cut. */
static bool put_text(struct strbuf *b, struct slice s, enum log_format format, size_t end)
{
    if (!s.p) { /* nothing is known, which is not the same as an empty text */
        strbuf_str(b, format == LOG_JSON ? "null" : "-");
        return true;
    }
    bool quotes = format == LOG_JSON || needs_quotes(s);
    size_t room = MIN_OF(b->n + VALUE_MAX, end);
    if (quotes)
        strbuf_char(b, '"');
    size_t limit = room - MIN_OF(room, sizeof(cut_mark)); /* the mark and the closing quote */
    size_t used = escape(b, s, format, limit);
    if (used < s.n)
        strbuf_str(b, cut_mark);
    if (quotes)
        strbuf_char(b, '"');
    return used == s.n;
}

static bool put_value(struct strbuf *b, const struct kv *kv, enum log_format format, size_t end)
{
    switch (kv->kind) {
    case KV_SLICE:
        return put_text(b, kv->v.s, format, end);
    case KV_UINT:
        strbuf_printf(b, "%llu", (unsigned long long)kv->v.u);
        break;
    case KV_INT:
        strbuf_printf(b, "%lld", (long long)kv->v.i);
        break;
    case KV_SECONDS: /* JSON knows no infinity, and no duration is one */
        strbuf_printf(b, "%.3f", isfinite(kv->v.f) && fabs(kv->v.f) < 1e15 ? kv->v.f : 0.0);
        break;
    case KV_BOOL:
        strbuf_str(b, kv->v.b ? "true" : "false");
        break;
    }
    return true;
}

/* One pair, or nothing when it does not fit before `end`. False when anything was lost. */
static bool put_pair(struct strbuf *b, const struct kv *kv, enum log_format format, size_t end)
{
    size_t start = b->n;
    size_t least = strlen(kv->key) + 32; /* separators, quotes, and any number */
    if (start + least > end)
        return false;
    strbuf_printf(b, format == LOG_JSON ? ",\"%s\":" : " %s=", kv->key);
    return put_value(b, kv, format, end);
}

static void put_head(struct strbuf *b, const struct line_head *h)
{
    char when[CLOCK_TEXT_MAX];
    clock_format(h->wall_ms, when);
    if (h->format == LOG_JSON)
        strbuf_printf(b, "{\"time\":\"%s\",\"level\":\"%s\",\"event\":\"%s\"", when, h->level, h->event);
    else if (h->has_time)
        strbuf_printf(b, "%s %s %s", when, h->level, h->event);
    else
        strbuf_printf(b, "%s %s", h->level, h->event);
}

size_t line_write(char *mem, const struct line_head *head, const struct kv *kv, size_t n)
{
    struct strbuf b;
    size_t end = LINE_MAX_BYTES - TAIL_MAX;
    bool whole = true;
    strbuf_init(&b, mem, LINE_MAX_BYTES);
    put_head(&b, head);
    for (size_t i = 0; i < n; i++)
        whole = put_pair(&b, &kv[i], head->format, end) && whole;
    if (!whole)
        strbuf_str(&b, head->format == LOG_JSON ? ",\"cut\":true" : " cut=true");
    strbuf_str(&b, head->format == LOG_JSON ? "}\n" : "\n");
    return b.n;
}
