// Names of functions: static, global, in the C library; addresses that are none.
//
// SPDX-License-Identifier: BSD-3-Clause
#include "diag/symbols.h"

#include "test.h"

int main(void);

#define NOINLINE __attribute__((noinline))

NOINLINE static int a_static_function(int n)
{
    __asm__ volatile("" : "+r"(n));
    return n + 1;
}

int a_global_function(int n);
NOINLINE int a_global_function(int n)
{
    __asm__ volatile("" : "+r"(n));
    return n + 2;
}

static const struct symbol *at(uintptr_t address)
{
    CHECK(symbols_begin());
    const struct symbol *s = symbol_at(address);
    symbols_end();
    return s;
}

TEST(names_static_and_global_functions)
{
    CHECK_STR_EQ(at((uintptr_t)a_static_function)->name, "a_static_function");
    CHECK_STR_EQ(at((uintptr_t)a_static_function + 1)->name, "a_static_function");
    CHECK_STR_EQ(at((uintptr_t)a_static_function)->file, "symbols");
    CHECK_STR_EQ(at((uintptr_t)a_global_function)->name, "a_global_function");
    CHECK_STR_EQ(at((uintptr_t)main)->name, "main");
}

// The C library exports some names for one address; any of them will do.
TEST(names_functions_of_other_files)
{
    const struct symbol *s = at((uintptr_t)strtoull);
    CHECK_STR_HAS(s->file, "libc");
    CHECK_STR_HAS(s->name, "strto");
    CHECK(s->offset != 0);
}

TEST(what_is_no_function_has_no_name)
{
    int local = 0;
    CHECK_STR_EQ(at(0)->name, "");
    CHECK_STR_EQ(at(1)->name, "");
    CHECK_STR_EQ(at(UINT64_MAX)->name, "");
    CHECK_STR_EQ(at((uintptr_t)&local)->name, "");
    CHECK_STR_EQ(at((uintptr_t)&local)->file, "[stack]");
}

TEST(code_is_told_from_data)
{
    static int data;
    CHECK(symbols_begin());
    CHECK(symbol_is_code((uintptr_t)main));
    CHECK(!symbol_is_code((uintptr_t)&data));
    CHECK(!symbol_is_code(0));
    symbols_end();
}

TEST(one_user_at_a_time)
{
    CHECK(symbols_begin());
    CHECK(!symbols_begin());
    symbols_end();
    CHECK(symbols_begin());
    symbols_end();
}

TEST(the_cache_answers_the_same)
{
    for (int i = 0; i < 1000; i++) {
        CHECK_STR_EQ(at((uintptr_t)a_static_function + (unsigned)i % 4)->name, "a_static_function");
        CHECK_STR_EQ(at((uintptr_t)a_global_function + (unsigned)i % 4)->name, "a_global_function");
    }
}

int main(void)
{
    CHECK_EQ(a_static_function(1) + a_global_function(1), 5);
    RUN(names_static_and_global_functions);
    RUN(names_functions_of_other_files);
    RUN(what_is_no_function_has_no_name);
    RUN(code_is_told_from_data);
    RUN(one_user_at_a_time);
    RUN(the_cache_answers_the_same);
    return 0;
}
