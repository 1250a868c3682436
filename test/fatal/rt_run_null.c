// A main function that is NULL, which the declaration forbids.
//
// EXPECT null stderr=^fatal error: gort_run: the main function is NULL$
//
// TEST skip=ubsan
//
// SPDX-License-Identifier: BSD-3-Clause
#include <gort.h>

int main(int argc, char **argv)
{
    int (*volatile no_function)(int, char **) = NULL;
    return gort_run(no_function, argc, argv);
}
