/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the wsbridge authors */
/*
 * Forwarded headers. Both forms are first cut into hops (leftmost first, fields of one name in their order make one
 * list), then one walk decides. A list with more than FORWARDED_HOPS_MAX hops keeps its right end: the walk begins
 * there, and running off the kept part is refused.
 */
#include "http/forwarded.h"

struct hop {
    struct slice node; /* who spoke to the proxy that wrote this */
    struct slice proto;
    struct slice host;
};

struct hops {
    size_t n;
    bool cut; /* hops on the left were dropped */
    struct hop v[FORWARDED_HOPS_MAX];
};

bool forwarded_trusts(const struct forwarded_trust *t, const struct ip_port *ip)
{
    if (ip->family == IP_UNIX)
        return t->unix_peers;
    for (size_t i = 0; i < t->n; i++)
        if (cidr_match(&t->v[i], ip))
            return true;
    return false;
}

static void push(struct hops *hops, const struct hop *hop)
{
    if (hops->n == FORWARDED_HOPS_MAX) {
        memmove(hops->v, hops->v + 1, (FORWARDED_HOPS_MAX - 1) * sizeof(hops->v[0]));
        hops->n--;
        hops->cut = true;
    }
    hops->v[hops->n++] = *hop;
}

/* --- Forwarded ---------------------------------------------------------------------------------------------------- */

static bool is_tchar(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           (c != '\0' && strchr("!#$%&'*+-.^_`|~", c) != NULL);
}

static void skip_space(struct slice *s)
{
    while (s->n && (*s->p == ' ' || *s->p == '\t')) {
        s->p++;
        s->n--;
    }
}

/* `extra`: characters beside tchar. Addresses with ports are often sent without the quotes they need. */
static struct slice take_token(struct slice *s, const char *extra)
{
    struct slice out = {s->p, 0};

    while (out.n < s->n && (is_tchar(s->p[out.n]) || (s->p[out.n] && strchr(extra, s->p[out.n]))))
        out.n++;
    s->p += out.n;
    s->n -= out.n;
    return out;
}

/* A quoted string as a view of its inside; what holds a quoted-pair comes with *escaped set. */
static bool take_quoted(struct slice *s, struct slice *out, bool *escaped)
{
    size_t i = 1;

    while (i < s->n && s->p[i] != '"') {
        if (s->p[i] == '\\') {
            *escaped = true;
            i++;
        }
        i++;
    }
    if (i >= s->n)
        return false;
    *out = (struct slice){s->p + 1, i - 1};
    s->p += i + 1;
    s->n -= i + 1;
    return true;
}

/* One name=value of an element. Our three parameters may stand once and hold no escapes: nothing in an address, a
 * scheme or a host needs them, and undoing them would need memory. */
static bool take_pair(struct slice *s, struct hop *hop)
{
    struct slice name = take_token(s, "");
    struct slice value;
    struct slice *field = NULL;
    bool escaped = false;

    if (name.n == 0 || s->n == 0 || *s->p != '=')
        return false;
    s->p++;
    s->n--;
    if (s->n && *s->p == '"') {
        if (!take_quoted(s, &value, &escaped))
            return false;
    } else {
        value = take_token(s, ":[]");
        if (value.n == 0)
            return false;
    }
    if (slice_eq_nocase(name, SLICE("for")))
        field = &hop->node;
    else if (slice_eq_nocase(name, SLICE("proto")))
        field = &hop->proto;
    else if (slice_eq_nocase(name, SLICE("host")))
        field = &hop->host;
    if (!field)
        return true;
    if (field->p || escaped)
        return false;
    *field = value;
    return true;
}

static bool cut_forwarded_field(struct slice s, struct hops *hops)
{
    for (;;) {
        struct hop hop = {{NULL, 0}, {NULL, 0}, {NULL, 0}};
        bool any = false;

        for (;;) {
            skip_space(&s);
            if (s.n == 0 || *s.p == ',')
                break;
            if (*s.p != ';') {
                if (!take_pair(&s, &hop))
                    return false;
                any = true;
                skip_space(&s);
                if (s.n && *s.p != ';' && *s.p != ',')
                    return false;
            }
            if (s.n && *s.p == ';') {
                s.p++;
                s.n--;
            }
        }
        if (any)
            push(hops, &hop);
        if (s.n == 0)
            return true;
        s.p++;
        s.n--;
    }
}

static bool cut_forwarded(const struct http_head *h, struct hops *hops)
{
    for (size_t i = 0; i < h->n_fields; i++)
        if (slice_eq_nocase(h->fields[i].name, SLICE("forwarded")) && !cut_forwarded_field(h->fields[i].value, hops))
            return false;
    return true;
}

/* --- X-Forwarded-* ------------------------------------------------------------------------------------------------ */

static void cut_list(const struct http_head *h, const char *name, struct hops *out)
{
    for (size_t i = 0; i < h->n_fields; i++) {
        struct slice rest = h->fields[i].value;
        struct slice piece;

        if (!slice_eq_nocase(h->fields[i].name, slice_of(name)))
            continue;
        while (slice_cut(&rest, ',', &piece)) {
            struct hop hop = {slice_trim(piece), {NULL, 0}, {NULL, 0}};

            if (hop.node.n)
                push(out, &hop);
        }
    }
}

/* --- the walk ----------------------------------------------------------------------------------------------------- */

enum node_kind { NODE_ADDRESS, NODE_HIDDEN, NODE_BAD };

/* "192.0.2.1", "192.0.2.1:80", "2001:db8::1" (X form), "[2001:db8::1]", "[2001:db8::1]:80"; "unknown" and "_name". A
 * port may be hidden too ("_p1"): then it is 0. */
static enum node_kind read_node(struct slice s, struct ip_port *out)
{
    struct addr a;
    struct slice host = s;
    struct slice port = {NULL, 0};
    uint64_t number = 0;

    if (slice_eq_nocase(s, SLICE("unknown")) || (s.n && s.p[0] == '_'))
        return NODE_HIDDEN;
    if (s.n && s.p[0] == '[') {
        ptrdiff_t end = slice_find(s, ']');

        if (end < 0)
            return NODE_BAD;
        host = (struct slice){s.p + 1, (size_t)end - 1};
        port = (struct slice){s.p + end + 1, s.n - (size_t)end - 1};
        if (port.n && port.p[0] != ':')
            return NODE_BAD;
        if (slice_find(host, ':') < 0)
            return NODE_BAD;
    } else {
        ptrdiff_t colon = slice_find(s, ':');

        /* One colon parts address and port; more are IPv6. */
        if (colon >= 0 && slice_find((struct slice){s.p + colon + 1, s.n - (size_t)colon - 1}, ':') < 0) {
            host = (struct slice){s.p, (size_t)colon};
            port = (struct slice){s.p + colon, s.n - (size_t)colon};
        }
    }
    if (port.n) {
        port.p++;
        port.n--;
        if (!(port.n && port.p[0] == '_') && !slice_to_u64(port, 65535, &number))
            return NODE_BAD;
    }
    if (slice_find(host, '%') >= 0 || slice_find(host, '[') >= 0 || !addr_parse_ip(host, (uint16_t)number, &a))
        return NODE_BAD;
    addr_to_ip_port(&a, out);
    return NODE_ADDRESS;
}

/* Walks from the right. *depth: how many hops were believed (0: none were there). */
static enum forwarded_result walk(const struct hops *hops, const struct ip_port *peer, const struct forwarded_trust *t,
                                  struct forwarded *out, size_t *depth)
{
    struct ip_port speaker = *peer;

    *depth = 0;
    while (forwarded_trusts(t, &speaker)) {
        struct slice node;

        if (*depth == hops->n) {
            if (!hops->cut)
                break;
            out->why = "more than 32 proxies have written into the forwarded address";
            return FORWARDED_BAD;
        }
        node = hops->v[hops->n - ++*depth].node;
        if (!node.p)
            break; /* Forwarded without "for": this proxy keeps to itself who called */
        switch (read_node(node, &speaker)) {
        case NODE_BAD:
            out->why = "a forwarded address is none";
            return FORWARDED_BAD;
        case NODE_HIDDEN:
            /* A trusted proxy hides who called: the proxy is the most that can be known. */
            return FORWARDED_OK;
        case NODE_ADDRESS:
            out->has_client = true;
            out->client = speaker;
        }
    }
    return FORWARDED_OK;
}

static void take_proto(struct slice s, struct forwarded *out)
{
    bool secure = slice_eq_nocase(s, SLICE("https")) || slice_eq_nocase(s, SLICE("wss"));

    if (!secure && !slice_eq_nocase(s, SLICE("http")) && !slice_eq_nocase(s, SLICE("ws")))
        return; /* "tcp", "ssl" and whatever else says nothing that we know */
    out->has_secure = true;
    out->secure = secure;
}

static bool take_host(struct slice s, struct forwarded *out)
{
    if (!http_authority_parse(s, &out->host)) {
        out->why = "a forwarded host is none";
        return false;
    }
    out->has_host = true;
    return true;
}

static enum forwarded_result read_rfc7239(const struct http_head *h, const struct ip_port *peer,
                                          const struct forwarded_trust *t, struct forwarded *out)
{
    struct hops hops = {.n = 0};
    size_t depth;

    if (!cut_forwarded(h, &hops)) {
        out->why = "the Forwarded header is malformed";
        return FORWARDED_BAD;
    }
    if (walk(&hops, peer, t, out, &depth) == FORWARDED_BAD)
        return FORWARDED_BAD;
    if (depth == 0)
        return FORWARDED_NONE;
    take_proto(hops.v[hops.n - depth].proto, out);
    if (hops.v[hops.n - depth].host.p && !take_host(hops.v[hops.n - depth].host, out))
        return FORWARDED_BAD;
    return FORWARDED_OK;
}

/* The element that the hop `depth` from the right wrote, when every proxy adds one; a list that is shorter was written
 * by fewer, and its leftmost is the client's. */
static struct slice at_depth(const struct hops *list, size_t depth)
{
    return list->v[list->n - MIN_OF(MAX_OF(depth, (size_t)1), list->n)].node;
}

static enum forwarded_result read_x(const struct http_head *h, const struct ip_port *peer,
                                    const struct forwarded_trust *t, struct forwarded *out)
{
    struct hops hops = {.n = 0};
    size_t depth;
    bool any;

    cut_list(h, "x-forwarded-for", &hops);
    if (walk(&hops, peer, t, out, &depth) == FORWARDED_BAD)
        return FORWARDED_BAD;
    any = depth > 0;
    hops = (struct hops){.n = 0};
    cut_list(h, "x-forwarded-proto", &hops);
    if (hops.n) {
        any = true;
        take_proto(at_depth(&hops, depth), out);
    }
    hops = (struct hops){.n = 0};
    cut_list(h, "x-forwarded-host", &hops);
    if (hops.n) {
        any = true;
        if (!take_host(at_depth(&hops, depth), out))
            return FORWARDED_BAD;
    }
    return any ? FORWARDED_OK : FORWARDED_NONE;
}

static bool same_host(const struct http_authority *a, const struct http_authority *b)
{
    return a->port == b->port && slice_eq_nocase(a->host, b->host);
}

/* Adds to `out` what `other` alone knows; false when they contradict each other. Ports are not compared: few tell them.
 */
static bool merge(struct forwarded *out, const struct forwarded *other)
{
    if (out->has_client && other->has_client && !ip_equal(&out->client, &other->client))
        return false;
    if (out->has_secure && other->has_secure && out->secure != other->secure)
        return false;
    if (out->has_host && other->has_host && !same_host(&out->host, &other->host))
        return false;
    /* One names a client and the other, present too, hides it: the same contradiction. */
    if (out->has_client != other->has_client)
        return false;
    if (other->has_client && out->client.port == 0)
        out->client.port = other->client.port;
    if (other->has_secure) {
        out->has_secure = true;
        out->secure = other->secure;
    }
    if (other->has_host) {
        out->has_host = true;
        out->host = other->host;
    }
    return true;
}

enum forwarded_result forwarded_read(const struct http_head *h, const struct ip_port *peer,
                                     const struct forwarded_trust *t, unsigned accept, struct forwarded *out)
{
    struct forwarded other = {.has_client = false};
    enum forwarded_result rfc = FORWARDED_NONE;
    enum forwarded_result x = FORWARDED_NONE;
    bool both_name_nodes;

    *out = (struct forwarded){.has_client = false};
    if (!forwarded_trusts(t, peer))
        return FORWARDED_NONE;
    if (accept & FORWARDED_RFC7239)
        rfc = read_rfc7239(h, peer, t, out);
    if (rfc == FORWARDED_BAD)
        return rfc;
    if (accept & FORWARDED_X)
        x = read_x(h, peer, t, &other);
    if (x == FORWARDED_BAD || rfc == FORWARDED_NONE) {
        *out = other;
        return x;
    }
    if (x == FORWARDED_NONE)
        return rfc;
    /* X-Forwarded-Proto beside a Forwarded that names the client is a common pair and no contradiction. */
    both_name_nodes = http_field_find(h, "x-forwarded-for") != NULL;
    if (!both_name_nodes) {
        other.has_client = out->has_client;
        other.client = out->client;
    }
    if (!merge(out, &other)) {
        out->why = "Forwarded and X-Forwarded-For contradict each other";
        return FORWARDED_BAD;
    }
    return FORWARDED_OK;
}
