// Memory that can not be had: the k-th mapping fails for every k, small address spaces, occupied
// hints.  Nothing is corrupted, and everything works once memory comes.
//
// Each case runs in a child, for the heap starts once per process.
//
// TEST skip=emulated
// (the emulator takes no hints of addresses)
// SPDX-License-Identifier: BSD-3-Clause
#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "heap_test.h"

static void in_child(void (*fn)(uint64_t), uint64_t arg)
{
    int status;
    pid_t child = fork();
    CHECK_GE(child, 0);
    if (child == 0) {
        alarm(60);
        fn(arg);
        _exit(0);
    }
    CHECK_EQ(waitpid(child, &status, 0), child);
    CHECK(WIFEXITED(status));
    CHECK_EQ(WEXITSTATUS(status), 0);
}

// A little of everything; false when memory was refused somewhere.
static bool exercise(struct mcache *c, uint64_t *counter)
{
    bool all = true;
    for (unsigned spc = 2; spc < SPAN_CLASSES; spc++)
        all &= take(c, spc) != 0;
    for (int i = 0; i < 3000; i++) // several spans of the classes with long bit arrays
        all &= take(c, 2 + (unsigned)i % 16) != 0;
    all &= span_alloc_large(c, 100 * KB, 8, false) != NULL;
    all &= span_alloc_large(c, 70 * MB, 8, true) != NULL;
    all &= span_alloc_large(c, 3 * MB, 2 * MB, true) != NULL;
    struct span *m = span_alloc_manual(4, counter);
    all &= m != NULL;
    if (m != NULL) span_free_manual(m);
    return all;
}

static void work_after_failure(struct mcache *c)
{
    uint64_t counter = 0;
    prove_whole(&c, 1);
    begin_sweep(&c, 1);
    finish_sweep();
    prove_whole(&c, 1);
    CHECK(exercise(c, &counter));
    CHECK_EQ(counter, 0);
    prove_whole(&c, 1);
    mcache_release(c);
    begin_sweep(NULL, 0);
    finish_sweep();
    prove_whole(NULL, 0);
    CHECK_EQ(heap->in_use, 0);
}

static uint64_t mappings; // of a run in which none fails; found first

static void count_mappings(uint64_t unused)
{
    (void)unused;
    uint64_t counter;
    const uint64_t many = 10000;
    os_mem_fail_at(many, false);
    heap_start();
    struct mcache *c = new_cache();
    CHECK(exercise(c, &counter));
    // The k-th from now fails: how far is it?
    uint64_t left = 0, fired = os_mem_failures();
    while (os_mem_failures() == fired) {
        void *p = os_mem_map(NULL, 4096);
        if (p != NULL) os_mem_unmap(p, 4096);
        left++;
    }
    _exit((int)(many - left));
}

static void fail_once(uint64_t k)
{
    uint64_t counter = 0;
    os_mem_fail_at(k, false);
    if (!heap_init(NULL)) {
        CHECK(heap == NULL);
        heap_start();
    }
    struct mcache *c = new_cache();
    exercise(c, &counter);
    CHECK_EQ(os_mem_failures(), 1);
    work_after_failure(c);
}

static void fail_from(uint64_t k)
{
    uint64_t counter = 0;
    os_mem_fail_at(k, true);
    if (!heap_init(NULL)) {
        CHECK(heap == NULL);
        os_mem_fail_at(0, false);
        return;
    }
    struct mcache *c = new_cache();
    CHECK(!exercise(c, &counter));
    CHECK_EQ(counter, 0);
    CHECK_GE(os_mem_failures(), 1);
    prove_whole(&c, 1);
    exercise(c, &counter); // still refused, still whole
    prove_whole(&c, 1);
    os_mem_fail_at(0, false);
    work_after_failure(c);
}

TEST(every_mapping)
{
    int status;
    pid_t child = fork();
    if (child == 0) count_mappings(0);
    CHECK_EQ(waitpid(child, &status, 0), child);
    CHECK(WIFEXITED(status));
    mappings = (uint64_t)WEXITSTATUS(status);
    CHECK_GE(mappings, 8);
    CHECK_LT(mappings, 250); // it came as an exit code
    for (uint64_t k = 1; k <= mappings; k++) {
        in_child(fail_once, k);
        in_child(fail_from, k);
    }
}

// ---- a small address space --------------------------------------------------------------------

static uint64_t address_space_now(void)
{
    unsigned long pages = 0;
    FILE *f = fopen("/proc/self/statm", "r");
    CHECK_EQ(fscanf(f, "%lu", &pages), 1);
    fclose(f);
    return pages * os_page_size();
}

static void small_address_space(uint64_t limit)
{
    limit += address_space_now();
    struct rlimit r = { limit, limit };
    CHECK_EQ(setrlimit(RLIMIT_AS, &r), 0);
    CHECK(heap_init(NULL));
    struct mcache *c = new_cache();
    uint64_t got = 0;
    // Until it is refused: most of the limit became heap.
    for (;;) {
        struct span *s = span_alloc_large(c, 512 * KB, 8, true);
        if (s == NULL) break;
        *(char *)s->base = 1;
        got += 512 * KB;
    }
    CHECK_GE(got, (limit - 40 * MB) / 2);
    prove_whole(&c, 1);
    CHECK_EQ(take(c, 8), 0);
    prove_whole(&c, 1);
    // What dies can be used again.
    begin_sweep(&c, 1);
    finish_sweep();
    CHECK_NE(take(c, 8), 0);
    CHECK(span_alloc_large(c, 10 * MB, 8, true) != NULL);
    prove_whole(&c, 1);
}

TEST(limits)
{
    static const size_t limits[] = { 256 * MB, 128 * MB, 100 * MB, 64 * MB, GB };
    for (size_t i = 0; i < array_len(limits); i++)
        in_child(small_address_space, limits[i]);
}

// ---- occupied hints ---------------------------------------------------------------------------

static void occupy(uintptr_t addr)
{
    void *p = mmap((void *)addr, 4096, PROT_NONE,
                   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE, -1, 0);
    CHECK_PTR_EQ(p, addr);
}

static void hints_taken(uint64_t n)
{
    const uintptr_t hint = (uintptr_t)0x3b9f00000000;
    for (uint64_t i = 0; i < n; i++)
        occupy(hint + (i << 40));
    if (n == 0) occupy(hint + ARENA_BYTES); // the second arena can not follow the first
    struct heap_params p = { .arena_hint = hint };
    CHECK(heap_init(&p));
    struct mcache *c = new_cache();
    struct span *s[3];
    for (int i = 0; i < 3; i++)
        s[i] = span_alloc_large(c, ARENA_BYTES, 8, true);
    if (n == 0) {
        CHECK_EQ(s[0]->base, hint);
        CHECK_EQ(s[1]->base, hint + ((uintptr_t)1 << 40));
        CHECK_EQ(s[2]->base, s[1]->base + ARENA_BYTES);
    } else if (n < 8) {
        CHECK_EQ(s[0]->base, hint + (n << 40));
        CHECK_EQ(s[1]->base, s[0]->base + ARENA_BYTES);
    } else
        CHECK_GT(s[0]->base, hint + ((n - 1) << 40)); // where the kernel liked
    for (int i = 0; i < 3; i++) {
        CHECK_PTR_EQ(span_of(s[i]->base + 12345678), s[i]);
        *(char *)s[i]->base = 1;
    }
    // A span of two arenas' pages, found from every page.
    struct span *wide = span_alloc_large(c, 190 * MB, 8, true);
    for (size_t i = 0; i < wide->npages; i++)
        CHECK_PTR_EQ(span_of(wide->base + i * PAGE_BYTES), wide);
    prove_whole(&c, 1);
}

static void anywhere(uint64_t unused)
{
    (void)unused;
    struct heap_params p = { .arena_hint = ARENA_ANYWHERE };
    CHECK(heap_init(&p));
    struct mcache *c = new_cache();
    uint64_t counter = 0;
    CHECK(exercise(c, &counter));
    work_after_failure(c);
}

TEST(placement)
{
    in_child(anywhere, 0);
    if (SANITIZED) return;
    in_child(hints_taken, 0);
    in_child(hints_taken, 1);
    in_child(hints_taken, 3);
    in_child(hints_taken, 8);
}

int main(void)
{
    RUN(every_mapping);
    RUN(placement);
    if (!SANITIZED) RUN(limits);
    return 0;
}
