/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the wsbridge authors */
/*
 * The option tables as a JSON schema (draft 7), for editors and for checks outside the program.
 *
 * It says no more than the tables do: what custom parsers and checks find is not in it. Where the engine takes any
 * scalar, numbers and booleans are allowed too, because that is what YAML makes of unquoted ones.
 */
#include "config/print.h"

#include <assert.h>
#include <stdio.h>

#define ANY_SCALAR "{\"type\": [\"string\", \"number\", \"boolean\"]}"

struct schema {
    struct cfg_writer w;
    unsigned deep;
};

static void write_table(struct schema *s, const struct cfg_table *t, unsigned indent, bool root);

static void write_json(struct schema *s, struct slice text)
{
    cfg_write_str(&s->w, "\"");
    for (size_t i = 0; i < text.n; i++) {
        unsigned char c = (unsigned char)text.p[i];
        char escape[8];
        if (c == '"' || c == '\\')
            cfg_write_str(&s->w, "\\");
        if (c < 0x20) {
            snprintf(escape, sizeof(escape), "\\u%04x", c);
            cfg_write_str(&s->w, escape);
        } else {
            cfg_write(&s->w, (struct slice){text.p + i, 1});
        }
    }
    cfg_write_str(&s->w, "\"");
}

/* ",\n" and a key, one level in. */
static void write_key(struct schema *s, const char *key, unsigned indent)
{
    cfg_write_str(&s->w, ",\n");
    cfg_write_spaces(&s->w, indent);
    write_json(s, slice_of(key));
    cfg_write_str(&s->w, ": ");
}

static void write_raw(struct schema *s, const char *key, const char *json, unsigned indent)
{
    write_key(s, key, indent);
    cfg_write_str(&s->w, json);
}

/* --- types -----------------------------------------------------------------------------------------------------------
 */

static void write_count(struct schema *s, const struct cfg_field *f, unsigned indent)
{
    char text[256];
    struct strbuf b;
    bool unlimited = f->flags & CFG_ALLOW_UNLIMITED;
    strbuf_init(&b, text, sizeof(text));
    strbuf_printf(&b, "[{\"type\": \"integer\", \"minimum\": %llu", (unsigned long long)f->min);
    if (f->max)
        strbuf_printf(&b, ", \"maximum\": %llu", (unsigned long long)f->max);
    strbuf_str(&b, unlimited ? "}, {\"const\": \"unlimited\"}]" : "}]");
    write_raw(s, "anyOf", text, indent);
}

static void write_amount(struct schema *s, const struct cfg_field *f, unsigned indent)
{
    char text[256];
    struct strbuf b;
    bool size = f->type == CFG_SIZE;
    strbuf_init(&b, text, sizeof(text));
    strbuf_printf(&b, "\"^(%s%s)$\"",
                  size ? "[0-9]+(\\\\.[0-9]+)? ?([KMGT]iB|[kKMGT]?B)"
                       : "[0-9]+(\\\\.[0-9]+)? ?(ms|[smhd])([0-9]+(\\\\.[0-9]+)?(ms|[smh]))*",
                  !(f->flags & CFG_ALLOW_UNLIMITED) ? ""
                  : size                            ? "|unlimited"
                                                    : "|unlimited|off");
    write_raw(s, "type", f->flags & CFG_ALLOW_UNLIMITED && !size ? "[\"string\", \"boolean\"]" : "\"string\"", indent);
    write_raw(s, "pattern", text, indent);
}

static void write_enum(struct schema *s, const struct cfg_field *f, unsigned indent)
{
    bool on = false, off = false;
    write_key(s, "enum", indent);
    cfg_write_str(&s->w, "[");
    for (size_t i = 0; f->choices[i]; i++) {
        on |= !strcmp(f->choices[i], "on");
        off |= !strcmp(f->choices[i], "off");
        cfg_write_str(&s->w, i ? ", " : "");
        write_json(s, slice_of(f->choices[i]));
    }
    cfg_write_str(&s->w, on ? ", \"true\", \"yes\", true" : "");
    cfg_write_str(&s->w, off ? ", \"false\", \"no\", false" : "");
    cfg_write_str(&s->w, "]");
}

/* A table, or what its shorthand may take. */
static void write_struct(struct schema *s, const struct cfg_table *t, unsigned indent)
{
    assert(t);
    if (!t->shorthand) {
        write_table(s, t, indent, false);
        return;
    }
    cfg_write_str(&s->w, "{\"anyOf\": [{\"type\": [\"string\", \"number\", \"boolean\", \"array\"]}, ");
    write_table(s, t, indent, false);
    cfg_write_str(&s->w, "]}");
}

static void write_collection(struct schema *s, const struct cfg_field *f, unsigned indent)
{
    if (f->type == CFG_MAP && (f->flags & CFG_OR_ONE)) {
        write_key(s, "anyOf", indent);
        cfg_write_str(&s->w, "[");
        write_struct(s, f->table, indent);
        cfg_write_str(&s->w, ", {\"type\": \"object\", \"additionalProperties\": ");
        write_struct(s, f->table, indent);
        cfg_write_str(&s->w, "}]");
        return;
    }
    if (f->type == CFG_MAP) {
        write_raw(s, "type", "\"object\"", indent);
        write_key(s, "additionalProperties", indent);
        write_struct(s, f->table, indent);
        return;
    }
    write_key(s, "anyOf", indent);
    cfg_write_str(&s->w, "[{\"type\": \"array\", \"items\": ");
    write_struct(s, f->table, indent);
    cfg_write_str(&s->w, "}, ");
    write_struct(s, f->table, indent);
    cfg_write_str(&s->w, "]");
}

static void write_type(struct schema *s, const struct cfg_field *f, unsigned indent)
{
    switch (f->type) {
    case CFG_BOOL:
        write_raw(s, "enum", "[true, false, \"true\", \"false\", \"on\", \"off\", \"yes\", \"no\"]", indent);
        break;
    case CFG_COUNT:
        write_count(s, f, indent);
        break;
    case CFG_SIZE:
    case CFG_DURATION:
        write_amount(s, f, indent);
        break;
    case CFG_ENUM:
        write_enum(s, f, indent);
        break;
    case CFG_STRING:
    case CFG_PATH:
        write_raw(s, "type", "[\"string\", \"number\", \"boolean\"]", indent);
        break;
    case CFG_STRINGS:
        write_raw(s, "anyOf", "[" ANY_SCALAR ", {\"type\": \"array\", \"items\": " ANY_SCALAR "}]", indent);
        break;
    case CFG_STRUCT:
        write_key(s, "allOf", indent);
        cfg_write_str(&s->w, "[");
        write_struct(s, f->table, indent);
        cfg_write_str(&s->w, "]");
        break;
    case CFG_LIST:
    case CFG_MAP:
        write_collection(s, f, indent);
        break;
    case CFG_CUSTOM: /* only its parser knows */
        break;
    }
}

/* --- fields and tables -----------------------------------------------------------------------------------------------
 */

static void write_field(struct schema *s, const struct cfg_field *f, unsigned indent, bool first)
{
    cfg_write_str(&s->w, first ? "\n" : ",\n");
    cfg_write_spaces(&s->w, indent);
    write_json(s, slice_of(f->key));
    cfg_write_str(&s->w, ": {\"description\": ");
    write_json(s, slice_of(f->doc ? f->doc : f->table && f->table->doc ? f->table->doc : ""));
    if (f->fallback && !f->table) { /* as text: the schema's types are looser than ours */
        write_key(s, "default", indent + 2);
        write_json(s, slice_of(f->fallback));
    }
    write_type(s, f, indent + 2);
    cfg_write_str(&s->w, "}");
}

static void write_required(struct schema *s, const struct cfg_table *t, unsigned indent)
{
    bool any = false;
    for (const struct cfg_field *f = t->fields; f->key; f++) {
        if (!(f->flags & CFG_REQUIRED))
            continue;
        if (!any)
            write_key(s, "required", indent);
        cfg_write_str(&s->w, any ? ", " : "[");
        write_json(s, slice_of(f->key));
        any = true;
    }
    cfg_write_str(&s->w, any ? "]" : "");
}

static void write_table(struct schema *s, const struct cfg_table *t, unsigned indent, bool root)
{
    bool first = true;
    if (s->deep == CFG_TABLES_DEEP) {
        cfg_write_str(&s->w, "{}");
        return;
    }
    s->deep++;
    cfg_write_str(&s->w, "{");
    if (root)
        cfg_write_str(&s->w, "\n  \"$schema\": \"http://json-schema.org/draft-07/schema#\",\n  ");
    cfg_write_str(&s->w, "\"type\": \"object\"");
    write_raw(s, "additionalProperties", "false", indent);
    write_required(s, t, indent);
    write_key(s, "properties", indent);
    cfg_write_str(&s->w, "{");
    for (const struct cfg_field *f = t->fields; f->key; f++, first = false)
        write_field(s, f, indent + 2, first);
    if (root && !cfg_has_field(t, cfg_include_field.key))
        write_field(s, &cfg_include_field, indent + 2, first);
    cfg_write_str(&s->w, "}}");
    s->deep--;
}

void cfg_print_schema(const struct cfg_table *t, cfg_put *put, void *arg)
{
    struct schema s = {{put, arg}, 0};
    write_table(&s, t, 2, true);
    cfg_write_str(&s.w, "\n");
}
