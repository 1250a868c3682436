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

/* gort_select and gort_select_until of a goroutine with a context (until NULL: no deadline). */
int select_bound(struct g *g, gort_case *cases, int n, const int64_t *until);

#endif
