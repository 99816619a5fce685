/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the wsbridge authors */
/*
 * The admin socket: addresses that it takes, requests in every cut, and clients that do not do their part.
 */
#include "unit.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "app/admin.h"

#define LARGE ((size_t)4 << 20)

struct rig {
    char dir[32];
    char path[64];
    char address[80];
    struct loop *loop;
    struct admin admin;
    unsigned ran;
};

static void run_hello(struct admin *a, const struct admin_peer *peer, struct slice args, FILE *answer)
{
    container_of(a, struct rig, admin)->ran++;
    assert_true(peer->known);
    assert_int_equal(peer->pid, getpid());
    fprintf(answer, "ok\nhello <" SLICE_FMT ">\n", SLICE_ARG(args));
}

static void run_large(struct admin *a, const struct admin_peer *peer, struct slice args, FILE *answer)
{
    for (size_t i = 0; i < LARGE; i++)
        fputc('x', answer);
}

static const struct admin_command commands[] = {{"hello", run_hello}, {"large", run_large}};

static int set_up(void **state)
{
    struct rig *r = calloc(1, sizeof *r);
    struct admin_settings s = {.address = r->address, .mode = 0640};
    const char *help;

    snprintf(r->dir, sizeof r->dir, "/tmp/app_admin.XXXXXX");
    assert_non_null(mkdtemp(r->dir));
    snprintf(r->path, sizeof r->path, "%s/s", r->dir);
    snprintf(r->address, sizeof r->address, "unix:%s", r->path);
    assert_null(admin_address_parse(r->address, &s.addr, &help));
    r->loop = loop_new();
    assert_int_equal(admin_open(&r->admin, r->loop, NULL, &s, (struct admin_commands){ARRAY_LEN(commands), commands}),
                     0);
    *state = r;
    return 0;
}

static int tear_down(void **state)
{
    struct rig *r = *state;

    admin_close(&r->admin);
    admin_close(&r->admin); /* does nothing */
    loop_free(r->loop);
    assert_int_equal(access(r->path, F_OK), -1);
    assert_int_equal(rmdir(r->dir), 0);
    free(r);
    return 0;
}

static int client(struct rig *r)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    assert_true(fd >= 0);
    assert_int_equal(connect(fd, &r->admin.addr.u.sa, r->admin.addr.len), 0);
    return fd;
}

static void turns(struct rig *r, int n)
{
    while (n-- > 0)
        loop_turn(r->loop);
}

static void put(int fd, struct slice s)
{
    assert_int_equal(send(fd, s.p, s.n, MSG_NOSIGNAL), s.n);
}

/* Everything until the end; closes. */
static const char *take(struct rig *r, int fd, char *buf, size_t cap)
{
    size_t n = 0;

    for (int i = 0; i < 1000; i++) {
        ssize_t got = recv(fd, buf + n, cap - 1 - n, 0);
        if (got == 0) {
            close(fd);
            buf[n] = '\0';
            return buf;
        }
        if (got < 0)
            assert_int_equal(errno, EAGAIN);
        n += got > 0 ? (size_t)got : 0;
        loop_turn(r->loop);
    }
    fail_msg("the answer has no end");
    return NULL;
}

static void asks(struct rig *r, struct slice request, const char *want)
{
    char buf[2048];
    int fd = client(r);

    put(fd, request);
    assert_string_equal(take(r, fd, buf, sizeof buf), want);
}

static void commands_and_arguments(void **state)
{
    struct rig *r = *state;

    asks(r, SLICE("hello\n"), "ok\nhello <>\n");
    asks(r, SLICE("  hello  \n"), "ok\nhello <>\n");
    asks(r, SLICE("hello  a b \n"), "ok\nhello <a b>\n");
    asks(r, SLICE("hello\nhello\n"), "ok\nhello <>\n");
    assert_int_equal(r->ran, 4);
}

static void unknown_commands_are_escaped(void **state)
{
    struct rig *r = *state;

    asks(r, SLICE("hell\n"), "error: unknown command \"hell\"; known: hello, large\n");
    asks(r, SLICE("\n"), "error: unknown command \"\"; known: hello, large\n");
    asks(r, SLICE("a\"b\x1b[2J\r\n"), "error: unknown command \"a\\\"b\\x1b[2J\\r\"; known: hello, large\n");
    asks(r, SLICE("hello\0x\n"), "error: unknown command \"hello\\x00x\"; known: hello, large\n");
    asks(r, SLICE("\xff\xfe\n"), "error: unknown command \"\\xff\\xfe\"; known: hello, large\n");
}

static void in_single_bytes(void **state)
{
    struct rig *r = *state;
    char buf[256];
    int fd = client(r);

    for (const char *p = "hello 1\n"; *p; p++) {
        turns(r, 2);
        assert_int_equal(r->ran, 0);
        put(fd, (struct slice){p, 1});
    }
    assert_string_equal(take(r, fd, buf, sizeof buf), "ok\nhello <1>\n");
}

static void the_longest_line_and_one_more(void **state)
{
    struct rig *r = *state;
    char line[ADMIN_REQUEST_MAX + 1];
    char buf[2048];
    int fd;

    memset(line, ' ', sizeof line);
    memcpy(line, "hello", 5);
    line[ADMIN_REQUEST_MAX - 1] = '\n';
    asks(r, (struct slice){line, ADMIN_REQUEST_MAX}, "ok\nhello <>\n");
    line[ADMIN_REQUEST_MAX - 1] = ' ';
    line[ADMIN_REQUEST_MAX] = '\n';
    asks(r, (struct slice){line, sizeof line}, "error: the request is too long\n");
    fd = client(r);
    for (int i = 0; i < 100; i++)
        put(fd, (struct slice){line, 200});
    assert_string_equal(take(r, fd, buf, sizeof buf), "error: the request is too long\n");
}

static void half_a_line_and_its_end(void **state)
{
    struct rig *r = *state;
    char buf[256];
    int fd = client(r);

    put(fd, SLICE("hello"));
    assert_int_equal(shutdown(fd, SHUT_WR), 0);
    assert_string_equal(take(r, fd, buf, sizeof buf), "error: the request does not end with a line feed\n");
    fd = client(r);
    assert_int_equal(shutdown(fd, SHUT_WR), 0);
    assert_string_equal(take(r, fd, buf, sizeof buf), "");
    assert_int_equal(r->ran, 0);
}

static void who_goes_away_harms_nothing(void **state)
{
    struct rig *r = *state;
    static const struct slice said[] = {{"", 0}, {"hel", 3}, {"hello\n", 6}, {"large\n", 6}};

    for (size_t i = 0; i < ARRAY_LEN(said); i++)
        for (int before = 0; before < 2; before++) {
            int fd = client(r);
            if (said[i].n)
                put(fd, said[i]);
            turns(r, before ? 3 : 0);
            close(fd);
            turns(r, 5);
            assert_int_equal(r->admin.n_conns, 0);
        }
    asks(r, SLICE("hello\n"), "ok\nhello <>\n");
}

static void a_slow_reader_gets_it_all_and_holds_up_nobody(void **state)
{
    struct rig *r = *state;
    char *buf = malloc(LARGE + 1);
    int fd = client(r);

    put(fd, SLICE("large\n"));
    turns(r, 10);
    assert_int_equal(r->admin.n_conns, 1);
    asks(r, SLICE("hello\n"), "ok\nhello <>\n");
    assert_int_equal(strlen(take(r, fd, buf, LARGE + 1)), LARGE);
    free(buf);
}

static void more_than_sixteen_wait(void **state)
{
    struct rig *r = *state;
    char buf[256];
    int fds[ADMIN_CONNS_MAX + 4];

    for (size_t i = 0; i < ARRAY_LEN(fds); i++) {
        fds[i] = client(r);
        turns(r, 3);
    }
    assert_int_equal(r->admin.n_conns, ADMIN_CONNS_MAX);
    for (size_t i = 0; i < ARRAY_LEN(fds); i++)
        put(fds[i], SLICE("hello\n"));
    for (size_t i = 0; i < ARRAY_LEN(fds); i++)
        assert_string_equal(take(r, fds[i], buf, sizeof buf), "ok\nhello <>\n");
    turns(r, 3);
    assert_int_equal(r->admin.n_conns, 0);
}

static void closing_ends_all(void **state)
{
    struct rig *r = *state;
    char buf[256];
    int in = client(r);
    int queued;

    turns(r, 3);
    queued = client(r);
    admin_close(&r->admin);
    assert_string_equal(take(r, in, buf, sizeof buf), "");
    assert_string_equal(take(r, queued, buf, sizeof buf), "");
}

static void the_file(void **state)
{
    struct rig *r = *state;
    struct stat st;
    struct admin other = {0};
    struct admin_settings s = {.address = r->address, .addr = r->admin.addr, .mode = 0600};

    assert_int_equal(stat(r->path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0640);
    assert_int_equal(admin_open(&other, r->loop, NULL, &s, (struct admin_commands){0}), -1);
    admin_close(&other);
    asks(r, SLICE("hello\n"), "ok\nhello <>\n");
}

static void addresses(void **state)
{
    static const char *const bad[] = {"",       "127.0.0.1:80", "6080",  "unix:", "unix:a/b", "unix:@name",
                                      "/run/x", "unix: /",      "tcp:x", "unix",  "UNIX:/x",  "systemd:a"};
    char text[200];
    struct addr a;
    const char *help;

    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        help = NULL;
        if (!admin_address_parse(bad[i], &a, &help))
            fail_msg("\"%s\" was taken", bad[i]);
        assert_non_null(help);
    }
    assert_null(admin_address_parse("unix:/run/wsbridge/admin.sock", &a, &help));
    memset(text, 'x', sizeof text);
    memcpy(text, "unix:/", 6);
    text[5 + 107] = '\0';
    assert_null(admin_address_parse(text, &a, &help));
    text[5 + 107] = 'x';
    text[5 + 108] = '\0';
    assert_non_null(admin_address_parse(text, &a, &help));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(commands_and_arguments, set_up, tear_down),
        cmocka_unit_test_setup_teardown(unknown_commands_are_escaped, set_up, tear_down),
        cmocka_unit_test_setup_teardown(in_single_bytes, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_longest_line_and_one_more, set_up, tear_down),
        cmocka_unit_test_setup_teardown(half_a_line_and_its_end, set_up, tear_down),
        cmocka_unit_test_setup_teardown(who_goes_away_harms_nothing, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_slow_reader_gets_it_all_and_holds_up_nobody, set_up, tear_down),
        cmocka_unit_test_setup_teardown(more_than_sixteen_wait, set_up, tear_down),
        cmocka_unit_test_setup_teardown(closing_ends_all, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_file, set_up, tear_down),
        cmocka_unit_test(addresses),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
