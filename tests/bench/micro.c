/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the wsbridge authors */
/*
 * How fast the pure parts are on one core: the codec by frame size, masking beside memcpy, UTF-8, the HTTP head, the
 * handshake. No sockets. A turn of work goes over a block of 256 KiB (it fits the L2 cache, as the relay's buffers do)
 * or over one request head; a round is turns for 50 ms, and the median and the best of seven rounds are told. Rates are
 * of payload bytes. A table goes to stdout, JSON to the file named as the first argument. Exits with 1 when a rate that
 * has a goal is below it.
 *
 * "decode" slides the payload of each frame to a second block, so the frames stay for the next turn. "decode, fresh" is
 * the relay's own case, sliding within the block; as that overwrites the headers, each turn begins with a memcpy of the
 * whole block, and its time is in the figure.
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "http/head.h"
#include "ws/frame.h"
#include "ws/handshake.h"

#define BLOCK (256 * 1024)
#define ROUNDS 7
#define ROUND_NS 50000000u
#define ROWS_MAX 64

struct row {
    char name[40];
    const char *unit; /* "GB/s" or "/s" */
    double median;
    double best;
    double goal; /* 0: none */
};

struct bench {
    struct row rows[ROWS_MAX];
    size_t n_rows;
    uint8_t *a; /* two blocks with room for headers */
    uint8_t *b;
    size_t n;        /* bytes that a turn works on */
    size_t size;     /* in pieces of this size */
    double per_turn; /* payload bytes or operations of one turn */
};

/* Results end here, so that no work is thrown away by the compiler. */
static volatile uint64_t sink;

static uint64_t now_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + t.tv_nsec;
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static double round_rate(struct bench *t, void (*turn)(struct bench *t))
{
    uint64_t begin = now_ns(), end;
    double done = 0;

    do {
        for (int i = 0; i < 8; i++)
            turn(t);
        done += 8 * t->per_turn;
        end = now_ns();
    } while (end - begin < ROUND_NS);
    return done * 1e9 / (double)(end - begin);
}

static void row_print(const struct row *r)
{
    double scale = r->unit[0] == 'G' ? 1e9 : 1;
    int digits = r->unit[0] == 'G' ? 2 : 0;

    printf("  %-32s %12.*f %-5s best %12.*f", r->name, digits, r->median / scale, r->unit, digits, r->best / scale);
    if (r->goal > 0)
        printf("   goal %.*f%s", digits, r->goal / scale, r->median < r->goal ? " MISSED" : "");
    printf("\n");
    fflush(stdout);
}

static void run(struct bench *t, const char *name, const char *unit, void (*turn)(struct bench *t), double goal)
{
    struct row *r = &t->rows[t->n_rows++];
    double rates[ROUNDS];

    if (t->n_rows > ROWS_MAX)
        abort();
    (void)round_rate(t, turn); /* warm */
    for (int i = 0; i < ROUNDS; i++)
        rates[i] = round_rate(t, turn);
    qsort(rates, ROUNDS, sizeof(rates[0]), compare);
    snprintf(r->name, sizeof(r->name), "%s", name);
    r->unit = unit;
    r->median = rates[ROUNDS / 2];
    r->best = rates[ROUNDS - 1];
    r->goal = goal;
    row_print(r);
}

static void die(const char *why)
{
    fprintf(stderr, "micro: %s\n", why);
    exit(1);
}

/* --- codec -------------------------------------------------------------------------------------------------------- */

/* Decodes the frames of from[0..n), payloads one behind the other from `to` on. */
static void decode_all(uint8_t *from, size_t n, uint8_t *to)
{
    static const struct ws_decoder_options opt = {.role = WS_SERVER, .message_max = UINT64_MAX, .check_utf8 = true};
    struct ws_decoder d;
    struct ws_event ev;
    uint8_t *begin = to;

    ws_decoder_init(&d, &opt);
    while (n) {
        size_t used = ws_decode_slide(&d, from, n, to, &ev);

        if (ev.type != WS_EV_DATA)
            die("a frame was not decoded");
        from += used;
        n -= used;
        to += ev.n;
    }
    sink += (uint64_t)(to - begin);
}

static void decode_turn(struct bench *t)
{
    decode_all(t->a, t->n, t->b);
}

static void decode_fresh_turn(struct bench *t)
{
    memcpy(t->b, t->a, t->n);
    decode_all(t->b, t->n, t->b);
}

static void unmask_turn(struct bench *t)
{
    for (size_t i = 0; i < t->n; i += t->size)
        sink += ws_unmask(t->b + i, t->a + i, t->size, 0x12345678);
}

/* Behind a pointer: the compiler may not know the length better than ws_unmask does. */
static void *(*volatile copy)(void *, const void *, size_t) = memcpy;

static void memcpy_turn(struct bench *t)
{
    for (size_t i = 0; i < t->n; i += t->size)
        copy(t->b + i, t->a + i, t->size);
    sink += t->b[0];
}

/* A block full of masked frames, one message each. */
static void frames_prepare(struct bench *t, uint8_t opcode, size_t size)
{
    uint8_t head[WS_HEADER_MAX];
    size_t frames = 0;

    t->size = size;
    t->n = 0;
    do {
        uint32_t mask = 0x9e3779b9u * (uint32_t)++frames;
        size_t length = ws_encode_client_header(head + sizeof(head), opcode, true, size, mask);
        uint8_t *payload = t->a + t->n + length;

        memcpy(t->a + t->n, head + sizeof(head) - length, length);
        memset(payload, 'a' + (int)(frames % 26), size);
        ws_unmask(payload, payload, size, mask);
        t->n += length + size;
    } while (t->n + size + WS_HEADER_MAX <= BLOCK);
    t->per_turn = (double)(frames * size);
}

static void bench_codec(struct bench *t)
{
    static const struct {
        size_t size;
        double goal;
    } sizes[] = {{16, 0}, {64, 0.8e9}, {125, 0}, {126, 0}, {1024, 0}, {16384, 4e9}, {65535, 0}, {65536, 0}};
    char name[40];

    for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
        frames_prepare(t, WS_BINARY, sizes[i].size);
        snprintf(name, sizeof(name), "decode %zu", sizes[i].size);
        run(t, name, "GB/s", decode_turn, sizes[i].goal);
        snprintf(name, sizeof(name), "decode, fresh %zu", sizes[i].size);
        run(t, name, "GB/s", decode_fresh_turn, sizes[i].goal);
    }
    for (size_t size = 64; size <= 16384; size *= 16) {
        frames_prepare(t, WS_TEXT, size);
        snprintf(name, sizeof(name), "decode ASCII text %zu", size);
        run(t, name, "GB/s", decode_turn, 0);
    }
}

static void bench_unmask(struct bench *t)
{
    static const size_t sizes[] = {16, 64, 256, 4096, 65536};
    char name[40];

    for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
        t->size = sizes[i];
        t->n = BLOCK;
        t->per_turn = BLOCK;
        snprintf(name, sizeof(name), "unmask %zu", sizes[i]);
        run(t, name, "GB/s", unmask_turn, 0);
        snprintf(name, sizeof(name), "memcpy %zu", sizes[i]);
        run(t, name, "GB/s", memcpy_turn, 0);
    }
}

/* --- UTF-8 -------------------------------------------------------------------------------------------------------- */

static void utf8_turn(struct bench *t)
{
    struct ws_utf8 u;

    ws_utf8_init(&u);
    if (!ws_utf8_feed(&u, t->a, t->n) || !ws_utf8_complete(&u))
        die("a good text was refused");
    sink += u.state;
}

static void bench_utf8(struct bench *t)
{
    static const struct {
        const char *name;
        const char *text;
    } texts[] = {
        {"UTF-8 ASCII", "The quick brown fox jumps over the lazy dog. "},
        {"UTF-8 German", "Zw\xc3\xb6lf Boxk\xc3\xa4mpfer jagen Viktor quer \xc3\xbc"
                         "ber den gro\xc3\x9f"
                         "en Sylter Deich. "},
        {"UTF-8 Russian",
         "\xd0\xa1\xd1\x8a\xd0\xb5\xd1\x88\xd1\x8c \xd0\xb5\xd1\x89\xd1\x91 \xd1\x8d\xd1\x82\xd0\xb8\xd1\x85 "},
        {"UTF-8 Japanese",
         "\xe3\x81\x84\xe3\x82\x8d\xe3\x81\xaf\xe3\x81\xab\xe3\x81\xbb\xe3\x81\xb8\xe3\x81\xa8\xe3\x80\x81"},
        {"UTF-8 emoji", "\xf0\x9f\x98\x80\xf0\x9f\x9a\x80"},
    };

    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        size_t n = strlen(texts[i].text);

        for (t->n = 0; t->n + n <= BLOCK; t->n += n)
            memcpy(t->a + t->n, texts[i].text, n);
        t->per_turn = (double)t->n;
        run(t, texts[i].name, "GB/s", utf8_turn, 0);
    }
}

/* --- requests ----------------------------------------------------------------------------------------------------- */

static const char request[] = "GET /websockify?token=4f1c HTTP/1.1\r\n"
                              "Host: desktop.example.org:6080\r\n"
                              "Connection: Upgrade\r\n"
                              "Pragma: no-cache\r\n"
                              "Cache-Control: no-cache\r\n"
                              "User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) "
                              "Chrome/120.0.0.0 Safari/537.36\r\n"
                              "Upgrade: websocket\r\n"
                              "Origin: https://desktop.example.org:6080\r\n"
                              "Sec-WebSocket-Version: 13\r\n"
                              "Accept-Encoding: gzip, deflate, br\r\n"
                              "Accept-Language: en-GB,en;q=0.9,de;q=0.8\r\n"
                              "Cookie: session=0123456789abcdef0123456789abcdef; theme=dark\r\n"
                              "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
                              "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n"
                              "Sec-WebSocket-Protocol: binary, base64\r\n"
                              "\r\n";

static struct http_head head;

static void head_turn(struct bench *t)
{
    struct http_parser p;
    struct http_bad bad;
    size_t used;

    http_parser_init(&p, 16384);
    if (http_head_parse(&p, request, sizeof(request) - 1, &head, &used, &bad) != HTTP_PARSE_DONE)
        die("a good head was refused");
    sink += used;
}

static void handshake_turn(struct bench *t)
{
    struct ws_handshake hs;
    const char *why;

    if (ws_handshake_check(&head, &hs, &why) || !ws_subprotocol_choose(&head, NULL, 0, &hs.subprotocol))
        die("a good handshake was refused");
    sink += (uint64_t)hs.accept[0];
}

static void bench_requests(struct bench *t)
{
    t->per_turn = 1;
    run(t, "HTTP head (15 fields)", "/s", head_turn, 0);
    run(t, "handshake check", "/s", handshake_turn, 0);
}

/* ------------------------------------------------------------------------------------------------------------------ */

static void json_write(const struct bench *t, const char *path)
{
    FILE *f = fopen(path, "w");

    if (!f)
        die("cannot write the JSON file");
    fprintf(f, "{\"version\": \"%s\", \"compiler\": \"%s\", \"rows\": [", WSBRIDGE_VERSION, __VERSION__);
    for (size_t i = 0; i < t->n_rows; i++) {
        const struct row *r = &t->rows[i];

        fprintf(f,
                "%s\n  {\"name\": \"%s\", \"unit\": \"%s\", \"median\": %.4g, \"best\": %.4g, \"goal\": ", i ? "," : "",
                r->name, r->unit, r->median / (r->unit[0] == 'G' ? 1e9 : 1), r->best / (r->unit[0] == 'G' ? 1e9 : 1));
        if (r->goal > 0)
            fprintf(f, "%.4g}", r->goal / 1e9);
        else
            fprintf(f, "null}");
    }
    fprintf(f, "\n]}\n");
    if (fclose(f) != 0)
        die("cannot write the JSON file");
}

int main(int argc, char **argv)
{
    static struct bench t;
    bool missed = false;

    t.a = malloc(BLOCK + 128 * 1024);
    t.b = malloc(BLOCK + 128 * 1024);
    if (!t.a || !t.b)
        die("out of memory");
    memset(t.a, 'x', BLOCK + 128 * 1024);
    memset(t.b, 'x', BLOCK + 128 * 1024);
    bench_codec(&t);
    bench_unmask(&t);
    bench_utf8(&t);
    bench_requests(&t);
    if (argc > 1)
        json_write(&t, argv[1]);
    for (size_t i = 0; i < t.n_rows; i++)
        missed = missed || t.rows[i].median < t.rows[i].goal;
    return missed;
}
