// What maps cost: the same operations on the maps of gort and of its peers.
//
// Each peer's folder has a maps/port of its own, which defines how it does things and includes
// body.h, where the measured loops are, once for each kind of key.  Keys are random; those that are
// looked for are copies in memory of their own, in another order, so that nobody profits from equal
// addresses or from neighbours.  What is looked for is prepared before, at most a million; with few
// entries loops repeat.
//
// SPDX-License-Identifier: BSD-3-Clause
#ifndef GORT_BENCH_MAPS_H
#define GORT_BENCH_MAPS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct maps_text {
    const char *start;
    size_t size;
} maps_text;

// What was asked for.
struct maps_job {
    size_t entries;
    size_t lookups; // in wanted and missing
    size_t rounds;  // of everything
    uint64_t *ints, *wanted_ints, *missing_ints;
    maps_text *texts, *wanted_texts, *missing_texts;
};

// Begins to measure; ends, and adds CPU time for each of ops to a figure.
void maps_begin(void);
void maps_end(const char *figure, double ops);
// Operations each by itself: called before the first and after each; then the longest become
// figures, in microseconds: by the wall clock; by the thread's CPU time, without what others had of
// the processor; by the same, of those for which the kernel brought no memory.
void maps_each_begin(void);
void maps_each(void);
void maps_each_end(void);
void maps_check(uint64_t value);

// The port's.
void maps_ints(const struct maps_job *job);
void maps_texts(const struct maps_job *job);
void maps_grow(const struct maps_job *job);
void maps_version(char *text, size_t size);
int maps_run(int (*fn)(int argc, char **argv), int argc, char **argv);

#ifdef __cplusplus
}
#endif

#endif
