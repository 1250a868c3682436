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

TEST(memory_limit_is_refused_clearly)
{
    static const char *const good[] = {
        "1", "1B", "64KiB", "64MiB", "2GiB", "1TiB", "9223372036854775807", "8388607TiB"
    };
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
        bad("GORTMEMLIMIT", good[i], "not supported");
    static const char *const wrong[] = {
        "GiB", "1.5GiB", "1gib", "1KB", "1K", "-1", "9223372036854775808", "8388608TiB", "1GiBB"
    };
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        bad("GORTMEMLIMIT", wrong[i], "expected a number of bytes");
    CHECK(parse("GORTMEMLIMIT", "off"));
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
    bad("GORTDEBUG", "migrate=2", "migrate=N with N a whole number from 0 to 1");
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

int main(void)
{
    RUN(defaults);
    RUN(percent);
    RUN(memory_limit_is_refused_clearly);
    RUN(procs);
    RUN(traceback);
    RUN(debug);
    RUN(long_values_do_not_overflow_the_message);
    return 0;
}
