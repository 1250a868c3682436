/* Blocks of marks and allocation bits.
 *
 * Why not generations.  The original hands out fresh mark bits at every sweep from arenas that live
 * for two cycles, because dead bits need no list then.  Sweeping must therefore allocate, and can
 * fail at the worst moment.  Here a span keeps its marks and its bits for as long as its pages, so
 * sweeping allocates nothing and no generation is kept.  The price: a sweep rewrites the marks, and
 * freed blocks need lists by length: slabs of a page each (slab.h), so that what a shrunken heap
 * does not need goes back to the kernel (Note [Records asleep] in span.c says why that is sound),
 * and sweeping moves those that are scattered (Note [Blocks that move]).
 *
 * Locking: GCBITS.  Answers to: newMarkBits and its arenas in mheap.go.
 * SPDX-License-Identifier: BSD-3-Clause
 */
#include "heap/gcbits.h"

#include <string.h>

#include "base/assert.h"
#include "base/bits.h"
#include "base/race.h"
#include "heap/persistent.h"
#include "heap/slab.h"
#include "os/os.h"
#include "sync/lock.h"

#define BLOCK_ALIGN 32
#define BLOCKS_BYTES 4096

static struct gcbits {
    struct lock lock;
    uint64_t in_use;    /* blocks; atomic */
    uint64_t moved;     /* blocks; atomic */
    uint32_t scattered; /* bit: a number of words; changed with the world stopped only */
    struct slabs by_words[GCBITS_MAX_WORDS + 1]; /* lock */
} * gcbits;                                      /* off-heap: it is no root */

/* Bits for one word lie in the span's record. */
static uint32_t block_bytes(uint32_t words)
{
    uint32_t bits = words == 1 ? 0 : words * (uint32_t)sizeof(uint64_t);
    return (uint32_t)align_up(words * 64 + bits, BLOCK_ALIGN);
}

bool gcbits_init(uint64_t *counter, uint64_t *asleep)
{
    gcbits = persistent_alloc(sizeof(*gcbits), CACHE_LINE, counter);
    if (gcbits == NULL) return false;
    lock_init(&gcbits->lock, RANK_GCBITS);
    for (uint32_t w = 1; w <= GCBITS_MAX_WORDS; w++)
        slabs_init(&gcbits->by_words[w], block_bytes(w), BLOCKS_BYTES, counter, asleep);
    return true;
}

uint8_t *gcbits_alloc(uint32_t words, uint32_t *place)
{
    check(words != 0 && words <= GCBITS_MAX_WORDS);
    lock_acquire(&gcbits->lock);
    uint8_t *block = slabs_take(&gcbits->by_words[words], place);
    lock_release(&gcbits->lock);
    if (block != NULL) atomic_fetch_add_relaxed(&gcbits->in_use, 1);
    return block;
}

void gcbits_free(uint32_t words, uint32_t place)
{
    check(words != 0 && words <= GCBITS_MAX_WORDS);
    lock_acquire(&gcbits->lock);
    slabs_give(&gcbits->by_words[words], place);
    lock_release(&gcbits->lock);
    atomic_fetch_sub_relaxed(&gcbits->in_use, 1);
}

/* ---- moving ---------------------------------------------------------------------------------- */

#define SPARSE_LEAST 16 /* fewer sparse pages are not worth a look at each block */

static bool is_scattered(const struct slabs *p)
{
    return p->sparse >= SPARSE_LEAST && p->sparse >= p->awake / p->bytes / 4;
}

void gcbits_look_stw(bool all)
{
    uint32_t scattered = 0;
    lock_acquire(&gcbits->lock);
    for (uint32_t w = 1; w <= GCBITS_MAX_WORDS; w++)
        if (all || is_scattered(&gcbits->by_words[w])) scattered |= 1u << w;
    lock_release(&gcbits->lock);
    gcbits->scattered = scattered;
}

bool gcbits_are_scattered(uint32_t words)
{
    return (gcbits->scattered >> words & 1) != 0;
}

uint8_t *gcbits_copy_better(uint32_t words, uint32_t place, uint32_t *other)
{
    struct slabs *p = &gcbits->by_words[words];
    if (!slabs_is_sparse(p, place)) return NULL; /* mostly */
    lock_acquire(&gcbits->lock);
    uint8_t *block = slabs_take_better(p, place, other);
    lock_release(&gcbits->lock);
    if (block == NULL) return NULL;
    race_hide();
    memcpy(block, slabs_at(p, place), p->size);
    race_show();
    atomic_fetch_add_relaxed(&gcbits->in_use, 1);
    atomic_fetch_add_relaxed(&gcbits->moved, 1);
    return block;
}

uint64_t gcbits_moved(void)
{
    return atomic_load_relaxed(&gcbits->moved);
}

/* ---- giving back ----------------------------------------------------------------------------- */

static struct slabs *take_empty(uint32_t *place)
{
    struct slabs *found = NULL;
    lock_acquire(&gcbits->lock);
    for (uint32_t w = 1; w <= GCBITS_MAX_WORDS && found == NULL; w++)
        if ((*place = slabs_take_empty(&gcbits->by_words[w])) != SLAB_NONE)
            found = &gcbits->by_words[w];
    lock_release(&gcbits->lock);
    return found;
}

size_t gcbits_release(void)
{
    uint32_t place;
    struct slabs *from = take_empty(&place);
    if (from == NULL) return 0;
    bool gone = os_mem_release(slabs_at(from, place), from->bytes) == 0;
    lock_acquire(&gcbits->lock);
    slabs_put_back(from, place, gone);
    lock_release(&gcbits->lock);
    return gone ? from->bytes : 0;
}

void gcbits_bytes(uint64_t *least, uint64_t *awake)
{
    *least = *awake = 0;
    lock_acquire(&gcbits->lock);
    for (uint32_t w = 1; w <= GCBITS_MAX_WORDS; w++) {
        const struct slabs *p = &gcbits->by_words[w];
        *least += slabs_least(p);
        *awake += p->awake;
    }
    lock_release(&gcbits->lock);
}

uint64_t gcbits_in_use(void)
{
    return atomic_load_relaxed(&gcbits->in_use);
}

uint32_t gcbits_count(const uint64_t *bits, uint32_t nelems)
{
    /* Bits from nelems on are never set. */
    uint32_t n = 0;
    for (uint32_t i = 0; i < gcbits_words(nelems); i++)
        n += bits_popcount64(bits[i]);
    return n;
}
