/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the wsbridge authors */
/*
 * Where every event of a session arrives: stream ready, timer, deferral, a word from outside. session_run cannot be
 * re-entered; it steps until nothing moves or its budget is spent, and only at its end sets interest and the one timer.
 *
 * The timer is lazy. Moving a byte only stores the loop's time; when the timer fires the deadlines are computed from
 * what was stored, and either one is due or the timer is set again. So that a wait that begins is not overlooked, the
 * set of waits (timer_for) is compared at the end of each run, and only when it changed is the next deadline computed,
 * and only when that is earlier is the timer touched.
 */
#include <assert.h>
#include <math.h>

#include "relay/relay.h"

#define BUDGET ((size_t)512 << 10) /* bytes read in one run; then the other sessions have their turn */

enum {
    WAIT_RELAY = 1,  /* open: idle, ping, lifetime */
    WAIT_FRONT = 2,  /* bytes wait for the client */
    WAIT_BACK = 4,   /* bytes, or a FIN, wait for the backend */
    WAIT_PONG = 8,   /* we asked */
    WAIT_CLOSE = 16, /* our Close is out, or the front lingers */
    WAIT_BACK_END = 32,
    WAIT_CLOSE_OUT = 64, /* nothing but our Close waits for the client: a shorter wait than that of data */
};

static unsigned waits(const struct session *s)
{
    unsigned w = 0;

    if (s->front_state == FRONT_OPEN)
        w |= WAIT_RELAY | (s->ping_waiting ? WAIT_PONG : 0);
    if (s->front_state <= FRONT_CLOSED && down_waits(s))
        w |= WAIT_FRONT | (s->close_queued && lane_empty(&s->down) && !s->in_pipe ? WAIT_CLOSE_OUT : 0);
    if (s->back_state != BACK_DONE && (s->up.mark > s->up.head || s->back_state == BACK_FLUSH))
        w |= WAIT_BACK;
    if (s->front_state != FRONT_DONE && (s->close_sent || s->front_state == FRONT_LINGER || s->front_mute))
        w |= WAIT_CLOSE;
    if (s->back_state == BACK_LINGER)
        w |= WAIT_BACK_END;
    return w;
}

static bool lifetime_is_over(const struct session *s)
{
    return s->close_queued && s->end_by == END_BY_US && s->end_code == WS_CLOSE_POLICY;
}

static bool reads_paused(const struct session *s)
{
    return !up_has_room(s);
}

/* The next deadline of these waits, in loop time. */
static double next_deadline(const struct session *s, unsigned w)
{
    const struct timeouts *t = &s->route->timeouts;
    double at = INFINITY;

    if (w & WAIT_RELAY) {
        at = fmin(at, s->started + t->lifetime);
        at = fmin(at, s->active_at + t->idle);
        if (!(w & WAIT_PONG))
            at = fmin(at, fmax(s->heard_at, s->asked_at) + t->ping);
        else
            at = fmin(at, fmax(s->asked_at, s->front_at) + t->pong);
    }
    if ((w & WAIT_FRONT) && lifetime_is_over(s)) /* which a client that hardly reads must not put off */
        at = fmin(at, s->close_at + t->close);
    if (w & WAIT_CLOSE_OUT)
        at = fmin(at, fmax(s->close_at, s->front_at) + t->close);
    else if (w & WAIT_FRONT)
        at = fmin(at, s->front_at + t->write_stall);
    if (w & WAIT_BACK)
        at = fmin(at, s->back_at + t->write_stall);
    if (w & WAIT_CLOSE)
        at = fmin(at, s->close_at + t->close);
    /* A backend that goes on talking may still be at work on what it has not read yet, and closing on what it sends
     * would reset that away. One that only does not heed the FIN has the time of a stall. */
    if (w & WAIT_BACK_END)
        at = fmin(at, fmin(s->back_at + t->close, s->active_at + t->write_stall));
    return at;
}

static bool due(double at, double now)
{
    return at <= now + 0.0005;
}

static void relay_deadlines(struct session *s, double now)
{
    const struct timeouts *t = &s->route->timeouts;

    if (due(s->started + t->lifetime, now)) {
        session_close(s, END_BY_US, WS_CLOSE_POLICY, "lifetime is over");
    } else if (due(s->active_at + t->idle, now)) {
        session_close(s, END_BY_US, WS_CLOSE_GOING_AWAY, "idle for too long");
    } else if (!s->ping_waiting && due(fmax(s->heard_at, s->asked_at) + t->ping, now)) {
        s->asked_at = now;
        s->ping_waiting = control_ping(s); /* otherwise nobody owes us an answer */
    } else if (s->ping_waiting && (reads_paused(s) || down_waits(s))) {
        s->asked_at =
            now; /* the answer may wait behind what we do not read, or our ping behind what the client does not */
    } else if (s->ping_waiting && due(fmax(s->asked_at, s->front_at) + t->pong, now)) {
        session_close(s, END_BY_US, WS_CLOSE_GOING_AWAY, "no answer to a ping");
    }
}

static void front_stalled(struct session *s)
{
    session_set_end(s, END_BY_US, WS_CLOSE_POLICY, "client does not read");
    session_client_failed(s, "client does not read");
}

static void back_stalled(struct session *s)
{
    session_set_end(s, END_BY_BACKEND, WS_CLOSE_INTERNAL, "backend does not read");
    session_back_done(s, STREAM_END_ABORT);
    session_close(s, END_BY_BACKEND, WS_CLOSE_INTERNAL, "backend does not read");
}

void session_deadline(struct timer *tm)
{
    struct session *s = container_of(tm, struct session, timer);
    const struct timeouts *t = &s->route->timeouts;
    double now = loop_now(s->env->loop);
    unsigned w = waits(s);

    s->calm = false; /* a new deadline has to be set */
    if (w & WAIT_RELAY)
        relay_deadlines(s, now);
    if ((w & WAIT_FRONT) && due(next_deadline(s, w & (WAIT_FRONT | WAIT_CLOSE_OUT)), now))
        front_stalled(s);
    if ((w & WAIT_BACK) && due(s->back_at + t->write_stall, now))
        back_stalled(s);
    if ((w & WAIT_CLOSE) && due(s->close_at + t->close, now) && s->front_state != FRONT_DONE) {
        session_set_end(s, END_BY_CLIENT, WS_CLOSE_ABNORMAL, "connection lost");
        session_front_done(s, STREAM_END_CLEAN);
    }
    if ((w & WAIT_BACK_END) && due(next_deadline(s, WAIT_BACK_END), now))
        session_back_done(s, STREAM_END_CLEAN);
    session_run(s);
}

static void set_timer(struct session *s)
{
    unsigned w = waits(s);
    unsigned begun = w & ~s->timer_for;
    double now;
    double at;

    if (w == s->timer_for && timer_is_set(&s->timer))
        return;
    now = loop_now(s->env->loop);
    if (begun & WAIT_FRONT)
        s->front_at = now;
    if (begun & WAIT_BACK)
        s->back_at = now;
    s->timer_for = (uint8_t)w;
    at = next_deadline(s, w);
    if (isinf(at)) {
        timer_cancel(&s->timer);
        return;
    }
    if (!timer_is_set(&s->timer) || at < timer_at(&s->timer)) {
        timer_set(&s->timer, fmax(at - now, 0.001));
    }
}

static void set_interest(struct session *s)
{
    unsigned front = 0;
    unsigned back = 0;

    if (s->front_state == FRONT_LINGER || s->input_bad || (s->front_state <= FRONT_CLOSING && up_has_room(s)))
        front |= STREAM_READ;
    if ((s->front_state <= FRONT_CLOSED && down_waits(s)) || (s->front_state == FRONT_CLOSED && s->close_sent))
        front |= STREAM_WRITE;
    if (s->back_state == BACK_OPEN && !s->close_queued && !s->front_mute && !down_waits(s))
        back |= STREAM_READ;
    if ((s->back_state == BACK_FLUSH || s->back_state == BACK_LINGER) && !s->back_eof)
        back |= STREAM_READ;
    if (s->up.mark > s->up.head || (s->back_state == BACK_FLUSH && !s->back_shut))
        back |= STREAM_WRITE;
    if (s->front)
        stream_want(s->front, front);
    if (s->back)
        stream_want(s->back, back);
}

void session_check(const struct session *s)
{
    const struct lane *lanes[] = {&s->up, &s->down};

    for (size_t i = 0; i < ARRAY_LEN(lanes); i++) {
        const struct lane *l = lanes[i];
        assert(l->head <= l->mark && l->mark <= l->raw && l->raw <= l->tail && l->tail <= l->cap);
        assert(!l->buf == (l->cap == 0));
        assert(l->buf == NULL || !lane_empty(l)); /* an idle session holds no buffer */
    }
    assert((s->front == NULL) == (s->front_state == FRONT_DONE));
    assert((s->back == NULL) == (s->back_state == BACK_DONE));
    assert((s->pipe != NULL) == (s->in_pipe > 0));
    assert(!s->close_sent || s->close_queued);
    assert(s->front_state != FRONT_DONE || s->end_code != 0); /* no end without a reason */
    (void)lanes;
}

/* The common end of a run, seen without another round: all was passed on, and neither side has more. Then both sides
 * are to be read, and what the timer waits for is idle time and the like, which bytes only put off: a run that began so
 * and ends so has nothing to set. */
static bool at_rest(const struct session *s)
{
    return s->front_state == FRONT_OPEN && s->back_state == BACK_OPEN && !s->front_mute &&
           (s->front->blocked & STREAM_READ) && (s->back->blocked & STREAM_READ) && lane_empty(&s->up) &&
           !down_waits(s);
}

void session_run(struct session *s)
{
    size_t budget = BUDGET;

    s->again = true;
    if (s->running || s->state != SESSION_RELAY)
        return;
    s->running = true;
    while (s->again) {
        s->again = false;
        bool moved = up_in(s, &budget);
        moved = up_out(s) || moved;
        moved = down_in(s, &budget) || moved;
        moved = down_out(s) || moved;
        if (s->front_state == FRONT_DONE && s->back_state == BACK_DONE) {
            session_end(s);
            return;
        }
        moved = moved && !at_rest(s);
        s->again = s->again || moved;
        if (moved && budget == 0) {
            loop_defer(s->env->loop, &s->turn);
            break;
        }
    }
    s->running = false;
    if (UNLIKELY(!s->calm || !at_rest(s) || s->ping_waiting)) {
        set_interest(s);
        set_timer(s);
        s->calm = at_rest(s) && !s->ping_waiting;
    }
    if (WSBRIDGE_DEBUG)
        session_check(s);
}

void session_ready(struct stream_owner *o, struct stream *stream)
{
    session_run(container_of(o, struct session, owner));
}

void session_turn(struct loop_task *t)
{
    session_run(container_of(t, struct session, turn));
}
