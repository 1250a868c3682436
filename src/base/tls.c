/* Definitions of the data that inlined code of programs shares with the runtime.
 *
 * All symbols are exported.  gort_tls is initial-exec: its offset from the thread pointer is a
 * constant after loading, so the inline sequences of arch.h reach it without a call.  A library
 * that is opened by dlopen takes this from the loader's surplus of static thread-local storage; the
 * block is 32 bytes, far below it.
 *
 * The flags may be copied into the program by the linker (copy relocation), therefore this file too
 * reaches them through the global offset table, which default visibility ensures.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#include "base/tls.h"

const struct gort_cache gort_cache_empty = { .cell = UINT64_MAX };

/* Threads that the runtime has not met have the empty cache too: inline allocation tests nothing
 * but whether the cache has a slot. */
__thread struct gort_tls_block gort_tls __attribute__((__tls_model__("initial-exec"))) = {
    .cache = (struct gort_cache *)&gort_cache_empty, /* never written: it offers nothing to take */
};

unsigned char gort_barrier_flag;
unsigned char gort_watched_flag;

/* The offsets that assembly uses are the structure's own. */
_Static_assert(offsetof(struct gort_tls_block, cache) == GORT_TLS_CACHE, "assembly reads cache");
_Static_assert(offsetof(struct gort_tls_block, m) == GORT_TLS_M, "assembly reads m");
_Static_assert(offsetof(struct gort_tls_block, g) == GORT_TLS_G, "assembly reads g");
_Static_assert(offsetof(struct gort_tls_block, crit) == GORT_TLS_CRIT, "assembly counts crit");
_Static_assert(offsetof(struct gort_cache, cell) == GORT_CACHE_CELL, "assembly reads cell");
_Static_assert(sizeof(struct gort_tls_block) == 32, "fits any loader's surplus");
