/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the wsbridge authors */
/*
 * Look-ups on helper threads. getaddrinfo is replaced here, so that a name can hang for as long as a test likes; names
 * that the replacement does not know go to the real one.
 */
#include "net_help.h"

#include <dlfcn.h>
#include <netdb.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>

#include "net/resolver.h"

/* --- a name server that hangs --------------------------------------------------------------------------------------
 */

static pthread_mutex_t gate_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t gate_changed = PTHREAD_COND_INITIALIZER;
static bool gate_open;
static int gate_inside; /* threads that wait */

static void gate_set(bool open)
{
    pthread_mutex_lock(&gate_lock);
    gate_open = open;
    pthread_cond_broadcast(&gate_changed);
    pthread_mutex_unlock(&gate_lock);
}

static int gate_count(void)
{
    pthread_mutex_lock(&gate_lock);
    int n = gate_inside;
    pthread_mutex_unlock(&gate_lock);
    return n;
}

static void gate_pass(void)
{
    pthread_mutex_lock(&gate_lock);
    gate_inside++;
    while (!gate_open)
        pthread_cond_wait(&gate_changed, &gate_lock);
    gate_inside--;
    pthread_mutex_unlock(&gate_lock);
}

static atomic_int signals_open; /* helpers that could be interrupted by a signal */

typedef int getaddrinfo_fn(const char *, const char *, const struct addrinfo *, struct addrinfo **);

int getaddrinfo(const char *restrict node, const char *restrict service, const struct addrinfo *restrict hints,
                struct addrinfo **restrict res)
{
    getaddrinfo_fn *real = (getaddrinfo_fn *)dlsym(RTLD_NEXT, "getaddrinfo");
    sigset_t set;
    pthread_sigmask(SIG_SETMASK, NULL, &set);
    if (!sigismember(&set, SIGTERM) || !sigismember(&set, SIGUSR1))
        atomic_fetch_add(&signals_open, 1);
    if (strcmp(node, "hang") == 0) {
        gate_pass();
        node = "127.0.0.9";
    }
    if (strcmp(node, "broken") == 0) {
        errno = EIO;
        return EAI_SYSTEM;
    }
    return real(node, service, hints, res);
}

/* --- askers --------------------------------------------------------------------------------------------------------
 */

struct asker {
    int called;
    struct resolve_result res;
};

static void on_done(void *arg, const struct resolve_result *res)
{
    struct asker *a = arg;
    a->called++;
    a->res = *res;
}

static const char *first(const struct asker *a, char *buf)
{
    return addr_format(&a->res.addrs[0], buf);
}

static void test_answers(void **state)
{
    struct bench b;
    struct resolver *r = resolver_new(2);
    struct asker a[6] = {0};
    char buf[ADDR_TEXT_MAX];
    bench_init(&b);
    assert_non_null(resolve_start(r, b.loop, SLICE("127.0.0.5"), 5901, on_done, &a[0]));
    assert_non_null(resolve_start(r, b.loop, SLICE("::1"), 80, on_done, &a[1]));
    assert_non_null(resolve_start(r, b.loop, SLICE("localhost"), 22, on_done, &a[2]));
    assert_non_null(resolve_start(r, b.loop, SLICE("no-such-name.invalid"), 22, on_done, &a[3]));
    assert_non_null(resolve_start(r, b.loop, SLICE("localhost\0.evil"), 22, on_done, &a[4]));
    assert_non_null(resolve_start(r, b.loop, SLICE("broken"), 22, on_done, &a[5]));
    for (int i = 0; i < 6; i++)
        assert_int_equal(a[i].called, 0); /* from the loop alone */
    for (int i = 0; i < 6; i++)
        WAIT_FOR(&b, a[i].called == 1);
    assert_int_equal(a[0].res.error, 0);
    assert_int_equal(a[0].res.n, 1);
    assert_string_equal(first(&a[0], buf), "127.0.0.5:5901");
    assert_string_equal(first(&a[1], buf), "[::1]:80");
    assert_int_equal(a[2].res.error, 0);
    assert_true(a[2].res.n >= 1);
    struct ip_port ip;
    addr_to_ip_port(&a[2].res.addrs[0], &ip);
    assert_int_equal(ip.port, 22);
    assert_int_not_equal(a[3].res.error, 0);
    assert_true(strlen(a[3].res.why) > 5);
    assert_int_equal(a[4].res.error, EAI_NONAME);
    assert_int_equal(a[5].res.error, EAI_SYSTEM);
    assert_string_equal(a[5].res.why, "Input/output error");
    assert_int_equal(atomic_load(&signals_open), 0);
    resolver_free(r);
    bench_fini(&b);
}

/* Cancelled while it waits in the queue, while a helper has it, and while its answer lies in the mailbox. */
static void test_cancel(void **state)
{
    struct bench b;
    struct resolver *r = resolver_new(1);
    struct asker a[4] = {0};
    bench_init(&b);
    gate_set(false);
    struct resolve *running = resolve_start(r, b.loop, SLICE("hang"), 1, on_done, &a[0]);
    WAIT_FOR(&b, gate_count() == 1);
    struct resolve *queued = resolve_start(r, b.loop, SLICE("127.0.0.1"), 1, on_done, &a[1]);
    assert_non_null(resolve_start(r, b.loop, SLICE("127.0.0.2"), 1, on_done, &a[2]));
    bench_run(&b, 0.02);
    assert_int_equal(a[2].called, 0); /* the only helper hangs */
    resolve_cancel(queued);
    resolve_cancel(running);
    gate_set(true);
    WAIT_FOR(&b, a[2].called == 1);
    assert_int_equal(a[0].called + a[1].called, 0);

    struct resolve *posted = resolve_start(r, b.loop, SLICE("127.0.0.3"), 1, on_done, &a[3]);
    usleep(50000); /* answered by now, most likely; it must be right either way */
    resolve_cancel(posted);
    bench_run(&b, 0.02);
    assert_int_equal(a[3].called, 0);
    resolver_free(r);
    bench_fini(&b);
}

/* The loop goes away while helpers are busy for it, and so does the resolver: nobody waits, nothing leaks. */
static void test_free_while_hanging(void **state)
{
    struct bench b;
    struct resolver *r = resolver_new(4);
    struct asker a = {0};
    struct resolve *q[8];
    bench_init(&b);
    gate_set(false);
    for (int i = 0; i < 8; i++)
        q[i] = resolve_start(r, b.loop, SLICE("hang"), 1, on_done, &a);
    WAIT_FOR(&b, gate_count() == 4);
    for (int i = 0; i < 8; i++)
        resolve_cancel(q[i]);
    bench_fini(&b);
    uint64_t from = clock_mono_ns();
    resolver_free(r);
    assert_true(clock_mono_ns() - from < 1000000000u);
    gate_set(true);
    while (gate_count() > 0)
        usleep(1000);
    usleep(20000); /* the helpers end; a sanitizer looks at how */
    assert_int_equal(a.called, 0);
}

/* A posted answer whose loop ends before it is delivered. */
static void test_free_loop_with_answer(void **state)
{
    struct bench b;
    struct resolver *r = resolver_new(1);
    struct asker a = {0};
    bench_init(&b);
    struct resolve *q = resolve_start(r, b.loop, SLICE("127.0.0.3"), 1, on_done, &a);
    usleep(50000);
    resolve_cancel(q);
    bench_fini(&b);
    assert_int_equal(a.called, 0);
    resolver_free(r);
}

static void test_queue_is_bounded(void **state)
{
    static struct resolve *q[RESOLVER_QUEUE_MAX];
    struct bench b;
    struct resolver *r = resolver_new(1);
    struct asker a = {0};
    bench_init(&b);
    gate_set(false);
    struct resolve *running = resolve_start(r, b.loop, SLICE("hang"), 1, on_done, &a);
    WAIT_FOR(&b, gate_count() == 1);
    for (int i = 0; i < RESOLVER_QUEUE_MAX; i++) {
        q[i] = resolve_start(r, b.loop, SLICE("127.0.0.1"), 1, on_done, &a);
        assert_non_null(q[i]);
    }
    assert_null(resolve_start(r, b.loop, SLICE("127.0.0.1"), 1, on_done, &a));
    resolve_cancel(q[7]);
    q[7] = resolve_start(r, b.loop, SLICE("127.0.0.1"), 1, on_done, &a);
    assert_non_null(q[7]);
    for (int i = 0; i < RESOLVER_QUEUE_MAX; i++)
        resolve_cancel(q[i]);
    gate_set(true);
    (void)running;
    WAIT_FOR(&b, a.called == 1);
    resolver_free(r);
    bench_fini(&b);
}

/* Several workers ask one resolver at once and cancel half of what they ask. */
static void *worker(void *arg)
{
    struct resolver *r = arg;
    struct bench b;
    static const int rounds = 100;
    struct asker a = {0};
    int expected = 0;
    bench_init(&b);
    for (int i = 0; i < rounds; i++) {
        struct resolve *keep = resolve_start(r, b.loop, SLICE("127.0.0.1"), 1, on_done, &a);
        struct resolve *drop = resolve_start(r, b.loop, SLICE("127.0.0.2"), 1, on_done, &a);
        expected += keep != NULL;
        if (i % 3 == 0)
            loop_turn(b.loop);
        if (drop && i % 3)
            resolve_cancel(drop);
        else
            expected += drop != NULL;
    }
    while (a.called < expected)
        bench_run(&b, 0.002);
    bench_fini(&b);
    return (void *)(uintptr_t)(a.called == expected);
}

static void test_many_workers(void **state)
{
    struct resolver *r = resolver_new(3);
    pthread_t t[4];
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&t[i], NULL, worker, r), 0);
    for (int i = 0; i < 4; i++) {
        void *good;
        pthread_join(t[i], &good);
        assert_non_null(good);
    }
    resolver_free(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_answers),
        cmocka_unit_test(test_cancel),
        cmocka_unit_test(test_free_while_hanging),
        cmocka_unit_test(test_free_loop_with_answer),
        cmocka_unit_test(test_queue_is_bounded),
        cmocka_unit_test(test_many_workers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
