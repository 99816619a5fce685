/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the wsbridge authors */
/*
 * Sockets handed in by whoever started us: systemd socket activation (sd_listen_fds(3): LISTEN_PID, LISTEN_FDS,
 * LISTEN_FDNAMES), our own binary upgrade, which speaks the same protocol, and inetd's descriptor 0. No libsystemd.
 *
 * The descriptors are not owned by the struct: whoever uses one marks it taken, the rest is closed by handed_close_rest
 * so that nothing of the old configuration stays open by accident.
 */
#ifndef WSBRIDGE_NET_HANDED_H
#define WSBRIDGE_NET_HANDED_H

#include <sys/types.h>

#include "base/addr.h"
#include "base/strbuf.h"

#define HANDED_FIRST_FD 3
#define HANDED_MAX 256
#define HANDED_NAME_MAX 256 /* with terminator; FileDescriptorName= allows 255 characters */

enum handed_kind {
    HANDED_LISTENING, /* a stream socket that listens */
    HANDED_CONNECTED, /* a stream socket with a peer (inetd nowait, Accept=yes) */
    HANDED_OTHER,     /* anything else */
};

struct handed_fd {
    int fd;
    bool taken;
    enum handed_kind kind;
    struct addr local; /* len 0 when the kernel has none to tell */
    char name[HANDED_NAME_MAX];
};

struct handed {
    size_t n;
    struct handed_fd *v;
};

/* Reads the three variables as given (NULL: not set) for the process `self`. 0 with *n and names (an array of *n, each
 * HANDED_NAME_MAX, to be freed) or -1 with a sentence in `why`. *n is 0 when nothing was handed to this process. A
 * missing LISTEN_FDNAMES names all "unknown", as systemd does. Pure but for the memory. */
MUST_CHECK int handed_parse(const char *pid, const char *fds, const char *names, pid_t self, size_t *n,
                            char (**out)[HANDED_NAME_MAX], struct strbuf *why);

/* From the environment, which is cleaned so that children do not believe it. Every descriptor is checked to be open,
 * made close-on-exec, and described. 0 or -1 with a sentence. Call once, before threads are started. */
MUST_CHECK int handed_init(struct handed *h, struct strbuf *why);
void handed_fini(struct handed *h); /* closes nothing */

/* The next one of that name (as `systemd:NAME`) at or behind *at that is not taken; NULL when there is none. A name of
 * digits alone that nothing bears counts from 0 instead: `systemd:0`. Does not mark it. */
struct handed_fd *handed_find(struct handed *h, const char *name, size_t *at);

/* One that listens on this address, not taken; NULL when there is none. For the binary upgrade. */
struct handed_fd *handed_find_address(struct handed *h, const struct addr *a);

/* Closes what nobody took; how many that were. */
size_t handed_close_rest(struct handed *h);

/* What descriptor `fd` is; for --inetd on 0. Fills *local when not NULL. */
enum handed_kind handed_describe(int fd, struct addr *local);

#endif
