/* Boot: gort_run, from the first call to the main function's result.
 *
 * The order, and why:
 *   1. environment   everything below takes its settings from it, and from the machine: CPUs,
 *                    quota, page sizes
 *   2. heap          the off-heap records of all floors come from its allocators
 *   3. collector     and its hooks, before any P exists
 *   4. faults        from here on a crash on a thread of the runtime is reported
 *   5. scheduler     Ps, stacks, poller; still one thread
 *   6. main          the first M and the main goroutine; on it the runtime's own goroutines start,
 *                    before the program can do anything
 * The calling thread then sleeps until the main function has returned.  Nothing is torn down: the
 * threads that run go on until the process exits.
 *
 * Answers to: rt0_go, schedinit, main in proc.go.
 * SPDX-License-Identifier: BSD-3-Clause
 */
#include "alloc/observe.h"
#include "base/atomic.h"
#include "base/print.h"
#include "base/throw.h"
#include "gc/gc.h"
#include "gc/scavenger.h"
#include "gort/go.h"
#include "gort/inspect.h"
#include "heap/heap.h"
#include "base/race.h"
#include "heap/poison.h"
#include "heap/scavenge.h"
#include "lang/go.h"
#include "lang/hash.h"
#include "lang/timer.h"
#include "os/os.h"
#include "rt/env.h"
#include "rt/fault.h"
#include "rt/hooks.h"
#include "rt/procs.h"
#include "rt/quit.h"
#include "rt/sysmon.h"
#include "sched/hooks.h"
#include "sched/sanitize.h"
#include "sched/sched.h"

struct main_call {
    int (*fn)(int argc, char **argv);
    int argc;
    char **argv;
    int status;
};

struct rt_hooks rt_hooks;

static uint32_t runs; /* atomic: calls of gort_run */

static void step(const char *what)
{
    if (env.boottrace) print_err("gort: boot: %s\n", what);
}

static void step_machine(void)
{
    gort_machine m;
    if (!env.boottrace) return;
    gort_read_machine(&m);
    print_err(
        "gort: boot: machine: %s %s, %d CPUs, quota %.2f, pages of %zu KB, huge ones of %zu KB, "
        "%d Ps wanted; gort %s\n",
        m.os, m.arch, m.cpus, m.cpu_quota, m.page_size / KB, m.huge_page_size / KB, env.procs,
        m.version);
}

/* ---- checks ---------------------------------------------------------------------------------- */

/* The declaration promises compilers that fn is not NULL; here they must not take its word. */
static bool is_null(const void *p)
{
    __asm__("" : "+r"(p));
    return p == NULL;
}

static void check_call(const struct main_call *call)
{
    if (m_self() != NULL) throw_msg("gort_run called inside gort_run");
    if (atomic_fetch_add_relaxed(&runs, 1) != 0) /* a lone counter */
        throw_msg("gort_run called a second time: it runs once per process");
    if (sanitize_hides_locals())
        throw_msg(
            "gort_run: AddressSanitizer keeps local variables where the collector does not look: "
            "set ASAN_OPTIONS=detect_stack_use_after_return=0");
    if (is_null((const void *)(uintptr_t)call->fn))
        throw_msg("gort_run: the main function is NULL");
}

/* ---- the floors ------------------------------------------------------------------------------ */

/* Automatic where the program has a sanitizer. */
static bool wants_poison(void)
{
    if (env.poison == 1 && !poison_available())
        throw_msg("GORTDEBUG=poison=1: the program has neither AddressSanitizer nor "
                  "MemorySanitizer");
    return env.poison != 0 && poison_available();
}

/* Modes that keep a record of each object: diag/objects.c. */
static bool wants_records(void)
{
    return env.efence != 0 || env.allocfreetrace != 0 || env.leaks != 0;
}

static void boot_heap(void)
{
    struct heap_params params = {
        .huge_pages = env.efence == 0, /* pages are fenced one by one */
        .clobber_free = env.clobberfree != 0,
        .trace_frees = wants_records(),
        .poison = wants_poison(),
        .never_reuse = env.efence != 0,
    };
    if (!heap_init(&params))
        throw_msg("out of memory: the kernel gave none for the heap (see ulimit -v)");
}

/* gcstress is for what is rare: marking beside the program. */
static uint32_t small_roots(void)
{
    bool on = env.gcsmall == ENV_AUTO ? env.gcstress == 0 : env.gcsmall != 0;
    return on ? GC_SMALL_ROOTS : 0;
}

static void boot_collector(void)
{
    struct sched_hooks hooks = { .p_init = NULL };
    struct gc_options options = {
        .percent = env.gc_percent,
        .debug = { .gcstress = (uint32_t)env.gcstress,
                   .gccheck = env.gccheck != 0,
                   .gcpacertrace = env.gcpacertrace != 0,
                   .gccheckmark = env.gccheckmark != 0,
                   .small = small_roots(),
                   .colors = (uint32_t)env.gccolors,
                   .stoptheworld = (uint32_t)env.gcstoptheworld },
        .freed = alloc_freed,
        .call = go_call,
    };
    scavenger_trace = env.scavtrace != 0;
    scav_stress = (uint32_t)env.scavstress;
    scavenger_set_limit(env.memory_limit);
    gc_init(&options);
    timers_init();
    alloc_observe(false, 0);
    if (env.gcperiod != 0) gc_period_ns = (int64_t)env.gcperiod * 1000000;
    if (wants_records() || heap->params.poison || race_on) alloc_observe_all();
    if (rt_hooks.configure != NULL) rt_hooks.configure();
    hooks.thread_exits = go_thread_exits;
    gc_hooks_fill(&hooks);
    sched_hooks_install(&hooks);
}

#define MAIN_STACK_MIN (256 * KB)
#define MAIN_STACK_MAX (256 * MB)
#define MAIN_STACK_UNLIMITED (64 * MB)
#define ADDRESS_SPACE_PART 16 /* of a limited address space the main stack takes at most 1/16 */

/* As large as the thread's own stack would be. */
static size_t main_stack_size(void)
{
    uint64_t size = os_stack_limit(), space = os_address_space_limit();
    if (size == UINT64_MAX) size = MAIN_STACK_UNLIMITED;
    if (size > MAIN_STACK_MAX) size = MAIN_STACK_MAX;
    if (size > space / ADDRESS_SPACE_PART) size = space / ADDRESS_SPACE_PART;
    return size < MAIN_STACK_MIN ? MAIN_STACK_MIN : (size_t)size;
}

/* ---- the main goroutine ---------------------------------------------------------------------- */

static void call_main(void *arg)
{
    struct main_call *call = arg;
    call->status = call->fn(call->argc, call->argv);
}

static void print_order(void)
{
    uint64_t switches, hash = sched_order(&switches);
    print_err("gort: deterministic=%lu: order %016lx, %lu turns\n", (unsigned long)env.seed,
              (unsigned long)hash, (unsigned long)switches);
}

static void run_main(void *arg)
{
    step("background goroutines");
    gc_start_background();
    if (!env.procs_given && env.updatemaxprocs != 0) procs_follow();
    step("monitor");
    sysmon_start();
    step("main function");
    go_call(call_main, arg);
    if (sched_debug.deterministic) print_order();
    if (rt_hooks.main_returned != NULL) rt_hooks.main_returned();
    step("main function returned");
    if (rt_hooks.left != NULL) rt_hooks.left();
    sched_main_done();
}

int gort_run(int (*main_fn)(int argc, char **argv), int argc, char **argv)
{
    struct main_call call = { .fn = main_fn, .argc = argc, .argv = argv };
    check_call(&call);
    os_std_fds_hold();
    env_read();
    step("environment");
    env_apply(&env);
    step_machine();
    hash_init(env.seed_given);
    step("heap");
    boot_heap();
    step("collector");
    boot_collector();
    step("faults");
    fault_install();
    quit_install();
    step("scheduler");
    sched_init(env.procs);
    step("main goroutine");
    sched_run(run_main, &call, main_stack_size());
    return call.status;
}
