/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the wsbridge authors */
/*
 * A session: one bridged WebSocket, from the request that was found worthy to the last byte.
 */
#ifndef WSBRIDGE_RELAY_SESSION_H
#define WSBRIDGE_RELAY_SESSION_H

#include "http/exchange.h"
#include "net/env.h"
#include "route/route.h"

/* Takes the exchange: checks handshake and origin, connects to the route's service, answers, and relays to the end.
 * `log` records go to env->log. */
void session_open(struct worker_env *env, struct http_exchange *x, const struct route *route);

enum { SESSION_DRAIN_CODE = 1001 };

/* Begins the end of every session of this worker with Close 1001 and that reason. */
void session_drain_all(struct worker_env *env, const char *reason);
/* Ends every session of this worker now, without waiting for anybody. */
void session_abort_all(struct worker_env *env);

#endif
