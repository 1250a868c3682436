/* Concurrent maps: what their files share.
 *
 * A map is a table of buckets, a bucket one word: a list of entries, most often of one.  Entries
 * and lists never change once they are in a bucket: who adds, replaces or removes makes the list
 * anew, as far as it differs, and puts it in the bucket by one compare-and-swap.  So every
 * operation happens at one instant, readers follow a list as long as they like, and nobody holds a
 * lock.
 *
 * Which entries belong to a bucket is said by the upper bits of their hashes: bucket i of a table
 * becomes buckets 2i and 2i + 1 of a table twice the size.
 *
 * Note [Taking over].  A table that is full is followed by one of twice the buckets, empty, which
 * knows the former as `from`.  What a bucket of it holds is 0 until it was taken over:
 *
 *      from's bucket: list --freeze, any writer--> list | FROZEN          (for ever)
 *      its two heirs: 0 --compare-and-swap, any writer, after the freeze--> list or EMPTY
 *
 * Who writes takes his own bucket over first, then some others; when all are, `from` is dropped,
 * and only then may the table be followed by another.  Who reads a 0 looks in `from`, and takes
 * what he finds, frozen or not.  A writer that meets a frozen bucket has an old table, and begins
 * anew.  Everything is seen to happen at one instant:
 *   - A write: its compare-and-swap.  While from's bucket is not frozen, its heirs are 0, so the
 *     one list counts; once it is frozen it does not change, so all who build an heir build the
 *     same, and no write is lost between.
 *   - A read of an heir that is not 0, or of a bucket that is not frozen: its load, if the table is
 *     the map's or the map's `from`.
 *   - A read that saw 0 in the heir, and then a frozen list: the freeze, or the load of the 0,
 *     whichever came later; until then, and from the freeze on, this list was what counts.
 *   - A read in a table that was the map's when the reader took it, and is not any more: if the
 *     bucket is frozen, the freeze came after; the list counted at that instant.
 *   - Clearing exchanges the table for a new one without `from`.  Who took the former one and still
 *     works in it began before the exchange; all these happen, in their order, just before it.
 * All but the last was tried in every order of steps: test/model/cmap.pml.
 *
 * Note [Entries and the collector].  Buckets are changed by gort_compare_exchange_raw, which tells
 * the collector of both words; tags are in the lowest bits, so a word points into the entry, which
 * keeps it.  A new entry is filled by plain stores: it is black if marking is under way, and what
 * it names was on the stack of the goroutine, or in an entry that was in a bucket: reachable when
 * marking began, and then marked, or newer.  The entry itself is on the stack until it is in the
 * bucket.  An entry that was taken out is not used for another before nobody knows it, so that an
 * equal word in a bucket is an equal list: the compare-and-swap can not be fooled.
 *
 * Invariants:
 *  (1) m->table's `from`, when it is not NULL, has itself no `from`;
 *  (2) in a table without `from` 0 means empty; it is found there only if the table never had one;
 *  (3) entries of a bucket differ in their keys, except keys that do not equal themselves;
 *  (4) count is what was added less what was removed in this table and those it came from, up to
 *      changes that are under way.
 *
 * Memory order: a word of a bucket, of the directory, `from` and `table` are stored by
 * sequentially consistent operations and loaded by acquires, which give what the word names.
 *
 * Rejected, doc/decisions/0019: a trie, as in Go; locked shards of gort_map.
 *
 * Locking: none.
 * Answers to: internal/sync/hashtriemap.go, sync/map.go.
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef GORT_LANG_CMAP_H
#define GORT_LANG_CMAP_H

#include "gort/cmap.h"
#include "gort/counter.h"
#include "lang/map.h"

#define CMAP_FROZEN ((uintptr_t)1)
#define CMAP_EMPTY ((uintptr_t)2)
#define CMAP_TAGS ((uintptr_t)7)
#define CMAP_SEGMENT_BITS 9
#define CMAP_SEGMENT ((size_t)1 << CMAP_SEGMENT_BITS)
#define CMAP_BITS_MIN 3 /* of the number of buckets */
#define CMAP_BITS_MAX 40

/* Immutable once it is in a bucket.  The key and the value lie behind it. */
struct cmap_entry {
    struct cmap_entry *next;
    uint64_t hash;
};

/* One for each place of a program that makes maps; permanent. */
struct cmap_layout {
    struct map_layout keys; /* of which sizes and types count; first: map_layout() gives it */
    size_t key_at, value_at;
    struct gort_type entry;
    struct gort_pointer_run runs[3];
};

/* The directory of its segments, of CMAP_SEGMENT buckets each, made when they are first written
 * to. */
struct cmap_table {
    struct cmap_table *from; /* atomic: Note [Taking over] */
    gort_counter *count;     /* of entries: invariant (4) */
    uint32_t shift;          /* from a hash to its bucket */
    uint32_t reserved;
    char apart[CACHE_LINE];
    uint64_t claimed, done; /* atomic: buckets that somebody takes over; that were taken over so */
    uintptr_t *segment[];   /* atomic */
};

struct gort_cmap {
    struct gort_map keys;     /* how they are hashed and compared; constant.  It has no tables */
    struct cmap_table *table; /* atomic */
};

static force_inline const struct cmap_layout *cmap_layout(const struct gort_cmap *m)
{
    return m->keys.layout;
}
static force_inline void *cmap_key(const struct cmap_layout *l, const struct cmap_entry *e)
{
    return (char *)(uintptr_t)e + l->key_at;
}
static force_inline void *cmap_value(const struct cmap_layout *l, const struct cmap_entry *e)
{
    return (char *)(uintptr_t)e + l->value_at;
}
static force_inline struct cmap_entry *cmap_list(uintptr_t word)
{
    return (struct cmap_entry *)(word & ~CMAP_TAGS); /* NOLINT: a tagged pointer */
}
static force_inline struct cmap_table *cmap_table_of(const struct gort_cmap *m)
{
    return atomic_load_acquire(&m->table); /* pairs with the exchanges in cmap_table.c */
}
static force_inline size_t cmap_buckets(const struct cmap_table *t)
{
    return (size_t)1 << (64 - t->shift);
}

/* The word that counts for this hash: of the table, or of what it comes from. */
static force_inline uintptr_t cmap_read(const struct cmap_table *t, uint64_t hash)
{
    for (bool last = false;;) {
        size_t i = hash >> t->shift;
        const uintptr_t *s = atomic_load_acquire(&t->segment[i >> CMAP_SEGMENT_BITS]);
        uintptr_t word = s != NULL ? atomic_load_acquire(&s[i % CMAP_SEGMENT]) : 0;
        if (likely(word != 0) || last) return word;
        const struct cmap_table *from = atomic_load_acquire(&t->from);
        last = from == NULL; /* all was taken over since, or there was nothing: invariant (2) */
        if (!last) t = from;
    }
}

/* A table of 2^(64 - shift) buckets. */
struct cmap_table *cmap_table_new(uint32_t shift, struct cmap_table *from, gort_counter *count);
/* The bucket of this hash, taken over. */
uintptr_t *cmap_bucket(struct gort_cmap *m, struct cmap_table *t, uint64_t hash);
/* An entry was added where there were many: perhaps the table is full. */
void cmap_maybe_grow(struct gort_cmap *m, struct cmap_table *t);
/* Takes some buckets over, if there are any to be. */
void cmap_help_slow(struct gort_cmap *m, struct cmap_table *t);
/* The same entry, not in any list. */
struct cmap_entry *cmap_entry_copy(const struct cmap_layout *l, const struct cmap_entry *e);

#endif
