/* Weak references.
 *
 * A handle is a collected object without pointers that holds the address.  A special record on the
 * address leads to the handle, so that the sweep finds it to clear it, and so that an address has
 * one handle while its object lives: two references are to the same if their handles are.
 *
 * The record's pointer to the handle is a root: a handle lives at least as long as the record.  (It
 * could die before, if who sweeps it took the record off; but its sweeper and its object's would
 * have to agree, and 16 bytes for the life of the object are not worth that.)
 *
 * Note [Getting from a weak reference].  get must give NULL, or an object that is not freed while
 * the caller has it.  It runs beside sweepers and markers; G2 to G4 are one critical section:
 *
 *     get                                          sweeper of the object's span
 *     G1  read handle->object; 0: NULL             S1  claim the span (sweepgen, acquire)
 *     G2  the span at this address, in use?        S2  object not marked: handle->object = 0
 *         wait until it is swept (acquire)         S3  free the slot, perhaps the pages
 *     G3  read handle->object again; 0: NULL       S4  sweepgen = swept (release)
 *     G4  marking: shade what was read
 *
 *   1. G1 only tells where to look: handle->object does not change but to 0, so G3 reads 0 or the
 *      same.
 *   2. No cycle begins in the section: a stop waits for its end.  Suppose that G3 does not read 0.
 *      Then the object's special is still on its span, so it is the object's span that G2 found
 *      swept in this generation; S2 to S4, if they were to come, are over and visible; so the
 *      object was alive when the last cycle ended its marking or was allocated since, and no
 *      sweeper of this generation comes back to it.
 *   3. Where the object is gone, other pages may lie there, or none.  Their being freed, and being
 *      somebody else's, came after S2 and is visible by the release and acquire of the span table
 *      and of the span's state: G3 reads 0.  Sweeping a span that has nothing to do with it does no
 *      harm: one that was in use inside the section is unswept, being swept or swept, in this
 *      generation, whatever becomes of its record.
 *   4. In OFF, what G3 read lies in the caller's registers when the section ends, and the next
 *      cycle begins with a stop: its stack is scanned.  While marking, the stack has been scanned
 *      already (no grey stack runs), and nobody else need have the object: so G4 shades it, as a
 *      store that overwrites the last pointer to it would.
 *   5. From when nothing seems left to STW 2 nothing needs to wait (DESIGN 4, rule 14, would have
 *      it so): G4 puts the object into a barrier buffer, and STW 2 empties those of all Ps and Ms
 *      (end_stopped in cycle.c).  A white object found there is marked, with what it leads to: in
 *      the stop if that is little, else beside the program again, a bounded number of times.  Go
 *      parks the caller there instead; here nothing parks that is not documented to (rule 13), and
 *      no wait on the thread is shorter than such a stop.
 *
 * Without G2, get returns objects that are freed a moment later; with S2 behind S3, such as are
 * other objects already; without G4, one that this cycle frees.  test/stress/gc_weak.c and
 * test/model/weak.pml show that each matters.
 *
 * Resurrection: the sweep clears handles of an object that its finalizer keeps.  The finalizer may
 * run before the sweep has come to that, but its get waits for the sweep like any other.  A
 * reference that is made to the object afterwards has a new handle.
 *
 * Locking: SPAN_SPECIALS inside special.h.  Memory order: above; handle->object is stored with
 * release and read at G3 with acquire, so that who gets the object sees what was done before the
 * reference was made.
 * Answers to: weak in mheap.go; package weak.
 * SPDX-License-Identifier: BSD-3-Clause
 */
#include "gc/weak.h"

#include "base/assert.h"
#include "base/throw.h"
#include "gc/barrier.h"
#include "gc/specials.h"
#include "heap/fixalloc.h"
#include "sched/sched.h"

struct weak {
    struct special special;
    struct gort_weak *handle; /* atomic; NULL in free records */
};

static struct {
    struct fixalloc records;
    uint64_t bytes;
    uint64_t made, cleared, shaded; /* atomic; statistics */
} weak;

void weak_init(void)
{
    fixalloc_init(&weak.records, sizeof(struct weak), false, &weak.bytes);
}

void weak_read_counts(struct weak_counts *out)
{
    out->made = atomic_load_relaxed(&weak.made); /* statistics */
    out->cleared = atomic_load_relaxed(&weak.cleared);
    out->shaded = atomic_load_relaxed(&weak.shaded);
}

uint64_t weak_bytes(void)
{
    return atomic_load_relaxed(&weak.bytes); /* a statistic */
}

static struct weak *weak_of(struct special *sp)
{
    return container_of(sp, struct weak, special);
}

static void weak_free(struct weak *w)
{
    atomic_store_relaxed(&w->handle,
                         NULL); /* a marker may have read it: Note [Records while marking] */
    fixalloc_free(&weak.records, w);
}

/* ---- making ---------------------------------------------------------------------------------- */

/* Only the sweep takes such records off. */
static struct gort_weak *find_in(struct span *s, void *obj)
{
    struct special *sp = special_find(s, (uintptr_t)obj, SPECIAL_WEAK);
    if (sp == NULL) return NULL;
    struct gort_weak *handle = weak_of(sp)->handle;
    specials_shade((uintptr_t)handle);
    return handle;
}

struct gort_weak *weak_find(void *obj)
{
    specials_span("gort_weak_make", obj);
    struct span *s = specials_enter((uintptr_t)obj);
    struct gort_weak *handle = find_in(s, obj);
    specials_leave();
    return handle;
}

struct gort_weak *weak_add(void *obj, struct gort_weak *handle)
{
    struct span *s = specials_enter((uintptr_t)obj);
    struct weak *w = fixalloc_alloc(&weak.records);
    if (w == NULL) throw_msg("out of memory: no record for a weak reference");
    w->special = (struct special){ .kind = SPECIAL_WEAK };
    atomic_store_relaxed(&w->handle, handle);
    atomic_store_release(&handle->object, (uintptr_t)obj); /* pairs with gort_weak_get */
    specials_shade((uintptr_t)handle);
    if (special_add(s, (uintptr_t)obj, &w->special)) {
        atomic_fetch_add_relaxed(&weak.made, 1);
    } else {
        weak_free(w);
        handle = find_in(s, obj);
    }
    specials_leave();
    return handle;
}

/* ---- getting --------------------------------------------------------------------------------- */

/* Note [Getting from a weak reference]. */
void *gort_weak_get(gort_weak *w)
{
    g_require("gort_weak_get");
    uintptr_t object = w != NULL ? atomic_load_relaxed(&w->object) : 0; /* G1: racy, a hint */
    if (object == 0) return NULL;
    specials_enter(object);                   /* G2 */
    object = atomic_load_acquire(&w->object); /* G3; pairs with weak_add */
    if (unlikely(barrier_on()) && object != 0) {
        barrier_log((void *)object, NULL); /* G4 */
        atomic_fetch_add_relaxed(&weak.shaded, 1);
    }
    specials_leave();
    return (void *)object;
}

/* ---- found unreachable ----------------------------------------------------------------------- */

void weak_clear(struct special *sp)
{
    struct weak *w = weak_of(sp);
    atomic_store_relaxed(&w->handle->object, 0); /* S2; published by S4 */
    weak_free(w);
    atomic_fetch_add_relaxed(&weak.cleared, 1);
}

/* ---- marking --------------------------------------------------------------------------------- */

uint32_t weak_count(void)
{
    return fixalloc_count(&weak.records);
}

void weak_scan(struct marker *m, uint32_t from, uint32_t to)
{
    uint32_t n = weak_count();
    for (uint32_t i = from; i < to && i < n; i++) {
        const struct weak *w = fixalloc_at(&weak.records, i);
        uintptr_t handle = (uintptr_t)atomic_load_relaxed(&w->handle);
        if (handle != 0) marker_see(m, handle);
    }
}

void weak_each_root(gc_emit_range emit, void *arg)
{
    for (uint32_t i = 0; i < weak_count(); i++) {
        const struct weak *w = fixalloc_at(&weak.records, i);
        emit((uintptr_t)&w->handle, (uintptr_t)(&w->handle + 1), arg);
    }
}
