/* Readers of a rwmutex that count themselves in cells of their threads: no reader is inside beside
 * a writer, everybody gets in, nobody who came is told that he did not, and who did not is told.
 *
 * Answers for: lang/rwcells.c with Note [Spread readers] and Note [Readers of former objects], and
 * for what lang/rwmutex.c does with them.
 *
 * Two threads, one bucket. A reader comes on either and goes on either: it was moved meanwhile, or
 * another goroutine unlocks. Somebody opens cells now and then, where he can; the bucket is taken
 * over by another object. LEFT: a former object at this address left the bucket with open cells,
 * and a reader in one. MISTAKE: somebody leaves who never came. A compare-and-swap may fail
 * without reason: a thread that reads the cell before somebody else changed it.
 *
 * CHECK readers-and-a-writer
 * CHECK bucket-is-taken-over THIEF FEWER
 * CHECK former-object LEFT THIEF FEWER
 * CHECK mistake MISTAKE
 *
 * BREAK writer-does-not-fold NO_FOLD assertion
 * BREAK opened-beside-a-writer NO_MUTEX assertion deadlock
 * BREAK sign-and-cells-before-phantom SIGN_FIRST assertion
 * BREAK sign-goes-last SIGN_GOES_LAST deadlock assertion
 * BREAK phantom-goes-before-closing PHANTOM_GOES_FIRST assertion
 * BREAK fold-does-not-look-again NO_LOOK assertion deadlock
 * BREAK no-lock NO_LOCK assertion deadlock
 * BREAK look-at-the-tag-then-add TAG_THEN_ADD assertion deadlock
 * BREAK readers-taken-over THIEF FEWER TAKE_READERS assertion deadlock
 * BREAK fold-takes-from-another-object THIEF FEWER NOT_OWNER assertion deadlock
 * BREAK former-readers-stay LEFT FEWER KEEP_FORMER deadlock
 * BREAK former-readers-go-late LEFT FEWER FORMER_LATE assertion
 * BREAK nobody-told MISTAKE NO_FOLD_ON_LEAVING assertion
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#define WRITER 64
#define PHANTOM 16
#define SPREAD 8
#define SIGN 32 /* in departing */
#define RW 1    /* who a bucket belongs to, and a cell's tag */
#define OTHER 2

#ifdef FEWER
#define OPENINGS 1
#else
#define OPENINGS 2
#endif

short word;               /* rw->readers */
short departing;
bool mutex;               /* rw->writers */
byte reader_sema, writer_sema;
byte owner;               /* of the bucket */
bool bucket;              /* its lock */
byte tag[2];              /* of the cells; 0: closed */
byte n[2];

byte inside;              /* readers, as they see it */
bool writing, told;
byte done;

inline lock_bucket()
{
#ifdef NO_LOCK
    skip
#else
    atomic { !bucket -> bucket = true }
#endif
}

inline unlock_bucket() { bucket = false }

/* close_locked; the former contents are added to sum. */
inline close(sum)
{
    atomic { sum = sum + n[0]; tag[0] = 0; n[0] = 0 };
    atomic { sum = sum + n[1]; tag[1] = 0; n[1] = 0 }
}

inline open(t)
{
    atomic { if :: tag[0] == 0 -> tag[0] = t :: else fi };
    atomic { if :: tag[1] == 0 -> tag[1] = t :: else fi }
}

/* take_over_locked: from object t, unless a reader of it is in a cell. */
inline take_over(t, closed)
{
#ifdef TAKE_READERS
    atomic { tag[0] = 0; n[0] = 0 };
    atomic { tag[1] = 0; n[1] = 0; closed = true }
#else
    atomic { if :: n[0] == 0 -> tag[0] = 0; closed = true :: else -> closed = false fi };
    if
    :: closed -> atomic { if :: n[1] == 0 -> tag[1] = 0 :: else -> closed = false fi }
    :: else
    fi;
    if
    :: closed
    :: else -> open(t)
    fi
#endif
}

inline fold(sum, r)
{
    lock_bucket();
#ifdef NO_LOOK
    if
    :: true ->
#else
    if
    :: word >= SPREAD ->
#endif
        sum = 0;
#ifndef SIGN_GOES_LAST
        departing = departing - SIGN;
#endif
#ifdef PHANTOM_GOES_FIRST
        word = word - PHANTOM;
#endif
#ifdef NOT_OWNER
        close(sum);
#else
        if
        :: owner == RW -> close(sum); owner = 0
        :: else
        fi;
#endif
#ifdef PHANTOM_GOES_FIRST
        atomic { word = word + sum; r = word };
#else
        atomic { word = word + sum - PHANTOM; r = word };
#endif
#ifdef SIGN_GOES_LAST
        departing = departing - SIGN;
#endif
        sum = 0;
        unlock_bucket();
        if :: r < 0 -> fatal() :: else fi
#ifndef NO_LOOK
    :: else -> unlock_bucket()
#endif
    fi;
    r = 0
}

inline fatal()
{
#ifdef MISTAKE
    told = true
#else
    assert(false) /* nobody left who had not come */
#endif
}

/* ---- readers -------------------------------------------------------------------------------- */

inline choose(p) { if :: p = 0 :: p = 1 fi }

inline read_lock(p, r, in)
{
    choose(p);
    in = false;
    if
    :: departing >= SIGN / 2 ->
#ifdef TAG_THEN_ADD
        if
        :: tag[p] == RW -> n[p]++; in = true
        :: else
        fi
#else
        atomic {
            if
            :: tag[p] == RW -> n[p]++; in = true
            :: true
            fi }
#endif
    :: else
    fi;
    if
    :: in
    :: else ->
        atomic { word++; r = word };
        if
        :: r < 0 -> atomic { reader_sema > 0 -> reader_sema-- }
        :: else
        fi
    fi;
    in = false; r = 0; p = 0
}

inline read_unlock(p, r, sum, in)
{
    choose(p);
    in = false;
    if
    :: departing >= SIGN / 2 ->
        atomic {
            if
            :: tag[p] == RW && n[p] > 0 -> n[p]--; in = true
            :: true
            fi }
    :: else
    fi;
    if
    :: in
    :: else ->
        atomic { word--; r = word };
        if
        :: r >= SPREAD ->
#ifdef NO_FOLD_ON_LEAVING
            skip
#else
            if
            :: r < PHANTOM -> fold(sum, r)
            :: else
            fi
#endif
        :: r < 0 ->
            if
            :: r == -1 || r == -WRITER - 1 -> fatal()
            :: else ->
                atomic { departing--; r = departing };
                if
                :: r == 0 -> writer_sema++
                :: else
                fi
            fi
        :: else
        fi
    fi;
    in = false; r = 0; p = 0
}

proctype reader()
{
    byte p, sum;
    short r;
    bool in;

    read_lock(p, r, in);
    atomic { assert(!writing); inside++ };
    inside--;
    read_unlock(p, r, sum, in);
    done++
}

proctype stranger()
{
    byte p, sum;
    short r;
    bool in;

    read_unlock(p, r, sum, in);
    done++
}

proctype writer()
{
    byte sum;
    short r, before;

    atomic { !mutex -> mutex = true };
#ifndef NO_FOLD
    if
    :: word >= SPREAD -> fold(sum, r)
    :: else
    fi;
#endif
    atomic { before = word; word = word - WRITER };
    if
    :: before != 0 ->
        atomic { departing = departing + before; r = departing };
        if
        :: r != 0 -> atomic { writer_sema > 0 -> writer_sema-- }
        :: else
        fi
    :: else
    fi;
    atomic { assert(inside == 0); writing = true };
    writing = false;
    before = 0;
    atomic { word = word + WRITER; r = word };
    do
    :: r > 0 -> atomic { reader_sema++; r-- }
    :: else -> break
    od;
    r = 0;
    mutex = false;
    done++
}

/* ---- cells ---------------------------------------------------------------------------------- */

inline add_phantoms()
{
#ifdef SIGN_FIRST
    departing = departing + SIGN;
    open(RW);
    word = word + PHANTOM
#else
    word = word + PHANTOM;
    departing = departing + SIGN
#endif
}

proctype opener()
{
    byte i, sum;
    bool held, closed;

    do
    :: i < OPENINGS ->
        i++;
#ifdef NO_MUTEX
        held = true;
#else
        atomic { if :: !mutex -> mutex = true; held = true :: else fi };
#endif
        if
        :: held ->
            lock_bucket();
            if
            :: owner == RW && word >= SPREAD -> skip
            :: owner == RW && word < SPREAD ->
#if !defined(KEEP_FORMER) && !defined(FORMER_LATE)
                close(sum); /* a former object's */
#endif
                add_phantoms();
#ifdef FORMER_LATE
                close(sum);
#endif
            :: owner == OTHER ->
                take_over(OTHER, closed);
                if
                :: closed ->
                    owner = RW;
                    if :: word < SPREAD -> add_phantoms() :: else fi
                :: else
                fi
            :: owner == 0 ->
                owner = RW;
                if :: word < SPREAD -> add_phantoms() :: else fi
            fi;
            if
            :: owner == RW -> open(RW)
            :: else
            fi;
            sum = 0; closed = false;
            unlock_bucket();
#ifndef NO_MUTEX
            mutex = false;
#endif
            held = false
        :: else
        fi
    :: else -> break
    od;
    i = 0;
    done++
}

/* Another object of this bucket, and a reader of it. */
proctype thief()
{
    bool closed, in;

    lock_bucket();
    if
    :: owner == RW -> take_over(RW, closed)
    :: else -> closed = true
    fi;
    if
    :: closed -> owner = OTHER; open(OTHER)
    :: else
    fi;
    closed = false;
    unlock_bucket();
    atomic { if :: tag[0] == OTHER -> n[0]++; in = true :: else fi };
    if
    :: in -> in = false; atomic { assert(tag[0] == OTHER && n[0] > 0); n[0]-- }
    :: else
    fi;
    done++
}

init {
    byte all;

    atomic {
#ifdef LEFT
        owner = RW; tag[0] = RW; tag[1] = RW; n[0] = 1;
#endif
        run reader(); all++;
        run opener(); all++;
#ifdef MISTAKE
        run stranger(); all++;
        run reader(); all++;
#else
        run reader(); all++;
        run writer(); all++;
#endif
#ifdef THIEF
        run thief(); all++;
#endif
    };
    done == all;
#ifdef MISTAKE
    assert(told);
#endif
    assert(inside == 0 && (departing == 0 || departing == SIGN))
}
