// Strings: builders and formatting.
//
// SPDX-License-Identifier: BSD-3-Clause
#include "data.h"

// A thousand short strings and bytes into one builder.
static void measure_builder(void)
{
    int n = data_count(20000);
    gort_string word = gort_str("builder");
    int64_t cpu = data_cpu();
    for (int i = 0; i < n; i++) {
        gort_builder b = { 0 };
        for (int k = 0; k < 1000; k++) {
            gort_builder_add(&b, word);
            gort_builder_byte(&b, ' ');
        }
        data_sink += gort_builder_string(&b).len;
    }
    data_add("builder-add", (double)(data_cpu() - cpu) / n / 1000);
}

static void measure_builder_bytes(void)
{
    int n = data_count(20000);
    int64_t cpu = data_cpu();
    for (int i = 0; i < n; i++) {
        gort_builder b = { 0 };
        for (int k = 0; k < 1000; k++)
            gort_builder_byte(&b, (char)k);
        data_sink += gort_builder_string(&b).len;
    }
    data_add("builder-byte", (double)(data_cpu() - cpu) / n / 1000);
}

#define MEASURE_FORMAT(name, count, ...)                                                           \
    do {                                                                                           \
        int n = data_count(count);                                                                 \
        int64_t cpu = data_cpu();                                                                  \
        for (int i = 0; i < n; i++)                                                                \
            data_sink += gort_format(__VA_ARGS__).len;                                             \
        data_add(name, (double)(data_cpu() - cpu) / n);                                            \
    } while (0)

static void measure_formats(void)
{
    MEASURE_FORMAT("format-int", 5000000, "%d", i);
    MEASURE_FORMAT("format-mixed", 3000000, "%s: %d of %5d, %x", "record", i, 100000, i);
    MEASURE_FORMAT("format-fixed", 3000000, "%.2f", i * 0.37);
    MEASURE_FORMAT("format-general", 1000000, "%g", i * 0.37);
}

static void measure_builder_format(void)
{
    int n = data_count(3000);
    int64_t cpu = data_cpu();
    for (int i = 0; i < n; i++) {
        gort_builder b = { 0 };
        for (int k = 0; k < 1000; k++)
            gort_builder_format(&b, "%d=%s\n", k, "value");
        data_sink += gort_builder_string(&b).len;
    }
    data_add("builder-format", (double)(data_cpu() - cpu) / n / 1000);
}

static void measure_split(void)
{
    int n = data_count(20000);
    gort_string s = gort_string_repeat(gort_str("some words "), 100);
    int64_t cpu = data_cpu();
    for (int i = 0; i < n; i++)
        data_sink += gort_string_split(s, gort_str(" ")).len;
    data_add("split-200", (double)(data_cpu() - cpu) / n / 200);
}

static void measure_search(void)
{
    int n = data_count(20000);
    gort_string s = gort_string_concat(gort_string_repeat(gort_str("haystack and hay "), 1000),
                                       gort_str("needle"));
    int64_t cpu = data_cpu();
    for (int i = 0; i < n; i++)
        data_sink += (uint64_t)gort_string_index(s, gort_str("needle"));
    data_add("index-17k", (double)(data_cpu() - cpu) / n / 1000);
}

void measure_text(void)
{
    measure_builder();
    measure_builder_bytes();
    measure_formats();
    measure_builder_format();
    measure_split();
    measure_search();
}
