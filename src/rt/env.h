/* The environment variables: read once, before anything else, strictly.
 *
 * A value that can not be parsed is an error, never a default: a mistyped knob must not be found
 * out by a slow server a month later.  An empty value counts as unset.
 *
 * Answers to: parsedebugvars in runtime1.go, readGOGC and readGOMEMLIMIT in mgcpacer.go.
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef GORT_RT_ENV_H
#define GORT_RT_ENV_H

#include "base/config.h"

/* GORTTRACEBACK: what a fatal report shows. */
enum traceback_level {
    TRACEBACK_NONE,   /* the message alone */
    TRACEBACK_SINGLE, /* and the goroutine that failed */
    TRACEBACK_ALL,    /* and every other one of the program */
    TRACEBACK_SYSTEM, /* and the runtime's own, with the runtime's frames */
    TRACEBACK_CRASH,  /* and a core file */
    TRACEBACK_LEVELS
};

#define ENV_AUTO UINT64_MAX

/* Each field of the second part is the GORTDEBUG name in the comment; 0 is off. */
struct env {
    int gc_percent; /* GORTGC; negative: off */
    int procs;      /* GORTMAXPROCS */
    bool procs_given;
    uint64_t memory_limit; /* GORTMEMLIMIT; UINT64_MAX: none */
    enum traceback_level traceback;
    bool seed_given;
    bool deterministic_given;
    const char *mem_profile; /* GORTMEMPROFILE; NULL: none */
    bool profilerate_given;

    uint64_t gctrace;        /* a line for each collection */
    uint64_t gcperiod;       /* milliseconds without a collection that force one; 0: two minutes */
    uint64_t goleaks;        /* 1: goroutines that wait for ever are reported after collections */
    uint64_t schedtrace;     /* a line on the scheduler every so many milliseconds; 0: none */
    uint64_t scheddetail;    /* and one for each P, M and G */
    uint64_t updatemaxprocs; /* 0: the number of Ps does not follow quota and affinity; default 1 */
    uint64_t boottrace;      /* a line for each step of boot */
    uint64_t gcstress;       /* collect at every n-th allocation */
    uint64_t gcsmall;        /* small heaps are marked in one stop; ENV_AUTO: but for gcstress */
    uint64_t gcstoptheworld; /* 1: mark stopped; 2: sweep stopped too */
    uint64_t gcpacertrace;   /* the pacer's lines at every cycle */
    uint64_t gccheck;        /* validate heap and marks in every cycle */
    uint64_t gccolors;       /* samples of the colours of objects in each cycle */
    uint64_t gccheckmark;    /* find everything reachable once more in every cycle */
    uint64_t clobberfree;    /* overwrite freed memory */
    uint64_t efence;         /* each object its own pages, which are never used again */
    uint64_t poison;         /* tell sanitizers what memory is free; ENV_AUTO: when there are any */
    uint64_t allocfreetrace; /* print each allocation and free */
    uint64_t leaks;          /* a report of what is left when the main function returns */
    uint64_t randyield;      /* yield at one in n calls that may block */
    uint64_t migrate;    /* every goroutine made ready goes to the global queue; 2: the only one */
    uint64_t mutexcheck; /* pthread mutexes held over a park are fatal */
    uint64_t
        scavstress; /* give memory back at every n-th taking of it, and always in the background */
    uint64_t scavtrace;     /* a line for each collection on memory given back */
    uint64_t sweeptrace;    /* a line for each sweep */
    uint64_t lend;          /* 1: all blocking regions keep their P at first; 2: none */
    uint64_t slice;         /* microseconds a computation may hold its P; 0: the default */
    uint64_t tinyrunq;      /* run queues of 4 */
    uint64_t seed;          /* of all random choices */
    uint64_t deterministic; /* the same, and of the order in which goroutines run */
    uint64_t stopsignal;    /* number of the signal that stops threads */
    uint64_t profilerate;   /* memprofilerate: bytes for each sample; 1: every allocation */
    uint64_t mapfail;       /* the n-th mapping call fails */
    uint64_t mapfailfrom;   /* and all later ones */
    uint64_t threadfail;    /* the n-th and all later creations of a thread fail */
};

/* The process's settings: set by boot, constant afterwards; before that, the defaults. */
extern struct env env;

/* Fills *e from `get` (secure_getenv, or a test's).  false: error holds one line that names the
 * variable, its value and what is allowed. */
bool env_parse(struct env *e, const char *(*get)(const char *name), char *error, size_t n);
/* Reads the process's environment into env; a bad value ends the process with 2. */
void env_read(void);
/* Completes the settings by what depends on the machine, and hands them to the floors that they are
 * for, before these start. */
void env_apply(struct env *e);

#endif
