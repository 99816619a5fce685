/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the wsbridge authors */
/*
 * Static files and the page that is built into the program: exchanges that need no backend.
 */
#ifndef WSBRIDGE_SERVE_FILES_H
#define WSBRIDGE_SERVE_FILES_H

#include "base/strbuf.h"
#include "http/exchange.h"

struct file_root;

struct file_root_options {
    const char *dir;   /* or "builtin:demo" */
    const char *index; /* NULL: index.html */
    double cache;      /* seconds; 0: no-cache (revalidate) */
};

/* Opens the directory once; requests resolve below that descriptor. NULL with a sentence in `why`. */
struct file_root *file_root_new(const struct file_root_options *opt, struct strbuf *why);
void file_root_free(struct file_root *r);

/* Answers a GET or HEAD (anything else: 405 with Allow). `below` is the part of the decoded path behind the route's
 * prefix, without a leading '/'; a directory without the final '/' is answered with 301. Ends the exchange. */
void files_serve(const struct file_root *root, struct http_exchange *x, struct slice below);

#endif
