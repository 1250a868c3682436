// Faults and overflows: what is printed, and that every C function on the way is named.
//
// EXPECT segv stderr=^fatal error: SIGSEGV: segmentation violation at address 0x10, pc=0x[0-9a-f]+$
// EXPECT segv stderr=^goroutine 1 \[running\]:$
// EXPECT segv stderr=^read_it\(\.\.\.\)\n\tfatal/rt_fault|^read_it\(\.\.\.\)\n\trt_fault\+0x[0-9a-f]+ pc=0x[0-9a-f]+\ncase_segv\(\.\.\.\)\n.*\nmain_goroutine\(\.\.\.\)$
// EXPECT segv absent=on_fault|go_call
// EXPECT segv-goroutine stderr=^goroutine \d+ \[running, worker\]:\nread_it\(\.\.\.\)\n.*\nfault_in_goroutine\(\.\.\.\)$
// EXPECT segv-goroutine stderr=^created by case_segv_goroutine in goroutine 1$
// EXPECT segv-none env:GORTTRACEBACK=none stderr=^fatal error: SIGSEGV
// EXPECT segv-none absent=goroutine|read_it
// EXPECT segv-all env:GORTTRACEBACK=all stderr=^goroutine \d+ \[chan receive, sleeper\]:\ngort_recv_raw\(\.\.\.\)\n.*\nsleeper\(\.\.\.\)$
// EXPECT segv-all env:GORTTRACEBACK=all absent=system\]
// EXPECT segv-system env:GORTTRACEBACK=system stderr=^goroutine \d+ \[.*system\]:$
// EXPECT segv-crash signal=SIGABRT env:GORTTRACEBACK=crash stderr=^fatal error: SIGSEGV
// EXPECT null-call stderr=^fatal error: SIGSEGV: segmentation violation at address 0x0, pc=0x0$
// EXPECT null-call stderr=^call_it\(\.\.\.\)$
// EXPECT wild skip=emulated stderr=^fatal error: SIGSEGV: segmentation violation at an impossible address
// EXPECT wild stderr=^read_it\(\.\.\.\)$
// EXPECT fpe skip=arm64 stderr=^fatal error: SIGFPE: integer divide by zero at address 0x[0-9a-f]+, pc=0x
// EXPECT fpe stderr=^divide\(\.\.\.\)$
// EXPECT ill stderr=^fatal error: SIGILL: illegal instruction
// EXPECT ill stderr=^illegal\(\.\.\.\)$
// EXPECT bus stderr=^fatal error: SIGBUS: bus error at address 0x
// EXPECT bus stderr=^read_it\(\.\.\.\)$
// EXPECT sent stderr=^fatal error: SIGSEGV sent by process \d+$
// EXPECT in-blocking stderr=^fatal error: SIGSEGV
// EXPECT in-blocking stderr=^read_it\(\.\.\.\)(?s:.*)^fault_in_blocking\(\.\.\.\)(?s:.*)^case_in_blocking\(\.\.\.\)$
// EXPECT overflow skip=emulated stderr=^fatal error: stack overflow: goroutine \d+ \(deep\) exceeded its stack of \d+ bytes in function recurse$
// EXPECT overflow stderr=(^recurse\(\.\.\.\)\n.*\n){50}\.\.\.\d+ frames elided\.\.\.\n(?s:.*)^overflow_goroutine\(\.\.\.\)$
// EXPECT overflow-main skip=emulated stderr=^fatal error: stack overflow: goroutine 1 \(main\) exceeded its stack of \d+ bytes in function recurse$
// EXPECT overflow-frame skip=emulated stderr=^fatal error: stack overflow: goroutine \d+ \(deep\) .* in function large_frame$
//
// TEST skip=tsan,ubsan
//
// SPDX-License-Identifier: BSD-3-Clause
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>

#include "../listed.h"

#define NOINLINE __attribute__((noinline))
// Keeps a call before it from becoming a jump.
#define RETURN_HERE() __asm__ volatile("")

static gort_chan(int) forever;

NOINLINE static int read_it(const volatile int *p)
{
    int v = *p;
    RETURN_HERE();
    return v;
}

NOINLINE static void case_segv(void)
{
    read_it((const int *)16);
    RETURN_HERE();
}

NOINLINE static void fault_in_goroutine(void *arg)
{
    read_it(arg);
    RETURN_HERE();
}

NOINLINE static void case_segv_goroutine(void)
{
    gort_go_opt(&(gort_go_options){ .name = "worker" }, fault_in_goroutine, NULL);
    gort_recv(forever, NULL);
}

NOINLINE static void sleeper(void *arg)
{
    (void)arg;
    gort_recv(forever, NULL);
    RETURN_HERE();
}

NOINLINE static void case_segv_all(void)
{
    gort_go_opt(&(gort_go_options){ .name = "sleeper" }, sleeper, NULL);
    wait_till_listed("[chan receive, sleeper]");
    case_segv();
}

NOINLINE static void call_it(void (*volatile fn)(void))
{
    fn();
    RETURN_HERE();
}

NOINLINE static void case_null_call(void)
{
    call_it(NULL);
    RETURN_HERE();
}

NOINLINE static void case_wild(void)
{
    read_it((const int *)0xdead0000beef0000);
    RETURN_HERE();
}

static volatile int quotient;

NOINLINE static void divide(volatile int a, volatile int b)
{
    quotient = a / b;
    RETURN_HERE();
}

NOINLINE static void case_fpe(void)
{
    divide(1, 0);
    RETURN_HERE();
}

NOINLINE static void illegal(void)
{
#if defined(__x86_64__)
    __asm__ volatile("ud2");
#elif defined(__aarch64__)
    __asm__ volatile("udf #0");
#endif
}

NOINLINE static void case_ill(void)
{
    illegal();
    RETURN_HERE();
}

// A mapping beyond the end of its file.
NOINLINE static void case_bus(void)
{
    FILE *f = tmpfile();
    void *p = mmap(NULL, 4096, PROT_READ, MAP_SHARED, fileno(f), 0);
    read_it(p);
    RETURN_HERE();
}

NOINLINE static void case_sent(void)
{
    pthread_kill(pthread_self(), SIGSEGV);
    gort_recv(forever, NULL);
}

NOINLINE static void fault_in_blocking(void *arg)
{
    read_it(arg);
    RETURN_HERE();
}

NOINLINE static void case_in_blocking(void)
{
    gort_blocking(fault_in_blocking, NULL);
    RETURN_HERE();
}

static volatile int last_depth = -1;

// The frame is real: nothing may turn the recursion into a loop.
NOINLINE static int recurse(int depth)
{
    volatile char frame[100];
    frame[depth % 100] = 1;
    if (depth == last_depth) return 0; // never
    int v = recurse(depth + 1) + frame[0];
    RETURN_HERE();
    return v;
}

NOINLINE static void overflow_goroutine(void *arg)
{
    (void)arg;
    recurse(0);
    RETURN_HERE();
}

NOINLINE static void large_frame(void *arg)
{
    char frame[1 << 20];
    (void)arg;
    __asm__ volatile("" : : "r"(frame) : "memory"); // all of it is real
}

static void start_deep(void (*fn)(void *))
{
    gort_go_opt(&(gort_go_options){ .name = "deep" }, fn, NULL);
    gort_recv(forever, NULL);
}

NOINLINE static int main_goroutine(int argc, char **argv)
{
    const char *c = argc > 1 ? argv[1] : "";
    forever = gort_chan_make(int, 0);
    if (strcmp(c, "segv-goroutine") == 0) case_segv_goroutine();
    if (strcmp(c, "segv-all") == 0 || strcmp(c, "segv-system") == 0) case_segv_all();
    if (strncmp(c, "segv", 4) == 0) case_segv();
    if (strcmp(c, "null-call") == 0) case_null_call();
    if (strcmp(c, "wild") == 0) case_wild();
    if (strcmp(c, "fpe") == 0) case_fpe();
    if (strcmp(c, "ill") == 0) case_ill();
    if (strcmp(c, "bus") == 0) case_bus();
    if (strcmp(c, "sent") == 0) case_sent();
    if (strcmp(c, "in-blocking") == 0) case_in_blocking();
    if (strcmp(c, "overflow") == 0) start_deep(overflow_goroutine);
    if (strcmp(c, "overflow-frame") == 0) start_deep(large_frame);
    if (strcmp(c, "overflow-main") == 0) recurse(0);
    return 0;
}

int main(int argc, char **argv)
{
    return gort_run(main_goroutine, argc, argv);
}
