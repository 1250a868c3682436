// The queue of grey objects: nothing is lost or doubled, alone and among threads.
// SPDX-License-Identifier: BSD-3-Clause
#include "gc/work.h"

#include <pthread.h>

#include "../../test.h"
#include "heap/heap.h"

TEST(last_in_first_out)
{
    struct gcwork w = { 0 };
    CHECK(work_is_empty(&w));
    CHECK_EQ(work_get(&w), 0);
    for (uintptr_t i = 1; i <= 10; i++)
        CHECK(work_put(&w, i * 8));
    for (uintptr_t i = 10; i >= 1; i--)
        CHECK_EQ(work_get(&w), i * 8);
    CHECK_EQ(work_get(&w), 0);
    work_dispose(&w);
    CHECK(w.first == NULL && w.second == NULL);
}

TEST(overflow_goes_to_the_global_list)
{
    enum { N = WORKBUF_ENTRIES * 7 + 3 };
    struct gcwork w = { 0 }, v = { 0 };
    uint64_t total = 0;
    for (uintptr_t i = 1; i <= N; i++)
        CHECK(work_put(&w, i));
    CHECK(!work_global_is_empty());
    work_dispose(&w);
    int buffers = 0;
    while (work_get_global(&v)) {
        buffers++;
        for (uintptr_t x; (x = work_get(&v)) != 0;)
            total += x;
    }
    CHECK_EQ(total, (uint64_t)N * (N + 1) / 2);
    CHECK_EQ(buffers, 8);
    work_dispose(&v);
}

// Others have all the empty buffers, and there is no memory.
TEST(a_full_buffer_can_be_had_without_an_empty_one)
{
    static struct lfnode *taken[10000];
    struct gcwork w = { 0 }, v = { 0 };
    uint32_t n = 0;
    for (uintptr_t i = 1; i <= 7; i++)
        CHECK(work_put(&w, i));
    work_dispose(&w);
    while (n < 10000 && (taken[n] = lfstack_pop(&work_pool.empty)) != NULL)
        n++;
    work_pool.fail_after = 0;
    CHECK(work_get_global(&v));
    CHECK_EQ(work_get(&v), 7);
    CHECK(work_put(&v, 77));
    for (uintptr_t i = 7; i < WORKBUF_ENTRIES; i++)
        CHECK(work_put(&v, i));
    CHECK(!work_put(&v, 1)); // the only buffer is full
    work_balance(&v);
    CHECK(work_global_is_empty());
    lfstack_push(&work_pool.empty, taken[--n]);
    CHECK(work_put(&v, 1));
    CHECK_EQ(work_get(&v), 1);
    CHECK_EQ(work_get(&v), WORKBUF_ENTRIES - 1);
    uint32_t left = 0;
    while (work_get(&v) != 0)
        left++;
    CHECK_EQ(left, WORKBUF_ENTRIES - 1);
    work_dispose(&v);
    while (n > 0)
        lfstack_push(&work_pool.empty, taken[--n]);
    work_pool.fail_after = UINT64_MAX;
}

TEST(balance_gives_about_half)
{
    struct gcwork w = { 0 }, v = { 0 };
    for (uintptr_t i = 1; i <= 100; i++)
        CHECK(work_put(&w, i));
    work_balance(&w);
    CHECK(work_get_global(&v));
    CHECK_EQ(v.first->n, 50);
    CHECK_EQ(w.first->n, 50);
    CHECK_EQ(work_get(&w), 100); // the younger half stays
    CHECK_EQ(work_get(&v), 50);
    while (work_get(&w) != 0 || work_get(&v) != 0)
        continue;
    for (uintptr_t i = 1; i <= 3; i++)
        CHECK(work_put(&w, i));
    work_balance(&w); // not worth it
    CHECK(work_global_is_empty());
    while (work_get(&w) != 0)
        continue;
    work_dispose(&w);
    work_dispose(&v);
}

TEST(without_memory_a_put_fails_and_changes_nothing)
{
    struct gcwork w = { 0 };
    enum { SPANS = 3, BUFFERS = SPANS * WORK_SPAN_BYTES / WORKBUF_BYTES };
    work_begin_stw();
    work_end_stw(); // no buffer is left from the tests before
    work_pool.fail_after = SPANS;
    uintptr_t n = 0;
    while (work_put(&w, n + 1))
        n++;
    CHECK_EQ(n, BUFFERS * WORKBUF_ENTRIES);
    CHECK(!work_put(&w, 1));
    work_pool.fail_after = UINT64_MAX;
    uint64_t total = 0;
    struct gcwork v = { 0 };
    work_dispose(&w);
    while (work_get_global(&v))
        for (uintptr_t x; (x = work_get(&v)) != 0;)
            total += x;
    CHECK_EQ(total, n * (n + 1) / 2);
    work_dispose(&v);
}

static void use_buffers(uint32_t n)
{
    struct gcwork w = { 0 };
    for (uintptr_t i = 1; i <= n * WORKBUF_ENTRIES; i++)
        CHECK(work_put(&w, i));
    work_dispose(&w);
    uint64_t total = 0, count = n * WORKBUF_ENTRIES;
    while (work_get_global(&w))
        for (uintptr_t x; (x = work_get(&w)) != 0;)
            total += x;
    CHECK_EQ(total, count * (count + 1) / 2);
    work_dispose(&w);
}

enum { PER_SPAN = WORK_SPAN_BYTES / WORKBUF_BYTES, RESERVE = WORK_RESERVE_SPANS * WORK_SPAN_BYTES };

static void return_all(void)
{
    while (work_return_some())
        continue;
    CHECK_EQ(work_pool.bytes, RESERVE);
}

// Note [Whose buffers]: what is returned are whole spans that nobody uses, a batch at a time, but
// for the reserve; and the pages are free then.
TEST(memory_goes_back_in_batches)
{
    enum { SPANS = 3 * WORK_RETURN_BATCH };
    struct heap_stats before, after;
    work_begin_stw();
    work_end_stw();
    return_all();
    heap_read_stats(&before);
    uint64_t returned = work_pool.returned;
    work_begin_stw();
    use_buffers(SPANS * PER_SPAN);
    CHECK_GE(work_pool.bytes, SPANS * WORK_SPAN_BYTES);
    uint64_t peak = work_pool.bytes, most = peak;
    CHECK(!work_return_some()); // marking is on
    CHECK_EQ(work_pool.bytes, most);
    work_end_stw();
    CHECK(lfstack_empty(&work_pool.empty)); // else a buffer would be used that is gone
    CHECK(work_return_some());
    CHECK_EQ(work_pool.bytes, most - WORK_RETURN_BATCH * WORK_SPAN_BYTES);
    work_begin_stw(); // a cycle begins before all is returned: it uses what is there
    CHECK(!work_return_some());
    most = work_pool.bytes;
    use_buffers((uint32_t)(most / WORK_SPAN_BYTES) * PER_SPAN - 2);
    CHECK_EQ(work_pool.bytes, most);
    work_end_stw();
    return_all();
    heap_read_stats(&after);
    CHECK_EQ(after.manual, before.manual);
    CHECK_EQ(work_pool.returned - returned, peak - RESERVE);
}

// The reserve serves without the page heap.
TEST(a_reserve_stays)
{
    work_begin_stw();
    work_end_stw();
    return_all();
    work_begin_stw();
    use_buffers(WORK_RESERVE_SPANS * PER_SPAN - 2);
    CHECK_EQ(work_pool.bytes, RESERVE);
    work_end_stw();
    return_all();
}

// What several threads return at once is returned once.
static void *give_back(void *unused)
{
    while (work_return_some())
        continue;
    return unused;
}

TEST(several_may_return)
{
    for (int64_t i = 0; i < test_count(100); i++) {
        pthread_t t[2];
        work_begin_stw();
        use_buffers(20 * PER_SPAN);
        work_end_stw();
        for (int k = 0; k < 2; k++)
            CHECK_EQ(pthread_create(&t[k], NULL, give_back, NULL), 0);
        for (int k = 0; k < 2; k++)
            pthread_join(t[k], NULL);
        CHECK_EQ(work_pool.bytes, RESERVE);
    }
}

// Every thread puts its numbers and takes whatever it finds.
enum { THREADS = 4 };
static uint64_t taken, put; // atomic

static void *exchange(void *arg)
{
    struct gcwork w = { 0 };
    uint64_t rnd = test_seed() + (uintptr_t)arg, sum_put = 0, sum_taken = 0;
    for (int64_t i = 0; i < test_count(300000); i++) {
        uint64_t r = test_random(&rnd);
        if (r % 100 < 55) {
            uintptr_t x = (r >> 8) | 1;
            x &= 0xffffffff;
            CHECK(work_put(&w, x));
            sum_put += x;
        } else {
            uintptr_t x = work_get(&w);
            if (x == 0 && work_get_global(&w)) x = work_get(&w);
            sum_taken += x;
        }
        if (r % 1000 == 999) work_balance(&w);
    }
    work_dispose(&w);
    atomic_fetch_add_relaxed(&put, sum_put);
    atomic_fetch_add_relaxed(&taken, sum_taken);
    return NULL;
}

TEST(threads_lose_and_double_nothing)
{
    pthread_t t[THREADS];
    for (uintptr_t i = 0; i < THREADS; i++)
        CHECK_EQ(pthread_create(&t[i], NULL, exchange, (void *)i), 0);
    for (int i = 0; i < THREADS; i++)
        pthread_join(t[i], NULL);
    struct gcwork w = { 0 };
    while (work_get_global(&w))
        for (uintptr_t x; (x = work_get(&w)) != 0;)
            taken += x;
    CHECK_EQ(put, taken);
    work_dispose(&w);
}

int main(void)
{
    CHECK(heap_init(NULL));
    CHECK(work_init());
    RUN(last_in_first_out);
    RUN(overflow_goes_to_the_global_list);
    RUN(a_full_buffer_can_be_had_without_an_empty_one);
    RUN(balance_gives_about_half);
    RUN(without_memory_a_put_fails_and_changes_nothing);
    RUN(memory_goes_back_in_batches);
    RUN(a_reserve_stays);
    RUN(several_may_return);
    RUN(threads_lose_and_double_nothing);
    return 0;
}
