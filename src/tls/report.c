/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the wsbridge authors */
/*
 * Sentences about TLS for people.
 */
#include "tls/report.h"

#include <openssl/err.h>
#include <stdarg.h>
#include <stdio.h>

void tls_say(struct tls_report *r, enum tls_severity severity, const struct cfg_node *at, const char *fmt, ...)
{
    char text[512];
    va_list ap;

    if (!r)
        return;
    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    r->say(r, severity, at, text);
}

const char *tls_reason(const char *fallback)
{
    /* The first error is the cause; those behind it are the callers that passed it on. */
    unsigned long e = ERR_peek_error();
    const char *text = e ? ERR_reason_error_string(e) : NULL;

    ERR_clear_error();
    return text ? text : fallback;
}
