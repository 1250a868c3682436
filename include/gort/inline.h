/* What inlined code of the program shares with the runtime: the thread's block, the prefix of a P's
 * allocation cache, the write barrier's flag and its restartable store.
 *
 * Everything here is layout, fixed for one version of the library.  Programs use gort.h; nothing
 * in this file is called by hand.
 *
 * Note [Restartable ranges].  The barrier must not be torn by a stop: a thread that tested the
 * flag (off), was stopped while the collector turned it on, and then stored, would store without
 * telling the collector.  So test and store form one range of instructions, recorded in the
 * section gort_ranges (pairs of self-relative offsets).  The stop's signal handler looks the
 * interrupted program counter up; strictly inside a range it moves it back to the start, and the
 * test is made again after the stop.  A range therefore has no effect before its last
 * instruction and ends with it.  Each program and library registers its section by a constructor
 * below; registering twice is harmless.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef GORT_INLINE_H
#define GORT_INLINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifndef GORT_API
#define GORT_API __attribute__((visibility("default")))
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* 68 size classes, with and without pointers: a span class is class * 2 + noscan. */
#define GORT_SPAN_CLASSES 136

/* One span class's free slots in a P's cache: a window of 64 slots of the current span.
 * Protected by: the thread that owns the P, inside a restartable range or critical section. */
struct gort_cache_class {
    uint64_t free; /* bit i: slot i of the window is free */
    char *base;    /* address of the window's slot 0 */
};

struct gort_cache {
    struct gort_cache_class classes[GORT_SPAN_CLASSES];
};

/* The thread's block.  Only its own thread, and that thread's signal handler, touch it. */
struct gort_tls_block {
    struct gort_cache *cache; /* of the P this thread holds; NULL without one */
    void *m;                  /* struct m, NULL on threads the runtime does not know */
    void *g;                  /* struct g running now, NULL on system stacks */
    uint32_t crit;            /* critical sections, and GORT_CRIT_PENDING */
    uint32_t reserved;
};
#define GORT_TLS_CACHE 0
#define GORT_TLS_M 8
#define GORT_TLS_G 16
#define GORT_TLS_CRIT 24
#define GORT_CRIT_PENDING 0x80000000u

extern GORT_API __thread struct gort_tls_block gort_tls __attribute__((tls_model("initial-exec")));

/* Nonzero while stores of pointers must be told to the collector.  Changed only while the world is
 * stopped. */
extern GORT_API unsigned char gort_barrier_flag;

/* Offsets from their own address to first and last+1 instruction byte of a range. */
struct gort_range {
    int32_t start, end;
};
/* Idempotent per first; callable before the runtime starts. */
GORT_API void gort_ranges_register(const struct gort_range *first, const struct gort_range *last);

/* Test found the flag set: logs what the slot holds and value, stores, all in one critical section
 * that tests the flag again.  Never blocks, never switches goroutines. */
GORT_API void gort_store_pointer_slow(void **slot, void *value);

extern const struct gort_range __start_gort_ranges[] __attribute__((weak, visibility("hidden")));
extern const struct gort_range __stop_gort_ranges[] __attribute__((weak, visibility("hidden")));

__attribute__((constructor, unused)) static void gort_ranges_constructor(void)
{
    if (__start_gort_ranges != NULL) gort_ranges_register(__start_gort_ranges, __stop_gort_ranges);
}

/* *slot = value with the barrier: one restartable range. */
__attribute__((__always_inline__)) static inline void gort_store_pointer(void **slot, void *value)
{
#if defined(__x86_64__)
#if defined(__PIC__) && !defined(__PIE__)
#define GORT_BARRIER_TEST_ "movq gort_barrier_flag@GOTPCREL(%%rip), %%rax\n\tcmpb $0, (%%rax)\n\t"
#else
#define GORT_BARRIER_TEST_ "cmpb $0, gort_barrier_flag(%%rip)\n\t"
#endif
    __asm__ goto("71:\n\t" GORT_BARRIER_TEST_ "jne %l[slow]\n\t"
                 "movq %1, (%0)\n"
                 "72:\n\t"
                 ".pushsection gort_ranges, \"a?\", @progbits\n\t"
                 ".balign 4\n\t"
                 ".long 71b - .\n\t"
                 ".long 72b - .\n\t"
                 ".popsection"
                 :
                 : "r"(slot), "r"(value)
                 : "memory", "cc", "rax"
                 : slow);
#undef GORT_BARRIER_TEST_
    return;
slow:
    gort_store_pointer_slow(slot, value);
#else
#error "gort has no write barrier for this architecture yet"
#endif
}

#ifdef __cplusplus
}
#endif

#endif
