// A decoder of profiles in pprof's format, by itself: it shares nothing with the encoder that it
// checks.
//
// SPDX-License-Identifier: BSD-3-Clause
#ifndef GORT_TEST_PPROF_H
#define GORT_TEST_PPROF_H

#include "test.h"

struct bytes {
    const unsigned char *at, *end;
};

struct field {
    unsigned number;
    bool is_number;
    uint64_t value;
    struct bytes bytes;
};

static inline uint64_t pprof_varint(struct bytes *b)
{
    uint64_t v = 0;
    for (unsigned shift = 0;; shift += 7) {
        CHECK_LT(shift, 70);
        CHECK(b->at < b->end);
        unsigned char c = *b->at++;
        v |= (uint64_t)(c & 0x7f) << shift;
        if (c < 0x80) return v;
    }
}

// The next field of a message; false at its end.
static inline bool pprof_field(struct bytes *b, struct field *f)
{
    if (b->at == b->end) return false;
    uint64_t head = pprof_varint(b);
    *f = (struct field){ .number = (unsigned)(head >> 3), .is_number = (head & 7) == 0 };
    CHECK((head & 7) == 0 || (head & 7) == 2);
    f->value = pprof_varint(b);
    if (f->is_number) return true;
    CHECK_LE(f->value, (uint64_t)(b->end - b->at));
    f->bytes = (struct bytes){ b->at, b->at + f->value };
    b->at += f->value;
    return true;
}

#define PPROF_LOCATIONS 64

struct sample {
    uint64_t location[PPROF_LOCATIONS];
    unsigned nlocations;
    int64_t value[4];
    uint64_t bytes; // label
};

struct profile {
    unsigned char *file;
    struct sample *samples;
    size_t nsamples, nlocations, nmappings, ntexts;
    uint64_t period, default_text;
    struct bytes text[512];
    uint64_t location[8192], location_mapping[8192];
    uint64_t mapping_file[512], mapping_start[512], mapping_limit[512];
    uint64_t type[8], unit[8];
    unsigned ntypes;
};

static inline void pprof_label(struct bytes b, struct sample *s)
{
    struct field f;
    while (pprof_field(&b, &f))
        if (f.number == 3) s->bytes = f.value;
}

static inline void pprof_sample_message(struct profile *p, struct bytes b)
{
    struct sample *s = &p->samples[p->nsamples++];
    struct field f;
    unsigned n = 0;
    memset(s, 0, sizeof *s);
    while (pprof_field(&b, &f)) {
        while (f.number == 1 && f.bytes.at < f.bytes.end) {
            CHECK_LT(s->nlocations, PPROF_LOCATIONS);
            s->location[s->nlocations++] = pprof_varint(&f.bytes);
        }
        while (f.number == 2 && f.bytes.at < f.bytes.end) {
            CHECK_LT(n, 4);
            s->value[n++] = (int64_t)pprof_varint(&f.bytes);
        }
        if (f.number == 3) pprof_label(f.bytes, s);
    }
    CHECK_EQ(n, 4);
}

static inline void pprof_other_message(struct profile *p, const struct field *top)
{
    struct bytes b = top->bytes;
    struct field f;
    uint64_t v[8] = { 0 };
    while (pprof_field(&b, &f))
        if (f.number < 8) v[f.number] = f.value;
    if (top->number == 1) {
        CHECK_LT(p->ntypes, 8);
        p->type[p->ntypes] = v[1];
        p->unit[p->ntypes++] = v[2];
    } else if (top->number == 3) {
        CHECK_LT(p->nmappings, 512);
        CHECK_EQ(v[1], p->nmappings + 1);
        p->mapping_start[p->nmappings] = v[2];
        p->mapping_limit[p->nmappings] = v[3];
        p->mapping_file[p->nmappings++] = v[5];
    } else if (top->number == 4) {
        CHECK_LT(p->nlocations, 8192);
        CHECK_EQ(v[1], v[3]); // the number is the address
        p->location_mapping[p->nlocations] = v[2];
        p->location[p->nlocations++] = v[1];
    }
}

static inline bool pprof_text_is(const struct profile *p, uint64_t i, const char *s)
{
    CHECK_LT(i, p->ntexts);
    size_t n = (size_t)(p->text[i].end - p->text[i].at);
    return n == strlen(s) && memcmp(p->text[i].at, s, n) == 0;
}

// Each location is told once, and each that a sample names is told.
static inline void pprof_check(const struct profile *p)
{
    CHECK(pprof_text_is(p, 0, ""));
    CHECK_EQ(p->ntypes, 4);
    for (size_t i = 0; i < p->nlocations; i++) {
        CHECK_LE(p->location_mapping[i], p->nmappings);
        for (size_t k = 0; k < i; k++)
            CHECK(p->location[i] != p->location[k]);
    }
    for (size_t i = 0; i < p->nsamples; i++)
        for (unsigned l = 0; l < p->samples[i].nlocations; l++) {
            bool found = false;
            for (size_t k = 0; k < p->nlocations; k++)
                found |= p->location[k] == p->samples[i].location[l];
            CHECK(found);
        }
}

// Reads the whole file from its start.  In memory of malloc's, which is not scanned.
static inline struct profile *pprof_read(int fd)
{
    off_t size = lseek(fd, 0, SEEK_END);
    CHECK_GT(size, 0);
    struct profile *p = calloc(1, sizeof *p);
    p->file = malloc((size_t)size);
    CHECK_EQ(pread(fd, p->file, (size_t)size, 0), size);
    struct bytes all = { p->file, p->file + size }, b = all;
    struct field f;
    size_t n = 0;
    while (pprof_field(&b, &f))
        n += f.number == 2;
    p->samples = calloc(n + 1, sizeof *p->samples);
    for (b = all; pprof_field(&b, &f);) {
        if (f.number == 2)
            pprof_sample_message(p, f.bytes);
        else if (f.number == 6) {
            CHECK_LT(p->ntexts, 512);
            p->text[p->ntexts++] = f.bytes;
        } else if (f.number == 12)
            p->period = f.value;
        else if (f.number == 14)
            p->default_text = f.value;
        else if (!f.is_number)
            pprof_other_message(p, &f);
    }
    pprof_check(p);
    return p;
}

static inline void pprof_free(struct profile *p)
{
    free(p->samples);
    free(p->file);
    free(p);
}

#endif
