/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the wsbridge authors */
/* Staying below the root: both ways, over the same tree. */
#include "serve_tree.h"

#include <errno.h>

#include "serve/beneath.h"

struct fixture {
    struct tree tree;
    int root;
};

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    tree_make(&f->tree);
    f->root = open(f->tree.root, O_PATH | O_DIRECTORY | O_CLOEXEC);
    assert_true(f->root >= 0);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    close(f->root);
    tree_remove(&f->tree);
    free(f);
    return 0;
}

/* What both ways must open, and what neither may. `text`: the first bytes, "" for a directory, NULL: refused. */
static const struct {
    const char *path;
    const char *text;
} both[] = {
    {"a.txt", "hello a\n"},
    {"dir", ""},
    {"dir/", ""},
    {"dir//", ""},
    {"dir/f.txt", "f"},
    {"dir//f.txt", "f"},
    {"./a.txt", "hello a\n"},
    {".hidden", "SECRET"}, /* dot-files are the business of files.c */
    {"", NULL},
    {"a.txt/", NULL},
    {"a.txt/x", NULL},
    {"missing", NULL},
    {"missing/x", NULL},
    {"..", NULL},
    {"../secret.txt", NULL},
    {"../root/../secret.txt", NULL},
    {"../root-sibling/secret.txt", NULL},
    {"dir/../../secret.txt", NULL},
    {"dir/../../root-sibling/secret.txt", NULL},
    {"/etc/passwd", NULL},
    {"//etc/passwd", NULL},
    {"/", NULL},
    {"out.txt", NULL},
    {"out", NULL},
    {"out/", NULL},
    {"out/secret.txt", NULL},
    {"out/root/a.txt", NULL},
    {"dir/out/secret.txt", NULL},
    {"back/f.txt", NULL},
    {"absolute.txt", NULL},
    {"absolute/secret.txt", NULL},
    {"absolute-in.txt", NULL},
    {"slash/etc/passwd", NULL},
    {"proc/etc/passwd", NULL},
    {"loop", NULL},
    {"loop/x", NULL},
    {"nowhere", NULL},
    {"socket", NULL},
};

static void check_open(struct fixture *f, const char *path, const char *text, enum beneath how)
{
    int fd = beneath_open(f->root, path, O_RDONLY, how);
    if (!text) {
        if (fd >= 0)
            fail_msg("\"%s\" was opened (%d)", path, how);
        return;
    }
    if (fd < 0)
        fail_msg("\"%s\": %s (%d)", path, strerror(-fd), how);
    char buf[64] = "";
    if (*text)
        assert_true(read(fd, buf, sizeof(buf) - 1) > 0);
    assert_string_equal(buf, text);
    int flags = fcntl(fd, F_GETFD);
    assert_true(flags & FD_CLOEXEC);
    close(fd);
}

static void test_both(void **state)
{
    struct fixture *f = *state;
    bool kernel = beneath_probe(f->root) == BENEATH_KERNEL;
    for (size_t i = 0; i < ARRAY_LEN(both); i++) {
        check_open(f, both[i].path, both[i].text, BENEATH_WALK);
        if (kernel)
            check_open(f, both[i].path, both[i].text, BENEATH_KERNEL);
    }
}

/* Links that stay below are followed by the kernel and refused by the walk. */
static void test_links_inside(void **state)
{
    struct fixture *f = *state;
    static const struct {
        const char *path;
        const char *text;
    } cases[] = {{"in.txt", "hello a\n"}, {"in/f.txt", "f"}, {"dir/up.txt", "hello a\n"}, {"in/up.txt", "hello a\n"}};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        check_open(f, cases[i].path, NULL, BENEATH_WALK);
        if (beneath_probe(f->root) == BENEATH_KERNEL)
            check_open(f, cases[i].path, cases[i].text, BENEATH_KERNEL);
    }
}

static void test_fifo_does_not_block(void **state)
{
    struct fixture *f = *state;
    for (enum beneath how = BENEATH_KERNEL; how <= BENEATH_WALK; how++) {
        int fd = beneath_open(f->root, "fifo", O_RDONLY, how);
        if (fd >= 0)
            close(fd);
        assert_true(fd >= 0 || fd == -ENOSYS || fd == -EPERM);
    }
}

static void test_path_only(void **state)
{
    struct fixture *f = *state;
    for (enum beneath how = beneath_probe(f->root); how <= BENEATH_WALK; how++) {
        int fd = beneath_open(f->root, "dir", O_PATH | O_DIRECTORY, how);
        assert_true(fd >= 0);
        close(fd);
        assert_int_equal(beneath_open(f->root, "a.txt", O_PATH | O_DIRECTORY, how), -ENOTDIR);
        assert_true(beneath_open(f->root, "out", O_PATH | O_DIRECTORY, how) < 0);
    }
}

static void test_long_names(void **state)
{
    struct fixture *f = *state;
    char name[600];
    memset(name, 'n', sizeof(name) - 1);
    name[sizeof(name) - 1] = '\0';
    assert_int_equal(beneath_open(f->root, name, O_RDONLY, BENEATH_WALK), -ENAMETOOLONG);
    memcpy(name, "dir/", 4);
    assert_int_equal(beneath_open(f->root, name, O_RDONLY, BENEATH_WALK), -ENAMETOOLONG);
}

/* No descriptor is left behind on any path through the walk. */
static void test_no_leak(void **state)
{
    struct fixture *f = *state;
    int before = dup(0);
    close(before);
    for (size_t i = 0; i < ARRAY_LEN(both); i++)
        check_open(f, both[i].path, both[i].text, BENEATH_WALK);
    int after = dup(0);
    close(after);
    assert_int_equal(before, after);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_both),
        cmocka_unit_test(test_links_inside),
        cmocka_unit_test(test_fifo_does_not_block),
        cmocka_unit_test(test_path_only),
        cmocka_unit_test(test_long_names),
        cmocka_unit_test(test_no_leak),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
