/* Roots: what goroutines hold on their stacks, in registers and in their records.
 *
 * A goroutine is scanned into the queue of words, by markers or by who will run on its stack; who
 * may, and when it must be done, is Note [No grey stack runs] in sched/grey.c.
 *
 * Note [Deep stacks].  64 MB of recursion take more than ten milliseconds to scan.  No stop waits
 * for that:
 *   - A stack is scanned in pieces of STACK_PIECE_BYTES, youngest first, each under a claim and in
 *     a section of its own.  The first one includes everything else that the goroutine holds:
 *     registers, record, signal stacks, the copy of a blocking caller's frame.
 *     scan_at says where the rest begins.  As the stack does not change before it is black, it does
 *     not matter who scans which piece, or when: the words are those of the first stop.
 *   - Whoever leaves a rest puts the goroutine on the list `rests`, so a piece is a step of
 *     marking.  A goroutine that is to run is scanned by its M (execute), its thread (m_scan_own,
 *     m_blacken_own), and by markers that find it on the list.
 *   - In the first stop a small piece is scanned of those that wait inside the runtime, the
 *     stopper's own among them: STOP_PIECE_BYTES, for the pause contains it, and one for each
 *     thread that waits.  The rest is on the list too.  Where that stop may mark all there is (Note
 *     [Small heaps] in cycle.c), it scans a whole piece, of all that run.
 *   - Each rest is in `unfinished`, from before its first piece is known to be done
 *     (mark.own_stacks, the claim) until after the words of its last one are queued; so the last
 *     stop, in which nobody is at a stack, sees 0 exactly if every stack that was begun is black.
 *     A stack that nobody has begun is a job not taken, or in own_stacks.
 *   - A goroutine is on the list at most once, says scan_listed: who moves it from 0 to 1 pushes
 *     the node, and it is 0 again only when the node has been popped.
 *   - A rest is on the list, or somebody in a section has it: in a stop all rests are on the list.
 *     It must not depend on whoever has the claim going on until the stack is black: an M gives its
 *     turn up, and with many goroutines comes back after seconds, for which the cycle would last.
 *     So
 *         who scans:   W1 scanned_cycle = left (g_scan_left)    W2 fence    W3 exchange scan_listed, 1
 *         who pops:    P1 scan_listed = 0    P2 fence    P3 claim: read scanned_cycle, then swap
 *     and W pushes if W3 finds 0; P forgets the goroutine if the claim fails.  It fails when P3's
 *     read finds a claim, or its swap fails because of a later one; either way the read did not
 *     find what the holder W of that claim leaves at W1.  Of two threads that each write and then,
 *     after a fence, read what the other writes, one at least finds the other's: so W3 finds P1's
 *     0, or the 1 of who put the goroutine on the list since.  If W leaves no rest the stack is
 *     black, and P was right to forget it.
 *   - While marking goes on the list is looked through, so it is empty when a cycle ends; and a
 *     record is never unmapped, so a stale node can be read.
 *
 * The goroutine itself waits until all of its stack is scanned.  It does not hold up others
 * meanwhile: its M gives way after a time slice.  Rejected: letting it run above a watermark and
 * scanning older frames when it returns to them.  A return barrier puts the address of runtime code
 * into a frame, where unwinders, exceptions, longjmp and the shadow stack of newer processors trip
 * over it.  And it would not be enough: C code stores into older frames without returning to them.
 * A function that returns a structure writes it into its caller's frame, and owns its arguments
 * there; both are compiled stores, which no rule for programs can give a barrier.  With x = f(x)
 * the old x would be lost for the snapshot, while f keeps what it loaded from it in a frame that
 * was scanned before.  Write-protecting the older pages would catch those stores, but a system call
 * that writes into a buffer there then fails with EFAULT.
 *
 * Note [When stacks are trimmed].  Whether a waiting stack has pages to give back is asked of the
 * kernel (Note [Pages of stacks] in sched/stack.c), which costs more than scanning a shallow one.
 * A small heap is collected a thousand times a second, and the stacks are the same.  So a look at
 * all of them, which with many takes several cycles, a part in each, is followed by another one at
 * once only if it took something, as there may be more; else a second later, or when somebody asked
 * for a collection.  A step gives back TRIM_ROOM at most, of all stacks that it looks at, for
 * giving back 1 MB takes 130 to 270 us; in a cycle that marks in its first stop few steps ask at
 * all, and give back next to nothing.
 *
 * Stacks of the runtime's goroutines that sweep and give memory back are no roots.  They hold
 * addresses of spans, and no objects: a span's address that was left in a parked frame kept the
 * object that came to lie there, be it of gigabytes, for as long as the goroutine slept.
 *
 * Locking: none.  scan_at belongs to the claim.  Memory order: lfstack's; `unfinished` falls with
 * release after the words are queued, and mark_looks_done reads it before it looks at the queue.
 *
 * Answers to: scanstack, scanframeworker in mgcmark.go.
 * SPDX-License-Identifier: BSD-3-Clause
 */
#include "gc/stackroots.h"

#include "base/assert.h"
#include "base/bits.h"
#include "gc/mark.h"
#include "gc/pace.h"
#include "gc/roots.h"
#include "heap/heap.h"
#include "sched/sched.h"
#include "sched/stack.h"
#include "sched/stw.h"

#define STOP_PIECE_BYTES ((size_t)2 * KB) /* of those that are scanned in the stop */
#define TRIM_JOBS 256       /* of a cycle's stack jobs, those that look for pages to give back */
#define TRIM_JOBS_IN_STOP 4 /* of a cycle that is tried in one stop */
#define TRIM_ROOM (1 * MB)  /* given back in one step, for which a stop may wait */
#define TRIM_ROOM_IN_STOP (32 * KB)
#define TRIM_PERIOD_NS ((int64_t)1000000000) /* between two looks at all, where none are found */

static struct {
    struct lfstack rests; /* goroutines with a rest, by scan_link */
    uint32_t unfinished;  /* atomic: Note [Deep stacks] */
    struct {
        uint32_t rounds; /* cycles of one look: each job trims in one of them */
        uint32_t left;   /* of them */
        uint32_t turn;   /* cycles that trimmed, this one too */
        bool on;         /* this one trims */
        size_t room;     /* in it, for each step */
        int64_t begin;   /* of the last look */
    } trim;              /* Note [When stacks are trimmed]; the stopper */
    uint32_t found;      /* atomic; the last look took pages */
    uint64_t bytes;      /* atomic; scanned in this cycle */
    uint64_t pieces;     /* atomic; a statistic */
} stackroots;

/* ---- pieces ---------------------------------------------------------------------------------- */

/* What hangs on a goroutine's record: DESIGN 4, rule 9. */
static void scan_record(struct word_sink *k, struct g *g)
{
    sink_add(k, (uintptr_t)g->arg);
    sink_add(k, (uintptr_t)g->wake_param);
    sink_add(k, (uintptr_t)g->defers);
    sink_add(k, (uintptr_t)g->context);
    sink_add(k, (uintptr_t)g->locals);
    sink_add(k, (uintptr_t)g->caught);
    for (struct sudog *s = g->waiting; s != NULL; s = s->wait_link) {
        sink_add(k, (uintptr_t)s->elem);
        sink_add(k, (uintptr_t)s->object); /* who waits at it may hold a copy that is gone by now */
    }
}

static void count_bytes(uint64_t bytes)
{
    atomic_fetch_add_relaxed(&stackroots.bytes, bytes);
    pacer_scanned(&pace_shared, PACER_SCAN_STACKS, bytes);
}

/* Returns the bytes. */
static uint64_t scan_range(struct word_sink *k, uintptr_t lo, uintptr_t hi)
{
    scan_stack_words(k, lo, hi);
    count_bytes(hi - lo);
    return hi - lo;
}

static uintptr_t stack_end(const struct g *g)
{
    return align_down(g->stack_hi, WORD_SIZE);
}

static uintptr_t piece_end(uintptr_t lo, uintptr_t end, size_t most)
{
    return end - lo > most ? lo + most : end;
}

/* All but a rest of the stack, of which `most` bytes at most are scanned.  Returns where that
 * begins; 0: there is none. */
static uintptr_t scan_first(struct g *g, size_t most, uint64_t *bytes)
{
    struct scan_range r[G_RANGES];
    struct word_sink k;
    uintptr_t rest = 0;
    if (g->no_objects || g->status == G_DEAD) return 0;
    int n = g_scan_ranges_stw(g, r);
    sink_begin(&k);
    scan_record(&k, g);
    for (int i = 0; i < n; i++) {
        uintptr_t hi = r[i].hi;
        if (hi == stack_end(g)) {
            hi = piece_end(r[i].lo, hi, most);
            if (hi != r[i].hi) rest = hi;
        }
        *bytes += scan_range(&k, r[i].lo, hi);
    }
    sink_end(&k);
    return rest;
}

static uintptr_t scan_next(struct g *g, uint64_t *bytes)
{
    struct word_sink k;
    uintptr_t end = stack_end(g), hi = piece_end(g->scan_at, end, STACK_PIECE_BYTES);
    sink_begin(&k);
    *bytes += scan_range(&k, g->scan_at, hi);
    sink_end(&k);
    return hi < end ? hi : 0;
}

static void note_rest(struct g *g, uintptr_t rest)
{
    bool had = g->scan_at != 0;
    if (had || rest != 0) atomic_fetch_add_relaxed(&stackroots.pieces, 1);
    if (!had && rest != 0) atomic_fetch_add_acqrel(&stackroots.unfinished, 1);
    atomic_store_relaxed(&g->scan_at, rest);
    if (had && rest == 0) atomic_fetch_sub_acqrel(&stackroots.unfinished, 1);
}

static bool scan_piece(struct g *g, uint64_t *bytes)
{
    bool first = g->scan_at == 0;
    note_rest(g, first ? scan_first(g, STACK_PIECE_BYTES, bytes) : scan_next(g, bytes));
    /* Running: its own thread, which was stopped. */
    if (first && g->status == G_RUNNING && heap_marking()) mark_own_stack_scanned();
    return g->scan_at == 0;
}

bool stackroots_scan_piece(struct g *g)
{
    uint64_t bytes = 0;
    return scan_piece(g, &bytes);
}

void stackroots_put_rest(struct g *g)
{
    atomic_fence_seq(); /* W2 of Note [Deep stacks] */
    if (atomic_exchange_seq(&g->scan_listed, 1u) == 0)
        lfstack_push(&stackroots.rests, &g->scan_link);
}

/* A marker's; it may be claimed, or black by now. */
static struct g *take_rest(void)
{
    struct lfnode *n = lfstack_pop(&stackroots.rests);
    if (n == NULL) return NULL;
    struct g *g = container_of(n, struct g, scan_link);
    atomic_store_relaxed(&g->scan_listed, 0u);
    atomic_fence_seq(); /* P2 */
    return g;
}

/* ---- markers --------------------------------------------------------------------------------- */

static bool is_trimmed_now(const struct g *g)
{
    uint32_t rounds = stackroots.trim.rounds;
    return stackroots.trim.on &&
           g->index / ROOT_JOB_STACKS % rounds == stackroots.trim.turn % rounds;
}

/* Where there is no room there may be pages: that counts as found. */
static void trim_claimed(struct g *g, size_t *room)
{
    size_t bytes = *room == 0 ? 0 : stack_trim_claimed(g, *room);
    if (bytes != 0 || *room == 0) atomic_store_relaxed(&stackroots.found, 1u);
    *room -= bytes;
}

static void scan_claimed(struct g *g, uint64_t *bytes, size_t *room)
{
    if (scan_piece(g, bytes)) {
        if (is_trimmed_now(g)) trim_claimed(g, room);
        g_scanned(g);
    } else {
        g_scan_left(g);
        stackroots_put_rest(g);
    }
}

size_t stackroots_trim_room(void)
{
    return stackroots.trim.room;
}

uint64_t stackroots_scan(struct g *g, size_t *room)
{
    uint64_t bytes = 0;
    if (heap_marking()) {
        if (g_scan_claim(g)) scan_claimed(g, &bytes, room);
    } else {
        while (!scan_piece(g, &bytes))
            ;
    }
    return bytes;
}

/* Those made meanwhile need not be found: Note [Roots of newborns] in sched/newborn.c. */
uint64_t stackroots_scan_newborns(uint32_t first, uint32_t n)
{
    uint32_t size = newborns_table_size(), end = size - first < n ? size : first + n;
    uint64_t bytes = 0;
    struct newborn_view v;
    struct word_sink k;
    sink_begin(&k);
    for (uint32_t i = first; i < end; i++) {
        if (!newborn_read(i, &v)) continue;
        scan_stack_words(&k, v.lo, v.hi);
        bytes += v.hi - v.lo;
    }
    sink_end(&k);
    count_bytes(bytes);
    return bytes;
}

bool stackroots_scan_rest(uint64_t *bytes)
{
    struct g *g = take_rest();
    size_t room = stackroots.trim.room;
    if (g == NULL) return false;
    if (g_scan_claim_rest(g)) scan_claimed(g, bytes, &room);
    return true;
}

bool stackroots_has_rest(void)
{
    return !lfstack_empty(&stackroots.rests);
}

/* ---- stops ----------------------------------------------------------------------------------- */

void stackroots_prepare_stw(void)
{
    check(stackroots.unfinished == 0 && lfstack_empty(&stackroots.rests));
    stackroots.bytes = 0;
}

static void begin_look(uint32_t jobs_at_once, int64_t now)
{
    uint32_t jobs = (uint32_t)div_up(g_table_size(), ROOT_JOB_STACKS);
    stackroots.found = 0;
    stackroots.trim.rounds = jobs <= jobs_at_once ? 1 : (uint32_t)div_up(jobs, jobs_at_once);
    stackroots.trim.left = stackroots.trim.rounds;
    stackroots.trim.begin = now;
}

void stackroots_trim_stw(bool asked, bool in_stop, int64_t now)
{
    bool due = asked || stackroots.found != 0 || now - stackroots.trim.begin >= TRIM_PERIOD_NS;
    if (stackroots.trim.left == 0 && due) begin_look(in_stop ? TRIM_JOBS_IN_STOP : TRIM_JOBS, now);
    stackroots.trim.room = in_stop ? TRIM_ROOM_IN_STOP : TRIM_ROOM;
    stackroots.trim.on = stackroots.trim.left != 0;
    if (!stackroots.trim.on) return;
    stackroots.trim.left--;
    stackroots.trim.turn++;
}

/* A thread that waits inside the runtime may be awake, and show another state than BLOCKING for a
 * moment, until it sees that a stop is on (m_leave_blocking_state).  It is not one that begins with
 * its stack when it is released: these are in state STOPPED, which does not change in a stop, or in
 * the stop signal's handler (sched/preempt.c, Note [Outer frames]). */
static bool scans_its_own(const struct m *m)
{
    if (m == m_self()) return false;
    return atomic_load_relaxed(&m->state) == M_STOPPED || m->stop_frame != NULL;
}

/* Its thread goes on with the rest: m_blacken_own, m_scan_own. */
static void scan_in_stop(struct g *g, size_t most)
{
    uint64_t bytes = 0;
    note_rest(g, scan_first(g, most, &bytes));
    if (g->scan_at == 0)
        g_scanned_stw(g);
    else
        stackroots_put_rest(g);
}

uint32_t stackroots_begin_stw(bool all)
{
    uint32_t stopped = 0;
    for (struct m *m = m_all(); m != NULL; m = m->all_next) {
        struct g *g = m->curg;
        if (g == NULL || g->status != G_RUNNING) continue;
        if (!all && scans_its_own(m))
            stopped++;
        else
            scan_in_stop(g, all ? STACK_PIECE_BYTES : STOP_PIECE_BYTES);
    }
    return stopped;
}

uint32_t stackroots_unfinished(void)
{
    return atomic_load_acquire(&stackroots.unfinished); /* pairs with note_rest */
}

uint64_t stackroots_bytes(void)
{
    return atomic_load_relaxed(&stackroots.bytes); /* a statistic */
}

uint64_t stackroots_pieces(void)
{
    return atomic_load_relaxed(&stackroots.pieces); /* a statistic */
}
