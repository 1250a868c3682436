/* Stealing from a P's run queue: every goroutine that is put into it is run once.
 *
 * Answers for: Note [Run queue] of sched/runq.c: ring_put, ring_get, next_take, runq_put and runq_steal.
 *
 * One owner puts goroutines, each as the next one, so that the former next goes to the ring, and takes
 * some; two thieves steal half of the ring, or the next one when the ring is empty. A full ring's
 * overflow is left out: the owner takes one instead. Memory is sequentially consistent here: the
 * releases and acquires A and B of the note order what this model orders by its program; a break that
 * swaps two steps stands for a release that is missing.
 *
 * CHECK one-thief THIEVES=1 GOROUTINES=6
 * CHECK two-thieves
 *
 * BREAK head-moved-plainly PLAIN_HEAD assertion
 * BREAK next-taken-plainly PLAIN_NEXT assertion
 * BREAK tail-before-slot TAIL_FIRST assertion
 * BREAK slot-reused-too-soon NO_ROOM_CHECK assertion
 * BREAK read-after-taking READ_LATE assertion
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef THIEVES
#define THIEVES 2
#endif
#ifndef GOROUTINES
#define GOROUTINES 5
#endif
#define SIZE 2

byte head, tail;     /* of the owner's ring; tail is the owner's */
byte slot[SIZE];
byte next;           /* 0: none */
byte times[GOROUTINES + 1]; /* how often each was run */
byte total;
bool all_put;

inline run_it(g)
{
    atomic { assert(g != 0 && times[g] == 0); times[g]++; total++ }
}

inline move_head(old, to, ok)
{
#ifdef PLAIN_HEAD
    ok = head == old;
    if
    :: ok -> head = to
    :: else
    fi
#else
    atomic { ok = head == old; if :: ok -> head = to :: else fi }
#endif
}

inline take_next(g)
{
#ifdef PLAIN_NEXT
    g = next;
    next = 0
#else
    atomic { g = next; next = 0 }
#endif
}

inline ring_take(g, h, ok)
{
    do
    :: h = head;
       if
       :: tail == h -> g = 0; break
       :: else
       fi;
#ifdef READ_LATE
       move_head(h, h + 1, ok);
       g = slot[h % SIZE];
#else
       g = slot[h % SIZE];
       move_head(h, h + 1, ok);
#endif
       if
       :: ok -> break
       :: else
       fi
    od
}

inline owner_takes()
{
    ring_take(g, h, ok);
    if
    :: g == 0 -> take_next(g)
    :: else
    fi;
    if
    :: g != 0 -> run_it(g)
    :: else
    fi
}

proctype owner()
{
    byte made, old, g, h;
    bool ok;

    do
    :: made == GOROUTINES -> break
    :: else ->
        made++;
        atomic { old = next; next = made };
        if
        :: old != 0 ->
#ifndef NO_ROOM_CHECK
            h = head;
            do
            :: tail - h >= SIZE -> owner_takes(); h = head
            :: else -> break
            od;
#endif
#ifdef TAIL_FIRST
            tail++;
            slot[(tail - 1) % SIZE] = old
#else
            slot[tail % SIZE] = old;
            tail++
#endif
        :: else
        fi;
        if
        :: owner_takes()
        :: skip
        fi
    od;
    all_put = true;
    do
    :: total == GOROUTINES -> break
    :: head != tail || next != 0 -> owner_takes()
    od
}

/* n is 1 or 2 here, and so half of them is 1: the copy is one goroutine. */
proctype thief()
{
    byte h, t, g;
    bool ok;

    do
    :: all_put && head == tail && next == 0 -> break
    :: else ->
        h = head;
        t = tail;
        g = 0;
        if
        :: t - h == 0 -> take_next(g)
        :: t - h != 0 && t - h <= SIZE ->
#ifdef READ_LATE
            move_head(h, h + 1, ok);
            g = slot[h % SIZE];
#else
            g = slot[h % SIZE];
            move_head(h, h + 1, ok);
#endif
            if
            :: ok
            :: else -> g = 0
            fi
        :: else /* read apart in time */
        fi;
        if
        :: g != 0 -> run_it(g)
        :: else
        fi
    od
}

init {
    atomic {
        run owner();
        run thief();
        if
        :: THIEVES == 2 -> run thief()
        :: else
        fi
    }
}
