// Operations on a map and on a concurrent map, against the same on a plain array; keys are few,
// some of them collide on purpose, and iterations go on while the maps change.
//
// SPDX-License-Identifier: BSD-3-Clause
#include "fuzz.h"

enum { KEYS = 1024 };

typedef struct key {
    uint16_t n;
} key;
typedef gort_map(key, int) own_map;
typedef gort_map(gort_string, int) text_map;
typedef gort_cmap(uint64_t, int) shared_map;

static struct {
    own_map own;
    text_map texts;
    shared_map shared;
    int model[KEYS]; // 0: not there
    size_t len;
    unsigned colliding; // keys of this many lowest bits share a hash
    bool panics;
} w;

static uint64_t hash_key(const key *k, uint64_t seed)
{
    return gort_hash_int((uint64_t)k->n >> w.colliding, seed);
}

static bool same_key(const key *a, const key *b)
{
    if (w.panics) gort_panic("asked");
    return a->n == b->n;
}

static gort_string text_of(unsigned k, char *room)
{
    int n = snprintf(room, 80, "%*u", (int)(k % 70), k);
    return (gort_string){ room, (size_t)n };
}

static void put(unsigned k, int v)
{
    char room[80];
    w.len += w.model[k] == 0;
    w.model[k] = v;
    gort_map_put(w.own, (key){ (uint16_t)k }, v);
    gort_cmap_store(w.shared, k, v);
    int *text = gort_map_find(w.texts, text_of(k, room));
    if (text != NULL)
        *text = v;
    else
        gort_map_put(w.texts, gort_string_from(room), v); // the map's own copy
}

static void delete (unsigned k)
{
    char room[80];
    bool there = w.model[k] != 0;
    CHECK_EQ(gort_map_delete(w.own, ((key){ (uint16_t)k })), there);
    CHECK_EQ(gort_map_delete(w.texts, text_of(k, room)), there);
    CHECK_EQ(gort_cmap_delete(w.shared, k), there);
    w.len -= there;
    w.model[k] = 0;
}

static void get(unsigned k)
{
    char room[80];
    int v = -1;
    bool there = w.model[k] != 0;
    CHECK_EQ(gort_map_get(w.own, ((key){ (uint16_t)k }), &v), there);
    CHECK_EQ(v, w.model[k]);
    CHECK_EQ(gort_map_get(w.texts, text_of(k, room), &v), there);
    CHECK_EQ(v, w.model[k]);
    CHECK_EQ(gort_cmap_load(w.shared, k, &v), there);
    CHECK_EQ(v, w.model[k]);
}

static void exchange(unsigned k, int was, int v)
{
    bool right = w.model[k] != 0 && w.model[k] == was;
    CHECK_EQ(gort_cmap_compare_and_swap(w.shared, k, was, v), right);
    if (right) put(k, v);
}

static void put_own(void *arg)
{
    gort_map_put(w.own, *(key *)arg, -1);
}

// A put that panics, if its key meets another on its way, changes nothing; else it was a put.
static void put_with_panic(unsigned k)
{
    key it = { (uint16_t)k };
    w.panics = true;
    bool panicked = gort_try(put_own, &it, NULL);
    w.panics = false;
    CHECK(panicked || w.model[k] == 0);
    if (!panicked) CHECK(gort_map_delete(w.own, it));
}

static void clear(void)
{
    gort_map_clear(w.own);
    gort_map_clear(w.texts);
    gort_cmap_clear(w.shared);
    memset(w.model, 0, sizeof w.model);
    w.len = 0;
}

// What is there all the time is met once, what is not there at the moment is not met (concurrent
// maps may show it), nothing is met twice.
static void iterate(struct input *in)
{
    static unsigned char met[KEYS], there[KEYS];
    key k;
    int v;
    memset(met, 0, sizeof met);
    for (unsigned i = 0; i < KEYS; i++)
        there[i] = w.model[i] != 0;
    gort_map_iter it = GORT_MAP_ITER;
    while (gort_map_next(w.own, &it, &k, &v)) {
        CHECK(w.model[k.n] == v && v != 0);
        CHECK_EQ(met[k.n]++, 0);
        unsigned what = take(in), other = (what * 7 + k.n) % KEYS;
        if (what % 4 == 1) {
            delete (other);
            there[other] = 0;
        } else if (what % 4 == 2 && w.model[other] == 0 && met[other] == 0) {
            put(other, 1);
        }
    }
    for (unsigned i = 0; i < KEYS; i++)
        CHECK(!there[i] || met[i]);
}

static void iterate_shared(void)
{
    static unsigned char met[KEYS];
    uint64_t k;
    int v;
    size_t n = 0;
    memset(met, 0, sizeof met);
    gort_cmap_iter it = GORT_CMAP_ITER;
    for (; gort_cmap_next(w.shared, &it, &k, &v); n++) {
        CHECK_EQ(met[k]++, 0);
        CHECK_EQ(v, w.model[k]);
    }
    CHECK_EQ(n, w.len);
}

static void step(struct input *in)
{
    unsigned what = take(in), k = (take(in) << 8 | take(in)) % KEYS;
    switch (what % 10) {
    case 0:
        delete (k);
        break;
    case 1:
        get(k);
        break;
    case 2:
        exchange(k, (int)(take(in) % 3), (int)take(in) + 1);
        break;
    case 3:
        put_with_panic(k);
        break;
    case 4:
        for (unsigned i = 0; i < 100; i++)
            put((k + i) % KEYS, (int)i + 1);
        break;
    case 5:
        if (what < 20) clear();
        break;
    case 6:
        iterate(in);
        break;
    case 7:
        iterate_shared();
        break;
    default:
        put(k, (int)(what % 3) + 1);
    }
}

FUZZ(const uint8_t *data, size_t n)
{
    struct input in = { data, n };
    w.colliding = take(&in) % 12;
    size_t hint = take(&in);
    gort_set(&w.own, gort_map_make_own(key, int, hint, hash_key, same_key));
    gort_set(&w.texts, gort_map_make(gort_string, int, hint));
    gort_set(&w.shared, gort_cmap_make(uint64_t, int, hint));
    memset(w.model, 0, sizeof w.model);
    w.len = 0;
    while (in.left != 0) {
        step(&in);
        CHECK_EQ(gort_map_len(w.own), w.len);
        CHECK_EQ(gort_map_len(w.texts), w.len);
        CHECK_EQ(gort_cmap_len(w.shared), w.len);
    }
    for (unsigned k = 0; k < KEYS; k++)
        get(k);
}
