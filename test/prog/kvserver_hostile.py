#!/usr/bin/env python3
"""kvserver against clients that are broken, rude, slow, gone, or too many.

After each of them the server must still answer, with the memory and the descriptors it had before.

usage: kvserver_hostile.py BUILD_FOLDER [case ...]
"""
# SPDX-License-Identifier: BSD-3-Clause

import os
import random
import re
import resource
import signal
import socket
import struct
import subprocess
import sys
import time

PATIENCE = 100  # seconds that any single answer may take on a loaded machine


class Failure(Exception):
    pass


def check(condition, message):
    if not condition:
        raise Failure(message)


class Server:
    def __init__(self, binary, descriptors=None):
        def limit():
            if descriptors:
                resource.setrlimit(resource.RLIMIT_NOFILE, (descriptors, descriptors))

        self.process = subprocess.Popen(
            [binary, "--listen", "127.0.0.1:0"],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, preexec_fn=limit)
        line = self.process.stdout.readline()
        match = re.match(r"kvserver: listening on 127\.0\.0\.1:(\d+)$", line)
        if not match:
            self.process.kill()
            raise Failure(f"the server said {line!r}, {self.process.stderr.read()!r}")
        self.port = int(match.group(1))

    def connect(self):
        return Client(self.port)

    def ping(self):
        with self.connect() as c:
            c.send(b"PING\r\n")
            c.expect(b"+PONG\r\n")

    def check_data(self):
        """The server's own check of all tables, before and after a collection."""
        with self.connect() as c:
            for word in [b"CHECK", b"GC", b"CHECK"]:
                c.send(command(b"DEBUG", word))
                c.expect(b"+OK\r\n")

    def status(self, name):
        with open(f"/proc/{self.process.pid}/status") as f:
            for line in f:
                if line.startswith(name + ":"):
                    return int(line.split()[1])
        raise Failure(f"no {name} in /proc")

    def rss_mb(self):
        return self.status("VmRSS") / 1024

    def cpu_seconds(self):
        with open(f"/proc/{self.process.pid}/stat") as f:
            fields = f.read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def wait_till_quiet(self, otherwise):
        """What was asked of it before may take its time; then it takes less than half a CPU."""
        deadline = time.monotonic() + PATIENCE
        while True:
            start, before = time.monotonic(), self.cpu_seconds()
            time.sleep(0.5)
            cpu, took = self.cpu_seconds() - before, time.monotonic() - start
            if cpu < took / 2:
                return
            check(time.monotonic() < deadline, f"{otherwise}: {cpu:.2f} s of CPU in {took:.1f} s")

    def descriptors(self):
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))

    def end(self):
        self.process.send_signal(signal.SIGINT)
        try:
            out, err = self.process.communicate(timeout=PATIENCE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise Failure("the server does not end on SIGINT")
        check(self.process.returncode == 0,
              f"the server ended with {self.process.returncode}: {out}{err}")
        check(err == "", f"the server wrote to stderr: {err}")


class Client:
    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def send(self, data):
        try:
            self.socket.sendall(data)
        except (ConnectionResetError, BrokenPipeError):
            pass  # the server may close before it has read everything

    def receive(self, n):
        data = bytearray()
        while len(data) < n:
            piece = self.socket.recv(min(n - len(data), 1 << 20))
            if not piece:
                break
            data += piece
        return bytes(data)

    def receive_line(self):
        if not hasattr(self, "file"):
            self.file = self.socket.makefile("rb")
        return self.file.readline().rstrip(b"\r\n")

    def receive_scan(self):
        """The reply of SCAN: cursor and keys.  Not to be mixed with receive."""
        check(self.receive_line() == b"*2", "SCAN does not reply with two parts")
        self.receive_line()
        cursor = self.receive_line()
        keys = []
        for _ in range(int(self.receive_line()[1:])):
            self.receive_line()
            keys.append(self.receive_line())
        return cursor, keys

    def receive_all(self):
        data = bytearray()
        try:
            while piece := self.socket.recv(1 << 20):
                data += piece
        except ConnectionResetError:
            pass
        return bytes(data)

    def expect(self, expected):
        got = self.receive(len(expected))
        check(got == expected, f"expected {expected[:80]!r}, got {got[:80]!r}")

    def reset(self):
        """Vanishes: the server sees a connection that was reset."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()


def command(*words):
    parts = [b"*%d\r\n" % len(words)]
    for word in words:
        parts.append(b"$%d\r\n%s\r\n" % (len(word), word))
    return b"".join(parts)


# ---- Cases: each gets a server and leaves it as it was ----


def malformed(server):
    cases = [
        (b"*abc\r\n", b"invalid multibulk length"),
        (b"*\r\n", b"invalid multibulk length"),
        (b"*1\n$4\n", b"invalid multibulk length"),
        (b"*1048577\r\n", b"invalid multibulk length"),
        (b"*9999999999999999999\r\n", b"invalid multibulk length"),
        (b"*" + b"1" * 100, b"too big mbulk count string"),
        (b"*1\r\n:3\r\n", b"expected '$', got ':'"),
        (b"*2\r\n$3\r\nGET\r\nkey\r\n", b"expected '$', got 'k'"),
        (b"*1\r\n$abc\r\n", b"invalid bulk length"),
        (b"*1\r\n$-5\r\n", b"invalid bulk length"),
        (b"*1\r\n$-1\r\n", b"invalid bulk length"),
        (b"*1\r\n$536870913\r\n", b"invalid bulk length"),
        (b"*1\r\n$" + b"9" * 18 + b"\r\n", b"invalid bulk length"),
        (b"*1\r\n$" + b"1" * 100, b"too big bulk count string"),
        (b"x" * 70000, b"too big inline request"),
        (b"x" * 70000 + b"\r\n", b"too big inline request"),
        (b'SET "a\r\n', b"unbalanced quotes in request"),
        (b"SET 'a'b\r\n", b"unbalanced quotes in request"),
    ]
    for data, why in cases:
        with server.connect() as c:
            c.send(data)
            got = c.receive_all()
            check(got == b"-ERR Protocol error: " + why + b"\r\n", f"{data[:40]!r}: {got[:100]!r}")
        # What came before it is answered, what comes behind is not.
        with server.connect() as c:
            c.send(b"PING\r\n" + command(b"ECHO", b"x") + data)
            got = c.receive_all()
            check(got == b"+PONG\r\n$1\r\nx\r\n-ERR Protocol error: " + why + b"\r\n",
                  f"behind others {data[:40]!r}: {got[:100]!r}")
        server.ping()


def odd_but_good(server):
    cases = [
        (b"*0\r\n*-1\r\n\r\n   \r\nPING\r\n", b"+PONG\r\n"),
        (b"  PING  \r\n", b"+PONG\r\n"),
        (b"ping\n", b"+PONG\r\n"),
        (b'ECHO "a\\x41\\n\\"b"\r\n', b'$5\r\naA\n"b\r\n'),
        (b"ECHO 'a\\'b\\n'\r\n", b"$5\r\na'b\\n\r\n"),
        (b'ECHO ""\r\n', b"$0\r\n\r\n"),
        (command(b"ECHO", b""), b"$0\r\n\r\n"),
        (command(b"ECHO", bytes(range(256))), b"$256\r\n" + bytes(range(256)) + b"\r\n"),
        (command(b""), b"-ERR unknown command '', with args beginning with: \r\n"),
        (command(b"x" * 100000, b"y" * 100000), None),
        (command(b"GET\0"), None),
        (command(b"flushallflushall"), None),
    ]
    for data, answer in cases:
        with server.connect() as c:
            c.send(data + b"PING\r\n")
            c.socket.shutdown(socket.SHUT_WR)
            got = c.receive_all()
            if answer is None:
                check(re.fullmatch(rb"-ERR unknown command [^\r\n]*\r\n\+PONG\r\n", got),
                      f"{data[:40]!r}: {got[:100]!r}")
            else:
                check(got == answer + b"+PONG\r\n", f"{data[:40]!r}: {got[:100]!r}")
        with server.connect() as c:  # the same, one byte at a time
            for i in range(min(len(data), 300)):
                c.send(data[i:i + 1])
            c.send(data[300:] + b"PING\r\n")
            c.socket.shutdown(socket.SHUT_WR)
            check(c.receive_all() == got, f"in single bytes {data[:40]!r}")


def garbage(server):
    chance = random.Random(1)
    alphabet = b"*$\r\n0123456789-:+ abcSETGET\"'\\\0\xff"
    for _ in range(300):
        with server.connect() as c:
            size = chance.randrange(1, 2000)
            if chance.random() < 0.5:
                data = bytes(chance.choice(alphabet) for _ in range(size))
            else:
                data = bytearray(command(b"SET", b"garbage", b"v" * chance.randrange(100)) * 20)
                for _ in range(5):
                    data[chance.randrange(len(data))] = chance.randrange(256)
            c.send(bytes(data))
            if chance.random() < 0.5:
                c.socket.shutdown(socket.SHUT_WR)
                c.receive_all()
    server.ping()


def many_at_once(server):
    """Batches of commands in two databases, cut anywhere, against a model."""
    chance = random.Random(2)

    def bulk(value):
        return b"$-1\r\n" if value is None else b"$%d\r\n%s\r\n" % (len(value), value)

    def one(model, at):
        key = b"many:%d" % chance.randrange(200)
        kind = chance.randrange(7)
        if kind == 0:
            at[0] = chance.randrange(2)
            return command(b"SELECT", b"%d" % at[0]), b"+OK\r\n"
        if kind == 1:
            return command(b"PING"), b"+PONG\r\n"
        if kind == 2:
            return b"ECHO " + key + b"\r\n", bulk(key)
        if kind == 3:
            return command(b"DEL", key), b":%d\r\n" % (model[at[0]].pop(key, None) is not None)
        if kind == 4:
            return command(b"GET", key), bulk(model[at[0]].get(key))
        model[at[0]][key] = value = b"v" * chance.randrange(1500)
        return command(b"SET", key, value), b"+OK\r\n"

    with server.connect() as c:
        model, at = [{}, {}], [0]
        for _ in range(300):
            pairs = [one(model, at) for _ in range(chance.randrange(1, 60))]
            sent, wanted = b"".join(p[0] for p in pairs), b"".join(p[1] for p in pairs)
            cut = chance.randrange(len(sent))
            c.send(sent[:cut])
            c.send(sent[cut:])
            got = c.receive(len(wanted))
            check(got == wanted, f"{sent[:200]!r}: {got[:200]!r} instead of {wanted[:200]!r}")
        for i in (0, 1):
            c.send(command(b"SELECT", b"%d" % i) + command(b"FLUSHDB"))
            c.expect(b"+OK\r\n+OK\r\n")


def announced_but_not_sent(server):
    before = server.rss_mb()
    clients = []
    for data in [b"*2\r\n$4\r\nECHO\r\n$536870912\r\n0123456789", b"*1048576\r\n",
                 b"*1048576\r\n$3\r\nDEL\r\n"]:
        for _ in range(50):
            c = server.connect()
            c.send(data)
            clients.append(c)
    server.ping()
    time.sleep(0.2)
    grown = server.rss_mb() - before
    check(grown < 64, f"announced lengths cost {grown:.0f} MB")
    for c in clients:
        c.reset()
    server.ping()


def many_arguments(server):
    words = [b"MSET"]
    for i in range(50000):
        words += [b"many:%d" % i, b"%d" % i]
    with server.connect() as c:
        c.send(command(*words))
        c.expect(b"+OK\r\n")
        c.send(command(b"EXISTS", *words[1::2]))
        c.expect(b":50000\r\n")
        c.send(command(b"DEL", *words[1::2]))
        c.expect(b":50000\r\n")


def large_value(server):
    value = random.Random(2).randbytes(40 << 20)
    with server.connect() as c:
        c.send(command(b"SET", b"large", value))
        c.expect(b"+OK\r\n")
        c.send(command(b"GET", b"large"))
        c.expect(b"$%d\r\n" % len(value) + value + b"\r\n")
        c.send(command(b"APPEND", b"large", b"tail") + command(b"STRLEN", b"large"))
        c.expect(b":%d\r\n" % (len(value) + 4) * 2)
        c.send(command(b"DEL", b"large"))
        c.expect(b":1\r\n")


def scan_while_resizing(server):
    """Keys that are there throughout are found exactly once, however the tables change meanwhile."""
    stable = [b"stable:%d" % i for i in range(3000)]
    chance = random.Random(3)
    with server.connect() as c, server.connect() as other:
        def ask(connection, data, replies):
            connection.send(data)
            for _ in range(replies):
                connection.receive_line()

        ask(c, b"".join(command(b"SET", key, b"x") for key in stable), len(stable))
        for round_ in range(3):
            found, cursor, step = [], b"0", 0
            while step == 0 or cursor != b"0":
                c.send(command(b"SCAN", cursor, b"MATCH", b"stable:*", b"COUNT", b"50"))
                cursor, keys = c.receive_scan()
                found += keys
                # Grow by a factor of 8, then shrink again, while the scan goes on.
                word = b"SET" if (step // 60) % 2 == round_ % 2 else b"DEL"
                start, count = (step % 60) * 400, 400
                words = [[word, b"other:%d" % i] + ([b"y"] if word == b"SET" else [])
                         for i in range(start, start + count)]
                chance.shuffle(words)
                ask(other, b"".join(command(*w) for w in words), count)
                step += 1
            check(sorted(found) == sorted(stable),
                  f"round {round_}: {len(found)} keys found, {len(set(found))} different ones")
        ask(c, command(b"FLUSHALL"), 1)


def half_closed(server):
    with server.connect() as c:
        c.send(b"PING\r\n" * 20000)
        c.socket.shutdown(socket.SHUT_WR)
        got = c.receive_all()
        check(got == b"+PONG\r\n" * 20000, f"{len(got)} bytes of replies after a half-close")


def vanished(server):
    before = server.descriptors()
    with server.connect() as c:
        c.send(command(b"SET", b"piece", b"x" * 100000))
        c.expect(b"+OK\r\n")
    for i in range(200):
        c = server.connect()
        if i % 4 == 0:
            c.send(b"*3\r\n$3\r\nSET\r\n$5\r\nnever\r\n$1000\r\nhalf of it")
        elif i % 4 == 1:
            c.send(command(b"GET", b"piece") * 50)  # and never reads
        elif i % 4 == 2:
            c.send(b"PING\r\n" * 1000)
        if i % 2 == 0:
            c.reset()
        else:
            c.socket.close()
    server.ping()
    with server.connect() as c:
        c.send(command(b"EXISTS", b"never"))
        c.expect(b":0\r\n")
    deadline = time.monotonic() + PATIENCE
    while server.descriptors() > before and time.monotonic() < deadline:
        time.sleep(0.05)
    check(server.descriptors() <= before,
          f"descriptors leak: {before} before, {server.descriptors()} after")


def slow_reader(server):
    """Clients that ask for much and do not read stop nobody else."""
    with server.connect() as c:
        c.send(command(b"SET", b"megabyte", b"m" * (1 << 20)))
        c.expect(b"+OK\r\n")
        c.send(command(b"RPUSH", b"biglist", *[b"e" * 1000] * 2000))
        c.expect(b":2000\r\n")
    slow = [server.connect() for _ in range(4)]
    for i, c in enumerate(slow):
        c.socket.setblocking(False)
        ask = command(b"GET", b"megabyte") if i % 2 else command(b"LRANGE", b"biglist", b"0", b"-1")
        try:
            c.socket.send(ask * 100)
        except BlockingIOError:
            pass
    time.sleep(0.2)
    with server.connect() as c:
        start = time.monotonic()
        for i in range(1, 21):
            c.send(command(b"STRLEN", b"megabyte") + command(b"LLEN", b"biglist"))
            c.expect(b":1048576\r\n:2000\r\n")
            c.send(command(b"APPEND", b"other", b"x") + command(b"LPUSH", b"otherlist", b"x"))
            c.expect(b":%d\r\n" % i * 2)
        took = time.monotonic() - start
        check(took < PATIENCE, f"clients that do not read make others wait {took:.1f} s")
        c.send(command(b"FLUSHALL"))
    # Flushed or not, who asked before gets it all.
    c = slow[1]
    c.socket.settimeout(PATIENCE)
    c.expect(b"$1048576\r\n" + b"m" * (1 << 20) + b"\r\n")
    for c in slow:
        c.socket.close()


def too_many_by_setting(server):
    with server.connect() as first:
        first.send(b"CONFIG SET maxclients 5\r\n")
        first.expect(b"+OK\r\n")
        inside = []
        refused = 0
        for _ in range(10):
            c = server.connect()
            c.send(b"PING\r\n")
            try:
                got = c.receive(7)
            except ConnectionResetError:
                got = b""
            if got == b"+PONG\r\n":
                inside.append(c)
            else:
                check(got + c.receive_all() == b"-ERR max number of clients reached\r\n" or
                      got == b"", f"refused by {got!r}")
                refused += 1
                c.socket.close()
        check(refused >= 6, f"only {refused} of 10 refused with room for 5")
        for c in inside:
            c.socket.close()
        first.send(b"CONFIG SET maxclients 100000\r\n")
        first.expect(b"+OK\r\n")
    server.ping()


def full_descriptor_table(_, binary):
    server = Server(binary, descriptors=64)
    try:
        inside, outside, pending = [], 0, []
        for _ in range(150):
            c = server.connect()
            c.send(b"PING\r\n")
            try:
                got = c.receive(7)
            except ConnectionResetError:
                got = b""
            if got == b"+PONG\r\n":
                inside.append(c)
                continue
            check(b"-ERR max number of clients reached\r\n".startswith(got), f"refused by {got!r}")
            outside += 1
            pending.append(c)
        check(len(inside) >= 30, f"only {len(inside)} clients fit 64 descriptors")
        check(outside >= 80, f"only {outside} of 150 refused")
        server.wait_till_quiet("a full table keeps the server busy")
        for c in inside[:3]:
            c.send(b"PING\r\n")
            c.expect(b"+PONG\r\n")
        for c in inside + pending:
            c.socket.close()
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            try:
                server.ping()
                break
            except (Failure, ConnectionResetError):
                time.sleep(0.1)
        server.ping()
    finally:
        server.end()


def ten_thousand_idle(server):
    wanted = 10000
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < wanted + 200:
        print(f"  note: only {hard} descriptors allowed; fewer idle connections")
        wanted = hard - 200
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    before = server.rss_mb()
    clients = []
    try:
        for _ in range(wanted):
            clients.append(server.connect())
        for c in clients[::97]:
            c.send(b"PING\r\n")
        for c in clients[::97]:
            c.expect(b"+PONG\r\n")
        server.ping()
        with server.connect() as c:
            c.send(b"INFO clients\r\n")
            match = re.search(rb"connected_clients:(\d+)", c.socket.recv(65536))
            check(match and int(match.group(1)) > wanted,
                  f"{match and match.group(1)} clients connected")
        each = (server.rss_mb() - before) * 1024 / wanted
        print(f"  {wanted} idle connections, {each:.1f} KB each")
        check(each < 32, f"an idle connection costs {each:.1f} KB")
        server.wait_till_quiet("idle connections keep the server busy")
    finally:
        for c in clients:
            c.socket.close()
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    server.ping()


def bad_arguments(_, binary):
    def run(*arguments):
        return subprocess.run([binary, *arguments], capture_output=True, text=True,
                              timeout=PATIENCE)

    for arguments in [["--nosuch"], ["--seconds"], ["--seconds", "x"], ["--seconds", "0"],
                      ["--seconds", "-3"], ["--connections", "1e3"], ["extra"],
                      ["--drive", "127.0.0.1:1", "--listen", "127.0.0.1:0"]]:
        r = run(*arguments)
        check(r.returncode == 2, f"{arguments}: exit status {r.returncode}")
        check("kvserver" in r.stderr and "--help" in r.stderr, f"{arguments}: {r.stderr!r}")
        check(r.stdout == "", f"{arguments}: printed {r.stdout!r}")
    r = run("--help")
    check(r.returncode == 0 and "--listen" in r.stdout and r.stderr == "", "--help")
    for address in ["nonsense", "127.0.0.1:99999", "300.1.1.1:80"]:
        r = run("--listen", address)
        check(r.returncode == 1 and "can not listen on " + address in r.stderr,
              f"--listen {address}: {r.returncode} {r.stderr!r}")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        address = "127.0.0.1:%d" % taken.getsockname()[1]
        r = run("--listen", address)
        check(r.returncode == 1 and "in use" in r.stderr, f"a taken port: {r.stderr!r}")


CASES = [malformed, odd_but_good, garbage, many_at_once, announced_but_not_sent, many_arguments,
         large_value, scan_while_resizing, half_closed, vanished, slow_reader,
         too_many_by_setting, ten_thousand_idle]
CASES_OF_THEIR_OWN = [full_descriptor_table, bad_arguments]


def run_case(case, server, *arguments):
    start = time.monotonic()
    try:
        case(server, *arguments)
        if server and case != Server.end:
            server.check_data()
        result = "ok"
    except Exception as e:
        result = f"FAIL: {type(e).__name__}: {e}"
    print(f"{case.__name__}: {result} ({time.monotonic() - start:.1f} s)", flush=True)
    return result == "ok"


def main():
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    binary = os.path.join(sys.argv[1], "examples", "kvserver")
    if not os.access(binary, os.X_OK):
        sys.exit(f"{binary} is missing")
    wanted = sys.argv[2:]
    good = True
    server = Server(binary)
    try:
        for case in CASES:
            if wanted and case.__name__ not in wanted:
                continue
            good &= run_case(case, server)
        good &= run_case(Server.end, server)
    finally:
        server.process.kill()
    for case in CASES_OF_THEIR_OWN:
        if not wanted or case.__name__ in wanted:
            good &= run_case(case, None, binary)
    sys.exit(0 if good else 1)


main()
