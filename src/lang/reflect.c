/* Types by their descriptions: names, identity, and values that are compared and hashed by their
 * fields.
 *
 * A descriptor is the program's own constant, one in each file that includes the description, so
 * two of them may mean one type and gort_reflect_same looks at what they say.  Structs are told by
 * name, size and fields; a field that is a struct, or what a pointer leads to, is told by its name
 * and size alone: so the look ends, whatever leads where.
 *
 * Values are walked as deep as the type is nested; nothing is followed but strings and gort_any,
 * which may hold another gort_any: the program can not make a circle of these, since what they hold
 * is made before them and never written again.
 *
 * Answers to: type.go's typesEqual, alg.go.
 * SPDX-License-Identifier: BSD-3-Clause
 */
#include "lang/reflect.h"

#include <string.h>

#include "gort/any.h"
#include "gort/map.h"
#include "gort/panic.h"
#include "lang/map.h"

/* ---- names ----------------------------------------------------------------------------------- */

static const char *kind_name(uint32_t kind)
{
    static const char *const names[] = {
        "bytes",   "bool",        "char",     "int8_t",      "int16_t",  "int32_t",
        "int64_t", "uint8_t",     "uint16_t", "uint32_t",    "uint64_t", "float",
        "double",  "long double", "char *",   "gort_string", "void *",   "gort_func *",
        "channel", "map",         "slice",    "array",       "struct",   "gort_any",
    };
    _Static_assert(array_len(names) == GORT_KIND_ANY + 1, "a name for each kind");
    return kind < array_len(names) ? names[kind] : "unknown";
}

/* Of a field's own descriptors, which have no name: an array of, a pointer to. */
char *gort_reflect_name(const struct gort_type *t, char *out, size_t n)
{
    char elem[64];
    if (t->name != NULL || t->elem == NULL) {
        (void)format_into(out, n, "%s", t->name != NULL ? t->name : kind_name(t->kind));
        return out;
    }
    (void)gort_reflect_name(t->elem, elem, sizeof elem);
    if (t->kind == GORT_KIND_ARRAY)
        (void)format_into(out, n, "%s[%zu]", elem, t->count);
    else
        (void)format_into(out, n, "%s%s*", elem, elem[strlen(elem) - 1] == '*' ? "" : " ");
    return out;
}

/* ---- identity -------------------------------------------------------------------------------- */

static bool same_name(const char *a, const char *b)
{
    return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

static bool same(const struct gort_type *a, const struct gort_type *b, bool deep);

static bool same_fields(const struct gort_type *a, const struct gort_type *b)
{
    for (size_t i = 0; i < a->count; i++) {
        const struct gort_field *x = &a->fields[i], *y = &b->fields[i];
        if (x->offset != y->offset || !same_name(x->name, y->name)) return false;
        if (!same(x->type, y->type, false)) return false;
    }
    return true;
}

static bool same(const struct gort_type *a, const struct gort_type *b, bool deep)
{
    if (a == b) return true;
    if (a == NULL || b == NULL) return false;
    if (a->kind != b->kind || a->size != b->size || a->count != b->count) return false;
    switch (a->kind) {
    case GORT_KIND_NONE:
        return a->name != NULL && same_name(a->name, b->name);
    case GORT_KIND_STRUCT:
        return same_name(a->name, b->name) && (!deep || same_fields(a, b));
    case GORT_KIND_MAP:
        return same(a->key, b->key, false) && same(a->elem, b->elem, false);
    default:
        return same(a->elem, b->elem, false);
    }
}

bool gort_reflect_same(const struct gort_type *a, const struct gort_type *b)
{
    return same(a, b, true);
}

const struct gort_field *gort_reflect_field(const struct gort_type *t, const char *name)
{
    for (size_t i = 0; t->kind == GORT_KIND_STRUCT && i < t->count; i++)
        if (strcmp(t->fields[i].name, name) == 0) return &t->fields[i];
    return NULL;
}

/* ---- comparing ------------------------------------------------------------------------------- */

bool gort_reflect_comparable(const struct gort_type *t)
{
    switch (t->kind) {
    case GORT_KIND_NONE:
    case GORT_KIND_SLICE:
    case GORT_KIND_MAP:
        return false;
    case GORT_KIND_ARRAY:
        return gort_reflect_comparable(t->elem);
    case GORT_KIND_STRUCT:
        for (size_t i = 0; i < t->count; i++)
            if (!gort_reflect_comparable(t->fields[i].type)) return false;
        return true;
    default:
        return true;
    }
}

static void require_comparable(const struct gort_type *t, const char *what)
{
    char name[128];
    if (gort_reflect_comparable(t)) return;
    gort_panic("runtime error: %s type %s", what, gort_reflect_name(t, name, sizeof name));
}

size_t gort_map_hint_(const struct gort_type *key, size_t hint)
{
    require_comparable(key, "a map's keys are of uncomparable");
    return hint;
}

double reflect_float(const struct gort_type *t, const void *p)
{
    float f;
    double d;
    if (t->kind == GORT_KIND_FLOAT) {
        memcpy(&f, p, sizeof f);
        return (double)f;
    }
    memcpy(&d, p, sizeof d);
    return d;
}

static bool equal(const struct gort_type *t, const char *a, const char *b);

static bool equal_long_double(const void *a, const void *b)
{
    long double x, y;
    memcpy(&x, a, sizeof x);
    memcpy(&y, b, sizeof y);
    return x == y;
}

static bool equal_text(const struct gort_type *t, const void *a, const void *b)
{
    const char *c, *d;
    gort_string x, y;
    if (t->kind == GORT_KIND_STRING) {
        memcpy(&x, a, sizeof x);
        memcpy(&y, b, sizeof y);
        return gort_string_equal(x, y);
    }
    memcpy(&c, a, sizeof c);
    memcpy(&d, b, sizeof d);
    return map_same_cstring(c, d);
}

static bool equal_any(const void *a, const void *b)
{
    gort_any x, y;
    memcpy(&x, a, sizeof x);
    memcpy(&y, b, sizeof y);
    return gort_any_equal(x, y);
}

static bool equal_fields(const struct gort_type *t, const char *a, const char *b)
{
    for (size_t i = 0; i < t->count; i++) {
        size_t at = t->fields[i].offset;
        if (!equal(t->fields[i].type, a + at, b + at)) return false;
    }
    return true;
}

static bool equal_elements(const struct gort_type *t, const char *a, const char *b)
{
    for (size_t at = 0; at < t->size; at += t->elem->size)
        if (!equal(t->elem, a + at, b + at)) return false;
    return true;
}

static bool equal(const struct gort_type *t, const char *a, const char *b)
{
    switch (t->kind) {
    case GORT_KIND_FLOAT:
    case GORT_KIND_DOUBLE:
        return reflect_float(t, a) == reflect_float(t, b);
    case GORT_KIND_LONG_DOUBLE:
        return equal_long_double(a, b);
    case GORT_KIND_STRING:
    case GORT_KIND_CSTRING:
        return equal_text(t, a, b);
    case GORT_KIND_ANY:
        return equal_any(a, b);
    case GORT_KIND_STRUCT:
        return equal_fields(t, a, b);
    case GORT_KIND_ARRAY:
        return equal_elements(t, a, b);
    default:
        return memcmp(a, b, t->size) == 0;
    }
}

bool gort_value_equal(const struct gort_type *t, const void *a, const void *b)
{
    require_comparable(t, "comparing uncomparable");
    return equal(t, a, b);
}

/* ---- hashing --------------------------------------------------------------------------------- */

static uint64_t hash(const struct gort_type *t, const char *p, uint64_t seed);

static uint64_t hash_text(const struct gort_type *t, const void *p, uint64_t seed)
{
    const char *c;
    gort_string s;
    if (t->kind == GORT_KIND_STRING) {
        memcpy(&s, p, sizeof s);
        return hash_bytes(s.ptr, s.len, seed);
    }
    memcpy(&c, p, sizeof c);
    return map_hash_cstring(c, seed);
}

/* Equal ones are equal when rounded. */
static uint64_t hash_long_double(const void *p, uint64_t seed)
{
    long double x;
    memcpy(&x, p, sizeof x);
    return map_hash_float((double)x, seed);
}

static uint64_t hash_any(const void *p, uint64_t seed)
{
    gort_any x;
    memcpy(&x, p, sizeof x);
    return gort_any_hash(x, seed);
}

/* Each part's hash is the next one's seed, so that their order counts. */
static uint64_t hash_parts(const struct gort_type *t, const char *p, uint64_t seed)
{
    if (t->kind == GORT_KIND_ARRAY) {
        for (size_t at = 0; at < t->size; at += t->elem->size)
            seed = hash(t->elem, p + at, seed);
        return seed;
    }
    for (size_t i = 0; i < t->count; i++)
        seed = hash(t->fields[i].type, p + t->fields[i].offset, seed);
    return seed;
}

static uint64_t hash(const struct gort_type *t, const char *p, uint64_t seed)
{
    switch (t->kind) {
    case GORT_KIND_FLOAT:
    case GORT_KIND_DOUBLE:
        return map_hash_float(reflect_float(t, p), seed);
    case GORT_KIND_LONG_DOUBLE:
        return hash_long_double(p, seed);
    case GORT_KIND_STRING:
    case GORT_KIND_CSTRING:
        return hash_text(t, p, seed);
    case GORT_KIND_ANY:
        return hash_any(p, seed);
    case GORT_KIND_STRUCT:
    case GORT_KIND_ARRAY:
        return hash_parts(t, p, seed);
    default:
        return hash_bytes(p, t->size, seed);
    }
}

uint64_t gort_value_hash(const struct gort_type *t, const void *p, uint64_t seed)
{
    require_comparable(t, "hash of unhashable");
    return hash(t, p, seed);
}
