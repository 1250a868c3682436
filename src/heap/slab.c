/* Records in slabs.
 *
 * Four lists, and the order in which records come from them, are all the policy: slabs that are in
 * use anyway fill up before an empty one is begun, the fuller ones first, and an empty one before
 * one that sleeps.  So what a shrunken heap needs gathers in few slabs, and the others stay empty.
 * What is scattered already gathers only if its owner moves it (slabs_take_better): out of sparse
 * slabs, but for the first of them, which fills up when there is nothing fuller.
 *
 * Invariants:
 *   1. a slab's list follows from its free bits: none FULL, less than half PARTIAL, more
 *      SPARSE, all EMPTY, ASLEEP or GOING;
 *   2. in_use + free bits of all slabs == slabs begun * each;
 *   3. awake == bytes of the slabs begun that are not asleep;
 *   4. sparse == slabs on the list of sparse ones.
 *
 * Memory order: as in fixalloc.c: count's release store pairs with slabs_count's acquire.
 * SPDX-License-Identifier: BSD-3-Clause
 */
#include "heap/slab.h"

#include "base/assert.h"
#include "base/atomic.h"
#include "base/bits.h"
#include "os/os.h"

#define FIRST_CHUNK ((uint32_t)16 * 1024)

void slabs_init(struct slabs *p, uint32_t size, uint32_t bytes, uint64_t *counter, uint64_t *asleep)
{
    uint32_t each = bytes / size;
    check(size % 8 == 0 && each != 0 && bytes % 4096 == 0 && bytes <= FIRST_CHUNK);
    *p = (struct slabs){ .size = size, .bytes = bytes, .counter = counter, .asleep = asleep };
    p->each = each < SLAB_ITEMS ? each : SLAB_ITEMS;
    p->first = FIRST_CHUNK / bytes;
    for (unsigned i = 0; i < SLAB_LISTS; i++)
        p->heads[i] = SLAB_NONE;
}

/* Chunk of slab j, and its number in the chunk. */
static unsigned chunk_of(const struct slabs *p, uint32_t j, uint32_t *in_chunk)
{
    unsigned k = bits_len64((uint64_t)j / p->first + 1) - 1;
    *in_chunk = j - (uint32_t)(p->first * (((uint64_t)1 << k) - 1));
    return k;
}

static struct slab *slab_at(const struct slabs *p, uint32_t j)
{
    uint32_t i;
    unsigned k = chunk_of(p, j, &i);
    return &p->described[k][i];
}

static char *memory_of(const struct slabs *p, uint32_t j)
{
    uint32_t i;
    unsigned k = chunk_of(p, j, &i);
    /* Relaxed: the caller read a count above with acquire, or has the lock. */
    return atomic_load_relaxed(&p->chunks[k]) + (size_t)i * p->bytes;
}

uint32_t slabs_count(const struct slabs *p)
{
    return atomic_load_acquire(&p->count) * p->each; /* pairs with begin_slab */
}

void *slabs_at(const struct slabs *p, uint32_t index)
{
    return memory_of(p, index / p->each) + (size_t)(index % p->each) * p->size;
}

/* The gaps in slabs in use are not counted: that would take a walk. */
uint64_t slabs_least(const struct slabs *p)
{
    return p->heads[SLAB_EMPTY] != SLAB_NONE ? p->in_use * p->size : p->awake;
}

uint64_t *slabs_note(const struct slabs *p, uint32_t index)
{
    return &slab_at(p, index / p->each)->note;
}

static uint64_t all_free(const struct slabs *p)
{
    return ~(uint64_t)0 >> (64 - p->each);
}

bool slabs_is_free(const struct slabs *p, uint32_t index)
{
    return (slab_at(p, index / p->each)->free >> index % p->each & 1) != 0;
}

/* ---- lists ----------------------------------------------------------------------------------- */

static void list_add(struct slabs *p, uint32_t j, struct slab *b, unsigned list)
{
    p->sparse += list == SLAB_SPARSE;
    atomic_store_relaxed(&b->list, list); /* slabs_is_sparse may look */
    b->prev = SLAB_NONE;
    b->next = p->heads[list];
    if (b->next != SLAB_NONE) slab_at(p, b->next)->prev = j;
    p->heads[list] = j;
}

static void list_remove(struct slabs *p, struct slab *b)
{
    p->sparse -= b->list == SLAB_SPARSE;
    if (b->prev == SLAB_NONE)
        p->heads[b->list] = b->next;
    else
        slab_at(p, b->prev)->next = b->next;
    if (b->next != SLAB_NONE) slab_at(p, b->next)->prev = b->prev;
}

/* Its free bits or its memory changed. */
static void move(struct slabs *p, uint32_t j, struct slab *b, unsigned list)
{
    if (b->list == list) return;
    list_remove(p, b);
    list_add(p, j, b, list);
}

static unsigned list_by_bits(const struct slabs *p, const struct slab *b)
{
    if (b->free == 0) return SLAB_FULL;
    if (b->free == all_free(p)) return SLAB_EMPTY;
    return 2 * bits_popcount64(b->free) >= p->each ? SLAB_SPARSE : SLAB_PARTIAL;
}

static void count_awake(struct slabs *p, int64_t bytes)
{
    p->awake += (uint64_t)bytes;
    atomic_fetch_add_relaxed(p->counter, (uint64_t)bytes);
    atomic_fetch_sub_relaxed(p->asleep, (uint64_t)bytes);
}

/* ---- growth ---------------------------------------------------------------------------------- */

/* The slabs, then what describes them. */
static bool map_chunk(struct slabs *p, unsigned k)
{
    check(k < SLAB_CHUNKS);
    size_t n = (size_t)p->first << k, page = os_page_size();
    size_t slabs = align_up(n * p->bytes, page), more = align_up(n * sizeof(struct slab), page);
    char *chunk = os_mem_map(NULL, slabs + more);
    if (chunk == NULL) return false;
    os_mem_name(chunk, slabs + more, "gort records");
    atomic_fetch_add_relaxed(p->asleep, slabs);
    atomic_fetch_add_relaxed(p->counter, more);
    p->described[k] = (struct slab *)(chunk + slabs);
    atomic_store_relaxed(&p->chunks[k], chunk); /* published by count */
    return true;
}

/* One more slab, asleep: nothing has touched it. */
static bool begin_slab(struct slabs *p)
{
    uint32_t j = p->count, i;
    check(j < UINT32_MAX / SLAB_ITEMS - 1);
    unsigned k = chunk_of(p, j, &i);
    if (p->chunks[k] == NULL && !map_chunk(p, k)) return false;
    p->described[k][i].free = all_free(p);
    list_add(p, j, &p->described[k][i], SLAB_ASLEEP);
    atomic_store_release(&p->count, j + 1); /* pairs with slabs_count */
    return true;
}

/* ---- records --------------------------------------------------------------------------------- */

/* The lowest free record of slab j, which has one. */
static void *take_from(struct slabs *p, uint32_t j, uint32_t *index)
{
    struct slab *b = slab_at(p, j);
    if (b->list == SLAB_ASLEEP) count_awake(p, p->bytes);
    unsigned k = bits_ctz64(b->free);
    b->free &= b->free - 1;
    move(p, j, b, list_by_bits(p, b));
    p->in_use++;
    *index = j * p->each + k;
    return memory_of(p, j) + (size_t)k * p->size;
}

void *slabs_take(struct slabs *p, uint32_t *index)
{
    unsigned list = SLAB_PARTIAL;
    while (list <= SLAB_ASLEEP && p->heads[list] == SLAB_NONE)
        list++;
    if (list > SLAB_ASLEEP) {
        if (!begin_slab(p)) return NULL;
        list = SLAB_ASLEEP;
    }
    return take_from(p, p->heads[list], index);
}

bool slabs_is_sparse(const struct slabs *p, uint32_t index)
{
    return atomic_load_relaxed(&slab_at(p, index / p->each)->list) == SLAB_SPARSE;
}

void *slabs_take_better(struct slabs *p, uint32_t index, uint32_t *other)
{
    uint32_t to = p->heads[SLAB_PARTIAL];
    if (to == SLAB_NONE) to = p->heads[SLAB_SPARSE];
    if (to == index / p->each || !slabs_is_sparse(p, index)) return NULL;
    return take_from(p, to, other);
}

void slabs_give(struct slabs *p, uint32_t index)
{
    uint32_t j = index / p->each;
    struct slab *b = slab_at(p, j);
    uint64_t bit = (uint64_t)1 << index % p->each;
    check(j < p->count && (b->free & bit) == 0);
    b->free |= bit;
    move(p, j, b, list_by_bits(p, b));
    p->in_use--;
}

/* ---- giving back ----------------------------------------------------------------------------- */

uint32_t slabs_take_empty(struct slabs *p)
{
    uint32_t j = p->heads[SLAB_EMPTY];
    if (j == SLAB_NONE || p->bytes % os_page_size() != 0) return SLAB_NONE;
    move(p, j, slab_at(p, j), SLAB_GOING);
    return j * p->each;
}

void slabs_put_back(struct slabs *p, uint32_t index, bool gone)
{
    uint32_t j = index / p->each;
    check(slab_at(p, j)->list == SLAB_GOING);
    if (gone) count_awake(p, -(int64_t)p->bytes);
    move(p, j, slab_at(p, j), gone ? SLAB_ASLEEP : SLAB_EMPTY);
}

/* ---- proof ----------------------------------------------------------------------------------- */

static const char *validate_list(const struct slabs *p, unsigned list, uint64_t *met)
{
    uint32_t before = SLAB_NONE;
    for (uint32_t j = p->heads[list]; j != SLAB_NONE; before = j, j = slab_at(p, j)->next) {
        if (j >= p->count || ++*met > p->count) return "slabs: a list is no list";
        const struct slab *b = slab_at(p, j);
        if (b->prev != before || b->list != list) return "slabs: links";
        unsigned by_bits = list_by_bits(p, b);
        if (list == SLAB_GOING || (list == SLAB_ASLEEP ? SLAB_EMPTY : list) != by_bits)
            return "slabs: a slab is on another list than its records say";
    }
    return NULL;
}

const char *slabs_validate(const struct slabs *p, uint64_t *free)
{
    uint64_t met = 0, asleep = 0, sparse = 0;
    for (unsigned list = 0; list < SLAB_LISTS; list++) {
        const char *e = validate_list(p, list, &met);
        if (e != NULL) return e;
    }
    if (met != p->count) return "slabs: a slab is on no list";
    *free = 0;
    for (uint32_t j = 0; j < p->count; j++) {
        *free += bits_popcount64(slab_at(p, j)->free);
        asleep += slab_at(p, j)->list == SLAB_ASLEEP;
        sparse += slab_at(p, j)->list == SLAB_SPARSE;
    }
    if (p->in_use + *free != (uint64_t)p->count * p->each) return "slabs: records in use";
    if (p->sparse != sparse) return "slabs: sparse ones";
    if (p->awake != (p->count - asleep) * p->bytes) return "slabs: bytes awake";
    return NULL;
}
