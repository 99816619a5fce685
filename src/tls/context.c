/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the wsbridge authors */
/*
 * Building a listener's set of contexts, and choosing among them. After tls_set_new nothing in a set is written again,
 * so workers read it without a lock; OpenSSL counts its own holds.
 */
#include "tls/context.h"

#include <ctype.h>
#include <openssl/err.h>
#include <stdlib.h>
#include <time.h>

#include "tls/common.h"

#define NAME_MAX_LEN 253

/* A combination of certificates, one of each kind at most, and its context. */
struct identity {
    struct tls_set *set;
    SSL_CTX *c;
    const struct tls_certificate *of[TLS_KEY_KINDS];
};

struct name_entry {
    const char *name;
    size_t at; /* of the certificate while building, then of the identity */
};

struct tls_set {
    struct ref ref;
    struct tls_tickets *tickets; /* NULL: none */
    bool strict_sni;
    size_t n_certs;
    struct tls_certificate *certs;
    size_t n_identities;
    struct identity *identities; /* the first is the default */
    size_t n_names;
    struct name_entry *names; /* sorted, unique */
};

/* What all contexts of one set get, while building. */
struct build {
    const struct tls_settings *s;
    struct tls_report *r;
    X509_STORE *store;
    STACK_OF(X509_NAME) * ca_names;
    unsigned char sid[32];
};

/* --- choosing ----------------------------------------------------------------------------------------------------- */

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct name_entry *)a)->name, ((const struct name_entry *)b)->name);
}

static const struct identity *look_up(const struct tls_set *set, const char *name)
{
    struct name_entry key = {.name = name};
    const struct name_entry *e = bsearch(&key, set->names, set->n_names, sizeof(key), by_name);

    return e ? &set->identities[e->at] : NULL;
}

static const struct identity *choose(const struct tls_set *set, const char *server_name)
{
    char name[NAME_MAX_LEN + 2];
    const struct identity *id;
    size_t n = server_name ? strlen(server_name) : 0;
    char *dot;

    if (n && server_name[n - 1] == '.')
        n--;
    if (n == 0 || n > NAME_MAX_LEN)
        return NULL;
    for (size_t i = 0; i < n; i++)
        name[i + 1] = (char)tolower((unsigned char)server_name[i]);
    name[n + 1] = '\0';
    id = look_up(set, name + 1);
    if (id)
        return id;
    /* The wildcard stands for exactly one label, and there is room for its star in front of the dot. */
    dot = strchr(name + 1, '.');
    if (!dot || dot == name + 1)
        return NULL;
    dot[-1] = '*';
    return look_up(set, dot - 1);
}

bool tls_set_choose(const struct tls_set *set, const char *server_name, int *rsa, int *ecdsa)
{
    const struct identity *id = choose(set, server_name);

    if (!id && set->strict_sni)
        return false;
    if (!id)
        id = &set->identities[0];
    *rsa = id->of[TLS_KEY_RSA] ? (int)(id->of[TLS_KEY_RSA] - set->certs) : -1;
    *ecdsa = id->of[TLS_KEY_EC] ? (int)(id->of[TLS_KEY_EC] - set->certs) : -1;
    return true;
}

/* --- OpenSSL's questions ------------------------------------------------------------------------------------------ */

static struct identity *identity_of(const SSL *ssl)
{
    return SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));
}

static int on_server_name(SSL *ssl, int *alert, void *arg)
{
    struct tls_set *set = arg;
    const struct identity *id = choose(set, SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name));

    if (!id && set->strict_sni) {
        *alert = SSL_AD_UNRECOGNIZED_NAME;
        return SSL_TLSEXT_ERR_ALERT_FATAL;
    }
    if (!id)
        return SSL_TLSEXT_ERR_NOACK;
    if (id != &set->identities[0])
        SSL_set_SSL_CTX(ssl, id->c);
    return SSL_TLSEXT_ERR_OK;
}

static int on_alpn(SSL *ssl, const unsigned char **out, unsigned char *out_len, const unsigned char *in, unsigned n,
                   void *arg)
{
    static const unsigned char h2_first[] = "\x02h2\x08http/1.1";
    const unsigned *flags = SSL_get_app_data(ssl);
    const unsigned char *ours = *flags & TLS_ALPN_H2 ? h2_first : h2_first + 3;
    unsigned n_ours = (unsigned)(h2_first + sizeof(h2_first) - 1 - ours);
    unsigned char *chosen;

    if (!(*flags & TLS_ALPN_HTTP1))
        n_ours = *flags & TLS_ALPN_H2 ? 3 : 0;
    if (n_ours == 0)
        return SSL_TLSEXT_ERR_NOACK;
    /* A client that names protocols, but none of ours, must not be taken for one that speaks HTTP (RFC 7301, 3.2). */
    if (SSL_select_next_proto(&chosen, out_len, ours, n_ours, in, n) != OPENSSL_NPN_NEGOTIATED)
        return SSL_TLSEXT_ERR_ALERT_FATAL;
    *out = chosen;
    return SSL_TLSEXT_ERR_OK;
}

static int on_status_request(SSL *ssl, void *arg)
{
    const struct identity *id = identity_of(ssl);
    const X509 *leaf = SSL_get_certificate(ssl);
    unsigned char *copy;

    for (int i = 0; i < TLS_KEY_KINDS; i++) {
        const struct tls_certificate *c = id->of[i];

        if (!c || c->leaf != leaf || !c->ocsp || c->ocsp_until <= time(NULL))
            continue;
        copy = OPENSSL_memdup(c->ocsp, (size_t)c->ocsp_len);
        if (!copy)
            break;
        SSL_set_tlsext_status_ocsp_resp(ssl, copy, c->ocsp_len);
        return SSL_TLSEXT_ERR_OK;
    }
    return SSL_TLSEXT_ERR_NOACK;
}

static int on_ticket(SSL *ssl, unsigned char *name, unsigned char *iv, EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac,
                     int encrypt)
{
    return tls_tickets_apply(identity_of(ssl)->set->tickets, name, iv, cipher, mac, encrypt);
}

/* --- contexts ----------------------------------------------------------------------------------------------------- */

static void set_clients(SSL_CTX *c, const struct build *b)
{
    int mode = SSL_VERIFY_PEER;

    if (!b->store)
        return;
    if (b->s->client_auth == TLS_CLIENT_REQUIRED)
        mode |= SSL_VERIFY_FAIL_IF_NO_PEER_CERT;
    SSL_CTX_set1_cert_store(c, b->store);
    SSL_CTX_set_client_CA_list(c, SSL_dup_CA_list(b->ca_names));
    SSL_CTX_set_verify(c, mode, NULL);
}

static void set_tickets(SSL_CTX *c, const struct tls_set *set)
{
    SSL_CTX_set_timeout(c, TLS_SESSION_SECONDS);
    if (set->tickets) {
        SSL_CTX_set_tlsext_ticket_key_evp_cb(c, on_ticket);
        SSL_CTX_set_num_tickets(c, 1);
    } else {
        SSL_CTX_set_options(c, SSL_OP_NO_TICKET);
        SSL_CTX_set_num_tickets(c, 0);
    }
}

static int make_context(struct tls_set *set, struct identity *id, const struct build *b)
{
    const struct tls_common common = {b->s->node, b->s->min_version, b->s->ciphers, b->s->ktls};

    id->set = set;
    id->c = SSL_CTX_new(TLS_server_method());
    if (!id->c) {
        tls_say(b->r, TLS_ERROR, b->s->node, "cannot make a TLS context: %s", tls_reason("out of memory"));
        return -1;
    }
    if (tls_common_apply(id->c, &common, b->r) < 0)
        return -1;
    for (int i = 0; i < TLS_KEY_KINDS; i++)
        if (id->of[i] && tls_use_certificate(id->c, id->of[i], b->r) < 0)
            return -1;
    SSL_CTX_set_app_data(id->c, id);
    SSL_CTX_set_session_id_context(id->c, b->sid, sizeof(b->sid));
    SSL_CTX_set_tlsext_servername_callback(id->c, on_server_name);
    SSL_CTX_set_tlsext_servername_arg(id->c, set);
    SSL_CTX_set_alpn_select_cb(id->c, on_alpn, NULL);
    SSL_CTX_set_tlsext_status_cb(id->c, on_status_request);
    set_clients(id->c, b);
    set_tickets(id->c, set);
    return 0;
}

/* The place of this combination among the identities; a new one is appended (there is room: one for each name and the
 * default). */
static size_t place_identity(struct tls_set *set, const struct tls_certificate *const *of)
{
    for (size_t i = 0; i < set->n_identities; i++)
        if (memcmp(set->identities[i].of, of, sizeof(set->identities[i].of)) == 0)
            return i;
    memcpy(set->identities[set->n_identities].of, of, sizeof(set->identities[0].of));
    return set->n_identities++;
}

static int by_name_then_order(const void *a, const void *b)
{
    const struct name_entry *x = a;
    const struct name_entry *y = b;
    int by = by_name(a, b);

    return by ? by : (x->at > y->at) - (x->at < y->at);
}

/* The certificates that bear one name, [from, to) of the sorted entries: of each kind the first counts. */
static void combine(const struct tls_set *set, size_t from, size_t to, const struct tls_certificate **of)
{
    memset(of, 0, TLS_KEY_KINDS * sizeof(*of));
    for (size_t i = from; i < to; i++) {
        const struct tls_certificate *c = &set->certs[set->names[i].at];

        if (!of[c->kind])
            of[c->kind] = c;
    }
}

static size_t end_of_name(const struct tls_set *set, size_t from)
{
    size_t to = from + 1;

    while (to < set->n_names && strcmp(set->names[to].name, set->names[from].name) == 0)
        to++;
    return to;
}

/* The first certificate, joined by those of other kinds that share its first name. */
static void place_default(struct tls_set *set)
{
    const struct tls_certificate *of[TLS_KEY_KINDS] = {NULL};
    const struct tls_certificate *first = &set->certs[0];

    for (size_t i = 0; first->n_names && i < set->n_names; i++) {
        if (strcmp(set->names[i].name, first->names[0]) == 0) {
            combine(set, i, end_of_name(set, i), of);
            break;
        }
    }
    of[first->kind] = first;
    place_identity(set, of);
}

static int index_names(struct tls_set *set)
{
    const struct tls_certificate *of[TLS_KEY_KINDS];
    size_t total = 0;
    size_t out = 0;

    for (size_t i = 0; i < set->n_certs; i++)
        total += set->certs[i].n_names;
    set->names = calloc(total + 1, sizeof(*set->names));
    set->identities = calloc(total + 1, sizeof(*set->identities));
    if (!set->names || !set->identities)
        return -1;
    for (size_t i = 0; i < set->n_certs; i++)
        for (size_t k = 0; k < set->certs[i].n_names; k++)
            set->names[set->n_names++] = (struct name_entry){set->certs[i].names[k], i};
    qsort(set->names, set->n_names, sizeof(*set->names), by_name_then_order);
    place_default(set);
    for (size_t from = 0, to; from < set->n_names; from = to) {
        struct name_entry entry = {.name = set->names[from].name};

        to = end_of_name(set, from);
        combine(set, from, to, of);
        entry.at = place_identity(set, of);
        set->names[out++] = entry;
    }
    set->n_names = out;
    return 0;
}

/* --- rules for clients -------------------------------------------------------------------------------------------- */

static bool digest_file(EVP_MD_CTX *md, const char *path)
{
    unsigned char buf[4096];
    BIO *b = path ? BIO_new_file(path, "r") : NULL;
    int n = 0;

    if (!path)
        return EVP_DigestUpdate(md, "-", 1) == 1;
    while (b && (n = BIO_read(b, buf, sizeof(buf))) > 0)
        if (EVP_DigestUpdate(md, buf, (size_t)n) != 1)
            break;
    BIO_free(b);
    return b && n == 0;
}

/* A ticket is good only where the same rules for client certificates hold, down to the bytes of CA and CRL: a client
 * that resumes is not asked for its certificate again. The name keeps sets apart that serve different sites. */
static int make_sid(struct build *b)
{
    EVP_MD_CTX *md = EVP_MD_CTX_new();
    const char *name = b->s->name.name ? b->s->name.name : "";
    int auth = b->s->client_auth;
    bool ok = md && EVP_DigestInit_ex(md, EVP_sha256(), NULL) == 1 &&
              EVP_DigestUpdate(md, name, strlen(name) + 1) == 1 && EVP_DigestUpdate(md, &auth, sizeof(auth)) == 1;

    if (ok && auth != TLS_CLIENT_NONE)
        ok = digest_file(md, b->s->client_ca) && digest_file(md, b->s->client_crl);
    ok = ok && EVP_DigestFinal_ex(md, b->sid, NULL) == 1;
    EVP_MD_CTX_free(md);
    if (!ok)
        tls_say(b->r, TLS_ERROR, b->s->node, "cannot read the rules for client certificates: %s",
                tls_reason("out of memory"));
    return ok ? 0 : -1;
}

static int load_clients(struct build *b)
{
    if (b->s->client_auth == TLS_CLIENT_NONE)
        return 0;
    b->store = tls_store_new(b->s->client_ca, b->s->client_crl, b->s->node, b->r);
    if (!b->store)
        return -1;
    b->ca_names = SSL_load_client_CA_file(b->s->client_ca);
    if (b->ca_names)
        return 0;
    tls_say(b->r, TLS_ERROR, b->s->node, "cannot read authorities from %s: %s", b->s->client_ca,
            tls_reason("it holds none"));
    return -1;
}

/* --- life --------------------------------------------------------------------------------------------------------- */

static void set_free(struct ref *ref)
{
    struct tls_set *set = container_of(ref, struct tls_set, ref);

    for (size_t i = 0; i < set->n_identities; i++)
        SSL_CTX_free(set->identities[i].c);
    for (size_t i = 0; i < set->n_certs; i++)
        tls_certificate_fini(&set->certs[i]);
    free(set->identities);
    free(set->names);
    free(set->certs);
    tls_tickets_give(set->tickets);
    free(set);
}

static int load_certificates(struct tls_set *set, const struct build *b, int64_t now)
{
    size_t n = tls_settings_count(b->s);
    int rc = 0;

    set->certs = calloc(n ? n : 1, sizeof(*set->certs));
    if (!set->certs || n == 0) {
        tls_say(b->r, TLS_ERROR, b->s->node, n ? "out of memory" : "TLS needs a certificate");
        return -1;
    }
    /* All of them, so that one run shows every error. */
    for (size_t i = 0; i < n; i++) {
        if (tls_certificate_load(&set->certs[set->n_certs], tls_settings_certificate(b->s, i), now, b->r) < 0)
            rc = -1;
        else
            set->n_certs++;
    }
    return rc;
}

static int build_set(struct tls_set *set, struct build *b, int64_t now)
{
    if (load_certificates(set, b, now) < 0 || load_clients(b) < 0 || make_sid(b) < 0)
        return -1;
    if (index_names(set) < 0) {
        tls_say(b->r, TLS_ERROR, b->s->node, "out of memory");
        return -1;
    }
    for (size_t i = 0; i < set->n_identities; i++)
        if (make_context(set, &set->identities[i], b) < 0)
            return -1;
    return 0;
}

struct tls_set *tls_set_new(const struct tls_settings *s, struct tls_tickets *tickets, int64_t now,
                            struct tls_report *r)
{
    struct build b = {.s = s, .r = r};
    struct tls_set *set = calloc(1, sizeof(*set));
    int rc;

    if (!set) {
        tls_say(r, TLS_ERROR, s->node, "out of memory");
        return NULL;
    }
    ref_init(&set->ref, set_free);
    set->strict_sni = s->strict_sni;
    if (s->tickets && tickets) {
        set->tickets = tickets;
        tls_tickets_take(tickets);
    }
    rc = build_set(set, &b, now);
    X509_STORE_free(b.store);
    sk_X509_NAME_pop_free(b.ca_names, X509_NAME_free);
    if (rc == 0)
        return set;
    tls_set_give(set);
    return NULL;
}

void tls_set_take(struct tls_set *set)
{
    ref_take(&set->ref);
}

void tls_set_give(struct tls_set *set)
{
    if (set)
        ref_give(&set->ref);
}

SSL *tls_set_ssl_new(struct tls_set *set, const unsigned *alpn)
{
    SSL *ssl = SSL_new(set->identities[0].c);

    if (ssl)
        SSL_set_app_data(ssl, (unsigned *)(uintptr_t)alpn);
    return ssl;
}

/* --- telling ------------------------------------------------------------------------------------------------------ */

size_t tls_set_count(const struct tls_set *set)
{
    return set->n_certs;
}

void tls_set_info(const struct tls_set *set, size_t i, struct tls_certificate_info *out)
{
    const struct tls_certificate *c = &set->certs[i];

    *out = (struct tls_certificate_info){
        .path = c->path,
        .kind = tls_key_kind_name(c->kind),
        .n_names = c->n_names,
        .names = c->names,
        .not_before = c->not_before,
        .not_after = c->not_after,
        .fingerprint = c->fingerprint,
        .ocsp = c->ocsp != NULL,
    };
}

static bool has_certificate(const struct tls_set *set, const uint8_t *fingerprint)
{
    for (size_t i = 0; i < set->n_certs; i++)
        if (memcmp(set->certs[i].fingerprint, fingerprint, sizeof(set->certs[i].fingerprint)) == 0)
            return true;
    return false;
}

const char *tls_set_newly_ended(const struct tls_set *set, const struct tls_set *old, int64_t now)
{
    for (size_t i = 0; i < set->n_certs; i++)
        if (set->certs[i].not_after <= now && !has_certificate(old, set->certs[i].fingerprint))
            return set->certs[i].path;
    return NULL;
}

void tls_set_warn(const struct tls_set *set, int64_t now, struct tls_report *r)
{
    for (size_t i = 0; i < set->n_certs; i++) {
        const struct tls_certificate *c = &set->certs[i];
        int64_t days = (c->not_after - now) / 86400;

        if (c->not_after <= now)
            tls_say(r, TLS_WARNING, c->node, "the certificate in %s has ended", c->path);
        else if (days < TLS_WARN_DAYS)
            tls_say(r, TLS_WARNING, c->node, "the certificate in %s ends in %d day%s", c->path, (int)days,
                    days == 1 ? "" : "s");
        if (c->not_before > now)
            tls_say(r, TLS_WARNING, c->node, "the certificate in %s is not valid yet", c->path);
    }
}
