/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the wsbridge authors */
/*
 * See admin.h. A connection reads until the line feed, is answered from memory as fast as the client takes it, and
 * goes:
 *
 *     READING --line, too long, or half a line and its end--> ANSWERING --all is sent--> gone
 *        '---------------- deadline, failure, nothing was said ------------------------> gone
 *
 * What a command says is made whole before the first byte of it leaves: no client holds anything up.
 */
#include "app/admin.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

struct admin_conn {
    struct list link;
    struct admin *admin;
    struct fd_watch watch;
    struct timer deadline;
    struct loop_task reap;
    size_t n;
    char line[ADMIN_REQUEST_MAX];
    char *answer; /* NULL: READING */
    size_t answer_n;
    size_t sent;
};

/* --- a request -------------------------------------------------------------------------------------------------------
 */

static void say_unknown(const struct admin_commands *commands, struct slice name, FILE *answer)
{
    char text[4 * ADMIN_REQUEST_MAX + 3];
    struct strbuf b;

    strbuf_init(&b, text, sizeof text);
    log_escape_text(&b, name);
    fprintf(answer,
            text[0] == '"' ? "error: unknown command %s; known: " : "error: unknown command \"%s\"; known: ", text);
    for (size_t i = 0; i < commands->n; i++)
        fprintf(answer, "%s%s", i ? ", " : "", commands->v[i].name);
    fputc('\n', answer);
}

void admin_run(struct admin *a, const struct admin_peer *peer, struct slice line, FILE *answer)
{
    struct slice args = slice_trim(line);
    struct slice name = {0};

    (void)slice_cut(&args, ' ', &name);
    for (size_t i = 0; i < a->commands.n; i++)
        if (slice_eq(name, slice_of(a->commands.v[i].name))) {
            a->commands.v[i].run(a, peer, slice_trim(args), answer);
            return;
        }
    say_unknown(&a->commands, name, answer);
}

static struct admin_peer peer_of(int fd)
{
    struct ucred who;
    socklen_t n = sizeof who;

    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &n) != 0)
        return (struct admin_peer){0};
    return (struct admin_peer){.known = true, .pid = who.pid, .uid = who.uid};
}

/* --- a connection ----------------------------------------------------------------------------------------------------
 */

static void conn_reap(struct loop_task *t)
{
    struct admin_conn *c = container_of(t, struct admin_conn, reap);

    free(c->answer);
    free(c);
}

/* What was sent and not read would turn our close into a reset, which may come to the client before the end of the
 * answer does. */
static void read_away(int fd)
{
    char buf[4096];

    for (int i = 0; i < 16 && recv(fd, buf, sizeof buf, MSG_DONTWAIT) > 0; i++)
        continue;
}

static void conn_end(struct admin_conn *c)
{
    struct admin *a = c->admin;
    int fd = c->watch.w.fd;

    timer_cancel(&c->deadline);
    fd_watch_want(&c->watch, 0);
    read_away(fd);
    close(fd);
    list_remove(&c->link);
    if (a->n_conns-- == ADMIN_CONNS_MAX && !a->closing)
        listener_pause(a->listener, false);
    loop_reap(a->loop, &c->reap);
}

static void send_answer(struct admin_conn *c)
{
    while (c->sent < c->answer_n) {
        ssize_t n = send(c->watch.w.fd, c->answer + c->sent, c->answer_n - c->sent, MSG_NOSIGNAL | MSG_DONTWAIT);

        if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
            fd_watch_want(&c->watch, STREAM_WRITE);
            return;
        }
        if (n <= 0)
            break;
        c->sent += (size_t)n;
    }
    conn_end(c);
}

/* `line`: the request; without one (p NULL) `wrong` is the answer. */
static void answer(struct admin_conn *c, struct slice line, const char *wrong)
{
    struct admin_peer peer = peer_of(c->watch.w.fd);
    FILE *f = open_memstream(&c->answer, &c->answer_n);

    if (!f) {
        conn_end(c);
        return;
    }
    if (line.p)
        admin_run(c->admin, &peer, line, f);
    else
        fprintf(f, "error: %s\n", wrong);
    if (fclose(f) != 0) { /* out of memory: half an answer would be taken for a whole one */
        c->answer_n = 0;
        conn_end(c);
        return;
    }
    timer_set(&c->deadline, ADMIN_SECONDS);
    send_answer(c);
}

static void read_request(struct admin_conn *c)
{
    ssize_t n = recv(c->watch.w.fd, c->line + c->n, sizeof c->line - c->n, MSG_DONTWAIT);
    char *end;

    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n < 0 || (n == 0 && c->n == 0)) {
        conn_end(c);
        return;
    }
    end = memchr(c->line + c->n, '\n', (size_t)n);
    c->n += (size_t)n;
    if (end)
        answer(c, (struct slice){c->line, (size_t)(end - c->line)}, NULL);
    else if (n == 0)
        answer(c, (struct slice){0}, "the request does not end with a line feed");
    else if (c->n == sizeof c->line)
        answer(c, (struct slice){0}, "the request is too long");
}

static void conn_ready(struct fd_watch *w, unsigned dirs)
{
    struct admin_conn *c = container_of(w, struct admin_conn, watch);

    if (c->answer)
        send_answer(c);
    else
        read_request(c);
}

static void conn_deadline(struct timer *t)
{
    struct admin_conn *c = container_of(t, struct admin_conn, deadline);

    if (c->answer)
        conn_end(c);
    else
        answer(c, (struct slice){0}, "no request came in time");
}

static void accepted(struct listener_owner *o, int fd, const struct addr *peer)
{
    struct admin *a = container_of(o, struct admin, owner);
    struct admin_conn *c = a->closing || a->n_conns == ADMIN_CONNS_MAX ? NULL : calloc(1, sizeof *c);

    if (!c) {
        close(fd);
        return;
    }
    c->admin = a;
    list_push_back(&a->conns, &c->link);
    loop_task_init(&c->reap, conn_reap);
    timer_init(&c->deadline, a->loop, conn_deadline);
    timer_set(&c->deadline, ADMIN_SECONDS);
    fd_watch_init(&c->watch, a->loop, fd, conn_ready);
    fd_watch_want(&c->watch, STREAM_READ);
    if (++a->n_conns == ADMIN_CONNS_MAX)
        listener_pause(a->listener, true);
}

/* --- the socket ------------------------------------------------------------------------------------------------------
 */

static void paused(struct listener_owner *o, int err)
{
    log_event(container_of(o, struct admin, owner)->log, LOG_WARN, "admin_paused", KV("why", strerrordesc_np(err)));
}

static void resumed(struct listener_owner *o)
{
    struct admin *a = container_of(o, struct admin, owner);

    log_event(a->log, LOG_INFO, "admin_resumed", KV_U("connections", a->n_conns));
}

int admin_open(struct admin *a, struct loop *l, struct log *log, const struct admin_settings *s,
               struct admin_commands commands)
{
    const struct listen_options opt = {.has_mode = true, .mode = s->mode};
    char why[256];
    int fd = socket_listen(&s->addr, &opt, why, sizeof why);

    if (fd < 0) {
        fprintf(stderr, "wsbridge: cannot open the admin socket %s: %s\n", s->address, why);
        return -1;
    }
    a->loop = l;
    a->log = log;
    a->commands = commands;
    a->addr = s->addr;
    a->owner = (struct listener_owner){.accepted = accepted, .paused = paused, .resumed = resumed};
    list_init(&a->conns);
    a->listener = listener_new(l, fd, &a->owner);
    if (a->listener)
        return 0;
    socket_remove_stale(&s->addr);
    fprintf(stderr, "wsbridge: out of memory at start\n");
    return -1;
}

void admin_close(struct admin *a)
{
    if (!a->listener)
        return;
    a->closing = true;
    listener_free(a->listener);
    while (!list_empty(&a->conns))
        conn_end(container_of(a->conns.next, struct admin_conn, link));
    socket_remove_stale(&a->addr);
    a->listener = NULL;
}
