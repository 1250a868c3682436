// Unwinding by libgcc: out of a context's entry, through calls on other stacks, into a suspended
// context, out of a signal handler.
//
// SPDX-License-Identifier: BSD-3-Clause
#include <fenv.h>
#include <signal.h>
#include <unwind.h>

#include "arch/arch.h"
#include "base/bits.h"
#include "os/os.h"
#include "test.h"

enum { STACK_BYTES = 64 * 1024, FRAMES = 64 };

// The functions that an unwinding met, innermost first.
static void *met[FRAMES];
static int met_count;
static _Unwind_Reason_Code met_end;

static _Unwind_Reason_Code meet(struct _Unwind_Context *c, void *arg)
{
    int before = 0;
    (void)arg;
    uintptr_t pc = _Unwind_GetIPInfo(c, &before);
    // libgcc tells the end too, as a frame at 0; it looks up the byte before what it is given.
    if (pc != 0 && met_count < FRAMES)
        met[met_count++] = _Unwind_FindEnclosingFunction((void *)(before ? pc + 1 : pc));
    return _URC_NO_REASON;
}

static never_inline void unwind(void *arg)
{
    (void)arg;
    met_count = 0;
    met_end = _Unwind_Backtrace(meet, NULL);
    __asm__ volatile("" ::: "memory");
}

// Where fn stands among the functions met; -1: it was not.
static int place_of(const void *fn)
{
    for (int i = 0; i < met_count; i++)
        if (met[i] == fn) return i;
    return -1;
}
#define MET(fn) place_of((const void *)(uintptr_t)(fn))

static struct arch_context main_context, other_context;
static uintptr_t top;

// ---- out of an entry ---------------------------------------------------------------------------

static never_inline void inner(int depth)
{
    if (depth > 0)
        inner(depth - 1);
    else
        unwind(NULL);
    __asm__ volatile("" ::: "memory");
}

static never_inline void entry(void *arg)
{
    (void)arg;
    inner(3);
    arch_switch(&other_context, &main_context);
}

TEST(an_entry_ends_the_trace)
{
    arch_context_make(&other_context, top, entry, NULL);
    arch_switch(&main_context, &other_context);
    CHECK_EQ(met_end, _URC_END_OF_STACK);
    CHECK_EQ(MET(unwind), 0);
    CHECK_EQ(MET(inner), 1);
    CHECK_EQ(MET(entry), 5);
    CHECK_EQ(met_count, 7); // and the trampoline below the entry
    CHECK_EQ(MET(an_entry_ends_the_trace), -1);
}

// ---- through calls -----------------------------------------------------------------------------

static never_inline void caller_on_stack(void)
{
    uintptr_t saved;
    arch_call_on_stack(unwind, NULL, top, &saved);
    __asm__ volatile("" ::: "memory");
}

static never_inline void caller_spilled(void)
{
    uintptr_t saved;
    arch_call_spilled(unwind, NULL, &saved);
    __asm__ volatile("" ::: "memory");
}

TEST(calls_are_unwound_through)
{
    caller_on_stack();
    CHECK_EQ(met_end, _URC_END_OF_STACK);
    CHECK_EQ(MET(arch_call_on_stack), 1);
    CHECK_EQ(MET(caller_on_stack), 2);
    CHECK_GE(met_count, 4); // main and what called it
    caller_spilled();
    CHECK_EQ(met_end, _URC_END_OF_STACK);
    CHECK_EQ(MET(arch_call_spilled), 1);
    CHECK_EQ(MET(caller_spilled), 2);
}

// ---- into a suspended context ------------------------------------------------------------------

static never_inline void suspends(int depth)
{
    char frame[100]; // to be skipped
    __asm__ volatile("" : : "r"(frame) : "memory");
    if (depth > 0)
        suspends(depth - 1);
    else
        arch_switch(&other_context, &main_context);
    __asm__ volatile("" ::: "memory");
}

static never_inline void suspended_entry(void *arg)
{
    (void)arg;
    suspends(5);
    unwind(NULL); // goes on undisturbed
    arch_switch(&other_context, &main_context);
}

TEST(a_suspended_context)
{
    arch_context_make(&other_context, top, suspended_entry, NULL);
    arch_call_behind(unwind, NULL, &other_context); // not started yet: the trampoline alone
    CHECK_EQ(met_end, _URC_END_OF_STACK);
    CHECK_EQ(met_count, 3);
    arch_switch(&main_context, &other_context);
    for (int i = 0; i < 3; i++) {
        arch_call_behind(unwind, NULL, &other_context);
        CHECK_EQ(met_end, _URC_END_OF_STACK);
        CHECK_EQ(MET(arch_call_behind), 1);
        CHECK_EQ(MET(suspends), 2);
        CHECK_EQ(MET(suspended_entry), 8);
        CHECK_EQ(met_count, 10);
    }
    arch_switch(&main_context, &other_context);
    CHECK_EQ(MET(suspended_entry), 1);
    CHECK_EQ(met_count, 3);
}

// ---- into registers ----------------------------------------------------------------------------

static struct arch_registers registers;

static void note_registers(int sig, siginfo_t *info, void *ucontext)
{
    (void)sig;
    (void)info;
    arch_registers_of_frame(&registers, ucontext);
    arch_call_behind_registers(unwind, NULL, &registers);
}

static never_inline void is_interrupted(int depth)
{
    char frame[100];
    __asm__ volatile("" : : "r"(frame) : "memory");
    if (depth > 0)
        is_interrupted(depth - 1);
    else
        raise(SIGUSR2);
    __asm__ volatile("" ::: "memory");
}

TEST(behind_registers_lies_what_they_are_of)
{
    CHECK_EQ(os_signal_install(SIGUSR2, note_registers, NULL), 0);
    is_interrupted(2);
    CHECK_EQ(met_end, _URC_END_OF_STACK);
    CHECK_EQ(MET(unwind), 0);
    CHECK_EQ(MET(arch_call_behind_registers), 1);
    CHECK_EQ(MET(note_registers), -1); // not the real caller
    int first = MET(is_interrupted);
    CHECK_GE(first, 3);
    CHECK(met[first + 1] == met[first] && met[first + 2] == met[first]);
    CHECK_EQ(MET(behind_registers_lies_what_they_are_of), first + 3);
}

static uintptr_t entered[3];

static never_inline void enters(void)
{
    const uintptr_t *own = __builtin_frame_address(0);
    entered[0] = own[1];
    entered[1] = ARCH_OWN_FRAME_END();
    entered[2] = own[0];
    __asm__ volatile("" ::: "memory");
}

static never_inline void runs_on(void)
{
    char frame[100];
    __asm__ volatile("" : : "r"(frame) : "memory");
    enters();
    arch_registers_of_call(&registers, entered[0], entered[1], entered[2]);
    arch_call_behind_registers(unwind, NULL, &registers);
    __asm__ volatile("" ::: "memory");
}

TEST(behind_a_call_that_has_returned_lies_its_caller)
{
    runs_on();
    CHECK_EQ(met_end, _URC_END_OF_STACK);
    CHECK_EQ(MET(runs_on), 2);
    CHECK_EQ(MET(behind_a_call_that_has_returned_lies_its_caller), 3);
}

static never_inline void behind_spilled(void *arg)
{
    arch_call_behind_spilled(unwind, NULL, *(uintptr_t *)arg);
    __asm__ volatile("" ::: "memory");
}

static never_inline void spills(void)
{
    uintptr_t saved;
    arch_call_on_stack(behind_spilled, &saved, top, &saved);
    CHECK_EQ(MET(behind_spilled), -1);
    CHECK_EQ(MET(spills), 2);
    arch_call_spilled(behind_spilled, &saved, &saved);
    CHECK_EQ(MET(behind_spilled), -1);
    CHECK_EQ(MET(spills), 2);
}

TEST(behind_what_was_spilled_lies_the_caller)
{
    spills();
}

// ---- out of a signal handler -------------------------------------------------------------------

static void on_signal(int sig, siginfo_t *info, void *ucontext)
{
    (void)sig;
    (void)info;
    (void)ucontext;
    unwind(NULL);
    __asm__ volatile("" ::: "memory");
}

static never_inline void interrupted(void)
{
    os_thread_kill(os_thread_id(), SIGUSR1);
    __asm__ volatile("" ::: "memory");
}

static never_inline void signal_entry(void *arg)
{
    (void)arg;
    interrupted();
    arch_switch(&other_context, &main_context);
}

TEST(a_signal_handler)
{
    size_t size = os_sigstack_size();
    char *alternate = os_mem_map(NULL, size);
    CHECK(alternate != NULL);
    CHECK_EQ(os_sigstack_set(alternate, size), 0);
    CHECK_EQ(os_signal_install(SIGUSR1, on_signal, NULL), 0);
    interrupted();
    CHECK_EQ(met_end, _URC_END_OF_STACK);
    CHECK(MET(interrupted) > MET(on_signal));
    CHECK(MET(a_signal_handler) > 0);
    // The same inside a context.
    arch_context_make(&other_context, top, signal_entry, NULL);
    arch_switch(&main_context, &other_context);
    CHECK_EQ(met_end, _URC_END_OF_STACK);
    CHECK(MET(interrupted) > MET(on_signal));
    CHECK(MET(signal_entry) > MET(interrupted));
    CHECK_EQ(MET(a_signal_handler), -1);
    CHECK_EQ(os_sigstack_set(NULL, 0), 0);
    os_mem_unmap(alternate, size);
}

// ---- an unwinding at every instruction ---------------------------------------------------------

// Steps through a switch and the calls one instruction at a time; a handler unwinds at each. The
// trace has to reach a known function whatever the instruction: the CFI is right everywhere.  A
// program on arm64 can not step itself.
#if defined(__x86_64__)
static int steps, steps_lost;
static uintptr_t lost[FRAMES];
static volatile bool stepping;
void arch_entry(void); // its frame information begins with the nop before it

static void stepped(void);
static void stepped_partner(void *arg);

static void on_step(int sig, siginfo_t *info, void *ucontext)
{
    (void)sig;
    (void)info;
    if (!stepping) return;
    unwind(NULL);
    steps++;
    bool known = MET(stepped) >= 0 || MET(stepped_partner) >= 0 ||
                 MET((uintptr_t)arch_entry - ARCH_CODE_UNIT) >= 0;
    if (met_end != _URC_END_OF_STACK || !known)
        lost[steps_lost++ % FRAMES] = arch_frame_pc(ucontext);
}

void trap_on(void);
void trap_off(void);
__asm__(".text\n"
        "trap_on:\n"
        "\t.cfi_startproc\n"
        "\tpushfq\n"
        "\t.cfi_adjust_cfa_offset 8\n"
        "\torq $0x100, (%rsp)\n"
        "\tpopfq\n"
        "\t.cfi_adjust_cfa_offset -8\n"
        "\tret\n"
        "\t.cfi_endproc\n"
        "trap_off:\n"
        "\t.cfi_startproc\n"
        "\tpushfq\n"
        "\t.cfi_adjust_cfa_offset 8\n"
        "\tandq $~0x100, (%rsp)\n"
        "\tpopfq\n"
        "\t.cfi_adjust_cfa_offset -8\n"
        "\tret\n"
        "\t.cfi_endproc\n");

static void do_nothing(void *arg)
{
    (void)arg;
}

static never_inline void stepped_partner(void *arg)
{
    (void)arg;
    fesetround(FE_UPWARD); // switching back has to load the controls
    for (;;)
        arch_switch(&other_context, &main_context);
}

static never_inline void stepped(void)
{
    uintptr_t saved;
    stepping = true;
    trap_on();
    arch_switch(&main_context, &other_context);
    arch_switch(&main_context, &other_context);
    arch_call_on_stack(do_nothing, NULL, top - STACK_BYTES / 2, &saved);
    arch_call_spilled(do_nothing, NULL, &saved);
    arch_call_behind(do_nothing, NULL, &other_context);
    trap_off();
    stepping = false;
}

TEST(every_instruction_can_be_unwound)
{
    size_t size = os_sigstack_size();
    char *alternate = os_mem_map(NULL, size);
    CHECK_EQ(os_sigstack_set(alternate, size), 0);
    CHECK_EQ(os_signal_install(SIGTRAP, on_step, NULL), 0);
    arch_context_make(&other_context, top, stepped_partner, NULL);
    stepped();
    CHECK_GT(steps, 100);
    for (int i = 0; i < steps_lost && i < FRAMES; i++)
        fprintf(stderr, "lost at %#lx\n", (unsigned long)lost[i]);
    CHECK_EQ(steps_lost, 0);
    CHECK_EQ(os_sigstack_set(NULL, 0), 0);
    os_mem_unmap(alternate, size);
}
#endif

int main(void)
{
    char *lo = os_mem_map(NULL, STACK_BYTES);
    CHECK(lo != NULL);
    top = (uintptr_t)lo + STACK_BYTES;
    RUN(an_entry_ends_the_trace);
    RUN(calls_are_unwound_through);
    RUN(a_suspended_context);
    RUN(a_signal_handler);
#if defined(__x86_64__)
    RUN(every_instruction_can_be_unwound);
#endif
    RUN(behind_registers_lies_what_they_are_of);
    RUN(behind_a_call_that_has_returned_lies_its_caller);
    RUN(behind_what_was_spilled_lies_the_caller);
    return 0;
}
