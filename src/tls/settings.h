/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the wsbridge authors */
/*
 * What the configuration says about TLS, both directions: plain structs and their option tables. No OpenSSL here.
 */
#ifndef WSBRIDGE_TLS_SETTINGS_H
#define WSBRIDGE_TLS_SETTINGS_H

#include "config/schema.h"

enum tls_min_version { TLS_MIN_1_2, TLS_MIN_1_3 };
enum tls_client_auth { TLS_CLIENT_NONE, TLS_CLIENT_OPTIONAL, TLS_CLIENT_REQUIRED };
enum tls_ktls { TLS_KTLS_AUTO, TLS_KTLS_OFF };

/* One entry of `certificates`, and the client certificate toward a backend. */
struct tls_certificate_settings {
    const struct cfg_node *node;
    const char *cert;
    const char *key; /* NULL: inside the cert file */
    const char *passphrase_file;
    const char *ocsp;
};

/* "tls.NAME", also inline in a listener (then without a name). */
struct tls_settings {
    struct cfg_named name; /* must be first: CFG_MAP */
    const struct cfg_node *node;
    uint64_t given;
    struct tls_certificate_settings one; /* cert and key given beside the other keys: a list of one */
    struct cfg_items certificates;       /* struct tls_certificate_settings */
    int min_version;                     /* enum tls_min_version */
    const char *ciphers;
    const char *client_ca;
    const char *client_crl;
    int client_auth; /* enum tls_client_auth */
    bool strict_sni;
    bool detect;
    bool redirect;
    bool tickets;
    int ktls; /* enum tls_ktls */
};

extern const struct cfg_table tls_table;

/* The certificates, however they were written. */
size_t tls_settings_count(const struct tls_settings *s);
const struct tls_certificate_settings *tls_settings_certificate(const struct tls_settings *s, size_t i);

/* "services.NAME.tls": TLS to the backend. The shorthand is on or off. */
struct tls_backend_settings {
    bool enabled; /* first: what is absent is off */
    const struct cfg_node *node;
    uint64_t given;
    bool verify;
    const char *ca;          /* NULL: the system's store */
    const char *server_name; /* NULL: the service's host */
    struct tls_certificate_settings own;
    int min_version;
    const char *ciphers;
    int ktls;
};

extern const struct cfg_table tls_backend_table;

#endif
