/* The machine as the program sees it.
 *
 * What boot goes by is asked for anew: quotas and masks change.
 *
 * Answers to: runtime.NumCPU, GOARCH, GOOS, Version; sysauxv.
 * SPDX-License-Identifier: BSD-3-Clause
 */
#include "gort/inspect.h"
#include "os/os.h"
#include "sched/sched.h"

void gort_read_machine(gort_machine *out)
{
    *out = (gort_machine){
        .cpus = os_cpu_count(),
        .cpu_quota = (double)os_cpu_quota_milli() / 1000,
        .procs = p_count(),
        .page_size = os_page_size(),
        .huge_page_size = os_huge_page_size(),
        .arch = GORT_ARCH_NAME,
        .os = GORT_OS_NAME,
        .version = GORT_VERSION,
    };
}
