/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the wsbridge authors */
/* The scripted stream keeps the contract that the real ones keep: tests of the relay rest on it. */
#include "net_help.h"

#include "mem_stream.h"

struct reader {
    struct stream_owner owner;
    char text[64];
    size_t n;
    enum io last;
    int readies;
};

static void on_ready(struct stream_owner *o, struct stream *s)
{
    struct reader *r = container_of(o, struct reader, owner);
    uint8_t buf[16];
    size_t got;
    r->readies++;
    while ((r->last = stream_read(s, buf, sizeof(buf), &got)) == IO_OK) {
        memcpy(r->text + r->n, buf, got);
        r->n += got;
    }
    if (r->last != IO_AGAIN)
        stream_free(s, STREAM_END_CLEAN);
}

static void test_script(void **state)
{
    struct loop *l = loop_new();
    struct reader r = {.owner.ready = on_ready};
    struct mem_stream m;
    struct stream *s = mem_stream_init(&m, l);
    m.reads = (struct mem_script)MEM_SCRIPT({MEM_BYTES, 2}, {MEM_AGAIN}, {MEM_BYTES, 1}, {MEM_BYTES}, {MEM_AGAIN});
    m.writes = (struct mem_script)MEM_SCRIPT({MEM_BYTES, 4}, {MEM_AGAIN}, {MEM_BYTES}, {MEM_FAIL, ECONNRESET});
    s->owner = &r.owner;
    mem_stream_feed(&m, "abcdef", 6);
    loop_turn(l);
    assert_int_equal(r.readies, 0); /* nothing wanted */
    stream_want(s, STREAM_READ);
    assert_int_equal(r.readies, 0); /* never from inside a call */
    loop_turn(l);
    assert_int_equal(r.readies, 1);
    assert_memory_equal(r.text, "ab", 2);
    loop_turn(l);
    assert_int_equal(r.n, 6);
    assert_int_equal(r.last, IO_AGAIN);
    loop_turn(l);
    loop_turn(l);
    assert_int_equal(r.readies, 2); /* there is nothing to read */

    char one[] = "123", two[] = "456";
    struct iovec v[2] = {{one, 3}, {two, 3}};
    size_t put;
    assert_int_equal(stream_write(s, v, 2, &put), IO_OK);
    assert_int_equal(put, 4);
    assert_int_equal(stream_write(s, v, 2, &put), IO_AGAIN);
    assert_int_equal(stream_write(s, v, 1, &put), IO_OK);
    assert_true(mem_stream_wrote(&m, "1234123", 7));
    assert_int_equal(stream_write(s, v, 1, &put), IO_FAIL);
    assert_int_equal(s->err, ECONNRESET);
    assert_int_equal(stream_write(s, v, 1, &put), IO_FAIL);

    mem_stream_feed(&m, "gh", 2);
    mem_stream_finish(&m, 0);
    loop_turn(l);
    assert_int_equal(r.readies, 3);
    assert_int_equal(r.last, IO_EOF);
    assert_memory_equal(r.text, "abcdefgh", 8);
    assert_true(m.freed);
    assert_int_equal(m.end, STREAM_END_CLEAN);
    loop_turn(l);
    assert_int_equal(r.readies, 3);
    mem_stream_fini(&m);
    loop_free(l);
}

static void on_start(struct stream_owner *o, struct stream *s)
{
    struct reader *r = container_of(o, struct reader, owner);
    r->readies++;
    r->last = stream_start(s);
}

static void test_start_and_stall(void **state)
{
    struct loop *l = loop_new();
    struct reader r = {.owner.ready = on_start};
    struct mem_stream m;
    struct stream *s = mem_stream_init(&m, l);
    char x[] = "x";
    struct iovec v = {x, 1};
    size_t put;
    s->owner = &r.owner;
    m.started = false;
    m.start_again = 2;
    assert_int_equal(stream_start(s), IO_AGAIN);
    loop_turn(l);
    assert_int_equal(r.last, IO_AGAIN);
    loop_turn(l);
    assert_int_equal(r.last, IO_OK);
    loop_turn(l);
    assert_int_equal(r.readies, 2);

    mem_stream_stall(&m, true);
    assert_int_equal(stream_write(s, &v, 1, &put), IO_AGAIN);
    stream_want(s, STREAM_WRITE);
    loop_turn(l);
    assert_int_equal(r.readies, 2);
    mem_stream_stall(&m, false);
    loop_turn(l);
    loop_turn(l);
    assert_int_equal(r.readies, 4); /* level-triggered */
    stream_want(s, 0);
    loop_turn(l);
    assert_int_equal(r.readies, 4);
    m.shut_again = 1;
    assert_int_equal(stream_shut_write(s), IO_AGAIN);
    assert_int_equal(stream_shut_write(s), IO_OK);
    stream_free(s, STREAM_END_ABORT);
    assert_int_equal(m.end, STREAM_END_ABORT);
    mem_stream_fini(&m);
    loop_free(l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_script),
        cmocka_unit_test(test_start_and_stall),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
