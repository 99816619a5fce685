/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the wsbridge authors */
/*
 * A request's way from the front to the room that answers it: find the route, then relay a WebSocket or serve a file.
 * It decides nothing else.
 */
#include "app/dispatch.h"

#include "app/settings.h"
#include "relay/session.h"
#include "serve/files.h"
#include "ws/handshake.h"

/* The part of the path behind the route's prefix. */
static struct slice below(const struct route *r, struct slice path)
{
    size_t n = strlen(r->path);

    while (n > 0 && r->path[n - 1] == '/')
        n--;
    path = (struct slice){path.p + MIN_OF(n, path.n), path.n - MIN_OF(n, path.n)};
    if (path.n && path.p[0] == '/')
        path = (struct slice){path.p + 1, path.n - 1};
    return path;
}

static void needs_websocket(struct http_exchange *x)
{
    static const struct http_field fields[] = {
        {{"Upgrade", 7}, {"websocket", 9}},
        {{"Connection", 10}, {"Upgrade", 7}},
        {{"Sec-WebSocket-Version", 21}, {"13", 2}},
    };

    x->ops->reply(x, 426, fields, ARRAY_LEN(fields), SLICE("This path speaks WebSocket only.\n"));
}

void dispatch_exchange(struct worker_env *env, struct http_exchange *x)
{
    const struct settings *s = container_of(x->snapshot, struct settings, ref);
    const struct route *r = settings_find_route(s, x->listener, x->authority.host, x->path);
    bool wants_ws = ws_handshake_wanted(x->head);

    if (!r)
        x->ops->reply(x, 404, NULL, 0, SLICE("Nothing is served at this path.\n"));
    else if (wants_ws && r->service)
        session_open(env, x, r);
    else if (wants_ws)
        x->ops->reply(x, 404, NULL, 0, SLICE("No WebSocket service is at this path.\n"));
    else if (r->root)
        files_serve(r->root, x, below(r, x->path));
    else
        needs_websocket(x);
}
