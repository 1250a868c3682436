/* A one-shot event on a futex word.
 *
 *     clear (0) --- note_wake: any thread, once ---> woken (1) --- note_clear: the owner ---> clear
 *
 * Answers to: notesleep, notewakeup, notetsleep in lock_futex.go.
 * SPDX-License-Identifier: BSD-3-Clause
 */
#include "sync/note.h"

#include "base/assert.h"
#include "base/atomic.h"
#include "os/os.h"

enum { NOTE_CLEAR, NOTE_WOKEN };

void note_clear(struct note *n)
{
    /* Relaxed: whoever may wake it next learns of the note by other means, after this. */
    atomic_store_relaxed(&n->word, NOTE_CLEAR);
}

void note_wake(struct note *n)
{
    uint32_t was = atomic_exchange_acqrel(&n->word, NOTE_WOKEN); /* pairs with note_is_woken */
    if (unlikely(was != NOTE_CLEAR)) throw_msg("note woken twice");
    os_futex_wake(&n->word, 1);
}

static bool note_is_woken(struct note *n)
{
    return atomic_load_acquire(&n->word) == NOTE_WOKEN; /* pairs with note_wake */
}

void note_wait(struct note *n)
{
    while (!note_is_woken(n))
        os_futex_wait(&n->word, NOTE_CLEAR, -1);
}

bool note_wait_timeout(struct note *n, int64_t timeout_ns)
{
    if (timeout_ns < 0) {
        note_wait(n);
        return true;
    }
    int64_t start = os_now(), left = timeout_ns;
    while (!note_is_woken(n)) {
        if (left <= 0) return false;
        os_futex_wait(&n->word, NOTE_CLEAR, left);
        left = timeout_ns - (os_now() - start);
    }
    return true;
}
