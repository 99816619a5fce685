/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the wsbridge authors */
/*
 * Structs back to YAML: a configuration that loads to the same values, with every default written out.
 *
 * What has no default and was not given is left out: by the table's `set` bits for numbers where it has them, else by
 * being zero, NULL or empty.
 */
#include <stdlib.h>

#include "config/print.h"
#include "config/tree.h"

#define CUSTOM_MAX ((size_t)1 << 20)

struct effective {
    struct cfg_writer w;
    bool dash; /* the next line begins an item of a list */
};

/* One struct on its way out. `node`: where it was read, or NULL. */
struct subject {
    const struct cfg_table *table;
    const void *obj;
    const struct cfg_node *node;
};

static bool write_fields(struct effective *e, const struct subject *s, unsigned indent);

static const void *member(const struct subject *s, const struct cfg_field *f)
{
    return (const char *)s->obj + f->offset;
}

static bool was_given(const struct subject *s, const struct cfg_field *f)
{
    size_t bit = (size_t)(f - s->table->fields);
    if (s->table->set_offset <= 0 || bit >= 64)
        return false;
    return *(const uint64_t *)(const void *)((const char *)s->obj + s->table->set_offset) & UINT64_C(1) << bit;
}

/* An empty value that has to be written all the same: given, required, or where the default is not empty. */
static bool empty_counts(const struct subject *s, const struct cfg_field *f)
{
    return f->fallback || (f->flags & CFG_REQUIRED) || was_given(s, f);
}

/* A number that is worth a line. */
static bool number_counts(const struct subject *s, const struct cfg_field *f, bool zero)
{
    if (f->fallback || (f->flags & CFG_REQUIRED))
        return true;
    return s->table->set_offset > 0 ? was_given(s, f) : !zero;
}

static void begin_line(struct effective *e, unsigned indent)
{
    if (e->dash) {
        cfg_write_spaces(&e->w, indent - 2);
        cfg_write_str(&e->w, "- ");
    } else {
        cfg_write_spaces(&e->w, indent);
    }
    e->dash = false;
}

static void write_line(struct effective *e, const char *key, struct slice value, unsigned indent)
{
    begin_line(e, indent);
    cfg_write_str(&e->w, key);
    cfg_write_str(&e->w, ": ");
    cfg_write(&e->w, value);
    cfg_write_str(&e->w, "\n");
}

/* --- values ----------------------------------------------------------------------------------------------------------
 */

static bool write_number(struct effective *e, const struct subject *s, const struct cfg_field *f, unsigned indent)
{
    char text[64];
    struct strbuf b;
    strbuf_init(&b, text, sizeof(text));
    if (f->type == CFG_DURATION) {
        double v = *(const double *)member(s, f);
        if (!number_counts(s, f, v == 0))
            return false;
        cfg_print_duration(v, &b);
    } else {
        uint64_t v = *(const uint64_t *)member(s, f);
        if (!number_counts(s, f, v == 0))
            return false;
        if (f->type == CFG_SIZE)
            cfg_print_size(v, &b);
        else if (v == CFG_UNLIMITED_N)
            strbuf_str(&b, "unlimited");
        else
            strbuf_printf(&b, "%llu", (unsigned long long)v);
    }
    write_line(e, f->key, strbuf_slice(&b), indent);
    return true;
}

static bool write_bool(struct effective *e, const struct subject *s, const struct cfg_field *f, unsigned indent)
{
    bool v = *(const bool *)member(s, f);
    if (!v && !empty_counts(s, f))
        return false;
    write_line(e, f->key, v ? SLICE("on") : SLICE("off"), indent);
    return true;
}

static bool write_enum(struct effective *e, const struct subject *s, const struct cfg_field *f, unsigned indent)
{
    int v = *(const int *)member(s, f);
    if (!v && !empty_counts(s, f))
        return false;
    write_line(e, f->key, slice_of(f->choices[v]), indent);
    return true;
}

static bool write_text(struct effective *e, const struct subject *s, const struct cfg_field *f, unsigned indent)
{
    const char *v = *(const char *const *)member(s, f);
    if (!v)
        return false;
    begin_line(e, indent);
    cfg_write_str(&e->w, f->key);
    cfg_write_str(&e->w, ": ");
    cfg_write_scalar(&e->w, slice_of(v));
    cfg_write_str(&e->w, "\n");
    return true;
}

static bool write_strings(struct effective *e, const struct subject *s, const struct cfg_field *f, unsigned indent)
{
    const struct cfg_strings *v = member(s, f);
    if (!v->n && !empty_counts(s, f))
        return false;
    begin_line(e, indent);
    cfg_write_str(&e->w, f->key);
    cfg_write_str(&e->w, ": [");
    for (size_t i = 0; i < v->n; i++) {
        cfg_write_str(&e->w, i ? ", " : "");
        cfg_write_scalar(&e->w, slice_of(v->v[i]));
    }
    cfg_write_str(&e->w, "]\n");
    return true;
}

/* Plain text that means the same in flow form: `on` in quotes would be another thing. */
static bool stays_plain(const struct cfg_node *n)
{
    static const char safe[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_./-";
    return n->plain && n->n && n->u.text[0] != '-' && strspn(n->u.text, safe) == n->n;
}

/* A node as it was, in flow form. Its depth is bounded since it was read. */
static void write_node(const struct cfg_writer *w, const struct cfg_node *n)
{
    bool map = cfg_node_kind(n) == CFG_NODE_MAP;
    if (cfg_node_text(n) && stays_plain(n)) {
        cfg_write_str(w, n->u.text);
        return;
    }
    if (cfg_node_text(n)) {
        cfg_write_scalar(w, slice_of(cfg_node_text(n)));
        return;
    }
    cfg_write_str(w, map ? "{" : "[");
    for (size_t i = 0; i < cfg_node_count(n); i++) {
        cfg_write_str(w, i ? ", " : "");
        if (map) {
            cfg_write_scalar(w, slice_of(cfg_node_name_at(n, i)));
            cfg_write_str(w, ": ");
        }
        write_node(w, cfg_node_at(n, i));
    }
    cfg_write_str(w, map ? "}" : "]");
}

static void put_strbuf(void *arg, struct slice s)
{
    strbuf_put(arg, s);
}

void cfg_print_node(const struct cfg_node *n, struct strbuf *out)
{
    write_node(&(struct cfg_writer){put_strbuf, out}, n);
}

/* Custom values have no bound on length that we know: what did not fit is printed anew with more room. */
static bool write_custom(struct effective *e, const struct subject *s, const struct cfg_field *f, unsigned indent)
{
    const struct cfg_node *node = cfg_node_get(s->node, f->key);
    if (!f->print) {
        if (!node)
            return false;
        begin_line(e, indent);
        cfg_write_str(&e->w, f->key);
        cfg_write_str(&e->w, ": ");
        write_node(&e->w, node);
        cfg_write_str(&e->w, "\n");
        return true;
    }
    char small[1024], *mem = small;
    struct strbuf b;
    size_t cap = sizeof(small);
    strbuf_init(&b, mem, cap);
    f->print(member(s, f), &b);
    while (b.cut && cap < CUSTOM_MAX) {
        char *more = realloc(mem == small ? NULL : mem, cap * 4);
        if (!more)
            break;
        mem = more;
        cap *= 4;
        strbuf_init(&b, mem, cap);
        f->print(member(s, f), &b);
    }
    bool something = b.n > 0;
    if (something)
        write_line(e, f->key, strbuf_slice(&b), indent);
    if (mem != small)
        free(mem);
    return something;
}

/* --- collections -----------------------------------------------------------------------------------------------------
 */

static void count_put(void *arg, struct slice s)
{
    *(size_t *)arg += s.n;
}

/* Whether a struct would print anything: it is printed for nobody. */
static bool has_lines(const struct subject *s)
{
    size_t n = 0;
    struct effective nobody = {{count_put, &n}, false};
    return write_fields(&nobody, s, 2) && n > 0;
}

/* "name:" and the struct below it. */
static void write_below(struct effective *e, struct slice name, const struct subject *s, unsigned indent)
{
    begin_line(e, indent);
    cfg_write_scalar(&e->w, name);
    if (!has_lines(s)) {
        cfg_write_str(&e->w, ": {}\n");
        return;
    }
    cfg_write_str(&e->w, ":\n");
    write_fields(e, s, indent + 2);
}

static bool write_struct(struct effective *e, const struct subject *s, const struct cfg_field *f, unsigned indent)
{
    struct subject below = {f->table, member(s, f), cfg_node_get(s->node, f->key)};
    if (!has_lines(&below) && !was_given(s, f))
        return false;
    write_below(e, slice_of(f->key), &below, indent);
    return true;
}

static bool write_items(struct effective *e, const struct subject *s, const struct cfg_field *f, unsigned indent)
{
    const struct cfg_items *v = member(s, f);
    bool map = f->type == CFG_MAP;
    if (!v->n && !empty_counts(s, f))
        return false;
    if (!v->n) {
        write_line(e, f->key, map ? SLICE("{}") : SLICE("[]"), indent);
        return true;
    }
    begin_line(e, indent);
    cfg_write_str(&e->w, f->key);
    cfg_write_str(&e->w, ":\n");
    for (size_t i = 0; i < v->n; i++) {
        const char *obj = (const char *)v->v + i * f->table->size;
        struct subject item = {f->table, obj, v->nodes ? v->nodes[i] : NULL};
        if (map) {
            write_below(e, slice_of(((const struct cfg_named *)(const void *)obj)->name), &item, indent + 2);
            continue;
        }
        e->dash = true;
        if (!has_lines(&item)) {
            begin_line(e, indent + 4);
            cfg_write_str(&e->w, "{}\n");
        }
        write_fields(e, &item, indent + 4);
    }
    return true;
}

static bool write_field(struct effective *e, const struct subject *s, const struct cfg_field *f, unsigned indent)
{
    switch (f->type) {
    case CFG_BOOL:
        return write_bool(e, s, f, indent);
    case CFG_COUNT:
    case CFG_SIZE:
    case CFG_DURATION:
        return write_number(e, s, f, indent);
    case CFG_ENUM:
        return write_enum(e, s, f, indent);
    case CFG_STRING:
    case CFG_PATH:
        return write_text(e, s, f, indent);
    case CFG_STRINGS:
        return write_strings(e, s, f, indent);
    case CFG_STRUCT:
        return write_struct(e, s, f, indent);
    case CFG_LIST:
    case CFG_MAP:
        return write_items(e, s, f, indent);
    case CFG_CUSTOM:
        return write_custom(e, s, f, indent);
    }
    return false;
}

/* True when there was something to write. */
static bool write_fields(struct effective *e, const struct subject *s, unsigned indent)
{
    bool any = false;
    for (const struct cfg_field *f = s->table->fields; f->key; f++)
        if (!(f->flags & CFG_HIDDEN))
            any |= write_field(e, s, f, indent);
    return any;
}

void cfg_print_effective(const struct cfg_table *t, const void *obj, cfg_put *put, void *arg)
{
    struct effective e = {{put, arg}, false};
    struct subject s = {t, obj, NULL};
    if (!write_fields(&e, &s, 0))
        cfg_write_str(&e.w, "{}\n");
}
