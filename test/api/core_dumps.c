// Core files contain the stacks of all goroutines, and not the address space that is reserved for
// more.
// TEST skip=asan,tsan,emulated modes=none
// SPDX-License-Identifier: BSD-3-Clause
#include "../goroutines.h"

#define GB ((uint64_t)1 << 30)
enum { MANY = 1000, LARGE = 20 };

static gort_chan(int) gate;
static int waiting;
static uintptr_t frames[MANY + LARGE];

static void wait_there(void *arg)
{
    int here;
    *(uintptr_t *)arg = (uintptr_t)&here;
    ADD(&waiting, 1);
    CHECK(!gort_recv(gate, NULL));
}

// Calls fn for each private mapping that core files contain.
static void each_dumped(void (*fn)(uintptr_t lo, uintptr_t hi))
{
    static char line[512];
    unsigned long lo = 0, hi = 0, a, b;
    char access[5] = "";
    FILE *f = fopen("/proc/self/smaps", "r");
    CHECK(f != NULL);
    while (fgets(line, sizeof line, f) != NULL) {
        if (sscanf(line, "%lx-%lx %4s", &a, &b, access) == 3) {
            lo = a;
            hi = b;
        } else if (strncmp(line, "VmFlags:", 8) == 0 && access[1] == 'w' && !strstr(line, " dd")) {
            fn(lo, hi);
        }
    }
    fclose(f);
}

static uint64_t bytes;
static int found;

static void count(uintptr_t lo, uintptr_t hi)
{
    bytes += hi - lo;
    for (int i = 0; i < MANY + LARGE; i++)
        found += frames[i] >= lo && frames[i] < hi;
}

static int run(int argc, char **argv)
{
    (void)argc;
    (void)argv;
    each_dumped(count);
    CHECK_LT(bytes, GB);
    gort_set(&gate, gort_chan_make(int, 0));
    for (int i = 0; i < MANY + LARGE; i++) {
        gort_go_options o = { .stack_size = i < MANY ? 0 : 4 << 20 };
        gort_go_opt(&o, wait_there, &frames[i]);
    }
    WAIT_FOR(LOAD(&waiting) == MANY + LARGE);
    bytes = 0;
    found = 0;
    each_dumped(count);
    CHECK_EQ(found, MANY + LARGE);
    CHECK_LT(bytes, 2 * GB);
    gort_close(gate);
    WAIT_FOR(gort_num_goroutines() == 1);
    return 0;
}

int main(int argc, char **argv)
{
    return gort_run(run, argc, argv);
}
