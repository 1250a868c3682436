// Formats against the C library's, sinks, and errno.
//
// SPDX-License-Identifier: BSD-3-Clause
#include "base/print.h"

#include <errno.h>
#include <float.h>
#include <limits.h>
#include <math.h>

#include "test.h"

#define SAME(...)                                                                                  \
    do {                                                                                           \
        char ours_[1200], theirs_[1200];                                                           \
        size_t n_ = format_into(ours_, sizeof ours_, __VA_ARGS__);                                 \
        int m_ = snprintf(theirs_, sizeof theirs_, __VA_ARGS__);                                   \
        CHECK_STR_EQ(ours_, theirs_);                                                              \
        CHECK_EQ((long)n_, (long)m_);                                                              \
    } while (0)

// format_into without the compiler's look at the arguments.
static size_t unchecked(char *buf, size_t n, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    size_t wanted = format_vinto(buf, n, fmt, ap);
    va_end(ap);
    return wanted;
}

TEST(strings)
{
    SAME("plain");
    SAME("100%% of %s", "it");
    SAME("[%10s][%-10s][%.2s][%10.3s][%-6.1s]", "abc", "abc", "abc", "abcdef", "xyz");
    SAME("[%*s][%-*s][%.*s]", 7, "abc", 7, "abc", 2, "abc");
    SAME("[%*s]", -7, "abc");
    SAME("%c%c[%3c][%-3c]", 'a', 'b', 'c', 'd');
}

TEST(integers)
{
    static const long values[] = {
        0, 1, -1, 9, 10, 99, 12345, INT_MAX, INT_MIN, LONG_MAX, LONG_MIN
    };
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        long v = values[i];
        SAME("%ld %lu %lx %lX %#lx", v, (unsigned long)v, (unsigned long)v, (unsigned long)v,
             (unsigned long)v);
        SAME("%d %u %x", (int)v, (unsigned)v, (unsigned)v);
        SAME("%lld %llu %zu %zx %jd", (long long)v, (unsigned long long)v, (size_t)v, (size_t)v,
             (intmax_t)v);
        SAME("[%20ld][%-20ld][%020ld][%+ld][% ld]", v, v, v, v, v);
        SAME("[%5d][%-5d][%05d][%.5d][%8.5d][%-8.3dx]", (int)v, (int)v, (int)v, (int)v, (int)v,
             (int)v);
        SAME("%hhd %hd %hhu %hx", (signed char)v, (short)v, (unsigned char)v, (unsigned short)v);
        SAME("%#010x|%08lx|%#18lx", (unsigned)v, (unsigned long)v, (unsigned long)v);
    }
    SAME("[%.0d][%5.0d]", 0, 0);
    SAME("%i", 42);
}

TEST(pointers)
{
    char text[64];
    SAME("%p %p", (void *)0x1234, (void *)&text);
    SAME("[%20p][%-20p]", (void *)0x1234, (void *)0x1234);
    format_into(text, sizeof text, "%p", (void *)NULL);
    CHECK_STR_EQ(text, "0x0");
    unchecked(text, sizeof text, "%s", (char *)NULL);
    CHECK_STR_EQ(text, "(null)");
}

TEST(fixed_point)
{
    static const double values[] = { 0.0,    -0.0,    0.5,      1.5,      2.5,    -2.5,
                                     0.125,  0.15,    0.25,     99.995,   999.99, 1e-9,
                                     1e-300, 123.456, 1048576., 4.35,     1e15,   9007199254740993.,
                                     1e18,   -1e-7,   0.999999, 0.9999999 };
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        double v = values[i];
        SAME("%f %.0f %.1f %.2f %.3f %.9f %.15f", v, v, v, v, v, v, v);
        SAME("[%12.2f][%-12.2f][%012.2f][%+.1f]", v, v, v, v);
    }
    SAME("%f %f %f", INFINITY, -INFINITY, NAN);
}

TEST(fixed_point_random)
{
    uint64_t state = test_seed();
    for (int64_t i = test_count(200000); i > 0; i--) {
        double v = (double)(int64_t)test_random(&state) / (double)(UINT64_C(1) << (i % 64));
        int precision = (int)(i % 10);
        SAME("%.*f", precision, v);
    }
}

TEST(huge_numbers_keep_their_magnitude)
{
    char text[400];
    format_into(text, sizeof text, "%.2f", DBL_MAX);
    CHECK_EQ(strlen(text), 309 + 3);
    CHECK(strncmp(text, "17976931348623", 14) == 0);
    CHECK_STR_EQ(text + 309, ".00");
    format_into(text, sizeof text, "%.1f", 0x1p64);
    CHECK_EQ(strlen(text), 22);
}

TEST(unknown_conversions_print_themselves)
{
    char text[64];
    unchecked(text, sizeof text, "a %q b %5y %");
    CHECK_STR_EQ(text, "a %q b %5y %");
}

TEST(buffers_are_terminated_and_never_overrun)
{
    char text[8];
    for (size_t n = 0; n <= sizeof text; n++) {
        memset(text, '#', sizeof text);
        CHECK_EQ(format_into(text, n, "%s-%d", "abc", 1234), 8);
        if (n > 0) CHECK_EQ(strlen(text), n - 1);
        for (size_t i = n; i < sizeof text; i++)
            CHECK_EQ(text[i], '#');
    }
}

// A printer's output, read back from a pipe.
static size_t through_pipe(char *out, size_t room, void (*fn)(struct print *))
{
    int ends[2];
    struct print p;
    size_t n = 0;
    ssize_t got;
    CHECK_EQ(pipe(ends), 0);
    print_init(&p, ends[1]);
    errno = 1234;
    fn(&p);
    print_flush(&p);
    CHECK_EQ(errno, 1234);
    close(ends[1]);
    while ((got = read(ends[0], out + n, room - n)) > 0)
        n += (size_t)got;
    close(ends[0]);
    return n;
}

static void print_much(struct print *p)
{
    for (int i = 0; i < 1000; i++)
        print_fmt(p, "%04d,", i);
}

TEST(printer_flushes_when_full)
{
    char text[6000], one[16];
    size_t n = through_pipe(text, sizeof text, print_much);
    CHECK_EQ(n, 5000);
    for (int i = 0; i < 1000; i++) {
        snprintf(one, sizeof one, "%04d,", i);
        CHECK(memcmp(text + 5 * i, one, 5) == 0);
    }
}

TEST(errors_of_the_descriptor_are_ignored)
{
    struct print p;
    print_init(&p, -1);
    errno = 77;
    print_much(&p);
    print_flush(&p);
    CHECK_EQ(errno, 77);
}

int main(void)
{
    RUN(strings);
    RUN(integers);
    RUN(pointers);
    RUN(fixed_point);
    RUN(fixed_point_random);
    RUN(huge_numbers_keep_their_magnitude);
    RUN(unknown_conversions_print_themselves);
    RUN(buffers_are_terminated_and_never_overrun);
    RUN(printer_flushes_when_full);
    RUN(errors_of_the_descriptor_are_ignored);
    return 0;
}
