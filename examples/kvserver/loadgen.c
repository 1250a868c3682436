/* The load generator; see loadgen.h.
 *
 * Each client is a goroutine with a connection of its own, and waits for a reply before it sends
 * the next command.  All share the string keys; a value names its key, so whoever reads it can tell
 * that it is right whoever wrote it.  Counters, queues and hashes belong to one client each, which
 * knows what the server must answer.
 *
 * Locking: none.  A worker's fields belong to its goroutine; `operations` and `stop` are relaxed
 * atomics, of which nothing else is inferred; the totals are read behind gort_waitgroup_wait.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#include "loadgen.h"

#include "client.h"

#include <string.h>

#define VALUE_MIN 32
#define VALUE_MAX 352
#define PRELOAD_BATCH 8
#define MEMBERS 1000 /* of each client's set */
#define FIELDS 100   /* of each client's hash */
#define QUEUE_MAX 200

const char *const load_kind_names[LOAD_KINDS] = { "GET",    "SET",    "counters",
                                                  "queues", "hashes", "sets" };

typedef struct worker {
    struct worker *next;
    client *client;
    load *load;
    int index;
    uint64_t random;
    uint64_t operations; /* relaxed atomic: also read by load_progress */
    int64_t counter;     /* what the counter must hold */
    int64_t pushed, popped;
    load_totals totals;
    char fields[FIELDS]; /* what each field of the hash holds, 0: nothing */
} worker;
GORT_TYPE(worker, next, client, load);

struct load {
    worker *workers;
    gort_chan(int) gate; /* closed to let the clients go */
    gort_waitgroup loaded, ended;
    load_options options;
    int stop; /* relaxed atomic */
};
GORT_TYPE(load, workers, gate);

/* ---- Words ---- */

/* A word of a command under construction: "key:" and a number. */
typedef struct word {
    char bytes[40];
    size_t len;
} word;

static text word_text(const word *w)
{
    return (text){ w->bytes, w->len };
}

static word numbered(const char *prefix, int64_t number)
{
    word w;
    w.len = strlen(prefix);
    memcpy(w.bytes, prefix, w.len);
    w.len += text_from_i64(w.bytes + w.len, number);
    return w;
}

static uint64_t draw(worker *w)
{
    w->random ^= w->random << 13;
    w->random ^= w->random >> 7;
    w->random ^= w->random << 17;
    return w->random;
}

/* A value for a key: the key's number, a colon, and one letter over and over. */
static text make_value(worker *w, int64_t number, char *room)
{
    size_t len = VALUE_MIN + draw(w) % (VALUE_MAX - VALUE_MIN);
    memset(room, 'a' + (int)(number % 26), len);
    room[text_from_i64(room, number)] = ':';
    return (text){ room, len };
}

static bool value_is_right(text value, int64_t number)
{
    char start[TEXT_I64_MAX_SIZE + 1];
    size_t n = text_from_i64(start, number);
    start[n++] = ':';
    if (value.len < VALUE_MIN || memcmp(value.bytes, start, n) != 0) return false;
    /* All letters alike: equal to themselves, shifted by one. */
    return value.bytes[n] == 'a' + number % 26 &&
           memcmp(value.bytes + n, value.bytes + n + 1, value.len - n - 1) == 0;
}

/* ---- Operations ---- */

/* Sends a command and waits for its reply.  False when the connection is broken. */
static bool ask(worker *w, const text *words, int n, reply *r)
{
    int64_t start = gort_now();
    client_command(w->client, words, n);
    if (!client_send(w->client) || !client_receive(w->client, r)) return false;
    histogram_add(&w->totals.latency, gort_now() - start);
    return true;
}

static void check(worker *w, bool right)
{
    if (!right) w->totals.wrong++;
}

static bool is_status_ok(const reply *r)
{
    return r->type == REPLY_STATUS && text_equal(r->bytes, TEXT("OK"));
}

static bool is_int(const reply *r, int64_t number)
{
    return r->type == REPLY_INT && r->number == number;
}

static int64_t some_key(worker *w)
{
    return (int64_t)(draw(w) % (uint64_t)w->load->options.keys);
}

static void do_get(worker *w)
{
    int64_t number = some_key(w);
    word key = numbered("key:", number);
    reply r;
    if (!ask(w, (text[]){ TEXT("GET"), word_text(&key) }, 2, &r)) return;
    check(w, r.type == REPLY_BULK && value_is_right(r.bytes, number));
}

static void do_set(worker *w)
{
    int64_t number = some_key(w);
    word key = numbered("key:", number);
    char room[VALUE_MAX];
    reply r;
    text words[] = { TEXT("SET"), word_text(&key), make_value(w, number, room) };
    if (ask(w, words, 3, &r)) check(w, is_status_ok(&r));
}

static void do_counter(worker *w)
{
    word key = numbered("counter:", w->index);
    bool up = draw(w) % 4 != 0;
    reply r;
    w->counter += up ? 1 : -1;
    if (!ask(w, (text[]){ up ? TEXT("INCR") : TEXT("DECR"), word_text(&key) }, 2, &r)) return;
    check(w, is_int(&r, w->counter));
}

/* First in, first out: what comes out is numbered one by one. */
static void do_queue(worker *w)
{
    word key = numbered("queue:", w->index);
    int64_t length = w->pushed - w->popped;
    reply r;
    if (length == 0 || (length < QUEUE_MAX && draw(w) % 2 == 0)) {
        word value = numbered("job:", w->pushed);
        if (!ask(w, (text[]){ TEXT("LPUSH"), word_text(&key), word_text(&value) }, 3, &r)) return;
        w->pushed++;
        check(w, is_int(&r, length + 1));
    } else {
        word value = numbered("job:", w->popped);
        if (!ask(w, (text[]){ TEXT("RPOP"), word_text(&key) }, 2, &r)) return;
        w->popped++;
        check(w, r.type == REPLY_BULK && text_equal(r.bytes, word_text(&value)));
    }
}

static void do_hash(worker *w)
{
    word key = numbered("hash:", w->index);
    size_t number = draw(w) % FIELDS;
    word field = numbered("field:", (int64_t)number);
    char *held = &w->fields[number];
    reply r;
    if (draw(w) % 2 == 0) {
        char value = (char)('a' + draw(w) % 26);
        text words[] = { TEXT("HSET"), word_text(&key), word_text(&field), { &value, 1 } };
        if (!ask(w, words, 4, &r)) return;
        check(w, is_int(&r, *held == 0));
        *held = value;
    } else {
        if (!ask(w, (text[]){ TEXT("HGET"), word_text(&key), word_text(&field) }, 3, &r)) return;
        check(w, *held == 0 ? r.type == REPLY_NULL
                            : r.type == REPLY_BULK && text_equal(r.bytes, (text){ held, 1 }));
    }
}

static void do_set_member(worker *w)
{
    word key = numbered("set:", w->index);
    word member = numbered("member:", (int64_t)(draw(w) % MEMBERS));
    bool add = draw(w) % 2 == 0;
    text words[] = { add ? TEXT("SADD") : TEXT("SREM"), word_text(&key), word_text(&member) };
    reply r;
    if (ask(w, words, 3, &r)) check(w, r.type == REPLY_INT && (r.number == 0 || r.number == 1));
}

static const struct operation {
    enum load_kind kind;
    unsigned percent;
    void (*run)(worker *w);
} operations[] = {
    { LOAD_GET, 50, do_get },      { LOAD_SET, 20, do_set },    { LOAD_COUNTERS, 10, do_counter },
    { LOAD_QUEUES, 10, do_queue }, { LOAD_HASHES, 6, do_hash }, { LOAD_SETS, 4, do_set_member },
};

static void do_something(worker *w)
{
    unsigned dice = (unsigned)(draw(w) % 100);
    const struct operation *op = operations;
    while (dice >= op->percent) {
        dice -= op->percent;
        op++;
    }
    op->run(w);
    w->totals.by_kind[op->kind]++;
    __atomic_store_n(&w->operations, w->operations + 1, __ATOMIC_RELAXED);
}

/* ---- A client's life ---- */

/* Sends a few commands at once, then reads as many replies. */
static void preload(worker *w)
{
    int step = w->load->options.connections, keys = w->load->options.keys;
    for (int first = w->index; first < keys && !w->client->broken;) {
        int n = 0;
        for (; n < PRELOAD_BATCH && first < keys; n++, first += step) {
            char room[VALUE_MAX];
            word key = numbered("key:", first);
            text words[] = { TEXT("SET"), word_text(&key), make_value(w, first, room) };
            client_command(w->client, words, 3);
        }
        reply r;
        client_send(w->client);
        while (n-- > 0 && client_receive(w->client, &r)) {
            check(w, is_status_ok(&r));
        }
    }
}

/* Data of an earlier run would make the answers other than expected. */
static void remove_own_keys(worker *w)
{
    word counter = numbered("counter:", w->index), queue = numbered("queue:", w->index);
    word hash = numbered("hash:", w->index), set = numbered("set:", w->index);
    text words[] = { TEXT("DEL"), word_text(&counter), word_text(&queue), word_text(&hash),
                     word_text(&set) };
    reply r;
    client_command(w->client, words, 5);
    if (client_send(w->client) && client_receive(w->client, &r)) check(w, r.type == REPLY_INT);
}

static void work(void *arg)
{
    worker *w = arg;
    load *l = w->load;
    remove_own_keys(w);
    preload(w);
    gort_waitgroup_done(&l->loaded);
    gort_recv(l->gate, NULL);
    while (!w->client->broken && !__atomic_load_n(&l->stop, __ATOMIC_RELAXED)) {
        do_something(w);
    }
    if (w->client->broken) w->totals.failed++;
    client_close(w->client);
    gort_waitgroup_done(&l->ended);
}

static worker *add_worker(load *l, int index)
{
    client *cl = client_connect(l->options.network, l->options.address);
    if (cl == NULL) return NULL;
    worker *w = gort_new(worker);
    w->index = index;
    w->random = 0x9e3779b97f4a7c15u * (uint64_t)(index + 1);
    gort_init(&w->client, cl);
    gort_init(&w->load, l);
    gort_init(&w->next, l->workers);
    gort_set(&l->workers, w);
    return w;
}

load *load_start(const load_options *options)
{
    load *l = gort_new(load);
    l->options = *options;
    gort_init(&l->gate, gort_chan_make(int, 0));
    for (int i = 0; i < options->connections; i++) {
        worker *w = add_worker(l, i);
        if (w == NULL) return NULL;
        gort_waitgroup_add(&l->loaded, 1);
        gort_waitgroup_add(&l->ended, 1);
        gort_go(work, w);
    }
    gort_waitgroup_wait(&l->loaded);
    return l;
}

void load_go(load *l)
{
    gort_close(l->gate);
}

uint64_t load_progress(const load *l)
{
    uint64_t sum = 0;
    for (const worker *w = l->workers; w != NULL; w = w->next) {
        sum += __atomic_load_n(&w->operations, __ATOMIC_RELAXED);
    }
    return sum;
}

void load_stop(load *l, load_totals *out)
{
    __atomic_store_n(&l->stop, 1, __ATOMIC_RELAXED);
    gort_waitgroup_wait(&l->ended);
    memset(out, 0, sizeof(*out));
    for (const worker *w = l->workers; w != NULL; w = w->next) {
        out->operations += w->operations;
        out->wrong += w->totals.wrong;
        out->failed += w->totals.failed;
        for (int i = 0; i < LOAD_KINDS; i++) {
            out->by_kind[i] += w->totals.by_kind[i];
        }
        histogram_merge(&out->latency, &w->totals.latency);
    }
}
