// Jobs on threads, and a bounded queue between them: what the C peers have for goroutines and
// channels.
//
// SPDX-License-Identifier: BSD-3-Clause
#ifndef GORT_BENCH_THREADS_H
#define GORT_BENCH_THREADS_H

#include <pthread.h>
#include <stdlib.h>
#include <time.h>

extern int load_procs;

struct threads_work {
    void (*fn)(int);
    int n, next; // next: atomic
};

static inline void *threads_main(void *arg)
{
    struct threads_work *w = arg;
    int i;
    while ((i = __atomic_fetch_add(&w->next, 1, __ATOMIC_RELAXED)) < w->n)
        w->fn(i);
    return NULL;
}

#define THREADS_MOST 80

// fn(0) ... fn(n - 1) on so many threads.
static inline void threads_run(int count, int n, void (*fn)(int))
{
    struct threads_work w = { fn, n, 0 };
    pthread_t threads[THREADS_MOST];
    if (count > THREADS_MOST) abort();
    for (int i = 0; i < count; i++)
        if (pthread_create(&threads[i], NULL, threads_main, &w) != 0) abort();
    for (int i = 0; i < count; i++)
        pthread_join(threads[i], NULL);
}

struct threads_queue {
    pthread_mutex_t lock;
    pthread_cond_t not_empty, not_full;
    void *ring[64];
    unsigned capacity, head, tail; // under lock
};

// On as many threads as procs.
static inline void threads_jobs(int n, void (*fn)(int))
{
    threads_run(load_procs < 16 ? load_procs : 16, n, fn);
}

static inline void threads_queue_make(struct threads_queue *q, unsigned capacity)
{
    *q = (struct threads_queue){ .lock = PTHREAD_MUTEX_INITIALIZER,
                                 .not_empty = PTHREAD_COND_INITIALIZER,
                                 .not_full = PTHREAD_COND_INITIALIZER,
                                 .capacity = capacity };
    if (capacity > sizeof q->ring / sizeof *q->ring) abort();
}

static inline void threads_send(struct threads_queue *q, void *p)
{
    pthread_mutex_lock(&q->lock);
    while (q->tail - q->head == q->capacity)
        pthread_cond_wait(&q->not_full, &q->lock);
    q->ring[q->tail++ % q->capacity] = p;
    pthread_cond_signal(&q->not_empty);
    pthread_mutex_unlock(&q->lock);
}

static inline void *threads_recv(struct threads_queue *q)
{
    pthread_mutex_lock(&q->lock);
    while (q->tail == q->head)
        pthread_cond_wait(&q->not_empty, &q->lock);
    void *p = q->ring[q->head % q->capacity];
    q->ring[q->head++ % q->capacity] = NULL;
    pthread_cond_signal(&q->not_full);
    pthread_mutex_unlock(&q->lock);
    return p;
}

static inline void threads_sleep_ms(long ms)
{
    struct timespec t = { ms / 1000, ms % 1000 * 1000000 };
    nanosleep(&t, NULL);
}

#endif
