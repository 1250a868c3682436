// A load: something a program does with memory, written once and built for each allocator.
//
// What differs between them is in port.h, of which each peer's folder (bench/gort, bench/boehm,
// bench/mimalloc) has its own:
//
//     PORT_TYPE(T, field, ...);     which fields of T are collected pointers
//     PORT_SPLIT                    into how many jobs trees splits what is one goroutine in Go
//     PORT_FREES                    whether memory is freed
//     port_new(T)                   an object with pointers; not zeroed where that costs extra
//     port_new_leaf(T)              one without; PORT_TYPE(T)
//     port_zeroed(T)                the same, zeroed by everybody
//     port_new_array(T, n)          n elements with pointers
//     port_bytes(n)                 n bytes without pointers, zeroed by Go alone
//     port_free(p)                  nothing where memory is collected
//     port_set(slot, p), port_init(slot, p)   stores of pointers; init: the first one
//     port_jobs(n, fn)              fn(0) ... fn(n - 1) on goroutines or `procs` threads; waits
//     port_lanes(n, fn)             the same, on n goroutines or n threads
//     port_queue, port_queue_make(capacity), port_send(q, p), port_recv(q)   between jobs
//     port_run(fn, argc, argv)      main: starts the runtime
//     port_collect(), port_sleep_ms(ms)   a full collection or what comes closest; waiting
//     port_in_use(), port_allocated()   bytes in spans that hold something, and allocated ever;
//                                   negative: not known
//     port_collections()            how many there were
//     port_mark_cpu()               seconds of CPU time of all marking; 0 where it is not known
//     port_pauses(stopping, &bounds, &counts)   a histogram, in seconds, of all pauses, or of their
//                                   beginnings, until all threads had stopped; 0: not known
//     PORT_STOPS, port_stop()       a stop and start of the world without a collection, if any
//     port_gc_percent(percent)      how far the heap may grow, negative: off; returns the former
//     PORT_GOROUTINES               whether jobs and lanes are goroutines
//     PORT_LOADS                    loads that only this one has, for the table in load.c
//     port_details()                prints more counters, for who wants to know where the time goes
//     port_version(text, size)
//
// Every load computes a check that depends on what it read back from the memory it was given.  The
// driver (bench/tables/driver.c) compares the checks of all programs.
//
// SPDX-License-Identifier: BSD-3-Clause
#ifndef GORT_BENCH_LOAD_H
#define GORT_BENCH_LOAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "port.h"

typedef void *port_pointer;

// What was asked for.  Set once before anything runs.
extern int load_procs;  // Ps or threads
extern bool load_quick; // a smoke run: the same in small

// Timing: begin, then end, which prints wall and CPU time, and CPU time for each of ops.
void load_begin(void);
void load_end(double ops);
// CPU time since the beginning, in milliseconds.
double load_cpu(void);
// Prints a figure of another kind.
void load_figure(const char *name, double value);
// A whole number above 0 from the environment, or what it is otherwise.
int load_setting(const char *name, int otherwise);
// Prints the check.
void load_check(uint64_t check);
// The load went wrong: says so and exits with 1.
_Noreturn void load_fail(const char *what);

// Resident memory now, in bytes.
double load_resident(void);

// Wall clock, ns.
int64_t load_now(void);
// Sorts them and returns the middle one.
double load_median(double *values, int n);

// pauses.c: pauses from begin to end, in microseconds; end prints them, as <prefix>p50, p99 and
// max, and <prefix>stopping-p50 and so on for the time until all threads had stopped.
struct load_pauses {
    double p50, p99, max;
};
void load_pauses_begin(void);
struct load_pauses load_pauses_end(const char *prefix);
// Collects n times while fn(lane) runs over and over in each of the lanes.
void load_collect_while(int lanes, int n, void (*fn)(int lane));
// Prints what a stop and start of so many working lanes takes (stop, the median), and by how much
// p50 is above it (over-stop), in microseconds.  No more lanes than Ps: others would only wait.
void load_stop(int lanes, double p50);

// Pseudo-random numbers, the same in every program: 31 bits.
static inline uint32_t load_random(uint64_t *state)
{
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(*state >> 33);
}

static inline uint64_t load_mix(uint64_t sum, uint64_t value)
{
    return (sum ^ value) * 0x9E3779B97F4A7C15u + (sum >> 29);
}

void small_run(const char *variant);
void large_heap_run(void);
void trees_run(bool pauses);
void larson_run(void);
void xmalloc_run(void);
void scratch_run(void);
void cfrac_run(void);
void espresso_run(void);
void fragment_run(bool runs, bool busy);
void marking_run(bool randomly);
void ring_run(void);
void nodes_run(bool randomly);
void heap_run(void);
void garbage_run(int lanes);

#endif
