/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the wsbridge authors */
/*
 * Sockets handed in: the three variables, and real descriptors in a child process, where the numbers are ours to
 * choose.
 */
#include "unit.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "net/handed.h"

static int parse(const char *pid, const char *fds, const char *names, size_t *n, char (**out)[HANDED_NAME_MAX])
{
    static char mem[200];
    struct strbuf why;
    int rc;

    strbuf_init(&why, mem, sizeof(mem));
    rc = handed_parse(pid, fds, names, 42, n, out, &why);
    assert_true((rc < 0) == (why.n > 0));
    return rc;
}

static void reads_the_variables(void **state)
{
    char(*names)[HANDED_NAME_MAX];
    size_t n;

    assert_int_equal(parse(NULL, NULL, NULL, &n, &names), 0);
    assert_int_equal(n, 0);
    assert_int_equal(parse("42", NULL, NULL, &n, &names), 0);
    assert_int_equal(n, 0);
    assert_int_equal(parse("41", "2", NULL, &n, &names), 0); /* for another process */
    assert_int_equal(n, 0);
    assert_int_equal(parse("42", "0", "", &n, &names), 0);
    assert_int_equal(n, 0);

    assert_int_equal(parse("42", "2", NULL, &n, &names), 0);
    assert_int_equal(n, 2);
    assert_string_equal(names[1], "unknown");
    free(names);

    assert_int_equal(parse("42", "3", "web::web", &n, &names), 0);
    assert_int_equal(n, 3);
    assert_string_equal(names[0], "web");
    assert_string_equal(names[1], "");
    assert_string_equal(names[2], "web");
    free(names);
}

static void refuses_what_cannot_be(void **state)
{
    static const char *const rows[][3] = {
        {"x", "1", NULL},   {"42 ", "1", NULL},  {"-42", "1", NULL}, {"42", "", NULL},
        {"42", "-1", NULL}, {"42", "257", NULL}, {"42", "1x", NULL}, {"42", "1", "a:b"},
        {"42", "3", "a:b"}, {"42", "2", ""},     {"", "1", NULL},
    };
    char(*names)[HANDED_NAME_MAX];
    char longest[600];
    size_t n;

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        if (parse(rows[i][0], rows[i][1], rows[i][2], &n, &names) != -1)
            fail_msg("row %zu was accepted", i);
        assert_null(names);
        assert_int_equal(n, 0);
    }
    memset(longest, 'n', sizeof(longest));
    longest[256] = '\0';
    assert_int_equal(parse("42", "1", longest, &n, &names), -1);
    longest[255] = '\0';
    assert_int_equal(parse("42", "1", longest, &n, &names), 0);
    free(names);
}

#define MUST(cond)                                                                                                     \
    do {                                                                                                               \
        if (!(cond)) {                                                                                                 \
            fprintf(stderr, "child: line %d: %s\n", __LINE__, #cond);                                                  \
            _exit(1);                                                                                                  \
        }                                                                                                              \
    } while (0)

static int bound(const char *text, bool is_unix)
{
    struct addr a;
    int fd;

    MUST(is_unix ? addr_parse_unix(slice_of(text), &a) : addr_parse_ip_port(slice_of(text), &a));
    fd = socket(a.u.sa.sa_family, SOCK_STREAM, 0);
    MUST(fd >= 0 && bind(fd, &a.u.sa, a.len) == 0 && listen(fd, 1) == 0);
    return fd;
}

static void place(int fd, int at)
{
    MUST(dup2(fd, at) == at);
    if (fd != at)
        close(fd);
}

static void child(void)
{
    struct handed h;
    struct strbuf why;
    struct handed_fd *f;
    struct addr a;
    char mem[200];
    char name[64];
    char pid[32];
    size_t at = 0;
    int fds[4];
    int pair[2];

    snprintf(name, sizeof(name), "@wsbridge-handed-%d", (int)getpid());
    fds[0] = bound("127.0.0.1:0", false);
    fds[1] = bound("[::1]:0", false);
    fds[2] = bound(name, true);
    MUST(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0);
    fds[3] = pair[0];
    for (int i = 0; i < 4; i++) /* first out of the way, then to their places */
        place(fds[i], 50 + i);
    for (int i = 0; i < 4; i++)
        place(50 + i, 3 + i);
    snprintf(pid, sizeof(pid), "%d", (int)getpid());
    setenv("LISTEN_PID", pid, 1);
    setenv("LISTEN_FDS", "4", 1);
    setenv("LISTEN_FDNAMES", "web:web:local:conn", 1);

    strbuf_init(&why, mem, sizeof(mem));
    MUST(handed_init(&h, &why) == 0);
    MUST(!getenv("LISTEN_PID") && !getenv("LISTEN_FDS") && !getenv("LISTEN_FDNAMES"));
    MUST(h.n == 4);
    for (int i = 0; i < 4; i++)
        MUST(fcntl(3 + i, F_GETFD) & FD_CLOEXEC);
    f = handed_find(&h, "web", &at);
    MUST(f && f->fd == 3 && f->kind == HANDED_LISTENING && f->local.u.sa.sa_family == AF_INET);
    f = handed_find(&h, "web", &at);
    MUST(f && f->fd == 4 && f->local.u.sa.sa_family == AF_INET6);
    MUST(!handed_find(&h, "web", &at));
    at = 0;
    f = handed_find(&h, "conn", &at);
    MUST(f && f->kind == HANDED_CONNECTED);
    at = 0;
    MUST(!handed_find(&h, "other", &at));
    f = handed_find(&h, "2", &at);
    MUST(f && f->fd == 5 && !handed_find(&h, "2", &at));
    at = 0;
    MUST(!handed_find(&h, "4", &at));

    MUST(addr_parse_unix(slice_of(name), &a));
    f = handed_find_address(&h, &a);
    MUST(f && f->fd == 5);
    f->taken = true;
    MUST(!handed_find_address(&h, &a));
    a = h.v[1].local;
    MUST(handed_find_address(&h, &a)->fd == 4);
    a.u.in6.sin6_port ^= 1;
    MUST(!handed_find_address(&h, &a));

    MUST(handed_close_rest(&h) == 3);
    MUST(fcntl(5, F_GETFD) >= 0 && fcntl(3, F_GETFD) < 0 && fcntl(6, F_GETFD) < 0);
    handed_fini(&h);

    /* A promise that is not kept. */
    setenv("LISTEN_PID", pid, 1);
    setenv("LISTEN_FDS", "3", 1);
    MUST(handed_init(&h, &why) == -1 && strstr(mem, "descriptor 3"));
    MUST(!getenv("LISTEN_FDS"));
    handed_fini(&h);
    _exit(0);
}

static void takes_real_descriptors(void **state)
{
    int status;
    pid_t pid = fork();

    assert_true(pid >= 0);
    if (pid == 0)
        child();
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

static void describes(void **state)
{
    struct addr a;
    int fds[2];
    int udp = socket(AF_INET, SOCK_DGRAM, 0);

    assert_int_equal(pipe(fds), 0);
    assert_int_equal(handed_describe(fds[0], &a), HANDED_OTHER);
    assert_int_equal(a.len, 0);
    assert_int_equal(handed_describe(udp, NULL), HANDED_OTHER);
    close(fds[0]);
    close(fds[1]);
    close(udp);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_the_variables),
        cmocka_unit_test(refuses_what_cannot_be),
        cmocka_unit_test(takes_real_descriptors),
        cmocka_unit_test(describes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
