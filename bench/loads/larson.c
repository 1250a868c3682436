// In the style of larson: threads of a server, each with a table of blocks, replace random ones by
// new ones of random size; then they end, and their successors take over another's table, so that
// blocks are freed by who did not allocate them.
//
// A block begins with its size, which is checked when it is replaced, of every eighth: as in larson
// the program itself hardly touches its blocks.  mimalloc writes into those that are freed; Go
// zeroes the new ones, the others do not.
//
// SPDX-License-Identifier: BSD-3-Clause
#include "load.h"

#define LANES 8
#define BLOCKS 5000
#define SMALLEST 8
#define LARGEST 1000
#define CHECKED 8

static port_pointer *tables[LANES];
static uint64_t seeds[LANES], sums[LANES]; // by table
static int generation, replacements;

static char *block_new(uint32_t size)
{
    char *b = port_bytes(size);
    memcpy(b, &size, 4);
    return b;
}

static uint64_t block_check(const char *b)
{
    uint32_t size;
    memcpy(&size, b, 4);
    if (size < SMALLEST || size > LARGEST) load_fail("a block was overwritten");
    return size;
}

static uint32_t random_size(uint64_t *seed)
{
    return SMALLEST + load_random(seed) % (LARGEST - SMALLEST + 1);
}

static void fill(int table)
{
    port_set(&tables[table], port_new_array(port_pointer, BLOCKS));
    seeds[table] = (uint64_t)table + 1;
    for (int i = 0; i < BLOCKS; i++)
        port_set(&tables[table][i], block_new(random_size(&seeds[table])));
}

static void serve(int lane)
{
    int table = (lane + generation) % load_procs;
    port_pointer *blocks = tables[table];
    uint64_t seed = seeds[table], sum = sums[table];
    for (int i = 0; i < replacements; i++) {
        uint32_t victim = load_random(&seed) % BLOCKS;
        if (i % CHECKED == 0) sum = load_mix(sum, block_check(blocks[victim]));
        port_free(blocks[victim]);
        port_set(&blocks[victim], block_new(random_size(&seed)));
    }
    seeds[table] = seed;
    sums[table] = sum;
}

void larson_run(void)
{
    int generations = load_quick ? 10 : 100;
    replacements = 100000;
    if (load_procs > LANES) load_fail("too many procs");
    load_begin();
    for (int i = 0; i < load_procs; i++)
        fill(i);
    for (generation = 0; generation < generations; generation++)
        port_jobs(load_procs, serve);
    load_end((double)generations * replacements * load_procs);
    uint64_t check = 0;
    for (int i = 0; i < load_procs; i++)
        check = load_mix(check, sums[i]);
    load_check(check);
}
