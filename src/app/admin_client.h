/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the wsbridge authors */
/*
 * The admin socket from the command line: --status and --reload.
 */
#ifndef WSBRIDGE_APP_ADMIN_CLIENT_H
#define WSBRIDGE_APP_ADMIN_CLIENT_H

#include "app/cli.h"

#define ADMIN_CLIENT_SECONDS 10

/* Finds the socket, asks, and prints the answer: a good one on standard output, anything else on standard error. The
 * exit code: 0; 1 when nothing answers or the process says no; 77 without permission; 78 when the configuration is
 * wrong. */
int admin_client(const struct cli *c);

#endif
