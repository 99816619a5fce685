/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the wsbridge authors */
/*
 * The readiness of sockets: level-triggered for who watches, although the kernel tells an edge once.
 */
#include "net_help.h"

#include <sys/socket.h>

#include "net/socket_watch.h"

struct user {
    struct socket_watch watch;
    int calls;
    unsigned dirs;     /* of the last call */
    int take;          /* bytes read in each call; a short read is said to be one */
    struct user *ends; /* stopped, and its socket closed, by the first call */
    int peer;
};

static void take(struct user *u, size_t n)
{
    char buf[64];
    ssize_t got = recv(u->watch.fd, buf, n, MSG_DONTWAIT);

    if (got < (ssize_t)n && !u->watch.ended)
        socket_watch_spent(&u->watch, STREAM_READ);
}

static void on_ready(struct socket_watch *w, unsigned dirs)
{
    struct user *u = container_of(w, struct user, watch);

    u->calls++;
    u->dirs = dirs;
    if (u->take)
        take(u, (size_t)u->take);
    if (u->ends) {
        struct user *other = u->ends;
        u->ends = other->ends = NULL;
        socket_watch_close(&other->watch);
    }
}

static void begin(struct user *u, struct bench *b)
{
    int fd[2];

    memset(u, 0, sizeof(*u));
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fd), 0);
    u->peer = fd[1];
    assert_int_equal(socket_watch_start(&u->watch, b->loop, fd[0], AF_UNIX, on_ready), 0);
}

static void end(struct user *u)
{
    if (u->watch.ready)
        socket_watch_close(&u->watch);
    close(u->peer);
}

static void say(struct user *u, const char *text)
{
    assert_int_equal(send(u->peer, text, strlen(text), MSG_NOSIGNAL), strlen(text));
}

static void turns(struct bench *b, int n)
{
    for (int i = 0; i < n; i++)
        loop_turn(b->loop);
}

/* Who reads all is called once; who leaves something is called on each turn. */
static void test_called_while_open(void **state)
{
    struct bench b;
    struct user u;

    bench_init(&b);
    begin(&u, &b);
    u.take = 4;
    socket_watch_want(&u.watch, STREAM_READ);
    turns(&b, 2);
    assert_int_equal(u.calls, 0);
    say(&u, "abc");
    turns(&b, 3);
    assert_int_equal(u.calls, 1);
    assert_int_equal(u.dirs, STREAM_READ);
    say(&u, "0123456789");
    turns(&b, 1);
    assert_int_equal(u.calls, 2);
    turns(&b, 5);
    assert_int_equal(u.calls, 4); /* 4, 4, 2 */
    u.take = 0;
    say(&u, "x");
    turns(&b, 5);
    assert_int_equal(u.calls, 9);
    end(&u);
    bench_fini(&b);
}

/* All that was there was read, but nobody could know: the kernel is asked, says nothing, and the next edge counts. */
static void test_asked_in_vain(void **state)
{
    struct bench b;
    struct user u;

    bench_init(&b);
    begin(&u, &b);
    u.take = 3;
    socket_watch_want(&u.watch, STREAM_READ);
    say(&u, "abc");
    turns(&b, 5);
    assert_int_equal(u.calls, 1);
    say(&u, "def");
    turns(&b, 5);
    assert_int_equal(u.calls, 2);
    end(&u);
    bench_fini(&b);
}

/* What the kernel tells while nobody wants it is not told twice, so it is remembered. */
static void test_unwanted_is_remembered(void **state)
{
    struct bench b;
    struct user u;

    bench_init(&b);
    begin(&u, &b);
    say(&u, "abc");
    turns(&b, 3);
    assert_int_equal(u.calls, 0);
    assert_true(u.watch.open & STREAM_READ);
    socket_watch_want(&u.watch, STREAM_WRITE);
    turns(&b, 1);
    assert_int_equal(u.dirs, STREAM_WRITE);
    socket_watch_want(&u.watch, STREAM_READ);
    assert_int_equal(u.calls, 1); /* never from inside a call */
    turns(&b, 1);
    assert_int_equal(u.calls, 2);
    assert_int_equal(u.dirs, STREAM_READ);
    end(&u);
    bench_fini(&b);
}

static void test_writable_again(void **state)
{
    static char block[65536];
    struct bench b;
    struct user u;

    bench_init(&b);
    begin(&u, &b);
    while (send(u.watch.fd, block, sizeof(block), MSG_NOSIGNAL) > 0)
        continue;
    socket_watch_spent(&u.watch, STREAM_WRITE);
    socket_watch_want(&u.watch, STREAM_WRITE);
    turns(&b, 3);
    assert_int_equal(u.calls, 0);
    while (recv(u.peer, block, sizeof(block), 0) > 0)
        continue;
    turns(&b, 1);
    assert_int_equal(u.calls, 1);
    assert_int_equal(u.dirs, STREAM_WRITE);
    end(&u);
    bench_fini(&b);
}

/* Bytes and end come in one report, which a short read must not swallow. */
static void test_end_behind_bytes(void **state)
{
    struct bench b;
    struct user u;

    bench_init(&b);
    begin(&u, &b);
    say(&u, "abc");
    assert_int_equal(shutdown(u.peer, SHUT_WR), 0);
    u.take = 64;
    socket_watch_want(&u.watch, STREAM_READ);
    turns(&b, 1);
    assert_int_equal(u.calls, 1);
    assert_true(u.watch.ended);
    turns(&b, 1);
    assert_int_equal(u.calls, 2);
    end(&u);
    bench_fini(&b);
}

/* Of two in one batch the first one called stops the other. */
static void test_stopped_in_batch(void **state)
{
    struct bench b;
    struct user u[2];

    bench_init(&b);
    for (int i = 0; i < 2; i++) {
        begin(&u[i], &b);
        socket_watch_want(&u[i].watch, STREAM_READ);
        u[i].take = 8;
        say(&u[i], "x");
    }
    u[0].ends = &u[1];
    u[1].ends = &u[0];
    turns(&b, 3);
    assert_int_equal(u[0].calls + u[1].calls, 1);
    end(&u[0]);
    end(&u[1]);
    bench_fini(&b);
}

/* The descriptor has another holder, so closing ours does not take it out of the kernel's set. */
static void test_stopped_for_good(void **state)
{
    struct bench b;
    struct user *u = malloc(sizeof(*u));
    int peer;
    int other;

    bench_init(&b);
    loop_share_descriptors(b.loop);
    begin(u, &b);
    peer = u->peer;
    other = dup(u->watch.fd);
    socket_watch_want(&u->watch, STREAM_READ);
    socket_watch_close(&u->watch);
    free(u);
    assert_int_equal(send(peer, "x", 1, 0), 1);
    turns(&b, 3);
    close(other);
    close(peer);
    bench_fini(&b);
}

static void test_refused(void **state)
{
    struct bench b;
    struct socket_watch w = {0};

    bench_init(&b);
    assert_int_equal(socket_watch_start(&w, b.loop, -1, AF_INET, on_ready), -1);
    assert_int_equal(errno, EBADF);
    socket_watch_stop(&w);
    bench_fini(&b);
}

/* More than one turn's batch: none is forgotten, none is called twice. */
static void test_more_than_a_batch(void **state)
{
    enum { MANY = 400 };
    static struct user u[MANY];
    struct bench b;

    bench_init(&b);
    for (int i = 0; i < MANY; i++) {
        begin(&u[i], &b);
        socket_watch_want(&u[i].watch, STREAM_READ);
        u[i].take = 8;
        say(&u[i], "x");
    }
    turns(&b, 4);
    for (int i = 0; i < MANY; i++) {
        assert_int_equal(u[i].calls, 1);
        end(&u[i]);
    }
    bench_fini(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_called_while_open),      cmocka_unit_test(test_asked_in_vain),
        cmocka_unit_test(test_unwanted_is_remembered), cmocka_unit_test(test_writable_again),
        cmocka_unit_test(test_end_behind_bytes),       cmocka_unit_test(test_stopped_in_batch),
        cmocka_unit_test(test_stopped_for_good),       cmocka_unit_test(test_refused),
        cmocka_unit_test(test_more_than_a_batch),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
