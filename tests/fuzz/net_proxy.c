/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the wsbridge authors */
/*
 * PROXY headers: any bytes; no prefix of a good header may be refused, and what was read must survive being written.
 */
#include <stdlib.h>

#include "net/proxy_protocol.h"

#define MUST(cond)                                                                                                     \
    do {                                                                                                               \
        if (!(cond))                                                                                                   \
            abort();                                                                                                   \
    } while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct proxy_header h;
    struct proxy_header again;
    static uint8_t out[2 * PROXY_HEADER_MAX];
    const char *why;
    size_t used;
    size_t back;
    size_t n;
    enum proxy_result r = proxy_parse(data, size, &h, &used, &why);

    MUST((r == PROXY_BAD) == (why != NULL));
    if (r == PROXY_MORE)
        MUST(size < PROXY_HEADER_MAX);
    if (r != PROXY_DONE)
        return 0;
    MUST(used > 0 && used <= size && used <= PROXY_HEADER_MAX);
    for (size_t k = 0; k < used; k += 1 + used / 64)
        MUST(proxy_parse(data, k, &again, &back, &why) == PROXY_MORE);
    MUST(proxy_parse(data, size, &h, &used, &why) == PROXY_DONE);
    n = proxy_write_v2(&h, out, sizeof(out));
    MUST(n > 0);
    MUST(proxy_parse(out, n, &again, &back, &why) == PROXY_DONE && back == n);
    MUST(again.src.port == h.src.port && ip_equal(&again.src, &h.src) && slice_eq(again.authority, h.authority));
    MUST(slice_eq(again.ssl.cn, h.ssl.cn) && slice_eq(again.unique_id, h.unique_id));
    n = proxy_write_v1(&h, out, sizeof(out));
    MUST(n > 0 && n <= PROXY_V1_MAX);
    return 0;
}
