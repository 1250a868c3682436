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
#define OBLET_BYTES (32 * KB) /* larger objects are scanned in pieces of this size */

_Static_assert((MARK_FIFO & (MARK_FIFO - 1)) == 0, "the ring's index is masked");

/* Code that reads stacks and program data as words, whatever a sanitizer thinks lies there. */
#define reads_foreign_words __attribute__((no_sanitize_address, no_sanitize_thread))

/* What a word points to, while it comes to the cache.  mark: address of the slot's mark, below what
 * else is said of the page (PAGE_*); then at is the slot's start.  Of kind PAGE_OTHER: mark has no
 * address, and at is the word.  mark 0: nothing. */
struct candidate {
    uintptr_t at;
    uint64_t mark;
};

#define MARK_WORDS 1024
#define MARK_WORDS_ROOM ((int)(MARK_WORDS - BITMAP_MAX / WORD_SIZE))
#define BITMAP_CLASSES 26 /* the last size class with pointer bits in the page */

#define MARK_KINDS 256

/* What the marker must know of the slots of a kind of page: PAGE_* in heap/arena.h.  Constant; each
 * marker has its own, so that all is found from its address and the kind. */
struct mark_kinds {
    struct {
        uint32_t magic, size;
    } slot[MARK_KINDS];        /* of the size class */
    uint64_t ones[MARK_KINDS]; /* slot_ones of what is scanned as it is marked; else 0 */
};

/* Owned by its thread while marking, by the stopper before and after. */
struct marker {
    struct gcwork *w;    /* of the P that this marker stands in for */
    uintptr_t lo, bytes; /* every arena lies in [lo, lo + bytes) */
    bool single;         /* nobody else marks */
    uint8_t stamp;       /* arena_stamp of this cycle */
    uint32_t id;         /* number of the P */
    uint32_t head, tail; /* of fifo: the oldest candidate, and where the next one goes */
    /* Moved to w at the end of a round: marked large ones, scanned, and marked in slots, by
     * kind. */
    uint64_t marked_objects, marked_bytes, scanned;
    uint64_t marked_kinds[MARK_KINDS];
    struct candidate fifo[MARK_FIFO];
    uint64_t root_bytes[ROOT_KINDS], root_jobs[ROOT_KINDS];
    uint64_t roots;  /* bytes of root jobs and stacks: Note [Budgets] in mark.c */
    int64_t cpu;     /* ns, this cycle */
    uint32_t nwords; /* work that only this marker has: not hungry while there is any */
    uintptr_t
        words[MARK_WORDS]; /* of objects scanned as they were marked: Note [Words] in mark.c */
    struct mark_kinds kinds;
};

/* The queue had no room for an object that is marked: Note [Overflow] in mark.c. */
void mark_overflowed(void);

/* ---- one object ----------------------------------------------------------------------------- */

/* As many ones as a slot has words, for slots with pointer bits in the page. */
static inline uint64_t slot_ones(size_t size)
{
    return ~(uint64_t)0 >> (64 - size / WORD_SIZE);
}

/* Which words of the slot at obj may hold pointers.  A slot's bits begin within a byte, and with
 * what comes before them in it there are at most 64: scan_init checks. */
static inline uint64_t pointer_mask(uintptr_t obj, uint64_t ones)
{
    uintptr_t page = align_down(obj, PAGE_BYTES);
    unsigned first = (unsigned)(obj - page) / WORD_SIZE;
    uint64_t bits;
    memcpy(&bits, (const char *)page + GORT_PAGE_BITS + first / 8, sizeof bits);
    return bits >> first % 8 & ones;
}

/* Puts a word that lies in the heap's range with m->words, of which there are n.  Returns how many
 * there are then. */
static inline uint32_t words_add(struct marker *m, uintptr_t word, uint32_t n)
{
    m->words[n] = word;
    return n + (word - m->lo < m->bytes);
}

reads_foreign_words static inline uintptr_t word_of_slot(uintptr_t obj, unsigned i)
{
    return *(const volatile uintptr_t *)(obj + WORD_SIZE * i);
}

/* The same with the words of the slot at obj that mask says; there is room. */
static inline uint32_t scan_now(struct marker *m, uintptr_t obj, uint64_t mask, uint32_t n)
{
    if (mask == 3) /* the two pointers of lists and trees */
        return words_add(m, word_of_slot(obj, 1), words_add(m, word_of_slot(obj, 0), n));
    for (; mask != 0; mask &= mask - 1)
        n = words_add(m, word_of_slot(obj, bits_ctz64(mask)), n);
    return n;
}

/* Marks the large object that word points to, if it is one. */
void marker_mark_large(struct marker *m, uintptr_t word);

/* The object at obj, in a page of that kind, has been marked, and has pointers: it is queued. */
uint32_t marker_scan_later(struct marker *m, uintptr_t obj, unsigned kind, uint32_t n);

/* A candidate has come: marks it, if that is not done.  Its words are put with the n that there are
 * in m->words if they are at most `most`.  Returns how many there are then. */
static force_inline uint32_t marker_mark(struct marker *m, struct candidate c, int most, uint32_t n)
{
    uint8_t *mark = (uint8_t *)(uintptr_t)(c.mark & PAGE_MARKS_MASK);
    if (unlikely(mark == NULL)) {
        if (c.mark != 0) marker_mark_large(m, c.at);
        return n;
    }
    if (atomic_load_relaxed(mark) != SLOT_WHITE) return n; /* Note [Marks] in heap_data.h */
    atomic_store_relaxed(mark, (uint8_t)SLOT_MARKED);
    unsigned kind = (unsigned)(c.mark >> PAGE_KIND_SHIFT);
    m->marked_kinds[kind]++;
    uint64_t ones = m->kinds.ones[kind];
    if (unlikely(ones == 0 || (int)n > most))
        return kind & PAGE_NOSCAN ? n : marker_scan_later(m, c.at, kind, n);
    m->scanned += m->kinds.slot[kind].size;
    return scan_now(m, c.at, pointer_mask(c.at, ones), n);
}

/* ---- one word ------------------------------------------------------------------------------- */

/* What is known of a word's page. */
struct page_view {
    uint64_t info; /* PAGE_* */
    uint32_t magic, size;
};

static force_inline struct page_view page_look(const struct marker *m, uintptr_t word)
{
    struct page_view v = { 0, 0, 0 };
    struct arena *a = atomic_load_acquire(&arena_table[word >> ARENA_SHIFT]); /* see arena_of */
    if (unlikely(a == NULL)) return v;
    size_t page = arena_page_index(word);
    v.info = atomic_load_acquire(&a->page_info[page]); /* pairs with set_page_infos */
    if (unlikely((v.info & PAGE_MARKS_MASK) == 0)) return v;
    v.magic = m->kinds.slot[v.info >> PAGE_KIND_SHIFT].magic;
    v.size = m->kinds.slot[v.info >> PAGE_KIND_SHIFT].size;
    arena_note_mark(a, page, m->stamp);
    return v;
}

/* Of the large object that word may point to what marking reads and writes is made to come. */
void marker_fetch_large(uintptr_t word);

/* What a word points to that has this page; it is made to come: the slot's mark and, if it will be
 * scanned, its first line and its pointer bits. */
static force_inline struct candidate slot_look(struct page_view v, uintptr_t word)
{
    uint64_t marks = v.info & PAGE_MARKS_MASK;
    if (unlikely(marks == 0)) {
        if (v.info != 0) marker_fetch_large(word);
        return (struct candidate){ word, v.info };
    }
    uintptr_t base = page_span_base(v.info, align_down(word, PAGE_BYTES));
    uint64_t index = (word - base) * v.magic >> 32, offset = index * v.size;
    arch_prefetch((const void *)(uintptr_t)(marks + index));
    if ((int64_t)v.info >= 0) { /* not PAGE_NOSCAN */
        arch_prefetch((const void *)(base + offset));
        arch_prefetch((const char *)base + GORT_PAGE_BITS + offset / 64);
    }
    return (struct candidate){ base + offset, v.info + index };
}

static inline struct candidate marker_look(const struct marker *m, uintptr_t word)
{
    return slot_look(page_look(m, word), word);
}

/* Marks the oldest candidate. */
void marker_next(struct marker *m);

/* Looks at any word.  What may be a pointer waits in the FIFO, up to MARK_FIFO long. */
static inline void marker_see(struct marker *m, uintptr_t word)
{
    if (word - m->lo >= m->bytes) return;
    m->fifo[m->tail++ & (MARK_FIFO - 1)] = marker_look(m, word);
    if (m->tail - m->head == MARK_FIFO) marker_next(m);
}
/* Empties the FIFO. */
void marker_flush(struct marker *m);

/* ---- memory (scan.c) ------------------------------------------------------------------------- */

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
/* Note [One past the end] in scan.c: does an object's slot end at word? */
bool scan_ends_object(uintptr_t word);
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
void mark_kinds_init(struct mark_kinds *k);
/* An object, or one oblet of a large one, that the queue held. */
void scan_object(struct marker *m, uintptr_t obj);

/* ---- beside the program (mark.c) ------------------------------------------------------------- */

/* Every arena that was there when marking began lies in [*lo, *lo + *bytes). */
void mark_heap_range(uintptr_t *lo, uintptr_t *bytes);
/* Marks what word points to, if it is an object, without a marker: for want of memory to queue
 * it. */
void mark_directly(uintptr_t word);
/* A thread that was stopped has scanned its own stack. */
void mark_own_stack_scanned(void);
/* Is no stack left that only its thread scans, nor a rest of one?  While marking; a hint. */
bool mark_stacks_done(void);
/* Takes a step: a few words, an object, a root job, a buffer.  false: this marker holds nothing and
 * found nothing. */
bool marker_step(struct marker *m);
/* Gives everything that it holds to the global lists. */
void marker_release(struct marker *m);
/* Marks with the marker of the calling thread's P, which is pinned, until about `budget` bytes were
 * scanned, or a stop or somebody else wants the P, or nothing is to be had.  Returns bytes scanned,
 * of roots too, and in *left whether it left off before it ran out of work. */
uint64_t mark_some(struct p *p, uint64_t budget, bool *left);
/* Is there work that nobody has taken?  A hint. */
bool mark_has_work(void);
/* Does nobody have work, as far as can be told from outside?  A hint: the second stop looks
 * again. */
bool mark_looks_done(void);
/* World stopped: roots are prepared, snapshots taken, all stacks grey.  Then marking may go on
 * beside the program.  stacks: those of threads that run are scanned too, a piece of each. */
void mark_begin_stw(bool stacks);
struct mark_result;
/* World stopped, barrier buffers emptied: marks what is left, if that is little.  false: it was
 * not, or a stack is not scanned yet.  true: everything reachable is marked; *out is filled in. */
bool mark_end_stw(struct mark_result *out);

/* ---- the cycle's side (mark.c), world stopped unless said otherwise -------------------------- */

/* P's marker, made with the P.  false: no memory. */
bool mark_make_marker(struct p *p);

struct mark_result {
    uint64_t bytes, objects, scan_work;
    uint64_t helper_cpu; /* ns */
    uint64_t root_bytes[ROOT_KINDS], root_jobs[ROOT_KINDS];
    uint32_t markers, overflows;
};
/* Marks everything reachable, with at most nprocs threads, fewer when about `expected` bytes are
 * not worth waking them. */
void mark_run_stw(int nprocs, uint64_t expected, struct mark_result *out);
/* Sees that there are helper threads for nprocs Ps, as far as threads can be had.  Not raw: before
 * the stop, in a wait (m_wait_stoppable); the holder of the cycle's semaphore. */
void mark_prepare_helpers(int nprocs);
int mark_helpers(void);

#endif
