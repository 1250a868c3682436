/* Bit arrays of spans with more than 64 slots.
 *
 * Why not generations.  The original hands out fresh mark bits at every sweep from arenas that live
 * for two cycles, because dead bits need no list then.  Sweeping must therefore allocate, and can
 * fail at the worst moment.  Here the two arrays of a span change roles at each sweep, so they live as
 * long as the record: sweeping allocates nothing, no generation is kept, and spans of up to 64 slots
 * (class 128 bytes and up, and all large ones) have their bits in the record itself.  The price:
 * a sweep clears the old array (at most 128 bytes, just read), and freed arrays need lists by length.
 *
 * Arrays are cut from chunks of 64 KB; pairs that can share a cache line with another span's are only
 * those of 2 words.  Both arrays are zero when handed out.
 *
 * Locking: GCBITS.  The statics hold off-heap addresses only.
 * Answers to: newMarkBits and its arenas in mheap.go.
 * SPDX-License-Identifier: BSD-3-Clause
 */
#include "heap/gcbits.h"

#include <string.h>

#include "base/assert.h"
#include "base/bits.h"
#include "os/os.h"
#include "sync/lock.h"

static struct {
    struct lock lock;
    uint64_t *free[GCBITS_MAX_WORDS + 1]; /* by words of one array; linked through the first word */
    char *next, *end;                     /* free part of the newest chunk */
    uint64_t in_use;                      /* pairs; atomic */
} gcbits = { .lock = LOCK_INIT(RANK_GCBITS) };

static size_t pair_bytes(uint32_t words)
{
    size_t bytes = (size_t)words * 2 * sizeof(uint64_t);
    return align_up(bytes, bytes > CACHE_LINE / 2 ? CACHE_LINE : CACHE_LINE / 2);
}

static uint64_t *pop_locked(uint32_t words)
{
    uint64_t *bits = gcbits.free[words];
    if (bits == NULL) return NULL;
    gcbits.free[words] = *(uint64_t **)bits;
    return bits;
}

/* Cuts a pair from the chunk; opens a new one when it does not fit, the rest is lost. */
static uint64_t *cut_locked(size_t bytes, uint64_t *counter)
{
    char *p = (char *)align_up((uintptr_t)gcbits.next, bytes > CACHE_LINE / 2 ? CACHE_LINE : 32);
    if (gcbits.next == NULL || p + bytes > gcbits.end) {
        p = os_mem_map(NULL, GCBITS_CHUNK);
        if (p == NULL) return NULL;
        os_mem_name(p, GCBITS_CHUNK, "gort bits");
        atomic_fetch_add_relaxed(counter, GCBITS_CHUNK);
        gcbits.end = p + GCBITS_CHUNK;
    }
    gcbits.next = p + bytes;
    return (uint64_t *)p;
}

uint64_t *gcbits_alloc(uint32_t words, uint64_t *counter)
{
    check(words != 0 && words <= GCBITS_MAX_WORDS);
    lock_acquire(&gcbits.lock);
    uint64_t *bits = pop_locked(words);
    bool used = bits != NULL;
    if (!used) bits = cut_locked(pair_bytes(words), counter);
    lock_release(&gcbits.lock);
    if (bits == NULL) return NULL;
    if (used) memset(bits, 0, (size_t)words * 2 * sizeof(uint64_t));
    atomic_fetch_add_relaxed(&gcbits.in_use, 1);
    return bits;
}

void gcbits_free(uint64_t *bits, uint32_t words)
{
    check(words != 0 && words <= GCBITS_MAX_WORDS);
    lock_acquire(&gcbits.lock);
    *(uint64_t **)bits = gcbits.free[words];
    gcbits.free[words] = bits;
    lock_release(&gcbits.lock);
    atomic_fetch_sub_relaxed(&gcbits.in_use, 1);
}

uint64_t gcbits_in_use(void)
{
    return atomic_load_relaxed(&gcbits.in_use);
}

uint32_t gcbits_count(const uint64_t *bits, uint32_t nelems)
{
    /* Bits from nelems on are never set. */
    uint32_t n = 0;
    for (uint32_t i = 0; i < gcbits_words(nelems); i++)
        n += bits_popcount64(bits[i]);
    return n;
}
