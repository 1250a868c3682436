/* The table of commands and the frame they run in; see command.h.
 *
 * Note [Lookup].  A name is at most 16 letters, so it is two machine words, made lower case by
 * setting one bit in each byte.  At start a multiplier is searched for which no two names of the
 * table share a slot; a lookup is then one multiplication, one load and one comparison.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#include "command.h"

#include "reply.h"

#include <stdio.h>
#include <stdlib.h>

#define COMMAND_ROW(name, arity, flags, first, last, step, group, summary)                         \
    { #name, cmd_##name, arity, COMMAND_##flags, first, last, step, group, summary },

static const command commands[] = { COMMANDS(COMMAND_ROW) };

#define COMMAND_COUNT (sizeof(commands) / sizeof(commands[0]))
#define COMMAND_NAME_MAX 16
#define SLOT_BITS 10

static uint8_t slots[1 << SLOT_BITS]; /* index of a command, plus one; 0: none */
static uint64_t multiplier;
_Static_assert(COMMAND_COUNT < 256, "a slot is a byte");

/* ---- Lookup ---- */

typedef struct name_words {
    uint64_t first, last;
    size_t len;
} name_words;

static name_words names[COMMAND_COUNT];

/* Names of the same length have the same words only if they are equal but for case. */
static inline name_words words_of(text name)
{
    const uint64_t case_bits = 0x2020202020202020u;
    const char *p = name.bytes;
    size_t n = name.len;
    uint64_t first = 0, last = 0;
    if (n >= 8) {
        memcpy(&first, p, 8);
        memcpy(&last, p + n - 8, 8);
    } else if (n >= 4) {
        memcpy(&first, p, 4);
        memcpy(&last, p + n - 4, 4);
    } else if (n > 0) {
        first = (uint64_t)(unsigned char)p[0] | (uint64_t)(unsigned char)p[n / 2] << 8 |
                (uint64_t)(unsigned char)p[n - 1] << 16;
    }
    return (name_words){ first | case_bits, last | case_bits, n };
}

static inline size_t slot_of(name_words w)
{
    return (size_t)((w.first + (w.last << 32 | w.last >> 32)) * multiplier >> (64 - SLOT_BITS));
}

static bool fill_slots(void)
{
    memset(slots, 0, sizeof(slots));
    for (size_t i = 0; i < COMMAND_COUNT; i++) {
        uint8_t *slot = &slots[slot_of(names[i])];
        if (*slot != 0) return false;
        *slot = (uint8_t)(i + 1);
    }
    return true;
}

void command_init(void)
{
    for (size_t i = 0; i < COMMAND_COUNT; i++) {
        names[i] = words_of((text){ commands[i].name, strlen(commands[i].name) });
    }
    multiplier = 0x9e3779b97f4a7c15u;
    for (int tries = 0; !fill_slots(); tries++) {
        if (tries == 100000) { /* two names alike: a mistake in the table */
            fprintf(stderr, "kvserver: the command table has no perfect hash\n");
            abort();
        }
        multiplier = multiplier * 6364136223846793005u + 1442695040888963407u;
    }
}

const command *command_find(text name)
{
    if (name.len > COMMAND_NAME_MAX) return NULL;
    name_words w = words_of(name);
    size_t slot = slots[slot_of(w)];
    if (slot == 0) return NULL;
    const name_words *found = &names[slot - 1];
    bool same = found->first == w.first && found->last == w.last && found->len == w.len;
    return same ? &commands[slot - 1] : NULL;
}

const command *command_at(size_t i)
{
    return i < COMMAND_COUNT ? &commands[i] : NULL;
}

size_t command_count(void)
{
    return COMMAND_COUNT;
}

/* ---- Running ---- */

bool find_kind(conn *c, const key *k, enum kind kind, dict_node **out)
{
    dict_node *n = db_find(k);
    *out = n;
    if (n == NULL || n->kind == kind) return true;
    reply_wrong_type(c);
    return false;
}

bool arg_int(conn *c, int i, int64_t *out)
{
    if (text_to_i64(arg(c, i), out)) return true;
    reply_not_an_integer(c);
    return false;
}

__attribute__((noinline)) static void reply_unknown_command(conn *c)
{
    char shown[160];
    size_t n = 0;
    shown[0] = '\0';
    for (int i = 1; i < arg_count(c) && n < 128; i++) {
        text t = arg(c, i);
        size_t room = 128 - n;
        n += (size_t)snprintf(shown + n, sizeof(shown) - n, "'%.*s' ",
                              (int)(t.len < room ? t.len : room), t.bytes);
    }
    text name = arg(c, 0);
    reply_error(c, "ERR unknown command '%.*s', with args beginning with: %s",
                (int)(name.len < 128 ? name.len : 128), name.bytes, shown);
}

static void run_with_keys(conn *c, const command *cmd)
{
    key first = arg_key(c, cmd->first_key);
    int last = cmd->last_key < 0 ? arg_count(c) + cmd->last_key : cmd->last_key;
    shard_set set = db_shard_bit(c->db, &first);
    for (int i = cmd->first_key + cmd->key_step; i <= last; i += cmd->key_step) {
        key k = arg_key(c, i);
        set |= db_shard_bit(c->db, &k);
    }
    database *db = c->db;
    db_lock(db, set);
    cmd->run(c, &first);
    db_unlock(db, set);
}

void command_run(conn *c)
{
    const command *cmd = command_find(arg(c, 0));
    if (cmd == NULL) {
        reply_unknown_command(c);
        return;
    }
    int words = arg_count(c);
    if (cmd->arity >= 0 ? words != cmd->arity : words < -cmd->arity) {
        reply_wrong_arity(c, cmd->name);
        return;
    }
    __atomic_store_n(&c->last_command, cmd, __ATOMIC_RELAXED); /* read by CLIENT LIST */
    if (cmd->first_key == 0) {
        cmd->run(c, NULL);
    } else if (cmd->last_key == cmd->first_key) {
        key k = arg_key(c, cmd->first_key);
        gort_mutex_lock(&k.shard->lock);
        cmd->run(c, &k);
        gort_mutex_unlock(&k.shard->lock);
    } else {
        run_with_keys(c, cmd);
    }
}
