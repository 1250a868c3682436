/* Contexts: a tree of things that end.
 *
 * A node is a context that can end by itself; one that only carries a value names the node above
 * it.  Ending a node sets its error, closes its channel, and ends the nodes below.  So whoever can
 * wait for a channel can wait for a context, and a wait that knows nothing of contexts is made a
 * select of itself and that channel (chan_select.c, select_bound; sema.c, sema_acquire_or).
 *
 * Why leaving is like a panic: the calls that wait return nothing that could tell, and code between
 * them and gort_context_run knows of neither.  Rejected: a result for each call, which would be
 * another set of calls; ending the goroutine, which could not tell its starter.
 *
 * Note [Children].  A node's children are a list under the node's mutex.  A child takes itself off
 * when it ends first; once the node has ended its list belongs to whoever ended it, and children
 * leave it alone.  Both look at the error, under the mutex.  No two nodes' mutexes are held at
 * once.  The list of nodes still to be ended is made of the same links, so a deep tree needs no
 * deep stack.
 *
 * Note [Ended when it returns].  Whoever ends a node and returns may count on all below having
 * ended, also when others are in the middle of ending parts of it.  An operation holds `end` of the
 * node where it began, for all of its time.  One that comes below to a node that another has ended
 * waits for that node's `end`.  One that finds its own node ended waits for the `end` of each ended
 * node from there up: the operation that ended it began at one of these, since it set the errors on
 * its way down.  An operation that holds `end` waits only for nodes below its own, so none wait for
 * each other in a circle.
 *
 * Note [Deadlines].  A node with a deadline has a timer, whose function ends it; it is stopped when
 * the node ends before.  The timer keeps the node until then.
 *
 * Note [Other waits].  Descriptors and conditions are not waited for by records on queues that
 * could be shared with a channel's.  Such a wait puts itself on the list of its node, before it
 * begins; who ends the node calls each one's wake, under the node's mutex; and the wait takes
 * itself off when it is over, under the mutex too, so that its frame stays as long as somebody may
 * look at it.  After the end none enters.  So wake is called at most once, of a wait that is about
 * to begin, goes on, or is over: it must be right for all three.
 *
 * Locking: end, then m; end of a node, then of one below.  m of each node: children, links of those
 * in it, waits, and the change of error.
 * Memory order: error's release pairs with the acquire in gort_context_error.
 * Answers to: context/context.go.
 * SPDX-License-Identifier: BSD-3-Clause
 */
#include "lang/context.h"

#include <errno.h>

#include "gort/mem.h"
#include "gort/sync.h"
#include "lang/mutex.h"
#include "lang/panic.h"
#include "lang/timer.h"
#include "os/os.h"

struct gort_context {
    gort_context *parent; /* constant, as key and value */
    gort_context *node;   /* the nearest that can end: itself, or above; NULL: none; constant */
    const void *key;      /* NULL: no value */
    void *value;
    /* Of a node: */
    gort_context_channel done; /* constant */
    int64_t deadline;          /* 0: none; constant */
    int error;                 /* atomic; 0 -> why, under m */
    gort_mutex m;              /* children, error, waits; of the children next and prev */
    gort_context *children, *next, *prev; /* Note [Children] */
    gort_timer *timer;                    /* NULL: none, or it has ended; m */
    struct context_wait *waits;           /* on stacks: Note [Other waits] */
    gort_mutex end;                       /* Note [Ended when it returns] */
};

/* ---- the tree ------------------------------------------------------------------------------- */

static gort_context *node_of(const gort_context *c)
{
    return c != NULL ? c->node : NULL;
}

static gort_context *make(gort_context *parent)
{
    gort_context *c = gort_alloc(sizeof *c);
    gort_init(&c->parent, parent);
    gort_init(&c->node, node_of(parent));
    return c;
}

/* Makes c a child of p, unless p has ended: then the error. */
static int enter_children(gort_context *p, gort_context *c)
{
    gort_mutex_lock(&p->m);
    int error = p->error;
    if (error == 0) {
        gort_set(&c->next, p->children);
        if (p->children != NULL) gort_set(&p->children->prev, c);
        gort_set(&p->children, c);
    }
    gort_mutex_unlock(&p->m);
    return error;
}

/* One that has ended keeps no other. */
static void clear_links(gort_context *c)
{
    gort_set(&c->next, (gort_context *)NULL);
    gort_set(&c->prev, (gort_context *)NULL);
}

static void leave_children(gort_context *p, gort_context *c)
{
    gort_mutex_lock(&p->m);
    if (p->error == 0) { /* Note [Children] */
        if (c->prev != NULL)
            gort_set(&c->prev->next, c->next);
        else
            gort_set(&p->children, c->next);
        if (c->next != NULL) gort_set(&c->next->prev, c->prev);
        clear_links(c);
    }
    gort_mutex_unlock(&p->m);
}

/* Ends one node; false: it has ended already.  Its children are prepended to *list. */
static bool end_one(gort_context *c, int error, gort_context **list)
{
    gort_mutex_lock(&c->m);
    bool first = c->error == 0;
    gort_context *children = c->children;
    if (first) {
        race_release(&c->error);
        atomic_store_release(&c->error, error);
        gort_set(&c->children, (gort_context *)NULL);
        if (c->timer != NULL) (void)gort_timer_stop(c->timer);
        gort_set(&c->timer, (gort_timer *)NULL);
        for (struct context_wait *w = c->waits; w != NULL; w = w->next)
            w->wake(w);
    }
    gort_mutex_unlock(&c->m);
    if (!first) return false;
    gort_close(c->done);
    while (children != NULL) {
        gort_context *next = children->next;
        gort_set(&children->next, *list);
        *list = children;
        children = next;
    }
    return true;
}

static void wait_for_end(gort_context *c)
{
    gort_mutex_lock(&c->end);
    gort_mutex_unlock(&c->end);
}

static void end_below(gort_context *list, int error)
{
    while (list != NULL) {
        gort_context *next = list;
        list = list->next;
        clear_links(next);
        if (!end_one(next, error, &list)) wait_for_end(next);
    }
}

/* Note [Ended when it returns] */
static void end_node(gort_context *c, int error)
{
    gort_context *list = NULL, *up = node_of(c->parent);
    gort_mutex_lock(&c->end);
    bool first = end_one(c, error, &list);
    if (first && up != NULL) leave_children(up, c);
    end_below(list, error);
    gort_mutex_unlock(&c->end);
    for (; !first && up != NULL && gort_context_error(up) != 0; up = node_of(up->parent))
        wait_for_end(up);
}

/* Note [Deadlines]. */
static void deadline_passed(void *arg)
{
    end_node(arg, ETIMEDOUT);
}

static void set_timer(gort_context *c)
{
    int64_t left = c->deadline - os_now();
    if (left <= 0) {
        end_node(c, ETIMEDOUT);
        return;
    }
    gort_mutex_lock(&c->m);
    if (c->error == 0) gort_set(&c->timer, timer_func_make(left, deadline_passed, c, true));
    gort_mutex_unlock(&c->m);
}

/* ---- the calls ------------------------------------------------------------------------------ */

gort_context *gort_context_until(gort_context *parent, int64_t deadline)
{
    (void)lang_enter("gort_context_make");
    gort_context *c = make(parent), *up = node_of(parent);
    int64_t above = gort_context_deadline(parent);
    bool own = deadline != 0 && (above == 0 || deadline < above);
    gort_init(&c->node, c);
    gort_init(&c->done, gort_chan_make(int, 0));
    c->deadline = own ? deadline : above;
    int error = up != NULL ? enter_children(up, c) : 0;
    if (error != 0)
        end_node(c, error);
    else if (own)
        set_timer(c);
    return c;
}

gort_context *gort_context_make(gort_context *parent)
{
    return gort_context_until(parent, 0);
}

gort_context *gort_context_with(gort_context *parent, const void *key, void *value)
{
    (void)lang_enter("gort_context_with");
    if (key == NULL) gort_panic("gort_context_with: the key is NULL");
    gort_context *c = make(parent);
    c->key = key;
    gort_init(&c->value, value);
    return c;
}

void *gort_context_value(gort_context *c, const void *key)
{
    for (; c != NULL; c = c->parent)
        if (c->key == key && key != NULL) return c->value;
    return NULL;
}

void gort_context_cancel(gort_context *c, int error)
{
    (void)lang_enter("gort_context_cancel");
    if (c->node != c) gort_panic("gort_context_cancel of a context made by gort_context_with");
    end_node(c, error != 0 ? error : ECANCELED);
}

int gort_context_error(gort_context *c)
{
    gort_context *n = node_of(c);
    int error = n != NULL ? atomic_load_acquire(&n->error) : 0; /* pairs with end_one */
    if (error != 0) race_acquire(&n->error);
    return error;
}

gort_context_channel gort_context_done(gort_context *c)
{
    gort_context *n = node_of(c);
    return n != NULL ? n->done : NULL;
}

int64_t gort_context_deadline(gort_context *c)
{
    gort_context *n = node_of(c);
    return n != NULL ? n->deadline : 0;
}

/* ---- other waits ----------------------------------------------------------------------------- */

bool context_wait_enter(struct g *g, struct context_wait *w)
{
    gort_context *n = w->node = node_of(g->context);
    if (n == NULL) return true;
    gort_mutex_lock(&n->m);
    bool goes_on = n->error == 0;
    if (goes_on) {
        w->prev = NULL;
        w->next = n->waits;
        if (n->waits != NULL) n->waits->prev = w;
        n->waits = w;
    }
    gort_mutex_unlock(&n->m);
    return goes_on;
}

void context_wait_leave(struct context_wait *w)
{
    gort_context *n = w->node;
    if (n == NULL) return;
    gort_mutex_lock(&n->m);
    if (w->prev != NULL)
        w->prev->next = w->next;
    else
        n->waits = w->next;
    if (w->next != NULL) w->next->prev = w->prev;
    gort_mutex_unlock(&n->m);
}

/* ---- binding -------------------------------------------------------------------------------- */

struct hchan *context_done(const struct g *g)
{
    return (struct hchan *)GORT_UNTYPED_(gort_context_done(g->context));
}

_Noreturn void context_leave(struct g *g)
{
    panic_leave(g);
}

int gort_context_run(gort_context *c, void (*fn)(void *arg), void *arg)
{
    struct g *g = lang_enter_blocking("gort_context_run");
    int error = gort_context_error(c);
    if (error != 0) return error;
    void *outer = g->context;
    bool left = panic_run(c, fn, arg);
    lang_store_root(&g->context, outer);
    return left ? gort_context_error(c) : 0;
}

gort_context *gort_context_current(void)
{
    return lang_enter("gort_context_current")->context;
}
