/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the wsbridge authors */
/*
 * What a TLS stream says about itself and its peer, for logs, rules and PROXY headers.
 */
#include "tls/certificate.h"
#include "tls/stream_inner.h"

int tls_stream_fd(const struct stream *s)
{
    return s->ops == &tls_stream_ops ? container_of(s, const struct tls_stream, s)->watch.fd : -1;
}

bool tls_stream_info(const struct stream *s, struct tls_info *out)
{
    const struct tls_stream *t = container_of(s, const struct tls_stream, s);
    const unsigned char *alpn;
    unsigned n;

    *out = (struct tls_info){.version = ""};
    if (s->ops != &tls_stream_ops)
        return false;
    out->truncated = t->truncated;
    if (!t->ssl)
        return true;
    out->version = SSL_get_version(t->ssl);
    out->cipher = SSL_get_cipher_name(t->ssl);
    out->sni = SSL_get_servername(t->ssl, TLSEXT_NAMETYPE_host_name);
    out->resumed = SSL_session_reused((SSL *)t->ssl);
    out->ktls_send = t->ktls_send;
    out->ktls_receive = t->ktls_receive;
    SSL_get0_alpn_selected(t->ssl, &alpn, &n);
    out->alpn = (struct slice){(const char *)alpn, n};
    return true;
}

bool tls_stream_peer(const struct stream *s, struct tls_peer *out)
{
    const struct tls_stream *t = container_of(s, const struct tls_stream, s);
    unsigned char digest[32];
    unsigned n = sizeof(digest);
    struct strbuf b;
    X509 *x;

    *out = (struct tls_peer){.subject = ""};
    if (s->ops != &tls_stream_ops || !t->ssl || SSL_get_verify_result(t->ssl) != X509_V_OK)
        return false;
    x = SSL_get0_peer_certificate(t->ssl);
    if (!x || SSL_get_verify_mode(t->ssl) == SSL_VERIFY_NONE)
        return false;
    strbuf_init(&b, out->subject, sizeof(out->subject));
    tls_print_subject(x, &b);
    strbuf_init(&b, out->common_name, sizeof(out->common_name));
    tls_print_common_name(x, &b);
    strbuf_init(&b, out->names, sizeof(out->names));
    tls_print_names(x, &b);
    strbuf_init(&b, out->fingerprint, sizeof(out->fingerprint));
    if (X509_digest(x, EVP_sha256(), digest, &n) == 1)
        for (unsigned i = 0; i < n; i++)
            strbuf_printf(&b, "%02x", digest[i]);
    return true;
}

/* A record of type handshake, version 3.x; or a method, which is letters. An SSLv2 hello is neither: OpenSSL would
 * refuse it. */
enum tls_sniff tls_sniff(const uint8_t *p, size_t n)
{
    if (p[0] == 0x16)
        return n < 2 || p[1] == 3 ? TLS_SNIFF_TLS : TLS_SNIFF_OTHER;
    for (size_t i = 0; i < MIN_OF(n, (size_t)3); i++)
        if (p[i] < 'A' || p[i] > 'Z')
            return TLS_SNIFF_OTHER;
    return TLS_SNIFF_HTTP;
}
