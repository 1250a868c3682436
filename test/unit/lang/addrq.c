// Queues keyed by address, against a plain list: order, removal, validity, depth.
//
// SPDX-License-Identifier: BSD-3-Clause
#include <sys/mman.h>

#include "../../test.h"
#include "lang/addrq.h"

enum { RECORDS = 400 };

static struct addr_bucket bucket;
static struct g someone;
static struct sudog records[RECORDS];
static char places[64];

// The model: the queue of all addresses in one list, in order.
static struct sudog *model[RECORDS];
static int model_n;

static void model_insert(struct sudog *s, bool front)
{
    if (front) memmove(model + 1, model, (size_t)model_n * sizeof model[0]);
    model[front ? 0 : model_n] = s;
    model_n++;
}

static struct sudog *model_take(int i)
{
    struct sudog *s = model[i];
    memmove(model + i, model + i + 1, (size_t)(--model_n - i) * sizeof model[0]);
    return s;
}

static int model_find(const void *addr)
{
    for (int i = 0; i < model_n; i++)
        if (model[i]->object == addr) return i;
    return -1;
}

static void check_valid(void)
{
    uint32_t n;
    CHECK(addrq_is_valid(&bucket, &n));
    CHECK_EQ(n, model_n);
}

static struct sudog *free_record(void)
{
    for (int i = 0; i < RECORDS; i++)
        if (records[i].g == NULL) return &records[i];
    return NULL;
}

static void put(const void *addr, bool front)
{
    struct sudog *s = free_record();
    if (s == NULL) return;
    s->g = &someone;
    s->object = (void *)(uintptr_t)addr;
    if (front)
        addrq_push_front(&bucket, s);
    else
        addrq_push(&bucket, s);
    model_insert(s, front);
}

static void check_taken(struct sudog *s, int expected)
{
    if (expected < 0) {
        CHECK(s == NULL);
        return;
    }
    CHECK_PTR_EQ(s, model_take(expected));
    CHECK(s->next == NULL && s->prev == NULL && s->elem == NULL);
    s->g = NULL;
}

static void take_first(const void *addr)
{
    CHECK_EQ(addrq_has(&bucket, addr), model_find(addr) >= 0);
    check_taken(addrq_pop(&bucket, addr), model_find(addr));
}

static void take_one(int i)
{
    struct sudog *s = model[i];
    CHECK(addrq_remove(&bucket, s));
    check_taken(s, i);
    CHECK(!addrq_remove(&bucket, s));
}

static void take_all(const void *addr)
{
    struct sudog *s = addrq_take_all(&bucket, addr), *next;
    for (; s != NULL; s = next) {
        next = s->next;
        s->next = NULL;
        check_taken(s, model_find(addr));
    }
    CHECK_EQ(model_find(addr), -1);
}

TEST(like_the_model)
{
    uint64_t r = test_seed();
    for (int64_t step = 0; step < test_count(200000); step++) {
        const void *addr = &places[test_random(&r) % sizeof places];
        // Fills and empties in turns.
        uint64_t put_of_8 = step / 2000 % 2 == 0 ? 5 : 3;
        if (test_random(&r) % 8 < put_of_8)
            put(addr, test_random(&r) % 4 == 0);
        else if (test_random(&r) % 40 == 0)
            take_all(addr);
        else if (test_random(&r) % 3 == 0 && model_n > 0)
            take_one((int)(test_random(&r) % (uint64_t)model_n));
        else
            take_first(addr);
        if (step % 64 == 0) check_valid();
    }
    for (size_t i = 0; i < sizeof places; i++)
        take_all(&places[i]);
    check_valid();
    CHECK(bucket.root == NULL);
}

// Each record has a page of its own, and while one is removed only its own, its neighbours' and the
// last one's can be touched: nobody walks along a queue to leave it.
enum { QUEUE = 64, PAGE = 4096 };

static struct sudog *paged(char *pages, int i)
{
    return (struct sudog *)(void *)(pages + (size_t)i * PAGE);
}

static void open_page(char *pages, int i)
{
    CHECK_EQ(mprotect(pages + (size_t)((i + QUEUE) % QUEUE) * PAGE, PAGE, PROT_READ | PROT_WRITE),
             0);
}

static void remove_paged(char *pages, int i)
{
    struct addr_bucket b = { .root = NULL };
    uint32_t count;
    for (int k = 0; k < QUEUE; k++) {
        *paged(pages, k) = (struct sudog){ .g = &someone, .object = places };
        addrq_push(&b, paged(pages, k));
    }
    CHECK_EQ(mprotect(pages, (size_t)QUEUE * PAGE, PROT_NONE), 0);
    open_page(pages, i - 1);
    open_page(pages, i);
    open_page(pages, i + 1);
    open_page(pages, QUEUE - 1);
    CHECK(addrq_remove(&b, paged(pages, i)));
    CHECK_EQ(mprotect(pages, (size_t)QUEUE * PAGE, PROT_READ | PROT_WRITE), 0);
    CHECK(addrq_is_valid(&b, &count));
    CHECK_EQ(count, QUEUE - 1);
}

TEST(removal_touches_neighbours_only)
{
    char *pages = mmap(NULL, (size_t)QUEUE * PAGE, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(pages != MAP_FAILED);
    for (int i = 0; i < QUEUE; i++)
        remove_paged(pages, i);
    CHECK_EQ(munmap(pages, (size_t)QUEUE * PAGE), 0);
}

// Addresses as they come: rows of objects of one size that fall into one bucket.
static uint32_t depth_with_stride(uint32_t n, size_t stride, struct sudog *all)
{
    struct addr_bucket b = { .root = NULL };
    uint32_t found = 0, count;
    for (uintptr_t at = 0x7f0000001000; found < n; at += stride) {
        if (addr_bucket_index((void *)at) != 17) continue;
        all[found] = (struct sudog){ .g = &someone, .object = (void *)at };
        addrq_push(&b, &all[found++]);
    }
    CHECK(addrq_is_valid(&b, &count));
    CHECK_EQ(count, n);
    return addrq_depth(&b);
}

TEST(the_depth_is_logarithmic)
{
    static const size_t strides[] = { 4, 8, 16, 24, 48, 64, 96, 4096, 262144, 1000004 };
    enum { N = 4096 };
    struct sudog *all = calloc(N, sizeof *all);
    for (unsigned i = 0; i < sizeof strides / sizeof strides[0]; i++) {
        uint32_t depth = depth_with_stride(N, strides[i], all);
        CHECK_GE(depth, 12);
        CHECK_LT(depth, 48); // four times the logarithm
    }
    free(all);
}

TEST(buckets_share_the_load)
{
    static const size_t strides[] = { 4, 8, 16, 24, 32, 48, 64, 96, 4096, 8192, 262144 };
    for (unsigned i = 0; i < sizeof strides / sizeof strides[0]; i++) {
        uint32_t counts[ADDR_BUCKETS] = { 0 };
        for (uintptr_t k = 0; k < ADDR_BUCKETS * 16; k++)
            counts[addr_bucket_index((void *)(0x7f1234560000 + k * strides[i]))]++;
        for (int k = 0; k < ADDR_BUCKETS; k++)
            CHECK_LT(counts[k], 16 * 6);
    }
}

int main(void)
{
    RUN(like_the_model);
    RUN(removal_touches_neighbours_only);
    RUN(the_depth_is_logarithmic);
    RUN(buckets_share_the_load);
    return 0;
}
