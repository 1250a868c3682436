/* Commands on the server: TIME, CONFIG, COMMAND.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#include "command.h"
#include "reply.h"
#include "server.h"
#include "subcommand.h"

#include <time.h>

void cmd_time(conn *c, const key *k)
{
    (void)k;
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    reply_array(c, 2);
    reply_bulk_int(c, now.tv_sec);
    reply_bulk_int(c, now.tv_nsec / 1000);
}

/* ---- CONFIG ---- */

typedef struct setting {
    const char *name;
    int64_t (*get)(void);   /* NULL: always `value` */
    bool (*set)(int64_t v); /* NULL: only `value` is accepted */
    const char *value;
} setting;

static int64_t get_max_clients(void)
{
    server_counts counts;
    server_read_counts(&counts);
    return (int64_t)counts.max_clients;
}

static bool set_max_clients(int64_t n)
{
    if (n < 1) return false;
    server_set_max_clients((uint64_t)n);
    return true;
}

static int64_t get_gc_percent(void)
{
    double percent = 0;
    gort_metric_read("/gc/gogc:percent", &percent);
    return (int64_t)percent;
}

static bool set_gc_percent(int64_t percent)
{
    if (percent < -1 || percent > 100000) return false;
    gort_set_gc_percent((int)percent);
    return true;
}

static const setting settings[] = {
    { "appendonly", NULL, NULL, "no" },
    { "databases", NULL, NULL, "16" },
    { "gc-percent", get_gc_percent, set_gc_percent, NULL },
    { "maxclients", get_max_clients, set_max_clients, NULL },
    { "maxmemory", NULL, NULL, "0" },
    { "proto-max-bulk-len", NULL, NULL, "536870912" },
    { "save", NULL, NULL, "" },
    { "timeout", NULL, NULL, "0" },
};
#define SETTING_COUNT (sizeof(settings) / sizeof(settings[0]))

static void config_get(conn *c)
{
    size_t gap = reply_later(c), found = 0;
    for (size_t s = 0; s < SETTING_COUNT; s++) {
        text name = { settings[s].name, strlen(settings[s].name) };
        bool wanted = false;
        for (int i = 2; i < arg_count(c) && !wanted; i++) {
            wanted = text_is(arg(c, i), settings[s].name) || text_matches(name, arg(c, i));
        }
        if (!wanted) continue;
        found++;
        reply_bulk(c, name);
        if (settings[s].get != NULL) {
            reply_bulk_int(c, settings[s].get());
        } else {
            reply_bulkf(c, "%s", settings[s].value);
        }
    }
    reply_array_now(c, gap, found * 2);
}

static const setting *find_setting(text name)
{
    for (size_t s = 0; s < SETTING_COUNT; s++) {
        if (text_is(name, settings[s].name)) return &settings[s];
    }
    return NULL;
}

static bool change_setting(const setting *s, text value)
{
    int64_t number;
    if (s->set != NULL) return text_to_i64(value, &number) && s->set(number);
    return s->value != NULL && text_equal(value, (text){ s->value, strlen(s->value) });
}

static void config_set(conn *c)
{
    if (arg_count(c) % 2 != 0) {
        reply_wrong_arity(c, "config|set");
        return;
    }
    for (int i = 2; i < arg_count(c); i += 2) {
        text name = arg(c, i);
        int shown = (int)(name.len < 64 ? name.len : 64);
        const setting *s = find_setting(name);
        if (s == NULL) {
            reply_error(c, "ERR Unknown option or number of arguments for CONFIG SET - '%.*s'",
                        shown, name.bytes);
            return;
        }
        if (!change_setting(s, arg(c, i + 1))) {
            reply_error(c,
                        "ERR CONFIG SET failed (possibly related to argument '%.*s') - kvserver "
                        "has no such mode",
                        shown, name.bytes);
            return;
        }
    }
    reply_ok(c);
}

static void config_resetstat(conn *c)
{
    for (int i = 0; i < DB_COUNT * DB_SHARDS; i++) {
        shard *s = &db_number(i / DB_SHARDS)->shards[i % DB_SHARDS];
        gort_mutex_lock(&s->lock);
        s->hits = s->misses = s->expired = 0;
        gort_mutex_unlock(&s->lock);
    }
    reply_ok(c);
}

static const subcommand config_subcommands[] = {
    { "get", -3, config_get, "The settings that match a pattern." },
    { "resetstat", 2, config_resetstat, "Counts hits and misses from zero." },
    { "set", -4, config_set, "Changes settings." },
};

void cmd_config(conn *c, const key *k)
{
    (void)k;
    SUBCOMMAND_RUN(c, "config", config_subcommands);
}

/* ---- DEBUG ---- */

static void debug_check(conn *c)
{
    const char *why = "";
    for (int i = 0; i < DB_COUNT * DB_SHARDS; i++) {
        shard *s = &db_number(i / DB_SHARDS)->shards[i % DB_SHARDS];
        gort_mutex_lock(&s->lock);
        bool valid = db_shard_is_valid(s, &why);
        gort_mutex_unlock(&s->lock);
        if (!valid) {
            reply_error(c, "ERR the data is damaged: %s", why);
            return;
        }
    }
    reply_ok(c);
}

static void debug_gc(conn *c)
{
    gort_gc();
    reply_ok(c);
}

static const subcommand debug_subcommands[] = {
    { "check", 2, debug_check, "Checks every table and list." },
    { "gc", 2, debug_gc, "Collects garbage, and replies when that is done." },
};

void cmd_debug(conn *c, const key *k)
{
    (void)k;
    SUBCOMMAND_RUN(c, "debug", debug_subcommands);
}

/* ---- COMMAND ---- */

static void describe_command(conn *c, const command *cmd)
{
    reply_array(c, 10);
    reply_bulkf(c, "%s", cmd->name);
    reply_int(c, cmd->arity);
    reply_array(c, 1);
    reply_status(c, cmd->flags & COMMAND_WRITES  ? "write"
                    : cmd->flags & COMMAND_READS ? "readonly"
                                                 : "admin");
    reply_int(c, cmd->first_key);
    reply_int(c, cmd->last_key);
    reply_int(c, cmd->key_step);
    for (int i = 0; i < 4; i++) { /* categories, tips, key specifications, subcommands */
        reply_array(c, 0);
    }
}

static void document_command(conn *c, const command *cmd)
{
    reply_bulkf(c, "%s", cmd->name);
    reply_array(c, 4);
    reply_bulk(c, TEXT("summary"));
    reply_bulkf(c, "%s", cmd->summary);
    reply_bulk(c, TEXT("group"));
    reply_bulkf(c, "%s", cmd->group);
}

static void command_all(conn *c)
{
    reply_array(c, command_count());
    for (size_t i = 0; i < command_count(); i++) {
        describe_command(c, command_at(i));
    }
}

static void command_count_reply(conn *c)
{
    reply_int(c, (int64_t)command_count());
}

static void command_list(conn *c)
{
    reply_array(c, command_count());
    for (size_t i = 0; i < command_count(); i++) {
        reply_bulkf(c, "%s", command_at(i)->name);
    }
}

static void command_info(conn *c)
{
    if (arg_count(c) == 2) {
        command_all(c);
        return;
    }
    reply_array(c, (size_t)arg_count(c) - 2);
    for (int i = 2; i < arg_count(c); i++) {
        const command *cmd = command_find(arg(c, i));
        if (cmd != NULL) {
            describe_command(c, cmd);
        } else {
            reply_null_array(c);
        }
    }
}

static void command_docs(conn *c)
{
    size_t gap = reply_later(c), found = 0;
    for (size_t i = 0; arg_count(c) == 2 && i < command_count(); i++, found++) {
        document_command(c, command_at(i));
    }
    for (int i = 2; i < arg_count(c); i++) {
        const command *cmd = command_find(arg(c, i));
        if (cmd == NULL) continue;
        document_command(c, cmd);
        found++;
    }
    reply_array_now(c, gap, found * 2);
}

static const subcommand command_subcommands[] = {
    { "count", 2, command_count_reply, "The number of commands." },
    { "docs", -2, command_docs, "What commands do." },
    { "info", -2, command_info, "Words and keys of commands." },
    { "list", -2, command_list, "The names of all commands." },
};

void cmd_command(conn *c, const key *k)
{
    (void)k;
    if (arg_count(c) == 1) {
        command_all(c);
    } else {
        SUBCOMMAND_RUN(c, "command", command_subcommands);
    }
}
