/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the wsbridge authors */
/*
 * The command line. The short form (a port and a target) becomes a configuration text of the same three lines that a
 * file would have, so there is one way through the program and one kind of error message.
 */
#include "app/cli.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

#include <ev.h>
#include <openssl/crypto.h>
#include <yaml.h>

#include "tls/common.h"

static const char help_text[] =
    "wsbridge: reach TCP services from the browser, through WebSocket\n"
    "\n"
    "usage:  wsbridge [options] [HOST:]PORT TARGET     one service, no file needed\n"
    "        wsbridge -c FILE                          run with a configuration\n"
    "        wsbridge -t -c FILE                       check it: every error with its place\n"
    "        wsbridge -T -c FILE                       print the effective configuration\n"
    "        wsbridge --status | --reload [-c FILE]    talk to the running one, through its admin socket\n"
    "\n"
    "TARGET  host:port, [IPv6]:port, unix:/path, builtin:echo\n"
    "\n"
    "options\n"
    "  -w, --web DIR          answer plain requests with the files in DIR\n"
    "      --index FILE       the file that stands for a directory (index.html)\n"
    "      --origin ORIGIN    pages that may connect: same (default), any, or https://host; repeatable\n"
    "      --log LEVEL        error, warn, info or debug\n"
    "  -c, --config FILE      a configuration file, or a directory of *.yaml; repeatable\n"
    "      --inetd            serve descriptor 0: a listening socket (wait) or one connection (nowait);\n"
    "                         there is no port then: wsbridge --inetd TARGET\n"
    "  -t, --check            check the configuration and exit: 0 or 78\n"
    "  -T, --print            print the effective configuration as YAML and exit\n"
    "      --status           ask the running one how it is; --json: for programs\n"
    "      --reload [PID]     have it read its configuration again; with a process id: by a signal\n"
    "      --admin ADDRESS    its admin socket, where -c FILE does not say (" ADMIN_ADDRESS ")\n"
    "  -V, --version          version; -VV: how it was built\n"
    "  -h, --help             this page\n"
    "\n"
    "examples\n"
    "  wsbridge --web /usr/share/novnc 6080 localhost:5901     noVNC on http://localhost:6080/vnc.html\n"
    "  wsbridge 127.0.0.1:6080 localhost:23                    a telnet server, for this machine only\n"
    "  wsbridge 6080 unix:/run/app.sock                        a unix socket\n"
    "  wsbridge -T --web /usr/share/novnc 6080 localhost:5901 > wsbridge.yaml    grow into a file\n"
    "\n"
    "signals: TERM drains and ends, a second TERM or INT ends at once, HUP reads the file again, USR1 opens the log "
    "again.\n"
    "exit codes: 0, 1 run-time failure, 64 usage, 77 cannot bind or no permission, 78 configuration.\n"
    "Manual: wsbridge(8), wsbridge.yaml(5). Every option with its default: wsbridge --print-reference\n";

void cli_print_help(void)
{
    fputs(help_text, stdout);
}

void cli_print_version(bool build)
{
    printf("wsbridge %s\n", WSBRIDGE_VERSION);
    if (!build)
        return;
    printf("libev %d.%d, libyaml %s, %s\n", ev_version_major(), ev_version_minor(), yaml_get_version_string(),
           OpenSSL_version(OPENSSL_VERSION));
    printf("compiled with %s\n", __VERSION__);
    printf("TLS in the kernel: %s\n",
           tls_ktls_possible() ? "possible" : "not possible (the kernel has no tls module loaded)");
}

/* What is wrong, and about which argument (may be empty). */
static void wrong(struct cli *c, const char *arg, const char *what)
{
    fprintf(stderr, "wsbridge: %s%s%s\nTry `wsbridge --help`.\n", arg, *arg ? ": " : "", what);
    c->action = CLI_WRONG;
}

/* --- the short form as YAML ------------------------------------------------------------------------------------------
 */

struct short_form {
    const char *web;
    const char *index;
    const char *level;
    const char *origins[16];
    size_t n_origins;
    const char *listen;
    const char *target;
};

/* A double-quoted scalar. Bytes that YAML cannot hold stay as they are, and the reader says so. */
static void put_quoted(FILE *f, const char *text)
{
    fputc('"', f);
    for (; *text; text++) {
        if (*text == '"' || *text == '\\')
            fputc('\\', f);
        fputc(*text, f);
    }
    fputc('"', f);
}

static void put_key(FILE *f, const char *key, const char *value)
{
    if (!value)
        return;
    fprintf(f, "%s: ", key);
    put_quoted(f, value);
    fputc('\n', f);
}

static void make_text(struct cli *c, const struct short_form *sf)
{
    size_t n = 0;
    FILE *f = open_memstream(&c->text, &n);
    char *web = sf->web && strncmp(sf->web, "builtin:", 8) != 0 ? realpath(sf->web, NULL) : NULL;

    if (!f) {
        wrong(c, "", "out of memory");
        return;
    }
    put_key(f, "listen", sf->listen);
    put_key(f, "files", web ? web : sf->web);
    put_key(f, "index", sf->index);
    put_key(f, "to", sf->target);
    if (sf->n_origins) {
        fputs("origins: [", f);
        for (size_t i = 0; i < sf->n_origins; i++) {
            fputs(i ? ", " : "", f);
            put_quoted(f, sf->origins[i]);
        }
        fputs("]\n", f);
    }
    if (sf->level) {
        fputs("log: {level: ", f);
        put_quoted(f, sf->level);
        fputs("}\n", f);
    }
    fclose(f);
    free(web);
    c->source.text = c->text;
}

/* --- parsing ---------------------------------------------------------------------------------------------------------
 */

enum {
    OPT_INDEX = 256,
    OPT_ORIGIN,
    OPT_LOG,
    OPT_REFERENCE,
    OPT_SCHEMA,
    OPT_MDOC,
    OPT_RELOAD,
    OPT_STATUS,
    OPT_JSON,
    OPT_ADMIN,
    OPT_INETD
};

static const struct option long_options[] = {
    {"web", required_argument, NULL, 'w'},
    {"index", required_argument, NULL, OPT_INDEX},
    {"origin", required_argument, NULL, OPT_ORIGIN},
    {"log", required_argument, NULL, OPT_LOG},
    {"config", required_argument, NULL, 'c'},
    {"check", no_argument, NULL, 't'},
    {"print", no_argument, NULL, 'T'},
    {"inetd", no_argument, NULL, OPT_INETD},
    {"version", no_argument, NULL, 'V'},
    {"help", no_argument, NULL, 'h'},
    {"print-reference", no_argument, NULL, OPT_REFERENCE},
    {"print-schema", no_argument, NULL, OPT_SCHEMA},
    {"print-mdoc", no_argument, NULL, OPT_MDOC},
    {"reload", optional_argument, NULL, OPT_RELOAD},
    {"status", no_argument, NULL, OPT_STATUS},
    {"json", no_argument, NULL, OPT_JSON},
    {"admin", required_argument, NULL, OPT_ADMIN},
    {NULL, 0, NULL, 0},
};

/* A whole number that names one process: 0 and less would name groups of them. */
static bool take_pid(struct cli *c, const char *text)
{
    char *end;

    errno = 0;
    c->pid = strtol(text, &end, 10);
    if (errno || end == text || *end || c->pid <= 0 || c->pid > INT32_MAX) {
        wrong(c, text, "not a process id");
        return false;
    }
    return true;
}

/* What habit brings from websockify. */
static void say_successor(const char *arg)
{
    static const struct {
        const char *old;
        const char *now;
    } known[] = {
        {"--cert", "TLS takes a file (-c FILE): tls: {cert: FILE, key: FILE}"},
        {"--key", "TLS takes a file (-c FILE): tls: {cert: FILE, key: FILE}"},
        {"--ssl-only", "TLS takes a file (-c FILE): tls: {cert: FILE, key: FILE}, which serves nothing else"},
        {"--ssl-target", "TLS toward a backend takes a file (-c FILE): services: {NAME: {to: HOST:PORT, tls: {}}}"},
        {"--unix-target", "write unix:/path as the target"},
        {"--unix-listen", "write unix:/path as the port"},
        {"--heartbeat", "pings are sent by themselves; a file (-c FILE) changes them: timeouts: {ping: 25s}"},
        {"--idle-timeout", "that takes a file (-c FILE): timeouts: {idle: 10m}"},
        {"--log-file", "that takes a file (-c FILE): log: {to: file:/path}"},
        {"--daemon", "it stays in the foreground: let the service manager start it"},
        {"-D", "it stays in the foreground: let the service manager start it"},
    };

    for (size_t i = 0; i < ARRAY_LEN(known); i++) {
        size_t n = strlen(known[i].old);
        if (strncmp(arg, known[i].old, n) == 0 && (arg[n] == '\0' || arg[n] == '='))
            fprintf(stderr, "wsbridge: %s: %s\n", known[i].old, known[i].now);
    }
}

static bool take_option(struct cli *c, struct short_form *sf, int opt, char **argv)
{
    switch (opt) {
    case 'w':
        sf->web = optarg;
        break;
    case OPT_INDEX:
        sf->index = optarg;
        break;
    case OPT_LOG:
        sf->level = optarg;
        break;
    case OPT_ORIGIN:
        if (sf->n_origins == ARRAY_LEN(sf->origins)) {
            wrong(c, "--origin", "too many: use a configuration file (-c FILE)");
            return false;
        }
        sf->origins[sf->n_origins++] = optarg;
        break;
    case 'c':
        if (c->source.n_paths == CLI_PATHS_MAX) {
            wrong(c, "-c", "too many files: give it their directory");
            return false;
        }
        c->paths[c->source.n_paths++] = optarg;
        break;
    case 't':
        c->action = CLI_CHECK;
        break;
    case 'T':
        c->action = CLI_EFFECTIVE;
        break;
    case 'V':
        c->action = c->action == CLI_VERSION ? CLI_BUILD : CLI_VERSION;
        break;
    case 'h':
        c->action = CLI_HELP;
        break;
    case OPT_INETD:
        c->source.inetd = true;
        break;
    case OPT_REFERENCE:
        c->action = CLI_REFERENCE;
        break;
    case OPT_SCHEMA:
        c->action = CLI_SCHEMA;
        break;
    case OPT_MDOC:
        c->action = CLI_MDOC;
        break;
    case OPT_RELOAD:
        if (c->action == CLI_STATUS) {
            wrong(c, "--reload", "one question at a time: --status is there already");
            return false;
        }
        c->action = CLI_RELOAD;
        return !optarg || take_pid(c, optarg);
    case OPT_STATUS:
        if (c->action == CLI_RELOAD) {
            wrong(c, "--status", "one question at a time: --reload is there already");
            return false;
        }
        c->action = CLI_STATUS;
        break;
    case OPT_JSON:
        c->json = true;
        break;
    case OPT_ADMIN:
        c->admin = optarg;
        break;
    default: /* getopt said what is wrong */
        say_successor(argv[optind - 1]);
        fprintf(stderr, "Try `wsbridge --help`.\n");
        c->action = CLI_WRONG;
        return false;
    }
    return true;
}

static bool needs_configuration(enum cli_action a)
{
    return a == CLI_RUN || a == CLI_CHECK || a == CLI_EFFECTIVE;
}

/* What is left behind the options of --status and --reload: a process id may follow the second one as a word. */
static void take_rest(struct cli *c, int n, char **argv)
{
    if (c->action == CLI_RELOAD && n > 0 && !c->pid) {
        if (!take_pid(c, argv[0]))
            return;
        argv++;
        n--;
    }
    if (n > 0)
        wrong(c, argv[0],
              c->action == CLI_RELOAD ? "--reload takes one process id, or none" : "--status takes no word");
    else if (c->json && c->action != CLI_STATUS)
        wrong(c, "--json", "it belongs to --status");
    else if (c->pid && (c->admin || c->source.n_paths))
        wrong(c, c->admin ? "--admin" : "-c", "the process id says already which process is meant");
}

/* [HOST:]PORT TARGET, or TARGET alone behind --inetd; with --web a target may be missing. */
static void take_places(struct cli *c, struct short_form *sf, int n, char **argv)
{
    const int ports = c->source.inetd ? 0 : 1;

    if (n > ports + 1)
        wrong(c, "",
              ports ? "too many arguments: a port and a target are enough"
                    : "too many arguments: descriptor 0 is the port, and a target is enough");
    else if (n == 0 && !(sf->web && !ports))
        wrong(c, "",
              ports ? "nothing to do: give a port and a target, or -c FILE"
                    : "the target is missing: wsbridge --inetd TARGET");
    else if (n == 1 && ports && !sf->web)
        wrong(c, "", "the target is missing: wsbridge [HOST:]PORT TARGET, or -c FILE");
    if (c->action == CLI_WRONG)
        return;
    sf->listen = ports ? argv[0] : "systemd:inetd";
    sf->target = n == ports + 1 ? argv[ports] : NULL;
    make_text(c, sf);
}

void cli_parse(struct cli *c, int argc, char **argv)
{
    struct short_form sf = {0};
    bool has_short;
    int opt;

    memset(c, 0, sizeof *c);
    c->source.paths = c->paths;
    while ((opt = getopt_long(argc, argv, "w:c:tTVh", long_options, NULL)) != -1)
        if (!take_option(c, &sf, opt, argv))
            return;
    if (c->action == CLI_RELOAD || c->action == CLI_STATUS) {
        take_rest(c, argc - optind, argv + optind);
        return;
    }
    if (!needs_configuration(c->action))
        return;
    if (c->admin || c->json) {
        wrong(c, c->admin ? "--admin" : "--json",
              c->admin ? "it belongs to --status and --reload" : "it belongs to --status");
        return;
    }
    has_short = sf.web || sf.index || sf.n_origins || sf.level || optind < argc;
    if (c->source.n_paths && has_short) {
        wrong(c,
              optind < argc ? argv[optind]
              : sf.web      ? "--web"
              : sf.index    ? "--index"
              : sf.level    ? "--log"
                            : "--origin",
              "belongs to the short form, and -c names a file that says it all: use one of them");
        return;
    }
    if (c->source.n_paths)
        return;
    take_places(c, &sf, argc - optind, argv + optind);
}

void cli_fini(struct cli *c)
{
    free(c->text);
}
