/* What the runtime has from the kernel, by what it is for: Go's /memory/classes.
 *
 * Two counts are kept that know nothing of each other.  Those who ask for memory count what they
 * got: the arenas (heap->mapped), the stacks' reservations, and for each kind of record a counter
 * that its allocator adds to.  And the calls that map count (os_mem_mapped, ranges_bytes,
 * os_thread_stack_bytes).  When nobody is mapping, both agree to the byte:
 *
 *     total + reserved = mapped by os/linux/mem.c + range tables + stacks of threads
 *
 * so memory that some part of the runtime takes without a counter shows.  A test compares with the
 * kernel's own list of mappings.
 *
 * What counts as memory is what was mapped, used or not, with three exceptions, for address space
 * is free:
 *   - of goroutine stacks the first page of each slot that was ever used, which holds the record
 *     and the first frames.  How deep a stack went is not known without asking the kernel for each;
 *   - of the two tables over the whole address space the pages that an entry was written to;
 *   - of records of spans and blocks of marks the slabs that are awake (heap/slab.h): the others
 *     were never used, or went back to the kernel.
 * The rest of them is `reserved`.  Heap that nothing has touched is mapped, and counts as released.
 *
 * Locking: none; single counters, read one after another.
 * Answers to: readMetrics in metrics.go, mstats.go.
 * SPDX-License-Identifier: BSD-3-Clause
 */
#include "gc/memory.h"

#include "base/ranges.h"
#include "gc/specials.h"
#include "gc/work.h"
#include "heap/persistent.h"
#include "os/os.h"
#include "sched/sched.h"
#include "sched/stack.h"

static void read_arenas(const struct heap_stats *h, struct memory_classes *c)
{
    c->heap_objects = h->alloc;
    c->heap_unused = h->in_use - h->alloc;
    c->heap_free = h->idle;
    c->heap_released = h->released;
    c->work_buffers = h->manual;
    c->heap_sys = h->sys;
}

/* Of Ps that went away the cache waits for their return. */
static void read_caches(const struct heap_stats *h, struct memory_classes *c)
{
    uint64_t used = (uint64_t)p_count() * sizeof(struct mcache);
    c->mcache_inuse = used < h->caches ? used : h->caches;
    c->mcache_free = h->caches - c->mcache_inuse;
}

static void read_records(const struct heap_stats *h, struct memory_classes *c)
{
    read_caches(h, c);
    c->profiling = h->profile;
    c->mspan_inuse = h->span_records_used;
    c->mspan_free = h->span_records_free;
    c->metadata_other = h->meta + persistent_unused() + c->work_buffers;
    c->os_stacks = sched_stacks_bytes() + os_thread_stack_bytes();
    c->other = sched_meta_bytes() + specials_bytes() + ranges_bytes();
}

void memory_read(const struct heap_stats *h, struct memory_classes *c)
{
    struct stack_stats stack;
    stack_read_stats(&stack);
    *c = (struct memory_classes){ .heap_stacks = stack.bytes_sys, .stack_sys = stack.bytes_sys };
    read_arenas(h, c);
    read_records(h, c);
    c->meta_sys = c->mspan_inuse + c->mspan_free + c->mcache_inuse + c->mcache_free +
                  c->metadata_other - c->work_buffers + c->os_stacks + c->other + c->profiling;
    c->total = c->heap_sys + c->stack_sys + c->meta_sys;
    c->reserved = stack.bytes_reserved - stack.bytes_sys + h->sparse + h->asleep;
    c->kernel = os_mem_mapped() + ranges_bytes() + os_thread_stack_bytes();
}
