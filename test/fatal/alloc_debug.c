// Debug modes of the allocator: each finds what it is for and says so; and what it must not disturb
// goes on.
//
// efence: a use of freed memory faults, and the report names the object and both stacks.
// EXPECT fence-small skip=emulated env:GORTDEBUG=efence=1 stderr=^fatal error: SIGSEGV: segmentation violation at address 0x
// EXPECT fence-small stderr=^0x[0-9a-f]+ is byte 9 of a freed object of 40 bytes \(node\)$
// EXPECT fence-small stderr=^allocated by gort_new in goroutine \d+:\ngort_new_raw\(\.\.\.\)\n.*\nmake_small\(\.\.\.\)$
// EXPECT fence-small stderr=^freed by collection \d+, swept by (goroutine \d+ on )?thread \d+:\n[a-z]
// EXPECT fence-small stderr=^read_at\(\.\.\.\)$
// EXPECT fence-write skip=emulated env:GORTDEBUG=efence=1,clobberfree=1,gccheck=1 stderr=^0x[0-9a-f]+ is byte 0 of a freed object of 40 bytes \(node\)$
// EXPECT fence-tiny skip=emulated env:GORTDEBUG=efence=1,allocfreetrace=1 stderr=^fatal error: SIGSEGV(?s:.*)^0x[0-9a-f]+ is byte 0 of a freed object of 5 bytes$
// EXPECT fence-field skip=emulated env:GORTDEBUG=efence=1 stderr=^0x[0-9a-f]+ is byte 36 of a freed object of 40 bytes \(told\), field at\[1\]\.y$
// EXPECT fence-row skip=emulated env:GORTDEBUG=efence=1 stderr=^0x[0-9a-f]+ is byte 116 of a freed object of 200 bytes \(told\), field \[2\]\.at\[1\]\.y$
// EXPECT fence-tail skip=emulated env:GORTDEBUG=efence=1 stderr=^0x[0-9a-f]+ is byte 100 of a freed object of 240 bytes \(tailed\)$
// EXPECT fence-middle skip=emulated env:GORTDEBUG=efence=1 env:GORTMAXPROCS=1 stderr=^0x[0-9a-f]+ is byte 99999 of a freed object of 100000 bytes$
// EXPECT fence-past skip=emulated env:GORTDEBUG=efence=1 stderr=^0x[0-9a-f]+ is 60 bytes past a freed object of 40 bytes \(node\)$
// EXPECT fence-foreign env:GORTDEBUG=efence=1 stderr=^fatal error: SIGSEGV
// EXPECT fence-foreign absent=freed object
// EXPECT fence-fine env:GORTDEBUG=efence=1,gccheck=1,gcstress=31,clobberfree=1 env:GORTMAXPROCS=4 exit=0
// EXPECT fence-memory skip=emulated env:GORTDEBUG=efence=1 env:GORTMAXPROCS=1 stderr=^fatal error: out of memory: gort_alloc_noscan can not allocate 65536 bytes; the heap has \d+ MB mapped, \d+ MB in use, \d+ MB live, [1-9]\d\d+ MB of freed objects kept from reuse; address space is limited to
// EXPECT fence-memory stderr=^make_garbage\(\.\.\.\)$
//
// clobberfree: all that is freed is overwritten.
// EXPECT clobber env:GORTDEBUG=clobberfree=1 exit=0
// EXPECT clobber-not exit=0
//
// allocfreetrace: each allocation and free, with stacks; from a size on.
// EXPECT trace env:GORTDEBUG=allocfreetrace=1 exit=0 stderr=^gort: alloc (0x[0-9a-f]+), 40 bytes \(node\)\nallocated by gort_new in goroutine \d+:\ngort_new_raw\(\.\.\.\)\n.*\nmake_small\(\.\.\.\)(?s:.*)^gort: free \1, 40 bytes \(node\)\nallocated by gort_new in goroutine \d+:\ngort_new_raw\(\.\.\.\)\n.*\nmake_small\(\.\.\.\)(?s:.*)^freed by collection \d+, swept by
// EXPECT trace stderr=^gort: alloc 0x[0-9a-f]+, 100000 bytes\nallocated by gort_alloc in
// EXPECT trace-large env:GORTDEBUG=allocfreetrace=1000 exit=0 stderr=^gort: free 0x[0-9a-f]+, 100000 bytes$
// EXPECT trace-large absent=node
// EXPECT trace-busy env:GORTDEBUG=allocfreetrace=1,gcstress=3,gccheck=1 env:GORTMAXPROCS=4 exit=0 stderr=^gort: free 0x
//
// leaks: what is left when the main function returns.
// EXPECT leaks env:GORTDEBUG=leaks=1 exit=0 stderr=^gort: leaks: 7 objects of 100\d\d\d bytes reachable at exit, allocated at \d places:$
// EXPECT leaks stderr=^gort: leaks: 100000 bytes in 1 object, allocated by gort_alloc in goroutine 1:\ngort_alloc\(\.\.\.\)\n.*\nleave_objects\(\.\.\.\)$
// EXPECT leaks stderr=100000 bytes(?s:.*)^gort: leaks: 200 bytes in 5 objects \(node\), allocated by gort_new in goroutine 1:$
// EXPECT leaks stderr=^gort: leaks: 1 object with a finalizer that has not run:\n\t0x[0-9a-f]+, finalizer last_words$
// EXPECT leaks stderr=^gort: leaks: 1 goroutine has not ended:\n\ngoroutine \d+ \[chan receive\]:\ngort_recv_raw\(\.\.\.\)\n.*\nwait_for_ever\(\.\.\.\)$
// EXPECT leaks stderr=^gort: leaks: descriptors that gort opened or used, and that are not closed: \d+$
// EXPECT leaks stderr=^gort: leaks: 1 root range is registered:\n\t0x[0-9a-f]+ of 80 bytes$
// EXPECT leaks absent=make_small
// EXPECT leaks-none env:GORTDEBUG=leaks=1 exit=0 stderr=^gort: leaks: nothing is left$
// EXPECT leaks-fields env:GORTDEBUG=leaks=1 exit=0 stderr=^\tone of them: \{next:NULL text:0x[0-9a-f]+\+4 at:\[\{x:1 y:2\} \{x:0 y:-3\}\]\}$
// EXPECT leaks-off exit=0 absent=leaks
// EXPECT leaks-many env:GORTDEBUG=leaks=1,efence=1,gccheck=1 exit=0 stderr=^gort: leaks: \d+ objects of
//
// mapfailfrom: that all mappings fail from some moment on is reported.  One that fails, which may
// be one without which there is no going on: stress/mem_mapfail.
// EXPECT map-from env:GORTDEBUG=mapfailfrom=28 stderr=^fatal error: (out of memory|can not)
//
// TEST skip=asan,tsan
// SPDX-License-Identifier: BSD-3-Clause
#include "../listed.h"

#include <sys/resource.h>

#include "../test.h"

typedef struct node {
    struct node *next;
    char pad[25];
} node;
GORT_TYPE(node, next);
typedef struct big {
    struct big *next;
    char pad[1001];
} big;
GORT_TYPE(big, next);

#define NOINLINE __attribute__((noinline))
#define RETURN_HERE() __asm__ volatile("" ::: "memory")

static uintptr_t hidden;
static volatile int sink;

NOINLINE static void hide(void *p)
{
    hidden = ~(uintptr_t)p;
    RETURN_HERE();
}
static char *found(void)
{
    return (char *)~hidden;
}

NOINLINE static void make_small(void)
{
    hide(gort_new(node));
    RETURN_HERE();
}
NOINLINE static void make_tiny(void)
{
    hide(gort_alloc_noscan(5));
    RETURN_HERE();
}
NOINLINE static void make_big(void)
{
    hide(gort_new(big));
    RETURN_HERE();
}
// Described: reports name its fields.
typedef struct spot {
    int x, y;
} spot;
GORT_STRUCT(spot, x, y);
typedef struct told {
    struct told *next;
    gort_string text;
    spot at[2];
} told;
GORT_STRUCT(told, (next, told), text, (at, spot));
typedef struct tailed {
    told first;
    told *rest[];
} tailed;
GORT_STRUCT(tailed, (first, told));
static told *kept;

NOINLINE static void make_told(void)
{
    told *t = gort_new(told);
    t->at[0] = (spot){ 1, 2 };
    t->at[1].y = -3;
    gort_string_set(&t->text, gort_str("text"));
    hide(t);
    RETURN_HERE();
}
NOINLINE static void make_row(void)
{
    hide(gort_new_array(told, 5));
    RETURN_HERE();
}
NOINLINE static void make_tailed(void)
{
    hide(gort_new_flex(tailed, rest, 25));
    RETURN_HERE();
}
NOINLINE static void keep_told(void)
{
    make_told();
    gort_set(&kept, (told *)(void *)found());
}
NOINLINE static void make_large(void)
{
    hide(gort_alloc(100000));
    RETURN_HERE();
}

static void (*maker)(void);

static void on_goroutine(void *unused)
{
    (void)unused;
    maker();
}

static double count(const char *name)
{
    double v = -1;
    CHECK_EQ(gort_metric_read(name, &v), 0);
    return v;
}

// What fn made, on a goroutine of its own, is freed. That goroutine may still be about to end, its
// stack a root, when it is not counted any more.
static void make_and_lose(void (*fn)(void))
{
    double frees = count("/gc/heap/frees:objects");
    maker = fn;
    gort_go(on_goroutine, NULL);
    while (gort_num_goroutines() > 1)
        gort_yield();
    for (int i = 0; i < 5000 && count("/gc/heap/frees:objects") == frees; i++) {
        gort_gc();
        gort_sleep(GORT_MS);
    }
    CHECK(count("/gc/heap/frees:objects") > frees);
}

NOINLINE static void read_at(const char *p)
{
    sink = *(volatile const char *)p;
    RETURN_HERE();
}

// ---- efence -------------------------------------------------------------------------------------

static int finalized; // atomic
static void finalizer(void *p)
{
    CHECK_EQ(((node *)p)->pad[0], 7); // still readable
    __atomic_fetch_add(&finalized, 1, __ATOMIC_RELAXED);
}

static node *list;

// No address comes twice; what is alive stays readable; finalizers run; the sums hold (gccheck).
static void fence_fine(void)
{
    enum { N = 3000 };
    static uintptr_t seen[N];
    for (int i = 0; i < N; i++) {
        node *n = gort_new(node);
        seen[i] = ~(uintptr_t)n;
        n->pad[0] = 7;
        if (i % 10 == 0) {
            gort_set(&n->next, list);
            gort_set(&list, n);
        } else if (i % 10 == 1) {
            gort_set_finalizer(n, finalizer);
        }
        gort_keep_alive(gort_alloc((size_t)i * 11 % 40000 + 1));
    }
    int alive = 0;
    for (node *n = list; n != NULL; n = n->next)
        alive += n->pad[0] == 7;
    CHECK_EQ(alive, N / 10);
    for (int i = 1; i < N; i++)
        for (int k = 0; k < i; k++)
            CHECK(seen[i] != seen[k]);
    gort_gc();
    gort_gc();
    while (__atomic_load_n(&finalized, __ATOMIC_RELAXED) < N / 10 - 10) {
        gort_gc();
        gort_sleep(GORT_MS);
    }
    CHECK(count("/gort/heap/debug/fenced:objects") >= N);
    CHECK(count("/gort/heap/debug/fenced:bytes") >= N * 8192.0);
    CHECK(count("/gort/heap/debug/recorded-frees:objects") >= N);
}

NOINLINE static void make_garbage(void)
{
    for (;;)
        sink = *(char *)gort_alloc_noscan(65536);
    RETURN_HERE();
}

// ---- clobberfree --------------------------------------------------------------------------------

// Words of the object that hold the pattern. Pages that went back to the kernel since are zero.
static size_t clobbered_words(size_t bytes, bool all)
{
    const uint64_t *words = (const uint64_t *)found();
    size_t n = 0;
    for (size_t i = 0; i < bytes / 8; i++) {
        bool pattern = words[i] == 0xdeadbeefdeadbeefull;
        if (all) CHECK(pattern || words[i] == 0);
        n += pattern;
    }
    return n;
}

// Whole slots, and of a large object all its pages.
static void clobber(bool on)
{
    static const struct {
        void (*make)(void);
        size_t bytes;
    } kinds[] = {
        { make_small, 48 }, { make_tiny, 16 }, { make_big, 1024 }, { make_large, 13 * 8192 }
    };
    double before = count("/gort/heap/debug/clobbered:objects");
    size_t whole = 0;
    for (size_t i = 0; i < 4; i++) {
        make_and_lose(kinds[i].make);
        size_t words = clobbered_words(kinds[i].bytes, on);
        CHECK(words % 512 == 0 || words == kinds[i].bytes / 8); // system pages
        whole += words == kinds[i].bytes / 8;
    }
    double clobbered = count("/gort/heap/debug/clobbered:objects") - before;
    CHECK(on ? clobbered >= 4 && whole > 0 : clobbered == 0 && whole == 0);
}

// ---- the trace ----------------------------------------------------------------------------------

static void trace(void)
{
    make_and_lose(make_small);
    make_and_lose(make_large);
    double events = count("/gort/heap/debug/traced:events");
    CHECK(events >= 1);
    CHECK(events <= count("/gort/heap/debug/recorded-allocs:objects") +
                        count("/gort/heap/debug/recorded-frees:objects"));
}

static void churn(void *wg)
{
    node *mine = NULL;
    for (int i = 0; i < 60; i++) {
        node *n = gort_new(node);
        n->next = i % 8 == 0 ? NULL : mine;
        mine = n;
        gort_keep_alive(gort_alloc_noscan((size_t)i * 37 + 1));
        if (i % 7 == 0) gort_yield();
    }
    gort_waitgroup_done(wg);
}

static void trace_busy(void)
{
    static gort_waitgroup wg;
    for (int i = 0; i < 6; i++) {
        gort_waitgroup_add(&wg, 1);
        gort_go(churn, &wg);
    }
    gort_waitgroup_wait(&wg);
    gort_gc();
}

// ---- leaks --------------------------------------------------------------------------------------

static char *leaked;
static gort_chan(int) never;
static char range[80];

static void last_words(void *p)
{
    (void)p;
}

static void wait_for_ever(void *unused)
{
    (void)unused;
    gort_recv(never, NULL);
    RETURN_HERE();
}

NOINLINE static void leave_objects(void)
{
    for (int i = 0; i < 5; i++) {
        node *n = gort_new(node);
        gort_set(&n->next, list);
        gort_set(&list, n);
    }
    gort_set_finalizer(list, last_words);
    gort_set(&leaked, (char *)gort_alloc(100000));
    gort_set(&never, gort_chan_make(int, 0));
    RETURN_HERE();
}

static void leaks(void)
{
    int fds[2];
    char c;
    make_and_lose(make_small); // no leak: it is collected
    leave_objects();
    gort_go(wait_for_ever, NULL);
    gort_root_add(range, sizeof range);
    CHECK_EQ(pipe(fds), 0);
    CHECK_EQ(write(fds[1], "x", 1), 1);
    CHECK_EQ(gort_read(fds[0], &c, 1), 1);
    wait_till_listed("[chan receive]");
}

// Goroutines that run while the report is written.
static void spin(void *unused)
{
    (void)unused;
    for (;;) {
        gort_keep_alive(gort_new(node));
        gort_yield();
    }
}

// ---- mappings -----------------------------------------------------------------------------------

static void quick_churn(void *unused)
{
    (void)unused;
    gort_keep_alive(gort_new(node));
}

static void map_many(void)
{
    static char *keep[200];
    for (int i = 0; i < 200; i++) {
        gort_set(&keep[i], (char *)gort_alloc_noscan((size_t)(i % 9 + 1) << 20));
        keep[i][0] = 1;
        gort_go(quick_churn, NULL);
    }
}

// -------------------------------------------------------------------------------------------------

#define CASE(text) if (strcmp(name, text) == 0)

static int run(int argc, char **argv)
{
    const char *name = argc > 1 ? argv[1] : "";
    CASE("fence-field") make_and_lose(make_told), read_at(found() + 36);
    CASE("fence-row") make_and_lose(make_row), read_at(found() + 116);
    CASE("fence-tail") make_and_lose(make_tailed), read_at(found() + 100);
    CASE("leaks-fields") keep_told();
    CASE("fence-small") make_and_lose(make_small), read_at(found() + 9);
    CASE("fence-write") make_and_lose(make_small), *found() = 1;
    CASE("fence-tiny") make_and_lose(make_tiny), read_at(found());
    CASE("fence-middle") make_and_lose(make_large), read_at(found() + 99999);
    CASE("fence-past") make_and_lose(make_small), read_at(found() + 100);
    CASE("fence-foreign") make_and_lose(make_small), read_at((char *)64);
    CASE("fence-fine") fence_fine();
    CASE("fence-memory") make_garbage();
    CASE("clobber") clobber(true);
    CASE("clobber-not") clobber(false);
    CASE("trace") trace();
    CASE("trace-large") trace();
    CASE("trace-busy") trace_busy();
    CASE("leaks") leaks();
    CASE("leaks-many")
    {
        leaks();
        for (int i = 0; i < 4; i++)
            gort_go(spin, NULL);
        gort_sleep(20 * GORT_MS);
    }
    CASE("map-from") map_many();
    return 0;
}

int main(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "fence-memory") == 0)
        setrlimit(RLIMIT_AS, &(struct rlimit){ (rlim_t)1 << 30, (rlim_t)1 << 30 });
    return gort_run(run, argc, argv);
}
