/* GORTDEBUG=allocfreetrace=N: each allocation of N bytes or more, and each free, with stacks, on
 * standard error.
 *
 * An allocation is printed by its goroutine before the program has the address.  A free is found by
 * a sweep, in a critical section and perhaps in a stopped world, where looking up names would delay
 * a stop by a millisecond each.  So it is only queued there, and printed by the next traced
 * allocation, when the main function returns, or at exit.  The queue can not overflow: its links
 * are in the records of the objects (objects.h).  Rejected: a ring, which loses what it has no room
 * for, or writes from the section after all.
 *
 * `turn` keeps lines together, and keeps a record from being written anew before its free was
 * printed: an allocation at a freed address comes after the free was queued, takes the turn, and
 * prints the queue first.  It is no runtime lock, for those are held in critical sections only: who
 * prints may be stopped, holding it, and whoever waits for it may be stopped as well.  Nothing
 * waits for it in a section or during a stop.
 *
 * Answers to: debug.allocfreetrace of older versions.
 * SPDX-License-Identifier: BSD-3-Clause
 */
#include <unistd.h>

#include "base/atomic.h"
#include "diag/objects.h"
#include "os/os.h"
#include "rt/env.h"

static uint32_t turn;        /* futex: 0 free, 1 taken, 2 taken and waited for; atomic */
static struct lfstack queue; /* of objects; off-heap addresses */
static uint64_t printed;     /* atomic; a statistic */

bool trace_wants(size_t size)
{
    return env.allocfreetrace != 0 && size >= env.allocfreetrace;
}

uint64_t trace_printed(void)
{
    return atomic_load_relaxed(&printed);
}

static bool turn_try(void)
{
    uint32_t none = 0;
    return atomic_cas_acqrel(&turn, &none, 1); /* pairs with turn_give */
}

static void turn_take(void)
{
    if (turn_try()) return;
    while (atomic_exchange_acqrel(&turn, 2u) != 0) /* pairs with turn_give */
        os_futex_wait(&turn, 2, -1);
}

static void turn_give(void)
{
    if (atomic_exchange_acqrel(&turn, 0u) == 2) os_futex_wake(&turn, 1);
}

/* ---- printing -------------------------------------------------------------------------------- */

static void print_event(const char *what, const struct object *o)
{
    struct print out;
    print_init(&out, STDERR_FILENO);
    print_fmt(&out, "gort: %s 0x%lx, ", what, (unsigned long)o->address);
    objects_print_size(&out, o);
    print_fmt(&out, "\n");
    objects_print_allocation(&out, o);
    if (atomic_load_acquire(&o->state) == OBJECT_FREED) objects_print_free(&out, o);
    print_flush(&out);
    atomic_fetch_add_relaxed(&printed, 1);
}

/* The turn is ours.  In the order of the frees. */
static void print_queue(void)
{
    struct object *first = NULL;
    struct lfnode *n;
    while ((n = lfstack_pop(&queue)) != NULL) {
        struct object *o = container_of(n, struct object, node);
        o->print_next = first;
        first = o;
    }
    for (; first != NULL; first = first->print_next)
        print_event("free", first);
}

void trace_begin(void)
{
    turn_take();
    print_queue();
}

void trace_allocation(const struct object *o)
{
    print_event("alloc", o);
}

void trace_end(void)
{
    turn_give();
}

void trace_free(struct object *o)
{
    lfstack_push(&queue, &o->node);
}

void trace_flush(void)
{
    turn_take();
    print_queue();
    turn_give();
}

/* At exit nobody is waited for: a thread that has the turn prints what there is. */
__attribute__((__destructor__)) static void trace_at_exit(void)
{
    if (env.allocfreetrace == 0 || !turn_try()) return;
    print_queue();
    turn_give();
}
