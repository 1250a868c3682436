// Which writable data is searched for pointers: all of the program's, but not the runtime's own
// tables, which are the larger part of it in a small program.  (UBSan brings libraries with data of
// their own.)
//
// TEST skip=ubsan modes=p1,p16
// SPDX-License-Identifier: BSD-3-Clause
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <dlfcn.h>
#include <link.h>

#include "gc_util.h"

enum { KILOBYTE = 1024, TABLES = 398, SLACK = 6 };

typedef struct leaf leaf;
struct leaf {
    long value, rest[20];
};
GORT_TYPE(leaf);

static leaf own;
static leaf *initialised[3] = { &own, &own, &own }, *zero[3];

struct sizes {
    double writable, relocated; // bytes
    uintptr_t runtime;          // an address in it
    bool first;
};

static int add_object(struct dl_phdr_info *info, size_t size, void *arg)
{
    (void)size;
    struct sizes *s = arg;
    double writable = 0, relocated = 0;
    bool ours = s->first;
    s->first = false;
    for (int i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *ph = &info->dlpi_phdr[i];
        uintptr_t lo = info->dlpi_addr + ph->p_vaddr;
        if (ph->p_type == PT_LOAD && s->runtime - lo < ph->p_memsz) ours = true;
        if (ph->p_type == PT_LOAD && (ph->p_flags & PF_W) != 0) writable += (double)ph->p_memsz;
        if (ph->p_type == PT_GNU_RELRO) relocated += (double)ph->p_memsz;
    }
    if (!ours) return 0;
    s->writable += writable;
    s->relocated += relocated;
    return 0;
}

// Of the program, and of the library if that is another.
static struct sizes measure(void)
{
    struct sizes s = { .runtime = (uintptr_t)dlsym(RTLD_DEFAULT, "gort_run"), .first = true };
    dl_iterate_phdr(add_object, &s);
    return s;
}

TEST(the_runtimes_tables_are_left_out)
{
    double scanned = 0;
    gort_gc();
    CHECK_EQ(gort_metric_read("/gc/scan/globals:bytes", &scanned), 0);
    struct sizes s = measure();
    double left_out = s.writable - scanned;
    CHECK_GE(left_out, s.relocated + (TABLES - SLACK) * KILOBYTE); // thread-locals are in `scanned`
    CHECK_LE(left_out, s.relocated + (TABLES + SLACK) * KILOBYTE);
}

static leaf *make(long value)
{
    leaf *x = gort_new(leaf);
    x->value = value;
    return x;
}

static void fill(void *unused)
{
    (void)unused;
    for (int i = 0; i < 3; i++) {
        gort_set(&initialised[i], make(i));
        gort_set(&zero[i], make(10 + i));
    }
}

static void litter(void *unused)
{
    (void)unused;
    for (int i = 0; i < 20000; i++)
        (void)make(-1);
}

TEST(the_programs_data_is_searched)
{
    on_goroutine(fill, NULL);
    for (int i = 0; i < 3; i++) {
        gort_gc();
        on_goroutine(litter, NULL);
    }
    for (int i = 0; i < 3; i++) {
        CHECK_EQ(initialised[i]->value, i);
        CHECK_EQ(zero[i]->value, 10 + i);
    }
}

static int run(int argc, char **argv)
{
    (void)argc, (void)argv;
    RUN(the_runtimes_tables_are_left_out);
    RUN(the_programs_data_is_searched);
    return 0;
}

int main(int argc, char **argv)
{
    return gort_run(run, argc, argv);
}
