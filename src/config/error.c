/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the wsbridge authors */
/*
 * Problems: kept in the order of files, lines and columns, and shown with the line that they are about.
 *
 * However many there are, only the first CFG_ERRORS_MAX by place are kept; the others are counted. Messages may quote
 * what the user wrote, so control characters are replaced when they are shown.
 */
#include <stdio.h>

#include "base/utf8.h"
#include "config/tree.h"

#define SHOWN_MAX 160 /* characters of a source line */
#define MESSAGE_MAX 512

static int compare(const struct cfg_problem *a, const struct cfg_problem *b)
{
    unsigned fa = a->place.file ? a->place.file->order : 0;
    unsigned fb = b->place.file ? b->place.file->order : 0;
    if (fa != fb)
        return fa < fb ? -1 : 1;
    if (a->place.line != b->place.line)
        return a->place.line < b->place.line ? -1 : 1;
    if (a->place.column != b->place.column)
        return a->place.column < b->place.column ? -1 : 1;
    return a->seq < b->seq ? -1 : 1;
}

/* Where `p` belongs, or CFG_ERRORS_MAX when it is behind all that are kept. */
static size_t position_for(const struct cfg_problems *list, const struct cfg_problem *p)
{
    size_t i = list->n;
    while (i > 0 && compare(p, &list->v[i - 1]) < 0)
        i--;
    return i;
}

/* The same sentence at the same place is one problem: a node that is reached through two aliases is wrong once. */
static bool is_known(const struct cfg_problems *list, const struct cfg_problem *p, const char *message)
{
    for (size_t i = 0; i < list->n; i++) {
        const struct cfg_place *at = &list->v[i].place;
        if (at->file == p->place.file && at->line == p->place.line && at->column == p->place.column &&
            !strcmp(list->v[i].message, message))
            return true;
    }
    return false;
}

void cfg_report(struct cfg_load *l, bool warning, const struct cfg_place *at, const char *help, const char *fmt,
                va_list ap)
{
    struct cfg_problems *list = warning ? &l->warnings : &l->errors;
    struct cfg_problem p = {.warning = warning, .seq = l->seq++, .place = *at, .help = help};
    char text[MESSAGE_MAX];

    size_t i = position_for(list, &p);
    if (i == CFG_ERRORS_MAX) {
        list->total++;
        return;
    }
    int n = vsnprintf(text, sizeof(text), fmt, ap);
    if (n >= (int)sizeof(text)) { /* cut between characters, and visibly */
        for (n = sizeof(text) - 5; n > 0 && ((unsigned char)text[n] & 0xC0) == 0x80; n--)
            ;
        memcpy(text + n, "...", sizeof("..."));
    }
    if (is_known(list, &p, text))
        return;
    list->total++;
    p.message = arena_dup(l->arena, slice_of(text));
    if (!p.message)
        p.message = "out of memory";

    if (list->n < CFG_ERRORS_MAX)
        list->n++;
    memmove(&list->v[i + 1], &list->v[i], (list->n - 1 - i) * sizeof(p));
    list->v[i] = p;
}

void cfg_error_at(struct cfg_load *l, const struct cfg_place *at, const char *help, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    cfg_report(l, false, at, help, fmt, ap);
    va_end(ap);
}

void cfg_error(struct cfg_load *l, const struct cfg_node *at, const char *help, const char *fmt, ...)
{
    struct cfg_place nowhere = {0};
    va_list ap;
    va_start(ap, fmt);
    cfg_report(l, false, at ? &at->place : &nowhere, help, fmt, ap);
    va_end(ap);
}

void cfg_warning(struct cfg_load *l, const struct cfg_node *at, const char *help, const char *fmt, ...)
{
    struct cfg_place nowhere = {0};
    va_list ap;
    va_start(ap, fmt);
    cfg_report(l, true, at ? &at->place : &nowhere, help, fmt, ap);
    va_end(ap);
}

/* Once: everything after it fails for the same reason. */
void cfg_no_memory(struct cfg_load *l)
{
    struct cfg_place nowhere = {0};
    if (!l->out_of_memory)
        cfg_error_at(l, &nowhere, NULL, "out of memory while the configuration is read");
    l->out_of_memory = true;
}

struct cfg_place cfg_place_of_file(const struct cfg_file *f)
{
    return (struct cfg_place){.file = f};
}

size_t cfg_error_count(const struct cfg_load *l)
{
    return l->errors.total;
}

size_t cfg_warning_count(const struct cfg_load *l)
{
    return l->warnings.total;
}

/* --- showing --------------------------------------------------------------------------------------------------------
 */

struct out {
    cfg_put *put;
    void *arg;
    bool color;
};

static void out_str(const struct out *o, const char *z)
{
    o->put(o->arg, slice_of(z));
}

static void out_style(const struct out *o, const char *sgr)
{
    if (o->color)
        out_str(o, sgr);
}

/* Text from outside: what a terminal might obey, and what is no text at all, becomes '?'. */
static void out_text(const struct out *o, struct slice s)
{
    while (s.n) {
        size_t n = 0, skip = 0;
        while (n < s.n && !skip) {
            uint32_t code;
            size_t len = utf8_next((struct slice){s.p + n, s.n - n}, &code);
            if (!len || utf8_is_control(code))
                skip = len ? len : 1;
            else
                n += len;
        }
        o->put(o->arg, (struct slice){s.p, n});
        if (skip)
            out_str(o, s.p[n] == '\t' ? " " : "?");
        s.p += n + skip;
        s.n -= n + skip;
    }
}

static void out_repeat(const struct out *o, char c, size_t n)
{
    char some[SHOWN_MAX + 1];
    n = MIN_OF(n, sizeof(some) - 1);
    memset(some, c, n);
    o->put(o->arg, (struct slice){some, n});
}

/* The bytes of the first `n` characters. */
static size_t bytes_of(struct slice s, size_t n)
{
    size_t i = 0;
    while (i < s.n && n--) {
        do
            i++;
        while (i < s.n && ((unsigned char)s.p[i] & 0xC0) == 0x80);
    }
    return i;
}

/* The line and the caret. Of a very long line only the part around the place is shown. */
static void out_source(const struct out *o, const struct cfg_place *at)
{
    struct slice line = cfg_text_line(at->file, at->line);
    size_t before = at->column ? at->column - 1 : 0;
    const char *lead = "";
    if (!line.p)
        return;
    if (before > SHOWN_MAX / 2 && bytes_of(line, SHOWN_MAX) < line.n) {
        size_t cut = before - SHOWN_MAX / 2;
        size_t bytes = bytes_of(line, cut);
        line.p += bytes;
        line.n -= bytes;
        before -= cut;
        lead = "...";
    }
    size_t shown = bytes_of(line, SHOWN_MAX);
    char number[32];
    snprintf(number, sizeof(number), "%6u | ", at->line);
    out_str(o, number);
    out_str(o, lead);
    out_text(o, (struct slice){line.p, shown});
    out_str(o, shown < line.n ? "...\n" : "\n");

    out_str(o, "       | ");
    out_repeat(o, ' ', before + strlen(lead));
    out_style(o, "\033[1;32m");
    out_str(o, "^");
    size_t room = before < SHOWN_MAX ? SHOWN_MAX - before : 1;
    if (at->width > 1)
        out_repeat(o, '~', MIN_OF((size_t)at->width, room) - 1);
    out_style(o, "\033[0m");
    out_str(o, "\n");
}

static void out_problem(const struct out *o, const struct cfg_problem *p)
{
    out_style(o, "\033[1m");
    if (p->place.file) {
        char place[64];
        out_text(o, slice_of(p->place.file->name));
        if (p->place.line)
            snprintf(place, sizeof(place), ":%u:%u: ", p->place.line, p->place.column);
        else
            snprintf(place, sizeof(place), ": ");
        out_str(o, place);
    }
    out_style(o, p->warning ? "\033[1;35m" : "\033[1;31m");
    out_str(o, p->warning ? "warning: " : "error: ");
    out_style(o, "\033[0m");
    out_style(o, "\033[1m");
    out_text(o, slice_of(p->message));
    out_style(o, "\033[0m");
    out_str(o, "\n");
    if (p->place.file && p->place.line)
        out_source(o, &p->place);
    if (p->help) {
        out_str(o, "       = help: ");
        out_text(o, slice_of(p->help));
        out_str(o, "\n");
    }
}

static void out_rest(const struct out *o, const struct cfg_problems *list, const char *what)
{
    char text[64];
    if (list->total == list->n)
        return;
    snprintf(text, sizeof(text), "and %zu more %s%s\n", list->total - list->n, what,
             list->total - list->n == 1 ? "" : "s");
    out_str(o, text);
}

void cfg_errors_print(const struct cfg_load *l, bool color, cfg_put *put, void *arg)
{
    struct out o = {put, arg, color};
    size_t e = 0, w = 0;
    while (e < l->errors.n || w < l->warnings.n) {
        bool warning = e == l->errors.n || (w < l->warnings.n && compare(&l->warnings.v[w], &l->errors.v[e]) < 0);
        out_problem(&o, warning ? &l->warnings.v[w++] : &l->errors.v[e++]);
    }
    out_rest(&o, &l->errors, "error");
    out_rest(&o, &l->warnings, "warning");
}
