/* The per-P page cache: an aligned window of 64 pages taken from the page heap at once.
 *
 * Most spans are one page, so most span allocations then need no lock.  Pages of a window count as
 * nobody's in the page heap's bitmaps and as free in the statistics, for the scavenged and zeroed
 * bits travel along.
 *
 * Locking: none; whoever owns the P.  Answers to: mpagecache.go.
 * SPDX-License-Identifier: BSD-3-Clause
 */
#include "heap/pagebits.h"
#include "os/os.h"

struct page_run pagecache_alloc(struct page_cache *c, size_t npages)
{
    struct page_run r = { .base = 0 };
    uint64_t starts = bits_runs_of(c->free, (unsigned)npages);
    if (starts == 0) return r;
    unsigned first = bits_ctz64(starts);
    uint64_t mask = bits_mask(first, (unsigned)npages);
    r.base = c->base + ((uintptr_t)first << PAGE_SHIFT);
    r.scavenged = bits_popcount64(c->scavenged & mask);
    r.zeroed = bits_popcount64(c->zeroed & mask);
    c->free &= ~mask;
    c->zeroed &= ~mask;
    c->scavenged &= ~mask;
    return r;
}

size_t pagecache_populate(struct page_cache *c, uintptr_t base, size_t npages, size_t most)
{
    unsigned next = (unsigned)((base - c->base) >> PAGE_SHIFT) + (unsigned)npages;
    unsigned more = next < PAGE_CACHE_PAGES ? bits_ones_low(c->scavenged >> next) : 0;
    if (more > PAGE_CACHE_PAGES - next) more = PAGE_CACHE_PAGES - next;
    if (more > most) more = (unsigned)most;
    if (!os_mem_populate((void *)base, (npages + more) << PAGE_SHIFT) || more == 0) return 0;
    c->scavenged &= ~bits_mask(next, more);
    return more;
}

const char *pagecache_validate(const struct page_cache *c)
{
    if ((c->zeroed & ~c->free) != 0) return "page cache: a zeroed page is not free";
    if ((c->scavenged & ~c->zeroed) != 0) return "page cache: a scavenged page is not zeroed";
    if (c->free != 0 && c->base == 0) return "page cache: free pages without a base";
    if (c->base % (PAGE_CACHE_PAGES * PAGE_BYTES) != 0) return "page cache: base not aligned";
    return NULL;
}
