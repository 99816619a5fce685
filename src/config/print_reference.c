/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the wsbridge authors */
/*
 * The reference: a configuration file with every option, its doc above it as comments, and its default.
 *
 * It loads as it stands: what has a default is written out, and what has none is there as a comment with a sample.
 * Prose is "# text", a switched-off option is "#key: value" (the '#' where the option would begin), so taking out the
 * first '#' of the lines of an option switches it on. Inside something that is switched off, what one would write is
 * one '#' deep and the rest two. A table that comes up again is described once.
 */
#include "config/print.h"

#define WIDTH 100
#define TABLES_MAX 64

struct reference {
    struct cfg_writer w;
    unsigned off;     /* how many '#' deep: 0, 1 or 2 */
    unsigned mark[2]; /* the column of each */
    bool dash;        /* the next line begins an item of a list */
    bool gap;         /* an empty line goes before the next option */
    const struct cfg_table *seen[TABLES_MAX];
    size_t n_seen;
};

static void write_fields(struct reference *r, const struct cfg_table *t, unsigned indent);

static void begin_line(struct reference *r, unsigned indent)
{
    unsigned column = 0;
    for (unsigned i = 0; i < r->off; i++) {
        cfg_write_spaces(&r->w, r->mark[i] - column);
        cfg_write_str(&r->w, "#");
        column = r->mark[i];
    }
    cfg_write_spaces(&r->w, indent - column - (r->dash ? 2 : 0));
    if (r->dash)
        cfg_write_str(&r->w, "- ");
    r->dash = false;
}

static void write_doc(struct reference *r, const char *doc, const char *facts, unsigned indent)
{
    char text[2048];
    struct strbuf b;
    struct slice rest, line;
    bool dash = r->dash;
    strbuf_init(&b, text, sizeof(text));
    strbuf_str(&b, doc ? doc : "");
    strbuf_str(&b, facts);
    rest = strbuf_slice(&b);
    r->dash = false; /* prose stands before the dash */
    while (cfg_wrap(&rest, WIDTH - indent, false, &line)) {
        begin_line(r, dash ? indent - 2 : indent);
        cfg_write_str(&r->w, "# ");
        cfg_write(&r->w, line);
        cfg_write_str(&r->w, "\n");
    }
    r->dash = dash;
}

static bool was_seen(const struct reference *r, const struct cfg_table *t)
{
    for (size_t i = 0; i < r->n_seen; i++)
        if (r->seen[i] == t)
            return true;
    return r->n_seen == TABLES_MAX;
}

/* Whether a struct has anything to set as it stands. */
static bool is_active(const struct cfg_table *t, unsigned deep)
{
    for (const struct cfg_field *f = t->fields; f->key; f++) {
        if (f->flags & CFG_HIDDEN)
            continue;
        if (f->fallback || (f->type == CFG_STRUCT && deep < CFG_TABLES_DEEP && is_active(f->table, deep + 1)))
            return true;
    }
    return false;
}

static bool is_plain_name(const char *s)
{
    size_t n = s ? strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_-0123456789") : 0;
    return n && !s[n];
}

/* What is below a list, a map or a struct. */
static void write_below(struct reference *r, const struct cfg_field *f, unsigned indent)
{
    if (f->type == CFG_MAP) {
        begin_line(r, indent + 2);
        cfg_write_str(&r->w, is_plain_name(f->example) ? f->example : "NAME");
        cfg_write_str(&r->w, ":\n");
        indent += 2;
    } else if (f->type == CFG_LIST) {
        r->dash = true;
        indent += 2;
    }
    r->gap = false;
    write_fields(r, f->table, indent + 2);
    r->dash = false;
}

static void write_value(struct reference *r, const struct cfg_field *f, const char *value, unsigned indent)
{
    begin_line(r, indent);
    cfg_write_str(&r->w, f->key);
    cfg_write_str(&r->w, value ? ": " : ":");
    cfg_write_str(&r->w, value ? value : "");
    cfg_write_str(&r->w, "\n");
}

static void write_option(struct reference *r, const struct cfg_field *f, unsigned indent)
{
    bool repeat = f->table && was_seen(r, f->table);
    bool below = f->table && !f->fallback && !repeat;
    const char *sample = f->table && !f->fallback ? (f->type == CFG_LIST ? "[]" : "{}") : cfg_sample(f);
    if (f->table && !repeat)
        r->seen[r->n_seen++] = f->table;
    write_value(r, f, below ? NULL : sample, indent);
    if (below)
        write_below(r, f, indent);
}

static void print_facts(const struct reference *r, const struct cfg_field *f, struct strbuf *out)
{
    cfg_print_facts(f, out);
    if (!f->table)
        return;
    if (was_seen(r, f->table))
        strbuf_str(out, " Its keys are described above.");
    if (f->table->shorthand && f->example && !is_plain_name(f->example))
        strbuf_printf(out, " Short form: `%s: %s`.", f->key, f->example);
}

/* An empty line; inside a switched-off block one that belongs to it. */
static void write_gap(struct reference *r)
{
    if (r->off) {
        cfg_write_spaces(&r->w, r->mark[0]);
        cfg_write_str(&r->w, "#");
    }
    cfg_write_str(&r->w, "\n");
}

static void write_field(struct reference *r, const struct cfg_field *f, unsigned indent)
{
    char facts[512];
    struct strbuf b;
    bool on = f->fallback || (f->type == CFG_STRUCT && is_active(f->table, 0) && !was_seen(r, f->table));
    /* In a sample, what is required is as much a part as what has a default; so is what carries the dash. */
    bool off = !on && !(r->off && ((f->flags & CFG_REQUIRED) || r->dash)) && r->off < 2;

    if (r->gap)
        write_gap(r);
    strbuf_init(&b, facts, sizeof(facts));
    print_facts(r, f, &b);
    write_doc(r, f->doc ? f->doc : f->table ? f->table->doc : NULL, facts, indent);

    if (off)
        r->mark[r->off++] = indent;
    write_option(r, f, indent);
    if (off)
        r->off--;
    r->gap = true;
}

static void write_fields(struct reference *r, const struct cfg_table *t, unsigned indent)
{
    for (const struct cfg_field *f = t->fields; f->key; f++)
        if (!(f->flags & CFG_HIDDEN))
            write_field(r, f, indent);
}

void cfg_print_reference(const struct cfg_table *t, cfg_put *put, void *arg)
{
    struct reference r = {.w = {put, arg}};
    r.seen[r.n_seen++] = t;
    if (t->doc) {
        write_doc(&r, t->doc, "", 0);
        r.gap = true;
    }
    write_fields(&r, t, 0);
    if (!cfg_has_field(t, cfg_include_field.key))
        write_field(&r, &cfg_include_field, 0);
}
