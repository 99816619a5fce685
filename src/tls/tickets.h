/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the wsbridge authors */
/*
 * The keys of session tickets: one ring for the whole process, in memory alone. Tickets are made with the newest key
 * and opened with the newest three, so a resumption works up to TLS_SESSION_SECONDS after the handshake whatever
 * rotation falls between, and what was recorded cannot be opened any more TLS_TICKET_PERIOD * 3 later. A restart
 * forgets them, which costs each client one full handshake.
 *
 * Thread-safe. That a session does not come back under other rules than it began with is the session id context's work
 * (tls/context.c), not that of the keys.
 */
#ifndef WSBRIDGE_TLS_TICKETS_H
#define WSBRIDGE_TLS_TICKETS_H

#include <openssl/ssl.h>

#include "base/ref.h"

#define TLS_TICKET_KEYS 3
#define TLS_TICKET_PERIOD (4 * 3600)
#define TLS_SESSION_SECONDS (2 * TLS_TICKET_PERIOD)

struct tls_tickets;

/* With a first key. One hold, given back with tls_tickets_give; every context takes its own. NULL when out of memory.
 */
struct tls_tickets *tls_tickets_new(void);
void tls_tickets_take(struct tls_tickets *t);
void tls_tickets_give(struct tls_tickets *t); /* NULL is allowed */

/* Makes a new key when the newest is TLS_TICKET_PERIOD old. Called by the main thread every now and then; `now` is
 * monotonic seconds. */
void tls_tickets_tick(struct tls_tickets *t, double now);

/* A new key now. */
void tls_tickets_rotate(struct tls_tickets *t);

/* OpenSSL's ticket callback (SSL_CTX_set_tlsext_ticket_key_evp_cb), for the ring. */
int tls_tickets_apply(struct tls_tickets *t, unsigned char *name, unsigned char *iv, EVP_CIPHER_CTX *cipher,
                      EVP_MAC_CTX *mac, int encrypt);

#endif
