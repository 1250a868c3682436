// Conversions made from any bytes, against the C library's.
//
// SPDX-License-Identifier: BSD-3-Clause
#include "fuzz.h"

#pragma GCC diagnostic ignored "-Wformat-nonliteral"

// % flags width .precision, each maybe.
static size_t make_spec(struct input *in, char *spec)
{
    static const char flags[] = "-+ #0";
    size_t n = 0;
    unsigned which = take(in), width = take(in), precision = take(in);
    spec[n++] = '[';
    spec[n++] = '%';
    for (unsigned i = 0; i < 5; i++)
        if ((which >> i & 1) != 0) spec[n++] = flags[i];
    if (width % 2 != 0) n += (size_t)sprintf(spec + n, "%u", width / 2);
    if (precision % 2 != 0) n += (size_t)sprintf(spec + n, ".%u", precision / 2 % 40);
    return n;
}

#define COMPARE(value)                                                                             \
    do {                                                                                           \
        int want_n = snprintf(want, sizeof want, spec, value);                                     \
        gort_string got = gort_format(spec, value);                                                \
        CHECK_STR_EQ(gort_string_to_c(got), want);                                                 \
        CHECK_EQ(got.len, want_n);                                                                 \
    } while (0)

static void compare(const char *spec, struct input *in, char conversion)
{
    static char want[4096];
    uint64_t v = take64(in);
    double d;
    memcpy(&d, &v, sizeof d);
    switch (conversion) {
    case 'f':
    case 'e':
    case 'E':
    case 'g':
    case 'G':
        COMPARE(d);
        break;
    case 's':
        COMPARE(v % 3 == 0 ? "" : v % 3 == 1 ? "text" : "a rather long text");
        break;
    case 'c':
        COMPARE((int)(v % 127 + 1));
        break;
    default:
        COMPARE((long)(v >> v % 64));
        break;
    }
}

FUZZ(const uint8_t *data, size_t n)
{
    static const char conversions[] = "dxXouifgscgeGE";
    struct input in = { data, n };
    char spec[64];
    while (in.left != 0) {
        size_t k = make_spec(&in, spec);
        char c = conversions[take(&in) % (sizeof conversions - 1)];
        if (strchr("feEgGsc", c) == NULL) spec[k++] = 'l';
        spec[k++] = c;
        spec[k++] = ']';
        spec[k] = '\0';
        compare(spec, &in, c);
    }
}
