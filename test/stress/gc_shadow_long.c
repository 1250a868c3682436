// Random programs and their shadows, at length: 20 seeds of 1,000 collections. See gc_shadow.h.
// TEST modes=none skip=tsan
// SPDX-License-Identifier: BSD-3-Clause
#include "gc_shadow.h"

enum { SEEDS = 20, CYCLES = 1000 };

static int run(int argc, char **argv)
{
    (void)argc;
    (void)argv;
    static const struct shadow_run forms[] = {
        { .mutators = 1, .beside = 0 }, { .mutators = 1, .beside = 3 },
        { .mutators = 2, .beside = 4 }, { .mutators = 4, .beside = 9 },
        { .mutators = 8, .beside = 3 },
    };
    enum { FORMS = sizeof forms / sizeof forms[0] };
    uint64_t first = test_seed();
    for (unsigned i = 0; i < SEEDS; i++) {
        struct shadow_run r = forms[i % FORMS];
        r.cycles = (uint64_t)test_count(CYCLES);
        run_shadow(&r, first + i);
    }
    return 0;
}

int main(int argc, char **argv)
{
    return gort_run(run, argc, argv);
}
