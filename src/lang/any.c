/* Values with their type: gort_any, and fields by name.
 *
 * A value that is one pointer is kept as it is; any other is copied to an object of its type, which
 * nobody writes again, so that copies of a gort_any may share it.  Fields are stored by
 * gort_copy_raw, which knows from the field's descriptor where a barrier is needed.
 *
 * Numbers are converted by way of types that hold all of them: 128 bits for whole ones, long
 * double, which has at least 64 bits of precision, for floating ones.
 *
 * Answers to: iface.go (assertions, convT), reflect's Value.Field, Set and Convert.
 * SPDX-License-Identifier: BSD-3-Clause
 */
#include "gort/any.h"

#include <float.h>
#include <math.h>
#include <string.h>

#include "gort/map.h"
#include "gort/panic.h"
#include "lang/lang.h"
#include "lang/reflect.h"

_Static_assert(LDBL_MANT_DIG >= 64, "a long double holds each whole number of 64 bits");

#define NAME_BYTES 96

static bool is_direct(const struct gort_type *t)
{
    switch (t->kind) {
    case GORT_KIND_CSTRING:
    case GORT_KIND_POINTER:
    case GORT_KIND_FUNC:
    case GORT_KIND_CHAN:
    case GORT_KIND_MAP:
        return true;
    default:
        return false;
    }
}

/* NULL: nil. */
static const char *name_of(const struct gort_type *t, char *out)
{
    return t != NULL ? gort_reflect_name(t, out, NAME_BYTES) : "nil";
}

/* ---- making and getting ---------------------------------------------------------------------- */

gort_any gort_any_make_raw(const struct gort_type *t, const void *p)
{
    gort_any a = { t, NULL };
    if (t->kind == GORT_KIND_ANY) {
        memcpy(&a, p, sizeof a);
    } else if (is_direct(t)) {
        memcpy(&a.data, p, sizeof a.data);
    } else {
        a.data = gort_new_raw(t);
        gort_copy_raw(t, a.data, p, 1);
    }
    return a;
}

const void *gort_any_address(const gort_any *a)
{
    if (a->type == NULL) return NULL;
    return is_direct(a->type) ? &a->data : a->data;
}

const void *gort_any_require_raw(const gort_any *a, const struct gort_type *t)
{
    char is[NAME_BYTES], wanted[NAME_BYTES];
    if (t->kind == GORT_KIND_ANY) return a;
    if (unlikely(!gort_reflect_same(a->type, t)))
        gort_panic("interface conversion: any is %s, not %s", name_of(a->type, is),
                   name_of(t, wanted));
    return gort_any_address(a);
}

bool gort_any_as_raw(const struct gort_type *t, gort_any a, void *out)
{
    bool fits = gort_reflect_same(a.type, t);
    if (out != NULL && fits) gort_copy_raw(t, out, gort_any_address(&a), 1);
    if (out != NULL && !fits) gort_clear_raw(t, out, 1);
    return fits;
}

/* ---- comparing ------------------------------------------------------------------------------- */

bool gort_any_equal(gort_any a, gort_any b)
{
    if (a.type == NULL || b.type == NULL) return a.type == b.type;
    if (!gort_reflect_same(a.type, b.type)) return false;
    return gort_value_equal(a.type, gort_any_address(&a), gort_any_address(&b));
}

/* Types that are the same may have descriptors at several places: what they share is hashed. */
uint64_t gort_any_hash(gort_any a, uint64_t seed)
{
    if (a.type == NULL) return seed;
    uint64_t type = a.type->size << 8 | a.type->kind;
    return gort_value_hash(a.type, gort_any_address(&a), gort_hash_int(type, seed));
}

/* ---- numbers --------------------------------------------------------------------------------- */

struct number {
    bool floating;
    __int128 whole;
    long double x;
};

static bool is_number(const struct gort_type *t)
{
    return t->kind >= GORT_KIND_CHAR && t->kind <= GORT_KIND_LONG_DOUBLE;
}

static struct number read_number(const struct gort_type *t, const void *p)
{
    struct number n = { .floating = !reflect_is_int(t) };
    if (t->kind == GORT_KIND_LONG_DOUBLE)
        memcpy(&n.x, p, sizeof n.x);
    else if (n.floating)
        n.x = (long double)reflect_float(t, p);
    else if (reflect_is_signed(t))
        n.whole = reflect_int(t, p);
    else
        n.whole = (uint64_t)reflect_int(t, p);
    return n;
}

static bool write_whole(const struct gort_type *t, const struct number *n, void *out)
{
    unsigned bits = 8 * (unsigned)t->size;
    __int128 end = (__int128)1 << (reflect_is_signed(t) ? bits - 1 : bits);
    __int128 least = reflect_is_signed(t) ? -end : 0, whole = n->whole;
    if (n->floating) {
        if (!(n->x >= (long double)least && n->x < (long double)end)) return false; /* or a NaN */
        whole = (__int128)n->x;
        if ((long double)whole != n->x) return false;
    }
    if (whole < least || whole >= end) return false;
    uint64_t word = (uint64_t)whole;
    memcpy(out, &word, t->size); /* the least byte is the first one */
    return true;
}

#define WRITE_FLOATING(T)                                                                          \
    do {                                                                                           \
        T to_ = n->floating ? (T)n->x : (T)n->whole;                                               \
        if (n->floating ? isinf(to_) && !isinf(n->x) : (__int128)to_ != n->whole) return false;    \
        memcpy(out, &to_, sizeof to_);                                                             \
        return true;                                                                               \
    } while (0)

static bool write_floating(const struct gort_type *t, const struct number *n, void *out)
{
    if (t->kind == GORT_KIND_FLOAT) WRITE_FLOATING(float);
    if (t->kind == GORT_KIND_DOUBLE) WRITE_FLOATING(double);
    WRITE_FLOATING(long double);
}

bool gort_any_convert_raw(const struct gort_type *t, gort_any a, void *out)
{
    char number[sizeof(long double)];
    if (a.type == NULL || !is_number(a.type) || !is_number(t)) return gort_any_as_raw(t, a, out);
    struct number n = read_number(a.type, gort_any_address(&a));
    bool fits = reflect_is_int(t) ? write_whole(t, &n, number) : write_floating(t, &n, number);
    if (out == NULL) return fits;
    if (fits)
        memcpy(out, number, t->size);
    else
        memset(out, 0, t->size);
    return fits;
}

/* ---- fields ---------------------------------------------------------------------------------- */

static const struct gort_field *require_field(const struct gort_type *t, const char *name,
                                              const char *call)
{
    char type[NAME_BYTES];
    const struct gort_field *f = gort_reflect_field(t, name);
    if (f == NULL) gort_panic("%s: type %s has no field %s", call, name_of(t, type), name);
    return f;
}

gort_any gort_field_get(const struct gort_type *t, const void *p, const char *name)
{
    const struct gort_field *f = require_field(t, name, "gort_field_get");
    return gort_any_make_raw(f->type, (const char *)p + f->offset);
}

_Noreturn static cold_path void refuse_value(const struct gort_type *t, const struct gort_field *f,
                                             const struct gort_type *value)
{
    char type[NAME_BYTES], wanted[NAME_BYTES], is[NAME_BYTES];
    gort_panic("gort_field_set: %s.%s is %s, not %s", name_of(t, type), f->name,
               name_of(f->type, wanted), name_of(value, is));
}

void gort_field_set(const struct gort_type *t, void *p, const char *name, gort_any value)
{
    const struct gort_field *f = require_field(t, name, "gort_field_set");
    void *at = (char *)p + f->offset;
    if (f->type->kind == GORT_KIND_ANY)
        gort_copy_raw(f->type, at, &value, 1);
    else if (value.type == NULL && is_direct(f->type))
        gort_clear_raw(f->type, at, 1);
    else if (gort_reflect_same(value.type, f->type))
        gort_copy_raw(f->type, at, gort_any_address(&value), 1);
    else
        refuse_value(t, f, value.type);
}
