/* The write barrier's slow half: logging what stores overwrite and store.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef GORT_GC_BARRIER_H
#define GORT_GC_BARRIER_H

#include "base/atomic.h"
#include "base/barrier_data.h"
#include "gort/inline.h"
#include "gort/type.h"

/* Is it on?  Inside a critical section the answer holds until the section ends. */
static inline bool barrier_on(void)
{
    return atomic_load_relaxed(&gort_barrier_flag) != 0; /* changes with the world stopped only */
}
/* Logs a store of value over old.  In a critical section, the flag on; before or after the
 * store. */
void barrier_log(void *old, void *value);
/* Logs copying the pointers of n objects of a type over others: what is there and what comes.
 * src NULL: they are cleared. */
void barrier_log_objects(const struct gort_type *t, const void *dst, const void *src, size_t n);
/* Logs n words of a record that is scanned as a stack is, and that they leave. */
void barrier_log_words(const uintptr_t *words, size_t n);

/* Empties a P's buffer, and every buffer.  World stopped. */
struct p;
void barrier_flush_stw(struct p *p);
void barrier_flush_all_stw(void);
/* Turns barriers on or off.  World stopped. */
void barrier_set_stw(bool on);

/* Test: called with each batch of logged words (pairs of old and new), in the logger's critical
 * section or with the world stopped.  NULL: nobody.  Set while the flag is off. */
extern void (*barrier_observer)(const uintptr_t *words, uint32_t n);

struct barrier_counts {
    uint64_t flushes, logged; /* batches; words */
};
void barrier_read_counts(struct barrier_counts *out);

#endif
