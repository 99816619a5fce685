/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the wsbridge authors */
/*
 * A certificate with its chain, its key and its stapled OCSP response, read from files and checked to belong together.
 */
#ifndef WSBRIDGE_TLS_CERTIFICATE_H
#define WSBRIDGE_TLS_CERTIFICATE_H

#include <openssl/x509.h>

#include "base/strbuf.h"
#include "tls/report.h"
#include "tls/settings.h"

/* The kinds that OpenSSL holds side by side in one context: one of each. */
enum tls_key_kind { TLS_KEY_RSA, TLS_KEY_RSA_PSS, TLS_KEY_EC, TLS_KEY_ED25519, TLS_KEY_ED448, TLS_KEY_KINDS };

struct tls_certificate {
    char *path;
    const struct cfg_node *node;
    X509 *leaf;
    STACK_OF(X509) * chain;
    EVP_PKEY *key;
    enum tls_key_kind kind;
    size_t n_names;
    char **names; /* DNS names in lower case, of the alternative names or else of the subject */
    int64_t not_before;
    int64_t not_after; /* unix seconds */
    uint8_t fingerprint[32];
    uint8_t *ocsp; /* DER; NULL when there is none, or none that is good */
    int ocsp_len;
    int64_t ocsp_until; /* unix seconds; INT64_MAX when the response names no end */
};

/* Fills *c. 0, or -1 with the error reported and *c empty. A bad OCSP response is a warning and leaves it out. `now`:
 * unix seconds. */
MUST_CHECK int tls_certificate_load(struct tls_certificate *c, const struct tls_certificate_settings *s, int64_t now,
                                    struct tls_report *r);
void tls_certificate_fini(struct tls_certificate *c);

const char *tls_key_kind_name(enum tls_key_kind kind); /* "RSA", "ECDSA", ... */

/* The text of a certificate's alternative names, "DNS:a, IP:192.0.2.1, URI:..., email:..."; untrusted bytes come
 * escaped. */
void tls_print_names(X509 *x, struct strbuf *out);
void tls_print_subject(X509 *x, struct strbuf *out);     /* RFC 2253 */
void tls_print_common_name(X509 *x, struct strbuf *out); /* empty when there is none */

#endif
