// The page allocator against a model that keeps one byte a page and searches by walking.
//
// The allocator is told of address ranges that nobody maps: it never touches pages.
//
// SPDX-License-Identifier: BSD-3-Clause
#include "heap/pagebits.h"
#include "heap_test.h"

static struct page_alloc pages;
static uint64_t counter, seed;

// ---- the model ------------------------------------------------------------------------------

enum { TAKEN, FREE, ZEROED, SCAVENGED };

struct range {
    uintptr_t base;
    size_t npages;
    uint8_t *state;
    struct {
        uint32_t dense_at;
        bool used, huge;
    } chunks[16];
};

// In address order.  The second begins 32 MB below a 16 GB boundary; the third follows it directly.
#define ROOT ((uintptr_t)1 << PAGE_ROOT_SHIFT)
static struct range ranges[] = {
    { .base = ROOT * 48, .npages = 64 * MB / PAGE_BYTES },
    { .base = ROOT * 50 - 32 * MB, .npages = 48 * MB / PAGE_BYTES },
    { .base = ROOT * 50 + 16 * MB, .npages = 64 * MB / PAGE_BYTES },
    { .base = ROOT * 8000 + 4 * MB, .npages = 12 * MB / PAGE_BYTES },
};
#define RANGES array_len(ranges)

static uint8_t *model_page(uintptr_t addr)
{
    for (size_t r = 0; r < RANGES; r++)
        if (addr - ranges[r].base < ranges[r].npages * PAGE_BYTES)
            return &ranges[r].state[(addr - ranges[r].base) / PAGE_BYTES];
    return NULL;
}

static bool model_free(uintptr_t addr)
{
    uint8_t *p = model_page(addr);
    return p != NULL && *p != TAKEN;
}

static uintptr_t model_find(size_t n)
{
    size_t run = 0;
    uintptr_t next = 0;
    for (size_t r = 0; r < RANGES; r++)
        for (size_t i = 0; i < ranges[r].npages; i++) {
            uintptr_t addr = ranges[r].base + i * PAGE_BYTES;
            if (addr != next) run = 0;
            next = addr + PAGE_BYTES;
            run = ranges[r].state[i] != TAKEN ? run + 1 : 0;
            if (run == n) return next - n * PAGE_BYTES;
        }
    return 0;
}

static void model_set(uintptr_t base, size_t n, uint8_t state)
{
    for (size_t i = 0; i < n; i++)
        *model_page(base + i * PAGE_BYTES) = state;
}

// Of n pages from base, how many are in this state.
static size_t model_count(uintptr_t base, size_t n, uint8_t state)
{
    size_t count = 0;
    for (size_t i = 0; i < n; i++)
        count += *model_page(base + i * PAGE_BYTES) == state;
    return count;
}

static uint64_t blocks_woken, grown_chunks, dense_chunks;

static bool model_dense(uintptr_t chunk)
{
    return model_count(chunk, CHUNK_PAGES, TAKEN) >= DENSE_PAGES;
}

// Of the chunk at addr: the model's record.
static __typeof__(&ranges[0].chunks[0]) model_chunk(uintptr_t addr)
{
    for (size_t r = 0; r < RANGES; r++)
        if (addr - ranges[r].base < ranges[r].npages * PAGE_BYTES)
            return &ranges[r].chunks[(addr - ranges[r].base) / CHUNK_BYTES];
    CHECK(!"address of a range");
    return NULL;
}

// A huge page comes as a whole when nothing of it is there.  How many pages.
static size_t model_wake(uintptr_t base, size_t n)
{
    size_t woken = 0;
    for (uintptr_t b = align_down(base, BLOCK_BYTES); b < base + n * PAGE_BYTES; b += BLOCK_BYTES) {
        if (!model_chunk(b)->huge || model_count(b, BLOCK_PAGES, SCAVENGED) != BLOCK_PAGES)
            continue;
        model_set(b, BLOCK_PAGES, ZEROED);
        woken += BLOCK_PAGES;
        blocks_woken++;
    }
    return woken;
}

// Chunks from which pages were just taken.  Bytes of those used for the first time.
static size_t model_use(uintptr_t base, size_t n)
{
    size_t grown = 0;
    for (uintptr_t c = align_down(base, CHUNK_BYTES); c < base + n * PAGE_BYTES; c += CHUNK_BYTES) {
        if (!model_chunk(c)->used) grown += CHUNK_BYTES;
        model_chunk(c)->used = true;
        if (!model_dense(c)) continue;
        model_chunk(c)->dense_at = pages.generation;
        dense_chunks++;
    }
    grown_chunks += grown / CHUNK_BYTES;
    return grown;
}

static void model_before_put(uintptr_t base, size_t n)
{
    for (uintptr_t c = align_down(base, CHUNK_BYTES); c < base + n * PAGE_BYTES; c += CHUNK_BYTES)
        if (model_dense(c) && model_chunk(c)->dense_at < pages.generation - 1)
            model_chunk(c)->dense_at = pages.generation - 1;
}

static void compare(void)
{
    const char *error = pagealloc_validate(&pages);
    CHECK_STR_EQ(error == NULL ? "whole" : error, "whole");
    size_t free = 0, scavenged = 0;
    for (size_t r = 0; r < RANGES; r++)
        for (size_t i = 0; i < ranges[r].npages; i++) {
            uintptr_t addr = ranges[r].base + i * PAGE_BYTES;
            uint8_t s = ranges[r].state[i];
            free += s != TAKEN;
            scavenged += s == SCAVENGED;
            CHECK_EQ(pagealloc_is_free(&pages, addr), s != TAKEN);
            CHECK_EQ(pagealloc_is_scavenged(&pages, addr), s == SCAVENGED);
            CHECK_EQ(pagealloc_is_zeroed(&pages, addr), s >= ZEROED);
        }
    CHECK_EQ(pages.free_pages, free);
    CHECK_EQ(pages.scavenged_pages, scavenged);
}

// ---- random operations ----------------------------------------------------------------------

static struct {
    uintptr_t base;
    size_t n;
} held[20000];
static size_t nheld;
static struct page_cache windows[8];
static uint64_t windows_taken, runs_released, aligned_taken, across_roots, refused;

static size_t random_length(void)
{
    switch (test_random(&seed) % 8) {
    case 0:
        return 1 + test_random(&seed) % 3000;
    case 1:
    case 2:
        return 1 + test_random(&seed) % 100;
    case 3:
        return 1 + test_random(&seed) % 600;
    default:
        return 1 + test_random(&seed) % 4;
    }
}

static void op_alloc(void)
{
    size_t n = random_length(), align = 1;
    if (test_random(&seed) % 16 == 0) align = (size_t)1 << test_random(&seed) % 10;
    uintptr_t want = model_find(n + align - 1);
    want = align_up(want, align * PAGE_BYTES);
    uint64_t visited = pages.nodes_visited;
    struct page_run r = pagealloc_alloc(&pages, n, align);
    CHECK_EQ(r.base, want);
    // The bound on a search: all roots, then eight nodes on each level, then the chunk's words.
    CHECK_LE(pages.nodes_visited - visited, pages.root_count + 8 * (PAGE_LEVELS - 1) + CHUNK_WORDS);
    refused += r.base == 0;
    if (r.base == 0) return;
    aligned_taken += align > 1;
    across_roots += r.base < ROOT * 50 && r.base + n * PAGE_BYTES > ROOT * 50;
    size_t woken = model_wake(r.base, n);
    size_t scavenged = model_count(r.base, n, SCAVENGED);
    CHECK_EQ(r.scavenged, woken + scavenged);
    CHECK_EQ(r.zeroed, scavenged + model_count(r.base, n, ZEROED));
    model_set(r.base, n, TAKEN);
    CHECK_EQ(r.grown, model_use(r.base, n));
    held[nheld].base = r.base;
    held[nheld++].n = n;
}

static void op_free(void)
{
    if (nheld == 0) return;
    size_t i = test_random(&seed) % nheld;
    pagealloc_free(&pages, held[i].base, held[i].n);
    model_before_put(held[i].base, held[i].n);
    model_set(held[i].base, held[i].n, FREE);
    held[i] = held[--nheld];
}

static void model_window_back(const struct page_cache *w)
{
    if (w->free != 0) model_before_put(w->base, 1);
    for (unsigned i = 0; i < 64; i++)
        if (w->free >> i & 1)
            *model_page(w->base + i * PAGE_BYTES) = w->scavenged >> i & 1 ? SCAVENGED
                                                    : w->zeroed >> i & 1  ? ZEROED
                                                                          : FREE;
}

static void op_window(void)
{
    struct page_cache *w = &windows[test_random(&seed) % array_len(windows)];
    if (w->base != 0) {
        if (test_random(&seed) % 2 == 0) w->scavenged &= test_random(&seed); // populated
        uint64_t used = nheld + 64 < array_len(held) ? w->free & test_random(&seed) : 0;
        for (unsigned i = 0; i < 64; i++)
            if (used >> i & 1) {
                held[nheld].base = w->base + i * PAGE_BYTES;
                held[nheld++].n = 1;
            }
        w->free &= ~used;
        w->zeroed &= w->free;
        w->scavenged &= w->free;
        model_window_back(w);
        pagealloc_return_window(&pages, w);
        CHECK_EQ(w->base, 0);
        return;
    }
    uintptr_t first = model_find(1);
    struct page_run account = { .base = 0 };
    *w = pagealloc_take_window(&pages, &account);
    CHECK_EQ(w->base, align_down(first, 64 * PAGE_BYTES));
    if (w->base == 0) return;
    CHECK_EQ(account.scavenged, model_wake(w->base, 64));
    windows_taken++;
    CHECK(pagecache_validate(w) == NULL);
    for (unsigned i = 0; i < 64; i++) {
        uintptr_t addr = w->base + i * PAGE_BYTES;
        CHECK_EQ(w->free >> i & 1, model_free(addr));
        CHECK_EQ(w->scavenged >> i & 1, model_free(addr) && *model_page(addr) == SCAVENGED);
        CHECK_EQ(w->zeroed >> i & 1, model_free(addr) && *model_page(addr) >= ZEROED);
        if (model_free(addr)) *model_page(addr) = TAKEN;
    }
    CHECK_EQ(account.grown, model_use(w->base, 64));
}

static bool model_resident(uintptr_t addr)
{
    uint8_t *p = model_page(addr);
    return p != NULL && (*p == FREE || *p == ZEROED);
}

static bool model_may_release(uintptr_t chunk, bool force)
{
    uint32_t since = pages.generation - model_chunk(chunk)->dense_at;
    return force || (since > 1 && !model_dense(chunk));
}

// What a hunt finds next: page by page from the top.
static uintptr_t model_hunt(const struct page_hunt *h, size_t max, size_t *n)
{
    for (size_t r = RANGES; r-- > 0;)
        for (size_t i = ranges[r].npages; i-- > 0;) {
            uintptr_t addr = ranges[r].base + i * PAGE_BYTES;
            uintptr_t block = align_down(addr, BLOCK_BYTES);
            if (addr >= h->below || !model_resident(addr)) continue;
            if (!model_may_release(align_down(addr, CHUNK_BYTES), h->force)) continue;
            if (block + BLOCK_BYTES <= h->below && model_count(block, BLOCK_PAGES, TAKEN) == 0) {
                *n = BLOCK_PAGES;
                return block;
            }
            if (h->blocks) continue;
            for (*n = 1; *n < max && addr != block && model_resident(addr - PAGE_BYTES); ++*n)
                addr -= PAGE_BYTES;
            return addr;
        }
    *n = 0;
    return 0;
}

static struct page_run hunt_on(struct page_hunt *h, size_t max, size_t *n)
{
    struct page_run run;
    do
        run = pagealloc_take_resident(&pages, h, max, n);
    while (run.base == 0 && h->below != 0);
    return run;
}

static uint64_t whole_blocks, passed_over;

static bool release_next(struct page_hunt *h, size_t max)
{
    size_t n, want_n;
    uintptr_t want = model_hunt(h, max, &want_n);
    struct page_run run = hunt_on(h, max, &n);
    CHECK_EQ(run.base, want);
    if (run.base == 0) return false;
    CHECK_EQ(n, want_n);
    CHECK_EQ(h->below, run.base);
    CHECK_EQ(run.scavenged, model_count(run.base, n, SCAVENGED));
    CHECK(!pagealloc_is_free(&pages, run.base));
    runs_released++;
    whole_blocks += n == BLOCK_PAGES;
    bool gone = test_random(&seed) % 4 != 0;
    model_set(run.base, n, TAKEN);
    model_before_put(run.base, n);
    pagealloc_put_back(&pages, run.base, n, gone);
    model_set(run.base, n, gone ? SCAVENGED : FREE);
    return true;
}

static void op_release(void)
{
    uint64_t dice = test_random(&seed);
    struct page_hunt h = { UINTPTR_MAX, dice % 2 == 0, dice / 2 % 2 == 0 };
    size_t max = 1 + test_random(&seed) % 600;
    int64_t most = dice / 4 % 8 == 0 ? INT64_MAX : (int64_t)(dice / 32 % 4) + 1;
    while (most-- > 0)
        if (!release_next(&h, max)) {
            passed_over += h.force == 0 && pages.free_pages != pages.scavenged_pages;
            break;
        }
}

static void op_generation(void)
{
    pagealloc_generation_stw(&pages);
}

static void op_huge(void)
{
    uintptr_t chunk =
        ranges[test_random(&seed) % RANGES].base + test_random(&seed) % 3 * CHUNK_BYTES;
    bool on = test_random(&seed) % 2 == 0;
    model_chunk(chunk)->huge = on;
    pagealloc_set_huge(&pages, chunk, CHUNK_BYTES, on);
    CHECK_EQ(pagealloc_is_huge(&pages, chunk + PAGE_BYTES), on);
}

// Whatever chance has to bring about.
static bool all_was_met(void)
{
    return windows_taken > 0 && runs_released > 0 && aligned_taken > 0 && refused > 0 &&
           blocks_woken > 0 && whole_blocks > 0 && passed_over > 0 && dense_chunks > 0 &&
           grown_chunks == (64 + 48 + 64 + 12) * MB / CHUNK_BYTES;
}

TEST(random_operations)
{
    for (size_t r = 0; r < RANGES; r++)
        ranges[r].state = calloc(ranges[r].npages, 1);
    for (size_t r = 0; r < RANGES; r++) {
        CHECK(pagealloc_grow(&pages, ranges[r].base, ranges[r].npages * PAGE_BYTES));
        memset(ranges[r].state, SCAVENGED, ranges[r].npages);
        compare();
    }
    int64_t n = test_count(20000);
    for (int64_t k = 0; k < n || !all_was_met(); k++) { // the time limit is the other end
        // Waves: mostly filling, then mostly emptying.
        bool fill = k / 1500 % 2 == 0;
        unsigned dice = test_random(&seed) % 20;
        if (k % 300 == 0) op_generation();
        if (k % 40 == 0) op_huge();
        if (dice == 0)
            op_window();
        else if (dice == 1)
            op_release();
        else if (dice < (fill ? 14 : 8) && nheld < array_len(held))
            op_alloc();
        else
            op_free();
        if (k % 500 == 0) compare();
    }
    compare();
    while (nheld != 0)
        op_free();
    for (size_t i = 0; i < array_len(windows); i++)
        if (windows[i].base != 0) {
            struct page_cache w = windows[i];
            pagealloc_return_window(&pages, &windows[i]);
            model_window_back(&w);
        }
    // Everything is free again: runs across chunk, region and root boundaries are found.
    size_t whole = ranges[1].npages + ranges[2].npages;
    struct page_run r = pagealloc_alloc(&pages, whole, 1);
    CHECK_EQ(r.base, ranges[1].base);
    CHECK_EQ(pagealloc_alloc(&pages, ranges[0].npages + 1, 1).base, 0);
    CHECK_EQ(pagealloc_alloc(&pages, ranges[0].npages, 1).base, ranges[0].base);
    pagealloc_free(&pages, ranges[0].base, ranges[0].npages);
    pagealloc_free(&pages, ranges[1].base, whole);
    CHECK(pagealloc_validate(&pages) == NULL);
}

// More than a root holds: the flag of an all-free root, and runs over several roots.
TEST(beyond_a_root)
{
    struct page_alloc p = { 0 };
    CHECK(pagealloc_init(&p, &counter));
    uintptr_t base = ROOT * 100 - 2 * GB;
    size_t bytes = 2 * GB + ROOT + ROOT + 2 * GB, n = bytes / PAGE_BYTES;
    CHECK(pagealloc_grow(&p, base, bytes));
    CHECK_EQ(p.level0[100], SUM_ALL);
    CHECK_EQ(pagealloc_alloc(&p, n + 1, 1).base, 0);
    CHECK_EQ(pagealloc_alloc(&p, n, 1).base, base);
    CHECK_EQ(p.free_pages, 0);
    CHECK_EQ(pagealloc_alloc(&p, 1, 1).base, 0);
    pagealloc_free(&p, base + PAGE_BYTES, n - 2);
    CHECK_EQ(pagealloc_alloc(&p, n - 2, 1).base, base + PAGE_BYTES);
    pagealloc_free(&p, base, 1);
    CHECK_EQ(pagealloc_alloc(&p, 1, 1).base, base);
    pagealloc_free(&p, base + bytes - PAGE_BYTES, 1);
    CHECK_EQ(pagealloc_alloc(&p, 1, 1).base, base + bytes - PAGE_BYTES);
}

// Free pages at the end of one root and the start of another are no run unless the roots touch.
TEST(gap_between_roots)
{
    struct page_alloc p = { 0 };
    CHECK(pagealloc_init(&p, &counter));
    CHECK(pagealloc_grow(&p, ROOT * 101 - CHUNK_BYTES, CHUNK_BYTES));
    CHECK(pagealloc_grow(&p, ROOT * 102, CHUNK_BYTES));
    CHECK_EQ(pagealloc_alloc(&p, CHUNK_PAGES + 1, 1).base, 0);
    CHECK(pagealloc_grow(&p, ROOT * 102 - CHUNK_BYTES, CHUNK_BYTES));
    CHECK_EQ(pagealloc_alloc(&p, CHUNK_PAGES + 1, 1).base, ROOT * 102 - CHUNK_BYTES);
    CHECK(pagealloc_validate(&p) == NULL);
}

// The end of the 47-bit space.
TEST(end_of_space)
{
    struct page_alloc p = { 0 };
    CHECK(pagealloc_init(&p, &counter));
    uintptr_t base = ((uintptr_t)1 << ADDRESS_BITS) - CHUNK_BYTES;
    CHECK(pagealloc_grow(&p, base, CHUNK_BYTES));
    CHECK_EQ(pagealloc_alloc(&p, CHUNK_PAGES, 1).base, base);
    CHECK_EQ(pagealloc_alloc(&p, 1, 1).base, 0);
    pagealloc_free(&p, base, CHUNK_PAGES);
    CHECK(pagealloc_validate(&p) == NULL);
    CHECK(!pagealloc_is_free(&p, base + CHUNK_BYTES));
    CHECK(!pagealloc_is_free(&p, UINTPTR_MAX));
}

// A fragmented heap of 64 GB: a search looks at few nodes, wherever the answer is.
TEST(search_is_bounded)
{
    struct page_alloc p = { 0 };
    CHECK(pagealloc_init(&p, &counter));
    uintptr_t base = ROOT * 48;
    size_t n = 4 * ROOT / PAGE_BYTES;
    CHECK(pagealloc_grow(&p, base, 4 * ROOT));
    CHECK_EQ(pagealloc_alloc(&p, n, 1).base, base);
    for (uintptr_t a = base; a < base + 4 * ROOT; a += CHUNK_BYTES)
        pagealloc_free(&p, a, 1); // one page in each chunk
    uintptr_t hole = base + 4 * ROOT - 17 * MB;
    pagealloc_free(&p, hole + PAGE_BYTES, 2);
    uint64_t visited = p.nodes_visited;
    CHECK_EQ(pagealloc_alloc(&p, 2, 1).base, hole + PAGE_BYTES);
    CHECK_LE(p.nodes_visited - visited, 4 + 8 * (PAGE_LEVELS - 1) + CHUNK_WORDS);
    CHECK_EQ(pagealloc_alloc(&p, 2, 1).base, 0);
    visited = p.nodes_visited;
    for (int i = 0; i < 10000; i++)
        CHECK_NE(pagealloc_alloc(&p, 1, 1).base, 0);
    CHECK_LE((p.nodes_visited - visited) / 10000, 4 + 8 * (PAGE_LEVELS - 1) + CHUNK_WORDS);
}

// Summaries of single chunks, against counting bit by bit.
TEST(summaries)
{
    for (int64_t k = 0; k < test_count(20000); k++) {
        uint64_t free[CHUNK_WORDS];
        uint64_t kind = test_random(&seed) % 4;
        for (size_t i = 0; i < CHUNK_WORDS; i++) {
            uint64_t x = test_random(&seed), y = test_random(&seed);
            free[i] = kind == 0 ? x : kind == 1 ? x | y : kind == 2 ? (x % 3 ? ~0ull : y) : x & y;
            if (x % 5 == 0) free[i] = 0;
        }
        size_t start = 0, max = 0, run = 0;
        for (size_t i = 0; i < CHUNK_PAGES; i++) {
            run = free[i / 64] >> (i % 64) & 1 ? run + 1 : 0;
            if (run == i + 1) start = run;
            if (run > max) max = run;
        }
        struct page_sum s = pagebits_summarize(free);
        CHECK_EQ(s.start, start);
        CHECK_EQ(s.max, max);
        CHECK_EQ(s.end, run);
        struct page_sum again = sum_unpack(sum_pack(s));
        CHECK_EQ(again.start, start);
        CHECK_EQ(again.max, max);
        CHECK_EQ(again.end, run);
        uint64_t words = 0;
        CHECK_EQ(pagebits_find(free, max + 1, &words), CHUNK_PAGES);
        if (max != 0) CHECK_LT(pagebits_find(free, max, &words), CHUNK_PAGES);
    }
}

TEST(page_cache)
{
    struct page_cache c = { 64 * PAGE_BYTES, 0xff00ff0f, 0xf000f00f, 0xf100f00f };
    CHECK(pagecache_validate(&c) == NULL);
    struct page_run r = pagecache_alloc(&c, 5);
    CHECK_EQ(r.base, (64 + 16) * PAGE_BYTES - 8 * PAGE_BYTES);
    CHECK_EQ(r.scavenged, 1);
    r = pagecache_alloc(&c, 4);
    CHECK_EQ(r.base, 64 * PAGE_BYTES);
    CHECK_EQ(r.scavenged, 4);
    CHECK_EQ(pagecache_alloc(&c, 9).base, 0);
    r = pagecache_alloc(&c, 8);
    CHECK_EQ(r.base, (64 + 24) * PAGE_BYTES);
    CHECK_EQ(r.scavenged, 4);
    CHECK_EQ(r.zeroed, 5);
    CHECK_EQ(bits_popcount64(c.free), 3);
    CHECK(pagecache_validate(&c) == NULL);
    for (int i = 0; i < 3; i++)
        CHECK_NE(pagecache_alloc(&c, 1).base, 0);
    CHECK(pagecache_empty(&c));
    c.free = ~0ull;
    CHECK_EQ(pagecache_alloc(&c, 64).base, 64 * PAGE_BYTES);
}

int main(void)
{
    seed = test_seed();
    CHECK(pagealloc_init(&pages, &counter));
    RUN(summaries);
    RUN(page_cache);
    RUN(random_operations);
    RUN(beyond_a_root);
    RUN(gap_between_roots);
    RUN(end_of_space);
    RUN(search_is_bounded);
    return 0;
}
