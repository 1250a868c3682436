/* Call frame information, read from .eh_frame.
 *
 * A compiler's unwinder interprets this information for every frame that it passes, all registers
 * of it.  A profile's walk wants the return address only, passes the same places over and over, and
 * may give up where things are unusual.  So the rule of a place is made once, and kept by
 * callstack.c.
 *
 * The description of a function (FDE) is found by libgcc.  It is a program that builds a table: row
 * by row, from which address on, where the CFA is and where registers were saved.  It is run up to
 * the row of the place; rows of other registers than the two that count here are skipped.
 *
 * Answers to: pcvalue, funcspdelta in symtab.go.
 * SPDX-License-Identifier: BSD-3-Clause
 */
#include "diag/cfi.h"

#include <string.h>

#include "arch/arch.h"

/* As the psABI of amd64 numbers them.  Where a call does not push the return address a rule has no
 * room to say where it lies: then there is none, and the compiler's unwinder walks. */
enum { REG_BP = 6, REG_SP = 7, REG_RETURN = 16 };

struct dwarf_eh_bases {
    void *tbase, *dbase, *func;
};
extern const void *_Unwind_Find_FDE(void *pc, struct dwarf_eh_bases *bases);

struct reader {
    const unsigned char *at, *end;
    bool failed; /* read over the end, or what is not known */
};

static uint64_t take(struct reader *r, size_t n)
{
    uint64_t v = 0;
    if ((size_t)(r->end - r->at) < n) {
        r->failed = true;
        return 0;
    }
    memcpy(&v, r->at, n);
    r->at += n;
    return v;
}

static uint64_t take_uleb(struct reader *r)
{
    uint64_t v = 0;
    for (unsigned shift = 0; shift < 64 && !r->failed; shift += 7) {
        uint64_t byte = take(r, 1);
        v |= (byte & 0x7f) << shift;
        if (byte < 0x80) return v;
    }
    r->failed = true;
    return 0;
}

static int64_t take_sleb(struct reader *r)
{
    uint64_t v = 0;
    for (unsigned shift = 0; shift < 64 && !r->failed;) {
        uint64_t byte = take(r, 1);
        v |= (byte & 0x7f) << shift;
        shift += 7;
        if (byte >= 0x80) continue;
        if ((byte & 0x40) != 0 && shift < 64) v |= ~(uint64_t)0 << shift;
        return (int64_t)v;
    }
    r->failed = true;
    return 0;
}

static void skip(struct reader *r, uint64_t n)
{
    if ((uint64_t)(r->end - r->at) < n)
        r->failed = true;
    else
        r->at += n;
}

/* ---- the two records ------------------------------------------------------------------------- */

struct cie {
    uint64_t code_align;
    int64_t data_align;
    uint8_t pointers; /* encoding in the FDE */
    bool augmented;
    struct reader program;
};

/* After its length and its second word; 64-bit lengths do not occur in .eh_frame of our
 * compilers. */
static bool open_record(const void *record, struct reader *r)
{
    uint32_t length;
    memcpy(&length, record, sizeof length);
    const unsigned char *from = (const unsigned char *)record + sizeof length;
    *r = (struct reader){ from + sizeof length, from + length, false };
    return length > sizeof length && length < 0xfffffff0u;
}

/* Bytes of a pointer in this encoding; 0: not of fixed size. */
static size_t pointer_size(uint8_t encoding)
{
    static const uint8_t sizes[8] = { 8, 0, 2, 4, 8, 0, 0, 0 };
    return encoding == 0x50 ? 0 : sizes[encoding & 7];
}

static void read_augmentation(struct reader *r, const char *text, struct cie *c)
{
    uint64_t n = take_uleb(r);
    struct reader data = { r->at, r->at, false };
    skip(r, n);
    data.end = r->at;
    for (; *text != '\0' && !r->failed && !data.failed; text++) {
        if (*text == 'R')
            c->pointers = (uint8_t)take(&data, 1);
        else if (*text == 'L')
            skip(&data, 1);
        else if (*text == 'P')
            skip(&data, pointer_size((uint8_t)take(&data, 1)));
        else
            r->failed = true; /* 'S', a signal frame, among them */
    }
    r->failed |= data.failed;
}

static bool read_cie(const void *record, struct cie *c)
{
    struct reader r;
    if (!open_record(record, &r)) return false;
    unsigned version = (unsigned)take(&r, 1);
    const char *text = (const char *)r.at;
    skip(&r, strnlen(text, (size_t)(r.end - r.at)) + 1);
    c->code_align = take_uleb(&r);
    c->data_align = take_sleb(&r);
    uint64_t ra = version == 1 ? take(&r, 1) : take_uleb(&r);
    c->pointers = 0;
    c->augmented = text[0] == 'z';
    if (c->augmented)
        read_augmentation(&r, text + 1, c);
    else if (text[0] != '\0')
        return false;
    c->program = r;
    return !r.failed && ra == REG_RETURN;
}

static bool read_fde(const void *record, struct cie *c, struct reader *program)
{
    int32_t back;
    if (!open_record(record, program)) return false;
    const char *second = (const char *)record + 4;
    memcpy(&back, second, sizeof back);
    if (!read_cie(second - back, c)) return false;
    size_t size = pointer_size(c->pointers);
    if (size == 0) return false;
    skip(program, 2 * size); /* first address and length: libgcc has compared them */
    if (c->augmented) skip(program, take_uleb(program));
    return !program->failed;
}

/* ---- running --------------------------------------------------------------------------------- */

struct row {
    uint64_t cfa_reg;
    int64_t cfa_offset, bp_offset;
    bool bp_saved, outermost, unusual;
};

#define REMEMBERED 4

struct machine {
    const struct cie *cie;
    uintptr_t at, target; /* where the row begins; the place */
    struct row row, initial, remembered[REMEMBERED];
    unsigned nremembered;
};

static void saved(struct machine *m, uint64_t reg, int64_t offset)
{
    if (reg == REG_RETURN && offset != -(int64_t)sizeof(uintptr_t)) m->row.unusual = true;
    if (reg != REG_BP) return;
    m->row.bp_saved = true;
    m->row.bp_offset = offset;
}

static void restored(struct machine *m, uint64_t reg)
{
    if (reg != REG_BP) return;
    m->row.bp_saved = m->initial.bp_saved;
    m->row.bp_offset = m->initial.bp_offset;
}

/* A register is somewhere that a rule can not say: no matter, unless it counts. */
static void elsewhere(struct reader *r, uint64_t reg)
{
    if (reg == REG_BP || reg == REG_SP || reg == REG_RETURN) r->failed = true;
}

static void define_cfa(struct machine *m, uint64_t reg, int64_t offset)
{
    m->row.cfa_reg = reg;
    m->row.cfa_offset = offset;
}

static void remember(struct machine *m, struct reader *r, bool back)
{
    if (back ? m->nremembered == 0 : m->nremembered == REMEMBERED)
        r->failed = true;
    else if (back)
        m->row = m->remembered[--m->nremembered];
    else
        m->remembered[m->nremembered++] = m->row;
}

static void step_extended(struct machine *m, struct reader *r, unsigned op)
{
    int64_t align = m->cie->data_align;
    uint64_t reg;
    switch (op) {
    case 0x00: /* nop */
        break;
    case 0x05: /* offset_extended */
        reg = take_uleb(r);
        saved(m, reg, (int64_t)take_uleb(r) * align);
        break;
    case 0x06: /* restore_extended */
        restored(m, take_uleb(r));
        break;
    case 0x07: /* undefined */
        if (take_uleb(r) == REG_RETURN) m->row.outermost = true;
        break;
    case 0x08: /* same_value */
        if (take_uleb(r) == REG_BP) m->row.bp_saved = false;
        break;
    case 0x09: /* register */
        elsewhere(r, take_uleb(r));
        (void)take_uleb(r);
        break;
    case 0x0a: /* remember_state */
    case 0x0b: /* restore_state */
        remember(m, r, op == 0x0b);
        break;
    case 0x0c: /* def_cfa */
        reg = take_uleb(r);
        define_cfa(m, reg, (int64_t)take_uleb(r));
        break;
    case 0x0d: /* def_cfa_register */
        m->row.cfa_reg = take_uleb(r);
        break;
    case 0x0e: /* def_cfa_offset */
        m->row.cfa_offset = (int64_t)take_uleb(r);
        break;
    case 0x10: /* expression */
    case 0x16: /* val_expression */
        elsewhere(r, take_uleb(r));
        skip(r, take_uleb(r));
        break;
    case 0x11: /* offset_extended_sf */
        reg = take_uleb(r);
        saved(m, reg, take_sleb(r) * align);
        break;
    case 0x12: /* def_cfa_sf */
        reg = take_uleb(r);
        define_cfa(m, reg, take_sleb(r) * align);
        break;
    case 0x13: /* def_cfa_offset_sf */
        m->row.cfa_offset = take_sleb(r) * align;
        break;
    case 0x2e: /* GNU_args_size */
        (void)take_uleb(r);
        break;
    default: /* def_cfa_expression among them */
        r->failed = true;
    }
}

static void run(struct machine *m, struct reader *r)
{
    while (r->at < r->end && !r->failed) {
        unsigned op = (unsigned)take(r, 1), low = op & 0x3f;
        uint64_t delta = 0;
        if (op >> 6 == 1)
            delta = low;
        else if (op >= 0x02 && op <= 0x04)
            delta = take(r, (size_t)1 << (op - 2));
        else if (op >> 6 == 2)
            saved(m, low, (int64_t)take_uleb(r) * m->cie->data_align);
        else if (op >> 6 == 3)
            restored(m, low);
        else
            step_extended(m, r, op);
        m->at += delta * m->cie->code_align;
        if (m->at > m->target) return;
    }
}

static bool fits(const struct row *row)
{
    return !row->unusual && (row->cfa_reg == REG_SP || row->cfa_reg == REG_BP) &&
           row->cfa_offset == (int32_t)row->cfa_offset && row->bp_offset == (int16_t)row->bp_offset;
}

bool cfi_find(uintptr_t pc, struct cfi_rule *rule)
{
    struct dwarf_eh_bases bases;
    struct cie cie;
    struct reader program;
    if (!ARCH_CALL_PUSHES) return false;
    const void *fde = _Unwind_Find_FDE((void *)pc, &bases);
    if (fde == NULL || !read_fde(fde, &cie, &program)) return false;
    struct machine m = { .cie = &cie, .at = 0, .target = pc - (uintptr_t)bases.func };
    run(&m, &cie.program);
    m.initial = m.row;
    m.at = 0;
    run(&m, &program);
    if (cie.program.failed || program.failed || !fits(&m.row)) return false;
    *rule = (struct cfi_rule){ .start = (uintptr_t)bases.func,
                               .cfa_offset = (int32_t)m.row.cfa_offset,
                               .bp_offset = (int16_t)m.row.bp_offset,
                               .cfa_from_bp = m.row.cfa_reg == REG_BP,
                               .bp_saved = m.row.bp_saved,
                               .outermost = m.row.outermost };
    return true;
}
