// Names of hosts: looked up by threads of their own while other goroutines run, for gort_dial and
// gort_listen. What the C library would answer is answered here, so that each case comes about on
// any machine.
//
// TEST notmodes=determ
// TEST timeout=120
// SPDX-License-Identifier: BSD-3-Clause
#define _GNU_SOURCE
#include "../goroutines.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <semaphore.h>
#include <sys/socket.h>

// ---- the system's answers -----------------------------------------------------------------------

enum { RESOLVERS = 16 };
static sem_t gate;          // "slow.test" passes when there is one, and leaves it there
static int asked, answered; // atomic; lookups
static int given, freed;    // atomic; lists of addresses
static int resolvers;       // atomic; threads that have looked up something
static __thread bool has_looked_up;

struct answer {
    struct addrinfo info;
    struct sockaddr_in address;
};

static struct addrinfo *make_answer(const char *host, struct addrinfo *next)
{
    struct answer *a = calloc(1, sizeof *a);
    a->address.sin_family = AF_INET;
    inet_pton(AF_INET, host, &a->address.sin_addr);
    a->info.ai_family = AF_INET;
    a->info.ai_addr = (struct sockaddr *)&a->address;
    a->info.ai_addrlen = sizeof a->address;
    a->info.ai_next = next;
    return &a->info;
}

// As deep as name services go.
static __attribute__((noinline)) void use_stack(void)
{
    char frame[1 << 20];
    memset(frame, 1, sizeof frame);
    __asm__ volatile("" ::"r"(frame) : "memory");
}

static int answer(const char *host, struct addrinfo **list)
{
    if (strcmp(host, "none.test") == 0) return EAI_NONAME;
    if (strcmp(host, "again.test") == 0) return EAI_AGAIN;
    if (strcmp(host, "memory.test") == 0) return EAI_MEMORY;
    if (strcmp(host, "fail.test") == 0) return EAI_FAIL;
    if (strcmp(host, "empty.test") == 0) return 0;
    if (strcmp(host, "system.test") == 0) {
        errno = EMFILE;
        return EAI_SYSTEM;
    }
    if (strcmp(host, "slow.test") == 0) {
        while (sem_wait(&gate) != 0)
            continue;
        sem_post(&gate);
    }
    if (strcmp(host, "deep.test") == 0) use_stack();
    *list = make_answer("127.0.0.1", NULL);
    if (strcmp(host, "two.test") == 0) *list = make_answer("127.0.0.2", *list);
    if (strcmp(host, "many.test") == 0)
        for (int i = 0; i < 20; i++)
            *list = make_answer("127.0.0.1", *list);
    return 0;
}

int getaddrinfo(const char *host, const char *service, const struct addrinfo *hints,
                struct addrinfo **list)
{
    CHECK(service == NULL);
    CHECK(hints->ai_socktype == SOCK_STREAM || hints->ai_socktype == SOCK_DGRAM);
    if (!has_looked_up) CHECK_LE(ADD(&resolvers, 1), RESOLVERS);
    has_looked_up = true;
    ADD(&asked, 1);
    *list = NULL;
    int r = answer(host, list);
    if (*list != NULL) ADD(&given, 1);
    ADD(&answered, 1);
    return r;
}

void freeaddrinfo(struct addrinfo *list)
{
    if (list != NULL) ADD(&freed, 1);
    while (list != NULL) {
        struct addrinfo *next = list->ai_next;
        free(list);
        list = next;
    }
}

// ---- dialling and listening ---------------------------------------------------------------------

static int listener;
static char port[16];

static void listen_here(void)
{
    char address[64];
    listener = gort_listen("tcp", "127.0.0.1:0");
    CHECK_GT(gort_local_addr(listener, address, sizeof address), 0);
    snprintf(port, sizeof port, "%s", strrchr(address, ':') + 1);
}

static const char *at_port(const char *host)
{
    enum { SIZE = 320 };
    char *text = gort_alloc_noscan(SIZE);
    CHECK_LT(snprintf(text, SIZE, "%.300s:%s", host, port), SIZE);
    return text;
}

static uint16_t port_of(int fd, int (*name_of)(int, struct sockaddr *, socklen_t *))
{
    struct sockaddr_in address = { 0 };
    socklen_t n = sizeof address;
    CHECK_EQ(name_of(fd, (struct sockaddr *)&address, &n), 0);
    return address.sin_port;
}

// Its other end. Those of earlier dials, which were given up, may come before it.
static int accept_from(int fd)
{
    uint16_t port_here = port_of(fd, getsockname);
    for (;;) {
        struct sockaddr_in address = { 0 };
        socklen_t n = sizeof address;
        int other = gort_accept(listener);
        CHECK_GE(other, 0);
        bool connected = getpeername(other, (struct sockaddr *)&address, &n) == 0;
        if (connected && address.sin_port == port_here) return other;
        CHECK_EQ(gort_close_fd(other), 0);
    }
}

static void check_connected(int fd)
{
    char byte = 0;
    CHECK_GE(fd, 0);
    int other = accept_from(fd);
    CHECK_EQ(gort_write(other, "x", 1), 1);
    CHECK_EQ(gort_read(fd, &byte, 1), 1);
    CHECK_EQ(byte, 'x');
    CHECK_EQ(gort_close_fd(other), 0);
    CHECK_EQ(gort_close_fd(fd), 0);
}

TEST(a_name_is_dialled)
{
    static const char *const networks[] = { "tcp", "tcp4" };
    static const char *const hosts[] = { "one.test",   "one.test.", "ONE",
                                         "a-b.c_d.9e", "deep.test", "many.test" };
    for (unsigned n = 0; n < 2; n++)
        for (unsigned i = 0; i < sizeof hosts / sizeof hosts[0]; i++)
            check_connected(gort_dial(networks[n], at_port(hosts[i]), 0));
    check_connected(gort_dial("tcp", at_port("one.test"), gort_now() + 1000 * GORT_S));
    WAIT_FOR(LOAD(&given) == LOAD(&freed));
    int before = LOAD(&asked);
    check_connected(gort_dial("tcp", at_port("localhost"), 0)); // known without asking
    check_connected(gort_dial("tcp", at_port("127.0.0.1"), 0));
    CHECK_EQ(LOAD(&asked), before);
}

TEST(a_name_is_listened_at)
{
    char address[64];
    int fd = gort_listen("tcp", "one.test:0");
    CHECK_GT(gort_local_addr(fd, address, sizeof address), 0);
    CHECK(strncmp(address, "127.0.0.1:", 10) == 0);
    CHECK_EQ(gort_close_fd(fd), 0);
    CHECK_FAILS(gort_listen("tcp", "none.test:0"), ENOENT);
}

// Nobody listens at 127.0.0.2; the first error is told when nobody does anywhere.
TEST(one_address_after_the_other)
{
    check_connected(gort_dial("tcp", at_port("two.test"), 0));
    check_connected(gort_dial("tcp", at_port("two.test"), gort_now() + 1000 * GORT_S));
    CHECK_FAILS(gort_dial("tcp", "two.test:1", 0), ECONNREFUSED);
    CHECK_FAILS(gort_dial("tcp", "two.test:1", gort_now() + 1000 * GORT_S), ECONNREFUSED);
}

TEST(errors)
{
    CHECK_FAILS(gort_dial("tcp", "none.test:1", 0), ENOENT);
    CHECK_FAILS(gort_dial("tcp", "empty.test:1", 0), ENOENT);
    CHECK_FAILS(gort_dial("tcp", "again.test:1", 0), EAGAIN);
    CHECK_FAILS(gort_dial("tcp", "memory.test:1", 0), ENOMEM);
    CHECK_FAILS(gort_dial("tcp", "system.test:1", 0), EMFILE);
    CHECK_FAILS(gort_dial("tcp", "fail.test:1", 0), EIO);
    CHECK_FAILS(gort_dial("tcp", "one.test:1", gort_now() - 1), ETIMEDOUT);
}

TEST(no_names)
{
    char longest[300];
    static const char *const bad[] = {
        "a..b",  ".a",          ".",     "a b", "a/b", "[a]",
        "1.2.3", "127.0.0.256", "a.256", "a%1", "a\n", "caf\xc3\xa9"
    };
    int before = LOAD(&asked);
    for (unsigned i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        CHECK_FAILS(gort_dial("tcp", at_port(bad[i]), 0), EINVAL);
        CHECK_FAILS(gort_listen("udp", at_port(bad[i])), EINVAL);
    }
    CHECK_FAILS(gort_dial("tcp", "one.test:http", 0), EINVAL);
    CHECK_FAILS(gort_dial("tcp", "one.test:65536", 0), EINVAL);
    CHECK_FAILS(gort_dial("tcp", "one.test", 0), EINVAL);
    memset(longest, 'x', sizeof longest);
    longest[64] = '\0'; // a label of 64 bytes
    CHECK_FAILS(gort_dial("tcp", at_port(longest), 0), EINVAL);
    memset(longest, 'x', sizeof longest);
    for (int i = 50; i < 254; i += 51)
        longest[i] = '.';
    longest[254] = '\0';
    CHECK_FAILS(gort_dial("tcp", at_port(longest), 0), EINVAL);
    CHECK_EQ(LOAD(&asked), before);
    longest[253] = '\0';
    check_connected(gort_dial("tcp", at_port(longest), 0));
}

// ---- waiting ------------------------------------------------------------------------------------

static int through; // atomic

static void dial_slowly(void *unused)
{
    (void)unused;
    int fd = gort_dial("tcp", at_port("slow.test"), 0);
    CHECK_GE(fd, 0);
    CHECK_EQ(gort_close_fd(fd), 0);
    ADD(&through, 1);
}

static void count_up(void *counter)
{
    for (;;) {
        ADD((int *)counter, 1);
        gort_yield();
    }
}

static void open_gate(void)
{
    CHECK_EQ(sem_post(&gate), 0);
}

static void close_gate(void)
{
    while (sem_wait(&gate) != 0)
        continue;
}

// More lookups than there are threads for them; goroutines run meanwhile, and nobody is forgotten.
TEST(others_run_meanwhile)
{
    enum { DIALS = 100 };
    static int counter;
    int before = LOAD(&asked);
    STORE(&through, 0);
    gort_go(count_up, &counter);
    for (int i = 0; i < DIALS; i++)
        gort_go(dial_slowly, NULL);
    WAIT_FOR(LOAD(&asked) == before + RESOLVERS);
    int seen = LOAD(&counter);
    WAIT_FOR(LOAD(&counter) > seen + 1000);
    WAIT_FOR(count_waiting("IO wait") == DIALS); // without a thread
    CHECK_EQ(LOAD(&asked), before + RESOLVERS);  // the others wait in the queue
    open_gate();
    for (int i = 0; i < DIALS; i++)
        CHECK_EQ(gort_close_fd(gort_accept(listener)), 0);
    WAIT_FOR(LOAD(&through) == DIALS);
    close_gate();
}

// Who gives up leaves the thread to its wait; both ends of the lookup are gone in the end.
TEST(giving_up)
{
    int before = LOAD(&asked), dials = 0;
    for (int64_t wait = 5 * GORT_MS; LOAD(&asked) < before + 5; wait *= 2, dials++) {
        int64_t at = gort_now() + wait;
        CHECK_FAILS(gort_dial("tcp", at_port("slow.test"), at), ETIMEDOUT);
        CHECK_GE(gort_now(), at);
    }
    CHECK_LE(LOAD(&asked), before + dials);
    open_gate();
    WAIT_FOR(LOAD(&asked) == LOAD(&answered));
    WAIT_FOR(LOAD(&given) == LOAD(&freed));
    check_connected(gort_dial("tcp", at_port("one.test"), 0));
    close_gate();
}

// A deadline about when the answer comes: either result, nothing twice, nothing lost.
TEST(giving_up_as_the_answer_comes)
{
    for (int i = 0; i < 300; i++) {
        int fd = gort_dial("tcp", at_port("one.test"), gort_now() + i % 60 * 10 * GORT_US);
        if (fd < 0)
            CHECK_EQ(errno, ETIMEDOUT);
        else
            CHECK_EQ(gort_close_fd(fd), 0);
    }
    check_connected(
        gort_dial("tcp", at_port("one.test"), 0)); // takes from the queue what stands there
    WAIT_FOR(LOAD(&asked) == LOAD(&answered));
    WAIT_FOR(LOAD(&given) == LOAD(&freed));
}

static gort_context *context;

static void dial_slow(void *unused)
{
    (void)unused;
    (void)gort_dial("tcp", at_port("slow.test"), 0);
    CHECK(false); // the context's end is not told here
}

static void dial_inside(void *unused)
{
    (void)unused;
    CHECK_EQ(gort_context_run(context, dial_slow, NULL), ECANCELED);
    ADD(&through, 1);
}

TEST(a_context_ends_the_wait)
{
    int before = LOAD(&asked);
    gort_set(&context, gort_context_make(NULL));
    STORE(&through, 0);
    gort_go(dial_inside, NULL);
    WAIT_FOR(LOAD(&asked) > before);
    gort_context_cancel(context, 0);
    WAIT_FOR(LOAD(&through) == 1);
    open_gate();
    WAIT_FOR(LOAD(&asked) == LOAD(&answered));
}

static int run(int argc, char **argv)
{
    (void)argc, (void)argv;
    CHECK_EQ(sem_init(&gate, 0, 0), 0);
    listen_here();
    RUN(a_name_is_dialled);
    RUN(a_name_is_listened_at);
    RUN(one_address_after_the_other);
    RUN(errors);
    RUN(no_names);
    RUN_ON(1, others_run_meanwhile);
    RUN_ON(4, others_run_meanwhile);
    RUN_ON(1, giving_up);
    RUN_ON(4, giving_up);
    RUN_ON(1, giving_up_as_the_answer_comes);
    RUN_ON(4, giving_up_as_the_answer_comes);
    RUN(a_context_ends_the_wait);
    return 0;
}

int main(int argc, char **argv)
{
    return gort_run(run, argc, argv);
}
