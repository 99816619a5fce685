/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the wsbridge authors */
/*
 * Sockets and TLS of the load generator: non-blocking, one call each. Whatever a benchmark cannot go on after (a reset,
 * a refused connection, a TLS alert) ends the program with its name: a figure from a broken run is worse than none.
 */
#include "load.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <openssl/err.h>

static struct sockaddr_in loopback(int port)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};

    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return a;
}

static void no_delay(int fd)
{
    int on = 1;

    if (setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) != 0)
        fatal("TCP_NODELAY: %s", strerror(errno));
}

int listen_on(int port)
{
    struct sockaddr_in a = loopback(port);
    int on = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) != 0 ||
        bind(fd, (struct sockaddr *)&a, sizeof(a)) != 0 || listen(fd, 4096) != 0)
        fatal("listen on %d: %s", port, strerror(errno));
    return fd;
}

int connect_to(int port)
{
    struct sockaddr_in a = loopback(port);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    if (fd < 0)
        fatal("socket: %s", strerror(errno));
    no_delay(fd);
    if (connect(fd, (struct sockaddr *)&a, sizeof(a)) != 0 && errno != EINPROGRESS)
        fatal("connect to %d: %s", port, strerror(errno));
    return fd;
}

int accept_from(int listener)
{
    int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

    if (fd >= 0)
        no_delay(fd);
    else if (errno != EAGAIN && errno != ECONNABORTED)
        fatal("accept: %s", strerror(errno));
    return fd;
}

static int keep_session(SSL *ssl, SSL_SESSION *s)
{
    struct load *l = SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));

    if (!l->opt.resume)
        return 0;
    /* A copy, and a copy for each use: OpenSSL marks a session as spent once its connection is given the next one. */
    SSL_SESSION_free(l->resume);
    l->resume = SSL_SESSION_dup(s);
    return 0;
}

SSL_CTX *tls_client(struct load *l)
{
    SSL_CTX *t = SSL_CTX_new(TLS_client_method());

    if (!t)
        fatal("no TLS context");
    SSL_CTX_set_app_data(t, l);
    SSL_CTX_set_mode(t, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_RELEASE_BUFFERS);
    /* A peer that leaves without close_notify would spoil the session it gave. */
    SSL_CTX_set_options(t, SSL_OP_IGNORE_UNEXPECTED_EOF);
    SSL_CTX_set_session_cache_mode(t, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
    SSL_CTX_sess_set_new_cb(t, keep_session);
    SSL_CTX_set_min_proto_version(t, TLS1_2_VERSION);
    if (l->opt.pinned12)
        SSL_CTX_set_max_proto_version(t, TLS1_2_VERSION);
    /* One cipher for every peer, so that none wins by a cheaper one. */
    if (SSL_CTX_set_ciphersuites(t, "TLS_AES_128_GCM_SHA256") != 1 ||
        SSL_CTX_set_cipher_list(t, "ECDHE+AES128+AESGCM") != 1)
        fatal("no such ciphers");
    return t;
}

static long tls_result(struct conn *c, int r, const char *what)
{
    int e = SSL_get_error(c->ssl, r);

    if (e == SSL_ERROR_WANT_READ || e == SSL_ERROR_WANT_WRITE)
        return -1;
    if (e == SSL_ERROR_ZERO_RETURN)
        return 0;
    /* Some peers end without close_notify. */
    if (c->state == CLIENT_CLOSING && (e == SSL_ERROR_SYSCALL || e == SSL_ERROR_SSL))
        return 0;
    fatal("TLS %s: %d %s", what, e, ERR_reason_error_string(ERR_peek_error()));
}

long conn_read(struct conn *c, void *p, size_t n)
{
    if (c->ssl) {
        ERR_clear_error();
        int r = SSL_read(c->ssl, p, n > 1 << 30 ? 1 << 30 : (int)n);
        return r > 0 ? r : tls_result(c, r, "read");
    }
    ssize_t r = recv(c->fd, p, n, 0);
    if (r >= 0)
        return r;
    if (errno == EAGAIN)
        return -1;
    if (errno == ECONNRESET && c->role == ROLE_BACKEND)
        return 0;
    if (errno == ECONNRESET && c->state == CLIENT_CLOSING)
        return 0;
    fatal("%s read: %s", c->role == ROLE_CLIENT ? "client" : "backend", strerror(errno));
}

long conn_write(struct conn *c, const void *p, size_t n)
{
    if (c->ssl) {
        ERR_clear_error();
        int r = SSL_write(c->ssl, p, n > 1 << 30 ? 1 << 30 : (int)n);
        return r > 0 ? r : tls_result(c, r, "write");
    }
    ssize_t r = send(c->fd, p, n, MSG_NOSIGNAL);
    if (r >= 0)
        return r;
    if (errno == EAGAIN)
        return -1;
    fatal("%s write: %s", c->role == ROLE_CLIENT ? "client" : "backend", strerror(errno));
}

int conn_handshake(struct conn *c)
{
    ERR_clear_error();
    int r = SSL_do_handshake(c->ssl);

    return r == 1 ? 1 : (int)tls_result(c, r, "handshake");
}

void conn_interest(struct load *l, struct conn *c, bool writing)
{
    if (c->writing == writing)
        return;
    struct epoll_event e = {.events = EPOLLIN | (writing ? EPOLLOUT : 0u), .data.ptr = c};
    if (epoll_ctl(l->epoll, EPOLL_CTL_MOD, c->fd, &e) != 0)
        fatal("epoll_ctl: %s", strerror(errno));
    c->writing = writing;
}

struct conn *conn_new(struct load *l, enum role role, int fd)
{
    struct conn *c = calloc(1, sizeof(*c));
    struct epoll_event e = {.events = EPOLLIN | (role == ROLE_CLIENT ? EPOLLOUT : 0u)};

    if (!c)
        fatal("no memory");
    e.data.ptr = c;
    c->role = role;
    c->fd = fd;
    c->writing = role == ROLE_CLIENT;
    c->reader.discard = !l->opt.check;
    if (epoll_ctl(l->epoll, EPOLL_CTL_ADD, fd, &e) != 0)
        fatal("epoll_ctl: %s", strerror(errno));
    return c;
}

void conn_close(struct conn *c)
{
    if (c->ssl) /* or OpenSSL takes the session for a bad one and will not resume it */
        SSL_set_shutdown(c->ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
    SSL_free(c->ssl);
    close(c->fd);
    free(c->held);
    free(c);
}
