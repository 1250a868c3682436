/* Signals on channels.
 *
 * Note [From handler to channel].  A handler runs at any instruction of any thread, so it only
 * remembers the signal in a word of bits, and writes to an eventfd, which is both allowed there.  A
 * goroutine of the runtime's waits for the eventfd as others do for sockets, takes all bits at
 * once, and sends.
 *      handler: 1. pending |= bit     goroutine: 1. reads the eventfd
 *               2. write                         2. takes pending, exchanged for 0
 * Every bit is set before a write that a read follows, so none stays: at worst a read finds
 * nothing.  The eventfd is non-blocking and counts to 2^64, so no handler waits.
 *
 * The list is collected memory, changed and walked under the mutex; it is short, and searched only
 * when a signal came.
 *
 * Answers to: os/signal, sigqueue.go.
 * SPDX-License-Identifier: BSD-3-Clause
 */
#include "gort/signal.h"

#include <errno.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/bits.h"
#include "base/throw.h"
#include "gort/mem.h"
#include "gort/net.h"
#include "gort/sync.h"
#include "lang/lang.h"
#include "lang/net_sys.h"
#include "os/os.h"
#include "sched/stw.h"

typedef struct entry {
    struct entry *next;
    gort_signal_channel channel;
    uint64_t wanted; /* by signal_bit */
} entry;
GORT_TYPE(entry, next, channel);

static struct {
    gort_mutex gate;  /* held for all but pending, which is atomic */
    entry *entries;   /* a registered root */
    int event;        /* the eventfd; written before the first handler is installed */
    bool running;     /* event and the goroutine are there */
    uint64_t taken;   /* signals that have our handler */
    uint64_t pending; /* atomic; came, not sent yet */
} signals;

static uint64_t signal_bit(int sig)
{
    return (uint64_t)1 << (sig - 1);
}

/* ---- arriving: Note [From handler to channel] ------------------------------------------------ */

static void on_signal(int sig, siginfo_t *info, void *ucontext)
{
    static const uint64_t one = 1;
    int saved = errno;
    (void)info, (void)ucontext;
    atomic_fetch_or_acqrel(&signals.pending, signal_bit(sig));
    race_hide(); /* the descriptor is not the program's */
    while (write(signals.event, &one, sizeof one) < 0 && errno == EINTR)
        continue;
    race_show();
    errno = saved;
}

static void send_all(uint64_t came)
{
    gort_mutex_lock(&signals.gate);
    for (entry *e = signals.entries; e != NULL; e = e->next)
        for (uint64_t left = came & e->wanted; left != 0; left &= left - 1)
            (void)gort_try_send(e->channel, bits_ctz64(left) + 1); /* no room: dropped */
    gort_mutex_unlock(&signals.gate);
}

static void signal_loop(void *unused)
{
    uint64_t n;
    (void)unused;
    for (;;) {
        if (gort_read(signals.event, &n, sizeof n) != (ssize_t)sizeof n)
            throw_msg("the descriptor of signals was closed by the program");
        send_all(atomic_exchange_acqrel(&signals.pending, (uint64_t)0));
    }
}

/* ---- asking: the gate is held ---------------------------------------------------------------- */

/* 0 or errno. */
static never_inline int make_event(void)
{
    signals.event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (signals.event < 0) return errno;
    int error = net_fd_open(signals.event, NET_POLLED); /* whatever its number is */
    if (error != 0) (void)net_sys_close(signals.event);
    return error;
}

static int start_loop(void)
{
    struct g_options o = { .name = "signals", .is_system = true };
    if (signals.running) return 0;
    int error = make_event();
    if (error != 0) return error;
    gort_root_add(&signals.entries, sizeof signals.entries);
    g_start(signal_loop, NULL, &o, (uintptr_t)__builtin_return_address(0));
    signals.running = true;
    return 0;
}

static int take(int sig)
{
    if ((signals.taken & signal_bit(sig)) != 0) return 0;
    int error = os_signal_take(sig, on_signal);
    if (error == 0) signals.taken |= signal_bit(sig);
    return error;
}

static entry *entry_of(gort_signal_channel c)
{
    entry *e = signals.entries;
    while (e != NULL && e->channel != c)
        e = e->next;
    if (e != NULL) return e;
    e = gort_new(entry);
    gort_init(&e->channel, c);
    gort_init(&e->next, signals.entries);
    gort_set(&signals.entries, e);
    return e;
}

static bool may_be_taken(int sig)
{
    static const int reserved[] = { SIGKILL, SIGSTOP, SIGSEGV, SIGBUS, SIGFPE, SIGILL };
    if (sig < 1 || sig > 64 || sig == preempt_signal()) return false;
    if (sig > 31 && sig < SIGRTMIN) return false; /* libc's */
    for (size_t i = 0; i < array_len(reserved); i++)
        if (sig == reserved[i]) return false;
    return true;
}

int gort_signal_notify(gort_signal_channel c, int sig)
{
    (void)lang_enter("gort_signal_notify");
    int error = c == NULL || !may_be_taken(sig) ? EINVAL : 0;
    gort_mutex_lock(&signals.gate);
    if (error == 0) error = start_loop();
    if (error == 0) error = take(sig);
    if (error == 0) entry_of(c)->wanted |= signal_bit(sig);
    gort_mutex_unlock(&signals.gate);
    return error == 0 ? 0 : net_fail(error);
}

static void give_back(uint64_t unwanted)
{
    for (; unwanted != 0; unwanted &= unwanted - 1)
        os_signal_give_back(bits_ctz64(unwanted) + 1);
}

void gort_signal_stop(gort_signal_channel c)
{
    (void)lang_enter("gort_signal_stop");
    uint64_t wanted = 0;
    gort_mutex_lock(&signals.gate);
    for (entry **at = &signals.entries; *at != NULL;) {
        entry *e = *at;
        if (e->channel == c) {
            gort_set(at, e->next);
        } else {
            wanted |= e->wanted;
            at = &e->next;
        }
    }
    give_back(signals.taken & ~wanted);
    signals.taken &= wanted;
    gort_mutex_unlock(&signals.gate);
}
