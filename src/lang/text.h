/* What the files of strings share.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef GORT_LANG_TEXT_H
#define GORT_LANG_TEXT_H

#include "gort/string.h"

#define TEXT_MAX ((size_t)1 << 40)

/* n > 0 bytes, to be written at once.  Panics when n is no length. */
char *text_alloc(size_t n);
/* Where part is in n bytes at p, or -1. */
ptrdiff_t text_index(const char *p, size_t n, gort_string part);

#endif
