/* Strings: counted, immutable, collected; builders, formatting, UTF-8.
 *
 *     gort_string s = gort_format("%d of %s", 3, "nine");
 *     gort_string word = gort_string_sub(s, 0, 4);          shares the bytes of s
 *     if (gort_string_equal(word, gort_str("3 of"))) ...
 *
 * A string is a pointer to bytes and how many they are; all zero it is empty.  The bytes are never
 * changed, so strings and parts of strings share them, between goroutines too, and any byte may be
 * in them, zero and what is no UTF-8 too.  They end with no zero byte: gort_string_to_c makes a C
 * string.  A string whose bytes the collector does not own (a literal, a static buffer) is good as
 * long as they are.  Stored anywhere but in a local variable it goes through gort_string_set or
 * gort_copy.
 *
 * No call here blocks, except gort_string_intern; those that allocate may run a collection that is
 * due.  Bounds that do not fit panic with Go's message; so do lengths that overflow.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef GORT_STRING_H
#define GORT_STRING_H

#include <limits.h>
#include <stdarg.h>

#include <gort/base.h>
#include <gort/mem.h>
#include <gort/reflect.h>
#include <gort/slice.h>
#include <gort/type.h>

typedef struct gort_string {
    const char *ptr;
    size_t len;
} gort_string;
GORT_TYPE_KIND_(GORT_KIND_STRING, gort_string, ptr);

/* A slice of strings: the calls of slice.h take it. */
typedef struct gort_strings {
    gort_string *ptr;
    size_t len;
    size_t cap;
} gort_strings;
GORT_SLICE(gort_strings, gort_string);

/* Bytes that become a string, or are written somewhere else: all zero it is empty.  ptr and len may
 * be read.  May lie anywhere, in collected memory too; one goroutine at a time. */
typedef struct gort_builder {
    char *ptr;
    size_t len;
    size_t cap;
} gort_builder;
GORT_TYPE(gort_builder, ptr);

/* A Unicode code point, and what stands for bytes that are none. */
typedef int32_t gort_rune;
#define GORT_RUNE_ERROR ((gort_rune)0xfffd)
#define GORT_RUNE_MAX ((gort_rune)0x10ffff)

/* gort_string gort_str("literal"): without a copy. */
#ifdef __cplusplus
#define gort_str(literal) (gort_string{ "" literal, sizeof(literal) - 1 })
#else
#define gort_str(literal) ((gort_string){ "" literal, sizeof(literal) - 1 })
#endif
/* The two arguments for "%.*s".  s is evaluated twice. */
#define GORT_STRING_ARGS(s) ((s).len > INT_MAX ? INT_MAX : (int)(s).len), (s).ptr

GORT_BEGIN_DECLS

/* ---- from and to bytes */

/* The C string's bytes themselves, without its zero: no copy, so they must stay as they are. */
static inline gort_string gort_string_of(const char *c)
{
    gort_string s = { c, __builtin_strlen(c) };
    return s;
}
/* A copy of n bytes. */
GORT_API gort_string gort_string_make(const void *bytes, size_t n);
/* A copy of a C string. */
GORT_API gort_string gort_string_from(const char *c) GORT_NONNULL(1);
/* A copy as a C string: with a zero byte at the end.  The first zero byte in s ends it too. */
GORT_API char *gort_string_to_c(gort_string s) GORT_ALLOCATES;
/* *slot = s with the write barrier: wherever the slot is not a local variable. */
static inline void gort_string_set(gort_string *slot, gort_string s)
{
    gort_store_pointer((void **)GORT_UNTYPED_(&slot->ptr), GORT_UNTYPED_(s.ptr));
    slot->len = s.len;
}

/* ---- parts */

/* Byte i.  Panics when there is none. */
static inline unsigned char gort_string_at(gort_string s, int64_t i)
{
    return (unsigned char)s.ptr[gort_index_(i, s.len)];
}
/* Bytes lo to hi - 1, shared.  Panics unless 0 <= lo <= hi <= s.len. */
static inline gort_string gort_string_sub(gort_string s, int64_t lo, int64_t hi)
{
    if (__builtin_expect((uint64_t)hi > s.len, 0))
        gort_bounds_panic_raw(GORT_BOUNDS_HIGH_LEN, hi, (int64_t)s.len);
    if (__builtin_expect((uint64_t)lo > (uint64_t)hi, 0))
        gort_bounds_panic_raw(GORT_BOUNDS_LOW, lo, hi);
    gort_string part = { hi != lo ? s.ptr + lo : s.ptr, (size_t)(hi - lo) };
    return part;
}

/* ---- comparing */

static inline bool gort_string_equal(gort_string a, gort_string b)
{
    return a.len == b.len &&
           (a.ptr == b.ptr || a.len == 0 || __builtin_memcmp(a.ptr, b.ptr, a.len) == 0);
}
/* By bytes as unsigned numbers: -1, 0 or 1. */
GORT_API int gort_string_compare(gort_string a, gort_string b);
static inline bool gort_string_has_prefix(gort_string s, gort_string prefix)
{
    gort_string head = { s.ptr, prefix.len };
    return s.len >= prefix.len && gort_string_equal(head, prefix);
}
static inline bool gort_string_has_suffix(gort_string s, gort_string suffix)
{
    if (s.len < suffix.len) return false;
    gort_string tail = { s.ptr + (s.len - suffix.len), suffix.len };
    return gort_string_equal(tail, suffix);
}

/* ---- searching: where, in bytes, or -1.  An empty part is found at once */

GORT_API ptrdiff_t gort_string_index(gort_string s, gort_string part);
GORT_API ptrdiff_t gort_string_last_index(gort_string s, gort_string part);
GORT_API ptrdiff_t gort_string_index_byte(gort_string s, char c);
/* How often part is in s without overlap; an empty one once more than s has runes. */
GORT_API size_t gort_string_count(gort_string s, gort_string part);
static inline bool gort_string_contains(gort_string s, gort_string part)
{
    return gort_string_index(s, part) >= 0;
}

/* ---- taking apart: parts share the bytes of s */

/* What stands between separators; an empty separator stands between runes. */
GORT_API gort_strings gort_string_split(gort_string s, gort_string separator);
/* The same in at most n parts, of which the last is the unsplit rest; n < 0: all; 0: none. */
GORT_API gort_strings gort_string_split_n(gort_string s, gort_string separator, int64_t n);
/* What stands between white space, of which any amount separates. */
GORT_API gort_strings gort_string_fields(gort_string s);
/* s without white space at both ends. */
GORT_API gort_string gort_string_trim_space(gort_string s);
/* What stands before and behind the first separator: true.  Without one: s, an empty string, and
 * false.  Both are local variables or NULL. */
GORT_API bool gort_string_cut(gort_string s, gort_string separator, gort_string *before,
                              gort_string *after);

/* ---- putting together */

GORT_API gort_string gort_string_concat(gort_string a, gort_string b);
/* All n strings with the separator between them. */
GORT_API gort_string gort_string_join(const gort_string *strings, size_t n, gort_string separator);
/* s, n times.  Panics for a negative n. */
GORT_API gort_string gort_string_repeat(gort_string s, int64_t n);
/* s with the first n of `from` (all: n < 0), which do not overlap, replaced by `to`.  An empty
 * `from` is found before each rune and at the end. */
GORT_API gort_string gort_string_replace(gort_string s, gort_string from, gort_string to,
                                         int64_t n);

/* The same bytes at the same address each time, for equal strings, as long as somebody has them:
 * then equal ptr and len mean equal strings.  What nobody has any more is collected.  May wait for
 * another goroutine that interns. */
GORT_API gort_string gort_string_intern(gort_string s);

/* ---- UTF-8 */

GORT_API gort_rune gort_rune_decode_raw(const char *p, size_t n, int *size) GORT_NONNULL(3);
/* The rune that p, n bytes, begins with; *size: its bytes.  Bytes that are no UTF-8, surrogates,
 * and longer forms than needed give GORT_RUNE_ERROR and 1; no bytes GORT_RUNE_ERROR and 0. */
static inline gort_rune gort_rune_decode(const char *p, size_t n, int *size)
{
    if (n == 0 || (unsigned char)*p >= 0x80) return gort_rune_decode_raw(p, n, size);
    *size = 1;
    return *p;
}
/* Writes r as UTF-8, GORT_RUNE_ERROR if it is no rune; returns how many bytes. */
GORT_API int gort_rune_encode(char out[4], gort_rune r) GORT_NONNULL(1);
/* Bytes that r takes, or -1. */
GORT_API int gort_rune_len(gort_rune r);
/* Is all of s UTF-8? */
GORT_API bool gort_string_valid(gort_string s);
/* How many runes gort_string_next gives. */
GORT_API size_t gort_string_rune_count(gort_string s);
/* The rune at byte *at, which is set behind it; false at the end.  for (size_t i = 0; ..(s, &i,
 * &r);) */
static inline bool gort_string_next(gort_string s, size_t *at, gort_rune *r)
{
    int size;
    if (*at >= s.len) return false;
    *r = gort_rune_decode(s.ptr + *at, s.len - *at, &size);
    *at += (size_t)size;
    return true;
}

/* ---- builders */

GORT_API struct gort_array gort_builder_grow_raw(void *ptr, size_t len, size_t cap, size_t n);

/* Makes room for n more bytes. */
static inline void gort_builder_grow(gort_builder *b, size_t n)
{
    if (__builtin_expect(n > b->cap - b->len, 0)) {
        void *old = b->ptr;
        struct gort_array array = gort_builder_grow_raw(old, b->len, b->cap, n);
        GORT_SLICE_HEADER_(b, old, array); /* Note [Header stores] in slice.h */
    }
}
/* Adds n bytes. */
static inline void gort_builder_write(gort_builder *b, const void *bytes, size_t n)
{
    gort_builder_grow(b, n);
    if (n != 0) __builtin_memcpy(b->ptr + b->len, bytes, n);
    b->len += n;
}
/* Adds a string. */
static inline void gort_builder_add(gort_builder *b, gort_string s)
{
    gort_builder_write(b, s.ptr, s.len);
}
/* Adds a byte. */
static inline void gort_builder_byte(gort_builder *b, char c)
{
    gort_builder_grow(b, 1);
    b->ptr[b->len++] = c;
}
/* Adds a rune as UTF-8. */
static inline void gort_builder_rune(gort_builder *b, gort_rune r)
{
    gort_builder_grow(b, 4);
    if ((uint32_t)r < 0x80)
        b->ptr[b->len++] = (char)r;
    else
        b->len += (size_t)gort_rune_encode(b->ptr + b->len, r);
}
/* What was added so far, without a copy: what is added later lies behind it or elsewhere. */
static inline gort_string gort_builder_string(const gort_builder *b)
{
    gort_string s = { b->ptr, b->len };
    return s;
}
/* Empty again; strings that were made stay. */
static inline void gort_builder_reset(gort_builder *b)
{
    gort_store_pointer((void **)GORT_UNTYPED_(&b->ptr), NULL);
    b->len = b->cap = 0;
}

/* ---- formatting, as by printf.  No %n.  Panics on a conversion that there is not */

GORT_API gort_string gort_format(const char *format, ...) GORT_PRINTF(1, 2) GORT_NONNULL(1);
GORT_API gort_string gort_format_list(const char *format, va_list args) GORT_PRINTF(1, 0)
    GORT_NONNULL(1);
GORT_API void gort_builder_format(gort_builder *b, const char *format, ...) GORT_PRINTF(2, 3)
    GORT_NONNULL(1, 2);
GORT_API void gort_builder_format_list(gort_builder *b, const char *format, va_list args)
    GORT_PRINTF(2, 0) GORT_NONNULL(1, 2);

GORT_END_DECLS

#endif
