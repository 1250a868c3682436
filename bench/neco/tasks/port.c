// See port.h.
//
// SPDX-License-Identifier: BSD-3-Clause
#include "port.h"

static void entry(int argc, void *argv[])
{
    (void)argc;
    void (*fn)(void *) = (void (*)(void *))(intptr_t)argv[0];
    fn(argv[1]);
}

void port_go(void (*fn)(void *), void *arg)
{
    if (neco_start(entry, 2, (void *)(intptr_t)fn, arg) != NECO_OK) abort();
}

static struct {
    int (*fn)(int, char **);
    int argc;
    char **argv;
} program;

static void main_entry(int argc, void *argv[])
{
    (void)argc;
    (void)argv;
    int status = program.fn(program.argc, program.argv);
    fflush(stdout);
    _Exit(status); // coroutines that still wait end with the program
}

int port_run(int (*fn)(int, char **), int argc, char **argv)
{
    program.fn = fn;
    program.argc = argc;
    program.argv = argv;
    return neco_start(main_entry, 0) == NECO_OK ? 0 : 1;
}
