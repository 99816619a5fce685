/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the wsbridge authors */
/*
 * What the files of this folder share: files, nodes, problems and the load itself. Nobody outside includes it.
 *
 * Lifetimes: nodes and `struct cfg_file` live in the arena, since the structs that were read keep pointers to nodes;
 * the text of a file lives as long as the load and is only for showing lines in errors.
 *
 * Nodes never change once their document was read, with one exception: the root map grows while files are merged. An
 * alias is its anchor's node once more, so the tree is in truth an acyclic graph; `weight` and `height` count it as if
 * it were copied out, and both are bounded, so walking it as a tree is bounded too.
 */
#ifndef WSBRIDGE_CONFIG_TREE_H
#define WSBRIDGE_CONFIG_TREE_H

#include <stdarg.h>
#include <sys/types.h>

#include "config/schema.h"

#define CFG_DEPTH_MAX 64                /* of nesting, in the text and through aliases */
#define CFG_NODES_MAX 1000000           /* of all files together, aliases copied out */
#define CFG_ANCHORS_MAX 100             /* a file */
#define CFG_FILE_MAX ((size_t)16 << 20) /* bytes */
#define CFG_FILES_MAX 1000
#define CFG_INCLUDE_DEPTH_MAX 16
#define CFG_CACHE_SLOTS 1024

/* Beyond so many errors no more work is put into hints: only CFG_ERRORS_MAX are shown. */
#define CFG_HINTS_MAX 100

struct cfg_file {
    const char *name; /* as the user would name it */
    const char *dir;  /* absolute, no slash at the end; what relative paths count from */
    char *text;       /* NULL once the load is gone */
    size_t n;
    unsigned order;              /* of reading; errors are shown in it */
    const struct cfg_file *from; /* the file that includes this one */
    dev_t dev;
    ino_t ino;
    struct cfg_file *next;
};

/* Line and column count from 1, in characters; line 0 is the file as a whole. */
struct cfg_place {
    const struct cfg_file *file; /* NULL: no place at all */
    uint32_t line;
    uint32_t column;
    uint32_t width; /* characters to underline, on this line only */
};

struct cfg_pair {
    const struct cfg_node *key;
    const struct cfg_node *value;
};

struct cfg_node {
    struct cfg_place place;
    enum cfg_kind kind;
    bool plain;      /* a scalar without quotes */
    bool flow;       /* a list or map in brackets */
    uint16_t height; /* 0: a scalar */
    uint32_t weight; /* this node and all below; 0 while it is being read */
    size_t n;        /* bytes, items or pairs */
    union {
        const char *text;
        const struct cfg_node **items;
        struct cfg_pair *pairs;
    } u;
    uint32_t *index; /* of a large map: hash to position + 1 */
    uint32_t slots;  /* of `index`, a power of two */
};

struct cfg_problem {
    bool warning;
    unsigned seq; /* order of discovery, where places are equal */
    struct cfg_place place;
    const char *message;
    const char *help; /* or NULL */
};

/* The first CFG_ERRORS_MAX by place; `total` counts all. */
struct cfg_problems {
    size_t n;
    size_t total;
    struct cfg_problem v[CFG_ERRORS_MAX];
};

struct cfg_cached {
    const struct cfg_field *field;
    const struct cfg_node *node;
};

struct cfg_load {
    struct arena *arena;
    const char *cwd; /* absolute, or "." when the system will not say */
    struct cfg_file *files;
    unsigned n_files;
    size_t n_nodes;
    unsigned seq;
    bool out_of_memory; /* was said */
    bool may_wait;      /* a file that the user names may be a pipe */
    struct cfg_problems errors;
    struct cfg_problems warnings;
    struct cfg_cached cache[CFG_CACHE_SLOTS]; /* defaults that were parsed */
    size_t n_cached;
};

/* error.c */
void cfg_report(struct cfg_load *l, bool warning, const struct cfg_place *at, const char *help, const char *fmt,
                va_list ap) PRINTF_LIKE(5, 0);
void cfg_error_at(struct cfg_load *l, const struct cfg_place *at, const char *help, const char *fmt, ...)
    PRINTF_LIKE(4, 5);
void cfg_no_memory(struct cfg_load *l);
struct cfg_place cfg_place_of_file(const struct cfg_file *f);

/* text.c: bytes before they are YAML. */
struct slice cfg_text_line(const struct cfg_file *f, uint32_t line);                /* without its break */
struct slice cfg_text_at(const struct cfg_file *f, uint32_t line, uint32_t column); /* from there to the line's end */
struct cfg_place cfg_text_end(const struct cfg_file *f); /* behind the last character that is not white */
MUST_CHECK bool cfg_text_check(struct cfg_load *l,
                               const struct cfg_file *f); /* UTF-8, control characters, directives */

/* yaml.c. NULL when the text is no single YAML document (reported). `config`: the root has to be a map with something
 * in it; else anything goes (defaults). */
struct cfg_node *cfg_yaml_parse(struct cfg_load *l, const struct cfg_file *f, bool config);

/* syntax.c: what YAML's own complaints mean for somebody who wrote a configuration. */
struct cfg_trouble {
    const char *problem; /* libyaml's words; never NULL */
    const char *context; /* or NULL */
    struct cfg_place at;
    struct cfg_place from; /* of the context; line 0: none */
};
void cfg_syntax_error(struct cfg_load *l, const struct cfg_trouble *t);
/* "quote it" when the node looks like an address or a variable that YAML took for a list or a map; else NULL. */
const char *cfg_quote_hint(struct cfg_load *l, const struct cfg_place *at);

/* load.c */
struct cfg_file *cfg_file_new(struct cfg_load *l, const char *name, const struct cfg_file *from);
/* merge.c: takes over what `src` has into `dst`; clashes are reported. */
void cfg_merge(struct cfg_load *l, struct cfg_node *dst, const struct cfg_node *src);

/* node.c */
struct cfg_node *cfg_node_new(struct cfg_load *l, enum cfg_kind kind, const struct cfg_place *at);
/* Builds the index of a map and takes out the pairs whose key stood before; calls `twice` for each. False when out of
 * memory. */
MUST_CHECK bool cfg_node_index(struct cfg_load *l, struct cfg_node *map,
                               void (*twice)(struct cfg_load *l, const struct cfg_node *first,
                                             const struct cfg_node *again));
const struct cfg_pair *cfg_node_find(const struct cfg_node *map, const char *key);

/* suggest.c: the position of the candidate that was probably meant, or -1. */
ptrdiff_t cfg_nearest(const struct cfg_load *l, const char *given, const char *const *candidates, size_t n);

#endif
