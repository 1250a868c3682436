// A shadow of the heap: random programs on a graph of collected objects, mirrored in malloc's
// memory.
//
// Each mutator is a goroutine with objects of its own, and with pointers to them on its stack
// (`hand`), in the program's data, in registered ranges, in thread-local storage, and in collected
// arrays that all share. It makes objects of many layouts, links, moves and unlinks them; it gives
// parts of its graph to other mutators, through channels, atomic exchanges and goroutines'
// arguments, such that for some time nothing but its stack leads there. For each object it keeps a
// record, the shadow, with the same links. Meanwhile another goroutine collects, over and over.
//
// Whenever a mutator looks at an object, the object must be what its shadow says: not freed,
// nothing overwritten, each pointer where it was put. From time to time all mutators halt, one more
// collection runs, and all is compared:
//   1. what is reachable in the shadow is alive and whole;
//   2. what is not is dead, as its cleanup tells, or is counted as retained: stacks are read
//      conservatively. There must not be much of it, and none for long;
//   3. finalizers run for what is unreachable only, and find what the object points to; arguments
//      of cleanups are alive until these run; weak references get what is reachable and nothing
//      that is dead.
//
// An object is changed by its owner only, so no lock orders mutators, and the shadow is exact all
// the time. Shadows hold addresses as complements, and malloc's memory is no root.
//
// One long file, since all of it is about the same records: what each operation does to an object
// and to its shadow, and the comparison that takes both apart again, are to be read side by side.
//
// SPDX-License-Identifier: BSD-3-Clause
#ifndef GC_SHADOW_H
#define GC_SHADOW_H

#include <gort.h>
#include <stdlib.h>
#include <string.h>

#include "gc_shadow_kinds.h"
#include "test.h"

enum {
    MUTATORS_MAX = 8,
    HANDS = 8,
    ROOTS = 16,
    WEAKS = 64,
    RECORDS_MOST = 3000,
    REACHABLE_MANY = 500
};

typedef void *any;

// ---- the shadow ---------------------------------------------------------------------------------

struct shadow {
    uintptr_t hidden; // the object's address, as complement
    const struct kind *kind;
    shadow *link[SLOTS_MAX];
    shadow *next;          // in its owner's list
    shadow *work;          // in a walk's list
    uint64_t stamp;        // of the last walk that came here
    struct parcel *parcel; // in which it is, while it is given away
    struct ward *ward;     // what hangs on it as a cleanup's argument
    bool told;             // has a cleanup that says when it dies
    bool finalizable;      // links to leaves only
    int weak;              // index in the owner's table, or -1
    unsigned rounds;       // halts at which it was retained
    uint64_t excused;      // last halt at which it need not be dead
    bool dead;             // atomic; its cleanup ran
    bool finalized;        // atomic; its finalizer ran
    bool finalized_seen;
};

// A pointer-free object that only a cleanup's argument leads to.
struct ward {
    uintptr_t hidden;
    bool released; // atomic; the cleanup ran
};

// A closed part of a graph that is given away.
struct parcel {
    struct parcel *next, *prev; // flights
    shadow *root, *all;
};

struct world {
    unsigned id;
    uint64_t random, stamps;
    shadow *all;
    unsigned count;      // of all
    unsigned reachable;  // of them, at the last halt
    shadow *hand[HANDS]; // what the mutator's array of this name holds
    shadow *root[ROOTS];
    void **range;  // registered
    void **locals; // thread-local, or NULL
    shadow *weak[WEAKS];
    uint64_t steps;
};

static struct world worlds[MUTATORS_MAX];
static unsigned nworlds;
static struct parcel flights; // head of a list
static gort_mutex flights_lock;

// Roots; all objects' addresses elsewhere are on stacks or hidden.
static void *globals[MUTATORS_MAX][4];
static __thread void *locals[2];
static any *board;        // untyped array in collected memory
static elem *typed_board; // typed one
static gort_weak **weaks; // handles, WEAKS of each world
static void *swaps[4];    // by which parcels are exchanged
static any *swap_board;   // the same in collected memory
static gort_chan(any) buffered;
static gort_chan(any) unbuffered;

static bool halt_wanted; // atomic
static gort_chan(int) halted;
static gort_chan(int) resume; // sends 1 to go on, 0 to end

static struct {
    uint64_t steps, made, died, finalized, wards, parcels, adopted, checked, weak_hits;
    uint64_t retained, unreachable; // sums over halts
    unsigned longest;               // halts for which something was retained
} totals;                           // the collecting goroutine's, or atomic

#define LOAD(p) __atomic_load_n(p, __ATOMIC_ACQUIRE)
#define STORE(p, v) __atomic_store_n(p, v, __ATOMIC_RELEASE)
#define COUNT(p) __atomic_fetch_add(p, 1, __ATOMIC_RELAXED)

static uint64_t draw(struct world *w, uint64_t below)
{
    return test_random(&w->random) % below;
}

// Nothing that is an address.
static uint64_t canary_of(const shadow *s)
{
    return ((uint64_t)(uintptr_t)s * UINT64_C(0x9e3779b97f4a7c15)) | UINT64_C(1) << 63;
}

static void **slot_of(void *object, const struct kind *k, unsigned i)
{
    return (void **)((char *)object + k->first + i * k->stride);
}

static uint64_t *tail_of(void *object, const struct kind *k)
{
    return (uint64_t *)((char *)object + k->size - sizeof(uint64_t));
}

// The object is s's, and whole.
static void look_at(void *object, const shadow *s)
{
    small *head = object;
    CHECK_PTR_EQ(object, ~s->hidden);
    CHECK(!LOAD(&s->dead));
    CHECK_PTR_EQ(head->of, s);
    CHECK_EQ(head->canary, canary_of(s));
    CHECK_EQ(*tail_of(object, s->kind), canary_of(s));
}

static void look_at_links(void *object, const shadow *s)
{
    for (unsigned i = 0; i < s->kind->nslots; i++) {
        const void *p = *slot_of(object, s->kind, i);
        CHECK_PTR_EQ(p, s->link[i] != NULL ? ~s->link[i]->hidden : 0);
    }
}

// ---- what the collector tells -------------------------------------------------------------------

static void object_died(void *arg)
{
    shadow *s = arg;
    CHECK(!LOAD(&s->dead));
    CHECK(!s->finalizable || LOAD(&s->finalized));
    STORE(&s->dead, true);
    COUNT(&totals.died);
}

static void ward_released(void *arg)
{
    uint64_t *words = arg;
    struct ward *ward = (struct ward *)words[0];
    CHECK_EQ(words[1], ~words[0]);
    CHECK_PTR_EQ(arg, ~ward->hidden);
    CHECK(!LOAD(&ward->released));
    STORE(&ward->released, true);
    COUNT(&totals.wards);
}

static void object_final(void *object)
{
    small *head = object;
    shadow *s = head->of;
    CHECK_EQ(head->canary, canary_of(s));
    look_at(object, s);
    look_at_links(object, s);
    for (unsigned i = 0; i < s->kind->nslots; i++)
        if (s->link[i] != NULL) look_at(*slot_of(object, s->kind, i), s->link[i]);
    CHECK(!LOAD(&s->finalized));
    STORE(&s->finalized, true);
    COUNT(&totals.finalized);
}

// ---- walks through the shadow -------------------------------------------------------------------

struct walk {
    uint64_t stamp;
    shadow *work;
};

static struct walk walk_begin(struct world *w)
{
    return (struct walk){ ++w->stamps << 8 | w->id, NULL };
}

static void walk_to(struct walk *k, shadow *s)
{
    if (s == NULL || s->stamp == k->stamp) return;
    s->stamp = k->stamp;
    s->work = k->work;
    k->work = s;
}

static void walk_on(struct walk *k)
{
    while (k->work != NULL) {
        shadow *s = k->work;
        k->work = s->work;
        for (unsigned i = 0; i < s->kind->nslots; i++)
            walk_to(k, s->link[i]);
    }
}

static void walk_world(struct walk *k, struct world *w)
{
    for (int i = 0; i < HANDS; i++)
        walk_to(k, w->hand[i]);
    for (int i = 0; i < ROOTS; i++)
        walk_to(k, w->root[i]);
    walk_on(k);
}

static bool reached(const struct walk *k, const shadow *s)
{
    return s->stamp == k->stamp;
}

// ---- steps of a mutator -------------------------------------------------------------------------

static void **root_slot(struct world *w, unsigned i)
{
    unsigned j = i % 4;
    switch (i / 4) {
    case 0:
        return &globals[w->id][j];
    case 1:
        return &w->range[j];
    case 2:
        return &board[w->id * 4 + j];
    default:
        if (j < 2 && w->locals != NULL) return &w->locals[j];
        return &typed_board[w->id * 4 + j].p;
    }
}

static void set_root(struct world *w, unsigned i, void *object, shadow *s)
{
    gort_set(root_slot(w, i), object);
    w->root[i] = s;
}

static void *get_root(struct world *w, unsigned i)
{
    void *p = *root_slot(w, i);
    CHECK_PTR_EQ(p, w->root[i] != NULL ? ~w->root[i]->hidden : 0);
    return p;
}

static void set_link(void *object, shadow *s, unsigned i, void *to, shadow *t)
{
    if (s->finalizable && t != NULL && t->kind->nslots != 0) return;
    gort_set(slot_of(object, s->kind, i), to);
    s->link[i] = t;
}

static void *get_link(void *object, const shadow *s, unsigned i)
{
    void *p = *slot_of(object, s->kind, i);
    CHECK_PTR_EQ(p, s->link[i] != NULL ? ~s->link[i]->hidden : 0);
    return p;
}

static unsigned draw_kind(struct world *w, bool leaf)
{
    unsigned sum = 0, k = leaf ? LEAVES : 0;
    for (unsigned i = k; i < KINDS; i++)
        sum += kinds[i].weight;
    unsigned at = (unsigned)draw(w, sum);
    for (; at >= kinds[k].weight; k++)
        at -= kinds[k].weight;
    return k;
}

static void *make_object(struct world *w, unsigned k, shadow **out)
{
    shadow *s = calloc(1, sizeof *s);
    small *head = kinds[k].make();
    s->hidden = ~(uintptr_t)head;
    s->kind = &kinds[k];
    s->weak = -1;
    head->of = s;
    head->canary = canary_of(s);
    *tail_of(head, s->kind) = canary_of(s);
    s->next = w->all;
    w->all = s;
    w->count++;
    COUNT(&totals.made);
    *out = s;
    return head;
}

static void add_weak(struct world *w, void *object, shadow *s)
{
    unsigned i = (unsigned)draw(w, WEAKS);
    if (w->weak[i] != NULL || s->weak >= 0) return;
    gort_set(&weaks[w->id * WEAKS + i], gort_weak_make(object));
    w->weak[i] = s;
    s->weak = (int)i;
}

static void add_ward(void *object, shadow *s)
{
    uint64_t *words = gort_alloc_noscan(64);
    s->ward = calloc(1, sizeof *s->ward);
    s->ward->hidden = ~(uintptr_t)words;
    words[0] = (uint64_t)s->ward;
    words[1] = ~words[0];
    gort_add_cleanup(object, ward_released, words);
}

static void *make_any(struct world *w, shadow **out)
{
    void *object = make_object(w, draw_kind(w, draw(w, 8) == 0), out);
    shadow *s = *out;
    if (draw(w, 4) != 0) {
        s->told = true;
        gort_add_cleanup(object, object_died, s);
    }
    if (draw(w, 12) == 0) {
        s->finalizable = true;
        gort_set_finalizer(object, object_final);
    }
    if (s->told && draw(w, 10) == 0) add_ward(object, s);
    if (draw(w, 6) == 0) add_weak(w, object, s);
    return object;
}

// Nothing but the link leads to the new object.
static void make_below(struct world *w, void *object, shadow *s, unsigned i)
{
    shadow *t;
    void *p = make_any(w, &t);
    set_link(object, s, i, p, t);
}

// A slot of s, rather an empty one, so that the graph grows.
static unsigned draw_slot(struct world *w, const shadow *s)
{
    unsigned i = (unsigned)draw(w, s->kind->nslots);
    for (unsigned tries = 0; tries < 3 && s->link[i] != NULL; tries++)
        i = (unsigned)draw(w, s->kind->nslots);
    return i;
}

static bool has_row(const shadow *s)
{
    return s->kind->nslots > 1 && s->kind->stride == sizeof(any);
}

// Slots of one object over those of another, or of the same.
static void copy_row(struct world *w, void *a, shadow *sa, void *b, shadow *sb)
{
    unsigned na = sa->kind->nslots, nb = sb->kind->nslots;
    unsigned to = (unsigned)draw(w, na), from = (unsigned)draw(w, nb);
    unsigned n = 1 + (unsigned)draw(w, na - to < nb - from ? na - to : nb - from);
    gort_copy(any, slot_of(a, sa->kind, to), slot_of(b, sb->kind, from), n);
    memmove(sa->link + to, sb->link + from, n * sizeof sa->link[0]);
}

// The same for arrays of structures.
static void copy_elems(struct world *w, elem *a, shadow *sa, elem *b, shadow *sb)
{
    unsigned from = (unsigned)draw(w, 8), to = (unsigned)draw(w, 8);
    unsigned n = 1 + (unsigned)draw(w, 8 - (from > to ? from : to));
    gort_copy(elem, a + 1 + to, b + 1 + from, n);
    memmove(sa->link + to, sb->link + from, n * sizeof sa->link[0]);
}

static void copy_links(struct world *w, void *a, shadow *sa, void *b, shadow *sb)
{
    bool elems = sa->kind == &kinds[ELEMS_FIRST];
    if (sa->finalizable) return;
    if (sb == NULL || (elems ? sb->kind != sa->kind : !has_row(sb))) {
        b = a;
        sb = sa;
    }
    if (elems)
        copy_elems(w, a, sa, b, sb);
    else if (has_row(sa))
        copy_row(w, a, sa, b, sb);
}

static void clear_links(struct world *w, void *a, shadow *s)
{
    unsigned at = (unsigned)draw(w, s->kind->nslots);
    unsigned n = 1 + (unsigned)draw(w, s->kind->nslots - at);
    if (s->kind == &kinds[ELEMS_FIRST])
        gort_clear(elem, (elem *)a + 1 + at, n);
    else if (has_row(s))
        gort_clear(any, slot_of(a, s->kind, at), n);
    else
        return;
    memset(s->link + at, 0, n * sizeof s->link[0]);
}

static void swap_links(struct world *w, void *a, shadow *sa, void *b, shadow *sb)
{
    if (sa->kind->nslots == 0 || sb->kind->nslots == 0 || sa->finalizable || sb->finalizable)
        return;
    unsigned i = (unsigned)draw(w, sa->kind->nslots), j = (unsigned)draw(w, sb->kind->nslots);
    void *p = get_link(a, sa, i), *q = get_link(b, sb, j);
    shadow *sp = sa->link[i], *sq = sb->link[j];
    set_link(a, sa, i, q, sq);
    set_link(b, sb, j, p, sp);
}

static void *exchange_link(struct world *w, void *a, shadow *sa, void *b, shadow **sb)
{
    if (sa->kind->nslots == 0 || sa->finalizable) return b;
    unsigned i = (unsigned)draw(w, sa->kind->nslots);
    shadow *was = sa->link[i];
    void **slot = slot_of(a, sa->kind, i), *p;
    if (draw(w, 2) == 0) {
        p = gort_exchange(slot, b);
    } else {
        p = was != NULL ? (void *)~was->hidden : NULL;
        CHECK(gort_compare_exchange(slot, &p, b));
    }
    CHECK_PTR_EQ(p, was != NULL ? ~was->hidden : 0);
    sa->link[i] = *sb;
    *sb = was;
    return p;
}

// NULL: there is none, or nothing is to be had from it.
static void *get_weak(struct world *w, shadow **out)
{
    unsigned i = (unsigned)draw(w, WEAKS);
    shadow *s = w->weak[i];
    *out = NULL;
    if (s == NULL) return NULL;
    struct walk k = walk_begin(w);
    walk_world(&k, w);
    void *p = gort_weak_get(weaks[w->id * WEAKS + i]);
    if (!reached(&k, s)) return NULL; // perhaps alive, but its links may not be what they were
    look_at(p, s);
    COUNT(&totals.weak_hits);
    *out = s;
    return p;
}

// ---- giving away --------------------------------------------------------------------------------

// Of what is in the parcel, w's roots and hands lose what they hold.
static void cut_roots(struct world *w, const struct parcel *p)
{
    for (int i = 0; i < HANDS; i++)
        if (w->hand[i] != NULL && w->hand[i]->parcel == p) w->hand[i] = NULL;
    for (unsigned i = 0; i < ROOTS; i++)
        if (w->root[i] != NULL && w->root[i]->parcel == p) set_root(w, i, NULL, NULL);
}

// The same for the links of s. What is unreachable is not touched; a finalizer will look at its
// links.
static void cut_links(shadow *s, const struct parcel *p, bool lives)
{
    for (unsigned i = 0; i < s->kind->nslots; i++) {
        if (s->link[i] == NULL || s->link[i]->parcel != p) continue;
        if (lives)
            set_link((void *)~s->hidden, s, i, NULL, NULL);
        else if (!s->finalizable)
            s->link[i] = NULL;
    }
}

// The handle stays behind.
static void drop_weak(struct world *w, shadow *s)
{
    if (s->weak < 0) return;
    gort_set(&weaks[w->id * WEAKS + (unsigned)s->weak], NULL);
    w->weak[s->weak] = NULL;
    s->weak = -1;
}

static void move_to_parcel(struct world *w, const struct walk *below, struct parcel *p)
{
    for (shadow **at = &w->all, *s; (s = *at) != NULL;) {
        if (!reached(below, s)) {
            at = &s->next;
            continue;
        }
        *at = s->next;
        w->count--;
        s->next = p->all;
        s->parcel = p;
        p->all = s;
        drop_weak(w, s);
    }
}

// Takes all that root leads to out of w. Then nothing leads there but the callers' stacks.
static struct parcel *pack(struct world *w, shadow *root)
{
    struct parcel *p = calloc(1, sizeof *p);
    p->root = root;
    struct walk below = walk_begin(w);
    walk_to(&below, root);
    walk_on(&below);
    move_to_parcel(w, &below, p);
    cut_roots(w, p);
    struct walk alive = walk_begin(w);
    walk_world(&alive, w);
    for (shadow *s = w->all; s != NULL; s = s->next)
        cut_links(s, p, reached(&alive, s));
    return p;
}

static void fly(struct parcel *p)
{
    gort_mutex_lock(&flights_lock);
    p->next = flights.next;
    p->prev = &flights;
    p->next->prev = p->prev->next = p;
    gort_mutex_unlock(&flights_lock);
    COUNT(&totals.parcels);
}

static void land(struct parcel *p)
{
    gort_mutex_lock(&flights_lock);
    p->next->prev = p->prev;
    p->prev->next = p->next;
    gort_mutex_unlock(&flights_lock);
}

static shadow *adopt(struct world *w, void *object)
{
    small *head = object;
    shadow *s = head->of;
    CHECK_EQ(head->canary, canary_of(s));
    look_at(object, s);
    struct parcel *p = s->parcel;
    CHECK(p != NULL && p->root == s);
    land(p);
    while (p->all != NULL) {
        shadow *t = p->all;
        p->all = t->next;
        t->next = w->all;
        t->parcel = NULL;
        w->all = t;
        w->count++;
    }
    free(p);
    COUNT(&totals.adopted);
    return s;
}

static void courier(void *object)
{
    gort_yield();
    gort_send(unbuffered, object);
}

// Gives the object away; returns what comes back for it, or NULL.
static void *give(struct world *w, void *object, shadow *s)
{
    fly(pack(w, s));
    unsigned i = (unsigned)draw(w, 4);
    switch (draw(w, 4)) {
    case 0:
        return gort_exchange(&swaps[i], object);
    case 1:
        return gort_exchange(&swap_board[i], object);
    case 2:
        gort_go(courier, object);
        if (draw(w, 8) == 0) gort_gc(); // before it has begun, perhaps
        return NULL;
    default:
        return gort_try_send(buffered, object) ? NULL : object;
    }
}

static void *take(struct world *w)
{
    any p = NULL;
    if (draw(w, 2) == 0)
        gort_try_recv(buffered, &p);
    else
        gort_try_recv(unbuffered, &p);
    return p;
}

// ---- the mutator --------------------------------------------------------------------------------

enum step {
    MAKE,
    MAKE_BELOW,
    LINK,
    WALK,
    TAKE,
    UNLINK,
    SWAP,
    EXCHANGE,
    TO_ROOT,
    FROM_ROOT,
    OFF_ROOT,
    DROP,
    COPY,
    CLEAR,
    GIVE,
    RECEIVE,
    WEAK,
    GARBAGE,
    YIELD,
    STEPS
};
// How often. More is made and linked than unlinked, else the graph would be a few objects.
static const unsigned char step_weight[STEPS] = {
    [MAKE] = 3,     [MAKE_BELOW] = 30, [LINK] = 20,    [WALK] = 30,   [TAKE] = 8,
    [UNLINK] = 2,   [SWAP] = 10,       [EXCHANGE] = 6, [TO_ROOT] = 4, [FROM_ROOT] = 14,
    [OFF_ROOT] = 2, [DROP] = 1,        [COPY] = 8,     [CLEAR] = 1,   [GIVE] = 1,
    [RECEIVE] = 3,  [WEAK] = 4,        [GARBAGE] = 4,  [YIELD] = 4,
};

static enum step draw_step(struct world *w)
{
    static unsigned sum; // the same for all who compute it
    unsigned total = __atomic_load_n(&sum, __ATOMIC_RELAXED);
    if (total == 0) {
        for (int i = 0; i < STEPS; i++)
            total += step_weight[i];
        __atomic_store_n(&sum, total, __ATOMIC_RELAXED);
    }
    unsigned at = (unsigned)draw(w, total), k = 0;
    for (; at >= step_weight[k]; k++)
        at -= step_weight[k];
    return (enum step)k;
}

static bool halt(void)
{
    int on = 0;
    gort_send(halted, 1);
    gort_recv(resume, &on);
    return on == 1;
}

// What hand[] holds is stored there only, in a local variable whose address nobody has.
static void mutate(void *arg)
{
    struct world *w = arg;
    void *hand[HANDS] = { NULL };
    if (w->id == 0) {
        gort_lock_thread();
        w->locals = locals;
    }
    for (;;) {
        if (LOAD(&halt_wanted) && !halt()) break;
        unsigned a = (unsigned)draw(w, HANDS), b = (unsigned)draw(w, HANDS);
        unsigned r = (unsigned)draw(w, ROOTS);
        shadow *sa = w->hand[a], *sb = w->hand[b];
        enum step step = draw_step(w);
        w->steps++;
        if (w->reachable > REACHABLE_MANY && step == MAKE_BELOW) step = UNLINK;
        if (w->count > RECORDS_MOST) { // most of it garbage, which goes at the next halt
            gort_yield();
            if (step == MAKE || step == MAKE_BELOW) step = YIELD;
        }
        if (sa != NULL) look_at(hand[a], sa);
        bool has = sa != NULL && sa->kind->nslots != 0;
        bool grows = step == MAKE_BELOW || step == LINK;
        unsigned i = !has ? 0 : grows ? draw_slot(w, sa) : (unsigned)draw(w, sa->kind->nslots);
        switch (step) {
        case MAKE_BELOW:
        case MAKE:
            if (step == MAKE_BELOW && has && draw(w, 4) != 0) {
                make_below(w, hand[a], sa, i);
                break;
            }
            hand[b] = make_any(w, &w->hand[b]);
            sb = w->hand[b];
            if (has && a != b) set_link(hand[a], sa, i, hand[b], sb);
            break;
        case LINK:
            if (has && sb != NULL) set_link(hand[a], sa, i, hand[b], sb);
            break;
        case WALK:
        case TAKE:
            if (!has || sa->link[i] == NULL) break;
            if (sa->link[i]->kind->nslots == 0 && draw(w, 4) != 0) break; // there is no way on
            hand[b] = get_link(hand[a], sa, i);
            w->hand[b] = sa->link[i];
            // Now nothing but hand[b] may lead there.
            if (step == TAKE) set_link((void *)~sa->hidden, sa, i, NULL, NULL);
            break;
        case UNLINK:
            if (has) set_link(hand[a], sa, i, NULL, NULL);
            break;
        case SWAP:
            if (has && sb != NULL) swap_links(w, hand[a], sa, hand[b], sb);
            break;
        case EXCHANGE:
            if (has) {
                hand[b] = exchange_link(w, hand[a], sa, hand[b], &sb);
                w->hand[b] = sb;
            }
            break;
        case TO_ROOT:
            if (has && (w->root[r] == NULL || draw(w, 8) == 0)) set_root(w, r, hand[a], sa);
            break;
        case FROM_ROOT:
        case OFF_ROOT:
            if (w->root[r] == NULL || (step == OFF_ROOT && draw(w, 8) != 0)) break;
            hand[a] = get_root(w, r);
            w->hand[a] = w->root[r];
            if (step == OFF_ROOT) set_root(w, r, NULL, NULL);
            break;
        case DROP:
            hand[a] = NULL;
            w->hand[a] = NULL;
            break;
        case COPY:
            if (has) copy_links(w, hand[a], sa, hand[b], sb);
            break;
        case CLEAR:
            if (has) clear_links(w, hand[a], sa);
            break;
        case GIVE:
            if (sa == NULL || draw(w, 8) != 0) break;
            hand[a] = give(w, hand[a], sa);
            for (int h = 0; h < HANDS; h++)
                if (h != (int)a && w->hand[h] == NULL) hand[h] = NULL;
            if (hand[a] != NULL) w->hand[a] = adopt(w, hand[a]);
            break;
        case RECEIVE:
            hand[a] = take(w);
            w->hand[a] = NULL;
            if (hand[a] != NULL) w->hand[a] = adopt(w, hand[a]);
            break;
        case WEAK:
            hand[a] = get_weak(w, &w->hand[a]);
            break;
        case GARBAGE:
            gort_alloc(16 + draw(w, 2000));
            break;
        case YIELD:
            if (draw(w, 4) == 0) gort_yield();
            break;
        case STEPS:
            break;
        }
    }
    for (unsigned i = 0; i < ROOTS; i++)
        set_root(w, i, NULL, NULL);
    memset(w->hand, 0, sizeof w->hand);
    gort_send(halted, 1);
}

// ---- the comparison -----------------------------------------------------------------------------

static double metric(const char *name)
{
    double v = -1;
    CHECK_EQ(gort_metric_read(name, &v), 0);
    return v;
}

// Cleanups and finalizers that are due have run. Those that ran are read first.
static void wait_for_runners(void)
{
    for (;;) {
        double run = metric("/gc/cleanups/executed:cleanups");
        double final = metric("/gc/finalizers/executed:finalizers");
        if (run == metric("/gc/cleanups/queued:cleanups") &&
            final == metric("/gc/finalizers/queued:finalizers"))
            return;
        gort_sleep(20 * GORT_US);
    }
}

// A finalizer kept the object, and what it points to, for this collection.
static void excuse(shadow *s, uint64_t number)
{
    if (!s->finalizable || s->finalized_seen) return;
    for (unsigned i = 0; i < s->kind->nslots; i++)
        if (s->link[i] != NULL) s->link[i]->excused = number;
    s->finalized_seen = s->finalized;
    if (s->finalized) s->excused = number;
}

static bool known_dead(const shadow *s)
{
    if (s->told) return s->dead;
    return !s->finalizable || s->finalized;
}

__attribute__((noinline)) static void verify(const struct world *w, shadow *s)
{
    void *object = (void *)~s->hidden;
    CHECK(!s->dead);
    CHECK(!s->finalized);
    CHECK(s->ward == NULL || !s->ward->released);
    look_at(object, s);
    look_at_links(object, s);
    if (s->weak >= 0) CHECK_PTR_EQ(gort_weak_get(weaks[w->id * WEAKS + (unsigned)s->weak]), object);
    totals.checked++;
}

static void forget(struct world *w, shadow *s)
{
    if (s->weak >= 0 && s->dead)
        CHECK(gort_weak_get(weaks[w->id * WEAKS + (unsigned)s->weak]) == NULL);
    if (s->ward != NULL) CHECK(s->ward->released);
    drop_weak(w, s);
    w->count--;
    free(s->ward);
    free(s);
}

static void retained(shadow *s)
{
    totals.retained++;
    if (++s->rounds > totals.longest) totals.longest = s->rounds;
}

// Objects of one list: those that k has not reached go, if they are dead.
static void settle(struct world *w, shadow **list, const struct walk *k, uint64_t number)
{
    w->reachable = 0;
    for (shadow **at = list, *s; (s = *at) != NULL;) {
        if (reached(k, s)) {
            verify(w, s);
            w->reachable++;
            at = &s->next;
            continue;
        }
        totals.unreachable++;
        bool excused = s->excused == number && !(s->told && s->dead);
        if (!excused && known_dead(s)) {
            *at = s->next;
            forget(w, s);
            continue;
        }
        if (!excused) retained(s);
        at = &s->next;
    }
}

static void excuse_list(shadow *s, const struct walk *k, uint64_t number)
{
    for (; s != NULL; s = s->next)
        if (!reached(k, s)) excuse(s, number);
}

// Nobody follows the links of what is unreachable any more, but finalizers.
static void unlink_list(shadow *s, const struct walk *k)
{
    for (; s != NULL; s = s->next)
        if (!reached(k, s) && (!s->finalizable || s->finalized)) memset(s->link, 0, sizeof s->link);
}

static void each_list(void (*fn)(shadow *s, const struct walk *k), const struct walk *k)
{
    for (unsigned i = 0; i < nworlds; i++)
        fn(worlds[i].all, k);
}

// All mutators have halted, and a collection has run since.
__attribute__((noinline)) static void compare(uint64_t number)
{
    static struct world nobody = { .id = 255 };
    struct walk k = walk_begin(&nobody);
    for (unsigned i = 0; i < nworlds; i++)
        walk_world(&k, &worlds[i]);
    gort_mutex_lock(&flights_lock);
    for (struct parcel *p = flights.next; p != &flights; p = p->next)
        walk_to(&k, p->root);
    walk_on(&k);
    for (unsigned i = 0; i < nworlds; i++)
        excuse_list(worlds[i].all, &k, number);
    each_list(unlink_list, &k);
    for (unsigned i = 0; i < nworlds; i++)
        settle(&worlds[i], &worlds[i].all, &k, number);
    for (struct parcel *p = flights.next; p != &flights; p = p->next)
        settle(&nobody, &p->all, &k, number); // reachable, all of it
    gort_mutex_unlock(&flights_lock);
}

// ---- a run --------------------------------------------------------------------------------------

// Overwrites what dead frames left on the stack.
__attribute__((noinline)) static void scrub(void)
{
    volatile uintptr_t words[512];
    for (unsigned i = 0; i < 512; i++)
        words[i] = 0;
    __asm__ volatile("" : : "r"(&words) : "memory");
}

__attribute__((noinline)) static void collect_and_compare(uint64_t number)
{
    scrub();
    gort_gc();
    wait_for_runners();
    compare(number);
}

static void all_halt(void)
{
    STORE(&halt_wanted, true);
    for (unsigned i = 0; i < nworlds; i++)
        gort_recv(halted, NULL);
}

static void all_resume(int on)
{
    STORE(&halt_wanted, false);
    for (unsigned i = 0; i < nworlds; i++)
        gort_send(resume, on);
}

static void begin_world(struct world *w, unsigned id, uint64_t seed)
{
    void **range = w->range;
    memset(w, 0, sizeof *w);
    w->id = id;
    w->random = seed * 1000 + id;
    w->range = range;
    if (range == NULL) {
        w->range = calloc(4, sizeof *w->range);
        gort_root_add(w->range, 4 * sizeof *w->range);
    }
}

static void begin(unsigned n, uint64_t seed)
{
    nworlds = n;
    memset(&totals, 0, sizeof totals);
    flights.next = flights.prev = &flights;
    gort_set(&board, (any *)gort_alloc(MUTATORS_MAX * 4 * sizeof(any)));
    gort_set(&typed_board, gort_new_array(elem, MUTATORS_MAX * 4));
    gort_set(&weaks, (gort_weak **)gort_alloc(MUTATORS_MAX * WEAKS * sizeof(gort_weak *)));
    gort_set(&swap_board, (any *)gort_alloc(4 * sizeof(any)));
    gort_set(&buffered, gort_chan_make(any, 16));
    gort_set(&unbuffered, gort_chan_make(any, 0));
    gort_set(&halted, gort_chan_make(int, 0));
    gort_set(&resume, gort_chan_make(int, 0));
    for (unsigned i = 0; i < n; i++) {
        begin_world(&worlds[i], i, seed);
        gort_go(mutate, &worlds[i]);
    }
}

// Parcels that nobody took; the mutators have ended, so flights gets no more.
__attribute__((noinline)) static void land_all(struct world *w)
{
    for (unsigned i = 0; i < 4; i++) {
        void *p = gort_exchange(&swaps[i], NULL), *q = gort_exchange(&swap_board[i], NULL);
        if (p != NULL) adopt(w, p);
        if (q != NULL) adopt(w, q);
    }
    while (flights.next != &flights) {
        void *p = take(w);
        if (p != NULL) adopt(w, p);
        gort_yield();
    }
}

static void final_nothing(void *object)
{
    (void)object;
}

// New frames on the stacks of those who run finalizers and cleanups.
__attribute__((noinline)) static void occupy_runners(void)
{
    any *p = gort_alloc(64);
    gort_set_finalizer(p, final_nothing);
    gort_add_cleanup(gort_alloc(64), final_nothing, NULL);
}

// Everything goes. Returns how much does not: a stale word goes too, sooner or later.
static uint64_t end(void)
{
    uint64_t number = UINT64_MAX / 2, left = 1;
    for (unsigned i = 0; i < nworlds; i++)
        gort_recv(halted, NULL);
    land_all(&worlds[0]);
    for (int round = 0; round < 40 && left != 0; round++) {
        left = 0;
        occupy_runners();
        collect_and_compare(number++);
        for (unsigned i = 0; i < nworlds; i++)
            left += worlds[i].count;
    }
    return left;
}

// What stacks may retain: for each mutator at a halt, on average, beside what one word does in a
// short run, which may be all of a graph; and when everything has gone.
enum { RETAINED_EACH = 12, RETAINED_ONCE = 2000, LEFT_MOST = 16, LEFT_ONCE = 400 };

struct shadow_run {
    unsigned mutators;
    unsigned beside; // collections beside the mutators, for each when they halt
    uint64_t cycles;
};

static void run_shadow(const struct shadow_run *r, uint64_t seed)
{
    uint64_t cycles = 0, halts = 0, steps = 0;
    test_seed_used = seed;
    begin(r->mutators, seed);
    for (uint64_t number = 1; cycles < r->cycles; number++) {
        for (unsigned i = 0; i < r->beside; i++)
            gort_gc();
        gort_sleep((int64_t)(seed * number % 4) * 100 * GORT_US);
        all_halt();
        collect_and_compare(number);
        cycles += r->beside + 1;
        halts++;
        all_resume(cycles < r->cycles);
    }
    uint64_t left = end(), largest = 0;
    for (unsigned i = 0; i < r->mutators; i++)
        largest = worlds[i].count > largest ? worlds[i].count : largest;
    CHECK_LE(left - largest, LEFT_MOST); // one stale word may hold what is left of one graph
    CHECK_LE(largest, LEFT_ONCE);
    CHECK_LE(totals.retained, RETAINED_ONCE + halts * r->mutators * RETAINED_EACH);
    for (unsigned i = 0; i < r->mutators; i++)
        steps += worlds[i].steps;
    if (getenv("SHADOW_VERBOSE") != NULL)
        printf(
            "seed %lu: %u mutators, %lu cycles, %lu steps, %lu made, %lu died, %lu final, %lu wards, "
            "%lu parcels, %lu checked, %lu weak, %lu unreachable, %lu retained, longest %u, left %lu, stack only %.0f\n",
            seed, r->mutators, cycles, steps, totals.made, totals.died, totals.finalized,
            totals.wards, totals.parcels, totals.checked, totals.weak_hits, totals.unreachable,
            totals.retained, totals.longest, left,
            metric("/gort/gc/debug/gccheckmark-stack-only:objects"));
}

#endif
