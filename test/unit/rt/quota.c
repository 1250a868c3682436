// The number of Ps follows the quota of the control group, and the mask, from boot on: the files are
// the test's own, and so is the number of CPUs in the mask; all that reads, decides and follows is
// the runtime's.
// TEST wrap=cgroup_milli_cpus,os_cpu_count
// SPDX-License-Identifier: BSD-3-Clause
#include <sys/stat.h>

#include "goroutines.h"
#include "os/linux/cgroup.h"
#include "os/os.h"

static char root[64]; // a temporary folder
static int cpus = 6;  // atomic

// The linker puts these in place of calls of the functions without the prefix.
uint64_t __wrap_cgroup_milli_cpus(const char *membership, const char *mounts);
uint64_t __real_cgroup_milli_cpus(const char *membership, const char *mounts);
int __wrap_os_cpu_count(void);

static void path_of(char out[256], const char *name)
{
    snprintf(out, 256, "%s/%s", root, name);
}

uint64_t __wrap_cgroup_milli_cpus(const char *membership, const char *mounts)
{
    char own[256], own_mounts[256];
    CHECK_STR_EQ(membership, "/proc/self/cgroup");
    CHECK_STR_EQ(mounts, "/proc/self/mountinfo");
    path_of(own, "membership");
    path_of(own_mounts, "mounts");
    return __real_cgroup_milli_cpus(own, own_mounts);
}

int __wrap_os_cpu_count(void)
{
    return LOAD(&cpus);
}

// At once: a reader finds the old text or the new one.
static void file_put(const char *name, const char *text)
{
    char path[256], fresh[256];
    path_of(path, name);
    path_of(fresh, "fresh");
    FILE *f = fopen(fresh, "w");
    CHECK(f != NULL && fputs(text, f) >= 0 && fclose(f) == 0);
    CHECK_EQ(rename(fresh, path), 0);
}

static void folder_make(const char *name)
{
    char path[256];
    path_of(path, name);
    CHECK_EQ(mkdir(path, 0700), 0);
}

static void make_groups(void)
{
    char text[256];
    strcpy(root, "/tmp/gort-quota-XXXXXX");
    CHECK(mkdtemp(root) != NULL);
    folder_make("cg");
    folder_make("cg/pod");
    folder_make("cg/pod/app");
    snprintf(text, sizeof text, "30 22 0:26 / %s/cg rw shared:9 - cgroup2 none rw\n", root);
    file_put("mounts", text);
    file_put("membership", "0::/pod/app\n");
    file_put("cg/pod/app/cpu.max", "300000 100000\n");
}

static void remove_groups(void)
{
    char command[128];
    snprintf(command, sizeof command, "rm -rf %s", root);
    CHECK_EQ(system(command), 0);
}

static void ps_become(int n)
{
    WAIT_FOR(gort_max_procs(0) == n);
}

TEST(the_quota_at_the_start)
{
    gort_machine machine;
    CHECK_EQ(gort_max_procs(0), 3);
    gort_read_machine(&machine);
    CHECK_EQ(machine.cpus, 6);
    CHECK_EQ((int)(machine.cpu_quota * 1000), 3000);
}

TEST(a_change_of_the_quota)
{
    file_put("cg/pod/app/cpu.max", "450000 100000\n"); // what is left of a CPU counts as one
    ps_become(5);
    file_put("cg/pod/app/cpu.max", "50000 100000\n"); // 2 at least
    ps_become(2);
    file_put("cg/pod/app/cpu.max", "max 100000\n");
    ps_become(6);
}

TEST(a_group_above)
{
    file_put("cg/pod/cpu.max", "400000 100000\n");
    ps_become(4);
    file_put("membership", "0::/other\n"); // the process was moved to another group
    ps_become(6);
}

TEST(the_mask_beside_the_quota)
{
    file_put("membership", "0::/pod/app\n");
    ps_become(4);
    STORE(&cpus, 1);
    ps_become(1);
    STORE(&cpus, 6);
    ps_become(4);
}

// Goroutines that call and that compute, on whatever Ps there are.
static bool over; // atomic
static gort_waitgroup left;

static void work(void *calls)
{
    while (!LOAD(&over))
        if (calls != NULL) gort_yield();
    gort_waitgroup_done(&left);
}

static int main_goroutine(int argc, char **argv)
{
    (void)argc, (void)argv;
    RUN(the_quota_at_the_start);
    gort_waitgroup_add(&left, 4);
    for (int i = 0; i < 4; i++)
        gort_go(work, i % 2 ? &over : NULL);
    RUN(a_change_of_the_quota);
    RUN(a_group_above);
    RUN(the_mask_beside_the_quota);
    STORE(&over, true);
    gort_waitgroup_wait(&left);
    return 0;
}

int main(int argc, char **argv)
{
    CHECK_EQ(unsetenv("GORTMAXPROCS"), 0);
    make_groups();
    int status = gort_run(main_goroutine, argc, argv);
    remove_groups();
    return status;
}
