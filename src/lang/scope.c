/* Scopes: goroutines that are waited for, and the first error among them.
 *
 * The first error is told by the scope's context: whoever has one ends the context with it, and the
 * context keeps the first.  So an error of a goroutine and an end from outside are one thing, and
 * the others see it in the same way.
 *
 * Locking: none of its own.
 * Answers to: golang.org/x/sync/errgroup, by intent.
 * SPDX-License-Identifier: BSD-3-Clause
 */
#include <errno.h>

#include "gort/go.h"
#include "gort/mem.h"
#include "gort/panic.h"
#include "gort/sync.h"
#include "lang/context.h"

struct gort_scope {
    gort_context *context; /* constant */
    gort_waitgroup wg;
};

struct member {
    gort_scope *scope;
    int (*fn)(void *);
    void *arg;
    int result;
};

gort_scope *gort_scope_make(gort_context *parent)
{
    gort_scope *s = gort_alloc(sizeof *s);
    gort_init(&s->context, gort_context_make(parent));
    return s;
}

static void call(void *arg)
{
    struct member *m = arg;
    m->result = m->fn(m->arg);
}

/* Deferred: also when fn ends its goroutine. */
static void member_done(void *arg)
{
    gort_waitgroup_done(&((gort_scope *)arg)->wg);
}

static void member_main(void *args)
{
    struct member *m = args;
    gort_defer(member_done, m->scope);
    int error = gort_context_run(m->scope->context, call, m);
    if (error == 0) error = m->result;
    if (error != 0) gort_context_cancel(m->scope->context, error);
}

void gort_scope_go(gort_scope *s, int (*fn)(void *arg), void *arg)
{
    struct member m = { .scope = s, .fn = fn, .arg = arg };
    gort_waitgroup_add(&s->wg, 1);
    gort_go_copy(member_main, &m, sizeof m);
}

gort_context *gort_scope_context(gort_scope *s)
{
    return s->context;
}

/* What the scope started is waited for even when the caller's own context ends: its goroutines may
 * use the caller's frame. */
int gort_scope_wait(gort_scope *s)
{
    struct g *g = lang_enter_blocking("gort_scope_wait");
    void *own = g->context;
    lang_store_root(&g->context, NULL);
    gort_waitgroup_wait(&s->wg);
    lang_store_root(&g->context, own);
    int error = gort_context_error(s->context);
    gort_context_cancel(s->context, ECANCELED);
    return error;
}
