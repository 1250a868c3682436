/* Memory from the Linux kernel.
 *
 * All by raw system calls, so that they work in a signal handler and while the world is stopped,
 * and preserve errno.  The kernel may lack the newer advices; each of them is advice or has a
 * fallback.
 *
 * State here: the switch of the failing mode, what was learned about guards, and how much is
 * mapped.  All are single words changed by atomic operations that order nothing else: relaxed
 * throughout.
 *
 * Every mapping of the runtime goes through here (but for tables of floor 0: base/ranges.c), so
 * `mapped` is what the kernel gave; what it is for is counted by those who asked, and the sums of
 * both agree (gc/memory.c).
 *
 * Answers to: mem_linux.go.
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/uio.h>

#include "base/atomic.h"
#include "base/bits.h"
#include "base/unscanned.h"
#include "os/linux/syscall.h"
#include "os/os.h"

/* Newer than the headers that we may be built with. */
enum {
    ADVICE_POPULATE_WRITE = 23,  /* Linux 5.14 */
    ADVICE_GUARD_INSTALL = 102,  /* Linux 6.13 */
    MAP_AT_NOREPLACE = 0x100000, /* Linux 4.17; older ones take the address as a hint */
    PRCTL_SET_VMA = 0x53564d41,  /* Linux 5.17 */
    PRCTL_SET_VMA_NAME = 0,
    CALL_PROCESS_MADVISE = 440,    /* Linux 5.10; of the own process with any advice: 6.13 */
    PIDFD_OF_OWN_PROCESS = -10001, /* Linux 6.17; another number in those before that had one */
};

/* ---- the failing mode --------------------------------------------------------------------- */

#define FAIL_PERSISTENT (UINT64_C(1) << 63)

/* Low bits: calls until one fails, that one included; 0: mode off. */
static uint64_t maps_countdown, guards_countdown;
static uint64_t fail_fired;

static void fail_at(uint64_t *countdown, uint64_t k, bool persistent)
{
    atomic_store_relaxed(countdown, k == 0 ? 0 : persistent ? k | FAIL_PERSISTENT : k);
}

void os_mem_fail_at(uint64_t k, bool persistent)
{
    fail_at(&maps_countdown, k, persistent);
}

void os_mem_fail_guard_at(uint64_t k, bool persistent)
{
    fail_at(&guards_countdown, k, persistent);
}

uint64_t os_mem_failures(void)
{
    return atomic_load_relaxed(&fail_fired);
}

/* Counts one call: is it the one that fails? */
static bool this_fails(uint64_t *countdown)
{
    uint64_t now = atomic_load_relaxed(countdown);
    uint64_t next;
    do {
        if (likely(now == 0)) return false;
        next = now == (FAIL_PERSISTENT | 1) ? now : now - 1;
    } while (!atomic_cas_relaxed(countdown, &now, next));
    if ((now & ~FAIL_PERSISTENT) != 1) return false;
    atomic_fetch_add_relaxed(&fail_fired, 1);
    return true;
}

static bool mapping_fails(void)
{
    return this_fails(&maps_countdown);
}

/* ---- mapping ------------------------------------------------------------------------------ */

static uint64_t mapped; /* bytes, in whole pages */

static uint64_t whole_pages(size_t size)
{
    return align_up((uint64_t)size, os_page_size());
}

/* Note [Own mappings].  Who searches the process's memory for pointers (os_mem_each_other)
 * leaves out what is the runtime's own.  Each mapping has an entry: lo is taken by a
 * compare-and-swap from 0, hi set before and after it lies: a reader that finds hi 0 takes
 * nothing for ours.  Entries are few: memory is asked for in large pieces.  When there are more
 * than that, `own_lost` says that the table does not tell all.  The table is not searched for
 * roots: the address of an arena is that of an object, which it would keep with all that hangs
 * on it.  It holds numbers of pages all the same, for copies in registers are searched. */
#define OWN_MOST 8192
#define OWN_SHIFT 12 /* of every page size */
static struct own {
    uintptr_t lo, hi; /* atomic; page numbers */
} own[OWN_MOST];
UNSCANNED(own);
static uint32_t own_used; /* atomic; entries below are or were in use */
static uint32_t own_lost; /* atomic */

/* Page numbers. */
static void own_add_pages(uintptr_t lo, uintptr_t hi)
{
    uint32_t n = atomic_load_relaxed(&own_used);
    for (uint32_t i = 0; i < OWN_MOST; i++) {
        uintptr_t none = 0;
        if (atomic_load_relaxed(&own[i].lo) != 0) continue;
        if (!atomic_cas_relaxed(&own[i].lo, &none, lo)) continue;
        atomic_store_relaxed(&own[i].hi, hi);
        while (n < i + 1 && !atomic_cas_relaxed(&own_used, &n, i + 1))
            ;
        return;
    }
    atomic_store_relaxed(&own_lost, 1);
}

static void own_add(uintptr_t lo, size_t size)
{
    own_add_pages(lo >> OWN_SHIFT, (lo + whole_pages(size)) >> OWN_SHIFT);
}

/* [base, base + size) was unmapped: a mapping, or one end of it. */
static void own_remove(uintptr_t base, size_t size)
{
    uint32_t n = atomic_load_relaxed(&own_used);
    uintptr_t lo = base >> OWN_SHIFT, hi = (base + whole_pages(size)) >> OWN_SHIFT;
    for (uint32_t i = 0; i < n; i++) {
        uintptr_t from = atomic_load_acquire(&own[i].lo), to = atomic_load_acquire(&own[i].hi);
        if (from == 0 || to <= lo || from >= hi) continue;
        if (atomic_load_relaxed(&own[i].lo) != from) continue; /* another's by now */
        if (from < lo) {
            atomic_store_relaxed(&own[i].hi, lo);
            if (to > hi) own_add_pages(hi, to);
        } else if (to > hi) {
            atomic_store_relaxed(&own[i].lo, hi);
        } else {
            atomic_store_relaxed(&own[i].hi, 0);
            atomic_store_relaxed(&own[i].lo, 0);
        }
    }
}

bool os_mem_next_own(uintptr_t at, uintptr_t *lo, uintptr_t *hi)
{
    uint32_t n = atomic_load_relaxed(&own_used);
    uintptr_t first = UINTPTR_MAX;
    for (uint32_t i = 0; i < n; i++) {
        uintptr_t from = atomic_load_relaxed(&own[i].lo), to = atomic_load_relaxed(&own[i].hi);
        if (from == 0 || to << OWN_SHIFT <= at || from >= first) continue;
        first = from;
        *lo = from << OWN_SHIFT;
        *hi = to << OWN_SHIFT;
    }
    return first != UINTPTR_MAX;
}

bool os_mem_knows_own(void)
{
    return atomic_load_relaxed(&own_lost) == 0;
}

uint64_t os_mem_mapped(void)
{
    return atomic_load_relaxed(&mapped);
}

static void *map(void *hint, size_t size, int protection, int flags)
{
    if (mapping_fails()) return NULL;
    long r = syscall_raw6(SYS_mmap, (long)hint, (long)size, protection,
                          MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | flags, -1, 0);
    if (syscall_error(r) != 0) return NULL;
    atomic_fetch_add_relaxed(&mapped, whole_pages(size));
    own_add((uintptr_t)r, size);
    return (void *)r;
}

static int advise(void *addr, size_t size, int advice)
{
    return syscall_error(syscall_raw3(SYS_madvise, addr, size, advice));
}

static int protect(void *addr, size_t size, int protection)
{
    return syscall_error(syscall_raw3(SYS_mprotect, addr, size, protection));
}

void *os_mem_reserve(void *hint, size_t size)
{
    return map(hint, size, PROT_NONE, 0);
}

void *os_mem_map(void *hint, size_t size)
{
    return map(hint, size, PROT_READ | PROT_WRITE, 0);
}

void *os_mem_map_at(void *addr, size_t size)
{
    void *got = map(addr, size, PROT_READ | PROT_WRITE, MAP_AT_NOREPLACE);
    if (got == NULL || got == addr) return got;
    os_mem_unmap(got, size); /* an old kernel went elsewhere */
    return NULL;
}

int os_mem_commit(void *addr, size_t size)
{
    return mapping_fails() ? ENOMEM : protect(addr, size, PROT_READ | PROT_WRITE);
}

int os_mem_release(void *addr, size_t size)
{
    return advise(addr, size, MADV_DONTNEED);
}

void os_mem_unmap(void *addr, size_t size)
{
    /* Before: as soon as it is unmapped another thread may get the addresses. */
    own_remove((uintptr_t)addr, size);
    if (syscall_error(syscall_raw2(SYS_munmap, addr, size)) == 0)
        atomic_fetch_sub_relaxed(&mapped, whole_pages(size));
}

void os_mem_hugepage(void *addr, size_t size)
{
    advise(addr, size, MADV_HUGEPAGE);
}

void os_mem_nohugepage(void *addr, size_t size)
{
    advise(addr, size, MADV_NOHUGEPAGE);
}

void os_mem_dump(void *addr, size_t size, bool yes)
{
    advise(addr, size, yes ? MADV_DODUMP : MADV_DONTDUMP);
}

bool os_mem_populate(void *addr, size_t size)
{
    static uint32_t unknown; /* to this kernel; every thread would find the same */
    if (atomic_load_relaxed(&unknown) != 0) return false;
    int error = advise(addr, size, ADVICE_POPULATE_WRITE);
    if (error == EINVAL) atomic_store_relaxed(&unknown, 1);
    return error == 0;
}

bool os_mem_is_resident(const void *addr)
{
    unsigned char state = 0;
    int error = syscall_error(syscall_raw3(SYS_mincore, addr, os_page_size(), &state));
    return error == 0 && (state & 1) != 0;
}

void os_mem_name(void *addr, size_t size, const char *name)
{
    syscall_raw6(SYS_prctl, PRCTL_SET_VMA, PRCTL_SET_VMA_NAME, (long)addr, (long)size, (long)name,
                 0);
}

/* ---- guards ------------------------------------------------------------------------------- */

/* What the first os_mem_guard found out; several threads may find out at once, and agree. */
enum { GUARD_UNKNOWN, GUARD_ADVICE, GUARD_PROTECT };
static int guard_kind;

/* The kernel does not know the advice, this mapping can not have it (locked pages), or a filter of
 * system calls forbids it, which a program may install at any time. */
static bool advice_is_refused(int error)
{
    return error == EINVAL || error == EPERM || error == EACCES || error == ENOSYS;
}

int os_mem_guard(void *addr, size_t size)
{
    int kind = atomic_load_relaxed(&guard_kind);
    if (kind != GUARD_PROTECT) {
        int error = advise(addr, size, ADVICE_GUARD_INSTALL);
        bool refused = advice_is_refused(error);
        if (kind == GUARD_UNKNOWN)
            atomic_store_relaxed(&guard_kind, refused ? GUARD_PROTECT : GUARD_ADVICE);
        if (!refused) return error;
    }
    return protect(addr, size, PROT_NONE);
}

/* ---- many ranges in one call -------------------------------------------------------------- */

#define EACH_MOST 32

/* Advice for n ranges.  How many took it, from the first on; 0 also when the kernel can not, or a
 * filter of system calls forbids it.  No descriptor is needed, which a program might close. */
static size_t advise_each(char *addr, size_t size, size_t step, size_t n, int advice)
{
    static uint32_t unknown; /* every thread would find the same */
    struct iovec range[EACH_MOST];
    size_t taken = 0;
    while (taken < n && atomic_load_relaxed(&unknown) == 0) {
        size_t part = n - taken < EACH_MOST ? n - taken : EACH_MOST;
        for (size_t i = 0; i < part; i++)
            range[i] = (struct iovec){ addr + (taken + i) * step, size };
        long r = syscall_raw6(CALL_PROCESS_MADVISE, PIDFD_OF_OWN_PROCESS, (long)range, (long)part,
                              advice, 0, 0);
        int error = syscall_error(r);
        if (error == EBADF || error == ENOSYS || error == EPERM) atomic_store_relaxed(&unknown, 1);
        if (error != 0) break;
        taken += (size_t)r / size;
        if ((size_t)r != part * size) break;
    }
    return taken;
}

size_t os_mem_guard_each(void *addr, size_t size, size_t step, size_t n, int *error)
{
    size_t most = 0, done = 0;
    while (most < n && !this_fails(&guards_countdown))
        most++;
    if (most > 1 && atomic_load_relaxed(&guard_kind) == GUARD_ADVICE)
        done = advise_each(addr, size, step, most, ADVICE_GUARD_INSTALL);
    *error = 0;
    while (done < most && (*error = os_mem_guard((char *)addr + done * step, size)) == 0)
        done++;
    if (done == most && most < n) *error = ENOMEM;
    return done;
}

void os_mem_populate_each(void *addr, size_t size, size_t step, size_t n)
{
    size_t done = advise_each(addr, size, step, n, ADVICE_POPULATE_WRITE);
    while (done < n && os_mem_populate((char *)addr + done * step, size))
        done++;
}

/* ---- sizes -------------------------------------------------------------------------------- */

size_t os_page_size(void)
{
    static size_t cached; /* every thread would store the same */
    size_t size = atomic_load_relaxed(&cached);
    if (size == 0) {
        size = getauxval(AT_PAGESZ);
        atomic_store_relaxed(&cached, size);
    }
    return size;
}

/* Into text, at most n - 1 bytes and a NUL.  How many; 0: none. */
static long read_file(const char *path, char *text, size_t n)
{
    long fd = syscall_raw4(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC, 0);
    if (fd < 0) return 0;
    long got = syscall_raw3(SYS_read, fd, text, n - 1);
    syscall_raw1(SYS_close, fd);
    if (got < 0) got = 0;
    text[got] = '\0';
    return got;
}

#define HUGE_PAGES "/sys/kernel/mm/transparent_hugepage/"

/* By the system, or for this process. */
static bool huge_pages_off(void)
{
    char text[64];
    if (syscall_raw4(SYS_prctl, PR_GET_THP_DISABLE, 0, 0, 0) > 0) return true;
    return read_file(HUGE_PAGES "enabled", text, sizeof(text)) > 0 && strstr(text, "[never]");
}

static size_t huge_page_size_read(void)
{
    char text[32];
    if (huge_pages_off()) return 0;
    long n = read_file(HUGE_PAGES "hpage_pmd_size", text, sizeof(text));
    size_t size = 0;
    for (long i = 0; i < n && text[i] >= '0' && text[i] <= '9'; i++)
        size = size * 10 + (size_t)(text[i] - '0');
    return is_pow2(size) ? size : 0;
}

size_t os_huge_page_size(void)
{
    static size_t cached; /* size + 1, 0: not asked yet; every thread would store the same */
    size_t size = atomic_load_relaxed(&cached);
    if (size == 0) {
        size = huge_page_size_read() + 1;
        atomic_store_relaxed(&cached, size);
    }
    return size - 1;
}
