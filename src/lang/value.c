/* Values as text, by their descriptions.
 *
 * What is printed may be large, deep, or lead back to itself, so all is bounded: how much of a
 * text, how many elements, how deep, and how much in all (struct shown).  Pointers are followed
 * only at the top, as Go's %+v does; slices, maps and gort_any lead further and count as levels.
 * When the bytes are used up, every loop ends.
 *
 * Printing allocates nothing, so that reports can use it; then `flat`: what pointers lead to is not
 * read.
 *
 * Answers to: fmt's printValue.
 * SPDX-License-Identifier: BSD-3-Clause
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gort/any.h"
#include "gort/map.h"
#include "gort/net.h"
#include "lang/map.h"
#include "lang/reflect.h"

#define TEXT_SHOWN 256
#define ELEMENTS_SHOWN 64
#define LEVELS 8
#define BYTES_SHOWN (64 * KB)

struct shown {
    struct print *out;
    size_t left;    /* bytes that may still be printed */
    unsigned level; /* of values in one another */
    bool flat;
};

static void show(struct shown *s, const struct gort_type *t, const char *p);

/* ---- bytes ----------------------------------------------------------------------------------- */

static void put_bytes(struct shown *s, const char *text, size_t n)
{
    if (n > s->left) {
        if (s->left != 0) print_bytes(s->out, "...", 3);
        s->left = 0;
        return;
    }
    s->left -= n;
    print_bytes(s->out, text, n);
}

static void put(struct shown *s, const char *format, ...) printf_like(2, 3);
static void put(struct shown *s, const char *format, ...)
{
    char text[160];
    va_list ap;
    va_start(ap, format);
    size_t n = format_vinto(text, sizeof text, format, ap);
    va_end(ap);
    put_bytes(s, text, n < sizeof text ? n : sizeof text - 1);
}

/* ---- numbers --------------------------------------------------------------------------------- */

int64_t reflect_int(const struct gort_type *t, const void *p)
{
    uint64_t bits = 0;
    memcpy(&bits, p, t->size); /* the least byte is the first one */
    if (!reflect_is_signed(t)) return (int64_t)bits;
    unsigned unused = 64 - 8 * (unsigned)t->size;
    return (int64_t)(bits << unused) >> unused;
}

/* With as many digits as tell it from all others. */
static void put_float(struct shown *s, double x, int least, int most)
{
    char text[40];
    if (isnan(x) || isinf(x)) {
        put(s, "%s", isnan(x) ? "NaN" : x > 0 ? "+Inf" : "-Inf");
        return;
    }
    for (int digits = least; digits <= most; digits++) {
        (void)snprintf(text, sizeof text, "%.*g", digits, x);
        bool exact = most > 9 ? strtod(text, NULL) == x : strtof(text, NULL) == (float)x;
        if (exact) break;
    }
    put(s, "%s", text);
}

static void put_long_double(struct shown *s, const void *p)
{
    char text[64];
    long double x;
    memcpy(&x, p, sizeof x);
    (void)snprintf(text, sizeof text, "%Lg", x);
    put(s, "%s", text);
}

static void put_char(struct shown *s, unsigned char c, char quote)
{
    static const char *const named = "\nn\tt\rr\\\\";
    for (const char *n = named; *n != '\0'; n += 2)
        if (c == (unsigned char)n[0]) {
            put(s, "\\%c", n[1]);
            return;
        }
    if (c == (unsigned char)quote)
        put(s, "\\%c", quote);
    else if (c < 0x20 || c >= 0x7f)
        put(s, "\\x%02x", c);
    else
        put(s, "%c", c);
}

static void put_number(struct shown *s, const struct gort_type *t, const char *p)
{
    int64_t x = reflect_int(t, p);
    if (t->kind == GORT_KIND_BOOL) {
        put(s, "%s", x != 0 ? "true" : "false");
    } else if (t->kind == GORT_KIND_CHAR) {
        put(s, "'");
        put_char(s, (unsigned char)x, '\'');
        put(s, "'");
    } else if (reflect_is_signed(t)) {
        put(s, "%lld", (long long)x);
    } else {
        put(s, "%llu", (unsigned long long)x);
    }
}

/* ---- text ------------------------------------------------------------------------------------ */

/* Quoted; what is no UTF-8 as numbers.  all: bytes that there are; SIZE_MAX: more than are
 * shown. */
static void put_text(struct shown *s, const char *text, size_t n, size_t all)
{
    put(s, "\"");
    for (size_t i = 0; i < n && s->left != 0;) {
        int size;
        gort_rune r = gort_rune_decode(text + i, n - i, &size);
        if (r < 0x80 || (r == GORT_RUNE_ERROR && size == 1))
            put_char(s, (unsigned char)text[i], '"');
        else
            put_bytes(s, text + i, (size_t)size);
        i += (size_t)size;
    }
    put(s, "\"");
    if (all == SIZE_MAX)
        put(s, "...");
    else if (all > n)
        put(s, "...+%zu", all - n);
}

static void show_string(struct shown *s, const void *p)
{
    gort_string x;
    memcpy(&x, p, sizeof x);
    if (s->flat || (x.ptr == NULL && x.len != 0))
        put(s, "%p+%zu", (const void *)x.ptr, x.len);
    else
        put_text(s, x.ptr, x.len < TEXT_SHOWN ? x.len : TEXT_SHOWN, x.len);
}

static void show_address(struct shown *s, const void *p)
{
    const void *x;
    memcpy(&x, p, sizeof x);
    if (x == NULL)
        put(s, "NULL");
    else
        put(s, "%p", x);
}

static void show_cstring(struct shown *s, const void *p)
{
    const char *x;
    memcpy(&x, p, sizeof x);
    if (s->flat || x == NULL) {
        show_address(s, p);
        return;
    }
    size_t n = strnlen(x, TEXT_SHOWN + 1);
    put_text(s, x, n < TEXT_SHOWN ? n : TEXT_SHOWN, n <= TEXT_SHOWN ? n : SIZE_MAX);
}

/* An array of char: up to the zero byte behind which there are only such. */
static void show_chars(struct shown *s, const char *p, size_t n)
{
    while (n != 0 && p[n - 1] == '\0')
        n--;
    put_text(s, p, n < TEXT_SHOWN ? n : TEXT_SHOWN, n);
}

/* ---- what has parts -------------------------------------------------------------------------- */

static void show_elements(struct shown *s, const struct gort_type *elem, const char *p, size_t n)
{
    put(s, "[");
    for (size_t i = 0; i < n && i < ELEMENTS_SHOWN && s->left != 0; i++) {
        if (i != 0) put(s, " ");
        show(s, elem, p + i * elem->size);
    }
    if (n > ELEMENTS_SHOWN) put(s, " ...+%zu", n - ELEMENTS_SHOWN);
    put(s, "]");
}

static void show_array(struct shown *s, const struct gort_type *t, const char *p)
{
    if (t->elem->kind == GORT_KIND_CHAR)
        show_chars(s, p, t->count);
    else
        show_elements(s, t->elem, p, t->count);
}

static void show_slice(struct shown *s, const struct gort_type *t, const char *p)
{
    struct {
        const char *ptr;
        size_t len, cap;
    } x;
    memcpy(&x, p, sizeof x);
    if (s->flat || x.len > x.cap || (x.ptr == NULL && x.len != 0))
        put(s, "%p, len %zu, cap %zu", (const void *)x.ptr, x.len, x.cap);
    else
        show_elements(s, t->elem, x.ptr, x.len);
}

static void show_struct(struct shown *s, const struct gort_type *t, const char *p)
{
    put(s, "{");
    for (size_t i = 0; i < t->count && s->left != 0; i++) {
        put(s, "%s%.100s:", i != 0 ? " " : "", t->fields[i].name);
        show(s, t->fields[i].type, p + t->fields[i].offset);
    }
    put(s, "}");
}

static void show_any(struct shown *s, const void *p)
{
    gort_any x;
    memcpy(&x, p, sizeof x);
    if (x.type == NULL)
        put(s, "nil");
    else if (s->flat)
        put(s, "%.100s %p", x.type->name != NULL ? x.type->name : "?", x.data);
    else
        show(s, x.type, gort_any_address(&x));
}

/* ---- maps ------------------------------------------------------------------------------------ */

struct entry {
    const void *key, *value;
};

/* Is a before b?  Keys without an order are as they come. */
static bool is_before(const struct gort_type *t, const void *a, const void *b)
{
    gort_string x, y;
    const char *c, *d;
    if (reflect_is_int(t)) {
        int64_t i = reflect_int(t, a), j = reflect_int(t, b);
        return reflect_is_signed(t) ? i < j : (uint64_t)i < (uint64_t)j;
    }
    switch (t->kind) {
    case GORT_KIND_FLOAT:
    case GORT_KIND_DOUBLE:
        return reflect_float(t, a) < reflect_float(t, b);
    case GORT_KIND_STRING:
        memcpy(&x, a, sizeof x);
        memcpy(&y, b, sizeof y);
        return gort_string_compare(x, y) < 0;
    case GORT_KIND_CSTRING:
        memcpy(&c, a, sizeof c);
        memcpy(&d, b, sizeof d);
        return c == NULL ? d != NULL : d != NULL && strcmp(c, d) < 0;
    default:
        return false;
    }
}

/* Up to ELEMENTS_SHOWN of the map's entries, in order. */
static size_t collect(const struct gort_type *t, const struct gort_map *m, struct entry *entries)
{
    gort_map_iter it = GORT_MAP_ITER;
    size_t n = 0;
    struct entry e;
    while (n < ELEMENTS_SHOWN &&
           gort_map_next_(m, &it, map_layout(m)->shape, false, &e.key, &e.value)) {
        size_t i = n++;
        for (; i > 0 && is_before(t->key, e.key, entries[i - 1].key); i--)
            entries[i] = entries[i - 1];
        entries[i] = e;
    }
    return n;
}

static never_inline void show_entries(struct shown *s, const struct gort_type *t,
                                      const struct gort_map *m)
{
    struct entry entries[ELEMENTS_SHOWN];
    size_t n = m != NULL ? collect(t, m, entries) : 0, all = gort_map_len_(m);
    put(s, "map[");
    for (size_t i = 0; i < n && s->left != 0; i++) {
        if (i != 0) put(s, " ");
        show(s, t->key, entries[i].key);
        put(s, ":");
        show(s, t->elem, entries[i].value);
    }
    if (all > n) put(s, " ...+%zu", all - n);
    put(s, "]");
}

static void show_map(struct shown *s, const struct gort_type *t, const void *p)
{
    const struct gort_map *m;
    memcpy(&m, p, sizeof m);
    if (s->flat)
        show_address(s, p);
    else
        show_entries(s, t, m);
}

/* ---- all of them ----------------------------------------------------------------------------- */

static void show_of_parts(struct shown *s, const struct gort_type *t, const char *p)
{
    switch (t->kind) {
    case GORT_KIND_STRUCT:
        show_struct(s, t, p);
        break;
    case GORT_KIND_ARRAY:
        show_array(s, t, p);
        break;
    case GORT_KIND_SLICE:
        show_slice(s, t, p);
        break;
    case GORT_KIND_MAP:
        show_map(s, t, p);
        break;
    default:
        show_any(s, p);
        break;
    }
}

static void show_part(struct shown *s, const struct gort_type *t, const char *p)
{
    switch (t->kind) {
    case GORT_KIND_FLOAT:
        put_float(s, reflect_float(t, p), 6, 9);
        break;
    case GORT_KIND_DOUBLE:
        put_float(s, reflect_float(t, p), 6, 17);
        break;
    case GORT_KIND_LONG_DOUBLE:
        put_long_double(s, p);
        break;
    case GORT_KIND_STRING:
        show_string(s, p);
        break;
    case GORT_KIND_CSTRING:
        show_cstring(s, p);
        break;
    case GORT_KIND_POINTER:
    case GORT_KIND_FUNC:
    case GORT_KIND_CHAN:
        show_address(s, p);
        break;
    default:
        put(s, "(%zu bytes)", t->size);
        break;
    }
}

static void show(struct shown *s, const struct gort_type *t, const char *p)
{
    if (reflect_is_int(t)) {
        put_number(s, t, p);
    } else if (t->kind < GORT_KIND_MAP) {
        show_part(s, t, p);
    } else if (s->level == LEVELS) {
        put(s, "...");
    } else {
        s->level++;
        show_of_parts(s, t, p);
        s->level--;
    }
}

void value_print(struct print *out, const struct gort_type *t, const void *p, bool flat)
{
    struct shown s = { .out = out, .left = BYTES_SHOWN, .flat = flat };
    if (p == NULL) {
        put(&s, "NULL");
        return;
    }
    if (t->kind == GORT_KIND_POINTER && t->elem != NULL && !flat) {
        const char *at;
        memcpy(&at, p, sizeof at);
        if (at != NULL) {
            put(&s, "&");
            show(&s, t->elem, at);
            return;
        }
    }
    show(&s, t, p);
}

/* ---- where it goes --------------------------------------------------------------------------- */

static void add_to_builder(struct print *p, const char *text, size_t n)
{
    gort_builder_write(((struct builder_print *)p)->b, text, n);
}

void builder_print_init(struct builder_print *p, gort_builder *b)
{
    print_init_sink(&p->print, add_to_builder);
    p->b = b;
}

int builder_write_out(const gort_builder *b, int fd)
{
    return gort_write(fd, b->ptr, b->len) < 0 ? -1 : 0;
}

void gort_builder_value(gort_builder *b, const struct gort_type *t, const void *p)
{
    struct builder_print out;
    builder_print_init(&out, b);
    value_print(&out.print, t, p, false);
    print_flush(&out.print);
}

int gort_print_value(int fd, const struct gort_type *t, const void *p)
{
    gort_builder b = { NULL, 0, 0 };
    gort_builder_value(&b, t, p);
    return builder_write_out(&b, fd);
}
