/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the wsbridge authors */
/*
 * The page that is built into the program, `files: builtin:demo`: a person types to a service and sees its answer.
 */
#ifndef WSBRIDGE_SERVE_DEMO_H
#define WSBRIDGE_SERVE_DEMO_H

#include "serve/content.h"

/* Fills source, validators, type and policy of *c for a path below the route; false when the page has no such part. */
MUST_CHECK bool demo_find(struct slice below, struct content *c);

#endif
