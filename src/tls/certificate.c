/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the wsbridge authors */
/*
 * Certificates from files. Everything that would only show in a client's face later is looked at here: whether key and
 * certificate are a pair, whether the chain continues, whether the OCSP response is about this certificate.
 */
#include "tls/certificate.h"
#include "tls/files.h"

#include <ctype.h>
#include <errno.h>
#include <openssl/err.h>
#include <openssl/ocsp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/addr.h"
#include "base/wipe.h"

#define PASSPHRASE_MAX 1024
#define KEY_STACK ((size_t)32 << 10) /* what decoding a private key uses of it, and more */
#define OCSP_MAX (64 << 10)
#define OCSP_SLACK 300 /* seconds by which clocks may differ */
#define NAMES_MAX 1000
#define CHAIN_MAX 10 /* behind the leaf; clients stop at 100 KB of certificates in all */

static const char *const kind_names[TLS_KEY_KINDS] = {"RSA", "RSA-PSS", "ECDSA", "Ed25519", "Ed448"};

const char *tls_key_kind_name(enum tls_key_kind kind)
{
    return kind_names[kind];
}

static int64_t unix_time(const ASN1_TIME *t)
{
    struct tm tm;

    if (!t || !ASN1_TIME_to_tm(t, &tm))
        return 0;
    return timegm(&tm);
}

/* --- the files ---------------------------------------------------------------------------------------------------- */

static BIO *open_file(const char *path, const struct tls_certificate_settings *s, struct tls_report *r)
{
    const char *why = tls_file_trouble(path, TLS_PAIR_MAX);
    BIO *b;

    if (why) {
        tls_say(r, TLS_ERROR, s->node, "cannot read %s: %s", path, why);
        return NULL;
    }
    errno = 0;
    b = BIO_new_file(path, "r");
    if (!b) {
        int err = errno;

        ERR_clear_error();
        tls_say(r, TLS_ERROR, s->node, "cannot read %s: %s", path, strerror(err ? err : ENOMEM));
    }
    return b;
}

/* Neither terminal nor question: a server has nobody to ask. */
static int no_passphrase(char *buf, int size, int writing, void *arg)
{
    *(bool *)arg = true; /* asked */
    return -1;
}

struct passphrase {
    char text[PASSPHRASE_MAX];
    size_t n;
};

static int give_passphrase(char *buf, int size, int writing, void *arg)
{
    const struct passphrase *p = arg;

    if (size < 0 || p->n > (size_t)size)
        return -1;
    memcpy(buf, p->text, p->n);
    return (int)p->n;
}

static int read_passphrase(const struct tls_certificate_settings *s, struct passphrase *p, struct tls_report *r)
{
    BIO *b = open_file(s->passphrase_file, s, r);
    int n;

    if (!b)
        return -1;
    n = BIO_gets(b, p->text, sizeof(p->text));
    BIO_free(b);
    while (n > 0 && (p->text[n - 1] == '\n' || p->text[n - 1] == '\r'))
        n--;
    if (n <= 0) {
        tls_say(r, TLS_ERROR, s->node, "%s holds no passphrase", s->passphrase_file);
        return -1;
    }
    p->n = (size_t)n;
    return 0;
}

static int load_key(struct tls_certificate *c, const struct tls_certificate_settings *s, struct tls_report *r)
{
    const char *path = s->key ? s->key : s->cert;
    struct passphrase p;
    bool asked = false;
    BIO *b;

    if (s->passphrase_file && read_passphrase(s, &p, r) < 0)
        return -1;
    b = open_file(path, s, r);
    if (b && s->passphrase_file)
        c->key = PEM_read_bio_PrivateKey(b, NULL, give_passphrase, &p);
    else if (b)
        c->key = PEM_read_bio_PrivateKey(b, NULL, no_passphrase, &asked);
    OPENSSL_cleanse(&p, sizeof(p));
    stack_wipe(KEY_STACK);
    if (!b)
        return -1;
    BIO_free(b);
    if (c->key)
        return 0;
    if (asked) {
        ERR_clear_error();
        tls_say(r, TLS_ERROR, s->node, "the key in %s is encrypted; name the file with its passphrase_file", path);
    } else {
        tls_say(r, TLS_ERROR, s->node, "cannot read a private key from %s: %s", path, tls_reason("it holds none"));
    }
    return -1;
}

/* The first certificate is the leaf, the rest the chain. */
static int load_chain(struct tls_certificate *c, const struct tls_certificate_settings *s, struct tls_report *r)
{
    BIO *b = open_file(s->cert, s, r);
    unsigned long e;
    X509 *x;

    if (!b)
        return -1;
    c->leaf = PEM_read_bio_X509_AUX(b, NULL, NULL, NULL);
    c->chain = sk_X509_new_null();
    while (c->leaf && c->chain && sk_X509_num(c->chain) <= CHAIN_MAX && (x = PEM_read_bio_X509(b, NULL, NULL, NULL))) {
        if (!sk_X509_push(c->chain, x)) {
            X509_free(x);
            break;
        }
    }
    BIO_free(b);
    if (c->chain && sk_X509_num(c->chain) > CHAIN_MAX) {
        ERR_clear_error();
        tls_say(r, TLS_ERROR, s->node,
                "%s holds more than %d certificates behind the first: no client takes such a chain", s->cert,
                CHAIN_MAX);
        return -1;
    }
    /* The end of the file is an error of PEM's too; any other one is a broken certificate. */
    e = ERR_peek_last_error();
    if (c->leaf && c->chain && ERR_GET_LIB(e) == ERR_LIB_PEM && ERR_GET_REASON(e) == PEM_R_NO_START_LINE) {
        ERR_clear_error();
        return 0;
    }
    tls_say(r, TLS_ERROR, s->node, "cannot read a certificate from %s: %s", s->cert, tls_reason("it holds none"));
    return -1;
}

/* --- what is inside ----------------------------------------------------------------------------------------------- */

static bool add_name(struct tls_certificate *c, const unsigned char *p, int n)
{
    char *name;

    /* Names with other characters cannot be asked for. */
    if (n <= 0 || n > 253 || c->n_names == NAMES_MAX)
        return true;
    for (int i = 0; i < n; i++)
        if (!isalnum(p[i]) && !strchr("-_.*", p[i]))
            return true;
    name = malloc((size_t)n + 1);
    if (!name)
        return false;
    for (int i = 0; i < n; i++)
        name[i] = (char)tolower(p[i]);
    name[n] = '\0';
    c->names[c->n_names++] = name;
    return true;
}

static bool load_names(struct tls_certificate *c)
{
    GENERAL_NAMES *alt = X509_get_ext_d2i(c->leaf, NID_subject_alt_name, NULL, NULL);
    int n = alt ? sk_GENERAL_NAME_num(alt) : 0;
    bool ok;

    c->names = calloc((size_t)n + 1, sizeof(*c->names));
    ok = c->names != NULL;
    for (int i = 0; ok && i < n; i++) {
        const GENERAL_NAME *g = sk_GENERAL_NAME_value(alt, i);

        if (g->type == GEN_DNS)
            ok = add_name(c, ASN1_STRING_get0_data(g->d.dNSName), ASN1_STRING_length(g->d.dNSName));
    }
    GENERAL_NAMES_free(alt);
    if (ok && n == 0) {
        char mem[256];
        struct strbuf cn;

        strbuf_init(&cn, mem, sizeof(mem));
        tls_print_common_name(c->leaf, &cn);
        ok = add_name(c, (const unsigned char *)cn.p, cn.cut ? 0 : (int)cn.n);
    }
    return ok;
}

static int find_kind(struct tls_certificate *c)
{
    static const int ids[TLS_KEY_KINDS] = {EVP_PKEY_RSA, EVP_PKEY_RSA_PSS, EVP_PKEY_EC, EVP_PKEY_ED25519,
                                           EVP_PKEY_ED448};
    int id = EVP_PKEY_get_base_id(c->key);

    for (int i = 0; i < TLS_KEY_KINDS; i++) {
        if (ids[i] == id) {
            c->kind = (enum tls_key_kind)i;
            return 0;
        }
    }
    return -1;
}

static int check_pair(struct tls_certificate *c, const struct tls_certificate_settings *s, struct tls_report *r)
{
    unsigned n = sizeof(c->fingerprint);
    X509 *issuer;

    if (find_kind(c) < 0) {
        tls_say(r, TLS_ERROR, s->node, "%s has a kind of key that TLS cannot use", s->cert);
        return -1;
    }
    if (!X509_check_private_key(c->leaf, c->key)) {
        ERR_clear_error();
        tls_say(r, TLS_ERROR, s->node, "the key in %s does not belong to the certificate in %s",
                s->key ? s->key : s->cert, s->cert);
        return -1;
    }
    if (!X509_digest(c->leaf, EVP_sha256(), c->fingerprint, &n) || !load_names(c)) {
        tls_say(r, TLS_ERROR, s->node, "cannot look into %s: %s", s->cert, tls_reason("out of memory"));
        return -1;
    }
    c->not_before = unix_time(X509_get0_notBefore(c->leaf));
    c->not_after = unix_time(X509_get0_notAfter(c->leaf));
    issuer = sk_X509_num(c->chain) > 0 ? sk_X509_value(c->chain, 0) : NULL;
    if (issuer && X509_check_issued(issuer, c->leaf) != X509_V_OK)
        tls_say(r, TLS_WARNING, s->node,
                "the second certificate in %s did not issue the first; clients may not find their way to the root",
                s->cert);
    ERR_clear_error();
    return 0;
}

/* --- the stapled response ----------------------------------------------------------------------------------------- */

/* The single response about this certificate: good, and until when. A sentence when it cannot be used. */
static const char *check_ocsp(struct tls_certificate *c, OCSP_BASICRESP *basic, int64_t now)
{
    ASN1_GENERALIZEDTIME *this_update;
    ASN1_GENERALIZEDTIME *next_update;
    int reason;

    for (int i = 0; i < OCSP_resp_count(basic); i++) {
        OCSP_SINGLERESP *single = OCSP_resp_get0(basic, i);
        ASN1_INTEGER *serial = NULL;
        int status;

        OCSP_id_get0_info(NULL, NULL, NULL, &serial, (OCSP_CERTID *)OCSP_SINGLERESP_get0_id(single));
        if (!serial || ASN1_INTEGER_cmp(serial, X509_get0_serialNumber(c->leaf)) != 0)
            continue;
        status = OCSP_single_get0_status(single, &reason, NULL, &this_update, &next_update);
        if (status != V_OCSP_CERTSTATUS_GOOD)
            return "it does not call the certificate good";
        if (unix_time(this_update) > now + OCSP_SLACK)
            return "it is not valid yet";
        c->ocsp_until = next_update ? unix_time(next_update) : INT64_MAX;
        return c->ocsp_until <= now ? "it is out of date" : NULL;
    }
    return "it is about another certificate";
}

static const char *parse_ocsp(struct tls_certificate *c, const uint8_t *der, int n, int64_t now)
{
    const uint8_t *p = der;
    OCSP_RESPONSE *resp = d2i_OCSP_RESPONSE(NULL, &p, n);
    OCSP_BASICRESP *basic = NULL;
    const char *why = NULL;

    if (!resp || p != der + n)
        why = "it is no OCSP response in DER form";
    else if (OCSP_response_status(resp) != OCSP_RESPONSE_STATUS_SUCCESSFUL)
        why = "the responder refused to answer";
    else if (!(basic = OCSP_response_get1_basic(resp)))
        why = "it is of an unknown type";
    else
        why = check_ocsp(c, basic, now);
    OCSP_BASICRESP_free(basic);
    OCSP_RESPONSE_free(resp);
    ERR_clear_error();
    return why;
}

/* A response that is missing or old is no reason to stop serving: the handshake goes without it. */
static void load_ocsp(struct tls_certificate *c, const struct tls_certificate_settings *s, int64_t now,
                      struct tls_report *r)
{
    const char *why = tls_file_trouble(s->ocsp, SIZE_MAX); /* what is read of it is bounded below */
    FILE *f = why ? NULL : fopen(s->ocsp, "re");
    size_t n = 0;

    if (!f) {
        tls_say(r, TLS_WARNING, s->node, "cannot read %s: %s; no OCSP response is stapled", s->ocsp,
                why ? why : strerror(errno));
        return;
    }
    c->ocsp = malloc(OCSP_MAX);
    if (c->ocsp)
        n = fread(c->ocsp, 1, OCSP_MAX, f);
    fclose(f);
    if (!c->ocsp)
        why = "out of memory";
    else if (n == OCSP_MAX)
        why = "it is too large";
    else
        why = parse_ocsp(c, c->ocsp, (int)n, now);
    if (!why) {
        uint8_t *fit = realloc(c->ocsp, n);

        c->ocsp = fit ? fit : c->ocsp;
        c->ocsp_len = (int)n;
        return;
    }
    tls_say(r, TLS_WARNING, s->node, "the OCSP response in %s is not stapled: %s", s->ocsp, why);
    free(c->ocsp);
    c->ocsp = NULL;
}

/* --- life --------------------------------------------------------------------------------------------------------- */

int tls_certificate_load(struct tls_certificate *c, const struct tls_certificate_settings *s, int64_t now,
                         struct tls_report *r)
{
    *c = (struct tls_certificate){.node = s->node};
    ERR_clear_error();
    c->path = strdup(s->cert);
    if (!c->path) {
        tls_say(r, TLS_ERROR, s->node, "out of memory");
        return -1;
    }
    if (load_chain(c, s, r) < 0 || load_key(c, s, r) < 0 || check_pair(c, s, r) < 0) {
        tls_certificate_fini(c);
        return -1;
    }
    if (s->ocsp)
        load_ocsp(c, s, now, r);
    return 0;
}

void tls_certificate_fini(struct tls_certificate *c)
{
    X509_free(c->leaf);
    sk_X509_pop_free(c->chain, X509_free);
    EVP_PKEY_free(c->key);
    for (size_t i = 0; i < c->n_names; i++)
        free(c->names[i]);
    free(c->names);
    free(c->ocsp);
    free(c->path);
    *c = (struct tls_certificate){.path = NULL};
}

/* --- text --------------------------------------------------------------------------------------------------------- */

static void put_bio(BIO *b, struct strbuf *out)
{
    char *p;
    long n = BIO_get_mem_data(b, &p);

    if (n > 0)
        strbuf_put(out, (struct slice){p, (size_t)n});
}

void tls_print_subject(X509 *x, struct strbuf *out)
{
    BIO *b = BIO_new(BIO_s_mem());

    if (b && X509_NAME_print_ex(b, X509_get_subject_name(x), 0, XN_FLAG_RFC2253) >= 0)
        put_bio(b, out);
    BIO_free(b);
    ERR_clear_error();
}

void tls_print_common_name(X509 *x, struct strbuf *out)
{
    X509_NAME *name = X509_get_subject_name(x);
    int at = X509_NAME_get_index_by_NID(name, NID_commonName, -1);
    BIO *b = at >= 0 ? BIO_new(BIO_s_mem()) : NULL;

    if (b && ASN1_STRING_print_ex(b, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(name, at)),
                                  ASN1_STRFLGS_UTF8_CONVERT | ASN1_STRFLGS_ESC_CTRL) >= 0)
        put_bio(b, out);
    BIO_free(b);
    ERR_clear_error();
}

/* Only what cannot be mistaken for two names: a comma or a control character inside a value would. */
static void put_escaped(struct strbuf *out, const ASN1_STRING *s)
{
    const unsigned char *p = ASN1_STRING_get0_data(s);

    for (int i = 0; i < ASN1_STRING_length(s); i++) {
        if (p[i] <= ' ' || p[i] >= 127 || p[i] == ',' || p[i] == '\\')
            strbuf_printf(out, "\\x%02x", p[i]);
        else
            strbuf_char(out, (char)p[i]);
    }
}

static void put_ip(struct strbuf *out, const ASN1_OCTET_STRING *ip)
{
    const unsigned char *p = ASN1_STRING_get0_data(ip);
    int n = ASN1_STRING_length(ip);
    struct ip_port a = {.family = n == 4 ? IP_V4 : IP_V6};
    char text[ADDR_TEXT_MAX];

    if (n != 4 && n != 16)
        return;
    memcpy(a.ip, p, (size_t)n);
    strbuf_str(out, ip_format(&a, text));
}

void tls_print_names(X509 *x, struct strbuf *out)
{
    GENERAL_NAMES *alt = X509_get_ext_d2i(x, NID_subject_alt_name, NULL, NULL);
    const char *comma = "";

    for (int i = 0; alt && i < sk_GENERAL_NAME_num(alt); i++) {
        const GENERAL_NAME *g = sk_GENERAL_NAME_value(alt, i);
        const char *label = g->type == GEN_DNS     ? "DNS:"
                            : g->type == GEN_EMAIL ? "email:"
                            : g->type == GEN_URI   ? "URI:"
                            : g->type == GEN_IPADD ? "IP:"
                                                   : NULL;

        if (!label)
            continue;
        strbuf_str(out, comma);
        strbuf_str(out, label);
        comma = ", ";
        if (g->type == GEN_IPADD)
            put_ip(out, g->d.iPAddress);
        else
            put_escaped(out, g->d.ia5);
    }
    GENERAL_NAMES_free(alt);
    ERR_clear_error();
}
