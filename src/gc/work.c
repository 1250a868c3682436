/* The queue of grey objects.
 *
 * A marker pushes and pops at its `first` buffer.  When that is full or empty it changes places
 * with `second`; only when that does not help is a global list touched.  So a marker that hovers
 * around the edge of a buffer goes back and forth between its two without touching shared memory.
 *
 * Why a stack: depth first keeps the queue short, and the objects popped are those just prefetched.
 * Why not one deque per marker with stealing: a buffer of 250 objects is a fair unit of exchange,
 * and termination needs only the emptiness of one list.
 *
 * What memory can not be had for is not lost: the caller has marked the object, and mark.c looks
 * through the heap for marked objects again (Note [Overflow]).
 *
 * Note [Whose buffers].  Buffers are cut from 32 KB spans freed by hand.  While marking is on a
 * span that was cut is on the list `cut`, and stays: a node of a lock-free stack must remain
 * readable for whoever lost the race for it.  In the stop that ends marking (work_end_stw) nobody
 * is in the middle of a pop, no marker has a buffer and none holds work: so the empty list is
 * forgotten, and all spans move to `spans`, at once, however many there are.  From there the
 * sweeper's goroutine gives them back to the page heap, a batch in each of its critical sections,
 * but for a reserve: collecting for want of memory must not need any.  The next cycle takes what is
 * left on `spans` first.  `spans` links records, which stay readable, so a marker and who gives
 * back may pop it at once.
 * But giving back memory that is wanted again is waste: `spare` says how many may go, and is 0 from
 * the stop that begins marking on; who has taken one off it by then is in a section, and through
 * before that stop.
 * Rejected: giving back in the stop, which then grows with the queue; and never, as it was: a
 * program whose heap was once wide keeps the memory of its longest queue.
 *
 * Invariants: (1) without a first buffer there is no second; that is missing for want of memory
 * only; (2) a buffer on the full list has an entry, one on the empty list has none; (3) an object
 * is in one buffer; (4) a span is on `cut` or on `spans`, and while it is on `spans` its memory is
 * in no list and has no owner.
 *
 * Memory order: lfstack_push's release pairs with lfstack_pop's acquire, which carries a buffer's
 * contents to another marker.  The stops order the rest.
 *
 * Answers to: mgcwork.go.
 * SPDX-License-Identifier: BSD-3-Clause
 */
#include "gc/work.h"

#include <string.h>

#include "base/assert.h"
#include "base/race.h"
#include "heap/heap.h"
#include "heap/span.h"

#define BUFFERS_PER_SPAN (WORK_SPAN_BYTES / WORKBUF_BYTES)

_Static_assert(WORK_SPAN_BYTES % WORKBUF_BYTES == 0, "buffers fill a span");
_Static_assert(WORK_SPAN_BYTES % PAGE_BYTES == 0, "a span is whole pages");

struct work_pool work_pool = { .fail_after = UINT64_MAX };

static bool test_says_fail(void)
{
    if (likely(work_pool.fail_after == UINT64_MAX)) return false;
    /* A test's countdown: exactness among markers does not matter. */
    uint64_t left = atomic_load_relaxed(&work_pool.fail_after);
    if (left == 0) return true;
    atomic_store_relaxed(&work_pool.fail_after, left - 1);
    return false;
}

static struct span *span_make(void)
{
    return span_alloc_manual(WORK_SPAN_BYTES / PAGE_BYTES, &work_pool.bytes);
}

static struct span *span_of_node(struct lfnode *n)
{
    return n != NULL ? container_of(n, struct span, set_node) : NULL;
}

static void span_cut(struct span *s)
{
    lfstack_push(&work_pool.cut, &s->set_node);
    /* Nobody pops here, so what is below stays as it is; one span has nothing below. */
    if (lfstack_next_hint(&s->set_node) == NULL) work_pool.cut_first = &s->set_node;
}

/* Another span's buffers go to the empty list; one of them is returned. */
static struct workbuf *buffers_alloc(void)
{
    if (test_says_fail()) return NULL;
    struct span *s = span_of_node(lfstack_pop(&work_pool.spans));
    if (s == NULL) s = span_make();
    if (s == NULL) return NULL;
    span_cut(s);
    for (size_t i = 0; i < BUFFERS_PER_SPAN; i++) {
        struct workbuf *b = (struct workbuf *)(s->base + i * WORKBUF_BYTES);
        memset(&b->node, 0, sizeof b->node);
        b->n = 0;
        if (i > 0) lfstack_push(&work_pool.empty, &b->node);
    }
    return (struct workbuf *)s->base;
}

bool work_init(void)
{
    for (int i = 0; i < WORK_RESERVE_SPANS; i++) {
        struct span *s = span_make();
        if (s == NULL) return false;
        lfstack_push(&work_pool.spans, &s->set_node);
    }
    return true;
}

/* ---- memory: Note [Whose buffers] ------------------------------------------------------------ */

void work_begin_stw(void)
{
    atomic_store_relaxed(&work_pool.spare, 0); /* stopped */
}

void work_end_stw(void)
{
    check(work_global_is_empty());
    work_pool.empty.head = 0;
    if (!lfstack_empty(&work_pool.cut))
        lfstack_move_stw(&work_pool.spans, &work_pool.cut, work_pool.cut_first);
    uint64_t spans = atomic_load_relaxed(&work_pool.bytes) / WORK_SPAN_BYTES;
    uint32_t spare = spans > WORK_RESERVE_SPANS ? (uint32_t)(spans - WORK_RESERVE_SPANS) : 0;
    atomic_store_relaxed(&work_pool.spare, spare); /* stopped */
}

static bool spare_take(void)
{
    uint32_t n = atomic_load_relaxed(&work_pool.spare);
    do {
        if (n == 0) return false;
    } while (!atomic_cas_acqrel(&work_pool.spare, &n, n - 1)); /* a count: any order would do */
    return true;
}

bool work_return_some(void)
{
    for (int i = 0; i < WORK_RETURN_BATCH; i++) {
        if (!spare_take()) return false;
        struct span *s = span_of_node(lfstack_pop(&work_pool.spans));
        check(s != NULL);
        span_free_manual(s);
        atomic_fetch_add_relaxed(&work_pool.returned, WORK_SPAN_BYTES);
    }
    return true;
}

/* ---- buffers --------------------------------------------------------------------------------- */

static struct workbuf *buffer_of(struct lfnode *n)
{
    return n != NULL ? container_of(n, struct workbuf, node) : NULL;
}

static struct workbuf *empty_buffer(void)
{
    struct workbuf *b = buffer_of(lfstack_pop(&work_pool.empty));
    if (b == NULL) b = buffers_alloc();
    if (b != NULL) assert_that(b->n == 0);
    return b;
}

static void give_full(struct workbuf *b)
{
    assert_that(b->n != 0);
    lfstack_push(&work_pool.full, &b->node);
}

static bool work_ready(struct gcwork *w)
{
    if (w->first != NULL) return true;
    w->first = empty_buffer();
    if (w->first != NULL) w->second = empty_buffer();
    return w->first != NULL;
}

static void work_exchange(struct gcwork *w)
{
    if (w->second == NULL) return;
    struct workbuf *b = w->first;
    w->first = w->second;
    w->second = b;
}

never_inline bool work_put_slow(struct gcwork *w, uintptr_t obj)
{
    if (!work_ready(w)) return false;
    if (w->first->n == WORKBUF_ENTRIES) work_exchange(w);
    if (w->first->n == WORKBUF_ENTRIES) {
        struct workbuf *b = empty_buffer();
        if (b == NULL) return false;
        if (w->second != NULL)
            give_full(w->first);
        else
            w->second = w->first;
        w->first = b;
    }
    w->first->obj[w->first->n++] = obj;
    return true;
}

never_inline uintptr_t work_get_slow(struct gcwork *w)
{
    if (w->first == NULL) return 0;
    if (w->first->n == 0) work_exchange(w);
    return w->first->n == 0 ? 0 : w->first->obj[--w->first->n];
}

/* Needs no empty buffer: where others have them all, and there is no memory, a full one is work all
 * the same.  Who could not take it would come again and again. */
bool work_get_global(struct gcwork *w)
{
    if (lfstack_empty(&work_pool.full)) return false;
    assert_that(work_is_empty(w));
    struct workbuf *b = buffer_of(lfstack_pop(&work_pool.full));
    if (b == NULL) return false;
    assert_that(b->n != 0);
    if (w->first != NULL) lfstack_push(&work_pool.empty, &w->first->node);
    w->first = b;
    return true;
}

/* In whatever goroutine's name: its buffers are none of the program's. */
static void copy_words(uintptr_t *to, const uintptr_t *from, size_t n)
{
    race_hide();
    memcpy(to, from, n * sizeof *to);
    race_show();
}

/* The older half of a buffer is given: nearer to the roots, so there is likely more behind it. */
static void give_half(struct gcwork *w)
{
    struct workbuf *b = empty_buffer();
    if (b == NULL) return;
    size_t n = w->first->n / 2, rest = w->first->n - n;
    copy_words(b->obj, w->first->obj, n);
    memmove(w->first->obj, w->first->obj + n, rest * sizeof b->obj[0]);
    b->n = n;
    w->first->n = rest;
    give_full(b);
}

void work_balance(struct gcwork *w)
{
    if (w->first == NULL) return;
    if (w->second != NULL && w->second->n != 0) {
        give_full(w->second);
        w->second = empty_buffer();
    } else if (w->first->n > 4) {
        give_half(w);
    }
}

static void buffer_dispose(struct workbuf *b)
{
    if (b->n != 0)
        give_full(b);
    else
        lfstack_push(&work_pool.empty, &b->node);
}

void work_dispose(struct gcwork *w)
{
    if (w->first == NULL) return;
    buffer_dispose(w->first);
    if (w->second != NULL) buffer_dispose(w->second);
    w->first = w->second = NULL;
}

/* ---- words ----------------------------------------------------------------------------------- */

size_t work_words_put(const uintptr_t *words, size_t n)
{
    size_t done = 0;
    while (done < n) {
        struct workbuf *b = empty_buffer();
        if (b == NULL) break;
        b->n = n - done < WORKBUF_ENTRIES ? n - done : WORKBUF_ENTRIES;
        copy_words(b->obj, words + done, b->n);
        done += b->n;
        lfstack_push(&work_pool.words, &b->node);
    }
    return done;
}

size_t work_words_get(uintptr_t *to)
{
    if (lfstack_empty(&work_pool.words)) return 0;
    struct workbuf *b = buffer_of(lfstack_pop(&work_pool.words));
    if (b == NULL) return 0;
    size_t n = b->n;
    copy_words(to, b->obj, n);
    b->n = 0;
    lfstack_push(&work_pool.empty, &b->node);
    return n;
}
