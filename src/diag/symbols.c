/* Names of functions: see symbols.h.
 *
 * A lookup reads /proc/self/maps up to the mapping of the address, then the file's headers, then
 * its symbol table from end to end (.symtab, or .dynsym in a stripped file).  That is a millisecond
 * for a large program; a cache by address makes thousands of goroutines that wait at the same
 * places cheap.
 *
 * A function belongs to the address when its symbol's [value, value + size) covers it; a symbol
 * without a size (assembly) is taken when it is the nearest one below.
 *
 * Names of C++ are as the linker has them.  What would read them is __cxa_demangle, which allocates,
 * and so could not be called where most reports come from: signal handlers, a stopped world.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#include "diag/symbols.h"

#include <elf.h>
#include <fcntl.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/atomic.h"
#include "base/bits.h"
#include "base/print.h"
#include "os/os.h"
#include "sched/sched.h"

#define CACHE_ENTRIES 256
#define LINE_MAX_BYTES 4352 /* of /proc/self/maps: a path of 4096 and the numbers before it */
#define CHUNK_SYMBOLS 256
#define WAIT_YIELDS 2000

struct area {
    struct symbol cache[CACHE_ENTRIES];
    char line[LINE_MAX_BYTES];
    char link[LINE_MAX_BYTES];
    Elf64_Sym symbols[CHUNK_SYMBOLS];
};

static struct area *area;   /* off-heap; set at load, constant; NULL: no memory, so no names */
static uint32_t area_taken; /* atomic: exchanged by begin and end */

void symbols_init(void)
{
    size_t bytes = align_up(sizeof(struct area), os_page_size());
    area = os_mem_map(NULL, bytes);
    if (area != NULL) atomic_fetch_add_relaxed(sched_meta_counter(), bytes);
}

/* Of the section of a thread that the runtime may not know. */
static void leave(void)
{
    if (m_self() != NULL)
        crit_exit();
    else
        (void)arch_crit_leave();
}

bool symbols_begin(void)
{
    if (area == NULL) return false;
    arch_crit_enter(); /* a stop waits for its end: who stopped the world wants names too */
    /* Acquire pairs with the release in symbols_end: the cache's entries. */
    for (int i = 0; i < WAIT_YIELDS; i++) {
        if (atomic_exchange_acqrel(&area_taken, 1u) == 0) return true;
        os_thread_yield();
    }
    leave();
    return false; /* who has it may be this thread, which faulted there */
}

void symbols_end(void)
{
    atomic_store_release(&area_taken, 0u); /* pairs with symbols_begin */
    leave();
}

/* ---- files ----------------------------------------------------------------------------------- */

static int file_open(const char *path)
{
    return (int)syscall(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC, 0);
}

static void file_close(int fd)
{
    if (fd >= 0) syscall(SYS_close, fd);
}

static bool file_read(int fd, void *buf, size_t n, uint64_t offset)
{
    size_t done = 0;
    while (done < n) {
        long r = syscall(SYS_pread64, fd, (char *)buf + done, n - done, offset + done);
        if (r <= 0) return false;
        done += (size_t)r;
    }
    return true;
}

/* ---- which file is mapped there -------------------------------------------------------------- */

struct mapping {
    uintptr_t lo, hi;
    uint64_t file_offset; /* of lo */
    bool code;            /* may be executed */
    const char *path;     /* in area->line; empty: no file */
};

static const char *hex_number(const char *s, uint64_t *out)
{
    uint64_t v = 0;
    for (;; s++) {
        unsigned digit;
        if (*s >= '0' && *s <= '9')
            digit = (unsigned)(*s - '0');
        else if (*s >= 'a' && *s <= 'f')
            digit = (unsigned)(*s - 'a') + 10;
        else
            break;
        v = v << 4 | digit;
    }
    *out = v;
    return s;
}

static const char *skip_word(const char *s)
{
    while (*s != '\0' && *s != ' ')
        s++;
    while (*s == ' ')
        s++;
    return s;
}

/* "55d0-55e0 r-xp 00001000 fe:01 1234    /path" */
static void parse_line(const char *s, struct mapping *m)
{
    uint64_t lo, hi;
    s = hex_number(s, &lo);
    s = hex_number(*s == '-' ? s + 1 : s, &hi);
    m->lo = lo;
    m->hi = hi;
    s = skip_word(s); /* the blank */
    m->code = s[0] != '\0' && s[1] != '\0' && s[2] == 'x';
    s = skip_word(s); /* permissions */
    s = hex_number(s, &m->file_offset);
    s = skip_word(s); /* the blank */
    s = skip_word(s); /* device */
    s = skip_word(s); /* inode */
    m->path = s;
}

/* The line ends with a zero byte in area->line; *have counts the bytes there, the ones behind the
 * line included.  false: no more lines. */
static bool next_line(int fd, size_t *used, size_t *have)
{
    char *buf = area->line;
    memmove(buf, buf + *used, *have - *used);
    *have -= *used;
    for (;;) {
        char *end = memchr(buf, '\n', *have);
        if (end != NULL) {
            *end = '\0';
            *used = (size_t)(end - buf) + 1;
            return true;
        }
        if (*have == sizeof area->line) return false;
        long r = syscall(SYS_read, fd, buf + *have, sizeof area->line - *have);
        if (r <= 0) return false;
        *have += (size_t)r;
    }
}

static bool mapping_find(uintptr_t address, struct mapping *m)
{
    int fd = file_open("/proc/self/maps");
    size_t used = 0, have = 0;
    bool found = false;
    if (fd < 0) return false;
    while (!found && next_line(fd, &used, &have)) {
        parse_line(area->line, m);
        found = address >= m->lo && address < m->hi;
    }
    file_close(fd);
    return found;
}

/* By /proc/self/exe when it is the program itself: its file may be gone or replaced. */
static int mapping_open(const struct mapping *m)
{
    if (m->path[0] != '/') return -1;
    long n = syscall(SYS_readlinkat, AT_FDCWD, "/proc/self/exe", area->link, sizeof area->link - 1);
    if (n > 0) {
        area->link[n] = '\0';
        if (strcmp(area->link, m->path) == 0) return file_open("/proc/self/exe");
    }
    return file_open(m->path);
}

/* ---- its symbols ----------------------------------------------------------------------------- */

struct elf {
    int fd;
    Elf64_Ehdr header;
    Elf64_Shdr symbols, strings;
};

static bool elf_open(struct elf *e, const struct mapping *m)
{
    e->fd = mapping_open(m);
    return e->fd >= 0 && file_read(e->fd, &e->header, sizeof e->header, 0) &&
           memcmp(e->header.e_ident, ELFMAG, SELFMAG) == 0 &&
           e->header.e_ident[EI_CLASS] == ELFCLASS64;
}

/* Where the file wants the byte at file_offset to lie. */
static bool elf_file_to_address(const struct elf *e, uint64_t file_offset, uint64_t *out)
{
    for (unsigned i = 0; i < e->header.e_phnum; i++) {
        Elf64_Phdr p;
        if (!file_read(e->fd, &p, sizeof p, e->header.e_phoff + i * sizeof p)) return false;
        if (p.p_type != PT_LOAD) continue;
        /* A mapping begins at the page that holds p_offset. */
        uint64_t page = os_page_size();
        if (file_offset < align_down(p.p_offset, page) || file_offset >= p.p_offset + p.p_filesz)
            continue;
        *out = file_offset - p.p_offset + p.p_vaddr;
        return true;
    }
    return false;
}

static bool elf_section(const struct elf *e, uint32_t type, Elf64_Shdr *out)
{
    for (unsigned i = 0; i < e->header.e_shnum; i++) {
        if (!file_read(e->fd, out, sizeof *out, e->header.e_shoff + i * sizeof *out)) return false;
        if (out->sh_type == type) return true;
    }
    return false;
}

static bool elf_find_tables(struct elf *e)
{
    if (!elf_section(e, SHT_SYMTAB, &e->symbols) && !elf_section(e, SHT_DYNSYM, &e->symbols))
        return false;
    return e->symbols.sh_link < e->header.e_shnum &&
           file_read(e->fd, &e->strings, sizeof e->strings,
                     e->header.e_shoff + e->symbols.sh_link * sizeof e->strings);
}

/* Does s name the function at `address` better than *best (st_name 0: nothing yet)? */
static bool symbol_is_better(const Elf64_Sym *s, uint64_t address, const Elf64_Sym *best)
{
    unsigned type = ELF64_ST_TYPE(s->st_info);
    if (type != STT_FUNC && type != STT_NOTYPE && type != STT_GNU_IFUNC) return false;
    if (s->st_shndx == SHN_UNDEF || s->st_shndx >= SHN_LORESERVE || s->st_name == 0) return false;
    if (s->st_value > address) return false;
    if (s->st_size != 0 && address - s->st_value >= s->st_size) return false;
    if (best->st_name == 0) return true;
    if ((s->st_size != 0) != (best->st_size != 0)) return s->st_size != 0;
    if (s->st_value != best->st_value) return s->st_value > best->st_value;
    return type == STT_FUNC && ELF64_ST_TYPE(best->st_info) != STT_FUNC;
}

static bool elf_find_symbol(const struct elf *e, uint64_t address, Elf64_Sym *best)
{
    uint64_t n = e->symbols.sh_size / sizeof *best;
    *best = (Elf64_Sym){ .st_name = 0 };
    for (uint64_t i = 0; i < n; i += CHUNK_SYMBOLS) {
        size_t part = n - i < CHUNK_SYMBOLS ? (size_t)(n - i) : CHUNK_SYMBOLS;
        if (!file_read(e->fd, area->symbols, part * sizeof *best,
                       e->symbols.sh_offset + i * sizeof *best))
            return false;
        for (size_t k = 0; k < part; k++)
            if (symbol_is_better(&area->symbols[k], address, best)) *best = area->symbols[k];
    }
    return best->st_name != 0;
}

/* The function's name in C: what compilers append to the parts of one function goes. */
static void copy_name(const struct elf *e, const Elf64_Sym *s, char out[SYMBOL_NAME_MAX])
{
    uint64_t at = e->strings.sh_offset + s->st_name, left = e->strings.sh_size - s->st_name;
    size_t n = left < SYMBOL_NAME_MAX - 1 ? (size_t)left : SYMBOL_NAME_MAX - 1;
    if (s->st_name >= e->strings.sh_size || !file_read(e->fd, out, n, at)) n = 0;
    out[n] = '\0';
    char *dot = strchr(out, '.');
    if (dot != NULL && dot != out) *dot = '\0';
}

/* ---- all together ---------------------------------------------------------------------------- */

static void copy_file_name(const char *path, char out[SYMBOL_FILE_MAX])
{
    const char *slash = strrchr(path, '/');
    format_into(out, SYMBOL_FILE_MAX, "%s", slash != NULL ? slash + 1 : path);
}

static void look_up(struct symbol *s)
{
    struct mapping m;
    struct elf e = { .fd = -1 };
    Elf64_Sym found = { .st_name = 0 };
    uint64_t address = 0;
    if (!mapping_find(s->address, &m)) return;
    copy_file_name(m.path, s->file);
    s->offset = s->address - m.lo + m.file_offset;
    if (elf_open(&e, &m) && elf_file_to_address(&e, s->offset, &address)) {
        s->offset = address;
        if (elf_find_tables(&e) && elf_find_symbol(&e, address, &found))
            copy_name(&e, &found, s->name);
    }
    file_close(e.fd);
}

const struct symbol *symbol_at(uintptr_t address)
{
    struct symbol *s = &area->cache[address * UINT64_C(0x9e3779b97f4a7c15) >> 56];
    _Static_assert(CACHE_ENTRIES == 256, "indexed by the top byte of the hash");
    if (s->address == address && address != 0) return s;
    *s = (struct symbol){ .address = address };
    look_up(s);
    return s;
}

bool symbol_is_code(uintptr_t address)
{
    struct mapping m;
    return mapping_find(address, &m) && m.code;
}
