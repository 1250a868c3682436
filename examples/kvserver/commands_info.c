/* INFO: how the server and its runtime are doing.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#define _GNU_SOURCE
#include "builder.h"
#include "command.h"
#include "reply.h"
#include "server.h"

#include <unistd.h>

static void info_server(builder *b)
{
    server_counts counts;
    server_read_counts(&counts);
    long long up = (gort_now() - counts.started) / GORT_S;
    build(b, "redis_version:%s\r\nkvserver_version:%s\r\nredis_mode:standalone\r\n",
          SERVER_SPEAKS_LIKE, SERVER_VERSION);
    build(b, "process_id:%d\r\nlisten:%s\r\nuptime_in_seconds:%lld\r\nuptime_in_days:%lld\r\n",
          (int)getpid(), server_address(), up, up / 86400);
}

static void info_clients(builder *b)
{
    server_counts counts;
    server_read_counts(&counts);
    build(b, "connected_clients:%llu\r\nmaxclients:%llu\r\n", (unsigned long long)counts.clients,
          (unsigned long long)counts.max_clients);
}

static void info_memory(builder *b)
{
    gort_stats s;
    gort_read_stats(&s);
    build(b, "used_memory:%llu\r\nused_memory_human:%.2fM\r\n", (unsigned long long)s.heap_alloc,
          (double)s.heap_alloc / 1048576);
    build(b, "heap_live:%llu\r\nheap_goal:%llu\r\nheap_sys:%llu\r\nstack_sys:%llu\r\n",
          (unsigned long long)s.heap_live, (unsigned long long)s.heap_goal,
          (unsigned long long)s.heap_sys, (unsigned long long)s.stack_sys);
    build(b, "maxmemory:0\r\nmaxmemory_policy:noeviction\r\n");
}

static void info_stats(builder *b)
{
    server_counts counts;
    unsigned long long hits = 0, misses = 0, expired = 0;
    server_read_counts(&counts);
    for (int i = 0; i < DB_COUNT * DB_SHARDS; i++) {
        shard *s = &db_number(i / DB_SHARDS)->shards[i % DB_SHARDS];
        gort_mutex_lock(&s->lock);
        hits += s->hits;
        misses += s->misses;
        expired += s->expired;
        gort_mutex_unlock(&s->lock);
    }
    build(b, "total_connections_received:%llu\r\ntotal_commands_processed:%llu\r\n",
          (unsigned long long)counts.connections, (unsigned long long)counts.commands);
    build(b, "rejected_connections:%llu\r\nexpired_keys:%llu\r\n",
          (unsigned long long)counts.rejected, expired);
    build(b, "keyspace_hits:%llu\r\nkeyspace_misses:%llu\r\n", hits, misses);
}

static void info_runtime(builder *b)
{
    gort_stats s;
    double verified = 0; /* GORTDEBUG=gccheckmark=1 */
    gort_read_stats(&s);
    (void)gort_metric_read("/gort/gc/debug/gccheckmark:events", &verified);
    build(b, "goroutines:%d\r\ngc_cycles:%llu\r\ngc_verified:%.0f\r\n", gort_num_goroutines(),
          (unsigned long long)s.num_gc, verified);
    build(b, "gc_pause_total_us:%llu\r\ngc_pause_max_us:%llu\r\ngc_cpu_fraction:%.4f\r\n",
          (unsigned long long)s.pause_total_ns / 1000, (unsigned long long)s.pause_max_ns / 1000,
          s.gc_cpu_fraction);
    build(b, "total_alloc:%llu\r\nmallocs:%llu\r\nfrees:%llu\r\n",
          (unsigned long long)s.total_alloc, (unsigned long long)s.mallocs,
          (unsigned long long)s.frees);
}

static void info_replication(builder *b)
{
    build(b, "role:master\r\nconnected_slaves:0\r\n");
}

static void info_keyspace(builder *b)
{
    for (int i = 0; i < DB_COUNT; i++) {
        size_t keys = 0, timed = 0;
        for (int j = 0; j < DB_SHARDS; j++) {
            shard *s = &db_number(i)->shards[j];
            gort_mutex_lock(&s->lock);
            keys += s->keys.count;
            timed += s->deadlines.count;
            gort_mutex_unlock(&s->lock);
        }
        if (keys > 0) build(b, "db%d:keys=%zu,expires=%zu,avg_ttl=0\r\n", i, keys, timed);
    }
}

static const struct info_section {
    const char *name, *title;
    void (*write)(builder *b);
} info_sections[] = {
    { "server", "Server", info_server },
    { "clients", "Clients", info_clients },
    { "memory", "Memory", info_memory },
    { "stats", "Stats", info_stats },
    { "replication", "Replication", info_replication },
    { "runtime", "Runtime", info_runtime },
    { "keyspace", "Keyspace", info_keyspace },
};

static bool section_is_wanted(const conn *c, const char *name)
{
    if (arg_count(c) == 1) return true;
    for (int i = 1; i < arg_count(c); i++) {
        text word = arg(c, i);
        if (text_is(word, name) || text_is(word, "all") || text_is(word, "everything") ||
            text_is(word, "default")) {
            return true;
        }
    }
    return false;
}

void cmd_info(conn *c, const key *k)
{
    (void)k;
    builder b = { 0 };
    for (size_t i = 0; i < sizeof(info_sections) / sizeof(info_sections[0]); i++) {
        if (!section_is_wanted(c, info_sections[i].name)) continue;
        build(&b, "%s# %s\r\n", b.len == 0 ? "" : "\r\n", info_sections[i].title);
        info_sections[i].write(&b);
    }
    reply_bulk(c, builder_text(&b));
}
