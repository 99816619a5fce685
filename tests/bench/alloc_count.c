/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the wsbridge authors */
/*
 * Counts a program's allocations: an LD_PRELOAD shim over malloc and its kin. The counters live in a file that the
 * driver maps too (BENCH_ALLOC_FILE), so they are read before and after the work without asking the program.
 * Layout of the file: four 64-bit counters: malloc, calloc, realloc, free.
 */
#include <dlfcn.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

enum { COUNT_MALLOC, COUNT_CALLOC, COUNT_REALLOC, COUNT_FREE, COUNTERS };

void *__libc_malloc(size_t n);
void *__libc_calloc(size_t n, size_t size);
void *__libc_realloc(void *p, size_t n);
void __libc_free(void *p);

static uint64_t *counters;

__attribute__((constructor)) static void map_counters(void)
{
    const char *path = getenv("BENCH_ALLOC_FILE");
    int fd = path ? open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600) : -1;

    if (fd < 0 || ftruncate(fd, COUNTERS * sizeof(uint64_t)) != 0)
        return;
    void *p = mmap(NULL, COUNTERS * sizeof(uint64_t), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd);
    counters = p == MAP_FAILED ? NULL : p;
}

static void count(int what)
{
    if (counters)
        __atomic_fetch_add(&counters[what], 1, __ATOMIC_RELAXED);
}

void *malloc(size_t n)
{
    count(COUNT_MALLOC);
    return __libc_malloc(n);
}

void *calloc(size_t n, size_t size)
{
    count(COUNT_CALLOC);
    return __libc_calloc(n, size);
}

void *realloc(void *p, size_t n)
{
    count(COUNT_REALLOC);
    return __libc_realloc(p, n);
}

void free(void *p)
{
    if (p)
        count(COUNT_FREE);
    __libc_free(p);
}
