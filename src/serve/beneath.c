/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the wsbridge authors */
/*
 * The two ways to stay below a root (see the header). Linux only.
 */
#include "serve/beneath.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdbool.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

/* A link with ".." in it needs the kernel to prove that nothing was renamed meanwhile; it says EAGAIN when something,
 * anywhere, was. */
#define TRIES 8

/* O_NONBLOCK: opening a FIFO must not wait for its writer. */
#define FLAGS_ALWAYS (O_CLOEXEC | O_NONBLOCK | O_NOCTTY)

static int open_kernel(int root, const char *path, int flags)
{
    struct open_how how = {
        .flags = (unsigned)(flags | FLAGS_ALWAYS),
        .resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS,
    };
    if (flags & O_PATH)
        how.flags = (unsigned)(flags | O_CLOEXEC); /* unlike openat, openat2 refuses flags that O_PATH would ignore */
    for (int i = 0; i < TRIES; i++) {
        long fd = syscall(SYS_openat2, root, path, &how, sizeof(how));
        if (fd >= 0)
            return (int)fd;
        if (errno != EAGAIN && errno != EINTR)
            return -errno;
    }
    return -EAGAIN;
}

/* The segment at *path as a string in `name`; *path moves to the next one, or to the end. Returns 0 or -errno. */
static int next_segment(const char **path, char name[NAME_MAX + 1], bool *last)
{
    size_t n = strcspn(*path, "/");
    if (n > NAME_MAX)
        return -ENAMETOOLONG;
    memcpy(name, *path, n);
    name[n] = '\0';
    if (!strcmp(name, ".."))
        return -EXDEV;
    *path += n;
    *last = **path == '\0';
    *path += strspn(*path, "/");
    return n ? 0 : -EXDEV; /* an absolute path: strspn has eaten every other slash */
}

static int open_walk(int root, const char *path, int flags)
{
    char name[NAME_MAX + 1];
    int dir = root;
    for (;;) {
        bool last = false;
        int fd = next_segment(&path, name, &last);
        bool end = *path == '\0';
        if (fd == 0) {
            int more = O_NOFOLLOW | FLAGS_ALWAYS;
            if (!end)
                fd = openat(dir, name, O_PATH | O_DIRECTORY | more);
            else /* "name/" is a directory or nothing */
                fd = openat(dir, name, flags | more | (last ? 0 : O_DIRECTORY));
            if (fd < 0)
                fd = -errno;
        }
        if (dir != root)
            close(dir);
        if (fd < 0 || end)
            return fd;
        dir = fd;
    }
}

enum beneath beneath_probe(int root)
{
    /* ENOSYS from an old kernel, EPERM from a container's filter that does not know the call: what matters is only
     * whether it works. */
    int fd = open_kernel(root, ".", O_PATH | O_DIRECTORY);
    if (fd < 0)
        return BENEATH_WALK;
    close(fd);
    return BENEATH_KERNEL;
}

int beneath_open(int root, const char *path, int flags, enum beneath how)
{
    if (!*path)
        return -ENOENT;
    return how == BENEATH_KERNEL ? open_kernel(root, path, flags) : open_walk(root, path, flags);
}
