// Runs loads (bench/loads, bench/tasks) on gort and its peers, and prints a table of the figures
// they give.
//
// A driver measures nothing itself.  Each line of its table asks for a load, which each of gort and
// its peers runs as a process of its own, <peer>/loads or <peer>/tasks: so they have the same
// start, the same clock, and their own peak of memory.  They take turns, several times, and of the
// runs of each the median counts.  Where lines differ in what they show of the same load, it is run
// once for all.
//
// On a virtual machine memory that was freed may have gone back to the host, and comes again when it
// is touched, which then takes many times what is to be measured.  Where a table says how much
// memory the programs of a line take new from the kernel, the driver touches and frees as much
// before each of them.
//
// A program that was not built, or does not have the load, shows as "-".  Programs that disagree on
// the load's check, that fail, or take more than ten minutes, end the benchmark with status 1.
//
// A goal is what gort's figure may be at most of the peer's; in the column of gort it is absolute.
//
// SPDX-License-Identifier: BSD-3-Clause
#ifndef GORT_BENCH_DRIVER_H
#define GORT_BENCH_DRIVER_H

#include "../bench.h"

struct driver_line {
    const char *name, *load;
    int procs;
    const char *figure, *unit; // of those that the load prints; "peak" is added here
    double goal[BENCH_WHO];    // 0: none
    bool once;                 // too long to repeat
    const char *debug;         // not NULL: gort only, with this in GORTDEBUG; not in the main table
};

struct driver_table {
    const char *name; // of the program
    const struct driver_line *lines;
    int count;           // at most BENCH_LINES
    const char *program; // of each peer; NULL: loads
    int runs;            // unless --runs says something else
    bool together;       // in lines that run once all programs run at the same time
    int (*fresh_mb)(const struct driver_line *l); // see above; NULL: none
    bool takes[BENCH_WHO];                        // who has a column
    void (*before)(void);                         // before anything runs; may be NULL
    void (*after)(void);                          // after the main table; may be NULL
    const char *extra_name;                       // of what is no line; NULL: there is nothing
    void (*extra)(void); // the last, when it was asked for, as everything else is by default
};

// main: NAME [--quick] [--runs N] [--list] [LINE ...]      LINE: the beginning of a line's name
int driver_main(const struct driver_table *t, int argc, char **argv);

// For before and after.
// Megabytes that programs may still have.
double driver_available_mb(void);
// Has a setting that the user did not make, in the environment; says when it is less than it should
// be.
void driver_scale(const char *name, const char *what, double wanted, double possible);
bool driver_is_quick(void);
// The median of a line; false when there is none.
bool driver_value(const char *line, enum bench_who who, double *value);

#endif
