/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the wsbridge authors */
/*
 * What the printers share. Text goes out in pieces as it is made, so nothing here has a bound on length.
 */
#include "config/print.h"

#include <stdio.h>

#include "base/utf8.h"

const struct cfg_field cfg_include_field = {
    .key = "include",
    .type = CFG_STRINGS,
    .doc = "More files to read: names or patterns, relative to this file, each pattern in the order of names. Maps at "
           "the top take in each other's names and lists append; what is given twice is an error.",
    .example = "[conf.d/*.yaml]",
};

void cfg_write(const struct cfg_writer *w, struct slice s)
{
    if (s.n)
        w->put(w->arg, s);
}

void cfg_write_str(const struct cfg_writer *w, const char *z)
{
    cfg_write(w, slice_of(z));
}

void cfg_write_spaces(const struct cfg_writer *w, unsigned n)
{
    for (; n >= 8; n -= 8)
        cfg_write(w, SLICE("        "));
    cfg_write(w, (struct slice){"        ", n});
}

/* --- scalars ---------------------------------------------------------------------------------------------------------
 */

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* Words that some YAML reader takes for something else than text. */
static bool is_word_of_yaml(struct slice s)
{
    static const char *const words[] = {"true", "false", "yes", "no", "on", "off", "null", "y", "n"};
    for (size_t i = 0; i < ARRAY_LEN(words); i++)
        if (slice_eq_nocase(s, slice_of(words[i])))
            return true;
    return false;
}

/* Careful rather than complete: quotes never hurt. Anything that begins like a number is quoted for other readers. */
static bool may_be_plain(struct slice s)
{
    if (!s.n || (!is_letter(s.p[0]) && s.p[0] != '/' && s.p[0] != '_') || is_word_of_yaml(s))
        return false;
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        bool colon = c == ':' && i + 1 < s.n && (is_letter(s.p[i + 1]) || s.p[i + 1] == '/');
        bool space = c == ' ' && i + 1 < s.n && is_letter(s.p[i + 1]);
        if (!is_letter(c) && !(c >= '0' && c <= '9') && !strchr("_-./+@=", c) && !colon && !space)
            return false;
    }
    return true;
}

static bool needs_escape(uint32_t code)
{
    return utf8_is_control(code) || code == 0x2028 || code == 0x2029 || code == 0xFEFF || code == 0xFFFE ||
           code == 0xFFFF;
}

static void write_escape(const struct cfg_writer *w, uint32_t code)
{
    char text[16];
    if (code == '\n')
        cfg_write_str(w, "\\n");
    else if (code == '\t')
        cfg_write_str(w, "\\t");
    else {
        snprintf(text, sizeof(text), code < 0x100 ? "\\x%02x" : "\\u%04x", code);
        cfg_write_str(w, text);
    }
}

void cfg_write_scalar(const struct cfg_writer *w, struct slice s)
{
    if (may_be_plain(s)) {
        cfg_write(w, s);
        return;
    }
    cfg_write_str(w, "\"");
    while (s.n) {
        uint32_t code = 0;
        size_t len = utf8_next(s, &code);
        if (!len) { /* cannot come from a file; a byte of it is shown */
            code = (unsigned char)s.p[0];
            len = 1;
            write_escape(w, code);
        } else if (needs_escape(code)) {
            write_escape(w, code);
        } else {
            if (code == '"' || code == '\\')
                cfg_write_str(w, "\\");
            cfg_write(w, (struct slice){s.p, len});
        }
        s.p += len;
        s.n -= len;
    }
    cfg_write_str(w, "\"");
}

static void put_strbuf(void *arg, struct slice s)
{
    strbuf_put(arg, s);
}

void cfg_print_scalar(struct slice text, struct strbuf *out)
{
    cfg_write_scalar(&(struct cfg_writer){put_strbuf, out}, text);
}

/* --- words about fields ----------------------------------------------------------------------------------------------
 */

bool cfg_has_field(const struct cfg_table *t, const char *key)
{
    for (const struct cfg_field *f = t->fields; f->key; f++)
        if (!strcmp(f->key, key))
            return true;
    return false;
}

const char *cfg_type_noun(const struct cfg_field *f)
{
    static const char *const nouns[] = {
        [CFG_BOOL] = "on | off", [CFG_COUNT] = "number", [CFG_SIZE] = "size",        [CFG_DURATION] = "duration",
        [CFG_ENUM] = "word",     [CFG_STRING] = "text",  [CFG_PATH] = "path",        [CFG_STRINGS] = "text or list",
        [CFG_STRUCT] = "map",    [CFG_LIST] = "list",    [CFG_MAP] = "map of names", [CFG_CUSTOM] = "value",
    };
    return nouns[f->type];
}

static void print_bound(const struct cfg_field *f, uint64_t v, struct strbuf *out)
{
    if (f->type == CFG_SIZE)
        cfg_print_size(v, out);
    else if (f->type == CFG_DURATION)
        cfg_print_duration((double)v / 1000.0, out);
    else
        strbuf_printf(out, "%llu", (unsigned long long)v);
}

void cfg_print_facts(const struct cfg_field *f, struct strbuf *out)
{
    bool amount = f->type == CFG_COUNT || f->type == CFG_SIZE || f->type == CFG_DURATION;
    if (f->type == CFG_ENUM) {
        strbuf_str(out, " One of: ");
        for (size_t i = 0; f->choices[i]; i++)
            strbuf_printf(out, "%s%s", i ? ", " : "", f->choices[i]);
        strbuf_str(out, ".");
    }
    if (amount && f->min > 1) { /* 1 only says that it is not nothing */
        strbuf_str(out, " At least ");
        print_bound(f, f->min, out);
        strbuf_str(out, ".");
    }
    if (amount && f->max) {
        strbuf_str(out, " At most ");
        print_bound(f, f->max, out);
        strbuf_str(out, ".");
    }
    if (amount && (f->flags & CFG_ALLOW_UNLIMITED))
        strbuf_str(out, " May be \"unlimited\".");
    if (f->flags & CFG_REQUIRED)
        strbuf_str(out, " Required.");
}

const char *cfg_sample(const struct cfg_field *f)
{
    static const char *const samples[] = {
        [CFG_BOOL] = "on",   [CFG_COUNT] = "1",     [CFG_SIZE] = "64KiB", [CFG_DURATION] = "30s",
        [CFG_ENUM] = "",     [CFG_STRING] = "text", [CFG_PATH] = "/path", [CFG_STRINGS] = "[text]",
        [CFG_STRUCT] = "{}", [CFG_LIST] = "[]",     [CFG_MAP] = "{}",     [CFG_CUSTOM] = "value",
    };
    if (f->fallback || f->example)
        return f->fallback ? f->fallback : f->example;
    return f->type == CFG_ENUM ? f->choices[0] : samples[f->type];
}

static bool ends_sentence(struct slice s, size_t i)
{
    return (s.p[i] == '.' || s.p[i] == '?' || s.p[i] == '!') && i + 1 < s.n && s.p[i + 1] == ' ';
}

bool cfg_wrap(struct slice *text, size_t width, bool sentences, struct slice *line)
{
    struct slice s = slice_trim(*text);
    size_t cut = 0, i = 0;
    if (!s.n)
        return false;
    for (; i < s.n && (i <= width || !cut); i++) {
        if (s.p[i] == ' ')
            cut = i;
        if (sentences && ends_sentence(s, i)) {
            cut = ++i;
            break;
        }
    }
    if (!cut || (i == s.n && i <= width))
        cut = i;
    *line = slice_trim((struct slice){s.p, cut});
    *text = (struct slice){s.p + cut, s.n - cut};
    return true;
}
