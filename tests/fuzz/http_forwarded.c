/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the wsbridge authors */
/*
 * Forwarded headers as a client may send them: lines of "name: value", nothing refused by the head's parser in between.
 * What a trusted proxy appends must win, whatever stands left of it.
 */
#include <stdlib.h>

#include "http/forwarded.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct http_field honest = {{"X-Forwarded-For", 15}, {"192.0.2.9", 9}};
    struct cidr loopback = {.family = IP_V4, .bits = 8, .ip = {127}};
    struct forwarded_trust trust = {.v = &loopback, .n = 1};
    struct ip_port peer = {.family = IP_V4, .ip = {127, 0, 0, 1}};
    struct slice rest = {(const char *)data, size};
    struct slice line;
    struct forwarded out;
    static struct http_head h;
    enum forwarded_result r;

    h.n_fields = 0;
    while (h.n_fields < HTTP_FIELDS_MAX - 1 && slice_cut(&rest, '\n', &line)) {
        ptrdiff_t colon = slice_find(line, ':');

        if (colon > 0)
            h.fields[h.n_fields++] =
                (struct http_field){{line.p, (size_t)colon}, {line.p + colon + 1, line.n - (size_t)colon - 1}};
    }
    r = forwarded_read(&h, &peer, &trust, FORWARDED_BOTH, &out);
    if ((r == FORWARDED_BAD) != (out.why != NULL))
        abort();
    h.fields[h.n_fields++] = honest;
    r = forwarded_read(&h, &peer, &trust, FORWARDED_X, &out);
    if (r == FORWARDED_OK && (!out.has_client || out.client.ip[0] != 192))
        abort();
    return 0;
}
