/* Network addresses: see net_addr.h.
 *
 * Parsing is by hand, since getaddrinfo reads files, blocks and allocates, and takes names of
 * services for ports.
 *
 * Answers to: net/ipsock.go, net/tcpsock_posix.go, net/unixsock.go.
 * SPDX-License-Identifier: BSD-3-Clause
 */
#include "lang/net_addr.h"

#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <string.h>

#include "base/print.h"

enum { HOST_MAX = INET6_ADDRSTRLEN + IF_NAMESIZE + 1 };

/* ---- pieces --------------------------------------------------------------------------------- */

/* Digits only, at most `max`. */
static bool parse_number(const char *text, uint32_t max, uint32_t *out)
{
    uint64_t n = 0;
    if (*text == '\0') return false;
    for (; *text != '\0'; text++) {
        if (*text < '0' || *text > '9') return false;
        n = n * 10 + (uint64_t)(*text - '0');
        if (n > max) return false;
    }
    *out = (uint32_t)n;
    return true;
}

/* Cuts "host:port" or "[host]:port"; *brackets: which.  host is of HOST_MAX bytes. */
static bool cut_host(const char *text, char *host, bool *brackets, const char **port)
{
    const char *start = text, *end;
    *brackets = *text == '[';
    if (*brackets) {
        start = text + 1;
        end = strchr(start, ']');
        if (end == NULL || end[1] != ':') return false;
        *port = end + 2;
    } else {
        end = strchr(start, ':');
        if (end == NULL || strchr(end + 1, ':') != NULL) return false;
        *port = end + 1;
    }
    size_t n = (size_t)(end - start);
    if (n >= HOST_MAX) return false;
    memcpy(host, start, n);
    host[n] = '\0';
    return true;
}

/* ---- families ------------------------------------------------------------------------------- */

static void set_in4(struct net_addr *a, in_addr_t host, uint32_t port)
{
    a->len = sizeof a->in4;
    a->in4.sin_family = AF_INET;
    a->in4.sin_addr.s_addr = host;
    a->in4.sin_port = htons((uint16_t)port);
}

static void set_in6(struct net_addr *a, const struct in6_addr *host, uint32_t port)
{
    a->len = sizeof a->in6;
    a->in6.sin6_family = AF_INET6;
    a->in6.sin6_addr = *host;
    a->in6.sin6_port = htons((uint16_t)port);
}

/* "%eth0" or "%2" behind a link-local address; host is cut before it. */
static bool parse_zone(struct net_addr *a, char *host)
{
    char *percent = strchr(host, '%');
    uint32_t index = 0;
    if (percent == NULL) return true;
    *percent = '\0';
    if (!parse_number(percent + 1, UINT32_MAX, &index)) index = if_nametoindex(percent + 1);
    a->in6.sin6_scope_id = index;
    return index != 0;
}

static int parse_in6(struct net_addr *a, char *host, uint32_t port)
{
    struct in6_addr in6;
    if (!parse_zone(a, host) || inet_pton(AF_INET6, host, &in6) != 1) return EINVAL;
    set_in6(a, &in6, port);
    return 0;
}

static int parse_in4(struct net_addr *a, const char *host, uint32_t port)
{
    struct in_addr in4;
    if (inet_pton(AF_INET, host, &in4) != 1) return EINVAL;
    set_in4(a, in4.s_addr, port);
    return 0;
}

/* No host: of family 0 the one that takes connections of both. */
static int set_any(struct net_addr *a, int family, uint32_t port)
{
    a->any = true;
    if (family == AF_INET)
        set_in4(a, htonl(INADDR_ANY), port);
    else
        set_in6(a, &in6addr_any, port);
    return 0;
}

static int set_localhost(struct net_addr *a, int family, uint32_t port)
{
    if (family == AF_INET6)
        set_in6(a, &in6addr_loopback, port);
    else
        set_in4(a, htonl(INADDR_LOOPBACK), port);
    return 0;
}

/* family 0: whichever the host is written in. */
static int parse_tcp(struct net_addr *a, int family, const char *text, bool to_dial)
{
    char host[HOST_MAX];
    const char *port_text;
    bool brackets;
    uint32_t port;
    if (!cut_host(text, host, &brackets, &port_text)) return EINVAL;
    if (!parse_number(port_text, UINT16_MAX, &port)) return EINVAL;
    if (host[0] == '\0') return to_dial || brackets ? EINVAL : set_any(a, family, port);
    if (brackets) return family == AF_INET ? EINVAL : parse_in6(a, host, port);
    if (strcmp(host, "localhost") == 0) return set_localhost(a, family, port);
    return family == AF_INET6 ? EINVAL : parse_in4(a, host, port);
}

static int parse_unix(struct net_addr *a, const char *path)
{
    size_t n = strlen(path);
    if (n == 0) return EINVAL;
    bool abstract = path[0] == '@';
    if (n > sizeof a->un.sun_path - (abstract ? 0 : 1)) return ENAMETOOLONG;
    a->un.sun_family = AF_UNIX;
    memcpy(a->un.sun_path, path, n);
    if (abstract) a->un.sun_path[0] = '\0';
    a->len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n + (abstract ? 0 : 1));
    return 0;
}

int net_addr_parse(struct net_addr *a, const char *network, const char *text, bool to_dial)
{
    memset(a, 0, sizeof *a);
    if (strcmp(network, "tcp") == 0) return parse_tcp(a, 0, text, to_dial);
    a->only = true;
    if (strcmp(network, "tcp4") == 0) return parse_tcp(a, AF_INET, text, to_dial);
    if (strcmp(network, "tcp6") == 0) return parse_tcp(a, AF_INET6, text, to_dial);
    if (strcmp(network, "unix") == 0) return parse_unix(a, text);
    return EINVAL;
}

/* ---- back to text --------------------------------------------------------------------------- */

static size_t format_in4(const struct net_addr *a, char *buf, size_t n)
{
    char host[INET_ADDRSTRLEN];
    inet_ntop(AF_INET, &a->in4.sin_addr, host, sizeof host);
    return format_into(buf, n, "%s:%u", host, (unsigned)ntohs(a->in4.sin_port));
}

static size_t format_in6(const struct net_addr *a, char *buf, size_t n)
{
    char host[INET6_ADDRSTRLEN];
    unsigned port = ntohs(a->in6.sin6_port), zone = a->in6.sin6_scope_id;
    inet_ntop(AF_INET6, &a->in6.sin6_addr, host, sizeof host);
    if (zone == 0) return format_into(buf, n, "[%s]:%u", host, port);
    return format_into(buf, n, "[%s%%%u]:%u", host, zone, port);
}

static size_t format_unix(const struct net_addr *a, char *buf, size_t n)
{
    const char *path = a->un.sun_path;
    size_t prefix = offsetof(struct sockaddr_un, sun_path);
    size_t bytes = a->len > prefix ? a->len - prefix : 0;
    if (bytes == 0) return format_into(buf, n, "%s", ""); /* not bound */
    if (path[0] == '\0') return format_into(buf, n, "@%.*s", (int)(bytes - 1), path + 1);
    return format_into(buf, n, "%.*s", (int)strnlen(path, bytes), path);
}

ssize_t net_addr_format(const struct net_addr *a, char *buf, size_t n)
{
    switch (a->sa.sa_family) {
    case AF_INET:
        return (ssize_t)format_in4(a, buf, n);
    case AF_INET6:
        return (ssize_t)format_in6(a, buf, n);
    case AF_UNIX:
        return (ssize_t)format_unix(a, buf, n);
    default:
        return -1;
    }
}
