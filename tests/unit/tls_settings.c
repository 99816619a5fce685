/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the wsbridge authors */
/*
 * The option tables of TLS, through the configuration engine: defaults, short forms, and what is refused before any
 * file is opened.
 */
#include "unit.h"

#include <stdio.h>

#include "tls/settings.h"

struct loaded {
    struct arena *arena;
    struct cfg_load *load;
    char errors[4096];
    struct strbuf b;
};

static void collect(void *arg, struct slice text)
{
    strbuf_put(arg, text);
}

static void load(struct loaded *l, const struct cfg_table *t, const char *text, void *obj)
{
    const struct cfg_node *root;

    l->arena = arena_new(0);
    l->load = cfg_load_new(l->arena);
    root = cfg_load_text(l->load, "test.yaml", slice_of(text));
    assert_non_null(root);
    if (cfg_node_get(root, "tls"))
        root = cfg_node_get(root, "tls");
    memset(obj, 0, t->size);
    cfg_read(l->load, t, root, obj);
    strbuf_init(&l->b, l->errors, sizeof(l->errors));
    cfg_errors_print(l->load, false, collect, &l->b);
}

/* The text as the value of a key: a document itself must be a map. */
static void load_value(struct loaded *l, const struct cfg_table *t, const char *text, void *obj)
{
    char doc[4096];

    snprintf(doc, sizeof(doc), "tls: %s\n", text);
    load(l, t, doc, obj);
}

static void unload(struct loaded *l)
{
    cfg_load_free(l->load);
    arena_free(l->arena);
}

static void reads_listeners(void **state)
{
    struct tls_settings s;
    struct loaded l;

    load(&l, &tls_table, "{cert: /c.pem, key: /k.pem}", &s);
    assert_string_equal(l.errors, "");
    assert_int_equal(tls_settings_count(&s), 1);
    assert_string_equal(tls_settings_certificate(&s, 0)->cert, "/c.pem");
    assert_string_equal(tls_settings_certificate(&s, 0)->key, "/k.pem");
    assert_non_null(tls_settings_certificate(&s, 0)->node);
    assert_int_equal(s.min_version, TLS_MIN_1_2);
    assert_string_equal(s.ciphers, "system");
    assert_int_equal(s.client_auth, TLS_CLIENT_NONE);
    assert_true(s.tickets);
    assert_false(s.strict_sni || s.detect || s.redirect);
    assert_int_equal(s.ktls, TLS_KTLS_AUTO);
    unload(&l);

    load(&l, &tls_table,
         "certificates:\n  - {cert: /a.pem}\n  - {cert: /b.pem, key: /b.key, passphrase_file: /p, ocsp: /o}\n"
         "min_version: \"1.3\"\nclient_ca: /ca.pem\nclient_crl: /crl.pem\nclient_auth: optional\nstrict_sni: on\n"
         "detect: true\ntickets: off\nktls: off\nciphers: \"ECDHE+AESGCM\"\n",
         &s);
    assert_string_equal(l.errors, "");
    assert_int_equal(tls_settings_count(&s), 2);
    assert_null(tls_settings_certificate(&s, 0)->key);
    assert_string_equal(tls_settings_certificate(&s, 1)->ocsp, "/o");
    assert_int_equal(s.min_version, TLS_MIN_1_3);
    assert_int_equal(s.client_auth, TLS_CLIENT_OPTIONAL);
    assert_int_equal(s.ktls, TLS_KTLS_OFF);
    assert_true(s.strict_sni && s.detect && !s.tickets);
    unload(&l);
}

static void refuses_listeners(void **state)
{
    static const struct {
        const char *text, *error;
    } rows[] = {
        {"{min_version: \"1.2\"}", "TLS needs a certificate"},
        {"{key: /k}", "TLS needs a certificate"},
        {"{certificates: []}", "TLS needs at least one certificate"},
        {"{certificates: [{key: /k}]}", "cert"},
        {"{cert: /c, certificates: [{cert: /d}]}", "both a certificate and a list"},
        {"{key: /c, certificates: [{cert: /d}]}", "both a certificate and a list"},
        {"{cert: /c, min_version: \"1.1\"}", "1.1"},
        {"{cert: /c, client_auth: required}", "client_auth needs client_ca"},
        {"{cert: /c, client_ca: /ca}", "client_ca has no effect"},
        {"{cert: /c, client_crl: /crl}", "client_crl needs client_ca"},
        {"{cert: /c, detect: on, redirect: on}", "detect serves clear connections"},
        {"{cert: /c, ktls: on}", "ktls"},
    };
    struct tls_settings s;
    struct loaded l;

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        load(&l, &tls_table, rows[i].text, &s);
        assert_true(cfg_error_count(l.load) > 0);
        if (!strstr(l.errors, rows[i].error))
            fail_msg("%s: %s", rows[i].text, l.errors);
        unload(&l);
    }
}

static void reads_backends(void **state)
{
    static const struct {
        const char *text;
        bool enabled;
    } rows[] = {
        {"on", true}, {"off", false}, {"{ca: /ca}", true}, {"{enabled: off, ca: /ca}", false}, {"yes", true},
    };
    struct tls_backend_settings s;
    struct loaded l;

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        load_value(&l, &tls_backend_table, rows[i].text, &s);
        assert_string_equal(l.errors, "");
        assert_int_equal(s.enabled, rows[i].enabled);
        assert_true(s.verify);
        unload(&l);
    }
    load_value(&l, &tls_backend_table, "{verify: off, server_name: n, cert: /c, key: /k, min_version: \"1.3\"}", &s);
    assert_string_equal(l.errors, "");
    assert_true(s.enabled && !s.verify);
    assert_string_equal(s.own.key, "/k");
    assert_int_equal(s.min_version, TLS_MIN_1_3);
    unload(&l);
}

static void refuses_backends(void **state)
{
    static const struct {
        const char *text, *error;
    } rows[] = {
        {"maybe", "on, off or a map"},
        {"[on]", "on, off or a map"},
        {"{key: /k}", "needs its cert"},
        {"{verify: off, ca: /ca}", "ca has no effect"},
    };
    struct tls_backend_settings s;
    struct loaded l;

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        load_value(&l, &tls_backend_table, rows[i].text, &s);
        if (!strstr(l.errors, rows[i].error))
            fail_msg("%s: %s", rows[i].text, l.errors);
        unload(&l);
    }
}

/* What -T prints reads back as the same. */
static void survives_printing(void **state)
{
    char mem[4096];
    struct strbuf out;
    struct tls_backend_settings s;
    struct tls_backend_settings again;
    struct loaded l;
    struct loaded m;

    for (int i = 0; i < 2; i++) {
        load_value(&l, &tls_backend_table, i ? "on" : "off", &s);
        strbuf_init(&out, mem, sizeof(mem));
        cfg_print_effective(&tls_backend_table, &s, collect, &out);
        load(&m, &tls_backend_table, out.p, &again);
        assert_string_equal(m.errors, "");
        assert_int_equal(again.enabled, s.enabled);
        unload(&m);
        unload(&l);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_listeners),  cmocka_unit_test(refuses_listeners), cmocka_unit_test(reads_backends),
        cmocka_unit_test(refuses_backends), cmocka_unit_test(survives_printing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
