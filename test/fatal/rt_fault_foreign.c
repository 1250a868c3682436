// Faults on threads that gort does not know are not its business: they go to whoever handled the
// signal before, or have their default action. But signals that were sent are reported.
//
// EXPECT default signal=SIGSEGV absent=fatal error
// EXPECT ignored signal=SIGSEGV absent=fatal error
// EXPECT handled exit=7 stdout=^former handler$
// EXPECT handled-info exit=7 stdout=^former handler at 0x10$
// EXPECT sent stderr=^fatal error: SIGSEGV sent by process \d+$
// EXPECT sent stderr=^goroutine 1 \[
// EXPECT sent-none env:GORTTRACEBACK=none stderr=^fatal error: SIGSEGV sent by process \d+$
// EXPECT sent-none absent=goroutine
// EXPECT sent-crash signal=SIGABRT env:GORTTRACEBACK=crash stderr=^goroutine 1 \[
// EXPECT sent-handled exit=7 stdout=^former handler$
// EXPECT sent-handled absent=fatal error
// EXPECT process skip=emulated exit=2 stderr=^fatal error: SIGSEGV sent by process \d+$
// EXPECT process stderr=^goroutine 1 \[
// EXPECT attached stderr=^fatal error: SIGSEGV: segmentation violation at address 0x10
// EXPECT attached stderr=^goroutine \d+ \[running, attached thread\]:(?s:.*)^attached_thread\(\.\.\.\)$
//
// TEST skip=asan,tsan,ubsan
//
// SPDX-License-Identifier: BSD-3-Clause
#include <pthread.h>
#include <signal.h>
#include <stdio.h>

#include "../listed.h"

static const char *name = "";

static int *volatile bad = (int *)16;

static void fault(void)
{
    *bad = 1;
}

static void *foreign_thread(void *arg)
{
    (void)arg;
    if (strncmp(name, "sent", 4) == 0)
        pthread_kill(pthread_self(), SIGSEGV);
    else if (strcmp(name, "process") == 0)
        kill(getpid(), SIGSEGV); // mostly to the thread that called gort_run
    else
        fault();
    return NULL;
}

static void *attached_thread(void *arg)
{
    (void)arg;
    if (gort_thread_attach() == 0) fault();
    return NULL;
}

static void print_and_exit(const char *text)
{
    if (write(1, text, strlen(text)) < 0) _exit(8);
    _exit(7);
}

static void former(int sig)
{
    (void)sig;
    print_and_exit("former handler\n");
}

static void former_info(int sig, siginfo_t *info, void *context)
{
    (void)sig;
    (void)context;
    print_and_exit(info->si_addr == (void *)16 ? "former handler at 0x10\n" : "elsewhere\n");
}

static int main_goroutine(int argc, char **argv)
{
    pthread_t t;
    (void)argc;
    (void)argv;
    bool attached = strcmp(name, "attached") == 0;
    pthread_create(&t, NULL, attached ? attached_thread : foreign_thread, NULL);
    wait_for_the_end();
}

int main(int argc, char **argv)
{
    if (argc > 1) name = argv[1];
    if (strcmp(name, "ignored") == 0) signal(SIGSEGV, SIG_IGN);
    if (strcmp(name, "handled") == 0 || strcmp(name, "sent-handled") == 0) signal(SIGSEGV, former);
    if (strcmp(name, "handled-info") == 0) {
        struct sigaction act = { .sa_sigaction = former_info, .sa_flags = SA_SIGINFO };
        sigaction(SIGSEGV, &act, NULL);
    }
    return gort_run(main_goroutine, argc, argv);
}
