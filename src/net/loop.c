/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the wsbridge authors */
/*
 * The event loop over libev, and the small watchers that are no streams: timers, descriptors, signals, mail from other
 * threads.
 *
 * We turn the loop ourselves, and let libev or the set of sockets do one round at a time. That gives deferred tasks and
 * the reaper a place with a plain meaning (after every callback of the turn) without idle, prepare and check watchers
 * whose order would have to be argued, and it costs no system call.
 *
 * Invariants: a task is in at most one list; `due` is empty between turns; `reap` is empty between turns but for what
 * was put there from outside of one.
 */
#include "net/loop.h"

#include <assert.h>
#include <math.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "net/socket_watch.h"
#include "net/stream.h"

_Static_assert((int)STREAM_READ == (int)EV_READ && (int)STREAM_WRITE == (int)EV_WRITE,
               "directions are passed to libev as they are");

struct loop {
    struct ev_loop *ev;
    struct socket_set sockets;
    bool stop;
    bool busy;            /* see turn */
    unsigned direct;      /* turns without libev that may follow */
    int64_t libev_ms;     /* when its last turn was: see tick_ms */
    double served_at;     /* loop time when libev last found the sockets ready */
    struct list deferred; /* for the next turn */
    struct list due;      /* of this turn */
    struct list reap;
    ev_timer epoch; /* never fires: see loop_now */
    bool now_known; /* `now` is of libev's last turn */
    bool stale;     /* and so is the time that libev counts timers from, but there were turns since */
    double now;
    int room;                  /* descriptors below have had their trial: see loop_has_room */
    struct fd_watch wake;      /* an eventfd */
    pthread_mutex_t mail_lock; /* guards `mail` */
    struct list mail;
};

/* --- turns ---------------------------------------------------------------------------------------------------------
 */

static void run_tasks(struct list *tasks)
{
    while (!list_empty(tasks)) {
        struct loop_task *t = container_of(tasks->next, struct loop_task, link);
        list_remove(&t->link);
        t->run(t);
    }
}

/* libev reports the set of sockets as one descriptor, and which ones they are costs another system call. That is
 * nothing when a turn serves many, and nobody counts it when there is hardly anything to do. In between, with a few
 * sessions in a brisk exchange, it is half of the waiting: so while sockets are ready again within BUSY_WITHIN, turns
 * wait in their set directly, and only one in DIRECT_TURNS, or the first one after DIRECT_FOR, is libev's. A descriptor
 * of libev's that becomes ready ends such a wait and has its turn next; timers may be late by DIRECT_FOR and BUSY_WAIT.
 * After BUSY_WAIT without an event it is libev's turn to wait, as exactly as ever.
 *
 * BUSY_WAIT is longer than a timer tick of the kernel (1 to 10 ms): a wait that ends before it would have to be set in
 * hardware each time, which costs more than the system call that is saved. */
#define DIRECT_TURNS 8
#define DIRECT_FOR 20       /* milliseconds */
#define BUSY_WITHIN 0.00025 /* seconds */
#define BUSY_WAIT 20        /* milliseconds */

static int64_t tick_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC_COARSE, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static void direct_turn(struct loop *l, bool wait)
{
    l->direct--;
    l->stale = true;
    if (!socket_set_serve(&l->sockets, wait ? BUSY_WAIT : 0) && wait)
        l->busy = false;
    if (l->sockets.elsewhere || tick_ms() - l->libev_ms > DIRECT_FOR)
        l->direct = 0;
}

static void libev_turn(struct loop *l, int flags)
{
    l->direct = DIRECT_TURNS;
    l->sockets.served = l->sockets.elsewhere = false;
    l->now_known = l->stale = false;
    ev_run(l->ev, flags);
    l->libev_ms = tick_ms();
    if (!l->sockets.served || l->busy)
        return;
    l->busy = loop_now(l) - l->served_at < BUSY_WITHIN;
    l->served_at = loop_now(l);
}

static void turn(struct loop *l, bool wait)
{
    /* Only what was deferred before this turn's wait is due: a task that defers itself, or that a callback of this turn
     * defers, comes after the events that are waiting in the kernel by then. */
    list_splice(&l->due, &l->deferred);
    bool idle = wait && list_empty(&l->due) && list_empty(&l->reap);
    if (wait && l->busy && l->direct > 0 && !l->sockets.elsewhere) /* else libev had looked just before that came */
        direct_turn(l, idle);
    else
        libev_turn(l, idle && !l->busy ? EVRUN_ONCE : EVRUN_NOWAIT);
    run_tasks(&l->due);
    run_tasks(&l->reap);
}

void loop_run(struct loop *l)
{
    l->now_known = false;
    ev_now_update(l->ev); /* start-up may have taken a while, and timers count from the last time read */
    while (!l->stop)
        turn(l, true);
    l->stop = false;
}

void loop_turn(struct loop *l)
{
    turn(l, false);
}

void loop_stop(struct loop *l)
{
    l->stop = true;
}

void loop_defer(struct loop *l, struct loop_task *t)
{
    if (list_empty(&t->link))
        list_push_back(&l->deferred, &t->link);
}

void loop_reap(struct loop *l, struct loop_task *t)
{
    list_remove(&t->link);
    list_push_back(&l->reap, &t->link);
}

/* --- mail ----------------------------------------------------------------------------------------------------------
 */

static void mail_deliver(struct loop *l)
{
    struct list taken;
    list_init(&taken);
    pthread_mutex_lock(&l->mail_lock);
    list_splice(&taken, &l->mail);
    pthread_mutex_unlock(&l->mail_lock);
    while (!list_empty(&taken)) {
        struct mail *m = container_of(taken.next, struct mail, link);
        list_remove(&m->link);
        m->deliver(m);
    }
}

static void on_wake(struct fd_watch *w, unsigned dirs)
{
    eventfd_t n;

    (void)eventfd_read(w->w.fd, &n);
    mail_deliver(container_of(w, struct loop, wake));
}

void mailbox_post(struct loop *l, struct mail *m)
{
    /* The send stays under the lock: the mail cannot be delivered before we are done with the loop, so even a mail that
     * ends the loop is safe to post. */
    pthread_mutex_lock(&l->mail_lock);
    bool first = list_empty(&l->mail);
    list_push_back(&l->mail, &m->link);
    if (first)
        (void)eventfd_write(l->wake.w.fd, 1); /* fails only where reading is 2^64 letters behind */
    pthread_mutex_unlock(&l->mail_lock);
}

/* --- libev's arrays ------------------------------------------------------------------------------------------------
 */

/* libev keeps its timers in an array, and doubles that as sessions come. From realloc that leaves the smaller ones
 * behind as holes between what lives long, up to as much as the array itself; a mapping of its own grows without a copy
 * and leaves nothing behind. */
#define MAPPED_FROM ((size_t)16 << 10)

struct block {
    _Alignas(16) size_t size; /* all of it; MAPPED_FROM and more is a mapping */
    _Alignas(16) uint8_t data[];
};

static void block_free(struct block *b)
{
    if (b && b->size >= MAPPED_FROM)
        munmap(b, b->size);
    else
        free(b);
}

static struct block *block_new(size_t size)
{
    void *p;

    if (size < MAPPED_FROM)
        return malloc(size);
    p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return p == MAP_FAILED ? NULL : p;
}

static struct block *block_grow(struct block *b, size_t size)
{
    size_t had = b ? b->size : 0;
    struct block *to;

    if (had < MAPPED_FROM && size < MAPPED_FROM)
        return realloc(b, size);
    if (had >= MAPPED_FROM && size >= MAPPED_FROM) {
        to = mremap(b, had, size, MREMAP_MAYMOVE);
        return to == MAP_FAILED ? NULL : to;
    }
    to = block_new(size);
    if (to && b) {
        memcpy(to->data, b->data, MIN_OF(had, size) - sizeof(*b));
        block_free(b);
    }
    return to;
}

/* As realloc, but that 0 frees; libev ends the process when it gets NULL for more. */
static void *ev_memory(void *p, long n)
{
    struct block *b = p ? container_of(p, struct block, data) : NULL;

    if (n == 0) {
        block_free(b);
        return NULL;
    }
    b = block_grow(b, (size_t)n + sizeof(*b));
    if (!b)
        return NULL;
    b->size = (size_t)n + sizeof(*b);
    return b->data;
}

#define PER_FD 64 /* bytes: more than libev's arrays (timers, events) hold for one descriptor in all */

/* Memory for twice as many descriptors is asked for and given back, as a trial, because the arrays double; they find
 * room when their time comes. */
bool loop_has_room(struct loop *l, int fd)
{
    int most = fd + 32;
    size_t twice = 2 * (size_t)most * PER_FD;
    void *trial;

    if (LIKELY(fd < l->room))
        return true;
    trial = mmap(NULL, twice, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (trial == MAP_FAILED)
        return false;
    munmap(trial, twice);
    l->room = most;
    return true;
}

/* --- life ----------------------------------------------------------------------------------------------------------
 */

#define EPOCH_AFTER 1e9 /* seconds: thirty years; leaves a double some 100 ns of resolution */

static void on_epoch(struct ev_loop *ev, ev_timer *w, int revents)
{
}

struct loop *loop_new(void)
{
    struct loop *l = calloc(1, sizeof(*l));
    if (!l)
        return NULL;
    ev_set_allocator(ev_memory);
    l->ev = ev_loop_new(EVBACKEND_EPOLL | EVFLAG_NOENV);
    int wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (!l->ev || wake < 0 || socket_set_open(&l->sockets, l->ev) != 0) {
        if (l->ev)
            ev_loop_destroy(l->ev);
        if (wake >= 0)
            close(wake);
        free(l);
        return NULL;
    }
    list_init(&l->deferred);
    list_init(&l->due);
    list_init(&l->reap);
    list_init(&l->mail);
    fd_watch_init(&l->wake, l, wake, on_wake);
    fd_watch_want(&l->wake, STREAM_READ);
    pthread_mutex_init(&l->mail_lock, NULL);
    ev_timer_init(&l->epoch, on_epoch, EPOCH_AFTER, 0.);
    ev_timer_start(l->ev, &l->epoch);
    return l;
}

static void unlink_all(struct list *tasks)
{
    while (!list_empty(tasks))
        list_remove(tasks->next);
}

void loop_free(struct loop *l)
{
    if (!l)
        return;
    mail_deliver(l);
    run_tasks(&l->reap);
    unlink_all(&l->deferred); /* so that a later loop_task_cancel does not touch our memory */
    unlink_all(&l->due);
    ev_timer_stop(l->ev, &l->epoch);
    fd_watch_want(&l->wake, 0);
    close(l->wake.w.fd);
    socket_set_close(&l->sockets, l->ev);
    ev_loop_destroy(l->ev);
    pthread_mutex_destroy(&l->mail_lock);
    free(l);
}

/* libev's own ev_now jumps with the wall clock, and a jump must not end every session that counts its idle time. Its
 * monotonic clock has no accessor, but a running timer's end minus what remains of it is exactly that, for the price of
 * a subtraction. */
double loop_now(struct loop *l)
{
    if (!l->now_known) {
        l->now = l->epoch.at - ev_timer_remaining(l->ev, &l->epoch);
        l->now_known = true;
    }
    return l->now;
}

struct ev_loop *loop_ev(struct loop *l)
{
    return l->ev;
}

struct socket_set *loop_sockets(struct loop *l)
{
    return &l->sockets;
}

void loop_share_descriptors(struct loop *l)
{
    l->sockets.shared = true;
}

/* --- timers --------------------------------------------------------------------------------------------------------
 */

static void on_timer(struct ev_loop *ev, ev_timer *w, int revents)
{
    struct timer *t = container_of(w, struct timer, w);
    ev_timer_stop(ev, w); /* libev has set it again, because it is started with `repeat` */
    t->fire(t);
}

void timer_init(struct timer *t, struct loop *l, void (*fire)(struct timer *t))
{
    ev_timer_init(&t->w, on_timer, 0., 0.);
    t->w.data = l;
    t->fire = fire;
}

static struct ev_loop *timer_ev(const struct timer *t)
{
    return ((struct loop *)t->w.data)->ev;
}

void timer_set(struct timer *t, double seconds)
{
    assert(!isnan(seconds));
    if (isinf(seconds)) {
        timer_cancel(t);
        return;
    }
    struct loop *l = t->w.data;
    if (l->stale) {
        ev_now_update(l->ev);
        l->stale = false;
    }
    /* ev_timer_again moves a running timer within the heap in place; stop and start would take it out and put it in
     * again. It takes its time from `repeat`, where zero would mean "stop". */
    t->w.repeat = MAX_OF(seconds, 1e-6);
    ev_timer_again(timer_ev(t), &t->w);
}

void timer_cancel(struct timer *t)
{
    ev_timer_stop(timer_ev(t), &t->w);
}

/* --- descriptors ---------------------------------------------------------------------------------------------------
 */

static void on_fd(struct ev_loop *ev, ev_io *w, int revents)
{
    struct fd_watch *f = container_of(w, struct fd_watch, w);
    f->loop->direct = 0; /* it may have more, and is as good as the sockets are */
    f->ready(f, (unsigned)revents & (STREAM_READ | STREAM_WRITE));
}

void fd_watch_init(struct fd_watch *f, struct loop *l, int fd, void (*ready)(struct fd_watch *f, unsigned dirs))
{
    ev_io_init(&f->w, on_fd, fd, 0);
    f->loop = l;
    f->ready = ready;
}

void fd_watch_want(struct fd_watch *f, unsigned dirs)
{
    unsigned has = ev_is_active(&f->w) ? (unsigned)f->w.events & (STREAM_READ | STREAM_WRITE) : 0;
    if (has == dirs)
        return;
    socket_set_also(&f->loop->sockets, f->w.fd, dirs);
    ev_io_stop(f->loop->ev, &f->w); /* drops a pending event too; a level-triggered one comes back */
    if (!dirs)
        return;
    ev_io_modify(&f->w, (int)dirs);
    ev_io_start(f->loop->ev, &f->w);
}

/* --- signals -------------------------------------------------------------------------------------------------------
 */

static void on_signal(struct ev_loop *ev, ev_signal *w, int revents)
{
    struct signal_watch *s = container_of(w, struct signal_watch, w);
    s->fire(s, w->signum);
}

/* libev makes a descriptor for signals when the first is asked for, and aborts when there is none. */
static bool has_descriptor(void)
{
    int fd = eventfd(0, EFD_CLOEXEC);

    if (fd >= 0)
        close(fd);
    return fd >= 0;
}

bool signal_watch_start(struct signal_watch *s, struct loop *l, int signum,
                        void (*fire)(struct signal_watch *s, int signum))
{
    sigset_t set;

    if (!has_descriptor())
        return false;
    ev_signal_init(&s->w, on_signal, signum);
    s->loop = l;
    s->fire = fire;
    ev_signal_start(l->ev, &s->w);
    sigemptyset(&set); /* libev 4.33 does this only when told not to */
    sigaddset(&set, signum);
    pthread_sigmask(SIG_UNBLOCK, &set, NULL);
    return true;
}

void signal_watch_stop(struct signal_watch *s)
{
    if (ev_is_active(&s->w))
        ev_signal_stop(s->loop->ev, &s->w);
}
