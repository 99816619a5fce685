/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the wsbridge authors */
/*
 * The log against real files, fifos and threads: lines whole, options swapped while others write, sinks that do not
 * take bytes.
 */
#include "unit.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "obs/log.h"

static char dir[] = "/tmp/wsbridge-log-XXXXXX";
static char path_a[64], path_b[64];

static int make_dir(void **state)
{
    signal(SIGPIPE, SIG_IGN); /* as the program does */
    if (!mkdtemp(dir))
        return -1;
    snprintf(path_a, sizeof(path_a), "%s/a", dir);
    snprintf(path_b, sizeof(path_b), "%s/b", dir);
    return 0;
}

static int remove_files(void **state)
{
    unlink(path_a);
    unlink(path_b);
    return 0;
}

static int remove_dir(void **state)
{
    return rmdir(dir);
}

static char *file_text(const char *path)
{
    static char text[4 << 20];
    int fd = open(path, O_RDONLY);
    assert_true(fd >= 0);
    size_t n = 0;
    for (ssize_t got; (got = read(fd, text + n, sizeof(text) - 1 - n)) > 0;)
        n += (size_t)got;
    close(fd);
    text[n] = '\0';
    return text;
}

static unsigned count(const char *text, const char *what)
{
    unsigned n = 0;
    for (const char *p = strstr(text, what); p; p = strstr(p + 1, what))
        n++;
    return n;
}

static struct log *open_file(enum log_level level, enum log_format format)
{
    char why[256];
    struct log_options opt = {.target = LOG_FILE, .path = path_a, .level = level, .format = format, .access = true};
    struct log *l = log_new(&opt, why, sizeof(why));
    assert_non_null(l);
    return l;
}

static void lines_by_level(void **state)
{
    struct log *l = open_file(LOG_WARN, LOG_TEXT);
    assert_true(log_wants(l, LOG_ERROR) && log_wants(l, LOG_WARN) && log_wants_access(l));
    assert_false(log_wants(l, LOG_INFO) || log_wants(l, LOG_DEBUG));
    log_event(l, LOG_ERROR, "one", KV("path", "/a\nb"));
    log_event(l, LOG_INFO, "two", KV_U("n", 1));
    const struct kv kv[] = {KV_U("status", 200)};
    log_access(l, "request", kv, 1);
    log_always(l, LOG_WARN, "three", kv, 1);
    log_always(l, LOG_INFO, "four", kv, 1);
    log_free(l);
    const char *text = file_text(path_a);
    assert_int_equal(count(text, "\n"), 3);
    assert_non_null(strstr(text, "Z error one path=\"/a\\nb\"\n"));
    assert_non_null(strstr(text, "Z access request status=200\n"));
    assert_non_null(strstr(text, "Z warn three status=200\n"));
    struct stat st;
    assert_int_equal(stat(path_a, &st), 0);
    assert_int_equal(st.st_mode & 0137, 0); /* nothing beyond 0640 */
    log_write(NULL, LOG_ERROR, "none", kv, 1);
    log_access(NULL, "none", kv, 1);
    log_tick(NULL);
    log_free(NULL);
    assert_false(log_wants(NULL, LOG_ERROR) || log_wants_access(NULL));
}

static void repeats_are_limited_but_not_records(void **state)
{
    struct log *l = open_file(LOG_INFO, LOG_TEXT);
    const struct kv kv[] = {KV_U("n", 1)};
    for (unsigned i = 0; i < 500; i++) {
        log_event(l, LOG_WARN, "flood", KV_U("n", i));
        log_access(l, "request", kv, 1);
        log_always(l, LOG_INFO, "route", kv, 1);
    }
    log_event(l, LOG_WARN, "other", KV_U("n", 1));
    log_free(l);
    const char *text = file_text(path_a);
    unsigned floods = count(text, " warn flood "), told = 0;
    assert_true(floods >= 20 && floods < 100);
    assert_int_equal(count(text, " access request "), 500);
    assert_int_equal(count(text, " info route "), 500);
    assert_int_equal(count(text, " warn other "), 1);
    for (const char *p = strstr(text, "warn log_limited dropped=flood count="); p;
         p = strstr(p + 1, "warn log_limited dropped=flood count="))
        told += (unsigned)atoi(strstr(p, "count=") + 6);
    assert_int_equal(floods + told, 500); /* nothing disappears without being told */
}

static void options_change_and_bad_ones_do_not(void **state)
{
    char why[256];
    struct log *l = open_file(LOG_INFO, LOG_TEXT);
    log_event(l, LOG_INFO, "first", KV_U("n", 1));
    struct log_options opt = {.target = LOG_FILE, .path = "/nonexistent/dir/log", .level = LOG_DEBUG};
    assert_int_equal(log_reconfigure(l, &opt, why, sizeof(why)), -1);
    assert_non_null(strstr(why, "/nonexistent/dir/log"));
    assert_null(log_new(&opt, why, sizeof(why)));
    opt.path = NULL;
    assert_int_equal(log_reconfigure(l, &opt, why, sizeof(why)), -1);
    assert_false(log_wants(l, LOG_DEBUG));
    log_event(l, LOG_INFO, "second", KV_U("n", 1));
    char moving[64];
    snprintf(moving, sizeof(moving), "%s", path_b);
    opt = (struct log_options){.target = LOG_FILE, .path = moving, .level = LOG_DEBUG, .format = LOG_JSON};
    assert_int_equal(log_reconfigure(l, &opt, why, sizeof(why)), 0);
    memset(moving, 'x', sizeof(moving) - 1); /* strings are copied */
    log_event(l, LOG_DEBUG, "third", KV_B("ok", true));
    assert_false(log_wants_access(l));
    unlink(path_b);
    assert_int_equal(log_reopen(l, why, sizeof(why)), 0);
    log_event(l, LOG_DEBUG, "fourth", KV_U("n", 1));
    assert_int_equal(count(file_text(path_a), "\n"), 2);
    const char *text = file_text(path_b);
    assert_int_equal(count(text, "\n"), 1);
    assert_int_equal(strncmp(text, "{\"time\":\"20", 11), 0);
    assert_non_null(strstr(text, "\"level\":\"debug\",\"event\":\"fourth\",\"n\":1}\n"));
    opt = (struct log_options){.target = LOG_SYSLOG, .level = LOG_ERROR};
    assert_int_equal(log_reconfigure(l, &opt, why, sizeof(why)), 0);
    assert_int_equal(log_reopen(l, why, sizeof(why)), 0);
    log_free(l);
}

static void rotation_keeps_the_old_file_on_failure(void **state)
{
    char why[256];
    struct log *l = open_file(LOG_INFO, LOG_TEXT);
    log_event(l, LOG_INFO, "before", KV_U("n", 1));
    assert_int_equal(rename(path_a, path_b), 0);
    assert_int_equal(mkdir(path_a, 0700), 0); /* cannot be opened for writing, even by root */
    assert_int_equal(log_reopen(l, why, sizeof(why)), -1);
    assert_non_null(strstr(why, path_a));
    assert_non_null(strstr(why, "Is a directory"));
    log_event(l, LOG_INFO, "between", KV_U("n", 1));
    rmdir(path_a);
    assert_int_equal(log_reopen(l, why, sizeof(why)), 0);
    log_event(l, LOG_INFO, "after", KV_U("n", 1));
    log_free(l);
    const char *text = file_text(path_b);
    assert_true(count(text, "\n") == 2 && strstr(text, "between"));
    text = file_text(path_a);
    assert_true(count(text, "\n") == 1 && strstr(text, "after"));
}

static void a_full_pipe_loses_lines_quickly(void **state)
{
    assert_int_equal(mkfifo(path_a, 0600), 0);
    char why[256];
    struct log_options opt = {.target = LOG_FILE, .path = path_a, .level = LOG_INFO};
    assert_null(log_new(&opt, why, sizeof(why))); /* no reader: an error, not a wait */
    int reader = open(path_a, O_RDONLY | O_NONBLOCK);
    struct log *l = log_new(&opt, why, sizeof(why));
    assert_non_null(l);
    static char big[1000];
    memset(big, 'b', sizeof(big));
    const struct kv kv[] = {KV_S("v", ((struct slice){big, sizeof(big)}))};
    uint64_t start = clock_mono_ns();
    for (unsigned i = 0; i < 1000; i++)
        log_always(l, LOG_INFO, "event", kv, 1);
    assert_true(clock_mono_ns() - start < 2000000000); /* one wait, not a thousand */
    uint64_t lost = log_lost(l);
    assert_true(lost > 500 && lost < 1000);
    static char sink[1 << 20];
    ssize_t got = read(reader, sink, sizeof(sink));
    assert_true(got > 0);
    assert_int_equal(sink[got - 1], '\n'); /* whole lines only */
    log_always(l, LOG_INFO, "again", kv, 1);
    assert_int_equal(log_lost(l), lost);
    got = read(reader, sink, sizeof(sink) - 1);
    assert_true(got > 0);
    sink[got] = '\0';
    assert_non_null(strstr(sink, " info again v=bbb"));
    close(reader);
    log_always(l, LOG_INFO, "gone", kv, 1);
    assert_int_equal(log_lost(l), lost + 1);
    log_free(l);
}

static void a_full_disk_tears_one_line_at_most(void **state)
{
    struct log *l = open_file(LOG_INFO, LOG_TEXT);
    const struct kv kv[] = {KV("v", "0123456789")};
    struct rlimit old, small = {.rlim_cur = 100};
    signal(SIGXFSZ, SIG_IGN);
    getrlimit(RLIMIT_FSIZE, &old);
    small.rlim_max = old.rlim_max;
    setrlimit(RLIMIT_FSIZE, &small); /* the file ends in the middle of a line, as on a full disk */
    for (unsigned i = 0; i < 10; i++)
        log_always(l, LOG_INFO, "event", kv, 1);
    setrlimit(RLIMIT_FSIZE, &old);
    uint64_t lost = log_lost(l);
    assert_true(lost >= 8 && lost < 10);
    log_always(l, LOG_INFO, "again", kv, 1);
    assert_int_equal(log_lost(l), lost);
    log_free(l);
    const char *text = file_text(path_a), *last = strstr(text, " info again v=0123456789\n");
    assert_non_null(last);
    assert_int_equal(last[-25], '\n'); /* begins on a line of its own */
}

static void *write_lines(void *arg)
{
    struct log *l = arg;
    for (unsigned i = 0; i < 2000; i++) {
        const struct kv kv[] = {KV_U("n", i), KV("tail", "end")};
        log_access(l, "record", kv, ARRAY_LEN(kv));
        log_event(l, LOG_INFO, "busy", KV("tail", "end"));
    }
    return NULL;
}

static void threads_do_not_mix_lines(void **state)
{
    struct log *l = open_file(LOG_INFO, LOG_TEXT);
    pthread_t threads[4];
    for (size_t i = 0; i < ARRAY_LEN(threads); i++)
        assert_int_equal(pthread_create(&threads[i], NULL, write_lines, l), 0);
    for (unsigned i = 0; i < 100; i++) { /* meanwhile, on the owner's thread */
        char why[256];
        struct log_options opt = {.target = LOG_FILE, .path = path_a, .level = LOG_INFO, .access = true};
        assert_int_equal(log_reopen(l, why, sizeof(why)), 0);
        assert_int_equal(log_reconfigure(l, &opt, why, sizeof(why)), 0);
        log_tick(l);
    }
    for (size_t i = 0; i < ARRAY_LEN(threads); i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(log_lost(l), 0);
    log_free(l);
    char *text = file_text(path_a);
    assert_int_equal(count(text, " access record "), 8000);
    for (char *p = text, *end; *p; p = end + 1) {
        end = strchr(p, '\n');
        assert_non_null(end);
        *end = '\0';
        assert_int_equal(strncmp(p, "20", 2), 0);
        if (!strstr(p, "log_limited"))
            assert_string_equal(end - 9, " tail=end");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(lines_by_level, remove_files),
        cmocka_unit_test_teardown(repeats_are_limited_but_not_records, remove_files),
        cmocka_unit_test_teardown(options_change_and_bad_ones_do_not, remove_files),
        cmocka_unit_test_teardown(rotation_keeps_the_old_file_on_failure, remove_files),
        cmocka_unit_test_teardown(a_full_pipe_loses_lines_quickly, remove_files),
        cmocka_unit_test_teardown(a_full_disk_tears_one_line_at_most, remove_files),
        cmocka_unit_test_teardown(threads_do_not_mix_lines, remove_files),
    };
    return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
