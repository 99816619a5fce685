/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the wsbridge authors */
/*
 * The floor: the least program that still carries a WebSocket to a TCP service. One thread, epoll (edge-triggered: the
 * kernel looks at a socket once for each report), one recv and one send per wake-up and direction, one shared buffer,
 * no timers, no log, no checks, no routing, no orderly Close: what it costs is what the kernel and the unmasking cost.
 * wsbridge is measured against it to see what the rest of a bridge is worth.
 *
 *   floor PORT BACKEND_PORT [splice]
 *
 * With `splice`, backend bytes in bulk go through a pipe under a frame header.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <openssl/evp.h>
#include <openssl/sha.h>

enum { BUFFER = 256 * 1024, HEADROOM = 16, BULK = 16384, EVENTS = 256 };

struct side {
    struct session *session;
    int fd;
    uint32_t events;
};

struct pending { /* what a socket did not take */
    uint8_t *bytes;
    size_t off, len;
};

struct session {
    struct side front, back;
    struct pending up, down;
    uint8_t head[14]; /* of the client's frame, as far as it has come */
    uint8_t head_have;
    uint8_t opcode;
    uint8_t mask[4];
    uint64_t left; /* of the frame's payload */
    bool open, dead;
    uint32_t bulk;  /* the last read from the backend */
    size_t in_pipe; /* splice: payload in the pipe whose header has gone */
    int pipe[2];
    struct session *next_dead;
};

struct forwarder {
    int epoll, listener, backend_port;
    bool splice;
    uint8_t *buffer;
    struct session *dead;
};

static void no_delay(int fd)
{
    int on = 1;

    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
}

static void interest(struct forwarder *f, struct side *s, uint32_t events)
{
    if (s->events == events)
        return;
    struct epoll_event e = {.events = events | EPOLLRDHUP | EPOLLET, .data.ptr = s};
    (void)epoll_ctl(f->epoll, s->events == UINT32_MAX ? EPOLL_CTL_ADD : EPOLL_CTL_MOD, s->fd, &e);
    s->events = events;
}

static void drop(struct forwarder *f, struct session *s)
{
    if (s->dead)
        return;
    s->dead = true;
    close(s->front.fd);
    if (s->back.fd >= 0)
        close(s->back.fd);
    if (s->pipe[0] >= 0) {
        close(s->pipe[0]);
        close(s->pipe[1]);
    }
    s->next_dead = f->dead;
    f->dead = s;
}

static void reap(struct forwarder *f)
{
    while (f->dead) {
        struct session *s = f->dead;
        f->dead = s->next_dead;
        free(s->up.bytes);
        free(s->down.bytes);
        free(s);
    }
}

/* False when the connection is over. What does not go out is kept, and the other side is not read until it is gone. */
static bool put(int fd, const uint8_t *p, size_t n, struct pending *q)
{
    ssize_t r = send(fd, p, n, MSG_NOSIGNAL);

    if (r < 0 && errno != EAGAIN)
        return false;
    size_t done = r < 0 ? 0 : (size_t)r;
    if (done == n)
        return true;
    q->bytes = malloc(n - done);
    if (!q->bytes)
        return false;
    memcpy(q->bytes, p + done, n - done);
    q->off = 0;
    q->len = n - done;
    return true;
}

static bool put_again(int fd, struct pending *q)
{
    ssize_t r = send(fd, q->bytes + q->off, q->len - q->off, MSG_NOSIGNAL);

    if (r < 0)
        return errno == EAGAIN;
    q->off += (size_t)r;
    if (q->off == q->len) {
        free(q->bytes);
        q->bytes = NULL;
    }
    return true;
}

static void unmask(uint8_t *to, const uint8_t *from, size_t n, const uint8_t mask[4])
{
    uint32_t m;
    uint64_t wide;
    size_t i = 0;

    memcpy(&m, mask, 4);
    wide = (uint64_t)m << 32 | m;
    for (; i + 8 <= n; i += 8) {
        uint64_t v;
        memcpy(&v, from + i, 8);
        v ^= wide;
        memcpy(to + i, &v, 8);
    }
    for (; i < n; i++)
        to[i] = from[i] ^ mask[i & 3];
}

static size_t head_len(const struct session *s)
{
    if (s->head_have < 2)
        return 2;
    unsigned n = s->head[1] & 0x7f;
    return n == 127 ? 14 : n == 126 ? 8 : 6;
}

static void head_done(struct session *s)
{
    unsigned n = s->head[1] & 0x7f;
    size_t wide = head_len(s) - 6;

    s->left = wide ? 0 : n;
    for (size_t i = 0; i < wide; i++)
        s->left = s->left << 8 | s->head[2 + i];
    s->opcode = s->head[0] & 0x0f;
    memcpy(s->mask, s->head + 2 + wide, 4);
    s->head_have = 0;
}

/* Payload to the front of p, in place. Control frames other than Close are dropped; a Close ends with *closed. */
static size_t decode(struct session *s, uint8_t *p, size_t n, bool *closed)
{
    size_t out = 0, i = 0;

    while (i < n) {
        if (!s->left) {
            size_t want = head_len(s) - s->head_have;
            size_t have = n - i < want ? n - i : want;
            memcpy(s->head + s->head_have, p + i, have);
            s->head_have += (uint8_t)have;
            i += have;
            if (s->head_have >= 6 && s->head_have == head_len(s)) {
                head_done(s);
                *closed |= s->opcode == 8;
            }
            continue;
        }
        size_t piece = s->left < n - i ? (size_t)s->left : n - i;
        if (s->opcode < 8) {
            unmask(p + out, p + i, piece, s->mask);
            out += piece;
        }
        s->left -= piece;
        i += piece;
        if (s->left) { /* the rest of this frame begins in the middle of the mask */
            uint8_t old[4];
            memcpy(old, s->mask, 4);
            for (size_t k = 0; k < 4; k++)
                s->mask[k] = old[(k + piece) & 3];
        }
    }
    return out;
}

static size_t header(uint8_t *end, size_t n)
{
    if (n < 126) {
        end[-2] = 0x82;
        end[-1] = (uint8_t)n;
        return 2;
    }
    size_t wide = n > 65535 ? 8 : 2;
    for (size_t i = 0; i < wide; i++)
        end[-1 - (long)i] = (uint8_t)((uint64_t)n >> (8 * i));
    end[-(long)wide - 2] = 0x82;
    end[-(long)wide - 1] = wide == 8 ? 127 : 126;
    return wide + 2;
}

static bool upgrade(struct forwarder *f, struct session *s)
{
    ssize_t n = recv(s->front.fd, f->buffer, BUFFER - 64, 0);
    char text[128], answer[256];
    uint8_t digest[SHA_DIGEST_LENGTH];

    if (n <= 0)
        return n < 0 && errno == EAGAIN;
    f->buffer[n] = 0;
    const char *key = strcasestr((const char *)f->buffer, "sec-websocket-key: ");
    if (!key || !strstr(key, "\r\n\r\n"))
        return false; /* the load generator sends its head in one piece */
    snprintf(text, sizeof(text), "%.24s258EAFA5-E914-47DA-95CA-C5AB0DC85B11", key + 19);
    SHA1((const uint8_t *)text, strlen(text), digest);
    EVP_EncodeBlock((uint8_t *)text, digest, sizeof(digest));
    int len = snprintf(answer, sizeof(answer),
                       "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                       "Sec-WebSocket-Accept: %s\r\nSec-WebSocket-Protocol: binary\r\n\r\n",
                       text);
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons((uint16_t)f->backend_port)};
    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    s->back.fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (s->back.fd < 0 || (connect(s->back.fd, (struct sockaddr *)&a, sizeof(a)) != 0 && errno != EINPROGRESS))
        return false;
    no_delay(s->back.fd);
    s->open = true;
    interest(f, &s->back, EPOLLIN);
    return send(s->front.fd, answer, (size_t)len, MSG_NOSIGNAL) == len;
}

static void settle(struct forwarder *f, struct session *s)
{
    bool down_waits = s->down.bytes || s->in_pipe;

    interest(f, &s->front, (s->up.bytes ? 0u : EPOLLIN) | (down_waits ? EPOLLOUT : 0u));
    interest(f, &s->back, (down_waits ? 0u : EPOLLIN) | (s->up.bytes ? EPOLLOUT : 0u));
}

/* These three say in *more whether the kernel may have more, as far as they can tell. */
static bool go_up(struct forwarder *f, struct session *s, bool *more)
{
    bool closed = false;
    ssize_t n = recv(s->front.fd, f->buffer, BUFFER, 0);

    *more = n == BUFFER;
    if (n <= 0)
        return n < 0 && errno == EAGAIN;
    size_t len = decode(s, f->buffer, (size_t)n, &closed);
    return (!len || put(s->back.fd, f->buffer, len, &s->up)) && !closed;
}

static bool drain_pipe(struct session *s)
{
    ssize_t r = splice(s->pipe[0], NULL, s->front.fd, NULL, s->in_pipe, SPLICE_F_MOVE | SPLICE_F_NONBLOCK);

    if (r < 0)
        return errno == EAGAIN;
    s->in_pipe -= (size_t)r;
    return true;
}

static bool go_down_spliced(struct session *s, bool *more)
{
    uint8_t room[HEADROOM];

    if (s->pipe[0] < 0) {
        if (pipe2(s->pipe, O_NONBLOCK | O_CLOEXEC) != 0)
            return false;
        (void)fcntl(s->pipe[1], F_SETPIPE_SZ, 1024 * 1024);
    }
    ssize_t n = splice(s->back.fd, NULL, s->pipe[1], NULL, 1024 * 1024, SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
    *more = n > 0; /* the pipe may have been full */
    if (n <= 0)
        return n < 0 && errno == EAGAIN;
    s->bulk = (uint32_t)n;
    s->in_pipe = (size_t)n;
    size_t h = header(room + HEADROOM, (size_t)n);
    ssize_t r = send(s->front.fd, room + HEADROOM - h, h, MSG_NOSIGNAL | MSG_MORE);
    if (r < 0 && errno != EAGAIN)
        return false;
    if (r < (ssize_t)h) {
        size_t done = r < 0 ? 0 : (size_t)r;
        s->down.bytes = malloc(h - done);
        if (!s->down.bytes)
            return false;
        memcpy(s->down.bytes, room + HEADROOM - h + done, h - done);
        s->down.off = 0;
        s->down.len = h - done;
        return true;
    }
    return drain_pipe(s);
}

static bool go_down(struct forwarder *f, struct session *s, bool *more)
{
    if (f->splice && s->bulk >= BULK)
        return go_down_spliced(s, more);
    ssize_t n = recv(s->back.fd, f->buffer + HEADROOM, BUFFER - HEADROOM, 0);
    *more = n == BUFFER - HEADROOM;
    if (n <= 0)
        return n < 0 && errno == EAGAIN;
    s->bulk = (uint32_t)n;
    size_t h = header(f->buffer + HEADROOM, (size_t)n);
    return put(s->front.fd, f->buffer + HEADROOM - h, (size_t)n + h, &s->down);
}

static bool event(struct forwarder *f, struct side *side, uint32_t events)
{
    struct session *s = side->session;

    if (!s->open)
        return upgrade(f, s);
    struct pending *waiting = side == &s->front ? &s->down : &s->up;
    if (events & EPOLLOUT) {
        if (waiting->bytes && !put_again(side->fd, waiting))
            return false;
        if (side == &s->front && !s->down.bytes && s->in_pipe && !drain_pipe(s))
            return false;
    }
    if (!(events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR)))
        return true;
    for (bool more = true; more;) {
        if (side == &s->front ? s->up.bytes != NULL : s->down.bytes || s->in_pipe)
            break; /* asked for again when that is out */
        if (!(side == &s->front ? go_up(f, s, &more) : go_down(f, s, &more)))
            return false;
        if (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR))
            more = true; /* up to the end, which is not reported again */
    }
    return true;
}

static void welcome(struct forwarder *f)
{
    for (int i = 0; i < 16; i++) {
        int fd = accept4(f->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0)
            return;
        struct session *s = calloc(1, sizeof(*s));
        if (!s) {
            close(fd);
            return;
        }
        no_delay(fd);
        s->front = (struct side){.session = s, .fd = fd, .events = UINT32_MAX};
        s->back = (struct side){.session = s, .fd = -1, .events = UINT32_MAX};
        s->pipe[0] = s->pipe[1] = -1;
        interest(f, &s->front, EPOLLIN);
    }
}

static void run(struct forwarder *f)
{
    struct epoll_event e[EVENTS];

    for (;;) {
        int n = epoll_wait(f->epoll, e, EVENTS, -1);
        for (int i = 0; i < n; i++) {
            struct side *side = e[i].data.ptr;
            if (!side) {
                welcome(f);
                continue;
            }
            struct session *s = side->session;
            if (s->dead)
                continue;
            if (!event(f, side, e[i].events))
                drop(f, s);
            else if (s->open)
                settle(f, s);
        }
        reap(f);
    }
}

int main(int argc, char **argv)
{
    struct forwarder f = {0};
    int on = 1;

    if (argc < 3) {
        fputs("usage: floor PORT BACKEND_PORT [splice]\n", stderr);
        return 64;
    }
    signal(SIGPIPE, SIG_IGN);
    f.backend_port = atoi(argv[2]);
    f.splice = argc > 3;
    f.buffer = malloc(BUFFER);
    f.epoll = epoll_create1(EPOLL_CLOEXEC);
    f.listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(argv[1]))};
    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    (void)setsockopt(f.listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    if (!f.buffer || f.epoll < 0 || bind(f.listener, (struct sockaddr *)&a, sizeof(a)) != 0 ||
        listen(f.listener, 4096) != 0) {
        perror("floor");
        return 1;
    }
    struct epoll_event e = {.events = EPOLLIN, .data.ptr = NULL};
    (void)epoll_ctl(f.epoll, EPOLL_CTL_ADD, f.listener, &e);
    run(&f);
    return 0;
}
