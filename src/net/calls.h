/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the wsbridge authors */
/*
 * recv and send of the hot path. Both are cancellation points: in a process with threads glibc turns cancellation on
 * and off around each, with a locked instruction either way, which is more than all else that happens in user space for
 * them. Nobody cancels our threads, so they go to the kernel directly. Debug builds use the library's, because the
 * sanitizers look at buffers and descriptors there.
 */
#ifndef WSBRIDGE_NET_CALLS_H
#define WSBRIDGE_NET_CALLS_H

#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

static inline ssize_t call_recv(int fd, void *p, size_t n, int flags)
{
    if (WSBRIDGE_DEBUG)
        return recv(fd, p, n, flags);
    return syscall(SYS_recvfrom, fd, p, n, flags, NULL, NULL);
}

static inline ssize_t call_send(int fd, const void *p, size_t n, int flags)
{
    if (WSBRIDGE_DEBUG)
        return send(fd, p, n, flags);
    return syscall(SYS_sendto, fd, p, n, flags, NULL, 0);
}

#endif
