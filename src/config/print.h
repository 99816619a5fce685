/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the wsbridge authors */
/*
 * What the printers share: writing pieces, YAML scalars, and the words for a field's type and bounds. Nobody outside
 * this folder includes it.
 */
#ifndef WSBRIDGE_CONFIG_PRINT_H
#define WSBRIDGE_CONFIG_PRINT_H

#include "config/schema.h"

/* Tables nest a few deep; one that contains itself is cut here. */
#define CFG_TABLES_DEEP 8

struct cfg_writer {
    cfg_put *put;
    void *arg;
};

void cfg_write(const struct cfg_writer *w, struct slice s);
void cfg_write_str(const struct cfg_writer *w, const char *z);
void cfg_write_spaces(const struct cfg_writer *w, unsigned n);

/* One YAML scalar, quoted when it has to be, in block and in flow context. */
void cfg_write_scalar(const struct cfg_writer *w, struct slice text);

/* `include` as a field: no table has it, since the engine takes it out before any is used. */
extern const struct cfg_field cfg_include_field;
bool cfg_has_field(const struct cfg_table *t, const char *key);

/* "size", "list of texts": a noun for the value. */
const char *cfg_type_noun(const struct cfg_field *f);

/* Sentences on what may be written: "One of: a, b. At most 1MiB. Required." Empty when there is nothing to say. */
void cfg_print_facts(const struct cfg_field *f, struct strbuf *out);

/* A value that could stand there: the default, else the example, else one that fits the type. YAML text. */
const char *cfg_sample(const struct cfg_field *f);

/* Cuts the next line off `text`: at most `width` bytes, at a space; at a sentence's end when `sentences`. */
bool cfg_wrap(struct slice *text, size_t width, bool sentences, struct slice *line);

#endif
