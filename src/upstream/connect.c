/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the wsbridge authors */
/*
 * One try to reach a service: addresses first, then a race between them, one deadline over all. It ends exactly once,
 * with a stream or with a reason; it never retries after that, which is the caller's policy.
 *
 *      LOOKING_UP --answer--> RACING --one connects--> SETTLING --preface sent, TLS up--> over
 *          |                    | all failed, or the deadline | failed, or the deadline
 *          +--------------------+-----------------------------+----> over
 *
 * The race is that of RFC 8305: families take turns, beginning with that of the resolver's first address; the next
 * attempt starts when one fails, and at the latest 250 ms after the last one started; nobody is stopped before another
 * has won. Only connecting is raced: what is wrong with a backend's TLS is wrong with the service, and another address
 * is not tried for it.
 *
 * Invariants: `attempts[i].stream` is not NULL only while attempt i is under way; `open` counts those; while SETTLING
 * there is a winner and no attempt; after `over` is set there is no look-up, no attempt and no timer, and only the
 * reaper (or the deferred report) is left.
 */
#include "upstream/connect.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tls/stream.h"

#define STAGGER_SECONDS 0.25    /* RFC 8305, section 5: the recommended Connection Attempt Delay */
#define UNIX_RETRY_SECONDS 0.02 /* a full backlog of a unix socket gives no readiness to wait for */
#define TRIES_MAX RESOLVER_ADDRS_MAX

struct attempt {
    struct stream_owner owner;
    struct connecting *c;
    struct stream *stream;
};

struct connecting {
    struct worker_env *env;
    const struct target *to;
    struct socket_options opt;
    connect_done *done;
    void *arg;
    struct resolve *query;
    struct timer deadline;
    struct timer stagger;  /* starts the next attempt */
    struct loop_task late; /* reports what was known inside connect_start already; then frees */
    double timeout;
    bool starting; /* inside connect_start */
    bool over;
    unsigned open; /* attempts under way */
    size_t n, next;
    enum connect_outcome outcome;
    int rank; /* how telling `err` is; 0: nothing has failed yet */
    int err;  /* of the most telling failure */
    struct stream *winner;
    struct stream_owner owner; /* of the winner, while SETTLING */
    struct tls_backend *tls;
    bool in_tls;
    struct addr last; /* of the winner, or of the most telling failure */
    char why[320];
    struct addr addrs[TRIES_MAX];
    struct attempt attempts[TRIES_MAX];
    size_t preface_len, preface_off;
    uint8_t preface[];
};

/* --- the end -------------------------------------------------------------------------------------------------------
 */

static void free_late(struct loop_task *t)
{
    free(container_of(t, struct connecting, late));
}

static void release(struct connecting *c)
{
    loop_task_cancel(&c->late);
    loop_task_init(&c->late, free_late);
    loop_reap(c->env->loop, &c->late);
}

static void report(struct connecting *c)
{
    struct connect_result res = {.outcome = c->outcome, .stream = c->winner, .addr = c->last, .why = c->why};

    c->winner = NULL;
    release(c); /* before done, which may end the loop's turn as it likes; the memory stays until the turn ends */
    c->done(c->arg, &res);
}

static void report_late(struct loop_task *t)
{
    report(container_of(t, struct connecting, late));
}

/* Ends the look-up and whoever is still in the race. */
static void stop_race(struct connecting *c)
{
    if (c->query)
        resolve_cancel(c->query);
    c->query = NULL;
    timer_cancel(&c->stagger);
    for (size_t i = 0; i < c->next; i++) {
        stream_free(c->attempts[i].stream, STREAM_END_CLEAN);
        c->attempts[i].stream = NULL;
    }
    c->open = 0;
}

static void stop_all(struct connecting *c)
{
    c->over = true;
    timer_cancel(&c->deadline);
    stop_race(c);
}

static void finish(struct connecting *c, enum connect_outcome outcome)
{
    c->outcome = outcome;
    stop_all(c);
    if (outcome != CONNECT_OK) {
        stream_free(c->winner, STREAM_END_CLEAN); /* an alert may still have to leave */
        c->winner = NULL;
    }
    if (c->starting)
        loop_defer(c->env->loop, &c->late);
    else
        report(c);
}

/* --- reasons -------------------------------------------------------------------------------------------------------
 */

/* Several addresses fail in several ways, and one of them is told. A shortage on our side comes first, because then we
 * cannot speak for the backend; a refusal is an answer of the machine itself; silence tells more than a family that
 * this machine has no way to. */
enum rank { RANK_UNREACHABLE = 1, RANK_TIMEOUT, RANK_REFUSED, RANK_NO_ROOM };

static enum rank rank_of(int err)
{
    switch (err) {
    case EMFILE:
    case ENFILE:
    case ENOMEM:
    case ENOBUFS:
        return RANK_NO_ROOM;
    case ENETUNREACH:
    case EHOSTUNREACH:
    case EADDRNOTAVAIL: /* or no local port is left; we cannot tell from a family without addresses */
    case EAFNOSUPPORT:
        return RANK_UNREACHABLE;
    case ETIMEDOUT:
        return RANK_TIMEOUT;
    default:
        return RANK_REFUSED;
    }
}

static enum connect_outcome outcome_of(enum rank rank)
{
    switch (rank) {
    case RANK_NO_ROOM:
        return CONNECT_NO_ROOM;
    case RANK_TIMEOUT:
        return CONNECT_TIMEOUT;
    default:
        return CONNECT_REFUSED;
    }
}

static void failed(struct connecting *c, size_t i, int err)
{
    enum rank rank = rank_of(err);

    if ((int)rank <= c->rank)
        return;
    c->rank = (int)rank;
    c->err = err;
    c->last = c->addrs[i];
}

/* "db.example:5432 (10.0.0.1:5432): Connection refused"; an address is not said twice. */
static void finish_failed(struct connecting *c)
{
    const char *what = strerrordesc_np(c->err);
    char addr[ADDR_TEXT_MAX];

    if (c->to->kind == TARGET_NAME)
        snprintf(c->why, sizeof(c->why), "%s (%s): %s", c->to->text, addr_format(&c->last, addr),
                 what ? what : "unknown error");
    else
        snprintf(c->why, sizeof(c->why), "%s: %s", c->to->text, what ? what : "unknown error");
    finish(c, outcome_of((enum rank)c->rank));
}

/* The kernel reports no readiness for a unix socket whose backlog is full: it is tried again, until the deadline. */
static bool backlog_full(const struct connecting *c)
{
    return c->rank && c->err == EAGAIN && c->addrs[0].u.sa.sa_family == AF_UNIX;
}

/* The deadline tells of time, whatever failed before: some address could still have answered. */
static void on_deadline(struct timer *t)
{
    struct connecting *c = container_of(t, struct connecting, deadline);

    if (c->query)
        snprintf(c->why, sizeof(c->why), "%s: the name was not looked up within %g s", c->to->text, c->timeout);
    else if (c->winner)
        snprintf(c->why, sizeof(c->why), "%s: %s within %g s", c->to->text,
                 c->in_tls ? "the TLS handshake was not over" : "the PROXY header was not taken", c->timeout);
    else if (backlog_full(c))
        snprintf(c->why, sizeof(c->why), "%s: its backlog was full for %g s", c->to->text, c->timeout);
    else
        snprintf(c->why, sizeof(c->why), "%s: no connection within %g s", c->to->text, c->timeout);
    if (!c->winner && !c->rank && c->next)
        c->last = c->addrs[c->next - 1];
    finish(c, CONNECT_TIMEOUT);
}

/* --- the winner ----------------------------------------------------------------------------------------------------
 */

static void settle_failed(struct connecting *c, const char *what, const char *why)
{
    snprintf(c->why, sizeof(c->why), "%s: %s: %s", c->to->text, what, why ? why : "the backend ended the connection");
    finish(c, CONNECT_REFUSED);
}

/* True when all of the preface is out. */
static bool settle_preface(struct connecting *c)
{
    while (c->preface_off < c->preface_len) {
        struct iovec v = {c->preface + c->preface_off, c->preface_len - c->preface_off};
        size_t put = 0;
        enum io io = stream_write(c->winner, &v, 1, &put);

        if (io == IO_AGAIN) {
            stream_want(c->winner, STREAM_WRITE);
            return false;
        }
        if (io != IO_OK) {
            settle_failed(c, "PROXY header", c->winner->why);
            return false;
        }
        c->preface_off += put;
    }
    return true;
}

/* TLS takes the descriptor over; what certificate and name are checked against is the name that the user wrote. */
static bool put_on_tls(struct connecting *c)
{
    struct tls_client *client = tls_backend_take(c->tls);
    char text[ADDR_TEXT_MAX];
    const char *host = c->to->host;
    struct ip_port ip;
    int fd = socket_stream_detach(c->winner);

    addr_to_ip_port(&c->to->addr, &ip);
    if (c->to->kind == TARGET_ADDR)
        host = ip.family == IP_UNIX ? NULL : ip_format(&ip, text);
    c->winner = tls_client_stream_new(c->env->loop, fd, client, host, &c->owner);
    tls_client_give(client);
    c->in_tls = c->winner != NULL;
    if (c->in_tls) {
        tls_stream_count(c->winner, &c->env->stats.tls_back);
        return true;
    }
    snprintf(c->why, sizeof(c->why), "%s: TLS: out of memory", c->to->text);
    finish(c, CONNECT_NO_ROOM);
    return false;
}

static void settle(struct connecting *c)
{
    if (!settle_preface(c))
        return;
    if (c->tls && !c->in_tls && !put_on_tls(c))
        return;
    switch (c->in_tls ? stream_start(c->winner) : IO_OK) {
    case IO_OK:
        stream_want(c->winner, 0);
        c->winner->owner = NULL;
        finish(c, CONNECT_OK);
        return;
    case IO_AGAIN:
        stream_want(c->winner, STREAM_READ);
        return;
    default:
        settle_failed(c, "TLS", c->winner->why);
        return;
    }
}

static void on_settling(struct stream_owner *o, struct stream *s)
{
    settle(container_of(o, struct connecting, owner));
}

/* The race is over; what is left of the time is for what comes before the session's bytes. */
static void won(struct connecting *c, struct stream *s, size_t i)
{
    c->attempts[i].stream = NULL;
    c->winner = s;
    c->last = c->addrs[i];
    s->owner = NULL;
    if (!c->tls && !c->preface_len) {
        finish(c, CONNECT_OK);
        return;
    }
    stop_race(c);
    c->owner.ready = on_settling;
    s->owner = &c->owner;
    settle(c);
}

/* --- the race ------------------------------------------------------------------------------------------------------
 */

static void race(struct connecting *c);

/* True when attempt i is decided: it has won (the race is over then) or failed. */
static bool attempt_step(struct connecting *c, size_t i)
{
    struct stream *s = c->attempts[i].stream;

    switch (stream_start(s)) {
    case IO_OK:
        won(c, s, i);
        return true;
    case IO_AGAIN:
        return false;
    default:
        failed(c, i, s->err);
        c->attempts[i].stream = NULL;
        c->open--;
        stream_free(s, STREAM_END_CLEAN);
        return true;
    }
}

static void on_ready(struct stream_owner *o, struct stream *s)
{
    struct attempt *a = container_of(o, struct attempt, owner);
    struct connecting *c = a->c;

    if (attempt_step(c, (size_t)(a - c->attempts)) && !c->over && !c->winner)
        race(c); /* the next one need not wait for its time */
}

/* Starts attempt c->next. False when it is decided at once. */
static bool attempt_start(struct connecting *c)
{
    size_t i = c->next;
    struct attempt *a = &c->attempts[i];
    struct socket_options opt = c->opt;

    if (addr_is_loopback(&c->addrs[i])) /* the kernel itself sees to it that nobody vanishes here without a word */
        opt.keepalive = opt.user_timeout = 0;
    a->c = c;
    a->owner.ready = on_ready;
    a->stream = socket_connect_new(c->env->loop, &c->addrs[i], &opt, &a->owner);
    c->next++;
    if (!a->stream) {
        failed(c, i, errno);
        return false;
    }
    c->open++;
    return !attempt_step(c, i);
}

/* Starts attempts until one is under way, and sees when there is nothing left to hope for. */
static void race(struct connecting *c)
{
    timer_cancel(&c->stagger);
    while (c->next < c->n) {
        bool under_way = attempt_start(c);
        if (c->over || c->winner)
            return;
        if (under_way) {
            if (c->next < c->n)
                timer_set(&c->stagger, STAGGER_SECONDS);
            return;
        }
        if (backlog_full(c)) {
            c->next = 0;
            timer_set(&c->stagger, UNIX_RETRY_SECONDS);
            return;
        }
    }
    if (!c->open)
        finish_failed(c);
}

static void on_stagger(struct timer *t)
{
    struct connecting *c = container_of(t, struct connecting, stagger);

    if (backlog_full(c))
        c->rank = 0; /* what happens now counts */
    race(c);
}

/* --- the look-up ---------------------------------------------------------------------------------------------------
 */

/* RFC 8305, section 4: the families take turns, each in the resolver's order, beginning with the first address's. */
static void interleave(struct connecting *c, const struct resolve_result *res)
{
    const int first = res->addrs[0].u.sa.sa_family;
    size_t a = 0, b = 0;

    while (c->n < res->n && c->n < TRIES_MAX) {
        while (a < res->n && res->addrs[a].u.sa.sa_family != first)
            a++;
        if (a < res->n)
            c->addrs[c->n++] = res->addrs[a++];
        while (b < res->n && res->addrs[b].u.sa.sa_family == first)
            b++;
        if (b < res->n)
            c->addrs[c->n++] = res->addrs[b++];
    }
}

static void on_resolved(void *arg, const struct resolve_result *res)
{
    struct connecting *c = arg;

    c->query = NULL;
    if (res->error) {
        snprintf(c->why, sizeof(c->why), "%s: %s", c->to->text, res->why);
        finish(c, CONNECT_NO_NAME);
        return;
    }
    interleave(c, res);
    race(c);
}

/* --- beginning -----------------------------------------------------------------------------------------------------
 */

static void begin(struct connecting *c)
{
    if (c->to->kind == TARGET_ADDR) {
        c->addrs[0] = c->to->addr;
        c->n = 1;
        race(c);
        return;
    }
    c->query = resolve_start(c->env->resolver, c->env->loop, slice_of(c->to->host), c->to->port, on_resolved, c);
    if (!c->query) {
        snprintf(c->why, sizeof(c->why), "%s: no room for another name look-up", c->to->text);
        finish(c, CONNECT_NO_ROOM);
    }
}

struct connecting *connect_start(struct worker_env *env, const struct connect_order *order, connect_done *done,
                                 void *arg)
{
    assert(order->to->kind == TARGET_ADDR || order->to->kind == TARGET_NAME);
    struct connecting *c = malloc(sizeof(*c) + order->preface_len);
    if (!c)
        return NULL;
    memset(c, 0, offsetof(struct connecting, addrs)); /* the arrays are filled as far as they are used */
    c->env = env;
    c->to = order->to;
    c->opt = order->opt;
    c->tls = order->tls;
    c->preface_off = 0;
    c->preface_len = order->preface_len;
    if (order->preface_len)
        memcpy(c->preface, order->preface, order->preface_len);
    c->done = done;
    c->arg = arg;
    c->timeout = order->timeout;
    timer_init(&c->deadline, env->loop, on_deadline);
    timer_init(&c->stagger, env->loop, on_stagger);
    loop_task_init(&c->late, report_late);
    timer_set(&c->deadline, order->timeout);
    c->starting = true;
    begin(c);
    c->starting = false;
    return c;
}

void connect_cancel(struct connecting *c)
{
    stop_all(c);
    stream_free(c->winner, STREAM_END_ABORT);
    c->winner = NULL;
    release(c);
}
