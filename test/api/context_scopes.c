// Scopes, goroutine-local values and pools.
//
// TEST notmodes=determ
// TEST timeout=120
// SPDX-License-Identifier: BSD-3-Clause
#include <errno.h>

#include "context_util.h"

// ---- scopes -------------------------------------------------------------------------------------

static int add_and_return(void *arg)
{
    ADD((int64_t *)arg, 1);
    return 0;
}

static void a_scope_waits(void)
{
    int64_t n = 0;
    gort_scope *s = gort_scope_make(NULL);
    for (int i = 0; i < 100; i++)
        gort_scope_go(s, add_and_return, &n);
    CHECK_EQ(gort_scope_wait(s), 0);
    CHECK_EQ(n, 100);
    CHECK_EQ(gort_scope_wait(gort_scope_make(NULL)), 0);
}

static int wait_for_ever(void *arg)
{
    wait_recv(arg);
    CHECK(false);
    return 0;
}

static int fail_soon(void *arg)
{
    (void)arg;
    gort_sleep(100 * GORT_US);
    return EDOM;
}

static int exit_soon(void *arg)
{
    (void)arg;
    gort_goexit();
}

static void the_first_error_ends_the_others(void)
{
    struct world w = { .c = gort_chan_make(int, 0) };
    gort_scope *s = gort_scope_make(NULL);
    for (int i = 0; i < 10; i++)
        gort_scope_go(s, wait_for_ever, &w);
    gort_scope_go(s, exit_soon, NULL);
    gort_scope_go(s, fail_soon, NULL);
    CHECK_EQ(gort_scope_wait(s), EDOM);
    CHECK(ended(gort_scope_context(s)));
}

static void a_scope_ends_with_its_parent(void)
{
    struct world w = { .c = gort_chan_make(int, 0) };
    gort_context *c = gort_context_until(NULL, gort_now() + GORT_MS);
    gort_scope *s = gort_scope_make(c);
    for (int i = 0; i < 10; i++)
        gort_scope_go(s, wait_for_ever, &w);
    CHECK_EQ(gort_scope_wait(s), ETIMEDOUT);
}

static int nested_scope(void *arg)
{
    gort_scope *s = gort_scope_make(gort_context_current());
    gort_scope_go(s, wait_for_ever, arg);
    gort_scope_go(s, wait_for_ever, arg);
    return gort_scope_wait(s);
}

static void scopes_nest(void)
{
    struct world w = { .c = gort_chan_make(int, 0) };
    gort_scope *s = gort_scope_make(NULL);
    gort_scope_go(s, nested_scope, &w);
    gort_scope_go(s, fail_soon, NULL);
    CHECK_EQ(gort_scope_wait(s), EDOM);
}

// ---- values of a goroutine ----------------------------------------------------------------------

static const char key_a, key_b;

static void use_locals(void *args)
{
    struct member *m = args;
    CHECK(gort_local_get(&key_a) == NULL); // another's are not seen, nor those of a former life
    int *mine = gort_alloc_noscan(sizeof *mine);
    *mine = m->id;
    gort_local_set(&key_a, mine);
    mine = NULL;
    for (int i = 0; i < 5; i++) {
        gort_yield();
        if (i == 2) gort_gc();
        CHECK_EQ(*(int *)gort_local_get(&key_a), m->id);
    }
    gort_local_set(&key_b, &m->id);
    gort_local_set(&key_a, NULL);
    CHECK(gort_local_get(&key_a) == NULL);
    CHECK(gort_local_get(&key_b) == &m->id);
    gort_waitgroup_done(&m->w->wg);
}

static void locals_are_each_goroutines_own(void)
{
    struct world w = { 0 };
    for (int i = 0; i < 3; i++) {
        gort_waitgroup_add(&w.wg, 20);
        start_members(&w, 20, use_locals);
        gort_waitgroup_wait(&w.wg);
    }
}

// ---- pools --------------------------------------------------------------------------------------

typedef struct thing {
    int64_t made, used;
} thing;
GORT_TYPE(thing);

static void *make_thing(void *arg)
{
    thing *t = gort_new(thing);
    t->made = ADD((int64_t *)arg, 1);
    return t;
}

static void a_pool_gives_back(void)
{
    int64_t made = 0;
    gort_pool *p = gort_pool_make(make_thing, &made);
    struct thing *a = gort_pool_get(p), *b = gort_pool_get(p);
    CHECK(a != b);
    gort_pool_put(p, a);
    gort_pool_put(p, b);
    gort_pool_put(p, NULL);
    struct thing *c = gort_pool_get(p), *d = gort_pool_get(p);
    // A collection between forgets them; then they are new.
    CHECK(made == 2 ? c == b && d == a : c->used == 0 && d->used == 0);
    gort_pool *empty = gort_pool_make(NULL, NULL);
    CHECK(gort_pool_get(empty) == NULL);
}

static void a_collection_empties_it(void)
{
    int64_t made = 0;
    gort_pool *p = gort_pool_make(make_thing, &made);
    for (int i = 0; i < 100; i++)
        gort_pool_put(p, make_thing(&made));
    int64_t before = made;
    gort_gc();
    struct thing *t = gort_pool_get(p);
    CHECK_EQ(t->made, before + 1);
}

static void __attribute__((noinline)) put_finalizable(gort_pool *p, int n)
{
    int64_t made = 0;
    for (int i = 0; i < n; i++) {
        void *t = make_thing(&made);
        gort_set_finalizer(t, count_freed);
        gort_pool_put(p, t);
    }
}

static void what_is_pooled_is_collected(void)
{
    gort_pool *p = gort_pool_make(NULL, NULL);
    STORE(&freed, 0);
    put_finalizable(p, 25);
    WAIT_FOR((gort_gc(), LOAD(&freed) >= 20));
    gort_keep_alive(p);
}

struct pool_user {
    gort_pool *p;
    struct world *w;
};

static void use_pool(void *args)
{
    struct pool_user *u = args;
    for (int i = 0; i < u->w->rounds; i++) {
        struct thing *t = gort_pool_get(u->p);
        CHECK_EQ(t->used, 0); // nobody else has it
        t->used = 1;
        if (i % 16 == 0) gort_yield();
        if (i % 256 == 0) gort_gc();
        CHECK(t->made > 0);
        t->used = 0;
        gort_pool_put(u->p, t);
    }
    gort_waitgroup_done(&u->w->wg);
}

static void an_object_has_one_user(void)
{
    int64_t made = 0;
    struct world w = { .rounds = (int)test_count(1000) };
    struct pool_user u = { gort_pool_make(make_thing, &made), &w };
    gort_waitgroup_add(&w.wg, 8);
    for (int i = 0; i < 8; i++)
        gort_go_copy(use_pool, &u, sizeof u);
    gort_waitgroup_wait(&w.wg);
    CHECK_LE(made, 8 * (int64_t)w.rounds);
}

static const struct conform_case cases[] = {
    CASE(a_scope_waits, 0),
    CASE(the_first_error_ends_the_others, 0),
    CASE(a_scope_ends_with_its_parent, 0),
    CASE(scopes_nest, 0),
    CASE(locals_are_each_goroutines_own, 0),
    CASE(a_pool_gives_back, 1),
    CASE(a_collection_empties_it, 0),
    CASE(what_is_pooled_is_collected, 1),
    CASE(an_object_has_one_user, 0),
};
CONFORM_MAIN(cases)
