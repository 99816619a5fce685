/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the wsbridge authors */
/*
 * Contexts toward backends. Sessions are not resumed: a bridge connects to a backend once a session, and what a ticket
 * would save is small beside keeping tickets apart by service, address and certificate.
 */
#include "tls/client.h"

#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdlib.h>

#include "tls/common.h"

struct tls_client {
    struct ref ref;
    SSL_CTX *c;
    bool verify;
    char *server_name; /* NULL: the service's host */
};

static void client_free(struct ref *r)
{
    struct tls_client *c = container_of(r, struct tls_client, ref);

    SSL_CTX_free(c->c);
    free(c->server_name);
    free(c);
}

static int set_authorities(struct tls_client *c, const struct tls_backend_settings *s, struct tls_report *r)
{
    X509_STORE *store;

    SSL_CTX_set_verify(c->c, s->verify ? SSL_VERIFY_PEER : SSL_VERIFY_NONE, NULL);
    if (!s->verify)
        return 0;
    if (s->ca) {
        store = tls_store_new(s->ca, NULL, s->node, r);
        if (!store)
            return -1;
        SSL_CTX_set_cert_store(c->c, store);
        return 0;
    }
    if (SSL_CTX_set_default_verify_paths(c->c))
        return 0;
    tls_say(r, TLS_ERROR, s->node, "cannot use the system's authorities: %s", tls_reason("out of memory"));
    return -1;
}

static int set_own(struct tls_client *c, const struct tls_backend_settings *s, int64_t now, struct tls_report *r)
{
    struct tls_certificate own;
    int rc;

    if (!s->own.cert)
        return 0;
    if (tls_certificate_load(&own, &s->own, now, r) < 0)
        return -1;
    if (own.not_after <= now)
        tls_say(r, TLS_WARNING, s->node, "the certificate in %s has ended", own.path);
    rc = tls_use_certificate(c->c, &own, r);
    tls_certificate_fini(&own); /* the context has its own holds */
    return rc;
}

struct tls_client *tls_client_new(const struct tls_backend_settings *s, int64_t now, struct tls_report *r)
{
    const struct tls_common common = {s->node, s->min_version, s->ciphers, s->ktls};
    struct tls_client *c = calloc(1, sizeof(*c));

    if (!c) {
        tls_say(r, TLS_ERROR, s->node, "out of memory");
        return NULL;
    }
    ref_init(&c->ref, client_free);
    c->verify = s->verify;
    c->c = SSL_CTX_new(TLS_client_method());
    if (s->server_name)
        c->server_name = strdup(s->server_name);
    if (!c->c || (s->server_name && !c->server_name)) {
        tls_say(r, TLS_ERROR, s->node, "cannot make a TLS context: %s", tls_reason("out of memory"));
        tls_client_give(c);
        return NULL;
    }
    if (tls_common_apply(c->c, &common, r) < 0 || set_authorities(c, s, r) < 0 || set_own(c, s, now, r) < 0) {
        tls_client_give(c);
        return NULL;
    }
    SSL_CTX_set_options(c->c, SSL_OP_NO_TICKET);
    return c;
}

void tls_client_take(struct tls_client *c)
{
    ref_take(&c->ref);
}

void tls_client_give(struct tls_client *c)
{
    if (c)
        ref_give(&c->ref);
}

const char *tls_client_name(const struct tls_client *c, const char *host)
{
    return c->server_name ? c->server_name : host;
}

bool tls_client_verifies(const struct tls_client *c)
{
    return c->verify;
}

static bool is_ip(const char *name)
{
    unsigned char ip[16];

    return inet_pton(AF_INET, name, ip) == 1 || inet_pton(AF_INET6, name, ip) == 1;
}

/* SNI holds DNS names alone (RFC 6066, section 3), without a closing dot. */
static bool set_name(SSL *ssl, const char *name, bool verify)
{
    X509_VERIFY_PARAM *param = SSL_get0_param(ssl);
    char text[256];
    size_t n = strlen(name);

    if (is_ip(name))
        return !verify || X509_VERIFY_PARAM_set1_ip_asc(param, name) == 1;
    if (n && name[n - 1] == '.')
        n--;
    if (n == 0 || n >= sizeof(text))
        return false;
    memcpy(text, name, n);
    text[n] = '\0';
    if (SSL_set_tlsext_host_name(ssl, text) != 1)
        return false;
    if (!verify)
        return true;
    X509_VERIFY_PARAM_set_hostflags(param, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    return X509_VERIFY_PARAM_set1_host(param, text, n) == 1;
}

SSL *tls_client_ssl_new(struct tls_client *c, const char *host, const char **why)
{
    const char *name = tls_client_name(c, host);
    SSL *ssl;

    if (!name && c->verify) {
        *why = "the service has no host name to check the certificate against; set tls.server_name";
        return NULL;
    }
    ssl = SSL_new(c->c);
    if (!ssl) {
        *why = tls_reason("out of memory");
        return NULL;
    }
    if (name && !set_name(ssl, name, c->verify)) {
        *why = tls_reason("the server name is none");
        SSL_free(ssl);
        return NULL;
    }
    return ssl;
}
