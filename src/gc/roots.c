/* Roots: dividing them into jobs, scanning them, and the ranges that programs register.
 *
 * Marking starts at (DESIGN 4, rules 1, 9 and 10)
 *   - the writable data of the program and its libraries (dataroots.c), in jobs of 256 KB;
 *   - registered ranges, likewise;
 *   - thread-local storage of every thread that runs goroutines;
 *   - every goroutine: its stack from the red zone below the stack pointer up, its registers, the
 *     element and the object of each waiter record, argument and wake-up message;
 *   - arguments of goroutines that have not run yet;
 *   - records that hang on objects, or did until these died (specials.c);
 *   - off-heap records of other floors, which enumerate them.
 * Jobs are numbered through; `first[kind]` says where a kind begins, and markers take numbers from
 * one counter.  Memory is cut into jobs while the world is stopped, into a list that keeps its
 * memory from cycle to cycle.
 *
 * How a stack is scanned: stackroots.c.
 *
 * Locking: registered ranges by ROOTS, in a critical section of a goroutine; so the stopper, who
 * waited for all sections to end, reads them freely.  (A thread without a goroutine has no sections
 * that a stop waits for: the calls refuse it.)  Everything else here belongs to the cycle.
 * m->ntls: Note [Ranges of a thread] in threadlocals.c.
 *
 * Answers to: gcMarkRootPrepare, markroot in mgcmark.go.
 * SPDX-License-Identifier: BSD-3-Clause
 */
#include "gc/roots.h"

#include <string.h>

#include "base/assert.h"
#include "base/bits.h"
#include "gc/gc.h"
#include "gc/pace.h"
#include "gc/specials.h"
#include "gc/stackroots.h"
#include "gc/threadlocals.h"
#include "heap/heap.h"
#include "gort/mem.h"
#include "os/os.h"
#include "sched/sched.h"
#include "sched/stw.h"

static struct {
    struct lock lock;               /* ROOTS: registered */
    struct root_list registered;    /* lock */
    struct root_list blocks;        /* pieces of memory, of kinds DATA, RANGES, TLS; the cycle's */
    uint32_t first[ROOT_KINDS + 1]; /* number of the first job of each kind; the cycle's */
    uint32_t data_block;            /* in blocks: the first one of ROOT_DATA; the cycle's */
    uint32_t stack_jobs;            /* of ROOT_STACKS the first so many; then newborns; likewise */
    gc_record_roots records[GC_RECORD_ROOTS]; /* constant after boot */
    uint32_t nrecords;
} roots = { .lock = LOCK_INIT(RANK_ROOTS) };

const char *root_kind_name(enum root_kind k)
{
    static const char *const names[ROOT_KINDS] = { "libraries", "ranges", "thread-locals",
                                                   "records",   "data",   "stacks",
                                                   "specials" };
    return k < ROOT_KINDS ? names[k] : "unknown";
}

/* ---- lists ----------------------------------------------------------------------------------- */

static bool root_list_grow(struct root_list *l)
{
    size_t page = os_page_size(), old = l->capacity * sizeof l->a[0];
    size_t bytes = old == 0 ? page : 2 * old;
    struct root_range *a = os_mem_map(NULL, bytes);
    if (a == NULL) return false;
    if (l->n != 0) memcpy(a, l->a, l->n * sizeof l->a[0]);
    atomic_fetch_add_relaxed(&heap->meta, bytes - old);
    if (old != 0) os_mem_unmap(l->a, align_up(old, page));
    l->a = a;
    l->capacity = (uint32_t)(bytes / sizeof l->a[0]);
    return true;
}

bool root_list_add(struct root_list *l, uintptr_t lo, uintptr_t hi)
{
    if (l->n == l->capacity && !root_list_grow(l)) return false;
    l->a[l->n++] = (struct root_range){ lo, hi };
    return true;
}

/* ---- registered ranges ----------------------------------------------------------------------- */

void roots_init(void)
{
    lock_init(&roots.lock, RANK_ROOTS);
    thread_locals_init();
}

static struct root_range *registered_find(uintptr_t lo)
{
    for (uint32_t i = 0; i < roots.registered.n; i++)
        if (roots.registered.a[i].lo == lo) return &roots.registered.a[i];
    return NULL;
}

#define NULL_PAGE 4096 /* nothing is mapped below */

void gort_root_add(void *start, size_t size)
{
    uintptr_t lo = (uintptr_t)start, hi;
    g_require("gort_root_add");
    if (__builtin_add_overflow(lo, size, &hi))
        throw_fmt("gort_root_add: the range %p + %zu ends beyond memory", start, size);
    if (lo < NULL_PAGE && size != 0)
        throw_fmt("gort_root_add: the range %p + %zu is no memory", start, size);
    crit_enter();
    lock_acquire(&roots.lock);
    if (registered_find(lo) != NULL)
        throw_fmt("gort_root_add: a range at %p is registered already", start);
    if (!root_list_add(&roots.registered, lo, hi))
        throw_msg("out of memory: can not register a root");
    lock_release(&roots.lock);
    crit_exit();
}

void gort_root_remove(void *start)
{
    g_require("gort_root_remove");
    crit_enter();
    lock_acquire(&roots.lock);
    struct root_range *r = registered_find((uintptr_t)start);
    if (r == NULL) throw_fmt("gort_root_remove: no range is registered at %p", start);
    *r = roots.registered.a[--roots.registered.n];
    lock_release(&roots.lock);
    crit_exit();
}

size_t roots_registered(void)
{
    return roots.registered.n; /* a test's look */
}

bool roots_registered_at(size_t i, struct root_range *out)
{
    crit_enter();
    lock_acquire(&roots.lock);
    bool found = i < roots.registered.n;
    if (found) *out = roots.registered.a[i];
    lock_release(&roots.lock);
    crit_exit();
    return found;
}

bool roots_registered_around_stw(uintptr_t address, struct root_range *out)
{
    for (uint32_t i = 0; i < roots.registered.n; i++) {
        *out = roots.registered.a[i];
        if (address - out->lo < out->hi - out->lo) return true;
    }
    return false;
}

void gc_add_record_roots(gc_record_roots fn)
{
    if (roots.nrecords == GC_RECORD_ROOTS)
        throw_msg("too many kinds of off-heap records with pointers");
    roots.records[roots.nrecords++] = fn;
}

/* ---- jobs ------------------------------------------------------------------------------------ */

static uint32_t cut_into_jobs(uintptr_t lo, uintptr_t hi)
{
    uint32_t n = 0;
    for (; lo < hi; lo += ROOT_JOB_BYTES, n++) {
        uintptr_t end = hi - lo > ROOT_JOB_BYTES ? lo + ROOT_JOB_BYTES : hi;
        if (!root_list_add(&roots.blocks, lo, end))
            throw_msg("out of memory: no list of root jobs");
    }
    return n;
}

static uint32_t cut_list(const struct root_list *l)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < l->n; i++)
        n += cut_into_jobs(l->a[i].lo, l->a[i].hi);
    return n;
}

static uint32_t cut_thread_locals(void)
{
    uint32_t n = 0;
    thread_locals_find_stw();
    for (struct m *m = m_all(); m != NULL; m = m->all_next) {
        uint32_t ntls = atomic_load_acquire(&m->ntls); /* pairs: thread_locals_read */
        for (uint32_t i = 0; i < ntls; i++)
            n += cut_into_jobs(m->tls[i].lo, m->tls[i].hi);
    }
    return n;
}

uint32_t roots_prepare_stw(void)
{
    uint32_t n[ROOT_KINDS], total = 0;
    roots.blocks.n = 0;
    stackroots_prepare_stw();
    n[ROOT_LIBRARIES] = cut_list(roots_libraries());
    n[ROOT_RANGES] = cut_list(&roots.registered);
    n[ROOT_TLS] = cut_thread_locals();
    roots.data_block = roots.blocks.n;
    n[ROOT_DATA] = cut_list(roots_program());
    roots.stack_jobs = (uint32_t)div_up(g_table_size(), ROOT_JOB_STACKS);
    n[ROOT_STACKS] = roots.stack_jobs + (uint32_t)div_up(newborns_to_scan_stw(), ROOT_JOB_NEWBORNS);
    n[ROOT_SPECIALS] = specials_root_jobs_stw();
    n[ROOT_RECORDS] = roots.nrecords;
    for (int k = 0; k < ROOT_KINDS; k++) {
        roots.first[k] = total;
        total += n[k];
    }
    roots.first[ROOT_KINDS] = total;
    return total;
}

/* ---- scanning -------------------------------------------------------------------------------- */

static uint64_t scan_block(struct marker *m, const struct root_range *r)
{
    scan_words(m, r->lo, r->hi);
    pacer_scanned(&pace_shared, PACER_SCAN_GLOBALS, r->hi - r->lo);
    m->roots += r->hi - r->lo;
    return r->hi - r->lo;
}

static void scan_stacks(struct marker *m, uint32_t job)
{
    uint32_t end = (job + 1) * ROOT_JOB_STACKS, size = g_table_size();
    size_t room = stackroots_trim_room();
    for (uint32_t i = job * ROOT_JOB_STACKS; i < end && i < size; i++) {
        struct g *g = g_at(i);
        if (g != NULL) m->roots += stackroots_scan(g, &room);
    }
}

void roots_each_record(gc_emit_range emit, void *arg)
{
    for (uint32_t i = 0; i < roots.nrecords; i++)
        roots.records[i](emit, arg);
}

static void emit_record(uintptr_t lo, uintptr_t hi, void *arg)
{
    struct marker *m = arg;
    scan_words(m, lo, hi);
    m->root_bytes[ROOT_RECORDS] += hi - lo;
    m->roots += hi - lo;
}

uint32_t roots_stopped_jobs(void)
{
    return roots.first[ROOT_FIRST_BESIDE];
}

void roots_scan_job(struct marker *m, uint32_t job)
{
    int k = 0;
    while (job >= roots.first[k + 1])
        k++;
    uint32_t i = job - roots.first[k];
    m->root_jobs[k]++;
    switch ((enum root_kind)k) {
    case ROOT_LIBRARIES:
    case ROOT_RANGES:
    case ROOT_TLS:
        m->root_bytes[k] += scan_block(m, &roots.blocks.a[job]);
        break;
    case ROOT_DATA:
        m->root_bytes[k] += scan_block(m, &roots.blocks.a[roots.data_block + i]);
        break;
    case ROOT_STACKS:
        if (i < roots.stack_jobs)
            scan_stacks(m, i);
        else
            m->roots += ROOT_JOB_NEWBORNS * WORD_SIZE + /* a word of each record */
                        stackroots_scan_newborns((i - roots.stack_jobs) * ROOT_JOB_NEWBORNS,
                                                 ROOT_JOB_NEWBORNS);
        break;
    case ROOT_SPECIALS:
        specials_scan_job(m, i);
        m->roots += SPECIALS_PER_JOB * WORD_SIZE; /* a word or two of each record */
        break;
    case ROOT_RECORDS:
        roots.records[i](emit_record, m);
        break;
    case ROOT_KINDS:
        throw_msg("a root job of no kind");
    }
}
