/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the wsbridge authors */
/*
 * YAML as we take it: every text that is refused, with its place and its hint, and that hostile ones are refused at
 * once.
 */
#include "unit.h"

#include <time.h>

#include "config_sample.h"

/* The whole report, as INTERFACE.md shows it. */
struct report {
    const char *text;
    const char *said;
};

static const struct report reports[] = {
    {"listeners:\n  - adress: \":8080\"\n", "t.yaml:2:5: error: unknown key \"adress\" in listeners[]\n"
                                            "     2 |   - adress: \":8080\"\n"
                                            "       |     ^~~~~~\n"
                                            "       = help: did you mean \"address\"?\n"},
    {"tuning: {bytes: 64}", "t.yaml:1:17: error: \"bytes\" needs a unit\n"
                            "     1 | tuning: {bytes: 64}\n"
                            "       |                 ^~\n"
                            "       = help: write 64KiB or 64MiB\n"},
    {"listen: [::]:80\n", "t.yaml:1:9: error: this value needs quotes: YAML reads it as something else\n"
                          "     1 | listen: [::]:80\n"
                          "       |         ^~~~~~~\n"
                          "       = help: quote it: \"[::]:80\"\n"},
    {"", "t.yaml: error: there is nothing in this file\n"},
    /* Two errors, in the order of lines although the second is found first; the tab is one column. */
    {"services:\n  a: {frames: txt,\tto: x}\nfoo: 1\n", "t.yaml:2:15: error: \"frames\" cannot be \"txt\"\n"
                                                        "     2 |   a: {frames: txt, to: x}\n"
                                                        "       |               ^~~\n"
                                                        "       = help: did you mean \"text\"?\n"
                                                        "t.yaml:3:1: error: unknown key \"foo\"\n"
                                                        "     3 | foo: 1\n"
                                                        "       | ^~~\n"},
    /* Columns are characters, not bytes. */
    {"greeting: \"\u00fc\u00fc\"\ntuning: {fast: \u00fc}\n",
     "t.yaml:2:16: error: \"fast\" must be true or false, not \"\u00fc\"\n"
     "     2 | tuning: {fast: \u00fc}\n"
     "       |                ^\n"},
};

static void reports_as_documented(void **state)
{
    for (size_t i = 0; i < ARRAY_LEN(reports); i++) {
        struct sample_run r;
        sample_load(&r, slice_of(reports[i].text));
        assert_string_equal(r.said.p, reports[i].said);
        sample_end(&r);
    }
}

/* A refusal: the place of the first error, a part of its text and of its help. */
struct refusal {
    struct slice text;
    const char *place;
    const char *message;
    const char *help;
};

static const struct refusal refusals[] = {
    /* addresses and variables without quotes */
    {SLICE("listen: [::1]\n"), "1:9:", "needs quotes", "\"[::1]\""},
    {SLICE("listen: [80, [::]:80]\n"), "1:14:", "needs quotes", "\"[::]:80\""},
    {SLICE("listeners:\n  - {address: [::]:80}\n"), "2:15:", "needs quotes", "\"[::]:80\""},
    {SLICE("greeting: [2001:db8::1]:5901\n"), "1:11:", "needs quotes", "\"[2001:db8::1]:5901\""},
    {SLICE("listen: *:80\n"), "1:9:", "needs quotes", "\"*:80\""},
    {SLICE("listen: [80, *:81]\n"), "1:14:", "needs quotes", "\"*:81\""},
    {SLICE("listen: *80\n"), "1:9:", "alias", "\"*80\""},
    {SLICE("greeting: *.example.org\n"), "1:11:", "needs quotes", "\"*.example.org\""},
    {SLICE("greeting: {token}\n"), "1:11:", "must be a text, not a map", "\"{token}\""},
    {SLICE("greeting: {token}:5900\n"), "1:11:", "needs quotes", "\"{token}:5900\""},
    {SLICE("greeting: @abc\n"), "1:11:", "begins with \"@\"", "\"@abc\""},
    {SLICE("greeting: `abc\n"), "1:11:", "begins with \"`\"", "quote it"},
    {SLICE("greeting: %abc\n"), "1:11:", "begins with \"%\"", "quote it"},
    {SLICE("greeting: !abc\n"), "1:11:", "tags", "quotes"},
    {SLICE("greeting: !!str abc\n"), "1:11:", "tags", "quotes"},
    {SLICE("services: !x {}\n"), "1:11:", "tags", "quotes"},
    /* keys */
    {SLICE("greeting: a\ngreeting: b\n"), "2:1:", "\"greeting\" stands twice in this map; the first is in line 1",
     "remove"},
    {SLICE("services: {a: x, b: y, a: z}\n"), "1:24:", "\"a\" stands twice", "remove"},
    {SLICE("[a]: b\n"), "1:1:", "a key must be a plain word", "quotes"},
    {SLICE("{a: b}: c\n"), "1:1:", "a key must be a plain word", "quotes"},
    {SLICE(": b\n"), "1:1:", "key is missing", "key: value"},
    {SLICE("\"\": b\n"), "1:1:", "key is missing", NULL},
    {SLICE("services: {<<: {a: b}}\n"), "1:12:", "merge keys", "write the keys out"},
    {SLICE("greeting: &x a\n*x : b\n"), "2:1:", "alias cannot be a key", NULL},
    /* documents */
    {SLICE("# only this\n\n"), "t.yaml: ", "nothing in this file", NULL},
    {SLICE("---\n...\n"), "t.yaml: ", "nothing in this file", NULL},
    {SLICE("~\n"), "t.yaml: ", "nothing in this file", NULL},
    {SLICE("- a\n"), "1:1:", "this is a list", "key: value"},
    {SLICE("abc\n"), "1:1:", "this is a single value", "key: value"},
    {SLICE("greeting:abc\n"), "1:1:", "this is a single value", "space behind the colon"},
    {SLICE("greeting: a\n---\ngreeting: b\n"), "2:1:", "second YAML document", "include"},
    {SLICE("greeting: a\n... # end\n\n  greeting: b\n"), "4:3:", "second YAML document", NULL},
    {SLICE("%YAML 1.1\n---\ngreeting: a\n"), "1:1:", "directives", "remove"},
    {SLICE("# c\n\n%TAG ! x\n---\ngreeting: a\n"), "3:1:", "directives", "remove"},
    /* characters */
    {SLICE("greeting: a\0b\n"), "1:12:", "NUL", "text file"},
    {SLICE("greeting: \xff\n"), "1:11:", "not UTF-8 here (0xff)", "UTF-8"},
    {SLICE("greeting: a\xc0\x80\n"), "1:12:", "not UTF-8", NULL},
    {SLICE("greeting: \xed\xa0\x80\n"), "1:11:", "not UTF-8", NULL},
    {SLICE("# \xe2\x82\n"), "1:3:", "not UTF-8", NULL},
    {SLICE("\xff\xfeg\0"), "t.yaml: ", "UTF-16", "UTF-8"},
    {SLICE("greeting: \x1b[1m\n"), "1:11:", "control character here (U+001B)", "escape"},
    {SLICE("greeting: \xc2\x9b\n"), "1:11:", "control character", NULL},
    {SLICE("greeting: \xe2\x80\xa8\n"), "1:11:", "invisible line break", NULL},
    {SLICE("greeting: \xef\xbb\xbf\n"), "1:11:", "invisible character", NULL},
    {SLICE("greeting: \"\\0\"\n"), "1:11:", "NUL", NULL},
    {SLICE("tuning:\n\tsmall: 1\n"), "2:1:", "tab", "spaces"},
    /* syntax */
    {SLICE("greeting: \"abc\nlisten: 80\n"), "1:11:", "quote that opens here is never closed", NULL},
    {SLICE("greeting: 'abc\n"), "1:11:", "quote that opens here is never closed", NULL},
    {SLICE("greeting: \"a\\q\"\n"), "1:13:", "backslash", "single quotes"},
    {SLICE("listen: [80, 81\n"), "1:9:", "not closed with \"]\"", NULL},
    {SLICE("services: {a: {to: x}\n"), "1:11:", "not closed with \"}\"", NULL},
    {SLICE("tuning:\n  small: 1\n fast: on\n"), "3:2:", "key is expected", "indentation"},
    {SLICE("listen: ["), "1:10:", "file ends inside a list", NULL},
    {SLICE("greeting: a: b\n"), "1:12:", "\":\" cannot stand here", "quotes"},
    {SLICE("listeners:\n  - address: 1\n  address: 2\n"), "3:3:", "belongs neither", "indentation"},
    {SLICE("tuning:\n  small: 1\nfast\n"), "3:1:", "\":\" is missing behind this key", "key: value"},
    {SLICE("listeners: - address: 1\n"), "1:12:", "list item cannot stand here", "own line"},
    /* aliases */
    {SLICE("services: &s\n  a: *s\n"), "2:6:", "inside its own anchor", NULL},
    {SLICE("services: {a: &s [b, [*s]]}\n"), "1:23:", "inside its own anchor", NULL},
    {SLICE("greeting: *nobody\n"), "1:11:", "no anchor has that name", "quote"},
    /* null */
    {SLICE("greeting:\n"), "1:1:", "\"greeting\" has no value", "remove the key"},
    {SLICE("tuning: ~\n"), "1:1:", "\"tuning\" has no value", NULL},
    {SLICE("services:\n  a: null\n"), "2:3:", "\"a\" has no value", NULL},
    {SLICE("listen: [80, ]\nlisteners: [~]\n"), "2:13:", "item of \"listeners\" has no value", NULL},
    {SLICE("listen: [80, ~]\n"), "1:14:", "item of \"listen\" has no value", NULL},
    {SLICE("include: x.yaml\n"), "1:10:", "works in files only", NULL},
    {SLICE("include:\n"), "1:1:", "\"include\" has no value", NULL},
};

static void refuses(void **state)
{
    for (size_t i = 0; i < ARRAY_LEN(refusals); i++) {
        const struct refusal *x = &refusals[i];
        struct sample_run r;
        sample_load(&r, x->text);
        char *second = strstr(r.said.p + (r.said.n > 0), "\nt.yaml:");
        if (second)
            *second = '\0';
        bool ok = strstr(r.said.p, x->place) && strstr(r.said.p, x->message) &&
                  (!x->help || (strstr(r.said.p, "help: ") && strstr(strstr(r.said.p, "help: "), x->help)));
        if (!ok)
            fail_msg("%s\nsaid: %s\nwanted %s %s (%s)", x->text.p, r.said.p, x->place, x->message,
                     x->help ? x->help : "");
        sample_end(&r);
    }
}

static void takes(void **state)
{
    static const char *const texts[] = {
        "\xef\xbb\xbfgreeting: a\n",
        "greeting: a",
        "--- # first\ngreeting: a\n...\n# the end\n\n...\n",
        "\r\ngreeting: a\r\n",
        "greeting: \"a\"\r",
        "{greeting: 'a'}",
        "greeting: >-\n  a\n",
        "greeting: a # *:80 [::]:80\n",
        "listen: [\"[::]:80\", '*:80']\ngreeting: a\n",
        "services: {b: &x {to: 'z'}, c: *x}\ngreeting: a\n",
        "greeting: &x a\nlisten: &x [1]\nlisteners: {address: *x}\n",
    };
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        struct sample_run r;
        sample_load(&r, slice_of(texts[i]));
        if (cfg_error_count(r.load))
            fail_msg("%s\n%s", texts[i], r.said.p);
        assert_string_equal(r.obj.greeting, "a");
        sample_end(&r);
    }
}

static void aliases_are_the_same_node(void **state)
{
    struct sample_run r;
    sample_load(&r, SLICE("services:\n  a: &x {to: one, frames: txet}\n  b: *x\n"));
    /* One mistake, reached twice, said once, where it stands. */
    assert_int_equal(cfg_error_count(r.load), 1);
    assert_non_null(strstr(r.said.p, "t.yaml:2:27:"));
    assert_string_equal(sample_service(&r, 1)->to, "one");
    assert_string_equal(sample_service(&r, 1)->name.name, "b");
    sample_end(&r);
}

/* --- texts that would take for ever ----------------------------------------------------------------------------------
 */

static double seconds_since(const struct timespec *from)
{
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)(now.tv_sec - from->tv_sec) + (double)(now.tv_nsec - from->tv_nsec) / 1e9;
}

static char *repeat(const char *piece, size_t times, const char *before, size_t *n)
{
    size_t len = strlen(piece), lead = strlen(before);
    char *p = malloc(lead + len * times);
    assert_non_null(p);
    memcpy(p, before, lead);
    for (size_t i = 0; i < times; i++)
        memcpy(p + lead + i * len, piece, len);
    *n = lead + len * times;
    return p;
}

struct flood {
    const char *before;
    const char *piece;
    size_t times;
    const char *said;
};

static const struct flood floods[] = {
    {"a: ", "[", 100000, "nested more than 64 deep"},
    {"a: ", "{a: ", 100000, "nested more than 64 deep"},
    {"a: ", "[\n", 100000, "nested more than 64 deep"},
    {"", "- ", 100000, "nested more than 64 deep"},
    {"", "? ", 100000, "nested more than 64 deep"},
    {"", "a:\n", 100000, "stands twice"},
    {"", "%TAG !a! b\n", 100000, "directives"},
    {"a: b\n...\n", "%TAG !a! b\n", 100000, "second YAML document"},
    {"a: b\n", "---\n", 100000, "second YAML document"},
    {"a: [", "&a b,", 1000, NULL},
    {"a: ", "\"", 200001, NULL},
    {"a: ", "'", 200001, NULL},
    {"", "#\n", 200000, "nothing in this file"},
    {"a: [", "[],", 300000, NULL},
    {"a: [", "\"\": ,", 100000, NULL},
    {"a: [", "\n", 300000, "file ends inside a list"},
    {"a: ", "*", 200000, NULL},
    {"a: |\n", " b\n", 200000, NULL},
    {"a: ", "b ", 500000, NULL},
    {"a: ", "b\n ", 300000, NULL},
};

static void ends_at_once(void **state)
{
    for (size_t i = 0; i < ARRAY_LEN(floods); i++) {
        struct timespec from;
        struct sample_run r;
        size_t n;
        char *text = repeat(floods[i].piece, floods[i].times, floods[i].before, &n);
        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &from);
        sample_load(&r, (struct slice){text, n});
        double took = seconds_since(&from);
        /* Sanitizers and slow machines; what this guards against took minutes. */
        if (took > 3)
            fail_msg("%zu times \"%s\": %.1f s", floods[i].times, floods[i].piece, took);
        if (floods[i].said && !strstr(r.said.p, floods[i].said))
            fail_msg("%zu times \"%s\" said: %.300s", floods[i].times, floods[i].piece, r.said.p);
        assert_true(cfg_error_count(r.load) > 0);
        sample_end(&r);
        free(text);
    }
}

static void refuses_bombs(void **state)
{
    struct sample_run r;
    struct sample_text text = {0};
    sample_put(&text, SLICE("a: &a [1,1,1,1,1,1,1,1,1,1]\n"));
    for (char c = 'b'; c < 'k'; c++) {
        char line[128];
        struct strbuf b;
        strbuf_init(&b, line, sizeof(line));
        strbuf_printf(&b, "%c: &%c [", c, c);
        for (int i = 0; i < 10; i++)
            strbuf_printf(&b, "*%c,", c - 1);
        strbuf_str(&b, "]\n");
        sample_put(&text, strbuf_slice(&b));
    }
    sample_load(&r, (struct slice){text.p, text.n});
    assert_non_null(strstr(r.said.p, "aliases make more than"));
    sample_end(&r);
    free(text.p);
}

static void refuses_depth_through_aliases(void **state)
{
    struct sample_run r;
    struct sample_text text = {0};
    sample_put(&text, SLICE("a0: &a0 [[[[[[[[[[x]]]]]]]]]]\n"));
    for (int i = 1; i < 10; i++) {
        char line[128];
        struct strbuf b;
        strbuf_init(&b, line, sizeof(line));
        strbuf_printf(&b, "a%d: &a%d [[[[[[[[[[*a%d]]]]]]]]]]\n", i, i, i - 1);
        sample_put(&text, strbuf_slice(&b));
    }
    sample_load(&r, (struct slice){text.p, text.n});
    assert_non_null(strstr(r.said.p, "deep through aliases"));
    assert_non_null(strstr(r.said.p, "t.yaml:7:"));
    sample_end(&r);
    free(text.p);
}

/* Ten thousand services, each name looked up among all. */
static void loads_large_maps(void **state)
{
    struct timespec from;
    struct sample_run r;
    struct sample_text text = {0};
    sample_put(&text, SLICE("services:\n"));
    for (int i = 0; i < 10000; i++) {
        char line[64];
        struct strbuf b;
        strbuf_init(&b, line, sizeof(line));
        strbuf_printf(&b, "  s%d: {to: t%d}\n", i, i);
        sample_put(&text, strbuf_slice(&b));
    }
    sample_put(&text, SLICE("  s77: x\n"));
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &from);
    sample_load(&r, (struct slice){text.p, text.n});
    assert_true(seconds_since(&from) < 3);
    assert_int_equal(cfg_error_count(r.load), 1);
    assert_non_null(
        strstr(r.said.p, "t.yaml:10002:3: error: \"s77\" stands twice in this map; the first is in line 79"));
    assert_int_equal(r.obj.services.n, 10000);
    assert_string_equal(sample_service(&r, 9999)->to, "t9999");
    const struct cfg_node *services = cfg_node_get(r.root, "services");
    assert_string_equal(cfg_node_text(cfg_node_get(cfg_node_get(services, "s4711"), "to")), "t4711");
    assert_null(cfg_node_get(services, "s10000"));
    assert_int_equal(cfg_node_line(cfg_node_key(services, "s0")), 2);
    sample_end(&r);
    free(text.p);
}

/* All kinds of wrong at once, many times: twenty are shown, the rest is counted. */
static void shows_twenty(void **state)
{
    struct sample_run r;
    size_t n, shown = 0;
    char *text = repeat("  - {adress: 1}\n", 1000, "listeners:\n", &n);
    sample_load(&r, (struct slice){text, n});
    assert_int_equal(cfg_error_count(r.load), 1000);
    for (const char *p = r.said.p; (p = strstr(p, "error: unknown")); p++)
        shown++;
    assert_int_equal(shown, CFG_ERRORS_MAX);
    assert_non_null(strstr(r.said.p, "t.yaml:21:6:"));
    assert_null(strstr(r.said.p, "t.yaml:22:6:"));
    assert_non_null(strstr(r.said.p, "\nand 980 more errors\n"));
    sample_end(&r);
    free(text);
}

static void shows_long_lines_in_part(void **state)
{
    struct sample_run r;
    size_t n;
    char *text = repeat(" ", 1000, "{greeting: a,", &n);
    char *whole = malloc(n + 2000);
    assert_non_null(whole);
    memcpy(whole, text, n);
    memcpy(whole + n, "foo: 1,", 7);
    memset(whole + n + 7, ' ', 900);
    memcpy(whole + n + 907, "}", 1);
    sample_load(&r, (struct slice){whole, n + 908});
    char *line = strstr(r.said.p, "     1 | ");
    assert_non_null(line);
    char *end = strchr(line, '\n'), *caret = strchr(end, '^');
    assert_true(end - line < 200);
    assert_non_null(caret);
    /* The caret stands under the key. */
    assert_int_equal(strstr(line, "foo") - line, caret - (end + 1));
    sample_end(&r);
    free(text);
    free(whole);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reports_as_documented),
        cmocka_unit_test(refuses),
        cmocka_unit_test(takes),
        cmocka_unit_test(aliases_are_the_same_node),
        cmocka_unit_test(ends_at_once),
        cmocka_unit_test(refuses_bombs),
        cmocka_unit_test(refuses_depth_through_aliases),
        cmocka_unit_test(loads_large_maps),
        cmocka_unit_test(shows_twenty),
        cmocka_unit_test(shows_long_lines_in_part),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
