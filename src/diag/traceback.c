/* Traces: which functions a goroutine is in.
 *
 * Frames come from the compiler's unwinder (_Unwind_Backtrace of libgcc): it needs no frame
 * pointers, crosses the frame that a signal pushed, arch_call_on_stack, and the frames of other
 * libraries.
 *
 *   the caller itself     from here; what belongs to the report is dropped: all up to a function of
 *                         throw, or with a ucontext all up to the interrupted instruction
 *   a parked goroutine    arch_call_behind makes the unwinder believe that it was called from there
 *   a running one         while the world is stopped: the same, from the registers that the
 *                         thread's stop signal saved, from those that it spilled before it waited,
 *                         or from where it entered a blocking region, whose frame stays while the
 *                         region lasts.  Otherwise not: its registers are there, not here
 *
 * A trace is collected first (the first HEAD and the last TAIL frames, whatever lies between
 * counted) and printed then, because which frames to leave out depends on what follows them.  Left
 * out, unless the runtime's frames are wanted: what a parked goroutine runs inside the public call
 * that parks it, and the runtime's frames that started it.
 *
 * callstack.c captures for profiles, by rules or by the same unwinder, and shares no walk with this
 * one: it drops frames by their addresses and fills an array, for a sample; here names decide, both
 * ends of an endless stack are kept, and a report comes from anywhere, also from a fault in what
 * those rules read.
 *
 * Lines of sources are not looked for: reading DWARF after a fault needs memory and time that there
 * may not be, and no library that does it can be counted on to be there.  What is printed, the file
 * and the address in it, is what addr2line wants (prog/lines).
 *
 * Answers to: traceback.go.
 * SPDX-License-Identifier: BSD-3-Clause
 */
#include "diag/traceback.h"

#include <string.h>
#include <unwind.h>

#include "arch/arch.h"
#include "base/atomic.h"
#include "base/throw.h"
#include "diag/symbols.h"
#include "os/os.h"
#include "sched/sched.h"

#define HEAD 50
#define TAIL 10
#define FRAMES_LIMIT (1u << 20) /* a trace that has more is taken for endless */
#define REPORT_FRAMES 24        /* throw and reporter have fewer */

struct frame {
    uintptr_t pc;    /* in the function: of the call, or the interrupted instruction */
    uintptr_t start; /* where its unwind information begins */
};

struct walk {
    uintptr_t interrupted; /* drop all up to this exact pc; 0: none */
    bool from_entry;       /* the outermost frame was a goroutine's */
    unsigned total;
    struct frame head[HEAD], tail[TAIL]; /* tail: a ring, frame i at (i - HEAD) % TAIL */
};

/* ---- collecting ------------------------------------------------------------------------------ */

__attribute__((__visibility__("hidden"))) void arch_entry(void);

static bool is_report(uintptr_t start)
{
    return start == (uintptr_t)throw_msg || start == (uintptr_t)throw_fmt ||
           start == (uintptr_t)throw_finish || start == (uintptr_t)arch_call_behind ||
           start == (uintptr_t)arch_call_behind_registers;
}

static void walk_add(struct walk *w, struct frame f)
{
    if (w->total < HEAD)
        w->head[w->total] = f;
    else
        w->tail[(w->total - HEAD) % TAIL] = f;
    w->total++;
}

static _Unwind_Reason_Code on_frame(struct _Unwind_Context *c, void *arg)
{
    struct walk *w = arg;
    int exact = 0;
    uintptr_t ip = _Unwind_GetIPInfo(c, &exact);
    struct frame f = { exact ? ip : ip - 1, _Unwind_GetRegionStart(c) };
    if (ip == 0 && !exact) return _URC_END_OF_STACK;
    if (f.start == (uintptr_t)arch_entry - ARCH_CODE_UNIT) { /* its CFI covers the nop before it */
        w->from_entry = true;
        return _URC_END_OF_STACK;
    }
    if (w->interrupted != 0 && exact && ip == w->interrupted) {
        w->interrupted = 0;
        w->total = 0;
    }
    walk_add(w, f);
    if (is_report(f.start) && w->total <= REPORT_FRAMES) w->total = 0;
    return w->total < FRAMES_LIMIT ? _URC_NO_REASON : _URC_END_OF_STACK;
}

static never_inline void walk_here(void *arg)
{
    _Unwind_Backtrace(on_frame, arg);
    __asm__ volatile(""); /* not a tail call: this frame is dropped by its own name */
}

static _Unwind_Reason_Code stop_at_once(struct _Unwind_Context *c, void *arg)
{
    (void)c;
    (void)arg;
    return _URC_END_OF_STACK;
}

void traceback_init(void)
{
    _Unwind_Backtrace(stop_at_once, NULL);
}

/* ---- printing -------------------------------------------------------------------------------- */

static const struct symbol *symbol_or_unknown(uintptr_t pc)
{
    static struct symbol unknown;
    if (symbols_begin()) {
        const struct symbol *s = symbol_at(pc);
        symbols_end();
        return s;
    }
    unknown = (struct symbol){ .address = pc };
    return &unknown;
}

const char *traceback_function(uintptr_t pc)
{
    const struct symbol *s = symbol_or_unknown(pc);
    return s->name[0] != '\0' ? s->name : "?";
}

static void print_place(struct print *out, const struct symbol *s)
{
    print_fmt(out, "\t");
    if (s->file[0] != '\0') print_fmt(out, "%s+0x%lx ", s->file, (unsigned long)s->offset);
    print_fmt(out, "pc=0x%lx\n", (unsigned long)s->address);
}

static void print_frame(struct print *out, uintptr_t pc)
{
    const struct symbol *s = symbol_or_unknown(pc);
    print_fmt(out, "%s(...)\n", s->name[0] != '\0' ? s->name : "?");
    print_place(out, s);
}

static const struct frame *walk_frame(const struct walk *w, unsigned i)
{
    return i < HEAD ? &w->head[i] : &w->tail[(i - HEAD) % TAIL];
}

/* The first frame to show of a parked goroutine: the public call.  Nothing public: all. */
static unsigned first_public(const struct walk *w)
{
    unsigned n = w->total < HEAD ? w->total : HEAD;
    for (unsigned i = 0; i < n; i++)
        if (strncmp(traceback_function(w->head[i].pc), "gort_", 5) == 0) return i;
    return 0;
}

static bool is_one_of(const char *name, const char *const list[])
{
    while (*list != NULL && strcmp(*list, name) != 0)
        list++;
    return *list != NULL;
}

/* The end of the program's frames: outside of them lie those that started the goroutine, each group
 * once and in this order, where compilers have not merged some. */
static unsigned end_of_program(const struct walk *w, unsigned first)
{
    static const char *const groups[][4] = {
        { "g_main" },
        { "entry", "entry_copy", "run_main" },
        { "go_call" },
        { "call_main" },
    };
    unsigned end = w->total;
    for (size_t i = 0; i < array_len(groups) && end > first; i++)
        if (is_one_of(traceback_function(walk_frame(w, end - 1)->pc), groups[i])) end--;
    return end;
}

/* A panic's own frames, when that is what the report is about. */
static unsigned first_of_panic(const struct walk *w)
{
    bool panic = w->total > 0 && strcmp(traceback_function(w->head[0].pc), "die") == 0;
    return panic ? first_public(w) : 0;
}

static void print_walk(const struct traceback *t, const struct walk *w, bool parked)
{
    unsigned first = 0, end = w->total;
    if (!t->system) {
        first = parked ? first_public(w) : first_of_panic(w);
        if (w->from_entry) end = end_of_program(w, first);
    }
    unsigned gap_end = end > HEAD + TAIL ? w->total - TAIL : HEAD;
    for (unsigned i = first; i < end && i < HEAD; i++)
        print_frame(t->out, walk_frame(w, i)->pc);
    if (gap_end > HEAD) print_fmt(t->out, "...%u frames elided...\n", gap_end - HEAD);
    for (unsigned i = gap_end; i < end; i++)
        print_frame(t->out, walk_frame(w, i)->pc);
}

void traceback_frames(struct print *out, const uintptr_t *pcs, unsigned n)
{
    struct traceback t = { .out = out };
    struct walk w = { .from_entry = true, .total = n < HEAD ? n : HEAD };
    for (unsigned i = 0; i < w.total; i++)
        w.head[i].pc = pcs[i];
    print_walk(&t, &w, true);
}

static const char *state_name(const struct g *g, uint32_t status)
{
    if (status == G_WAITING) return wait_reason_name((enum wait_reason)g->wait_reason);
    if (status == G_BLOCKING) return "blocking call";
    return g_status_name(status);
}

#define WAIT_SHOWN_NS ((int64_t)10 * 1000000000) /* nobody asks why of less */

/* Seconds up to two minutes, then minutes. */
static void print_wait(const struct traceback *t, const struct g *g, uint32_t status)
{
    int64_t since = atomic_load_relaxed(&g->wait_since), ns = os_now() - since;
    if (status != G_WAITING || since == 0 || ns < WAIT_SHOWN_NS) return;
    long s = (long)(ns / 1000000000);
    print_fmt(t->out, s < 120 ? ", %ld seconds" : ", %ld minutes", s < 120 ? s : s / 60);
}

static void print_header(const struct traceback *t, const struct g *g, const char *state)
{
    print_fmt(t->out, "\ngoroutine %lu [%s", (unsigned long)g->goid, state);
    if (g->name[0] != '\0' && g->goid != 1) print_fmt(t->out, ", %.31s", g->name);
    print_wait(t, g, g->status);
    if (g->locked != 0 && !g->is_attached) print_fmt(t->out, ", locked to thread");
    if (g->is_system) print_fmt(t->out, ", system");
    print_fmt(t->out, "]:\n");
}

static void print_made_by(const struct traceback *t, uintptr_t pc, uint64_t goid)
{
    const struct symbol *s = symbol_or_unknown(pc - 1);
    print_fmt(t->out, "created by %s in goroutine %lu\n", s->name[0] != '\0' ? s->name : "?",
              (unsigned long)goid);
    print_place(t->out, s);
}

static void print_creator(const struct traceback *t, const struct g *g)
{
    if (g->created_pc == 0 || g->is_attached || g->goid == 1) return;
    print_made_by(t, g->created_pc, g->created_by);
}

/* ---- goroutines ------------------------------------------------------------------------------ */

/* A call through a bad pointer: the caller is what can be told. */
static bool undo_bad_call(void *ucontext)
{
    if (ucontext == NULL || !symbols_begin()) return false;
    bool bad = !symbol_is_code(arch_frame_pc(ucontext));
    symbols_end();
    if (bad) arch_frame_undo_call(ucontext);
    return bad;
}

void traceback_self(const struct traceback *t, const struct g *g, void *ucontext)
{
    uintptr_t pc = ucontext != NULL ? arch_frame_pc(ucontext) : 0;
    bool bad_call = undo_bad_call(ucontext);
    struct walk w = { .interrupted = ucontext != NULL ? arch_frame_pc(ucontext) : 0 };
    walk_here(&w);
    if (g != NULL)
        print_header(t, g, "running");
    else
        print_fmt(t->out, "\nthread without a goroutine:\n");
    if (bad_call) print_frame(t->out, pc);
    print_walk(t, &w, false);
    if (g != NULL) print_creator(t, g);
    print_flush(t->out);
}

static bool context_is_sound(const struct g *g)
{
    return g->ctx.sp >= g->stack_lo && g->ctx.sp < g->stack_hi && g->ctx.sp % WORD_SIZE == 0;
}

/* A thread that stays where it is until the world starts again. */
static bool thread_is_still(const struct traceback *t, const struct m *m)
{
    if (!t->stopped || m == NULL) return false;
    uint32_t state = atomic_load_acquire(&m->state); /* pairs with m_stop_wait: what it left */
    return state == M_STOPPED || state == M_BLOCKING;
}

/* Where g's thread left its registers: see the head. */
static void walk_on_thread(struct walk *w, const struct g *g)
{
    struct arch_registers r;
    if (!g->in_blocking && g->m->stop_frame == NULL) {
        arch_call_behind_spilled(walk_here, w, g->m->stop_sp);
        return;
    }
    if (g->in_blocking)
        arch_registers_of_call(&r, g->blocking_at.pc, g->blocking_at.sp, g->blocking_at.fp);
    else
        arch_registers_of_frame(&r, g->m->stop_frame);
    arch_call_behind_registers(walk_here, w, &r);
}

/* Only what parks ends in the runtime's frames; a computation may call a public function of its
 * own. */
static bool is_in_public_call(const struct g *g, uint32_t status)
{
    return status != G_RUNNING || g->m == NULL || g->m->stop_frame == NULL;
}

static bool walk_other(const struct traceback *t, const struct g *g, uint32_t status,
                       struct walk *w)
{
    if (status == G_RUNNING || status == G_BLOCKING) {
        if (!thread_is_still(t, g->m)) return false;
        walk_on_thread(w, g);
    } else {
        if (!context_is_sound(g)) return false;
        arch_call_behind(walk_here, w, &g->ctx);
    }
    return true;
}

void traceback_other(const struct traceback *t, const struct g *g)
{
    struct walk w = { .interrupted = 0 };
    uint32_t status = g->status; /* racy unless all are asleep: a report does its best */
    print_header(t, g, state_name(g, status));
    if (walk_other(t, g, status, &w))
        print_walk(t, &w, is_in_public_call(g, status)); /* empty: it has not run yet */
    else if (status == G_RUNNING || status == G_BLOCKING)
        print_fmt(t->out, "\tgoroutine %s on another thread; stack not available\n",
                  status == G_RUNNING ? "runs" : "is");
    else
        print_fmt(t->out, "\tstack not available\n");
    print_creator(t, g);
    print_flush(t->out);
}

void traceback_caller(const struct traceback *t, const struct g *g)
{
    struct walk w = { .interrupted = 0 };
    walk_here(&w);
    print_header(t, g, "running");
    print_walk(t, &w, true);
    print_creator(t, g);
    print_flush(t->out);
}

/* It has no stack yet: as one that is runnable and has not run. */
static void traceback_newborn(const struct traceback *t, const struct newborn_view *v)
{
    print_fmt(t->out, "\ngoroutine %lu [runnable]:\n", (unsigned long)v->goid);
    print_made_by(t, v->created_pc, v->created_by);
    print_flush(t->out);
}

void traceback_others(const struct traceback *t, const struct g *except)
{
    struct newborn_view v;
    uint32_t n = g_table_size();
    for (uint32_t i = 0; i < n; i++) {
        const struct g *g = g_at(i);
        if (g == NULL || g == except || g->status == G_DEAD) continue;
        if (g->is_system && !t->system) continue;
        traceback_other(t, g);
    }
    /* Once: where the world is not stopped, others may make more than are printed. */
    n = newborns_table_size();
    for (uint32_t i = 0; i < n; i++)
        if (newborn_read(i, &v)) traceback_newborn(t, &v);
}
