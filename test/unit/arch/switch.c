// The context switch: alignment, registers, floating-point controls, many contexts, two threads.
//
// TEST skip=tsan
// (the sanitizer's own stack of calls does not follow ours)
// SPDX-License-Identifier: BSD-3-Clause
#include <fenv.h>
#include <pthread.h>

#include "arch/arch.h"
#include "base/atomic.h"
#include "base/bits.h"
#include "expect_fatal.h"
#include "machine.h"
#include "os/os.h"
#include "test.h"

enum { STACK_BYTES = 64 * 1024 };

// Frames that were left without a return keep their marks when the memory is used again.
#if defined(__SANITIZE_ADDRESS__)
void __asan_unpoison_memory_region(void const volatile *addr, size_t size);
#define asan_forget(p, n) __asan_unpoison_memory_region(p, n)
#else
#define asan_forget(p, n) ((void)0)
#endif

static uintptr_t stack_make(void)
{
    char *lo = os_mem_map(NULL, STACK_BYTES);
    CHECK(lo != NULL);
    asan_forget(lo, STACK_BYTES);
    return (uintptr_t)lo + STACK_BYTES;
}

static void stack_free(uintptr_t top)
{
    os_mem_unmap((void *)(top - STACK_BYTES), STACK_BYTES);
}

// ---- entry -------------------------------------------------------------------------------------

static struct arch_context main_context, other_context;

// Called with the stack pointer that a C function has at its first instruction.
__attribute__((used)) static void entry_seen(void *arg, uintptr_t sp, uintptr_t fp)
{
    uintptr_t *out = arg;
    out[0] = sp;
    out[1] = fp;
    arch_switch(&other_context, &main_context);
    CHECK(!"switched back to");
}

DEFINE_ENTRY_BARE;

TEST(entry_is_aligned_whatever_the_top)
{
    uintptr_t top = stack_make(), seen[2];
    for (uintptr_t off = 0; off < 64; off++) {
        arch_context_make(&other_context, top - off, entry_bare, seen);
        arch_switch(&main_context, &other_context);
        CHECK_EQ(seen[0] % 16, ENTRY_SP_REST);
        CHECK(seen[0] <= top - off && top - off - seen[0] <= 64);
        CHECK_EQ(seen[1], 0u); // chains of frame pointers end here
    }
    stack_free(top);
}

// ---- registers ---------------------------------------------------------------------------------

DEFINE_SWITCH_WITH;

static void values_make(uint64_t v[SAVED_REGISTERS], uint64_t seed)
{
    for (int i = 0; i < SAVED_REGISTERS; i++)
        v[i] = test_random(&seed);
}

static int register_rounds;

static void register_partner(void *arg)
{
    uint64_t in[SAVED_REGISTERS], out[SAVED_REGISTERS];
    (void)arg;
    for (int i = 0;; i++) {
        values_make(in, 1000 + (uint64_t)i);
        switch_with(&other_context, &main_context, in, out);
        CHECK(memcmp(in, out, sizeof in) == 0);
        register_rounds++;
    }
}

TEST(callee_saved_registers_survive)
{
    uintptr_t top = stack_make();
    uint64_t in[SAVED_REGISTERS], out[SAVED_REGISTERS];
    arch_context_make(&other_context, top, register_partner, NULL);
    for (int i = 0; i < 1000; i++) {
        values_make(in, (uint64_t)i);
        switch_with(&main_context, &other_context, in, out);
        CHECK(memcmp(in, out, sizeof in) == 0);
    }
    CHECK_EQ(register_rounds, 999);
    stack_free(top);
}

// ---- floating point ----------------------------------------------------------------------------

static int inherited_rounding;

static void rounds_down(void *arg)
{
    (void)arg;
    inherited_rounding = fegetround();
    fesetround(FE_DOWNWARD);
    feenableexcept(FE_OVERFLOW);
    uint64_t controls = controls_read();
    for (;;) {
        arch_switch(&other_context, &main_context);
        CHECK_EQ(controls_read(), controls);
        CHECK_EQ(fegetround(), FE_DOWNWARD);
    }
}

TEST(floating_point_controls_are_per_context)
{
    uintptr_t top = stack_make();
    fesetround(FE_TOWARDZERO);
    arch_context_make(&other_context, top, rounds_down, NULL);
    fesetround(FE_UPWARD);
    uint64_t controls = controls_read();
    for (int i = 0; i < 10; i++) {
        arch_switch(&main_context, &other_context);
        CHECK_EQ(controls_read(), controls);
        CHECK_EQ(fegetround(), FE_UPWARD);
    }
    CHECK_EQ(inherited_rounding, FE_TOWARDZERO); // of the creator at that time
    fesetround(FE_TONEAREST);
    stack_free(top);
}

static void other_controls(void *arg)
{
    uint64_t controls = controls_read() ^ *(const uint64_t *)arg;
    controls_write(controls);
    for (;;) {
        arch_switch(&other_context, &main_context);
        CHECK_EQ(controls_read(), controls);
    }
}

TEST(each_control_alone)
{
    uintptr_t top = stack_make();
    uint64_t controls = controls_read();
    for (size_t b = 0; b < array_len(control_bits); b++) {
        arch_context_make(&other_context, top, other_controls, (void *)&control_bits[b]);
        for (int i = 0; i < 3; i++) {
            arch_switch(&main_context, &other_context);
            CHECK_EQ(controls_read(), controls);
        }
    }
    stack_free(top);
}

#if defined(__x86_64__)
// What one context raised, with exceptions masked, does not trap in one that has them unmasked.
static void raises_and_leaves(void *arg)
{
    (void)arg;
    for (;;) {
        uint16_t status;
        __asm__ volatile("fldz\n\tfldz\n\tfdivrp\n\tfstp %%st(0)\n\tfnstsw %0" : "=m"(status));
        CHECK(status & FE_INVALID);
        feraiseexcept(FE_ALL_EXCEPT);
        arch_switch(&other_context, &main_context);
    }
}

TEST(raised_exceptions_do_not_trap_elsewhere)
{
    uintptr_t top = stack_make();
    arch_context_make(&other_context, top, raises_and_leaves, NULL);
    feclearexcept(FE_ALL_EXCEPT);
    feenableexcept(FE_INVALID | FE_DIVBYZERO);
    for (int i = 0; i < 3; i++) {
        volatile long double one = 1, sum;
        arch_switch(&main_context, &other_context);
        sum = one + one; // x87 traps here if anywhere
        CHECK(sum == 2);
    }
    fedisableexcept(FE_ALL_EXCEPT);
    stack_free(top);
}

#endif

// Flags that differ from context to context must not cost a load of mxcsr at each switch.
static void bounces(void *arg)
{
    (void)arg;
    for (;;)
        arch_switch(&other_context, &main_context);
}

static int64_t time_of_switches(void)
{
    int64_t start = os_thread_cpu();
    for (int i = 0; i < 20000; i++)
        arch_switch(&main_context, &other_context);
    return os_thread_cpu() - start;
}

static void sooner(int64_t *best)
{
    int64_t took = time_of_switches();
    if (took < *best) *best = took;
}

TEST(exception_flags_cost_nothing)
{
    uintptr_t top = stack_make();
    int64_t clear = INT64_MAX, raised = INT64_MAX;
    arch_context_make(&other_context, top, bounces, NULL);
    for (int i = 0; i < 10 || raised >= 5 * clear + 10000; i++) { // the time limit is the other end
        feclearexcept(FE_ALL_EXCEPT);
        sooner(&clear);
        feraiseexcept(FE_INEXACT); // as after most divisions
        sooner(&raised);
    }
    feclearexcept(FE_ALL_EXCEPT);
    stack_free(top);
}

// ---- many contexts -----------------------------------------------------------------------------

enum { RING = 100 };
static struct arch_context ring[RING];
static int64_t ring_left, ring_steps;

static void ring_member(void *arg)
{
    uintptr_t me = (uintptr_t)arg;
    int64_t mine = 0;
    volatile char frame[200];
    memset((char *)frame, (int)me, sizeof frame);
    for (;;) {
        CHECK_EQ(frame[mine % 200], (char)me);
        mine++;
        ring_steps++;
        bool done = --ring_left == 0;
        arch_switch(&ring[me], done ? &main_context : &ring[(me + 1) % RING]);
    }
}

TEST(a_ring_of_contexts)
{
    uintptr_t top[RING];
    for (uintptr_t i = 0; i < RING; i++) {
        top[i] = stack_make();
        arch_context_make(&ring[i], top[i], ring_member, (void *)i);
    }
    ring_left = test_count(1000000);
    int64_t wanted = ring_left;
    arch_switch(&main_context, &ring[0]);
    CHECK_EQ(ring_steps, wanted);
    for (int i = 0; i < RING; i++)
        stack_free(top[i]);
}

// ---- between threads ---------------------------------------------------------------------------

// Two threads run one context in turns; it finds the block of the thread that runs it.
static struct arch_context traveller, thread_context[2];
enum { TRAVEL_STEPS = 2000 };
static int travel_turn;      // whose it is; atomic
static int64_t travel_steps; // atomic

static void travel(void *arg)
{
    (void)arg;
    for (;;) {
        uintptr_t m = (uintptr_t)arch_tls_m();
        CHECK(m == 1 || m == 2);
        CHECK_EQ(m - 1, (uintptr_t)travel_turn);
        CHECK_EQ((uintptr_t)arch_tls_g(), m * 10);
        CHECK_EQ((uintptr_t)arch_tls_cache(), m * 100);
        atomic_store_relaxed(&travel_steps, travel_steps + 1);
        arch_switch(&traveller, &thread_context[m - 1]);
    }
}

static void *travel_thread(void *arg)
{
    uintptr_t me = (uintptr_t)arg;
    arch_tls_set_m((void *)(me + 1));
    arch_tls_set_g((void *)((me + 1) * 10));
    arch_tls_set_cache((struct gort_cache *)((me + 1) * 100));
    while (atomic_load_relaxed(&travel_steps) < TRAVEL_STEPS) {
        if (atomic_load_acquire(&travel_turn) != (int)me) { // pairs with the store below
            os_thread_yield();
            continue;
        }
        arch_switch(&thread_context[me], &traveller);
        atomic_store_release(&travel_turn, !me); // pairs with the load above
    }
    return NULL;
}

TEST(a_context_moves_between_threads)
{
    pthread_t thread[2];
    uintptr_t top = stack_make();
    arch_context_make(&traveller, top, travel, NULL);
    for (uintptr_t i = 0; i < 2; i++)
        CHECK_EQ(pthread_create(&thread[i], NULL, travel_thread, (void *)i), 0);
    for (int i = 0; i < 2; i++)
        pthread_join(thread[i], NULL);
    CHECK_GE(travel_steps, TRAVEL_STEPS);
    CHECK_PTR_EQ(arch_tls_m(), NULL); // the main thread's block was left alone
    stack_free(top);
}

// ---- returning ---------------------------------------------------------------------------------

static void returns(void *arg)
{
    (void)arg;
}

static void entry_that_returns(void *arg)
{
    arch_context_make(&other_context, stack_make(), returns, arg);
    arch_switch(&main_context, &other_context);
}

TEST(an_entry_that_returns_is_fatal)
{
    expect_fatal(entry_that_returns, NULL, "fatal error: entry function of a context returned");
}

// ---- calls on another stack --------------------------------------------------------------------

static uintptr_t call_sp, call_saved;
static uint64_t *call_stack_word;

static void called(void *arg)
{
    uintptr_t here = (uintptr_t)__builtin_frame_address(0);
    CHECK_EQ(here % 16, 0u);
    call_sp = here;
    (*(int *)arg)++;
}

// Whether a word lies between the saved stack pointer and the caller's frame: what a scan sees.
__attribute__((used)) static void look_for(void *arg)
{
    uint64_t *words = arg;
    for (int i = 0; i < SAVED_REGISTERS; i++) {
        bool found = false;
        for (uintptr_t p = call_saved; p < call_saved + SPILLED_BYTES; p += 8)
            found |= *(uint64_t *)p == words[i];
        CHECK(found);
    }
    call_stack_word = words;
}

TEST(call_on_stack)
{
    uintptr_t top = stack_make(), saved = 0;
    int calls = 0;
    for (uintptr_t off = 0; off < 32; off++) {
        arch_call_on_stack(called, &calls, top - off, &saved);
        CHECK(call_sp < top - off && call_sp > top - off - 128);
        CHECK(saved < (uintptr_t)__builtin_frame_address(0));
        CHECK((uintptr_t)__builtin_frame_address(0) - saved < STACK_BYTES);
    }
    CHECK_EQ(calls, 32);
    stack_free(top);
}

TEST(call_spilled)
{
    uintptr_t saved = 0;
    int calls = 0;
    arch_call_spilled(called, &calls, &saved);
    CHECK_EQ(calls, 1);
    CHECK(call_sp < saved && saved < (uintptr_t)__builtin_frame_address(0));
}

DEFINE_CALL_WITH;

TEST(spilled_registers_lie_above_the_saved_stack_pointer)
{
    uintptr_t top = stack_make();
    for (int i = 0; i < 2; i++) {
        uint64_t in[SAVED_REGISTERS], out[SAVED_REGISTERS];
        values_make(in, test_seed() + (uint64_t)i);
        call_with(in, i == 0 ? 0 : top, &call_saved, out);
        CHECK_PTR_EQ(call_stack_word, in);
        CHECK(memcmp(in, out, sizeof in) == 0);
    }
    stack_free(top);
}

int main(void)
{
    RUN(an_entry_that_returns_is_fatal);
    RUN(entry_is_aligned_whatever_the_top);
    RUN(callee_saved_registers_survive);
    RUN(floating_point_controls_are_per_context);
    RUN(each_control_alone);
#if defined(__x86_64__)
    RUN(raised_exceptions_do_not_trap_elsewhere);
#endif
    RUN(exception_flags_cost_nothing);
    RUN(a_ring_of_contexts);
    RUN(a_context_moves_between_threads);
    RUN(call_on_stack);
    RUN(call_spilled);
    RUN(spilled_registers_lie_above_the_saved_stack_pointer);
    return 0;
}
