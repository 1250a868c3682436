/* One line for each sweep (GORTDEBUG=sweeptrace=1), when the next collection begins.
 *
 *     sweep # before gc # (cause): # spans, # pages; alloc #, background #, paid #, reclaim #,
 *         demand #, flush #, finish #, stopped #; # pages reclaimed, # taken from credit
 *
 * In brackets why that collection runs (enum gc_cause).
 * The numbers after the semicolon are spans by what they were swept for (enum sweep_reason).  What
 * `finish` counts kept the collection waiting: allocation should have paid for it (Note [Sweep
 * pace] in heap/sweep.c).
 *
 * Answers to: nothing in the original.
 * SPDX-License-Identifier: BSD-3-Clause
 */
#include <unistd.h>

#include "base/print.h"
#include "diag/events.h"
#include "gc/gc_stats.h"

static const char *const reasons[SWEEP_REASONS] = {
    [SWEPT_ALLOC] = "alloc",     [SWEPT_BACKGROUND] = "background", [SWEPT_PAID] = "paid",
    [SWEPT_RECLAIM] = "reclaim", [SWEPT_DEMAND] = "demand",         [SWEPT_FLUSH] = "flush",
    [SWEPT_FINISH] = "finish",   [SWEPT_STOPPED] = "stopped",
};

void sweeptrace_print(const struct gc_cycle_record *r)
{
    struct print p;
    uint64_t spans = 0;
    for (int i = 0; i < SWEEP_REASONS; i++)
        spans += r->swept.spans[i];
    print_init(&p, STDERR_FILENO);
    print_fmt(&p, "sweep %lu before gc %lu (%s): %lu spans, %lu pages;",
              (unsigned long)r->number - 1, (unsigned long)r->number, gc_cause_name(r->cause),
              (unsigned long)spans, (unsigned long)r->swept.pages);
    for (int i = 0; i < SWEEP_REASONS; i++)
        print_fmt(&p, " %s %lu%s", reasons[i], (unsigned long)r->swept.spans[i],
                  i + 1 < SWEEP_REASONS ? "," : ";");
    print_fmt(&p, " %lu pages reclaimed, %lu taken from credit\n",
              (unsigned long)r->swept.reclaimed, (unsigned long)r->swept.credit_taken);
    print_flush(&p);
}
