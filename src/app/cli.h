/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the wsbridge authors */
/*
 * The command line: what to do, and with which configuration.
 */
#ifndef WSBRIDGE_APP_CLI_H
#define WSBRIDGE_APP_CLI_H

#include "app/settings.h"

enum cli_action {
    CLI_RUN,
    CLI_CHECK,     /* -t */
    CLI_EFFECTIVE, /* -T */
    CLI_REFERENCE,
    CLI_SCHEMA,
    CLI_MDOC,
    CLI_RELOAD, /* through the admin socket, or the signal to `pid` */
    CLI_STATUS,
    CLI_HELP,
    CLI_VERSION,
    CLI_BUILD,
    CLI_WRONG, /* a message was printed; exit 64 */
};

#define CLI_PATHS_MAX 16

struct cli {
    enum cli_action action;
    const char *paths[CLI_PATHS_MAX];
    struct settings_source source;
    long pid;          /* --reload PID; 0: none was given */
    const char *admin; /* --admin; NULL: not given */
    bool json;
    char *text; /* of the configuration made from the command line; freed by cli_fini */
};

void cli_parse(struct cli *c, int argc, char **argv);
void cli_fini(struct cli *c);
void cli_print_help(void);
void cli_print_version(bool build);

#endif
