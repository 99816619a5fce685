/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the wsbridge authors */
/*
 * Ranges, dates, entity tags and content codings, chosen by the first byte; the next eight are a number (a size, a
 * time).
 */
#include <stdint.h>
#include <stdlib.h>

#include "http/fields.h"

#define CHECK(x)                                                                                                       \
    do {                                                                                                               \
        if (!(x))                                                                                                      \
            abort();                                                                                                   \
    } while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void range(struct slice in, uint64_t size)
{
    struct http_range r[HTTP_RANGES_MAX];
    size_t n;
    uint64_t sum = 0;
    enum http_range_result got = http_range_parse(in, size, r, &n);
    CHECK(got != HTTP_RANGE_OK || (n > 0 && n <= HTTP_RANGES_MAX));
    if (got != HTTP_RANGE_OK)
        return;
    for (size_t i = 0; i < n; i++) {
        CHECK(r[i].first <= r[i].last && r[i].last < size);
        sum += size < 1 << 30 ? r[i].last - r[i].first + 1 : 0;
    }
    CHECK(sum <= 2 * size); /* no answer is much larger than the file */
}

static void date(struct slice in, uint64_t number)
{
    char buf[HTTP_DATE_MAX];
    int64_t t, back;
    if (http_date_parse(in, &t)) {
        http_date_format(t, buf);
        CHECK(http_date_parse(slice_of(buf), &back) && (back == t || t == 253402300800));
    }
    http_date_format((int64_t)number, buf);
    CHECK(strlen(buf) == HTTP_DATE_MAX - 1 && http_date_parse(slice_of(buf), &back));
    CHECK(back == (int64_t)number || (int64_t)number < -62167219200 || (int64_t)number > 253402300799);
}

static void tags(struct slice in, uint64_t number)
{
    struct slice rest = in, etag;
    if (!slice_cut(&rest, '\n', &etag) || !rest.p)
        return;
    bool strong = http_etag_in_list(rest, etag, false);
    CHECK(!strong || http_etag_in_list(rest, etag, true));
    if (http_etag_in_list(etag, etag, true)) /* it is a tag, or the star */
        CHECK(slice_eq(slice_trim(etag), SLICE("*")) || slice_find(etag, '"') >= 0);
}

static void coding(struct slice in, uint64_t number)
{
    int q = http_accept_encoding(in, "gzip");
    CHECK(q >= -1 && q <= 1000);
    CHECK(http_status_phrase((int)number) != NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static void (*const targets[])(struct slice, uint64_t) = {range, date, tags, coding};
    uint64_t number;
    if (size < 9)
        return 0;
    memcpy(&number, data + 1, sizeof(number));
    targets[data[0] % ARRAY_LEN(targets)]((struct slice){(const char *)data + 9, size - 9}, number);
    return 0;
}
