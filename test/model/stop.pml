/* Stopping the world: when the stopper goes on nobody touches collected memory, no stop is lost, and
 * everybody goes on afterwards.
 *
 * Threads run user code, critical sections, the scheduler and blocking regions in every order; some of
 * them stop the world. Each step is one access to memory that others see.
 *
 * Answers for: Note [Thread states], m_stop_wait, crit_exit_slow, signal_all, wait_for_all, world_stop,
 * world_start in sched/stw.c; on_stop_signal in sched/preempt.c; m_enter_blocking_state and
 * m_leave_blocking_state in sched/m.c; execute in sched/proc.c; crit_exit in sched/sched.h.
 *
 * A thread's plain store of its state waits in a store buffer, of one entry, until anything drains it:
 * time, an exchange, a signal, the stopper's membarrier. What others store is atomic there, or
 * followed by an exchange, so no more is needed. A signal's handler runs at any instruction of its
 * thread, and not inside itself. A futex word's sleepers are flags: a wait compares and sleeps in one
 * step, as the kernel does. Nothing has a time limit: what the program does after a second's wait, to
 * look again, may not be needed.
 *
 * Lost stops are found as deadlocks: a thread that has no stop of its own to do may compute until all
 * stops are over, and only a stop can interrupt that.
 *
 * With HANDLER_BLOCKS the handler also takes its time in BLOCKING, after a stop or when only its P was
 * asked for, and a thread that was stopped may scan its own stack before it goes on (retake,
 * settle_outer_frames and blocking_is_over in sched/preempt.c, m_scan_own in sched/stw.c); in between
 * it may wake others in BLOCKING (kick_blocking in sched/grey.c).
 *
 * Left out: the semaphore between stoppers is a word that is waited for; who gets a P that was taken;
 * threads that come and go; roll-back (barrier.pml).
 *
 * CHECK membarrier
 * CHECK three-stops FIRST=2
 * CHECK three-threads THREADS=3 SECOND=0 MEMBARRIER_ALWAYS
 * CHECK signals-alone SIGNALS_ALONE FIRST=2
 * CHECK handler-blocks HANDLER_BLOCKS FIRST=2
 *
 * The epoch of an acknowledgement is not needed for this: whoever goes on from an earlier stop looks
 * again after it has changed its state. And were there a membarrier in each stop, the exchange of who
 * enters BLOCKING could be a plain store; as it is it could not.
 *
 * CHECK no-acknowledgement NO_ACK FIRST=2
 * CHECK enter-plainly-with-membarrier ENTER_PLAINLY MEMBARRIER_ALWAYS FIRST=2
 *
 * BREAK no-membarrier NO_MEMBARRIER deadlock
 * BREAK neither NEITHER deadlock
 * BREAK enter-user-blindly NO_LOOK deadlock
 * BREAK look-before-user LOOK_FIRST deadlock
 * BREAK section-tests-first TEST_FIRST deadlock
 * BREAK section-clears-last CLEAR_LAST FIRST=2 deadlock
 * BREAK no-pending NO_PENDING deadlock
 * BREAK signal-before-store SIGNAL_FIRST deadlock
 * BREAK no-signal NO_SIGNAL deadlock
 * BREAK leave-blocking-blindly LEAVE_BLINDLY assertion
 * BREAK leave-blocking-plainly LEAVE_PLAINLY SIGNALS_ALONE assertion
 * BREAK leave-plainly-with-some LEAVE_PLAINLY assertion deadlock
 * BREAK enter-plainly-with-some ENTER_PLAINLY deadlock
 * BREAK enter-blocking-silently ENTER_SILENTLY deadlock
 * BREAK enter-blocking-plainly ENTER_PLAINLY SIGNALS_ALONE deadlock
 * BREAK stop-silently STOP_SILENTLY deadlock
 * BREAK stop-once STOP_ONCE FIRST=2 deadlock
 * BREAK progress-read-late PROGRESS_LATE deadlock
 * BREAK wake-one WAKE_ONE THREADS=3 SECOND=0 deadlock
 * BREAK wake-nobody WAKE_NOBODY deadlock
 * BREAK counted-when-asleep COUNT_LATE deadlock
 * BREAK count-read-early COUNT_EARLY deadlock
 * BREAK goes-on-at-once NO_WAIT assertion
 * BREAK handler-goes-on-blindly HANDLER_BLOCKS NO_LOOK_AFTER FIRST=2 deadlock
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef THREADS
#define THREADS 2
#endif
/* Stops that each thread does. */
#ifndef FIRST
#define FIRST 1
#endif
#ifndef SECOND
#define SECOND 1
#endif
#define STOPS (FIRST + SECOND)

#define RUNTIME 0
#define USER 1
#define BLOCKING 2
#define STOPPED 3
#define EMPTY 4

byte state[THREADS];        /* as the others see it */
byte store_buffer[THREADS]; /* a state on its way there */
byte ack[THREADS];
byte depth[THREADS];   /* of critical sections */
bool pending[THREADS]; /* bit 31 of the same word */
bool signal[THREADS];  /* sent, not delivered */
bool handling[THREADS];
bool asleep[THREADS];  /* on world_stopping */
byte sleepers;         /* that are, or are about to be */

byte world_stopping, epoch, semaphore;
byte progress;
bool stopper_sleeping; /* what it says */
bool stopper_asleep;   /* what it does, on progress */

bool stopped; /* the stopper has gone on */
byte stops;   /* that are over */

#define MAY_TOUCH(t) assert(!stopped || world_owner == (t))
byte world_owner;

inline drain(t)
{
    if
    :: store_buffer[t] != EMPTY -> state[t] = store_buffer[t]; store_buffer[t] = EMPTY
    :: else
    fi
}

inline store_plain(t, s)
{
    drain(t);
    store_buffer[t] = s
}

inline exchange(t, s)
{
    store_buffer[t] = EMPTY;
    state[t] = s
}

#define OWN_STATE(t) (store_buffer[t] != EMPTY -> store_buffer[t] : state[t])

/* Instructions of thread t, and of its handler. */
#define T (!handling[me])
#define H true

/* world_note_progress */
inline note(ON)
{
    atomic { ON -> drain(me); progress++ };
    atomic { ON ->
        if
        :: stopper_sleeping -> stopper_asleep = false
        :: else
        fi }
}

/* world_sleep */
inline sleep_over(ON)
{
#ifndef COUNT_LATE
    atomic { ON -> drain(me); sleepers++ };
#endif
    if
    :: atomic { ON && world_stopping == e -> asleep[me] = true };
#ifdef COUNT_LATE
       atomic { ON -> sleepers++ };
#endif
       atomic { ON && !asleep[me] -> sleepers-- } /* at once: later it only wakes nobody */
#ifdef COUNT_LATE
    :: atomic { ON && world_stopping != e }
#else
    :: atomic { ON && world_stopping != e -> sleepers-- }
#endif
    fi
}

/* m_stop_wait; e is a local variable of the process */
inline stop_wait(ON, then)
{
    do
    :: atomic { ON && world_stopping == 0 -> e = 0; break }
    :: atomic { ON && world_stopping != 0 -> e = world_stopping; ack[me] = e };
       atomic { ON -> exchange(me, STOPPED) };
#ifndef STOP_SILENTLY
       note(ON);
#endif
       do
       :: atomic { ON && world_stopping == e }; sleep_over(ON)
       :: atomic { ON && world_stopping != e };
          if
          :: break
#ifdef HANDLER_BLOCKS
          :: atomic { ON -> exchange(me, RUNTIME) }; /* m_scan_own: a piece */
             atomic { ON -> MAY_TOUCH(me) };
             if
             :: skip
             :: enter_blocking(ON); leave_blocking(ON, RUNTIME); /* kick_blocking */
                atomic { ON -> MAY_TOUCH(me) }
             fi;
             if
             :: break /* black */
             :: atomic { ON && world_stopping == 0 -> break } /* further pieces, black in the end */
             :: atomic { ON && world_stopping != 0 -> e = world_stopping; ack[me] = e };
                atomic { ON -> exchange(me, STOPPED) };
                note(ON)
             fi
#endif
          fi
       od;
       atomic { ON -> exchange(me, then) };
#ifdef STOP_ONCE
       e = 0;
       break
#endif
    od
}

inline enter_blocking(ON)
{
#ifdef ENTER_PLAINLY
    atomic { ON -> store_plain(me, BLOCKING) };
#else
    atomic { ON -> exchange(me, BLOCKING) };
#endif
    if
    :: atomic { ON && world_stopping == 0 }
    :: atomic { ON && world_stopping != 0 };
#ifndef ENTER_SILENTLY
       note(ON)
#endif
    fi
}

inline leave_blocking(ON, s)
{
    do
#ifdef LEAVE_PLAINLY
    :: atomic { ON -> store_plain(me, s) };
#else
    :: atomic { ON -> exchange(me, s) };
#endif
       if
#ifdef LEAVE_BLINDLY
       :: atomic { ON -> break }
#else
       :: atomic { ON && world_stopping == 0 -> break }
       :: atomic { ON && world_stopping != 0 -> e = world_stopping };
          enter_blocking(ON);
          sleep_over(ON);
          e = 0
#endif
       fi
    od
}

/* ---- the handler: on_stop_signal ------------------------------------------------------------------- */

proctype handler(byte me)
{
    byte e;

end:
    do
    :: atomic { signal[me] && !handling[me] -> signal[me] = false; handling[me] = true; drain(me) };
       if
       :: atomic { world_stopping == 0 -> handling[me] = false }
#ifdef HANDLER_BLOCKS
       :: atomic { world_stopping == 0 && depth[me] == 0 && OWN_STATE(me) == USER } ;
                enter_blocking(H); leave_blocking(H, RUNTIME);
                atomic { H -> MAY_TOUCH(me) };
                atomic { H -> exchange(me, USER) };
#ifndef NO_LOOK_AFTER
                stop_wait(H, USER);
#endif
                handling[me] = false
#endif
       :: atomic { world_stopping != 0 };
          if
          :: atomic { depth[me] != 0 ->
#ifndef NO_PENDING
                 pending[me] = true;
#endif
                 handling[me] = false }
          :: atomic { depth[me] == 0 && OWN_STATE(me) != USER -> handling[me] = false }
          :: atomic { depth[me] == 0 && OWN_STATE(me) == USER };
             stop_wait(H, USER);
             if
             :: handling[me] = false
#ifdef HANDLER_BLOCKS
             :: enter_blocking(H); leave_blocking(H, RUNTIME);
                atomic { H -> MAY_TOUCH(me) };
                atomic { H -> exchange(me, USER) };
#ifndef NO_LOOK_AFTER
                stop_wait(H, USER);
#endif
                handling[me] = false
#endif
             fi
          fi
       fi
    od
}

/* ---- the stopper's side: world_stop, world_start ----------------------------------------------------- */

#define HAS_STOPPED(t) (state[t] == BLOCKING || (state[t] == STOPPED && ACKED(t)))
#ifdef NO_ACK
#define ACKED(t) true
#else
#define ACKED(t) (ack[t] == epoch)
#endif

/* With a membarrier none enters USER unseen. */
bool fenced;

#ifdef NEITHER
#define TO_SIGNAL(t) (state[t] == USER)
#else
#define TO_SIGNAL(t) (state[t] == USER || (state[t] == RUNTIME && !fenced))
#endif

inline signal_all()
{
    i = 0;
    do
    :: atomic { i < THREADS ->
           if
           :: i != me && TO_SIGNAL(i) ->
#ifndef NO_SIGNAL
               signal[i] = true
#endif
           :: else
           fi;
           i++ }
    :: atomic { i == THREADS -> i = 0; break }
    od
}

inline drain_all()
{
    i = 0;
    do
    :: atomic { i < THREADS ->
#ifndef NO_MEMBARRIER
           drain(i);
#endif
           i++ }
    :: atomic { i == THREADS -> i = 0; break }
    od
}

/* many_in_runtime is a guess, which may be wrong: it goes either way, whoever is in which state. */
inline membarrier()
{
#ifdef SIGNALS_ALONE
    skip
#else
    if
    :: drain_all(); fenced = true
#ifndef MEMBARRIER_ALWAYS
    :: skip
#endif
    fi
#endif
}

/* i becomes THREADS when all have stopped. */
inline look_at_all()
{
    i = 0;
    do
    :: atomic { i < THREADS && (i == me || HAS_STOPPED(i)) -> i++ }
    :: atomic { i < THREADS && i != me && !HAS_STOPPED(i) -> break }
    :: i == THREADS -> break
    od
}

inline wait_for_all()
{
    do
    :: seen = progress;
       look_at_all();
       if
       :: i == THREADS -> atomic { i = 0; seen = 0; break }
       :: else -> i = 0
       fi;
#ifdef PROGRESS_LATE
       seen = progress;
#endif
       stopper_sleeping = true;
       if
       :: atomic { progress == seen -> stopper_asleep = true };
          !stopper_asleep
       :: progress != seen
       fi;
       stopper_sleeping = false
    od
}

inline wake_all()
{
    i = 0;
#ifndef WAKE_NOBODY
    do
    :: i < THREADS ->
#ifdef WAKE_ONE
        if
        :: asleep[i] -> asleep[i] = false; break
        :: else
        fi;
#endif
        asleep[i] = false; i++
    :: else -> break
    od;
#endif
    i = 0
}

inline stop_the_world()
{
    if
    :: atomic { T && semaphore == 0 -> semaphore = 1 }
    :: atomic { T && semaphore != 0 };
       enter_blocking(T);
       atomic { T && semaphore == 0 -> semaphore = 1 };
       leave_blocking(T, USER)
    fi;
#ifdef SIGNAL_FIRST
    signal_all();
#endif
    atomic { T -> drain(me); epoch++; world_stopping = epoch };
    membarrier();
#ifndef SIGNAL_FIRST
    signal_all();
#endif
#ifndef NO_WAIT
    wait_for_all();
#endif
    atomic { T -> world_owner = me; stopped = true };
    atomic { T -> stopped = false; fenced = false };
#ifdef COUNT_EARLY
    seen = sleepers;
    atomic { T -> world_stopping = 0; progress = 0 };
#else
    atomic { T -> world_stopping = 0; progress = 0 };
    seen = sleepers;
#endif
    atomic { T ->
        if
        :: seen != 0 -> wake_all()
        :: else
        fi;
        seen = 0;
        semaphore = 0;
        stops++ }
}

/* ---- threads ---------------------------------------------------------------------------------------- */

proctype thread(byte me, quota)
{
    byte e, i, seen;

runtime: /* in a section, with a P or looking for one */
    do
    :: atomic { T -> MAY_TOUCH(me) }
    :: atomic { T && world_stopping != 0 }; stop_wait(T, RUNTIME) /* m_stop_point */
    :: enter_blocking(T); leave_blocking(T, RUNTIME)                  /* m_stop */
    :: atomic { T -> break }                                      /* execute */
    od;

#ifdef LOOK_FIRST
    atomic { T -> pending[me] = pending[me] || world_stopping != 0 };
#endif
    atomic { T -> store_plain(me, USER) };
#if !defined(NO_LOOK) && !defined(LOOK_FIRST)
    atomic { T -> pending[me] = pending[me] || world_stopping != 0 };
#endif

leave_section:
#ifdef TEST_FIRST
    if
    :: atomic { T && pending[me] -> goto slow }
    :: atomic { T && !pending[me] }
    fi;
    atomic { T -> depth[me]--; goto user };
#else
    if
    :: atomic { T && !pending[me] -> depth[me]--; goto user }
    :: atomic { T && pending[me] -> depth[me]-- }
    fi;
    if
    :: atomic { T && pending[me] }
    :: atomic { T && !pending[me] -> goto user } /* UNREACHED: only the thread itself clears it */
    fi;
#endif
slow: /* crit_exit_slow */
#ifndef TEST_FIRST
    atomic { T -> depth[me]++ };
#endif
#ifdef CLEAR_LAST
    if
    :: atomic { T && world_stopping != 0 }; stop_wait(T, USER)
    :: atomic { T && world_stopping == 0 }
    fi;
    atomic { T -> pending[me] = false };
#else
    atomic { T -> pending[me] = false };
    if
    :: atomic { T && world_stopping != 0 }; stop_wait(T, USER)
    :: atomic { T && world_stopping == 0 }
    fi;
#endif
    goto leave_section;

user:
    do
    :: atomic { T -> MAY_TOUCH(me) }
    :: atomic { T && quota == 0 };
       atomic { T && stops == STOPS } /* computes until then */
    :: atomic { T -> depth[me]++ };
       atomic { T -> MAY_TOUCH(me) };
       if
       :: goto leave_section
       :: atomic { T -> store_plain(me, RUNTIME) }; goto runtime
       :: enter_blocking(T); leave_blocking(T, USER); goto leave_section
       :: atomic { quota != 0 -> quota-- }; stop_the_world(); goto leave_section
       :: atomic { quota == 0 && T -> exchange(me, BLOCKING); goto ends }
       fi
    od;

ends: /* a thread without work for ever */
    if
    :: atomic { T && world_stopping == 0 }
    :: atomic { T && world_stopping != 0 };
       note(T)
    fi
}

/* Stores reach the others in time. */
proctype memory()
{
end:
    do
    :: atomic { store_buffer[0] != EMPTY -> drain(0) }
    :: atomic { store_buffer[1] != EMPTY -> drain(1) }
#if THREADS == 3
    :: atomic { store_buffer[2] != EMPTY -> drain(2) }
#endif
    od
}

init {
    byte i;
    atomic {
        do
        :: i < THREADS ->
            store_buffer[i] = EMPTY; state[i] = RUNTIME; depth[i] = 1;
            run handler(i);
            i++
        :: else -> break
        od;
        run memory();
        run thread(0, FIRST);
        run thread(1, SECOND);
#if THREADS == 3
        run thread(2, 0)
#endif
    }
}
