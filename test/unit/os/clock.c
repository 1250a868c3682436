// Clocks run forward, and CPU clocks count CPU time only.
//
// SPDX-License-Identifier: BSD-3-Clause
#include "os/os.h"
#include "test.h"

TEST(monotonic)
{
    int64_t last = os_now();
    CHECK_GT(last, 0);
    for (int i = 0; i < 100000; i++) {
        int64_t now = os_now();
        CHECK_GE(now, last);
        last = now;
    }
    int64_t start = os_now();
    usleep(5000);
    int64_t slept = os_now() - start;
    CHECK(slept >= 5 * 1000 * 1000 && slept < INT64_C(10) * 1000 * 1000 * 1000);
}

TEST(cpu_time_counts_work)
{
    int64_t wall = os_now(), thread = os_thread_cpu(), process = os_process_cpu();
    while (os_thread_cpu() - thread < 10 * 1000 * 1000)
        os_cpu_relax_thread(100);
    wall = os_now() - wall;
    process = os_process_cpu() - process;
    CHECK_GE(wall, 9 * 1000 * 1000);
    CHECK_GE(process, 9 * 1000 * 1000);
}

TEST(cpu_time_does_not_count_sleep)
{
    int64_t thread = os_thread_cpu();
    usleep(100 * 1000);
    CHECK_LT(os_thread_cpu() - thread, 50 * 1000 * 1000);
}

int main(void)
{
    RUN(monotonic);
    RUN(cpu_time_counts_work);
    RUN(cpu_time_does_not_count_sleep);
    return 0;
}
