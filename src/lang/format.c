/* Formatting, as by printf, into strings and builders.
 *
 * The C library's vsnprintf has to be called twice when a string is to be as long as needed, and
 * reads the format and locks what it does not need each time.  So the common conversions are made
 * here: whole numbers, characters, strings, pointers, and %f, %e and %g where exact arithmetic in
 * 128 bits has the answer; they give what the C library gives.  All else (%a, long doubles, wide
 * characters, grouping) is given to it, one conversion at a time, and a format with numbered
 * arguments (%1$d) as a whole.
 *
 * Note [Exact %f].  A double is m * 2^e, m below 2^53.  For e <= 0 and at most 9 decimals m *
 * 10^decimals is below 2^83, so the digits are that number shifted right by -e, and what is shifted
 * out says, compared with a half, how to round: to nearest, ties to even, as the C library does
 * unless the program set another rounding mode, which is not asked for here.
 *
 * Answers to: fmt.Sprintf, Fprintf, in C's own language of formats.
 * SPDX-License-Identifier: BSD-3-Clause
 */
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <wchar.h>

#include "gort/panic.h"
#include "lang/float_text.h"
#include "lang/text.h"

struct args {
    va_list list;
};

/* One conversion: % flags width .precision length conversion. */
struct spec {
    char flags[8]; /* as written, each once */
    bool minus, plus, space, alternate, zero, grouped;
    bool wide;            /* l before c or s */
    int width, precision; /* precision -1: none */
    unsigned bytes;       /* of a whole number */
    bool long_double;
    char conversion;
};

/* ---- reading a conversion -------------------------------------------------------------------- */

static bool *flag_of(struct spec *s, char c)
{
    switch (c) {
    case '-':
        return &s->minus;
    case '+':
        return &s->plus;
    case ' ':
        return &s->space;
    case '#':
        return &s->alternate;
    case '0':
        return &s->zero;
    case '\'':
        return &s->grouped;
    default:
        return NULL;
    }
}

static const char *read_flags(const char *f, struct spec *s)
{
    size_t n = 0;
    for (bool *flag; (flag = flag_of(s, *f)) != NULL; f++) {
        if (!*flag) s->flags[n++] = *f;
        *flag = true;
    }
    return f;
}

/* A number or a star; *n stays when there is neither. */
static const char *read_number(const char *f, int *n, struct args *args)
{
    if (*f == '*') {
        *n = va_arg(args->list, int);
        return f + 1;
    }
    if (*f < '0' || *f > '9') return f;
    for (*n = 0; *f >= '0' && *f <= '9'; f++)
        if (__builtin_mul_overflow(*n, 10, n) || __builtin_add_overflow(*n, *f - '0', n))
            gort_panic("gort_format: a width that overflows");
    return f;
}

static const char *read_length(const char *f, struct spec *s)
{
    s->bytes = sizeof(int);
    switch (*f) {
    case 'h':
        s->bytes = f[1] == 'h' ? 1 : 2;
        return f + (f[1] == 'h' ? 2 : 1);
    case 'l':
        s->bytes = 8;
        s->wide = true;
        return f + (f[1] == 'l' ? 2 : 1);
    case 'q':
    case 'j':
    case 'z':
    case 'Z':
    case 't':
        s->bytes = 8;
        return f + 1;
    case 'L':
        s->bytes = 8;
        s->long_double = true;
        return f + 1;
    default:
        return f;
    }
}
_Static_assert(sizeof(long) == 8 && sizeof(intmax_t) == 8 && sizeof(ptrdiff_t) == 8, "lengths");

/* Behind the conversion; NULL: an argument is numbered. */
static const char *read_spec(const char *f, struct spec *s, struct args *args)
{
    *s = (struct spec){ .precision = -1 };
    f = read_flags(f, s);
    f = read_number(f, &s->width, args);
    if (*f == '$') return NULL;
    if (s->width < 0) { /* a star's: as with the flag */
        if (!s->minus) s->flags[strlen(s->flags)] = '-';
        s->minus = true;
        s->width = s->width == INT_MIN ? INT_MAX : -s->width;
    }
    if (*f == '.') {
        s->precision = 0;
        f = read_number(f + 1, &s->precision, args);
        if (s->precision < 0) s->precision = -1;
    }
    f = read_length(f, s);
    s->conversion = *f;
    return *f != '\0' ? f + 1 : f;
}

/* ---- writing --------------------------------------------------------------------------------- */

static void fill(gort_builder *b, char c, size_t n)
{
    gort_builder_grow(b, n);
    memset(b->ptr + b->len, c, n);
    b->len += n;
}

static size_t missing(int width, size_t n)
{
    return (size_t)width > n ? (size_t)width - n : 0;
}

static void put_text(gort_builder *b, const struct spec *s, const char *text, size_t n)
{
    size_t pad = missing(s->width, n);
    if (pad != 0 && !s->minus) fill(b, ' ', pad);
    gort_builder_write(b, text, n);
    if (pad != 0 && s->minus) fill(b, ' ', pad);
}

/* The parts of a number, and where zeros or spaces go. */
static void put_parts(gort_builder *b, const struct spec *s, const char *prefix, const char *digits,
                      size_t n, bool zeros)
{
    size_t head = strlen(prefix);
    size_t least = s->precision > 0 && s->conversion != 'f' ? missing(s->precision, n) : 0;
    size_t pad = missing(s->width, head + least + n);
    if (zeros && !s->minus) least += pad, pad = 0;
    if (pad != 0 && !s->minus) fill(b, ' ', pad);
    gort_builder_write(b, prefix, head);
    if (least != 0) fill(b, '0', least);
    gort_builder_write(b, digits, n);
    if (pad != 0 && s->minus) fill(b, ' ', pad);
}

/* ---- whole numbers --------------------------------------------------------------------------- */

#define DIGITS 66

static const char pairs[] =
    "00010203040506070809101112131415161718192021222324252627282930313233343536"
    "37383940414243444546474849505152535455565758596061626364656667686970717273"
    "74757677787980818283848586878889909192939495969798"
    "99";
_Static_assert(sizeof pairs == 201, "a hundred pairs");

/* Before `end`, backwards; returns where they begin. */
static inline char *decimal(uint64_t v, char *end)
{
    for (; v >= 100; v /= 100)
        memcpy(end -= 2, pairs + v % 100 * 2, 2);
    if (v < 10) {
        *--end = (char)('0' + v);
        return end;
    }
    return memcpy(end - 2, pairs + v * 2, 2);
}

static char *by_bits(uint64_t v, char *end, unsigned bits, bool upper)
{
    const char *digits = upper ? "0123456789ABCDEF" : "0123456789abcdef";
    do
        *--end = digits[v & ((1u << bits) - 1)];
    while ((v >>= bits) != 0);
    return end;
}

static const char *sign_of(const struct spec *s, bool negative)
{
    return negative ? "-" : s->plus ? "+" : s->space ? " " : "";
}

static void put_unsigned(gort_builder *b, const struct spec *s, uint64_t v)
{
    char buffer[DIGITS], *end = buffer + sizeof buffer, *digits;
    const char *prefix = "";
    bool zeros = s->zero && s->precision < 0, alternate = s->alternate && v != 0;
    switch (s->conversion) {
    case 'x':
    case 'p':
        digits = by_bits(v, end, 4, false);
        if (alternate) prefix = "0x";
        break;
    case 'X':
        digits = by_bits(v, end, 4, true);
        if (alternate) prefix = "0X";
        break;
    case 'o':
        digits = by_bits(v, end, 3, false);
        if (alternate && end - digits >= s->precision) *--digits = '0';
        break;
    default:
        digits = decimal(v, end);
    }
    if (v == 0 && s->precision == 0 && !(s->conversion == 'o' && s->alternate)) digits = end;
    put_parts(b, s, prefix, digits, (size_t)(end - digits), zeros);
}

static void put_signed(gort_builder *b, const struct spec *s, int64_t v)
{
    char buffer[DIGITS], *end = buffer + sizeof buffer;
    char *digits = decimal(v < 0 ? 0 - (uint64_t)v : (uint64_t)v, end);
    if (v == 0 && s->precision == 0) digits = end;
    put_parts(b, s, sign_of(s, v < 0), digits, (size_t)(end - digits), s->zero && s->precision < 0);
}

static int64_t signed_arg(const struct spec *s, struct args *args)
{
    if (s->bytes == 8) return va_arg(args->list, int64_t);
    int v = va_arg(args->list, int);
    return s->bytes == 1 ? (int8_t)v : s->bytes == 2 ? (int16_t)v : v;
}

static uint64_t unsigned_arg(const struct spec *s, struct args *args)
{
    if (s->bytes == 8) return va_arg(args->list, uint64_t);
    unsigned v = va_arg(args->list, unsigned);
    return s->bytes == 1 ? (uint8_t)v : s->bytes == 2 ? (uint16_t)v : v;
}

/* ---- %f -------------------------------------------------------------------------------------- */

#define DECIMALS_MAX 9

static const uint32_t powers[DECIMALS_MAX + 1] = {
    1, 10, 100, 1000, 10000, 100000, 1000000, 10000000, 100000000, 1000000000
};

/* v * 10^decimals, v >= 0, rounded: Note [Exact %f].  false: not here. */
static bool scaled(double v, unsigned decimals, uint64_t *out)
{
    uint64_t bits;
    memcpy(&bits, &v, sizeof bits);
    int exponent = (int)(bits >> 52 & 0x7ff);
    uint64_t m = (bits & ((UINT64_C(1) << 52) - 1)) | (exponent != 0 ? UINT64_C(1) << 52 : 0);
    int right = 1075 - (exponent != 0 ? exponent : 1);
    if (right < 0 || exponent == 0x7ff) return false;
    __extension__ unsigned __int128 product = (unsigned __int128)m * powers[decimals], whole, half;
    if (right > 100) { /* below any half */
        *out = 0;
        return true;
    }
    whole = product >> right;
    if (whole >> 63 != 0) return false;
    product -= whole << right;
    half = right != 0 ? (unsigned __int128)1 << (right - 1) : 1;
    *out =
        (uint64_t)whole + (product > half || (product == half && right != 0 && (whole & 1) != 0));
    return true;
}

static bool put_fixed(gort_builder *b, const struct spec *s, double v)
{
    char buffer[DIGITS], *end = buffer + sizeof buffer, *digits;
    unsigned decimals = s->precision < 0 ? 6 : (unsigned)s->precision;
    uint64_t n;
    bool negative = __builtin_signbit(v) != 0;
    if (decimals > DECIMALS_MAX || !scaled(negative ? -v : v, decimals, &n)) return false;
    digits = decimal(n / powers[decimals], end - decimals - (decimals != 0 || s->alternate));
    if (decimals != 0 || s->alternate) end[-1 - (int)decimals] = '.';
    uint64_t rest = n % powers[decimals];
    for (unsigned i = 1; i <= decimals; i++, rest /= 10)
        end[-(int)i] = (char)('0' + rest % 10);
    put_parts(b, s, sign_of(s, negative), digits, (size_t)(end - digits), s->zero);
    return true;
}

/* ---- %e and %g ------------------------------------------------------------------------------- */

static bool put_digits(gort_builder *b, const struct spec *s, double v)
{
    char text[FLOAT_TEXT_ROOM];
    bool negative = __builtin_signbit(v) != 0,
         general = s->conversion == 'g' || s->conversion == 'G';
    struct float_form form = { .general = general, .alternate = s->alternate };
    form.upper = s->conversion == 'E' || s->conversion == 'G';
    form.digits = s->precision < 0 ? 6 : s->precision;
    if (form.digits > FLOAT_DIGITS_MAX) return false;
    if (!general || form.digits == 0) form.digits++;
    size_t n = float_text(text, negative ? -v : v, &form);
    if (n == 0) return false;
    struct spec whole = *s;
    whole.precision = -1;
    put_parts(b, &whole, sign_of(s, negative), text, n, s->zero);
    return true;
}

/* ---- what the C library does ----------------------------------------------------------------- */

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
/* call: an snprintf into `room` bytes at `at`. */
#define PUT_BY_LIBRARY(b, call)                                                                    \
    do {                                                                                           \
        for (size_t room = (b)->cap - (b)->len;; room = (b)->cap - (b)->len) {                     \
            char *at = (b)->ptr + (b)->len;                                                        \
            int n = call;                                                                          \
            if (n < 0) gort_panic("gort_format: an argument that can not be converted");           \
            if ((size_t)n < room) {                                                                \
                (b)->len += (size_t)n;                                                             \
                break;                                                                             \
            }                                                                                      \
            gort_builder_grow((b), (size_t)n + 1);                                                 \
        }                                                                                          \
    } while (0)

static void put_double_by_library(gort_builder *b, const struct spec *s, double v)
{
    char format[24];
    gort_builder_grow(b, 32);
    snprintf(format, sizeof format, "%%%s*.*%c", s->flags, s->conversion);
    PUT_BY_LIBRARY(b, snprintf(at, room, format, s->width, s->precision, v));
}

static void put_by_library(gort_builder *b, const struct spec *s, struct args *args)
{
    char format[24];
    const char *length = s->long_double ? "L" : s->wide ? "l" : "";
    gort_builder_grow(b, 32);
    snprintf(format, sizeof format, "%%%s*.*%s%c", s->flags, length, s->conversion);
    switch (s->conversion) {
    case 'c': {
        wint_t v = va_arg(args->list, wint_t);
        PUT_BY_LIBRARY(b, snprintf(at, room, format, s->width, s->precision, v));
        return;
    }
    case 's': {
        const wchar_t *v = va_arg(args->list, const wchar_t *);
        PUT_BY_LIBRARY(b, snprintf(at, room, format, s->width, s->precision, v));
        return;
    }
    case 'm':
        PUT_BY_LIBRARY(b, snprintf(at, room, format, s->width, s->precision));
        return;
    default:
        break;
    }
    if (s->long_double) {
        long double v = va_arg(args->list, long double);
        PUT_BY_LIBRARY(b, snprintf(at, room, format, s->width, s->precision, v));
    } else {
        put_double_by_library(b, s, va_arg(args->list, double));
    }
}

static void put_grouped(gort_builder *b, const struct spec *s, struct args *args)
{
    char format[24];
    bool is_signed = s->conversion == 'd' || s->conversion == 'i';
    long v = is_signed ? signed_arg(s, args) : (long)unsigned_arg(s, args);
    gort_builder_grow(b, 32);
    snprintf(format, sizeof format, "%%%s*.*l%c", s->flags, s->conversion);
    PUT_BY_LIBRARY(b, snprintf(at, room, format, s->width, s->precision, v));
}

static void put_all_by_library(gort_builder *b, const char *format, va_list args)
{
    PUT_BY_LIBRARY(b, ({
                       va_list again;
                       va_copy(again, args);
                       int m = vsnprintf(at, room, format, again);
                       va_end(again);
                       m;
                   }));
}
#pragma GCC diagnostic pop

/* ---- conversions ----------------------------------------------------------------------------- */

static void put_string(gort_builder *b, const struct spec *s, const char *text)
{
    size_t most = s->precision < 0 ? SIZE_MAX : (size_t)s->precision;
    if (text == NULL) text = most >= 6 ? "(null)" : ""; /* as the C library has it */
    put_text(b, s, text, most == SIZE_MAX ? strlen(text) : strnlen(text, most));
}

static void put_pointer(gort_builder *b, struct spec *s, uintptr_t v)
{
    s->alternate = true;
    s->precision = -1;
    if (v == 0)
        put_text(b, s, "(nil)", 5);
    else
        put_unsigned(b, s, v);
}

static bool put_float_here(gort_builder *b, const struct spec *s, double v)
{
    struct spec fixed = *s;
    switch (s->conversion) {
    case 'f':
    case 'F':
        fixed.conversion = 'f';
        return put_fixed(b, &fixed, v);
    case 'e':
    case 'E':
    case 'g':
    case 'G':
        return put_digits(b, s, v);
    default:
        return false;
    }
}

static void put_float(gort_builder *b, const struct spec *s, struct args *args)
{
    if (s->long_double || s->grouped) {
        put_by_library(b, s, args);
        return;
    }
    double v = va_arg(args->list, double);
    if (!put_float_here(b, s, v)) put_double_by_library(b, s, v);
}

static void convert(gort_builder *b, struct spec *s, struct args *args)
{
    char c;
    switch (s->conversion) {
    case 'd':
    case 'i':
        if (s->grouped)
            put_grouped(b, s, args);
        else
            put_signed(b, s, signed_arg(s, args));
        return;
    case 'u':
        if (s->grouped)
            put_grouped(b, s, args);
        else
            put_unsigned(b, s, unsigned_arg(s, args));
        return;
    case 'o':
    case 'x':
    case 'X':
        put_unsigned(b, s, unsigned_arg(s, args));
        return;
    case 'c':
        if (s->wide) break;
        c = (char)va_arg(args->list, int);
        put_text(b, s, &c, 1);
        return;
    case 's':
        if (s->wide) break;
        put_string(b, s, va_arg(args->list, const char *));
        return;
    case 'p':
        put_pointer(b, s, (uintptr_t)va_arg(args->list, void *));
        return;
    case '%':
        gort_builder_byte(b, '%');
        return;
    case 'e':
    case 'E':
    case 'f':
    case 'F':
    case 'g':
    case 'G':
    case 'a':
    case 'A':
        put_float(b, s, args);
        return;
    case 'm':
        break;
    case 'n':
        gort_panic("gort_format: %%n writes to memory");
    case '\0':
        gort_panic("gort_format: the format ends with %%");
    default:
        gort_panic("gort_format: no conversion %%%c", s->conversion);
    }
    put_by_library(b, s, args);
}

void gort_builder_format_list(gort_builder *b, const char *format, va_list list)
{
    struct args args;
    size_t begin = b->len;
    va_copy(args.list, list);
    for (const char *f = format;;) {
        const char *end = strchrnul(f, '%');
        gort_builder_write(b, f, (size_t)(end - f));
        if (*end == '\0') break;
        struct spec s;
        f = read_spec(end + 1, &s, &args);
        if (f == NULL) {
            b->len = begin;
            put_all_by_library(b, format, list);
            break;
        }
        convert(b, &s, &args);
    }
    va_end(args.list);
}

void gort_builder_format(gort_builder *b, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    gort_builder_format_list(b, format, args);
    va_end(args);
}

/* A short string is made on the stack first, so that it gets as much memory as it needs. */
gort_string gort_format_list(const char *format, va_list args)
{
    char room[256];
    gort_builder b = { room, 0, sizeof room };
    gort_builder_format_list(&b, format, args);
    return b.ptr == room ? gort_string_make(room, b.len) : gort_builder_string(&b);
}

gort_string gort_format(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    gort_string s = gort_format_list(format, args);
    va_end(args);
    return s;
}
