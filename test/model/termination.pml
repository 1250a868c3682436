/* The end of marking: the stop that ends a cycle never ends one while something reachable is not
 * marked, and the cycle always ends.
 *
 * Work lies in the global lists (of grey objects, of words that nobody has looked at, of stacks
 * with a rest), in root jobs that nobody has taken, in barrier buffers of Ps and of threads without
 * a P, and, while a marker is in its section, in its local buffer and its hand. Ps run the program
 * (which loads, stores with the deletion half of the barrier, and turns a weak reference into a
 * pointer), markers in sections, and goroutines whose stack they must scan first; a stopped thread
 * scans its own stack when it is released.
 *
 * Answers for: Note [Snapshot] from "Nothing depends on" on, Note [Who ends a cycle] and Note
 * [Stops that end marking] in gc/cycle.c; mark_some, marker_release, mark_looks_done, mark_end_stw
 * in gc/mark.c; worker_run and workers_wanted in gc/worker.c; gc_try_end and end_stopped in
 * gc/cycle.c; Note [Deep stacks] in gc/stackroots.c, the order of its counts apart. It comes to
 * this:
 *
 *   1. Who marks is in a section, counted in `working`; before it is counted out it gives all that
 *      it has to the global lists.
 *   2. That nothing seems left (`working`, own stacks and unfinished stacks are 0, then the lists
 *      are empty) is a hint. Who has seen it takes the lock, looks again, and stops the world,
 *      which waits for sections.
 *   3. The stop empties all barrier buffers, and marks for some steps. A stack that is not done, or
 *      more work than that, lets the world go on: what the stop has not marked is in the lists.
 *   4. What has been marked but not queued, for want of memory, is looked for in the stop that
 *      would end.
 *   5. Work, or that nothing seems left, is a reason to run a marker. Not all markers look for the
 *      end: who has paid what it owed does not.
 *
 * There is no ragged barrier, as Go has one, over all Ps before the stop: the stop itself looks. So
 * the hint may be wrong, as it is in the variant early-hint, where markers are counted out before
 * they give their work away.
 *
 * That it ends is shown as the absence of deadlock, and by a bound: each stop that restarts the
 * world has marked some of finitely many objects, or found a stack that is not done. Memory is
 * sequentially consistent: the counts and the lock are.
 *
 * Left out: several objects in one buffer entry, oblets, the number of entries, words that lead to
 * nothing and the number of looks at such (mark.lenient), several cycles; how stops are done
 * (stop.pml); that the barrier is enough (barrier.pml).
 *
 * CHECK two-ps
 * CHECK deep-stack DEEP
 * CHECK thread-without-p THREAD OPS=1
 * CHECK weak WEAK OPS=1
 * CHECK no-memory OVERFLOW OPS=1
 * CHECK early-hint EARLY OPS=1
 * CHECK three-ps PS=3 OPS=1 SHORT
 *
 * BREAK no-look-in-the-stop NO_LOOK assertion
 * BREAK barrier-buffers-kept BUFFERS_KEPT assertion
 * BREAK thread-buffers-kept THREAD_KEPT THREAD assertion
 * BREAK stacks-not-awaited STACKS_NOT_AWAITED DEEP assertion
 * BREAK own-stacks-not-awaited OWN_NOT_AWAITED THREAD assertion
 * BREAK section-interrupted INTERRUPTIBLE assertion
 * BREAK local-buffers-kept LOCAL_KEPT assertion
 * BREAK stop-keeps-its-rest STOP_KEEPS assertion
 * BREAK not-looked-for NO_RESCAN OVERFLOW OPS=1 assertion
 * BREAK ended-twice NO_RECHECK assertion
 * BREAK nobody-for-the-end NO_END_WANTED deadlock
 * BREAK waits-in-its-section LOCK_IN_SECTION deadlock
 * BREAK rest-not-listed REST_NOT_LISTED DEEP deadlock
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
#define STEPS 2    /* of marking in a stop, that find something */
#define RESTARTS 8 /* two for each object that may be found in a stop are more than enough */

/* A list 1 -> 2 -> 3, of which 1 is a global; 4 on a parked goroutine's stack; 5 on that of a
 * thread without a P; 6 weak. */
#define OBJECTS 7
#define NONE 0
#define ROOT 1
#define LONE_OBJECT 5
#define WEAK_OBJECT 6

#define WHITE 0
#define GREY 1 /* marked, not scanned */
#define BLACK 2
#define BIT(o) (1 << (o))

/* of the parked goroutine's stack */
#define UNSCANNED 0
#define CLAIMED 1
#define LEFT 2 /* its first piece is scanned */
#define SCANNED 3

byte next[OBJECTS];
byte color[OBJECTS];
byte have[OWNERS];   /* the pointer that the program has there, on a stack that was scanned */
byte logged[OWNERS]; /* barrier buffers: sets of objects */
byte held[PS];      /* markers' buffers: grey objects */
bool section[OWNERS];
byte queue, words;    /* global lists: grey objects; words */
byte working;        /* markers in sections that may hold work */
byte own_stacks, unfinished;
byte stack, stack_holds;
bool listed;         /* the stack has a rest, and is on the list */
bool data_job = true, stack_job = true; /* not taken yet */
bool overflow, lock, stopped, done;
byte ops, turns, restarts;

#define RUNS (!stopped)
#define HAS_WORK (queue != 0 || words != 0 || data_job || stack_job || listed)
#ifdef OWN_NOT_AWAITED
#define OWN_DONE true
#else
#define OWN_DONE (own_stacks == 0)
#endif
#ifdef STACKS_NOT_AWAITED
#define STACKS_DONE true
#else
#define STACKS_DONE (unfinished == 0)
#endif
#define LOOKS_DONE (working == 0 && OWN_DONE && STACKS_DONE && !HAS_WORK)
#ifdef NO_END_WANTED
#define WANTED (!done && HAS_WORK)
#else
#define WANTED (!done && (HAS_WORK || LOOKS_DONE))
#endif

#ifdef INTERRUPTIBLE
#define NO_SECTION true
#elif PS == 2
#define NO_SECTION (!section[0] && !section[1] && !section[LONE])
#else
#define NO_SECTION (!section[0] && !section[1] && !section[2] && !section[LONE])
#endif
/* In its section a thread goes on while a stop waits for it, and stands still in the stop only
 * where the stop does not wait. */
#ifdef INTERRUPTIBLE
#define MOVES RUNS
#else
#define MOVES true
#endif

inline any_of(o, set)
{
    if
    :: set & BIT(1) -> o = 1
    :: set & BIT(2) -> o = 2
    :: set & BIT(3) -> o = 3
    :: set & BIT(4) -> o = 4
    :: set & BIT(5) -> o = 5
    :: set & BIT(6) -> o = 6
    fi;
    set = set & ~BIT(o)
}

/* A word is looked at: a white object is marked, and goes to `list`. */
inline mark(o, list)
{
    if
    :: o != NONE && color[o] == WHITE ->
        color[o] = GREY;
        if
        :: list = list | BIT(o)
#ifdef OVERFLOW
        :: overflow = true
#endif
        fi
    :: else
    fi
}

inline scan(o, list)
{
    color[o] = BLACK;
    o = next[o];
    mark(o, list);
    o = NONE
}

/* A piece of the claimed stack, whole if it is not deep. */
inline scan_piece(first)
{
#ifdef DEEP
    if
    :: atomic { first -> unfinished++ };
        atomic {
            stack = LEFT;
#ifndef REST_NOT_LISTED
            listed = true
#endif
        }
    :: !first ->
        atomic { words = (words | BIT(stack_holds)) & ~1 };
        atomic { unfinished--; stack = SCANNED }
    fi
#else
    atomic { MOVES -> words = (words | BIT(stack_holds)) & ~1 };
    atomic { MOVES -> stack = SCANNED }
#endif
}

/* ---- the end of marking ---------------------------------------------------------------------- */

/* mark_looks_done: in this order. */
inline look(yes)
{
    yes = false;
    if
    :: atomic { RUNS && working != 0 }
    :: atomic { RUNS && working == 0 };
        if
        :: atomic { RUNS && (!OWN_DONE || !STACKS_DONE) }
        :: atomic { RUNS && OWN_DONE && STACKS_DONE };
            if
            :: atomic { RUNS && HAS_WORK }
            :: atomic { RUNS && !HAS_WORK -> yes = true }
            fi
        fi
    fi
}

inline flush_all()
{
    i = 0;
    do
    :: i < OWNERS ->
#ifdef BUFFERS_KEPT
        if
        :: i < PS -> skip
        :: else -> words = words | logged[i]; logged[i] = 0
        fi;
#else
#ifdef THREAD_KEPT
        if
        :: i == LONE -> break
        :: else
        fi;
#endif
        words = words | logged[i];
        logged[i] = 0;
#endif
        i++
    :: else -> break
    od;
    i = 0
}

/* marker_step: found: it has marked or scanned something.  any: there was something.  Root jobs
 * have all been taken: they do not come back, and who has the lock has seen none. */
inline stop_step()
{
    any = true;
    if
    :: set != 0 -> any_of(o, set); scan(o, set); found++
    :: set == 0 && words != 0 ->
        any_of(o, words);
        if
        :: color[o] == WHITE -> found++
        :: else
        fi;
        mark(o, set);
        o = NONE
    :: set == 0 && words == 0 && queue != 0 -> any_of(o, queue); set = BIT(o); o = NONE
    :: else -> any = false
    fi
}

/* World stopped: whatever was left, as far as it goes.  any: it does not end here. */
inline look_in_the_stop()
{
    any = false;
#ifndef NO_LOOK
    flush_all();
    if
    :: !OWN_DONE || !STACKS_DONE -> any = true
    :: else ->
        found = 0;
        set = 0;
        any = true;
        do
        :: any && found < STEPS -> stop_step()
        :: else -> break
        od;
#ifndef STOP_KEEPS
        queue = queue | set;
#endif
        set = 0;
        found = 0
    fi
#endif
}

inline rescan()
{
#ifdef NO_RESCAN
    skip
#else
    do
    :: overflow ->
        overflow = false;
        i = 1;
        do
        :: i < OBJECTS ->
            if
            :: color[i] == GREY -> o = i; scan_whole()
            :: else
            fi;
            i++
        :: else -> break
        od
    :: else -> break
    od;
    i = 0
#endif
}

/* The rescan has a queue, which may have no memory again; then it comes back. */
inline scan_whole()
{
    color[o] = BLACK;
    o = next[o];
    if
    :: o != NONE && color[o] == WHITE -> color[o] = GREY; overflow = true
    :: else
    fi;
    o = NONE
}

inline check_reachable()
{
    set = BIT(ROOT);
    i = 0;
    do
    :: i < OWNERS -> set = set | BIT(have[i]); i++
    :: else -> break
    od;
    if
    :: stack != SCANNED -> set = set | BIT(stack_holds)
    :: else
    fi;
    if
    :: own_stacks != 0 -> set = set | BIT(LONE_OBJECT)
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

/* gc_try_end.  Who waits for the lock counts as stopped. */
inline try_to_end()
{
#ifdef LOCK_IN_SECTION
    atomic { RUNS -> section[me] = true };
    atomic { RUNS && !lock -> lock = true; section[me] = false };
#else
    atomic { RUNS && !lock -> lock = true };
#endif
    look(any);
#ifndef NO_RECHECK
    if
    :: done -> any = false
    :: else
    fi;
#endif
    if
    :: atomic { RUNS && !any -> lock = false }
    :: atomic { NO_SECTION && any -> stopped = true };
        atomic {
            assert(!done);
            look_in_the_stop();
            if
            :: any -> restarts++; assert(restarts <= RESTARTS)
            :: else -> rescan(); check_reachable(); done = true
            fi;
            any = false;
            stopped = false;
            lock = false
        }
    fi
}

/* ---- Ps -------------------------------------------------------------------------------------- */

/* mark_some, in a section. */
inline mark_some()
{
    do
    :: atomic { MOVES && held[me] != 0 -> any_of(hand, held[me]) };
        atomic { MOVES -> scan(hand, held[me]) }
    :: atomic { MOVES && words != 0 -> any_of(o, words); mark(o, held[me]); o = NONE }
    :: atomic { MOVES && held[me] == 0 && queue != 0 ->
        any_of(o, queue);
        held[me] = BIT(o);
        o = NONE }
    :: atomic { MOVES && data_job -> data_job = false; o = ROOT; mark(o, held[me]); o = NONE }
    :: atomic { MOVES && stack_job -> stack_job = false; mine = stack == UNSCANNED;
            if
            :: mine -> stack = CLAIMED
            :: else
            fi };
        if
        :: mine -> scan_piece(true); mine = false
        :: else
        fi
#ifdef DEEP
    :: atomic { listed -> listed = false; mine = stack == LEFT;
            if
            :: mine -> stack = CLAIMED
            :: else
            fi };
        if
        :: mine -> scan_piece(false); mine = false
        :: else
        fi
#endif
    :: atomic { MOVES && held[me] != 0 -> /* others starve */
        queue = queue | held[me];
        held[me] = 0 }
    :: atomic { MOVES -> break } /* the budget is used up, or there is no more */
    od;
#ifdef EARLY
    working--;
#endif
#ifndef LOCAL_KEPT
    atomic { MOVES -> queue = queue | held[me]; held[me] = 0 };
#endif
#ifndef EARLY
    atomic { MOVES -> working-- };
#endif
    section[me] = false
}

proctype p(byte me)
{
    byte o, i, set, hand, found;
    bool any, mine;

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
    /* The buffer is queue.  Nobody who logs is counted in `working`. */
    :: atomic { RUNS && !done && logged[me] != 0 -> words = words | logged[me]; logged[me] = 0 }
    /* The parked goroutine is switched to: its stack is scanned first, a piece; a rest is left to
     * markers, for the turn is over.  Once. */
    :: atomic { RUNS && !done && turns == 0 && (stack == UNSCANNED || stack == LEFT) ->
            turns++;
            mine = stack == UNSCANNED;
            stack = CLAIMED;
            section[me] = true };
        scan_piece(mine);
#ifdef DEEP
        if
        :: atomic { mine -> section[me] = false; mine = false }
        :: atomic { !mine -> have[me] = stack_holds; section[me] = false }
        fi
#else
        atomic { MOVES -> mine = false; have[me] = stack_holds; section[me] = false }
#endif
    /* A marker: a worker, or who allocates.  Some look whether this was the end. */
    :: atomic { RUNS && WANTED -> section[me] = true; working++ };
        mark_some();
        if
        :: look(any);
            if
            :: any -> try_to_end()
            :: else
            fi
        :: true
        fi
    :: atomic { done -> break }
    od
}

#ifdef THREAD
/* A thread that computes without a P: it was stopped, and begins with its own stack. */
proctype lone()
{
    atomic { RUNS -> section[LONE] = true };
    words = words | BIT(LONE_OBJECT);
    atomic { own_stacks--; have[LONE] = LONE_OBJECT; section[LONE] = false };
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
        if
        :: stack_holds = 4
        :: stack_holds = NONE
        fi;
#ifdef THREAD
        own_stacks = 1;
        run lone();
#endif
        run p(0);
        run p(1);
#if PS == 3
        run p(2)
#endif
    }
}
