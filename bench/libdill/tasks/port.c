// See port.h.
//
// SPDX-License-Identifier: BSD-3-Clause
#include "port.h"

int port_bundle;

// Apart: libdill moves the stack pointer in the middle of it.
__attribute__((noinline)) void port_go(void (*fn)(void *), void *arg)
{
    if (dill_bundle_go(port_bundle, fn(arg)) < 0) abort();
}

int port_run(int (*fn)(int, char **), int argc, char **argv)
{
    port_bundle = dill_bundle();
    if (port_bundle < 0) abort();
    int status = fn(argc, argv);
    fflush(stdout);
    _Exit(status); // coroutines that still wait end with the program
}
