/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the wsbridge authors */
/*
 * What every context has, listener or backend: versions, ciphers, modes, and the store of authorities.
 */
#ifndef WSBRIDGE_TLS_COMMON_H
#define WSBRIDGE_TLS_COMMON_H

#include <openssl/ssl.h>

#include "tls/certificate.h"

struct tls_common {
    const struct cfg_node *node;
    int min_version;
    const char *ciphers;
    int ktls;
};

/* 0, or -1 with the error reported. */
MUST_CHECK int tls_common_apply(SSL_CTX *c, const struct tls_common *s, struct tls_report *r);

MUST_CHECK int tls_use_certificate(SSL_CTX *c, const struct tls_certificate *cert, struct tls_report *r);

/* A store of the authorities in a PEM file and, when `crl` is not NULL, the revocation lists in another. NULL with the
 * error reported. */
X509_STORE *tls_store_new(const char *ca, const char *crl, const struct cfg_node *node, struct tls_report *r);

/* Whether the kernel offers to do TLS; for -VV and --status. Whether a stream uses it is in its info. */
bool tls_ktls_possible(void);

#endif
