/* Goroutines, threads and time as the program sees them: what stands between the public calls and
 * the scheduler.
 *
 * A goroutine begins in one of the entries below, with a copy of its start record: in a newborn
 * until it runs (sched/newborn.c), then at the top of its own stack; the collector scans both.  The
 * entries see to it that what it deferred runs when its function returns, so the scheduler needs to
 * know nothing of deferred calls.
 *
 * Answers to: newproc and the exported functions of proc.go, debug.go and timestub.go.
 * SPDX-License-Identifier: BSD-3-Clause
 */
#include "lang/go.h"

#include <errno.h>
#include <limits.h>
#include <string.h>

#include "arch/arch.h"
#include "gort/go.h"
#include "gort/mem.h"
#include "gort/time.h"
#include "lang/context.h"
#include "lang/panic.h"
#include "os/os.h"
#include "sched/stw.h"
#include "sched/timer.h"

#define COPY_IN_FRAME                                                                              \
    ((size_t)1024) /* start records with copies up to this are built on the stack */
#define STACK_SIZE_MAX ((size_t)1 << 40)

/* What a new goroutine is to do.  A copy of arguments follows. */
struct start {
    void (*fn)(void *);
    void *arg;
    unsigned char copy[] __attribute__((aligned(16)));
};
_Static_assert(sizeof(struct start) == 16, "the copy is aligned as the record is");

/* ---- the function of a goroutine ------------------------------------------------------------ */

void go_call(void (*fn)(void *), void *arg)
{
    fn(arg);
    struct g *g = lang_enter("the end of a goroutine's function");
    if (g->defers != NULL) defer_run_all(g);
}

static void entry(void *arg)
{
    const struct start *s = arg;
    g_self()->fn = s->fn; /* for reports */
    go_call(s->fn, s->arg);
}

static void entry_copy(void *arg)
{
    struct start *s = arg;
    g_self()->fn = s->fn;
    go_call(s->fn, s->copy);
}

/* ---- starting ------------------------------------------------------------------------------- */

static force_inline void start(const char *name, size_t stack_size, void (*fn)(void *), void *arg,
                               void *pc)
{
    const struct start s = { .fn = fn, .arg = arg };
    if (name == NULL && stack_size == 0) {
        g_start_bare(entry, &s, sizeof s, (uintptr_t)pc);
        return;
    }
    const struct g_options o = {
        .name = name, .stack_size = stack_size, .copy = &s, .copy_size = sizeof s
    };
    g_start(entry, NULL, &o, (uintptr_t)pc);
}

void go_start_listed(struct ready_list *ready, void (*fn)(void *), void *arg, bool is_system,
                     uintptr_t pc)
{
    const struct start s = { .fn = fn, .arg = arg };
    const struct g_options o = { .copy = &s, .copy_size = sizeof s, .is_system = is_system };
    g_start_listed(ready, entry, NULL, &o, pc);
}

void gort_go(void (*fn)(void *), void *arg)
{
    (void)lang_enter("gort_go");
    lang_require_function(fn, "gort_go");
    start(NULL, 0, fn, arg, __builtin_return_address(0));
}

void gort_go_opt(const gort_go_options *options, void (*fn)(void *), void *arg)
{
    static const gort_go_options defaults;
    (void)lang_enter("gort_go_opt");
    lang_require_function(fn, "gort_go_opt");
    if (options == NULL) options = &defaults;
    if (options->stack_size > STACK_SIZE_MAX)
        throw_fmt("gort_go_opt: a stack of %zu bytes can not be had", options->stack_size);
    start(options->name, options->stack_size, fn, arg, __builtin_return_address(0));
}

/* s lies where the collector scans: after the copy nothing else may keep alive what it points
 * to. */
static void start_copy(struct start *s, void (*fn)(void *), const void *args, size_t size, void *pc)
{
    s->fn = fn;
    s->arg = NULL;
    if (size != 0) memcpy(s->copy, args, size);
    if (sizeof *s + size <= GO_COPY_MOST) {
        g_start_bare(entry_copy, s, sizeof *s + size, (uintptr_t)pc);
        return;
    }
    const struct g_options o = { .copy = s, .copy_size = sizeof *s + size };
    g_start(entry_copy, NULL, &o, (uintptr_t)pc);
}

void gort_go_copy(void (*fn)(void *), const void *args, size_t size)
{
    union {
        struct start start;
        unsigned char bytes[sizeof(struct start) + COPY_IN_FRAME];
    } in_frame;
    void *pc = __builtin_return_address(0);
    (void)lang_enter("gort_go_copy");
    lang_require_function(fn, "gort_go_copy");
    if (size <= COPY_IN_FRAME) {
        start_copy(&in_frame.start, fn, args, size, pc);
        return;
    }
    if (size > STACK_SIZE_MAX)
        throw_fmt("gort_go_copy: %zu bytes of arguments do not fit a stack", size);
    start_copy(gort_alloc(sizeof(struct start) + size), fn, args, size, pc);
}

/* ---- the running goroutine ------------------------------------------------------------------ */

void gort_yield(void)
{
    (void)lang_enter("gort_yield");
    g_yield();
}

uint64_t gort_goid(void)
{
    struct g *g = g_self();
    return g != NULL ? g->goid : 0;
}

int gort_num_goroutines(void)
{
    uint64_t n = g_count();
    return n <= INT_MAX ? (int)n : INT_MAX;
}

void gort_lock_thread(void)
{
    (void)lang_enter("gort_lock_thread");
    g_lock_thread();
}

void gort_unlock_thread(void)
{
    (void)lang_enter("gort_unlock_thread");
    g_unlock_thread();
}

/* ---- processors ----------------------------------------------------------------------------- */

int gort_max_procs(int n)
{
    (void)lang_enter("gort_max_procs");
    return n < 1 ? p_count() : p_set_count(n);
}

int gort_set_max_threads(int n)
{
    (void)lang_enter("gort_set_max_threads");
    crit_enter();
    int former = sched_set_max_threads(n);
    crit_exit();
    return former;
}

/* ---- blocking, threads ---------------------------------------------------------------------- */

void gort_enter_blocking_at(void *frame)
{
    (void)lang_enter("gort_enter_blocking");
    blocking_enter(frame, __builtin_frame_address(0), ARCH_OWN_FRAME_END());
}

void gort_exit_blocking(void)
{
    blocking_exit();
}

void gort_blocking(void (*fn)(void *), void *arg)
{
    (void)lang_enter("gort_blocking");
    blocking_call(fn, arg, (uintptr_t)fn);
}

/* Apart: the thread is another one to errno's address after a switch. */
static never_inline int fail(int error)
{
    errno = error;
    return -1;
}

int gort_thread_attach(void)
{
    int error = m_attach();
    return error == 0 ? 0 : fail(error);
}

void gort_thread_detach(void)
{
    struct g *g = g_self();
    if (g != NULL && g->is_attached && crit_depth() == 0) {
        if (g->tries != NULL) throw_msg("gort_thread_detach inside gort_try or a deferred call");
        defer_run_all(g);
    }
    m_detach();
}

void go_thread_exits(struct g *g)
{
    if (g->tries != NULL) throw_msg("an attached thread exits inside gort_try or a deferred call");
    defer_run_all(g);
}

/* ---- time ----------------------------------------------------------------------------------- */

int64_t gort_now(void)
{
    if (unlikely(sched_debug.deterministic)) os_clock_advance(GORT_US);
    return os_now();
}

void gort_sleep(int64_t ns)
{
    struct g *g = lang_enter_blocking("gort_sleep");
    if (unlikely(context_bound(g)) && ns > 0) {
        int64_t now = os_now(), until = now > INT64_MAX - ns ? INT64_MAX : now + ns;
        (void)select_bound(g, NULL, 0, &until);
        return;
    }
    g_sleep(ns);
}
