/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the wsbridge authors */
/*
 * See sockets.h. First it is found out what there is to serve (places), then every worker gets its descriptor of each.
 * `systemd:NAME` stands for every socket of that name; any other address is looked for among what was handed in before
 * it is opened, so that plain LISTEN_FDS work with an ordinary configuration.
 */
#include "app/sockets.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

/* --- descriptor 0 ----------------------------------------------------------------------------------------------------
 */

static bool same_file(int a, int b)
{
    struct stat x;
    struct stat y;

    return fstat(a, &x) == 0 && fstat(b, &y) == 0 && x.st_dev == y.st_dev && x.st_ino == y.st_ino;
}

bool sockets_take_stdin(int *fd)
{
    bool deaf = same_file(STDIN_FILENO, STDERR_FILENO);
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);

    *fd = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
    for (int i = STDERR_FILENO; i >= STDIN_FILENO; i--)
        if (null >= 0 && same_file(STDIN_FILENO, i))
            (void)dup2(null, i);
    if (null > STDERR_FILENO)
        close(null);
    return deaf;
}

static int take_inetd(struct sockets *k, int fd)
{
    struct handed_fd *h;

    h = calloc(1, sizeof *h);
    if (!h) {
        fprintf(stderr, "wsbridge: out of memory at start\n");
        return -1;
    }
    k->handed = (struct handed){.n = 1, .v = h};
    k->inetd = true;
    h->fd = fd;
    h->kind = handed_describe(fd, &h->local);
    if (h->kind == HANDED_CONNECTED) {
        h->taken = true;
        k->connected = fd;
        return 0;
    }
    if (h->kind == HANDED_LISTENING)
        return 0;
    h->taken = true; /* not ours to close */
    fprintf(stderr, "wsbridge: --inetd: descriptor 0 is neither a listening nor a connected socket\n");
    return -1;
}

int sockets_init(struct sockets *k, int fd)
{
    char text[256];
    struct strbuf why;

    *k = (struct sockets){.connected = -1};
    if (fd >= 0)
        return take_inetd(k, fd);
    strbuf_init(&why, text, sizeof text);
    if (handed_init(&k->handed, &why) == 0)
        return 0;
    fprintf(stderr, "wsbridge: %s\n", text);
    return -1;
}

/* --- places ----------------------------------------------------------------------------------------------------------
 */

static void add(struct sockets *k, const struct socket_place *p)
{
    k->places[k->n++] = *p;
    if (p->handed)
        p->handed->taken = true;
}

static int add_named(struct sockets *k, size_t which, const char *text)
{
    const char *name = strchr(text, ':') + 1;
    struct handed_fd *h;
    size_t at = 0;
    size_t before = k->n;

    while ((h = handed_find(&k->handed, name, &at)) != NULL) {
        if (h->kind != HANDED_LISTENING) {
            fprintf(stderr, "wsbridge: cannot listen on %s: the socket that was handed in does not listen\n", text);
            return -1;
        }
        add(k, &(struct socket_place){.which = which, .addr = h->local, .handed = h, .text = text});
    }
    if (k->n > before)
        return 0;
    fprintf(stderr, "wsbridge: cannot listen on %s: no socket of that name was handed in (LISTEN_FDNAMES)\n", text);
    return -1;
}

/* Every address of both families is one socket, unless the IPv4 ones have a listener of their own: the kernel would not
 * let both take them. */
static void part_families(struct sockets *k)
{
    for (size_t i = 0; i < k->n; i++)
        for (size_t j = 0; j < k->n; j++) {
            struct socket_place *p = &k->places[i];
            const struct addr *o = &k->places[j].addr;
            if (p->addr.u.sa.sa_family == AF_INET6 && addr_is_any(&p->addr) && o->u.sa.sa_family == AF_INET &&
                addr_is_any(o) && o->u.in4.sin_port == p->addr.u.in6.sin6_port)
                p->v6_only = true;
        }
}

static int find_places(struct sockets *k, const struct settings *s)
{
    size_t room = k->handed.n + 1;

    for (size_t i = 0; i < s->listeners.n; i++)
        room += settings_listener(s, i)->n_addrs;
    k->places = calloc(room, sizeof *k->places);
    if (!k->places) {
        fprintf(stderr, "wsbridge: out of memory at start\n");
        return -1;
    }
    for (size_t i = 0; i < s->listeners.n; i++) {
        const struct listener_settings *l = settings_listener(s, i);
        for (size_t j = 0; j < l->n_addrs; j++) {
            struct socket_place p = {.which = i, .addr = l->addrs[j], .text = l->address.v[j]};
            if (listen_address_is_handed(&p.addr)) {
                if (add_named(k, i, p.text) != 0)
                    return -1;
                continue;
            }
            p.handed = handed_find_address(&k->handed, &p.addr);
            add(k, &p);
        }
    }
    part_families(k);
    return 0;
}

/* The first listener, wherever it would have listened. */
static int inetd_place(struct sockets *k)
{
    struct handed_fd *h = k->handed.v;

    k->places = calloc(1, sizeof *k->places);
    if (!k->places) {
        fprintf(stderr, "wsbridge: out of memory at start\n");
        return -1;
    }
    add(k, &(struct socket_place){.addr = h->local, .handed = h, .text = "descriptor 0"});
    return 0;
}

/* --- descriptors -----------------------------------------------------------------------------------------------------
 */

/* Two programs of one user may share a port with SO_REUSEPORT, and each would get some of the clients: a mistake that
 * nobody would understand. So one socket that does not share asks first whether the port is free. */
static bool address_is_free(const struct addr *a, bool v6_only, char *why, size_t cap)
{
    const struct listen_options alone = {.v6_only = v6_only};
    int fd = socket_listen(a, &alone, why, cap);

    if (fd < 0)
        return false;
    close(fd);
    return true;
}

static int open_first(const struct socket_place *p, const struct listen_options *opt, char *why, size_t cap)
{
    int flags;

    if (!p->handed)
        return socket_listen(&p->addr, opt, why, cap);
    flags = fcntl(p->handed->fd, F_GETFL);
    if (flags >= 0)
        (void)fcntl(p->handed->fd, F_SETFL, flags | O_NONBLOCK);
    return p->handed->fd;
}

static int open_place(const struct socket_place *p, const struct settings *s, struct worker *workers, unsigned n,
                      size_t slot)
{
    const struct listener_settings *l = settings_listener(s, p->which);
    bool shared = p->handed || p->addr.u.sa.sa_family == AF_UNIX;
    struct listen_options opt = {
        .reuse_port = !shared && n > 1, .has_mode = l->has_mode, .mode = l->mode, .v6_only = p->v6_only};
    struct socket_options tune = front_socket_options(l);
    char why[256] = "no descriptors";
    char text[ADDR_TEXT_MAX];
    int first = -1;

    if (opt.reuse_port && !address_is_free(&p->addr, p->v6_only, why, sizeof why)) {
        fprintf(stderr, "wsbridge: cannot listen on %s: %s\n", addr_format(&p->addr, text), why);
        return -1;
    }
    for (unsigned i = 0; i < n; i++) {
        struct worker_socket *ws = &workers[i].sockets[slot];

        ws->which = p->which;
        ws->fd = shared && first >= 0 ? fcntl(first, F_DUPFD_CLOEXEC, 0) : open_first(p, &opt, why, sizeof why);
        if (ws->fd < 0) {
            fprintf(stderr, "wsbridge: cannot listen on %s: %s\n", addr_format(&p->addr, text),
                    first >= 0 ? "no descriptors" : why);
            return -1;
        }
        socket_tune(ws->fd, &tune);
        first = first >= 0 ? first : ws->fd;
    }
    return 0;
}

static int make_room(struct worker *workers, unsigned n, size_t places)
{
    for (unsigned i = 0; i < n; i++) {
        workers[i].sockets = calloc(places + 1, sizeof *workers[i].sockets);
        if (!workers[i].sockets) {
            fprintf(stderr, "wsbridge: out of memory at start\n");
            return -1;
        }
        workers[i].n_sockets = places;
        for (size_t j = 0; j < places; j++)
            workers[i].sockets[j].fd = -1;
    }
    return 0;
}

int sockets_open(struct sockets *k, const struct settings *s, struct worker *workers, unsigned n)
{
    size_t left;

    if (k->connected >= 0)
        return 0;
    if ((k->inetd ? inetd_place(k) : find_places(k, s)) != 0)
        return -1;
    if (make_room(workers, n, k->n) != 0)
        return -1;
    for (size_t i = 0; i < k->n; i++)
        if (open_place(&k->places[i], s, workers, n, i) != 0)
            return -1;
    left = handed_close_rest(&k->handed);
    if (left)
        log_event(workers[0].shared->log, LOG_WARN, "sockets_unused", KV_U("closed", left),
                  KV("help", "a listener takes a socket that was handed in by its address, or as systemd:NAME"));
    return 0;
}

void sockets_remove_files(const struct sockets *k)
{
    for (size_t i = 0; i < k->n; i++) {
        const struct socket_place *p = &k->places[i];
        if (!p->handed)
            socket_remove_stale(&p->addr);
    }
}

void sockets_fini(struct sockets *k)
{
    free(k->places);
    handed_fini(&k->handed);
}
