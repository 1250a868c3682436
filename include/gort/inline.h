/* What inlined code of the program shares with the runtime: the thread's block, the prefix of a P's
 * allocation cache, the write barrier's flag and its restartable store; a mutex's state (sync.h).
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
 * below, that of one of its files; registering twice is harmless.
 *
 * Note [Libraries stay].  Objects name types that lie in the library which allocated them, and the
 * table of ranges has addresses of its code; nobody knows when the last such object is gone.  So a
 * library that includes this file is kept in memory by that constructor: dlclose does not unmap it.
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

/* One span class's free slots in a P's cache: a window of 64 slots of the current span.  Slots of
 * up to GORT_SLOT_MAX bytes that may be taken are zero.
 * Protected by: the thread that owns the P, inside a restartable range or critical section. */
struct gort_cache_class {
    uint64_t free; /* bit i: slot i may be taken */
    char *base;    /* address of the window's slot 0 */
};

/* unzeroed: by size class; of windows whose slots hold old bytes, and may be taken by who does not
 * mind:
 * Note [Unzeroed windows] in the runtime's mcache.c.
 * tiny: where the next tiny object goes in the current block of 16 bytes, all zero from there on; a
 * multiple of 16: no room.  Above GORT_TINY_COUNT_SHIFT, how many went into it.
 * cell: where the P's cell is in a counter, in bytes; of no P: beyond all. */
struct gort_cache {
    uint64_t tiny;
    uint64_t cell;
    struct gort_cache_class classes[GORT_SPAN_CLASSES];
    struct gort_cache_class unzeroed[GORT_SPAN_CLASSES / 2];
};
#define GORT_CACHE_TINY 0
#define GORT_CACHE_CELL 8
#define GORT_CACHE_CLASSES 16
#define GORT_COUNTER_STRIDE 64
#define GORT_TINY_COUNT_SHIFT 48
/* Objects up to this size are packed in blocks of 16 bytes, when they hold no pointers.  Of larger
 * ones, aligned to 8, a block has room for one: they have a slot of 16. */
#define GORT_TINY_MAX 8

/* The thread's block.  Only its own thread, and that thread's signal handler, touch it. */
struct gort_tls_block {
    struct gort_cache
        *cache;    /* of the P this thread holds; without one, one that is always empty */
    void *m;       /* struct m, NULL on threads the runtime does not know */
    void *g;       /* struct g running now, NULL on system stacks */
    uint32_t crit; /* critical sections, and GORT_CRIT_PENDING */
    uint32_t reserved;
};
#define GORT_TLS_CACHE 0
#define GORT_TLS_M 8
#define GORT_TLS_G 16
#define GORT_TLS_CRIT 24
#define GORT_CRIT_PENDING 0x80000000u
/* Where the goroutine's record has the list of its deferred calls. */
#define GORT_G_DEFERS 24

extern GORT_API __thread struct gort_tls_block gort_tls __attribute__((tls_model("initial-exec")));

/* The running goroutine's record, NULL where there is none.  By assembly, since compilers keep the
 * address of a thread's variable over calls, after which the goroutine may be on another thread. */
__attribute__((__always_inline__)) static inline void *gort_self_(void)
{
    void *g;
#if defined(__x86_64__)
    __asm__ volatile("movq gort_tls@gottpoff(%%rip), %0\n\tmovq %%fs:%c1(%0), %0"
                     : "=&r"(g)
                     : "i"(GORT_TLS_G));
#else
    void *tp;
    __asm__ volatile("adrp %0, :gottprel:gort_tls\n\t"
                     "ldr %0, [%0, :gottprel_lo12:gort_tls]\n\t"
                     "mrs %1, tpidr_el0\n\t"
                     "add %0, %0, %1\n\t"
                     "ldr %0, [%0, %2]"
                     : "=&r"(g), "=&r"(tp)
                     : "i"(GORT_TLS_G));
#endif
    return g;
}

/* Nonzero while stores of pointers must be told to the collector.  Changed only while the world is
 * stopped. */
extern GORT_API unsigned char gort_barrier_flag;

/* Nonzero where a mode of the runtime looks at each call (GORTDEBUG=randyield, ThreadSanitizer):
 * what is inlined for speed then calls.  Constant while goroutines run. */
extern GORT_API unsigned char gort_watched_flag;

/* On a goroutine, and nobody looks. */
__attribute__((__always_inline__)) static inline bool gort_is_plain_(void)
{
    return gort_watched_flag == 0 && gort_self_() != NULL;
}

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

/* Keeps the library that `at` lies in loaded; does nothing in a program, or statically. */
GORT_API void gort_library_keep_(const void *at);

/* One for each program and library, whose files each have a constructor: the first to run sets it.
 * Touched under the loader's lock only. */
extern unsigned char gort_library_known_ __attribute__((weak, visibility("hidden")));
unsigned char gort_library_known_ = 0;

__attribute__((constructor(101), unused)) static void gort_ranges_constructor(void)
{
    if (gort_library_known_) return;
    gort_library_known_ = 1;
    if (__start_gort_ranges != NULL) gort_ranges_register(__start_gort_ranges, __stop_gort_ranges);
#if defined(__PIC__) /* by -fPIE too: linkers take such files into libraries */
    gort_library_keep_(&gort_library_known_);
#endif
}

#if defined(__x86_64__)
#define GORT_RELOC_NONE_ "R_X86_64_NONE"
#elif defined(__aarch64__)
#define GORT_RELOC_NONE_ "R_AARCH64_NONE"
#else
#error "gort does not know this architecture yet"
#endif

/* The record of the range from 71 to 72.  The code names its record (a relocation that does
 * nothing), so that --gc-sections keeps it: linkers differ in whether __start_gort_ranges does. */
#define GORT_RANGE_RECORD_                                                                         \
    ".pushsection gort_ranges, \"a?\", @progbits\n\t"                                              \
    ".balign 4\n"                                                                                  \
    "74:\n\t"                                                                                      \
    ".long 71b - .\n\t"                                                                            \
    ".long 72b - .\n\t"                                                                            \
    ".popsection\n\t"                                                                              \
    ".reloc 71b, " GORT_RELOC_NONE_ ", 74b"

/* ThreadSanitizer does not see what assembly stores. */
#if defined(__SANITIZE_THREAD__)
#define GORT_TSAN_ 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define GORT_TSAN_ 1
#endif
#endif
#ifdef GORT_TSAN_
extern void __tsan_write8(void *p);
#define GORT_TELL_STORE_(slot) __tsan_write8(slot)
#else
#define GORT_TELL_STORE_(slot) ((void)0)
#endif

/* *slot = value, one restartable range; false: the flag is set, and nothing is stored. */
__attribute__((__always_inline__)) static inline bool gort_store_pointer_plain_(void **slot,
                                                                                void *value)
{
    GORT_TELL_STORE_(slot);
#if defined(__x86_64__)
#if defined(__PIC__) && !defined(__PIE__)
#define GORT_BARRIER_TEST_ "movq gort_barrier_flag@GOTPCREL(%%rip), %%rax\n\tcmpb $0, (%%rax)\n\t"
#else
#define GORT_BARRIER_TEST_ "cmpb $0, gort_barrier_flag(%%rip)\n\t"
#endif
    __asm__ goto("71:\n\t" GORT_BARRIER_TEST_ "jne %l[slow]\n\t"
                 "movq %1, (%0)\n"
                 "72:\n\t" GORT_RANGE_RECORD_
                 :
                 : "r"(slot), "r"(value)
                 : "memory", "cc", "rax"
                 : slow);
#else
#if defined(__PIC__) && !defined(__PIE__)
#define GORT_BARRIER_TEST_                                                                         \
    "adrp x16, :got:gort_barrier_flag\n\tldr x16, [x16, :got_lo12:gort_barrier_flag]\n\t"          \
    "ldrb w16, [x16]\n\t"
#else
#define GORT_BARRIER_TEST_                                                                         \
    "adrp x16, gort_barrier_flag\n\tldrb w16, [x16, :lo12:gort_barrier_flag]\n\t"
#endif
    __asm__ goto("71:\n\t" GORT_BARRIER_TEST_ "cbnz w16, %l[slow]\n\t"
                 "str %1, [%0]\n"
                 "72:\n\t" GORT_RANGE_RECORD_
                 :
                 : "r"(slot), "r"(value)
                 : "memory", "x16"
                 : slow);
#endif
#undef GORT_BARRIER_TEST_
    return true;
slow:
    return false;
}

/* *slot = value with the barrier. */
__attribute__((__always_inline__)) static inline void gort_store_pointer(void **slot, void *value)
{
    if (__builtin_expect(!gort_store_pointer_plain_(slot, value), 0))
        gort_store_pointer_slow(slot, value);
}

/* Note [Inline allocation].  An object of constant size, at most GORT_SLOT_MAX, is taken from the
 * cache of the thread's P by one restartable range: find the lowest free slot of its class's
 * window, write which of its words hold pointers, and, as the last instruction, take the slot off
 * the window.  No call, lock, atomic instruction, division or zeroing: the window was zeroed when
 * it was opened, and so were its pointer bits, which lie at the end of the page (Note [Span tail]
 * in the runtime's heap_data.h), so they are only or-ed in.
 *
 * A stop before the last instruction makes all of it again, perhaps from another P's cache.  It
 * leaves at most pointer bits of a slot that is still free: the object that gets the slot is then
 * scanned at words that it does not say are pointers, which are ambiguous anyhow.
 *
 * The result is NULL when the window is empty, the thread has no P (its cache is then one without
 * slots), or somebody wants to see every allocation: the call that follows does the rest.
 *
 * Without optimisation, or with GORT_NO_INLINE defined, all is done by the call. */
#if defined(__x86_64__) && defined(__OPTIMIZE__) && !defined(GORT_NO_INLINE)
#define GORT_HAS_INLINE_ALLOC 1
#endif

/* The size classes up to GORT_SLOT_MAX bytes, in closed form: number, and bytes of a slot. */
#define GORT_SLOT_MAX 512
#define GORT_SLOT_CLASS_(n)                                                                        \
    ((n) <= 32 ? ((n) + 7) / 8 : (n) <= 256 ? 4 + ((n)-32 + 15) / 16 : 18 + ((n)-256 + 31) / 32)
#define GORT_SLOT_BYTES_(n)                                                                        \
    ((n) <= 32 ? ((n) + 7) / 8 * 8 : (n) <= 256 ? ((n) + 15) / 16 * 16 : ((n) + 31) / 32 * 32)
/* Bytes from a page's start to its pointer bits. */
#define GORT_PAGE_BITS 8056

#ifdef GORT_HAS_INLINE_ALLOC

/* c: the class's window.  f: its free slots.  x: the lowest one's address, 0: none. */
#define GORT_TAKE_FIND_                                                                            \
    "71:\n\t"                                                                                      \
    "movq gort_tls@gottpoff(%%rip), %[c]\n\t"                                                      \
    "xorl %k[x], %k[x]\n\t"                                                                        \
    "movq %%fs:(%[c]), %[c]\n\t"                                                                   \
    "addq %[at], %[c]\n\t"                                                                         \
    "movq (%[c]), %[f]\n\t"                                                                        \
    "testq %[f], %[f]\n\t"                                                                         \
    "jz 72f\n\t"                                                                                   \
    "rep bsfq %[f], %[x]\n\t"                                                                      \
    "imulq %[size], %[x]\n\t"                                                                      \
    "addq 8(%[c]), %[x]\n\t"
/* t: mask, shifted to where the slot's bits lie in their word; b: the slot's page; ecx: the number
 * of the slot's first word in the page. */
#define GORT_TAKE_SHIFT_                                                                           \
    "movl %k[x], %%ecx\n\t"                                                                        \
    "movq %[mask], %[t]\n\t"                                                                       \
    "shrl $3, %%ecx\n\t"                                                                           \
    "movq %[x], %[b]\n\t"                                                                          \
    "shlq %%cl, %[t]\n\t"                                                                          \
    "andq $-8192, %[b]\n\t"
#define GORT_TAKE_BITS_                                                                            \
    "shrl $6, %%ecx\n\t"                                                                           \
    "andl $15, %%ecx\n\t"                                                                          \
    "orq %[t], %c[bits](%[b],%%rcx,8)\n\t"
/* What of mask lies in the next word. */
#define GORT_TAKE_SHIFT_HIGH_                                                                      \
    "movq %[mask], %[high]\n\t"                                                                    \
    "notl %%ecx\n\t"                                                                               \
    "shrq $1, %[high]\n\t"                                                                         \
    "shrq %%cl, %[high]\n\t"                                                                       \
    "notl %%ecx\n\t"
#define GORT_TAKE_BITS_HIGH_                                                                       \
    "testq %[high], %[high]\n\t"                                                                   \
    "jz 73f\n\t"                                                                                   \
    "orq %[high], %c[bits]+8(%[b],%%rcx,8)\n"                                                      \
    "73:\n\t"
#define GORT_TAKE_COMMIT_                                                                          \
    "leaq -1(%[f]), %[t]\n\t"                                                                      \
    "andq %[f], %[t]\n\t"                                                                          \
    "movq %[t], (%[c])\n"                                                                          \
    "72:\n\t" GORT_RANGE_RECORD_

#define GORT_INLINE_ __attribute__((__always_inline__)) static inline

/* Where the window of n bytes' class lies in the cache. */
#define GORT_CACHE_AT_(n, noscan)                                                                  \
    (GORT_CACHE_CLASSES + 16 * (2 * (long)GORT_SLOT_CLASS_(n) + (noscan)))

/* at: where the class's window lies in the cache.  size: of its slots. */
GORT_INLINE_ void *gort_take_noscan_at_(long at, long size)
{
    uint64_t x, c, f, t;
    __asm__ volatile(GORT_TAKE_FIND_ GORT_TAKE_COMMIT_
                     : [x] "=&r"(x), [c] "=&r"(c), [f] "=&r"(f), [t] "=&r"(t)
                     : [at] "ri"(at), [size] "ri"(size)
                     : "memory", "cc");
    return (void *)x;
}

GORT_INLINE_ void *gort_take_noscan_(size_t n)
{
    return gort_take_noscan_at_(GORT_CACHE_AT_(n, 1), (long)GORT_SLOT_BYTES_(n));
}

/* mask: the object's words that may hold pointers. */
GORT_INLINE_ void *gort_take_scan_at_(long at, long size, uint64_t mask)
{
    uint64_t x, c, f, t, b, high;
    __asm__ volatile(
        GORT_TAKE_FIND_ GORT_TAKE_SHIFT_ GORT_TAKE_SHIFT_HIGH_ GORT_TAKE_BITS_ GORT_TAKE_BITS_HIGH_
            GORT_TAKE_COMMIT_
        : [x] "=&r"(x), [c] "=&r"(c), [f] "=&r"(f), [t] "=&r"(t), [b] "=&r"(b), [high] "=&r"(high)
        : [at] "ri"(at), [size] "ri"(size), [mask] "r"(mask), [bits] "i"(GORT_PAGE_BITS)
        : "rcx", "memory", "cc");
    return (void *)x;
}

GORT_INLINE_ void *gort_take_scan_(size_t n, uint64_t mask)
{
    uint64_t x, c, f, t, b;
    if (512 % GORT_SLOT_BYTES_(n) == 0) /* no slot's bits lie in two words */
        __asm__ volatile(GORT_TAKE_FIND_ GORT_TAKE_SHIFT_ GORT_TAKE_BITS_ GORT_TAKE_COMMIT_
                         : [x] "=&r"(x), [c] "=&r"(c), [f] "=&r"(f), [t] "=&r"(t), [b] "=&r"(b)
                         : [at] "ri"(GORT_CACHE_AT_(n, 0)), [size] "ri"((long)GORT_SLOT_BYTES_(n)),
                           [mask] "ri"(mask), [bits] "i"(GORT_PAGE_BITS)
                         : "rcx", "memory", "cc");
    else
        return gort_take_scan_at_(GORT_CACHE_AT_(n, 0), (long)GORT_SLOT_BYTES_(n), mask);
    return (void *)x;
}

/* A tiny object, n at most GORT_TINY_MAX, without pointers, aligned to align (8 at most).  The
 * count leaves the address before the object is taken: from then on a stop must find the address in
 * x. */
GORT_INLINE_ void *gort_take_tiny_(size_t n, size_t align)
{
    uint64_t x, c, f, t;
    __asm__ volatile(
        "71:\n\t"
        "movq gort_tls@gottpoff(%%rip), %[c]\n\t"
        "xorl %k[x], %k[x]\n\t"
        "movq %%fs:(%[c]), %[c]\n\t"
        "movq (%[c]), %[f]\n\t"
        "addq %[up], %[f]\n\t"
        "andq %[down], %[f]\n\t"
        "leal -1(%k[f]), %k[t]\n\t"
        "andl $15, %k[t]\n\t"
        "cmpl %[room], %k[t]\n\t"
        "jae 72f\n\t"
        "movq %[f], %[x]\n\t"
        "addq %[step], %[f]\n\t"
        "shlq %[count], %[x]\n\t"
        "shrq %[count], %[x]\n\t"
        "movq %[f], (%[c])\n"
        "72:\n\t" GORT_RANGE_RECORD_
        : [x] "=&r"(x), [c] "=&r"(c), [f] "=&r"(f), [t] "=&r"(t)
        : [up] "ri"((long)align - 1), [down] "ri"(-(long)align), [room] "ri"(16 - (int)n),
          [step] "r"(((uint64_t)1 << GORT_TINY_COUNT_SHIFT) + n),
          [count] "i"(64 - GORT_TINY_COUNT_SHIFT)
        : "memory", "cc");
    return (void *)x;
}
#endif

#ifdef __cplusplus
}
#endif

#endif
