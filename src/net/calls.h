/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the wsbridge authors */
/*
 * The system calls of the hot path. They are cancellation points: in a process with threads glibc turns cancellation on
 * and off around each, with a locked instruction either way, which is more than all else that happens in user space for
 * them. Nobody cancels our threads, so they go to the kernel directly. Debug builds use the library's, because the
 * sanitizers look at buffers and descriptors there.
 */
#ifndef WSBRIDGE_NET_CALLS_H
#define WSBRIDGE_NET_CALLS_H

#include <signal.h>
#include <sys/epoll.h>
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

static inline int call_epoll_wait(int fd, struct epoll_event *e, int most, int wait_ms)
{
    if (WSBRIDGE_DEBUG)
        return epoll_wait(fd, e, most, wait_ms);
    return (int)syscall(SYS_epoll_pwait, fd, e, most, wait_ms, NULL, _NSIG / 8);
}

#endif
