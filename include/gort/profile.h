/* The memory profile: where the program allocates, and where that which is live was allocated.
 *
 * Of allocations one is sampled for each 512 KB on average, or each one, with its call stack; that
 * a sampled object was freed is noted by the sweep.  What is written is read by `go tool pprof
 * PROGRAM FILE`.  Sampling costs nothing while it is off, and little else; it is on from the start
 * when
 *
 *   - the program is compiled with a call of gort_mem_profile_write in it, or
 *   - the environment has GORTMEMPROFILE=path (then the profile is also written there when the main
 *     function has returned, after a collection), or GORTDEBUG=memprofilerate=N with N above 0.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef GORT_PROFILE_H
#define GORT_PROFILE_H

#include <gort/base.h>
#include <gort/inline.h>

GORT_BEGIN_DECLS

/* Samples one allocation for each `bytes` bytes on average from now on: 0 none, 1 every allocation;
 * negative: no change.  Returns the former rate; -1 with ENOMEM when there is no memory for the
 * profile.  May be called before gort_run, then GORTDEBUG=memprofilerate=N goes before it; else in
 * a goroutine.  Stops the world briefly; does not park. */
GORT_API int64_t gort_set_mem_profile_rate(int64_t bytes);

/* What gort_mem_profile_write calls. */
GORT_API int gort_mem_profile_write_raw(int fd);
/* Turns sampling on at 512 KB, if the rate was not set; by a program's constructors. */
GORT_API void gort_mem_profile_use_raw(void);

/* Writes the memory profile to a descriptor, in pprof's format: objects and bytes, allocated since
 * the start (alloc_objects, alloc_space) and in use (inuse_objects, inuse_space), by call stack.
 * Sizes are those of slots, as gort_read_stats counts them.  The state is that of the last
 * collection, so that allocations and frees agree: gort_gc before it makes it recent; before the
 * first collection it has all allocations.  Returns 0, or -1 with errno: what gort_write says, or
 * ENOMEM.  Parks the goroutine while the descriptor takes no more. */
static inline int gort_mem_profile_write(int fd)
{
    /* Once compiled, the program has a constructor more. */
    __asm__(".pushsection .init_array, \"aw\", @init_array\n\t"
            ".balign 8\n\t"
            ".8byte gort_mem_profile_use_raw\n\t"
            ".popsection");
    return gort_mem_profile_write_raw(fd);
}

GORT_END_DECLS

#endif
