/* errno's address, computed at each use: see gort/errno.h for why it is not inline.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#include "gort/errno.h"

#undef errno

extern int *__errno_location(void);

int *gort_errno_location(void)
{
    __asm__ volatile(""); /* not pure: each call is made */
    return __errno_location();
}
