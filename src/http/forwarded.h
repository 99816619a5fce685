/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the wsbridge authors */
/*
 * Who the client truly is, by what trusted proxies wrote into the request: X-Forwarded-For, -Proto and -Host, and
 * Forwarded (RFC 7239). Pure.
 *
 * The lists are walked from the right, where the nearest proxy wrote: while the address that speaks is trusted, what it
 * says about the one before it is believed. The first address that is not trusted is the client, and nothing left of it
 * is even looked at, for the client may have written that itself. Proto and host are taken from the same hop.
 *
 * A proxy writes one of the two forms and hands the other through as the client sent it. So when a request has both
 * and they disagree, nobody can know which one is true: it is refused, not guessed. A listener whose proxies are known
 * to write one form names it in `accept`.
 */
#ifndef WSBRIDGE_HTTP_FORWARDED_H
#define WSBRIDGE_HTTP_FORWARDED_H

#include "base/addr.h"
#include "http/head.h"
#include "http/url.h"

#define FORWARDED_HOPS_MAX 32

/* `trusted_proxies` of a listener. */
struct forwarded_trust {
    const struct cidr *v;
    size_t n;
    bool unix_peers; /* whoever can open the unix socket is a proxy */
};

bool forwarded_trusts(const struct forwarded_trust *t, const struct ip_port *ip);

enum { FORWARDED_X = 1, FORWARDED_RFC7239 = 2, FORWARDED_BOTH = 3 };

enum forwarded_result {
    FORWARDED_NONE, /* the peer is not trusted, or said nothing: what the connection says counts */
    FORWARDED_OK,
    FORWARDED_BAD, /* answer 400 */
};

struct forwarded {
    bool has_client;
    struct ip_port client; /* port 0 when it was not told */
    bool has_secure;
    bool secure; /* the client's side was https or wss */
    bool has_host;
    struct http_authority host; /* a view into the head */
    const char *why;            /* after BAD: one static sentence */
};

MUST_CHECK enum forwarded_result forwarded_read(const struct http_head *h, const struct ip_port *peer,
                                                const struct forwarded_trust *t, unsigned accept,
                                                struct forwarded *out);

#endif
