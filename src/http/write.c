/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the wsbridge authors */
/*
 * Response heads. Field values may come from configuration, tokens or a backend, so every name and value is checked
 * here, at the one place where a line break would become a second response.
 */
#include "http/write.h"

#include "http/chars.h"
#include "http/fields.h"

static bool put_field(struct strbuf *out, struct slice name, struct slice value)
{
    strbuf_put(out, name);
    strbuf_put(out, SLICE(": "));
    strbuf_put(out, value);
    strbuf_put(out, SLICE("\r\n"));
    return http_all_are(name, HTTP_TOKEN) && http_all_are(value, HTTP_VALUE);
}

static void put_own_fields(struct strbuf *out, const struct http_response *r)
{
    char date[HTTP_DATE_MAX];
    if (r->status < 200)
        return;
    strbuf_printf(out, "Date: %s\r\n", http_date_format(r->date, date));
    if (r->has_length && r->status != 204) /* RFC 9110, section 8.6 */
        strbuf_printf(out, "Content-Length: %llu\r\n", (unsigned long long)r->content_length);
    if (!r->keep_alive)
        strbuf_str(out, "Connection: close\r\n");
    else if (r->http10)
        strbuf_str(out, "Connection: keep-alive\r\n");
}

static void put_status(struct strbuf *out, int status)
{
    const char code[] = {(char)('0' + status / 100 % 10), (char)('0' + status / 10 % 10), (char)('0' + status % 10),
                         ' '};

    strbuf_put(out, SLICE("HTTP/1.1 "));
    strbuf_put(out, (struct slice){code, sizeof code});
    strbuf_str(out, http_status_phrase(status));
    strbuf_put(out, SLICE("\r\nServer: wsbridge\r\n"));
}

bool http_write_head(struct strbuf *out, const struct http_response *r)
{
    size_t start = out->n;
    /* 1.1 also to a 1.0 client: it is the server's version (RFC 9110, section 6.2), only the framing must suit. */
    bool ok = r->status >= 100 && r->status <= 999;
    put_status(out, r->status);
    put_own_fields(out, r);
    for (size_t i = 0; i < r->n_fields && ok; i++)
        ok = put_field(out, r->fields[i].name, r->fields[i].value);
    strbuf_str(out, "\r\n");
    ok = ok && !out->cut;
    if (!ok && out->cap > 0) { /* nothing half-written stays behind */
        out->n = start;
        out->p[start] = '\0';
    }
    return ok;
}
