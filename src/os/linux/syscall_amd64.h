/* System calls without libc, on amd64: they leave errno alone, take no lock and are not
 * intercepted by sanitizers.
 *
 * A result in [-4095, -1] is a negated errno value.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef GORT_OS_LINUX_SYSCALL_AMD64_H
#define GORT_OS_LINUX_SYSCALL_AMD64_H

#include "base/config.h"

static force_inline long syscall_raw6(long nr, long a, long b, long c, long d, long e, long f)
{
    register long r10 __asm__("r10") = d;
    register long r8 __asm__("r8") = e;
    register long r9 __asm__("r9") = f;
    long result;
    __asm__ volatile("syscall"
                     : "=a"(result)
                     : "0"(nr), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
                     : "rcx", "r11", "memory", "cc");
    return result;
}

/* What the kernel's rt_sigaction takes; libc's structure has another layout. */
struct kernel_sigaction {
    void (*handler)(int, void *, void *);
    unsigned long flags;
    void (*restorer)(void);
    uint64_t mask;
};
#define KERNEL_SA_RESTORER 0x04000000ul
#define KERNEL_ACTIONS_LEAVE_TRACES 1 /* Note [Actions leave traces] in signal.c */

/* Where a handler returns to: asks the kernel to resume what was interrupted.  Unwinders know a
 * signal frame by the exact bytes of these two instructions where no CFI covers them; the nop
 * keeps the address before them out of the preceding function's CFI. */
__attribute__((__visibility__("hidden"))) void syscall_sigreturn(void);
#define SYSCALL_DEFINE_SIGRETURN                                                                   \
    __asm__(".pushsection .text\n"                                                                 \
            "\t.p2align 4\n"                                                                       \
            "\tnop\n"                                                                              \
            "\t.globl syscall_sigreturn\n"                                                         \
            "\t.hidden syscall_sigreturn\n"                                                        \
            "\t.type syscall_sigreturn, @function\n"                                               \
            "syscall_sigreturn:\n"                                                                 \
            "\tmovq $15, %rax\n"                                                                   \
            "\tsyscall\n"                                                                          \
            "\t.size syscall_sigreturn, . - syscall_sigreturn\n"                                   \
            "\t.popsection\n")

#endif
