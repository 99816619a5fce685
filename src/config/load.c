/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the wsbridge authors */
/*
 * Files to one root node: reading, directories, `include`, and the life of a load.
 *
 * `include` belongs to the engine and stands only at the top of a file; no option table sees it. A file is read once:
 * cycles, and a pattern that matches the including file, are told apart from honest lists by device and inode. When one
 * file cannot be read or is no YAML there is no root, because what would be missing from it makes false errors; the
 * other files are still parsed for theirs.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "config/tree.h"

struct names {
    size_t n, cap;
    char **v;
};

/* One call of cfg_load_files. */
struct loading {
    struct cfg_load *load;
    struct cfg_node *root;
    bool failed;
};

/* --- the load --------------------------------------------------------------------------------------------------------
 */

struct cfg_load *cfg_load_new(struct arena *a)
{
    struct cfg_load *l = calloc(1, sizeof(*l));
    if (!l)
        return NULL;
    l->arena = a;
    l->may_wait = true;
    char *cwd = getcwd(NULL, 0);
    l->cwd = cwd ? arena_dup(a, slice_of(cwd)) : ".";
    free(cwd);
    if (!l->cwd) {
        free(l);
        return NULL;
    }
    if (!strcmp(l->cwd, "/"))
        l->cwd = "";
    return l;
}

void cfg_load_never_wait(struct cfg_load *l)
{
    l->may_wait = false;
}

void cfg_load_free(struct cfg_load *l)
{
    if (!l)
        return;
    for (struct cfg_file *f = l->files; f; f = f->next) {
        free(f->text);
        f->text = NULL;
    }
    free(l);
}

struct arena *cfg_arena(struct cfg_load *l)
{
    return l->arena;
}

/* --- names -----------------------------------------------------------------------------------------------------------
 */

static struct slice folder_of(const char *name)
{
    const char *slash = strrchr(name, '/');
    return (struct slice){name, slash ? (size_t)(slash - name) : 0};
}

static struct slice without_dot(const char *path)
{
    while (path[0] == '.' && path[1] == '/') {
        path += 2;
        while (*path == '/')
            path++;
    }
    return slice_of(path);
}

const char *cfg_path_resolve(struct cfg_load *l, const struct cfg_node *at, const char *path)
{
    const char *dir = at && at->place.file ? at->place.file->dir : l->cwd;
    const char *out;
    if (path[0] == '/' || slice_starts(slice_of(path), SLICE("builtin:"))) {
        out = arena_dup(l->arena, slice_of(path));
    } else {
        struct slice rest = without_dot(path);
        bool here = !rest.n || slice_eq(rest, SLICE("."));
        out = here ? arena_printf(l->arena, "%s", *dir ? dir : "/")
                   : arena_printf(l->arena, "%s/" SLICE_FMT, dir, SLICE_ARG(rest));
    }
    if (!out)
        cfg_no_memory(l);
    return out;
}

/* How a user would write `path`, found in the file `from`, from where the program was started. */
static const char *shown_name(struct cfg_load *l, const struct cfg_file *from, const char *path)
{
    struct slice folder = from ? folder_of(from->name) : (struct slice){NULL, 0};
    if (path[0] == '/' || !from || !memchr(from->name, '/', strlen(from->name)))
        return arena_dup(l->arena, slice_of(path));
    return arena_printf(l->arena, SLICE_FMT "/%s", SLICE_ARG(folder), path);
}

struct cfg_file *cfg_file_new(struct cfg_load *l, const char *name, const struct cfg_file *from)
{
    struct cfg_file *f = arena_alloc(l->arena, sizeof(*f));
    struct slice folder = folder_of(name);
    if (!f)
        return NULL;
    f->name = arena_dup(l->arena, slice_of(name));
    if (name[0] == '/') {
        f->dir = arena_dup(l->arena, folder);
    } else {
        const char *below = arena_dup(l->arena, folder);
        struct slice rest = below ? without_dot(below) : (struct slice){NULL, 0};
        f->dir = !rest.n || slice_eq(rest, SLICE("."))
                     ? l->cwd
                     : arena_printf(l->arena, "%s/" SLICE_FMT, l->cwd, SLICE_ARG(rest));
    }
    if (!f->name || !f->dir)
        return NULL;
    f->order = ++l->n_files;
    f->from = from;
    f->next = l->files;
    l->files = f;
    return f;
}

/* --- reading one file ------------------------------------------------------------------------------------------------
 */

/* All bytes, up to just over the bound. 0 or an errno value. */
static int read_all(int fd, struct cfg_file *f)
{
    size_t cap = 0;
    for (;;) {
        if (f->n == cap) {
            cap = cap ? cap * 2 : 16384;
            char *more = realloc(f->text, cap);
            if (!more)
                return ENOMEM;
            f->text = more;
        }
        ssize_t got = read(fd, f->text + f->n, cap - f->n);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return errno;
        f->n += (size_t)got;
        if (got == 0 || f->n > CFG_FILE_MAX)
            return 0;
    }
}

/* Only what the user names himself, and only at start, may be a pipe. Opening a named one waits for its writer, and a
 * reload that waits takes no signals any more. */
static int read_file(struct cfg_file *f, bool regular_only)
{
    struct stat st;
    int fd = open(f->name, O_RDONLY | O_CLOEXEC | O_NOCTTY | (regular_only ? O_NONBLOCK : 0));
    if (fd < 0)
        return errno;
    int err = fstat(fd, &st) ? errno : 0;
    if (!err && regular_only && !S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode))
        err = EINVAL;
    if (!err) {
        f->dev = st.st_dev;
        f->ino = st.st_ino;
        err = read_all(fd, f);
    }
    close(fd);
    return err;
}

/* The byte order mark that some editors write is no text. */
static void skip_bom(struct cfg_file *f)
{
    if (f->n >= 3 && !memcmp(f->text, "\xEF\xBB\xBF", 3)) {
        f->n -= 3;
        memmove(f->text, f->text + 3, f->n);
    }
}

static struct cfg_node *parse_config(struct cfg_load *l, struct cfg_file *f)
{
    skip_bom(f);
    return cfg_text_check(l, f) ? cfg_yaml_parse(l, f, true) : NULL;
}

/* Takes `include` out of a file's root. */
static const struct cfg_node *take_include(struct cfg_load *l, struct cfg_node *root)
{
    const struct cfg_pair *p = cfg_node_find(root, "include");
    if (!p)
        return NULL;
    const struct cfg_node *include = cfg_node_is_null(p->value) ? NULL : p->value;
    if (!include)
        cfg_error(l, p->key, "name the files, or remove it", "\"include\" has no value");
    size_t i = (size_t)(p - root->u.pairs);
    memmove(&root->u.pairs[i], &root->u.pairs[i + 1], (root->n - i - 1) * sizeof(*p));
    root->n--;
    if (!cfg_node_index(l, root, NULL)) /* no key stands twice any more */
        cfg_no_memory(l);
    return include;
}

/* The file that was read before from the same place on disk. */
static const struct cfg_file *find_same(const struct cfg_load *l, const struct cfg_file *f)
{
    for (const struct cfg_file *o = l->files; o; o = o->next)
        if (o != f && o->ino && o->ino == f->ino && o->dev == f->dev)
            return o;
    return NULL;
}

static bool includes(const struct cfg_file *above, const struct cfg_file *f)
{
    for (; f; f = f->from)
        if (f == above)
            return true;
    return false;
}

/* `at`: where the file is named; for those of the command line the file as a whole. */
static bool check_file(struct cfg_load *l, const struct cfg_file *f, int err, const struct cfg_place *at)
{
    if (err) {
        cfg_error_at(l, at, NULL, "cannot read \"%s\": %s", f->name,
                     err == EINVAL ? "it is not a regular file" : strerror(err));
        return false;
    }
    const struct cfg_file *same = find_same(l, f);
    if (same) {
        cfg_error_at(l, at, NULL,
                     includes(same, f->from) ? "\"%s\" includes itself" : "\"%s\" is already part of the configuration",
                     f->name);
        return false;
    }
    return true;
}

static void load_include(struct loading *x, const struct cfg_node *include, const struct cfg_file *from);
static void load_folder(struct loading *x, const char *name, const struct cfg_file *from, const struct cfg_place *at);

static void load_file(struct loading *x, const char *name, const struct cfg_file *from, const struct cfg_place *at)
{
    struct cfg_load *l = x->load;
    struct cfg_place whole;
    if (l->n_files == CFG_FILES_MAX) {
        if (!x->failed)
            cfg_error_at(l, at, NULL, "the configuration has more than %d files", CFG_FILES_MAX);
        x->failed = true;
        return;
    }
    struct cfg_file *f = cfg_file_new(l, name, from);
    if (!f) {
        cfg_no_memory(l);
        x->failed = true;
        return;
    }
    whole = cfg_place_of_file(f);
    int err = read_file(f, from != NULL || !l->may_wait);
    if (err == EISDIR) {
        load_folder(x, name, from, at ? at : &whole);
        return;
    }
    struct cfg_node *root = check_file(l, f, err, at ? at : &whole) ? parse_config(l, f) : NULL;
    if (!root) {
        x->failed = true;
        return;
    }
    const struct cfg_node *include = take_include(l, root);
    if (x->root)
        cfg_merge(l, x->root, root);
    else
        x->root = root;
    if (include)
        load_include(x, include, f);
}

/* --- several files ---------------------------------------------------------------------------------------------------
 */

static bool names_add(struct names *s, const char *name)
{
    if (s->n == s->cap) {
        size_t cap = s->cap ? s->cap * 2 : 16;
        char **more = realloc(s->v, cap * sizeof(*more));
        if (!more)
            return false;
        s->v = more;
        s->cap = cap;
    }
    s->v[s->n] = strdup(name);
    return s->v[s->n++] != NULL;
}

static void names_fini(struct names *s)
{
    for (size_t i = 0; i < s->n; i++)
        free(s->v[i]);
    free(s->v);
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static void load_names(struct loading *x, struct names *names, const struct cfg_file *from, const struct cfg_place *at)
{
    if (names->n)
        qsort(names->v, names->n, sizeof(*names->v), by_name);
    for (size_t i = 0; i < names->n; i++)
        load_file(x, names->v[i], from, at);
}

static bool is_config_name(const char *name)
{
    return name[0] != '.' && slice_ends_nocase(slice_of(name), SLICE(".yaml"));
}

/* A directory stands for its *.yaml. */
static void load_folder(struct loading *x, const char *name, const struct cfg_file *from, const struct cfg_place *at)
{
    struct names names = {0};
    DIR *d = opendir(name);
    bool ok = d != NULL;
    int err = errno;
    for (struct dirent *e; ok && (e = readdir(d));) {
        const char *slash = slice_ends_nocase(slice_of(name), SLICE("/")) ? "" : "/";
        const char *path =
            is_config_name(e->d_name) ? arena_printf(x->load->arena, "%s%s%s", name, slash, e->d_name) : NULL;
        if (path)
            ok = names_add(&names, path);
    }
    if (d)
        closedir(d);
    if (!d)
        cfg_error_at(x->load, at, NULL, "cannot read \"%s\": %s", name, strerror(err));
    else if (!ok)
        cfg_no_memory(x->load);
    else if (!names.n)
        cfg_error_at(x->load, at, NULL, "there is no *.yaml in the directory \"%s\"", name);
    if (!names.n)
        x->failed = true;
    if (ok)
        load_names(x, &names, from, at);
    names_fini(&names);
}

/* A folder that is not there has no files; any other trouble stops the search. */
static int on_glob_error(const char *path, int err)
{
    return err != ENOENT && err != ENOTDIR;
}

static void load_pattern(struct loading *x, const struct cfg_node *node, const struct cfg_file *from)
{
    struct cfg_load *l = x->load;
    const char *pattern = shown_name(l, from, node->u.text);
    if (!pattern) {
        cfg_no_memory(l);
        return;
    }
    if (!strpbrk(node->u.text, "*?[")) {
        load_file(x, pattern, from, &node->place);
        return;
    }
    glob_t found = {0};
    int r = glob(pattern, GLOB_NOSORT, on_glob_error, &found);
    struct names names = {0};
    bool ok = r == 0 || r == GLOB_NOMATCH;
    if (!ok)
        cfg_error(l, node, NULL, "cannot look for \"%s\": %s", pattern, strerror(r == GLOB_NOSPACE ? ENOMEM : errno));
    for (size_t i = 0; ok && i < found.gl_pathc; i++)
        ok = names_add(&names, found.gl_pathv[i]);
    globfree(&found);
    if (ok)
        load_names(x, &names, from, &node->place);
    else
        x->failed = true;
    names_fini(&names);
}

static void load_include(struct loading *x, const struct cfg_node *include, const struct cfg_file *from)
{
    size_t depth = 0, n = include->kind == CFG_NODE_LIST ? include->n : 1;
    for (const struct cfg_file *f = from; f; f = f->from)
        depth++;
    if (depth > CFG_INCLUDE_DEPTH_MAX) {
        cfg_error(x->load, include, NULL, "files include each other more than %d deep", CFG_INCLUDE_DEPTH_MAX);
        x->failed = true;
        return;
    }
    for (size_t i = 0; i < n; i++) {
        const struct cfg_node *item = include->kind == CFG_NODE_LIST ? include->u.items[i] : include;
        if (item->kind != CFG_NODE_SCALAR || !item->n)
            cfg_error(x->load, item, "write it as: include: [conf.d/*.yaml]",
                      "\"include\" must be file names or patterns");
        else
            load_pattern(x, item, from);
    }
}

const struct cfg_node *cfg_load_files(struct cfg_load *l, const char *const *paths, size_t n)
{
    struct loading x = {.load = l};
    for (size_t i = 0; i < n; i++)
        load_file(&x, paths[i], NULL, NULL);
    return x.failed || l->out_of_memory ? NULL : x.root;
}

const struct cfg_node *cfg_load_text(struct cfg_load *l, const char *name, struct slice text)
{
    struct cfg_file *f = cfg_file_new(l, name, NULL);
    if (f)
        f->text = malloc(text.n + 1);
    if (!f || !f->text) {
        cfg_no_memory(l);
        return NULL;
    }
    f->dir = l->cwd;
    if (text.n)
        memcpy(f->text, text.p, text.n);
    f->n = text.n;
    struct cfg_node *root = parse_config(l, f);
    const struct cfg_node *include = root ? take_include(l, root) : NULL;
    if (include)
        cfg_error(l, include, NULL, "\"include\" works in files only");
    return l->out_of_memory ? NULL : root;
}
