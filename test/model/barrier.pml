/* The write barrier: no object that the program can reach is ever freed.
 *
 * Goroutines load, store, drop, allocate, take from a channel's buffer, and read and write a variable
 * on another goroutine's stack, while a collector stops the world, marks beside them and stops it
 * again. After the second stop everything reachable must be marked; what is not is freed, and may be
 * allocated anew in the next cycle.
 *
 * Answers for: gort_set in gort/inline.h (test and store, one restartable range) and on_stop_signal
 * in sched/preempt.c (the roll-back); gort_store_pointer_slow and barrier_flush_all_stw in
 * gc/barrier.c (Note [Test and store are one]); the rules 2, 3 and 4 of marking beside the program: a
 * stack is scanned before its next instruction, the hybrid barrier, allocation in black.
 *
 * Left out: how stops and the distribution of work are done (stop.pml, termination.pml); types and
 * sizes: an object is one word. Memory is sequentially consistent: what a stop orders, and what is
 * ordered by the slow half's being a critical section, is all that the protocol relies on.
 *
 * A stop is one step, since nothing runs meanwhile: it waits until nobody is in a critical section,
 * and finds goroutines inside the range, which it rolls back, or between any two other instructions.
 *
 * CHECK hybrid
 * CHECK hybrid-three MUTATORS=3 OPS=3
 * CHECK shared-stacks SHARED_STACKS OPS=3
 * CHECK two-cycles CYCLES=2 OPS=3
 *
 * With every stack scanned before its next instruction, shading what is overwritten is enough. And
 * the second test of the flag, in the section, saves work only: what was logged in vain is shaded by
 * the next cycle before it frees anything.
 *
 * CHECK deletion-alone DELETION_ONLY
 * CHECK deletion-alone-shared DELETION_ONLY SHARED_STACKS OPS=3
 * CHECK no-second-test NO_RETEST CYCLES=2 OPS=3
 *
 * What goes wrong when a part is left out. Without the rule of grey stacks the hybrid barrier holds
 * as long as stacks are private, as in the original; not when others may read and write them.
 *
 * BREAK no-deletion NO_DELETION assertion
 * BREAK no-rollback NO_ROLLBACK assertion
 * BREAK store-before-test STORE_FIRST assertion
 * BREAK store-outside-section STORE_OUTSIDE CYCLES=2 OPS=3 assertion
 * BREAK no-grey-rule NO_GREY_RULE SHARED_STACKS OPS=3 assertion
 * BREAK no-grey-rule-deletion-alone NO_GREY_RULE DELETION_ONLY assertion
 * BREAK no-flush NO_FLUSH assertion
 * BREAK allocate-white ALLOCATE_WHITE assertion
 * BREAK give-unshaded GIVE_UNSHADED SHARED_STACKS assertion
 * BREAK take-unshaded TAKE_UNSHADED assertion
 * BREAK stacks-not-awaited STACKS_NOT_AWAITED assertion
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef MUTATORS
#define MUTATORS 2
#endif
#ifndef OPS
#define OPS 4 /* stores, loads and so on, of all goroutines together */
#endif
#ifndef CYCLES
#define CYCLES 1
#endif

/* Objects; 0 stands for the globals, which nothing points to, so that 0 in a slot means none. */
#define OBJECTS 4
#define GLOBALS 0
#define NONE 0

/* What a stack holds: a variable that others may access, and the registers of a store. */
#define SHARED 0
#define OBJECT 1
#define VALUE 2
#define OLD 3
#define WORDS 4

#define WHITE 0
#define GREY 1
#define BLACK 2
#define FREE 3

#define BIT(o) (1 << (o))

typedef stack {
    byte word[WORDS]
}

stack stacks[MUTATORS];
byte field[OBJECTS];
byte color[OBJECTS];
bool barrier_on;
bool unscanned[MUTATORS]; /* the stack was not scanned in this cycle */
bool scanning[MUTATORS];  /* somebody is at it */
byte logged;              /* what the barrier buffers hold: objects, a bit each */
bool section[MUTATORS];   /* in a critical section */
bool range[MUTATORS];     /* between the test and the store of the fast half */
bool rolled[MUTATORS];    /* a stop came there */
bool marking;
byte cycle;
byte ops;

#ifdef NO_GREY_RULE
#define RUNS(g) (!scanning[g])
#else
#define RUNS(g) (!unscanned[g] && !scanning[g])
#endif

inline shade(o)
{
    assert((o) == NONE || color[o] != FREE);
    if
    :: (o) != NONE && color[o] == WHITE -> color[o] = GREY
    :: else
    fi
}

inline log_pair(old, new)
{
#ifndef NO_DELETION
    logged = (logged | BIT(old)) & ~1;
#endif
#ifndef DELETION_ONLY
    logged = (logged | BIT(new)) & ~1;
#endif
    skip
}

/* A slot is an object's field, or above these a goroutine's shared variable. */
#define STACK_SLOT(g) (OBJECTS + (g))

inline read_slot(into, slot)
{
    if
    :: slot < OBJECTS -> into = field[slot]
    :: else -> into = stacks[slot - OBJECTS].word[SHARED]
    fi
}

inline write_slot(slot, value)
{
    if
    :: slot < OBJECTS -> field[slot] = value
    :: else -> stacks[slot - OBJECTS].word[SHARED] = value
    fi
}

inline flush()
{
    o = 1;
    do
    :: o < OBJECTS ->
        if
        :: logged & BIT(o) -> shade(o)
        :: else
        fi;
        o++
    :: else -> break
    od;
    logged = 0
}

inline scan_whole(g)
{
    o = 0;
    do
    :: o < WORDS -> shade(stacks[g].word[o]); o++
    :: else -> break
    od;
    unscanned[g] = false
}

inline scan_registers(g)
{
    o = OBJECT;
    do
    :: o < WORDS -> shade(stacks[g].word[o]); o++
    :: else -> break
    od;
    unscanned[g] = false
}

/* ---- goroutines ---------------------------------------------------------------------------------- */

/* The word of one's own stack; slot and value of a store are registers, which are scanned as well. */
#define MINE(w) stacks[me].word[w]

inline store_ends()
{
    MINE(OBJECT) = NONE;
    MINE(VALUE) = NONE;
    MINE(OLD) = NONE;
    slot = 0
}

proctype goroutine(byte me)
{
    byte slot, o, old;

end:
    do
    :: atomic { ops < OPS && RUNS(me) && MINE(SHARED) != NONE -> ops++; MINE(SHARED) = NONE }
    /* Loads, from the globals and through the pointer that one has. */
    :: atomic { ops < OPS && RUNS(me) -> ops++; MINE(SHARED) = field[GLOBALS] }
    :: atomic { ops < OPS && RUNS(me) && MINE(SHARED) != NONE ->
                ops++; MINE(SHARED) = field[MINE(SHARED)] }
#ifdef SHARED_STACKS
    /* From another goroutine's variable. */
    :: atomic { ops < OPS && RUNS(me) -> ops++; MINE(SHARED) = stacks[(me + 1) % MUTATORS].word[SHARED] }
#endif
    :: atomic { ops < OPS && RUNS(me) ->
        ops++;
        o = (color[1] == FREE -> 1 : (color[2] == FREE -> 2 : 3));
        if
        :: color[o] == FREE ->
            field[o] = NONE;
#ifdef ALLOCATE_WHITE
            color[o] = WHITE;
#else
            color[o] = (barrier_on -> BLACK : WHITE);
#endif
            MINE(SHARED) = o
        :: else
        fi;
        o = 0 }
    /* An element leaves a channel's buffer, under its lock, in a critical section. */
    :: atomic { ops < OPS && RUNS(me) && field[GLOBALS] != NONE ->
        ops++;
#ifndef TAKE_UNSHADED
        if
        :: barrier_on -> log_pair(field[GLOBALS], NONE)
        :: else
        fi;
#endif
        MINE(SHARED) = field[GLOBALS];
        field[GLOBALS] = NONE }
    /* A store: of what one has or of nothing; into the globals, an object, another's variable. */
    :: atomic { ops < OPS && RUNS(me) ->
        ops++;
        if
        :: MINE(VALUE) = MINE(SHARED)
        :: MINE(VALUE) = NONE
        fi;
        if
        :: slot = GLOBALS
        :: MINE(SHARED) != NONE -> MINE(OBJECT) = MINE(SHARED); slot = MINE(SHARED)
#ifdef SHARED_STACKS
        :: slot = STACK_SLOT((me + 1) % MUTATORS)
#endif
        fi };
#ifdef STORE_FIRST
        atomic { RUNS(me) -> read_slot(MINE(OLD), slot) };
        atomic { RUNS(me) -> write_slot(slot, MINE(VALUE)) };
        atomic { RUNS(me) ->
            if
            :: barrier_on -> log_pair(MINE(OLD), MINE(VALUE))
            :: else
            fi;
            store_ends() }
#else
again:
        atomic { RUNS(me) ->
            rolled[me] = false;
#ifdef GIVE_UNSHADED
            if
            :: slot >= OBJECTS -> write_slot(slot, MINE(VALUE)); store_ends(); goto end
            :: else
            fi;
#endif
            if
            :: barrier_on -> goto slow
            :: else -> range[me] = true
            fi };
        atomic { RUNS(me) ->
            range[me] = false;
#ifndef NO_ROLLBACK
            if
            :: rolled[me] -> goto again
            :: else
            fi;
#endif
            write_slot(slot, MINE(VALUE));
            store_ends();
            goto end };
slow:
        atomic { RUNS(me) ->
            section[me] = true;
            read_slot(old, slot);
#ifdef NO_RETEST
            log_pair(old, MINE(VALUE));
#else
            if
            :: barrier_on -> log_pair(old, MINE(VALUE))
            :: else
            fi;
#endif
            old = NONE;
#ifdef STORE_OUTSIDE
            section[me] = false
#endif
            };
        atomic { RUNS(me) ->
            write_slot(slot, MINE(VALUE));
            store_ends();
            section[me] = false }
#endif
    /* Released after the first stop, or switched to: one scans one's own stack. */
    :: atomic { unscanned[me] && !scanning[me] -> scan_whole(me); o = 0 }
    od
}

/* ---- the collector -------------------------------------------------------------------------------- */

inline roll_back_all()
{
    g = 0;
    do
    :: g < MUTATORS -> rolled[g] = range[g]; g++
    :: else -> break
    od
}

inline stop_one()
{
    barrier_on = true;
    marking = true;
    color[GLOBALS] = GREY;
    roll_back_all();
    g = 0;
    do
    :: g < MUTATORS -> unscanned[g] = true; g++
    :: else -> break
    od
}

/* Everything reachable, as bits, by going over the objects as often as there are any. */
inline reach(set)
{
    set = BIT(GLOBALS);
    g = 0;
    do
    :: g < MUTATORS ->
        o = 0;
        do
        :: o < WORDS -> set = set | BIT(stacks[g].word[o]); o++
        :: else -> break
        od;
        g++
    :: else -> break
    od;
    g = 0;
    do
    :: g < OBJECTS ->
        o = 0;
        do
        :: o < OBJECTS ->
            if
            :: set & BIT(o) -> set = set | BIT(field[o])
            :: else
            fi;
            o++
        :: else -> break
        od;
        g++
    :: else -> break
    od
}

/* The property; then the sweep. */
inline sweep()
{
    reach(set);
    o = 1;
    do
    :: o < OBJECTS ->
        assert(!(set & BIT(o)) || color[o] == BLACK);
        if
        :: color[o] == WHITE -> color[o] = FREE; field[o] = NONE
        :: color[o] == BLACK -> color[o] = WHITE
        :: else
        fi;
        o++
    :: else -> break
    od;
    set = 0
}

#define IS_GREY(o) (color[o] == GREY)
#define NOTHING_GREY (!IS_GREY(0) && !IS_GREY(1) && !IS_GREY(2) && !IS_GREY(3))
#if MUTATORS == 2
#define NO_SECTION (!section[0] && !section[1])
#define STACKS_SCANNED (!unscanned[0] && !unscanned[1])
#else
#define NO_SECTION (!section[0] && !section[1] && !section[2])
#define STACKS_SCANNED (!unscanned[0] && !unscanned[1] && !unscanned[2])
#endif
#ifdef STACKS_NOT_AWAITED
#define NOTHING_LEFT NOTHING_GREY
#else
#define NOTHING_LEFT (NOTHING_GREY && STACKS_SCANNED)
#endif

proctype collector()
{
    byte g, o, set, grey, value;

    do
    :: atomic { !marking && NO_SECTION && cycle < CYCLES -> stop_one(); g = 0 }
    /* An object is read, and later what was read is shaded. */
    :: atomic { marking && !NOTHING_GREY ->
        if
        :: IS_GREY(0) -> grey = 0
        :: IS_GREY(1) -> grey = 1
        :: IS_GREY(2) -> grey = 2
        :: IS_GREY(3) -> grey = 3
        fi;
        value = field[grey] };
        atomic { shade(value); color[grey] = BLACK; grey = 0; value = 0 }
    /* Of a full buffer some word is shaded; who fills which one does not matter. */
    :: atomic { marking && logged != 0 ->
        if
        :: logged & BIT(1) -> o = 1
        :: logged & BIT(2) -> o = 2
        :: logged & BIT(3) -> o = 3
        fi;
        shade(o); logged = logged & ~BIT(o); o = 0 }
    /* A parked goroutine's stack, word for word, while others may write its variable. */
    :: atomic { marking && !STACKS_SCANNED ->
        if
        :: unscanned[0] && !scanning[0] -> g = 0
        :: unscanned[1] && !scanning[1] -> g = 1
#if MUTATORS == 3
        :: unscanned[2] && !scanning[2] -> g = 2
#endif
        fi;
        scanning[g] = true; value = stacks[g].word[SHARED] };
        atomic { shade(value); value = 0; scan_registers(g); scanning[g] = false; g = 0; o = 0 }
    :: atomic { marking && NOTHING_LEFT && NO_SECTION ->
#ifndef NO_FLUSH
        flush();
#endif
        if
        :: NOTHING_GREY ->
            sweep();
            barrier_on = false;
            marking = false;
            cycle++
        :: else /* what the buffers held: marking goes on */
        fi;
        roll_back_all();
        g = 0; o = 0 }
    :: cycle == CYCLES -> break
    od
}

init {
    atomic {
        color[3] = FREE;
        field[GLOBALS] = 1;
        if
        :: field[1] = 2
        :: stacks[0].word[SHARED] = 2
        fi;
        run goroutine(0);
        run goroutine(1);
#if MUTATORS == 3
        run goroutine(2);
#endif
        run collector()
    }
}
