/* What the files about described types share.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef GORT_LANG_REFLECT_H
#define GORT_LANG_REFLECT_H

#include "base/print.h"
#include "gort/reflect.h"
#include "gort/string.h"

/* A float or double, at any address. */
double reflect_float(const struct gort_type *t, const void *p);
/* A whole number: its value, or its bits where that is negative. */
int64_t reflect_int(const struct gort_type *t, const void *p);
/* Is it a kind of whole numbers, bool and char among them?  Of signed ones? */
static inline bool reflect_is_int(const struct gort_type *t)
{
    return t->kind >= GORT_KIND_BOOL && t->kind <= GORT_KIND_UINT64;
}
static inline bool reflect_is_signed(const struct gort_type *t)
{
    return (t->kind >= GORT_KIND_INT8 && t->kind <= GORT_KIND_INT64) ||
           (t->kind == GORT_KIND_CHAR && (char)-1 < 0);
}
/* The value at p, as gort_print_value tells it.  Allocates nothing.  flat: of pointers of all kinds
 * only the address, so that nothing is read but the value's own bytes, which others may be
 * changing. */
void value_print(struct print *out, const struct gort_type *t, const void *p, bool flat);

/* A printer whose text goes to a builder, with print_flush at the end. */
struct builder_print {
    struct print print; /* first */
    gort_builder *b;
};
void builder_print_init(struct builder_print *p, gort_builder *b);
/* All of b to a descriptor: 0, or -1 with errno. */
int builder_write_out(const gort_builder *b, int fd);

#endif
