/* Counts the words of all text files under a folder, and prints the most frequent.
 *
 *     walk  --paths-->  several counters, each with a table of its own  --tables-->  merge
 *
 * One goroutine walks the folder, as many as there are processors read and count, and the main one
 * adds up.  No lock is needed: a table belongs to one goroutine at a time, and a channel hands it
 * on.
 *
 * usage: wordcount [FOLDER]     the current folder when not given
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#define _GNU_SOURCE
#include <gort.h>

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAX_WORD 64 /* longer ones are cut */
#define SHOWN 10

/* ---- A table of words ---- */

typedef struct word {
    struct word *next;
    long count;
    unsigned hash;
    unsigned char len;
    char letters[];
} word;
GORT_TYPE(word, next);

typedef struct bucket {
    word *first;
} bucket;
GORT_TYPE(bucket, first);

typedef struct table {
    bucket *buckets;
    size_t size, words; /* size is a power of two */
    long total, files;
} table;
GORT_TYPE(table, buckets);

static table *table_new(void)
{
    table *t = gort_new(table);
    t->size = 1024;
    gort_init(&t->buckets, gort_new_array(bucket, t->size));
    return t;
}

static void table_grow(table *t)
{
    size_t size = t->size * 2;
    bucket *buckets = gort_new_array(bucket, size);
    for (size_t i = 0; i < t->size; i++) {
        for (word *w = t->buckets[i].first, *next; w != NULL; w = next) {
            bucket *b = &buckets[w->hash & (size - 1)];
            next = w->next;
            gort_set(&w->next, b->first);
            gort_set(&b->first, w);
        }
    }
    gort_set(&t->buckets, buckets);
    t->size = size;
}

static void table_add(table *t, const char *letters, size_t len, unsigned hash, long count)
{
    t->total += count;
    bucket *b = &t->buckets[hash & (t->size - 1)];
    for (word *w = b->first; w != NULL; w = w->next) {
        if (w->hash == hash && w->len == len && memcmp(w->letters, letters, len) == 0) {
            w->count += count;
            return;
        }
    }
    word *w = gort_new_flex(word, letters, len);
    w->count = count;
    w->hash = hash;
    w->len = (unsigned char)len;
    memcpy(w->letters, letters, len);
    gort_init(&w->next, b->first);
    gort_set(&b->first, w);
    if (++t->words > t->size) table_grow(t);
}

static void table_merge(table *into, const table *from)
{
    for (size_t i = 0; i < from->size; i++) {
        for (const word *w = from->buckets[i].first; w != NULL; w = w->next) {
            table_add(into, w->letters, w->len, w->hash, w->count);
        }
    }
    into->files += from->files;
}

/* ---- Counting a file ---- */

/* The word that is being read; it may go on in the next piece of the file. */
struct reading {
    char letters[MAX_WORD];
    size_t len;
    unsigned hash;
};

static void end_word(table *t, struct reading *r)
{
    if (r->len > 0) table_add(t, r->letters, r->len, r->hash, 1);
    r->len = 0;
    r->hash = 2166136261u;
}

static void count_words(table *t, struct reading *r, const char *p, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        char ch = p[i];
        if (ch >= 'A' && ch <= 'Z') ch = (char)(ch | 0x20);
        if (ch < 'a' || ch > 'z') {
            end_word(t, r);
        } else if (r->len < MAX_WORD) {
            r->letters[r->len++] = ch;
            r->hash = (r->hash ^ (unsigned char)ch) * 16777619u;
        }
    }
}

/* A file is no socket: reading it blocks the thread, so say so, and others run meanwhile. */
static ssize_t read_file(int fd, char *buffer, size_t n)
{
    gort_enter_blocking();
    ssize_t got = read(fd, buffer, n);
    gort_exit_blocking();
    return got;
}

static void count_file(table *t, const char *path)
{
    enum { PIECE = 64 << 10 };
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        fprintf(stderr, "wordcount: %s: %s\n", path, strerror(errno));
        return;
    }
    struct reading r = { .len = 0 };
    char *buffer = gort_alloc_noscan(PIECE);
    ssize_t n;
    end_word(t, &r);
    for (bool first = true; (n = read_file(fd, buffer, PIECE)) > 0; first = false) {
        if (first && memchr(buffer, '\0', (size_t)n) != NULL) break; /* not a text */
        if (first) t->files++;
        count_words(t, &r, buffer, (size_t)n);
    }
    end_word(t, &r);
    close(fd);
}

/* ---- The goroutines ---- */

typedef gort_chan(char *) paths;
typedef gort_chan(table *) tables;

static char *join(const char *folder, const char *name)
{
    size_t n = strlen(folder) + strlen(name) + 2;
    char *path = gort_alloc_noscan(n);
    snprintf(path, n, "%s/%s", folder, name);
    return path;
}

/* Hidden files and symbolic links are left out. */
static void walk_folder(const char *folder, paths out)
{
    DIR *d = opendir(folder);
    if (d == NULL) {
        fprintf(stderr, "wordcount: %s: %s\n", folder, strerror(errno));
        return;
    }
    for (struct dirent *e; (e = readdir(d)) != NULL;) {
        struct stat st;
        if (e->d_name[0] == '.') continue;
        char *path = join(folder, e->d_name);
        if (lstat(path, &st) < 0) continue;
        if (S_ISDIR(st.st_mode)) walk_folder(path, out);
        if (S_ISREG(st.st_mode)) gort_send(out, path);
    }
    closedir(d);
}

struct walker {
    const char *folder;
    paths out;
};

static void walk(void *arg)
{
    const struct walker *w = arg;
    walk_folder(w->folder, w->out);
    gort_close(w->out);
}

struct counter {
    paths in;
    tables out;
};

static void count(void *arg)
{
    const struct counter *c = arg;
    table *t = table_new();
    for (char *path; gort_recv(c->in, &path);) {
        count_file(t, path);
    }
    gort_send(c->out, t);
}

/* ---- The result ---- */

/* Does x come before y in the list?  Of equally frequent words the one first in the alphabet. */
static bool before(const word *x, const word *y)
{
    if (x->count != y->count) return x->count > y->count;
    int order = memcmp(x->letters, y->letters, x->len < y->len ? x->len : y->len);
    return order != 0 ? order < 0 : x->len < y->len;
}

static void print_most_frequent(const table *t)
{
    const word *best[SHOWN] = { NULL };
    for (size_t i = 0; i < t->size; i++) {
        for (const word *w = t->buckets[i].first; w != NULL; w = w->next) {
            /* Into its place; those behind move down, the last one drops out. */
            const word *carried = w;
            for (int k = 0; k < SHOWN && carried != NULL; k++) {
                if (best[k] != NULL && before(best[k], carried)) continue;
                const word *moved = best[k];
                best[k] = carried;
                carried = moved;
            }
        }
    }
    for (int k = 0; k < SHOWN && best[k] != NULL; k++) {
        printf("%8ld  %.*s\n", best[k]->count, (int)best[k]->len, best[k]->letters);
    }
}

static int run(int argc, char **argv)
{
    struct stat st;
    const char *folder = argc > 1 ? argv[1] : ".";
    if (argc > 2 || folder[0] == '-') {
        fprintf(stderr, "usage: wordcount [FOLDER]\n");
        return 2;
    }
    if (stat(folder, &st) < 0 || !S_ISDIR(st.st_mode)) {
        fprintf(stderr, "wordcount: %s is not a folder\n", folder);
        return 1;
    }
    int counters = gort_max_procs(0);
    paths found = gort_chan_make(char *, 64);
    tables counted = gort_chan_make(table *, 0);
    struct walker w = { folder, found };
    struct counter c = { found, counted };
    gort_go_copy(walk, &w, sizeof(w));
    for (int i = 0; i < counters; i++) {
        gort_go_copy(count, &c, sizeof(c));
    }
    table *all = table_new();
    for (int i = 0; i < counters; i++) {
        table *one;
        gort_recv(counted, &one);
        table_merge(all, one);
    }
    print_most_frequent(all);
    printf("%8ld  words, %zu different ones, in %ld files\n", all->total, all->words, all->files);
    return 0;
}

int main(int argc, char **argv)
{
    return gort_run(run, argc, argv);
}
