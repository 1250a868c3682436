// SIGQUIT: every goroutine, those that run too; a program's own handler stays.
//
// EXPECT mixed exit=2 stderr=^SIGQUIT: quit$
// EXPECT mixed stderr=^goroutine 1 \[chan receive\]:\ngort_recv_raw\(\.\.\.\)\n\t.*\nmain_goroutine\(\.\.\.\)$
// EXPECT mixed stderr=^goroutine \d+ \[running, computes\]:\n(?s:.*?)\bspin_here\(\.\.\.\)\n\t.*\ncomputes\(\.\.\.\)\n\t.*\ncreated by start in goroutine 1$
// EXPECT mixed stderr=^goroutine \d+ \[blocking call, declared\]:\nblock_here\(\.\.\.\)\n\t.*\ndeclared\(\.\.\.\)\n\t.*\ncreated by start in goroutine 1$
// EXPECT mixed stderr=^goroutine \d+ \[blocking call, called\]:\ngort_blocking\(\.\.\.\)\n\t.*\ncall_here\(\.\.\.\)\n\t.*\ncalled\(\.\.\.\)$
// EXPECT mixed stderr=^goroutine \d+ \[running, undeclared\]:\n(?s:.*?)^read_here\(\.\.\.\)\n\t.*\nundeclared\(\.\.\.\)$
// EXPECT mixed stderr=^goroutine \d+ \[mutex lock, locker\]:$
// EXPECT mixed absent=not available
// EXPECT one-p env:GORTMAXPROCS=1 stderr=^goroutine \d+ \[running, computes\]:\n(?s:.*?)\bspin_here\(\.\.\.\)$
// EXPECT none env:GORTTRACEBACK=none stderr=^SIGQUIT: quit$
// EXPECT none absent=goroutine \d
// EXPECT system env:GORTTRACEBACK=system stderr=^goroutine \d+ \[(GC sweep wait|runnable|running), gc sweeper, system\]:$
// EXPECT system stderr=^goroutine \d+ \[(finalizer wait|runnable|running), finalizers, system\]:$
// EXPECT system stderr=^goroutine \d+ \[(periodic GC \(idle\)|runnable|running), periodic gc, system\]:$
// EXPECT system stderr=^goroutine \d+ \[(update max procs \(idle\)|runnable|running), max procs, system\]:$
// EXPECT core env:GORTTRACEBACK=crash signal=SIGABRT stderr=^SIGQUIT: quit$
// EXPECT own exit=7 stdout=^the program's own$
// EXPECT own-later exit=7 stdout=^the program's own$
// EXPECT ignored exit=8 absent=SIGQUIT
// EXPECT stuck exit=2 stderr=^SIGQUIT: quit$
// EXPECT stuck stderr=^goroutine 1 \[chan receive\]:$
//
// SPDX-License-Identifier: BSD-3-Clause
#include <signal.h>
#include <stdio.h>

#include "../listed.h"

#define NOINLINE __attribute__((noinline))
#define RETURN_HERE() __asm__ volatile("")

static gort_chan(int) c;
static gort_mutex mutex;
static const char *name;
static int ready, pipe_fds[2];

static void is_ready(void)
{
    __atomic_fetch_add(&ready, 1, __ATOMIC_SEQ_CST);
}

NOINLINE static void spin_here(void)
{
    is_ready();
    for (;;)
        __asm__ volatile("" ::: "memory");
}

NOINLINE static void computes(void *arg)
{
    (void)arg;
    spin_here();
    RETURN_HERE();
}

NOINLINE static void block_here(void)
{
    char byte;
    gort_enter_blocking();
    is_ready();
    (void)!read(pipe_fds[0], &byte, 1);
    gort_exit_blocking();
}

NOINLINE static void declared(void *arg)
{
    (void)arg;
    block_here();
    RETURN_HERE();
}

static void read_pipe(void *arg)
{
    char byte;
    (void)arg;
    is_ready();
    (void)!read(pipe_fds[0], &byte, 1);
}

NOINLINE static void call_here(void)
{
    gort_blocking(read_pipe, NULL);
    RETURN_HERE();
}

NOINLINE static void called(void *arg)
{
    (void)arg;
    call_here();
    RETURN_HERE();
}

NOINLINE static void read_here(void)
{
    read_pipe(NULL);
    RETURN_HERE();
}

NOINLINE static void undeclared(void *arg)
{
    (void)arg;
    read_here();
    RETURN_HERE();
}

NOINLINE static void locker(void *arg)
{
    (void)arg;
    is_ready();
    gort_mutex_lock(&mutex);
    RETURN_HERE();
}

NOINLINE static void start(const char *what, void (*fn)(void *))
{
    gort_go_opt(&(gort_go_options){ .name = what }, fn, NULL);
    RETURN_HERE();
}

// Raises the signal once all are where they will be: n say so, and those who wait are seen waiting.
static void raise_when_ready(int n)
{
    while (__atomic_load_n(&ready, __ATOMIC_SEQ_CST) < n)
        gort_sleep(GORT_MS);
    wait_till_listed("goroutine 1 [chan receive]");
    if (strcmp(name, "mixed") == 0) wait_till_listed("[mutex lock, locker]");
    kill(getpid(), SIGQUIT);
}

static void raiser(void *arg)
{
    (void)arg;
    bool mixed = strcmp(name, "mixed") == 0;
    raise_when_ready(mixed ? 5 : strcmp(name, "one-p") == 0 ? 1 : 0);
    if (strcmp(name, "stuck") == 0)
        for (;;) { // whoever asks again is answered, even if the monitor never came round
            gort_sleep(100 * GORT_MS);
            kill(getpid(), SIGQUIT);
        }
    if (strcmp(name, "ignored") == 0) {
        gort_sleep(50 * GORT_MS);
        _exit(8);
    }
    gort_sleep(3600 * GORT_S); // or all would be asleep before the signal arrives
}

static void own_handler(int sig)
{
    (void)sig;
    static const char text[] = "the program's own\n";
    (void)!write(STDOUT_FILENO, text, sizeof text - 1);
    _exit(7);
}

NOINLINE static int main_goroutine(int argc, char **argv)
{
    (void)argc, (void)argv;
    gort_set(&c, gort_chan_make(int, 0));
    if (strcmp(name, "own-later") == 0) signal(SIGQUIT, own_handler);
    if (strcmp(name, "mixed") == 0) {
        gort_mutex_lock(&mutex);
        start("declared", declared);
        start("called", called);
        start("undeclared", undeclared);
        start("locker", locker);
    }
    start("raiser", raiser);
    if (strcmp(name, "mixed") == 0 || strcmp(name, "one-p") == 0) start("computes", computes);
    gort_recv(c, NULL);
    RETURN_HERE();
    return 0;
}

int main(int argc, char **argv)
{
    name = argc > 1 ? argv[1] : "";
    if (pipe(pipe_fds) != 0) return 1;
    if (strcmp(name, "own") == 0) signal(SIGQUIT, own_handler);
    if (strcmp(name, "ignored") == 0) signal(SIGQUIT, SIG_IGN);
    return gort_run(main_goroutine, argc, argv);
}
