/* Names of hosts to addresses: see resolve.h.
 *
 * The C library's getaddrinfo knows how this machine looks up names (files, servers, other
 * services); it blocks, can not be called off, and may want more stack than a goroutine has.  So
 * threads of its own run it, at most RESOLVERS, made when a name is asked for and all are busy.
 * They are not goroutines' threads, hold no collected pointer, and never end, as all threads of the
 * runtime.
 *
 * Note [Lookups].  A lookup is asked for by writing its address to a pipe, which is the queue:
 * writes of 8 bytes are whole and kept in order, and the threads sleep in reading it.  Who asked
 * waits for the end of another pipe, whose writing end is the thread's alone, and closed by it; so
 * the wait ends by a deadline, or by the end of a context, as any other wait for a descriptor does.
 * The lookup belongs to both sides:
 *      thread: 1. writes the result             who asks: 1. arms, reads state; ANSWERED: result
 *              2. state <- ANSWERED, exchanged            2. waits; on an edge goes to 1
 *              3. closes the pipe: an edge                3. gives up: state <- LEFT, exchanged
 * Whoever exchanges second, and finds that the other one did so before, frees it.  The thread reads
 * the number of the pipe before it exchanges.  It closes a number that is its own until then, so
 * that nothing is written to a number that means something else by now.
 *
 * Note [Somebody answers].  Nothing is queued before a thread runs: the first one is made under the
 * gate, and each lookup that comes before it runs waits for that, and tries itself if it failed.
 * Afterwards a thread that can not be made is only one less.
 *
 * Answers to: net/cgo_unix.go, net/lookup.go.
 * SPDX-License-Identifier: BSD-3-Clause
 */
#include "lang/resolve.h"

#include <errno.h>
#include <netdb.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lang/lang.h"
#include "lang/net_fd.h"
#include "lang/net_sys.h"
#include "os/os.h"

#define RESOLVERS 16u

enum lookup_state { ASKED, ANSWERED, LEFT };

struct lookup {
    uint32_t state; /* atomic; enum lookup_state */
    int told;       /* writing end of the pipe that tells; the thread's */
    struct net_name name;
    int n; /* addresses, or -errno */
    struct net_addr address[RESOLVE_MAX];
};

static struct {
    gort_mutex gate; /* held while the queue is made, and the first thread */
    int queue[2];    /* pipe of struct lookup *; written under gate before ready */
    uint32_t ready;  /* atomic; there is a queue */
    uint32_t made;   /* atomic; threads that run or are being made; 1: the first one runs */
    uint32_t asked;  /* atomic; lookups in the queue or with a thread */
} resolver;

/* ---- the threads' side ----------------------------------------------------------------------- */

static int error_of(int code)
{
    switch (code) {
    case EAI_NONAME:
    case EAI_NODATA:
    case EAI_ADDRFAMILY:
        return ENOENT;
    case EAI_AGAIN:
        return EAGAIN;
    case EAI_MEMORY:
        return ENOMEM;
    case EAI_SYSTEM:
        return errno != 0 ? errno : EIO;
    default:
        return EIO;
    }
}

static int take_addresses(struct lookup *l, const struct addrinfo *list)
{
    int n = 0;
    for (const struct addrinfo *i = list; i != NULL && n < RESOLVE_MAX; i = i->ai_next) {
        struct net_addr *a = &l->address[n];
        if ((i->ai_family != AF_INET && i->ai_family != AF_INET6) ||
            i->ai_addrlen > sizeof a->storage)
            continue;
        memset(a, 0, sizeof *a);
        memcpy(&a->storage, i->ai_addr, i->ai_addrlen);
        a->len = i->ai_addrlen;
        net_name_complete(&l->name, a);
        n++;
    }
    return n > 0 ? n : -ENOENT;
}

static void look_up(struct lookup *l)
{
    struct addrinfo *list = NULL;
    struct addrinfo hints = { .ai_family = l->name.family, .ai_socktype = l->name.type };
    errno = 0;
    int code = getaddrinfo(l->name.host, NULL, &hints, &list);
    l->n = code == 0 ? take_addresses(l, list) : -error_of(code);
    if (code == 0) freeaddrinfo(list);
}

/* Note [Lookups].  false: the other side has it still. */
static bool is_last(struct lookup *l, enum lookup_state mine)
{
    return atomic_exchange_acqrel(&l->state, (uint32_t)mine) != ASKED;
}

static void resolver_main(void *unused)
{
    (void)unused;
    race_hide(); /* for good: what it writes is ordered by l->state */
    for (;;) {
        struct lookup *l;
        ssize_t n = read(resolver.queue[0], &l, sizeof l);
        if (n != (ssize_t)sizeof l) continue; /* EINTR */
        int told = l->told;
        look_up(l);
        if (is_last(l, ANSWERED)) free(l);
        (void)net_sys_close(told);
        atomic_fetch_sub_relaxed(&resolver.asked, 1u); /* a hint of need_thread */
    }
}

/* ---- who asks -------------------------------------------------------------------------------- */

/* 0 or errno. */
static int make_queue(struct g *g)
{
    if (atomic_load_acquire(&resolver.ready) != 0) return 0; /* pairs with the release below */
    mutex_lock(g, &resolver.gate, WAIT_IO);
    int error = 0;
    if (atomic_load_relaxed(&resolver.ready) == 0) { /* written under the gate */
        error = net_sys_pipe(resolver.queue);
        if (error == 0) error = net_sys_set_blocking(resolver.queue[0]);
        if (error == 0) atomic_store_release(&resolver.ready, 1);
    }
    mutex_unlock(&resolver.gate);
    return error;
}

static void make_thread(void *error)
{
    *(int *)error = os_thread_create(resolver_main, NULL, 0);
}

/* Note [Somebody answers].  0 or errno.  In a blocking region, as the others, because
 * pthread_create takes locks of the C library that a goroutine which was stopped may hold. */
static int need_first_thread(struct g *g)
{
    if (atomic_load_acquire(&resolver.made) != 0) return 0; /* pairs with the release below */
    int error = 0;
    mutex_lock(g, &resolver.gate, WAIT_IO);
    if (atomic_load_relaxed(&resolver.made) == 0) { /* from 0 under the gate only */
        blocking_call(make_thread, &error, (uintptr_t)make_thread);
        if (error == 0) atomic_store_release(&resolver.made, 1u);
    }
    mutex_unlock(&resolver.gate);
    return error;
}

/* A lookup that finds all threads busy gets one of its own, up to the limit. */
static void need_thread(uint32_t asked)
{
    uint32_t made = atomic_load_relaxed(&resolver.made);
    while (made < asked && made < RESOLVERS) {
        if (!atomic_cas_relaxed(&resolver.made, &made, made + 1)) continue;
        int error = 0;
        blocking_call(make_thread, &error, (uintptr_t)make_thread);
        if (error != 0) (void)atomic_fetch_sub_relaxed(&resolver.made, 1u);
        return;
    }
}

static never_inline int enqueue(struct g *g, struct lookup *l)
{
    uint32_t asked = atomic_fetch_add_relaxed(&resolver.asked, 1u) + 1;
    int error = need_first_thread(g);
    if (error == 0) need_thread(asked);
    race_hide(); /* the descriptor is not the program's */
    if (error == 0 && write(resolver.queue[1], &l, sizeof l) != (ssize_t)sizeof l) error = errno;
    race_show();
    if (error != 0) atomic_fetch_sub_relaxed(&resolver.asked, 1u);
    return error;
}

static bool is_answered(const struct lookup *l)
{
    return atomic_load_acquire(&l->state) == ANSWERED; /* the result was written before */
}

static int wait_answered(struct g *g, const struct lookup *l, int fd, int64_t deadline)
{
    struct net_op op;
    int error = net_op_begin(&op, g, fd, POLL_READ, deadline);
    if (error != 0) return error;
    do {
        netpoll_arm(fd, POLL_READ);
        if (is_answered(l)) break;
        error = net_op_wait(&op, deadline);
    } while (error == 0);
    net_op_end(&op);
    return error;
}

/* Consumes l and both ends of the pipe. */
static int ask(struct g *g, struct lookup *l, int fd, int64_t deadline, struct net_addr *out)
{
    int told = l->told, n, error = net_fd_open(fd, NET_POLLED);
    bool known = error == 0;
    if (known) error = enqueue(g, l);
    if (error != 0) {
        (void)(known ? net_fd_close(g, fd) : net_sys_close(fd));
        (void)net_sys_close(told);
        free(l);
        return -error;
    }
    error = wait_answered(g, l, fd, deadline);
    n = is_answered(l) ? l->n : -error;
    if (n > 0) memcpy(out, l->address, (size_t)n * sizeof *out);
    if (is_last(l, LEFT)) free(l);
    (void)net_fd_close(g, fd);
    return n;
}

int resolve(struct g *g, const struct net_name *name, int64_t deadline,
            struct net_addr out[RESOLVE_MAX])
{
    int ends[2];
    int error = make_queue(g);
    if (error != 0) return -error;
    struct lookup *l = calloc(1, sizeof *l);
    if (l == NULL) return -ENOMEM;
    error = net_sys_pipe(ends);
    if (error != 0) {
        free(l);
        return -error;
    }
    l->name = *name;
    l->told = ends[1];
    return ask(g, l, ends[0], deadline, out);
}
