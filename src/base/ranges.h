/* The table of restartable ranges (Note [Restartable ranges] in gort/inline.h).
 *
 * gort_ranges_register (gort/inline.h) fills it, once per program or library; the handler of the
 * stop signal asks it where an interrupted thread has to go on.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef GORT_BASE_RANGES_H
#define GORT_BASE_RANGES_H

#include "base/config.h"

/* At most so many programs and libraries with ranges in one process. */
#define RANGES_LIBRARIES 256

/* The start of the range that holds pc strictly inside (start < pc < end), else pc itself.
 * Touches no lock and no thread-local: for signal handlers. */
uintptr_t ranges_rollback(uintptr_t pc);

/* How many libraries and ranges are registered: for statistics and tests. */
size_t ranges_library_count(void);
size_t ranges_count(void);
/* Memory of the tables, in whole pages. */
uint64_t ranges_bytes(void);

#endif
