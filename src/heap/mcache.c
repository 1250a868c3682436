/* A P's allocation cache.
 *
 * The open window of class spc is word next_window[spc] - 1 of the span's allocation bits;
 * classes[spc] and held[spc] have its free slots as set bits.  Slots of windows before it are
 * allocated.  So the state of every slot follows from next_window and the lowest of these bits, and
 * the fast path writes one word only.  mcache_publish turns that into free_index for everybody else
 * (Note [Slots and windows]).
 *
 * A window of slots up to BITMAP_MAX is zeroed when it is opened, and so are the pointer bits of
 * its slots: in runs, which is cheaper than slot by slot, brings the memory near, and leaves the
 * fast path nothing to zero.  Spans that were never used and are known to be zero are left alone.
 * Larger slots are zeroed one by one as they are taken: a window of them is larger than the nearest
 * cache.
 *
 * Note [Unzeroed windows].  Who asks for memory with any bytes in it (gort_alloc_uninit) should not
 * pay for zeroing, and nobody else for asking.  A window that is opened on behalf of such a call
 * stays as it was, and its slots are offered in fast.unzeroed instead of fast.classes, where only
 * such calls look.  The first other allocation of the class finds no slot there, and its slow path
 * zeroes what is left of the window and offers it to all.  So a window changes sides once at most,
 * its slots are always in one place, and are taken from the lowest up, whoever takes them.
 *
 * heap_live is charged for all free slots of a span when it is opened, so that the fast path need
 * not count; what is unused is given back when the span is returned, unless a cycle ended in
 * between, which set heap_live to what was marked.  Charges gather in the cache up to
 * MCACHE_LIVE_STEP; the refill that adds them to heap_live looks whether a collection is due.
 * Where another thread publishes them, the next refill looks: else who reads statistics often
 * enough would never collect.
 *
 * Note [Black slots].  While marking runs beside the program, what is allocated is black, and never
 * scanned: its pointers are to objects that were reachable when marking began, or are black too
 * (Note [Snapshot] in gc/cycle.c).  The fast path must not pay for that, and does not: free slots
 * are closed to marks (Note [Marks] in heap_data.h), and while marking is on a window that is
 * opened stays so.  Those of windows that are open when marking begins are closed in that stop.
 * Whatever meets a word into such a slot takes it for marked, be it allocated by then or not.  The
 * slots are counted as marked when their window is opened; those that nobody took are taken off
 * again when it is given up, at the latest in the stop that ends marking.  The current tiny block
 * is marked too, for there is room in it.
 *
 * Note [Classes in use].  A program uses few of the classes, and a stop goes through the caches of
 * all Ps several times.  `used` has a bit for each class of which the cache may hold anything, be
 * it a span, a batch or a count: it is set before a refill asks for the first span, and cleared
 * when all has been given back.
 *
 * Invariants:
 *   1. spans[i] is the sentinel, or an in-use span with sweepgen g + 3 (g + 1 after the
 *      generation rose), in no set, and in no other cache; so are those of the batches, of which
 *      the ready ones were not opened yet, and the used ones have no free slot;
 *   2. the bits of the open window are free slots of the span, not below its free_index;
 *   3. a held slot lies above every offered one; free slots up to BITMAP_MAX are zero, unless the
 *      window is unzeroed, and so are their pointer bits but for what an interrupted fast path left
 *      (Note [Inline allocation] in inline.h);
 *   4. the sentinel's window is empty;
 *   5. an unzeroed window has no pointers, and offers nothing in fast.classes; any other nothing in
 *      fast.unzeroed;
 *   6. of a class that is not in `used` there is no span, batch or count.
 *
 * Locking: none; whoever owns the P.  Answers to: mcache.go.
 * SPDX-License-Identifier: BSD-3-Clause
 */
#include "heap/mcache.h"

#include <string.h>

#include "base/assert.h"
#include "heap/heap.h"
#include "heap/pagebits.h"
#include "heap/poison.h"

#define SAMPLE_RATE_MAX ((uint64_t)1 << 40) /* products stay below 2^63 */

/* How many words of allocation bits the span has. */
static unsigned window_count(const struct span *s)
{
    return gcbits_words(s->nelems);
}

static void set_empty(struct mcache *c, unsigned spc)
{
    c->spans[spc] = &span_empty;
    c->next_window[spc] = 0;
    c->held[spc] = 0;
    c->unzeroed[spc] = false;
    c->fast.classes[spc] = (struct gort_cache_class){ 0, NULL };
    if (span_class_noscan(spc)) c->fast.unzeroed[spc >> 1] = (struct gort_cache_class){ 0, NULL };
}

/* Where the slots of the open window are offered. */
static struct gort_cache_class *offered(struct mcache *c, unsigned spc)
{
    return c->unzeroed[spc] ? &c->fast.unzeroed[spc >> 1] : &c->fast.classes[spc];
}

/* Free slots of the open window. */
static uint64_t open_slots(const struct mcache *c, unsigned spc)
{
    uint64_t free = c->fast.classes[spc].free | c->held[spc];
    return span_class_noscan(spc) ? free | c->fast.unzeroed[spc >> 1].free : free;
}

void mcache_init(struct mcache *c)
{
    static uint64_t caches; /* atomic; a stream of random numbers each */
    memset(c, 0, sizeof(*c));
    random_init(&c->random, 5000 + atomic_fetch_add_relaxed(&caches, 1));
    for (unsigned i = 0; i < SPAN_CLASSES; i++)
        set_empty(c, i);
    atomic_store_relaxed(&c->flush_gen, heap_sweepgen());
    mcache_observe_stw(c);
}

/* Note [Classes in use]. */
static force_inline void each_used(struct mcache *c, void (*fn)(struct mcache *c, unsigned spc))
{
    for (unsigned w = 0; w < array_len(c->used); w++)
        for (uint64_t left = c->used[w]; left != 0; left &= left - 1)
            fn(c, w * 64 + bits_ctz64(left));
}

static bool is_used(const struct mcache *c, unsigned spc)
{
    return (c->used[spc / 64] >> spc % 64 & 1) != 0;
}

/* ---- windows --------------------------------------------------------------------------------- */

/* n slots of s from slot `first` on are about to be offered. */
static void zero_run(const struct span *s, uint32_t first, uint32_t n)
{
    uintptr_t base = span_slot(s, first);
    size_t size = (size_t)n * s->elem_size;
    if (unlikely(heap->params.poison)) poison_open(base, size);
    memset((void *)base, 0, size);
    if (unlikely(heap->params.poison)) poison_close(base, size);
    if (s->layout != LAYOUT_BITMAP) return;
    uint32_t words = s->elem_size / WORD_SIZE, bit = first * words, end = bit + n * words;
    uint64_t *bitmap = span_pointer_bitmap(s);
    for (; bit < end; bit = (bit / 64 + 1) * 64) {
        uint32_t in_word = 64 - bit % 64, left = end - bit;
        bitmap[bit / 64] &= ~bits_mask(bit % 64, left < in_word ? left : in_word);
    }
}

static void zero_window(const struct span *s, uint32_t window, uint64_t free)
{
    while (free != 0) {
        unsigned first = bits_ctz64(free);
        uint64_t rest = ~(free >> first);
        unsigned n = rest == 0 ? 64 : bits_ctz64(rest);
        zero_run(s, window * 64 + first, n);
        free &= ~bits_mask(first, n);
    }
}

/* ---- marks of windows: Note [Marks] in heap_data.h ------------------------------------------- */

/* Slots of the open window that nobody took can not be marked. */
static void close_to_marks(struct mcache *c, unsigned spc)
{
    uint64_t slots = open_slots(c, spc);
    if (slots == 0) return;
    uint8_t *marks = c->spans[spc]->marks + (c->next_window[spc] - 1u) * (size_t)64;
    for (; slots != 0; slots &= slots - 1)
        atomic_store_relaxed(&marks[bits_ctz64(slots)], (uint8_t)SLOT_CLOSED);
}

void mcache_close_stw(struct mcache *c)
{
    each_used(c, close_to_marks);
}

static void add_black(struct mcache *c, const struct span *s, int64_t n)
{
    c->black_objects += (uint64_t)n;
    c->black_bytes += (uint64_t)(n * s->elem_size);
}

/* The free slots of the open window count as black objects. */
static void count_black(struct mcache *c, unsigned spc)
{
    uint64_t slots = open_slots(c, spc);
    if (slots == 0) return;
    span_note_mark(c->spans[spc]);
    add_black(c, c->spans[spc], (int64_t)bits_popcount64(slots));
}

/* They do not any more. */
static void uncount_black(struct mcache *c, unsigned spc)
{
    uint64_t slots = open_slots(c, spc);
    if (slots != 0) add_black(c, c->spans[spc], -(int64_t)bits_popcount64(slots));
}

/* The window's free slots are about to be offered. */
static void open_to_marks(struct mcache *c, struct span *s, unsigned window, uint64_t free)
{
    uint8_t *marks = s->marks + (size_t)window * 64;
    unsigned n = s->nelems - window * 64u;
    if (heap_marking()) { /* they stay closed: black */
        span_note_mark(s);
        add_black(c, s, (int64_t)bits_popcount64(free));
    } else if (likely(n >= 64)) {
        memset(marks, SLOT_WHITE, 64);
    } else {
        memset(marks, SLOT_WHITE, n);
    }
}

/* Objects may still be packed into the current tiny block, whatever becomes of those that are in
 * it. */
static void blacken_tiny_block(struct mcache *c)
{
    uintptr_t block = c->fast.tiny & (((uint64_t)1 << GORT_TINY_COUNT_SHIFT) - 1);
    struct span *s;
    uint32_t i;
    uintptr_t base;
    if (block == 0 || !span_find_object(block - 1, &s, &i, &base) || !span_mark(s, i)) return;
    span_note_mark(s);
    add_black(c, s, 1);
}

void mcache_mark_begin_stw(struct mcache *c)
{
    c->black_bytes = c->black_objects = 0;
    c->assist_bytes = 0;
    blacken_tiny_block(c);
    each_used(c, count_black);
}

void mcache_mark_end_stw(struct mcache *c, uint64_t *bytes, uint64_t *objects)
{
    each_used(c, uncount_black);
    *bytes += c->black_bytes;
    *objects += c->black_objects;
    c->black_bytes = c->black_objects = 0;
}

void mcache_large_allocated(struct mcache *c, struct span *s)
{
    if (likely(!heap_marking())) return;
    span_note_mark(s);
    (void)span_mark(s, 0);
    c->black_objects++;
    c->black_bytes += s->npages << PAGE_SHIFT;
    c->assist_bytes += (int64_t)(s->npages << PAGE_SHIFT);
}

/* ---- windows, opened ------------------------------------------------------------------------- */

bool mcache_next_window(struct mcache *c, unsigned spc)
{
    struct span *s = c->spans[spc];
    assert_that(open_slots(c, spc) == 0);
    for (unsigned w = c->next_window[spc]; w < window_count(s); w++) {
        uint64_t free = span_free_slots(s, w, s->free_index);
        if (free == 0) continue;
        open_to_marks(c, s, w, free);
        c->next_window[spc] = (uint8_t)(w + 1);
        c->fast.classes[spc].base = (char *)s->base + (size_t)w * 64 * s->elem_size;
        c->held[spc] = free;
        bool old_bytes = s->need_zero && s->elem_size <= BITMAP_MAX;
        if (old_bytes && !span_is_noscan(s)) zero_window(s, w, free);
        c->unzeroed[spc] = old_bytes && span_is_noscan(s);
        c->windows++;
        return true;
    }
    c->next_window[spc] = (uint8_t)window_count(s);
    return false;
}

/* The first slot that the cache has not handed out: slots below are allocated. */
static uint16_t first_unused(const struct mcache *c, unsigned spc)
{
    const struct span *s = c->spans[spc];
    uint64_t free = open_slots(c, spc);
    unsigned past = c->next_window[spc] * 64u;
    if (free != 0) return (uint16_t)(past - 64 + bits_ctz64(free));
    if (past > s->nelems) return s->nelems;
    return (uint16_t)(past > s->free_index ? past : s->free_index);
}

/* Brings free_index and alloc_count up to date, and counts the slots taken since the last time. */
static void publish_class(struct mcache *c, unsigned spc)
{
    struct span *s = c->spans[spc];
    if (s == &span_empty) return;
    uint16_t first = first_unused(c, spc);
    uint16_t allocated = (uint16_t)(s->nelems - span_count_free_from(s, first));
    check(allocated >= s->alloc_count);
    c->small_alloc_count[span_class_size_class(spc)] += allocated - s->alloc_count;
    s->alloc_count = allocated;
    atomic_store_relaxed(&s->free_index, first); /* read by markers, who start after this thread's
                                                  * stop, or see an older one: sound */
}

/* Bytes of the span's slots that nobody took; alloc_count is up to date. */
static int64_t unused_bytes(const struct span *s)
{
    return (int64_t)(s->nelems - s->alloc_count) * s->elem_size;
}

/* ---- heap_live ------------------------------------------------------------------------------- */

static void charge(struct mcache *c, int64_t bytes)
{
    c->live += bytes;
    if (heap_marking()) c->assist_bytes += bytes;
}

static void publish_live(struct mcache *c)
{
    heap_live_add(c->live);
    c->live = 0;
}

/* ---- batches --------------------------------------------------------------------------------- */

/* How many spans of the class a batch may have. */
static unsigned batch_limit(unsigned spc)
{
    const struct size_class *row = span_class_row(spc);
    unsigned by_bytes = MCACHE_BATCH_BYTES / (row->npages[span_class_noscan(spc)] * PAGE_BYTES);
    unsigned by_slots = MCACHE_BATCH_SLOTS / row->nelems[0];
    unsigned n = by_bytes < by_slots ? by_bytes : by_slots;
    return n == 0 ? 1 : n;
}

static struct span *list_pop(struct span **list)
{
    struct span *s = *list;
    *list = s->cache_next;
    s->cache_next = NULL;
    return s;
}

static void list_push(struct span **list, struct span *s)
{
    s->cache_next = *list;
    *list = s;
}

/* Empties a list into the central sets. */
static void return_list(struct span **list, uint8_t *length, bool full)
{
    struct span *spans[SPANSET_MANY];
    unsigned n = *length;
    if (n == 0) return;
    for (unsigned i = 0; i < n; i++)
        spans[i] = list_pop(list);
    check(*list == NULL);
    *length = 0;
    mcentral_uncache_many(spans, n, full);
}

static void return_batch(struct mcache *c, unsigned spc)
{
    struct span_batch *b = &c->batches[spc];
    return_list(&b->used, &b->nused, true);
    return_list(&b->ready, &b->nready, false);
}

/* Asks for a batch, and for a larger one next time. */
static bool fetch_batch(struct mcache *c, unsigned spc)
{
    struct span *spans[SPANSET_MANY];
    struct span_batch *b = &c->batches[spc];
    unsigned limit = batch_limit(spc), size = b->size == 0 ? 1 : b->size;
    bool swept;
    unsigned n = mcentral_cache_spans(c, spc, spans, size, &swept);
    b->size = (uint8_t)(2 * size < limit ? 2 * size : limit);
    b->swept = swept;
    b->nready = (uint8_t)n;
    while (n > 0) /* the first is taken first */
        list_push(&b->ready, spans[--n]);
    return b->nready != 0;
}

/* A span for the cache to open; NULL: no memory. */
static struct span *next_span(struct mcache *c, unsigned spc)
{
    struct span_batch *b = &c->batches[spc];
    if (b->nready == 0 && !fetch_batch(c, spc)) return NULL;
    struct span *s = list_pop(&b->ready);
    check(s->sweepgen == heap_sweepgen() + 3); /* caches are flushed before they allocate again */
    b->nready--;
    c->refills_swept += b->swept;
    return s;
}

/* Of a span all slots of which were taken. */
static void keep_used(struct mcache *c, struct span *s)
{
    struct span_batch *b = &c->batches[s->span_class];
    list_push(&b->used, s);
    if (++b->nused >= batch_limit(s->span_class)) return_list(&b->used, &b->nused, true);
}

/* ---- refill ---------------------------------------------------------------------------------- */

/* Gives the current span up.  Slots are left only when the caller did not use it up. */
static void retire_current(struct mcache *c, unsigned spc)
{
    struct span *s = c->spans[spc];
    if (s == &span_empty) return;
    publish_class(c, spc);
    set_empty(c, spc);
    bool stale = atomic_load_relaxed(&s->sweepgen) != heap_sweepgen() + 3;
    if (!stale) charge(c, -unused_bytes(s));
    if (stale || s->alloc_count < s->nelems)
        mcentral_uncache_span(s);
    else
        keep_used(c, s);
}

bool mcache_refill_span(struct mcache *c, unsigned spc)
{
    check(open_slots(c, spc) == 0);
    c->used[spc / 64] |= (uint64_t)1 << spc % 64;
    retire_current(c, spc);
    struct span *s = next_span(c, spc);
    if (s == NULL) return false;
    c->spans[spc] = s;
    c->next_window[spc] = (uint8_t)(s->free_index / 64);
    c->refills++;
    charge(c, unused_bytes(s));
    bool open = mcache_next_window(c, spc);
    check(open);
    return true;
}

/* ---- observing ------------------------------------------------------------------------------- */

/* -log2 of a random number in (0, 1], in 1/2^16: the position of its highest bit, and for what
 * follows it a parabola that is off by at most a hundredth. */
static uint64_t random_log2(struct random *r)
{
    uint64_t u = random_next(r) | 1;
    unsigned zeros = bits_clz64(u);
    uint64_t f = zeros == 63 ? 0 : (u << (zeros + 1)) >> 48;
    uint64_t log = f * (4 * 65536 - f) / (3 * 65536);
    return ((uint64_t)(zeros + 1) << 16) - log;
}

/* Bytes to the next sample: exponentially distributed around the rate, so that every byte is as
 * likely to be the sampled one, whatever the pattern of allocation. */
static int64_t next_sample(struct mcache *c)
{
    uint64_t rate = heap->observe.rate;
    if (rate == 0) return INT64_MAX;
    if (rate > SAMPLE_RATE_MAX) rate = SAMPLE_RATE_MAX;
    uint64_t ln = random_log2(&c->random) * 45426 >> 16; /* ln 2 * 2^16 */
    return (int64_t)(ln * rate >> 16) + 1;
}

void heap_set_observe_stw(struct heap_observe o)
{
    heap->observe = o;
}

/* Takes back what the fast path was offered and will not use. */
static void withdraw(struct mcache *c, unsigned spc)
{
    struct gort_cache_class *open = offered(c, spc);
    if (c->sample_left != INT64_MAX)
        c->sample_left += (int64_t)(bits_popcount64(open->free) * c->spans[spc]->elem_size);
    c->held[spc] |= open->free;
    open->free = 0;
}

/* Counts the tiny objects of the current block. */
static void count_tiny(struct mcache *c)
{
    c->tiny_allocs += c->fast.tiny >> GORT_TINY_COUNT_SHIFT;
    c->fast.tiny &= ((uint64_t)1 << GORT_TINY_COUNT_SHIFT) - 1;
}

void mcache_observe_stw(struct mcache *c)
{
    for (unsigned i = 0; i < SPAN_CLASSES; i++)
        withdraw(c, i);
    if (heap->observe.every) { /* none out of the current block */
        count_tiny(c);
        c->fast.tiny = 0;
    }
    c->sample_left = next_sample(c);
}

/* What is left of held without its n lowest; *bytes: of these. */
static uint64_t withhold(uint64_t held, int64_t n, int64_t *bytes, int64_t size)
{
    *bytes = n * size;
    for (; n > 0; n--)
        held &= held - 1;
    return held;
}

/* Offers the fast path the held slots of the window before the next one that must be seen. */
static void offer(struct mcache *c, unsigned spc)
{
    uint64_t held = c->held[spc], kept = 0;
    if (unlikely(heap->observe.every)) return;
    if (c->sample_left != INT64_MAX) {
        int64_t size = c->spans[spc]->elem_size, all = (int64_t)bits_popcount64(held) * size;
        if (unlikely(all > c->sample_left))
            kept = withhold(held, c->sample_left / size, &all, size);
        c->sample_left -= all;
    }
    struct gort_cache_class *to = offered(c, spc);
    to->base = c->fast.classes[spc].base;
    to->free = held & ~kept;
    c->held[spc] = kept;
}

/* What is left of the open window shall be zero. */
static void zero_rest(struct mcache *c, unsigned spc)
{
    if (!c->unzeroed[spc]) return;
    withdraw(c, spc);
    zero_window(c->spans[spc], c->next_window[spc] - 1u, c->held[spc]);
    c->unzeroed[spc] = false;
}

/* The lowest held slot is to be seen. */
static uintptr_t take_held(struct mcache *c, unsigned spc)
{
    uint64_t held = c->held[spc];
    c->held[spc] = held & (held - 1);
    c->samples++;
    c->sample_left = next_sample(c);
    size_t size = c->spans[spc]->elem_size;
    uintptr_t x = (uintptr_t)c->fast.classes[spc].base + (uintptr_t)bits_ctz64(held) * size;
    if (unlikely(heap->params.poison)) poison_open(x, size);
    return x;
}

bool mcache_observe_bytes(struct mcache *c, size_t bytes)
{
    if (!heap->observe.every) {
        if (c->sample_left == INT64_MAX) return false;
        if (bytes < (uint64_t)c->sample_left) {
            c->sample_left -= (int64_t)bytes;
            return false;
        }
        c->sample_left = next_sample(c);
    }
    c->samples++;
    return true;
}

/* ---- slow allocation ------------------------------------------------------------------------- */

/* Sees to it that the open window has a free slot.  false: no memory. */
static bool open_some(struct mcache *c, unsigned spc, struct mcache_notes *notes)
{
    if (open_slots(c, spc) != 0 || mcache_next_window(c, spc)) return true;
    if (!mcache_refill_span(c, spc)) return false;
    if (c->live >= MCACHE_LIVE_STEP || c->unseen) {
        publish_live(c);
        c->unseen = false;
        notes->charged = true;
    }
    return true;
}

/* From the open window, of which nothing is offered unless to others. */
static uintptr_t take_open(struct mcache *c, unsigned spc, struct mcache_notes *notes)
{
    struct gort_cache_class *from = offered(c, spc);
    if (from->free == 0) offer(c, spc);
    uintptr_t x = mcache_take_from(from, span_class_elem_size(spc));
    if (likely(x != 0)) return x;
    notes->observe = true;
    return take_held(c, spc);
}

uintptr_t mcache_alloc_slow(struct mcache *c, unsigned spc, struct mcache_notes *notes)
{
    assert_that(c->fast.classes[spc].free == 0);
    if (!open_some(c, spc, notes)) return 0;
    zero_rest(c, spc);
    return take_open(c, spc, notes);
}

/* The first slot of the span that will be opened next. */
static void fetch_ready(const struct mcache *c, unsigned spc)
{
    const struct span *s = c->batches[spc].ready;
    if (s == NULL) return;
    uint32_t w = s->free_index / 64;
    uint64_t free = span_free_slots(s, w, s->free_index);
    if (free != 0) arch_prefetch((void *)span_slot(s, w * 64 + bits_ctz64(free)));
}

uintptr_t mcache_alloc_unzeroed_slow(struct mcache *c, unsigned spc, struct mcache_notes *notes)
{
    assert_that(span_class_noscan(spc));
    if (!open_some(c, spc, notes)) return 0;
    uintptr_t x = take_open(c, spc, notes);
    mcache_fetch_next(offered(c, spc), span_class_elem_size(spc));
    fetch_ready(c, spc);
    return x;
}

/* ---- tiny blocks ----------------------------------------------------------------------------- */

/* Bytes left in the current block. */
static size_t tiny_left(const struct mcache *c)
{
    return -c->fast.tiny & (TINY_BYTES - 1);
}

void mcache_offer_tiny(struct mcache *c, uintptr_t block, size_t used)
{
    if (heap->observe.every || TINY_BYTES - used <= tiny_left(c)) return;
    count_tiny(c);
    c->fast.tiny = block + used;
}

/* ---- giving back ----------------------------------------------------------------------------- */

/* Adds *from to the total and clears it. */
static void move_count(uint64_t *total, uint64_t *from)
{
    if (*from == 0) return;
    atomic_fetch_add_relaxed(total, *from);
    *from = 0;
}

static void move_class(struct mcache *c, unsigned spc)
{
    unsigned i = span_class_size_class(spc);
    move_count(&heap->classes[i].allocs, &c->small_alloc_count[i]);
    move_count(&heap->classes[i].frees, &c->small_free_count[i]);
}

void mcache_flush_stats(struct mcache *c)
{
    count_tiny(c);
    move_count(&heap->tiny_allocs, &c->tiny_allocs);
    move_count(&heap->refills, &c->refills);
    move_count(&heap->windows, &c->windows);
    move_count(&heap->samples, &c->samples);
    move_count(&heap->refills_swept, &c->refills_swept);
    each_used(c, move_class);
}

void mcache_publish(struct mcache *c)
{
    each_used(c, publish_class);
    each_used(c, return_batch);
    publish_live(c);
    c->unseen = true;
    mcache_flush_stats(c);
}

static void flush_class(struct mcache *c, unsigned spc)
{
    struct span *s = c->spans[spc];
    c->batches[spc].size = 0;
    return_batch(c, spc);
    if (s == &span_empty) return;
    withdraw(c, spc);
    close_to_marks(c, spc);
    if (heap_marking()) uncount_black(c, spc); /* the P goes away */
    publish_class(c, spc);
    set_empty(c, spc);
    /* A stale span's slots are not in heap_live any more. */
    if (atomic_load_relaxed(&s->sweepgen) == heap_sweepgen() + 3) charge(c, -unused_bytes(s));
    mcentral_uncache_span(s);
}

void mcache_flush(struct mcache *c)
{
    /* Nor is what was charged before the generation rose. */
    if (c->flush_gen != heap_sweepgen()) c->live = 0;
    each_used(c, flush_class);
    publish_live(c);
    mcache_flush_stats(c);
    memset(c->used, 0, sizeof c->used);
    c->fast.tiny = 0;
    /* Release: who sees the generation (the collector, before it ends a sweep) sees the spans
     * returned.  Pairs with the collector's acquire load. */
    atomic_store_release(&c->flush_gen, heap_sweepgen());
}

void mcache_flushed_stw(struct mcache *c)
{
    atomic_store_release(&c->flush_gen, heap_sweepgen()); /* as in mcache_flush */
}

bool mcache_is_stale(const struct mcache *c)
{
    return c->flush_gen != heap_sweepgen();
}

void mcache_prepare_for_sweep(struct mcache *c)
{
    if (likely(!mcache_is_stale(c))) return;
    mcache_flush(c);
}

void mcache_release(struct mcache *c)
{
    mcache_flush(c);
    span_records_return(c);
    lock_acquire(&heap->lock);
    pagealloc_return_window(&heap->pages, &c->pages);
    lock_release(&heap->lock);
}

/* ---- looking --------------------------------------------------------------------------------- */

static const char *validate_class(const struct mcache *c, unsigned spc)
{
    const struct span *s = c->spans[spc];
    const struct gort_cache_class *open = &c->fast.classes[spc];
    uint64_t free = open_slots(c, spc);
    if (s == &span_empty) return free == 0 ? NULL : "cache: a window without a span";
    if (!is_used(c, spc)) return "cache: a span of a class that is not in use";
    uint32_t g = heap_sweepgen();
    if (s->state != SPAN_IN_USE || s->span_class != spc) return "cache: a span of another class";
    if (s->sweepgen != g + 3 && s->sweepgen != g + 1) return "cache: a span that is not cached";
    if (s->in_set) return "cache: a cached span is in a set";
    if (c->unzeroed[spc] ? !span_class_noscan(spc) || open->free != 0
                         : span_class_noscan(spc) && c->fast.unzeroed[spc >> 1].free != 0)
        return "cache: slots are offered where they should not be";
    if (free == 0) return NULL;
    if (c->unzeroed[spc]) open = &c->fast.unzeroed[spc >> 1];
    if (open->free != 0 && c->held[spc] != 0 && (c->held[spc] & -c->held[spc]) < open->free)
        return "cache: a held slot below an offered one";
    unsigned w = c->next_window[spc] - 1u;
    if (w >= window_count(s)) return "cache: no such window";
    if ((uintptr_t)c->fast.classes[spc].base != s->base + (uintptr_t)w * 64 * s->elem_size)
        return "cache: base of the window";
    if ((free & ~span_free_slots(s, w, s->free_index)) != 0)
        return "cache: a slot of the window is not free";
    return NULL;
}

static bool has_unused_counts(const struct mcache *c)
{
    for (unsigned i = 0; i < SIZE_CLASSES; i++)
        if (!is_used(c, 2 * i) && !is_used(c, 2 * i + 1) &&
            (c->small_alloc_count[i] != 0 || c->small_free_count[i] != 0))
            return true;
    return false;
}

/* After publishing. */
static bool has_batches(const struct mcache *c)
{
    for (unsigned i = 0; i < SPAN_CLASSES; i++)
        if (c->batches[i].ready != NULL || c->batches[i].used != NULL) return true;
    return false;
}

const char *mcache_validate_stw(const struct mcache *c)
{
    const char *e = pagecache_validate(&c->pages);
    for (unsigned i = 0; e == NULL && i < SPAN_CLASSES; i++)
        e = validate_class(c, i);
    if (e == NULL && has_unused_counts(c)) e = "cache: counts of a class that is not in use";
    if (e == NULL && has_batches(c)) e = "cache: a batch that publishing left";
    for (uint32_t i = 0; e == NULL && i < c->nspan_records; i++)
        if (c->span_records[i]->state != SPAN_DEAD) e = "cache: a span record is not free";
    return e;
}
