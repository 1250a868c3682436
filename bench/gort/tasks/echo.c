// An echo server, and a client in a process of its own (tasks/client), which is the same for all.
//
// SPDX-License-Identifier: BSD-3-Clause
#include "tasks.h"

#include <errno.h>
#include <libgen.h>
#include <unistd.h>

#define MESSAGE 512
#define MOST 65536 // of the client's report

static void serve_one(void *arg)
{
    int fd = (int)(intptr_t)arg;
    char buffer[MESSAGE];
    ssize_t n;
    while ((n = gort_read(fd, buffer, sizeof buffer)) > 0)
        if (gort_write(fd, buffer, (size_t)n) < 0) break;
    gort_close_fd(fd);
}

static void serve(void *arg)
{
    int fd, listener = (int)(intptr_t)arg;
    while ((fd = gort_accept(listener)) >= 0)
        gort_go(serve_one, (void *)(intptr_t)fd);
}

// Runs the client, whose figures go to the driver with ours; the last word is how many messages.
static void run_client(const char *address, int connections, char *report)
{
    char self[4096], command[4400];
    ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
    if (n <= 0) tasks_fail("no /proc/self/exe");
    self[n] = '\0';
    snprintf(command, sizeof command, "'%s'/../tasks-client %s %d %d", dirname(self), address,
             connections, tasks_count(400000));
    size_t got = 0;
    gort_enter_blocking();
    FILE *f = popen(command, "r");
    if (f != NULL) got = fread(report, 1, MOST - 1, f);
    int status = f != NULL ? pclose(f) : -1;
    gort_exit_blocking();
    report[got] = '\0';
    if (status != 0) tasks_fail("the client failed");
}

void echo_run(void)
{
    static char report[MOST];
    char address[64];
    double messages = 0;
    int listener = gort_listen("tcp", "127.0.0.1:0");
    if (listener < 0 || gort_local_addr(listener, address, sizeof address) < 0)
        tasks_fail("can not listen");
    gort_go(serve, (void *)(intptr_t)listener);
    tasks_begin();
    run_client(address, tasks_number(), report);
    double cpu = tasks_cpu();
    const char *text = strstr(report, "messages ");
    if (text == NULL || sscanf(text, "messages %lf", &messages) != 1)
        tasks_fail("the client reported nothing");
    fputs(report, stdout);
    tasks_figure("server", cpu / 1e3 / messages);
}
