/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the wsbridge authors */
/*
 * What every unit test includes first: cmocka wants its system headers before its own.
 */
#ifndef WSBRIDGE_TESTS_UNIT_H
#define WSBRIDGE_TESTS_UNIT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#endif
