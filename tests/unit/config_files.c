/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the wsbridge authors */
/*
 * Several files: include, directories, merging, clashes, cycles, and the paths that values name. Each test works in a
 * directory of its own.
 */
#include "unit.h"

#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "config_sample.h"

static int enter(void **state)
{
    char name[] = "/tmp/wsbridge-config-XXXXXX";
    if (!mkdtemp(name) || chdir(name) || mkdir("conf.d", 0700) || mkdir("sub", 0700))
        return -1;
    *state = strdup(name);
    return *state ? 0 : -1;
}

static int leave(void **state)
{
    char command[256];
    snprintf(command, sizeof(command), "rm -rf '%s'", (char *)*state);
    free(*state);
    return chdir("/") || system(command); /* NOLINT */
}

static void write_file(const char *name, const char *text)
{
    FILE *f = fopen(name, "w");
    assert_non_null(f);
    assert_int_equal(fwrite(text, 1, strlen(text), f), strlen(text));
    assert_int_equal(fclose(f), 0);
}

static void load_one(struct sample_run *r, const char *path)
{
    sample_load_files(r, &path, 1);
}

static void expect_error(const char *path, const char *said)
{
    struct sample_run r;
    load_one(&r, path);
    if (!strstr(r.said.p, said))
        fail_msg("wanted: %s\nsaid: %s", said, r.said.p);
    sample_end(&r);
}

static void merges_includes(void **state)
{
    struct sample_run r;
    write_file("main.yaml", "version: 1\n"
                            "include: [conf.d/*.yaml, sub/one.yaml]\n"
                            "services: {a: x}\n"
                            "listeners: [{address: 1}]\n"
                            "tuning: {small: 5}\n");
    write_file("conf.d/20.yaml", "services: {c: z}\nlisteners: {address: 3}\n");
    write_file("conf.d/10.yaml", "version: 1\nservices: {b: y}\nlisteners: [{address: 2}]\n");
    write_file("conf.d/ignored.yml", "nonsense: 1\n");
    write_file("sub/one.yaml", "include: two.yaml\ntuning: {fast: on}\n");
    write_file("sub/two.yaml", "listen: [9]\n");
    load_one(&r, "main.yaml");
    assert_string_equal(r.said.p, "");
    assert_int_equal(r.obj.services.n, 3);
    assert_string_equal(sample_service(&r, 1)->name.name, "b");
    assert_string_equal(cfg_node_file(sample_service(&r, 1)->name.node), "conf.d/10.yaml");
    assert_int_equal(r.obj.listeners.n, 3);
    assert_string_equal(sample_listener(&r, 1)->address.v[0], "2");
    assert_string_equal(sample_listener(&r, 2)->address.v[0], "3");
    assert_int_equal(r.obj.tuning.small, 5);
    assert_true(r.obj.tuning.fast);
    assert_string_equal(cfg_node_file(r.obj.listen.nodes[0]), "sub/two.yaml");
    sample_end(&r);
}

static void names_both_places_of_a_clash(void **state)
{
    struct sample_run r;
    write_file("main.yaml", "include: conf.d/*.yaml\ngreeting: a\nservices: {s: x}\nversion: 1\n");
    write_file("conf.d/a.yaml", "greeting: a\nversion: 2\n");
    write_file("conf.d/b.yaml", "services:\n  s: y\n");
    load_one(&r, "main.yaml");
    assert_int_equal(cfg_error_count(r.load), 3);
    assert_non_null(strstr(r.said.p, "conf.d/a.yaml:1:1: error: \"greeting\" is already set in main.yaml:2:1\n"
                                     "     1 | greeting: a\n"
                                     "       | ^~~~~~~~\n"));
    assert_non_null(strstr(r.said.p, "conf.d/a.yaml:2:1: error: \"version\" is already set in main.yaml:4:1"));
    assert_non_null(strstr(r.said.p, "conf.d/b.yaml:2:3: error: \"s\" is already set in main.yaml:3:12"));
    sample_end(&r);
}

static void shows_errors_in_the_order_of_files(void **state)
{
    struct sample_run r;
    write_file("main.yaml", "include: conf.d/*.yaml\nfoo: 1\n");
    write_file("conf.d/a.yaml", "\n\nbar: 1\n");
    write_file("conf.d/b.yaml", "baz: 1\nservices: {a: {to: nowhere}}\n");
    load_one(&r, "main.yaml");
    const char *first = strstr(r.said.p, "main.yaml:2:1:");
    const char *second = strstr(r.said.p, "conf.d/a.yaml:3:1:");
    const char *third = strstr(r.said.p, "conf.d/b.yaml:1:1:");
    const char *last = strstr(r.said.p, "conf.d/b.yaml:2:");
    assert_true(first && second > first && third > second && last > third);
    sample_end(&r);
}

static void refuses_cycles(void **state)
{
    write_file("self.yaml", "include: self.yaml\n");
    expect_error("self.yaml", "self.yaml:1:10: error: \"self.yaml\" includes itself");
    write_file("all.yaml", "include: '*.yaml'\n");
    expect_error("all.yaml", "includes itself");
    write_file("a.yaml", "include: sub/b.yaml\n");
    write_file("sub/b.yaml", "include: [../a.yaml]\n");
    expect_error("a.yaml", "sub/b.yaml:1:11: error: \"sub/../a.yaml\" includes itself");
    write_file("twice.yaml", "include: [sub/c.yaml, sub/./c.yaml]\n");
    write_file("sub/c.yaml", "greeting: a\n");
    expect_error("twice.yaml", "twice.yaml:1:23: error: \"sub/./c.yaml\" is already part of the configuration");
}

static void refuses_endless_chains(void **state)
{
    for (int i = 0; i < 40; i++) {
        char name[32], text[64];
        snprintf(name, sizeof(name), "c%d.yaml", i);
        snprintf(text, sizeof(text), "include: c%d.yaml\n", i + 1);
        write_file(name, text);
    }
    expect_error("c0.yaml", "c16.yaml:1:10: error: files include each other more than 16 deep");
}

static void minds_missing_files(void **state)
{
    struct sample_run r;
    write_file("none.yaml", "include: [conf.d/*.yaml, nodir/*.yaml]\ngreeting: a\n");
    load_one(&r, "none.yaml");
    assert_string_equal(r.said.p, "");
    assert_string_equal(r.obj.greeting, "a");
    sample_end(&r);

    write_file("miss.yaml", "greeting: a\ninclude:\n  - conf.d/x.yaml\n");
    expect_error("miss.yaml", "miss.yaml:3:5: error: cannot read \"conf.d/x.yaml\": No such file or directory\n"
                              "     3 |   - conf.d/x.yaml\n"
                              "       |     ^~~~~~~~~~~~~\n");
    expect_error("absent.yaml", "absent.yaml: error: cannot read \"absent.yaml\": No such file or directory\n");
    expect_error("conf.d", "conf.d: error: there is no *.yaml in the directory \"conf.d\"");
    write_file("kind.yaml", "include: {a: b}\n");
    expect_error("kind.yaml", "kind.yaml:1:10: error: \"include\" must be file names or patterns");
    assert_int_equal(mkfifo("pipe", 0600), 0);
    write_file("pipe.yaml", "include: pipe\n");
    expect_error("pipe.yaml", "cannot read \"pipe\": it is not a regular file");
}

static void gives_no_root_without_all_files(void **state)
{
    struct sample_run r;
    const char *paths[] = {"good.yaml", "bad.yaml", "worse.yaml"};
    write_file("good.yaml", "greeting: a\n");
    write_file("bad.yaml", "a: [\n");
    write_file("worse.yaml", "a: \"\n");
    sample_load_files(&r, paths, 3);
    assert_null(r.root);
    assert_non_null(strstr(r.said.p, "bad.yaml:1:5: error: the file ends inside a list"));
    assert_non_null(strstr(r.said.p, "worse.yaml:1:4:"));
    sample_end(&r);
    sample_load_files(&r, paths, 1);
    assert_non_null(r.root);
    sample_end(&r);
}

static void reads_directories(void **state)
{
    struct sample_run r;
    write_file("sub/b.yaml", "listen: [2]\n");
    write_file("sub/a.yaml", "listen: [1]\ninclude: [../conf.d]\n");
    write_file("sub/.hidden.yaml", "x: [\n");
    write_file("sub/readme", "x: [\n");
    write_file("conf.d/x.yaml", "listen: 3\n");
    load_one(&r, "sub");
    assert_string_equal(r.said.p, "");
    assert_int_equal(r.obj.listen.n, 3);
    assert_string_equal(r.obj.listen.v[0], "1");
    assert_string_equal(r.obj.listen.v[1], "3");
    assert_string_equal(r.obj.listen.v[2], "2");
    assert_string_equal(cfg_node_file(r.obj.listen.nodes[2]), "sub/b.yaml");
    sample_end(&r);
    load_one(&r, "sub/");
    assert_int_equal(r.obj.listen.n, 3);
    assert_string_equal(cfg_node_file(r.obj.listen.nodes[2]), "sub/b.yaml");
    sample_end(&r);
}

static void bounds_size_and_number_of_files(void **state)
{
    struct sample_run r;
    assert_int_equal(truncate("big.yaml", 0), -1);
    write_file("big.yaml", "a: 1\n");
    assert_int_equal(truncate("big.yaml", (16 << 20) + 1), 0);
    expect_error("big.yaml", "big.yaml: error: the file is larger than 16 MiB");
    load_one(&r, "/dev/zero");
    assert_non_null(strstr(r.said.p, "larger than"));
    sample_end(&r);

    write_file("many.yaml", "include: conf.d/*.yaml\n");
    for (int i = 0; i < 1100; i++) {
        char name[64], text[64];
        snprintf(name, sizeof(name), "conf.d/%d.yaml", i);
        snprintf(text, sizeof(text), "services: {s%d: x}\n", i);
        write_file(name, text);
    }
    load_one(&r, "many.yaml");
    assert_int_equal(cfg_error_count(r.load), 1);
    assert_non_null(strstr(r.said.p, "many.yaml:1:10: error: the configuration has more than 1000 files"));
    sample_end(&r);
}

static void expect_path(const char *file, const char *value, const char *dir, const char *rest)
{
    char text[512], wanted[512];
    struct sample_run r;
    snprintf(text, sizeof(text), "files: \"%s\"\n", value);
    snprintf(wanted, sizeof(wanted), "%s%s", dir, rest);
    write_file(file, text);
    load_one(&r, file);
    assert_string_equal(r.said.p, "");
    assert_string_equal(r.obj.files, wanted);
    sample_end(&r);
}

static void resolves_paths(void **state)
{
    const char *here = *state;
    char file[512];
    expect_path("p.yaml", "www", here, "/www");
    expect_path("p.yaml", "./www", here, "/www");
    expect_path("p.yaml", ".", here, "");
    expect_path("p.yaml", "./", here, "");
    expect_path("p.yaml", "../x", here, "/../x");
    expect_path("p.yaml", "/srv", "", "/srv");
    expect_path("p.yaml", "builtin:demo", "", "builtin:demo");
    expect_path("./p.yaml", "www", here, "/www");
    expect_path("sub/p.yaml", "www", here, "/sub/www");
    expect_path("./sub/p.yaml", "www", here, "/sub/www");
    snprintf(file, sizeof(file), "%s/sub/p.yaml", here);
    expect_path(file, "www", here, "/sub/www");

    struct sample_run r;
    sample_load(&r, SLICE("files: www\n"));
    snprintf(file, sizeof(file), "%s/www", here);
    assert_string_equal(r.obj.files, file);
    assert_string_equal(cfg_path_resolve(r.load, NULL, "www"), file);
    sample_end(&r);
}

/* Nodes outlive the load: a session that lives for days still knows where its route stands. */
static void nodes_outlive_the_load(void **state)
{
    struct arena *a = arena_new(0);
    struct cfg_load *l = cfg_load_new(a);
    const char *path = "n.yaml";
    write_file(path, "services: {a: x}\n");
    const struct cfg_node *root = cfg_load_files(l, &path, 1);
    cfg_load_free(l);
    const struct cfg_node *n = cfg_node_get(cfg_node_get(root, "services"), "a");
    assert_string_equal(cfg_node_text(n), "x");
    assert_string_equal(cfg_node_file(n), "n.yaml");
    assert_int_equal(cfg_node_line(n), 1);
    arena_free(a);
}

/* A pipe without a writer would keep a reload waiting for ever. */
static void does_not_wait_when_told_not_to(void **state)
{
    struct arena *a = arena_new(0);
    struct cfg_load *l = cfg_load_new(a);
    const char *path = "pipe.yaml";
    assert_int_equal(mkfifo(path, 0600), 0);
    cfg_load_never_wait(l);
    alarm(10);
    assert_null(cfg_load_files(l, &path, 1));
    alarm(0);
    assert_int_equal(cfg_error_count(l), 1);
    cfg_load_free(l);
    arena_free(a);
}

#define IN_FOLDER(f) cmocka_unit_test_setup_teardown(f, enter, leave)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_FOLDER(merges_includes),
        IN_FOLDER(names_both_places_of_a_clash),
        IN_FOLDER(shows_errors_in_the_order_of_files),
        IN_FOLDER(refuses_cycles),
        IN_FOLDER(refuses_endless_chains),
        IN_FOLDER(minds_missing_files),
        IN_FOLDER(gives_no_root_without_all_files),
        IN_FOLDER(reads_directories),
        IN_FOLDER(bounds_size_and_number_of_files),
        IN_FOLDER(resolves_paths),
        IN_FOLDER(nodes_outlive_the_load),
        IN_FOLDER(does_not_wait_when_told_not_to),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
