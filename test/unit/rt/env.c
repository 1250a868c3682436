// Parsing of the environment: every variable, good and bad values, and what errors say.
//
// SPDX-License-Identifier: BSD-3-Clause
#include "rt/env.h"

#include "test.h"

static const char *variable, *setting; // what the environment of a test holds

static const char *get(const char *name)
{
    return variable != NULL && strcmp(name, variable) == 0 ? setting : NULL;
}

static struct env e;
static char error[1024];

static bool parse(const char *name, const char *value)
{
    variable = name;
    setting = value;
    memset(error, 0, sizeof error);
    return env_parse(&e, get, error, sizeof error);
}

static void bad(const char *name, const char *value, const char *allowed)
{
    CHECK(!parse(name, value));
    CHECK_STR_HAS(error, name);
    CHECK_STR_HAS(error, value);
    CHECK_STR_HAS(error, allowed);
    CHECK(strchr(error, '\n') == NULL);
}

TEST(defaults)
{
    CHECK(parse(NULL, NULL));
    CHECK_EQ(e.gc_percent, 100);
    CHECK_EQ(e.traceback, TRACEBACK_SINGLE);
    CHECK(!e.procs_given);
    CHECK(!e.seed_given);
    CHECK_EQ(e.gcstress, 0);
}

TEST(percent)
{
    CHECK(parse("GORTGC", "0"));
    CHECK_EQ(e.gc_percent, 0);
    CHECK(parse("GORTGC", "2147483647"));
    CHECK_EQ(e.gc_percent, 2147483647);
    CHECK(parse("GORTGC", "off"));
    CHECK_LT(e.gc_percent, 0);
    CHECK(parse("GORTGC", ""));
    CHECK_EQ(e.gc_percent, 100);
    static const char *const wrong[] = {
        "2147483648", "-1", "+1", " 1", "1 ", "1.5", "OFF", "0x10"
    };
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        bad("GORTGC", wrong[i], "percentage");
}

TEST(memory_limit)
{
    static const struct {
        const char *text;
        uint64_t bytes;
    } good[] = {
        { "0", 0 },
        { "1", 1 },
        { "1B", 1 },
        { "64KiB", 64 * KB },
        { "64MiB", 64 * MB },
        { "2GiB", 2 * GB },
        { "1TiB", 1024 * GB },
        { "9223372036854775806", INT64_MAX - 1 },
        { "8388607TiB", UINT64_C(8388607) << 40 },
        { "9223372036854775807", UINT64_MAX }, // as gort_set_memory_limit: none
        { "off", UINT64_MAX },
        { "", UINT64_MAX },
    };
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        CHECK(parse("GORTMEMLIMIT", good[i].text));
        CHECK_EQ(e.memory_limit, good[i].bytes);
    }
    static const char *const wrong[] = { "GiB", "1.5GiB",  "1gib",
                                         "1KB", "1K",      "-1",
                                         "OFF", "1GiBB",   "9223372036854775808",
                                         " 1",  "0x10MiB", "8388608TiB" };
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        bad("GORTMEMLIMIT", wrong[i], "expected a number of bytes");
    CHECK(parse("GORTDEBUG", "scavtrace=1,scavstress=3"));
    CHECK_EQ(e.scavtrace, 1);
    CHECK_EQ(e.scavstress, 3);
}

TEST(procs)
{
    CHECK(parse("GORTMAXPROCS", "256"));
    CHECK_EQ(e.procs, 256);
    CHECK(e.procs_given);
    bad("GORTMAXPROCS", "0", "from 1 to 256");
    bad("GORTMAXPROCS", "257", "from 1 to 256");
    bad("GORTMAXPROCS", "two", "from 1 to 256");
    bad("GORTMAXPROCS", "18446744073709551617", "from 1 to 256");
}

TEST(traceback)
{
    CHECK(parse("GORTTRACEBACK", "none"));
    CHECK_EQ(e.traceback, TRACEBACK_NONE);
    CHECK(parse("GORTTRACEBACK", "crash"));
    CHECK_EQ(e.traceback, TRACEBACK_CRASH);
    bad("GORTTRACEBACK", "2", "none, single, all, system or crash");
    bad("GORTTRACEBACK", "singles", "none, single");
    bad("GORTTRACEBACK", "sing", "none, single");
}

TEST(debug)
{
    CHECK(parse("GORTDEBUG", "gcstress=7,,migrate=1,seed=18446744073709551615,"));
    CHECK_EQ(e.gcstress, 7);
    CHECK_EQ(e.migrate, 1);
    CHECK(e.seed == UINT64_MAX && e.seed_given);
    CHECK(parse("GORTDEBUG", "gcstress=7,gcstress=0"));
    CHECK_EQ(e.gcstress, 0);
    CHECK(parse("GORTDEBUG", "seed=0"));
    CHECK(e.seed == 0 && e.seed_given);
    CHECK(parse("GORTDEBUG", "stopsignal=12"));
    CHECK_EQ(e.stopsignal, 12);
    bad("GORTDEBUG", "gcstress", "gcstress=N");
    bad("GORTDEBUG", "gcstress=", "gcstress=N");
    bad("GORTDEBUG", "=1", "is not one of");
    bad("GORTDEBUG", "migrate=3", "migrate=N with N a whole number from 0 to 2");
    bad("GORTDEBUG", "seed=18446744073709551616", "from 0 to 18446744073709551615");
    bad("GORTDEBUG", "gctraces=1", "gctrace");
    bad("GORTDEBUG", "stopsignal=0", "from 1 to 64");
    bad("GORTDEBUG", "stopsignal=11", "neither faults");
}

TEST(long_values_do_not_overflow_the_message)
{
    static char value[5000];
    memset(value, 'x', sizeof value - 1);
    CHECK(!parse("GORTDEBUG", value));
    CHECK_EQ(strlen(error), sizeof error - 1);
    CHECK(!parse("GORTGC", value));
    CHECK_EQ(strlen(error), sizeof error - 1);
}

TEST(profile)
{
    CHECK(parse(NULL, NULL));
    CHECK(e.mem_profile == NULL && !e.profilerate_given);
    CHECK(parse("GORTMEMPROFILE", "/tmp/x y"));
    CHECK_STR_HAS(e.mem_profile, "/tmp/x y");
    CHECK(parse("GORTMEMPROFILE", ""));
    CHECK(e.mem_profile == NULL);
    CHECK(parse("GORTDEBUG", "memprofilerate=0"));
    CHECK(e.profilerate_given && e.profilerate == 0);
    CHECK(parse("GORTDEBUG", "memprofilerate=9223372036854775807"));
    CHECK_EQ(e.profilerate, INT64_MAX);
    bad("GORTDEBUG", "memprofilerate=9223372036854775808", "memprofilerate=N");
    bad("GORTDEBUG", "memprofilerate=-1", "memprofilerate=N");
    bad("GORTDEBUG", "memprofilerate", "memprofilerate=N");
}

int main(void)
{
    RUN(defaults);
    RUN(percent);
    RUN(memory_limit);
    RUN(procs);
    RUN(traceback);
    RUN(debug);
    RUN(long_values_do_not_overflow_the_message);
    RUN(profile);
    return 0;
}
