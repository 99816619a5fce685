/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the wsbridge authors */
/*
 * YAML text to a tree of nodes, through libyaml's events. The only place that knows libyaml.
 *
 * libyaml reads what no configuration should have: endless nesting (in quadratic time), keys twice, documents after
 * the first, aliases of anything. Events come one at a time while it reads, so every bound here stops it at the event
 * that breaks the bound. After the first document it is not called again: what may follow (comments, the end mark) is
 * looked at directly.
 *
 * Anchors and aliases work, without loops, and within the bound on nodes counted as if aliases were copies. Tags and
 * merge keys do not: they would give a second meaning to text that the option tables already type.
 */
#include <yaml.h>

#include <stdlib.h>

#include "config/tree.h"

struct anchor {
    const char *name;
    const struct cfg_node *node;
};

struct frame {
    struct cfg_node *node;
    size_t base; /* where its children begin */
};

struct builder {
    struct cfg_load *load;
    const struct cfg_file *file;
    yaml_parser_t parser;
    struct cfg_node *root;
    struct frame frames[CFG_DEPTH_MAX];
    size_t depth;
    const struct cfg_node **children; /* of all open frames; of a map: key, value, key, value */
    size_t n, cap;
    struct anchor anchors[CFG_ANCHORS_MAX];
    size_t n_anchors;
};

static struct cfg_place place_of(const struct builder *b, const yaml_mark_t *from, const yaml_mark_t *to)
{
    struct cfg_place at = {b->file, (uint32_t)from->line + 1, (uint32_t)from->column + 1, 1};
    if (to->line == from->line && to->column > from->column)
        at.width = (uint32_t)(to->column - from->column);
    return at;
}

static struct cfg_place event_place(const struct builder *b, const yaml_event_t *e)
{
    return place_of(b, &e->start_mark, &e->end_mark);
}

/* The next child goes to a map's key place. */
static bool at_key(const struct builder *b)
{
    if (!b->depth)
        return false;
    const struct frame *f = &b->frames[b->depth - 1];
    return f->node->kind == CFG_NODE_MAP && (b->n - f->base) % 2 == 0;
}

/* --- putting nodes together ------------------------------------------------------------------------------------------
 */

static bool push(struct builder *b, const struct cfg_node *node)
{
    if (b->n == b->cap) {
        size_t cap = b->cap ? b->cap * 2 : 64;
        const struct cfg_node **more = realloc(b->children, cap * sizeof(void *));
        if (!more) {
            cfg_no_memory(b->load);
            return false;
        }
        b->children = more;
        b->cap = cap;
    }
    b->children[b->n++] = node;
    return true;
}

static bool check_key(struct builder *b, const struct cfg_node *node)
{
    struct cfg_load *l = b->load;
    if (node->kind != CFG_NODE_SCALAR) {
        const char *help = cfg_quote_hint(l, &node->place);
        cfg_error(l, node, help ? help : "if this is text, put it in quotes", "a key must be a plain word");
        return false;
    }
    if (!node->n) {
        const char *help = cfg_quote_hint(l, &node->place);
        cfg_error(l, node, help ? help : "write it as \"key: value\"", "the key is missing before this \":\"");
        return false;
    }
    if (node->plain && !strcmp(node->u.text, "<<")) {
        cfg_error(l, node, "write the keys out", "YAML merge keys are not supported");
        return false;
    }
    return true;
}

/* A finished node takes its place in the collection around it. */
static bool add(struct builder *b, struct cfg_node *node)
{
    if (b->load->n_nodes > CFG_NODES_MAX) {
        cfg_error(b->load, node, NULL, "the configuration has more than %d values", CFG_NODES_MAX);
        return false;
    }
    if (!b->depth) {
        b->root = node;
        return true;
    }
    if (at_key(b) && !check_key(b, node))
        return false;
    return push(b, node);
}

static bool add_anchor(struct builder *b, const yaml_event_t *e, const yaml_char_t *name, const struct cfg_node *node)
{
    struct cfg_place at = event_place(b, e);
    if (!name)
        return true;
    /* A second anchor of a name takes the place of the first, as YAML has it. */
    for (size_t i = 0; i < b->n_anchors; i++) {
        if (!strcmp(b->anchors[i].name, (const char *)name)) {
            b->anchors[i].node = node;
            return true;
        }
    }
    if (b->n_anchors == CFG_ANCHORS_MAX) {
        cfg_error_at(b->load, &at, NULL, "a file may have at most %d anchors", CFG_ANCHORS_MAX);
        return false;
    }
    const char *copy = arena_dup(b->load->arena, slice_of((const char *)name));
    if (!copy) {
        cfg_no_memory(b->load);
        return false;
    }
    b->anchors[b->n_anchors++] = (struct anchor){copy, node};
    return true;
}

static bool refuse_tag(struct builder *b, const yaml_event_t *e, const yaml_char_t *tag)
{
    struct cfg_place at = event_place(b, e);
    if (!tag)
        return false;
    cfg_error_at(b->load, &at, "a value that begins with ! needs quotes", "YAML tags are not supported");
    return true;
}

/* --- events ----------------------------------------------------------------------------------------------------------
 */

static bool on_scalar(struct builder *b, const yaml_event_t *e)
{
    struct cfg_place at = event_place(b, e);
    struct slice text = {(const char *)e->data.scalar.value, e->data.scalar.length};
    if (refuse_tag(b, e, e->data.scalar.tag))
        return false;
    if (memchr(text.p, 0, text.n)) {
        cfg_error_at(b->load, &at, NULL, "a value cannot contain a NUL character");
        return false;
    }
    struct cfg_node *node = cfg_node_new(b->load, CFG_NODE_SCALAR, &at);
    if (!node)
        return false;
    node->u.text = arena_dup(b->load->arena, text);
    node->n = text.n;
    node->weight = 1;
    node->plain = e->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
    if (!node->u.text) {
        cfg_no_memory(b->load);
        return false;
    }
    return add_anchor(b, e, e->data.scalar.anchor, node) && add(b, node);
}

static bool on_alias(struct builder *b, const yaml_event_t *e)
{
    const char *name = (const char *)e->data.alias.anchor;
    struct cfg_place at = event_place(b, e);
    const struct cfg_node *node = NULL;
    for (size_t i = 0; i < b->n_anchors && !node; i++)
        if (!strcmp(b->anchors[i].name, name))
            node = b->anchors[i].node;

    if (!node) {
        cfg_error_at(b->load, &at, arena_printf(b->load->arena, "if this is text, quote it: \"*%s\"", name),
                     "\"*%s\" is a YAML alias, and no anchor has that name", name);
        return false;
    }
    if (!node->weight) {
        cfg_error_at(b->load, &at, NULL, "the alias \"*%s\" stands inside its own anchor", name);
        return false;
    }
    if (b->depth + node->height > CFG_DEPTH_MAX) {
        cfg_error_at(b->load, &at, NULL, "nested more than %d deep through aliases", CFG_DEPTH_MAX);
        return false;
    }
    b->load->n_nodes += node->weight;
    if (b->load->n_nodes > CFG_NODES_MAX) {
        cfg_error_at(b->load, &at, NULL, "aliases make more than %d values of this configuration", CFG_NODES_MAX);
        return false;
    }
    if (!b->depth) {
        cfg_error_at(b->load, &at, NULL, "an alias cannot be the whole configuration");
        return false;
    }
    if (at_key(b)) {
        cfg_error_at(b->load, &at, "write the key out", "an alias cannot be a key");
        return false;
    }
    return push(b, node);
}

static bool on_begin(struct builder *b, const yaml_event_t *e, enum cfg_kind kind)
{
    struct cfg_place at = event_place(b, e);
    bool map = kind == CFG_NODE_MAP;
    if (refuse_tag(b, e, map ? e->data.mapping_start.tag : e->data.sequence_start.tag))
        return false;
    if (b->depth == CFG_DEPTH_MAX) {
        cfg_error_at(b->load, &at, NULL, "nested more than %d deep", CFG_DEPTH_MAX);
        return false;
    }
    struct cfg_node *node = cfg_node_new(b->load, kind, &at);
    if (!node)
        return false;
    node->flow = map ? e->data.mapping_start.style == YAML_FLOW_MAPPING_STYLE
                     : e->data.sequence_start.style == YAML_FLOW_SEQUENCE_STYLE;
    if (!add_anchor(b, e, map ? e->data.mapping_start.anchor : e->data.sequence_start.anchor, node))
        return false;
    b->frames[b->depth++] = (struct frame){node, b->n};
    return true;
}

static void say_twice(struct cfg_load *l, const struct cfg_node *first, const struct cfg_node *again)
{
    cfg_error(l, again, "remove one of the two", "\"%s\" stands twice in this map; the first is in line %u",
              again->u.text, first->place.line);
}

static bool fill(struct builder *b, const struct frame *f)
{
    struct cfg_node *node = f->node;
    size_t n = b->n - f->base;
    bool map = node->kind == CFG_NODE_MAP;
    const struct cfg_node **children = n ? b->children + f->base : NULL; /* none: there may be no array yet */
    void *copy = arena_alloc(b->load->arena, n * sizeof(void *) + 1);
    if (!copy)
        return false;
    node->n = map ? n / 2 : n;
    node->weight = 1;
    node->height = 1;
    for (size_t i = 0; i < n; i++) {
        node->weight += children[i]->weight;
        node->height = (uint16_t)MAX_OF(node->height, children[i]->height + 1);
    }
    if (!map) {
        if (n)
            memcpy(copy, children, n * sizeof(void *));
        node->u.items = copy;
        return true;
    }
    node->u.pairs = copy;
    for (size_t i = 0; i < node->n; i++)
        node->u.pairs[i] = (struct cfg_pair){children[2 * i], children[2 * i + 1]};
    return cfg_node_index(b->load, node, say_twice);
}

static bool on_end(struct builder *b, const yaml_event_t *e)
{
    struct frame f = b->frames[b->depth - 1];
    if (!fill(b, &f)) {
        cfg_no_memory(b->load);
        return false;
    }
    if (f.node->flow && e->end_mark.line + 1 == f.node->place.line)
        f.node->place.width = (uint32_t)e->end_mark.column + 1 - f.node->place.column;
    b->depth--;
    b->n = f.base;
    return add(b, f.node);
}

/* After the first document: only comments, empty lines and "..." may follow. */
static void check_end(struct builder *b, const yaml_event_t *e)
{
    uint32_t line = (uint32_t)e->end_mark.line + 1;
    struct slice s = cfg_text_at(b->file, line, (uint32_t)e->end_mark.column + 1);
    const char *end = b->file->text + b->file->n;
    while (s.p) {
        struct slice t = slice_trim(s);
        if (t.n && t.p[0] != '#' && !slice_eq(t, SLICE("..."))) {
            size_t before = (size_t)(t.p - cfg_text_line(b->file, line).p);
            struct cfg_place at = {b->file, line, (uint32_t)before + 1, (uint32_t)MIN_OF(t.n, (size_t)80)};
            cfg_error_at(b->load, &at, "use a file for each and \"include\"",
                         "a second YAML document begins here; a configuration is one");
            return;
        }
        s.p += s.n;
        if (s.p == end)
            return;
        s.p += s.p[0] == '\r' && s.p + 1 < end && s.p[1] == '\n' ? 2 : 1;
        line++;
        for (s.n = 0; s.p + s.n < end && s.p[s.n] != '\n' && s.p[s.n] != '\r';)
            s.n++;
    }
}

/* False: stop. *done: the document is complete. */
static bool on_event(struct builder *b, const yaml_event_t *e, bool *done)
{
    switch (e->type) {
    case YAML_SCALAR_EVENT:
        return on_scalar(b, e);
    case YAML_ALIAS_EVENT:
        return on_alias(b, e);
    case YAML_SEQUENCE_START_EVENT:
        return on_begin(b, e, CFG_NODE_LIST);
    case YAML_MAPPING_START_EVENT:
        return on_begin(b, e, CFG_NODE_MAP);
    case YAML_SEQUENCE_END_EVENT:
    case YAML_MAPPING_END_EVENT:
        return on_end(b, e);
    case YAML_DOCUMENT_END_EVENT:
        check_end(b, e);
        *done = true;
        return true;
    case YAML_STREAM_END_EVENT: /* without a document */
        *done = true;
        return true;
    default:
        return true;
    }
}

/* --- the whole -------------------------------------------------------------------------------------------------------
 */

static void say_trouble(struct builder *b)
{
    const yaml_parser_t *p = &b->parser;
    if (p->error == YAML_MEMORY_ERROR) {
        cfg_no_memory(b->load);
        return;
    }
    struct cfg_trouble t = {
        .problem = p->problem ? p->problem : "this is not YAML",
        .context = p->context,
        .at = place_of(b, &p->problem_mark, &p->problem_mark),
    };
    if (p->context)
        t.from = place_of(b, &p->context_mark, &p->context_mark);
    cfg_syntax_error(b->load, &t);
}

static bool run(struct builder *b)
{
    bool done = false;
    while (!done) {
        yaml_event_t e;
        if (!yaml_parser_parse(&b->parser, &e)) {
            say_trouble(b);
            return false;
        }
        bool ok = on_event(b, &e, &done);
        yaml_event_delete(&e);
        if (!ok)
            return false;
    }
    return true;
}

static bool check_root(struct builder *b)
{
    struct cfg_place whole = cfg_place_of_file(b->file);
    if (!b->root || cfg_node_is_null(b->root)) {
        cfg_error_at(b->load, &whole, NULL, "there is nothing in this file");
        return false;
    }
    if (b->root->kind != CFG_NODE_MAP) {
        const char *text = cfg_node_text(b->root);
        cfg_error(b->load, b->root,
                  text && strchr(text, ':') ? "write a space behind the colon: \"key: value\""
                                            : "write it as lines of \"key: value\"",
                  "a configuration is a map of keys, this is %s", text ? "a single value" : "a list");
        return false;
    }
    return true;
}

struct cfg_node *cfg_yaml_parse(struct cfg_load *l, const struct cfg_file *f, bool config)
{
    struct builder *b = calloc(1, sizeof(*b));
    struct cfg_node *root = NULL;
    if (!b || !yaml_parser_initialize(&b->parser)) {
        free(b);
        cfg_no_memory(l);
        return NULL;
    }
    b->load = l;
    b->file = f;
    yaml_parser_set_encoding(&b->parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&b->parser, (const unsigned char *)f->text, f->n);
    if (run(b) && (!config || check_root(b)))
        root = b->root;
    yaml_parser_delete(&b->parser);
    free(b->children);
    free(b);
    return root;
}
