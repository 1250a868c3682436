/* The cache of threads without a P: see gort_tls_block in gort/inline.h.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef GORT_BASE_TLS_H
#define GORT_BASE_TLS_H

#include "gort/inline.h"

extern const struct gort_cache gort_cache_empty;

#endif
