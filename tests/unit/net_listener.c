/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the wsbridge authors */
/* Listening sockets and the listener: sharing, stale unix sockets and modes, batches, the descriptor limit, draining.
 */
#include "net_help.h"

#include <sys/resource.h>
#include <sys/stat.h>

#include "net/loop.h"

#define CLIENTS_MAX 128

static char dir[] = "/tmp/wsbridge-net-XXXXXX";

/* --- socket_listen -------------------------------------------------------------------------------------------------
 */

static void path_in_dir(struct addr *a, const char *name)
{
    char path[100];
    snprintf(path, sizeof(path), "%s/%s", dir, name);
    addr_unix(a, path);
}

static int listen_why(const struct addr *a, const struct listen_options *opt, char *why)
{
    why[0] = '\0';
    errno = 0;
    return socket_listen(a, opt, why, 200);
}

static void test_listen_tcp(void **state)
{
    struct listen_options opt = {0};
    struct addr a;
    char why[200];
    addr_v4(&a, "127.0.0.1", 0);
    int fd = listen_why(&a, &opt, why);
    assert_true(fd >= 0);
    assert_true(fcntl(fd, F_GETFL) & O_NONBLOCK);
    assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
    a.len = sizeof(a.u);
    assert_int_equal(getsockname(fd, &a.u.sa, &a.len), 0);

    assert_int_equal(listen_why(&a, &opt, why), -1);
    assert_int_equal(errno, EADDRINUSE);
    assert_string_equal(why, "address already in use by another program");
    opt.reuse_port = true; /* the first one does not share */
    assert_int_equal(listen_why(&a, &opt, why), -1);
    close(fd);

    fd = listen_why(&a, &opt, why);
    int second = listen_why(&a, &opt, why);
    assert_true(fd >= 0);
    assert_true(second >= 0);
    close(fd);
    close(second);

    addr_v4(&a, "203.0.113.7", 0);
    assert_int_equal(listen_why(&a, &opt, why), -1);
    assert_string_equal(why, "this machine has no such address");
}

/* "::" takes IPv4 as well, unless it is told not to. */
static void test_listen_v6_only(void **state)
{
    struct listen_options opt = {.v6_only = true};
    struct addr a = {.len = sizeof(a.u.in6)}, b;
    char why[200];
    a.u.in6.sin6_family = AF_INET6;
    int fd = listen_why(&a, &opt, why);
    if (fd < 0)
        skip(); /* no IPv6 here */
    a.len = sizeof(a.u);
    assert_int_equal(getsockname(fd, &a.u.sa, &a.len), 0);
    addr_v4(&b, "0.0.0.0", ntohs(a.u.in6.sin6_port));
    int v4 = listen_why(&b, &opt, why);
    assert_true(v4 >= 0);
    close(v4);
    close(fd);
    opt.v6_only = false;
    fd = listen_why(&a, &opt, why);
    assert_true(fd >= 0);
    assert_int_equal(listen_why(&b, &opt, why), -1);
    close(fd);
}

static void test_listen_privileged(void **state)
{
    struct listen_options opt = {0};
    struct addr a;
    char why[200];
    if (geteuid() != 0)
        skip(); /* needs an effective id to give up and take back */
    addr_v4(&a, "127.0.0.1", 81);
    assert_int_equal(seteuid(65534), 0);
    int fd = listen_why(&a, &opt, why);
    int err = errno;
    assert_int_equal(seteuid(0), 0);
    if (fd >= 0) { /* net.ipv4.ip_unprivileged_port_start is low here */
        close(fd);
        skip();
    }
    assert_int_equal(err, EACCES);
    assert_string_equal(why, "port 81 needs root or CAP_NET_BIND_SERVICE");
}

static unsigned mode_of(const struct addr *a)
{
    struct stat st;
    assert_int_equal(stat(a->u.un.sun_path, &st), 0);
    return st.st_mode & 0777;
}

static void test_listen_unix_mode(void **state)
{
    struct listen_options opt = {.has_mode = true, .mode = 0666};
    struct addr a;
    char why[200];
    mode_t mask = umask(077);
    path_in_dir(&a, "mode");
    int fd = listen_why(&a, &opt, why);
    assert_true(fd >= 0);
    assert_int_equal(mode_of(&a), 0666);
    close(fd);
    umask(0);
    opt.mode = 0600;
    fd = listen_why(&a, &opt, why);
    assert_true(fd >= 0);
    assert_int_equal(mode_of(&a), 0600);
    assert_true(fcntl(fd, F_GETFL) & O_NONBLOCK);
    close(fd);
    umask(mask);
    unlink(a.u.un.sun_path);
}

static void test_listen_unix_stale(void **state)
{
    struct listen_options opt = {0};
    struct addr a;
    char why[200];
    path_in_dir(&a, "stale");
    int fd = listen_why(&a, &opt, why);
    assert_true(fd >= 0);
    assert_int_equal(listen_why(&a, &opt, why), -1); /* it answers */
    assert_int_equal(errno, EADDRINUSE);
    assert_string_equal(why, "address already in use by another program");
    close(fd);
    fd = listen_why(&a, &opt, why); /* nobody does */
    assert_true(fd >= 0);
    close(fd);

    /* A full backlog is an answer, too. */
    unlink(a.u.un.sun_path);
    struct addr at = a;
    fd = listen_on(&at, 0);
    int client = socket(AF_UNIX, SOCK_STREAM, 0);
    assert_int_equal(connect(client, &a.u.sa, a.len), 0);
    assert_int_equal(listen_why(&a, &opt, why), -1);
    assert_int_equal(errno, EADDRINUSE);
    close(client);
    close(fd);
    unlink(a.u.un.sun_path);
}

static void test_remove_stale(void **state)
{
    struct listen_options opt = {0};
    struct addr a, port;
    struct stat st;
    char why[200];
    path_in_dir(&a, "gone");
    int fd = listen_why(&a, &opt, why);
    assert_true(fd >= 0);
    socket_remove_stale(&a);
    assert_int_equal(lstat(a.u.un.sun_path, &st), 0); /* somebody answers there */
    close(fd);
    socket_remove_stale(&a);
    assert_int_equal(lstat(a.u.un.sun_path, &st), -1);
    socket_remove_stale(&a); /* nothing is left to do */

    fd = open(a.u.un.sun_path, O_CREAT | O_WRONLY, 0600);
    close(fd);
    socket_remove_stale(&a); /* no socket */
    assert_int_equal(unlink(a.u.un.sun_path), 0);
    assert_true(addr_parse_ip(SLICE("127.0.0.1"), 9, &port));
    socket_remove_stale(&port);
}

static void test_listen_unix_refusals(void **state)
{
    struct listen_options opt = {0};
    struct addr a;
    char why[200];
    struct stat st;
    path_in_dir(&a, "file");
    int fd = open(a.u.un.sun_path, O_CREAT | O_WRONLY, 0600);
    close(fd);
    assert_int_equal(listen_why(&a, &opt, why), -1);
    assert_string_equal(why, "a file that is not a socket stands there; it is left alone");
    assert_int_equal(stat(a.u.un.sun_path, &st), 0);
    unlink(a.u.un.sun_path);

    /* A socket of another type is somebody's. */
    fd = socket(AF_UNIX, SOCK_DGRAM, 0);
    assert_int_equal(bind(fd, &a.u.sa, a.len), 0);
    assert_int_equal(listen_why(&a, &opt, why), -1);
    assert_string_equal(why, "address already in use by another program");
    close(fd);
    unlink(a.u.un.sun_path);

    path_in_dir(&a, "no/such");
    assert_int_equal(listen_why(&a, &opt, why), -1);
    assert_string_equal(why, "the directory of the socket does not exist");
}

static void test_listen_abstract(void **state)
{
    struct listen_options opt = {0};
    struct addr a;
    char why[200];
    memset(&a, 0, sizeof(a));
    a.u.un.sun_family = AF_UNIX;
    int n = snprintf(a.u.un.sun_path + 1, 50, "wsbridge-test-%d", (int)getpid());
    a.len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)n);
    int fd = listen_why(&a, &opt, why);
    assert_true(fd >= 0);
    assert_int_equal(listen_why(&a, &opt, why), -1);
    assert_int_equal(errno, EADDRINUSE);
    close(fd);
}

/* --- the listener --------------------------------------------------------------------------------------------------
 */

struct host {
    struct listener_owner owner;
    struct listener *l;
    int fds[CLIENTS_MAX];
    int accepted, paused, resumed, err;
    int pause_at; /* pauses itself after so many */
    int free_at;  /* frees itself after so many */
};

static void on_accepted(struct listener_owner *o, int fd, const struct addr *peer)
{
    struct host *h = container_of(o, struct host, owner);
    assert_int_equal(peer->u.sa.sa_family, AF_INET);
    assert_true(fcntl(fd, F_GETFL) & O_NONBLOCK);
    assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
    h->fds[h->accepted++] = fd;
    if (h->accepted == h->pause_at)
        listener_pause(h->l, true);
    if (h->accepted == h->free_at)
        listener_free(h->l);
}

static void on_paused(struct listener_owner *o, int err)
{
    struct host *h = container_of(o, struct host, owner);
    h->paused++;
    h->err = err;
}

static void on_resumed(struct listener_owner *o)
{
    container_of(o, struct host, owner)->resumed++;
}

struct fixture {
    struct bench b;
    struct host h;
    struct addr a;
    int clients[CLIENTS_MAX];
    int n;
};

static void begin(struct fixture *f)
{
    memset(f, 0, sizeof(*f));
    bench_init(&f->b);
    f->h.owner = (struct listener_owner){on_accepted, on_paused, on_resumed};
    addr_v4(&f->a, "127.0.0.1", 0);
    f->h.l = listener_new(f->b.loop, listen_on(&f->a, CLIENTS_MAX), &f->h.owner);
    assert_non_null(f->h.l);
}

static void call(struct fixture *f, int n)
{
    while (n--) {
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        assert_true(fd >= 0);
        assert_int_equal(connect(fd, &f->a.u.sa, f->a.len), 0);
        f->clients[f->n++] = fd;
    }
}

static void hang_up(struct fixture *f)
{
    for (int i = 0; i < f->n; i++)
        close(f->clients[i]);
    for (int i = 0; i < f->h.accepted; i++)
        close(f->h.fds[i]);
    bench_fini(&f->b);
}

static void test_accepts_in_batches(void **state)
{
    struct fixture f;
    begin(&f);
    call(&f, 100);
    int before = 0, most = 0, turns = 0;
    while (f.h.accepted < 100) {
        loop_turn(f.b.loop);
        most = MAX_OF(most, f.h.accepted - before);
        before = f.h.accepted;
        assert_true(++turns < 50);
    }
    assert_int_equal(most, LISTENER_BATCH); /* grows to it, and not beyond */
    loop_turn(f.b.loop);
    assert_int_equal(f.h.accepted, 100);
    call(&f, 1);
    loop_turn(f.b.loop);
    assert_int_equal(f.h.accepted, 101);
    listener_free(f.h.l);
    hang_up(&f);
}

static void test_owner_pauses(void **state)
{
    struct fixture f;
    begin(&f);
    f.h.pause_at = 3;
    call(&f, 10);
    for (int i = 0; i < 10; i++)
        loop_turn(f.b.loop);
    assert_int_equal(f.h.accepted, 3);
    listener_kick(f.h.l); /* does not overrule the owner */
    bench_run(&f.b, 0.01);
    assert_int_equal(f.h.accepted, 3);
    assert_int_equal(f.h.paused, 0); /* that is for need */
    listener_pause(f.h.l, false);
    WAIT_FOR(&f.b, f.h.accepted == 10);
    listener_free(f.h.l);
    hang_up(&f);
}

/* No descriptor is left: says so once, does not spin, and goes on by itself. */
static void test_descriptor_limit(void **state)
{
    struct fixture f;
    struct rlimit old, low;
    begin(&f);
    call(&f, 4);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
    int next = dup(0);
    close(next);
    low = old;
    low.rlim_cur = (rlim_t)next + 2; /* room for two */
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
    WAIT_FOR(&f.b, f.h.paused == 1);
    assert_int_equal(f.h.accepted, 2);
    assert_int_equal(f.h.err, EMFILE);
    unsigned from = ev_iteration(loop_ev(f.b.loop));
    bench_run(&f.b, 0.35);
    assert_true(ev_iteration(loop_ev(f.b.loop)) - from < 20);
    assert_int_equal(f.h.paused, 1);
    assert_int_equal(f.h.resumed, 0);

    assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
    WAIT_FOR(&f.b, f.h.accepted == 4);
    assert_int_equal(f.h.resumed, 1);

    /* Again, and a kick makes it sooner than the timer would. */
    next = dup(0);
    close(next);
    call(&f, 1);
    low.rlim_cur = (rlim_t)next + 1; /* that was the client's own */
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
    WAIT_FOR(&f.b, f.h.paused == 2);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
    listener_kick(f.h.l);
    assert_int_equal(f.h.resumed, 1); /* by the loop, not here */
    loop_turn(f.b.loop);
    assert_int_equal(f.h.resumed, 2);
    assert_int_equal(f.h.accepted, 5);
    listener_free(f.h.l);
    hang_up(&f);
}

static void test_free_drains(void **state)
{
    struct fixture f;
    begin(&f);
    call(&f, 40);
    listener_free(f.h.l);
    assert_int_equal(f.h.accepted, 40);
    loop_turn(f.b.loop);
    hang_up(&f);

    begin(&f);
    f.h.free_at = 2; /* from inside accepted */
    call(&f, 40);
    for (int i = 0; i < 4; i++)
        loop_turn(f.b.loop);
    assert_int_equal(f.h.accepted, 40);
    hang_up(&f);
}

static int make_dir(void **state)
{
    return mkdtemp(dir) ? 0 : -1;
}

static int drop_dir(void **state)
{
    return rmdir(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_listen_tcp),           cmocka_unit_test(test_listen_v6_only),
        cmocka_unit_test(test_listen_privileged),    cmocka_unit_test(test_listen_unix_mode),
        cmocka_unit_test(test_listen_unix_stale),    cmocka_unit_test(test_remove_stale),
        cmocka_unit_test(test_listen_unix_refusals), cmocka_unit_test(test_listen_abstract),
        cmocka_unit_test(test_accepts_in_batches),   cmocka_unit_test(test_owner_pauses),
        cmocka_unit_test(test_descriptor_limit),     cmocka_unit_test(test_free_drains),
    };
    return cmocka_run_group_tests(tests, make_dir, drop_dir);
}
