/* Doubles as text: %e and %g.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef GORT_LANG_FLOAT_TEXT_H
#define GORT_LANG_FLOAT_TEXT_H

#include <stdbool.h>
#include <stddef.h>

#define FLOAT_TEXT_ROOM 80
#define FLOAT_DIGITS_MAX 17

struct float_form {
    int digits;     /* in all, at least 1 */
    bool general;   /* %g, else %e */
    bool alternate; /* #, of %e: a point in any case */
    bool upper;
};

/* Writes v >= 0 without a sign, as the C library does; returns how many characters.  0: not
 * here. */
size_t float_text(char text[FLOAT_TEXT_ROOM], double v, const struct float_form *form);

#endif
