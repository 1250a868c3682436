/* gort: Go's runtime as a C library.  This header is the whole public interface.
 *
 *     cc -O2 -fstack-clash-protection prog.c -Iinclude build/release/libgort.a -lpthread -lm -o
 * prog
 *
 * C11 with GNU extensions, or C++17; gcc or clang.  Names that end in an underscore, and functions
 * that end in _raw, belong to the macros and are not called by hand.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef GORT_H
#define GORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <gort/base.h>
#include <gort/errno.h>
#include <gort/type.h>

#include <gort/any.h>
#include <gort/chan.h>
#include <gort/cmap.h>
#include <gort/context.h>
#include <gort/counter.h>
#include <gort/go.h>
#include <gort/inspect.h>
#include <gort/map.h>
#include <gort/mem.h>
#include <gort/metrics.h>
#include <gort/net.h>
#include <gort/panic.h>
#include <gort/profile.h>
#include <gort/reflect.h>
#include <gort/signal.h>
#include <gort/slice.h>
#include <gort/string.h>
#include <gort/sync.h>
#include <gort/time.h>

#endif
