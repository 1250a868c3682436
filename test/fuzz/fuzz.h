// Fuzzing: a target says what it does with some bytes; libFuzzer, on the main goroutine, makes them
// up. test/prog/fuzz_long.sh builds the targets and runs each for some seconds.
//
//     FUZZ(const uint8_t *data, size_t n) { ... }
//
// SPDX-License-Identifier: BSD-3-Clause
#ifndef GORT_TEST_FUZZ_H
#define GORT_TEST_FUZZ_H

#include <gort.h>

#include "../test.h"

// Of libFuzzer without its main.
extern int LLVMFuzzerRunDriver(int *argc, char ***argv, int (*fn)(const uint8_t *, size_t));

#define FUZZ(...)                                                                                  \
    static void fuzz_once(__VA_ARGS__);                                                            \
    static int fuzz_input(const uint8_t *data, size_t n)                                           \
    {                                                                                              \
        fuzz_once(data, n);                                                                        \
        return 0;                                                                                  \
    }                                                                                              \
    static int fuzz_main(int argc, char **argv)                                                    \
    {                                                                                              \
        return LLVMFuzzerRunDriver(&argc, &argv, fuzz_input);                                      \
    }                                                                                              \
    int main(int argc, char **argv)                                                                \
    {                                                                                              \
        return gort_run(fuzz_main, argc, argv);                                                    \
    }                                                                                              \
    static void fuzz_once(__VA_ARGS__)

// The input, taken from the front; zeros behind its end.
struct input {
    const uint8_t *data;
    size_t left;
};

static inline unsigned take(struct input *in)
{
    if (in->left == 0) return 0;
    in->left--;
    return *in->data++;
}

static inline uint64_t take64(struct input *in)
{
    uint64_t v = 0;
    for (int i = 0; i < 8; i++)
        v = v << 8 | take(in);
    return v;
}

#endif
