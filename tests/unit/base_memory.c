/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the wsbridge authors */
/*
 * The arena, the pool, lists and clocks.
 */
#include "unit.h"

#include <string.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/list.h"
#include "base/pool.h"
#include "base/random.h"
#include "base/wipe.h"

static void arena_gives_zeroed_aligned_memory(void **state)
{
    struct arena *a = arena_new(0);
    assert_non_null(a);
    size_t sum = 0;
    char *first = arena_printf(a, "%s=%d", "port", 6080);
    for (size_t i = 0; i < 20000; i++) {
        size_t n = i % 97 == 0 ? i * 31 : i % 61; /* some larger than any chunk, some of nothing */
        unsigned char *p = arena_alloc(a, n);
        assert_non_null(p);
        assert_int_equal((uintptr_t)p % 16, 0);
        for (size_t k = 0; k < n; k += 7)
            assert_int_equal(p[k], 0);
        memset(p, 0xa5, n);
        sum += n;
    }
    assert_string_equal(first, "port=6080");
    assert_true(arena_used(a) >= sum);
    assert_string_equal(arena_dup(a, (struct slice){"abcdef", 3}), "abc");
    assert_string_equal(arena_dup(a, (struct slice){NULL, 0}), "");
    assert_null(arena_alloc(a, SIZE_MAX));
    assert_null(arena_alloc(a, SIZE_MAX - 8));
    arena_free(a);
    arena_free(NULL);
}

static void arena_keeps_its_bound(void **state)
{
    struct arena *a = arena_new(100);
    assert_non_null(arena_alloc(a, 60)); /* 64 */
    assert_null(arena_alloc(a, 40));     /* 48 more */
    assert_non_null(arena_alloc(a, 32));
    assert_null(arena_alloc(a, 1));
    assert_null(arena_dup(a, SLICE("x")));
    assert_null(arena_printf(a, "x"));
    assert_int_equal(arena_used(a), 96);
    arena_free(a);
}

static void pool_classes_and_reuse(void **state)
{
    struct pool *p = pool_new(64 << 10);
    size_t cap;
    static const struct {
        size_t want, cap;
    } cases[] = {{0, 4096},      {1, 4096},      {4096, 4096},    {4097, 8192},
                 {65535, 65536}, {65536, 65536}, {65537, 131072}, {POOL_MAX, POOL_MAX}};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        uint8_t *b = pool_take(p, cases[i].want, &cap);
        assert_non_null(b);
        assert_int_equal(cap, cases[i].cap);
        assert_int_equal(pool_in_use(p), cap);
        memset(b, 1, cap);
        pool_give(p, b, cap);
        assert_int_equal(pool_in_use(p), 0);
        assert_true(pool_kept(p) <= (64 << 10));
    }
    assert_null(pool_take(p, POOL_MAX + 1, &cap));
    assert_null(pool_take(p, SIZE_MAX, &cap));
    assert_int_equal(pool_in_use(p), 0);
    pool_give(p, NULL, 0);
    pool_free(p);
}

static void pool_is_last_in_first_out_and_bounded(void **state)
{
    struct pool *p = pool_new(8192);
    uint8_t *b[3];
    size_t cap;
    for (size_t i = 0; i < 3; i++)
        b[i] = pool_take(p, 4096, &cap);
    assert_int_equal(pool_in_use(p), 3 * 4096);
    for (size_t i = 0; i < 3; i++)
        pool_give(p, b[i], 4096);
    assert_int_equal(pool_kept(p), 8192); /* the third went back to the system */
    assert_ptr_equal(pool_take(p, 100, &cap), b[1]);
    assert_ptr_equal(pool_take(p, 100, &cap), b[0]);
    assert_int_equal(pool_kept(p), 0);
    pool_give(p, b[0], 4096);
    pool_give(p, b[1], 4096);
    pool_free(p);

    p = pool_new(0); /* keeps nothing */
    b[0] = pool_take(p, 4096, &cap);
    pool_give(p, b[0], cap);
    assert_int_equal(pool_kept(p), 0);
    pool_free(p);
    pool_free(NULL);
}

struct item {
    int n;
    struct list link;
};

static int list_sum(struct list *head)
{
    int digits = 0;
    for (struct list *l = head->next; l != head; l = l->next)
        digits = digits * 10 + container_of(l, struct item, link)->n;
    return digits;
}

static void lists_link_and_splice(void **state)
{
    struct list a, b;
    struct item i[4] = {{1}, {2}, {3}, {4}};
    list_init(&a);
    list_init(&b);
    list_splice(&a, &b);
    assert_true(list_empty(&a));
    for (size_t k = 0; k < 4; k++)
        list_push_back(k < 2 ? &a : &b, &i[k].link);
    list_splice(&a, &b);
    assert_int_equal(list_sum(&a), 1234);
    assert_true(list_empty(&b));
    list_remove(&i[1].link);
    list_remove(&i[1].link);
    assert_int_equal(list_sum(&a), 134);
    list_splice(&b, &a);
    assert_int_equal(list_sum(&b), 134);
    assert_true(list_empty(&a));
}

static void clocks_and_their_text(void **state)
{
    char buf[CLOCK_TEXT_MAX];
    assert_string_equal(clock_format(0, buf), "1970-01-01T00:00:00.000Z");
    assert_string_equal(clock_format(1769862896789, buf), "2026-01-31T12:34:56.789Z");
    assert_string_equal(clock_format(951782400007, buf), "2000-02-29T00:00:00.007Z");
    assert_string_equal(clock_format(UINT64_MAX, buf), "9999-12-31T23:59:59.999Z");
    uint64_t t = clock_mono_ns();
    assert_true(clock_mono_ns() >= t);
    assert_true(clock_wall_ms() > 1700000000000);
}

static void random_bytes_differ(void **state)
{
    unsigned char a[1000] = {0}, b[1000] = {0};
    random_bytes(a, 0);
    assert_int_equal(a[0], 0);
    random_bytes(a, sizeof(a));
    random_bytes(b, sizeof(b));
    assert_memory_not_equal(a, b, sizeof(a));
    assert_memory_not_equal(a + 900, b + 900, 100); /* filled to the end */
}

/* Whatever is asked, the caller's own frame is as before. */
static void stack_wipe_spares_the_caller(void **state)
{
    static const size_t sizes[] = {0, 1, 4096, 40000, 65536, SIZE_MAX};
    volatile unsigned char mine[256];
    for (size_t i = 0; i < sizeof mine; i++)
        mine[i] = (unsigned char)i;
    for (size_t k = 0; k < sizeof sizes / sizeof *sizes; k++) {
        stack_wipe(sizes[k]);
        for (size_t i = 0; i < sizeof mine; i++)
            assert_int_equal(mine[i], (unsigned char)i);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(arena_gives_zeroed_aligned_memory),
        cmocka_unit_test(arena_keeps_its_bound),
        cmocka_unit_test(pool_classes_and_reuse),
        cmocka_unit_test(pool_is_last_in_first_out_and_bounded),
        cmocka_unit_test(lists_link_and_splice),
        cmocka_unit_test(clocks_and_their_text),
        cmocka_unit_test(random_bytes_differ),
        cmocka_unit_test(stack_wipe_spares_the_caller),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
