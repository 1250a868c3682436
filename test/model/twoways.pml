/* A goroutine that waits for a unit of a semaphore and for a channel's close at once: parking, hand-off
 * of the unit, and who wakes it.
 *
 * Answers for: Note [Two ways to wake] in lang/sema.c, select_win and waitq_pop of lang/hchan.h, and
 * what g_park and g_ready of sched/proc.c promise: whoever finds a record under the lock finds a
 * goroutine whose registers are saved.
 *
 * One that waits for both, one that waits for a unit only and came later, a giver of one unit, and a
 * closer. Locks are atomic steps between which anything may happen. The unit is had by exactly one:
 * by a goroutine, or it is in the count; a goroutine that is woken by the close has no unit; nobody is
 * made ready twice, or before its registers are saved, or sleeps while there is a unit.
 * Left out: the tree of addresses, memory order (every word here is under a lock, or moved by
 * a compare-and-swap), more than one of each waker.
 *
 * CHECK one-unit
 * CHECK two-units UNITS=2
 *
 * BREAK nobody-decides NO_DECISION assertion
 * BREAK loser-ends-giving LOSER_ENDS assertion
 * BREAK unit-is-dropped DROP assertion
 * BREAK record-stays NO_REMOVE assertion
 * BREAK released-before-saving EARLY assertion
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef UNITS
#define UNITS 1
#endif
#define BOTH 0 /* the goroutine that waits for both */
#define ONLY 1

bool sema_lock, chan_lock;
bool closed;
byte count;            /* units free */
bool at_count[2];      /* its record is queued at the count; BOTH's before ONLY's */
bool at_done;          /* BOTH's record at the channel */
bool decided;          /* select_done of BOTH */
bool parked[2];        /* it sleeps, or is about to */
bool saved[2];         /* its registers are */
bool given[2];         /* woken with a unit in hand */
byte had;              /* units that goroutines got */
bool gone;             /* BOTH's frame is */
byte ended;

inline lock(l)
{
    atomic { !l -> l = true }
}

inline ready(g)
{
    atomic { assert(parked[g] && saved[g]); saved[g] = false; parked[g] = false }
}

proctype both()
{
    lock(chan_lock);
    lock(sema_lock);
    if
    :: atomic { count > 0 -> count-- }; /* take */
       sema_lock = false;
       chan_lock = false;
       had++
    :: else ->
        if
        :: closed ->
            sema_lock = false;
            chan_lock = false;
            skip
        :: else ->
            atomic { at_count[BOTH] = true; at_done = true; decided = false; parked[BOTH] = true };
#ifdef EARLY
            sema_lock = false;
            chan_lock = false;
            saved[BOTH] = true;
#else
            saved[BOTH] = true;
            sema_lock = false; /* commit_two_ways */
            chan_lock = false;
#endif
            !parked[BOTH];
            lock(chan_lock); /* leave_two_ways */
            lock(sema_lock);
#ifndef NO_REMOVE
            atomic { at_done = false; at_count[BOTH] = false };
#endif
            sema_lock = false;
            chan_lock = false;
            if
            :: given[BOTH] -> had++
            :: else
            fi
        fi
    fi;
    gone = true;
    ended++
}

proctype only()
{
    lock(sema_lock);
    if
    :: atomic { count > 0 -> count-- };
       sema_lock = false
    :: else ->
        atomic { at_count[ONLY] = true; parked[ONLY] = true };
        saved[ONLY] = true;
        sema_lock = false;
end:    !parked[ONLY];
        assert(given[ONLY])
    fi;
    had++;
    ended++
}

/* release_slow, with the unit in hand: pop_waiter. */
proctype giver()
{
    byte to, n;
    bool won, lost;

    do
    :: n == UNITS -> break
    :: else ->
        n++;
        lock(sema_lock);
        to = 2;
        if
        :: at_count[BOTH] ->
            assert(!gone);
            at_count[BOTH] = false;
#ifdef NO_DECISION
            won = true;
#else
            atomic { won = !decided; decided = true };
#endif
            if
            :: won -> to = BOTH
            :: else -> lost = true
            fi
        :: else
        fi;
        if
#ifdef LOSER_ENDS
        :: lost -> skip
        :: !lost && to == 2 && at_count[ONLY] -> at_count[ONLY] = false; to = ONLY
#else
        :: to == 2 && at_count[ONLY] -> at_count[ONLY] = false; to = ONLY
#endif
        :: else
        fi;
        if
        :: to == 2 ->
#ifndef DROP
            count++
#else
            skip
#endif
        :: else -> given[to] = true
        fi;
        sema_lock = false;
        if
        :: to != 2 -> ready(to)
        :: else
        fi
    od;
    ended++
}

proctype closer()
{
    bool won;

    lock(chan_lock);
    closed = true;
    if
    :: at_done ->
        assert(!gone);
        at_done = false;
#ifdef NO_DECISION
        won = true;
#else
        atomic { won = !decided; decided = true };
#endif
    :: else
    fi;
    chan_lock = false;
    if
    :: won -> ready(BOTH)
    :: else
    fi;
    ended++
}

init {
    atomic { run both(); run giver(); run closer(); run only() };
    /* With one unit one of the two may sleep for ever: ONLY, and no unit is free then. */
end:
    (ended == 4 || (ended == 3 && parked[ONLY] && at_count[ONLY]));
    assert(had + count == UNITS);
    assert(!(ended == 3) || count == 0)
}
