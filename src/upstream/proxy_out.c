/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the wsbridge authors */
/*
 * The facts of an exchange as a PROXY header. The client is whoever trusted proxies say it is; where it connected to is
 * what our proxy said, or else our own end of its connection. Version 2 adds what is known of its TLS.
 */
#include "upstream/proxy_out.h"

#include <stdio.h>

#include "net/proxy_protocol.h"
#include "net/socket.h"
#include "tls/stream.h"

#define AUTHORITY_MAX 255

static void find_local(const struct http_exchange *x, struct ip_port *out)
{
    struct addr a = {.len = sizeof a.u};
    int fd = x->transport ? tls_stream_fd(x->transport) : -1;

    *out = x->local;
    if (out->family != IP_NONE || !x->transport)
        return;
    if (fd < 0)
        fd = socket_stream_fd(x->transport);
    if (fd >= 0 && getsockname(fd, &a.u.sa, &a.len) == 0)
        addr_to_ip_port(&a, out);
}

static void fill_tls(struct proxy_header *h, const struct http_exchange *x, struct tls_peer *peer)
{
    struct tls_info info;

    h->ssl.present = x->secure;
    h->ssl.client = PROXY_SSL_USED;
    h->ssl.verify = 1;
    if (!x->transport || !tls_stream_info(x->transport, &info))
        return;
    h->alpn = info.alpn;
    h->ssl.version = slice_of(info.version);
    h->ssl.cipher = info.cipher ? slice_of(info.cipher) : (struct slice){0};
    if (!tls_stream_peer(x->transport, peer))
        return;
    h->ssl.client |= PROXY_SSL_CERT_SESS | (info.resumed ? 0 : PROXY_SSL_CERT_CONN);
    h->ssl.verify = 0;
    h->ssl.cn = slice_of(peer->common_name);
}

size_t proxy_out_write(const struct service *service, const struct http_exchange *x, uint64_t boot, uint8_t *out)
{
    struct proxy_header h = {.src = x->peer};
    struct tls_peer peer;
    char id[34];

    if (service->proxy_protocol == SERVICE_PROXY_OFF)
        return 0;
    find_local(x, &h.dst);
    if (service->proxy_protocol == SERVICE_PROXY_V1)
        return proxy_write_v1(&h, out, PROXY_OUT_MAX);
    if (x->head->authority.n <= AUTHORITY_MAX)
        h.authority = x->head->authority;
    snprintf(id, sizeof id, "%016llx%016llx", (unsigned long long)boot, (unsigned long long)x->id);
    h.unique_id = slice_of(id);
    fill_tls(&h, x, &peer);
    return proxy_write_v2(&h, out, PROXY_OUT_MAX);
}
