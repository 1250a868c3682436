// See port.h.
//
// SPDX-License-Identifier: BSD-3-Clause
#include "port.h"

#include <boost/fiber/all.hpp>
#include <boost/version.hpp>

#include <cstdio>
#include <cstdlib>

using boost::fibers::buffered_channel;
using boost::fibers::unbuffered_channel;

// One of the two.  A buffered_channel holds one less than it is asked for, which is a power of two.
struct port_channel {
    unbuffered_channel<intptr_t> *direct;
    buffered_channel<intptr_t> *buffered;
};

port_chan port_chan_make(int capacity)
{
    std::size_t room = 2;
    while (room <= static_cast<std::size_t>(capacity))
        room *= 2;
    if (capacity == 0) return new port_channel{ new unbuffered_channel<intptr_t>, nullptr };
    return new port_channel{ nullptr, new buffered_channel<intptr_t>(room) };
}

void port_send(port_chan c, intptr_t value)
{
    if (c->direct != nullptr)
        c->direct->push(value);
    else
        c->buffered->push(value);
}

intptr_t port_recv(port_chan c)
{
    return c->direct != nullptr ? c->direct->value_pop() : c->buffered->value_pop();
}

void port_go(void (*fn)(void *), void *arg)
{
    boost::fibers::fiber(boost::fibers::launch::post, std::allocator_arg,
                         boost::fibers::default_stack(64 << 10), fn, arg)
        .detach();
}

void port_yield()
{
    boost::this_fiber::yield();
}

void port_group_add(port_group *g, int n)
{
    g->count += n;
}

void port_group_done(port_group *g)
{
    if (--g->count == 0 && g->waiting != nullptr)
        static_cast<boost::fibers::promise<void> *>(g->waiting)->set_value();
}

void port_group_wait(port_group *g)
{
    if (g->count == 0) return;
    boost::fibers::promise<void> promise;
    g->waiting = &promise;
    promise.get_future().wait();
    g->waiting = nullptr;
}

int port_run(int (*fn)(int, char **), int argc, char **argv)
{
    int status = fn(argc, argv);
    std::fflush(stdout);
    std::_Exit(status); // fibers that still wait end with the program
}

void port_version(char *text, std::size_t size)
{
    std::snprintf(text, size, "%d.%d", BOOST_VERSION / 100000, BOOST_VERSION / 100 % 1000);
}
