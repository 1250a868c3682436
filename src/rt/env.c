/* Reading the environment: see env.h.
 *
 * Numbers are decimal digits and nothing else: no sign, no blank, no prefix.
 * SPDX-License-Identifier: BSD-3-Clause
 */
#include "rt/env.h"

#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "base/print.h"
#include "base/race.h"
#include "base/random.h"
#include "base/throw.h"
#include "base/tls.h"
#include "os/os.h"
#include "rt/procs.h"
#include "sched/sched.h"
#include "sched/stw.h"

#define DEFAULT_PERCENT 100
#define DETERMINISTIC_YIELD 4 /* one in so many calls that may block yields first */
#define EXIT_BAD_ENVIRONMENT 2

#define DEFAULTS                                                                                   \
    {                                                                                              \
        .gc_percent = DEFAULT_PERCENT, .memory_limit = UINT64_MAX, .traceback = TRACEBACK_SINGLE,  \
        .gcsmall = ENV_AUTO, .poison = ENV_AUTO, .updatemaxprocs = 1                               \
    }
struct env env = DEFAULTS;

/* ---- pieces of text ------------------------------------------------------------------------- */

struct text {
    const char *s;
    size_t n;
};

static bool text_is(struct text t, const char *word)
{
    return strlen(word) == t.n && memcmp(t.s, word, t.n) == 0;
}

/* The part up to `separator`, which is taken off *rest along with it. */
static struct text text_cut(struct text *rest, char separator)
{
    const char *at = memchr(rest->s, separator, rest->n);
    struct text head = { rest->s, at == NULL ? rest->n : (size_t)(at - rest->s) };
    size_t used = at == NULL ? rest->n : head.n + 1;
    rest->s += used;
    rest->n -= used;
    return head;
}

/* All of t is a number of at most max. */
static bool text_number(struct text t, uint64_t max, uint64_t *out)
{
    uint64_t v = 0;
    if (t.n == 0) return false;
    for (size_t i = 0; i < t.n; i++) {
        unsigned digit = (unsigned)t.s[i] - '0';
        if (digit > 9 || v > (max - digit) / 10 || digit > max) return false;
        v = v * 10 + digit;
    }
    *out = v;
    return true;
}

/* Bytes, with a suffix of powers of 1024. */
static bool text_bytes(struct text t, uint64_t *out)
{
    static const struct {
        const char *suffix;
        unsigned shift;
    } units[] = { { "KiB", 10 }, { "MiB", 20 }, { "GiB", 30 }, { "TiB", 40 }, { "B", 0 } };
    for (size_t i = 0; i < array_len(units); i++) {
        size_t n = strlen(units[i].suffix);
        if (t.n < n || memcmp(t.s + t.n - n, units[i].suffix, n) != 0) continue;
        struct text digits = { t.s, t.n - n };
        if (!text_number(digits, (uint64_t)INT64_MAX >> units[i].shift, out)) return false;
        *out <<= units[i].shift;
        return true;
    }
    return text_number(t, INT64_MAX, out);
}

/* ---- one variable each ----------------------------------------------------------------------- */

struct reading {
    struct env *e;
    struct text value;
    char *error;
    size_t error_size;
    const char *variable;
};

static bool bad(struct reading *r, const char *allowed)
{
    format_into(r->error, r->error_size, "gort: %s=%.*s: expected %s", r->variable, (int)r->value.n,
                r->value.s, allowed);
    return false;
}

static bool read_gc(struct reading *r)
{
    uint64_t percent;
    if (text_is(r->value, "off")) {
        r->e->gc_percent = -1;
        return true;
    }
    if (!text_number(r->value, INT_MAX, &percent))
        return bad(r, "a percentage (a whole number from 0) or \"off\"");
    r->e->gc_percent = (int)percent;
    return true;
}

static bool read_memory_limit(struct reading *r)
{
    uint64_t bytes;
    if (text_is(r->value, "off")) return true;
    if (!text_bytes(r->value, &bytes))
        return bad(r, "a number of bytes, with or without one of the suffixes B, KiB, MiB, GiB, "
                      "TiB, or \"off\"");
    if (bytes != INT64_MAX) r->e->memory_limit = bytes; /* as gort_set_memory_limit */
    return true;
}

#define STRING_(x) #x
#define STRING(x) STRING_(x)

static bool read_procs(struct reading *r)
{
    uint64_t n;
    if (!text_number(r->value, MAX_PROCS, &n) || n == 0)
        return bad(r, "a whole number from 1 to " STRING(MAX_PROCS));
    r->e->procs = (int)n;
    r->e->procs_given = true;
    return true;
}

static bool read_traceback(struct reading *r)
{
    static const char *const names[TRACEBACK_LEVELS] = { "none", "single", "all", "system",
                                                         "crash" };
    for (int i = 0; i < TRACEBACK_LEVELS; i++) {
        if (!text_is(r->value, names[i])) continue;
        r->e->traceback = (enum traceback_level)i;
        return true;
    }
    return bad(r, "none, single, all, system or crash");
}

/* Whether the file can be written shows when src/diag is configured. */
static bool read_mem_profile(struct reading *r)
{
    r->e->mem_profile = r->value.s;
    return true;
}

/* ---- GORTDEBUG ------------------------------------------------------------------------------- */

#define SIGNAL_LEAST 1
#define SIGNAL_MOST 64

static const struct knob {
    const char *name;
    size_t field;
    uint64_t min, max;
} knobs[] = {
    { "allocfreetrace", offsetof(struct env, allocfreetrace), 0, UINT32_MAX },
    { "boottrace", offsetof(struct env, boottrace), 0, 1 },
    { "clobberfree", offsetof(struct env, clobberfree), 0, 1 },
    { "deterministic", offsetof(struct env, deterministic), 0, UINT64_MAX },
    { "efence", offsetof(struct env, efence), 0, 1 },
    { "gccheck", offsetof(struct env, gccheck), 0, 1 },
    { "gccheckmark", offsetof(struct env, gccheckmark), 0, 1 },
    { "gccolors", offsetof(struct env, gccolors), 0, 62 }, /* COLORS_MOST */
    { "gcpacertrace", offsetof(struct env, gcpacertrace), 0, 1 },
    { "gcsmall", offsetof(struct env, gcsmall), 0, 1 },
    { "gcstoptheworld", offsetof(struct env, gcstoptheworld), 0, 2 },
    { "gcstress", offsetof(struct env, gcstress), 0, UINT32_MAX },
    { "gcperiod", offsetof(struct env, gcperiod), 0, UINT32_MAX },
    { "gctrace", offsetof(struct env, gctrace), 0, 1 },
    { "goleaks", offsetof(struct env, goleaks), 0, 1 },
    { "leaks", offsetof(struct env, leaks), 0, UINT32_MAX },
    { "mapfail", offsetof(struct env, mapfail), 0, UINT32_MAX },
    { "mapfailfrom", offsetof(struct env, mapfailfrom), 0, UINT32_MAX },
    { "memprofilerate", offsetof(struct env, profilerate), 0, INT64_MAX },
    { "migrate", offsetof(struct env, migrate), 0, 2 },
    { "mutexcheck", offsetof(struct env, mutexcheck), 0, 1 },
    { "poison", offsetof(struct env, poison), 0, 1 },
    { "randyield", offsetof(struct env, randyield), 0, UINT32_MAX },
    { "scavstress", offsetof(struct env, scavstress), 0, UINT32_MAX },
    { "scavtrace", offsetof(struct env, scavtrace), 0, 1 },
    { "scheddetail", offsetof(struct env, scheddetail), 0, 1 },
    { "schedtrace", offsetof(struct env, schedtrace), 0, UINT32_MAX },
    { "seed", offsetof(struct env, seed), 0, UINT64_MAX },
    { "stopsignal", offsetof(struct env, stopsignal), SIGNAL_LEAST, SIGNAL_MOST },
    { "sweeptrace", offsetof(struct env, sweeptrace), 0, 1 },
    { "threadfail", offsetof(struct env, threadfail), 0, UINT32_MAX },
    { "slice", offsetof(struct env, slice), 10, 10000000 },
    { "lend", offsetof(struct env, lend), 0, 2 },
    { "tinyrunq", offsetof(struct env, tinyrunq), 0, 1 },
    { "updatemaxprocs", offsetof(struct env, updatemaxprocs), 0, 1 },
};

static const struct knob *knob_find(struct text name)
{
    for (size_t i = 0; i < array_len(knobs); i++)
        if (text_is(name, knobs[i].name)) return &knobs[i];
    return NULL;
}

static bool bad_name(struct reading *r, struct text name)
{
    size_t used =
        format_into(r->error, r->error_size, "gort: GORTDEBUG=%.*s: \"%.*s\" is not one of",
                    (int)r->value.n, r->value.s, (int)name.n, name.s);
    for (size_t i = 0; i < array_len(knobs) && used < r->error_size; i++)
        used += format_into(r->error + used, r->error_size - used, "%s %s", i == 0 ? "" : ",",
                            knobs[i].name);
    return false;
}

static bool bad_knob(struct reading *r, const struct knob *k)
{
    char allowed[96];
    format_into(allowed, sizeof allowed, "%s=N with N a whole number from %lu to %lu", k->name,
                (unsigned long)k->min, (unsigned long)k->max);
    return bad(r, allowed);
}

/* Signals that can not be caught, or that mean something else to the runtime or to libc. */
static bool signal_is_taken(uint64_t n)
{
    return n == SIGKILL || n == SIGSTOP || n == SIGSEGV || n == SIGBUS || n == SIGFPE ||
           n == SIGILL || n == SIGABRT || n == 32 || n == 33;
}

static bool read_knob(struct reading *r, struct text pair)
{
    struct text name = text_cut(&pair, '=');
    const struct knob *k = knob_find(name);
    uint64_t v;
    if (k == NULL) return bad_name(r, name);
    if (!text_number(pair, k->max, &v) || v < k->min) return bad_knob(r, k);
    if (k->field == offsetof(struct env, stopsignal) && signal_is_taken(v))
        return bad(r, "a stopsignal that programs may catch and neither faults nor libc use");
    if (k->field == offsetof(struct env, seed)) r->e->seed_given = true;
    if (k->field == offsetof(struct env, deterministic)) r->e->deterministic_given = true;
    if (k->field == offsetof(struct env, profilerate)) r->e->profilerate_given = true;
    memcpy((char *)r->e + k->field, &v, sizeof v);
    return true;
}

/* Later settings of one name win. */
static bool read_debug(struct reading *r)
{
    struct text rest = r->value;
    while (rest.n > 0) {
        struct text pair = text_cut(&rest, ',');
        if (pair.n > 0 && !read_knob(r, pair)) return false;
    }
    return true;
}

/* ---- all of them ----------------------------------------------------------------------------- */

bool env_parse(struct env *e, const char *(*get)(const char *name), char *error, size_t n)
{
    static const struct {
        const char *name;
        bool (*read)(struct reading *r);
    } variables[] = {
        { "GORTGC", read_gc },          { "GORTMEMLIMIT", read_memory_limit },
        { "GORTMAXPROCS", read_procs }, { "GORTTRACEBACK", read_traceback },
        { "GORTDEBUG", read_debug },    { "GORTMEMPROFILE", read_mem_profile },
    };
    *e = (struct env)DEFAULTS;
    for (size_t i = 0; i < array_len(variables); i++) {
        const char *value = get(variables[i].name);
        if (value == NULL || value[0] == '\0') continue;
        struct reading r = { e, { value, strlen(value) }, error, n, variables[i].name };
        if (!variables[i].read(&r)) return false;
    }
    return true;
}

/* NULL in a program that has more rights than who started it (set-user-ID): the environment is
 * theirs, and GORTMEMPROFILE names a file to be written. */
static const char *get_process(const char *name)
{
    return secure_getenv(name);
}

void env_read(void)
{
    char error[1024];
    if (env_parse(&env, get_process, error, sizeof error)) return;
    print_err("%s\n", error);
    os_exit(EXIT_BAD_ENVIRONMENT);
}

static uint64_t random_seed(void)
{
    uint64_t seed;
    os_random_bytes(&seed, sizeof seed);
    return seed;
}

/* Note [One order for each seed] in sched/sched_internal.h. */
static void make_deterministic(struct env *e)
{
    e->procs = 1;
    e->procs_given = true;
    e->seed = e->deterministic;
    e->seed_given = true;
    e->migrate = 2; /* one queue */
    e->gcstoptheworld = 2;
    if (e->randyield == 0) e->randyield = DETERMINISTIC_YIELD;
    sched_debug.deterministic = true;
    os_clock_hold();
}

void env_apply(struct env *e)
{
    if (e->deterministic_given) make_deterministic(e);
    if (!e->procs_given) e->procs = procs_by_default();
    random_set_process_seed(e->seed_given ? e->seed : random_seed());
    throw_set_crash(e->traceback == TRACEBACK_CRASH);
    sched_debug.rand_yield = (uint32_t)e->randyield;
    gort_watched_flag = e->randyield != 0 || race_on;
    sched_debug.migrate = (uint32_t)e->migrate;
    sched_debug.slice_us = (uint32_t)e->slice;
    sched_debug.lend = (uint32_t)e->lend;
    sched_debug.tiny_runq = (uint32_t)e->tinyrunq;
    sched_debug.mutex_check = e->mutexcheck != 0;
    if (e->stopsignal != 0) preempt_install((int)e->stopsignal);
    if (e->mapfail != 0) os_mem_fail_at(e->mapfail, false);
    if (e->mapfailfrom != 0) os_mem_fail_at(e->mapfailfrom, true);
    if (e->threadfail != 0) os_thread_fail_at(e->threadfail);
}
