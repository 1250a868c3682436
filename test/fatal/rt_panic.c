// A panic that nobody catches: the message, then the goroutine with every C function on the way.
//
// EXPECT nested exit=2 stderr=\Apanic: number 7 is odd\n\ngoroutine 1 \[running\]:$
// EXPECT nested stderr=^innermost\(\.\.\.\)\n\t.*\nmiddle\(\.\.\.\)\n\t.*\noutermost\(\.\.\.\)\n\t.*\nmain_goroutine\(\.\.\.\)$
// EXPECT nested stderr=^gort_panic\(\.\.\.\)\n\t.*\ninnermost\(\.\.\.\)\n\trt_panic\+0x[0-9a-f]+ pc=0x[0-9a-f]+$
// EXPECT nested absent=throw_finish|go_call|call_main
// EXPECT goroutine stderr=^goroutine \d+ \[running\]:(?s:.*)^innermost\(\.\.\.\)\n\t.*\ngoroutine_function\(\.\.\.\)\n\t.*\ncreated by case_goroutine in goroutine 1$
// EXPECT callback stderr=^by_comparison\(\.\.\.\)(?s:.*)^case_callback\(\.\.\.\)$
// EXPECT deferred stderr=^panic: number 7 is odd$
// EXPECT deferred stdout=^deferred call ran$
// EXPECT in-deferred stderr=^panic: first$
// EXPECT in-deferred stderr=^\tpanic: second$
// EXPECT closed stderr=^panic: close of closed channel$
// EXPECT closed stderr=^case_closed\(\.\.\.\)$
// EXPECT all env:GORTTRACEBACK=all stderr=^goroutine \d+ \[chan receive\]:\ngort_recv_raw\(\.\.\.\)\n\t.*\nsleeper\(\.\.\.\)$
// EXPECT none env:GORTTRACEBACK=none stderr=\Apanic: number 7 is odd\n\Z
// EXPECT crash signal=SIGABRT env:GORTTRACEBACK=crash stderr=^panic: number 7 is odd$
//
// SPDX-License-Identifier: BSD-3-Clause
#include <stdio.h>

#include "../listed.h"

#define NOINLINE __attribute__((noinline))
#define RETURN_HERE() __asm__ volatile("")

NOINLINE static void innermost(int n)
{
    if (n % 2 != 0) gort_panic("number %d is odd", n);
    RETURN_HERE();
}

NOINLINE static void middle(int n)
{
    innermost(n);
    RETURN_HERE();
}

// Not static: both kinds are named.
void outermost(int n);
NOINLINE void outermost(int n)
{
    middle(n);
    RETURN_HERE();
}

NOINLINE static void goroutine_function(void *arg)
{
    (void)arg;
    innermost(7);
    RETURN_HERE();
}

NOINLINE static void sleeper(void *arg)
{
    gort_recv(*(gort_chan(int) *)arg, NULL);
    RETURN_HERE();
}

NOINLINE static void case_goroutine(void)
{
    gort_chan(int) c = gort_chan_make(int, 0);
    gort_go(goroutine_function, NULL);
    gort_recv(c, NULL);
    RETURN_HERE();
}

NOINLINE static int by_comparison(const void *a, const void *b)
{
    innermost(7);
    RETURN_HERE();
    return *(const int *)a - *(const int *)b;
}

// Through frames of the C library.
NOINLINE static void case_callback(void)
{
    int a[] = { 3, 1, 2 };
    qsort(a, 3, sizeof a[0], by_comparison);
    RETURN_HERE();
}

static void deferred(void *arg)
{
    (void)arg;
    puts("deferred call ran");
    fflush(stdout);
}

static void panics_too(void *arg)
{
    (void)arg;
    gort_panic("second");
}

NOINLINE static void case_closed(void)
{
    gort_chan(int) c = gort_chan_make(int, 0);
    gort_close(c);
    gort_close(c);
    RETURN_HERE();
}

NOINLINE static int main_goroutine(int argc, char **argv)
{
    const char *name = argc > 1 ? argv[1] : "";
    if (strcmp(name, "goroutine") == 0) case_goroutine();
    if (strcmp(name, "callback") == 0) case_callback();
    if (strcmp(name, "closed") == 0) case_closed();
    if (strcmp(name, "deferred") == 0) gort_defer(deferred, NULL);
    if (strcmp(name, "in-deferred") == 0) {
        gort_defer(panics_too, NULL);
        gort_panic("first");
    }
    if (strcmp(name, "all") == 0) {
        static gort_chan(int) c;
        gort_set(&c, gort_chan_make(int, 0));
        gort_go(sleeper, &c);
        wait_till_listed("[chan receive]");
    }
    outermost(7);
    RETURN_HERE();
    return 0;
}

int main(int argc, char **argv)
{
    return gort_run(main_goroutine, argc, argv);
}
