/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the wsbridge authors */
/*
 * Renewal without restart: the current context of a listener or service, and a watch over the files it was built from.
 *
 * The main thread calls check every few seconds. When a file is another one than before (a new inode behind the same
 * name or behind a swapped symlink, another size or time) and stays so until the next check, a new context is built and
 * checked; if it holds together it is swapped in, if not the old one goes on serving and the reason is told once. Two
 * checks, because renewers write certificate and key one after the other. Polling and not inotify: what has to be seen
 * are symlinked directories on network file systems, too, and a few stat calls cost nothing.
 *
 * Workers take the current context when they accept; take is thread-safe, everything else is the main thread's.
 */
#ifndef WSBRIDGE_TLS_LIVE_H
#define WSBRIDGE_TLS_LIVE_H

#include "tls/client.h"
#include "tls/context.h"

enum tls_check {
    TLS_CHECK_SAME,
    TLS_CHECK_RENEWED, /* the new files are in use now */
    TLS_CHECK_KEPT,    /* they are no good: reported, and the old ones still serve */
};

/* The last look at new files that ended in TLS_CHECK_KEPT, until one ends in TLS_CHECK_RENEWED. */
#define TLS_REFUSAL_MAX 512
struct tls_refusal {
    int64_t at;                /* unix seconds */
    char why[TLS_REFUSAL_MAX]; /* the first of its errors; cut to its room */
};

/* `s` and its strings must outlive it (they live in the configuration snapshot). NULL with the errors reported. */
struct tls_server;
struct tls_server *tls_server_new(const struct tls_settings *s, struct tls_tickets *tickets, int64_t now,
                                  struct tls_report *r);
void tls_server_free(struct tls_server *v); /* NULL is allowed; sets in use live on */
const struct tls_settings *tls_server_settings(const struct tls_server *v);
struct tls_set *tls_server_take(struct tls_server *v); /* the caller gives it back with tls_set_give */
enum tls_check tls_server_check(struct tls_server *v, int64_t now, struct tls_report *r);
const struct tls_refusal *tls_server_refusal(const struct tls_server *v); /* NULL: none; good until the next check */

struct tls_backend;
struct tls_backend *tls_backend_new(const struct tls_backend_settings *s, int64_t now, struct tls_report *r);
void tls_backend_free(struct tls_backend *v); /* NULL is allowed */
const struct tls_backend_settings *tls_backend_settings(const struct tls_backend *v);
struct tls_client *tls_backend_take(struct tls_backend *v); /* the caller gives it back with tls_client_give */
enum tls_check tls_backend_check(struct tls_backend *v, int64_t now, struct tls_report *r);
const struct tls_refusal *tls_backend_refusal(const struct tls_backend *v);

#endif
