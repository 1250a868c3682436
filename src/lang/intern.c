/* Interning: one copy of equal strings, kept as long as somebody has it.
 *
 * A hash table with linear probing, of weak references to the copies, in collected memory.  A
 * reference whose copy is gone leaves its place to the next string that comes by; when three
 * fourths of the places are taken all that lives is counted, and goes into a table that is at most
 * half full.  So dead places are paid for by insertions, and the collector need not tell of deaths.
 *
 * A copy is an object of its own, never a tiny one, which would live as long as its neighbours.
 *
 * Invariants: (1) from a string's home place to its own no place is empty; (2) at least a fourth of
 * the places is empty, so that every search ends.
 *
 * Locking: `lock`, a gort_mutex: who holds it allocates.
 * Answers to: the package unique.
 * SPDX-License-Identifier: BSD-3-Clause
 */
#include <string.h>

#include "base/assert.h"
#include "base/random.h"
#include "gort/sync.h"
#include "heap/heap_data.h"
#include "lang/text.h"

struct entry {
    gort_weak *copy; /* NULL: the place is empty */
    uint64_t hash;
    size_t len;
};

static const struct gort_pointer_run entry_runs[] = { { offsetof(struct entry, copy),
                                                        sizeof(gort_weak *) } };
static const struct gort_type entry_type = { .name = "interned string",
                                             .size = sizeof(struct entry),
                                             .ptrdata = sizeof(gort_weak *),
                                             .mask = 1,
                                             .runs = entry_runs,
                                             .nruns = 1,
                                             .align = sizeof(void *) };

/* All by `lock`. */
static struct {
    gort_mutex lock;
    struct entry *places; /* collected */
    size_t size;          /* a power of two, or 0 */
    size_t taken;         /* places that are not empty, the dead ones' too */
} interned;

#define SIZE_MIN ((size_t)64)

/* ---- hashing --------------------------------------------------------------------------------- */

static uint64_t mix(uint64_t a, uint64_t b)
{
    __extension__ unsigned __int128 p = (unsigned __int128)a * b;
    return (uint64_t)p ^ (uint64_t)(p >> 64);
}

/* Eight bytes a step, each folded into the whole by a full multiplication; seeded, so that nobody
 * outside chooses strings that collide. */
static uint64_t hash_of(gort_string s)
{
    uint64_t h = random_process_seed() ^ s.len, word;
    size_t at = 0;
    for (; s.len - at >= sizeof word; at += sizeof word) {
        memcpy(&word, s.ptr + at, sizeof word);
        h = mix(h ^ word, UINT64_C(0xa0761d6478bd642f));
    }
    word = 0;
    if (s.len != at) memcpy(&word, s.ptr + at, s.len - at);
    return mix(h ^ word, UINT64_C(0xe7037ed1a0b428db));
}

/* ---- places ---------------------------------------------------------------------------------- */

static size_t next_place(size_t i)
{
    return (i + 1) & (interned.size - 1);
}

/* The string's copy, or NULL; *free: where a new one goes, the first dead place on the way if
 * any. */
static const char *find(gort_string s, uint64_t hash, struct entry **free)
{
    *free = NULL;
    for (size_t i = hash & (interned.size - 1);; i = next_place(i)) {
        struct entry *e = &interned.places[i];
        if (e->copy == NULL) {
            if (*free == NULL) *free = e;
            return NULL;
        }
        const char *copy = gort_weak_get(e->copy);
        if (copy == NULL) {
            if (*free == NULL) *free = e;
        } else if (e->hash == hash && e->len == s.len && memcmp(copy, s.ptr, s.len) == 0) {
            return copy;
        }
    }
}

static void put(struct entry *e, gort_weak *copy, uint64_t hash, size_t len)
{
    if (e->copy == NULL) interned.taken++;
    gort_store_pointer((void **)&e->copy, copy);
    e->hash = hash;
    e->len = len;
}

/* ---- growing --------------------------------------------------------------------------------- */

static bool lives(const struct entry *e)
{
    return e->copy != NULL && gort_weak_get(e->copy) != NULL;
}

static void move_living(const struct entry *from, size_t n)
{
    for (size_t k = 0; k < n; k++) {
        if (!lives(&from[k])) continue;
        size_t i = from[k].hash & (interned.size - 1);
        while (interned.places[i].copy != NULL)
            i = next_place(i);
        put(&interned.places[i], from[k].copy, from[k].hash, from[k].len);
    }
}

static void renew(void)
{
    struct entry *former = interned.places;
    size_t n = interned.size, living = 0, size = SIZE_MIN;
    for (size_t i = 0; i < n; i++)
        living += lives(&former[i]);
    while (size / 2 <= living)
        size *= 2;
    gort_store_pointer((void **)&interned.places, gort_new_array_raw(&entry_type, size));
    interned.size = size;
    interned.taken = 0;
    move_living(former, n);
    gort_keep_alive(former);
}

/* ---- the call -------------------------------------------------------------------------------- */

static const char *add(gort_string s, uint64_t hash, struct entry *free)
{
    char *copy = text_alloc(s.len > TINY_MAX ? s.len : TINY_MAX + 1);
    memcpy(copy, s.ptr, s.len);
    put(free, gort_weak_make(copy), hash, s.len);
    return copy;
}

gort_string gort_string_intern(gort_string s)
{
    struct entry *free;
    if (s.len == 0) return (gort_string){ NULL, 0 };
    uint64_t hash = hash_of(s);
    gort_mutex_lock(&interned.lock);
    if (interned.taken >= interned.size / 4 * 3) renew();
    const char *copy = find(s, hash, &free);
    if (copy == NULL) copy = add(s, hash, free);
    gort_mutex_unlock(&interned.lock);
    return (gort_string){ copy, s.len };
}
