/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the wsbridge authors */
/*
 * One worker's event loop: a thin cover over libev, so that nothing above src/net speaks to libev. One thread only, but
 * for mailbox_post.
 *
 * A turn is: wait, callbacks of descriptors and timers, deferred tasks, then the reaper. loop_defer runs a task once on
 * the next turn (used by streams that hold bytes and by sessions whose budget is spent); loop_reap runs it at the end
 * of this turn, after which no callback of this turn is left: memory is freed there and nowhere else.
 */
#ifndef WSBRIDGE_NET_LOOP_H
#define WSBRIDGE_NET_LOOP_H

#include <ev.h>
#include <stdbool.h>

#include "base/list.h"

struct loop;

struct loop_task {
    struct list link;
    void (*run)(struct loop_task *t);
};

struct loop *loop_new(void);    /* NULL when out of memory or descriptors; tells libev to use epoll where it can */
void loop_free(struct loop *l); /* runs what is left for the reaper */
void loop_run(struct loop *l);  /* until loop_stop */
void loop_stop(struct loop *l);
double loop_now(const struct loop *l); /* seconds, cached once a turn; monotonic enough for deadlines, not wall time */
struct ev_loop *loop_ev(struct loop *l); /* for src/net alone */

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

/* A one-shot timer. The struct is embedded; fire may set it again. */
struct timer {
    ev_timer w;
    struct loop *loop;
    void (*fire)(struct timer *t);
};
void timer_init(struct timer *t, struct loop *l, void (*fire)(struct timer *t));
void timer_set(struct timer *t, double seconds); /* from now; replaces what was set */
void timer_cancel(struct timer *t);
bool timer_is_set(const struct timer *t);

/* A descriptor's readiness, for what is not a stream (listeners, signal pipes). */
struct fd_watch {
    ev_io w;
    struct loop *loop;
    void (*ready)(struct fd_watch *f, unsigned dirs); /* STREAM_READ | STREAM_WRITE */
};
void fd_watch_init(struct fd_watch *f, struct loop *l, int fd, void (*ready)(struct fd_watch *f, unsigned dirs));
void fd_watch_want(struct fd_watch *f, unsigned dirs);

/* Letters from other threads. deliver runs on the loop's thread, in the order posted. The poster owns the mail until
 * deliver is called. */
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

/* Signals, for the main thread's loop alone. */
struct signal_watch {
    ev_signal w;
    struct loop *loop;
    void (*fire)(struct signal_watch *s, int signum);
};
void signal_watch_start(struct signal_watch *s, struct loop *l, int signum,
                        void (*fire)(struct signal_watch *s, int signum));
void signal_watch_stop(struct signal_watch *s);

#endif
