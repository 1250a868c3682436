/* The program's own memory as roots: writable data, asked of the loader.
 *
 * dl_iterate_phdr shows every loaded object's segments.  Writable ones of the program and of its
 * libraries are roots, but for the C library's own, the loader's and the compiler runtimes': they
 * hold no collected pointer, and malloc's bookkeeping would keep garbage.  This library's own data
 * holds off-heap addresses, and a few that are collected (of the table in lang/intern.c, of the
 * list in lang/signal.c); it is left in, but for its larger tables (base/unscanned.h), and for what
 * is read-only once the loader has relocated it.
 *
 * The loader counts what it has loaded and unloaded (dlpi_adds, dlpi_subs); when neither changed
 * the former list is still right, so a cycle usually pays one callback.
 *
 * Note [The loader's lock].  Between reading the list and the end of marking no library may come or
 * go: marking would read memory that dlclose unmapped, or miss what a new library's data keeps.
 * The loader changes its list, and unmaps, under a lock that dl_iterate_phdr holds over its
 * callbacks; so the world is stopped, marked and started again inside one (roots_hold_loader).  Why
 * this does not deadlock:
 *   - The wait for the lock is one of m_wait_stoppable: whoever has the lock may be stopped by
 *     another stop meanwhile, which does not wait for us.  In the callback the wait is interrupted
 *     (m_wait_interrupted): the thread is no longer one that others may take for stopped.
 *   - When we have the lock no stopped thread has it: whoever wants it, or waits for another lock
 *     whose holder wants it (dlopen's, malloc's), waits until the world runs again.  Such a thread
 *     stops all the same: it waits in user code, where the signal reaches it, or in state BLOCKING
 *     (thread_locals_read, a thread that is being made).  So no critical section may call the
 *     loader, pthread_create or malloc; and threads are made by a thread that no stop waits for,
 *     or, the markers' helpers, before the lock is taken.
 *   - Other stops do not take the lock, and end whoever has it.
 *   - A callback of the program's own dl_iterate_phdr has the lock and may not wait for another
 *     goroutine's collection: it must not call the runtime.
 *   - ThreadSanitizer asks the loader before it prints a report, with a lock that critical sections
 *     wait for.  Beside it a stop may be given up; then the loader's lock is given back, and all is
 *     tried again: Note [Stops beside the sanitizer] in sched/stw.c.
 * The lock is recursive: the callback reads the list by an inner dl_iterate_phdr.  Rejected:
 * comparing the loader's counters after the stop, which needs the lock too.
 *
 * Thread-local storage: threadlocals.c, which is told of each library.
 *
 * Answers to: the data and bss roots of modules in symtab.go; C has no pointer bitmap for them.
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <link.h>
#include <string.h>

#include "base/assert.h"
#include "base/unscanned.h"
#include "gc/roots.h"
#include "gc/threadlocals.h"
#include "sched/sched.h"

static struct {
    struct root_list program, libraries;
    uint64_t adds, subs; /* the loader's counters when the list was read */
    bool read;
} data; /* the holder of the cycle's semaphore */

/* ---- whose data is not looked at ------------------------------------------------------------- */

static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash != NULL ? slash + 1 : path;
}

/* name is prefix, then a character that ends a library's name: '.' or '-'. */
static bool is_library(const char *name, const char *prefix)
{
    size_t n = strlen(prefix);
    return strncmp(name, prefix, n) == 0 && (name[n] == '.' || name[n] == '-');
}

bool roots_is_system_library(const char *path)
{
    static const char *const systems[] = {
        "libc",    "ld",      "ld64",       "libpthread",      "libgcc_s",
        "libm",    "librt",   "libdl",      "libasan",         "libubsan",
        "libtsan", "liblsan", "linux-vdso", "ld-linux-x86-64", "ld-linux-aarch64"
    };
    const char *name = base_name(path);
    for (size_t i = 0; i < array_len(systems); i++)
        if (is_library(name, systems[i])) return true;
    return false;
}

/* ---- writable data --------------------------------------------------------------------------- */

/* [lo, hi) without the runtime's own tables. */
static void add_data(struct root_list *list, uintptr_t lo, uintptr_t hi)
{
    struct unscanned out;
    bool added = true;
    for (; unscanned_next(lo, &out) && out.lo < hi; lo = out.hi)
        if (out.lo > lo) added &= root_list_add(list, lo, out.lo);
    if (lo < hi) added &= root_list_add(list, lo, hi);
    if (!added) throw_msg("out of memory: no list of the program's data");
}

/* What the loader makes read-only when it has relocated it: no address of an object can be
 * there. */
static struct root_range relocated(const struct dl_phdr_info *info)
{
    for (int i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *ph = &info->dlpi_phdr[i];
        uintptr_t lo = info->dlpi_addr + ph->p_vaddr;
        if (ph->p_type == PT_GNU_RELRO) return (struct root_range){ lo, lo + ph->p_memsz };
    }
    return (struct root_range){ UINTPTR_MAX, UINTPTR_MAX };
}

static int add_object(struct dl_phdr_info *info, size_t size, void *arg)
{
    (void)size;
    bool *first = arg; /* the program is */
    struct root_list *list = *first ? &data.program : &data.libraries;
    *first = false;
    thread_locals_add_module(info);
    if (roots_is_system_library(info->dlpi_name)) return 0;
    struct root_range out = relocated(info);
    for (int i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *ph = &info->dlpi_phdr[i];
        if (ph->p_type != PT_LOAD || (ph->p_flags & (PF_W | PF_R)) != (PF_W | PF_R)) continue;
        uintptr_t lo = info->dlpi_addr + ph->p_vaddr;
        uintptr_t hi = lo + ph->p_memsz;
        if (out.lo < hi && out.hi > lo) { /* some linkers round its end up, beyond the segment's */
            if (out.lo > lo) add_data(list, lo, out.lo);
            lo = out.hi < hi ? out.hi : hi;
        }
        add_data(list, lo, hi);
    }
    return 0;
}

static void read_list(uint64_t adds, uint64_t subs)
{
    if (data.read && adds == data.adds && subs == data.subs) return;
    bool first = true;
    data.program.n = data.libraries.n = 0;
    thread_locals_no_modules();
    dl_iterate_phdr(add_object, &first);
    data.adds = adds;
    data.subs = subs;
    data.read = true;
}

struct held_call {
    bool (*fn)(void *);
    void *arg;
    bool done;
};

static void call_held(void *arg)
{
    struct held_call *c = arg;
    c->done = c->fn(c->arg);
}

static int hold(struct dl_phdr_info *info, size_t size, void *arg)
{
    (void)size;
    read_list(info->dlpi_adds, info->dlpi_subs);
    m_wait_interrupted(call_held, arg);
    return 1; /* called for the first object only */
}

static void hold_loader(void *arg)
{
    const struct held_call *c = arg;
    while (!c->done)
        if (dl_iterate_phdr(hold, arg) != 1) throw_msg("the loader knows no program");
}

void roots_hold_loader(bool (*fn)(void *), void *arg)
{
    struct held_call c = { .fn = fn, .arg = arg };
    m_wait_stoppable(hold_loader, &c);
}

const struct root_list *roots_program(void)
{
    return &data.program;
}

const struct root_list *roots_libraries(void)
{
    return &data.libraries;
}
