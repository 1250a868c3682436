// See driver.h.
//
// SPDX-License-Identifier: BSD-3-Clause
#define _GNU_SOURCE
#include "driver.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>

#define LIMIT_SECONDS 600

static const struct driver_table *table;
static bool selected[BENCH_LINES], extra_selected, quick;
static int runs;

bool driver_is_quick(void)
{
    return quick;
}

static const char *program(void)
{
    return table->program != NULL ? table->program : "loads";
}

bool driver_value(const char *line, enum bench_who who, double *value)
{
    return bench_value(bench_find(line), who, value);
}

// ---- what the memory of the machine allows ----

double driver_available_mb(void)
{
    char text[128];
    double kb = 0, limit;
    FILE *f = fopen("/proc/meminfo", "r");
    while (f != NULL && fgets(text, sizeof text, f) != NULL)
        if (sscanf(text, "MemAvailable: %lf", &kb) == 1) break;
    if (f != NULL) fclose(f);
    f = fopen("/sys/fs/cgroup/memory.max", "r");
    if (f != NULL && fscanf(f, "%lf", &limit) == 1 && limit / 1024 < kb) kb = limit / 1024;
    if (f != NULL) fclose(f);
    return kb / 1024;
}

void driver_scale(const char *name, const char *what, double wanted, double possible)
{
    char text[32];
    if (getenv(name) == NULL) {
        snprintf(text, sizeof text, "%.0f", wanted < possible ? wanted : possible);
        setenv(name, text, 1);
    }
    printf("%s: %s", what, getenv(name));
    if (strtod(getenv(name), NULL) < wanted)
        printf(", and not %.0f: for want of memory, or as asked", wanted);
    printf("\n");
}

// ---- running ----

// A process that runs a load for the lines that begin with `first`.
struct child {
    enum bench_who who;
    const struct driver_line *first;
    pid_t pid;
    int out; // the pipe that its figures come through
    char text[8192];
    size_t length;
};

static _Noreturn void fail(const struct child *c, const char *what)
{
    fflush(stdout);
    fprintf(stderr, "%s: %s, load %s: %s\n", table->name, bench_who[c->who].title, c->first->load,
            what);
    exit(1);
}

static bool same_run(const struct driver_line *a, const struct driver_line *b)
{
    const char *x = a->debug == NULL ? "" : a->debug, *y = b->debug == NULL ? "" : b->debug;
    return a->procs == b->procs && strcmp(a->load, b->load) == 0 && strcmp(x, y) == 0;
}

// In the child: what the programs read of their environment.  A mode comes behind those of the
// user.
static void set_environment(int procs, const char *debug)
{
    char text[1024];
    const char *before = getenv("GORTDEBUG");
    if (debug != NULL) {
        bool none = before == NULL || *before == '\0';
        snprintf(text, sizeof text, "%s%s%s", none ? "" : before, none ? "" : ",", debug);
        setenv("GORTDEBUG", text, 1);
    }
    snprintf(text, sizeof text, "%d", procs);
    setenv("GORTMAXPROCS", text, 1);
    setenv("GOMAXPROCS", text, 1);
    setenv("GC_NPROCS", text, 1);
    setenv("GC_MARKERS", text, 1);
}

// The kernel has so much memory, or half of what there is, that the host need not find first: what
// was freed last is taken before all other.
static void make_present(int mb)
{
    double most = driver_available_mb() / 2;
    size_t size = (size_t)(mb < most ? mb : most) << 20;
    char *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED) return; // the figure has the host's part in it
    madvise(p, size, MADV_HUGEPAGE);
    for (size_t i = 0; i < size; i += 4096)
        ((volatile char *)p)[i] = 1;
    munmap(p, size);
}

// False where there is no such program.
static bool start(struct child *c, enum bench_who who, const struct driver_line *first)
{
    char path[4200], procs[16];
    int ends[2];
    *c = (struct child){ .who = who, .first = first };
    if (!bench_path(path, sizeof path, who, program())) return false;
    if (pipe2(ends, O_CLOEXEC) != 0) fail(c, strerror(errno));
    if (table->fresh_mb != NULL && table->fresh_mb(first) != 0)
        make_present(table->fresh_mb(first));
    c->pid = fork();
    if (c->pid < 0) fail(c, strerror(errno));
    if (c->pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL); // who interrupts the driver ends what it has started
        set_environment(first->procs, first->debug);
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
    for (const struct driver_line *l = table->lines; l < table->lines + table->count; l++) {
        if (!selected[l - table->lines] || !same_run(l, c->first)) continue;
        if (strcmp(l->figure, "peak") == 0)
            bench_add_for(c->who, l->name, (double)use.ru_maxrss / 1024);
        else if (figure(c, l->figure, &value))
            bench_add_for(c->who, l->name, value);
    }
    return true;
}

// Waits for a child.  All programs must come to the same result, in every turn.
static void finish_checked(struct child *c)
{
    static bool known[BENCH_LINES];
    static double checks[BENCH_LINES];
    double check;
    long load = c->first - table->lines;
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
        if (selected[k] && same_run(&table->lines[k], &table->lines[i])) return false;
    return true;
}

// One turn of everybody at line i.  With `children` they are started, and counted, and run on.
static int turn_of_all(int i, struct child *children)
{
    struct child one, *c;
    int n = 0;
    for (int who = BENCH_WHO - 1; who >= 0; who--) {
        if (!table->takes[who] || (table->lines[i].debug != NULL && who != BENCH_GORT)) continue;
        c = children != NULL ? &children[n] : &one;
        if (!start(c, (enum bench_who)who, &table->lines[i])) continue;
        n++;
        if (children == NULL) finish_checked(c);
    }
    return n;
}

// Whether gort's program starts with this in GORTDEBUG: what is no name of a mode ends it.
static bool knows_debug(const char *debug)
{
    char path[4200], command[4300];
    if (!bench_path(path, sizeof path, BENCH_GORT, program())) return false;
    snprintf(command, sizeof command, "GORTDEBUG='%s' '%s' version >/dev/null 2>&1", debug, path);
    return system(command) == 0;
}

// A line that asks for a mode that this gort does not have is not run: it has no figure.
static void drop_unknown_modes(void)
{
    const char *told = "";
    for (int i = 0; i < table->count; i++) {
        const char *debug = table->lines[i].debug;
        if (!selected[i] || debug == NULL || knows_debug(debug)) continue;
        selected[i] = false;
        if (strcmp(told, debug) != 0) printf("GORTDEBUG=%s: not known to this gort\n", debug);
        told = debug;
    }
}

static void measure(void)
{
    struct child children[BENCH_WHO];
    for (int turn = 0; turn < runs; turn++)
        for (int i = 0; i < table->count; i++)
            if (begins_run(i) && !table->lines[i].once) turn_of_all(i, NULL);
    for (int i = 0; i < table->count; i++) {
        if (!begins_run(i) || !table->lines[i].once) continue;
        int n = turn_of_all(i, table->together ? children : NULL);
        for (int k = 0; table->together && k < n; k++)
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
        if (!table->takes[who]) continue;
        FILE *f = NULL;
        if (bench_path(path, sizeof path, (enum bench_who)who, program())) {
            snprintf(command, sizeof command, "'%s' version", path);
            f = popen(command, "r");
        }
        if (f == NULL || fgets(text, sizeof text, f) == NULL) strcpy(text, "- (not built)\n");
        printf("%-9s %s", bench_who[who].title, text);
        if (f != NULL) pclose(f);
    }
    printf("\n");
}

static bool has_goals(int who)
{
    for (int i = 0; i < table->count; i++)
        if (table->lines[i].goal[who] != 0) return true;
    return false;
}

static void print_head(void)
{
    printf("%-24s %-6s %9s %-9s", "", "", "gort", "");
    for (int who = BENCH_GORT + 1; who < BENCH_WHO; who++) {
        if (!table->takes[who]) continue;
        printf(" | %9s %6s", bench_who[who].title, "ratio");
        if (has_goals(who)) printf(" %-9s", "goal");
    }
    printf("\n");
}

static int goals, met;

// "<=0.40 ok", in nine places; nothing where no line has a goal.
static void print_goal(int who, double goal, double value)
{
    if (goal == 0) {
        if (who == BENCH_GORT || has_goals(who)) printf(" %-9s", "");
        return;
    }
    bool ok = value <= goal;
    goals++;
    met += ok;
    printf(" <=%-4.4g %s", goal, ok ? "ok" : "NO");
}

static void print_line(const struct driver_line *l)
{
    bench_line *b = bench_find(l->name);
    double ours, theirs;
    bool have = bench_value(b, BENCH_GORT, &ours);
    printf("%-24s %-6s", l->name, l->unit);
    if (have) {
        printf(" %9.1f", ours);
        print_goal(BENCH_GORT, l->goal[BENCH_GORT], ours);
    } else {
        printf(" %9s %-9s", "-", "");
    }
    for (int who = BENCH_GORT + 1; who < BENCH_WHO; who++) {
        if (!table->takes[who]) continue;
        if (!have || !bench_value(b, (enum bench_who)who, &theirs)) {
            printf(" | %9s %6s", "-", "-");
            print_goal(who, 0, 0);
            continue;
        }
        printf(" | %9.1f %6.2f", theirs, ours / theirs);
        print_goal(who, l->goal[who], ours / theirs);
    }
    printf("\n");
}

static void print(void)
{
    print_versions();
    print_head();
    for (int i = 0; i < table->count; i++)
        if (selected[i] && table->lines[i].debug == NULL) print_line(&table->lines[i]);
    printf("\n%d of %d goals met\n", met, goals);
}

static int usage(void)
{
    fprintf(stderr, "usage: %s [--quick] [--runs N] [--list] [LINE ...]\n", table->name);
    return 2;
}

// Selects the lines whose names begin so; false when there is none.
static bool select_lines(const char *start)
{
    bool any = table->extra != NULL && strncmp(table->extra_name, start, strlen(start)) == 0;
    extra_selected |= any;
    for (int i = 0; i < table->count; i++) {
        if (strncmp(table->lines[i].name, start, strlen(start)) != 0) continue;
        selected[i] = true;
        any = true;
    }
    return any;
}

static int list(void)
{
    for (int i = 0; i < table->count; i++)
        puts(table->lines[i].name);
    if (table->extra != NULL) puts(table->extra_name);
    return 0;
}

int driver_main(const struct driver_table *t, int argc, char **argv)
{
    bool some = false;
    table = t;
    runs = t->runs;
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
            fprintf(stderr, "%s: no line's name begins with '%s'\n", t->name, argv[i]);
            return usage();
        }
    }
    if (!some) select_lines("");
    if (t->before != NULL) t->before();
    drop_unknown_modes();
    measure();
    print();
    if (t->after != NULL) t->after();
    if (extra_selected) t->extra();
    return 0;
}
