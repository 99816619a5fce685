/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the wsbridge authors */
/*
 * wsload: options, the loop, the result. It talks to its driver in lines, so that CPU time and memory are read exactly
 * around the work:
 *
 *   listens on the backend port    -> "LISTEN"      <- a line (the proxy may be started after it)
 *   opens the sessions             -> "READY"       <- a line
 *   does the work                  -> one line of JSON   <- a line, or end of input
 *   leaves
 */
#include "load.h"

#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

enum { EVENTS = 512, AT_ONCE = 32, SCRATCH = 256 * 1024 };

uint64_t now_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

void fatal(const char *fmt, ...)
{
    va_list ap;

    fputs("wsload: ", stderr);
    va_start(ap, fmt);
    vfprintf(stderr, fmt, ap);
    va_end(ap);
    fputc('\n', stderr);
    exit(1);
}

static void say_and_wait(const char *line)
{
    char answer[64];

    printf("%s\n", line);
    fflush(stdout);
    if (!fgets(answer, sizeof(answer), stdin))
        exit(0);
}

static void turn(struct load *l, int timeout)
{
    struct epoll_event e[EVENTS];
    int n = epoll_wait(l->epoll, e, EVENTS, timeout);

    if (n < 0 && errno != EINTR)
        fatal("epoll_wait: %s", strerror(errno));
    l->now = now_ns();
    for (int i = 0; i < n; i++) {
        struct conn *c = e[i].data.ptr;
        bool in = e[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR | EPOLLRDHUP);
        bool out = e[i].events & (EPOLLOUT | EPOLLHUP | EPOLLERR);
        if (c->role == ROLE_LISTENER)
            backend_accept(l, c);
        else if (c->role == ROLE_BACKEND)
            backend_event(l, c, in, out);
        else
            client_event(l, c, in, out);
    }
    if ((double)(l->now - l->moved_at) > l->opt.stall * 1e9)
        fatal("nothing moved for %g s (open %d, backends %d, sent %llu, received %llu, done %llu up %llu down)",
              l->opt.stall, l->n_open, l->n_backends, (unsigned long long)l->sent, (unsigned long long)l->received,
              (unsigned long long)l->done_up, (unsigned long long)l->done_down);
}

static void open_sessions(struct load *l)
{
    int n = l->opt.sessions, seen = 0;

    while (l->n_open < n || l->n_backends < n) {
        while (l->n_clients < n && l->connecting < AT_ONCE && l->n_clients - l->n_backends < AT_ONCE)
            client_open(l, l->n_clients);
        turn(l, 1000);
        if (l->n_open + l->n_backends != seen)
            l->moved_at = l->now;
        seen = l->n_open + l->n_backends;
    }
}

static bool finished(const struct load *l)
{
    uint64_t n = (uint64_t)l->opt.sessions;

    switch (l->opt.what) {
    case CASE_UP:
        return l->done_up == n;
    case CASE_DOWN:
        return l->done_down == n;
    case CASE_BOTH:
        return l->done_up == n && l->done_down == n;
    case CASE_ECHO:
        return l->received == l->opt.total;
    case CASE_CONNECT:
        return l->done_up == l->opt.total;
    }
    return true;
}

static void send_due(struct load *l)
{
    double each = 1e9 / l->opt.rate;
    uint64_t now = now_ns();

    while (l->sent < l->opt.total) {
        uint64_t due = l->started + (uint64_t)((double)l->sent * each);
        if (due > now)
            break;
        client_send(l, l->clients[l->sent % (uint64_t)l->opt.sessions], due);
    }
}

static void work(struct load *l)
{
    int n = l->opt.sessions;
    bool open_loop = l->opt.what == CASE_ECHO && l->opt.rate > 0;

    l->started = l->moved_at = l->now = now_ns();
    if (l->opt.what == CASE_CONNECT) {
        while (l->n_clients < n && (uint64_t)l->n_clients < l->opt.total)
            client_open(l, l->n_clients);
    } else {
        for (int i = 0; i < n; i++)
            backend_begin(l, l->backends[i]);
        for (int i = 0; i < n; i++)
            client_begin(l, l->clients[i]);
    }
    while (!finished(l)) {
        if (open_loop)
            send_due(l);
        turn(l, open_loop ? 0 : 1000);
    }
}

static void report(const struct load *l)
{
    const struct histogram *h = &l->latency;
    double s = (double)(now_ns() - l->started) / 1e9;

    printf(
        "{\"seconds\": %.6f, \"messages\": %llu, \"bytes\": %llu, \"checked\": %s, \"reads\": %llu, \"frames\": %llu",
        s, (unsigned long long)l->opt.total, (unsigned long long)(l->opt.total * l->opt.size),
        l->opt.check ? "true" : "false", (unsigned long long)l->reads, (unsigned long long)l->pieces);
    if (l->opt.tls)
        printf(", \"handshakes\": %llu, \"resumed\": %llu", (unsigned long long)l->handshakes,
               (unsigned long long)l->resumed);
    if (h->n)
        printf(", \"p50_us\": %.1f, \"p99_us\": %.1f, \"p999_us\": %.1f, \"max_us\": %.1f",
               (double)histogram_at(h, 0.50) / 1e3, (double)histogram_at(h, 0.99) / 1e3,
               (double)histogram_at(h, 0.999) / 1e3, (double)h->max / 1e3);
    say_and_wait("}");
}

static enum load_case case_named(const char *s)
{
    static const char *const names[] = {"up", "down", "both", "echo", "connect"};

    for (int i = 0; i < 5; i++)
        if (!strcmp(s, names[i]))
            return (enum load_case)i;
    fatal("no such case: %s", s);
}

static uint64_t number(const char *s)
{
    char *end;
    double v = strtod(s, &end);

    if (*end || v < 0)
        fatal("not a number: %s", s);
    return (uint64_t)v;
}

static void parse(struct options *o, int argc, char **argv)
{
    static const struct option list[] = {
        {"case", 1, NULL, 'c'},     {"ws", 0, NULL, 'w'},    {"tls", 0, NULL, 't'},   {"tls12", 0, NULL, '2'},
        {"resume", 0, NULL, 'r'},   {"check", 0, NULL, 'k'}, {"port", 1, NULL, 'p'},  {"backend", 1, NULL, 'b'},
        {"sessions", 1, NULL, 'n'}, {"size", 1, NULL, 's'},  {"total", 1, NULL, 'm'}, {"window", 1, NULL, 'i'},
        {"rate", 1, NULL, 'R'},     {"stall", 1, NULL, 'S'}, {"path", 1, NULL, 'P'},  {NULL, 0, NULL, 0},
    };
    int k;

    while ((k = getopt_long(argc, argv, "", list, NULL)) != -1) {
        switch (k) {
        case 'c':
            o->what = case_named(optarg);
            break;
        case 'w':
            o->ws = true;
            break;
        case 't':
            o->tls = true;
            break;
        case '2':
            o->pinned12 = true;
            break;
        case 'r':
            o->resume = true;
            break;
        case 'k':
            o->check = true;
            break;
        case 'p':
            o->port = (int)number(optarg);
            break;
        case 'b':
            o->backend_port = (int)number(optarg);
            break;
        case 'n':
            o->sessions = (int)number(optarg);
            break;
        case 's':
            o->size = (size_t)number(optarg);
            break;
        case 'm':
            o->total = number(optarg);
            break;
        case 'i':
            o->window = number(optarg);
            break;
        case 'R':
            o->rate = strtod(optarg, NULL);
            break;
        case 'S':
            o->stall = strtod(optarg, NULL);
            break;
        case 'P':
            o->path = optarg;
            break;
        default:
            exit(64);
        }
    }
    if (!o->port || !o->backend_port || o->sessions < 1 || !o->size || !o->total)
        fatal("needs --case, --port, --backend, --sessions, --size and --total");
    if (o->window && o->sessions != 1)
        fatal("--window is for one session");
    if (o->what == CASE_UP || o->what == CASE_DOWN || o->what == CASE_BOTH)
        o->total -= o->total % (uint64_t)o->sessions;
}

int main(int argc, char **argv)
{
    struct load *l = calloc(1, sizeof(*l));

    if (!l)
        fatal("no memory");
    signal(SIGPIPE, SIG_IGN);
    l->opt.stall = 20;
    l->opt.path = "/";
    parse(&l->opt, argc, argv);
    ring_init(&l->ring, l->opt.size, l->opt.ws);
    l->scratch_len = SCRATCH;
    l->scratch = malloc(l->scratch_len);
    l->clients = calloc((size_t)l->opt.sessions, sizeof(struct conn *));
    l->backends = calloc((size_t)l->opt.sessions, sizeof(struct conn *));
    l->epoll = epoll_create1(EPOLL_CLOEXEC);
    if (!l->scratch || !l->clients || !l->backends || l->epoll < 0)
        fatal("no memory");
    if (l->opt.tls)
        l->tls = tls_client(l);
    conn_new(l, ROLE_LISTENER, listen_on(l->opt.backend_port));
    say_and_wait("LISTEN");
    l->moved_at = now_ns();
    if (l->opt.what != CASE_CONNECT)
        open_sessions(l);
    say_and_wait("READY");
    work(l);
    report(l);
    return 0;
}
