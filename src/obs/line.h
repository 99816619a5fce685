/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the wsbridge authors */
/*
 * One log line as bytes. Pure: what a line looks like and what it costs at most is decided here, where it goes in
 * log.c.
 */
#ifndef WSBRIDGE_OBS_LINE_H
#define WSBRIDGE_OBS_LINE_H

#include "obs/log.h"

/* With its line feed. A pipe takes so much (PIPE_BUF) in one piece or not at all. */
#define LINE_MAX_BYTES 4096

struct line_head {
    enum log_format format;
    const char *level; /* "info", "access" */
    const char *event;
    uint64_t wall_ms;
    bool has_time; /* false where the sink has its own clock; JSON has it always */
};

/* Writes the line into `mem` (LINE_MAX_BYTES) and returns its length. A value that is too long is cut and ends in
 * "...", pairs that do not fit are left out; the line then ends with cut=true and is well-formed all the same. */
size_t line_write(char *mem, const struct line_head *head, const struct kv *kv, size_t n);

#endif
