/* Slices of bytes, and the few conversions that the protocol needs.
 *
 * Everything here is pure.  A text does not own its bytes and never lies in collected memory
 * itself: it is passed by value, so the pointer in it needs no barrier.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef KV_TEXT_H
#define KV_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct text {
    const char *bytes;
    size_t len;
} text;

#define TEXT(literal) ((text){ "" literal, sizeof(literal) - 1 })
#define TEXT_I64_MAX_SIZE 20 /* "-9223372036854775808" */

/* The decimal form of v; at most TEXT_I64_MAX_SIZE bytes, no terminator.  Returns the length. */
size_t text_from_i64(char *out, int64_t v);

/* False unless all of t is a number in its shortest form: no blanks, '+' or leading zeros. */
bool text_to_i64(text t, int64_t *out);

/* Letters of t may be of either case; lower is lower case. */
bool text_is(text t, const char *lower);

bool text_equal(text a, text b);

/* The patterns of KEYS: '*', '?', '[a-z]', '[^a]', and '\' before a character that stands for
 * itself. */
bool text_matches(text t, text pattern);

#endif
