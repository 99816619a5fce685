/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the wsbridge authors */
/* The loop: the order within a turn, deferral without starvation, timers, mail from threads, signals. */
#include "net_help.h"

#include <math.h>
#include <pthread.h>
#include <signal.h>
#include <sys/eventfd.h>

#include "net/loop.h"
#include "net/stream.h"

static char order[64];

static void note(char c)
{
    size_t n = strlen(order);
    assert_true(n + 1 < sizeof(order));
    order[n] = c;
    order[n + 1] = '\0';
}

/* --- tasks ---------------------------------------------------------------------------------------------------------
 */

struct task {
    struct loop_task t;
    struct loop *l;
    char name;
    int again;
    struct task *defers;
    struct task *reaps;
};

static void task_run(struct loop_task *t)
{
    struct task *k = container_of(t, struct task, t);
    note(k->name);
    if (k->again-- > 0)
        loop_defer(k->l, t);
    if (k->defers)
        loop_defer(k->l, &k->defers->t);
    if (k->reaps)
        loop_reap(k->l, &k->reaps->t);
}

static void task_init(struct task *k, struct loop *l, char name)
{
    *k = (struct task){.l = l, .name = name};
    loop_task_init(&k->t, task_run);
}

struct eventwatch {
    struct fd_watch f;
    struct task *defers;
    struct task *reaps;
    char name;
    bool keep;
};

static void on_eventfd(struct fd_watch *f, unsigned dirs)
{
    struct eventwatch *e = container_of(f, struct eventwatch, f);
    uint64_t v;
    assert_int_equal(dirs, STREAM_READ);
    note(e->name);
    if (!e->keep)
        assert_int_equal(read(f->w.fd, &v, 8), 8);
    if (e->defers)
        loop_defer(f->loop, &e->defers->t);
    if (e->reaps)
        loop_reap(f->loop, &e->reaps->t);
}

static void test_order(void **state)
{
    struct loop *l = loop_new();
    struct task a, b, r, s;
    struct eventwatch e = {.name = 'e'};
    task_init(&a, l, 'a');
    task_init(&b, l, 'b');
    task_init(&r, l, 'r');
    task_init(&s, l, 's');
    int fd = eventfd(1, EFD_NONBLOCK);
    fd_watch_init(&e.f, l, fd, on_eventfd);
    fd_watch_want(&e.f, STREAM_READ);

    /* Events first, then what was deferred before the turn, then the reaper, which may feed itself. */
    order[0] = '\0';
    e.defers = &b; /* during the turn: comes on the next one */
    e.reaps = &r;
    r.reaps = &s;
    loop_defer(l, &a.t);
    loop_defer(l, &a.t); /* no effect */
    loop_turn(l);
    assert_string_equal(order, "ears");
    loop_turn(l);
    assert_string_equal(order, "earsb");
    loop_turn(l);
    assert_string_equal(order, "earsb");

    /* Cancelled tasks do not run, and may be cancelled again. */
    loop_defer(l, &a.t);
    loop_task_cancel(&a.t);
    loop_task_cancel(&a.t);
    loop_turn(l);
    assert_string_equal(order, "earsb");

    /* A task that is deferred and then reaped runs once, at the end. */
    order[0] = '\0';
    e.defers = NULL;
    e.reaps = &a;
    loop_defer(l, &a.t);
    assert_int_equal(eventfd_write(fd, 1), 0);
    loop_turn(l);
    assert_string_equal(order, "ea");

    fd_watch_want(&e.f, 0);
    close(fd);
    loop_free(l);
}

/* A task that always defers itself and a descriptor that is always ready take turns. */
static void test_defer_starves_nobody(void **state)
{
    struct loop *l = loop_new();
    struct task a;
    struct eventwatch e = {.name = 'e', .keep = true};
    task_init(&a, l, 'a');
    a.again = 3;
    int fd = eventfd(1, EFD_NONBLOCK);
    fd_watch_init(&e.f, l, fd, on_eventfd);
    fd_watch_want(&e.f, STREAM_READ);
    order[0] = '\0';
    loop_defer(l, &a.t);
    for (int i = 0; i < 5; i++)
        loop_turn(l);
    assert_string_equal(order, "eaeaeaeae");
    fd_watch_want(&e.f, 0);
    loop_turn(l);
    assert_string_equal(order, "eaeaeaeae");
    close(fd);
    loop_free(l);
}

/* loop_run does not sleep on deferred tasks, and loop_stop within one ends it. */
static void stop_run(struct loop_task *t)
{
    struct task *k = container_of(t, struct task, t);
    note('x');
    loop_stop(k->l);
}

static void test_run_and_stop(void **state)
{
    struct loop *l = loop_new();
    struct task a, x;
    task_init(&a, l, 'a');
    task_init(&x, l, 'x');
    loop_task_init(&x.t, stop_run);
    a.defers = &x;
    a.reaps = NULL;
    order[0] = '\0';
    loop_defer(l, &a.t);
    loop_run(l);
    assert_string_equal(order, "ax");
    loop_stop(l);
    loop_run(l); /* stopped before: comes back at once, and forgets it */
    loop_defer(l, &x.t);
    loop_run(l);
    assert_string_equal(order, "axx");
    loop_free(l);
}

/* What is left when the loop ends: deferred tasks are dropped, the reaper runs. */
static void test_free_reaps(void **state)
{
    struct loop *l = loop_new();
    struct task a, r;
    task_init(&a, l, 'a');
    task_init(&r, l, 'r');
    order[0] = '\0';
    loop_defer(l, &a.t);
    loop_reap(l, &r.t);
    loop_free(l);
    assert_string_equal(order, "r");
    loop_task_cancel(&a.t); /* touches nothing of the loop */
}

/* --- timers --------------------------------------------------------------------------------------------------------
 */

struct clockwork {
    struct timer t;
    int fired;
    double again;
    bool stop;
};

static void on_fire(struct timer *t)
{
    struct clockwork *c = container_of(t, struct clockwork, t);
    c->fired++;
    assert_false(timer_is_set(t));
    if (c->again > 0) {
        timer_set(t, c->again);
        c->again = 0;
    } else if (c->stop) {
        loop_stop(t->w.data);
    }
}

static void test_timers(void **state)
{
    struct loop *l = loop_new();
    struct clockwork a = {.stop = true}, b = {0}, c = {0}, d = {0};
    timer_init(&a.t, l, on_fire);
    timer_init(&b.t, l, on_fire);
    timer_init(&c.t, l, on_fire);
    timer_init(&d.t, l, on_fire);
    double from = loop_now(l);
    timer_set(&a.t, 0.05);
    timer_set(&b.t, 5000);
    timer_set(&b.t, 0.01); /* replaces */
    b.again = 0.01;
    timer_set(&c.t, 0.01);
    timer_cancel(&c.t);
    timer_cancel(&c.t);
    timer_set(&d.t, 0.01);
    timer_set(&d.t, INFINITY); /* as good as cancelled */
    assert_true(timer_is_set(&a.t));
    assert_false(timer_is_set(&c.t));
    assert_false(timer_is_set(&d.t));
    loop_run(l);
    assert_int_equal(a.fired, 1); /* one shot */
    assert_int_equal(b.fired, 2);
    assert_int_equal(c.fired, 0);
    assert_int_equal(d.fired, 0);
    assert_false(timer_is_set(&a.t));
    assert_true(loop_now(l) - from >= 0.049);
    assert_true(loop_now(l) - from < PATIENCE);

    timer_set(&a.t, 0.); /* at once, and only once */
    loop_run(l);
    loop_turn(l);
    assert_int_equal(a.fired, 2);
    timer_set(&a.t, -1.);
    loop_run(l);
    assert_int_equal(a.fired, 3);
    loop_free(l);
}

/* The loop's clock agrees with CLOCK_MONOTONIC and not with the wall. */
static void test_now_is_monotonic(void **state)
{
    struct loop *l = loop_new();
    loop_turn(l);
    double a = loop_now(l), m = (double)clock_mono_ns() * 1e-9;
    assert_true(fabs(a - m) < 1.0);
    usleep(20000);
    assert_true(loop_now(l) == a); /* once a turn */
    loop_turn(l);
    assert_true(loop_now(l) - a >= 0.019);
    loop_free(l);
}

/* --- mail ----------------------------------------------------------------------------------------------------------
 */

#define POSTERS 4
#define LETTERS 2000

struct letter {
    struct mail m;
    int from, number;
    struct tally *tally;
};

struct tally {
    struct loop *l;
    int next[POSTERS];
    int total;
};

static void on_letter(struct mail *m)
{
    struct letter *k = container_of(m, struct letter, m);
    assert_int_equal(k->number, k->tally->next[k->from]); /* in the order posted */
    k->tally->next[k->from]++;
    if (++k->tally->total == POSTERS * LETTERS)
        loop_stop(k->tally->l);
    free(k);
}

struct poster {
    struct tally *tally;
    int from;
};

static void *post(void *arg)
{
    struct poster *p = arg;
    for (int i = 0; i < LETTERS; i++) {
        struct letter *k = malloc(sizeof(*k));
        *k = (struct letter){.from = p->from, .number = i, .tally = p->tally};
        mail_init(&k->m, on_letter);
        mailbox_post(p->tally->l, &k->m);
    }
    return NULL;
}

static void test_mail_from_threads(void **state)
{
    struct tally tally = {.l = loop_new()};
    struct poster p[POSTERS];
    pthread_t t[POSTERS];
    for (int i = 0; i < POSTERS; i++) {
        p[i] = (struct poster){&tally, i};
        assert_int_equal(pthread_create(&t[i], NULL, post, &p[i]), 0);
    }
    loop_run(tally.l);
    for (int i = 0; i < POSTERS; i++)
        pthread_join(t[i], NULL);
    assert_int_equal(tally.total, POSTERS * LETTERS);
    loop_free(tally.l);
}

static void test_mail_before_run(void **state)
{
    struct tally tally = {.l = loop_new(), .total = POSTERS * LETTERS - 1};
    struct letter *k = calloc(1, sizeof(*k));
    k->tally = &tally;
    mail_init(&k->m, on_letter);
    mailbox_post(tally.l, &k->m);
    loop_run(tally.l); /* on_letter stops it */
    assert_int_equal(tally.next[0], 1);
    k = calloc(1, sizeof(*k));
    *k = (struct letter){.tally = &tally, .number = 1};
    mail_init(&k->m, on_letter);
    mailbox_post(tally.l, &k->m);
    loop_free(tally.l); /* delivers, or the letter would leak */
    assert_int_equal(tally.next[0], 2);
}

/* A mail that ends the loop: the poster must be out of the loop before it is freed. */
struct last {
    struct mail m;
    struct loop *l;
};

static void on_last(struct mail *m)
{
    loop_stop(container_of(m, struct last, m)->l);
}

static void *own_loop(void *arg)
{
    struct last *k = arg;
    loop_run(k->l);
    loop_free(k->l);
    return NULL;
}

static void test_mail_that_ends_the_loop(void **state)
{
    for (int i = 0; i < 200; i++) {
        struct last k = {.l = loop_new()};
        pthread_t t;
        mail_init(&k.m, on_last);
        assert_int_equal(pthread_create(&t, NULL, own_loop, &k), 0);
        mailbox_post(k.l, &k.m);
        pthread_join(t, NULL);
    }
}

/* --- signals -------------------------------------------------------------------------------------------------------
 */

static int seen_signal;

static void on_signal(struct signal_watch *s, int signum)
{
    seen_signal = signum;
    loop_stop(s->loop);
}

static void test_signals(void **state)
{
    struct loop *l = loop_new();
    struct signal_watch s;
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    assert_int_equal(pthread_sigmask(SIG_BLOCK, &set, NULL), 0);
    assert_true(signal_watch_start(&s, l, SIGUSR1, on_signal));
    kill(getpid(), SIGUSR1);
    loop_run(l);
    assert_int_equal(seen_signal, SIGUSR1);
    signal_watch_stop(&s);
    loop_free(l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_order),
        cmocka_unit_test(test_defer_starves_nobody),
        cmocka_unit_test(test_run_and_stop),
        cmocka_unit_test(test_free_reaps),
        cmocka_unit_test(test_timers),
        cmocka_unit_test(test_now_is_monotonic),
        cmocka_unit_test(test_mail_from_threads),
        cmocka_unit_test(test_mail_before_run),
        cmocka_unit_test(test_mail_that_ends_the_loop),
        cmocka_unit_test(test_signals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
