/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the wsbridge authors */
/*
 * For tests that turn a loop: turning until something has come true (or the test has failed for taking too long), and
 * loopback sockets.
 */
#ifndef WSBRIDGE_TESTS_NET_HELP_H
#define WSBRIDGE_TESTS_NET_HELP_H

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "net/socket.h"
#include "unit.h"

#define PATIENCE 10.0 /* seconds; sanitizers on a busy machine are slow */

/* A loop with an alarm clock: wait_for blocks in the kernel as a worker does. */
struct bench {
    struct loop *loop;
    struct timer tick;
    unsigned turns;
};

static inline void bench_tick(struct timer *t)
{
    loop_stop(t->w.data);
}

static inline void bench_init(struct bench *b)
{
    b->loop = loop_new();
    assert_non_null(b->loop);
    timer_init(&b->tick, b->loop, bench_tick);
    b->turns = 0;
}

static inline void bench_fini(struct bench *b)
{
    timer_cancel(&b->tick);
    loop_free(b->loop);
}

/* Turns of the loop, waiting at most 2 ms in each, while `cond` does not hold. */
#define WAIT_FOR(b, cond)                                                                                              \
    do {                                                                                                               \
        uint64_t wait_from = clock_mono_ns();                                                                          \
        while (!(cond)) {                                                                                              \
            if ((double)(clock_mono_ns() - wait_from) > PATIENCE * 1e9)                                                \
                fail_msg("waited in vain for: %s", #cond);                                                             \
            bench_run(b, 0.002);                                                                                       \
        }                                                                                                              \
    } while (0)

static inline void bench_run(struct bench *b, double seconds)
{
    timer_set(&b->tick, seconds);
    loop_run(b->loop);
    timer_cancel(&b->tick);
}

static inline void addr_v4(struct addr *a, const char *ip, uint16_t port)
{
    memset(a, 0, sizeof(*a));
    a->len = sizeof(a->u.in4);
    a->u.in4.sin_family = AF_INET;
    a->u.in4.sin_port = htons(port);
    assert_int_equal(inet_pton(AF_INET, ip, &a->u.in4.sin_addr), 1);
}

static inline void addr_unix(struct addr *a, const char *path)
{
    memset(a, 0, sizeof(*a));
    a->u.un.sun_family = AF_UNIX;
    size_t n = strlen(path);
    memcpy(a->u.un.sun_path, path, n + 1);
    a->len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n + 1);
}

/* A blocking-free listening socket on 127.0.0.1 (or what `a` says); its true address goes to *a. */
static inline int listen_on(struct addr *a, int backlog)
{
    int fd = socket(a->u.sa.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    assert_int_equal(bind(fd, &a->u.sa, a->len), 0);
    assert_int_equal(listen(fd, backlog), 0);
    a->len = sizeof(a->u);
    assert_int_equal(getsockname(fd, &a->u.sa, &a->len), 0);
    return fd;
}

/* Two ends of a TCP connection over loopback: ours non-blocking, theirs blocking. */
static inline void tcp_pair(int *ours, int *theirs)
{
    struct addr a;
    addr_v4(&a, "127.0.0.1", 0);
    int lfd = listen_on(&a, 4);
    *theirs = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(*theirs, &a.u.sa, a.len), 0);
    *ours = accept4(lfd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    assert_true(*ours >= 0);
    close(lfd);
}

#endif
