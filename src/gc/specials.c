/* What hangs on objects, all kinds together.
 *
 * Kinds and their files: finalizers (finalizer.c), weak references (weak.c), cleanups (cleanup.c),
 * samples of the memory profile (src/diag).  Each has records of its own, off-heap, that begin with
 * a struct special (heap/special.h) by which they hang on an address in an object.
 *
 * What becomes of an object that marking did not reach, by the sweeper of its span:
 *
 *     it has a finalizer: weak references to it are cleared, then its finalizers are queued; it is
 *         kept, with cleanups and samples, until a cycle finds it unreachable again;
 *     it has none: weak references are cleared, cleanups queued, samples told; it dies.
 *
 * "It" is a slot.  Tiny objects share one: what hangs on any of them happens when all are
 * unreachable.
 *
 * Roots: what finalizable objects point to, but not these objects; objects whose finalizer is
 * queued; arguments of cleanups, set or queued; handles of weak references (weak.c says why); and
 * arguments of timers, which hang on no object (lang/timer.c).
 * Markers find them by going through the records, in jobs, and not through spans: records lie side
 * by side, and nobody's lock is taken.
 *
 * Note [Records while marking].  Marking runs beside the program, and a job may have been done when
 * a record gets its pointer, or not yet when it loses it.  Whoever moves a pointer into a record or
 * out of one does so in a critical section, so with the barrier on or off throughout, and while it
 * is on shades the pointer (specials_shade).  So
 *   1. a pointer that a record gains is marked though the job is done;
 *   2. a pointer that a record gives away, into the registers of a goroutine whose stack was
 *      scanned, is marked though the job finds the record empty;
 *   3. a stale pointer that a job reads from a record that is free, or somebody else's by now, was
 *      alive in this cycle, so its memory is no other object's yet: nothing is swept while
 *      marking.  It is kept a cycle too long at worst.
 * An object that gets a finalizer is shaded itself, not only what it points to.  Go scans its
 * contents there; here the caller holds the object, no goroutine runs on a grey stack (DESIGN 4,
 * rule 2), so it is reached in this cycle anyhow, and shading it is one word where the contents may
 * be a gigabyte.  As a marked object it is not found dead in this cycle, and in the next one
 * the job sees the record.
 *
 * Locking: none of its own.  Answers to: freeSpecial in mheap.go; markrootSpans in mgcmark.go.
 * SPDX-License-Identifier: BSD-3-Clause
 */
#include "gc/specials.h"

#include "base/assert.h"
#include "base/bits.h"
#include "base/race.h"
#include "base/throw.h"
#include "gc/barrier.h"
#include "gc/cleanup.h"
#include "gc/finalizer.h"
#include "gc/gc.h"
#include "gc/weak.h"
#include "heap/mcache.h"
#include "heap/sweep.h"
#include "os/os.h"
#include "sched/sched.h"

void (*gc_profile_freed)(struct special *sp);

enum { JOBS_FINALIZERS, JOBS_CLEANUPS, JOBS_WEAK, JOBS_OTHER, JOBS_KINDS };

static struct {
    void (*call)(void (*fn)(void *), void *arg); /* constant after boot */
    uint32_t first[JOBS_KINDS + 1];              /* number of each kind's first job; the cycle's */
    struct fixalloc *other;                      /* of a floor above; constant after boot */
    size_t other_offset;                         /* ... where in them the pointer is */
} specials;

static void call_plainly(void (*fn)(void *), void *arg)
{
    fn(arg);
}

void specials_init(void (*call)(void (*fn)(void *), void *arg))
{
    specials.call = call != NULL ? call : call_plainly;
    finalizer_init();
    cleanup_init();
    weak_init();
}

void specials_call(void (*fn)(void *), void *arg)
{
    race_acquire_all(); /* whatever was done to the object was done before */
    specials.call(fn, arg);
}

uint64_t specials_bytes(void)
{
    return finalizer_bytes() + cleanup_bytes() + weak_bytes();
}

/* ---- adding and removing --------------------------------------------------------------------- */

struct span *specials_span(const char *call, const void *obj)
{
    struct span *s;
    uint32_t i;
    uintptr_t base;
    g_require(call);
    if (!span_find_object((uintptr_t)obj, &s, &i, &base))
        throw_fmt("%s: %p is not a collected object", call, obj);
    return s;
}

/* The span is looked up inside: before, a cycle could free it and somebody use its record.  A P
 * that flushes late may be this one; or another, which may have to stop first. */
struct span *specials_enter(uintptr_t address)
{
    for (;;) {
        mcache_prepare_for_sweep(p_pin()->mcache);
        struct span *s = span_of(address);
        if (unlikely(s == NULL || span_state_of(s) != SPAN_IN_USE)) return NULL;
        if (likely(span_ensure_swept(s))) return s;
        p_unpin();
        os_thread_yield();
    }
}

void specials_leave(void)
{
    p_unpin();
}

void specials_shade(uintptr_t object)
{
    if (unlikely(barrier_on())) barrier_log((void *)object, NULL);
}

/* ---- found unreachable ----------------------------------------------------------------------- */

static struct special *first_of_kind(struct special **chain, enum special_kind kind)
{
    struct special *sp = *chain;
    if (sp == NULL || sp->kind != kind) return NULL;
    *chain = sp->next;
    return sp;
}

/* Takes the weak ones out from behind the finalizers, and clears them. */
static void clear_weak(struct special **chain)
{
    struct special **link = chain, *sp;
    while (*link != NULL && (*link)->kind < SPECIAL_WEAK)
        link = &(*link)->next;
    while ((sp = first_of_kind(link, SPECIAL_WEAK)) != NULL)
        weak_clear(sp);
}

bool specials_dead_object(struct span *s, uintptr_t base, struct special **chain)
{
    struct special *sp;
    bool kept = false;
    (void)base;
    clear_weak(chain); /* a finalizer that runs at once and gets from one waits for this sweep */
    for (; (sp = first_of_kind(chain, SPECIAL_FINALIZER)) != NULL; kept = true)
        finalizer_queue(s, sp);
    if (kept) return true;
    while ((sp = first_of_kind(chain, SPECIAL_CLEANUP)) != NULL)
        cleanup_queue(sp);
    while ((sp = first_of_kind(chain, SPECIAL_PROFILE)) != NULL)
        gc_profile_freed(sp);
    return false;
}

void specials_wake(void)
{
    finalizer_wake();
    cleanup_wake();
}

void specials_goroutine_ended(struct g *g)
{
    if (!g->is_system) return;
    finalizer_goroutine_ended(g);
    cleanup_goroutine_ended(g);
}

/* ---- records of a floor above ---------------------------------------------------------------- */

void gc_add_records(struct fixalloc *records, size_t offset)
{
    check(specials.other == NULL);
    specials.other = records;
    specials.other_offset = offset;
}

static uint32_t other_count(void)
{
    return specials.other != NULL ? fixalloc_count(specials.other) : 0;
}

static const uintptr_t *other_word(uint32_t i)
{
    return (const uintptr_t *)((char *)fixalloc_at(specials.other, i) + specials.other_offset);
}

static void other_scan(struct marker *m, uint32_t from, uint32_t to)
{
    uint32_t n = other_count();
    for (uint32_t i = from; i < to && i < n; i++) {
        uintptr_t word = atomic_load_relaxed(other_word(i)); /* Note [Records while marking] */
        if (word != 0) marker_see(m, word);
    }
}

static void other_each_root(gc_emit_range emit, void *arg)
{
    for (uint32_t i = 0; i < other_count(); i++)
        emit((uintptr_t)other_word(i), (uintptr_t)(other_word(i) + 1), arg);
}

/* ---- marking --------------------------------------------------------------------------------- */

uint32_t specials_records_stw(void)
{
    return finalizer_count() + cleanup_count() + weak_count() + other_count();
}

uint32_t specials_root_jobs_stw(void)
{
    const uint32_t records[JOBS_KINDS] = { finalizer_count(), cleanup_count(), weak_count(),
                                           other_count() };
    uint32_t n = 0;
    for (int k = 0; k < JOBS_KINDS; k++) {
        specials.first[k] = n;
        n += (uint32_t)div_up(records[k], SPECIALS_PER_JOB);
    }
    specials.first[JOBS_KINDS] = n;
    return n;
}

void specials_scan_job(struct marker *m, uint32_t job)
{
    static void (*const scan[JOBS_KINDS])(struct marker *, uint32_t,
                                          uint32_t) = { finalizer_scan, cleanup_scan, weak_scan,
                                                        other_scan };
    int k = 0;
    while (job >= specials.first[k + 1])
        k++;
    uint32_t from = (job - specials.first[k]) * SPECIALS_PER_JOB;
    scan[k](m, from, from + SPECIALS_PER_JOB);
}

void specials_each_root(gc_emit_range emit, void *arg)
{
    finalizer_each_root(emit, arg);
    cleanup_each_root(emit, arg);
    weak_each_root(emit, arg);
    other_each_root(emit, arg);
}
