/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the wsbridge authors */
/*
 * The system log, through syslog(3), which is thread-safe and reconnects by itself when the daemon was restarted.
 */
#include "obs/syslog.h"

#include <syslog.h>

#include "base/compiler.h"

void syslog_sink_open(void)
{
    openlog("wsbridge", LOG_PID | LOG_NDELAY, LOG_DAEMON);
}

void syslog_sink_close(void)
{
    closelog();
}

void syslog_sink_put(unsigned level, const char *line, size_t n)
{
    static const int priority[] = {LOG_ERR, LOG_WARNING, LOG_INFO, LOG_DEBUG};
    syslog(priority[MIN_OF(level, ARRAY_LEN(priority) - 1)], "%.*s", (int)n, line);
}
