/* Roots: thread-local storage.
 *
 * That of the program, and of libraries that a thread found when it began, lies at a fixed place.
 * Of a library that is opened later a thread gets its variables when it first asks for one of them,
 * and loses them, some time after the library was closed, when it next asks the loader for
 * something.  dl_iterate_phdr tells a thread where its own are, and nobody another's; and a thread
 * may compute for minutes without a call of gort.  So in each first stop the stopper reads what the
 * C library has noted of each thread, under the loader's lock (dataroots.c, Note [The loader's
 * lock]).
 *
 * Note [The loader's notes].  glibc describes the structures to debuggers, in symbols that
 * libthread_db looks up; so do we, and trust them only as long as they say on each new thread what
 * dl_iterate_phdr says.
 *   - A library with thread-local storage has a number, and a slot in a list, which says in which
 *     generation the slot changed hands last.
 *     That is 0 for the program and what it began with, whose variables have fixed places; and
 *     while a library is being opened: the slot is its own by then, and threads' vectors may still
 *     hold blocks of who had it before.
 *   - A thread has a vector of addresses, by number, and the generation up to which it followed the
 *     list.  When it follows, it forgets and frees what belongs to slots that changed, and raises
 *     its generation last.
 * So where a library is loaded, and the thread's generation is not older than its slot's, the
 * vector's entry is the library's: a block, or nothing yet.  While we hold the lock the library
 * stays, and no thread frees it: not a stopped one, nor one in a blocking region, which may follow
 * the list meanwhile.  Where the generation is older the thread has no block; but the library may
 * have room beside the program's own variables (the initial-exec model), for which the thread needs
 * no vector.
 *
 * Note [A vector that grows].  A vector has room for GROWTH libraries more than there were when it
 * was made.  Who asks for a variable of one with a higher number has its vector reallocated;
 * stopped in the midst of that, it still has the address of the old one, which is free.  So a
 * vector is not read when it may be in that state: a loaded library has a number beyond its end, as
 * we know that from when it was safe to look.  Blocks that were found before are roots still, for
 * as long as their slot does not change.  What is missing are blocks that the thread got since;
 * that is said, once.  Threads that began when the libraries were there have no such trouble.
 *
 * Note [Ranges of a thread].  A record of a detached thread is reused, and is on the list of all
 * while its new thread, in state BLOCKING, fills in the ranges: a stop may read them at any time.
 * So ntls is 0 from before the former thread passes for stopped (m_detach) until the new one's
 * ranges are whole, and is then stored with release; and `thread` likewise, after it.  From then on
 * the ranges are the stopper's.
 *
 * Note [Ranges that are known].  To look all of this up for each thread is a third of the first
 * stop's own work.  Where a thread has a range of every library, and each is of generation 0, they
 * lie at fixed places, and do not change while the list of libraries is the same (modules.version):
 * such a thread is left out.  A library that begins to be opened, or is closed, changes the list.
 * tls_vector is older then, and the vector may have grown meanwhile: once, for the list has not
 * changed, which is what may_grow reckons with.
 *
 * Where the symbols are missing (another C library) the ranges are those that the thread itself
 * found when it began.
 *
 * Memory order: thread_locals_read's releases of ntls and `thread` pair with the acquires in
 * roots.c, checkmark.c and here.  A thread's generation is read with acquire: it raises it last.
 *
 * Answers to: nothing in Go, where thread-locals of C hold no Go pointers.
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "gc/threadlocals.h"

#include <dlfcn.h>
#include <link.h>
#include <pthread.h>
#include <string.h>

#include "base/assert.h"
#include "base/print.h"
#include "gc/roots.h"
#include "sched/sched.h"
#include "sched/stw.h"

#define GROWTH 14 /* glibc's DTV_SURPLUS */

/* ---- glibc's structures ---------------------------------------------------------------------- */

/* Offsets of fields, and sizes. */
static struct {
    uint32_t vector, vector_entry, generation, block; /* of a thread; an entry's size; its fields */
    uint32_t next, slots, slot, slot_generation, slot_library; /* of the list; a slot's size */
    uint32_t static_offset, thread_size;
    const char *list; /* its first piece */
    bool known;       /* atomic; falls when a thread finds them wrong */
} layout;

static bool take_size(const char *name, uint32_t *out)
{
    const uint32_t *size = dlsym(RTLD_DEFAULT, name);
    if (size != NULL) *out = *size;
    return size != NULL;
}

/* A descriptor: bits of an element, how many, offset. */
static bool take_field(const char *name, uint32_t *bytes, uint32_t *offset)
{
    const uint32_t *d = dlsym(RTLD_DEFAULT, name);
    if (d == NULL) return false;
    if (bytes != NULL) *bytes = d[0] / 8;
    *offset = d[2];
    return true;
}

static uintptr_t field(const char *structure, uint32_t offset)
{
    return atomic_load_acquire((const uintptr_t *)(structure + offset)); /* the head comment */
}

void thread_locals_init(void)
{
    uint32_t list, none;
    const char *loader = dlsym(RTLD_DEFAULT, "_rtld_global");
    layout.known =
        loader != NULL && take_field("_thread_db_pthread_dtvp", NULL, &layout.vector) &&
        take_field("_thread_db_dtv_dtv", &layout.vector_entry, &none) && none == 0 &&
        take_field("_thread_db_dtv_t_counter", NULL, &layout.generation) &&
        take_field("_thread_db_dtv_t_pointer_val", NULL, &layout.block) &&
        take_field("_thread_db_rtld_global__dl_tls_dtv_slotinfo_list", NULL, &list) &&
        take_field("_thread_db_dtv_slotinfo_list_next", NULL, &layout.next) &&
        take_field("_thread_db_dtv_slotinfo_list_slotinfo", &layout.slot, &layout.slots) &&
        take_field("_thread_db_dtv_slotinfo_gen", NULL, &layout.slot_generation) &&
        take_field("_thread_db_dtv_slotinfo_map", NULL, &layout.slot_library) &&
        take_field("_thread_db_link_map_l_tls_offset", NULL, &layout.static_offset) &&
        take_size("_thread_db_sizeof_pthread", &layout.thread_size);
    if (layout.known) layout.list = loader + list;
}

/* NULL: there is none of that number. */
static const char *slot_of(uintptr_t number)
{
    const char *l = (const char *)field(layout.list, 0);
    for (; l != NULL; l = (const char *)field(l, layout.next)) {
        uintptr_t n = field(l, 0); /* how many slots it has: the first field */
        if (number < n) return l + layout.slots + number * layout.slot;
        number -= n;
    }
    return NULL;
}

/* In every thread's own room, 0: it has none. */
static uintptr_t static_block(const char *library, uintptr_t thread)
{
    intptr_t offset = (intptr_t)field(library, layout.static_offset);
    if (offset == 0 || offset == -1 || offset == -2) return 0; /* none, or always a block */
#if defined(__x86_64__)
    return thread - (uintptr_t)offset;
#else
    return thread + layout.thread_size + (uintptr_t)offset;
#endif
}

/* ---- libraries ------------------------------------------------------------------------------- */

struct module {
    uintptr_t number, size;
};

static struct {
    struct module a[M_TLS_RANGES];
    uint32_t n;
    uintptr_t last;   /* the highest number of all, system libraries' included */
    uint64_t version; /* rises when the list is made anew */
} modules;            /* the holder of the loader's lock */

void thread_locals_no_modules(void)
{
    modules.n = 0;
    modules.last = 0;
    modules.version++;
}

static const ElfW(Phdr) * tls_segment(const struct dl_phdr_info *info)
{
    for (int i = 0; i < info->dlpi_phnum; i++)
        if (info->dlpi_phdr[i].p_type == PT_TLS && info->dlpi_phdr[i].p_memsz != 0)
            return &info->dlpi_phdr[i];
    return NULL;
}

static void one_too_many(void)
{
    throw_fmt("more than %d libraries with thread-local storage", M_TLS_RANGES);
}

void thread_locals_add_module(const struct dl_phdr_info *info)
{
    const ElfW(Phdr) *tls = tls_segment(info);
    if (tls == NULL) return;
    if (info->dlpi_tls_modid > modules.last) modules.last = info->dlpi_tls_modid;
    if (roots_is_system_library(info->dlpi_name)) return;
    if (modules.n == M_TLS_RANGES) one_too_many();
    modules.a[modules.n++] = (struct module){ info->dlpi_tls_modid, tls->p_memsz };
}

/* ---- a thread's ranges, in a stop ------------------------------------------------------------ */

/* A thread as the stopper sees it. */
struct view {
    struct m *m;
    uintptr_t thread;
    const char *vector; /* NULL: it may grow; Note [A vector that grows] */
};

static void say_once(void)
{
    static bool said; /* the stopper */
    if (said) return;
    said = true;
    print_err("gort: more than %d libraries with thread-local storage were opened while a thread "
              "lived: what it first uses of them is not searched for pointers\n",
              GROWTH);
}

/* When it is safe to look. */
static void note_vector(const struct view *v)
{
    v->m->tls_vector = v->vector;
    v->m->tls_vector_size = field(v->vector - layout.vector_entry, layout.generation);
}

static bool may_grow(const struct m *m, const char *vector)
{
    /* One that has grown since has room for so many more. */
    uintptr_t room = m->tls_vector_size + (vector == m->tls_vector ? 0 : GROWTH);
    return modules.last > room;
}

static struct view view_of(struct m *m, uintptr_t thread)
{
    const char *vector = (const char *)field((const char *)thread, layout.vector);
    if (may_grow(m, vector)) {
        say_once();
        return (struct view){ m, thread, NULL };
    }
    struct view v = { m, thread, vector };
    note_vector(&v);
    return v;
}

/* As it was found before, 0: it was not. */
static uintptr_t former_block(const struct m *m, uintptr_t number, uintptr_t generation)
{
    for (uint32_t i = 0; i < m->ntls; i++)
        if (m->tls[i].number == number && m->tls[i].generation == generation) return m->tls[i].lo;
    return 0;
}

static uintptr_t block_of(const struct view *v, uintptr_t number, uintptr_t generation)
{
    if (v->vector == NULL) return former_block(v->m, number, generation);
    if (generation == 0) return 0; /* being opened, or of the program, which needs no block */
    if (field(v->vector, layout.generation) < generation) return 0; /* it may end before, too */
    uintptr_t lo = field(v->vector + number * layout.vector_entry, layout.block);
    return (lo & 1) != 0 ? 0 : lo; /* odd: not made yet */
}

/* false: the thread has none of that module. */
static bool find_range(const struct view *v, const struct module *k, struct thread_range *out)
{
    const char *slot = slot_of(k->number), *library;
    if (slot == NULL) return false;
    library = (const char *)field(slot, layout.slot_library);
    if (library == NULL) return false; /* about to go */
    uintptr_t generation = field(slot, layout.slot_generation);
    uintptr_t lo = block_of(v, k->number, generation);
    if (lo == 0) lo = static_block(library, v->thread);
    *out = (struct thread_range){ lo, lo + k->size, k->number, generation };
    return lo != 0;
}

static uint32_t find_ranges(const struct view *v, struct thread_range *out)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < modules.n; i++)
        n += find_range(v, &modules.a[i], &out[n]);
    return n;
}

/* Note [Ranges that are known]. */
static bool are_final(const struct view *v, const struct thread_range *found, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++)
        if (found[i].generation != 0) return false;
    return v->vector != NULL && n == modules.n;
}

void thread_locals_find_stw(void)
{
    struct thread_range found[M_TLS_RANGES];
    if (!atomic_load_relaxed(&layout.known)) return;
    for (struct m *m = m_all(); m != NULL; m = m->all_next) {
        uintptr_t thread = atomic_load_acquire(&m->thread); /* pairs with thread_locals_read */
        if (thread == 0 || m->tls_known == modules.version) continue;
        struct view v = view_of(m, thread);
        uint32_t n = find_ranges(&v, found);
        memcpy(m->tls, found, n * sizeof found[0]);
        m->ntls = n;
        m->tls_known = are_final(&v, found, n) ? modules.version : 0;
    }
}

/* ---- on the thread itself -------------------------------------------------------------------- */

struct reading {
    struct view own;
    uint32_t n;
    bool agrees; /* with the notes */
};

static int read_own(struct dl_phdr_info *info, size_t size, void *arg)
{
    struct reading *r = arg;
    const ElfW(Phdr) *tls = tls_segment(info);
    if (size < offsetof(struct dl_phdr_info, dlpi_tls_data) + sizeof info->dlpi_tls_data)
        return 1; /* a loader that does not tell */
    uintptr_t lo = (uintptr_t)info->dlpi_tls_data;
    if (tls == NULL || lo == 0 || roots_is_system_library(info->dlpi_name)) return 0;
    if (r->n == M_TLS_RANGES) one_too_many();
    struct module k = { info->dlpi_tls_modid, tls->p_memsz };
    struct thread_range *own = &r->own.m->tls[r->n++], noted = { 0 };
    *own = (struct thread_range){ lo, lo + k.size, k.number, 0 };
    if (!r->agrees) return 0;
    r->agrees = find_range(&r->own, &k, &noted) && noted.lo == lo;
    own->generation = noted.generation;
    return 0;
}

void thread_locals_read(struct m *m)
{
    struct reading r = { { m, (uintptr_t)pthread_self(), NULL }, 0, false };
    assert_that(m->ntls == 0 && m->thread == 0);
    m->tls_known = 0;
    r.agrees = atomic_load_relaxed(&layout.known); /* it falls, and then this one need not agree */
    if (r.agrees) {
        r.own.vector = (const char *)field((const char *)r.own.thread, layout.vector);
        note_vector(&r.own);
    }
    dl_iterate_phdr(read_own, &r);
    if (!r.agrees) atomic_store_relaxed(&layout.known, false);
    atomic_store_release(&m->ntls, r.n);            /* pairs with who reads the ranges */
    atomic_store_release(&m->thread, r.own.thread); /* pairs with thread_locals_find_stw */
}
