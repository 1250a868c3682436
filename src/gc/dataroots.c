/* The program's own memory as roots: writable data and thread-local storage, asked of the loader.
 *
 * dl_iterate_phdr shows every loaded object's segments.  Writable ones of the program and of its
 * libraries are roots, but for the C library's own, the loader's and the compiler runtimes': they
 * hold no collected pointer, and malloc's bookkeeping would keep garbage.  This library's own data
 * needs no exclusion: it holds off-heap addresses only.
 *
 * The loader counts what it has loaded and unloaded (dlpi_adds, dlpi_subs); when neither changed the
 * former list is still right, so a cycle usually pays one callback.
 *
 * dl_iterate_phdr takes the loader's lock, which a thread inside dlopen holds, and that thread may
 * be one that a stop has stopped.  So it is called in a wait during which this thread counts as
 * stopped, and never while the world is stopped (DESIGN 4, rule 8).
 *
 * Thread-local storage is asked for on the thread itself, when it starts.  Libraries opened later are
 * not in m->tls: their thread-locals are no roots.
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
#include "gc/roots.h"

static struct {
    struct root_list list;
    uint64_t adds, subs; /* the loader's counters when the list was read */
    bool read;
} data; /* the holder of the cycle's semaphore */

/* ---- whose data is not looked at --------------------------------------------------------------- */

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

static bool is_excluded(const char *path)
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

/* ---- writable data ------------------------------------------------------------------------------ */

static int read_counters(struct dl_phdr_info *info, size_t size, void *arg)
{
    (void)size;
    uint64_t *counters = arg;
    counters[0] = info->dlpi_adds;
    counters[1] = info->dlpi_subs;
    return 1; /* the first object is enough */
}

static int add_object(struct dl_phdr_info *info, size_t size, void *arg)
{
    (void)size;
    (void)arg;
    if (is_excluded(info->dlpi_name)) return 0;
    for (int i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *ph = &info->dlpi_phdr[i];
        if (ph->p_type != PT_LOAD || (ph->p_flags & (PF_W | PF_R)) != (PF_W | PF_R)) continue;
        uintptr_t lo = info->dlpi_addr + ph->p_vaddr;
        if (!root_list_add(&data.list, lo, lo + ph->p_memsz))
            throw_msg("out of memory: no list of the program's data");
    }
    return 0;
}

void roots_read_data(void)
{
    uint64_t counters[2] = { 0, 0 };
    dl_iterate_phdr(read_counters, counters);
    if (data.read && counters[0] == data.adds && counters[1] == data.subs) return;
    data.list.n = 0;
    dl_iterate_phdr(add_object, NULL);
    data.adds = counters[0];
    data.subs = counters[1];
    data.read = true;
}

const struct root_list *roots_data(void)
{
    return &data.list;
}

/* ---- thread-local storage ------------------------------------------------------------------------ */

static int add_thread_locals(struct dl_phdr_info *info, size_t size, void *arg)
{
    struct m *m = arg;
    if (size < offsetof(struct dl_phdr_info, dlpi_tls_data) + sizeof info->dlpi_tls_data)
        return 1; /* a loader that does not tell */
    if (info->dlpi_tls_data == NULL || is_excluded(info->dlpi_name)) return 0;
    for (int i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *ph = &info->dlpi_phdr[i];
        if (ph->p_type != PT_TLS || ph->p_memsz == 0) continue;
        if (m->ntls == M_TLS_RANGES)
            throw_fmt("more than %d libraries with thread-local storage", M_TLS_RANGES);
        uintptr_t lo = (uintptr_t)info->dlpi_tls_data;
        m->tls[m->ntls++] = (struct thread_range){ lo, lo + ph->p_memsz };
    }
    return 0;
}

void roots_read_tls(struct m *m)
{
    m->ntls = 0;
    dl_iterate_phdr(add_thread_locals, m);
}
