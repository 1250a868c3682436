/* Memory: allocation, stores of collected pointers, roots, the collector, statistics.
 *
 * No call here switches goroutines except gort_gc.  Sizes that overflow and memory that can not be
 * had are fatal with a report; nothing returns NULL.  Memory is reclaimed when nothing points to it
 * from stacks, the program's writable data, registered ranges, or live objects; pointers to inside
 * an object keep it too.
 *
 * In C what is documented here as a function may be a macro (base.h, Note [Macros]); in C++, where
 * it does not take a type, a template (cxx.h).
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef GORT_MEM_H
#define GORT_MEM_H

#include <gort/base.h>
#include <gort/inline.h>
#include <gort/type.h>

GORT_BEGIN_DECLS

/* n zeroed bytes, aligned to 16 (to 8 below that size), scanned conservatively.  n may be 0. */
GORT_API void *gort_alloc(size_t n) __attribute__((__alloc_size__(1))) GORT_ALLOCATES;
/* n zeroed bytes that are never scanned: they hold no collected pointers. */
GORT_API void *gort_alloc_noscan(size_t n) __attribute__((__alloc_size__(1))) GORT_ALLOCATES;
/* The same with any bytes in them, as from malloc: for who writes them all. */
GORT_API void *gort_alloc_uninit(size_t n) __attribute__((__alloc_size__(1))) GORT_ALLOCATES;

/* Makes [start, start + size) a root, outside collected memory: scanned conservatively until
 * gort_root_remove(start).  An empty range is allowed; a start registered already is fatal.  Both
 * calls need a goroutine. */
GORT_API void gort_root_add(void *start, size_t size) GORT_NONNULL(1);
/* Undoes gort_root_add.  A start that is not registered is fatal. */
GORT_API void gort_root_remove(void *start) GORT_NONNULL(1);

/* Runs a full collection and returns when it is done and swept.  Parks the goroutine. */
GORT_API void gort_gc(void);

/* Sets how far the heap may grow over what the last collection left, in percent, before the next
 * starts; negative: off.  Returns the former value. */
GORT_API int gort_set_gc_percent(int percent);

/* Sets how many bytes of memory the runtime may have from the kernel: heap that was not given back,
 * stacks, its own records; INT64_MAX: no limit; negative: only asks.  Collections come earlier and
 * free memory is given back to keep it.  It is soft: when what is live does not fit, the program
 * goes on above it.  Returns the former value, INT64_MAX without a limit. */
GORT_API int64_t gort_set_memory_limit(int64_t bytes);

/* Exempts the calling goroutine from helping the collector, or has it help again.  While a
 * collection runs, who allocates marks in proportion, and where the heap is far beyond its goal
 * waits until the collection ends; an exempt goroutine does neither, so that its allocations take
 * as long as at any other time.  What it allocates others pay for; if all are exempt the heap grows
 * past its goal.  For code that must answer in time and allocates little.  Returns the former
 * value.  A new goroutine is not exempt. */
GORT_API bool gort_set_assist_exempt(bool exempt);

/* Runs a full collection, then gives all memory that is free back to the kernel.  Parks the
 * goroutine. */
GORT_API void gort_free_os_memory(void);

/* Has fn(obj) called once, in a goroutine of the runtime, some time after obj, the start of a
 * collected object, became unreachable; obj is kept until then, and is reclaimed by a later
 * collection unless fn made it reachable.  fn replaces a former one; NULL removes it.  Order among
 * objects: one that points to another comes first; objects in a circle are never finalized.  Not
 * run at exit.  What fn defers runs when it returns; gort_goexit ends this call of fn.  An obj that
 * is not the start of a collected object is fatal. */
GORT_API void gort_set_finalizer(void *obj, void (*fn)(void *obj)) GORT_NONNULL(1);

/* The handle of a cleanup: a collected object. */
typedef struct gort_cleanup gort_cleanup;
/* Has fn(arg) called, in a goroutine of the runtime, some time after the object that obj points to
 * or into became unreachable.  The object is gone by then, or will be: nothing is resurrected.  An
 * object may have any number of cleanups; they run in no order, several side by side; one that
 * takes long should start a goroutine.  If the object has a finalizer too, its cleanups wait until
 * it is unreachable after that has run.  arg, which may be a collected pointer, is kept alive until
 * then; if the object can be reached from arg, it never dies.  Not run at exit.  What fn defers
 * runs when it returns; gort_goexit ends this call of fn.  An obj that does not point into a
 * collected object is fatal, and so is an arg that points into the same object. */
GORT_API gort_cleanup *gort_add_cleanup(void *obj, void (*fn)(void *arg), void *arg)
    GORT_NONNULL(1, 2);
/* Takes the cleanup back: it is not called, and arg is not kept.  Nothing happens if it was taken
 * back already, or was found due; so whoever wants to be sure keeps obj reachable up to this call.
 * NULL: does nothing. */
GORT_API void gort_cleanup_stop(gort_cleanup *c);

/* A weak reference: a collected object. */
typedef struct gort_weak gort_weak;
/* A reference to obj, any address in a collected object, that does not keep the object alive.  The
 * same address has the same reference as long as its object lives, so references may be compared;
 * other addresses in the object have others.  NULL for NULL.  An obj that does not point into a
 * collected object is fatal. */
GORT_API gort_weak *gort_weak_make(void *obj);
/* obj as it was given to gort_weak_make, reachable by this pointer from now on; NULL once the
 * object was found unreachable, and for w NULL.  An object with a finalizer is gone for its weak
 * references before the finalizer runs, even if that makes it reachable again. */
GORT_API void *gort_weak_get(gort_weak *w);

/* Keeps what p points to reachable up to this call. */
static inline void gort_keep_alive(const void *p)
{
    __asm__ volatile("" : : "r"(p) : "memory");
}

/* Sums since the start, or present sizes in bytes; taken together at one moment. */
typedef struct {
    uint64_t num_gc;         /* collections finished */
    uint64_t num_forced_gc;  /* those of them that gort_gc asked for */
    uint64_t heap_marked;    /* bytes marked by the last cycle */
    uint64_t heap_live;      /* what the trigger compares: marked + allocated since */
    uint64_t heap_alloc;     /* bytes in objects now, unswept garbage included */
    uint64_t total_alloc;    /* bytes allocated ever */
    uint64_t mallocs;        /* objects allocated ever */
    uint64_t frees;          /* objects freed ever */
    uint64_t heap_goal;      /* heap_live at which the next collection is to end */
    uint64_t heap_sys;       /* bytes mapped for the heap, heap_released included */
    uint64_t heap_released;  /* bytes of those given back to the system */
    uint64_t stack_sys;      /* bytes of goroutine stacks */
    uint64_t meta_sys;       /* bytes of the runtime's own records */
    uint64_t pause_total_ns; /* the world stopped, all collections */
    uint64_t pause_max_ns;   /* the longest stop */
    uint64_t pause_last_ns;  /* the latest stop */
    double gc_cpu_fraction;  /* CPU time used by collections / CPU time available, since start */
} gort_stats;

/* Fills in *out.  Stops the world briefly; does not park. */
GORT_API void gort_read_stats(gort_stats *out) GORT_NONNULL(1);

/* What the macros and templates call.  type describes T and outlives every object of it. */

/* One zeroed object, aligned to type->align. */
GORT_API void *gort_new_raw(const struct gort_type *type) GORT_NONNULL(1) GORT_ALLOCATES;
/* n zeroed objects in a row.  n may be 0. */
GORT_API void *gort_new_array_raw(const struct gort_type *type, size_t n)
    GORT_NONNULL(1) GORT_ALLOCATES;
/* n zeroed objects, each its own; their addresses go to out[0], .. out[n - 1], with barriers. */
GORT_API void gort_new_batch_raw(const struct gort_type *type, void **out, size_t n)
    GORT_NONNULL(1);
/* One zeroed object with n elements of elem_size bytes from offset on: max(type->size, offset + n *
 * elem_size) bytes.  Up to offset scanned as type says, from there not at all when elem_noscan,
 * else conservatively. */
GORT_API void *gort_new_flex_raw(const struct gort_type *type, size_t offset, size_t elem_size,
                                 bool elem_noscan, size_t n) GORT_NONNULL(1) GORT_ALLOCATES;
/* memmove of n objects with barriers; the ranges may overlap. */
GORT_API void gort_copy_raw(const struct gort_type *type, void *dst, const void *src, size_t n)
    GORT_NONNULL(1);
/* Zeroes n objects with barriers. */
GORT_API void gort_clear_raw(const struct gort_type *type, void *dst, size_t n) GORT_NONNULL(1);
/* Atomic and sequentially consistent, with barrier: *slot = value; returns what was there. */
GORT_API void *gort_exchange_raw(void **slot, void *value) GORT_NONNULL(1);
/* Atomic and sequentially consistent, with barrier: if *slot is *expected, *slot = value and true;
 * else *expected = *slot and false.  expected is a local variable: no barrier. */
GORT_API bool gort_compare_exchange_raw(void **slot, void **expected, void *value)
    GORT_NONNULL(1, 2);

/* One zeroed object: inline where size and alignment, constants, allow (Note [Inline allocation] in
 * inline.h). */
__attribute__((__always_inline__)) static inline void *gort_new_typed_(const struct gort_type *type,
                                                                       size_t size, size_t align)
{
#ifdef GORT_HAS_INLINE_ALLOC
    void *x = NULL;
    bool noscan = (type->flags & GORT_TYPE_NOSCAN) != 0 || size < sizeof(void *);
    bool known = __builtin_constant_p(size) && __builtin_constant_p(noscan);
    /* A type that was aligned by an attribute may be smaller; slots of 8 and 24 bytes are not
     * aligned. */
    size_t slot = align == 16 ? (size + 15) / 16 * 16 : size;
    if (known && size >= 1 && size <= GORT_SLOT_MAX && align <= 16) {
        if (noscan && size <= GORT_TINY_MAX && align <= 8)
            x = gort_take_tiny_(size, align);
        else if (noscan)
            x = gort_take_noscan_(slot);
        else if (type->flags & GORT_TYPE_CONSERVATIVE)
            x = gort_take_scan_(slot, ~(uint64_t)0 >> (64 - size / sizeof(void *)) % 64);
        else
            x = gort_take_scan_(slot, type->mask);
        if (__builtin_expect(x != NULL, 1)) return x;
    }
#else
    (void)size;
    (void)align;
#endif
    void *y = gort_new_raw(type);
    __asm__ volatile(""); /* not a tail call: profiles find the function that allocates */
    return y;
}

/* gort_alloc and gort_alloc_noscan: inline where n is a constant. */
__attribute__((__always_inline__, __alloc_size__(1))) static inline void *gort_alloc_inline_(
    size_t n)
{
#ifdef GORT_HAS_INLINE_ALLOC
    if (__builtin_constant_p(n) && n >= 8 && n <= GORT_SLOT_MAX) {
        void *x =
            gort_take_scan_(n < 16 ? n : (n + 15) / 16 * 16, ~(uint64_t)0 >> (64 - n / 8) % 64);
        if (__builtin_expect(x != NULL, 1)) return x;
    }
#endif
    return gort_alloc(n);
}
__attribute__((__always_inline__, __alloc_size__(1))) static inline void *gort_alloc_noscan_inline_(
    size_t n)
{
#ifdef GORT_HAS_INLINE_ALLOC
    if (__builtin_constant_p(n) && n >= 1 && n <= GORT_SLOT_MAX) {
        void *x =
            n <= GORT_TINY_MAX ? gort_take_tiny_(n, 8) : gort_take_noscan_((n + 15) / 16 * 16);
        if (__builtin_expect(x != NULL, 1)) return x;
    }
#endif
    return gort_alloc_noscan(n);
}

GORT_END_DECLS

#define gort_alloc(n) gort_alloc_inline_(n)
#define gort_alloc_noscan(n) gort_alloc_noscan_inline_(n)

/* T *gort_new(T): a new zeroed T, aligned to _Alignof(T) up to 8 KB; T is one identifier.  Scanned
 * as GORT_TYPE(T, ...) says; without it conservatively, or not at all when T is arithmetic. */
#define gort_new(T) GORT_APPLY_(GORT_NEW_, __COUNTER__, T, gort_type_##T, #T)

/* T *gort_new_array(T, size_t n): n zeroed Ts in a row; n may be 0. */
#define gort_new_array(T, n) GORT_APPLY_(GORT_NEW_ARRAY_, __COUNTER__, T, gort_type_##T, #T, n)

/* void gort_new_batch(T, T **out, size_t n): n zeroed Ts, each an object of its own, which live and
 * die apart; out[0], .. out[n - 1] are set to them.  out may be local or in collected memory; n may
 * be 0.  Cheaper than n times gort_new. */
#define gort_new_batch(T, out, n)                                                                  \
    GORT_APPLY_(GORT_NEW_BATCH_, __COUNTER__, T, gort_type_##T, #T, out, n)

/* T *gort_new_flex(T, field, size_t n): a zeroed T whose last field is a flexible array of n.  The
 * array is scanned by its element type: arithmetic not at all, else conservatively. */
#define gort_new_flex(T, field, n)                                                                 \
    GORT_APPLY_(GORT_NEW_FLEX_, __COUNTER__, T, gort_type_##T, #T, field, n)

/* void gort_copy(T, T *dst, const T *src, size_t n): memmove of n Ts with barriers; also for
 * assigning whole structs into collected memory. */
#define gort_copy(T, dst, src, n)                                                                  \
    GORT_APPLY_(GORT_COPY_, __COUNTER__, T, gort_type_##T, #T, dst, src, n)

/* void gort_clear(T, T *dst, size_t n): zeroes n Ts with barriers. */
#define gort_clear(T, dst, n) GORT_APPLY_(GORT_CLEAR_, __COUNTER__, T, gort_type_##T, #T, dst, n)

#define GORT_NEW_(id, T, symbol, name)                                                             \
    __extension__({                                                                                \
        GORT_TYPE_FIND_(id, T, symbol, name);                                                      \
        (T *)gort_new_typed_(gort_desc_##id, sizeof(T), GORT_ALIGNOF_(T));                         \
    })
#define GORT_NEW_ARRAY_(id, T, symbol, name, n)                                                    \
    __extension__({                                                                                \
        GORT_TYPE_FIND_(id, T, symbol, name);                                                      \
        (T *)gort_new_array_raw(gort_desc_##id, (n));                                              \
    })
#define GORT_NEW_BATCH_(id, T, symbol, name, out, n)                                               \
    __extension__({                                                                                \
        GORT_TYPE_FIND_(id, T, symbol, name);                                                      \
        GORT_STRICT_BEGIN_                                                                         \
        T **const gort_out_##id = (out);                                                           \
        GORT_STRICT_END_                                                                           \
        gort_new_batch_raw(gort_desc_##id, (void **)GORT_UNTYPED_(gort_out_##id), (n));            \
    })
#define GORT_NEW_FLEX_(id, T, symbol, name, field, n)                                              \
    __extension__({                                                                                \
        GORT_TYPE_FIND_(id, T, symbol, name);                                                      \
        (T *)gort_new_flex_raw(gort_desc_##id, offsetof(T, field), sizeof(((T *)0)->field[0]),     \
                               GORT_TYPE_IS_ARITHMETIC_(GORT_ELEMENT_(T, field)), (n));            \
    })
#define GORT_COPY_(id, T, symbol, name, dst, src, n)                                               \
    __extension__({                                                                                \
        GORT_TYPE_FIND_(id, T, symbol, name);                                                      \
        GORT_STRICT_BEGIN_                                                                         \
        T *const gort_dst_##id = (dst);                                                            \
        const T *const gort_src_##id = (src);                                                      \
        GORT_STRICT_END_                                                                           \
        gort_copy_raw(gort_desc_##id, gort_dst_##id, gort_src_##id, (n));                          \
    })
#define GORT_CLEAR_(id, T, symbol, name, dst, n)                                                   \
    __extension__({                                                                                \
        GORT_TYPE_FIND_(id, T, symbol, name);                                                      \
        GORT_STRICT_BEGIN_                                                                         \
        T *const gort_dst_##id = (dst);                                                            \
        GORT_STRICT_END_                                                                           \
        gort_clear_raw(gort_desc_##id, gort_dst_##id, (n));                                        \
    })

#ifdef __cplusplus
#include <gort/cxx.h>
#else

#define GORT_ELEMENT_(T, field) ((T *)0)->field[0]

/* void gort_set(T **slot, T *value): *slot = value with the write barrier.  Every store of a
 * collected pointer into memory that is not a local variable of the running function goes through
 * this: globals and fields reached through pointers too.  Slots may hold const, void and function
 * pointers, and channels.  Never blocks, never switches goroutines. */
#define gort_set(slot, ...) GORT_APPLY_(GORT_SET_, __COUNTER__, slot, __VA_ARGS__)

/* void gort_init(T **slot, T *value): the first store into a slot of a new object: no barrier. */
#define gort_init(slot, ...) GORT_APPLY_(GORT_INIT_, __COUNTER__, slot, __VA_ARGS__)

/* T *gort_load(T **slot): *slot, as an acquire: what the goroutine that stored it by gort_exchange
 * or gort_compare_exchange did before is visible. */
#define gort_load(slot) GORT_APPLY_(GORT_LOAD_, __COUNTER__, slot)

/* T *gort_exchange(T **slot, T *value): *slot = value; returns what was there.  Atomic,
 * sequentially consistent, with barrier. */
#define gort_exchange(slot, ...) GORT_APPLY_(GORT_EXCHANGE_, __COUNTER__, slot, __VA_ARGS__)

/* bool gort_compare_exchange(T **slot, T **expected, T *value): if *slot is *expected, *slot =
 * value and true; else *expected = *slot and false.  Atomic, sequentially consistent, with barrier
 * for *slot; expected is a local variable. */
#define gort_compare_exchange(slot, expected, ...)                                                 \
    GORT_APPLY_(GORT_COMPARE_EXCHANGE_, __COUNTER__, slot, expected, __VA_ARGS__)

/* Defines gort_slot_<id>, the slot's address, evaluated once. */
#define GORT_SLOT_(id, slot)                                                                       \
    __auto_type const gort_slot_##id = (slot);                                                     \
    GORT_STATIC_ASSERT_(GORT_IS_POINTER_(*gort_slot_##id), "the slot does not hold a pointer")
/* Defines gort_value_<id>: value, converted to what the slot holds, which must not be const. */
#define GORT_SLOT_VALUE_(id, ...)                                                                  \
    GORT_STRICT_BEGIN_                                                                             \
    __typeof__(*gort_slot_##id) gort_value_##id = (__VA_ARGS__);                                   \
    GORT_STRICT_END_                                                                               \
    if (0) *gort_slot_##id = gort_value_##id;
#define GORT_SET_(id, slot, ...)                                                                   \
    __extension__({                                                                                \
        GORT_SLOT_(id, slot);                                                                      \
        GORT_SLOT_VALUE_(id, __VA_ARGS__)                                                          \
        gort_store_pointer((void **)GORT_UNTYPED_(gort_slot_##id),                                 \
                           GORT_UNTYPED_(gort_value_##id));                                        \
    })
#define GORT_INIT_(id, slot, ...)                                                                  \
    __extension__({                                                                                \
        GORT_SLOT_(id, slot);                                                                      \
        GORT_SLOT_VALUE_(id, __VA_ARGS__)                                                          \
        *gort_slot_##id = gort_value_##id;                                                         \
        (void)0;                                                                                   \
    })
#define GORT_LOAD_(id, slot)                                                                       \
    __extension__({                                                                                \
        GORT_SLOT_(id, slot);                                                                      \
        __atomic_load_n(gort_slot_##id, __ATOMIC_ACQUIRE);                                         \
    })
#define GORT_EXCHANGE_(id, slot, ...)                                                              \
    __extension__({                                                                                \
        GORT_SLOT_(id, slot);                                                                      \
        GORT_SLOT_VALUE_(id, __VA_ARGS__)                                                          \
        (__typeof__(*gort_slot_##id))gort_exchange_raw((void **)GORT_UNTYPED_(gort_slot_##id),     \
                                                       GORT_UNTYPED_(gort_value_##id));            \
    })
#define GORT_COMPARE_EXCHANGE_(id, slot, expected, ...)                                            \
    __extension__({                                                                                \
        GORT_SLOT_(id, slot);                                                                      \
        GORT_STRICT_BEGIN_                                                                         \
        __typeof__(*gort_slot_##id) *const gort_expected_##id = (expected);                        \
        GORT_STRICT_END_                                                                           \
        GORT_SLOT_VALUE_(id, __VA_ARGS__)                                                          \
        gort_compare_exchange_raw((void **)GORT_UNTYPED_(gort_slot_##id),                          \
                                  (void **)GORT_UNTYPED_(gort_expected_##id),                      \
                                  GORT_UNTYPED_(gort_value_##id));                                 \
    })
#endif

#endif
