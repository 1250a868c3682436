/* The sanitizers' calls, where the program has them: see sanitize.h.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#include "sched/sanitize.h"

#include <errno.h>

#include "base/print.h"
#include "sched/sched.h"

#define OPTIONAL __attribute__((__weak__))
extern void __sanitizer_start_switch_fiber(void **save, const void *bottom, size_t n) OPTIONAL;
extern void __sanitizer_finish_switch_fiber(void *save, const void **bottom, size_t *n) OPTIONAL;
extern void __asan_unpoison_memory_region(const volatile void *p, size_t n) OPTIONAL;
extern void *__asan_get_current_fake_stack(void) OPTIONAL;

extern void __asan_handle_no_return(void) OPTIONAL;

bool sanitize_switches;

void sanitize_unwinding(void)
{
    if (__asan_handle_no_return != NULL) __asan_handle_no_return();
}

static bool has_asan(void)
{
    return __asan_unpoison_memory_region != NULL && __sanitizer_start_switch_fiber != NULL;
}

/* Independent of race.c's constructor, whose turn may come later. */
extern void __tsan_switch_to_fiber(void *fiber, unsigned flags) OPTIONAL;

__attribute__((constructor)) static void sanitize_find(void)
{
    sanitize_switches = has_asan() || __tsan_switch_to_fiber != NULL;
}

bool sanitize_hides_locals(void)
{
    return __asan_get_current_fake_stack != NULL && __asan_get_current_fake_stack() != NULL;
}

/* ---- switches ------------------------------------------------------------------------------- */

/* The next goroutine's turn with this thread's variables. */
static void hand_over_thread_locals(const struct m *m)
{
    uint32_t n = m->attached ? 0 : m->ntls; /* an attached thread keeps its own */
    for (uint32_t i = 0; i < n; i++)
        race_new_memory_slow(m->tls[i].lo, m->tls[i].hi - m->tls[i].lo, false);
    if (n != 0) race_new_memory_slow((uintptr_t)__errno_location(), sizeof(int), false);
}

static void leave_for(void **save, uintptr_t lo, uintptr_t hi, void *fiber)
{
    if (has_asan()) __sanitizer_start_switch_fiber(save, (const void *)lo, hi - lo);
    if (race_on) race_fiber_switch(fiber);
}

void sanitize_to_g_slow(void **save, const struct g *to)
{
    if (race_on) hand_over_thread_locals(m_self());
    leave_for(save, to->stack_lo, to->stack_hi, to->race_fiber);
}

void sanitize_to_system_slow(void **save, const struct m *m)
{
    leave_for(save, m->sys_lo, m->sys_hi, m->race_fiber);
}

void sanitize_arrived_slow(void *fake_stack)
{
    if (has_asan()) __sanitizer_finish_switch_fiber(fake_stack, NULL, NULL);
}

void sanitize_forget_slow(uintptr_t lo, uintptr_t hi)
{
    if (has_asan()) __asan_unpoison_memory_region((const void *)lo, hi - lo);
}

/* ---- fibers --------------------------------------------------------------------------------- */

void sanitize_g_born_slow(struct g *g)
{
    race_new_memory_slow(g->stack_lo, g->stack_hi - g->stack_lo, false);
    race_new_memory_slow((uintptr_t)g, sizeof *g, false); /* inline code writes its defers */
    char name[40];
    if (g->name[0] != 0)
        format_into(name, sizeof name, "goroutine %lu, %s", (unsigned long)g->goid, g->name);
    else
        format_into(name, sizeof name, "goroutine %lu", (unsigned long)g->goid);
    g->race_fiber = race_fiber_make(name, (const void *)g->created_pc);
}

void sanitize_g_buried_slow(struct g *g)
{
    race_fiber_free(g->race_fiber);
    g->race_fiber = NULL;
}

void sanitize_thread_slow(struct m *m)
{
    m->race_fiber = race_fiber_self();
    race_hide();
}

void sanitize_attached_slow(struct m *m)
{
    void *self = race_fiber_self();
    m->locked_g->race_fiber = self;
    m->race_fiber = race_fiber_make("attached thread's loop", NULL);
    race_fiber_switch(m->race_fiber);
    race_hide();
    race_fiber_switch(self);
}

void sanitize_detached_slow(struct m *m)
{
    void *self = race_fiber_self();
    race_fiber_switch(m->race_fiber);
    race_show(); /* a fiber that ends hidden is reported */
    race_fiber_switch(self);
    race_fiber_free(m->race_fiber);
    m->race_fiber = m->locked_g->race_fiber = NULL;
}

void sanitize_system_stack_slow(const struct m *m)
{
    race_new_memory_slow(m->sys_lo, m->sched_ctx.sp - m->sys_lo, false);
}
