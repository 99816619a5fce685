/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the wsbridge authors */
/*
 * Connecting to a service: look up, race the addresses (RFC 8305: families interleaved, a new attempt every 250 ms, the
 * first that connects wins), then a PROXY header and TLS where the service asks for them; one deadline over all. Ends
 * once with a stream that is usable, or with a reason that maps
 * to 502 or 504.
 */
#ifndef WSBRIDGE_UPSTREAM_CONNECT_H
#define WSBRIDGE_UPSTREAM_CONNECT_H

#include "net/env.h"
#include "net/socket.h"
#include "upstream/service.h"

enum connect_outcome {
    CONNECT_OK,
    CONNECT_NO_NAME, /* 502: the name has no address, or the resolver failed */
    CONNECT_REFUSED, /* 502: refused, unreachable, reset, or its TLS is not what was asked for */
    CONNECT_TIMEOUT, /* 504 */
    CONNECT_NO_ROOM, /* 503: out of memory or descriptors, or the look-up queue is full */
};

struct connect_result {
    enum connect_outcome outcome;
    struct stream *stream; /* CONNECT_OK: takes over to the callee; its owner is still to be set */
    struct addr addr;      /* of the winner, or of the last that failed (len 0: none) */
    const char *why;       /* one sentence for the log and the close reason; good during the call */
};

struct connecting;
typedef void connect_done(void *arg, const struct connect_result *res);

struct connect_order {
    const struct target *to; /* must live until the end; a TARGET_NAME or TARGET_ADDR */
    struct socket_options opt;
    double timeout;          /* seconds, INFINITY for none; over everything */
    struct tls_backend *tls; /* must live until the end; NULL: clear */
    const uint8_t *preface;  /* what goes out first, in front of TLS too: a PROXY header; copied */
    size_t preface_len;
};

/* NULL when out of memory: nothing will be called. `done` is called from the loop, never from inside this call. */
struct connecting *connect_start(struct worker_env *env, const struct connect_order *order, connect_done *done,
                                 void *arg);
void connect_cancel(struct connecting *c); /* not after or inside done, which is not called afterwards */

#endif
