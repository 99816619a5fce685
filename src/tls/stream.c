/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the wsbridge authors */
/*
 * The TLS stream.
 *
 * OpenSSL reads and writes the descriptor itself (SSL_set_fd: only so can it hand the keys to the kernel), and a
 * callback on its BIO remembers what the kernel last said: a short read means that the socket is empty, a short write
 * that it is full, and until the loop reports the descriptor the callback answers "try again" in the kernel's place. So
 * a wake-up costs one read and one write, as on a bare socket.
 *
 * Invariants:
 * - `held` means that SSL_read may give bytes without the kernel; a stream that holds bytes (or an end that it has not
 *   told) and whose owner wants READ has `again` queued.
 * - `sealed` is the plain text of a record that OpenSSL has begun and not finished. OpenSSL insists on being called
 *   again with the same bytes, the owner is free to change its mind, so the bytes are kept here.
 * - Every call into OpenSSL starts with an empty error queue; queues are per thread and shared by all its streams.
 */
#include <assert.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>

#include "tls/stream_inner.h"

#define RECORD_MAX 16384

/* --- the kernel's word -------------------------------------------------------------------------------------------- */

/* The kernel has no bytes for us, or takes none, until it says so. */
static bool dry(const struct tls_stream *t)
{
    return !(t->watch.open & STREAM_READ);
}

static bool full(const struct tls_stream *t)
{
    return !(t->watch.open & STREAM_WRITE);
}

long tls_stream_on_bio(BIO *b, int what, const char *p, size_t len, int argi, long argl, int ret, size_t *done)
{
    struct tls_stream *t = (struct tls_stream *)(void *)BIO_get_callback_arg(b);

    switch (what) {
    case BIO_CB_READ:
        if (!dry(t))
            break;
        BIO_clear_retry_flags(b);
        BIO_set_retry_read(b);
        return -1;
    case BIO_CB_WRITE:
        if (!full(t))
            break;
        BIO_clear_retry_flags(b);
        BIO_set_retry_write(b);
        return -1;
    case BIO_CB_READ | BIO_CB_RETURN:
        /* The kernel gives one record at a time when it decrypts: short says nothing then. */
        if (ret > 0 ? *done < len && !t->ktls_receive && socket_watch_short_is_all(&t->watch) : BIO_should_retry(b))
            socket_watch_spent(&t->watch, STREAM_READ);
        else if (ret == 0)
            t->eof = true;
        break;
    case BIO_CB_WRITE | BIO_CB_RETURN:
        if (ret > 0 ? *done < len : BIO_should_retry(b))
            socket_watch_spent(&t->watch, STREAM_WRITE);
        break;
    }
    return ret;
}

/* What OpenSSL says it waits for is what the kernel did not give. */
static void spend(struct tls_stream *t, int code)
{
    if (code == SSL_ERROR_WANT_READ)
        socket_watch_spent(&t->watch, STREAM_READ);
    else if (code == SSL_ERROR_WANT_WRITE)
        socket_watch_spent(&t->watch, STREAM_WRITE);
}

/* --- interest ----------------------------------------------------------------------------------------------------- */

/* What the owner can spare itself: see net/stream.h. A record under way does not block while it can be sent on. */
static uint8_t blocked(const struct tls_stream *t)
{
    unsigned dirs = 0;

    if (t->phase == PHASE_HANDSHAKE)
        return 0;
    if (t->read_end == END_NONE ? !t->held && (t->read_on_write ? full(t) : dry(t)) : t->end_told)
        dirs |= STREAM_READ;
    if (t->write_end == END_NONE ? (t->write_on_read ? dry(t) : full(t)) : t->fail_told)
        dirs |= STREAM_WRITE;
    return (uint8_t)dirs;
}

static void update(struct tls_stream *t)
{
    bool reads = t->wanted & STREAM_READ;
    bool writes = t->wanted & STREAM_WRITE;
    unsigned dirs = 0;
    bool due = false;

    if (t->phase == PHASE_OPEN) {
        if (reads && t->read_end == END_NONE)
            dirs |= t->read_on_write ? STREAM_WRITE : STREAM_READ;
        if (t->write_end == END_NONE && (writes || t->sealed))
            dirs |= t->write_on_read ? STREAM_READ : STREAM_WRITE;
        due = reads && (t->read_end == END_NONE ? t->held : !t->end_told);
    } else if (t->phase == PHASE_HANDSHAKE && t->wanted) {
        dirs = t->needs;
    }
    due = due || (writes && t->write_end == END_FAILED && !t->fail_told);
    t->s.blocked = blocked(t);
    socket_watch_want(&t->watch, dirs);
    if (due)
        loop_defer(t->watch.loop, &t->again);
    else
        loop_task_cancel(&t->again);
}

static void tls_want(struct stream *s, unsigned dirs)
{
    struct tls_stream *t = tls_stream_of(s);

    t->wanted = (uint8_t)dirs;
    update(t);
}

void tls_stream_on_again(struct loop_task *task)
{
    struct tls_stream *t = container_of(task, struct tls_stream, again);

    t->s.owner->ready(t->s.owner, &t->s);
}

/* --- failures ----------------------------------------------------------------------------------------------------- */

static const char *compose(struct tls_stream *t, const char *first, const char *second)
{
    size_t n = strlen(first) + strlen(second) + 3;

    if (!t->text)
        t->text = malloc(n);
    else
        return second; /* one sentence is kept, and views of it may be out */
    if (!t->text)
        return second;
    snprintf(t->text, n, "%s: %s", first, second);
    return t->text;
}

struct failure {
    enum end end;
    const char *why;
    int err;
    bool truncated;
};

/* The peer's alert about our certificate, whose name in OpenSSL says little to who reads a log. */
static bool is_distrust(unsigned long e)
{
    if (ERR_GET_LIB(e) != ERR_LIB_SSL)
        return false;
    switch (ERR_GET_REASON(e)) {
    case SSL_R_SSLV3_ALERT_BAD_CERTIFICATE:
    case SSL_R_SSLV3_ALERT_UNSUPPORTED_CERTIFICATE:
    case SSL_R_SSLV3_ALERT_CERTIFICATE_EXPIRED:
    case SSL_R_SSLV3_ALERT_CERTIFICATE_UNKNOWN:
    case SSL_R_TLSV1_ALERT_UNKNOWN_CA:
        return true;
    default:
        return false;
    }
}

/* What SSL_get_error's last word means. `err` is the errno right behind the call. */
static struct failure judge(struct tls_stream *t, int code, int err)
{
    unsigned long e = ERR_peek_error();
    struct failure f = {.end = END_FAILED};
    bool distrusted;

    /* OpenSSL ends the same way for close_notify and for a bare FIN (SSL_OP_IGNORE_UNEXPECTED_EOF: as an error of its
     * own it would stop the other direction too); it reads no further than close_notify, so who saw a FIN saw none. */
    if (code == SSL_ERROR_ZERO_RETURN || (code == SSL_ERROR_SYSCALL && e == 0 && err == 0))
        return (struct failure){.end = END_CLOSED, .truncated = t->eof};
    if (code == SSL_ERROR_SYSCALL && e == 0) {
        const char *text = strerrordesc_np(err);

        f.err = err;
        f.why = text ? text : "unknown error";
        return f;
    }
    if (ERR_GET_LIB(e) == ERR_LIB_SSL && ERR_GET_REASON(e) == SSL_R_CERTIFICATE_VERIFY_FAILED) {
        long verdict = SSL_get_verify_result(t->ssl);

        ERR_clear_error();
        f.why = compose(t, "certificate verify failed", X509_verify_cert_error_string(verdict));
        return f;
    }
    distrusted = is_distrust(e);
    f.why = tls_reason("unknown TLS error");
    if (distrusted)
        f.why = compose(
            t, t->set ? "the client does not trust our certificate" : "the backend does not trust our certificate",
            f.why);
    return f;
}

static enum io tell_read_end(struct tls_stream *t)
{
    t->end_told = true;
    update(t);
    if (t->read_end == END_CLOSED)
        return IO_EOF;
    t->s.err = t->read_err;
    t->s.why = t->read_why;
    return IO_FAIL;
}

static enum io tell_write_end(struct tls_stream *t)
{
    t->fail_told = true;
    update(t);
    t->s.err = t->write_end == END_CLOSED ? EPIPE : t->write_err;
    t->s.why = t->write_end == END_CLOSED ? "written after the end" : t->write_why;
    return IO_FAIL;
}

static void end_reading(struct tls_stream *t, struct failure f)
{
    t->held = false;
    t->read_end = (uint8_t)f.end;
    t->truncated = f.truncated;
    t->read_why = f.why;
    t->read_err = f.err;
    /* The kernel tells a reset once. When writing was the one to hear it, the end of the bytes looks like a FIN. */
    if (f.truncated && t->write_end == END_FAILED && t->write_err && t->write_err != EPIPE) {
        t->read_end = END_FAILED;
        t->read_why = t->write_why;
        t->read_err = t->write_err;
    }
}

static void end_writing(struct tls_stream *t, struct failure f)
{
    free(t->sealed);
    t->sealed = NULL;
    t->write_end = END_FAILED;
    t->write_why = f.why ? f.why : "closed";
    t->write_err = f.err;
}

/* --- reading ------------------------------------------------------------------------------------------------------ */

static bool read_record(struct tls_stream *t, uint8_t *p, size_t cap, size_t *got)
{
    int err;
    int code;

    tls_clear_errors();
    if (LIKELY(SSL_read_ex(t->ssl, p, cap, got))) {
        t->held = SSL_has_pending(t->ssl);
        t->read_on_write = false;
        return true;
    }
    err = errno;
    code = SSL_get_error(t->ssl, 0);
    *got = 0;
    t->held = false;
    if (code == SSL_ERROR_WANT_READ) {
        t->read_on_write = false;
        socket_watch_spent(&t->watch, STREAM_READ);
    } else if (code == SSL_ERROR_WANT_WRITE) {
        t->read_on_write = true;
        socket_watch_spent(&t->watch, STREAM_WRITE);
    } else {
        end_reading(t, judge(t, code, err));
    }
    return false;
}

static enum io tls_read(struct stream *s, uint8_t *p, size_t cap, size_t *got)
{
    struct tls_stream *t = tls_stream_of(s);
    size_t n = 0;
    size_t one;

    assert(cap > 0);
    if (t->phase != PHASE_OPEN)
        return t->phase == PHASE_FAILED ? tell_read_end(t) : IO_AGAIN;
    /* Records until the room is used up: many small ones shall cost the owner one turn. */
    while (n < cap && t->read_end == END_NONE && (t->held || !(t->read_on_write ? full(t) : dry(t)))) {
        if (!read_record(t, p + n, cap - n, &one))
            break;
        n += one;
    }
    if (n == 0 && t->read_end != END_NONE)
        return tell_read_end(t);
    update(t);
    if (n == 0)
        return IO_AGAIN;
    *got = n;
    return IO_OK;
}

/* --- writing ------------------------------------------------------------------------------------------------------ */

enum seal { SEAL_SENT, SEAL_KEPT, SEAL_FAILED };

/* Bytes that are one record, or several where the peer asked for small ones (RFC 6066, section 4). After KEPT the bytes
 * from *done on are OpenSSL's, and it has to be called with them again. */
static enum seal put_record(struct tls_stream *t, const uint8_t *p, size_t n, size_t *done)
{
    size_t put;
    int err;
    int code;

    for (*done = 0; *done < n; *done += put) {
        tls_clear_errors();
        if (LIKELY(SSL_write_ex(t->ssl, p + *done, n - *done, &put)))
            continue;
        err = errno;
        code = SSL_get_error(t->ssl, 0);
        t->write_on_read = code == SSL_ERROR_WANT_READ;
        if (code == SSL_ERROR_WANT_READ || code == SSL_ERROR_WANT_WRITE) {
            spend(t, code);
            return SEAL_KEPT;
        }
        end_writing(t, judge(t, code, err));
        return SEAL_FAILED;
    }
    t->write_on_read = false;
    return SEAL_SENT;
}

static void forget_sealed(struct tls_stream *t)
{
    free(t->sealed);
    t->sealed = NULL;
}

bool tls_stream_flush(struct tls_stream *t)
{
    size_t done;

    if (!t->sealed)
        return true;
    if (full(t) && !t->write_on_read)
        return false;
    switch (put_record(t, t->sealed + t->sealed_from, t->sealed_len - t->sealed_from, &done)) {
    case SEAL_SENT:
        forget_sealed(t);
        return true;
    case SEAL_KEPT:
        t->sealed_from += (uint16_t)done;
        break;
    case SEAL_FAILED:
        break;
    }
    return false;
}

static uint8_t *keep(struct tls_stream *t, const uint8_t *p, size_t n)
{
    uint8_t *copy = malloc(n);

    if (copy)
        memcpy(copy, p, n);
    else
        end_writing(t, (struct failure){.end = END_FAILED, .why = "out of memory", .err = ENOMEM});
    return copy;
}

/* One record; false when writing has to pause or has ended. The bytes are taken unless it failed. */
static bool write_chunk(struct tls_stream *t, const uint8_t *p, size_t n)
{
    uint8_t *copy = NULL;
    size_t done;

    /* With kTLS OpenSSL keeps a pointer to what it was given, not a sealed copy: it must stay where it is. */
    if (t->ktls_send) {
        copy = keep(t, p, n);
        if (!copy)
            return false;
        p = copy;
    }
    switch (put_record(t, p, n, &done)) {
    case SEAL_SENT:
        free(copy);
        return true;
    case SEAL_KEPT:
        t->sealed = copy ? copy : keep(t, p, n);
        t->sealed_len = (uint16_t)n;
        t->sealed_from = (uint16_t)done;
        return false;
    case SEAL_FAILED:
        free(copy);
        break;
    }
    return false;
}

/* A cursor over the pieces of one write. */
struct pieces {
    const struct iovec *v;
    int n;
    size_t off; /* into the first */
};

/* The next record's bytes: in place when one piece fills the record or is the last one, else put together in
 * `scratch`. 0 at the end. */
static size_t next_chunk(struct pieces *c, uint8_t *scratch, const uint8_t **p)
{
    size_t n = 0;

    while (c->n > 0 && c->off == c->v->iov_len) {
        c->v++;
        c->n--;
        c->off = 0;
    }
    if (c->n == 0)
        return 0;
    if (c->n == 1 || c->v->iov_len - c->off >= RECORD_MAX) {
        *p = (const uint8_t *)c->v->iov_base + c->off;
        n = MIN_OF(c->v->iov_len - c->off, (size_t)RECORD_MAX);
        c->off += n;
        return n;
    }
    while (c->n > 0 && n < RECORD_MAX) {
        size_t part = MIN_OF(c->v->iov_len - c->off, RECORD_MAX - n);

        memcpy(scratch + n, (const uint8_t *)c->v->iov_base + c->off, part);
        n += part;
        c->off += part;
        if (c->off == c->v->iov_len) {
            c->v++;
            c->n--;
            c->off = 0;
        }
    }
    *p = scratch;
    return n;
}

static enum io tls_write(struct stream *s, const struct iovec *v, int n, size_t *put)
{
    struct tls_stream *t = tls_stream_of(s);
    struct pieces pieces = {.v = v, .n = n};
    uint8_t scratch[RECORD_MAX];
    const uint8_t *p;
    size_t taken = 0;
    size_t chunk;

    if (t->phase != PHASE_OPEN)
        return t->phase == PHASE_FAILED ? tell_write_end(t) : IO_AGAIN;
    while (t->write_end == END_NONE && tls_stream_flush(t) && !full(t) &&
           (chunk = next_chunk(&pieces, scratch, &p)) > 0) {
        bool on = write_chunk(t, p, chunk);

        if (t->write_end == END_NONE)
            taken += chunk;
        if (!on)
            break;
    }
    if (taken == 0 && t->write_end != END_NONE)
        return tell_write_end(t);
    update(t);
    if (taken == 0)
        return IO_AGAIN;
    *put = taken;
    return IO_OK;
}

static enum io tls_shut_write(struct stream *s)
{
    struct tls_stream *t = tls_stream_of(s);
    int err;
    int rc;
    int code;

    if (t->phase == PHASE_HANDSHAKE)
        return IO_AGAIN;
    if (t->write_end == END_CLOSED)
        return IO_OK;
    if (t->write_end == END_FAILED || t->phase == PHASE_FAILED)
        return tell_write_end(t);
    if (tls_stream_flush(t) && !full(t)) {
        tls_clear_errors();
        rc = SSL_shutdown(t->ssl);
        err = errno;
        code = rc < 0 ? SSL_get_error(t->ssl, rc) : SSL_ERROR_NONE;
        if (rc >= 0) {
            t->write_end = END_CLOSED;
            t->fail_told = true;
            update(t);
            return IO_OK;
        }
        spend(t, code);
        if (code != SSL_ERROR_WANT_WRITE && code != SSL_ERROR_WANT_READ)
            end_writing(t, judge(t, code, err));
    }
    if (t->write_end == END_FAILED)
        return tell_write_end(t);
    update(t);
    return IO_AGAIN;
}

/* --- the handshake ------------------------------------------------------------------------------------------------ */

static enum io fail_start(struct tls_stream *t, struct failure f)
{
    t->phase = PHASE_FAILED;
    t->read_end = t->write_end = END_FAILED;
    t->read_why = t->write_why = f.end == END_CLOSED ? "closed during the TLS handshake" : f.why;
    t->read_err = t->write_err = f.err;
    t->end_told = t->fail_told = true;
    update(t);
    t->s.why = t->read_why;
    t->s.err = f.err;
    return IO_FAIL;
}

static enum io tls_start(struct stream *s)
{
    struct tls_stream *t = tls_stream_of(s);
    int err;
    int rc;
    int code;

    if (t->phase == PHASE_OPEN)
        return IO_OK;
    if (t->phase == PHASE_FAILED)
        return tell_read_end(t);
    if (t->needs == STREAM_READ ? dry(t) : full(t)) {
        update(t);
        return IO_AGAIN;
    }
    tls_clear_errors();
    rc = SSL_do_handshake(t->ssl);
    err = errno;
    if (rc == 1) {
        t->phase = PHASE_OPEN;
        t->held = SSL_has_pending(t->ssl);
        t->ktls_send = BIO_get_ktls_send(SSL_get_wbio(t->ssl));
        t->ktls_receive = BIO_get_ktls_recv(SSL_get_rbio(t->ssl));
        tls_stream_counted(t, 1);
        update(t);
        return IO_OK;
    }
    code = SSL_get_error(t->ssl, rc);
    if (code != SSL_ERROR_WANT_READ && code != SSL_ERROR_WANT_WRITE)
        return fail_start(t, judge(t, code, err));
    t->needs = code == SSL_ERROR_WANT_READ ? STREAM_READ : STREAM_WRITE;
    spend(t, code);
    update(t);
    return IO_AGAIN;
}

/* --- events ------------------------------------------------------------------------------------------------------- */

void tls_stream_on_socket(struct socket_watch *w, unsigned dirs)
{
    struct tls_stream *t = container_of(w, struct tls_stream, watch);
    unsigned for_read = t->read_on_write ? STREAM_WRITE : STREAM_READ;
    unsigned for_write = t->write_on_read ? STREAM_READ : STREAM_WRITE;
    bool tell = t->phase == PHASE_HANDSHAKE;

    tell = tell || ((t->wanted & STREAM_READ) && (dirs & for_read));
    if (t->sealed && (dirs & for_write))
        tls_stream_flush(t);
    tell = tell || ((t->wanted & STREAM_WRITE) && (dirs & for_write) && !t->sealed);
    update(t);
    if (!tell)
        return;
    loop_task_cancel(&t->again); /* the owner hears it now */
    t->s.owner->ready(t->s.owner, &t->s);
}

const struct stream_ops tls_stream_ops = {
    .name = "tls",
    .start = tls_start,
    .read = tls_read,
    .write = tls_write,
    .shut_write = tls_shut_write,
    .want = tls_want,
    .free = tls_stream_free,
};
