/* A load generator: clients that send a mixture of commands and check every reply.
 *
 * It knows nothing of the server's insides and speaks to it by TCP, so it drives any server of the
 * protocol.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef KV_LOADGEN_H
#define KV_LOADGEN_H

#include "histogram.h"

#include <gort.h>

enum load_kind {
    LOAD_GET,
    LOAD_SET,
    LOAD_COUNTERS,
    LOAD_QUEUES,
    LOAD_HASHES,
    LOAD_SETS,
    LOAD_KINDS
};
extern const char *const load_kind_names[LOAD_KINDS];

typedef struct load_options {
    const char *network, *address;
    int connections;
    int keys; /* of the strings that all connections share */
} load_options;

typedef struct load_totals {
    uint64_t operations;
    uint64_t wrong;  /* replies that were not the right ones */
    uint64_t failed; /* connections that broke */
    uint64_t by_kind[LOAD_KINDS];
    histogram latency;
} load_totals;
GORT_TYPE(load_totals);

typedef struct load load;

/* Connects and fills the server with data; returns once all is loaded.  NULL when not a single
 * connection could be made: errno says why. */
load *load_start(const load_options *options);

/* Lets the clients go. */
void load_go(load *l);

/* Operations done so far. */
uint64_t load_progress(const load *l);

/* Ends the clients, waits for them, and adds up what they did. */
void load_stop(load *l, load_totals *out);

#endif
