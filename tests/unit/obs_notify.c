/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the wsbridge authors */
/*
 * What the service manager hears, on a path and on an abstract name.
 */
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "obs/notify.h"

static int manager(const char *name)
{
    struct addr a;
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0);

    assert_true(addr_parse_unix(slice_of(name), &a));
    assert_true(fd >= 0);
    assert_int_equal(bind(fd, &a.u.sa, a.len), 0);
    return fd;
}

static const char *heard(int fd)
{
    static char buf[2048];
    ssize_t n = recv(fd, buf, sizeof(buf) - 1, 0);

    buf[n < 0 ? 0 : n] = '\0';
    return buf;
}

static void speaks_to(const char *name)
{
    struct notify n;
    unsigned long long usec;
    char big[3000];
    int fd = manager(name);

    setenv("NOTIFY_SOCKET", name, 1);
    notify_init(&n);
    assert_null(getenv("NOTIFY_SOCKET"));
    assert_true(notify_ready(&n, "2 listeners"));
    assert_string_equal(heard(fd), "READY=1\nSTATUS=2 listeners\n");
    assert_true(notify_ready(&n, NULL));
    assert_string_equal(heard(fd), "READY=1\n");
    assert_true(notify_reloading(&n));
    assert_int_equal(sscanf(heard(fd), "RELOADING=1\nMONOTONIC_USEC=%llu\n", &usec), 1);
    assert_true(usec > 0);
    assert_true(notify_status(&n, "a\nREADY=0"));
    assert_string_equal(heard(fd), "STATUS=a READY=0\n");
    assert_true(notify_watchdog(&n));
    assert_string_equal(heard(fd), "WATCHDOG=1\n");
    assert_true(notify_stopping(&n, "draining"));
    assert_string_equal(heard(fd), "STOPPING=1\nSTATUS=draining\n");
    assert_true(notify_main_pid(&n, 77));
    assert_string_equal(heard(fd), "MAINPID=77\n");
    memset(big, 'x', sizeof(big));
    big[sizeof(big) - 1] = '\0';
    assert_true(notify_status(&n, big)); /* cut, not refused */
    assert_int_equal(strlen(heard(fd)), 1023);
    close(fd);
    assert_false(notify_watchdog(&n)); /* the manager is gone: said, not fatal */
    notify_fini(&n);
}

static void speaks_on_both_kinds(void **state)
{
    char name[64];

    snprintf(name, sizeof(name), "@wsbridge-notify-%d", (int)getpid());
    speaks_to(name);
    snprintf(name, sizeof(name), "/tmp/wsbridge-notify-%d", (int)getpid());
    speaks_to(name);
    unlink(name);
}

static void is_silent_without_manager(void **state)
{
    static const char *const none[] = {NULL, "", "vsock:2:1234", "relative", "@"};
    struct notify n;

    for (size_t i = 0; i < ARRAY_LEN(none); i++) {
        none[i] ? setenv("NOTIFY_SOCKET", none[i], 1) : unsetenv("NOTIFY_SOCKET");
        setenv("WATCHDOG_USEC", "1000000", 1);
        notify_init(&n);
        assert_int_equal(n.fd, -1);
        assert_int_equal(n.watchdog_ns, 0);
        assert_true(notify_ready(&n, "x"));
        notify_fini(&n);
    }
}

static void reads_the_watchdog(void **state)
{
    char pid[32];
    struct notify n;

    snprintf(pid, sizeof(pid), "%d", (int)getpid());
    const struct {
        const char *usec, *pid;
        uint64_t ns;
    } rows[] = {
        {"30000000", NULL, 15000000000u},
        {"30000000", pid, 15000000000u},
        {"30000000", "1", 0},
        {"x", NULL, 0},
        {"-1", NULL, 0},
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        setenv("NOTIFY_SOCKET", "/nowhere", 1);
        setenv("WATCHDOG_USEC", rows[i].usec, 1);
        rows[i].pid ? setenv("WATCHDOG_PID", rows[i].pid, 1) : unsetenv("WATCHDOG_PID");
        notify_init(&n);
        assert_int_equal(n.watchdog_ns, rows[i].ns);
        assert_null(getenv("WATCHDOG_USEC"));
        assert_null(getenv("WATCHDOG_PID"));
        notify_fini(&n);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(speaks_on_both_kinds),
        cmocka_unit_test(is_silent_without_manager),
        cmocka_unit_test(reads_the_watchdog),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
