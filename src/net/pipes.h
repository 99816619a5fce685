/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the wsbridge authors */
/*
 * Pipes for moving bytes between two sockets inside the kernel (splice(2)), pooled by one worker. A session borrows one
 * while bytes are in it and gives it back empty; making one costs three system calls, and the kernel allows a user only
 * so many pages in pipes.
 */
#ifndef WSBRIDGE_NET_PIPES_H
#define WSBRIDGE_NET_PIPES_H

#include <stdbool.h>
#include <stddef.h>

#include "base/compiler.h"

#define PIPE_BYTES ((size_t)512 << 10) /* asked for; the kernel may give less */

struct pipe_pair {
    int read_fd;
    int write_fd;
    size_t cap; /* bytes; small pieces fill it with fewer */
};

struct pipes;

struct pipes *pipes_new(void); /* NULL when out of memory */
void pipes_free(struct pipes *p);

/* NULL when there is none to be had: out of descriptors, or too many out already. The caller then copies. */
struct pipe_pair *pipes_take(struct pipes *p);
/* `empty`: nothing is left inside. A pipe with bytes of a session that ended is closed, never reused. */
void pipes_give(struct pipes *p, struct pipe_pair *pair, bool empty);

#endif
