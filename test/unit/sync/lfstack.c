// The lock-free stack: order, and no node twice or lost while threads pop and push back.
//
// SPDX-License-Identifier: BSD-3-Clause
#include "sync/lfstack.h"

#include <pthread.h>

#include "base/atomic.h"
#include "os/os.h"
#include "test.h"

struct item {
    struct lfnode node;
    int owner;     // thread + 1 that popped it, 0: on the stack; atomic
    int64_t plain; // written by the owner only: what the acquire and release carry
};

static struct item *item_of(struct lfnode *n)
{
    return (struct item *)n;
}

TEST(last_in_first_out)
{
    struct lfstack s = { 0 };
    static struct item item[100];
    CHECK(lfstack_empty(&s));
    CHECK_PTR_EQ(lfstack_pop(&s), NULL);
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < 100; i++)
            lfstack_push(&s, &item[i].node);
        CHECK(!lfstack_empty(&s));
        for (int i = 100; i-- > 0;)
            CHECK_PTR_EQ(lfstack_pop(&s), &item[i].node);
        CHECK(lfstack_empty(&s));
    }
}

TEST(several_at_once)
{
    struct lfstack s = { 0 };
    static struct item item[10];
    struct lfnode *n[10];
    for (int i = 0; i < 10; i++)
        n[i] = &item[i].node;
    CHECK_EQ(lfstack_pop_many(&s, n, 10), 0);
    lfstack_push_many(&s, n, 1);
    lfstack_push_many(&s, n + 1, 3); // from the top: 1 2 3 0
    lfstack_push(&s, &item[4].node);
    CHECK_EQ(lfstack_pop_many(&s, n, 3), 3);
    for (int i = 0; i < 3; i++)
        CHECK_PTR_EQ(n[i], &item[i == 0 ? 4 : i].node);
    CHECK_PTR_EQ(lfstack_pop(&s), &item[3].node);
    CHECK_EQ(lfstack_pop_many(&s, n, 10), 1);
    CHECK_PTR_EQ(n[0], &item[0].node);
    CHECK(lfstack_empty(&s));
}

TEST(one_stack_goes_on_top_of_another)
{
    struct lfstack a = { 0 }, b = { 0 };
    struct lfnode n[5] = { { 0 } };
    for (int i = 0; i < 3; i++)
        lfstack_push(&a, &n[i]);
    lfstack_move_stw(&b, &a, &n[0]); // on an empty one
    CHECK(lfstack_empty(&a));
    for (int i = 3; i < 5; i++)
        lfstack_push(&a, &n[i]);
    lfstack_move_stw(&b, &a, &n[3]);
    CHECK(lfstack_empty(&a));
    for (int i = 0; i < 2; i++)
        CHECK_PTR_EQ(lfstack_pop(&b), &n[4 - i]);
    for (int i = 0; i < 3; i++)
        CHECK_PTR_EQ(lfstack_pop(&b), &n[2 - i]);
    CHECK_PTR_EQ(lfstack_pop(&b), NULL);
}

// The count in the head may wrap around.
TEST(counts_wrap)
{
    struct lfstack s = { 0 };
    static struct item item[2];
    item[0].node.pushes = ((UINT64_C(1) << 20) - 3);
    for (int i = 0; i < 10; i++) {
        lfstack_push(&s, &item[0].node);
        lfstack_push(&s, &item[1].node);
        CHECK_PTR_EQ(lfstack_pop(&s), &item[1].node);
        CHECK_PTR_EQ(lfstack_pop(&s), &item[0].node);
        CHECK_PTR_EQ(lfstack_pop(&s), NULL);
    }
}

TEST(any_address)
{
    struct lfstack s = { 0 };
    void *high = os_mem_map_at((void *)0x7f0000000000, 65536);
    void *low = os_mem_map_at((void *)0x10000000, 65536);
    struct lfnode *node[2] = { high, low };
    for (int i = 0; i < 2; i++) {
        if (node[i] == NULL) continue; // taken
        lfstack_push(&s, node[i]);
        CHECK_PTR_EQ(lfstack_pop(&s), node[i]);
        os_mem_unmap(node[i], 65536);
    }
}

// Few nodes and many threads: a node comes back to the head between another thread's two steps all
// the time. Whoever pops a node finds it unowned, and its plain word as its last owner left it.
enum { THREADS = 4, NODES = 6 };
static struct lfstack shared;
static struct item item[NODES];
static int64_t rounds, transfers; // transfers: atomic

static void take(struct item *it, int me)
{
    int nobody = 0;
    CHECK(atomic_cas_relaxed(&it->owner, &nobody, me));
    it->plain++;
}

static void give(struct item *it, int me)
{
    CHECK_EQ(atomic_load_relaxed(&it->owner), me);
    atomic_store_relaxed(&it->owner, 0);
    lfstack_push(&shared, &it->node);
}

static int take_some(struct lfnode **n, int want, bool at_once, int me)
{
    int got = 0;
    if (at_once)
        got = (int)lfstack_pop_many(&shared, n, (unsigned)want);
    else
        while (got < want && (n[got] = lfstack_pop(&shared)) != NULL)
            got++;
    for (int i = 0; i < got; i++)
        take(item_of(n[i]), me);
    return got;
}

static void give_at_once(struct lfnode **n, int got, int me)
{
    for (int i = 0; i < got; i++) {
        CHECK_EQ(atomic_load_relaxed(&item_of(n[i])->owner), me);
        atomic_store_relaxed(&item_of(n[i])->owner, 0);
    }
    lfstack_push_many(&shared, n, (unsigned)got);
}

static void *shuffles(void *arg)
{
    int me = (int)(uintptr_t)arg + 1;
    uint64_t state = test_seed() + (uintptr_t)arg;
    int64_t mine = 0;
    for (int64_t i = 0; i < rounds; i++) {
        struct lfnode *n[3];
        int want = 1 + (int)(test_random(&state) % 3);
        int got = take_some(n, want, test_random(&state) % 2 == 0, me);
        mine += got;
        if (test_random(&state) % 4096 == 0) os_thread_yield();
        if (got > 0 && test_random(&state) % 3 == 0) {
            give_at_once(n, got, me);
            continue;
        }
        if (test_random(&state) % 2 == 0) // back in the order that makes stale heads right again
            while (got > 0)
                give(item_of(n[--got]), me);
        for (int k = 0; k < got; k++)
            give(item_of(n[k]), me);
    }
    atomic_fetch_add_relaxed(&transfers, mine);
    return NULL;
}

TEST(nodes_are_neither_lost_nor_doubled)
{
    pthread_t thread[THREADS];
    int64_t plain = 0;
    rounds = test_count(300000);
    test_seed(); // before the threads ask for it
    for (int i = 0; i < NODES; i++)
        lfstack_push(&shared, &item[i].node);
    for (uintptr_t i = 0; i < THREADS; i++)
        CHECK_EQ(pthread_create(&thread[i], NULL, shuffles, (void *)i), 0);
    for (int i = 0; i < THREADS; i++)
        pthread_join(thread[i], NULL);
    for (int i = 0; i < NODES; i++) {
        struct lfnode *n = lfstack_pop(&shared);
        CHECK(n != NULL);
        take(item_of(n), 99);
        plain += item_of(n)->plain - 1;
    }
    CHECK_PTR_EQ(lfstack_pop(&shared), NULL);
    CHECK_EQ(plain, transfers);
    CHECK_GT(transfers, rounds);
}

int main(void)
{
    RUN(last_in_first_out);
    RUN(several_at_once);
    RUN(one_stack_goes_on_top_of_another);
    RUN(counts_wrap);
    RUN(any_address);
    RUN(nodes_are_neither_lost_nor_doubled);
    return 0;
}
