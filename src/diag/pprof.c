/* Profiles in pprof's format: an uncompressed profile.proto.
 *
 * The file is written from front to back with one buffer, whatever the number of samples: fields
 * may stand in any order, so texts, mappings and locations follow what first names them, or go
 * ahead.  A location's number is its address.  To write each once, the addresses written are kept
 * in a hash set.
 *
 * Names of functions are not in the file: pprof finds them in the programs and libraries that the
 * mappings name, static ones too, with lines if there is debugging information.  To find an address
 * in a file, it needs where the file's code is mapped; that comes from the loader's list, with each
 * file's build-id.
 *
 * Answers to: runtime/pprof/proto.go, protomem.go.
 * SPDX-License-Identifier: BSD-3-Clause
 */
#include "diag/pprof.h"

#include <errno.h>
#include <link.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/bits.h"
#include "diag/callstack.h"
#include "diag/protobuf.h"
#include "gort/errno.h"
#include "gort/net.h"
#include "heap/persistent.h"
#include "os/os.h"

/* Numbers of fields in profile.proto. */
enum {
    PROFILE_SAMPLE_TYPE = 1,
    PROFILE_SAMPLE = 2,
    PROFILE_MAPPING = 3,
    PROFILE_LOCATION = 4,
    PROFILE_TEXT = 6,
    PROFILE_DROP = 7,
    PROFILE_TIME = 9,
    PROFILE_DURATION = 10,
    PROFILE_PERIOD_TYPE = 11,
    PROFILE_PERIOD = 12,
    PROFILE_DEFAULT = 14,
    TYPE_TYPE = 1,
    TYPE_UNIT = 2,
    SAMPLE_LOCATION = 1,
    SAMPLE_VALUE = 2,
    SAMPLE_LABEL = 3,
    LABEL_KEY = 1,
    LABEL_NUMBER = 3,
    LABEL_UNIT = 4,
    MAPPING_ID = 1,
    MAPPING_START = 2,
    MAPPING_LIMIT = 3,
    MAPPING_OFFSET = 4,
    MAPPING_FILE = 5,
    MAPPING_BUILD_ID = 6,
    LOCATION_ID = 1,
    LOCATION_MAPPING = 2,
    LOCATION_ADDRESS = 3,
};

#define BUFFER (16 * KB)
#define MESSAGE 2048       /* a sample: at most 64 locations of 10 bytes, and values */
#define FIRST_PLACES 1024  /* of the set of addresses; a power of two */
#define MORE_MAPPINGS 8    /* files that may be loaded between counting and reading */
#define BUILD_ID_MAX 32    /* bytes */
#define FILE_NAME_MAX 1024 /* longer names are cut */

struct mapping {
    uintptr_t start, limit, offset;
    char file[FILE_NAME_MAX];
    char build_id[2 * BUILD_ID_MAX + 1];
};

struct pprof {
    int fd;
    uint64_t *memory;
    unsigned nvalues;
    uint64_t texts; /* written */
    struct protobuf out, message, part;
    struct mapping *mappings; /* by number less 1 */
    size_t nmappings, max_mappings;
    uintptr_t *places; /* the addresses written; open addressing, 0: free */
    size_t nplaces, max_places;
    unsigned char buffer[BUFFER], message_bytes[MESSAGE], part_bytes[64];
};

/* ---- texts ----------------------------------------------------------------------------------- */

static int write_out(struct protobuf *out)
{
    struct pprof *p = container_of(out, struct pprof, out);
    if (out->len != 0 && gort_write(p->fd, out->buf, out->len) < 0) return errno;
    out->len = 0;
    return 0;
}

/* The number of a new text. */
static uint64_t text(struct pprof *p, const char *s)
{
    pb_text(&p->out, PROFILE_TEXT, s);
    return p->texts++;
}

/* ---- mappings -------------------------------------------------------------------------------- */

static void read_build_id(const struct dl_phdr_info *info, char *out)
{
    static const char digits[] = "0123456789abcdef";
    for (int i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *ph = &info->dlpi_phdr[i];
        if (ph->p_type != PT_NOTE) continue;
        const char *at = (const char *)(info->dlpi_addr + ph->p_vaddr), *end = at + ph->p_memsz;
        while (end - at >= (ptrdiff_t)sizeof(ElfW(Nhdr))) {
            const ElfW(Nhdr) *note = (const ElfW(Nhdr) *)at;
            const char *name = at + sizeof *note;
            const char *id = name + align_up((size_t)note->n_namesz, 4);
            if (id > end || note->n_descsz > (size_t)(end - id)) break;
            if (note->n_type == NT_GNU_BUILD_ID && note->n_descsz <= BUILD_ID_MAX &&
                note->n_namesz == 4 && memcmp(name, "GNU", 4) == 0) {
                for (size_t b = 0; b < note->n_descsz; b++) {
                    *out++ = digits[(unsigned char)id[b] >> 4];
                    *out++ = digits[(unsigned char)id[b] & 15];
                }
                *out = '\0';
                return;
            }
            at = id + align_up((size_t)note->n_descsz, 4);
        }
    }
}

/* The first file of the list is the program, which the loader does not name. */
static void read_file_name(const struct dl_phdr_info *info, bool first, char *out)
{
    ssize_t n = 0;
    if (info->dlpi_name[0] != '\0') {
        n = (ssize_t)strnlen(info->dlpi_name, FILE_NAME_MAX - 1);
        memcpy(out, info->dlpi_name, (size_t)n);
    } else if (first) {
        n = readlink("/proc/self/exe", out, FILE_NAME_MAX - 1);
    }
    out[n > 0 ? n : 0] = '\0';
}

static void read_mapping(struct pprof *p, const struct dl_phdr_info *info, const ElfW(Phdr) * ph)
{
    size_t page = os_page_size();
    struct mapping *m = &p->mappings[p->nmappings];
    *m = (struct mapping){
        .start = align_down(info->dlpi_addr + ph->p_vaddr, page),
        .limit = align_up(info->dlpi_addr + ph->p_vaddr + ph->p_memsz, page),
        .offset = align_down((uintptr_t)ph->p_offset, page),
    };
    read_file_name(info, p->nmappings == 0, m->file);
    read_build_id(info, m->build_id);
    p->nmappings++;
}

/* Under the loader's lock: nothing here writes or parks. */
static int on_file(struct dl_phdr_info *info, size_t size, void *arg)
{
    struct pprof *p = arg;
    (void)size;
    for (int i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *ph = &info->dlpi_phdr[i];
        if (ph->p_type != PT_LOAD || (ph->p_flags & PF_X) == 0) continue;
        if (p->mappings == NULL)
            p->max_mappings++;
        else if (p->nmappings < p->max_mappings)
            read_mapping(p, info, ph);
    }
    return 0;
}

static bool read_mappings(struct pprof *p)
{
    dl_iterate_phdr(on_file, p);
    p->max_mappings += MORE_MAPPINGS;
    p->mappings = persistent_map(p->max_mappings * sizeof *p->mappings, p->memory);
    if (p->mappings == NULL) return false;
    dl_iterate_phdr(on_file, p);
    return true;
}

static void write_mappings(struct pprof *p)
{
    for (size_t i = 0; i < p->nmappings; i++) {
        const struct mapping *m = &p->mappings[i];
        pb_number(&p->message, MAPPING_ID, i + 1);
        pb_number(&p->message, MAPPING_START, m->start);
        pb_number(&p->message, MAPPING_LIMIT, m->limit);
        pb_number(&p->message, MAPPING_OFFSET, m->offset);
        pb_number(&p->message, MAPPING_FILE, text(p, m->file));
        if (m->build_id[0] != '\0') pb_number(&p->message, MAPPING_BUILD_ID, text(p, m->build_id));
        pb_message(&p->out, PROFILE_MAPPING, &p->message);
    }
}

/* Its number; 0: none, code that was unloaded or made at run time. */
static uint64_t mapping_of(const struct pprof *p, uintptr_t pc)
{
    for (size_t i = 0; i < p->nmappings; i++)
        if (pc >= p->mappings[i].start && pc < p->mappings[i].limit) return i + 1;
    return 0;
}

/* ---- locations ------------------------------------------------------------------------------- */

/* Where pc is, or belongs. */
static uintptr_t *place_of(uintptr_t *places, size_t max, uintptr_t pc)
{
    size_t i = (pc * 0x9e3779b97f4a7c15u >> 32) & (max - 1);
    while (places[i] != 0 && places[i] != pc)
        i = (i + 1) & (max - 1);
    return &places[i];
}

static bool grow_places(struct pprof *p)
{
    size_t max = p->max_places != 0 ? 2 * p->max_places : FIRST_PLACES;
    uintptr_t *places = persistent_map(max * sizeof *places, p->memory);
    if (places == NULL) return false;
    for (size_t i = 0; i < p->max_places; i++)
        if (p->places[i] != 0) *place_of(places, max, p->places[i]) = p->places[i];
    if (p->places != NULL) persistent_unmap(p->places, p->max_places * sizeof *places, p->memory);
    p->places = places;
    p->max_places = max;
    return true;
}

static void need_location(struct pprof *p, uintptr_t pc)
{
    uintptr_t *place = place_of(p->places, p->max_places, pc);
    if (*place == pc || p->out.error != 0) return;
    *place = pc;
    p->nplaces++;
    pb_number(&p->message, LOCATION_ID, pc);
    pb_number(&p->message, LOCATION_MAPPING, mapping_of(p, pc));
    pb_number(&p->message, LOCATION_ADDRESS, pc);
    pb_message(&p->out, PROFILE_LOCATION, &p->message);
    if (p->nplaces * 4 > p->max_places * 3 && !grow_places(p)) p->out.error = ENOMEM;
}

/* ---- the file -------------------------------------------------------------------------------- */

/* The first texts, by number. */
enum { TEXT_EMPTY, TEXT_BYTES };

static void write_type(struct pprof *p, unsigned field, const struct pprof_type *t)
{
    pb_number(&p->message, TYPE_TYPE, text(p, t->type));
    pb_number(&p->message, TYPE_UNIT, text(p, t->unit));
    pb_message(&p->out, field, &p->message);
}

static void write_head(struct pprof *p, const struct pprof_head *h)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_REALTIME, &now); /* can not fail */
    (void)text(p, "");
    (void)text(p, "bytes");
    for (unsigned i = 0; i < h->nvalues; i++)
        write_type(p, PROFILE_SAMPLE_TYPE, &h->values[i]);
    write_type(p, PROFILE_PERIOD_TYPE, &h->period_type);
    pb_number(&p->out, PROFILE_PERIOD, h->period);
    pb_number(&p->out, PROFILE_TIME, (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec);
    pb_number(&p->out, PROFILE_DURATION, (uint64_t)h->duration);
    pb_number(&p->out, PROFILE_DEFAULT, text(p, h->default_value));
    pb_number(&p->out, PROFILE_DROP, text(p, h->drop));
    write_mappings(p);
}

static void release(struct pprof *p)
{
    uint64_t *memory = p->memory;
    if (p->mappings != NULL)
        persistent_unmap(p->mappings, p->max_mappings * sizeof *p->mappings, memory);
    if (p->places != NULL) persistent_unmap(p->places, p->max_places * sizeof *p->places, memory);
    persistent_unmap(p, sizeof *p, memory);
}

struct pprof *pprof_begin(const struct pprof_head *h, int fd, uint64_t *memory)
{
    struct pprof *p = persistent_map(sizeof *p, memory);
    if (p == NULL) return NULL;
    p->fd = fd;
    p->memory = memory;
    p->nvalues = h->nvalues;
    pb_init(&p->out, p->buffer, sizeof p->buffer);
    p->out.flush = write_out;
    pb_init(&p->message, p->message_bytes, sizeof p->message_bytes);
    pb_init(&p->part, p->part_bytes, sizeof p->part_bytes);
    if (!read_mappings(p) || !grow_places(p)) {
        release(p);
        return NULL;
    }
    write_head(p, h);
    return p;
}

void pprof_sample(struct pprof *p, const struct pprof_sample *s)
{
    _Static_assert(sizeof(uintptr_t) == sizeof(uint64_t), "addresses are numbers of locations");
    _Static_assert(MESSAGE >= (CALLSTACK_MAX + PPROF_VALUES + 10) * 10, "a sample fits");
    check(s->npc <= CALLSTACK_MAX);
    for (unsigned i = 0; i < s->npc; i++)
        need_location(p, s->pc[i]);
    pb_numbers(&p->message, SAMPLE_LOCATION, (const uint64_t *)s->pc, s->npc);
    pb_numbers(&p->message, SAMPLE_VALUE, s->values, p->nvalues);
    if (s->bytes != 0) {
        pb_number(&p->part, LABEL_KEY, TEXT_BYTES);
        pb_number(&p->part, LABEL_NUMBER, s->bytes);
        pb_number(&p->part, LABEL_UNIT, TEXT_BYTES);
        pb_message(&p->message, SAMPLE_LABEL, &p->part);
    }
    pb_message(&p->out, PROFILE_SAMPLE, &p->message);
}

int pprof_end(struct pprof *p)
{
    if (p->out.error == 0) p->out.error = write_out(&p->out);
    int error = p->out.error;
    release(p);
    return error;
}
