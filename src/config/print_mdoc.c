/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the wsbridge authors */
/*
 * The option tables as mdoc(7): the body of the options section of a manual page. One subsection a table, in the order
 * in which fields lead to them; tables of one name (the overrides) are described once.
 */
#include "config/print.h"

#define TABLES_MAX 64

struct page {
    struct cfg_writer w;
    const struct cfg_table *tables[TABLES_MAX]; /* found so far; each is written when its turn comes */
    size_t n;
};

static bool same_name(const struct cfg_table *a, const struct cfg_table *b)
{
    return a == b || (a->name && b->name && !strcmp(a->name, b->name));
}

static void add_table(struct page *p, const struct cfg_table *t)
{
    for (size_t i = 0; i < p->n; i++)
        if (same_name(p->tables[i], t))
            return;
    if (p->n < TABLES_MAX)
        p->tables[p->n++] = t;
}

/* Text that roff must not obey: backslashes, and a dot or an apostrophe at the start of a line. */
static void write_text(struct page *p, struct slice s)
{
    if (s.n && (s.p[0] == '.' || s.p[0] == '\''))
        cfg_write_str(&p->w, "\\&");
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] == '\\')
            cfg_write_str(&p->w, "\\e");
        else if (s.p[i] == '"')
            cfg_write_str(&p->w, "\\(dq");
        else
            cfg_write(&p->w, (struct slice){s.p + i, 1});
    }
}

/* One argument of a macro; "\&" keeps it from being taken for a macro itself, and its end from being punctuation. */
static void write_argument(struct page *p, const char *text)
{
    cfg_write_str(&p->w, "\"\\&");
    write_text(p, slice_of(text));
    cfg_write_str(&p->w, "\\&\"");
}

/* A new sentence begins a new line, as mdoc wants it. */
static void write_prose(struct page *p, const char *text)
{
    struct slice rest = slice_of(text), line;
    while (cfg_wrap(&rest, 72, true, &line)) {
        write_text(p, line);
        cfg_write_str(&p->w, "\n");
    }
}

static void write_example(struct page *p, const char *word, const char *value)
{
    cfg_write_str(&p->w, word);
    cfg_write_str(&p->w, "\n.Ql ");
    write_argument(p, value);
    cfg_write_str(&p->w, " .\n");
}

static void write_field(struct page *p, const struct cfg_field *f)
{
    char facts[512];
    struct strbuf b;
    strbuf_init(&b, facts, sizeof(facts));
    cfg_print_facts(f, &b);

    cfg_write_str(&p->w, ".It Ic ");
    cfg_write_str(&p->w, f->key);
    cfg_write_str(&p->w, " : Ar ");
    write_argument(p, cfg_type_noun(f));
    cfg_write_str(&p->w, "\n");
    write_prose(p, f->doc ? f->doc : f->table && f->table->doc ? f->table->doc : "No more is said of it.");
    write_prose(p, facts);
    if (f->fallback)
        write_example(p, "Default:", f->fallback);
    else if (f->example && !f->table)
        write_example(p, "For example:", f->example);
    if (f->table) {
        add_table(p, f->table);
        cfg_write_str(&p->w, "See\n.Sx ");
        write_argument(p, f->table->name);
        cfg_write_str(&p->w, " .\n");
    }
}

static void write_table(struct page *p, const struct cfg_table *t, bool root)
{
    if (!root) {
        cfg_write_str(&p->w, ".Ss ");
        write_argument(p, t->name);
        cfg_write_str(&p->w, "\n");
    }
    if (t->doc)
        write_prose(p, t->doc);
    cfg_write_str(&p->w, ".Bl -tag -width Ds\n");
    for (const struct cfg_field *f = t->fields; f->key; f++)
        write_field(p, f);
    if (root && !cfg_has_field(t, cfg_include_field.key))
        write_field(p, &cfg_include_field);
    cfg_write_str(&p->w, ".El\n");
}

void cfg_print_mdoc(const struct cfg_table *t, cfg_put *put, void *arg)
{
    struct page p = {.w = {put, arg}};
    add_table(&p, t);
    for (size_t i = 0; i < p.n; i++)
        write_table(&p, p.tables[i], i == 0);
}
