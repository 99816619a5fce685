/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the wsbridge authors */
/*
 * Sockets handed in. What the environment says is checked before it is used: a wrong count is an error of whoever
 * starts us, and serving on some of the sockets would hide it.
 */
#include "net/handed.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

static int copy_names(const char *names, char (*out)[HANDED_NAME_MAX], size_t n, struct strbuf *why)
{
    struct slice rest = slice_of(names);
    struct slice piece;
    size_t i = 0;

    while (slice_cut(&rest, ':', &piece)) {
        if (i == n || piece.n >= HANDED_NAME_MAX) {
            strbuf_printf(why, "LISTEN_FDNAMES does not fit LISTEN_FDS=%zu", n);
            return -1;
        }
        memcpy(out[i], piece.p, piece.n);
        out[i++][piece.n] = '\0';
    }
    if (i != n) {
        strbuf_printf(why, "LISTEN_FDNAMES has %zu names for LISTEN_FDS=%zu", i, n);
        return -1;
    }
    return 0;
}

int handed_parse(const char *pid, const char *fds, const char *names, pid_t self, size_t *n,
                 char (**out)[HANDED_NAME_MAX], struct strbuf *why)
{
    uint64_t v;

    *n = 0;
    *out = NULL;
    if (!pid || !fds)
        return 0;
    if (!slice_to_u64(slice_of(pid), INT32_MAX, &v)) {
        strbuf_str(why, "LISTEN_PID is not a process id");
        return -1;
    }
    if ((pid_t)v != self)
        return 0; /* meant for a parent that left its environment to us */
    if (!slice_to_u64(slice_of(fds), HANDED_MAX, &v)) {
        strbuf_printf(why, "LISTEN_FDS is not a number from 0 to %d", HANDED_MAX);
        return -1;
    }
    if (v == 0)
        return 0;
    *out = calloc((size_t)v, sizeof(**out));
    if (!*out) {
        strbuf_str(why, "out of memory");
        return -1;
    }
    if (names && copy_names(names, *out, (size_t)v, why) < 0) {
        free(*out);
        *out = NULL;
        return -1;
    }
    for (size_t i = 0; !names && i < v; i++)
        memcpy((*out)[i], "unknown", sizeof("unknown"));
    *n = (size_t)v;
    return 0;
}

enum handed_kind handed_describe(int fd, struct addr *local)
{
    struct addr a = {.len = sizeof(a.u)};
    struct addr peer = {.len = sizeof(peer.u)};
    int type = 0;
    int listening = 0;
    socklen_t len = sizeof(type);

    if (local)
        local->len = 0;
    if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len) < 0 || type != SOCK_STREAM)
        return HANDED_OTHER;
    if (getsockname(fd, &a.u.sa, &a.len) < 0)
        return HANDED_OTHER;
    if (a.u.sa.sa_family != AF_INET && a.u.sa.sa_family != AF_INET6 && a.u.sa.sa_family != AF_UNIX)
        return HANDED_OTHER;
    if (local)
        *local = a;
    len = sizeof(listening);
    if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &len) == 0 && listening)
        return HANDED_LISTENING;
    return getpeername(fd, &peer.u.sa, &peer.len) == 0 ? HANDED_CONNECTED : HANDED_OTHER;
}

static int describe_all(struct handed *h, char (*names)[HANDED_NAME_MAX], size_t n, struct strbuf *why)
{
    h->v = calloc(n, sizeof(*h->v));
    if (!h->v) {
        strbuf_str(why, "out of memory");
        return -1;
    }
    for (size_t i = 0; i < n; i++) {
        struct handed_fd *f = &h->v[i];
        int flags;

        f->fd = HANDED_FIRST_FD + (int)i;
        flags = fcntl(f->fd, F_GETFD);
        if (flags < 0 || fcntl(f->fd, F_SETFD, flags | FD_CLOEXEC) < 0) {
            strbuf_printf(why, "LISTEN_FDS promises descriptor %d, which is not open", f->fd);
            free(h->v);
            h->v = NULL;
            return -1;
        }
        memcpy(f->name, names[i], HANDED_NAME_MAX);
        f->kind = handed_describe(f->fd, &f->local);
    }
    h->n = n;
    return 0;
}

int handed_init(struct handed *h, struct strbuf *why)
{
    char(*names)[HANDED_NAME_MAX];
    size_t n;
    int rc;

    *h = (struct handed){0};
    rc = handed_parse(getenv("LISTEN_PID"), getenv("LISTEN_FDS"), getenv("LISTEN_FDNAMES"), getpid(), &n, &names, why);
    unsetenv("LISTEN_PID");
    unsetenv("LISTEN_FDS");
    unsetenv("LISTEN_FDNAMES");
    if (rc == 0 && n > 0)
        rc = describe_all(h, names, n, why);
    free(names);
    return rc;
}

void handed_fini(struct handed *h)
{
    free(h->v);
    *h = (struct handed){0};
}

struct handed_fd *handed_find(struct handed *h, const char *name, size_t *at)
{
    uint64_t index;
    bool borne = false;

    for (size_t i = 0; i < h->n; i++) {
        if (strcmp(h->v[i].name, name) != 0)
            continue;
        borne = true;
        if (i >= *at && !h->v[i].taken) {
            *at = i + 1;
            return &h->v[i];
        }
    }
    if (borne || !slice_to_u64(slice_of(name), HANDED_MAX, &index) || index >= h->n || index < *at)
        return NULL;
    *at = h->n;
    return h->v[index].taken ? NULL : &h->v[index];
}

static bool same_address(const struct addr *a, const struct addr *b)
{
    struct ip_port x;
    struct ip_port y;

    if (a->u.sa.sa_family != b->u.sa.sa_family)
        return false;
    if (a->u.sa.sa_family == AF_UNIX) {
        char ta[ADDR_TEXT_MAX];
        char tb[ADDR_TEXT_MAX];

        return strcmp(addr_format(a, ta), addr_format(b, tb)) == 0;
    }
    addr_to_ip_port(a, &x);
    addr_to_ip_port(b, &y);
    return x.port == y.port && x.scope == y.scope && ip_equal(&x, &y);
}

struct handed_fd *handed_find_address(struct handed *h, const struct addr *a)
{
    for (size_t i = 0; i < h->n; i++) {
        struct handed_fd *f = &h->v[i];

        if (!f->taken && f->kind == HANDED_LISTENING && same_address(&f->local, a))
            return f;
    }
    return NULL;
}

size_t handed_close_rest(struct handed *h)
{
    size_t closed = 0;

    for (size_t i = 0; i < h->n; i++) {
        if (h->v[i].taken)
            continue;
        close(h->v[i].fd);
        h->v[i].taken = true;
        closed++;
    }
    return closed;
}
