/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the wsbridge authors */
/*
 * The bytes of the benchmark: the payload ring, frames made ahead, the reader of the server's frames, the upgrade's
 * text, and the latency histogram (64 steps an octave: 1.6 % wide). Pure: no sockets.
 */
#include "load.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { RING_WANTED = 512 * 1024 };

static uint64_t random_next(uint64_t *s)
{
    *s ^= *s << 13;
    *s ^= *s >> 7;
    *s ^= *s << 17;
    return *s;
}

static size_t masked_header(uint8_t *p, size_t n, uint8_t first)
{
    p[0] = first;
    if (n < 126) {
        p[1] = (uint8_t)(0x80 | n);
        return 2;
    }
    int wide = n > 65535 ? 8 : 2;
    p[1] = (uint8_t)(0x80 | (wide == 8 ? 127 : 126));
    for (int i = 0; i < wide; i++)
        p[2 + i] = (uint8_t)((uint64_t)n >> (8 * (wide - 1 - i)));
    return 2 + (size_t)wide;
}

void ring_init(struct ring *r, size_t size, bool framed)
{
    size_t messages = RING_WANTED / size;
    uint64_t seed = 88172645463325252ULL;

    if (messages < 2)
        messages = 2;
    r->payload_len = messages * size;
    r->payload = malloc(r->payload_len);
    r->wire = malloc(messages * (size + 14));
    if (!r->payload || !r->wire)
        fatal("no memory for the ring");
    for (size_t i = 0; i < r->payload_len; i++)
        r->payload[i] = (uint8_t)(random_next(&seed) >> 24);
    uint8_t *w = r->wire;
    for (size_t m = 0; m < messages; m++) {
        const uint8_t *payload = r->payload + m * size;
        uint8_t mask[4] = {0, 0, 0, 0};
        if (framed) {
            w += masked_header(w, size, 0x82);
            uint64_t bits = random_next(&seed);
            memcpy(mask, &bits, 4);
            memcpy(w, mask, 4);
            w += 4;
        }
        for (size_t i = 0; i < size; i++)
            w[i] = payload[i] ^ mask[i & 3];
        w += size;
    }
    r->wire_len = (size_t)(w - r->wire);
    r->frame_len = r->wire_len / messages;
}

void ring_check(const struct ring *r, uint64_t at, const uint8_t *p, size_t n, const char *where)
{
    while (n) {
        size_t off = (size_t)(at % r->payload_len);
        size_t piece = r->payload_len - off < n ? r->payload_len - off : n;
        if (memcmp(r->payload + off, p, piece) != 0) {
            size_t i = 0;
            while (r->payload[off + i] == p[i])
                i++;
            fatal("%s: byte %llu of the stream is wrong", where, (unsigned long long)(at + i));
        }
        at += piece;
        p += piece;
        n -= piece;
    }
}

/* The header's length as far as its first two bytes tell. */
static size_t header_len(const struct frame_reader *f)
{
    if (f->have < 2)
        return 2;
    if (f->head[1] & 0x80)
        fatal("the server masks its frames");
    unsigned n = f->head[1] & 0x7f;
    return n == 127 ? 10 : n == 126 ? 4 : 2;
}

static void header_done(struct frame_reader *f, bool closing, uint64_t *pieces)
{
    unsigned n = f->head[1] & 0x7f;

    f->opcode = f->head[0] & 0x0f;
    f->left = n < 126 ? n : 0;
    for (size_t i = 2; n >= 126 && i < header_len(f); i++)
        f->left = f->left << 8 | f->head[i];
    f->have = 0;
    if (f->head[0] & 0x70)
        fatal("the server set a reserved bit");
    if (f->opcode == 8 && !closing)
        fatal("the server closed in the middle of the work");
    if (f->opcode < 8)
        ++*pieces;
}

size_t frames_read(struct frame_reader *f, uint8_t *p, size_t n, bool closing, uint64_t *pieces)
{
    size_t out = 0, i = 0;

    while (i < n) {
        if (!f->left) {
            f->head[f->have++] = p[i++];
            if (f->have >= 2 && f->have == header_len(f))
                header_done(f, closing, pieces);
            continue;
        }
        size_t piece = f->left < n - i ? (size_t)f->left : n - i;
        if (f->opcode < 8) {
            if (!f->discard)
                memmove(p + out, p + i, piece);
            out += piece;
        }
        f->left -= piece;
        i += piece;
    }
    return out;
}

size_t upgrade_request(char *p, size_t cap, const struct options *o)
{
    int n = snprintf(p, cap,
                     "GET %s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                     "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
                     "Sec-WebSocket-Protocol: binary\r\n\r\n",
                     o->path, o->port);
    return (size_t)n;
}

size_t upgrade_reply(const char *p, size_t n)
{
    const char *end = memmem(p, n, "\r\n\r\n", 4);

    if (!end)
        return 0;
    if (n < 12 || memcmp(p, "HTTP/1.1 101", 12) != 0)
        fatal("the upgrade was refused: %.*s", (int)n, p);
    if (!memmem(p, n, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=", 28))
        fatal("the upgrade was accepted with a wrong Sec-WebSocket-Accept");
    return (size_t)(end - p) + 4;
}

size_t close_frame(uint8_t *p)
{
    const uint8_t mask[4] = {1, 2, 3, 4};
    size_t n = masked_header(p, 2, 0x88);

    memcpy(p + n, mask, 4);
    p[n + 4] = 0x03 ^ mask[0];
    p[n + 5] = 0xe8 ^ mask[1];
    return n + 6;
}

void histogram_add(struct histogram *h, uint64_t ns)
{
    unsigned octave = ns < 64 ? 0 : (unsigned)(63 - __builtin_clzll(ns)) - 5;
    uint64_t step = octave ? (ns >> (octave - 1)) & 63 : ns;

    h->count[octave * 64 + step]++;
    h->n++;
    if (ns > h->max)
        h->max = ns;
}

uint64_t histogram_at(const struct histogram *h, double q)
{
    uint64_t want = (uint64_t)(q * (double)h->n), seen = 0;

    for (size_t i = 0; i < 64 * 64; i++) {
        seen += h->count[i];
        if (seen > want) {
            unsigned octave = (unsigned)(i / 64);
            uint64_t step = i % 64;
            return octave ? (step | 64) << (octave - 1) : step;
        }
    }
    return h->max;
}
