/* Text that is made while the world is stopped: see text.h.
 *
 * In a stop nothing is written to a descriptor of the program's choice: the reader of a pipe may be
 * one of those that are stopped.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#include "diag/text.h"

#include <errno.h>
#include <string.h>

#include "base/atomic.h"
#include "base/bits.h"
#include "gort/net.h"
#include "os/os.h"
#include "sched/sched.h"

static void take(struct print *p, const char *s, size_t n)
{
    struct text *t = container_of(p, struct text, out);
    size_t part = n < t->room - t->n ? n : t->room - t->n;
    memcpy(t->buf + t->n, s, part);
    t->n += part;
    t->lost += n - part;
}

bool text_begin(struct text *t, size_t room)
{
    t->room = align_up(room, os_page_size());
    t->n = 0;
    t->lost = 0;
    t->buf = os_mem_map(NULL, t->room);
    print_init_sink(&t->out, take);
    if (t->buf != NULL) atomic_fetch_add_relaxed(sched_meta_counter(), t->room);
    return t->buf != NULL;
}

void text_end(struct text *t)
{
    os_mem_unmap(t->buf, t->room);
    atomic_fetch_sub_relaxed(sched_meta_counter(), t->room);
}

int text_write(struct text *t, int fd)
{
    print_flush(&t->out);
    return t->n != 0 && gort_write(fd, t->buf, t->n) < 0 ? errno : 0;
}
