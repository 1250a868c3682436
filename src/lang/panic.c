/* Panics, deferred calls, and goexit.
 *
 * What it is: two lists per goroutine.  g->defers: the deferred calls, latest first.  g->tries:
 * what is going on, innermost first, as frames on the goroutine's own stack (panic_frames.h).
 *
 * Why this way: deferred calls run on top of the stack that panicked, and only then is the stack
 * cut back to the gort_try.  So an unrecovered panic is reported with its frames intact, and a
 * deferred call may itself panic, try, or exit: that only adds frames.  Rejected: unwinding by the
 * C++ unwinder in all programs, which needs unwind tables in all user code, and costs microseconds
 * per frame; it is done where there are cleanups to run (panic_unwind.c).
 *
 * Note [Scoped calls].  A call of gort_defer is a collected object, because it outlives the
 * function that asked for it and its argument is collected.  One of gort_scoped_defer is a variable
 * of the block (struct gort_scoped_call, whose beginning is a struct defer): the inlined beginning
 * links it before g->defers, the inlined end, a cleanup of the variable, takes it off and calls it.
 * A panic calls it from the list like any other, while its frame is still there.
 *   - No barrier: what moves is the address of a collected struct defer, from the list's head to
 *     the variable and back.  Both are roots of this goroutine and scanned as one: a goroutine runs
 *     only on a stack that is scanned, so that the collector has seen the address, or was told of
 *     it since.
 *   - The end does not find itself latest: gort_defer was called in the block, whose calls wait for
 *     the end of the scope, and so the variable is taken out of the middle (gort_scoped_end_slow_).
 *     Nor is it on the list: a panic has called it, and this is the cleanup of an unwound frame.
 *   - No critical section: stores to the list are by the running goroutine alone, and a stop
 *     between two of them finds what was there before or after.
 *
 * Note [Nested panics].  A panic goes to the innermost TRY frame, past PANIC and EXIT frames:
 *   - past PANIC: the deferred call of an older panic panics.  The older one is dropped: the newer
 *     one runs the rest of the deferred calls of the same scope and arrives at the same gort_try.
 *     If there is none, the report shows both, the older first.
 *   - past EXIT: a deferred call run by goexit panics.  The gort_try catches it, sees `exiting`,
 *     and goes on with the exit instead of returning.
 * An exit runs the scopes from the innermost outwards, and takes each TRY frame off its own view
 * once that scope's calls have run: a later panic can not arrive at a scope that has ended.
 *
 * Note [Recovering].  A deferred call that a panic runs may say gort_recover.  When it has
 * returned, the panic goes on to the same gort_try, running what is deferred, and that returns as
 * if its function had.  With no gort_try the goroutine ends as by gort_goexit: its function is the
 * scope, and there is no frame of it to return from.
 *
 * Note [Leaving].  A goroutine whose context has ended leaves the innermost gort_context_run: that
 * is a panic which only such a TRY frame catches, and such a frame catches nothing else.  The calls
 * that were deferred inside run, those of the gort_try's passed over too, and with the context that
 * held outside: they may wait.
 *
 * Note [Jump].  _setjmp and _longjmp are used within one stack, upwards only.  All frames between
 * are abandoned: the user's own, as documented, and those of this floor that call user code:
 * gort_try, gort_once_do and the loops over deferred calls, none of which is in a critical section
 * or holds a lock of the runtime.  Nothing that lives in the thread is kept in a local over the
 * jump.
 *
 * Invariants: (1) gort_try leaves g->tries as it found it; (2) so does a return from a deferred
 * call;
 * (3) a TRY frame's base is on g->defers, or NULL, as long as the frame is reachable.
 *
 * Locking: none; everything belongs to the running goroutine.
 * Answers to: panic.go.
 * SPDX-License-Identifier: BSD-3-Clause
 */
#include "lang/panic_frames.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/print.h"
#include "base/throw.h"
#include "gort/go.h"
#include "gort/mem.h"
#include "sched/hooks.h"

_Static_assert(offsetof(struct g, defers) == GORT_G_DEFERS, "inlined code stores there");
_Static_assert(offsetof(struct defer, next) == offsetof(struct gort_scoped_call, next) &&
                   offsetof(struct defer, fn) == offsetof(struct gort_scoped_call, fn) &&
                   offsetof(struct defer, arg) == offsetof(struct gort_scoped_call, arg) &&
                   offsetof(struct defer, frame) == offsetof(struct gort_scoped_call, frame) &&
                   sizeof(struct defer) == sizeof(struct gort_scoped_call),
               "a scoped call is one on the list");

typedef struct defer defer_record;
GORT_TYPE(defer_record, next, arg);

/* ---- deferred calls ------------------------------------------------------------------------- */

struct defer *defer_push(struct g *g, void (*fn)(void *), void *arg)
{
    struct defer *d = gort_new(defer_record);
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

bool defers_run(struct g *g, const struct defer *base, uintptr_t cfa)
{
    struct defer *d;
    while ((d = g->defers) != base) {
        assert_that(d != NULL);                                 /* invariant (3) */
        if (cfa != UINTPTR_MAX && d->frame > cfa) return false; /* marked by who unwinds */
        lang_store_root(&g->defers, d->next);
        if (d->fn != NULL) d->fn(d->arg);
    }
    return true;
}

void defer_run_all(struct g *g)
{
    assert_that(g->tries == NULL);
    (void)defers_run(g, NULL, UINTPTR_MAX);
}

/* A record without a function would count as cancelled.  The parameter's attribute says that there
 * is none, so the compiler is not to know what is looked at. */
void gort_defer(void (*fn)(void *), void *arg)
{
    struct g *g = lang_enter("gort_defer");
    __asm__("" : "+r"(fn));
    if (unlikely(fn == NULL)) gort_panic("gort_defer: no function");
    (void)defer_push(g, fn, arg);
}

void gort_scoped_foreign_slow_(void)
{
    (void)lang_enter("gort_scoped_defer");
    throw_msg("gort_scoped_defer: the goroutine is not the thread's");
}

/* Note [Scoped calls] */
void gort_scoped_end_slow_(struct gort_scoped_call *c)
{
    struct g *g = lang_enter("the end of a gort_scoped_defer");
    const struct defer *self = (const struct defer *)c;
    struct defer *d = g->defers;
    while (d != NULL && d->next != self)
        d = d->next;
    if (d == NULL) return; /* it was called */
    gort_set(&d->next, (struct defer *)c->next);
    c->fn(c->arg);
}

/* ---- trying --------------------------------------------------------------------------------- */

/* What gort_try does stands in functions of their own, so that no local of the one with _setjmp
 * lives over the jump. */
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
    t->exiting = t->recovered = false;
    if (unlikely(unwind_wanted())) unwind_exceptions_save(t);
}

static never_inline bool try_run(struct try_frame *t, void (*fn)(void *), void *arg)
{
    t->g->tries = &t->frame;
    fn(arg);
    assert_that(t->g->tries == &t->frame);
    (void)defers_run(t->g, t->base, UINTPTR_MAX);
    t->g->tries = t->frame.outer;
    return false;
}

static never_inline bool try_caught(const struct try_frame *t)
{
    assert_that(t->g->defers == t->base);
    t->g->tries = t->frame.outer;
    if (unlikely(unwind_wanted())) unwind_exceptions_restore(t);
    if (t->g->context != t->context) lang_store_root(&t->g->context, t->context);
    if (t->exiting) gort_goexit();
    return !t->recovered;
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
static void print_panics(const struct frame *f, bool *first)
{
    if (f == NULL) return;
    print_panics(f->outer, first);
    if (f->kind != FRAME_PANIC) return;
    const struct panic_frame *panic = (const struct panic_frame *)f;
    print_err("%spanic: %s%s\n", *first ? "" : "\t", panic->info.message,
              panic->recovered ? " [recovered]"
              : panic->again   ? " [caught, panicked again]"
                               : "");
    *first = false;
    if (!panic->again || sched_hooks.print_function == NULL) return; /* no reporter */
    print_err("\tfirst raised in ");
    sched_hooks.print_function(panic->pc - 1); /* of the call: it may end its function */
    print_err("\n");
}

_Noreturn static cold_path void die(const struct panic_frame *last)
{
    bool first = true;
    throw_begin();
    print_panics(&last->frame, &first);
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

static void keep_caught(struct g *g, const struct panic_frame *p)
{
    if (g->caught != p->value) lang_store_root(&g->caught, p->value);
    g->caught_pc = p->pc;
}

void panic_arrive(struct try_frame *t, const struct panic_frame *p)
{
    struct g *g = t->g;
    (void)defers_run(g, t->base, UINTPTR_MAX);
    if (!p->leaving) keep_caught(g, p);
    if (t->out != NULL && !p->recovered) strcpy(t->out->message, p->info.message);
    t->recovered = p->recovered;
    _longjmp(t->env, 1); /* Note [Jump] */
}

/* The scopes that the panic passes, up to end, from the innermost outwards: their deferred calls
 * run, and their frames go, so that nothing arrives at a scope that has ended (invariant 3).  A
 * deferred call of a gort_try that is passed belongs to it still; one of a gort_context_run has the
 * context of before. */
static void leave_passed(struct g *g, struct panic_frame *p, const struct frame *end)
{
    struct frame **at = &p->frame.outer;
    while (*at != end) {
        if ((*at)->kind != FRAME_TRY) {
            at = &(*at)->outer; /* of older panics and exits: the report shows them */
            continue;
        }
        struct try_frame *t = (struct try_frame *)*at;
        if (p->leaving) {
            (void)defers_run(g, t->base, UINTPTR_MAX);
            *at = t->frame.outer;
        } else {
            *at = t->frame.outer;
            lang_store_root(&g->context, t->context);
            (void)defers_run(g, t->base, UINTPTR_MAX);
        }
    }
}

/* Nobody catches it. */
_Noreturn static void raise_uncaught(struct g *g, struct panic_frame *p)
{
    leave_passed(g, p, NULL);
    (void)defers_run(g, NULL, UINTPTR_MAX);
    if (!p->recovered) die(p);
    if (g->is_attached)
        throw_msg("gort_recover outside of gort_try, on a thread of the program's own");
    keep_caught(g, p);
    gort_goexit();
}

_Noreturn static void raise_panic(struct g *g, struct panic_frame *p)
{
    bool exiting;
    struct try_frame *t = find_catcher(p->frame.outer, p->leaving, &exiting);
    g->tries = &p->frame;
    if (t == NULL) raise_uncaught(g, p);
    if (p->leaving) lang_store_root(&g->context, t->context);
    if (exiting) t->exiting = true;
    if (unwind_wanted()) unwind_to_try(t, p);
    leave_passed(g, p, &t->frame);
    panic_arrive(t, p);
}

/* ---- what it says ---------------------------------------------------------------------------- */

/* What most panics say needs no printf, which takes longer than all the rest. */
static const char *plain_text(const char *format, va_list ap)
{
    if (strcmp(format, "%s") != 0) return strchr(format, '%') == NULL ? format : NULL;
    const char *text = va_arg(ap, const char *);
    return text != NULL ? text : "(null)";
}

static void set_message(struct panic_frame *p, const char *format, va_list ap)
{
    va_list again;
    va_copy(again, ap);
    const char *text = plain_text(format, again);
    va_end(again);
    if (text != NULL) {
        size_t n = strnlen(text, sizeof p->info.message - 1);
        memcpy(p->info.message, text, n);
        p->info.message[n] = '\0';
    } else if (vsnprintf(p->info.message, sizeof p->info.message, format, ap) < 0) {
        p->info.message[0] = '\0'; /* a wide string that can not be converted */
    }
}

static void panic_init(struct panic_frame *p, struct g *g, uintptr_t pc, void *value)
{
    p->frame = (struct frame){ FRAME_PANIC, g->tries };
    p->leaving = p->recovered = p->again = false;
    p->pc = pc;
    p->value = value;
}

#define RAISE(call, pc, value, format)                                                             \
    do {                                                                                           \
        struct g *g_ = lang_enter(call);                                                           \
        struct panic_frame p_;                                                                     \
        va_list ap_;                                                                               \
        panic_init(&p_, g_, pc, value);                                                            \
        va_start(ap_, format);                                                                     \
        set_message(&p_, format, ap_);                                                             \
        va_end(ap_);                                                                               \
        raise_panic(g_, &p_);                                                                      \
    } while (0)

void gort_panic(const char *format, ...)
{
    RAISE("gort_panic", (uintptr_t)__builtin_return_address(0), NULL, format);
}

void gort_panic_with(void *value, const char *format, ...)
{
    RAISE("gort_panic_with", (uintptr_t)__builtin_return_address(0), value, format);
}

void panic_at(uintptr_t pc, const char *format, ...)
{
    RAISE("a fault", pc, NULL, format);
}

void gort_repanic(const gort_panic_info *info)
{
    struct g *g = lang_enter("gort_repanic");
    struct panic_frame p;
    panic_init(&p, g, g->caught_pc, g->caught);
    if (p.pc == 0) throw_msg("gort_repanic: this goroutine has caught no panic");
    p.again = true;
    memcpy(p.info.message, info->message, sizeof p.info.message);
    p.info.message[sizeof p.info.message - 1] = '\0';
    raise_panic(g, &p);
}

void panic_leave(struct g *g)
{
    struct panic_frame p;
    panic_init(&p, g, 0, NULL);
    p.leaving = true;
    strcpy(p.info.message, "the context has ended");
    raise_panic(g, &p);
}

/* ---- in a deferred call ---------------------------------------------------------------------- */

/* The panic that runs the present deferred call; NULL: none does. */
static struct panic_frame *running_panic(const struct g *g)
{
    struct frame *f = g->tries;
    if (f == NULL || f->kind != FRAME_PANIC) return NULL;
    struct panic_frame *p = (struct panic_frame *)f;
    return p->leaving || p->recovered ? NULL : p;
}

bool gort_panicking(gort_panic_info *out)
{
    const struct panic_frame *p = running_panic(lang_enter("gort_panicking"));
    if (p != NULL && out != NULL) strcpy(out->message, p->info.message);
    return p != NULL;
}

bool gort_recover(gort_panic_info *out)
{
    struct g *g = lang_enter("gort_recover");
    struct panic_frame *p = running_panic(g);
    if (p == NULL) return false;
    if (out != NULL) strcpy(out->message, p->info.message);
    p->recovered = true;
    keep_caught(g, p);
    return true;
}

void *gort_panic_value(void)
{
    return lang_enter("gort_panic_value")->caught;
}

/* ---- exiting -------------------------------------------------------------------------------- */

void exit_scopes(struct g *g, struct frame *exit, uintptr_t cfa)
{
    for (;;) {
        struct frame *f = exit->outer;
        while (f != NULL && f->kind != FRAME_TRY)
            f = f->outer;
        exit->outer = f;
        if (!defers_run(g, f != NULL ? ((struct try_frame *)f)->base : NULL, cfa)) return;
        if (f == NULL || (uintptr_t)f >= cfa) return;
        exit->outer = f->outer;
    }
}

void gort_goexit(void)
{
    struct g *g = lang_enter("gort_goexit");
    if (g->is_attached) throw_msg("gort_goexit on a thread of the program's own");
    lang_store_root(&g->context, NULL); /* no gort_context_run will be returned to */
    if (unwind_wanted()) unwind_and_exit(g);
    struct frame exit = { FRAME_EXIT, g->tries };
    g->tries = &exit;
    exit_scopes(g, &exit, UINTPTR_MAX);
    g->tries = NULL;
    g_exit();
}
