// A rwmutex whose readers are in cells, from within: what each step leaves in the word and in the
// cells, objects that end with their cells open, buckets that go to another object, and all of it
// at once, on 1, 2, 4 and 16 Ps. TEST timeout=240
//
// SPDX-License-Identifier: BSD-3-Clause
#include "expect_fatal.h"
#include "goroutines.h"
#include "lang/rwcells.h"

enum { READERS = 6, WRITERS = 2, OBJECTS = 3 };

static void open_cells(gort_rwmutex *rw)
{
    if (!gort_mutex_trylock(&rw->writers)) return;
    rw_open_cells(rw);
    gort_mutex_unlock(&rw->writers);
}

static uint64_t *cell(const gort_rwmutex *rw, uint32_t row)
{
    return &rw_rows[row % RW_ROWS].cells[rw_bucket(rw)];
}

static bool is_open(const gort_rwmutex *rw, uint32_t row)
{
    return LOAD(cell(rw, row)) >> RW_CELL_BITS == (uintptr_t)rw;
}

// Readers that are in its cells.
static uint64_t in_cells(const gort_rwmutex *rw)
{
    uint64_t n = 0;
    for (uint32_t i = 0; i < RW_ROWS; i++)
        if (is_open(rw, i)) n += LOAD(cell(rw, i)) & RW_CELL_FULL;
    return n;
}

static int64_t readers(const gort_rwmutex *rw)
{
    int64_t n = LOAD(&rw->readers);
    return rw_is_spread(rw) ? n - RW_PHANTOM + (int64_t)in_cells(rw) : n;
}

// Objects of one bucket.
static gort_rwmutex *same_bucket(gort_rwmutex **out, int n)
{
    enum { MANY = 64 * RW_BUCKETS };
    gort_rwmutex *all = calloc(MANY, sizeof *all);
    CHECK(all != NULL);
    int found = 0;
    for (int i = 0; i < MANY && found < n; i++)
        if (rw_bucket(&all[i]) == rw_bucket(all)) out[found++] = &all[i];
    CHECK_EQ(found, n);
    return all;
}

// A writer comes and goes: then all of it is as in the beginning.
static void write_once(gort_rwmutex *rw)
{
    gort_rwmutex_lock(rw);
    gort_rwmutex_unlock(rw);
    CHECK_EQ(rw->readers, 0);
    CHECK_EQ(rw->departing, 0);
    CHECK_EQ(in_cells(rw), 0);
}

TEST(a_reader_is_in_its_cell)
{
    gort_rwmutex rw = { 0 };
    gort_rwmutex_rlock(&rw);
    CHECK_EQ(rw.readers, 1);
    open_cells(&rw);
    CHECK(rw_is_spread(&rw) && is_open(&rw, 0));
    gort_rwmutex_rlock(&rw);
    gort_rwmutex_rlock(&rw);
    CHECK_EQ(rw.readers, RW_PHANTOM + 1); // on one P both are in cells
    CHECK_EQ(in_cells(&rw), 2);
    gort_rwmutex_runlock(&rw);
    gort_rwmutex_runlock(&rw);
    CHECK_EQ(readers(&rw), 1);
    gort_rwmutex_runlock(&rw);
    CHECK_EQ(readers(&rw), 0);
    write_once(&rw);
    CHECK(!is_open(&rw, 0));
}

// They came through another thread's cell, as far as one can tell: there are fewer than RW_ROWS.
TEST(who_leaves_elsewhere_folds)
{
    gort_rwmutex rw = { 0 };
    open_cells(&rw);
    STORE(cell(&rw, RW_ROWS - 1), rw_tag(&rw) + 2);
    gort_rwmutex_runlock(&rw);
    CHECK(!rw_is_spread(&rw));
    CHECK_EQ(rw.readers, 1);
    gort_rwmutex_runlock(&rw);
    CHECK_EQ(rw.readers, 0);
}

static void set_cells(const gort_rwmutex *rw, uint64_t n)
{
    for (uint32_t i = 0; i < RW_ROWS; i++)
        STORE(cell(rw, i), rw_tag(rw) + n);
}

TEST(a_full_cell_is_passed_over)
{
    gort_rwmutex rw = { 0 };
    open_cells(&rw);
    set_cells(&rw, RW_CELL_FULL);
    for (int i = 0; i < 3; i++)
        gort_rwmutex_rlock(&rw);
    CHECK_EQ(in_cells(&rw), RW_ROWS * RW_CELL_FULL);
    CHECK_EQ(rw.readers, RW_PHANTOM + 3);
    set_cells(&rw, 0);
    for (int i = 0; i < 3; i++)
        gort_rwmutex_runlock(&rw);
    CHECK_EQ(rw.readers, RW_PHANTOM);
    write_once(&rw);
}

TEST(cells_of_a_former_object)
{
    gort_rwmutex rw = { 0 };
    open_cells(&rw);
    gort_rwmutex_rlock(&rw);
    CHECK_EQ(in_cells(&rw), 1);
    memset(&rw, 0, sizeof rw); // it ends with a reader inside
    CHECK(is_open(&rw, 0));
    gort_rwmutex_rlock(&rw);
    CHECK_EQ(rw.readers, 1);
    gort_rwmutex_runlock(&rw);
    gort_rwmutex_lock(&rw); // waits for nobody
    gort_rwmutex_unlock(&rw);
    open_cells(&rw);
    CHECK_EQ(in_cells(&rw), 0);
    write_once(&rw);
}

TEST(a_bucket_goes_to_another)
{
    gort_rwmutex *rw[2], *all = same_bucket(rw, 2);
    open_cells(rw[0]);
    gort_rwmutex_rlock(rw[0]);
    open_cells(rw[1]); // a reader is in the way
    CHECK(is_open(rw[0], 0) && !rw_is_spread(rw[1]));
    gort_rwmutex_runlock(rw[0]);
    open_cells(rw[1]);
    CHECK(is_open(rw[1], 0) && rw_is_spread(rw[1]));
    gort_rwmutex_rlock(rw[1]);
    gort_rwmutex_rlock(rw[0]); // by the word
    CHECK_EQ(readers(rw[0]), 1);
    CHECK_EQ(in_cells(rw[0]), 0);
    gort_rwmutex_runlock(rw[0]);
    write_once(rw[0]);
    CHECK_EQ(in_cells(rw[1]), 1); // which had nothing of the other's
    gort_rwmutex_runlock(rw[1]);
    open_cells(rw[0]);
    write_once(rw[0]);
    write_once(rw[1]);
    free(all);
}

// ---- all at once --------------------------------------------------------------------------------

struct load {
    struct object {
        gort_rwmutex *rw;
        int64_t inside, writes[2]; // inside: atomic
    } of[OBJECTS];
    gort_chan(struct object *) leave; // locked for reading: whoever receives it unlocks
    int rounds, running;              // running: atomic
    gort_waitgroup wg;
};
struct worker {
    struct load *l;
    uint64_t random;
};

static void read_object(struct load *l, struct object *o, uint64_t *random)
{
    gort_rwmutex_rlock(o->rw);
    ADD(&o->inside, 1);
    int64_t first = LOAD(&o->writes[0]);
    if (test_random(random) % 4 == 0) gort_yield(); // goes on anywhere
    CHECK_EQ(LOAD(&o->writes[1]), first);
    if (test_random(random) % 8 == 0) {
        gort_send(l->leave, o);
        return;
    }
    ADD(&o->inside, -1);
    gort_rwmutex_runlock(o->rw);
}

static void read_all(void *arg)
{
    struct worker *w = arg;
    for (int i = 0; i < w->l->rounds; i++)
        read_object(w->l, &w->l->of[test_random(&w->random) % OBJECTS], &w->random);
    if (ADD(&w->l->running, -1) == 0) gort_close(w->l->leave);
    gort_waitgroup_done(&w->l->wg);
}

static void unlock_all(void *arg)
{
    struct worker *w = arg;
    struct object *o;
    while (gort_recv(w->l->leave, &o)) {
        ADD(&o->inside, -1);
        gort_rwmutex_runlock(o->rw);
    }
    gort_waitgroup_done(&w->l->wg);
}

static void write_object(struct object *o)
{
    gort_rwmutex_lock(o->rw);
    CHECK_EQ(LOAD(&o->inside), 0);
    STORE(&o->writes[0], o->writes[0] + 1);
    gort_yield();
    CHECK_EQ(LOAD(&o->inside), 0);
    STORE(&o->writes[1], o->writes[1] + 1);
    gort_rwmutex_unlock(o->rw);
}

static void write_all(void *arg)
{
    struct worker *w = arg;
    while (LOAD(&w->l->running) != 0) {
        write_object(&w->l->of[test_random(&w->random) % OBJECTS]);
        for (uint64_t i = test_random(&w->random) % 16; i > 0; i--)
            gort_yield();
    }
    gort_waitgroup_done(&w->l->wg);
}

static void open_all(void *arg)
{
    struct worker *w = arg;
    while (LOAD(&w->l->running) != 0) {
        open_cells(w->l->of[test_random(&w->random) % OBJECTS].rw);
        if (test_random(&w->random) % 4 == 0) gort_yield();
    }
    gort_waitgroup_done(&w->l->wg);
}

static void start(struct load *l, int n, void (*fn)(void *))
{
    gort_waitgroup_add(&l->wg, n);
    for (int i = 0; i < n; i++) {
        struct worker w = { l, test_random(&(uint64_t){ test_seed() + (uint64_t)i }) };
        gort_go_copy(fn, &w, sizeof w);
    }
}

// One life of the objects.  Two of them are of one bucket.
static void live(gort_rwmutex **rw)
{
    struct load *l = gort_alloc(sizeof *l);
    for (int i = 0; i < OBJECTS; i++)
        l->of[i].rw = rw[i];
    l->rounds = (int)test_count(4000);
    l->running = READERS;
    gort_set(&l->leave, gort_chan_make(struct object *, 4));
    start(l, READERS, read_all);
    start(l, 2, unlock_all);
    start(l, WRITERS, write_all);
    start(l, 1, open_all);
    gort_waitgroup_wait(&l->wg);
    for (int i = 0; i < OBJECTS; i++)
        CHECK_EQ(readers(rw[i]), 0);
}

TEST(lives_at_one_address)
{
    gort_rwmutex *rw[OBJECTS], *all = same_bucket(rw, OBJECTS - 1);
    rw[OBJECTS - 1] = all + 1;
    for (int life = 0; life < 4; life++) {
        live(rw);
        for (int i = 0; i < OBJECTS; i++) {
            open_cells(rw[i]);
            for (int k = 0; k < life; k++)
                gort_rwmutex_rlock(rw[i]); // nobody unlocks them
            memset(rw[i], 0, sizeof *rw[i]);
        }
    }
    for (int i = 0; i < OBJECTS; i++) {
        open_cells(rw[i]);
        write_once(rw[i]);
    }
    free(all);
}

// ---- mistakes -----------------------------------------------------------------------------------

static int unlock_without_a_lock(int argc, char **argv)
{
    static gort_rwmutex rw;
    (void)argc, (void)argv;
    open_cells(&rw);
    gort_rwmutex_runlock(&rw);
    return 0;
}

static void mistake(void *arg)
{
    (void)arg;
    gort_run(unlock_without_a_lock, 0, NULL);
}

static int run(int argc, char **argv)
{
    (void)argc, (void)argv;
    gort_max_procs(1);
    RUN(a_reader_is_in_its_cell);
    RUN(who_leaves_elsewhere_folds);
    RUN(a_full_cell_is_passed_over);
    RUN(cells_of_a_former_object);
    RUN(a_bucket_goes_to_another);
    RUN_ON_ALL(lives_at_one_address);
    return 0;
}

int main(int argc, char **argv)
{
    test_seed();
    keep_ps();
    expect_fatal(mistake, NULL, "fatal error: read unlock of unlocked rwmutex");
    return gort_run(run, argc, argv);
}
