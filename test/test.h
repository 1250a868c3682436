// The tests' harness: checks that print where they failed and abort.
//
// A test is a program whose exit code 0 means success; 77 means "skipped here". A failing check
// aborts and never jumps: it may stand on a goroutine's stack, in a signal handler's shadow, or on
// a thread that the runtime made. It prints through write(2) from a buffer on the stack, so it
// needs neither malloc nor stdio's locks.
//
//     TEST(pops_in_order)
//     {
//         CHECK(list_is_empty(&l));
//         CHECK_EQ(list_length(&l), 0);
//     }
//
//     int main(void)
//     {
//         RUN(pops_in_order);
//         return 0;
//     }
//
// Environment: TEST_SEED fixes test_random's sequence (a failure prints the seed that it had);
// TEST_SCALE is a percentage that test_count applies to repetitions.
//
// SPDX-License-Identifier: BSD-3-Clause
#ifndef GORT_TEST_H
#define GORT_TEST_H

#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define TEST_SKIPPED 77
#define TEST_COLD_ __attribute__((noreturn, noinline, cold, unused)) static

// Built with a sanitizer that keeps memory of its own, and reserves address space by the terabyte.
#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer) || __has_feature(address_sanitizer)
#define SANITIZED 1
#endif
#endif
#ifndef SANITIZED
#define SANITIZED 0
#endif

// Checks compare whatever integers they are given.
#pragma GCC diagnostic ignored "-Wsign-compare"

// The test that runs, and the seed in use: written before threads start, read by failing checks.
static const char *test_current = "main";
static uint64_t test_seed_used;

static inline void test_print(const char *text)
{
    size_t left = strlen(text);
    while (left > 0) {
        ssize_t n = write(2, text, left);
        if (n <= 0) return;
        text += n;
        left -= (size_t)n;
    }
}

TEST_COLD_ void test_fail(const char *file, int line, const char *expression, const char *values)
{
    char text[1024];
    snprintf(text, sizeof text, "%s:%d: in %s: failed: %s%s%s (TEST_SEED=%" PRIu64 ")\n", file,
             line, test_current, expression, values ? "; " : "", values ? values : "",
             test_seed_used);
    test_print(text);
    abort();
}

TEST_COLD_ void test_fail_int(const char *file, int line, const char *expression, intmax_t a,
                              intmax_t b)
{
    char values[128];
    snprintf(values, sizeof values,
             "%" PRIdMAX " and %" PRIdMAX " (0x%" PRIxMAX ", 0x%" PRIxMAX ")", a, b, (uintmax_t)a,
             (uintmax_t)b);
    test_fail(file, line, expression, values);
}

TEST_COLD_ void test_fail_str(const char *file, int line, const char *expression, const char *a,
                              const char *b)
{
    char values[640];
    snprintf(values, sizeof values, "\"%.300s\" and \"%.300s\"", a ? a : "(null)",
             b ? b : "(null)");
    test_fail(file, line, expression, values);
}

#define CHECK(condition)                                                                           \
    do {                                                                                           \
        if (!(condition)) test_fail(__FILE__, __LINE__, #condition, NULL);                         \
    } while (0)

// Compares two integers (or, by CHECK_PTR_EQ, pointers) and prints both.
#define CHECK_OP_(a, op, b)                                                                        \
    do {                                                                                           \
        __typeof__(a) test_a_ = (a);                                                               \
        __typeof__(b) test_b_ = (b);                                                               \
        if (!(test_a_ op test_b_))                                                                 \
            test_fail_int(__FILE__, __LINE__, #a " " #op " " #b, (intmax_t)test_a_,                \
                          (intmax_t)test_b_);                                                      \
    } while (0)

#define CHECK_EQ(a, b) CHECK_OP_(a, ==, b)
#define CHECK_NE(a, b) CHECK_OP_(a, !=, b)
#define CHECK_LT(a, b) CHECK_OP_(a, <, b)
#define CHECK_LE(a, b) CHECK_OP_(a, <=, b)
#define CHECK_GT(a, b) CHECK_OP_(a, >, b)
#define CHECK_GE(a, b) CHECK_OP_(a, >=, b)
#define CHECK_PTR_EQ(a, b) CHECK_OP_((uintptr_t)(a), ==, (uintptr_t)(b))
#define CHECK_PTR_NE(a, b) CHECK_OP_((uintptr_t)(a), !=, (uintptr_t)(b))

#define CHECK_STR_EQ(a, b)                                                                         \
    do {                                                                                           \
        const char *test_a_ = (a);                                                                 \
        const char *test_b_ = (b);                                                                 \
        if (!test_a_ || !test_b_ || strcmp(test_a_, test_b_) != 0)                                 \
            test_fail_str(__FILE__, __LINE__, #a " equals " #b, test_a_, test_b_);                 \
    } while (0)

// The text contains the part.
#define CHECK_STR_HAS(text, part)                                                                  \
    do {                                                                                           \
        const char *test_a_ = (text);                                                              \
        const char *test_b_ = (part);                                                              \
        if (!test_a_ || !test_b_ || !strstr(test_a_, test_b_))                                     \
            test_fail_str(__FILE__, __LINE__, #text " contains " #part, test_a_, test_b_);         \
    } while (0)

#define TEST(name) static void name(void)
#define RUN(name) (test_current = #name, name())

// Ends the test as skipped; the reason is for the log.
#define SKIP(reason)                                                                               \
    do {                                                                                           \
        test_print("skipped: " reason "\n");                                                       \
        _exit(TEST_SKIPPED);                                                                       \
    } while (0)

// Under an emulator, which has no signal SIGRTMAX, tells of no threads but the runtime's, and
// delivers signals between pieces of code.
static inline bool test_is_emulated(void)
{
    return getenv("GORT_TEST_EMULATED") != NULL; // tools/run_arm64
}

// Where a test knows an order from what is outside gort's promises, on one P or by waiting for it:
// ThreadSanitizer is told, who otherwise reports what such a test looks at. TEST_ORDERED: those who
// pass here do so one after the other. TEST_SAW_ALL: all that others have done so far came before.
#if defined(__SANITIZE_THREAD__)
#define TEST_TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define TEST_TSAN 1
#endif
#endif
#ifndef TEST_TSAN
#define TEST_TSAN 0
#endif
#if TEST_TSAN
#ifdef __cplusplus
extern "C" {
#endif
extern void __tsan_acquire(void *p);
extern void __tsan_release(void *p);
extern void __tsan_java_finalize(void);
#ifdef __cplusplus
}
#endif
#define TEST_ORDERED(x) (__tsan_acquire(x), __tsan_release(x))
#define TEST_SAW_ALL() __tsan_java_finalize()
#else
#define TEST_ORDERED(x) ((void)(x))
#define TEST_SAW_ALL() ((void)0)
#endif

static inline int64_t test_now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

// The seed of this run: TEST_SEED, or the time.
static inline uint64_t test_seed(void)
{
    uint64_t seed = __atomic_load_n(&test_seed_used, __ATOMIC_RELAXED);
    if (seed != 0) return seed;
    const char *text = getenv("TEST_SEED");
    uint64_t made = text ? strtoull(text, NULL, 0) : (uint64_t)test_now_ns() | 1;
    bool first = __atomic_compare_exchange_n(&test_seed_used, &seed, made, false, __ATOMIC_RELAXED,
                                             __ATOMIC_RELAXED);
    return first ? made : seed;
}

// A random sequence in *state; start it with test_seed() + some number. Not for threads to share.
static inline uint64_t test_random(uint64_t *state)
{
    uint64_t z = (*state += UINT64_C(0x9e3779b97f4a7c15));
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

// How often to repeat what a release build would repeat n times: fewer under a sanitizer, with
// heavy assertions, or in a slow mode (TEST_SCALE, percent). At least once.
static inline int64_t test_count(int64_t n)
{
    int64_t percent = 100;
    const char *text = getenv("TEST_SCALE");
    if (text) percent = strtoll(text, NULL, 10);
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    percent = (percent + 3) / 4;
#endif
#if defined(GORT_ASSERT_LEVEL) && GORT_ASSERT_LEVEL >= 2
    percent = (percent + 3) / 4;
#endif
    n = n * percent / 100;
    return n > 0 ? n : 1;
}

#endif
