/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the wsbridge authors */
/*
 * Contexts from files: which certificate a name gets, what is refused with which sentence, and renewal under a running
 * program, with one thread renewing while others shake hands.
 */
#include "unit.h"

#include <openssl/err.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/socket.h>

#include "tls/common.h"
#include "tls/live.h"
#include "tls/stream.h"
#include "tls_make.h"

static char dir[] = "/tmp/wsbridge-tlsctx-XXXXXX";

static const char *in_dir(const char *name)
{
    static char ring[16][160];
    static int turn;

    turn = (turn + 1) % 16;
    snprintf(ring[turn], sizeof(ring[0]), "%s/%s", dir, name);
    return ring[turn];
}

static struct made ca;

static int set_up(void **state)
{
    signal(SIGPIPE, SIG_IGN);
    assert_non_null(mkdtemp(dir));
    ca = make_cert(NULL, (struct made_options){.cn = "root", .ca = true});
    write_cert(in_dir("ca.pem"), ca.cert, NULL);
    return 0;
}

static int tear_down(void **state)
{
    char cmd[64];

    made_free(&ca);
    snprintf(cmd, sizeof(cmd), "rm -rf %s", dir);
    return system(cmd);
}

struct said {
    struct tls_report r;
    int errors;
    int warnings;
    char text[512]; /* the last one */
};

static void say(struct tls_report *r, enum tls_severity severity, const struct cfg_node *at, const char *text)
{
    struct said *s = container_of(r, struct said, r);

    severity == TLS_ERROR ? s->errors++ : s->warnings++;
    snprintf(s->text, sizeof(s->text), "%s", text);
}

static struct made write_pair(const char *name, struct made_options o)
{
    struct made m = make_cert(&ca, o);
    char file[64];

    snprintf(file, sizeof(file), "%s.pem", name);
    write_cert(in_dir(file), m.cert, NULL);
    snprintf(file, sizeof(file), "%s.key", name);
    write_key(in_dir(file), m.key, NULL);
    return m;
}

/* Keeps nothing but the files. */
static void write_only(const char *name, struct made_options o)
{
    struct made m = write_pair(name, o);

    made_free(&m);
}

static struct tls_certificate_settings pair(const char *name)
{
    static char paths[32][2][160];
    static int turn;
    int i = turn++ % 32;

    snprintf(paths[i][0], sizeof(paths[i][0]), "%s/%s.pem", dir, name);
    snprintf(paths[i][1], sizeof(paths[i][1]), "%s/%s.key", dir, name);
    return (struct tls_certificate_settings){.cert = paths[i][0], .key = paths[i][1]};
}

/* --- choosing ----------------------------------------------------------------------------------------------------- */

static void chooses_by_name(void **state)
{
    static const struct {
        const char *name;
        int rsa, ecdsa;
    } rows[] = {
        {"a.test", 1, 0},
        {"A.TEST", 1, 0},
        {"a.test.", 1, 0},
        {"b.test", -1, 0},
        {"w.test", -1, 2},
        {"x.w.test", -1, 2},
        {"exact.w.test", 3, -1},
        {"x.y.w.test", 1, 0},
        {"only-cn.test", -1, 4},
        {"cn-of-0", 1, 0},
        {"unknown.test", 1, 0},
        {"", 1, 0},
        {NULL, 1, 0},
        {".", 1, 0},
        {".w.test", 1, 0},
        {"*.w.test", -1, 2},
        {"..", 1, 0},
        {"a..test", 1, 0},
    };
    struct tls_certificate_settings certs[5];
    struct tls_settings s = {.certificates = {.n = 5, .v = certs}, .ciphers = "system"};
    char longest[400];
    struct said said = {.r.say = say};
    struct tls_certificate_info info;
    struct tls_set *set;
    int rsa;
    int ecdsa;

    write_only("c0", (struct made_options){.cn = "cn-of-0", .san = "DNS:a.test,DNS:b.test"});
    write_only("c1", (struct made_options){.cn = "x", .san = "DNS:A.test", .rsa = true});
    write_only("c2", (struct made_options){.cn = "x", .san = "DNS:w.test,DNS:*.w.test"});
    write_only("c3", (struct made_options){.cn = "x", .san = "DNS:exact.w.test", .rsa = true});
    write_only("c4", (struct made_options){.cn = "only-cn.test"});
    for (int i = 0; i < 5; i++) {
        char name[3] = {'c', (char)('0' + i), 0};

        certs[i] = pair(name);
    }
    set = tls_set_new(&s, NULL, time(NULL), &said.r);
    if (!set)
        fail_msg("%s", said.text);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        assert_true(tls_set_choose(set, rows[i].name, &rsa, &ecdsa));
        if (rsa != rows[i].rsa || ecdsa != rows[i].ecdsa)
            fail_msg("%s: %d %d", rows[i].name, rsa, ecdsa);
    }
    memset(longest, 'a', sizeof(longest) - 1);
    longest[399] = 0;
    assert_true(tls_set_choose(set, longest, &rsa, &ecdsa));
    assert_int_equal(ecdsa, 0);
    assert_int_equal(tls_set_count(set), 5);
    tls_set_info(set, 1, &info);
    assert_string_equal(info.kind, "RSA");
    assert_int_equal(info.n_names, 1);
    assert_string_equal(info.names[0], "a.test");
    assert_true(info.not_after > time(NULL) + 89 * DAY && info.not_before <= time(NULL) + 1);
    tls_set_give(set);

    s.strict_sni = true;
    set = tls_set_new(&s, NULL, time(NULL), &said.r);
    assert_non_null(set);
    assert_true(tls_set_choose(set, "x.w.test", &rsa, &ecdsa));
    assert_false(tls_set_choose(set, "unknown.test", &rsa, &ecdsa));
    assert_false(tls_set_choose(set, NULL, &rsa, &ecdsa));
    tls_set_give(set);
    assert_int_equal(said.errors + said.warnings, 0);
}

/* --- real handshakes ---------------------------------------------------------------------------------------------- */

struct client {
    const char *sni;
    const char *sigalgs;
    bool status;
    char cn[64]; /* of what the server showed */
    int staple;  /* bytes */
    const char *why;
};

struct waiter {
    struct stream_owner o;
    enum io start;
};

static void on_ready(struct stream_owner *o, struct stream *s)
{
    struct waiter *w = container_of(o, struct waiter, o);

    if (w->start == IO_AGAIN)
        w->start = stream_start(s);
}

/* One handshake with a plain OpenSSL client. */
static enum io shake(struct loop *l, struct tls_set *set, struct client *c)
{
    SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
    SSL *ssl = SSL_new(ctx);
    struct waiter w = {.o.ready = on_ready};
    struct stream *s;
    int fds[2];
    X509 *x;
    unsigned char *staple;

    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds), 0);
    s = tls_server_stream_new(l, fds[0], set, 0, &w.o);
    assert_non_null(s);
    SSL_set_fd(ssl, fds[1]);
    if (c->sni)
        SSL_set_tlsext_host_name(ssl, c->sni);
    if (c->sigalgs)
        assert_int_equal(SSL_set1_sigalgs_list(ssl, c->sigalgs), 1);
    if (c->status)
        SSL_set_tlsext_status_type(ssl, TLSEXT_STATUSTYPE_ocsp);
    stream_want(s, STREAM_READ);
    w.start = stream_start(s);
    for (int i = 0; i < 10; i++) {
        SSL_connect(ssl);
        loop_turn(l);
    }
    ERR_clear_error();
    c->cn[0] = 0;
    x = SSL_get0_peer_certificate(ssl);
    if (w.start == IO_OK && x)
        X509_NAME_get_text_by_NID(X509_get_subject_name(x), NID_commonName, c->cn, sizeof(c->cn));
    c->staple = (int)SSL_get_tlsext_status_ocsp_resp(ssl, &staple);
    c->why = w.start == IO_FAIL ? s->why : NULL;
    stream_free(s, STREAM_END_CLEAN);
    SSL_free(ssl);
    SSL_CTX_free(ctx);
    close(fds[1]);
    loop_turn(l);
    return w.start;
}

static void shows_what_the_client_can(void **state)
{
    static const struct {
        const char *sni, *sigalgs, *cn; /* cn NULL: refused */
    } rows[] = {
        {"a.test", NULL, "ec"},       {"a.test", "RSA-PSS+SHA256", "rsa"},
        {NULL, "ECDSA+SHA256", "ec"}, {NULL, "RSA-PSS+SHA256", "rsa"},
        {"b.test", NULL, "b"},        {"b.test", "RSA-PSS+SHA256", NULL},
    };
    struct tls_certificate_settings certs[3];
    struct tls_settings s = {.certificates = {.n = 3, .v = certs}, .ciphers = "system"};
    struct loop *l = loop_new();
    struct tls_set *set;

    write_only("ec", (struct made_options){.cn = "ec", .san = "DNS:a.test"});
    write_only("rsa", (struct made_options){.cn = "rsa", .san = "DNS:a.test", .rsa = true});
    write_only("b", (struct made_options){.cn = "b", .san = "DNS:b.test"});
    certs[0] = pair("ec");
    certs[1] = pair("rsa");
    certs[2] = pair("b");
    set = tls_set_new(&s, NULL, time(NULL), NULL);
    assert_non_null(set);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct client c = {.sni = rows[i].sni, .sigalgs = rows[i].sigalgs};

        assert_int_equal(shake(l, set, &c), rows[i].cn ? IO_OK : IO_FAIL);
        if (rows[i].cn)
            assert_string_equal(c.cn, rows[i].cn);
    }
    tls_set_give(set);
    s.strict_sni = true;
    set = tls_set_new(&s, NULL, time(NULL), NULL);
    struct client none = {.sni = "c.test"};
    assert_int_equal(shake(l, set, &none), IO_FAIL);
    tls_set_give(set);
    loop_free(l);
}

static void staples_good_responses_alone(void **state)
{
    struct made m = write_pair("stapled", (struct made_options){.cn = "stapled", .san = "DNS:st.test"});
    struct made other = make_cert(&ca, (struct made_options){.cn = "other"});
    struct tls_certificate_settings cert = pair("stapled");
    struct tls_settings s = {.certificates = {.n = 1, .v = &cert}, .ciphers = "system"};
    struct loop *l = loop_new();

    cert.ocsp = in_dir("ocsp.der");
    for (int i = 0; i < 7; i++) {
        static const char *const why[] = {NULL,
                                          "does not call the certificate good",
                                          "out of date",
                                          "about another certificate",
                                          "no OCSP response",
                                          "cannot read",
                                          "too large"};
        struct said said = {.r.say = say};
        struct client c = {.sni = "st.test", .status = true};
        struct tls_set *set;

        if (i == 0)
            write_ocsp(cert.ocsp, &m, &ca, V_OCSP_CERTSTATUS_GOOD, DAY);
        else if (i == 1)
            write_ocsp(cert.ocsp, &m, &ca, V_OCSP_CERTSTATUS_REVOKED, DAY);
        else if (i == 2)
            write_ocsp(cert.ocsp, &m, &ca, V_OCSP_CERTSTATUS_GOOD, -10);
        else if (i == 3)
            write_ocsp(cert.ocsp, &other, &ca, V_OCSP_CERTSTATUS_GOOD, DAY);
        else if (i == 4)
            write_text(cert.ocsp, "certainly not");
        else if (i == 5)
            unlink(cert.ocsp);
        else
            assert_int_equal(truncate((write_text(cert.ocsp, ""), cert.ocsp), 1 << 20), 0);
        set = tls_set_new(&s, NULL, time(NULL), &said.r);
        assert_non_null(set); /* never a reason not to serve */
        assert_int_equal(said.warnings, i != 0);
        if (why[i] && !strstr(said.text, why[i]))
            fail_msg("%d: %s", i, said.text);
        assert_int_equal(shake(l, set, &c), IO_OK);
        assert_true(i == 0 ? c.staple > 0 : c.staple <= 0);
        tls_set_give(set);
    }
    made_free(&m);
    made_free(&other);
    loop_free(l);
}

/* --- refusals ----------------------------------------------------------------------------------------------------- */

static void refuses_what_does_not_hold_together(void **state)
{
    static const struct {
        const char *cert, *key, *pass, *ca, *crl, *ciphers;
        const char *why; /* NULL: fine */
    } rows[] = {
        {"good.pem", "good.key", NULL, NULL, NULL, "system", NULL},
        {"both.pem", NULL, NULL, NULL, NULL, "system", NULL},
        {"missing.pem", "good.key", NULL, NULL, NULL, "system", "missing.pem: No such file"},
        {"good.pem", "missing.key", NULL, NULL, NULL, "system", "missing.key: No such file"},
        {"good.pem", "wrong.key", NULL, NULL, NULL, "system", "does not belong to the certificate"},
        {"good.pem", "text", NULL, NULL, NULL, "system", "cannot read a private key from"},
        {"good.pem", NULL, NULL, NULL, NULL, "system", "cannot read a private key from"},
        {"text", "good.key", NULL, NULL, NULL, "system", "cannot read a certificate from"},
        {"half.pem", "good.key", NULL, NULL, NULL, "system", "cannot read a certificate from"},
        {"good.pem", "locked.key", NULL, NULL, NULL, "system", "is encrypted; name the file with its passphrase_file"},
        {"good.pem", "locked.key", "pass", NULL, NULL, "system", NULL},
        {"good.pem", "locked.key", "badpass", NULL, NULL, "system", "cannot read a private key from"},
        {"good.pem", "locked.key", "empty", NULL, NULL, "system", "holds no passphrase"},
        {"good.pem", "locked.key", "nopass", NULL, NULL, "system", "No such file"},
        {"good.pem", "good.key", NULL, "ca.pem", NULL, "system", NULL},
        {"good.pem", "good.key", NULL, "text", NULL, "system", "cannot read authorities from"},
        {"good.pem", "good.key", NULL, "ca.pem", "text", "system", "cannot read revocation lists from"},
        {"good.pem", "good.key", NULL, "ca.pem", "crl.pem", "system", NULL},
        {"weak.pem", "weak.key", NULL, NULL, NULL, "system", "key too small"},
        {"good.pem", "good.key", NULL, NULL, NULL, "nonsense", "ciphers \"nonsense\": no cipher match"},
        {"good.pem", "good.key", NULL, NULL, NULL, "TLS_NONSENSE", "ciphers \"TLS_NONSENSE\": no cipher match"},
        {"good.pem", "good.key", NULL, NULL, NULL, ":", "ciphers \":\": not understood"},
        {"good.pem", "good.key", NULL, NULL, NULL, "TLS_AES_128_GCM_SHA256:ECDHE+AESGCM", NULL},
        {"good.pem", "good.key", NULL, NULL, NULL, "TLS_AES_128_GCM_SHA256", NULL},
    };
    struct made good = write_pair("good", (struct made_options){.cn = "good", .san = "DNS:g.test"});
    struct made weak = {.key = EVP_RSA_gen(1024)};
    char half[200];
    FILE *f;
    X509 *dup;

    write_only("wrong", (struct made_options){.cn = "wrong"});
    write_text(in_dir("text"), "no PEM here\n");
    write_text(in_dir("pass"), "secret words\r\nnot this\n");
    write_text(in_dir("badpass"), "other words\n");
    write_text(in_dir("empty"), "\n");
    write_key(in_dir("locked.key"), good.key, "secret words");
    write_crl(in_dir("crl.pem"), &ca, NULL);
    write_cert(in_dir("both.pem"), good.cert, NULL);
    f = fopen(in_dir("both.pem"), "ae");
    assert_int_equal(PEM_write_PrivateKey(f, good.key, NULL, NULL, 0, NULL, NULL), 1);
    fclose(f);
    f = fopen(in_dir("good.pem"), "re");
    half[fread(half, 1, sizeof(half) - 1, f)] = 0;
    fclose(f);
    write_text(in_dir("half.pem"), half);
    dup = X509_dup(good.cert);
    X509_set_pubkey(dup, weak.key);
    assert_true(X509_sign(dup, ca.key, EVP_sha256()) > 0);
    write_cert(in_dir("weak.pem"), dup, NULL);
    write_key(in_dir("weak.key"), weak.key, NULL);
    X509_free(dup);

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct tls_settings s = {.ciphers = rows[i].ciphers, .client_auth = rows[i].ca ? TLS_CLIENT_OPTIONAL : 0};
        struct said said = {.r.say = say};
        struct tls_set *set;

        s.one.cert = in_dir(rows[i].cert);
        s.one.key = rows[i].key ? in_dir(rows[i].key) : NULL;
        s.one.passphrase_file = rows[i].pass ? in_dir(rows[i].pass) : NULL;
        s.client_ca = rows[i].ca ? in_dir(rows[i].ca) : NULL;
        s.client_crl = rows[i].crl ? in_dir(rows[i].crl) : NULL;
        set = tls_set_new(&s, NULL, time(NULL), &said.r);
        if ((set == NULL) != (rows[i].why != NULL) || (rows[i].why && !strstr(said.text, rows[i].why)))
            fail_msg("row %zu: %s", i, said.text);
        assert_int_equal(said.errors, rows[i].why ? 1 : 0);
        assert_int_equal(ERR_peek_error(), 0);
        tls_set_give(set);
    }
    made_free(&good);
    made_free(&weak);
}

static void shows_every_error_of_a_run(void **state)
{
    struct tls_certificate_settings certs[3] = {pair("gone"), pair("gone-too"), pair("good")};
    struct tls_settings s = {.certificates = {.n = 3, .v = certs}, .ciphers = "system"};
    struct said said = {.r.say = say};

    assert_null(tls_set_new(&s, NULL, time(NULL), &said.r));
    assert_int_equal(said.errors, 2);
    assert_null(tls_set_new(&s, NULL, time(NULL), NULL)); /* nobody listens */
}

static void warns_in_time(void **state)
{
    static const struct {
        long from, to;
        const char *text;
    } rows[] = {
        {0, 90 * DAY, NULL},
        {0, 15 * DAY + 60, NULL},
        {0, 13 * DAY + 60, "ends in 13 days"},
        {0, DAY + 60, "ends in 1 day"},
        {-3 * DAY, -60, "has ended"},
        {DAY, 90 * DAY, "not valid yet"},
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct tls_settings s = {.ciphers = "system"};
        struct said said = {.r.say = say};
        struct tls_server *v;

        write_only("timed", (struct made_options){.cn = "t", .from = rows[i].from, .to = rows[i].to});
        s.one = pair("timed");
        v = tls_server_new(&s, NULL, time(NULL), &said.r);
        assert_non_null(v); /* serving an ended certificate beats serving none */
        assert_int_equal(said.warnings, rows[i].text ? 1 : 0);
        if (rows[i].text && !strstr(said.text, rows[i].text))
            fail_msg("row %zu: %s", i, said.text);
        tls_server_free(v);
    }
}

static void warns_of_a_broken_chain(void **state)
{
    struct made m = make_cert(&ca, (struct made_options){.cn = "leaf"});
    struct made stranger = make_cert(NULL, (struct made_options){.cn = "stranger", .ca = true});
    struct tls_settings s = {.ciphers = "system"};
    struct said said = {.r.say = say};
    struct tls_set *set;

    write_cert(in_dir("chain.pem"), m.cert, stranger.cert);
    write_key(in_dir("chain.key"), m.key, NULL);
    s.one = pair("chain");
    set = tls_set_new(&s, NULL, time(NULL), &said.r);
    assert_non_null(set);
    assert_int_equal(said.warnings, 1);
    assert_non_null(strstr(said.text, "did not issue the first"));
    tls_set_give(set);
    write_cert(in_dir("chain.pem"), m.cert, ca.cert);
    said.warnings = 0;
    set = tls_set_new(&s, NULL, time(NULL), &said.r);
    assert_int_equal(said.warnings, 0);
    tls_set_give(set);
    made_free(&m);
    made_free(&stranger);
}

/* Where the distribution has no policy, nothing without forward secrecy and authenticated encryption is left. */
static void has_decent_ciphers(void **state)
{
    const struct tls_common common = {NULL, TLS_MIN_1_2, "system", TLS_KTLS_AUTO};
    SSL_CTX *c = SSL_CTX_new(TLS_server_method());
    STACK_OF(SSL_CIPHER) * list;

    assert_int_equal(tls_common_apply(c, &common, NULL), 0);
    assert_int_equal(SSL_CTX_get_min_proto_version(c), TLS1_2_VERSION);
    list = SSL_CTX_get_ciphers(c);
    assert_true(sk_SSL_CIPHER_num(list) >= 6);
    for (int i = 0; i < sk_SSL_CIPHER_num(list); i++) {
        const SSL_CIPHER *k = sk_SSL_CIPHER_value(list, i);

        assert_true(SSL_CIPHER_is_aead(k));
        assert_int_not_equal(SSL_CIPHER_get_kx_nid(k), NID_kx_rsa);
    }
    SSL_CTX_free(c);
    (void)tls_ktls_possible();
}

/* --- renewal ------------------------------------------------------------------------------------------------------ */

static void check_twice(struct tls_server *v, struct said *said, enum tls_check want)
{
    assert_int_equal(tls_server_check(v, time(NULL), &said->r), TLS_CHECK_SAME); /* not settled yet */
    assert_int_equal(tls_server_check(v, time(NULL), &said->r), want);
    assert_int_equal(tls_server_check(v, time(NULL), &said->r), TLS_CHECK_SAME); /* told once */
}

static void expect_name(struct loop *l, struct tls_server *v, const char *cn)
{
    struct client c = {.sni = "r.test"};
    struct tls_set *set = tls_server_take(v);

    assert_int_equal(shake(l, set, &c), IO_OK);
    assert_string_equal(c.cn, cn);
    tls_set_give(set);
}

static void renews_and_keeps(void **state)
{
    struct made one = write_pair("renew", (struct made_options){.cn = "one", .san = "DNS:r.test"});
    struct made two = make_cert(&ca, (struct made_options){.cn = "two", .san = "DNS:r.test"});
    struct made old = make_cert(&ca, (struct made_options){.cn = "old", .from = -DAY, .to = -60});
    struct tls_settings s = {.ciphers = "system", .tickets = true};
    struct tls_tickets *tickets = tls_tickets_new();
    struct said said = {.r.say = say};
    struct loop *l = loop_new();
    struct tls_server *v;

    s.one = pair("renew");
    v = tls_server_new(&s, tickets, time(NULL), &said.r);
    assert_non_null(v);
    tls_tickets_give(tickets); /* the server has its own hold */
    assert_ptr_equal(tls_server_settings(v), &s);
    for (int i = 0; i < 3; i++)
        assert_int_equal(tls_server_check(v, time(NULL), &said.r), TLS_CHECK_SAME);
    expect_name(l, v, "one");

    /* The renewer has written the certificate and is not done: it does not match, the old pair serves on. */
    write_cert(s.one.cert, two.cert, NULL);
    assert_null(tls_server_refusal(v));
    check_twice(v, &said, TLS_CHECK_KEPT);
    assert_non_null(strstr(said.text, "does not belong"));
    assert_non_null(strstr(tls_server_refusal(v)->why, "does not belong"));
    assert_true(tls_server_refusal(v)->at >= time(NULL) - 5);
    expect_name(l, v, "one");
    write_key(s.one.key, two.key, NULL);
    check_twice(v, &said, TLS_CHECK_RENEWED);
    assert_null(tls_server_refusal(v));
    expect_name(l, v, "two");

    /* Ended, broken, gone: each keeps the old. */
    write_cert(s.one.cert, old.cert, NULL);
    write_key(s.one.key, old.key, NULL);
    check_twice(v, &said, TLS_CHECK_KEPT);
    assert_non_null(strstr(said.text, "has ended already"));
    write_text(s.one.cert, "");
    check_twice(v, &said, TLS_CHECK_KEPT);
    unlink(s.one.cert);
    check_twice(v, &said, TLS_CHECK_KEPT);
    assert_non_null(strstr(said.text, "No such file"));
    assert_non_null(strstr(tls_server_refusal(v)->why, "No such file")); /* the last one counts */
    expect_name(l, v, "two");

    /* And back again. */
    write_cert(s.one.cert, one.cert, NULL);
    write_key(s.one.key, one.key, NULL);
    check_twice(v, &said, TLS_CHECK_RENEWED);
    expect_name(l, v, "one");
    tls_server_free(v);
    loop_free(l);
    made_free(&one);
    made_free(&two);
    made_free(&old);
}

/* Kubernetes: ..data -> a directory, swapped as a whole; certbot: live/x.pem -> ../archive/x2.pem. */
static void follows_swapped_symlinks(void **state)
{
    static char cert[160];
    static char key[160];
    struct tls_settings s = {.ciphers = "system"};
    struct said said = {.r.say = say};
    struct loop *l = loop_new();
    struct tls_server *v;

    mkdir(in_dir("k1"), 0700);
    mkdir(in_dir("k2"), 0700);
    write_only("k1/tls", (struct made_options){.cn = "first", .san = "DNS:r.test"});
    write_only("k2/tls", (struct made_options){.cn = "second", .san = "DNS:r.test"});
    assert_int_equal(symlink("k1", in_dir("..data")), 0);
    assert_int_equal(symlink("..data/tls.pem", in_dir("tls.pem")), 0);
    assert_int_equal(symlink("..data/tls.key", in_dir("tls.key")), 0);
    snprintf(cert, sizeof(cert), "%s", in_dir("tls.pem"));
    snprintf(key, sizeof(key), "%s", in_dir("tls.key"));
    s.one = (struct tls_certificate_settings){.cert = cert, .key = key};
    v = tls_server_new(&s, NULL, time(NULL), &said.r);
    assert_non_null(v);
    expect_name(l, v, "first");
    assert_int_equal(symlink("k2", in_dir("..tmp")), 0);
    assert_int_equal(rename(in_dir("..tmp"), in_dir("..data")), 0);
    check_twice(v, &said, TLS_CHECK_RENEWED);
    expect_name(l, v, "second");
    tls_server_free(v);
    loop_free(l);
}

static void renews_toward_backends(void **state)
{
    struct tls_backend_settings s = {.enabled = true, .verify = true, .ciphers = "system"};
    struct said said = {.r.say = say};
    struct tls_backend *v;
    struct tls_client *before;
    struct tls_client *after;

    write_cert(in_dir("backend-ca.pem"), ca.cert, NULL);
    s.ca = strdup(in_dir("backend-ca.pem"));
    s.own = pair("good");
    v = tls_backend_new(&s, time(NULL), &said.r);
    assert_non_null(v);
    before = tls_backend_take(v);
    assert_true(tls_client_verifies(before));
    assert_string_equal(tls_client_name(before, "host"), "host");
    write_text(s.ca, "x");
    assert_int_equal(tls_backend_check(v, time(NULL), &said.r), TLS_CHECK_SAME);
    assert_null(tls_backend_refusal(v));
    assert_int_equal(tls_backend_check(v, time(NULL), NULL), TLS_CHECK_KEPT); /* nobody has to listen */
    assert_non_null(strstr(tls_backend_refusal(v)->why, s.ca));
    write_cert(s.ca, ca.cert, NULL);
    assert_int_equal(tls_backend_check(v, time(NULL), &said.r), TLS_CHECK_SAME);
    assert_int_equal(tls_backend_check(v, time(NULL), &said.r), TLS_CHECK_RENEWED);
    assert_null(tls_backend_refusal(v));
    after = tls_backend_take(v);
    assert_ptr_not_equal(before, after);
    tls_client_give(before);
    tls_client_give(after);
    tls_backend_free(v);
    free((char *)(uintptr_t)s.ca);

    s.ca = "/nowhere";
    assert_null(tls_backend_new(&s, time(NULL), &said.r));
    s.ca = NULL;
    s.own = pair("gone");
    assert_null(tls_backend_new(&s, time(NULL), &said.r));
}

/* Workers shake hands while the main thread renews a hundred times; the sanitizers look on. */
struct storm {
    struct tls_server *v;
    struct tls_tickets *tickets;
    atomic_bool stop;
    atomic_int shaken;
};

static void *storm_worker(void *arg)
{
    struct storm *storm = arg;
    struct loop *l = loop_new();

    while (!atomic_load(&storm->stop)) {
        struct tls_set *set = tls_server_take(storm->v);
        struct client c = {.sni = "r.test"};

        if (shake(l, set, &c) != IO_OK)
            abort();
        tls_set_give(set);
        atomic_fetch_add(&storm->shaken, 1);
    }
    loop_free(l);
    return NULL;
}

static void renews_under_load(void **state)
{
    struct made pairs[2] = {make_cert(&ca, (struct made_options){.cn = "even", .san = "DNS:r.test"}),
                            make_cert(&ca, (struct made_options){.cn = "odd", .san = "DNS:r.test"})};
    struct tls_settings s = {.ciphers = "system", .tickets = true};
    struct said said = {.r.say = say};
    struct storm storm = {.tickets = tls_tickets_new()};
    pthread_t threads[2];
    int renewed = 0;

    s.one = pair("storm");
    write_cert(s.one.cert, pairs[0].cert, NULL);
    write_key(s.one.key, pairs[0].key, NULL);
    storm.v = tls_server_new(&s, storm.tickets, time(NULL), &said.r);
    assert_non_null(storm.v);
    for (int i = 0; i < 2; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, storm_worker, &storm), 0);
    for (int i = 1; i <= 100; i++) {
        write_cert(s.one.cert, pairs[i % 2].cert, NULL);
        write_key(s.one.key, pairs[i % 2].key, NULL);
        tls_tickets_rotate(storm.tickets);
        for (int k = 0; k < 3; k++)
            renewed += tls_server_check(storm.v, time(NULL), &said.r) == TLS_CHECK_RENEWED;
    }
    while (atomic_load(&storm.shaken) < 50)
        usleep(1000);
    atomic_store(&storm.stop, true);
    for (int i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(renewed, 100);
    assert_int_equal(said.errors, 0);
    tls_server_free(storm.v);
    tls_tickets_give(storm.tickets);
    made_free(&pairs[0]);
    made_free(&pairs[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(chooses_by_name),
        cmocka_unit_test(shows_what_the_client_can),
        cmocka_unit_test(staples_good_responses_alone),
        cmocka_unit_test(refuses_what_does_not_hold_together),
        cmocka_unit_test(shows_every_error_of_a_run),
        cmocka_unit_test(warns_in_time),
        cmocka_unit_test(warns_of_a_broken_chain),
        cmocka_unit_test(has_decent_ciphers),
        cmocka_unit_test(renews_and_keeps),
        cmocka_unit_test(follows_swapped_symlinks),
        cmocka_unit_test(renews_toward_backends),
        cmocka_unit_test(renews_under_load),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
