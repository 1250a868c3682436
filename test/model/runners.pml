/* The goroutines that run cleanups: nothing stays queued while one of them waits, and a cleanup that
 * waits for another does not hold it up.
 *
 * Answers for: Note [Runners] in gc/cleanup.c (runner_loop, run_one, commit_park, cleanup_wake,
 * runner_add), and for what g_park promises: the commit function runs after the registers were saved.
 *
 * Two sweepers queue cleanups and wake as gc_collect and the sweeper do: one pushes two and then wakes,
 * the other one.  Each cleanup ends only when all three have begun, so three runners are needed, as many as
 * there may be; if one stays queued, or a runner is not made or not woken, nothing ends: a deadlock.
 * The lock-free stacks are counters, their operations atomic; so is what a full fence orders.
 *
 * CHECK three-cleanups
 *
 * BREAK no-look-after-waiting NO_LOOK deadlock
 * BREAK look-before-waiting LOOK_FIRST deadlock
 * BREAK wake-before-queueing WAKE_FIRST deadlock
 * BREAK none-to-spare NO_SPARE deadlock
 * BREAK no-wake-of-the-next NO_NEXT deadlock
 * BREAK made-ready-twice NO_RIGHT assertion
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#define RUNNERS 3
#define CLEANUPS 3

#define UNMADE 0
#define RUNNING 1
#define WAITING 2

byte status[RUNNERS];
bool idle[RUNNERS];   /* on the stack of those that wait */
byte made;            /* runners */
byte queued, begun, ended;

/* Takes one off idle and makes it ready; who is the one that looks, `mine` tells if it took itself. */
inline wake(me, mine)
{
    mine = false;
    if
    :: queued > 0 ->
        atomic {
            if
            :: idle[0] -> w = 0
            :: !idle[0] && idle[1] -> w = 1
            :: !idle[0] && !idle[1] && idle[2] -> w = 2
            :: else -> w = RUNNERS
            fi;
#ifndef NO_RIGHT
            if
            :: w < RUNNERS -> idle[w] = false
            :: else
            fi
#endif
        };
        if
        :: w == me -> mine = true
        :: w != me && w < RUNNERS -> atomic { assert(status[w] == WAITING); status[w] = RUNNING }
        :: else
        fi;
#ifdef NO_RIGHT
        if
        :: w < RUNNERS -> idle[w] = false
        :: else
        fi;
#endif
        w = RUNNERS
    :: queued == 0
    fi
}

inline push(n)
{
    queued = queued + n
}

proctype runner(byte me)
{
    bool some, mine;
    byte w = RUNNERS;

end:
    atomic { status[me] != UNMADE -> skip };
    do
    :: atomic { some = queued > 0; queued = queued - (queued > 0 -> 1 : 0) }; /* next */
       if
       :: some ->
           /* run_one */
           if
           :: idle[0] || idle[1] || idle[2] ->
#ifndef NO_NEXT
               wake(RUNNERS, mine)
#else
               skip
#endif
           :: else ->
#ifndef NO_SPARE
               atomic {
                   if
                   :: made < RUNNERS -> status[made] = RUNNING; made++
                   :: else
                   fi }
#else
               skip
#endif
           fi;
           begun++;
           begun == CLEANUPS; /* what it was called with waits for the others */
           ended++
       :: else ->
           /* commit_park */
#ifdef LOOK_FIRST
           some = queued > 0;
           atomic { status[me] = WAITING; idle[me] = true };
           if
           :: some -> wake(me, mine)
           :: else -> mine = false
           fi;
#else
           atomic { status[me] = WAITING; idle[me] = true };
#ifndef NO_LOOK
           wake(me, mine);
#else
           mine = false;
#endif
#endif
           if
           :: mine -> atomic { status[me] = RUNNING; mine = false }
           :: else ->
end_idle:      status[me] == RUNNING
           fi
       fi;
       some = false
    od
}

proctype sweeper(byte n)
{
    bool mine;
    byte w = RUNNERS;

#ifdef WAKE_FIRST
    wake(RUNNERS, mine);
    push(n)
#else
    push(n);
    wake(RUNNERS, mine)
#endif
}

init {
    atomic {
        status[0] = RUNNING;
        if
        :: made = 1 /* by the first gort_add_cleanup */
        :: made = RUNNERS; status[1] = RUNNING; status[2] = RUNNING /* earlier cleanups have ended */
        fi;
        run runner(0); run runner(1); run runner(2); run sweeper(2); run sweeper(1)
    };
    ended == CLEANUPS
}
