/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the wsbridge authors */
/*
 * Nodes to structs: every type, its defaults, and what it says about wrong values.
 */
#include "unit.h"

#include "config_sample.h"

static void fills_defaults(void **state)
{
    struct sample_run r;
    sample_load(&r, SLICE("services: {a: {to: x}}\n"));
    assert_string_equal(r.said.p, "");
    assert_int_equal(r.obj.version, 1);
    assert_int_equal(r.obj.tuning.small, 3);
    assert_int_equal(r.obj.tuning.bytes, 65536);
    assert_true(r.obj.tuning.wait == 1.5);
    assert_false(r.obj.tuning.fast);
    assert_int_equal(r.obj.tuning.set, 0);
    assert_null(r.obj.greeting);
    assert_null(r.obj.files);
    assert_int_equal(r.obj.listeners.n, 0);
    assert_int_equal(r.obj.set, 1 << 5);

    const struct sample_service *s = sample_service(&r, 0);
    assert_int_equal(s->protocols.n, 2);
    assert_string_equal(s->protocols.v[1], "base64");
    assert_int_equal(s->frames, 2);
    /* An override without a default is zero, whatever it means. */
    assert_int_equal(s->tuning.small, 0);
    assert_true(s->tuning.wait == 0);
    assert_int_equal(s->at.x, 0);
    sample_end(&r);
}

static void gives_defaults_alone(void **state)
{
    struct sample_run r;
    struct sample_tuning t;
    sample_begin(&r);
    memset(&t, 0xff, sizeof(t));
    cfg_defaults(r.load, &sample_tuning_table, &t);
    assert_int_equal(t.small, 3);
    assert_int_equal(t.set, 0);
    assert_false(t.fast);
    memset(&t, 0xff, sizeof(t));
    cfg_read(r.load, &sample_tuning_table, NULL, &t);
    assert_int_equal(t.small, 3);
    sample_end(&r);
}

static void reads_every_type(void **state)
{
    struct sample_run r;
    sample_load(&r, SLICE("version: 1\n"
                          "greeting: 'it is 10'\n"
                          "files: /srv/www\n"
                          "listen: [80, 'unix:/x']\n"
                          "listeners:\n"
                          "  - address: 6080\n"
                          "  - {address: [a, b], mode: 0660}\n"
                          "services:\n"
                          "  short: 'c:1'\n"
                          "  long:\n"
                          "    to: d\n"
                          "    protocols: mqtt\n"
                          "    frames: text\n"
                          "    encrypt: yes\n"
                          "    tuning: {small: 10, wait: off, bytes: unlimited}\n"
                          "    at: '3,4'\n"
                          "tuning: {small: '1', bytes: 1KiB, wait: 1m, fast: yes}\n"));
    assert_string_equal(r.said.p, "");
    assert_string_equal(r.obj.greeting, "it is 10");
    assert_string_equal(r.obj.files, "/srv/www");
    assert_int_equal(r.obj.listen.n, 2);
    assert_string_equal(r.obj.listen.v[0], "80");
    assert_int_equal(cfg_node_column(r.obj.listen.nodes[1]), 14);
    assert_int_equal(r.obj.listeners.n, 2);
    assert_string_equal(sample_listener(&r, 0)->address.v[0], "6080");
    assert_string_equal(sample_listener(&r, 1)->mode, "0660");
    assert_ptr_equal(sample_listener(&r, 1)->node, r.obj.listeners.nodes[1]);
    assert_int_equal(r.obj.services.n, 2);
    assert_string_equal(sample_service(&r, 0)->to, "c:1");
    assert_string_equal(sample_service(&r, 0)->protocols.v[0], "binary");
    const struct sample_service *s = sample_service(&r, 1);
    assert_string_equal(s->name.name, "long");
    assert_int_equal(cfg_node_line(s->name.node), 11);
    assert_int_equal(s->protocols.n, 1);
    assert_string_equal(s->protocols.v[0], "mqtt");
    assert_int_equal(s->frames, 1);
    assert_int_equal(s->encrypt, 1);
    assert_int_equal(s->tuning.small, 10);
    assert_true(isinf(s->tuning.wait));
    assert_true(s->tuning.bytes == CFG_UNLIMITED_N);
    assert_int_equal(s->tuning.set, 7);
    assert_int_equal(s->at.y, 4);
    assert_int_equal(r.obj.tuning.bytes, 1024);
    assert_true(r.obj.tuning.wait == 60);
    assert_true(r.obj.tuning.fast);
    assert_int_equal(r.obj.tuning.set, 15);
    sample_end(&r);
}

static void takes_one_for_a_list(void **state)
{
    struct sample_run r;
    sample_load(&r, SLICE("listeners: {address: 80}\nlisten: 81\n"));
    assert_string_equal(r.said.p, "");
    assert_int_equal(r.obj.listeners.n, 1);
    assert_int_equal(r.obj.listen.n, 1);
    sample_end(&r);
}

static void takes_empty_collections(void **state)
{
    struct sample_run r;
    sample_load(&r, SLICE("listeners: []\nlisten: []\nservices: {}\ntuning: {}\ngreeting: ''\n"));
    assert_string_equal(r.said.p, "");
    assert_int_equal(r.obj.listeners.n, 0);
    assert_int_equal(r.obj.services.n, 0);
    assert_int_equal(r.obj.tuning.small, 3);
    assert_string_equal(r.obj.greeting, "");
    sample_end(&r);
}

/* Before any child there is no array of children. */
static void takes_an_empty_map(void **state)
{
    struct sample_run r;
    sample_load(&r, SLICE(" {}"));
    assert_string_equal(r.said.p, "");
    assert_int_equal(r.obj.version, 1);
    sample_end(&r);
}

struct mistake {
    const char *text;
    const char *said; /* first line behind the file's name */
    const char *help;
};

static const struct mistake mistakes[] = {
    {"tuning: {fast: maybe}", "1:16: error: \"fast\" must be true or false, not \"maybe\"", NULL},
    {"tuning: {fast: True}", "1:16: error: \"fast\" must be true or false, not \"True\"", "did you mean \"true\"?"},
    {"tuning: {fast: 'on'}", "1:16: error: \"fast\" must be true or false, not a text", "without quotes"},
    {"tuning: {fast: [on]}", "1:16: error: \"fast\" must be true or false, not a list", NULL},
    {"tuning: {small: 0}", "1:17: error: \"small\" must be at least 1", NULL},
    {"tuning: {small: 11}", "1:17: error: \"small\" must be at most 10", NULL},
    {"tuning: {small: -1}", "1:17: error: \"small\" must be a whole number, not \"-1\"", NULL},
    {"tuning: {small: 1.5}", "1:17: error: \"small\" must be a whole number, not \"1.5\"", NULL},
    {"tuning: {small: 0x1}", "1:17: error: \"small\" must be a whole number, not \"0x1\"", NULL},
    {"tuning: {small: 99999999999999999999}", "1:17: error: \"small\" must be a whole number", "too large"},
    {"tuning: {small: unlimited}", "1:17: error: \"small\" must be a whole number, not \"unlimited\"", "bounded"},
    {"tuning: {bytes: 64}", "1:17: error: \"bytes\" needs a unit", "write 64KiB or 64MiB"},
    {"tuning: {bytes: 64 Kilo}", "1:17: error: \"bytes\" must be a size such as 64KiB, not \"64 Kilo\"", "MiB"},
    {"tuning: {bytes: off}", "1:17: error: \"bytes\" must be a size", NULL},
    {"tuning: {bytes: 1B}", "1:17: error: \"bytes\" must be at least 1KiB", NULL},
    {"tuning: {bytes: 2GiB}", "1:17: error: \"bytes\" must be at most 1GiB", "unlimited"},
    {"tuning: {wait: 10}", "1:16: error: \"wait\" needs a unit", "write 10s or 10m"},
    {"tuning: {wait: soon}", "1:16: error: \"wait\" must be a duration such as 30s, not \"soon\"", "ms, s, m"},
    {"tuning: {wait: 2m}", "1:16: error: \"wait\" must be at most 1m", "unlimited"},
    {"tuning: 5", "1:9: error: \"tuning\" must be a map of options, not a single value", NULL},
    {"tuning: [a]", "1:9: error: \"tuning\" must be a map of options, not a list", NULL},
    {"tuning: {smal: 5}", "1:10: error: unknown key \"smal\" in tuning", "did you mean \"small\"?"},
    {"tuning: {xyzzy: 5}", "1:10: error: unknown key \"xyzzy\" in tuning", NULL},
    {"wait: 5s", "1:1: error: unknown key \"wait\"", "it belongs under \"tuning\""},
    {"Greeting: a", "1:1: error: unknown key \"Greeting\"", "did you mean \"greeting\"?"},
    {"greeting: {a: b}", "1:11: error: \"greeting\" must be a text, not a map", NULL},
    {"files: ''", "1:8: error: \"files\" cannot be empty", NULL},
    {"files: [a]", "1:8: error: \"files\" must be a path, not a list", NULL},
    {"listen: {a: b}", "1:9: error: \"listen\" must be a text or a list of texts, not a map", NULL},
    {"listen: [[a]]", "1:10: error: \"listen\" must be a list of texts, not a list", NULL},
    {"listeners: abc", "1:12: error: \"listeners\" must be a list of maps, not a single value", NULL},
    {"listeners: [abc]", "1:13: error: \"listeners\" must be a list of maps, not a single value", NULL},
    {"listeners: [{mode: a}]", "1:13: error: \"address\" is missing in listeners[]", "add \"address: 6080\""},
    {"services: [a]", "1:11: error: \"services\" must be a map of names, not a list", NULL},
    {"services: {a: [b]}", "1:15: error: a service is a map or a target", NULL},
    {"services: {a: {frames: text}}", "1:15: error: \"to\" is missing in services.NAME", "127.0.0.1:5901"},
    {"services: {a: {to: nowhere}}", "1:20: error: the service \"a\" goes nowhere", NULL},
    {"services: {a: {to: x, frames: bin}}", "1:31: error: \"frames\" cannot be \"bin\"", "binary, text, auto"},
    {"services: {a: {to: x, frames: binray}}", "1:31: error: \"frames\" cannot be \"binray\"", "\"binary\"?"},
    {"services: {a: {to: x, frames: on}}", "1:31: error: \"frames\" cannot be \"on\"", NULL},
    {"services: {a: {to: x, encrypt: 'yes'}}", "1:32: error: \"encrypt\" cannot be \"yes\"", NULL},
    {"services: {a: {to: x, at: 7}}", "1:27: error: \"at\" is not valid", NULL},
    {"services: {a: {to: x, at: [7]}}", "1:27: error: a point is a text", "x,y"},
};

static void names_mistakes(void **state)
{
    for (size_t i = 0; i < ARRAY_LEN(mistakes); i++) {
        struct sample_run r;
        sample_load(&r, slice_of(mistakes[i].text));
        bool ok = cfg_error_count(r.load) == 1 && strstr(r.said.p, mistakes[i].said) == r.said.p + strlen("t.yaml:");
        if (mistakes[i].help)
            ok = ok && strstr(r.said.p, "help: ") && strstr(strstr(r.said.p, "help: "), mistakes[i].help);
        if (!ok)
            fail_msg("%s\nsaid: %s", mistakes[i].text, r.said.p);
        sample_end(&r);
    }
}

static void keeps_the_default_of_a_wrong_field(void **state)
{
    struct sample_run r;
    sample_load(&r, SLICE("tuning: {small: x, bytes: 7, wait: y, fast: z}\nservices: {a: {to: v, frames: q}, b: w}\n"));
    assert_int_equal(cfg_error_count(r.load), 5);
    assert_int_equal(r.obj.tuning.small, 3);
    assert_int_equal(r.obj.tuning.bytes, 65536);
    assert_true(r.obj.tuning.wait == 1.5);
    assert_int_equal(r.obj.tuning.set, 15); /* given, though wrong */
    assert_int_equal(sample_service(&r, 0)->frames, 2);
    assert_string_equal(sample_service(&r, 1)->to, "w");
    sample_end(&r);
}

static void warns(void **state)
{
    struct sample_run r;
    sample_load(&r, SLICE("services: {a: {to: doubtful}, b: {to: nowhere}, c: doubtful}\n"));
    assert_int_equal(cfg_error_count(r.load), 1);
    assert_int_equal(cfg_warning_count(r.load), 2);
    assert_string_equal(r.said.p, "t.yaml:1:15: warning: this is doubtful\n"
                                  "     1 | services: {a: {to: doubtful}, b: {to: nowhere}, c: doubtful}\n"
                                  "       |               ^~~~~~~~~~~~~~\n"
                                  "       = help: think twice\n"
                                  "t.yaml:1:39: error: the service \"b\" goes nowhere\n"
                                  "     1 | services: {a: {to: doubtful}, b: {to: nowhere}, c: doubtful}\n"
                                  "       |                                       ^~~~~~~\n"
                                  "t.yaml:1:52: warning: this is doubtful\n"
                                  "     1 | services: {a: {to: doubtful}, b: {to: nowhere}, c: doubtful}\n"
                                  "       |                                                    ^~~~~~~~\n"
                                  "       = help: think twice\n");
    sample_end(&r);
}

static void colors_only_when_asked(void **state)
{
    struct sample_run r;
    struct sample_text colored = {0};
    sample_load(&r, SLICE("foo: \"\\e[31m\"\ntuning: {fast: \"\\e[31m\"}\n"));
    assert_null(strchr(r.said.p, '\033'));
    assert_non_null(strstr(r.said.p, "not \"?[31m\""));
    cfg_errors_print(r.load, true, sample_put, &colored);
    assert_non_null(strstr(colored.p, "\033[1;31merror: \033[0m"));
    assert_null(strstr(colored.p, "\033[31m"));
    free(colored.p);
    sample_end(&r);
}

static void reports_without_a_place(void **state)
{
    struct sample_run r;
    sample_begin(&r);
    char big[3000];
    memset(big, 'x', sizeof(big) - 1);
    big[sizeof(big) - 1] = '\0';
    cfg_error(r.load, NULL, "try again", "nothing here");
    cfg_error(r.load, NULL, NULL, "%s", big);
    sample_finish(&r);
    assert_true(strstr(r.said.p, "error: nothing here\n       = help: try again\nerror: xxx") == r.said.p);
    assert_non_null(strstr(r.said.p, "xxx...\n"));
    sample_end(&r);
}

static const char *const words[] = {"address", "mode", "desktop", "vms", "a", "origins"};

static void suggests(void **state)
{
    static const char *const cases[][2] = {
        {"adress", "address"},
        {"adddress", "address"},
        {"adrdess", "address"},
        {"Address", "address"},
        {"dsektop", "desktop"},
        {"desktp", "desktop"},
        {"vmx", "vms"},
        {"vm", "vms"},
        {"origin", "origins"},
        {"moed", "mode"},
        {"b", NULL},
        {"xyz", NULL},
        {"", NULL},
        {"tls", NULL},
        {"websocket", NULL},
        {"mo", NULL},
    };
    struct sample_run r;
    sample_begin(&r);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        const char *help = cfg_suggest(r.load, cases[i][0], words, ARRAY_LEN(words));
        if (!cases[i][1] != !help || (help && !strstr(help, cases[i][1])))
            fail_msg("\"%s\": %s", cases[i][0], help ? help : "nothing");
    }
    assert_string_equal(cfg_suggest(r.load, "desktp", words, ARRAY_LEN(words)), "did you mean \"desktop\"?");
    char big[5000];
    memset(big, 'a', sizeof(big) - 1);
    big[sizeof(big) - 1] = '\0';
    assert_null(cfg_suggest(r.load, big, words, ARRAY_LEN(words)));
    sample_finish(&r);
    sample_end(&r);
}

/* However little memory there is: an error, never a crash. */
static void survives_small_arenas(void **state)
{
    static const char text[] = "greeting: a\nlisteners: [{address: [a, b, c]}]\nservices: {a: {to: x, at: 'b'}, b: y}\n"
                               "tuning: {smal: 1, bytes: 5}\nfiles: x\nnope: &a [1]\nmore: *a\nmore: 1\n";
    size_t refused = 0;
    for (size_t max = 1; max < 60000; max += max < 8000 ? 16 : 512) {
        struct sample_text said = {0};
        struct sample obj;
        struct arena *a = arena_new(max);
        struct cfg_load *l = a ? cfg_load_new(a) : NULL;
        if (l) {
            const struct cfg_node *root = cfg_load_text(l, "t.yaml", SLICE(text));
            if (root)
                cfg_read(l, &sample_table, root, &obj);
            assert_true(cfg_error_count(l) > 0);
            cfg_errors_print(l, false, sample_put, &said);
            refused += strstr(said.p, "out of memory") != NULL;
            cfg_load_free(l);
        }
        free(said.p);
        arena_free(a);
    }
    assert_true(refused > 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fills_defaults),
        cmocka_unit_test(gives_defaults_alone),
        cmocka_unit_test(reads_every_type),
        cmocka_unit_test(takes_one_for_a_list),
        cmocka_unit_test(takes_empty_collections),
        cmocka_unit_test(takes_an_empty_map),
        cmocka_unit_test(names_mistakes),
        cmocka_unit_test(keeps_the_default_of_a_wrong_field),
        cmocka_unit_test(warns),
        cmocka_unit_test(colors_only_when_asked),
        cmocka_unit_test(reports_without_a_place),
        cmocka_unit_test(suggests),
        cmocka_unit_test(survives_small_arenas),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
