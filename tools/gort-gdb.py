"""Goroutines in gdb, of a running program or of a core file.

    gdb -x tools/gort-gdb.py prog [core | pid]        or, in gdb: source .../gort-gdb.py

    info goroutines [all]      the program's goroutines: number, state, name, where each is; all: the
                               runtime's own too.  * marks those that a thread runs
    goroutine N COMMAND        COMMAND as if goroutine N were the selected thread: `goroutine 5 bt`
    goroutine all COMMAND      for each of the program's

A goroutine that waits has its registers on its own stack (src/arch/amd64/switch.S).  gdb can not set
registers of a core file, so nothing is set: an unwinder takes the place of the innermost frame, and says
that its caller is the goroutine.  So the frames of `goroutine N bt` are numbered from 1 or a little more.
A goroutine that a thread runs, or that is in a blocking region, is that thread: it is selected meanwhile.

Needed: the library's debug information, which it has unless it was stripped.

SPDX-License-Identifier: BSD-3-Clause
"""
import gdb
from gdb.unwinder import Unwinder

DEAD, RUNNABLE, RUNNING, WAITING, BLOCKING = range(5)  # enum g_status
STATES = ["dead", "runnable", "running", "waiting", "blocking call"]
# Where arch_switch saved what: struct saved_frame in src/arch/amd64/frame.c.
SAVED = {"r15": 8, "r14": 16, "r13": 24, "r12": 32, "rbx": 40, "rbp": 48, "rip": 56}
FRAME_BYTES = 64


# ---- reading the runtime ------------------------------------------------------------------------


def static(name, file):
    """A static variable of one file of the runtime."""
    return gdb.parse_and_eval(f"'{file}'::{name}")


def word_at(address):
    pointer = gdb.lookup_type("unsigned long").pointer()
    return int(gdb.Value(address).cast(pointer).dereference())


def goroutines():
    """All records, dead ones too, in the order of the table (src/sched/stack.c)."""
    table = static("table", "sched/stack.c")
    size, block, first = int(table["size"]), 0, 0
    while first < size:
        entries = table["blocks"][block]
        count = int(table["block0"]) << block
        for i in range(min(count, size - first)):
            g = entries[i]
            if int(g) != 0:
                yield g.dereference()
        first += count
        block += 1


def living(everyone):
    for g in goroutines():
        if int(g["status"]) != DEAD and (everyone or not g["is_system"]):
            yield g


def newborns():
    """Goroutines that have not run yet: records in src/sched/newborn.c, mappings that double."""
    records = static("newborns", "sched/newborn.c")
    kind = gdb.lookup_type("struct newborn").pointer()
    size, chunk, first = int(records["count"]), 0, 0
    while first < size:
        entries = records["chunks"][chunk].cast(kind)
        count = int(records["first_count"]) << chunk
        for i in range(min(count, size - first)):
            if int(entries[i]["life"]) != 0:
                yield entries[i]
        first += count
        chunk += 1


def number_of(newborn):
    return int(newborn["life"]) & ((1 << 56) - 1)


def state_of(g):
    status = int(g["status"])
    if status == WAITING:
        return static("wait_names", "sched/g.c")[int(g["wait_reason"])].string()
    return STATES[status] if status < len(STATES) else "unknown"


def thread_of(g):
    """gdb's thread that runs it; None: none does."""
    if int(g["status"]) not in (RUNNING, BLOCKING) or int(g["m"]) == 0:
        return None
    tid = int(g["m"]["tid"])
    for thread in gdb.selected_inferior().threads():
        if thread.ptid[1] == tid:
            return thread
    return None


def saved_registers(g):
    sp = int(g["ctx"]["sp"])
    registers = {name: word_at(sp + offset) for name, offset in SAVED.items()}
    registers["rsp"] = sp + FRAME_BYTES
    return registers


# ---- unwinding ----------------------------------------------------------------------------------


class FrameId:
    def __init__(self, sp, pc):
        self.sp, self.pc = sp, pc


class GoroutineUnwinder(Unwinder):
    """While a goroutine is chosen, the caller of the innermost frame is where it waits."""

    def __init__(self):
        super().__init__("gort goroutine")
        self.registers = None
        self.innermost = None

    def choose(self, registers):
        self.registers = None
        gdb.invalidate_cached_frames()
        if registers is not None:
            self.innermost = int(gdb.newest_frame().read_register("rsp"))
            self.registers = registers
            gdb.invalidate_cached_frames()

    def __call__(self, pending):
        if self.registers is None:
            return None
        sp, pc = pending.read_register("rsp"), pending.read_register("rip")
        if int(sp) != self.innermost:
            return None
        # As if it lay below the goroutine's frames: gdb stops where a caller's frame lies lower.
        below = gdb.Value(self.registers["rsp"] - FRAME_BYTES)
        info = pending.create_unwind_info(FrameId(below.cast(sp.type), pc))
        word = gdb.lookup_type("unsigned long")
        for name, value in self.registers.items():
            info.add_saved_register(name, gdb.Value(value).cast(word))
        return info


unwinder = GoroutineUnwinder()
gdb.unwinder.register_unwinder(None, unwinder, replace=True)


def taken_levels():
    """How many levels the frame that the unwinder took has: itself, and what was inlined into it."""
    frame, n = gdb.newest_frame(), 1
    while frame is not None and frame.type() == gdb.INLINE_FRAME:
        frame, n = frame.older(), n + 1
    return n


def from_level(text, level):
    """A backtrace without the frames before that level."""
    lines = text.split("\n")
    while lines and not lines[0].startswith(f"#{level} "):
        lines.pop(0)
    return "\n".join(lines)


def with_more_frames(command, levels):
    """`bt 3` asks for so many frames of the goroutine."""
    words = command.split()
    if len(words) == 2 and words[1].isdigit():
        return f"{words[0]} {int(words[1]) + levels}"
    return command


def run_parked(g, command):
    unwinder.choose(saved_registers(g))
    try:
        levels = taken_levels()
        if command.split()[0] in ("bt", "backtrace", "where"):
            text = gdb.execute(with_more_frames(command, levels), to_string=True)
            return from_level(text, levels)
        gdb.execute(f"frame {levels}", to_string=True)
        return gdb.execute(command, to_string=True)
    finally:
        unwinder.choose(None)


def run_on_thread(thread, command):
    before = gdb.selected_thread()
    thread.switch()
    try:
        return gdb.execute(command, to_string=True)
    finally:
        before.switch()


def run_in(g, command):
    """What gdb says to the command in goroutine g."""
    status = int(g["status"])
    if status in (RUNNABLE, WAITING):
        return run_parked(g, command)
    thread = thread_of(g)
    if thread is None:
        raise gdb.GdbError(f"goroutine {int(g['goid'])} is {state_of(g)}, and no thread is known "
                           "to run it")
    return run_on_thread(thread, command)


# ---- commands -----------------------------------------------------------------------------------


def header(g):
    name = g["name"].string()
    return f"goroutine {int(g['goid'])} [{state_of(g)}{', ' + name if name else ''}]"


def frames_of(g):
    """(function, " at FILE:LINE" or "") of the innermost frames."""
    for line in run_in(g, "bt 16").split("\n"):
        if not line.startswith("#"):
            continue
        text = line.split(" in ", 1)[1] if " in " in line else line.split(None, 1)[1]
        at = line.rfind(" at ")
        yield text.split(" (")[0], line[at:] if at >= 0 else ""


def place_of(g):
    """The public call that it is in, if any, and who called that; else where it is."""
    hidden = ("arch_", "switch_from", "g_park", "g_yield", "sleeper_park")
    first, call = None, None
    for function, at in frames_of(g):
        if call is not None:
            return f"{call} from {function}{at}"
        if function.startswith("gort_"):
            call = function
        elif first is None and not function.startswith(hidden):
            first = function + at
    return call or first or "?"


class InfoGoroutines(gdb.Command):
    """info goroutines [all]: the program's goroutines; all: the runtime's own too."""

    def __init__(self):
        super().__init__("info goroutines", gdb.COMMAND_STACK)

    def invoke(self, arg, _from_tty):
        for g in living(arg.strip() == "all"):
            mark = "*" if thread_of(g) is not None else " "
            try:
                place = place_of(g)
            except (gdb.error, gdb.GdbError) as error:
                place = f"({error})"
            print(f"{mark} {header(g)} {place}")
        for n in newborns():
            maker = gdb.Value(int(n["created_pc"])).format_string(format="a")
            print(f"  goroutine {number_of(n)} [runnable] has not begun; started at {maker} "
                  f"by goroutine {int(n['created_by'])}")


class Goroutine(gdb.Command):
    """goroutine N|all COMMAND: COMMAND in goroutine N, or in each of the program's."""

    def __init__(self):
        super().__init__("goroutine", gdb.COMMAND_STACK)

    def invoke(self, arg, _from_tty):
        which, _, command = arg.strip().partition(" ")
        if not command or not (which.isdigit() or which == "all"):
            raise gdb.GdbError("usage: goroutine N|all COMMAND")
        if which == "all":
            for g in living(False):
                print(f"\n{header(g)}:")
                print(run_in(g, command), end="")
            return
        for g in living(True):
            if int(g["goid"]) == int(which):
                print(run_in(g, command), end="")
                return
        for n in newborns():
            if number_of(n) == int(which):
                raise gdb.GdbError(f"goroutine {which} has not begun: it has no stack")
        raise gdb.GdbError(f"there is no goroutine {which}")


InfoGoroutines()
Goroutine()
