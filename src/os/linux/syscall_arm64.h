/* System calls without libc, on arm64: they leave errno alone, take no lock and are not
 * intercepted by sanitizers.
 *
 * A result in [-4095, -1] is a negated errno value.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef GORT_OS_LINUX_SYSCALL_ARM64_H
#define GORT_OS_LINUX_SYSCALL_ARM64_H

#include "base/config.h"

static force_inline long syscall_raw6(long nr, long a, long b, long c, long d, long e, long f)
{
    register long x8 __asm__("x8") = nr;
    register long x0 __asm__("x0") = a;
    register long x1 __asm__("x1") = b;
    register long x2 __asm__("x2") = c;
    register long x3 __asm__("x3") = d;
    register long x4 __asm__("x4") = e;
    register long x5 __asm__("x5") = f;
    __asm__ volatile("svc #0"
                     : "+r"(x0)
                     : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5)
                     : "memory", "cc");
    return x0;
}

/* What the kernel's rt_sigaction takes; libc's structure has another layout. */
struct kernel_sigaction {
    void (*handler)(int, void *, void *);
    unsigned long flags;
    void (*restorer)(void);
    uint64_t mask;
};
#define KERNEL_SA_RESTORER 0x04000000ul
/* The kernel knows where handlers return to, so libc does not say it: Note [Actions leave
 * traces]. */
#define KERNEL_ACTIONS_LEAVE_TRACES 0

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
            "\t.type syscall_sigreturn, %function\n"                                               \
            "syscall_sigreturn:\n"                                                                 \
            "\tmov x8, #139\n"                                                                     \
            "\tsvc #0\n"                                                                           \
            "\t.size syscall_sigreturn, . - syscall_sigreturn\n"                                   \
            "\t.popsection\n")

#endif
