/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the wsbridge authors */
/*
 * The admin socket's side in the process: a unix socket on the main thread's loop, that takes one command with each
 * connection.
 *
 * A request is one line of at most ADMIN_REQUEST_MAX bytes with its line feed: a command, and its arguments behind a
 * space. The answer is text until the end of the connection; its first line is `ok`, or `error: ` and a sentence. An
 * error that lies in the configuration begins with ADMIN_CONFIGURATION.
 *
 * Bounded, because the loop has other things to do: ADMIN_CONNS_MAX connections at a time (others wait in the kernel's
 * queue), ADMIN_SECONDS for the request and as much for taking the answer. Nothing waits for a client.
 */
#ifndef WSBRIDGE_APP_ADMIN_H
#define WSBRIDGE_APP_ADMIN_H

#include <stdio.h>
#include <sys/types.h>

#include "app/admin_settings.h"
#include "net/socket.h"
#include "obs/log.h"

#define ADMIN_REQUEST_MAX 256
#define ADMIN_CONNS_MAX 16
#define ADMIN_SECONDS 5.0
#define ADMIN_CONFIGURATION "error: configuration refused: "

struct admin;

/* Who asks, as far as the system tells. */
struct admin_peer {
    bool known;
    pid_t pid;
    uid_t uid;
};

struct admin_command {
    const char *name;
    /* Writes the whole answer. `args` is what follows the name, without the spaces around it; untrusted. */
    void (*run)(struct admin *a, const struct admin_peer *peer, struct slice args, FILE *answer);
};

struct admin_commands {
    size_t n;
    const struct admin_command *v;
};

/* Embedded in whoever runs the commands; all zero: not open. */
struct admin {
    struct loop *loop;
    struct log *log;
    struct admin_commands commands;
    struct addr addr;
    struct listener_owner owner;
    struct listener *listener;
    struct list conns;
    unsigned n_conns;
    bool closing;
};

/* 0, or -1 with the reason on standard error. A file that a dead process left is replaced. */
MUST_CHECK int admin_open(struct admin *a, struct loop *l, struct log *log, const struct admin_settings *s,
                          struct admin_commands commands);
/* Ends every connection and removes the file; nothing when it is not open. Before the loop is freed. */
void admin_close(struct admin *a);

/* Finds and runs the command of a request line (without its line feed). For tests, too. */
void admin_run(struct admin *a, const struct admin_peer *peer, struct slice line, FILE *answer);

#endif
