// The thread's block and its critical-section word, with signals arriving all the time.
//
// SPDX-License-Identifier: BSD-3-Clause
#include <pthread.h>
#include <signal.h>

#include "arch/arch.h"
#include "base/atomic.h"
#include "os/os.h"
#include "test.h"

TEST(the_block_is_the_threads_own)
{
    int a, b, c;
    arch_tls_set_m(&a);
    arch_tls_set_g(&b);
    arch_tls_set_cache((void *)&c);
    CHECK_PTR_EQ(arch_tls_m(), &a);
    CHECK_PTR_EQ(arch_tls_g(), &b);
    CHECK_PTR_EQ(arch_tls_cache(), &c);
    CHECK_PTR_EQ(gort_tls.m, &a); // the same block that C sees
    CHECK_PTR_EQ(gort_tls.g, &b);
    CHECK_PTR_EQ(gort_tls.cache, &c);
    arch_tls_set_m(NULL);
    arch_tls_set_g(NULL);
    arch_tls_set_cache(NULL);
    CHECK_PTR_EQ(arch_tls_m(), NULL);
    CHECK_PTR_EQ(arch_tls_g(), NULL);
    CHECK_PTR_EQ(arch_tls_cache(), NULL);
}

TEST(nesting_and_pending)
{
    CHECK_EQ(arch_crit_word(), 0u);
    arch_crit_enter();
    arch_crit_enter();
    CHECK_EQ(arch_crit_word(), 2u);
    CHECK(!arch_crit_leave()); // still nested
    CHECK(arch_crit_leave());
    arch_crit_enter();
    arch_crit_set_pending();
    arch_crit_set_pending(); // twice is once
    CHECK_EQ(arch_crit_word(), GORT_CRIT_PENDING | 1);
    CHECK(!arch_crit_leave());
    CHECK_EQ(arch_crit_word(), GORT_CRIT_PENDING);
    arch_crit_clear_pending();
    CHECK_EQ(arch_crit_word(), 0u);
    CHECK_EQ(gort_tls.crit, 0u);
}

// The handler acts at once outside critical sections and leaves a note inside; what it was told is
// never lost. The protected pair of words is equal whenever the handler acts.
static uint64_t pair[2];
static int64_t acted, deferred, torn;

static void act(void)
{
    acted++;
    if (*(volatile uint64_t *)&pair[0] != *(volatile uint64_t *)&pair[1]) torn++;
}

static void on_signal(int sig, siginfo_t *info, void *ucontext)
{
    (void)sig;
    (void)info;
    (void)ucontext;
    if (arch_crit_word() == 0) {
        act();
    } else {
        deferred++;
        arch_crit_set_pending();
    }
}

static int sender_end, target;

static void *sender(void *arg)
{
    (void)arg;
    while (!atomic_load_relaxed(&sender_end)) {
        os_thread_kill(target, SIGUSR1);
        os_cpu_relax_thread(200);
    }
    return NULL;
}

TEST(signals_and_sections)
{
    pthread_t thread;
    size_t size = os_sigstack_size();
    CHECK_EQ(os_sigstack_set(os_mem_map(NULL, size), size), 0);
    CHECK_EQ(os_signal_install(SIGUSR1, on_signal, NULL), 0);
    target = os_thread_id();
    CHECK_EQ(pthread_create(&thread, NULL, sender, NULL), 0);
    int64_t honoured = 0, least = test_count(200);
    while (acted < least || deferred < least) { // the time limit is the other end
        arch_crit_enter();
        *(volatile uint64_t *)&pair[0] += 1;
        arch_pause();
        *(volatile uint64_t *)&pair[1] += 1;
        if (!arch_crit_leave()) {
            CHECK_EQ(arch_crit_word(), GORT_CRIT_PENDING);
            arch_crit_clear_pending();
            honoured++;
        }
    }
    atomic_store_relaxed(&sender_end, 1);
    pthread_join(thread, NULL);
    CHECK_EQ(torn, 0);
    CHECK(honoured > 0 && honoured <= deferred);
    CHECK_EQ(arch_crit_word(), 0u);
}

int main(void)
{
    RUN(the_block_is_the_threads_own);
    RUN(nesting_and_pending);
    RUN(signals_and_sections);
    return 0;
}
