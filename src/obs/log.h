/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the wsbridge authors */
/*
 * The log: one line for each event, an event name and key=value pairs, as text or JSON, written with one write(2) so
 * that lines of several threads never mix. Values are untrusted: one function escapes them. Repeats of the same event
 * are limited (a burst of 20, then 10 a second per event name and level); what was dropped is said once a second with
 * its count. Access records are never limited. Thread-safe. A sink that cannot be written (full pipe, full disk) loses
 * lines, never blocks a worker for long and is counted.
 *
 * log_new, log_reconfigure, log_reopen and log_free belong to one thread, all else to any. A NULL log takes everything
 * and writes nothing. Lines have at most 4096 bytes; what was left out is marked with cut=true. A line looks like
 *     2026-01-31T12:34:56.789Z info session_open id=12 peer=192.0.2.1:4711 path="/a b"
 *     {"time":"2026-01-31T12:34:56.789Z","level":"info","event":"session_open","id":12,"peer":"192.0.2.1:4711",...}
 * with "access" as the level of access records. A slice without a pointer is "-" or null: not known.
 */
#ifndef WSBRIDGE_OBS_LOG_H
#define WSBRIDGE_OBS_LOG_H

#include "base/slice.h"

enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG };
enum log_format { LOG_TEXT, LOG_JSON };
enum log_target { LOG_STDERR, LOG_SYSLOG, LOG_FILE };

struct log_options {
    enum log_target target;
    const char *path; /* LOG_FILE */
    enum log_level level;
    enum log_format format;
    bool access; /* write access records */
};

struct log;

struct kv {
    const char *key;
    enum { KV_SLICE, KV_UINT, KV_INT, KV_SECONDS, KV_BOOL } kind;
    union {
        struct slice s;
        uint64_t u;
        int64_t i;
        double f;
        bool b;
    } v;
};

#define KV(k, z)                                                                                                       \
    {                                                                                                                  \
        .key = (k), .kind = KV_SLICE, .v.s = slice_of(z)                                                               \
    }
#define KV_S(k, slice_)                                                                                                \
    {                                                                                                                  \
        .key = (k), .kind = KV_SLICE, .v.s = (slice_)                                                                  \
    }
#define KV_U(k, n)                                                                                                     \
    {                                                                                                                  \
        .key = (k), .kind = KV_UINT, .v.u = (uint64_t)(n)                                                              \
    }
#define KV_I(k, n)                                                                                                     \
    {                                                                                                                  \
        .key = (k), .kind = KV_INT, .v.i = (int64_t)(n)                                                                \
    }
#define KV_F(k, seconds)                                                                                               \
    {                                                                                                                  \
        .key = (k), .kind = KV_SECONDS, .v.f = (seconds)                                                               \
    } /* printed with three decimals */
#define KV_B(k, flag)                                                                                                  \
    {                                                                                                                  \
        .key = (k), .kind = KV_BOOL, .v.b = (flag)                                                                     \
    }

/* NULL when the file cannot be opened or memory is out; `why` (capacity `cap`) then says it in one sentence. Strings of
 * `opt` are copied. */
struct log *log_new(const struct log_options *opt, char *why, size_t cap);
void log_free(struct log *l); /* NULL is allowed */

/* Takes new options over while other threads write. 0, or -1 with `why` filled and the old options kept. */
MUST_CHECK int log_reconfigure(struct log *l, const struct log_options *opt, char *why, size_t cap);

/* Opens the file again (log rotation). 0, or -1 with `why` filled and the old file kept. */
MUST_CHECK int log_reopen(struct log *l, char *why, size_t cap);

bool log_wants(const struct log *l, enum log_level level);
bool log_wants_access(const struct log *l);
uint64_t log_lost(const struct log *l); /* lines that could not be written */

void log_write(struct log *l, enum log_level level, const char *event, const struct kv *kv, size_t n);
void log_access(struct log *l, const char *event, const struct kv *kv, size_t n);

/* As log_write, but never limited: for what is said a bounded number of times (a line for each route at start). */
void log_always(struct log *l, enum log_level level, const char *event, const struct kv *kv, size_t n);
#define log_always_event(l, level, event, ...)                                                                         \
    log_always((l), (level), (event), (const struct kv[]){__VA_ARGS__},                                                \
               sizeof((const struct kv[]){__VA_ARGS__}) / sizeof(struct kv))

/* Says what the limits dropped, once it is a second old. Every line written does that too; a timer that calls this once
 * a second brings out the last counts of a burst when nothing else is logged. */
void log_tick(struct log *l);

/* log_event(log, LOG_WARN, "accept_paused", KV("why", "..."), KV_U("open", n)); at least one pair. */
#define log_event(l, level, event, ...)                                                                                \
    log_write((l), (level), (event), (const struct kv[]){__VA_ARGS__},                                                 \
              sizeof((const struct kv[]){__VA_ARGS__}) / sizeof(struct kv))

/* Appends `s` as one value of a text line: as it is when it needs no quotes, else quoted with C escapes; or as a JSON
 * string. Control characters, invalid UTF-8 (\xNN, \u00NN) and characters that hide or turn text are escaped. Pure; for
 * tests and for -t output. */
struct strbuf;
void log_escape_text(struct strbuf *out, struct slice s);
void log_escape_json(struct strbuf *out, struct slice s);

#endif
