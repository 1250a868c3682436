/* The table of restartable ranges.
 *
 * Each program or library hands over its section once, at load time.  Its offsets are resolved and
 * sorted into a table of its own; a fixed array of pointers holds the tables.  Looking up walks the
 * few tables by their extent and searches one of them by bisection.
 *
 * Why a copy: the section is sorted neither by the linker nor across functions, it may hold many
 * thousands of ranges, and it is read in a signal handler.  Why mmap and not malloc: constructors
 * run before everything, in programs that may replace malloc by this very library.
 *
 * Invariants:
 *  (1) library[0 .. i) are published before library[i]; a slot never becomes empty again.  So a
 *      search from 0 meets every earlier registration, and registering twice finds the first.
 *  (2) A table is complete and sorted before it is published, and is never changed or unmapped.
 *  (3) A table found under the same `first` but with other contents (a library was unloaded and
 *      another one loaded at its place) is replaced as a whole; the old one stays readable.
 *
 * A library that was unloaded would leave its table behind, and its old addresses could be given to
 * code that knows nothing of it: so libraries that hold ranges are not unloaded (Note [Libraries
 * stay] in gort/inline.h).  Rejected: taking tables out by a destructor, since those also run at
 * exit, when goroutines still do; and the types of objects would be gone all the same.
 *
 * Memory order: the releasing compare-and-swap of ranges_publish pairs with the acquiring loads of
 * ranges_rollback and of ranges_publish itself.  No locks.
 *
 * Answers to nothing in Go's runtime, whose write barrier is a call with preemption off.
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "base/ranges.h"

#include <dlfcn.h>
#include <errno.h>
#include <link.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/atomic.h"
#include "base/throw.h"
#include "base/unscanned.h"
#include "gort/inline.h"

struct range_entry {
    uintptr_t start, end;
};

struct range_table {
    const struct gort_range *first; /* key: where the section lies */
    uintptr_t lo, hi;               /* every range lies in [lo, hi) */
    size_t n;
    struct range_entry entry[]; /* by rising start; ranges do not overlap */
};

/* Atomic; written by ranges_publish only (invariants 1 to 3). */
static struct range_table *library[RANGES_LIBRARIES];
UNSCANNED(library);

static uint64_t mapped; /* atomic; bytes of all tables, in whole pages: a statistic */

uint64_t ranges_bytes(void)
{
    return atomic_load_relaxed(&mapped);
}

static size_t table_bytes(size_t n)
{
    size_t bytes = sizeof(struct range_table) + n * sizeof(struct range_entry);
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    return (bytes + page - 1) / page * page;
}

/* ---- sorting: in place, without recursion, n log n for every input ------------------------- */

static void entry_swap(struct range_entry *a, struct range_entry *b)
{
    struct range_entry t = *a;
    *a = *b;
    *b = t;
}

/* e[root] may be smaller than its children in the heap e[0 .. n): moves it down. */
static void heap_sift(struct range_entry *e, size_t root, size_t n)
{
    for (;;) {
        size_t child = 2 * root + 1;
        if (child >= n) return;
        if (child + 1 < n && e[child + 1].start > e[child].start) child++;
        if (e[root].start >= e[child].start) return;
        entry_swap(&e[root], &e[child]);
        root = child;
    }
}

static bool entries_sorted(const struct range_entry *e, size_t n)
{
    for (size_t i = 1; i < n; i++)
        if (e[i - 1].start > e[i].start) return false;
    return true;
}

static void entries_sort(struct range_entry *e, size_t n)
{
    if (entries_sorted(e, n)) return;
    for (size_t i = n / 2; i-- > 0;)
        heap_sift(e, i, n);
    for (size_t end = n; end-- > 1;) {
        entry_swap(&e[0], &e[end]);
        heap_sift(e, 0, end);
    }
}

/* ---- registration ------------------------------------------------------------------------- */

static struct range_table *table_make(const struct gort_range *first, size_t n)
{
    int saved = errno;
    struct range_table *t =
        mmap(NULL, table_bytes(n), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    errno = saved;
    if (t == MAP_FAILED) throw_fmt("out of memory: cannot record %zu restartable ranges", n);
    atomic_fetch_add_relaxed(&mapped, table_bytes(n));
    t->first = first;
    t->n = n;
    for (size_t i = 0; i < n; i++) {
        t->entry[i].start = (uintptr_t)&first[i].start + (uintptr_t)(intptr_t)first[i].start;
        t->entry[i].end = (uintptr_t)&first[i].end + (uintptr_t)(intptr_t)first[i].end;
    }
    entries_sort(t->entry, n);
    t->lo = t->entry[0].start;
    t->hi = t->entry[n - 1].end;
    return t;
}

static bool table_equal(const struct range_table *a, const struct range_table *b)
{
    return a->n == b->n && memcmp(a->entry, b->entry, a->n * sizeof(a->entry[0])) == 0;
}

/* Puts t into the first slot that is empty or holds another table of the same key.  false: an equal
 * table is there already. */
static bool ranges_publish(struct range_table *t)
{
    for (size_t i = 0; i < RANGES_LIBRARIES;) {
        struct range_table *old = atomic_load_acquire(&library[i]); /* pairs with the swap below */
        if (old != NULL && old->first != t->first) {
            i++;
            continue;
        }
        if (old != NULL && table_equal(old, t)) return false;
        /* Release: the table's contents are visible before its address.  A lost race reads the
         * same slot again. */
        if (atomic_cas_release(&library[i], &old, t)) return true;
    }
    throw_fmt("more than %d libraries with restartable ranges", RANGES_LIBRARIES);
}

void gort_ranges_register(const struct gort_range *first, const struct gort_range *last)
{
    if (first >= last) return;
    struct range_table *t = table_make(first, (size_t)(last - first));
    if (!ranges_publish(t)) {
        int saved = errno;
        atomic_fetch_sub_relaxed(&mapped, table_bytes(t->n));
        munmap(t, table_bytes(t->n)); /* never published: nobody reads it */
        errno = saved;
    }
}

/* A static program has neither, and before glibc 2.34 one that is linked without -ldl. */
#pragma weak dladdr1
#pragma weak dlopen

/* Its reference is never given back.  Finds the library by the name that the loader knows it by, so
 * nothing is opened.  The program has no name there. */
void gort_library_keep_(const void *at)
{
    Dl_info info;
    void *found = NULL;
    int saved = errno;
    if (dladdr1 != NULL && dlopen != NULL && dladdr1(at, &info, &found, RTLD_DL_LINKMAP) != 0 &&
        found != NULL) {
        const struct link_map *map = found;
        if (map->l_name != NULL && map->l_name[0] != '\0')
            (void)dlopen(map->l_name, RTLD_LAZY | RTLD_NOLOAD | RTLD_NODELETE);
    }
    errno = saved;
}

/* ---- looking up --------------------------------------------------------------------------- */

/* The last entry that starts below pc; t->lo < pc. */
static const struct range_entry *table_search(const struct range_table *t, uintptr_t pc)
{
    size_t lo = 0, hi = t->n; /* entry[lo].start < pc, and entry[hi].start >= pc or hi == n */
    while (hi - lo > 1) {
        size_t mid = lo + (hi - lo) / 2;
        if (t->entry[mid].start < pc)
            lo = mid;
        else
            hi = mid;
    }
    return &t->entry[lo];
}

uintptr_t ranges_rollback(uintptr_t pc)
{
    for (size_t i = 0; i < RANGES_LIBRARIES; i++) {
        const struct range_table *t = atomic_load_acquire(&library[i]); /* ranges_publish */
        if (t == NULL) break;
        if (pc <= t->lo || pc >= t->hi) continue;
        const struct range_entry *e = table_search(t, pc);
        if (pc < e->end) return e->start;
    }
    return pc;
}

size_t ranges_library_count(void)
{
    size_t n = 0;
    while (n < RANGES_LIBRARIES && atomic_load_acquire(&library[n]) != NULL) /* ranges_publish */
        n++;
    return n;
}

size_t ranges_count(void)
{
    size_t total = 0;
    for (size_t i = 0; i < RANGES_LIBRARIES; i++) {
        const struct range_table *t = atomic_load_acquire(&library[i]); /* ranges_publish */
        if (t == NULL) break;
        total += t->n;
    }
    return total;
}
