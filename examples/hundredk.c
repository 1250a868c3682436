/* A hundred thousand goroutines, all waiting: what does one cost?
 *
 * usage: hundredk [N]     N goroutines; 100000 when not given
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#include <gort.h>

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static gort_chan(int) gate;
static gort_waitgroup ended;
static long started, woken; /* relaxed atomics: counts */

static void wait_at_gate(void *unused)
{
    (void)unused;
    __atomic_fetch_add(&started, 1, __ATOMIC_RELAXED);
    gort_recv(gate, NULL); /* false once the gate is closed: nothing is ever sent */
    __atomic_fetch_add(&woken, 1, __ATOMIC_RELAXED);
    gort_waitgroup_done(&ended);
}

/* Bytes of memory that this process has touched and the kernel holds for it. */
static long resident_bytes(void)
{
    long total = 0, resident = 0;
    FILE *statm = fopen("/proc/self/statm", "r");
    if (statm == NULL) return 0;
    if (fscanf(statm, "%ld %ld", &total, &resident) != 2) resident = 0;
    fclose(statm);
    return resident * sysconf(_SC_PAGESIZE);
}

static double ms_since(int64_t start)
{
    return (double)(gort_now() - start) / (double)GORT_MS;
}

static int run(int argc, char **argv)
{
    char *end = "";
    long n = argc > 1 ? strtol(argv[1], &end, 10) : 100000;
    if (argc > 2 || *end != '\0' || n < 1 || n > 1000000) {
        fprintf(stderr, "usage: hundredk [N]     N: how many goroutines, 1 to 1000000\n");
        return 2;
    }
    gort_set(&gate, gort_chan_make(int, 0)); /* a global: so its store goes through gort_set */
    gort_waitgroup_add(&ended, (int)n);

    long before = resident_bytes();
    int64_t start = gort_now();
    for (long i = 0; i < n; i++) {
        gort_go(wait_at_gate, NULL);
    }
    while (__atomic_load_n(&started, __ATOMIC_RELAXED) < n) {
        gort_yield();
    }
    printf("%ld goroutines started in %.0f ms\n", n, ms_since(start));
    gort_sleep(20 * GORT_MS); /* the last of them still have to get to the gate */
    printf("%ld bytes each while they wait\n", (resident_bytes() - before) / n);

    start = gort_now();
    gort_close(gate);
    gort_waitgroup_wait(&ended);
    printf("%ld woken and gone in %.0f ms\n", woken, ms_since(start));
    return woken == n ? 0 : 1;
}

int main(int argc, char **argv)
{
    return gort_run(run, argc, argv);
}
