/* Names of hosts to addresses, without blocking other goroutines.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef GORT_LANG_RESOLVE_H
#define GORT_LANG_RESOLVE_H

#include "lang/net_addr.h"
#include "sched/sched.h"

#define RESOLVE_MAX 8 /* addresses of a name that are of use */

/* Addresses of name, with its port, the best first as the system orders them; parks until they are
 * known, or deadline (0: none) has passed, or the goroutine's context has ended.  Returns how many,
 * at least 1.  -errno: ENOENT there is no such host, or it has no address of the family; EAGAIN no
 * server answered, or too many ask; ETIMEDOUT; and others; -NET_ENDED.  Outside sections. */
int resolve(struct g *g, const struct net_name *name, int64_t deadline,
            struct net_addr out[RESOLVE_MAX]);

#endif
