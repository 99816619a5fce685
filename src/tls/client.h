/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the wsbridge authors */
/*
 * What we bring to a backend that is spoken to with TLS: one immutable context for each service, shared by all workers.
 * The backend's certificate and name are checked unless the settings say otherwise.
 */
#ifndef WSBRIDGE_TLS_CLIENT_H
#define WSBRIDGE_TLS_CLIENT_H

#include <openssl/ssl.h>

#include "base/ref.h"
#include "tls/report.h"
#include "tls/settings.h"

struct tls_client;

/* Reads the files. NULL with every error reported. One hold. */
struct tls_client *tls_client_new(const struct tls_backend_settings *s, int64_t now, struct tls_report *r);
void tls_client_take(struct tls_client *c);
void tls_client_give(struct tls_client *c); /* NULL is allowed */

/* The name that will be asked for: the settings' server_name, else `host` (NULL where a service has none, as on unix
 * sockets). NULL: there is none, and with verify the handshake would fail. */
const char *tls_client_name(const struct tls_client *c, const char *host);
bool tls_client_verifies(const struct tls_client *c);

/* A new client-side SSL that asks for and checks that name. NULL with a static sentence. For tls/stream.c. */
SSL *tls_client_ssl_new(struct tls_client *c, const char *host, const char **why);

#endif
