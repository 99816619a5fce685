/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the wsbridge authors */
/*
 * A watch over a few files by stat(2).
 */
#ifndef WSBRIDGE_TLS_FILES_H
#define WSBRIDGE_TLS_FILES_H

#include "base/compiler.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* What tells one file from another, through every symlink on the way. */
struct tls_file_mark {
    int err; /* errno of stat; then nothing else counts */
    dev_t dev;
    ino_t ino;
    off_t size;
    int64_t mtime_ns;
    int64_t ctime_ns;
};

struct tls_file {
    const char *path;          /* the caller's */
    struct tls_file_mark used; /* when it was last built from */
    struct tls_file_mark seen; /* at the last look */
};

struct tls_files {
    size_t n;
    size_t cap;
    struct tls_file *v;
};

void tls_files_init(struct tls_files *f);
void tls_files_fini(struct tls_files *f);

/* Bytes; reading PEM takes about half a second for each MiB, and whoever reads takes no signals meanwhile. */
#define TLS_PAIR_MAX ((size_t)256 << 10)      /* a chain, or a key */
#define TLS_AUTHORITIES_MAX ((size_t)4 << 20) /* a system's whole store is a quarter of a MiB */
#define TLS_CRL_MAX ((size_t)16 << 20)

/* Why a file cannot be read, NULL when it can. Only regular files can: opening a pipe waits for its writer, reading a
 * device may have no end. */
const char *tls_file_trouble(const char *path, size_t most);

/* NULL paths are passed over. -1 when out of memory. */
MUST_CHECK int tls_files_add(struct tls_files *f, const char *path);

/* Looks at every file and remembers it as used: call before reading them. */
void tls_files_mark(struct tls_files *f);

/* Looks at every file. True when one differs from what was used and none has changed since the last look. */
bool tls_files_changed(struct tls_files *f);

#endif
