/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the wsbridge authors */
/*
 * The inside of a TLS stream, shared by the files that make one up: stream.c (bytes), stream_life.c (birth and end) and
 * stream_info.c (questions). Nobody else includes it.
 */
#ifndef WSBRIDGE_TLS_STREAM_INNER_H
#define WSBRIDGE_TLS_STREAM_INNER_H

#include <errno.h>
#include <openssl/err.h>

#include "net/socket_watch.h"
#include "tls/stream.h"

enum phase { PHASE_HANDSHAKE, PHASE_OPEN, PHASE_FAILED };
enum end { END_NONE, END_CLOSED, END_FAILED };

struct tls_stream {
    struct stream s;
    struct socket_watch watch;
    struct loop_task again; /* a deferred ready; after free: the reaper */
    SSL *ssl;
    struct tls_set *set; /* server side */
    struct tls_client *client;
    struct tls_counts *counts; /* NULL: nobody counts; otherwise it is in there while PHASE_OPEN */
    uint8_t *sealed;           /* plain text of the record under way; NULL: none */
    uint16_t sealed_from;
    uint16_t sealed_len;
    char *text; /* a composed sentence for `why` */
    const char *read_why;
    const char *write_why;
    int read_err;
    int write_err;
    unsigned alpn; /* TLS_ALPN_*, for the callback */
    uint8_t phase;
    uint8_t wanted;
    uint8_t needs;          /* what the handshake waits for */
    uint8_t read_end;       /* enum end */
    uint8_t write_end;      /* enum end; CLOSED: shut by us */
    bool end_told : 1;      /* the owner has heard of read_end */
    bool fail_told : 1;     /* the owner has heard of a failed write */
    bool held : 1;          /* OpenSSL may have bytes for us */
    bool read_on_write : 1; /* reading goes on when the socket is writable (key update) */
    bool write_on_read : 1; /* the other way round */
    bool eof : 1;           /* the kernel has told the end */
    bool truncated : 1;
    bool ktls_send : 1;
    bool ktls_receive : 1;
};

extern const struct stream_ops tls_stream_ops;

static inline struct tls_stream *tls_stream_of(struct stream *s)
{
    return container_of(s, struct tls_stream, s);
}

/* Before every call into OpenSSL: looking is much cheaper than clearing, and there is nearly never anything. */
static inline void tls_clear_errors(void)
{
    if (UNLIKELY(ERR_peek_error() != 0))
        ERR_clear_error();
    errno = 0;
}

/* What the loop and OpenSSL's BIO call (stream.c). */
void tls_stream_on_socket(struct socket_watch *w, unsigned dirs);
void tls_stream_on_again(struct loop_task *task);
long tls_stream_on_bio(BIO *b, int what, const char *p, size_t len, int argi, long argl, int ret, size_t *done);

/* Sends on the record under way. True when there is none left. */
bool tls_stream_flush(struct tls_stream *t);

/* The handshake is over (1), or the stream (-1). */
void tls_stream_counted(const struct tls_stream *t, int by);

void tls_stream_free(struct stream *s, enum stream_end how);

#endif
