/* The CPU quota of the control group that holds the process.
 *
 * A group's share is at most that of each group above it, so the smallest quota from the process's
 * group up to the root of what is mounted counts.
 *
 *   version 2: /proc/self/cgroup has `0::PATH`; the file is cpu.max, "QUOTA PERIOD" or "max PERIOD"
 *   version 1: it has `N:..,cpu,..:PATH`; the files are cpu.cfs_quota_us (-1: none) and
 *              cpu.cfs_period_us
 *
 * /proc/self/mountinfo tells where the hierarchy is mounted, and which part of it: inside a
 * container PATH may start with the mounted part, which is then cut off, or lie outside of it, then
 * the mount's own root is what we see of it.
 *
 * With both versions mounted, each is looked at, and the smaller result counts.  Nothing is
 * allocated; lines and paths longer than the buffers are skipped, which means "no quota".
 *
 * Answers to: internal/runtime/cgroup.
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "os/linux/cgroup.h"

#include <fcntl.h>
#include <string.h>

#include "base/print.h"
#include "os/linux/syscall.h"

#define PATH_ROOM 1024
#define LINE_ROOM 4096

/* ---- files -------------------------------------------------------------------------------- */

struct reader {
    long fd;
    size_t at, n; /* unread bytes are buf[at .. n) */
    char buf[LINE_ROOM];
};

static bool reader_open(struct reader *r, const char *path)
{
    r->fd = syscall_raw4(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC, 0);
    r->at = r->n = 0;
    return r->fd >= 0;
}

static void reader_close(struct reader *r)
{
    syscall_raw1(SYS_close, r->fd);
}

static int reader_byte(struct reader *r)
{
    if (r->at == r->n) {
        long got = syscall_raw3(SYS_read, r->fd, r->buf, sizeof(r->buf));
        if (got <= 0) return -1;
        r->at = 0;
        r->n = (size_t)got;
    }
    return (unsigned char)r->buf[r->at++];
}

/* The next line without its end; one that is too long becomes empty.  false: no more. */
static bool reader_line(struct reader *r, char *line, size_t room)
{
    size_t n = 0;
    int c = reader_byte(r);
    if (c < 0) return false;
    for (; c >= 0 && c != '\n'; c = reader_byte(r), n++)
        if (n + 1 < room) line[n] = (char)c;
    line[n < room ? n : 0] = '\0';
    return true;
}

/* The first line of a small file. */
static bool file_line(const char *path, char *line, size_t room)
{
    struct reader r;
    if (!reader_open(&r, path)) return false;
    bool ok = reader_line(&r, line, room);
    reader_close(&r);
    return ok;
}

/* ---- texts -------------------------------------------------------------------------------- */

/* Cuts the next field off *rest at any of the separators; NULL: none left. */
static char *next_field(char **rest, const char *separators)
{
    return strsep(rest, separators);
}

/* Is word one of the comma-separated words of list? */
static bool list_has(const char *list, const char *word)
{
    size_t n = strlen(word);
    for (const char *p = list; p != NULL; p = strchr(p, ','), p = p == NULL ? NULL : p + 1)
        if (strncmp(p, word, n) == 0 && (p[n] == ',' || p[n] == '\0')) return true;
    return false;
}

/* Decimal digits up to a blank or the end.  false: something else ("max", "-1"). */
static bool parse_u64(const char *s, uint64_t *out)
{
    uint64_t v = 0;
    if (*s < '0' || *s > '9') return false;
    for (; *s >= '0' && *s <= '9'; s++) {
        if (v > UINT64_MAX / 20) return false;
        v = v * 10 + (uint64_t)(*s - '0');
    }
    *out = v;
    return *s == '\0' || *s == ' ';
}

/* mountinfo writes blanks and backslashes in paths as \ooo. */
static void unescape(char *s)
{
    char *to = s;
    while (*s != '\0') {
        if (s[0] == '\\' && s[1] >= '0' && s[1] <= '3' && s[2] >= '0' && s[2] <= '7' &&
            s[3] >= '0' && s[3] <= '7') {
            *to++ = (char)((s[1] - '0') << 6 | (s[2] - '0') << 3 | (s[3] - '0'));
            s += 4;
        } else {
            *to++ = *s++;
        }
    }
    *to = '\0';
}

/* ---- where the group is ------------------------------------------------------------------- */

/* Path of the process's group in the hierarchy of the given version. */
static bool membership_find(const char *file, int version, char path[PATH_ROOM])
{
    struct reader r;
    char line[LINE_ROOM];
    bool found = false;
    if (!reader_open(&r, file)) return false;
    while (!found && reader_line(&r, line, sizeof(line))) {
        char *rest = line;
        char *number = next_field(&rest, ":");
        char *controllers = next_field(&rest, ":");
        if (controllers == NULL || rest == NULL || strlen(rest) >= PATH_ROOM) continue;
        found = version == 2 ? strcmp(number, "0") == 0 && *controllers == '\0'
                             : list_has(controllers, "cpu");
        if (found) memcpy(path, rest, strlen(rest) + 1);
    }
    reader_close(&r);
    return found;
}

/* One line of mountinfo: is it the hierarchy of the given version?  Then its root and place.
 * The line: id parent device ROOT PLACE options [optional..] - TYPE source SUPEROPTIONS */
static bool mount_parse(char *line, int version, char **root, char **place)
{
    char *rest = strstr(line, " - ");
    if (rest == NULL) return false;
    *rest = '\0';
    rest += 3;
    char *type = next_field(&rest, " ");
    next_field(&rest, " ");
    if (version == 2 ? strcmp(type, "cgroup2") != 0
                     : strcmp(type, "cgroup") != 0 || rest == NULL || !list_has(rest, "cpu"))
        return false;
    char *head = line;
    for (int i = 0; i < 3; i++)
        next_field(&head, " ");
    *root = next_field(&head, " ");
    *place = next_field(&head, " ");
    if (*root == NULL || *place == NULL) return false;
    unescape(*root);
    unescape(*place);
    return true;
}

/* The part of path below root; "" when path does not lie there. */
static const char *path_below(const char *path, const char *root)
{
    size_t n = strcmp(root, "/") == 0 ? 0 : strlen(root);
    if (strncmp(path, root, n) != 0 || (path[n] != '/' && path[n] != '\0')) return "";
    return strstr(path, "/..") != NULL ? "" : path + n;
}

/* Folder of the process's group, and the length of its upper end: the mount's place. */
static bool folder_find(const char *mounts, int version, const char *path, char folder[PATH_ROOM],
                        size_t *top)
{
    struct reader r;
    char line[LINE_ROOM];
    bool found = false;
    if (!reader_open(&r, mounts)) return false;
    while (!found && reader_line(&r, line, sizeof(line))) {
        char *root, *place;
        if (!mount_parse(line, version, &root, &place)) continue;
        const char *below = path_below(path, root);
        *top = strlen(place);
        found = format_into(folder, PATH_ROOM, "%s%s", place, below) < PATH_ROOM;
    }
    reader_close(&r);
    return found;
}

/* ---- quotas ------------------------------------------------------------------------------- */

static bool read_number(const char *folder, const char *name, uint64_t *out)
{
    char path[PATH_ROOM + 32], line[128];
    format_into(path, sizeof(path), "%s/%s", folder, name);
    return file_line(path, line, sizeof(line)) && parse_u64(line, out);
}

static bool read_quota(const char *folder, int version, uint64_t *quota, uint64_t *period)
{
    char path[PATH_ROOM + 32], line[128];
    if (version == 1)
        return read_number(folder, "cpu.cfs_quota_us", quota) &&
               read_number(folder, "cpu.cfs_period_us", period);
    format_into(path, sizeof(path), "%s/cpu.max", folder);
    if (!file_line(path, line, sizeof(line))) return false;
    char *second = strchr(line, ' ');
    return second != NULL && parse_u64(line, quota) && parse_u64(second + 1, period);
}

static uint64_t folder_milli_cpus(const char *folder, int version)
{
    uint64_t quota, period;
    if (!read_quota(folder, version, &quota, &period) || period == 0 || quota == 0 ||
        quota > UINT64_MAX / 1000)
        return 0;
    uint64_t milli = quota * 1000 / period;
    return milli > 0 ? milli : 1;
}

/* The smaller of two quotas, of which 0 is none. */
static uint64_t tighter(uint64_t a, uint64_t b)
{
    return a == 0 ? b : b == 0 || a < b ? a : b;
}

static uint64_t version_milli_cpus(const char *membership, const char *mounts, int version)
{
    char path[PATH_ROOM], folder[PATH_ROOM];
    size_t top;
    uint64_t least = 0;
    if (!membership_find(membership, version, path) ||
        !folder_find(mounts, version, path, folder, &top))
        return 0;
    for (;;) {
        least = tighter(least, folder_milli_cpus(folder, version));
        char *slash = strrchr(folder, '/');
        if (slash == NULL || (size_t)(slash - folder) < top) return least;
        *slash = '\0'; /* the group above */
    }
}

uint64_t cgroup_milli_cpus(const char *membership, const char *mounts)
{
    return tighter(version_milli_cpus(membership, mounts, 2),
                   version_milli_cpus(membership, mounts, 1));
}
