/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the wsbridge authors */
/*
 * The TLS stream between our own two sides over a socket pair, in one loop: handshakes that work and that fail, bytes
 * both ways with room and without, the ways to end, and what it says about itself. Raw OpenSSL plays the peer where the
 * peer has to do what ours never does.
 */
#include "unit.h"

#include <malloc.h>
#include <netinet/in.h>
#include <openssl/err.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "tls/stream.h"
#include "tls_make.h"

static char dir[] = "/tmp/wsbridge-tls-XXXXXX";

static const char *in_dir(const char *name)
{
    static char ring[8][128];
    static int turn;

    turn = (turn + 1) % 8;
    snprintf(ring[turn], sizeof(ring[0]), "%s/%s", dir, name);
    return ring[turn];
}

struct rig {
    struct loop *loop;
    struct made ca, server, client, other_ca, stranger;
    char paths[8][128];
    struct tls_tickets *tickets;
};

static struct rig rig;

enum { P_CA, P_CERT, P_KEY, P_CLIENT, P_CLIENT_KEY, P_OTHER_CA, P_STRANGER, P_STRANGER_KEY };

static int set_up(void **state)
{
    static const char *const names[] = {"ca.pem",     "cert.pem",  "key.pem",      "client.pem",
                                        "client.key", "other.pem", "stranger.pem", "stranger.key"};

    signal(SIGPIPE, SIG_IGN);
    assert_non_null(mkdtemp(dir));
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        snprintf(rig.paths[i], sizeof(rig.paths[i]), "%s", in_dir(names[i]));
    rig.loop = loop_new();
    rig.tickets = tls_tickets_new();
    assert_non_null(rig.tickets);
    rig.ca = make_cert(NULL, (struct made_options){.cn = "test root", .ca = true});
    rig.other_ca = make_cert(NULL, (struct made_options){.cn = "another root", .ca = true});
    rig.server =
        make_cert(&rig.ca, (struct made_options){.cn = "s", .san = "DNS:server.test,DNS:*.wild.test,IP:192.0.2.1"});
    rig.client = make_cert(&rig.ca, (struct made_options){.cn = "alice", .san = "DNS:alice.test,email:alice@test"});
    rig.stranger = make_cert(&rig.other_ca, (struct made_options){.cn = "mallory"});
    write_cert(rig.paths[P_CA], rig.ca.cert, NULL);
    write_cert(rig.paths[P_CERT], rig.server.cert, NULL);
    write_key(rig.paths[P_KEY], rig.server.key, NULL);
    write_cert(rig.paths[P_CLIENT], rig.client.cert, NULL);
    write_key(rig.paths[P_CLIENT_KEY], rig.client.key, NULL);
    write_cert(rig.paths[P_OTHER_CA], rig.other_ca.cert, NULL);
    write_cert(rig.paths[P_STRANGER], rig.stranger.cert, NULL);
    write_key(rig.paths[P_STRANGER_KEY], rig.stranger.key, NULL);
    return 0;
}

static int tear_down(void **state)
{
    char cmd[64];

    made_free(&rig.ca);
    made_free(&rig.server);
    made_free(&rig.client);
    made_free(&rig.other_ca);
    made_free(&rig.stranger);
    tls_tickets_give(rig.tickets);
    loop_free(rig.loop);
    snprintf(cmd, sizeof(cmd), "rm -rf %s", dir);
    return system(cmd);
}

/* --- two sides ---------------------------------------------------------------------------------------------------- */

struct said {
    struct tls_report r;
    char text[512];
};

static void say(struct tls_report *r, enum tls_severity severity, const struct cfg_node *at, const char *text)
{
    snprintf(container_of(r, struct said, r)->text, sizeof(((struct said *)0)->text), "%s", text);
}

static struct tls_settings server_settings(void)
{
    return (struct tls_settings){
        .one = {.cert = rig.paths[P_CERT], .key = rig.paths[P_KEY]}, .ciphers = "system", .tickets = true};
}

static struct tls_backend_settings client_settings(void)
{
    return (struct tls_backend_settings){.verify = true, .ca = rig.paths[P_CA], .ciphers = "system"};
}

static struct tls_set *make_set(const struct tls_settings *s)
{
    struct said said = {.r.say = say};
    struct tls_set *set = tls_set_new(s, rig.tickets, time(NULL), &said.r);

    if (!set)
        fail_msg("%s", said.text);
    return set;
}

static struct tls_client *make_client(const struct tls_backend_settings *s)
{
    struct said said = {.r.say = say};
    struct tls_client *c = tls_client_new(s, time(NULL), &said.r);

    if (!c)
        fail_msg("%s", said.text);
    return c;
}

struct side {
    struct stream_owner o;
    struct stream *s;
    enum io start;
    int readies;
};

static void on_ready(struct stream_owner *o, struct stream *s)
{
    struct side *side = container_of(o, struct side, o);

    assert_ptr_equal(side->s, s);
    side->readies++;
    if (side->start == IO_AGAIN)
        side->start = stream_start(s);
}

struct two {
    struct side a; /* server */
    struct side b; /* client */
};

static void pair_of(int fds[2])
{
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds), 0);
}

static void turns(int n)
{
    while (n-- > 0)
        loop_turn(rig.loop);
}

static void begin_side(struct side *side, struct stream *s)
{
    assert_non_null(s);
    side->o.ready = on_ready;
    side->s = s;
    side->s->owner = &side->o;
    stream_want(s, STREAM_READ);
    side->start = stream_start(s);
}

static void begin(struct two *t, struct tls_set *set, struct tls_client *c, const char *host, unsigned alpn)
{
    int fds[2];

    memset(t, 0, sizeof(*t));
    pair_of(fds);
    begin_side(&t->a, tls_server_stream_new(rig.loop, fds[0], set, alpn, &t->a.o));
    begin_side(&t->b, tls_client_stream_new(rig.loop, fds[1], c, host, &t->b.o));
    turns(20);
}

/* The usual pair, open. */
static void open_two(struct two *t)
{
    struct tls_settings s = server_settings();
    struct tls_backend_settings b = client_settings();
    struct tls_set *set = make_set(&s);
    struct tls_client *c = make_client(&b);

    begin(t, set, c, "server.test", 0);
    tls_set_give(set); /* the streams hold their own */
    tls_client_give(c);
    assert_int_equal(t->a.start, IO_OK);
    assert_int_equal(t->b.start, IO_OK);
}

static void end(struct two *t)
{
    stream_free(t->a.s, STREAM_END_CLEAN);
    stream_free(t->b.s, STREAM_END_CLEAN);
    turns(3);
}

static enum io put_text(struct stream *s, const char *text, size_t *put)
{
    struct iovec v = {(char *)(uintptr_t)text, strlen(text)};

    return stream_write(s, &v, 1, put);
}

static void expect_text(struct stream *s, const char *text)
{
    uint8_t buf[4096];
    size_t got = 0;

    assert_int_equal(stream_read(s, buf, sizeof(buf), &got), IO_OK);
    assert_int_equal(got, strlen(text));
    assert_memory_equal(buf, text, got);
}

static enum io read_some(struct stream *s, size_t *got)
{
    static uint8_t buf[1 << 16];

    *got = 0;
    return stream_read(s, buf, sizeof(buf), got);
}

/* --- handshakes --------------------------------------------------------------------------------------------------- */

static void greets_and_tells(void **state)
{
    struct two t;
    struct tls_info info;
    struct tls_peer peer;
    size_t put;

    open_two(&t);
    assert_string_equal(t.a.s->ops->name, "tls");
    assert_true(tls_stream_info(t.a.s, &info));
    assert_string_equal(info.version, "TLSv1.3");
    assert_non_null(strstr(info.cipher, "TLS_AES_256_GCM"));
    assert_string_equal(info.sni, "server.test");
    assert_int_equal(info.alpn.n, 0);
    assert_false(info.resumed);
    assert_false(info.truncated);
    assert_false(tls_stream_peer(t.a.s, &peer)); /* the client showed none */
    assert_true(tls_stream_peer(t.b.s, &peer));
    assert_string_equal(peer.common_name, "s");
    assert_string_equal(peer.names, "DNS:server.test, DNS:*.wild.test, IP:192.0.2.1");
    assert_int_equal(strlen(peer.fingerprint), 64);
    assert_true(tls_stream_fd(t.a.s) >= 0);

    assert_int_equal(put_text(t.b.s, "hello", &put), IO_OK);
    assert_int_equal(put, 5);
    turns(2);
    expect_text(t.a.s, "hello");
    assert_int_equal(put_text(t.a.s, "world", &put), IO_OK);
    turns(2);
    expect_text(t.b.s, "world");
    end(&t);
}

/* From the end of the handshake to that of the stream; one that fails before was never in there. */
static void counts_what_is_open(void **state)
{
    struct tls_settings s = server_settings();
    struct tls_backend_settings b = client_settings();
    struct tls_set *set = make_set(&s);
    struct tls_client *c = make_client(&b);
    struct tls_counts front = {0};
    struct tls_counts back = {0};
    const char *const hosts[] = {"server.test", "other.test"};

    for (unsigned good = 0; good < 2; good++) {
        struct two t = {0};
        int fds[2];
        pair_of(fds);
        t.a.s = tls_server_stream_new(rig.loop, fds[0], set, 0, &t.a.o);
        t.b.s = tls_client_stream_new(rig.loop, fds[1], c, hosts[1 - good], &t.b.o);
        tls_stream_count(t.a.s, &front);
        tls_stream_count(t.b.s, &back);
        begin_side(&t.a, t.a.s);
        begin_side(&t.b, t.b.s);
        assert_int_equal(stats_gauge(&front.open), 0);
        turns(20);
        assert_int_equal(t.b.start, good ? IO_OK : IO_FAIL);
        assert_int_equal(stats_gauge(&front.open), good);
        assert_int_equal(stats_gauge(&back.open), good);
        assert_int_equal(stats_gauge(&back.ktls_send), 0); /* no TCP */
        end(&t);
        assert_int_equal(stats_gauge(&front.open), 0);
        assert_int_equal(stats_gauge(&back.open), 0);
    }
    tls_set_give(set);
    tls_client_give(c);
}

static void checks_the_name(void **state)
{
    static const struct {
        const char *host, *server_name;
        bool verify, ok;
        const char *why;
    } rows[] = {
        {"server.test", NULL, true, true, NULL},
        {"server.test.", NULL, true, true, NULL},
        {"SERVER.TEST", NULL, true, true, NULL},
        {"x.wild.test", NULL, true, true, NULL},
        {"x.y.wild.test", NULL, true, false, "certificate verify failed: hostname mismatch"},
        {"wild.test", NULL, true, false, "certificate verify failed: hostname mismatch"},
        {"192.0.2.1", NULL, true, true, NULL},
        {"192.0.2.2", NULL, true, false, "certificate verify failed: IP address mismatch"},
        {"other.test", NULL, true, false, "certificate verify failed: hostname mismatch"},
        {"other.test", "server.test", true, true, NULL},
        {"server.test", "other.test", true, false, "certificate verify failed: hostname mismatch"},
        {"other.test", NULL, false, true, NULL},
        {NULL, NULL, false, true, NULL},
        {NULL, "server.test", true, true, NULL},
        {NULL, NULL, true, false, "the service has no host name to check the certificate against; set tls.server_name"},
        {".", NULL, true, false, "the server name is none"},
    };
    struct tls_settings s = server_settings();
    struct tls_set *set = make_set(&s);

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct tls_backend_settings b = client_settings();
        struct tls_client *c;
        struct two t;

        b.verify = rows[i].verify;
        if (!b.verify)
            b.ca = NULL;
        b.server_name = rows[i].server_name;
        c = make_client(&b);
        begin(&t, set, c, rows[i].host, 0);
        tls_client_give(c);
        if (t.b.start != (rows[i].ok ? IO_OK : IO_FAIL))
            fail_msg("row %zu: %d %s", i, t.b.start, t.b.s->why);
        if (!rows[i].ok && strcasecmp(t.b.s->why, rows[i].why) != 0)
            fail_msg("row %zu: %s", i, t.b.s->why);
        end(&t);
    }
    tls_set_give(set);
}

static void refuses_strange_authorities(void **state)
{
    struct tls_settings s = server_settings();
    struct tls_backend_settings b = client_settings();
    struct tls_set *set = make_set(&s);
    struct tls_client *c;
    struct two t;

    b.ca = rig.paths[P_OTHER_CA];
    c = make_client(&b);
    begin(&t, set, c, "server.test", 0);
    assert_int_equal(t.b.start, IO_FAIL);
    assert_non_null(strstr(t.b.s->why, "certificate verify failed: unable to get local issuer certificate"));
    /* The other side hears OpenSSL's alert. */
    assert_int_equal(t.a.start, IO_FAIL);
    assert_string_equal(t.a.s->why, "the client does not trust our certificate: tlsv1 alert unknown ca");
    /* A failed stream stays failed, and says the same. */
    size_t n;
    assert_int_equal(read_some(t.b.s, &n), IO_FAIL);
    assert_int_equal(put_text(t.b.s, "x", &n), IO_FAIL);
    assert_int_equal(stream_shut_write(t.b.s), IO_FAIL);
    assert_int_equal(stream_start(t.b.s), IO_FAIL);
    end(&t);
    tls_client_give(c);

    b.ca = NULL; /* the system does not know our root */
    c = make_client(&b);
    begin(&t, set, c, "server.test", 0);
    assert_int_equal(t.b.start, IO_FAIL);
    end(&t);
    tls_client_give(c);
    tls_set_give(set);
}

static void asks_for_client_certificates(void **state)
{
    static const struct {
        int auth;
        int cert; /* index into paths; -1: none */
        bool ok;
        const char *why; /* the server's */
    } rows[] = {
        {TLS_CLIENT_NONE, -1, true, NULL},
        {TLS_CLIENT_NONE, P_CLIENT, true, NULL},
        {TLS_CLIENT_OPTIONAL, -1, true, NULL},
        {TLS_CLIENT_OPTIONAL, P_CLIENT, true, NULL},
        {TLS_CLIENT_OPTIONAL, P_STRANGER, false, "certificate verify failed: unable to get local issuer certificate"},
        {TLS_CLIENT_REQUIRED, -1, false, "peer did not return a certificate"},
        {TLS_CLIENT_REQUIRED, P_CLIENT, true, NULL},
        {TLS_CLIENT_REQUIRED, P_STRANGER, false, "certificate verify failed: unable to get local issuer certificate"},
    };

    for (size_t i = 0; i < 2 * ARRAY_LEN(rows); i++) {
        size_t k = i / 2;
        struct tls_settings s = server_settings();
        struct tls_backend_settings b = client_settings();
        struct tls_peer peer;
        struct tls_set *set;
        struct tls_client *c;
        struct two t;

        s.client_auth = rows[k].auth;
        s.client_ca = s.client_auth ? rig.paths[P_CA] : NULL;
        s.min_version = i % 2; /* both versions */
        if (i % 2 == 0)
            b.ciphers = "ECDHE-ECDSA-AES128-GCM-SHA256";
        if (rows[k].cert >= 0) {
            b.own.cert = rig.paths[rows[k].cert];
            b.own.key = rig.paths[rows[k].cert + 1];
        }
        set = make_set(&s);
        c = make_client(&b);
        begin(&t, set, c, "server.test", 0);
        if (t.a.start != (rows[k].ok ? IO_OK : IO_FAIL))
            fail_msg("row %zu: %d %s", k, t.a.start, t.a.s->why);
        if (rows[k].why && !strstr(t.a.s->why, rows[k].why))
            fail_msg("row %zu: %s", k, t.a.s->why);
        if (rows[k].ok && rows[k].auth && rows[k].cert == P_CLIENT) {
            assert_true(tls_stream_peer(t.a.s, &peer));
            assert_string_equal(peer.subject, "CN=alice");
            assert_string_equal(peer.names, "DNS:alice.test, email:alice@test");
        } else {
            assert_false(tls_stream_peer(t.a.s, &peer));
        }
        end(&t);
        tls_set_give(set);
        tls_client_give(c);
    }
}

static void honours_revocation(void **state)
{
    struct tls_settings s = server_settings();
    struct tls_backend_settings b = client_settings();
    struct tls_client *c;

    s.client_auth = TLS_CLIENT_REQUIRED;
    s.client_ca = rig.paths[P_CA];
    s.client_crl = in_dir("crl.pem");
    b.own.cert = rig.paths[P_CLIENT];
    b.own.key = rig.paths[P_CLIENT_KEY];
    c = make_client(&b);
    for (int revoked = 0; revoked < 2; revoked++) {
        struct tls_set *set;
        struct two t;

        write_crl(s.client_crl, &rig.ca, revoked ? rig.client.cert : NULL);
        set = make_set(&s);
        begin(&t, set, c, "server.test", 0);
        assert_int_equal(t.a.start, revoked ? IO_FAIL : IO_OK);
        if (revoked)
            assert_string_equal(t.a.s->why, "certificate verify failed: certificate revoked");
        end(&t);
        tls_set_give(set);
    }
    tls_client_give(c);
}

/* --- a peer made of plain OpenSSL --------------------------------------------------------------------------------- */

struct peer {
    SSL_CTX *c;
    SSL *ssl;
    int fd;
    struct side a; /* ours, the server */
};

static void peer_begin(struct peer *p, struct tls_set *set, unsigned alpn)
{
    int fds[2];

    pair_of(fds);
    p->fd = fds[1];
    p->ssl = SSL_new(p->c);
    SSL_set_fd(p->ssl, p->fd);
    SSL_set_connect_state(p->ssl);
    memset(&p->a, 0, sizeof(p->a));
    begin_side(&p->a, tls_server_stream_new(rig.loop, fds[0], set, alpn, &p->a.o));
}

static void peer_handshake(struct peer *p)
{
    for (int i = 0; i < 20; i++) {
        SSL_do_handshake(p->ssl);
        turns(2);
    }
    ERR_clear_error();
}

static void peer_end(struct peer *p)
{
    SSL_free(p->ssl);
    close(p->fd);
    stream_free(p->a.s, STREAM_END_CLEAN);
    turns(2);
}

static void chooses_the_protocol(void **state)
{
    static const struct {
        unsigned ours;
        const char *theirs; /* wire form; NULL: none */
        const char *chosen; /* NULL: the handshake fails */
    } rows[] = {
        {TLS_ALPN_HTTP1, NULL, ""},
        {TLS_ALPN_HTTP1, "\x08http/1.1", "http/1.1"},
        {TLS_ALPN_HTTP1, "\x02h2\x08http/1.1", "http/1.1"},
        {TLS_ALPN_HTTP1 | TLS_ALPN_H2, "\x08http/1.1\x02h2", "h2"},
        {TLS_ALPN_HTTP1 | TLS_ALPN_H2, "\x08http/1.1", "http/1.1"},
        {TLS_ALPN_H2, "\x02h2", "h2"},
        {TLS_ALPN_H2, "\x08http/1.1", NULL},
        {TLS_ALPN_HTTP1, "\x02h2", NULL},
        {TLS_ALPN_HTTP1, "\x04imap", NULL},
        {0, "\x04imap", ""},
    };
    struct tls_settings s = server_settings();
    struct tls_set *set = make_set(&s);
    struct peer p = {.c = SSL_CTX_new(TLS_client_method())};

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct tls_info info;

        peer_begin(&p, set, rows[i].ours);
        if (rows[i].theirs)
            SSL_set_alpn_protos(p.ssl, (const unsigned char *)rows[i].theirs, (unsigned)strlen(rows[i].theirs));
        peer_handshake(&p);
        assert_int_equal(p.a.start, rows[i].chosen ? IO_OK : IO_FAIL);
        if (rows[i].chosen) {
            assert_true(tls_stream_info(p.a.s, &info));
            assert_true(slice_eq(info.alpn, slice_of(rows[i].chosen)));
        }
        peer_end(&p);
    }
    SSL_CTX_free(p.c);
    tls_set_give(set);
}

/* One handshake that offers `session`; the session for the next. Tells whether it was resumed. */
static SSL_SESSION *shake(struct tls_set *set, SSL_CTX *c, SSL_SESSION *session, bool *resumed)
{
    struct peer p = {.c = c};
    struct tls_info info;
    SSL_SESSION *next;
    char byte;
    size_t put;

    peer_begin(&p, set, 0);
    SSL_set_tlsext_host_name(p.ssl, "server.test");
    if (session)
        SSL_set_session(p.ssl, session);
    peer_handshake(&p);
    assert_int_equal(p.a.start, IO_OK);
    assert_int_equal(put_text(p.a.s, "x", &put), IO_OK);
    assert_int_equal(SSL_read(p.ssl, &byte, 1), 1); /* the ticket comes before it */
    assert_true(tls_stream_info(p.a.s, &info));
    *resumed = info.resumed;
    next = SSL_get1_session(p.ssl);
    SSL_shutdown(p.ssl);
    peer_end(&p);
    return next;
}

static void resumes_sessions(void **state)
{
    struct tls_settings s = server_settings();
    struct tls_set *set = make_set(&s);
    struct tls_set *second = make_set(&s); /* after a reload, or on another worker */
    struct tls_set *other;
    SSL_SESSION *session;
    SSL_SESSION *next;
    bool resumed;

    for (int version = TLS1_2_VERSION; version <= TLS1_3_VERSION; version++) {
        SSL_CTX *c = SSL_CTX_new(TLS_client_method());

        SSL_CTX_set_max_proto_version(c, version);
        session = shake(set, c, NULL, &resumed);
        assert_false(resumed);
        next = shake(second, c, session, &resumed);
        assert_true(resumed);
        SSL_SESSION_free(session);

        /* Two rotations are survived, the third forgets. */
        tls_tickets_rotate(rig.tickets);
        tls_tickets_rotate(rig.tickets);
        session = shake(set, c, next, &resumed);
        assert_true(resumed);
        SSL_SESSION_free(next);
        for (int i = 0; i < TLS_TICKET_KEYS; i++)
            tls_tickets_rotate(rig.tickets);
        next = shake(set, c, session, &resumed);
        assert_false(resumed);
        SSL_SESSION_free(session);

        /* Never across rules for client certificates, nor across sites. */
        s.client_auth = TLS_CLIENT_OPTIONAL;
        s.client_ca = rig.paths[P_CA];
        other = make_set(&s);
        session = shake(other, c, next, &resumed);
        assert_false(resumed);
        SSL_SESSION_free(next);
        next = shake(other, c, session, &resumed);
        assert_true(resumed);
        SSL_SESSION_free(session);
        tls_set_give(other);
        s.client_ca = in_dir("both.pem"); /* the same clients, another file content */
        write_cert(s.client_ca, rig.ca.cert, rig.other_ca.cert);
        other = make_set(&s);
        session = shake(other, c, next, &resumed);
        assert_false(resumed);
        SSL_SESSION_free(session);
        SSL_SESSION_free(next);
        tls_set_give(other);

        s = server_settings();
        session = shake(set, c, NULL, &resumed);
        s.name.name = "another";
        other = make_set(&s);
        next = shake(other, c, session, &resumed);
        assert_false(resumed);
        SSL_SESSION_free(session);
        SSL_SESSION_free(next);
        tls_set_give(other);

        s = server_settings();
        s.tickets = false;
        other = make_set(&s);
        session = shake(other, c, NULL, &resumed);
        next = shake(other, c, session, &resumed);
        assert_false(resumed);
        SSL_SESSION_free(session);
        SSL_SESSION_free(next);
        tls_set_give(other);
        s = server_settings();
        SSL_CTX_free(c);
    }
    tls_set_give(set);
    tls_set_give(second);
}

static void ticks_the_tickets(void **state)
{
    struct tls_tickets *t = tls_tickets_new();
    unsigned char name[2][16];
    unsigned char iv[EVP_MAX_IV_LENGTH];
    EVP_CIPHER_CTX *cipher = EVP_CIPHER_CTX_new();
    EVP_MAC *hmac = EVP_MAC_fetch(NULL, "HMAC", NULL);
    EVP_MAC_CTX *mac = EVP_MAC_CTX_new(hmac);

    tls_tickets_tick(t, 1000);
    assert_int_equal(tls_tickets_apply(t, name[0], iv, cipher, mac, 1), 1);
    tls_tickets_tick(t, 1000 + TLS_TICKET_PERIOD - 1);
    assert_int_equal(tls_tickets_apply(t, name[1], iv, cipher, mac, 1), 1);
    assert_memory_equal(name[0], name[1], 16);
    tls_tickets_tick(t, 1000 + TLS_TICKET_PERIOD);
    assert_int_equal(tls_tickets_apply(t, name[1], iv, cipher, mac, 1), 1);
    assert_memory_not_equal(name[0], name[1], 16);
    assert_int_equal(tls_tickets_apply(t, name[0], iv, cipher, mac, 0), 2); /* good, but renew */
    assert_int_equal(tls_tickets_apply(t, name[1], iv, cipher, mac, 0), 1);
    name[1][0] ^= 1;
    assert_int_equal(tls_tickets_apply(t, name[1], iv, cipher, mac, 0), 0);
    EVP_MAC_CTX_free(mac);
    EVP_MAC_free(hmac);
    EVP_CIPHER_CTX_free(cipher);
    tls_tickets_give(t);
}

static void refuses_old_and_odd_hellos(void **state)
{
    static const struct {
        const char *bytes;
        size_t n;
        const char *why;
    } rows[] = {
        {"GET / HTTP/1.1\r\nHost: x\r\n\r\n", 27, "http request"},
        {"\x80\x2e\x01\x00\x02\x00\x15\x00\x00\x00\x10\x01\x00\x80\x02\x00\x80\x03\x00\x80\x04\x00\x80\x05\x00\x80\x06"
         "\x00\x40\x07\x00\xc0\xaa\xaa\xaa\xaa\xaa\xaa\xaa\xaa\xaa\xaa\xaa\xaa\xaa\xaa\xaa\xaa",
         48, NULL}, /* SSLv2 */
        {"\x16\x03\x01\xff\xff", 5, NULL},
        {"garbage that is no record at all", 32, "wrong version number"},
        {"", 0, "closed during the TLS handshake"},
        {"\x16\x03\x01", 3, "closed during the TLS handshake"},
    };
    struct tls_settings s = server_settings();
    struct tls_set *set = make_set(&s);
    SSL_CTX *c = SSL_CTX_new(TLS_client_method());
    struct peer p = {.c = c};

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        peer_begin(&p, set, 0);
        assert_int_equal(write(p.fd, rows[i].bytes, rows[i].n), rows[i].n);
        shutdown(p.fd, SHUT_WR);
        turns(5);
        if (p.a.start != IO_FAIL || !p.a.s->why || (rows[i].why && !strstr(p.a.s->why, rows[i].why)))
            fail_msg("row %zu: %d %s", i, p.a.start, p.a.s->why);
        peer_end(&p);
    }
    SSL_CTX_set_security_level(c, 0);
    SSL_CTX_set_min_proto_version(c, TLS1_VERSION);
    SSL_CTX_set_max_proto_version(c, TLS1_1_VERSION);
    peer_begin(&p, set, 0);
    peer_handshake(&p);
    assert_int_equal(p.a.start, IO_FAIL);
    assert_string_equal(p.a.s->why, "unsupported protocol");
    peer_end(&p);

    /* One byte at a time is slow, not wrong. */
    SSL_CTX_set_max_proto_version(c, TLS1_3_VERSION);
    peer_begin(&p, set, 0);
    BIO *out = BIO_new(BIO_s_mem());
    char *hello;
    SSL_set0_wbio(p.ssl, out);
    SSL_do_handshake(p.ssl);
    long n = BIO_get_mem_data(out, &hello);
    for (long i = 0; i < n; i++) {
        assert_int_equal(write(p.fd, hello + i, 1), 1);
        turns(1);
    }
    BIO_up_ref(SSL_get_rbio(p.ssl));
    SSL_set0_wbio(p.ssl, SSL_get_rbio(p.ssl));
    peer_handshake(&p);
    assert_int_equal(p.a.start, IO_OK);
    peer_end(&p);
    SSL_CTX_free(c);
    tls_set_give(set);
}

static void refuses_renegotiation(void **state)
{
    struct tls_settings s = server_settings();
    struct tls_set *set = make_set(&s);
    SSL_CTX *c = SSL_CTX_new(TLS_client_method());
    struct peer p = {.c = c};
    size_t n;

    SSL_CTX_set_max_proto_version(c, TLS1_2_VERSION);
    peer_begin(&p, set, 0);
    peer_handshake(&p);
    assert_int_equal(p.a.start, IO_OK);
    assert_int_equal(SSL_renegotiate(p.ssl), 1);
    SSL_do_handshake(p.ssl);
    turns(3);
    assert_int_equal(read_some(p.a.s, &n), IO_AGAIN); /* answered with a warning alert, not obeyed */
    assert_true(SSL_do_handshake(p.ssl) <= 0);
    assert_true(SSL_get_error(p.ssl, -1) == SSL_ERROR_SSL);
    ERR_clear_error();
    peer_end(&p);
    SSL_CTX_free(c);
    tls_set_give(set);
}

/* --- bytes -------------------------------------------------------------------------------------------------------- */

static uint8_t pattern(size_t i)
{
    return (uint8_t)(i * 2654435761u >> 11);
}

static void set_pattern(uint8_t *p, size_t n, size_t from)
{
    for (size_t i = 0; i < n; i++)
        p[i] = pattern(from + i);
}

/* Random sizes both ways at once, through small socket buffers, in pieces, with owners that lose and regain interest.
 */
static void moves_bytes_unharmed(void **state)
{
    enum { TOTAL = 6 << 20 };
    struct two t;
    struct side *sides[2];
    size_t sent[2] = {0, 0};
    size_t seen[2] = {0, 0};
    static uint8_t out[150000];
    static uint8_t in[150000];
    unsigned seed = 7;
    int small = 8192;

    open_two(&t);
    sides[0] = &t.a;
    sides[1] = &t.b;
    for (int i = 0; i < 2; i++) {
        setsockopt(tls_stream_fd(sides[i]->s), SOL_SOCKET, SO_SNDBUF, &small, sizeof(small));
        stream_want(sides[i]->s, STREAM_READ | STREAM_WRITE);
    }
    for (int round = 0; round < 1000000 && (seen[0] < TOTAL || seen[1] < TOTAL); round++) {
        int i = rand_r(&seed) % 2;
        size_t n = 1 + (size_t)rand_r(&seed) % (rand_r(&seed) % 4 ? 200 : sizeof(out));

        if (sent[i] < TOTAL) {
            struct iovec v[4];
            size_t put = 0;
            size_t cut = n / 3;

            n = MIN_OF(n, TOTAL - sent[i]);
            cut = n / 3;
            set_pattern(out, n, sent[i]);
            v[0] = (struct iovec){out, cut / 2};
            v[1] = (struct iovec){out, 0};
            v[2] = (struct iovec){out + cut / 2, cut - cut / 2};
            v[3] = (struct iovec){out + cut, n - cut};
            switch (stream_write(sides[i]->s, v, 4, &put)) {
            case IO_OK:
                assert_in_range(put, 1, n);
                sent[i] += put;
                break;
            case IO_AGAIN:
                break;
            default:
                fail_msg("%s", sides[i]->s->why);
            }
        }
        i = rand_r(&seed) % 2;
        n = 1 + (size_t)rand_r(&seed) % sizeof(in);
        size_t got = 0;
        if (stream_read(sides[i]->s, in, n, &got) == IO_OK) {
            assert_in_range(got, 1, n);
            for (size_t k = 0; k < got; k++)
                if (in[k] != pattern(seen[i] + k))
                    fail_msg("byte %zu is wrong", seen[i] + k);
            seen[i] += got;
        }
        if (round % 3 == 0)
            turns(1);
    }
    assert_int_equal(seen[0], TOTAL);
    assert_int_equal(seen[1], TOTAL);
    end(&t);
}

/* The owner may change its mind after AGAIN: what was taken is sent as it was, and goes out without its help. */
static void keeps_a_record_that_is_stuck(void **state)
{
    struct two t;
    static uint8_t block[65536];
    static uint8_t in[65536];
    size_t put;
    size_t sent = 0;
    size_t seen = 0;
    size_t got;
    int small = 4096;

    open_two(&t);
    setsockopt(tls_stream_fd(t.a.s), SOL_SOCKET, SO_SNDBUF, &small, sizeof(small));
    for (;;) {
        struct iovec v = {block, sizeof(block)};
        enum io r;

        set_pattern(block, sizeof(block), sent);
        r = stream_write(t.a.s, &v, 1, &put);
        if (r == IO_AGAIN)
            break;
        assert_int_equal(r, IO_OK);
        sent += put;
    }
    assert_true(t.a.s->blocked & STREAM_WRITE);
    assert_int_equal(stream_shut_write(t.a.s), IO_AGAIN); /* not everything has left */
    stream_want(t.a.s, 0);
    /* Nobody wants to write, and yet the reader gets all that was taken. */
    for (int i = 0; i < 200 && seen < sent; i++) {
        while (stream_read(t.b.s, in, sizeof(in), &got) == IO_OK) {
            for (size_t k = 0; k < got; k++)
                assert_int_equal(in[k], pattern(seen + k));
            seen += got;
        }
        turns(1);
    }
    assert_int_equal(seen, sent);
    assert_false(t.a.s->blocked & STREAM_WRITE);
    /* Then other bytes, fewer than before: no record of the past comes back. */
    assert_int_equal(put_text(t.a.s, "pong", &put), IO_OK);
    turns(2);
    expect_text(t.b.s, "pong");
    assert_int_equal(stream_shut_write(t.a.s), IO_OK);
    end(&t);
}

/* Bytes that OpenSSL holds wake the owner, although the socket is silent. */
static void never_sleeps_on_held_bytes(void **state)
{
    struct two t;
    uint8_t one;
    size_t n;
    size_t put;

    open_two(&t);
    for (int i = 0; i < 3; i++)
        assert_int_equal(put_text(t.b.s, "abcd", &put), IO_OK);
    turns(1);
    for (int i = 0; i < 12; i++) {
        int before = t.a.readies;

        stream_want(t.a.s, STREAM_READ);
        turns(2);
        assert_false(t.a.s->blocked & STREAM_READ);
        if (t.a.readies == before)
            fail_msg("asleep with %d bytes to go", 12 - i);
        assert_int_equal(stream_read(t.a.s, &one, 1, &n), IO_OK);
        assert_int_equal(one, "abcd"[i % 4]);
        if (i == 5) { /* no interest, no call */
            stream_want(t.a.s, 0);
            before = t.a.readies;
            turns(3);
            assert_int_equal(t.a.readies, before);
        }
    }
    /* And with nothing held it sleeps. */
    assert_int_equal(stream_read(t.a.s, &one, 1, &n), IO_AGAIN);
    assert_int_equal(t.a.s->blocked, STREAM_READ);
    stream_want(t.a.s, STREAM_READ);
    turns(2);
    int before = t.a.readies;
    turns(5);
    assert_int_equal(t.a.readies, before);

    /* Half a record is nothing: no spinning on it. */
    end(&t);
}

static void does_not_spin_on_half_a_record(void **state)
{
    struct tls_settings s = server_settings();
    struct tls_set *set = make_set(&s);
    struct peer p = {.c = SSL_CTX_new(TLS_client_method())};
    BIO *out = BIO_new(BIO_s_mem());
    char *record;
    long len;
    size_t n;

    peer_begin(&p, set, 0);
    peer_handshake(&p);
    assert_int_equal(p.a.start, IO_OK);
    SSL_set0_wbio(p.ssl, out);
    assert_int_equal(SSL_write(p.ssl, "half and half", 13), 13);
    len = BIO_get_mem_data(out, &record);
    assert_int_equal(write(p.fd, record, (size_t)len / 2), len / 2);
    turns(2);
    assert_int_equal(read_some(p.a.s, &n), IO_AGAIN);
    stream_want(p.a.s, STREAM_READ);
    turns(2);
    int before = p.a.readies;
    turns(10);
    assert_int_equal(p.a.readies, before);
    assert_int_equal(write(p.fd, record + len / 2, (size_t)(len - len / 2)), len - len / 2);
    turns(2);
    assert_true(p.a.readies > before);
    expect_text(p.a.s, "half and half");
    peer_end(&p);
    SSL_CTX_free(p.c);
    tls_set_give(set);
}

/* Header and payload leave as one record: seen from outside as one type-23 record. */
static void small_pieces_become_one_record(void **state)
{
    struct two t;
    char text[] = "abcdef";
    struct iovec v[3] = {{text, 2}, {text, 0}, {text + 2, 4}};
    uint8_t raw[256];
    ssize_t n;
    size_t put;
    int fd;

    open_two(&t);
    fd = tls_stream_fd(t.b.s);
    while (recv(fd, raw, sizeof(raw), MSG_DONTWAIT) > 0)
        continue; /* tickets; the client is not used any more */
    assert_int_equal(stream_write(t.a.s, v, 3, &put), IO_OK);
    assert_int_equal(put, 6);
    n = recv(fd, raw, sizeof(raw), MSG_DONTWAIT);
    assert_int_equal(n, 5 + 6 + 1 + 16);
    assert_int_equal(raw[0], 23);
    assert_int_equal(raw[3] << 8 | raw[4], n - 5);
    end(&t);
}

/* A peer that asks for small records gets them, and no byte is lost over it. */
static void honours_small_fragments(void **state)
{
    struct tls_settings s = server_settings();
    struct tls_set *set = make_set(&s);
    struct peer p = {.c = SSL_CTX_new(TLS_client_method())};
    static uint8_t block[40000];
    static uint8_t in[65536];
    struct iovec v = {block, sizeof(block)};
    size_t sent = 0;
    size_t seen = 0;
    size_t put;
    int small = 4096;

    SSL_CTX_set_tlsext_max_fragment_length(p.c, TLSEXT_max_fragment_length_512);
    peer_begin(&p, set, 0);
    peer_handshake(&p);
    assert_int_equal(p.a.start, IO_OK);
    setsockopt(tls_stream_fd(p.a.s), SOL_SOCKET, SO_SNDBUF, &small, sizeof(small));
    for (int round = 0; round < 3000 && seen < 200000; round++) {
        if (sent < 200000) {
            set_pattern(block, sizeof(block), sent);
            v.iov_len = MIN_OF(sizeof(block), 200000 - sent);
            if (stream_write(p.a.s, &v, 1, &put) == IO_OK)
                sent += put;
        }
        for (int n; (n = SSL_read(p.ssl, in, sizeof(in))) > 0; seen += (size_t)n) {
            assert_true(n <= 512);
            for (int k = 0; k < n; k++)
                assert_int_equal(in[k], pattern(seen + (size_t)k));
        }
        ERR_clear_error();
        turns(1);
    }
    assert_int_equal(seen, 200000);
    peer_end(&p);
    SSL_CTX_free(p.c);
    tls_set_give(set);
}

/* A key update whose answer cannot leave at once: reading waits for the socket to take it, and goes on. */
static void survives_key_updates(void **state)
{
    struct tls_settings s = server_settings();
    struct tls_set *set = make_set(&s);
    struct peer p = {.c = SSL_CTX_new(TLS_client_method())};
    static uint8_t block[65536];
    static uint8_t in[65536];
    struct iovec v = {block, sizeof(block)};
    size_t sent = 0;
    size_t seen = 0;
    size_t put;
    size_t n;
    int small = 4096;

    peer_begin(&p, set, 0);
    peer_handshake(&p);
    setsockopt(tls_stream_fd(p.a.s), SOL_SOCKET, SO_SNDBUF, &small, sizeof(small));
    for (set_pattern(block, sizeof(block), sent); stream_write(p.a.s, &v, 1, &put) == IO_OK;
         set_pattern(block, sizeof(block), sent))
        sent += put;
    assert_int_equal(SSL_key_update(p.ssl, SSL_KEY_UPDATE_REQUESTED), 1);
    assert_int_equal(SSL_write(p.ssl, "after", 5), 5);
    turns(2);
    (void)read_some(p.a.s, &n); /* blocked or not: it must not fail */
    stream_want(p.a.s, STREAM_READ);
    for (int round = 0; round < 400 && (seen < sent || n == 0); round++) {
        for (int got; (got = SSL_read(p.ssl, in, sizeof(in))) > 0; seen += (size_t)got)
            for (int k = 0; k < got; k++)
                assert_int_equal(in[k], pattern(seen + (size_t)k));
        ERR_clear_error();
        turns(1);
        if (n == 0 && read_some(p.a.s, &n) == IO_FAIL)
            fail_msg("%s", p.a.s->why);
    }
    assert_int_equal(seen, sent);
    assert_int_equal(n, 5);
    peer_end(&p);
    SSL_CTX_free(p.c);
    tls_set_give(set);
}

/* --- ends --------------------------------------------------------------------------------------------------------- */

static void half_closes_both_ways(void **state)
{
    struct two t;
    struct tls_info info;
    size_t n;

    open_two(&t);
    assert_int_equal(put_text(t.b.s, "last", &n), IO_OK);
    assert_int_equal(stream_shut_write(t.b.s), IO_OK);
    assert_int_equal(stream_shut_write(t.b.s), IO_OK); /* again is no harm */
    assert_int_equal(put_text(t.b.s, "x", &n), IO_FAIL);
    turns(2);
    expect_text(t.a.s, "last");
    assert_int_equal(read_some(t.a.s, &n), IO_EOF);
    assert_int_equal(read_some(t.a.s, &n), IO_EOF);
    assert_true(tls_stream_info(t.a.s, &info));
    assert_false(info.truncated);
    /* The other direction still works. */
    assert_int_equal(put_text(t.a.s, "answer", &n), IO_OK);
    turns(2);
    expect_text(t.b.s, "answer");
    assert_int_equal(stream_shut_write(t.a.s), IO_OK);
    turns(2);
    assert_int_equal(read_some(t.b.s, &n), IO_EOF);
    end(&t);
}

static void wakes_for_the_end(void **state)
{
    struct two t;
    size_t n;
    uint8_t buf[4];

    open_two(&t);
    assert_int_equal(put_text(t.b.s, "abcd", &n), IO_OK);
    assert_int_equal(stream_shut_write(t.b.s), IO_OK); /* no FIN: the end is a record like any other */
    turns(2);
    assert_int_equal(stream_read(t.a.s, buf, 4, &n), IO_OK);
    int before = t.a.readies;
    stream_want(t.a.s, STREAM_READ);
    turns(2);
    assert_true(t.a.readies > before);
    assert_int_equal(stream_read(t.a.s, buf, 4, &n), IO_EOF);
    stream_want(t.a.s, STREAM_READ);
    turns(2);
    before = t.a.readies;
    turns(3);
    assert_int_equal(t.a.readies, before); /* told once */
    end(&t);
}

static void marks_truncation(void **state)
{
    struct two t;
    struct tls_info info;
    size_t n;

    open_two(&t);
    assert_int_equal(put_text(t.b.s, "abc", &n), IO_OK);
    shutdown(tls_stream_fd(t.b.s), SHUT_WR);
    turns(2);
    expect_text(t.a.s, "abc");
    turns(1);
    assert_int_equal(read_some(t.a.s, &n), IO_EOF);
    assert_true(tls_stream_info(t.a.s, &info));
    assert_true(info.truncated);
    assert_int_equal(put_text(t.a.s, "still", &n), IO_OK);
    turns(1);
    expect_text(t.b.s, "still");
    end(&t);
}

static int tcp_pair(int fds[2])
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(a);
    int l = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_int_equal(bind(l, (struct sockaddr *)&a, len), 0);
    assert_int_equal(listen(l, 1), 0);
    assert_int_equal(getsockname(l, (struct sockaddr *)&a, &len), 0);
    fds[1] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(fds[1], (struct sockaddr *)&a, len), 0);
    fds[0] = accept4(l, NULL, NULL, SOCK_CLOEXEC);
    assert_true(fds[0] >= 0);
    for (int i = 0; i < 2; i++)
        fcntl(fds[i], F_SETFL, O_NONBLOCK);
    return close(l);
}

static void an_abort_is_a_reset(void **state)
{
    struct tls_settings s = server_settings();
    struct tls_backend_settings b = client_settings();
    struct tls_set *set = make_set(&s);
    struct tls_client *c = make_client(&b);
    struct two t;
    size_t n;
    int fds[2];

    memset(&t, 0, sizeof(t));
    tcp_pair(fds);
    begin_side(&t.a, tls_server_stream_new(rig.loop, fds[0], set, 0, &t.a.o));
    begin_side(&t.b, tls_client_stream_new(rig.loop, fds[1], c, "server.test", &t.b.o));
    for (int i = 0; i < 200 && (t.a.start != IO_OK || t.b.start != IO_OK); i++) {
        turns(1);
        usleep(1000);
    }
    assert_int_equal(t.a.start, IO_OK);
    assert_int_equal(t.b.start, IO_OK);
    stream_free(t.b.s, STREAM_END_ABORT);
    usleep(2000);
    turns(3);
    assert_int_equal(read_some(t.a.s, &n), IO_FAIL);
    assert_int_equal(t.a.s->err, ECONNRESET);
    assert_non_null(t.a.s->why);
    stream_free(t.a.s, STREAM_END_ABORT);
    turns(2);
    tls_set_give(set);
    tls_client_give(c);
}

static void a_broken_record_is_a_failure(void **state)
{
    struct two t;
    size_t n;

    open_two(&t);
    assert_int_equal(write(tls_stream_fd(t.b.s), "\x17\x03\x03\x00\x20 no such record, no such keys ..", 37), 37);
    turns(2);
    assert_int_equal(read_some(t.a.s, &n), IO_FAIL);
    assert_non_null(strstr(t.a.s->why, "decryption failed or bad record mac"));
    end(&t);
}

/* free from inside ready, in every phase; the sanitizer watches. */
static void free_in_ready(struct stream_owner *o, struct stream *s)
{
    struct side *side = container_of(o, struct side, o);

    side->s = NULL;
    stream_free(s, side->readies++ ? STREAM_END_ABORT : STREAM_END_CLEAN);
}

static void may_be_freed_in_ready(void **state)
{
    struct two t;
    struct tls_settings s = server_settings();
    struct tls_set *set = make_set(&s);
    struct side a = {.o.ready = free_in_ready};
    int fds[2];
    size_t n;

    open_two(&t);
    t.a.o.ready = free_in_ready;
    assert_int_equal(put_text(t.b.s, "x", &n), IO_OK);
    turns(2);
    assert_null(t.a.s);
    stream_free(t.b.s, STREAM_END_ABORT);

    pair_of(fds);
    a.s = tls_server_stream_new(rig.loop, fds[0], set, 0, &a.o);
    stream_want(a.s, STREAM_READ);
    assert_int_equal(write(fds[1], "x", 1), 1);
    turns(2);
    assert_null(a.s);
    close(fds[1]);
    turns(2);
    tls_set_give(set);
}

static void sniffs(void **state)
{
    static const struct {
        const char *p;
        size_t n;
        enum tls_sniff want;
    } rows[] = {
        {"\x16", 1, TLS_SNIFF_TLS},       {"\x16\x03\x01", 3, TLS_SNIFF_TLS}, {"\x16\x02", 2, TLS_SNIFF_OTHER},
        {"G", 1, TLS_SNIFF_HTTP},         {"GET", 3, TLS_SNIFF_HTTP},         {"PUT /", 5, TLS_SNIFF_HTTP},
        {"G3T", 3, TLS_SNIFF_OTHER},      {"get", 3, TLS_SNIFF_OTHER},        {"\x80\x2e\x01", 3, TLS_SNIFF_OTHER},
        {"\r\n\r\n", 4, TLS_SNIFF_OTHER}, {"\0", 1, TLS_SNIFF_OTHER},
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        assert_int_equal(tls_sniff((const uint8_t *)rows[i].p, rows[i].n), rows[i].want);
}

/* What an idle session costs, everything of OpenSSL's included: measured over a hundred whose clients live in another
 * process. Sanitizers count otherwise. */
static void idle_sessions_are_small(void **state)
{
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    skip();
#else
    enum { COUNT = 100 };
    struct tls_settings s = server_settings();
    struct tls_set *set = make_set(&s);
    static struct side sides[COUNT];
    static int fds[COUNT][2];
    size_t before;
    size_t each;
    size_t n;
    pid_t pid;

    for (int i = 0; i < COUNT; i++)
        pair_of(fds[i]);
    pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        SSL_CTX *c = SSL_CTX_new(TLS_client_method());
        char buf[5000];

        for (int i = 0; i < COUNT; i++) {
            SSL *ssl = SSL_new(c);

            close(fds[i][0]);
            fcntl(fds[i][1], F_SETFL, 0);
            SSL_set_fd(ssl, fds[i][1]);
            if (SSL_connect(ssl) != 1 || SSL_write(ssl, buf, sizeof(buf)) <= 0 || SSL_read(ssl, buf, 4) <= 0)
                _exit(1);
        }
        pause();
        _exit(0);
    }
    for (int i = 0; i < COUNT; i++)
        close(fds[i][1]);
    before = mallinfo2().uordblks;
    for (int i = 0; i < COUNT; i++) {
        begin_side(&sides[i], tls_server_stream_new(rig.loop, fds[i][0], set, TLS_ALPN_HTTP1, &sides[i].o));
        for (int k = 0; k < 3000 && sides[i].start == IO_AGAIN; k++) {
            turns(1);
            usleep(100);
        }
        assert_int_equal(sides[i].start, IO_OK);
        for (int k = 0; k < 3000 && read_some(sides[i].s, &n) == IO_AGAIN; k++) {
            turns(1);
            usleep(100);
        }
        assert_true(n > 0);
        while (read_some(sides[i].s, &n) == IO_OK)
            continue;
        assert_int_equal(put_text(sides[i].s, "pong", &n), IO_OK);
    }
    each = (mallinfo2().uordblks - before) / COUNT;
    print_message("an idle TLS session: %zu bytes\n", each);
    assert_in_range(each, 1000, 16500);
    for (int i = 0; i < COUNT; i++)
        stream_free(sides[i].s, STREAM_END_ABORT);
    turns(2);
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    tls_set_give(set);
#endif
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(greets_and_tells),
        cmocka_unit_test(counts_what_is_open),
        cmocka_unit_test(checks_the_name),
        cmocka_unit_test(refuses_strange_authorities),
        cmocka_unit_test(asks_for_client_certificates),
        cmocka_unit_test(honours_revocation),
        cmocka_unit_test(chooses_the_protocol),
        cmocka_unit_test(resumes_sessions),
        cmocka_unit_test(ticks_the_tickets),
        cmocka_unit_test(refuses_old_and_odd_hellos),
        cmocka_unit_test(refuses_renegotiation),
        cmocka_unit_test(moves_bytes_unharmed),
        cmocka_unit_test(keeps_a_record_that_is_stuck),
        cmocka_unit_test(never_sleeps_on_held_bytes),
        cmocka_unit_test(does_not_spin_on_half_a_record),
        cmocka_unit_test(small_pieces_become_one_record),
        cmocka_unit_test(honours_small_fragments),
        cmocka_unit_test(survives_key_updates),
        cmocka_unit_test(half_closes_both_ways),
        cmocka_unit_test(wakes_for_the_end),
        cmocka_unit_test(marks_truncation),
        cmocka_unit_test(an_abort_is_a_reset),
        cmocka_unit_test(a_broken_record_is_a_failure),
        cmocka_unit_test(may_be_freed_in_ready),
        cmocka_unit_test(sniffs),
        cmocka_unit_test(idle_sessions_are_small),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
