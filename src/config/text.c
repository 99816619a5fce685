/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the wsbridge authors */
/*
 * The text of a file before it is YAML: its lines, and the checks that libyaml makes late, without a place, or not at
 * all. What passes here has no bytes that a terminal would obey, and has the same lines for us, libyaml and an editor.
 *
 * Directives (%YAML, %TAG) are refused because libyaml compares each with all before it, and no configuration needs
 * one.
 */
#include "base/utf8.h"
#include "config/tree.h"

static bool is_break(char c)
{
    return c == '\n' || c == '\r';
}

/* The offset behind the break at `i` ("\r\n" is one). */
static size_t past_break(const struct cfg_file *f, size_t i)
{
    return i + (f->text[i] == '\r' && i + 1 < f->n && f->text[i + 1] == '\n' ? 2 : 1);
}

static size_t break_after(const struct cfg_file *f, size_t i)
{
    while (i < f->n && !is_break(f->text[i]))
        i++;
    return i;
}

struct slice cfg_text_line(const struct cfg_file *f, uint32_t line)
{
    size_t start = 0;
    if (!f || !f->text || !line)
        return (struct slice){NULL, 0};
    for (uint32_t i = 1; i < line; i++) {
        start = break_after(f, start);
        if (start == f->n)
            return (struct slice){NULL, 0};
        start = past_break(f, start);
    }
    return (struct slice){f->text + start, break_after(f, start) - start};
}

struct slice cfg_text_at(const struct cfg_file *f, uint32_t line, uint32_t column)
{
    struct slice s = cfg_text_line(f, line);
    for (; column > 1 && s.n; column--) {
        do {
            s.p++;
            s.n--;
        } while (s.n && ((unsigned char)*s.p & 0xC0) == 0x80);
    }
    return s;
}

struct cfg_place cfg_text_end(const struct cfg_file *f)
{
    struct cfg_place at = {f, 1, 1, 1};
    size_t n = f->n;
    while (n > 0 && (f->text[n - 1] == ' ' || f->text[n - 1] == '\t' || is_break(f->text[n - 1])))
        n--;
    for (size_t i = 0; i < n;) {
        bool line = is_break(f->text[i]);
        at.line += line;
        at.column = line ? 1 : at.column + (((unsigned char)f->text[i] & 0xC0) != 0x80);
        i = line ? past_break(f, i) : i + 1;
    }
    return at;
}

/* What a configuration has no use for; NULL for a good character. */
static const char *bad_character(uint32_t cp)
{
    if (cp == 0)
        return "a NUL byte";
    if (cp == 0x85 || cp == 0x2028 || cp == 0x2029)
        return "an invisible line break";
    if (utf8_is_control(cp) && cp != '\t' && cp != '\n' && cp != '\r')
        return "a control character";
    if (cp == 0xFEFF || cp == 0xFFFE || cp == 0xFFFF)
        return "an invisible character";
    return NULL;
}

static bool check_characters(struct cfg_load *l, const struct cfg_file *f)
{
    struct cfg_place at = {f, 1, 1, 1};
    for (size_t i = 0; i < f->n;) {
        uint32_t cp = 0;
        size_t len = utf8_next((struct slice){f->text + i, f->n - i}, &cp);
        const char *bad = len ? bad_character(cp) : "a byte that is not UTF-8";
        if (!len) {
            cfg_error_at(l, &at, "save the file as UTF-8", "there is %s here (0x%02x)", bad, (unsigned char)f->text[i]);
            return false;
        }
        if (bad) {
            cfg_error_at(l, &at, cp ? "remove it, or write it as an escape in double quotes" : "is this a text file?",
                         "there is %s here (U+%04X)", bad, cp);
            return false;
        }
        if (is_break(f->text[i])) {
            i = past_break(f, i);
            at.line++;
            at.column = 1;
        } else {
            i += len;
            at.column++;
        }
    }
    return true;
}

/* Directives stand before the document, with only comments and empty lines around them. */
static bool check_directives(struct cfg_load *l, const struct cfg_file *f)
{
    size_t i = 0;
    for (uint32_t line = 1; i < f->n; line++) {
        size_t end = break_after(f, i);
        struct slice s = slice_trim((struct slice){f->text + i, end - i});
        if (f->text[i] == '%') {
            struct cfg_place at = {f, line, 1, (uint32_t)MIN_OF(s.n, (size_t)80)};
            cfg_error_at(l, &at, "remove this line", "YAML directives are not supported");
            return false;
        }
        if (s.n && s.p[0] != '#')
            return true;
        if (end == f->n)
            break;
        i = past_break(f, end);
    }
    return true;
}

bool cfg_text_check(struct cfg_load *l, const struct cfg_file *f)
{
    struct cfg_place whole = cfg_place_of_file(f);
    if (f->n > CFG_FILE_MAX) {
        cfg_error_at(l, &whole, NULL, "the file is larger than %zu MiB", CFG_FILE_MAX >> 20);
        return false;
    }
    if (f->n >= 2 && (!memcmp(f->text, "\xFF\xFE", 2) || !memcmp(f->text, "\xFE\xFF", 2))) {
        cfg_error_at(l, &whole, "save the file as UTF-8", "the file is UTF-16");
        return false;
    }
    return check_characters(l, f) && check_directives(l, f);
}
