/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the wsbridge authors */
/*
 * Static files: from the decoded path of a request to the representation that answers it.
 *
 * Nothing is cached and nothing is listed; each request opens its file anew below the root's descriptor, so what is
 * served is what lies there now. Names that begin with a dot do not exist for us (`.well-known` at the top, RFC 8615,
 * does). A file `x` may have compressed twins `x.br` and `x.gz` beside it; one that is older than the file is left over
 * from what the file was, and does not count.
 */
#include "serve/files.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "serve/beneath.h"
#include "serve/content.h"
#include "serve/demo.h"
#include "serve/mime.h"

struct file_root {
    int fd; /* -1: built in */
    enum beneath how;
    char *index;
    double cache;
};

static bool index_ok(const char *name)
{
    return *name && *name != '.' && !strchr(name, '/') && strlen(name) <= NAME_MAX;
}

struct file_root *file_root_new(const struct file_root_options *opt, struct strbuf *why)
{
    const char *index = opt->index ? opt->index : "index.html";
    if (!index_ok(index)) {
        strbuf_str(why, "the index must be a file name without \"/\" that does not begin with a dot");
        return NULL;
    }
    bool builtin = slice_starts(slice_of(opt->dir), SLICE("builtin:"));
    if (builtin && strcmp(opt->dir, "builtin:demo") != 0) {
        strbuf_printf(why, "there is no built-in page \"%s\", only \"builtin:demo\"", opt->dir);
        return NULL;
    }
    struct file_root *r = calloc(1, sizeof(*r));
    if (!r || !(r->index = strdup(index))) {
        strbuf_str(why, "out of memory");
        free(r);
        return NULL;
    }
    r->cache = opt->cache;
    r->fd = builtin ? -1 : open(opt->dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (r->fd < 0 && !builtin) {
        strbuf_printf(why, "cannot open the directory \"%s\": %s", opt->dir, strerror(errno));
        file_root_free(r);
        return NULL;
    }
    if (!builtin)
        r->how = beneath_probe(r->fd);
    return r;
}

void file_root_free(struct file_root *r)
{
    if (!r)
        return;
    if (r->fd >= 0)
        close(r->fd);
    free(r->index);
    free(r);
}

static void refuse(struct http_exchange *x, int status)
{
    static const struct http_field nosniff = {{"X-Content-Type-Options", 22}, {"nosniff", 7}};
    struct slice text = SLICE("Not found.\n");
    if (status == 403)
        text = SLICE("The server may not read this file.\n");
    else if (status == 503)
        text = SLICE("The server has no room for this request now, try again later.\n");
    else if (status == 500)
        text = SLICE("The file cannot be read.\n");
    x->ops->reply(x, status, &nosniff, 1, text);
}

/* What the client learns of an errno. Everything that only says how the name failed is the same 404, so that names
 * outside the root or behind a link cannot be probed. */
static int status_of(int err)
{
    switch (err) {
    case EACCES:
    case EPERM:
        return 403;
    case EMFILE:
    case ENFILE:
    case ENOMEM:
    case EAGAIN:
        return 503;
    case EIO:
        return 500;
    default:
        return 404;
    }
}

/* Whether a segment begins with a dot, or the path could not be one that http_path_decode let through. */
static bool path_hidden(struct slice below)
{
    if (below.n == 0)
        return false;
    if (memchr(below.p, '\0', below.n) || memchr(below.p, '\\', below.n))
        return true;
    struct slice rest = below;
    struct slice segment;
    for (bool first = true; slice_cut(&rest, '/', &segment); first = false)
        if (segment.n && segment.p[0] == '.' && !(first && slice_eq(segment, SLICE(".well-known"))))
            return true;
    return false;
}

/* A path as it may stand in Location: what is not plainly harmless is escaped. */
static void put_escaped(struct strbuf *out, struct slice path)
{
    for (size_t i = 0; i < path.n; i++) {
        unsigned char c = (unsigned char)path.p[i];
        bool plain =
            (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || (c && strchr("/-._~", c));
        if (plain)
            strbuf_char(out, (char)c);
        else
            strbuf_printf(out, "%%%02X", c);
    }
}

/* The location is written from the decoded path, in which slashes are folded: of the raw one, "//host/dir" would send
 * the client to another server. */
static void redirect_to_directory(struct http_exchange *x)
{
    size_t cap = 3 * x->path.n + x->url.query.n + 3;
    char *mem = malloc(cap);
    if (!mem) {
        refuse(x, 503);
        return;
    }
    struct strbuf to;
    strbuf_init(&to, mem, cap);
    put_escaped(&to, x->path);
    strbuf_char(&to, '/');
    if (x->url.query.n) {
        strbuf_char(&to, '?');
        strbuf_put(&to, x->url.query);
    }
    struct http_field location = {SLICE("Location"), strbuf_slice(&to)};
    x->ops->reply(x, 301, &location, 1, SLICE("This is a directory, its address ends with a slash.\n"));
    free(mem);
}

/* A regular file: its descriptor with *st filled, or -errno. -EISDIR for a directory. */
static int open_regular(const struct file_root *root, const char *path, struct stat *st)
{
    int fd = beneath_open(root->fd, path, O_RDONLY, root->how);
    if (fd == -EACCES) { /* a directory may be entered without being readable */
        int dir = beneath_open(root->fd, path, O_PATH | O_DIRECTORY, root->how);
        if (dir >= 0)
            close(dir);
        return dir >= 0 ? -EISDIR : -EACCES;
    }
    if (fd < 0)
        return fd;
    int err = 0;
    if (fstat(fd, st) != 0)
        err = -errno;
    else if (S_ISDIR(st->st_mode))
        err = -EISDIR;
    else if (!S_ISREG(st->st_mode))
        err = -ENOENT;
    if (err) {
        close(fd);
        return err;
    }
    return fd;
}

/* Takes the file into the content: size and the two validators are those of these very bytes. */
static void content_of_file(struct content *c, int fd, const struct stat *st)
{
    c->source = (struct body_source){.fd = fd, .size = (uint64_t)st->st_size};
    snprintf(c->etag, sizeof(c->etag), "\"%" PRIx64 "-%" PRIx64 "-%" PRIx64 "\"", (uint64_t)st->st_ino,
             (uint64_t)st->st_size, (uint64_t)st->st_mtim.tv_sec * 1000000000u + (uint64_t)st->st_mtim.tv_nsec);
    c->modified = st->st_mtim.tv_sec;
    c->has_modified = c->modified >= 0 && c->modified <= (int64_t)(clock_wall_ms() / 1000); /* RFC 9110, 8.8.2.1 */
}

/* Quality by all Accept-Encoding fields together; -1 when not mentioned. */
static int coding_quality(const struct http_head *h, const char *coding)
{
    int best = -1;
    for (size_t i = 0; i < h->n_fields; i++) {
        if (!slice_eq_nocase(h->fields[i].name, SLICE("Accept-Encoding")))
            continue;
        int q = http_accept_encoding(h->fields[i].value, coding);
        best = MAX_OF(best, q);
    }
    return best;
}

/* To the second: copying does not always keep more of the time. */
static bool older(const struct stat *a, const struct stat *b)
{
    return a->st_mtim.tv_sec < b->st_mtim.tv_sec;
}

/* Puts the compressed twin that the client likes best in the place of the file. `path` has room behind it. */
static void choose_encoding(const struct file_root *root, const struct http_head *h, char *path,
                            const struct stat *plain, struct content *c)
{
    struct twin {
        const char *ending;
        const char *coding;
        int quality;
    } twins[] = {{".br", "br", 0}, {".gz", "gzip", 0}};
    for (size_t i = 0; i < ARRAY_LEN(twins); i++)
        twins[i].quality = coding_quality(h, twins[i].coding);
    if (twins[1].quality > twins[0].quality) { /* equal: brotli is smaller */
        struct twin first = twins[1];
        twins[1] = twins[0];
        twins[0] = first;
    }
    int identity = coding_quality(h, "identity");
    size_t n = strlen(path);
    for (size_t i = 0; i < ARRAY_LEN(twins); i++) {
        if (twins[i].quality <= 0 || twins[i].quality < identity)
            continue;
        memcpy(path + n, twins[i].ending, strlen(twins[i].ending) + 1);
        struct stat st;
        int fd = open_regular(root, path, &st);
        path[n] = '\0';
        if (fd >= 0 && older(&st, plain)) {
            close(fd);
            fd = -1;
        }
        if (fd < 0)
            continue;
        close(c->source.fd);
        content_of_file(c, fd, &st);
        c->encoding = twins[i].coding;
        return;
    }
}

static void serve_builtin(const struct file_root *root, struct http_exchange *x, struct slice below)
{
    struct content c = {.cache = root->cache};
    if (demo_find(below, &c))
        content_answer(&c, x);
    else
        refuse(x, 404);
}

void files_serve(const struct file_root *root, struct http_exchange *x, struct slice below)
{
    if (x->head->method != HTTP_GET && x->head->method != HTTP_HEAD) {
        struct http_field allow = {SLICE("Allow"), SLICE("GET, HEAD")};
        x->ops->reply(x, 405, &allow, 1, SLICE("Files can only be read.\n"));
        return;
    }
    bool directory = x->path.n && x->path.p[x->path.n - 1] == '/';
    if (below.n == 0 && !directory) { /* the route's own path, which is the root */
        redirect_to_directory(x);
        return;
    }
    if (root->fd < 0) {
        serve_builtin(root, x, below);
        return;
    }
    char path[PATH_MAX];
    struct slice index = directory ? slice_of(root->index) : SLICE("");
    if (path_hidden(below) || below.n + index.n + sizeof(".br") > sizeof(path)) {
        refuse(x, 404);
        return;
    }
    if (below.n)
        memcpy(path, below.p, below.n);
    memcpy(path + below.n, index.p, index.n + 1);

    struct stat st;
    int fd = open_regular(root, path, &st);
    if (fd == -EISDIR && !directory) {
        redirect_to_directory(x);
        return;
    }
    if (fd < 0) {
        refuse(x, status_of(-fd));
        return;
    }
    struct content c = {.cache = root->cache, .vary = true};
    content_of_file(&c, fd, &st);
    c.type = mime_type(slice_of(path));
    choose_encoding(root, x->head, path, &st, &c);
    content_answer(&c, x);
}
