/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the wsbridge authors */
/* Routes as a user writes them: what is taken, into which form, and every refusal with its words. */
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>

#include "route/route.h"

struct settings {
    uint64_t unused;
    struct cfg_items routes;
};

static const struct cfg_field fields[] = {
    {.key = "routes",
     .type = CFG_LIST,
     .offset = offsetof(struct settings, routes),
     .table = &route_table,
     .doc = "Routes."},
    CFG_TABLE_END,
};

static const struct cfg_table table = {
    .name = "top", .doc = "Top.", .size = sizeof(struct settings), .fields = fields, .set_offset = -1};

struct fixture {
    struct arena *arena;
    struct cfg_load *load;
    struct settings s;
    size_t n;
    char text[8000];
};

static void put(void *arg, struct slice s)
{
    struct fixture *f = arg;
    assert_true(f->n + s.n < sizeof(f->text));
    memcpy(f->text + f->n, s.p, s.n);
    f->n += s.n;
    f->text[f->n] = '\0';
}

static void load(struct fixture *f, const char *yaml)
{
    f->arena = arena_new(0);
    f->load = cfg_load_new(f->arena);
    f->n = 0;
    f->text[0] = '\0';
    const struct cfg_node *root = cfg_load_text(f->load, "/etc/wsbridge/test.yaml", slice_of(yaml));
    if (root) {
        cfg_read(f->load, &table, root, &f->s);
        route_check_all(f->load, f->s.routes.v, f->s.routes.n);
    }
    cfg_errors_print(f->load, false, put, f);
}

static void unload(struct fixture *f)
{
    cfg_load_free(f->load);
    arena_free(f->arena);
}

static const struct route *only_route(struct fixture *f, const char *yaml)
{
    load(f, yaml);
    if (cfg_error_count(f->load))
        fail_msg("%s\n%s", yaml, f->text);
    assert_int_equal(f->s.routes.n, 1);
    return f->s.routes.v;
}

static void test_defaults(void **state)
{
    struct fixture f;
    const struct route *r = only_route(&f, "routes: [{service: desk}]");
    assert_string_equal(r->path, "/");
    assert_int_equal(r->hosts.n, 0);
    assert_string_equal(r->service_name, "desk");
    assert_null(r->files);
    assert_string_equal(r->index, "index.html");
    assert_true(r->cache == 0);
    assert_true(r->origin_same);
    assert_false(r->origin_any);
    assert_non_null(r->node);
    assert_int_equal(cfg_warning_count(f.load), 0);
    unload(&f);
}

static void test_everything_given(void **state)
{
    struct fixture f;
    const struct route *r =
        only_route(&f, "routes:\n"
                       "  - path: /vnc/\n"
                       "    host: [Desk.Example.ORG, \"*.VM.example.org.\", \"[2001:DB8:0::1]\", 192.0.2.1, a_b.x]\n"
                       "    service: desk\n"
                       "    files: /srv/web\n"
                       "    index: vnc.html\n"
                       "    cache: 1h\n"
                       "    origins: [same, \"https://*.example.org\"]\n"
                       "    limits: {message: 1MiB}\n"
                       "    timeouts: {idle: 5m}\n");
    assert_string_equal(r->path, "/vnc");
    static const char *const hosts[] = {"desk.example.org", "*.vm.example.org", "2001:db8::1", "192.0.2.1", "a_b.x"};
    assert_int_equal(r->hosts.n, ARRAY_LEN(hosts));
    for (size_t i = 0; i < ARRAY_LEN(hosts); i++)
        assert_string_equal(r->hosts.v[i], hosts[i]);
    assert_string_equal(r->files, "/srv/web");
    assert_string_equal(r->index, "vnc.html");
    assert_true(r->cache == 3600);
    assert_true(r->origin_same);
    assert_int_equal(r->origins.n, 2);
    assert_int_equal(r->limits.message, 1 << 20);
    assert_true(r->timeouts.idle == 300);
    assert_int_equal(cfg_warning_count(f.load), 0);
    unload(&f);
}

static void test_forms(void **state)
{
    struct fixture f;
    assert_string_equal(only_route(&f, "routes: [{files: builtin:demo}]")->files, "builtin:demo");
    unload(&f);
    assert_string_equal(only_route(&f, "routes: {files: /srv}")->files, "/srv"); /* one map is a list of one */
    unload(&f);
    assert_string_equal(only_route(&f, "routes: [{service: s, path: //a///b//}]")->path, "/a/b");
    unload(&f);
    assert_string_equal(only_route(&f, "routes: [{service: s, path: \"/a b/\xc3\xbc\"}]")->path, "/a b/\xc3\xbc");
    unload(&f);
    assert_string_equal(only_route(&f, "routes: [{service: s, path: ///}]")->path, "/");
    unload(&f);
    assert_string_equal(only_route(&f, "routes: [{service: s, host: one.test}]")->hosts.v[0], "one.test");
    unload(&f);
    const struct route *r = only_route(&f, "routes: [{service: s, origins: [\"https://a.test\"]}]");
    assert_false(r->origin_same);
    assert_false(r->origin_any);
    unload(&f);
    r = only_route(&f, "routes: [{service: s, origins: []}]");
    assert_int_equal(r->origins.n, 0);
    assert_false(r->origin_same);
    unload(&f);
}

static void test_errors(void **state)
{
    static const struct {
        const char *route;
        const char *error;
        const char *help; /* NULL: none asked */
    } cases[] = {
        {"{path: /x}", "needs a service or files", "add service: NAME"},
        {"{}", "needs a service or files", NULL},
        {"{service: s, path: x}", "begins with \"/\"", "write \"/x\""},
        {"{service: s, path: \"\"}", "begins with \"/\"", NULL},
        {"{service: s, path: \"/x?y\"}", "cannot hold \"?\"", "path alone"},
        {"{service: s, path: \"/x#y\"}", "cannot hold \"#\"", "path alone"},
        {"{service: s, path: /a%20b}", "cannot hold \"%\"", "the character itself"},
        {"{service: s, path: \"/vm/{token}\"}", "cannot hold \"{\"", NULL},
        {"{service: s, path: /a/../b}", "no request can have the path \"/a/../b\"", NULL},
        {"{service: s, path: /a/.}", "no request can have", NULL},
        {"{service: s, path: '/a\\b'}", "no request can have", NULL},
        {"{service: s, path: \"/a\\tb\"}", "no request can have", NULL},
        {"{service: s, host: \"*\"}", "\"*\" is not a host", "leave host out"},
        {"{service: s, host: \"desk:8080\"}", "is not a host", "holds for every port"},
        {"{service: s, host: \"https://desk\"}", "is not a host", "without scheme"},
        {"{service: s, host: \"desk/x\"}", "is not a host", "without scheme and path"},
        {"{service: s, host: \"*.*.x\"}", "is not a host", "\"*.\" and a name"},
        {"{service: s, host: \"*x\"}", "is not a host", NULL},
        {"{service: s, host: \"a..b\"}", "is not a host", NULL},
        {"{service: s, host: \".a\"}", "is not a host", NULL},
        {"{service: s, host: \"*.\"}", "is not a host", NULL},
        {"{service: s, host: \"a b\"}", "is not a host", NULL},
        {"{service: s, host: \"\"}", "is not a host", NULL},
        {"{service: s, host: \"d\xc3\xa9sk.test\"}", "is not a host", "xn--"},
        {"{service: s, host: [ok.test, \"*\"]}", "\"*\" is not a host", NULL},
        {"{service: s, origins: \"*\"}", "\"*\" is not an origin", "\"any\""},
        {"{service: s, origins: \"null\"}", "\"null\" is not an origin", "sandboxed"},
        {"{service: s, origins: desk.test}", "is not an origin", "\"https://desk.test\""},
        {"{service: s, origins: \"https://desk.test/\"}", "is not an origin", "without a slash"},
        {"{service: s, origins: \"https://desk.test/x\"}", "is not an origin", "without a slash"},
        {"{service: s, origins: \"ftp://desk.test\"}", "is not an origin", "https://app.example.org"},
        {"{service: s, origins: \"https://*\"}", "is not an origin", NULL},
        {"{service: s, origins: \"https://a.*.test\"}", "is not an origin", NULL},
        {"{service: s, origins: [same, \"x:y\"]}", "\"x:y\" is not an origin", NULL},
        {"{files: \"builtin:dmeo\"}", "no built-in page \"builtin:dmeo\"", "builtin:demo"},
        {"{files: /srv, index: a/b}", "index is a file name", NULL},
        {"{files: /srv, index: .x}", "index is a file name", NULL},
        {"{files: /srv, index: \"\"}", "index is a file name", NULL},
        {"{files: /srv, cache: 400d}", "cache", NULL},
        {"{files: /srv, cache: 1}", "unit", NULL},
        {"{service: s, hosts: a.test}", "unknown key \"hosts\"", "\"host\""},
        {"{service: s, auth: x}", "unknown key \"auth\"", NULL},
    };
    struct fixture f;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char yaml[300];
        snprintf(yaml, sizeof(yaml), "routes:\n  - %s\n", cases[i].route);
        load(&f, yaml);
        if (cfg_error_count(f.load) != 1 || !strstr(f.text, cases[i].error) ||
            (cases[i].help && !strstr(f.text, cases[i].help)) || !strstr(f.text, "/etc/wsbridge/test.yaml:2:"))
            fail_msg("%s\n%s", cases[i].route, f.text);
        unload(&f);
    }
}

static void test_duplicates(void **state)
{
    static const struct {
        const char *routes;
        const char *error; /* NULL: fine */
    } cases[] = {
        {"- {service: a}\n- {service: b}\n", "test.yaml:3:3: error: path \"/\" already has a route, in line 2"},
        {"- {service: a, path: /x}\n- {service: b, path: /x/}\n", "path \"/x\" already has a route"},
        {"- {service: a, path: /x}\n- {service: b, path: //x}\n", "path \"/x\" already has a route"},
        {"- {service: a, host: h.test}\n- {service: b, host: [g.test, H.TEST]}\n",
         "test.yaml:3:31: error: path \"/\" of host \"h.test\" already has a route, in line 2"},
        {"- {service: a, host: \"*.t\"}\n- {service: b, host: \"*.T.\"}\n",
         "path \"/\" of host \"*.t\" already has a route"},
        {"- {service: a, host: [a.test, b.test, A.test]}\n", "host \"a.test\" stands here twice"},
        {"- {service: a, host: \"::1\"}\n- {service: b, host: \"[0:0::1]\"}\n", "host \"::1\" already has a route"},
        {"- {service: a}\n- {service: b, host: h.test}\n- {service: b, path: /x}\n", NULL},
        {"- {service: a, host: t}\n- {service: b, host: \"*.t\"}\n", NULL},
        {"- {service: a, path: /x}\n- {service: b, path: /X}\n", NULL},
    };
    struct fixture f;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char yaml[400];
        snprintf(yaml, sizeof(yaml), "routes:\n%s", cases[i].routes);
        load(&f, yaml);
        if (cfg_error_count(f.load) != (cases[i].error ? 1 : 0) || (cases[i].error && !strstr(f.text, cases[i].error)))
            fail_msg("%s\n%s", yaml, f.text);
        unload(&f);
    }
}

static void test_warnings(void **state)
{
    static const struct {
        const char *route;
        const char *warning;
    } cases[] = {
        {"{service: s, origins: any}", "any page that a user visits"},
        {"{service: s, origins: [\"https://a.test\", any]}", "any page that a user visits"},
        {"{service: s, index: x.html}", "index has no effect"},
        {"{service: s, cache: 5m}", "cache has no effect"},
        {"{files: /srv, origins: any}", "origins have no effect"},
    };
    struct fixture f;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char yaml[300];
        snprintf(yaml, sizeof(yaml), "routes: [%s]", cases[i].route);
        only_route(&f, yaml);
        assert_int_equal(cfg_warning_count(f.load), 1);
        assert_non_null(strstr(f.text, cases[i].warning));
        unload(&f);
    }
}

/* From the text to the answer: the form that is checked is the form that is found. */
static void test_read_and_find(void **state)
{
    struct fixture f;
    load(&f, "routes:\n"
             "  - {service: root}\n"
             "  - {service: vnc, path: /vnc/}\n"
             "  - {service: host, host: Desk.Test}\n"
             "  - {service: wild, host: \"*.Desk.Test\", path: /w}\n");
    assert_int_equal(cfg_error_count(f.load), 0);
    const struct route_index *ix = route_index_new(f.arena, f.s.routes.v, f.s.routes.n);
    static const char *const cases[][3] = {
        {"x.test", "/", "root"},         {"x.test", "/vnc", "vnc"},       {"x.test", "/vnc/a", "vnc"},
        {"desk.test", "/vnc/a", "host"}, {"a.desk.test", "/w/1", "wild"}, {"a.desk.test", "/vnc", "vnc"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        assert_string_equal(route_find(ix, slice_of(cases[i][0]), slice_of(cases[i][1]))->service_name, cases[i][2]);
    unload(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_defaults),      cmocka_unit_test(test_everything_given), cmocka_unit_test(test_forms),
        cmocka_unit_test(test_errors),        cmocka_unit_test(test_duplicates),       cmocka_unit_test(test_warnings),
        cmocka_unit_test(test_read_and_find),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
