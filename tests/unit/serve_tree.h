/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the wsbridge authors */
/*
 * A directory to be served, with everything in it that should not be, and secrets around it.
 */
#ifndef WSBRIDGE_TESTS_SERVE_TREE_H
#define WSBRIDGE_TESTS_SERVE_TREE_H

#include <fcntl.h>
#include <ftw.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "unit.h"

#define TREE_DATA 5000 /* bytes of data.bin, byte i being (i * 7 + i / 256) mod 256 */

struct tree {
    char top[64];  /* outside */
    char root[80]; /* what is served */
};

static inline void tree_file(const char *dir, const char *name, const char *text)
{
    char path[512];
    snprintf(path, sizeof(path), "%s/%s", dir, name);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    close(fd);
}

static inline void tree_dir(const char *dir, const char *name)
{
    char path[512];
    snprintf(path, sizeof(path), "%s/%s", dir, name);
    assert_int_equal(mkdir(path, 0755), 0);
}

static inline void tree_link(const char *dir, const char *name, const char *target)
{
    char path[512];
    snprintf(path, sizeof(path), "%s/%s", dir, name);
    assert_int_equal(symlink(target, path), 0);
}

static inline unsigned char tree_data(size_t i)
{
    return (unsigned char)(i * 7 + i / 256);
}

static inline void tree_special(const struct tree *t)
{
    char path[128];
    snprintf(path, sizeof(path), "%s/fifo", t->root);
    assert_int_equal(mkfifo(path, 0644), 0);
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    snprintf(un.sun_path, sizeof(un.sun_path), "%s/socket", t->root);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&un, sizeof(un)), 0);
    close(fd);
    snprintf(path, sizeof(path), "%s/data.bin", t->root);
    FILE *f = fopen(path, "we");
    assert_non_null(f);
    for (size_t i = 0; i < TREE_DATA; i++)
        fputc(tree_data(i), f);
    assert_int_equal(fclose(f), 0);
}

static inline void tree_links(const struct tree *t)
{
    char target[128];
    tree_link(t->root, "in.txt", "a.txt");
    tree_link(t->root, "in", "dir");
    tree_link(t->root, "dir/up.txt", "../a.txt");
    tree_link(t->root, "out.txt", "../secret.txt");
    tree_link(t->root, "out", "..");
    tree_link(t->root, "dir/out", "../..");
    tree_link(t->root, "back", "../root/dir"); /* leaves and comes back */
    snprintf(target, sizeof(target), "%s/secret.txt", t->top);
    tree_link(t->root, "absolute.txt", target);
    tree_link(t->root, "absolute", t->top);
    snprintf(target, sizeof(target), "%s/a.txt", t->root);
    tree_link(t->root, "absolute-in.txt", target);
    tree_link(t->root, "slash", "/");
    tree_link(t->root, "proc", "/proc/self/root");
    tree_link(t->root, "loop", "loop");
    tree_link(t->root, "nowhere", "missing");
    tree_link(t->root, "page.html.gz", "../secret.txt"); /* a twin that leaves */
}

static inline void tree_make(struct tree *t)
{
    memcpy(t->top, "/tmp/wsbridge-serve-XXXXXX", 27);
    assert_non_null(mkdtemp(t->top));
    assert_int_equal(chmod(t->top, 0755), 0);
    snprintf(t->root, sizeof(t->root), "%s/root", t->top);
    tree_file(t->top, "secret.txt", "SECRET");
    tree_dir(t->top, "root");
    tree_dir(t->top, "root-sibling");
    tree_file(t->top, "root-sibling/secret.txt", "SECRET");
    tree_file(t->root, "index.html", "<p>index");
    tree_file(t->root, "other.html", "<p>other");
    tree_file(t->root, "page.html", "<p>page");
    tree_file(t->root, "a.txt", "hello a\n");
    tree_file(t->root, "zero.txt", "");
    tree_file(t->root, "sp ace.txt", "space");
    tree_file(t->root, "\xc3\xbc.txt", "umlaut");
    tree_file(t->root, "plus+100%.txt", "plus");
    tree_file(t->root, "app.js", "/* the original, which is the longest */");
    tree_file(t->root, "app.js.br", "brotli bytes");
    tree_file(t->root, "app.js.gz", "gzip bytes here");
    tree_file(t->root, "style.css", "/* original */");
    tree_file(t->root, "style.css.gz", "gz style");
    tree_file(t->root, "only.css.gz", "no original");
    tree_dir(t->root, "twin.js.br");
    tree_file(t->root, "twin.js", "its twin is a directory");
    tree_dir(t->root, "dir");
    tree_file(t->root, "dir/index.html", "<p>dir");
    tree_file(t->root, "dir/f.txt", "f");
    tree_file(t->root, "dir/.env", "SECRET");
    tree_dir(t->root, "dir/.well-known");
    tree_file(t->root, "dir/.well-known/x.txt", "SECRET");
    tree_dir(t->root, "dir/sub dir");
    tree_dir(t->root, "empty");
    tree_dir(t->root, "odd");
    tree_dir(t->root, "odd/index.html");
    tree_file(t->root, ".hidden", "SECRET");
    tree_file(t->root, ".htaccess", "SECRET");
    tree_dir(t->root, ".git");
    tree_file(t->root, ".git/config", "SECRET");
    tree_dir(t->root, ".well-known");
    tree_file(t->root, ".well-known/x.txt", "known");
    tree_file(t->root, ".well-known/.x", "SECRET");
    tree_links(t);
    tree_special(t);
}

static inline int tree_remove_one(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
    return remove(path);
}

static inline void tree_remove(struct tree *t)
{
    assert_int_equal(nftw(t->top, tree_remove_one, 16, FTW_DEPTH | FTW_PHYS), 0);
}

#endif
