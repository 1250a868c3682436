/* The process's memory that is not the runtime's: os_mem_each_other.
 *
 * /proc/self/maps lists the mappings, /proc/self/pagemap says of each page whether it has ever been
 * touched: most of a large mapping has not, and reading it would give it memory.  Both are read by
 * raw system calls into memory of the caller's stack, since whoever asks has stopped the world.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#include <fcntl.h>
#include <string.h>

#include "base/bits.h"
#include "os/linux/syscall.h"
#include "os/os.h"

#define LINE_ROOM 512 /* what matters is in its first 60 bytes */
#define PAGEMAP_ENTRIES 512
#define PAGE_HAS_MEMORY (UINT64_C(3) << 62) /* present, or swapped out */
#define MAPPING_MOST (UINT64_C(1) << 40)    /* a sanitizer's shadow: a look would take minutes */

struct search {
    int maps, pagemap;
    void (*fn)(uintptr_t lo, uintptr_t hi, void *arg);
    void *arg;
    size_t at, have; /* in buf */
    char buf[4096];
};

/* ---- pages -------------------------------------------------------------------------------- */

static bool read_entries(const struct search *s, uintptr_t page, uint64_t *entries, size_t n)
{
    char *to = (char *)entries;
    size_t bytes = n * sizeof *entries, done = 0;
    while (done < bytes) {
        long r = syscall_raw4(SYS_pread64, s->pagemap, to + done, bytes - done,
                              (long)(page * sizeof *entries + done));
        if (r <= 0) return false;
        done += (size_t)r;
    }
    return true;
}

/* [lo, hi) is of others, of one mapping. */
static bool give_touched(const struct search *s, uintptr_t lo, uintptr_t hi)
{
    uint64_t entries[PAGEMAP_ENTRIES];
    size_t page = os_page_size();
    uintptr_t begin = 0; /* of the run of touched pages; 0: in none */
    for (uintptr_t p = lo; p < hi; p += PAGEMAP_ENTRIES * page) {
        size_t n = (hi - p) / page < PAGEMAP_ENTRIES ? (hi - p) / page : PAGEMAP_ENTRIES;
        if (!read_entries(s, p / page, entries, n)) return false;
        for (size_t i = 0; i < n; i++) {
            bool touched = (entries[i] & PAGE_HAS_MEMORY) != 0;
            uintptr_t at = p + i * page;
            if (touched && begin == 0) begin = at;
            if (touched || begin == 0) continue;
            s->fn(begin, at, s->arg);
            begin = 0;
        }
    }
    if (begin != 0) s->fn(begin, hi, s->arg);
    return true;
}

static bool give_others(const struct search *s, uintptr_t lo, uintptr_t hi)
{
    uintptr_t own_lo, own_hi;
    while (lo < hi && os_mem_next_own(lo, &own_lo, &own_hi) && own_lo < hi) {
        if (own_lo > lo && !give_touched(s, lo, own_lo)) return false;
        lo = own_hi;
    }
    return lo >= hi || give_touched(s, lo, hi);
}

/* ---- mappings ----------------------------------------------------------------------------- */

/* The beginning of the next line, cut after LINE_ROOM - 1 bytes.  false: there is none. */
static bool next_line(struct search *s, char line[LINE_ROOM])
{
    size_t n = 0;
    for (;;) {
        if (s->at == s->have) {
            long r = syscall_raw3(SYS_read, s->maps, s->buf, sizeof s->buf);
            if (r <= 0) return false;
            s->at = 0;
            s->have = (size_t)r;
        }
        char c = s->buf[s->at++];
        if (c == '\n') break;
        if (n < LINE_ROOM - 1) line[n++] = c;
    }
    line[n] = '\0';
    return true;
}

static const char *hex(const char *s, uintptr_t *out)
{
    *out = 0;
    for (;; s++) {
        if (*s >= '0' && *s <= '9')
            *out = *out << 4 | (uintptr_t)(*s - '0');
        else if (*s >= 'a' && *s <= 'f')
            *out = *out << 4 | (uintptr_t)(*s - 'a' + 10);
        else
            return s;
    }
}

/* "55d0-55e0 rw-p ...": memory of this process alone that it may write. */
static bool search_line(const struct search *s, const char *line)
{
    uintptr_t lo, hi;
    line = hex(line, &lo);
    line = hex(*line == '-' ? line + 1 : line, &hi);
    if (strncmp(line, " rw", 3) != 0 || line[4] != 'p') return true;
    return hi - lo <= MAPPING_MOST && give_others(s, lo, hi);
}

static int open_file(const char *path)
{
    return (int)syscall_raw4(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC, 0);
}

static void close_file(int fd)
{
    if (fd >= 0) syscall_raw1(SYS_close, fd);
}

bool os_mem_each_other(void (*fn)(uintptr_t lo, uintptr_t hi, void *arg), void *arg)
{
    struct search s = { .fn = fn, .arg = arg };
    char line[LINE_ROOM];
    s.maps = open_file("/proc/self/maps");
    s.pagemap = open_file("/proc/self/pagemap");
    bool good = s.maps >= 0 && s.pagemap >= 0 && os_mem_knows_own();
    while (good && next_line(&s, line))
        good = search_line(&s, line);
    close_file(s.maps);
    close_file(s.pagemap);
    return good;
}
