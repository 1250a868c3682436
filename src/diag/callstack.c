/* Capturing call stacks, for profiles and for records of objects.
 *
 * The compiler's unwinder interprets, for each frame, the description of its function: 0.2 us.  A
 * stack is walked for each sample, so what a description says of a place is kept in a table of
 * rules (cfi.h), and by these a frame costs a few loads.  Frames that rules can not say (signal
 * frames, stacks that are not the goroutine's own, functions that realign their stack) make the
 * whole walk the unwinder's.
 *
 * Names are not asked for: they are looked for when a stack is printed, or by a profile's reader.
 * So the runtime's own frames are told apart by their place.  The inner ones are those up to the
 * frame that holds a variable of the public call, whose address the caller gives: true whatever was
 * inlined, split into hot and cold parts, or called last.  A public call that allocates by another
 * one (a channel's) is found by where its unwind information begins, in a table.  The outer ones
 * begin with go_call.
 *
 * Rules are of code; when a library is unloaded another may come to lie there, so a rule counts
 * only as long as nothing was unloaded since it was made.
 *
 * Memory order: each entry of the table is guarded by its `seq`, odd while it is written.  The
 * writer's release store of seq pairs with the reader's acquire load; the reader's fence orders its
 * loads before the second look at seq.
 *
 * What is kept of objects (stack.h) wants the public call as well, is captured in critical
 * sections, and by threads without a goroutine: for it there is the unwinder's way alone.
 *
 * Answers to: callers, tracebackPCs in traceback.go; the skip of mProf_Malloc in mprof.go.
 * SPDX-License-Identifier: BSD-3-Clause
 */
#include "diag/callstack.h"

#include <link.h>
#include <unwind.h>

#include "arch/arch.h"
#include "base/atomic.h"
#include "diag/cfi.h"
#include "gort/chan.h"
#include "gort/go.h"
#include "gort/mem.h"
#include "gort/metrics.h"
#include "gort/panic.h"
#include "heap/persistent.h"
#include "lang/go.h"
#include "sched/sched.h"

#define INNER_FRAMES 6 /* a public call that allocates by another one is among the first */
#define RULES 4096     /* a power of two */

struct walk {
    uintptr_t *pc;
    uintptr_t inside; /* frames up to the one that holds it are left out */
    unsigned n, max;
    bool all; /* public calls and what starts a goroutine too */
};

__attribute__((__visibility__("hidden"))) void arch_entry(void);

/* ---- which frames ---------------------------------------------------------------------------- */

#define PLACE(f) ((void (*)(void))(f))

/* None of these calls a function of the program. */
static bool allocates(uintptr_t start)
{
    static void (*const calls[])(void) = {
        PLACE(gort_alloc),         PLACE(gort_alloc_noscan), PLACE(gort_new_raw),
        PLACE(gort_new_array_raw), PLACE(gort_new_flex_raw), PLACE(gort_chan_make_raw),
        PLACE(gort_select),        PLACE(gort_select_try),   PLACE(gort_select_until),
        PLACE(gort_go_copy),       PLACE(gort_defer),        PLACE(gort_metric_histogram),
        PLACE(gort_alloc_uninit),
    };
    for (size_t i = 0; i < array_len(calls); i++)
        if (start == (uintptr_t)calls[i]) return true;
    return false;
}

/* A frame whose stack pointer at its call is sp.  false: the walk is over. */
static bool add_frame(struct walk *w, uintptr_t sp, uintptr_t pc, uintptr_t start)
{
    if (start == (uintptr_t)arch_entry - ARCH_CODE_UNIT)
        return false; /* its CFI covers the nop before it */
    if (start == (uintptr_t)go_call && !w->all) return false;
    if (sp <= w->inside) return true;
    w->inside = 0; /* other stacks may lie anywhere */
    if (w->n < INNER_FRAMES && !w->all && allocates(start))
        w->n = 0;
    else
        w->pc[w->n++] = pc;
    return w->n < w->max;
}

/* ---- by the unwinder ------------------------------------------------------------------------- */

static _Unwind_Reason_Code on_frame(struct _Unwind_Context *c, void *arg)
{
    int exact = 0;
    uintptr_t ip = _Unwind_GetIPInfo(c, &exact);
    if (ip == 0) return _URC_END_OF_STACK;
    /* What the unwinder calls a frame's CFA is the stack pointer at its call. */
    bool more = add_frame(arg, _Unwind_GetCFA(c), exact ? ip : ip - 1, _Unwind_GetRegionStart(c));
    return more ? _URC_NO_REASON : _URC_END_OF_STACK;
}

never_inline unsigned callstack_by_unwinder(uintptr_t pc[CALLSTACK_MAX], const void *inside)
{
    struct walk w = { .pc = pc, .inside = (uintptr_t)inside, .max = CALLSTACK_MAX };
    _Unwind_Backtrace(on_frame, &w);
    return w.n;
}

never_inline unsigned callstack_all(uintptr_t *pc, unsigned max, const void *inside)
{
    struct walk w = { .pc = pc, .inside = (uintptr_t)inside, .max = max, .all = true };
    _Unwind_Backtrace(on_frame, &w);
    return w.n;
}

/* glibc 2.35 and later; where it is not, the unwinder asks dl_iterate_phdr. */
extern int find_object(void *, void *) __asm__("_dl_find_object") __attribute__((__weak__));

bool callstack_is_lock_free(void)
{
    return find_object != NULL;
}

/* ---- rules ----------------------------------------------------------------------------------- */

struct rule_entry {
    uint32_t seq;      /* atomic */
    uint32_t unloaded; /* how often libraries had been; atomic, as all below */
    uintptr_t pc;
    uint64_t words[2]; /* the rule */
};
_Static_assert(sizeof(struct cfi_rule) == sizeof(uint64_t[2]), "a rule is two words");

static struct rule_entry *rules; /* atomic; RULES, by pc */

void callstack_open(uint64_t *memory)
{
    size_t size = RULES * sizeof *rules;
    struct rule_entry *none = NULL, *map;
    if (atomic_load_relaxed(&rules) != NULL) return;
    map = persistent_map(size, memory);
    /* Release pairs with callstack_by_rules; another may have been faster. */
    if (map != NULL && !atomic_cas_release(&rules, &none, map)) persistent_unmap(map, size, memory);
}

static int read_unloaded(struct dl_phdr_info *info, size_t size, void *arg)
{
    (void)size;
    *(uint32_t *)arg = (uint32_t)info->dlpi_subs;
    return 1;
}

static uint32_t unloaded_now(void)
{
    uint32_t n = 0;
    dl_iterate_phdr(read_unloaded, &n);
    return n;
}

static bool rule_read(struct rule_entry *e, uintptr_t pc, uint32_t unloaded, struct cfi_rule *r)
{
    union {
        uint64_t words[2];
        struct cfi_rule rule;
    } u;
    uint32_t seq = atomic_load_acquire(&e->seq); /* pairs with rule_write */
    bool same = atomic_load_relaxed(&e->pc) == pc;
    same &= atomic_load_relaxed(&e->unloaded) == unloaded;
    u.words[0] = atomic_load_relaxed(&e->words[0]);
    u.words[1] = atomic_load_relaxed(&e->words[1]);
    atomic_fence_acquire();
    if (!same || (seq & 1) != 0 || atomic_load_relaxed(&e->seq) != seq) return false;
    *r = u.rule;
    return true;
}

/* Whoever finds another writing leaves it to him. */
static void rule_write(struct rule_entry *e, uintptr_t pc, uint32_t unloaded,
                       const struct cfi_rule *r)
{
    union {
        struct cfi_rule rule;
        uint64_t words[2];
    } u = { .rule = *r };
    uint32_t seq = atomic_load_relaxed(&e->seq);
    if ((seq & 1) != 0 || !atomic_cas_acquire(&e->seq, &seq, seq + 1)) return;
    atomic_fence_release(); /* who sees what follows sees seq odd, or later */
    atomic_store_relaxed(&e->pc, pc);
    atomic_store_relaxed(&e->unloaded, unloaded);
    atomic_store_relaxed(&e->words[0], u.words[0]);
    atomic_store_relaxed(&e->words[1], u.words[1]);
    atomic_store_release(&e->seq, seq + 2); /* pairs with rule_read */
}

static bool rule_find(struct rule_entry *table, uintptr_t pc, uint32_t unloaded, struct cfi_rule *r)
{
    struct rule_entry *e = &table[(pc * 0x9e3779b97f4a7c15u >> 40) % RULES];
    if (likely(rule_read(e, pc, unloaded, r))) return true;
    if (!cfi_find(pc, r)) return false;
    rule_write(e, pc, unloaded, r);
    return true;
}

/* ---- by rules -------------------------------------------------------------------------------- */

struct place {
    uintptr_t pc, sp, bp; /* return address; registers after the return */
};

/* The caller's place.  What is read lies in the stack: between sp and hi. */
static bool leave(struct place *at, const struct cfi_rule *r, uintptr_t hi)
{
    uintptr_t cfa = (r->cfa_from_bp ? at->bp : at->sp) + (uintptr_t)(intptr_t)r->cfa_offset;
    uintptr_t saved = cfa + (uintptr_t)(intptr_t)r->bp_offset;
    if (cfa <= at->sp || cfa > hi || cfa % WORD_SIZE != 0) return false;
    if (r->bp_saved && (saved < at->sp || saved > hi - WORD_SIZE)) return false;
    at->pc = *(uintptr_t *)(cfa - WORD_SIZE);
    if (r->bp_saved) at->bp = *(uintptr_t *)saved;
    at->sp = cfa;
    return true;
}

never_inline bool callstack_by_rules(uintptr_t pc[CALLSTACK_MAX], const void *inside, unsigned *n)
{
    const uintptr_t *frame = __builtin_frame_address(0);
    const struct g *g = g_self();
    struct rule_entry *table = atomic_load_acquire(&rules); /* pairs with callstack_open */
    struct walk w = { .pc = pc, .inside = (uintptr_t)inside, .max = CALLSTACK_MAX };
    struct place at = { .bp = frame[0], .pc = frame[1], .sp = (uintptr_t)(frame + 2) };
    struct cfi_rule r;
    if (table == NULL || g == NULL || at.sp - g->stack_lo > g->stack_hi - g->stack_lo) return false;
    uint32_t unloaded = unloaded_now();
    while (at.pc != 0) {
        if (!rule_find(table, at.pc - 1, unloaded, &r)) return false;
        if (!add_frame(&w, at.sp, at.pc - 1, r.start) || r.outermost) break;
        if (!leave(&at, &r, g->stack_hi)) return false;
    }
    *n = w.n;
    return true;
}

unsigned callstack_here(uintptr_t pc[CALLSTACK_MAX], const void *inside)
{
    unsigned n;
    if (likely(callstack_by_rules(pc, inside, &n))) return n;
    return callstack_by_unwinder(pc, inside);
}
