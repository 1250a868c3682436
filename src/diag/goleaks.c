/* Goroutines that wait for ever: gort_goroutines_leaked, and GORTDEBUG=goleaks=1, which looks after
 * each collection and reports each such goroutine once.
 *
 * Which they are is found by gc/stuck.c, in a stop; they are printed in it too, since others may be
 * made afterwards in their places of the table.
 *
 * Answers to: the goroutineleak profile in mprof.go.
 * SPDX-License-Identifier: BSD-3-Clause
 */
#include <errno.h>
#include <unistd.h>

#include "diag/events.h"
#include "diag/text.h"
#include "diag/traceback.h"
#include "gc/stuck.h"
#include "gort/inspect.h"
#include "rt/env.h"
#include "sched/sched.h"

#define TEXT_BYTES (16 * MB)

/* ---- by call --------------------------------------------------------------------------------- */

static void print_leaked(struct g *g, void *text)
{
    struct traceback t = { .out = &((struct text *)text)->out, .stopped = true };
    traceback_other(&t, g);
}

static void no_print(struct g *g, void *unused)
{
    (void)g;
    (void)unused;
}

static never_inline int fail(int error)
{
    errno = error;
    return -1;
}

int gort_goroutines_leaked(int fd)
{
    struct text text;
    int error = 0;
    g_require("gort_goroutines_leaked");
    if (fd >= 0 && !text_begin(&text, TEXT_BYTES)) return fail(ENOMEM);
    long n = stuck_find(fd >= 0 ? print_leaked : no_print, &text);
    if (fd >= 0) {
        error = text_write(&text, fd);
        text_end(&text);
    }
    if (n < 0) return fail((int)-n);
    return error == 0 ? (int)n : fail(error);
}

/* ---- after collections ----------------------------------------------------------------------- */

static void report_once(struct g *g, void *arg)
{
    struct print *out = arg;
    struct traceback t = { .out = out, .stopped = true };
    if (g->leak_told) return;
    g->leak_told = true;
    print_fmt(out, "gort: goroutine leak: nobody can wake goroutine %lu any more:\n",
              (unsigned long)g->goid);
    traceback_other(&t, g);
    print_fmt(out, "\n");
}

void goleaks_after_cycle(void)
{
    static bool told;
    struct print out;
    print_init(&out, STDERR_FILENO);
    long n = stuck_find_locked(report_once, &out);
    if (n < 0 && !told) {
        told = true;
        print_fmt(&out, "gort: goleaks: can not tell: %s\n",
                  n == -EBUSY ? "there are threads that gort does not know"
                              : "the process's memory can not be looked through");
    }
    print_flush(&out);
}
