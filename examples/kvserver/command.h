/* Commands: the table of all, lookup by name, and the frame each runs in.
 *
 * The frame (command_run) checks the number of arguments, locks the shards of the command's keys
 * in ascending order, runs it, and unlocks.  So a command over several keys is atomic, commands
 * are free of locking, and none may block: replies go to memory (see reply.h).  Commands without
 * keys in the table (KEYS, SCAN, FLUSHALL, DBSIZE) lock shard by shard themselves.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef KV_COMMAND_H
#define KV_COMMAND_H

#include "conn.h"

/* key: the command's first key, when it has any. */
typedef void command_fn(conn *c, const key *k);

enum command_flags { COMMAND_READS = 1, COMMAND_WRITES = 2, COMMAND_ADMIN = 4 };

typedef struct command {
    const char *name; /* lower case */
    command_fn *run;
    int arity; /* number of words, the name included; negative: at least so many */
    int flags;
    int first_key; /* position of the first key, 0: none */
    int last_key;  /* and of the last; negative: counted from the end */
    int key_step;
    const char *group;
    const char *summary;
} command;

/* Executes the command that c->in holds. */
void command_run(conn *c);

/* NULL when there is none. */
const command *command_find(text name);
const command *command_at(size_t i); /* NULL behind the last */
size_t command_count(void);

/* Builds the lookup table; once, before the first lookup. */
void command_init(void);

/* The arguments of the command that is running; 0 is its name. */
static inline int arg_count(const conn *c)
{
    return (int)c->in.arg_count;
}
static inline text arg(const conn *c, int i)
{
    return request_text(&c->in, (uint32_t)i);
}
static inline key arg_key(const conn *c, int i)
{
    return db_key(c->db, arg(c, i));
}
/* False after an error reply when the argument is not an integer. */
bool arg_int(conn *c, int i, int64_t *out);

/* The node of a key, NULL when there is none.  False after an error reply when it holds a value of
 * another kind.  Not for strings, which have two kinds. */
bool find_kind(conn *c, const key *k, enum kind kind, dict_node **out);

/* name, arity, flags, first key, last key, step, group, summary */
#define COMMANDS(X)                                                                                \
    X(append, 3, WRITES, 1, 1, 1, "string", "Appends to the value of a key")                       \
    X(auth, -2, ADMIN, 0, 0, 0, "connection", "There are no passwords here: an error")             \
    X(client, -2, ADMIN, 0, 0, 0, "connection", "Names, numbers and lists connections")            \
    X(command, -1, ADMIN, 0, 0, 0, "server", "Describes the commands")                             \
    X(config, -2, ADMIN, 0, 0, 0, "server", "Reads and changes settings")                          \
    X(dbsize, 1, READS, 0, 0, 0, "server", "The number of keys")                                   \
    X(debug, -2, ADMIN, 0, 0, 0, "server", "Checks the data, collects garbage")                    \
    X(decr, 2, WRITES, 1, 1, 1, "string", "Decrements a number by one")                            \
    X(decrby, 3, WRITES, 1, 1, 1, "string", "Decrements a number")                                 \
    X(del, -2, WRITES, 1, -1, 1, "generic", "Removes keys")                                        \
    X(echo, 2, READS, 0, 0, 0, "connection", "Replies what it was given")                          \
    X(exists, -2, READS, 1, -1, 1, "generic", "Counts the keys that exist")                        \
    X(expire, -3, WRITES, 1, 1, 1, "generic", "Removes a key after some seconds")                  \
    X(flushall, -1, WRITES, 0, 0, 0, "server", "Removes all keys of all databases")                \
    X(flushdb, -1, WRITES, 0, 0, 0, "server", "Removes all keys of this database")                 \
    X(get, 2, READS, 1, 1, 1, "string", "The value of a key")                                      \
    X(getdel, 2, WRITES, 1, 1, 1, "string", "The value of a key, which is removed")                \
    X(getset, 3, WRITES, 1, 1, 1, "string", "Sets a value and returns the former")                 \
    X(hdel, -3, WRITES, 1, 1, 1, "hash", "Removes fields of a hash")                               \
    X(hello, -1, ADMIN, 0, 0, 0, "connection", "Describes the server and its protocol")            \
    X(hexists, 3, READS, 1, 1, 1, "hash", "Does a field exist?")                                   \
    X(hget, 3, READS, 1, 1, 1, "hash", "The value of a field")                                     \
    X(hgetall, 2, READS, 1, 1, 1, "hash", "All fields and values of a hash")                       \
    X(hincrby, 4, WRITES, 1, 1, 1, "hash", "Increments the number in a field")                     \
    X(hkeys, 2, READS, 1, 1, 1, "hash", "All fields of a hash")                                    \
    X(hlen, 2, READS, 1, 1, 1, "hash", "The number of fields")                                     \
    X(hmget, -3, READS, 1, 1, 1, "hash", "The values of several fields")                           \
    X(hmset, -4, WRITES, 1, 1, 1, "hash", "Sets several fields")                                   \
    X(hset, -4, WRITES, 1, 1, 1, "hash", "Sets fields of a hash")                                  \
    X(hsetnx, 4, WRITES, 1, 1, 1, "hash", "Sets a field that does not exist")                      \
    X(hvals, 2, READS, 1, 1, 1, "hash", "All values of a hash")                                    \
    X(incr, 2, WRITES, 1, 1, 1, "string", "Increments a number by one")                            \
    X(incrby, 3, WRITES, 1, 1, 1, "string", "Increments a number")                                 \
    X(info, -1, ADMIN, 0, 0, 0, "server", "Tells how the server is doing")                         \
    X(keys, 2, READS, 0, 0, 0, "generic", "All keys that match a pattern")                         \
    X(lindex, 3, READS, 1, 1, 1, "list", "One element of a list")                                  \
    X(llen, 2, READS, 1, 1, 1, "list", "The length of a list")                                     \
    X(lpop, -2, WRITES, 1, 1, 1, "list", "Takes elements from the left")                           \
    X(lpush, -3, WRITES, 1, 1, 1, "list", "Adds elements on the left")                             \
    X(lrange, 4, READS, 1, 1, 1, "list", "A range of elements")                                    \
    X(mget, -2, READS, 1, -1, 1, "string", "The values of several keys")                           \
    X(mset, -3, WRITES, 1, -1, 2, "string", "Sets several keys")                                   \
    X(persist, 2, WRITES, 1, 1, 1, "generic", "Takes a key's deadline away")                       \
    X(pexpire, -3, WRITES, 1, 1, 1, "generic", "Removes a key after some milliseconds")            \
    X(ping, -1, READS, 0, 0, 0, "connection", "Is anybody there?")                                 \
    X(psetex, 4, WRITES, 1, 1, 1, "string", "Sets a value for some milliseconds")                  \
    X(pttl, 2, READS, 1, 1, 1, "generic", "Milliseconds until a key is removed")                   \
    X(quit, -1, ADMIN, 0, 0, 0, "connection", "Ends the connection")                               \
    X(randomkey, 1, READS, 0, 0, 0, "generic", "A key chosen at random")                           \
    X(rpop, -2, WRITES, 1, 1, 1, "list", "Takes elements from the right")                          \
    X(rpush, -3, WRITES, 1, 1, 1, "list", "Adds elements on the right")                            \
    X(sadd, -3, WRITES, 1, 1, 1, "set", "Adds members to a set")                                   \
    X(scan, -2, READS, 0, 0, 0, "generic", "Walks over the keys in steps")                         \
    X(scard, 2, READS, 1, 1, 1, "set", "The number of members")                                    \
    X(select, 2, ADMIN, 0, 0, 0, "connection", "Changes to another database")                      \
    X(set, -3, WRITES, 1, 1, 1, "string", "Sets the value of a key")                               \
    X(setex, 4, WRITES, 1, 1, 1, "string", "Sets a value for some seconds")                        \
    X(setnx, 3, WRITES, 1, 1, 1, "string", "Sets a key that does not exist")                       \
    X(sismember, 3, READS, 1, 1, 1, "set", "Is it a member?")                                      \
    X(smembers, 2, READS, 1, 1, 1, "set", "All members of a set")                                  \
    X(spop, -2, WRITES, 1, 1, 1, "set", "Takes members chosen at random")                          \
    X(srandmember, -2, READS, 1, 1, 1, "set", "Members chosen at random")                          \
    X(srem, -3, WRITES, 1, 1, 1, "set", "Removes members")                                         \
    X(strlen, 2, READS, 1, 1, 1, "string", "The length of a value")                                \
    X(time, 1, READS, 0, 0, 0, "server", "Seconds and microseconds since 1970")                    \
    X(touch, -2, READS, 1, -1, 1, "generic", "Counts the keys that exist")                         \
    X(ttl, 2, READS, 1, 1, 1, "generic", "Seconds until a key is removed")                         \
    X(type, 2, READS, 1, 1, 1, "generic", "What kind of value a key holds")                        \
    X(unlink, -2, WRITES, 1, -1, 1, "generic", "Removes keys")

#define COMMAND_DECLARE(name, ...) command_fn cmd_##name;
COMMANDS(COMMAND_DECLARE)
#undef COMMAND_DECLARE

#endif
