// A handler of the program, on an alternate stack that the program set itself, interrupts code that
// holds the only pointer to an object in a register: the object is found in the handler's frame.
// TEST notmodes=determ
// TEST skip=asan,tsan,ubsan
// SPDX-License-Identifier: BSD-3-Clause
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "../goroutines.h"

enum { LATER = 3000, COLLECTIONS = 3, STACK_BYTES = 64 << 10, OLD_FRAMES = 30000 };

typedef struct {
    long value[4];
} object;
GORT_TYPE(object);

static int inside, over;

// A callee-saved register, which the interrupted code uses, is pushed on the handler's stack.
static void handler(int sig)
{
    (void)sig;
    STORE(&inside, 1);
    while (!LOAD(&over))
#if defined(__x86_64__)
        __asm__ volatile("xorl %%ebx, %%ebx" : : : "rbx");
#elif defined(__aarch64__)
        __asm__ volatile("mov x19, xzr" : : : "x19");
#endif
}

static void collect(void *unused)
{
    (void)unused;
    WAIT_FOR(LOAD(&inside));
    for (int i = 0; i < COLLECTIONS; i++)
        gort_gc();
    for (int i = 0; i < LATER; i++) {
        object *o = gort_new(object);
        o->value[0] = -1;
        gort_keep_alive(o);
    }
    STORE(&over, 1);
}

// What calls left below.
__attribute__((noinline)) static void clear_old_frames(void)
{
    char frames[OLD_FRAMES];
    memset(frames, 0, sizeof frames);
    __asm__ volatile("" : : "r"(frames) : "memory");
}

// Sends the signal with the pointer in that register alone; what the object holds afterwards.
static long signalled(long pid, long tid)
{
    object *o = gort_new(object);
    o->value[0] = 42;
    clear_old_frames();
#if defined(__x86_64__)
    long result = SYS_tgkill;
    __asm__ volatile("movq %1, %%rbx\n\t"
                     "xorl %k1, %k1\n\t"
                     "syscall\n"
                     "1:\tcmpl $0, %2\n\t"
                     "je 1b\n\t"
                     "movq (%%rbx), %0"
                     : "+&a"(result), "+&r"(o)
                     : "m"(over), "D"(pid), "S"(tid), "d"((long)SIGUSR1)
                     : "rbx", "rcx", "r11", "memory", "cc");
    return result;
#elif defined(__aarch64__)
    register long x8 __asm__("x8") = SYS_tgkill;
    register long x0 __asm__("x0") = pid;
    register long x1 __asm__("x1") = tid;
    register long x2 __asm__("x2") = SIGUSR1;
    __asm__ volatile("mov x19, %1\n\t"
                     "mov %1, xzr\n\t"
                     "svc #0\n"
                     "1:\tldr w0, %2\n\t"
                     "cbz w0, 1b\n\t"
                     "ldr x0, [x19]"
                     : "+&r"(x0), "+&r"(o)
                     : "m"(over), "r"(x1), "r"(x2), "r"(x8)
                     : "x19", "memory", "cc");
    return x0;
#endif
}

TEST(handlers_on_a_stack_of_the_program)
{
    stack_t former, stack = { .ss_size = STACK_BYTES };
    struct sigaction act = { .sa_handler = handler, .sa_flags = SA_ONSTACK };
    gort_lock_thread();
    stack.ss_sp =
        mmap(NULL, STACK_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(stack.ss_sp != MAP_FAILED);
    CHECK_EQ(sigaltstack(&stack, &former), 0);
    CHECK_EQ(sigaction(SIGUSR1, &act, NULL), 0);
    gort_go(collect, NULL);
    long pid = getpid(), tid = gettid();
    CHECK_EQ(signalled(pid, tid), 42);
    CHECK_EQ(sigaltstack(&former, NULL), 0);
    gort_unlock_thread();
}

static int test_main(int argc, char **argv)
{
    (void)argc;
    (void)argv;
    RUN(handlers_on_a_stack_of_the_program);
    return 0;
}

int main(int argc, char **argv)
{
    return gort_run(test_main, argc, argv);
}
