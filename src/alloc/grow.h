/* Arrays that replace smaller ones.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef GORT_ALLOC_GROW_H
#define GORT_ALLOC_GROW_H

#include <stddef.h>

#include "gort/type.h"

/* The bytes that an allocation of an array of so many really has room for: its slot's, without what
 * the collector notes there, or whole pages.  bytes <= ALLOC_ARRAY_MAX. */
size_t alloc_array_room(const struct gort_type *t, size_t bytes);
#define ALLOC_ARRAY_MAX ((size_t)1 << 40)

/* An array of so many bytes, of which the caller writes the first `used` before it does anything
 * else; the others are zero.  Elements with pointers: all are zero, and are copied in with
 * barriers. */
void *alloc_array(const struct gort_type *t, size_t bytes, size_t used, const char *call);

#endif
