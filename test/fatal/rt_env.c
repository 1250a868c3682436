// Values of environment variables that can not be parsed: one clear line, exit code 2, before
// anything runs.
//
// EXPECT good exit=0 env:GORTGC=50 env:GORTMAXPROCS=2 env:GORTTRACEBACK=all env:GORTDEBUG=gcstress=0,seed=7,clobberfree=1
// EXPECT empty exit=0 env:GORTGC= env:GORTMAXPROCS= env:GORTTRACEBACK= env:GORTDEBUG= env:GORTMEMLIMIT=
// EXPECT gc-off exit=0 env:GORTGC=off
// EXPECT signal exit=0 env:GORTDEBUG=stopsignal=12,slice=100 stdout=^main ran$
// EXPECT no-limit exit=0 env:GORTMEMLIMIT=off
// EXPECT gc-word env:GORTGC=banana stderr=^gort: GORTGC=banana: expected a percentage \(a whole number from 0\) or "off"$
// EXPECT gc-word absent=main ran
// EXPECT gc-negative env:GORTGC=-1 stderr=^gort: GORTGC=-1: expected a percentage
// EXPECT gc-trailing env:GORTGC=100% stderr=^gort: GORTGC=100%: expected a percentage
// EXPECT gc-huge env:GORTGC=99999999999999999999 stderr=^gort: GORTGC=99999999999999999999: expected
// EXPECT limit exit=0 env:GORTMEMLIMIT=512MiB stdout=^main ran$
// EXPECT limit-of-nothing exit=0 env:GORTMEMLIMIT=0 stdout=^main ran$
// EXPECT limit-negative env:GORTMEMLIMIT=-1 stderr=^gort: GORTMEMLIMIT=-1: expected a number of bytes
// EXPECT limit-space env:GORTMEMLIMIT=5_GiB stderr=^gort: GORTMEMLIMIT=5_GiB: expected a number of bytes
// EXPECT limit-empty-unit env:GORTMEMLIMIT=MiB stderr=^gort: GORTMEMLIMIT=MiB: expected a number of bytes
// EXPECT limit-word absent=main ran
// EXPECT limit-word env:GORTMEMLIMIT=lots stderr=^gort: GORTMEMLIMIT=lots: expected a number of bytes, with or without one of the suffixes B, KiB, MiB, GiB, TiB, or "off"$
// EXPECT limit-unit env:GORTMEMLIMIT=5MB stderr=^gort: GORTMEMLIMIT=5MB: expected a number of bytes
// EXPECT scavtrace exit=0 env:GORTDEBUG=scavtrace=1 stderr=^scav \d+ KiB work \(bg\), \d+ KiB work \(eager\), \d+ KiB now, \d+% util \(forced\)$
// EXPECT colors exit=0 env:GORTDEBUG=gccolors=3 stderr=^gc \d+ colors \d+: \d+ white, 0 grey, \d+ black, 0 words$
// EXPECT pacertrace exit=0 env:GORTDEBUG=gcpacertrace=1 stderr=^pacer: assist ratio=[-+]\d\.\d{6}e[-+]\d{3} \(scan \d+ MB in \d+->\d+ MB\) workers=\d+\+[-+]\d\.\d{6}e[-+]\d{3}$
// EXPECT pacertrace stderr=^pacer: \d+% CPU \(25 exp\.\) for \d+\+\d+\+\d+ B work
// EXPECT stoptheworld exit=0 env:GORTDEBUG=gcstoptheworld=2
// EXPECT sweeptrace exit=0 env:GORTDEBUG=sweeptrace=1 stderr=^sweep \d+ before gc \d+ \(forced\): \d+ spans, \d+ pages; background \d+, alloc \d+, paid \d+, reclaim \d+, demand \d+, flush \d+, finish \d+, stopped \d+; \d+ pages reclaimed, \d+ taken from credit$
// EXPECT sweeptrace stderr=^sweep 0 before gc 1 \(heap\): 0 spans
// EXPECT scavtrace-value env:GORTDEBUG=scavtrace=2 stderr=^gort: GORTDEBUG=scavtrace=2: expected scavtrace=N with N a whole number from 0 to 1$
// EXPECT limit-huge env:GORTMEMLIMIT=9999999999TiB stderr=^gort: GORTMEMLIMIT=9999999999TiB: expected a number of bytes
// EXPECT procs-zero env:GORTMAXPROCS=0 stderr=^gort: GORTMAXPROCS=0: expected a whole number from 1 to 256$
// EXPECT procs-many env:GORTMAXPROCS=257 stderr=^gort: GORTMAXPROCS=257: expected a whole number from 1 to 256$
// EXPECT procs-hex env:GORTMAXPROCS=0x2 stderr=^gort: GORTMAXPROCS=0x2: expected a whole number
// EXPECT traceback env:GORTTRACEBACK=loud stderr=^gort: GORTTRACEBACK=loud: expected none, single, all, system or crash$
// EXPECT debug-name env:GORTDEBUG=gctrase=1 stderr=^gort: GORTDEBUG=gctrase=1: "gctrase" is not one of allocfreetrace, boottrace, clobberfree, .*gctrace.*, updatemaxprocs$
// EXPECT debug-value env:GORTDEBUG=gctrace=yes stderr=^gort: GORTDEBUG=gctrace=yes: expected gctrace=N with N a whole number from 0 to 1$
// EXPECT debug-no-value env:GORTDEBUG=gctrace stderr=^gort: GORTDEBUG=gctrace: expected gctrace=N
// EXPECT debug-second env:GORTDEBUG=seed=1,nothing=2 stderr=^gort: GORTDEBUG=seed=1,nothing=2: "nothing" is not one of
// EXPECT signal-number env:GORTDEBUG=stopsignal=65 stderr=^gort: GORTDEBUG=stopsignal=65: expected stopsignal=N with N a whole number from 1 to 64$
// EXPECT signal-kill env:GORTDEBUG=stopsignal=9 stderr=^gort: GORTDEBUG=stopsignal=9: expected a stopsignal
//
// SPDX-License-Identifier: BSD-3-Clause
#include <gort.h>
#include <stdio.h>

static void *volatile block;

static int main_goroutine(int argc, char **argv)
{
    (void)argc;
    (void)argv;
    puts("main ran");
    for (int i = 0; i < 10000; i++)
        block = gort_alloc(1000);
    gort_gc();
    gort_free_os_memory();
    return 0;
}

int main(int argc, char **argv)
{
    return gort_run(main_goroutine, argc, argv);
}
