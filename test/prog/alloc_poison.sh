#!/usr/bin/env bash
# A program with AddressSanitizer finds its uses after free and overflows of collected objects by itself:
# at the line, in every kind of slot, with a library that was built with or without it. A program without
# errors runs as ever. With MemorySanitizer a read of freed memory is found where the runtime is there.
#
# TEST skip=tsan,coverage
#
# SPDX-License-Identifier: BSD-3-Clause
set -u

build=$1
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
bad=0
export ASAN_OPTIONS=detect_leaks=0:detect_stack_use_after_return=0

cat >"$dir/p.c" <<'END'
#include <gort.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

typedef struct node {
    struct node *next;
    char pad[25]; // 40 bytes in a slot of 48
} node;
GORT_TYPE(node, next);
typedef struct big {
    struct big *next;
    char pad[1001]; // its layout word is behind it
} big;
GORT_TYPE(big, next);

#define NOINLINE __attribute__((noinline))
static uintptr_t hidden;
static volatile int sink;

NOINLINE static void hide(void *p)
{
    hidden = ~(uintptr_t)p;
    __asm__ volatile("" ::: "memory");
}
NOINLINE static void make_node(void) { hide(gort_new(node)); }
static node *beside[2];
NOINLINE static void make_between(void) // the span stays in use
{
    gort_set(&beside[0], gort_new(node));
    hide(gort_new(node));
    gort_set(&beside[1], gort_new(node));
}
NOINLINE static void make_tiny(void) { hide(gort_alloc_noscan(5)); }
NOINLINE static void make_big(void) { hide(gort_new(big)); }
NOINLINE static void make_large(void) { hide(gort_alloc(100000)); }

static void (*maker)(void);
static void on_goroutine(void *unused)
{
    (void)unused;
    maker();
}
static double count(const char *name)
{
    double v = -1;
    gort_metric_read(name, &v);
    return v;
}
// The goroutine may still be about to end, its stack a root, when it is not counted any more.
static void make_and_lose(void (*fn)(void))
{
    double frees = count("/gc/heap/frees:objects");
    maker = fn;
    gort_go(on_goroutine, NULL);
    for (int i = 0; i < 5000 && count("/gc/heap/frees:objects") == frees; i++) {
        gort_gc();
        gort_sleep(GORT_MS);
    }
}
static char *at(size_t i) { return (char *)~hidden + i; }
#define CASE(name) if (strcmp(what, name) == 0)
static int run(int argc, char **argv)
{
    const char *what = argc > 1 ? argv[1] : "";
    CASE("freed-node") { make_and_lose(make_node); if (*at(9)) sink = 1; } // BAD freed-node
    CASE("freed-between") { make_and_lose(make_between); if (*at(9)) sink = 1; } // BAD freed-between
    CASE("freed-tiny") { make_and_lose(make_tiny); if (*at(0)) sink = 1; } // BAD freed-tiny
    CASE("freed-big") { make_and_lose(make_big); if (*at(500)) sink = 1; } // BAD freed-big
    CASE("freed-large") { make_and_lose(make_large); if (*at(99999)) sink = 1; } // BAD freed-large
    CASE("freed-copy") { make_and_lose(make_big); char c[99]; memcpy(c, at(0), 99); sink = c[7]; } // BAD freed-copy
    CASE("over-node") { hide(gort_new(node)); *at(sizeof(node)) = 1; } // BAD over-node
    CASE("over-tiny") { hide(gort_alloc_noscan(5)); *at(5) = 1; } // BAD over-tiny
    CASE("over-big") { hide(gort_new(big)); *at(sizeof(big)) = 1; } // BAD over-big
    CASE("over-layout") { hide(gort_new(big)); *at(1023) = 1; } // BAD over-layout
    CASE("over-large") { hide(gort_alloc(100000)); *at(100000) = 1; } // BAD over-large
    CASE("blank") { unsigned char *p = gort_alloc_uninit(40); p[0] = 1; if (p[0] == 1 && p[39]) sink = 1; } // BAD blank
    CASE("fine")
    {
        static node *list;
        for (int i = 1; i < 30000; i++) {
            size_t n = (size_t)i * 7 % 3000 + 1;
            memset(gort_alloc(n), 1, n);
            node *x = gort_new(node);
            x->pad[24] = 1;
            gort_set(&x->next, i % 100 == 0 ? NULL : list);
            gort_set(&list, x);
            if (i % 5000 == 0) memset(gort_alloc(200000), 1, 200000), gort_gc();
        }
        gort_set(&list, (node *)NULL);
        gort_gc();
        printf("%s\n", count("/gort/heap/debug/poisoned:objects") > 30000 ? "poisoned" : "plain");
    }
    return 0;
}
int main(int argc, char **argv) { return gort_run(run, argc, argv); }
END

fail() {
    echo "$1"
    head -20 "$dir/out"
    bad=1
}
build_program() { # compiler, sanitizer, output
    "$1" -g -O1 -fsanitize="$2" -fno-omit-frame-pointer -I"$GORT_SOURCE_DIR/include" "$dir/p.c" \
        "$build/libgort.a" -o "$3" -lpthread -lm >"$dir/out" 2>&1
}
# expect_fine <program> <word>: runs through and says so.
expect_fine() {
    timeout 250 "$1" fine >"$dir/out" 2>&1 && grep -qx "$2" "$dir/out" || fail "$1 fine: not $2"
}
# expect_report <program> <case> <pattern>: ends with it, and its first frame in the program is the line.
expect_report() {
    local line
    line=$(grep -n "// BAD $2\$" "$dir/p.c" | cut -d: -f1)
    timeout 250 "$1" "$2" >"$dir/out" 2>&1 && fail "$2: not found"
    grep -q "$3" "$dir/out" || fail "$2: another report"
    grep -Eq "#[0-9]+ .* in run .*p\.c:$line" "$dir/out" || fail "$2: not at line $line"
}

if ! build_program "$CC" address "$dir/asan"; then
    echo "skipped: no AddressSanitizer here"
    exit 77
fi
expect_fine "$dir/asan" poisoned
for c in freed-node freed-between freed-tiny freed-big freed-large freed-copy over-node over-tiny over-big over-layout over-large; do
    expect_report "$dir/asan" $c 'ERROR: AddressSanitizer: use-after-poison'
done
GORTDEBUG=poison=0 expect_fine "$dir/asan" plain
for modes in gcstress=101 gccheck=1,clobberfree=1 efence=1,gccheck=1; do
    GORTDEBUG=$modes expect_fine "$dir/asan" poisoned
done

# Demanded where there is no sanitizer: an error, not nothing. (The sanitized library has one.)
if [ ! -e "$build/CMakeCache.txt" ] || ! grep -q 'GORT_SANITIZE:[A-Z]*=[a-z]' "$build/CMakeCache.txt"; then
    "$CC" -g -O1 -I"$GORT_SOURCE_DIR/include" "$dir/p.c" "$build/libgort.a" -o "$dir/plain" -lpthread -lm
    expect_fine "$dir/plain" plain
    GORTDEBUG=poison=1 "$dir/plain" fine >"$dir/out" 2>&1
    [ $? = 2 ] && grep -q '^fatal error: GORTDEBUG=poison=1: ' "$dir/out" || fail "poison=1 without a sanitizer"

    # clang alone has it. What the library writes is not instrumented, so only the read is tried.
    if build_program clang memory "$dir/msan"; then
        expect_report "$dir/msan" blank 'WARNING: MemorySanitizer: use-of-uninitialized-value'
        expect_report "$dir/msan" freed-big 'WARNING: MemorySanitizer: use-of-uninitialized-value'
    else
        echo "MemorySanitizer: not here"
    fi
fi
exit $bad
