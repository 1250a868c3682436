// The signal frame: program counter, stack pointer, and memory that holds every register.
//
// SPDX-License-Identifier: BSD-3-Clause
#include <signal.h>

#include "arch/arch.h"
#include "base/bits.h"
#include "machine.h"
#include "os/os.h"
#include "test.h"

#define MAGIC UINT64_C(0x5eedbeef0ddba11)

static struct {
    int times;
    uintptr_t pc, sp, fp;
    bool magic;
} seen;

static bool range_holds(struct arch_range r, uint64_t value)
{
    for (uintptr_t p = align_up(r.lo, 8); p + 8 <= r.hi; p += 8)
        if (*(uint64_t *)p == value) return true;
    return false;
}

// At the trap of the tests: looks around and steps over it.
static void on_ill(int sig, siginfo_t *info, void *ucontext)
{
    struct arch_range range[2];
    (void)sig;
    (void)info;
    seen.times++;
    seen.pc = arch_frame_pc(ucontext);
    seen.sp = arch_frame_sp(ucontext);
    seen.fp = arch_frame_fp(ucontext);
    int n = arch_frame_registers(ucontext, range);
    CHECK(n == 1 || n == 2);
    seen.magic = false;
    for (int i = 0; i < n; i++) {
        CHECK(range[i].lo < range[i].hi && range[i].hi - range[i].lo < 64 * KB);
        seen.magic |= range_holds(range[i], MAGIC);
    }
    arch_frame_set_pc(ucontext, seen.pc + TRAP_BYTES);
}

TEST(program_counter_and_stack_pointer)
{
    uintptr_t pc, sp, fp;
    TRAP_PLACE(pc, sp, fp);
    CHECK_EQ(seen.times, 1);
    CHECK_EQ(seen.pc, pc);
    CHECK_EQ(seen.sp, sp);
    CHECK_EQ(seen.fp, fp);
    CHECK(!seen.magic);
}

#define COVERED(reg)                                                                               \
    TRAP_GENERAL(reg, magic);                                                                      \
    CHECK(seen.magic);

TEST(every_general_register_is_covered)
{
    static const uint64_t magic = MAGIC;
    GENERAL_REGISTERS(COVERED)
}

#if defined(__x86_64__)

#define VECTOR(load, clear)                                                                        \
    do {                                                                                           \
        __asm__ volatile(load "\n\tud2\n\t" clear : : "m"(vector) : "memory", "xmm3", "xmm15");    \
        CHECK(seen.magic);                                                                         \
    } while (0)

TEST(vector_registers_are_covered)
{
    // The magic word is in the uppermost place, behind others.
    union {
        uint64_t word[8];
        char bytes[64];
    } vector __attribute__((aligned(64))) = { .word = { 1, 2, 3, 4, 5, 6, 7, 8 } };
    vector.word[1] = MAGIC;
    VECTOR("movups %0, %%xmm15", "pxor %%xmm15, %%xmm15");
    vector.word[1] = 0;
    vector.word[3] = MAGIC;
    if (__builtin_cpu_supports("avx"))
        VECTOR("vmovups %0, %%ymm3", "vzeroupper\n\tpxor %%xmm3, %%xmm3");
    vector.word[3] = 0;
    vector.word[7] = MAGIC;
    if (__builtin_cpu_supports("avx512f")) {
        VECTOR("vmovups %0, %%zmm3", "vzeroupper\n\tpxor %%xmm3, %%xmm3");
        VECTOR("vmovups %0, %%zmm29", "vpxord %%zmm29, %%zmm29, %%zmm29");
    }
}

#elif defined(__aarch64__)

TEST(vector_registers_are_covered)
{
    static const uint64_t vector[2] __attribute__((aligned(16))) = { 1, MAGIC };
#define VECTOR(reg)                                                                                \
    __asm__ volatile("ldr q" reg ", %0\n\tudf #0\n\tmovi v" reg ".2d, #0"                          \
                     :                                                                             \
                     : "m"(vector)                                                                 \
                     : "v" reg, "memory");                                                         \
    CHECK(seen.magic);
    VECTOR("0")
    VECTOR("15")
    VECTOR("31")
}

#endif

int main(void)
{
    size_t size = os_sigstack_size();
    char *alternate = os_mem_map(NULL, size);
    CHECK(alternate != NULL);
    CHECK_EQ(os_sigstack_set(alternate, size), 0);
    CHECK_EQ(os_signal_install(SIGILL, on_ill, NULL), 0);
    RUN(program_counter_and_stack_pointer);
    RUN(every_general_register_is_covered);
    RUN(vector_registers_are_covered);
    return 0;
}
