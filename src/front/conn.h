/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the wsbridge authors */
/*
 * Inside src/front: one accepted connection that speaks HTTP/1.1. begin.c has what comes before the first request,
 * conn.c drives the rest, answer.c writes its answers.
 *
 *     PROXY ---> SNIFF ---> TLS        only where the listener asks for it; before TLS (or REQUEST) there is no stream,
 *                  |         |         because a layer on top takes the descriptor as it is
 *                  '---------'--> REQUEST
 *
 *     REQUEST ----> HANDLING ----> ANSWER ----> REQUEST        (keep-alive, pipelining)
 *        |             |              '-------> LINGER ----> gone
 *        |             '--- accept: the stream belongs to a session, this object goes
 *        '--- refused head: ANSWER, then LINGER
 *
 * LINGER says FIN and reads on for a moment: closing a socket with unread input would reset it and destroy the answer
 * in flight.
 */
#ifndef WSBRIDGE_FRONT_CONN_H
#define WSBRIDGE_FRONT_CONN_H

#include "base/ref.h"
#include "front/front.h"
#include "net/socket_watch.h"

enum conn_state {
    CONN_PROXY, /* a PROXY header may come, or has to */
    CONN_SNIFF, /* the first byte tells TLS from the rest */
    CONN_TLS,   /* handshake */
    CONN_REQUEST,
    CONN_HANDLING,
    CONN_ANSWER,
    CONN_LINGER,
    CONN_GONE,
};

struct conn_buf {
    uint8_t *p; /* pooled, or NULL */
    size_t cap;
    size_t head;
    size_t tail;
};

struct front_conn {
    struct http_exchange x; /* while HANDLING or ANSWER */
    struct stream_owner owner;
    struct worker_env *env;
    struct list link;
    struct stream *stream;
    struct socket_watch watch; /* of the descriptor while there is no stream: PROXY, SNIFF */
    struct timer timer;
    struct loop_task again;
    struct loop_task reap;
    enum conn_state state;
    bool running;
    bool run_again;
    bool keep_alive; /* after the present answer */
    bool served;     /* at least one request was answered, and another may come */
    bool over_limit; /* accepted above limits.connections: will be told so */
    bool head_only;  /* HEAD: the body's length is sent, not the body */
    bool counted;    /* in env->connections by us; a session takes that over */
    bool is_unix;
    bool secure;        /* TLS, or a PROXY header says so */
    bool only_redirect; /* came in clear where only TLS is served */
    int status;         /* of the present answer, for the record */
    uint64_t body_left; /* bytes still to be pulled */
    uint64_t body_sent;
    struct http_body *body;
    size_t used; /* length of the present request's head */
    struct conn_buf in;
    struct conn_buf out;
    struct http_parser parser;
    struct http_head *head; /* pooled, as large as everything else here together; only while there is a request */
    char *path;             /* decoded */
    const struct listener_settings *listener;
    struct ref *snapshot;
    struct ip_port peer;  /* the one that is connected to us, or whom its PROXY header names */
    struct ip_port local; /* what that one connected to, as far as a PROXY header says; else IP_NONE */
    double progress_at;   /* loop time of the last byte written */
};

/* Two of the exchange's ops (answer.c); the others are in conn.c. */
void conn_exchange_reply(struct http_exchange *x, int status, const struct http_field *fields, size_t n,
                         struct slice text);
void conn_exchange_respond(struct http_exchange *x, int status, const struct http_field *fields, size_t n,
                           struct http_body *body);

void conn_run(struct front_conn *c);

/* The one way out; a stream or descriptor that is still ours goes with it. */
void conn_end(struct front_conn *c, enum stream_end how);

/* Makes sure of an input buffer; false when out of memory. */
MUST_CHECK bool conn_take_input(struct front_conn *c, size_t want);
size_t conn_input_max(const struct front_conn *c); /* what the longest head needs */

/* --- begin.c --- */

/* Takes fd, and sets the first state. The caller ends with conn_run. */
void begin_start(struct front_conn *c, int fd);
/* One step of PROXY, SNIFF and TLS. True when the state moved on. */
bool begin_step(struct front_conn *c);
void begin_deadline(struct front_conn *c);
/* Closes the descriptor of a connection without a stream, if it still has one. */
void begin_drop(struct front_conn *c);
/* Who the client is and how it came, by the connection and by what trusted proxies wrote into the head. False: the
 * request was refused. */
bool begin_identify(struct front_conn *c);
/* The answer to a clear request where only TLS is served. */
void begin_redirect(struct front_conn *c);

/* A complete answer without an exchange: for a head that was refused. The connection ends after it. */
void conn_refuse(struct front_conn *c, int status, const char *why);

/* Moves what is to be written; OK when the whole answer is out. */
enum io conn_answer_step(struct front_conn *c);

/* The record of a request that was answered or broken off. */
void conn_record(struct front_conn *c, const char *why);

#endif
