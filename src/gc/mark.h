/* A marker: a thread that marks while the world is stopped, and how it looks at a word.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef GORT_GC_MARK_H
#define GORT_GC_MARK_H

#include <string.h>

#include "arch/arch.h"
#include "base/bits.h"
#include "gc/gc_stats.h"
#include "gc/work.h"
#include "heap/span.h"
#include "sched/sched_data.h"

#define MARK_FIFO 16
#define OBLET_BYTES (128 * KB) /* larger objects are scanned in pieces of this size */

_Static_assert((MARK_FIFO & (MARK_FIFO - 1)) == 0, "the ring's index is masked");

/* Code that reads stacks and program data as words, whatever a sanitizer thinks lies there. */
#define reads_foreign_words __attribute__((no_sanitize_address, no_sanitize_thread))

/* A word that points into a span: perhaps to an object. */
struct candidate {
    uintptr_t word;
    struct span *span; /* NULL: empty place */
};

#define MARK_WORDS 1024
#define MARK_WORDS_ROOM (MARK_WORDS - BITMAP_MAX / WORD_SIZE)

/* Owned by its thread while marking, by the stopper before and after. */
struct marker {
    struct gcwork *w;    /* of the P that this marker stands in for */
    uintptr_t lo, bytes; /* every arena lies in [lo, lo + bytes) */
    bool single;         /* nobody else marks: bits are set without atomics */
    uint32_t id;         /* number of the P */
    uint32_t next;       /* place in fifo: the oldest, replaced next */
    uint32_t ticks;
    uint64_t marked_objects, marked_bytes, scanned; /* moved to w at the end of a round */
    struct candidate fifo[MARK_FIFO];
    uint64_t root_bytes[ROOT_KINDS], root_jobs[ROOT_KINDS];
    int64_t cpu;     /* ns, this cycle */
    uint32_t nwords; /* work that only this marker has: not hungry while there is any */
    uintptr_t
        words[MARK_WORDS]; /* of objects scanned as they were marked: Note [Words] in mark.c */
};

/* The queue had no room for an object that is marked: Note [Overflow] in mark.c. */
void mark_overflowed(void);

/* ---- one object ----------------------------------------------------------------------------- */

static inline void marker_marked_large(struct marker *m, struct span *s)
{
    m->marked_bytes += s->npages << PAGE_SHIFT;
    /* Acquire pairs with the release in alloc/large.c: a large object that is not zeroed yet holds
     * old bytes, and nothing of its own. */
    if (span_is_noscan(s) || !atomic_load_acquire(&s->large_zeroed)) return;
    if (unlikely(!work_put(m->w, s->base))) mark_overflowed();
}

/* Words of a slot, and as many ones, by size class, of those with pointer bits in the page. */
#define BITMAP_CLASSES 27
struct bitmap_class {
    uint32_t words;
    uint64_t ones;
};
extern struct bitmap_class bitmap_classes[BITMAP_CLASSES]; /* constant after scan_init */

/* Which words of the slot at obj may hold pointers.  A slot's bits begin within a byte, and with what
 * comes before them in it there are at most 64: scan_init checks. */
static inline uint64_t pointer_mask(uintptr_t obj, unsigned class)
{
    uintptr_t page = align_down(obj, PAGE_BYTES);
    unsigned first = (unsigned)(obj - page) / WORD_SIZE;
    uint64_t bits;
    memcpy(&bits, (const char *)page + GORT_PAGE_BITS + first / 8, sizeof bits);
    return bits >> first % 8 & bitmap_classes[class].ones;
}

/* Puts those words of the slot that lie in the heap's range with m->words, which has room. */
reads_foreign_words static inline void scan_now(struct marker *m, uintptr_t obj, unsigned class)
{
    uint32_t n = m->nwords;
    for (uint64_t mask = pointer_mask(obj, class); mask != 0; mask &= mask - 1) {
        uintptr_t word = *(const volatile uintptr_t *)(obj + WORD_SIZE * bits_ctz64(mask));
        m->words[n] = word;
        n += word - m->lo < m->bytes;
    }
    m->nwords = n;
}

/* The slot has just become marked: counts it, and queues what is to be scanned. */
static inline void marker_marked(struct marker *m, struct span *s, uint32_t index)
{
    span_note_mark(s);
    m->marked_objects++;
    if (unlikely(span_is_large(s))) {
        marker_marked_large(m, s);
        return;
    }
    m->marked_bytes += s->elem_size;
    if (span_is_noscan(s)) return;
    if (likely(s->layout == LAYOUT_BITMAP && m->nwords <= MARK_WORDS_ROOM) &&
        (m->single || atomic_load_relaxed(&work_pool.hungry) == 0)) { /* a hint */
        m->scanned += s->elem_size;
        scan_now(m, span_slot(s, index), span_class_size_class(s->span_class));
        return;
    }
    if (unlikely(!work_put(m->w, span_slot(s, index)))) mark_overflowed();
}

/* Marks the object that word points to, if it is one.  s is in use. */
static inline void marker_mark(struct marker *m, uintptr_t word, struct span *s)
{
    if (unlikely(word - s->base >= s->limit - s->base)) return;
    uint32_t i = span_index_of(s, word);
    if (gcbits_test(s->mark_bits, i) || !span_is_slot_allocated(s, i)) return;
    if (m->single ? gcbits_set_single(s->mark_bits, i) : gcbits_set(s->mark_bits, i))
        marker_marked(m, s, i);
}

/* ---- one word ------------------------------------------------------------------------------- */

/* Looks at any word.  What may be a pointer waits in the FIFO, MARK_FIFO candidates long, for its
 * span and, when it will be scanned, its first line to arrive in the cache. */
static inline void marker_see(struct marker *m, uintptr_t word)
{
    if (word - m->lo >= m->bytes) return;
    struct arena *a = atomic_load_acquire(&arena_table[word >> ARENA_SHIFT]); /* see arena_of */
    if (unlikely(a == NULL)) return;
    size_t page = arena_page_index(word);
    unsigned kind = atomic_load_acquire(&a->page_kind[page]); /* pairs with set_page_kinds */
    if (kind == PAGE_NOT_IN_USE) return;
    struct span *s = atomic_load_relaxed(&a->spans[page]);
    arch_prefetch(s);
    if (kind != PAGE_NOSCAN) arch_prefetch((const void *)word);
    struct candidate *place = &m->fifo[m->next++ & (MARK_FIFO - 1)], old = *place;
    place->word = word;
    place->span = s;
    if (likely(old.span != NULL)) marker_mark(m, old.word, old.span);
}
/* Empties the FIFO. */
void marker_flush(struct marker *m);

/* ---- memory (scan.c) -------------------------------------------------------------------------- */

/* Words of roots: program data, ranges, records. */
void scan_words(struct marker *m, uintptr_t lo, uintptr_t hi);
/* Words on their way to the queue of words: of stacks and barriers, whose owners do not mark
 * themselves. */
#define SINK_WORDS 253 /* as in one buffer */
struct word_sink {
    uintptr_t lo, bytes; /* every arena when marking began: other words are dropped */
    size_t n;
    uintptr_t words[SINK_WORDS];
};
void sink_begin(struct word_sink *k);
/* Queues what is left. */
void sink_end(struct word_sink *k);
static inline void sink_add(struct word_sink *k, uintptr_t word)
{
    if (word - k->lo >= k->bytes) return;
    if (unlikely(k->n == SINK_WORDS)) sink_end(k);
    k->words[k->n++] = word;
}
/* Words of stacks and registers: a word that equals an object's end stands for the object too. */
void scan_stack_words(struct word_sink *k, uintptr_t lo, uintptr_t hi);
/* Once, at boot. */
void scan_init(void);
/* An object, or one oblet of a large one, that the queue held. */
void scan_object(struct marker *m, uintptr_t obj);

/* ---- beside the program (mark.c) -------------------------------------------------------------- */

/* Every arena that was there when marking began lies in [*lo, *lo + *bytes). */
void mark_heap_range(uintptr_t *lo, uintptr_t *bytes);
/* Marks what word points to, if it is an object, without a marker: for want of memory to queue it. */
void mark_directly(uintptr_t word);
/* A thread that was stopped has scanned its own stack. */
void mark_own_stack_scanned(void);
/* Takes a step: a few words, an object, a root job, a buffer.  false: this marker holds nothing and
 * found nothing. */
bool marker_step(struct marker *m);
/* Gives everything that it holds to the global lists. */
void marker_release(struct marker *m);
/* Marks with the marker of the calling thread's P, which is pinned, until about `budget` bytes were
 * scanned, or a stop or somebody else wants the P, or nothing is to be had.  Returns bytes scanned, and
 * in *left whether it left off before it ran out of work. */
uint64_t mark_some(struct p *p, uint64_t budget, bool *left);
/* Is there work that nobody has taken?  A hint. */
bool mark_has_work(void);
/* Does nobody have work, as far as can be told from outside?  A hint: the second stop looks again. */
bool mark_looks_done(void);
/* World stopped: roots are prepared, snapshots taken, all stacks grey.  Then marking may go on beside
 * the program. */
void mark_begin_stw(void);
struct mark_result;
/* World stopped, barrier buffers emptied: marks what is left, at most so many steps.  false: that was not
 * enough.  true: everything reachable is marked; *out is filled in. */
bool mark_end_stw(uint64_t steps, struct mark_result *out);

/* ---- the cycle's side (mark.c), world stopped unless said otherwise ---------------------------- */

/* P's marker, made with the P.  false: no memory. */
bool mark_make_marker(struct p *p);

struct mark_result {
    uint64_t bytes, objects, scan_work;
    uint64_t helper_cpu; /* ns */
    uint64_t root_bytes[ROOT_KINDS], root_jobs[ROOT_KINDS];
    uint32_t markers, overflows;
};
/* Marks everything reachable, with at most nprocs threads, fewer when about `expected` bytes are not
 * worth waking them. */
void mark_run_stw(int nprocs, uint64_t expected, struct mark_result *out);
/* Sees that there are helper threads for nprocs Ps, as far as threads can be had.  Not raw: before
 * the stop, in a wait (m_wait_stoppable); the holder of the cycle's semaphore. */
void mark_prepare_helpers(int nprocs);
int mark_helpers(void);

#endif
