/* Arrays that replace smaller ones: how much room an allocation has, and memory of which only the
 * rest is zeroed, since what comes first is copied over.
 *
 * What lies behind the part in use can be reached by a longer sub-slice, so it must be zero.  A
 * large span may be fresh from the kernel and zero already; then nothing is touched that is not
 * used.
 *
 * Answers to: roundupsize in msize.go; the allocation in growslice, slice.go.
 * SPDX-License-Identifier: BSD-3-Clause
 */
#include "alloc/grow.h"

#include "alloc/malloc.h"
#include "gort/mem.h"

_Static_assert(ALLOC_ARRAY_MAX == LARGE_MAX, "what can be allocated at all");

static inline bool is_noscan(const struct gort_type *t)
{
    return (t->flags & GORT_TYPE_NOSCAN) != 0;
}

size_t alloc_array_room(const struct gort_type *t, size_t bytes)
{
    size_t layout = is_noscan(t) || bytes <= BITMAP_MAX ? 0 : WORD_SIZE;
    if (bytes == 0) return 0;
    if (bytes + layout <= SMALL_MAX) {
        unsigned class = alloc_class(bytes + layout, t->align != 0 ? t->align : 1);
        /* A slot beyond BITMAP_MAX has a layout word that a bitmap would not need. */
        size_t room = size_class_table[class].size - layout;
        if (class != 0 && (layout != 0 || is_noscan(t) || room <= BITMAP_MAX)) return room;
    }
    return align_up(bytes, PAGE_BYTES);
}

/* Behind `used` bytes of memory that holds anything. */
static void zero_rest(char *x, size_t bytes, size_t used)
{
    if (bytes > SMALL_MAX && span_of((uintptr_t)x)->need_zero == 0) return;
    race_hide();
    memset(x + used, 0, bytes - used);
    race_show();
}

void *alloc_array(const struct gort_type *t, size_t bytes, size_t used, const char *call)
{
    if (!is_noscan(t) && t->size != 0) return gort_new_array_raw(t, bytes / t->size);
    struct shape s = { .size = bytes != 0 ? bytes : 1,
                       .align = t->align != 0 ? t->align : 1,
                       .unzeroed = bytes > TINY_MAX, /* tiny blocks are zero */
                       .noscan = true,
                       .call = call };
    void *x = alloc_any(&s);
    if (s.unzeroed && used < bytes) zero_rest(x, bytes, used);
    return x;
}
