/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the wsbridge authors */
/*
 * The option table of a route, and what its values must be. Paths and hosts are brought into the one form that the
 * index compares (index.c): no slash at the end, small letters.
 */
#include "route/route.h"

#include "base/addr.h"

#define HOST_TEXT_MAX 253 /* RFC 1035, section 2.3.4, as text */

static const struct cfg_field fields[] = {
    {.key = "path",
     .type = CFG_STRING,
     .offset = offsetof(struct route, path),
     .fallback = "/",
     .doc = "The beginning of the request path, at segment borders: /vm holds for /vm and /vm/7 but not for /vms. Of "
            "several routes the longest path wins, wherever it stands in the file. Written as it reads: a space is a "
            "space, not %20."},
    {.key = "host",
     .type = CFG_STRINGS,
     .offset = offsetof(struct route, hosts),
     .doc = "Host names for which the route holds, without a port; \"*.example.org\" stands for every name below "
            "example.org. An exact name wins over a wildcard and a wildcard over a route without host, whose absence "
            "means every host.",
     .example = "[desk.example.org, \"*.desk.example.org\"]"},
    {.key = "service",
     .type = CFG_STRING,
     .offset = offsetof(struct route, service_name),
     .doc = "The name under services where WebSockets of this route go. Without it the route answers plain requests "
            "only.",
     .example = "desktop"},
    {.key = "files",
     .type = CFG_PATH,
     .offset = offsetof(struct route, files),
     .doc = "A directory from which plain GET and HEAD requests are answered; it is never listed, and names that "
            "begin with a dot are not there. builtin:demo is a page inside the program that talks to a service. "
            "A route may have both files and service.",
     .example = "/usr/share/novnc"},
    {.key = "index",
     .type = CFG_STRING,
     .offset = offsetof(struct route, index),
     .fallback = "index.html",
     .doc = "The file of a directory that answers for the directory itself."},
    {.key = "cache",
     .type = CFG_DURATION,
     .offset = offsetof(struct route, cache),
     .fallback = "0s",
     .max = 31536000000,
     .doc = "How long a browser may use a file without asking again. With 0s it asks each time and gets a short "
            "answer when nothing has changed."},
    {.key = "origins",
     .type = CFG_STRINGS,
     .offset = offsetof(struct route, origins),
     .fallback = "same",
     .doc = "Whose pages may open a WebSocket here: same (pages of the very host and port asked), an origin like "
            "https://app.example.org, https://*.example.org for every name below it, or any. A client that sends no "
            "Origin is no browser and passes. any lets every page in the world use a visitor's network and cookies."},
    {.key = "limits",
     .type = CFG_STRUCT,
     .offset = offsetof(struct route, limits),
     .table = &limits_override_table,
     .doc = "Limits that differ for this route."},
    {.key = "timeouts",
     .type = CFG_STRUCT,
     .offset = offsetof(struct route, timeouts),
     .table = &timeouts_override_table,
     .doc = "Times that differ for this route."},
    CFG_TABLE_END,
};

/* The node of a key where the user wrote it, or the route's own. */
static const struct cfg_node *place_of(const struct cfg_node *node, const char *key)
{
    const struct cfg_node *n = cfg_node_kind(node) == CFG_NODE_MAP ? cfg_node_get(node, key) : NULL;
    return n ? n : node;
}

static void check_path(struct cfg_load *load, const struct cfg_node *node, struct route *r)
{
    const struct cfg_node *at = place_of(node, "path");
    struct slice path = slice_of(r->path);
    if (path.n == 0 || path.p[0] != '/') {
        cfg_error(load, at, arena_printf(cfg_arena(load), "write \"/%s\"", r->path), "a path begins with \"/\"");
        return;
    }
    size_t odd = strcspn(r->path, "?#%{}");
    if (r->path[odd]) {
        const char *help = NULL;
        if (r->path[odd] == '%')
            help = "write the character itself, not its %XX form";
        else if (r->path[odd] == '?' || r->path[odd] == '#')
            help = "a route looks at the path alone, without query and fragment";
        cfg_error(load, at, help, "a path cannot hold \"%c\"", r->path[odd]);
        return;
    }
    char *mem = arena_alloc(cfg_arena(load), path.n + 1);
    struct strbuf out;
    if (!mem) {
        cfg_error(load, at, NULL, "out of memory");
        return;
    }
    strbuf_init(&out, mem, path.n + 1);
    if (!http_path_decode(path, &out)) {
        cfg_error(load, at, "\".\", \"..\", backslashes and control characters are refused in requests too",
                  "no request can have the path \"%s\"", r->path);
        return;
    }
    while (out.n > 1 && mem[out.n - 1] == '/')
        mem[--out.n] = '\0';
    r->path = mem;
}

/* Letters, digits, '-' and '_' in labels that are not empty. */
static bool name_ok(struct slice name)
{
    struct slice rest = name;
    struct slice label;
    while (slice_cut(&rest, '.', &label)) {
        if (label.n == 0 || label.n > 63)
            return false;
        for (size_t i = 0; i < label.n; i++) {
            char c = label.p[i];
            if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_'))
                return false;
        }
    }
    return name.n <= HOST_TEXT_MAX;
}

/* The one form of a host as http_authority has it: addresses without brackets. NULL with *help when it is none. */
static const char *host_normal(struct cfg_load *load, const char *text, const char **help)
{
    struct addr addr;
    if (addr_parse_ip(slice_of(text), 0, &addr)) {
        struct ip_port ip;
        char buf[ADDR_TEXT_MAX];
        addr_to_ip_port(&addr, &ip);
        struct slice s = slice_of(ip_format(&ip, buf));
        if (s.n > 2 && s.p[0] == '[')
            s = (struct slice){s.p + 1, s.n - 2};
        return arena_dup(cfg_arena(load), s);
    }
    char *host = arena_dup(cfg_arena(load), slice_of(text));
    *help = "out of memory";
    if (!host)
        return NULL;
    size_t n = strlen(host);
    for (size_t i = 0; i < n; i++)
        host[i] = (char)(host[i] >= 'A' && host[i] <= 'Z' ? host[i] | 0x20 : host[i]);
    if (n > 1 && host[n - 1] == '.')
        host[--n] = '\0';
    bool wildcard = n > 2 && host[0] == '*' && host[1] == '.';
    size_t skip = wildcard ? 2 : 0;
    if (name_ok((struct slice){host + skip, n - skip}))
        return host;
    *help = "a host is a name, an address, or \"*.\" and a name";
    if (!strcmp(host, "*"))
        *help = "leave host out for a route that holds for every host";
    else if (strstr(host, "://") || strchr(host, '/'))
        *help = "only the name, without scheme and path";
    else if (strchr(host, ':'))
        *help = "only the name: a route holds for every port";
    for (size_t i = 0; i < n; i++)
        if ((unsigned char)host[i] >= 0x80)
            *help = "write an international name in its xn-- form";
    return NULL;
}

static void check_hosts(struct cfg_load *load, const struct cfg_node *node, struct route *r)
{
    for (size_t i = 0; i < r->hosts.n; i++) {
        const char *help = NULL;
        const char *host = host_normal(load, r->hosts.v[i], &help);
        if (host)
            r->hosts.v[i] = host;
        else
            cfg_error(load, r->hosts.nodes ? r->hosts.nodes[i] : node, help, "\"%s\" is not a host", r->hosts.v[i]);
    }
}

static const char *origin_help(struct cfg_load *load, const char *text)
{
    if (!strcmp(text, "*"))
        return "for every page in the world write \"any\"";
    if (!strcmp(text, "null"))
        return "sandboxed pages and local files send \"null\", and any page can pretend to be one; only \"any\" lets "
               "them in";
    const char *slash = strstr(text, "://");
    if (!slash && name_ok(slice_of(text)))
        return arena_printf(cfg_arena(load), "with its scheme: \"https://%s\"", text);
    if (slash && strchr(slash + 3, '/'))
        return "an origin ends with its host or port, without a slash or path";
    static const char *const words[] = {"same", "any"};
    const char *help = cfg_suggest(load, text, words, ARRAY_LEN(words));
    return help ? help : "same, any, \"https://app.example.org\" or \"https://*.example.org\"";
}

static void check_origins(struct cfg_load *load, const struct cfg_node *node, struct route *r)
{
    r->origin_any = false;
    r->origin_same = false;
    for (size_t i = 0; i < r->origins.n; i++) {
        const char *text = r->origins.v[i];
        const struct cfg_node *at = r->origins.nodes && r->origins.nodes[i] ? r->origins.nodes[i] : node;
        if (!strcmp(text, "same"))
            r->origin_same = true;
        else if (!strcmp(text, "any"))
            r->origin_any = true;
        else if (!http_origin_pattern_ok(slice_of(text)))
            cfg_error(load, at, origin_help(load, text), "\"%s\" is not an origin", text);
        if (!strcmp(text, "any") && r->service_name)
            cfg_warning(load, at, "list the origins of your own pages instead",
                        "any page that a user visits can open WebSockets to service \"%s\" from the user's browser",
                        r->service_name);
    }
}

static void check_files(struct cfg_load *load, const struct cfg_node *node, struct route *r)
{
    static const char *const builtin[] = {"builtin:demo"};
    if (r->files && slice_starts(slice_of(r->files), SLICE("builtin:")) && strcmp(r->files, builtin[0]) != 0)
        cfg_error(load, place_of(node, "files"), cfg_suggest(load, r->files, builtin, 1),
                  "there is no built-in page \"%s\"", r->files);
    if (r->index && (!*r->index || *r->index == '.' || strchr(r->index, '/')))
        cfg_error(load, place_of(node, "index"), "dot-files are never served",
                  "the index is a file name, without \"/\" and not beginning with a dot");
}

/* What has no effect is a misunderstanding worth a word. A value that is the default is none: the effective
 * configuration writes it out. */
static void check_useless(struct cfg_load *load, const struct cfg_node *node, const struct route *r)
{
    bool index = r->index && strcmp(r->index, "index.html") != 0;

    if (!r->files && (index || r->cache > 0))
        cfg_warning(load, place_of(node, index ? "index" : "cache"), NULL, "%s has no effect on a route without files",
                    index ? "index" : "cache");
    if (!r->service_name && !(r->origin_same && r->origins.n == 1) && place_of(node, "origins") != node)
        cfg_warning(load, place_of(node, "origins"), NULL, "origins have no effect on a route without service");
}

static void check_route(struct cfg_load *load, const struct cfg_node *node, void *obj)
{
    struct route *r = obj;
    r->node = node;
    check_path(load, node, r);
    check_hosts(load, node, r);
    check_origins(load, node, r);
    check_files(load, node, r);
    if (!r->service_name && !r->files)
        cfg_error(load, node, "add service: NAME for WebSockets, files: DIR for plain requests, or both",
                  "a route needs a service or files");
    else
        check_useless(load, node, r);
}

const struct cfg_table route_table = {
    .name = "routes[]",
    .doc = "Which request goes where. An exact host wins over a wildcard, then the longest path wins; the order of "
           "the routes does not matter.",
    .size = sizeof(struct route),
    .fields = fields,
    .set_offset = -1,
    .check = check_route,
};
