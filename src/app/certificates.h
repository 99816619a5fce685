/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the wsbridge authors */
/*
 * The TLS of a snapshot: what its `tls` sections stand for is made when it is loaded, watched by the main thread while
 * it is the present one, and goes with it. Live sessions hold the contexts that they began with themselves.
 */
#ifndef WSBRIDGE_APP_CERTIFICATES_H
#define WSBRIDGE_APP_CERTIFICATES_H

#include "app/settings.h"

#define CERTIFICATES_CHECK_SECONDS 2
#define CERTIFICATES_WARN_SECONDS 43200

/* Resolves names and makes every context; problems become configuration errors and warnings. */
void certificates_make(struct cfg_load *load, struct settings *s, struct tls_tickets *tickets);
void certificates_free(struct settings *s);

/* One look at the files of every context; says what was renewed and what was kept. */
void certificates_check(const struct settings *s, struct log *log);
/* Says which ones end soon. */
void certificates_warn(const struct settings *s, struct log *log);
/* One line for each certificate. */
void certificates_say(const struct settings *s, struct log *log);

#endif
