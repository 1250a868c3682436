/* Reading of times to live.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef KV_EXPIRY_H
#define KV_EXPIRY_H

#include "conn.h"

/* The deadline that argument i, a number of units of so many milliseconds, asks for.  False after
 * an error reply when it is not a positive number, or beyond the end of time. */
bool expiry_read(conn *c, int i, int64_t unit_ms, const char *command, int64_t *deadline);

#endif
