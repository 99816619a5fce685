/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the wsbridge authors */
/*
 * How building a context speaks to whoever asked for it: at start and reload the problems become configuration errors
 * with their place, when a file changed under a running program they become log lines.
 */
#ifndef WSBRIDGE_TLS_REPORT_H
#define WSBRIDGE_TLS_REPORT_H

#include "base/compiler.h"

struct cfg_node;

enum tls_severity { TLS_ERROR, TLS_WARNING };

struct tls_report {
    /* `text` is one sentence, good during the call. `at` may be NULL. */
    void (*say)(struct tls_report *r, enum tls_severity severity, const struct cfg_node *at, const char *text);
};

/* `r` may be NULL: nobody listens. */
void tls_say(struct tls_report *r, enum tls_severity severity, const struct cfg_node *at, const char *fmt, ...)
    PRINTF_LIKE(4, 5);

/* OpenSSL's own reason for what just failed on this thread, and an empty queue. Static text, or `fallback`. */
const char *tls_reason(const char *fallback);

#endif
