/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the wsbridge authors */
/*
 * Which close codes may be on the wire (RFC 6455, section 7.4.1 and 7.4.2, and the IANA registry up to 1014).
 */
#include "ws/close.h"

bool ws_close_code_ok(uint16_t code)
{
    /* 1004 is reserved; 1005, 1006 and 1015 are for telling oneself what happened. 3000 up are libraries' and
     * applications' own. */
    return (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014) || (code >= 3000 && code <= 4999);
}
