/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the wsbridge authors */
/*
 * See pipes.h. Last in, first out: the pipe that was just used has its ring in the cache.
 */
#include "net/pipes.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#define OUT_MAX 512 /* borrowed at once: two descriptors each, and 64 pages */
#define KEEP_MAX 16

struct pipes {
    struct pipe_pair *idle[KEEP_MAX];
    unsigned n_idle;
    unsigned n_out;
};

struct pipes *pipes_new(void)
{
    return calloc(1, sizeof(struct pipes));
}

static void pair_close(struct pipe_pair *pair)
{
    close(pair->read_fd);
    close(pair->write_fd);
    free(pair);
}

void pipes_free(struct pipes *p)
{
    while (p->n_idle)
        pair_close(p->idle[--p->n_idle]);
    free(p);
}

static struct pipe_pair *pair_new(void)
{
    struct pipe_pair *pair = calloc(1, sizeof *pair);
    int fd[2];
    int size;

    if (!pair)
        return NULL;
    if (pipe2(fd, O_NONBLOCK | O_CLOEXEC) != 0) {
        free(pair);
        return NULL;
    }
    pair->read_fd = fd[0];
    pair->write_fd = fd[1];
    size = fcntl(fd[1], F_SETPIPE_SZ, (int)PIPE_BYTES);
    if (size <= 0) /* over the user's allowance of pipe pages: what it has will do */
        size = fcntl(fd[1], F_GETPIPE_SZ);
    pair->cap = size > 0 ? (size_t)size : 4096;
    return pair;
}

struct pipe_pair *pipes_take(struct pipes *p)
{
    struct pipe_pair *pair;

    if (p->n_out >= OUT_MAX)
        return NULL;
    pair = p->n_idle ? p->idle[--p->n_idle] : pair_new();
    p->n_out += pair != NULL;
    return pair;
}

void pipes_give(struct pipes *p, struct pipe_pair *pair, bool empty)
{
    p->n_out--;
    if (empty && p->n_idle < KEEP_MAX)
        p->idle[p->n_idle++] = pair;
    else
        pair_close(pair);
}
