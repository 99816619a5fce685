/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the wsbridge authors */
/*
 * The TLS stream over a descriptor, both directions. It obeys net/stream.h; nothing above learns that it exists but
 * through the questions at the end of this file.
 *
 * What is particular to it:
 * - start drives the handshake. While it answers AGAIN the stream watches what the handshake needs, whatever direction
 *   the owner wants (but not when it wants none).
 * - A record that OpenSSL has sealed but the kernel does not take yet counts as written: the stream keeps it and sends
 *   it on as the socket allows, also when the owner wants no WRITE. So after AGAIN an owner may go on with other bytes.
 *   shut_write answers OK only when everything has left.
 * - Several small pieces of one write become one record.
 * - shut_write sends close_notify. The end of the peer's bytes is IO_EOF after its close_notify; peers that just close
 *   are common, so that is IO_EOF too, with `truncated` in the info. A reset is IO_FAIL.
 * - free(CLEAN) tries to send what is left, once, and close_notify.
 */
#ifndef WSBRIDGE_TLS_STREAM_H
#define WSBRIDGE_TLS_STREAM_H

#include "base/slice.h"
#include "net/loop.h"
#include "net/stats.h"
#include "net/stream.h"
#include "tls/client.h"
#include "tls/context.h"

/* Takes the connected non-blocking fd; NULL when out of memory: fd is closed then. Holds the set. `alpn`: TLS_ALPN_*
 * that may be chosen; 0: none. */
struct stream *tls_server_stream_new(struct loop *l, int fd, struct tls_set *set, unsigned alpn,
                                     struct stream_owner *owner);

/* The same toward a backend. `host` is the service's name for SNI and the check where the settings name none; it may be
 * NULL. What is wrong with the name is said by start. */
struct stream *tls_client_stream_new(struct loop *l, int fd, struct tls_client *c, const char *host,
                                     struct stream_owner *owner);

/* Counts it from its handshake to its end. Before start; `counts` must outlive the stream. */
void tls_stream_count(struct stream *s, struct tls_counts *counts);

struct tls_info {
    const char *version; /* "TLSv1.3" */
    const char *cipher;  /* OpenSSL's name */
    struct slice alpn;   /* empty: none */
    const char *sni;     /* what the client asked for; NULL: nothing */
    bool resumed;
    bool ktls_send;
    bool ktls_receive;
    bool truncated; /* the peer closed without close_notify */
};

/* False when `s` is not a TLS stream. Views live as long as the stream. */
bool tls_stream_info(const struct stream *s, struct tls_info *out);

/* The peer's certificate, when it showed one and it was verified. Texts are cut to their room. */
struct tls_peer {
    char subject[256]; /* RFC 2253 */
    char common_name[128];
    char names[512];      /* "DNS:a, email:b"; see tls_print_names */
    char fingerprint[65]; /* SHA-256 in hex */
};
bool tls_stream_peer(const struct stream *s, struct tls_peer *out);

/* The descriptor under a TLS stream, -1 for any other; it still belongs to the stream. */
int tls_stream_fd(const struct stream *s);

/* What a connection is by its first bytes (peeked; n >= 1): a TLS hello, HTTP or something else. */
enum tls_sniff { TLS_SNIFF_TLS, TLS_SNIFF_HTTP, TLS_SNIFF_OTHER };
enum tls_sniff tls_sniff(const uint8_t *p, size_t n);

#endif
