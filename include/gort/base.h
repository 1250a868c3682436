/* What every public header stands on: visibility, attributes, and the pieces macros are made of.
 *
 * Note [Macros].  A public macro evaluates each argument once: its first expansion draws a number
 * from __COUNTER__ and its temporaries carry it, so that calls nest in one another's arguments
 * without shadowing.  Arguments that must be assignment-compatible are checked by initialising a
 * temporary of the right type between GORT_STRICT_BEGIN_ and GORT_STRICT_END_, where what C
 * compilers only warn about is an error (except under -w, which silences errors of this kind).
 * C++ needs none of this; there the same names are function templates (cxx.h).
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef GORT_BASE_H
#define GORT_BASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Marks what the library exports; everything else in it is hidden. */
#ifndef GORT_API
#define GORT_API __attribute__((__visibility__("default")))
#endif

#ifdef __cplusplus
#define GORT_BEGIN_DECLS extern "C" {
#define GORT_END_DECLS }
#define GORT_STATIC_ASSERT_(condition, message) static_assert(condition, message)
#define GORT_ALIGNOF_(T) alignof(T)
#else
#define GORT_BEGIN_DECLS
#define GORT_END_DECLS
#define GORT_STATIC_ASSERT_(condition, message) _Static_assert(condition, message)
#define GORT_ALIGNOF_(T) _Alignof(T)
#endif

/* The function does not return to its caller. */
#define GORT_NORETURN __attribute__((__noreturn__))
/* Argument number `string` is a printf format for the arguments from number `first` on. */
#define GORT_PRINTF(string, first) __attribute__((__format__(__printf__, string, first)))
/* The listed arguments are never NULL. */
#define GORT_NONNULL(...) __attribute__((__nonnull__(__VA_ARGS__)))
/* Returns fresh memory that nothing else points to, never NULL. */
#define GORT_ALLOCATES __attribute__((__malloc__, __returns_nonnull__, __warn_unused_result__))

/* m(arguments...) after the arguments were expanded. */
#define GORT_APPLY_(m, ...) m(__VA_ARGS__)
#define GORT_CAT_(a, b) GORT_CAT_AGAIN_(a, b)
#define GORT_CAT_AGAIN_(a, b) a##b
#define GORT_STRING_(a) GORT_STRING_AGAIN_(a)
#define GORT_STRING_AGAIN_(a) #a

/* A pointer without its type and qualifiers.  By way of an integer: no -Wcast-qual, and function
 * pointers pass -pedantic. */
#define GORT_UNTYPED_(p) ((void *)(uintptr_t)(p))

#ifndef __cplusplus
#ifdef __clang__
#define GORT_STRICT_COMPILER_                                                                      \
    _Pragma("GCC diagnostic error \"-Wincompatible-pointer-types-discards-qualifiers\"")           \
        _Pragma("GCC diagnostic error \"-Wincompatible-function-pointer-types\"")
#else
#define GORT_STRICT_COMPILER_ _Pragma("GCC diagnostic error \"-Wdiscarded-qualifiers\"")
#endif
#define GORT_STRICT_BEGIN_                                                                         \
    _Pragma("GCC diagnostic push")                                                                 \
        _Pragma("GCC diagnostic error \"-Wincompatible-pointer-types\"")                           \
            _Pragma("GCC diagnostic error \"-Wint-conversion\"")                                   \
                _Pragma("GCC diagnostic error \"-Wpointer-sign\"") GORT_STRICT_COMPILER_
#define GORT_STRICT_END_ _Pragma("GCC diagnostic pop")
#endif

/* 1 when the expression's type is arithmetic (integer, character, enumeration, boolean, floating,
 * complex), 0 otherwise; constant; the expression is not evaluated.  The bits are the compilers'
 * type classes 1, 2, 3, 4, 8 and 9. */
#define GORT_IS_ARITHMETIC_(expression)                                                            \
    ((0x31eu >> ((unsigned)__builtin_classify_type(expression) & 31u)) & 1u)
/* 1 when the expression's type is a pointer, to an object or a function. */
#define GORT_IS_POINTER_(expression) (__builtin_classify_type(expression) == 5)

#endif
