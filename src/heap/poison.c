/* The sanitizers' calls, where the program has them: see poison.h.
 *
 * MemorySanitizer knows no forbidden memory, only memory without a value: closed means that.
 * SPDX-License-Identifier: BSD-3-Clause
 */
#include "heap/poison.h"

extern void __asan_poison_memory_region(const volatile void *p, size_t n) __attribute__((__weak__));
extern void __asan_unpoison_memory_region(const volatile void *p, size_t n)
    __attribute__((__weak__));
extern void __msan_poison(const volatile void *p, size_t n) __attribute__((__weak__));
extern void __msan_unpoison(const volatile void *p, size_t n) __attribute__((__weak__));

bool poison_available(void)
{
    return __asan_poison_memory_region != NULL || __msan_poison != NULL;
}

void poison_open(uintptr_t base, size_t n)
{
    if (__asan_unpoison_memory_region != NULL) __asan_unpoison_memory_region((void *)base, n);
    if (__msan_unpoison != NULL) __msan_unpoison((void *)base, n);
}

void poison_blank(uintptr_t base, size_t n)
{
    if (__msan_poison != NULL) __msan_poison((void *)base, n);
}

void poison_close(uintptr_t base, size_t n)
{
    if (__asan_poison_memory_region != NULL) __asan_poison_memory_region((void *)base, n);
    if (__msan_poison != NULL) __msan_poison((void *)base, n);
}
