/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the wsbridge authors */
/*
 * The access record: one for each session, written when it is over.
 */
#include "obs/log.h"
#include "relay/relay.h"
#include "tls/stream.h"

static const char *const by_text[] = {
    [END_BY_NOBODY] = "nobody", [END_BY_CLIENT] = "client", [END_BY_BACKEND] = "backend", [END_BY_US] = "wsbridge"};

static const char *backend_text(const struct session *s, char *buf)
{
    const struct target *to = &s->route->service->to;

    if (s->builtin || s->backend.family == IP_NONE || s->backend.family == IP_UNIX)
        return to->text;
    return ip_port_format(&s->backend, buf);
}

size_t record_tls(const struct http_exchange *x, char *out)
{
    struct tls_info info;
    struct tls_peer peer;
    struct strbuf b;

    if (!x->transport || !tls_stream_info(x->transport, &info) || !info.cipher)
        return 0;
    if (!tls_stream_peer(x->transport, &peer))
        peer.subject[0] = '\0';
    strbuf_init(&b, out, RECORDED_TLS_MAX);
    strbuf_printf(&b, "%s%c%s%c%s", info.version, 0, info.cipher, 0, peer.subject);
    return b.n + 1;
}

static const char *after(const char *text)
{
    return text + strlen(text) + 1;
}

void record_session(const struct session *s)
{
    char peer[ADDR_TEXT_MAX];
    char back[ADDR_TEXT_MAX];
    const char *sub = after(s->text);
    const char *tls = s->has_tls ? after(sub) : "";
    const char *cipher = s->has_tls ? after(tls) : "";
    const char *client = s->has_tls ? after(cipher) : "";

    if (!log_wants_access(s->env->log))
        return;
    struct kv kv[] = {
        KV_U("id", s->id),
        KV("peer", ip_port_format(&s->peer, peer)),
        KV("listener", s->route->listener_name),
        KV("path", s->text),
        KV("service", s->route->service->name.name),
        KV("backend", backend_text(s, back)),
        KV("subprotocol", *sub ? sub : "-"),
        KV_F("seconds", loop_now(s->env->loop) - s->started),
        KV_U("bytes_up", s->bytes_up),
        KV_U("bytes_down", s->bytes_down),
        KV_U("messages_up", s->messages_up),
        KV_U("messages_down", s->messages_down),
        KV_U("code", s->end_code),
        KV("closed_by", by_text[s->end_by]),
        KV("reason", s->end_why ? s->end_why : "-"),
        KV("tls", tls),
        KV("cipher", cipher),
        KV("client", client),
    };
    log_access(s->env->log, "session", kv, ARRAY_LEN(kv) - (!s->has_tls ? 3 : *client ? 0 : 1));
}
