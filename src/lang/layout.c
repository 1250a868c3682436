/* How structs are laid out, and how they could be.
 *
 * The rule of C's compilers on this platform: each field lies at the next multiple of its
 * alignment, and the struct's size is a multiple of its own, the largest of these.  A type's size
 * is a multiple of its alignment; so fields in the order of falling alignment leave no hole between
 * them, and no order is better.  (A field that was aligned further by _Alignas leaves one; if that
 * makes the order worse than the present one, it stays.)  Among fields of one alignment those that
 * may hold pointers come first: the collector looks at an object only up to the last word that may
 * be one.
 *
 * A hole that no alignment explains is of fields that were left out of the description.  How they
 * would move is not known, so there the order stays.
 *
 * Answers to: cmd/compile's CalcStructSize; the fieldalignment analyzer.
 * SPDX-License-Identifier: BSD-3-Clause
 */
#include <string.h>

#include "base/bits.h"
#include "gort/panic.h"
#include "lang/reflect.h"

#define NAME_BYTES 96

static void require_struct(const struct gort_type *t, const char *call)
{
    char name[NAME_BYTES];
    if (t->kind == GORT_KIND_STRUCT) return;
    gort_panic("%s: %s is no described struct", call, gort_reflect_name(t, name, sizeof name));
}

/* ---- holes ----------------------------------------------------------------------------------- */

/* The field that begins first at `from` or behind it; NULL: none. */
static const struct gort_field *next_field(const struct gort_type *t, size_t from)
{
    const struct gort_field *next = NULL;
    for (size_t i = 0; i < t->count; i++) {
        const struct gort_field *f = &t->fields[i];
        if (f->offset >= from && f->type->size != 0 && (next == NULL || f->offset < next->offset))
            next = f;
    }
    return next;
}

struct hole {
    size_t at, size;
    bool unknown; /* larger than alignment explains */
};

/* The hole before f, or at the end for NULL, where all before ends at `end`. */
static struct hole hole_before(const struct gort_type *t, const struct gort_field *f, size_t end)
{
    struct hole h = { end, (f != NULL ? f->offset : t->size) - end, false };
    h.unknown = h.size >= (f != NULL ? f->align : t->align);
    return h;
}

static bool has_unknown(const struct gort_type *t, size_t *padding)
{
    bool unknown = false;
    size_t end = 0;
    *padding = 0;
    for (const struct gort_field *f;; end = f->offset + f->type->size) {
        f = next_field(t, end);
        struct hole h = hole_before(t, f, end);
        unknown |= h.unknown;
        *padding += h.size;
        if (f == NULL) return unknown;
    }
}

/* ---- the order ------------------------------------------------------------------------------- */

static bool holds_pointers(const struct gort_field *f)
{
    return !(f->type->flags & GORT_TYPE_NOSCAN) && f->type->size >= WORD_SIZE &&
           f->align >= WORD_SIZE;
}

static bool comes_before(const struct gort_field *a, const struct gort_field *b)
{
    if (a->align != b->align) return a->align > b->align;
    return holds_pointers(a) && !holds_pointers(b);
}

static void sort_fields(const struct gort_type *t, unsigned *order)
{
    for (unsigned i = 0; i < t->count; i++) {
        unsigned at = i;
        for (; at > 0 && comes_before(&t->fields[i], &t->fields[order[at - 1]]); at--)
            order[at] = order[at - 1];
        order[at] = i;
    }
}

/* The struct's size when its fields lie in this order. */
static size_t size_in_order(const struct gort_type *t, const unsigned *order)
{
    size_t end = 0;
    for (size_t i = 0; i < t->count; i++) {
        const struct gort_field *f = &t->fields[order[i]];
        end = align_up(end, f->align) + f->type->size;
    }
    return align_up(end, t->align);
}

void gort_reflect_best_order(const struct gort_type *t, unsigned *order)
{
    size_t padding;
    require_struct(t, "gort_reflect_best_order");
    sort_fields(t, order);
    if (!has_unknown(t, &padding) && size_in_order(t, order) <= t->size) return;
    for (unsigned i = 0; i < t->count; i++)
        order[i] = i;
}

void gort_reflect_layout(const struct gort_type *t, gort_layout *out)
{
    unsigned order[64];
    require_struct(t, "gort_reflect_layout");
    *out = (gort_layout){ .size = t->size };
    bool unknown = has_unknown(t, &out->padding);
    out->best_size = out->size;
    out->best_padding = out->padding;
    if (unknown || t->count > array_len(order)) return;
    gort_reflect_best_order(t, order);
    out->best_size = size_in_order(t, order);
    out->best_padding = out->padding - (out->size - out->best_size);
}

/* ---- as text --------------------------------------------------------------------------------- */

static void print_hole(struct print *out, struct hole h)
{
    if (h.size == 0) return;
    print_fmt(out, "%6zu %5zu  -- %s\n", h.at, h.size, h.unknown ? "not described" : "padding");
}

static void print_fields(struct print *out, const struct gort_type *t)
{
    char name[NAME_BYTES];
    size_t end = 0;
    for (const struct gort_field *f;; end = f->offset + f->type->size) {
        f = next_field(t, end);
        print_hole(out, hole_before(t, f, end));
        if (f == NULL) return;
        print_fmt(out, "%6zu %5zu  %s %s\n", f->offset, f->type->size,
                  gort_reflect_name(f->type, name, sizeof name), f->name);
    }
}

static void print_better(struct print *out, const struct gort_type *t, const gort_layout *l)
{
    unsigned order[64];
    gort_reflect_best_order(t, order);
    print_fmt(out, "%zu bytes, %zu of padding, in this order:", l->best_size, l->best_padding);
    for (size_t i = 0; i < t->count; i++)
        print_fmt(out, "%s %s", i != 0 ? "," : "", t->fields[order[i]].name);
    print_fmt(out, "\n");
}

void gort_builder_layout(gort_builder *b, const struct gort_type *t)
{
    struct builder_print out;
    gort_layout l;
    char name[NAME_BYTES];
    gort_reflect_layout(t, &l);
    builder_print_init(&out, b);
    print_fmt(&out.print, "%s: %zu bytes, aligned to %u, %zu of padding\n",
              gort_reflect_name(t, name, sizeof name), l.size, t->align, l.padding);
    print_fields(&out.print, t);
    if (l.best_size < l.size) print_better(&out.print, t, &l);
    print_flush(&out.print);
}

int gort_print_layout(int fd, const struct gort_type *t)
{
    gort_builder b = { NULL, 0, 0 };
    gort_builder_layout(&b, t);
    return builder_write_out(&b, fd);
}
