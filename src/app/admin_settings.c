/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the wsbridge authors */
/*
 * The option table of `admin`. Whoever can open the socket commands the process, so it has to be one whose file says
 * who can: no TCP, and no abstract name either, which everybody on the machine may connect to.
 */
#include "app/admin_settings.h"

#include "front/front.h"

#define MODE_DEFAULT 0600
#define MODE_OTHERS 0002 /* to connect is to write */

const char *admin_address_parse(const char *text, struct addr *out, const char **help)
{
    struct slice s = slice_of(text);
    struct slice path;

    *help = "write unix:/path, for example " ADMIN_ADDRESS;
    if (!slice_starts(s, SLICE("unix:"))) {
        if (s.n && s.p[0] != '/')
            *help = "write unix:/path: whoever reaches this socket commands the process, and only a file has "
                    "permissions that say who may";
        return "the admin socket is a unix socket";
    }
    path = (struct slice){s.p + strlen("unix:"), s.n - strlen("unix:")};
    if (slice_starts(path, SLICE("@"))) {
        *help = "write unix:/path: an abstract name has no permissions, and whoever reaches this socket commands the "
                "process";
        return "the admin socket needs a file";
    }
    if (!slice_starts(path, SLICE("/")))
        return "the path of the admin socket does not begin with /";
    if (!addr_parse_unix(path, out)) {
        *help = "the system takes 107 bytes";
        return "the path of the admin socket is too long";
    }
    return NULL;
}

bool admin_same(const struct admin_settings *a, const struct admin_settings *b)
{
    return a->addr.len == b->addr.len && memcmp(&a->addr.u, &b->addr.u, a->addr.len) == 0 && a->mode == b->mode;
}

static int parse_mode(struct cfg_load *load, const struct cfg_node *node, void *dst)
{
    struct admin_settings *a = container_of(dst, struct admin_settings, mode);

    if (listen_mode_parse(load, node, &a->mode) != 0)
        return -1;
    a->has_mode = true;
    if (a->mode & MODE_OTHERS)
        cfg_warning(load, node, "\"0660\" lets the group do so, too",
                    "everybody on this machine may command the process");
    return 0;
}

static void print_mode(const void *src, struct strbuf *out)
{
    const struct admin_settings *a = container_of(src, const struct admin_settings, mode);

    if (a->address)
        strbuf_printf(out, "\"0%o\"", a->mode);
}

static int shorthand(struct cfg_load *load, const struct cfg_node *node, void *obj)
{
    struct admin_settings *a = obj;

    a->address = cfg_node_text(node);
    if (a->address)
        return 0;
    cfg_error(load, node, "write admin: unix:/path, or a map with address and mode",
              "admin is an address or a map, not a list");
    return -1;
}

static void check(struct cfg_load *load, const struct cfg_node *node, void *obj)
{
    struct admin_settings *a = obj;
    const struct cfg_node *at = cfg_node_get(node, "address");
    const char *help;
    const char *why;

    a->node = at ? at : node;
    if (!a->has_mode)
        a->mode = MODE_DEFAULT;
    if (!a->address) /* that is missing was said */
        return;
    why = admin_address_parse(a->address, &a->addr, &help);
    if (why)
        cfg_error(load, a->node, help, "%s", why);
}

static const struct cfg_field fields[] = {
    {.key = "address",
     .type = CFG_STRING,
     .offset = offsetof(struct admin_settings, address),
     .flags = CFG_REQUIRED,
     .doc = "Where the socket is: unix:/path. Who may open it commands the process, so it cannot be a TCP port.",
     .example = ADMIN_ADDRESS},
    {.key = "mode",
     .type = CFG_CUSTOM,
     .offset = offsetof(struct admin_settings, mode),
     .doc = "Permissions of the socket's file, as chmod takes them: who may give commands. Default: \"0600\", the "
            "user that wsbridge runs as and root.",
     .example = "\"0660\"",
     .parse = parse_mode,
     .print = print_mode},
    CFG_TABLE_END,
};

const struct cfg_table admin_table = {
    .name = "admin",
    .doc = "A socket for `wsbridge --status` and `wsbridge --reload`.",
    .size = sizeof(struct admin_settings),
    .fields = fields,
    .set_offset = -1,
    .check = check,
    .shorthand = shorthand,
};
