/* Subcommands; see subcommand.h.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#include "subcommand.h"

#include "command.h"
#include "reply.h"

#include <stdio.h>

static void reply_help(conn *c, const char *command, const subcommand *subs, size_t n)
{
    reply_array(c, n + 1);
    reply_bulkf(c, "%s <subcommand> [<argument> ...]. Subcommands are:", command);
    for (size_t i = 0; i < n; i++) {
        reply_bulkf(c, "%s: %s", subs[i].name, subs[i].help);
    }
}

void subcommand_run(conn *c, const char *command, const subcommand *subs, size_t n)
{
    text name = arg(c, 1);
    if (text_is(name, "help")) {
        reply_help(c, command, subs, n);
        return;
    }
    for (size_t i = 0; i < n; i++) {
        if (!text_is(name, subs[i].name)) continue;
        int arity = subs[i].arity;
        if (arity >= 0 ? arg_count(c) == arity : arg_count(c) >= -arity) {
            subs[i].run(c);
        } else {
            char full[64];
            snprintf(full, sizeof(full), "%s|%s", command, subs[i].name);
            reply_wrong_arity(c, full);
        }
        return;
    }
    reply_unknown_subcommand(c, command, name);
}
