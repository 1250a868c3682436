#!/usr/bin/env bash
# A library that was compiled with gort.h stays in memory when it is closed, since objects name its types
# and stops know its code: whether the program has gort, or the library brought it along. Of the files
# of a program or library one tells the runtime of it, not each.
#
# TEST skip=asan,ubsan,tsan,coverage
#
# SPDX-License-Identifier: BSD-3-Clause
set -euo pipefail

build=$1
include=$GORT_SOURCE_DIR/include
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
flags=(-O2 -g -D_GNU_SOURCE -fstack-clash-protection "-I$include")

# ---- objects outlive the library's handle

cat >"$work/types.c" <<'END'
#include <gort.h>
typedef struct large { void *p[100]; int n; } large; /* above 512 bytes an object names its type */
GORT_TYPE(large, p);
void *make(void);
void *make(void)
{
    large *l = gort_new(large);
    gort_set(&l->p[3], (void *)gort_new(int));
    return l;
}
END

cat >"$work/program.c" <<'END'
#include <dlfcn.h>
#include <gort.h>
#include <stdio.h>
#include <stdlib.h>

static void *kept;

static int run(int argc, char **argv)
{
    (void)argc;
    for (int i = 0; i < 20; i++) {
        void *h = dlopen(argv[1], RTLD_NOW);
        if (h == NULL) gort_panic("%s", dlerror());
        void *(*make)(void) = (void *(*)(void))dlsym(h, "make");
        gort_set(&kept, make());
        if (dlclose(h) != 0) gort_panic("%s", dlerror());
        gort_gc();
    }
    void *h = dlopen(argv[1], RTLD_NOW | RTLD_NOLOAD);
    printf(h != NULL ? "stays\n" : "gone\n");
    return 0;
}

int main(int argc, char **argv)
{
    return gort_run(run, argc, argv);
}
END

"$CC" "${flags[@]}" -shared -fPIC "$work/types.c" -o "$work/types.so"
"$CC" "${flags[@]}" "$work/program.c" -o "$work/program" -L"$build" -lgort "-Wl,-rpath,$build" -ldl
stays() {
    local got
    got=$(timeout 100 "$work/program" "$1")
    [ "$got" = stays ] || { echo "$2: '$got'"; exit 1; }
}
stays "$work/types.so" "a library"

# ---- a library whose first file was compiled as one of a program, which the linker lets pass

printf '#include <gort.h>\n' >"$work/plain.c"
"$CC" "${flags[@]}" -c -fPIE "$work/plain.c" -o "$work/plain.o"
"$CC" "${flags[@]}" -shared -fPIC "$work/plain.o" "$work/types.c" -o "$work/mixed.so"
stays "$work/mixed.so" "a library whose first file is compiled by -fPIE"

# ---- the runtime itself is in the library

cat >"$work/engine.c" <<'END'
#include <gort.h>
static int run(int argc, char **argv)
{
    (void)argv;
    gort_gc();
    gort_sleep(argc * GORT_MS);
    return 7;
}
int start(void);
int start(void)
{
    return gort_run(run, 1, NULL);
}
END

cat >"$work/host.c" <<'END'
#include <dlfcn.h>
#include <stdio.h>
#include <unistd.h>
int main(int argc, char **argv)
{
    void *h = argc == 2 ? dlopen(argv[1], RTLD_NOW) : NULL;
    if (h == NULL) return 1;
    int (*start)(void) = (int (*)(void))dlsym(h, "start");
    int result = start();
    if (dlclose(h) != 0) return 2;
    usleep(20000); /* the runtime's threads are where they were */
    return result != 7;
}
END

"$CC" "${flags[@]}" -shared -fPIC "$work/engine.c" "$build/libgort.a" -o "$work/engine.so" -lpthread -lm
"$CC" -O2 "$work/host.c" -o "$work/host" -ldl
timeout 100 "$work/host" "$work/engine.so"

# ---- one registration for all files

cat >"$work/count.c" <<'END'
#include <gort/inline.h>
#include <stdio.h>
__thread struct gort_tls_block gort_tls __attribute__((tls_model("initial-exec")));
unsigned char gort_barrier_flag;
void *slot;
static int registered, kept;
void gort_ranges_register(const struct gort_range *first, const struct gort_range *last)
{
    registered += first < last;
}
void gort_library_keep_(const void *at) { kept += at != NULL; }
void gort_store_pointer_slow(void **at, void *value) { *at = value; }
void more1(void), more2(void);
int main(void)
{
    gort_store_pointer(&slot, &slot);
    more1();
    more2();
    printf("%d %d\n", registered, kept);
    return 0;
}
END
for i in 1 2; do
    printf '#include <gort/inline.h>\nextern void *slot;\nvoid more%d(void);\nvoid more%d(void) { gort_store_pointer(&slot, 0); }\n' \
        $i $i >"$work/more$i.c"
done
for pic in "-fPIE -pie" "-fno-pie -no-pie" -fPIC; do
    want="1 1"
    [ "$pic" != "-fno-pie -no-pie" ] || want="1 0" # that is no library
    # shellcheck disable=SC2086
    "$CC" -O2 $pic "-I$include" "$work/count.c" "$work/more1.c" "$work/more2.c" -o "$work/count"
    got=$("$work/count")
    [ "$got" = "$want" ] || { echo "$pic: '$got' registrations and libraries kept, not '$want'"; exit 1; }
done
