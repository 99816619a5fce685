/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the wsbridge authors */
/*
 * Opening a file below a directory and never outside it, however the path is spelled and whatever links stand there.
 *
 * BENEATH_KERNEL asks the kernel (openat2, Linux 5.6): links are followed as long as every step stays below the root;
 * absolute links, links that climb out and magic links of /proc are refused, without a moment in which a link could be
 * swapped. BENEATH_WALK is for older kernels: it goes one segment at a time and follows no link at all.
 */
#ifndef WSBRIDGE_SERVE_BENEATH_H
#define WSBRIDGE_SERVE_BENEATH_H

#include "base/compiler.h"

enum beneath { BENEATH_KERNEL, BENEATH_WALK };

/* What this kernel, or the sandbox around us, lets us use for that root. */
enum beneath beneath_probe(int root);

/* A descriptor (O_CLOEXEC, O_NONBLOCK, O_NOCTTY are added to `flags`), or -errno. `path` is relative; an empty one is
 * -ENOENT. What leads out of the root is an error like any other: -EXDEV, -ELOOP or -ENOTDIR. */
MUST_CHECK int beneath_open(int root, const char *path, int flags, enum beneath how);

#endif
