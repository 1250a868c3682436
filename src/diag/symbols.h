/* Names of functions, for reports: which function of which file holds an address.
 *
 * Why not dladdr: it knows exported functions only, and takes the loader's lock.  Here the file
 * that is mapped at the address is found in /proc/self/maps and its symbol table is read with
 * pread, so static functions have names, nothing is allocated or mapped, and no lock is taken:
 * reports run in signal handlers, on corrupted heaps, and with no address space left.
 *
 * One user at a time: symbols_begin says whether the caller is the one.
 *
 * Answers to: symtab.go.
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef GORT_DIAG_SYMBOLS_H
#define GORT_DIAG_SYMBOLS_H

#include "base/config.h"

#define SYMBOL_NAME_MAX 160 /* names of C++ are long, and c++filt reads whole ones only */
#define SYMBOL_FILE_MAX 40

struct symbol {
    uintptr_t address;          /* asked for */
    uintptr_t offset;           /* in the file's own addresses, as addr2line wants it; 0: no file */
    char name[SYMBOL_NAME_MAX]; /* empty: not known */
    char file[SYMBOL_FILE_MAX]; /* last part of its path; empty: no file is mapped there */
};

/* Reserves the working memory; at load, while there is some. */
void symbols_init(void);
/* Takes the working memory, for which it waits a little.  false: another thread has it. */
bool symbols_begin(void);
void symbols_end(void);
/* What is at the address.  Never NULL; valid until the next call.  Between begin and end. */
const struct symbol *symbol_at(uintptr_t address);
/* Is it mapped, and may it be executed?  Between begin and end. */
bool symbol_is_code(uintptr_t address);

#endif
