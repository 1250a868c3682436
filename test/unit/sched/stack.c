// Slots, guards, colours, reuse, the table of goroutines, and what happens at each limit.
//
// TEST skip=emulated
// (the emulator does not know limits of address space, nor guards)
// SPDX-License-Identifier: BSD-3-Clause
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>

#include "../../expect_fatal.h"
#include "base/atomic.h"
#include "base/bits.h"
#include "heap/heap.h"
#include "os/os.h"
#include "sched/sched.h"
#include "sched/stack.h"

static struct g *must_alloc(size_t size)
{
    int error = 0;
    struct g *g = stack_alloc(size, &error);
    CHECK_EQ(error == 0 || g != NULL, true);
    CHECK(g != NULL);
    return g;
}

// A slot as the contract describes it.
static void check_slot(struct g *g, size_t size)
{
    size_t slot = stack_slot_bytes(g);
    CHECK_GE(slot, size);
    CHECK(is_pow2(slot));
    CHECK_EQ((uintptr_t)g % CACHE_LINE, 0);
    CHECK_EQ(g->stack_hi % 16, 0);
    CHECK_LE(g->stack_hi, (uintptr_t)g);
    CHECK_GE(g->stack_hi, g->stack_lo + slot / 2);
    uintptr_t page = align_down((uintptr_t)g, 4096);
    CHECK_EQ(align_down((uintptr_t)(g + 1) - 1, 4096), page);
    CHECK_GE(g->stack_hi - page, 512); // the first frames are in the record's page
    CHECK_EQ(g->status, G_DEAD);
    CHECK_PTR_EQ(g_at(g->index), g);
    CHECK_PTR_EQ(stack_owner(g->stack_lo), g);
    CHECK_PTR_EQ(stack_owner((uintptr_t)g), g);
    CHECK_PTR_EQ(stack_owner(g->stack_hi - 1), g);
    CHECK_PTR_EQ(stack_guard_owner(g->stack_lo), NULL);
    CHECK_PTR_EQ(stack_guard_owner(g->stack_lo - 1), g);
    CHECK_PTR_EQ(stack_owner(g->stack_lo - 1), g);
    size_t guard = slot >= 256 * KB ? 64 * KB : slot / 4;
    CHECK_PTR_EQ(stack_guard_owner(g->stack_lo - guard), g);
    CHECK_PTR_NE(stack_guard_owner(g->stack_lo - guard - 1), g);
    *(volatile char *)g->stack_lo = 1; // usable to the last byte
    *(volatile char *)(g->stack_hi - 1) = 1;
}

TEST(a_fresh_slot)
{
    uint32_t before = g_table_size();
    struct g *g = must_alloc(0);
    CHECK_EQ(stack_slot_bytes(g), STACK_DEFAULT);
    CHECK_EQ(g->slot_class, STACK_DEFAULT_CLASS);
    CHECK_EQ(g->index, before);
    CHECK_EQ(g_table_size(), before + 1);
    CHECK(g_at(before + 1) == NULL);
    CHECK_EQ(g->goid, 0);
    CHECK(g->fn == NULL && g->m == NULL && g->waiting == NULL);
    check_slot(g, STACK_DEFAULT);
    stack_free(g);
}

TEST(sizes)
{
    static const size_t sizes[] = {
        1,      64 * KB, 64 * KB + 1, 128 * KB, 200 * KB,   256 * KB, 257 * KB, 512 * KB, 1 * MB,
        2 * MB, 4 * MB,  8 * MB - 1,  8 * MB,   8 * MB + 1, 16 * MB,  100 * MB, 1 * GB,
    };
    struct g *g[array_len(sizes)];
    for (size_t i = 0; i < array_len(sizes); i++) {
        g[i] = must_alloc(sizes[i]);
        check_slot(g[i], sizes[i]);
        CHECK_LT(stack_slot_bytes(g[i]), 2 * (sizes[i] < 64 * KB ? 64 * KB : sizes[i]));
    }
    for (size_t i = 0; i < array_len(sizes); i++)
        stack_free(g[i]);
    int error = 0;
    CHECK(stack_alloc((size_t)1 << 60, &error) == NULL);
    CHECK_EQ(error, ENOMEM);
    error = 0;
    CHECK(stack_alloc(SIZE_MAX, &error) == NULL);
    CHECK_EQ(error, ENOMEM);
}

TEST(last_freed_first_used)
{
    static const size_t sizes[] = { 0, 64 * KB, 8 * MB, 32 * MB };
    for (size_t i = 0; i < array_len(sizes); i++) {
        struct g *a = must_alloc(sizes[i]), *b = must_alloc(sizes[i]), *c = must_alloc(sizes[i]);
        uint32_t size = g_table_size(), index = a->index;
        struct stack_stats before, after;
        stack_read_stats(&before);
        stack_free(c);
        stack_free(a);
        stack_free(b);
        stack_read_stats(&after);
        CHECK_EQ(after.slots, before.slots);
        CHECK_EQ(after.slots_free, before.slots_free + 3);
        CHECK_PTR_EQ(must_alloc(sizes[i]), b);
        CHECK_PTR_EQ(must_alloc(sizes[i]), a);
        CHECK_PTR_EQ(must_alloc(sizes[i]), c);
        CHECK_EQ(a->index, index);
        CHECK_EQ(g_table_size(), size);
        stack_free(a);
        stack_free(b);
        stack_free(c);
    }
}

// A large stack gives its pages back when it is freed, but for the top.
static uint32_t chain_length(const struct g *g, const struct g *last)
{
    uint32_t n = 0;
    for (; g != NULL; g = g->sched_link) {
        n++;
        if (g->sched_link == NULL) CHECK_PTR_EQ(g, last);
    }
    return n;
}

// Several at a time go and come, in the order of single ones.
TEST(a_batch_is_taken_and_given_back)
{
    struct g *g[5], *last;
    struct stack_stats before, after;
    uint32_t n = UINT32_MAX;
    while (stack_take_default(&n, &last) != NULL) // of former tests; they stay in use
        n = UINT32_MAX;
    CHECK_EQ(n, 0);
    for (size_t i = 0; i < array_len(g); i++)
        g[i] = must_alloc(0);
    stack_read_stats(&before);
    for (size_t i = 0; i < array_len(g); i++)
        stack_free(g[i]);
    n = 3;
    struct g *batch = stack_take_default(&n, &last);
    stack_read_stats(&after);
    CHECK_EQ(n, 3);
    CHECK_EQ(chain_length(batch, last), 3);
    CHECK(batch == g[4] && last == g[2]);
    CHECK_EQ(after.slots_free, before.slots_free + 2);
    stack_free_default(batch, last, n);
    n = 100;
    batch = stack_take_default(&n, &last);
    CHECK_EQ(n, 5);
    CHECK_EQ(chain_length(batch, last), 5);
    CHECK(batch == g[4] && last == g[0]);
    stack_read_stats(&after);
    CHECK_EQ(after.slots_free, before.slots_free);
    stack_free_default(batch, last, n);
}

TEST(large_stacks_are_trimmed)
{
    struct g *g = must_alloc(16 * MB);
    volatile char *low = (volatile char *)g->stack_lo;
    volatile char *high = (volatile char *)(g->stack_hi - 1000);
    *low = 1;
    *high = 1;
    stack_free(g);
    CHECK_EQ(*low, 0);
    CHECK_EQ(*high, 1);
    CHECK_PTR_EQ(must_alloc(16 * MB), g);
    stack_free(g);
}

static sigjmp_buf fault_back;
static void *volatile fault_address;
static void on_fault(int sig, siginfo_t *info, void *context)
{
    (void)sig;
    (void)context;
    fault_address = info->si_addr;
    siglongjmp(fault_back, 1);
}

static bool touch_faults(uintptr_t address)
{
    if (sigsetjmp(fault_back, 1) != 0) return true;
    *(volatile char *)address = 1;
    return false;
}

// In a child.
static void catch_faults(void)
{
    struct sigaction act = { .sa_flags = SA_SIGINFO };
    act.sa_sigaction = on_fault;
    sigaction(SIGSEGV, &act, NULL);
    sigaction(SIGBUS, &act, NULL);
}

TEST(guards_fault_and_name_the_owner)
{
    struct sigaction act = { .sa_flags = SA_SIGINFO }, old_segv, old_bus;
    act.sa_sigaction = on_fault;
    sigaction(SIGSEGV, &act, &old_segv);
    sigaction(SIGBUS, &act, &old_bus);
    enum { N = 64 };
    struct g *g[N];
    for (int i = 0; i < N; i++)
        g[i] = must_alloc(i % 2 ? 0 : 64 * KB);
    for (int round = 0; round < 2; round++) { // the second time on reused slots
        for (int i = 0; i < N; i++) {
            size_t guard = g[i]->slot_class == 0 ? 16 * KB : 64 * KB;
            for (uintptr_t a = g[i]->stack_lo - guard; a < g[i]->stack_lo; a += 4096) {
                CHECK(touch_faults(a + 8));
                CHECK_PTR_EQ(fault_address, a + 8);
                CHECK_PTR_EQ(stack_guard_owner((uintptr_t)fault_address), g[i]);
            }
            CHECK(!touch_faults(g[i]->stack_lo));
        }
        for (int i = 0; i < N; i++)
            stack_free(g[i]);
        for (int i = N - 1; i >= 0; i--)
            CHECK_PTR_EQ(must_alloc(i % 2 ? 0 : 64 * KB), g[i]);
    }
    for (int i = 0; i < N; i++)
        stack_free(g[i]);
    sigaction(SIGSEGV, &old_segv, NULL);
    sigaction(SIGBUS, &old_bus, NULL);
}

TEST(addresses_of_nobody)
{
    int local;
    CHECK(stack_owner((uintptr_t)&local) == NULL);
    CHECK(stack_owner(0) == NULL);
    CHECK(stack_owner(UINTPTR_MAX) == NULL);
    // The newest slot of the default class is followed by slots that nobody used yet.
    uintptr_t highest = 0;
    for (uint32_t i = 0; i < g_table_size(); i++) {
        struct g *g = g_at(i);
        if (g->slot_class == STACK_DEFAULT_CLASS && g->stack_lo > highest) highest = g->stack_lo;
    }
    CHECK_NE(highest, 0);
    CHECK(stack_owner(highest + STACK_DEFAULT) == NULL);
    CHECK(stack_guard_owner(highest - 1 + STACK_DEFAULT) == NULL);
}

TEST(tops_are_coloured)
{
    enum { N = 4096 };
    static struct g *g[N];
    uint32_t count[64] = { 0 }, colours = 0;
    for (int i = 0; i < N; i++) {
        g[i] = must_alloc(0);
        count[(uintptr_t)g[i] % 4096 / CACHE_LINE]++;
    }
    for (int i = 0; i < 64; i++) {
        colours += count[i] != 0;
        CHECK_LT(count[i], 2 * N / 32);
    }
    CHECK_EQ(colours, 32);
    for (int i = 0; i < N; i++)
        stack_free(g[i]);
}

static size_t resident_bytes(void)
{
    char text[128] = "";
    FILE *f = fopen("/proc/self/statm", "r");
    CHECK(f != NULL);
    CHECK(fgets(text, sizeof text, f) != NULL);
    fclose(f);
    unsigned long size, resident;
    CHECK_EQ(sscanf(text, "%lu %lu", &size, &resident), 2);
    return resident * os_page_size();
}

static size_t mapping_count(void)
{
    size_t lines = 0;
    FILE *f = fopen("/proc/self/maps", "r");
    CHECK(f != NULL);
    for (int c; (c = getc(f)) != EOF;)
        lines += c == '\n';
    fclose(f);
    return lines;
}

// One page each, and no mappings of their own.
TEST(a_parked_stack_costs_a_page)
{
    size_t n = (size_t)test_count(20000);
    struct stack_stats before, after;
    stack_read_stats(&before);
    size_t resident = resident_bytes(), mappings = mapping_count();
    (void)resident;
    struct g **g = mmap(NULL, n * sizeof(*g), PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
    CHECK(g != MAP_FAILED);
    for (size_t i = 0; i < n; i++) {
        g[i] = must_alloc(0);
        *(volatile char *)(g[i]->stack_hi - 256) = 1;
    }
    stack_read_stats(&after);
#ifndef __SANITIZE_ADDRESS__ // which keeps its own account of what is touched
    CHECK_LT((resident_bytes() - resident) / n, 4096 + 512);
#endif
    if (after.guards_by_mprotect == 0) CHECK_LT(mapping_count() - mappings, 16);
    CHECK_LE(after.slots - before.slots, n + 7); // Note [Fresh stacks]
    CHECK_GE(after.bytes_reserved, after.slots * 64 * KB);
    for (size_t i = 0; i < n; i++)
        stack_free(g[i]);
    munmap(g, n * sizeof(*g));
}

// Threads take and give back; nobody has what another has; readers of the table see whole records.
static uint32_t churn_over;
static void *churn(void *arg)
{
    enum { HELD = 32 };
    struct g *held[HELD] = { NULL };
    uint64_t seed = test_seed() + (uintptr_t)arg;
    for (int64_t i = test_count(40000); i > 0; i--) {
        struct g **g = &held[test_random(&seed) % HELD];
        crit_enter();
        if (*g == NULL) {
            *g = must_alloc(test_random(&seed) % 3 * 64 * KB);
            CHECK(atomic_exchange_acqrel(&(*g)->arg, arg) == NULL);
        } else {
            CHECK(atomic_exchange_acqrel(&(*g)->arg, NULL) == arg);
            stack_free(*g);
            *g = NULL;
        }
        crit_exit();
    }
    for (int i = 0; i < HELD; i++) {
        if (held[i] == NULL) continue;
        crit_enter();
        held[i]->arg = NULL;
        stack_free(held[i]);
        crit_exit();
    }
    return NULL;
}

static void *watch_table(void *arg)
{
    uint32_t seen = 0;
    while (!atomic_load_acquire(&churn_over)) {
        uint32_t n = g_table_size();
        CHECK_GE(n, seen);
        seen = n;
        for (uint32_t i = n > 100 ? n - 100 : 0; i < n; i++) {
            struct g *g = g_at(i);
            CHECK(g != NULL);
            CHECK_EQ(g->index, i);
            CHECK_PTR_EQ(stack_owner(g->stack_lo), g);
        }
    }
    return arg;
}

TEST(threads_take_and_give_back)
{
    pthread_t t[4], watcher;
    CHECK_EQ(pthread_create(&watcher, NULL, watch_table, NULL), 0);
    for (uintptr_t i = 0; i < 4; i++)
        CHECK_EQ(pthread_create(&t[i], NULL, churn, (void *)(i + 1)), 0);
    for (int i = 0; i < 4; i++)
        pthread_join(t[i], NULL);
    atomic_store_release(&churn_over, 1);
    pthread_join(watcher, NULL);
    for (uint32_t i = 0; i < g_table_size(); i++)
        CHECK_EQ(g_at(i)->index, i);
}

// Threads make new ones only, while guards, blocks of the table and chunks are refused at times.
enum { MAKERS = 4, MADE = 1500 };
static struct g *made[MAKERS][MADE];
static uint32_t makers_left;

static void *make_many(void *arg)
{
    struct g **g = made[(uintptr_t)arg];
    int n = (int)test_count(MADE);
    for (int i = 0; i < n;) {
        int error = 0;
        crit_enter();
        g[i] = stack_alloc((uintptr_t)arg % 2 * 64 * KB, &error);
        CHECK(g[i] != NULL || error == ENOMEM);
        if (g[i] != NULL) CHECK(atomic_exchange_acqrel(&g[i++]->arg, arg) == NULL);
        crit_exit();
    }
    atomic_fetch_sub_acqrel(&makers_left, 1u);
    return NULL;
}

static void threads_make_many(void)
{
    pthread_t t[MAKERS], watcher;
    uint64_t seed = test_seed();
    size_t n = (size_t)test_count(MADE);
    stack_init();
    atomic_store_release(&churn_over, 0u);
    atomic_store_release(&makers_left, (uint32_t)MAKERS);
    CHECK_EQ(pthread_create(&watcher, NULL, watch_table, NULL), 0);
    for (uintptr_t i = 0; i < MAKERS; i++)
        CHECK_EQ(pthread_create(&t[i], NULL, make_many, (void *)i), 0);
    while (atomic_load_acquire(&makers_left) != 0) {
        os_mem_fail_at(1 + test_random(&seed) % 20, false);
        os_mem_fail_guard_at(1 + test_random(&seed) % 200, false);
    }
    os_mem_fail_at(0, false);
    os_mem_fail_guard_at(0, false);
    for (int i = 0; i < MAKERS; i++)
        pthread_join(t[i], NULL);
    atomic_store_release(&churn_over, 1u);
    pthread_join(watcher, NULL);
    struct stack_stats s;
    stack_read_stats(&s);
    CHECK_EQ(s.slots, g_table_size());
    CHECK_EQ(s.slots - s.slots_free, MAKERS * n);
    for (size_t i = 0; i < MAKERS; i++)
        for (size_t k = 0; k < n; k++) {
            CHECK_PTR_EQ(made[i][k]->arg, (void *)i);
            check_slot(made[i][k], 1);
        }
    catch_faults();
    for (uint32_t i = 0; i < g_table_size(); i++)
        CHECK(touch_faults(g_at(i)->stack_lo - 1));
}

// ---- limits, each in a process of its own -----------------------------------------------------

static void in_child(const char *name, void (*fn)(void))
{
    test_current = name;
    fflush(NULL);
    pid_t pid = fork();
    CHECK_GE(pid, 0);
    if (pid == 0) {
        fn();
        _exit(0);
    }
    int status;
    CHECK_EQ(waitpid(pid, &status, 0), pid);
    if (WIFEXITED(status) && WEXITSTATUS(status) == TEST_SKIPPED) return;
    CHECK_EQ(status, 0);
}

// Allocates until that fails; then all is consistent, and what is given back can be had again.
static uint32_t exhaust(size_t size, uint32_t most)
{
    struct g *last = NULL;
    uint32_t n = 0, before = g_table_size();
    int error = 0;
    for (; n < most; n++) {
        struct g *g = stack_alloc(size, &error);
        if (g == NULL) break;
        check_slot(g, size);
        last = g;
    }
    if (n == most) return n;
    CHECK_EQ(error, ENOMEM);
    CHECK_EQ(g_table_size(), before + n);
    struct stack_stats a, b;
    stack_read_stats(&a);
    uint64_t meta = sched_meta_bytes();
    for (int i = 0; i < 100; i++) // failing again and again takes nothing
        CHECK(stack_alloc(size, &error) == NULL);
    stack_read_stats(&b);
    CHECK_EQ(a.slots, b.slots);
    CHECK_EQ(a.bytes_reserved, b.bytes_reserved);
    CHECK_LE(sched_meta_bytes(), meta + CACHE_LINE); // at most the one record that is kept ready
    if (last != NULL) {
        stack_free(last);
        CHECK_PTR_EQ(must_alloc(size), last);
    }
    return n;
}

static void address_space_limit(void)
{
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    _exit(TEST_SKIPPED);
#endif
    struct rlimit limit = { 256 * MB, 256 * MB };
    CHECK_EQ(setrlimit(RLIMIT_AS, &limit), 0);
    stack_init();
    struct stack_stats s;
    stack_read_stats(&s);
    CHECK_LE(s.bytes_reserved, 16 * MB); // the heap needs room too
    uint32_t n = exhaust(0, 10000);
    CHECK_GT(n, 500); // of 256 KB each: more than half of the limit, in several chunks
    CHECK_LT(n, 1024);
}

// A limit that would let the first try through: most of it is left for others all the same.
static void wide_address_space_limit(void)
{
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    _exit(TEST_SKIPPED);
#endif
    struct rlimit limit = { 300 * GB, 300 * GB };
    CHECK_EQ(setrlimit(RLIMIT_AS, &limit), 0);
    stack_init();
    struct stack_stats s;
    stack_read_stats(&s);
    CHECK_LE(s.bytes_reserved, 300 * GB / 16);
    CHECK_GE(s.bytes_reserved, 1 * GB);
}

static void every_mapping_fails(void)
{
    stack_init();
    for (size_t size = 64 * KB; size <= 64 * MB; size *= 2) {
        if (size == STACK_DEFAULT) continue;
        for (uint64_t k = 1;; k++) {
            uint64_t fired = os_mem_failures();
            int error = 0;
            os_mem_fail_at(k, true);
            struct g *g = stack_alloc(size, &error);
            os_mem_fail_at(0, false);
            if (os_mem_failures() == fired) {
                CHECK(g != NULL);
                break;
            }
            CHECK(g == NULL);
            CHECK_EQ(error, ENOMEM);
        }
        check_slot(must_alloc(size), size);
    }
    CHECK_GT(os_mem_failures(), 0);
}

// The first refusal makes chunks small; they grow again.
static void small_chunks(void)
{
    os_mem_fail_at(1, false);
    stack_init();
    CHECK_EQ(os_mem_failures(), 1);
    struct stack_stats s;
    stack_read_stats(&s);
    CHECK_EQ(s.bytes_reserved, 16 * STACK_DEFAULT);
    for (int i = 0; i < 1000; i++)
        check_slot(must_alloc(0), 0);
    stack_read_stats(&s);
    CHECK_EQ(s.slots - s.slots_free, 1000);
    CHECK_LT(s.slots_free, 8);
    CHECK_LE(s.bytes_reserved, 2 * 1024 * STACK_DEFAULT);
}

// Allocates n of the default class; how many more are free then, which is checked to be below 8.
static uint64_t take_many(struct g **g, uint32_t n, uint64_t held)
{
    struct stack_stats s;
    for (uint32_t i = 0; i < n; i++)
        check_slot(g[i] = must_alloc(0), 0);
    stack_read_stats(&s);
    CHECK_EQ(s.slots - s.slots_free, held + n);
    CHECK_EQ(s.slots, g_table_size());
    CHECK_LT(s.slots_free, 8);
    return s.slots_free;
}

// One at a time at first, so that a program with few has no more than it uses; then several.
static void several_at_once_where_there_are_many(void)
{
    struct g *g[200];
    stack_init();
    for (uint32_t i = 0; i < 16; i++)
        CHECK_EQ(take_many(&g[i], 1, i), 0);
    uint64_t most = 0;
    for (uint32_t i = 16; i < array_len(g); i++) {
        uint64_t more = take_many(&g[i], 1, i);
        CHECK_LE(more, i / 16);
        if (more > most) most = more;
    }
    struct stack_stats s;
    stack_read_stats(&s);
    CHECK_EQ(most, s.guards_by_mprotect == 0 ? 7 : 0);
}

// Of several that are made at once the guards are refused from the k-th on.
static void guards_are_refused(void)
{
    struct g *g[400];
    uint32_t held = 0;
    stack_init();
    catch_faults();
    for (uint64_t left = 1; held < 200 || left != 0; held++)
        left = take_many(&g[held], 1, held);
    struct stack_stats s;
    stack_read_stats(&s);
    if (s.guards_by_mprotect != 0) _exit(TEST_SKIPPED); // one at a time
    for (uint32_t k = 1; k <= 8; k++) {
        int error = 0;
        os_mem_fail_guard_at(k, true);
        for (uint32_t i = 1; i < k; i++) { // those before it are there
            CHECK(stack_alloc(0, &error) != NULL);
            CHECK_EQ(g_table_size(), held + k - 1);
            os_mem_fail_guard_at(1, true); // nothing more
        }
        for (int i = 0; i < 20; i++) { // failing again and again takes nothing
            CHECK(stack_alloc(0, &error) == NULL);
            CHECK_EQ(error, ENOMEM);
        }
        CHECK_EQ(g_table_size(), held + k - 1);
        stack_read_stats(&s);
        CHECK_EQ(s.slots, held + k - 1);
        CHECK_EQ(s.slots_free, 0);
        for (uint32_t i = held; i < held + k - 1; i++)
            check_slot(g_at(i), 0);
        uintptr_t next = g_at(held + k - 2)->stack_lo + STACK_DEFAULT;
        CHECK(stack_owner(next) == NULL && stack_guard_owner(next - 1) == NULL);
        os_mem_fail_guard_at(0, false);
        held += k - 1;
        for (uint32_t i = k - 1; i < 8; i++, held++) { // the others come first when they can
            CHECK_EQ(take_many(&g[held], 1, held), 0);
            CHECK(touch_faults(g[held]->stack_lo - 1));
        }
        for (uint64_t left = 1; left != 0; held++)
            left = take_many(&g[held], 1, held);
    }
}

static void nothing_at_all(void *arg)
{
    (void)arg;
    os_mem_fail_at(1, true);
    stack_init();
}

// Locked memory can not have guards by advice: those of mprotect take their place.
static void guards_by_mprotect(void)
{
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    _exit(TEST_SKIPPED);
#endif
    if (mlockall(MCL_FUTURE | MCL_ONFAULT) != 0) _exit(TEST_SKIPPED);
    stack_init();
    uint32_t n = exhaust(64 * KB, 200000);
    struct stack_stats s;
    stack_read_stats(&s);
    CHECK_EQ(s.guards_by_mprotect, s.slots);
    CHECK_GT(n, 8);      // where the limit of locked memory is small
    CHECK_LT(n, 200000); // two mappings each
}

int main(void)
{
    (void)test_seed(); // chosen before threads ask
    heap_init(NULL);
    in_child("address_space_limit", address_space_limit);
    in_child("wide_address_space_limit", wide_address_space_limit);
    in_child("every_mapping_fails", every_mapping_fails);
    in_child("small_chunks", small_chunks);
    in_child("guards_by_mprotect", guards_by_mprotect);
    in_child("several_at_once_where_there_are_many", several_at_once_where_there_are_many);
    in_child("guards_are_refused", guards_are_refused);
    in_child("threads_make_many", threads_make_many);
    test_current = "nothing_at_all";
    expect_fatal(nothing_at_all, NULL, "can not reserve address space for one stack");
    stack_init();
    RUN(a_fresh_slot);
    RUN(sizes);
    RUN(last_freed_first_used);
    RUN(a_batch_is_taken_and_given_back);
    RUN(large_stacks_are_trimmed);
    RUN(guards_fault_and_name_the_owner);
    RUN(addresses_of_nobody);
    RUN(tops_are_coloured);
    RUN(a_parked_stack_costs_a_page);
    RUN(threads_take_and_give_back);
    return 0;
}
