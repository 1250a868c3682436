/* Sampling the colours of objects while a cycle marks (GORTDEBUG=gccolors=N).
 *
 * A sample stops the world and looks at every slot: white is allocated and unmarked, black marked
 * and not queued, grey what the queue's buffers hold.  In a stop all work is in the queue's lists
 * (mark.c), so the three are exact; but a large object that is scanned in pieces is grey once for
 * each piece that waits.  Words that nobody has looked at yet are told apart: who marks scans small
 * objects as it marks them, so that most of what waits is words.
 *
 * The first sample is taken in the stop that begins marking, the last in the one that ends it, and
 * the others when so much was scanned as another Nth of what the cycle before did, by whoever marks
 * and notices.  Off, it costs a test of a constant for each section of marking.
 *
 * Invariants: within a cycle white never rises and black never falls, since what is allocated is
 * black and nothing is freed; at the end nothing is grey, and no word waits.
 *
 * Locking: samples are taken in stops.  `due` is a hint, looked at again there.
 * Answers to: nothing in Go.
 * SPDX-License-Identifier: BSD-3-Clause
 */
#include "gc/colors.h"

#include "base/atomic.h"
#include "base/bits.h"
#include "base/print.h"
#include "base/unscanned.h"
#include "gc/gc.h"
#include "gc/pace.h"
#include "gc/work.h"
#include "heap/mcache.h"
#include "heap/span.h"
#include "sched/sched.h"
#include "sched/stw.h"

#define STEP_LEAST (64 * KB)

static struct {
    struct colors_sample samples[COLORS_MOST + 2]; /* written in stops */
    uint32_t n;                                    /* likewise */
    uint64_t step;                                 /* bytes scanned between two; likewise */
    uint64_t due;                                  /* atomic; bytes scanned at the next */
} colors;
UNSCANNED(colors);

static void count_span(const struct span *s, struct colors_sample *c)
{
    if (span_state_of(s) != SPAN_IN_USE) return;
    for (uint32_t i = 0; i < s->nelems; i++) {
        if (!span_is_slot_allocated(s, i)) continue;
        if (span_is_marked(s, i))
            c->black++;
        else
            c->white++;
    }
}

static void count_arena(const struct arena *a, struct colors_sample *c)
{
    for (size_t w = 0; w < ARENA_BITMAP_WORDS; w++) {
        uint64_t bits = atomic_load_relaxed(&a->in_use_pages[w]); /* the world is stopped */
        for (; bits != 0; bits &= bits - 1)
            count_span(a->spans[w * 64 + bits_ctz64(bits)], c);
    }
}

static uint64_t count_list(const struct lfstack *list)
{
    uint64_t sum = 0;
    for (struct lfnode *n = lfstack_below(list, NULL); n != NULL; n = lfstack_below(list, n))
        sum += container_of(n, struct workbuf, node)->n;
    return sum;
}

static void take_sample_stw(void)
{
    if (colors.n == array_len(colors.samples)) return;
    struct colors_sample *c = &colors.samples[colors.n++];
    *c = (struct colors_sample){ .grey = count_list(&work_pool.full),
                                 .words = count_list(&work_pool.words) };
    for (int i = 0; i < p_count(); i++)
        mcache_publish(p_at(i)->mcache);
    for (size_t i = 0; i < arena_count(); i++)
        count_arena(arena_at(i), c);
    c->black = c->black > c->grey ? c->black - c->grey : 0;
}

void colors_begin_stw(uint64_t last_scan_work)
{
    uint64_t step = last_scan_work / (gc_debug.colors + 1);
    colors.step = step < STEP_LEAST ? STEP_LEAST : step;
    colors.n = 0;
    take_sample_stw();
    atomic_store_relaxed(&colors.due, colors.step);
}

void colors_end_stw(void)
{
    take_sample_stw();
    atomic_store_relaxed(&colors.due, UINT64_MAX);
}

static bool is_due(void)
{
    return pacer_work(&pace_shared).heap >= atomic_load_relaxed(&colors.due);
}

static void sample_stopped(void *unused)
{
    (void)unused;
    world_stop(STOP_STATS, NULL);
    if (gc_phase == GC_MARK && is_due() && colors.n <= gc_debug.colors) {
        take_sample_stw();
        uint64_t done = pacer_work(&pace_shared).heap;
        atomic_store_relaxed(&colors.due,
                             colors.n <= gc_debug.colors ? done + colors.step : UINT64_MAX);
    }
    world_start();
}

void colors_look_slow(void)
{
    if (is_due()) call_on_system_stack(sample_stopped, NULL);
}

void colors_print(uint64_t number)
{
    for (uint32_t i = 0; i < colors.n; i++) {
        const struct colors_sample *c = &colors.samples[i];
        print_err("gc %lu colors %u: %lu white, %lu grey, %lu black, %lu words\n",
                  (unsigned long)number, i, (unsigned long)c->white, (unsigned long)c->grey,
                  (unsigned long)c->black, (unsigned long)c->words);
    }
}

const struct colors_sample *colors_samples(uint32_t *n)
{
    *n = colors.n;
    return colors.samples;
}
