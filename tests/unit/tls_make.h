/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the wsbridge authors */
/*
 * Certificates for the TLS tests, made on the spot: nothing in the tree can end.
 */
#ifndef WSBRIDGE_TESTS_TLS_MAKE_H
#define WSBRIDGE_TESTS_TLS_MAKE_H

#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/ocsp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/compiler.h"

#define DAY 86400

struct made {
    X509 *cert;
    EVP_PKEY *key;
};

struct made_options {
    const char *cn;
    const char *san; /* "DNS:a,DNS:*.b" or NULL */
    bool rsa;
    bool ca;
    long from; /* seconds from now */
    long to;   /* 0: 90 days */
};

static inline void add_extension(X509 *x, X509 *issuer, int nid, const char *value)
{
    X509V3_CTX v;
    X509_EXTENSION *e;

    X509V3_set_ctx(&v, issuer, x, NULL, NULL, 0);
    e = X509V3_EXT_conf_nid(NULL, &v, nid, value);
    assert_non_null(e);
    assert_int_equal(X509_add_ext(x, e, -1), 1);
    X509_EXTENSION_free(e);
}

/* Signed by `by`, or by itself when that is NULL. */
static inline struct made make_cert(const struct made *by, struct made_options o)
{
    struct made m = {.cert = X509_new(), .key = o.rsa ? EVP_RSA_gen(2048) : EVP_EC_gen("P-256")};
    const struct made *issuer = by ? by : &m;
    unsigned char serial[8];
    ASN1_INTEGER *number = NULL;
    BIGNUM *bn;
    X509_NAME *name;

    assert_non_null(m.cert);
    assert_non_null(m.key);
    FILE *f = fopen("/dev/urandom", "re");
    assert_int_equal(fread(serial, 1, 8, f), 8);
    fclose(f);
    serial[0] = 1;
    bn = BN_bin2bn(serial, 8, NULL);
    number = BN_to_ASN1_INTEGER(bn, NULL);
    X509_set_serialNumber(m.cert, number);
    ASN1_INTEGER_free(number);
    BN_free(bn);
    X509_set_version(m.cert, 2);
    X509_gmtime_adj(X509_getm_notBefore(m.cert), o.from);
    X509_gmtime_adj(X509_getm_notAfter(m.cert), o.to ? o.to : 90 * DAY + 60);
    name = X509_get_subject_name(m.cert);
    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8, (const unsigned char *)o.cn, -1, -1, 0);
    X509_set_issuer_name(m.cert, X509_get_subject_name(issuer->cert));
    X509_set_pubkey(m.cert, m.key);
    add_extension(m.cert, issuer->cert, NID_basic_constraints, o.ca ? "critical,CA:TRUE" : "CA:FALSE");
    add_extension(m.cert, issuer->cert, NID_subject_key_identifier, "hash");
    if (by)
        add_extension(m.cert, issuer->cert, NID_authority_key_identifier, "keyid");
    if (o.san)
        add_extension(m.cert, issuer->cert, NID_subject_alt_name, o.san);
    assert_true(X509_sign(m.cert, issuer->key, EVP_sha256()) > 0);
    return m;
}

static inline void made_free(struct made *m)
{
    X509_free(m->cert);
    EVP_PKEY_free(m->key);
    *m = (struct made){NULL, NULL};
}

static inline FILE *open_out(const char *path)
{
    FILE *f = fopen(path, "we");

    assert_non_null(f);
    return f;
}

static inline void write_cert(const char *path, X509 *first, X509 *second)
{
    FILE *f = open_out(path);

    assert_int_equal(PEM_write_X509(f, first), 1);
    if (second)
        assert_int_equal(PEM_write_X509(f, second), 1);
    fclose(f);
}

static inline void write_key(const char *path, EVP_PKEY *key, const char *passphrase)
{
    FILE *f = open_out(path);

    assert_int_equal(PEM_write_PrivateKey(f, key, passphrase ? EVP_aes_128_cbc() : NULL,
                                          (const unsigned char *)passphrase, passphrase ? (int)strlen(passphrase) : 0,
                                          NULL, NULL),
                     1);
    fclose(f);
}

static inline void write_text(const char *path, const char *text)
{
    FILE *f = open_out(path);

    fputs(text, f);
    fclose(f);
}

/* A revocation list of `ca` with `revoked` on it (NULL: empty). */
static inline void write_crl(const char *path, const struct made *ca, X509 *revoked)
{
    X509_CRL *crl = X509_CRL_new();
    ASN1_TIME *t = ASN1_TIME_set(NULL, time(NULL) - 60);
    FILE *f = open_out(path);

    X509_CRL_set_version(crl, 1);
    X509_CRL_set_issuer_name(crl, X509_get_subject_name(ca->cert));
    X509_CRL_set1_lastUpdate(crl, t);
    if (revoked) {
        X509_REVOKED *r = X509_REVOKED_new();

        X509_REVOKED_set_serialNumber(r, X509_get_serialNumber(revoked));
        X509_REVOKED_set_revocationDate(r, t);
        X509_CRL_add0_revoked(crl, r);
    }
    ASN1_TIME_set(t, time(NULL) + 30 * DAY);
    X509_CRL_set1_nextUpdate(crl, t);
    ASN1_TIME_free(t);
    assert_true(X509_CRL_sign(crl, ca->key, EVP_sha256()) > 0);
    assert_int_equal(PEM_write_X509_CRL(f, crl), 1);
    X509_CRL_free(crl);
    fclose(f);
}

/* An OCSP response about `m` by `ca`; `until` in seconds from now. */
static inline void write_ocsp(const char *path, const struct made *m, const struct made *ca, int status, long until)
{
    OCSP_BASICRESP *basic = OCSP_BASICRESP_new();
    OCSP_CERTID *id = OCSP_cert_to_id(EVP_sha1(), m->cert, ca->cert);
    ASN1_TIME *from = X509_gmtime_adj(NULL, -DAY);
    ASN1_TIME *to = X509_gmtime_adj(NULL, until);
    OCSP_RESPONSE *resp;
    BIO *b = BIO_new_file(path, "w");

    assert_non_null(
        OCSP_basic_add1_status(basic, id, status, 0, status == V_OCSP_CERTSTATUS_REVOKED ? from : NULL, from, to));
    assert_int_equal(OCSP_basic_sign(basic, ca->cert, ca->key, EVP_sha256(), NULL, OCSP_NOCERTS), 1);
    resp = OCSP_response_create(OCSP_RESPONSE_STATUS_SUCCESSFUL, basic);
    assert_non_null(resp);
    assert_int_equal(i2d_OCSP_RESPONSE_bio(b, resp), 1);
    BIO_free(b);
    OCSP_RESPONSE_free(resp);
    OCSP_BASICRESP_free(basic);
    OCSP_CERTID_free(id);
    ASN1_TIME_free(from);
    ASN1_TIME_free(to);
}

#endif
