// What memory costs: allocation with its share of collecting, whole programs, and what stays
// resident; beside Go, Boehm's collector, and mimalloc with free.
//
//     alloc [--quick] [--runs N] [--list] [LINE ...]      LINE: the beginning of a line's name
//
// This program measures nothing itself.  Each line asks for a load (bench/loads), which each of gort
// and its peers runs as a process of its own, <peer>/alloc: so they have the same start, the same
// clock, and their own peak of memory.  They take turns, several times, and of the runs of each the
// median counts.  Where lines differ in what they show of the same load, it is run once for all.
//
// A program that was not built, or does not have the load, shows as "-".  Programs that disagree on
// the load's check, that fail, or take more than ten minutes, end the benchmark with status 1.
//
// A goal is what gort's figure may be at most of the peer's; in the column of gort it is absolute.
//
// SPDX-License-Identifier: BSD-3-Clause
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "bench.h"

#define RUNS 5
#define LIMIT_SECONDS 600

struct line {
    const char *name, *load;
    int procs;
    const char *figure, *unit; // of those that the load prints; "peak" is added here
    double goal[BENCH_WHO];    // 0: none
    bool once;                 // too long to repeat; all programs run it at the same time
};

// clang-format off
#define SMALL(n)                                                                                   \
    { "typed-" #n, "typed-" #n, 1, "each", "ns CPU", { 0, 0.4, 0.5, 0 }, false },                  \
    { "typed-" #n "-2p", "typed-" #n, 2, "each", "ns CPU", { 0, 0.4, 0.5, 0 }, false },            \
    { "noscan-" #n, "noscan-" #n, 1, "each", "ns CPU", { 0, 0.4, 0, 1.3 }, false },                \
    { "noscan-" #n "-2p", "noscan-" #n, 2, "each", "ns CPU", { 0, 0.4, 0, 1.3 }, false },          \
    { "roomy-" #n, "roomy-" #n, 1, "each", "ns CPU", { 0, 0, 0, 0 }, false },                      \
    { "zeroed-" #n, "zeroed-" #n, 1, "each", "ns CPU", { 0, 0, 0, 0 }, false },
#define LOAD(n, p)                                                                                 \
    { n, n, p, "wall", "ms", { 0, 0, 0, 1.5 }, false },                                            \
    { n "-cpu", n, p, "cpu", "ms CPU", { 0, 0, 0, 1.5 }, false },                                  \
    { n "-peak", n, p, "peak", "MB", { 0, 0, 0, 0 }, false },
#define MARK(n)                                                                                    \
    { n, n, 1, "each", "ns CPU", { 0, 0, 0, 0 }, false },                                          \
    { n "-2p", n, 2, "each", "ns CPU", { 0, 0, 0, 0 }, false },
#define FRAGMENT(n, goal)                                                                          \
    { n "-full", n, 1, "full", "MB", { 0, 0, 0, 0 }, true },                                       \
    { n "-live", n, 1, "live", "MB", { 0, 0, 0, 0 }, true },                                       \
    { n "-spans", n, 1, "spans", "MB", { 0, 0, 0, 0 }, true },                                     \
    { n "-0s", n, 1, "at-0s", "MB", { 0, 0, 0, 0 }, true },                                        \
    { n "-1s", n, 1, "at-1s", "MB", { 0, 0, 0, 0 }, true },                                        \
    { n "-5s", n, 1, "at-5s", "MB", { 0, 0, 0, 0 }, true },                                        \
    { n "-10s", n, 1, "at-10s", "MB", { 0, 0, 0, 0 }, true },                                      \
    { n "-30s", n, 1, "at-30s", "MB", { 0, 0, 0, 0 }, true },                                      \
    { n "-60s", n, 1, "at-60s", "MB", { 0, 0, 0, 0 }, true },                                      \
    { n "-by-live", n, 1, "by-live", "times", { goal, 0, 0, 0 }, true },
static const struct line lines[] = {
    SMALL(16) SMALL(32) SMALL(64) SMALL(256)
    { "large-heap", "large-heap", 1, "each", "ns CPU", { 0, 0, 0, 0 }, false },
    { "large-heap-collection", "large-heap", 1, "collect", "ms CPU", { 0, 0, 0, 0 }, false },
    MARK("mark-tree") MARK("mark-random")
    { "trees", "trees", 2, "wall", "ms", { 0, 0.4, 0.5, 1.5 }, false },
    { "trees-cpu", "trees", 2, "cpu", "ms CPU", { 0, 0, 0, 0 }, false },
    { "trees-peak", "trees", 2, "peak", "MB", { 0, 1, 0, 0 }, false },
    LOAD("larson", 2) LOAD("xmalloc", 2) LOAD("scratch", 2) LOAD("cfrac", 1) LOAD("espresso", 1)
    FRAGMENT("fragment-runs", 3) FRAGMENT("fragment-idle", 3) FRAGMENT("fragment-single", 0)
};
// clang-format on
#define LINES ((int)(sizeof lines / sizeof *lines))

static bool selected[LINES], quick;
static int runs = RUNS;

// A process that runs a load for the lines that begin with `first`.
struct child {
    enum bench_who who;
    const struct line *first;
    pid_t pid;
    int out; // the pipe that its figures come through
    char text[4096];
    size_t length;
};

static _Noreturn void fail(const struct child *c, const char *what)
{
    fflush(stdout);
    fprintf(stderr, "alloc: %s, load %s: %s\n", bench_who[c->who].title, c->first->load, what);
    exit(1);
}

static bool same_run(const struct line *a, const struct line *b)
{
    return a->procs == b->procs && strcmp(a->load, b->load) == 0;
}

static void set_procs(int procs)
{
    char text[16];
    snprintf(text, sizeof text, "%d", procs);
    setenv("GORTMAXPROCS", text, 1);
    setenv("GOMAXPROCS", text, 1);
    setenv("GC_NPROCS", text, 1);
    setenv("GC_MARKERS", text, 1);
}

// False where there is no such program.
static bool start(struct child *c, enum bench_who who, const struct line *first)
{
    char path[4200], procs[16];
    int ends[2];
    *c = (struct child){ .who = who, .first = first };
    if (!bench_path(path, sizeof path, who, "alloc")) return false;
    if (pipe2(ends, O_CLOEXEC) != 0) fail(c, strerror(errno));
    c->pid = fork();
    if (c->pid < 0) fail(c, strerror(errno));
    if (c->pid == 0) {
        set_procs(first->procs);
        snprintf(procs, sizeof procs, "%d", first->procs);
        dup2(ends[1], STDOUT_FILENO);
        execl(path, path, first->load, procs, quick ? "quick" : NULL, NULL);
        _exit(127);
    }
    close(ends[1]);
    c->out = ends[0];
    return true;
}

// Reads to the end, for as long as there is time.
static void read_all(struct child *c)
{
    int64_t end = bench_now() + (int64_t)LIMIT_SECONDS * 1000000000;
    for (;;) {
        struct pollfd p = { c->out, POLLIN, 0 };
        int64_t left = (end - bench_now()) / 1000000;
        if (left <= 0 || poll(&p, 1, (int)left) == 0) {
            kill(c->pid, SIGKILL);
            fail(c, "takes too long");
        }
        ssize_t n = read(c->out, c->text + c->length, sizeof c->text - 1 - c->length);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) break;
        c->length += (size_t)n;
    }
    c->text[c->length] = '\0';
    close(c->out);
}

static bool figure(const struct child *c, const char *name, double *value)
{
    size_t n = strlen(name);
    for (const char *s = c->text; s != NULL && *s != '\0'; s = strchr(s, '\n')) {
        s += *s == '\n';
        if (strncmp(s, name, n) == 0 && s[n] == ' ') return sscanf(s + n, "%lf", value) == 1;
    }
    return false;
}

// False when the program does not have the load.
static bool finish(struct child *c, double *check)
{
    int status;
    struct rusage use;
    double value;
    read_all(c);
    if (wait4(c->pid, &status, 0, &use) != c->pid) fail(c, "is lost");
    if (WIFEXITED(status) && WEXITSTATUS(status) == 3) return false;
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) fail(c, "failed");
    if (!figure(c, "check", check)) fail(c, "printed no check");
    for (int i = 0; i < LINES; i++) {
        if (!selected[i] || !same_run(&lines[i], c->first)) continue;
        if (strcmp(lines[i].figure, "peak") == 0)
            bench_add_for(c->who, lines[i].name, (double)use.ru_maxrss / 1024);
        else if (figure(c, lines[i].figure, &value))
            bench_add_for(c->who, lines[i].name, value);
    }
    return true;
}

// Waits for a child.  All programs must come to the same result, in every turn.
static void finish_checked(struct child *c)
{
    static bool known[LINES];
    static double checks[LINES];
    double check;
    long load = c->first - lines;
    if (!finish(c, &check)) return;
    if (known[load] && checks[load] != check) fail(c, "came to another result than the others");
    known[load] = true;
    checks[load] = check;
}

// The first selected line of each run.
static bool begins_run(int i)
{
    if (!selected[i]) return false;
    for (int k = 0; k < i; k++)
        if (selected[k] && same_run(&lines[k], &lines[i])) return false;
    return true;
}

// One turn of everybody at line i.  With `children` they are started, and counted, and run on.
static int turn_of_all(int i, struct child *children)
{
    struct child one, *c;
    int n = 0;
    for (int who = BENCH_WHO - 1; who >= 0; who--) {
        c = children != NULL ? &children[n] : &one;
        if (!start(c, (enum bench_who)who, &lines[i])) continue;
        n++;
        if (children == NULL) finish_checked(c);
    }
    return n;
}

static void measure(void)
{
    struct child children[BENCH_WHO];
    for (int turn = 0; turn < runs; turn++)
        for (int i = 0; i < LINES; i++)
            if (begins_run(i) && !lines[i].once) turn_of_all(i, NULL);
    for (int i = 0; i < LINES; i++) {
        int n = begins_run(i) && lines[i].once ? turn_of_all(i, children) : 0;
        for (int k = 0; k < n; k++)
            finish_checked(&children[k]);
    }
}

// Who is compared, in which version.
static void print_versions(void)
{
    char path[4200], command[4300], text[64];
    printf("median of %d runs in turn%s\n", runs,
           quick ? "; a smoke run, its figures mean little" : "");
    for (int who = 0; who < BENCH_WHO; who++) {
        FILE *f = NULL;
        if (bench_path(path, sizeof path, (enum bench_who)who, "alloc")) {
            snprintf(command, sizeof command, "'%s' version", path);
            f = popen(command, "r");
        }
        if (f == NULL || fgets(text, sizeof text, f) == NULL) strcpy(text, "- (not built)\n");
        printf("%-9s %s", bench_who[who].title, text);
        if (f != NULL) pclose(f);
    }
    printf("\n");
}

static void print_head(void)
{
    printf("%-22s %-6s %9s %-9s", "", "", "gort", "");
    for (int who = BENCH_GORT + 1; who < BENCH_WHO; who++)
        printf(" | %9s %6s %-9s", bench_who[who].title, "ratio", "goal");
    printf("\n");
}

static int goals, met;

// "<=0.40 ok", in nine places.
static void print_goal(double goal, double value)
{
    if (goal == 0) {
        printf(" %-9s", "");
        return;
    }
    bool ok = value <= goal;
    goals++;
    met += ok;
    printf(" <=%-4.4g %s", goal, ok ? "ok" : "NO");
}

static void print_line(const struct line *l)
{
    bench_line *b = bench_find(l->name);
    double ours, theirs;
    bool have = bench_value(b, BENCH_GORT, &ours);
    printf("%-22s %-6s", l->name, l->unit);
    if (have) {
        printf(" %9.1f", ours);
        print_goal(l->goal[BENCH_GORT], ours);
    } else {
        printf(" %9s %-9s", "-", "");
    }
    for (int who = BENCH_GORT + 1; who < BENCH_WHO; who++) {
        if (!have || !bench_value(b, (enum bench_who)who, &theirs)) {
            printf(" | %9s %6s %-9s", "-", "-", "");
            continue;
        }
        printf(" | %9.1f %6.2f", theirs, ours / theirs);
        print_goal(l->goal[who], ours / theirs);
    }
    printf("\n");
}

static void print(void)
{
    print_versions();
    print_head();
    for (int i = 0; i < LINES; i++)
        if (selected[i]) print_line(&lines[i]);
    printf("\n%d of %d goals met\n", met, goals);
}

static int usage(void)
{
    fprintf(stderr, "usage: alloc [--quick] [--runs N] [--list] [LINE ...]\n");
    return 2;
}

// Selects the lines whose names begin so; false when there is none.
static bool select_lines(const char *start)
{
    bool any = false;
    for (int i = 0; i < LINES; i++) {
        if (strncmp(lines[i].name, start, strlen(start)) != 0) continue;
        selected[i] = true;
        any = true;
    }
    return any;
}

static int list(void)
{
    for (int i = 0; i < LINES; i++)
        puts(lines[i].name);
    return 0;
}

int main(int argc, char **argv)
{
    bool some = false;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--list") == 0) return list();
        if (strcmp(argv[i], "--quick") == 0) {
            quick = true;
            runs = 1;
        } else if (strcmp(argv[i], "--runs") == 0 && i + 1 < argc) {
            runs = atoi(argv[++i]);
            if (runs < 1 || runs > BENCH_RUNS) return usage();
        } else if (select_lines(argv[i])) {
            some = true;
        } else {
            fprintf(stderr, "alloc: no line's name begins with '%s'\n", argv[i]);
            return usage();
        }
    }
    if (!some) select_lines("");
    measure();
    print();
    return 0;
}
