/* Verification of marking: everything reachable is found once more, with the world stopped, and
 * compared with what the cycle has marked.
 *
 * This is a second marker that shares nothing with the first but the roots' lists and the lookup of
 * addresses: it has its own queue, reads layouts itself, and asks the scheduler for stacks itself.
 * Rejected: to run the markers again with other mark bits.  That would be fast, and repeat every
 * mistake of theirs, and their state would have to be exchanged and put back.  Here nothing that
 * belongs to the cycle is written.
 *
 * It goes breadth first, so that the chain it can name is a shortest one.  For each object reached
 * it notes the word through which it was: `from`, a table over each arena with a word for every
 * eighth byte, of which only the pieces that are used get memory.  The low bits of such an address
 * hold the kind of place that it is in: 0 an object, else a kind of root plus 1.
 *
 * Two passes.
 *   1. From all roots but stacks and registers.  A white object met here is a miss: the collector
 *      would free what the program can reach by pointers that it stored with barriers.  Fatal.
 *   2. From stacks and registers.  A goroutine runs on after its stack was scanned, and a word of
 *      it may be garbage that a dead frame left; such an object was unreachable when marking began,
 *      and the program can not get at it (DESIGN 4, rules 2 and 15).  So these are counted.  Where
 *      nobody ran between the scan and this, for all was marked in one stop, there is no such
 *      excuse, and they are as fatal as the others; but for what the stacks of goroutines in
 *      BLOCKING alone lead to: their threads go on in a stop (a read(2) fills a buffer on the
 *      stack), so the words may be others than those that were scanned.
 *
 * Every missed object is reported: SHOWN_WHOLE of them with the chain up to a root and their span,
 * the others, which as a rule hang on these, with the word through which each was reached.
 *
 * Invariants: (1) an object is in the queue once, and then has `from`; (2) the queue has room for
 * every slot there is, so it never grows.
 *
 * Memory is mapped in the stop and unmapped in it; without it the check is fatal rather than
 * skipped.
 * Locking: none, the world is stopped.  Memory order: likewise.
 * Answers to: useCheckmark in mcheckmark.go.
 * SPDX-License-Identifier: BSD-3-Clause
 */
#include "gc/checkmark.h"

#include "base/assert.h"
#include "base/bits.h"
#include "base/fields.h"
#include "gc/gc.h"
#include "gc/mark.h"
#include "gc/roots.h"
#include "gc/specials.h"
#include "gc/threadlocals.h"
#include "gort/type.h"
#include "heap/heap.h"
#include "heap/mcache.h"
#include "os/os.h"
#include "sched/sched.h"
#include "sched/stack.h"
#include "sched/stw.h"

#define FROM_BYTES (ARENA_BYTES / WORD_SIZE * sizeof(uintptr_t))
#define FROM_KIND ((uintptr_t)7) /* bits of `from` that hold the kind of place */
#define SHOWN_WHOLE 4            /* missed objects */
#define CHAIN_SHOWN 24

_Static_assert(ROOT_KINDS < FROM_KIND + 1, "a kind of root plus 1 fits beside an address");

/* What kind of place the words come from that are looked at now. */
struct place {
    unsigned kind; /* 0: an object; else kind of root plus 1 */
};
static const struct place in_object = { 0 };

static struct {
    uintptr_t *queue; /* objects reached, in order */
    size_t head, tail, room;
    uint64_t missed;               /* of these, not marked */
    void (*other)(uintptr_t word); /* hears of words that are in no object; NULL: nobody */
} recheck;                         /* the stopper's */

void (*checkmark_observer)(bool before);

/* ---- reaching -------------------------------------------------------------------------------- */

/* The place of an object's `from`. */
static uintptr_t *from_of(uintptr_t obj)
{
    struct arena *a = arena_of(obj);
    if (a->check_from == NULL && (a->check_from = os_mem_map(NULL, FROM_BYTES)) == NULL)
        throw_msg("out of memory: gccheckmark has no room to note how objects are reached");
    return &a->check_from[(obj - a->base) / WORD_SIZE];
}

/* word was found at address `at`. */
static void see(uintptr_t word, uintptr_t at, struct place where)
{
    struct span *s;
    uint32_t i;
    uintptr_t obj;
    if (!span_find_object(word, &s, &i, &obj) || !span_is_slot_allocated(s, i)) {
        if (unlikely(recheck.other != NULL)) recheck.other(word);
        return;
    }
    uintptr_t *from = from_of(obj);
    if (*from != 0) return;
    *from = at | where.kind;
    recheck.missed += !span_is_marked(s, i);
    check(recheck.tail < recheck.room);
    recheck.queue[recheck.tail++] = obj;
}

reads_foreign_words static uintptr_t read_word(uintptr_t at)
{
    return *(const volatile uintptr_t *)at;
}

static void see_words(uintptr_t lo, uintptr_t hi, struct place where)
{
    for (uintptr_t p = align_up(lo, WORD_SIZE); p + WORD_SIZE <= hi; p += WORD_SIZE)
        see(read_word(p), p, where);
}

/* ---- objects --------------------------------------------------------------------------------- */

/* Of the words that type t describes at `at`, those below end. */
static void see_typed(const struct gort_type *t, uintptr_t at, uintptr_t end, struct place where)
{
    if (t->flags & GORT_TYPE_NOSCAN) return;
    if (t->flags & GORT_TYPE_CONSERVATIVE) {
        see_words(at, at + t->size < end ? at + t->size : end, where);
        return;
    }
    for (uint32_t i = 0; i < t->nruns; i++) {
        uintptr_t lo = at + t->runs[i].offset, hi = lo + t->runs[i].size;
        see_words(lo, hi < end ? hi : end, where);
    }
}

/* gc.h, Note [Layout words]. */
static void see_by_layout(uint64_t word, uintptr_t base, uintptr_t end, struct place where)
{
    const struct gort_type *t = layout_type(word);
    uintptr_t rest = base + layout_offset(word);
    if (t == NULL) {
        see_words(base, end, where);
        return;
    }
    switch (word & LAYOUT_TAG_MASK) {
    case LAYOUT_REPEAT:
        check(t->size != 0);
        for (uintptr_t at = base; at < end; at += t->size)
            see_typed(t, at, end, where);
        break;
    case LAYOUT_ONCE:
        see_typed(t, base, end, where);
        break;
    case LAYOUT_PREFIX:
        see_typed(t, base, rest < end ? rest : end, where);
        see_words(rest, end, where);
        break;
    default:
        throw_fmt("gccheckmark: the object at %p has no layout: %lx", (void *)base,
                  (unsigned long)word);
    }
}

static void see_bitmap(const struct span *s, uintptr_t obj, struct place where)
{
    uint64_t mask = pointer_mask(obj, slot_ones(s->elem_size));
    for (; mask != 0; mask &= mask - 1) {
        uintptr_t at = obj + WORD_SIZE * bits_ctz64(mask);
        see(read_word(at), at, where);
    }
}

/* Where an object's pointers are described: gc.h.  LAYOUT_TYPED_FOOTER and LAYOUT_LARGE. */
static uint64_t layout_of(const struct span *s, uintptr_t obj)
{
    if (s->layout == LAYOUT_LARGE) return (uint64_t)(uintptr_t)s->large_type;
    return read_word(obj + s->elem_size - WORD_SIZE);
}

static void see_object(const struct span *s, uintptr_t obj, struct place where)
{
    switch (s->layout) {
    case LAYOUT_NOSCAN:
        break;
    case LAYOUT_BITMAP:
        see_bitmap(s, obj, where);
        break;
    case LAYOUT_TYPED_FOOTER:
        see_by_layout(layout_of(s, obj), obj, obj + s->elem_size - WORD_SIZE, where);
        break;
    case LAYOUT_LARGE:
        /* Not zeroed yet: holds old bytes, and nothing of its own. */
        if (atomic_load_acquire(&s->large_zeroed)) /* pairs with alloc/large.c */
            see_by_layout(layout_of(s, obj), obj, obj + s->large_size, where);
        break;
    default:
        throw_fmt("gccheckmark: a span with layout %u", s->layout);
    }
}

static void drain(void)
{
    while (recheck.head < recheck.tail) {
        uintptr_t obj = recheck.queue[recheck.head++];
        see_object(span_of(obj), obj, in_object);
    }
}

/* ---- roots other than stacks ----------------------------------------------------------------- */

static struct place in_root(enum root_kind k)
{
    return (struct place){ (unsigned)k + 1 };
}

static void see_list(const struct root_list *l, enum root_kind k)
{
    for (uint32_t i = 0; i < l->n; i++)
        see_words(l->a[i].lo, l->a[i].hi, in_root(k));
}

static void see_data(void)
{
    struct root_range r;
    see_list(roots_program(), ROOT_DATA);
    see_list(roots_libraries(), ROOT_LIBRARIES);
    for (size_t i = 0; roots_registered_at(i, &r); i++)
        see_words(r.lo, r.hi, in_root(ROOT_RANGES));
    thread_locals_find_stw();
    for (struct m *m = m_all(); m != NULL; m = m->all_next)
        for (uint32_t i = 0; i < atomic_load_acquire(&m->ntls); i++) /* pairs: thread_locals_read */
            see_words(m->tls[i].lo, m->tls[i].hi, in_root(ROOT_TLS));
}

/* What a finalizable object points to, not itself. */
static void see_special(struct span *s, struct special *sp, void *unused)
{
    (void)unused;
    if (sp->kind != SPECIAL_FINALIZER) return;
    see_object(s, span_slot(s, span_index_of(s, s->base + sp->offset)), in_root(ROOT_SPECIALS));
}

static void emit_as(uintptr_t lo, uintptr_t hi, void *where)
{
    see_words(lo, hi, *(const struct place *)where);
}

static void see_field(void *field)
{
    see(*(uintptr_t *)field, (uintptr_t)field, in_root(ROOT_RECORDS));
}

static void see_g_record(struct g *g)
{
    see_field(&g->arg);
    see_field(&g->wake_param);
    see_field(&g->defers);
    see_field(&g->context);
    see_field(&g->locals);
    see_field(&g->caught);
    for (struct sudog *s = g->waiting; s != NULL; s = s->wait_link) {
        see_field(&s->elem);
        see_field(&s->object);
    }
}

static void each_g(void (*fn)(struct g *g))
{
    for (uint32_t i = 0; i < g_table_size(); i++) {
        struct g *g = g_at(i);
        if (g != NULL && g->status != G_DEAD && !g->no_objects) fn(g);
    }
}

static void see_roots(void)
{
    struct place specials = in_root(ROOT_SPECIALS), records = in_root(ROOT_RECORDS);
    see_data();
    special_each(see_special, NULL);
    specials_each_root(emit_as, &specials);
    roots_each_record(emit_as, &records);
}

/* ---- stacks ---------------------------------------------------------------------------------- */

/* scan.c, Note [One past the end]. */
static void see_ending_at(uintptr_t word, uintptr_t at)
{
    struct span *s;
    uint32_t i;
    uintptr_t obj;
    if (span_find_object(word - 1, &s, &i, &obj) && obj + span_elem_size(s) == word)
        see(word - 1, at, in_root(ROOT_STACKS));
}

static void see_stack_words(uintptr_t lo, uintptr_t hi)
{
    for (uintptr_t p = align_up(lo, WORD_SIZE); p + WORD_SIZE <= hi; p += WORD_SIZE) {
        see(read_word(p), p, in_root(ROOT_STACKS));
        see_ending_at(read_word(p), p);
    }
}

static void see_stack(struct g *g)
{
    struct scan_range r[G_RANGES];
    int n = g_scan_ranges_stw(g, r);
    for (int i = 0; i < n; i++)
        see_stack_words(r[i].lo, r[i].hi);
}

static void see_newborns(void)
{
    struct newborn_view v;
    for (uint32_t i = 0; i < newborns_table_size(); i++)
        if (newborn_read(i, &v)) see_stack_words(v.lo, v.hi);
}

/* ---- the report ------------------------------------------------------------------------------ */

static size_t object_size(const struct span *s)
{
    return span_is_large(s) ? s->large_size : s->elem_size;
}

/* The heap itself knows the types of objects above BITMAP_MAX. */
static struct contents contents_of(const struct span *s, uintptr_t obj)
{
    if (s->layout == LAYOUT_TYPED_FOOTER || s->layout == LAYOUT_LARGE) {
        uint64_t word = layout_of(s, obj);
        return (struct contents){ .type = layout_type(word),
                                  .size = object_size(s),
                                  .repeats = (word & LAYOUT_TAG_MASK) == LAYOUT_REPEAT };
    }
    return heap_contents(obj);
}

static void print_object(struct print *out, uintptr_t obj)
{
    static const char *const layouts[] = { "no pointers", "pointer bitmap", "typed", "large" };
    struct span *s = span_of(obj);
    const struct gort_type *t = contents_of(s, obj).type;
    const char *type = t != NULL ? t->name : NULL;
    print_fmt(out, "object %p of %zu bytes (%s%s%.64s, class %u, slot %u)", (void *)obj,
              object_size(s), layouts[s->layout % 4], type != NULL ? ": " : "",
              type != NULL ? type : "", span_class_size_class(s->span_class),
              span_index_of(s, obj));
}

/* The word of an object that led on. */
static void print_word(struct print *out, uintptr_t at, uintptr_t obj)
{
    const struct span *s = span_of(obj);
    print_fmt(out, "\tfrom word at %p, byte %lu of ", (void *)at, (unsigned long)(at - obj));
    print_object(out, obj);
    (void)fields_print(out, ", field ", contents_of(s, obj), at - obj);
}

static void print_root(struct print *out, uintptr_t at, unsigned kind)
{
    struct g *g = stack_owner(at);
    print_fmt(out, "root of kind %s at %p", root_kind_name((enum root_kind)(kind - 1)), (void *)at);
    if (g != NULL) print_fmt(out, ", goroutine %lu", (unsigned long)g->goid);
    print_fmt(out, "\n");
}

/* Prints the place from which *obj was reached, if it is `shown` or a root.  true: *obj is now the
 * object that it lies in. */
static bool print_step(struct print *out, uintptr_t *obj, bool shown)
{
    uintptr_t from = *from_of(*obj), at = from & ~FROM_KIND;
    unsigned kind = (unsigned)(from & FROM_KIND);
    struct span *s = span_of(at);
    if (s == NULL) {
        print_fmt(out, "\tfrom ");
        print_root(out, at, kind);
        return false;
    }
    *obj = span_slot(s, span_index_of(s, at));
    if (shown || kind != 0) {
        print_word(out, at, *obj);
        print_fmt(out, "%s\n", kind != 0 ? ", which has a finalizer: a root" : "");
    }
    return kind == 0;
}

/* From a missed object up to a root. */
static void print_chain(struct print *out, uintptr_t obj)
{
    for (uint32_t n = 0; print_step(out, &obj, n < CHAIN_SHOWN); n++)
        if (n == CHAIN_SHOWN) print_fmt(out, "\t...\n");
}

static void print_miss(struct print *out, uintptr_t obj, bool whole)
{
    print_fmt(out, "missed: ");
    print_object(out, obj);
    print_fmt(out, "\n");
    if (!whole) {
        (void)print_step(out, &obj, true);
        return;
    }
    print_chain(out, obj);
    if (heap_witness.describe != NULL) heap_witness.describe(out, obj);
}

/* The next object in the queue from i on that is not marked; 0: there is none. */
static uintptr_t next_missed(size_t *i)
{
    while (*i < recheck.tail) {
        uintptr_t obj = recheck.queue[(*i)++];
        struct span *s = span_of(obj);
        if (!span_is_marked(s, span_index_of(s, obj))) return obj;
    }
    return 0;
}

_Noreturn static cold_path void report_misses(uint64_t cycle)
{
    struct print out;
    uintptr_t obj;
    size_t i = 0, n = 0;
    throw_begin();
    print_init(&out, 2);
    print_fmt(&out, "fatal error: collection %lu did not mark %lu reachable object%s\n",
              (unsigned long)cycle, (unsigned long)recheck.missed, recheck.missed == 1 ? "" : "s");
    while ((obj = next_missed(&i)) != 0)
        print_miss(&out, obj, n++ < SHOWN_WHOLE);
    print_flush(&out);
    for (i = n = 0; n < SHOWN_WHOLE && (obj = next_missed(&i)) != 0; n++)
        span_print(span_of(obj));
    throw_finish();
}

/* ---- both passes ----------------------------------------------------------------------------- */

static size_t slots_in_heap(void)
{
    size_t n = 0;
    for (uint32_t i = 0; i < heap_span_count(); i++)
        if (heap_span_at(i)->state == SPAN_IN_USE) n += heap_span_at(i)->nelems;
    return n;
}

static size_t queue_bytes(void)
{
    return align_up((recheck.room + 1) * sizeof recheck.queue[0], os_page_size());
}

static void begin(void)
{
    recheck.head = recheck.tail = 0;
    recheck.room = slots_in_heap();
    recheck.queue = os_mem_map(NULL, queue_bytes());
    if (recheck.queue == NULL) throw_msg("out of memory: gccheckmark has no queue");
}

static void end(void)
{
    os_mem_unmap(recheck.queue, queue_bytes());
    for (size_t i = 0; i < arena_count(); i++) {
        struct arena *a = arena_at(i);
        if (a->check_from != NULL) os_mem_unmap(a->check_from, FROM_BYTES);
        a->check_from = NULL;
    }
}

static void see_frozen(struct g *g)
{
    if (g->status != G_BLOCKING) see_stack(g);
}

static void see_blocking(struct g *g)
{
    if (g->status == G_BLOCKING) see_stack(g);
}

void checkmark_run_stw(uint64_t cycle, bool in_one_stop)
{
    assert_that(world_is_stopped());
    if (checkmark_observer != NULL) checkmark_observer(true);
    for (int i = 0; i < p_count(); i++)
        mcache_publish(p_at(i)->mcache);
    begin();
    recheck.missed = 0;
    see_roots();
    each_g(see_g_record);
    drain();
    if (recheck.missed != 0) report_misses(cycle);
    each_g(see_frozen);
    see_newborns();
    drain();
    if (in_one_stop && recheck.missed != 0) report_misses(cycle);
    each_g(see_blocking);
    drain();
    atomic_fetch_add_relaxed(&gc_debug_counts.gccheckmark, 1);
    atomic_fetch_add_relaxed(&gc_debug_counts.stack_only, recheck.missed);
    end();
    if (checkmark_observer != NULL) checkmark_observer(false);
}

/* ---- for others: what can be reached from some roots ----------------------------------------- */

void reach_begin_stw(void (*other)(uintptr_t word))
{
    assert_that(world_is_stopped());
    for (int i = 0; i < p_count(); i++)
        mcache_publish(p_at(i)->mcache);
    begin();
    recheck.missed = 0;
    recheck.other = other;
    see_roots();
}

void reach_word(uintptr_t word)
{
    see(word, WORD_SIZE, in_object);
}

void reach_words(uintptr_t lo, uintptr_t hi)
{
    see_words(lo, hi, in_object);
}

void reach_goroutine(struct g *g)
{
    see_g_record(g);
    see_stack(g);
}

void reach_all(void)
{
    drain();
}

enum reach reach_object(uintptr_t address)
{
    struct span *s;
    uint32_t i;
    uintptr_t obj;
    if (!span_find_object(address, &s, &i, &obj)) return REACH_NO_OBJECT;
    return *from_of(obj) != 0 ? REACH_REACHED : REACH_NOT;
}

void reach_end(void)
{
    recheck.other = NULL;
    end();
}
