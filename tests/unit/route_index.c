/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the wsbridge authors */
/* The search among routes: who wins, and that ten thousand of them cost little. */
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "route/route.h"

struct spec {
    const char *host; /* NULL: every host */
    const char *path;
};

static void set_route(struct route *r, const char **host, const char *path)
{
    *r = (struct route){.path = path};
    if (*host)
        r->hosts = (struct cfg_strings){.n = 1, .v = host};
}

static const struct route *find(const struct route_index *ix, const char *host, const char *path)
{
    return route_find(ix, slice_of(host), slice_of(path));
}

static void test_who_wins(void **state)
{
    /* In an order that would be wrong if order counted. */
    static const struct spec specs[] = {
        {NULL, "/"},                  /* 0 */
        {NULL, "/vm"},                /* 1 */
        {NULL, "/vm/seven"},          /* 2 */
        {"*.test", "/"},              /* 3 */
        {"*.desk.test", "/a"},        /* 4 */
        {"one.desk.test", "/a/b"},    /* 5 */
        {"one.desk.test", "/x"},      /* 6 */
        {"*.desk.test", "/x"},        /* 7 */
        {"::1", "/six"},              /* 8 */
        {"127.0.0.1", "/four"},       /* 9 */
        {NULL, "/vm-x"},              /* 10: sorts between "/vm" and "/vm/..." */
        {NULL, "/\xc3\xbc"},          /* 11 */
        {"*.only.example", "/only"},  /* 12 */
        {NULL, "/a/b/c/d/e/f/g/h/i"}, /* 13 */
    };
    static const struct {
        const char *host;
        const char *path;
        int want; /* -1: none */
    } cases[] = {
        {"", "/", 0},
        {"other.example", "/", 0},
        {"other.example", "/vm", 1},
        {"other.example", "/vm/", 1},
        {"other.example", "/vm/x", 1},
        {"other.example", "/vm/seven", 2},
        {"other.example", "/vm/seven/", 2},
        {"other.example", "/vm/seven/of/nine", 2},
        {"other.example", "/vm/sevens", 1},
        {"other.example", "/vm/seve", 1},
        {"other.example", "/vms", 0},
        {"other.example", "/vm-x", 10},
        {"other.example", "/vm-x/y", 10},
        {"other.example", "/vm-y", 0},
        {"other.example", "/VM", 0},
        {"other.example", "/v", 0},
        {"other.example", "/\xc3\xbc/x", 11},
        {"other.example", "/a/b/c/d/e/f/g/h/i/j", 13},
        {"other.example", "/a/b/c/d/e/f/g/h", 0},
        {"other.example", "/a/b/c/d/e/f/g/h/ij", 0},
        /* a wildcard beats none, even where none has the longer path */
        {"x.test", "/vm", 3},
        {"x.test", "/", 3},
        {"test", "/", 0},  /* the bare name is not below itself */
        {"xtest", "/", 0}, /* nor is what only ends like it */
        {".test", "/", 0}, /* nor an empty label */
        {"x.test.example", "/", 0},
        /* the longer wildcard beats the shorter, and falls back to it when it has no such path */
        {"two.desk.test", "/a", 4},
        {"two.desk.test", "/a/b", 4},
        {"two.desk.test", "/x", 7},
        {"two.desk.test", "/other", 3},
        {"deep.two.desk.test", "/a", 4},
        {"desk.test", "/a", 3},
        /* the exact host beats both, and falls back through all of them */
        {"one.desk.test", "/a/b", 5},
        {"one.desk.test", "/a/b/c", 5},
        {"one.desk.test", "/a", 4},
        {"one.desk.test", "/x", 6},
        {"one.desk.test", "/z", 3},
        {"zero.only.example", "/only", 12},
        {"zero.only.example", "/", 0},
        {"zero.only.example", "/vm/seven", 2},
        {"ONE.Desk.Test", "/x", 6},
        {"one.desk.test.", "/x", 6}, /* fully qualified */
        {"::1", "/six", 8},
        {"127.0.0.1", "/four/x", 9},
        {"127.0.0.1", "/five", 0},
        {"*.test", "/", 3},
        {"*", "/", 0},
        {".", "/", 0},
        {"..", "/", 0},
    };
    struct route routes[ARRAY_LEN(specs)];
    const char *hosts[ARRAY_LEN(specs)];
    for (size_t i = 0; i < ARRAY_LEN(specs); i++) {
        hosts[i] = specs[i].host;
        set_route(&routes[i], &hosts[i], specs[i].path);
    }
    struct arena *a = arena_new(0);
    const struct route_index *ix = route_index_new(a, routes, ARRAY_LEN(specs));
    assert_non_null(ix);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        const struct route *r = find(ix, cases[i].host, cases[i].path);
        int got = r ? (int)(r - routes) : -1;
        if (got != cases[i].want)
            fail_msg("%s %s: %d, not %d", cases[i].host, cases[i].path, got, cases[i].want);
    }
    arena_free(a);
}

static void test_no_root(void **state)
{
    const char *none = NULL;
    const char *host = "only.test";
    struct route routes[2];
    set_route(&routes[0], &none, "/a/b");
    set_route(&routes[1], &host, "/");
    struct arena *a = arena_new(0);
    const struct route_index *ix = route_index_new(a, routes, 2);
    assert_null(find(ix, "x.test", "/"));
    assert_null(find(ix, "x.test", "/a"));
    assert_null(find(ix, "x.test", "/a/"));
    assert_null(find(ix, "x.test", "/a/bc"));
    assert_null(find(ix, "x.test", "*"));
    assert_null(find(ix, "x.test", ""));
    assert_ptr_equal(find(ix, "x.test", "/a/b"), &routes[0]);
    assert_ptr_equal(find(ix, "only.test", "/a/b"), &routes[1]); /* the host comes first */
    const struct route_index *empty = route_index_new(a, NULL, 0);
    assert_non_null(empty);
    assert_null(find(empty, "x.test", "/"));
    assert_null(find(empty, "", "/"));
    arena_free(a);
}

static void test_several_hosts(void **state)
{
    const char *hosts[] = {"a.test", "*.b.test", "c.test"};
    struct route routes[1] = {{.path = "/x", .hosts = {.n = 3, .v = hosts}}};
    struct arena *a = arena_new(0);
    const struct route_index *ix = route_index_new(a, routes, 1);
    assert_ptr_equal(find(ix, "a.test", "/x"), routes);
    assert_ptr_equal(find(ix, "z.b.test", "/x/y"), routes);
    assert_ptr_equal(find(ix, "c.test", "/x"), routes);
    assert_null(find(ix, "d.test", "/x"));
    arena_free(a);
}

static void test_hostile_requests(void **state)
{
    const char *none = NULL;
    const char *wild = "*.x";
    struct route routes[2];
    set_route(&routes[0], &none, "/");
    set_route(&routes[1], &wild, "/a");
    struct arena *a = arena_new(0);
    const struct route_index *ix = route_index_new(a, routes, 2);
    static char path[16000];
    static char host[5000];
    for (size_t i = 0; i < sizeof(path) - 1; i++)
        path[i] = i % 2 ? 'a' : '/';
    for (size_t i = 0; i < sizeof(host) - 1; i++)
        host[i] = i % 2 ? '.' : 'x';
    uint64_t begin = clock_mono_ns();
    for (int i = 0; i < 1000; i++) {
        assert_ptr_equal(find(ix, host, path), &routes[0]); /* such a host cannot be configured */
        assert_ptr_equal(route_find(ix, (struct slice){host, 251}, slice_of(path)), &routes[1]);
    }
    assert_true(clock_mono_ns() - begin < 5000000000u); /* 10 us a look-up, with room for sanitizers */
    arena_free(a);
}

#define MANY 10000

static void test_ten_thousand(void **state)
{
    struct route *routes = calloc(MANY, sizeof(*routes));
    const char **hosts = calloc(MANY, sizeof(*hosts));
    struct arena *a = arena_new(0);
    for (size_t i = 0; i < MANY; i++) { /* of each four: two in one group, two with hosts of their own */
        size_t shuffled = i * 7919 % MANY;
        const char *path = arena_printf(a, "/vm/%zu", shuffled);
        if (i % 4 == 2)
            hosts[i] = arena_printf(a, "h%zu.desk.test", shuffled);
        else if (i % 4 == 3)
            hosts[i] = arena_printf(a, "*.w%zu.test", shuffled);
        set_route(&routes[i], &hosts[i], path);
    }
    const struct route_index *ix = route_index_new(a, routes, MANY);
    assert_non_null(ix);
    uint64_t begin = clock_mono_ns();
    for (size_t round = 0; round < 10; round++) {
        for (size_t i = 0; i < MANY; i++) {
            char host[100] = "any.test";
            char path[100];
            if (hosts[i])
                snprintf(host, sizeof(host), "%s%s", hosts[i][0] == '*' ? "some" : "", hosts[i] + (hosts[i][0] == '*'));
            snprintf(path, sizeof(path), "%s/more/of/it", routes[i].path);
            assert_ptr_equal(find(ix, host, path), &routes[i]);
        }
        assert_null(find(ix, "any.test", "/vm"));
        assert_null(find(ix, "any.test", "/vm/10000"));
    }
    uint64_t each = (clock_mono_ns() - begin) / (10 * MANY);
    if (each > 20000)
        fail_msg("%u ns a look-up", (unsigned)each);
    arena_free(a);
    free(hosts);
    free(routes);
}

static void test_out_of_memory(void **state)
{
    const char *none = NULL;
    struct route routes[1];
    set_route(&routes[0], &none, "/");
    for (size_t max = 1; max < 400; max += 16) { /* some do not hold it, and then it says so */
        struct arena *a = arena_new(max);
        const struct route_index *ix = route_index_new(a, routes, 1);
        if (ix)
            assert_ptr_equal(find(ix, "", "/"), routes);
        arena_free(a);
    }
    struct arena *a = arena_new(16);
    assert_null(route_index_new(a, routes, 1));
    arena_free(a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_who_wins),      cmocka_unit_test(test_no_root),
        cmocka_unit_test(test_several_hosts), cmocka_unit_test(test_hostile_requests),
        cmocka_unit_test(test_ten_thousand),  cmocka_unit_test(test_out_of_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
