/* Runs of free pages in a chunk's bitmap, and joining summaries.
 *
 * A chunk is eight words.  All three functions go through them once, carrying the length of the run
 * that reaches the current word's bottom; inside a word, runs of n are found by shifting and
 * masking log2 n times, not by walking bits.
 *
 * Answers to: mpallocbits.go.
 * SPDX-License-Identifier: BSD-3-Clause
 */
#include "heap/pagebits.h"

/* Length of the longest run in x when it exceeds max, else max. */
static size_t longest_in_word(uint64_t x, size_t max)
{
    if (max >= 64) return max;
    /* Only runs longer than what is known already matter: drop max ones off each run. */
    x = bits_runs_of(x, (unsigned)max + 1);
    while (x != 0) {
        max++;
        x &= x >> 1;
    }
    return max;
}

struct page_sum pagebits_summarize(const uint64_t free[CHUNK_WORDS])
{
    struct page_sum s = { 0, 0, 0 };
    size_t run = 0; /* ones that reach the bottom of word i from below */
    bool prefix = true;
    for (size_t i = 0; i < CHUNK_WORDS; i++) {
        uint64_t x = free[i];
        if (~x == 0) {
            run += 64;
            continue;
        }
        run += bits_ones_low(x);
        if (prefix) s.start = run;
        prefix = false;
        if (run > s.max) s.max = run;
        s.max = longest_in_word(x, s.max);
        run = bits_ones_high(x);
    }
    if (prefix) s.start = run; /* all free */
    if (run > s.max) s.max = run;
    s.end = run;
    return s;
}

struct page_sum pagebits_merge(const uint64_t *sums, size_t n, size_t each)
{
    struct page_sum s = { 0, 0, 0 };
    size_t run = 0;
    bool prefix = true;
    for (size_t i = 0; i < n; i++) {
        struct page_sum c = sum_unpack(sums[i]);
        if (c.max == each) {
            run += each;
            continue;
        }
        run += c.start;
        if (prefix) s.start = run;
        prefix = false;
        if (run > s.max) s.max = run;
        if (c.max > s.max) s.max = c.max;
        run = c.end;
    }
    if (prefix) s.start = run;
    if (run > s.max) s.max = run;
    s.end = run;
    return s;
}

size_t pagebits_find(const uint64_t free[CHUNK_WORDS], size_t n, uint64_t *words)
{
    size_t run = 0;
    for (size_t i = 0; i < CHUNK_WORDS; i++) {
        uint64_t x = free[i];
        (*words)++;
        if (run + bits_ones_low(x) >= n) return i * 64 - run;
        if (~x == 0) {
            run += 64;
            continue;
        }
        uint64_t starts = n <= 64 ? bits_runs_of(x, (unsigned)n) : 0;
        if (starts != 0) return i * 64 + bits_ctz64(starts);
        run = bits_ones_high(x);
    }
    return CHUNK_PAGES;
}

size_t pagebits_first(const uint64_t free[CHUNK_WORDS])
{
    for (size_t i = 0; i < CHUNK_WORDS; i++)
        if (free[i] != 0) return i * 64 + bits_ctz64(free[i]);
    return CHUNK_PAGES;
}
