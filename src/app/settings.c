/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the wsbridge authors */
/*
 * The root option table, and how a tree of options becomes a snapshot: the short form is turned into the long one,
 * names are resolved, and the bounds of each route are merged (route over service over listener over global).
 */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "app/certificates.h"
#include "serve/files.h"

/* --- log -----------------------------------------------------------------------------------------------------------
 */

static const char *const level_names[] = {"error", "warn", "info", "debug", NULL};
static const char *const format_names[] = {"text", "json", NULL};
static const char *const error_modes[] = {"http", "close", NULL};

static bool has_folder(const char *path)
{
    const char *slash = strrchr(path, '/');
    char folder[PATH_MAX];
    struct stat st;

    if (!slash || (size_t)(slash - path) >= sizeof folder)
        return true; /* opening it will tell */
    snprintf(folder, sizeof folder, "%.*s/", (int)(slash - path), path);
    return stat(folder, &st) == 0 || errno != ENOENT;
}

static int parse_log_to(struct cfg_load *load, const struct cfg_node *node, void *dst)
{
    struct log_settings *l = container_of(dst, struct log_settings, to);
    const char *text = cfg_node_text(node);

    if (text && strcmp(text, "stderr") == 0) {
        l->options.target = LOG_STDERR;
    } else if (text && strcmp(text, "syslog") == 0) {
        l->options.target = LOG_SYSLOG;
    } else if (text && strncmp(text, "file:", 5) == 0 && text[5]) {
        l->options.target = LOG_FILE;
        l->options.path = cfg_path_resolve(load, node, text + 5);
        if (l->options.path && !has_folder(l->options.path)) {
            cfg_error(load, node, "make it first; the file itself is made when it is not there",
                      "the directory of the log file \"%s\" does not exist", l->options.path);
            return -1;
        }
    } else {
        cfg_error(load, node, "write stderr, syslog, or file:/path/to/file", "the log goes nowhere that is known");
        return -1;
    }
    l->to = text;
    return 0;
}

static void print_log_to(const void *src, struct strbuf *out)
{
    const struct log_settings *l = container_of(src, const struct log_settings, to);
    char text[4200];
    struct strbuf b;

    strbuf_init(&b, text, sizeof text);
    if (l->options.target == LOG_FILE)
        strbuf_printf(&b, "file:%s", l->options.path);
    else
        strbuf_str(&b, l->options.target == LOG_SYSLOG ? "syslog" : "stderr");
    cfg_print_scalar(strbuf_slice(&b), out);
}

static const struct cfg_field log_fields[] = {
    {.key = "to",
     .type = CFG_CUSTOM,
     .offset = offsetof(struct log_settings, to),
     .fallback = "stderr",
     .doc = "Where the log goes: stderr, syslog, or file:/path (opened again on the signal USR1).",
     .parse = parse_log_to,
     .print = print_log_to},
    {.key = "level",
     .type = CFG_ENUM,
     .offset = offsetof(struct log_settings, level),
     .fallback = "info",
     .choices = level_names,
     .doc = "The least important messages that are written: error, warn, info or debug."},
    {.key = "format",
     .type = CFG_ENUM,
     .offset = offsetof(struct log_settings, format),
     .fallback = "text",
     .choices = format_names,
     .doc = "Lines as text (name=value) or json."},
    {.key = "access",
     .type = CFG_BOOL,
     .offset = offsetof(struct log_settings, access),
     .fallback = "on",
     .doc = "One record for each session and each request when it is over."},
    CFG_TABLE_END,
};

static const struct cfg_table log_table = {
    .name = "log",
    .doc = "What is written down, how, and where.",
    .size = sizeof(struct log_settings),
    .fields = log_fields,
    .set_offset = -1,
};

/* --- process -------------------------------------------------------------------------------------------------------
 */

#define WORKERS_MAX 256

static int parse_workers(struct cfg_load *load, const struct cfg_node *node, void *dst)
{
    uint64_t *workers = dst;
    const char *text = cfg_node_text(node);

    if (text && strcmp(text, "auto") == 0) {
        *workers = 0;
        return 0;
    }
    if (text && slice_to_u64(slice_of(text), WORKERS_MAX, workers) && *workers > 0)
        return 0;
    cfg_error(load, node, "write auto, or a number", "workers is neither auto nor a number from 1 to %d", WORKERS_MAX);
    return -1;
}

static void print_workers(const void *src, struct strbuf *out)
{
    const uint64_t *workers = src;

    if (*workers == 0)
        strbuf_str(out, "auto");
    else
        strbuf_printf(out, "%llu", (unsigned long long)*workers);
}

static const struct cfg_field process_fields[] = {
    {.key = "workers",
     .type = CFG_CUSTOM,
     .offset = offsetof(struct process_settings, workers),
     .fallback = "auto",
     .doc = "Threads that carry sessions. auto: one for each core that the process may use.",
     .parse = parse_workers,
     .print = print_workers},
    CFG_TABLE_END,
};

static const struct cfg_table process_table = {
    .name = "process",
    .doc = "The process itself.",
    .size = sizeof(struct process_settings),
    .fields = process_fields,
    .set_offset = -1,
};

/* --- the root ------------------------------------------------------------------------------------------------------
 */

static const struct cfg_field settings_fields[] = {
    {.key = "version",
     .type = CFG_COUNT,
     .offset = offsetof(struct settings, version),
     .fallback = "1",
     .min = 1,
     .max = 1,
     .doc = "The version of this format. There is only 1."},
    {.key = "listen",
     .type = CFG_STRINGS,
     .offset = offsetof(struct settings, listen),
     .flags = CFG_HIDDEN,
     .doc = "Short form: where to listen, as listeners[].address.",
     .example = "6080"},
    {.key = "files",
     .type = CFG_PATH,
     .offset = offsetof(struct settings, files),
     .flags = CFG_HIDDEN,
     .doc = "Short form: a directory that plain requests are answered from.",
     .example = "/usr/share/novnc"},
    {.key = "index",
     .type = CFG_STRING,
     .offset = offsetof(struct settings, index),
     .flags = CFG_HIDDEN,
     .doc = "Short form: the file that stands for a directory.",
     .example = "vnc.html"},
    {.key = "to",
     .type = CFG_STRING,
     .offset = offsetof(struct settings, to),
     .flags = CFG_HIDDEN,
     .doc = "Short form: the service that WebSockets on any path go to, as services.NAME.to.",
     .example = "127.0.0.1:5901"},
    {.key = "origins",
     .type = CFG_STRINGS,
     .offset = offsetof(struct settings, origins),
     .flags = CFG_HIDDEN,
     .doc = "Short form: which pages may open a WebSocket, as routes[].origins.",
     .example = "same"},
    {.key = "listeners",
     .type = CFG_LIST,
     .offset = offsetof(struct settings, listeners),
     .doc = "Where clients come in.",
     .table = &listener_table},
    {.key = "tls",
     .type = CFG_MAP,
     .offset = offsetof(struct settings, tls),
     .flags = CFG_OR_ONE,
     .doc = "TLS for listeners, by name: certificates and what is asked of clients. In the short form the options of "
            "one entry stand here directly: `tls: {cert: FILE, key: FILE}`.",
     .table = &tls_table},
    {.key = "services",
     .type = CFG_MAP,
     .offset = offsetof(struct settings, services),
     .doc = "Where bytes go, by name.",
     .table = &service_table},
    {.key = "routes",
     .type = CFG_LIST,
     .offset = offsetof(struct settings, routes),
     .doc =
         "Which request goes where. An exact host beats a wildcard, then the longest path wins; order does not matter.",
     .table = &route_table},
    {.key = "limits",
     .type = CFG_STRUCT,
     .offset = offsetof(struct settings, limits),
     .doc = "How much. A listener, a service and a route may override what is theirs.",
     .table = &limits_table},
    {.key = "timeouts",
     .type = CFG_STRUCT,
     .offset = offsetof(struct settings, timeouts),
     .doc = "How long. A listener, a service and a route may override what is theirs.",
     .table = &timeouts_table},
    {.key = "errors",
     .type = CFG_ENUM,
     .offset = offsetof(struct settings, errors),
     .fallback = "http",
     .choices = error_modes,
     .doc = "How a client learns that a backend cannot be reached. http: the upgrade is refused with a status. close: "
            "it is accepted and closed "
            "with a code and a reason, which a page can show (browsers hide the status)."},
    {.key = "log",
     .type = CFG_STRUCT,
     .offset = offsetof(struct settings, log),
     .doc = "What is written down, how, and where.",
     .table = &log_table},
    {.key = "admin",
     .type = CFG_STRUCT,
     .offset = offsetof(struct settings, admin),
     .doc = "A socket through which the running process is asked how it is (`wsbridge --status`) and told to read its "
            "configuration again (`wsbridge --reload`). Absent: there is none. Changing it takes a restart.",
     .example = "unix:/run/wsbridge/admin.sock",
     .table = &admin_table},
    {.key = "process",
     .type = CFG_STRUCT,
     .offset = offsetof(struct settings, process),
     .doc = "The process itself.",
     .table = &process_table},
    CFG_TABLE_END,
};

const struct cfg_table settings_table = {
    .name = "",
    .doc = "The configuration of wsbridge.",
    .size = sizeof(struct settings),
    .fields = settings_fields,
    .set_offset = -1,
};

/* --- the short form ------------------------------------------------------------------------------------------------
 */

static struct cfg_items one_item(struct arena *a, size_t size, const struct cfg_node *node)
{
    struct cfg_items items = {.n = 1, .v = arena_alloc(a, size), .nodes = arena_alloc(a, sizeof *items.nodes)};

    if (!items.v || !items.nodes)
        return (struct cfg_items){0};
    items.nodes[0] = node;
    return items;
}

static void short_listener(struct cfg_load *load, const struct cfg_node *root, struct settings *s)
{
    struct listener_settings *l;

    s->listeners = one_item(s->arena, sizeof *l, cfg_node_get(root, "listen"));
    if (!s->listeners.n)
        return;
    l = s->listeners.v;
    cfg_defaults(load, &listener_table, l);
    l->address = s->listen;
    if (cfg_node_key(root, "tls") && !s->tls.n && !cfg_error_count(load))
        cfg_error(
            load, cfg_node_key(root, "tls"),
            "write tls: {cert: FILE, key: FILE}; TLS toward the backend is an option of a service (the long form)",
            "TLS needs a certificate");
    if (s->tls.n) {
        const struct tls_settings *t = s->tls.v;
        l->tls = (struct listener_tls){.name = t->name.name, .node = t->node};
        if (s->tls.n > 1)
            cfg_error(load, t[1].name.node, "write tls: {cert: FILE, key: FILE}",
                      "the short form has one listener, so it needs one tls");
    }
    listener_table.check(load, cfg_node_get(root, "listen"), l);
}

static void short_service(struct cfg_load *load, const struct cfg_node *root, struct settings *s)
{
    const struct cfg_node *node = cfg_node_get(root, "to");
    struct service *v;
    char text[256];
    struct strbuf why;

    s->services = one_item(s->arena, sizeof *v, node);
    if (!s->services.n)
        return;
    v = s->services.v;
    cfg_defaults(load, &service_table, v);
    v->name = (struct cfg_named){.name = "default", .node = node};
    strbuf_init(&why, text, sizeof text);
    if (!target_parse(s->arena, slice_of(s->to), &v->to, &why))
        cfg_error(load, node, NULL, "%s", why.p);
}

static void short_route(struct cfg_load *load, const struct cfg_node *root, struct settings *s)
{
    struct route *r;

    s->routes = one_item(s->arena, sizeof *r, root);
    if (!s->routes.n)
        return;
    r = s->routes.v;
    cfg_defaults(load, &route_table, r);
    r->files = s->files;
    if (s->index)
        r->index = s->index;
    r->service_name = s->to ? "default" : NULL;
    if (s->origins.n)
        r->origins = s->origins;
    route_table.check(load, root, r);
}

static void expand_short(struct cfg_load *load, const struct cfg_node *root, struct settings *s)
{
    static const char *const long_keys[] = {"listeners", "services", "routes"};
    static const char *const short_keys[] = {"listen", "files", "index", "to", "origins"};
    const struct cfg_node *is_short = NULL;
    const struct cfg_node *is_long = NULL;

    for (size_t i = 0; i < ARRAY_LEN(short_keys) && !is_short; i++)
        is_short = cfg_node_key(root, short_keys[i]);
    for (size_t i = 0; i < ARRAY_LEN(long_keys) && !is_long; i++)
        is_long = cfg_node_key(root, long_keys[i]);
    if (is_short && is_long) {
        cfg_error(load, is_short, "run `wsbridge -T` on a file with the short form alone: it prints the long one",
                  "\"%s\" belongs to the short form (listen, files, to) and \"%s\" to the long one: use one of them",
                  cfg_node_text(is_short), cfg_node_text(is_long));
        return;
    }
    if (is_long)
        return;
    if (!s->listen.n || (!s->to && !s->files)) {
        if (!cfg_error_count(load)) /* otherwise it may be there, and wrong */
            cfg_error(load, root, "three lines are enough: `listen: 6080`, `files: DIR`, `to: HOST:PORT`",
                      !s->listen.n ? "nothing to listen on: \"listen\" (or \"listeners\") is missing"
                                   : "nothing to serve: \"to\" or \"files\" (or \"routes\") is missing");
        return;
    }
    short_listener(load, root, s);
    if (s->to)
        short_service(load, root, s);
    short_route(load, root, s);
}

/* --- names and bounds ----------------------------------------------------------------------------------------------
 */

static const struct service *find_service(const struct settings *s, const char *name)
{
    const struct service *v = s->services.v;

    for (size_t i = 0; i < s->services.n; i++)
        if (strcmp(v[i].name.name, name) == 0)
            return &v[i];
    return NULL;
}

/* Names for "did you mean"; made once, when first needed. */
static const char **service_names(struct settings *s)
{
    const struct service *v = s->services.v;
    const char **names = arena_alloc(s->arena, (s->services.n + 1) * sizeof *names);

    for (size_t i = 0; names && i < s->services.n; i++)
        names[i] = v[i].name.name;
    return names;
}

static void resolve_service(struct cfg_load *load, struct settings *s, struct route *r, const char ***names)
{
    const struct cfg_node *at;
    const char *help;

    if (!r->service_name)
        return;
    r->service = find_service(s, r->service_name);
    if (r->service)
        return;
    if (!*names)
        *names = service_names(s);
    at = cfg_node_get(r->node, "service");
    help = *names ? cfg_suggest(load, r->service_name, *names, s->services.n) : NULL;
    if (!help && strchr(r->service_name, ':'))
        help = "a route takes the name of a service: put NAME: HOST:PORT under \"services\" and write NAME here";
    cfg_error(load, at ? at : r->node, help, "service \"%s\" is not defined", r->service_name);
}

static void open_root(struct cfg_load *load, struct route *r)
{
    struct file_root_options opt = {.dir = r->files, .index = r->index, .cache = r->cache};
    char text[512];
    struct strbuf why;
    const struct cfg_node *at = cfg_node_get(r->node, "files");

    if (!r->files)
        return;
    strbuf_init(&why, text, sizeof text);
    r->root = file_root_new(&opt, &why);
    if (!r->root)
        cfg_error(load, at ? at : r->node, NULL, "%s", why.p);
}

static void merge_bounds(const struct settings *s, const struct listener_settings *l, struct route *r)
{
    struct limits limits = s->limits;
    struct timeouts timeouts = s->timeouts;

    limits_merge(&limits, &l->limits);
    timeouts_merge(&timeouts, &l->timeouts);
    if (r->service) {
        limits_merge(&limits, &r->service->limits);
        timeouts_merge(&timeouts, &r->service->timeouts);
        if (r->service->connect_timeout > 0)
            timeouts.connect = r->service->connect_timeout;
    }
    limits_merge(&limits, &r->limits);
    timeouts_merge(&timeouts, &r->timeouts);
    r->limits = limits;
    r->timeouts = timeouts;
    r->errors_close = s->errors == 1;
}

/* The listener's own bounds count before a route is known; its copy of the routes has them merged in. */
static bool make_listener_routes(struct settings *s)
{
    struct listener_settings *listeners = s->listeners.v;

    s->by_listener = arena_alloc(s->arena, (s->listeners.n + 1) * sizeof *s->by_listener);
    if (!s->by_listener)
        return false;
    for (size_t i = 0; i < s->listeners.n; i++) {
        struct listener_settings *l = &listeners[i];
        struct listener_routes *lr = &s->by_listener[i];
        struct limits limits = s->limits;
        struct timeouts timeouts = s->timeouts;

        lr->routes = arena_alloc(s->arena, (s->routes.n + 1) * sizeof *lr->routes);
        if (!lr->routes)
            return false;
        if (s->routes.n)
            memcpy(lr->routes, s->routes.v, s->routes.n * sizeof *lr->routes);
        for (size_t j = 0; j < s->routes.n; j++) {
            merge_bounds(s, l, &lr->routes[j]);
            lr->routes[j].listener_name = l->name;
        }
        lr->index = route_index_new(s->arena, lr->routes, s->routes.n);
        if (!lr->index)
            return false;
        limits_merge(&limits, &l->limits);
        timeouts_merge(&timeouts, &l->timeouts);
        limits.set = l->limits.set; /* what was given here, not what was taken over: -T prints by it */
        timeouts.set = l->timeouts.set;
        l->limits = limits;
        l->timeouts = timeouts;
    }
    return true;
}

static void settings_free(struct ref *ref)
{
    struct settings *s = container_of(ref, struct settings, ref);
    struct route *r = s->routes.v;

    for (size_t i = 0; i < s->routes.n; i++)
        file_root_free((struct file_root *)r[i].root);
    certificates_free(s);
    arena_free(s->arena); /* with the struct itself */
}

/* Bind would say "in use by another program", and only at start. */
static void check_addresses(struct cfg_load *load, const struct settings *s)
{
    for (size_t n = 0; n < s->listeners.n; n++) {
        const struct listener_settings *l = settings_listener(s, n);
        for (size_t i = 0; i < l->n_addrs; i++)
            for (size_t m = 0; m <= n; m++) {
                const struct listener_settings *o = settings_listener(s, m);
                for (size_t j = 0; j < (m < n ? o->n_addrs : i); j++)
                    if (addr_collide(&l->addrs[i], &o->addrs[j]))
                        cfg_error(load, l->address.nodes[i], "remove one of the two, or give it another port",
                                  "\"%s\" cannot be listened on beside \"%s\"", l->address.v[i], o->address.v[j]);
            }
    }
}

static void check_admin_address(struct cfg_load *load, const struct settings *s)
{
    for (size_t i = 0; s->admin.addr.len && i < s->listeners.n; i++) {
        const struct listener_settings *l = settings_listener(s, i);
        for (size_t j = 0; j < l->n_addrs; j++)
            if (addr_collide(&s->admin.addr, &l->addrs[j]))
                cfg_error(load, s->admin.node, "give it a path of its own", "\"%s\" is a listener's address already",
                          s->admin.address);
    }
}

static void settings_resolve(struct cfg_load *load, const struct cfg_node *root, struct settings *s,
                             struct tls_tickets *tickets)
{
    const char **names = NULL;
    struct route *r;

    s->log.options.level = (enum log_level)s->log.level;
    s->log.options.format = (enum log_format)s->log.format;
    s->log.options.access = s->log.access;
    expand_short(load, root, s);
    r = s->routes.v;
    if (!s->listeners.n && !cfg_error_count(load))
        cfg_error(load, root, "add `listeners: [{address: 6080}]`", "nothing to listen on: \"listeners\" is missing");
    if (!s->routes.n && !cfg_error_count(load))
        cfg_error(load, root, "add `routes: [{path: /, service: NAME}]`", "no routes: every request would be a 404");
    for (size_t i = 0; i < s->routes.n; i++) {
        resolve_service(load, s, &r[i], &names);
        open_root(load, &r[i]);
    }
    check_addresses(load, s);
    check_admin_address(load, s);
    route_check_all(load, r, s->routes.n);
    if (!make_listener_routes(s))
        cfg_error(load, root, NULL, "out of memory");
    certificates_make(load, s, tickets);
}

struct settings *settings_load(const struct settings_source *src, bool color, cfg_put *put, void *arg)
{
    struct arena *a = arena_new(0);
    struct settings *s = a ? arena_alloc(a, sizeof *s) : NULL;
    struct cfg_load *load = s ? cfg_load_new(a) : NULL;
    const struct cfg_node *root;

    if (!load) {
        put(arg, SLICE("wsbridge: out of memory\n"));
        arena_free(a);
        return NULL;
    }
    ref_init(&s->ref, settings_free);
    if (src->reload)
        cfg_load_never_wait(load);
    root = src->text ? cfg_load_text(load, "command line", slice_of(src->text))
                     : cfg_load_files(load, src->paths, src->n_paths);
    if (root) {
        cfg_read(load, &settings_table, root, s);
        s->arena = a; /* after cfg_read: it clears the struct */
        ref_init(&s->ref, settings_free);
        settings_resolve(load, root, s, src->tickets);
    }
    cfg_errors_print(load, color, put, arg);
    s->arena = a;
    if (!root || cfg_error_count(load)) {
        cfg_load_free(load);
        settings_give(s);
        return NULL;
    }
    cfg_load_free(load);
    return s;
}

/* --- looking things up ---------------------------------------------------------------------------------------------
 */

const struct route *settings_find_route(const struct settings *s, const struct listener_settings *listener,
                                        struct slice host, struct slice path)
{
    size_t i = (size_t)(listener - (const struct listener_settings *)s->listeners.v);

    return route_find(s->by_listener[i].index, host, path);
}

bool settings_same_listeners(const struct settings *a, const struct settings *b)
{
    if (a->listeners.n != b->listeners.n)
        return false;
    for (size_t i = 0; i < a->listeners.n; i++) {
        const struct listener_settings *x = settings_listener(a, i);
        const struct listener_settings *y = settings_listener(b, i);

        if (x->n_addrs != y->n_addrs || x->has_mode != y->has_mode || x->mode != y->mode)
            return false;
        for (size_t j = 0; j < x->n_addrs; j++)
            if (x->addrs[j].len != y->addrs[j].len ||
                (listen_address_is_handed(&x->addrs[j]) && strcmp(x->address.v[j], y->address.v[j]) != 0) ||
                memcmp(&x->addrs[j].u, &y->addrs[j].u, x->addrs[j].len) != 0)
                return false;
    }
    return true;
}
