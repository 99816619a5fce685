/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the wsbridge authors */
/*
 * Addresses. `struct addr` is what the kernel takes to bind and connect; `struct ip_port` is the small form that is
 * kept for a session's life (24 bytes). Both have one text form, and parsing reads exactly what formatting writes
 * (without a port, the address alone). No name look-ups here.
 */
#ifndef WSBRIDGE_BASE_ADDR_H
#define WSBRIDGE_BASE_ADDR_H

#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "base/slice.h"

struct addr {
    socklen_t len;
    union {
        struct sockaddr sa;
        struct sockaddr_in in4;
        struct sockaddr_in6 in6;
        struct sockaddr_un un;
    } u;
};

enum ip_family { IP_NONE = 0, IP_UNIX = 1, IP_V4 = 4, IP_V6 = 6 };

struct ip_port {
    uint8_t family; /* enum ip_family */
    uint16_t port;  /* host order */
    uint32_t scope; /* IPv6 scope id */
    uint8_t ip[16]; /* network order; IPv4 in the first four */
};

#define ADDR_TEXT_MAX 128 /* enough for every text form with its terminator */

/* "192.0.2.1:80" or "[2001:db8::1]:80": numbers only. Leading zeros, missing ports and zone names that do not exist are
 * refused. Port 0 passes: it is what asks bind(2) for any port. */
MUST_CHECK bool addr_parse_ip_port(struct slice text, struct addr *out);

/* An IPv4 or IPv6 address without a port (IPv6 with or without brackets), and a port. */
MUST_CHECK bool addr_parse_ip(struct slice text, uint16_t port, struct addr *out);

/* A path; a leading '@' means the abstract namespace (unix(7)). False when it is empty or does not fit. */
MUST_CHECK bool addr_parse_unix(struct slice path, struct addr *out);

/* Splits "host:port", "[v6]:port" or "host" / "[v6]" (then *port is untouched and false is NOT returned); `host` comes
 * without brackets. False on anything malformed: empty host, bad port, an IPv6 address without brackets. */
MUST_CHECK bool addr_split_host_port(struct slice text, struct slice *host, uint16_t *port);

void addr_to_ip_port(const struct addr *a, struct ip_port *out); /* an IPv4-mapped IPv6 address becomes IPv4 */
MUST_CHECK bool addr_from_ip_port(const struct ip_port *ip, struct addr *out); /* false for IP_NONE and IP_UNIX */

bool addr_is_any(const struct addr *a);      /* 0.0.0.0 or [::], with whatever port */
bool addr_is_loopback(const struct addr *a); /* 127.0.0.0/8 or [::1], with whatever port */
/* Whether sockets that listen on both would get in each other's way. [::] stands for IPv4, too, except beside 0.0.0.0
 * of the same port, which then takes it over (net/socket.h: v6_only). */
bool addr_collide(const struct addr *a, const struct addr *b);

/* Text into buf (ADDR_TEXT_MAX): "192.0.2.1:80", "[2001:db8::1]:80", "unix:/path", "unix:@name", "unix" or "-". Returns
 * buf. */
const char *addr_format(const struct addr *a, char *buf);
const char *ip_port_format(const struct ip_port *ip, char *buf);
const char *ip_format(const struct ip_port *ip, char *buf);      /* without the port */
bool ip_equal(const struct ip_port *a, const struct ip_port *b); /* address without port */

/* "10.0.0.0/8", "2001:db8::/32" or a single address. Host bits set below the prefix are refused. */
struct cidr {
    uint8_t family; /* IP_V4 or IP_V6 */
    uint8_t bits;
    uint8_t ip[16];
};
MUST_CHECK bool cidr_parse(struct slice text, struct cidr *out);
bool cidr_match(const struct cidr *c, const struct ip_port *ip);

#endif
