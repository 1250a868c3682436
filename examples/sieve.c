/* The prime sieve: a chain of goroutines, one for each prime found.
 *
 * The first sends 2, 3, 4 ...; each of the others takes a prime and passes on what that prime does
 * not divide.  What reaches the end of the chain is the next prime, and gets a goroutine of its
 * own.  Nobody does this to find primes; it is all communication, which is the point.
 *
 * usage: sieve [N]     the first N primes; 500 when not given
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#include <gort.h>

#include <stdio.h>
#include <stdlib.h>

typedef gort_chan(int) ints;

static void count_up(void *arg)
{
    ints out = *(ints *)arg;
    for (int i = 2;; i++) {
        gort_send(out, i);
    }
}

struct filter {
    ints in, out;
    int prime;
};

static void filter(void *arg)
{
    const struct filter *f = arg;
    for (int i; gort_recv(f->in, &i);) {
        if (i % f->prime != 0) gort_send(f->out, i);
    }
}

static int usage(void)
{
    fprintf(stderr, "usage: sieve [N]     N: how many primes, 1 to 20000\n");
    return 2;
}

static int run(int argc, char **argv)
{
    char *end = "";
    long n = argc > 1 ? strtol(argv[1], &end, 10) : 500;
    if (argc > 2 || *end != '\0' || n < 1 || n > 20000) return usage();

    ints chain = gort_chan_make(int, 64);
    int64_t start = gort_now();
    int prime = 0;
    gort_go_copy(count_up, &chain, sizeof(chain));
    for (long i = 0; i < n; i++) {
        gort_recv(chain, &prime);
        if (i < 10) printf("%d ", prime);
        struct filter f = { chain, gort_chan_make(int, 64), prime };
        gort_go_copy(filter, &f, sizeof(f));
        chain = f.out;
    }
    printf("%s\nprime number %ld is %d; %d goroutines, %lld ms\n", n > 10 ? "..." : "", n, prime,
           gort_num_goroutines(), (long long)((gort_now() - start) / GORT_MS));
    return 0; /* the others are still at it; the program ends all the same */
}

int main(int argc, char **argv)
{
    return gort_run(run, argc, argv);
}
