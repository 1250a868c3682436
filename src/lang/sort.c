/* Sorting slices: pattern-defeating quicksort, and a stable sort by merging in place.
 *
 * Pattern-defeating quicksort (Orson Peters) is a quicksort whose pivots are medians of samples,
 * which sees ranges that are sorted, reversed or full of equal elements in linear time, and which
 * gives a range up to heapsort after as many bad partitions as it has bits: never worse than n log
 * n comparisons.  The stable sort sorts blocks by insertion and merges them by rotations
 * (SymMerge): no memory, n (log n)^2 moves.
 *
 * Note [Only swaps].  Elements move by swaps alone, so that at each call of the program's compare
 * the slice holds all of its elements, whatever compare does: panic, collect, look at the slice,
 * contradict itself.  All loops are bounded by indices, none by an element that a comparison is
 * trusted to stop at.
 *
 * Note [Swaps and barriers].  A swap of words that may be pointers is two stores with the write
 * barrier.  Without, a marker that has read the one place and not yet the other would miss what
 * moved between them.  Between the stores the word is in a register, which a beginning cycle scans.
 *
 * Each function takes what it sorts, `as`, as a constant and is inlined into one instance for each
 * kind (sort_as_*): comparisons and swaps of numbers are then some instructions.  So there is no
 * recursion, but a stack of ranges; the smaller part is done first, which bounds it.
 *
 * Locking: none.
 * Answers to: zsortanyfunc.go, zsortordered.go in the package slices.
 * SPDX-License-Identifier: BSD-3-Clause
 */
#include <string.h>

#include "base/assert.h"
#include "base/bits.h"
#include "gort/mem.h"
#include "gort/panic.h"
#include "gort/slice.h"

enum sort_as {
    AS_I32,
    AS_U32,
    AS_I64,
    AS_U64,
    AS_F32,
    AS_F64,
    AS_SMALL,    /* numbers of one or two bytes */
    AS_WORD,     /* by compare; one word, no pointer */
    AS_POINTER,  /* one word that may be one */
    AS_BYTES,    /* any size, no pointers */
    AS_POINTERS, /* whole words, some of them pointers */
};

struct sorted {
    char *base;
    size_t size; /* of an element, in the last three */
    gort_compare_ compare;
    bool is_signed; /* AS_SMALL */
};

/* ---- comparing and swapping ------------------------------------------------------------------ */

static inline int small_number(const struct sorted *s, size_t i)
{
    if (s->size == 1) return s->is_signed ? ((int8_t *)s->base)[i] : ((uint8_t *)s->base)[i];
    return s->is_signed ? ((int16_t *)s->base)[i] : ((uint16_t *)s->base)[i];
}

#define LESS_NUMBER(type) (((const type *)s->base)[i] < ((const type *)s->base)[j])

/* NaNs, which are not equal to themselves, come first. */
#define LESS_FLOAT(type)                                                                           \
    (LESS_NUMBER(type) || (((const type *)s->base)[i] != ((const type *)s->base)[i] &&             \
                           ((const type *)s->base)[j] == ((const type *)s->base)[j]))

static force_inline size_t element_size(enum sort_as as, const struct sorted *s)
{
    return as == AS_WORD || as == AS_POINTER ? WORD_SIZE : s->size;
}

static force_inline bool less(enum sort_as as, const struct sorted *s, size_t i, size_t j)
{
    switch (as) {
    case AS_I32:
        return LESS_NUMBER(int32_t);
    case AS_U32:
        return LESS_NUMBER(uint32_t);
    case AS_I64:
        return LESS_NUMBER(int64_t);
    case AS_U64:
        return LESS_NUMBER(uint64_t);
    case AS_F32:
        return LESS_FLOAT(float);
    case AS_F64:
        return LESS_FLOAT(double);
    case AS_SMALL:
        return small_number(s, i) < small_number(s, j);
    default: {
        size_t size = element_size(as, s);
        return s->compare(s->base + i * size, s->base + j * size) < 0;
    }
    }
}

static void swap_bytes(char *a, char *b, size_t n)
{
    char t[64];
    for (; n >= sizeof t; n -= sizeof t, a += sizeof t, b += sizeof t) {
        memcpy(t, a, sizeof t);
        memcpy(a, b, sizeof t);
        memcpy(b, t, sizeof t);
    }
    memcpy(t, a, n);
    memcpy(a, b, n);
    memcpy(b, t, n);
}

/* Note [Swaps and barriers]. */
static force_inline void swap_pointers(void **a, void **b)
{
    void *x = *a, *y = *b;
    gort_store_pointer(a, y);
    gort_store_pointer(b, x);
}

#define SWAP_NUMBERS(type)                                                                         \
    do {                                                                                           \
        type *p = (type *)s->base, x = p[i];                                                       \
        p[i] = p[j];                                                                               \
        p[j] = x;                                                                                  \
    } while (0)

static force_inline void swap(enum sort_as as, const struct sorted *s, size_t i, size_t j)
{
    switch (as) {
    case AS_I32:
    case AS_U32:
        SWAP_NUMBERS(uint32_t);
        return;
    case AS_I64:
    case AS_U64:
        SWAP_NUMBERS(uint64_t);
        return;
    case AS_F32:
        SWAP_NUMBERS(float);
        return;
    case AS_F64:
        SWAP_NUMBERS(double);
        return;
    case AS_SMALL:
        if (s->size == 1)
            SWAP_NUMBERS(uint8_t);
        else
            SWAP_NUMBERS(uint16_t);
        return;
    case AS_POINTER:
        swap_pointers((void **)s->base + i, (void **)s->base + j);
        return;
    case AS_POINTERS:
        for (size_t at = 0; at < s->size; at += WORD_SIZE)
            swap_pointers((void **)(s->base + i * s->size + at),
                          (void **)(s->base + j * s->size + at));
        return;
    default:
        swap_bytes(s->base + i * element_size(as, s), s->base + j * element_size(as, s),
                   element_size(as, s));
    }
}

/* ---- simple sorts of [a, b) ------------------------------------------------------------------ */

static force_inline void insertion_sort(enum sort_as as, const struct sorted *s, size_t a, size_t b)
{
    for (size_t i = a + 1; i < b; i++)
        for (size_t j = i; j > a && less(as, s, j, j - 1); j--)
            swap(as, s, j, j - 1);
}

static force_inline void sift_down(enum sort_as as, const struct sorted *s, size_t root, size_t n,
                                   size_t a)
{
    for (size_t child; (child = 2 * root + 1) < n; root = child) {
        if (child + 1 < n && less(as, s, a + child, a + child + 1)) child++;
        if (!less(as, s, a + root, a + child)) return;
        swap(as, s, a + root, a + child);
    }
}

static force_inline void heap_sort(enum sort_as as, const struct sorted *s, size_t a, size_t b)
{
    size_t n = b - a;
    for (size_t i = n / 2; i-- > 0;)
        sift_down(as, s, i, n, a);
    for (size_t i = n; i-- > 1;) {
        swap(as, s, a, a + i);
        sift_down(as, s, 0, i, a);
    }
}

static force_inline void reverse(enum sort_as as, const struct sorted *s, size_t a, size_t b)
{
    for (size_t i = a, j = b - 1; i < j; i++, j--)
        swap(as, s, i, j);
}

/* ---- pivots ---------------------------------------------------------------------------------- */

#define INSERTION_MAX 12 /* elements up to which insertion is faster */
#define NINTHER_MIN 50   /* from which the pivot is a median of medians */
#define REPAIRS 5        /* out-of-place elements after which a range is not nearly sorted */

struct pivot {
    size_t at;
    int exchanges; /* of samples that were out of order */
};
#define MOST_EXCHANGES 12

/* The median of three, and how often their order was wrong. */
static force_inline size_t median(enum sort_as as, const struct sorted *s, size_t a, size_t b,
                                  size_t c, int *exchanges)
{
    size_t t;
    if (less(as, s, b, a)) t = a, a = b, b = t, ++*exchanges;
    if (less(as, s, c, b)) t = b, b = c, c = t, ++*exchanges;
    if (less(as, s, b, a)) t = a, a = b, b = t, ++*exchanges;
    return b;
}

static force_inline struct pivot choose_pivot(enum sort_as as, const struct sorted *s, size_t a,
                                              size_t b)
{
    struct pivot p = { 0, 0 };
    size_t quarter = (b - a) / 4, at[3];
    for (unsigned i = 0; i < 3; i++) {
        at[i] = a + quarter * (i + 1);
        if (b - a >= NINTHER_MIN) at[i] = median(as, s, at[i] - 1, at[i], at[i] + 1, &p.exchanges);
    }
    p.at = median(as, s, at[0], at[1], at[2], &p.exchanges);
    return p;
}

/* ---- partitions ------------------------------------------------------------------------------ */

/* Smaller ones than the pivot go before it, the others behind.  Returns its place; *sorted: nothing
 * had to move. */
static force_inline size_t partition(enum sort_as as, const struct sorted *s, size_t a, size_t b,
                                     size_t pivot, bool *sorted)
{
    size_t i = a + 1, j = b - 1;
    swap(as, s, a, pivot);
    for (*sorted = true;; *sorted = false) {
        while (i <= j && less(as, s, i, a))
            i++;
        while (i <= j && !less(as, s, j, a))
            j--;
        if (i > j) break;
        swap(as, s, i++, j--);
    }
    swap(as, s, j, a);
    return j;
}

/* Nothing is smaller than the pivot: those equal to it go first.  Returns where the others
 * begin. */
static force_inline size_t partition_equal(enum sort_as as, const struct sorted *s, size_t a,
                                           size_t b, size_t pivot)
{
    size_t i = a + 1, j = b - 1;
    swap(as, s, a, pivot);
    for (;;) {
        while (i <= j && !less(as, s, a, i))
            i++;
        while (i <= j && less(as, s, a, j))
            j--;
        if (i > j) return i;
        swap(as, s, i++, j--);
    }
}

/* Sorts what is nearly sorted already; false: it is not. */
static force_inline bool repair(enum sort_as as, const struct sorted *s, size_t a, size_t b)
{
    size_t i = a + 1;
    for (int left = REPAIRS;; left--) {
        while (i < b && !less(as, s, i, i - 1))
            i++;
        if (i == b) return true;
        if (b - a < NINTHER_MIN || left == 0) return false;
        swap(as, s, i, i - 1);
        for (size_t j = i - 1; j > a && less(as, s, j, j - 1); j--)
            swap(as, s, j, j - 1);
        for (size_t j = i + 1; j < b && less(as, s, j, j - 1); j++)
            swap(as, s, j, j - 1);
    }
}

/* Some swaps around the middle, against inputs made to be slow. */
static force_inline void shuffle_middle(enum sort_as as, const struct sorted *s, size_t a, size_t b)
{
    size_t n = b - a, middle = a + n / 4 * 2;
    uint64_t random = n;
    for (size_t i = 0; n >= 8 && i < 3; i++) {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        swap(as, s, middle - 1 + i, a + random % n);
    }
}

/* ---- quicksort ------------------------------------------------------------------------------- */

struct range {
    size_t a, b;
    unsigned bad;  /* unbalanced partitions that are left until heapsort */
    bool balanced; /* the last partition was */
    bool sorted;   /* and it moved nothing */
};

/* One step: sorts the range, or splits it: what is to be done next remains in *r, the rest in
 * *rest. */
static force_inline bool split(enum sort_as as, const struct sorted *s, struct range *r,
                               struct range *rest)
{
    size_t n = r->b - r->a;
    if (!r->balanced) {
        shuffle_middle(as, s, r->a, r->b);
        r->bad--;
    }
    struct pivot p = choose_pivot(as, s, r->a, r->b);
    if (p.exchanges == MOST_EXCHANGES) {
        reverse(as, s, r->a, r->b);
        p = (struct pivot){ r->b - 1 - (p.at - r->a), 0 };
    }
    if (p.exchanges == 0 && r->balanced && r->sorted && repair(as, s, r->a, r->b)) return false;
    *rest = *r;
    if (r->a > 0 && !less(as, s, r->a - 1, p.at)) {
        r->a = partition_equal(as, s, r->a, r->b, p.at);
        rest->b = rest->a; /* empty */
        return true;
    }
    size_t middle = partition(as, s, r->a, r->b, p.at, &r->sorted);
    size_t left = middle - r->a, right = r->b - middle;
    r->balanced = (left < right ? left : right) >= n / 8;
    rest->bad = r->bad;
    rest->balanced = rest->sorted = true;
    if (left < right)
        rest->a = middle + 1, r->b = middle;
    else
        rest->b = middle, r->a = middle + 1;
    return true;
}

/* The range at hand is the smaller half each time, so that at most 64 wait; r keeps what it
 * learned. */
static force_inline void quicksort(enum sort_as as, const struct sorted *s, size_t n)
{
    struct range waiting[64], r = { 0, n, bits_len64(n), true, true };
    unsigned count = 0;
    for (;;) {
        if (r.b - r.a <= INSERTION_MAX) {
            if (r.b > r.a) insertion_sort(as, s, r.a, r.b);
        } else if (r.bad == 0) {
            heap_sort(as, s, r.a, r.b);
        } else if (split(as, s, &r, &waiting[count])) {
            if (waiting[count].b > waiting[count].a) count++;
            assert_that(count < array_len(waiting));
            continue;
        }
        if (count == 0) return;
        r = waiting[--count];
    }
}

/* ---- instances ------------------------------------------------------------------------------- */

#define INSTANCE(name, as)                                                                         \
    static never_inline void sort_as_##name(const struct sorted *s, size_t n)                      \
    {                                                                                              \
        quicksort(as, s, n);                                                                       \
    }
INSTANCE(i32, AS_I32)
INSTANCE(u32, AS_U32)
INSTANCE(i64, AS_I64)
INSTANCE(u64, AS_U64)
INSTANCE(f32, AS_F32)
INSTANCE(f64, AS_F64)
INSTANCE(small, AS_SMALL)
INSTANCE(word, AS_WORD)
INSTANCE(pointer, AS_POINTER)
INSTANCE(bytes, AS_BYTES)
INSTANCE(pointers, AS_POINTERS)

void gort_slice_sort_raw(void *ptr, size_t n, unsigned kind)
{
    const struct sorted s = { .base = ptr,
                              .size = kind & 15,
                              .is_signed = (kind & GORT_SORT_SIGNED) != 0 };
    if (n < 2) return;
    if ((kind & GORT_SORT_FLOAT) != 0 && s.size < 4)
        gort_panic("gort_slice_sort: floating numbers of %zu bytes", s.size);
    switch (kind) {
    case 4:
        sort_as_u32(&s, n);
        return;
    case 8:
        sort_as_u64(&s, n);
        return;
    case 4 | GORT_SORT_SIGNED:
        sort_as_i32(&s, n);
        return;
    case 8 | GORT_SORT_SIGNED:
        sort_as_i64(&s, n);
        return;
    case 4 | GORT_SORT_FLOAT:
        sort_as_f32(&s, n);
        return;
    case 8 | GORT_SORT_FLOAT:
        sort_as_f64(&s, n);
        return;
    default:
        sort_as_small(&s, n);
    }
}

/* An unaligned word is no pointer. */
static enum sort_as kind_of(const struct gort_type *t)
{
    if ((t->flags & GORT_TYPE_NOSCAN) != 0 || t->ptrdata == 0 || t->align < WORD_SIZE)
        return t->size == WORD_SIZE ? AS_WORD : AS_BYTES;
    return t->size == WORD_SIZE ? AS_POINTER : AS_POINTERS;
}

void gort_slice_sort_func_raw(const struct gort_type *t, void *ptr, size_t n, gort_compare_ compare)
{
    const struct sorted s = { .base = ptr, .size = t->size, .compare = compare };
    if (n < 2) return;
    switch (kind_of(t)) {
    case AS_WORD:
        sort_as_word(&s, n);
        return;
    case AS_POINTER:
        sort_as_pointer(&s, n);
        return;
    case AS_BYTES:
        sort_as_bytes(&s, n);
        return;
    default:
        sort_as_pointers(&s, n);
    }
}

/* ---- stable ---------------------------------------------------------------------------------- */

#define BLOCK 20

/* [a, m) and [m, b) change places. */
static void rotate(enum sort_as as, const struct sorted *s, size_t a, size_t m, size_t b)
{
    if (a == m || m == b) return;
    reverse(as, s, a, m);
    reverse(as, s, m, b);
    reverse(as, s, a, b);
}

/* How many of the sorted [a, b) stay before element x: those below it, or with `equal` those not
 * above. */
static size_t bound(enum sort_as as, const struct sorted *s, size_t a, size_t b, size_t x,
                    bool equal)
{
    while (a < b) {
        size_t m = a + (b - a) / 2;
        bool before = equal ? !less(as, s, x, m) : less(as, s, m, x);
        if (before)
            a = m + 1;
        else
            b = m;
    }
    return a;
}

/* Merges the sorted [a, m) and [m, b): the longer one's middle is put in its place between the two
 * parts of the shorter one, which leaves two merges of at most three fourths. */
static void merge(enum sort_as as, const struct sorted *s, size_t a, size_t m, size_t b)
{
    while (a < m && m < b) {
        size_t left = m - a, right = b - m, i, j;
        if (left >= right) {
            i = a + left / 2;
            j = bound(as, s, m, b, i, false);
        } else {
            j = m + right / 2;
            i = bound(as, s, a, m, j, true);
        }
        if (left == 1 && right == 1) {
            if (less(as, s, m, a)) swap(as, s, a, m);
            return;
        }
        rotate(as, s, i, m, j);
        size_t middle = i + (j - m);
        merge(as, s, a, i, middle);
        a = middle, m = j;
    }
}

static void stable(enum sort_as as, const struct sorted *s, size_t n)
{
    for (size_t a = 0; a < n; a += BLOCK)
        insertion_sort(as, s, a, a + BLOCK < n ? a + BLOCK : n);
    for (size_t block = BLOCK; block < n; block *= 2)
        for (size_t a = 0; n - a > block; a += 2 * block) {
            merge(as, s, a, a + block, n - a < 2 * block ? n : a + 2 * block);
            if (n - a <= 2 * block) break;
        }
}

void gort_slice_sort_stable_raw(const struct gort_type *t, void *ptr, size_t n,
                                gort_compare_ compare)
{
    const struct sorted s = { .base = ptr, .size = t->size, .compare = compare };
    if (n >= 2) stable(kind_of(t), &s, n);
}
