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
    struct list idle;
    unsigned n_idle;
    unsigned n_out;
};

struct pipes *pipes_new(void)
{
    struct pipes *p = calloc(1, sizeof *p);

    if (p)
        list_init(&p->idle);
    return p;
}

static void pair_close(struct pipe_pair *pair)
{
    close(pair->read_fd);
    close(pair->write_fd);
    free(pair);
}

void pipes_free(struct pipes *p)
{
    while (!list_empty(&p->idle)) {
        struct pipe_pair *pair = container_of(p->idle.next, struct pipe_pair, link);
        list_remove(&pair->link);
        pair_close(pair);
    }
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
    list_init(&pair->link);
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
    if (list_empty(&p->idle)) {
        pair = pair_new();
    } else {
        pair = container_of(p->idle.prev, struct pipe_pair, link);
        list_remove(&pair->link);
        p->n_idle--;
    }
    p->n_out += pair != NULL;
    return pair;
}

void pipes_give(struct pipes *p, struct pipe_pair *pair, bool empty)
{
    p->n_out--;
    if (!empty || p->n_idle >= KEEP_MAX) {
        pair_close(pair);
        return;
    }
    list_push_back(&p->idle, &pair->link);
    p->n_idle++;
}
