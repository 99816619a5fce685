/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the wsbridge authors */
/*
 * The current context and its renewal. Files are marked before they are read: one that changes while we read differs
 * from its mark and is read again.
 */
#include "tls/live.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "tls/files.h"

struct tls_server {
    const struct tls_settings *s;
    struct tls_tickets *tickets;
    struct tls_files files;
    pthread_mutex_t lock; /* guards `set` */
    struct tls_set *set;
    struct tls_refusal refusal; /* why[0] == '\0': none */
};

struct tls_backend {
    const struct tls_backend_settings *s;
    struct tls_files files;
    pthread_mutex_t lock; /* guards `client` */
    struct tls_client *client;
    struct tls_refusal refusal;
};

/* Passes everything on, and keeps the first error. */
struct listening {
    struct tls_report r;
    struct tls_report *to; /* may be NULL */
    struct tls_refusal heard;
};

static void listen_and_pass(struct tls_report *r, enum tls_severity severity, const struct cfg_node *at,
                            const char *text)
{
    struct listening *l = container_of(r, struct listening, r);

    if (severity == TLS_ERROR && !l->heard.why[0])
        snprintf(l->heard.why, sizeof l->heard.why, "%s", text);
    if (l->to)
        l->to->say(l->to, severity, at, text);
}

static void remember(struct tls_refusal *refusal, const struct listening *l, int64_t now, enum tls_check result)
{
    if (result == TLS_CHECK_RENEWED) {
        refusal->why[0] = '\0';
    } else if (result == TLS_CHECK_KEPT) {
        *refusal = l->heard;
        refusal->at = now;
        if (!refusal->why[0])
            snprintf(refusal->why, sizeof refusal->why, "no reason was given");
    }
}

static int watch_certificate(struct tls_files *f, const struct tls_certificate_settings *c)
{
    return tls_files_add(f, c->cert) < 0 || tls_files_add(f, c->key) < 0 || tls_files_add(f, c->passphrase_file) < 0 ||
                   tls_files_add(f, c->ocsp) < 0
               ? -1
               : 0;
}

/* --- listeners ---------------------------------------------------------------------------------------------------- */

static int watch_server(struct tls_server *v)
{
    for (size_t i = 0; i < tls_settings_count(v->s); i++)
        if (watch_certificate(&v->files, tls_settings_certificate(v->s, i)) < 0)
            return -1;
    if (tls_files_add(&v->files, v->s->client_ca) < 0)
        return -1;
    return tls_files_add(&v->files, v->s->client_crl);
}

struct tls_server *tls_server_new(const struct tls_settings *s, struct tls_tickets *tickets, int64_t now,
                                  struct tls_report *r)
{
    struct tls_server *v = calloc(1, sizeof(*v));

    if (!v) {
        tls_say(r, TLS_ERROR, s->node, "out of memory");
        return NULL;
    }
    v->s = s;
    v->tickets = tickets;
    if (tickets)
        tls_tickets_take(tickets);
    pthread_mutex_init(&v->lock, NULL);
    tls_files_init(&v->files);
    if (watch_server(v) < 0) {
        tls_say(r, TLS_ERROR, s->node, "out of memory");
        tls_server_free(v);
        return NULL;
    }
    tls_files_mark(&v->files);
    v->set = tls_set_new(s, tickets, now, r);
    if (!v->set) {
        tls_server_free(v);
        return NULL;
    }
    tls_set_warn(v->set, now, r);
    return v;
}

void tls_server_free(struct tls_server *v)
{
    if (!v)
        return;
    tls_set_give(v->set);
    tls_files_fini(&v->files);
    pthread_mutex_destroy(&v->lock);
    tls_tickets_give(v->tickets);
    free(v);
}

const struct tls_settings *tls_server_settings(const struct tls_server *v)
{
    return v->s;
}

struct tls_set *tls_server_take(struct tls_server *v)
{
    struct tls_set *set;

    pthread_mutex_lock(&v->lock);
    set = v->set;
    tls_set_take(set);
    pthread_mutex_unlock(&v->lock);
    return set;
}

static enum tls_check check_server(struct tls_server *v, int64_t now, struct tls_report *r)
{
    struct tls_set *old = v->set; /* written by this thread alone */
    struct tls_set *set;
    const char *ended;

    if (!tls_files_changed(&v->files))
        return TLS_CHECK_SAME;
    tls_files_mark(&v->files);
    set = tls_set_new(v->s, v->tickets, now, r);
    if (!set)
        return TLS_CHECK_KEPT;
    ended = tls_set_newly_ended(set, old, now);
    if (ended) {
        tls_say(r, TLS_ERROR, v->s->node, "the new certificate in %s has ended already", ended);
        tls_set_give(set);
        return TLS_CHECK_KEPT;
    }
    pthread_mutex_lock(&v->lock);
    v->set = set;
    pthread_mutex_unlock(&v->lock);
    tls_set_give(old);
    tls_set_warn(set, now, r);
    return TLS_CHECK_RENEWED;
}

enum tls_check tls_server_check(struct tls_server *v, int64_t now, struct tls_report *r)
{
    struct listening l = {.r.say = listen_and_pass, .to = r};
    enum tls_check result = check_server(v, now, &l.r);

    remember(&v->refusal, &l, now, result);
    return result;
}

const struct tls_refusal *tls_server_refusal(const struct tls_server *v)
{
    return v->refusal.why[0] ? &v->refusal : NULL;
}

/* --- backends ----------------------------------------------------------------------------------------------------- */

struct tls_backend *tls_backend_new(const struct tls_backend_settings *s, int64_t now, struct tls_report *r)
{
    struct tls_backend *v = calloc(1, sizeof(*v));

    if (!v) {
        tls_say(r, TLS_ERROR, s->node, "out of memory");
        return NULL;
    }
    v->s = s;
    pthread_mutex_init(&v->lock, NULL);
    tls_files_init(&v->files);
    if (watch_certificate(&v->files, &s->own) < 0 || tls_files_add(&v->files, s->ca) < 0) {
        tls_say(r, TLS_ERROR, s->node, "out of memory");
        tls_backend_free(v);
        return NULL;
    }
    tls_files_mark(&v->files);
    v->client = tls_client_new(s, now, r);
    if (v->client)
        return v;
    tls_backend_free(v);
    return NULL;
}

void tls_backend_free(struct tls_backend *v)
{
    if (!v)
        return;
    tls_client_give(v->client);
    tls_files_fini(&v->files);
    pthread_mutex_destroy(&v->lock);
    free(v);
}

const struct tls_backend_settings *tls_backend_settings(const struct tls_backend *v)
{
    return v->s;
}

struct tls_client *tls_backend_take(struct tls_backend *v)
{
    struct tls_client *client;

    pthread_mutex_lock(&v->lock);
    client = v->client;
    tls_client_take(client);
    pthread_mutex_unlock(&v->lock);
    return client;
}

static enum tls_check check_backend(struct tls_backend *v, int64_t now, struct tls_report *r)
{
    struct tls_client *old = v->client; /* written by this thread alone */
    struct tls_client *client;

    if (!tls_files_changed(&v->files))
        return TLS_CHECK_SAME;
    tls_files_mark(&v->files);
    client = tls_client_new(v->s, now, r);
    if (!client)
        return TLS_CHECK_KEPT;
    pthread_mutex_lock(&v->lock);
    v->client = client;
    pthread_mutex_unlock(&v->lock);
    tls_client_give(old);
    return TLS_CHECK_RENEWED;
}

enum tls_check tls_backend_check(struct tls_backend *v, int64_t now, struct tls_report *r)
{
    struct listening l = {.r.say = listen_and_pass, .to = r};
    enum tls_check result = check_backend(v, now, &l.r);

    remember(&v->refusal, &l, now, result);
    return result;
}

const struct tls_refusal *tls_backend_refusal(const struct tls_backend *v)
{
    return v->refusal.why[0] ? &v->refusal : NULL;
}
