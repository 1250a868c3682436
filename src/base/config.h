/* Compile-time constants and attributes that every floor uses.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef GORT_BASE_CONFIG_H
#define GORT_BASE_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CACHE_LINE 64
#define WORD_SIZE sizeof(void *)

/* The heap's page: independent of the kernel's. */
#define PAGE_SHIFT 13
#define PAGE_BYTES ((size_t)1 << PAGE_SHIFT)

#define MAX_PROCS 256 /* upper bound of GORTMAXPROCS: sizes the table of Ps */

#define KB ((size_t)1 << 10)
#define MB ((size_t)1 << 20)
#define GB ((size_t)1 << 30)

#define never_inline __attribute__((__noinline__))
#define cold_path __attribute__((__cold__, __noinline__))
#define force_inline inline __attribute__((__always_inline__))
#define printf_like(f, a) __attribute__((format(printf, f, a)))
#define cache_aligned __attribute__((aligned(CACHE_LINE)))
#define likely(x) __builtin_expect(!!(x), 1)
#define unlikely(x) __builtin_expect(!!(x), 0)
#define array_len(a) (sizeof(a) / sizeof((a)[0]))
#define container_of(ptr, type, member) ((type *)((char *)(ptr)-offsetof(type, member)))

_Static_assert(sizeof(void *) == 8, "gort needs a 64-bit machine");
_Static_assert(sizeof(size_t) == 8, "sizes are 64 bits");

#endif
