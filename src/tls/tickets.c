/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the wsbridge authors */
/*
 * The ring of ticket keys. The lock is held for a copy of 80 bytes; the cipher is looked up once, because OpenSSL 3
 * searches its providers at every use of an unfetched one.
 */
#include "tls/tickets.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/rand.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/compiler.h"
#include "base/random.h"

struct ticket_key {
    unsigned char name[16];
    unsigned char aes[32];
    unsigned char hmac[32];
};

struct tls_tickets {
    struct ref ref;
    EVP_CIPHER *cipher;
    pthread_mutex_t lock; /* guards what follows */
    unsigned n;
    struct ticket_key keys[TLS_TICKET_KEYS]; /* newest first */
    double rotated;                          /* by tick alone; negative: not yet known */
};

static void tickets_free(struct ref *r)
{
    struct tls_tickets *t = container_of(r, struct tls_tickets, ref);

    OPENSSL_cleanse(t->keys, sizeof(t->keys));
    EVP_CIPHER_free(t->cipher);
    pthread_mutex_destroy(&t->lock);
    free(t);
}

struct tls_tickets *tls_tickets_new(void)
{
    struct tls_tickets *t = calloc(1, sizeof(*t));

    if (!t)
        return NULL;
    ref_init(&t->ref, tickets_free);
    pthread_mutex_init(&t->lock, NULL);
    t->rotated = -1;
    t->cipher = EVP_CIPHER_fetch(NULL, "AES-256-CBC", NULL);
    if (!t->cipher) {
        tickets_free(&t->ref);
        return NULL;
    }
    tls_tickets_rotate(t);
    return t;
}

void tls_tickets_take(struct tls_tickets *t)
{
    ref_take(&t->ref);
}

void tls_tickets_give(struct tls_tickets *t)
{
    if (t)
        ref_give(&t->ref);
}

void tls_tickets_rotate(struct tls_tickets *t)
{
    struct ticket_key key;

    random_bytes(&key, sizeof(key));
    pthread_mutex_lock(&t->lock);
    memmove(t->keys + 1, t->keys, (TLS_TICKET_KEYS - 1) * sizeof(t->keys[0]));
    t->keys[0] = key;
    t->n = MIN_OF(t->n + 1, (unsigned)TLS_TICKET_KEYS);
    pthread_mutex_unlock(&t->lock);
    OPENSSL_cleanse(&key, sizeof(key));
}

void tls_tickets_tick(struct tls_tickets *t, double now)
{
    if (t->rotated < 0)
        t->rotated = now;
    if (now - t->rotated < TLS_TICKET_PERIOD)
        return;
    t->rotated = now;
    tls_tickets_rotate(t);
}

/* The key by that name, or the newest for NULL; its age in rotations, or -1. */
static int find(struct tls_tickets *t, const unsigned char *name, struct ticket_key *out)
{
    int at = -1;

    pthread_mutex_lock(&t->lock);
    for (unsigned i = 0; i < t->n && at < 0; i++)
        if (!name || memcmp(t->keys[i].name, name, sizeof(t->keys[i].name)) == 0)
            at = (int)i;
    if (at >= 0)
        *out = t->keys[at];
    pthread_mutex_unlock(&t->lock);
    return at;
}

static bool set_mac(EVP_MAC_CTX *mac, struct ticket_key *key)
{
    char digest[] = "SHA256";
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY, key->hmac, sizeof(key->hmac)),
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
        OSSL_PARAM_construct_end(),
    };

    return EVP_MAC_CTX_set_params(mac, params) == 1;
}

int tls_tickets_apply(struct tls_tickets *t, unsigned char *name, unsigned char *iv, EVP_CIPHER_CTX *cipher,
                      EVP_MAC_CTX *mac, int encrypt)
{
    struct ticket_key key;
    int age = find(t, encrypt ? NULL : name, &key);
    bool ok;

    if (age < 0)
        return 0; /* made before a restart, or too long ago: a full handshake */
    if (encrypt) {
        memcpy(name, key.name, sizeof(key.name));
        ok = RAND_bytes(iv, EVP_CIPHER_get_iv_length(t->cipher)) == 1 &&
             EVP_EncryptInit_ex2(cipher, t->cipher, key.aes, iv, NULL) == 1;
    } else {
        ok = EVP_DecryptInit_ex2(cipher, t->cipher, key.aes, iv, NULL) == 1;
    }
    ok = ok && set_mac(mac, &key);
    OPENSSL_cleanse(&key, sizeof(key));
    if (!ok)
        return -1;
    return age > 0 ? 2 : 1; /* 2: good, and the client shall get a newer one */
}
