/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the wsbridge authors */
/*
 * The listening sockets of a process: opened by us, or handed in by whoever started us (systemd, inetd). Main thread
 * only; the workers own what they were given from their start on.
 */
#ifndef WSBRIDGE_APP_SOCKETS_H
#define WSBRIDGE_APP_SOCKETS_H

#include "app/worker.h"
#include "net/handed.h"

/* Where one address of a listener, or one of the sockets that its name stands for, is served. */
struct socket_place {
    size_t which; /* index into settings->listeners */
    struct addr addr;
    struct handed_fd *handed; /* NULL: ours to open */
    const char *text;         /* as written */
    bool v6_only;             /* another place has the IPv4 addresses of the port */
};

struct sockets {
    struct handed handed;
    size_t n;
    struct socket_place *places;
    bool inetd;    /* descriptor 0 stands for the first listener, and there is no other */
    int connected; /* the same in the nowait form: the one connection; else -1 */
};

/* Frees descriptors 0 to 2 of --inetd's socket, so that nothing that is printed reaches the client: what they were
 * becomes descriptor *fd, and they /dev/null. True when standard error was the socket, too. Before anything else. */
bool sockets_take_stdin(int *fd);

/* Every function that fails says why on standard error. */

/* What was handed in. `fd`: what sockets_take_stdin gave; -1 without --inetd. */
MUST_CHECK int sockets_init(struct sockets *k, int fd);
/* One socket for each place and worker. A handed one, and every unix socket, is shared by all workers. */
MUST_CHECK int sockets_open(struct sockets *k, const struct settings *s, struct worker *workers, unsigned n);
/* Takes the files of the unix sockets away that we made; all descriptors are closed by now. A file on which somebody
 * answers is that of a program that was started while we drained, or that would not let us start. */
void sockets_remove_files(const struct sockets *k);
void sockets_fini(struct sockets *k);

#endif
