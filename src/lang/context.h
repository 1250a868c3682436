/* Contexts as the waiting calls of this floor see them.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef GORT_LANG_CONTEXT_H
#define GORT_LANG_CONTEXT_H

#include "gort/context.h"
#include "lang/hchan.h"

/* Is a context bound to g?  Then a call that waits takes the slower way. */
static force_inline bool context_bound(const struct g *g)
{
    return g->context != NULL;
}

/* The channel that is closed when the context bound to g ends; NULL: it can not end. */
struct hchan *context_done(const struct g *g);
/* It has ended, and g would have to wait: leaves the innermost gort_context_run. */
_Noreturn void context_leave(struct g *g);

/* A wait that is not for a channel, in the frame of its goroutine, on the list of the context's
 * node:
 * Note [Other waits] in context.c. */
struct context_wait {
    /* The context ends: ends the wait.  On a goroutine, outside sections; may yield; not after
     * context_wait_leave has begun to return. */
    void (*wake)(struct context_wait *w);
    struct gort_context *node; /* NULL: the context can not end */
    struct context_wait *next, *prev;
};
/* Of g, which has a context.  false: it has ended, and nothing is to be left. */
bool context_wait_enter(struct g *g, struct context_wait *w);
void context_wait_leave(struct context_wait *w);

/* gort_select and gort_select_until of a goroutine with a context (until NULL: no deadline). */
int select_bound(struct g *g, gort_case *cases, int n, const int64_t *until);

#endif
