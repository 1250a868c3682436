// Objects of all sizes and layouts, made, linked, copied and dropped at random by several
// goroutines, each checking a model of what must be alive; large ones, finalizers and roots among
// them.
// SPDX-License-Identifier: BSD-3-Clause
#include <gort.h>

#include "../test.h"

// An object starts with its own size and a seed; the rest is derived from it, but for one pointer.
typedef struct thing {
    struct thing *next;
    uint64_t seed;
    size_t size;
    uint64_t bytes[];
} thing;
GORT_TYPE(thing, next);

enum { GOROUTINES = 8, SLOTS = 200 };
static gort_waitgroup group;
static uint64_t finalized, finalizers_set, checked; // atomic

static size_t random_words(uint64_t *rnd)
{
    uint64_t r = test_random(rnd);
    switch (r % 16) {
    case 0:
        return (r >> 8) % 40000;
    case 1:
    case 2:
        return (r >> 8) % 4200;
    case 3:
    case 4:
    case 5:
        return (r >> 8) % 200;
    default:
        return (r >> 8) % 20;
    }
}

static void thing_died(void *p)
{
    thing *t = p;
    CHECK_NE(t->seed, 0);
    __atomic_fetch_add(&finalized, 1, __ATOMIC_RELAXED);
}

static thing *thing_new(uint64_t *rnd)
{
    size_t words = random_words(rnd);
    thing *t = gort_new_flex(thing, bytes, words);
    CHECK(t->next == NULL && t->seed == 0 && t->size == 0);
    t->seed = test_random(rnd) | 1;
    t->size = words;
    for (size_t i = 0; i < words; i++) {
        CHECK_EQ(t->bytes[i], 0);
        t->bytes[i] = t->seed * (i + 1);
    }
    if (words % 32 == 7) {
        gort_set_finalizer(t, thing_died);
        __atomic_fetch_add(&finalizers_set, 1, __ATOMIC_RELAXED);
    }
    return t;
}

static void thing_check(const thing *t, uint64_t seed)
{
    for (; t != NULL; t = t->next) {
        CHECK_NE(t->seed, 0);
        if (seed != 0) CHECK_EQ(t->seed, seed);
        size_t step = t->size > 64 ? t->size / 16 : 1;
        for (size_t i = 0; i < t->size; i += step)
            CHECK_EQ(t->bytes[i], t->seed * (i + 1));
        seed = 0;
        __atomic_fetch_add(&checked, 1, __ATOMIC_RELAXED);
    }
}

struct state {
    thing **slot; // collected: SLOTS pointers
    uint64_t *seed;
    thing **mapped; // not collected, a registered root
    uint64_t rnd;
};

static size_t chain_length(const thing *t)
{
    size_t n = 0;
    for (; t != NULL && n < 20; t = t->next)
        n++;
    return n;
}

static void step(struct state *s)
{
    uint64_t r = test_random(&s->rnd);
    size_t i = r % SLOTS, j = (r >> 16) % SLOTS;
    switch ((r >> 32) % 8) {
    case 0: // replace
    case 1:
    case 2: {
        thing *t = thing_new(&s->rnd);
        gort_set(&s->slot[i], t);
        s->seed[i] = t->seed;
        break;
    }
    case 3: // put in front of a chain
        if (chain_length(s->slot[i]) < 15) {
            thing *t = thing_new(&s->rnd);
            gort_set(&t->next, s->slot[i]);
            gort_set(&s->slot[i], t);
            s->seed[i] = t->seed;
        }
        break;
    case 4: // drop
        gort_set(&s->slot[i], (thing *)NULL);
        s->seed[i] = 0;
        break;
    case 5: // exchange, some of them by way of memory that is not collected
        s->mapped[i] = s->slot[i];
        gort_set(&s->slot[i], s->slot[j]);
        gort_set(&s->slot[j], s->mapped[i]);
        uint64_t seed = s->seed[i];
        s->seed[i] = s->seed[j];
        s->seed[j] = seed;
        break;
    case 6: // move everything
        if (r % 16 == 0) {
            thing **slot = (thing **)gort_alloc(SLOTS * sizeof *slot);
            typedef thing *thing_pointer;
            gort_copy(thing_pointer, slot, s->slot, SLOTS);
            gort_clear(thing_pointer, s->slot, SLOTS);
            s->slot = slot;
        }
        break;
    default:
        thing_check(s->slot[i], s->seed[i]);
    }
}

static void goroutine(void *arg)
{
    struct state s = { .rnd = test_seed() + 77 * (uint64_t)(uintptr_t)arg };
    s.slot = (thing **)gort_alloc(SLOTS * sizeof *s.slot);
    s.seed = gort_new_array(uint64_t, SLOTS);
    s.mapped = calloc(SLOTS, sizeof *s.mapped);
    gort_root_add(s.mapped, SLOTS * sizeof *s.mapped);
    for (int64_t i = 0; i < test_count(30000); i++) {
        step(&s);
        if (i % 1000 == 0) gort_yield();
        if (i % 10000 == 0) gort_gc();
    }
    for (int i = 0; i < SLOTS; i++)
        thing_check(s.slot[i], s.seed[i]);
    gort_root_remove(s.mapped);
    free(s.mapped);
    gort_waitgroup_done(&group);
}

static int gort_main(int argc, char **argv)
{
    (void)argc;
    (void)argv;
    gort_waitgroup_add(&group, GOROUTINES);
    for (uintptr_t i = 0; i < GOROUTINES; i++)
        gort_go(goroutine, (void *)i);
    gort_waitgroup_wait(&group);
    while (__atomic_load_n(&finalized, __ATOMIC_RELAXED) * 10 < finalizers_set * 9) {
        gort_gc(); // chains are finalized one link per cycle
        gort_sleep(GORT_MS);
    }
    for (int i = 0; i < 40; i++)
        gort_gc();
    CHECK_GT(checked, 0);
    CHECK_LE(__atomic_load_n(&finalized, __ATOMIC_RELAXED), finalizers_set);
    return 0;
}

int main(int argc, char **argv)
{
    return gort_run(gort_main, argc, argv);
}
