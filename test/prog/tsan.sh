#!/usr/bin/env bash
# A program with ThreadSanitizer hears of its own races, at the line, and of no others: with the library as
# it is installed, which is built without that sanitizer. Each racy case lacks one order that a
# runtime which told too much would give it.
#
# TEST timeout=1500 skip=asan,ubsan,coverage
#
# SPDX-License-Identifier: BSD-3-Clause
set -u

build=$1
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
bad=0

cat >"$dir/p.c" <<'END'
#include <errno.h>
#include <gort.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef gort_chan(int) ints;
typedef struct node { struct node *next; long value; } node;
GORT_TYPE(node, next);

static long shared;
static ints a, b, d;
static gort_mutex m;
static gort_rwmutex rw;
static gort_waitgroup wg;
static gort_once once;
static gort_sema sema;
static gort_cond cond;
static node *published;
static __thread int mine;

#define TOUCH(x) ((x)++)

// The others have ended.
static void settle(void)
{
    while (gort_num_goroutines() > 1) gort_sleep(GORT_MS);
}

// ---- races -------------------------------------------------------------------------------------
static void add_one(void *arg) { (void)arg; TOUCH(shared); gort_waitgroup_done(&wg); } // RACE
static void nothing(void)
{
    gort_waitgroup_add(&wg, 2);
    gort_go(add_one, NULL);
    gort_go(add_one, NULL);
    gort_waitgroup_wait(&wg);
}

// One goroutine ends, and the next gets its stack and its thread: that orders nothing.
static void add_only(void *arg) { (void)arg; TOUCH(shared); } // RACE
static void one_after_the_other(void)
{
    gort_go(add_only, NULL);
    settle();
    gort_go(add_only, NULL);
    settle();
}

// A receive from a buffer with room comes after its send, not the next send after it.
static void receive_and_add(void *arg) { (void)arg; TOUCH(shared); gort_recv(b, NULL); } // RACE
static void buffer_backwards(void)
{
    gort_send(b, 1);
    gort_go(receive_and_add, NULL);
    settle();
    gort_send(b, 2);
    TOUCH(shared); // RACE
}

// Readers are not ordered among themselves.
static void read_and_add(void *arg)
{
    (void)arg;
    gort_rwmutex_rlock(&rw);
    TOUCH(shared); // RACE
    gort_rwmutex_runlock(&rw);
    gort_waitgroup_done(&wg);
}
static void two_readers(void)
{
    gort_waitgroup_add(&wg, 2);
    gort_go(read_and_add, NULL);
    gort_go(read_and_add, NULL);
    gort_waitgroup_wait(&wg);
}

// What a receive writes is written by the goroutine that receives.
static int target;
static void look_at_target(void *arg) { (void)arg; gort_send(d, target); } // RACE
static void into_a_shared_variable(void)
{
    int seen;
    gort_go(look_at_target, NULL);
    gort_send(b, 5);
    gort_recv(b, &target); // RACE
    gort_recv(d, &seen);
}

// A store of a pointer is a store.
static void store_it(void *arg) { gort_set(&published, (node *)arg); gort_waitgroup_done(&wg); } // RACE
static void two_stores(void)
{
    gort_waitgroup_add(&wg, 2);
    gort_go(store_it, gort_new(node));
    gort_go(store_it, gort_new(node));
    gort_waitgroup_wait(&wg);
}

// Collected memory is looked at as any other.
static void in_the_heap(void *arg) { TOUCH(((node *)arg)->value); gort_waitgroup_done(&wg); } // RACE
static void a_shared_object(void)
{
    node *n = gort_new(node);
    gort_waitgroup_add(&wg, 2);
    gort_go(in_the_heap, n);
    gort_go(in_the_heap, n);
    gort_waitgroup_wait(&wg);
}

// ---- no races ----------------------------------------------------------------------------------
static void through_channels(void *arg)
{
    int v;
    while (gort_recv(a, &v)) { TOUCH(shared); gort_send(d, v); }
    (void)arg;
}
static void channels(void)
{
    gort_go(through_channels, NULL);
    for (int i = 0, v; i < 100; i++) { TOUCH(shared); gort_send(a, i); gort_recv(d, &v); }
    TOUCH(shared);
    gort_close(a);
}
static void semaphore_of_slots(void *arg)
{
    for (int i = 0; i < 50; i++) { gort_send(b, 1); TOUCH(shared); gort_recv(b, NULL); gort_yield(); }
    gort_waitgroup_done(&wg);
    (void)arg;
}
static void slots(void)
{
    b = gort_chan_make(int, 1);
    gort_waitgroup_add(&wg, 4);
    for (int i = 0; i < 4; i++) gort_go(semaphore_of_slots, NULL);
    gort_waitgroup_wait(&wg);
    TOUCH(shared);
}
static void with_locks(void *arg)
{
    for (int i = 0; i < 50; i++) {
        gort_mutex_lock(&m); TOUCH(shared); gort_mutex_unlock(&m);
        gort_rwmutex_rlock(&rw); (void)*(volatile long *)&target; gort_rwmutex_runlock(&rw);
        gort_rwmutex_lock(&rw); TOUCH(target); gort_rwmutex_unlock(&rw);
        gort_yield();
    }
    gort_waitgroup_done(&wg);
    (void)arg;
}
static void locks(void)
{
    gort_waitgroup_add(&wg, 4);
    for (int i = 0; i < 4; i++) gort_go(with_locks, NULL);
    gort_waitgroup_wait(&wg);
    TOUCH(shared);
}
static void set_shared(void *arg) { (void)arg; TOUCH(shared); }
static void once_and_cond(void *arg)
{
    gort_once_do(&once, set_shared, NULL);
    (void)*(volatile long *)&shared;
    gort_sema_release(&sema);
    (void)arg;
}
static void signalled(void *arg)
{
    gort_mutex_lock(&m);
    while (target == 0) gort_cond_wait(&cond, &m);
    gort_mutex_unlock(&m);
    gort_waitgroup_done(&wg);
    (void)arg;
}
static void others(void)
{
    for (int i = 0; i < 4; i++) gort_go(once_and_cond, NULL);
    for (int i = 0; i < 4; i++) gort_sema_acquire(&sema);
    TOUCH(shared);
    gort_waitgroup_add(&wg, 1);
    gort_go(signalled, NULL);
    gort_sleep(GORT_MS);
    gort_mutex_lock(&m); target = 1; gort_mutex_unlock(&m);
    gort_cond_broadcast(&cond);
    gort_waitgroup_wait(&wg);
}
static void selecting(void *arg)
{
    int v, stop = 0;
    while (!stop) {
        gort_case k[] = { gort_on_recv(a, &v), gort_on_recv(d, NULL) };
        if (gort_select(k, 2) == 1) stop = 1; else TOUCH(shared);
    }
    gort_waitgroup_done(&wg);
    (void)arg;
}
static void selects(void)
{
    gort_waitgroup_add(&wg, 1);
    gort_go(selecting, NULL);
    for (int i = 0; i < 50; i++) gort_send(a, i);
    gort_close(d);
    gort_waitgroup_wait(&wg);
    TOUCH(shared);
}
static void publish(void *arg)
{
    node *n = gort_new(node);
    n->value = 7;
    (void)gort_exchange(&published, n);
    (void)arg;
}
static void pointers(void)
{
    gort_go(publish, NULL);
    node *n;
    while ((n = gort_load(&published)) == NULL) gort_yield();
    if (n->value != 7) abort();
}
// Apart, or its address is kept over a switch to another thread, which is a race indeed.
__attribute__((noinline)) static void count_mine(void) { mine++; __asm__ volatile(""); }
static void churn(void *arg)
{
    for (int i = 0; i < 2000; i++) {
        node *n = gort_new(node);
        n->value = i;
        char *p = gort_alloc_noscan(3000);
        memset(p, i, 3000);
        count_mine();
        errno = i;
        if (i % 16 == 0) gort_yield();
    }
    gort_waitgroup_done(&wg);
    (void)arg;
}
static void died(void *p) { ((node *)p)->value++; }
static void memory(void)
{
    for (int round = 0; round < 4; round++) {
        gort_waitgroup_add(&wg, 8);
        for (int i = 0; i < 8; i++) gort_go(churn, NULL);
        for (int i = 0; i < 50; i++) { node *n = gort_new(node); n->value = 1; gort_set_finalizer(n, died); }
        gort_gc();
        gort_waitgroup_wait(&wg);
    }
}
static int attached;
static void *foreign(void *arg)
{
    gort_thread_attach();
    __atomic_store_n(&attached, 1, __ATOMIC_RELEASE);
    for (int i = 0; i < 20; i++) { int v; gort_recv(a, &v); TOUCH(shared); gort_send(d, v); }
    gort_thread_detach();
    return arg;
}
static void on_system(void *arg) { int local = 1; TOUCH(local); *(int *)arg = local; }
static void block(void *arg)
{
    int v = 0;
    for (int i = 0; i < 20; i++) gort_blocking(on_system, &v);
    gort_waitgroup_done(&wg);
    (void)arg;
}
static void threads(void)
{
    pthread_t t;
    pthread_create(&t, NULL, foreign, NULL);
    while (!__atomic_load_n(&attached, __ATOMIC_ACQUIRE)) gort_sleep(GORT_MS);
    for (int i = 0, v; i < 20; i++) { TOUCH(shared); gort_send(a, i); gort_recv(d, &v); }
    gort_waitgroup_add(&wg, 4);
    for (int i = 0; i < 4; i++) gort_go(block, NULL);
    gort_waitgroup_wait(&wg);
    gort_enter_blocking();
    pthread_join(t, NULL);
    gort_exit_blocking();
}
static void rang(void *arg) { TOUCH(*(long *)arg); gort_sema_release(&sema); }
static void timers(void)
{
    for (int i = 0; i < 20; i++) {
        TOUCH(shared);
        gort_timer_func(GORT_MS, rang, &shared);
        gort_sema_acquire(&sema);
        gort_recv(gort_after(GORT_MS), NULL);
    }
}
// Set anew while it waits: what came before that comes before what it calls.
static void resets(void)
{
    for (int i = 0; i < 20; i++) {
        gort_timer *t = gort_timer_func(3600 * GORT_S, rang, &shared);
        gort_sleep(GORT_MS);
        TOUCH(shared);
        if (!gort_timer_reset(t, GORT_MS)) abort();
        gort_sema_acquire(&sema);
    }
}
// A close comes before the failure of who waits, for the descriptor or for its turn.
static int ends[2];
static void is_closed(void *arg)
{
    char byte;
    if (gort_read(ends[0], &byte, 1) != -1) abort();
    if (errno == ECANCELED) (void)*(volatile long *)&shared; // else it came too late to wait
    gort_waitgroup_done(&wg);
    (void)arg;
}
static void closing(void)
{
    for (int i = 0; i < 10; i++) {
        if (pipe(ends) != 0) abort();
        gort_waitgroup_add(&wg, 2);
        gort_go(is_closed, NULL);
        gort_go(is_closed, NULL);
        gort_sleep(GORT_MS); // both wait by now, mostly
        TOUCH(shared);
        gort_close_fd(ends[0]);
        gort_waitgroup_wait(&wg);
        gort_close_fd(ends[1]);
    }
}
static void fails(void *arg) { if (arg == NULL) gort_panic("no"); fails(NULL); }
static void panics(void)
{
    for (int i = 0; i < 300; i++) if (!gort_try(fails, &m, NULL)) abort();
}

// One stack and one record after the other, each with deferred calls of its own.
static void nop(void *arg) { (void)arg; }
static void in_scopes(void *arg)
{
    for (int i = 0; i < 10; i++) {
        gort_scoped_defer(nop, NULL);
        gort_yield();
    }
    gort_waitgroup_done(&wg);
    (void)arg;
}
static void scopes(void)
{
    for (int round = 0; round < 10; round++) {
        gort_waitgroup_add(&wg, 8);
        for (int i = 0; i < 8; i++) gort_go(in_scopes, NULL);
        gort_waitgroup_wait(&wg);
    }
}

// Goroutines that nothing orders but the map: copies of others' entries, and strings that others wrote.
static gort_cmap(gort_string, long) words;
static gort_cmap(int, node *) nodes;
static void in_maps(void *arg)
{
    for (int i = 0; i < 2000; i++) {
        char text[16];
        node *n = gort_new(node), *seen = NULL;
        n->value = i;
        int len = snprintf(text, sizeof text, "%d", i % 50);
        gort_cmap_store(words, gort_string_make(text, (size_t)len), i);
        gort_cmap_store(nodes, i % 50, n);
        if (gort_cmap_load(nodes, (i + 7) % 50, &seen) && seen->value < 0) abort();
        if (i % 3 == 0) gort_cmap_delete(words, gort_string_make(text, (size_t)len));
        if (gort_cmap_swap(nodes, (i + 11) % 50, &seen, n) && seen->value < 0) abort();
        if (i % 64 == 0) gort_yield();
    }
    gort_waitgroup_done(&wg);
    (void)arg;
}
static void maps(void)
{
    gort_set(&words, gort_cmap_make(gort_string, long, 0));
    gort_set(&nodes, gort_cmap_make(int, node *, 0));
    gort_waitgroup_add(&wg, 6);
    for (int i = 0; i < 6; i++) gort_go(in_maps, NULL);
    gort_waitgroup_wait(&wg);
}

// What all sweep that one filled: spans in which nothing survived.
static void sweep(void *arg)
{
    for (int i = 0; i < 3000; i++) {
        memset(gort_alloc_noscan(100), 1, 100);
        (void)gort_new(node);
        if (i % 500 == 0) gort_gc();
    }
    gort_waitgroup_done(&wg);
    (void)arg;
}
static void sweeping(void)
{
    gort_waitgroup_add(&wg, 6);
    for (int i = 0; i < 6; i++) gort_go(sweep, NULL);
    gort_waitgroup_wait(&wg);
}

// Threads of the runtime answer, and a handler tells.
static void ask(void *arg)
{
    int fd = gort_dial("tcp", "nowhere.invalid:1", 0);
    if (fd >= 0) gort_close_fd(fd);
    gort_waitgroup_done(&wg);
    (void)arg;
}
static void outside(void)
{
    gort_signal_channel c = gort_chan_make(int, 10);
    if (gort_signal_notify(c, SIGUSR1) != 0) abort();
    gort_waitgroup_add(&wg, 4);
    for (int i = 0; i < 4; i++) gort_go(ask, NULL);
    for (int i = 0; i < 10; i++) { kill(getpid(), SIGUSR1); gort_recv(c, NULL); }
    gort_signal_stop(c);
    gort_waitgroup_wait(&wg);
}

// Threads are made and goroutines start, each under the sanitizer's own lock, while the world stops.
static int over, makers;
static void *no_work(void *arg) { return arg; }
static void makes_threads(void *arg)
{
    (void)arg;
    while (!__atomic_load_n(&over, __ATOMIC_SEQ_CST)) {
        pthread_t t;
        if (pthread_create(&t, NULL, no_work, NULL) != 0) continue;
        gort_enter_blocking();
        pthread_join(t, NULL);
        gort_exit_blocking();
    }
    __atomic_fetch_sub(&makers, 1, __ATOMIC_SEQ_CST);
}
static void ends_at_once(void *arg) { (void)arg; }
static void makes_goroutines(void *arg)
{
    (void)arg;
    while (!__atomic_load_n(&over, __ATOMIC_SEQ_CST)) {
        for (int i = 0; i < 20; i++) gort_go(ends_at_once, NULL);
        gort_yield();
    }
    __atomic_fetch_sub(&makers, 1, __ATOMIC_SEQ_CST);
}
static void stops(void)
{
    gort_max_procs(8);
    for (; makers < 10; makers++) gort_go(makers % 5 == 0 ? makes_goroutines : makes_threads, NULL);
    for (int i = 0; i < 300; i++) {
        gort_gc();
        gort_yield();
    }
    __atomic_store_n(&over, 1, __ATOMIC_SEQ_CST);
    while (__atomic_load_n(&makers, __ATOMIC_SEQ_CST) != 0) gort_yield();
}

// Each place is a report (suppress_equal_stacks=0), under the sanitizer's locks, while the world stops and
// goroutines start and end.
static int shared_places[500];
static void races(void *arg)
{
    (void)arg;
    for (int i = 0; i < 500; i++) {
        shared_places[i]++;
        gort_yield();
    }
    __atomic_fetch_sub(&makers, 1, __ATOMIC_SEQ_CST);
}
static void reports(void)
{
    gort_max_procs(8);
    makers = 20;
    for (int i = 0; i < 20; i++) gort_go(races, NULL);
    while (__atomic_load_n(&makers, __ATOMIC_SEQ_CST) != 0) {
        gort_gc();
        for (int i = 0; i < 20; i++) gort_go(ends_at_once, NULL);
        gort_yield();
    }
}

static const struct { const char *name; void (*fn)(void); } cases[] = {
#define CASE(f) { #f, f }
    CASE(nothing), CASE(one_after_the_other), CASE(buffer_backwards), CASE(two_readers),
    CASE(into_a_shared_variable), CASE(two_stores), CASE(a_shared_object), CASE(channels), CASE(slots),
    CASE(locks), CASE(others), CASE(selects), CASE(pointers), CASE(memory), CASE(threads), CASE(panics),
    CASE(timers), CASE(scopes), CASE(maps), CASE(sweeping), CASE(outside),
    CASE(stops), CASE(reports), CASE(resets), CASE(closing),
};
static int run(int argc, char **argv)
{
    a = gort_chan_make(int, 0), b = gort_chan_make(int, 3), d = gort_chan_make(int, 0);
    for (unsigned i = 0; argc == 2 && i < sizeof cases / sizeof cases[0]; i++)
        if (strcmp(argv[1], cases[i].name) == 0) { cases[i].fn(); return 0; }
    return 3;
}
int main(int argc, char **argv) { return gort_run(run, argc, argv); }
END

fail()
{
    echo "FAILED: $*"
    sed 's/^/    /' "$dir/out" | head -40
    bad=1
}

racy="nothing one_after_the_other buffer_backwards two_readers into_a_shared_variable two_stores
    a_shared_object"
clean="channels slots locks others selects pointers memory threads panics timers resets closing scopes maps
    sweeping outside stops"
found=0
for cc in ${CC:-cc} gcc clang; do
    [ "$(command -v "$cc")" ] && [ ! -e "$dir/$(basename "$cc")" ] || continue
    prog=$dir/$(basename "$cc")
    if ! "$cc" -g -O1 -fsanitize=thread -fstack-clash-protection "$dir/p.c" -I"$GORT_SOURCE_DIR/include" \
        "$build/libgort.a" -lpthread -lm -o "$prog" 2>"$dir/out"; then
        grep -qE "cannot find|no such file" "$dir/out" || fail "$cc does not compile"
        continue # that compiler has no such runtime here
    fi
    found=1
    for procs in 1 4; do
        for c in $racy; do
            GORTMAXPROCS=$procs timeout 250 setarch -R "$prog" "$c" >"$dir/out" 2>&1
            [ $? = 66 ] || fail "$cc, $procs Ps, $c: no race was reported"
            lines=$(grep -n "RACE$\|// RACE" "$dir/p.c" | cut -d: -f1 | paste -sd'|')
            grep -qE "#[0-2] .*p\.c:($lines)\b" "$dir/out" || fail "$cc, $procs Ps, $c: another place"
        done
        # Note [Stops beside the sanitizer] in src/sched/stw.c.  Not by clang 14, whose runtime follows lists
        # of its own that are broken, where fibers end while it reports.
        ldd "$prog" | grep -q libtsan && for i in 1 2 3; do
            TSAN_OPTIONS=suppress_equal_stacks=0 GORTMAXPROCS=$procs timeout 250 setarch -R "$prog" reports \
                >"$dir/out" 2>&1
            [ $? = 66 ] || fail "$cc, $procs Ps, reports: it does not end"
        done
        for c in $clean; do
            GORTMAXPROCS=$procs timeout 250 setarch -R "$prog" "$c" >"$dir/out" 2>&1 ||
                fail "$cc, $procs Ps, $c: exit code $?"
        done
    done
done
if [ $found = 0 ]; then
    echo "no compiler here has ThreadSanitizer's runtime"
    exit 77
fi
exit $bad
