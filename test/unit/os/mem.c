// Memory: placing, guarding, releasing, failing on demand.
//
// TEST skip=emulated
// (the emulator does not know guards)
// SPDX-License-Identifier: BSD-3-Clause
#include <errno.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "forbid.h"
#include "os/os.h"
#include "test.h"

static size_t page;

static void touch(volatile char *p)
{
    *p = 1;
}

// Does an access to p end a process by SIGSEGV?
static bool faults(char *p)
{
    int status;
    pid_t child = fork();
    CHECK_GE(child, 0);
    if (child == 0) {
        os_signal_restore_default(SIGSEGV); // a sanitizer's handler
        touch(p);
        _exit(0);
    }
    CHECK_EQ(waitpid(child, &status, 0), child);
    CHECK(WIFEXITED(status) || WTERMSIG(status) == SIGSEGV);
    return WIFSIGNALED(status);
}

TEST(page_sizes)
{
    CHECK_EQ(page, (size_t)sysconf(_SC_PAGESIZE));
    size_t huge = os_huge_page_size();
    CHECK(huge == 0 || (huge > page && (huge & (huge - 1)) == 0));
    CHECK_EQ(os_huge_page_size(), huge);
}

TEST(reserve_commit_use)
{
    char *p = os_mem_reserve(NULL, 16 * page);
    CHECK(p != NULL);
    CHECK(faults(p));
    CHECK_EQ(os_mem_commit(p + 4 * page, 2 * page), 0);
    for (size_t i = 0; i < 2 * page; i++)
        CHECK_EQ(p[4 * page + i], 0);
    touch(p + 4 * page);
    touch(p + 6 * page - 1);
    CHECK(faults(p + 4 * page - 1));
    CHECK(faults(p + 6 * page));
    os_mem_unmap(p, 16 * page);
    CHECK(faults(p + 4 * page));
}

TEST(a_hint_is_taken_when_free)
{
    char *p = os_mem_map(NULL, 4 * page);
    CHECK(p != NULL);
    os_mem_unmap(p, 4 * page);
    char *q = os_mem_map(p, 4 * page);
    CHECK(q != NULL);
    char *r = os_mem_map(q, 4 * page); // taken: elsewhere
    CHECK(r != NULL && r != q);
    os_mem_unmap(q, 4 * page);
    os_mem_unmap(r, 4 * page);
}

TEST(map_at_never_replaces)
{
    char *p = os_mem_map(NULL, 8 * page);
    CHECK(p != NULL);
    memset(p, 'x', 8 * page);
    CHECK_PTR_EQ(os_mem_map_at(p, page), NULL);
    CHECK_PTR_EQ(os_mem_map_at(p + page, 2 * page), NULL);
    os_mem_unmap(p + 4 * page, 2 * page); // a hole
    CHECK_PTR_EQ(os_mem_map_at(p + 3 * page, 2 * page), NULL);
    CHECK_PTR_EQ(os_mem_map_at(p + 5 * page, 2 * page), NULL);
    CHECK_PTR_EQ(os_mem_map_at(p + 4 * page, 2 * page), p + 4 * page);
    for (size_t i = 0; i < 8 * page; i++)
        CHECK_EQ(p[i], i / page == 4 || i / page == 5 ? 0 : 'x');
    os_mem_unmap(p, 8 * page);
}

TEST(release_zeroes)
{
    char *p = os_mem_map(NULL, 4 * page);
    CHECK(p != NULL);
    memset(p, 'x', 4 * page);
    CHECK_EQ(os_mem_release(p + page, 2 * page), 0);
    for (size_t i = 0; i < 4 * page; i++)
        CHECK_EQ(p[i], i / page == 1 || i / page == 2 ? 0 : 'x');
    os_mem_unmap(p, 4 * page);
    CHECK_NE(os_mem_release(p + 1, page), 0); // not aligned
}

TEST(guards_fault_and_survive_release)
{
    char *p = os_mem_map(NULL, 8 * page);
    CHECK(p != NULL);
    memset(p, 'x', 8 * page);
    CHECK_EQ(os_mem_guard(p + 2 * page, 2 * page), 0);
    CHECK(!faults(p + 2 * page - 1));
    CHECK(faults(p + 2 * page));
    CHECK(faults(p + 4 * page - 1));
    CHECK(!faults(p + 4 * page));
    CHECK_EQ(os_mem_release(p, 8 * page), 0);
    CHECK(faults(p + 3 * page));
    os_mem_unmap(p, 8 * page);
}

// Ranges with a step between them: each guarded, or all before the one that the failing mode
// refuses; and populated.
TEST(many_ranges_at_once)
{
    enum { N = 70, FAILS = 50 };
    size_t step = 4 * page;
    char *p = os_mem_map(NULL, N * step);
    CHECK(p != NULL);
    os_mem_nohugepage(p, N * step);
    int error = -1;
    os_mem_fail_guard_at(FAILS + 1, false);
    CHECK_EQ(os_mem_guard_each(p, page, step, N, &error), FAILS);
    CHECK_EQ(error, ENOMEM);
    for (size_t i = 0; i < N; i++) {
        CHECK_EQ(faults(p + i * step), i < FAILS);
        CHECK(!faults(p + i * step + page));
    }
    CHECK_EQ(os_mem_guard_each(p + FAILS * step, page, step, N - FAILS, &error), N - FAILS);
    CHECK_EQ(error, 0);
    for (size_t i = 0; i < N; i++)
        CHECK(faults(p + i * step + page - 1));
    os_mem_populate_each(p + 3 * page, page, step, N);
    bool known = os_mem_populate(p + 3 * page, page); // advice: an old kernel has not the call
    for (size_t i = 0; i < N; i++) {
        CHECK(!os_mem_is_resident(p + i * step + 2 * page));
        CHECK_EQ(os_mem_is_resident(p + i * step + 3 * page), known);
    }
    CHECK_EQ(os_mem_guard_each(p, page, step, 0, &error), 0);
    CHECK_EQ(error, 0);
    os_mem_unmap(p, N * step);
}

static void in_a_child(void (*fn)(void))
{
    int status;
    pid_t child = fork();
    CHECK_GE(child, 0);
    if (child == 0) {
        fn();
        _exit(0);
    }
    CHECK_EQ(waitpid(child, &status, 0), child);
    CHECK_EQ(status, 0);
}

// The call that takes many may be forbidden, as containers do.
static void without_process_madvise(void)
{
    if (!forbid_call(SYS_process_madvise, EPERM)) return;
    CHECK_EQ(syscall(SYS_process_madvise, 0, NULL, 0, 0, 0), -1);
    CHECK_EQ(errno, EPERM);
    many_ranges_at_once();
}

TEST(many_ranges_one_by_one)
{
    in_a_child(without_process_madvise);
}

static void guard_two(void)
{
    char *p = os_mem_map(NULL, 4 * page);
    CHECK(p != NULL);
    for (int i = 1; i <= 2; i++) {
        CHECK_EQ(os_mem_guard(p + i * page, page), 0);
        CHECK(faults(p + i * page));
    }
    CHECK(!faults(p));
    CHECK(!faults(p + 3 * page));
    os_mem_unmap(p, 4 * page);
}

// By a filter that is there when the first guard is made, and by one that comes later.
static void without_madvise(void)
{
    static const int errors[] = { EPERM, EACCES, ENOSYS };
    for (size_t i = 0; i < array_len(errors); i++)
        if (forbid_call(SYS_madvise, errors[i])) {
            CHECK_NE(os_mem_release((void *)page, page), 0);
            guard_two();
        }
}

TEST(guards_without_advice)
{
    in_a_child(without_madvise);
    guard_two();
    in_a_child(without_madvise);
}

TEST(guards_in_locked_memory_fall_back)
{
    char *p = os_mem_map(NULL, 4 * page);
    CHECK(p != NULL);
    if (mlock(p, 4 * page) == 0) {
        CHECK_EQ(os_mem_guard(p + page, page), 0);
        CHECK(faults(p + page));
        CHECK(!faults(p));
    }
    os_mem_unmap(p, 4 * page);
    p = os_mem_map(NULL, 4 * page); // and the better kind goes on being used
    CHECK_EQ(os_mem_guard(p + page, page), 0);
    CHECK(faults(p + page));
    os_mem_unmap(p, 4 * page);
}

TEST(advice_is_harmless)
{
    char *p = os_mem_map(NULL, 4 * MB);
    CHECK(p != NULL);
    errno = 99;
    os_mem_hugepage(p, 4 * MB);
    os_mem_nohugepage(p, 4 * MB);
    os_mem_populate(p, 2 * MB);
    os_mem_name(p, 4 * MB, "gort test");
    os_mem_populate((void *)page, page); // nothing is there
    CHECK_EQ(errno, 99);
    for (size_t i = 0; i < 4 * MB; i += page)
        CHECK_EQ(p[i], 0);
    os_mem_unmap(p, 4 * MB);
}

TEST(impossible_sizes_are_refused)
{
    errno = 99;
    CHECK_PTR_EQ(os_mem_reserve(NULL, (size_t)1 << 60), NULL);
    CHECK_PTR_EQ(os_mem_map(NULL, (size_t)1 << 60), NULL);
    CHECK_EQ(errno, 99);
}

// The i-th of four mapping calls, one of each kind; did it succeed?
static bool mapping_call(int i, char *reserved)
{
    void *p;
    switch (i) {
    case 0:
        p = os_mem_reserve(NULL, page);
        break;
    case 1:
        p = os_mem_map(NULL, page);
        break;
    case 2:
        os_mem_unmap(reserved, page);
        return os_mem_map_at(reserved, page) != NULL;
    default:
        return os_mem_commit(reserved + page, page) == 0;
    }
    if (p != NULL) os_mem_unmap(p, page);
    return p != NULL;
}

TEST(the_kth_mapping_fails)
{
    char *reserved = os_mem_reserve(NULL, 2 * page);
    CHECK(reserved != NULL);
    for (int persistent = 0; persistent < 2; persistent++)
        for (int k = 1; k <= 4; k++) {
            uint64_t fired = os_mem_failures();
            os_mem_fail_at((uint64_t)k, persistent);
            for (int i = 0; i < 4; i++)
                CHECK_EQ(mapping_call(i, reserved), persistent ? i + 1 < k : i + 1 != k);
            CHECK_EQ(os_mem_failures() - fired, persistent ? 5u - (unsigned)k : 1u);
            os_mem_fail_at(0, false);
            for (int i = 0; i < 4; i++)
                CHECK(mapping_call(i, reserved));
        }
    os_mem_unmap(reserved, 2 * page);
}

int main(void)
{
    page = os_page_size();
    RUN(page_sizes);
    RUN(reserve_commit_use);
    RUN(guards_without_advice); // before this process makes its first guard
    RUN(a_hint_is_taken_when_free);
    RUN(map_at_never_replaces);
    RUN(release_zeroes);
    RUN(guards_fault_and_survive_release);
    RUN(many_ranges_at_once);
    RUN(many_ranges_one_by_one);
    RUN(guards_in_locked_memory_fall_back);
    RUN(advice_is_harmless);
    RUN(impossible_sizes_are_refused);
    RUN(the_kth_mapping_fails);
    return 0;
}
