/* Faults that become panics: SIGSEGV, SIGBUS, SIGFPE and SIGILL of the program's own code, where
 * the program asked for it.
 *
 * Note [Handing over].  The handler runs on the signal stack, where nothing of the runtime may be
 * called.  So it only writes a record onto the goroutine's stack, below all that the interrupted
 * function may use, and has the thread go on in fault_entry, on that stack, in the state it was in:
 * user code outside of any critical section.  From there on it is a call of gort_panic like
 * another.
 *
 *     program: fault --> handler: panic_hand_over --> sigreturn --> fault_entry --> raise (a panic)
 *
 * raise is called behind the interrupted place (arch_call_behind_registers): to unwinders that is
 * its caller.  So traces show the function that faulted, and cleanups of the frames above run.
 *
 * A panic is had only where nothing can be left half-done:
 *  (1) The kernel raised the signal at this instruction; nobody sent it.
 *  (2) The thread is in state USER, outside of critical sections: every lock of the runtime is held
 *      in one (invariant (3) of sync/lock.c), so no lock is left behind.  What the goroutine was in
 *      the middle of in a restartable range has had no effect yet.
 *  (3) It runs on its goroutine's stack, with room for the record and the deferred calls: the
 *      overflow of a stack stays fatal.
 *  (4) The instruction is none of the C library, the loader, a sanitizer or of this library where
 *      it is a shared one: those hold locks of their own.  Where they are linked statically that is
 *      not known, and their faults count as the program's.
 *  (5) GORTDEBUG=efence is off: there a fault is the finding.
 * All else is reported as ever.
 *
 * Note [Whose code].  Libraries come and go, and the handler can not ask for the list of them: its
 * lock may be held by whom the fault interrupted.  But from 2.35 on glibc finds the one object of
 * an address without any lock (_dl_find_object), and its name decides.  Where that is missing, or
 * knows nothing of the address, a list decides that was made when panics were first asked for:
 * there, faults in a C library or sanitizer that is opened later count as the program's.
 *
 * Memory order: the release of `wanted` pairs with the acquire in panic_hand_over: the ranges are
 * complete.
 * Locking: the list of ranges is filled in under the loader's lock, once, and then constant.
 * Answers to: sigpanic and preparePanic in signal_unix.go, signal_amd64.go.
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "lang/panic_fault.h"

#include <link.h>
#include <signal.h>

#include "base/bits.h"
#include "gc/roots.h"
#include "lang/panic_frames.h"
#include "sched/stack.h"

#define NULL_PAGE 4096            /* below it an address is taken for NULL and a field's offset */
#define ROOM ((uintptr_t)16 * KB) /* for what is called then */
#define RANGES_MAX 64

struct fault {
    struct arch_registers registers;
    int sig, code;
    uintptr_t address;
};

static struct {
    uintptr_t lo, hi;
} foreign[RANGES_MAX]; /* code that is not the program's; constant once filled in */
static size_t foreign_count;
static bool listed;
static bool wanted; /* atomic */

/* ---- whose code it is ------------------------------------------------------------------------ */

static bool has_address(const struct dl_phdr_info *o, uintptr_t a)
{
    for (int i = 0; i < o->dlpi_phnum; i++) {
        uintptr_t lo = o->dlpi_addr + o->dlpi_phdr[i].p_vaddr;
        if (o->dlpi_phdr[i].p_type == PT_LOAD && a - lo < o->dlpi_phdr[i].p_memsz) return true;
    }
    return false;
}

static void add_code(const struct dl_phdr_info *o)
{
    for (int i = 0; i < o->dlpi_phnum && foreign_count < RANGES_MAX; i++) {
        const ElfW(Phdr) *ph = &o->dlpi_phdr[i];
        if (ph->p_type != PT_LOAD || (ph->p_flags & PF_X) == 0) continue;
        foreign[foreign_count].lo = o->dlpi_addr + ph->p_vaddr;
        foreign[foreign_count].hi = foreign[foreign_count].lo + ph->p_memsz;
        foreign_count++;
    }
}

static int list_object(struct dl_phdr_info *o, size_t size, void *arg)
{
    (void)size;
    bool *is_program = arg; /* the first is */
    bool ours = !*is_program && has_address(o, (uintptr_t)&foreign);
    *is_program = false;
    if (listed) return 1;
    if (ours || roots_is_system_library(o->dlpi_name)) add_code(o);
    return 0;
}

static void list_foreign_code(void)
{
    bool is_program = true;
    if (dl_iterate_phdr(list_object, &is_program) == 0) listed = true;
}

/* As the loader lays it out; only its beginning is wanted. */
struct found_object {
    unsigned long long flags;
    void *begin, *end;
    struct link_map *map;
    uint64_t more[16];
};

extern int find_object(void *address, struct found_object *) __asm__("_dl_find_object")
    __attribute__((__weak__));

static bool has_place(const struct found_object *o, const void *p)
{
    return (uintptr_t)p >= (uintptr_t)o->begin && (uintptr_t)p < (uintptr_t)o->end;
}

/* Note [Whose code]; in the handler.  The program itself has no name. */
static bool is_foreign(uintptr_t pc)
{
    struct found_object o;
    if (find_object != NULL && find_object((void *)pc, &o) == 0) {
        const char *name = o.map->l_name;
        return name[0] != '\0' && (has_place(&o, &foreign) || roots_is_system_library(name));
    }
    for (size_t i = 0; i < foreign_count; i++)
        if (pc >= foreign[i].lo && pc < foreign[i].hi) return true;
    return false;
}

/* ---- on the goroutine's stack ---------------------------------------------------------------- */

static const char *fault_text(const struct fault *f)
{
    if (f->sig == SIGFPE)
        return f->code == FPE_INTDIV ? "integer divide by zero or overflow" : "arithmetic error";
    if (f->sig == SIGILL) return "illegal instruction";
    if (f->sig == SIGBUS) return f->code == BUS_MCEERR_AR ? "memory was lost" : "bus error";
    return f->code != SI_KERNEL && f->address < NULL_PAGE ? "NULL pointer dereference"
                                                          : "invalid memory address";
}

static void raise_fault(void *arg)
{
    const struct fault *f = arg;
    uintptr_t pc = arch_registers_pc(&f->registers) + 1; /* as if it returned from a call */
    if (f->sig == SIGFPE || f->sig == SIGILL) panic_at(pc, "%s", fault_text(f));
    if (f->sig == SIGSEGV && f->code == SI_KERNEL) /* not a canonical address */
        panic_at(pc, "%s (SIGSEGV)", fault_text(f));
    panic_at(pc, "%s (%s at address 0x%lx)", fault_text(f),
             f->sig == SIGSEGV ? "SIGSEGV" : "SIGBUS", (unsigned long)f->address);
}

static void fault_entry(void *arg)
{
    const struct fault *f = arg;
    arch_call_behind_registers(raise_fault, arg, &f->registers);
}

/* ---- in the handler -------------------------------------------------------------------------- */

static bool may_panic(const struct m *m, const struct g *g, const siginfo_t *info, void *ucontext)
{
    if (info->si_code <= 0 || crit_depth() != 0 || g == NULL || g->is_system) return false;
    if (atomic_load_relaxed(&m->state) != M_USER || m->curg != g) return false; /* own word */
    if (is_foreign(arch_frame_pc(ucontext))) return false;
    uintptr_t sp = arch_frame_sp(ucontext);
    if (sp < g->stack_lo + ROOM + sizeof(struct fault) || sp >= g->stack_hi) return false;
    bool memory = info->si_signo == SIGSEGV || info->si_signo == SIGBUS;
    return !memory || info->si_code == SI_KERNEL ||
           stack_guard_owner((uintptr_t)info->si_addr) == NULL;
}

/* The stack below the stack pointer is nothing that sanitizers know good of. */
__attribute__((no_sanitize_address, no_sanitize_thread)) static void hand_over(
    int sig, const siginfo_t *info, void *ucontext)
{
    uintptr_t called = (uintptr_t)info->si_addr;
    uintptr_t at = align_down(arch_frame_sp(ucontext) - ARCH_RED_ZONE - sizeof(struct fault), 16);
    struct fault *f = (struct fault *)at;
    /* A call to an address that is no code: the caller is at fault. */
    if (sig == SIGSEGV && called == arch_frame_pc(ucontext)) arch_frame_undo_call(ucontext);
    arch_registers_of_frame(&f->registers, ucontext);
    f->sig = sig;
    f->code = info->si_code;
    f->address = called;
    arch_frame_call(ucontext, fault_entry, f, at);
}

bool panic_hand_over(int sig, void *siginfo, void *ucontext)
{
    if (!atomic_load_acquire(&wanted)) return false; /* pairs with gort_set_panic_on_fault */
    const struct m *m = m_self();
    if (m == NULL || !may_panic(m, g_self(), siginfo, ucontext)) return false;
    hand_over(sig, siginfo, ucontext);
    return true;
}

bool gort_set_panic_on_fault(bool on)
{
    (void)lang_enter("gort_set_panic_on_fault");
    if (on) list_foreign_code();
    return atomic_exchange_acqrel(&wanted, on); /* releases the list */
}
