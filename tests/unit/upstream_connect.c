/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the wsbridge authors */
/*
 * Connecting: the race, the deadline, and which reason is told. getaddrinfo is replaced, so that a test decides what a
 * name means; a black hole is a listening socket whose backlog is full, which leaves further connects without an
 * answer.
 */
#include "net_help.h"

#include <math.h>
#include <netdb.h>
#include <sys/resource.h>

#include "upstream/connect.h"

/* --- what names mean -----------------------------------------------------------------------------------------------
 */

static struct {
    const char *ips[8]; /* ends with NULL */
    unsigned delay_ms;
    int error;
} name;

static void name_is(const char *a, const char *b, const char *c)
{
    memset(&name, 0, sizeof(name));
    name.ips[0] = a;
    name.ips[1] = b;
    name.ips[2] = b ? c : NULL;
}

int getaddrinfo(const char *restrict node, const char *restrict service, const struct addrinfo *restrict hints,
                struct addrinfo **restrict res)
{
    usleep(name.delay_ms * 1000);
    if (name.error)
        return name.error;
    *res = NULL;
    struct addrinfo **tail = res;
    for (size_t i = 0; name.ips[i]; i++) {
        struct addrinfo *ai = calloc(1, sizeof(*ai));
        struct addr *a = calloc(1, sizeof(*a));
        assert_true(addr_parse_ip(slice_of(name.ips[i]), 0, a));
        ai->ai_family = a->u.sa.sa_family;
        ai->ai_addr = &a->u.sa;
        ai->ai_addrlen = a->len;
        *tail = ai;
        tail = &ai->ai_next;
    }
    return 0;
}

void freeaddrinfo(struct addrinfo *ai)
{
    while (ai) {
        struct addrinfo *next = ai->ai_next;
        free(container_of(ai->ai_addr, struct addr, u.sa));
        free(ai);
        ai = next;
    }
}

/* --- fixture -------------------------------------------------------------------------------------------------------
 */

struct fixture {
    struct bench b;
    struct worker_env env;
    struct target to;
    int called;
    struct connect_result res;
    char why[400], addr[ADDR_TEXT_MAX];
    double took;
    double from;
    int holes[16]; /* descriptors that fill a backlog */
    int n_holes;
};

static void on_done(void *arg, const struct connect_result *res)
{
    struct fixture *f = arg;
    f->called++;
    f->res = *res;
    snprintf(f->why, sizeof(f->why), "%s", res->why ? res->why : "");
    addr_format(&res->addr, f->addr);
    f->took = (double)clock_mono_ns() * 1e-9 - f->from;
    if (res->outcome == CONNECT_OK)
        assert_non_null(res->stream);
    else
        assert_null(res->stream);
}

static void begin(struct fixture *f)
{
    memset(f, 0, sizeof(*f));
    bench_init(&f->b);
    f->env.loop = f->b.loop;
    f->env.resolver = resolver_new(2);
}

static void end(struct fixture *f)
{
    if (f->called)
        stream_free(f->res.stream, STREAM_END_CLEAN);
    for (int i = 0; i < f->n_holes; i++)
        close(f->holes[i]);
    resolver_free(f->env.resolver);
    bench_fini(&f->b);
}

static struct connecting *start(struct fixture *f, double timeout)
{
    const struct connect_order order = {.to = &f->to, .timeout = timeout};
    f->from = (double)clock_mono_ns() * 1e-9;
    loop_turn(f->b.loop); /* timers count from the turn's time */
    struct connecting *c = connect_start(&f->env, &order, on_done, f);
    assert_non_null(c);
    assert_int_equal(f->called, 0); /* never from inside */
    return c;
}

static void run(struct fixture *f, double timeout)
{
    start(f, timeout);
    WAIT_FOR(&f->b, f->called > 0);
    bench_run(&f->b, 0.01);
    assert_int_equal(f->called, 1);
}

static void to_name(struct fixture *f, uint16_t port)
{
    f->to = (struct target){.kind = TARGET_NAME, .text = "db.example", .host = "db.example", .port = port};
}

static void to_addr(struct fixture *f, const struct addr *a)
{
    f->to = (struct target){.kind = TARGET_ADDR, .text = "the target", .addr = *a};
}

/* A listening socket on that port of that address; port 0 is filled in. */
static int listen_at(const char *ip, uint16_t *port)
{
    struct addr a;
    struct ip_port x;
    assert_true(addr_parse_ip(slice_of(ip), *port, &a));
    int fd = listen_on(&a, 8);
    addr_to_ip_port(&a, &x);
    *port = x.port;
    return fd;
}

/* The same, but nobody will ever answer. */
static void black_hole(struct fixture *f, const char *ip, uint16_t *port)
{
    struct addr a;
    struct ip_port x;
    assert_true(addr_parse_ip(slice_of(ip), *port, &a));
    int fd = listen_on(&a, 0);
    f->holes[f->n_holes++] = fd;
    addr_to_ip_port(&a, &x);
    *port = x.port;
    for (int i = 0; i < 2; i++) { /* a backlog of 0 holds one; one more for luck */
        int c = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
        assert_int_equal(connect(c, &a.u.sa, a.len), -1);
        f->holes[f->n_holes++] = c;
        usleep(20000);
    }
}

/* --- one address ---------------------------------------------------------------------------------------------------
 */

static void test_addr(void **state)
{
    struct fixture f;
    struct addr a;
    begin(&f);
    addr_v4(&a, "127.0.0.1", 0);
    int lfd = listen_on(&a, 4);
    to_addr(&f, &a);
    run(&f, INFINITY);
    assert_int_equal(f.res.outcome, CONNECT_OK);
    assert_null(f.res.stream->owner);
    assert_int_equal(stream_start(f.res.stream), IO_OK);
    assert_memory_equal(&f.res.addr.u, &a.u, a.len);
    close(lfd);
    end(&f);
}

static void test_addr_refused(void **state)
{
    struct fixture f;
    struct addr a;
    begin(&f);
    addr_v4(&a, "127.0.0.1", 0);
    close(listen_on(&a, 4));
    to_addr(&f, &a);
    run(&f, 5);
    assert_int_equal(f.res.outcome, CONNECT_REFUSED);
    assert_string_equal(f.why, "the target: Connection refused");
    assert_memory_equal(&f.res.addr.u, &a.u, a.len);
    end(&f);
}

static void test_addr_timeout(void **state)
{
    struct fixture f;
    struct addr a;
    uint16_t port = 0;
    begin(&f);
    black_hole(&f, "127.0.0.1", &port);
    addr_v4(&a, "127.0.0.1", port);
    to_addr(&f, &a);
    run(&f, 0.2);
    assert_int_equal(f.res.outcome, CONNECT_TIMEOUT);
    assert_string_equal(f.why, "the target: no connection within 0.2 s");
    assert_true(f.took >= 0.19);
    end(&f);
}

static void test_no_descriptor(void **state)
{
    struct fixture f;
    struct rlimit old, low;
    struct addr a;
    begin(&f);
    addr_v4(&a, "127.0.0.1", 9);
    to_addr(&f, &a);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
    int next = dup(0);
    close(next);
    low = old;
    low.rlim_cur = (rlim_t)next;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
    run(&f, 5);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
    assert_int_equal(f.res.outcome, CONNECT_NO_ROOM);
    assert_string_equal(f.why, "the target: Too many open files");
    end(&f);
}

static void test_unix(void **state)
{
    struct fixture f;
    struct addr a, at;
    char path[64];
    begin(&f);
    snprintf(path, sizeof(path), "/tmp/wsbridge-connect-%d.sock", (int)getpid());
    addr_unix(&a, path);
    to_addr(&f, &a);
    run(&f, 5);
    assert_int_equal(f.res.outcome, CONNECT_REFUSED);
    assert_string_equal(f.why, "the target: No such file or directory");

    at = a;
    int lfd = listen_on(&at, 0);
    f.called = 0;
    run(&f, 5);
    assert_int_equal(f.res.outcome, CONNECT_OK);
    struct stream *taken = f.res.stream;

    /* The backlog is full now: tried again until there is room. */
    f.called = 0;
    f.res.stream = NULL;
    start(&f, 5);
    bench_run(&f.b, 0.06);
    assert_int_equal(f.called, 0);
    int fd = accept(lfd, NULL, NULL);
    WAIT_FOR(&f.b, f.called);
    assert_int_equal(f.res.outcome, CONNECT_OK);
    stream_free(taken, STREAM_END_CLEAN);
    taken = f.res.stream;

    f.called = 0;
    f.res.stream = NULL;
    run(&f, 0.1);
    assert_int_equal(f.res.outcome, CONNECT_TIMEOUT);
    assert_string_equal(f.why, "the target: its backlog was full for 0.1 s");

    /* What comes after a full backlog counts. */
    f.called = 0;
    start(&f, 5);
    bench_run(&f.b, 0.01);
    close(lfd);
    WAIT_FOR(&f.b, f.called);
    assert_int_equal(f.res.outcome, CONNECT_REFUSED);
    assert_string_equal(f.why, "the target: Connection refused");
    stream_free(taken, STREAM_END_CLEAN);
    close(fd);
    unlink(path);
    end(&f);
}

/* --- names ---------------------------------------------------------------------------------------------------------
 */

static void test_name(void **state)
{
    struct fixture f;
    uint16_t port = 0;
    begin(&f);
    int lfd = listen_at("127.0.0.7", &port);
    name_is("127.0.0.7", NULL, NULL);
    to_name(&f, port);
    run(&f, 5);
    assert_int_equal(f.res.outcome, CONNECT_OK);
    char expected[64];
    snprintf(expected, sizeof(expected), "127.0.0.7:%u", port);
    assert_string_equal(f.addr, expected);
    close(lfd);
    end(&f);
}

static void test_no_name(void **state)
{
    struct fixture f;
    begin(&f);
    name_is(NULL, NULL, NULL);
    name.error = EAI_NONAME;
    to_name(&f, 80);
    run(&f, 5);
    assert_int_equal(f.res.outcome, CONNECT_NO_NAME);
    assert_string_equal(f.why, "db.example: Name or service not known");
    assert_int_equal(f.res.addr.len, 0);
    end(&f);
}

static void test_slow_name(void **state)
{
    struct fixture f;
    begin(&f);
    name_is("127.0.0.1", NULL, NULL);
    name.delay_ms = 300;
    to_name(&f, 80);
    run(&f, 0.1);
    assert_int_equal(f.res.outcome, CONNECT_TIMEOUT);
    assert_string_equal(f.why, "db.example: the name was not looked up within 0.1 s");
    usleep(350000); /* the helper comes back, and nobody waits for it */
    bench_run(&f.b, 0.01);
    assert_int_equal(f.called, 1);
    end(&f);
}

/* A refused address costs no time: the next one is tried at once. */
static void test_next_at_once(void **state)
{
    struct fixture f;
    uint16_t port = 0;
    begin(&f);
    int lfd = listen_at("127.0.0.3", &port);
    name_is("127.0.0.1", "127.0.0.2", "127.0.0.3");
    to_name(&f, port);
    run(&f, 5);
    assert_int_equal(f.res.outcome, CONNECT_OK);
    assert_memory_equal(f.addr, "127.0.0.3:", 10);
    assert_true(f.took < 0.2); /* less than one stagger */
    close(lfd);
    end(&f);
}

/* A silent address is passed by after 250 ms. */
static void test_stagger(void **state)
{
    struct fixture f;
    uint16_t port = 0;
    begin(&f);
    black_hole(&f, "127.0.0.1", &port);
    int lfd = listen_at("127.0.0.2", &port);
    name_is("127.0.0.1", "127.0.0.2", NULL);
    to_name(&f, port);
    run(&f, 5);
    assert_int_equal(f.res.outcome, CONNECT_OK);
    assert_memory_equal(f.addr, "127.0.0.2:", 10);
    assert_true(f.took >= 0.24);
    assert_true(f.took < 0.9); /* long before the kernel's own first retry */
    close(lfd);
    end(&f);
}

/* The earlier one stays in the race, and wins when it answers first after all. */
static void test_early_one_may_still_win(void **state)
{
    struct fixture f;
    uint16_t port = 0;
    begin(&f);
    black_hole(&f, "127.0.0.1", &port);
    black_hole(&f, "127.0.0.2", &port);
    name_is("127.0.0.1", "127.0.0.2", NULL);
    to_name(&f, port);
    start(&f, 8);
    bench_run(&f.b, 0.3);
    assert_int_equal(f.called, 0);
    /* Room in the first one's backlog from now on; the kernel sends its request again after a second. */
    while (!f.called) {
        assert_true((double)clock_mono_ns() * 1e-9 - f.from < PATIENCE);
        bench_run(&f.b, 0.01);
        int fd = accept(f.holes[0], NULL, NULL);
        if (fd >= 0)
            f.holes[f.n_holes++] = fd;
    }
    assert_int_equal(f.res.outcome, CONNECT_OK);
    assert_memory_equal(f.addr, "127.0.0.1:", 10);
    end(&f);
}

/* Families take turns, beginning with the first address's: the second try is the IPv6 one. */
static void test_interleaved(void **state)
{
    struct fixture f;
    uint16_t port = 0;
    struct addr probe;
    begin(&f);
    black_hole(&f, "127.0.0.1", &port);
    black_hole(&f, "127.0.0.2", &port);
    assert_true(addr_parse_ip(SLICE("::1"), port, &probe));
    int lfd = socket(AF_INET6, SOCK_STREAM | SOCK_NONBLOCK, 0);
    if (lfd < 0 || bind(lfd, &probe.u.sa, probe.len) < 0) {
        close(lfd);
        end(&f);
        skip();
    }
    assert_int_equal(listen(lfd, 4), 0);
    name_is("127.0.0.1", "127.0.0.2", "::1");
    to_name(&f, port);
    run(&f, 5);
    assert_int_equal(f.res.outcome, CONNECT_OK);
    assert_memory_equal(f.addr, "[::1]:", 6);
    assert_true(f.took < 0.45); /* the third in the list, but the second to be tried */
    close(lfd);
    end(&f);
}

static void test_deadline_over_all(void **state)
{
    struct fixture f;
    uint16_t port = 0;
    begin(&f);
    black_hole(&f, "127.0.0.1", &port);
    black_hole(&f, "127.0.0.2", &port);
    name_is("127.0.0.1", "127.0.0.2", NULL);
    to_name(&f, port);
    run(&f, 0.4);
    assert_int_equal(f.res.outcome, CONNECT_TIMEOUT);
    assert_true(f.took >= 0.39);
    assert_true(f.took < 0.9);
    end(&f);
}

/* Of several failures the most telling is reported, wherever it stands. The kernel knows no way to connect to the
 * broadcast address and sends nothing. */
static void test_most_telling(void **state)
{
    static const char *const order[][2] = {{"255.255.255.255", "127.0.0.1"}, {"127.0.0.1", "255.255.255.255"}};
    struct fixture f;
    uint16_t port = 0;
    for (int i = 0; i < 2; i++) {
        begin(&f);
        close(listen_at("127.0.0.1", &port));
        name_is(order[i][0], order[i][1], NULL);
        to_name(&f, port);
        run(&f, 5);
        assert_int_equal(f.res.outcome, CONNECT_REFUSED);
        char text[100];
        snprintf(text, sizeof(text), "db.example (127.0.0.1:%u): Connection refused", port);
        assert_string_equal(f.why, text);
        end(&f);
    }

    begin(&f);
    close(listen_at("127.0.0.1", &port));
    name_is("127.0.0.1", "127.0.0.2", NULL);
    to_name(&f, port);
    run(&f, 5);
    char expected[100];
    snprintf(expected, sizeof(expected), "db.example (127.0.0.1:%u): Connection refused", port);
    assert_string_equal(f.why, expected);
    end(&f);
}

/* --- giving up -----------------------------------------------------------------------------------------------------
 */

static void test_cancel(void **state)
{
    struct fixture f;
    uint16_t port = 0;
    struct addr a;
    begin(&f);
    name_is("127.0.0.1", "127.0.0.2", NULL);
    to_name(&f, 80);
    connect_cancel(start(&f, 5)); /* while looking up */

    black_hole(&f, "127.0.0.1", &port);
    to_name(&f, port);
    struct connecting *c = start(&f, 5);
    bench_run(&f.b, 0.05);
    connect_cancel(c); /* while racing */

    addr_v4(&a, "127.0.0.1", 0);
    a.u.sa.sa_family = 250; /* fails inside connect_start; reported on the next turn */
    to_addr(&f, &a);
    connect_cancel(start(&f, 5));

    char path[64];
    snprintf(path, sizeof(path), "/tmp/wsbridge-connect-%d.sock", (int)getpid());
    addr_unix(&a, path);
    struct addr at = a;
    int lfd = listen_on(&at, 4);
    to_addr(&f, &a);
    connect_cancel(start(&f, 5)); /* connected inside connect_start */
    bench_run(&f.b, 0.05);
    assert_int_equal(f.called, 0);
    close(lfd);
    unlink(path);
    end(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_addr),
        cmocka_unit_test(test_addr_refused),
        cmocka_unit_test(test_addr_timeout),
        cmocka_unit_test(test_no_descriptor),
        cmocka_unit_test(test_unix),
        cmocka_unit_test(test_name),
        cmocka_unit_test(test_no_name),
        cmocka_unit_test(test_slow_name),
        cmocka_unit_test(test_next_at_once),
        cmocka_unit_test(test_stagger),
        cmocka_unit_test(test_early_one_may_still_win),
        cmocka_unit_test(test_interleaved),
        cmocka_unit_test(test_deadline_over_all),
        cmocka_unit_test(test_most_telling),
        cmocka_unit_test(test_cancel),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
