/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the wsbridge authors */
/*
 * getaddrinfo on helper threads. It has no deadline and cannot be interrupted, so nobody waits for it: a look-up that
 * is given up is only marked, and the helper that comes back to it throws the answer away.
 *
 * Who may touch what: a look-up's state belongs to the resolver's lock. Its `res` is written by the helper without the
 * lock (nobody else looks before it is posted). The asking loop is touched by a helper only under the lock and only
 * while the look-up is not cancelled; after resolve_cancel has returned, no helper will touch that loop again.
 *
 *      QUEUED --helper--> RUNNING --answer--> POSTED --deliver--> freed, on the loop's thread
 *        | cancel: freed     | cancel: the helper frees it   | cancel: deliver frees it
 *
 * The resolver is held by its maker and by each helper; the last one frees it, so resolver_free need not wait for a
 * helper that hangs.
 */
#include "net/resolver.h"

#include <assert.h>
#include <errno.h>
#include <netdb.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "base/ref.h"

struct resolver {
    struct ref ref;
    pthread_mutex_t lock; /* guards all below */
    pthread_cond_t work;
    struct list queue;
    unsigned queued;
    unsigned helpers, helpers_max;
    unsigned waiting; /* helpers in pthread_cond_wait */
    bool closing;
};

enum resolve_state { RESOLVE_QUEUED, RESOLVE_RUNNING, RESOLVE_POSTED };

struct resolve {
    struct list link; /* in queue while QUEUED */
    struct mail mail;
    struct resolver *resolver;
    struct loop *loop;
    resolve_done *done;
    void *arg;
    enum resolve_state state;
    bool cancelled;
    uint16_t port;
    size_t host_len;
    struct resolve_result res;
    char host[]; /* NUL-terminated */
};

/* --- the helper's side ---------------------------------------------------------------------------------------------
 */

static const char *explain(int error, int err)
{
    if (error == EAI_SYSTEM) {
        const char *text = strerrordesc_np(err);
        return text ? text : "unknown error";
    }
    return gai_strerror(error);
}

static bool take_addr(struct addr *a, const struct addrinfo *ai, uint16_t port)
{
    if (ai->ai_addrlen > sizeof(a->u))
        return false;
    memset(a, 0, sizeof(*a));
    a->len = ai->ai_addrlen;
    memcpy(&a->u, ai->ai_addr, ai->ai_addrlen);
    if (ai->ai_family == AF_INET)
        a->u.in4.sin_port = htons(port);
    else if (ai->ai_family == AF_INET6)
        a->u.in6.sin6_port = htons(port);
    else
        return false;
    return true;
}

/* AI_ADDRCONFIG is left out on purpose: it counts only addresses that are not loopback, so a machine whose network is
 * down would not find its own services. Addresses of a family that we cannot reach fail at once at connect. */
static void look_up(const char *host, size_t host_len, uint16_t port, struct resolve_result *res)
{
    const struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    struct addrinfo *list = NULL;

    res->n = 0;
    res->error = EAI_NONAME;
    if (strlen(host) == host_len) /* a NUL inside would look up another name */
        res->error = getaddrinfo(host, NULL, &hints, &list);
    if (res->error) {
        res->why = explain(res->error, errno);
        return;
    }
    for (const struct addrinfo *ai = list; ai && res->n < RESOLVER_ADDRS_MAX; ai = ai->ai_next)
        if (take_addr(&res->addrs[res->n], ai, port))
            res->n++;
    freeaddrinfo(list);
    if (!res->n) {
        res->error = EAI_NODATA;
        res->why = explain(res->error, 0);
    }
}

/* Called and returns with the lock held. */
static void run_one(struct resolver *r)
{
    struct resolve *q = container_of(r->queue.next, struct resolve, link);

    list_remove(&q->link);
    r->queued--;
    q->state = RESOLVE_RUNNING;
    pthread_mutex_unlock(&r->lock);
    look_up(q->host, q->host_len, q->port, &q->res);
    pthread_mutex_lock(&r->lock);
    if (q->cancelled) {
        free(q);
        return;
    }
    q->state = RESOLVE_POSTED;
    mailbox_post(q->loop, &q->mail);
}

static void *helper(void *arg)
{
    struct resolver *r = arg;

    pthread_mutex_lock(&r->lock);
    for (;;) {
        while (list_empty(&r->queue) && !r->closing) {
            r->waiting++;
            pthread_cond_wait(&r->work, &r->lock);
            r->waiting--;
        }
        if (r->closing)
            break;
        run_one(r);
    }
    pthread_mutex_unlock(&r->lock);
    ref_give(&r->ref);
    return NULL;
}

/* Signals are for the main thread. A new thread inherits the mask, so they are blocked around its creation: there is
 * no moment at which it could take one. Called with the lock held. */
static bool start_helper(struct resolver *r)
{
    pthread_attr_t attr;
    pthread_t thread;
    sigset_t all, old;

    if (pthread_attr_init(&attr) != 0)
        return false;
    pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    ref_take(&r->ref);
    bool started = pthread_create(&thread, &attr, helper, r) == 0;
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    pthread_attr_destroy(&attr);
    if (started)
        r->helpers++;
    else
        ref_give(&r->ref); /* never the last: our caller holds one */
    return started;
}

/* --- the asker's side ----------------------------------------------------------------------------------------------
 */

static void deliver(struct mail *m)
{
    struct resolve *q = container_of(m, struct resolve, mail);

    /* Not under the lock, and need not be: cancel comes from this same thread. */
    if (!q->cancelled)
        q->done(q->arg, &q->res);
    free(q);
}

struct resolve *resolve_start(struct resolver *r, struct loop *l, struct slice host, uint16_t port, resolve_done *done,
                              void *arg)
{
    struct resolve *q = malloc(sizeof(*q) + host.n + 1);
    if (!q)
        return NULL;
    memset(q, 0, offsetof(struct resolve, res));
    list_init(&q->link);
    mail_init(&q->mail, deliver);
    q->resolver = r;
    q->loop = l;
    q->done = done;
    q->arg = arg;
    q->port = port;
    q->host_len = host.n;
    memcpy(q->host, host.p, host.n);
    q->host[host.n] = '\0';

    pthread_mutex_lock(&r->lock);
    bool room = r->queued < RESOLVER_QUEUE_MAX;
    if (room && r->queued >= r->waiting && r->helpers < r->helpers_max)
        room = start_helper(r) || r->helpers > 0;
    else
        room = room && r->helpers > 0;
    if (room) {
        list_push_back(&r->queue, &q->link);
        r->queued++;
        pthread_cond_signal(&r->work);
    }
    pthread_mutex_unlock(&r->lock);
    if (!room) {
        free(q);
        return NULL;
    }
    return q;
}

void resolve_cancel(struct resolve *q)
{
    struct resolver *r = q->resolver;

    pthread_mutex_lock(&r->lock);
    assert(!q->cancelled);
    q->cancelled = true;
    bool ours = q->state == RESOLVE_QUEUED;
    if (ours) {
        list_remove(&q->link);
        r->queued--;
    }
    pthread_mutex_unlock(&r->lock);
    if (ours)
        free(q);
}

/* --- life ----------------------------------------------------------------------------------------------------------
 */

static void resolver_release(struct ref *ref)
{
    struct resolver *r = container_of(ref, struct resolver, ref);

    pthread_cond_destroy(&r->work);
    pthread_mutex_destroy(&r->lock);
    free(r);
}

struct resolver *resolver_new(unsigned threads)
{
    struct resolver *r = calloc(1, sizeof(*r));
    if (!r)
        return NULL;
    assert(threads > 0);
    ref_init(&r->ref, resolver_release);
    pthread_mutex_init(&r->lock, NULL);
    pthread_cond_init(&r->work, NULL);
    list_init(&r->queue);
    r->helpers_max = threads;
    return r;
}

void resolver_free(struct resolver *r)
{
    if (!r)
        return;
    pthread_mutex_lock(&r->lock);
    assert(list_empty(&r->queue));
    r->closing = true;
    pthread_cond_broadcast(&r->work);
    pthread_mutex_unlock(&r->lock);
    ref_give(&r->ref);
}
