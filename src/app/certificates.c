/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the wsbridge authors */
/*
 * See certificates.h. One context is made for each entry of `tls`, however many listeners name it, one for each inline
 * map, and one for each service that speaks TLS.
 */
#include "app/certificates.h"

#include "base/clock.h"

static int64_t wall_seconds(void)
{
    return (int64_t)(clock_wall_ms() / 1000);
}

/* --- making ----------------------------------------------------------------------------------------------------------
 */

struct load_report {
    struct tls_report r;
    struct cfg_load *load;
};

static void say_to_load(struct tls_report *r, enum tls_severity severity, const struct cfg_node *at, const char *text)
{
    struct cfg_load *load = container_of(r, struct load_report, r)->load;

    if (severity == TLS_ERROR)
        cfg_error(load, at, NULL, "%s", text);
    else
        cfg_warning(load, at, NULL, "%s", text);
}

static struct tls_server *find_server(const struct settings *s, const char *name)
{
    const struct tls_settings *v = s->tls.v;

    for (size_t i = 0; i < s->tls.n; i++)
        if (strcmp(v[i].name.name, name) == 0)
            return s->certificates.servers[i];
    return NULL;
}

static bool is_defined(const struct settings *s, const char *name)
{
    const struct tls_settings *v = s->tls.v;

    for (size_t i = 0; i < s->tls.n; i++)
        if (strcmp(v[i].name.name, name) == 0)
            return true;
    return false;
}

static void check_name(struct cfg_load *load, const struct settings *s, const struct listener_settings *l)
{
    const struct tls_settings *v = s->tls.v;
    const char **names;

    if (!l->tls.name || is_defined(s, l->tls.name))
        return;
    names = arena_alloc(s->arena, (s->tls.n + 1) * sizeof *names);
    for (size_t i = 0; names && i < s->tls.n; i++)
        names[i] = v[i].name.name;
    cfg_error(load, l->tls.node, names ? cfg_suggest(load, l->tls.name, names, s->tls.n) : NULL,
              "tls \"%s\" is not defined", l->tls.name);
}

static void check_service(struct cfg_load *load, const struct service *v)
{
    const struct target *to = &v->to;
    const struct cfg_node *at = v->tls.node ? v->tls.node : v->name.node;
    bool builtin = to->kind == TARGET_ECHO || to->kind == TARGET_DISCARD;

    if (builtin && (v->tls.enabled || v->proxy_protocol))
        cfg_error(load, at, NULL, "service \"%s\" is built in: tls and proxy_protocol need a backend", v->name.name);
    else if (v->tls.enabled && v->tls.verify && !v->tls.server_name && to->kind == TARGET_ADDR &&
             to->addr.u.sa.sa_family == AF_UNIX)
        cfg_error(load, at, "add server_name: NAME, or verify: off",
                  "a unix socket has no host name that the backend's certificate could be checked against");
}

static bool make_room(struct settings *s)
{
    struct certificates *c = &s->certificates;
    size_t servers = s->tls.n + s->listeners.n + 1;
    size_t backends = s->services.n + 1;

    c->servers = arena_alloc(s->arena, servers * sizeof(struct tls_server *));
    c->backends = arena_alloc(s->arena, backends * sizeof(struct tls_backend *));
    if (!c->servers || !c->backends)
        return false;
    memset(c->servers, 0, servers * sizeof(struct tls_server *));
    memset(c->backends, 0, backends * sizeof(struct tls_backend *));
    return true;
}

static void make_servers(struct settings *s, struct tls_tickets *tickets, struct tls_report *r)
{
    struct certificates *c = &s->certificates;
    const struct tls_settings *v = s->tls.v;
    struct listener_settings *l = s->listeners.v;
    int64_t now = wall_seconds();

    for (size_t i = 0; i < s->tls.n; i++)
        c->servers[c->n_servers++] = tls_server_new(&v[i], tickets, now, r);
    for (size_t i = 0; i < s->listeners.n; i++) {
        if (l[i].tls.name)
            l[i].server = find_server(s, l[i].tls.name);
        else if (l[i].tls.own)
            l[i].server = c->servers[c->n_servers++] = tls_server_new(l[i].tls.own, tickets, now, r);
    }
}

static void make_backends(struct settings *s, struct tls_report *r)
{
    struct certificates *c = &s->certificates;
    struct service *v = s->services.v;

    for (size_t i = 0; i < s->services.n; i++)
        if (v[i].tls.enabled)
            v[i].backend = c->backends[c->n_backends++] = tls_backend_new(&v[i].tls, wall_seconds(), r);
}

void certificates_make(struct cfg_load *load, struct settings *s, struct tls_tickets *tickets)
{
    struct load_report report = {.r.say = say_to_load, .load = load};
    const struct listener_settings *l = s->listeners.v;
    const struct service *v = s->services.v;

    for (size_t i = 0; i < s->listeners.n; i++)
        check_name(load, s, &l[i]);
    for (size_t i = 0; i < s->services.n; i++)
        check_service(load, &v[i]);
    if (cfg_error_count(load)) /* what is missing in the settings would be missed once more in the files */
        return;
    if (!make_room(s)) {
        cfg_error(load, NULL, NULL, "out of memory");
        return;
    }
    make_servers(s, tickets, &report.r);
    make_backends(s, &report.r);
}

void certificates_free(struct settings *s)
{
    for (size_t i = 0; i < s->certificates.n_servers; i++)
        tls_server_free(s->certificates.servers[i]);
    for (size_t i = 0; i < s->certificates.n_backends; i++)
        tls_backend_free(s->certificates.backends[i]);
}

/* --- watching --------------------------------------------------------------------------------------------------------
 */

struct log_report {
    struct tls_report r;
    struct log *log;
    const char *event; /* of an error; warnings have their own */
};

static void say_to_log(struct tls_report *r, enum tls_severity severity, const struct cfg_node *at, const char *text)
{
    struct log_report *l = container_of(r, struct log_report, r);

    if (severity == TLS_ERROR)
        log_event(l->log, LOG_ERROR, l->event, KV("why", text), KV("kept", "the old one"));
    else
        log_event(l->log, LOG_WARN, "certificate_warning", KV("what", text));
}

static void say_certificate(struct log *log, const char *event, const struct tls_certificate_info *info)
{
    char names[512];
    char ends[CLOCK_TEXT_MAX];
    struct strbuf b;

    strbuf_init(&b, names, sizeof names);
    for (size_t i = 0; i < info->n_names; i++)
        strbuf_printf(&b, "%s%s", i ? "," : "", info->names[i]);
    log_always_event(log, LOG_INFO, event, KV("file", info->path), KV("kind", info->kind),
                     KV("names", info->n_names ? names : "-"),
                     KV("ends", clock_format((uint64_t)info->not_after * 1000, ends)), KV_B("ocsp", info->ocsp));
}

static void say_server(struct tls_server *v, struct log *log, const char *event)
{
    struct tls_set *set = tls_server_take(v);
    struct tls_certificate_info info;

    for (size_t i = 0; i < tls_set_count(set); i++) {
        tls_set_info(set, i, &info);
        say_certificate(log, event, &info);
    }
    tls_set_give(set);
}

void certificates_check(const struct settings *s, struct log *log)
{
    struct log_report report = {.r.say = say_to_log, .log = log, .event = "certificate_refused"};
    const struct certificates *c = &s->certificates;
    int64_t now = wall_seconds();

    for (size_t i = 0; i < c->n_servers; i++)
        if (tls_server_check(c->servers[i], now, &report.r) == TLS_CHECK_RENEWED)
            say_server(c->servers[i], log, "certificate_renewed");
    for (size_t i = 0; i < c->n_backends; i++)
        if (tls_backend_check(c->backends[i], now, &report.r) == TLS_CHECK_RENEWED)
            log_event(log, LOG_INFO, "backend_certificate_renewed");
}

void certificates_warn(const struct settings *s, struct log *log)
{
    struct log_report report = {.r.say = say_to_log, .log = log, .event = "certificate_refused"};
    int64_t now = wall_seconds();

    for (size_t i = 0; i < s->certificates.n_servers; i++) {
        struct tls_set *set = tls_server_take(s->certificates.servers[i]);
        tls_set_warn(set, now, &report.r);
        tls_set_give(set);
    }
}

void certificates_say(const struct settings *s, struct log *log)
{
    for (size_t i = 0; i < s->certificates.n_servers; i++)
        say_server(s->certificates.servers[i], log, "certificate");
}
