// The table of restartable ranges: lookup, order, registering twice, many threads, the real
// section.
//
// SPDX-License-Identifier: BSD-3-Clause
#include "base/ranges.h"

#include <pthread.h>

#include "expect_fatal.h"
#include "gort/inline.h"
#include "test.h"

void gort_store_pointer_slow(void **slot, void *value)
{
    *slot = value;
}

// Sections as a linker would lay them out, with made-up addresses near them.
enum { SECTION = 5000, RANGE_BYTES = 10, GAP = 16 };
static struct gort_range section[SECTION], third[1];
static char code[SECTION * GAP + 64];

static void range_set(struct gort_range *r, uintptr_t start, uintptr_t end)
{
    r->start = (int32_t)(start - (uintptr_t)&r->start);
    r->end = (int32_t)(end - (uintptr_t)&r->end);
}

static uintptr_t code_at(size_t offset)
{
    return (uintptr_t)code + offset;
}

static void check_range(uintptr_t start, uintptr_t end)
{
    CHECK_EQ(ranges_rollback(start - 1), start - 1);
    CHECK_EQ(ranges_rollback(start), start);
    for (uintptr_t pc = start + 1; pc < end; pc++)
        CHECK_EQ(ranges_rollback(pc), start);
    CHECK_EQ(ranges_rollback(end), end);
}

TEST(own_section_is_registered)
{
    void *slot = NULL;
    CHECK_EQ(ranges_library_count(), 1u); // by the constructor of gort/inline.h
    CHECK_GT(ranges_count(), 0u);
    gort_store_pointer(&slot, &slot);
    CHECK_PTR_EQ(slot, &slot);
    for (const struct gort_range *r = __start_gort_ranges; r < __stop_gort_ranges; r++)
        check_range((uintptr_t)&r->start + (uintptr_t)(intptr_t)r->start,
                    (uintptr_t)&r->end + (uintptr_t)(intptr_t)r->end);
}

TEST(unsorted_section)
{
    uint64_t state = test_seed();
    size_t place[SECTION];
    for (size_t i = 0; i < SECTION; i++)
        place[i] = i;
    for (size_t i = SECTION; i-- > 1;) { // shuffle
        size_t j = test_random(&state) % (i + 1), t = place[i];
        place[i] = place[j];
        place[j] = t;
    }
    for (size_t i = 0; i < SECTION; i++)
        range_set(&section[i], code_at(place[i] * GAP), code_at(place[i] * GAP + RANGE_BYTES));
    size_t before = ranges_count();
    gort_ranges_register(section, section + SECTION);
    CHECK_EQ(ranges_count(), before + SECTION);
    for (size_t i = 0; i < SECTION; i++)
        check_range(code_at(i * GAP), code_at(i * GAP + RANGE_BYTES));
    CHECK_EQ(ranges_rollback(0), 0u);
    CHECK_EQ(ranges_rollback(UINTPTR_MAX), UINTPTR_MAX);
}

TEST(registering_again_changes_nothing)
{
    size_t libraries = ranges_library_count(), n = ranges_count();
    gort_ranges_register(section, section + SECTION);
    gort_ranges_register(section, section); // empty
    CHECK_EQ(ranges_library_count(), libraries);
    CHECK_EQ(ranges_count(), n);
}

TEST(another_library_at_the_same_place_replaces)
{
    size_t libraries = ranges_library_count();
    range_set(&third[0], code_at(SECTION * GAP), code_at(SECTION * GAP + 8));
    gort_ranges_register(third, third + 1);
    check_range(code_at(SECTION * GAP), code_at(SECTION * GAP + 8));
    range_set(&third[0], code_at(SECTION * GAP + 20), code_at(SECTION * GAP + 30));
    gort_ranges_register(third, third + 1);
    CHECK_EQ(ranges_library_count(), libraries + 1);
    CHECK_EQ(ranges_rollback(code_at(SECTION * GAP + 1)), code_at(SECTION * GAP + 1));
    check_range(code_at(SECTION * GAP + 20), code_at(SECTION * GAP + 30));
}

// Every thread registers the same libraries in its own order, while one looks up.
enum { THREADS = 4, MANY = 200 };
static struct gort_range many[MANY];
static char many_code[MANY * GAP];

static void *register_all(void *arg)
{
    uint64_t state = test_seed() + (uintptr_t)arg;
    for (int i = 0; i < MANY * 4; i++) {
        size_t k = test_random(&state) % MANY;
        gort_ranges_register(&many[k], &many[k] + 1);
        uintptr_t start = (uintptr_t)many_code + k * GAP;
        CHECK_EQ(ranges_rollback(start + 3), start);
    }
    for (size_t k = 0; k < MANY; k++)
        gort_ranges_register(&many[k], &many[k] + 1);
    return NULL;
}

TEST(many_threads_register)
{
    pthread_t thread[THREADS];
    test_seed(); // before the threads ask for it
    size_t libraries = ranges_library_count();
    for (size_t k = 0; k < MANY; k++)
        range_set(&many[k], (uintptr_t)many_code + k * GAP, (uintptr_t)many_code + k * GAP + 8);
    for (uintptr_t i = 0; i < THREADS; i++)
        CHECK_EQ(pthread_create(&thread[i], NULL, register_all, (void *)i), 0);
    for (int i = 0; i < THREADS; i++)
        pthread_join(thread[i], NULL);
    CHECK_EQ(ranges_library_count(), libraries + MANY);
    for (size_t k = 0; k < MANY; k++)
        check_range((uintptr_t)many_code + k * GAP, (uintptr_t)many_code + k * GAP + 8);
}

static void register_too_many(void *arg)
{
    static struct gort_range too_many[RANGES_LIBRARIES + 1];
    (void)arg;
    for (size_t k = 0; k < RANGES_LIBRARIES + 1; k++) {
        range_set(&too_many[k], code_at(k * GAP), code_at(k * GAP + 8));
        gort_ranges_register(&too_many[k], &too_many[k] + 1);
    }
}

TEST(a_full_table_is_fatal)
{
    expect_fatal(register_too_many, NULL, "more than 256 libraries with restartable ranges");
}

int main(void)
{
    RUN(own_section_is_registered);
    RUN(a_full_table_is_fatal);
    RUN(unsorted_section);
    RUN(registering_again_changes_nothing);
    RUN(another_library_at_the_same_place_replaces);
    RUN(many_threads_register);
    return 0;
}
