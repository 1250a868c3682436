/* What many threads count while marking runs: see the header.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#include "gc/pacer_shared.h"

#include <string.h>

#include "base/assert.h"
#include "base/atomic.h"

static uint64_t bits_of(double x)
{
    uint64_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
}

static double double_of(uint64_t bits)
{
    double x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

void pacer_publish(struct pacer_shared *s, struct pacer_assist a)
{
    atomic_store_relaxed(&s->work_per_byte, bits_of(a.work_per_byte));
    atomic_store_relaxed(&s->bytes_per_work, bits_of(a.bytes_per_work));
}

struct pacer_assist pacer_ratio(const struct pacer_shared *s)
{
    return (struct pacer_assist){ double_of(atomic_load_relaxed(&s->work_per_byte)),
                                  double_of(atomic_load_relaxed(&s->bytes_per_work)) };
}

void pacer_shared_start(struct pacer_shared *s, const struct pacer *p, struct pacer_assist a)
{
    for (int i = 0; i < PACER_SCANS; i++)
        atomic_store_relaxed(&s->scanned[i], 0u);
    for (int i = 0; i < PACER_TIMES; i++)
        atomic_store_relaxed(&s->time[i], 0);
    atomic_store_relaxed(&s->credit, 0u);
    atomic_store_relaxed(&s->dedicated, p->dedicated);
    s->dedicated_most = p->dedicated;
    pacer_idle_limit(s, p->idle_max);
    pacer_publish(s, a);
}

void pacer_shared_places(struct pacer_shared *s, const struct pacer *p)
{
    atomic_fetch_add_relaxed(&s->dedicated, p->dedicated - s->dedicated_most);
    s->dedicated_most = p->dedicated;
    pacer_idle_limit(s, p->idle_max);
}

/* ---- sums ------------------------------------------------------------------------------------ */

void pacer_scanned(struct pacer_shared *s, enum pacer_scan kind, uint64_t bytes)
{
    atomic_fetch_add_relaxed(&s->scanned[kind], bytes);
}

struct scan_work pacer_work(const struct pacer_shared *s)
{
    return (struct scan_work){ atomic_load_relaxed(&s->scanned[PACER_SCAN_HEAP]),
                               atomic_load_relaxed(&s->scanned[PACER_SCAN_STACKS]),
                               atomic_load_relaxed(&s->scanned[PACER_SCAN_GLOBALS]) };
}

void pacer_time_add(struct pacer_shared *s, enum pacer_time kind, int64_t ns)
{
    if (ns > 0) atomic_fetch_add_relaxed(&s->time[kind], ns);
}

int64_t pacer_time_of(const struct pacer_shared *s, enum pacer_time kind)
{
    return atomic_load_relaxed(&s->time[kind]);
}

void pacer_credit_add(struct pacer_shared *s, uint64_t work)
{
    atomic_fetch_add_relaxed(&s->credit, work);
}

uint64_t pacer_credit_take(struct pacer_shared *s, uint64_t want)
{
    uint64_t there = atomic_load_relaxed(&s->credit), taken;
    do {
        if (there == 0) return 0; /* the common case writes nothing */
        taken = there < want ? there : want;
    } while (!atomic_cas_relaxed(&s->credit, &there, there - taken));
    return taken;
}

/* ---- workers --------------------------------------------------------------------------------- */

bool pacer_dedicated_take(struct pacer_shared *s)
{
    int32_t places = atomic_load_relaxed(&s->dedicated);
    do {
        if (places <= 0) return false;
    } while (!atomic_cas_relaxed(&s->dedicated, &places, places - 1));
    return true;
}

void pacer_dedicated_give(struct pacer_shared *s)
{
    int32_t there = atomic_fetch_add_relaxed(&s->dedicated, 1);
    check(there < s->dedicated_most); /* invariant 2 */
}

bool pacer_dedicated_over(const struct pacer_shared *s)
{
    return atomic_load_relaxed(&s->dedicated) < 0;
}

static uint32_t at_work(uint64_t idle)
{
    return (uint32_t)idle;
}

static uint32_t most(uint64_t idle)
{
    return (uint32_t)(idle >> 32);
}

bool pacer_idle_wanted(const struct pacer_shared *s)
{
    uint64_t idle = atomic_load_relaxed(&s->idle);
    return at_work(idle) < most(idle);
}

bool pacer_idle_join(struct pacer_shared *s)
{
    uint64_t idle = atomic_load_relaxed(&s->idle);
    do {
        if (at_work(idle) >= most(idle)) return false;
    } while (!atomic_cas_relaxed(&s->idle, &idle, idle + 1));
    return true;
}

void pacer_idle_leave(struct pacer_shared *s)
{
    uint64_t old = atomic_fetch_sub_relaxed(&s->idle, (uint64_t)1);
    assert_that(at_work(old) != 0);
    (void)old;
}

void pacer_idle_limit(struct pacer_shared *s, int max)
{
    assert_that(max >= 0);
    uint64_t idle = atomic_load_relaxed(&s->idle);
    while (!atomic_cas_relaxed(&s->idle, &idle, at_work(idle) | (uint64_t)max << 32))
        continue;
}
