/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the wsbridge authors */
/*
 * See status.h. Names come from files and certificates, so every text goes through the log's escaping: what is printed
 * here ends on somebody's terminal, or in a program that reads JSON.
 */
#include "app/status.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/strbuf.h"
#include "obs/log.h"

#define DAY 86400

static int64_t days_left(const struct status *s, int64_t ends)
{
    int64_t left = ends - (int64_t)(s->now / 1000);

    return left >= 0 ? left / DAY : -((-left + DAY - 1) / DAY);
}

static const char *when(int64_t seconds, char *text)
{
    return clock_format((uint64_t)MAX_OF(seconds, (int64_t)0) * 1000, text);
}

static struct status_worker in_all(const struct status *s)
{
    struct status_worker sum = {0};

    for (size_t i = 0; i < s->n_workers; i++) {
        sum.connections += s->workers[i].connections;
        sum.sessions += s->workers[i].sessions;
    }
    return sum;
}

/* --- text ------------------------------------------------------------------------------------------------------------
 */

/* As one value of the log, to be freed; NULL when out of memory. Each byte takes four at most (\xNN), and there are
 * quotes. */
static char *escaped(const char *text)
{
    size_t cap = 4 * strlen(text) + 3;
    char *mem = malloc(cap);
    struct strbuf b;

    if (!mem)
        return NULL;
    strbuf_init(&b, mem, cap);
    log_escape_text(&b, slice_of(text));
    return mem;
}

static void put_text(FILE *out, const char *text, size_t width)
{
    char *mem = escaped(text);

    fprintf(out, "%-*s", (int)width, mem ? mem : "?");
    free(mem);
}

/* A sentence stands at the end of its line, and needs no quotes. */
static void put_sentence(FILE *out, const char *text)
{
    char *mem = escaped(text);
    bool quoted = mem && mem[0] == '"';

    if (quoted)
        fprintf(out, "%.*s", (int)strlen(mem) - 2, mem + 1);
    else
        fputs(mem ? mem : "?", out);
    free(mem);
}

/* The largest unit and the next one: more says nothing. */
static void put_span(FILE *out, uint64_t seconds)
{
    unsigned long long s = seconds;

    if (s >= DAY)
        fprintf(out, "%llu d %llu h", s / DAY, s % DAY / 3600);
    else if (s >= 3600)
        fprintf(out, "%llu h %llu min", s / 3600, s % 3600 / 60);
    else if (s >= 60)
        fprintf(out, "%llu min %llu s", s / 60, s % 60);
    else
        fprintf(out, "%llu s", s);
}

static void text_process(const struct status *s, FILE *out)
{
    char text[CLOCK_TEXT_MAX];

    fprintf(out, "wsbridge %s, process %ld, %s\n", s->version, s->pid, s->draining ? "draining" : "serving");
    fprintf(out, "running        since %s, ", clock_format(s->started, text));
    put_span(out, s->now > s->started ? (s->now - s->started) / 1000 : 0);
    fprintf(out, "\nconfiguration  loaded %s from ", clock_format(s->loaded, text));
    for (size_t i = 0; i < s->n_files; i++) {
        fputs(i ? ", " : "", out);
        put_text(out, s->files[i], 0);
    }
    fputs(s->n_files ? "\n" : "the command line\n", out);
    if (!s->reload_at)
        fputs("last reload    none\n", out);
    else
        fprintf(out, "last reload    %s, %s", clock_format(s->reload_at, text), s->reload_why ? "failed: " : "good\n");
    if (s->reload_at && s->reload_why) {
        put_sentence(out, s->reload_why);
        fputs("; the old configuration is kept\n", out);
    }
}

static void text_side(const char *name, const struct status_tls *t, FILE *out)
{
    fprintf(out, "%s   %u open, the kernel sends for %u and receives for %u\n", name, t->open, t->ktls_send,
            t->ktls_receive);
}

static void text_numbers(const struct status *s, FILE *out)
{
    struct status_worker sum = in_all(s);

    fprintf(out, "connections    %u open, %llu accepted\n", sum.connections, (unsigned long long)s->accepted);
    fprintf(out, "sessions       %u open, %llu in total\n", sum.sessions, (unsigned long long)s->sessions_total);
    fprintf(out, "requests       %llu\n", (unsigned long long)s->requests);
    text_side("tls clients ", &s->tls_clients, out);
    text_side("tls backends", &s->tls_backends, out);
    fprintf(out, "kernel tls     %s\n", s->ktls_possible ? "possible" : "not possible");
    fputs("\nworker  connections  sessions\n", out);
    for (size_t i = 0; i < s->n_workers; i++)
        fprintf(out, "%-6zu  %11u  %8u\n", i, s->workers[i].connections, s->workers[i].sessions);
}

static void text_listeners(const struct status *s, FILE *out)
{
    size_t name = strlen("listener");
    size_t address = strlen("address");

    for (size_t i = 0; i < s->n_listeners; i++) {
        name = MAX_OF(name, strlen(s->listeners[i].name));
        address = MAX_OF(address, strlen(s->listeners[i].address));
    }
    fprintf(out, "\n%-*s  %-*s  tls\n", (int)name, "listener", (int)address, "address");
    for (size_t i = 0; i < s->n_listeners; i++) {
        const struct status_listener *l = &s->listeners[i];
        put_text(out, l->name, name);
        fputs("  ", out);
        put_text(out, l->address, address);
        fprintf(out, "  %s\n", l->tls ? "yes" : "no");
    }
}

static void text_renewal(const struct status_renewal *r, FILE *out)
{
    char text[CLOCK_TEXT_MAX];

    if (!r->why)
        return;
    fprintf(out, "  renewal failed %s: ", when(r->at, text));
    put_sentence(out, r->why);
    fputs("; the old one is kept\n", out);
}

static void text_certificates(const struct status *s, FILE *out)
{
    char text[CLOCK_TEXT_MAX];

    for (size_t i = 0; i < s->n_certificates; i++) {
        const struct status_certificate *c = &s->certificates[i];
        int64_t left = days_left(s, c->ends);
        fputs("\ncertificate ", out);
        put_text(out, c->file, 0);
        fprintf(out, "\n  %s, ", c->kind);
        for (size_t j = 0; j < c->n_names; j++) {
            fputs(j ? " " : "", out);
            put_text(out, c->names[j], 0);
        }
        fprintf(out, "%s\n  %s %s", c->n_names ? "" : "no names", left < 0 ? "ended" : "ends", when(c->ends, text));
        if (left >= 0)
            fprintf(out, ", %lld days left", (long long)left);
        fputc('\n', out);
        text_renewal(&c->renewal, out);
    }
    for (size_t i = 0; i < s->n_backends; i++) {
        if (!s->backends[i].renewal.why)
            continue;
        fputs("\ncertificates toward service ", out);
        put_text(out, s->backends[i].service, 0);
        fputc('\n', out);
        text_renewal(&s->backends[i].renewal, out);
    }
}

void status_print_text(const struct status *s, FILE *out)
{
    text_process(s, out);
    text_numbers(s, out);
    text_listeners(s, out);
    text_certificates(s, out);
}

/* --- JSON ------------------------------------------------------------------------------------------------------------
 */

/* Each byte takes six at most (\uNNNN). */
static void put_json(FILE *out, const char *text)
{
    size_t cap = 6 * strlen(text) + 3;
    char *mem = malloc(cap);
    struct strbuf b;

    if (!mem) {
        fputs("null", out);
        return;
    }
    strbuf_init(&b, mem, cap);
    log_escape_json(&b, slice_of(text));
    fputs(mem, out);
    free(mem);
}

static void json_process(const struct status *s, FILE *out)
{
    char text[CLOCK_TEXT_MAX];

    fputs("\"version\": ", out);
    put_json(out, s->version);
    fprintf(out, ",\n \"pid\": %ld,\n \"state\": \"%s\"", s->pid, s->draining ? "draining" : "serving");
    fprintf(out, ",\n \"started\": \"%s\"", clock_format(s->started, text));
    fprintf(out, ",\n \"uptime_seconds\": %llu",
            (unsigned long long)(s->now > s->started ? (s->now - s->started) / 1000 : 0));
    fprintf(out, ",\n \"configuration\": {\"loaded\": \"%s\", \"files\": [", clock_format(s->loaded, text));
    for (size_t i = 0; i < s->n_files; i++) {
        fputs(i ? ", " : "", out);
        put_json(out, s->files[i]);
    }
    fputs("]},\n \"last_reload\": ", out);
    if (!s->reload_at) {
        fputs("null", out);
        return;
    }
    fprintf(out, "{\"time\": \"%s\", \"ok\": %s, \"error\": ", clock_format(s->reload_at, text),
            s->reload_why ? "false" : "true");
    if (s->reload_why)
        put_json(out, s->reload_why);
    else
        fputs("null", out);
    fputc('}', out);
}

static void json_side(const char *key, const struct status_tls *t, FILE *out)
{
    fprintf(out, ", \"%s\": {\"open\": %u, \"kernel_send\": %u, \"kernel_receive\": %u}", key, t->open, t->ktls_send,
            t->ktls_receive);
}

static void json_numbers(const struct status *s, FILE *out)
{
    struct status_worker sum = in_all(s);

    fprintf(out,
            ",\n \"totals\": {\"connections\": %u, \"sessions\": %u, \"accepted\": %llu, \"sessions_total\": %llu, "
            "\"requests\": %llu}",
            sum.connections, sum.sessions, (unsigned long long)s->accepted, (unsigned long long)s->sessions_total,
            (unsigned long long)s->requests);
    fprintf(out, ",\n \"tls\": {\"kernel_possible\": %s", s->ktls_possible ? "true" : "false");
    json_side("clients", &s->tls_clients, out);
    json_side("backends", &s->tls_backends, out);
    fputs("},\n \"workers\": [", out);
    for (size_t i = 0; i < s->n_workers; i++)
        fprintf(out, "%s{\"connections\": %u, \"sessions\": %u}", i ? ", " : "", s->workers[i].connections,
                s->workers[i].sessions);
    fputc(']', out);
}

static void json_listeners(const struct status *s, FILE *out)
{
    fputs(",\n \"listeners\": [", out);
    for (size_t i = 0; i < s->n_listeners; i++) {
        const struct status_listener *l = &s->listeners[i];
        fputs(i ? ",\n  {\"name\": " : "\n  {\"name\": ", out);
        put_json(out, l->name);
        fputs(", \"address\": ", out);
        put_json(out, l->address);
        fprintf(out, ", \"tls\": %s}", l->tls ? "true" : "false");
    }
    fputc(']', out);
}

static void json_renewal(const struct status_renewal *r, FILE *out)
{
    char text[CLOCK_TEXT_MAX];

    fputs(", \"renewal_failed\": ", out);
    if (!r->why) {
        fputs("null}", out);
        return;
    }
    fprintf(out, "{\"time\": \"%s\", \"error\": ", when(r->at, text));
    put_json(out, r->why);
    fputs("}}", out);
}

static void json_certificates(const struct status *s, FILE *out)
{
    char text[CLOCK_TEXT_MAX];

    fputs(",\n \"certificates\": [", out);
    for (size_t i = 0; i < s->n_certificates; i++) {
        const struct status_certificate *c = &s->certificates[i];
        fputs(i ? ",\n  {\"file\": " : "\n  {\"file\": ", out);
        put_json(out, c->file);
        fputs(", \"kind\": ", out);
        put_json(out, c->kind);
        fputs(", \"names\": [", out);
        for (size_t j = 0; j < c->n_names; j++) {
            fputs(j ? ", " : "", out);
            put_json(out, c->names[j]);
        }
        fprintf(out, "], \"ends\": \"%s\", \"days_left\": %lld", when(c->ends, text), (long long)days_left(s, c->ends));
        json_renewal(&c->renewal, out);
    }
    fputs("],\n \"backends\": [", out);
    for (size_t i = 0; i < s->n_backends; i++) {
        fputs(i ? ",\n  {\"service\": " : "\n  {\"service\": ", out);
        put_json(out, s->backends[i].service);
        json_renewal(&s->backends[i].renewal, out);
    }
    fputc(']', out);
}

void status_print_json(const struct status *s, FILE *out)
{
    fputc('{', out);
    json_process(s, out);
    json_numbers(s, out);
    json_listeners(s, out);
    json_certificates(s, out);
    fputs("}\n", out);
}
