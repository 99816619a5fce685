/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the wsbridge authors */
/*
 * The service manager's datagrams. Its socket may be a path or, with '@' in front, an abstract name.
 */
#include "obs/notify.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/strbuf.h"

/* Half of what systemd allows: the margin that sd_watchdog_enabled(3) recommends. */
static uint64_t watchdog_period(void)
{
    const char *usec = getenv("WATCHDOG_USEC");
    const char *pid = getenv("WATCHDOG_PID");
    uint64_t v;

    if (!usec || !slice_to_u64(slice_of(usec), UINT64_MAX / 1000, &v))
        return 0;
    if (pid) {
        uint64_t who;

        if (!slice_to_u64(slice_of(pid), INT32_MAX, &who) || (pid_t)who != getpid())
            return 0;
    }
    return v * 1000 / 2;
}

void notify_init(struct notify *n)
{
    const char *to = getenv("NOTIFY_SOCKET");

    *n = (struct notify){.fd = -1};
    if (to && (to[0] == '/' || to[0] == '@') && addr_parse_unix(slice_of(to), &n->to))
        n->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (n->fd >= 0)
        n->watchdog_ns = watchdog_period();
    unsetenv("NOTIFY_SOCKET");
    unsetenv("WATCHDOG_USEC");
    unsetenv("WATCHDOG_PID");
}

void notify_fini(struct notify *n)
{
    if (n->fd >= 0)
        close(n->fd);
    *n = (struct notify){.fd = -1};
}

static bool send_lines(const struct notify *n, const struct strbuf *b)
{
    ssize_t sent;

    if (n->fd < 0)
        return true;
    do
        sent = sendto(n->fd, b->p, b->n, MSG_NOSIGNAL | MSG_DONTWAIT, &n->to.u.sa, n->to.len);
    while (sent < 0 && errno == EINTR);
    return sent == (ssize_t)b->n;
}

/* A line break in the text would begin a variable of its own. */
static void put_status(struct strbuf *b, const char *status)
{
    if (!status)
        return;
    strbuf_str(b, "STATUS=");
    for (const char *p = status; *p; p++)
        strbuf_char(b, *p == '\n' ? ' ' : *p);
    strbuf_char(b, '\n');
}

static bool send_state(const struct notify *n, const char *state, const char *status)
{
    char mem[1024];
    struct strbuf b;

    strbuf_init(&b, mem, sizeof(mem));
    strbuf_str(&b, state);
    put_status(&b, status);
    return send_lines(n, &b);
}

bool notify_ready(const struct notify *n, const char *status)
{
    return send_state(n, "READY=1\n", status);
}

bool notify_reloading(const struct notify *n)
{
    char mem[128];
    struct strbuf b;

    strbuf_init(&b, mem, sizeof(mem));
    strbuf_printf(&b, "RELOADING=1\nMONOTONIC_USEC=%llu\n", (unsigned long long)(clock_mono_ns() / 1000));
    return send_lines(n, &b);
}

bool notify_stopping(const struct notify *n, const char *status)
{
    return send_state(n, "STOPPING=1\n", status);
}

bool notify_status(const struct notify *n, const char *status)
{
    return send_state(n, "", status);
}

bool notify_watchdog(const struct notify *n)
{
    return send_state(n, "WATCHDOG=1\n", NULL);
}

bool notify_main_pid(const struct notify *n, long pid)
{
    char mem[64];
    struct strbuf b;

    strbuf_init(&b, mem, sizeof(mem));
    strbuf_printf(&b, "MAINPID=%ld\n", pid);
    return send_lines(n, &b);
}
