/* GORTDEBUG=leaks=1: what is left when the main function returns.
 *
 * Memory that nothing reaches is no leak here, it is collected.  What a program can leak is what it
 * forgot to let go of: objects that a global variable, a registered range or a goroutine still
 * reaches, goroutines that wait for ever, finalizers that have not run, descriptors that are open,
 * ranges that are registered.  After a last collection each of these is told; objects are added up
 * by the stack that allocated them (objects.h), the most bytes first.
 *
 * Goroutines and finalizers are looked at while the world is stopped, so that what waits stays
 * where it is; there only system calls are made.
 *
 * Answers to: nothing in the original, whose heap profile at exit tells the objects.
 * SPDX-License-Identifier: BSD-3-Clause
 */
#include <unistd.h>

#include "base/atomic.h"
#include "base/bits.h"
#include "diag/objects.h"
#include "diag/traceback.h"
#include "gc/finalizer.h"
#include "gc/roots.h"
#include "gort/mem.h"
#include "heap/heap.h"
#include "lang/net_fd.h"
#include "lang/reflect.h"
#include "os/os.h"
#include "rt/env.h"
#include "rt/hooks.h"
#include "sched/sched.h"
#include "sched/stw.h"

#define PLACES_SHOWN 20
#define OBJECTS_SHOWN 10 /* with finalizers */

struct place {
    const struct stack *stack;
    const struct object *example; /* NULL: unused */
    uint64_t objects, bytes;
};

struct report {
    struct print out;
    bool any;
};

#define PLURAL(n) ((n) == 1 ? "" : "s")

static void begin_line(struct report *r)
{
    r->any = true;
    print_fmt(&r->out, "gort: leaks: ");
}

/* ---- objects --------------------------------------------------------------------------------- */

static struct place *place_of(struct place *places, size_t mask, const struct stack *s)
{
    size_t i = ((uintptr_t)s >> 3) * UINT64_C(0x9e3779b97f4a7c15) >> 32 & mask;
    while (places[i].example != NULL && places[i].stack != s)
        i = (i + 1) & mask;
    return &places[i];
}

/* Adds the live objects up by their stacks; how many places. */
static size_t add_up(struct place *places, size_t mask)
{
    uint32_t n = objects_count();
    size_t found = 0;
    for (uint32_t i = 0; i < n; i++) {
        const struct object *o = objects_at(i);
        if (atomic_load_acquire(&o->state) != OBJECT_LIVE) continue; /* pairs with its allocation */
        struct place *p = place_of(places, mask, o->stack);
        if (p->example == NULL && found++ == mask) return mask; /* allocated meanwhile */
        p->example = o;
        p->stack = o->stack;
        p->objects++;
        p->bytes += o->size;
    }
    return found;
}

static struct place *largest(struct place *places, size_t mask)
{
    struct place *best = NULL;
    for (size_t i = 0; i <= mask; i++)
        if (places[i].objects != 0 && (best == NULL || places[i].bytes > best->bytes))
            best = &places[i];
    return best;
}

/* Of a described type its fields: addresses and numbers only, since others may be changing it.
 * Goroutines that still run may let it die, which does no harm unless dead memory can not be
 * read. */
static void print_example(struct report *r, const struct object *o)
{
    const struct gort_type *t = o->type;
    if (t == NULL || t->kind != GORT_KIND_STRUCT || o->size < t->size) return;
    if (heap->params.never_reuse || heap->params.poison) return;
    print_fmt(&r->out, "\tone of them: ");
    value_print(&r->out, t, (const void *)o->address, true);
    print_fmt(&r->out, "\n");
}

static void print_place(struct report *r, const struct place *p)
{
    const struct object *o = p->example;
    begin_line(r);
    print_fmt(&r->out, "%lu bytes in %lu object%s", (unsigned long)p->bytes,
              (unsigned long)p->objects, PLURAL(p->objects));
    if (o->type != NULL) print_fmt(&r->out, " (%.64s)", o->type->name);
    print_fmt(&r->out, ", ");
    objects_print_allocation(&r->out, o);
    print_example(r, o);
}

static void print_places(struct report *r, struct place *places, size_t mask, size_t found)
{
    uint64_t objects = 0, bytes = 0;
    for (size_t i = 0; i <= mask; i++) {
        objects += places[i].objects;
        bytes += places[i].bytes;
    }
    if (objects == 0) return;
    begin_line(r);
    print_fmt(&r->out, "%lu object%s of %lu bytes reachable at exit, allocated at %zu place%s:\n",
              (unsigned long)objects, PLURAL(objects), (unsigned long)bytes, found, PLURAL(found));
    for (size_t i = 0; i < PLACES_SHOWN && i < found; i++) {
        struct place *p = largest(places, mask);
        print_place(r, p);
        p->objects = 0;
    }
    if (found > PLACES_SHOWN) {
        begin_line(r);
        print_fmt(&r->out, "... and %zu more places\n", found - PLACES_SHOWN);
    }
}

static void report_objects(struct report *r)
{
    size_t slots = 1024;
    while (slots < 2 * stack_count() + 2)
        slots *= 2;
    struct place *places = os_mem_map(NULL, slots * sizeof *places);
    if (places == NULL) {
        begin_line(r);
        print_fmt(&r->out, "no memory to add objects up\n");
        return;
    }
    print_places(r, places, slots - 1, add_up(places, slots - 1));
    os_mem_unmap(places, slots * sizeof *places);
}

/* ---- finalizers ------------------------------------------------------------------------------ */

struct finalizable {
    uint64_t n;
    struct {
        uintptr_t object;
        uintptr_t fn;
    } first[OBJECTS_SHOWN];
};

static void note_finalizer(struct span *s, struct special *sp, void *arg)
{
    struct finalizable *all = arg;
    if (sp->kind != SPECIAL_FINALIZER) return;
    const struct finalizer *f = container_of(sp, struct finalizer, special);
    if (all->n < OBJECTS_SHOWN) {
        all->first[all->n].object = s->base + sp->offset;
        all->first[all->n].fn = (uintptr_t)f->fn;
    }
    all->n++;
}

/* System stack.  A sweeper has the records of its span off the list meanwhile (special_take_all),
 * in a section: in a stop all are on their lists or queued. */
static void finalizers_stopped(void *all)
{
    world_stop(STOP_STATS, NULL);
    special_each(note_finalizer, all);
    world_start();
}

static void report_finalizers(struct report *r)
{
    struct finalizable all = { .n = 0 };
    struct finalizer_counts c;
    call_on_system_stack(finalizers_stopped, &all);
    finalizer_read_counts(&c);
    if (all.n != 0) {
        begin_line(r);
        print_fmt(&r->out, "%lu object%s with a finalizer that has not run:\n",
                  (unsigned long)all.n, PLURAL(all.n));
    }
    for (uint64_t i = 0; i < all.n && i < OBJECTS_SHOWN; i++)
        print_fmt(&r->out, "\t0x%lx, finalizer %s\n", (unsigned long)all.first[i].object,
                  traceback_function(all.first[i].fn));
    if (c.queued > c.run) {
        begin_line(r);
        print_fmt(&r->out, "%lu finalizer%s queued and not run\n",
                  (unsigned long)(c.queued - c.run), PLURAL(c.queued - c.run));
    }
}

/* ---- the rest -------------------------------------------------------------------------------- */

static bool is_left(const struct g *g, const struct g *self)
{
    return g != NULL && g != self && g->status != G_DEAD && !g->is_system;
}

/* System stack. */
static void goroutines_stopped(void *arg)
{
    struct report *r = arg;
    const struct g *self = m_self()->curg;
    uint32_t all = g_table_size(), n = 0;
    world_stop(STOP_STATS, NULL);
    for (uint32_t i = 0; i < all; i++)
        n += is_left(g_at(i), self);
    struct newborn_view v;
    for (uint32_t i = 0; i < newborns_table_size(); i++)
        n += newborn_read(i, &v);
    if (n != 0) {
        struct traceback t = { .out = &r->out, .stopped = true };
        begin_line(r);
        print_fmt(&r->out, "%u goroutine%s not ended:\n", n, n == 1 ? " has" : "s have");
        traceback_others(&t, self);
    }
    world_start();
}

static void report_descriptors(struct report *r)
{
    unsigned n = 0;
    for (int fd = 2; (fd = net_fd_next_open(fd)) >= 0;) {
        if (n++ == 0) {
            begin_line(r);
            print_fmt(&r->out, "descriptors that gort opened or used, and that are not closed:");
        }
        print_fmt(&r->out, " %d", fd);
    }
    if (n != 0) print_fmt(&r->out, "\n");
}

static void report_roots(struct report *r)
{
    size_t n = roots_registered();
    if (n == 0) return;
    begin_line(r);
    print_fmt(&r->out, "%zu root range%s registered:\n", n, n == 1 ? " is" : "s are");
    for (size_t i = 0; i < n; i++) {
        struct root_range range;
        if (roots_registered_at(i, &range))
            print_fmt(&r->out, "\t0x%lx of %lu bytes\n", (unsigned long)range.lo,
                      (unsigned long)(range.hi - range.lo));
    }
}

static never_inline void report_leaks(void)
{
    struct report r = { .any = false };
    gort_gc(); /* what only a finalizer kept is queued by the first, */
    gort_gc(); /* and freed by the second if the finalizer has run */
    print_init(&r.out, STDERR_FILENO);
    report_objects(&r);
    report_finalizers(&r);
    call_on_system_stack(goroutines_stopped, &r);
    report_descriptors(&r);
    report_roots(&r);
    if (!r.any) print_fmt(&r.out, "gort: leaks: nothing is left\n");
    print_flush(&r.out);
}

static void on_main_returned(void)
{
    if (env.leaks != 0) report_leaks();
    if (env.allocfreetrace != 0) trace_flush();
}

__attribute__((__constructor__)) static void leaks_install(void)
{
    rt_hooks.left = on_main_returned;
}
