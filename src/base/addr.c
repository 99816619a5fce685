/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the wsbridge authors */
/*
 * Addresses to text and back. Digits are read by inet_pton, which takes four decimal numbers without leading zeros and
 * nothing else: "010.0.0.1", "127.1" and "0x7f000001" mean different things to different programs, so they mean nothing
 * here. A zone may be an interface's name or its number; formatting writes the number, which needs no system call.
 */
#include "base/addr.h"

#include <arpa/inet.h>
#include <net/if.h>
#include <stdio.h>

#include "base/strbuf.h"

static bool parse_port(struct slice s, uint16_t *out)
{
    uint64_t n;
    if (s.n > 1 && s.p[0] == '0')
        return false;
    if (!slice_to_u64(s, 65535, &n))
        return false;
    *out = (uint16_t)n;
    return true;
}

/* A NUL-terminated copy; false when it does not fit or holds a NUL. */
static bool copy_text(struct slice s, char *buf, size_t cap)
{
    if (s.n == 0 || s.n >= cap || memchr(s.p, '\0', s.n))
        return false;
    memcpy(buf, s.p, s.n);
    buf[s.n] = '\0';
    return true;
}

static bool parse_zone(struct slice s, uint32_t *out)
{
    char name[IF_NAMESIZE];
    uint64_t n;
    if (slice_to_u64(s, UINT32_MAX, &n)) {
        *out = (uint32_t)n;
        return n > 0 && s.p[0] != '0';
    }
    if (!copy_text(s, name, sizeof(name)))
        return false;
    *out = if_nametoindex(name);
    return *out != 0;
}

static bool parse_ipv4(struct slice text, uint16_t port, struct addr *out)
{
    char buf[INET_ADDRSTRLEN];
    *out = (struct addr){.len = sizeof(out->u.in4)};
    out->u.in4.sin_family = AF_INET;
    out->u.in4.sin_port = htons(port);
    return copy_text(text, buf, sizeof(buf)) && inet_pton(AF_INET, buf, &out->u.in4.sin_addr) == 1;
}

static bool parse_ipv6(struct slice text, uint16_t port, struct addr *out)
{
    char buf[INET6_ADDRSTRLEN];
    ptrdiff_t percent = slice_find(text, '%');
    *out = (struct addr){.len = sizeof(out->u.in6)};
    out->u.in6.sin6_family = AF_INET6;
    out->u.in6.sin6_port = htons(port);
    if (percent >= 0) {
        struct slice zone = {text.p + percent + 1, text.n - (size_t)percent - 1};
        text.n = (size_t)percent;
        if (!parse_zone(zone, &out->u.in6.sin6_scope_id))
            return false;
    }
    return copy_text(text, buf, sizeof(buf)) && inet_pton(AF_INET6, buf, &out->u.in6.sin6_addr) == 1;
}

bool addr_parse_ip(struct slice text, uint16_t port, struct addr *out)
{
    if (text.n >= 2 && text.p[0] == '[' && text.p[text.n - 1] == ']')
        return parse_ipv6((struct slice){text.p + 1, text.n - 2}, port, out);
    if (slice_find(text, ':') >= 0)
        return parse_ipv6(text, port, out);
    return parse_ipv4(text, port, out);
}

/* Splits at the port's colon. `has_port` says whether there was one. */
static bool split(struct slice text, struct slice *host, uint16_t *port, bool *has_port)
{
    struct slice rest;
    if (text.n > 0 && text.p[0] == '[') {
        ptrdiff_t end = slice_find(text, ']');
        if (end < 0)
            return false;
        *host = (struct slice){text.p + 1, (size_t)end - 1};
        rest = (struct slice){text.p + end + 1, text.n - (size_t)end - 1};
        if (slice_find(*host, ':') < 0 || slice_find(*host, '[') >= 0) /* brackets are for IPv6 alone */
            return false;
    } else {
        ptrdiff_t colon = slice_find(text, ':');
        size_t n = colon < 0 ? text.n : (size_t)colon;
        *host = (struct slice){text.p, n};
        rest = (struct slice){text.p + n, text.n - n};
        if (slice_find(*host, ']') >= 0)
            return false;
    }
    *has_port = rest.n > 0;
    if (host->n == 0)
        return false;
    return !*has_port || (rest.p[0] == ':' && parse_port((struct slice){rest.p + 1, rest.n - 1}, port));
}

bool addr_split_host_port(struct slice text, struct slice *host, uint16_t *port)
{
    struct slice h;
    uint16_t p = 0;
    bool has_port;
    if (!split(text, &h, &p, &has_port))
        return false;
    *host = h;
    if (has_port)
        *port = p;
    return true;
}

bool addr_parse_ip_port(struct slice text, struct addr *out)
{
    struct slice host;
    uint16_t port;
    bool has_port;
    if (!split(text, &host, &port, &has_port) || !has_port)
        return false;
    return text.p[0] == '[' ? parse_ipv6(host, port, out) : parse_ipv4(host, port, out);
}

bool addr_parse_unix(struct slice path, struct addr *out)
{
    *out = (struct addr){0};
    out->u.un.sun_family = AF_UNIX;
    bool abstract = path.n > 0 && path.p[0] == '@';
    /* A path needs its terminator. An abstract name has none, and a lone '@' names nothing. */
    size_t room = sizeof(out->u.un.sun_path) - (abstract ? 0 : 1);
    if (path.n < (abstract ? 2 : 1) || path.n > room || memchr(path.p, '\0', path.n))
        return false;
    memcpy(out->u.un.sun_path, path.p, path.n);
    if (abstract)
        out->u.un.sun_path[0] = '\0';
    out->len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + path.n + (abstract ? 0 : 1));
    return true;
}

void addr_to_ip_port(const struct addr *a, struct ip_port *out)
{
    *out = (struct ip_port){.family = IP_NONE};
    if (a->len < sizeof(sa_family_t))
        return;
    if (a->u.sa.sa_family == AF_UNIX) {
        out->family = IP_UNIX;
    } else if (a->u.sa.sa_family == AF_INET) {
        out->family = IP_V4;
        out->port = ntohs(a->u.in4.sin_port);
        memcpy(out->ip, &a->u.in4.sin_addr, 4);
    } else if (a->u.sa.sa_family == AF_INET6) {
        const struct in6_addr *in6 = &a->u.in6.sin6_addr;
        bool mapped = IN6_IS_ADDR_V4MAPPED(in6);
        out->family = mapped ? IP_V4 : IP_V6;
        out->port = ntohs(a->u.in6.sin6_port);
        out->scope = mapped ? 0 : a->u.in6.sin6_scope_id;
        memcpy(out->ip, in6->s6_addr + (mapped ? 12 : 0), mapped ? 4 : 16);
    }
}

bool addr_from_ip_port(const struct ip_port *ip, struct addr *out)
{
    *out = (struct addr){0};
    if (ip->family == IP_V4) {
        out->len = sizeof(out->u.in4);
        out->u.in4.sin_family = AF_INET;
        out->u.in4.sin_port = htons(ip->port);
        memcpy(&out->u.in4.sin_addr, ip->ip, 4);
        return true;
    }
    if (ip->family == IP_V6) {
        out->len = sizeof(out->u.in6);
        out->u.in6.sin6_family = AF_INET6;
        out->u.in6.sin6_port = htons(ip->port);
        out->u.in6.sin6_scope_id = ip->scope;
        memcpy(&out->u.in6.sin6_addr, ip->ip, 16);
        return true;
    }
    return false;
}

static void put_ip(struct strbuf *b, const struct ip_port *ip)
{
    char text[INET6_ADDRSTRLEN];
    int family = ip->family == IP_V4 ? AF_INET : AF_INET6;
    if (ip->family == IP_UNIX) {
        strbuf_str(b, "unix");
    } else if (ip->family == IP_NONE) {
        strbuf_char(b, '-');
    } else {
        strbuf_str(b, inet_ntop(family, ip->ip, text, sizeof(text)));
        if (ip->scope != 0)
            strbuf_printf(b, "%%%u", ip->scope);
    }
}

const char *ip_format(const struct ip_port *ip, char *buf)
{
    struct strbuf b;
    strbuf_init(&b, buf, ADDR_TEXT_MAX);
    put_ip(&b, ip);
    return buf;
}

const char *ip_port_format(const struct ip_port *ip, char *buf)
{
    struct strbuf b;
    strbuf_init(&b, buf, ADDR_TEXT_MAX);
    if (ip->family == IP_V6)
        strbuf_char(&b, '[');
    put_ip(&b, ip);
    if (ip->family == IP_V6)
        strbuf_char(&b, ']');
    if (ip->port) /* X-Forwarded-For names no port */
        strbuf_printf(&b, ":%u", ip->port);
    return buf;
}

static void put_unix(struct strbuf *b, const struct addr *a)
{
    size_t fixed = offsetof(struct sockaddr_un, sun_path);
    size_t n = a->len > fixed ? MIN_OF(a->len - fixed, sizeof(a->u.un.sun_path)) : 0;
    const char *path = a->u.un.sun_path;
    strbuf_str(b, "unix");
    if (n == 0) /* a socket without a name: the client's end, mostly */
        return;
    strbuf_char(b, ':');
    if (path[0] != '\0') {
        strbuf_put(b, (struct slice){path, strnlen(path, n)});
        return;
    }
    for (size_t i = 0; i < n; i++) /* an abstract name may hold NULs; '@' is how they are shown */
        strbuf_char(b, path[i] == '\0' ? '@' : path[i]);
}

const char *addr_format(const struct addr *a, char *buf)
{
    if (a->len >= sizeof(sa_family_t) && a->u.sa.sa_family == AF_UNIX) {
        struct strbuf b;
        strbuf_init(&b, buf, ADDR_TEXT_MAX);
        put_unix(&b, a);
        return buf;
    }
    struct ip_port ip;
    addr_to_ip_port(a, &ip);
    return ip_port_format(&ip, buf);
}

bool ip_equal(const struct ip_port *a, const struct ip_port *b)
{
    if (a->family != b->family)
        return false;
    if (a->family == IP_V4)
        return memcmp(a->ip, b->ip, 4) == 0;
    if (a->family == IP_V6)
        return a->scope == b->scope && memcmp(a->ip, b->ip, 16) == 0;
    return true;
}

/* Whether the first `bits` bits are the same. */
static bool prefix_equal(const uint8_t *a, const uint8_t *b, unsigned bits)
{
    unsigned bytes = bits / 8;
    if (memcmp(a, b, bytes) != 0)
        return false;
    if (bits % 8 == 0)
        return true;
    uint8_t mask = (uint8_t)(0xff00u >> (bits % 8));
    return (a[bytes] & mask) == (b[bytes] & mask);
}

static bool host_bits_zero(const uint8_t *ip, unsigned bits, unsigned end)
{
    for (unsigned i = bits; i < end; i++) {
        if (ip[i / 8] & (0x80u >> (i % 8)))
            return false;
    }
    return true;
}

bool cidr_parse(struct slice text, struct cidr *out)
{
    ptrdiff_t slash = slice_find(text, '/');
    struct slice host = {text.p, slash < 0 ? text.n : (size_t)slash};
    struct addr a;
    uint16_t bits;
    if (slice_find(host, '[') >= 0 || !addr_parse_ip(host, 0, &a))
        return false;
    bool v4 = a.u.sa.sa_family == AF_INET;
    unsigned width = v4 ? 32 : 128;
    if (slash < 0)
        bits = (uint16_t)width;
    else if (!parse_port((struct slice){text.p + slash + 1, text.n - (size_t)slash - 1}, &bits))
        return false;
    if (bits > width || (!v4 && a.u.in6.sin6_scope_id != 0))
        return false;
    uint8_t ip[16] = {0};
    memcpy(ip, v4 ? (const void *)&a.u.in4.sin_addr : (const void *)&a.u.in6.sin6_addr, width / 8);
    if (!host_bits_zero(ip, bits, width))
        return false;
    *out = (struct cidr){.family = v4 ? IP_V4 : IP_V6, .bits = (uint8_t)bits};
    /* Addresses are compared after an IPv4-mapped one became IPv4, so a mapped block has to become IPv4 too. */
    if (!v4 && bits >= 96 && IN6_IS_ADDR_V4MAPPED(&a.u.in6.sin6_addr)) {
        out->family = IP_V4;
        out->bits = (uint8_t)(bits - 96);
        memcpy(out->ip, ip + 12, 4);
    } else {
        memcpy(out->ip, ip, sizeof(out->ip));
    }
    return true;
}

bool cidr_match(const struct cidr *c, const struct ip_port *ip)
{
    return c->family == ip->family && prefix_equal(c->ip, ip->ip, c->bits);
}

/* --- listening -----------------------------------------------------------------------------------------------------
 */

bool addr_is_any(const struct addr *a)
{
    if (a->u.sa.sa_family == AF_INET)
        return a->u.in4.sin_addr.s_addr == htonl(INADDR_ANY);
    return a->u.sa.sa_family == AF_INET6 && IN6_IS_ADDR_UNSPECIFIED(&a->u.in6.sin6_addr);
}

bool addr_is_loopback(const struct addr *a)
{
    if (a->u.sa.sa_family == AF_INET)
        return ntohl(a->u.in4.sin_addr.s_addr) >> 24 == IN_LOOPBACKNET;
    return a->u.sa.sa_family == AF_INET6 && IN6_IS_ADDR_LOOPBACK(&a->u.in6.sin6_addr);
}

bool addr_collide(const struct addr *a, const struct addr *b)
{
    int fa = a->u.sa.sa_family;
    int fb = b->u.sa.sa_family;

    if (fa == AF_UNIX || fb == AF_UNIX)
        return fa == fb && a->len == b->len && memcmp(&a->u, &b->u, a->len) == 0;
    if ((fa != AF_INET && fa != AF_INET6) || (fb != AF_INET && fb != AF_INET6))
        return false;
    if (a->u.in4.sin_port != b->u.in4.sin_port) /* at the same place in both families */
        return false;
    if (fa == fb)
        return addr_is_any(a) || addr_is_any(b) || memcmp(&a->u, &b->u, a->len) == 0;
    return addr_is_any(a) != addr_is_any(b) && addr_is_any(fa == AF_INET6 ? a : b);
}
