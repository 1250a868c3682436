/* Network addresses: text to socket address and back.
 *
 * Text is "host:port" for the networks tcp, tcp4, tcp6, udp, udp4 and udp6, and a path for unix.
 * Hosts are numeric, but for "localhost"; other names are cut out here and resolved elsewhere
 * (resolve.h).  A path that begins with @ names an abstract socket.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef GORT_LANG_NET_ADDR_H
#define GORT_LANG_NET_ADDR_H

#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "base/config.h"

struct net_addr {
    socklen_t len;
    bool any;  /* no host was given: all addresses of the machine */
    bool only; /* one family was asked for by name (tcp4, tcp6) */
    int type;  /* SOCK_STREAM, SOCK_DGRAM */
    union {
        struct sockaddr sa;
        struct sockaddr_in in4;
        struct sockaddr_in6 in6;
        struct sockaddr_un un;
        struct sockaddr_storage storage;
    };
};

/* 0, or EINVAL: can not be parsed; ENAMETOOLONG: a path that is too long.  to_dial: a host must be
 * given. */
int net_addr_parse(struct net_addr *a, const char *network, const char *text, bool to_dial);
/* A host that is to be resolved, with its port. */
#define NET_NAME_MAX 253 /* bytes, without a dot at the end: RFC 1035 */
struct net_name {
    int family; /* AF_INET, AF_INET6, 0: any */
    int type;   /* as in net_addr */
    bool only;  /* as in net_addr */
    uint16_t port;
    char host[NET_NAME_MAX + 2];
};

/* text, which net_addr_parse does not take, is "name:port" with the name of a host as RFC 1123 has
 * them, and underscores.  false: it is not. */
bool net_name_parse(struct net_name *name, const char *network, const char *text);
/* Sets the port, type and the rest of a, whose socket address is one of name's host. */
void net_name_complete(const struct net_name *name, struct net_addr *a);
/* Writes a as net_addr_parse takes it, always terminated when n > 0; returns the length wanted, or
 * -1 for a family that has no text. */
ssize_t net_addr_format(const struct net_addr *a, char *buf, size_t n);

#endif
