/* Names of fields, for reports of any floor: which field of a described type a byte of an object is
 * in.
 *
 * The descriptions are the program's own constants (gort/reflect.h); nothing else is read.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef GORT_BASE_FIELDS_H
#define GORT_BASE_FIELDS_H

#include "base/print.h"
#include "gort/reflect.h"

/* What an object was made as. */
struct contents {
    const struct gort_type *type; /* NULL: not known */
    size_t size;                  /* of the object; it may be told as a little more */
    bool repeats; /* the type does, to the object's end; else other bytes are behind it */
};

/* Prints `before` and the field that byte `at` is in, as "kids[2].next", or "[7].kids[2].next" of
 * the objects in a row.  false: none is known, and nothing was printed. */
bool fields_print(struct print *out, const char *before, struct contents c, size_t at);

#endif
