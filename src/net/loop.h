/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the wsbridge authors */
/*
 * One worker's event loop: a thin cover over libev, so that nothing above src/net speaks to libev. One thread only, but
 * for mailbox_post.
 *
 * A turn is: wait, callbacks of sockets, other descriptors, timers and mail, deferred tasks, then the reaper.
 * loop_defer runs a task once on the next turn (used by streams that hold bytes and by sessions whose budget is spent):
 * that turn looks for new events without waiting and serves them first, so a task that defers itself for ever starves
 * nobody. loop_reap runs a task at the end of this turn, after which no callback of this turn is left: memory is freed
 * there and nowhere else.
 *
 * None of the watchers here is stopped by loop_free: whoever embeds one stops it first.
 */
#ifndef WSBRIDGE_NET_LOOP_H
#define WSBRIDGE_NET_LOOP_H

#include <ev.h>
#include <stdbool.h>

#include "base/list.h"

struct loop;
struct socket_set;

struct loop_task {
    struct list link;
    void (*run)(struct loop_task *t);
};

struct loop *loop_new(void);             /* NULL when out of memory or descriptors */
void loop_free(struct loop *l);          /* delivers the mail that is left, drops deferred tasks, runs the reaper */
void loop_run(struct loop *l);           /* turns until loop_stop; at once back when stopped before */
void loop_turn(struct loop *l);          /* one turn that does not wait: for tests and for what steps by itself */
void loop_stop(struct loop *l);          /* this turn is finished first */
double loop_now(struct loop *l);         /* seconds, monotonic (not wall time); at most 40 ms old while busy */
struct ev_loop *loop_ev(struct loop *l); /* for src/net alone, as is the next */
struct socket_set *loop_sockets(struct loop *l);

/* Descriptors that are watched from here on may have other holders, in other processes (inetd's), so that closing one
 * does not end its reports by itself. */
void loop_share_descriptors(struct loop *l);

/* Whether there is memory for what this descriptor's connection needs of libev (timers). libev ends the process when it
 * gets none, so whoever makes connections asks first and refuses that one. Nearly always a comparison. */
MUST_CHECK bool loop_has_room(struct loop *l, int fd);

static inline void loop_task_init(struct loop_task *t, void (*run)(struct loop_task *t))
{
    list_init(&t->link);
    t->run = run;
}

void loop_defer(struct loop *l, struct loop_task *t); /* no effect when already queued */
void loop_reap(struct loop *l, struct loop_task *t);
static inline void loop_task_cancel(struct loop_task *t)
{
    list_remove(&t->link);
}

/* A one-shot timer. The struct is embedded; fire may set it again. Setting one costs a heap operation, so what moves
 * its deadline with every message keeps a timestamp and sets the timer again only when it fires. */
struct timer {
    ev_timer w; /* its `data` is the loop: every session has one of these */
    void (*fire)(struct timer *t);
};
void timer_init(struct timer *t, struct loop *l, void (*fire)(struct timer *t));
void timer_set(struct timer *t, double seconds); /* from now; replaces what was set; INFINITY cancels */
void timer_cancel(struct timer *t);
static inline bool timer_is_set(const struct timer *t)
{
    return ev_is_active(&t->w);
}

/* While it is set: when it fires, in loop time. */
static inline double timer_at(const struct timer *t)
{
    return t->w.at;
}

/* A descriptor's readiness, for what there are few of (listeners, the admin socket); for connections see
 * net/socket_watch.h. Level-triggered: ready comes again on every turn while the descriptor is ready and wanted. want 0
 * before the descriptor is closed. */
struct fd_watch {
    ev_io w;
    struct loop *loop;
    void (*ready)(struct fd_watch *f, unsigned dirs); /* STREAM_READ | STREAM_WRITE */
};
void fd_watch_init(struct fd_watch *f, struct loop *l, int fd, void (*ready)(struct fd_watch *f, unsigned dirs));
void fd_watch_want(struct fd_watch *f, unsigned dirs);

/* Letters from other threads. deliver runs on the loop's thread, in the order posted. The mail belongs to the mailbox
 * from the post until deliver is called (loop_free delivers too); it cannot be taken back. The loop must live until
 * mailbox_post returns. */
struct mail {
    struct list link;
    void (*deliver)(struct mail *m);
};
static inline void mail_init(struct mail *m, void (*deliver)(struct mail *m))
{
    list_init(&m->link);
    m->deliver = deliver;
}
void mailbox_post(struct loop *l, struct mail *m); /* the only call that other threads may make */

/* Signals, for the main thread's loop alone. Starting unblocks the signal in the calling thread; false: there is no
 * descriptor left for it. */
struct signal_watch {
    ev_signal w;
    struct loop *loop;
    void (*fire)(struct signal_watch *s, int signum);
};
MUST_CHECK bool signal_watch_start(struct signal_watch *s, struct loop *l, int signum,
                                   void (*fire)(struct signal_watch *s, int signum));
void signal_watch_stop(struct signal_watch *s);

#endif
