/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the wsbridge authors */
/*
 * The option table of a service, and how a target is written. Names are checked for their form only; whether one has an
 * address is found out at each connect, because a configuration must load while the backend's name server is down.
 */
#include "upstream/service.h"

#include "http/chars.h"

#define NAME_MAX_TEXT 253 /* RFC 1035, section 2.3.4, as text */
#define LABEL_MAX 63

static const char *const proxy_choices[] = {"off", "v1", "v2", NULL};

/* --- targets -------------------------------------------------------------------------------------------------------
 */

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool name_char(char c)
{
    return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' || c == '_';
}

static bool all_digits(struct slice s)
{
    for (size_t i = 0; i < s.n; i++)
        if (!is_digit(s.p[i]))
            return false;
    return s.n > 0;
}

/* A host name; a dot at its end (the root) is allowed. What ends in a number is an address that was mistyped. */
static bool check_name(struct slice host, struct strbuf *why)
{
    struct slice rest = host, label = {NULL, 0}, last = label;

    if (rest.n > 1 && rest.p[rest.n - 1] == '.')
        rest.n--;
    if (rest.n > NAME_MAX_TEXT) {
        strbuf_printf(why, "the host name is longer than %d characters", NAME_MAX_TEXT);
        return false;
    }
    while (slice_cut(&rest, '.', &label)) {
        bool good = label.n > 0 && label.n <= LABEL_MAX;
        for (size_t i = 0; good && i < label.n; i++)
            good = name_char(label.p[i]);
        if (!good) {
            strbuf_printf(why, "\"" SLICE_FMT "\" is not a host name", SLICE_ARG(host));
            return false;
        }
        last = label;
    }
    if (all_digits(last)) {
        strbuf_printf(why, "\"" SLICE_FMT "\" is not an IP address", SLICE_ARG(host));
        return false;
    }
    return true;
}

static bool parse_unix(struct slice path, struct target *out, struct strbuf *why)
{
    out->kind = TARGET_ADDR;
    if (path.n == 0 || (path.p[0] != '/' && path.p[0] != '@')) {
        strbuf_str(why, "unix: is followed by a path from the root, or by @ and an abstract name");
        return false;
    }
    if (!addr_parse_unix(path, &out->addr)) {
        strbuf_str(why, "the path of a unix socket has at most 107 characters");
        return false;
    }
    return true;
}

static bool parse_builtin(struct slice name, struct target *out, struct strbuf *why)
{
    if (slice_eq(name, SLICE("echo"))) {
        out->kind = TARGET_ECHO;
    } else if (slice_eq(name, SLICE("discard"))) {
        out->kind = TARGET_DISCARD;
    } else {
        strbuf_printf(why, "no builtin \"" SLICE_FMT "\": there are builtin:echo and builtin:discard", SLICE_ARG(name));
        return false;
    }
    return true;
}

/* Why `text` is not host:port, in the words for the mistakes that people make. */
static bool explain_host_port(struct slice text, struct strbuf *why)
{
    const char *scheme = text.n ? memmem(text.p, text.n, "://", 3) : NULL;

    if (text.n == 0) {
        strbuf_str(why, "the target is empty: write host:port");
    } else if (scheme) {
        strbuf_printf(why, "write host:port without \"" SLICE_FMT "\"", (int)(scheme - text.p) + 3, text.p);
    } else if (all_digits(text)) {
        strbuf_printf(why, "a target needs a host: write 127.0.0.1:" SLICE_FMT, SLICE_ARG(text));
    } else if (text.p[0] != '[' && slice_find(text, ':') != -1 &&
               memchr(text.p + slice_find(text, ':') + 1, ':', text.n - (size_t)slice_find(text, ':') - 1)) {
        strbuf_str(why, "write an IPv6 address in brackets: [::1]:5900");
    } else {
        strbuf_printf(why, "\"" SLICE_FMT "\" is not host:port with a port from 1 to 65535", SLICE_ARG(text));
    }
    return false;
}

static bool parse_host_port(struct arena *a, struct slice text, struct target *out, struct strbuf *why)
{
    struct slice host;
    uint16_t port = 0;

    if (all_digits(text) || !addr_split_host_port(text, &host, &port))
        return explain_host_port(text, why);
    if (port == 0) {
        strbuf_printf(why, "\"" SLICE_FMT "\" has no port: write host:port", SLICE_ARG(text));
        return false;
    }
    out->port = port;
    if (addr_parse_ip(host, port, &out->addr)) {
        out->kind = TARGET_ADDR;
        return true;
    }
    if (text.p[0] == '[') {
        strbuf_printf(why, "\"" SLICE_FMT "\" is not an IPv6 address", SLICE_ARG(host));
        return false;
    }
    if (!check_name(host, why))
        return false;
    out->kind = TARGET_NAME;
    out->host = arena_dup(a, host);
    return true;
}

bool target_parse(struct arena *a, struct slice text, struct target *out, struct strbuf *why)
{
    bool good;

    memset(out, 0, sizeof(*out));
    if (slice_starts(text, SLICE("unix:")))
        good = parse_unix((struct slice){text.p + 5, text.n - 5}, out, why);
    else if (slice_starts(text, SLICE("builtin:")))
        good = parse_builtin((struct slice){text.p + 8, text.n - 8}, out, why);
    else
        good = parse_host_port(a, text, out, why);
    if (!good)
        return false;
    out->text = arena_dup(a, text);
    if (!out->text || (out->kind == TARGET_NAME && !out->host)) {
        strbuf_str(why, "out of memory");
        return false;
    }
    return true;
}

/* --- the table -----------------------------------------------------------------------------------------------------
 */

static int parse_to(struct cfg_load *load, const struct cfg_node *node, void *dst)
{
    const char *text = cfg_node_text(node);
    char mem[256];
    struct strbuf why;

    if (!text) {
        cfg_error(load, node, NULL, "to is one target, written as host:port");
        return -1;
    }
    strbuf_init(&why, mem, sizeof(mem));
    if (target_parse(cfg_arena(load), slice_of(text), dst, &why))
        return 0;
    cfg_error(load, node, "host:port, \"[::1]:port\", unix:/path, unix:@name, builtin:echo or builtin:discard", "%s",
              mem);
    return -1;
}

static void print_to(const void *src, struct strbuf *out)
{
    const struct target *to = src;

    if (to->text)
        cfg_print_scalar(slice_of(to->text), out);
}

static int service_shorthand(struct cfg_load *load, const struct cfg_node *node, void *obj)
{
    return parse_to(load, node, &((struct service *)obj)->to);
}

static void check_service(struct cfg_load *load, const struct cfg_node *node, void *obj)
{
    const struct cfg_strings *names = &((const struct service *)obj)->subprotocols;

    for (size_t i = 0; i < names->n; i++) {
        if (!http_all_are(slice_of(names->v[i]), HTTP_TOKEN)) /* RFC 6455, section 4.1 */
            cfg_error(load, names->nodes[i], "letters, digits and !#$%&'*+-.^_`|~, without spaces",
                      "\"%s\" cannot be the name of a subprotocol", names->v[i]);
        for (size_t j = 0; j < i; j++)
            if (strcmp(names->v[i], names->v[j]) == 0)
                cfg_error(load, names->nodes[i], NULL, "subprotocol \"%s\" is given twice", names->v[i]);
    }
}

static const struct cfg_field service_fields[] = {
    {.key = "to",
     .type = CFG_CUSTOM,
     .offset = offsetof(struct service, to),
     .flags = CFG_REQUIRED,
     .parse = parse_to,
     .print = print_to,
     .doc =
         "Where the bytes go: a host name or an address with a port, a unix socket (unix:/path, or unix:@name for an "
         "abstract one), builtin:echo, which answers each message with itself, or builtin:discard. A name is "
         "looked up for each session, and all of its addresses are tried.",
     .example = "127.0.0.1:5901"},
    {.key = "subprotocols",
     .type = CFG_STRINGS,
     .offset = offsetof(struct service, subprotocols),
     .doc = "The subprotocols that the backend speaks, best first; the first one that the client offers too is "
            "agreed. Without a list it is binary when that is offered, else the first that is.",
     .example = "[mqtt]"},
    {.key = "tls",
     .type = CFG_STRUCT,
     .offset = offsetof(struct service, tls),
     .table = &tls_backend_table,
     .doc =
         "TLS to the backend: on, off, or a map. What is wrong with its certificate is a 502, and a line in the log."},
    {.key = "proxy_protocol",
     .type = CFG_ENUM,
     .offset = offsetof(struct service, proxy_protocol),
     .fallback = "off",
     .choices = proxy_choices,
     .doc = "Tells the backend who the client is, with a PROXY header in front of everything else (TLS, too). v2 also "
            "says what is known of the client's own TLS. The backend must expect it."},
    {.key = "connect_timeout",
     .type = CFG_DURATION,
     .offset = offsetof(struct service, connect_timeout),
     .min = 1,
     .doc = "How long connecting to this service may take, the name look-up and all of its addresses included. Without "
            "it timeouts.connect counts.",
     .example = "3s"},
    {.key = "limits",
     .type = CFG_STRUCT,
     .offset = offsetof(struct service, limits),
     .table = &limits_override_table,
     .doc = "Limits that differ for this service."},
    {.key = "timeouts",
     .type = CFG_STRUCT,
     .offset = offsetof(struct service, timeouts),
     .table = &timeouts_override_table,
     .doc = "Times that differ for this service."},
    CFG_TABLE_END,
};

const struct cfg_table service_table = {
    .name = "services.NAME",
    .doc =
        "The services that sessions are bridged to, by name. A service that needs nothing but its target may be given "
        "as just that: `desktop: 127.0.0.1:5901`.",
    .size = sizeof(struct service),
    .fields = service_fields,
    .set_offset = -1,
    .check = check_service,
    .shorthand = service_shorthand,
};
