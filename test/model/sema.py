#!/usr/bin/env python3
"""Every interleaving of the semaphore's protocol: Note [Count and waiters] and Note [A count may be
gone] in src/lang/sema.c.

The steps below are those of sema_acquire and sema_release, one atomic operation each; the model
starts goroutines that acquire and that release, as often, in every order of their steps, and asks of
each end that nobody waits, that the count is 0, and that nobody touched the count after the last
acquirer had returned. Then the same with one step left out or changed: each of these must be found
to be wrong, or the model would prove nothing.

SPDX-License-Identifier: BSD-3-Clause
"""
import sys
from collections import deque

# A state: count, waiters, holder of the bucket's lock, queue, done acquirers, program counters.
# Programs are lists of functions (state, me) -> next program counter, or None: can not go on now.


class State:
    __slots__ = ("count", "waiters", "lock", "queue", "done", "pc", "fault", "acquirers")

    def __init__(self, acquirers, releasers):
        self.count = self.waiters = 0
        self.lock = None
        self.queue = ()
        self.done = 0
        self.acquirers = acquirers
        self.pc = ("take",) * acquirers + ("look",) * releasers
        self.fault = None

    def key(self):
        return (self.count, self.waiters, self.lock, self.queue, self.done, self.pc)

    def copy(self):
        s = State.__new__(State)
        for name in State.__slots__:
            setattr(s, name, getattr(self, name))
        return s

    def goto(self, me, pc):
        self.pc = self.pc[:me] + (pc,) + self.pc[me + 1:]
        if pc == "got":
            self.done += 1

    def touch(self, who):
        """The count lies in a frame that ends with the last acquirer."""
        if self.done == self.acquirers:
            self.fault = f"{who} touches the count after it is gone"


def step(s, me, variant):
    """One step of goroutine me on a copy of s; None: it can not go on, or has ended."""
    pc = s.pc[me]
    if pc in ("got", "gave", "parked"):
        return None
    if pc.startswith("lock") and s.lock is not None:
        return None
    s = s.copy()
    go = lambda pc: s.goto(me, pc)

    # sema_acquire
    if pc == "take":
        s.touch("an acquirer")
        if s.count > 0:
            s.count -= 1
            go("got")
        else:
            go("lock-to-wait")
    elif pc == "lock-to-wait":
        s.lock = me
        go("take-again" if variant == "announce last" else "announce")
    elif pc == "announce":
        s.waiters += 1
        go("queue" if variant in ("announce last", "no second take") else "take-again")
    elif pc == "take-again":
        if s.count > 0:
            s.count -= 1
            if variant != "announce last":
                s.waiters -= 1
            s.lock = None
            go("got")
        else:
            go("announce" if variant == "announce last" else "queue")
    elif pc == "queue":  # and park, which releases the lock
        s.queue += (me,)
        s.lock = None
        go("parked")

    # sema_release
    elif pc == "look":
        go("lock-in-hand" if s.waiters != 0 else "give")
    elif pc == "give":
        s.touch("a releaser")
        s.count += 1
        go("gave" if variant == "no second look" else "look-again")
    elif pc == "look-again":
        go("lock-given" if s.waiters != 0 else "gave")
    elif pc == "lock-in-hand":
        s.lock = me
        if s.queue:
            go("pop")
        else:
            s.touch("a releaser")
            s.count += 1
            go("unlock")
    elif pc == "lock-given":
        s.lock = me
        go("retake")
    elif pc == "retake":
        if not s.queue and variant != "take without a waiter":
            go("unlock")
        else:
            s.touch("a releaser")
            if s.count > 0:
                s.count -= 1
                go("pop" if s.queue else "give-back")
            else:
                go("unlock")
    elif pc == "give-back":
        s.touch("a releaser")
        s.count += 1
        go("unlock")
    elif pc == "pop":
        woken, s.queue = s.queue[0], s.queue[1:]
        s.waiters -= 1
        s.goto(woken, "got")
        go("unlock")
    elif pc == "unlock":
        s.lock = None
        go("gave")
    return s


def explore(n, variant):
    """(what goes wrong, or None; states seen) with n acquirers and n releasers."""
    first = State(n, n)
    seen = {first.key()}
    todo = deque([first])
    while todo:
        s = todo.popleft()
        ended = True
        for me in range(2 * n):
            t = step(s, me, variant)
            if t is None:
                continue
            ended = False
            if t.fault:
                return t.fault, len(seen)
            if t.key() not in seen:
                seen.add(t.key())
                todo.append(t)
        if ended and (s.done != n or s.count != 0 or s.waiters != 0 or s.lock is not None):
            return f"ends with {n - s.done} waiting, count {s.count}, waiters {s.waiters}", len(seen)
    return None, len(seen)


def main():
    failed = False
    for n in (1, 2, 3):
        wrong, states = explore(n, None)
        print(f"{n} acquire, {n} release: {states} states: {wrong or 'right'}")
        failed |= wrong is not None
    for variant in ("no second look", "no second take", "announce last", "take without a waiter"):
        wrong = next(filter(None, (explore(n, variant)[0] for n in (1, 2, 3))), None)
        print(f"with '{variant}': {wrong or 'NOT FOUND'}")
        failed |= wrong is None
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
