/* The pacer's trace lines (GORTDEBUG=gcpacertrace=1), in the original's format, so that tools that
 * read one read the other.  Formatting only: who calls prints, where printing is allowed.
 *
 * A number is printed as the original prints a double: sign, one digit, six decimals, an exponent
 * of three digits.  base/print has no exponents, and stdio may not be used here.
 *
 * Answers to: gcpacertrace in mgcpacer.go, printfloat in print.go.
 * SPDX-License-Identifier: BSD-3-Clause
 */
#include "base/print.h"
#include "gc/pacer.h"

#define NUMBER 24 /* "+1.234567e+089" and some room */

/* x is positive and finite: scales it to [1, 10) and counts the tens. */
static int scale(double *x)
{
    int tens = 0;
    for (; *x >= 10; tens++)
        *x /= 10;
    for (; *x < 1; tens--)
        *x *= 10;
    return tens;
}

static const char *number(char buf[NUMBER], double x)
{
    const char *sign = x < 0 ? "-" : "+";
    double size = x < 0 ? -x : x;
    if (!(size <= 0x1.fffffffffffffp1023)) return size > 0 ? (x < 0 ? "-Inf" : "+Inf") : "NaN";
    int tens = size > 0 ? scale(&size) : 0;
    uint64_t digits = (uint64_t)(size * 1e6 + 0.5);
    if (digits == 10000000) { /* rounded up to the next ten */
        digits = 1000000;
        tens++;
    }
    format_into(buf, NUMBER, "%s%lu.%06lue%s%03d", sign, (unsigned long)(digits / 1000000),
                (unsigned long)(digits % 1000000), tens < 0 ? "-" : "+", tens < 0 ? -tens : tens);
    return buf;
}

size_t pacer_format_start(char *buf, size_t n, const struct pacer *p, const struct pacer_now *now,
                          struct pacer_assist a)
{
    char assist[NUMBER], fraction[NUMBER];
    return format_into(
        buf, n, "pacer: assist ratio=%s (scan %lu MB in %lu->%lu MB) workers=%d+%s\n",
        number(assist, a.work_per_byte), (unsigned long)(now->scannable / MB),
        (unsigned long)(now->live / MB), (unsigned long)(pacer_goal(p, now->limit_goal) / MB),
        p->dedicated, number(fraction, p->fractional));
}

size_t pacer_format_end(char *buf, size_t n, const struct pacer_report *r)
{
    char ratio[NUMBER];
    return format_into(buf, n,
                       "pacer: %d%% CPU (%d exp.) for %lu+%lu+%lu B work (%lu B exp.) in %lu B -> "
                       "%lu B (\u2206goal %ld, cons/mark %s)\n",
                       (int)(r->utilization * 100), (int)(PACER_UTILIZATION * 100),
                       (unsigned long)r->work.heap, (unsigned long)r->work.stacks,
                       (unsigned long)r->work.globals, (unsigned long)r->expected,
                       (unsigned long)r->triggered, (unsigned long)r->live,
                       (long)(r->live - r->goal), number(ratio, r->cons_mark));
}
