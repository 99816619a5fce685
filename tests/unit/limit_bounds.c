/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the wsbridge authors */
/*
 * Limits and timeouts: the documented defaults, what may be overridden, and how overrides merge.
 */
#include "unit.h"

#include "limit/bounds.h"

static struct cfg_load *load(struct arena *a, const struct cfg_table *t, const char *text, void *obj)
{
    struct cfg_load *l = cfg_load_new(a);
    assert_non_null(l);
    const struct cfg_node *root = cfg_load_text(l, "t.yaml", slice_of(text));
    assert_non_null(root);
    cfg_read(l, t, root, obj);
    return l;
}

static void has_the_documented_defaults(void **state)
{
    struct arena *a = arena_new(0);
    struct limits n;
    struct timeouts t;
    struct cfg_load *l = load(a, &limits_table, "{}", &n);
    cfg_defaults(l, &timeouts_table, &t);
    assert_int_equal(cfg_error_count(l), 0);
    assert_int_equal(n.connections, 10000);
    assert_int_equal(n.request_header, 16 << 10);
    assert_int_equal(n.message, 16 << 20);
    assert_int_equal(n.buffer, 64 << 10);
    assert_true(t.handshake == 10 && t.connect == 5 && t.idle == 3600);
    assert_true(t.ping == 25 && t.pong == 20 && t.write_stall == 60);
    assert_true(isinf(t.lifetime) && t.close == 2 && t.drain == 30);
    assert_int_equal(n.set | t.set, 0);
    cfg_load_free(l);
    arena_free(a);
}

static void overrides_only_what_is_given(void **state)
{
    struct arena *a = arena_new(0);
    struct limits n = {.connections = 7, .request_header = 1, .message = 2, .buffer = 3, .set = 15}, over;
    struct timeouts t = {1, 2, 3, 4, 5, 6, 7, 8, 9, 0}, tover;
    struct cfg_load *l = load(a, &limits_override_table, "{message: unlimited}", &over);
    struct cfg_load *m = load(a, &timeouts_override_table, "{lifetime: 8h, ping: off, close: 1s}", &tover);
    assert_int_equal(cfg_error_count(l) + cfg_error_count(m), 0);
    assert_int_equal(over.buffer, 0);
    limits_merge(&n, &over);
    assert_int_equal(n.connections, 7);
    assert_int_equal(n.request_header, 1);
    assert_true(n.message == CFG_UNLIMITED_N);
    assert_int_equal(n.buffer, 3);
    assert_int_equal(n.set, over.set);
    timeouts_merge(&t, &tover);
    assert_true(t.handshake == 1 && t.connect == 2 && t.idle == 3 && isinf(t.ping) && t.pong == 5);
    assert_true(t.write_stall == 6 && t.lifetime == 28800 && t.close == 1 && t.drain == 9);
    cfg_load_free(l);
    cfg_load_free(m);
    arena_free(a);
}

/* A bit means the same field in both tables: merging relies on it. */
static void tables_agree(const struct cfg_table *all, const struct cfg_table *some, const char *global_only)
{
    size_t i = 0;
    for (; some->fields[i].key; i++) {
        assert_string_equal(some->fields[i].key, all->fields[i].key);
        assert_int_equal(some->fields[i].offset, all->fields[i].offset);
        assert_null(some->fields[i].fallback);
        assert_non_null(all->fields[i].fallback);
        assert_non_null(all->fields[i].doc);
    }
    assert_string_equal(all->fields[i].key, global_only);
    assert_null(all->fields[i + 1].key);
    assert_true(all->set_offset > 0 && all->set_offset == some->set_offset);
}

static void override_tables_are_the_front_of_the_full_ones(void **state)
{
    tables_agree(&limits_table, &limits_override_table, "connections");
    tables_agree(&timeouts_table, &timeouts_override_table, "drain");
}

static void refuses(void **state)
{
    static const char *const limits[] = {
        "{connections: 0}",    "{connections: 10k}", "{request_header: 100B}", "{request_header: unlimited}",
        "{buffer: unlimited}", "{buffer: 1KiB}",     "{buffer: 1GiB}",         "{message: 0B}",
        "{message: 16}",       "{ping: 5s}",
    };
    static const char *const timeouts[] = {
        "{handshake: 0s}", "{handshake: off}", "{connect: unlimited}", "{close: off}", "{idle: 5}", "{idle: -1s}",
    };
    struct arena *a = arena_new(0);
    for (size_t i = 0; i < ARRAY_LEN(limits); i++) {
        struct limits n;
        struct cfg_load *l = load(a, &limits_table, limits[i], &n);
        if (cfg_error_count(l) != 1)
            fail_msg("%s is taken", limits[i]);
        cfg_load_free(l);
    }
    for (size_t i = 0; i < ARRAY_LEN(timeouts); i++) {
        struct timeouts t;
        struct cfg_load *l = load(a, &timeouts_table, timeouts[i], &t);
        if (cfg_error_count(l) != 1)
            fail_msg("%s is taken", timeouts[i]);
        cfg_load_free(l);
    }
    arena_free(a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(has_the_documented_defaults),
        cmocka_unit_test(overrides_only_what_is_given),
        cmocka_unit_test(override_tables_are_the_front_of_the_full_ones),
        cmocka_unit_test(refuses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
