// Network addresses: what is accepted, what it means, and back to text.
//
// SPDX-License-Identifier: BSD-3-Clause
#include "../../test.h"
#include "lang/net_addr.h"

#include <arpa/inet.h>
#include <errno.h>

struct sample {
    const char *network, *text;
    int error;
    const char *shown; // NULL: as text
    bool any;
};

static void check_sample(const struct sample *s, bool to_dial)
{
    struct net_addr a;
    char buf[200];
    int error = net_addr_parse(&a, s->network, s->text, to_dial);
    CHECK_EQ(error, s->error);
    if (error != 0) return;
    const char *shown = s->shown != NULL ? s->shown : s->text;
    CHECK_EQ(net_addr_format(&a, buf, sizeof buf), strlen(shown));
    CHECK_STR_EQ(buf, shown);
    CHECK_EQ(a.any, s->any);
    CHECK_EQ(a.only, strcmp(s->network, "tcp") != 0 && strcmp(s->network, "udp") != 0);
    CHECK_EQ(a.type, s->network[0] == 'u' && s->network[1] == 'd' ? SOCK_DGRAM : SOCK_STREAM);
}

TEST(accepted)
{
    static const struct sample samples[] = {
        { "tcp", "127.0.0.1:80", 0, NULL, false },
        { "tcp", "127.0.0.1:0", 0, NULL, false },
        { "tcp", "127.0.0.1:65535", 0, NULL, false },
        { "tcp", "127.0.0.1:0080", 0, "127.0.0.1:80", false },
        { "tcp4", "255.255.255.255:1", 0, NULL, false },
        { "tcp", "[::1]:80", 0, NULL, false },
        { "tcp6", "[::]:80", 0, NULL, false },
        { "tcp", "[2001:db8::8:800:200c:417a]:443", 0, NULL, false },
        { "tcp", "[2001:DB8:0:0:8:800:200C:417A]:443", 0, "[2001:db8::8:800:200c:417a]:443",
          false },
        { "tcp", "[::ffff:1.2.3.4]:443", 0, NULL, false },
        { "tcp", "[fe80::1%7]:443", 0, NULL, false },
        { "tcp", "localhost:5", 0, "127.0.0.1:5", false },
        { "tcp4", "localhost:5", 0, "127.0.0.1:5", false },
        { "tcp6", "localhost:5", 0, "[::1]:5", false },
        { "udp", "127.0.0.1:53", 0, NULL, false },
        { "udp6", "[::1]:53", 0, NULL, false },
        { "udp4", "localhost:5", 0, "127.0.0.1:5", false },
        { "unix", "/tmp/x", 0, NULL, false },
        { "unix", "relative", 0, NULL, false },
        { "unix", "@abstract", 0, NULL, false },
        { "unix", "a:b", 0, NULL, false },
    };
    for (unsigned i = 0; i < sizeof samples / sizeof samples[0]; i++) {
        check_sample(&samples[i], false);
        check_sample(&samples[i], true);
    }
}

// host NULL: it is no name.
static void check_name(const char *text, const char *host, uint16_t port)
{
    struct net_name name;
    struct net_addr a;
    CHECK_EQ(net_addr_parse(&a, "tcp6", text, true), EINVAL);
    CHECK_EQ(net_name_parse(&name, "tcp6", text), host != NULL);
    if (host == NULL) return;
    CHECK_STR_EQ(name.host, host);
    CHECK(name.port == port && name.family == AF_INET6 && name.only && name.type == SOCK_STREAM);
    a.sa.sa_family = AF_INET6;
    net_name_complete(&name, &a);
    CHECK(a.in6.sin6_port == htons(port) && a.only && !a.any && a.type == SOCK_STREAM);
}

TEST(names)
{
    check_name("example.org:80", "example.org", 80);
    check_name("example.org.:0", "example.org.", 0);
    check_name("a:65535", "a", 65535);
    check_name("1.2.3.4x:1", "1.2.3.4x", 1);
    check_name("_x-y.9a:1", "_x-y.9a", 1);
    static const char *const bad[] = { "a:",    "a",         "a:b",   ":80",    "a:65536",
                                       ".:1",   "..:1",      "a..:1", ".a:1",   "[a]:1",
                                       "a b:1", "1:1",       "a.1:1", "a.1.:1", "1.2.3.4.5:1",
                                       "a:1:1", "\xc3\xa9:1" };
    for (unsigned i = 0; i < sizeof bad / sizeof bad[0]; i++)
        check_name(bad[i], NULL, 0);
    struct net_name name;
    CHECK(!net_name_parse(&name, "unix", "a:1"));
    CHECK(!net_name_parse(&name, "tcp5", "a:1"));
    CHECK(net_name_parse(&name, "udp", "a:1") && name.type == SOCK_DGRAM && name.family == 0 &&
          !name.only);
}

TEST(no_host)
{
    static const struct sample samples[] = {
        { "tcp", ":80", 0, "[::]:80", true },
        { "tcp4", ":80", 0, "0.0.0.0:80", true },
        { "tcp6", ":80", 0, "[::]:80", true },
    };
    for (unsigned i = 0; i < 3; i++) {
        struct sample s = samples[i];
        check_sample(&s, false);
        s.error = EINVAL;
        check_sample(&s, true);
    }
}

TEST(paths)
{
    struct net_addr a;
    char path[200];
    memset(path, 'p', sizeof path);
    path[107] = '\0';
    CHECK_EQ(net_addr_parse(&a, "unix", path, false), 0);
    CHECK_EQ(a.len, offsetof(struct sockaddr_un, sun_path) + 108);
    path[107] = 'p';
    path[108] = '\0';
    CHECK_EQ(net_addr_parse(&a, "unix", path, false), ENAMETOOLONG);
    path[0] = '@'; // no byte is needed for the end
    CHECK_EQ(net_addr_parse(&a, "unix", path, false), 0);
    CHECK_EQ(a.len, offsetof(struct sockaddr_un, sun_path) + 108);
    CHECK_EQ(a.un.sun_path[0], '\0');
    char shown[200];
    CHECK_EQ(net_addr_format(&a, shown, sizeof shown), 108);
    CHECK_STR_EQ(shown, path);
    CHECK_EQ(net_addr_parse(&a, "unix", "@", false), 0);
    CHECK_EQ(net_addr_parse(&a, "unix", "", false), EINVAL);
}

TEST(not_bound)
{
    struct net_addr a = { .len = sizeof(sa_family_t) };
    char shown[10] = "x";
    a.un.sun_family = AF_UNIX;
    CHECK_EQ(net_addr_format(&a, shown, sizeof shown), 0);
    CHECK_STR_EQ(shown, "");
    a.sa.sa_family = AF_UNSPEC;
    CHECK_EQ(net_addr_format(&a, shown, sizeof shown), -1);
}

TEST(cut_text)
{
    struct net_addr a;
    char shown[8];
    CHECK_EQ(net_addr_parse(&a, "tcp", "127.0.0.1:80", false), 0);
    CHECK_EQ(net_addr_format(&a, shown, sizeof shown), 12);
    CHECK_STR_EQ(shown, "127.0.0");
    CHECK_EQ(net_addr_format(&a, NULL, 0), 12);
}

// No text crashes it, whatever bytes it has.
TEST(noise)
{
    static const char alphabet[] = "0123456789:.[]%@abfx/-";
    static const char *const networks[] = { "tcp", "tcp4", "tcp6", "unix" };
    uint64_t r = test_seed();
    for (int64_t i = 0; i < test_count(200000); i++) {
        char text[160], shown[300];
        size_t n = test_random(&r) % sizeof text;
        for (size_t k = 0; k < n; k++)
            text[k] = alphabet[test_random(&r) % (sizeof alphabet - 1)];
        text[n < sizeof text ? n : sizeof text - 1] = '\0';
        struct net_addr a;
        int error = net_addr_parse(&a, networks[test_random(&r) % 4], text, i % 2 == 0);
        CHECK(error == 0 || error == EINVAL || error == ENAMETOOLONG);
        if (error == 0) CHECK_GE(net_addr_format(&a, shown, sizeof shown), 0);
    }
}

int main(void)
{
    RUN(accepted);
    RUN(names);
    RUN(no_host);
    RUN(paths);
    RUN(not_bound);
    RUN(cut_text);
    RUN(noise);
    return 0;
}
