/* What the scheduler asks the collector for: caches and markers of Ps, scans of stacks, workers.
 *
 * Locking: none of its own.  A P gets and loses its cache at boot, or while the world is stopped.
 * Answers to: nothing by itself; procresize in proc.go calls mcache.go likewise.
 * SPDX-License-Identifier: BSD-3-Clause
 */
#include "base/throw.h"
#include "gc/barrier.h"
#include "gc/cpulimit.h"
#include "gc/gc.h"
#include "gc/mark.h"
#include "gc/pace.h"
#include "gc/specials.h"
#include "gc/stackroots.h"
#include "gc/threadlocals.h"
#include "gc/worker.h"
#include "heap/mcache.h"
#include "heap/persistent.h"
#include "sched/sched.h"

static void p_gets_cache(struct p *p)
{
    if (!mark_make_marker(p)) throw_fmt("out of memory: no marker for P %u", p->id);
    if (p->mcache == NULL) {
        p->mcache = persistent_alloc(sizeof(struct mcache), CACHE_LINE, &heap->cache_bytes);
        if (p->mcache == NULL) throw_fmt("out of memory: no allocation cache for P %u", p->id);
        mcache_init(p->mcache);
    }
    mcache_prepare_for_sweep(p->mcache); /* one that was kept: it holds nothing */
    if (m_self() != NULL && m_self()->p == p) arch_tls_set_cache(&p->mcache->fast);
}

/* The cache's record stays with the P's, for when it comes back. */
static void p_loses_cache(struct p *p, struct p *heir)
{
    mcache_release(p->mcache);
    heir->mcache->black_bytes += p->mcache->black_bytes;
    heir->mcache->black_objects += p->mcache->black_objects;
    p->mcache->black_bytes = p->mcache->black_objects = 0;
    barrier_flush_stw(p); /* it is not among those of p_count any more */
}

/* Note [Another number of Ps] in worker.c. */
static void share_anew(int procs)
{
    if (!heap_marking()) return; /* the next cycle asks how many there are */
    pace_procs_stw(procs);
    workers_share_stw();
}

void gc_hooks_fill(struct sched_hooks *h)
{
    h->p_init = p_gets_cache;
    h->p_destroy = p_loses_cache;
    h->procs_changed = share_anew;
    h->g_dead = specials_goroutine_ended;
    h->thread_start = thread_locals_read;
    h->words_leave = barrier_log_words;
    h->g_scan = stackroots_scan_piece;
    h->g_rest = stackroots_put_rest;
    h->stacks_done = mark_stacks_done;
    h->find_mark_work = workers_find;
    h->find_idle_mark_work = workers_find_idle;
    h->mark_work = workers_wanted;
    cpulimit_hooks_fill(h);
}
