/* Panics, deferred calls, and goexit.
 *
 * What it is: two lists per goroutine.  g->defers: the deferred calls, latest first, collected
 * objects, because their arguments are.  g->tries: what is going on, innermost first, as frames on
 * the goroutine's own stack:
 *
 *   TRY    a gort_try that has not returned; its scope are the calls deferred since it began
 *   PANIC  a panic that runs deferred calls
 *   EXIT   a gort_goexit that runs deferred calls
 *
 * Why this way: deferred calls run on top of the stack that panicked, and only then is the stack cut
 * back to the gort_try.  So an unrecovered panic is reported with its frames intact, and a deferred
 * call may itself panic, try, or exit: that only adds frames.  Rejected: unwinding by the C++
 * unwinder, which needs unwind tables in all user code, and costs microseconds per frame.
 *
 * Note [Nested panics].  A panic goes to the innermost TRY frame, past PANIC and EXIT frames:
 *   - past PANIC: the deferred call of an older panic panics.  The older one is dropped: the newer
 *     one runs the rest of the deferred calls of the same scope and arrives at the same gort_try.  If
 *     there is none, the report shows both, the older first.
 *   - past EXIT: a deferred call run by goexit panics.  The gort_try catches it, sees `exiting`, and
 *     goes on with the exit instead of returning.
 * An exit runs the scopes from the innermost outwards, and takes each TRY frame off its own view
 * once that scope's calls have run: a later panic can not arrive at a scope that has ended.
 *
 * Note [Leaving].  A goroutine whose context has ended leaves the innermost gort_context_run: that is
 * a panic which only such a TRY frame catches, and such a frame catches nothing else.  The calls that
 * were deferred inside run, those of the gort_try's passed over too, and with the context that held
 * outside: they may wait.
 *
 * Note [Jump].  _setjmp and _longjmp are used within one stack, upwards only.  All frames between are
 * abandoned: the user's own, as documented, and those of this floor that call user code: gort_try,
 * gort_once_do and the loops over deferred calls, none of which is in a critical section or holds
 * a lock of the runtime.  Nothing that lives in the thread is kept in a local over the jump.
 *
 * Invariants: (1) gort_try leaves g->tries as it found it; (2) so does a return from a deferred call;
 * (3) a TRY frame's base is on g->defers, or NULL, as long as the frame is reachable.
 *
 * Locking: none; everything belongs to the running goroutine.
 * Answers to: panic.go.
 * SPDX-License-Identifier: BSD-3-Clause
 */
#include "lang/panic.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/print.h"
#include "base/throw.h"
#include "gort/go.h"
#include "gort/mem.h"

enum frame_kind { FRAME_TRY, FRAME_PANIC, FRAME_EXIT };

struct frame {
    enum frame_kind kind;
    struct frame *outer;
};

struct try_frame {
    struct frame frame;
    struct g *g;        /* whose it is */
    struct defer *base; /* g->defers when it began */
    void *context;      /* g->context outside */
    gort_panic_info *out;
    bool is_run;  /* of gort_context_run: Note [Leaving] */
    bool exiting; /* the panic it catches came out of a goexit */
    jmp_buf env;
};

struct panic_frame {
    struct frame frame;
    bool leaving; /* Note [Leaving] */
    gort_panic_info info;
};

/* ---- deferred calls ------------------------------------------------------------------------- */

struct defer *defer_push(struct g *g, void (*fn)(void *), void *arg)
{
    struct defer *d = gort_alloc(sizeof *d);
    d->fn = fn; /* first stores into a new object: no barrier */
    d->arg = arg;
    d->next = g->defers;
    lang_store_root(&g->defers, d);
    return d;
}

void defer_cancel(struct g *g, struct defer *d)
{
    if (g->defers == d)
        lang_store_root(&g->defers, d->next);
    else
        d->fn = NULL; /* calls deferred since lie above it */
}

/* Each is taken off before it is called, so it is never called twice. */
static void run_defers(struct g *g, const struct defer *base)
{
    struct defer *d;
    while ((d = g->defers) != base) {
        lang_store_root(&g->defers, d->next);
        if (d->fn != NULL) d->fn(d->arg);
    }
}

void defer_run_all(struct g *g)
{
    assert_that(g->tries == NULL);
    run_defers(g, NULL);
}

void gort_defer(void (*fn)(void *), void *arg)
{
    (void)defer_push(lang_enter("gort_defer"), fn, arg);
}

/* ---- trying --------------------------------------------------------------------------------- */

/* What gort_try does stands in functions of their own, so that no local of the one with _setjmp lives
 * over the jump. */
static never_inline void try_begin(struct try_frame *t, gort_panic_info *out, bool is_run)
{
    struct g *g = lang_enter("gort_try");
    t->is_run = is_run;
    t->context = g->context;
    t->frame.kind = FRAME_TRY;
    t->frame.outer = g->tries;
    t->g = g;
    t->base = g->defers;
    t->out = out;
    t->exiting = false;
}

static never_inline bool try_run(struct try_frame *t, void (*fn)(void *), void *arg)
{
    t->g->tries = &t->frame;
    fn(arg);
    assert_that(t->g->tries == &t->frame);
    run_defers(t->g, t->base);
    t->g->tries = t->frame.outer;
    return false;
}

static never_inline bool try_caught(const struct try_frame *t)
{
    assert_that(t->g->defers == t->base);
    t->g->tries = t->frame.outer;
    if (t->g->context != t->context) lang_store_root(&t->g->context, t->context);
    if (t->exiting) gort_goexit();
    return true;
}

bool gort_try(void (*fn)(void *), void *arg, gort_panic_info *out)
{
    struct try_frame t;
    try_begin(&t, out, false);
    return _setjmp(t.env) == 0 ? try_run(&t, fn, arg) : try_caught(&t);
}

bool panic_run(void *context, void (*fn)(void *), void *arg)
{
    struct try_frame t;
    try_begin(&t, NULL, true);
    lang_store_root(&t.g->context, context);
    return _setjmp(t.env) == 0 ? try_run(&t, fn, arg) : try_caught(&t);
}

/* ---- panicking ------------------------------------------------------------------------------ */

/* From the oldest, which is the outermost. */
static void print_panics(struct print *p, const struct frame *f, bool *first)
{
    if (f == NULL) return;
    print_panics(p, f->outer, first);
    if (f->kind != FRAME_PANIC) return;
    const struct panic_frame *panic = (const struct panic_frame *)f;
    print_fmt(p, "%spanic: %s\n", *first ? "" : "\t", panic->info.message);
    *first = false;
}

_Noreturn static cold_path void die(const struct panic_frame *last)
{
    struct print p;
    bool first = true;
    throw_begin();
    print_init(&p, STDERR_FILENO);
    print_panics(&p, &last->frame, &first);
    print_flush(&p);
    throw_finish(); /* prints the trace */
}

static bool catches(const struct frame *f, bool leaving)
{
    return f->kind == FRAME_TRY && ((const struct try_frame *)f)->is_run == leaving;
}

/* Note [Nested panics].  NULL: nobody. */
static struct try_frame *find_catcher(struct frame *f, bool leaving, bool *exiting)
{
    for (*exiting = false; f != NULL && !catches(f, leaving); f = f->outer)
        if (f->kind == FRAME_EXIT) *exiting = true;
    return (struct try_frame *)f;
}

_Noreturn static void raise_panic(struct g *g, struct panic_frame *p)
{
    bool exiting;
    struct try_frame *t = find_catcher(p->frame.outer, p->leaving, &exiting);
    if (p->leaving && t != NULL) lang_store_root(&g->context, t->context);
    g->tries = &p->frame;
    run_defers(g, t != NULL ? t->base : NULL);
    if (t == NULL) die(p);
    t->exiting = exiting;
    if (t->out != NULL) *t->out = p->info;
    _longjmp(t->env, 1); /* Note [Jump] */
}

void gort_panic(const char *format, ...)
{
    struct g *g = lang_enter("gort_panic");
    struct panic_frame p = { .frame = { FRAME_PANIC, g->tries } };
    va_list ap;
    va_start(ap, format);
    if (vsnprintf(p.info.message, sizeof p.info.message, format, ap) < 0)
        p.info.message[0] = '\0'; /* a wide string that can not be converted */
    va_end(ap);
    raise_panic(g, &p);
}

void panic_leave(struct g *g)
{
    struct panic_frame p = { .frame = { FRAME_PANIC, g->tries },
                             .leaving = true,
                             .info = { "the context has ended" } };
    raise_panic(g, &p);
}

/* ---- exiting -------------------------------------------------------------------------------- */

void gort_goexit(void)
{
    struct g *g = lang_enter("gort_goexit");
    if (g->is_attached) throw_msg("gort_goexit on a thread of the program's own");
    struct frame exit = { FRAME_EXIT, g->tries };
    g->tries = &exit;
    lang_store_root(&g->context, NULL); /* no gort_context_run will be returned to */
    for (struct frame *f; (f = exit.outer) != NULL; exit.outer = f->outer)
        if (f->kind == FRAME_TRY) run_defers(g, ((struct try_frame *)f)->base);
    run_defers(g, NULL);
    g->tries = NULL;
    g_exit();
}
