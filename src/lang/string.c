/* Strings: making, comparing, searching.
 *
 * Bytes are pointer-free memory that is not zeroed first: each is written before the string is
 * returned, and never again.  Parts point into the bytes of the whole, which the collector keeps
 * for them.
 *
 * Searching from the front is the C library's memmem, which is linear and has what processors
 * offer; from the end it is by a rolling hash, of which there is no such function.
 *
 * Locking: none.
 * Answers to: strings.go, index.go, compare.go in the packages strings and bytealg; string.go.
 * SPDX-License-Identifier: BSD-3-Clause
 */
#include "gort/string.h"

#include <string.h>

#include "base/bits.h"
#include "gort/panic.h"
#include "lang/text.h"

char *text_alloc(size_t n)
{
    if (n > TEXT_MAX) gort_panic("runtime error: string of %zu bytes", n);
    return gort_alloc_uninit(n);
}

static size_t sum(size_t a, size_t b)
{
    size_t n;
    return add_overflows(a, b, &n) ? SIZE_MAX : n;
}

/* ---- from and to bytes ----------------------------------------------------------------------- */

/* Unlike memcpy, no bytes may be NULL. */
static inline char *put(char *to, const void *from, size_t n)
{
    return n != 0 ? (char *)memcpy(to, from, n) + n : to;
}

gort_string gort_string_make(const void *bytes, size_t n)
{
    if (n == 0) return (gort_string){ NULL, 0 };
    char *p = text_alloc(n);
    memcpy(p, bytes, n);
    return (gort_string){ p, n };
}

gort_string gort_string_from(const char *c)
{
    return gort_string_make(c, strlen(c));
}

char *gort_string_to_c(gort_string s)
{
    char *p = text_alloc(sum(s.len, 1));
    *put(p, s.ptr, s.len) = '\0';
    return p;
}

/* ---- putting together ------------------------------------------------------------------------ */

gort_string gort_string_concat(gort_string a, gort_string b)
{
    if (a.len == 0) return b;
    if (b.len == 0) return a;
    char *p = text_alloc(sum(a.len, b.len));
    put(put(p, a.ptr, a.len), b.ptr, b.len);
    return (gort_string){ p, a.len + b.len };
}

gort_string gort_string_join(const gort_string *strings, size_t n, gort_string separator)
{
    size_t total = 0;
    if (n == 0) return (gort_string){ NULL, 0 };
    if (n == 1) return strings[0];
    for (size_t i = 0; i < n; i++)
        total = sum(total, sum(strings[i].len, i != 0 ? separator.len : 0));
    if (total == 0) return (gort_string){ NULL, 0 };
    char *p = text_alloc(total), *to = p;
    for (size_t i = 0; i < n; i++) {
        if (i != 0) to = put(to, separator.ptr, separator.len);
        to = put(to, strings[i].ptr, strings[i].len);
    }
    return (gort_string){ p, total };
}

gort_string gort_string_repeat(gort_string s, int64_t n)
{
    size_t total;
    if (n < 0) gort_panic("strings: negative Repeat count");
    if (mul_overflows(s.len, (size_t)n, &total)) total = SIZE_MAX;
    if (total == 0) return (gort_string){ NULL, 0 };
    char *p = text_alloc(total);
    memcpy(p, s.ptr, s.len);
    for (size_t done = s.len; done < total; done *= 2)
        memcpy(p + done, p, done < total - done ? done : total - done);
    return (gort_string){ p, total };
}

/* The place of the next `from` at or behind byte at: an empty one is before each rune and at the
 * end. */
static ptrdiff_t next_place(gort_string s, gort_string from, size_t at, bool first)
{
    int size = 0;
    if (from.len != 0) {
        ptrdiff_t i = text_index(s.ptr + at, s.len - at, from);
        return i < 0 ? -1 : (ptrdiff_t)at + i;
    }
    if (first) return 0;
    if (at == s.len) return -1;
    (void)gort_rune_decode(s.ptr + at, s.len - at, &size);
    return (ptrdiff_t)at + size;
}

gort_string gort_string_replace(gort_string s, gort_string from, gort_string to, int64_t n)
{
    gort_builder b = { NULL, 0, 0 };
    size_t at = 0;
    int64_t done = 0;
    for (; n < 0 || done < n; done++) {
        ptrdiff_t i = next_place(s, from, at, done == 0);
        if (i < 0) break;
        if (done == 0) gort_builder_grow(&b, s.len);
        gort_builder_write(&b, s.ptr + at, (size_t)i - at);
        gort_builder_add(&b, to);
        at = (size_t)i + from.len;
    }
    if (done == 0) return s;
    gort_builder_write(&b, s.ptr + at, s.len - at);
    return gort_builder_string(&b);
}

struct gort_array gort_builder_grow_raw(void *ptr, size_t len, size_t cap, size_t n)
{
    static const struct gort_type byte = {
        .name = "char", .size = 1, .align = 1, .flags = GORT_TYPE_NOSCAN
    };
    return gort_slice_grow_raw(&byte, ptr, len, cap, n);
}

/* ---- comparing and searching ----------------------------------------------------------------- */

int gort_string_compare(gort_string a, gort_string b)
{
    size_t n = a.len < b.len ? a.len : b.len;
    int order = n != 0 ? memcmp(a.ptr, b.ptr, n) : 0;
    if (order == 0) return (a.len > b.len) - (a.len < b.len);
    return order < 0 ? -1 : 1;
}

ptrdiff_t text_index(const char *p, size_t n, gort_string part)
{
    if (part.len == 0) return 0;
    if (part.len > n) return -1;
    const char *found =
        part.len == 1 ? memchr(p, (unsigned char)*part.ptr, n) : memmem(p, n, part.ptr, part.len);
    return found != NULL ? found - p : -1;
}

ptrdiff_t gort_string_index(gort_string s, gort_string part)
{
    return text_index(s.ptr, s.len, part);
}

ptrdiff_t gort_string_index_byte(gort_string s, char c)
{
    const char *found = s.len != 0 ? memchr(s.ptr, (unsigned char)c, s.len) : NULL;
    return found != NULL ? found - s.ptr : -1;
}

/* The hash of bytes is the sum of byte times a power of BASE, the last one times 1. */
#define BASE UINT32_C(16777619)

ptrdiff_t gort_string_last_index(gort_string s, gort_string part)
{
    size_t n = part.len;
    uint32_t want = 0, have = 0, power = 1;
    if (n > s.len) return -1;
    if (n == 0) return (ptrdiff_t)s.len;
    const unsigned char *p = (const unsigned char *)s.ptr + (s.len - n);
    for (size_t i = n; i-- > 0;) {
        want = want * BASE + (unsigned char)part.ptr[i];
        have = have * BASE + p[i];
        power *= BASE;
    }
    for (;; p--) {
        if (have == want && memcmp(p, part.ptr, n) == 0) return (const char *)p - s.ptr;
        if (p == (const unsigned char *)s.ptr) return -1;
        have = have * BASE + p[-1] - power * p[n - 1];
    }
}

size_t gort_string_count(gort_string s, gort_string part)
{
    size_t n = 0;
    ptrdiff_t i;
    if (part.len == 0) return gort_string_rune_count(s) + 1;
    for (size_t at = 0; (i = text_index(s.ptr + at, s.len - at, part)) >= 0; n++)
        at += (size_t)i + part.len;
    return n;
}
