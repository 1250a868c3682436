/* What hangs on objects, as the program sees it: the calls that return a handle, which is a
 * collected object.  They stand on this floor since they allocate; the rest is in gc/weak.c and
 * gc/cleanup.c.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#include "gc/cleanup.h"
#include "gc/weak.h"
#include "gort/mem.h"

/* Neither may be tiny: other objects in its block would keep it, or it them. */
_Static_assert(sizeof(struct gort_weak) >= TINY_BYTES, "a handle has a slot of its own");
_Static_assert(sizeof(struct gort_cleanup) >= TINY_BYTES, "a handle has a slot of its own");

gort_weak *gort_weak_make(void *obj)
{
    if (obj == NULL) return NULL;
    struct gort_weak *w = weak_find(obj);
    if (w == NULL) w = weak_add(obj, gort_alloc_noscan(sizeof *w));
    gort_keep_alive(obj);
    return w;
}

gort_cleanup *gort_add_cleanup(void *obj, void (*fn)(void *arg), void *arg)
{
    cleanup_check(obj, fn, arg);
    struct gort_cleanup *c = gort_alloc_noscan(sizeof *c);
    cleanup_add(c, obj, fn, arg);
    gort_keep_alive(obj);
    return c;
}
