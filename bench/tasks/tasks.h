// A load of goroutines: something that programs do with them, written once and built for gort and
// for C's libraries of coroutines.
//
// What differs between them is in port.h, of which each peer's folder has its own
// (bench/<peer>/tasks):
//
//     PORT_NAME                     for messages
//     PORT_THREADS                  whether more than one processor is used
//     PORT_BUFFERS, PORT_SELECT     whether there are channels with room, and select
//     PORT_MANY                     whether there may be a million tasks: elsewhere a guard for
//                                   each is more mappings than the kernel allows
//     PORT_LOADS                    loads that only this one has, for the table in tasks.c
//     port_chan                     a channel of words
//     port_chan_make(capacity)
//     port_chan_set(slot, c)        a store of a channel into memory that others see
//     port_chans_make(slot, n)      an array of n of them, in a global variable
//     port_send(c, value), port_recv(c)
//     port_select(chans, n)         receives from any of n (constant) channels
//     port_go(fn, arg)              arg outlives the call
//     port_yield()
//     port_group, port_group_add(g, n), port_group_done(g), port_group_wait(g)   zeroed at first
//     port_run(fn, argc, argv)      main: starts the runtime
//     port_version(text, size)
//
// Every load computes a check of what it received; the driver compares those of all programs.
//
// SPDX-License-Identifier: BSD-3-Clause
#ifndef GORT_BENCH_TASKS_H
#define GORT_BENCH_TASKS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "port.h"

// What was asked for.  Set once before anything runs.
extern int tasks_procs;
extern bool tasks_quick; // a smoke run: the same in small

// n, or a twentieth of it in a smoke run.
int tasks_count(int n);
// Timing: begin, then end, which prints wall and CPU time, and both for each of ops.
void tasks_begin(void);
void tasks_end(double ops);
// CPU time since the beginning, in ns; wall clock, in ns.
double tasks_cpu(void);
int64_t tasks_now(void);
// Prints a figure of another kind; prints the check.
void tasks_figure(const char *name, double value);
void tasks_check(uint64_t check);
// The load went wrong: says so and exits with 1.
_Noreturn void tasks_fail(const char *what);
// fn(arg) in n tasks at a time; waits for them all.
void tasks_join(int n, void (*fn)(void *));
// How many tasks the load has: the number behind the last '-' of its name.
int tasks_number(void);

static inline uint64_t tasks_mix(uint64_t sum, uint64_t value)
{
    return (sum ^ value) * 0x9E3779B97F4A7C15u + (sum >> 29);
}

// switch.c
void yield_run(void);
void spawn_run(void);
void trip_run(void);
void element_run(void);
void buffered_run(void);
void select_ready_run(void);
void select_blocking_run(void);
// programs.c
void skynet_run(void);
void thread_ring_run(void);
void sieve_run(void);
void chameneos_run(void);
void ping_pong_run(void);
void big_run(void);
void bounded_run(void);

#endif
