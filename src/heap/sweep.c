/* Sweeping one span: its marks become its allocation bits.
 *
 * Steps, by the one who holds the claim (sweepgen == g - 1):
 *   1. dead slots with specials go to the hook, which may mark them to keep them;
 *   2. a mark on a slot that is not allocated is corruption: fatal, with a dump (a zombie);
 *   3. in the modes that ask for it, dead slots are reported, overwritten, poisoned;
 *   4. allocated slots that are not white become the allocation bits, and white; the others are
 *      free, and closed (Note [Marks] in heap_data.h); counts follow; and the block of both moves
 *      where it is one of few (Note [Blocks that move] in gcbits.h);
 *   5. sweepgen becomes g with release, and the span goes where its mode says.
 * No memory is asked for on the way, so sweeping can not fail.
 *
 * Sweepers at work are counted, so that the collector can tell when the last is through:
 *     sweepers = number at work | SWEEP_DRAINED once every unswept set was seen empty.
 * Unswept sets only shrink during a cycle, so DRAINED stays true until the generation rises.  The
 * word is shared, so spans are swept in batches: one that works for 64 KB of allocation moves it
 * twice.
 *
 * Note [Sweep pace].  The next cycle begins only after all is swept, so what is left then is swept
 * while its starter waits.  Therefore allocation sweeps along: when the pace is set, `left` pages
 * remain and allocation may go on for `room` bytes; each byte is then worth left / room pages.  Who
 * has charged bytes to heap_live sweeps until as many pages are swept as all bytes since are worth
 * (heap_sweep_debt; floor 5 pays).  Whatever else sweeps (the sweeper, refills, reclaiming) counts
 * too, so in a program that leaves the sweeper time nothing is ever owed.  `room` is somewhat
 * less than what the trigger leaves, so that all is done a little before.
 *     The three words of the pace are stored one by one while others read them.  A mixture of old
 * and new makes a debt that is too large or too small once: too large ends with the last unswept
 * span, too small is asked again 32 KB later.
 *
 * Memory order: the claim's acquire and the release store of sweepgen order one sweeper's writes
 * before whoever reads sweepgen == g with acquire (sweeper_takes, span_ensure_swept).
 * Locking: none.  Answers to: sweepLocked.sweep in mgcsweep.go.
 * SPDX-License-Identifier: BSD-3-Clause
 */
#include "heap/sweep.h"

#include <string.h>

#include "arch/arch.h"
#include "base/assert.h"
#include "base/print.h"
#include "base/race.h"
#include "heap/heap.h"
#include "heap/poison.h"
#include "os/os.h"

void heap_set_hooks(const struct heap_hooks *h)
{
    heap->hooks = *h;
}

/* ---- who is sweeping ------------------------------------------------------------------------- */

/* From here on the sweep is not done until sweeping_ends. */
static bool sweeping_begins(void)
{
    uint32_t v = atomic_load_relaxed(&heap->sweepers);
    do {
        if ((v & SWEEP_DRAINED) != 0) return false;
    } while (!atomic_cas_acquire(&heap->sweepers, &v, v + 1));
    return true;
}

static void sweeping_ends(void)
{
    /* Release pairs with heap_sweep_done: what this sweeper did is done. */
    uint32_t was = atomic_fetch_sub_acqrel(&heap->sweepers, 1);
    check((was & ~SWEEP_DRAINED) != 0);
}

bool sweeper_enter(struct sweeper *w, enum sweep_reason why, struct mcache *c)
{
    *w = (struct sweeper){ .why = why, .cache = c };
    return sweeping_begins();
}

static void count_swept(const struct sweeper *w)
{
    if (w->spans == 0) return;
    atomic_fetch_add_relaxed(&heap->sweep.pages, w->pages);
    atomic_fetch_add_relaxed(&heap->sweep.spans[w->why], w->spans);
    atomic_fetch_add_relaxed(&heap->survived, w->survived);
}

void sweeper_leave(struct sweeper *w)
{
    count_swept(w);
    sweeping_ends();
}

bool heap_sweep_done(void)
{
    return atomic_load_acquire(&heap->sweepers) == SWEEP_DRAINED; /* pairs with sweeping_ends */
}

bool span_sweep_claim(struct span *s)
{
    uint32_t needs = heap_sweepgen() - 2;
    if (atomic_load_relaxed(&s->sweepgen) != needs) return false;
    return atomic_cas_acquire(&s->sweepgen, &needs, needs + 1);
}

/* Waits for the end of another's sweep of s. */
static void wait_swept(const struct span *s)
{
    uint32_t g = heap_sweepgen();
    for (unsigned spins = 0; atomic_load_acquire(&s->sweepgen) == g - 1; spins++) {
        if (spins < 100)
            os_cpu_relax_thread(8);
        else
            os_thread_yield();
    }
}

/* ---- step 1: specials ------------------------------------------------------------------------ */

/* One slot's.  What stays of it; NULL: nothing. */
static struct special *sweep_slot_specials(struct span *s, uint32_t index, struct special *chain)
{
    if (span_slot_mark(s, index) != SLOT_WHITE) return chain;
    check(heap->hooks.dead_object != NULL);
    if (!heap->hooks.dead_object(s, span_slot(s, index), &chain)) {
        check(chain == NULL);
        return NULL;
    }
    s->marks[index] = SLOT_MARKED;
    atomic_fetch_add_relaxed(&heap->kept, span_elem_size(s));
    return chain;
}

/* Nobody else looks at the list meanwhile: span_ensure_swept comes first. */
static void sweep_specials(struct span *s)
{
    struct special *left = special_take_all(s), *kept = NULL, **end = &kept;
    while (left != NULL) {
        struct special *chain = special_cut_slot(s, &left);
        uint32_t index = span_index_of(s, s->base + chain->offset);
        *end = sweep_slot_specials(s, index, chain);
        while (*end != NULL)
            end = &(*end)->next;
    }
    special_put_all(s, kept);
}

/* ---- step 2: zombies ------------------------------------------------------------------------- */

/* A free slot may be poisoned. */
__attribute__((no_sanitize_address)) static uint64_t word_of(uintptr_t slot, size_t i)
{
    return ((const volatile uint64_t *)slot)[i];
}

/* Its words, by the names that they had in the object that was there last. */
static void print_zombie(struct print *out, const struct span *s, uint32_t i)
{
    uintptr_t slot = span_slot(s, i);
    struct contents c = heap_contents(slot);
    print_fmt(out, "slot %u at %p is free and marked:", i, (void *)slot);
    for (size_t w = 0; w < 8 && w < span_elem_size(s) / 8; w++) {
        bool named = fields_print(out, " ", c, w * 8);
        print_fmt(out, "%s%lx", named ? ":" : " ", (unsigned long)word_of(slot, w));
    }
    print_fmt(out, "\n");
    if (heap_witness.describe != NULL) heap_witness.describe(out, slot);
}

_Noreturn static cold_path void report_zombies(struct span *s)
{
    struct print out;
    throw_begin();
    print_err("fatal error: marked a free slot\n");
    span_print(s);
    print_init(&out, 2);
    int shown = 0;
    for (uint32_t i = 0; i < s->nelems && shown < 16; i++) {
        if (span_is_slot_allocated(s, i) || span_slot_mark(s, i) != SLOT_MARKED) continue;
        print_zombie(&out, s, i);
        shown++;
    }
    print_flush(&out);
    throw_finish();
}

/* Bytes of marks that belong to a word of allocation bits; 8 at a time are looked at. */
static inline size_t marks_per_word(const struct span *s)
{
    return s->marks == s->inline_marks ? INLINE_MARKS : 64;
}

/* Slots of word w of the allocation bits with a mark in `which`, SLOT_MARKED or both. */
static uint64_t slots_by_mark(const struct span *s, uint32_t w, uint64_t which)
{
    const uint8_t *marks = s->marks + w * (size_t)64;
    uint64_t slots = 0, any = 0, m;
    for (size_t i = 0; i < marks_per_word(s); i += 8) {
        memcpy(&m, marks + i, 8);
        any |= m;
    }
    if (any == 0) return 0; /* often */
    for (size_t i = 0; i < marks_per_word(s); i += 8) {
        memcpy(&m, marks + i, 8);
        m &= which * 0x0101010101010101u;
        slots |= bits_of_bytes(m | m >> 7) << i;
    }
    return slots;
}

/* Marks without allocation, from free_index on. */
static bool has_zombies(const struct span *s)
{
    uint32_t words = gcbits_words(s->nelems);
    for (uint32_t w = s->free_index / 64; w < words; w++) {
        uint64_t free = span_free_slots(s, w, s->free_index);
        if (free != 0 && (slots_by_mark(s, w, SLOT_MARKED) & free) != 0) return true;
    }
    return false;
}

/* ---- step 3: the dead ------------------------------------------------------------------------ */

static void clobber(uintptr_t base, size_t size)
{
    for (uint64_t *p = (uint64_t *)base; p < (uint64_t *)(base + size); p++)
        *p = HEAP_CLOBBER;
}

/* What of the slot is beyond the object is closed already. */
static void clobber_dead(uintptr_t base, size_t size)
{
    if (heap->params.poison) poison_open(base, size);
    clobber(base, size);
    atomic_fetch_add_relaxed(&heap->debug.clobbered, 1);
}

static void visit_dead(struct span *s)
{
    size_t size = span_elem_size(s);
    for (uint32_t i = 0; i < s->nelems; i++) {
        uintptr_t base = span_slot(s, i);
        if (span_is_marked(s, i) || !span_is_slot_allocated(s, i)) continue;
        if (heap->params.trace_frees && heap->hooks.freed != NULL) heap->hooks.freed(s, base, size);
        if (heap->params.clobber_free) clobber_dead(base, size);
        if (!heap->params.poison) continue;
        poison_close(base, size);
        atomic_fetch_add_relaxed(&heap->debug.poisoned, 1);
    }
}

static bool dead_are_visited(void)
{
    const struct heap_params *p = &heap->params;
    return unlikely(p->clobber_free || p->trace_frees || p->poison);
}

/* ---- step 4: who survives -------------------------------------------------------------------- */

/* c: where an allocating P counts without atomics; NULL: nowhere. */
static void count_freed(const struct span *s, uint32_t freed, struct mcache *c)
{
    unsigned class = span_class_size_class(s->span_class);
    if (freed == 0) return;
    if (!span_is_large(s) && c != NULL) {
        c->small_free_count[class] += freed;
        return;
    }
    if (!span_is_large(s)) {
        atomic_fetch_add_relaxed(&heap->classes[class].frees, freed);
        return;
    }
    atomic_fetch_add_relaxed(&heap->large_frees, 1);
    atomic_fetch_add_relaxed(&heap->large_free_bytes, s->npages << PAGE_SHIFT);
}

/* Sets the marks of the slots of word w: those of live are white, the others closed. */
static void reset_marks(struct span *s, uint32_t w, uint64_t live)
{
    uint8_t *marks = s->marks + w * (size_t)64;
    if (live == 0) {
        memset(marks, SLOT_CLOSED, INLINE_MARKS);
        if (s->marks != s->inline_marks)
            memset(marks + INLINE_MARKS, SLOT_CLOSED, 64 - INLINE_MARKS);
        return;
    }
    for (size_t i = 0; i < marks_per_word(s); i += 8) {
        uint64_t m = bits_to_bytes(~live >> i & 0xff);
        memcpy(marks + i, &m, 8);
    }
}

/* Makes allocation bits and marks of what survives.  Returns how many do. */
static uint32_t renew_bits(struct span *s)
{
    uint32_t n = 0, words = gcbits_words(s->nelems);
    for (uint32_t w = 0; w < words; w++) {
        uint64_t live = slots_by_mark(s, w, SLOT_MARKED | SLOT_CLOSED);
        live &= ~span_free_slots(s, w, s->free_index);
        if (w == s->nelems / 64) live &= ((uint64_t)1 << s->nelems % 64) - 1;
        s->alloc_bits[w] = live;
        reset_marks(s, w, live);
        n += bits_popcount64(live);
    }
    return n;
}

/* Is there a slot that the cycle marked, or that was allocated black?  Whoever does either notes
 * it, at a page of the slot or at the span's first.  true also when the stamp is 256 cycles old. */
static bool span_has_marks(const struct span *s)
{
    uint8_t stamp = arena_stamp(heap_sweepgen() - 2);
    size_t pages = span_is_large(s) ? 1 : s->npages;
    for (size_t i = 0; i < pages; i++) {
        uintptr_t page = s->base + (i << PAGE_SHIFT);
        if (atomic_load_relaxed(&arena_of(page)->mark_stamp[arena_page_index(page)]) == stamp)
            return true;
    }
    return false;
}

/* The same of a span in which nothing survives, which is what most spans of a young heap are. */
static void renew_empty(struct span *s)
{
    assert_that(renew_bits(s) == 0);
    race_hide();
    memset(s->alloc_bits, 0, gcbits_words(s->nelems) * sizeof s->alloc_bits[0]);
    memset(s->marks, SLOT_CLOSED, span_mark_bytes(s));
    race_show();
}

static void renew(struct span *s, bool marks, struct mcache *c)
{
    uint32_t live = 0;
    if (marks)
        live = renew_bits(s);
    else
        renew_empty(s);
    if (live > s->alloc_count) {
        span_print(s);
        throw_msg("sweep found more marked slots than were allocated");
    }
    uint32_t freed = s->alloc_count - live;
    s->alloc_count = (uint16_t)live;
    s->free_index = 0;
    if (freed != 0) s->need_zero = 1;
    count_freed(s, freed, c);
}

/* ---- step 5: where it goes ------------------------------------------------------------------- */

static bool place_swept(struct span *s, enum sweep_mode mode, uint32_t g)
{
    bool empty = s->alloc_count == 0;
    if (mode == SWEEP_RECLAIM && empty) span_free_pages(s);
    /* Out of turn, whoever pops s owns it from here on: no access after this store.  Release pairs
     * with wait_swept and sweeper_takes. */
    atomic_store_release(&s->sweepgen, g);
    if (mode == SWEEP_PUT) mcentral_put_swept(s);
    return empty && (mode == SWEEP_PUT || mode == SWEEP_RECLAIM);
}

/* What is empty is about to give its block back. */
static bool is_to_settle(const struct span *s)
{
    return s->bits != NULL && s->alloc_count != 0 && gcbits_are_scattered(s->bits_words);
}

static bool sweep_claimed(struct sweeper *w, struct span *s, enum sweep_mode mode)
{
    uint32_t g = heap_sweepgen();
    if (s->state != SPAN_IN_USE || atomic_load_relaxed(&s->sweepgen) != g - 1) {
        span_print(s);
        throw_msg("sweep of a span that is not claimed");
    }
    w->spans++;
    w->pages += (uint32_t)s->npages;
    bool marks = span_has_marks(s);
    /* Relaxed: specials are added to swept spans only, so this list is as marking left it. */
    if (atomic_load_relaxed(&s->specials) != NULL) {
        sweep_specials(s);
        marks = true; /* it may have kept some */
    }
    if (marks && unlikely(has_zombies(s))) report_zombies(s);
    if (dead_are_visited()) visit_dead(s);
    renew(s, marks, w->cache);
    w->survived += s->alloc_count * span_elem_size(s);
    if (unlikely(is_to_settle(s))) span_settle(s);
    return place_swept(s, mode, g);
}

bool span_sweep(struct span *s, enum sweep_mode mode, enum sweep_reason why)
{
    struct sweeper w = { .why = why };
    bool freed = sweep_claimed(&w, s, mode);
    count_swept(&w);
    return freed;
}

static bool is_swept(const struct span *s, uint32_t g)
{
    /* Acquire pairs with place_swept, mcentral_cache_spans and uncache. */
    uint32_t is = atomic_load_acquire(&s->sweepgen);
    return is == g || is == g + 3;
}

bool span_ensure_swept(struct span *s)
{
    uint32_t g = heap_sweepgen();
    if (likely(is_swept(s, g))) return true;
    if (span_sweep_claim(s))
        span_sweep(s, SWEEP_IN_PLACE, SWEPT_DEMAND);
    else
        wait_swept(s);
    return is_swept(s, g);
}

/* The record's second line, the marks, the stamp.  Of one that another has claimed out of turn, and
 * sweeps or has freed, `marks` may be out of date: then the hint is useless and no more.  Its
 * record and `base` stay, for who popped it frees the record. */
void sweeper_fetch(struct span *const *spans, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        const struct span *s = spans[i];
        const uint8_t *marks = atomic_load_relaxed(&s->marks);
        arch_prefetch(s->inline_marks);
        if (marks != s->inline_marks) arch_prefetch(marks);
        arch_prefetch(&arena_of(s->base)->mark_stamp[arena_page_index(s->base)]);
    }
}

bool sweeper_takes(struct sweeper *w, struct span *s)
{
    if (span_sweep_claim(s)) {
        sweep_claimed(w, s, SWEEP_PRESERVE);
        return true;
    }
    wait_swept(s);
    if (s->state != SPAN_DEAD) return true;
    span_free_tombstone(s);
    return false;
}

/* ---- sweeping along -------------------------------------------------------------------------- */

/* The unswept sets in the order in which they are emptied. */
static struct span_set *unswept_set(uint32_t i, uint32_t g)
{
    struct mcentral *m = &heap->central[i / 2];
    return i % 2 == 0 ? mcentral_full_unswept(m, g) : mcentral_partial_unswept(m, g);
}

/* Pops from the sets, and moves the shared cursor past those that are empty: at once past all,
 * since most are.  0: all are empty. */
static unsigned pop_unswept(struct span **spans, unsigned most)
{
    uint32_t g = heap_sweepgen(), n = 0;
    uint32_t from = atomic_load_relaxed(&heap->sweep_cursor); /* a stale one only looks again */
    uint32_t i = from;
    for (; i < 2 * SPAN_CLASSES; i++) {
        struct span_set *set = unswept_set(i, g);
        if (!spanset_empty(set) && (n = spanset_pop_many(set, spans, most)) != 0) break;
    }
    if (i != from) (void)atomic_cas_relaxed(&heap->sweep_cursor, &from, i); /* moved on: as good */
    return n;
}

static void sweep_in_turn(struct sweeper *w, struct span *s)
{
    if (!sweeper_takes(w, s)) return; /* reclaimed and counted before */
    if (s->alloc_count == 0) w->freed_pages += (uint32_t)s->npages;
    mcentral_put_swept(s);
}

unsigned heap_sweep_some(unsigned most, enum sweep_reason why)
{
    struct sweeper w;
    struct span *spans[SPANSET_MANY];
    if (!sweeper_enter(&w, why, NULL)) return 0;
    unsigned n = pop_unswept(spans, most);
    sweeper_fetch(spans, n);
    for (unsigned i = 0; i < n; i++)
        sweep_in_turn(&w, spans[i]);
    if (n == 0) atomic_fetch_or_relaxed(&heap->sweepers, SWEEP_DRAINED);
    if (w.freed_pages != 0) atomic_fetch_add_relaxed(&heap->sweep.credit, w.freed_pages);
    sweeper_leave(&w);
    return n;
}

/* ---- reclaiming pages ------------------------------------------------------------------------ */

/* Has the span that begins at a page the stamp of those in which something was marked, at one of
 * the pages that may carry it?  s is not looked into: it may be freed meanwhile. */
static bool carries_stamp(const struct arena *a, size_t page, const struct span *s, uint8_t marked)
{
    size_t end = page + SLOT_PAGES_MAX;
    for (size_t i = page; i < end && i < PAGES_PER_ARENA && atomic_load_relaxed(&a->spans[i]) == s;
         i++)
        if (atomic_load_relaxed(&a->mark_stamp[i]) == marked) return true;
    return false;
}

/* The candidates of one word of an arena's bitmap: in-use spans in which nothing was marked.
 * `marked`: the stamp of those in which something was. */
static void reclaim_word(struct sweeper *w, struct arena *a, size_t word, uint8_t marked)
{
    uint64_t bits = atomic_load_relaxed(&a->in_use_pages[word]);
    for (; bits != 0; bits &= bits - 1) {
        size_t page = word * 64 + bits_ctz64(bits);
        struct span *s = atomic_load_acquire(&a->spans[page]);
        if (s == NULL || carries_stamp(a, page, s, marked)) continue;
        if (!span_sweep_claim(s)) continue; /* freed meanwhile, or another's */
        uint32_t npages = (uint32_t)s->npages;
        if (sweep_claimed(w, s, SWEEP_RECLAIM)) w->freed_pages += npages;
    }
}

/* Up to npages that this sweep freed and nobody asked for.  They may be in use again: then the heap
 * grows by as much, which is what the credit was for. */
static size_t take_credit(size_t npages)
{
    uint64_t credit = atomic_load_relaxed(&heap->sweep.credit), left;
    do {
        if (credit == 0) return 0;
        left = credit > npages ? credit - npages : 0;
    } while (!atomic_cas_relaxed(&heap->sweep.credit, &credit, left));
    atomic_fetch_add_relaxed(&heap->sweep.credit_taken, credit - left);
    return credit - left;
}

static size_t reclaim_pages(size_t npages)
{
    struct sweeper w;
    if (!sweeper_enter(&w, SWEPT_RECLAIM, NULL)) return 0;
    uint64_t words = arena_count() * ARENA_BITMAP_WORDS;
    uint8_t marked = arena_stamp(heap_sweepgen() - 2);
    while (w.freed_pages < npages) {
        uint64_t i = atomic_fetch_add_relaxed(&heap->reclaim_cursor, 1);
        if (i >= words) break;
        reclaim_word(&w, arena_at(i / ARENA_BITMAP_WORDS), i % ARENA_BITMAP_WORDS, marked);
    }
    if (w.freed_pages != 0) atomic_fetch_add_relaxed(&heap->sweep.reclaimed, w.freed_pages);
    if (w.freed_pages > npages)
        atomic_fetch_add_relaxed(&heap->sweep.credit, w.freed_pages - npages);
    sweeper_leave(&w);
    return w.freed_pages;
}

size_t heap_sweep_reclaim(size_t npages)
{
    size_t taken = take_credit(npages);
    return taken == npages ? taken : taken + reclaim_pages(npages - taken);
}

/* ---- pace ------------------------------------------------------------------------------------ */

#define PACE_SHIFT 32 /* pages for each byte, in 2^-32 */

static void set_pace(void)
{
    uint64_t live = heap_live(), swept = atomic_load_relaxed(&heap->sweep.pages);
    uint64_t end = atomic_load_relaxed(&heap->pace.end);
    uint64_t trigger = atomic_load_relaxed(&heap->pace.trigger);
    uint64_t left = end > swept ? end - swept : 0;
    uint64_t room = trigger > live ? trigger - live : 0;
    room -= room / 32 < MB ? room / 32 : MB;
    if (room < 64 * KB) room = 64 * KB;
    /* Relaxed, all three: Note [Sweep pace]. */
    atomic_store_relaxed(&heap->pace.basis_live, live);
    atomic_store_relaxed(&heap->pace.basis_pages, swept);
    atomic_store_relaxed(&heap->pace.rate, (left << PACE_SHIFT) / room);
}

void heap_sweep_pace(uint64_t trigger)
{
    atomic_store_relaxed(&heap->pace.trigger, trigger);
    set_pace();
}

void heap_sweep_pace_begin_stw(void)
{
    heap->pace.end = heap->sweep.pages + (heap->in_use >> PAGE_SHIFT);
    set_pace();
}

int64_t heap_sweep_debt(void)
{
    if ((atomic_load_relaxed(&heap->sweepers) & SWEEP_DRAINED) != 0) return 0;
    int64_t charged = (int64_t)(heap_live() - atomic_load_relaxed(&heap->pace.basis_live));
    uint64_t swept = atomic_load_relaxed(&heap->sweep.pages);
    if (charged <= 0) return 0;
    unsigned __int128 due = (unsigned __int128)charged * atomic_load_relaxed(&heap->pace.rate);
    return (int64_t)(due >> PACE_SHIFT) -
           (int64_t)(swept - atomic_load_relaxed(&heap->pace.basis_pages));
}

/* ---- counts ---------------------------------------------------------------------------------- */

void heap_read_sweep_counts(struct sweep_counts *out)
{
    for (int i = 0; i < SWEEP_REASONS; i++)
        out->spans[i] = atomic_load_relaxed(&heap->sweep.spans[i]);
    out->pages = atomic_load_relaxed(&heap->sweep.pages);
    out->reclaimed = atomic_load_relaxed(&heap->sweep.reclaimed);
    out->credit = atomic_load_relaxed(&heap->sweep.credit);
    out->credit_taken = atomic_load_relaxed(&heap->sweep.credit_taken);
}
