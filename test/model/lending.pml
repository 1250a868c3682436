/* A blocking region that lends its P: one uses it at a time, it is never lost, and who waits for it
 * while the region lasts gets it.
 *
 * Answers for: Note [Lent Ps] of sched/blocking.c: leave_p and come_back there; p_lend, p_take_lent and
 * p_reclaim_stw of p.c; look_at_lent of monitor.c; world_check_stw of stw.c, as far as it finds the P.
 *
 * One P, and one goroutine more than its own that wants it. The lender's second region lasts until that
 * one has run. A stop comes at any time, and may take the P as a change of the number of Ps does. That
 * the stopper sees the states that it should is what stop.pml shows: here each store is seen at once.
 *
 * CHECK lender-monitor-stop
 * CHECK two-stops STOPS=2
 *
 * BREAK taken-plainly TAKE_PLAINLY assertion
 * BREAK taken-before-the-state TAKE_EARLY assertion
 * BREAK lent-after-the-state LEND_LATE assertion
 * BREAK reclaimed-but-findable FORGET_LENDER assertion
 * BREAK monitor-does-not-take NO_TAKING deadlock
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef STOPS
#define STOPS 1
#endif
#define REGIONS 2

#define USER 0
#define BLOCKING 1

#define NOBODY 0
#define LENDER 1
#define OTHER 2
#define MONITOR 3

byte user = LENDER;  /* who has the P */
bool lent;           /* p->lender is the lender */
bool idle;           /* the P is on the idle list */
bool stopping;
byte state[4] = USER;
bool ran, done;

inline get(who)
{
    atomic { assert(user == NOBODY && !idle && !lent); user = who }
}

/* p_take_lent */
inline take(who, won)
{
#ifdef TAKE_PLAINLY
    won = lent;
    if
    :: won -> lent = false; user = who
    :: else
    fi
#else
    atomic {
        won = lent;
        if
        :: won -> lent = false; get(who)
        :: else
        fi
    }
#endif
}

inline lend()
{
    user = NOBODY;
    lent = true
}

active proctype lender()
{
    bool won;
    byte i = 0;
    do
    :: i == REGIONS -> break
    :: else ->
#ifdef LEND_LATE
       state[LENDER] = BLOCKING;
       lend();
#else
       lend();
       state[LENDER] = BLOCKING;
#endif
       if
       :: i == 0
       :: else -> ran
       fi;
#ifdef TAKE_EARLY
       take(LENDER, won);
#endif
       do
       :: state[LENDER] = USER;
          if
          :: !stopping -> break
          :: else -> state[LENDER] = BLOCKING; !stopping
          fi
       od;
#ifndef TAKE_EARLY
       take(LENDER, won);
#endif
       if
       :: won
       :: else -> /* on the queue until somebody brings the P */
          state[LENDER] = BLOCKING;
          atomic { idle && !stopping -> state[LENDER] = USER; idle = false; get(LENDER) }
       fi;
       assert(user == LENDER);
       i++
    od;
    atomic { user = NOBODY; idle = true; done = true };
    state[LENDER] = BLOCKING
}

active proctype other()
{
    state[OTHER] = BLOCKING;
    atomic { idle && !stopping -> state[OTHER] = USER; idle = false; get(OTHER) };
    assert(user == OTHER);
    ran = true;
    atomic { user = NOBODY; idle = true };
    state[OTHER] = BLOCKING
}

active proctype monitor()
{
    bool won;
    state[MONITOR] = BLOCKING;
    do
    :: done && ran -> break
#ifndef NO_TAKING
    :: lent ->
       atomic { !stopping -> state[MONITOR] = USER };
       take(MONITOR, won);
       if
       :: won -> assert(user == MONITOR); atomic { user = NOBODY; idle = true }
       :: else
       fi;
       state[MONITOR] = BLOCKING
#endif
    od
}

active proctype stopper()
{
    byte i = 0;
    do
    :: i == STOPS -> break
    :: else ->
       stopping = true;
       state[OTHER] == BLOCKING && state[MONITOR] == BLOCKING;
       if
       :: state[LENDER] == BLOCKING -> assert(idle + lent == 1 && user == NOBODY);
          if
          :: lent ->
#ifndef FORGET_LENDER
             lent = false;
#endif
             assert(user == NOBODY);
             idle = true
          :: true
          fi
       fi;
       stopping = false;
       i++
    od
}
