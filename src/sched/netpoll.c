/* Network poller: goroutines that wait for descriptors, on edge-triggered epoll.
 *
 * What it is: one epoll instance for the process, a record per descriptor number, and one word per
 * direction of it that says whether somebody waits or something happened.  Looking a record up and
 * waiting on it take no lock.
 *
 * Why this way: with edges a descriptor is registered once in its life; parking and waking cost no
 * epoll call.  Rejected: level-triggered with one-shot (a system call for each wait); a lock per
 * record (two atomic operations and a queue where one compare-and-swap does).
 *
 * The word of one direction, poll_desc.word[mode]:
 *
 *               netpoll_open, netpoll_adopt          netpoll_poll (any M)
 *      CLOSED ------------------------------> IDLE ----------------------> READY
 *                                             | ^ ^                         | ^
 *                commit_wait (the             | | |  netpoll_arm            | |
 *                goroutine's M)               | | |  (goroutine)            | |
 *                                             | | +-------------------------+ |
 *                                             v |                             |
 *                 wait_expired (any M) ->   waiting g ------------------------+
 *                                                      netpoll_poll (any M)
 *
 *      IDLE, READY, waiting g --- netpoll_close (goroutine) ---> CLOSED
 *      READY, waiting g --------- netpoll_open (goroutine) ---> IDLE
 *      IDLE, waiting g ---------- desc_register_again (goroutine) ---> READY
 *
 *   CLOSED (0, so fresh records are): nobody waits, nobody will be woken.  IDLE: nothing is known
 *   to have happened since netpoll_arm.  READY: an edge since.  A pointer: that goroutine is
 *   parked, its registers saved; whoever takes the pointer out of the word, and only he, makes it
 *   runnable, with the result in g->wake_param.  Opening what is open (the number was reused
 *   behind our back) cancels whoever waited for the former meaning.
 *
 * Note [No edge is lost].  A goroutine runs
 *      netpoll_arm: READY -> IDLE;  (K) system call, EAGAIN;  netpoll_wait: IDLE -> g, park.
 * The kernel serialises K and the arrival (A) of data or space by the descriptor's own lock; the
 * poller acts (E) after the A that it reports.
 *  (1) A before K: K would have succeeded.  So A comes after K, thus E after netpoll_arm: no E that
 *      matters is undone by it.
 *  (2) E finds IDLE: the word becomes READY; netpoll_wait sees that, or its compare-and-swap fails.
 *  (3) E finds g: it takes and readies it.
 *  (4) E finds READY: it stays, as in (2), because nobody arms between K and netpoll_wait.
 *  netpoll_kick is an E that belongs to no A: whatever its caller changed before is seen by who
 *  waits.
 *  (5) An edge from before K may be handled late and wake a goroutine for nothing: it gets EAGAIN
 *      and waits again.  Readiness is a hint; losing it is the only mistake.
 *
 * Note [Numbers are reused].  epoll hands back 64 bits of ours: the number and the record's
 * sequence number, which rises whenever the number begins or ends to mean something.  Events with
 * another sequence number are old and dropped.  The test and the compare-and-swap that follows are
 * not one step: an old event that passes in between only wakes for nothing, as in (5).
 * A descriptor from elsewhere (netpoll_adopt) may be closed by plain close(2), whereupon the kernel
 * drops its registration silently.  So each wait on one registers it again first.  EEXIST: still
 * the same.  Success: the number means another file by now, and waiters of the old one are
 * cancelled, and who is about to wait, in either direction, looks once more: he may have been
 * kicked.
 *
 * Note [One winner].  A wait with a deadline can end by event, close and timer.  All three must
 * take the pointer out of the word by compare-and-swap or exchange, so one wins.  The timer is
 * added and the pointer published in one step under the lock of the timer's heap
 * (commit_wait_until): a timer that fired before would find nobody to wake and never fire again;
 * one added afterwards might lie in the frame of a goroutine that has left.  The goroutine removes
 * the timer when it runs again; that takes the same lock, so nobody uses its frame afterwards
 * (Note [A timer leaves its frame], timer.c).
 *
 * Note [Breaking].  netpoll_break makes an eventfd readable, which stays so until the blocked
 * poller reads it; break_pending saves the writes while that is due.
 *      who breaks: 1. makes work visible        who polls: 1. reads the eventfd
 *                  2. exchange pending <- 1                2. exchange pending <- 0
 *                     was 0: write the eventfd             3. returns; the caller looks for work
 * A breaker that finds 1 did so before the poller's exchange, which reads its value: the poller's 3
 * sees its 1.  In the other order (exchange, then read) a write between the two would be eaten,
 * and pending left set for ever.  A poll that does not block leaves the eventfd alone: the break is
 * not for it.  (At most one thread blocks in the poller: Note [Who sleeps where].)
 *
 * Locking: POLL_DESC, one lock of many by number: opening, closing, registering again.  POLL_TABLE:
 * new blocks of records.  TIMERS: see above.
 * Memory order: the compare-and-swap of word_publish releases the saved registers to whoever takes
 * the pointer (acquire).  Blocks are published with release and found with acquire.
 *
 * Answers to: netpoll.go, netpoll_epoll.go.
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "sched/netpoll.h"

#include <errno.h>
#include <limits.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/atomic.h"
#include "base/unscanned.h"
#include "heap/persistent.h"
#include "os/os.h"
#include "sched/blocks.h"
#include "sched/sched_internal.h"

#define POLL_MODES 2
#define POLL_EVENTS 128 /* collected in one call, on the caller's stack */
#define POLL_LOCKS 64
#define POLL_BLOCK0 256u     /* records of the first block */
#define POLL_BLOCKS 24       /* for every int that is not negative */
#define BREAK_KEY UINT64_MAX /* no descriptor has the number -1 */

#ifndef SYS_epoll_pwait2
#define SYS_epoll_pwait2 441 /* Linux 5.11; the same number on every machine */
#endif

/* Values of a word that are no goroutine. */
enum { POLL_CLOSED, POLL_IDLE, POLL_READY, POLL_FIRST_POINTER };

/* All that is known of one descriptor number.  Never freed. */
struct poll_desc {
    uintptr_t word[POLL_MODES]; /* atomic: see the diagram */
    uint32_t seq;               /* atomic; written under POLL_DESC: Note [Numbers are reused] */
    bool open;                  /* atomic; written under POLL_DESC */
    bool adopted;               /* atomic; written under POLL_DESC */
    bool hup;                   /* atomic; set by pollers, cleared under POLL_DESC */
    bool urgent;                /* the same */
} cache_aligned;

_Static_assert(sizeof(struct poll_desc) == CACHE_LINE, "descriptors do not share lines");

/* One wait, in the frame of the goroutine that waits. */
struct poll_wait {
    struct timer timer; /* when == 0: no deadline, not added */
    struct poll_desc *desc;
    struct g *g;
    enum poll_mode mode;
};

static struct {
    int epfd, breakfd;                     /* constant after netpoll_init */
    bool millis_only;                      /* kernel without epoll_pwait2; atomic, set once */
    struct lock table_lock;                /* RANK_POLL_TABLE: setting blocks */
    struct poll_desc *blocks[POLL_BLOCKS]; /* atomic */
    uint32_t waiters cache_aligned;        /* atomic; goroutines in words, or about to be */
    uint32_t break_pending;                /* atomic: Note [Breaking] */
    struct desc_lock {
        struct lock lock;
    } cache_aligned locks[POLL_LOCKS]; /* RANK_POLL_DESC, by number */
} poll;
UNSCANNED(poll);

/* ---- system calls: out of line, because they use errno, whose address compilers keep ----------
 * */

static never_inline int epoll_change(int op, int fd, uint32_t seq)
{
    struct epoll_event e = {
        .events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLPRI | EPOLLET,
        .data.u64 = (uint64_t)seq << 32 | (uint32_t)fd,
    };
    int saved = errno;
    int error = epoll_ctl(poll.epfd, op, fd, &e) == 0 ? 0 : errno;
    errno = saved;
    return error;
}

/* Older kernels: milliseconds, rounded up so that no timer is early. */
static int epoll_collect_millis(struct epoll_event *events, int64_t delay_ns)
{
    int64_t ms = delay_ns < 0 ? -1 : delay_ns / 1000000 + (delay_ns % 1000000 != 0);
    return epoll_wait(poll.epfd, events, POLL_EVENTS, ms > INT_MAX ? INT_MAX : (int)ms);
}

static int epoll_collect_nanos(struct epoll_event *events, int64_t delay_ns)
{
    struct timespec t = { delay_ns / 1000000000, delay_ns % 1000000000 };
    long n = syscall(SYS_epoll_pwait2, poll.epfd, events, POLL_EVENTS, &t, NULL, 0);
    if (n >= 0 || (errno != ENOSYS && errno != EPERM)) return (int)n;
    /* EPERM: a filter of system calls older than this one. */
    atomic_store_relaxed(&poll.millis_only, true); /* every thread would store the same */
    return epoll_collect_millis(events, delay_ns);
}

static never_inline int epoll_collect(struct epoll_event *events, int64_t delay_ns)
{
    int saved = errno, n;
    bool millis = delay_ns <= 0 || atomic_load_relaxed(&poll.millis_only); /* a setting */
    do {
        n = millis ? epoll_collect_millis(events, delay_ns) : epoll_collect_nanos(events, delay_ns);
    } while (n < 0 && errno == EINTR && delay_ns < 0);
    if (n < 0 && errno != EINTR) throw_fmt("the poller's epoll_wait failed: %s", strerror(errno));
    errno = saved;
    return n < 0 ? 0 : n;
}

static never_inline void eventfd_write_one(void)
{
    int saved = errno;
    uint64_t one = 1;
    ssize_t n = write(poll.breakfd, &one, sizeof(one));
    if (n < 0 && errno != EAGAIN) /* EAGAIN: readable for a long time already */
        throw_fmt("the poller's eventfd can not be written: %s", strerror(errno));
    errno = saved;
}

static never_inline void eventfd_drain(void)
{
    int saved = errno;
    uint64_t count;
    ssize_t n = read(poll.breakfd, &count, sizeof(count));
    (void)n; /* EAGAIN: nothing left */
    errno = saved;
}

_Noreturn static cold_path void init_failed(const char *call, int error)
{
    throw_fmt("can not start the network poller: %s: %s%s", call, strerror(error),
              error == EMFILE   ? "; the limit is ulimit -n"
              : error == ENFILE ? "; the limit is fs.file-max"
              : error == ENOSPC ? "; the limit is fs.epoll.max_user_watches"
                                : "");
}

void netpoll_init(void)
{
    lock_init(&poll.table_lock, RANK_POLL_TABLE);
    for (size_t i = 0; i < POLL_LOCKS; i++)
        lock_init(&poll.locks[i].lock, RANK_POLL_DESC);
    poll.epfd = epoll_create1(EPOLL_CLOEXEC);
    if (poll.epfd < 0) init_failed("epoll_create1", errno);
    poll.breakfd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (poll.breakfd < 0) init_failed("eventfd", errno);
    struct epoll_event e = { .events = EPOLLIN, .data.u64 = BREAK_KEY }; /* level-triggered */
    if (epoll_ctl(poll.epfd, EPOLL_CTL_ADD, poll.breakfd, &e) != 0) init_failed("epoll_ctl", errno);
}

/* ---- records -------------------------------------------------------------------------------- */

/* NULL: nobody ever opened a descriptor near that number. */
static struct poll_desc *desc_find(int fd)
{
    if (unlikely(fd < 0)) return NULL;
    struct block_place at = block_place_of((uint32_t)fd, POLL_BLOCK0);
    struct poll_desc *block = atomic_load_acquire(&poll.blocks[at.block]); /* desc_make */
    return block != NULL ? &block[at.offset] : NULL;
}

static struct poll_desc *desc_make(int fd)
{
    struct block_place at = block_place_of((uint32_t)fd, POLL_BLOCK0);
    lock_acquire(&poll.table_lock);
    struct poll_desc *block = poll.blocks[at.block];
    if (block == NULL) {
        size_t bytes = ((size_t)POLL_BLOCK0 << at.block) * sizeof(*block);
        block = persistent_map(bytes, &sched.meta_bytes);
        atomic_store_release(&poll.blocks[at.block], block); /* pairs with desc_find */
    }
    lock_release(&poll.table_lock);
    return block != NULL ? &block[at.offset] : NULL;
}

static struct lock *desc_lock(int fd)
{
    return &poll.locks[(uint32_t)fd % POLL_LOCKS].lock;
}

static bool desc_is_open(const struct poll_desc *d)
{
    /* Relaxed: who races with opening and closing has no right to an answer. */
    return d != NULL && atomic_load_relaxed(&d->open);
}

/* ---- the word ------------------------------------------------------------------------------- */

/* g was in a word and the caller took it out. */
static void waiter_wake(struct g *g, int result, struct ready_list *ready)
{
    assert_that(g->status == G_WAITING);
    atomic_fetch_sub_relaxed(&poll.waiters, 1); /* a count; the word carries the order */
    g->wake_param = (void *)(intptr_t)result;
    ready_list_append(ready, g);
}

static int word_result(uintptr_t word)
{
    return word == POLL_READY ? 0 : word == POLL_CLOSED ? ECANCELED : EBUSY;
}

/* An edge: Note [No edge is lost]. */
static void word_set_ready(uintptr_t *word, struct ready_list *ready)
{
    uintptr_t was = atomic_load_relaxed(word); /* READY: (4); else the compare-and-swap decides */
    do {
        if (was == POLL_CLOSED || was == POLL_READY) return;
    } while (!atomic_cas_acqrel(word, &was, (uintptr_t)POLL_READY)); /* acquire: word_publish */
    if (was >= POLL_FIRST_POINTER) waiter_wake((struct g *)was, 0, ready);
}

/* Opening and closing: cancels whoever waits. */
static void word_reset(uintptr_t *word, uintptr_t to, struct ready_list *ready)
{
    uintptr_t was = atomic_exchange_acqrel(word, to); /* acquire: word_publish */
    if (was >= POLL_FIRST_POINTER) waiter_wake((struct g *)was, ECANCELED, ready);
}

/* g, whose registers are saved, waits from now on.  false: the word was not IDLE, and the result
 * is in wake_param. */
static bool word_publish(uintptr_t *word, struct g *g)
{
    uintptr_t was = POLL_IDLE;
    atomic_fetch_add_relaxed(&poll.waiters, 1); /* before the word: never too low */
    if (atomic_cas_acqrel(word, &was, (uintptr_t)g)) return true; /* release: whoever takes g */
    atomic_fetch_sub_relaxed(&poll.waiters, 1);
    g->wake_param = (void *)(intptr_t)word_result(was);
    return false;
}

/* ---- opening and closing -------------------------------------------------------------------- */

/* The number begins to mean something new, or nothing. */
static void desc_reset_locked(struct poll_desc *d, uintptr_t to, struct ready_list *ready)
{
    atomic_store_relaxed(&d->seq, d->seq + 1); /* who reads the old one wakes for nothing */
    atomic_store_relaxed(&d->hup, false);
    atomic_store_relaxed(&d->urgent, false);
    for (int i = 0; i < POLL_MODES; i++)
        word_reset(&d->word[i], to, ready);
}

/* Registers fd with a new sequence number.  The record comes first: the kernel may report at once.
 * */
static int desc_open_locked(struct poll_desc *d, int fd, bool adopt, struct ready_list *ready)
{
    desc_reset_locked(d, POLL_IDLE, ready);
    int error = epoll_change(EPOLL_CTL_ADD, fd, d->seq);
    if (error == EEXIST) error = epoll_change(EPOLL_CTL_MOD, fd, d->seq);
    if (error != 0) desc_reset_locked(d, POLL_CLOSED, ready);
    atomic_store_relaxed(&d->adopted, adopt && error == 0);
    atomic_store_relaxed(&d->open, error == 0);
    return error;
}

static int desc_open(int fd, bool adopt)
{
    if (fd < 0) return EBADF;
    struct ready_list ready = { NULL, NULL, 0 };
    crit_enter();
    int error = ENOMEM;
    struct poll_desc *d = desc_find(fd);
    if (d == NULL) d = desc_make(fd);
    if (d != NULL) {
        lock_acquire(desc_lock(fd));
        error = adopt && d->open ? 0 : desc_open_locked(d, fd, adopt, &ready);
        lock_release(desc_lock(fd));
        ready_inject(&ready);
    }
    crit_exit();
    return error;
}

int netpoll_open(int fd)
{
    return desc_open(fd, false);
}

int netpoll_adopt(int fd)
{
    return netpoll_is_open(fd) ? 0 : desc_open(fd, true);
}

bool netpoll_is_open(int fd)
{
    return desc_is_open(desc_find(fd));
}

void netpoll_close(int fd)
{
    struct poll_desc *d = desc_find(fd);
    if (!desc_is_open(d)) return;
    struct ready_list ready = { NULL, NULL, 0 };
    crit_enter();
    lock_acquire(desc_lock(fd));
    if (d->open) {
        atomic_store_relaxed(&d->open, false);
        atomic_store_relaxed(&d->adopted, false);
        /* A duplicate of fd would keep the registration alive.  ENOENT, EBADF: gone already. */
        (void)epoll_change(EPOLL_CTL_DEL, fd, d->seq);
        desc_reset_locked(d, POLL_CLOSED, &ready);
    }
    lock_release(desc_lock(fd));
    ready_inject(&ready);
    crit_exit();
}

/* The number of an adopted descriptor means another file by now, registered by the caller.  What
 * the kernel reported of it before the record was reset may have been lost: MOD makes it report
 * again.  READY, because somebody about to wait may have been kicked: everybody looks once more. */
static int desc_reused_locked(struct poll_desc *d, int fd, struct ready_list *ready)
{
    desc_reset_locked(d, POLL_READY, ready);
    return epoll_change(EPOLL_CTL_MOD, fd, d->seq);
}

/* Note [Numbers are reused].  0, or why fd can not be waited for. */
static int desc_register_again(struct poll_desc *d, int fd)
{
    struct ready_list ready = { NULL, NULL, 0 };
    int error = 0;
    lock_acquire(desc_lock(fd));
    if (d->open && d->adopted) {
        error = epoll_change(EPOLL_CTL_ADD, fd, d->seq);
        if (error == 0)
            error = desc_reused_locked(d, fd, &ready);
        else if (error == EEXIST)
            error = 0;
    }
    lock_release(desc_lock(fd));
    ready_inject(&ready);
    return error;
}

/* ---- waiting -------------------------------------------------------------------------------- */

void netpoll_arm(int fd, enum poll_mode mode)
{
    struct poll_desc *d = desc_find(fd);
    if (d == NULL) return;
    /* Relaxed: Note [No edge is lost], (1), rests on the kernel's lock.  Acquire: netpoll_kick. */
    uintptr_t was = atomic_load_relaxed(&d->word[mode]);
    if (was == POLL_READY) (void)atomic_cas_acquire(&d->word[mode], &was, (uintptr_t)POLL_IDLE);
    /* Who kicks and finds READY has stored what is looked at next, or this has seen it. */
    arch_fence_after_rmw();
}

/* The deadline: Note [One winner]. */
static void wait_expired(struct timer *t, struct ready_list *ready)
{
    struct poll_wait *w = t->arg;
    uintptr_t was = (uintptr_t)w->g;
    if (atomic_cas_acqrel(&w->desc->word[w->mode], &was, (uintptr_t)POLL_IDLE)) /* word_publish */
        waiter_wake(w->g, ETIMEDOUT, ready);
}

static bool commit_wait_until(struct poll_wait *w, struct g *g)
{
    struct p *p = m_self()->p;
    if (p == NULL) p = p_at(0);
    int64_t when = w->timer.when;
    lock_acquire(&p->timers.lock);
    bool earliest = timer_add_locked(p, &w->timer);
    bool parked = word_publish(&w->desc->word[w->mode], g);
    if (!parked) (void)timer_remove_locked(p, &w->timer);
    lock_release(&p->timers.lock);
    /* Parked: w may be gone. */
    if (parked && earliest) sched_timer_added(when);
    return parked;
}

static bool commit_wait(struct g *g, void *arg)
{
    struct poll_wait *w = arg;
    if (w->timer.when != 0) return commit_wait_until(w, g);
    return word_publish(&w->desc->word[w->mode], g);
}

/* Pinned.  The word was IDLE a moment ago. */
static int wait_parked(struct poll_desc *d, enum poll_mode mode, int64_t deadline)
{
    struct g *g = m_self()->curg;
    struct poll_wait w = { .desc = d, .g = g, .mode = mode };
    w.timer.when = deadline;
    w.timer.fn = wait_expired;
    w.timer.arg = &w;
    g_park(commit_wait, &w, WAIT_IO);
    if (deadline != 0) (void)timer_remove(&w.timer);
    int result = (int)(intptr_t)g->wake_param;
    g->wake_param = NULL;
    return result;
}

int netpoll_wait(int fd, enum poll_mode mode, int64_t deadline)
{
    struct poll_desc *d = desc_find(fd);
    if (!desc_is_open(d)) return ECANCELED;
    uintptr_t word = atomic_load_acquire(&d->word[mode]); /* word_set_ready: hup, urgent */
    if (word != POLL_IDLE) return word_result(word);
    if (deadline != 0 && os_now() >= deadline) return ETIMEDOUT;
    p_pin();
    int result = atomic_load_relaxed(&d->adopted) ? desc_register_again(d, fd) : 0;
    if (result == 0) result = wait_parked(d, mode, deadline);
    p_unpin();
    return result;
}

void netpoll_kick(int fd, enum poll_mode mode)
{
    struct poll_desc *d = desc_find(fd);
    if (!desc_is_open(d)) return;
    struct ready_list ready = { NULL, NULL, 0 };
    crit_enter();
    word_set_ready(&d->word[mode], &ready); /* releases what the caller changed */
    ready_inject(&ready);
    crit_exit();
}

bool netpoll_hup(int fd)
{
    const struct poll_desc *d = desc_find(fd);
    /* Relaxed: a hang-up not seen here comes with an edge after the caller's arm: event_handle. */
    return d != NULL && atomic_load_relaxed(&d->hup);
}

bool netpoll_urgent(int fd)
{
    const struct poll_desc *d = desc_find(fd);
    return d != NULL && atomic_load_relaxed(&d->urgent); /* as hup */
}

uint32_t netpoll_waiters(void)
{
    return atomic_load_relaxed(&poll.waiters); /* a hint; the M that parks one looks again itself */
}

/* ---- polling -------------------------------------------------------------------------------- */

static void event_handle(const struct epoll_event *e, struct ready_list *ready)
{
    struct poll_desc *d = desc_find((int)(uint32_t)e->data.u64);
    if (d == NULL || atomic_load_relaxed(&d->seq) != e->data.u64 >> 32) return; /* old */
    bool end = (e->events & (EPOLLHUP | EPOLLERR)) != 0;
    if (end || (e->events & EPOLLRDHUP) != 0) atomic_store_relaxed(&d->hup, true);
    if ((e->events & EPOLLPRI) != 0) atomic_store_relaxed(&d->urgent, true);
    /* Pairs with the fence of netpoll_arm: who finds the word READY leaves it; but then it was
     * armed later, and after that call hup and urgent are seen. */
    if (end || (e->events & (EPOLLRDHUP | EPOLLPRI)) != 0) atomic_fence_seq();
    if (end || (e->events & (EPOLLIN | EPOLLRDHUP)) != 0)
        word_set_ready(&d->word[POLL_READ], ready); /* releases hup, urgent */
    if (end || (e->events & EPOLLOUT) != 0) word_set_ready(&d->word[POLL_WRITE], ready);
}

void netpoll_poll(int64_t delay_ns, struct ready_list *ready)
{
    struct epoll_event events[POLL_EVENTS];
    int n = epoll_collect(events, delay_ns);
    for (int i = 0; i < n; i++) {
        if (events[i].data.u64 != BREAK_KEY) {
            event_handle(&events[i], ready);
        } else if (delay_ns != 0) { /* Note [Breaking] */
            eventfd_drain();
            atomic_exchange_seq(&poll.break_pending, 0u);
        }
    }
}

void netpoll_break(void)
{
    if (atomic_exchange_seq(&poll.break_pending, 1u) == 0)
        eventfd_write_one(); /* Note [Breaking] */
}
