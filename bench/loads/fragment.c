// A heap of a gigabyte of which fifty megabytes stay, scattered: how much memory is still resident,
// second by second.
//
//     runs     what stays are documents of 64 KB, each a few hundred objects of five sizes
//              allocated in a row; one document of twenty; the program goes on, with 10 MB of
//              garbage a second
//     idle     the same, but the program only waits
//     single   what stays are objects of 64 bytes, one of twenty: hardly a span gets empty, and
//              what does not move can not be given back
//
// What bounds a heap that does not move its objects is the spans that hold something: the figure
// "spans", after a last collection.
//
// SPDX-License-Identifier: BSD-3-Clause
#include "load.h"

#include <time.h>

typedef struct part part;
struct part {
    part *next;
};
#define SIZES(X) X(32) X(64) X(128) X(512) X(2048)
#define DEFINE(n)                                                                                  \
    typedef struct {                                                                               \
        part *next;                                                                                \
        char rest[n - sizeof(part *)];                                                             \
    } part_##n;                                                                                    \
    PORT_TYPE(part_##n, next);
SIZES(DEFINE)

static part *kept, *dropped; // lists of everything
static double live, total;   // bytes

static void link_part(part *p, size_t size, bool keep)
{
    part **list = keep ? &kept : &dropped;
    memset((char *)p + sizeof(part *), (int)size & 0x7F, size - sizeof(part *));
    port_init(&p->next, *list);
    port_set(list, p);
    total += (double)size;
    if (keep) live += (double)size;
}

#define ADD(n, times)                                                                              \
    for (int i = 0; i < (times); i++)                                                              \
        link_part((part *)port_new(part_##n), n, keep);

static void add_document(bool keep)
{
    ADD(32, 80)
    ADD(64, 160)
    ADD(128, 160)
    ADD(512, 32)
    ADD(2048, 8)
}

static void build(bool runs, double bytes)
{
    uint64_t seed = 1;
    while (total < bytes) {
        bool keep = load_random(&seed) % 20 == 0;
        if (runs)
            add_document(keep);
        else
            ADD(64, 1)
    }
}

static void drop(void)
{
    while (PORT_FREES && dropped != NULL) {
        part *next = dropped->next;
        port_free(dropped);
        dropped = next;
    }
    port_set(&dropped, NULL);
}

// What was kept must still hold what was written.
static uint64_t check_kept(void)
{
    uint64_t sum = 0;
    for (part *p = kept; p != NULL; p = p->next)
        sum = load_mix(sum, ((unsigned char *)p)[sizeof(part *)]);
    return sum;
}

// A program that still does something: a megabyte in small objects, ten times a second (in a smoke
// run five hundred times).
static void go_on(double seconds, bool busy)
{
    for (int i = 0; i < (int)(seconds * 10 + 0.5); i++) {
        for (int k = 0; busy && k < 16384; k++) {
            void *volatile p = port_new(part_64);
            port_free(p);
        }
        port_sleep_ms(load_quick ? 2 : 100);
    }
}

void fragment_run(bool runs, bool busy)
{
    static const double times[] = { 1, 5, 10, 30, 60 };
    const double mb = 1048576;
    char name[16];
    build(runs, load_quick ? 128 * mb : 1024 * mb);
    load_figure("full", load_resident() / mb);
    uint64_t check = check_kept();
    drop();
    port_collect();
    load_figure("live", live / mb);
    load_figure("at-0s", load_resident() / mb);
    double now = 0, resident = 0;
    for (size_t i = 0; i < sizeof times / sizeof *times; i++) {
        go_on(times[i] - now, busy);
        now = times[i];
        resident = load_resident();
        snprintf(name, sizeof name, "at-%.0fs", now);
        load_figure(name, resident / mb);
    }
    load_figure("last", resident / mb);
    load_figure("by-live", resident / live);
    port_collect();
    if (port_in_use() >= 0) load_figure("spans", port_in_use() / mb);
    if (check_kept() != check) load_fail("what was kept changed");
    load_check(check);
}
