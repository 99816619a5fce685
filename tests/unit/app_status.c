/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the wsbridge authors */
/*
 * What --status prints, byte by byte: people get used to the text, programs to the JSON.
 */
#include "unit.h"

#include <stdlib.h>

#include "app/status.h"

#define NOW UINT64_C(1767225600000) /* 2026-01-01T00:00:00Z */
#define DAY 86400

static char exact[] = "example.org";
static char wildcard[] = "*.example.org";
static char *const names[] = {exact, wildcard};
static const char *const files[] = {"/etc/wsbridge/wsbridge.yaml"};
static const struct status_worker workers[] = {{3, 2}, {1, 1}};
static const struct status_listener listeners[] = {{"public", "0.0.0.0:443", true}, {"a b\n", "unix:/run/x", false}};

static struct status sample(void)
{
    return (struct status){
        .version = "1.2.3",
        .pid = 42,
        .now = NOW,
        .started = NOW - UINT64_C(90061) * 1000,
        .loaded = NOW - 5000,
        .n_files = 1,
        .files = files,
        .n_workers = 2,
        .workers = workers,
        .accepted = 10,
        .sessions_total = 7,
        .requests = 9,
        .ktls_possible = true,
        .tls_clients = {3, 2, 1},
        .n_listeners = 2,
        .listeners = listeners,
    };
}

static char *printed(void (*print)(const struct status *s, FILE *out), const struct status *s)
{
    char *text = NULL;
    size_t n = 0;
    FILE *f = open_memstream(&text, &n);

    assert_non_null(f);
    print(s, f);
    assert_int_equal(fclose(f), 0);
    return text;
}

static void prints(void (*print)(const struct status *s, FILE *out), const struct status *s, const char *want)
{
    char *text = printed(print, s);

    assert_string_equal(text, want);
    free(text);
}

static void has(void (*print)(const struct status *s, FILE *out), const struct status *s, const char *part)
{
    char *text = printed(print, s);

    if (!strstr(text, part))
        fail_msg("no \"%s\" in:\n%s", part, text);
    free(text);
}

static void the_text(void **state)
{
    struct status s = sample();

    prints(status_print_text, &s,
           "wsbridge 1.2.3, process 42, serving\n"
           "running        since 2025-12-30T22:58:59.000Z, 1 d 1 h\n"
           "configuration  loaded 2025-12-31T23:59:55.000Z from /etc/wsbridge/wsbridge.yaml\n"
           "last reload    none\n"
           "connections    4 open, 10 accepted\n"
           "sessions       3 open, 7 in total\n"
           "requests       9\n"
           "tls clients    3 open, the kernel sends for 2 and receives for 1\n"
           "tls backends   0 open, the kernel sends for 0 and receives for 0\n"
           "kernel tls     possible\n"
           "\n"
           "worker  connections  sessions\n"
           "0                 3         2\n"
           "1                 1         1\n"
           "\n"
           "listener  address      tls\n"
           "public    0.0.0.0:443  yes\n"
           "\"a b\\n\"   unix:/run/x  no\n");
}

static void the_json(void **state)
{
    struct status s = sample();

    s.reload_at = NOW;
    s.reload_why = "a \"b\"\n";
    prints(status_print_json, &s,
           "{\"version\": \"1.2.3\",\n \"pid\": 42,\n \"state\": \"serving\",\n"
           " \"started\": \"2025-12-30T22:58:59.000Z\",\n \"uptime_seconds\": 90061,\n"
           " \"configuration\": {\"loaded\": \"2025-12-31T23:59:55.000Z\", \"files\": "
           "[\"/etc/wsbridge/wsbridge.yaml\"]},\n"
           " \"last_reload\": {\"time\": \"2026-01-01T00:00:00.000Z\", \"ok\": false, \"error\": \"a \\\"b\\\"\\n\"},\n"
           " \"totals\": {\"connections\": 4, \"sessions\": 3, \"accepted\": 10, \"sessions_total\": 7, \"requests\": "
           "9},\n"
           " \"tls\": {\"kernel_possible\": true, \"clients\": {\"open\": 3, \"kernel_send\": 2, \"kernel_receive\": "
           "1}, \"backends\": {\"open\": 0, \"kernel_send\": 0, \"kernel_receive\": 0}},\n"
           " \"workers\": [{\"connections\": 3, \"sessions\": 2}, {\"connections\": 1, \"sessions\": 1}],\n"
           " \"listeners\": [\n  {\"name\": \"public\", \"address\": \"0.0.0.0:443\", \"tls\": true},\n"
           "  {\"name\": \"a b\\n\", \"address\": \"unix:/run/x\", \"tls\": false}],\n"
           " \"certificates\": [],\n \"backends\": []}\n");
}

static void the_state_and_the_last_reload(void **state)
{
    struct status s = sample();

    s.draining = true;
    s.n_files = 0;
    s.reload_at = NOW;
    has(status_print_text, &s, "process 42, draining\n");
    has(status_print_text, &s, "from the command line\n");
    has(status_print_text, &s, "last reload    2026-01-01T00:00:00.000Z, good\n");
    has(status_print_json, &s, "\"state\": \"draining\"");
    has(status_print_json, &s, "\"files\": []");
    has(status_print_json, &s, "\"ok\": true, \"error\": null}");
    s.reload_why = "it has errors\x1b";
    has(status_print_text, &s, "Z, failed: it has errors\\x1b; the old configuration is kept\n");
}

static void certificates(void **state)
{
    struct status s = sample();
    struct status_certificate c[] = {
        {"/a.pem", "ECDSA", 2, names, (int64_t)(NOW / 1000) + 10 * DAY + 5, {NULL, 0}},
        {"/b.pem", "RSA", 0, NULL, (int64_t)(NOW / 1000) - 1, {"no match: /b.key", (int64_t)(NOW / 1000)}},
    };

    s.certificates = c;
    s.n_certificates = 2;
    has(status_print_text, &s,
        "\ncertificate /a.pem\n  ECDSA, example.org *.example.org\n  ends 2026-01-11T00:00:05.000Z, 10 days left\n"
        "\ncertificate /b.pem\n  RSA, no names\n  ended 2025-12-31T23:59:59.000Z\n"
        "  renewal failed 2026-01-01T00:00:00.000Z: no match: /b.key; the old one is kept\n");
    has(status_print_json, &s,
        "{\"file\": \"/a.pem\", \"kind\": \"ECDSA\", \"names\": [\"example.org\", \"*.example.org\"], "
        "\"ends\": \"2026-01-11T00:00:05.000Z\", \"days_left\": 10, \"renewal_failed\": null}");
    has(status_print_json, &s,
        "\"days_left\": -1, \"renewal_failed\": {\"time\": \"2026-01-01T00:00:00.000Z\", \"error\": \"no match: "
        "/b.key\"}}");
}

static void toward_backends(void **state)
{
    struct status s = sample();
    struct status_backend b[] = {{"good", {NULL, 0}}, {"bad", {"why", 1}}};
    char *text;

    s.backends = b;
    s.n_backends = 2;
    has(status_print_text, &s, "\ncertificates toward service bad\n  renewal failed 1970-01-01T00:00:01.000Z: why");
    has(status_print_json, &s, "{\"service\": \"good\", \"renewal_failed\": null}");
    has(status_print_json, &s, "{\"service\": \"bad\", \"renewal_failed\": {\"time\"");
    text = printed(status_print_text, &s);
    assert_null(strstr(text, "good\n  renewal"));
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_text),
        cmocka_unit_test(the_json),
        cmocka_unit_test(the_state_and_the_last_reload),
        cmocka_unit_test(certificates),
        cmocka_unit_test(toward_backends),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
