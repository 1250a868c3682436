/* The page allocator: bitmaps under a radix tree of summaries, first fit by address.
 *
 *      level 0   16 GB  8192 nodes        one table
 *      level 1    2 GB  a region          one table
 *      level 2  256 MB  8 per region  \
 *      level 3   32 MB  64            |   struct page_region, mapped when the first
 *      level 4    4 MB  512           |   arena of those 2 GB is
 *      bitmap   512 pages a chunk     /
 *
 * A node's summary holds the lengths of three runs of free pages among its pages: at the start, the
 * longest, at the end.  A search for n pages goes through the roots that have heap, joining ends
 * and starts; the first node whose longest run suffices holds the answer, and so on downwards: at
 * most 8 nodes a level, then 8 words.  Freeing and taking recompute the summaries from the chunks
 * touched upwards, until one does not change.
 *
 * Why this way.  First fit by address keeps a heap dense at the bottom, so that the top empties and
 * can be given back.  A tree ordered by size (best fit) was what this replaced in the original: it
 * needs a node per free run, coalescing by hand, and a lock held over pointer chasing.  The
 * original reserves the summaries of the whole address space in one piece per level, about 300 MB
 * for 47 bits; that fails under a small RLIMIT_AS, and windows around the arenas would fail with
 * the first arena that the kernel places elsewhere.  Mapping the lower levels by region costs one
 * more load on the way down and 72 KB per 2 GB, and works with any limit.
 *
 * Invariants, which pagealloc_validate proves:
 *   1. each summary is what its chunk or its children say;
 *   2. scavenged is a subset of zeroed, that of free; free_pages and scavenged_pages are the bits
 *      set;
 *   3. no page below `search` is free;
 *   4. a root with any heap has its bit in `roots`;
 *   5. a chunk with free pages that are not scavenged has its bit in `resident`.
 *
 * What to give back to the kernel (Note [Free bits]) is searched from the top, where first fit
 * leaves most room, by a bit per chunk: 2 GB a step of eight words.  Two things decide whether a
 * chunk is let alone.  It is dense, or was in this generation or the last: first fit is filling it,
 * so its pages would be back before long.  And blocks that are wholly free go first and go whole,
 * so that huge pages are not split for the sake of part of them.
 *
 * Locking: HEAP, held by the caller of everything here.
 * Answers to: mpagealloc.go.
 * SPDX-License-Identifier: BSD-3-Clause
 */
#include "heap/pagealloc.h"

#include "base/assert.h"
#include "base/atomic.h"
#include "heap/pagebits.h"
#include "heap/persistent.h"
#include "os/os.h"

#define LEAF (PAGE_LEVELS - 1)
#define FANOUT ((size_t)1 << PAGE_FANOUT_SHIFT)
#define SPACE_END ((uintptr_t)1 << ADDRESS_BITS)

_Static_assert(PAGE_ROOT_SHIFT - PAGE_FANOUT_SHIFT * LEAF == CHUNK_SHIFT,
               "five levels end at a chunk");
_Static_assert(((size_t)1 << (REGION_SHIFT - CHUNK_SHIFT)) == 512, "chunks of a region");

/* Bytes that a node of this level stands for, as a shift. */
static inline unsigned level_shift(unsigned level)
{
    return PAGE_ROOT_SHIFT - PAGE_FANOUT_SHIFT * level;
}
static inline size_t level_pages(unsigned level)
{
    return (size_t)1 << (level_shift(level) - PAGE_SHIFT);
}

static inline struct page_region *region_of(const struct page_alloc *p, uintptr_t addr)
{
    return p->regions[addr >> REGION_SHIFT];
}
/* addr lies in a region that exists. */
static inline struct page_chunk *chunk_of(const struct page_alloc *p, uintptr_t addr)
{
    return &region_of(p, addr)->chunks[(addr >> CHUNK_SHIFT) & 511];
}
static inline size_t page_in_chunk(uintptr_t addr)
{
    return (addr >> PAGE_SHIFT) & (CHUNK_PAGES - 1);
}

/* The summary of the node of this level that contains addr; NULL: below level 1, no region. */
static uint64_t *node_at(const struct page_alloc *p, unsigned level, uintptr_t addr)
{
    size_t i = addr >> level_shift(level);
    if (level == 0) return &p->level0[i];
    if (level == 1) return &p->level1[i];
    struct page_region *r = region_of(p, addr);
    if (r == NULL) return NULL;
    if (level == 2) return &r->level2[i & 7];
    if (level == 3) return &r->level3[i & 63];
    return &r->level4[i & 511];
}

bool pagealloc_init(struct page_alloc *p, uint64_t *meta_counter)
{
    /* Sparse tables: only pages that arenas touch cost memory; pagealloc_grow counts those. */
    uint64_t uncounted = 0;
    p->level0 = persistent_map(PAGE_ROOTS * sizeof(uint64_t) + PAGE_ROOTS / 8, &uncounted);
    p->level1 = persistent_map(PAGE_REGIONS * sizeof(uint64_t), &uncounted);
    p->regions = persistent_map(PAGE_REGIONS * sizeof(void *), &uncounted);
    if (p->level0 == NULL || p->level1 == NULL || p->regions == NULL) return false;
    p->roots = p->level0 + PAGE_ROOTS;
    p->root_count = 0;
    p->search = SPACE_END;
    p->generation = GENERATION_FIRST;
    p->meta_counter = meta_counter;
    return true;
}

/* ---- keeping the summaries ------------------------------------------------------------------ */

/* Recomputes the summaries above [base, base + npages), level by level, as long as any changes. */
static void update(struct page_alloc *p, uintptr_t base, size_t npages)
{
    uintptr_t last = base + (npages << PAGE_SHIFT) - 1;
    for (unsigned level = LEAF + 1; level-- > 0;) {
        bool changed = false;
        uintptr_t each = (uintptr_t)1 << level_shift(level);
        for (uintptr_t a = align_down(base, each); a <= last; a += each) {
            struct page_sum s;
            if (level == LEAF)
                s = pagebits_summarize(chunk_of(p, a)->free);
            else {
                /* The first child of a node with a region: children are neighbours in memory. */
                const uint64_t *children = node_at(p, level + 1, a);
                if (children == NULL) continue;
                s = pagebits_merge(children, FANOUT, level_pages(level + 1));
            }
            uint64_t *node = node_at(p, level, a), packed = sum_pack(s);
            changed |= *node != packed;
            *node = packed;
        }
        if (!changed) return;
    }
}

/* One word of a chunk, and the bits of it that belong to a range. */
struct word_range {
    struct page_chunk *chunk;
    size_t word;
    uint64_t mask;
};

/* The first word of [*at, end), and moves *at past it. */
static struct word_range next_word(struct page_alloc *p, uintptr_t *at, uintptr_t end)
{
    size_t page = page_in_chunk(*at), left = (end - *at) >> PAGE_SHIFT;
    unsigned first = page % 64;
    unsigned n = left < 64 - first ? (unsigned)left : 64 - first;
    struct word_range r = { chunk_of(p, *at), page / 64, bits_mask(first, n) };
    *at += (uintptr_t)n << PAGE_SHIFT;
    return r;
}

/* ---- what becomes resident, and what is dense ------------------------------------------------ */

static size_t chunk_in_region(uintptr_t addr)
{
    return (addr >> CHUNK_SHIFT) & 511;
}
static uint32_t *dense_at(const struct page_alloc *p, uintptr_t addr)
{
    return &region_of(p, addr)->dense_at[chunk_in_region(addr)];
}
static bool chunk_bit(const uint64_t bits[8], uintptr_t addr)
{
    size_t i = chunk_in_region(addr);
    return (atomic_load_relaxed(&bits[i / 64]) >> (i % 64) & 1) != 0;
}
/* Written with the lock; `huge` is also read without, as a hint. */
static void chunk_bit_set(uint64_t bits[8], uintptr_t addr, bool on)
{
    size_t i = chunk_in_region(addr);
    uint64_t bit = (uint64_t)1 << (i % 64), word = bits[i / 64];
    atomic_store_relaxed(&bits[i / 64], on ? word | bit : word & ~bit);
}

static bool chunk_is_dense(const struct page_chunk *c)
{
    size_t free = 0;
    for (size_t w = 0; w < CHUNK_WORDS; w++)
        free += bits_popcount64(c->free[w]);
    return free <= CHUNK_PAGES - DENSE_PAGES;
}

/* Pages were taken from the chunks of [base, end).  How many bytes of these were never used
 * before. */
static size_t note_use(struct page_alloc *p, uintptr_t base, uintptr_t end)
{
    size_t grown = 0;
    for (uintptr_t a = align_down(base, CHUNK_BYTES); a < end; a += CHUNK_BYTES) {
        uint32_t *d = dense_at(p, a);
        if (*d == 0) {
            *d = 1;
            grown += CHUNK_BYTES;
        }
        if (chunk_is_dense(chunk_of(p, a))) *d = p->generation;
    }
    return grown;
}

/* Pages are about to be freed: chunks that are dense now were so when this generation began. */
static void before_put(struct page_alloc *p, uintptr_t base, uintptr_t end, bool resident)
{
    for (uintptr_t a = align_down(base, CHUNK_BYTES); a < end; a += CHUNK_BYTES) {
        uint32_t *d = dense_at(p, a);
        if (*d != 0 && *d < p->generation - 1 && chunk_is_dense(chunk_of(p, a)))
            *d = p->generation - 1;
        if (resident) chunk_bit_set(region_of(p, a)->resident, a, true);
    }
}

/* The block at addr is about to be touched.  When the kernel has all of its memory and backs it by
 * a huge page, all of it comes back at once.  Returns how many pages. */
static size_t wake_block(struct page_alloc *p, uintptr_t addr)
{
    if (!pagealloc_is_huge(p, addr)) return 0;
    struct page_chunk *c = chunk_of(p, addr);
    size_t first = page_in_chunk(addr) / BLOCK_PAGES * BLOCK_WORDS;
    for (size_t w = first; w < first + BLOCK_WORDS; w++)
        if (~c->scavenged[w] != 0) return 0;
    for (size_t w = first; w < first + BLOCK_WORDS; w++)
        c->scavenged[w] = 0;
    p->scavenged_pages -= BLOCK_PAGES;
    chunk_bit_set(region_of(p, addr)->resident, addr, true);
    return BLOCK_PAGES;
}

static size_t wake_blocks(struct page_alloc *p, uintptr_t base, uintptr_t end)
{
    size_t n = 0;
    for (uintptr_t a = align_down(base, BLOCK_BYTES); a < end; a += BLOCK_BYTES)
        n += wake_block(p, a);
    return n;
}

/* ---- taking and putting ---------------------------------------------------------------------- */

/* Takes free pages out. */
static struct page_run take_range(struct page_alloc *p, uintptr_t base, size_t npages)
{
    uintptr_t end = base + (npages << PAGE_SHIFT);
    struct page_run run = { .base = base };
    for (uintptr_t a = base; a < end;) {
        struct word_range r = next_word(p, &a, end);
        uint64_t *free = &r.chunk->free[r.word], *scav = &r.chunk->scavenged[r.word];
        uint64_t *zeroed = &r.chunk->zeroed[r.word];
        assert_that((*free & r.mask) == r.mask);
        run.scavenged += bits_popcount64(*scav & r.mask);
        run.zeroed += bits_popcount64(*zeroed & r.mask);
        *free &= ~r.mask;
        *zeroed &= ~r.mask;
        *scav &= ~r.mask;
    }
    p->free_pages -= npages;
    p->scavenged_pages -= run.scavenged;
    update(p, base, npages);
    return run;
}

static void put_range(struct page_alloc *p, uintptr_t base, size_t npages, bool scavenged)
{
    uintptr_t end = base + (npages << PAGE_SHIFT);
    before_put(p, base, end, !scavenged);
    for (uintptr_t a = base; a < end;) {
        struct word_range r = next_word(p, &a, end);
        check((r.chunk->free[r.word] & r.mask) == 0); /* freed twice */
        r.chunk->free[r.word] |= r.mask;
        if (scavenged) {
            r.chunk->zeroed[r.word] |= r.mask;
            r.chunk->scavenged[r.word] |= r.mask;
        }
    }
    p->free_pages += npages;
    if (scavenged) p->scavenged_pages += npages;
    if (base < p->search) p->search = base;
    update(p, base, npages);
}

/* ---- growth --------------------------------------------------------------------------------- */

bool pagealloc_grow(struct page_alloc *p, uintptr_t base, size_t bytes)
{
    check(base % CHUNK_BYTES == 0 && bytes % CHUNK_BYTES == 0 && base + bytes <= SPACE_END);
    uintptr_t end = base + bytes;
    for (uintptr_t i = base >> REGION_SHIFT; i <= (end - 1) >> REGION_SHIFT; i++) {
        if (p->regions[i] != NULL) continue;
        p->regions[i] = persistent_map(sizeof(struct page_region), p->meta_counter);
        if (p->regions[i] == NULL) return false; /* the regions made stay, empty */
        /* Pages of the three sparse tables that this region touches, at most. */
        atomic_fetch_add_relaxed(p->meta_counter, 3 * os_page_size());
    }
    for (uintptr_t i = base >> PAGE_ROOT_SHIFT; i <= (end - 1) >> PAGE_ROOT_SHIFT; i++) {
        uint64_t bit = (uint64_t)1 << (i % 64);
        p->root_count += (p->roots[i / 64] & bit) == 0;
        p->roots[i / 64] |= bit;
    }
    put_range(p, base, bytes >> PAGE_SHIFT, true);
    return true;
}

void pagealloc_set_huge(struct page_alloc *p, uintptr_t base, size_t bytes, bool huge)
{
    check(base % CHUNK_BYTES == 0 && bytes % CHUNK_BYTES == 0);
    for (uintptr_t a = base; a < base + bytes; a += CHUNK_BYTES)
        chunk_bit_set(region_of(p, a)->huge, a, huge);
}

bool pagealloc_is_huge(const struct page_alloc *p, uintptr_t addr)
{
    return chunk_bit(region_of(p, addr)->huge, addr);
}

/* ---- searching ------------------------------------------------------------------------------- */

/* The state of one search: where a run of free pages that reaches the current node begins, and
 * the best known bound below which nothing is free. */
struct search {
    size_t want;
    size_t run;           /* free pages right below the current node */
    uintptr_t first_free; /* nothing below is free; raised while `exact` */
    bool exact;           /* the node being searched is the first one with free pages */
    bool seen;            /* a node of this level with free pages was met */
};

enum verdict { GO_ON, FOUND_ACROSS, DESCEND };

/* Looks at one node at addr of a level, in address order. */
static enum verdict look(struct page_alloc *p, struct search *s, uint64_t packed, unsigned level,
                         uintptr_t addr)
{
    p->nodes_visited++;
    if (packed == 0) {
        s->run = 0;
        return GO_ON;
    }
    bool first = !s->seen;
    s->seen = true;
    if (first && s->exact && addr > s->first_free) s->first_free = addr;
    struct page_sum sum = sum_unpack(packed);
    if (s->run + sum.start >= s->want) {
        s->exact = false;
        return FOUND_ACROSS;
    }
    if (sum.max >= s->want) {
        s->exact &= first;
        return DESCEND;
    }
    size_t all = level_pages(level);
    s->run = sum.max == all ? s->run + all : sum.end;
    return GO_ON;
}

/* Index of the first root at or above i, PAGE_ROOTS: none. */
static size_t next_root(const struct page_alloc *p, size_t i)
{
    for (size_t w = i / 64; w < PAGE_ROOTS / 64; w++) {
        uint64_t x = p->roots[w];
        if (w == i / 64) x &= ~(uint64_t)0 << (i % 64);
        if (x != 0) return w * 64 + bits_ctz64(x);
    }
    return PAGE_ROOTS;
}

/* Level 0.  FOUND_ACROSS, DESCEND: *node is the node; GO_ON: there is no such run. */
static enum verdict search_roots(struct page_alloc *p, struct search *s, uintptr_t *node)
{
    size_t expected = PAGE_ROOTS;
    for (size_t i = next_root(p, p->search >> PAGE_ROOT_SHIFT); i < PAGE_ROOTS;
         i = next_root(p, i + 1)) {
        if (i != expected) s->run = 0; /* not neighbours */
        expected = i + 1;
        *node = (uintptr_t)i << PAGE_ROOT_SHIFT;
        enum verdict v = look(p, s, p->level0[i], 0, *node);
        if (v != GO_ON) return v;
    }
    return GO_ON;
}

/* The children of *node, a node of level - 1 whose longest run suffices. */
static enum verdict search_children(struct page_alloc *p, struct search *s, unsigned level,
                                    uintptr_t *node)
{
    const uint64_t *children = node_at(p, level, *node);
    s->run = 0;
    s->seen = false;
    for (size_t i = 0; i < FANOUT; i++) {
        uintptr_t addr = *node + ((uintptr_t)i << level_shift(level));
        enum verdict v = look(p, s, children[i], level, addr);
        if (v == GO_ON) continue;
        *node = addr;
        return v;
    }
    throw_msg("page summaries promise a run that their children do not have");
}

static uintptr_t search_chunk(struct page_alloc *p, struct search *s, uintptr_t chunk)
{
    const uint64_t *free = chunk_of(p, chunk)->free;
    size_t page = pagebits_find(free, s->want, &p->nodes_visited);
    if (page == CHUNK_PAGES) throw_msg("page summary promises a run that its bitmap does not have");
    if (s->exact) {
        uintptr_t first = chunk + (pagebits_first(free) << PAGE_SHIFT);
        if (first > s->first_free) s->first_free = first;
    }
    return chunk + (page << PAGE_SHIFT);
}

/* First fit.  0: none. */
static uintptr_t find(struct page_alloc *p, size_t npages)
{
    if (p->search >= SPACE_END) return 0;
    struct search s = { npages, 0, p->search, true, false };
    uintptr_t node = 0, found = 0;
    p->searches++;
    enum verdict v = search_roots(p, &s, &node);
    if (v == GO_ON) {
        /* Nothing met at all: nothing is free.  Else raise the bound by what was seen. */
        p->search = s.seen ? s.first_free : SPACE_END;
        return 0;
    }
    for (unsigned level = 1; v == DESCEND && level < PAGE_LEVELS; level++)
        v = search_children(p, &s, level, &node);
    if (v == DESCEND)
        found = search_chunk(p, &s, node);
    else
        found = node - (s.run << PAGE_SHIFT);
    p->search = s.first_free;
    return found;
}

struct page_run pagealloc_alloc(struct page_alloc *p, size_t npages, size_t align_pages)
{
    struct page_run none = { .base = 0 };
    check(npages != 0 && is_pow2(align_pages));
    /* A run that is longer by the alignment holds an aligned one wherever it begins. */
    size_t want = npages + align_pages - 1;
    if (want > p->free_pages) return none;
    uintptr_t found = find(p, want);
    if (found == 0) return none;
    uintptr_t base = align_up(found, align_pages << PAGE_SHIFT);
    uintptr_t end = base + (npages << PAGE_SHIFT);
    size_t woken = wake_blocks(p, base, end);
    struct page_run r = take_range(p, base, npages);
    r.scavenged += woken;
    r.grown = note_use(p, base, end);
    /* The search's bound was the first free page: when that is what was taken, it moves past. */
    if (p->search == r.base) p->search = r.base + (npages << PAGE_SHIFT);
    return r;
}

void pagealloc_free(struct page_alloc *p, uintptr_t base, size_t npages)
{
    check(base % PAGE_BYTES == 0 && npages != 0);
    put_range(p, base, npages, false);
}

/* ---- windows for page caches ----------------------------------------------------------------- */

struct page_cache pagealloc_take_window(struct page_alloc *p, struct page_run *account)
{
    struct page_cache c = { 0, 0, 0, 0 };
    if (p->free_pages == 0) return c;
    uintptr_t first = find(p, 1);
    if (first == 0) return c;
    c.base = align_down(first, PAGE_CACHE_PAGES * PAGE_BYTES);
    account->scavenged += wake_block(p, first);
    struct page_chunk *chunk = chunk_of(p, first);
    size_t w = page_in_chunk(first) / 64;
    c.free = chunk->free[w];
    c.zeroed = chunk->zeroed[w];
    c.scavenged = chunk->scavenged[w];
    chunk->free[w] = chunk->zeroed[w] = chunk->scavenged[w] = 0;
    p->free_pages -= bits_popcount64(c.free);
    p->scavenged_pages -= bits_popcount64(c.scavenged);
    update(p, c.base, PAGE_CACHE_PAGES);
    p->search = c.base + PAGE_CACHE_PAGES * PAGE_BYTES;
    account->grown += note_use(p, c.base, p->search);
    return c;
}

void pagealloc_return_window(struct page_alloc *p, struct page_cache *c)
{
    if (c->free != 0) {
        struct page_chunk *chunk = chunk_of(p, c->base);
        size_t w = page_in_chunk(c->base) / 64;
        check((chunk->free[w] & c->free) == 0);
        before_put(p, c->base, c->base + PAGE_BYTES, c->free != c->scavenged);
        chunk->free[w] |= c->free;
        chunk->zeroed[w] |= c->zeroed;
        chunk->scavenged[w] |= c->scavenged;
        p->free_pages += bits_popcount64(c->free);
        p->scavenged_pages += bits_popcount64(c->scavenged);
        if (c->base < p->search) p->search = c->base;
        update(p, c->base, PAGE_CACHE_PAGES);
    }
    *c = (struct page_cache){ 0, 0, 0, 0 };
}

/* ---- pages to give back ---------------------------------------------------------------------- */

#define HUNT_CHUNKS 64 /* looked at with the lock held once */

static bool block_is_free(const struct page_chunk *c, size_t block)
{
    uint64_t all = ~(uint64_t)0;
    for (size_t w = block * BLOCK_WORDS; w < (block + 1) * BLOCK_WORDS; w++)
        all &= c->free[w];
    return ~all == 0;
}

/* The highest run of free pages with memory in one block, below page index `below` of the chunk, at
 * most max long, or the whole block when all of it is free.  Length; 0: none. */
static size_t resident_run(const struct page_chunk *c, size_t below, size_t max, bool blocks,
                           size_t *first)
{
    for (size_t i = below; i-- > 0;) {
        uint64_t x = c->free[i / 64] & ~c->scavenged[i / 64];
        if (i % 64 != 63) x &= ((uint64_t)2 << (i % 64)) - 1;
        if (x == 0) {
            i = i / 64 * 64; /* nothing up to here in this word */
            continue;
        }
        i = i / 64 * 64 + 63 - bits_clz64(x);
        size_t bottom = i / BLOCK_PAGES * BLOCK_PAGES, n = 1;
        if (below >= bottom + BLOCK_PAGES && block_is_free(c, i / BLOCK_PAGES)) {
            *first = bottom;
            return BLOCK_PAGES;
        }
        if (blocks) {
            i = bottom; /* to the next block down */
            continue;
        }
        for (*first = i; n<max && * first> bottom; n++, (*first)--) {
            uint64_t w = c->free[(*first - 1) / 64] & ~c->scavenged[(*first - 1) / 64];
            if ((w >> ((*first - 1) % 64) & 1) == 0) break;
        }
        return n;
    }
    return 0;
}

static bool chunk_may_be_released(const struct page_alloc *p, uintptr_t chunk, bool force)
{
    if (force) return true;
    return *dense_at(p, chunk) + 1 < p->generation && !chunk_is_dense(chunk_of(p, chunk));
}

/* Looks at one chunk; when nothing of it is left to find, and nothing was passed over, its bit
 * is cleared. */
static size_t hunt_chunk(struct page_alloc *p, const struct page_hunt *h, uintptr_t chunk,
                         size_t max, uintptr_t *base)
{
    size_t below = h->below - chunk >= CHUNK_BYTES ? CHUNK_PAGES : (h->below - chunk) >> PAGE_SHIFT;
    size_t first = 0;
    if (!chunk_may_be_released(p, chunk, h->force)) return 0;
    size_t n = resident_run(chunk_of(p, chunk), below, max, h->blocks, &first);
    *base = chunk + (first << PAGE_SHIFT);
    if (n == 0 && below == CHUNK_PAGES && !h->blocks)
        chunk_bit_set(region_of(p, chunk)->resident, chunk, false);
    return n;
}

/* The highest chunk below `below` whose bit in `resident` is set.  0: none. */
static uintptr_t resident_chunk(const struct page_alloc *p, uintptr_t below)
{
    uintptr_t at = below < SPACE_END ? align_up(below, CHUNK_BYTES) : SPACE_END;
    while (at != 0) {
        uintptr_t last = at - 1;
        const struct page_region *r = NULL;
        size_t root = last >> PAGE_ROOT_SHIFT;
        if ((p->roots[root / 64] >> (root % 64) & 1) == 0) {
            at = (uintptr_t)root << PAGE_ROOT_SHIFT;
            continue;
        }
        r = region_of(p, last);
        size_t i = chunk_in_region(last);
        uint64_t x = r == NULL ? 0 : r->resident[i / 64];
        if (i % 64 != 63) x &= ((uint64_t)2 << (i % 64)) - 1;
        if (x != 0)
            return align_down(last, (uintptr_t)1 << REGION_SHIFT) +
                   ((uintptr_t)(i / 64 * 64 + 63 - bits_clz64(x)) << CHUNK_SHIFT);
        at = align_down(last, (uintptr_t)1 << (r == NULL ? REGION_SHIFT : CHUNK_SHIFT + 6));
    }
    return 0;
}

struct page_run pagealloc_take_resident(struct page_alloc *p, struct page_hunt *h, size_t max,
                                        size_t *npages)
{
    struct page_run none = { .base = 0 };
    if (p->free_pages == p->scavenged_pages) h->below = 0;
    for (int looked = 0; h->below != 0 && looked < HUNT_CHUNKS; looked++) {
        uintptr_t chunk = resident_chunk(p, h->below), base;
        if (chunk != 0 && (*npages = hunt_chunk(p, h, chunk, max, &base)) != 0) {
            h->below = base;
            return take_range(p, base, *npages);
        }
        h->below = chunk;
    }
    return none;
}

void pagealloc_generation_stw(struct page_alloc *p)
{
    p->generation++;
}

void pagealloc_put_back(struct page_alloc *p, uintptr_t base, size_t npages, bool scavenged)
{
    put_range(p, base, npages, scavenged);
}

/* ---- looking --------------------------------------------------------------------------------- */

/* The chunk at addr, NULL: no heap there. */
static const struct page_chunk *chunk_at(const struct page_alloc *p, uintptr_t addr)
{
    return addr >= SPACE_END || region_of(p, addr) == NULL ? NULL : chunk_of(p, addr);
}
static bool page_bit(const uint64_t bits[CHUNK_WORDS], uintptr_t addr)
{
    size_t i = page_in_chunk(addr);
    return (bits[i / 64] >> (i % 64) & 1) != 0;
}

bool pagealloc_is_free(const struct page_alloc *p, uintptr_t addr)
{
    const struct page_chunk *c = chunk_at(p, addr);
    return c != NULL && page_bit(c->free, addr);
}

bool pagealloc_is_scavenged(const struct page_alloc *p, uintptr_t addr)
{
    const struct page_chunk *c = chunk_at(p, addr);
    return c != NULL && page_bit(c->scavenged, addr);
}

bool pagealloc_is_zeroed(const struct page_alloc *p, uintptr_t addr)
{
    const struct page_chunk *c = chunk_at(p, addr);
    return c != NULL && page_bit(c->zeroed, addr);
}

bool pagealloc_chunk_is_scavenged(const struct page_alloc *p, uintptr_t chunk)
{
    const struct page_chunk *c = chunk_of(p, chunk);
    uint64_t all = ~(uint64_t)0;
    for (size_t w = 0; w < CHUNK_WORDS; w++)
        all &= c->scavenged[w];
    return ~all == 0;
}

static const char *validate_chunks(const struct page_alloc *p, uintptr_t region, uint64_t *free,
                                   uint64_t *scavenged)
{
    for (size_t i = 0; i < 512; i++) {
        uintptr_t addr = region + i * CHUNK_BYTES;
        const struct page_chunk *c = chunk_of(p, addr);
        if (*node_at(p, LEAF, addr) != sum_pack(pagebits_summarize(c->free)))
            return "a chunk's summary differs from its bitmap";
        for (size_t w = 0; w < CHUNK_WORDS; w++) {
            if ((c->zeroed[w] & ~c->free[w]) != 0) return "a page is zeroed but not free";
            if ((c->scavenged[w] & ~c->zeroed[w]) != 0) return "a page is scavenged but not zeroed";
            if (c->free[w] != c->scavenged[w] && !chunk_bit(region_of(p, addr)->resident, addr))
                return "a chunk with pages to give back is not listed";
            *free += bits_popcount64(c->free[w]);
            *scavenged += bits_popcount64(c->scavenged[w]);
            uintptr_t word_end = addr + (w + 1) * 64 * PAGE_BYTES;
            if (c->free[w] == 0 || p->search <= addr + w * 64 * PAGE_BYTES) continue;
            if (p->search >= word_end) return "a page below the search bound is free";
            if (bits_ctz64(c->free[w]) < ((p->search - addr) >> PAGE_SHIFT) - w * 64)
                return "a page below the search bound is free";
        }
    }
    return NULL;
}

static const char *validate_node(const struct page_alloc *p, unsigned level, uintptr_t addr)
{
    const uint64_t *children = node_at(p, level + 1, addr);
    struct page_sum s = pagebits_merge(children, FANOUT, level_pages(level + 1));
    return *node_at(p, level, addr) == sum_pack(s) ? NULL : "a summary differs from its children's";
}

static const char *validate_region(const struct page_alloc *p, uintptr_t region, uint64_t *free,
                                   uint64_t *scavenged)
{
    const char *e = validate_chunks(p, region, free, scavenged);
    for (unsigned level = LEAF; e == NULL && level-- > 1;) {
        uintptr_t each = (uintptr_t)1 << level_shift(level);
        for (uintptr_t a = region; e == NULL && a < region + ((uintptr_t)1 << REGION_SHIFT);
             a += each)
            e = validate_node(p, level, a);
    }
    return e;
}

const char *pagealloc_validate(const struct page_alloc *p)
{
    uint64_t free = 0, scavenged = 0, roots = 0;
    for (size_t r = 0; r < PAGE_REGIONS; r++) {
        if (p->regions[r] == NULL) {
            if (p->level1[r] != 0) return "a summary without a region";
            continue;
        }
        uintptr_t root = r >> PAGE_FANOUT_SHIFT;
        if (p->level1[r] != 0 && (p->roots[root / 64] >> (root % 64) & 1) == 0)
            return "a root with heap is not listed";
        const char *e = validate_region(p, (uintptr_t)r << REGION_SHIFT, &free, &scavenged);
        if (e != NULL) return e;
    }
    for (size_t i = next_root(p, 0); i < PAGE_ROOTS; i = next_root(p, i + 1)) {
        const char *e = validate_node(p, 0, (uintptr_t)i << PAGE_ROOT_SHIFT);
        if (e != NULL) return e;
        roots++;
    }
    if (roots != p->root_count) return "count of roots";
    if (free != p->free_pages) return "count of free pages";
    if (scavenged != p->scavenged_pages) return "count of scavenged pages";
    return NULL;
}
