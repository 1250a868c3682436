/* Unwinding: cleanups of the frames that a panic or an exit leaves behind.
 *
 * What it is: where code was compiled with -fexceptions (C++ always is), variables with the cleanup
 * attribute, and destructors, are honoured, by the same forced unwinding that ends a cancelled
 * thread.
 *
 * Why only there: unwinding costs a microsecond a frame, a jump some nanoseconds in all; and a
 * program without -fexceptions has nothing to run.  Whether there is such code the header tells:
 * each file that is compiled so defines gort_frames_have_cleanups_, a weak symbol, of which this
 * file has a weak reference.  Rejected: to ask the unwinder whether a frame has cleanups, which is
 * the cost itself.
 *
 * Note [Order of unwinding].  Deferred calls and cleanups run in the order of the frames, the
 * innermost first; of one frame the scoped calls, then the cleanups.  The unwinder asks at each
 * frame, before that frame's cleanups run, and names its stack pointer (cfa).  Then the scoped
 * calls of that frame and of those inside are run.  Calls of gort_defer belong to no frame: they
 * run as soon as they are the latest.  Scoped calls are not left to the cleanups that end their
 * blocks, though those would run them in their exact turn: compilers end the program where a
 * cleanup panics or exits (clang's C, and all C++), and a deferred call may do both.
 *   Which frame a scoped call lies in is found by a walk over the frames before the first is left
 * (mark_frames), and written in its record, where the beginning of the block wrote nothing.  If the
 * walk ends early, for want of tables, the rest is run on arrival.  Who asks for the calls of some
 * frames (defers_run) has had all marked that were on the list.  Those deferred since are on it no
 * more: a deferred call, or a cleanup, that returns has ended its blocks, and a panic out of it
 * marks anew.
 *
 * Note [Frames that are gone].  A cleanup runs in its frame: the stack below is used anew.  So what
 * must last until the end can not lie where the panic began:
 *   - of a panic it lies in the gort_try's frame (raised, exception);
 *   - of an exit it is a collected object, which the unwinder's frames, and those of the cleanups,
 *     have a pointer to, as the unwinder handed it to them;
 *   - a scoped call, or a TRY frame, of a frame up to cfa is intact when the unwinder asks: it asks
 *     at every frame, and cuts the stack back only after that.
 * A panic out of a cleanup, or of a deferred call here, is one more that goes to the same gort_try;
 * the unwinding it came out of is abandoned as any frame is.
 *
 * A frame without unwind tables ends the unwinder's knowledge: the rest of the deferred calls run,
 * and the cleanups of the frames outside of it do not.
 *
 * Note [Exceptions].  C++ keeps for each goroutine the exceptions that are being handled, and how
 * many are under way.  A catch (...) that throws on what it did not know counts one that nobody
 * will catch, since forced unwinding ends a thread there.  So the record is what it was when the
 * gort_try began.
 *
 * Locking: none.  Answers to: nothing; nptl's unwind.c does the same for pthread_exit.
 * SPDX-License-Identifier: BSD-3-Clause
 */
#include <string.h>

#include "base/throw.h"
#include "gort/mem.h"
#include "heap/arena.h"
#include "lang/panic_frames.h"
#include "sched/sanitize.h"

extern const char gort_frames_have_cleanups_ __attribute__((__weak__));

struct exit_frame {
    struct frame frame;
    struct g *g;
    struct _Unwind_Exception exception;
};

bool unwind_wanted(void)
{
    return &gort_frames_have_cleanups_ != NULL;
}

extern uintptr_t *__cxa_get_globals(void) __attribute__((__weak__));

/* Apart: the record is the thread's. */
never_inline void unwind_exceptions_save(struct try_frame *t)
{
    if (__cxa_get_globals != NULL) memcpy(t->exceptions, __cxa_get_globals(), sizeof t->exceptions);
}

never_inline void unwind_exceptions_restore(const struct try_frame *t)
{
    if (__cxa_get_globals != NULL) memcpy(__cxa_get_globals(), t->exceptions, sizeof t->exceptions);
}

/* Who catches must throw on: a catch (...) of C++ that did not. */
static void swallowed(_Unwind_Reason_Code reason, struct _Unwind_Exception *e)
{
    (void)reason;
    (void)e;
    throw_msg("a catch (...) ended a panic or a goexit: it must throw it on");
}

static void exception_init(struct _Unwind_Exception *e)
{
    memset(e, 0, sizeof *e);
    memcpy(&e->exception_class, "GORTGORT", sizeof e->exception_class);
    e->exception_cleanup = swallowed;
}

/* By the address, since the beginning of a block is the path that must be short. */
static bool is_scoped(const struct defer *d)
{
    return span_of((uintptr_t)d) == NULL;
}

struct marking {
    struct defer *next; /* not marked yet; they lie in order */
    const struct defer *base;
    uintptr_t frame; /* the former one's cfa */
};

static bool mark_up_to(struct marking *m, uintptr_t cfa)
{
    for (; m->next != m->base; m->next = m->next->next) {
        if (m->next->frame == 0) continue;
        if ((uintptr_t)m->next >= cfa) return true;
        m->next->frame = m->frame;
    }
    return false;
}

static _Unwind_Reason_Code mark_frame(struct _Unwind_Context *c, void *arg)
{
    struct marking *m = arg;
    uintptr_t cfa = _Unwind_GetCFA(c);
    if (!mark_up_to(m, cfa)) return _URC_END_OF_STACK;
    m->frame = cfa;
    return _URC_NO_REASON;
}

/* Note [Order of unwinding] */
static never_inline void mark_frames(struct g *g, const struct defer *base)
{
    struct marking m = { g->defers, base, 0 };
    for (struct defer *d = g->defers; d != base; d = d->next)
        if (is_scoped(d)) d->frame = UINTPTR_MAX;
    if (mark_up_to(&m, 0)) _Unwind_Backtrace(mark_frame, &m);
    __asm__ volatile(""); /* not a tail call */
}

_Noreturn static void unwind(struct _Unwind_Exception *e, _Unwind_Stop_Fn stop, void *arg)
{
    exception_init(e);
    sanitize_unwinding();
    _Unwind_ForcedUnwind(e, stop, arg);
    throw_msg("the frames of a panic can not be unwound");
}

/* ---- to a gort_try --------------------------------------------------------------------------- */

static _Unwind_Reason_Code at_frame_of_try(int version, _Unwind_Action actions,
                                           _Unwind_Exception_Class class,
                                           struct _Unwind_Exception *e, struct _Unwind_Context *c,
                                           void *arg)
{
    (void)version;
    (void)class;
    (void)e;
    struct try_frame *t = arg;
    uintptr_t cfa = _Unwind_GetCFA(c);
    if ((actions & _UA_END_OF_STACK) != 0 || cfa > (uintptr_t)t) panic_arrive(t, &t->raised);
    (void)defers_run(t->g, t->base, cfa);
    return _URC_NO_REASON;
}

void unwind_to_try(struct try_frame *t, const struct panic_frame *p)
{
    t->raised = *p;
    t->raised.frame.outer = &t->frame; /* what lay between is dropped */
    t->g->tries = &t->raised.frame;
    mark_frames(t->g, t->base);
    unwind(&t->exception, at_frame_of_try, t);
}

/* ---- to the end of the goroutine ------------------------------------------------------------- */

static _Unwind_Reason_Code at_frame_of_exit(int version, _Unwind_Action actions,
                                            _Unwind_Exception_Class class,
                                            struct _Unwind_Exception *e, struct _Unwind_Context *c,
                                            void *arg)
{
    (void)version;
    (void)class;
    (void)e;
    struct exit_frame *x = arg;
    if ((actions & _UA_END_OF_STACK) == 0) {
        exit_scopes(x->g, &x->frame, _Unwind_GetCFA(c));
        return _URC_NO_REASON;
    }
    exit_scopes(x->g, &x->frame, UINTPTR_MAX);
    x->g->tries = NULL;
    g_exit();
}

void unwind_and_exit(struct g *g)
{
    struct exit_frame *x = gort_alloc(sizeof *x);
    x->frame = (struct frame){ FRAME_EXIT, g->tries };
    x->g = g;
    g->tries = &x->frame;
    mark_frames(g, NULL);
    unwind(&x->exception, at_frame_of_exit, x);
}
