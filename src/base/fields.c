/* Names of fields: see fields.h.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#include "base/fields.h"

static const struct gort_field *field_at(const struct gort_type *t, size_t at)
{
    for (size_t i = 0; t->kind == GORT_KIND_STRUCT && i < t->count; i++)
        if (at - t->fields[i].offset < t->fields[i].type->size) return &t->fields[i];
    return NULL;
}

/* What is in a field: fields of it, elements. */
static void print_within(struct print *out, const struct gort_type *t, size_t at)
{
    for (;;) {
        const struct gort_field *f = field_at(t, at);
        if (f != NULL) {
            print_fmt(out, ".%.64s", f->name);
            at -= f->offset;
            t = f->type;
        } else if (t->kind == GORT_KIND_ARRAY && t->elem->size != 0) {
            print_fmt(out, "[%zu]", at / t->elem->size);
            at %= t->elem->size;
            t = t->elem;
        } else {
            return;
        }
    }
}

bool fields_print(struct print *out, const char *before, struct contents c, size_t at)
{
    if (c.type == NULL || c.type->kind != GORT_KIND_STRUCT || c.type->size == 0) return false;
    bool many = c.repeats && c.size >= 2 * c.type->size;
    size_t element = at / c.type->size;
    if (!many && element != 0) return false;
    const struct gort_field *f = field_at(c.type, at % c.type->size);
    if (f == NULL) return false;
    print_fmt(out, "%s", before);
    if (many) print_fmt(out, "[%zu].", element);
    print_fmt(out, "%.64s", f->name);
    print_within(out, f->type, at % c.type->size - f->offset);
    return true;
}
