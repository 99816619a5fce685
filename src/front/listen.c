/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the wsbridge authors */
/*
 * The option table of `listeners[]` and the address forms that `listen` takes.
 */
#include "front/front.h"

static const char *const proxy_choices[] = {"off", "optional", "required", NULL};

static bool bare_port(struct slice text, struct addr *out, struct strbuf *why)
{
    uint64_t port;

    if (!slice_to_u64(text, 65535, &port) || port == 0) {
        strbuf_printf(why, "port \"" SLICE_FMT "\" is not between 1 and 65535", SLICE_ARG(text));
        return false;
    }
    /* The IPv6 wildcard also takes IPv4 where the listener asks for it (net/socket.h: v6_only false). */
    return addr_parse_ip(SLICE("::"), (uint16_t)port, out);
}

bool listen_address_parse(struct slice text, struct addr *out, struct strbuf *why)
{
    struct slice host;
    uint16_t port = 0;

    if (slice_starts(text, SLICE("unix:"))) {
        struct slice path = {text.p + strlen("unix:"), text.n - strlen("unix:")};
        if (path.n && !slice_starts(path, SLICE("/")) && !slice_starts(path, SLICE("@"))) {
            strbuf_str(why, "the path of a socket begins with /, or with @ for an abstract one");
            return false;
        }
        if (addr_parse_unix(path, out))
            return true;
        strbuf_printf(why, "the socket path is empty or longer than the %zu bytes that the system takes",
                      sizeof out->u.un.sun_path - 1);
        return false;
    }
    if (slice_starts(text, SLICE("systemd:"))) {
        *out = (struct addr){.u.sa.sa_family = AF_UNSPEC};
        if (text.n > strlen("systemd:"))
            return true;
        strbuf_str(why, "systemd: is followed by the name of a socket (FileDescriptorName=)");
        return false;
    }
    if (addr_parse_ip(text, 1, out)) {
        strbuf_printf(why,
                      slice_find(text, ':') >= 0 ? "the port is missing: [" SLICE_FMT "]:PORT"
                                                 : "the port is missing: " SLICE_FMT ":PORT",
                      SLICE_ARG(text));
        return false;
    }
    if (slice_find(text, ':') < 0)
        return bare_port(text, out, why);
    if (text.p[0] == ':' && slice_find((struct slice){text.p + 1, text.n - 1}, ':') < 0)
        return bare_port((struct slice){text.p + 1, text.n - 1}, out, why);
    if (slice_starts(text, SLICE("*:")))
        return bare_port((struct slice){text.p + 2, text.n - 2}, out, why);
    if (!addr_split_host_port(text, &host, &port) || port == 0) {
        strbuf_printf(why,
                      "\"" SLICE_FMT
                      "\" is not PORT, HOST:PORT, \"[IPv6]:PORT\", unix:/path or systemd:NAME (an IPv6 address stands "
                      "in brackets)",
                      SLICE_ARG(text));
        return false;
    }
    if (slice_eq_nocase(host, SLICE("localhost")))
        host = SLICE("127.0.0.1");
    if (addr_parse_ip(host, port, out))
        return true;
    strbuf_printf(why, "\"" SLICE_FMT "\" is not an IP address: a listener binds to addresses, not to names",
                  SLICE_ARG(host));
    return false;
}

struct socket_options front_socket_options(const struct listener_settings *l)
{
    return socket_session_options(l->timeouts.write_stall);
}

int listen_mode_parse(struct cfg_load *load, const struct cfg_node *node, unsigned *out)
{
    const char *text = cfg_node_text(node);
    unsigned mode = 0;
    size_t digits = 0;

    for (; text && text[digits] >= '0' && text[digits] <= '7' && digits < 5; digits++)
        mode = mode * 8 + (unsigned)(text[digits] - '0');
    if (!text || digits < 3 || text[digits] || mode > 0777) {
        cfg_error(load, node, "write it as chmod takes it, for example mode: \"0660\"",
                  "mode is not an octal file mode");
        return -1;
    }
    *out = mode;
    return 0;
}

static int parse_mode(struct cfg_load *load, const struct cfg_node *node, void *dst)
{
    struct listener_settings *l = container_of(dst, struct listener_settings, mode);

    if (listen_mode_parse(load, node, &l->mode) != 0)
        return -1;
    l->has_mode = true;
    return 0;
}

static void print_mode(const void *src, struct strbuf *out)
{
    const struct listener_settings *l = container_of(src, const struct listener_settings, mode);

    if (l->has_mode)
        strbuf_printf(out, "\"0%o\"", l->mode);
}

static int parse_tls(struct cfg_load *load, const struct cfg_node *node, void *dst)
{
    struct listener_tls *t = dst;

    t->node = node;
    t->name = cfg_node_text(node);
    if (t->name)
        return 0;
    if (cfg_node_kind(node) != CFG_NODE_MAP) {
        cfg_error(load, node, "write the name of an entry of `tls`, or {cert: FILE, key: FILE}",
                  "tls is a name or a map, not a list");
        return -1;
    }
    t->own = arena_alloc(cfg_arena(load), sizeof *t->own);
    if (!t->own) {
        cfg_error(load, node, NULL, "out of memory");
        return -1;
    }
    cfg_read(load, &tls_table, node, t->own);
    return 0;
}

static void print_tls(const void *src, struct strbuf *out)
{
    const struct listener_tls *t = src;

    if (t->name)
        cfg_print_scalar(slice_of(t->name), out);
    else if (t->own)
        cfg_print_node(t->node, out);
}

/* Whom to believe: addresses, networks, and `unix` for whoever can open a unix socket of this listener. */
static void parse_trusted(struct cfg_load *load, struct listener_settings *l)
{
    const struct cfg_strings *from = &l->trusted_proxies;
    struct cidr *v = arena_alloc(cfg_arena(load), MAX_OF(from->n, (size_t)1) * sizeof *v);

    if (!v) {
        cfg_error(load, l->node, NULL, "out of memory");
        return;
    }
    l->trust.v = v;
    for (size_t i = 0; i < from->n; i++) {
        struct slice text = slice_of(from->v[i]);
        if (slice_eq(text, SLICE("unix")))
            l->trust.unix_peers = true;
        else if (cidr_parse(text, &v[l->trust.n]))
            l->trust.n++;
        else
            cfg_error(load, from->nodes[i], "an address (192.0.2.1), a network (10.0.0.0/8, 2001:db8::/32), or unix",
                      "\"%s\" is no address and no network", from->v[i]);
    }
}

static void check_listener(struct cfg_load *load, const struct cfg_node *node, void *obj)
{
    struct listener_settings *l = obj;
    bool has_unix = false;

    l->node = node;
    l->n_addrs = l->address.n;
    l->addrs = arena_alloc(cfg_arena(load), MAX_OF(l->n_addrs, (size_t)1) * sizeof *l->addrs);
    if (!l->addrs) {
        l->n_addrs = 0;
        cfg_error(load, node, NULL, "out of memory");
        return;
    }
    for (size_t i = 0; i < l->n_addrs; i++) {
        char text[256];
        struct strbuf why;
        strbuf_init(&why, text, sizeof text);
        if (!listen_address_parse(slice_of(l->address.v[i]), &l->addrs[i], &why))
            cfg_error(load, l->address.nodes[i], NULL, "%s", why.p);
        else
            has_unix = has_unix || l->addrs[i].u.sa.sa_family == AF_UNIX;
    }
    if (l->has_mode && !has_unix)
        cfg_error(load, cfg_node_key(node, "mode"), "a mode belongs to a unix: address",
                  "mode is given, but no address of this listener is a unix socket");
    parse_trusted(load, l);
    if (l->proxy_protocol != LISTENER_PROXY_OFF && l->trusted_proxies.n == 0)
        cfg_error(load, cfg_node_key(node, "proxy_protocol"), "add trusted_proxies: [ADDRESS, ...], or unix",
                  "proxy_protocol is given, but no proxy is trusted");
    if (!l->name)
        l->name = l->n_addrs ? l->address.v[0] : "";
}

static int listener_shorthand(struct cfg_load *load, const struct cfg_node *node, void *obj)
{
    struct listener_settings *l = obj;
    const char **v = arena_alloc(cfg_arena(load), sizeof *v);
    const struct cfg_node **nodes = arena_alloc(cfg_arena(load), sizeof *nodes);

    if (!cfg_node_text(node) || !v || !nodes)
        return -1;
    v[0] = cfg_node_text(node);
    nodes[0] = node;
    l->address = (struct cfg_strings){.n = 1, .v = v, .nodes = nodes};
    return 0;
}

static const struct cfg_field listener_fields[] = {
    {.key = "name",
     .type = CFG_STRING,
     .offset = offsetof(struct listener_settings, name),
     .doc = "What this listener is called in the log. Default: its first address.",
     .example = "public"},
    {.key = "address",
     .type = CFG_STRINGS,
     .offset = offsetof(struct listener_settings, address),
     .flags = CFG_REQUIRED,
     .doc = "Where to listen: PORT (every IPv4 and IPv6 address), HOST:PORT, \"[IPv6]:PORT\", unix:/path, or "
            "systemd:NAME for the sockets of that name that were handed in. One or a "
            "list.",
     .example = "[\"0.0.0.0:6080\", \"[::]:6080\"]"},
    {.key = "mode",
     .type = CFG_CUSTOM,
     .offset = offsetof(struct listener_settings, mode),
     .doc = "Permissions of a unix socket file, as chmod takes them. Default: what the umask leaves.",
     .example = "\"0660\"",
     .parse = parse_mode,
     .print = print_mode},
    {.key = "tls",
     .type = CFG_CUSTOM,
     .offset = offsetof(struct listener_settings, tls),
     .doc = "Serves TLS: the name of an entry of the root's `tls`, or a map with the same keys. Absent: clear.",
     .example = "main",
     .parse = parse_tls,
     .print = print_tls},
    {.key = "proxy_protocol",
     .type = CFG_ENUM,
     .offset = offsetof(struct listener_settings, proxy_protocol),
     .fallback = "off",
     .choices = proxy_choices,
     .doc =
         "Whether connections from trusted_proxies begin with a PROXY header (version 1 or 2) that names the client. "
         "With required every other connection is closed; with optional it is taken for what it is."},
    {.key = "trusted_proxies",
     .type = CFG_STRINGS,
     .offset = offsetof(struct listener_settings, trusted_proxies),
     .doc = "Addresses and networks of the proxies in front: their PROXY headers, X-Forwarded-For, X-Forwarded-Proto, "
            "X-Forwarded-Host and Forwarded are believed, read from the right. `unix` stands for whoever connects to a "
            "unix socket.",
     .example = "[127.0.0.1, \"::1\"]"},
    {.key = "limits",
     .type = CFG_STRUCT,
     .offset = offsetof(struct listener_settings, limits),
     .doc = "Limits that differ from the global ones for what comes in here.",
     .table = &limits_override_table},
    {.key = "timeouts",
     .type = CFG_STRUCT,
     .offset = offsetof(struct listener_settings, timeouts),
     .doc = "Timeouts that differ from the global ones for what comes in here.",
     .table = &timeouts_override_table},
    CFG_TABLE_END,
};

const struct cfg_table listener_table = {
    .name = "listeners[]",
    .doc = "Where clients come in.",
    .size = sizeof(struct listener_settings),
    .fields = listener_fields,
    .set_offset = -1,
    .check = check_listener,
    .shorthand = listener_shorthand,
};
