/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the wsbridge authors */
/*
 * The media type of a file by its name. Only the name counts: nothing is guessed from the content, and browsers are
 * told not to guess either (nosniff).
 */
#ifndef WSBRIDGE_SERVE_MIME_H
#define WSBRIDGE_SERVE_MIME_H

#include "base/slice.h"

/* The Content-Type for a path by the ending of its last segment, without case; "application/octet-stream" when there is
 * none or it is not known. Text comes with its charset, which is always UTF-8. Static. */
const char *mime_type(struct slice path);

#endif
