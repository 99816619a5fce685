/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the wsbridge authors */
/*
 * What a backend is told about the client in front of everything else: the PROXY header of a service that asks for one.
 */
#ifndef WSBRIDGE_UPSTREAM_PROXY_OUT_H
#define WSBRIDGE_UPSTREAM_PROXY_OUT_H

#include "http/exchange.h"
#include "upstream/service.h"

#define PROXY_OUT_MAX 2048

/* Writes the header into `out` (PROXY_OUT_MAX bytes). The number of bytes; 0 when the service wants none. `boot`: with
 * the exchange's id it makes the unique id. */
size_t proxy_out_write(const struct service *service, const struct http_exchange *x, uint64_t boot, uint8_t *out);

#endif
