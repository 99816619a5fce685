/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the wsbridge authors */
/*
 * Close codes (RFC 6455, section 7.4).
 */
#ifndef WSBRIDGE_WS_CLOSE_H
#define WSBRIDGE_WS_CLOSE_H

#include <stdbool.h>
#include <stdint.h>

enum ws_close_code {
    WS_CLOSE_NORMAL = 1000,
    WS_CLOSE_GOING_AWAY = 1001,
    WS_CLOSE_PROTOCOL = 1002,
    WS_CLOSE_UNSUPPORTED = 1003,
    WS_CLOSE_NO_STATUS = 1005, /* never on the wire */
    WS_CLOSE_ABNORMAL = 1006,  /* never on the wire */
    WS_CLOSE_BAD_DATA = 1007,
    WS_CLOSE_POLICY = 1008,
    WS_CLOSE_TOO_BIG = 1009,
    WS_CLOSE_INTERNAL = 1011,
    WS_CLOSE_TRY_LATER = 1013,
};

/* Whether a peer may send this code: 1000-1003, 1007-1014, 3000-4999. */
bool ws_close_code_ok(uint16_t code);

#endif
