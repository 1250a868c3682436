/* Hello from some goroutines: start, channel, collected memory, nothing freed.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#include <gort.h>

#include <stdio.h>

/* One identifier for a type, and which of its fields hold collected pointers: here none. */
typedef struct greeting {
    int number;
    char text[48];
} greeting;
GORT_TYPE(greeting);

typedef gort_chan(greeting *) greetings;

struct greeter {
    greetings out;
    int number;
};

/* A goroutine is a function called on its own stack.  Sending parks it until somebody receives. */
static void greet(void *arg)
{
    struct greeter *self = arg;
    greeting *g = gort_new(greeting);
    g->number = self->number;
    snprintf(g->text, sizeof(g->text), "hello from goroutine %d", self->number);
    gort_send(self->out, g);
}

static int run(int argc, char **argv)
{
    (void)argv;
    if (argc > 1) {
        fprintf(stderr, "usage: hello\n");
        return 2;
    }
    greetings c = gort_chan_make(greeting *, 0);
    for (int i = 1; i <= 5; i++) {
        struct greeter one = { c, i };
        gort_go_copy(greet, &one, sizeof(one)); /* gets its own copy */
    }
    int sum = 0;
    for (int i = 1; i <= 5; i++) {
        greeting *g;
        gort_recv(c, &g);
        printf("%s\n", g->text);
        sum += g->number;
    }
    return sum == 15 ? 0 : 1;
}

int main(int argc, char **argv)
{
    return gort_run(run, argc, argv);
}
