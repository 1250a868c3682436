/* Allocation's guards, and what happens when memory runs out.
 *
 * Note [Guards].  Memory may be allocated by a goroutine's own code only.  Not so
 *   - off goroutines: the caller's stack would not be scanned (g_require names the case);
 *   - by the stopper itself between the end of marking and the restart of the world: what was
 *     allocated then would be neither marked nor known to the sweep;
 *   - inside a critical section: the allocator may be half-done on this very thread.  That is
 *     an allocation nested in another, or one in a signal handler that interrupted one;
 *   - off the goroutine's stack: in a signal handler on its own stack, or on a stack of some
 *     coroutine library: that is not a goroutine's, and is not scanned (doc/decisions/0028).
 * Two loads and two comparisons find all four, where the call is made: what is inlined
 * (gort/inline.h) has only the first two, by the empty cache, and meets the others when its window
 * of at most 64 slots is used up.  A signal handler that runs on the goroutine's stack and
 * interrupted nothing of ours is not detected; API.md forbids it.
 *
 * Note [Out of memory].  When the kernel refuses, first collect and sweep, for memory may be free
 * in the heap; then give free pages back, for the limit may be on what is resident; then report.
 *
 * Answers to: the throws in mallocgc; throw("out of memory") in malloc.go.
 * SPDX-License-Identifier: BSD-3-Clause
 */
#include "alloc/alloc.h"
#include "base/print.h"
#include "base/throw.h"
#include "os/os.h"
#include "sched/stw.h"

static bool on_own_stack(const struct g *g, uintptr_t sp)
{
    return sp - g->stack_lo <= g->stack_hi - g->stack_lo;
}

cold_path void alloc_guard_slow(const char *call)
{
    uintptr_t sp = arch_stack_pointer();
    struct g *g = g_self();
    if (gc_phase_now() == GC_MARKTERM) throw_fmt("%s: allocation while marking ends", call);
    if (gc_phase_now() == GC_MARK && g == NULL) throw_fmt("%s: allocation by the collector", call);
    if (g == NULL) g = g_require(call);
    if (crit_depth() != 0)
        throw_fmt("%s: allocation inside the runtime, nested in another or in a signal handler",
                  call);
    if (!on_own_stack(g, sp))
        throw_fmt("%s: allocation in a signal handler, or on a stack that gort does not know",
                  call);
}

/* ---- out of memory --------------------------------------------------------------------------- */

static _Noreturn void report(size_t size, const char *call)
{
    struct heap_stats h;
    uint64_t limit = os_address_space_limit();
    char limit_text[64], fenced_text[80] = "";
    heap_read_stats(&h);
    if (h.fenced != 0)
        format_into(fenced_text, sizeof fenced_text, ", %lu MB of freed objects kept from reuse",
                    (unsigned long)(h.fenced / MB));
    if (limit == UINT64_MAX)
        format_into(limit_text, sizeof limit_text, "no limit on address space");
    else
        format_into(limit_text, sizeof limit_text, "address space is limited to %lu MB",
                    (unsigned long)(limit / MB));
    throw_fmt("out of memory: %s can not allocate %zu bytes; the heap has %lu MB mapped, %lu MB "
              "in use, %lu MB live%s; %s",
              call, size, (unsigned long)(h.sys / MB), (unsigned long)(h.in_use / MB),
              (unsigned long)(h.live / MB), fenced_text, limit_text);
}

cold_path void alloc_no_memory_slow(int attempt, size_t size, const char *call)
{
    if (attempt == 0) {
        gc_collect(GC_CAUSE_MEMORY);
        gc_sweep_all_nopark();
    } else if (attempt == 1) {
        crit_enter();
        heap_release_free(SIZE_MAX);
        crit_exit();
    } else {
        report(size, call);
    }
}

cold_path void alloc_overflow_slow(size_t n, size_t size, const char *call)
{
    throw_fmt("out of memory: %s: %zu elements of %zu bytes overflow", call, n, size);
}
