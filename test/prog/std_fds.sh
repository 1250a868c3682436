#!/usr/bin/env bash
# Of the descriptors 0, 1 and 2 that are closed when the program starts none goes to a connection, a file or
# the runtime's own: what is written to standard output and error, reports too, ends nowhere.
#
# TEST skip=asan,ubsan,tsan,coverage
#
# SPDX-License-Identifier: BSD-3-Clause
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

cat >"$work/program.c" <<'END'
#include <fcntl.h>
#include <gort.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static FILE *out;
static int root;

static int run(int argc, char **argv)
{
    (void)argc, (void)argv;
    char address[64], got[64];
    int listener = gort_listen("tcp", "127.0.0.1:0");
    gort_local_addr(listener, address, sizeof address);
    int client = gort_dial("tcp", address, 0), server = gort_accept(listener);
    fprintf(out, "%d\n", listener > 2 && client > 2 && server > 2);
    for (int fd = 0; fd < 3; fd++)
        fprintf(out, "%d ", fcntl(fd, F_GETFL) != -1);
    if (root) fprintf(out, "\n%d ", (int)write(2, "x", 1));
    fflush(out);
    gort_write(server, "sent", 4);
    ssize_t n = gort_read(client, got, sizeof got);
    fprintf(out, "\n%d\n", n == 4 && memcmp(got, "sent", 4) == 0);
    fclose(out);
    gort_panic("to standard error");
}

int main(int argc, char **argv)
{
    int fd = open(argv[1], O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (fd <= 2) {
        int high = fcntl(fd, F_DUPFD_CLOEXEC, 10); /* leaves the low one closed */
        close(fd);
        fd = high;
    }
    out = fdopen(fd, "w");
    root = argc > 2;
    if (root && chroot(argv[2]) != 0) return 77;
    return gort_run(run, argc, argv);
}
END

"$CC" -O2 -g -D_GNU_SOURCE -fstack-clash-protection -I"$GORT_SOURCE_DIR/include" -o "$work/program" \
    "$work/program.c" "$1/libgort.a" -pthread -lm

# check <name> <expected second line> <arguments>: to the log, for the descriptors of this function may be closed
check() {
    local name=$1 expected status=0
    expected=$(printf '1\n%s\n1' "$2")
    shift 2
    "$work/program" "$work/out" "$@" || status=$?
    if [ $status = 77 ]; then return; fi
    [ $status = 2 ] || echo "$name: exit code $status, not 2" >>"$work/log"
    [ "$(cat "$work/out")" = "$expected" ] ||
        printf '%s: wrote\n%s\nnot\n%s\n' "$name" "$(cat "$work/out")" "$expected" >>"$work/log"
}
: >"$work/log"
check "all closed" "1 1 1 " <&- >&- 2>&-
check "2 closed" "1 1 1 " 2>&-
check "0 and 2 closed" "1 1 1 " <&- 2>&-
mkdir "$work/empty"
check "all closed, no /dev/null" "1 1 1 $(printf '\n-1 ')" "$work/empty" <&- >&- 2>&- # as if it were closed
cat "$work/log"
[ ! -s "$work/log" ]
