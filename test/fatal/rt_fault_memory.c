// Memory that the hardware loses: nobody panics for what is not needed yet, and the program goes
// on.
//
// EXPECT later exit=0 stderr=^gort: the hardware lost the memory at address 0x12345000 \(4096 bytes\); going on$
// EXPECT later stdout=^tried: went on$
// EXPECT later absent=panic|fatal
// EXPECT later-main exit=0 stderr=^gort: the hardware lost the memory at address 0x12345000
// EXPECT later-main stdout=^main thread: sent$
// EXPECT later-handled exit=0 stdout=^former handler: 0x12345000$
// EXPECT later-handled stdout=^tried: went on$
// EXPECT later-handled absent=gort:|panic|fatal
// EXPECT needed stderr=^fatal error: SIGBUS: the hardware lost the memory at address 0x12345000, pc=0x
// EXPECT needed-tried exit=0 stdout=^tried: memory was lost \(SIGBUS at address 0x12345000\)$
//
// TEST skip=asan,tsan,ubsan,emulated
//
// SPDX-License-Identifier: BSD-3-Clause
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <sys/syscall.h>

#include "../listed.h"

#define PLACE ((void *)0x12345000)

static pthread_t main_thread;

// By the program's own instruction, so that the signal meets it there.
static long system_call(long number, long a, long b, long c, siginfo_t *d)
{
#if defined(__x86_64__)
    long result;
    register siginfo_t *r10 __asm__("r10") = d;
    __asm__ volatile("syscall"
                     : "=a"(result)
                     : "0"(number), "D"(a), "S"(b), "d"(c), "r"(r10)
                     : "rcx", "r11", "memory");
    return result;
#elif defined(__aarch64__)
    register long x8 __asm__("x8") = number;
    register long x0 __asm__("x0") = a;
    register long x1 __asm__("x1") = b;
    register long x2 __asm__("x2") = c;
    register siginfo_t *x3 __asm__("x3") = d;
    __asm__ volatile("svc #0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2), "r"(x3) : "memory");
    return x0;
#endif
}

// As the kernel tells of it, to the calling thread; a process may do so to itself.
static bool lose_memory(int code)
{
    siginfo_t info = { 0 };
    info.si_signo = SIGBUS;
    info.si_code = code;
    info.si_addr = PLACE;
    info.si_addr_lsb = 12;
    return system_call(SYS_rt_tgsigqueueinfo, getpid(), syscall(SYS_gettid), SIGBUS, &info) == 0;
}

static void lose(void *code)
{
    if (!lose_memory(*(const int *)code)) _exit(8);
}

static void lose_and_try(int code)
{
    gort_panic_info why;
    gort_set_panic_on_fault(true);
    printf("tried: %s\n", gort_try(lose, &code, &why) ? why.message : "went on");
}

static void former(int sig, siginfo_t *info, void *context)
{
    char text[64];
    (void)sig;
    (void)context;
    int n = snprintf(text, sizeof text, "former handler: %p\n", info->si_addr);
    if (write(1, text, (size_t)n) != n) _exit(8);
}

static void on_main_thread(int sig)
{
    (void)sig;
    bool sent = pthread_equal(pthread_self(), main_thread) && lose_memory(BUS_MCEERR_AO);
    if (write(1, "main thread: sent\n", sent ? 18 : 13) < 0) _exit(8);
    _exit(sent ? 0 : 8);
}

static int main_goroutine(int argc, char **argv)
{
    const char *name = argc > 1 ? argv[1] : "";
    int needed = BUS_MCEERR_AR;
    if (strcmp(name, "later") == 0 || strcmp(name, "later-handled") == 0)
        lose_and_try(BUS_MCEERR_AO);
    if (strcmp(name, "needed") == 0) lose(&needed);
    if (strcmp(name, "needed-tried") == 0) lose_and_try(needed);
    if (strcmp(name, "later-main") != 0) return 0;
    pthread_kill(main_thread, SIGUSR1);
    wait_for_the_end();
}

int main(int argc, char **argv)
{
    main_thread = pthread_self();
    signal(SIGUSR1, on_main_thread);
    if (argc > 1 && strcmp(argv[1], "later-handled") == 0) {
        struct sigaction act = { .sa_sigaction = former, .sa_flags = SA_SIGINFO };
        sigaction(SIGBUS, &act, NULL);
    }
    return gort_run(main_goroutine, argc, argv);
}
