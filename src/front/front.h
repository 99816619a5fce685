/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the wsbridge authors */
/*
 * An accepted connection until its request is somebody else's: it reads the head, makes an http_exchange, hands it up
 * through worker_env.dispatch, writes answers, and keeps the connection alive or closes it. After accept nothing of it
 * is left: the stream belongs to the session.
 */
#ifndef WSBRIDGE_FRONT_FRONT_H
#define WSBRIDGE_FRONT_FRONT_H

#include "config/schema.h"
#include "http/exchange.h"
#include "http/forwarded.h"
#include "limit/bounds.h"
#include "net/env.h"
#include "net/socket.h"
#include "tls/live.h"

struct ref;

enum listener_proxy { LISTENER_PROXY_OFF, LISTENER_PROXY_OPTIONAL, LISTENER_PROXY_REQUIRED };

/* `tls` of a listener, as written. */
struct listener_tls {
    const char *name;         /* an entry of the root's `tls`; NULL: none, or an inline map */
    struct tls_settings *own; /* the inline map */
    const struct cfg_node *node;
};

/* One entry of `listeners`, in the snapshot. */
struct listener_settings {
    const struct cfg_node *node;
    const char *name;
    struct cfg_strings address;
    size_t n_addrs; /* parsed from address */
    struct addr *addrs;
    bool has_mode;
    unsigned mode; /* of a unix socket file */
    struct listener_tls tls;
    struct tls_server *server; /* what `tls` stands for; made and owned by src/app; NULL: clear */
    int proxy_protocol;        /* enum listener_proxy */
    struct cfg_strings trusted_proxies;
    struct forwarded_trust trust; /* parsed from it */
    struct limits limits;         /* overrides, then merged with the global ones */
    struct timeouts timeouts;
};

extern const struct cfg_table listener_table; /* "listeners[]" */

/* "6080", "host:port", "[::]:port", ":port", "*:port", "unix:/path", "systemd:NAME". A bare port means every IPv6 and
 * IPv4 address; a name gives an address without a family, and which socket that is shows at start. */
MUST_CHECK bool listen_address_parse(struct slice text, struct addr *out, struct strbuf *why);
static inline bool listen_address_is_handed(const struct addr *a)
{
    return a->len == 0;
}

/* The permissions of a unix socket's file, as chmod takes them. 0, or -1 with the error reported. */
MUST_CHECK int listen_mode_parse(struct cfg_load *load, const struct cfg_node *node, unsigned *out);

/* What a listening socket is tuned with; the accepted ones inherit it, which saves the system calls with each of them.
 */
struct socket_options front_socket_options(const struct listener_settings *l);

/* Takes fd. The connection holds the snapshot until it ends. */
void front_accept(struct worker_env *env, int fd, const struct addr *peer, const struct listener_settings *listener,
                  struct ref *snapshot);

/* Draining: idle keep-alive connections end now, busy ones after their answer. */
void front_drain(struct worker_env *env);
/* Everything ends now. */
void front_abort_all(struct worker_env *env);

#endif
