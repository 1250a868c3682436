// Note [Snapshot] in gc/cycle.c, case by case: an object is hidden from the collector after marking
// began, in each of the ways that a mechanism answers for, and must outlive the cycle.  In
// test/removals.txt each of these mechanisms is taken out, and a case here fails.
// SPDX-License-Identifier: BSD-3-Clause
#include "marking.h"
#include "sched/sched_internal.h"

static const struct gc_test_options clobbered = { .percent = 100,
                                                  .gccheck = true,
                                                  .clobber = true };

enum { ROUNDS = 3, SEVERAL = 16 };
#define VALUE UINT64_C(0x5a5a0001)

static struct hidden secret[SEVERAL];

// What was freed is overwritten.
static void secrets_live(void)
{
    for (int i = 0; i < SEVERAL; i++)
        CHECK_EQ(((node *)shown(secret[i]))->value, VALUE);
}

// ---- a word that is overwritten -----------------------------------------------------------------

static node *slots[SEVERAL];

__attribute__((noinline)) static void fill_slots(void)
{
    for (int i = 0; i < SEVERAL; i++) {
        gort_set(&slots[i], tree(0, VALUE));
        secret[i] = hide(slots[i]);
    }
}

static void what_is_overwritten_is_kept(void)
{
    for (int round = 0; round < ROUNDS; round++) {
        prepare_marking();
        fill_slots();
        scrub_stack();
        begin_marking();
        for (int i = 0; i < SEVERAL; i++)
            gort_set(&slots[i], NULL);
        end_marking();
        secrets_live();
    }
}

// By copies, clearing and exchange too.
static void what_is_overwritten_otherwise_is_kept(void)
{
    typedef node *node_pointer;
    static node *nothing[SEVERAL / 4];
    prepare_marking();
    fill_slots();
    scrub_stack();
    begin_marking();
    for (int i = 0; i < SEVERAL / 4; i++)
        (void)gort_exchange(&slots[i], (node *)NULL);
    gort_copy(node_pointer, slots + SEVERAL / 4, nothing, SEVERAL / 4);
    gort_clear(node_pointer, slots + SEVERAL / 2, SEVERAL / 2);
    scrub_stack();
    end_marking();
    secrets_live();
}

// By a thread whose P was taken from it while it computes, and which has none when marking ends:
// its stores are in its own buffer.
static struct m *computer; // atomic
static uint32_t stage;     // atomic

static void until(uint32_t s)
{
    while (atomic_load_acquire(&stage) != s)
        os_thread_yield();
}

static void overwrite_without_a_p(void *w)
{
    struct m *m = m_self();
    atomic_store_release(&computer, m);
    while (atomic_load_relaxed(&m->p) != NULL)
        arch_pause();
    for (int i = 0; i < SEVERAL; i++)
        gort_set(&slots[i], NULL);
    CHECK_EQ(m->barrier.n, 2 * SEVERAL);
    atomic_store_release(&stage, 1);
    while (heap_marking())
        arch_pause();
    CHECK_PTR_EQ(m->p, NULL);
    group_done(w);
}

// What the monitor does: it takes the P, and finds it a thread later.
static void take_p(struct m *m)
{
    atomic_store_relaxed(&m->retake_run, m->p->gs_run);
    os_thread_kill(m->tid, preempt_signal());
}

static void give_p(void)
{
    crit_enter();
    struct p *p = orphans_take();
    CHECK(p != NULL && p->idle_next == NULL);
    p_handoff_blocking(p);
    crit_exit();
}

static void what_is_overwritten_without_a_p_is_kept(void)
{
    static struct group w;
    for (int round = 0; round < ROUNDS; round++) {
        prepare_marking();
        fill_slots();
        scrub_stack();
        atomic_store_relaxed(&computer, (struct m *)NULL);
        atomic_store_relaxed(&stage, 0);
        w.left = 1;
        go(overwrite_without_a_p, &w);
        while (atomic_load_acquire(&computer) == NULL)
            os_thread_yield();
        begin_marking();
        for (int i = 0; i < SEVERAL; i++)
            CHECK(!is_marked(secret[i]));
        take_p(computer);
        until(1);
        end_marking();
        give_p();
        group_wait(&w);
        secrets_live();
    }
}

// ---- a stack ------------------------------------------------------------------------------------

static struct g *sleeper; // atomic

static void sleep_here(void)
{
    p_pin();
    atomic_store_release(&sleeper, m_self()->curg);
    g_park(NULL, NULL, WAIT_SLEEP);
    p_unpin();
}

// Only this frame has them.
struct frame {
    node *volatile held[SEVERAL];
};

__attribute__((noinline)) static void hold(struct frame *f)
{
    for (int i = 0; i < SEVERAL; i++) {
        f->held[i] = tree(0, VALUE);
        secret[i] = hide(f->held[i]);
    }
}

static void let_go(struct frame *f)
{
    for (int i = 0; i < SEVERAL; i++)
        f->held[i] = NULL; // a local variable: no barrier
}

static void hold_asleep(void *w)
{
    struct frame f;
    hold(&f);
    scrub_stack();
    sleep_here();
    CHECK(heap_marking());
    let_go(&f);
    group_done(w);
}

static void what_a_parked_stack_held_is_kept(void)
{
    static struct group w;
    for (int round = 0; round < ROUNDS; round++) {
        prepare_marking();
        atomic_store_relaxed(&sleeper, (struct g *)NULL);
        w.left = 1;
        go(hold_asleep, &w);
        while (atomic_load_acquire(&sleeper) == NULL || sleeper->status != G_WAITING)
            g_yield();
        begin_marking();
        crit_enter();
        g_ready(sleeper);
        crit_exit();
        group_wait(&w);
        scrub_stack();
        end_marking();
        secrets_live();
    }
}

static void hold_running(void *w)
{
    struct frame f;
    hold(&f);
    scrub_stack();
    atomic_store_release(&stage, 1);
    while (!heap_marking())
        arch_pause();
    let_go(&f);
    atomic_store_release(&stage, 2);
    while (heap_marking())
        arch_pause();
    group_done(w);
}

// holder has the secrets alone when stage is 1, and gives them up while marking.
static void mark_beside(void (*holder)(void *group))
{
    static struct group w;
    atomic_store_relaxed(&stage, 0);
    w.left = 1;
    go(holder, &w);
    until(1);
    begin_marking();
    until(2);
    end_marking();
    group_wait(&w);
    secrets_live();
}

static void what_a_running_stack_held_is_kept(void)
{
    for (int round = 0; round < ROUNDS; round++) {
        prepare_marking();
        mark_beside(hold_running);
    }
}

#if defined(__x86_64__)

// void hold_below(struct hidden *h, uint32_t *stage): a function that calls nobody keeps SEVERAL
// pointers in the 128 bytes below its stack pointer, and nowhere else, until marking has begun.
void hold_below(struct hidden *h, uint32_t *stage);
__asm__(".pushsection .text\n"
        ".balign 16\n"
        ".type hold_below, @function\n"
        "hold_below:\n\t"
        "leaq -128(%rsp), %r8\n\t"
        "movl $16, %ecx\n"
        "1:\n\t"
        "movq -8(%rdi,%rcx,8), %rax\n\t"
        "notq %rax\n\t"
        "movq %rax, -8(%r8,%rcx,8)\n\t"
        "xorl %eax, %eax\n\t"
        "decl %ecx\n\t"
        "jnz 1b\n\t"
        "movl $1, (%rsi)\n"
        "2:\n\t"
        "pause\n\t"
        "cmpb $0, gort_barrier_flag(%rip)\n\t"
        "je 2b\n\t"
        "movl $16, %ecx\n"
        "3:\n\t"
        "movq $0, -8(%r8,%rcx,8)\n\t"
        "decl %ecx\n\t"
        "jnz 3b\n\t"
        "movl $2, (%rsi)\n\t"
        "ret\n\t"
        ".size hold_below, . - hold_below\n\t"
        ".popsection");
_Static_assert(SEVERAL == 16, "as many words are below the stack pointer");

static void hold_in_the_red_zone(void *w)
{
    hold_below(secret, &stage);
    while (heap_marking())
        arch_pause();
    group_done(w);
}

__attribute__((noinline)) static void make_for_the_red_zone(void)
{
    for (int i = 0; i < SEVERAL; i++)
        secret[i] = hide(tree(0, VALUE));
}

// The objects are referenced from nowhere until they are there: nobody collects meanwhile.
static void what_a_red_zone_held_is_kept(void)
{
    for (int round = 0; round < ROUNDS; round++) {
        prepare_marking();
        make_for_the_red_zone();
        scrub_stack();
        mark_beside(hold_in_the_red_zone);
    }
}

#else
static void what_a_red_zone_held_is_kept(void)
{
    CHECK_EQ(ARCH_RED_ZONE, 0);
}
#endif

__attribute__((noinline)) static void in_region(struct frame *f, void *frame, bool leave_early)
{
    blocking_enter(frame, __builtin_frame_address(0), ARCH_OWN_FRAME_END());
    atomic_store_release(&stage, 1);
    while (!heap_marking())
        os_thread_yield();
    if (leave_early) {
        blocking_exit();
        let_go(f);
        atomic_store_release(&stage, 2);
        return;
    }
    let_go(f); // as a compiler does that moves it elsewhere
    atomic_store_release(&stage, 2);
    while (heap_marking())
        os_thread_yield();
    blocking_exit();
}

static bool leaves_early;

__attribute__((noinline)) static void hold_blocking(void *w)
{
    struct frame f;
    hold(&f);
    scrub_stack();
    in_region(&f, __builtin_frame_address(0), leaves_early);
    group_done(w);
}

static void what_a_blocking_frame_held_is_kept(void)
{
    static struct group w;
    for (int round = 0; round < 2 * ROUNDS; round++) {
        prepare_marking();
        atomic_store_relaxed(&stage, 0);
        leaves_early = round % 2 != 0;
        w.left = 1;
        go(hold_blocking, &w);
        until(1);
        begin_marking();
        until(2);
        end_marking();
        group_wait(&w);
        secrets_live();
    }
}

// ---- a goroutine's record -----------------------------------------------------------------------

enum { WAITERS = 5 };
static struct sudog *waiter[WAITERS];

// Queued with several records, which are empty yet.
static void wait_with_records(void *w)
{
    p_pin();
    struct g *g = m_self()->curg;
    void *arg = g->arg;
    for (int i = 0; i < WAITERS; i++) {
        waiter[i] = sudog_acquire(g);
        waiter[i]->g = g;
        waiter[i]->wait_link = g->waiting;
        g->waiting = waiter[i];
    }
    p_unpin();
    sleep_here();
    p_pin();
    g->waiting = NULL;
    g->arg = arg;
    g->defers = g->context = g->locals = g->caught = NULL;
    for (int i = 0; i < WAITERS; i++) {
        waiter[i]->elem = NULL;
        sudog_release(waiter[i]);
    }
    p_unpin();
    group_done(w);
}

// Each object is named by one word, and no frame has it.
__attribute__((noinline)) static void fill_record(struct g *g)
{
    void **words[SEVERAL] = { &g->arg,     &g->wake_param, &g->defers,
                              &g->context, &g->locals,     &g->caught };
    for (int i = 0; i < WAITERS; i++) {
        words[6 + 2 * i] = &waiter[i]->elem;
        words[7 + 2 * i] = &waiter[i]->object;
    }
    for (int i = 0; i < SEVERAL; i++) {
        *words[i] = tree(0, VALUE);
        secret[i] = hide(*words[i]);
    }
}

static void what_a_record_names_is_kept(void)
{
    static struct group w;
    _Static_assert(SEVERAL == 6 + 2 * WAITERS, "each word of a record names one");
    for (int round = 0; round < ROUNDS; round++) {
        prepare_marking();
        atomic_store_relaxed(&sleeper, (struct g *)NULL);
        w.left = 1;
        go(wait_with_records, &w);
        while (atomic_load_acquire(&sleeper) == NULL || sleeper->status != G_WAITING)
            g_yield();
        fill_record(sleeper);
        scrub_stack();
        begin_marking();
        end_marking();
        secrets_live();
        crit_enter();
        g_ready(sleeper);
        crit_exit();
        group_wait(&w);
    }
}

// ---- goroutines that have not run yet -----------------------------------------------------------

static uint32_t begun, ended; // atomic

// Of the arguments, of which the last one points to an object.
struct arguments {
    uintptr_t others[6];
    node *x;
};

// Takes x to a frame that nobody scans.
static void hold_argument(void *arg)
{
    node *volatile x = ((struct arguments *)arg)->x;
    memset(arg, 0, sizeof(struct arguments));
    atomic_fetch_add_relaxed(&begun, 1u);
    while (heap_marking())
        g_yield();
    CHECK(x != NULL);
    atomic_fetch_add_relaxed(&ended, 1u);
}

// Every other one is given the end of its object: as on a stack, that keeps it.
__attribute__((noinline)) static void start_holders(void)
{
    atomic_store_relaxed(&begun, 0);
    atomic_store_relaxed(&ended, 0);
    for (int i = 0; i < SEVERAL; i++) {
        struct arguments a = { .x = tree(0, VALUE) };
        secret[i] = hide(a.x);
        a.x += i % 2;
        g_start_bare(hold_argument, &a, sizeof a, 0);
    }
}

static void wait_for_holders(void)
{
    while (atomic_load_relaxed(&ended) != SEVERAL)
        g_yield();
}

// None runs before this one yields, unless the monitor takes the P away; then a stack is scanned.
static void what_newborns_take_along_is_kept(void)
{
    for (int round = 0; round < ROUNDS; round++) {
        prepare_marking();
        start_holders();
        scrub_stack();
        begin_marking();
        while (atomic_load_relaxed(&begun) != SEVERAL)
            g_yield();
        scrub_stack();
        end_marking();
        secrets_live();
        wait_for_holders();
    }
}

static void what_newborns_wait_with_is_kept(void)
{
    for (int round = 0; round < ROUNDS; round++) {
        prepare_marking();
        start_holders();
        scrub_stack();
        begin_marking();
        end_marking();
        secrets_live();
        wait_for_holders();
    }
}

// A record that is used again holds nothing of who had it before.
static void what_newborns_held_is_freed(void)
{
    start_holders();
    wait_for_holders();
    struct newborn_view v;
    CHECK_GE(newborns_table_size(), SEVERAL);
    for (uint32_t i = 0; i < newborns_table_size(); i++)
        CHECK(!newborn_read(i, &v));
}

// ---- new objects --------------------------------------------------------------------------------

enum { LARGE = 100000 };

__attribute__((noinline)) static void make_secrets(int from, int to, size_t size)
{
    for (int i = from; i < to; i++) {
        node *x = gort_alloc(size);
        x->value = VALUE;
        secret[i] = hide(x);
    }
}

static void keep(size_t size)
{
    prepare_marking();
    gort_keep_alive(gort_alloc(size)); // a window is open
    begin_marking();
    make_secrets(0, SEVERAL, size);
    scrub_stack();
    end_marking();
    secrets_live();
}

static void what_is_new_is_kept(void)
{
    for (int round = 0; round < ROUNDS; round++) {
        keep(sizeof(node));
        keep(200);
        keep(1000);
        keep(9000); // a span holds few: new ones are opened
        keep(LARGE);
    }
}

// Room in a block of tiny objects, all of which are dead.
__attribute__((noinline)) static struct hidden make_tiny(void)
{
    uint64_t *x = gort_alloc_noscan(8);
    *x = VALUE;
    return hide(x);
}

static void what_is_new_and_tiny_is_kept(void)
{
    int shared_a_block = 0;
    for (int round = 0; round < 2 * ROUNDS; round++) {
        prepare_marking();
        struct hidden before = make_tiny();
        scrub_stack();
        begin_marking();
        struct hidden h = make_tiny();
        shared_a_block += (h.word & ~(uintptr_t)15) == (before.word & ~(uintptr_t)15);
        scrub_stack();
        end_marking();
        CHECK_EQ(*(uint64_t *)shown(h), VALUE);
    }
    CHECK_GT(shared_a_block, 0);
}

int main(void)
{
    gc_test_child("overwritten", what_is_overwritten_is_kept, 1, &clobbered);
    gc_test_child("otherwise", what_is_overwritten_otherwise_is_kept, 1, &clobbered);
    gc_test_child("without a P", what_is_overwritten_without_a_p_is_kept, 2, &clobbered);
    gc_test_child("parked", what_a_parked_stack_held_is_kept, 1, &clobbered);
    gc_test_child("running", what_a_running_stack_held_is_kept, 2, &clobbered);
    gc_test_child("red zone", what_a_red_zone_held_is_kept, 2, &clobbered);
    gc_test_child("blocking", what_a_blocking_frame_held_is_kept, 2, &clobbered);
    gc_test_child("record", what_a_record_names_is_kept, 1, &clobbered);
    gc_test_child("newborns run", what_newborns_take_along_is_kept, 1, &clobbered);
    gc_test_child("newborns wait", what_newborns_wait_with_is_kept, 1, &clobbered);
    gc_test_child("newborns are done", what_newborns_held_is_freed, 1, &clobbered);
    gc_test_child("new", what_is_new_is_kept, 1, &clobbered);
    gc_test_child("tiny", what_is_new_and_tiny_is_kept, 1, &clobbered);
    return 0;
}
