// Giving memory back and asking for it: huge pages, goals that allocations keep, refusals,
// population.
//
// The heap starts once per process, so each case runs in a child.
//
// TEST skip=emulated
// (the emulator does not tell what is resident)
// SPDX-License-Identifier: BSD-3-Clause
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "heap/scavenge.h"
#include "heap_test.h"

#define ASSIST_LEAST (1 * MB) // as in scavenge.c

static struct mcache *cache;

static void in_child(void (*fn)(void), bool huge)
{
    int status;
    pid_t child = fork();
    CHECK_GE(child, 0);
    if (child == 0) {
        struct heap_params p = { .huge_pages = huge };
        alarm(60);
        CHECK(heap_init(&p));
        cache = new_cache();
        fn();
        prove_whole(&cache, 1);
        _exit(0);
    }
    CHECK_EQ(waitpid(child, &status, 0), child);
    CHECK(WIFEXITED(status));
    CHECK_EQ(WEXITSTATUS(status), 0);
}

// Memory that is freed by hand.
static uint64_t manual;
static struct span *live[64];
static size_t nlive;

static struct span *taken(size_t bytes)
{
    struct span *s = span_alloc_manual(div_up(bytes, PAGE_BYTES), &manual);
    CHECK(s != NULL && nlive < array_len(live));
    live[nlive++] = s;
    return s;
}

static struct span *touched(size_t bytes)
{
    struct span *s = taken(bytes);
    memset((void *)s->base, 0x5a, bytes);
    return s;
}

static void drop(struct span *s)
{
    for (size_t i = 0; i < nlive; i++)
        if (live[i] == s) {
            live[i] = live[--nlive];
            span_free_manual(s);
            return;
        }
    CHECK(!"was taken");
}

static void drop_all(void)
{
    while (nlive != 0)
        drop(live[nlive - 1]);
}

static uint64_t released(enum scav_origin o)
{
    struct scav_counts c;
    scav_read_counts(&c);
    return c.released[o];
}

// A field of /proc/self/smaps_rollup, in bytes.
static size_t rollup(const char *field)
{
    char line[256];
    size_t kb = 0;
    FILE *f = fopen("/proc/self/smaps_rollup", "r");
    CHECK(f != NULL);
    while (fgets(line, sizeof line, f) != NULL)
        if (strncmp(line, field, strlen(field)) == 0) kb = strtoul(line + strlen(field), NULL, 10);
    fclose(f);
    return kb * KB;
}

// Whether the kernel is asked for huge pages there.  Which it gives depends on what others left it.
static bool huge_pages_are_wanted(uintptr_t addr)
{
    char line[512];
    bool here = false, wanted = false;
    FILE *f = fopen("/proc/self/smaps", "r");
    CHECK(f != NULL);
    while (fgets(line, sizeof line, f) != NULL) {
        unsigned long lo, hi;
        if (sscanf(line, "%lx-%lx ", &lo, &hi) == 2)
            here = lo <= addr && addr < hi;
        else if (here && strncmp(line, "VmFlags:", 8) == 0)
            wanted = strstr(line, " hg") != NULL;
    }
    fclose(f);
    return wanted;
}

// ---- chunks that are dense are let alone --------------------------------------------------------

static void run_round(enum scav_origin origin)
{
    struct scav_round r;
    bool over = false;
    scav_begin(&r, origin);
    while (!over)
        scav_step(&r, 8, &over);
}

static void dense_waits(void)
{
    touched(32 * MB);
    scav_generation_stw();
    drop_all(); // was dense when this generation began
    run_round(SCAV_BACKGROUND);
    CHECK_EQ(released(SCAV_BACKGROUND), 0);
    scav_generation_stw();
    run_round(SCAV_BACKGROUND);
    CHECK_EQ(released(SCAV_BACKGROUND), 32 * MB);
    CHECK_EQ(scav_retained(), 0);
    // Dense in this generation, by what was taken last: two generations.
    touched(32 * MB);
    drop_all();
    scav_generation_stw();
    run_round(SCAV_BACKGROUND);
    CHECK_EQ(released(SCAV_BACKGROUND), 32 * MB);
    scav_generation_stw();
    run_round(SCAV_BACKGROUND);
    CHECK_EQ(released(SCAV_BACKGROUND), 64 * MB);
    // Force does not wait.
    touched(32 * MB);
    drop_all();
    CHECK_EQ(scav_release(SIZE_MAX, SCAV_FORCED), 32 * MB);
}

// ---- huge pages ---------------------------------------------------------------------------------

#define CHUNKS 6
static struct span *blocks[2 * CHUNKS];

// The first two chunks are for small heaps.
static void huge_pages(void)
{
    if (os_huge_page_size() != BLOCK_BYTES) {
        printf("no huge pages here\n");
        return;
    }
    struct scav_counts c;
    for (size_t i = 0; i < array_len(blocks); i++)
        blocks[i] = touched(BLOCK_BYTES);
    uintptr_t base = blocks[0]->base;
    for (size_t i = 0; i < CHUNKS; i++) {
        CHECK_EQ(pagealloc_is_huge(&heap->pages, base + i * CHUNK_BYTES), i >= 2);
        CHECK_EQ(huge_pages_are_wanted(base + i * CHUNK_BYTES), i >= 2);
    }
    CHECK_EQ(scav_retained(), CHUNKS * CHUNK_BYTES);

    // A block goes as a whole: its chunk stays one of huge pages.
    drop(blocks[9]);
    CHECK_EQ(scav_release(1, SCAV_FORCED), BLOCK_BYTES);
    CHECK(pagealloc_is_huge(&heap->pages, base + 4 * CHUNK_BYTES));
    // The first page of it brings all of it, which is zero.
    struct span *s = span_alloc_small(cache, 5);
    CHECK_EQ(align_down(s->base, BLOCK_BYTES), blocks[9]->base);
    CHECK_EQ(scav_retained(), CHUNKS * CHUNK_BYTES);
    CHECK_EQ(s->need_zero, 0);
    CHECK(pagealloc_is_zeroed(&heap->pages, s->base + BLOCK_BYTES - PAGE_BYTES));
    CHECK(!pagealloc_is_scavenged(&heap->pages, s->base + BLOCK_BYTES - PAGE_BYTES));
    CHECK(pagealloc_validate(&heap->pages) == NULL);

    // Part of a block: the chunk is taken out of huge pages.
    mcache_release(cache);
    CHECK_EQ(scav_release(8 * PAGE_BYTES, SCAV_FORCED), 8 * PAGE_BYTES);
    CHECK(!pagealloc_is_huge(&heap->pages, base + 4 * CHUNK_BYTES));
    CHECK(!huge_pages_are_wanted(base + 4 * CHUNK_BYTES));
    scav_read_counts(&c);
    CHECK_EQ(c.splits, 1);
    scav_release(SIZE_MAX, SCAV_FORCED);
    scav_read_counts(&c);
    CHECK_EQ(c.splits, 1);
    CHECK(pagealloc_validate(&heap->pages) == NULL);

    // All of it: back to huge pages.
    span_free(s);
    drop(blocks[8]);
    scav_release(SIZE_MAX, SCAV_FORCED);
    CHECK(pagealloc_is_huge(&heap->pages, base + 4 * CHUNK_BYTES));
    CHECK(huge_pages_are_wanted(base + 4 * CHUNK_BYTES));
    CHECK_EQ(scav_retained(), (CHUNKS - 1) * CHUNK_BYTES);
    // Not those below the line.
    drop(blocks[0]);
    drop(blocks[1]);
    scav_release(SIZE_MAX, SCAV_FORCED);
    CHECK(!pagealloc_is_huge(&heap->pages, base));
    if (!SANITIZED) CHECK_LE(rollup("AnonHugePages:"), 12 * MB);
}

// ---- what an allocation does by itself ----------------------------------------------------------

static void limit_is_kept(void)
{
    touched(24 * MB);
    uint64_t meta = scav_meta();
    struct scav_goals g = { SCAV_NONE, 40 * MB + meta, SCAV_NONE, 8 * MB };
    drop_all();
    CHECK_EQ(scav_retained(), 24 * MB);
    scav_set_goals(&g); // 32 MB may be heap
    scav_set_others(g.others);
    for (int i = 0; i < 6; i++) {
        touched(4 * MB); // free pages first
        CHECK_LE(scav_total(), 40 * MB + meta);
    }
    CHECK_EQ(released(SCAV_LIMIT), 0);
    taken(8 * MB);
    CHECK_EQ(scav_total(), 40 * MB + meta);
    CHECK_EQ(released(SCAV_LIMIT), 0);
    // Past the limit with nothing to give back: it goes on.
    taken(4 * MB);
    CHECK_EQ(scav_total(), 44 * MB + meta);
    CHECK_EQ(released(SCAV_LIMIT), 0);
    CHECK(!scav_is_wanted());
    // 30 MB in one piece, of which 8 MB at most lie beside other free pages.
    drop_all();
    CHECK_EQ(scav_retained(), 36 * MB);
    struct span *low = touched(6 * MB), *hole = touched(6 * MB), *high = touched(24 * MB);
    CHECK_EQ(scav_retained(), 36 * MB);
    drop(hole);
    taken(8 * MB); // does not fit the hole
    CHECK_EQ(released(SCAV_LIMIT), 6 * MB);
    CHECK_EQ(scav_total(), 46 * MB + meta);
    CHECK(low != NULL && high != NULL);
}

// An allocation pays for what it takes, not for a limit that fell.
static void assist_is_bounded(void)
{
    struct span *low = touched(4 * MB);
    touched(16 * KB);
    struct span *high = touched(40 * MB); // all of it in one arena
    drop(low);
    scav_release(SIZE_MAX, SCAV_FORCED);
    drop(high);
    struct scav_goals g = { SCAV_NONE, 1 * MB, SCAV_NONE, 0 };
    scav_set_goals(&g);
    taken(2 * MB);
    uint64_t first = released(SCAV_LIMIT);
    CHECK_GE(first, 4 * MB); // twice what was taken, rounded up to a block
    CHECK_LT(first, 4 * MB + BLOCK_BYTES);
    taken(PAGE_BYTES);
    CHECK_GE(released(SCAV_LIMIT) - first, ASSIST_LEAST);
    CHECK_LT(released(SCAV_LIMIT) - first, ASSIST_LEAST + BLOCK_BYTES);
}

// Memory never used before, though some was free: as much of that goes back.
static void growth_is_offset(void)
{
    struct span *a = touched(20 * MB), *b = touched(12 * MB);
    drop(a);
    scav_generation_stw();
    scav_generation_stw();
    struct scav_goals g = { 32 * MB, SCAV_NONE, SCAV_NONE, 0 };
    scav_set_goals(&g);
    touched(24 * MB);
    CHECK_EQ(released(SCAV_GROWTH), 20 * MB);
    CHECK_EQ(scav_retained(), 36 * MB);
    // Memory that was used before is no growth.
    drop(b);
    touched(32 * MB);
    uint64_t before = released(SCAV_GROWTH);
    scav_release(SIZE_MAX, SCAV_FORCED);
    touched(20 * MB);
    CHECK_EQ(released(SCAV_GROWTH), before);
}

// ---- refusals -----------------------------------------------------------------------------------

static void refusal_loses_nothing(void)
{
    struct scav_counts c;
    struct span *s = touched(12 * MB), *keep = touched(1 * MB);
    uintptr_t base = s->base;
    uintptr_t locked = align_up(base, BLOCK_BYTES) + BLOCK_BYTES;
    // Not mlock(3), which sanitizers ignore.
    if (syscall(SYS_mlock, locked + 3 * PAGE_BYTES, PAGE_BYTES) != 0) {
        printf("may not lock memory\n");
        return;
    }
    drop(s);
    // Only the block that holds the locked page stays, and what lies below is found.
    CHECK_EQ(scav_release(SIZE_MAX, SCAV_FORCED), 10 * MB);
    scav_read_counts(&c);
    CHECK_GE(c.refused, 1);
    CHECK_EQ(scav_retained(), 3 * MB);
    CHECK(pagealloc_is_free(&heap->pages, locked));
    CHECK(!pagealloc_is_scavenged(&heap->pages, locked));
    prove_whole(&cache, 1);
    s = taken(12 * MB);
    CHECK_EQ(s->base, base);
    CHECK_EQ(s->need_zero, 1);
    CHECK_EQ(scav_retained(), 13 * MB);
    CHECK(keep != NULL);
}

// ---- population ---------------------------------------------------------------------------------

// Pages come ahead of their use, one of them.
static void population(void)
{
    struct scav_counts c;
    uint64_t touched_pages = 0;
    static struct span *spans[1000];
    for (int i = 0; i < 1000; i++) {
        struct span *s = spans[i] = span_alloc_small(cache, 5);
        CHECK_EQ(s->need_zero, 0);
        for (uintptr_t a = s->base; a < s->base + PAGE_BYTES; a += 512) {
            CHECK_EQ(*(uint64_t *)a, 0);
            *(uint64_t *)a = 1;
        }
        touched_pages++;
        scav_read_counts(&c);
        CHECK_LE(scav_retained(), (touched_pages + 1) * PAGE_BYTES);
    }
    CHECK_EQ(c.populated, 500 * PAGE_BYTES);
    for (int i = 0; i < 1000; i++)
        span_free(spans[i]);
}

int main(void)
{
    in_child(dense_waits, false);
    in_child(dense_waits, true);
    in_child(huge_pages, true);
    in_child(limit_is_kept, false);
    in_child(assist_is_bounded, false);
    in_child(growth_is_offset, false);
    in_child(refusal_loses_nothing, false);
    in_child(population, false);
    return 0;
}
