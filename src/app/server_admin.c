/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the wsbridge authors */
/*
 * The commands of the admin socket. One that is added here is one function and one row of the table.
 */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "app/certificates.h"
#include "app/server_inner.h"
#include "app/status.h"
#include "base/clock.h"
#include "tls/common.h"

static struct server *server_of(struct admin *a)
{
    return container_of(a, struct server, admin);
}

/* --- status: gathering -----------------------------------------------------------------------------------------------
 * Views into the present snapshot and its contexts, which this thread alone replaces: good until the answer is written.
 */

static void add_tls(struct status_tls *to, const struct tls_counts *from)
{
    to->open += stats_gauge(&from->open);
    to->ktls_send += stats_gauge(&from->ktls_send);
    to->ktls_receive += stats_gauge(&from->ktls_receive);
}

static bool gather_workers(const struct server *sv, struct arena *a, struct status *out)
{
    struct status_worker *v = arena_alloc(a, sv->n_workers * sizeof *v);

    for (unsigned i = 0; v && i < sv->n_workers; i++) {
        const struct worker_stats *stats = &sv->workers[i].env.stats;
        v[i] = (struct status_worker){stats_gauge(&stats->connections), stats_gauge(&stats->sessions)};
        out->accepted += stats_total(&stats->accepted);
        out->sessions_total += stats_total(&stats->sessions_total);
        out->requests += stats_total(&stats->requests);
        add_tls(&out->tls_clients, &stats->tls_front);
        add_tls(&out->tls_backends, &stats->tls_back);
    }
    out->workers = v;
    out->n_workers = sv->n_workers;
    return v;
}

static bool gather_listeners(const struct server *sv, struct arena *a, struct status *out)
{
    struct status_listener *v = arena_alloc(a, (sv->sockets.n + 1) * sizeof *v);

    for (size_t i = 0; v && i < sv->sockets.n; i++) {
        const struct socket_place *p = &sv->sockets.places[i];
        const struct listener_settings *l = settings_listener(sv->settings, p->which);
        v[i].name = l->name;
        v[i].tls = l->server != NULL;
        addr_format(&p->addr, v[i].address);
    }
    out->listeners = v;
    out->n_listeners = sv->sockets.n;
    return v;
}

static struct status_renewal renewal_of(const struct tls_refusal *r)
{
    return r ? (struct status_renewal){.why = r->why, .at = r->at} : (struct status_renewal){0};
}

static size_t gather_server(struct tls_server *server, struct status_certificate *v)
{
    struct tls_set *set = tls_server_take(server);
    size_t n = tls_set_count(set);
    struct tls_certificate_info info;

    for (size_t i = 0; v && i < n; i++) {
        tls_set_info(set, i, &info);
        v[i] = (struct status_certificate){
            .file = info.path,
            .kind = info.kind,
            .n_names = info.n_names,
            .names = info.names,
            .ends = info.not_after,
            .renewal = renewal_of(tls_server_refusal(server)),
        };
    }
    tls_set_give(set);
    return n;
}

static bool gather_certificates(const struct server *sv, struct arena *a, struct status *out)
{
    const struct certificates *c = &sv->settings->certificates;
    struct status_certificate *v;
    size_t n = 0;

    for (size_t i = 0; i < c->n_servers; i++)
        n += gather_server(c->servers[i], NULL);
    v = arena_alloc(a, (n + 1) * sizeof *v);
    n = 0;
    for (size_t i = 0; v && i < c->n_servers; i++)
        n += gather_server(c->servers[i], v + n);
    out->certificates = v;
    out->n_certificates = n;
    return v;
}

static bool gather_backends(const struct server *sv, struct arena *a, struct status *out)
{
    const struct service *services = sv->settings->services.v;
    struct status_backend *v = arena_alloc(a, (sv->settings->services.n + 1) * sizeof *v);
    size_t n = 0;

    for (size_t i = 0; v && i < sv->settings->services.n; i++)
        if (services[i].backend)
            v[n++] =
                (struct status_backend){services[i].name.name, renewal_of(tls_backend_refusal(services[i].backend))};
    out->backends = v;
    out->n_backends = n;
    return v;
}

static bool gather(const struct server *sv, struct arena *a, struct status *out)
{
    const struct reload_record *r = &sv->last_reload;

    *out = (struct status){
        .version = WSBRIDGE_VERSION,
        .pid = (long)getpid(),
        .draining = sv->draining || sv->stopping,
        .now = clock_wall_ms(),
        .started = sv->started,
        .loaded = sv->loaded,
        .n_files = sv->source->n_paths,
        .files = sv->source->paths,
        .reload_at = r->at,
        .reload_why = r->ok ? NULL : r->why,
        .ktls_possible = tls_ktls_possible(),
    };
    return gather_workers(sv, a, out) && gather_listeners(sv, a, out) && gather_certificates(sv, a, out) &&
           gather_backends(sv, a, out);
}

/* --- the commands ----------------------------------------------------------------------------------------------------
 */

static void run_status(struct admin *admin, const struct admin_peer *peer, struct slice args, FILE *answer)
{
    bool json = slice_eq(args, SLICE("json"));
    struct arena *a;
    struct status s;

    if (args.n && !json) {
        fputs("error: status takes nothing, or json\n", answer);
        return;
    }
    a = arena_new(0);
    if (a && gather(server_of(admin), a, &s)) {
        fputs("ok\n", answer);
        (json ? status_print_json : status_print_text)(&s, answer);
    } else {
        fputs("error: out of memory\n", answer);
    }
    arena_free(a);
}

static void say_who(struct log *log, const struct admin_peer *peer)
{
    if (peer->known)
        log_event(log, LOG_INFO, "admin_reload", KV_I("uid", peer->uid), KV_I("pid", peer->pid));
    else
        log_event(log, LOG_INFO, "admin_reload", KV("uid", "-"));
}

static void run_reload(struct admin *admin, const struct admin_peer *peer, struct slice args, FILE *answer)
{
    struct server *sv = server_of(admin);
    char *text = NULL;
    size_t n = 0;
    char why[256];
    FILE *said;

    if (args.n) {
        fputs("error: reload takes nothing\n", answer);
        return;
    }
    said = open_memstream(&text, &n);
    if (!said) {
        fputs("error: out of memory\n", answer);
        return;
    }
    say_who(sv->shared.log, peer);
    switch (server_reload(sv, said, why, sizeof why)) {
    case RELOAD_DONE:
        fprintf(answer, "ok\nreloaded routes=%zu services=%zu\n", sv->settings->routes.n, sv->settings->services.n);
        break;
    case RELOAD_REFUSED:
        fprintf(answer, ADMIN_CONFIGURATION "%s; the old one is kept\n", why);
        break;
    case RELOAD_NOT_NOW:
        fprintf(answer, "error: %s\n", why);
        break;
    }
    if (fclose(said) == 0)
        fwrite(text, 1, n, answer);
    free(text);
}

static const struct admin_command commands[] = {
    {"status", run_status},
    {"reload", run_reload},
};

int server_open_admin(struct server *sv)
{
    const struct admin_settings *s = &sv->settings->admin;

    /* A process that lives for one connection is one of many with the same file. */
    if (!s->address || sv->sockets.connected >= 0)
        return 0;
    return admin_open(&sv->admin, sv->loop, sv->shared.log, s,
                      (struct admin_commands){.n = ARRAY_LEN(commands), .v = commands});
}
