/* Looking into a running program: the machine it is on, and what its goroutines are doing.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef GORT_INSPECT_H
#define GORT_INSPECT_H

#include <gort/base.h>

GORT_BEGIN_DECLS

/* What the runtime knows of the machine and of itself. */
typedef struct {
    int cpus;              /* that the process may use: its affinity mask */
    double cpu_quota;      /* CPUs that the container allows; 0: as many as there are */
    int procs;             /* goroutines that may run at the same moment; 0 before gort_run */
    size_t page_size;      /* of memory, in bytes */
    size_t huge_page_size; /* in bytes; 0: the kernel has none, or gives none to the process */
    const char *arch;      /* "amd64" */
    const char *os;        /* "linux" */
    const char *version;   /* of the library, as "0.1.0" */
} gort_machine;

/* Fills *out with the present state.  Works on any thread, before gort_run too; reads files of the
 * kernel, and does not park. */
GORT_API void gort_read_machine(gort_machine *out) GORT_NONNULL(1);

/* Writes every goroutine of the program to a descriptor as text, like the report of a deadlock: its
 * state and why and how long it waits, its stack, where it was created.  The caller comes first.
 * The world is stopped while the text is made, about 20 us for each goroutine; at most 64 MB are
 * kept, and what is beyond that is counted.  Returns 0, or -1 with errno: what gort_write says, or
 * ENOMEM.  Parks the goroutine while the descriptor takes no more.  SIGQUIT prints the same to
 * standard error, and ends the process with 2. */
GORT_API int gort_goroutines_write(int fd);

/* Finds goroutines that can never run again: what they wait for (channels, or mutexes and the like,
 * in collected memory) can be reached only by goroutines in the same state.  Writes each of them to
 * a descriptor, in the form of gort_goroutines_write; fd negative: nowhere.  Returns how many there
 * are.  One that is counted can not wake up; one that some stale word seems to reach is not
 * counted.  -1 with errno: EBUSY while there are threads that gort does not know, since they may
 * hold anything; ENOTSUP where the memory of the process can not be looked through, as under
 * AddressSanitizer; ENOMEM; what gort_write says.  Waits for a collection that runs; stops the
 * world while all memory is looked through; parks the goroutine while the descriptor takes no
 * more. */
GORT_API int gort_goroutines_leaked(int fd);

GORT_END_DECLS

#endif
