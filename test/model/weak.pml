/* Weak references: what is got is not freed while it is held, and is got again.
 *
 * Answers for: gort_weak_get and weak_clear in gc/weak.c (Note [Getting from a weak reference]),
 * specials_enter in gc/specials.c, and for what these ask of others: span_ensure_swept, a stop that waits for
 * the end of critical sections, a stop at the end of marking that looks into the barrier buffers.
 *
 * One object in one span, one handle.  A slot of memory points to the object (strong) until a
 * mutator overwrites it, with the deletion barrier.  Getters get from the handle, hold the object for a
 * while, and get again.  The collector runs cycles; a sweeper sweeps, unless a getter does.  That the
 * slot is reused by another object shows as `freed`.  Left out: the order of memory (the code's
 * acquires and releases are those of the sweep generation), and marking itself: what is reachable in STW 1 is
 * marked, and what is shaded.
 *
 * CHECK two-getters
 *
 * BREAK trust-the-unswept NO_SWEEP assertion
 * BREAK first-read-counts NO_SECOND_READ assertion
 * BREAK cleared-late LATE_CLEAR assertion
 * BREAK no-shading NO_SHADE assertion
 * BREAK no-look-at-buffers NO_LOOK assertion
 * BREAK a-stop-between NO_SECTION assertion
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#define GETTERS 2
#define ROUNDS 2 /* of each getter */
#define CYCLES 2

#define OFF 0
#define MARK 1

#define NEEDS 0 /* the span's generation */
#define SWEEPING 1
#define SWEPT 2

byte phase = OFF;
byte span = SWEPT;
byte sections;      /* threads inside one */
bool strong = true;
bool handle = true; /* holds the address */
bool held[GETTERS];
bool marked, buffer, freed;

#ifdef NO_SECTION
#define enter() skip
#define leave() skip
#else
#define enter() sections++
#define leave() sections--
#endif

inline sweep()
{
    if
    :: !marked ->
#ifdef LATE_CLEAR
        freed = true;
        span = SWEPT;
        handle = false
#else
        handle = false;
        freed = true
#endif
    :: else
    fi;
    span = SWEPT
}

inline ensure_swept()
{
    if
    :: atomic { span == NEEDS -> span = SWEEPING }; sweep()
    :: span == SWEEPING -> span == SWEPT
    :: span == SWEPT
    fi
}

inline get(me)
{
    saw = handle; /* G1 */
    if
    :: saw ->
        enter();
#ifndef NO_SWEEP
        ensure_swept(); /* G2 */
#endif
#ifndef NO_SECOND_READ
        saw = handle; /* G3 */
#endif
#ifndef NO_SHADE
        if
        :: saw && phase == MARK -> buffer = true /* G4 */
        :: else
        fi;
#endif
        held[me] = saw;
        leave()
    :: else
    fi
}

proctype getter(byte me)
{
    bool saw;
    byte n;

    do
    :: n < ROUNDS ->
        n++;
        get(me);
        if
        :: saw ->
            assert(!freed);
            get(me); /* still held: the same */
            assert(saw && !freed);
            atomic { held[me] = false; saw = false }
        :: else
        fi
    :: n == ROUNDS -> break
    od
}

proctype mutator()
{
    atomic {
        strong = false;
        if
        :: phase == MARK -> buffer = true
        :: else
        fi
    }
}

proctype sweeper()
{
end:
    do
    :: span == NEEDS ->
        sections++;
        if
        :: atomic { span == NEEDS -> span = SWEEPING }; sweep()
        :: span != NEEDS
        fi;
        sections--
    od
}

proctype collector()
{
    byte n;

    do
    :: n < CYCLES ->
        span == SWEPT;
        atomic { /* STW 1 */
            sections == 0 ->
            phase = MARK;
            buffer = false;
            marked = strong || held[0] || held[1]
        };
        do
        :: atomic { /* STW 2 */
            sections == 0 ->
#ifndef NO_LOOK
            if
            :: buffer -> buffer = false; marked = true /* marking goes on */
            :: else -> phase = OFF; span = NEEDS; break
            fi
#else
            buffer = false; phase = OFF; span = NEEDS; break
#endif
           }
        od;
        n++
    :: n == CYCLES -> break
    od
}

init {
    atomic { run getter(0); run getter(1); run mutator(); run sweeper(); run collector() }
}
