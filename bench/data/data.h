// What the files of the program data share. Each measures some lines; so do the files of the same
// names in bench/go/data, with what Go has. A line is measured once a round, in turn with Go's.
//
// SPDX-License-Identifier: BSD-3-Clause
#ifndef GORT_BENCH_DATA_H
#define GORT_BENCH_DATA_H

#include <gort.h>

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

// Repetitions, fewer in a smoke run.
int data_count(int n);

// Nanoseconds of the wall clock, and of the whole process's CPU time since the start.
int64_t data_now(void);
int64_t data_cpu(void);
// One measurement of a line.
void data_add(const char *name, double value);

void measure_slices(void);
void measure_text(void);

// What was computed goes here, so that it is computed.
extern volatile uint64_t data_sink;

#endif
