// What the tests of this floor say in assembly, for each machine.
//
// SPDX-License-Identifier: BSD-3-Clause
#ifndef GORT_TEST_UNIT_ARCH_MACHINE_H
#define GORT_TEST_UNIT_ARCH_MACHINE_H

#include "arch/arch.h"

// ---- registers ----------------------------------------------------------------------------------

// SAVED_REGISTERS        callee-saved ones that a function may change, the frame pointer among them
// SPILLED_BYTES          at most, of what arch_call_spilled and arch_call_on_stack push
// ENTRY_SP_REST          the stack pointer modulo 16 at a function's first instruction
#if defined(__x86_64__)
enum { SAVED_REGISTERS = 6, SPILLED_BYTES = 64, ENTRY_SP_REST = 8 };
#elif defined(__aarch64__)
enum { SAVED_REGISTERS = 19, SPILLED_BYTES = 160, ENTRY_SP_REST = 0 };
#endif

// Calls entry_seen(arg, sp, fp) with what the two registers are at the first instruction.
void entry_bare(void *arg);
// Loads the callee-saved registers from in, switches, and stores what they hold then in out.
void switch_with(struct arch_context *from, const struct arch_context *to, const uint64_t *in,
                 uint64_t *out);
// Calls look_for(in) with them so, by arch_call_on_stack, or arch_call_spilled where top is 0.
void call_with(uint64_t *in, uintptr_t top, uintptr_t *saved, uint64_t *out);

#if defined(__x86_64__)

#define DEFINE_ENTRY_BARE                                                                          \
    __asm__(".text\n"                                                                              \
            "entry_bare:\n"                                                                        \
            "\tmovq %rsp, %rsi\n"                                                                  \
            "\tmovq %rbp, %rdx\n"                                                                  \
            "\tjmp entry_seen\n")

#define PUSH_ALL_                                                                                  \
    "\tpushq %rbx\n\tpushq %rbp\n\tpushq %r12\n\tpushq %r13\n\tpushq %r14\n\tpushq %r15\n"
#define POP_ALL_ "\tpopq %r15\n\tpopq %r14\n\tpopq %r13\n\tpopq %r12\n\tpopq %rbp\n\tpopq %rbx\n"
#define LOAD_ALL_(from)                                                                            \
    "\tmovq 0(%" from "), %rbx\n\tmovq 8(%" from "), %rbp\n\tmovq 16(%" from "), %r12\n"           \
    "\tmovq 24(%" from "), %r13\n\tmovq 32(%" from "), %r14\n\tmovq 40(%" from "), %r15\n"
#define STORE_ALL_(to)                                                                             \
    "\tmovq %rbx, 0(%" to ")\n\tmovq %rbp, 8(%" to ")\n\tmovq %r12, 16(%" to ")\n"                 \
    "\tmovq %r13, 24(%" to ")\n\tmovq %r14, 32(%" to ")\n\tmovq %r15, 40(%" to ")\n"

#define DEFINE_SWITCH_WITH                                                                         \
    __asm__(".text\n"                                                                              \
            "switch_with:\n" PUSH_ALL_                                                             \
            "\tpushq %rcx\n" LOAD_ALL_("rdx") "\tcall arch_switch\n"                               \
                                              "\tpopq %rcx\n" STORE_ALL_("rcx") POP_ALL_           \
            "\tret\n")

#define DEFINE_CALL_WITH                                                                           \
    __asm__(".text\n"                                                                              \
            "call_with:\n" PUSH_ALL_ "\tpushq %rcx\n" LOAD_ALL_(                                   \
                "rdi") "\tmovq %rsi, %rax\n\tmovq %rdi, %rsi\n\tleaq look_for(%rip), %rdi\n"       \
                       "\tmovq %rdx, %rcx\n\tmovq %rax, %rdx\n"                                    \
                       "\ttestq %rax, %rax\n\tjz 1f\n"                                             \
                       "\tcall arch_call_on_stack\n\tjmp 2f\n"                                     \
                       "1:\tmovq %rcx, %rdx\n\tcall arch_call_spilled\n"                           \
                       "2:\tpopq %rcx\n" STORE_ALL_("rcx") POP_ALL_ "\tret\n")

#elif defined(__aarch64__)

#define DEFINE_ENTRY_BARE                                                                          \
    __asm__(".text\n"                                                                              \
            "entry_bare:\n"                                                                        \
            "\tmov x1, sp\n"                                                                       \
            "\tmov x2, x29\n"                                                                      \
            "\tb entry_seen\n")

#define PAIRS_(op, at)                                                                             \
    "\t" op " x19, x20, [" at "]\n\t" op " x21, x22, [" at ", #16]\n"                              \
    "\t" op " x23, x24, [" at ", #32]\n\t" op " x25, x26, [" at ", #48]\n"                         \
    "\t" op " x27, x28, [" at ", #64]\n\t" op " d8, d9, [" at ", #80]\n"                           \
    "\t" op " d10, d11, [" at ", #96]\n\t" op " d12, d13, [" at ", #112]\n"                        \
    "\t" op " d14, d15, [" at ", #128]\n"
#define PUSH_ALL_ "\tsub sp, sp, #176\n" PAIRS_("stp", "sp") "\tstp x29, x30, [sp, #144]\n"
#define POP_ALL_ PAIRS_("ldp", "sp") "\tldp x29, x30, [sp, #144]\n\tadd sp, sp, #176\n"
#define LOAD_ALL_(from) PAIRS_("ldp", from) "\tldr x29, [" from ", #144]\n"
#define STORE_ALL_(to) PAIRS_("stp", to) "\tstr x29, [" to ", #144]\n"

#define DEFINE_SWITCH_WITH                                                                         \
    __asm__(".text\n"                                                                              \
            "switch_with:\n" PUSH_ALL_                                                             \
            "\tstr x3, [sp, #160]\n" LOAD_ALL_("x2") "\tbl arch_switch\n"                          \
                                                     "\tldr x3, [sp, #160]\n" STORE_ALL_("x3")     \
                                                         POP_ALL_ "\tret\n")

#define DEFINE_CALL_WITH                                                                           \
    __asm__(".text\n"                                                                              \
            "call_with:\n" PUSH_ALL_ "\tstr x3, [sp, #160]\n" LOAD_ALL_(                           \
                "x0") "\tmov x9, x1\n\tmov x3, x2\n\tmov x1, x0\n"                                 \
                      "\tadrp x0, look_for\n\tadd x0, x0, :lo12:look_for\n"                        \
                      "\tcbz x9, 1f\n"                                                             \
                      "\tmov x2, x9\n\tbl arch_call_on_stack\n\tb 2f\n"                            \
                      "1:\tmov x2, x3\n\tbl arch_call_spilled\n"                                   \
                      "2:\tldr x3, [sp, #160]\n" STORE_ALL_("x3") POP_ALL_ "\tret\n")

#endif

// ---- floating-point controls --------------------------------------------------------------------

#if defined(__x86_64__)
// mxcsr without the exception flags, which belong to the thread; above it the x87 unit's control
// word.
static inline uint64_t controls_read(void)
{
    uint32_t mxcsr;
    uint16_t x87;
    __asm__ volatile("stmxcsr %0\n\tfnstcw %1" : "=m"(mxcsr), "=m"(x87));
    return (uint64_t)x87 << 32 | (mxcsr & ~0x3fu);
}
static inline void controls_write(uint64_t v)
{
    uint32_t mxcsr = (uint32_t)v;
    uint16_t x87 = (uint16_t)(v >> 32);
    __asm__ volatile("ldmxcsr %0\n\tfldcw %1" : : "m"(mxcsr), "m"(x87));
}
// In either word alone: the vector unit's flush-to-zero, the x87 unit's precision.
static const uint64_t control_bits[] = { 0x8000, (uint64_t)0x300 << 32 };
#elif defined(__aarch64__)
static inline uint64_t controls_read(void)
{
    uint64_t v;
    __asm__ volatile("mrs %0, fpcr" : "=r"(v));
    return v;
}
static inline void controls_write(uint64_t v)
{
    __asm__ volatile("msr fpcr, %0" : : "r"(v));
}
// Flush-to-zero, default NaN.
static const uint64_t control_bits[] = { 1u << 24, 1u << 25 };
#endif

// ---- an illegal instruction ---------------------------------------------------------------------

// TRAP raises SIGILL and is TRAP_BYTES long.  TRAP_PLACE(pc, sp, fp): there, with what the
// registers are.  TRAP_GENERAL(reg, value): with the value in
// reg and no other; value is in memory.
#if defined(__x86_64__)
enum { TRAP_BYTES = 2 };
#define TRAP_PLACE(pc, sp, fp)                                                                     \
    __asm__ volatile("leaq 1f(%%rip), %0\n\tmovq %%rsp, %1\n\tmovq %%rbp, %2\n1:\tud2"             \
                     : "=&r"(pc), "=&r"(sp), "=&r"(fp))
#define TRAP_GENERAL(reg, value)                                                                   \
    __asm__ volatile("movq %0, %%" reg "\n\tud2\n\tmovq $0, %%" reg : : "m"(value) : reg, "memory")
#define GENERAL_REGISTERS(X)                                                                       \
    X("rbx")                                                                                       \
    X("rcx")                                                                                       \
    X("rdx")                                                                                       \
    X("rsi")                                                                                       \
    X("rdi")                                                                                       \
    X("r8")                                                                                        \
    X("r9")                                                                                        \
    X("r10")                                                                                       \
    X("r11")                                                                                       \
    X("r12")                                                                                       \
    X("r13")                                                                                       \
    X("r14")                                                                                       \
    X("r15")
#elif defined(__aarch64__)
enum { TRAP_BYTES = 4 };
#define TRAP_PLACE(pc, sp, fp)                                                                     \
    __asm__ volatile("adr %0, 1f\n\tmov %1, sp\n\tmov %2, x29\n1:\tudf #0"                         \
                     : "=&r"(pc), "=&r"(sp), "=&r"(fp))
#define TRAP_GENERAL(reg, value)                                                                   \
    __asm__ volatile("ldr " reg ", %0\n\tudf #0\n\tmov " reg ", xzr" : : "m"(value) : reg, "memory")
#define GENERAL_REGISTERS(X)                                                                       \
    X("x0")                                                                                        \
    X("x1")                                                                                        \
    X("x2")                                                                                        \
    X("x3")                                                                                        \
    X("x4")                                                                                        \
    X("x5")                                                                                        \
    X("x6")                                                                                        \
    X("x7")                                                                                        \
    X("x8")                                                                                        \
    X("x9")                                                                                        \
    X("x10")                                                                                       \
    X("x11")                                                                                       \
    X("x12")                                                                                       \
    X("x13")                                                                                       \
    X("x14")                                                                                       \
    X("x15")                                                                                       \
    X("x16")                                                                                       \
    X("x17")                                                                                       \
    X("x19")                                                                                       \
    X("x20")                                                                                       \
    X("x21")                                                                                       \
    X("x22")                                                                                       \
    X("x23")                                                                                       \
    X("x24")                                                                                       \
    X("x25")                                                                                       \
    X("x26")                                                                                       \
    X("x27")                                                                                       \
    X("x28")                                                                                       \
    X("x30")
#endif

#endif
