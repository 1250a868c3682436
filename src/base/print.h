/* Printing without allocation, locks or stdio: for reports from any context.
 *
 * A printer collects bytes in a buffer on the caller's stack and writes them with write(2), or
 * gives them to a function of the caller's, when the buffer is full and at print_flush.  Formats:
 * %s %c %d %u %x %p with l, ll, z sizes, width, zero padding, left-align '-', precision for %s, %f
 * with precision (fixed point, for small numbers), %%.  Unknown conversions print themselves.
 *
 * Answers to: print.go.
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef GORT_BASE_PRINT_H
#define GORT_BASE_PRINT_H

#include <stdarg.h>

#include "base/config.h"

struct print {
    int fd;                                                 /* where it goes; */
    void (*sink)(struct print *p, const char *s, size_t n); /* or here, if not NULL */
    size_t len;                                             /* bytes waiting in buf */
    char buf[512];
};

void print_init(struct print *p, int fd);
void print_init_sink(struct print *p, void (*sink)(struct print *p, const char *s, size_t n));
void print_bytes(struct print *p, const char *s, size_t n);
void print_fmt(struct print *p, const char *fmt, ...) printf_like(2, 3);
void print_vfmt(struct print *p, const char *fmt, va_list ap);
void print_flush(struct print *p);

/* One formatted message to standard error. */
void print_err(const char *fmt, ...) printf_like(1, 2);

/* Formats into buf like snprintf: always terminated when n > 0; returns the length wanted. */
size_t format_into(char *buf, size_t n, const char *fmt, ...) printf_like(3, 4);
size_t format_vinto(char *buf, size_t n, const char *fmt, va_list ap);

#endif
