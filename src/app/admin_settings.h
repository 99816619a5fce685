/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the wsbridge authors */
/*
 * `admin`: where the admin socket is, in the configuration and on the command line.
 */
#ifndef WSBRIDGE_APP_ADMIN_SETTINGS_H
#define WSBRIDGE_APP_ADMIN_SETTINGS_H

#include "base/addr.h"
#include "config/schema.h"

/* Where the command line looks when nothing names another: what the service units make room for. */
#define ADMIN_ADDRESS "unix:/run/wsbridge/admin.sock"

struct admin_settings {
    const struct cfg_node *node;
    const char *address; /* as written; NULL: no admin socket */
    struct addr addr;    /* parsed from it; len 0: none */
    bool has_mode;
    unsigned mode; /* of the socket file; always set when there is an address */
};

extern const struct cfg_table admin_table;

/* NULL, or a sentence that says what is wrong with it, and *help. Only a path of a unix socket will do. */
MUST_CHECK const char *admin_address_parse(const char *text, struct addr *out, const char **help);

/* Whether a reload can go on with the socket that is open. */
bool admin_same(const struct admin_settings *a, const struct admin_settings *b);

#endif
