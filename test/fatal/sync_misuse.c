// Sync objects: misuse that leaves shared state untrustworthy, and goroutines that wait for ever.
//
// EXPECT unlock stderr=\Afatal error: unlock of unlocked mutex\n\ngoroutine 1 \[running\]:$
// EXPECT unlock stderr=^gort_mutex_unlock\S*\(\.\.\.\)$
// EXPECT unlock-twice stderr=\Afatal error: unlock of unlocked mutex$
// EXPECT unlock-caught stderr=\Afatal error: unlock of unlocked mutex$
// EXPECT rw-unlock stderr=\Afatal error: unlock of unlocked rwmutex$
// EXPECT rw-unlock-read stderr=\Afatal error: unlock of unlocked rwmutex$
// EXPECT rw-runlock stderr=\Afatal error: read unlock of unlocked rwmutex$
// EXPECT rw-runlock-written stderr=\Afatal error: read unlock of unlocked rwmutex$
// EXPECT cond stderr=\Afatal error: gort_cond_wait: the mutex is not locked$
// EXPECT negative stderr=\Afatal error: negative wait group counter$
// EXPECT negative-add stderr=\Afatal error: negative wait group counter$
// EXPECT from-zero stderr=\Afatal error: wait group misuse:
// EXPECT sema stderr=\Afatal error: semaphore count overflows$
// EXPECT lock stderr=^goroutine 1 \[mutex lock\]:$
// EXPECT rlock stderr=^goroutine 1 \[rwmutex read lock\]:$
// EXPECT wlock stderr=^goroutine 1 \[rwmutex lock\]:$
// EXPECT wlock-read stderr=^goroutine 1 \[rwmutex lock\]:$
// EXPECT wait stderr=^goroutine 1 \[waitgroup wait\]:$
// EXPECT cond-wait stderr=^goroutine 1 \[cond wait\]:$
// EXPECT acquire stderr=^goroutine 1 \[semaphore acquire\]:$
// EXPECT once stderr=^goroutine 1 \[once\]:$
// EXPECT once stderr=\Afatal error: all goroutines are asleep - deadlock!$
//
// SPDX-License-Identifier: BSD-3-Clause
#include "../listed.h"

static const char *name = "";

static bool is(const char *wanted)
{
    return strcmp(name, wanted) == 0;
}

static gort_mutex m;
static gort_rwmutex rw;
static gort_cond c;
static gort_once once;
static gort_waitgroup wg;
static gort_sema s;

static void unlock(void *arg)
{
    gort_mutex_unlock(arg);
}

static void mutexes(void)
{
    if (is("unlock")) gort_mutex_unlock(&m);
    if (is("unlock-caught")) gort_try(unlock, &m, NULL); // fatal is not a panic
    if (is("unlock-twice")) {
        gort_mutex_lock(&m);
        gort_mutex_unlock(&m);
        gort_mutex_unlock(&m);
    }
    if (is("rw-unlock")) gort_rwmutex_unlock(&rw);
    if (is("rw-runlock")) gort_rwmutex_runlock(&rw);
    if (is("rw-unlock-read")) {
        gort_rwmutex_rlock(&rw);
        gort_rwmutex_unlock(&rw);
    }
    if (is("rw-runlock-written")) {
        gort_rwmutex_lock(&rw);
        gort_rwmutex_runlock(&rw);
    }
}

// The count was zeroed by who woke the waiters, and somebody adds before they have run.
static void wait_in_group(void *arg)
{
    (void)arg;
    gort_waitgroup_wait(&wg);
}

static void others(void)
{
    if (is("cond")) gort_cond_wait(&c, &m);
    if (is("negative")) gort_waitgroup_done(&wg);
    if (is("negative-add")) {
        gort_waitgroup_add(&wg, 3);
        gort_waitgroup_add(&wg, -4);
    }
    if (is("from-zero")) {
        gort_max_procs(1);
        gort_waitgroup_add(&wg, 1);
        gort_go(wait_in_group, NULL);
        wait_till_listed("[waitgroup wait]");
        gort_waitgroup_done(&wg);
        gort_waitgroup_add(&wg, 1);
        wait_for_the_end();
    }
    if (is("sema")) {
        gort_sema_init(&s, UINT32_MAX);
        gort_sema_release(&s);
    }
}

static void do_again(void *arg)
{
    gort_once_do(&once, do_again, arg);
}

static void waits(void)
{
    gort_mutex_lock(&m);
    if (is("lock")) gort_mutex_lock(&m);
    if (is("wait")) {
        gort_waitgroup_add(&wg, 1);
        gort_waitgroup_wait(&wg);
    }
    if (is("cond-wait")) gort_cond_wait(&c, &m);
    if (is("acquire")) gort_sema_acquire(&s);
    if (is("once")) gort_once_do(&once, do_again, NULL);
    if (is("wlock-read")) {
        gort_rwmutex_rlock(&rw);
        gort_rwmutex_lock(&rw);
    }
    gort_rwmutex_lock(&rw);
    if (is("rlock")) gort_rwmutex_rlock(&rw);
    if (is("wlock")) gort_rwmutex_lock(&rw);
}

static int run(int argc, char **argv)
{
    if (argc > 1) name = argv[1];
    mutexes();
    others();
    waits();
    return 0;
}

int main(int argc, char **argv)
{
    return gort_run(run, argc, argv);
}
