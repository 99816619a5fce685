/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the wsbridge authors */
/*
 * The PROXY protocol, versions 1 and 2 (the specification is doc/proxy-protocol.txt of HAProxy): the line or block that
 * a proxy puts in front of a connection to say who is really calling. Pure: bytes in, one struct of views out, and
 * back.
 *
 * Reading is stateless: call proxy_parse with all bytes received so far. MORE promises that every byte given belongs to
 * the header or to something that is not one ("P" may still become "POST"), so a caller may take them off the socket
 * without taking a byte of a TLS hello, whose first byte is neither 'P' nor CR.
 *
 * Whom to believe is not decided here.
 */
#ifndef WSBRIDGE_NET_PROXY_PROTOCOL_H
#define WSBRIDGE_NET_PROXY_PROTOCOL_H

#include "base/addr.h"

#define PROXY_V1_MAX 107                 /* with CRLF */
#define PROXY_HEADER_MAX 16384           /* a longer v2 header is refused */
#define PROXY_UNIX_MAX 108               /* bytes of a unix path in v2 */
#define PROXY_UNIQUE_ID_MAX 128          /* bytes of the unique id */
#define PROXY_V2_ADDRESS_ROOM (16 + 216) /* prefix and the largest address block: room to write v2 without TLVs */

enum proxy_tlv_type {
    PROXY_TLV_ALPN = 0x01,
    PROXY_TLV_AUTHORITY = 0x02,
    PROXY_TLV_CRC32C = 0x03,
    PROXY_TLV_NOOP = 0x04,
    PROXY_TLV_UNIQUE_ID = 0x05,
    PROXY_TLV_SSL = 0x20,
    PROXY_TLV_SSL_VERSION = 0x21,
    PROXY_TLV_SSL_CN = 0x22,
    PROXY_TLV_SSL_CIPHER = 0x23,
    PROXY_TLV_NETNS = 0x30,
};

enum { PROXY_SSL_USED = 1, PROXY_SSL_CERT_CONN = 2, PROXY_SSL_CERT_SESS = 4 };

struct proxy_ssl {
    bool present;
    uint8_t client;  /* PROXY_SSL_* */
    uint32_t verify; /* 0: a client certificate was shown and verified */
    struct slice version;
    struct slice cipher;
    struct slice cn;
};

/* One struct for reading and writing. Empty slices stand for what is not there. */
struct proxy_header {
    unsigned version; /* 1 or 2 */
    bool local;       /* v2 LOCAL: the proxy speaks for itself (health checks); the connection's own addresses count */
    /* Both IP_NONE when the header names no addresses (LOCAL, UNKNOWN, UNSPEC, datagram families): the connection's own
     * count. IPv4-mapped IPv6 comes out as IPv4. */
    struct ip_port src;
    struct ip_port dst;
    struct slice unix_src; /* with IP_UNIX: a path, or NUL and an abstract name */
    struct slice unix_dst;
    struct slice alpn;
    struct slice authority;
    struct slice unique_id;
    struct proxy_ssl ssl;
    struct slice tlvs; /* all of them, raw, for proxy_tlv_next; not written */
    bool crc;          /* it had a checksum, which was right; on writing: add one (v2) */
};

enum proxy_result {
    PROXY_MORE,
    PROXY_DONE,
    PROXY_ABSENT, /* the bytes do not begin a PROXY header */
    PROXY_BAD,    /* they do, and it is broken: close */
};

/* DONE: *used bytes are the header and `out` points into p. BAD: *why is one static sentence. */
MUST_CHECK enum proxy_result proxy_parse(const uint8_t *p, size_t n, struct proxy_header *out, size_t *used,
                                         const char **why);

/* Takes the next TLV off `rest`; false at the end. The TLVs of a parsed header are whole. */
bool proxy_tlv_next(struct slice *rest, uint8_t *type, struct slice *value);

/* Write a header; the number of bytes, 0 when it does not fit or a value is too long. v1 needs PROXY_V1_MAX bytes. Two
 * families become IPv6; a unix or missing address becomes UNKNOWN in v1, and UNSPEC in v2 unless both are unix. */
MUST_CHECK size_t proxy_write_v1(const struct proxy_header *h, uint8_t *out, size_t cap);
MUST_CHECK size_t proxy_write_v2(const struct proxy_header *h, uint8_t *out, size_t cap);

#endif
