/* Concurrent maps: tables, how they grow, clearing and iteration.  Note [Taking over] in cmap.h.
 *
 * Note [Walking].  An iteration goes from hash to hash: it reads the bucket of a hash in the table
 * that the map has now, and goes on behind the last hash that belongs there.  Buckets are ranges
 * of hashes, which are only ever cut in two, so each hash is met once, whatever happens to the
 * table; after a clear, where buckets are wider again, what was passed is left out by its hash.  A
 * bucket's list is taken as it is at one instant.  So no key is met twice, and one that is there
 * all the time is met.
 *
 * Answers to: internal/sync/hashtriemap.go (expand, iter, Clear).
 * SPDX-License-Identifier: BSD-3-Clause
 */
#include "lang/cmap.h"

#define BATCH 16 /* buckets that a write takes over besides its own */
_Static_assert(BATCH <= 2 << CMAP_BITS_MIN, "a table that has a `from` has as many");

/* ---- tables ---------------------------------------------------------------------------------- */

static const struct gort_pointer_run table_runs[] = { { 0, 2 * sizeof(void *) } };
static const struct gort_type table_type = { .name = "table of a concurrent map",
                                             .size = sizeof(struct cmap_table),
                                             .ptrdata = 2 * sizeof(void *),
                                             .mask = 3,
                                             .runs = table_runs,
                                             .nruns = 1,
                                             .align = _Alignof(struct cmap_table) };
_Static_assert(offsetof(struct cmap_table, from) == 0 &&
                   offsetof(struct cmap_table, count) == sizeof(void *),
               "the mask says the first two words");
static const struct gort_type word_type = { .name = "bucket of a concurrent map",
                                            .size = sizeof(uintptr_t),
                                            .ptrdata = sizeof(uintptr_t),
                                            .align = _Alignof(uintptr_t),
                                            .flags = GORT_TYPE_CONSERVATIVE };

struct cmap_table *cmap_table_new(uint32_t shift, struct cmap_table *from, gort_counter *count)
{
    size_t segments = div_up((size_t)1 << (64 - shift), CMAP_SEGMENT);
    struct cmap_table *t = gort_new_flex_raw(&table_type, offsetof(struct cmap_table, segment),
                                             sizeof(uintptr_t *), false, segments);
    t->shift = shift;
    gort_store_pointer((void **)(void *)&t->from, from);
    gort_store_pointer((void **)(void *)&t->count, count);
    return t;
}

/* The first to come makes the segment. */
static never_inline uintptr_t *segment_slow(struct cmap_table *t, size_t segment)
{
    size_t n = cmap_buckets(t);
    void *none = NULL;
    void *s = gort_new_array_raw(&word_type, n < CMAP_SEGMENT ? n : CMAP_SEGMENT);
    bool mine = gort_compare_exchange_raw((void **)&t->segment[segment], &none, s);
    return mine ? s : none;
}

static uintptr_t *bucket_at(struct cmap_table *t, size_t i)
{
    uintptr_t *s = atomic_load_acquire(&t->segment[i >> CMAP_SEGMENT_BITS]); /* segment_slow */
    if (unlikely(s == NULL)) s = segment_slow(t, i >> CMAP_SEGMENT_BITS);
    return &s[i % CMAP_SEGMENT];
}

/* ---- taking over ----------------------------------------------------------------------------- */

static bool swap_word(uintptr_t *bucket, uintptr_t *seen, uintptr_t word)
{
    return gort_compare_exchange_raw((void **)bucket, (void **)seen, (void *)word);
}

/* What the bucket holds for ever from now on. */
static struct cmap_entry *freeze(uintptr_t *bucket)
{
    uintptr_t seen = atomic_load_acquire(bucket);
    while (!(seen & CMAP_FROZEN) && !swap_word(bucket, &seen, seen | CMAP_FROZEN))
        continue;
    return cmap_list(seen);
}

/* Of a frozen list those that belong to bucket i: the end of it that does whole, copies of the
 * others. */
static struct cmap_entry *part_of(const struct cmap_layout *l, struct cmap_entry *list,
                                  uint32_t shift, size_t i)
{
    struct cmap_entry *tail = list;
    for (struct cmap_entry *e = list; e != NULL; e = e->next)
        if (e->hash >> shift != i) tail = e->next;
    struct cmap_entry *part = tail;
    for (const struct cmap_entry *e = list; e != tail; e = e->next) {
        if (e->hash >> shift != i) continue;
        struct cmap_entry *copy = cmap_entry_copy(l, e);
        copy->next = part;
        part = copy;
    }
    return part;
}

static never_inline void take_over_slow(struct gort_cmap *m, struct cmap_table *t, size_t i)
{
    struct cmap_table *from = atomic_load_acquire(&t->from); /* pairs with finish */
    if (from == NULL) return;
    struct cmap_entry *list = freeze(bucket_at(from, i >> 1));
    struct cmap_entry *part = part_of(cmap_layout(m), list, t->shift, i);
    uintptr_t none = 0;
    (void)swap_word(bucket_at(t, i), &none, part != NULL ? (uintptr_t)part : CMAP_EMPTY);
}

static uintptr_t *bucket_own(struct gort_cmap *m, struct cmap_table *t, size_t i)
{
    uintptr_t *bucket = bucket_at(t, i);
    if (unlikely(atomic_load_acquire(bucket) == 0)) take_over_slow(m, t, i);
    return bucket;
}

uintptr_t *cmap_bucket(struct gort_cmap *m, struct cmap_table *t, uint64_t hash)
{
    return bucket_own(m, t, hash >> t->shift);
}

/* All buckets were taken over. */
static void finish(struct cmap_table *t)
{
    (void)gort_exchange_raw((void **)(void *)&t->from, NULL);
}

void cmap_help_slow(struct gort_cmap *m, struct cmap_table *t)
{
    size_t n = cmap_buckets(t);
    if (atomic_load_relaxed(&t->claimed) >= n) return; /* a hint: others finish it */
    size_t first = atomic_fetch_add_relaxed(&t->claimed, BATCH);
    if (first >= n) return;
    for (size_t i = first; i < first + BATCH; i++)
        (void)bucket_own(m, t, i);
    if (atomic_fetch_add_acqrel(&t->done, BATCH) + BATCH == n) finish(t);
}

/* ---- growing --------------------------------------------------------------------------------- */

void cmap_maybe_grow(struct gort_cmap *m, struct cmap_table *t)
{
    size_t n = cmap_buckets(t);
    if (atomic_load_acquire(&t->from) != NULL) return; /* invariant (1) */
    if (gort_counter_read(t->count) <= (int64_t)n || 64 - t->shift == CMAP_BITS_MAX) return;
    void *seen = t;
    void *wide = cmap_table_new(t->shift - 1, t, t->count);
    (void)gort_compare_exchange_raw((void **)(void *)&m->table, &seen, wide);
}

/* ---- clearing, counting ---------------------------------------------------------------------- */

void gort_cmap_clear_raw(void *map)
{
    struct gort_cmap *m = map;
    if (m == NULL) return;
    (void)lang_enter("gort_cmap_clear");
    void *empty = cmap_table_new(64 - CMAP_BITS_MIN, NULL, gort_counter_make());
    (void)gort_exchange_raw((void **)(void *)&m->table, empty);
}

size_t gort_cmap_len_raw(const void *map)
{
    const struct gort_cmap *m = map;
    if (m == NULL) return 0;
    int64_t n = gort_counter_read(cmap_table_of(m)->count);
    return n > 0 ? (size_t)n : 0; /* a removal may be seen and what it removed not: invariant (4) */
}

/* ---- iteration: Note [Walking] --------------------------------------------------------------- */

enum { ITER_NEW, ITER_WALKS, ITER_LAST, ITER_ENDED };

static bool end(gort_cmap_iter *it)
{
    it->state = ITER_ENDED;
    it->key = it->value = it->list = NULL;
    return false;
}

static void begin(const struct gort_cmap *m, gort_cmap_iter *it)
{
    uint32_t shift = cmap_table_of(m)->shift;
    it->map = m;
    it->state = ITER_WALKS;
    it->start = it->next = map_random() >> shift << shift;
}

/* Behind the last hash of the bucket that was read: the next, or from the first on to where it
 * began. */
static void advance(gort_cmap_iter *it, uint64_t last, uint64_t limit)
{
    it->next = last + 1;
    if (last < limit) return;
    bool all = it->wrapped || it->start == 0;
    it->state = all ? ITER_LAST : ITER_WALKS;
    it->wrapped = true;
    it->next = 0;
}

static void read_bucket(const struct gort_cmap *m, gort_cmap_iter *it)
{
    const struct cmap_table *t = cmap_table_of(m);
    uint64_t limit = it->wrapped ? it->start - 1 : UINT64_MAX;
    uint64_t last = it->next | (((uint64_t)1 << t->shift) - 1);
    if (last > limit) last = limit; /* the map was cleared */
    it->lo = it->next;
    it->hi = last;
    it->list = cmap_list(cmap_read(t, it->next));
    if (it->list != NULL) race_acquire(m);
    advance(it, last, limit);
}

static bool take_entry(const struct gort_cmap *m, gort_cmap_iter *it)
{
    while (it->list != NULL) {
        const struct cmap_entry *e = it->list;
        it->list = e->next;
        if (e->hash < it->lo || e->hash > it->hi) continue;
        it->key = cmap_key(cmap_layout(m), e);
        it->value = cmap_value(cmap_layout(m), e);
        return true;
    }
    return false;
}

bool gort_cmap_next_raw(const void *map, gort_cmap_iter *it)
{
    const struct gort_cmap *m = map;
    if (m == NULL || it->state == ITER_ENDED) return end(it);
    if (it->state == ITER_NEW) begin(m, it);
    if (unlikely(it->map != map)) throw_msg("gort_cmap_next: the iteration is of another map");
    while (!take_entry(m, it)) {
        if (it->state == ITER_LAST) return end(it);
        read_bucket(m, it);
    }
    return true;
}
