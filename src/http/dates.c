/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the wsbridge authors */
/*
 * HTTP dates (RFC 9110, section 5.6.7): one form is written, three are read. The calendar is counted here, for libc's
 * functions depend on locale and time zone.
 */
#include "http/fields.h"

#include <stdio.h>

#define FIRST_SECOND (-62167219200) /* 0000-01-01 */
#define LAST_SECOND 253402300799    /* 9999-12-31: four digits are all the format has */

static const char days[7][10] = {"Thursday", "Friday", "Saturday", "Sunday", "Monday", "Tuesday", "Wednesday"};
static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";

struct when {
    uint64_t year, month, day, hour, minute, second; /* month 1 to 12 */
};

static bool is_leap(uint64_t y)
{
    return (y % 4 == 0 && y % 100 != 0) || y % 400 == 0;
}

static uint64_t month_days(uint64_t year, uint64_t month)
{
    static const uint8_t length[12] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    return length[month - 1] + (month == 2 && is_leap(year) ? 1u : 0u);
}

/* Days from 0000-01-01 to the first day of a year. */
static int64_t year_days(uint64_t y)
{
    if (y == 0)
        return 0;
    uint64_t before = y - 1; /* leap years among 1..y-1, and the year 0 */
    return (int64_t)(y * 365 + before / 4 - before / 100 + before / 400 + 1);
}

const char *http_date_format(int64_t unix_seconds, char *buf)
{
    int64_t t = unix_seconds < FIRST_SECOND ? FIRST_SECOND : MIN_OF(unix_seconds, LAST_SECOND);
    uint64_t since = (uint64_t)(t - FIRST_SECOND);
    int64_t day = (int64_t)(since / 86400);
    unsigned second = (unsigned)(since % 86400);
    uint64_t year = (uint64_t)day / 366; /* never too late; a few steps to the right one */
    while (year_days(year + 1) <= day)
        year++;
    uint64_t left = (uint64_t)(day - year_days(year));
    uint64_t month = 1;
    while (left >= month_days(year, month))
        left -= month_days(year, month++);
    /* 0000-01-01 was a Saturday. The remainders are never taken; they tell the compiler the widths. */
    snprintf(buf, HTTP_DATE_MAX, "%.3s, %02u %.3s %04u %02u:%02u:%02u GMT", days[(day + 2) % 7],
             (unsigned)(left + 1) % 100, months + (month - 1) * 3, (unsigned)year % 10000, second / 3600 % 24,
             second / 60 % 60, second % 60);
    return buf;
}

/* Reads by a pattern: D weekday of three letters, W in full, d two digits, e a day with a space for its first digit,
 * m month, y two digits of a year, Y four, t "hh:mm:ss", else the character itself. */
static bool number(struct slice *s, size_t digits, uint64_t *out)
{
    if (s->n < digits || !slice_to_u64((struct slice){s->p, digits}, UINT64_MAX, out))
        return false;
    s->p += digits;
    s->n -= digits;
    return true;
}

static bool literal(struct slice *s, struct slice want)
{
    if (!slice_starts(*s, want))
        return false;
    s->p += want.n;
    s->n -= want.n;
    return true;
}

static bool weekday(struct slice *s, bool full)
{
    for (size_t i = 0; i < ARRAY_LEN(days); i++) {
        if (literal(s, (struct slice){days[i], full ? strlen(days[i]) : 3}))
            return true;
    }
    return false;
}

static bool month_name(struct slice *s, uint64_t *out)
{
    for (size_t i = 0; i < 12; i++) {
        if (literal(s, (struct slice){months + 3 * i, 3})) {
            *out = i + 1;
            return true;
        }
    }
    return false;
}

static bool read_one(struct slice *s, char what, struct when *w)
{
    switch (what) {
    case 'D':
    case 'W':
        return weekday(s, what == 'W');
    case 'd':
        return number(s, 2, &w->day);
    case 'e':
        return literal(s, SLICE(" ")) ? number(s, 1, &w->day) : number(s, 2, &w->day);
    case 'm':
        return month_name(s, &w->month);
    case 'Y':
        return number(s, 4, &w->year);
    case 'y':
        if (!number(s, 2, &w->year))
            return false;
        w->year += w->year < 70 ? 2000 : 1900; /* a fixed window: this code does not know what year it is */
        return true;
    case 't':
        return number(s, 2, &w->hour) && literal(s, SLICE(":")) && number(s, 2, &w->minute) && literal(s, SLICE(":")) &&
               number(s, 2, &w->second);
    default:
        return literal(s, (struct slice){&what, 1});
    }
}

static bool read_all(struct slice s, const char *pattern, struct when *w)
{
    for (; *pattern; pattern++) {
        if (!read_one(&s, *pattern, w))
            return false;
    }
    return s.n == 0;
}

bool http_date_parse(struct slice s, int64_t *unix_seconds)
{
    struct when w;
    if (!read_all(s, "D, d m Y t GMT", &w) && !read_all(s, "W, d-m-y t GMT", &w) && !read_all(s, "D m e t Y", &w))
        return false;
    if (w.day < 1 || w.day > month_days(w.year, w.month) || w.hour > 23 || w.minute > 59 || w.second > 60)
        return false;
    int64_t day = year_days(w.year) + (int64_t)w.day - 1;
    for (uint64_t m = 1; m < w.month; m++)
        day += (int64_t)month_days(w.year, m);
    *unix_seconds = FIRST_SECOND + day * 86400 + (int64_t)(w.hour * 3600 + w.minute * 60 + w.second);
    return true;
}
