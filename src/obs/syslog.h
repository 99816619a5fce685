/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the wsbridge authors */
/*
 * The system log. Apart from log.c because <syslog.h> and obs/log.h both have a LOG_INFO.
 */
#ifndef WSBRIDGE_OBS_SYSLOG_H
#define WSBRIDGE_OBS_SYSLOG_H

#include <stddef.h>

void syslog_sink_open(void); /* once for each time it is chosen; keeps /dev/log open, so a sandbox may follow */
void syslog_sink_close(void);

/* `level` is an enum log_level; `line` has no line feed at its end. */
void syslog_sink_put(unsigned level, const char *line, size_t n);

#endif
