/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the wsbridge authors */
/*
 * How a process is, as `--status` prints it: gathered elsewhere (app/server_status.c), here it becomes text. Pure.
 *
 * The text is for people and may grow lines; the JSON is for programs: keys are added, never renamed.
 */
#ifndef WSBRIDGE_APP_STATUS_H
#define WSBRIDGE_APP_STATUS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "base/addr.h"

struct status_worker {
    unsigned connections;
    unsigned sessions;
};

/* Live TLS connections of one side, and how many of them the kernel seals and opens records for. */
struct status_tls {
    unsigned open;
    unsigned ktls_send;
    unsigned ktls_receive;
};

struct status_listener {
    const char *name;
    char address[ADDR_TEXT_MAX];
    bool tls;
};

/* The last attempt to renew, when that failed. */
struct status_renewal {
    const char *why; /* NULL: it did not */
    int64_t at;      /* unix seconds */
};

struct status_certificate {
    const char *file;
    const char *kind;
    size_t n_names;
    char *const *names;
    int64_t ends; /* unix seconds */
    struct status_renewal renewal;
};

struct status_backend {
    const char *service;
    struct status_renewal renewal;
};

struct status {
    const char *version;
    long pid;
    bool draining;
    uint64_t now; /* these three: milliseconds since 1970 */
    uint64_t started;
    uint64_t loaded;
    size_t n_files; /* of the configuration; 0: it came from the command line */
    const char *const *files;
    uint64_t reload_at;     /* of the last reload; 0: there was none */
    const char *reload_why; /* NULL: it was good */
    size_t n_workers;
    const struct status_worker *workers;
    uint64_t accepted;
    uint64_t sessions_total;
    uint64_t requests;
    bool ktls_possible;
    struct status_tls tls_clients;
    struct status_tls tls_backends;
    size_t n_listeners;
    const struct status_listener *listeners;
    size_t n_certificates;
    const struct status_certificate *certificates;
    size_t n_backends; /* services with TLS */
    const struct status_backend *backends;
};

void status_print_text(const struct status *s, FILE *out);
void status_print_json(const struct status *s, FILE *out);

#endif
