/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the wsbridge authors */
/*
 * Any bytes as a configuration: read, reported, and, when it is a good one, printed and read again. What is printed has
 * to load without an error and print the same.
 */
#include <assert.h>
#include <stdint.h>

#include "config_sample.h"

#define BOUND ((size_t)256 << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct run {
    struct arena *arena;
    struct cfg_load *load;
    struct sample obj;
    bool good;
};

static void begin(struct run *r, struct slice text)
{
    r->arena = arena_new(BOUND);
    assert(r->arena);
    r->load = cfg_load_new(r->arena);
    assert(r->load);
    const struct cfg_node *root = cfg_load_text(r->load, "f.yaml", text);
    if (root)
        cfg_read(r->load, &sample_table, root, &r->obj);
    assert(root || cfg_error_count(r->load));
    r->good = root && !cfg_error_count(r->load);
}

static void end(struct run *r)
{
    cfg_load_free(r->load);
    arena_free(r->arena);
}

/* What reaches a terminal has no control characters but line ends. */
static void check_report(const struct cfg_load *l)
{
    struct sample_text said = {0};
    cfg_errors_print(l, false, sample_put, &said);
    for (size_t i = 0; i < said.n; i++)
        assert((unsigned char)said.p[i] >= 0x20 || said.p[i] == '\n');
    free(said.p);
}

static void check_round_trip(const struct run *r)
{
    struct sample_text once = {0}, twice = {0};
    struct run again;
    cfg_print_effective(&sample_table, &r->obj, sample_put, &once);
    begin(&again, (struct slice){once.p, once.n});
    assert(again.good);
    cfg_print_effective(&sample_table, &again.obj, sample_put, &twice);
    assert(once.n == twice.n && !memcmp(once.p, twice.p, once.n));
    end(&again);
    free(once.p);
    free(twice.p);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct run r;
    begin(&r, (struct slice){(const char *)data, size});
    check_report(r.load);
    if (r.good)
        check_round_trip(&r);
    end(&r);
    return 0;
}
