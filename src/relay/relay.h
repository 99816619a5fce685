/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the wsbridge authors */
/*
 * Inside src/relay: the session and its parts. session.c opens and ends it, run.c is where every event arrives and
 * where deadlines are kept, up.c and down.c move the bytes, control.c has the control frames, builtin.c the services
 * that need no backend, record.c what is written down at the end.
 *
 * The two sides end on their own; a session is over when both are done:
 *
 *   front   OPEN ------> CLOSING -----> CLOSED ------> DONE
 *             |  our Close    peer's Close   ours is out
 *             |                             '--> LINGER --> DONE     input may still come: FIN, read and discard, then
 * close
 *             '-- peer's Close or EOF ---> CLOSED
 *
 *   back    OPEN --> ENDED (its bytes are all here; ours still flow) --.
 *             '----------> FLUSH (no more from the client) -----------> LINGER --> DONE
 *                                                           FIN said; read and discard
 */
#ifndef WSBRIDGE_RELAY_RELAY_H
#define WSBRIDGE_RELAY_RELAY_H

#include "base/ref.h"
#include "relay/session.h"
#include "upstream/connect.h"
#include "ws/close.h"
#include "ws/frame.h"
#include "ws/handshake.h"

enum session_state { SESSION_OPENING, SESSION_RELAY, SESSION_GONE };

enum front_state {
    FRONT_OPEN,
    FRONT_CLOSING, /* our Close is queued or sent; the peer's is awaited, its data still go up */
    FRONT_CLOSED,  /* no more input counts; our Close may still be waiting to leave */
    FRONT_LINGER,
    FRONT_DONE,
};

enum back_state {
    BACK_OPEN,
    BACK_ENDED,
    BACK_FLUSH,
    BACK_LINGER,
    BACK_DONE,
};

enum end_by { END_BY_NOBODY, END_BY_CLIENT, END_BY_BACKEND, END_BY_US };

/* One direction's bytes: head <= mark <= raw <= tail <= cap. [head, mark) may go out; [raw, tail) is still encoded.
 * Going down, mark, raw and tail are the same. */
struct lane {
    uint8_t *buf; /* pooled; NULL while nothing waits */
    uint32_t head;
    uint32_t mark;
    uint32_t raw;
    uint32_t tail;
    uint32_t read_size; /* what the next read asks for: follows the flow */
    uint32_t cap : 24;
    uint32_t small_reads : 8;
};

struct control_frame {
    uint8_t n;
    uint8_t bytes[2 + WS_CONTROL_MAX];
};

/* Control frames that wait: exists only while some do. */
struct control {
    uint8_t off;               /* of `now` already written */
    struct control_frame now;  /* on its way, or next */
    struct control_frame next; /* a pong that came while `now` was half out; a newer one replaces it */
};

/* What only an opening session needs. */
struct opening {
    struct http_exchange *x;
    struct http_exchange_owner owner;
    struct connecting *connecting;
    struct session *session;
    struct ws_handshake handshake;
};

/* An idle session is this and two streams, so its size counts (see the assertion in session.c). */
struct session {
    /* touched by every message */
    struct stream *front;
    struct stream *back;       /* NULL for built-in services */
    struct stream_owner owner; /* of both */
    struct worker_env *env;
    uint8_t state;       /* enum session_state */
    uint8_t front_state; /* enum front_state */
    uint8_t back_state;  /* enum back_state */
    uint8_t builtin;     /* enum target_kind when it is TARGET_ECHO or TARGET_DISCARD, else 0 */
    uint8_t timer_for;   /* which waits the timer was computed for, see run.c */
    uint8_t end_by;      /* enum end_by */
    bool running : 1;
    bool again : 1;
    bool close_queued : 1;
    bool close_sent : 1;
    bool ping_waiting : 1; /* for a pong, or for any other sign of life */
    bool front_mute : 1;   /* a write to the client failed: read what it still said, write no more */
    bool back_mute : 1;    /* the same for the backend */
    bool back_eof : 1;     /* the backend's bytes are all here */
    bool back_shut : 1;    /* FIN was said to the backend */
    bool bulk : 1;         /* the backend sends in bulk: its bytes go down through a pipe */
    bool input_bad : 1;    /* protocol error, or more behind a Close: input is discarded unseen */
    bool has_tls : 1;      /* toward the client */
    bool end_why_ours : 1; /* end_why is a copy of a stream's reason */
    bool calm : 1;         /* the last run ended at rest: interest and timer are right for that, see session_run */
    struct lane up;
    struct lane down;
    union {
        struct opening *opening; /* SESSION_OPENING */
        struct control *control; /* later */
    };
    struct pipe_pair *pipe; /* borrowed while bytes are inside: they follow what is in `down` */
    uint32_t in_pipe;
    uint16_t end_code;   /* close code for the record */
    uint16_t close_code; /* what our Close says */
    double active_at;    /* loop time of the last data either way */
    double heard_at;     /* of the last byte from the client */
    double front_at;     /* of the last progress of what waits for the client */
    double back_at;      /* of the last progress of what waits for the backend; after its FIN, of its last byte */
    uint64_t bytes_up;
    uint64_t bytes_down;
    uint64_t messages_up;
    uint64_t messages_down;
    struct ws_decoder decoder;

    /* the rest */
    const struct route *route;
    struct ref *snapshot;
    struct list link; /* env->sessions */
    struct timer timer;
    struct loop_task turn; /* deferral while alive, the reaper at the end */
    double started;
    double asked_at; /* loop time of our last ping */
    double close_at; /* when CLOSING, or the front's linger, began */
    uint64_t id;
    const char *end_why; /* the first reason given: static, or end_why_ours */
    struct ip_port peer;
    struct ip_port backend;
    char text[]; /* path and subprotocol; with TLS also its version, cipher and client, all terminated */
};

/* --- session.c --- */
void session_set_end(struct session *s, enum end_by by, uint16_t code, const char *why); /* the first one counts */
const char *session_why(struct session *s, const struct stream *from); /* why a stream failed; lives with the session */
void session_end(struct session *s);                                   /* teardown, in one fixed order */
bool session_front_farewell(struct session *s); /* our Close is out; true when that ended something */
void session_front_done(struct session *s, enum stream_end how);
void session_back_done(struct session *s, enum stream_end how);

/* What may happen to a session; each only notes and queues, session_run does the rest. */
void session_close(struct session *s, enum end_by by, uint16_t code, const char *why); /* queue our Close */
void session_client_closed(struct session *s, uint16_t code);
void session_client_eof(struct session *s);
void session_client_failed(struct session *s, const char *why);
void session_backend_eof(struct session *s);
void session_backend_failed(struct session *s, const char *why);
void session_bad_input(struct session *s, uint16_t code, const char *why);

/* --- run.c --- */
void session_run(struct session *s);
void session_ready(struct stream_owner *o, struct stream *stream);
void session_turn(struct loop_task *t);
void session_deadline(struct timer *t);
void session_check(const struct session *s); /* the invariants; debug builds assert them */

/* --- lane.c: helpers of both directions --- */
MUST_CHECK bool lane_take(struct session *s, struct lane *l, size_t want);
void lane_drop(struct session *s, struct lane *l);
void lane_learn(struct session *s, struct lane *l, size_t room, size_t got);
static inline bool lane_empty(const struct lane *l)
{
    return l->head == l->tail;
}

/* --- up.c, down.c: each step returns whether something moved; *budget is bytes left for this run --- */
bool up_in(struct session *s, size_t *budget);
bool up_out(struct session *s);
bool up_has_room(const struct session *s);
bool down_in(struct session *s, size_t *budget);
bool down_out(struct session *s);
void down_drop(struct session *s); /* throws away what waits for the client, buffers and pipe included */

/* --- control.c --- */
static inline bool control_waits(const struct session *s)
{
    return s->control || (s->close_queued && !s->close_sent);
}
/* A control frame is half out: nothing may leave before its rest. */
static inline bool control_begun(const struct session *s)
{
    return s->control && s->control->off;
}
/* Something for the client waits to be written. */
static inline bool down_waits(const struct session *s)
{
    return !s->front_mute && (!lane_empty(&s->down) || s->in_pipe || control_waits(s));
}
void control_pong(struct session *s, const uint8_t *payload, size_t n);
bool control_ping(struct session *s); /* false: no room for it now */
enum io control_out(struct session *s, bool *moved);
void control_drop(struct session *s);

/* --- builtin.c --- */
void builtin_take(struct session *s, const struct ws_event *ev);
size_t builtin_room(const struct session *s); /* how many raw bytes may be decoded now */

/* --- record.c --- */
/* What the record will say of the client's TLS, as three terminated texts. The length; 0: it came in clear. */
#define RECORDED_TLS_MAX 400
size_t record_tls(const struct http_exchange *x, char *out);
void record_session(const struct session *s);

#endif
