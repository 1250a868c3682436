// The line of gctrace is Go's to the letter: durations as its runtime formats them, a number for
// every goal. What a program prints is in test/fatal/gc_trace.c.
//
// SPDX-License-Identifier: BSD-3-Clause
#include "diag/events.h"
#include "test.h"

static char text[512];
static size_t length;

static void collect(struct print *p, const char *s, size_t n)
{
    (void)p;
    CHECK_LT(length + n, sizeof text);
    memcpy(text + length, s, n);
    length += n;
    text[length] = '\0';
}

static void begin(struct print *p)
{
    length = 0;
    text[0] = '\0';
    print_init_sink(p, collect);
}

static const char *ms(int64_t ns)
{
    struct print p;
    begin(&p);
    gctrace_ms(&p, ns);
    print_flush(&p);
    return text;
}

// What Go 1.26's fmtNSAsMS makes of these.
TEST(durations_are_gos)
{
    static const struct {
        int64_t ns;
        const char *text;
    } cases[] = {
        { 0, "0" },
        { 1, "0" },
        { 999, "0" },
        { 1000, "0.001" },
        { 1999, "0.001" },
        { 9999, "0.009" },
        { 10000, "0.010" },
        { 99000, "0.099" },
        { 99999, "0.099" },
        { 100000, "0.10" },
        { 109999, "0.10" },
        { 994999, "0.99" },
        { 999999, "0.99" },
        { 1000000, "1.0" },
        { 1099999, "1.0" },
        { 1100000, "1.1" },
        { 9970000, "9.9" },
        { 9999999, "9.9" },
        { 10000000, "10" },
        { 10999999, "10" },
        { 11000000, "11" },
        { 99999999, "99" },
        { 123456789012, "123456" },
        { INT64_MAX, "9223372036854" },
        { -1, "0" }, // a clock that jumped; Go's would be beyond all bounds
    };
    for (unsigned i = 0; i < sizeof cases / sizeof cases[0]; i++)
        CHECK_STR_EQ(ms(cases[i].ns), cases[i].text);
}

// Begun at t ms after the start, with all that a line says.
static struct gc_cycle_record record_at(int64_t t)
{
    int64_t begin = events_start() + t * 1000000;
    return (struct gc_cycle_record){
        .number = 7,
        .stop_begin = begin,
        .mark_begin = begin + 50000,
        .mark_end = begin + 9970000 + 50000,
        .started = begin + 9970000 + 50000 + 800,
        .stops = 2,
        .procs = 2,
        .assist_ns = 100000,
        .waiting_ns = 20000,
        .worker_ns = 4560000,
        .idle_ns = 0,
        .heap_before = (uint64_t)10 << 20,
        .heap_end = ((uint64_t)12 << 20) - 1,
        .heap_marked = (uint64_t)5 << 20,
        .goal_before = (uint64_t)13 << 20,
        .stacks = 1 << 20,
        .globals = 3 << 20,
    };
}

static const char *line(const struct gc_cycle_record *r, double share)
{
    struct print p;
    begin(&p);
    gctrace_line(&p, r, share);
    print_flush(&p);
    return text;
}

TEST(lines_are_gos)
{
    struct gc_cycle_record r = record_at(1234);
    CHECK_STR_EQ(line(&r, 0.0399),
                 "gc 7 @1.234s 3%: 0.050+9.9+0 ms clock, 0.10+0.12/4.5/0+0.001 ms cpu, "
                 "10->11->5 MB, 13 MB goal, 1 MB stacks, 3 MB globals, 2 P\n");
    r = record_at(5);
    r.cause = GC_CAUSE_FORCED;
    r.goal_before = UINT64_MAX; // off: Go prints a number there, too
    r.mark_end = r.mark_begin;
    r.started = r.mark_end;
    CHECK_STR_EQ(line(&r, 0.5), "gc 7 @0.005s 50%: 0.050+0+0 ms clock, 0.10+0.12/4.5/0+0 ms cpu, "
                                "10->11->5 MB, 17592186044415 MB goal, 1 MB stacks, "
                                "3 MB globals, 2 P (forced)\n");
}

// Marked in its stop: the marker is a worker, for as long as marking took.
TEST(one_stop_is_a_workers)
{
    struct gc_cycle_record r = record_at(0);
    r.stops = 1;
    r.in_one_stop = true;
    r.assist_ns = r.waiting_ns = r.worker_ns = 0;
    CHECK_STR_EQ(line(&r, 0), "gc 7 @0.000s 0%: 0.050+9.9+0 ms clock, 0.10+0/9.9/0+0.001 ms cpu, "
                              "10->11->5 MB, 13 MB goal, 1 MB stacks, 3 MB globals, 2 P\n");
}

int main(void)
{
    RUN(durations_are_gos);
    RUN(lines_are_gos);
    RUN(one_stop_is_a_workers);
    return 0;
}
