/* The queue of grey objects: two buffers per marker, and global lists of full and empty buffers;
 * and words that nobody has looked at yet.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef GORT_GC_WORK_H
#define GORT_GC_WORK_H

#include "base/atomic.h"
#include "gc/gc_data.h"

#define WORK_SPAN_BYTES ((size_t)32768) /* buffers come in spans of so many bytes */
#define WORK_RESERVE_SPANS 4            /* stay when the others go back to the page heap */
#define WORK_RETURN_BATCH 16            /* spans that one call gives back */

/* Shared by all markers. */
struct work_pool {
    struct lfstack full cache_aligned;  /* buffers with objects */
    struct lfstack empty cache_aligned; /* buffers without */
    struct lfstack words cache_aligned; /* buffers with words, of which some point to objects */
    uint32_t hungry cache_aligned;      /* atomic; markers that wait for a full buffer (mark.c) */
    uint64_t bytes;                     /* atomic; memory of all buffers */
    /* Note [Whose buffers] in work.c.  Spans are linked by their set_node. */
    struct lfstack cut cache_aligned; /* whose buffers are in use; pushed by markers */
    struct lfstack spans;             /* whose buffers are not */
    struct lfnode *cut_first;         /* the lowest on `cut`; who pushed it, or the stopper */
    uint32_t spare;                   /* atomic; how many of `spans` may go back */
    uint64_t returned;                /* atomic; bytes that went back so far */
    uint64_t fail_after;              /* test: so many more spans can be cut; UINT64_MAX: off */
};
extern struct work_pool work_pool;

/* Buffers enough for a small heap, so that collecting for want of memory needs none.  false: no
 * memory. */
bool work_init(void);

/* World stopped: marking begins; it has ended, and no marker holds a buffer. */
void work_begin_stw(void);
void work_end_stw(void);
/* Gives a batch of unused spans back to the page heap.  In a section.  false: no more may go. */
bool work_return_some(void);

/* Adds a grey object.  false: no buffer and no memory for one; the object is not queued. */
bool work_put_slow(struct gcwork *w, uintptr_t obj);
static inline bool work_put(struct gcwork *w, uintptr_t obj)
{
    struct workbuf *b = w->first;
    if (unlikely(b == NULL || b->n == WORKBUF_ENTRIES)) return work_put_slow(w, obj);
    b->obj[b->n++] = obj;
    return true;
}
/* Takes the object put last, of those that are still here.  0: none here. */
uintptr_t work_get_slow(struct gcwork *w);
static inline uintptr_t work_get(struct gcwork *w)
{
    struct workbuf *b = w->first;
    if (unlikely(b == NULL || b->n == 0)) return work_get_slow(w);
    return b->obj[--b->n];
}
/* Takes a buffer from the global list.  false: it is empty. */
bool work_get_global(struct gcwork *w);
/* Gives about half of what is here to the global list, when that is worth it. */
void work_balance(struct gcwork *w);
/* Gives both buffers away: a full one to the full list. */
void work_dispose(struct gcwork *w);
static inline bool work_is_empty(const struct gcwork *w)
{
    return (w->first == NULL || w->first->n == 0) && (w->second == NULL || w->second->n == 0);
}
static inline bool work_global_is_empty(void)
{
    return lfstack_empty(&work_pool.full) && lfstack_empty(&work_pool.words);
}

/* Words that may point to objects, for markers to look at: from stacks, barriers, and markers that
 * must leave off.  Any thread in a critical section.  Returns how many were taken over: fewer than
 * n when there is no memory. */
size_t work_words_put(const uintptr_t *words, size_t n);
/* Takes a buffer of them, at most WORKBUF_ENTRIES words; 0: there is none. */
size_t work_words_get(uintptr_t *to);

#endif
