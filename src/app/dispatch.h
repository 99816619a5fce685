/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the wsbridge authors */
/*
 * Which room answers a request: worker_env.dispatch.
 */
#ifndef WSBRIDGE_APP_DISPATCH_H
#define WSBRIDGE_APP_DISPATCH_H

#include "http/exchange.h"
#include "net/env.h"

void dispatch_exchange(struct worker_env *env, struct http_exchange *x);

#endif
