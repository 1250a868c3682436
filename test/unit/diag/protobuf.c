// What is encoded is decoded again, by a decoder that knows the format and not the encoder: numbers
// at the borders of their lengths, messages in messages, buffers that are too small by any number
// of bytes.
//
// SPDX-License-Identifier: BSD-3-Clause
#include "diag/protobuf.h"

#include <errno.h>

#include "pprof.h"

static unsigned char space[4096], collected[65536];
static size_t ncollected;

static int collect(struct protobuf *p)
{
    CHECK_LE(ncollected + p->len, sizeof collected);
    memcpy(collected + ncollected, p->buf, p->len);
    ncollected += p->len;
    p->len = 0;
    return 0;
}

static const uint64_t borders[] = { 1,       127,        128,        16383,     16384,
                                    1 << 21, 0xffffffff, 1ull << 63, UINT64_MAX };
#define BORDERS (sizeof borders / sizeof borders[0])

TEST(numbers_come_back)
{
    struct protobuf p;
    struct field f;
    pb_init(&p, space, sizeof space);
    for (unsigned i = 0; i < BORDERS; i++)
        pb_number(&p, i + 1, borders[i]);
    pb_number(&p, 15, 0); // left out
    pb_number(&p, 16, 1); // a number of two bytes
    pb_number(&p, 2000, 2);
    struct bytes b = { p.buf, p.buf + p.len };
    for (unsigned i = 0; i < BORDERS; i++) {
        CHECK(pprof_field(&b, &f) && f.is_number);
        CHECK_EQ(f.number, i + 1);
        CHECK_EQ(f.value, borders[i]);
    }
    CHECK(pprof_field(&b, &f) && f.number == 16 && f.value == 1);
    CHECK(pprof_field(&b, &f) && f.number == 2000 && f.value == 2);
    CHECK(!pprof_field(&b, &f));
    CHECK_EQ(p.error, 0);
}

TEST(known_bytes)
{
    static const unsigned char known[] = {
        0x08, 0x96, 0x01, 0x12, 0x07, 't',  'e',  's',  't',  'i',
        'n',  'g',  0x22, 0x06, 0x03, 0x8e, 0x02, 0x9e, 0xa7, 0x05
    }; // of the format's description
    static const uint64_t packed[] = { 3, 270, 86942 };
    struct protobuf p;
    pb_init(&p, space, sizeof space);
    pb_number(&p, 1, 150);
    pb_text(&p, 2, "testing");
    pb_numbers(&p, 4, packed, 3);
    CHECK_EQ(p.len, sizeof known);
    CHECK(memcmp(p.buf, known, sizeof known) == 0);
}

TEST(messages_nest)
{
    unsigned char inner[64];
    struct protobuf p, m;
    struct field f, g;
    pb_init(&p, space, sizeof space);
    pb_init(&m, inner, sizeof inner);
    for (unsigned i = 1; i <= 3; i++) {
        pb_number(&m, 1, i);
        pb_bytes(&m, 2, "", 0);
        pb_message(&p, 7, &m);
        CHECK_EQ(m.len, 0);
    }
    struct bytes b = { p.buf, p.buf + p.len };
    for (unsigned i = 1; i <= 3; i++) {
        CHECK(pprof_field(&b, &f) && f.number == 7);
        CHECK(pprof_field(&f.bytes, &g) && g.number == 1 && g.value == i);
        CHECK(pprof_field(&f.bytes, &g) && g.number == 2 && g.bytes.at == g.bytes.end);
        CHECK(!pprof_field(&f.bytes, &g));
    }
    CHECK(!pprof_field(&b, &f));
}

TEST(any_buffer_gives_the_same_bytes)
{
    static unsigned char whole[4096];
    struct protobuf p;
    size_t want = 0;
    for (size_t size = sizeof whole; size > 0; size = size > 40 ? 40 : size - 1) {
        ncollected = 0;
        pb_init(&p, size > 40 ? whole : space, size);
        p.flush = collect;
        for (unsigned i = 0; i < BORDERS; i++)
            pb_number(&p, i + 1, borders[i]);
        pb_text(&p, 3, "a text that is longer than the buffer may be, so it comes in pieces");
        pb_numbers(&p, 4, borders, BORDERS);
        CHECK_EQ(p.error, 0);
        if (want == 0) {
            want = p.len;
            continue;
        }
        collect(&p);
        CHECK_EQ(ncollected, want);
        CHECK(memcmp(collected, whole, want) == 0);
    }
}

static int fail(struct protobuf *p)
{
    (void)p;
    return ENOSPC;
}

TEST(errors_stay)
{
    unsigned char small[4], inner[4];
    struct protobuf p, m;
    pb_init(&p, small, sizeof small);
    pb_number(&p, 1, 1);
    CHECK_EQ(p.error, 0);
    pb_text(&p, 2, "longer");
    CHECK_EQ(p.error, ENOBUFS);
    size_t len = p.len;
    pb_number(&p, 1, 1);
    CHECK_EQ(p.len, len);

    pb_init(&p, small, sizeof small);
    p.flush = fail;
    pb_text(&p, 2, "longer");
    CHECK_EQ(p.error, ENOSPC);
    p.flush = collect;
    pb_number(&p, 1, 1);
    CHECK_EQ(p.error, ENOSPC);

    pb_init(&p, space, sizeof space); // of a message inside
    pb_init(&m, inner, sizeof inner);
    pb_text(&m, 1, "longer");
    pb_message(&p, 2, &m);
    CHECK_EQ(p.error, ENOBUFS);
}

int main(void)
{
    RUN(numbers_come_back);
    RUN(known_bytes);
    RUN(messages_nest);
    RUN(any_buffer_gives_the_same_bytes);
    RUN(errors_stay);
    return 0;
}
