/* Commands whose first argument names what to do: CLIENT, CONFIG, COMMAND.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef KV_SUBCOMMAND_H
#define KV_SUBCOMMAND_H

#include "conn.h"

typedef struct subcommand {
    const char *name;
    int arity; /* as in struct command; the command's name and this one included */
    void (*run)(conn *c);
    const char *help;
} subcommand;

/* Runs the one that the first argument names, or HELP, or replies an error. */
void subcommand_run(conn *c, const char *command, const subcommand *subs, size_t n);
#define SUBCOMMAND_RUN(c, command, table)                                                          \
    subcommand_run(c, command, table, sizeof(table) / sizeof(table[0]))

#endif
