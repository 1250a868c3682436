// Channels: panics that nobody catches, and goroutines that wait for ever.
//
// EXPECT send-closed stderr=\Apanic: send on closed channel\n\ngoroutine 1 \[running\]:$
// EXPECT try-send-closed stderr=\Apanic: send on closed channel$
// EXPECT close-twice stderr=\Apanic: close of closed channel$
// EXPECT close-null stderr=\Apanic: close of NULL channel$
// EXPECT waiting-sender stderr=\Apanic: send on closed channel\n\ngoroutine \d+ \[running\]:$
// EXPECT waiting-sender stderr=^gort_send_raw\(\.\.\.\)$
// EXPECT select-closed stderr=\Apanic: send on closed channel$
// EXPECT overflow stderr=^fatal error: gort_chan_make: 2305843009213693952 elements of 8 bytes overflow$
// EXPECT overflow-header stderr=^fatal error: gort_chan_make: 18446744073709551615 elements of 1 bytes overflow$
// EXPECT too-large stderr=^fatal error: .*memory
// EXPECT recv stderr=^goroutine 1 \[chan receive\]:$
// EXPECT send stderr=^goroutine 1 \[chan send\]:$
// EXPECT recv-null stderr=^goroutine 1 \[chan receive \(NULL chan\)\]:$
// EXPECT send-null stderr=^goroutine 1 \[chan send \(NULL chan\)\]:$
// EXPECT select stderr=^goroutine 1 \[select\]:$
// EXPECT select-null stderr=^goroutine 1 \[select\]:$
// EXPECT select-none stderr=^goroutine 1 \[select \(no cases\)\]:$
// EXPECT recv stderr=\Afatal error: all goroutines are asleep - deadlock!$
// EXPECT select-none stderr=\Afatal error: all goroutines are asleep - deadlock!$
//
// SPDX-License-Identifier: BSD-3-Clause
#include "../listed.h"

typedef gort_chan(int64_t) longs;

static bool is(const char *name, const char *wanted)
{
    return strcmp(name, wanted) == 0;
}

static void send_for_ever(void *arg)
{
    gort_send((longs)arg, 1);
}

static void closed(const char *name)
{
    longs c = gort_chan_make(int64_t, 0);
    int64_t v = 1;
    if (is(name, "close-null")) gort_close((longs)NULL);
    if (is(name, "waiting-sender")) {
        gort_go(send_for_ever, (void *)c);
        wait_till_listed("[chan send]");
    }
    gort_close(c);
    if (is(name, "send-closed")) gort_send(c, 1);
    if (is(name, "try-send-closed")) gort_try_send(c, 1);
    if (is(name, "close-twice")) gort_close(c);
    gort_case cases[] = { gort_on_send(c, &v), gort_on_recv((longs)NULL, &v) };
    if (is(name, "select-closed")) gort_select(cases, 2);
    wait_for_the_end();
}

static void sizes(const char *name)
{
    if (is(name, "overflow")) gort_chan_make(int64_t, (size_t)1 << 61);
    if (is(name, "overflow-header")) gort_chan_make(char, SIZE_MAX);
    if (is(name, "too-large")) gort_chan_make(int64_t, (size_t)1 << 44);
}

static void waits(const char *name)
{
    longs c = gort_chan_make(int64_t, 0), none = NULL;
    int64_t v = 1;
    gort_case cases[] = { gort_on_send(c, &v), gort_on_recv(none, &v) };
    if (is(name, "recv")) gort_recv(c, &v);
    if (is(name, "send")) gort_send(c, v);
    if (is(name, "recv-null")) gort_recv(none, &v);
    if (is(name, "send-null")) gort_send(none, v);
    if (is(name, "select")) gort_select(cases, 2);
    if (is(name, "select-null")) gort_select(&cases[1], 1);
    if (is(name, "select-none")) gort_select(NULL, 0);
}

static int run(int argc, char **argv)
{
    const char *name = argc > 1 ? argv[1] : "";
    sizes(name);
    waits(name);
    closed(name);
    return 0;
}

int main(int argc, char **argv)
{
    return gort_run(run, argc, argv);
}
