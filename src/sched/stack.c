/* Goroutine stacks, and the table of all goroutines.
 *
 * What it is: stacks are slots of a power of two of bytes, cut from one contiguous reservation per
 * size class.  A slot, from its high end to its low end:
 *
 *      slot end  +--------------------+
 *                | colour             |  0 to 31 cache lines, by the slot's address
 *                +--------------------+
 *                | struct g           |
 *      stack_hi  +--------------------+
 *                | arguments, frames  |  the first frames share a page with the record
 *                |         |          |
 *                |         v          |
 *      stack_lo  +--------------------+
 *                | guard              |  a quarter of the slot, at most 64 KB
 *      slot      +--------------------+
 *
 * A parked goroutine thus costs one page of 4 KB.  Without colours the tops of all stacks fall into
 * the same sets of the first-level cache: switching among a thousand was three times slower.
 *
 * Why this way: one reservation is one entry in the kernel's list of mappings, however many stacks
 * it holds, and guards that are not mappings (MADV_GUARD_INSTALL) keep it so.  Where the kernel
 * has no such guards, each costs two entries and vm.max_map_count ends the growth near 32,000
 * stacks: stack_alloc then fails with ENOMEM.  Rejected: one mapping per stack (the same limit
 * everywhere); taking guards off when a stack is freed (a system call each way); copying stacks (C
 * pointers into them can not be found).
 *
 * Reservations: 256 GB at once where the kernel allows that, because address space is free.  A
 * limit (RLIMIT_AS, strict overcommit) makes it dear: then chunks start small and double, so that
 * stacks never hold much more than they use, and the heap finds room.  Sizes above the largest
 * class are single mappings, rounded to powers of two so that they too are reused.
 *
 * Invariants:
 *  (1) A slot below chunk->used whose record says where its stack ends (stack_hi) has a guard, a
 *      record and an index; the others there are being made, or were refused a guard and are on
 *      their class's list of those.  Slots above were never touched.
 *  (2) A record stays where it is and its memory stays mapped, so stale pointers can be read.
 *  (3) A dead record is on one of its class's free lists, or in the hands of one user (a P's cache,
 *      who gives its pages back).
 *  (4) Indices are dense: g_at(i) is not NULL for i < g_table_size().
 *  (5) A failing stack_alloc leaves nothing behind that the next one does not use.
 *
 * Note [Fresh stacks].  The first use of a slot is dear: the guard is a call of the kernel, and the
 * record's page a fault, with a page of tables for every eighth slot.  That is three to five
 * microseconds, where the rest of a start takes a tenth of one.  So:
 *   - Nothing of it is done under STACKS, where it would keep all others waiting who start or end
 *     goroutines.  Slots and places of the table are reserved under the lock
 *     (fresh_reserve_locked), guarded and filled without it by the one who has them (fresh_guard,
 *     fresh_fill), and made known under it again (fresh_known_locked): the table never has a record
 *     that is not whole.  Several threads do so at once, and need not end in the order in which
 *     they began.
 *   - Where a class has many, they are made FRESH_AT_ONCE at a time, whose guards are one call.  No
 *     more: who needs one for a goroutine is in a critical section, for which stops wait.
 *   - An M that looks for work in vain makes FRESH_AHEAD while stacks are short (stack_make_ahead),
 *     guards and pages in state BLOCKING.  So where a million goroutines begin, who runs them has
 *     the help of other processors.
 * What was made ahead and waits, or is in the making, is at most one in FRESH_SHARE of what the
 * class has by then: a program with few goroutines has no page more for it.  A slot whose guard is
 * refused waits on a list for the next one who wants a fresh one; the link lies in its record,
 * which costs a page.  Where guards are mappings nothing is made ahead, since these are few.
 *
 * Note [Pages of stacks].  A stack keeps the pages that it once reached, and two kinds of them are
 * given back:
 *   - Of the dead, all but the record's page.  A class has three lists: those that died since the
 *     last trimming (young), those that were dead then already (old), those that have no pages
 *     (bare).  After each cycle's sweep the old ones become bare and the young ones old, so a stack
 *     that is in use again and again keeps its pages; who wants one takes a young one first, and a
 *     P that has none left takes several young ones.  A P's own cache (at most GFREE_MAX, of any
 *     depth) is emptied into the young ones in the cycle's last stop: a chain, however long.
 *   - Of those that wait, what lies below the stack pointer (stack_trim_claimed).  The caller has
 *     the stack's claim (Note [No grey stack runs] in grey.c), so it is not run; below the red zone
 *     of the saved stack pointer nobody has anything.  TRIM_KEPT below it stay, and whether more is
 *     there is asked of the kernel, by one page: a stack that is deep for a moment in each turn
 *     loses nothing, and most stacks cost that question.  The caller says how much at most, since
 *     stops wait for the claim's section; the deepest pages go first, so that the next look finds
 *     the rest.
 *
 * Note [Core files].  A reservation in a core file is a hole of its full size, which file systems
 * and what copies files may not know as one: half a terabyte for a program of a few megabytes, and
 * the kernel takes half a minute to look for pages in it.  So core files are told to leave chunks
 * out, but for the slots in use and some more, DUMPED_STEP at a time, since each step changes the
 * kernel's list of mappings.  A chunk is two entries there.  The heap needs nothing of the kind: it
 * maps arenas as it grows.
 *
 * Locking: STACKS for everything here that is written, but for records being filled.
 * Memory order: chunks, their `used`, records (by stack_hi) and the table's size are published with
 * release and read with acquire, so address lookup works in signal handlers and the table in a
 * stopped world, without locks.
 *
 * Answers to: stack.go, stackalloc and allgs in proc.go.
 * SPDX-License-Identifier: BSD-3-Clause
 */
#include "sched/stack.h"

#include <errno.h>

#include "base/assert.h"
#include "base/atomic.h"
#include "base/bits.h"
#include "heap/persistent.h"
#include "os/os.h"
#include "sched/sanitize.h"
#include "sched/blocks.h"
#include "sched/sched_internal.h"

#define SLOT_SHIFT 16  /* the smallest slot: 64 KB */
#define ALL_CLASSES 25 /* up to 1 TB; those from STACK_CLASSES on are single mappings */
#define GUARD_MIN (16 * KB)
#define GUARD_MAX (64 * KB)
#define REGION_BYTES ((size_t)256 * GB) /* tried first */
#define REGION_SHARE 16                 /* at most this part of a limited address space at once */
#define SMALL_CHUNK_SLOTS 16            /* where reservations are refused: the first chunk */
#define LARGE_KEPT (64 * KB)            /* resident top of a single mapping that is free */
#define COLOUR_BITS 5
#define TRIM_KEPT (64 * KB)   /* of a waiting stack, below the stack pointer */
#define DUMPED_STEP (16 * MB) /* of slots becomes part of core files at a time */
#define DUMPED_SHARE 8        /* or so much of what is there */
#define TRIM_BATCH 8          /* dead stacks taken off the list at a time */
#define FRESH_SHARE 16u       /* Note [Fresh stacks] */
#define FRESH_AT_ONCE 8u      /* by who needs one for a goroutine */
#define FRESH_AHEAD 32u       /* by who has nothing else to do, at a time */
#define AHEAD_MOST 128u       /* that wait */

#define RECORD_BYTES ((sizeof(struct g) + CACHE_LINE - 1) & ~(size_t)(CACHE_LINE - 1))

_Static_assert(STACK_DEFAULT == (size_t)1 << (SLOT_SHIFT + STACK_DEFAULT_CLASS),
               "the default class is the default size");
_Static_assert(RECORD_BYTES + ((1 << COLOUR_BITS) - 1) * CACHE_LINE + 512 <= 4096,
               "record, colour and the first frames share a page");

/* Contiguous slots of one class. */
struct stack_chunk {
    uintptr_t lo, hi;         /* constant */
    struct stack_chunk *next; /* all chunks, newest first; constant once published */
    uint32_t class;           /* constant */
    uint32_t nslots;          /* constant */
    uint32_t used;            /* invariant (1); atomic, rises, written under STACKS */
    uint32_t dumped;          /* slots below are in core files; STACKS */
};

/* Note [Pages of stacks]; in the order in which they are used.  FRESH were never used. */
enum { YOUNG, OLD, BARE, FRESH, FREE_LISTS };

/* STACKS. */
struct stack_class {
    struct g *free[FREE_LISTS]; /* dead goroutines, last freed first, through sched_link */
    struct g *unguarded;        /* records of slots whose guards were refused, in the same way */
    uint64_t nfree;             /* in the lists of free[], or being made bare */
    uint64_t used;              /* of all its chunks */
    uint64_t making;            /* by stack_make_ahead */
    struct stack_chunk *chunk;  /* where new slots come from */
    size_t want;                /* bytes of the next chunk */
};

static struct {
    struct lock lock;
    struct stack_class classes[ALL_CLASSES];
    struct stack_chunk *all;   /* atomic; pushed under STACKS, never removed */
    struct stack_chunk *spare; /* a record whose chunk was refused; STACKS */
    bool guards_are_mappings;  /* constant after stack_init */
    uint64_t nunguarded;       /* of all classes; STACKS */
    uint64_t bared, trimmed;   /* atomic; statistics: stacks */
    uint64_t made_ahead;       /* atomic; a statistic: stacks made by stack_make_ahead */
    /* A class that is short of stacks, plus 1; 0: none.  Atomic: a hint, written under STACKS. */
    uint32_t short_of;
} stacks = { .lock = LOCK_INIT(RANK_STACKS) };

/* ---- the table of all goroutines ------------------------------------------------------------ */

#define TABLE_BLOCK0 1024u
#define TABLE_BLOCKS 22 /* 2^32 goroutines */

static struct {
    struct g **blocks[TABLE_BLOCKS]; /* set once under STACKS, before `size` reaches them */
    uint32_t size;                   /* atomic; rises under STACKS */
    uint32_t reserved;               /* places from `size` on that have their blocks; STACKS */
    uint32_t block0;                 /* places in blocks[0]; for debuggers: tools/gort-gdb.py */
} table = { .block0 = TABLE_BLOCK0 };

uint32_t g_table_size(void)
{
    return atomic_load_acquire(&table.size); /* pairs with the release in table_append_locked */
}

struct g *g_at(uint32_t index)
{
    if (index >= g_table_size()) return NULL;
    struct block_place at = block_place_of(index, TABLE_BLOCK0);
    return table.blocks[at.block][at.offset];
}

static bool table_block_locked(uint32_t place)
{
    struct block_place at = block_place_of(place, TABLE_BLOCK0);
    if (table.blocks[at.block] != NULL) return true;
    size_t bytes = ((size_t)TABLE_BLOCK0 << at.block) * sizeof(struct g *);
    table.blocks[at.block] = persistent_map(bytes, &sched.meta_bytes);
    return table.blocks[at.block] != NULL;
}

/* Room for n more, fewer than a block has; what was mapped stays for the next call when this one
 * fails. */
static bool table_reserve_locked(uint32_t n)
{
    uint32_t end = table.size + table.reserved + n;
    if (!table_block_locked(end - n) || !table_block_locked(end - 1)) return false;
    table.reserved += n;
    /* Those of others, too, who reserved before and have not appended yet. */
    assert_that(table.blocks[block_place_of(table.size + table.reserved - 1, TABLE_BLOCK0).block]);
    return true;
}

static void table_append_locked(struct g *g)
{
    struct block_place at = block_place_of(table.size, TABLE_BLOCK0);
    assert_that(table.reserved != 0);
    table.reserved--;
    g->index = table.size;
    table.blocks[at.block][at.offset] = g;
    atomic_store_release(&g->stack_hi, (uintptr_t)g);  /* pairs with slot_owner */
    atomic_store_release(&table.size, table.size + 1); /* pairs with g_table_size */
}

/* ---- slots ---------------------------------------------------------------------------------- */

static size_t slot_bytes(uint32_t class)
{
    return (size_t)1 << (SLOT_SHIFT + class);
}

static size_t guard_bytes(uint32_t class)
{
    size_t guard = class == 0 ? GUARD_MIN : class == 1 ? 2 * GUARD_MIN : GUARD_MAX;
    return align_up(guard, os_page_size());
}

/* The smallest class of at least `size` bytes whose guard leaves most of the slot; ALL_CLASSES: too
 * large. */
static uint32_t class_for(size_t size)
{
    if (size == 0) size = STACK_DEFAULT;
    uint32_t class = bits_len64((size - 1) >> SLOT_SHIFT);
    while (class < ALL_CLASSES && slot_bytes(class) < 4 * guard_bytes(class))
        class ++; /* pages of 64 KB */
    return class < ALL_CLASSES ? class : ALL_CLASSES;
}

/* The record's place follows from the slot's address, so lookup needs no table. */
static struct g *slot_record(uintptr_t slot, uint32_t class)
{
    uint64_t mixed = (uint64_t)(slot >> SLOT_SHIFT) * UINT64_C(0x9e3779b97f4a7c15);
    size_t colour = (size_t)(mixed >> (64 - COLOUR_BITS)) * CACHE_LINE;
    return (struct g *)(slot + slot_bytes(class) - colour - RECORD_BYTES);
}

static never_inline __attribute__((__unused__)) bool record_is_valid(const struct g *g)
{
    uintptr_t slot = g->stack_lo - guard_bytes(g->slot_class);
    return g->slot_class < ALL_CLASSES && slot_record(slot, g->slot_class) == g &&
           g->stack_hi == (uintptr_t)g && g_at(g->index) == g && stack_owner(g->stack_lo) == g;
}

/* ---- chunks --------------------------------------------------------------------------------- */

/* What to ask for while nothing was refused. */
static size_t region_bytes(uint32_t class)
{
    size_t slot = slot_bytes(class);
    if (class >= STACK_CLASSES) return slot;
    size_t most = REGION_BYTES;
    uint64_t limit = os_address_space_limit();
    while (most > slot && most > limit / REGION_SHARE)
        most /= 2;
    return most;
}

/* Maps as much as can be had of what the class wants.  All sizes are the slot times a power of
 * two. */
static void *chunk_map_locked(struct stack_class *k, uint32_t class, size_t *bytes)
{
    size_t slot = slot_bytes(class), region = region_bytes(class), small = SMALL_CHUNK_SLOTS * slot;
    size_t want = k->want != 0 ? k->want : region;
    void *got = os_mem_map(NULL, want);
    if (got == NULL && want == region && want > small) {
        want = small;
        got = os_mem_map(NULL, want);
    }
    while (got == NULL && want > slot) {
        want /= 2;
        got = os_mem_map(NULL, want);
    }
    k->want = want < region ? 2 * want : region;
    *bytes = want;
    return got;
}

static struct stack_chunk *chunk_record_locked(void)
{
    struct stack_chunk *c = stacks.spare;
    stacks.spare = NULL;
    if (c == NULL) c = persistent_alloc(sizeof(*c), CACHE_LINE, &sched.meta_bytes);
    return c;
}

/* A chunk of the class with a slot never used, or NULL: no address space. */
static struct stack_chunk *chunk_with_room_locked(uint32_t class)
{
    struct stack_class *k = &stacks.classes[class];
    if (k->chunk != NULL && k->chunk->used < k->chunk->nslots) return k->chunk;
    struct stack_chunk *c = chunk_record_locked();
    if (c == NULL) return NULL;
    size_t bytes;
    char *lo = chunk_map_locked(k, class, &bytes);
    if (lo == NULL) {
        stacks.spare = c;
        return NULL;
    }
    os_mem_nohugepage(lo, bytes); /* a huge page would make a parked goroutine cost 2 MB */
    os_mem_name(lo, bytes, "gort stacks");
    os_mem_dump(lo, bytes, false);
    c->lo = (uintptr_t)lo;
    c->hi = (uintptr_t)lo + bytes;
    c->class = class;
    c->nslots = (uint32_t)(bytes / slot_bytes(class));
    c->used = c->dumped = 0;
    c->next = stacks.all;
    atomic_store_release(&stacks.all, c); /* pairs with chunk_of */
    k->chunk = c;
    return c;
}

/* Signal-safe.  The search is short: a chunk per class, more only under limits or for stacks beyond
 * the largest class. */
static const struct stack_chunk *chunk_of(uintptr_t addr)
{
    const struct stack_chunk *c = atomic_load_acquire(&stacks.all); /* chunk_with_room_locked */
    while (c != NULL && (addr < c->lo || addr >= c->hi))
        c = c->next;
    return c;
}

/* ---- allocating ----------------------------------------------------------------------------- */

static void put_locked(struct stack_class *k, struct g *g, int list)
{
    g->sched_link = k->free[list];
    k->free[list] = g;
}

/* NULL: the list is empty. */
static struct g *take_locked(struct stack_class *k, int list)
{
    struct g *g = k->free[list];
    if (g == NULL) return NULL;
    k->free[list] = g->sched_link;
    g->sched_link = NULL;
    return g;
}

static struct g *reuse_locked(uint32_t class)
{
    struct stack_class *k = &stacks.classes[class];
    struct g *g = NULL;
    for (int list = YOUNG; g == NULL && list < FREE_LISTS; list++)
        g = take_locked(k, list);
    if (g != NULL) k->nfree--;
    return g;
}

/* Note [Core files]. */
static void dump_locked(struct stack_chunk *c)
{
    size_t slot = slot_bytes(c->class);
    uint32_t left = c->nslots - c->dumped,
             n = slot < DUMPED_STEP ? (uint32_t)(DUMPED_STEP / slot) : 1;
    if (c->used <= c->dumped) return;
    if (n < c->used / DUMPED_SHARE) n = c->used / DUMPED_SHARE;
    if (n < c->used - c->dumped) n = c->used - c->dumped;
    if (n > left) n = left;
    os_mem_dump((void *)(c->lo + c->dumped * slot), n * slot, true);
    c->dumped += n;
}

/* ---- making: Note [Fresh stacks] ------------------------------------------------------------- */

/* Contiguous slots in the hands of one thread. */
struct fresh {
    uintptr_t slot; /* the first */
    uint32_t class, n;
};

/* How many of the class may be made beyond what is wanted now. */
static uint32_t share_of(uint32_t class, uint32_t most)
{
    uint64_t n = stacks.classes[class].used / FRESH_SHARE;
    if (class >= STACK_CLASSES || stacks.guards_are_mappings) return 0;
    return n < most ? (uint32_t)n : most;
}

/* Stacks were taken, and few are left: see stack_make_ahead. */
static void note_short_locked(uint32_t class)
{
    if (stacks.classes[class].nfree < share_of(class, AHEAD_MOST) / 2)
        atomic_store_relaxed(&stacks.short_of, class + 1);
}

/* Slots, at most `most`, and places in the table for them.  false: nothing is taken. */
static bool fresh_reserve_locked(struct fresh *f, uint32_t class, uint32_t most)
{
    struct stack_class *k = &stacks.classes[class];
    struct g *again = k->unguarded;
    if (again != NULL) {
        if (!table_reserve_locked(1)) return false;
        k->unguarded = again->sched_link;
        stacks.nunguarded--;
        again->sched_link = NULL;
        uintptr_t lo = chunk_of((uintptr_t)again)->lo; /* slots are aligned to it, not to 0 */
        *f = (struct fresh){ lo + align_down((uintptr_t)again - lo, slot_bytes(class)), class, 1 };
        return true;
    }
    struct stack_chunk *c = chunk_with_room_locked(class);
    if (c == NULL) return false;
    uint32_t room = c->nslots - c->used, n = most < room ? most : room;
    if (!table_reserve_locked(n)) return false;
    *f = (struct fresh){ c->lo + c->used * slot_bytes(class), class, n };
    k->used += n;
    atomic_store_release(&c->used, c->used + n); /* pairs with slot_owner */
    dump_locked(c);
    return true;
}

/* How many have guards now; fewer than all: why the next one has none. */
static uint32_t fresh_guard(const struct fresh *f, int *error)
{
    return (uint32_t)os_mem_guard_each((void *)f->slot, guard_bytes(f->class), slot_bytes(f->class),
                                       f->n, error);
}

static struct g *fresh_record(const struct fresh *f, uint32_t i)
{
    return slot_record(f->slot + i * slot_bytes(f->class), f->class);
}

/* The first touch of the records. */
static void fresh_fill(const struct fresh *f, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        struct g *g = fresh_record(f, i);
        g->stack_lo = f->slot + i * slot_bytes(f->class) + guard_bytes(f->class);
        g->slot_class = f->class;
    }
}

/* The first n have guards and are filled: all but the first `kept` become free.  Those without a
 * guard wait. */
static void fresh_known_locked(const struct fresh *f, uint32_t n, uint32_t kept)
{
    struct stack_class *k = &stacks.classes[f->class];
    for (uint32_t i = 0; i < n; i++)
        table_append_locked(fresh_record(f, i));
    for (uint32_t i = n; i > kept; i--) {
        put_locked(k, fresh_record(f, i - 1), FRESH);
        k->nfree++;
    }
    table.reserved -= f->n - n;
    stacks.nunguarded += f->n - n;
    for (uint32_t i = f->n; i > n; i--) {
        struct g *g = fresh_record(f, i - 1);
        g->sched_link = k->unguarded;
        k->unguarded = g;
    }
}

/* The first of them, for the caller; NULL: it has no guard. */
static struct g *fresh_make(const struct fresh *f, int *error)
{
    uint32_t n = fresh_guard(f, error);
    fresh_fill(f, n);
    lock_acquire(&stacks.lock);
    fresh_known_locked(f, n, 1);
    lock_release(&stacks.lock);
    return n != 0 ? fresh_record(f, 0) : NULL;
}

struct g *stack_alloc(size_t size, int *error)
{
    uint32_t class = class_for(size);
    struct fresh f = { 0, 0, 0 };
    *error = ENOMEM;
    if (class == ALL_CLASSES) return NULL;
    lock_acquire(&stacks.lock);
    struct g *g = reuse_locked(class);
    bool reused = g != NULL;
    if (!reused) (void)fresh_reserve_locked(&f, class, 1 + share_of(class, FRESH_AT_ONCE - 1));
    note_short_locked(class);
    lock_release(&stacks.lock);
    if (f.n != 0) g = fresh_make(&f, error);
    if (g == NULL) return NULL;
    /* Frames that never returned left their red zones. */
    if (reused) sanitize_forget(g->stack_lo, g->stack_hi);
    assert_that(g->status == G_DEAD);
    assert_heavy(record_is_valid(g));
    return g;
}

bool stacks_are_short(void)
{
    return atomic_load_relaxed(&stacks.short_of) != 0;
}

bool stack_make_ahead(struct m *m)
{
    uint32_t class = atomic_load_relaxed(&stacks.short_of); /* a hint */
    struct fresh f = { 0, 0, 0 };
    int error = 0;
    if (likely(class == 0)) return false;
    class --;
    struct stack_class *k = &stacks.classes[class];
    lock_acquire(&stacks.lock);
    uint64_t have = k->nfree + k->making, most = share_of(class, AHEAD_MOST);
    uint32_t wanted = have >= most ? 0 : (uint32_t)(most - have);
    if (wanted > FRESH_AHEAD) wanted = FRESH_AHEAD;
    if (wanted == 0 || !fresh_reserve_locked(&f, class, wanted))
        atomic_store_relaxed(&stacks.short_of, 0u);
    k->making += f.n;
    lock_release(&stacks.lock);
    if (f.n == 0) return false;
    m_enter_blocking_state(m); /* system calls only: what lasts */
    uint32_t n = fresh_guard(&f, &error);
    size_t page = os_page_size();
    os_mem_populate_each((void *)(f.slot + slot_bytes(class) - page), page, slot_bytes(class), n);
    m_leave_blocking_state(m, M_RUNTIME);
    fresh_fill(&f, n);
    lock_acquire(&stacks.lock);
    k->making -= f.n;
    fresh_known_locked(&f, n, 0);
    if (n < f.n) atomic_store_relaxed(&stacks.short_of, 0u); /* refused: not again at once */
    lock_release(&stacks.lock);
    atomic_fetch_add_relaxed(&stacks.made_ahead, n);
    return true;
}

void stack_free(struct g *g)
{
    uint32_t class = g->slot_class;
    assert_that(g->status == G_DEAD && g != g_self());
    assert_heavy(record_is_valid(g));
    if (class >= STACK_CLASSES) {
        uintptr_t keep = align_down((uintptr_t)g - LARGE_KEPT, os_page_size());
        (void)os_mem_release((void *)g->stack_lo, keep - g->stack_lo); /* advice */
    }
    lock_acquire(&stacks.lock);
    struct stack_class *k = &stacks.classes[class];
    put_locked(k, g, YOUNG);
    k->nfree++;
    lock_release(&stacks.lock);
}

void stack_free_default(struct g *first, struct g *last, uint32_t n)
{
    assert_that(first->slot_class == STACK_DEFAULT_CLASS && last->sched_link == NULL);
    lock_acquire(&stacks.lock);
    struct stack_class *k = &stacks.classes[STACK_DEFAULT_CLASS];
    last->sched_link = k->free[YOUNG];
    k->free[YOUNG] = first;
    k->nfree += n;
    lock_release(&stacks.lock);
}

struct g *stack_take_default(uint32_t *n, struct g **last)
{
    struct stack_class *k = &stacks.classes[STACK_DEFAULT_CLASS];
    uint32_t most = *n, got = 0;
    *n = 0;
    /* A hint, for new ones by the million. */
    if (atomic_load_relaxed(&k->free[YOUNG]) == NULL &&
        atomic_load_relaxed(&k->free[FRESH]) == NULL)
        return NULL;
    lock_acquire(&stacks.lock);
    int list = k->free[YOUNG] != NULL ? YOUNG : FRESH;
    /* Fresh ones only when no others are left, and few: a P's are given back like those that
     * were used. */
    if (list == FRESH && (k->free[OLD] != NULL || k->free[BARE] != NULL)) most = 0;
    if (list == FRESH && most > FRESH_AT_ONCE) most = FRESH_AT_ONCE;
    struct g *first = k->free[list], *end = NULL;
    for (struct g *g = first; g != NULL && got < most; g = g->sched_link, got++)
        end = g;
    if (end == NULL) {
        first = NULL;
    } else {
        k->free[list] = end->sched_link;
        end->sched_link = NULL;
        k->nfree -= got;
    }
    note_short_locked(STACK_DEFAULT_CLASS);
    lock_release(&stacks.lock);
    for (struct g *g = first; g != NULL; g = g->sched_link)
        sanitize_forget(g->stack_lo, g->stack_hi);
    *n = got;
    *last = end;
    return first;
}

size_t stack_slot_bytes(const struct g *g)
{
    return slot_bytes(g->slot_class);
}

/* ---- giving pages back: Note [Pages of stacks] ----------------------------------------------- */

static uint32_t take_old(struct g *out[TRIM_BATCH])
{
    uint32_t n = 0;
    lock_acquire(&stacks.lock);
    for (uint32_t class = 0; class < ALL_CLASSES && n < TRIM_BATCH; class ++)
        while (n < TRIM_BATCH && (out[n] = take_locked(&stacks.classes[class], OLD)) != NULL)
            n++;
    lock_release(&stacks.lock);
    return n;
}

static void put_bare(struct g *const g[], uint32_t n)
{
    lock_acquire(&stacks.lock);
    for (uint32_t i = 0; i < n; i++)
        put_locked(&stacks.classes[g[i]->slot_class], g[i], BARE);
    lock_release(&stacks.lock);
    atomic_fetch_add_relaxed(&stacks.bared, n);
}

bool stack_trim_some(void)
{
    struct g *g[TRIM_BATCH];
    uint32_t n = take_old(g);
    for (uint32_t i = 0; i < n; i++) {
        uintptr_t top = align_down((uintptr_t)g[i], os_page_size());
        (void)os_mem_release((void *)g[i]->stack_lo, top - g[i]->stack_lo); /* advice */
    }
    put_bare(g, n);
    return n != 0;
}

void stack_age(void)
{
    lock_acquire(&stacks.lock);
    for (uint32_t class = 0; class < ALL_CLASSES; class ++) {
        struct stack_class *k = &stacks.classes[class];
        if (k->free[OLD] != NULL) continue; /* somebody is at them */
        k->free[OLD] = k->free[YOUNG];
        k->free[YOUNG] = NULL;
    }
    lock_release(&stacks.lock);
}

/* The lowest page of [lo, hi) that is there, when those that are there end at hi. */
static uintptr_t lowest_resident(uintptr_t lo, uintptr_t hi)
{
    size_t page = os_page_size();
    while (hi - lo > page) {
        uintptr_t mid = align_down(lo + (hi - lo) / 2, page);
        if (os_mem_is_resident((void *)mid))
            hi = mid;
        else
            lo = mid;
    }
    return os_mem_is_resident((void *)lo) ? lo : hi;
}

size_t stack_trim_claimed(struct g *g, size_t most)
{
    uintptr_t sp = g->ctx.sp, page = os_page_size();
    if (g->status != G_WAITING || sp < g->stack_lo + TRIM_KEPT + page || sp >= g->stack_hi)
        return 0;
    uintptr_t hi = align_down(sp - TRIM_KEPT, page), lo = g->stack_lo;
    if (hi <= lo || !os_mem_is_resident((void *)(hi - page))) return 0;
    if (hi - lo > most) lo = lowest_resident(lo, hi - page);
    size_t bytes = hi - lo < most ? hi - lo : most;
    if (os_mem_release((void *)lo, bytes) != 0) return 0;
    atomic_fetch_add_relaxed(&stacks.trimmed, 1);
    return bytes;
}

/* ---- whose address is it -------------------------------------------------------------------- */

/* Signal-safe.  offset receives where in its slot addr lies. */
static struct g *slot_owner(uintptr_t addr, size_t *offset)
{
    const struct stack_chunk *c = chunk_of(addr);
    if (c == NULL) return NULL;
    size_t number = (addr - c->lo) >> (SLOT_SHIFT + c->class);
    if (number >= atomic_load_acquire(&c->used)) return NULL; /* pairs with fresh_reserve_locked */
    uintptr_t slot = c->lo + number * slot_bytes(c->class);
    struct g *g = slot_record(slot, c->class);
    if (atomic_load_acquire(&g->stack_hi) == 0) return NULL; /* pairs with table_append_locked */
    *offset = addr - slot;
    return g;
}

struct g *stack_owner(uintptr_t addr)
{
    size_t offset;
    return slot_owner(addr, &offset);
}

struct g *stack_guard_owner(uintptr_t addr)
{
    size_t offset;
    struct g *g = slot_owner(addr, &offset);
    return g != NULL && offset < guard_bytes(g->slot_class) ? g : NULL;
}

/* ---- beginning, statistics ------------------------------------------------------------------ */

/* Does the kernel make guards by changing mappings?  A page guarded so is readable again after a
 * commit; a guard by advice stays.  The futex call looks at the word without touching it from
 * here: an unreadable one ends it at once, a readable zero makes it wait until the time is out. */
static bool guards_are_mappings(void)
{
    size_t page = os_page_size();
    char *probe = os_mem_map(NULL, page);
    if (probe == NULL) return false;
    bool readable = os_mem_guard(probe, page) == 0 && os_mem_commit(probe, page) == 0 &&
                    !os_futex_wait((uint32_t *)probe, 0, 1);
    os_mem_unmap(probe, page);
    return readable;
}

void stack_init(void)
{
    crit_enter();
    lock_acquire(&stacks.lock);
    struct stack_chunk *c = chunk_with_room_locked(class_for(0));
    lock_release(&stacks.lock);
    crit_exit();
    if (c == NULL)
        throw_fmt("can not reserve address space for one stack of %zu bytes; see ulimit -v",
                  STACK_DEFAULT);
    stacks.guards_are_mappings = guards_are_mappings();
}

void stack_read_stats(struct stack_stats *out)
{
    *out = (struct stack_stats){ .bared = atomic_load_relaxed(&stacks.bared),
                                 .trimmed = atomic_load_relaxed(&stacks.trimmed),
                                 .made_ahead = atomic_load_relaxed(&stacks.made_ahead) };
    crit_enter();
    lock_acquire(&stacks.lock);
    for (const struct stack_chunk *c = stacks.all; c != NULL; c = c->next) {
        out->slots += c->used;
        out->bytes_reserved += c->hi - c->lo;
    }
    out->slots -= stacks.nunguarded;
    for (uint32_t i = 0; i < ALL_CLASSES; i++)
        out->slots_free += stacks.classes[i].nfree;
    lock_release(&stacks.lock);
    crit_exit();
    out->bytes_sys = out->slots * os_page_size(); /* the page of the record; deeper ones unknown */
    if (stacks.guards_are_mappings) out->guards_by_mprotect = out->slots;
}
