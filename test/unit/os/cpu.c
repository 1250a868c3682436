// CPUs, container quotas over made-up hierarchies, limits, random bytes, writing.
//
// SPDX-License-Identifier: BSD-3-Clause
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "os/linux/cgroup.h"
#include "os/os.h"
#include "test.h"

// ---- made-up hierarchies -----------------------------------------------------------------------

static char root[64]; // a temporary folder

static void path_of(char out[512], const char *name)
{
    snprintf(out, 512, "%s/%s", root, name);
}

// Creates root/name with its folders; the text is written without a final line end.
static void file_put(const char *name, const char *text)
{
    char path[512];
    path_of(path, name);
    for (char *p = path + strlen(root) + 1; (p = strchr(p, '/')) != NULL; p++) {
        *p = '\0';
        mkdir(path, 0700);
        *p = '/';
    }
    FILE *f = fopen(path, "w");
    CHECK(f != NULL);
    fputs(text, f);
    fclose(f);
}

static void hierarchy_begin(void)
{
    strcpy(root, "/tmp/gort-cpu-XXXXXX");
    CHECK(mkdtemp(root) != NULL);
}

static uint64_t hierarchy_end(void)
{
    char membership[512], mounts[512], command[128];
    path_of(membership, "membership");
    path_of(mounts, "mounts");
    uint64_t milli = cgroup_milli_cpus(membership, mounts);
    snprintf(command, sizeof command, "rm -rf %s", root);
    CHECK_EQ(system(command), 0);
    return milli;
}

// A line of mountinfo, after one that is something else.
static void mount_put(const char *mounted_root, const char *place, const char *type,
                      const char *super)
{
    char text[1024];
    snprintf(text, sizeof text,
             "22 1 0:21 / /proc rw,nosuid shared:5 - proc proc rw\n"
             "30 22 0:26 %s %s/%s rw,nosuid shared:9 master:1 - %s none rw,%s\n",
             mounted_root, root, place, type, super);
    file_put("mounts", text);
}

TEST(no_hierarchy)
{
    hierarchy_begin();
    CHECK_EQ(hierarchy_end(), 0u);
    hierarchy_begin();
    file_put("membership", "0::/a\n");
    file_put("mounts", "garbage\n\n22 1 0:21 / /proc rw - proc proc rw\n");
    CHECK_EQ(hierarchy_end(), 0u);
}

TEST(version_2)
{
    hierarchy_begin();
    mount_put("/", "cg", "cgroup2", "nsdelegate");
    file_put("membership", "1:name=systemd:/x\n0::/a/b");
    file_put("cg/a/b/cpu.max", "250000 100000\n");
    CHECK_EQ(hierarchy_end(), 2500u);
}

TEST(version_2_smallest_of_the_groups_above)
{
    hierarchy_begin();
    mount_put("/", "cg", "cgroup2", "rw");
    file_put("membership", "0::/a/b/c\n");
    file_put("cg/a/b/c/cpu.max", "max 100000\n");
    file_put("cg/a/b/cpu.max", "400000 100000\n");
    file_put("cg/a/cpu.max", "150000 50000\n");
    CHECK_EQ(hierarchy_end(), 3000u);
}

TEST(version_2_in_a_container)
{
    hierarchy_begin(); // the path starts with the part that is mounted
    mount_put("/docker/1234", "cg", "cgroup2", "rw");
    file_put("membership", "0::/docker/1234/app\n");
    file_put("cg/app/cpu.max", "50000 100000\n");
    CHECK_EQ(hierarchy_end(), 500u);
    hierarchy_begin(); // the path lies outside of what is mounted: its root counts
    mount_put("/docker/1234", "cg", "cgroup2", "rw");
    file_put("membership", "0::/docker/12345/app\n");
    file_put("cg/cpu.max", "700000 100000\n");
    CHECK_EQ(hierarchy_end(), 7000u);
    hierarchy_begin(); // namespaces write paths above their root
    mount_put("/", "cg", "cgroup2", "rw");
    file_put("membership", "0::/../../other\n");
    file_put("cg/cpu.max", "700000 100000\n");
    CHECK_EQ(hierarchy_end(), 7000u);
}

TEST(version_1)
{
    hierarchy_begin();
    mount_put("/", "cg\\040one", "cgroup", "cpu,cpuacct");
    file_put("membership", "5:memory:/m\n4:cpuset:/s\n3:cpuacct,cpu:/a/b\n0::/z\n");
    file_put("cg one/a/b/cpu.cfs_quota_us", "-1\n");
    file_put("cg one/a/b/cpu.cfs_period_us", "100000\n");
    file_put("cg one/a/cpu.cfs_quota_us", "120000\n");
    file_put("cg one/a/cpu.cfs_period_us", "100000\n");
    CHECK_EQ(hierarchy_end(), 1200u);
}

TEST(nonsense_is_no_quota)
{
    static const char *texts[] = { "",           "\n",          "max\n",
                                   "x 100000\n", "100000\n",    "100000 0\n",
                                   "0 100000\n", "-5 100000\n", "99999999999999999999999 1\n" };
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        hierarchy_begin();
        mount_put("/", "cg", "cgroup2", "rw");
        file_put("membership", "0::/\n");
        file_put("cg/cpu.max", texts[i]);
        CHECK_EQ(hierarchy_end(), 0u);
    }
}

TEST(long_lines_are_skipped)
{
    static char line[10000];
    memset(line, 'x', sizeof line - 2);
    line[sizeof line - 2] = '\n';
    hierarchy_begin();
    mount_put("/", "cg", "cgroup2", "rw");
    char membership[512];
    path_of(membership, "membership");
    file_put("membership", line);
    FILE *f = fopen(membership, "a");
    fputs("0::/a\n", f);
    fclose(f);
    file_put("cg/a/cpu.max", "200000 100000\n");
    CHECK_EQ(hierarchy_end(), 2000u);
}

// ---- the real machine --------------------------------------------------------------------------

TEST(this_machine)
{
    cpu_set_t set, one;
    int cpus = os_cpu_count(), quota = os_cpu_quota();
    CHECK_EQ(sched_getaffinity(0, sizeof set, &set), 0);
    CHECK_EQ(cpus, CPU_COUNT(&set));
    CHECK(quota == 0 || quota >= 2);
    CPU_ZERO(&one);
    for (int i = 0; i < CPU_SETSIZE && CPU_COUNT(&one) == 0; i++)
        if (CPU_ISSET(i, &set)) CPU_SET(i, &one);
    CHECK_EQ(sched_setaffinity(0, sizeof one, &one), 0);
    CHECK_EQ(os_cpu_count(), 1);
    CHECK_EQ(sched_setaffinity(0, sizeof set, &set), 0);
}

TEST(limits)
{
    struct rlimit stack;
    CHECK_EQ(getrlimit(RLIMIT_STACK, &stack), 0);
    CHECK_EQ(os_stack_limit(), (uint64_t)stack.rlim_cur);
    CHECK_GT(os_address_space_limit(), 0u);
}

TEST(random_bytes)
{
    unsigned char a[1000] = { 0 }, b[1000] = { 0 };
    int zeros = 0;
    os_random_bytes(a, sizeof a);
    os_random_bytes(b, sizeof b);
    CHECK(memcmp(a, b, sizeof a) != 0);
    for (size_t i = 0; i < sizeof a; i++)
        zeros += a[i] == 0;
    CHECK_LT(zeros, 30);
    os_random_bytes(a, 0);
}

static int write_ends[2];

static void *write_much(void *arg)
{
    static char text[300000];
    (void)arg;
    memset(text, 'y', sizeof text);
    os_write(write_ends[1], text, sizeof text);
    close(write_ends[1]);
    return NULL;
}

TEST(write_writes_all)
{
    pthread_t thread;
    char part[4096];
    size_t total = 0;
    ssize_t n;
    errno = 99;
    os_write(-1, "x", 1);
    CHECK_EQ(errno, 99);
    CHECK_EQ(pipe(write_ends), 0);
    CHECK_EQ(pthread_create(&thread, NULL, write_much, NULL), 0);
    while ((n = read(write_ends[0], part, sizeof part)) > 0)
        total += (size_t)n;
    pthread_join(thread, NULL);
    CHECK_EQ(total, 300000u);
}

int main(void)
{
    RUN(no_hierarchy);
    RUN(version_2);
    RUN(version_2_smallest_of_the_groups_above);
    RUN(version_2_in_a_container);
    RUN(version_1);
    RUN(nonsense_is_no_quota);
    RUN(long_lines_are_skipped);
    RUN(this_machine);
    RUN(limits);
    RUN(random_bytes);
    RUN(write_writes_all);
    return 0;
}
