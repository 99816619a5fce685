/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the wsbridge authors */
/*
 * wsload: the load generator and the backend of the benchmark, in one process and one thread, so that it sits on one
 * core while the program under test has the other, and so that it knows both ends of every stream.
 *
 * Payload is one ring of pseudo-random bytes, repeated: byte n of any stream is ring[n % ring_len], so any piece can be
 * checked wherever a proxy cuts it. Frames of a WebSocket client are made ahead, masks included: sending is a write and
 * nothing else. Nothing here is part of wsbridge, and nothing here uses its code: a mistake in one shows in the other.
 */
#ifndef WSBRIDGE_BENCH_LOAD_H
#define WSBRIDGE_BENCH_LOAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <openssl/ssl.h>

enum load_case { CASE_UP, CASE_DOWN, CASE_BOTH, CASE_ECHO, CASE_CONNECT };

struct options {
    enum load_case what;
    bool ws;       /* WebSocket toward the program under test; else the payload alone */
    bool tls;      /* TLS toward it */
    bool resume;   /* offer the last TLS session */
    bool check;    /* compare every payload byte */
    bool pinned12; /* TLS 1.2 instead of 1.3 */
    int port, backend_port;
    int sessions;     /* at once */
    size_t size;      /* payload bytes of a message */
    uint64_t total;   /* messages of all sessions together, in each direction that the case uses */
    uint64_t window;  /* up and down with one session: messages under way, 0 = as many as the sockets take */
    double rate;      /* echo: messages a second of all sessions (open loop), 0 = one under way each (closed loop) */
    double stall;     /* seconds without progress that are a failure */
    const char *path; /* of the upgrade request */
};

/* The payload ring and, when framed, the wire bytes of the same messages. */
struct ring {
    uint8_t *payload;
    size_t payload_len;
    uint8_t *wire;
    size_t wire_len;
    size_t frame_len; /* wire bytes of one message */
};

/* What the client has understood of the server's frames: any cut and any join of them is fine. */
struct frame_reader {
    uint8_t head[10];
    uint8_t have;
    uint8_t opcode;
    bool discard; /* count the payload only, do not move it together */
    uint64_t left;
};

enum role { ROLE_LISTENER, ROLE_BACKEND, ROLE_CLIENT };
enum client_state { CLIENT_CONNECT, CLIENT_TLS, CLIENT_UPGRADE, CLIENT_OPEN, CLIENT_CLOSING, CLIENT_DONE };

enum { STAMPS = 64 };

struct conn {
    enum role role;
    enum client_state state;
    int fd;
    bool writing; /* write interest is set */
    bool up_done; /* its share of the work toward the backend has arrived */
    bool down_done;
    SSL *ssl;
    uint64_t out, out_goal; /* wire bytes sent, and to send */
    uint64_t in;            /* payload bytes received */
    uint64_t share;         /* payload bytes that this session moves in each direction */
    struct frame_reader reader;
    uint8_t *held; /* echo: what the socket did not take */
    size_t held_off, held_len;
    char reply[512]; /* the answer to the upgrade, while it comes */
    size_t reply_len;
    uint64_t stamps[STAMPS]; /* when each message under way was due */
    uint32_t stamp_head, stamp_tail;
};

struct histogram {
    uint64_t count[64 * 64];
    uint64_t n, max;
};

struct load {
    struct options opt;
    struct ring ring;
    SSL_CTX *tls;
    SSL_SESSION *resume;
    int epoll;
    uint8_t *scratch;
    size_t scratch_len;
    struct conn **clients, **backends;
    int n_clients, n_open, n_backends; /* made, usable, accepted and not ended */
    int connecting;
    bool running;
    uint64_t started, now, moved_at;
    uint64_t done_up, done_down; /* sessions that have moved their share */
    uint64_t sent, received;     /* echo and connect: messages */
    uint64_t resumed, handshakes;
    uint64_t reads, pieces; /* client reads, server frames */
    struct histogram latency;
};

uint64_t now_ns(void);
void fatal(const char *fmt, ...) __attribute__((format(printf, 1, 2), noreturn));

/* load_ring.c */
void ring_init(struct ring *r, size_t size, bool framed);
/* Stops the program at the first byte that is not the ring's at this place of the stream. */
void ring_check(const struct ring *r, uint64_t at, const uint8_t *p, size_t n, const char *where);
/* Data payload bytes among n wire bytes, moved together at p; control frames are dropped, a Close ends the program
 * unless `closing`. */
size_t frames_read(struct frame_reader *f, uint8_t *p, size_t n, bool closing, uint64_t *pieces);
size_t upgrade_request(char *p, size_t cap, const struct options *o);
/* 0 = more needed, else the length of a good head. Anything but 101 ends the program. */
size_t upgrade_reply(const char *p, size_t n);
size_t close_frame(uint8_t *p);
void histogram_add(struct histogram *h, uint64_t ns);
uint64_t histogram_at(const struct histogram *h, double q);

/* load_io.c: -1 = would block, 0 = end of stream; errors end the program. */
int listen_on(int port);
int connect_to(int port);
int accept_from(int listener);
SSL_CTX *tls_client(struct load *l);
long conn_read(struct conn *c, void *p, size_t n);
long conn_write(struct conn *c, const void *p, size_t n);
/* 1 = done, -1 = would block. */
int conn_handshake(struct conn *c);
void conn_interest(struct load *l, struct conn *c, bool writing);
struct conn *conn_new(struct load *l, enum role role, int fd);
void conn_close(struct conn *c);

/* load_client.c */
void client_open(struct load *l, int slot);
void client_event(struct load *l, struct conn *c, bool readable, bool writable);
/* Gives it one message more to send; `due` is when it should have left. */
void client_send(struct load *l, struct conn *c, uint64_t due);
void client_begin(struct load *l, struct conn *c);
/* The other end has more: let what the window allows go. */
void client_window(struct load *l);

/* load_backend.c */
void backend_accept(struct load *l, struct conn *listener);
void backend_event(struct load *l, struct conn *c, bool readable, bool writable);
void backend_begin(struct load *l, struct conn *c);
void backend_window(struct load *l);

#endif
