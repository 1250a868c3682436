/* The pacer: when the next collection starts.
 *
 * The goal is what the last cycle found live, plus a percentage of all that a cycle has to look at:
 * live objects, stacks and globals.  So the work of a cycle is paid by an allocation in proportion
 * to it, whichever of the three it comes from.  Small heaps get a minimum, scaled by the percentage,
 * or each would collect all the time.
 *
 * While marking stops the world nothing is allocated meanwhile, so the trigger is the goal.  A
 * concurrent mark will start earlier, by the measured ratio of allocation to marking.
 *
 * Invariants: (1) trigger <= goal; (2) trigger >= marked + PACER_MIN_RUNWAY unless off, so that a
 * percentage of 0 still lets the program run between cycles; (3) no sum overflows: it saturates.
 *
 * Answers to: mgcpacer.go (heapGoalInternal, trigger, commit).
 * SPDX-License-Identifier: BSD-3-Clause
 */
#include "gc/pacer.h"

static uint64_t add_saturating(uint64_t a, uint64_t b)
{
    uint64_t sum;
    return __builtin_add_overflow(a, b, &sum) ? PACER_OFF : sum;
}

static uint64_t percent_of(uint64_t n, int percent)
{
    unsigned __int128 x = (unsigned __int128)n * (unsigned)percent / 100;
    return x > PACER_OFF ? PACER_OFF : (uint64_t)x;
}

static uint64_t at_least(uint64_t x, uint64_t floor)
{
    return x < floor ? floor : x;
}

struct pacer_output pacer_compute(const struct pacer_input *in)
{
    struct pacer_output out = { .goal = PACER_OFF, .trigger = PACER_OFF };
    if (in->percent < 0) return out;
    uint64_t base = add_saturating(in->marked, add_saturating(in->stacks, in->globals));
    out.goal = add_saturating(in->marked, percent_of(base, in->percent));
    out.goal = at_least(out.goal, percent_of(PACER_MIN_HEAP, in->percent));
    out.goal = at_least(out.goal, add_saturating(in->marked, PACER_MIN_RUNWAY));
    out.trigger = out.goal;
    return out;
}
