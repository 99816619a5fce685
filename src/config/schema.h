/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the wsbridge authors */
/*
 * The configuration engine: YAML text to a tree of nodes with places, and option tables that turn a tree into structs.
 * It knows no option: each module owns the table beside its own struct, and src/app strings the tables together.
 *
 * Every problem of a load is collected with its file, line and column (at most CFG_ERRORS_MAX are kept); nothing stops
 * at the first one.
 */
#ifndef WSBRIDGE_CONFIG_SCHEMA_H
#define WSBRIDGE_CONFIG_SCHEMA_H

#include <math.h>

#include "base/arena.h"
#include "base/strbuf.h"

#define CFG_UNLIMITED INFINITY     /* for durations */
#define CFG_UNLIMITED_N UINT64_MAX /* for sizes and counts */
#define CFG_ERRORS_MAX 20

#define CFG_ONE_NAME "default"

struct cfg_load;
struct cfg_node;
struct cfg_table;

enum cfg_type {
    CFG_BOOL,     /* bool: true/false/on/off/yes/no */
    CFG_COUNT,    /* uint64_t: a plain whole number, or "unlimited" where allowed */
    CFG_SIZE,     /* uint64_t: bytes, written with a unit: 64KiB, 16MiB, 1GB */
    CFG_DURATION, /* double: seconds, written with a unit: 500ms, 10s, 5m, 1h, 7d */
    CFG_ENUM,     /* int: index into choices */
    CFG_STRING,   /* const char * in the arena */
    CFG_PATH,     /* const char *, absolute: a relative one counts from the file that names it; "builtin:..." is kept */
    CFG_STRINGS,  /* struct cfg_strings: a list; one scalar is accepted as a list of one */
    CFG_STRUCT,   /* an embedded struct by `table` */
    CFG_LIST,     /* struct cfg_items: a list of structs by `table`; one map is accepted as a list of one */
    CFG_MAP,      /* struct cfg_items: a map of names to structs by `table`; each begins with `struct cfg_named` */
    CFG_CUSTOM,   /* by `parse` and `print` */
};

struct cfg_strings {
    size_t n;
    const char **v;
    const struct cfg_node **nodes; /* where each stands, for later errors */
};

struct cfg_items {
    size_t n;
    void *v;                       /* array of table->size each */
    const struct cfg_node **nodes; /* where each stands */
};

struct cfg_named {
    const char *name;
    const struct cfg_node *node;
};

enum {
    CFG_REQUIRED = 1,
    CFG_ALLOW_UNLIMITED = 2, /* "unlimited", for durations "off" too */
    CFG_HIDDEN = 4,          /* in the short form only: not in the long reference, not in the effective form */
    CFG_OR_ONE = 8           /* CFG_MAP: instead of names, the options of one entry, which is then named CFG_ONE_NAME */
};

struct cfg_field {
    const char *key;
    enum cfg_type type;
    size_t offset;
    unsigned flags;
    const char *fallback;       /* the default, as the user would write it; NULL: none (zero, NULL, empty) */
    const char *doc;            /* one or two full sentences: what it does; units; when to change it */
    const char *example;        /* a value shown in the reference when there is no default */
    const char *const *choices; /* CFG_ENUM: NULL-terminated */
    uint64_t min, max;          /* COUNT and SIZE; max 0: no bound. DURATION: milliseconds */
    const struct cfg_table *table;
    /* CFG_CUSTOM: reads node into dst. On a problem it reports with cfg_error and returns -1. */
    int (*parse)(struct cfg_load *load, const struct cfg_node *node, void *dst);
    /* CFG_CUSTOM: writes the value as YAML flow text (for the effective configuration; see cfg_print_scalar), or
     * nothing to leave the key out. NULL: the node's own text is repeated where the engine knows the node (inside a
     * list or a map), else the key is left out. */
    void (*print)(const void *src, struct strbuf *out);
};

struct cfg_table {
    const char *name; /* "listeners[]", "services.NAME": used in messages and as heading of the reference */
    const char *doc;
    size_t size;                    /* of the struct */
    const struct cfg_field *fields; /* ends with key NULL */
    /* Where a uint64_t is that gets a bit per given field (in table order, also when its value was wrong); 0 or -1:
     * none, so it is never the first member. */
    ptrdiff_t set_offset;
    /* Optional: checks across fields after all were read, even when some were wrong (those hold their default); reports
     * with cfg_error. `node` is the map, or what the shorthand took (never NULL). Not called for a struct that is
     * absent.
     */
    void (*check)(struct cfg_load *load, const struct cfg_node *node, void *obj);
    /* Optional: a scalar or list in place of the map (sugar), e.g. a service given as just its target. NULL: an error.
     */
    int (*shorthand)(struct cfg_load *load, const struct cfg_node *node, void *obj);
};

#define CFG_TABLE_END                                                                                                  \
    {                                                                                                                  \
        .key = NULL                                                                                                    \
    }

/* Loading. `paths`: files, or directories read as *.yaml in name order; several merge as `include` does. */
struct cfg_load *cfg_load_new(struct arena *a); /* NULL when out of memory */
void cfg_load_never_wait(struct cfg_load *l); /* a file that is no regular one is an error: pipes can keep us waiting */
void cfg_load_free(struct cfg_load *l);       /* the structs live on in the arena */

/* Reads files (following `include`), merges, and gives the root node; NULL when nothing usable could be read (errors
 * are recorded). */
const struct cfg_node *cfg_load_files(struct cfg_load *l, const char *const *paths, size_t n);
const struct cfg_node *cfg_load_text(struct cfg_load *l, const char *name, struct slice text);

/* Fills obj (table->size bytes, in the arena or not) with defaults and then with what the node says. Errors are
 * recorded. */
void cfg_read(struct cfg_load *l, const struct cfg_table *t, const struct cfg_node *node, void *obj);
/* Defaults alone. */
void cfg_defaults(struct cfg_load *l, const struct cfg_table *t, void *obj);

size_t cfg_error_count(const struct cfg_load *l);
size_t cfg_warning_count(const struct cfg_load *l);
/* All of them, by file and line: place, message, the line, a caret, help. `color`: ANSI colours. `put` gets pieces in
 * order. */
void cfg_errors_print(const struct cfg_load *l, bool color, void (*put)(void *arg, struct slice text), void *arg);

/* For custom parsers and checks. `help` may be NULL. */
void cfg_error(struct cfg_load *l, const struct cfg_node *at, const char *help, const char *fmt, ...) PRINTF_LIKE(4, 5);
void cfg_warning(struct cfg_load *l, const struct cfg_node *at, const char *help, const char *fmt, ...)
    PRINTF_LIKE(4, 5);
/* The absolute path that `path` means where `at` names it; in the arena. For custom parsers ("file:PATH"). */
const char *cfg_path_resolve(struct cfg_load *l, const struct cfg_node *at, const char *path);
/* Help text "did you mean "X"?" from candidates, or NULL when none is near; in the arena. */
const char *cfg_suggest(struct cfg_load *l, const char *given, const char *const *candidates, size_t n);
struct arena *cfg_arena(struct cfg_load *l);

/* Nodes. */
enum cfg_kind { CFG_NODE_SCALAR, CFG_NODE_LIST, CFG_NODE_MAP };
enum cfg_kind cfg_node_kind(const struct cfg_node *n);
const char *cfg_node_text(const struct cfg_node *n); /* scalar's text, NUL-terminated; NULL for others */
bool cfg_node_is_null(const struct cfg_node *n);     /* plain empty, ~ or null */
const struct cfg_node *cfg_node_get(const struct cfg_node *map, const char *key);
const struct cfg_node *cfg_node_key(const struct cfg_node *map, const char *key); /* the key's own node (its place) */
size_t cfg_node_count(const struct cfg_node *n);
const struct cfg_node *cfg_node_at(const struct cfg_node *n, size_t i);
const char *cfg_node_name_at(const struct cfg_node *map, size_t i);
const char *cfg_node_file(const struct cfg_node *n);
int cfg_node_line(const struct cfg_node *n);
int cfg_node_column(const struct cfg_node *n);

/* Units: pure. `why` gets a sentence that shows the units on failure. */
MUST_CHECK bool cfg_parse_size(struct slice s, uint64_t *bytes, const char **why);
MUST_CHECK bool cfg_parse_duration(struct slice s, double *seconds, const char **why);
void cfg_print_size(uint64_t bytes, struct strbuf *out);     /* "64KiB"; "unlimited" */
void cfg_print_duration(double seconds, struct strbuf *out); /* "90s", "1h"; "unlimited" */

/* A string as one YAML scalar, quoted when it has to be. For custom printers. */
void cfg_print_scalar(struct slice text, struct strbuf *out);

/* A node as it was written, in flow form. For custom printers. */
void cfg_print_node(const struct cfg_node *n, struct strbuf *out);

/* The structs back as YAML (-T) and the reference (every option with doc and default). `put` gets pieces in order. */
typedef void cfg_put(void *arg, struct slice text);
void cfg_print_effective(const struct cfg_table *t, const void *obj, cfg_put *put, void *arg);
void cfg_print_reference(const struct cfg_table *t, cfg_put *put, void *arg);
void cfg_print_schema(const struct cfg_table *t, cfg_put *put, void *arg); /* JSON schema for editors */
void cfg_print_mdoc(const struct cfg_table *t, cfg_put *put, void *arg);   /* the OPTIONS part of wsbridge.yaml(5) */

#endif
