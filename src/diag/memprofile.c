/* The memory profile: which call stacks allocated what, and what of it is in use.
 *
 * Allocations are sampled by the caches (Note [Held slots] in heap/heap_data.h): each byte is as
 * likely as any other to be one that is looked at, one in `rate` on average.  An object of size s
 * is so sampled with probability 1 - exp(-s / rate), and each that was stands for 1 / (1 - exp(-s /
 * rate)) of its size: what is written is scaled by that.  At rate 1 each allocation is sampled and
 * nothing is scaled.  The rate is part of the bucket, so it may change while the program runs.
 *
 * A sampled object carries a special, by which the sweep tells us that it is gone
 * (gc_profile_freed); the special keeps nothing alive.  When what is counted becomes visible: Note
 * [Profile cycles].  The number of the cycle is the sweep generation's half; it changes while the
 * world is stopped, so is constant in a critical section.
 *
 * Sizes are those of slots, or of the pages of a large object: what gort_stats counts, and what the
 * caches sample by.
 *
 * Writing holds the collector's semaphore while it copies the counts, so that no cycle begins, but
 * no lock for more than a part of the buckets; then it writes from the copy and holds nothing.
 *
 * Nothing names a symbol of this file but the program: a constructor installs it.
 *
 * Locking: MEMPROFILE (membuckets.h).  Answers to: mprof.go; runtime/pprof/protomem.go.
 * SPDX-License-Identifier: BSD-3-Clause
 */
#include "diag/memprofile.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <math.h>
#include <string.h>
#include <unistd.h>

#include "alloc/observe.h"
#include "base/assert.h"
#include "base/atomic.h"
#include "base/print.h"
#include "base/race.h"
#include "base/throw.h"
#include "base/unscanned.h"
#include "diag/callstack.h"
#include "diag/events.h"
#include "diag/membuckets.h"
#include "diag/pprof.h"
#include "gc/cycle.h"
#include "gc/gc.h"
#include "gort/errno.h"
#include "gort/mem.h"
#include "gort/net.h"
#include "gort/profile.h"
#include "heap/fixalloc.h"
#include "heap/heap.h"
#include "heap/mcache.h"
#include "heap/persistent.h"
#include "gc/specials.h"
#include "heap/special.h"
#include "heap/sweep.h"
#include "os/os.h"
#include "rt/env.h"
#include "rt/hooks.h"
#include "sched/sched.h"
#include "sched/stw.h"

#define RATE_MAX ((uint64_t)1 << 40) /* the caches' */
#define COPY_AT_ONCE 256             /* buckets in one critical section */
#define EXIT_BAD_ENVIRONMENT 2
#define FILE_MODE 0666

/* On a sampled object. */
struct mem_record {
    struct special special; /* first */
    struct mem_bucket *bucket;
};

static struct {
    uint64_t rate;   /* bytes, 0: off; atomic; changed with the world stopped */
    uint64_t last;   /* the last rate that was not 0: the file's period; the same */
    bool set;        /* before boot: rate was set by a call */
    bool used;       /* before boot: the program writes profiles */
    bool booted;     /* constant once goroutines run */
    uint32_t cycle0; /* number of the cycle at boot; constant */
    struct mem_buckets buckets;
    struct fixalloc records;
    uint64_t samples, freed, dropped; /* atomic; statistics */
    char path[PATH_MAX];              /* GORTMEMPROFILE, from the root; constant after boot */
} prof;
UNSCANNED(prof);

void memprofile_read_counts(struct memprofile_counts *out)
{
    uint64_t freed = atomic_load_relaxed(&prof.freed); /* first: live is not negative */
    out->samples = atomic_load_relaxed(&prof.samples);
    out->live = out->samples - freed;
    out->dropped = atomic_load_relaxed(&prof.dropped);
    out->buckets = atomic_load_relaxed(&prof.buckets.count);
}

/* In a critical section, or with the collector's semaphore. */
static uint32_t cycle_now(void)
{
    return heap_sweepgen() / 2;
}

/* ---- sampling -------------------------------------------------------------------------------- */

/* gcstress observes every allocation. */
static uint64_t effective_rate(uint64_t rate)
{
    return heap->observe.every ? 1 : rate;
}

/* In a critical section, s swept.  The object gets its record before it is counted: it can not be
 * freed before both are done, since it is kept. */
static bool count_sample(struct span *s, uintptr_t object, const struct mem_stack *stack)
{
    struct mem_record *r = fixalloc_alloc(&prof.records);
    if (r == NULL) return false;
    lock_acquire(&prof.buckets.lock);
    struct mem_bucket *b = membuckets_get_locked(&prof.buckets, stack, cycle_now());
    if (b != NULL) mem_bucket_alloc_locked(b, cycle_now());
    lock_release(&prof.buckets.lock);
    if (b == NULL) {
        fixalloc_free(&prof.records, r);
        return false;
    }
    *r = (struct mem_record){ .special = { .kind = SPECIAL_PROFILE }, .bucket = b };
    atomic_fetch_add_relaxed(&prof.samples, 1);
    bool added = special_add(s, object, &r->special);
    check(added); /* a new object */
    return true;
}

static void on_alloc(const struct alloc_event *e)
{
    uintptr_t pc[CALLSTACK_MAX];
    uint64_t rate = atomic_load_relaxed(&prof.rate); /* one that changes now is as good as either */
    if (rate == 0) return;
    uintptr_t object = (uintptr_t)e->object;
    struct mem_stack stack = { .size = span_elem_size(span_of(object)),
                               .rate = effective_rate(rate),
                               .pc = pc,
                               .npc = callstack_here(pc, e->frame) };
    struct span *s = specials_enter(object);
    if (!count_sample(s, object, &stack)) atomic_fetch_add_relaxed(&prof.dropped, 1);
    specials_leave();
}

static void on_freed(struct special *sp)
{
    struct mem_record *r = container_of(sp, struct mem_record, special);
    lock_acquire(&prof.buckets.lock);
    mem_bucket_free_locked(r->bucket, cycle_now());
    lock_release(&prof.buckets.lock);
    fixalloc_free(&prof.records, r);
    atomic_fetch_add_relaxed(&prof.freed, 1);
}

/* ---- the rate -------------------------------------------------------------------------------- */

static void store_rate_stw(uint64_t rate)
{
    if (rate > RATE_MAX) rate = RATE_MAX;
    if (rate != 0) prof.last = rate;
    atomic_store_relaxed(&prof.rate, rate);
    alloc_observe(rate == 1, rate);
}

/* On the system stack.  Caches of Ps that are not in use now may be again. */
static void change_rate(void *arg)
{
    uint64_t *rate = arg, old;
    world_stop(STOP_STATS, NULL);
    old = prof.rate;
    store_rate_stw(*rate);
    for (int i = 0; i < MAX_PROCS && p_at(i) != NULL; i++)
        if (p_at(i)->mcache != NULL) mcache_observe_stw(p_at(i)->mcache);
    world_start();
    *rate = old;
}

static bool open_buckets(void)
{
    crit_enter();
    bool open = membuckets_open(&prof.buckets);
    if (open) callstack_open(&heap->profile_bytes);
    crit_exit();
    return open;
}

/* Before boot. */
static int64_t set_rate_early(int64_t bytes)
{
    int64_t old = (int64_t)(prof.set ? prof.rate : prof.used ? MEMPROFILE_RATE : 0);
    if (bytes >= 0) {
        prof.rate = (uint64_t)bytes;
        prof.set = true;
    }
    return old;
}

int64_t gort_set_mem_profile_rate(int64_t bytes)
{
    if (!prof.booted) return set_rate_early(bytes);
    g_require("gort_set_mem_profile_rate");
    if (bytes < 0) return (int64_t)atomic_load_relaxed(&prof.rate);
    if (bytes > 0 && !open_buckets()) {
        errno = ENOMEM;
        return -1;
    }
    uint64_t rate = (uint64_t)bytes;
    call_on_system_stack(change_rate, &rate);
    return (int64_t)rate;
}

void gort_mem_profile_use_raw(void)
{
    if (!prof.booted) prof.used = true;
}

/* ---- reading --------------------------------------------------------------------------------- */

struct mem_sample {
    const struct mem_bucket *bucket;
    struct mem_counts counts;
};

struct snapshot {
    struct mem_sample *samples;
    size_t n;
    uint64_t period;
};

/* What can be had: the sweep of this cycle has ended, or not yet. */
static enum mem_view view_now(void)
{
    if (cycle_now() == prof.cycle0) return MEM_ALL;
    return heap_sweep_done() ? MEM_SWEPT : MEM_PUBLISHED;
}

/* Up to n buckets from *next on. */
static size_t copy_some(struct mem_bucket **next, struct mem_sample *to, size_t n,
                        enum mem_view view)
{
    size_t i = 0;
    crit_enter();
    lock_acquire(&prof.buckets.lock);
    for (; i < n && *next != NULL; *next = (*next)->older, i++)
        to[i] = (struct mem_sample){ *next, mem_bucket_read_locked(*next, cycle_now(), view) };
    lock_release(&prof.buckets.lock);
    crit_exit();
    return i;
}

/* The newest bucket, and how many there are. */
static struct mem_bucket *newest_bucket(size_t *n)
{
    crit_enter();
    lock_acquire(&prof.buckets.lock);
    struct mem_bucket *b = prof.buckets.newest;
    *n = prof.buckets.count;
    lock_release(&prof.buckets.lock);
    crit_exit();
    return b;
}

/* All counts as of one moment: no collection begins meanwhile. */
static bool snapshot_take(struct snapshot *s)
{
    size_t max;
    struct mem_bucket *next = newest_bucket(&max);
    *s = (struct snapshot){ .period = prof.last };
    if (max == 0) return true;
    s->samples = persistent_map(max * sizeof *s->samples, &heap->profile_bytes);
    if (s->samples == NULL) return false;
    cycle_lock();
    enum mem_view view = view_now();
    for (size_t n = 1; n != 0; s->n += n)
        n = copy_some(&next, s->samples + s->n,
                      max - s->n < COPY_AT_ONCE ? max - s->n : COPY_AT_ONCE, view);
    cycle_unlock();
    check(s->n == max);
    return true;
}

/* ---- writing --------------------------------------------------------------------------------- */

/* What the frames of public calls are called, where they could not be left out by their place. */
#define INNER_CALLS                                                                                         \
    "gort_(alloc|alloc_noscan|alloc_uninit|new_raw|new_array_raw|new_flex_raw|chan_make_raw|go_copy|defer|" \
    "select|select_try|select_until|metric_histogram)"

uint64_t memprofile_scale(uint64_t sampled, uint64_t size, uint64_t rate)
{
    if (rate <= 1 || size == 0) return sampled;
    double part = -expm1(-(double)size / (double)rate);
    return (uint64_t)((double)sampled / part + 0.5);
}

static void write_sample(struct pprof *p, const struct mem_sample *m)
{
    const struct mem_bucket *b = m->bucket;
    if (m->counts.allocs == 0) return;
    uint64_t used = m->counts.allocs - m->counts.frees;
    uint64_t allocs = memprofile_scale(m->counts.allocs, b->size, b->rate);
    used = memprofile_scale(used, b->size, b->rate);
    struct pprof_sample s = { .pc = b->pc,
                              .npc = b->npc,
                              .values = { allocs, allocs * b->size, used, used * b->size },
                              .bytes = b->size };
    pprof_sample(p, &s);
}

static int write_snapshot(const struct snapshot *s, int fd)
{
    const struct pprof_head head = {
        .values = { { "alloc_objects", "count" },
                    { "alloc_space", "bytes" },
                    { "inuse_objects", "count" },
                    { "inuse_space", "bytes" } },
        .nvalues = 4,
        .period_type = { "space", "bytes" },
        .period = s->period,
        .default_value = "inuse_space",
        .duration = os_now() - events_start(),
        .drop = INNER_CALLS,
    };
    struct pprof *p = pprof_begin(&head, fd, &heap->profile_bytes);
    if (p == NULL) return ENOMEM;
    for (size_t i = 0; i < s->n; i++)
        write_sample(p, &s->samples[i]);
    return pprof_end(p);
}

static int profile_write(int fd)
{
    struct snapshot s;
    if (!snapshot_take(&s)) return ENOMEM;
    size_t bytes = s.n * sizeof *s.samples;
    race_hide(); /* one writes after the other in the same memory */
    int error = write_snapshot(&s, fd);
    race_show();
    if (s.samples != NULL) persistent_unmap(s.samples, bytes, &heap->profile_bytes);
    return error;
}

int gort_mem_profile_write_raw(int fd)
{
    g_require("gort_mem_profile_write");
    int error = profile_write(fd);
    if (error == 0) return 0;
    errno = error;
    return -1;
}

/* ---- the file of GORTMEMPROFILE -------------------------------------------------------------- */

_Noreturn static void bad_path(const char *path, int error)
{
    print_err("gort: GORTMEMPROFILE=%s: can not be written: %s\n", path, strerror(error));
    os_exit(EXIT_BAD_ENVIRONMENT);
}

/* A path that can not be written is found now, not when the program has run.  The program may
 * change its folder until then. */
static void find_path(const char *path)
{
    size_t used = 0;
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, FILE_MODE);
    if (fd < 0) bad_path(path, errno);
    (void)close(fd);
    if (path[0] != '/') {
        if (getcwd(prof.path, sizeof prof.path - 1) == NULL) bad_path(path, errno);
        used = strlen(prof.path);
        prof.path[used++] = '/';
    }
    if (strlen(path) >= sizeof prof.path - used) bad_path(path, ENAMETOOLONG);
    strcpy(prof.path + used, path);
}

static int write_file(void)
{
    int fd = open(prof.path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, FILE_MODE);
    if (fd < 0) return errno;
    int error = profile_write(fd);
    if (gort_close_fd(fd) != 0 && error == 0) error = errno;
    return error;
}

static void on_main_returned(void)
{
    if (prof.path[0] == '\0') return;
    gort_gc();
    int error = write_file();
    if (error != 0) print_err("gort: GORTMEMPROFILE: %s: %s\n", prof.path, strerror(error));
}

/* ---- boot ------------------------------------------------------------------------------------ */

static uint64_t rate_at_boot(void)
{
    if (env.profilerate_given) return env.profilerate;
    if (prof.set) return prof.rate;
    return prof.used || env.mem_profile != NULL ? MEMPROFILE_RATE : 0;
}

static void configure(void)
{
    uint64_t rate = rate_at_boot();
    prof.cycle0 = cycle_now();
    prof.last = MEMPROFILE_RATE;
    membuckets_init(&prof.buckets, &heap->profile_bytes);
    fixalloc_init(&prof.records, sizeof(struct mem_record), false, &heap->profile_bytes);
    if (rate != 0 && !open_buckets()) throw_msg("out of memory: none for the memory profile");
    gc_profile_freed = on_freed;
    alloc_observer_add(on_alloc);
    store_rate_stw(rate);
    if (env.mem_profile != NULL) find_path(env.mem_profile);
    prof.booted = true;
}

__attribute__((__constructor__)) static void memprofile_install(void)
{
    rt_hooks.configure = configure;
    rt_hooks.main_returned = on_main_returned;
}
