// A goroutine begins with nothing of one that ran before on its stack, and with what it was started
// with; until it runs it is seen as any other.
// SPDX-License-Identifier: BSD-3-Clause
#include <errno.h>
#include <fenv.h>
#include <unistd.h>

#include "../goroutines.h"

enum { MANY = 300 };

static int done;
static const int key;

// ---- what the one before left -------------------------------------------------------------------

static void dirty_deep(int depth)
{
    volatile char frame[1000];
    memset((char *)frame, 0xee, sizeof frame);
    if (depth > 0) dirty_deep(depth - 1);
    gort_keep_alive((const void *)(uintptr_t)frame);
}

static void expect_clean(void)
{
    CHECK_EQ(errno, 0);
    CHECK_EQ(fegetround(), FE_TONEAREST);
    CHECK_PTR_EQ(gort_local_get(&key), NULL);
}

static void leaves_things_behind(void *arg)
{
    intptr_t how = (intptr_t)arg;
    expect_clean();
    errno = 1000 + (int)how;
    gort_local_set(&key, gort_alloc(16));
    if (how % 3 == 0) CHECK_EQ(fesetround(FE_DOWNWARD), 0);
    if (how % 5 == 0) gort_lock_thread();
    if (how % 7 == 0) dirty_deep(20);
    gort_set_assist_exempt(how % 2 == 0);
    ADD(&done, 1);
    if (how % 11 == 0) gort_goexit();
}

TEST(nothing_is_inherited_from_a_stack)
{
    done = 0;
    for (intptr_t i = 0; i < MANY; i++)
        gort_go(leaves_things_behind, (void *)i);
    WAIT_FOR(LOAD(&done) == MANY);
    CHECK_EQ(fegetround(), FE_TONEAREST);
}

// ---- what the maker hands on --------------------------------------------------------------------

static void expect_rounding(void *arg)
{
    CHECK_EQ(fegetround(), (int)(intptr_t)arg);
    ADD(&done, 1);
}

TEST(rounding_is_inherited_from_the_maker)
{
    static const int modes[] = { FE_UPWARD, FE_TONEAREST, FE_DOWNWARD, FE_TOWARDZERO };
    done = 0;
    for (int i = 0; i < MANY; i++) {
        CHECK_EQ(fesetround(modes[i % 4]), 0);
        gort_go(expect_rounding, (void *)(intptr_t)modes[i % 4]);
    }
    CHECK_EQ(fesetround(FE_TONEAREST), 0);
    WAIT_FOR(LOAD(&done) == MANY);
}

// Of each size, below and above what is kept without a stack.
struct sized {
    int size;
    unsigned char bytes[124];
};

static void expect_bytes(void *args)
{
    const struct sized *s = args;
    CHECK_EQ((uintptr_t)args % 16, 0);
    for (int i = 0; i < s->size - 4; i++)
        CHECK_EQ(s->bytes[i], (unsigned char)(s->size + i));
    ADD(&done, 1);
}

TEST(arguments_of_each_size)
{
    struct sized s;
    done = 0;
    for (s.size = 4; s.size <= 128; s.size++) {
        for (int i = 0; i < s.size - 4; i++)
            s.bytes[i] = (unsigned char)(s.size + i);
        gort_go_copy(expect_bytes, &s, (size_t)s.size);
    }
    memset(&s, 0, sizeof s);
    WAIT_FOR(LOAD(&done) == 125);
}

// ---- what others see of it ----------------------------------------------------------------------

static void end(void *unused)
{
    (void)unused;
    ADD(&done, 1);
}

static int count_in(int fd, const char *what)
{
    static char text[1 << 20];
    ssize_t n = pread(fd, text, sizeof text - 1, 0);
    CHECK_GT(n, 0);
    text[n] = '\0';
    int count = 0;
    for (const char *at = text; (at = strstr(at, what)) != NULL; at += strlen(what))
        count++;
    return count;
}

__attribute__((noinline)) static void start_ten(void)
{
    for (int i = 0; i < 10; i++)
        gort_go(end, NULL);
    __asm__ volatile(""); // the last one is no tail call: it returns here
}

// In order on one P: they run when this one waits, or yields in the mode that has it yield.
TEST(it_is_in_reports)
{
    FILE *f = tmpfile();
    CHECK(f != NULL);
    done = 0;
    start_ten();
    int before = LOAD(&done);
    CHECK_EQ(gort_goroutines_write(fileno(f)), 0); // others may run while it writes
    int told = count_in(fileno(f), " [runnable]:\ncreated by start_ten in goroutine 1\n");
    if (!in_mode("randyield")) CHECK_EQ(told, 10 - before);
    settle();
    CHECK_EQ(LOAD(&done), 10);
    CHECK_EQ(gort_num_goroutines(), 1);
    fclose(f);
}

// What only its arguments hold lives until it has run, and not for ever.
typedef struct box {
    uint64_t value;
} box;
GORT_TYPE(box);

static gort_weak *weak[MANY];

static void expect_box(void *arg)
{
    box *b = arg;
    gort_yield();
    CHECK_EQ(b->value % 1000, 77);
    ADD(&done, 1);
}

__attribute__((noinline)) static void start_with_boxes(void)
{
    for (int i = 0; i < MANY; i++) {
        box *b = gort_new(box);
        b->value = 77 + 1000 * (uint64_t)i;
        weak[i] = gort_weak_make(b);
        gort_go(expect_box, b);
    }
}

TEST(arguments_are_kept_and_let_go)
{
    done = 0;
    start_with_boxes();
    gort_gc();
    WAIT_FOR(LOAD(&done) == MANY);
    int left = 0;
    gort_gc();
    gort_gc();
    for (int i = 0; i < MANY; i++)
        left += gort_weak_get(weak[i]) != NULL;
    CHECK_LE(left, MANY / 10); // what an old word of some stack keeps
}

// Nor do they live as long as the next goroutine on the same stack.
enum { WAITERS = 50 };

static gort_chan(int) gate;

struct boxed {
    uintptr_t others[5];
    box *b;
};

static void wait_with_box(void *args)
{
    const struct boxed *a = args;
    CHECK_EQ(a->b->value, 99);
    (void)gort_recv(gate, NULL);
    ADD(&done, 1);
}

static void wait_without(void *unused)
{
    (void)unused;
    ADD(&done, 1);
    (void)gort_recv(gate, NULL);
    ADD(&done, 1);
}

__attribute__((noinline)) static void start_waiters_with_boxes(void)
{
    for (int i = 0; i < WAITERS; i++) {
        struct boxed a = { .b = gort_new(box) };
        a.b->value = 99;
        weak[i] = gort_weak_make(a.b);
        gort_go_copy(wait_with_box, &a, sizeof a);
    }
}

TEST(a_stack_forgets_arguments)
{
    int left = 0;
    done = 0;
    gate = gort_chan_make(int, 0);
    start_waiters_with_boxes();
    settle();
    gort_close(gate);
    WAIT_FOR(LOAD(&done) == WAITERS);
    settle();
    gate = gort_chan_make(int, 0);
    for (int i = 0; i < WAITERS; i++)
        gort_go(wait_without, NULL);
    WAIT_FOR(LOAD(&done) == 2 * WAITERS);
    gort_gc();
    gort_gc();
    for (int i = 0; i < WAITERS; i++)
        left += gort_weak_get(weak[i]) != NULL;
    CHECK_LE(left, WAITERS / 5);
    gort_close(gate);
    WAIT_FOR(LOAD(&done) == 3 * WAITERS);
}

static int run(int argc, char **argv)
{
    (void)argc;
    (void)argv;
    RUN_ON_ALL(nothing_is_inherited_from_a_stack);
    RUN_ON_ALL(rounding_is_inherited_from_the_maker);
    RUN_ON_ALL(arguments_of_each_size);
    RUN_IN_ORDER(it_is_in_reports);
    RUN_ON_ALL(arguments_are_kept_and_let_go);
    RUN_IN_ORDER(a_stack_forgets_arguments);
    return 0;
}

int main(int argc, char **argv)
{
    keep_ps();
    return gort_run(run, argc, argv);
}
