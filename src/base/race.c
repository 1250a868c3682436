/* The sanitizer's calls, where the program has them: see race.h.
 *
 * New memory is told by the interface for Java: it forgets accesses and orders of a range, and an
 * object's range is named in reports.
 * SPDX-License-Identifier: BSD-3-Clause
 */
#include "base/race.h"

#include <link.h>

#define OPTIONAL __attribute__((__weak__))
extern void *__tsan_get_current_fiber(void) OPTIONAL;
extern void *__tsan_create_fiber(unsigned flags) OPTIONAL;
extern void __tsan_destroy_fiber(void *fiber) OPTIONAL;
extern void __tsan_switch_to_fiber(void *fiber, unsigned flags) OPTIONAL;
extern void __tsan_acquire(void *x) OPTIONAL;
extern void __tsan_release(void *x) OPTIONAL;
extern void __tsan_read_range_pc(void *p, unsigned long n, void *pc) OPTIONAL;
extern void __tsan_write_range_pc(void *p, unsigned long n, void *pc) OPTIONAL;
extern void __tsan_func_entry(void *pc) OPTIONAL;
extern void func_exit(void) __asm__("__tsan_func_exit") OPTIONAL; /* gcc expects another type */
extern void __tsan_set_fiber_name(void *fiber, const char *name) OPTIONAL;
extern void __tsan_ignore_thread_begin(void) OPTIONAL;
extern void __tsan_ignore_thread_end(void) OPTIONAL;
extern void __tsan_java_alloc(unsigned long p, unsigned long n) OPTIONAL;
extern void __tsan_java_free(unsigned long p, unsigned long n) OPTIONAL;
extern void __tsan_java_finalize(void) OPTIONAL;
extern void __tsan_java_release_store(unsigned long x) OPTIONAL;

#define ORDERS_NOTHING 1u /* __tsan_switch_to_fiber_no_sync */
#define RANGE_UNIT 8      /* of the interface for Java */

bool race_on;
uintptr_t race_code, race_code_end;

/* The library that the sanitizer is; the program, which has no name, may have it linked in. */
static int find_code(struct dl_phdr_info *info, size_t size, void *unused)
{
    (void)size, (void)unused;
    uintptr_t some = (uintptr_t)__tsan_create_fiber;
    for (int i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *h = &info->dlpi_phdr[i];
        uintptr_t lo = info->dlpi_addr + h->p_vaddr;
        if (h->p_type != PT_LOAD || some - lo >= h->p_memsz) continue;
        if (info->dlpi_name[0] != '\0') {
            race_code = lo;
            race_code_end = lo + h->p_memsz;
        }
        return 1;
    }
    return 0;
}

__attribute__((constructor)) static void race_find(void)
{
    race_on = __tsan_create_fiber != NULL && __tsan_java_alloc != NULL;
    if (race_on) dl_iterate_phdr(find_code, NULL);
}

static void *loose(const void *p)
{
    return (void *)(uintptr_t)p;
}

void race_acquire_slow(const void *x)
{
    __tsan_acquire(loose(x));
}

void race_release_slow(const void *x)
{
    __tsan_release(loose(x));
}

void race_read_slow(const void *p, size_t n, const void *pc)
{
    if (p != NULL && n != 0) __tsan_read_range_pc(loose(p), n, loose(pc));
}

void race_write_slow(void *p, size_t n, const void *pc)
{
    if (p != NULL && n != 0) __tsan_write_range_pc(p, n, loose(pc));
}

void race_hide_slow(void)
{
    __tsan_ignore_thread_begin();
}

void race_show_slow(void)
{
    __tsan_ignore_thread_end();
}

void race_new_memory_slow(uintptr_t p, size_t n, bool object)
{
    n = (n + RANGE_UNIT - 1) & ~(size_t)(RANGE_UNIT - 1);
    __tsan_java_free(p, n); /* the orders that its words stood for */
    __tsan_java_alloc(p, n);
    if (!object) __tsan_java_free(p, n);
}

void race_acquire_all_slow(void)
{
    __tsan_java_finalize();
}

void *race_fiber_self(void)
{
    return __tsan_get_current_fiber();
}

/* pc: where the program asked for it. */
void *race_fiber_make(const char *name, const void *pc)
{
    __tsan_func_entry(loose(pc));
    void *fiber = __tsan_create_fiber(0);
    func_exit();
    if (__tsan_set_fiber_name != NULL) __tsan_set_fiber_name(fiber, name);
    return fiber;
}

void race_fiber_free(void *fiber)
{
    __tsan_destroy_fiber(fiber);
}

void race_fiber_switch(void *fiber)
{
    __tsan_switch_to_fiber(fiber, ORDERS_NOTHING);
}

void race_fiber_pass(void *fiber, const void *x)
{
    void *self = __tsan_get_current_fiber();
    race_fiber_switch(fiber);
    race_acquire_slow(x);
    race_release_slow(x);
    race_fiber_switch(self);
}

/* What former pairs left at x is overwritten: they have no part in this. */
void race_fiber_meet(void *fiber, const void *x)
{
    void *self = __tsan_get_current_fiber();
    __tsan_java_release_store((unsigned long)x);
    race_fiber_switch(fiber);
    race_acquire_slow(x);
    __tsan_java_release_store((unsigned long)x);
    race_fiber_switch(self);
    race_acquire_slow(x);
}
