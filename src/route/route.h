/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the wsbridge authors */
/*
 * Where to: the routes of a snapshot and the search among them. An exact host beats a wildcard, a longer wildcard beats
 * a shorter, any of them beats a route without host; within that the longest path wins. Order in the file does not
 * matter; two routes with the same host and path are an error at load.
 */
#ifndef WSBRIDGE_ROUTE_ROUTE_H
#define WSBRIDGE_ROUTE_ROUTE_H

#include "config/schema.h"
#include "http/head.h"
#include "http/url.h"
#include "limit/bounds.h"
#include "upstream/service.h"

struct file_root; /* serve/files.h: where plain requests of a route are answered from */

struct route {
    const struct cfg_node *node;
    const char *path; /* prefix at segment borders: "/vm" matches "/vm" and "/vm/x", not "/vmx"; "/" matches all */
    struct cfg_strings hosts; /* exact or "*.example.org"; none: every host */
    const char *service_name; /* NULL: no WebSocket here */
    const struct service *service;
    const char *files; /* directory, "builtin:demo", or NULL */
    const char *index;
    double cache;                 /* seconds for Cache-Control; 0: revalidate */
    const struct file_root *root; /* made by src/app from files, index and cache */
    struct cfg_strings origins;   /* "same", "any", or patterns; default: same */
    bool origin_any;
    bool origin_same;
    bool errors_close;    /* `errors: close`: accept, then Close with the cause, instead of a refusal before the 101 */
    struct limits limits; /* overrides, then merged: what holds for a session */
    struct timeouts timeouts;
    const char *listener_name; /* set by src/app: each listener has routes of its own, with its bounds merged in */
};

/* "routes[]". Its check brings path and hosts into the form that the index compares, and fills node, origin_any and
 * origin_same; a route that is not read from a node must go through it as well. */
extern const struct cfg_table route_table;

/* Reports routes with the same host and path. Resolves nothing. */
void route_check_all(struct cfg_load *load, const struct route *routes, size_t n);

/* The index over a snapshot's routes, in its arena. */
struct route_index;
struct route_index *route_index_new(struct arena *a, const struct route *routes,
                                    size_t n); /* NULL when out of memory */

/* `host` without port, `path` decoded. NULL: no route. */
const struct route *route_find(const struct route_index *ix, struct slice host, struct slice path);

/* Origin policy of a route for a WebSocket request (RFC 6455, section 10.2). MALFORMED: several Origin fields, or one
 * that no browser writes, whatever the policy is. FOREIGN: well-formed but not allowed, "null" included. */
enum origin_verdict { ORIGIN_OK, ORIGIN_FOREIGN, ORIGIN_MALFORMED };
enum origin_verdict route_check_origin(const struct route *r, const struct http_head *h, bool secure,
                                       const struct http_authority *authority);

#endif
