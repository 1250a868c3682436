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

enum { HOST_MAX = NET_NAME_MAX + 2 };
_Static_assert(HOST_MAX > INET6_ADDRSTRLEN + IF_NAMESIZE, "numbers with a zone fit too");

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

/* The networks with hosts and ports. */
static const struct network {
    const char *name;
    int family, type;
} networks[] = {
    { "tcp", 0, SOCK_STREAM }, { "tcp4", AF_INET, SOCK_STREAM }, { "tcp6", AF_INET6, SOCK_STREAM },
    { "udp", 0, SOCK_DGRAM },  { "udp4", AF_INET, SOCK_DGRAM },  { "udp6", AF_INET6, SOCK_DGRAM },
};

static const struct network *network_named(const char *name)
{
    for (size_t i = 0; i < array_len(networks); i++)
        if (strcmp(networks[i].name, name) == 0) return &networks[i];
    return NULL;
}

int net_addr_parse(struct net_addr *a, const char *network, const char *text, bool to_dial)
{
    const struct network *net = network_named(network);
    memset(a, 0, sizeof *a);
    a->type = SOCK_STREAM;
    a->only = true;
    if (net == NULL) return strcmp(network, "unix") == 0 ? parse_unix(a, text) : EINVAL;
    a->type = net->type;
    a->only = net->family != 0;
    return parse_tcp(a, net->family, text, to_dial);
}

/* ---- names ---------------------------------------------------------------------------------- */

static bool is_name_byte(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_';
}

/* Labels of 1 to 63 bytes with dots between them, one more at the end allowed; the last is no
 * number, or it would be an address that can not be parsed. */
static bool is_host_name(const char *host)
{
    size_t label = 0, n = strlen(host);
    bool digits = true;
    if (n == 0 || n > NET_NAME_MAX + (host[n - 1] == '.' ? 1u : 0u)) return false;
    for (const char *c = host; *c != '\0'; c++) {
        if (*c == '.') {
            if (label == 0) return false;
            label = 0;
            continue;
        }
        digits = (label == 0 || digits) && *c >= '0' && *c <= '9';
        if (!is_name_byte(*c) || ++label > 63) return false;
    }
    return !digits;
}

bool net_name_parse(struct net_name *name, const char *network, const char *text)
{
    const struct network *net = network_named(network);
    const char *port_text;
    bool brackets;
    uint32_t port;
    if (net == NULL || !cut_host(text, name->host, &brackets, &port_text) || brackets) return false;
    if (!parse_number(port_text, UINT16_MAX, &port) || !is_host_name(name->host)) return false;
    name->family = net->family;
    name->type = net->type;
    name->only = net->family != 0;
    name->port = (uint16_t)port;
    return true;
}

void net_name_complete(const struct net_name *name, struct net_addr *a)
{
    a->type = name->type;
    a->only = name->only;
    a->any = false;
    if (a->sa.sa_family == AF_INET6)
        a->in6.sin6_port = htons(name->port);
    else
        a->in4.sin_port = htons(name->port);
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
