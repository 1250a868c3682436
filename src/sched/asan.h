/* AddressSanitizer's view of a stack switch: empty without it.
 *
 * Each switch announces the stack it goes to, and the arrival confirms it; a context that never
 * runs again passes NULL so that its fake stack is freed.
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef GORT_SCHED_ASAN_H
#define GORT_SCHED_ASAN_H

#include "sched/sched_data.h"

#if defined(__SANITIZE_ADDRESS__)
#define GORT_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define GORT_ASAN 1
#endif
#endif

#ifdef GORT_ASAN
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>

static inline void asan_to_g(void **save, const struct g *to)
{
    __sanitizer_start_switch_fiber(save, (const void *)to->stack_lo, to->stack_hi - to->stack_lo);
}
static inline void asan_to_system(void **save, const struct m *m)
{
    __sanitizer_start_switch_fiber(save, (const void *)m->sys_lo, m->sys_hi - m->sys_lo);
}
static inline void asan_arrived(const struct g *g)
{
    __sanitizer_finish_switch_fiber(g->asan_fake_stack, NULL, NULL);
}
static inline void asan_arrived_system(const struct m *m)
{
    __sanitizer_finish_switch_fiber(m->asan_fake_stack, NULL, NULL);
}
/* Frames abandoned there (a dead goroutine's, a detached thread's loop) left marks. */
static inline void asan_forget(uintptr_t lo, uintptr_t hi)
{
    __asan_unpoison_memory_region((const void *)lo, hi - lo);
}
#else
static inline void asan_to_g(void **save, const struct g *to)
{
    (void)save;
    (void)to;
}
static inline void asan_to_system(void **save, const struct m *m)
{
    (void)save;
    (void)m;
}
static inline void asan_arrived(const struct g *g)
{
    (void)g;
}
static inline void asan_arrived_system(const struct m *m)
{
    (void)m;
}
static inline void asan_forget(uintptr_t lo, uintptr_t hi)
{
    (void)lo;
    (void)hi;
}
#endif

#endif
