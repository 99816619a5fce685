/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the wsbridge authors */
/*
 * See admin_client.h. Of the configuration only `admin` is read: the rest may be what is wrong with it, which the
 * running process shall say, and may name keys that whoever asks must not read.
 */
#include "app/admin_client.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "app/admin.h"
#include "app/server.h"
#include "base/clock.h"

#define BUSY_MS 50 /* the kernel does not tell when a unix socket's queue has room again */

/* One question and what came of it. */
struct question {
    const char *address; /* as written */
    struct addr addr;
    uint64_t deadline; /* clock_mono_ns */
    int fd;
    char *answer; /* to be freed */
    size_t n;
};

/* --- where -----------------------------------------------------------------------------------------------------------
 */

static void put_error(void *arg, struct slice text)
{
    fwrite(text.p, 1, text.n, stderr);
}

static int from_admin(struct question *q, const char *text)
{
    const char *help;
    const char *why = admin_address_parse(text, &q->addr, &help);

    q->address = text;
    if (!why)
        return EXIT_OK;
    fprintf(stderr, "wsbridge: --admin %s: %s\n%s\n", text, why, help);
    return EXIT_USAGE;
}

static int from_root(struct question *q, struct cfg_load *load, const struct cfg_node *root, const char *file)
{
    const struct cfg_node *node = cfg_node_get(root, "admin");
    struct admin_settings s;

    if (!node) {
        fprintf(stderr,
                "wsbridge: %s has no `admin`, so whoever runs with it has no admin socket\n"
                "Add `admin: " ADMIN_ADDRESS "` and restart; or name the socket with --admin unix:/path.\n",
                file);
        return EXIT_RUNTIME;
    }
    cfg_read(load, &admin_table, node, &s);
    if (!s.addr.len)
        return EXIT_CONFIG;
    q->address = s.address;
    q->addr = s.addr;
    return EXIT_OK;
}

/* Strings of *q live in the arena. */
static int from_files(struct question *q, const struct cli *c, struct arena *a)
{
    struct cfg_load *load = cfg_load_new(a);
    const struct cfg_node *root;
    int rc = EXIT_CONFIG;

    if (!load) {
        fputs("wsbridge: out of memory\n", stderr);
        return EXIT_RUNTIME;
    }
    root = cfg_load_files(load, c->paths, c->source.n_paths);
    if (root)
        rc = from_root(q, load, root, c->paths[0]);
    if (rc == EXIT_CONFIG) {
        cfg_errors_print(load, false, put_error, NULL);
        fputs("wsbridge: the admin socket cannot be found this way: name it with --admin unix:/path\n", stderr);
    }
    cfg_load_free(load);
    return rc;
}

static int find(struct question *q, const struct cli *c, struct arena *a)
{
    if (c->admin)
        return from_admin(q, c->admin);
    if (c->source.n_paths)
        return from_files(q, c, a);
    return from_admin(q, ADMIN_ADDRESS);
}

/* --- asking ----------------------------------------------------------------------------------------------------------
 */

static int left_ms(const struct question *q)
{
    uint64_t now = clock_mono_ns();

    return now >= q->deadline ? 0 : (int)((q->deadline - now + 999999) / 1000000);
}

static int no_answer(const struct question *q, const char *why)
{
    fprintf(stderr,
            "wsbridge: no answer from %s: %s\n"
            "Is wsbridge running, and was `admin` in its configuration when it started? --admin unix:/path or -c FILE "
            "name another socket.\n",
            q->address, why);
    return EXIT_RUNTIME;
}

static int no_connection(const struct question *q, int err)
{
    if (err != EACCES && err != EPERM)
        return no_answer(q, err == ECONNREFUSED ? "nobody listens there any more" : strerrordesc_np(err));
    fprintf(stderr,
            "wsbridge: no permission to open %s\n"
            "Its mode (`admin`) says who may: try as root, as the user that wsbridge runs as, or from its group.\n",
            q->address);
    return EXIT_NO_PERMISSION;
}

static int open_socket(struct question *q)
{
    q->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (q->fd < 0)
        return no_answer(q, strerrordesc_np(errno));
    while (connect(q->fd, &q->addr.u.sa, q->addr.len) < 0) {
        int left = left_ms(q);

        if (errno == EINTR)
            continue;
        if (errno != EAGAIN)
            return no_connection(q, errno);
        if (left == 0)
            return no_answer(q, "too many others are asking");
        (void)poll(NULL, 0, MIN_OF(left, BUSY_MS));
    }
    return EXIT_OK;
}

/* A request fits into the socket's buffer: one that does not go out whole never will. */
static bool put_request(const struct question *q, struct slice request)
{
    return send(q->fd, request.p, request.n, MSG_NOSIGNAL) == (ssize_t)request.n;
}

/* Reads on to `f` until the end of the answer. False with errno; 0: the time is over. */
static bool take_answer(const struct question *q, FILE *f)
{
    struct pollfd p = {.fd = q->fd, .events = POLLIN};
    char buf[16384];

    for (;;) {
        ssize_t n = recv(q->fd, buf, sizeof buf, 0);
        int left = left_ms(q);

        if (n > 0)
            fwrite(buf, 1, (size_t)n, f);
        else if (n == 0)
            return true;
        else if (errno != EAGAIN && errno != EINTR)
            return false;
        errno = 0;
        if (left == 0)
            return false;
        if (n < 0)
            (void)poll(&p, 1, left);
    }
}

static int ask(struct question *q, struct slice request)
{
    int rc = open_socket(q);
    bool whole;
    FILE *f;

    if (rc != EXIT_OK)
        return rc;
    f = open_memstream(&q->answer, &q->n);
    if (!f)
        return no_answer(q, "out of memory");
    (void)put_request(q, request); /* what became of it shows in the answer */
    whole = take_answer(q, f);
    rc = errno;
    if (fclose(f) != 0)
        return no_answer(q, "out of memory");
    if (!whole)
        return no_answer(q, rc ? strerrordesc_np(rc) : "it took longer than 10 s");
    return q->n ? EXIT_OK : no_answer(q, "the connection was closed");
}

/* --- the answer ------------------------------------------------------------------------------------------------------
 */

static int print_answer(const struct question *q)
{
    struct slice rest = {q->answer, q->n};
    struct slice first;
    int rc = EXIT_RUNTIME;

    (void)slice_cut(&rest, '\n', &first);
    if (slice_eq(first, SLICE("ok"))) {
        fwrite(rest.p, 1, rest.n, stdout);
        return EXIT_OK;
    }
    if (slice_starts(first, SLICE(ADMIN_CONFIGURATION)))
        rc = EXIT_CONFIG;
    if (slice_starts(first, SLICE("error: ")))
        first = (struct slice){first.p + strlen("error: "), first.n - strlen("error: ")};
    fprintf(stderr, "wsbridge: " SLICE_FMT "\n", SLICE_ARG(first));
    fwrite(rest.p, 1, rest.n, stderr);
    return rc;
}

static struct slice request_of(const struct cli *c)
{
    if (c->action == CLI_RELOAD)
        return SLICE("reload\n");
    return c->json ? SLICE("status json\n") : SLICE("status\n");
}

int admin_client(const struct cli *c)
{
    struct question q = {.fd = -1, .deadline = clock_mono_ns() + ADMIN_CLIENT_SECONDS * UINT64_C(1000000000)};
    struct arena *a = arena_new(0);
    int rc = EXIT_RUNTIME;

    if (a)
        rc = find(&q, c, a);
    else
        fputs("wsbridge: out of memory\n", stderr);
    if (a && rc == EXIT_OK)
        rc = ask(&q, request_of(c));
    if (q.answer && rc == EXIT_OK)
        rc = print_answer(&q);
    if (q.fd >= 0)
        close(q.fd);
    free(q.answer);
    arena_free(a);
    return rc;
}
