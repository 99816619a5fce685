/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the wsbridge authors */
/*
 * The PROXY protocol codec. The specification asks a receiver to refuse what it does not fully understand in the fixed
 * parts and to skip TLVs that it does not know; that is what stands here. Nothing is kept between calls, so a header
 * that comes byte by byte is looked at again from its start: it is at most 16 KiB and comes once a connection.
 */
#include "net/proxy_protocol.h"

#include <arpa/inet.h>
#include <stdio.h>

#define V2_PREFIX 16

static const uint8_t v2_signature[12] = {'\r', '\n', '\r', '\n', 0, '\r', '\n', 'Q', 'U', 'I', 'T', '\n'};
static const char v1_signature[6] = {'P', 'R', 'O', 'X', 'Y', ' '};

enum { FAMILY_UNSPEC = 0, FAMILY_INET = 1, FAMILY_INET6 = 2, FAMILY_UNIX = 3 };
enum { TRANSPORT_UNSPEC = 0, TRANSPORT_STREAM = 1, TRANSPORT_DGRAM = 2 };

static enum proxy_result bad(const char **why, const char *text)
{
    *why = text;
    return PROXY_BAD;
}

static uint16_t get16(const uint8_t *p)
{
    return (uint16_t)(p[0] << 8 | p[1]);
}

static struct slice view(const uint8_t *p, size_t n)
{
    return (struct slice){(const char *)p, n};
}

/* --- addresses ---------------------------------------------------------------------------------------------------- */

/* 16 bytes of IPv6 into the small form; mapped IPv4 becomes IPv4, so that one rule matches one client. */
static void take_ip6(struct ip_port *out, const uint8_t *ip, uint16_t port)
{
    static const uint8_t mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

    *out = (struct ip_port){.family = IP_V6, .port = port};
    if (memcmp(ip, mapped, sizeof(mapped)) == 0) {
        out->family = IP_V4;
        memcpy(out->ip, ip + 12, 4);
    } else {
        memcpy(out->ip, ip, 16);
    }
}

static void take_ip4(struct ip_port *out, const uint8_t *ip, uint16_t port)
{
    *out = (struct ip_port){.family = IP_V4, .port = port};
    memcpy(out->ip, ip, 4);
}

static void put_ip6(const struct ip_port *a, uint8_t *out)
{
    memset(out, 0, 16);
    if (a->family == IP_V6) {
        memcpy(out, a->ip, 16);
    } else {
        out[10] = out[11] = 0xff;
        memcpy(out + 12, a->ip, 4);
    }
}

static bool is_ip(const struct ip_port *a)
{
    return a->family == IP_V4 || a->family == IP_V6;
}

/* --- version 1 ---------------------------------------------------------------------------------------------------- */

static bool v1_port(struct slice s, uint16_t *port)
{
    uint64_t v;

    if (s.n > 1 && s.p[0] == '0')
        return false;
    if (!slice_to_u64(s, 65535, &v))
        return false;
    *port = (uint16_t)v;
    return true;
}

static bool v1_address(int family, struct slice text, struct ip_port *out)
{
    char z[INET6_ADDRSTRLEN];
    uint8_t ip[16];

    if (text.n == 0 || text.n >= sizeof(z))
        return false;
    memcpy(z, text.p, text.n);
    z[text.n] = '\0';
    /* A NUL inside would hide the rest of the text from inet_pton. */
    if (strlen(z) != text.n || inet_pton(family, z, ip) != 1)
        return false;
    if (family == AF_INET)
        take_ip4(out, ip, 0);
    else
        take_ip6(out, ip, 0);
    return true;
}

static enum proxy_result v1_fields(struct slice line, struct proxy_header *out, const char **why)
{
    struct slice part[5];
    struct slice rest = line;
    size_t n = 0;
    int family;

    while (n < 5 && slice_cut(&rest, ' ', &part[n]))
        n++;
    if (slice_eq(part[0], SLICE("UNKNOWN")))
        return PROXY_DONE;
    if (slice_eq(part[0], SLICE("TCP4")))
        family = AF_INET;
    else if (slice_eq(part[0], SLICE("TCP6")))
        family = AF_INET6;
    else
        return bad(why, "PROXY v1 names an unknown protocol");
    if (n != 5 || rest.p != NULL)
        return bad(why, "PROXY v1 has the wrong number of fields");
    if (!v1_address(family, part[1], &out->src) || !v1_address(family, part[2], &out->dst))
        return bad(why, "PROXY v1 holds an address that is none");
    if (!v1_port(part[3], &out->src.port) || !v1_port(part[4], &out->dst.port))
        return bad(why, "PROXY v1 holds a port that is none");
    return PROXY_DONE;
}

static enum proxy_result v1_parse(const uint8_t *p, size_t n, struct proxy_header *out, size_t *used, const char **why)
{
    size_t look = MIN_OF(n, PROXY_V1_MAX);
    const uint8_t *cr = memchr(p, '\r', look);
    size_t length;

    if (memchr(p, '\n', cr ? (size_t)(cr - p) : look))
        return bad(why, "PROXY v1 has a line feed without carriage return");
    if (!cr || cr == p + PROXY_V1_MAX - 1)
        return n >= PROXY_V1_MAX ? bad(why, "PROXY v1 is longer than 107 bytes") : PROXY_MORE;
    length = (size_t)(cr - p);
    if (length + 1 == n)
        return PROXY_MORE;
    if (cr[1] != '\n')
        return bad(why, "PROXY v1 has a carriage return without line feed");
    *used = length + 2;
    out->version = 1;
    return v1_fields(view(p + sizeof(v1_signature), length - sizeof(v1_signature)), out, why);
}

/* --- version 2 ---------------------------------------------------------------------------------------------------- */

/* CRC-32C (RFC 3720, appendix B.4), four bits at a time: it is used once a connection on a few bytes. */
static uint32_t crc32c(uint32_t crc, const uint8_t *p, size_t n)
{
    static const uint32_t nibble[16] = {
        0x00000000, 0x105ec76f, 0x20bd8ede, 0x30e349b1, 0x417b1dbc, 0x5125dad3, 0x61c69362, 0x7198540d,
        0x82f63b78, 0x92a8fc17, 0xa24bb5a6, 0xb21572c9, 0xc38d26c4, 0xd3d3e1ab, 0xe330a81a, 0xf36e6f75,
    };

    for (size_t i = 0; i < n; i++) {
        crc ^= p[i];
        crc = crc >> 4 ^ nibble[crc & 15];
        crc = crc >> 4 ^ nibble[crc & 15];
    }
    return crc;
}

/* Over the whole header with the checksum's own four bytes as zero. */
static uint32_t header_crc(const uint8_t *p, size_t n, size_t field)
{
    static const uint8_t zero[4];
    uint32_t crc = crc32c(0xffffffff, p, field);

    crc = crc32c(crc, zero, 4);
    return ~crc32c(crc, p + field + 4, n - field - 4);
}

bool proxy_tlv_next(struct slice *rest, uint8_t *type, struct slice *value)
{
    const uint8_t *p = (const uint8_t *)rest->p;
    size_t length;

    if (rest->n < 3)
        return false;
    length = get16(p + 1);
    if (length > rest->n - 3)
        return false;
    *type = p[0];
    *value = view(p + 3, length);
    rest->p += 3 + length;
    rest->n -= 3 + length;
    return true;
}

static enum proxy_result v2_ssl(struct slice value, struct proxy_header *out, const char **why)
{
    const uint8_t *p = (const uint8_t *)value.p;
    struct slice rest;
    struct slice sub;
    uint8_t type;

    if (value.n < 5)
        return bad(why, "PROXY v2 has a truncated SSL block");
    out->ssl.present = true;
    out->ssl.client = p[0];
    out->ssl.verify = (uint32_t)get16(p + 1) << 16 | get16(p + 3);
    rest = view(p + 5, value.n - 5);
    while (proxy_tlv_next(&rest, &type, &sub)) {
        if (type == PROXY_TLV_SSL_VERSION)
            out->ssl.version = sub;
        else if (type == PROXY_TLV_SSL_CIPHER)
            out->ssl.cipher = sub;
        else if (type == PROXY_TLV_SSL_CN)
            out->ssl.cn = sub;
    }
    return rest.n ? bad(why, "PROXY v2 has a truncated field in its SSL block") : PROXY_DONE;
}

static enum proxy_result v2_tlv(const uint8_t *p, size_t n, uint8_t type, struct slice value, struct proxy_header *out,
                                const char **why)
{
    switch (type) {
    case PROXY_TLV_ALPN:
        out->alpn = value;
        return PROXY_DONE;
    case PROXY_TLV_AUTHORITY:
        out->authority = value;
        return PROXY_DONE;
    case PROXY_TLV_UNIQUE_ID:
        if (value.n > PROXY_UNIQUE_ID_MAX)
            return bad(why, "PROXY v2 has a unique id of more than 128 bytes");
        out->unique_id = value;
        return PROXY_DONE;
    case PROXY_TLV_SSL:
        return v2_ssl(value, out, why);
    case PROXY_TLV_CRC32C: {
        const uint8_t *c = (const uint8_t *)value.p;

        if (value.n != 4)
            return bad(why, "PROXY v2 has a checksum that is not four bytes long");
        if (header_crc(p, n, (size_t)(c - p)) != ((uint32_t)get16(c) << 16 | get16(c + 2)))
            return bad(why, "PROXY v2 has a wrong checksum");
        out->crc = true;
        return PROXY_DONE;
    }
    default:
        return PROXY_DONE; /* unknown ones are skipped, as the specification asks */
    }
}

/* The path of a unix address: up to the first NUL, or for an abstract one (NUL first) up to the last byte that is not
 * NUL. */
static struct slice unix_path(const uint8_t *p)
{
    size_t n = PROXY_UNIX_MAX;

    if (p[0] != 0)
        return view(p, strnlen((const char *)p, PROXY_UNIX_MAX));
    while (n > 0 && p[n - 1] == 0)
        n--;
    return view(p, n);
}

/* The address block; its length, or -1 when it is broken. */
static ptrdiff_t v2_addresses(uint8_t family_byte, const uint8_t *a, size_t n, struct proxy_header *out,
                              const char **why)
{
    static const size_t lengths[4] = {0, 12, 36, 216};
    unsigned family = family_byte >> 4;
    unsigned transport = family_byte & 15;

    if (family > FAMILY_UNIX || transport > TRANSPORT_DGRAM) {
        *why = "PROXY v2 names an unknown address family or transport";
        return -1;
    }
    /* Half-specified pairs (0x01, 0x10 and the like) are not in the specification's list. */
    if ((family == FAMILY_UNSPEC) != (transport == TRANSPORT_UNSPEC)) {
        *why = "PROXY v2 names an address family without its transport";
        return -1;
    }
    if (n < lengths[family]) {
        *why = "PROXY v2 has a truncated address block";
        return -1;
    }
    if (transport == TRANSPORT_STREAM && family == FAMILY_INET) {
        take_ip4(&out->src, a, get16(a + 8));
        take_ip4(&out->dst, a + 4, get16(a + 10));
    } else if (transport == TRANSPORT_STREAM && family == FAMILY_INET6) {
        take_ip6(&out->src, a, get16(a + 32));
        take_ip6(&out->dst, a + 16, get16(a + 34));
    } else if (transport == TRANSPORT_STREAM && family == FAMILY_UNIX) {
        out->src.family = out->dst.family = IP_UNIX;
        out->unix_src = unix_path(a);
        out->unix_dst = unix_path(a + PROXY_UNIX_MAX);
    }
    return (ptrdiff_t)lengths[family];
}

static enum proxy_result v2_parse(const uint8_t *p, size_t n, struct proxy_header *out, size_t *used, const char **why)
{
    size_t length;
    ptrdiff_t addresses;
    struct slice rest;
    struct slice value;
    uint8_t type;

    if (n < V2_PREFIX)
        return n > 12 && p[12] != 0x20 && p[12] != 0x21 ? bad(why, "PROXY v2 has an unknown version or command")
                                                        : PROXY_MORE;
    if (p[12] != 0x20 && p[12] != 0x21)
        return bad(why, "PROXY v2 has an unknown version or command");
    length = (size_t)V2_PREFIX + get16(p + 14);
    if (length > PROXY_HEADER_MAX)
        return bad(why, "PROXY v2 is longer than 16 KiB");
    if (n < length)
        return PROXY_MORE;
    *used = length;
    out->version = 2;
    if (p[12] == 0x20) {
        /* Family, addresses and TLVs of a LOCAL header are to be skipped unseen. */
        out->local = true;
        return PROXY_DONE;
    }
    addresses = v2_addresses(p[13], p + V2_PREFIX, length - V2_PREFIX, out, why);
    if (addresses < 0)
        return PROXY_BAD;
    rest = view(p + V2_PREFIX + addresses, length - V2_PREFIX - (size_t)addresses);
    out->tlvs = rest;
    while (proxy_tlv_next(&rest, &type, &value))
        if (v2_tlv(p, length, type, value, out, why) == PROXY_BAD)
            return PROXY_BAD;
    return rest.n ? bad(why, "PROXY v2 has a truncated TLV") : PROXY_DONE;
}

enum proxy_result proxy_parse(const uint8_t *p, size_t n, struct proxy_header *out, size_t *used, const char **why)
{
    memset(out, 0, sizeof(*out));
    *used = 0;
    *why = NULL;
    if (n == 0)
        return PROXY_MORE;
    if (memcmp(p, v1_signature, MIN_OF(n, sizeof(v1_signature))) == 0)
        return n < sizeof(v1_signature) ? PROXY_MORE : v1_parse(p, n, out, used, why);
    if (memcmp(p, v2_signature, MIN_OF(n, sizeof(v2_signature))) == 0)
        return n < sizeof(v2_signature) ? PROXY_MORE : v2_parse(p, n, out, used, why);
    return PROXY_ABSENT;
}

/* --- writing ------------------------------------------------------------------------------------------------------ */

size_t proxy_write_v1(const struct proxy_header *h, uint8_t *out, size_t cap)
{
    char src[INET6_ADDRSTRLEN];
    char dst[INET6_ADDRSTRLEN];
    uint8_t ip[16];
    bool v4 = h->src.family == IP_V4 && h->dst.family == IP_V4;
    int n;

    if (h->local || !is_ip(&h->src) || !is_ip(&h->dst)) {
        n = snprintf((char *)out, cap, "PROXY UNKNOWN\r\n");
        return n > 0 && (size_t)n < cap ? (size_t)n : 0;
    }
    if (v4) {
        inet_ntop(AF_INET, h->src.ip, src, sizeof(src));
        inet_ntop(AF_INET, h->dst.ip, dst, sizeof(dst));
    } else {
        put_ip6(&h->src, ip);
        inet_ntop(AF_INET6, ip, src, sizeof(src));
        put_ip6(&h->dst, ip);
        inet_ntop(AF_INET6, ip, dst, sizeof(dst));
    }
    n = snprintf((char *)out, cap, "PROXY %s %s %s %u %u\r\n", v4 ? "TCP4" : "TCP6", src, dst, (unsigned)h->src.port,
                 (unsigned)h->dst.port);
    return n > 0 && (size_t)n < cap ? (size_t)n : 0;
}

/* Appends to the caller's bytes; what does not fit makes `full`, looked at once at the end. */
struct writer {
    uint8_t *p;
    size_t n, cap;
    bool full;
};

static void put(struct writer *w, const void *p, size_t n)
{
    if (w->full || n > w->cap - w->n) {
        w->full = true;
        return;
    }
    if (n)
        memcpy(w->p + w->n, p, n);
    w->n += n;
}

static void put16(struct writer *w, size_t v)
{
    uint8_t b[2] = {(uint8_t)(v >> 8), (uint8_t)v};

    put(w, b, 2);
}

static void put_tlv(struct writer *w, uint8_t type, struct slice value)
{
    if (value.n == 0)
        return;
    if (value.n > UINT16_MAX) {
        w->full = true;
        return;
    }
    put(w, &type, 1);
    put16(w, value.n);
    put(w, value.p, value.n);
}

static void put_unix(struct writer *w, struct slice path)
{
    static const uint8_t zero[PROXY_UNIX_MAX];
    size_t n = MIN_OF(path.n, (size_t)PROXY_UNIX_MAX);

    put(w, path.p, n);
    put(w, zero, PROXY_UNIX_MAX - n);
}

/* The family byte and, behind the length (filled in at the end), the addresses. */
static void put_addresses(struct writer *w, const struct proxy_header *h)
{
    uint8_t family = 0;
    uint8_t ip[16];

    if (!h->local && is_ip(&h->src) && is_ip(&h->dst))
        family = h->src.family == IP_V4 && h->dst.family == IP_V4 ? 0x11 : 0x21;
    else if (!h->local && h->src.family == IP_UNIX && h->dst.family == IP_UNIX)
        family = 0x31;
    put(w, &family, 1);
    put16(w, 0);
    if (family == 0x11) {
        put(w, h->src.ip, 4);
        put(w, h->dst.ip, 4);
    } else if (family == 0x21) {
        put_ip6(&h->src, ip);
        put(w, ip, 16);
        put_ip6(&h->dst, ip);
        put(w, ip, 16);
    } else if (family == 0x31) {
        put_unix(w, h->unix_src);
        put_unix(w, h->unix_dst);
    }
    if (family == 0x11 || family == 0x21) {
        put16(w, h->src.port);
        put16(w, h->dst.port);
    }
}

static void put_ssl(struct writer *w, const struct proxy_ssl *ssl)
{
    uint8_t type = PROXY_TLV_SSL;
    uint8_t verify[4] = {(uint8_t)(ssl->verify >> 24), (uint8_t)(ssl->verify >> 16), (uint8_t)(ssl->verify >> 8),
                         (uint8_t)ssl->verify};
    size_t length_at;
    size_t length;

    put(w, &type, 1);
    length_at = w->n;
    put16(w, 0);
    put(w, &ssl->client, 1);
    put(w, verify, 4);
    put_tlv(w, PROXY_TLV_SSL_VERSION, ssl->version);
    put_tlv(w, PROXY_TLV_SSL_CIPHER, ssl->cipher);
    put_tlv(w, PROXY_TLV_SSL_CN, ssl->cn);
    if (w->full)
        return;
    length = w->n - length_at - 2;
    if (length > UINT16_MAX) {
        w->full = true;
        return;
    }
    w->p[length_at] = (uint8_t)(length >> 8);
    w->p[length_at + 1] = (uint8_t)length;
}

size_t proxy_write_v2(const struct proxy_header *h, uint8_t *out, size_t cap)
{
    struct writer w = {.p = out, .cap = cap};
    uint8_t command = h->local ? 0x20 : 0x21;
    size_t crc_at = 0;
    size_t length;

    if (h->unique_id.n > PROXY_UNIQUE_ID_MAX)
        return 0;
    put(&w, v2_signature, sizeof(v2_signature));
    put(&w, &command, 1);
    put_addresses(&w, h);
    if (!h->local) {
        put_tlv(&w, PROXY_TLV_ALPN, h->alpn);
        put_tlv(&w, PROXY_TLV_AUTHORITY, h->authority);
        put_tlv(&w, PROXY_TLV_UNIQUE_ID, h->unique_id);
        if (h->ssl.present)
            put_ssl(&w, &h->ssl);
        if (h->crc) {
            put_tlv(&w, PROXY_TLV_CRC32C, SLICE("\0\0\0\0"));
            crc_at = w.n - 4;
        }
    }
    if (w.full || w.n - V2_PREFIX > UINT16_MAX)
        return 0;
    length = w.n - V2_PREFIX;
    out[14] = (uint8_t)(length >> 8);
    out[15] = (uint8_t)length;
    if (crc_at) {
        uint32_t crc = header_crc(out, w.n, crc_at);

        for (int i = 0; i < 4; i++)
            out[crc_at + (size_t)i] = (uint8_t)(crc >> (24 - 8 * i));
    }
    return w.n;
}
