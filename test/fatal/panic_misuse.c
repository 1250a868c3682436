// What can not be recovered, faults that stay fatal, and what the report says of the original
// cause.
//
// EXPECT foreign-scoped stderr=^fatal error: gort_scoped_defer
// EXPECT nothing-caught stderr=^fatal error: gort_repanic: this goroutine has caught no panic$
// EXPECT recover-attached stderr=^fatal error: gort_recover outside of gort_try, on a thread of the program's own$
// EXPECT again stderr=\Apanic: number 7 is odd \[caught, panicked again\]\n\tfirst raised in innermost\n\ngoroutine 1 \[running\]:$
// EXPECT again stderr=^raises_again\(\.\.\.\)$
// EXPECT recovered stderr=\Apanic: number 7 is odd \[recovered\]\n\tpanic: second\n\ngoroutine 1 \[running\]:$
// EXPECT recovered stderr=^recovers_and_panics\(\.\.\.\)$
// EXPECT recovered stderr=^innermost\(\.\.\.\)$
// EXPECT scoped stderr=\Apanic: number 7 is odd\n\tpanic: second\n\ngoroutine 1 \[running\]:$
// EXPECT scoped stderr=^panics_again\(\.\.\.\)\n(?s:.*)^innermost\(\.\.\.\)\n(?s:.*)^case_scoped\(\.\.\.\)$
// EXPECT fault stderr=\Apanic: NULL pointer dereference \(SIGSEGV at address 0x8\)\n\ngoroutine 1 \[running\]:\nload\(\.\.\.\)\n\t.*\nload_null\(\.\.\.\)$
// EXPECT fault-goroutine stderr=\Apanic: NULL pointer dereference \(SIGSEGV at address 0x8\)\n\ngoroutine \d+ \[running\]:\nload\(\.\.\.\)$
// EXPECT fault-goroutine stderr=^created by case_goroutine in goroutine 1$
// EXPECT fault-deferred stderr=\Apanic: number 7 is odd\n\tpanic: NULL pointer dereference
// EXPECT fault-library stderr=^fatal error: SIGSEGV: segmentation violation at address 0x0
// EXPECT fault-overflow skip=emulated stderr=^fatal error: stack overflow: goroutine 1
// EXPECT fault-sent stderr=^fatal error: SIGSEGV sent by process
// EXPECT fault-system-stack stderr=^fatal error: SIGSEGV: segmentation violation at address 0x8
// EXPECT fault-runtime stderr=^fatal error: SIGSEGV: segmentation violation at address 0x10
// EXPECT fault-efence env:GORTDEBUG=efence=1 stderr=^fatal error: SIGSEGV: segmentation violation at address 0x8
// EXPECT fault-off stderr=^fatal error: SIGSEGV: segmentation violation at address 0x8
// EXPECT fault-foreign signal=SIGSEGV
// EXPECT no-function stderr=\Apanic: gort_defer: no function\n\ngoroutine 1 \[running\]:$
//
// TEST skip=asan,ubsan
//
// SPDX-License-Identifier: BSD-3-Clause
#include <gort.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define NOINLINE __attribute__((noinline))
#define RETURN_HERE() __asm__ volatile("")

NOINLINE static void innermost(int n)
{
    if (n % 2 != 0) gort_panic("number %d is odd", n);
    RETURN_HERE();
}

static void odd(void *arg)
{
    (void)arg;
    innermost(7);
    RETURN_HERE();
}

NOINLINE static int64_t load(const volatile int64_t *p)
{
    __asm__ volatile("" : "+r"(p));
    return p[1];
}

NOINLINE static void load_null(void *arg)
{
    load(arg);
    RETURN_HERE();
}

// ---- misuse

static void nothing(void *arg)
{
    (void)arg;
}

static void *scoped_on_a_thread(void *arg)
{
    gort_scoped_defer(nothing, arg);
    return NULL;
}

static void recovers(void *arg)
{
    (void)arg;
    gort_recover(NULL);
}

static void *recover_attached(void *arg)
{
    gort_thread_attach();
    gort_defer(recovers, arg);
    innermost(7);
    return NULL;
}

static void *fault_on_a_thread(void *arg)
{
    load_null(arg);
    return NULL;
}

NOINLINE static void on_a_thread(void *(*fn)(void *))
{
    pthread_t t;
    if (pthread_create(&t, NULL, fn, NULL) != 0) abort();
    gort_enter_blocking();
    pthread_join(t, NULL);
    gort_exit_blocking();
}

// ---- causes

NOINLINE static void raises_again(void *arg)
{
    gort_panic_info info;
    (void)arg;
    if (gort_try(odd, NULL, &info)) gort_repanic(&info);
}

NOINLINE static void recovers_and_panics(void *arg)
{
    (void)arg;
    gort_recover(NULL);
    gort_panic("second");
}

NOINLINE static void panics_again(void *arg)
{
    (void)arg;
    gort_panic("second");
}

NOINLINE static void case_scoped(void)
{
    gort_scoped_defer(panics_again, NULL);
    innermost(7);
    RETURN_HERE();
}

NOINLINE static void case_goroutine(void)
{
    gort_go(load_null, NULL);
    gort_sleep(GORT_S * 100);
}

NOINLINE static void case_library(void)
{
    char *volatile none = NULL;
    size_t (*volatile length)(const char *) = strlen;
    printf("%zu\n", length(none));
}

NOINLINE static int overflow(int n)
{
    volatile char use[1000];
    memset((void *)use, n, sizeof use);
    if (n < 0) return 0;
    return overflow(n + 1) + use[n % 10];
}

typedef struct node {
    struct node *next;
} node;
GORT_TYPE(node, next);

// In the critical section of a channel: the element is copied from nowhere.
NOINLINE static void case_runtime(void)
{
    gort_chan(int64_t) c = gort_chan_make(int64_t, 1);
    void *volatile from = (void *)0x10;
    gort_send_raw((void *)c, from);
}

static void run_case(const char *name)
{
    if (strcmp(name, "foreign-scoped") == 0) on_a_thread(scoped_on_a_thread);
    if (strcmp(name, "nothing-caught") == 0) gort_repanic(&(gort_panic_info){ "x" });
    if (strcmp(name, "recover-attached") == 0) on_a_thread(recover_attached);
    if (strcmp(name, "again") == 0) raises_again(NULL);
    void (*volatile no_function)(void *) = NULL;
    if (strcmp(name, "no-function") == 0) gort_defer(no_function, NULL);
    if (strcmp(name, "scoped") == 0) case_scoped();
    if (strcmp(name, "recovered") == 0) gort_defer(recovers_and_panics, NULL);
    if (strcmp(name, "fault-deferred") == 0) gort_defer(load_null, NULL);
    if (strcmp(name, "recovered") == 0 || strcmp(name, "fault-deferred") == 0) innermost(7);
    if (strcmp(name, "fault-goroutine") == 0) case_goroutine();
    if (strcmp(name, "fault-library") == 0) case_library();
    if (strcmp(name, "fault-overflow") == 0) overflow(0);
    if (strcmp(name, "fault-sent") == 0)
        raise(SIGSEGV); // to this thread: kill's may come to any, and later
    if (strcmp(name, "fault-system-stack") == 0) gort_blocking(load_null, NULL);
    if (strcmp(name, "fault-runtime") == 0) case_runtime();
    if (strcmp(name, "fault-foreign") == 0) on_a_thread(fault_on_a_thread);
    load_null(NULL);
}

static int run(int argc, char **argv)
{
    const char *name = argc > 1 ? argv[1] : "";
    if (strncmp(name, "fault", 5) == 0 && strcmp(name, "fault-off") != 0)
        gort_set_panic_on_fault(true);
    run_case(name);
    return 0;
}

int main(int argc, char **argv)
{
    return gort_run(run, argc, argv);
}
