/* The program, its goroutines and its threads.
 *
 * Unless it says otherwise, a call is made from a goroutine and does not switch goroutines.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef GORT_GO_H
#define GORT_GO_H

#include <gort/base.h>

GORT_BEGIN_DECLS

/* Starts the runtime, runs main_fn(argc, argv) as the main goroutine and returns its result.
 * Called from the program's main thread, outside any goroutine, once per process; a second call is
 * fatal.  Returns as soon as main_fn does: goroutines that run then go on until the process exits,
 * and nothing more is scheduled.  A GORT... environment variable that can not be parsed, or a
 * runtime that can not start, is a fatal error on stderr, exit 2. */
GORT_API int gort_run(int (*main_fn)(int argc, char **argv), int argc, char **argv) GORT_NONNULL(1);

/* Starts a goroutine that runs fn(arg) and ends when fn returns.  arg is scanned by the collector.
 * Never blocks.  Memory or stacks that can not be had are fatal. */
GORT_API void gort_go(void (*fn)(void *arg), void *arg) GORT_NONNULL(1);

/* The same, with fn given its own copy of the size bytes at args (aligned to 16), scanned
 * conservatively by the collector for as long as the goroutine runs; args may be reused at once.
 * args may be NULL when size is 0.  A copy that does not fit the stack is fatal. */
GORT_API void gort_go_copy(void (*fn)(void *args), const void *args, size_t size) GORT_NONNULL(1);

/* How to start a goroutine; zero fields mean the default. */
typedef struct {
    const char *name;  /* shown in traces; copied, at most 31 bytes are kept; NULL: none */
    size_t stack_size; /* bytes, rounded up to a size the runtime offers; 0: 256 KB */
} gort_go_options;

/* gort_go with options, which are read before it returns; NULL: the defaults. */
GORT_API void gort_go_opt(const gort_go_options *options, void (*fn)(void *arg), void *arg)
    GORT_NONNULL(2);

/* Lets other goroutines run, then goes on: the caller stays runnable, at the end of the queue. */
GORT_API void gort_yield(void);

/* Ends the calling goroutine after running its deferred calls.  From the main goroutine: the
 * others go on, and when none is left that can run, that is the deadlock report. */
GORT_API void gort_goexit(void) GORT_NORETURN;

/* The number of the calling goroutine: 1 for the main one, never reused; 0 outside a goroutine. */
GORT_API uint64_t gort_goid(void);

/* How many goroutines exist now, the caller included, the runtime's own not. */
GORT_API int gort_num_goroutines(void);

/* How many goroutines may run at the same moment.  Sets it when n >= 1, for which the world stops
 * briefly; returns the former value.  n is cut to what the runtime supports. */
GORT_API int gort_max_procs(int n);

/* How many threads the runtime may make, 10,000 at the start; threads of the program's own that are
 * attached do not count.  Sets it when n >= 1; returns the former value.  Fatal when there are more
 * already, or when later one more is needed: goroutines that block, or are locked to their threads,
 * have one each. */
GORT_API int gort_set_max_threads(int n);

/* Binds the calling goroutine to the thread it runs on: it runs on no other, and no other
 * goroutine runs there.  Calls nest; as many unlocks undo them.  The end of the
 * goroutine undoes them too.  Unlock without lock is fatal. */
GORT_API void gort_lock_thread(void);
/* Undoes one gort_lock_thread. */
GORT_API void gort_unlock_thread(void);

/* Brackets a call that may block the thread (a system call, a lock of another library): other
 * goroutines run meanwhile.  gort_enter_blocking and gort_exit_blocking stand in one function, do
 * not nest, and between them the caller makes no gort call and neither loads nor stores a collected
 * pointer; bytes of pointer-free objects that it keeps reachable are fine.  Misuse is fatal. */
#define gort_enter_blocking() gort_enter_blocking_at(__builtin_frame_address(0))
/* Ends it: may wait until the collector or a processor lets the goroutine go on.  Keeps errno. */
GORT_API void gort_exit_blocking(void);
/* What gort_enter_blocking calls: frame is the caller's, as __builtin_frame_address(0) tells it. */
GORT_API void gort_enter_blocking_at(void *frame) GORT_NONNULL(1);

/* Runs fn(arg) on the thread's system stack as a blocking region, and returns when fn does.  fn
 * makes no gort call and touches collected pointers no more than between enter and exit. */
GORT_API void gort_blocking(void (*fn)(void *arg), void *arg) GORT_NONNULL(1);

/* Makes the calling thread, which the runtime did not create, a goroutine, so that it may make gort
 * calls and hold collected pointers on its stack.  May wait for a processor.  Returns 0; or -1 with
 * errno: EPERM when the runtime is not running, EALREADY when the thread runs a goroutine already,
 * ENOMEM.  A thread that exits attached is detached, after what it deferred has run. */
GORT_API int gort_thread_attach(void);
/* Undoes gort_thread_attach.  On a thread that is not attached: fatal. */
GORT_API void gort_thread_detach(void);

GORT_END_DECLS

#endif
