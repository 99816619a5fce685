/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the wsbridge authors */
/*
 * Memory that runs out at the n-th allocation of a connection, for every n: it ends, or the one request is refused, and
 * nothing is leaked. malloc and calloc are replaced at link time (tests.mk).
 */
#include <stdlib.h>

void *__real_malloc(size_t n);
void *__real_calloc(size_t n, size_t size);
void *__wrap_malloc(size_t n);
void *__wrap_calloc(size_t n, size_t size);

/* What the test itself needs does not fail. */
#define malloc __real_malloc
#define calloc __real_calloc

#include "front_rig.h"

static int left = -1; /* allocations until one fails; -1: none fails */
static bool failed;

static bool fails(void)
{
    if (left != 0) {
        left -= left > 0;
        return false;
    }
    failed = true;
    left = -1;
    return true;
}

void *__wrap_malloc(size_t n)
{
    return fails() ? NULL : __real_malloc(n);
}

void *__wrap_calloc(size_t n, size_t size)
{
    return fails() ? NULL : __real_calloc(n, size);
}

static void any_allocation(void **state)
{
    static const char *const requests[] = {
        "GET /reply HTTP/1.1\r\nHost: h\r\n\r\n",
        "GET /body/100000 HTTP/1.1\r\nHost: h\r\n\r\n",
        "garbage\r\n",
        "GET /accept HTTP/1.1\r\nHost: h\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\nearly",
    };

    for (size_t i = 0; i < ARRAY_LEN(requests); i++) {
        bool did = true;
        for (int n = 0; did; n++) {
            struct front_rig *r = front_new();

            failed = false;
            left = n;
            struct mem_stream *m = front_connect(r);
            if (r->ended == 0) {
                mem_stream_feed(m, requests[i], strlen(requests[i]));
                mem_stream_finish(m, 0);
                front_settle(r);
            }
            left = -1;
            did = failed;
            assert_true(n < 50);
            if (!did && i < 3)
                assert_true(m->out.n > 0);
            front_close(r);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(any_allocation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
