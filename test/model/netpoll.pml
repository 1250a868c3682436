/* The word of one direction of a descriptor: no edge, kick, close or deadline is lost, and a goroutine that
 * waits is made ready once for each time that it parks, by one of them.
 *
 * Answers for: the diagram, Note [No edge is lost] and Note [One winner] of sched/netpoll.c: netpoll_arm,
 * word_publish, word_set_ready, word_reset, commit_wait_until, wait_expired, netpoll_kick and
 * desc_reused_locked.
 *
 * One goroutine reads until it has had all that arrives (or the descriptor is closed, or it was kicked away, or
 * its time is over); the kernel lets data arrive, each with an edge; a poller handles edges, later than they
 * came. A kick belongs to no arrival: what was set before it is seen by whoever looks again. The other
 * direction's wait may find that the number means another file, and begins the word anew. Left out: the
 * table of records, the sequence numbers of events (an old one only wakes for nothing), and how memory is
 * ordered, since each step on the word is one atomic operation.
 *
 * CHECK arrivals ARRIVALS=3
 * CHECK kicked ARRIVALS=1 KICK=1
 * CHECK kicked-while-begun-anew ARRIVALS=0 KICK=1 ANEW=1
 * CHECK closed ARRIVALS=2 CLOSE=1
 * CHECK deadline ARRIVALS=1 DEADLINE=1
 * CHECK all ARRIVALS=1 KICK=1 CLOSE=1 DEADLINE=1 ANEW=1
 *
 * BREAK armed-after-reading ARM_LATE ARRIVALS=2 deadlock
 * BREAK edge-without-waiter-forgotten NO_READY ARRIVALS=2 deadlock
 * BREAK published-plainly PUBLISH_PLAINLY ARRIVALS=2 deadlock
 * BREAK published-before-saving PUBLISH_EARLY ARRIVALS=2 assertion
 * BREAK taken-plainly TAKE_PLAINLY ARRIVALS=1 DEADLINE=1 assertion
 * BREAK timer-added-before TIMER_EARLY ARRIVALS=0 DEADLINE=1 deadlock
 * BREAK timer-not-removed NO_REMOVE ARRIVALS=2 DEADLINE=1 assertion
 * BREAK kicked-before-it-is-told KICK_FIRST ARRIVALS=0 KICK=1 deadlock
 * BREAK kick-forgotten-by-beginning-anew ANEW_IDLE ARRIVALS=0 KICK=1 ANEW=1 deadlock
 * BREAK closing-forgets-the-waiter NO_CANCEL ARRIVALS=0 CLOSE=1 deadlock
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef ARRIVALS
#define ARRIVALS 1
#endif

#define CLOSED 0
#define IDLE 1
#define READY 2
#define WAITER 3 /* the goroutine */

#define RUNNING 0
#define WAITING 1

#define BY_EDGE 0
#define BY_CLOSE 1
#define BY_TIME 2

byte word = IDLE;
byte status = RUNNING;
bool saved;       /* its registers */
byte result;      /* wake_param */
byte data;        /* arrived and not read */
byte edges;       /* that the poller has yet to handle */
bool told;        /* what a kick is about */
bool added;       /* the timer is in its heap */
bool frame;       /* of the wait that it belongs to */
bool done;
bool heap_lock;

inline lock_heap()
{
    atomic { !heap_lock -> heap_lock = true }
}

inline wake(by)
{
    atomic { assert(status == WAITING && saved); saved = false; result = by; status = RUNNING }
}

/* word_set_ready; `was` is the caller's. */
inline set_ready(was)
{
#ifdef TAKE_PLAINLY
    was = word;
    if
    :: was == IDLE || was == WAITER -> word = READY
    :: else
    fi;
#else
    atomic {
        was = word;
        if
#ifdef NO_READY
        :: was == WAITER -> word = READY
#else
        :: was == IDLE || was == WAITER -> word = READY
#endif
        :: else
        fi
    };
#endif
    if
    :: was == WAITER -> wake(BY_EDGE)
    :: else
    fi
}

/* word_reset */
inline reset(to, was)
{
    atomic { was = word; word = to };
    if
#ifndef NO_CANCEL
    :: was == WAITER -> wake(BY_CLOSE)
#endif
    :: else
    fi
}

inline arm()
{
    atomic {
        if
        :: word == READY -> word = IDLE
        :: else
        fi }
}

/* commit_wait_until: parked tells. */
inline publish(parked)
{
#ifdef PUBLISH_PLAINLY
    word = WAITER;
    parked = true
#else
    atomic {
        parked = word == IDLE;
        if
        :: parked -> word = WAITER
        :: else -> result = (word == READY -> BY_EDGE : BY_CLOSE)
        fi }
#endif
}

inline park(parked)
{
    status = WAITING;
    frame = true;
#ifndef PUBLISH_EARLY
    saved = true;
#endif
#ifdef DEADLINE
    lock_heap();
    added = true;
#ifdef TIMER_EARLY
    heap_lock = false;
#endif
#endif
    publish(parked);
#ifdef DEADLINE
#ifdef TIMER_EARLY
    lock_heap();
#endif
    if
    :: !parked -> added = false
    :: else
    fi;
    heap_lock = false;
#endif
#ifdef PUBLISH_EARLY
    saved = true;
#endif
    if
    :: parked -> status == RUNNING
    :: else -> atomic { saved = false; status = RUNNING }
    fi;
#ifdef DEADLINE
#ifndef NO_REMOVE
    lock_heap();
    added = false;
    heap_lock = false;
#endif
#endif
    frame = false
}

proctype goroutine()
{
    bool parked, nothing;
    byte had;

    do
    :: had == ARRIVALS && ARRIVALS != 0 -> break
    :: else ->
#ifndef ARM_LATE
        arm();
#endif
        if
        :: told -> break
        :: else
        fi;
        atomic { /* the system call */
            nothing = data == 0;
            had = had + data;
            data = 0
        };
#ifdef ARM_LATE
        arm();
#endif
        if
        :: nothing ->
            if
            :: word == IDLE -> park(parked)
            :: word == READY -> result = BY_EDGE
            :: word == CLOSED -> result = BY_CLOSE
            fi;
            if
            :: result != BY_EDGE -> break
            :: else
            fi
        :: else
        fi
    od;
    done = true
}

proctype kernel()
{
    byte n;
    do
    :: n < ARRIVALS -> atomic { data++; edges++; n++ }
    :: else -> break
    od
}

proctype poller()
{
    byte was;
end:
    do
    :: atomic { edges > 0 -> edges-- };
       set_ready(was)
    od
}

proctype timer()
{
    bool mine;
end:
    do
    :: atomic { added && !heap_lock -> heap_lock = true };
       if
       :: added ->
           assert(frame);
           added = false;
           atomic {
               mine = word == WAITER;
               if
               :: mine -> word = IDLE
               :: else
               fi
           };
           if
           :: mine -> wake(BY_TIME)
           :: else
           fi
       :: else
       fi;
       heap_lock = false
    od
}

proctype kicker()
{
    byte was;
#ifdef KICK_FIRST
    set_ready(was);
    told = true
#else
    told = true;
    set_ready(was)
#endif
}

/* Beginning anew cancels who waits, as the end of the file that it waited for. */
proctype other_direction()
{
    byte was;
end:
#ifdef ANEW_IDLE
    atomic { word != CLOSED -> was = word; word = IDLE };
#else
    atomic { word != CLOSED -> was = word; word = READY };
#endif
    if
    :: was == WAITER -> wake(BY_CLOSE)
    :: else
    fi
}

proctype closer()
{
    byte was;
    reset(CLOSED, was)
}

init {
    atomic {
        run goroutine();
        run kernel();
        run poller();
#ifdef DEADLINE
        run timer();
#endif
#ifdef KICK
        run kicker();
#endif
#ifdef ANEW
        run other_direction();
#endif
#ifdef CLOSE
        run closer();
#endif
    };
    done
}
