/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the wsbridge authors */
/*
 * What is printed from structs and tables: that it loads again to the same, and that the reference holds every option.
 */
#include "unit.h"

#include "config_sample.h"

static struct sample_text effective(const struct sample *obj)
{
    struct sample_text t = {0};
    cfg_print_effective(&sample_table, obj, sample_put, &t);
    return t;
}

static void prints_what_was_given_and_every_default(void **state)
{
    struct sample_run r;
    sample_load(&r, SLICE("listen: 1\n" /* hidden: the short form */
                          "greeting: 'yes'\n"
                          "listeners: [{address: ['[::]:80', 81], mode: '0660'}, {address: []}]\n"
                          "services:\n"
                          "  a: {to: 'unix:/x y', tuning: {wait: off, small: 2}, at: '3,4', encrypt: on}\n"
                          "  '1 b': {to: \"*\", protocols: []}\n"
                          "tuning: {bytes: unlimited}\n"));
    struct sample_text t = effective(&r.obj);
    assert_string_equal(r.said.p, "");
    assert_string_equal(t.p, "version: 1\n"
                             "greeting: \"yes\"\n"
                             "listeners:\n"
                             "  - address: [\"[::]:80\", \"81\"]\n"
                             "    mode: \"0660\"\n"
                             "  - address: []\n"
                             "services:\n"
                             "  a:\n"
                             "    to: unix:/x y\n"
                             "    protocols: [binary, base64]\n"
                             "    frames: auto\n"
                             "    encrypt: on\n"
                             "    tuning:\n"
                             "      small: 2\n"
                             "      wait: unlimited\n"
                             "    at: \"3,4\"\n"
                             "  \"1 b\":\n"
                             "    to: \"*\"\n"
                             "    protocols: []\n"
                             "    frames: auto\n"
                             "tuning:\n"
                             "  small: 3\n"
                             "  bytes: unlimited\n"
                             "  wait: 1500ms\n");
    free(t.p);
    sample_end(&r);
}

static void assert_same_strings(const struct cfg_strings *a, const struct cfg_strings *b)
{
    assert_int_equal(a->n, b->n);
    for (size_t i = 0; i < a->n; i++)
        assert_string_equal(a->v[i], b->v[i]);
}

static void assert_same_text(const char *a, const char *b)
{
    assert_int_equal(!a, !b);
    if (a)
        assert_string_equal(a, b);
}

static void assert_same_tuning(const struct sample_tuning *a, const struct sample_tuning *b)
{
    assert_int_equal(a->small, b->small);
    assert_true(a->bytes == b->bytes && a->fast == b->fast);
    assert_true(a->wait == b->wait);
}

static void assert_same(struct sample_run *a, struct sample_run *b)
{
    assert_same_text(a->obj.greeting, b->obj.greeting);
    assert_same_text(a->obj.files, b->obj.files);
    assert_same_tuning(&a->obj.tuning, &b->obj.tuning);
    assert_int_equal(a->obj.listeners.n, b->obj.listeners.n);
    for (size_t i = 0; i < a->obj.listeners.n; i++) {
        assert_same_strings(&sample_listener(a, i)->address, &sample_listener(b, i)->address);
        assert_same_text(sample_listener(a, i)->mode, sample_listener(b, i)->mode);
    }
    assert_int_equal(a->obj.services.n, b->obj.services.n);
    for (size_t i = 0; i < a->obj.services.n; i++) {
        const struct sample_service *x = sample_service(a, i), *y = sample_service(b, i);
        assert_string_equal(x->name.name, y->name.name);
        assert_same_text(x->to, y->to);
        assert_same_strings(&x->protocols, &y->protocols);
        assert_int_equal(x->frames, y->frames);
        assert_int_equal(x->encrypt, y->encrypt);
        assert_same_tuning(&x->tuning, &y->tuning);
        assert_int_equal(x->tuning.set, y->tuning.set);
        assert_int_equal(x->at.x, y->at.x);
    }
}

/* Texts that YAML would take for something else, or not at all, when written without care. */
static const char *const awkward[] = {
    "",
    " ",
    "a b",
    " a",
    "a ",
    "~",
    "null",
    "Null",
    "true",
    "On",
    "no",
    "y",
    "1",
    "-1",
    ".5",
    "1e3",
    "0x1f",
    "0660",
    "1:30",
    "2026-01-31",
    "-",
    "- a",
    "?",
    "? a",
    ":",
    "a:",
    "a: b",
    "a:b",
    ":a",
    "#",
    "# a",
    "a #b",
    "a#b",
    "*:80",
    "*",
    "&a",
    "!a",
    "%a",
    "@a",
    "`a",
    "[::]:80",
    "[a]",
    "{a}",
    "{token}",
    "a,b",
    "a]b",
    "'a'",
    "\"a\"",
    "a\"b",
    "a'b",
    "a\\b",
    "\\",
    "a\nb",
    "\n",
    "a\tb",
    "\x01",
    "\x7f",
    "---",
    "...",
    "<<",
    "=",
    "|",
    ">",
    "a|b",
    "\xc3\xbc",
    "\xc2\x85",
    "\xe2\x80\xa8",
    "\xef\xbb\xbf",
    "\xef\xbf\xbe",
    "\xf0\x9f\x98\x80",
    "unix:/a",
    "http://a/b?c=d&e=f#g",
    "a/b.c-d_e+f@g",
    "\xc2\x9b[1m",
    "\x1b[1m",
};

static void loads_back_awkward_texts(void **state)
{
    for (size_t i = 0; i < ARRAY_LEN(awkward); i++) {
        struct sample_run r, again;
        struct sample_listener listener = {0};
        struct sample_service service = {0};
        const char *texts[2] = {awkward[i], awkward[i]};
        sample_load(&r, SLICE("version: 1\n"));
        r.obj.greeting = awkward[i];
        listener.address = (struct cfg_strings){2, texts, NULL};
        listener.mode = awkward[i];
        r.obj.listeners = (struct cfg_items){1, &listener, NULL};
        service.to = awkward[i];
        service.name.name = *awkward[i] ? awkward[i] : "a";
        r.obj.services = (struct cfg_items){1, &service, NULL};

        struct sample_text t = effective(&r.obj);
        sample_load(&again, (struct slice){t.p, t.n});
        if (cfg_error_count(again.load))
            fail_msg("%s\n%s", t.p, again.said.p);
        assert_same(&r, &again);
        free(t.p);
        sample_end(&again);
        sample_end(&r);
    }
}

static void loads_back_all(void **state)
{
    static const char *const texts[] = {
        "version: 1\n",
        "files: /x\ntuning: {fast: on, wait: 0s, bytes: 1025B}\n",
        "services: {a: b, c: {to: '', protocols: 'x', frames: binary, tuning: {small: 1, fast: off}, at: '9,9'}}\n",
        "listeners: [{address: 1, mode: ''}, {address: [x, 'y: z']}, {address: []}]\n",
        "services: {a: {to: x, tuning: {}}}\n",
    };
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        struct sample_run r, again;
        sample_load(&r, slice_of(texts[i]));
        assert_string_equal(r.said.p, "");
        struct sample_text t = effective(&r.obj);
        sample_load(&again, (struct slice){t.p, t.n});
        assert_string_equal(again.said.p, "");
        assert_same(&r, &again);
        struct sample_text twice = effective(&again.obj);
        assert_string_equal(t.p, twice.p);
        free(twice.p);
        free(t.p);
        sample_end(&again);
        sample_end(&r);
    }
}

static void print_long(const void *src, struct strbuf *out)
{
    strbuf_char(out, '[');
    for (int i = 0; i < 20000; i++)
        strbuf_printf(out, "%s%d", i ? ", " : "", i);
    strbuf_char(out, ']');
}

static int parse_none(struct cfg_load *l, const struct cfg_node *node, void *dst)
{
    return 0;
}

static void prints_long_and_unprintable_customs(void **state)
{
    static const struct cfg_field inner[] = {
        {.key = "raw", .type = CFG_CUSTOM, .parse = parse_none},
        CFG_TABLE_END,
    };
    static const struct cfg_table item = {.name = "items.NAME", .size = sizeof(struct cfg_named), .fields = inner};
    static const struct cfg_field fields[] = {
        {.key = "long", .type = CFG_CUSTOM, .parse = parse_none, .print = print_long},
        {.key = "items", .type = CFG_MAP, .table = &item},
        CFG_TABLE_END,
    };
    static const struct cfg_table table = {.size = sizeof(struct cfg_items), .fields = fields};
    struct sample_run r;
    struct cfg_items items;
    struct sample_text t = {0};
    sample_begin(&r);
    const struct cfg_node *root = cfg_load_text(
        r.load, "t", SLICE("items:\n  a:\n    raw:\n      - {b: \"yes\"}\n      - [1, 'c d']\n  b: {}\n"));
    cfg_read(r.load, &table, root, &items);
    cfg_print_effective(&table, &items, sample_put, &t);
    assert_true(t.n > 100000);
    assert_non_null(strstr(t.p, ", 19999]\nitems:\n  a:\n    raw: [{b: \"yes\"}, [1, c d]]\n  b: {}\n"));
    free(t.p);
    sample_finish(&r);
    sample_end(&r);
}

/* --- reference -------------------------------------------------------------------------------------------------------
 */

static struct sample_text reference(void)
{
    struct sample_text t = {0};
    cfg_print_reference(&sample_table, sample_put, &t);
    return t;
}

static bool is_switched_off(const char *hash)
{
    return hash[1] != '\n' && (hash[1] != ' ' || hash[2] == ' ');
}

/* Takes the first '#' off every option that is switched off. */
static struct sample_text switched_on(const struct sample_text *t)
{
    struct sample_text out = {0};
    for (const char *line = t->p; *line;) {
        const char *end = strchr(line, '\n') + 1;
        const char *hash = line + strspn(line, " ");
        bool off = *hash == '#' && is_switched_off(hash);
        sample_put(&out, (struct slice){line, (size_t)(hash - line)});
        sample_put(&out, (struct slice){hash + off, (size_t)(end - hash) - off});
        line = end;
    }
    return out;
}

static void reference_loads_as_defaults(void **state)
{
    struct sample_run r, plain;
    struct sample_text t = reference();
    sample_load(&r, (struct slice){t.p, t.n});
    sample_load(&plain, SLICE("version: 1\n"));
    assert_string_equal(r.said.p, "");
    assert_same(&r, &plain);
    sample_end(&plain);
    sample_end(&r);
    free(t.p);
}

static void reference_loads_switched_on(void **state)
{
    struct sample_run r;
    struct sample_text t = reference(), on = switched_on(&t);
    char *include = strstr(on.p, "\ninclude:"); /* works in files only */
    assert_non_null(include);
    sample_load(&r, (struct slice){on.p, (size_t)(include + 1 - on.p)});
    if (cfg_error_count(r.load))
        fail_msg("%s\n%s", on.p, r.said.p);
    assert_int_equal(r.obj.services.n, 1);
    assert_int_equal(r.obj.listeners.n, 1);
    assert_string_equal(r.obj.greeting, "hello");
    sample_end(&r);
    free(on.p);
    free(t.p);
}

static void reference_holds_every_option(void **state)
{
    struct sample_text t = reference();
    static const char *const parts[] = {
        "# A sample.\n",
        "\nversion: 1\n",
        "#greeting: hello\n",
        "#files: /path\n",
        "#listeners:\n#  # Where to listen. Required.\n#  - address: 6080\n#\n#    # Of the socket file.\n#    #mode: "
        "\"0660\"\n",
        "#services:\n#  NAME:\n#    # Where its bytes go. Required.\n#    to: 127.0.0.1:5901\n",
        "#    # Which. One of: binary, text, auto.\n#    frames: auto\n",
        "#    #at: \"1,2\"\n",
        "\n# The tuning.\ntuning:\n  # A number. At most 10.\n  small: 3\n",
        "  # A size. At least 1KiB. At most 1GiB. May be \"unlimited\".\n  bytes: 64KiB\n",
        "#include: [conf.d/*.yaml]\n",
    };
    for (size_t i = 0; i < ARRAY_LEN(parts); i++)
        if (!strstr(t.p, parts[i]))
            fail_msg("lacks: %s", parts[i]);
    assert_null(strstr(t.p, "listen:")); /* hidden */
    for (const char *line = t.p; *line; line = strchr(line, '\n') + 1)
        assert_true(strchr(line, '\n') - line <= 104);
    free(t.p);
}

/* A table that holds itself is printed once and loads. */
struct looped {
    struct cfg_items below;
};

static const struct cfg_table looped_table;
static const struct cfg_field looped_fields[] = {
    {.key = "below",
     .type = CFG_LIST,
     .offset = offsetof(struct looped, below),
     .table = &looped_table,
     .doc = "More."},
    CFG_TABLE_END,
};
static const struct cfg_table looped_table = {
    .name = "below[]", .size = sizeof(struct looped), .fields = looped_fields};

static void survives_tables_in_themselves(void **state)
{
    struct sample_text t = {0};
    cfg_print_reference(&looped_table, sample_put, &t);
    cfg_print_schema(&looped_table, sample_put, &t);
    cfg_print_mdoc(&looped_table, sample_put, &t);
    assert_true(t.n > 0);
    free(t.p);

    struct sample_run r;
    struct looped root;
    struct sample_text deep = {0};
    sample_begin(&r);
    for (int i = 0; i < 30; i++)
        sample_put(&deep, SLICE("{below: "));
    sample_put(&deep, SLICE("{}"));
    for (int i = 0; i < 30; i++)
        sample_put(&deep, SLICE("}"));
    const struct cfg_node *node = cfg_load_text(r.load, "t", (struct slice){deep.p, deep.n});
    cfg_read(r.load, &looped_table, node, &root);
    assert_int_equal(cfg_error_count(r.load), 0);
    sample_finish(&r);
    sample_end(&r);
    free(deep.p);
}

/* --- schema and manual -----------------------------------------------------------------------------------------------
 */

static void schema_names_every_option(void **state)
{
    struct sample_text t = {0};
    cfg_print_schema(&sample_table, sample_put, &t);
    static const char *const parts[] = {
        "\"$schema\"",
        "\"listen\"",
        "\"additionalProperties\": false",
        "\"required\": [\"to\"]",
        "\"enum\": [\"binary\", \"text\", \"auto\"]",
        "\"include\"",
        "It has \\\"quotes\\\" and a \\\\backslash.",
    };
    for (size_t i = 0; i < ARRAY_LEN(parts); i++)
        if (!strstr(t.p, parts[i]))
            fail_msg("lacks %s", parts[i]);
    int depth = 0;
    bool quoted = false;
    for (size_t i = 0; i < t.n; i++) {
        if (t.p[i] == '\\')
            i++;
        else if (t.p[i] == '"')
            quoted = !quoted;
        else if (!quoted)
            depth += strchr("{[", t.p[i]) ? 1 : strchr("}]", t.p[i]) ? -1 : 0;
        assert_true(depth >= 0);
    }
    assert_int_equal(depth, 0);
    free(t.p);
}

static void manual_names_every_option(void **state)
{
    struct sample_text t = {0};
    cfg_print_mdoc(&sample_table, sample_put, &t);
    static const char *const parts[] = {
        ".It Ic listen : Ar",
        ".It Ic greeting : Ar",
        ".Ss \"\\&listeners[]\\&\"",
        ".Ss \"\\&services.NAME\\&\"",
        "A switch.\nIt has \\(dqquotes\\(dq and a \\ebackslash.\n",
        ".It Ic include : Ar",
        "Default:\n.Ql \"\\&64KiB\\&\" .\n",
    };
    for (size_t i = 0; i < ARRAY_LEN(parts); i++)
        if (!strstr(t.p, parts[i]))
            fail_msg("lacks %s", parts[i]);
    const char *first = strstr(t.p, ".Ss \"\\&tuning");
    assert_non_null(first);
    assert_null(strstr(first + 1, ".Ss \"\\&tuning")); /* once, though there are two of that name */
    free(t.p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(prints_what_was_given_and_every_default),
        cmocka_unit_test(loads_back_awkward_texts),
        cmocka_unit_test(loads_back_all),
        cmocka_unit_test(prints_long_and_unprintable_customs),
        cmocka_unit_test(reference_loads_as_defaults),
        cmocka_unit_test(reference_loads_switched_on),
        cmocka_unit_test(reference_holds_every_option),
        cmocka_unit_test(survives_tables_in_themselves),
        cmocka_unit_test(schema_names_every_option),
        cmocka_unit_test(manual_names_every_option),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
