/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the wsbridge authors */
/*
 * Where log lines go. Options that every caller looks at are atomics, so that a line below the level costs two loads;
 * the limits and the sink have a mutex each. A line is put together outside both.
 *
 * A sink that does not take bytes must not stop a worker: before each write the descriptor is asked whether it would
 * (stderr may be shared with other programs, so its mode is not ours to change). The first line that finds it full
 * waits PATIENCE_MS, those after it do not wait until one went through again. A line is never longer than PIPE_BUF, so
 * a pipe that says it is writable takes it whole.
 */
#include "obs/log.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "obs/line.h"
#include "obs/rate.h"
#include "obs/syslog.h"

#define PATIENCE_MS 20

static const char *const level_names[] = {"error", "warn", "info", "debug"};

struct log {
    atomic_int level;
    atomic_int format;
    atomic_int target;
    atomic_bool access;
    atomic_ullong lost;

    pthread_mutex_t rate_lock;
    struct rate rate;

    pthread_mutex_t sink_lock; /* for what follows */
    int fd;                    /* STDERR_FILENO is borrowed, any other is ours; -1 for syslog */
    char *path;                /* LOG_FILE, else NULL */
    bool stuck;                /* the last line was lost */
    bool torn;                 /* the last line was written in part: the next one begins on a new line */
};

/* What a set of options needs, opened before anything of the old is given up. */
struct sink {
    int fd;
    char *path;
};

static int file_open(const char *path)
{
    /* O_NONBLOCK is for a fifo: without a reader it is an error at once, and a full one loses lines. */
    return open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, 0640);
}

static void explain_open(const char *path, char *why, size_t cap)
{
    char text[128];

    snprintf(why, cap, "cannot open the log file \"%s\": %s", path, strerror_r(errno, text, sizeof(text)));
}

static int sink_open(const struct log_options *opt, struct sink *s, char *why, size_t cap)
{
    *s = (struct sink){.fd = opt->target == LOG_STDERR ? STDERR_FILENO : -1};
    if (opt->target != LOG_FILE)
        return 0;
    s->path = strdup(opt->path ? opt->path : "");
    if (!s->path) {
        snprintf(why, cap, "out of memory");
        return -1;
    }
    s->fd = file_open(s->path);
    if (s->fd >= 0)
        return 0;
    explain_open(s->path, why, cap);
    free(s->path);
    return -1;
}

static void sink_close(struct sink *s)
{
    if (s->fd > STDERR_FILENO)
        close(s->fd);
    free(s->path);
}

/* Puts new options in force; what they replace goes to *old. */
static void sink_swap(struct log *l, const struct log_options *opt, const struct sink *fresh, struct sink *old)
{
    pthread_mutex_lock(&l->sink_lock);
    bool was_syslog = l->fd < 0;
    *old = (struct sink){l->fd, l->path};
    l->fd = fresh->fd;
    l->path = fresh->path;
    l->stuck = false;
    l->torn = false;
    if (opt->target == LOG_SYSLOG && !was_syslog)
        syslog_sink_open();
    if (opt->target != LOG_SYSLOG && was_syslog)
        syslog_sink_close();
    atomic_store(&l->target, (int)opt->target);
    atomic_store(&l->level, (int)opt->level);
    atomic_store(&l->format, (int)opt->format);
    atomic_store(&l->access, opt->access);
    pthread_mutex_unlock(&l->sink_lock);
}

struct log *log_new(const struct log_options *opt, char *why, size_t cap)
{
    struct sink fresh, old;
    struct log *l = calloc(1, sizeof(*l));
    if (!l) {
        snprintf(why, cap, "out of memory");
        return NULL;
    }
    if (sink_open(opt, &fresh, why, cap) != 0) {
        free(l);
        return NULL;
    }
    pthread_mutex_init(&l->rate_lock, NULL);
    pthread_mutex_init(&l->sink_lock, NULL);
    l->fd = STDERR_FILENO;
    sink_swap(l, opt, &fresh, &old);
    return l;
}

int log_reconfigure(struct log *l, const struct log_options *opt, char *why, size_t cap)
{
    struct sink fresh, old;
    if (sink_open(opt, &fresh, why, cap) != 0)
        return -1;
    sink_swap(l, opt, &fresh, &old);
    sink_close(&old);
    return 0;
}

int log_reopen(struct log *l, char *why, size_t cap)
{
    /* Only this thread changes the path (see log.h), so it may be read without the lock; opening a file on a slow disk
     * must not hold up the others. */
    if (!l->path)
        return 0;
    int fd = file_open(l->path);
    if (fd < 0) {
        explain_open(l->path, why, cap);
        return -1;
    }
    pthread_mutex_lock(&l->sink_lock);
    int old = l->fd;
    l->fd = fd;
    l->stuck = false;
    l->torn = false;
    pthread_mutex_unlock(&l->sink_lock);
    close(old);
    return 0;
}

bool log_wants(const struct log *l, enum log_level level)
{
    return l && (int)level <= atomic_load_explicit(&l->level, memory_order_relaxed);
}

bool log_wants_access(const struct log *l)
{
    return l && atomic_load_explicit(&l->access, memory_order_relaxed);
}

uint64_t log_lost(const struct log *l)
{
    return l ? atomic_load_explicit(&l->lost, memory_order_relaxed) : 0;
}

/* One write(2), or none. A regular file may take less than all when the disk is full. */
static bool fd_put(struct log *l, const char *line, size_t n)
{
    struct pollfd ready = {.fd = l->fd, .events = POLLOUT};
    if (poll(&ready, 1, l->stuck ? 0 : PATIENCE_MS) != 1 || (ready.revents & (POLLERR | POLLNVAL)))
        return false;
    ssize_t put;
    do {
        put = write(l->fd, line, n);
    } while (put < 0 && errno == EINTR);
    if (put > 0)
        l->torn = (size_t)put < n;
    return put == (ssize_t)n;
}

static void sink_put(struct log *l, enum log_level level, char *mem, size_t n)
{
    char *line = mem + 1; /* mem[0] is a line feed, for after a torn line */
    pthread_mutex_lock(&l->sink_lock);
    if (l->fd < 0) {
        syslog_sink_put(level, line, n - 1);
    } else {
        bool ok = l->torn ? fd_put(l, mem, n + 1) : fd_put(l, line, n);
        l->stuck = !ok;
        if (!ok)
            atomic_fetch_add_explicit(&l->lost, 1, memory_order_relaxed);
    }
    pthread_mutex_unlock(&l->sink_lock);
}

static void emit(struct log *l, enum log_level level, const char *word, const char *event, const struct kv *kv,
                 size_t n)
{
    char mem[1 + LINE_MAX_BYTES];
    struct line_head head = {
        .format = (enum log_format)atomic_load_explicit(&l->format, memory_order_relaxed),
        .level = word,
        .event = event,
        .wall_ms = clock_wall_ms(),
        .has_time = atomic_load_explicit(&l->target, memory_order_relaxed) != LOG_SYSLOG,
    };
    mem[0] = '\n';
    sink_put(l, level, mem, line_write(mem + 1, &head, kv, n));
}

/* Says what was dropped, if it is time to. */
static void tell_dropped(struct log *l, bool all)
{
    for (;;) {
        struct rate_report r;
        pthread_mutex_lock(&l->rate_lock);
        bool due = rate_report(&l->rate, clock_mono_ns(), all, &r);
        pthread_mutex_unlock(&l->rate_lock);
        if (!due)
            return;
        const struct kv kv[] = {KV("dropped", r.event), KV_U("count", r.dropped)};
        emit(l, (enum log_level)r.level, level_names[r.level], "log_limited", kv, ARRAY_LEN(kv));
    }
}

void log_write(struct log *l, enum log_level level, const char *event, const struct kv *kv, size_t n)
{
    if (!log_wants(l, level))
        return;
    pthread_mutex_lock(&l->rate_lock);
    bool allowed = rate_allow(&l->rate, event, (uint8_t)level, clock_mono_ns());
    pthread_mutex_unlock(&l->rate_lock);
    tell_dropped(l, false);
    if (allowed)
        emit(l, level, level_names[level], event, kv, n);
}

void log_always(struct log *l, enum log_level level, const char *event, const struct kv *kv, size_t n)
{
    if (log_wants(l, level))
        emit(l, level, level_names[level], event, kv, n);
}

void log_access(struct log *l, const char *event, const struct kv *kv, size_t n)
{
    if (!log_wants_access(l))
        return;
    tell_dropped(l, false);
    emit(l, LOG_INFO, "access", event, kv, n);
}

void log_tick(struct log *l)
{
    if (l)
        tell_dropped(l, false);
}

void log_free(struct log *l)
{
    if (!l)
        return;
    tell_dropped(l, true);
    struct sink s = {l->fd, l->path};
    if (l->fd < 0)
        syslog_sink_close();
    sink_close(&s);
    pthread_mutex_destroy(&l->rate_lock);
    pthread_mutex_destroy(&l->sink_lock);
    free(l);
}
