/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the wsbridge authors */
/*
 * Nodes to structs, by option tables. Every wrong thing is reported and skipped: its field keeps the default, and
 * reading goes on, so one run shows all errors.
 *
 * A default is written in the table as the user would write it and is read in the same way as his text; each is parsed
 * once a load. Recursion follows the tables, and into lists and maps only as deep as nodes do (CFG_DEPTH_MAX).
 */
#include <limits.h>
#include <stdlib.h>

#include "config/tree.h"

/* What is being read: the field, and the key that names it in the file (NULL: a default, or an item of a list). */
struct reading {
    struct cfg_load *load;
    const struct cfg_field *field;
    const struct cfg_node *key;
};

static void read_struct(struct cfg_load *l, const struct cfg_table *t, const struct cfg_node *node, void *obj,
                        const char *name);

/* --- words for errors ------------------------------------------------------------------------------------------------
 */

static const char *type_words(const struct cfg_field *f)
{
    switch (f->type) {
    case CFG_BOOL:
        return "true or false";
    case CFG_COUNT:
        return f->flags & CFG_ALLOW_UNLIMITED ? "a whole number or \"unlimited\"" : "a whole number";
    case CFG_SIZE:
        return "a size such as 64KiB";
    case CFG_DURATION:
        return "a duration such as 30s";
    case CFG_ENUM:
        return "one word";
    case CFG_STRING:
        return "a text";
    case CFG_PATH:
        return "a path";
    case CFG_STRINGS:
        return "a text or a list of texts";
    case CFG_STRUCT:
        return "a map of options";
    case CFG_LIST:
        return "a list of maps";
    case CFG_MAP:
        return "a map of names";
    default:
        return "something else";
    }
}

static const char *kind_words(const struct cfg_node *n)
{
    static const char *const words[] = {"a single value", "a list", "a map"};
    return words[n->kind];
}

static void say_kind(const struct reading *r, const struct cfg_node *node, const char *wanted)
{
    const char *help = cfg_quote_hint(r->load, &node->place);
    cfg_error(r->load, node, help, "\"%s\" must be %s, not %s", r->field->key, wanted, kind_words(node));
}

static const char *join_choices(struct cfg_load *l, const char *const *choices)
{
    char text[400];
    struct strbuf b;
    strbuf_init(&b, text, sizeof(text));
    for (size_t i = 0; choices[i]; i++)
        strbuf_printf(&b, "%s%s", i ? ", " : "it is one of: ", choices[i]);
    return arena_dup(l->arena, strbuf_slice(&b));
}

static size_t count_choices(const char *const *choices)
{
    size_t n = 0;
    while (choices[n])
        n++;
    return n;
}

static bool all_digits(const char *text)
{
    return *text && text[strspn(text, "0123456789")] == '\0';
}

/* --- scalars ---------------------------------------------------------------------------------------------------------
 */

static bool parse_bool(const char *text, bool *out)
{
    static const char *const words[] = {"true", "false", "on", "off", "yes", "no"};
    for (size_t i = 0; i < ARRAY_LEN(words); i++) {
        if (!strcmp(text, words[i])) {
            *out = i % 2 == 0;
            return true;
        }
    }
    return false;
}

static void read_bool(const struct reading *r, const struct cfg_node *node, bool *dst)
{
    static const char *const words[] = {"true", "false", "on", "off", "yes", "no"};
    if (!parse_bool(node->u.text, dst))
        cfg_error(r->load, node, cfg_suggest(r->load, node->u.text, words, ARRAY_LEN(words)),
                  "\"%s\" must be true or false, not \"%s\"", r->field->key, node->u.text);
    else if (!node->plain)
        cfg_error(r->load, node, "write it without quotes", "\"%s\" must be true or false, not a text", r->field->key);
}

static bool is_unlimited(const struct reading *r, const char *text)
{
    return (r->field->flags & CFG_ALLOW_UNLIMITED) &&
           (!strcmp(text, "unlimited") || (r->field->type == CFG_DURATION && !strcmp(text, "off")));
}

static void print_amount(const struct cfg_field *f, uint64_t v, struct strbuf *out)
{
    if (f->type == CFG_SIZE)
        cfg_print_size(v, out);
    else if (f->type == CFG_DURATION)
        cfg_print_duration((double)v / 1000.0, out);
    else
        strbuf_printf(out, "%llu", (unsigned long long)v);
}

/* `v`: bytes, a count, or milliseconds. */
static bool check_bounds(const struct reading *r, const struct cfg_node *node, uint64_t v)
{
    const struct cfg_field *f = r->field;
    char text[64];
    struct strbuf b;
    bool low = v < f->min;
    if (!low && (!f->max || v <= f->max))
        return true;
    strbuf_init(&b, text, sizeof(text));
    print_amount(f, low ? f->min : f->max, &b);
    cfg_error(r->load, node, !low && (f->flags & CFG_ALLOW_UNLIMITED) ? "or write \"unlimited\"" : NULL,
              "\"%s\" must be at %s %s", f->key, low ? "least" : "most", text);
    return false;
}

static void read_count(const struct reading *r, const struct cfg_node *node, uint64_t *dst)
{
    uint64_t v;
    if (is_unlimited(r, node->u.text)) {
        *dst = CFG_UNLIMITED_N;
        return;
    }
    if (!slice_to_u64(slice_of(node->u.text), UINT64_MAX / 2, &v)) {
        const char *help = !strcmp(node->u.text, "unlimited") ? "it has to be bounded" : NULL;
        cfg_error(r->load, node, all_digits(node->u.text) ? "the number is too large" : help,
                  "\"%s\" must be %s, not \"%s\"", r->field->key, type_words(r->field), node->u.text);
        return;
    }
    if (check_bounds(r, node, v))
        *dst = v;
}

/* "64" has no unit; show how it would look with one. A large number was meant as bytes. */
static const char *unit_help(const struct reading *r, const char *text, const char *why)
{
    char mem[32];
    struct strbuf bytes;

    if (!strcmp(text, "unlimited"))
        return "it has to be bounded";
    if (!all_digits(text) || strlen(text) > 15 || (strspn(text, "0") == strlen(text) && r->field->min > 0))
        return why;
    if (r->field->type == CFG_SIZE && strlen(text) > 3) {
        strbuf_init(&bytes, mem, sizeof(mem));
        cfg_print_size(strtoull(text, NULL, 10), &bytes);
        return arena_printf(r->load->arena, "write %s", bytes.p);
    }
    return arena_printf(r->load->arena, r->field->type == CFG_SIZE ? "write %sKiB or %sMiB" : "write %ss or %sm", text,
                        text);
}

static void say_amount(const struct reading *r, const struct cfg_node *node, const char *why)
{
    const char *text = node->u.text;
    const char *help = unit_help(r, text, why);
    if (all_digits(text))
        cfg_error(r->load, node, help, "\"%s\" needs a unit", r->field->key);
    else
        cfg_error(r->load, node, help, "\"%s\" must be %s, not \"%s\"", r->field->key, type_words(r->field), text);
}

static void read_size(const struct reading *r, const struct cfg_node *node, uint64_t *dst)
{
    const char *why;
    uint64_t v;
    if (is_unlimited(r, node->u.text))
        *dst = CFG_UNLIMITED_N;
    else if (!cfg_parse_size(slice_of(node->u.text), &v, &why))
        say_amount(r, node, why);
    else if (check_bounds(r, node, v))
        *dst = v;
}

static void read_duration(const struct reading *r, const struct cfg_node *node, double *dst)
{
    const char *why;
    double v;
    if (is_unlimited(r, node->u.text))
        *dst = CFG_UNLIMITED;
    else if (!cfg_parse_duration(slice_of(node->u.text), &v, &why))
        say_amount(r, node, why);
    else if (check_bounds(r, node, (uint64_t)llrint(v * 1000.0)))
        *dst = v;
}

/* Where "on" and "off" are choices, the other words for them are too. */
static const char *choice_alias(const struct cfg_node *node)
{
    bool on;
    if (!node->plain || !parse_bool(node->u.text, &on))
        return node->u.text;
    return on ? "on" : "off";
}

static void read_enum(const struct reading *r, const struct cfg_node *node, int *dst)
{
    const char *const *choices = r->field->choices;
    const char *other = choice_alias(node);
    int alias = -1;
    for (int i = 0; choices[i]; i++) {
        if (!strcmp(choices[i], node->u.text)) {
            *dst = i;
            return;
        }
        if (!strcmp(choices[i], other))
            alias = i;
    }
    if (alias >= 0) {
        *dst = alias;
        return;
    }
    const char *help = cfg_suggest(r->load, node->u.text, choices, count_choices(choices));
    cfg_error(r->load, node, help ? help : join_choices(r->load, choices), "\"%s\" cannot be \"%s\"", r->field->key,
              node->u.text);
}

static void read_path(const struct reading *r, const struct cfg_node *node, const char **dst)
{
    if (!node->n)
        cfg_error(r->load, node, NULL, "\"%s\" cannot be empty", r->field->key);
    else
        *dst = cfg_path_resolve(r->load, node, node->u.text);
}

/* --- collections -----------------------------------------------------------------------------------------------------
 */

static void *alloc_items(const struct reading *r, size_t n, size_t size)
{
    void *v = arena_alloc(r->load->arena, n * size + 1);
    if (!v)
        cfg_no_memory(r->load);
    return v;
}

/* The items of a list, or the node itself as a list of one. */
static const struct cfg_node *const *items_of(const struct cfg_node *const *node, size_t *n)
{
    bool list = (*node)->kind == CFG_NODE_LIST;
    *n = list ? (*node)->n : 1;
    return list ? (*node)->u.items : node;
}

static void read_strings(const struct reading *r, const struct cfg_node *node, struct cfg_strings *dst)
{
    size_t n, kept = 0;
    const struct cfg_node *const *items = items_of(&node, &n);
    const char **v = alloc_items(r, n, sizeof(*v));
    const struct cfg_node **nodes = alloc_items(r, n, sizeof(void *));
    if (!v || !nodes)
        return;
    for (size_t i = 0; i < n; i++) {
        if (items[i]->kind != CFG_NODE_SCALAR) {
            say_kind(r, items[i], node->kind == CFG_NODE_LIST ? "a list of texts" : type_words(r->field));
        } else if (cfg_node_is_null(items[i])) {
            cfg_error(r->load, items[i], "an empty text is written \"\"", "an item of \"%s\" has no value",
                      r->field->key);
        } else {
            v[kept] = items[i]->u.text;
            nodes[kept++] = items[i];
        }
    }
    *dst = (struct cfg_strings){kept, v, nodes};
}

static void read_list(const struct reading *r, const struct cfg_node *node, struct cfg_items *dst)
{
    const struct cfg_table *t = r->field->table;
    size_t n, kept = 0;
    const struct cfg_node *const *items = items_of(&node, &n);
    char *v = alloc_items(r, n, t->size);
    const struct cfg_node **nodes = alloc_items(r, n, sizeof(void *));
    if (!v || !nodes)
        return;
    for (size_t i = 0; i < n; i++) {
        if (cfg_node_is_null(items[i])) {
            cfg_error(r->load, items[i], NULL, "an item of \"%s\" has no value", r->field->key);
        } else if (items[i]->kind != CFG_NODE_MAP && !t->shorthand) {
            say_kind(r, items[i], node->kind == CFG_NODE_LIST ? "a list of maps" : type_words(r->field));
        } else {
            read_struct(r->load, t, items[i], v + kept * t->size, NULL);
            nodes[kept++] = items[i];
        }
    }
    *dst = (struct cfg_items){kept, v, nodes};
}

static const struct cfg_field *find_field(const struct cfg_table *t, const char *key);

/* Options where names are expected. A name may be spelt like an option, but then there is a map behind it; and what has
 * none is no entry, but an option, known or not. */
static bool is_one(const struct cfg_field *f, const struct cfg_node *node)
{
    const struct cfg_field *first = node->n ? find_field(f->table, node->u.pairs[0].key->u.text) : NULL;

    return (f->flags & CFG_OR_ONE) && node->n &&
           (node->u.pairs[0].value->kind != CFG_NODE_MAP || (first && first->table));
}

static void read_map(const struct reading *r, const struct cfg_node *node, struct cfg_items *dst)
{
    const struct cfg_table *t = r->field->table;
    size_t kept = 0;
    if (node->kind != CFG_NODE_MAP) {
        say_kind(r, node, type_words(r->field));
        return;
    }
    char *v = alloc_items(r, node->n, t->size);
    const struct cfg_node **nodes = alloc_items(r, node->n, sizeof(void *));
    if (!v || !nodes)
        return;
    if (is_one(r->field, node)) {
        read_struct(r->load, t, node, v, CFG_ONE_NAME);
        nodes[0] = node;
        *dst = (struct cfg_items){1, v, nodes};
        return;
    }
    for (size_t i = 0; i < node->n; i++) {
        const struct cfg_pair *p = &node->u.pairs[i];
        if (cfg_node_is_null(p->value)) {
            cfg_error(r->load, p->key, NULL, "\"%s\" has no value", p->key->u.text);
            continue;
        }
        if (p->value->kind != CFG_NODE_MAP && !t->shorthand) {
            cfg_error(r->load, p->value, cfg_quote_hint(r->load, &p->value->place),
                      "\"%s\" must be a map of options, not %s", p->key->u.text, kind_words(p->value));
            continue;
        }
        read_struct(r->load, t, p->value, v + kept * t->size, p->key->u.text);
        nodes[kept++] = p->value;
    }
    *dst = (struct cfg_items){kept, v, nodes};
}

/* --- fields ----------------------------------------------------------------------------------------------------------
 */

static bool wants_scalar(enum cfg_type type)
{
    return type <= CFG_PATH;
}

/* A parser that fails without a word must not go unseen. */
static void read_custom(const struct reading *r, const struct cfg_node *node, void *dst)
{
    size_t before = r->load->errors.total;
    if (r->field->parse(r->load, node, dst) < 0 && r->load->errors.total == before)
        cfg_error(r->load, node, NULL, "\"%s\" is not valid", r->field->key);
}

static void read_value(const struct reading *r, const struct cfg_node *node, void *dst)
{
    const struct cfg_field *f = r->field;
    if (cfg_node_is_null(node)) {
        cfg_error(r->load, r->key ? r->key : node, "give it one, or remove the key", "\"%s\" has no value", f->key);
        return;
    }
    if (wants_scalar(f->type) && node->kind != CFG_NODE_SCALAR) {
        say_kind(r, node, type_words(f));
        return;
    }
    switch (f->type) {
    case CFG_BOOL:
        read_bool(r, node, dst);
        break;
    case CFG_COUNT:
        read_count(r, node, dst);
        break;
    case CFG_SIZE:
        read_size(r, node, dst);
        break;
    case CFG_DURATION:
        read_duration(r, node, dst);
        break;
    case CFG_ENUM:
        read_enum(r, node, dst);
        break;
    case CFG_STRING:
        *(const char **)dst = node->u.text;
        break;
    case CFG_PATH:
        read_path(r, node, dst);
        break;
    case CFG_STRINGS:
        read_strings(r, node, dst);
        break;
    case CFG_STRUCT:
        if (node->kind != CFG_NODE_MAP && !f->table->shorthand)
            say_kind(r, node, type_words(f));
        else
            read_struct(r->load, f->table, node, dst, NULL);
        break;
    case CFG_LIST:
        read_list(r, node, dst);
        break;
    case CFG_MAP:
        read_map(r, node, dst);
        break;
    case CFG_CUSTOM:
        read_custom(r, node, dst);
        break;
    }
}

/* The default as a node, from the load's cache. */
static const struct cfg_node *fallback_node(struct cfg_load *l, const struct cfg_field *f)
{
    size_t i = ((uintptr_t)f / sizeof(*f)) % CFG_CACHE_SLOTS;
    for (; l->cache[i].field; i = (i + 1) % CFG_CACHE_SLOTS)
        if (l->cache[i].field == f)
            return l->cache[i].node;

    const char *name = arena_printf(l->arena, "default of \"%s\"", f->key);
    struct cfg_file *file = name ? cfg_file_new(l, name, NULL) : NULL;
    if (!file) {
        cfg_no_memory(l);
        return NULL;
    }
    file->text = strdup(f->fallback);
    file->n = strlen(f->fallback);
    file->dir = l->cwd;
    l->n_files--;
    file->order = UINT_MAX; /* a wrong default is the last thing to show */
    const struct cfg_node *node = file->text ? cfg_yaml_parse(l, file, false) : NULL;
    if (node && l->n_cached < CFG_CACHE_SLOTS / 2) {
        l->cache[i] = (struct cfg_cached){f, node};
        l->n_cached++;
    }
    return node;
}

void cfg_defaults(struct cfg_load *l, const struct cfg_table *t, void *obj)
{
    memset(obj, 0, t->size);
    for (const struct cfg_field *f = t->fields; f->key; f++) {
        char *dst = (char *)obj + f->offset;
        if (f->type == CFG_STRUCT)
            cfg_defaults(l, f->table, dst);
        const struct cfg_node *node = f->fallback ? fallback_node(l, f) : NULL;
        if (node)
            read_value(&(struct reading){l, f, NULL}, node, dst);
    }
}

static const char *in_table(struct cfg_load *l, const struct cfg_table *t)
{
    if (!t->name || !*t->name)
        return "";
    const char *text = arena_printf(l->arena, " in %s", t->name);
    return text ? text : "";
}

/* A key that is right, but one level up: "ping" belongs under "timeouts", "mode" under "listeners[]" or "admin". */
static const char *find_below(struct cfg_load *l, const struct cfg_table *t, const char *key)
{
    const char *places = NULL;

    for (const struct cfg_field *f = t->fields; f->key; f++) {
        if (!f->table || (f->flags & CFG_HIDDEN) || !find_field(f->table, key))
            continue;
        const char *name = f->table->name && *f->table->name ? f->table->name : f->key;
        places = places ? arena_printf(l->arena, "%s or \"%s\"", places, name)
                        : arena_printf(l->arena, "it belongs under \"%s\"", name);
    }
    return places;
}

/* Returns the field that was probably meant, or NULL. */
static const struct cfg_field *say_unknown(struct cfg_load *l, const struct cfg_table *t, const struct cfg_node *key)
{
    const char *names[128];
    size_t n = 0;
    ptrdiff_t near = -1;
    const char *help = find_below(l, t, key->u.text);
    for (const struct cfg_field *f = t->fields; f->key && n < ARRAY_LEN(names); f++)
        names[n++] = f->key;
    if (!help) {
        near = cfg_nearest(l, key->u.text, names, n);
        help = near >= 0 ? arena_printf(l->arena, "did you mean \"%s\"?", names[near]) : NULL;
    }
    cfg_error(l, key, help, "unknown key \"%s\"%s", key->u.text, in_table(l, t));
    return near >= 0 ? &t->fields[near] : NULL;
}

static const struct cfg_field *find_field(const struct cfg_table *t, const char *key)
{
    for (const struct cfg_field *f = t->fields; f->key; f++)
        if (!strcmp(f->key, key))
            return f;
    return NULL;
}

static void mark_set(const struct cfg_table *t, const struct cfg_field *f, void *obj)
{
    size_t bit = (size_t)(f - t->fields);
    if (t->set_offset > 0 && bit < 64)
        *(uint64_t *)(void *)((char *)obj + t->set_offset) |= UINT64_C(1) << bit;
}

static void say_missing(struct cfg_load *l, const struct cfg_table *t, const struct cfg_node *node,
                        const struct cfg_field *f)
{
    const char *help = f->example ? arena_printf(l->arena, "add \"%s: %s\"", f->key, f->example) : NULL;
    cfg_error(l, node, help, "\"%s\" is missing%s", f->key, in_table(l, t));
}

static void read_fields(struct cfg_load *l, const struct cfg_table *t, const struct cfg_node *node, void *obj)
{
    const struct cfg_field *meant = NULL; /* by a misspelt key: it is not missing as well */
    bool guess = true;
    for (size_t i = 0; i < node->n; i++) {
        const struct cfg_pair *p = &node->u.pairs[i];
        const struct cfg_field *f = find_field(t, p->key->u.text);
        if (!f) {
            guess = l->errors.total <= CFG_HINTS_MAX;
            f = say_unknown(l, t, p->key);
            meant = f && (f->flags & CFG_REQUIRED) ? f : meant;
            continue;
        }
        mark_set(t, f, obj);
        read_value(&(struct reading){l, f, p->key}, p->value, (char *)obj + f->offset);
    }
    for (const struct cfg_field *f = t->fields; f->key; f++)
        if ((f->flags & CFG_REQUIRED) && f != meant && guess && !cfg_node_find(node, f->key))
            say_missing(l, t, node, f);
}

/* `name`: of an entry of a CFG_MAP. The kind of `node` was checked: a map, or something that the shorthand takes. */
static void read_struct(struct cfg_load *l, const struct cfg_table *t, const struct cfg_node *node, void *obj,
                        const char *name)
{
    size_t before = l->errors.total;
    cfg_defaults(l, t, obj);
    if (name)
        *(struct cfg_named *)obj = (struct cfg_named){name, node};
    if (node->kind == CFG_NODE_MAP) {
        read_fields(l, t, node, obj);
    } else if (t->shorthand(l, node, obj) < 0) {
        if (l->errors.total == before)
            cfg_error(l, node, NULL, "this is not valid%s", in_table(l, t));
        return;
    }
    if (t->check)
        t->check(l, node, obj);
}

void cfg_read(struct cfg_load *l, const struct cfg_table *t, const struct cfg_node *node, void *obj)
{
    if (!node)
        cfg_defaults(l, t, obj);
    else if (node->kind != CFG_NODE_MAP && !t->shorthand) {
        cfg_defaults(l, t, obj);
        cfg_error(l, node, cfg_quote_hint(l, &node->place), "a map of options is expected%s, not %s", in_table(l, t),
                  kind_words(node));
    } else
        read_struct(l, t, node, obj, NULL);
}
