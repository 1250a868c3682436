/* The report of the demonstration: what the load generator and the runtime measured, for people.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef KV_REPORT_H
#define KV_REPORT_H

#include "loadgen.h"

#include <stdio.h>

/* A line each second; the first call prints the heading. */
void report_second(int second, uint64_t operations);

/* seconds: how long the clients were let go.  before: the statistics at that moment. */
void report_totals(const load_totals *totals, double seconds, const gort_stats *before);

#endif
