/* Copying and clearing memory that holds collected pointers.
 *
 * Both log what they overwrite and store while barriers are on, in the critical section in which
 * they store (Note [Test and store are one] in gc/barrier.c).  A section delays a stop, so long
 * ranges are cut into pieces of whole objects; between two pieces the range is half copied, which
 * only a program with a race can tell.
 *
 * While barriers are on, words are moved one by one, so that a marker beside never reads half of
 * one.
 *
 * Answers to: typedmemmove, typedslicecopy, memclrHasPointers in mbarrier.go.
 * SPDX-License-Identifier: BSD-3-Clause
 */
#include <string.h>

#include "alloc/alloc.h"
#include "gc/barrier.h"
#include "gort/mem.h"

#define PIECE_BYTES (32 * KB)

static size_t piece_objects(const struct gort_type *t)
{
    return t->size >= PIECE_BYTES ? 1 : PIECE_BYTES / t->size;
}

static size_t bulk_bytes(const struct gort_type *t, size_t n, const char *call)
{
    size_t bytes;
    if (__builtin_mul_overflow(t->size, n, &bytes)) alloc_overflow_slow(n, t->size, call);
    return bytes;
}

/* ---- words, one by one ----------------------------------------------------------------------- */

/* All three are multiples of a word: a type with pointers is aligned to one. */
static void move_words(char *dst, const char *src, size_t bytes)
{
    uintptr_t *d = (uintptr_t *)dst;
    const uintptr_t *s = (const uintptr_t *)src;
    size_t n = bytes / WORD_SIZE;
    if (d <= s)
        for (size_t i = 0; i < n; i++)
            atomic_store_relaxed(&d[i], atomic_load_relaxed(&s[i]));
    else
        for (size_t i = n; i-- > 0;)
            atomic_store_relaxed(&d[i], atomic_load_relaxed(&s[i]));
}

static void clear_words(char *dst, size_t bytes)
{
    for (size_t i = 0; i + WORD_SIZE <= bytes; i += WORD_SIZE)
        atomic_store_relaxed((uintptr_t *)(dst + i), 0);
}

static bool whole_words(const void *dst, const void *src, size_t bytes)
{
    return (((uintptr_t)dst | (uintptr_t)src | bytes) & (WORD_SIZE - 1)) == 0;
}

/* ---- copy ------------------------------------------------------------------------------------ */

static void copy_piece(const struct gort_type *t, char *dst, const char *src, size_t n)
{
    size_t bytes = n * t->size;
    crit_enter();
    if (unlikely(barrier_on())) {
        barrier_log_objects(t, dst, src, n);
        if (whole_words(dst, src, bytes))
            move_words(dst, src, bytes);
        else
            memmove(dst, src, bytes);
    } else {
        memmove(dst, src, bytes);
    }
    crit_exit();
}

void gort_copy_raw(const struct gort_type *t, void *dst, const void *src, size_t n)
{
    size_t bytes = bulk_bytes(t, n, "gort_copy");
    if (bytes == 0 || dst == src) return;
    if (t->flags & GORT_TYPE_NOSCAN) {
        memmove(dst, src, bytes);
        return;
    }
    size_t step = piece_objects(t);
    bool forward = (uintptr_t)dst < (uintptr_t)src;
    for (size_t done = 0; done < n;) {
        size_t k = n - done < step ? n - done : step;
        size_t first = forward ? done : n - done - k;
        copy_piece(t, (char *)dst + first * t->size, (const char *)src + first * t->size, k);
        done += k;
    }
}

/* ---- clear ----------------------------------------------------------------------------------- */

static void clear_piece(const struct gort_type *t, char *dst, size_t n)
{
    size_t bytes = n * t->size;
    crit_enter();
    if (unlikely(barrier_on())) {
        barrier_log_objects(t, dst, NULL, n);
        if (whole_words(dst, NULL, bytes))
            clear_words(dst, bytes);
        else
            memset(dst, 0, bytes);
    } else {
        memset(dst, 0, bytes);
    }
    crit_exit();
}

void gort_clear_raw(const struct gort_type *t, void *dst, size_t n)
{
    size_t bytes = bulk_bytes(t, n, "gort_clear");
    if (bytes == 0) return;
    if (t->flags & GORT_TYPE_NOSCAN) {
        memset(dst, 0, bytes);
        return;
    }
    size_t step = piece_objects(t);
    for (size_t done = 0; done < n;) {
        size_t k = n - done < step ? n - done : step;
        clear_piece(t, (char *)dst + done * t->size, k);
        done += k;
    }
}
