// The newest object of a block of tiny ones is found by a stop, whatever instruction follows its
// making.
//
// One goroutine makes objects of 2 bytes and holds only the newest; another collects all the time.
// A stop between the instruction that takes the object and its use must find the address in a
// register. If it does not, the block is given out again: what is read there is not zero, or not
// what was stored (with clobberfree, in mode clobber, within a second).
// TEST notmodes=determ
// SPDX-License-Identifier: BSD-3-Clause
#include "../goroutines.h"

enum { BEHIND = 40 }; // objects made after one, which would get its block if it were free

typedef struct {
    uint16_t value;
} tiny;
GORT_TYPE(tiny);

static gort_waitgroup group;
static int quit;

static void collect(void *unused)
{
    (void)unused;
    while (!LOAD(&quit))
        gort_gc();
    gort_waitgroup_done(&group);
}

// The address stays where the compiler needs it: in one register.
static void make_one(uint16_t value)
{
    tiny *t = gort_new(tiny);
    CHECK_EQ(*(volatile uint16_t *)&t->value, 0);
    t->value = value;
    for (int i = 0; i < BEHIND; i++) {
        tiny *other = gort_new(tiny);
        CHECK_EQ(*(volatile uint16_t *)&other->value, 0);
        other->value = (uint16_t)~value;
    }
    CHECK_EQ(*(volatile uint16_t *)&t->value, value);
    gort_keep_alive(t);
}

TEST(tiny_objects_are_found)
{
    int64_t end = gort_now() + (int64_t)test_count(4000) * GORT_MS;
    gort_waitgroup_add(&group, 1);
    gort_go(collect, NULL);
    while (gort_now() < end) {
        for (uint16_t i = 0; i < 64; i++)
            make_one(i);
        gort_yield();
    }
    STORE(&quit, 1);
    gort_waitgroup_wait(&group);
}

static int test_main(int argc, char **argv)
{
    (void)argc;
    (void)argv;
    RUN(tiny_objects_are_found);
    return 0;
}

int main(int argc, char **argv)
{
    return gort_run(test_main, argc, argv);
}
