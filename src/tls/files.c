/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the wsbridge authors */
/*
 * Watching files by their marks. A file that is missing for a moment (a swap that is not atomic) is a change like any
 * other: if it is still missing at the next look, reading it gives the reason.
 */
#include "tls/files.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

void tls_files_init(struct tls_files *f)
{
    *f = (struct tls_files){.n = 0};
}

void tls_files_fini(struct tls_files *f)
{
    free(f->v);
    tls_files_init(f);
}

const char *tls_file_trouble(const char *path, size_t most)
{
    struct stat st;

    if (stat(path, &st) < 0)
        return strerrordesc_np(errno);
    if (!S_ISREG(st.st_mode))
        return S_ISDIR(st.st_mode) ? "it is a directory" : "it is not a regular file";
    return (size_t)st.st_size > most ? "it is far too large to be that" : NULL;
}

int tls_files_add(struct tls_files *f, const char *path)
{
    if (!path)
        return 0;
    if (f->n == f->cap) {
        size_t cap = f->cap ? 2 * f->cap : 8;
        struct tls_file *v = realloc(f->v, cap * sizeof(*v));

        if (!v)
            return -1;
        f->v = v;
        f->cap = cap;
    }
    f->v[f->n++] = (struct tls_file){.path = path};
    return 0;
}

static struct tls_file_mark look(const char *path)
{
    struct stat st;

    if (stat(path, &st) < 0)
        return (struct tls_file_mark){.err = errno};
    return (struct tls_file_mark){
        .dev = st.st_dev,
        .ino = st.st_ino,
        .size = st.st_size,
        .mtime_ns = (int64_t)st.st_mtim.tv_sec * 1000000000 + st.st_mtim.tv_nsec,
        .ctime_ns = (int64_t)st.st_ctim.tv_sec * 1000000000 + st.st_ctim.tv_nsec,
    };
}

static bool same(const struct tls_file_mark *a, const struct tls_file_mark *b)
{
    return a->err == b->err && a->dev == b->dev && a->ino == b->ino && a->size == b->size &&
           a->mtime_ns == b->mtime_ns && a->ctime_ns == b->ctime_ns;
}

void tls_files_mark(struct tls_files *f)
{
    for (size_t i = 0; i < f->n; i++)
        f->v[i].used = f->v[i].seen = look(f->v[i].path);
}

bool tls_files_changed(struct tls_files *f)
{
    bool changed = false;
    bool settled = true;

    for (size_t i = 0; i < f->n; i++) {
        struct tls_file *file = &f->v[i];
        struct tls_file_mark now = look(file->path);

        settled = settled && same(&now, &file->seen);
        changed = changed || !same(&now, &file->used);
        file->seen = now;
    }
    return changed && settled;
}
