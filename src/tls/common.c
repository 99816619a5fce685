/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the wsbridge authors */
/*
 * The common part of contexts.
 *
 * Modes: partial writes and a moving write buffer are what the stream's contract needs; released buffers are what makes
 * an idle session cost 10 KB instead of 45. Read-ahead takes header and body of a record from the kernel in one call.
 */
#include "tls/common.h"
#include "tls/files.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

/* Forward secrecy and authenticated encryption: what is left of TLS 1.2 when nobody else has chosen. */
#define OUR_CIPHERS "ECDHE+AESGCM:ECDHE+CHACHA20"

/* An unconnected socket refuses the TLS layer with ENOTCONN when there is one, and with ENOENT when there is none. */
bool tls_ktls_possible(void)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool possible;

    if (fd < 0)
        return false;
    possible = setsockopt(fd, IPPROTO_TCP, TCP_ULP, "tls", sizeof("tls")) == 0 || errno == ENOTCONN;
    close(fd);
    return possible;
}

static bool same_ciphers(SSL_CTX *a, SSL_CTX *b)
{
    STACK_OF(SSL_CIPHER) *x = SSL_CTX_get_ciphers(a);
    STACK_OF(SSL_CIPHER) *y = SSL_CTX_get_ciphers(b);
    int n = sk_SSL_CIPHER_num(x);

    if (n != sk_SSL_CIPHER_num(y))
        return false;
    for (int i = 0; i < n; i++)
        if (sk_SSL_CIPHER_value(x, i) != sk_SSL_CIPHER_value(y, i))
            return false;
    return true;
}

/* A distribution states its policy by compiling a profile into OpenSSL's default list (Fedora) or by a CipherString in
 * openssl.cnf, which a fresh context has applied already. Where neither is so the choice is left to us. */
static bool system_has_policy(SSL_CTX *fresh)
{
    const char *list = OSSL_default_cipher_list();
    SSL_CTX *plain;
    bool same;

    if (strstr(list, "PROFILE") || strstr(list, "SYSTEM"))
        return true;
    plain = SSL_CTX_new(TLS_method());
    same = plain && SSL_CTX_set_cipher_list(plain, list) && same_ciphers(fresh, plain);
    SSL_CTX_free(plain);
    ERR_clear_error();
    return !same;
}

/* Parts "TLS_..." names from the rest: OpenSSL has two lists where a user sees one. */
static bool split_ciphers(const char *text, struct strbuf *list, struct strbuf *suites)
{
    struct slice rest = slice_of(text);
    struct slice piece;

    while (slice_cut(&rest, ':', &piece)) {
        struct strbuf *b = slice_starts(piece, SLICE("TLS_")) ? suites : list;

        if (piece.n == 0)
            continue;
        if (b->n)
            strbuf_char(b, ':');
        strbuf_put(b, piece);
    }
    return !list->cut && !suites->cut;
}

static int apply_ciphers(SSL_CTX *c, const struct tls_common *s, struct tls_report *r)
{
    char list_mem[2048];
    char suites_mem[512];
    struct strbuf list;
    struct strbuf suites;

    if (!s->ciphers || strcmp(s->ciphers, "system") == 0) {
        if (system_has_policy(c) || SSL_CTX_set_cipher_list(c, OUR_CIPHERS))
            return 0;
        tls_say(r, TLS_ERROR, s->node, "cannot set ciphers: %s", tls_reason("out of memory"));
        return -1;
    }
    strbuf_init(&list, list_mem, sizeof(list_mem));
    strbuf_init(&suites, suites_mem, sizeof(suites_mem));
    if (split_ciphers(s->ciphers, &list, &suites) && (list.n || suites.n) &&
        (!list.n || SSL_CTX_set_cipher_list(c, list.p)) && (!suites.n || SSL_CTX_set_ciphersuites(c, suites.p)))
        return 0;
    tls_say(r, TLS_ERROR, s->node, "ciphers \"%s\": %s", s->ciphers, tls_reason("not understood"));
    return -1;
}

int tls_common_apply(SSL_CTX *c, const struct tls_common *s, struct tls_report *r)
{
    int version = s->min_version == TLS_MIN_1_3 ? TLS1_3_VERSION : TLS1_2_VERSION;

    ERR_clear_error();
    /* The system may ask for more than we do; never for less. */
    if (SSL_CTX_get_min_proto_version(c) < version && !SSL_CTX_set_min_proto_version(c, version)) {
        tls_say(r, TLS_ERROR, s->node, "the system does not allow min_version: %s", tls_reason("refused"));
        return -1;
    }
    if (apply_ciphers(c, s, r) < 0)
        return -1;
    /* A FIN without close_notify is told apart by the stream; here it must not end the other direction. */
    SSL_CTX_set_options(c, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_IGNORE_UNEXPECTED_EOF);
    SSL_CTX_set_mode(c, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_RELEASE_BUFFERS |
                            SSL_MODE_NO_AUTO_CHAIN);
    SSL_CTX_set_read_ahead(c, 1);
    SSL_CTX_set_session_cache_mode(c, SSL_SESS_CACHE_OFF);
    if (s->ktls == TLS_KTLS_AUTO && tls_ktls_possible())
        SSL_CTX_set_options(c, SSL_OP_ENABLE_KTLS);
    return 0;
}

int tls_use_certificate(SSL_CTX *c, const struct tls_certificate *cert, struct tls_report *r)
{
    ERR_clear_error();
    if (SSL_CTX_use_cert_and_key(c, cert->leaf, cert->key, cert->chain, 1))
        return 0;
    tls_say(r, TLS_ERROR, cert->node, "cannot use the certificate in %s: %s", cert->path, tls_reason("out of memory"));
    return -1;
}

X509_STORE *tls_store_new(const char *ca, const char *crl, const struct cfg_node *node, struct tls_report *r)
{
    X509_STORE *store = X509_STORE_new();
    X509_LOOKUP *lookup = store ? X509_STORE_add_lookup(store, X509_LOOKUP_file()) : NULL;

    for (int i = 0; i < 2; i++) {
        const char *path = i ? crl : ca;
        const char *why = path ? tls_file_trouble(path, i ? TLS_CRL_MAX : TLS_AUTHORITIES_MAX) : NULL;

        if (why) {
            tls_say(r, TLS_ERROR, node, "cannot read %s: %s", path, why);
            X509_STORE_free(store);
            return NULL;
        }
    }
    ERR_clear_error();
    if (!lookup || X509_load_cert_file(lookup, ca, X509_FILETYPE_PEM) <= 0) {
        tls_say(r, TLS_ERROR, node, "cannot read authorities from %s: %s", ca, tls_reason("it holds none"));
        X509_STORE_free(store);
        return NULL;
    }
    if (crl && X509_load_crl_file(lookup, crl, X509_FILETYPE_PEM) <= 0) {
        tls_say(r, TLS_ERROR, node, "cannot read revocation lists from %s: %s", crl, tls_reason("it holds none"));
        X509_STORE_free(store);
        return NULL;
    }
    if (crl)
        X509_STORE_set_flags(store, X509_V_FLAG_CRL_CHECK | X509_V_FLAG_CRL_CHECK_ALL);
    return store;
}
