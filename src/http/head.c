/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the wsbridge authors */
/*
 * The request head parser, in two passes over the bytes. The first goes with them as they arrive: a state, a class
 * table for the long runs and one judged byte where a run ends; it keeps positions only, so the buffer may move, and it
 * refuses the first wrong byte. The second runs once, when the empty line is there: it cuts the lines into views (which
 * is easy then, for every CR is known to end a line) and checks what the fields say about framing.
 *
 *     START -> METHOD -> TARGET -> VERSION -> LINE_LF -> FIELD -> NAME -> VALUE -> LINE_LF (again)
 *                                                          \-> END_LF -> done
 *
 * What is refused:
 *
 *     status  what
 *     400     the first byte of a TLS hello
 *     400     bare LF or bare CR anywhere; NUL and control characters; more than two empty lines in front
 *     400     a method that is no token; no or more than one space between the parts of the request line
 *     400     a target with characters no URI may have, or of no known form; "*" with a method other than OPTIONS
 *     400     no version (HTTP/0.9), or something else in its place
 *     400     a folded field line; an empty field name, or one that is no token; white space before the colon
 *     400     no Host with HTTP/1.1; more than one; one that is no host[:port], or not the one of an absolute target
 *     400     Content-Length twice (equal or not), not a number, together with Transfer-Encoding
 *     400     Transfer-Encoding with HTTP/1.0; empty members; "chunked" twice or not last
 *     405     CONNECT: this is no proxy
 *     414     a target of more than 8000 bytes, or a request line that does not fit into the limit for the head
 *     431     a head larger than the limit, or more than 100 fields
 *     501     a transfer coding other than chunked; a method longer than any in use
 *     505     a version other than 1.0 and 1.1
 *
 * Characters in a target: browsers send \ ^ ` { | } unescaped in queries, so these pass here; http_path_decode looks
 * again at the path.
 */
#include "http/head.h"

#include <assert.h>

#include "http/chars.h"
#include "http/url.h"

#define METHOD_MAX 32
#define TARGET_MAX 8000
#define BLANK_MAX 2
#define TLS_RECORD_HANDSHAKE 0x16 /* RFC 8446, section 5.1: the first byte of every hello */

enum state { START, START_LF, METHOD, TARGET, VERSION, LINE_LF, FIELD, NAME, VALUE, END_LF };

enum refusal {
    FINE,
    TLS_HELLO,
    BARE_LF,
    BARE_CR,
    CONTROL,
    BLANKS,
    BAD_METHOD,
    LONG_METHOD,
    NO_CONNECT,
    BAD_TARGET,
    TARGET_FORM,
    LONG_TARGET,
    BAD_VERSION,
    OTHER_VERSION,
    FOLDED,
    BAD_NAME,
    SPACE_COLON,
    BAD_VALUE,
    MANY_FIELDS,
    LARGE_HEAD,
    NO_HOST,
    TWO_HOSTS,
    BAD_HOST,
    HOST_DIFFERS,
    BAD_LENGTH,
    TWO_LENGTHS,
    LENGTH_AND_CODING,
    OLD_CODING,
    BAD_CODING,
    UNKNOWN_CODING,
};

static const struct http_bad refusals[] = {
    [TLS_HELLO] = {400, "a TLS hello came to a port that speaks clear HTTP (http://, ws://)"},
    [BARE_LF] = {400, "a line of the request head ends without CR"},
    [BARE_CR] = {400, "a CR in the request head does not end a line"},
    [CONTROL] = {400, "the request head has a control character"},
    [BLANKS] = {400, "too many empty lines before the request"},
    [BAD_METHOD] = {400, "the request does not begin with a method"},
    [LONG_METHOD] = {501, "the method is longer than any in use"},
    [NO_CONNECT] = {405, "CONNECT is not offered here"},
    [BAD_TARGET] = {400, "the request target has a character that must be escaped"},
    [TARGET_FORM] = {400, "the request target is neither a path nor an http URL"},
    [LONG_TARGET] = {414, "the request target is too long"},
    [BAD_VERSION] = {400, "the request line does not end with an HTTP version"},
    [OTHER_VERSION] = {505, "only HTTP/1.0 and HTTP/1.1 are spoken here"},
    [FOLDED] = {400, "a header field is folded over several lines"},
    [BAD_NAME] = {400, "a header field's name is malformed"},
    [SPACE_COLON] = {400, "white space before the colon of a header field"},
    [BAD_VALUE] = {400, "a header field's value is malformed"},
    [MANY_FIELDS] = {431, "too many header fields"},
    [LARGE_HEAD] = {431, "the request head is too large"},
    [NO_HOST] = {400, "the Host field is missing"},
    [TWO_HOSTS] = {400, "more than one Host field"},
    [BAD_HOST] = {400, "the Host field is malformed"},
    [HOST_DIFFERS] = {400, "the Host field and the request target name different hosts"},
    [BAD_LENGTH] = {400, "the Content-Length field is malformed"},
    [TWO_LENGTHS] = {400, "more than one Content-Length field"},
    [LENGTH_AND_CODING] = {400, "both Content-Length and Transfer-Encoding"},
    [OLD_CODING] = {400, "Transfer-Encoding in an HTTP/1.0 request"},
    [BAD_CODING] = {400, "the Transfer-Encoding field is malformed"},
    [UNKNOWN_CODING] = {501, "a transfer coding other than chunked"},
};

/* --- the first pass: bytes as they arrive --- */

/* What may go on for many bytes in each state; 0: every byte is judged. */
static const uint8_t run_of[] = {
    [METHOD] = HTTP_TOKEN, [TARGET] = HTTP_TARGET, [NAME] = HTTP_TOKEN, [VALUE] = HTTP_VALUE, [END_LF] = 0,
};

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* The name of a wrong byte: the plain offences first, else what this place expected. */
static enum refusal wrong(char c, enum refusal here)
{
    if (c == '\n')
        return BARE_LF;
    if (c == '\r')
        return here;
    return (unsigned char)c < 0x20 || c == 0x7f ? CONTROL : here;
}

static enum refusal go(struct http_parser *p, enum state next)
{
    p->state = next;
    p->mark = p->seen + 1;
    return FINE;
}

static enum refusal judge_method_end(struct http_parser *p, const char *buf, char c)
{
    if (c != ' ')
        return wrong(c, BAD_METHOD);
    struct slice method = {buf + p->mark, p->seen - p->mark};
    return slice_eq(method, SLICE("CONNECT")) ? NO_CONNECT : go(p, TARGET);
}

static enum refusal judge_target_end(struct http_parser *p, char c)
{
    if (c == '\r')
        return BAD_VERSION;
    if (c != ' ' || p->seen == p->mark)
        return wrong(c, BAD_TARGET);
    return go(p, VERSION);
}

static enum refusal judge_version(struct http_parser *p, char c)
{
    static const char form[] = "HTTP/1.1\r"; /* digits stand for digits */
    size_t at = p->seen - p->mark;
    if (form[at] == '1' ? !is_digit(c) : c != form[at])
        return wrong(c, BAD_VERSION);
    if (at == 5)
        p->major = (uint8_t)(c - '0');
    if (at == 7 && (p->major != 1 || c > '1'))
        return OTHER_VERSION;
    return c == '\r' ? go(p, LINE_LF) : FINE;
}

static enum refusal judge_start(struct http_parser *p, char c)
{
    if (c == '\r')
        return ++p->blank > BLANK_MAX ? BLANKS : go(p, START_LF);
    if (c == TLS_RECORD_HANDSHAKE)
        return TLS_HELLO;
    if (!http_char_is(c, HTTP_TOKEN))
        return wrong(c, BAD_METHOD);
    p->state = METHOD;
    p->mark = p->seen;
    return FINE;
}

static enum refusal judge_field_start(struct http_parser *p, char c)
{
    if (c == '\r')
        return go(p, END_LF);
    if (c == ' ' || c == '\t')
        return FOLDED;
    if (!http_char_is(c, HTTP_TOKEN))
        return wrong(c, BAD_NAME);
    p->state = NAME;
    return ++p->fields > HTTP_FIELDS_MAX ? MANY_FIELDS : FINE;
}

static enum refusal judge_name_end(struct http_parser *p, char c)
{
    if (c == ':')
        return go(p, VALUE);
    return c == ' ' || c == '\t' ? SPACE_COLON : wrong(c, BAD_NAME);
}

/* Looks at the one byte at p->seen, which ends a run or stands alone, and moves the state on. */
static enum refusal judge(struct http_parser *p, const char *buf)
{
    char c = buf[p->seen];
    switch ((enum state)p->state) {
    case START:
        return judge_start(p, c);
    case START_LF:
        return c == '\n' ? go(p, START) : BARE_CR;
    case METHOD:
        return judge_method_end(p, buf, c);
    case TARGET:
        return judge_target_end(p, c);
    case VERSION:
        return judge_version(p, c);
    case LINE_LF:
        return c == '\n' ? go(p, FIELD) : BARE_CR;
    case FIELD:
        return judge_field_start(p, c);
    case NAME:
        return judge_name_end(p, c);
    case VALUE:
        return c == '\r' ? go(p, LINE_LF) : wrong(c, BAD_VALUE);
    case END_LF:
        return c == '\n' ? FINE : BARE_CR;
    }
    assert(!"no such state");
    return BAD_VALUE;
}

static enum refusal run_limits(const struct http_parser *p, const char *buf)
{
    size_t n = p->seen - p->mark;
    if (p->state == METHOD && n > METHOD_MAX)
        return LONG_METHOD;
    if (p->state != TARGET || n == 0)
        return FINE;
    /* The first byte tells the form: a path, "*", or the scheme of a URL. */
    char first = buf[p->mark];
    if (first != '/' && first != '*' && !((first | 0x20) >= 'a' && (first | 0x20) <= 'z'))
        return TARGET_FORM;
    return n > TARGET_MAX ? LONG_TARGET : FINE;
}

/* Goes over buf[seen, end) until the head ends (*done), a byte is wrong or the bytes are used up. */
static enum refusal scan(struct http_parser *p, const char *buf, size_t end, bool *done)
{
    while (p->seen < end) {
        uint8_t run = run_of[p->state];
        if (run != 0) {
            size_t at = p->seen;
            while (at < end && http_char_is(buf[at], run))
                at++;
            p->seen = at;
            enum refusal r = run_limits(p, buf);
            if (r != FINE || p->seen == end)
                return r;
        }
        bool last = p->state == END_LF;
        enum refusal r = judge(p, buf);
        if (r != FINE)
            return r;
        p->seen++;
        if (last) {
            *done = true;
            return FINE;
        }
    }
    return FINE;
}

/* --- the second pass: a complete head --- */

/* Cuts the piece before `sep` (which is there) off the front of *rest, `skip` bytes with it. */
static struct slice cut_at(struct slice *rest, char sep, size_t skip)
{
    ptrdiff_t at = slice_find(*rest, sep);
    assert(at >= 0 && (size_t)at + skip <= rest->n);
    struct slice piece = {rest->p, (size_t)at};
    rest->p += (size_t)at + skip;
    rest->n -= (size_t)at + skip;
    return piece;
}

static enum http_method method_of(struct slice text)
{
    static const struct {
        struct slice name;
        enum http_method method;
    } known[] = {
        {{"GET", 3}, HTTP_GET}, {{"HEAD", 4}, HTTP_HEAD},     {{"POST", 4}, HTTP_POST},
        {{"PUT", 3}, HTTP_PUT}, {{"DELETE", 6}, HTTP_DELETE}, {{"OPTIONS", 7}, HTTP_OPTIONS},
    };
    for (size_t i = 0; i < ARRAY_LEN(known); i++) {
        if (slice_eq(text, known[i].name))
            return known[i].method;
    }
    return HTTP_OTHER;
}

static void cut_lines(struct http_head *h, struct slice rest)
{
    while (rest.p[0] == '\r' || rest.p[0] == '\n') { /* empty lines in front; the request line follows */
        rest.p++;
        rest.n--;
    }
    h->method_text = cut_at(&rest, ' ', 1);
    h->method = method_of(h->method_text);
    h->target = cut_at(&rest, ' ', 1);
    struct slice version = cut_at(&rest, '\r', 2);
    h->minor = version.p[version.n - 1] == '1';
    h->n_fields = 0;
    while (rest.p[0] != '\r') {
        struct http_field *f = &h->fields[h->n_fields++];
        f->name = cut_at(&rest, ':', 1);
        f->value = slice_trim(cut_at(&rest, '\r', 2));
    }
}

/* Takes scheme and authority off an absolute-form target, so that the origin-form is left. */
static enum refusal cut_target(struct http_head *h, bool *secure)
{
    h->authority = (struct slice){NULL, 0};
    if (h->target.p[0] == '/')
        return FINE;
    if (h->target.p[0] == '*')
        return h->target.n == 1 && h->method == HTTP_OPTIONS ? FINE : TARGET_FORM;
    ptrdiff_t colon = slice_find(h->target, ':');
    if (colon < 0)
        return TARGET_FORM;
    struct slice scheme = {h->target.p, (size_t)colon};
    struct slice rest = {h->target.p + colon, h->target.n - (size_t)colon};
    *secure = slice_eq_nocase(scheme, SLICE("https")) || slice_eq_nocase(scheme, SLICE("wss"));
    if (!*secure && !slice_eq_nocase(scheme, SLICE("http")) && !slice_eq_nocase(scheme, SLICE("ws")))
        return TARGET_FORM;
    if (!slice_starts(rest, SLICE("://")))
        return TARGET_FORM;
    rest.p += 3;
    rest.n -= 3;
    size_t n = 0;
    while (n < rest.n && rest.p[n] != '/' && rest.p[n] != '?')
        n++;
    h->authority = (struct slice){rest.p, n};
    h->target = (struct slice){rest.p + n, rest.n - n};
    if (h->target.n == 0) /* RFC 9112, section 3.2.4: this is how a proxy is asked for "OPTIONS *" */
        h->target = h->method == HTTP_OPTIONS ? SLICE("*") : SLICE("/");
    return FINE;
}

static enum refusal check_host(struct http_head *h, bool secure)
{
    struct http_authority host, target;
    bool absolute = h->authority.p != NULL;
    size_t n = http_field_count(h, "host");
    if (absolute && !http_authority_parse(h->authority, &target))
        return TARGET_FORM;
    if (n > 1)
        return TWO_HOSTS;
    if (n == 0)
        return h->minor == 1 ? NO_HOST : FINE;
    struct slice text = http_field_find(h, "host")->value;
    if (!http_authority_parse(text, &host))
        return BAD_HOST;
    if (!absolute) {
        h->authority = text;
        return FINE;
    }
    /* A Host that says something else is how one request is made to mean two sites to two servers. */
    uint16_t port = secure ? 443 : 80;
    bool same =
        slice_eq_nocase(host.host, target.host) && (host.port ? host.port : port) == (target.port ? target.port : port);
    return same ? FINE : HOST_DIFFERS;
}

static enum refusal check_codings(struct http_head *h)
{
    bool chunked = false, unknown = false;
    for (size_t i = 0; i < h->n_fields; i++) {
        if (!slice_eq_nocase(h->fields[i].name, SLICE("transfer-encoding")))
            continue;
        struct slice rest = h->fields[i].value, member;
        while (slice_cut(&rest, ',', &member)) {
            member = slice_trim(member);
            if (member.n == 0 || chunked) /* nothing may come behind chunked, itself included */
                return BAD_CODING;
            chunked = slice_eq_nocase(member, SLICE("chunked"));
            unknown = unknown || !chunked;
        }
    }
    h->chunked = chunked;
    return unknown ? UNKNOWN_CODING : FINE;
}

static enum refusal check_framing(struct http_head *h)
{
    size_t lengths = http_field_count(h, "content-length");
    bool coded = http_field_find(h, "transfer-encoding") != NULL;
    h->content_length = 0;
    h->chunked = false;
    if (coded && lengths > 0)
        return LENGTH_AND_CODING;
    if (coded)
        return h->minor == 0 ? OLD_CODING : check_codings(h);
    if (lengths > 1)
        return TWO_LENGTHS;
    if (lengths == 0)
        return FINE;
    struct slice value = http_field_find(h, "content-length")->value;
    return slice_to_u64(value, INT64_MAX, &h->content_length) ? FINE : BAD_LENGTH;
}

static enum refusal finish(struct http_head *h, struct slice all)
{
    bool secure = false;
    cut_lines(h, all);
    enum refusal r = cut_target(h, &secure);
    if (r == FINE)
        r = check_host(h, secure);
    if (r == FINE)
        r = check_framing(h);
    bool close = http_field_has_token(h, "connection", "close");
    h->keep_alive = !close && (h->minor == 1 || http_field_has_token(h, "connection", "keep-alive"));
    h->upgrade = http_field_has_token(h, "connection", "upgrade");
    h->expect_continue = h->minor == 1 && http_field_has_token(h, "expect", "100-continue");
    return r;
}

enum http_parse http_head_parse(struct http_parser *p, const char *buf, size_t n, struct http_head *head, size_t *used,
                                struct http_bad *bad)
{
    bool done = false;
    assert(n >= p->seen);
    enum refusal r = scan(p, buf, MIN_OF(n, p->max), &done);
    if (r == FINE && !done) {
        if (n < p->max)
            return HTTP_PARSE_MORE;
        r = p->state <= VERSION ? LONG_TARGET : LARGE_HEAD;
    }
    if (r == FINE)
        r = finish(head, (struct slice){buf, p->seen});
    if (r != FINE) {
        *bad = refusals[r];
        return HTTP_PARSE_BAD;
    }
    *used = p->seen;
    http_parser_init(p, p->max);
    return HTTP_PARSE_DONE;
}

/* --- looking into the table --- */

const struct http_field *http_field_find(const struct http_head *h, const char *name)
{
    struct slice want = slice_of(name);
    for (size_t i = 0; i < h->n_fields; i++) {
        if (slice_eq_nocase(h->fields[i].name, want))
            return &h->fields[i];
    }
    return NULL;
}

size_t http_field_count(const struct http_head *h, const char *name)
{
    struct slice want = slice_of(name);
    size_t count = 0;
    for (size_t i = 0; i < h->n_fields; i++)
        count += slice_eq_nocase(h->fields[i].name, want);
    return count;
}

static bool value_has_token(struct slice value, struct slice token)
{
    struct slice member, params;
    while (slice_cut(&value, ',', &member)) {
        params = member;
        (void)slice_cut(&params, ';', &member);
        if (slice_eq_nocase(slice_trim(member), token))
            return true;
    }
    return false;
}

bool http_field_has_token(const struct http_head *h, const char *name, const char *token)
{
    struct slice want = slice_of(name);
    for (size_t i = 0; i < h->n_fields; i++) {
        if (slice_eq_nocase(h->fields[i].name, want) && value_has_token(h->fields[i].value, slice_of(token)))
            return true;
    }
    return false;
}
