/* The end of marking: the second stop never ends a cycle while something reachable is not marked, and
 * the cycle always ends.
 *
 * Work lies in many places: in the global list, in the local buffers of Ps, in the barrier buffers of
 * Ps and of threads without a P, in a marker's hand, on a stack that was not scanned yet. Ps run the
 * program (which loads, stores with the deletion half of the barrier, and turns a weak reference into
 * a pointer) and workers, which come and go; the last worker to find nothing to do tries to end the
 * cycle.
 *
 * Answers for: the protocol of the mark termination that marking beside the program needs (DESIGN:
 * "ragged barrier until nothing is left, STW 2"; rules 2, 12, 14), as gcMarkDone of the original has
 * it. It comes to this:
 *
 *   1. `waiting` counts workers without work. Who makes it the number of all workers, or scans the last
 *      stack, takes the lock and looks: all wait, the global list is empty, every stack is scanned.
 *   2. Then the ragged barrier: each P empties its barrier buffer and its local buffer into the global
 *      list, outside critical sections, or has it done while nobody has the P; and says whether it has
 *      made work public since the last round, then or before. If one has: back to 1, with the lock.
 *   3. Stop the world; empty all barrier buffers, those of threads without a P too. If work is found:
 *      start the world, back to 1.
 *   4. Who finds at 1 that there is work lets go of the lock; whoever does that work comes back here,
 *      and waits for the lock rather than try it, without keeping its P from taking part.
 *   5. A P with work in its local buffer starts a worker, if none runs there.
 *
 * That it ends is shown as the absence of deadlock: each round that fails has made some of finitely
 * many objects grey. Memory is sequentially consistent: the counts and the lock are.
 *
 * Left out: several objects in one buffer entry, the number of entries, oblets; how stops are done
 * (stop.pml); that the barrier is enough (barrier.pml).
 *
 * CHECK two-ps
 * CHECK thread-without-p THREAD
 * CHECK three-ps PS=3 OPS=1 SHORT STEADY
 * CHECK weak WEAK STEADY
 *
 * The ragged barrier alone is enough when all barrier buffers are Ps' and nothing makes a weak
 * reference a pointer; otherwise the second stop must look again. If it does, a P need not say in a
 * round what it made public before.
 *
 * CHECK ragged-alone NO_SECOND_LOOK
 * CHECK forgetful-with-second-look FORGETFUL
 *
 * BREAK no-second-look NO_SECOND_LOOK WEAK assertion
 * BREAK forgetful FORGETFUL NO_SECOND_LOOK assertion
 * BREAK one-round ONE_ROUND NO_SECOND_LOOK assertion
 * BREAK no-ragged-barrier NO_RAGGED NO_SECOND_LOOK assertion
 * BREAK stacks-not-awaited STACKS_NOT_AWAITED assertion
 * BREAK scan-silently SCAN_SILENTLY deadlock
 * BREAK marker-interrupted INTERRUPTIBLE WEAK assertion
 * BREAK barrier-buffers-kept BUFFERS_KEPT assertion
 * BREAK thread-buffers-kept THREAD_KEPT THREAD assertion
 * BREAK lock-tried TRY_LOCK deadlock
 * BREAK gives-up GIVES_UP deadlock
 * BREAK waits-deaf DEAF deadlock
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef PS
#define PS 2
#endif
#ifndef OPS
#define OPS 2 /* that the program does, on all Ps together */
#endif
#define OWNERS (PS + 1) /* of barrier buffers: Ps, and a thread without one */
#define LONE PS

/* A list 1 -> 2 -> 3, of which 1 is a global; 4 on a stack not scanned; 5 weak, or nowhere. */
#define OBJECTS 6
#define NONE 0
#define ROOT 1
#define WEAK_OBJECT 5

#define WHITE 0
#define GREY 1
#define BLACK 2
#define BIT(o) (1 << (o))

byte next[OBJECTS];
byte color[OBJECTS];
byte have[OWNERS];     /* the pointer that the program has there, on a stack that was scanned */
byte logged[OWNERS];   /* barrier buffers: sets of objects */
byte buffer[PS];       /* grey objects */
bool published[PS];    /* it has made work public since the last round */
bool asked[PS];        /* to take part in the round */
bool section[OWNERS];
bool working[PS];
byte global;           /* grey objects */
byte waiting;          /* workers without work */
byte stack_holds;      /* of the goroutine that waits for its scan */
bool unscanned, claimed;
bool lock, found, stopped, done;
byte ops;

#define RUNS (!stopped)
#define WORK_AT(p) (global != 0 || buffer[p] != 0)
#ifdef STEADY
#define MAY_GO_AWAY(p) (!WORK_AT(p))
#else /* fractional workers do, with work left in the P's buffer */
#define MAY_GO_AWAY(p) (!WORK_AT(p) || buffer[p] != 0)
#endif

inline any_of(o, set)
{
    if
    :: set & BIT(1) -> o = 1
    :: set & BIT(2) -> o = 2
    :: set & BIT(3) -> o = 3
    :: set & BIT(4) -> o = 4
    :: set & BIT(5) -> o = 5
    fi
}

/* White objects of the set become grey, in `list`. */
inline shade_all(set, list)
{
    o = 1;
    do
    :: o < OBJECTS ->
        if
        :: (set & BIT(o)) && color[o] == WHITE -> color[o] = GREY; list = list | BIT(o)
        :: else
        fi;
        o++
    :: else -> break
    od;
    set = 0;
    o = NONE
}

/* P p's part in a round; nobody is in a section there. */
inline take_part(p)
{
#ifndef BUFFERS_KEPT
    shade_all(logged[p], buffer[p]);
#endif
    if
    :: buffer[p] != 0 -> global = global | buffer[p]; buffer[p] = 0; published[p] = true
    :: else
    fi;
    found = found || published[p];
    published[p] = false;
    asked[p] = false
}

/* ---- the end of marking: on P me ------------------------------------------------------------------- */

inline all_take_part()
{
    found = false;
#ifndef NO_RAGGED
    i = 0;
    do
    :: i < PS && i == me -> atomic { take_part(me); i++ }
    :: i < PS && i != me -> atomic { asked[i] = true; i++ }
    :: i == PS -> break
    od;
    i = 0;
    do
    :: atomic { i < PS && !asked[i] -> i++ }
    :: atomic { i == PS -> i = 0; break }
    od
#endif
}

/* World stopped: is there anything left? */
inline second_look()
{
    o = NONE;
#ifndef NO_SECOND_LOOK
    i = 0;
    do
    :: i < OWNERS ->
#ifdef BUFFERS_KEPT
        skip;
#else
#ifdef THREAD_KEPT
        if
        :: i == LONE -> break
        :: else
        fi;
#endif
        shade_all(logged[i], global);
#endif
        if
        :: i < PS -> global = global | buffer[i]; buffer[i] = 0
        :: else
        fi;
        i++
    :: else -> break
    od;
    i = 0;
#ifdef STACKS_NOT_AWAITED
    found = global != 0
#else
    found = global != 0 || unscanned
#endif
#else
    found = false
#endif
}

inline reachable(set)
{
    set = BIT(ROOT);
    i = 0;
    do
    :: i < OWNERS -> set = set | BIT(have[i]); i++
    :: else -> break
    od;
    if
    :: unscanned -> set = set | BIT(stack_holds)
    :: else
    fi;
    i = 0;
    do
    :: i < OBJECTS ->
        o = 1;
        do
        :: o < OBJECTS ->
            if
            :: set & BIT(o) -> set = set | BIT(next[o])
            :: else
            fi;
            o++
        :: else -> break
        od;
        i++
    :: else -> break
    od;
    i = 0;
    o = 1;
    do
    :: o < OBJECTS -> assert(!(set & BIT(o)) || color[o] == BLACK); o++
    :: else -> break
    od;
    o = NONE;
    set = 0
}

#ifdef STACKS_NOT_AWAITED
#define NOTHING_LEFT (waiting == PS && global == 0)
#else
#define NOTHING_LEFT (waiting == PS && global == 0 && !unscanned)
#endif

#ifdef INTERRUPTIBLE
#define NO_SECTION true
#elif PS == 2
#define NO_SECTION (!section[0] && !section[1] && !section[LONE])
#else
#define NO_SECTION (!section[0] && !section[1] && !section[2] && !section[LONE])
#endif

inline try_to_end()
{
    /* A goroutine that waits for the lock leaves its P to others. */
    do
    :: atomic { RUNS && !lock -> lock = true; break }
#ifdef TRY_LOCK
    :: atomic { RUNS && lock -> break }
#endif
#ifndef DEAF
    :: atomic { RUNS && asked[me] -> take_part(me) }
#endif
    :: atomic { done -> break }
    od;
    do
    :: atomic { RUNS && (!NOTHING_LEFT || done) -> lock = false; break }
    :: atomic { RUNS && NOTHING_LEFT && !done };
        all_take_part();
        if
#ifndef ONE_ROUND
#ifdef GIVES_UP
        :: atomic { found -> lock = false; break }
#else
        :: found
#endif
        :: !found ->
#else
        :: true ->
#endif
            atomic { RUNS && NO_SECTION -> stopped = true; second_look() };
            if
            :: atomic { found -> stopped = false }
            :: atomic { !found -> reachable(set); done = true; stopped = false }
            fi
        fi
    od
}

/* ---- Ps ---------------------------------------------------------------------------------------------- */

proctype p(byte me)
{
    byte o, i, set, hand;

    do
    /* The program: along the list, cut it, put what it has there. */
    :: atomic { RUNS && ops < OPS -> ops++; have[me] = next[ROOT] }
    :: atomic { RUNS && ops < OPS && next[have[me]] != NONE -> ops++; have[me] = next[have[me]] }
    :: atomic { RUNS && ops < OPS && next[ROOT] != NONE ->
        ops++;
        logged[me] = logged[me] | BIT(next[ROOT]);
        next[ROOT] = NONE }
    :: atomic { RUNS && ops < OPS && have[me] != NONE ->
        ops++;
        logged[me] = (logged[me] | BIT(next[ROOT])) & ~1;
        next[ROOT] = have[me] }
#ifdef WEAK
    :: atomic { RUNS && ops < OPS && !done ->
        ops++;
        logged[me] = logged[me] | BIT(WEAK_OBJECT);
        have[me] = WEAK_OBJECT }
#endif
    :: atomic { RUNS && logged[me] != 0 -> /* the buffer is full */
        shade_all(logged[me], buffer[me]) }
    /* A goroutine that waits for its scan is switched to, or a worker scans it. */
    :: atomic { RUNS && unscanned && !claimed -> claimed = true; section[me] = true };
        atomic { set = BIT(stack_holds) & ~1; shade_all(set, buffer[me]); have[me] = stack_holds };
        atomic { unscanned = false; section[me] = false };
#ifndef SCAN_SILENTLY
        if
        :: waiting == PS -> try_to_end()
        :: else
        fi
#endif
    /* A worker. */
    :: atomic { RUNS && !working[me] && WORK_AT(me) -> working[me] = true; waiting-- }
    :: atomic { RUNS && working[me] && buffer[me] != 0 ->
        section[me] = true;
        any_of(hand, buffer[me]);
        buffer[me] = buffer[me] & ~BIT(hand) };
        atomic {
#ifdef INTERRUPTIBLE
            RUNS ->
#endif
            set = BIT(next[hand]) & ~1;
            shade_all(set, buffer[me]);
            color[hand] = BLACK;
            hand = NONE;
            section[me] = false }
    :: atomic { RUNS && working[me] && buffer[me] == 0 && global != 0 ->
        any_of(o, global);
        global = global & ~BIT(o);
        buffer[me] = BIT(o);
        o = NONE }
    :: atomic { RUNS && working[me] && buffer[me] != 0 -> /* others starve */
        global = global | buffer[me];
        buffer[me] = 0;
#ifndef FORGETFUL
        published[me] = true
#endif
        }
    :: atomic { RUNS && working[me] && MAY_GO_AWAY(me) -> working[me] = false; waiting++ };
        if
        :: waiting == PS -> try_to_end()
        :: else
        fi
    :: atomic { RUNS && asked[me] -> take_part(me) }
    :: atomic { done -> break }
    od
}

#ifdef THREAD
/* A thread that computes without a P. */
proctype lone()
{
    do
    :: atomic { RUNS && ops < OPS -> ops++; have[LONE] = next[ROOT] }
    :: atomic { RUNS && ops < OPS ->
        ops++;
        logged[LONE] = (logged[LONE] | BIT(next[ROOT])) & ~1;
        next[ROOT] = NONE }
    :: atomic { done -> break }
    od
}
#endif

init {
    atomic {
        next[1] = 2;
#ifndef SHORT
        next[2] = 3;
#endif
        color[1] = GREY; global = BIT(1);
        unscanned = true;
        if
        :: stack_holds = 4
        :: stack_holds = NONE
        fi;
        waiting = PS;
        run p(0);
        run p(1);
#if PS == 3
        run p(2);
#endif
#ifdef THREAD
        run lone()
#endif
    }
}
