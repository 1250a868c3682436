/* A goroutine that sleeps until it is wanted: no wish is lost, and it is made ready once for each
 * time that it parks.
 *
 * Answers for: sleeper_park, sleeper_commit and sleeper_wake in gc/sleeper.c, and for what g_park of
 * sched/proc.c promises: the commit function runs after the goroutine's registers were saved, on
 * another stack; if it refuses, the goroutine goes on.
 *
 * Two threads want it, several times; a wish is served when the goroutine has looked at the work after
 * the wish. Its last one must be served, which is a deadlock otherwise. A store that is no exchange
 * waits in a store buffer, of its own word, until its thread does something that drains it, or time.
 *
 * CHECK two-wakers
 *
 * BREAK no-look-after-parking NO_LOOK deadlock
 * BREAK look-before-parking LOOK_FIRST deadlock
 * BREAK parked-plainly PARKED_PLAINLY deadlock
 * BREAK wanted-plainly WANTED_PLAINLY deadlock
 * BREAK wanted-after-taking WANTED_LATE deadlock
 * BREAK both-take-it NO_CAS assertion
 * BREAK commit-before-saving COMMIT_EARLY assertion
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#define WAKERS 2
#define WISHES 2 /* of each */
#define EMPTY 2

#define RUNNING 0
#define WAITING 1

byte status = RUNNING;
bool saved;           /* the registers of the parked goroutine */
bool parked, wanted;  /* as others see them */
byte parked_buffer = EMPTY;
byte wanted_buffer[WAKERS] = EMPTY;
byte work;            /* wishes made */
byte seen;            /* of them, when the goroutine last looked */

/* The waker's look at `parked`, and its taking: `won` tells. */
inline unpark(won)
{
#ifdef NO_CAS
    won = parked;
    parked = false
#else
    atomic { won = parked; parked = false }
#endif
}

inline ready()
{
    atomic { assert(status == WAITING && saved); status = RUNNING }
}

inline drain_parked()
{
    atomic {
        if
        :: parked_buffer != EMPTY -> parked = parked_buffer; parked_buffer = EMPTY
        :: else
        fi }
}

proctype goroutine()
{
    bool won, wish;

    do
    :: atomic { wish = wanted; wanted = false }; /* sleeper_park: the exchange */
       if
       :: wish -> atomic { wish = false; seen = work }
       :: else ->
           status = WAITING;
#ifdef LOOK_FIRST
           wish = wanted;
#endif
#ifndef COMMIT_EARLY
           saved = true;
#endif
           /* sleeper_commit */
#ifdef PARKED_PLAINLY
           parked_buffer = true;
#else
           parked = true;
#endif
#ifdef NO_LOOK
           won = false;
#else
#ifndef LOOK_FIRST
           wish = wanted;
#endif
           if
           :: wish -> drain_parked(); unpark(won); wish = false
           :: else -> won = false
           fi;
#endif
#ifdef COMMIT_EARLY
           saved = true;
#endif
           if
           :: won -> atomic { won = false; saved = false; status = RUNNING } /* refused */
           :: else ->
end:           atomic { status == RUNNING -> saved = false }
           fi
       fi
    od
}

proctype waker(byte me)
{
    bool won;
    byte n;

    do
    :: n < WISHES ->
        atomic { work++; n++ };
#ifdef WANTED_PLAINLY
        wanted_buffer[me] = true;
#endif
#if !defined(WANTED_PLAINLY) && !defined(WANTED_LATE)
        wanted = true;
#endif
        if
        :: parked ->
            atomic { /* a locked instruction drains */
                if
                :: wanted_buffer[me] != EMPTY -> wanted = true; wanted_buffer[me] = EMPTY
                :: else
                fi };
            unpark(won)
        :: else -> won = false
        fi;
#ifdef WANTED_LATE
        wanted = true;
#endif
        if
        :: won -> won = false; ready()
        :: else
        fi
    :: n == WISHES -> break
    od
}

/* Stores arrive in time. */
proctype memory()
{
end:
    do
    :: atomic { parked_buffer != EMPTY -> parked = parked_buffer; parked_buffer = EMPTY }
    :: atomic { wanted_buffer[0] != EMPTY -> wanted = true; wanted_buffer[0] = EMPTY }
    :: atomic { wanted_buffer[1] != EMPTY -> wanted = true; wanted_buffer[1] = EMPTY }
    od
}

init {
    atomic { run goroutine(); run waker(0); run waker(1); run memory() };
    work == WAKERS * WISHES && seen == work
}
