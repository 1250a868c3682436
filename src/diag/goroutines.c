/* gort_goroutines_write: what all goroutines are doing.
 *
 * The world is stopped, so that those that run have traces and those that wait stay where they are;
 * the text is made then, in memory, and written when the world runs again (text.c).
 *
 * The unwinder must not ask the loader for its lock, which a stopped thread may hold: where it
 * would (C libraries before glibc 2.35) only goroutines that wait have traces, and the caller.
 *
 * Answers to: runtime.Stack, goroutineheader, tracebackothers in mprof.go and traceback.go.
 * SPDX-License-Identifier: BSD-3-Clause
 */
#include <errno.h>

#include "diag/callstack.h"
#include "diag/text.h"
#include "diag/traceback.h"
#include "gort/inspect.h"
#include "os/os.h"
#include "sched/sched.h"
#include "sched/stw.h"

#define TEXT_LEAST (256 * KB)
#define TEXT_PER_GOROUTINE (16 * KB) /* more than 60 frames take */
#define TEXT_PER_NEWBORN 512         /* that, and who started it */
#define TEXT_MOST (64 * MB)

/* System stack. */
static void write_stopped(void *arg)
{
    struct text *text = arg;
    const struct g *self = m_self()->curg;
    struct traceback t = { .out = &text->out, .stopped = callstack_is_lock_free() };
    world_stop(STOP_STATS, NULL);
    traceback_caller(&t, self);
    traceback_others(&t, self);
    world_start();
}

static size_t room_for_all(void)
{
    uint64_t bytes = TEXT_LEAST + (uint64_t)g_table_size() * TEXT_PER_GOROUTINE +
                     (uint64_t)newborns_table_size() * TEXT_PER_NEWBORN;
    return bytes < TEXT_MOST ? bytes : TEXT_MOST;
}

/* On its own: the switches of text_write must not meet an address of errno. */
static never_inline int fail(int error)
{
    errno = error;
    return -1;
}

int gort_goroutines_write(int fd)
{
    struct text text;
    g_require("gort_goroutines_write");
    if (!text_begin(&text, room_for_all())) return fail(ENOMEM);
    call_on_system_stack(write_stopped, &text);
    if (text.lost != 0) {
        text.n -= 64; /* of a last frame */
        print_fmt(&text.out, "\n... %lu bytes more\n", (unsigned long)text.lost);
    }
    int error = text_write(&text, fd);
    text_end(&text);
    return error == 0 ? 0 : fail(error);
}
