// Note [Critical sections] in sched/sched.h (rule 5 of the design): a stop that is asked for while
// a thread is in one finds it outside, and finds it there before it does anything else.
//
// The goroutine in the section waits until the stop has been asked for and its handler has left the
// mark; so every round has the interleaving.  Where single steps can be had, the stop is asked for
// at each instruction from before the section to after it.
//
// test/removals.txt takes out the test of the handler, that of the section's end, and its order.
// TEST skip=tsan
// SPDX-License-Identifier: BSD-3-Clause
#include <errno.h>

#include "sched_test.h"

static uint32_t asked, stopped; // atomic: stops, by number
static uint32_t inside, quit;   // atomic
static uint32_t running;        // atomic
static uint32_t met;            // stops that found somebody inside; in stops
static struct group group;

static void look_stopped(void *number)
{
    world_stop(STOP_TEST, NULL);
    met += atomic_load_relaxed(&inside);
    atomic_store_relaxed(&stopped, (uint32_t)(uintptr_t)number);
    world_start();
}

// Stops the world as often as it is asked to.  Never parks: it has its P and its thread.
static void stopper(void *unused)
{
    (void)unused;
    atomic_store_release(&running, 1u);
    while (!atomic_load_relaxed(&quit)) {
        uint32_t number = atomic_load_acquire(&asked); // pairs with ask
        if (number == atomic_load_relaxed(&stopped))
            arch_pause();
        else
            call_on_system_stack(look_stopped, (void *)(uintptr_t)number);
    }
    group_done(&group);
}

static bool has_stopped(void)
{
    return atomic_load_acquire(&stopped) == atomic_load_relaxed(&asked);
}

// Asks for a stop.  In a section: until the handler has left its mark; without one: until the stop
// is over.  (The monitor's request for the P leaves a mark too; so the stop must be on as well.)
static void ask(void)
{
    atomic_store_release(&asked, asked + 1);
    while (!has_stopped() && !(crit_is_pending() && world_wants_stop()))
        arch_pause();
}

static void with_stopper(void (*fn)(void))
{
    group.left = 1;
    g_start(stopper, NULL, NULL, 0);
    while (!atomic_load_acquire(&running))
        g_yield();
    fn();
    CHECK_EQ(met, 0);
    atomic_store_relaxed(&quit, 1u);
    group_wait(&group);
}

static void sections(void)
{
    for (int i = 0; i < test_count(500); i++) {
        crit_enter();
        crit_enter();
        atomic_store_relaxed(&inside, 1u);
        ask();
        CHECK(!has_stopped());
        crit_exit();
        CHECK(!has_stopped()); // nested: only the outermost ends it
        atomic_store_relaxed(&inside, 0u);
        crit_exit();
        CHECK(has_stopped());
    }
}

// Outside of sections it is the handler that stops, and nothing of the thread's has changed.
static void user_code(void)
{
    for (int i = 0; i < test_count(500); i++) {
        errno = EXDEV;
        ask();
        CHECK_EQ(errno, EXDEV);
        CHECK(has_stopped());
    }
}

#if defined(__x86_64__)

// After the next instruction there is a trap, and after each that follows.  Below the stack pointer
// there may be data.
#define TRAP_FLAG(how)                                                                             \
    __asm__ volatile("leaq -128(%%rsp), %%rsp\n\tpushfq\n\t" how ", (%%rsp)\n\tpopfq\n\t"          \
                     "leaq 128(%%rsp), %%rsp"                                                      \
                     :                                                                             \
                     :                                                                             \
                     : "memory", "cc")
#define STEPS_BEGIN() TRAP_FLAG("orq $0x100")
#define STEPS_END() TRAP_FLAG("andq $-0x101")

static uint32_t steps, ask_at;

static void on_step(int sig, siginfo_t *info, void *context)
{
    (void)sig;
    (void)info;
    (void)context;
    if (steps++ == ask_at) ask();
}

static void each_instruction(void)
{
    struct sigaction act = { .sa_sigaction = on_step, .sa_flags = SA_SIGINFO | SA_ONSTACK };
    uint32_t in_section = 0;
    sigemptyset(&act.sa_mask); // the stop may come in the handler
    CHECK_EQ(sigaction(SIGTRAP, &act, NULL), 0);
    for (ask_at = 0, steps = 1; ask_at < steps; ask_at++) {
        uint64_t deferred = m_self()->stops_deferred;
        steps = 0;
        STEPS_BEGIN();
        crit_enter();
        atomic_store_relaxed(&inside, 1u);
        atomic_store_relaxed(&inside, 0u);
        crit_exit();
        STEPS_END();
        CHECK(ask_at >= steps || has_stopped());
        in_section += m_self()->stops_deferred != deferred;
    }
    CHECK_GT(in_section, 2); // both stores, and an instruction between them and the end
}

#endif

static void are_not_stopped(void)
{
    with_stopper(sections);
}

static void user_code_is(void)
{
    with_stopper(user_code);
}

static void at_each_instruction(void)
{
#if defined(__x86_64__)
    with_stopper(each_instruction);
#endif
}

static const int procs[] = { 2, 4 };

int main(void)
{
    for (unsigned i = 0; i < 2; i++) {
        CHECK_EQ(sched_test_child(are_not_stopped, procs[i]), 0);
        CHECK_EQ(sched_test_child(user_code_is, procs[i]), 0);
        CHECK_EQ(sched_test_child(at_each_instruction, procs[i]), 0);
    }
    return 0;
}
