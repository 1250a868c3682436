// Memory with any bytes in it: of every size, apart from its neighbours, kept and reclaimed as
// other memory, and what it leaves behind is never seen by who asked for zeros, however both kinds
// alternate.
//
// SPDX-License-Identifier: BSD-3-Clause
#include "gc_util.h"

enum { LANES = 4, KEPT = 400, SIZE_MAX_TRIED = 1400, LARGE = 300000 };

typedef struct block block;
struct block {
    size_t size;
    unsigned char *bytes;
    unsigned char sign;
};
GORT_TYPE(block, bytes);
static block *kept[KEPT];
static gort_waitgroup done;

static bool is_all(const unsigned char *p, size_t size, unsigned char byte)
{
    for (size_t i = 0; i < size; i++)
        if (p[i] != byte) return false;
    return true;
}

static unsigned char *allocate(size_t size, bool zeroed)
{
    unsigned char *p = zeroed ? gort_alloc_noscan(size) : gort_alloc_uninit(size);
    if (size >= 8) CHECK_EQ((uintptr_t)p % (size < 16 ? 8 : 16), 0);
    if (zeroed) CHECK(is_all(p, size, 0));
    return p;
}

// Replaces one of the kept ones.
static void replace(int i, size_t size, bool zeroed, unsigned char sign)
{
    if (kept[i] != NULL) CHECK(is_all(kept[i]->bytes, kept[i]->size, kept[i]->sign));
    block *b = gort_new(block);
    gort_init(&b->bytes, allocate(size, zeroed));
    b->size = size;
    b->sign = sign;
    memset(b->bytes, sign, size);
    gort_set(&kept[i], b);
}

static size_t random_size(uint64_t *seed)
{
    uint64_t r = test_random(seed);
    if (r % 500 == 0) return LARGE;
    return (r >> 16) % (r % 4 == 0 ? SIZE_MAX_TRIED : 100);
}

static void worker(void *arg)
{
    int lane = *(int *)arg, n = test_count(100000);
    uint64_t seed = test_seed() + (uint64_t)lane;
    for (int k = 0; k < n; k++) {
        uint64_t r = test_random(&seed);
        int i = (int)((r >> 8) % (KEPT / LANES)) * LANES + lane;
        replace(i, random_size(&seed), r % 3 == 0, (unsigned char)(k % 255 + 1));
        if (k % 1000 == 0) gort_yield();
    }
    gort_waitgroup_done(&done);
}

TEST(among_others)
{
    gort_waitgroup_add(&done, LANES);
    for (int i = 0; i < LANES; i++)
        gort_go_copy(worker, &i, sizeof i);
    gort_waitgroup_wait(&done);
}

static int run(int argc, char **argv)
{
    (void)argc, (void)argv;
    RUN(among_others);
    return 0;
}

int main(int argc, char **argv)
{
    return gort_run(run, argc, argv);
}
