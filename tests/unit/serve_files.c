/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the wsbridge authors */
/* Static files from a real directory: what is found, how it is described, and what is never given away. */
#include "fake_exchange.h"
#include "serve_tree.h"

#include <errno.h>
#include <time.h>

#include "http/fields.h"
#include "serve/files.h"

struct fixture {
    struct tree tree;
    struct file_root *root;
    struct fake_exchange f;
};

static struct file_root *open_root(const char *dir, const char *index, double cache)
{
    char mem[300];
    struct strbuf why;
    strbuf_init(&why, mem, sizeof(mem));
    struct file_root_options opt = {.dir = dir, .index = index, .cache = cache};
    struct file_root *r = file_root_new(&opt, &why);
    if (!r)
        fail_msg("%s", mem);
    return r;
}

static int setup(void **state)
{
    struct fixture *x = calloc(1, sizeof(*x));
    tree_make(&x->tree);
    x->root = open_root(x->tree.root, NULL, 0);
    *state = x;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *x = *state;
    fake_free(&x->f);
    file_root_free(x->root);
    tree_remove(&x->tree);
    free(x);
    return 0;
}

/* A request to a route at "/"; false when it never became an exchange. The answer stays until the next one. */
static bool ask_root(struct fixture *x, const struct file_root *root, const char *method, const char *target,
                     const char *lines)
{
    fake_free(&x->f);
    if (!fake_request(&x->f, method, target, lines))
        return false;
    files_serve(root, &x->f.x, (struct slice){x->f.path + 1, x->f.x.path.n - 1});
    assert_int_equal(x->f.ends, 1);
    return true;
}

static struct fake_exchange *get(struct fixture *x, const char *target, const char *lines)
{
    assert_true(ask_root(x, x->root, "GET", target, lines));
    return &x->f;
}

static void test_found(void **state)
{
    static const struct {
        const char *target;
        const char *body;
        const char *type;
    } cases[] = {
        {"/", "<p>index", "text/html; charset=utf-8"},
        {"/?x=1", "<p>index", "text/html; charset=utf-8"},
        {"/index.html", "<p>index", "text/html; charset=utf-8"},
        {"/a.txt", "hello a\n", "text/plain; charset=utf-8"},
        {"//a.txt", "hello a\n", "text/plain; charset=utf-8"},
        {"/%61.txt", "hello a\n", "text/plain; charset=utf-8"},
        {"/a.txt?download", "hello a\n", "text/plain; charset=utf-8"},
        {"/dir/", "<p>dir", "text/html; charset=utf-8"},
        {"/dir/f.txt", "f", "text/plain; charset=utf-8"},
        {"/dir//f.txt", "f", "text/plain; charset=utf-8"},
        {"/sp%20ace.txt", "space", "text/plain; charset=utf-8"},
        {"/%c3%bc.txt", "umlaut", "text/plain; charset=utf-8"},
        {"/plus+100%25.txt", "plus", "text/plain; charset=utf-8"},
        {"/zero.txt", "", "text/plain; charset=utf-8"},
        {"/.well-known/x.txt", "known", "text/plain; charset=utf-8"},
        {"/in.txt", "hello a\n", "text/plain; charset=utf-8"},
        {"/in/f.txt", "f", "text/plain; charset=utf-8"},
        {"/dir/up.txt", "hello a\n", "text/plain; charset=utf-8"},
        {"/app.js.gz", "gzip bytes here", "application/gzip"},
    };
    struct fixture *x = *state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct fake_exchange *f = get(x, cases[i].target, "");
        if (f->status != 200)
            fail_msg("%s: %d", cases[i].target, f->status);
        assert_string_equal(f->body, cases[i].body);
        assert_int_equal(f->length, strlen(cases[i].body));
        assert_string_equal(fake_field(f, "Content-Type"), cases[i].type);
        assert_string_equal(fake_field(f, "X-Content-Type-Options"), "nosniff");
        assert_string_equal(fake_field(f, "Accept-Ranges"), "bytes");
        assert_string_equal(fake_field(f, "Cache-Control"), "no-cache");
        assert_string_equal(fake_field(f, "Vary"), "Accept-Encoding");
        assert_non_null(fake_field(f, "Last-Modified"));
        assert_int_equal(fake_field(f, "ETag")[0], '"');
        assert_null(fake_field(f, "Content-Encoding"));
        assert_null(fake_field(f, "Content-Range"));
        assert_null(fake_field(f, "Content-Security-Policy"));
    }
}

/* Every spelling here is refused by the parser, by the decoder, or with 404; none of them gives a secret away. */
static void test_nasty_spellings(void **state)
{
    static const char *const targets[] = {
        "/../secret.txt",
        "/..",
        "/../",
        "/dir/../../secret.txt",
        "/dir/../a.txt",
        "/./a.txt",
        "/dir/..",
        "/%2e%2e/secret.txt",
        "/%2E%2E/secret.txt",
        "/.%2e/secret.txt",
        "/%2e./secret.txt",
        "/%2e",
        "/..%2fsecret.txt",
        "/..%2Fsecret.txt",
        "/%2e%2e%2fsecret.txt",
        "/dir%2ff.txt",
        "/%2fetc/passwd",
        "/..%5csecret.txt",
        "/..\\secret.txt",
        "/dir\\f.txt",
        "/dir%5Cf.txt",
        "/%252e%252e/secret.txt",
        "/%252e%252e%252fsecret.txt",
        "/..%252fsecret.txt",
        "/%c0%ae%c0%ae/secret.txt",
        "/%c0%af",
        "/%e0%80%ae%e0%80%ae/secret.txt",
        "/..%c0%afsecret.txt",
        "/%uff0e%uff0e/secret.txt",
        "/%ef%bc%8e%ef%bc%8e/secret.txt",
        "/\xef\xbc\x8e\xef\xbc\x8e/secret.txt",
        "/.../secret.txt",
        "/....//secret.txt",
        "/..;/secret.txt",
        "/..;x=1/secret.txt",
        "/..%00/secret.txt",
        "/a.txt%00",
        "/a.txt%00.html",
        "/%00",
        "/a.txt%0a",
        "/a.txt%0d%0aX:%20y",
        "/a.txt%7f",
        "/a.txt%",
        "/a.txt%2",
        "/a.txt%zz",
        "//../secret.txt",
        "///etc/passwd",
        "//etc/passwd",
        "/root/secret.txt",
        "/../root-sibling/secret.txt",
        "-sibling/secret.txt",
        "/file:///etc/passwd",
        "/a.txt/",
        "/a.txt/..",
        "/a.txt/../../secret.txt",
        "/a.txt//",
        "/A.TXT",
        "/a.txt.",
        "/a.txt%20",
        "/missing",
        "/missing/",
        "/missing/x",
        "/~",
        "/~root/",
        "/a.txt~",
        "/.hidden",
        "/%2ehidden",
        "/%2Ehidden",
        "/.htaccess",
        "/.git/config",
        "/.git/",
        "/.git",
        "/%2egit/config",
        "/dir/.env",
        "/dir/%2eenv",
        "//.hidden",
        "/.well-known/.x",
        "/.well-known/../.hidden",
        "/.well-knownx/x.txt",
        "/dir/.well-known/x.txt",
        "/in/.env",
        "/out.txt",
        "/out/secret.txt",
        "/out/",
        "/out",
        "/out/root/a.txt",
        "/dir/out/secret.txt",
        "/back/f.txt",
        "/absolute.txt",
        "/absolute/secret.txt",
        "/absolute-in.txt",
        "/slash/etc/passwd",
        "/proc/etc/passwd",
        "/loop",
        "/loop/",
        "/nowhere",
        "/fifo",
        "/socket",
        "/empty/",
        "/odd/",
        "/only.css",
        "*",
    };
    struct fixture *x = *state;
    for (size_t i = 0; i < ARRAY_LEN(targets); i++) {
        if (!ask_root(x, x->root, "GET", targets[i], "Accept-Encoding: gzip, br\r\n"))
            continue;
        if (x->f.status != 404)
            fail_msg("%s: %d %s", targets[i], x->f.status, x->f.body);
        assert_null(strstr(x->f.body, "SECRET"));
        assert_null(fake_field(&x->f, "ETag"));
        assert_string_equal(fake_field(&x->f, "X-Content-Type-Options"), "nosniff");
    }
}

/* The same when somebody hands over a path that no decoder has seen: the second wall stands alone. */
static void test_nasty_without_decoder(void **state)
{
    static const struct slice paths[] = {
        {"../secret.txt", 13},
        {"dir/../../secret.txt", 20},
        {"/etc/passwd", 11},
        {"a.txt\0.html", 11},
        {"a.txt\0", 6},
        {"..", 2},
        {".", 1},
        {"dir/../a.txt", 12},
        {"dir\\f.txt", 9},
        {"./a.txt", 7},
        {"/a.txt", 6},
        {"//a.txt", 7},
        {"out/secret.txt", 14},
        {"dir/.env", 8},
        {".hidden", 7},
        {"../root/a.txt", 13},
        {".well-known/../a.txt", 20},
    };
    struct fixture *x = *state;
    for (size_t i = 0; i < ARRAY_LEN(paths); i++) {
        fake_free(&x->f);
        assert_true(fake_request(&x->f, "GET", "/x", ""));
        files_serve(x->root, &x->f.x, paths[i]);
        assert_int_equal(x->f.ends, 1);
        if (x->f.status != 404)
            fail_msg("%.*s: %d", SLICE_ARG(paths[i]), x->f.status);
    }
}

static void test_long_paths(void **state)
{
    struct fixture *x = *state;
    char target[9000];
    memset(target, 'n', sizeof(target));
    target[0] = '/';
    static const size_t sizes[] = {200, 255, 256, 257, 300, 4090, 4091, 4092, 4093, 4094, 4095, 4096, 4097, 7999};
    for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
        target[sizes[i]] = '\0';
        assert_int_equal(get(x, target, "Accept-Encoding: br\r\n")->status, 404);
        target[sizes[i] - 1] = '/';
        assert_int_equal(get(x, target, "")->status, 404);
        target[sizes[i] - 1] = target[sizes[i]] = 'n';
    }
    for (size_t i = 0; i < sizeof(target); i++)
        target[i] = i % 2 ? 'd' : '/';
    target[8000] = '\0';
    assert_int_equal(get(x, target, "")->status, 404);
}

static void test_redirects(void **state)
{
    static const struct {
        const char *target;
        const char *to;
    } cases[] = {
        {"/dir", "/dir/"},       {"/dir?a=b&c=%20d", "/dir/?a=b&c=%20d"}, {"/%64ir", "/dir/"},
        {"//dir", "/dir/"}, /* not "//dir/", which is another host */
        {"///dir?x", "/dir/?x"}, {"/dir/sub%20dir", "/dir/sub%20dir/"},   {"/empty", "/empty/"},
        {"/in", "/in/"},         {"/.well-known", "/.well-known/"},
    };
    struct fixture *x = *state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct fake_exchange *f = get(x, cases[i].target, "");
        assert_int_equal(f->status, 301);
        assert_string_equal(fake_field(f, "Location"), cases[i].to);
    }
}

/* A route at "/web": its own path without a slash is a directory, too. */
static void test_below_a_prefix(void **state)
{
    struct fixture *x = *state;
    fake_free(&x->f);
    assert_true(fake_request(&x->f, "GET", "/web?q", ""));
    files_serve(x->root, &x->f.x, SLICE(""));
    assert_int_equal(x->f.status, 301);
    assert_string_equal(fake_field(&x->f, "Location"), "/web/?q");
    fake_free(&x->f);
    assert_true(fake_request(&x->f, "GET", "/web/", ""));
    files_serve(x->root, &x->f.x, (struct slice){NULL, 0});
    assert_int_equal(x->f.status, 200);
    assert_string_equal(x->f.body, "<p>index");
    fake_free(&x->f);
    assert_true(fake_request(&x->f, "GET", "/web/dir", ""));
    files_serve(x->root, &x->f.x, SLICE("dir"));
    assert_string_equal(fake_field(&x->f, "Location"), "/web/dir/");
}

static void test_methods(void **state)
{
    static const char *const methods[] = {"POST", "PUT", "DELETE", "OPTIONS", "PATCH", "get"};
    struct fixture *x = *state;
    for (size_t i = 0; i < ARRAY_LEN(methods); i++) {
        assert_true(ask_root(x, x->root, methods[i], "/a.txt", ""));
        assert_int_equal(x->f.status, 405);
        assert_string_equal(fake_field(&x->f, "Allow"), "GET, HEAD");
    }
    assert_true(ask_root(x, x->root, "HEAD", "/a.txt", ""));
    assert_int_equal(x->f.status, 200);
    assert_int_equal(x->f.length, 8);
    assert_int_equal(x->f.n_body, 0);
    assert_true(ask_root(x, x->root, "HEAD", "/data.bin", "Range: bytes=0-9\r\n"));
    assert_int_equal(x->f.status, 200); /* Range is for GET */
    assert_int_equal(x->f.length, TREE_DATA);
    assert_true(ask_root(x, x->root, "HEAD", "/missing", ""));
    assert_int_equal(x->f.status, 404);
}

static void test_encodings(void **state)
{
    static const struct {
        const char *target;
        const char *lines;
        const char *encoding; /* NULL: identity */
        const char *body;
    } cases[] = {
        {"/app.js", "Accept-Encoding: gzip, deflate, br\r\n", "br", "brotli bytes"},
        {"/app.js", "Accept-Encoding: br\r\n", "br", "brotli bytes"},
        {"/app.js", "Accept-Encoding: gzip\r\n", "gzip", "gzip bytes here"},
        {"/app.js", "Accept-Encoding: br;q=0.5, gzip\r\n", "gzip", "gzip bytes here"},
        {"/app.js", "Accept-Encoding: br;q=0, gzip;q=0.1\r\n", "gzip", "gzip bytes here"},
        {"/app.js", "Accept-Encoding: gzip\r\nAccept-Encoding: br\r\n", "br", "brotli bytes"},
        {"/app.js", "Accept-Encoding: *\r\n", "br", "brotli bytes"},
        {"/app.js", "Accept-Encoding: identity, br;q=0.5\r\n", NULL, "/* the original, which is the longest */"},
        {"/app.js", "Accept-Encoding: br;q=0, gzip;q=0\r\n", NULL, "/* the original, which is the longest */"},
        {"/app.js", "Accept-Encoding: \r\n", NULL, "/* the original, which is the longest */"},
        {"/app.js", "", NULL, "/* the original, which is the longest */"},
        {"/style.css", "Accept-Encoding: br, gzip\r\n", "gzip", "gz style"},
        {"/style.css", "Accept-Encoding: br\r\n", NULL, "/* original */"},
        {"/a.txt", "Accept-Encoding: br, gzip\r\n", NULL, "hello a\n"},
        {"/twin.js", "Accept-Encoding: br\r\n", NULL, "its twin is a directory"},
        {"/page.html", "Accept-Encoding: gzip\r\n", NULL, "<p>page"}, /* its twin leads out of the root */
    };
    struct fixture *x = *state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct fake_exchange *f = get(x, cases[i].target, cases[i].lines);
        assert_int_equal(f->status, 200);
        assert_string_equal(f->body, cases[i].body);
        assert_int_equal(f->length, strlen(cases[i].body));
        const char *encoding = fake_field(f, "Content-Encoding");
        if (cases[i].encoding)
            assert_string_equal(encoding, cases[i].encoding);
        else
            assert_null(encoding);
        assert_string_equal(fake_field(f, "Vary"), "Accept-Encoding");
        if (cases[i].target[1] == 'a' && cases[i].target[2] == 'p')
            assert_string_equal(fake_field(f, "Content-Type"), "text/javascript; charset=utf-8");
    }
    char plain[64];
    char br[64];
    snprintf(plain, sizeof(plain), "%s", fake_field(get(x, "/app.js", ""), "ETag"));
    snprintf(br, sizeof(br), "%s", fake_field(get(x, "/app.js", "Accept-Encoding: br\r\n"), "ETag"));
    assert_string_not_equal(plain, br);
}

static void test_preconditions(void **state)
{
    struct fixture *x = *state;
    struct fake_exchange *f = get(x, "/a.txt", "");
    char etag[64];
    char date[64];
    char later[HTTP_DATE_MAX];
    char earlier[HTTP_DATE_MAX];
    int64_t modified;
    snprintf(etag, sizeof(etag), "%s", fake_field(f, "ETag"));
    snprintf(date, sizeof(date), "%s", fake_field(f, "Last-Modified"));
    assert_true(http_date_parse(slice_of(date), &modified));
    http_date_format(modified + 1, later);
    http_date_format(modified - 1, earlier);

    char lines[64][400]; /* the request fields of each case, then the status */
    int want[64];
    size_t n = 0;
#define CASE(status, ...)                                                                                              \
    do {                                                                                                               \
        snprintf(lines[n], sizeof(lines[n]), __VA_ARGS__);                                                             \
        want[n++] = status;                                                                                            \
    } while (0)
    CASE(304, "If-None-Match: %s\r\n", etag);
    CASE(304, "If-None-Match: W/%s\r\n", etag);
    CASE(304, "If-None-Match: \"x\", %s\r\n", etag);
    CASE(304, "If-None-Match: \"x\"\r\nIf-None-Match: %s\r\n", etag);
    CASE(304, "If-None-Match: *\r\n");
    CASE(200, "If-None-Match: \"x\"\r\n");
    CASE(200, "If-None-Match: \r\n");
    CASE(304, "If-Modified-Since: %s\r\n", date);
    CASE(304, "If-Modified-Since: %s\r\n", later);
    CASE(200, "If-Modified-Since: %s\r\n", earlier);
    CASE(200, "If-Modified-Since: yesterday\r\n");
    CASE(200, "If-Modified-Since: %s\r\nIf-Modified-Since: %s\r\n", date, date);
    CASE(200, "If-None-Match: \"x\"\r\nIf-Modified-Since: %s\r\n", date); /* the tag decides alone */
    CASE(304, "If-None-Match: %s\r\nIf-Modified-Since: %s\r\n", etag, earlier);
    CASE(200, "If-Match: %s\r\n", etag);
    CASE(200, "If-Match: *\r\n");
    CASE(412, "If-Match: W/%s\r\n", etag);
    CASE(412, "If-Match: \"x\"\r\n");
    CASE(412, "If-Match: \"x\"\r\nIf-None-Match: %s\r\n", etag);
    CASE(200, "If-Unmodified-Since: %s\r\n", date);
    CASE(412, "If-Unmodified-Since: %s\r\n", earlier);
    CASE(200, "If-Match: %s\r\nIf-Unmodified-Since: %s\r\n", etag, earlier);
    CASE(200, "If-Unmodified-Since: never\r\n");
#undef CASE
    for (size_t i = 0; i < n; i++) {
        f = get(x, "/a.txt", lines[i]);
        if (f->status != want[i])
            fail_msg("%s: %d", lines[i], f->status);
        assert_string_equal(fake_field(f, "ETag"), etag);
        assert_string_equal(fake_field(f, "Cache-Control"), "no-cache");
        assert_string_equal(fake_field(f, "Vary"), "Accept-Encoding");
        if (f->status == 304)
            assert_int_equal(f->n_body, 0);
    }
    snprintf(lines[0], sizeof(lines[0]), "If-None-Match: %s\r\nRange: bytes=0-1\r\n", etag);
    assert_int_equal(get(x, "/a.txt", lines[0])->status, 304);
    assert_true(ask_root(x, x->root, "HEAD", "/a.txt", lines[0]));
    assert_int_equal(x->f.status, 304);
    /* The plain file's tag says nothing about its twin. */
    snprintf(etag, sizeof(etag), "%s", fake_field(get(x, "/app.js", ""), "ETag"));
    snprintf(lines[0], sizeof(lines[0]), "Accept-Encoding: br\r\nIf-None-Match: %s\r\n", etag);
    assert_int_equal(get(x, "/app.js", lines[0])->status, 200);
}

/* A change that keeps the size changes the tag. */
static void test_etag_follows_mtime(void **state)
{
    struct fixture *x = *state;
    char path[200];
    snprintf(path, sizeof(path), "%s/a.txt", x->tree.root);
    char first[64];
    struct timespec times[2] = {{1000000000, 5}, {1000000000, 5}};
    assert_int_equal(utimensat(AT_FDCWD, path, times, 0), 0);
    struct fake_exchange *f = get(x, "/a.txt", "");
    snprintf(first, sizeof(first), "%s", fake_field(f, "ETag"));
    assert_string_equal(fake_field(f, "Last-Modified"), "Sun, 09 Sep 2001 01:46:40 GMT");
    times[1].tv_nsec = 6;
    assert_int_equal(utimensat(AT_FDCWD, path, times, 0), 0);
    assert_string_not_equal(first, fake_field(get(x, "/a.txt", ""), "ETag"));
    times[1].tv_nsec = 5;
    assert_int_equal(utimensat(AT_FDCWD, path, times, 0), 0);
    assert_string_equal(first, fake_field(get(x, "/a.txt", ""), "ETag"));
    times[1].tv_sec = -5; /* before 1970 */
    assert_int_equal(utimensat(AT_FDCWD, path, times, 0), 0);
    assert_int_equal(get(x, "/a.txt", "")->status, 200);
    times[1].tv_sec = time(NULL) + 86400; /* a date in the future is no Last-Modified */
    assert_int_equal(utimensat(AT_FDCWD, path, times, 0), 0);
    f = get(x, "/a.txt", "If-Modified-Since: Fri, 31 Dec 9999 23:59:59 GMT\r\n");
    assert_int_equal(f->status, 200);
    assert_null(fake_field(f, "Last-Modified"));
}

static void check_data(const struct fake_exchange *f, size_t from, size_t n)
{
    assert_int_equal(f->n_body, n);
    assert_int_equal(f->length, n);
    for (size_t i = 0; i < n; i++)
        if ((unsigned char)f->body[i] != tree_data(from + i))
            fail_msg("byte %zu of the range at %zu", i, from);
}

static void test_single_ranges(void **state)
{
    static const struct {
        const char *range;
        int status;
        size_t from;
        size_t n;
    } cases[] = {
        {"bytes=0-0", 206, 0, 1},
        {"bytes=0-99", 206, 0, 100},
        {"bytes=100-199", 206, 100, 100},
        {"bytes=4999-", 206, 4999, 1},
        {"bytes=0-", 206, 0, TREE_DATA},
        {"bytes=4000-99999", 206, 4000, 1000},
        {"bytes=-1", 206, 4999, 1},
        {"bytes=-4000", 206, 1000, 4000},
        {"bytes=-99999", 206, 0, TREE_DATA},
        {"bytes=5000-", 416, 0, 0},
        {"bytes=5000-6000, 7000-", 416, 0, 0},
        {"bytes=-0", 416, 0, 0},
        {"bytes=9-5", 200, 0, TREE_DATA},
        {"bytes=x", 200, 0, TREE_DATA},
        {"lines=0-5", 200, 0, TREE_DATA},
        {"bytes=6000-7000,0-9", 206, 0, 10}, /* one of two can be had */
    };
    struct fixture *x = *state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char line[100];
        char range[100];
        snprintf(line, sizeof(line), "Range: %s\r\n", cases[i].range);
        struct fake_exchange *f = get(x, "/data.bin", line);
        if (f->status != cases[i].status)
            fail_msg("%s: %d", cases[i].range, f->status);
        if (f->status == 416)
            assert_string_equal(fake_field(f, "Content-Range"), "bytes */5000");
        else
            check_data(f, cases[i].from, cases[i].n);
        snprintf(range, sizeof(range), "bytes %zu-%zu/5000", cases[i].from, cases[i].from + cases[i].n - 1);
        if (f->status == 206)
            assert_string_equal(fake_field(f, "Content-Range"), range);
        if (f->status != 416)
            assert_string_equal(fake_field(f, "Content-Type"), "application/octet-stream");
        assert_non_null(fake_field(f, "ETag"));
    }
    assert_int_equal(get(x, "/data.bin", "Range: bytes=0-1\r\nRange: bytes=2-3\r\n")->status, 200);
    assert_int_equal(get(x, "/zero.txt", "Range: bytes=0-\r\n")->status, 416);
    /* A range of a compressed twin is a range of the compressed bytes. */
    struct fake_exchange *f = get(x, "/app.js", "Accept-Encoding: br\r\nRange: bytes=0-5\r\n");
    assert_int_equal(f->status, 206);
    assert_string_equal(f->body, "brotli");
    assert_string_equal(fake_field(f, "Content-Range"), "bytes 0-5/12");
    assert_string_equal(fake_field(f, "Content-Encoding"), "br");
}

static void test_if_range(void **state)
{
    struct fixture *x = *state;
    char path[200];
    snprintf(path, sizeof(path), "%s/data.bin", x->tree.root);
    char lines[300];
    char etag[64];
    char date[64];
    struct fake_exchange *f;
    /* The second of the last change is not over: the file may change again unseen. */
    struct timespec now[2] = {{0, UTIME_NOW}, {0, UTIME_NOW}};
    time_t second;
    do {
        second = time(NULL);
        assert_int_equal(utimensat(AT_FDCWD, path, now, 0), 0);
        snprintf(date, sizeof(date), "%s", fake_field(get(x, "/data.bin", ""), "Last-Modified"));
        snprintf(lines, sizeof(lines), "Range: bytes=0-9\r\nIf-Range: %s\r\n", date);
        f = get(x, "/data.bin", lines);
    } while (time(NULL) != second);
    assert_int_equal(f->status, 200);

    struct timespec times[2] = {{1000000000, 0}, {1000000000, 0}};
    assert_int_equal(utimensat(AT_FDCWD, path, times, 0), 0);
    snprintf(etag, sizeof(etag), "%s", fake_field(get(x, "/data.bin", ""), "ETag"));
    static const struct {
        const char *format;
        bool with_etag;
        int status;
    } cases[] = {
        {"Range: bytes=0-9\r\nIf-Range: %s\r\n", true, 206},
        {"Range: bytes=0-9\r\nIf-Range: W/%s\r\n", true, 200},
        {"Range: bytes=0-9\r\nIf-Range: %s, \"x\"\r\n", true, 200},
        {"Range: bytes=0-9\r\nIf-Range: \"x\"\r\n", false, 200},
        {"Range: bytes=0-9\r\nIf-Range: *\r\n", false, 200},
        {"Range: bytes=0-9\r\nIf-Range: Sun, 09 Sep 2001 01:46:40 GMT\r\n", false, 206},
        {"Range: bytes=0-9\r\nIf-Range: Sun, 09 Sep 2001 01:46:41 GMT\r\n", false, 200}, /* later is not the same */
        {"Range: bytes=0-9\r\nIf-Range: Sun, 09 Sep 2001 01:46:39 GMT\r\n", false, 200},
        {"Range: bytes=0-9\r\nIf-Range: soon\r\n", false, 200},
        {"Range: bytes=9999-\r\nIf-Range: \"x\"\r\n", false, 200},
        {"Range: bytes=9999-\r\nIf-Range: %s\r\n", true, 416},
        {"If-Range: %s\r\n", true, 200},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        const char *mark = strstr(cases[i].format, "%s");
        if (mark)
            snprintf(lines, sizeof(lines), "%.*s%s%s", (int)(mark - cases[i].format), cases[i].format, etag, mark + 2);
        else
            snprintf(lines, sizeof(lines), "%s", cases[i].format);
        f = get(x, "/data.bin", lines);
        if (f->status != cases[i].status)
            fail_msg("%s: %d", lines, f->status);
    }
}

/* Reads the parts as a client would, by the boundary alone. */
static void check_multipart(const struct fake_exchange *f, const size_t (*ranges)[2], size_t n)
{
    static const char prefix[] = "multipart/byteranges; boundary=";
    const char *type = fake_field(f, "Content-Type");
    assert_non_null(type);
    assert_memory_equal(type, prefix, sizeof(prefix) - 1);
    const char *boundary = type + sizeof(prefix) - 1;
    assert_true(strlen(boundary) >= 16 && strlen(boundary) <= 70);
    const char *p = f->body;
    for (size_t i = 0; i < n; i++) {
        char head[400];
        int len =
            snprintf(head, sizeof(head),
                     "%s--%s\r\nContent-Type: application/octet-stream\r\nContent-Range: bytes %zu-%zu/5000\r\n\r\n",
                     i ? "\r\n" : "", boundary, ranges[i][0], ranges[i][1]);
        assert_memory_equal(p, head, len);
        p += len;
        for (size_t k = ranges[i][0]; k <= ranges[i][1]; k++)
            assert_int_equal((unsigned char)*p++, tree_data(k));
    }
    char end[100];
    int len = snprintf(end, sizeof(end), "\r\n--%s--\r\n", boundary);
    assert_memory_equal(p, end, len);
    assert_ptr_equal(p + len, f->body + f->n_body);
    assert_int_equal(f->length, f->n_body);
}

static void test_multiple_ranges(void **state)
{
    struct fixture *x = *state;
    struct fake_exchange *f = get(x, "/data.bin", "Range: bytes=0-9,100-1999, -3\r\n");
    assert_int_equal(f->status, 206);
    assert_null(fake_field(f, "Content-Range"));
    static const size_t three[][2] = {{0, 9}, {100, 1999}, {4997, 4999}};
    check_multipart(f, three, 3);
    f = get(x, "/data.bin", "Range: bytes=4000-4001,0-0\r\n"); /* in the order asked */
    static const size_t two[][2] = {{4000, 4001}, {0, 0}};
    check_multipart(f, two, 2);

    char lines[400] = "Range: bytes=";
    size_t ranges[HTTP_RANGES_MAX][2];
    for (size_t i = 0; i < HTTP_RANGES_MAX; i++) {
        size_t at = strlen(lines);
        snprintf(lines + at, sizeof(lines) - at, "%s%zu-%zu", i ? "," : "", i * 10, i * 10 + 4);
        ranges[i][0] = i * 10;
        ranges[i][1] = i * 10 + 4;
    }
    size_t at = strlen(lines);
    snprintf(lines + at, sizeof(lines) - at, "\r\n");
    check_multipart(get(x, "/data.bin", lines), (const size_t(*)[2])ranges, HTTP_RANGES_MAX);
    snprintf(lines + at, sizeof(lines) - at, ",4000-4001\r\n"); /* one too many */
    f = get(x, "/data.bin", lines);
    assert_int_equal(f->status, 200);
    check_data(f, 0, TREE_DATA);

    f = get(x, "/app.js", "Accept-Encoding: br\r\nRange: bytes=0-1,3-4\r\n");
    assert_int_equal(f->status, 200); /* several ranges of encoded bytes: all of them instead */
    assert_string_equal(f->body, "brotli bytes");
    f = get(x, "/app.js", "Range: bytes=0-1,3-4\r\n");
    assert_int_equal(f->status, 206);
    assert_non_null(strstr(f->body, "Content-Type: text/javascript; charset=utf-8\r\n"));
}

static void shrink(void *path)
{
    assert_int_equal(truncate(path, 1000), 0);
}

static void grow(void *path)
{
    int fd = open(path, O_WRONLY | O_APPEND | O_CLOEXEC);
    assert_int_equal(write(fd, "more", 4), 4);
    close(fd);
}

/* A file that changes while it is sent. */
static void test_changing_file(void **state)
{
    struct fixture *x = *state;
    char path[200];
    snprintf(path, sizeof(path), "%s/data.bin", x->tree.root);
    assert_true(fake_request(&x->f, "GET", "/data.bin", ""));
    x->f.before_pull = grow;
    x->f.arg = path;
    files_serve(x->root, &x->f.x, SLICE("data.bin"));
    assert_false(x->f.body_failed);
    check_data(&x->f, 0, TREE_DATA); /* as long as promised */
    fake_free(&x->f);
    assert_true(fake_request(&x->f, "GET", "/data.bin", ""));
    x->f.before_pull = shrink;
    x->f.arg = path;
    files_serve(x->root, &x->f.x, SLICE("data.bin"));
    assert_true(x->f.body_failed);
    assert_int_equal(x->f.n_body, 1000);
    fake_free(&x->f);
    assert_true(fake_request(&x->f, "GET", "/data.bin", "Range: bytes=0-9,900-999\r\n"));
    x->f.pull_at_most = 300; /* a client that goes away in the middle */
    files_serve(x->root, &x->f.x, SLICE("data.bin"));
    assert_int_equal(x->f.status, 206);
}

static void test_options(void **state)
{
    struct fixture *x = *state;
    struct file_root *r = open_root(x->tree.root, "other.html", 3600);
    assert_true(ask_root(x, r, "GET", "/", ""));
    assert_string_equal(x->f.body, "<p>other");
    assert_string_equal(fake_field(&x->f, "Cache-Control"), "max-age=3600");
    assert_true(ask_root(x, r, "GET", "/dir/", ""));
    assert_int_equal(x->f.status, 404);
    file_root_free(r);
    r = open_root(x->tree.root, NULL, 0.25);
    assert_true(ask_root(x, r, "GET", "/", ""));
    assert_string_equal(fake_field(&x->f, "Cache-Control"), "no-cache");
    file_root_free(r);
    file_root_free(NULL);

    static const struct {
        const char *dir; /* below the root */
        const char *index;
        const char *why;
    } wrong[] = {
        {"/missing", NULL, "No such file or directory"},
        {"/a.txt", NULL, "Not a directory"},
        {"", "", "index"},
        {"", "a/b", "index"},
        {"", ".hidden", "index"},
        {"", "../secret.txt", "index"},
        {"builtin:nothing", NULL, "builtin:demo"},
    };
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
        char dir[200];
        char mem[400];
        struct strbuf why;
        strbuf_init(&why, mem, sizeof(mem));
        bool builtin = wrong[i].dir[0] == 'b';
        snprintf(dir, sizeof(dir), "%s%s", builtin ? "" : x->tree.root, wrong[i].dir);
        struct file_root_options opt = {.dir = dir, .index = wrong[i].index};
        assert_null(file_root_new(&opt, &why));
        assert_non_null(strstr(mem, wrong[i].why));
    }
}

/* What the program may not read is 403, and the right of the reader is asked, not root's. */
static void test_permission(void **state)
{
    struct fixture *x = *state;
    char path[200];
    snprintf(path, sizeof(path), "%s/a.txt", x->tree.root);
    assert_int_equal(chmod(path, 0), 0);
    snprintf(path, sizeof(path), "%s/dir", x->tree.root);
    assert_int_equal(chmod(path, 0), 0);
    snprintf(path, sizeof(path), "%s/empty", x->tree.root);
    assert_int_equal(chmod(path, 0111), 0);
    uid_t me = geteuid();
    if (me == 0)
        assert_int_equal(seteuid(65534), 0);
    int file = get(x, "/a.txt", "")->status;
    int below = get(x, "/dir/f.txt", "")->status;
    int index = get(x, "/dir/", "")->status;
    int other = get(x, "/index.html", "")->status;
    int entered = me == 0 ? get(x, "/empty", "")->status : 301; /* may be entered, not read */
    if (me == 0)
        assert_int_equal(seteuid(me), 0);
    assert_int_equal(chmod(path, 0755), 0);
    snprintf(path, sizeof(path), "%s/dir", x->tree.root);
    assert_int_equal(chmod(path, 0755), 0);
    assert_int_equal(file, 403);
    assert_int_equal(below, 403);
    assert_int_equal(index, 403);
    assert_int_equal(other, 200);
    assert_int_equal(entered, 301);
}

/* The directory is opened once: what takes its name later is not what is served. */
static void test_root_is_kept(void **state)
{
    struct fixture *x = *state;
    char moved[200];
    snprintf(moved, sizeof(moved), "%s/moved", x->tree.top);
    assert_int_equal(rename(x->tree.root, moved), 0);
    assert_int_equal(symlink("/etc", x->tree.root), 0);
    assert_int_equal(get(x, "/passwd", "")->status, 404);
    assert_int_equal(get(x, "/a.txt", "")->status, 200);
}

static void test_no_descriptor_leaks(void **state)
{
    struct fixture *x = *state;
    static const char *const targets[] = {"/",     "/a.txt", "/app.js", "/dir",   "/missing",
                                          "/fifo", "/odd/",  "/out",    "/.git/", "/twin.js"};
    static const char *const lines[] = {"",
                                        "Accept-Encoding: br, gzip\r\n",
                                        "Range: bytes=0-1,3-4\r\n",
                                        "Range: bytes=99999-\r\n",
                                        "If-None-Match: *\r\n",
                                        "If-Match: \"x\"\r\n"};
    int before = dup(0);
    close(before);
    for (size_t i = 0; i < ARRAY_LEN(targets); i++)
        for (size_t k = 0; k < ARRAY_LEN(lines); k++)
            get(x, targets[i], lines[k]);
    int after = dup(0);
    close(after);
    assert_int_equal(before, after);
}

static void test_demo(void **state)
{
    struct fixture *x = *state;
    struct file_root *r = open_root("builtin:demo", NULL, 0);
    static const struct {
        const char *target;
        const char *type;
        const char *holds;
    } parts[] = {
        {"/", "text/html; charset=utf-8", "<script src=\"demo.js\""},
        {"/index.html", "text/html; charset=utf-8", "demo.css"},
        {"/demo.js", "text/javascript; charset=utf-8", "new WebSocket"},
        {"/demo.css", "text/css; charset=utf-8", "prefers-color-scheme"},
    };
    for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
        assert_true(ask_root(x, r, "GET", parts[i].target, ""));
        assert_int_equal(x->f.status, 200);
        assert_string_equal(fake_field(&x->f, "Content-Type"), parts[i].type);
        assert_non_null(strstr(x->f.body, parts[i].holds));
        assert_int_equal(x->f.n_body, x->f.length);
        assert_int_equal(x->f.body[x->f.n_body - 1], '\n');
        const char *policy = fake_field(&x->f, "Content-Security-Policy");
        assert_non_null(strstr(policy, "default-src 'none'"));
        assert_null(strstr(policy, "unsafe"));
        assert_string_equal(fake_field(&x->f, "X-Content-Type-Options"), "nosniff");
        assert_null(fake_field(&x->f, "Last-Modified"));
        char line[100];
        snprintf(line, sizeof(line), "If-None-Match: %s\r\n", fake_field(&x->f, "ETag"));
        assert_true(ask_root(x, r, "GET", parts[i].target, line));
        assert_int_equal(x->f.status, 304);
    }
    assert_true(ask_root(x, r, "GET", "/demo.js", "Range: bytes=0-1\r\n"));
    assert_int_equal(x->f.status, 206);
    assert_string_equal(x->f.body, "/*");
    static const char *const missing[] = {"/demo", "/demo.jsx", "/demo.html", "/demo.js/", "/favicon.ico", "/x/"};
    for (size_t i = 0; i < ARRAY_LEN(missing); i++) {
        assert_true(ask_root(x, r, "GET", missing[i], ""));
        assert_int_equal(x->f.status, 404);
    }
    assert_true(ask_root(x, r, "POST", "/", ""));
    assert_int_equal(x->f.status, 405);
    file_root_free(r);
}

#define WITH_TREE(t) cmocka_unit_test_setup_teardown(t, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_TREE(test_found),
        WITH_TREE(test_nasty_spellings),
        WITH_TREE(test_nasty_without_decoder),
        WITH_TREE(test_long_paths),
        WITH_TREE(test_redirects),
        WITH_TREE(test_below_a_prefix),
        WITH_TREE(test_methods),
        WITH_TREE(test_encodings),
        WITH_TREE(test_preconditions),
        WITH_TREE(test_etag_follows_mtime),
        WITH_TREE(test_single_ranges),
        WITH_TREE(test_if_range),
        WITH_TREE(test_multiple_ranges),
        WITH_TREE(test_changing_file),
        WITH_TREE(test_options),
        WITH_TREE(test_permission),
        WITH_TREE(test_root_is_kept),
        WITH_TREE(test_no_descriptor_leaks),
        WITH_TREE(test_demo),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
