/* Records of objects: see objects.h.
 *
 * Three modes of GORTDEBUG need to know of each object where it was allocated: allocfreetrace (and
 * where it was swept), efence (to name the freed object at a fault) and leaks.  Then each
 * allocation is observed, and each free is told by the sweep.
 *
 * The records are in a table of lists by address.  A record is never removed: when the sweep frees
 * the object it says so, when another object is allocated there it is written anew.  So the number
 * of records is that of addresses that ever were objects', and lists need no lock: a record is put
 * before its list's head by a compare-and-swap, by the allocator of the address's object, which is
 * the only one that makes a record for that address.
 *
 * Who writes a record: between allocation and the program's knowing of it, the allocating
 * goroutine; once the object is dead, the sweeper, who is the only one for the slot.  An allocation
 * comes after the sweep that freed the slot.  Readers at exit or in a fault see what was there.
 *
 * The sweeper is in a critical section, perhaps in a stopped world, so freeing only finds,
 * captures, and pushes: no lock but that of persistent memory, no loader (callstack_is_lock_free).
 *
 * Memory order: the release of a list's head pairs with the acquire of find; that of `state` with
 * the acquire of readers.
 *
 * Answers to: tracealloc and tracefree of older versions, efence in malloc.go.
 * SPDX-License-Identifier: BSD-3-Clause
 */
#include "diag/objects.h"

#include "alloc/observe.h"
#include "base/assert.h"
#include "diag/callstack.h"
#include "gc/gc.h"
#include "heap/heap.h"
#include "os/os.h"
#include "rt/env.h"
#include "sched/sched.h"

#define LIST_BITS 20
#define LISTS_BYTES (sizeof(struct object *) << LIST_BITS)

static struct object **lists;   /* off-heap; atomic, set once */
static struct fixalloc records; /* of struct object */
static uint64_t allocs, frees;  /* atomic; statistics */

bool objects_wanted(void)
{
    return env.efence != 0 || env.allocfreetrace != 0 || env.leaks != 0;
}

/* ---- the table ------------------------------------------------------------------------------- */

/* Untouched parts cost nothing.  NULL: no memory. */
static struct object **table(void)
{
    struct object **present = atomic_load_acquire(&lists); /* pairs with the exchange below */
    if (likely(present != NULL)) return present;
    struct object **made = os_mem_map(NULL, LISTS_BYTES);
    if (made == NULL) return NULL;
    if (!atomic_cas_acqrel(&lists, &present, made)) {
        os_mem_unmap(made, LISTS_BYTES);
        return present;
    }
    atomic_fetch_add_relaxed(sched_meta_counter(), LISTS_BYTES);
    return made;
}

static struct object **list_of(struct object **t, uintptr_t address)
{
    return &t[(address >> 3) * UINT64_C(0x9e3779b97f4a7c15) >> (64 - LIST_BITS)];
}

static struct object *find(uintptr_t address)
{
    struct object **t = table();
    if (t == NULL) return NULL;
    struct object *o = atomic_load_acquire(list_of(t, address)); /* pairs with make */
    while (o != NULL && o->address != address)
        o = o->next;
    return o;
}

static struct object *make(uintptr_t address)
{
    struct object **t = table();
    struct object *o = NULL;
    crit_enter(); /* it takes a lock */
    if (t != NULL) o = fixalloc_alloc(&records);
    crit_exit();
    if (o == NULL) throw_msg("out of memory: no record of an object (see GORTDEBUG)");
    o->address = address;
    o->next = atomic_load_relaxed(list_of(t, address));          /* the exchange compares */
    while (!atomic_cas_acqrel(list_of(t, address), &o->next, o)) /* pairs with find */
        ;
    return o;
}

/* ---- what happens to objects ----------------------------------------------------------------- */

/* inside: lies in the frame of the runtime's function that tells observers. */
static const struct stack *capture(const void *inside)
{
    uintptr_t pcs[STACK_FRAMES];
    return stack_keep(pcs, callstack_all(pcs, STACK_FRAMES, inside));
}

static struct object *write_allocation(const struct alloc_event *e, const struct stack *stack)
{
    uintptr_t address = (uintptr_t)e->object;
    struct object *o = find(address);
    if (o == NULL) o = make(address);
    assert_that(atomic_load_relaxed(&o->state) != OBJECT_LIVE);
    o->size = e->size;
    o->type = e->type;
    o->repeats = e->repeats;
    o->call = e->call;
    o->goid = g_self()->goid;
    o->stack = stack;
    atomic_store_release(&o->state, (uint32_t)OBJECT_LIVE); /* pairs with readers */
    return o;
}

static void on_alloc(const struct alloc_event *e)
{
    if (!objects_wanted()) return;
    bool trace = trace_wants(e->size);
    if (env.efence == 0 && env.leaks == 0 && !trace) return;
    const struct stack *stack = capture(e);
    atomic_fetch_add_relaxed(&allocs, 1);
    if (trace) trace_begin();
    const struct object *o = write_allocation(e, stack);
    if (!trace) return;
    trace_allocation(o);
    trace_end();
}

static void on_free(const struct free_event *e)
{
    struct object *o = find(e->object);
    if (o == NULL) return; /* smaller than what is traced */
    const struct m *m = m_self();
    const struct g *g = m != NULL ? m->curg : NULL;
    o->free_cycle = heap_sweepgen() / 2 - 1;
    o->free_goid = g != NULL ? g->goid : 0;
    o->free_thread = (uint32_t)os_thread_id();
    o->free_stack = callstack_is_lock_free() ? capture(e) : NULL;
    atomic_store_release(&o->state, (uint32_t)OBJECT_FREED); /* pairs with readers */
    atomic_fetch_add_relaxed(&frees, 1);
    if (trace_wants(o->size)) trace_free(o);
}

static struct contents contents_of(const struct object *o)
{
    return (struct contents){ .type = o->type, .size = o->size, .repeats = o->repeats };
}

/* Where not all are recorded, what is there now may be another one. */
static struct contents recorded_contents(uintptr_t address)
{
    bool all = env.efence != 0 || env.leaks != 0 || env.allocfreetrace == 1;
    const struct object *o = all ? find(address) : NULL;
    return o != NULL ? contents_of(o) : (struct contents){ .type = NULL };
}

__attribute__((__constructor__)) static void objects_install(void)
{
    fixalloc_init(&records, sizeof(struct object), false, sched_meta_counter());
    alloc_observer_add(on_alloc);
    alloc_free_observer_set(on_free);
    heap_witness.describe = objects_describe;
    heap_witness.contents = recorded_contents;
}

/* ---- looking --------------------------------------------------------------------------------- */

uint32_t objects_count(void)
{
    return fixalloc_count(&records);
}

const struct object *objects_at(uint32_t i)
{
    return fixalloc_at(&records, i);
}

void objects_read_counts(struct object_counts *out)
{
    out->allocs = atomic_load_relaxed(&allocs);
    out->frees = atomic_load_relaxed(&frees);
}

const struct object *objects_covering(uintptr_t address, bool pages)
{
    uint32_t n = objects_count();
    for (uint32_t i = 0; i < n; i++) {
        const struct object *o = objects_at(i);
        size_t size = pages ? align_up(o->size, PAGE_BYTES) : o->size;
        if (atomic_load_acquire(&o->state) != OBJECT_UNUSED && address - o->address < size)
            return o;
    }
    return NULL;
}

static void print_stack(struct print *out, const struct stack *s)
{
    if (s != NULL)
        stack_print(out, s->pcs, s->n);
    else
        print_fmt(out, "\tstack not available\n");
}

void objects_print_size(struct print *out, const struct object *o)
{
    print_fmt(out, "%zu byte%s", o->size, o->size == 1 ? "" : "s");
    if (o->type != NULL) print_fmt(out, " (%.64s)", o->type->name);
}

void objects_print_allocation(struct print *out, const struct object *o)
{
    print_fmt(out, "allocated by %s in goroutine %lu:\n", o->call, (unsigned long)o->goid);
    print_stack(out, o->stack);
}

void objects_print_free(struct print *out, const struct object *o)
{
    print_fmt(out, "freed by collection %lu, swept by ", (unsigned long)o->free_cycle);
    if (o->free_goid != 0) print_fmt(out, "goroutine %lu on ", (unsigned long)o->free_goid);
    print_fmt(out, "thread %u:\n", o->free_thread);
    print_stack(out, o->free_stack);
}

void objects_describe(struct print *out, uintptr_t address)
{
    if (!objects_wanted()) return;
    const struct object *o = objects_covering(address, heap->params.never_reuse);
    if (o == NULL) return;
    uintptr_t at = address - o->address;
    bool freed = atomic_load_acquire(&o->state) == OBJECT_FREED;
    print_fmt(out, "0x%lx is ", (unsigned long)address);
    if (at < o->size)
        print_fmt(out, "byte %lu of ", (unsigned long)at);
    else
        print_fmt(out, "%lu bytes past ", (unsigned long)(at - o->size));
    print_fmt(out, "%s object of ", freed ? "a freed" : "an");
    objects_print_size(out, o);
    if (at < o->size) (void)fields_print(out, ", field ", contents_of(o), at);
    print_fmt(out, "\n");
    objects_print_allocation(out, o);
    if (freed) objects_print_free(out, o);
}
