/* Calls from one loaded object to another, replaced while the program runs: os_calls_replace.
 *
 * A call that leaves its object goes through a slot that the loader fills, and the object's table
 * of relocations names the slots.  So writing them watches a function of libc without another link
 * line, without a preloaded library, and in libraries that were never compiled for it.  What does
 * not go through a slot is not seen: calls inside libc, and objects loaded later.
 *
 * For debug modes: the slots' pages stay writable.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <link.h>
#include <string.h>
#include <sys/mman.h>

#include "base/bits.h"
#include "os/os.h"

/* The parts of an object's dynamic section that are needed. */
struct dynamic {
    const ElfW(Sym) * symbols;
    const char *names;
    const ElfW(Rela) * tables[2];
    size_t bytes[2];
};

struct replacing {
    const struct os_call *calls;
    size_t n;
    int slots;
    bool program; /* the first object is the program; it has been seen */
    bool dynamic; /* the program has a dynamic section */
};

/* The loader has added the object's base where it writes the section at all; the kernel's object
 * has not. */
static const void *address_in(const struct dl_phdr_info *o, ElfW(Addr) a)
{
    return (const void *)(a < o->dlpi_addr ? a + o->dlpi_addr : a);
}

static void read_dynamic(const struct dl_phdr_info *o, const ElfW(Dyn) * d, struct dynamic *out)
{
    for (; d->d_tag != DT_NULL; d++) {
        switch (d->d_tag) {
        case DT_SYMTAB:
            out->symbols = address_in(o, d->d_un.d_ptr);
            break;
        case DT_STRTAB:
            out->names = address_in(o, d->d_un.d_ptr);
            break;
        case DT_RELA:
            out->tables[0] = address_in(o, d->d_un.d_ptr);
            break;
        case DT_RELASZ:
            out->bytes[0] = d->d_un.d_val;
            break;
        case DT_JMPREL:
            out->tables[1] = address_in(o, d->d_un.d_ptr);
            break;
        case DT_PLTRELSZ:
            out->bytes[1] = d->d_un.d_val;
            break;
        default:
            break;
        }
    }
}

static bool contains_own_code(const struct dl_phdr_info *o)
{
    uintptr_t here = (uintptr_t)&os_calls_replace;
    for (int i = 0; i < o->dlpi_phnum; i++) {
        const ElfW(Phdr) *h = &o->dlpi_phdr[i];
        uintptr_t lo = o->dlpi_addr + h->p_vaddr;
        if (h->p_type == PT_LOAD && here >= lo && here < lo + h->p_memsz) return true;
    }
    return false;
}

static void write_slot(void **slot, void *value)
{
    uintptr_t lo = align_down((uintptr_t)slot, os_page_size());
    if (mprotect((void *)lo, os_page_size(), PROT_READ | PROT_WRITE) != 0) return;
    *slot = value;
}

static void replace_in_table(struct replacing *r, const struct dl_phdr_info *o,
                             const struct dynamic *d, int table)
{
    bool own = contains_own_code(o);
    const ElfW(Rela) *rela = d->tables[table];
    for (size_t left = d->bytes[table] / sizeof *rela; left > 0; left--, rela++) {
        size_t symbol = ELF64_R_SYM(rela->r_info);
        const char *name = d->names + d->symbols[symbol].st_name;
        if (symbol == 0) continue;
        for (size_t i = 0; i < r->n; i++) {
            if (strcmp(name, r->calls[i].name) != 0) continue;
            void **slot = (void **)(o->dlpi_addr + rela->r_offset);
            if (own && *r->calls[i].former == NULL) *r->calls[i].former = *slot;
            write_slot(slot, r->calls[i].replacement);
            r->slots++;
        }
    }
}

static int replace_in(struct dl_phdr_info *o, size_t size, void *arg)
{
    struct replacing *r = arg;
    struct dynamic d = { .names = NULL };
    (void)size;
    for (int i = 0; i < o->dlpi_phnum; i++)
        if (o->dlpi_phdr[i].p_type == PT_DYNAMIC)
            read_dynamic(o, (const ElfW(Dyn) *)(o->dlpi_addr + o->dlpi_phdr[i].p_vaddr), &d);
    if (!r->program) r->dynamic = d.names != NULL;
    r->program = true;
    if (d.names == NULL || d.symbols == NULL) return 0;
    for (int table = 0; table < 2; table++)
        if (d.tables[table] != NULL) replace_in_table(r, o, &d, table);
    return 0;
}

bool os_calls_replace(const struct os_call *calls, size_t n)
{
    struct replacing r = { .calls = calls, .n = n };
    dl_iterate_phdr(replace_in, &r);
    for (size_t i = 0; i < n; i++)
        if (*calls[i].former == NULL) return false;
    return r.dynamic;
}
