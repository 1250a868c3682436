/* Contexts, scopes, goroutine-local values, pools.
 *
 * A context says until when work is wanted.  It is made from another one, and ends when it is
 * cancelled, when its deadline passes, or when the one that it was made from ends.  Whoever waits
 * by gort_select looks at gort_context_done; code that does not know of contexts is run inside
 * gort_context_run, and then every wait in it ends too.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef GORT_CONTEXT_H
#define GORT_CONTEXT_H

#include <gort/base.h>
#include <gort/chan.h>

GORT_BEGIN_DECLS

/* ---- contexts: collected, shared by any number of goroutines, never changed but by their end --- */

typedef struct gort_context gort_context;
typedef gort_chan(int) gort_context_channel;

/* A context that ends with parent, or when it is cancelled.  parent may be NULL.  Who made it
 * cancels it when the work is done: until then its parent keeps it. */
GORT_API gort_context *gort_context_make(gort_context *parent) GORT_ALLOCATES;
/* The same, which also ends, by itself, when gort_now() reaches deadline (0: none). */
GORT_API gort_context *gort_context_until(gort_context *parent, int64_t deadline) GORT_ALLOCATES;
/* Parent with a value for key, which is found by its address.  Ends with parent; NULL: never. */
GORT_API gort_context *gort_context_with(gort_context *parent, const void *key,
                                         void *value) GORT_ALLOCATES;
/* The value for key of c, or of the nearest that it was made from; NULL: none. */
GORT_API void *gort_context_value(gort_context *c, const void *key);
/* Ends c and all that were made from it, with an error (0: ECANCELED).  The first error stays.
 * May park briefly. */
GORT_API void gort_context_cancel(gort_context *c, int error) GORT_NONNULL(1);
/* 0 while it goes on; else why it ended: ECANCELED, ETIMEDOUT, or what gort_context_cancel was
 * told. */
GORT_API int gort_context_error(gort_context *c);
/* Closed once c has ended; nothing is ever sent.  NULL, which is never ready, if c can not end. */
GORT_API gort_context_channel gort_context_done(gort_context *c);
/* When it ends by itself: the earliest of its own and those it was made from.  0: never. */
GORT_API int64_t gort_context_deadline(gort_context *c);

/* Runs fn(arg) with c as the calling goroutine's context, and returns 0 when fn has returned.  Once
 * c has ended, a call in fn that waits or would have to wait does not go on: what fn deferred runs,
 * gort_try inside fn is passed over, and gort_context_run returns gort_context_error(c).  That are
 * sending, receiving and selecting, gort_sleep, gort_sema_acquire, gort_waitgroup_wait,
 * gort_cond_wait (the mutex is held then, too), gort_read, gort_write, gort_accept and gort_dial.
 * Calls that need not wait go on; locks and files are waited for all the same.  Deferred calls run
 * with the context of before.  c that has ended already: fn is not called. */
GORT_API int gort_context_run(gort_context *c, void (*fn)(void *arg), void *arg) GORT_NONNULL(1, 2);
/* The context of the calling goroutine: of the innermost gort_context_run; NULL: none. */
GORT_API gort_context *gort_context_current(void);

/* ---- scopes: goroutines that are waited for -------------------------------------------------- */

typedef struct gort_scope gort_scope;

/* A scope with a context made from parent (NULL: none). */
GORT_API gort_scope *gort_scope_make(gort_context *parent) GORT_ALLOCATES;
/* Starts a goroutine of the scope: fn(arg), run inside the scope's context.  The first result that
 * is not 0 becomes the scope's error and cancels its context. */
GORT_API void gort_scope_go(gort_scope *s, int (*fn)(void *arg), void *arg) GORT_NONNULL(1, 2);
/* The scope's context. */
GORT_API gort_context *gort_scope_context(gort_scope *s) GORT_NONNULL(1);
/* Parks until all goroutines of the scope have ended, ends its context, and returns the first
 * error: a result, or why the context ended before; 0: all returned 0. */
GORT_API int gort_scope_wait(gort_scope *s) GORT_NONNULL(1);

/* ---- values of a goroutine ------------------------------------------------------------------- */

/* The calling goroutine's value for key, which is found by its address; NULL: none was set.  Gone
 * when the goroutine ends. */
GORT_API void *gort_local_get(const void *key);
/* Sets it; a value of NULL removes it. */
GORT_API void gort_local_set(const void *key, void *value);

/* ---- pools: objects to be used again --------------------------------------------------------- */

typedef struct gort_pool gort_pool;

/* A pool whose new objects make(arg) returns; make NULL: gort_pool_get returns NULL instead.  A
 * pool takes 64 KB of addresses; make few, and keep them. */
GORT_API gort_pool *gort_pool_make(void *(*make)(void *arg), void *arg) GORT_ALLOCATES;
/* An object that was put into the pool, as it was left, or a new one.  Does not block, unless make
 * does. */
GORT_API void *gort_pool_get(gort_pool *p) GORT_NONNULL(1);
/* Gives an object, the start of a collected one, to the pool, which may use it again until the next
 * collection; nobody else may use it any more.  Does not block. */
GORT_API void gort_pool_put(gort_pool *p, void *obj) GORT_NONNULL(1);

GORT_END_DECLS

#endif
