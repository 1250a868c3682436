// Sweeping: exactly the marked survive; out of turn; reclaimed; with threads allocating beside it.
//
// SPDX-License-Identifier: BSD-3-Clause
#include "expect_fatal.h"
#include "heap_test.h"

static struct mcache *caches[MAX_THREADS];
static uint64_t seed;

// ---- the world as a list ----------------------------------------------------------------------

#define OBJECTS 30000

static struct {
    uintptr_t p;
    unsigned spc;
    bool marked;
} objects[OBJECTS];

static void fill(size_t classes)
{
    for (size_t k = 0; k < OBJECTS; k++) {
        unsigned spc = 2 + test_random(&seed) % (2 * classes);
        objects[k].p = take(caches[0], spc);
        objects[k].spc = spc;
        CHECK_NE(objects[k].p, 0);
        *(uint64_t *)objects[k].p = k;
    }
    mcache_publish(caches[0]);
}

static size_t mark_some(unsigned percent)
{
    size_t n = 0;
    for (size_t k = 0; k < OBJECTS; k++) {
        objects[k].marked = test_random(&seed) % 100 < percent;
        n += objects[k].marked;
        if (objects[k].marked) mark_object(objects[k].p);
    }
    return n;
}

static bool is_allocated(uintptr_t p)
{
    struct span *s;
    uint32_t i;
    uintptr_t base;
    return span_find_object(p, &s, &i, &base) && span_is_slot_allocated(s, i);
}

static uint64_t objects_now(void)
{
    struct heap_stats st;
    heap_read_stats(&st);
    return st.objects;
}

TEST(exactly_the_marked_survive)
{
    static const unsigned percents[] = { 50, 0, 100, 1, 99, 10 };
    for (size_t r = 0; r < array_len(percents); r++) {
        fill(r < 3 ? 20 : 67);
        prove_whole(caches, 1);
        size_t n = mark_some(percents[r]);
        begin_sweep(caches, 1);
        if (r == 2) prove_whole(caches, 1); // half way: all unswept
        finish_sweep();
        for (size_t k = 0; k < OBJECTS; k++) {
            CHECK_EQ(is_allocated(objects[k].p), objects[k].marked);
            if (objects[k].marked) CHECK_EQ(*(uint64_t *)objects[k].p, k);
        }
        CHECK_EQ(objects_now(), n);
        prove_whole(caches, 1);
        begin_sweep(caches, 1); // nothing is marked: all is freed
        finish_sweep();
        CHECK_EQ(objects_now(), 0);
        CHECK_EQ(heap->in_use, 0);
        prove_whole(caches, 1);
    }
}

// Blocks of spans that outlived many others gather in few pages, and say what they said.
static void gather_blocks(size_t size)
{
    enum { MANY = 100000, APART = 1000 }; // 7 spans or more apart
    static uintptr_t many[MANY];
    struct span *s;
    uint32_t slot;
    uintptr_t at;
    uint64_t least, awake, peak, moved = gcbits_moved();
    unsigned spc = span_class_make(size_class_of(size), false);
    for (size_t k = 0; k < MANY; k++)
        CHECK_NE(many[k] = take(caches[0], spc), 0);
    mcache_release(caches[0]);
    gcbits_bytes(&least, &peak);
    for (int round = 0; round < 2; round++) { // after the first they are scattered
        for (size_t k = 0; k < MANY; k += APART)
            mark_object(many[k]);
        begin_sweep(caches, 1);
        finish_sweep();
        prove_whole(caches, 1);
        for (size_t k = 0; k < MANY; k++)
            CHECK_EQ(is_allocated(many[k]), k % APART == 0);
        for (size_t k = 0; k < MANY; k += APART)
            CHECK(span_find_object(many[k], &s, &slot, &at) &&
                  span_slot_mark(s, slot) == SLOT_WHITE);
    }
    CHECK_GT(gcbits_moved() - moved, MANY / APART / 2);
    while (gcbits_release() != 0)
        continue;
    gcbits_bytes(&least, &awake);
    if (os_page_size() == 4096) CHECK_LE(awake, peak / 4);
    begin_sweep(caches, 1); // all die
    finish_sweep();
    CHECK_EQ(objects_now(), 0);
    prove_whole(caches, 1);
    while (gcbits_release() != 0)
        continue;
}

// With allocation bits in the record, and in the block.
TEST(scattered_blocks_gather)
{
    gather_blocks(128);
    gather_blocks(64);
}

// What survives on any page of a span keeps it from being swept for its pages.
TEST(survivors_on_later_pages_are_not_reclaimed)
{
    unsigned spc = span_class_make(size_class_of(128), true);
    mcache_release(caches[0]);
    size_t marked = 0;
    for (size_t k = 0; k < OBJECTS; k++)
        CHECK_NE(objects[k].p = take(caches[0], spc), 0);
    mcache_publish(caches[0]);
    for (size_t k = 0; k < OBJECTS; k++) {
        objects[k].marked = objects[k].p - span_of(objects[k].p)->base >= PAGE_BYTES;
        if (objects[k].marked) mark_object(objects[k].p), marked++;
    }
    CHECK_GT(marked, OBJECTS / 2);
    begin_sweep(caches, 1);
    heap_sweep_reclaim(SIZE_MAX);
    for (size_t k = 0; k < OBJECTS; k++)
        if (objects[k].marked) CHECK_NE(span_of(objects[k].p)->sweepgen, heap_sweepgen());
    finish_sweep();
    CHECK_EQ(objects_now(), marked);
    begin_sweep(caches, 1);
    finish_sweep();
    CHECK_EQ(objects_now(), 0);
}

// Without a sweep in between, allocation itself sweeps, and reuses the slots of the dead.
TEST(allocation_sweeps)
{
    mcache_release(caches[0]);
    uint64_t spans = 0;
    unsigned spc = span_class_make(size_class_of(64), true);
    for (int round = 0; round < 6; round++) {
        for (size_t k = 0; k < OBJECTS; k++) {
            objects[k].p = take(caches[0], spc);
            CHECK_NE(objects[k].p, 0);
        }
        if (round == 1) spans = heap->span_allocs;
        if (round > 1) CHECK_LE(heap->span_allocs - spans, 2); // a stable heap makes no spans
        finish_sweep();
        mcache_publish(caches[0]);
        for (size_t k = 0; k < OBJECTS; k += 50) // keeps each span alive
            mark_object(objects[k].p);
        begin_sweep(caches, 1);
        if (round == 0) spans = 0;
    }
    finish_sweep();
    prove_whole(caches, 1);
    begin_sweep(caches, 1);
    finish_sweep();
}

// Flushed only after the generation rose: spans pass through g + 1.
TEST(late_flush)
{
    fill(30);
    size_t n = mark_some(30);
    struct sweep_counts before, after;
    heap_read_sweep_counts(&before);
    uintptr_t cached = objects[OBJECTS - 1].p; // the last of its class: in a cached span,
    n += !objects[OBJECTS - 1].marked;
    objects[OBJECTS - 1].marked = true; // which is not freed
    mark_object(cached);
    heap_sweepgen_advance_stw();
    CHECK_NE(caches[0]->flush_gen, heap_sweepgen());
    CHECK_EQ(span_of(cached)->sweepgen, heap_sweepgen() + 1);
    CHECK(!span_ensure_swept(span_of(cached)));
    mcache_prepare_for_sweep(caches[0]);
    CHECK(span_ensure_swept(span_of(cached)));
    heap_read_sweep_counts(&after);
    CHECK_GT(after.spans[SWEPT_FLUSH], before.spans[SWEPT_FLUSH]);
    CHECK_EQ(caches[0]->flush_gen, heap_sweepgen());
    finish_sweep();
    CHECK_EQ(objects_now(), n);
    for (size_t k = 0; k < OBJECTS; k++)
        CHECK_EQ(is_allocated(objects[k].p), objects[k].marked);
    prove_whole(caches, 1);
    begin_sweep(caches, 1);
    finish_sweep();
}

TEST(out_of_turn)
{
    fill(30);
    size_t n = mark_some(40);
    begin_sweep(caches, 1);
    for (size_t k = 0; k < OBJECTS; k += 7) {
        struct span *s = span_of(objects[k].p);
        if (s == NULL) continue;
        CHECK(span_ensure_swept(s));
        CHECK_EQ(s->sweepgen, heap_sweepgen());
        CHECK(!span_sweep_claim(s));
        CHECK_EQ(is_allocated(objects[k].p), objects[k].marked);
    }
    prove_whole(caches, 1);
    finish_sweep();
    CHECK_EQ(objects_now(), n);
    prove_whole(caches, 1);
    begin_sweep(caches, 1);
    finish_sweep();
}

TEST(reclaim)
{
    fill(30);
    for (size_t k = 0; k < OBJECTS; k++) {
        objects[k].marked = k < OBJECTS / 2;
        if (objects[k].marked) mark_object(objects[k].p);
    }
    begin_sweep(caches, 1);
    uint64_t before = heap->in_use;
    struct sweep_counts a, b;
    heap_read_sweep_counts(&a);
    CHECK_EQ(a.credit, 0);
    CHECK_GE(heap_sweep_reclaim(40), 40);
    heap_read_sweep_counts(&b);
    CHECK_EQ(before - heap->in_use, (b.reclaimed - a.reclaimed) * PAGE_BYTES);
    CHECK_EQ(b.credit, b.reclaimed - a.reclaimed - 40);
    prove_whole(caches, 1); // with tombstones in the sets
    // What was freed beyond the wish serves the next ones, without a sweep.
    if (b.credit > 0) {
        uint64_t in_use = heap->in_use;
        CHECK_EQ(heap_sweep_reclaim(1), 1);
        CHECK_EQ(heap->in_use, in_use);
    }
    heap_sweep_reclaim(SIZE_MAX);
    heap_read_sweep_counts(&b);
    CHECK_EQ(before - heap->in_use, (b.reclaimed - a.reclaimed) * PAGE_BYTES);
    CHECK_EQ(b.credit, 0); // all of it was taken
    CHECK_EQ(heap_sweep_reclaim(1), 0);
    finish_sweep();
    CHECK_EQ(objects_now(), OBJECTS / 2);
    prove_whole(caches, 1);
    begin_sweep(caches, 1);
    finish_sweep();
}

// What allocation owes: pages left, spread over the bytes until the trigger.
TEST(pace)
{
    fill(30);
    mark_some(100);
    mcache_flush(caches[0]);
    heap_live_set_stw(50 * MB);
    heap_sweep_pace(50 * MB + 3200 * KB);
    begin_sweep(caches, 1);
    uint64_t pages = heap->in_use >> PAGE_SHIFT;
    CHECK_GT(pages, 100);
    CHECK_EQ(heap_sweep_debt(), 0);
    heap_live_add(310 * KB); // a tenth of the way, less what is kept in hand
    CHECK_LE(heap_sweep_debt(), (int64_t)pages / 10 + 2);
    CHECK_GE(heap_sweep_debt(), (int64_t)pages / 10 - 2);
    while (heap_sweep_debt() > 0)
        CHECK_GT(heap_sweep_some(1, SWEPT_PAID), 0);
    CHECK(!heap_sweep_done());
    CHECK_GE(heap_sweep_debt(), -30); // not more than was owed, but for the last span
    // A new trigger spreads what is left.
    heap_sweep_pace(UINT64_MAX);
    heap_live_add(MB);
    CHECK_LE(heap_sweep_debt(), 0);
    heap_sweep_pace(heap_live() + 3200 * KB);
    heap_live_add(3100 * KB); // the end of the way
    struct sweep_counts before, after;
    heap_read_sweep_counts(&before);
    while (heap_sweep_debt() > 0)
        CHECK_GT(heap_sweep_some(1, SWEPT_PAID), 0);
    heap_read_sweep_counts(&after);
    CHECK_GT(after.spans[SWEPT_PAID], before.spans[SWEPT_PAID]);
    unsigned left = 0;
    for (unsigned n; (n = heap_sweep_some(10, SWEPT_FINISH)) != 0;)
        left += n;
    CHECK_LE(left, 1);
    CHECK_EQ(heap_sweep_debt(), 0); // drained: nothing is owed
    heap_live_add(100 * MB);
    CHECK_EQ(heap_sweep_debt(), 0);
    heap_sweep_pace(UINT64_MAX);
    begin_sweep(caches, 1);
    finish_sweep();
}

TEST(clobbering)
{
    heap->params.clobber_free = true;
    fill(40);
    mark_some(50);
    begin_sweep(caches, 1);
    finish_sweep();
    size_t clobbered = 0;
    for (size_t k = 0; k < OBJECTS; k++) {
        uint64_t *p = (uint64_t *)objects[k].p;
        if (objects[k].marked)
            CHECK_EQ(*p, k);
        else {
            CHECK_EQ(p[0], HEAP_CLOBBER);
            CHECK_EQ(p[span_class_elem_size(objects[k].spc) / 8 - 1], HEAP_CLOBBER);
            clobbered++;
        }
    }
    CHECK_GT(clobbered, 0);
    heap->params.clobber_free = false;
    begin_sweep(caches, 1);
    finish_sweep();
}

// What sweeping freed holds old bytes, even in a span that was fresh.
TEST(freed_slots_need_zeroing)
{
    unsigned spc = span_class_make(size_class_of(1024), true);
    heap_release_free(SIZE_MAX);
    mcache_release(caches[0]);
    uintptr_t kept = take(caches[0], spc), died = take(caches[0], spc);
    CHECK(!mcache_need_zero(caches[0], spc));
    caches[0]->fast.tiny = kept;
    mcache_publish(caches[0]);
    mark_object(kept);
    begin_sweep(caches, 1);
    CHECK_EQ(caches[0]->fast.tiny, 0);
    CHECK_EQ(take(caches[0], spc), died); // swept on the way
    CHECK(mcache_need_zero(caches[0], spc));
    finish_sweep();
    begin_sweep(caches, 1);
    finish_sweep();
}

// Allocation that sweeps full spans, of which nothing died, puts them back.
TEST(full_spans_are_kept)
{
    unsigned spc = span_class_make(size_class_of(2048), false);
    mcache_flush(caches[0]);
    for (size_t k = 0; k < 400; k++) {
        objects[k].p = take(caches[0], spc);
        mcache_publish(caches[0]);
        mark_object(objects[k].p);
    }
    begin_sweep(caches, 1);
    uint64_t made = heap->span_allocs;
    CHECK_NE(take(caches[0], spc), 0);
    CHECK_EQ(heap->span_allocs, made + 1);
    const struct span_set *full = mcentral_full_swept(&heap->central[spc], heap_sweepgen());
    size_t put_back = 0;
    for (struct span *s = NULL; (s = spanset_next_stw(full, s)) != NULL;)
        put_back++;
    CHECK_GE(put_back, 90); // 100 spans of 4 slots, less the tries of one refill
    prove_whole(caches, 1);
    finish_sweep();
    for (size_t k = 0; k < 400; k++)
        CHECK(is_allocated(objects[k].p));
    prove_whole(caches, 1);
    begin_sweep(caches, 1);
    finish_sweep();
}

// ---- specials ---------------------------------------------------------------------------------

static size_t hook_calls, hook_kept;

static bool hook(struct span *s, uintptr_t base, struct special **chain)
{
    hook_calls++;
    CHECK_EQ((uint64_t)(*chain)->offset, base - s->base);
    bool keep = false;
    for (struct special *sp = *chain; sp != NULL; sp = sp->next)
        keep |= sp->kind == SPECIAL_FINALIZER;
    hook_kept += keep;
    // A finalizer is consumed, and keeps the object with its profile record.
    *chain = keep ? (*chain)->next : NULL;
    return keep;
}

TEST(specials_of_the_dead)
{
    struct heap_hooks h = { .dead_object = hook };
    heap_set_hooks(&h);
    static struct special finalizers[1000], profiles[1000];
    fill(30);
    mark_some(50);
    size_t dead = 0, kept = 0;
    for (size_t k = 0; k < 1000; k++) {
        struct span *s = span_of(objects[k].p);
        profiles[k].kind = SPECIAL_PROFILE;
        CHECK(special_add(s, objects[k].p, &profiles[k]));
        dead += !objects[k].marked;
        if (k % 3 != 0) continue;
        finalizers[k].kind = SPECIAL_FINALIZER;
        CHECK(special_add(s, objects[k].p, &finalizers[k]));
        kept += !objects[k].marked;
    }
    prove_whole(caches, 1);
    begin_sweep(caches, 1);
    finish_sweep();
    CHECK_EQ(hook_calls, dead);
    CHECK_EQ(hook_kept, kept);
    for (size_t k = 0; k < 1000; k++) {
        bool alive = objects[k].marked || k % 3 == 0;
        CHECK_EQ(is_allocated(objects[k].p), alive);
        if (!alive) continue;
        struct span *s = span_of(objects[k].p);
        CHECK_PTR_EQ(special_find(s, objects[k].p, SPECIAL_PROFILE), &profiles[k]);
        CHECK_EQ(special_find(s, objects[k].p, SPECIAL_FINALIZER) != NULL,
                 objects[k].marked && k % 3 == 0);
    }
    prove_whole(caches, 1);
    begin_sweep(caches, 1);
    finish_sweep();
    begin_sweep(caches, 1);
    finish_sweep();
    CHECK_EQ(objects_now(), 0);
}

// ---- corruption -------------------------------------------------------------------------------

static void mark_a_free_slot(void *arg)
{
    (void)arg;
    unsigned spc = span_class_make(size_class_of(48), false);
    uintptr_t p = take(caches[0], spc);
    struct span *s = span_of(p);
    mcache_publish(caches[0]);
    span_mark(s, mcache_slot_index(caches[0], spc, p));
    span_note_mark(s);
    CHECK(!span_mark(s, 100)); // a free slot is closed to marks
    s->marks[100] = SLOT_MARKED;
    begin_sweep(caches, 1);
    finish_sweep();
}

TEST(zombie_is_fatal)
{
    expect_fatal(mark_a_free_slot, NULL, "fatal error: marked a free slot");
    expect_fatal(mark_a_free_slot, NULL, "slot 100 at ");
}

static void free_twice(void *arg)
{
    struct span *s = arg;
    span_free_manual(s);
    span_free_manual(s);
}

TEST(double_free_is_fatal)
{
    expect_fatal(free_twice, span_alloc_manual(2, NULL), "check failed");
}

// ---- threads ----------------------------------------------------------------------------------

struct worker {
    struct mcache *c;
    uint64_t seed;
    uintptr_t kept[512];
    int role;
};

// Replaces kept objects at random; what is not kept is garbage.
static void *mutate(void *arg)
{
    struct worker *w = arg;
    mcache_prepare_for_sweep(w->c);
    for (int64_t k = 0; k < test_count(20000); k++) {
        unsigned spc = 2 + test_random(&w->seed) % 60;
        uintptr_t p = take(w->c, spc), *slot = &w->kept[test_random(&w->seed) % 512];
        CHECK_NE(p, 0);
        if (*slot != 0) {
            (void)span_ensure_swept(span_of(*slot)); // others may not have flushed yet
            CHECK_EQ(*(uintptr_t *)*slot, *slot + (uintptr_t)w);
        }
        *slot = p;
        *(uintptr_t *)p = p + (uintptr_t)w;
    }
    return NULL;
}

static void *sweep_or_reclaim(void *arg)
{
    struct worker *w = arg;
    if (w->role == 0)
        heap_sweep_reclaim(SIZE_MAX);
    else
        while (heap_sweep_some(10, SWEPT_FINISH) != 0)
            ;
    return NULL;
}

static void *run_role(void *arg)
{
    struct worker *w = arg;
    return w->c != NULL ? mutate(arg) : sweep_or_reclaim(arg);
}

static bool flushed_before; // no cache sweeps for itself

// While somebody sweeps, the sweep is not done: whoever began the next cycle now would find half of
// it.
static void not_done_yet(struct span *s, uintptr_t base, size_t size)
{
    (void)s;
    (void)base;
    (void)size;
    if (flushed_before) CHECK(!heap_sweep_done());
}

TEST(threads)
{
    struct heap_hooks hooks = { .dead_object = hook, .freed = not_done_yet };
    heap_set_hooks(&hooks);
    heap->params.trace_frees = true;
    enum { MUTATORS = 4, SWEEPERS = 3, N = MUTATORS + SWEEPERS };
    static struct worker w[N];
    for (int i = 0; i < MUTATORS; i++) {
        if (caches[i] == NULL) caches[i] = new_cache();
        w[i].c = caches[i];
        w[i].seed = test_seed() + (uint64_t)i;
    }
    for (int i = MUTATORS; i < N; i++)
        w[i].role = i - MUTATORS;
    for (int round = 0; round < 20; round++) {
        run_threads(N, run_role, w, sizeof(w[0]));
        finish_sweep();
        prove_whole(caches, MUTATORS);
        for (int i = 0; i < MUTATORS; i++)
            for (int k = 0; k < 512; k++)
                if (w[i].kept[k] != 0) {
                    CHECK(is_allocated(w[i].kept[k]));
                    mark_object(w[i].kept[k]);
                }
        // Both ways of flushing.
        flushed_before = round % 2 == 0;
        if (flushed_before)
            begin_sweep(caches, MUTATORS);
        else
            heap_sweepgen_advance_stw();
    }
    for (int i = 0; i < MUTATORS; i++)
        mcache_release(caches[i]);
    finish_sweep();
    prove_whole(NULL, 0);
    heap->params.trace_frees = false;
}

// Reclaiming and sweeping in turn meet at the same spans: both go through them by rising address.
TEST(reclaim_beside_sweep)
{
    unsigned spc = span_class_make(size_class_of(8192), true);
    static struct worker w[2] = { { .role = 0 }, { .role = 1 } };
    for (int64_t round = 0; round < test_count(100); round++) {
        for (size_t k = 0; k < 2000; k++) {
            objects[k].p = take(caches[0], spc);
            mcache_publish(caches[0]);
            mark_object(objects[k].p);
        }
        begin_sweep(caches, 1);
        finish_sweep(); // all survive; the set is now the other way round
        begin_sweep(caches, 1);
        run_threads(2, run_role, w, sizeof(w[0]));
        finish_sweep();
        CHECK_EQ(heap->in_use, 0);
        if (round % 10 == 0) prove_whole(caches, 1);
    }
}

int main(void)
{
    seed = test_seed();
    heap_start();
    caches[0] = new_cache();
    RUN(zombie_is_fatal);
    RUN(double_free_is_fatal);
    RUN(exactly_the_marked_survive);
    RUN(scattered_blocks_gather);
    RUN(survivors_on_later_pages_are_not_reclaimed);
    RUN(allocation_sweeps);
    RUN(late_flush);
    RUN(out_of_turn);
    RUN(reclaim);
    RUN(pace);
    RUN(clobbering);
    RUN(freed_slots_need_zeroing);
    RUN(full_spans_are_kept);
    RUN(specials_of_the_dead);
    RUN(reclaim_beside_sweep);
    RUN(threads);
    return 0;
}
