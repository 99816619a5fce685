/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the wsbridge authors */
/*
 * Nodes: making them and looking at them. Every accessor accepts NULL and any kind, and then says "nothing", so that
 * custom parsers need no ladder of checks before each look.
 *
 * A map of more than a few keys has a hash index: ten thousand services load in milliseconds.
 */
#include "config/tree.h"

#define LINEAR_MAX 8

static uint32_t hash(const char *key)
{
    uint32_t h = 2166136261u;
    for (; *key; key++)
        h = (h ^ (unsigned char)*key) * 16777619u;
    return h ^ (h >> 15);
}

struct cfg_node *cfg_node_new(struct cfg_load *l, enum cfg_kind kind, const struct cfg_place *at)
{
    struct cfg_node *n = arena_alloc(l->arena, sizeof(*n));
    if (!n) {
        cfg_no_memory(l);
        return NULL;
    }
    n->kind = kind;
    n->place = *at;
    l->n_nodes++;
    return n;
}

static const struct cfg_pair *find_linear(const struct cfg_node *map, size_t n, const char *key)
{
    for (size_t i = 0; i < n; i++)
        if (!strcmp(map->u.pairs[i].key->u.text, key))
            return &map->u.pairs[i];
    return NULL;
}

const struct cfg_pair *cfg_node_find(const struct cfg_node *map, const char *key)
{
    if (!map || map->kind != CFG_NODE_MAP)
        return NULL;
    if (!map->index)
        return find_linear(map, map->n, key);
    uint32_t mask = map->slots - 1;
    for (uint32_t i = hash(key) & mask; map->index[i]; i = (i + 1) & mask) {
        const struct cfg_pair *p = &map->u.pairs[map->index[i] - 1];
        if (!strcmp(p->key->u.text, key))
            return p;
    }
    return NULL;
}

static void index_add(struct cfg_node *map, size_t position)
{
    uint32_t mask = map->slots - 1;
    uint32_t i = hash(map->u.pairs[position].key->u.text) & mask;
    while (map->index[i])
        i = (i + 1) & mask;
    map->index[i] = (uint32_t)position + 1;
}

bool cfg_node_index(struct cfg_load *l, struct cfg_node *map,
                    void (*twice)(struct cfg_load *l, const struct cfg_node *first, const struct cfg_node *again))
{
    size_t n = map->n;
    map->index = NULL;
    if (n > LINEAR_MAX) {
        map->slots = 32;
        while (map->slots < 2 * n)
            map->slots *= 2;
        map->index = arena_alloc(l->arena, map->slots * sizeof(*map->index));
        if (!map->index)
            return false;
    }

    size_t kept = 0;
    for (size_t i = 0; i < n; i++) {
        struct cfg_pair pair = map->u.pairs[i];
        const struct cfg_pair *first =
            map->index ? cfg_node_find(map, pair.key->u.text) : find_linear(map, kept, pair.key->u.text);
        if (first) {
            twice(l, first->key, pair.key);
            continue;
        }
        map->u.pairs[kept] = pair;
        if (map->index)
            index_add(map, kept);
        kept++;
    }
    map->n = kept;
    return true;
}

enum cfg_kind cfg_node_kind(const struct cfg_node *n)
{
    return n->kind;
}

const char *cfg_node_text(const struct cfg_node *n)
{
    return n && n->kind == CFG_NODE_SCALAR ? n->u.text : NULL;
}

bool cfg_node_is_null(const struct cfg_node *n)
{
    if (!n || n->kind != CFG_NODE_SCALAR || !n->plain)
        return false;
    return n->n == 0 || !strcmp(n->u.text, "~") || !strcmp(n->u.text, "null");
}

const struct cfg_node *cfg_node_get(const struct cfg_node *map, const char *key)
{
    const struct cfg_pair *p = cfg_node_find(map, key);
    return p ? p->value : NULL;
}

const struct cfg_node *cfg_node_key(const struct cfg_node *map, const char *key)
{
    const struct cfg_pair *p = cfg_node_find(map, key);
    return p ? p->key : NULL;
}

size_t cfg_node_count(const struct cfg_node *n)
{
    return n && n->kind != CFG_NODE_SCALAR ? n->n : 0;
}

const struct cfg_node *cfg_node_at(const struct cfg_node *n, size_t i)
{
    if (i >= cfg_node_count(n))
        return NULL;
    return n->kind == CFG_NODE_MAP ? n->u.pairs[i].value : n->u.items[i];
}

const char *cfg_node_name_at(const struct cfg_node *map, size_t i)
{
    return map && map->kind == CFG_NODE_MAP && i < map->n ? map->u.pairs[i].key->u.text : NULL;
}

const char *cfg_node_file(const struct cfg_node *n)
{
    return n && n->place.file ? n->place.file->name : NULL;
}

int cfg_node_line(const struct cfg_node *n)
{
    return n ? (int)n->place.line : 0;
}

int cfg_node_column(const struct cfg_node *n)
{
    return n ? (int)n->place.column : 0;
}
