/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the wsbridge authors */
/*
 * The index over the routes of a snapshot: one sorted array of (host, path) and one of the hosts in it, searched by
 * halving. A look-up tries the host itself, then each wildcard that covers it from the longest, then the routes without
 * host; in each of these groups the path itself, then its prefixes at segment borders from the longest.
 *
 * A wildcard "*.example.org" is kept as ".example.org", which no host name can be, and "every host" as the empty one.
 * The work of a look-up is bounded by the longest path and the longest host in the configuration, not by what a client
 * sends.
 */
#include <assert.h>
#include <stdlib.h>

#include "route/route.h"

#define HOST_MAX 255

struct route_entry {
    struct slice host;
    struct slice path;
    const struct route *route;
    const struct cfg_node *node; /* where the host, or else the route, stands */
};

struct host_group {
    struct slice host;
    const struct route_entry *entries;
    size_t n;
    size_t longest; /* length of its longest path */
};

struct route_index {
    size_t n_groups;
    struct host_group *groups;
};

static int slice_compare(struct slice a, struct slice b)
{
    size_t n = MIN_OF(a.n, b.n);
    int c = n ? memcmp(a.p, b.p, n) : 0;
    return c ? c : (a.n > b.n) - (a.n < b.n);
}

static int entry_compare(const void *a, const void *b)
{
    const struct route_entry *x = a;
    const struct route_entry *y = b;
    int c = slice_compare(x->host, y->host);
    if (c == 0)
        c = slice_compare(x->path, y->path);
    /* Same host and path: the order of the file, so that the later one is reported. */
    return c ? c : (x->route > y->route) - (x->route < y->route);
}

static size_t entries_count(const struct route *routes, size_t n)
{
    size_t count = 0;
    for (size_t i = 0; i < n; i++)
        count += MAX_OF(routes[i].hosts.n, (size_t)1);
    return count;
}

static void entries_fill(struct route_entry *e, const struct route *routes, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const struct route *r = &routes[i];
        struct slice path = slice_of(r->path);
        if (r->hosts.n == 0)
            *e++ = (struct route_entry){SLICE(""), path, r, r->node};
        for (size_t k = 0; k < r->hosts.n; k++) {
            struct slice host = slice_of(r->hosts.v[k]);
            if (host.n && host.p[0] == '*')
                host = (struct slice){host.p + 1, host.n - 1};
            *e++ = (struct route_entry){host, path, r, r->hosts.nodes ? r->hosts.nodes[k] : r->node};
        }
    }
}

static void groups_fill(struct route_index *ix, const struct route_entry *e, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        struct host_group *g = ix->n_groups ? &ix->groups[ix->n_groups - 1] : NULL;
        if (!g || slice_compare(g->host, e[i].host) != 0) {
            g = &ix->groups[ix->n_groups++];
            *g = (struct host_group){.host = e[i].host, .entries = &e[i]};
        }
        g->n++;
        g->longest = MAX_OF(g->longest, e[i].path.n);
    }
}

struct route_index *route_index_new(struct arena *a, const struct route *routes, size_t n)
{
    size_t count = entries_count(routes, n);
    struct route_index *ix = arena_alloc(a, sizeof(*ix));
    struct route_entry *entries = arena_alloc(a, MAX_OF(count, (size_t)1) * sizeof(*entries));
    if (!ix || !entries)
        return NULL;
    entries_fill(entries, routes, n);
    if (count)
        qsort(entries, count, sizeof(*entries), entry_compare);
    size_t groups = count ? 1 : 0;
    for (size_t i = 1; i < count; i++)
        groups += slice_compare(entries[i - 1].host, entries[i].host) != 0;
    ix->groups = arena_alloc(a, MAX_OF(groups, (size_t)1) * sizeof(*ix->groups));
    if (!ix->groups)
        return NULL;
    groups_fill(ix, entries, count);
    assert(ix->n_groups == groups);
    return ix;
}

static const struct host_group *find_group(const struct route_index *ix, struct slice host)
{
    size_t low = 0;
    size_t high = ix->n_groups;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        int c = slice_compare(host, ix->groups[mid].host);
        if (c == 0)
            return &ix->groups[mid];
        if (c < 0)
            high = mid;
        else
            low = mid + 1;
    }
    return NULL;
}

static const struct route *find_exact(const struct host_group *g, struct slice path)
{
    size_t low = 0;
    size_t high = g->n;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        int c = slice_compare(path, g->entries[mid].path);
        if (c == 0)
            return g->entries[mid].route;
        if (c < 0)
            high = mid;
        else
            low = mid + 1;
    }
    return NULL;
}

static const struct route *find_path(const struct host_group *g, struct slice path)
{
    /* No route's path ends with a slash but "/" itself, so "/vm/" is looked for as "/vm". */
    for (size_t n = path.n; n > 0; n--) {
        bool border = n == path.n || path.p[n] == '/';
        if (!border || n > g->longest || path.p[n - 1] == '/')
            continue;
        const struct route *r = find_exact(g, (struct slice){path.p, n});
        if (r)
            return r;
    }
    return path.n && path.p[0] == '/' ? find_exact(g, SLICE("/")) : NULL;
}

static const struct route *find_in(const struct route_index *ix, struct slice host, struct slice path)
{
    const struct host_group *g = find_group(ix, host);
    return g ? find_path(g, path) : NULL;
}

/* Small letters, without the dot that ends a fully qualified name; empty when no configured host can be it. */
static struct slice host_normal(struct slice host, char buf[HOST_MAX])
{
    if (host.n && host.p[host.n - 1] == '.')
        host.n--;
    if (host.n > HOST_MAX)
        host.n = 0;
    for (size_t i = 0; i < host.n; i++)
        buf[i] = (char)(host.p[i] >= 'A' && host.p[i] <= 'Z' ? host.p[i] | 0x20 : host.p[i]);
    return (struct slice){buf, host.n};
}

const struct route *route_find(const struct route_index *ix, struct slice host, struct slice path)
{
    char buf[HOST_MAX];
    host = host_normal(host, buf);
    const struct route *r = NULL;
    if (host.n && host.p[0] != '.')
        r = find_in(ix, host, path);
    for (size_t i = 1; !r && i < host.n; i++)
        if (host.p[i] == '.')
            r = find_in(ix, (struct slice){host.p + i, host.n - i}, path);
    return r ? r : find_in(ix, SLICE(""), path);
}

void route_check_all(struct cfg_load *load, const struct route *routes, size_t n)
{
    size_t count = entries_count(routes, n);
    if (count < 2)
        return;
    struct route_entry *entries = calloc(count, sizeof(*entries));
    if (!entries) {
        cfg_error(load, routes[0].node, NULL, "out of memory");
        return;
    }
    entries_fill(entries, routes, n);
    qsort(entries, count, sizeof(*entries), entry_compare);
    for (size_t i = 1; i < count; i++) {
        const struct route_entry *first = &entries[i - 1];
        const struct route_entry *second = &entries[i];
        if (slice_compare(first->host, second->host) != 0 || slice_compare(first->path, second->path) != 0)
            continue;
        const char *wildcard = second->host.n && second->host.p[0] == '.' ? "*" : "";
        const char *help = "of two such routes the second could never be reached: remove one, or give it another path";
        if (first->route == second->route)
            cfg_error(load, second->node, NULL, "host \"%s%.*s\" stands here twice", wildcard, SLICE_ARG(second->host));
        else if (second->host.n)
            cfg_error(load, second->node, help, "path \"%s\" of host \"%s%.*s\" already has a route, in line %d",
                      second->route->path, wildcard, SLICE_ARG(second->host), cfg_node_line(first->node));
        else
            cfg_error(load, second->node, help, "path \"%s\" already has a route, in line %d", second->route->path,
                      cfg_node_line(first->node));
    }
    free(entries);
}
