#!/usr/bin/env bash
# The public headers, judged by compilers alone: every declaration is used by the surface test, what
# must compile does so without a warning, and what must not compile does not. As C11 and C++17, by
# gcc and clang, with and without optimization.
# TEST skip=asan,ubsan,tsan,coverage,clang timeout=700
#
# SPDX-License-Identifier: BSD-3-Clause
set -euo pipefail

cd "$GORT_SOURCE_DIR"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failed=0
languages=("gcc -x c -std=c11" "clang -x c -std=c11" "g++ -x c++ -std=c++17" "clang++ -x c++ -std=c++17")
warnings=(-Wall -Wextra -Wshadow -pedantic -Werror)

fail() {
    echo "$*" >&2
    failed=1
}

# ---- every public name occurs in the surface test

names=$(cat include/gort.h include/gort/*.h |
    grep -oE '^(GORT_API .*|#define |static inline .*)\b(gort_[a-z_]+)\(' |
    grep -oE 'gort_[a-z_]+\($' | tr -d '(' | sort -u |
    grep -vE '_raw$|_at$|_slow$|_$|^gort_errno_location$|^gort_ranges_|^gort_store_pointer$')
[ "$(wc -l <<<"$names")" -ge 80 ] || fail "found only $(wc -l <<<"$names") public functions"
types=$(grep -ohE '^\} gort_[a-z_]+;|^typedef .* gort_[a-z_]+;' include/gort/*.h |
    grep -oE 'gort_[a-z_]+;$' | tr -d ';' | grep -v '_$' | sort -u)
for name in $names $types; do
    # An enumeration's and a global's type is used through its values.
    case $name in gort_metric_kind) continue ;; esac
    grep -qE "\b$name\b" test/api/api_surface.h || fail "test/api/api_surface.h does not use $name"
done

# ---- the surface test compiles, and leaves no reference to a descriptor that nobody wrote

for language in "${languages[@]}"; do
    source=test/api/api_surface.c
    case $language in *c++*) source=test/api/api_surface.cc ;; esac
    for level in -O0 -O2 "-O2 -fPIC"; do
        # shellcheck disable=SC2086
        $language $level -g -D_GNU_SOURCE "${warnings[@]}" -Iinclude -Itest -c $source \
            -o "$work/surface.o" || fail "$source does not compile by: $language $level"
        if nm -u "$work/surface.o" | grep -E 'gort_(type|plain|runs|desc)_'; then
            fail "undefined descriptors by: $language $level"
        fi
    done
done

# ---- pairs: the first compiles without a warning, the second does not compile

cat >"$work/prelude.h" <<'END'
#include <gort.h>
#include <assert.h>
typedef struct node { struct node *next; const char *text; char c; int n; } node;
GORT_TYPE(node, next, text);
typedef struct other { int x; } other;
GORT_TYPE(other);
typedef struct __attribute__((packed)) tight { void *p; char c; } tight;
typedef struct __attribute__((packed)) shifted { char c; void *p; } shifted;
typedef struct loose { void *p; char c; } loose;
typedef struct fixed { void *p; void *rest[2]; } fixed;
typedef struct named { void *p; unsigned bits : 3; } named;
typedef struct manifold { int d[2][2][2], e[2][2][2][2]; other o; struct manifold *m; node *n; } manifold;
typedef gort_slice(int) int_slice;
typedef gort_map(int, double) int_map;
typedef gort_chan(int) int_chan;
typedef other *other_ref;
struct never;
extern gort_chan(int) ints;
extern gort_chan(node *) nodes;
extern gort_chan(other) others;
extern gort_chan(const char *) texts;
extern gort_chan(char *) writable;
extern gort_chan(void (*)(int)) functions;
extern gort_chan(struct never) nevers;
extern gort_chan(double) *chan_slot;
extern node *n, **slot;
extern const node *constant;
extern other *o;
extern char *chars;
extern const char *const_chars;
extern void (*function)(int), (*wrong_function)(char *);
extern int i, *ip;
extern long l, *lp;
extern void *any;
extern node *const frozen;
extern gort_case one;
END

count=0
# both <good> <bad>: in C and C++, inside a function.  c_only: in C.  file, c_file: outside functions.
pair() {
    local where=$1 good=$2 bad=$3 which code language suffix
    for language in "${languages[@]}"; do
        case $where,$language in c_*,*c++*) continue ;; esac
        for which in good bad; do
            code=$good
            [ $which = good ] || code=$bad
            count=$((count + 1))
            {
                echo '#include "prelude.h"'
                if [[ $where == *file ]]; then
                    echo "$code"
                else
                    printf 'void f(void);\nvoid f(void)\n{\n    %s\n}\n' "$code"
                fi
            } >"$work/$count.in"
            suffix="-I$work -Iinclude -fsyntax-only"
            # shellcheck disable=SC2086
            if [ $which = good ]; then
                $language "${warnings[@]}" $suffix "$work/$count.in" >"$work/out" 2>&1 ||
                    fail "should compile by $language: $code"$'\n'"$(head -5 "$work/out")"
            else
                $language $suffix "$work/$count.in" >/dev/null 2>&1 &&
                    fail "should not compile by $language: $code"
            fi
        done
    done
    return 0
}

both() { pair both "$1" "$2"; }

both 'gort_send(ints, 1L);' 'gort_send(ints, &i);'
both 'gort_send(nodes, n);' 'gort_send(nodes, o);'
both 'gort_send(nodes, NULL);' 'gort_send(nodes, 5);'
both 'gort_send(nodes, n);' 'gort_send(nodes, constant);'
both 'gort_send(texts, chars);' 'gort_send(writable, const_chars);'
both 'gort_send(others, *o);' 'gort_send(others, *n);'
both 'gort_send(functions, function);' 'gort_send(functions, wrong_function);'
both 'gort_close(nevers);' 'gort_recv(nevers, o);'
both 'i = gort_try_send(nodes, n);' 'i = gort_try_send(nodes, o);'
both 'gort_recv(ints, ip);' 'gort_recv(ints, lp);'
both 'gort_recv(ints, NULL);' 'gort_recv(ints, 5);'
both 'gort_recv(nodes, slot);' 'gort_recv(nodes, n);'
both 'i = gort_try_recv(nodes, slot);' 'i = gort_try_recv(nodes, &o);'
both 'assert(gort_recv(ints, ip));' 'assert(gort_recv(ints, lp));'
both 'gort_send(ints, gort_recv(ints, ip));' 'gort_send(ints, gort_recv(ints, lp));'
both 'gort_close(ints);' 'gort_close(ip);'
both 'gort_close(ints);' 'gort_close(any);'
both 'i = (int)gort_chan_len(ints);' 'i = (int)gort_chan_len(slot);'
both 'i = (int)gort_chan_cap(ints);' 'i = (int)gort_chan_cap(n);'
both 'gort_send(ints, 1);' 'gort_send(slot, 1);'
both 'gort_chan(int) c = gort_chan_make(int, 3); gort_close(c);' 'gort_chan(int) c = gort_chan_make(struct never, 3); gort_close(c);'
both 'gort_chan(int) c = ints, d = c; gort_close(d);' 'gort_send(gort_chan_make(int, 1), n);'
both 'one = gort_on_recv(ints, ip);' 'one = gort_on_recv(ints, lp);'
both 'one = gort_on_recv(ints, NULL);' 'one = gort_on_recv(ip, NULL);'
both 'one = gort_on_send(ints, ip);' 'one = gort_on_send(ints, lp);'
both 'gort_case c[] = { gort_on_send(nodes, &n) }; one = c[0];' 'gort_case c[] = { gort_on_send(nodes, n) }; one = c[0];'

both 'gort_set(slot, n);' 'gort_set(slot, o);'
both 'gort_set(slot, NULL);' 'gort_set(slot, 1);'
both 'gort_set(slot, 0);' 'gort_set(&i, 0);'
both 'gort_set(&constant, n);' 'gort_set(&n, constant);'
both 'gort_set(&any, n);' 'gort_set(&any, i);'
both 'gort_set(&function, NULL);' 'gort_set(&function, wrong_function);'
both 'gort_set(&ints, gort_chan_make(int, 1));' 'gort_set(&ints, gort_chan_make(long, 1));'
both 'gort_set(chan_slot, NULL);' 'gort_set(chan_slot, ints);'
both 'gort_set(&n->next, n);' 'gort_set(&n->n, 1);'
both 'gort_set(slot, n);' 'gort_set(n, n);'
both 'gort_set(slot, frozen);' 'gort_set(&frozen, n);'
both 'n = gort_exchange(slot, frozen);' 'n = gort_exchange(&frozen, n);'
both 'gort_init(slot, n);' 'gort_init(slot, o);'
both 'gort_init(slot, frozen);' 'gort_init(&frozen, n);'
both 'n = gort_load(&frozen);' 'n = gort_load(&i);'
both 'gort_init(slot, n);' 'gort_init(&l, 1);'
both 'n = gort_load(slot);' 'l = gort_load(&l);'
both 'n = gort_exchange(slot, n);' 'n = gort_exchange(slot, o);'
both 'n = gort_exchange(slot, NULL);' 'l = gort_exchange(&l, 3);'
both 'i = gort_compare_exchange(slot, &n, n);' 'i = gort_compare_exchange(slot, &n, o);'
both 'i = gort_compare_exchange(slot, &n, n);' 'i = gort_compare_exchange(slot, &o, n);'
both 'gort_copy(node, n, constant, 1);' 'gort_copy(node, o, n, 1);'
both 'gort_copy(node, n, n, 1);' 'gort_copy(node, n, o, 1);'
both 'gort_clear(node, n, 1);' 'gort_clear(node, o, 1);'
both 'n = gort_new(node);' 'n = gort_new(never_typed);'
pair c_only 'extern int e[]; (void)e; n = gort_new(node);' \
    'n = gort_new(loose);
}
GORT_TYPE(loose, p);
void g(void) {'

file() { pair file "$1" "$2"; }
c_file() { pair c_file "$1" "$2"; }
file 'GORT_TYPE(loose, p);' 'GORT_TYPE(tight, p);'
file 'GORT_TYPE(loose);' 'GORT_TYPE(shifted, p);'
file 'GORT_TYPE(loose, p);' 'GORT_TYPE(loose, c);'
file 'GORT_TYPE(fixed, p, rest);' 'GORT_TYPE(fixed, p, missing);'
file 'GORT_TYPE(fixed, p, rest[1]);' 'GORT_TYPE(node);'
file 'GORT_TYPE(named, p);' 'GORT_TYPE(named, bits);'
file 'typedef struct half { int a, b; void *p; } half; GORT_TYPE(half, p);' \
    'typedef struct half { int a, b; void *p; } half; GORT_TYPE(half, b);'
file 'struct never { int complete; }; typedef struct never never; GORT_TYPE(never);' \
    'typedef struct never never; GORT_TYPE(never);'

file 'GORT_STRUCT(loose, p, c);' 'GORT_STRUCT(tight, p, c);'
file 'GORT_STRUCT(shifted, c);' 'GORT_STRUCT(shifted, c, p);'
file 'GORT_STRUCT(fixed, p, rest);' 'GORT_STRUCT(fixed, p, missing);'
file 'GORT_STRUCT(named, p);' 'GORT_STRUCT(named, p, bits);'
file 'GORT_STRUCT(manifold, d);' 'GORT_STRUCT(manifold, e);'
file 'GORT_STRUCT(manifold, (d, int), (o, other), (m, manifold), (n, node));' \
    'GORT_STRUCT(manifold, (d, long));'
file 'GORT_STRUCT(manifold, (o, other));' 'GORT_STRUCT(manifold, (o, node));'
file 'GORT_STRUCT(manifold, (m, manifold));' 'GORT_STRUCT(manifold, (m, node));'
file 'GORT_STRUCT(manifold, (n, gort_func));' 'GORT_STRUCT(manifold, (o, gort_func));'
c_file 'typedef struct flex { void *p; __extension__ int rest[]; } flex; GORT_STRUCT(flex, p);' \
    'typedef struct flex { void *p; __extension__ int rest[]; } flex; GORT_STRUCT(flex, p, rest);'
file 'GORT_SLICE(int_slice, int);' 'GORT_SLICE(int_slice, long);'
file 'GORT_MAP(int_map, int, double);' 'GORT_MAP(int_map, double, int);'
file 'GORT_CHAN(int_chan, int);' 'GORT_CHAN(int_chan, long);'
file 'GORT_POINTER(other_ref, other);' 'GORT_POINTER(other_ref, node);'
file 'GORT_FORWARD(loose); GORT_STRUCT(fixed, p); GORT_STRUCT(loose, c);' 'GORT_FORWARD(missing);'
both 'o = gort_any_get(other_ref, gort_any_make(other_ref, o));' \
    'o = gort_any_get(other_ref, gort_any_make(other_ref, n));'
both 'i = gort_any_as(int, gort_any_make(int, 1), ip);' 'i = gort_any_as(int, gort_any_make(int, 1), lp);'

# 64 fields, and the mask, extent and runs of types at the edges of a mask.
fields=$(printf ', f%d' $(seq 64))
declarators=$(printf ', *f%d' $(seq 64))
wide="typedef struct wide { void ${declarators#, }; } wide; GORT_TYPE(wide$fields);"
wide+=" typedef struct told { void ${declarators#, }; } told; GORT_STRUCT(told$fields);"
cat >"$work/edges.h" <<'END'
typedef struct full { void *all[64]; } full;
GORT_TYPE(full, all);
typedef struct over { char first[1024]; void *p; long rest[7]; } over;
GORT_TYPE(over, p);
typedef struct last { char first[504]; void *p; } last;
GORT_TYPE(last, p);
int main(void)
{
    int bad = 0;
    bad |= gort_type_wide[0].nruns != 64 || gort_type_wide[0].mask != ~(uint64_t)0;
    bad |= gort_type_wide[0].runs[63].offset != 63 * sizeof(void *);
    bad |= gort_type_told[0].nruns != 64 || gort_type_told[0].mask != ~(uint64_t)0;
    bad |= gort_type_told[0].count != 64 || gort_type_told[0].fields[63].offset != 504;
    bad |= gort_type_full[0].nruns != 1 || gort_type_full[0].mask != ~(uint64_t)0;
    bad |= gort_type_over[0].mask != 0 || gort_type_over[0].ptrdata != 1024 + sizeof(void *);
    bad |= gort_type_over[0].runs[0].offset != 1024 || gort_type_over[0].size != sizeof(over);
    bad |= gort_type_last[0].mask != (uint64_t)1 << 63 || gort_type_last[0].ptrdata != 512;
    return bad;
}
END
{
    printf '#include <gort/reflect.h>\n%s\n' "$wide"
    cat "$work/edges.h"
} >"$work/edges.in"
for language in "${languages[@]}"; do
    # shellcheck disable=SC2086
    $language "${warnings[@]}" -Iinclude "$work/edges.in" -o "$work/edges" &&
        "$work/edges" || fail "descriptors of large types are wrong by $language"
done

# ---- a header of the system, as after installation, checks as strictly

printf '#include "prelude.h"\nvoid f(void)\n{\n    gort_send(nodes, o);\n}\n' >"$work/system.c"
for cc in gcc clang; do
    if $cc -std=gnu11 -isystem include -I"$work" -fsyntax-only "$work/system.c" 2>/dev/null; then
        fail "a wrong element compiles by $cc when the headers are the system's"
    fi
done

exit $failed
