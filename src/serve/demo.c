/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the wsbridge authors */
/*
 * The parts of the demo page lie beside this file and are put into the program by the assembler; the Makefile knows
 * that this object depends on them. Each is a resource of its own, so the page lives under a policy that allows nothing
 * from elsewhere and nothing inline.
 */
#include "serve/demo.h"

#include <inttypes.h>
#include <stdio.h>

/* Paths count from the top of the tree, where make runs the compiler. */
__asm__(".section .rodata\n"
        "demo_html: .incbin \"src/serve/demo.html\"\n"
        "demo_html_end:\n"
        "demo_js: .incbin \"src/serve/demo.js\"\n"
        "demo_js_end:\n"
        "demo_css: .incbin \"src/serve/demo.css\"\n"
        "demo_css_end:\n"
        ".previous\n");
extern const char demo_html[], demo_html_end[], demo_js[], demo_js_end[], demo_css[], demo_css_end[];

#define POLICY                                                                                                         \
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; base-uri 'none'; "    \
    "form-action 'none'; frame-ancestors 'none'"

struct demo_part {
    struct slice path;
    const char *begin;
    const char *end;
    const char *type;
};

static const struct demo_part parts[] = {
    {{"", 0}, demo_html, demo_html_end, "text/html; charset=utf-8"},
    {{"index.html", 10}, demo_html, demo_html_end, "text/html; charset=utf-8"},
    {{"demo.js", 7}, demo_js, demo_js_end, "text/javascript; charset=utf-8"},
    {{"demo.css", 8}, demo_css, demo_css_end, "text/css; charset=utf-8"},
};

/* FNV-1a: the validator must change when the bytes do, and a release number does not while the page is worked on. */
static uint64_t hash_of(const char *p, const char *end)
{
    uint64_t h = 0xcbf29ce484222325u;
    for (; p < end; p++)
        h = (h ^ (unsigned char)*p) * 0x100000001b3u;
    return h;
}

bool demo_find(struct slice below, struct content *c)
{
    for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
        const struct demo_part *part = &parts[i];
        if (!slice_eq(below, part->path))
            continue;
        c->source = (struct body_source){.fd = -1, .memory = part->begin, .size = (uint64_t)(part->end - part->begin)};
        snprintf(c->etag, sizeof(c->etag), "\"%016" PRIx64 "\"", hash_of(part->begin, part->end));
        c->type = part->type;
        c->policy = POLICY;
        return true;
    }
    return false;
}
