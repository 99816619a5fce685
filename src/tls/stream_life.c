/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the wsbridge authors */
/*
 * How a TLS stream begins and ends. The descriptor is the stream's from the first moment: whatever fails closes it.
 */
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/alloc.h"
#include "net/socket.h"
#include "tls/stream_inner.h"

static void on_reap(struct loop_task *task)
{
    free(container_of(task, struct tls_stream, again));
}

/* What the peer sent and nobody read would turn our close into a reset, and that would take an alert or a close_notify
 * that is still under way with it. */
static void drain(int fd)
{
    char buf[4096];

    for (int i = 0; i < 16 && recv(fd, buf, sizeof(buf), MSG_DONTWAIT) > 0; i++)
        continue;
}

static void say_goodbye(struct tls_stream *t)
{
    if (t->phase == PHASE_OPEN && t->write_end == END_NONE && t->read_end != END_FAILED && tls_stream_flush(t)) {
        tls_clear_errors();
        (void)SSL_shutdown(t->ssl);
    }
    drain(t->watch.fd);
}

void tls_stream_count(struct stream *s, struct tls_counts *counts)
{
    tls_stream_of(s)->counts = counts;
}

void tls_stream_counted(const struct tls_stream *t, int by)
{
    if (!t->counts)
        return;
    stats_move(&t->counts->open, by);
    if (t->ktls_send)
        stats_move(&t->counts->ktls_send, by);
    if (t->ktls_receive)
        stats_move(&t->counts->ktls_receive, by);
}

void tls_stream_free(struct stream *s, enum stream_end how)
{
    struct tls_stream *t = tls_stream_of(s);
    const struct linger at_once = {.l_onoff = 1, .l_linger = 0};
    int fd = t->watch.fd;

    if (t->phase == PHASE_OPEN)
        tls_stream_counted(t, -1);
    if (how == STREAM_END_CLEAN)
        say_goodbye(t);
    else
        (void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
    loop_task_cancel(&t->again);
    if (t->ssl) {
        /* Or SSL_free looks for the session in a cache that we do not have, under its lock. */
        SSL_set_shutdown(t->ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
        SSL_free(t->ssl);
    }
    tls_clear_errors();
    socket_watch_close(&t->watch);
    tls_set_give(t->set);
    tls_client_give(t->client);
    free(t->sealed);
    free(t->text);
    t->s.ops = NULL;
    t->s.owner = NULL;
    loop_task_init(&t->again, on_reap);
    loop_reap(t->watch.loop, &t->again);
}

static struct tls_stream *stream_new(struct loop *l, int fd, struct stream_owner *owner)
{
    struct tls_stream *t = alloc_zero(sizeof(*t));

    if (!t || socket_watch_start(&t->watch, l, fd, socket_family(fd), tls_stream_on_socket) != 0) {
        free(t);
        close(fd);
        return NULL;
    }
    t->s.ops = &tls_stream_ops;
    t->s.owner = owner;
    loop_task_init(&t->again, tls_stream_on_again);
    return t;
}

/* Nothing was started yet: no owner has seen it, so it goes at once. */
static struct stream *give_up(struct tls_stream *t)
{
    SSL_free(t->ssl);
    tls_clear_errors();
    socket_watch_close(&t->watch);
    tls_set_give(t->set);
    tls_client_give(t->client);
    free(t);
    return NULL;
}

static bool bind_fd(struct tls_stream *t)
{
    BIO *b;

    if (!SSL_set_fd(t->ssl, t->watch.fd))
        return false;
    b = SSL_get_rbio(t->ssl);
    BIO_set_callback_arg(b, (char *)t);
    BIO_set_callback_ex(b, tls_stream_on_bio);
    return true;
}

struct stream *tls_server_stream_new(struct loop *l, int fd, struct tls_set *set, unsigned alpn,
                                     struct stream_owner *owner)
{
    struct tls_stream *t = stream_new(l, fd, owner);

    if (!t)
        return NULL;
    tls_set_take(set);
    t->set = set;
    t->alpn = alpn;
    t->needs = STREAM_READ;
    t->ssl = tls_set_ssl_new(set, &t->alpn);
    if (!t->ssl || !bind_fd(t))
        return give_up(t);
    SSL_set_accept_state(t->ssl);
    return &t->s;
}

struct stream *tls_client_stream_new(struct loop *l, int fd, struct tls_client *c, const char *host,
                                     struct stream_owner *owner)
{
    struct tls_stream *t = stream_new(l, fd, owner);
    const char *why;

    if (!t)
        return NULL;
    tls_client_take(c);
    t->client = c;
    t->needs = STREAM_WRITE;
    t->ssl = tls_client_ssl_new(c, host, &why);
    if (!t->ssl) {
        t->phase = PHASE_FAILED;
        t->read_end = t->write_end = END_FAILED;
        t->read_why = t->write_why = why;
        return &t->s;
    }
    if (!bind_fd(t))
        return give_up(t);
    SSL_set_connect_state(t->ssl);
    return &t->s;
}
