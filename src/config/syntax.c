/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the wsbridge authors */
/*
 * What libyaml's complaints mean for somebody who writes a configuration: a sentence in the words of the file, at the
 * place where the fix goes, and how to fix it. Most mistakes are one: a value that YAML takes for something else
 * because it is not in quotes ([::]:80, *:80, {token}, @name).
 */
#include "config/tree.h"

struct translation {
    const char *problem; /* as libyaml begins it */
    const char *context; /* NULL: any */
    bool at_context;     /* the fix goes where the thing began */
    const char *message;
    const char *help;
};

static const struct translation translations[] = {
    {"found unexpected end of stream", "while scanning a quoted scalar", true,
     "the quote that opens here is never closed", NULL},
    {"found unexpected document indicator", "while scanning a quoted scalar", true,
     "the quote that opens here is never closed", NULL},
    {"found unknown escape character", NULL, false, "this backslash means nothing in double quotes",
     "write \\\\ for a backslash, or use single quotes"},
    {"could not find expected ':'", NULL, true, "a \":\" is missing behind this key", "write it as \"key: value\""},
    {"mapping values are not allowed", NULL, false, "a \":\" cannot stand here",
     "check the indentation; if it is part of a value, put the value in quotes"},
    {"did not find expected ',' or ']'", NULL, true, "the list that opens here is not closed with \"]\"", NULL},
    {"did not find expected ',' or '}'", NULL, true, "the map that opens here is not closed with \"}\"", NULL},
    {"did not find expected '-' indicator", NULL, false,
     "this belongs neither to the list above nor to what is around it",
     "check the indentation: the items of a list begin with \"- \", all in the same column"},
    {"did not find expected key", NULL, false, "a key is expected here",
     "check the indentation: the keys of a map all begin in the same column"},
    {"block sequence entries are not allowed", NULL, false, "a list item cannot stand here",
     "begin the list on its own line, or write it as [a, b]"},
    {"mapping keys are not allowed", NULL, false, "a key cannot stand here", NULL},
    {"did not find expected node content", NULL, false, "a value is expected here", NULL},
    {"did not find expected <document start>", NULL, false, "this belongs to nothing above it",
     "check the indentation: the keys of a map all begin in the same column"},
    {"found a tab character", NULL, false, "a tab cannot indent YAML", "use spaces"},
};

static bool is_address_char(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F') || c == ':' || c == '.' ||
           c == '%';
}

static bool ends_value(char c)
{
    return c == ' ' || c == ',' || c == ']' || c == '}' || c == '\t';
}

static size_t value_length(struct slice s, size_t from)
{
    while (from < s.n && !ends_value(s.p[from]))
        from++;
    return from;
}

/* The length of an IPv6 address in brackets, with a port or without, at the start of `s`; or 0. */
static size_t bracket_address(struct slice s)
{
    size_t i = 1, colons = 0;
    if (s.n < 4 || s.p[0] != '[')
        return 0;
    for (; i < s.n && is_address_char(s.p[i]); i++)
        colons += s.p[i] == ':';
    if (colons < 2 || i == s.n || s.p[i] != ']')
        return 0;
    return value_length(s, i + 1);
}

/* The length of "{name}" with what follows at the start of `s`; or 0. */
static size_t braced_name(struct slice s)
{
    size_t i = 1;
    if (s.n < 3 || s.p[0] != '{')
        return 0;
    while (i < s.n &&
           ((s.p[i] >= 'a' && s.p[i] <= 'z') || (s.p[i] >= 'A' && s.p[i] <= 'Z') || s.p[i] == '_' || s.p[i] == '.'))
        i++;
    if (i == 1 || i == s.n || s.p[i] != '}')
        return 0;
    return value_length(s, i + 1);
}

static const char *quote(struct cfg_load *l, struct slice value)
{
    return arena_printf(l->arena, "quote it: \"" SLICE_FMT "\"", SLICE_ARG(value));
}

/* The first value on the line of `at` that should have been quoted; its column goes to `at`. */
static const char *find_unquoted(struct cfg_load *l, struct cfg_place *at)
{
    struct slice line = cfg_text_line(at->file, at->line);
    char quoted = 0, before = ' ';
    for (uint32_t column = 1; line.n; line.p++, line.n--) {
        char c = line.p[0];
        if (quoted) {
            quoted = c == quoted ? 0 : quoted;
        } else if (c == '#' && before == ' ') {
            return NULL;
        } else if ((c == '"' || c == '\'') && ends_value(before)) {
            quoted = c;
        } else if (before == ' ' || before == ',' || before == '[') {
            size_t n = bracket_address(line);
            n = n ? n : braced_name(line);
            if (!n && c == '*' && line.n > 1 && line.p[1] != ' ')
                n = value_length(line, 1);
            if (n) {
                at->column = column;
                at->width = (uint32_t)n;
                return quote(l, (struct slice){line.p, n});
            }
        }
        before = c;
        column += ((unsigned char)c & 0xC0) != 0x80;
    }
    return NULL;
}

const char *cfg_quote_hint(struct cfg_load *l, const struct cfg_place *at)
{
    if (l->errors.total > CFG_HINTS_MAX || !at->file || !at->file->text)
        return NULL;
    struct slice s = cfg_text_at(at->file, at->line, at->column);
    size_t n = bracket_address(s);
    n = n ? n : braced_name(s);
    return n ? quote(l, (struct slice){s.p, n}) : NULL;
}

static bool begins(const char *text, const char *prefix)
{
    return text && !strncmp(text, prefix, strlen(prefix));
}

/* A character that cannot stand where it does: a tab, or @, ` and % at the start of a value. */
static bool say_character(struct cfg_load *l, const struct cfg_trouble *t)
{
    struct slice s = cfg_text_at(t->at.file, t->at.line, t->at.column);
    if (!begins(t->problem, "found character that cannot start any token") || !s.n)
        return false;
    if (s.p[0] == '\t')
        cfg_error_at(l, &t->at, "use spaces", "a tab cannot indent YAML");
    else
        cfg_error_at(l, &t->at, quote(l, (struct slice){s.p, value_length(s, 1)}),
                     "a value that begins with \"%c\" needs quotes", s.p[0]);
    return true;
}

/* libyaml finds what is missing behind the last line; the place to look at is the end of the last text. */
static bool back_from_end(struct cfg_place *at)
{
    struct slice line = cfg_text_at(at->file, at->line, at->column);
    if (line.p && line.p < at->file->text + at->file->n)
        return false;
    *at = cfg_text_end(at->file);
    return true;
}

void cfg_syntax_error(struct cfg_load *l, const struct cfg_trouble *t)
{
    struct cfg_place at = t->at;
    bool end = back_from_end(&at);
    if (!end && say_character(l, t))
        return;
    const char *help = find_unquoted(l, &at);
    if (!help && t->from.line) {
        struct cfg_place from = t->from;
        help = find_unquoted(l, &from);
        if (help)
            at = from;
    }
    if (help) {
        cfg_error_at(l, &at, help, "this value needs quotes: YAML reads it as something else");
        return;
    }
    struct slice text = cfg_text_at(at.file, at.line, at.column);
    if (begins(t->problem, "did not find expected node content") && end) {
        cfg_error_at(l, &at, NULL, "the file ends inside a list or a map: a \"]\" or \"}\" is missing");
        return;
    }
    if (begins(t->problem, "did not find expected key") && text.n && text.p[0] == ':') {
        cfg_error_at(l, &at, "write it as \"key: value\"", "the key is missing before this \":\"");
        return;
    }
    for (size_t i = 0; i < ARRAY_LEN(translations); i++) {
        const struct translation *x = &translations[i];
        if (!begins(t->problem, x->problem) || (x->context && !begins(t->context, x->context)))
            continue;
        cfg_error_at(l, x->at_context && t->from.line ? &t->from : &at, x->help, "%s", x->message);
        return;
    }
    cfg_error_at(l, &at, NULL, "YAML: %s%s%s", t->context ? t->context : "", t->context ? ", " : "", t->problem);
}
