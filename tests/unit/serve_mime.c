/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the wsbridge authors */
/* Media types by name. */
#include "unit.h"

#include "serve/mime.h"

static void test_types(void **state)
{
    static const struct {
        const char *path;
        const char *type;
    } cases[] = {
        {"index.html", "text/html; charset=utf-8"},
        {"a/b.htm", "text/html; charset=utf-8"},
        {"app.js", "text/javascript; charset=utf-8"},
        {"app.mjs", "text/javascript; charset=utf-8"},
        {"APP.JS", "text/javascript; charset=utf-8"},
        {"app.min.css", "text/css; charset=utf-8"},
        {"x.wasm", "application/wasm"},
        {"x.json", "application/json"},
        {"app.js.map", "application/json"},
        {"site.webmanifest", "application/manifest+json"},
        {"x.svg", "image/svg+xml"},
        {"x.png", "image/png"},
        {"x.jpeg", "image/jpeg"},
        {"x.ico", "image/vnd.microsoft.icon"},
        {"x.woff", "font/woff"},
        {"x.woff2", "font/woff2"},
        {"x.txt", "text/plain; charset=utf-8"},
        {"x.gz", "application/gzip"},
        {"x.7z", "application/x-7z-compressed"}, /* the first */
        {"x.zst", "application/zstd"},           /* and the last of the table */
        {"x.unknown", "application/octet-stream"},
        {"x.averyveryverylongending", "application/octet-stream"},
        {"html", "application/octet-stream"},
        {"x.html/y", "application/octet-stream"},
        {"x.", "application/octet-stream"},
        {"", "application/octet-stream"},
        {"dir/", "application/octet-stream"},
        {"dir.js/", "application/octet-stream"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        assert_string_equal(mime_type(slice_of(cases[i].path)), cases[i].type);
}

/* Each ending finds itself, which it would not if the table were out of order. */
static void test_sorted(void **state)
{
    static const char *const known[] = {
        "aac",  "apng", "avif", "bmp",  "bz2",    "cjs",     "conf",       "css",   "csv", "eot", "flac", "gif",
        "glb",  "gltf", "gz",   "htm",  "html",   "ico",     "ics",        "jpeg",  "jpg", "js",  "json", "jxl",
        "log",  "m4a",  "map",  "md",   "mjs",    "mov",     "mp3",        "mp4",   "oga", "ogg", "ogv",  "opus",
        "otf",  "pdf",  "png",  "svg",  "tar",    "tif",     "tiff",       "toml",  "tsv", "ttf", "txt",  "vtt",
        "wasm", "wav",  "weba", "webm", "webp",   "woff",    "woff2",      "xhtml", "xml", "xz",  "yaml", "yml",
        "zip",  "zst",  "rss",  "atom", "jsonld", "geojson", "webmanifest"};
    for (size_t i = 0; i < ARRAY_LEN(known); i++) {
        char name[32] = "f.";
        memcpy(name + 2, known[i], strlen(known[i]) + 1);
        assert_string_not_equal(mime_type(slice_of(name)), "application/octet-stream");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_types),
        cmocka_unit_test(test_sorted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
