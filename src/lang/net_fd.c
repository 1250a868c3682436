/* Descriptor numbers: kinds, turns, generations.
 *
 * The interface of the program is a number, which may be closed, and mean something else, while
 * goroutines wait on it.  Note [Generations].  Closing raises the number's generation, and an
 * operation that finds another generation than it began with, after waiting for its turn or for the
 * poller, fails with ECANCELED rather than touch what the number means now.  What remains is the
 * time between that look and the system call; a program that closes a descriptor which others are
 * just beginning to use has the race that POSIX gives it.
 *
 * Note [The gate].  An operation that begins just while the number is closed must not register it
 * with the poller again between netpoll_close and close(2): the kernel would drop that
 * registration, and nobody would wake who waits.  So finding out the kind, which registers, and
 * closing exclude each other.  Operations that began before find the poller's record closed, or
 * opened for the number's new meaning, which they must not wait for: they have the turn, and who
 * would use the new one waits for that, whatever becomes of his deadline and context.  So they look
 * at the generation after they armed and tried; and opening ends with an edge, for those that
 * looked before the number was closed: nobody else arms before they have left.
 *
 * Turns: several goroutines that read (or write) one descriptor do so one after the other, so one
 * goroutine waits in the poller for each direction, and a write of many bytes is not mixed with
 * another.
 *
 * Note [Deadlines].  A wait lasts until the earlier of its own deadline and the descriptor's, which
 * may change while it lasts.  Nobody looks for the goroutine that waits: a change is an edge like
 * any other (netpoll_kick); who waits tries again, finds nothing, and waits anew, until the new
 * deadline.  That is needed only while an operation is going on:
 *      who sets: 1. deadline <- new                 who operates: 1. takes the turn
 *                2. full barrier                                  2. full barrier
 *                3. the turn is taken: an edge                    3. arms, tries, reads the
 *                                                                 deadline, waits
 * Either the operation reads the new deadline, or the setter sees that the turn is taken; then the
 * edge comes before an arm, and the read after that sees the new deadline too; or after it, and
 * ends the wait.
 * Those who wait for the turn wait until the same time.  They are told of a deadline that has become
 * an earlier one, by mutex_end_waits; who was to wait until an earlier one than there is now looks
 * again then.  The recipe is the same, but that they are counted in the turn's word, and read
 * `changes` first: Note [Waits that are ended] in sema.c has the rest.
 *
 * Note [Waiting for the turn].  It lasts as long as who has the turn waits, for ever perhaps.  So it
 * ends as that does: by the deadline, by the end of the context, which is on the list of its node
 * as another wait, and by gort_close_fd, which need not wait until those before have left.
 *
 * A descriptor that gort has used is closed by gort_close_fd: after a plain close(2) the kind
 * remembered is that of the former file.  For sockets that mistake is noticed (ENOTSOCK).
 *
 * Locking: the gate and the turns, which are the program's kind of mutex; a new block of records is
 * set by compare-and-swap.
 * Answers to: internal/poll/fd_mutex.go, fd_unix.go.
 * SPDX-License-Identifier: BSD-3-Clause
 */
#include "lang/net_fd.h"

#include <errno.h>
#include <sys/stat.h>

#include "heap/persistent.h"
#include "lang/context.h"
#include "lang/net_sys.h"
#include "os/os.h"
#include "sched/blocks.h"
#include "sched/sched.h"

#define BLOCK0 256u
#define BLOCKS 24 /* for every int that is not negative */

static struct net_fd *blocks[BLOCKS]; /* atomic; each set once */

static struct net_fd *block_make(uint32_t block)
{
    crit_enter();
    size_t bytes = ((size_t)BLOCK0 << block) * sizeof(struct net_fd);
    struct net_fd *made = persistent_map(bytes, sched_meta_counter()), *present = NULL;
    if (made != NULL && !atomic_cas_acqrel(&blocks[block], &present, made)) {
        persistent_unmap(made, bytes, sched_meta_counter()); /* another was faster */
        made = present;
    }
    crit_exit();
    return made;
}

/* Of numbers that are not open none is made: that of INT_MAX has 2^30 records. */
static never_inline int block_make_for(int fd, uint32_t block, struct net_fd **made)
{
    if (!net_sys_is_open(fd)) return EBADF;
    *made = block_make(block);
    return *made != NULL ? 0 : ENOMEM;
}

/* 0, EBADF or ENOMEM. */
static force_inline int info_of(int fd, struct net_fd **info)
{
    struct block_place at = block_place_of((uint32_t)fd, BLOCK0);
    struct net_fd *block = atomic_load_acquire(&blocks[at.block]); /* pairs with block_make */
    int error = likely(block != NULL) ? 0 : block_make_for(fd, at.block, &block);
    *info = error == 0 ? &block[at.offset] : NULL;
    return error;
}

/* ---- kinds ---------------------------------------------------------------------------------- */

/* What a file of O_DIRECT answers comes from the disk, which RWF_NOWAIT does not keep from waiting
 * for. */
static void note_cached(int fd, struct net_fd *info, mode_t mode)
{
    bool cached = S_ISREG(mode) && !net_sys_is_direct(fd) && !sched_debug.deterministic;
    atomic_store_relaxed(&info->cached, cached);
}

/* fd is known to the poller, and may mean something new.  Note [The gate]. */
static void kick_both(int fd)
{
    netpoll_kick(fd, POLL_READ);
    netpoll_kick(fd, POLL_WRITE);
}

/* 0 to 2 are shared with the parent, the shell for one, which would be surprised to find them
 * non-blocking; sockets need not be, because recv and send can say so each time. */
static int adopt(int fd, mode_t mode, enum net_kind *kind)
{
    bool socket = S_ISSOCK(mode);
    bool file = S_ISREG(mode) || S_ISDIR(mode) || S_ISBLK(mode);
    *kind = file ? NET_FILE : NET_BLOCKING;
    if (file || (fd <= 2 && !socket)) return 0;
    int error = netpoll_adopt(fd);
    if (error == EPERM && !socket) return 0; /* a device that can not be polled */
    if (error == 0) kick_both(fd);
    if (error == 0 && fd > 2) error = net_sys_set_nonblocking(fd);
    *kind = socket ? NET_SOCKET : NET_POLLED;
    return error;
}

static never_inline int find_kind_gated(int fd, struct net_fd *info, enum net_kind *kind)
{
    struct stat st;
    if (fstat(fd, &st) != 0) return errno;
    note_cached(fd, info, st.st_mode);
    return adopt(fd, st.st_mode, kind);
}

/* Note [The gate]. */
static int find_kind(struct net_op *op)
{
    struct net_fd *info = op->fd_info;
    mutex_lock(op->g, &info->gate, WAIT_IO);
    op->generation = atomic_load_relaxed(&info->generation); /* raised under the gate */
    int error = find_kind_gated(op->fd, info, &op->kind);
    if (error == 0) atomic_store_relaxed(&info->kind, (uint8_t)op->kind);
    mutex_unlock(&info->gate);
    return error;
}

/* Those who wait for a turn, or are about to, look again if they are told, or came before. */
static void set_deadlines(struct net_fd *info, int64_t read_at, int64_t write_at)
{
    atomic_store_seq(&info->deadline[POLL_READ], read_at);
    atomic_store_seq(&info->deadline[POLL_WRITE], write_at);
    (void)atomic_fetch_add_seq(&info->changes, 1u);
}

int net_fd_open(int fd, enum net_kind kind)
{
    struct net_fd *info;
    int error = info_of(fd, &info);
    if (error == 0) error = netpoll_open(fd);
    if (error != 0) return error;
    kick_both(fd);
    info->drained = false;
    set_deadlines(info, 0, 0);
    atomic_store_release(&info->kind, (uint8_t)kind); /* pairs with net_op_begin: drained */
    return 0;
}

/* ---- operations: Note [Generations] --------------------------------------------------------- */

static bool is_current(const struct net_op *op)
{
    /* Pairs with net_fd_close; who read an older one has the race described above. */
    bool current = atomic_load_acquire(&op->fd_info->generation) == op->generation;
    if (unlikely(!current)) race_acquire(op->fd_info); /* the close comes before its ECANCELED */
    return current;
}

/* Fills all of op but mode. */
static force_inline int find_info(struct net_op *op, struct g *g, int fd)
{
    if (fd < 0) return EBADF;
    struct net_fd *info;
    int error = info_of(fd, &info);
    if (unlikely(error != 0)) return error;
    *op = (struct net_op){ .g = g, .fd_info = info, .fd = fd };
    op->generation = atomic_load_acquire(&info->generation);
    op->kind = atomic_load_acquire(&info->kind);
    return op->kind == NET_UNKNOWN ? find_kind(op) : 0;
}

static int64_t deadline_of(const struct net_op *op)
{
    return atomic_load_seq(&op->fd_info->deadline[op->mode]);
}

/* 0: none. */
static int64_t earlier(int64_t a, int64_t b)
{
    return a == 0 || (b != 0 && b < a) ? b : a;
}

static bool has_passed(int64_t at)
{
    return at != 0 && os_now() >= at;
}

/* Note [Waiting for the turn]. */
struct turn_wait {
    struct mutex_wait turn;
    struct context_wait context;
    const struct net_op *op;
    int64_t deadline; /* its own, 0: none */
    int error;        /* why it was given up */
};

static int why_not(const struct turn_wait *t, int64_t at)
{
    if (!is_current(t->op)) return ECANCELED;
    if (gort_context_error(t->op->g->context) != 0) return NET_ENDED;
    return has_passed(at) ? ETIMEDOUT : 0;
}

static bool turn_goes_on(struct mutex_wait *turn)
{
    struct turn_wait *t = container_of(turn, struct turn_wait, turn);
    const struct net_fd *info = t->op->fd_info;
    atomic_fence_seq(); /* it is counted by now: Note [Deadlines] */
    turn->sema.epoch = &info->changes;
    turn->sema.seen = atomic_load_seq(&info->changes);
    turn->sema.deadline = earlier(deadline_of(t->op), t->deadline);
    t->error = why_not(t, turn->sema.deadline);
    return t->error == 0;
}

/* Note [Other waits] in context.c. */
static void context_ends_turn(struct context_wait *w)
{
    struct turn_wait *t = container_of(w, struct turn_wait, context);
    mutex_end_wait(&t->op->fd_info->turn[t->op->mode], &t->turn);
}

static never_inline int wait_for_turn(const struct net_op *op, int64_t deadline)
{
    struct turn_wait t = { .turn.goes_on = turn_goes_on, .op = op, .deadline = deadline };
    t.context.wake = context_ends_turn;
    bool bound = context_bound(op->g);
    if (bound && !context_wait_enter(op->g, &t.context)) return NET_ENDED;
    bool got = mutex_lock_until(op->g, &op->fd_info->turn[op->mode], &t.turn, WAIT_IO);
    if (bound) context_wait_leave(&t.context);
    return got ? 0 : t.error;
}

int net_op_begin(struct net_op *op, struct g *g, int fd, enum poll_mode mode, int64_t deadline)
{
    int error = find_info(op, g, fd);
    if (error != 0) return error;
    op->mode = mode;
    if (unlikely(!mutex_trylock(&op->fd_info->turn[mode]))) error = wait_for_turn(op, deadline);
    if (unlikely(error != 0)) return error;
    arch_fence_after_rmw(); /* Note [Deadlines] */
    if (likely(is_current(op))) return 0;
    net_op_end(op);
    return ECANCELED;
}

bool net_op_is_late(const struct net_op *op)
{
    return has_passed(deadline_of(op));
}

struct bound_wait {
    struct context_wait wait;
    const struct net_op *op;
};

/* Note [Other waits] in context.c; an edge is right before, while and after it waits. */
static void context_ended(struct context_wait *w)
{
    const struct net_op *op = container_of(w, struct bound_wait, wait)->op;
    netpoll_kick(op->fd, op->mode);
}

/* Woken by the end of its context, the operation is tried once more, and then comes here in
 * vain. */
static never_inline int wait_bound(const struct net_op *op, int64_t at)
{
    struct bound_wait b = { .wait.wake = context_ended, .op = op };
    if (!context_wait_enter(op->g, &b.wait)) return NET_ENDED;
    int error = netpoll_wait(op->fd, op->mode, at);
    context_wait_leave(&b.wait);
    return error;
}

int net_op_wait(struct net_op *op, int64_t deadline)
{
    int64_t at = earlier(deadline_of(op), deadline);
    if (!is_current(op)) return ECANCELED; /* Note [The gate] */
    int error =
        unlikely(context_bound(op->g)) ? wait_bound(op, at) : netpoll_wait(op->fd, op->mode, at);
    return is_current(op) ? error : ECANCELED;
}

void net_op_end(struct net_op *op)
{
    mutex_unlock(&op->fd_info->turn[op->mode]);
}

int net_op_reconsider(struct net_op *op)
{
    return is_current(op) ? find_kind(op) : ECANCELED;
}

int net_fd_close(struct g *g, int fd)
{
    struct net_fd *info;
    int error = info_of(fd, &info);
    if (error != 0) return error;
    mutex_lock(g, &info->gate, WAIT_IO);
    atomic_store_relaxed(&info->kind, (uint8_t)NET_UNKNOWN);
    race_release(info);
    (void)atomic_fetch_add_acqrel(&info->generation, 1u); /* pairs with is_current */
    set_deadlines(info, 0, 0);
    netpoll_close(fd);
    error = -net_sys_close(fd);
    mutex_unlock(&info->gate);
    atomic_fence_seq(); /* Note [Deadlines], with the generation */
    for (int mode = POLL_READ; mode <= POLL_WRITE; mode++)
        if (mutex_is_wanted(&info->turn[mode])) mutex_end_waits(&info->turn[mode]);
    return error;
}

static bool becomes_earlier(const struct net_fd *info, enum poll_mode mode, int64_t at)
{
    int64_t was = atomic_load_relaxed(&info->deadline[mode]); /* written under the gate */
    return at != was && earlier(was, at) == at;
}

/* Under the gate, so that a deadline is not set for what the number means next. */
static int set_deadlines_gated(struct net_op *op, int64_t read_at, int64_t write_at, bool sooner[2])
{
    struct net_fd *info = op->fd_info;
    mutex_lock(op->g, &info->gate, WAIT_IO);
    int error = is_current(op) ? 0 : ECANCELED;
    sooner[POLL_READ] = becomes_earlier(info, POLL_READ, read_at);
    sooner[POLL_WRITE] = becomes_earlier(info, POLL_WRITE, write_at);
    if (error == 0) set_deadlines(info, read_at, write_at);
    mutex_unlock(&info->gate);
    return error;
}

/* Note [Deadlines]. */
int net_fd_set_deadline(struct g *g, int fd, int64_t read_at, int64_t write_at)
{
    struct net_op op;
    bool sooner[2];
    int error = find_info(&op, g, fd);
    if (error == 0) error = net_kind_blocks(op.kind) ? ENOTSUP : 0;
    if (error == 0) error = set_deadlines_gated(&op, read_at, write_at, sooner);
    if (error != 0) return error;
    atomic_fence_seq();
    for (int mode = POLL_READ; mode <= POLL_WRITE; mode++) {
        const gort_mutex *turn = &op.fd_info->turn[mode];
        if (!mutex_is_wanted(turn)) continue;
        netpoll_kick(fd, mode);
        if (sooner[mode]) mutex_end_waits(turn);
    }
    return 0;
}

/* What the program closed by close(2) is not told. */
int net_fd_next_open(int fd)
{
    for (uint32_t n = (uint32_t)fd + 1; n <= INT32_MAX; n++) {
        struct block_place at = block_place_of(n, BLOCK0);
        struct net_fd *block = atomic_load_acquire(&blocks[at.block]); /* pairs with block_make */
        if (block == NULL)
            n += (BLOCK0 << at.block) - at.offset - 1; /* none of this block's was used */
        else if (atomic_load_relaxed(&block[at.offset].kind) != NET_UNKNOWN &&
                 net_sys_is_open((int)n))
            return (int)n;
    }
    return -1;
}
