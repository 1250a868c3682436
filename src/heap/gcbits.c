/* Blocks of marks and allocation bits.
 *
 * Why not generations.  The original hands out fresh mark bits at every sweep from arenas that live
 * for two cycles, because dead bits need no list then.  Sweeping must therefore allocate, and can
 * fail at the worst moment.  Here a span keeps its marks and its bits for as long as the record, so
 * sweeping allocates nothing and no generation is kept.  The price: a sweep rewrites the marks, and freed
 * blocks need lists by length.
 *
 * Blocks are cut from chunks of 64 KB, at multiples of 32 bytes.
 *
 * Locking: GCBITS.  The statics hold off-heap addresses only.
 * Answers to: newMarkBits and its arenas in mheap.go.
 * SPDX-License-Identifier: BSD-3-Clause
 */
#include "heap/gcbits.h"

#include "base/assert.h"
#include "base/bits.h"
#include "os/os.h"
#include "sync/lock.h"

#define BLOCK_ALIGN 32

static struct {
    struct lock lock;
    uint8_t *free[GCBITS_MAX_WORDS + 1]; /* by words; linked through the first word */
    char *next, *end;                    /* free part of the newest chunk */
    uint64_t in_use;                     /* blocks; atomic */
} gcbits = { .lock = LOCK_INIT(RANK_GCBITS) };

/* Bits for one word lie in the span's record. */
static size_t block_bytes(uint32_t words)
{
    size_t bits = words == 1 ? 0 : words * sizeof(uint64_t);
    return align_up((size_t)words * 64 + bits, BLOCK_ALIGN);
}

static uint8_t *pop_locked(uint32_t words)
{
    uint8_t *block = gcbits.free[words];
    if (block != NULL) gcbits.free[words] = *(uint8_t **)block;
    return block;
}

/* Cuts a block from the chunk; opens a new one when it does not fit, the rest is lost. */
static uint8_t *cut_locked(size_t bytes, uint64_t *counter)
{
    char *p = gcbits.next;
    if (p == NULL || p + bytes > gcbits.end) {
        p = os_mem_map(NULL, GCBITS_CHUNK);
        if (p == NULL) return NULL;
        os_mem_name(p, GCBITS_CHUNK, "gort bits");
        atomic_fetch_add_relaxed(counter, GCBITS_CHUNK);
        gcbits.end = p + GCBITS_CHUNK;
    }
    gcbits.next = p + bytes;
    return (uint8_t *)p;
}

uint8_t *gcbits_alloc(uint32_t words, uint64_t *counter)
{
    check(words != 0 && words <= GCBITS_MAX_WORDS);
    lock_acquire(&gcbits.lock);
    uint8_t *block = pop_locked(words);
    if (block == NULL) block = cut_locked(block_bytes(words), counter);
    lock_release(&gcbits.lock);
    if (block != NULL) atomic_fetch_add_relaxed(&gcbits.in_use, 1);
    return block;
}

void gcbits_free(uint8_t *block, uint32_t words)
{
    check(words != 0 && words <= GCBITS_MAX_WORDS);
    lock_acquire(&gcbits.lock);
    *(uint8_t **)block = gcbits.free[words];
    gcbits.free[words] = block;
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
