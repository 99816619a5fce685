/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the wsbridge authors */
/*
 * Several files as one configuration: maps at the top (services, limits) take in each other's names, lists at the top
 * (listeners, routes) append in the order of reading, and whatever is given twice is an error that names both places.
 * Nothing below that merges: one service, one listener, one route is written in one file.
 */
#include "config/tree.h"

static void say_clash(struct cfg_load *l, const struct cfg_node *first, const struct cfg_node *again)
{
    const struct cfg_place *p = &first->place;
    cfg_error(l, again, "remove one of the two", "\"%s\" is already set in %s:%u:%u", again->u.text,
              p->file ? p->file->name : "?", p->line, p->column);
}

/* A copy that may grow: nodes may be shared through aliases. */
static struct cfg_node *copy_of(struct cfg_load *l, const struct cfg_node *n)
{
    struct cfg_node *c = arena_alloc(l->arena, sizeof(*c));
    if (c)
        *c = *n;
    return c;
}

static const struct cfg_node *append(struct cfg_load *l, const struct cfg_node *a, const struct cfg_node *b)
{
    struct cfg_node *n = copy_of(l, a->kind == CFG_NODE_LIST ? a : b);
    size_t na = a->kind == CFG_NODE_LIST ? a->n : 1;
    size_t nb = b->kind == CFG_NODE_LIST ? b->n : 1;
    const struct cfg_node **items = arena_alloc(l->arena, (na + nb) * sizeof(void *) + 1);
    if (!n || !items)
        return NULL;
    memcpy(items, a->kind == CFG_NODE_LIST ? a->u.items : &a, na * sizeof(void *));
    memcpy(items + na, b->kind == CFG_NODE_LIST ? b->u.items : &b, nb * sizeof(void *));
    n->kind = CFG_NODE_LIST;
    n->place = a->place;
    n->n = na + nb;
    n->u.items = items;
    return n;
}

static const struct cfg_node *join(struct cfg_load *l, const struct cfg_node *a, const struct cfg_node *b)
{
    struct cfg_node *n = copy_of(l, a);
    struct cfg_pair *pairs = arena_alloc(l->arena, (a->n + b->n) * sizeof(*pairs) + 1);
    if (!n || !pairs)
        return NULL;
    memcpy(pairs, a->u.pairs, a->n * sizeof(*pairs));
    memcpy(pairs + a->n, b->u.pairs, b->n * sizeof(*pairs));
    n->n = a->n + b->n;
    n->u.pairs = pairs;
    return cfg_node_index(l, n, say_clash) ? n : NULL;
}

/* Each file may say which format it is written in. */
static bool is_same_version(const struct cfg_pair *a, const struct cfg_pair *b)
{
    const char *x = cfg_node_text(a->value), *y = cfg_node_text(b->value);
    return !strcmp(a->key->u.text, "version") && x && y && !strcmp(x, y);
}

static bool merge_pair(struct cfg_load *l, struct cfg_pair *mine, const struct cfg_pair *theirs)
{
    const struct cfg_node *a = mine->value, *b = theirs->value, *both;
    if (a->kind == CFG_NODE_LIST || b->kind == CFG_NODE_LIST)
        both = append(l, a, b);
    else if (a->kind == CFG_NODE_MAP && b->kind == CFG_NODE_MAP)
        both = join(l, a, b);
    else if (is_same_version(mine, theirs))
        return true;
    else {
        say_clash(l, mine->key, theirs->key);
        return true;
    }
    if (!both)
        return false;
    mine->value = both;
    return true;
}

void cfg_merge(struct cfg_load *l, struct cfg_node *dst, const struct cfg_node *src)
{
    struct cfg_pair *pairs = arena_alloc(l->arena, (dst->n + src->n) * sizeof(*pairs) + 1);
    if (!pairs) {
        cfg_no_memory(l);
        return;
    }
    memcpy(pairs, dst->u.pairs, dst->n * sizeof(*pairs));
    dst->u.pairs = pairs;

    size_t n = dst->n;
    for (size_t i = 0; i < src->n; i++) {
        const struct cfg_pair *theirs = &src->u.pairs[i];
        const struct cfg_pair *mine = cfg_node_find(dst, theirs->key->u.text);
        if (!mine)
            pairs[n++] = *theirs;
        else if (!merge_pair(l, &pairs[mine - dst->u.pairs], theirs)) {
            cfg_no_memory(l);
            return;
        }
    }
    dst->n = n;
    if (!cfg_node_index(l, dst, say_clash))
        cfg_no_memory(l);
}
