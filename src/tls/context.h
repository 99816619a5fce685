/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the wsbridge authors */
/*
 * What a listener shows to its clients: an immutable set of contexts built from settings and files, shared by all
 * workers. A stream holds the set that it began with, so a renewal touches no live session.
 *
 * One SSL_CTX stands for each combination of certificates that some server name asks for: RSA and ECDSA of a name side
 * by side, OpenSSL picks by what the client can. Choosing: the exact name, then the wildcard, then the first context
 * (or an alert with strict_sni).
 */
#ifndef WSBRIDGE_TLS_CONTEXT_H
#define WSBRIDGE_TLS_CONTEXT_H

#include <openssl/ssl.h>

#include "base/ref.h"
#include "tls/report.h"
#include "tls/settings.h"
#include "tls/tickets.h"

enum { TLS_ALPN_HTTP1 = 1, TLS_ALPN_H2 = 2 };

#define TLS_WARN_DAYS 14

struct tls_set;

/* Reads the files. NULL when something is wrong, with every error reported; what is only doubtful (an ended
 * certificate, an old OCSP response) is a warning. `now`: unix seconds. One hold. */
struct tls_set *tls_set_new(const struct tls_settings *s, struct tls_tickets *tickets, int64_t now,
                            struct tls_report *r);
void tls_set_take(struct tls_set *set);
void tls_set_give(struct tls_set *set); /* NULL is allowed */

/* A new server-side SSL. `alpn` is kept by pointer: the caller's TLS_ALPN_* flags, good until the handshake is over.
 * NULL when out of memory. For tls/stream.c. */
SSL *tls_set_ssl_new(struct tls_set *set, const unsigned *alpn);

/* For logs, --status and metrics: what each certificate is. Views into the set. */
struct tls_certificate_info {
    const char *path;
    const char *kind; /* "RSA", "ECDSA", ... */
    size_t n_names;
    char *const *names;
    int64_t not_before; /* unix seconds */
    int64_t not_after;
    const uint8_t *fingerprint; /* SHA-256, 32 bytes */
    bool ocsp;                  /* a response is stapled */
};
size_t tls_set_count(const struct tls_set *set);
void tls_set_info(const struct tls_set *set, size_t i, struct tls_certificate_info *out);

/* A certificate of `set` that has ended and that `old` does not have: what a reload must not bring. NULL when none. */
const char *tls_set_newly_ended(const struct tls_set *set, const struct tls_set *old, int64_t now);

/* Says which certificates end within TLS_WARN_DAYS or have ended. */
void tls_set_warn(const struct tls_set *set, int64_t now, struct tls_report *r);

/* Which certificates a server name gets (for tests and -t): the index of the RSA and of the ECDSA one, -1 for none.
 * False: refused (strict_sni). */
bool tls_set_choose(const struct tls_set *set, const char *server_name, int *rsa, int *ecdsa);

#endif
