/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the wsbridge authors */
/*
 * main: the command line's wish, carried out.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "app/admin_client.h"
#include "app/server.h"
#include "app/sockets.h"

static void put_stream(void *arg, struct slice text)
{
    fwrite(text.p, 1, text.n, arg);
}

static bool wants_color(void)
{
    const char *no = getenv("NO_COLOR");

    return isatty(STDERR_FILENO) && !(no && *no);
}

static const char *plural(size_t n)
{
    return n == 1 ? "" : "s";
}

static int with_settings(const struct cli *c, const struct settings_source *source)
{
    struct settings *s = settings_load(source, wants_color(), put_stream, stderr);
    int rc = EXIT_OK;

    if (!s)
        return source->text ? EXIT_USAGE : EXIT_CONFIG;
    if (c->action == CLI_RUN)
        return server_run(s, source);
    if (c->action == CLI_EFFECTIVE)
        cfg_print_effective(&settings_table, s, put_stream, stdout);
    else
        printf("configuration is fine: %zu listener%s, %zu service%s, %zu route%s\n", s->listeners.n,
               plural(s->listeners.n), s->services.n, plural(s->services.n), s->routes.n, plural(s->routes.n));
    if (fflush(stdout) != 0)
        rc = EXIT_RUNTIME;
    settings_give(s);
    return rc;
}

/* What kill(1) does: a minimal system has no such program, and the service manager's `reload` needs one. */
static int send_reload(long pid)
{
    if (kill((pid_t)pid, SIGHUP) == 0)
        return EXIT_OK;
    fprintf(stderr, "wsbridge: --reload %ld: %s\n", pid, strerror(errno));
    return errno == EPERM ? EXIT_NO_PERMISSION : EXIT_RUNTIME;
}

static int with_tickets(const struct cli *c)
{
    struct settings_source source = c->source;
    int rc;

    if (source.inetd)
        source.inetd_deaf = sockets_take_stdin(&source.inetd_fd);
    source.tickets = tls_tickets_new(); /* without: sessions are not resumed */
    rc = with_settings(c, &source);
    tls_tickets_give(source.tickets);
    return rc;
}

/* Whoever starts us without standard descriptors would have the next file or client take their numbers, and what is
 * written to standard error would go there. */
static void fill_standard_descriptors(void)
{
    int fd;

    do
        fd = open("/dev/null", O_RDWR);
    while (fd >= STDIN_FILENO && fd < STDERR_FILENO);
    if (fd > STDERR_FILENO)
        close(fd);
}

int main(int argc, char **argv)
{
    struct cli c;
    int rc = EXIT_OK;

    fill_standard_descriptors();
    cli_parse(&c, argc, argv);
    switch (c.action) {
    case CLI_RUN:
        server_hold_signals();
        /* fallthrough */
    case CLI_CHECK:
    case CLI_EFFECTIVE:
        rc = with_tickets(&c);
        break;
    case CLI_REFERENCE:
        cfg_print_reference(&settings_table, put_stream, stdout);
        break;
    case CLI_SCHEMA:
        cfg_print_schema(&settings_table, put_stream, stdout);
        break;
    case CLI_MDOC:
        cfg_print_mdoc(&settings_table, put_stream, stdout);
        break;
    case CLI_RELOAD:
        rc = c.pid ? send_reload(c.pid) : admin_client(&c);
        break;
    case CLI_STATUS:
        rc = admin_client(&c);
        break;
    case CLI_HELP:
        cli_print_help();
        break;
    case CLI_VERSION:
    case CLI_BUILD:
        cli_print_version(c.action == CLI_BUILD);
        break;
    case CLI_WRONG:
        rc = EXIT_USAGE;
        break;
    }
    if (fflush(stdout) != 0 && rc == EXIT_OK)
        rc = EXIT_RUNTIME;
    cli_fini(&c);
    return rc;
}
