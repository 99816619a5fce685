/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the wsbridge authors */
/*
 * A configuration with every type of field, and helpers that load a text and give back what was said about it.
 */
#ifndef WSBRIDGE_TESTS_CONFIG_SAMPLE_H
#define WSBRIDGE_TESTS_CONFIG_SAMPLE_H

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "config/schema.h"

struct sample_tuning {
    uint64_t small; /* 1..10 */
    uint64_t bytes;
    double wait;
    bool fast;
    uint64_t set;
};

struct sample_point {
    uint64_t x, y;
};

struct sample_service {
    struct cfg_named name;
    const char *to;
    struct cfg_strings protocols;
    int frames;
    int encrypt;
    struct sample_tuning tuning;
    struct sample_point at;
};

struct sample_listener {
    struct cfg_strings address;
    const char *mode;
    const struct cfg_node *node;
};

struct sample {
    struct cfg_strings listen;
    const char *greeting;
    const char *files;
    struct cfg_items listeners;
    struct cfg_items services;
    struct sample_tuning tuning;
    uint64_t version;
    uint64_t set;
};

static UNUSED const char *const sample_frames[] = {"binary", "text", "auto", NULL};
static UNUSED const char *const sample_encrypt[] = {"off", "on", "strict", NULL};

/* The same option table twice: with defaults, and as overrides without. */
#define SAMPLE_TUNING(a, b, c)                                                                                         \
    {                                                                                                                  \
        {.key = "small",                                                                                               \
         .type = CFG_COUNT,                                                                                            \
         .offset = offsetof(struct sample_tuning, small),                                                              \
         .fallback = a,                                                                                                \
         .min = 1,                                                                                                     \
         .max = 10,                                                                                                    \
         .doc = "A number."},                                                                                          \
            {.key = "bytes",                                                                                           \
             .type = CFG_SIZE,                                                                                         \
             .offset = offsetof(struct sample_tuning, bytes),                                                          \
             .fallback = b,                                                                                            \
             .flags = CFG_ALLOW_UNLIMITED,                                                                             \
             .min = 1024,                                                                                              \
             .max = 1 << 30,                                                                                           \
             .doc = "A size."},                                                                                        \
            {.key = "wait",                                                                                            \
             .type = CFG_DURATION,                                                                                     \
             .offset = offsetof(struct sample_tuning, wait),                                                           \
             .fallback = c,                                                                                            \
             .flags = CFG_ALLOW_UNLIMITED,                                                                             \
             .max = 60000,                                                                                             \
             .doc = "A duration."},                                                                                    \
            {.key = "fast",                                                                                            \
             .type = CFG_BOOL,                                                                                         \
             .offset = offsetof(struct sample_tuning, fast),                                                           \
             .doc = "A switch. It has \"quotes\" and a \\backslash."},                                                 \
            CFG_TABLE_END                                                                                              \
    }

static UNUSED const struct cfg_field sample_tuning_fields[] = SAMPLE_TUNING("3", "64KiB", "1500ms");
static UNUSED const struct cfg_field sample_override_fields[] = SAMPLE_TUNING(NULL, NULL, NULL);
static UNUSED const struct cfg_table sample_tuning_table = {
    .name = "tuning",
    .doc = "Numbers.",
    .size = sizeof(struct sample_tuning),
    .fields = sample_tuning_fields,
    .set_offset = offsetof(struct sample_tuning, set),
};
static UNUSED const struct cfg_table sample_override_table = {
    .name = "tuning",
    .doc = "Numbers that differ.",
    .size = sizeof(struct sample_tuning),
    .fields = sample_override_fields,
    .set_offset = offsetof(struct sample_tuning, set),
};

/* "3,4" */
static UNUSED int sample_point_parse(struct cfg_load *l, const struct cfg_node *node, void *dst)
{
    struct sample_point *p = dst;
    struct slice rest = slice_of(cfg_node_text(node)), x, y;
    if (!rest.p) {
        cfg_error(l, node, "write it as \"x,y\"", "a point is a text");
        return -1;
    }
    if (!slice_cut(&rest, ',', &x) || !slice_cut(&rest, ',', &y) || !slice_to_u64(x, 99, &p->x) ||
        !slice_to_u64(y, 99, &p->y))
        return -1; /* without a word: the engine has to say something */
    return 0;
}

static UNUSED void sample_point_print(const void *src, struct strbuf *out)
{
    const struct sample_point *p = src;
    if (p->x || p->y)
        strbuf_printf(out, "\"%d,%d\"", (int)p->x, (int)p->y);
}

static UNUSED const struct cfg_field sample_service_fields[] = {
    {.key = "to",
     .type = CFG_STRING,
     .offset = offsetof(struct sample_service, to),
     .flags = CFG_REQUIRED,
     .example = "127.0.0.1:5901",
     .doc = "Where its bytes go."},
    {.key = "protocols",
     .type = CFG_STRINGS,
     .offset = offsetof(struct sample_service, protocols),
     .fallback = "[binary, base64]",
     .doc = "Names."},
    {.key = "frames",
     .type = CFG_ENUM,
     .offset = offsetof(struct sample_service, frames),
     .fallback = "auto",
     .choices = sample_frames,
     .doc = "Which."},
    {.key = "encrypt",
     .type = CFG_ENUM,
     .offset = offsetof(struct sample_service, encrypt),
     .choices = sample_encrypt,
     .doc = "Whether."},
    {.key = "tuning",
     .type = CFG_STRUCT,
     .offset = offsetof(struct sample_service, tuning),
     .table = &sample_override_table},
    {.key = "at",
     .type = CFG_CUSTOM,
     .offset = offsetof(struct sample_service, at),
     .parse = sample_point_parse,
     .print = sample_point_print,
     .example = "\"1,2\"",
     .doc = "A point."},
    CFG_TABLE_END,
};

static UNUSED int sample_service_shorthand(struct cfg_load *l, const struct cfg_node *node, void *obj)
{
    struct sample_service *s = obj;
    s->to = cfg_node_text(node);
    if (!s->to)
        cfg_error(l, node, NULL, "a service is a map or a target");
    return s->to ? 0 : -1;
}

static UNUSED void sample_service_check(struct cfg_load *l, const struct cfg_node *node, void *obj)
{
    const struct sample_service *s = obj;
    if (s->to && !strcmp(s->to, "nowhere"))
        cfg_error(l, cfg_node_get(node, "to"), NULL, "the service \"%s\" goes nowhere", s->name.name);
    if (s->to && !strcmp(s->to, "doubtful"))
        cfg_warning(l, node, "think twice", "this is doubtful");
}

static UNUSED const struct cfg_table sample_service_table = {
    .name = "services.NAME",
    .doc = "Where bytes go.",
    .size = sizeof(struct sample_service),
    .fields = sample_service_fields,
    .shorthand = sample_service_shorthand,
    .check = sample_service_check,
};

static UNUSED const struct cfg_field sample_listener_fields[] = {
    {.key = "address",
     .type = CFG_STRINGS,
     .offset = offsetof(struct sample_listener, address),
     .flags = CFG_REQUIRED,
     .example = "6080",
     .doc = "Where to listen."},
    {.key = "mode",
     .type = CFG_STRING,
     .offset = offsetof(struct sample_listener, mode),
     .example = "\"0660\"",
     .doc = "Of the socket file."},
    CFG_TABLE_END,
};

static UNUSED void sample_listener_check(struct cfg_load *l, const struct cfg_node *node, void *obj)
{
    ((struct sample_listener *)obj)->node = node;
}

static UNUSED const struct cfg_table sample_listener_table = {
    .name = "listeners[]",
    .doc = "Where clients come in.",
    .size = sizeof(struct sample_listener),
    .fields = sample_listener_fields,
    .check = sample_listener_check,
};

static UNUSED const struct cfg_field sample_fields[] = {
    {.key = "listen", .type = CFG_STRINGS, .offset = offsetof(struct sample, listen), .flags = CFG_HIDDEN},
    {.key = "version", .type = CFG_COUNT, .offset = offsetof(struct sample, version), .fallback = "1", .doc = "One."},
    {.key = "greeting",
     .type = CFG_STRING,
     .offset = offsetof(struct sample, greeting),
     .example = "hello",
     .doc = "What is said first. It is here to have a text of many words that has to be wrapped in the reference, "
            "because it is longer than a line there may be."},
    {.key = "files", .type = CFG_PATH, .offset = offsetof(struct sample, files), .doc = "A directory."},
    {.key = "listeners",
     .type = CFG_LIST,
     .offset = offsetof(struct sample, listeners),
     .table = &sample_listener_table,
     .doc = "The listeners."},
    {.key = "services",
     .type = CFG_MAP,
     .offset = offsetof(struct sample, services),
     .table = &sample_service_table,
     .doc = "The services."},
    {.key = "tuning",
     .type = CFG_STRUCT,
     .offset = offsetof(struct sample, tuning),
     .table = &sample_tuning_table,
     .doc = "The tuning."},
    CFG_TABLE_END,
};

static UNUSED const struct cfg_table sample_table = {
    .name = "",
    .doc = "A sample.",
    .size = sizeof(struct sample),
    .fields = sample_fields,
    .set_offset = offsetof(struct sample, set),
};

/* --- loading ---------------------------------------------------------------------------------------------------------
 */

struct sample_text {
    char *p;
    size_t n;
};

static UNUSED void sample_put(void *arg, struct slice s)
{
    struct sample_text *t = arg;
    t->p = realloc(t->p, t->n + s.n + 1);
    assert(t->p);
    if (s.n)
        memcpy(t->p + t->n, s.p, s.n);
    t->n += s.n;
    t->p[t->n] = '\0';
}

struct sample_run {
    struct arena *arena;
    struct cfg_load *load;
    const struct cfg_node *root;
    struct sample obj;
    struct sample_text said; /* the errors as printed */
};

static UNUSED void sample_begin(struct sample_run *r)
{
    memset(r, 0, sizeof(*r));
    r->arena = arena_new(0);
    assert(r->arena);
    r->load = cfg_load_new(r->arena);
    assert(r->load);
}

static UNUSED void sample_finish(struct sample_run *r)
{
    if (r->root)
        cfg_read(r->load, &sample_table, r->root, &r->obj);
    sample_put(&r->said, SLICE(""));
    cfg_errors_print(r->load, false, sample_put, &r->said);
}

static UNUSED void sample_load(struct sample_run *r, struct slice text)
{
    sample_begin(r);
    r->root = cfg_load_text(r->load, "t.yaml", text);
    sample_finish(r);
}

static UNUSED void sample_load_files(struct sample_run *r, const char *const *paths, size_t n)
{
    sample_begin(r);
    r->root = cfg_load_files(r->load, paths, n);
    sample_finish(r);
}

static UNUSED void sample_end(struct sample_run *r)
{
    cfg_load_free(r->load);
    arena_free(r->arena);
    free(r->said.p);
}

static UNUSED struct sample_service *sample_service(struct sample_run *r, size_t i)
{
    assert(i < r->obj.services.n);
    return &((struct sample_service *)r->obj.services.v)[i];
}

static UNUSED struct sample_listener *sample_listener(struct sample_run *r, size_t i)
{
    assert(i < r->obj.listeners.n);
    return &((struct sample_listener *)r->obj.listeners.v)[i];
}

#endif
