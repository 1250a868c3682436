// In the style of espresso: covers of Boolean functions, minimised by complementing, expanding and
// making irredundant.  Covers (bit matrices) come and go in deep recursions and grow by doubling;
// their sizes go from 24 bytes to some kilobytes, their lives from a few steps to a whole function.
// One goroutine.
//
// A cube has two bits for each variable: it may be 0, it may be 1.  11 is "does not matter", and
// with 00 the cube is empty.  The minimised cover is compared with the function on every input.
//
// SPDX-License-Identifier: BSD-3-Clause
#include "load.h"

typedef uint64_t cube;

typedef struct {
    uint32_t n, capacity;
    cube cubes[];
} cover;

#define MOST_VARS 12
#define LOW 0x5555555555555555u // the lower bit of each variable

static int vars;
static cube universe;

static cover *cover_new(uint32_t capacity)
{
    cover *f = port_bytes(sizeof(cover) + capacity * sizeof(cube));
    f->n = 0;
    f->capacity = capacity;
    return f;
}

static void cover_drop(cover *f)
{
    port_free(f);
}

// Adds a cube; the cover may move.
static cover *cover_add(cover *f, cube c)
{
    if (f->n == f->capacity) {
        cover *larger = cover_new(f->capacity * 2);
        memcpy(larger->cubes, f->cubes, f->n * sizeof(cube));
        larger->n = f->n;
        cover_drop(f);
        f = larger;
    }
    f->cubes[f->n++] = c;
    return f;
}

static bool empty(cube c)
{
    return ((c | c >> 1) & LOW & universe) != (LOW & universe);
}

static cube literal(int var, int value)
{
    return universe & ~((cube)(value != 0 ? 1 : 2) << 2 * var);
}

// What of f lies in c, as a function of the variables that c leaves free.
static cover *cofactor(const cover *f, cube c)
{
    cover *r = cover_new(f->n > 0 ? f->n : 1);
    for (uint32_t i = 0; i < f->n; i++)
        if (!empty(f->cubes[i] & c)) r = cover_add(r, (f->cubes[i] | ~c) & universe);
    return r;
}

static bool has_universe(const cover *f)
{
    for (uint32_t i = 0; i < f->n; i++)
        if (f->cubes[i] == universe) return true;
    return false;
}

// The variable that most cubes depend on.
static int choose(const cover *f)
{
    int best = 0;
    uint32_t most = 0;
    for (int v = 0; v < vars; v++) {
        uint32_t count = 0;
        for (uint32_t i = 0; i < f->n; i++)
            count += (f->cubes[i] >> 2 * v & 3) != 3;
        if (count > most) {
            most = count;
            best = v;
        }
    }
    return best;
}

static cover *complement_cube(cube c)
{
    cover *r = cover_new(1);
    for (int v = 0; v < vars; v++) {
        cube pair = c >> 2 * v & 3;
        if (pair != 3) r = cover_add(r, literal(v, pair == 1));
    }
    return r;
}

// high where the variable is 1 and low where it is 0; what both have needs no literal.
static cover *merge(int var, cover *low, cover *high)
{
    cover *r = cover_new(2);
    for (uint32_t i = 0; i < low->n; i++) {
        cube c = low->cubes[i], keep = literal(var, 0);
        for (uint32_t k = 0; k < high->n; k++) {
            if (high->cubes[k] != c) continue;
            keep = universe;
            high->cubes[k] = high->cubes[--high->n];
            break;
        }
        r = cover_add(r, c & keep);
    }
    for (uint32_t k = 0; k < high->n; k++)
        r = cover_add(r, high->cubes[k] & literal(var, 1));
    cover_drop(low);
    cover_drop(high);
    return r;
}

static cover *complement(const cover *f)
{
    if (f->n == 0) return cover_add(cover_new(1), universe);
    if (has_universe(f)) return cover_new(1);
    if (f->n == 1) return complement_cube(f->cubes[0]);
    int var = choose(f);
    cover *at_0 = cofactor(f, literal(var, 0)), *at_1 = cofactor(f, literal(var, 1));
    cover *not_0 = complement(at_0), *not_1 = complement(at_1);
    cover_drop(at_0);
    cover_drop(at_1);
    return merge(var, not_0, not_1);
}

// Does f cover every input?
static bool tautology(const cover *f)
{
    uint64_t inputs = 0;
    if (has_universe(f)) return true;
    for (uint32_t i = 0; i < f->n; i++)
        inputs += (uint64_t)1 << (__builtin_popcountll(f->cubes[i]) - vars);
    if (inputs < (uint64_t)1 << vars) return false;
    int var = choose(f);
    bool all = true;
    for (int value = 0; value < 2 && all; value++) {
        cover *half = cofactor(f, literal(var, value));
        all = tautology(half);
        cover_drop(half);
    }
    return all;
}

static bool meets(const cover *f, cube c)
{
    for (uint32_t i = 0; i < f->n; i++)
        if (!empty(f->cubes[i] & c)) return true;
    return false;
}

// Takes literals away from each cube while it does not meet `off`; cubes within others go.
static cover *expand(const cover *f, const cover *off)
{
    cover *r = cover_new(4);
    for (uint32_t i = 0; i < f->n; i++) {
        cube c = f->cubes[i];
        bool covered = false;
        for (uint32_t k = 0; k < r->n && !covered; k++)
            covered = (c & ~r->cubes[k]) == 0;
        if (covered) continue;
        for (int v = 0; v < vars; v++)
            if (!meets(off, c | (cube)3 << 2 * v)) c |= (cube)3 << 2 * v;
        r = cover_add(r, c);
    }
    return r;
}

// Drops the cubes that the others cover.
static cover *irredundant(cover *f)
{
    for (uint32_t i = f->n; i-- > 0;) {
        cube c = f->cubes[i];
        f->cubes[i] = f->cubes[f->n - 1];
        f->n--;
        cover *inside = cofactor(f, c);
        if (!tautology(inside)) f->cubes[f->n++] = c;
        cover_drop(inside);
    }
    return f;
}

static cover *random_cover(uint64_t *seed, int n)
{
    cover *f = cover_new(4);
    for (int i = 0; i < n; i++) {
        cube c = universe;
        int literals = 3 + (int)(load_random(seed) % 5);
        for (int k = 0; k < literals; k++) {
            int v = (int)(load_random(seed) % (uint32_t)vars), value = load_random(seed) & 1;
            if ((c >> 2 * v & 3) == 3) c &= literal(v, value);
        }
        f = cover_add(f, c);
    }
    return f;
}

static bool contains(const cover *f, uint32_t input)
{
    cube point = 0;
    for (int v = 0; v < vars; v++)
        point |= (cube)(input >> v & 1 ? 2 : 1) << 2 * v;
    for (uint32_t i = 0; i < f->n; i++)
        if ((point & ~f->cubes[i]) == 0) return true;
    return false;
}

static void verify(const cover *f, const cover *minimised)
{
    for (uint32_t input = 0; input < 1u << vars; input++)
        if (contains(f, input) != contains(minimised, input)) load_fail("not the same function");
}

static void work(int job)
{
    uint64_t seed = 1, check = 0;
    int functions = load_quick ? 40 : 6000;
    (void)job;
    load_begin();
    for (int i = 0; i < functions; i++) {
        vars = 8 + i % (MOST_VARS - 7);
        universe = ((cube)1 << 2 * vars) - 1;
        cover *f = random_cover(&seed, 20 + i % 60), *off = complement(f);
        cover *minimised = irredundant(expand(f, off));
        if (i % 16 == 0) verify(f, minimised);
        for (uint32_t k = 0; k < minimised->n; k++)
            check = load_mix(check, minimised->cubes[k]);
        check = load_mix(check, off->n);
        cover_drop(f), cover_drop(off), cover_drop(minimised);
    }
    load_end(functions);
    load_check(check);
}

void espresso_run(void)
{
    port_jobs(1, work);
}
