/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the wsbridge authors */
/*
 * Streams over real sockets: loopback TCP and unix pairs. What the kernel was asked is counted by wrapping nothing:
 * "no system call" shows in that an answer does not change although the socket's state has.
 */
#include "net_help.h"

#include <netinet/tcp.h>
#include <signal.h>
#include <sys/ioctl.h>

#include "net/loop.h"
#include "net/stream.h"

struct user {
    struct stream_owner owner;
    int readies;
    bool frees; /* in ready */
    struct stream *partner;
};

static void on_ready(struct stream_owner *o, struct stream *s)
{
    struct user *u = container_of(o, struct user, owner);
    u->readies++;
    if (!u->frees)
        return;
    u->frees = false;
    stream_free(s, STREAM_END_CLEAN);
    if (u->partner)
        stream_free(u->partner, STREAM_END_CLEAN);
}

struct fixture {
    struct bench b;
    struct user u;
    struct stream *s;
    int peer; /* blocking */
};

static void begin_tcp(struct fixture *f)
{
    int fd;
    memset(f, 0, sizeof(*f));
    bench_init(&f->b);
    f->u.owner.ready = on_ready;
    tcp_pair(&fd, &f->peer);
    f->s = socket_stream_new(f->b.loop, fd, &f->u.owner);
    assert_non_null(f->s);
    assert_string_equal(f->s->ops->name, "tcp");
    assert_int_equal(stream_start(f->s), IO_OK);
}

static void begin_unix(struct fixture *f)
{
    int fd[2];
    memset(f, 0, sizeof(*f));
    bench_init(&f->b);
    f->u.owner.ready = on_ready;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fd), 0);
    assert_int_equal(fcntl(fd[0], F_SETFL, O_NONBLOCK), 0);
    f->peer = fd[1];
    f->s = socket_stream_new(f->b.loop, fd[0], &f->u.owner);
    assert_non_null(f->s);
    assert_string_equal(f->s->ops->name, "unix");
}

static void end(struct fixture *f)
{
    stream_free(f->s, STREAM_END_CLEAN);
    if (f->peer >= 0)
        close(f->peer);
    bench_fini(&f->b);
}

static void send_peer(struct fixture *f, const char *text)
{
    assert_int_equal(send(f->peer, text, strlen(text), MSG_NOSIGNAL), strlen(text));
}

static int unread(const struct fixture *f)
{
    int n = 0;
    assert_int_equal(ioctl(socket_stream_fd(f->s), FIONREAD, &n), 0);
    return n;
}

static enum io put_text(struct stream *s, const char *text, size_t *put)
{
    struct iovec v = {(void *)(uintptr_t)text, strlen(text)};
    return stream_write(s, &v, 1, put);
}

/* --- hints ---------------------------------------------------------------------------------------------------------
 */

static void test_read_hints(void **state)
{
    struct fixture f;
    uint8_t buf[8];
    size_t got = 0;
    begin_tcp(&f);
    send_peer(&f, "hello world");
    WAIT_FOR(&f.b, unread(&f) == 11);
    assert_int_equal(stream_read(f.s, buf, 8, &got), IO_AGAIN); /* not reported yet */
    assert_int_equal(f.u.readies, 0);
    stream_want(f.s, STREAM_READ);
    assert_int_equal(f.u.readies, 0); /* never from inside a call */
    loop_turn(f.b.loop);
    assert_int_equal(f.u.readies, 1);
    assert_int_equal(stream_read(f.s, buf, 8, &got), IO_OK); /* full: there may be more */
    assert_int_equal(got, 8);
    assert_int_equal(stream_read(f.s, buf, 8, &got), IO_OK); /* short: that was all */
    assert_int_equal(got, 3);
    assert_memory_equal(buf, "rld", 3);
    send_peer(&f, "x");
    WAIT_FOR(&f.b, f.u.readies > 1);
    assert_int_equal(stream_read(f.s, buf, 8, &got), IO_OK);
    assert_int_equal(stream_read(f.s, buf, 8, &got), IO_AGAIN);
    end(&f);
}

/* After a short read the kernel is not asked again before the loop has reported. */
static void test_read_asks_once(void **state)
{
    struct fixture f;
    uint8_t buf[8];
    size_t got = 0;
    begin_tcp(&f);
    send_peer(&f, "ab");
    stream_want(f.s, STREAM_READ);
    WAIT_FOR(&f.b, f.u.readies > 0 && unread(&f) == 2);
    assert_int_equal(stream_read(f.s, buf, 8, &got), IO_OK);
    assert_int_equal(got, 2);
    send_peer(&f, "cd");
    while (unread(&f) < 2)
        continue;
    assert_int_equal(stream_read(f.s, buf, 8, &got), IO_AGAIN); /* it is there: a recv would find it */
    loop_turn(f.b.loop);
    assert_int_equal(stream_read(f.s, buf, 8, &got), IO_OK);
    assert_memory_equal(buf, "cd", 2);
    end(&f);
}

/* A read from a unix socket ends behind a descriptor that was passed (and dropped); what follows is not waited for. */
static void test_read_behind_a_descriptor(void **state)
{
    struct fixture f;
    union {
        struct cmsghdr h;
        char room[CMSG_SPACE(sizeof(int))];
    } control = {.h = {.cmsg_len = CMSG_LEN(sizeof(int)), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS}};
    struct iovec v = {(char[]){"one"}, 3};
    struct msghdr m = {
        .msg_iov = &v, .msg_iovlen = 1, .msg_control = control.room, .msg_controllen = sizeof(control.room)};
    int passed = STDERR_FILENO;
    uint8_t buf[8];
    size_t got = 0;
    begin_unix(&f);
    memcpy(CMSG_DATA(&control.h), &passed, sizeof(passed));
    assert_int_equal(sendmsg(f.peer, &m, 0), 3);
    send_peer(&f, "two");
    stream_want(f.s, STREAM_READ);
    loop_turn(f.b.loop);
    assert_int_equal(stream_read(f.s, buf, 8, &got), IO_OK);
    assert_int_equal(got, 3);
    assert_int_equal(stream_read(f.s, buf, 8, &got), IO_OK);
    assert_memory_equal(buf, "two", 3);
    assert_int_equal(stream_read(f.s, buf, 8, &got), IO_AGAIN);
    end(&f);
}

/* A read ends before urgent data, which is in its place among the others, and what comes behind it is not waited for.
 */
static void test_urgent_data(void **state)
{
    const struct socket_options none = {0};
    struct fixture f;
    uint8_t buf[16];
    size_t got = 0;
    size_t all = 0;
    begin_tcp(&f);
    socket_tune(socket_stream_fd(f.s), &none);
    send_peer(&f, "before");
    assert_int_equal(send(f.peer, "!", 1, MSG_OOB), 1);
    send_peer(&f, "behind");
    WAIT_FOR(&f.b, unread(&f) == 13);
    stream_want(f.s, STREAM_READ);
    loop_turn(f.b.loop);
    assert_int_equal(f.u.readies, 1);
    assert_int_equal(stream_read(f.s, buf, sizeof(buf), &got), IO_OK);
    assert_int_equal(got, 6);
    for (all = got; all < 13; all += got)
        assert_int_equal(stream_read(f.s, buf + all, sizeof(buf) - all, &got), IO_OK);
    assert_memory_equal(buf, "before!behind", 13);
    assert_int_equal(stream_read(f.s, buf, sizeof(buf), &got), IO_AGAIN);
    end(&f);
}

/* An owner that stopped reading while bytes were left hears of them when it wants them again. */
static void test_want_after_pause(void **state)
{
    struct fixture f;
    uint8_t buf[4];
    size_t got;
    begin_unix(&f);
    send_peer(&f, "abcdefgh");
    stream_want(f.s, STREAM_READ);
    loop_turn(f.b.loop);
    assert_int_equal(stream_read(f.s, buf, 4, &got), IO_OK);
    stream_want(f.s, 0);
    loop_turn(f.b.loop);
    loop_turn(f.b.loop);
    assert_int_equal(f.u.readies, 1);
    stream_want(f.s, STREAM_READ);
    loop_turn(f.b.loop);
    assert_int_equal(f.u.readies, 2);
    assert_int_equal(stream_read(f.s, buf, 4, &got), IO_OK);
    assert_memory_equal(buf, "efgh", 4);
    end(&f);
}

static size_t fill(struct stream *s)
{
    static char block[65536];
    size_t total = 0, put;
    struct iovec v = {block, sizeof(block)};
    for (;;) {
        enum io r = stream_write(s, &v, 1, &put);
        if (r == IO_AGAIN)
            return total;
        assert_int_equal(r, IO_OK);
        total += put;
    }
}

static size_t swallow(int fd, size_t n)
{
    static char block[65536];
    size_t total = 0;
    while (total < n) {
        ssize_t r = recv(fd, block, MIN_OF(sizeof(block), n - total), 0);
        assert_true(r > 0);
        total += (size_t)r;
    }
    return total;
}

static void test_write_hints(void **state)
{
    struct fixture f;
    size_t put;
    begin_unix(&f);
    size_t total = fill(f.s);
    assert_true(total > 0);
    swallow(f.peer, total); /* there is room in the kernel, but the loop has not said so */
    assert_int_equal(put_text(f.s, "x", &put), IO_AGAIN);
    stream_want(f.s, STREAM_WRITE);
    loop_turn(f.b.loop);
    assert_int_equal(f.u.readies, 1);
    assert_int_equal(put_text(f.s, "x", &put), IO_OK);
    end(&f);
}

/* Both directions in one report are one ready. */
static void test_ready_once(void **state)
{
    struct fixture f;
    begin_unix(&f);
    send_peer(&f, "x");
    stream_want(f.s, STREAM_READ | STREAM_WRITE);
    loop_turn(f.b.loop);
    assert_int_equal(f.u.readies, 1);
    stream_want(f.s, STREAM_READ | STREAM_WRITE);
    stream_want(f.s, STREAM_WRITE);
    stream_want(f.s, STREAM_READ | STREAM_WRITE);
    loop_turn(f.b.loop);
    assert_int_equal(f.u.readies, 2);
    end(&f);
}

static void test_writev(void **state)
{
    struct fixture f;
    char a[] = "head", b[] = "", c[] = "er+payload", buf[32];
    struct iovec v[3] = {{a, 4}, {b, 0}, {c, 10}};
    size_t put;
    begin_tcp(&f);
    assert_int_equal(stream_write(f.s, v, 3, &put), IO_OK);
    assert_int_equal(put, 14);
    assert_int_equal(recv(f.peer, buf, 14, MSG_WAITALL), 14);
    assert_memory_equal(buf, "header+payload", 14);
    end(&f);
}

/* --- ends ----------------------------------------------------------------------------------------------------------
 */

static void test_half_close(void **state)
{
    struct fixture f;
    uint8_t buf[8];
    size_t got, put;
    begin_tcp(&f);
    send_peer(&f, "bye");
    assert_int_equal(shutdown(f.peer, SHUT_WR), 0);
    stream_want(f.s, STREAM_READ);
    WAIT_FOR(&f.b, unread(&f) == 3 && f.u.readies > 0);
    assert_int_equal(stream_read(f.s, buf, 8, &got), IO_OK);
    assert_int_equal(got, 3);
    WAIT_FOR(&f.b, stream_read(f.s, buf, 8, &got) == IO_EOF);
    assert_int_equal(stream_read(f.s, buf, 8, &got), IO_EOF); /* remembered */

    /* An end is reported once, not on every turn, even if it is still wanted. */
    int readies = f.u.readies;
    stream_want(f.s, STREAM_READ);
    loop_turn(f.b.loop);
    loop_turn(f.b.loop);
    assert_int_equal(f.u.readies, readies);

    /* The other direction lives. */
    assert_int_equal(put_text(f.s, "still here", &put), IO_OK);
    assert_int_equal(recv(f.peer, buf, 8, 0), 8);
    assert_int_equal(stream_shut_write(f.s), IO_OK);
    assert_int_equal(stream_shut_write(f.s), IO_OK);
    assert_int_equal(recv(f.peer, buf, 8, 0), 2);
    assert_int_equal(recv(f.peer, buf, 8, 0), 0);
    assert_int_equal(put_text(f.s, "x", &put), IO_FAIL);
    assert_int_equal(f.s->err, EPIPE);
    end(&f);
}

static void reset_by_peer(struct fixture *f)
{
    struct linger l = {1, 0};
    assert_int_equal(setsockopt(f->peer, SOL_SOCKET, SO_LINGER, &l, sizeof(l)), 0);
    close(f->peer);
    f->peer = -1;
}

static void test_reset(void **state)
{
    struct fixture f;
    uint8_t buf[8];
    size_t got, put;
    begin_tcp(&f);
    reset_by_peer(&f);
    stream_want(f.s, STREAM_READ);
    WAIT_FOR(&f.b, f.u.readies > 0);
    assert_int_equal(stream_read(f.s, buf, 8, &got), IO_FAIL);
    assert_int_equal(f.s->err, ECONNRESET);
    assert_string_equal(f.s->why, "Connection reset by peer");
    assert_int_equal(stream_read(f.s, buf, 8, &got), IO_FAIL);
    assert_int_equal(f.s->err, ECONNRESET);
    assert_int_equal(put_text(f.s, "x", &put), IO_FAIL); /* and no SIGPIPE */
    end(&f);
}

/* A write hears of the reset first. The bytes that came before it are still read, and the end that follows is a
 * failure: the kernel tells an error once and gives recv a plain zero afterwards. */
static void test_reset_heard_by_write(void **state)
{
    struct fixture f;
    uint8_t buf[8];
    size_t got, put;
    struct tcp_info info;
    socklen_t len;
    begin_tcp(&f);
    send_peer(&f, "last words");
    WAIT_FOR(&f.b, unread(&f) == 10);
    reset_by_peer(&f);
    do {
        len = sizeof(info);
        assert_int_equal(getsockopt(socket_stream_fd(f.s), IPPROTO_TCP, TCP_INFO, &info, &len), 0);
    } while (info.tcpi_state != TCP_CLOSE);
    assert_int_equal(put_text(f.s, "x", &put), IO_FAIL);
    assert_int_equal(f.s->err, ECONNRESET);
    stream_want(f.s, STREAM_READ | STREAM_WRITE);
    WAIT_FOR(&f.b, f.u.readies > 0);
    assert_int_equal(stream_read(f.s, buf, 8, &got), IO_OK);
    assert_memory_equal(buf, "last wor", 8);
    assert_int_equal(stream_read(f.s, buf, 8, &got), IO_OK);
    assert_int_equal(got, 2);
    WAIT_FOR(&f.b, stream_read(f.s, buf, 8, &got) != IO_AGAIN);
    assert_int_equal(stream_read(f.s, buf, 8, &got), IO_FAIL);
    assert_int_equal(f.s->err, ECONNRESET);
    int readies = f.u.readies; /* both directions are done: nothing is reported any more */
    loop_turn(f.b.loop);
    assert_int_equal(f.u.readies, readies);
    end(&f);
}

static ssize_t peer_hears(enum stream_end how)
{
    struct fixture f;
    char buf[8];
    begin_tcp(&f);
    stream_free(f.s, how);
    f.s = NULL;
    ssize_t n = recv(f.peer, buf, sizeof(buf), 0);
    int err = errno;
    end(&f);
    errno = err;
    return n;
}

static void test_free_clean_and_abort(void **state)
{
    assert_int_equal(peer_hears(STREAM_END_CLEAN), 0);
    assert_int_equal(peer_hears(STREAM_END_ABORT), -1);
    assert_int_equal(errno, ECONNRESET);
}

/* Two streams are ready in the same turn; whichever comes first frees both. */
static void test_no_ready_after_free(void **state)
{
    struct bench b;
    struct user u[2] = {{.owner.ready = on_ready, .frees = true}, {.owner.ready = on_ready, .frees = true}};
    struct stream *s[2];
    int peer[2];
    bench_init(&b);
    for (int i = 0; i < 2; i++) {
        int fd;
        tcp_pair(&fd, &peer[i]);
        s[i] = socket_stream_new(b.loop, fd, &u[i].owner);
        assert_int_equal(send(peer[i], "x", 1, 0), 1);
        stream_want(s[i], STREAM_READ | STREAM_WRITE);
    }
    u[0].partner = s[1];
    u[1].partner = s[0];
    loop_turn(b.loop);
    loop_turn(b.loop);
    assert_int_equal(u[0].readies + u[1].readies, 1);
    close(peer[0]);
    close(peer[1]);
    bench_fini(&b);
}

/* Changing what is wanted does not lose an event that this turn has yet to deliver. */
struct meddler {
    struct stream_owner owner;
    struct stream *other;
};

static void on_meddle(struct stream_owner *o, struct stream *s)
{
    struct meddler *m = container_of(o, struct meddler, owner);
    stream_want(m->other, STREAM_READ | STREAM_WRITE);
    stream_want(s, 0);
}

static void change_keeps_pending(int first)
{
    struct bench b;
    struct user u = {.owner.ready = on_ready};
    struct meddler m = {.owner.ready = on_meddle};
    int fd[2][2];
    bench_init(&b);
    for (int i = 0; i < 2; i++)
        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fd[i]), 0);
    m.other = socket_stream_new(b.loop, fd[0][0], &u.owner);
    struct stream *s = socket_stream_new(b.loop, fd[1][0], &m.owner);
    stream_want(m.other, STREAM_READ);
    stream_want(s, STREAM_READ);
    loop_turn(b.loop);
    assert_int_equal(write(fd[first][1], "x", 1), 1); /* the kernel reports in this order */
    assert_int_equal(write(fd[!first][1], "x", 1), 1);
    loop_turn(b.loop);
    assert_int_equal(u.readies, 1);
    stream_free(s, STREAM_END_CLEAN);
    stream_free(m.other, STREAM_END_CLEAN);
    close(fd[0][1]);
    close(fd[1][1]);
    bench_fini(&b);
}

static void test_change_keeps_pending(void **state)
{
    change_keeps_pending(0);
    change_keeps_pending(1);
}

/* A descriptor number that is used again within the turn belongs to the new stream alone. */
static void test_fd_number_reused(void **state)
{
    struct fixture f;
    struct user u = {.owner.ready = on_ready};
    begin_unix(&f);
    send_peer(&f, "old");
    stream_want(f.s, STREAM_READ);
    loop_turn(f.b.loop);
    int old = socket_stream_fd(f.s), fd[2];
    stream_free(f.s, STREAM_END_CLEAN);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fd), 0);
    assert_int_equal(fd[0], old);
    f.s = socket_stream_new(f.b.loop, fd[0], &u.owner);
    stream_want(f.s, STREAM_READ);
    loop_turn(f.b.loop);
    assert_int_equal(u.readies, 0);
    assert_int_equal(write(fd[1], "new", 3), 3);
    loop_turn(f.b.loop);
    assert_int_equal(u.readies, 1);
    assert_int_equal(f.u.readies, 1);
    close(fd[1]);
    end(&f);
}

static void test_detach(void **state)
{
    struct fixture f;
    begin_tcp(&f);
    stream_want(f.s, STREAM_READ);
    send_peer(&f, "x");
    int fd = socket_stream_detach(f.s);
    assert_true(fd >= 0);
    loop_turn(f.b.loop);
    assert_int_equal(f.u.readies, 0);
    f.s = socket_stream_new_as(f.b.loop, fd, AF_INET, &f.u.owner); /* still open, still has its byte */
    stream_want(f.s, STREAM_READ);
    WAIT_FOR(&f.b, f.u.readies > 0);
    end(&f);
}

/* --- splice --------------------------------------------------------------------------------------------------------
 */

static void test_splice(void **state)
{
    struct fixture f;
    char buf[16];
    size_t n;
    int p[2];
    begin_tcp(&f);
    assert_int_equal(pipe2(p, O_NONBLOCK | O_CLOEXEC), 0);
    assert_int_equal(f.s->ops->splice_in(f.s, p[1], 100, &n), IO_AGAIN);
    send_peer(&f, "spliced");
    stream_want(f.s, STREAM_READ);
    WAIT_FOR(&f.b, unread(&f) == 7 && f.u.readies > 0);
    assert_int_equal(f.s->ops->splice_in(f.s, p[1], 100, &n), IO_OK);
    assert_int_equal(n, 7);
    assert_int_equal(f.s->ops->splice_in(f.s, p[1], 100, &n), IO_AGAIN);
    assert_false(f.s->blocked & STREAM_READ); /* only a read settles that */
    assert_int_equal(stream_read(f.s, (uint8_t *)buf, 1, &n), IO_AGAIN);
    assert_true(f.s->blocked & STREAM_READ);
    assert_int_equal(f.s->ops->splice_out(f.s, p[0], 7, &n, 0), IO_OK);
    assert_int_equal(n, 7);
    assert_int_equal(recv(f.peer, buf, 7, MSG_WAITALL), 7);
    assert_memory_equal(buf, "spliced", 7);
    shutdown(f.peer, SHUT_WR);
    WAIT_FOR(&f.b, stream_read(f.s, (uint8_t *)buf, 1, &n) == IO_EOF);
    assert_int_equal(f.s->ops->splice_in(f.s, p[1], 100, &n), IO_EOF); /* once it is told */
    close(p[0]);
    close(p[1]);
    end(&f);
}

/* --- connecting ----------------------------------------------------------------------------------------------------
 */

struct caller {
    struct stream_owner owner;
    enum io last;
    int readies;
};

static void on_progress(struct stream_owner *o, struct stream *s)
{
    struct caller *c = container_of(o, struct caller, owner);
    c->readies++;
    c->last = stream_start(s);
}

static const struct socket_options plain = {.keepalive = 30, .notsent_lowat = 16384, .user_timeout = 5000};

static void test_connect(void **state)
{
    struct bench b;
    struct caller c = {.owner.ready = on_progress, .last = IO_AGAIN};
    struct addr a;
    size_t put;
    char buf[4];
    bench_init(&b);
    addr_v4(&a, "127.0.0.1", 0);
    int lfd = listen_on(&a, 4), v;
    socklen_t len = sizeof(v);
    struct stream *s = socket_connect_new(b.loop, &a, &plain, &c.owner);
    assert_non_null(s);
    stream_want(s, STREAM_READ | STREAM_WRITE); /* no effect yet */
    c.last = stream_start(s);
    WAIT_FOR(&b, c.last != IO_AGAIN);
    assert_int_equal(c.last, IO_OK);
    assert_int_equal(c.readies, 1);
    loop_turn(b.loop);
    loop_turn(b.loop);
    assert_int_equal(c.readies, 1); /* nothing is wanted */
    assert_int_equal(put_text(s, "hey", &put), IO_OK);
    int fd = accept(lfd, NULL, NULL);
    assert_int_equal(recv(fd, buf, 3, MSG_WAITALL), 3);

    assert_int_equal(getsockopt(socket_stream_fd(s), IPPROTO_TCP, TCP_NODELAY, &v, &len), 0);
    assert_true(v);
    assert_int_equal(getsockopt(socket_stream_fd(s), IPPROTO_TCP, TCP_NOTSENT_LOWAT, &v, &len), 0);
    assert_int_equal(v, 16384);
    assert_int_equal(getsockopt(socket_stream_fd(s), IPPROTO_TCP, TCP_USER_TIMEOUT, &v, &len), 0);
    assert_int_equal(v, 5000);
    assert_int_equal(getsockopt(socket_stream_fd(s), SOL_SOCKET, SO_KEEPALIVE, &v, &len), 0);
    assert_true(v);
    stream_free(s, STREAM_END_CLEAN);
    close(fd);
    close(lfd);
    bench_fini(&b);
}

static void test_connect_refused(void **state)
{
    struct bench b;
    struct caller c = {.owner.ready = on_progress, .last = IO_AGAIN};
    struct addr a;
    bench_init(&b);
    addr_v4(&a, "127.0.0.1", 0);
    close(listen_on(&a, 4)); /* a port that nobody listens on */
    struct stream *s = socket_connect_new(b.loop, &a, &plain, &c.owner);
    c.last = stream_start(s);
    WAIT_FOR(&b, c.last != IO_AGAIN);
    assert_int_equal(c.last, IO_FAIL);
    assert_int_equal(s->err, ECONNREFUSED);
    assert_int_equal(stream_start(s), IO_FAIL);
    stream_free(s, STREAM_END_CLEAN);
    bench_fini(&b);
}

/* Once in some ten thousand tries the kernel connects an (even) port of its own range to itself; that must count as
 * refused. */
static void test_connect_to_self(void **state)
{
    struct bench b;
    struct caller c = {.owner.ready = on_progress};
    struct addr a;
    bench_init(&b);
    addr_v4(&a, "127.0.0.1", 40000);
    for (int i = 0; i < 15000; i++) {
        struct stream *s = socket_connect_new(b.loop, &a, &plain, &c.owner);
        assert_non_null(s);
        c.last = stream_start(s);
        while (c.last == IO_AGAIN)
            loop_turn(b.loop);
        assert_int_equal(c.last, IO_FAIL);
        assert_int_equal(s->err, ECONNREFUSED);
        stream_free(s, STREAM_END_CLEAN);
    }
    bench_fini(&b);
}

static void test_connect_unix(void **state)
{
    struct bench b;
    struct caller c = {.owner.ready = on_progress};
    struct addr a;
    char path[64];
    struct stream *s[3];
    bench_init(&b);
    snprintf(path, sizeof(path), "/tmp/wsbridge-test-%d.sock", (int)getpid());
    addr_unix(&a, path);
    s[0] = socket_connect_new(b.loop, &a, &plain, &c.owner);
    assert_int_equal(stream_start(s[0]), IO_FAIL);
    assert_int_equal(s[0]->err, ENOENT);
    stream_free(s[0], STREAM_END_CLEAN);
    struct addr at = a;
    int lfd = listen_on(&at, 0); /* room for one */
    s[0] = socket_connect_new(b.loop, &a, &plain, &c.owner);
    assert_int_equal(stream_start(s[0]), IO_OK);
    assert_string_equal(s[0]->ops->name, "unix");
    s[1] = socket_connect_new(b.loop, &a, &plain, &c.owner);
    assert_int_equal(stream_start(s[1]), IO_FAIL);
    assert_int_equal(s[1]->err, EAGAIN);
    close(lfd);
    s[2] = socket_connect_new(b.loop, &a, &plain, &c.owner);
    assert_int_equal(stream_start(s[2]), IO_FAIL);
    assert_int_equal(s[2]->err, ECONNREFUSED);
    for (int i = 0; i < 3; i++)
        stream_free(s[i], STREAM_END_CLEAN);
    unlink(path);
    bench_fini(&b);
}

static void test_connect_no_family(void **state)
{
    struct bench b;
    struct caller c = {.owner.ready = on_progress};
    struct addr a = {.len = sizeof(struct sockaddr_in)};
    a.u.sa.sa_family = 250;
    bench_init(&b);
    assert_null(socket_connect_new(b.loop, &a, &plain, &c.owner));
    assert_int_equal(errno, EAFNOSUPPORT);
    bench_fini(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_read_hints),
        cmocka_unit_test(test_read_asks_once),
        cmocka_unit_test(test_read_behind_a_descriptor),
        cmocka_unit_test(test_urgent_data),
        cmocka_unit_test(test_want_after_pause),
        cmocka_unit_test(test_write_hints),
        cmocka_unit_test(test_ready_once),
        cmocka_unit_test(test_writev),
        cmocka_unit_test(test_half_close),
        cmocka_unit_test(test_reset),
        cmocka_unit_test(test_reset_heard_by_write),
        cmocka_unit_test(test_free_clean_and_abort),
        cmocka_unit_test(test_no_ready_after_free),
        cmocka_unit_test(test_change_keeps_pending),
        cmocka_unit_test(test_fd_number_reused),
        cmocka_unit_test(test_detach),
        cmocka_unit_test(test_splice),
        cmocka_unit_test(test_connect),
        cmocka_unit_test(test_connect_refused),
        cmocka_unit_test(test_connect_to_self),
        cmocka_unit_test(test_connect_unix),
        cmocka_unit_test(test_connect_no_family),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
