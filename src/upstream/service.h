/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the wsbridge authors */
/*
 * A service: where a session's bytes go. The struct and its option table; it lives in the configuration snapshot and
 * never changes.
 */
#ifndef WSBRIDGE_UPSTREAM_SERVICE_H
#define WSBRIDGE_UPSTREAM_SERVICE_H

#include "base/addr.h"
#include "config/schema.h"
#include "limit/bounds.h"
#include "tls/live.h"

enum target_kind {
    TARGET_NAME,    /* host name and port, looked up at each connect */
    TARGET_ADDR,    /* a fixed IP address and port, or a unix socket */
    TARGET_ECHO,    /* builtin:echo */
    TARGET_DISCARD, /* builtin:discard */
};

struct target {
    enum target_kind kind;
    const char *text; /* as the user wrote it */
    const char *host; /* TARGET_NAME */
    uint16_t port;
    struct addr addr; /* TARGET_ADDR */
};

enum service_proxy { SERVICE_PROXY_OFF, SERVICE_PROXY_V1, SERVICE_PROXY_V2 };

struct service {
    struct cfg_named name; /* must be first: CFG_MAP */
    struct target to;
    struct cfg_strings subprotocols;
    struct tls_backend_settings tls;
    struct tls_backend *backend; /* what `tls` stands for; made and owned by src/app; NULL: clear */
    int proxy_protocol;          /* enum service_proxy */
    double connect_timeout;      /* seconds; 0: timeouts.connect counts */
    struct limits limits;
    struct timeouts timeouts;
};

extern const struct cfg_table service_table; /* "services.NAME"; shorthand: a scalar is `to` */

/* "host:port", "192.0.2.1:80", "[::1]:80", "unix:/path", "unix:@name", "builtin:echo", "builtin:discard". Used by the
 * configuration and by the command line. False with one sentence in `why`. Strings go to the arena. */
MUST_CHECK bool target_parse(struct arena *a, struct slice text, struct target *out, struct strbuf *why);

#endif
