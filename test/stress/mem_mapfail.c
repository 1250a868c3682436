// Memory refused at every place where the kernel is asked for some: a fixed program is run again
// and again, and the k-th mapping fails, once or for good, for k = 1, 2, ... until one run asks for
// less than k. Each run ends with the right result, or with a report of what could not be had and
// exit status 2. Nothing crashes, hangs or is corrupted: the heap is validated in every collection,
// objects by the program.
//
// TEST skip=tsan,emulated modes=none
// SPDX-License-Identifier: BSD-3-Clause
#include <fcntl.h>
#include <gort.h>
#include <pthread.h>
#include <signal.h>
#include <sys/wait.h>

#include "../test.h"

// ---- the program --------------------------------------------------------------------------------

typedef struct node {
    struct node *left, *right;
    uint64_t check;
} node;
GORT_TYPE(node, left, right);

static node *tree;
static char *large[8];
static int finalized; // atomic

static node *grow(int depth)
{
    node *n = gort_new(node);
    n->check = (uint64_t)depth * 3 + 1;
    if (depth > 0) {
        gort_set(&n->left, grow(depth - 1));
        gort_set(&n->right, grow(depth - 1));
    }
    return n;
}

static uint64_t count(const node *n, int depth)
{
    if (n == NULL) return 0;
    CHECK_EQ(n->check, (uint64_t)depth * 3 + 1);
    return 1 + count(n->left, depth - 1) + count(n->right, depth - 1);
}

static void of_every_size(void)
{
    for (size_t size = 1; size < 40000; size += size / 3 + 1) {
        char *a = gort_alloc(size), *b = gort_alloc_noscan(size);
        CHECK_EQ(a[0] | a[size - 1] | b[0] | b[size - 1], 0);
        memset(a, 0x81, size);
        memset(b, 0x81, size);
    }
    for (size_t i = 0; i < sizeof large / sizeof *large; i++) {
        size_t n = (size_t)(9 + i) << 20;
        gort_set(&large[i], (char *)gort_alloc_noscan(n));
        CHECK_EQ(large[i][0] | large[i][n - 1], 0);
        large[i][0] = large[i][n - 1] = (char)(i + 1);
    }
}

static void check_large(void)
{
    for (size_t i = 0; i < sizeof large / sizeof *large; i++) {
        CHECK_EQ(large[i][0], i + 1);
        CHECK_EQ(large[i][((size_t)(9 + i) << 20) - 1], i + 1);
        gort_set(&large[i], (char *)NULL);
    }
}

static void dies(void *p)
{
    CHECK_EQ(*(uint64_t *)p, 77);
    __atomic_fetch_add(&finalized, 1, __ATOMIC_RELAXED);
}

static void finalizers(void)
{
    for (int i = 0; i < 2000; i++) {
        uint64_t *p = gort_alloc_noscan(48);
        *p = 77;
        gort_set_finalizer(p, dies);
    }
}

typedef struct worker_args {
    gort_chan(int) in;
    gort_chan(int) out;
} worker_args;

static void worker(void *p)
{
    worker_args *a = p;
    int v;
    gort_sleep(GORT_US);
    while (gort_recv(a->in, &v)) {
        gort_sleep(GORT_US);
        gort_send(a->out, v + 1);
    }
}

static void goroutines(void)
{
    enum { N = 300 };
    worker_args a = { gort_chan_make(int, 4), gort_chan_make(int, N) };
    int sum = 0, v;
    for (int i = 0; i < N; i++)
        gort_go_copy(worker, &a, sizeof a);
    for (int i = 0; i < N; i++)
        gort_send(a.in, i);
    gort_close(a.in);
    for (int i = 0; i < N; i++) {
        CHECK(gort_recv(a.out, &v));
        sum += v;
    }
    CHECK_EQ(sum, N * (N + 1) / 2);
    worker_args *b = gort_alloc(sizeof *b); // outlives this call
    gort_init(&b->in, a.in);
    gort_init(&b->out, a.out);
    gort_go_options o = { .stack_size = (size_t)32 << 20 };
    gort_go_opt(&o, worker, b);
    gort_yield();
}

static void *attached(void *unused)
{
    if (gort_thread_attach() != 0) return unused; // no memory: an error, not an end
    memset(gort_alloc(1000), 0x81, 1000);
    gort_thread_detach();
    return unused;
}

static void threads(void)
{
    pthread_t t;
    if (pthread_create(&t, NULL, attached, NULL) != 0) return;
    gort_enter_blocking();
    pthread_join(t, NULL);
    gort_exit_blocking();
}

static void descriptors(void)
{
    int ends[2];
    char c = 7;
    CHECK_EQ(pipe(ends), 0);
    ssize_t n = gort_write(ends[1], &c, 1);
    if (n < 0) CHECK_EQ(errno, ENOMEM);
    if (n == 1) {
        n = gort_read(ends[0], &c, 1);
        if (n < 0) CHECK_EQ(errno, ENOMEM);
    }
    gort_close_fd(ends[0]);
    gort_close_fd(ends[1]);
}

static int program(int argc, char **argv)
{
    (void)argc;
    (void)argv;
    static uintptr_t roots[1000];
    gort_set(&tree, grow(12));
    of_every_size();
    finalizers();
    gort_gc();
    goroutines();
    for (size_t i = 0; i < sizeof roots / sizeof *roots; i++)
        gort_root_add(&roots[i], sizeof roots[i]);
    threads();
    descriptors();
    gort_max_procs(6);
    gort_gc();
    CHECK_EQ(count(tree, 12), (1 << 13) - 1);
    check_large();
    of_every_size();
    gort_gc();
    CHECK_EQ(count(tree, 12), (1 << 13) - 1);
    double failures;
    CHECK_EQ(gort_metric_read("/gort/os/map-failures:events", &failures), 0);
    printf("right, failures: %.0f\n", failures);
    return 0;
}

// ---- running it ---------------------------------------------------------------------------------

static char output[1 << 16];

static const char *procs; // GORTMAXPROCS of the program

static int run_once(const char *self, const char *form, int k)
{
    char debug[128];
    int ends[2], status;
    size_t used = 0;
    snprintf(debug, sizeof debug, "GORTDEBUG=gccheck=1,%s=%d", form, k);
    CHECK_EQ(pipe(ends), 0);
    pid_t child = fork();
    CHECK_GE(child, 0);
    if (child == 0) {
        char *args[] = { (char *)self, "program", NULL };
        char *env[] = { debug, (char *)procs, "GORTTRACEBACK=none", NULL };
        alarm(60);
        dup2(ends[1], 1);
        dup2(ends[1], 2);
        close(ends[0]);
        close(ends[1]);
        execve(self, args, env);
        _exit(99);
    }
    close(ends[1]);
    for (ssize_t n; (n = read(ends[0], output + used, sizeof output - 1 - used)) > 0;)
        used += (size_t)n;
    output[used] = '\0';
    close(ends[0]);
    CHECK_EQ(waitpid(child, &status, 0), child);
    return status;
}

static bool says(const char *text)
{
    return strstr(output, text) != NULL;
}

// The reports of those who can not go on without memory.
static bool names_memory(void)
{
    return says("fatal error: out of memory") ||
           says("fatal error: can not reserve address space") ||
           says("fatal error: can not make a goroutine's stack") ||
           says("fatal error: can not make the main goroutine's stack");
}

// true: no mapping failed.
static bool judge(const char *form, int k, int status)
{
    bool right = WIFEXITED(status) && WEXITSTATUS(status) == 0 && says("right, failures: ");
    bool report = WIFEXITED(status) && WEXITSTATUS(status) == 2 && names_memory();
    if (!right && !report)
        fprintf(stderr, "%s=%d: status %#x: %s\n", form, k, (unsigned)status, output);
    CHECK(right || report);
    bool failed = !says("failures: 0\n");
    if (right && failed && strcmp(form, "mapfail") == 0) CHECK(says("failures: 1\n"));
    return right && !failed;
}

static int run_all(const char *self, const char *form)
{
    int k = 1, ended_right = 0, reported = 0;
    for (;; k++) {
        int status = run_once(self, form, k);
        if (judge(form, k, status)) break;
        *(WEXITSTATUS(status) == 0 ? &ended_right : &reported) += 1;
        CHECK_LT(k, 2000);
    }
    printf("%s: %d places, %d runs ended with the right result, %d with a report\n", form, k - 1,
           ended_right, reported);
    CHECK_GE(ended_right, strcmp(form, "mapfail") == 0 ? 5 : 0); // one that fails is made good for
    return k - 1;
}

int main(int argc, char **argv)
{
    if (argc > 1) return gort_run(program, argc, argv);
    static const char *const all[] = { "GORTMAXPROCS=1", "GORTMAXPROCS=3" };
    for (int i = 0; i < 2; i++) {
        procs = all[i];
        CHECK_GE(run_all("/proc/self/exe", "mapfail"), 20);
        CHECK_GE(run_all("/proc/self/exe", "mapfailfrom"), 20);
    }
    return 0;
}
