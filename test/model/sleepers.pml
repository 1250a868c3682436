/* Work and sleepers: no ready goroutine waits while a P is idle and nobody looks for work.
 *
 * Answers for: Note [Work and sleepers] of sched/sched_internal.h: m_for_work and give_to_looker in m.c, find_runnable,
 * stop_spinning, retire_p and work_somewhere in proc.c, find_far, doze and dozer_wake_slow in steal.c,
 * p_hand_over in p.c.
 *
 * One M runs a goroutine that makes others ready, as next ones or in its ring, and then computes for ever; a
 * thread without a P may put one on the global queue; and one M may run a goroutine that blocks, so that its P
 * is handed over. The other Ms look, doze and sleep. What was made ready computes for ever too, and keeps its P:
 * there are as many Ps as that takes, so each must begin to run, or somebody sleeps over it, and the search
 * ends in a deadlock. Left out: the poller, stops, the monitor, which would find within milliseconds all that
 * is lost, and paths on which a further M would be made, since PS and more are on their way to sleep (too_few).
 * What is only an estimate, whether work is worth getting up for, is chosen anew each time.
 * Memory is sequentially consistent here: a break that swaps two steps stands for a barrier that is missing.
 * given-back-and-gone and looker-gone-before-it-is-idle are what the code was before this model.
 *
 * CHECK made-ready
 * CHECK made-by-two MAKERS=2
 * CHECK from-outside MADE=1 OUTSIDE=1
 * CHECK beside-one-that-blocks PS=2 MADE=1 BLOCKS=1
 * CHECK two-beside-one-that-blocks BLOCKS=1
 *
 * BREAK published-after-the-look LATE deadlock
 * BREAK looked-before-it-is-counted-out LOOK_FIRST deadlock
 * BREAK no-last-look NO_LOOK deadlock
 * BREAK last-look-not-at-next-ones NO_NEXT_LOOK deadlock
 * BREAK last-look-not-at-the-global-queue NO_GLOBAL_LOOK MADE=1 OUTSIDE=1 deadlock
 * BREAK who-finds-wakes-nobody NO_CHAIN deadlock
 * BREAK still-counted-when-there-was-no-p NOT_GIVEN_BACK deadlock
 * BREAK given-back-and-gone GIVEN_BACK_FOR_GOOD deadlock
 * BREAK handed-over-without-a-looker NO_LOOKER BLOCKS=1 deadlock
 * BREAK looker-gone-before-it-is-idle NO_SECOND_LOOKER BLOCKS=1 deadlock
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef PS
#define PS 3
#endif
#ifndef MADE
#define MADE 2 /* goroutines that each maker makes ready */
#endif
#ifndef MAKERS
#define MAKERS 1
#endif
#ifndef OUTSIDE
#define OUTSIDE 0
#endif
#ifndef BLOCKS
#define BLOCKS 0
#endif
#define FIRST 1 /* _pid of the first M: after init */
#define WORK (MAKERS * MADE + OUTSIDE)
#define FREE (PS - MAKERS) /* Ps for it */
#define MS (PS + 1)

byte ring[MAKERS]; /* the other Ps' stay empty, as their next ones */
bool next_one[MAKERS];
byte global;
byte nidle;        /* Ps on the idle list: one is like the other */
byte nspinning;
byte dozing;
bool asleep[MS];
bool handed[MS];   /* there is a next_p */
bool given_spinning[MS];
byte running; /* of those that were made */
bool too_few; /* Ms: here a new one would be made */

inline take_idle(p)
{
    p = nidle > 0;
    nidle = nidle - p
}

/* m_give: to an M that sleeps. */
inline give_to(spins)
{
    d_step {
        i = 0;
        do
        :: i < MS && !asleep[i] -> i++
        :: else -> break
        od;
        if
        :: i == MS -> too_few = true
        :: else ->
            asleep[i] = false;
            given_spinning[i] = spins;
            handed[i] = true
        fi;
        i = 0
    }
}

/* m_for_work */
inline wake_for_work(odd, q, ok)
{
    do
    :: odd = dozing;
       if
       :: odd % 2 == 1 ->
           if
           :: true -> atomic { if :: dozing == odd -> dozing = (odd + 1) % 8 :: else fi }
           :: true /* not worth it */
           fi;
           break
       :: else
       fi;
       if
       :: nidle == 0 -> break
       :: else
       fi;
       if
       :: nspinning != 0 -> break
       :: else
       fi;
       atomic { ok = nspinning == 0; if :: ok -> nspinning++ :: else fi };
       if
       :: !ok -> break
       :: else
       fi;
       atomic {
           take_idle(q);
           if
           :: q != 0 -> give_to(true); break
           :: else
           fi
       };
#ifndef NOT_GIVEN_BACK
       nspinning--;
#endif
#if defined(GIVEN_BACK_FOR_GOOD) || defined(NOT_GIVEN_BACK)
       break
#endif
    od;
    odd = 0; q = 0; ok = false
}

/* runq_put, next or not. */
inline put(p)
{
    if
    :: atomic { if :: next_one[p] -> ring[p]++ :: else -> next_one[p] = true fi }
    :: ring[p]++
    fi
}

inline make_ready(p, odd, q, ok)
{
#ifdef LATE
    wake_for_work(odd, q, ok);
    put(p)
#else
    put(p);
    wake_for_work(odd, q, ok)
#endif
}

/* work_somewhere */
inline look_everywhere(some)
{
    some = false;
#ifndef NO_LOOK
#ifndef NO_GLOBAL_LOOK
    if :: global != 0 -> some = true :: else fi;
#endif
    i = 0;
    do
    :: i < MAKERS ->
#ifdef NO_NEXT_LOOK
        if :: ring[i] != 0 -> some = true :: else fi;
#else
        if :: ring[i] != 0 || next_one[i] -> some = true :: else fi;
#endif
        i++
    :: else -> i = 0; break
    od
#endif
}

/* p_hand_over */
inline hand_over(odd, q, ok)
{
    if
    :: global != 0 -> atomic { give_to(false) } /* its own ring is empty */
    :: else ->
        q = nspinning;
        q = q + nidle;
        ok = false;
        if
#ifndef NO_LOOKER
        :: q == 0 -> atomic { ok = nspinning == 0; if :: ok -> nspinning++ :: else fi }
#endif
        :: else
        fi;
        if
        :: ok -> atomic { give_to(true) }
        :: else ->
            atomic {
                ok = global != 0;
                if
                :: ok -> give_to(false) /* UNREACHED but with OUTSIDE */
                :: else -> nidle++; q = nidle
                fi
            };
#if !defined(NO_SECOND_LOOKER) && !defined(NO_LOOKER)
            if
            :: !ok && q == 1 -> wake_for_work(odd, q, ok)
            :: else
            fi
#endif
        fi
    fi
}

proctype m(byte role)
{
    byte odd, q, i, v, n;
    bool p, spins, got, some, ok;

    if
    :: role == 0 -> p = true /* it looks */
    :: role == 1 -> /* it runs what makes others ready */
        do
        :: n < MADE -> make_ready(_pid - FIRST, odd, q, ok); n++
        :: else -> n = 0; break
        od;
        goto end_computes
    :: role == 2 -> /* it runs one that blocks */
        hand_over(odd, q, ok);
        goto end_computes
    :: role == 3 -> goto sleeps
    fi;
looks:
    /* find_near: its own ring is empty */
    atomic { if :: global != 0 -> global--; got = true :: else fi };
    if :: got -> goto found :: else fi;

    /* find_far */
    if
    :: !spins ->
        q = PS - nidle;
        if
        :: 2 * nspinning >= q -> q = 0; goto retires
        :: else -> q = 0; spins = true; nspinning++
        fi
    :: else
    fi;
    i = 0;
    do
    :: i < MAKERS ->
        atomic { if :: ring[i] != 0 -> ring[i]--; got = true; i = MAKERS :: else -> i++ fi }
    :: else -> i = 0; break
    od;
    if :: got -> goto found :: else fi;

    /* steal_next: a maker computes in the end, and has switched to nobody. */
    do
    :: v < MAKERS && next_one[v] -> break
    :: v < MAKERS -> v++
    :: v == MAKERS -> v = 0; goto retires
    od;
    odd = dozing;
    if
    :: odd % 2 == 0 ->
        atomic { if :: dozing == odd -> dozing = (odd + 1) % 8 :: else fi };
        odd = (odd + 1) % 8
    :: else
    fi;
    /* It dozes, for as long as the others take. */
    atomic { if :: dozing == odd -> dozing = (odd + 1) % 8 :: else fi; odd = 0 };
    atomic { if :: next_one[v] -> next_one[v] = false; got = true :: else fi; v = 0 };
    if :: got -> goto found :: else fi;

retires:
    /* retire_p */
    atomic {
        if
        :: global != 0 -> goto looks
        :: else -> nidle++; p = false
        fi
    };
#ifdef LOOK_FIRST
    look_everywhere(some);
    if :: spins -> nspinning-- :: else fi;
#else
    if :: spins -> nspinning-- :: else fi;
    look_everywhere(some);
#endif
    if
    :: some -> atomic { take_idle(p) }
    :: else
    fi;
    some = false;
    if
    :: p ->
        if :: spins -> nspinning++ :: else fi;
        goto looks
    :: else
    fi;
    spins = false;
    asleep[_pid - FIRST] = true;
sleeps:
end_sleeps:
    atomic {
        handed[_pid - FIRST] ->
        p = true;
        handed[_pid - FIRST] = false;
        spins = given_spinning[_pid - FIRST]
    };
    goto looks;

found:
    if
    :: spins ->
        spins = false;
        nspinning--;
#ifndef NO_CHAIN
        wake_for_work(odd, q, ok)
#endif
    :: else
    fi;
    running++;
end_computes:
    false
}

proctype outside()
{
    byte odd, q, i;
    bool ok;

#ifdef LATE
    wake_for_work(odd, q, ok);
    global++
#else
    global++;
    wake_for_work(odd, q, ok)
#endif
}

/* If it can not end, somebody sleeps over work. */
proctype all_run()
{
    running == (WORK < FREE -> WORK : FREE) || too_few
}

init {
    byte k;

    atomic {
        k = 0;
        do
        :: k < MS ->
            asleep[k] = k >= PS;
            if
            :: k < MAKERS -> run m(1)
            :: k >= MAKERS && k < MAKERS + BLOCKS -> run m(2)
            :: k >= MAKERS + BLOCKS && k < PS -> run m(0)
            :: k >= PS -> run m(3)
            fi;
            k++
        :: else -> break
        od;
#if OUTSIDE
        run outside();
#endif
        run all_run()
    }
}
