/* A concurrent map that grows twice: writers, who take buckets over, a table's `from`, and readers.
 *
 * Answers for: Note [Taking over] in lang/cmap.h, cmap_read there, look, try_put and try_remove of
 * lang/cmap.c, take_over_slow, cmap_help_slow and cmap_maybe_grow of lang/cmap_table.c.
 *
 * Two keys, A and B, that share the one bucket of table 0 and have a bucket each in tables 1 and 2.
 * Writers of A count up what is there; the writer of B puts and removes it. Each change is counted in the
 * step that does it, so every read can be held against what was there between its begin and its end, and
 * the map at last against all changes: nothing is lost, comes back, or is seen too early or too late.
 * Who finds a frozen bucket finds a later table.
 * A list is its contents: that of A times 2 and that of B. Equal words are thus equal lists though they may be
 * different objects in the code, where a compare-and-swap then fails and is done again. A batch that a
 * writer takes over is one bucket.
 * Left out: clearing and iteration, which add no step to these; segments of buckets; memory order (the
 * words are stored by sequentially consistent operations).
 *
 * CHECK writers
 * CHECK reader-of-a COUNTERS=1 READ=A
 * CHECK reader-of-b COUNTERS=1 READ=B
 *
 * BREAK no-freeze NO_FREEZE assertion
 * BREAK frozen-is-written WRITE_FROZEN assertion
 * BREAK heir-is-overwritten OVERWRITE assertion
 * BREAK reader-stays NO_FROM COUNTERS=1 READ=A assertion
 * BREAK reader-trusts-its-nothing NO_REREAD COUNTERS=1 READ=A assertion
 * BREAK grows-early GROW_EARLY assertion
 * BREAK dropped-when-claimed DROP_CLAIMED assertion
 * BREAK removed-is-nothing REMOVE_TO_NOTHING assertion
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef TABLES
#define TABLES 3
#endif
#ifndef COUNTERS
#define COUNTERS 2 /* writers of A */
#endif
#define A 0
#define B 1
#define NOTHING 0 /* in a bucket: not taken over, or nothing was ever there */
#define FROZEN 1
#define EMPTY 2
#define LIST(w) ((w) >> 2)
#define OF_A(w) ((w) >> 3)
#define OF_B(w) (((w) >> 2) & 1)
#define AT(t, key) ((t) == 0 -> 0 : 2 * (t) - 1 + (key))
#define NONE 0 /* `from`; else the table and 1 */

byte bucket[2 * TABLES - 1];
byte from[TABLES];
byte claimed[TABLES], done[TABLES]; /* of two */
byte table;                         /* the map's */
byte counted, toggled;              /* changes of A, of B, so far */
byte ended;

/* The bucket `key` of t from its `from`; uses f, seen. */
inline take_over(t, key)
{
    f = from[t];
    if
    :: f == NONE
    :: else ->
        f--;
        seen = bucket[AT(f, key)];
#ifndef NO_FREEZE
        do
        :: seen & FROZEN -> break
        :: else ->
            atomic {
                if
                :: bucket[AT(f, key)] == seen -> seen = seen | FROZEN; bucket[AT(f, key)] = seen
                :: else -> seen = bucket[AT(f, key)]
                fi
            }
        od;
#endif
        atomic {
            if
            :: key == A -> seen = OF_A(seen) << 3
            :: else -> seen = OF_B(seen) << 2
            fi;
            if
            :: seen == 0 -> seen = EMPTY
            :: else
            fi;
#ifdef OVERWRITE
            bucket[AT(t, key)] = seen
#else
            if
            :: bucket[AT(t, key)] == NOTHING -> bucket[AT(t, key)] = seen
            :: else
            fi
#endif
        };
        seen = 0;
        f = 0
    fi
}

inline own(t, key)
{
    if
    :: bucket[AT(t, key)] == NOTHING -> take_over(t, key)
    :: else
    fi
}

/* After a change in t, whose `from` is still there; uses c, last. */
inline help(t)
{
    if
    :: from[t] == NONE || claimed[t] >= 2
    :: else ->
        atomic { c = claimed[t]; claimed[t]++ };
        if
        :: c >= 2
        :: else ->
#ifdef DROP_CLAIMED
            if
            :: c == 1 -> from[t] = NONE
            :: else
            fi;
#endif
            if
            :: c == A -> own(t, A)
            :: else -> own(t, B)
            fi;
            atomic { done[t]++; last = done[t] == 2 };
            if
            :: last -> from[t] = NONE
            :: else
            fi
        fi;
        atomic { c = 0; last = false }
    fi
}

/* The table is full, or is not. */
inline maybe_grow(t)
{
    if
    :: true
#ifdef GROW_EARLY
    :: t < TABLES - 1 ->
#else
    :: t < TABLES - 1 && from[t] == NONE ->
#endif
        atomic {
            if
            :: table == t -> from[t + 1] = t + 1; table = t + 1
            :: else
            fi
        }
    fi
}

/* A change of a key: from the look to the swap, then what is to be done besides. */
inline change(key, next, count)
{
    do
    :: t = table;
        own(t, key);
        w = bucket[AT(t, key)];
        if
#ifndef WRITE_FROZEN
        :: w & FROZEN -> assert(table != t)
#endif
        :: else ->
            atomic {
                if
                :: bucket[AT(t, key)] == w -> bucket[AT(t, key)] = next; count++; swapped = true
                :: else
                fi
            };
            if
            :: swapped -> break
            :: else
            fi
        fi
    od;
    atomic { swapped = false; w = 0 };
    help(t);
    maybe_grow(t);
    t = 0
}

#ifdef REMOVE_TO_NOTHING
#define NO_LIST NOTHING
#else
#define NO_LIST EMPTY
#endif
#ifdef WRITE_FROZEN
#define TAG(w) ((w) & FROZEN)
#else
#define TAG(w) 0
#endif
#define COUNTED(w) (((LIST(w) + 2) << 2) | TAG(w))
#define TOGGLED(w) ((LIST(w) ^ 1) == 0 -> NO_LIST | TAG(w) : ((LIST(w) ^ 1) << 2) | TAG(w))

active [COUNTERS] proctype counter()
{
    byte t, f, seen, w, c;
    bool last, swapped;
    change(A, COUNTED(w), counted);
    ended++
}

active proctype toggler()
{
    byte t, f, seen, w, c, n;
    bool last, swapped;
    do
    :: n < 2 ->
        change(B, TOGGLED(w), toggled);
        n++
    :: else -> break
    od;
    ended++
}

/* cmap_read; uses t, f, last. */
inline read(key)
{
    t = table;
    do
    :: w = bucket[AT(t, key)];
        if
        :: w != NOTHING || last -> break
        :: else
        fi;
#ifdef NO_FROM
        break;
#endif
        f = from[t];
        if
        :: f == NONE ->
#ifdef NO_REREAD
            break
#else
            last = true
#endif
        :: else -> t = f - 1
        fi
    od
}

#ifdef READ
active proctype reader()
{
    byte t, f, w, was_counted, was_toggled;
    bool last;
    atomic { was_counted = counted; was_toggled = toggled };
    read(READ);
    if
    :: READ == A -> assert(was_counted <= OF_A(w) && OF_A(w) <= counted)
    :: else -> assert(was_toggled != toggled || OF_B(w) == (toggled & 1))
    fi
}
#endif

/* What is there when all is done. */
active proctype at_last()
{
    byte t, f, w;
    bool last;
    ended == COUNTERS + 1;
    read(A);
    assert(OF_A(w) == COUNTERS);
    atomic { t = 0; f = 0; w = 0; last = false };
    read(B);
    assert(OF_B(w) == 0)
}
