/* Call stacks for profiles.
 *
 * Frames come from the compiler's unwinder, as those of reports do (traceback.c says why), but names are
 * not asked for: a profile's reader has them from the file.  So the runtime's own frames are told apart by
 * their place.  The inner ones are those up to the frame that holds a variable of the public call,
 * whose address the caller gives: true whatever was inlined, split into hot and cold parts, or called
 * last.  A public call that allocates by another one (a channel's) is found by where its unwind
 * information begins, in a table.  The outer ones begin with go_call.
 *
 * Answers to: callers, tracebackPCs in traceback.go; the skip of mProf_Malloc in mprof.go.
 * SPDX-License-Identifier: BSD-3-Clause
 */
#include "diag/callstack.h"

#include <unwind.h>

#include "gort/chan.h"
#include "gort/go.h"
#include "gort/mem.h"
#include "gort/metrics.h"
#include "gort/panic.h"
#include "lang/go.h"

#define INNER_FRAMES 6 /* a public call that allocates by another one is among the first */

struct walk {
    uintptr_t *pc;
    uintptr_t inside; /* frames up to the one that holds it are left out */
    unsigned n;
};

__attribute__((__visibility__("hidden"))) void arch_entry(void);

#define PLACE(f) ((void (*)(void))(f))

/* None of these calls a function of the program. */
static bool allocates(uintptr_t start)
{
    static void (*const calls[])(void) = {
        PLACE(gort_alloc),         PLACE(gort_alloc_noscan), PLACE(gort_new_raw),
        PLACE(gort_new_array_raw), PLACE(gort_new_flex_raw), PLACE(gort_chan_make_raw),
        PLACE(gort_select),        PLACE(gort_select_try),   PLACE(gort_select_until),
        PLACE(gort_go_copy),       PLACE(gort_defer),        PLACE(gort_metric_histogram),
    };
    for (size_t i = 0; i < array_len(calls); i++)
        if (start == (uintptr_t)calls[i]) return true;
    return false;
}

static _Unwind_Reason_Code on_frame(struct _Unwind_Context *c, void *arg)
{
    struct walk *w = arg;
    int exact = 0;
    uintptr_t ip = _Unwind_GetIPInfo(c, &exact), start = _Unwind_GetRegionStart(c);
    if (ip == 0) return _URC_END_OF_STACK;
    /* arch_entry's CFI covers the byte before it. */
    if (start == (uintptr_t)go_call || start == (uintptr_t)arch_entry - 1) return _URC_END_OF_STACK;
    /* What the unwinder calls a frame's CFA is the stack pointer at its call. */
    if (_Unwind_GetCFA(c) <= w->inside) return _URC_NO_REASON;
    w->inside = 0; /* other stacks may lie anywhere */
    if (w->n < INNER_FRAMES && allocates(start))
        w->n = 0;
    else
        w->pc[w->n++] = exact ? ip : ip - 1;
    return w->n < CALLSTACK_MAX ? _URC_NO_REASON : _URC_END_OF_STACK;
}

never_inline unsigned callstack_here(uintptr_t pc[CALLSTACK_MAX], const void *inside)
{
    struct walk w = { .pc = pc, .inside = (uintptr_t)inside };
    _Unwind_Backtrace(on_frame, &w);
    return w.n;
}
