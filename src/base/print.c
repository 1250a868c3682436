/* Printing without allocation, locks or stdio.
 *
 * A conversion is parsed into a struct spec, turned into text (sign or prefix, zeros, digits) and
 * put out with its padding.  Bytes go to a sink: a printer that writes to a descriptor when it is
 * full, or a buffer of fixed size that counts what did not fit.
 *
 * Why not snprintf: it may take a locale lock, allocate for floating point, and use more stack than
 * a signal stack has.
 *
 * %f is exact for up to 18 digits and values below 2^64: the fraction of a double is scaled to a
 * 64-bit fixed-point number without loss (or with a sticky bit), multiplied by a power of ten in
 * 128 bits and rounded to nearest, ties to even, as C libraries do.  Larger values keep their
 * magnitude and their first 19 digits.
 *
 * Answers to: print.go.
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "base/print.h"
#include "base/race.h"

#include <errno.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

/* ---- sinks -------------------------------------------------------------------------------- */

struct sink {
    struct print *p; /* NULL: into buf */
    char *buf;
    size_t size;  /* of buf */
    size_t total; /* bytes wanted so far */
};

/* Everything, or until an error other than an interruption; errno stays.  syscall and not write:
 * no cancellation point, no interceptor. */
static void write_all(int fd, const char *s, size_t n)
{
    int saved = errno;
    while (n > 0) {
        long done = syscall(SYS_write, fd, s, n);
        if (done < 0 && errno == EINTR) continue;
        if (done <= 0) break;
        s += done;
        n -= (size_t)done;
    }
    errno = saved;
}

void print_init(struct print *p, int fd)
{
    p->fd = fd;
    p->sink = NULL;
    p->len = 0;
}

void print_init_sink(struct print *p, void (*sink)(struct print *p, const char *s, size_t n))
{
    p->fd = -1;
    p->sink = sink;
    p->len = 0;
}

void print_flush(struct print *p)
{
    if (p->sink != NULL)
        p->sink(p, p->buf, p->len);
    else
        write_all(p->fd, p->buf, p->len);
    p->len = 0;
}

void print_bytes(struct print *p, const char *s, size_t n)
{
    while (n > 0) {
        if (p->len == sizeof(p->buf)) print_flush(p);
        size_t room = sizeof(p->buf) - p->len;
        size_t part = n < room ? n : room;
        race_hide();
        memcpy(p->buf + p->len, s, part);
        race_show();
        p->len += part;
        s += part;
        n -= part;
    }
}

static void sink_bytes(struct sink *o, const char *s, size_t n)
{
    if (o->p != NULL) {
        print_bytes(o->p, s, n);
    } else if (o->total < o->size) {
        size_t room = o->size - o->total;
        race_hide();
        memcpy(o->buf + o->total, s, n < room ? n : room);
        race_show();
    }
    o->total += n;
}

static void sink_repeat(struct sink *o, char c, long n)
{
    for (; n > 0; n--)
        sink_bytes(o, &c, 1);
}

/* ---- one conversion ----------------------------------------------------------------------- */

enum size_modifier { SIZE_INT, SIZE_CHAR, SIZE_SHORT, SIZE_LONG };

struct spec {
    bool left, zero, plus, space, alternate;
    int width;
    int precision; /* < 0: none given */
    enum size_modifier size;
    char conversion;
};

#define DIGITS_MAX 24 /* of a 64-bit number in any base used here */
#define FRACTION_MAX 18
#define WIDTH_MAX 4096 /* a width beyond it is an error of the caller: bounded output */

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* Reads a number or '*'. */
static const char *parse_number(const char *f, int *out, va_list *ap)
{
    if (*f == '*') {
        *out = va_arg(*ap, int);
        return f + 1;
    }
    int n = 0;
    for (; is_digit(*f); f++)
        if (n <= WIDTH_MAX) n = n * 10 + (*f - '0');
    *out = n;
    return f;
}

static const char *parse_flags(const char *f, struct spec *s)
{
    for (;; f++) {
        switch (*f) {
        case '-':
            s->left = true;
            break;
        case '0':
            s->zero = true;
            break;
        case '+':
            s->plus = true;
            break;
        case ' ':
            s->space = true;
            break;
        case '#':
            s->alternate = true;
            break;
        default:
            return f;
        }
    }
}

static const char *parse_size(const char *f, struct spec *s)
{
    for (;; f++) {
        if (*f == 'h')
            s->size = s->size == SIZE_SHORT ? SIZE_CHAR : SIZE_SHORT;
        else if (*f == 'l' || *f == 'z' || *f == 'j' || *f == 't')
            s->size = SIZE_LONG; /* all of them are 64 bits */
        else
            return f;
    }
}

/* f stands behind the '%'; returns what stands behind the conversion's letter. */
static const char *parse_spec(const char *f, struct spec *s, va_list *ap)
{
    *s = (struct spec){ .precision = -1, .size = SIZE_INT };
    f = parse_flags(f, s);
    f = parse_number(f, &s->width, ap);
    if (s->width < 0) {
        s->left = true;
        s->width = s->width < -WIDTH_MAX ? WIDTH_MAX : -s->width;
    }
    if (*f == '.') f = parse_number(f + 1, &s->precision, ap);
    if (s->width > WIDTH_MAX) s->width = WIDTH_MAX;
    if (s->precision > WIDTH_MAX && *f != 's') s->precision = WIDTH_MAX;
    f = parse_size(f, s);
    s->conversion = *f;
    return *f == '\0' ? f : f + 1;
}

/* prefix, zeros and body, padded to the width. */
static void put_padded(struct sink *o, const struct spec *s, const char *prefix, long zeros,
                       const char *body, size_t n)
{
    long plen = (long)strlen(prefix);
    long blanks = s->width - plen - zeros - (long)n;
    if (!s->left) sink_repeat(o, ' ', blanks);
    sink_bytes(o, prefix, (size_t)plen);
    sink_repeat(o, '0', zeros);
    sink_bytes(o, body, n);
    if (s->left) sink_repeat(o, ' ', blanks);
}

/* Zeros that the 0 flag wants in front of n bytes of body behind a prefix. */
static long zero_fill(const struct spec *s, const char *prefix, size_t n)
{
    if (!s->zero || s->left) return 0;
    long zeros = s->width - (long)strlen(prefix) - (long)n;
    return zeros > 0 ? zeros : 0;
}

/* Writes v backwards, ending before end; returns the first digit.  0 becomes "0". */
static char *digits_of(uint64_t v, unsigned base, const char *alphabet, char *end)
{
    do {
        *--end = alphabet[v % base];
        v /= base;
    } while (v != 0);
    return end;
}

static void put_number(struct sink *o, const struct spec *s, const char *prefix, uint64_t v,
                       unsigned base)
{
    char buf[DIGITS_MAX];
    char *end = buf + sizeof(buf);
    const char *alphabet = s->conversion == 'X' ? "0123456789ABCDEF" : "0123456789abcdef";
    char *first = v == 0 && s->precision == 0 ? end : digits_of(v, base, alphabet, end);
    size_t n = (size_t)(end - first);
    long zeros = s->precision >= 0 ? s->precision - (long)n : zero_fill(s, prefix, n);
    put_padded(o, s, prefix, zeros > 0 ? zeros : 0, first, n);
}

static const char *sign_of(const struct spec *s, bool negative)
{
    return negative ? "-" : s->plus ? "+" : s->space ? " " : "";
}

static void put_signed(struct sink *o, const struct spec *s, va_list *ap)
{
    int64_t v = s->size == SIZE_LONG ? va_arg(*ap, int64_t) : va_arg(*ap, int);
    if (s->size == SIZE_CHAR)
        v = (signed char)v;
    else if (s->size == SIZE_SHORT)
        v = (short)v;
    put_number(o, s, sign_of(s, v < 0), v < 0 ? 0 - (uint64_t)v : (uint64_t)v, 10);
}

static void put_unsigned(struct sink *o, const struct spec *s, va_list *ap)
{
    uint64_t v = s->size == SIZE_LONG ? va_arg(*ap, uint64_t) : va_arg(*ap, unsigned);
    if (s->size == SIZE_CHAR)
        v = (unsigned char)v;
    else if (s->size == SIZE_SHORT)
        v = (unsigned short)v;
    bool hex = s->conversion != 'u';
    const char *prefix = !hex || !s->alternate || v == 0 ? "" : s->conversion == 'X' ? "0X" : "0x";
    put_number(o, s, prefix, v, hex ? 16 : 10);
}

static void put_string(struct sink *o, const struct spec *s, const char *str)
{
    if (str == NULL) str = "(null)";
    size_t n = s->precision >= 0 ? strnlen(str, (size_t)s->precision) : strlen(str);
    put_padded(o, s, "", 0, str, n);
}

/* ---- fixed-point numbers ------------------------------------------------------------------ */

static uint64_t power_of_ten(int n)
{
    uint64_t p = 1;
    while (n-- > 0)
        p *= 10;
    return p;
}

/* v = *whole + 0.fraction, rounded to `precision` digits, for 0 <= v < 2^64. */
static uint64_t split_fixed(double v, int precision, uint64_t *whole)
{
    *whole = (uint64_t)v;
    double scaled = (v - (double)*whole) * 0x1p64; /* both exact: see the head of the file */
    uint64_t bits = (uint64_t)scaled;
    bool sticky = (double)bits != scaled;
    unsigned __int128 product = (unsigned __int128)bits * power_of_ten(precision);
    uint64_t digits = (uint64_t)(product >> 64), rest = (uint64_t)product;
    uint64_t half = UINT64_C(1) << 63;
    bool odd = ((precision > 0 ? digits : *whole) & 1) != 0;

    if (rest > half || (rest == half && (sticky || odd))) digits++;
    if (digits == power_of_ten(precision)) {
        digits = 0;
        ++*whole;
    }
    return digits;
}

/* The text of v with `precision` decimals, ending before end. */
static char *fixed_text(double v, int precision, char *end)
{
    int tens = 0; /* trailing zeros of the whole part */
    for (; v >= 0x1p64; v /= 10)
        tens++;
    uint64_t whole, fraction = split_fixed(v, tens > 0 ? 0 : precision, &whole);
    if (precision > 0) {
        char *first = end - precision;
        char *digit = tens > 0 ? end : digits_of(fraction, 10, "0123456789", end);
        memset(first, '0', (size_t)(digit > first ? digit - first : 0));
        end = first;
        *--end = '.';
    }
    end -= tens;
    memset(end, '0', (size_t)tens);
    return digits_of(whole, 10, "0123456789", end);
}

static void put_fixed(struct sink *o, const struct spec *s, double v)
{
    char buf[DIGITS_MAX + FRACTION_MAX + 300]; /* 1e308 has 309 digits */
    char *end = buf + sizeof(buf);
    bool negative = __builtin_signbit(v) != 0;
    const char *prefix = sign_of(s, negative);
    if (__builtin_isnan(v) || __builtin_isinf(v)) {
        put_padded(o, s, prefix, 0, __builtin_isnan(v) ? "nan" : "inf", 3);
        return;
    }
    int precision = s->precision < 0 ? 6 : s->precision;
    char *first =
        fixed_text(negative ? -v : v, precision < FRACTION_MAX ? precision : FRACTION_MAX, end);
    size_t n = (size_t)(end - first);
    put_padded(o, s, prefix, zero_fill(s, prefix, n), first, n);
}

/* ---- formats ------------------------------------------------------------------------------ */

/* text: the conversion as written, from its '%', n bytes. */
static void put_conversion(struct sink *o, const struct spec *s, va_list *ap, const char *text,
                           size_t n)
{
    char c;
    struct spec pointer = *s;
    switch (s->conversion) {
    case 'd':
    case 'i':
        put_signed(o, s, ap);
        break;
    case 'u':
    case 'x':
    case 'X':
        put_unsigned(o, s, ap);
        break;
    case 'p':
        pointer.conversion = 'x';
        put_number(o, &pointer, "0x", (uintptr_t)va_arg(*ap, void *), 16);
        break;
    case 's':
        put_string(o, s, va_arg(*ap, const char *));
        break;
    case 'c':
        c = (char)va_arg(*ap, int);
        put_padded(o, s, "", 0, &c, 1);
        break;
    case 'f':
        put_fixed(o, s, va_arg(*ap, double));
        break;
    case '%':
        sink_bytes(o, "%", 1);
        break;
    default:
        sink_bytes(o, text, n);
    }
}

static void sink_vfmt(struct sink *o, const char *fmt, va_list *ap)
{
    struct spec s;
    for (;;) {
        const char *percent = strchrnul(fmt, '%');
        sink_bytes(o, fmt, (size_t)(percent - fmt));
        if (*percent == '\0') return;
        fmt = parse_spec(percent + 1, &s, ap);
        put_conversion(o, &s, ap, percent, (size_t)(fmt - percent));
    }
}

/* A va_list that is a parameter is an array on some machines, whose address has another type;
 * a copy is one everywhere. */
static void sink_run(struct sink *o, const char *fmt, va_list ap)
{
    va_list copy;
    va_copy(copy, ap);
    sink_vfmt(o, fmt, &copy);
    va_end(copy);
}

void print_vfmt(struct print *p, const char *fmt, va_list ap)
{
    struct sink o = { .p = p };
    sink_run(&o, fmt, ap);
}

void print_fmt(struct print *p, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    print_vfmt(p, fmt, ap);
    va_end(ap);
}

void print_err(const char *fmt, ...)
{
    struct print p;
    va_list ap;
    print_init(&p, STDERR_FILENO);
    va_start(ap, fmt);
    print_vfmt(&p, fmt, ap);
    va_end(ap);
    print_flush(&p);
}

size_t format_vinto(char *buf, size_t n, const char *fmt, va_list ap)
{
    struct sink o = { .buf = buf, .size = n > 0 ? n - 1 : 0 };
    sink_run(&o, fmt, ap);
    if (n > 0) buf[o.total < n ? o.total : n - 1] = '\0';
    return o.total;
}

size_t format_into(char *buf, size_t n, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    size_t total = format_vinto(buf, n, fmt, ap);
    va_end(ap);
    return total;
}
